"""Ranks, rank intervals, tie groups and Borda points, from values and draws.

Values that differ by no more than `EQUAL` are the same. All of it is plain arithmetic on arrays in which row i is
system i, and does not hang on the order of the systems, but that `leaders` says which of equally good ones leads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from cmdfd.statistics.bootstrap import tail_probability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Differences up to here are what floating-point sums lose.
EQUAL = 1e-12


def ranks(values: NDArray[np.float64], ties: Literal["min", "average"] = "min") -> NDArray[np.float64]:
    """Rank in every column, 1 = highest.

    Args:
        values: [n, B], finite.
        ties: Rank of equal values: the best of their places ("competition ranking"), or the mean of their places.

    Returns:
        [n, B].
    """
    n = len(values)
    order = np.argsort(-values, axis=0, kind="stable")
    falling = np.take_along_axis(values, order, axis=0)
    places = np.broadcast_to(np.arange(n, dtype=np.int64)[:, None], falling.shape)
    starts = np.vstack([np.ones((1, values.shape[1]), bool), falling[:-1] - falling[1:] > EQUAL])
    first = np.maximum.accumulate(np.where(starts, places, 0), axis=0)
    found = first.astype(np.float64) + 1
    if ties == "average":
        ends = np.vstack([starts[1:], np.ones((1, values.shape[1]), bool)])
        last = np.minimum.accumulate(np.where(ends, places, n)[::-1], axis=0)[::-1]
        found = (first + last) / 2.0 + 1
    placed = np.empty_like(found)
    np.put_along_axis(placed, order, found, axis=0)
    return placed


def borda(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Borda points as mteb counts them: n minus the rank in each set (ties share the mean of their places), summed.

    Args:
        values: [n, S] value of every system on every set; all systems have all sets.

    Returns:
        [n], 0 to S (n - 1).
    """
    points: NDArray[np.float64] = (len(values) - ranks(values, "average")).sum(axis=1)
    return points


def rank_intervals(draws: NDArray[np.float64], level: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Between which ranks a system lies in a share `level` of the draws.

    Plain percentiles, each rounded outwards to a rank that occurred. A rank need not lie in its own interval: the rank
    of the best of many equal systems is better than what it usually has in the draws.

    Args:
        draws: [n, B] value of every system in every draw.
        level: E.g. 0.95.

    Returns:
        [n] best and [n] worst rank.
    """
    found = ranks(draws)
    tail = (1 - level) / 2
    low = np.quantile(found, tail, axis=1, method="lower")
    high = np.quantile(found, 1 - tail, axis=1, method="higher")
    return low.astype(np.int64), high.astype(np.int64)


def groups(
    values: NDArray[np.float64],
    draws: NDArray[np.float64],
    leaders: Sequence[int],
    level: float,
    n_components: int,
) -> NDArray[np.int64]:
    """Groups of systems that cannot be told from the best of their group.

    The best system leads the first group; all whose difference to it has an interval that contains 0 are in it. The
    best of the rest leads the next, and so on. This is no claim about two systems that both do not lead.

    Args:
        values: [n].
        draws: [n, B], the same draws for all.
        leaders: Systems from the best to the worst: who leads.
        level: Nominal coverage of the interval of a difference.
        n_components: As `interval_of` takes it.

    Returns:
        [n] from 1.
    """
    tail = tail_probability(level, n_components)
    found = np.zeros(len(values), dtype=np.int64)
    left = np.asarray(leaders, dtype=np.intp)
    group = 0
    while len(left):
        group += 1
        gap = draws[left[0]] - draws[left]
        low, high = np.quantile(gap, [tail, 1 - tail], axis=1)
        same = ((low <= EQUAL) & (high >= -EQUAL)) | (np.abs(values[left[0]] - values[left]) <= EQUAL)
        found[left[same]] = group
        left = left[~same]
    return found
