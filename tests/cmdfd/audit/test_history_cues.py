"""Blocks, spectra and rhythms that earlier encodings leave, planted and real."""

from __future__ import annotations

import math
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pictures_of import decode, empty_pictures, encode, pictures_of, scene

from cmdfd.audit.cues import freeze, history, picture
from cmdfd.audit.reading import Packets, read_facts

NAMES = {cue.name for cue in history.CUES}
CATEGORIES = {cue.name for cue in history.CUES if cue.categorical}


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    return scene(8, 160, 192, seed=1)


def packets(sizes: np.ndarray, keys: np.ndarray, order: np.ndarray | None = None) -> SimpleNamespace:
    """Facts with nothing but packets, stored in `order`."""
    times = np.arange(len(sizes)) / 25
    order = np.arange(len(sizes)) if order is None else order
    return SimpleNamespace(
        packets=Packets(times[order], np.full(len(sizes), 0.04), sizes[order].astype(np.int64), keys[order], 0)
    )


def jpeg(luma: np.ndarray, quality: int) -> np.ndarray:
    coded = (cv2.imencode(".jpg", one, [cv2.IMWRITE_JPEG_QUALITY, quality])[1] for one in luma)
    return np.stack([cv2.imdecode(one, cv2.IMREAD_GRAYSCALE) for one in coded])


def test_catalogue_is_well_formed() -> None:
    assert len(NAMES) == len(history.CUES)
    assert all(cue.family == "history" and cue.rule and cue.remedy and cue.source for cue in history.CUES)


def test_jpeg_blocks_grow_with_compression(clip: np.ndarray) -> None:
    found = [history.measure(pictures_of(one)) for one in (clip, jpeg(clip, 60), jpeg(clip, 15))]
    for axis in "xy":
        raw, fine, coarse = (one[f"history.block8_{axis}"] for one in found)
        assert abs(raw) < 0.06
        assert raw + 0.02 < fine < coarse
        assert coarse > 0.5
        assert found[2][f"history.grid_{axis}"] == "0"
        assert found[2][f"history.off_grid_{axis}"] < 0.2


@pytest.mark.parametrize(("left", "top"), [(3, 5), (4, 0), (0, 1)])
def test_a_crop_moves_the_grid(clip: np.ndarray, left: int, top: int) -> None:
    found = history.measure(pictures_of(np.ascontiguousarray(jpeg(clip, 15)[:, top:, left:])))
    for axis, cut in (("x", left), ("y", top)):
        assert found[f"history.grid_{axis}"] == str(-cut % 8)
        assert (found[f"history.off_grid_{axis}"] > 0.5) == (cut > 0)
        assert (found[f"history.block8_{axis}"] > 0.5) == (cut == 0)


