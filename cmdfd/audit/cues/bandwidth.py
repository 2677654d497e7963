"""The effective cut-off of a sound: where its spectrum ends, whatever the sample rate says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmdfd.audit.cues.sound import Sound

#: An edge falls by this much within this stretch. Speech itself falls by some 12 dB per octave, that is by under 2 dB
#: within 250 Hz above 2 kHz; one smoothed bin of noise scatters by less than 1 dB.
CUTOFF_DB, CUTOFF_HZ = 12.0, 250.0
#: The spectrum is not followed further down than this below its level in the band of the telephone, so that neither the
#: filter's skirt nor the last bits of the encoder decide.
CLIP_DB = 80.0
_TELEPHONE = (300.0, 3400.0)
#: No edge is looked for below this frequency: formants end there.
_LOWEST_HZ = 1000.0
#: Where the level before the edge is taken, in Hz below it.
_BEFORE = (500.0, 200.0)
#: Stretches of the clip whose mean spectra are compared, and spectra in the shortest of them.
_STRETCHES, _FEWEST_IN_STRETCH = 8, 4


def long_term(power: NDArray[np.float32]) -> NDArray[np.float64]:
    """Long-term spectrum that a click or a silent half does not change: upper quartile of the means of stretches.

    Args:
        power: [T, K] short-time spectra, T >= 1.

    Returns:
        [K] power.
    """
    n = max(min(_STRETCHES, len(power) // _FEWEST_IN_STRETCH), 1)
    starts = np.arange(n) * len(power) // n
    lengths = np.diff(np.append(starts, len(power)))
    means = np.add.reduceat(power, starts, axis=0) / lengths[:, None]
    ordered: NDArray[np.float64] = np.sort(means, axis=0)[round(0.75 * (n - 1))]
    return ordered


def effective_cutoff(spectrum: NDArray[np.float64], sound: Sound) -> float | None:
    """Frequency at which the spectrum ends.

    Args:
        spectrum: [K] long-term power of `sound`.
        sound: Whose spectrum it is.

    Returns:
        Hz; half of the sample rate where the spectrum has no edge; None where it has nothing at 0.3-3.4 kHz.
    """
    first, last = sound.bin(_TELEPHONE[0]), sound.bin(_TELEPHONE[1]) + 1
    if not spectrum[first:last].any():
        return None
    smooth = np.convolve(spectrum, np.full(3, 1 / 3), "same")[:-1]  # the last bin has half of the others' power
    clip = float(smooth[first:last].mean()) * 10 ** (-CLIP_DB / 10)
    level = 10 * np.log10(np.maximum(smooth, clip))
    step = round(CUTOFF_HZ / sound.bin_hz)
    floor = np.maximum.accumulate(level[::-1])[::-1][step:]  # highest level from `step` bins further up
    lowest = sound.bin(_LOWEST_HZ)
    drop = (level[: len(floor)] - floor)[lowest:]
    if not len(drop) or drop.max() < CUTOFF_DB:
        return sound.nyquist
    edge = lowest + int(np.argmax(drop))  # a codec may add a lower edge far down in its own noise
    before = np.median(level[edge - sound.bin(_BEFORE[0]) : edge - sound.bin(_BEFORE[1]) + 1])
    reached = np.flatnonzero(level[: edge + step] >= before - CUTOFF_DB)
    return round(float(reached[-1]) * sound.bin_hz, 1)
