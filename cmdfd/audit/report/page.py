"""The audit as one page of HTML: no script, nothing loaded, every name from outside escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cmdfd.audit.report.commands import command_of, next_commands
from cmdfd.audit.report.deeper import deeper_sections
from cmdfd.audit.report.flagged import TONES, Sources, checks_section, flagged_sections, matrix_section
from cmdfd.audit.report.prose import biases
from cmdfd.audit.report.rest import compared_section, measured_section, method_section
from cmdfd.audit.report.words import heading_of, name_of, size_text, tied, verdict
from cmdfd.report.blocks import Card, Cards, Code, Page, Paragraph, Section, Text, Tone
from cmdfd.report.page import render_page
from cmdfd.report.text import NOTHING, clean, interval, number, plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from cmdfd.audit.cue import Cue
    from cmdfd.audit.finding import Finding
    from cmdfd.audit.records import AuditReport
    from cmdfd.audit.targets.target import Target


def render_html(
    report: AuditReport,
    table: pd.DataFrame,
    target: Target | None = None,
    *,
    cues: Mapping[str, Cue] | None = None,
    typed: Sequence[str] = (),
    seed: int = 0,
) -> str:
    """Render an audit as a page that works from a file.

    Names of the set, its files, cues and categories are treated as hostile text throughout.

    Args:
        report: The audit.
        table: The cue table, one row a clip: `id`, `label` (1 = fake), `component`, what the fakes are parted by, and
            the cues. A cue that it lacks is told without a picture.
        target: Where the media lie, for the pictures of sound.
        cues: What is known of each cue; the catalogue and the target's own cues without it.
        typed: Words after `python -m cmdfd.audit` as they were typed, for the commands of the page.
        seed: Decides which of equally typical clips are drawn.
    """
    known = _catalogue(target) if cues is None else cues
    return render_page(report_page(Sources(report, table, target, known, seed), typed))


def _catalogue(target: Target | None) -> Mapping[str, Cue]:
    from cmdfd.audit.catalogue import known_cues

    return known_cues(() if target is None else (target.extra_cues,))


def report_page(sources: Sources, typed: Sequence[str] = ()) -> Page:
    """Lay the page out.

    Args:
        sources: What it is drawn from.
        typed: As for `render_html`.
    """
    report = sources.report
    found = verdict(report)
    word = found.word if report.severity == "none" else f"{found.word} ({report.severity})"
    return Page(
        title=f"Shortcuts in {name_of(report)}",
        lead=(Text(f"{word}. ", "strong"), tied(" ".join(found.sentences))),
        kicker=f"cmdfd audit of a {clean(report.kind)}: {size_text(report)}",
        blocks=(_cards(report),),
        sections=(
            *checks_section(report),
            *flagged_sections(sources),
            *matrix_section(report),
            *deeper_sections(report),
            measured_section(report, sources.cues),
            compared_section(report),
            method_section(report, command_of(report, typed)),
            _next_section(report, typed),
        ),
        footer="Made by cmdfd. fake = 1; AUC with its direction taken out; intervals are 95 %, over components.",
    )


def _cards(report: AuditReport) -> Cards:
    flagged = [one for one in report.flagged if one.cue_kind != "debatable"]
    return Cards(
        (
            Card(
                "Clips",
                str(report.n_real + report.n_fake),
                f"{plural(report.n_real, 'real')}, {plural(report.n_fake, 'fake')}",
            ),
            Card("Components", str(report.n_components), "people, voices, recordings that are tied"),
            _worst_card(flagged, report),
            _floor_card(report),
            _power_card(report),
        )
    )


def _worst_card(flagged: list[Finding], report: AuditReport) -> Card:
    if not flagged:
        words = "but even a strong one could go unseen" if report.blind else ""
        words = words if report.testable else "but nothing could be tested"
        return Card("Worst cue", "none flagged", words, "" if words else "good")
    worst = flagged[0]
    n = len({one.cue for one in flagged})
    more = f"; {plural(n - 1, 'more cue')} flagged" if n > 1 else ""
    words = f"{heading_of(worst)}, {worst.severity}{more}"
    return Card("Worst cue, AUC", number(worst.auc), f"{interval(worst.low, worst.high)} {words}".strip(), _tone(worst))


def _tone(finding: Finding) -> Tone:
    tone = TONES[finding.severity]
    return "" if tone == "muted" else tone


def _floor_card(report: AuditReport) -> Card:
    label = "Metadata-only floor, AUC"
    if report.floor is None:
        return Card(label, NOTHING, "not measured")
    probe = report.floor.probe
    low = probe.low if probe.low is not None else 0.0
    quiet: Tone = "good" if report.testable and not report.blind else ""
    tone: Tone = "bad" if low >= 0.8 else "warn" if low >= 0.65 else "" if low > 0.5 else quiet
    words = f"{interval(probe.low, probe.high)} {plural(len(report.floor.cues), 'cue')} together".strip()
    return Card(label, number(probe.auc), words, tone)


def _power_card(report: AuditReport) -> Card:
    label = "Smallest effect that is found, AUC"
    controls = report.controls
    if controls is None or controls.detectable_auc is None:
        return Card(label, NOTHING, "not measured" if controls is None else "not reached")
    return Card(label, number(controls.detectable_auc), "in eight of ten trials; weaker cues can go unseen")


def _next_section(report: AuditReport, typed: Sequence[str]) -> Section:
    blocks: list[Code | Paragraph] = [Code(one.text, f"{one.purpose}:") for one in next_commands(report, typed)]
    blocks.append(Code(biases(report), "For the data set's card and Croissant's rai:dataBiases:"))
    return Section("next", "What to do next", tuple(blocks))
