"""Set bits, against Python's own count."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cmdfd.audit.setcues.bits import count_bits


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20))
def test_bits_are_those_of_python(numbers: list[int]) -> None:
    wide = np.array(numbers, np.uint64)
    assert count_bits(wide).tolist() == [number.bit_count() for number in numbers]
    small = (wide & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    assert count_bits(small[::-1]).tolist() == [int(number).bit_count() for number in small[::-1]]


def test_shapes_are_kept() -> None:
    assert count_bits(np.zeros((3, 2), np.uint32)).shape == (3, 2)
    assert count_bits(np.zeros(0, np.uint64)).shape == (0,)
    assert count_bits(np.uint64(7) ^ np.zeros((), np.uint64)).shape == ()
