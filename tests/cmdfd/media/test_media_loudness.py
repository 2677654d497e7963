from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from media_helpers import noise, write_wav

from cmdfd.media.ffmpeg import find_ffmpeg
from cmdfd.media.loudness import MAX_GAIN_DB, integrated_loudness, normalise_loudness


def measured_by_ffmpeg(path) -> float:
    import subprocess

    command = [str(find_ffmpeg()), "-nostats", "-i", str(path), "-af", "ebur128", "-f", "null", "-"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return float(re.findall(r"I:\s+(-?[\d.]+) LUFS", text)[-1])


def test_the_tone_of_the_standard():
    """BS.1770: a sine of 997 Hz at full scale in one channel measures -3.01 LUFS."""
    tone = np.sin(2 * np.pi * 997 * np.arange(5 * 48000) / 48000).astype(np.float32)
    assert integrated_loudness(tone, 48000) == pytest.approx(-3.01, abs=0.05)


@pytest.mark.parametrize("lufs", [-23.0, -30.0])
def test_ffmpeg_measures_what_was_asked_for(tmp_path, lufs):
    rate = 16000
    speechlike = noise(4 * rate) * (0.2 + np.abs(np.sin(np.arange(4 * rate) / 3000)))
    found = normalise_loudness((speechlike * 0.01 + 0.2).astype(np.float32), rate, lufs)
    write_wav(tmp_path / "x.wav", found, rate)
    assert measured_by_ffmpeg(tmp_path / "x.wav") == pytest.approx(lufs, abs=0.3)
    assert abs(found.mean()) < 1e-6


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float32, st.integers(0, 3000), elements=st.floats(-1, 1, width=32)),
    st.floats(-60, 0),
    st.floats(0.1, 1.0),
)
def test_never_clips_never_breaks(samples, lufs, peak):
    found = normalise_loudness(samples, 4000, lufs, peak)
    assert found.shape == samples.shape and found.dtype == np.float32
    assert np.isfinite(found).all()
    assert np.abs(found).max(initial=0) <= peak * (1 + 1e-6)
    centred = samples - samples.mean(dtype=np.float64) if len(samples) else samples
    gain = 10 ** (MAX_GAIN_DB / 20)
    assert np.abs(found).max(initial=0) <= np.abs(centred).max(initial=0) * gain * (1 + 1e-4)


def test_short_and_silent():
    rate = 16000
    short = 0.01 * np.sin(2 * np.pi * 1000 * np.arange(rate // 4) / rate).astype(np.float32)
    assert integrated_loudness(short, rate) is None
    level = 10 * np.log10(np.mean(normalise_loudness(short, rate, -23.0) ** 2))
    assert level == pytest.approx(-23.0, abs=0.01)
    assert not normalise_loudness(np.full(rate, 0.3, np.float32), rate, -23.0).any()
    assert not normalise_loudness(np.zeros(rate, np.float32), rate, -23.0).any()
    whisper = 1e-6 * noise(rate)
    raised = normalise_loudness(whisper, rate, -23.0)
    assert 20 * np.log10(raised.std() / whisper.std()) == pytest.approx(MAX_GAIN_DB, abs=0.01)


def test_level_in_does_not_matter():
    source = noise(32000)
    results = [
        normalise_loudness(source * gain + offset, 16000, -23.0) for gain, offset in ((1, 0), (0.1, 0.2), (0.5, -0.1))
    ]
    for other in results[1:]:
        assert np.abs(other - results[0]).max() < 1e-4


def test_errors():
    with pytest.raises(ValueError, match="lufs"):
        normalise_loudness(np.zeros(10, np.float32), 16000, 3.0)
    with pytest.raises(ValueError, match="peak"):
        normalise_loudness(np.zeros(10, np.float32), 16000, -23.0, 1.5)
    with pytest.raises(ValueError, match="finite"):
        normalise_loudness(np.array([np.nan], np.float32), 16000, -23.0)
