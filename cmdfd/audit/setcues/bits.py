"""Set bits of whole numbers, also for NumPy 1.26, which has no `bitwise_count`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_OF_BYTE = np.array([bin(value).count("1") for value in range(256)], np.uint8)


def count_bits(values: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.uint8]:
    """Set bits of each number.

    Args:
        values: [...] unsigned, at most 64 bits.
    """
    whole = np.asarray(values)
    octets = np.ascontiguousarray(whole).reshape(-1).view(np.uint8).reshape(*whole.shape, whole.dtype.itemsize)
    found: NDArray[np.uint8] = _OF_BYTE[octets].sum(axis=-1, dtype=np.uint8)
    return found
