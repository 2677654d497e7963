"""Small sound tools shared by the audio generators. Signals are mono float32."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

Signal = NDArray[np.float32]

#: Frames this far below the loudest one count as pauses.
_PAUSE_DB = 30.0
#: Taps of the cross-over filter of `merge_bands`: its slope is 3.3 / 127 of the sample rate wide (Hamming).
_BAND_TAPS = 127
#: Loudness is taken over windows of this length, some periods of the lowest voice, so that pitch does not show in it.
_ENVELOPE_SECONDS = 0.05


def resample(samples: Signal, rate_in: int, rate_out: int) -> Signal:
    """Change the sample rate by a polyphase filter; the first sample stays the first."""
    if rate_in == rate_out:
        return samples
    from scipy.signal import resample_poly

    common = math.gcd(rate_in, rate_out)
    return np.asarray(resample_poly(samples, rate_out // common, rate_in // common), np.float32)


def fit_length(samples: Signal, n: int) -> Signal:
    """Cut to `n` samples or add zeros at the end."""
    return samples[:n] if len(samples) >= n else np.pad(samples, (0, n - len(samples)))


def rms(samples: Signal) -> float:
    """Root mean square; 0 for no samples."""
    return math.sqrt(float(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0


def speech_level(samples: Signal, sample_rate: int) -> float:
    """RMS over the 20 ms frames that lie within 30 dB of the loudest, so that pauses do not count; 0 for silence."""
    hop = max(sample_rate // 50, 1)
    n = len(samples) // hop
    if n == 0:
        return rms(samples)
    power = np.mean(np.square(samples[: n * hop].reshape(n, hop), dtype=np.float64), axis=1)
    loud = power > power.max() * 10 ** (-_PAUSE_DB / 10)
    return math.sqrt(float(power[loud].mean())) if loud.any() else 0.0


def loud_span(samples: Signal, sample_rate: int) -> tuple[float, float]:
    """Seconds at which the first and the last 20 ms frame within 30 dB of the loudest begin and end; 0, 0 if silent."""
    hop = max(sample_rate // 50, 1)
    n = len(samples) // hop
    if n == 0:
        return 0.0, 0.0
    power = np.mean(np.square(samples[: n * hop].reshape(n, hop), dtype=np.float64), axis=1)
    loud = np.flatnonzero(power > power.max() * 10 ** (-_PAUSE_DB / 10))
    if not len(loud):
        return 0.0, 0.0
    return float(loud[0] * hop / sample_rate), float((loud[-1] + 1) * hop / sample_rate)


def limit(samples: Signal, peak: float = 0.98) -> Signal:
    """Scale down as a whole where the peak would clip."""
    top = float(np.abs(samples).max(initial=0.0))
    return np.asarray(samples * np.float32(peak / top), np.float32) if top > peak else samples


def splice(into: Signal, piece: Signal, start: int, fade: int, *, alike: bool = False) -> Signal:
    """Replace `into[start : start + len(piece)]` with cross-fades inside both ends of the piece.

    Args:
        into: [N] samples.
        piece: [M] samples, start + M <= N.
        start: First replaced sample.
        fade: Samples of each cross-fade, at most M // 2.
        alike: Whether both are the same sound: then amplitudes add up to one in the fades, otherwise powers do.

    Returns:
        [N] copy; samples outside the piece are untouched.
    """
    fade = min(fade, len(piece) // 2)
    ramp = (np.arange(fade, dtype=np.float32) + 0.5) / np.float32(max(fade, 1))
    rising = ramp if alike else np.sin(ramp * np.float32(np.pi / 2))
    new, old = np.ones(len(piece), np.float32), np.zeros(len(piece), np.float32)
    if fade:
        new[:fade], new[-fade:] = rising, rising[::-1]
        old[:fade], old[-fade:] = rising[::-1], rising
    out = into.copy()
    stretch = slice(start, start + len(piece))
    out[stretch] = new * piece + old * into[stretch]
    return out


def loudest_start(samples: Signal, length: int, starts: Sequence[int], enough: float) -> int:
    """The first of `starts` at which `length` samples reach an RMS of `enough`, else the loudest of them."""
    levels = [rms(samples[start : start + length]) for start in starts]
    for start, level in zip(starts, levels, strict=True):
        if level >= enough:
            return start
    return starts[int(np.argmax(levels))]


def merge_bands(low: Signal, high: Signal, edge: float, sample_rate: int) -> Signal:
    """What lies below `edge` of one signal and above it of another; both in step with each other.

    Args:
        low: [N] samples.
        high: [N] samples.
        edge: Hz, below half the sample rate; the cross-over is about 3 % of the sample rate wide.
        sample_rate: Samples per second.

    Returns:
        [N] float32; the signal itself where both are the same.
    """
    from scipy.signal import firwin, oaconvolve

    taps = firwin(_BAND_TAPS, edge, fs=sample_rate)
    difference = low.astype(np.float64) - high
    return np.asarray(high + oaconvolve(difference, taps, mode="same"), np.float32)


def envelope_lag(one: Signal, other: Signal, sample_rate: int, farthest: float) -> int:
    """Samples by which the loudness of `other` comes after that of `one`, by cross-correlation.

    Args:
        one: [N] samples.
        other: [M] samples.
        sample_rate: Samples per second.
        farthest: Seconds; the lag is looked for in plus and minus this.

    Returns:
        The lag; 0 where the loudness does not change.
    """
    from scipy.signal import oaconvolve

    window = np.hanning(max(round(_ENVELOPE_SECONDS * sample_rate), 3))
    n = min(len(one), len(other))
    edge = len(window) // 2  # a window that leaves the signal hears its end, which moves with nothing
    if n <= 4 * edge:
        return 0
    most = min(round(farthest * sample_rate), n // 2 - edge)
    loud = []
    for signal in (one[:n], other[:n]):
        power = oaconvolve(np.square(signal, dtype=np.float64), window / window.sum(), mode="same")
        loud.append(np.sqrt(np.maximum(power[edge:-edge], 0.0)))
    agree = _agreement(loud[0], loud[1], most)
    return int(np.argmax(agree)) - most if agree.max() > 0 else 0


def _agreement(a: NDArray[np.float64], b: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Pearson's correlation of what overlaps, at every lag from -most to most; 0 where one of them is constant."""
    n = len(a)
    lags = np.arange(-most, most + 1)
    a, b = a - a.mean(), b - b.mean()
    size = 1 << (2 * n).bit_length()
    products = np.fft.irfft(np.fft.rfft(b, size) * np.conj(np.fft.rfft(a, size)), size)[lags]
    begin_a, begin_b, count = np.maximum(-lags, 0), np.maximum(lags, 0), n - np.abs(lags)

    def sums(values: NDArray[np.float64], begin: NDArray[np.int64]) -> NDArray[np.float64]:
        running = np.concatenate([[0.0], np.cumsum(values)])
        return np.asarray(running[begin + count] - running[begin])

    sum_a, sum_b = sums(a, begin_a), sums(b, begin_b)
    spread_a = sums(a * a, begin_a) - sum_a**2 / count
    spread_b = sums(b * b, begin_b) - sum_b**2 / count
    scale = np.sqrt(np.maximum(spread_a, 0.0) * np.maximum(spread_b, 0.0))
    enough = scale > 1e-12 * n
    return np.asarray(np.where(enough, (products - sum_a * sum_b / count) / np.where(enough, scale, 1.0), 0.0))
