"""Does any cue tell forged from unforged clips of a set, and how far?

Every cue is looked at in several ways (`cmdfd.audit.views`): ranked, by a chi-square over quantiles, categories and
rests of divisions, and for runs of one class. All of it is tested at once by max-T with labels rearranged inside or
among components, for all fakes together and for each generator, split or modality. The distance of a cue is that of
its farthest view; its p holds over all cues (max-T) and is corrected for the number of comparisons (Bonferroni, half of
the error for all fakes together, half for the others).
What is shown (p < .01) is graded by the lower end of the component interval of its AUC, for the better of two probes:
the ranked view (chosen for its AUC, so slightly overstated) and trees, cross-validated by component.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from cmdfd.audit.comparisons import Known, Part, known_rows, parts_of
from cmdfd.audit.effects import effect_of, rank_probe, rule_of, typical
from cmdfd.audit.finding import Finding, Probe
from cmdfd.audit.records import Comparison
from cmdfd.audit.severity import SHOWN_P, Marker, grade, marker_of
from cmdfd.audit.trees import tree_of
from cmdfd.audit.views import Column, View, binned_views_of, column_of, ordered_view, views_of
from cmdfd.statistics.maxt import p_single, rearrange, step_down
from cmdfd.statistics.multiple import benjamini_hochberg, holm
from cmdfd.statistics.permutation import ROUNDING, LabelShuffler
from cmdfd.statistics.runs import PureRuns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from cmdfd.audit.cue import Cue

#: Draws for each comparison, at least: after Bonferroni's correction p = .005 stays attainable.
DRAWS_PER_COMPARISON = 200
#: Labels that are drawn in all for one comparison (draws times clips), so that large sets take minutes, not hours.
DRAWN_LABELS = 100_000_000
#: Trees are grown for cues whose own p is below this ("likely"), or that are shown ("shown").
LIKELY_P = 0.1

Trees = Literal["none", "shown", "likely", "all"]


@dataclass(frozen=True, slots=True)
class Settings:
    """How to test.

    Args:
        by: Columns whose levels are compared by themselves.
        n_draws: Rearrangements of the labels; fewer for very large sets (`DRAWN_LABELS`), more where many comparisons
            need them.
        seed: Seed.
        trees: For which cues of the pooled comparison the tree probe is grown; the others get it where shown.
        n_gates: How many audits are asked about the same set (one a platform); each p is corrected for all.
    """

    by: tuple[str, ...] = ("generator", "split", "modality")
    n_draws: int = 9999
    seed: int = 0
    trees: Trees = "likely"
    n_gates: int = 1


@dataclass(frozen=True, slots=True)
class Analysis:
    """Outcome: findings sorted with the worst first, comparisons with the pooled one first."""

    findings: tuple[Finding, ...]
    comparisons: tuple[Comparison, ...]
    constant: tuple[str, ...]
    not_measured: tuple[str, ...]
    n_unlabelled: int


def analyse(
    table: pd.DataFrame,
    cue_of: Callable[[str], Cue],
    settings: Settings | None = None,
    progress: Callable[[str], None] | None = None,
) -> Analysis:
    """Test every cue of a table.

    Args:
        table: One row a clip: `label` (1 = fake; rows without one are left out), `component`, the columns of
            `settings.by`, and the cues, whose names have a dot.
        cue_of: Gives the record of a cue by name.
        settings: How to test.
        progress: Told the name of each comparison before it is done.

    Raises:
        CmdfdError: Where a column is missing, a clip has no component, or a class has no clip.
    """
    chosen = settings or Settings()
    known = known_rows(table)
    columns = columns_of(known, cue_of)
    parts = parts_of(known, chosen.by)
    judged = []
    for part in parts:
        if progress:
            progress(part.name)
        judged.append(_Judge(part, columns, cue_of, chosen, _weight(part, len(parts)) * chosen.n_gates).judge())
    order = {name: place for place, name in enumerate(_by_family(columns))}
    findings = sorted((one for found, _ in judged for one in found), key=lambda one: (one.rank_key, order[one.cue]))
    return Analysis(
        findings=tuple(findings),
        comparisons=tuple(comparison for _, comparison in judged),
        constant=tuple(name for name, column in columns.items() if column.constant and column.present.any()),
        not_measured=tuple(name for name, column in columns.items() if not column.present.any()),
        n_unlabelled=len(table) - len(known.labels),
    )


def _weight(part: Part, n_parts: int) -> int:
    """What a p is multiplied by: half of the error is for the pooled comparison, the rest is shared by the others."""
    if n_parts == 1:
        return 1
    return 2 if part.pooled else 2 * (n_parts - 1)


def _by_family(columns: Mapping[str, Column]) -> list[str]:
    """Names in the order of the catalogue, in which plain measurements stand before those that follow from them."""
    from cmdfd.audit.measure import CATALOGUE

    known = [name for name in CATALOGUE if name in columns]
    return known + [name for name in columns if name not in CATALOGUE]


def columns_of(known: Known, cue_of: Callable[[str], Cue]) -> dict[str, Column]:
    """All cues of a table, by name."""
    names = sorted(str(name) for name in known.table.columns if "." in str(name))
    found = {}
    for name in names:
        cue = cue_of(name)
        found[name] = column_of(name, known.table[name].tolist(), cue.categorical, cue.unit)
    return found


def draws_for(n_clips: int, settings: Settings, n_tests: int) -> int:
    """Rearrangements for a comparison of `n_clips` clips whose p is multiplied by `n_tests`."""
    bounded = min(settings.n_draws, max(DRAWN_LABELS // max(n_clips, 1), 1))
    return max(bounded, DRAWS_PER_COMPARISON * n_tests - 1)


@dataclass(frozen=True, slots=True, eq=False)
class _Tested:
    """What the rearrangements say: p of each cue, and of the runs in each ranked view."""

    adjusted: dict[str, float]
    single: dict[str, float]
    runs: list[float]


@dataclass(frozen=True, slots=True, eq=False)
class _Judge:
    """One comparison at work."""

    part: Part
    columns: Mapping[str, Column]
    cue_of: Callable[[str], Cue]
    settings: Settings
    n_tests: int

    def judge(self) -> tuple[list[Finding], Comparison]:
        part = self.part
        kept = {name: column.rows(part.rows) for name, column in self.columns.items()}
        ranked = {name: views_of(column, part.components) for name, column in kept.items()}
        binned = {name: binned_views_of(column, part.components) for name, column in kept.items()}
        names = [name for name, views in ranked.items() if views]
        shuffler = LabelShuffler.of(part.labels, part.components)
        refusal = shuffler.refusal() or ("" if names else "no cue varies")
        n_draws = 0 if refusal else draws_for(len(part.rows), self.settings, self.n_tests)
        tested = None
        if not refusal:
            tested = self._test(shuffler, names, ranked, binned, n_draws)
        findings, start = [], 0
        for name in names:
            stop = start + len(ranked[name])
            runs = tested.runs[start:stop] if tested else None
            findings.append(self._finding(kept[name], ranked[name], binned[name], tested, runs))
            start = stop
        comparison = Comparison(
            name=part.name,
            by=part.by,
            level=part.level,
            n_real=int((~part.labels).sum()),
            n_fake=int(part.labels.sum()),
            n_components=len(np.unique(part.components)),
            n_draws=n_draws,
            testable=tested is not None,
            note=refusal or shuffler.design,
        )
        return _with_corrections(findings), comparison

    def _test(
        self,
        shuffler: LabelShuffler,
        names: Sequence[str],
        ranked: Mapping[str, list[View]],
        binned: Mapping[str, list[View]],
        n_draws: int,
    ) -> _Tested:
        views = [view for name in names for view in ranked[name]]
        bins = [view for name in names for view in binned[name]]
        features = np.column_stack([view.values for view in views])
        codes = np.empty((len(features), len(bins)), np.intp)
        for j, view in enumerate(bins):
            codes[:, j] = np.where(np.isnan(view.values), -1, view.values)
        runs = PureRuns.of(features, [view.binary for view in views], self.part.labels)
        drawn = rearrange(shuffler, features, codes, runs, n_draws, self.settings.seed)
        place = {name: k for k, name in enumerate(names)}
        distance = drawn.grouped([place[view.cue] for view in (*views, *bins)], len(names))
        adjusted, single = step_down(distance), p_single(distance)
        longest = drawn.runs[1:].max(axis=1)
        run_p = [(1 + int((longest >= own - ROUNDING).sum())) / (1 + n_draws) for own in drawn.runs[0]]
        return _Tested(
            {name: min(float(adjusted[k]) * self.n_tests, 1.0) for name, k in place.items()},
            {name: float(single[k]) for name, k in place.items()},
            [min(p * self.n_tests, 1.0) for p in run_p],
        )

    def _finding(
        self,
        column: Column,
        views: list[View],
        binned: list[View],
        tested: _Tested | None,
        runs: list[float] | None,
    ) -> Finding:
        part, seed, cue = self.part, self.settings.seed, self.cue_of(column.cue)
        p = tested.adjusted[column.cue] if tested else None
        single = tested.single[column.cue] if tested else None
        tree = self._tree(column, binned, p, single)
        # the order of levels is learnt from the same clips: only where no tree stands beside it
        ordered = ordered_view(column, part.labels, part.components) if tree is None else None
        effect = effect_of([*views, *([ordered] if ordered else [])], part.labels)
        rank = rank_probe(effect, part.labels, part.components, seed)
        marker = self._marker(views, runs)
        lows = [one.low for one in (rank, tree) if one is not None and one.low is not None]
        return Finding(
            cue=cue.name,
            title=cue.title,
            unit=cue.unit,
            cue_kind=cue.kind,
            analysis=part.name,
            view=effect.view.name,
            rank=rank,
            tree=tree,
            p=p,
            p_single=single,
            p_holm=None,
            p_bh=None,
            severity=grade(max(lows, default=None), p, marker),
            higher_in_fakes=effect.sign > 0,
            rule=rule_of(cue, effect, part.labels),
            marker=marker,
            typical=typical(cue, effect, part.labels),
            n=len(part.rows),
            n_missing=int((~column.present).sum()),
            remedy=cue.remedy,
            fix=cue.fix,
        )

    def _tree(self, column: Column, binned: list[View], p: float | None, single: float | None) -> Probe | None:
        wanted = self.settings.trees if self.part.pooled or self.settings.trees == "none" else "shown"
        shown = p is not None and p < SHOWN_P
        likely = single is not None and single < LIKELY_P
        if wanted == "none" or (wanted == "shown" and not shown) or (wanted == "likely" and not likely):
            return None
        rests = [view.level for view in binned if view.kind == "rest"]
        return tree_of(column, rests, self.part.labels, self.part.components, self.settings.seed)

    def _marker(self, views: list[View], runs: list[float] | None) -> Marker | None:
        found = []
        for k, view in enumerate(views):
            marker = marker_of(view, self.part.labels, self.part.components)
            if marker:
                found.append(replace(marker, p=runs[k] if runs else None))
        return min(found, key=lambda one: (1.0 if one.p is None else one.p, -one.share), default=None)


def _with_corrections(findings: list[Finding]) -> list[Finding]:
    """The same with Holm's and Benjamini and Hochberg's corrections over the cues of the comparison."""
    tested = [one for one in findings if one.p_single is not None]
    if not tested:
        return findings
    single: NDArray[np.float64] = np.array([one.p_single for one in tested], dtype=np.float64)
    corrected = {
        one.cue: (float(h), float(b))
        for one, h, b in zip(tested, holm(single), benjamini_hochberg(single), strict=True)
    }
    return [
        replace(one, p_holm=corrected[one.cue][0], p_bh=corrected[one.cue][1]) if one.cue in corrected else one
        for one in findings
    ]
