"""Bars over a common axis of two classes, on the axis that shows their difference.

A few far values squash everything else on a plain axis. So three axes are tried, in this order: the plain one (unless
so few values stretch it that nobody would miss them), one that ends where all but a few values of each class end, and a
logarithmic one. The first that shows nearly as much as the best of them is taken: bars of the classes that differ, and
values that are spread over the axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Bars over the axis.
BINS = 36
#: Share of a class that may lie beyond each end of a clipped axis.
BEYOND = 0.01
#: A plain axis is left out where all but those few values would fill less than this share of it.
SQUASHED = 0.4
#: An axis is good enough where it shows at least this part of what the best one shows.
GOOD_ENOUGH = 0.85
#: How much the spread of the values counts beside the difference of the classes.
SPREAD_WEIGHT = 0.5
#: A logarithmic axis reaches at most this many powers of ten down from its upper end.
DECADES = 6

ScaleKind = Literal["plain", "clipped", "log"]


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """An axis with bars.

    Args:
        kind: "plain", "clipped" (a few values lie beyond an end) or "log".
        edges: [B + 1] edges of the bars in places on the axis: values, or powers of ten for "log".
        bottom: For "log": values up to this stand in the first bar, 0 too.
    """

    kind: ScaleKind
    edges: NDArray[np.float64]
    bottom: float = 0.0

    def place(self, values: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Where values stand on the axis."""
        found = np.asarray(values, np.float64)
        return np.log10(np.maximum(found, self.bottom)) if self.kind == "log" else found

    def shares(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """[B] share of the values in each bar; what lies beyond the ends is in none."""
        if values.size == 0:
            return np.zeros(len(self.edges) - 1)
        return np.histogram(self.place(values), self.edges)[0] / values.size

    def beyond(self, values: NDArray[np.float64]) -> tuple[int, int]:
        """How many values lie to the left and to the right of the axis."""
        places = self.place(values)
        return int((places < self.edges[0]).sum()), int((places > self.edges[-1]).sum())


def choose_scale(
    real: NDArray[np.float64], fake: NDArray[np.float64], thresholds: Sequence[float] = (), bins: int = BINS
) -> Scale:
    """The axis for two classes.

    Args:
        real: [n] finite values of reals.
        fake: [m] finite values of fakes.
        thresholds: Values that the axis must hold; the first one falls between two bars.
        bins: Bars.

    Raises:
        ValueError: Where there is no value at all.
    """
    both = np.concatenate([real, fake])
    if both.size == 0:
        raise ValueError("a histogram needs at least one finite value")
    must = [value for value in thresholds if np.isfinite(value)]
    whole = (float(both.min()), float(both.max()))
    core = _core(real, fake, whole)
    tried = []
    if core[1] - core[0] >= SQUASHED * (whole[1] - whole[0]) or core[0] == core[1]:
        tried.append(Scale("plain", _edges(*_holding(*whole, must), must, bins)))
    if core != whole:
        tried.append(Scale("clipped", _edges(*_holding(*core, must), must, bins)))
    log = _log(both, must, bins)
    if log is not None:
        tried.append(log)
    seen = [_shown(scale, real, fake) for scale in tried]
    return next(scale for scale, shown in zip(tried, seen, strict=True) if shown >= GOOD_ENOUGH * max(seen))


def _core(real: NDArray[np.float64], fake: NDArray[np.float64], whole: tuple[float, float]) -> tuple[float, float]:
    """What holds all but a few values of each class; the whole where that is not much narrower."""
    ends = [np.quantile(values, [BEYOND, 1 - BEYOND]) for values in (real, fake) if values.size]
    low, high = float(min(end[0] for end in ends)), float(max(end[1] for end in ends))
    pad = 0.05 * (high - low)
    low, high = max(low - pad, whole[0]), min(high + pad, whole[1])
    return (low, high) if (high - low) < 0.8 * (whole[1] - whole[0]) else whole


def _holding(low: float, high: float, must: Sequence[float]) -> tuple[float, float]:
    return min([low, *must]), max([high, *must])


def _edges(low: float, high: float, must: Sequence[float], bins: int) -> NDArray[np.float64]:
    """Equal bars; an inner threshold falls on an edge, so that no bar stands on both of its sides."""
    # halves, because the distance of two extreme numbers may be infinite
    if high / 2 - low / 2 <= 1e-9 * max(abs(low), abs(high), 1e-300):
        pad = max(abs(low) * 0.05, 0.5)
        low, high = low - pad, high + pad
    edges = np.linspace(low, high, bins + 1)
    inner = next((value for value in must if low < value < high), None)
    if inner is None or not np.isfinite(high - low):
        return edges
    width = (high - low) / bins
    shift = (inner - low) % width
    edges = np.append(low + shift + width * np.arange(-1, bins), high + shift)
    edges[int(np.argmin(np.abs(edges - inner)))] = inner
    # rounding must not leave the first or last value outside
    edges[0], edges[-1] = min(edges[0], low), max(edges[-1], high)
    return edges


def _log(both: NDArray[np.float64], must: Sequence[float], bins: int) -> Scale | None:
    """None where a value is negative or the values do not span ten to one."""
    positive = both[both > 0]
    if both.min() < 0 or positive.size == 0:
        return None
    high = max([float(positive.max()), *must])
    low = max(min([float(positive.min()), *(value for value in must if value > 0)]), high * 10.0**-DECADES)
    if high < 10 * low:
        return None
    # noughts get a bar of their own, half a power of ten below the rest
    bottom = low / 10**0.5 if both.min() < low else low
    spots = [float(np.log10(max(value, bottom))) for value in must]
    return Scale("log", _edges(float(np.log10(bottom)), float(np.log10(high)), spots, bins), bottom)


def _shown(scale: Scale, real: NDArray[np.float64], fake: NDArray[np.float64]) -> float:
    """Half the summed difference of the bars (0 alike, 1 no common bar), plus the weighted mean entropy of both."""
    bars = [scale.shares(values) for values in (real, fake)]
    spread = [-float(np.sum(one[one > 0] * np.log(one[one > 0]))) / np.log(len(one)) for one in bars]
    return float(np.abs(bars[0] - bars[1]).sum() / 2) + SPREAD_WEIGHT * float(np.mean(spread))
