"""The gate of a build: the auditor's tests (`cmdfd.audit.analysis`) on cheap cues, each fake kind by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cmdfd.audit.analysis import Settings, analyse
from cmdfd.audit.catalogue import unknown_cue
from cmdfd.audit.findings import GateReport
from cmdfd.audit.measure import CATALOGUE

if TYPE_CHECKING:
    import pandas as pd

    from cmdfd.audit.cue import Cue


def cue_of(name: str) -> Cue:
    """A cue of the catalogue, or what is assumed of a column that the catalogue does not know."""
    return CATALOGUE.get(name) or unknown_cue(name)


def gate(table: pd.DataFrame, *, n_draws: int = 999, seed: int = 0, n_gates: int = 1) -> GateReport:
    """Audit a table of cues.

    Args:
        table: One row for each clip: `label` (1 = fake; rows without one are left out), `component`, optionally
            `kind`, and the cues, whose names have a dot ("time.av_gap"). Other columns are ignored.
        n_draws: Rearrangements of the labels, at least; more are drawn where there are many fake kinds.
        seed: Seed.
        n_gates: How many gates are asked about the same set, one for each platform; the p of each is corrected for all.

    Raises:
        CmdfdError: Where a column is missing, a clip has no component, or a class has no clip.
    """
    settings = Settings(by=("kind", "split"), n_draws=n_draws, seed=seed, trees="shown", n_gates=n_gates)
    found = analyse(table, cue_of, settings)
    pooled = found.comparisons[0]
    return GateReport(
        findings=found.findings,
        constant=found.constant,
        not_measured=found.not_measured,
        n_real=pooled.n_real,
        n_fake=pooled.n_fake,
        n_components=pooled.n_components,
        n_unlabelled=found.n_unlabelled,
        n_draws=pooled.n_draws,
        seed=seed,
        note=pooled.note,
        testable=pooled.testable,
    )
