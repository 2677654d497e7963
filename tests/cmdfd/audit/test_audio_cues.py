"""Bandwidth, noise and resolution on sounds whose answers are known, on hostile ones, and on real voices."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import fftconvolve, firwin, lfilter
from sounds import SR, encoded, low_passed, noise, voice

from cmdfd.audit.cues import audio, level, silence
from cmdfd.media.decode import read_audio

NAMES = {cue.name for cue in audio.CUES}
#: What a gain that is a power of two must leave bit by bit.
SCALE_FREE = sorted(NAMES - {"audio.noise_floor", "audio.bits", "audio.levels_used", "audio.first_sample"})


def number(found: dict, name: str) -> float:
    value = found[f"audio.{name}"]
    assert isinstance(value, float), name
    return value


@pytest.mark.parametrize("hertz", [4000, 6000, 7600])
def test_cutoff_is_found_before_and_after_aac(hertz: int, tmp_path: Path) -> None:
    sound = low_passed(voice(), hertz)
    for heard in (sound, encoded(sound, tmp_path / "a.mp4"), np.rint(sound * 32767).astype(np.float32) / 32768):
        assert number(audio.measure(heard, SR), "cutoff") == pytest.approx(hertz, abs=150)


OTHER_RATES = [(22050, 7600), (24000, 8000), (44100, 11025), (48000, 12000), (48000, 8000)]


@pytest.mark.parametrize(("rate", "hertz"), OTHER_RATES)
def test_cutoff_at_other_rates(rate: int, hertz: int) -> None:
    assert number(audio.measure(low_passed(voice(rate=rate), hertz, rate), rate), "cutoff") == pytest.approx(
        hertz, abs=150
    )


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_sound_without_edge_reaches_half_of_its_rate(rate: int, tmp_path: Path) -> None:
    for seed in range(3):
        assert number(audio.measure(voice(rate=rate, seed=seed), rate), "cutoff") == rate / 2
    if rate == SR:
        assert number(audio.measure(encoded(voice(), tmp_path / "a.mp4"), SR), "cutoff") == SR / 2


def test_a_click_or_a_silent_half_does_not_move_the_cutoff() -> None:
    sound = low_passed(voice(4.0), 5000)
    sound[20000] += 0.5
    assert number(audio.measure(sound, SR), "cutoff") == pytest.approx(5000, abs=150)
    sound[32000:] = 0
    assert number(audio.measure(sound, SR), "cutoff") == pytest.approx(5000, abs=150)


def test_share_of_energy_in_bands() -> None:
    # white noise: energy is even over frequency
    white = audio.measure(noise(-20, 3 * 48000), 48000)
    for low, name in audio.BANDS:
        assert number(white, f"above_{name}") == pytest.approx(10 * math.log10(1 - low / 24000), abs=0.1)
    assert number(white, "rolloff_95") == pytest.approx(0.95 * 24000, abs=150)
    assert number(white, "rolloff_99") == pytest.approx(0.99 * 24000, abs=150)
    assert number(white, "tilt") == pytest.approx(0, abs=0.3)
    assert number(white, "noise_flatness") == pytest.approx(0, abs=0.5)
    narrow = audio.measure(noise(-20, 3 * SR), SR)
    assert narrow["audio.above_7600"] == pytest.approx(10 * math.log10(1 - 7600 / 8000), abs=0.7)  # 14 bins
    assert narrow["audio.above_8000"] is narrow["audio.above_11000"] is None
    assert number(audio.measure(low_passed(noise(-20, 3 * SR), 6000), SR), "above_7600") < -70


def test_tilt_of_brown_noise() -> None:
    # a pole at 0.999 falls by 6 dB per octave from 16 Hz on (bilinear bend at 3.8 kHz of 48 kHz is small)
    brown = lfilter([0.05], [1, -0.999], noise(-20, 4 * 48000)).astype(np.float32)
    assert number(audio.measure(brown, 48000), "tilt") == pytest.approx(-6, abs=0.3)


def test_noise_floor_and_speech_level() -> None:
    sound = noise(-60, 3 * SR)
    sound[SR : 2 * SR] = noise(-20, SR, 1)
    found = audio.measure(sound, SR)
    assert number(found, "noise_floor") == pytest.approx(-60, abs=1)
    assert number(found, "speech_to_noise") == pytest.approx(40, abs=2)
    coloured = lfilter([1], [1, -0.95], noise(-60, 3 * SR)).astype(np.float32)
    assert number(audio.measure(coloured, SR), "noise_flatness") < number(found, "noise_flatness") - 2


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
@pytest.mark.parametrize(("hertz", "mains"), [(50, 50), (100, 50), (60, 60), (120, 60)])
def test_hum_is_told_from_speech_and_from_the_other_grid(rate: int, hertz: int, mains: int) -> None:
    sound = voice(rate=rate)
    sound[rate : round(2.2 * rate)] = noise(-65, round(2.2 * rate) - rate)  # a pause between sentences
    clean = audio.measure(sound, rate)
    sound += (0.003 * np.sin(2 * np.pi * hertz * np.arange(len(sound)) / rate)).astype(np.float32)
    found = audio.measure(sound, rate)
    assert number(found, f"hum_{mains}") > 20
    assert number(found, f"hum_{110 - mains}") < 8
    assert max(number(clean, "hum_50"), number(clean, "hum_60")) < 8


def test_decay_follows_the_reverberation_time() -> None:
    rng = np.random.default_rng(0)
    dry = np.zeros(4 * SR, np.float32)
    for k in range(8):
        dry[k * SR // 2 : k * SR // 2 + 800] = 0.3 * rng.standard_normal(800)
    tail = rng.standard_normal(SR) * 10 ** (-3 * np.arange(SR) / SR / 0.5)  # 60 dB in half a second
    wet = fftconvolve(dry, tail)[: len(dry)].astype(np.float32) * 0.05
    assert number(audio.measure(wet, SR), "decay") == pytest.approx(120, rel=0.15)
    floor = noise(-70, len(dry))
    assert number(audio.measure(voice(), SR), "decay") > 150
    assert audio.measure(floor[:SR], SR)["audio.decay"] is None or number(audio.measure(floor, SR), "decay") < 60


def test_resolution_of_the_samples() -> None:
    sound = voice()
    assert audio.measure(sound, SR)["audio.bits"] == 32.0
    for bits in (8, 12, 16):
        full = 2 ** (bits - 1)
        coarse = (np.rint(sound * full) / full).astype(np.float32)
        assert audio.measure(coarse, SR)["audio.bits"] == bits
        share = number(audio.measure(coarse, SR), "levels_used")
        assert share == pytest.approx(1 / 2 ** (16 - bits), abs=0.04)
        # a gain afterwards brings all 16 bits into use, but not all levels
        louder = (np.rint(coarse * 0.7 * 32768) / 32768).astype(np.float32)
        found = audio.measure(louder, SR)
        assert found["audio.bits"] == 16.0
        assert (number(found, "levels_used") < 0.3) == (bits < 16)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 96000])
def test_hostile_sounds_give_finite_values_or_none(rate: int) -> None:
    rng = np.random.default_rng(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in (0, 1, 2, 10, 100, rate // 30, 1500, 2048, 2049, rate // 3, rate):
            ramp = np.linspace(-1, 1, n, dtype=np.float32)
            impulse = np.zeros(n, np.float32)
            impulse[n // 2 : n // 2 + 1] = 1.0
            white = rng.uniform(-1, 1, n).astype(np.float32)
            kinds = [np.zeros(n, np.float32), np.full(n, 0.25, np.float32), ramp, impulse, white, np.sign(white)]
            for sound in (*kinds, white * np.float32(1e-30), white * np.float32(1e-42)):
                found = audio.measure(sound, rate)
                assert set(found) == NAMES
                found |= silence.measure_more(sound, rate) | level.measure_more(sound, rate)
                assert all(value is None or (type(value) is float and math.isfinite(value)) for value in found.values())


def test_nothing_is_measured_on_nothing() -> None:
    assert set(audio.measure(np.zeros(0, np.float32), SR).values()) == {None}
    silent = audio.measure(np.zeros(SR, np.float32), SR)
    assert silent.pop("audio.noise_floor") == -120.0
    assert set(silent.values()) == {None}
    assert set(audio.measure(noise(-20, 500), 500).values()) == {None}
    with pytest.raises(ValueError, match="mono"):
        audio.measure(np.zeros((2, 10), np.float32), SR)
    with pytest.raises(ValueError, match="rate"):
        audio.measure(np.zeros(10, np.float32), 0)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), halvings=st.integers(1, 12), gain=st.floats(0.01, 0.9))
def test_gain_leaves_scale_free_cues(seed: int, halvings: int, gain: float) -> None:
    sound = voice(2.2, seed=seed)
    found = audio.measure(sound, SR)
    quieter = audio.measure(sound * np.float32(2.0**-halvings), SR)
    assert {name: quieter[name] for name in SCALE_FREE} == {name: found[name] for name in SCALE_FREE}
    drop = number(found, "noise_floor") - number(quieter, "noise_floor")
    assert number(found, "noise_floor") - halvings * 6.02 < -118 or drop == pytest.approx(halvings * 6.0206, abs=0.02)
    scaled = audio.measure(sound * np.float32(gain), SR)
    for name in SCALE_FREE:
        assert scaled[name] == pytest.approx(found[name], abs=0.02), name
    assert audio.measure(sound, SR) == found


def test_unlike_encoders_differ_and_like_ones_agree(tmp_path: Path) -> None:
    """What is compared is the treatment: two voices through one low-pass agree to the bin."""
    taps = firwin(401, 5500, fs=SR)
    cutoffs = {
        number(audio.measure(encoded(np.convolve(voice(seed=s), taps, "same"), tmp_path / f"{s}.mp4"), SR), "cutoff")
        for s in range(4)
    }
    assert max(cutoffs) - min(cutoffs) <= 31.25


MP3_LOW_PASS = {"voice_1320": 5780, "voice_3575": 5780, "voice_6829": 5780, "voice_8230": 5780}
MP3_LOW_PASS |= {"voice_p240": 8310, "voice_p260": 8310}


def test_real_voices(shared_clips: Path) -> None:
    found = {}
    for path in sorted((shared_clips / "voice").iterdir()):
        with av.open(str(path)) as container:
            rate = container.streams.audio[0].rate
        found[path.name[:10]] = audio.measure(read_audio(path, sample_rate=rate).samples, rate)
    if not found:
        pytest.skip("no voices")
    for name, cues in found.items():
        assert -75 < number(cues, "noise_floor") < -35, name
        assert 25 < number(cues, "speech_to_noise") < 60, name
        assert -10 < number(cues, "tilt") < -2, name
        assert 100 < number(cues, "decay") < 300, name
        assert number(cues, "step") < 60, name
        if name in MP3_LOW_PASS:  # the low-pass of LAME at 24 and 32 kbit/s
            assert number(cues, "cutoff") == pytest.approx(MP3_LOW_PASS[name], abs=100)
        else:
            assert number(cues, "cutoff") > 7900, name
    # American recordings from tape hum at 60 Hz, none of these at 50
    assert number(found["voice_jfk_"], "hum_60") > 15 > number(found["voice_jfk_"], "hum_50")
    assert number(found["voice_lj00"], "bits") == 16.0
