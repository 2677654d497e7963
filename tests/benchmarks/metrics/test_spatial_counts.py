"""Maps against masks: pairing by time, sizes, exact counts, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.detector import PixelMaps
from benchmarks.metrics.spatial import PixelCounts, count_pixels, nearest_maps, worst_counts
from benchmarks.metrics.spatial_counts import PATCH, fitted

SHAPE = (32, 48)


def case(seed: int = 0, n: int = 4, shape: tuple[int, int] = SHAPE) -> tuple[np.ndarray, np.ndarray, PixelMaps]:
    rng = np.random.default_rng(seed)
    truth = np.zeros((n, *shape), np.uint8)
    for frame in truth[: max(n - 1, 1)]:
        top, left = rng.integers(0, shape[0] // 2), rng.integers(0, shape[1] // 2)
        frame[top : top + shape[0] // 3, left : left + shape[1] // 3] = rng.integers(5, 255)
    times = np.arange(n) / 25
    return truth, times, PixelMaps(times, rng.integers(0, 256, (n, *shape)).astype(np.uint8))


@given(st.integers(0, 10_000))
def test_counts_equal_a_loop_over_every_pixel(seed: int) -> None:
    truth, times, maps = case(seed, n=3, shape=(20, 17))
    found = count_pixels(truth, times, (20, 17), maps)
    expected = np.zeros((2, 256), int)
    confusion = np.zeros((3, 3), int)
    for k in range(3):
        for t, m in zip(truth[k].ravel().tolist(), maps.maps[k].ravel().tolist(), strict=True):
            expected[int(t > 10), m] += 1
            confusion[0, k] += t > 10 and m >= 128
            confusion[1, k] += t <= 10 and m >= 128
            confusion[2, k] += t > 10 and m < 128
    assert (found.pixels == expected).all()
    assert (np.stack([found.tp, found.fp, found.fn]) == confusion).all()
    patch = maps.maps[:, :PATCH, :PATCH].reshape(3, -1).astype(int).sum(axis=1)
    forged = (truth[:, :PATCH, :PATCH] > 10).reshape(3, -1).sum(axis=1) >= 128
    patches = np.zeros((2, 256), int)
    for real, total in zip(forged, patch, strict=True):
        patches[int(real), int(np.floor(total / 256 + 0.5))] += 1
    assert (found.patches == patches).all()


def test_a_soft_edge_counts_from_eleven_on() -> None:
    truth = np.full((1, 4, 4), 10, np.uint8)
    truth[0, 0] = 11
    found = count_pixels(truth, [0.0], (4, 4), PixelMaps(np.zeros(1), np.zeros((1, 4, 4), np.uint8)))
    assert found.n_forged == 4


def test_called_forged_from_128_on() -> None:
    maps = PixelMaps(np.zeros(1), np.array([[[127, 128]]], np.uint8))
    assert count_pixels(None, [0.0], (1, 2), maps).fp.tolist() == [1]


def test_pictures_smaller_than_a_patch_have_none() -> None:
    found = count_pixels(None, [0.0], (15, 40), PixelMaps(np.zeros(1), np.zeros((1, 5, 5), np.uint8)))
    assert found.patches.sum() == 0 and found.pixels.sum() == 600


# -- time --------------------------------------------------------------------------------------------------------


def test_manualfake_preview_pairs_by_time_not_by_index() -> None:
    # fake_01: 95 frames at 30 fps, its mask 79 at 25 fps; an index pairing ends 16 frames off
    pairs = nearest_maps(np.arange(79) / 25, np.arange(95) / 30)
    exact = np.round(np.arange(79) / 25 * 30)
    assert np.abs(pairs - exact).max() <= 0 and pairs[-1] == 94
    truth = np.zeros((79, 8, 8), np.uint8)
    truth[40:, :, 4:] = 255  # forged from 1.6 s on
    maps = np.zeros((95, 8, 8), np.uint8)
    maps[48:, :, 4:] = 255  # 1.6 s at 30 fps
    found = count_pixels(truth, np.arange(79) / 25, (8, 8), PixelMaps(np.arange(95) / 30, maps))
    assert found.fn.sum() == 0 and found.fp.sum() == 0 and found.tp.sum() == 39 * 32


@pytest.mark.parametrize("rate", [15, 24, 25, 30000 / 1001, 30, 60])
def test_equal_clocks_pair_one_to_one_after_rounding_to_milliseconds(rate: float) -> None:
    times = np.arange(60) / rate
    assert (nearest_maps(np.round(times, 3), times) == np.arange(60)).all()
    assert (nearest_maps(times, np.round(times, 3)) == np.arange(60)).all()
    # a detector that names the middles of its frames means the same frames
    assert (nearest_maps(np.round(times, 3), times + 0.5 / rate) == np.arange(60)).all()


@given(
    st.lists(st.integers(0, 5000), min_size=1, max_size=30, unique=True),
    st.lists(st.integers(0, 5000), min_size=1, max_size=30, unique=True),
)
def test_the_nearest_map_is_taken(frames: list[int], maps: list[int]) -> None:
    t, m = np.sort(frames) / 1000, np.sort(maps) / 1000
    gaps = np.abs(t[:, None] - m)
    step = np.median(np.diff(m)) if len(m) > 1 else 0.0
    frame = np.median(np.diff(t)) if len(t) > 1 else np.inf
    for row, index in enumerate(nearest_maps(t, m)):
        if index < 0:
            assert gaps[row].min() > max(step, frame / 2)
        else:
            assert gaps[row, index] <= gaps[row].min() + 0.0011


def test_every_fifth_frame_judges_all_and_a_lone_map_does_not() -> None:
    frames = np.arange(75) / 25
    assert (nearest_maps(frames, frames[::5]) >= 0).all()
    lone = nearest_maps(frames, [frames[10]])
    assert np.flatnonzero(lone >= 0).tolist() == [10]
    half = nearest_maps(frames, frames[:40])
    assert (half[:41] >= 0).all() and (half[41:] == -1).all()


def test_frames_without_a_map_count_as_called_genuine() -> None:
    truth = np.full((4, 8, 8), 255, np.uint8)
    found = count_pixels(truth, np.arange(4) / 25, (8, 8), PixelMaps(np.zeros(1), np.full((1, 8, 8), 255, np.uint8)))
    assert found.tp.tolist() == [64, 0, 0, 0] and found.fn.tolist() == [0, 64, 64, 64] and found.unreached == 3


@pytest.mark.parametrize("times", [[0.0, np.nan], [0.1, 0.0], [0.0, 0.0], [], [[0.0]]])
def test_times_that_are_no_clock_are_refused(times: list[float]) -> None:
    with pytest.raises(ValueError, match="times of the"):
        nearest_maps(times, [0.0])
    with pytest.raises(ValueError, match="times of the"):
        nearest_maps([0.0], times)


# -- size --------------------------------------------------------------------------------------------------------


def test_maps_are_brought_to_the_size_of_the_truth() -> None:
    one = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
    assert fitted(one, (4, 6)) is one
    assert (fitted(one, (40, 60)) == cv2.resize(one, (60, 40), interpolation=cv2.INTER_LINEAR)).all()
    assert fitted(one, (2, 3))[0, 0] == round(one[:2, :2].mean())
    assert (fitted(np.full((5, 7), 77, np.uint8), (33, 18)) == 77).all()


@pytest.mark.parametrize(
    "truth", [np.zeros((3, *SHAPE), np.uint8), np.zeros((4, 32, 47), np.uint8), np.zeros((4, *SHAPE), np.float32)]
)
def test_a_mask_of_another_shape_is_refused(truth: np.ndarray) -> None:
    _, times, maps = case()
    with pytest.raises(ValueError, match="mask must be uint8"):
        count_pixels(truth, times, SHAPE, maps)


# -- records -----------------------------------------------------------------------------------------------------


def test_rows_go_through_json_unchanged() -> None:
    truth, times, maps = case()
    one = count_pixels(truth, times, SHAPE, maps)
    again = PixelCounts.from_row(json.loads(json.dumps(one.to_row())))
    assert again.to_row() == one.to_row() and again.n_frames == 4 and again.n_forged == int((truth > 10).sum())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tp": [1, 0, 0, 0]}, "tp of all frames"),
        ({"fn": [0, 0, 0]}, "one number for each frame"),
        ({"frame_pixels": 7}, "frames of 7 pixels"),
        ({"unreached": 5}, "5 frames without a map"),
        ({"pixels": [0] * 511}, "needs 512 counts"),
        ({"patches": None}, "'patches' is missing"),
        ({"failed": None}, "'failed' is missing"),
    ],
)
def test_rows_that_contradict_themselves_are_refused(change: dict[str, object], words: str) -> None:
    truth, times, maps = case()
    with pytest.raises(ValueError, match=words):
        PixelCounts.from_row({**count_pixels(truth, times, SHAPE, maps).to_row(), **change})


def test_negative_counts_are_refused() -> None:
    truth, times, maps = case()
    one = count_pixels(truth, times, SHAPE, maps)
    moved = one.fp.copy()
    moved[0], moved[1] = -1, moved[1] + moved[0] + 1
    with pytest.raises(ValueError, match="whole numbers >= 0"):
        replace(one, fp=moved)


def test_a_failed_clip_has_the_worst_maps() -> None:
    truth, times, _ = case()
    worst = worst_counts(truth, 4, SHAPE)
    inverted = PixelMaps(times, np.where(truth > 10, 0, 255).astype(np.uint8))
    expected = count_pixels(truth, times, SHAPE, inverted)
    assert (worst.pixels == expected.pixels).all() and worst.failed and not worst.tp.any()
    assert worst_counts(None, 4, SHAPE).fp.tolist() == [32 * 48] * 4
