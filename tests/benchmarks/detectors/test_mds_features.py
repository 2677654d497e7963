"""Cepstra against the real python_speech_features, alignment of bands and frames, crops on a drawn face."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.detectors.mds.features import (
    chunk_cepstra,
    fit_columns,
    frame_grid,
    log_mel,
    mfcc,
    mini_features,
    released_features,
    resample,
)
from benchmarks.detectors.mds.presets import MiniConfig, ReleasedConfig
from cmdfd.errors import MediaError
from cmdfd.faces.tracks import FaceTrack

MINI, RELEASED = MiniConfig(), ReleasedConfig()


class DrawnView:
    """A clip drawn on the spot: a grey face with a mouth that opens with the sound."""

    def __init__(self, seconds: float = 2.0, fps: float = 25.0, rate: int = 16000, name: str = "drawn") -> None:
        self.id, self.fps, self.sample_rate = name, fps, rate
        self.n = round(seconds * fps)
        t = np.arange(round(seconds * rate)) / rate
        self.sound = (0.3 * np.sin(2 * np.pi * 220 * t) * (0.5 + 0.5 * np.sin(2 * np.pi * 3 * t))).astype(np.float32)
        self.height = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * np.arange(self.n) / fps)

    def frames(self) -> NDArray[np.uint8]:
        frames = np.full((self.n, 160, 160, 3), 150, np.uint8)
        for frame, opening in zip(frames, self.height, strict=False):
            frame[100 : 104 + round(12 * opening), 64:96] = 30
        return frames

    def audio(self) -> NDArray[np.float32]:
        return self.sound

    def track(self) -> FaceTrack:
        face = np.zeros((68, 2), np.float32)
        for point, at in ((36, (0.3, 0.4)), (39, (0.42, 0.4)), (42, (0.58, 0.4)), (45, (0.7, 0.4))):
            face[point] = at
        times = np.arange(self.n) / self.fps
        return FaceTrack(times, np.repeat(face[None], self.n, 0), np.ones(self.n, bool), "drawn")


@pytest.mark.parametrize("rate", [48000, 16000, 44100])
@pytest.mark.parametrize("seconds", [1.0, 0.5, 0.003, 1.234])
def test_mfcc_equals_python_speech_features(rate: int, seconds: float) -> None:
    reference = pytest.importorskip("python_speech_features")
    rng = np.random.default_rng(rate)
    samples = (rng.normal(0, 3000, round(rate * seconds)) + 200).astype(np.int16)
    wanted = reference.mfcc(samples, rate, nfft=2048).T
    np.testing.assert_allclose(mfcc(samples, rate), wanted, rtol=1e-5, atol=1e-4)


def test_mfcc_of_silence_equals_python_speech_features() -> None:
    reference = pytest.importorskip("python_speech_features")
    samples = np.zeros(48000, np.int16)
    np.testing.assert_allclose(mfcc(samples, 48000), reference.mfcc(samples, 48000, nfft=2048).T, rtol=1e-5)


@pytest.mark.parametrize("rate", [48000, 16000])
def test_one_second_has_99_columns(rate: int) -> None:
    assert mfcc(np.ones(rate), rate).shape == (13, 99)


@given(st.integers(1, 200))
def test_columns_are_cut_or_padded_to_99(n: int) -> None:
    cepstra = np.arange(13 * n, dtype=np.float32).reshape(13, n)
    fitted = fit_columns(cepstra, 99)
    assert fitted.shape == (13, 99)
    np.testing.assert_array_equal(fitted[:, : min(n, 99)], cepstra[:, :99])
    assert (fitted[:, min(n, 99) :] == cepstra[:, -1:]).all()


def test_cepstra_are_on_the_scale_of_16_bit_integers() -> None:
    reference = pytest.importorskip("python_speech_features")
    rng = np.random.default_rng(0)
    integers = rng.integers(-9000, 9000, 48000).astype(np.int16)
    ours = chunk_cepstra((integers / 32768).astype(np.float32), 48000, 1, RELEASED)
    np.testing.assert_allclose(ours[0], reference.mfcc(integers, 48000, nfft=2048).T, rtol=1e-4, atol=1e-3)


@given(st.integers(8, 60))
@settings(max_examples=20)
def test_a_click_in_frame_t_peaks_in_the_bands_of_frame_t(frame: int) -> None:
    samples = np.zeros(16000 * 3, np.float32)
    samples[round((frame + 0.5) / 25 * 16000)] = 1.0
    energy = log_mel(samples, 75, MINI).sum(1)
    assert int(energy.argmax()) // 4 == frame
    per_frame = np.exp(log_mel(samples, 75, MINI)).sum(1).reshape(75, 4).sum(1)
    assert per_frame[frame - 1] == pytest.approx(per_frame[frame + 1], rel=0.05), "bands lean to one side"


def test_a_tone_lights_up_its_own_band() -> None:
    corners = 700 * (10 ** (np.linspace(*(2595 * np.log10(1 + np.array([60, 7600]) / 700)), 42) / 2595) - 1)
    for band in (5, 20, 35):
        tone = np.sin(2 * np.pi * corners[band + 1] * np.arange(16000) / 16000).astype(np.float32)
        assert int(log_mel(tone, 25, MINI)[40:60].mean(0).argmax()) == band


@pytest.mark.parametrize(("rate", "wanted"), [(48000, 16000), (16000, 48000), (44100, 16000)])
def test_resampling_delays_nothing(rate: int, wanted: int) -> None:
    t = np.arange(rate) / rate
    pulse = np.exp(-0.5 * ((t - 0.5) / 0.002) ** 2).astype(np.float32)
    out = resample(pulse, rate, wanted)
    assert len(out) == wanted
    assert abs(int(out.argmax()) - wanted // 2) <= 1


@given(st.sampled_from([12.0, 23.976, 25.0, 29.97, 30.0, 50.0, 60.0]), st.integers(30, 150), st.sampled_from([25, 30]))
def test_grid_takes_the_nearest_frame(fps: float, n: int, wanted: float) -> None:
    grid = frame_grid(n, fps, wanted, n / fps)
    assert grid[0] == 0 and grid[-1] < n and (np.diff(grid) >= 0).all()
    moments = np.arange(len(grid)) / wanted
    inside = moments <= (n - 1) / fps
    assert (np.abs(grid / fps - moments)[inside] <= 0.5 / fps + 1e-9).all()
    assert abs(len(grid) / wanted - n / fps) <= 0.5 / wanted + 1e-9


def test_mini_features_of_a_drawn_clip() -> None:
    arrays = mini_features(DrawnView(), MINI)
    assert {name: (a.dtype, a.shape) for name, a in arrays.items()} == {
        "mouth": (np.uint8, (50, 48, 64)),
        "mel": (np.float16, (200, 40)),
    }
    darkness = 255 - arrays["mouth"].astype(float).mean((1, 2))
    opening = DrawnView().height
    assert np.corrcoef(darkness, opening)[0, 1] > 0.95
    loudness = arrays["mel"].astype(float).max(1).reshape(50, 4).mean(1)
    assert np.corrcoef(loudness, opening)[0, 1] > 0.8


@pytest.mark.parametrize(("fps", "rate"), [(50.0, 48000), (30.0, 44100), (12.5, 16000)])
def test_other_rates_give_the_same_grid(fps: float, rate: int) -> None:
    arrays = mini_features(DrawnView(fps=fps, rate=rate), MINI)
    assert arrays["mouth"].shape == (50, 48, 64) and arrays["mel"].shape == (200, 40)


def test_released_features_are_whole_seconds_in_order() -> None:
    view = DrawnView(seconds=2.7)
    view.frames = lambda: (
        np.repeat(np.arange(view.n, dtype=np.uint8)[:, None, None, None], 3, 3)
        + np.zeros(  # type: ignore[method-assign]
            (1, 160, 160, 1), np.uint8
        )
    )
    config = ReleasedConfig(image_size=32)
    arrays = released_features(view, config)
    assert arrays["face"].shape == (2, 30, 32, 32, 3) and arrays["mfcc"].shape == (2, 13, 99)
    order = arrays["face"][:, :, 16, 16, 0].ravel().astype(int)
    assert (np.diff(order) >= 0).all() and order[0] == 0 and order[-1] == 49


def test_features_are_repeatable() -> None:
    first, second = mini_features(DrawnView(), MINI), mini_features(DrawnView(), MINI)
    assert all((first[name] == second[name]).all() for name in first)


@pytest.mark.parametrize("kind", ["mini", "released"])
@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda view: setattr(view, "sound", np.zeros(0, np.float32)), "no_audio"),
        (lambda view: setattr(view, "sound", view.sound[:9000]), "too_short"),
        (lambda view: setattr(view, "n", 1), "too_short"),
        (lambda view: setattr(view, "n", 0), "too_short"),
        (lambda view: view.sound.__setitem__(5, np.nan), "decode_failed"),
        (lambda view: setattr(view, "fps", 0.0), "decode_failed"),
    ],
)
def test_unusable_clips_are_refused_by_name(kind: str, spoil: object, code: str) -> None:
    view = DrawnView()
    spoil(view)  # type: ignore[operator]
    with pytest.raises(MediaError) as caught:
        mini_features(view, MINI) if kind == "mini" else released_features(view, RELEASED)
    assert caught.value.code == code


def test_a_clip_without_face_is_refused() -> None:
    view = DrawnView()
    empty = FaceTrack(np.zeros(0), np.zeros((0, 68, 2), np.float32), np.zeros(0, bool), "none")
    view.track = lambda: empty  # type: ignore[method-assign]
    with pytest.raises(MediaError, match="no_face"):
        mini_features(view, MINI)
