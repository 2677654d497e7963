"""The card's section on the audit: the numbers of the report, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cmdfd.audit.finding import POOLED
from cmdfd.audit.report.prose import card_section, markdown
from cmdfd.audit.report.words import auc_text, p_text
from cmdfd.report.text import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable

    from cmdfd.audit.finding import Finding
    from cmdfd.audit.records import AuditReport
    from cmdfd.publish.records import Checked, Repo

_HEADING = "## Audit results"
#: Row of the table -> families or beginnings of cue names, whose best separating one is shown.
_ROWS = {
    "leading silence": ("silence.lead", "silence.zero_lead", "silence.avh_lead"),
    "file size and bit rate": ("rate.",),
    "names and tags": ("container.", "meta."),
    "length and clocks": ("time.",),
}


def audit_section(report: AuditReport | None, checked: Checked, repo: Repo, blank: Callable[[str], str]) -> str:
    """The section with its heading.

    Args:
        report: The audit as it goes public, or None where there is none.
        checked: The checks, for their notes.
        repo: Where the set goes: named in the command that repeats the audit.
        blank: Makes a visible blank.
    """
    notes = "\n".join(f"- {markdown(note)}" for note in checked.notes)
    told = f"\n\nNotes of the checks before publishing:\n\n{notes}" if notes else ""
    if report is None:
        return f"{_HEADING}\n\n{blank('what separates real from fake without looking at the forgery')}{told}"
    intro = (
        "What separates real from fake without looking at the forgery: AUC of the better of two probes, with its 95 % "
        f"interval over components; chance is .5. All findings are in `audit.json`. Outcome: **{report.status}**."
    )
    _, _, rest = card_section(report, _typed(report, repo)).partition("\n")
    return f"{_HEADING}\n\n{intro}\n\n{_table(report)}\n\n{rest.strip()}{told}"


def _typed(report: AuditReport, repo: Repo) -> list[str]:
    """The command that repeats the audit on the published set."""
    words = [f"{repo.id}@{repo.tag}"] + (["--quick"] if report.depth == "headers" else [])
    seed = report.settings.get("seed")
    return [*words, "--seed", str(seed)] if isinstance(seed, int) and seed else words


def _table(report: AuditReport) -> str:
    lines = ["| Cue | AUC | Adjusted p | Severity |", "|---|---|---|---|"]
    if report.floor is not None:
        lines.append(_line("all leak and nuisance cues together (floor)", auc_text(report.floor.probe), report.floor.p))
    pooled = [one for one in report.findings if one.analysis == POOLED]
    shown: set[str] = set()
    for title, starts in _ROWS.items():
        found = _worst([one for one in pooled if one.cue.startswith(starts)])
        if found is None:
            lines.append(f"| {title} | the same in all clips, or not measured | {NOTHING} | none |")
        else:
            shown.add(found.cue)
            lines.append(_of(found, title))
    other = _worst([one for one in pooled if one.cue not in shown and not one.cue.startswith(tuple(_all()))])
    if other is not None:
        lines.append(_of(other, "worst other cue"))
    return "\n".join(lines)


def _all() -> list[str]:
    return [start for starts in _ROWS.values() for start in starts]


def _worst(findings: list[Finding]) -> Finding | None:
    return max(findings, key=lambda one: (one.best.auc, one.cue), default=None)


def _of(one: Finding, title: str) -> str:
    grade = f"{one.severity}, {one.cue_kind}" if one.cue_kind == "debatable" else one.severity
    return _line(f"{title}: {markdown(one.title)}", auc_text(one.best), one.p, grade)


def _line(title: str, auc: str, p: float | None, grade: str = NOTHING) -> str:
    return f"| {title} | {markdown(auc)} | {markdown(p_text(p))} | {grade} |"
