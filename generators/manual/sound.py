"""Two sounds of one recording: by how much one is late, how much louder it is, and where it says something else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

#: Windows in which sounds are compared, and how far apart they lie, in seconds.
WINDOW, HOP = 0.04, 0.01
#: How far the whitened correlation's peak must stand out, in standard deviations: of eleven pairs of other utterances
#: of one speaker the largest is 15, of the same recordings after an edit the least is 43.
_SHARP = 22.0
#: Editors' resamplers and codecs may be off by this much inside a file, in seconds.
_WANDER = 0.0015
#: A window counts as heard above this level below the loudest ones.
_HEARD_DB = -38.0
#: Part of a window's energy that differs: at least this counts as changed, and so many times the codec's usual part.
_CHANGED, _TIMES_USUAL = 0.35, 5.0
#: A change of level by this many decibels against the rest is an edit (a mute, another gain).
_LEVEL_DB = 6.0
#: Stretches shorter than this are no edit; gaps up to this long inside one are part of it; seconds.
SHORTEST, GAP = 0.06, 0.15


@dataclass(frozen=True, slots=True)
class SoundLag:
    """By how many seconds the second sound is late, and the correlation (0 to 1) at that place."""

    seconds: float
    correlation: float


def sound_lag(one: Samples, other: Samples, rate: int, reach: float, centre: float = 0.0) -> SoundLag:
    """Find the delay of `other` against `one` within `centre` ± `reach` seconds by whitened cross-correlation.

    The correlation that is told is the plain one of the overlap at that delay, of the sound above 100 Hz; 0 where that
    delay does not stand out: two voices of one pitch correlate too, but at many delays.
    """
    n = len(one) + len(other)
    if min(len(one), len(other)) < rate // 10 or not one.any() or not other.any():
        return SoundLag(centre, 0.0)
    size = 1 << (n - 1).bit_length()
    spectrum = np.conj(np.fft.rfft(one, size)) * np.fft.rfft(other, size)
    low = int(100 * size / rate)
    spectrum[:low] = 0
    whitened = np.fft.irfft(spectrum / np.sqrt(np.abs(spectrum) + 1e-9), size)
    first, last = round((centre - reach) * rate), round((centre + reach) * rate)
    lags = np.arange(first, last + 1)
    best = int(lags[int(np.argmax(whitened[lags]))])
    sharp = float(whitened[best] / max(float(whitened[lags].std()), 1e-30))
    return SoundLag(best / rate, _correlation(one, other, best, rate) if sharp >= _SHARP else 0.0)


def _correlation(one: Samples, other: Samples, lag: int, rate: int) -> float:
    a = one[max(0, -lag) :]
    b = other[max(0, lag) :]
    n = min(len(a), len(b))
    if n < rate // 10:
        return 0.0
    x, y = _above(a[:n], rate), _above(b[:n], rate)
    power = float(np.sqrt((x**2).sum() * (y**2).sum()))
    return float((x * y).sum()) / power if power > 0 else 0.0


def _above(samples: Samples, rate: int) -> NDArray[np.float64]:
    """Without what lies below 100 Hz (hum, drift)."""
    from scipy.signal import butter, sosfiltfilt

    return np.asarray(sosfiltfilt(butter(2, 100, "highpass", fs=rate, output="sos"), samples.astype(np.float64)))


@dataclass(frozen=True, slots=True, eq=False)
class SoundDifference:
    """How two aligned sounds differ.

    Args:
        gain_db: Level of the second over the first where both say the same.
        usual: Part of the energy that differs in the usual window: what codec and resampling do.
        stretches: Where they differ beyond that, seconds.
    """

    gain_db: float
    usual: float
    stretches: tuple[tuple[float, float], ...]


def compare_sounds(one: Samples, other: Samples, rate: int) -> SoundDifference:
    """Find where two aligned sounds of equal length differ beyond codec noise and one common gain.

    Args:
        one: [N] of the original.
        other: [N] of the edit.
        rate: Samples per second.
    """
    a, b = _above(one, rate), _above(other, rate)
    residual, power_a, power_b = _windows(a, b, rate)
    loudest = max(np.percentile(power_a, 95), 1e-12)
    alike = (power_a > loudest * 10 ** (_HEARD_DB / 10)) & (residual < 0.5)
    gain = float(np.median(power_b[alike] / power_a[alike])) if alike.any() else float(
        max(np.percentile(power_b, 95), 1e-12) / loudest
    )  # fmt: skip
    usual = float(np.median(residual[alike])) if alike.any() else 0.0
    floor = loudest * 10 ** (_HEARD_DB / 10)
    heard = np.maximum(power_a, power_b / gain) > floor
    steady = floor / 10  # so that the level of what is hardly heard does not count
    level = 10 * np.log10((power_b / gain + steady) / (power_a + steady))
    other_words = (residual > max(_CHANGED, _TIMES_USUAL * usual)) | (np.abs(level) > _LEVEL_DB)
    return SoundDifference(float(10 * np.log10(gain)), usual, _stretches(heard & other_words, heard, len(one) / rate))


def _windows(
    a: NDArray[np.float64], b: NDArray[np.float64], rate: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """For each window: the part of b's energy that a (delayed a little) does not explain, and both powers."""
    size, hop, wander = round(WINDOW * rate), round(HOP * rate), round(_WANDER * rate)

    def sums(x: NDArray[np.float64]) -> NDArray[np.float64]:
        total = np.concatenate([[0.0], np.cumsum(x)])
        firsts = np.arange(0, max(len(x) - size, 0) + 1, hop)
        return np.asarray(total[np.minimum(firsts + size, len(x))] - total[firsts])

    power_a, power_b = sums(a * a), sums(b * b)
    best = np.zeros(len(power_a))
    for shift in range(-wander, wander + 1, 2):
        moved = np.roll(a, shift)
        cross = sums(moved * b)
        explained = np.maximum(cross, 0) ** 2 / np.maximum(sums(moved * moved) * power_b, 1e-18)
        best = np.maximum(best, explained)
    return 1 - np.clip(best, 0, 1), power_a / size, power_b / size


def _stretches(changed: NDArray[np.bool_], heard: NDArray[np.bool_], seconds: float) -> tuple[tuple[float, float], ...]:
    """Runs of changed windows as seconds; what nobody hears inside a run belongs to it."""
    from scipy.ndimage import median_filter

    steady = median_filter(changed.astype(np.uint8), 3) > 0
    places = np.flatnonzero(steady)
    found: list[tuple[int, int]] = []
    for place in places.tolist():
        if found:
            between = slice(found[-1][1] + 1, place)
            same = int((heard[between] & ~steady[between]).sum())
            if same * HOP <= GAP and (place - found[-1][1]) * HOP <= 4 * GAP:
                found[-1] = (found[-1][0], place)
                continue
        found.append((place, place))
    # a window is changed if most of it is, so an edit begins and ends about in the middle of the first and last one
    runs = [(first * HOP + WINDOW / 2 - HOP, last * HOP + WINDOW / 2 + HOP) for first, last in found]
    whole = [(0.0 if start < WINDOW else start, seconds if end > seconds - WINDOW else end) for start, end in runs]
    return tuple((start, end) for start, end in whole if end - start >= SHORTEST)
