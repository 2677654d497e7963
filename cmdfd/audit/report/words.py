"""What an audit says in plain words: quantities, rules, comparisons, and the verdict that stands first everywhere."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cmdfd.audit.finding import POOLED, RULE_GAIN
from cmdfd.audit.severity import SEVERITIES, SHOWN_P
from cmdfd.report.text import MINUS, NOTHING, clean, interval, number, percent, plural, shorten

if TYPE_CHECKING:
    from cmdfd.audit.finding import Finding, Probe
    from cmdfd.audit.records import AuditReport, Comparison

#: What a kind of cue means for the reader.
KINDS = {
    "leak": "has nothing to do with forging: always repair it",
    "nuisance": "recording or encoding: harmonise it",
    "debatable": "may follow from the content or be a genuine trace: reported, never failed",
}
#: Signs of a name from outside in a sentence.
MOST_SIGNS = 90
#: Units that have a singular.
_COUNTED = {"samples", "frames", "characters", "digits", "rows", "pixels", "clips", "levels"}
#: Numbers without a unit of their own.
_UNITLESS = {"", "category", "tokens"}


def capital(text: str) -> str:
    """The text with its first letter large."""
    return f"{text[:1].upper()}{text[1:]}"


def bare(title: str) -> str:
    """A title without its article, for headings and axes."""
    return title.removeprefix("the ")


def title_of(finding: Finding) -> str:
    """What a cue is, as the subject of a sentence; cut where a stranger's column has a name like a novel."""
    return shorten(finding.title, MOST_SIGNS)


def heading_of(finding: Finding) -> str:
    """The same without its article, for headings and table rows."""
    return capital(bare(title_of(finding)))


def name_of(report: AuditReport) -> str:
    """The target's name, short and never empty."""
    return shorten(report.name, 60).strip() or "(a set without a name)"


def plain(value: float, digits: int = 4) -> str:
    """A number of any size, never as a power of ten where people would not write one.

    Args:
        value: Any number.
        digits: Digits that count, for numbers below a thousand.

    >>> plain(0.03125), plain(57344.0), plain(-21.5), plain(0.0)
    ('0.03125', '57344', '−21.5', '0')
    """
    if not math.isfinite(value):
        return NOTHING
    size = abs(value)
    text = f"{size:.0f}" if size >= 1000 else f"{size:.{digits}g}"
    return f"{MINUS}{text}" if value < 0 else text


def quantity(value: float, unit: str) -> str:
    """A number with its unit; seconds below one as milliseconds, shares as percentages.

    >>> quantity(0.03125, "s"), quantity(2.0, "s"), quantity(0.125, "share"), quantity(25.0, "1/s")
    ('31.2 ms', '2 s', '12.5 %', '25 per second')
    """
    if unit == "s" and abs(value) < 1:
        return f"{plain(1000 * value, digits=3)} ms"
    if unit in ("share", "ms"):
        return f"{plain(100 * value)} %" if unit == "share" else f"{plain(value, digits=3)} ms"
    if unit.startswith("1/"):
        return f"{plain(value)} per {'second' if unit == '1/s' else unit[2:]}"
    if unit == "full scale":
        return f"{plain(value)} of full scale"
    unit = unit.removesuffix("s") if unit in _COUNTED and plain(value) == "1" else unit
    return plain(value) if unit in _UNITLESS else f"{plain(value)} {shorten(unit, 20)}"


def p_text(p: float | None) -> str:
    """A p-value as tables print it.

    >>> p_text(0.0001), p_text(0.25), p_text(0.00002), p_text(None)
    ('.0001', '.250', '<.0001', '–')
    """
    if p is None or not math.isfinite(p):
        return NOTHING
    if p < 0.0001:
        return "<.0001"
    return number(p, digits=4 if p < 0.01 else 3)


def auc_text(probe: Probe) -> str:
    """AUC with its interval."""
    return f"{number(probe.auc)} {interval(probe.low, probe.high)}".strip()


def compared(analysis: str) -> str:
    """Whose fakes a comparison takes, e.g. "fakes of wav2lip".

    >>> compared("all"), compared("generator: wav2lip"), compared("split: test")
    ('all fakes', 'fakes of wav2lip', 'fakes of the split test')
    """
    by, _, level = analysis.partition(": ")
    if analysis == POOLED or not level:
        return "all fakes" if analysis == POOLED else shorten(analysis, MOST_SIGNS)
    words = {"generator": "fakes of", "modality": "fakes with forged"}
    return f"{words.get(by, f'fakes of the {clean(by)}')} {shorten(level, MOST_SIGNS)}"


