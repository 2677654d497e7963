"""Intervals that resample whole components, because clips of one person, voice or source are not independent.

How a draw is made: components are put into strata by the classes that they hold (reals and fakes, reals only, fakes
only), and every stratum is drawn with replacement at its own size. In the usual paired set, where each component
holds reals with their fakes, there is one stratum. Where each component has one class, the number of real components
is kept, as the number of reals is in a case-control study. Hence no draw can lack a class. A stratum of one component
cannot vary; the interval is marked unreliable where either class comes from fewer than `MIN_COMPONENTS` components.

How an interval is read off: between percentiles of the draws. Plain percentiles are too narrow for few components, so
they are moved outwards as if a t-interval had been meant (expanded percentile interval: Hesterberg, "What Teachers
Should Know About the Bootstrap", The American Statistician 69, 2015, doi 10.1080/00031305.2015.1089789). The nominal
95 % then cover about 92 to 94 % at 24 components and less near an AUC of 1 (tests/cmdfd/statistics/test_coverage.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cmdfd.statistics.arrays import BLOCK_ELEMENTS, as_labels, as_scores, both_classes, component_codes
from cmdfd.statistics.ranking import RankCounts, Ranking

#: Below this many components an interval is not to be trusted (rule of the house; coverage: tests/cmdfd/statistics).
MIN_COMPONENTS = 12
#: Share of draws without a value above which an interval is called unreliable.
MAX_DROPPED = 0.05

Metric = Callable[[NDArray[np.int64], NDArray[np.float64]], float]
CountsMetric = Callable[[RankCounts], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Interval:
    """An expanded percentile interval of a component bootstrap.

    Args:
        low: Lower end; None where no draw had a value.
        high: Upper end; None likewise. A perfect separation gives [1, 1]: a resampling cannot see what it lacks.
        level: Nominal coverage, e.g. 0.95.
        n_draws: Draws that had a value.
        unreliable: Why the interval should not be trusted, else None.
    """

    low: float | None
    high: float | None
    level: float
    n_draws: int
    unreliable: str | None


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Difference of two detectors' AUC on the same clips, with the same draws for both.

    Args:
        value: AUC of the first minus AUC of the second.
        interval: Its interval.
    """

    value: float
    interval: Interval


