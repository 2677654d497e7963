from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawn_face import big, envelope, job_of, sound_of, with_sound
from hypothesis import given, settings
from hypothesis import strategies as st

from cmdfd.errors import JobError
from generators.audio.dsp import speech_level
from generators.video.drive import (
    WIDTH_LIMIT,
    brightness,
    driven_opening,
    driven_width,
    driving_sound,
    loudness,
    roughness,
)

RATE, FPS = 16000, 25.0


def genuine(seed: int, n: int = 60) -> np.ndarray:
    """Openings of some mouth: smooth, closed now and then."""
    return np.maximum(0.12 * envelope(1000 + seed, n) + 0.01, 0.012)


def plain_loudness(audio: np.ndarray, n: int) -> np.ndarray:
    """A second formula: RMS of each frame's own samples, no filter and no window."""
    hop = round(RATE / FPS)
    return np.array([np.sqrt(np.mean(audio[k * hop : (k + 1) * hop].astype(float) ** 2)) for k in range(n)])


@given(seed=st.integers(0, 500), first=st.integers(0, 20), length=st.integers(20, 40))
@settings(max_examples=25)
def test_a_driven_mouth_has_the_genuine_openings_in_another_order(seed: int, first: int, length: int) -> None:
    own, sound = genuine(seed), sound_of(envelope(seed, 60), seed)
    inside = range(first, min(first + length, 60))
    driven = driven_opening(sound, RATE, FPS, own, inside)
    window = slice(inside.start, inside.stop)
    np.testing.assert_allclose(np.sort(driven[window]), np.sort(own[window]), atol=0.02)
    assert abs(driven[window].mean() - own[window].mean()) < 0.003
    outside = np.ones(60, bool)
    outside[window] = False
    assert np.array_equal(driven[outside], own[outside])
    # no more hasty than genuine, unless even the strongest smoothing is not enough
    calm = roughness(own[window])
    assert roughness(driven[window]) <= calm or roughness(driven[window]) < 0.6


@pytest.mark.parametrize("seed", range(4))
def test_openings_follow_the_sound_and_nothing_else(seed: int) -> None:
    n = 150
    own = genuine(seed, n)
    sound, other = sound_of(envelope(seed, n), seed), sound_of(envelope(seed + 50, n), seed)
    driven = driven_opening(sound, RATE, FPS, own)
    level = np.sqrt(plain_loudness(sound, n))
    assert np.corrcoef(driven, level)[0, 1] > 0.75
    assert np.corrcoef(driven, level)[0, 1] > np.corrcoef(driven, np.sqrt(plain_loudness(other, n)))[0, 1] + 0.4
    lags = [np.corrcoef(np.roll(driven, lag)[5:-5], level[5:-5])[0, 1] for lag in range(-3, 4)]
    assert int(np.argmax(lags)) == 3  # at lag 0


@pytest.mark.parametrize("frame", [7, 20, 41])
def test_a_burst_opens_the_mouth_in_the_very_frame(frame: int) -> None:
    own = genuine(3)
    burst = np.zeros(60)
    sound = sound_of(burst, 1)
    hop = round(RATE / FPS)
    sound[frame * hop : (frame + 1) * hop] += 0.3 * np.random.default_rng(0).standard_normal(hop).astype(np.float32)
    assert int(np.argmax(loudness(sound, RATE, FPS, 60))) == frame
    driven = driven_opening(sound, RATE, FPS, own)
    assert int(np.argmax(driven)) == frame and driven[frame] == pytest.approx(own.max())


def test_a_mouth_holds_still_in_digital_silence() -> None:
    sound = sound_of(envelope(2, 60), 2)
    sound[20 * 640 : 40 * 640] = 0
    driven = driven_opening(sound, RATE, FPS, genuine(2))
    assert np.ptp(driven[24:36]) == 0 and driven[30] < np.median(driven)


