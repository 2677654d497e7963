"""Windows over time and the one rule that makes stretches of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.detectors.mds.localization import Windows, merge_segments, window_starts, windowed_rms


@given(st.integers(1, 200), st.integers(1, 30), st.integers(1, 40))
def test_windows_cover_every_frame_and_stay_inside(extra: int, chunk: int, stride: int) -> None:
    n = chunk + extra - 1
    starts = window_starts(n, chunk, stride)
    assert starts[0] == 0 and starts[-1] + chunk == n
    assert (np.diff(starts) > 0).all() and (np.diff(starts) <= stride).all()


def test_too_short_a_clip_has_no_window() -> None:
    with pytest.raises(ValueError, match="no window of 25"):
        window_starts(24, 25, 5)


@given(st.lists(st.floats(0, 4), min_size=25, max_size=90), st.integers(1, 10))
def test_windowed_rms_equals_the_naive_one(squared: list[float], stride: int) -> None:
    values = np.asarray(squared)
    windows = windowed_rms(values, 25, stride, 25.0)
    for time, score in zip(windows.times, windows.scores, strict=True):
        first = round(time * 25 - 12.5)
        assert score == pytest.approx(np.sqrt(values[first : first + 25].mean()), abs=1e-6)
    assert windows.seconds == len(squared) / 25


def test_known_stretches() -> None:
    times = 0.5 + 0.2 * np.arange(11)
    scores = np.array([0.1, 0.1, 0.9, 0.7, 0.1, 0.1, 0.8, 0.1, 0.1, 0.1, 0.6])
    found = merge_segments(Windows(times, scores, 0.2, 3.0), 0.5)
    spans = [(s.segment.start, s.segment.end, s.confidence) for s in found]
    wanted = [(0.8, 1.2, 0.8), (1.6, 1.8, 0.8), (2.4, 3.0, 0.6)]
    np.testing.assert_allclose(spans, wanted, atol=1e-9)


def test_a_clip_that_is_forged_throughout_is_one_stretch() -> None:
    windows = Windows(0.5 + 0.2 * np.arange(11), np.full(11, 0.9), 0.2, 3.0)
    (only,) = merge_segments(windows, 0.5)
    assert (only.segment.start, only.segment.end) == (0, 3.0)


@pytest.mark.parametrize("threshold", [None, 5.0])
def test_nothing_above_the_threshold(threshold: float | None) -> None:
    windows = Windows(np.array([0.5, 0.7]), np.array([1.0, 1.0]), 0.2, 1.2)
    assert merge_segments(windows, threshold) == ()


@given(
    st.lists(st.floats(0, 2), min_size=1, max_size=40),
    st.floats(0, 2),
    st.floats(0, 0.7),
)
def test_stretches_are_apart_inside_and_hold_exactly_the_windows_above(
    values: list[float], threshold: float, rest: float
) -> None:
    stride = 0.2
    times = 0.5 + stride * np.arange(len(values))
    windows = Windows(times, np.asarray(values), stride, float(times[-1] + 0.5 + rest))
    found = merge_segments(windows, threshold)
    for left, right in itertools.pairwise(found):
        assert left.segment.end <= right.segment.start
    inside = [any(f.segment.start <= t <= f.segment.end for f in found) for t in times]
    assert inside == [value >= threshold for value in values]
    assert all(f.confidence >= threshold - 1e-9 and f.segment.end <= windows.seconds for f in found)