def predicate(where: str) -> str:
    """What a rule or marker says, so that it follows the subject of a sentence."""
    text = shorten(where, MOST_SIGNS)
    if text.startswith(("is ", "contains ", "lacks ", "has ", "lies ")):
        return text
    return f"lies at a {text}" if text.startswith("distance") else f"lies {text}"


def rule_text(finding: Finding) -> str:
    """The rule as a table prints it, e.g. "above 31.25 ms"; "" where there is none."""
    rule = finding.rule
    if rule is None:
        return ""
    if rule.threshold is None or finding.view not in ("value", "distance from the median"):
        return shorten(rule.where, MOST_SIGNS)
    far = " from the median" if finding.view.startswith("distance") else ""
    side = ("further than" if rule.above else "nearer than") if far else ("above" if rule.above else "below")
    return f"{side} {quantity(rule.threshold, finding.unit)}{far}"


def marker_text(finding: Finding) -> str:
    """Where a marker is, with the unit of its number; "" without one."""
    if finding.marker is None:
        return ""
    where = shorten(finding.marker.where, MOST_SIGNS)
    unitless = finding.unit in _UNITLESS or not re.search(r"(above|below) \S+$", where)
    return where if unitless else f"{where} {shorten(finding.unit, 20)}"


def tied(text: str) -> str:
    """The text with percentages that no line break tears apart."""
    return text.replace(" %", "\u00a0%")


def part(share: float, noun: str) -> str:
    """A share of a class.

    >>> part(0.98, "fakes"), part(0.0, "reals"), part(1.0, "fakes of wav2lip")
    ('98 % of the fakes', 'none of the reals', 'all of the fakes of wav2lip')
    """
    return f"{'all' if share == 1 else 'none' if share == 0 else percent(share)} of the {noun}"


