"""AUC among clips of one stratum: of one fold, or of those that another cue does not tell apart.

Only pairs of a fake and a real inside a stratum are compared. Strata are put together as Mantel and Haenszel do, each
by its number of pairs over its number of clips, so that strata without a class, or with little of it, count little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmdfd.statistics.arrays import as_labels, as_scores, both_classes
from cmdfd.statistics.bootstrap import (
    ComponentDraws,
    Interval,
    class_components,
    draw_components,
    interval_of,
    reliability,
)
from cmdfd.statistics.ranking import RankCounts, Ranking

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def stratified_auc(labels: ArrayLike, scores: ArrayLike, strata: ArrayLike) -> float | None:
    """Chance that a fake scores above a real of its stratum; ties count half.

    Args:
        labels: [n], 1 = fake.
        scores: [n], higher = more fake.
        strata: [n] stratum of every clip.

    Returns:
        0 to 1, or None where no stratum has both classes.

    Raises:
        ValueError: Where lengths differ or a score is NaN.
    """
    n = len(as_labels(labels))
    once = ComponentDraws(np.ones((1, n), np.int32), np.arange(n, dtype=np.intp))
    value = stratified_auc_draws(labels, scores, strata, once)[0]
    return None if np.isnan(value) else float(value)


def stratified_auc_draws(
    labels: ArrayLike, scores: ArrayLike, strata: ArrayLike, draws: ComponentDraws
) -> NDArray[np.float64]:
    """The same in every draw of a bootstrap.

    Args:
        labels: [n], 1 = fake.
        scores: [n].
        strata: [n].
        draws: Draws of the components of these clips.

    Returns:
        [B]; NaN where no stratum has both classes.

    Raises:
        ValueError: Where lengths differ or a score is NaN.
    """
    y = as_labels(labels)
    s = as_scores(scores, len(y))
    groups = np.asarray(strata)
    if groups.shape != y.shape:
        raise ValueError(f"{len(y)} labels need {len(y)} strata, got shape {groups.shape}")
    won = np.zeros(len(draws.multiplicities))
    pairs = np.zeros(len(draws.multiplicities))
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        if y[rows].all() or not y[rows].any():
            continue
        ranking = Ranking.of(y[rows], s[rows])
        part = ComponentDraws(draws.multiplicities, draws.index[rows])
        counts = [_won(ranking.grouped_counts(block, part.index)) for block in part.blocks()]
        won += np.concatenate([one[0] for one in counts])
        pairs += np.concatenate([one[1] for one in counts])
    shares: NDArray[np.float64] = np.divide(won, pairs, out=np.full_like(won, np.nan), where=pairs > 0)
    return shares


def _won(counts: RankCounts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pairs that the fake wins, and pairs, both over the number of clips, for every draw."""
    fakes, reals = counts.tp[:, -1], counts.fp[:, -1]
    weight = fakes * reals / np.maximum(fakes + reals, 1)
    return np.where(weight > 0, np.nan_to_num(counts.auc()) * weight, 0.0), weight


def bootstrap_stratified_auc(
    labels: ArrayLike,
    scores: ArrayLike,
    strata: ArrayLike,
    components: ArrayLike,
    n_draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Interval of `stratified_auc` over resampled components, as of `cmdfd.statistics.bootstrap.bootstrap_auc`.

    Args:
        labels: [n], 1 = fake.
        scores: [n].
        strata: [n]; they stay as they are in all draws.
        components: [n].
        n_draws: Draws.
        level: Nominal coverage.
        seed: Seed; equal seeds give equal draws.

    Raises:
        ValueError: Where a class is missing.
    """
    y = as_labels(labels)
    both_classes(y)
    draws = draw_components(components, n_draws, seed, y)
    values = stratified_auc_draws(y, scores, strata, draws)
    return interval_of(values, level, class_components(y, components), reliability(y, components))
