from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdfd.media.decode import Audio, Video
from cmdfd.media.grid import align_audio, frame_count, nearest_frames, to_constant_rate


def numbered(times) -> Video:
    times = np.asarray(times, np.float64)
    frames = np.arange(len(times), dtype=np.uint8)[:, None, None] * np.ones((1, 2, 3), np.uint8)
    return Video(frames, times)


increasing = st.lists(st.floats(0.001, 0.5), min_size=1, max_size=40).map(np.cumsum)


@given(increasing, st.floats(1, 60), st.floats(-1, 1))
def test_every_frame_is_the_nearest_one(times, fps, shift):
    video = to_constant_rate(numbered(times), fps, start=float(times[0]) + shift, end=float(times[-1]) + shift + 1)
    grid = times[0] + shift + np.arange(len(video.frames)) / fps
    distance = np.abs(times[None] - grid[:, None])
    taken = video.frames[:, 0, 0].astype(int)
    assert (distance[np.arange(len(grid)), taken] <= distance.min(axis=1) + 2.1e-6).all()
    assert np.array_equal(video.times, np.arange(len(grid)) / fps)
    assert (np.diff(taken) >= 0).all()


@given(st.integers(1, 60), st.sampled_from([15.0, 24.0, 25.0, 30000 / 1001, 22.131]), st.floats(0, 1000))
def test_same_rate_changes_nothing_and_copies_nothing(n, fps, start):
    source = numbered(start + np.arange(n) / fps)
    video = to_constant_rate(source, fps, end=start + n / fps)
    assert np.array_equal(video.frames, source.frames)
    assert np.shares_memory(video.frames, source.frames)


def test_known_picks():
    half = to_constant_rate(numbered(np.arange(50) / 50), 25)
    assert half.frames[:, 0, 0].tolist() == list(range(0, 50, 2))
    double = to_constant_rate(numbered(np.arange(10) / 12.5), 25)
    assert double.frames[:, 0, 0].tolist() == sorted([*range(10), *range(10)])
    rounded = to_constant_rate(numbered(np.round(np.arange(90) / 30, 3)), 25)  # Matroska's millisecond clock
    assert rounded.frames[:, 0, 0].tolist() == [int(np.ceil(k * 1.2 - 0.5 - 1e-9)) for k in range(75)]
    window = to_constant_rate(numbered(np.arange(50) / 25), 25, start=0.4, end=1.0)
    assert window.frames[:, 0, 0].tolist() == list(range(10, 25))
    held = to_constant_rate(numbered([1.0, 1.04]), 25, start=0.96, end=1.16)
    assert held.frames[:, 0, 0].tolist() == [0, 0, 1, 1, 1]
    assert len(to_constant_rate(numbered([3.0]), 25).frames) == 1


@given(st.floats(0.04, 100), st.sampled_from([15.0, 25.0, 30.0]))
def test_counts_round_to_nearest(seconds, fps):
    assert abs(frame_count(seconds, fps) - seconds * fps) <= 0.5


def test_errors():
    for fps in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="fps"):
            to_constant_rate(numbered([0.0]), fps)
    with pytest.raises(ValueError, match="no frame"):
        to_constant_rate(numbered([0.0, 1.0]), 25, start=1.0, end=1.0)
    with pytest.raises(ValueError, match="no frame"):
        to_constant_rate(numbered([]), 25)
    with pytest.raises(ValueError, match="no frame"):
        nearest_frames(np.zeros(0), np.zeros(1))
    with pytest.raises(ValueError, match="finite"):
        align_audio(Audio(np.zeros(1, np.float32), 16000, 0.0), float("nan"), 1)
    with pytest.raises(ValueError, match="length"):
        align_audio(Audio(np.zeros(1, np.float32), 16000, 0.0), 0, -1)


@given(st.integers(0, 3000), st.integers(-4000, 4000), st.integers(0, 4000), st.integers(-3000, 3000))
def test_windows_of_sound(n, offset, length, start):
    rate = 1000
    samples = np.arange(1, n + 1, dtype=np.float32)
    window = align_audio(Audio(samples, rate, start / rate), (start + offset) / rate, length / rate)
    expected = [offset + k + 1 if 0 <= offset + k < n else 0 for k in range(length)]
    assert window.tolist() == expected and window.dtype == np.float32
    assert not np.shares_memory(window, samples)
