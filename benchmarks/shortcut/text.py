"""The table of a shortcut experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.progress import console
from cmdfd.report.text import number, with_interval

if TYPE_CHECKING:
    from benchmarks.shortcut.experiment import Outcome


def print_outcome(outcome: Outcome) -> None:
    """Print what the auditor said beforehand, the AUCs and the differences."""
    from rich.table import Table

    out = console()
    told = outcome.plan
    out.print(
        f"{told['detector']} on {told['data']}: {told['milliseconds']:g} ms of digital zero before the sound of fakes "
        f"(seed {told['seed']})"
    )
    for one in outcome.warned:
        grade = f"severity {one.severity}, p = {one.p:.3g}" if one.p is not None else "not testable"
        out.print(f"auditor on the {one.copy} copy: {one.cue} {with_interval(one.auc, one.low, one.high)}, {grade}")
    cells = Table("trained on", "tested on", "fakes", "AUC [95 %]", title="AUC", title_justify="left")
    for cell in outcome.cells:
        value = with_interval(cell.auc, cell.low, cell.high)
        cells.add_row(cell.trained_on, cell.tested_on, cell.fakes, value)
    out.print(cells)
    gaps = Table(
        "difference", "fakes", "value [95 %]", "verdict", title="Differences, clip by clip", title_justify="left"
    )
    for gap in outcome.differences:
        value = f"{number(gap.value, signed=True)} [{number(gap.low, signed=True)}, {number(gap.high, signed=True)}]"
        gaps.add_row(gap.name, gap.fakes, value, gap.verdict)
    out.print(gaps)
    if outcome.n_failed:
        out.print(f"{outcome.n_failed} answers failed and count as the worst of their class")