def test_hum_and_hiss_do_not_open_a_mouth() -> None:
    hum = 0.5 * np.sin(2 * np.pi * 60 * np.arange(RATE) / RATE).astype(np.float32)
    vowel = 0.5 * np.sin(2 * np.pi * 900 * np.arange(RATE) / RATE).astype(np.float32)
    assert loudness(hum, RATE, FPS, 25)[12] < 0.2 * loudness(vowel, RATE, FPS, 25)[12]
    assert loudness(vowel, RATE, FPS, 25)[12] == pytest.approx((0.5 / np.sqrt(2)) ** 0.5, rel=0.03)
    assert loudness(vowel, RATE, FPS, 60)[40] == 0.0  # behind the end


def test_bright_sounds_spread_the_lips_and_dark_ones_round_them() -> None:
    from scipy.signal import butter, sosfilt

    noise = np.random.default_rng(0).standard_normal(60 * 640)
    bright = sosfilt(butter(4, (1800, 4500), "bandpass", fs=RATE, output="sos"), noise)
    dark = sosfilt(butter(4, (300, 800), "bandpass", fs=RATE, output="sos"), noise)
    sound = np.where(np.arange(len(noise)) < 30 * 640, bright, dark).astype(np.float32)
    colour = brightness(sound, RATE, FPS, 60)
    assert colour[5:25].min() > colour[35:55].max()
    own = 0.8 + 0.05 * np.sin(np.arange(60))
    factors = driven_width(sound, RATE, FPS, own, range(5, 55))
    assert (own * factors)[8:25].mean() > (own * factors)[35:52].mean() + 0.03
    assert np.abs(factors - 1).max() <= WIDTH_LIMIT + 1e-12
    assert (factors[:5] == 1).all() and (factors[55:] == 1).all()


@pytest.mark.parametrize("sound", [np.zeros(RATE, np.float32), np.full(RATE, np.nan, np.float32)])
def test_silence_and_nonsense_drive_nothing(sound: np.ndarray) -> None:
    with pytest.raises(JobError) as caught:
        driven_opening(sound, RATE, FPS, genuine(0, 25))
    assert caught.value.code == "audio_invalid"


def test_the_driving_sound_comes_to_the_takes_level_and_clock() -> None:
    take, donor = with_sound(big("one"), 1), with_sound(big("two"), 2)
    donor = replace(donor, audio=0.1 * donor.audio)
    sound = driving_sound(job_of("video/lip_warp", take, donor), "test")
    assert sound.shape == take.audio.shape and sound.dtype == np.float32
    assert speech_level(sound, RATE) == pytest.approx(speech_level(take.audio, RATE), rel=0.03)
    assert np.corrcoef(sound, donor.audio[: len(sound)])[0, 1] > 0.9999
    # at another rate, and still sample by sample
    spectrum = np.fft.rfft(donor.audio)
    three = 3 * np.fft.irfft(np.pad(spectrum, (0, 3 * len(donor.audio) // 2 + 1 - len(spectrum))), 3 * len(donor.audio))
    fast = replace(donor, audio=three.astype(np.float32), sample_rate=3 * RATE)
    assert np.corrcoef(driving_sound(job_of("video/lip_warp", take, fast), "test"), sound)[0, 1] > 0.98
    # the take's own sound is not touched
    assert driving_sound(job_of("video/lip_warp", take, take), "test") is take.audio


def test_drivers_that_are_refused() -> None:
    take, donor = with_sound(big("one"), 1), with_sound(big("two"), 2)
    silent = replace(donor, audio=np.zeros_like(donor.audio))
    for other, code in (
        (None, "input_unsupported"), (replace(donor, audio=donor.audio[:RATE]), "input_unsupported"),
        (silent, "audio_invalid"),
    ):  # fmt: skip
        with pytest.raises(JobError) as caught:
            driving_sound(job_of("video/lip_warp", take, other), "test")
        assert caught.value.code == code
