"""The gate: does any cheap cue tell forged from unforged clips of a set?

Every cue is looked at in several ways (`cmdfd.audit.views`); all of them are tested at once by max-T with labels
rearranged inside or among components, for all fakes together and for each fake kind against all reals. The p of a cue
is the smallest of its views, times the number of analyses. What is shown (p < .01) is graded by the lower end of the
component interval of its AUC. The view is chosen for its AUC, so the size of an effect is slightly overstated; whether
there is one is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.cue import Cue
from cmdfd.audit.findings import POOLED, Finding, GateReport
from cmdfd.audit.measure import CATALOGUE
from cmdfd.audit.severity import Marker, grade, marker_of
from cmdfd.audit.views import Column, View, column_of, ordered_view, views_of
from cmdfd.errors import CmdfdError
from cmdfd.statistics.arrays import component_codes
from cmdfd.statistics.bootstrap import bootstrap_auc
from cmdfd.statistics.maxt import max_t
from cmdfd.statistics.roc import auc

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

#: Columns that the gate needs.
REQUIRED = ("label", "component")
#: Draws of the bootstrap behind each interval.
INTERVAL_DRAWS = 500
#: Draws for each analysis, at least: after Bonferroni's correction p = .005 stays attainable.
DRAWS_PER_ANALYSIS = 200


@dataclass(frozen=True, slots=True, eq=False)
class _Analysis:
    """One comparison: which clips, and what they are."""

    name: str
    rows: NDArray[np.intp]
    labels: NDArray[np.bool_]
    components: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """The labelled rows of a table."""

    table: pd.DataFrame
    labels: NDArray[np.bool_]
    components: NDArray[np.intp]


def cue_of(name: str) -> Cue:
    """A cue of the catalogue, or what is assumed of a column that the catalogue does not know."""
    return CATALOGUE.get(name) or Cue(
        name,
        f"the column {name!r}",
        "",
        "nuisance",
        "a column of the table",
        "find out which step writes it, and let real and fake clips pass that step alike",
        "the table",
    )


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
    known = _known(table)
    labels, components = known.labels, known.components
    columns = _columns(known.table)
    analyses = _analyses(known)
    n_tests = len(analyses) * n_gates
    draws = max(n_draws, DRAWS_PER_ANALYSIS * n_tests - 1)
    judged = [_judge(analysis, columns, n_tests, draws, seed) for analysis in analyses]
    findings = sorted((finding for one in judged for finding in one.findings), key=lambda finding: finding.rank)
    return GateReport(
        findings=tuple(findings),
        constant=tuple(name for name, column in columns.items() if column.constant and column.present.any()),
        not_measured=tuple(name for name, column in columns.items() if not column.present.any()),
        n_real=int((~labels).sum()),
        n_fake=int(labels.sum()),
        n_components=len(np.unique(components)),
        n_unlabelled=len(table) - len(labels),
        n_draws=draws,
        seed=seed,
        note=judged[0].note,
        testable=judged[0].testable,
    )


def _known(table: pd.DataFrame) -> _Known:
    """Rows that have a label, with the labels and components as arrays."""
    for name in REQUIRED:
        if name not in table.columns:
            raise CmdfdError(f"the audit needs a column {name!r}; there are: {', '.join(map(str, table.columns))}")
    known = table[table["label"].isin([0, 1])]
    labels = known["label"].to_numpy(dtype=np.int64) == 1
    if labels.all() or not labels.any():
        raise CmdfdError(f"the audit compares classes, but {int(labels.sum())} of {len(known)} labelled clips are fake")
    try:
        components = component_codes(known["component"].to_numpy(), len(known))
    except ValueError as error:
        raise CmdfdError(f"column 'component': {error}") from error
    return _Known(known, labels, components)


def _columns(table: pd.DataFrame) -> dict[str, Column]:
    names = sorted(str(name) for name in table.columns if "." in str(name))
    return {name: column_of(name, table[name].tolist(), cue_of(name).categorical) for name in names}


def _analyses(known: _Known) -> list[_Analysis]:
    labels, components, table = known.labels, known.components, known.table
    whole = np.arange(len(labels))
    found = [_Analysis(POOLED, whole, labels, components)]
    kinds = table["kind"].astype(str).to_numpy() if "kind" in table.columns else np.full(len(labels), "")
    names = sorted(set(kinds[labels]))
    if len(names) > 1:
        for name in names:
            rows = np.flatnonzero(~labels | (kinds == name))
            found.append(_Analysis(name, rows, labels[rows], components[rows]))
    return found


@dataclass(frozen=True, slots=True)
class _Judged:
    findings: list[Finding]
    note: str
    testable: bool


def _judge(analysis: _Analysis, columns: dict[str, Column], n_analyses: int, n_draws: int, seed: int) -> _Judged:
    kept = {name: _rows_of(column, analysis.rows) for name, column in columns.items()}
    views = {name: views_of(column, analysis.components) for name, column in kept.items()}
    flat = [view for several in views.values() for view in several]
    features = np.column_stack([view.values for view in flat]) if flat else np.empty((len(analysis.rows), 0))
    tested = max_t(analysis.labels, features, analysis.components, n_draws, seed)
    findings, start = [], 0
    for name, several in views.items():
        stop = start + len(several)
        if several:
            p = None
            if tested.p_adjusted is not None:
                p = min(float(tested.p_adjusted[start:stop].min()) * n_analyses, 1.0)
            findings.append(_finding(analysis, kept[name], several, p, seed))
        start = stop
    return _Judged(findings, tested.note, tested.p_adjusted is not None or not flat)


def _rows_of(column: Column, rows: NDArray[np.intp]) -> Column:
    return Column(
        column.cue,
        column.present[rows],
        None if column.numbers is None else column.numbers[rows],
        None if column.levels is None else column.levels[rows],
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Effect:
    """The view that separates best, with its direction taken out."""

    view: View
    auc: float
    sign: int
    present: NDArray[np.bool_]


def _effect(views: list[View], labels: NDArray[np.bool_]) -> _Effect:
    best: _Effect | None = None
    for view in views:
        present = ~np.isnan(view.values)
        part = labels[present]
        value = auc(part, view.values[present]) if part.any() and not part.all() else 0.5
        sign = 1 if value >= 0.5 else -1
        if best is None or max(value, 1 - value) > best.auc + 1e-12:
            best = _Effect(view, max(value, 1 - value), sign, present)
    if best is None:
        raise ValueError("a cue without views has no effect")
    return best


def _finding(analysis: _Analysis, column: Column, views: list[View], p: float | None, seed: int) -> Finding:
    labels, components = analysis.labels, analysis.components
    ordered = ordered_view(column, labels, components)
    effect = _effect([*views, *([ordered] if ordered else [])], labels)
    low = high = None
    if effect.auc > 0.5:
        here = effect.present
        scores = effect.sign * effect.view.values[here]
        interval = bootstrap_auc(labels[here], scores, components[here], INTERVAL_DRAWS, seed=seed)
        low, high = interval.low, interval.high
    markers = [one for one in (marker_of(view, labels, components) for view in views) if one]
    marker: Marker | None = max(markers, key=lambda one: one.share, default=None)
    cue = cue_of(column.cue)
    return Finding(
        cue=cue.name,
        title=cue.title,
        cue_kind=cue.kind,
        analysis=analysis.name,
        view=_view_name(effect.view),
        auc=effect.auc,
        low=low,
        high=high,
        p=p,
        severity=grade(low, p, marker),
        higher_in_fakes=effect.sign > 0,
        marker=marker,
        typical=_typical(cue, effect, labels),
        n_missing=int((~column.present).sum()),
        remedy=cue.remedy,
    )


def _view_name(view: View) -> str:
    names = {
        "value": "value",
        "distance": "distance from the median",
        "level": f"is {view.level!r}",
        "missing": "is not measurable",
        "order": "levels by their share of fakes",
    }
    return names[view.kind]


def _typical(cue: Cue, effect: _Effect, labels: NDArray[np.bool_]) -> str:
    """What fakes and reals look like, in words."""
    view, here = effect.view, effect.present
    fakes, reals = view.values[here & labels], view.values[here & ~labels]
    if view.kind == "order" or len(fakes) == 0 or len(reals) == 0:
        return "the values differ in their share of fakes"
    if view.kind in ("level", "missing"):
        return f"it {_view_name(view)} for {fakes.mean():.0%} of the fakes and {reals.mean():.0%} of the reals"
    word = "median distance from the common median" if view.kind == "distance" else "median"
    unit = f" {cue.unit}" if cue.unit else ""
    return f"{word} {np.median(fakes):.6g}{unit} in fakes and {np.median(reals):.6g}{unit} in reals"
