"""Silence and level on signals whose answers are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from cmdfd.audit.cues import level, silence
from cmdfd.audit.cues.presets import PRESETS

SR = 16000


def burst(lead: int, body: int, trail: int, amplitude: float = 0.3, floor: float = 0.0) -> np.ndarray:
    """`lead` quiet samples, a tone that is loud from its first sample, `trail` quiet samples."""
    tone = amplitude * np.cos(2 * np.pi * 500 * np.arange(body) / SR)
    quiet = lambda n: floor * (-1.0) ** np.arange(n)  # noqa: E731
    return np.concatenate([quiet(lead), tone, quiet(trail)]).astype(np.float32)


def test_edges_are_exact_to_the_sample() -> None:
    found = silence.measure(burst(800, 16001, 400), SR)
    for name in ("5e-4", "60dbfs", "40db_speech"):
        assert found[f"silence.lead_{name}"] == 800 / SR
        assert found[f"silence.trail_{name}"] == pytest.approx(400 / SR)
    assert found["silence.zero_lead"] == 800 / SR
    assert found["silence.zero_trail"] == 400 / SR
    assert found["silence.onset_50ms"] == -120.0
    assert found["silence.pause_share"] == pytest.approx(6 / 107)  # 5 whole frames before, 1 after; two are half loud


def test_thresholds_differ_as_they_should() -> None:
    # a floor of 7e-4 is above AVH-Align's threshold, below -60 dB of full scale, and 53 dB below the speech
    found = silence.measure(burst(800, 16001, 0, floor=7e-4), SR)
    assert found["silence.lead_5e-4"] == 0.0
    assert found["silence.lead_60dbfs"] == 800 / SR
    assert found["silence.lead_40db_speech"] == 800 / SR
    assert found["silence.zero_lead"] == 0.0
    assert found["silence.onset_30ms"] == pytest.approx(20 * np.log10(7e-4))
    # speech at 0.05: 40 dB below is 3.5e-4, so the same floor is no silence any more
    assert silence.measure(burst(800, 16001, 0, 0.05, 7e-4), SR)["silence.lead_40db_speech"] == 0.0


AVH = [(0, 0.0, 0), (1, 1 / SR, 1), (639, 639 / SR, 1), (640, 0.04, 2), (4000, 0.25, 7)]


@pytest.mark.parametrize(("quiet", "seconds", "frames"), AVH)
def test_avh_rule(quiet: int, seconds: float, frames: int) -> None:
    # released code: silence = index / 16000; trimmed frames = floor(silence * 25) + 1 if silence > 0
    found = silence.measure(burst(quiet, 8000, 0), SR)
    assert found["silence.avh_lead"] == seconds
    assert found["silence.avh_trim"] == frames


def test_avh_rule_is_strict_and_takes_the_whole_of_a_quiet_clip() -> None:
    quiet = np.full(SR, silence.AVH_THRESHOLD, dtype=np.float32)
    assert silence.avh_silence(quiet, SR) == 1.0
    quiet[100] = np.nextafter(np.float32(silence.AVH_THRESHOLD), np.float32(1))
    assert silence.avh_silence(quiet, SR) == 100 / SR


def test_avh_rule_resamples_other_rates() -> None:
    rate = 44100
    sound = np.zeros(rate, np.float32)
    sound[rate // 2 :] = 0.3 * np.sin(2 * np.pi * 300 * np.arange(rate - rate // 2) / rate)
    # the resampler's ringing may lead the first loud sample by some milliseconds
    assert silence.avh_silence(sound, rate) == pytest.approx(0.5, abs=0.004)
    assert silence.avh_silence(np.zeros(rate, np.float32), rate) == pytest.approx(1.0, abs=1e-4)


def test_levels_of_a_sine() -> None:
    sine = (0.5 * np.sin(2 * np.pi * 1000 * np.arange(SR) / SR) + 0.01).astype(np.float32)
    found = level.measure(sine, SR)
    assert found["level.dc"] == pytest.approx(0.01, abs=2e-6)
    assert found["level.peak"] == pytest.approx(20 * np.log10(0.51), abs=1e-3)
    assert found["level.rms"] == pytest.approx(10 * np.log10(0.125 + 1e-4), abs=1e-3)
    assert found["level.crest"] == pytest.approx(found["level.peak"] - found["level.rms"])  # type: ignore[operator]
    assert found["level.clipped"] == 0.0
    # BS.1770: a 997 Hz sine of full scale in one channel reads -3.01 LUFS
    full = np.sin(2 * np.pi * 997 * np.arange(48000 * 2) / 48000).astype(np.float32)
    assert level.lufs(full, 48000) == pytest.approx(-3.01, abs=0.05)


def test_clipping_is_counted() -> None:
    square = np.sign(np.sin(2 * np.pi * 100 * (np.arange(SR) + 0.5) / SR)).astype(np.float32)
    assert level.measure(square, SR)["level.clipped"] == 1.0


def test_silent_short_and_empty_clips_have_no_infinity() -> None:
    zero = level.measure(np.zeros(SR, np.float32), SR) | silence.measure(np.zeros(SR, np.float32), SR)
    assert zero["level.rms"] == zero["level.peak"] == -120.0
    assert zero["level.lufs"] is None
    assert zero["silence.lead_40db_speech"] == zero["silence.trail_5e-4"] == 1.0
    assert zero["silence.zero_share"] == 1.0
    one = level.measure(np.ones(1, np.float32), SR) | silence.measure(np.ones(1, np.float32), SR)
    assert one["level.lufs"] is None
    assert one["silence.avh_lead"] == 0.0
    for found in (zero, one):
        assert all(value is None or np.isfinite(value) for value in found.values())  # type: ignore[arg-type]
    empty = level.measure(np.zeros(0, np.float32), SR) | silence.measure(np.zeros(0, np.float32), SR)
    assert set(empty.values()) == {None}
    assert set(empty) == {cue.name for cue in (*level.CUES, *silence.CUES)}


def test_loudness_of_what_is_gated_away_is_none() -> None:
    assert level.lufs(np.full(SR, 1e-5, np.float32), SR) is None


RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 96000)


def bursts(n: int, seed: int) -> np.ndarray:
    """[n] noise whose level wanders over 80 dB, with a quiet start."""
    rng = np.random.default_rng(seed)
    steps = np.interp(np.arange(n), np.linspace(0, n, 12), rng.uniform(-90, -10, 12))
    return (10 ** (steps / 20) * rng.standard_normal(n)).clip(-1, 1).astype(np.float32)


@pytest.mark.parametrize("rate", RATES)
def test_loudness_is_that_of_pyloudnorm(rate: int) -> None:
    import pyloudnorm

    meter = pyloudnorm.Meter(rate)
    for seed, seconds in enumerate((0.4, 0.401, 0.77, 1.0, 1.234, 3.0)):
        sound = bursts(math.ceil(seconds * rate), seed)
        for gain in (1.0, 0.01):
            theirs = float(meter.integrated_loudness(np.float64(gain) * sound.astype(np.float64)))
            ours = level.lufs(sound * np.float32(gain), rate)
            assert ours is None if math.isinf(theirs) else ours == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize("rate", RATES)
def test_avh_rule_equals_resampling_all_of_the_sound(rate: int) -> None:
    common = math.gcd(rate, SR)
    for seed in range(8):
        sound = bursts(rate, seed)
        if seed % 2:  # a single click, which the resampler may take below the threshold
            sound *= np.float32(1e-4)
            sound[rate // 3] = 6e-4
            sound[rate // 2] = 0.1 if seed % 4 == 1 else 0.0
        whole = sound if rate == SR else resample_poly(sound, SR // common, rate // common)
        loud = np.flatnonzero(np.abs(whole) > silence.AVH_THRESHOLD)
        assert silence.avh_silence(sound, rate) == (loud[0] if len(loud) else len(whole)) / SR


def test_preset_of_avh_align_names_known_cues() -> None:
    assert PRESETS["avh-align"] == ("silence.avh_lead", "silence.avh_trim", "silence.onset_30ms")
    found = silence.measure(burst(479, 8000, 0), SR)
    assert found["silence.avh_lead"] == 479 / SR
    assert found["silence.onset_30ms"] == pytest.approx(20 * np.log10(0.3), abs=0.01)  # the 480th sample is loud
    assert silence.measure(burst(480, 8000, 0), SR)["silence.onset_30ms"] == -120.0
    assert set(PRESETS["avh-align"]) <= set(found)


def test_pauses_and_zeros_inside() -> None:
    tone = burst(0, 3 * SR, 0, 0.3)
    assert silence.measure_more(tone, SR) == {
        "silence.pause_rate": 0.0,
        "silence.pause_mean": 0.0,
        "silence.pause_longest": 0.0,
        "silence.zero_longest": 0.0,
        "silence.zero_runs": 0.0,
    }
    tone[16000:16480] = 0  # 30 ms of digital zero
    tone[24000 : 24000 + 3200] *= 0.01  # 200 ms 40 dB down
    tone[30000:30016] = 0  # 1 ms: no run that counts
    tone[:1600] = tone[-1600:] = 0  # both ends: not inside
    found = silence.measure_more(tone, SR)
    assert found["silence.zero_longest"] == 0.03
    assert found["silence.zero_runs"] == 480 / len(tone)
    assert found["silence.pause_rate"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["silence.pause_longest"] == pytest.approx(0.2)
    assert found["silence.pause_mean"] == pytest.approx(0.115)
    assert set(found) == {cue.name for cue in silence.MORE_CUES}


def test_published_tuples_of_cues_are_apart_from_the_new_ones() -> None:
    for family in (level, silence):
        assert not {cue.name for cue in family.CUES} & {cue.name for cue in family.MORE_CUES}
    assert len(level.CUES) == 6
    assert len(silence.CUES) == 16


def test_true_peak_lies_between_the_samples() -> None:
    # a quarter of the sample rate at 45 degrees: every sample at .707 of a sine of full scale
    sine = np.sin(2 * np.pi * np.arange(SR) / 4 + np.pi / 4)
    fade = np.minimum(1, np.minimum(np.arange(SR), np.arange(SR)[::-1]) / 2000)
    found = level.measure_more((sine * fade).astype(np.float32), SR)
    assert found["level.true_peak"] == pytest.approx(0.0, abs=0.05)
    assert level.measure((sine * fade).astype(np.float32), SR)["level.peak"] == pytest.approx(-3.01, abs=0.01)
    slow = (0.5 * np.sin(2 * np.pi * 100 * np.arange(SR) / SR)).astype(np.float32)
    assert level.measure_more(slow, SR)["level.true_peak"] == pytest.approx(-6.02, abs=0.01)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 3000), power=st.integers(1, 7))
def test_true_peak_equals_full_oversampling(seed: int, n: int, power: int) -> None:
    sound = (np.random.default_rng(seed).standard_normal(n) ** power).astype(np.float32)
    sound /= np.abs(sound).max()
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(sound, 11), 12)
    full = max(1.0, float(np.abs(windows @ level._interpolator()).max()))
    assert level.true_peak(sound) == pytest.approx(full, rel=1e-5)
    assert level.true_peak(sound[::-1]) == pytest.approx(full, rel=1e-5)


def test_clipped_runs_flat_tops_and_drift() -> None:
    sine = np.sin(2 * np.pi * 100 * np.arange(2 * SR) / SR)
    clipped = np.clip(2 * sine, -1, 1).astype(np.float32)
    found = level.measure_more(clipped, SR)
    # |2 sin| >= 1 for a third of the period on each side: 160 / 3 samples
    assert found["level.clipped_run"] == pytest.approx(160 / 3, abs=1)
    quieter = level.measure_more(clipped * np.float32(0.3), SR)
    assert quieter["level.clipped_run"] == 0.0
    assert quieter["level.flat_run"] == found["level.flat_run"] == found["level.clipped_run"]
    assert found["level.dc_drift"] == 0.0
    clipped[SR:] += 0.02
    assert level.measure_more(clipped, SR)["level.dc_drift"] == pytest.approx(0.02, abs=1e-5)
    assert level.measure_more(clipped[: SR // 2], SR)["level.dc_drift"] is None


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), lead=st.integers(0, 3000), trail=st.integers(0, 3000))
def test_time_reversal_swaps_lead_and_trail(seed: int, lead: int, trail: int) -> None:
    body = np.random.default_rng(seed).uniform(0.01, 0.5, 8000)
    body[3000:3300] = 0
    sound = np.concatenate([np.zeros(lead), body, np.zeros(trail)]).astype(np.float32)
    found, turned = silence.measure(sound, SR), silence.measure(sound[::-1], SR)
    for name in ("lead_5e-4", "lead_60dbfs", "zero_lead"):
        other = name.replace("lead", "trail")
        assert found[f"silence.{name}"] == turned[f"silence.{other}"] == lead / SR
        assert found[f"silence.{other}"] == turned[f"silence.{name}"] == trail / SR
    more, back = silence.measure_more(sound, SR), silence.measure_more(sound[::-1], SR)
    assert more["silence.zero_longest"] == back["silence.zero_longest"] == 300 / SR
    assert more["silence.zero_runs"] == back["silence.zero_runs"] == 300 / len(sound)


@pytest.mark.parametrize("rate", [50, 100, 500, 1000, 2999, 3200])
def test_odd_sample_rates_give_finite_values_or_none(rate: int) -> None:
    sound = bursts(20 * rate, 0)
    found = level.measure(sound, rate) | level.measure_more(sound, rate)
    found |= silence.measure(sound, rate) | silence.measure_more(sound, rate)
    assert (found["level.lufs"] is None) == (rate < level.LOUDNESS_RATE)
    assert all(value is None or math.isfinite(value) for value in found.values())  # type: ignore[arg-type]