@pytest.mark.parametrize("side", [8, 16])
def test_macroblocks_are_told_from_blocks(side: int) -> None:
    rng = np.random.default_rng(4)
    offsets = rng.normal(0, 3, (4, 160 // side, 192 // side)).repeat(side, axis=1).repeat(side, axis=2)
    luma = np.round(120 + offsets + rng.normal(0, 2, (4, 160, 192))).astype(np.uint8)
    found = history.measure(pictures_of(luma))
    for axis in "xy":
        assert (found[f"history.block16_{axis}"] > 0.3) == (side == 16)
        assert found[f"history.grid_{axis}"] == "0" or side == 16


def test_white_noise_fills_the_spectrum() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (4, 200, 226)).astype(np.uint8)
    found = history.measure(pictures_of(noise))
    # the gradient's energy below f (share of Nyquist) is f - sin(pi f) / pi
    share = np.linspace(0, 1, 10001)
    expected = share[np.searchsorted(share - np.sin(np.pi * share) / np.pi, 0.95)]
    for axis in "xy":
        assert found[f"history.cut_off_{axis}"] > 0.98
        assert found[f"history.roll_off_{axis}"] == pytest.approx(expected, abs=0.01)


def test_the_spectrum_is_welchs() -> None:
    from scipy.signal import welch

    rows = np.random.default_rng(1).integers(0, 256, (300, 512)).astype(np.uint8)
    ours = history._power(rows)
    _, density = welch(rows.astype(float), window="hann", nperseg=256, noverlap=0, return_onesided=False, axis=1)
    assert ours[1:128] == pytest.approx(density.mean(axis=0)[1:128], rel=1e-4)


@pytest.mark.parametrize("how", [cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4])
def test_scaling_up_leaves_a_cut_off(how: int) -> None:
    rng = np.random.default_rng(5)
    # power falling as 1 / f^2: the gradient of natural pictures is white
    walk = np.cumsum(rng.normal(0, 1, (4, 112, 112)), axis=2) + np.cumsum(rng.normal(0, 1, (4, 112, 112)), axis=1)
    small = np.clip(120 + 6 * (walk - walk.mean(axis=(1, 2), keepdims=True)), 0, 255).astype(np.uint8)
    large = np.stack([cv2.resize(one, (224, 224), interpolation=how) for one in small])
    before, after = (history.measure(pictures_of(one)) for one in (small, large))
    for axis in "xy":
        assert before[f"history.cut_off_{axis}"] > 0.95
        assert after[f"history.cut_off_{axis}"] < 0.72  # kernels are no brick walls
        assert after[f"history.roll_off_{axis}"] < 0.7 * before[f"history.roll_off_{axis}"]


@pytest.mark.parametrize("stored", ["shown", "reordered"])
@pytest.mark.parametrize("period", [6, 12])
def test_a_rhythm_of_frame_sizes_is_found(period: int, stored: str) -> None:
    rng = np.random.default_rng(6)
    sizes, keys = np.exp(rng.normal(7, 0.05, 90)), np.zeros(90, bool)
    sizes[period::period] *= 1.5
    sizes[0], keys[0] = 40000, True
    order = np.arange(90)
    if stored == "reordered":
        order[1:] = order[1:][::-1]  # storage need not follow display
    found = history.measure(empty_pictures(), packets(sizes, keys, order))
    assert found["history.size_period"] == period
    assert found["history.size_periodicity"] > 0.8
    plain = history.measure(empty_pictures(), packets(np.exp(rng.normal(7, 0.05, 90)), keys))
    assert plain["history.size_periodicity"] < 0.5


def test_the_present_plan_is_no_rhythm() -> None:
    rng = np.random.default_rng(7)
    types = "I" + "BBP" * 30
    sizes = np.exp(rng.normal(7, 0.05, 91)) * np.array([{"I": 9, "P": 2, "B": 0.5}[letter] for letter in types])
    pictures = pictures_of(np.zeros((91, 4, 4), np.uint8), types=types)
    found = history.measure(pictures, packets(sizes, np.arange(91) == 0))
    assert found["history.size_periodicity"] < 0.5
    assert found["history.residual_periodicity"] == 0
    assert found["history.residual_period"] is None


def test_an_earlier_group_of_pictures_shows_after_x264(tmp_path) -> None:
    clip = scene(61, 128, 128, seed=3)
    common = {"preset": "veryfast", "bf": "0", "sc_threshold": "0"}
    once, _ = decode(encode(tmp_path / "once.mp4", clip, crf="22", g="250", **common))
    earlier, _ = decode(encode(tmp_path / "earlier.mp4", clip, crf="32", g="10", **common))
    path = encode(tmp_path / "twice.mp4", earlier, crf="22", g="250", **common)
    twice, types = decode(path)
    assert types == "I" + "P" * 60
    found = history.measure(pictures_of(twice, types=types), read_facts(path).video)
    control = history.measure(pictures_of(once, types=types), read_facts(tmp_path / "once.mp4").video)
    assert found["history.residual_period"] == 10
    assert found["history.residual_periodicity"] > 0.6 > control["history.residual_periodicity"]
    assert found["history.size_period"] == 10
    assert found["history.size_periodicity"] > 0.6 > control["history.size_periodicity"]


def test_a_coarser_encoder_leaves_more_blocks(tmp_path, clip: np.ndarray) -> None:
    def blocks(name: str, **options: str) -> float:
        found = history.measure(pictures_of(decode(encode(tmp_path / name, clip, **options))[0]))
        return found["history.block8_x"] + found["history.block8_y"]

    open_loop = {"preset": "fast", "x264-params": "no-deblock=1:8x8dct=1"}
    fine, coarse = (blocks(f"open{crf}.mp4", crf=crf, **open_loop) for crf in ("16", "40"))
    assert coarse > fine + 0.1
    fine, coarse = (blocks(f"m{q}.mpg", codec="mpeg2video", qmin=q, qmax=q) for q in ("2", "20"))
    assert coarse > fine + 1


def test_the_plan_of_the_encoder() -> None:
    types = "IBBBPBPPIP?"
    found = history.measure(
        pictures_of(np.zeros((11, 4, 4), np.uint8), types=types, qp=[20, *[26] * 7, 22, 28, np.nan])
    )
    assert found["history.first_type"] == "I"
    assert found["history.types"] == "?BIP"
    assert found["history.i_share"] == pytest.approx(0.2)
    assert found["history.b_share"] == pytest.approx(0.4)
    assert found["history.b_run"] == 3
    assert found["history.i_distance"] == 8
    assert found["history.qp"] == pytest.approx(25.2)
    assert found["history.qp_spread"] == pytest.approx(np.std([20, *[26] * 7, 22, 28]), rel=1e-5)
    assert found["history.qp_of_i"] == pytest.approx((26 * 3 + 28) / 4 - 21)


def test_unknown_types_and_quantisers_are_not_measured() -> None:
    found = history.measure(pictures_of(np.zeros((3, 4, 4), np.uint8)))
    assert found["history.types"] == "?"
    assert all(found[f"history.{name}"] is None for name in ("qp", "qp_of_i", "i_share", "b_run", "i_distance"))


@given(
    luma=arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 28), st.integers(1, 28)), fill=st.just(7)),
    data=st.data(),
)
def test_any_clip_gives_numbers_or_none(luma: np.ndarray, data: st.DataObject) -> None:
    types = data.draw(st.text("IPB?", min_size=len(luma), max_size=len(luma)))
    sizes = data.draw(arrays(np.int64, st.integers(0, 20), elements=st.integers(0, 2**40)))
    qp = data.draw(arrays(np.float64, len(luma), elements=st.floats(0, 63) | st.just(float("nan"))))
    keys = sizes % 3 == 0
    found = history.measure(pictures_of(luma, types=types, qp=qp), packets(sizes, keys))
    assert set(found) == NAMES
    for name, value in found.items():
        if name in CATEGORIES:
            assert value is None or isinstance(value, str)
        else:
            assert value is None or (isinstance(value, float) and math.isfinite(value))


