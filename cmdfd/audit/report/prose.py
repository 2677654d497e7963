"""The audit as text for others: Croissant's `rai:dataBiases` and a section of a dataset card."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cmdfd.audit.finding import POOLED
from cmdfd.audit.report.commands import command_of
from cmdfd.audit.report.words import (
    auc_text,
    compared,
    detectable,
    p_text,
    rule_text,
    size_text,
    title_of,
    told,
    why_not,
)
from cmdfd.audit.severity import SEVERITIES
from cmdfd.report.text import NOTHING, clean, listing, percent, plural, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cmdfd.audit.finding import Finding
    from cmdfd.audit.records import AuditReport, Floor

#: Cues that the text names, and rows of the card's table.
MOST_NAMED, MOST_ROWS = 4, 15
#: What Markdown, its tables, links, mathematics or mentions could take for a sign of theirs.
_ESCAPED = re.compile(r"[\\`*_{}\[\]#|~$!]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}


def biases(report: AuditReport) -> str:
    """What is known of the set's biases, in two to six sentences, as plain text for `rai:dataBiases`.

    Args:
        report: The audit.
    """
    worst = _worst(report)
    strong = [one for one in worst if one.cue_kind != "debatable"]
    sentences = [_scope(report)]
    defects = [clean(one.sentence) for one in report.checks if one.severity in SEVERITIES[2:]]
    if defects:
        sentences.append(" ".join(defects[:1]))
    if strong:
        sentences += _found(strong)
        if report.floor is not None:
            sentences.append(_reached(report.floor))
    elif report.testable:
        sentences.append("No cue that has nothing to do with forging was shown to tell real from fake.")
    else:
        pooled = report.comparisons[0] if report.comparisons else None
        sentences.append(f"Whether cues tell real from fake could not be tested: {why_not(report, pooled)}.")
    extra = [one for one in worst if one.cue_kind == "debatable"]
    if extra:
        sentences.append(f"Debatable, since it may be a genuine trace: {_named(extra)}.")
    elif report.blind or (report.controls is not None and report.controls.detectable_auc is not None):
        sentences.append(detectable(report))
    return " ".join(sentences[:6])


def _worst(report: AuditReport) -> list[Finding]:
    """The worst finding of each flagged cue."""
    found: dict[str, Finding] = {}
    for one in report.flagged:
        found.setdefault(one.cue, one)
    return list(found.values())


def _scope(report: AuditReport) -> str:
    depth = "headers" if report.depth == "headers" else "headers, sound and picture"
    if report.kind == "list":
        depth = "lists"
    n = len({one.cue for one in report.findings})
    draws = report.comparisons[0].n_draws if report.comparisons else 0
    test = f", p by max-T with {draws} rearrangements of the labels" if draws else ""
    return (
        f"Audited with cmdfd from {depth}: {plural(n, 'cue')} that vary over {size_text(report)}, AUC with 95 % "
        f"intervals over components{test}."
    )


def _found(strong: Sequence[Finding]) -> list[str]:
    first = strong[0]
    words = told(first).removesuffix(".")
    sentences = [f"{words} ({_numbers(first)})."]
    if len(strong) > 1:
        verb = "tells" if len(strong) == 2 else "tell"
        sentences.append(f"Also {verb} real from fake: {_named(strong[1:])}.")
    return sentences


def _reached(floor: Floor) -> str:
    n = len(floor.cues)
    who = "The one leak or nuisance cue reaches" if n == 1 else f"All {n} leak and nuisance cues together reach"
    return f"{who} AUC {auc_text(floor.probe)} without looking at or listening to the forgery."


def _numbers(one: Finding) -> str:
    where = "" if one.analysis == POOLED else f"{compared(one.analysis)}: "
    return f"{where}AUC {auc_text(one.best)}, adjusted p = {p_text(one.p)}, n = {one.n}, {one.severity}"


def _named(findings: Sequence[Finding]) -> str:
    names = [f"{title_of(one)} ({_numbers(one)})" for one in findings[:MOST_NAMED]]
    left = len(findings) - len(names)
    return listing([*names, f"{left} more"] if left else names, MOST_NAMED + 1)


def markdown(text: object) -> str:
    r"""A text from outside as plain words of Markdown: nothing in it is a link, a tag, a mention or a table's edge.

    Args:
        text: Anything; it is cleaned first.

    >>> markdown("a|b <b> www.x.org")
    'a\\|b &lt;b&gt; www&#46;x.org'
    """
    safe = "".join(_ENTITIES.get(sign, sign) for sign in _ESCAPED.sub(r"\\\g<0>", clean(text)))
    # what GitHub makes a link of without being asked
    safe = re.sub(r":(?=//)|(?<=mailto):|(?<=xmpp):", "&#58;", safe, flags=re.IGNORECASE)
    return re.sub(r"\b(www)\.", r"\1&#46;", safe, flags=re.IGNORECASE)


def card_section(report: AuditReport, typed: Sequence[str] = ()) -> str:
    """The section "Known biases" of a dataset card, as Markdown.

    Args:
        report: The audit.
        typed: Words after `python -m cmdfd.audit` as they were typed.
    """
    worst = _worst(report)
    parts = ["## Known biases", markdown(biases(report))]
    defects = [one for one in report.checks if one.severity != "none"]
    if defects:
        parts.append("\n".join(f"- **{one.severity}**: {markdown(one.sentence)}" for one in defects))
    if worst:
        parts.append(_table(worst))
        left = len(worst) - MOST_ROWS
        if left > 0:
            parts.append(f"{plural(left, 'further cue')} in `audit.json`.")
    if report.floor is not None:
        n_cues = plural(len(report.floor.cues), "cue")
        p = "" if report.floor.p is None else f", smallest adjusted p {markdown(p_text(report.floor.p))}"
        parts.append(
            f"**Metadata-only floor**: AUC {markdown(auc_text(report.floor.probe))} from {n_cues}{p}. "
            "A detector is worth what it scores above it."
        )
    parts.append(
        "How it was measured: AUC of the better of two probes (order; shallow trees judged on unseen components) with "
        "95 % intervals over components; p adjusted over all cues by max-T. Debatable cues may be genuine traces of "
        "forging and never fail the audit."
    )
    parts.append(_fenced(command_of(report, typed)))
    return "\n\n".join(parts) + "\n"


def _table(worst: Sequence[Finding]) -> str:
    lines = [
        "| Cue | Grade | AUC | p | Found at 1 % false alarms | Best rule | Remedy |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in worst[:MOST_ROWS]:
        where = "" if one.analysis == POOLED else f", {compared(one.analysis)}"
        rule = NOTHING
        if one.rule is not None:
            rule = f"{rule_text(one)}: {percent(one.rule.fakes)} of fakes, {percent(one.rule.reals)} of reals"
        grade = f"{one.severity}, {one.cue_kind}"
        cells = (
            markdown(f"{title_of(one)} ({shorten(one.cue, 60)}){where}"), grade, markdown(auc_text(one.best)),
            markdown(p_text(one.p)), percent(one.best.tpr_at_1fpr), markdown(rule), markdown(one.remedy),
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _fenced(command: str) -> str:
    """The command as code; its fence is longer than any run of its own ticks."""
    longest = max((len(run) for run in re.findall(r"`+", command)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}bash\n{command}\n{fence}"