def told(finding: Finding) -> str:
    """What can be done with a cue, in one sentence that names shares of both classes where a rule exists."""
    title, rule = title_of(finding), finding.rule
    noun = "fakes" if finding.analysis == POOLED else compared(finding.analysis)
    if rule is not None and rule.fakes - rule.reals >= RULE_GAIN:
        fakes, reals = part(rule.fakes, noun), part(rule.reals, "reals")
        if rule.threshold is not None and finding.view == "value":
            side = "above" if rule.above else "below"
            at = quantity(rule.threshold, finding.unit)
            return f"A threshold of {at} on {title} tells {fakes} ({reals}): fakes lie {side} it."
        if rule.threshold is not None and finding.view.startswith("distance"):
            return f"{capital(title)} lies {rule_text(finding)} in {fakes} and {reals}."
        return f"{capital(title)} {predicate(rule.where)} in {fakes} and {reals}."
    if finding.marker is not None and finding.marker.certain:
        own, other = (noun, "reals") if finding.marker.label else ("reals", noun)
        share = part(finding.marker.share, own)
        return f"{capital(title)} {predicate(marker_text(finding))} in {share} and none of the {other}."
    auc = auc_text(finding.best)
    if finding.best.name == "tree":
        return f"Shallow trees on {title} tell {noun} from reals with AUC {auc}, though no single threshold does."
    return f"{capital(title)} ranks {noun} {'above' if finding.higher_in_fakes else 'below'} reals with AUC {auc}."


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome in words.

    Args:
        word: "Failed", "Passed" or "Not testable".
        sentences: What was found, the most important first.
    """

    word: str
    sentences: tuple[str, ...]


def verdict(report: AuditReport) -> Verdict:
    """The outcome: failing checks first, then the worst cue as a rule, then what the audit could not see."""
    words = {"failed": "Failed", "passed": "Passed"}
    sentences = [clean(check.sentence) for check in report.checks if check.severity in SEVERITIES[2:]][:2]
    flagged = [one for one in report.flagged if one.cue_kind != "debatable"]
    if flagged:
        sentences += _separable(report, flagged)
    elif report.flagged:
        sentences.append("No cue that has nothing to do with forging was shown to tell real from fake.")
    sentences += _debatable(report, also=bool(flagged))
    if not report.flagged:
        sentences.append(_nothing(report))
    if report.status == "passed" and report.depth == "headers":
        sentences.append("Only headers were read; sound and picture were not looked at.")
    return Verdict(words.get(report.status, "Not testable"), tuple(sentences))


def _separable(report: AuditReport, flagged: list[Finding]) -> list[str]:
    cues = list(dict.fromkeys(one.cue for one in flagged))
    strong = any(one.fails for one in flagged)
    first = "Real and fake can be told apart here without looking at the forgery."
    if not strong:
        first = "Real and fake differ a little in what has nothing to do with the forgery."
    sentences = [first, told(flagged[0])]
    if len(cues) > 1:
        sentences.append(f"{plural(len(cues) - 1, 'further cue')} {'differs' if len(cues) == 2 else 'differ'}, too.")
    if strong and report.floor is not None:
        sentences.append(f"All such cues together reach AUC {auc_text(report.floor.probe)}.")
    return sentences


def _debatable(report: AuditReport, *, also: bool) -> list[str]:
    cues = dict.fromkeys(one.cue for one in report.flagged if one.cue_kind == "debatable")
    if not cues:
        return []
    verb = "separates" if len(cues) == 1 else "separate"
    them = "them as well" if also else "them"
    return [f"{plural(len(cues), 'debatable cue')} {verb} {them}, which may be a genuine trace of forging."]


def _nothing(report: AuditReport) -> str:
    """No cue was flagged: what that is worth."""
    n = len({one.cue for one in report.findings})
    pooled = report.comparisons[0] if report.comparisons else None
    if pooled is None or not pooled.testable:
        return f"Nothing could be tested: {why_not(report, pooled)}. That is no sign of a clean set."
    smallest = min((one.p for one in report.findings if one.p is not None), default=None)
    text = f"None of {plural(n, 'cue')} that vary was shown to tell real from fake"
    if n == 1:
        text = "The one cue that varies was not shown to tell real from fake"
    if n == 0:
        return "No measured cue varies at all, so none tells real from fake."
    text += "." if smallest is None else f" (smallest adjusted p = {p_text(smallest)})."
    if smallest is not None and smallest < SHOWN_P:
        sure = {one.cue for one in report.findings if one.p is not None and one.p < SHOWN_P}
        least = min((one for one in report.findings if one.p is not None), key=lambda one: one.p or 0.0)
        text = (
            f"No cue tells real from fake well enough for a grade. Of {plural(n, 'cue')} that vary, {len(sure)} surely "
            f"{'differs' if len(sure) == 1 else 'differ'}, but by little: {clean(least.title)} (adjusted p = "
            f"{p_text(smallest)}, AUC {auc_text(least.best)})."
        )
    if report.blind:
        return f"{text} Nor would a strong one have been: {_blind(report)}. That is no sign of a clean set."
    seen = report.controls.detectable_auc if report.controls else None
    return text if seen is None else f"{text} A cue with an AUC of {number(seen)} or more would have been found."


def _blind(report: AuditReport) -> str:
    """How little was found of what was put in, for sets in which nothing could be found."""
    curve = report.controls.curve if report.controls else ()
    strongest, share = curve[-1] if curve else (None, 0.0)
    return (
        f"with {plural(report.n_real, 'real')} and {plural(report.n_fake, 'fake')} in "
        f"{plural(report.n_components, 'component')}, injected cues with an AUC of {number(strongest, digits=2)} were "
        f"flagged in {percent(share)} of the trials"
    )


def why_not(report: AuditReport, pooled: Comparison | None) -> str:
    """Why nothing could be tested."""
    for count, word, other in ((report.n_real, "reals", "fakes"), (report.n_fake, "fakes", "reals")):
        if not count:
            return f"there are no {word} to compare the {other} with"
    note = clean(pooled.note).removeprefix("not testable: ") if pooled is not None else ""
    return note or "no comparison was made"


def detectable(report: AuditReport) -> str:
    """The minimum detectable effect in words."""
    controls = report.controls
    if controls is None:
        return ""
    if report.blind:
        return f"Hardly any cue could have been flagged here: {_blind(report)}."
    if controls.detectable_auc is None:
        return "It could not be found out how strong a cue must be to be flagged here."
    return (
        f"With {plural(report.n_components, 'component')}, a cue with an AUC of {number(controls.detectable_auc)} "
        "would be flagged eight times in ten; a weaker one can go unseen."
    )


def false_alarms(report: AuditReport) -> str:
    """The runs on shuffled labels in words."""
    controls = report.controls
    if controls is None or not controls.n_shuffled:
        return ""
    alarms = "none" if not controls.false_alarms else str(controls.false_alarms)
    return (
        f"Of {plural(controls.n_shuffled, 'run')} on labels that were rearranged by component, {alarms} flagged a cue."
    )


def size_text(report: AuditReport) -> str:
    """How much was audited."""
    return (
        f"{plural(report.n_real, 'real')} and {plural(report.n_fake, 'fake')} in "
        f"{plural(report.n_components, 'component')}"
    )
