"""The sound of a window: one resampler, one filter, one noise floor for every clip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmdfd.media.grid import align_audio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmdfd.media.decode import Audio

#: Length of the low-pass in seconds; a window by Kaiser with 80 dB makes it fall within about 160 Hz.
FILTER_SECONDS = 0.032
_KAISER_BETA = 7.86
#: Cut-off of the filter that takes offsets away (Hz).
HIGH_PASS = 20.0
#: Sound on either side of the window that the filter sees (seconds).
_MARGIN = 0.05


def window_of(audio: Audio, start: float, seconds: float, lowpass_hz: float | None) -> NDArray[np.float32]:
    """Cut a window out of a sound, filtered before it is cut so that the filter has no edge inside.

    Args:
        audio: Sound on the container's clock.
        start: Seconds on that clock.
        seconds: Length.
        lowpass_hz: Cut-off, or None.

    Returns:
        [N] float32.
    """
    from scipy.signal import butter, fftconvolve, firwin, sosfiltfilt

    from cmdfd.media.decode import Audio as Sound

    rate = audio.sample_rate
    taps = 2 * round(FILTER_SECONDS * rate / 2) + 1 if lowpass_hz is not None else 1
    margin = max(round(_MARGIN * rate), taps) / rate
    centred = Sound((audio.samples - _mean(audio.samples)).astype(np.float32), rate, audio.start)
    wide = align_audio(centred, start - margin, seconds + 2 * margin).astype(np.float64)
    # an offset that comes and goes (encoders fade it in) is no mean: below 20 Hz nothing is heard
    filtered = sosfiltfilt(butter(2, HIGH_PASS, "highpass", fs=rate, output="sos"), wide)
    if lowpass_hz is not None:
        weights = firwin(taps, lowpass_hz, window=("kaiser", _KAISER_BETA), fs=rate)
        filtered = fftconvolve(filtered, weights, mode="same")
    return align_audio(Sound(filtered.astype(np.float32), rate, start - margin), start, seconds)


def _mean(samples: NDArray[np.float32]) -> float:
    return float(samples.mean(dtype=np.float64)) if len(samples) else 0.0


def with_noise(samples: NDArray[np.float32], dbfs: float | None, seed: str) -> NDArray[np.float32]:
    """Lay white noise of one level under a sound.

    Args:
        samples: [N] in [-1, 1].
        dbfs: RMS of the noise in dB of full scale, or None for none.
        seed: Hexadecimal digits that decide the noise.
    """
    if dbfs is None:
        return samples
    noise = np.random.default_rng(int(seed[:16] or "0", 16)).normal(0.0, 10 ** (dbfs / 20), len(samples))
    return np.clip(samples + noise, -1.0, 1.0).astype(np.float32)
