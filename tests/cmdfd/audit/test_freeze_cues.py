"""Freezes, repeats, loops and odd beginnings, planted to the picture."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pictures_of import decode, empty_pictures, encode, pictures_of, scene

from cmdfd.audit.cues import freeze, history, picture

NAMES = {cue.name for cue in freeze.CUES}
FPS = 25


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    return scene(60, 64, 64, seed=2)


def measured(luma: np.ndarray) -> dict[str, float | None]:
    return {name.split(".")[1]: value for name, value in freeze.measure(pictures_of(luma, FPS)).items()}


def test_catalogue_is_well_formed() -> None:
    assert len(NAMES) == len(freeze.CUES)
    assert all(cue.family == "freeze" and cue.rule and cue.remedy and cue.source for cue in freeze.CUES)


@pytest.mark.parametrize("n", [1, 2, 11])
@pytest.mark.parametrize("where", ["lead", "middle", "trail"])
def test_a_planted_freeze_lasts_as_planted(clip: np.ndarray, where: str, n: int) -> None:
    """`n` pictures repeat their predecessor."""
    start = {"lead": 0, "middle": 30, "trail": 59 - n}[where]
    frozen = clip.copy()
    frozen[start : start + n + 1] = clip[start]
    found = measured(frozen)
    assert found["exact"] == found["same"] == pytest.approx(n / 59, rel=1e-5)
    assert found["longest"] == pytest.approx(n / FPS)
    assert found["lead"] == pytest.approx(n / FPS * (where == "lead"))
    assert found["trail"] == pytest.approx(n / FPS * (where == "trail"))
    assert found["same_period"] == (None if n == 1 else 1)


def test_a_moving_clip_has_no_freeze(clip: np.ndarray) -> None:
    found = measured(clip)
    assert [found[name] for name in ("exact", "same", "longest", "lead", "trail")] == [0] * 5
    assert found["same_period"] is None


def test_times_of_pictures_count_not_their_number(clip: np.ndarray) -> None:
    frozen = clip.copy()
    frozen[10:13] = clip[10]
    pictures = pictures_of(frozen)
    times = pictures.times.copy()
    times[11:] += 0.5  # variable frame rate: the frozen picture stays for longer
    assert freeze.measure(replace(pictures, times=times))["freeze.longest"] == pytest.approx(0.58)


@pytest.mark.parametrize(("keep", "period"), [(1, 2), (5, 6)])
def test_doubled_pictures_and_their_period(clip: np.ndarray, keep: int, period: int) -> None:
    """Every picture twice; and 25 to 30 frames per second, where every fifth one is shown twice."""
    order = [index for index in range(60) for _ in range(1 + ((index + 1) % keep == 0))]
    found = measured(clip[order])
    assert found["same_period"] == period
    assert found["exact"] == pytest.approx((60 // keep) / (len(order) - 1), rel=1e-5)
    assert found["longest"] == pytest.approx(1 / FPS)


def test_repeats_survive_x264(tmp_path) -> None:
    smooth = scene(60, 96, 96, seed=4)
    doubled = smooth[:30].repeat(2, axis=0)
    held = np.concatenate([smooth[:40], smooth[39:40].repeat(20, axis=0)])
    plain, twice, still = (
        measured(decode(encode(tmp_path / f"{index}.mp4", one, crf="23", preset="fast"))[0])
        for index, one in enumerate((smooth, doubled, held))
    )
    assert plain["stutter"] > 0.3 > 0.15 > twice["stutter"]
    assert (plain["same"], plain["trail"]) == (0, 0)
    assert twice["same"] > 0.3
    assert twice["same_period"] == 2
    assert still["trail"] == pytest.approx(20 / FPS, abs=5 / FPS)  # the first copies are still being refined


@pytest.mark.parametrize("noise", [0.0, 0.6, 3.0])
def test_still_pixels_are_those_below_one_level(noise: float) -> None:
    rng = np.random.default_rng(0)
    luma = np.full((400, 32, 32), 100.0)
    luma[:, :, 16:] += rng.normal(0, 20, (400, 32, 16))
    luma[:, :, :16] += rng.normal(0, noise, (400, 32, 16))
    found = measured(np.clip(luma.round(), 0, 255).astype(np.uint8))
    assert found["still"] == pytest.approx(0.5 if noise < 1 else 0.0)
    assert found["border"] > 0


def test_motion_and_its_place() -> None:
    luma = np.full((40, 32, 32), 100, np.uint8)
    luma[1::2, 8:24, 8:24] = 110  # a quarter of the picture, in the middle
    found = measured(luma)
    assert (found["motion"], found["border"], found["motion_spread"]) == (2.5, 0, 0)
    luma[1::2] = np.where(luma[1::2] == 110, 100, 110)
    found = measured(luma)
    assert (found["motion"], found["border"]) == (7.5, 10)


def test_mirrored_time_is_found(clip: np.ndarray, tmp_path) -> None:
    twice, once = (np.concatenate([clip[:40], clip[:n][::-1]]) for n in (40, 39))  # the turning picture comes so often
    assert measured(twice)["ping_pong"] == measured(once)["ping_pong"] == 1
    path = encode(tmp_path / "turn.mp4", np.ascontiguousarray(once), crf="28", preset="fast")
    assert measured(decode(path)[0])["ping_pong"] > 0.9
    assert measured(clip)["ping_pong"] < 0.6


def test_a_loop_is_no_turning_point(clip: np.ndarray, tmp_path) -> None:
    looped = np.concatenate([clip[:30], clip[:30], clip[:20]])
    found = measured(decode(encode(tmp_path / "loop.mp4", looped, crf="28", preset="fast"))[0])
    assert found["loop"] > 0.9
    assert found["ping_pong"] < 0.6
    assert measured(clip)["loop"] < 0.6


def test_likeness_agrees_with_the_rule(clip: np.ndarray) -> None:
    thumbs = pictures_of(clip).thumbs[:, ::2, ::2].astype(float)
    apart = ((thumbs[:, None] - thumbs[None]) ** 2).mean(axis=(2, 3))
    scores = []
    for double in (0, 1):
        for c in range(15, 60 - 15 - double):
            pairs = [(c - j, c + double + j) for j in range(1, 16)]
            moved = np.mean([(apart[c, a] + apart[c + double, b]) / 2 for a, b in pairs])
            scores.append(np.mean([apart[a, b] for a, b in pairs]) / moved if moved > 1 else np.inf)
    assert measured(clip)["ping_pong"] == pytest.approx(max(1 - min(scores), 0), rel=1e-5)
    lags = {lag: [apart[i, i + lag] for i in range(60 - lag)] for lag in range(15, 46)}
    usual = np.mean([one for pairs in lags.values() for one in pairs])
    least = min(np.mean(pairs) for pairs in lags.values())
    assert measured(clip)["loop"] == pytest.approx(1 - least / usual, rel=1e-5)


def test_what_hardly_moves_has_no_direction() -> None:
    luma = np.full((50, 32, 32), 100, np.uint8)
    luma[::2, 0, 0] = 101
    assert measured(luma)["ping_pong"] is measured(luma)["loop"] is None


def test_cuts_are_counted(clip: np.ndarray) -> None:
    other = 255 - scene(60, 64, 64, seed=9)
    spliced = np.concatenate([clip[:20], other[:20], clip[20:40]])
    assert measured(clip)["cuts"] == 0
    assert measured(spliced)["cuts"] == 2


def test_the_first_picture_that_differs(clip: np.ndarray) -> None:
    odd = clip.copy()
    odd[0] = cv2.add(odd[0], 30)
    before, after = measured(clip), measured(odd)
    assert after["first_step"] > 3 * before["first_step"]
    assert after["first_light"] - before["first_light"] == pytest.approx(30, abs=0.2)
    assert after["drift"] - before["drift"] == pytest.approx(6, abs=0.1)
    assert after["last_step"] == pytest.approx(before["last_step"], rel=0.02)
    assert measured(odd[::-1])["last_step"] == after["first_step"]


def test_flicker_of_brightness() -> None:
    luma = np.full((40, 16, 16), 100, np.uint8)
    ramp = luma + np.arange(40, dtype=np.uint8)[:, None, None]
    luma[1::2] += 3
    assert measured(luma)["flicker"] == 6
    assert measured(ramp)["flicker"] == 0  # a fade is none


@given(luma=arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 6), st.integers(1, 6)), fill=st.just(9)))
def test_any_clip_gives_numbers_or_none(luma: np.ndarray) -> None:
    found = freeze.measure(pictures_of(luma))
    assert set(found) == NAMES
    assert all(value is None or (isinstance(value, float) and math.isfinite(value)) for value in found.values())


SHAPES = st.tuples(
    st.integers(2, 40), st.integers(1, 5).map(lambda n: 2 * n - 1), st.integers(1, 5).map(lambda n: 2 * n - 1)
)


@given(luma=arrays(np.uint8, SHAPES, fill=st.integers(0, 255)))
def test_mirrors_change_nothing_and_reversal_swaps_the_ends(luma: np.ndarray) -> None:
    found = measured(luma)
    assert measured(luma[:, ::-1]) == found
    assert measured(luma[:, :, ::-1]) == found
    back = measured(luma[::-1])
    for one, other in (("lead", "trail"), ("first_step", "last_step")):
        assert back[one] == found[other]
    for name in ("exact", "same", "longest", "still", "motion", "border", "ping_pong", "loop", "cuts", "flicker"):
        assert (back[name] is None) == (found[name] is None)
        assert back[name] is None or back[name] == pytest.approx(found[name], rel=1e-4, abs=1e-6), name


def test_long_clips_are_worked_on_in_parts() -> None:
    rng = np.random.default_rng(1)
    luma = rng.integers(0, 256, (5000, 4, 4)).astype(np.uint8)
    luma[2046:2051] = luma[2046]  # a freeze over the seam
    luma[:, 0, 0] = 7
    found = measured(luma)
    assert found["longest"] == pytest.approx(4 / FPS)
    assert found["still"] == pytest.approx(1 / 16)
    change = np.abs(np.diff(luma.astype(int), axis=0))
    assert found["motion"] == pytest.approx(change.mean(), rel=1e-5)


def test_nothing_and_one_picture() -> None:
    assert freeze.measure(empty_pictures()) == dict.fromkeys(NAMES)
    assert freeze.measure(pictures_of(np.zeros((1, 9, 9), np.uint8))) == dict.fromkeys(NAMES)


@pytest.mark.slow
def test_cues_cost_less_than_decoding(tmp_path) -> None:
    path = encode(tmp_path / "clip.mp4", scene(75, 224, 224), crf="21")
    pictures = pictures_of(*decode(path)[:1])

    def least(work) -> float:
        spans = []
        for _ in range(9):
            start = time.perf_counter()
            work()
            spans.append(time.perf_counter() - start)
        return min(spans)

    cues = least(lambda: [family.measure(pictures) for family in (picture, history, freeze)])
    assert cues < 0.8 * least(lambda: decode(path))