def test_nothing_decoded_gives_nothing() -> None:
    assert history.measure(empty_pictures()) == dict.fromkeys(NAMES)


def test_constant_pictures_have_no_history() -> None:
    found = history.measure(pictures_of(np.full((20, 64, 64), 90, np.uint8)))
    assert all(found[f"history.{name}_{axis}"] == 0 for name in ("block8", "off_grid", "cut_off") for axis in "xy")
    assert found["history.residual_periodicity"] == 0


def test_the_order_of_lines_is_the_axis(clip: np.ndarray) -> None:
    turned = np.ascontiguousarray(jpeg(clip, 30).transpose(0, 2, 1))
    before, after = (history.measure(pictures_of(one)) for one in (jpeg(clip, 30), turned))
    for name in ("block8", "block16", "off_grid", "cut_off", "roll_off"):
        for axis, other in ("xy", "yx"):
            expected = pytest.approx(after[f"history.{name}_{other}"], rel=1e-3, abs=1e-3)
            assert before[f"history.{name}_{axis}"] == expected, name


REAL = ("grid_a_01.mpg", "grid_s1_06.mp4", "marlin_video03_01.mp4", "retalking_face1_01.mp4")


@pytest.mark.parametrize("name", REAL)
def test_real_clips_give_numbers(shared_clips, name: str) -> None:
    luma, types = decode(shared_clips / "video" / name)
    facts = read_facts(shared_clips / "video" / name).video
    pictures = pictures_of(luma, types=types)
    for family in (picture, history, freeze):
        found = family.measure(pictures, facts)
        assert set(found) == {cue.name for cue in family.CUES}
        assert family.measure(pictures, facts) == found
        assert all(value is None or isinstance(value, str) or math.isfinite(value) for value in found.values())
    found = history.measure(pictures, facts)
    if name.startswith("grid"):  # the GRID corpus is MPEG-1 in groups of twelve pictures; the .mp4 encode it anew
        assert found["history.grid_x"] == found["history.grid_y"] == "0"
        assert found["history.i_distance"] == (12 if name.endswith("mpg") else None)
    if name == "grid_s1_06.mp4":
        assert found["history.residual_period"] == 12
