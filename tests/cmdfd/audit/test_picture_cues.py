"""Levels, bars, sharpness and noise on pictures whose answers are known."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pictures_of import decode, empty_pictures, encode, pictures_of, scene

from cmdfd.audit.cues import picture
from cmdfd.audit.cues.figures import DETAIL_PIXELS, in_detail, tidy

NAMES = {cue.name for cue in picture.CUES}
LIMITED = SimpleNamespace(colour="1/1/1/1", pix_fmt="yuv420p")
FULL = SimpleNamespace(colour="2/1/1/1", pix_fmt="yuv420p")


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    return scene(30, 96, 128, seed=1)


def test_catalogue_is_well_formed() -> None:
    assert len(NAMES) == len(picture.CUES)
    assert all(cue.family == "picture" and cue.rule and cue.remedy and cue.source for cue in picture.CUES)


def test_levels_agree_with_numpy(clip: np.ndarray) -> None:
    pictures = pictures_of(clip)
    found = picture.measure(pictures, LIMITED)
    luma = pictures.luma.astype(float)
    assert found["picture.brightness"] == pytest.approx(luma.mean(), rel=1e-5)
    assert found["picture.contrast"] == pytest.approx(luma.std(), rel=1e-5)
    for name, share in (("black", 0.5), ("white", 99.5)):
        assert found[f"picture.{name}"] == np.percentile(pictures.luma, share, method="inverted_cdf")


def test_full_range_in_a_limited_stream_shows(clip: np.ndarray) -> None:
    clip = clip.copy()
    clip[:, :8] = np.linspace(16, 235, 128).round()  # both ends of limited range are in use
    stretched = np.clip(np.round((clip.astype(float) - 16) * 255 / 219), 0, 255).astype(np.uint8)
    within, beyond = (picture.measure(pictures_of(one), LIMITED) for one in (clip, stretched))
    assert within["picture.out_of_range"] == within["picture.below_16"] == within["picture.above_235"] == 0
    expected = np.mean(pictures_of(stretched).luma < 16), np.mean(pictures_of(stretched).luma > 235)
    assert (beyond["picture.below_16"], beyond["picture.above_235"]) == pytest.approx(expected, rel=1e-5)
    assert beyond["picture.out_of_range"] == pytest.approx(sum(expected), rel=1e-5)
    assert min(expected) > 0
    assert beyond["picture.comb"] > 1.5 * within["picture.comb"]  # stretching leaves every eighth level empty


@pytest.mark.parametrize(
    "facts", [FULL, *(SimpleNamespace(colour="0/2/2/2", pix_fmt=f) for f in ("yuvj420p", "rgb24"))]
)
def test_a_declared_full_range_is_no_contradiction(clip: np.ndarray, facts: SimpleNamespace) -> None:
    assert picture.measure(pictures_of(clip), facts)["picture.out_of_range"] is None


@pytest.mark.parametrize("noise", [0, 2])
@pytest.mark.parametrize("bars", [(12, 0, 0, 0), (0, 7, 0, 0), (12, 12, 0, 0), (0, 0, 16, 16), (5, 6, 7, 8)])
def test_planted_bars_are_measured_to_the_row(clip: np.ndarray, bars: tuple[int, int, int, int], noise: int) -> None:
    top, bottom, left, right = bars
    rng = np.random.default_rng(0)
    barred = np.clip(16 + rng.normal(0, 1, clip.shape) * noise, 0, 255).round().astype(np.uint8)
    inside = np.s_[:, top : 96 - bottom, left : 128 - right]
    barred[inside] = np.maximum(clip[inside], 60)
    found = picture.measure(pictures_of(barred))
    sides = [found[f"picture.bar_{side}"] for side in ("top", "bottom", "left", "right")]
    assert sides == pytest.approx([top / 96, bottom / 96, left / 128, right / 128], rel=1e-5)


def test_bars_need_every_picture_and_a_picture(clip: np.ndarray) -> None:
    barred = clip.copy()
    barred[:, :20] = 16
    barred[0, :10] = 90  # one picture that lights up half of it
    assert picture.measure(pictures_of(barred))["picture.bar_top"] == 0
    black = np.full((3, 20, 20), 17, np.uint8)
    assert picture.measure(pictures_of(black))["picture.bar_top"] is None


def test_sharpness_agrees_with_the_formula(clip: np.ndarray) -> None:
    pictures = pictures_of(clip)
    x = pictures.luma.astype(float)
    inner = x[:, 1:-1, 1:-1]
    laplacian = x[:, :-2, 1:-1] + x[:, 2:, 1:-1] + x[:, 1:-1, :-2] + x[:, 1:-1, 2:] - 4 * inner
    found = picture.measure(pictures)
    assert found["picture.sharpness"] == pytest.approx(laplacian.var(axis=(1, 2)).mean(), rel=1e-5)
    energy = laplacian**2
    h, w = energy.shape[1:]
    middle = energy[:, h // 4 : h - h // 4, w // 4 : w - w // 4]
    assert found["picture.sharp_centre"] == pytest.approx(middle.sum() / energy.sum(), rel=1e-5)


def test_blur_of_the_middle_shows_in_the_middle(clip: np.ndarray) -> None:
    blurred = clip.copy()
    for one in blurred:
        one[24:72, 32:96] = cv2.GaussianBlur(one[24:72, 32:96], (0, 0), 2)
    before, after = (picture.measure(pictures_of(one)) for one in (clip, blurred))
    assert after["picture.sharp_centre"] < 0.5 * before["picture.sharp_centre"]
    assert after["picture.sharpness"] < before["picture.sharpness"]


@pytest.mark.parametrize("sigma", [1.0, 3.0, 8.0])
def test_noise_is_estimated_in_levels(sigma: float) -> None:
    rng = np.random.default_rng(2)
    ramp = np.linspace(90, 160, 160)
    noisy = np.round(ramp + rng.normal(0, sigma, (8, 120, 160))).astype(np.uint8)
    found = picture.measure(pictures_of(noisy))
    assert found["picture.noise"] == pytest.approx(np.hypot(sigma, 1 / np.sqrt(12)), rel=0.05)
    assert 0.5 * sigma < found["picture.flat_noise"] < found["picture.noise"]


def test_flat_noise_does_not_mind_texture(clip: np.ndarray) -> None:
    rng = np.random.default_rng(3)
    half = np.full((4, 96, 128), 120.0)
    half[:, :, :64] += rng.normal(0, 40, (4, 96, 64)).round()
    half += rng.normal(0, 1.5, half.shape)
    found = picture.measure(pictures_of(np.clip(half.round(), 0, 255).astype(np.uint8)))
    assert found["picture.noise"] > 15
    assert 0.75 < found["picture.flat_noise"] < 1.6


def test_fine_detail_between_its_ends(clip: np.ndarray) -> None:
    board = np.indices((64, 64)).sum(axis=0) % 2 * 200
    doubled = clip[:, ::2, ::2].repeat(2, axis=1).repeat(2, axis=2)
    cases = ((np.stack([board] * 2), 1.0), (np.full((2, 64, 64), 99), 0.0), (doubled, 0.0))
    for luma, expected in cases:
        assert picture.measure(pictures_of(luma.astype(np.uint8)))["picture.fine_detail"] == pytest.approx(expected)
    blocks = pictures_of(clip).luma.astype(float).reshape(-1, 48, 2, 64, 2)
    inside = ((blocks - blocks.mean(axis=(2, 4), keepdims=True)) ** 2).sum()
    whole = sum(((one - one.mean()) ** 2).sum() for one in blocks)
    assert picture.measure(pictures_of(clip))["picture.fine_detail"] == pytest.approx(inside / whole, rel=1e-4)


def test_colour_is_the_mean_of_what_is_known(clip: np.ndarray) -> None:
    pictures = pictures_of(clip[:3])
    tinted = replace(pictures, chroma=np.array([[125.0, 132.0], [np.nan, np.nan], [125.0, 132.0]]))
    found = picture.measure(tinted)
    assert (found["picture.blue"], found["picture.red"], found["picture.cast"]) == (125, 132, 5)
    unknown = picture.measure(replace(pictures, chroma=np.full((3, 2), np.nan)))
    assert unknown["picture.cast"] is None


@given(luma=arrays(np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 21), st.integers(1, 21))))
def test_any_picture_gives_numbers_or_none(luma: np.ndarray) -> None:
    found = picture.measure(pictures_of(luma), LIMITED)
    assert set(found) == NAMES
    assert all(value is None or (isinstance(value, float) and math.isfinite(value)) for value in found.values())


@given(
    luma=arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 10).map(lambda n: 2 * n))),
    across=st.booleans(),
)
def test_a_mirror_swaps_the_sides_only(luma: np.ndarray, across: bool) -> None:
    if not across:
        luma = np.ascontiguousarray(luma.transpose(0, 2, 1))
    mirrored = np.ascontiguousarray(luma[:, :, ::-1] if across else luma[:, ::-1])
    before, after = (picture.measure(pictures_of(one)) for one in (luma, mirrored))
    one, other = ("picture.bar_left", "picture.bar_right") if across else ("picture.bar_top", "picture.bar_bottom")
    before[one], before[other] = before[other], before[one]
    for name in NAMES - {"picture.flat_noise"}:  # its blocks begin at the corner
        assert (after[name] is None) == (before[name] is None), name
        assert after[name] is None or after[name] == pytest.approx(before[name], rel=1e-4, abs=1e-6), name


def test_nothing_decoded_gives_nothing() -> None:
    assert picture.measure(empty_pictures()) == dict.fromkeys(NAMES)


def test_large_pictures_are_sampled() -> None:
    large = np.broadcast_to(np.arange(16, dtype=np.uint8)[:, None, None], (16, 1080, 1920))
    assert in_detail(large)[:, 0, 0].tolist() == [4, 12]
    small = large[:, :128, :256]
    assert len(in_detail(small)) == DETAIL_PIXELS // (128 * 256) == 8
    assert len(in_detail(large[:1])) == 1
    assert in_detail(large[:, :256, :256])[:, 0, 0].tolist() == [2, 6, 10, 14]


def test_tidy_drops_noise_of_binary_fractions() -> None:
    assert tidy(0.1 + 0.2) == tidy(0.3) == 0.3
    assert tidy(float("nan")) is tidy(float("inf")) is tidy(None) is None
    assert math.copysign(1, tidy(-0.0)) == 1


def test_a_coarser_x264_takes_detail_and_noise(tmp_path, clip: np.ndarray) -> None:
    fine, coarse = (
        picture.measure(pictures_of(decode(encode(tmp_path / f"{crf}.mp4", clip, crf=crf, preset="fast"))[0]))
        for crf in ("16", "38")
    )
    for name in ("sharpness", "noise", "flat_noise", "fine_detail"):
        assert coarse[f"picture.{name}"] < 0.92 * fine[f"picture.{name}"], name
    assert coarse["picture.brightness"] == pytest.approx(fine["picture.brightness"], abs=1.5)
