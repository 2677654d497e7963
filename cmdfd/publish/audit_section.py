"""The card's section on the audit: the numbers of the report, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cmdfd.audit.finding import POOLED
from cmdfd.audit.report.commands import command_of
from cmdfd.audit.report.prose import biases, card_section, markdown
from cmdfd.audit.report.words import auc_text, p_text
from cmdfd.publish.words import fenced
from cmdfd.report.text import NOTHING, listing

if TYPE_CHECKING:
    from collections.abc import Callable

    from cmdfd.audit.finding import Finding
    from cmdfd.audit.records import AuditReport
    from cmdfd.publish.records import Checked

_HEADING = "## Audit results"
#: What readers ask for -> families or beginnings of cue names; the best separating one that was shown has a row.
_ROWS = {
    "leading silence": ("silence.lead", "silence.zero_lead", "silence.avh_lead"),
    "file size and bit rate": ("rate.",),
    "names and tags": ("container.", "meta."),
    "length and clocks": ("time.",),
}


def audit_section(report: AuditReport | None, checked: Checked, target: str, blank: Callable[[str], str]) -> str:
    """The section with its heading.

    Args:
        report: The audit as it goes public, or None where there is none.
        checked: The checks, for their notes.
        target: What the command that repeats the audit names: the published version, or what is built from its recipe.
        blank: Makes a visible blank.
    """
    notes = "\n".join(f"- {markdown(note)}" for note in checked.notes)
    told = f"\n\nNotes of the checks before publishing:\n\n{notes}" if notes else ""
    if report is None:
        return f"{_HEADING}\n\n{blank('what separates real from fake without looking at the forgery')}{told}"
    if not report.testable or report.blind:
        return f"{_HEADING}\n\n{_untested(report, target)}{told}"
    intro = (
        "What separates real from fake without looking at the forgery: AUC of the better of two probes, each turned to "
        "its better side, with its 95 % interval over components. The better of two probes lies above .5 by chance "
        "alone: read the adjusted p. Rows are cues that were shown to separate. All findings are in `audit.json`. "
        f"Outcome: **{report.status}**."
    )
    _, _, rest = card_section(report, _typed(report, target)).partition("\n")
    return f"{_HEADING}\n\n{intro}\n\n{_table(report)}\n\n{rest.strip()}{told}"


def _untested(report: AuditReport, target: str) -> str:
    """Without a number of a single cue: those of a test that could find nothing mean nothing, and look as if."""
    said = f"Outcome: **{report.status}**. {markdown(biases(report))}"
    defects = [f"- **{one.severity}**: {markdown(one.sentence)}" for one in report.checks if one.severity != "none"]
    why = (
        "Numbers of single cues are left out here, since chance alone makes them look like findings; they are in "
        "`audit.json`."
    )
    command = fenced(command_of(report, _typed(report, target)), "bash")
    return "\n\n".join([said, *(["\n".join(defects)] if defects else []), why, command])


def _typed(report: AuditReport, target: str) -> list[str]:
    """The command that repeats the audit on the published set."""
    words = [target] + (["--quick"] if report.depth == "headers" else [])
    seed = report.settings.get("seed")
    return [*words, "--seed", str(seed)] if isinstance(seed, int) and seed else words


def _table(report: AuditReport) -> str:
    lines: list[str] = []
    if report.floor is not None:
        lines.append(_line("all leak and nuisance cues together (floor)", auc_text(report.floor.probe), report.floor.p))
    pooled = [one for one in report.findings if one.analysis == POOLED]
    quiet: list[str] = []
    constant: list[str] = []
    for title, starts in _ROWS.items():
        found = [one for one in pooled if one.cue.startswith(starts)]
        worst = _worst(found)
        if worst is not None:
            lines.append(_of(worst, title))
        else:
            (quiet if found else constant).append(title)
    other = _worst([one for one in pooled if not one.cue.startswith(tuple(_all()))])
    if other is not None:
        lines.append(_of(other, "worst other cue"))
    told = ["| Cue | AUC | Adjusted p | Severity |\n|---|---|---|---|\n" + "\n".join(lines)] if lines else []
    if quiet:
        told.append(f"Not shown to separate, all fakes taken together: {listing(quiet, 8)}.")
    if constant:
        told.append(f"The same in all clips, or not measured: {listing(constant, 8)}.")
    return "\n\n".join(told)


def _all() -> list[str]:
    return [start for starts in _ROWS.values() for start in starts]


def _worst(findings: list[Finding]) -> Finding | None:
    shown = [one for one in findings if one.shown]
    return max(shown, key=lambda one: (one.best.auc, one.cue), default=None)


def _of(one: Finding, title: str) -> str:
    grade = f"{one.severity}, {one.cue_kind}" if one.cue_kind == "debatable" else one.severity
    return _line(f"{title}: {markdown(one.title)}", auc_text(one.best), one.p, grade)


def _line(title: str, auc: str, p: float | None, grade: str = NOTHING) -> str:
    return f"| {title} | {markdown(auc)} | {markdown(p_text(p))} | {grade} |"
