"""Silence and level on signals whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from cmdfd.audit.cues import level, silence

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
