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


def limit(samples: Signal, peak: float = 0.98) -> Signal:
    """Scale down as a whole where the peak would clip."""
    top = float(np.abs(samples).max(initial=0.0))
    return np.asarray(samples * np.float32(peak / top), np.float32) if top > peak else samples


def splice(into: Signal, piece: Signal, start: int, fade: int) -> Signal:
    """Replace `into[start : start + len(piece)]` with equal-power cross-fades inside both ends of the piece.

    Args:
        into: [N] samples.
        piece: [M] samples, start + M <= N.
        start: First replaced sample.
        fade: Samples of each cross-fade, at most M // 2.

    Returns:
        [N] copy; samples outside the piece are untouched.
    """
    fade = min(fade, len(piece) // 2)
    ramp = (np.arange(fade, dtype=np.float32) + 0.5) / np.float32(max(fade, 1))
    rising = np.sin(ramp * np.float32(np.pi / 2))
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