@dataclass(frozen=True, slots=True, eq=False)
class ComponentDraws:
    """How often each component occurs in each draw.

    Args:
        multiplicities: [B, C] whole numbers.
        index: [n] component of every clip.
    """

    multiplicities: NDArray[np.int32]
    index: NDArray[np.intp]

    def blocks(self, elements: int = BLOCK_ELEMENTS) -> Iterator[NDArray[np.int32]]:
        """Multiplicities in blocks of draws that keep [b, n] arrays under `elements` elements."""
        step = max(elements // max(len(self.index), 1), 1)
        for start in range(0, len(self.multiplicities), step):
            yield self.multiplicities[start : start + step]


def draw_components(
    components: ArrayLike, n_draws: int = 1000, seed: int = 0, labels: ArrayLike | None = None
) -> ComponentDraws:
    """Draw components with replacement; equal arguments give equal draws, so detectors can be paired.

    Args:
        components: [n] component of every clip.
        n_draws: Draws.
        seed: Seed.
        labels: [n]; with them the draws are stratified by the classes of a component (see the module's text).

    Raises:
        ValueError: For no draws, no clips or clips without component.
    """
    names = np.asarray(components)
    index = component_codes(names, len(names))
    if n_draws < 1 or len(index) == 0:
        raise ValueError(f"needs at least one draw and one clip, got {n_draws} draws and {len(index)} clips")
    n_components = int(index.max()) + 1
    pattern = np.zeros(n_components, dtype=np.int64)
    if labels is not None:
        y = as_labels(labels)
        pattern = _pattern(y, component_codes(names, len(y)))
    rng = np.random.default_rng(seed)
    multiplicities = np.zeros((n_draws, n_components), dtype=np.int32)
    for stratum in np.unique(pattern):
        members = np.flatnonzero(pattern == stratum)
        multiplicities[:, members] = _multinomial(rng, n_draws, len(members))
    return ComponentDraws(multiplicities, index)


def _pattern(labels: NDArray[np.bool_], index: NDArray[np.intp]) -> NDArray[np.int64]:
    """1 = reals only, 2 = fakes only, 3 = both, for every component."""
    size = int(index.max()) + 1
    reals = np.bincount(index[~labels], minlength=size) > 0
    fakes = np.bincount(index[labels], minlength=size) > 0
    return reals.astype(np.int64) + 2 * fakes.astype(np.int64)


def _multinomial(rng: np.random.Generator, n_draws: int, size: int) -> NDArray[np.int32]:
    counts = np.empty((n_draws, size), dtype=np.int32)
    step = max(BLOCK_ELEMENTS // size, 1)
    for start in range(0, n_draws, step):
        rows = min(step, n_draws - start)
        picks = rng.integers(0, size, size=(rows, size)) + np.arange(rows)[:, None] * size
        counts[start : start + rows] = np.bincount(picks.ravel(), minlength=rows * size).reshape(rows, size)
    return counts


def reliability(labels: ArrayLike, components: ArrayLike) -> str | None:
    """Why an interval over these components should not be trusted, or None.

    Args:
        labels: [n], 1 = fake.
        components: [n].
    """
    y = as_labels(labels)
    index = component_codes(components, len(y))
    total = len(np.unique(index))
    if total < MIN_COMPONENTS:
        return f"only {total} component{'s' if total != 1 else ''}"
    for name, kept in (("reals", ~y), ("fakes", y)):
        found = len(np.unique(index[kept]))
        if 0 < found < MIN_COMPONENTS:
            return f"the {name} come from only {found} component{'s' if found != 1 else ''}"
    return None


def tail_probability(level: float, n_components: int) -> float:
    """Share of the draws to leave out at either end (see the module's text).

    Args:
        level: Nominal coverage, in (0, 1).
        n_components: Components of the class that has fewer of them.

    Raises:
        ValueError: For a level outside (0, 1).
    """
    from scipy.special import ndtr, stdtrit

    if not 0 < level < 1:
        raise ValueError(f"level must lie in (0, 1), got {level}")
    if n_components < 2:
        return (1 - level) / 2  # nothing to expand by; `reliability` says that the interval is void
    t = float(stdtrit(n_components - 1, (1 - level) / 2))
    return float(ndtr(t * math.sqrt(n_components / (n_components - 1))))


def class_components(labels: ArrayLike, components: ArrayLike) -> int:
    """Number of components of the class that has fewer of them.

    Args:
        labels: [n], 1 = fake.
        components: [n].
    """
    y = as_labels(labels)
    index = component_codes(components, len(y))
    return min(len(np.unique(index[y])), len(np.unique(index[~y])))


def interval_of(draws: NDArray[np.float64], level: float, n_components: int, unreliable: str | None = None) -> Interval:
    """Expanded percentile interval of the draws that have a value.

    Args:
        draws: [B]; NaN = the metric was undefined in that draw.
        level: Nominal coverage, in (0, 1).
        n_components: As of `class_components`.
        unreliable: Reason known already.
    """
    tail = tail_probability(level, n_components)
    kept = draws[~np.isnan(draws)]
    dropped = len(draws) - len(kept)
    if len(kept) == 0:
        return Interval(None, None, level, 0, unreliable or "the metric has no value in any draw")
    if unreliable is None and dropped > MAX_DROPPED * len(draws):
        unreliable = f"the metric has no value in {dropped} of {len(draws)} draws"
    low, high = np.quantile(kept, [tail, 1 - tail])
    return Interval(float(low), float(high), level, len(kept), unreliable)


def bootstrap(
    metric: Metric,
    labels: ArrayLike,
    scores: ArrayLike,
    components: ArrayLike,
    n_draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Interval of any metric; clips of a component that is drawn twice stand twice in the arrays it is given.

    A draw in which the metric raises ValueError or gives NaN is left out; with more than `MAX_DROPPED` of them the
    interval is marked unreliable.

    Args:
        metric: Takes labels (0/1) and scores, gives a number.
        labels: [n], 1 = fake.
        scores: [n].
        components: [n].
        n_draws: Draws.
        level: Nominal coverage.
        seed: Seed; equal seeds give equal draws.

    Raises:
        ValueError: Where a class is missing.
    """
    y = as_labels(labels)
    s = as_scores(scores, len(y))
    both_classes(y)
    draws = draw_components(components, n_draws, seed, y)
    whole = y.astype(np.int64)
    values = np.full(n_draws, np.nan)
    for b, counts in enumerate(draws.multiplicities):
        rows = np.repeat(np.arange(len(y)), counts[draws.index])
        try:
            values[b] = metric(whole[rows], s[rows])
        except ValueError:
            values[b] = math.nan  # undefined on this draw: left out by the rule above
    return interval_of(values, level, class_components(y, components), reliability(y, components))


def counts_draws(
    ranking: Ranking, draws: ComponentDraws, metrics: dict[str, CountsMetric]
) -> dict[str, NDArray[np.float64]]:
    """Values of rank metrics in every draw, with one pass over the draws for all of them.

    Args:
        ranking: The sorted scores.
        draws: The draws.
        metrics: Functions of `RankCounts` by name.

    Returns:
        [B] for each name.
    """
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in metrics}
    for block in draws.blocks():
        counts = ranking.grouped_counts(block, draws.index)
        for name, metric in metrics.items():
            found[name].append(metric(counts))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def bootstrap_auc_draws(
    labels: ArrayLike, scores: ArrayLike, components: ArrayLike, n_draws: int = 1000, seed: int = 0
) -> NDArray[np.float64]:
    """AUC in every draw.

    Args:
        labels: [n], 1 = fake.
        scores: [n]; may be infinite.
        components: [n].
        n_draws: Draws.
        seed: Seed; equal components, labels and seeds give equal draws.

    Returns:
        [n_draws], or an empty array where a class is missing (there is no AUC).
    """
    y = as_labels(labels)
    if y.all() or not y.any():
        return np.empty(0)
    draws = draw_components(components, n_draws, seed, y)
    return counts_draws(Ranking.of(y, scores), draws, {"auc": RankCounts.auc})["auc"]


def bootstrap_auc(
    labels: ArrayLike,
    scores: ArrayLike,
    components: ArrayLike,
    n_draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Interval of the AUC; the same draws and the same numbers as `bootstrap(auc, ...)`, much faster.

    Raises:
        ValueError: Where a class is missing.
    """
    both_classes(as_labels(labels))
    values = bootstrap_auc_draws(labels, scores, components, n_draws, seed)
    return interval_of(values, level, class_components(labels, components), reliability(labels, components))


def paired_difference(
    labels: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    components: ArrayLike,
    n_draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> PairedDifference:
    """AUC of one detector minus AUC of another on the same clips, drawn together.

    Args:
        labels: [n], 1 = fake.
        first: [n] scores of one detector.
        second: [n] scores of the other.
        components: [n].
        n_draws: Draws.
        level: Nominal coverage.
        seed: Seed.

    Raises:
        ValueError: Where a class is missing.
    """
    y = as_labels(labels)
    draws = draw_components(components, n_draws, seed, y)
    rankings = [Ranking.of(y, scores) for scores in (first, second)]
    values = [counts_draws(ranking, draws, {"auc": RankCounts.auc})["auc"] for ranking in rankings]
    ones = np.ones((1, len(y)))
    whole = [float(ranking.counts(ones).auc()[0]) for ranking in rankings]
    size, doubt = class_components(y, components), reliability(y, components)
    return PairedDifference(whole[0] - whole[1], interval_of(values[0] - values[1], level, size, doubt))
