"""Corrections of many p values: Holm (any false alarm), Benjamini and Hochberg (the share of false alarms)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Holm's step-down correction (Scandinavian Journal of Statistics 6, 1979): holds the chance of any false alarm.

    Args:
        p: [k]; NaN = not tested, which counts for nothing and stays NaN.
    """
    return _by_order(np.asarray(p, np.float64), lambda rising, m: np.maximum.accumulate(rising * (m - np.arange(m))))


def benjamini_hochberg(p: ArrayLike) -> NDArray[np.float64]:
    """Benjamini and Hochberg's step-up correction (JRSS B 57, 1995): holds the expected share of false alarms.

    Args:
        p: [k]; NaN = not tested, which counts for nothing and stays NaN.
    """

    def corrected(rising: NDArray[np.float64], m: int) -> NDArray[np.float64]:
        scaled: NDArray[np.float64] = np.minimum.accumulate((rising * m / (1 + np.arange(m)))[::-1])[::-1]
        return scaled

    return _by_order(np.asarray(p, np.float64), corrected)


def _by_order(p: NDArray[np.float64], correct: object) -> NDArray[np.float64]:
    found = np.full(len(p), np.nan)
    here = np.flatnonzero(~np.isnan(p))
    order = here[np.argsort(p[here], kind="stable")]
    if len(order):
        found[order] = np.minimum(correct(p[order], len(order)), 1.0)  # type: ignore[operator]
    return found
