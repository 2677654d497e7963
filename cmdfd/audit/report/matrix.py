"""Which cue separates which fakes: one grade for each cue and each generator, split or modality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cmdfd.audit.finding import POOLED

if TYPE_CHECKING:
    from cmdfd.audit.finding import Finding
    from cmdfd.audit.records import AuditReport
    from cmdfd.audit.severity import Severity


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """One cue in one comparison.

    Args:
        state: "flagged"; "clear" where it was tested and not shown; "not testable"; "constant" where it does not vary
            among these clips.
        severity: Grade; "none" unless flagged.
        auc: AUC of the better probe, None where there is no number.
        low: Lower end of its interval.
        high: Upper end.
        p: Adjusted p.
    """

    state: str
    severity: Severity = "none"
    auc: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None


@dataclass(frozen=True, slots=True)
class Matrix:
    """Cues by comparisons.

    Args:
        by: "generator", "split" or "modality".
        cues: Flagged cues, the worst first.
        levels: "all" and the levels, in the order of the report.
        cells: One row for each cue.
    """

    by: str
    cues: tuple[str, ...]
    levels: tuple[str, ...]
    cells: tuple[tuple[MatrixCell, ...], ...]


def matrix(report: AuditReport, by: str = "generator") -> Matrix:
    """The matrix of flagged cues.

    Args:
        report: The audit.
        by: What the fakes are parted by: "generator", "split" or "modality".

    Returns:
        Flagged cues by comparisons; without levels where the report was not made `--by` this.
    """
    chosen = [one for one in report.comparisons if one.by == by]
    if chosen:
        chosen = [one for one in report.comparisons if one.name == POOLED] + chosen
    cues = report.flagged_cues
    found = {(one.cue, one.analysis): one for one in report.findings}
    cells = tuple(tuple(_cell(found.get((cue, one.name)), one.testable) for one in chosen) for cue in cues)
    levels = tuple(one.level or POOLED for one in chosen)
    return Matrix(by, cues if chosen else (), levels, cells if chosen else ())


def _cell(finding: Finding | None, testable: bool) -> MatrixCell:
    if finding is None:
        return MatrixCell("constant" if testable else "not testable")
    state = "flagged" if finding.shown else "not testable" if finding.p is None else "clear"
    severity = finding.severity if finding.shown else "none"
    return MatrixCell(state, severity, finding.auc, finding.low, finding.high, finding.p)
