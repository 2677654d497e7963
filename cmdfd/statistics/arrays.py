"""Checks of the arrays that every statistic takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

#: Elements that a block of draws may hold at once (16 MB of float64), so that memory does not grow with the draws.
BLOCK_ELEMENTS = 2_000_000


def as_labels(labels: ArrayLike) -> NDArray[np.bool_]:
    """Turn labels into booleans, True = fake.

    Args:
        labels: [n] of 0 and 1.

    Raises:
        ValueError: For anything but one dimension of 0 and 1.
    """
    array = np.asarray(labels)
    if array.ndim != 1:
        raise ValueError(f"labels need one dimension, got shape {array.shape}")
    if array.dtype == bool:
        return array
    if array.dtype.kind not in "iuf" or not np.isin(array, (0, 1)).all():
        raise ValueError("labels must be 0 (real) or 1 (fake)")
    return array.astype(bool)


def as_scores(scores: ArrayLike, n: int) -> NDArray[np.float64]:
    """Turn scores into float64; infinite ones are allowed (the worst score of a failed clip), NaN is not.

    Args:
        scores: [n], higher = more fake.
        n: Number of labels.

    Raises:
        ValueError: For another length or NaN.
    """
    array = np.asarray(scores, dtype=np.float64)
    if array.shape != (n,):
        raise ValueError(f"{n} labels need {n} scores, got shape {array.shape}")
    if np.isnan(array).any():
        raise ValueError("scores must not be NaN; a failed clip counts as the worst score of its class (-inf or inf)")
    return array


def both_classes(labels: NDArray[np.bool_]) -> None:
    """Raise unless there are reals and fakes.

    Raises:
        ValueError: With the class that is missing.
    """
    if not labels.any():
        raise ValueError("there is no fake (label 1), so real and fake cannot be compared")
    if labels.all():
        raise ValueError("there is no real (label 0), so real and fake cannot be compared")


def component_codes(components: ArrayLike, n: int) -> NDArray[np.intp]:
    """Number the components 0, 1, ... in sorted order of their names.

    Args:
        components: [n] names (text or integers).
        n: Number of labels.

    Returns:
        [n] numbers.

    Raises:
        ValueError: For another length or a missing name.
    """
    array = np.asarray(components)
    if array.shape != (n,):
        raise ValueError(f"{n} labels need {n} components, got shape {array.shape}")
    if array.dtype.kind == "O":
        if not all(isinstance(value, str | int | np.integer) for value in array):
            raise ValueError("components must be names or whole numbers; a clip without one cannot be resampled")
        array = array.astype(str)
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise ValueError("a clip without a component cannot be resampled")
    _, codes = np.unique(array, return_inverse=True)
    return codes.astype(np.intp).reshape(n)
