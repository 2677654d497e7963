"""Sounds whose cues are known, for the tests of the sound cues."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from scipy.signal import firwin, lfilter

from cmdfd.media.decode import read_audio
from cmdfd.media.settings import EncoderSettings
from cmdfd.media.sound_encode import encode_audio

if TYPE_CHECKING:
    from numpy.typing import NDArray

SR = 16000


def noise(level_db: float, n: int, seed: int = 0) -> NDArray[np.float32]:
    """[n] white noise with an RMS of `level_db`."""
    return (10 ** (level_db / 20) * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def voice(seconds: float = 3.0, rate: int = SR, floor_db: float = -65.0, seed: int = 0) -> NDArray[np.float32]:
    """Syllables of coloured noise, four a second with smooth edges and whole pauses, over a white noise floor."""
    n = round(seconds * rate)
    time = np.arange(n) / rate
    colour = lfilter([0.2], [1, -0.8], noise(-10, n, seed)) + 0.1 * noise(-10, n, seed + 1)
    return (colour * np.maximum(np.sin(2 * np.pi * 4 * time), 0) + noise(floor_db, n, seed + 2)).astype(np.float32)


def low_passed(samples: NDArray[np.float32], hertz: float, rate: int = SR) -> NDArray[np.float32]:
    """The sound below a frequency (-6 dB there; stop band -80 dB some 100 Hz further up at 16 kHz)."""
    taps = firwin(801 * rate // SR | 1, hertz, fs=rate, window=("kaiser", 8.0))
    return np.convolve(samples, taps, "same").astype(np.float32)


def encoded(samples: NDArray[np.float32], path: Path, rate: int = SR, bit_rate: int = 64000) -> NDArray[np.float32]:
    """The sound after AAC; a suffix ".aac" (ADTS) has no edit list, ".mp4" has one."""
    settings = EncoderSettings(audio_codec="aac", audio_bit_rate=bit_rate)
    with av.open(str(path), "w") as container:
        for packet in encode_audio(container, samples, rate, settings):
            container.mux(packet)
    return read_audio(path, sample_rate=rate).samples
