"""Westfall-Young max-T: many features tested at once, with the chance of any false alarm held.

The labels are rearranged by component (see `cmdfd.statistics.permutation`) and the same rearrangement is used for all
features, so dependence between features is kept and costs no power, unlike with Bonferroni's correction. All
statistics are linear in the labels or made from sums that are, so that one matrix product serves thousands of
rearrangements: rank sums (AUC), counts in bins (chi-square) and runs of one class (markers).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.statistics.levels import LevelCounts
from cmdfd.statistics.permutation import ROUNDING, LabelShuffler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from cmdfd.statistics.runs import PureRuns


@dataclass(frozen=True, slots=True, eq=False)
class RankSums:
    """Ranks of features, ready for the AUC of many label vectors by one matrix product.

    Args:
        ranks: [n, k] midranks among the measurable clips of a feature, 0 where it is not measurable.
        measurable: [n, k] 1 where the feature has a value.
    """

    ranks: NDArray[np.float64]
    measurable: NDArray[np.float64]

    @classmethod
    def of(cls, features: NDArray[np.float64]) -> RankSums:
        """Rank every column; NaN means not measurable."""
        from scipy.stats import rankdata

        present = ~np.isnan(features)
        ranks = np.zeros(features.shape)
        for j in range(features.shape[1]):
            ranks[present[:, j], j] = rankdata(features[present[:, j], j])
        return cls(ranks, present.astype(np.float64))

    def auc(self, labels: NDArray[np.bool_]) -> NDArray[np.float64]:
        """AUC of every feature under every label vector.

        Args:
            labels: [B, n].

        Returns:
            [B, k]; 0.5 where the measurable clips have one class only.
        """
        y = labels.astype(np.float64)
        complete = self.measurable.all()
        fakes = y.sum(axis=1, keepdims=True) if complete else y @ self.measurable
        reals = self.measurable.sum(axis=0) - fakes
        wins = y @ self.ranks - fakes * (fakes + 1) / 2
        pairs = np.broadcast_to(fakes * reals, wins.shape)
        shares: NDArray[np.float64] = np.divide(wins, pairs, out=np.full_like(wins, 0.5), where=pairs > 0)
        return shares


@dataclass(frozen=True, slots=True, eq=False)
class MaxTResult:
    """Outcome for k features.

    Args:
        p_adjusted: [k] probability that any of the features is as far by chance; None where not testable.
        p_single: [k] probability for the feature alone; None where not testable.
        statistic: [k] AUC of each feature (0.5 for constants), higher = larger in fakes.
        n_draws: Rearrangements.
        note: Design, or why the set cannot be tested.
    """

    p_adjusted: NDArray[np.float64] | None
    p_single: NDArray[np.float64] | None
    statistic: NDArray[np.float64]
    n_draws: int
    note: str


@dataclass(frozen=True, slots=True, eq=False)
class Rearranged:
    """All statistics under the true labels (row 0) and under m rearrangements.

    Args:
        distance: [1 + m, k] how far each feature is, on a common scale (about normal).
        auc: [1 + m, k] AUC of the ranked features; they come first in `distance`.
        runs: [1 + m, r] weight of the longest run of one class at each end or level, or no column.
    """

    distance: NDArray[np.float64]
    auc: NDArray[np.float64]
    runs: NDArray[np.float64]

    def grouped(self, groups: Sequence[int], n_groups: int) -> NDArray[np.float64]:
        """[1 + m, G] the largest distance among the features of each group (views of one cue)."""
        found = np.zeros((len(self.distance), n_groups))
        for column, group in enumerate(groups):
            np.maximum(found[:, group], self.distance[:, column], out=found[:, group])
        return found


def rearrange(
    shuffler: LabelShuffler,
    features: NDArray[np.float64],
    codes: NDArray[np.intp] | None = None,
    runs: PureRuns | None = None,
    n_draws: int = 999,
    seed: int = 0,
) -> Rearranged:
    """Compute every statistic under many rearrangements of the labels.

    Args:
        shuffler: Labels and components.
        features: [n, k] numbers, NaN = not measurable: judged by the distance of their AUC from its mean.
        codes: [n, m] bins 0, 1, ..., -1 = not measurable: judged by a chi-square of the fakes in each bin, its cube
            root taken (Wilson and Hilferty, 1931), which is about normal.
        runs: Ends and levels in which a run of one class is looked for.
        n_draws: Rearrangements.
        seed: Seed.
    """
    sums = RankSums.of(features)
    levels = LevelCounts.of(codes if codes is not None else np.empty((len(features), 0), np.intp))
    aucs, counts, lengths = [], [], []
    for block in shuffler.blocks(n_draws, seed):
        aucs.append(sums.auc(block))
        counts.append(levels.count(block))
        if runs is not None:
            lengths.append(runs.weights(block))
    values = np.concatenate(aucs)
    ranked = _standardised(values, two_sided=True)
    binned = _standardised(levels.cube_roots(np.concatenate(counts)), two_sided=False)
    found = np.concatenate(lengths) if lengths else np.empty((len(values), 0))
    return Rearranged(np.hstack([ranked, binned]), values, found)


def _standardised(values: NDArray[np.float64], *, two_sided: bool) -> NDArray[np.float64]:
    """Distance from the mean over the rearrangements, in their standard deviations."""
    if values.shape[1] == 0:
        return values
    spread = values.std(axis=0)
    away = values - values.mean(axis=0)
    # a feature that no rearrangement moves can never be far
    return np.where(spread > ROUNDING, (np.abs(away) if two_sided else away) / np.maximum(spread, ROUNDING), 0.0)


def p_single(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """[k] (1 + b) / (1 + m) of [1 + m, k] distances, row 0 the data."""
    found: NDArray[np.float64] = (1 + (distance[1:] >= distance[0] - ROUNDING).sum(axis=0)) / len(distance)
    return found


def max_t(
    labels: ArrayLike, features: ArrayLike, components: ArrayLike, n_draws: int = 999, seed: int = 0
) -> MaxTResult:
    """Step-down max-T over two-sided rank AUCs.

    Each feature's AUC is centred and scaled by its mean and standard deviation over the rearrangements (the true
    labels among them), so that a rare but certain marker counts as much as a common weak one.

    Args:
        labels: [n], 1 = fake.
        features: [n, k]; NaN = not measurable (whether it is measurable should be a feature of its own).
        components: [n].
        n_draws: Rearrangements, at least 1.
        seed: Seed.

    Returns:
        p values of None under 12 components.

    Raises:
        ValueError: Where a class is missing or shapes do not fit.
    """
    shuffler = LabelShuffler.of(labels, components)
    table = np.asarray(features, dtype=np.float64)
    if table.ndim != 2 or len(table) != len(shuffler.labels):
        raise ValueError(f"{len(shuffler.labels)} labels need features [n, k], got shape {table.shape}")
    if n_draws < 1:
        raise ValueError(f"n_draws must be at least 1, got {n_draws}")
    refusal = shuffler.refusal()
    if refusal or table.shape[1] == 0:
        statistic = RankSums.of(table).auc(shuffler.labels[None, :])[0]
        return MaxTResult(None, None, statistic, 0, refusal or "no features")
    drawn = rearrange(shuffler, table, n_draws=n_draws, seed=seed)
    return MaxTResult(step_down(drawn.distance), p_single(drawn.distance), drawn.auc[0], n_draws, shuffler.design)


def step_down(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjusted p of [1 + m, k] distances, row 0 the data: each feature against the maximum of those not above it."""
    order = np.argsort(-distance[0], kind="stable")
    falling = distance[:, order]
    largest_below = np.maximum.accumulate(falling[1:, ::-1], axis=1)[:, ::-1]
    raw = (1 + (largest_below >= falling[0] - ROUNDING).sum(axis=0)) / len(distance)
    adjusted = np.empty(len(order))
    adjusted[order] = np.maximum.accumulate(raw)
    return adjusted
