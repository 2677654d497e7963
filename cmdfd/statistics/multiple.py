"""Many p-values at once: Holm's step-down and Benjamini and Hochberg's step-up.

max-T (`cmdfd.statistics.maxt`) is what decides; these two stand beside it for readers who know them. Values that are
missing (None or NaN: not testable) stay missing and do not count as tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def holm(p: Sequence[float | None] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjusted p that hold the chance of any false alarm, whatever the dependence.

    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979.

    Args:
        p: [k] p-values, 0 to 1; None or NaN = not tested.

    Returns:
        [k], NaN where not tested.

    Raises:
        ValueError: For values outside 0 to 1.
    """
    values = _checked(p)
    found = np.full(len(values), np.nan)
    order = _rising(values)
    m = len(order)
    adjusted = np.maximum.accumulate(values[order] * (m - np.arange(m)))
    found[order] = np.minimum(adjusted, 1.0)
    return found


def benjamini_hochberg(p: Sequence[float | None] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjusted p that hold the expected share of false alarms among what is called.

    For tests that are independent or positively dependent. Y. Benjamini and Y. Hochberg, "Controlling the False
    Discovery Rate", Journal of the Royal Statistical Society B 57, 1995.

    Args:
        p: [k] p-values, 0 to 1; None or NaN = not tested.

    Returns:
        [k], NaN where not tested.

    Raises:
        ValueError: For values outside 0 to 1.
    """
    values = _checked(p)
    found = np.full(len(values), np.nan)
    order = _rising(values)
    m = len(order)
    scaled = values[order] * m / (1 + np.arange(m))
    found[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return found


def _checked(p: Sequence[float | None] | NDArray[np.float64]) -> NDArray[np.float64]:
    values = np.array([np.nan if value is None else float(value) for value in p], dtype=np.float64)
    if ((values < 0) | (values > 1)).any():
        raise ValueError(f"p-values lie between 0 and 1, got {values[(values < 0) | (values > 1)][0]}")
    return values


def _rising(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Places of the tested ones, the smallest first."""
    tested = np.flatnonzero(~np.isnan(values))
    return tested[np.argsort(values[tested], kind="stable")]
