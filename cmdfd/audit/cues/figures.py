"""What the picture cues share: tidy numbers, and which pictures are looked at pixel by pixel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from cmdfd.audit.cue import CueValue

#: Pixels that are looked at in detail, over all pictures of a clip: ten pictures of 224 x 224.
DETAIL_PIXELS = 1 << 18
#: Pictures that are looked at in detail at least, however large they are.
DETAIL_PICTURES = 2
#: That choice in words, for the rules of the cues.
DETAIL_RULE = "over as many evenly spaced pictures as hold 2^18 pixels, two at least"
#: Digits that are kept: two clips that were treated alike must give one number, whatever the order of a sum.
_DIGITS = 6


def tidy(value: float | None) -> float | None:
    """A number without binary noise (6 significant digits), None where it is none (NaN, infinite, None)."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{_DIGITS}g}") + 0.0  # no negative zero


def tidied(values: Mapping[str, CueValue]) -> dict[str, CueValue]:
    """The same measurements with tidy numbers."""
    return {name: value if isinstance(value, str) else tidy(value) for name, value in values.items()}


def ratio(above: float, below: float) -> float | None:
    """A quotient, None where the divisor is 0."""
    return above / below if below else None


def in_detail(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The pictures that are looked at pixel by pixel: cost stays below that of decoding for large pictures too.

    Args:
        luma: [K, H, W], not empty.

    Returns:
        [k, H, W], 1 <= k <= K, evenly spaced; all where they hold at most `DETAIL_PIXELS` pixels.
    """
    n = min(len(luma), max(DETAIL_PIXELS // luma[0].size, DETAIL_PICTURES))
    if n == len(luma):
        return luma
    chosen: NDArray[np.uint8] = luma[np.round((np.arange(n) + 0.5) * len(luma) / n - 0.5).astype(int)]
    return chosen


def percentile(values: NDArray[np.floating], share: float) -> float:
    """The very value of `numpy.percentile`, at a fraction of its cost.

    Args:
        values: [n] finite numbers, n >= 1.
        share: Percent, 0 to 100.
    """
    place = (len(values) - 1) * (share / 100)
    below = int(place)
    above, part = min(below + 1, len(values) - 1), place - below
    ordered = np.partition(values, (below, above))
    low, high = ordered[below], ordered[above]
    step = high - low
    return float(high - step * (1 - part) if part >= 0.5 else low + step * part)


def median(values: NDArray[np.number]) -> float:
    """The value of `numpy.median` for one short axis, NaN for none, at a fraction of its cost.

    Args:
        values: [n] finite numbers.
    """
    n = len(values)
    if n == 0:
        return math.nan
    half = n // 2
    if n % 2:
        return float(np.partition(values, half)[half])
    below, above = np.partition(values, (half - 1, half))[half - 1 : half + 1]
    return float((below + above) / 2)
