"""Westfall-Young max-T: many features tested at once, with the chance of any false alarm held.

The labels are rearranged by component (see `cmdfd.statistics.permutation`) and the same rearrangement is used for all
features, so dependence between features is kept and costs no power, unlike with Bonferroni's correction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.statistics.permutation import ROUNDING, LabelShuffler

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


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
    sums = RankSums.of(table)
    refusal = shuffler.refusal()
    if refusal or table.shape[1] == 0:
        statistic = sums.auc(shuffler.labels[None, :])[0]
        return MaxTResult(None, None, statistic, 0, refusal or "no features")
    values = np.concatenate([sums.auc(block) for block in shuffler.blocks(n_draws, seed)])
    spread = values.std(axis=0)
    # a feature that no rearrangement moves can never be far
    distance = np.where(spread > ROUNDING, np.abs(values - values.mean(axis=0)) / np.maximum(spread, ROUNDING), 0.0)
    single = (1 + (distance[1:] >= distance[0] - ROUNDING).sum(axis=0)) / (1 + n_draws)
    return MaxTResult(_step_down(distance), single, values[0], n_draws, shuffler.design)


def _step_down(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjusted p of [1 + m, k] distances, row 0 the data: each feature against the maximum of those not above it."""
    order = np.argsort(-distance[0], kind="stable")
    falling = distance[:, order]
    largest_below = np.maximum.accumulate(falling[1:, ::-1], axis=1)[:, ::-1]
    raw = (1 + (largest_below >= falling[0] - ROUNDING).sum(axis=0)) / len(distance)
    adjusted = np.empty(len(order))
    adjusted[order] = np.maximum.accumulate(raw)
    return adjusted
