"""One loudness for all clips (ITU-R BS.1770)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: BS.1770-4 measures over gating blocks of 400 ms; anything shorter has no loudness.
BLOCK_SECONDS = 0.4
#: BS.1770-4, absolute gate. Below it a clip counts as silent.
GATE_LUFS = -70.0
#: Most gain that is applied in dB (this project's choice), so that room noise is never raised to speech.
MAX_GAIN_DB = 40.0


def integrated_loudness(samples: NDArray[np.float32], sample_rate: int) -> float | None:
    """Measure the integrated loudness.

    Args:
        samples: [N] mono in [-1, 1].
        sample_rate: Samples per second.

    Returns:
        LUFS, or None where BS.1770 does not define it: under 400 ms, or nothing over the gate of -70 LUFS.
    """
    import pyloudnorm

    if len(samples) < math.ceil(BLOCK_SECONDS * sample_rate):
        return None
    loudness = float(pyloudnorm.Meter(sample_rate).integrated_loudness(np.asarray(samples, np.float64)))
    return loudness if math.isfinite(loudness) and loudness > GATE_LUFS else None


def normalise_loudness(
    samples: NDArray[np.float32], sample_rate: int, lufs: float, peak: float = 0.95
) -> NDArray[np.float32]:
    """Remove the mean and scale to a loudness, without ever clipping.

    Where BS.1770 gives no figure (under 400 ms, or silence by its gate) the root mean square stands in for it: the
    two agree for a tone of 1 kHz. The gain is at most `MAX_GAIN_DB` and never lifts the highest sample over `peak`;
    a signal that is zero after the mean is taken stays zero.

    Args:
        samples: [N] float32 mono.
        sample_rate: Samples per second.
        lufs: Loudness to come to, e.g. -23 (EBU R 128).
        peak: Highest magnitude of a sample afterwards, in (0, 1].

    Returns:
        [N] float32.

    Raises:
        ValueError: If `lufs` or `peak` is out of range, or the samples are not finite and mono.
    """
    if not (-70.0 <= lufs <= 0.0 and 0.0 < peak <= 1.0):
        raise ValueError(f"lufs must be in [-70, 0] and peak in (0, 1], got {lufs} and {peak}")
    if samples.ndim != 1 or not np.isfinite(samples).all():
        raise ValueError("samples must be mono [N] and finite")
    if not len(samples):
        return np.zeros(0, np.float32)
    centred = np.asarray(samples, np.float64) - float(np.mean(samples, dtype=np.float64))
    highest = float(np.max(np.abs(centred)))
    if highest < np.finfo(np.float32).eps:  # what is left of a constant is rounding noise
        return np.zeros(len(samples), np.float32)
    loudness = integrated_loudness(centred.astype(np.float32), sample_rate)
    if loudness is None:
        loudness = 10.0 * math.log10(float(np.mean(centred**2)))
    gain = 10.0 ** (min(lufs - loudness, MAX_GAIN_DB) / 20.0)
    scaled: NDArray[np.float32] = (centred * min(gain, peak / highest)).astype(np.float32)
    return scaled
