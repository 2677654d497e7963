"""What all cues of sound share: one look at the frames and one short-time spectrum, made once for each clip."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Frame of the short-time spectrum: 32 ms, hence bins of about 31 Hz at every sample rate; half of it overlaps.
FRAME_SECONDS = 0.032
#: Below this rate (no codec for speech has one) a frame of 10 ms has under ten samples, and nothing is measured.
LOWEST_RATE = 1000
#: Fewest spectra (0.14 s) whose mean is called a long-term spectrum.
FEWEST_SPECTRA = 8
#: What is this far below the loudest of its kind counts as nothing, so that digital zero has a finite level in dB
#: and no relation of levels depends on the gain of the clip. 16-bit sound reaches 98 dB.
NOTHING = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """A clip's sound, looked at once.

    Args:
        samples: [N] float32 mono in [-1, 1].
        sample_rate: Samples per second.
        energy: [F] mean square of 10 ms frames; empty for a clip under 10 ms.
        power: [T, K] squared magnitudes of Hann-windowed 32 ms frames with half overlap; T = 0 for a shorter clip.
        bin_hz: Hz from one of the K bins to the next; bin 0 is at 0 Hz.
    """

    samples: NDArray[np.float32]
    sample_rate: int
    energy: NDArray[np.float64]
    power: NDArray[np.float32]
    bin_hz: float

    @property
    def nyquist(self) -> float:
        """Half of the sample rate, in Hz."""
        return self.sample_rate / 2

    def bin(self, hertz: float) -> int:
        """Bin nearest to a frequency, at most the last one."""
        return min(round(hertz / self.bin_hz), int(self.power.shape[1]) - 1)


def look(samples: NDArray[np.float32], sample_rate: int) -> Sound:
    """Look at a clip's sound.

    Args:
        samples: [N] mono in [-1, 1], finite.
        sample_rate: Samples per second, at least `LOWEST_RATE`.

    Raises:
        ValueError: For another shape or rate.
    """
    samples = np.ascontiguousarray(samples, np.float32)
    if samples.ndim != 1 or sample_rate < LOWEST_RATE:
        raise ValueError(f"needs mono [N] at a rate of at least {LOWEST_RATE}, got {samples.shape} at {sample_rate}")
    size = _frame_size(sample_rate)
    return Sound(samples, sample_rate, frame_energy(samples, sample_rate), _spectra(samples, size), sample_rate / size)


def frame_energy(samples: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
    """[F] mean square of the whole 10 ms frames of a clip; what is left over at the end does not count."""
    hop = max(round(0.010 * sample_rate), 1)
    frames = samples[: len(samples) // hop * hop].reshape(-1, hop)
    energy: NDArray[np.float64] = np.einsum("nh,nh->n", frames, frames).astype(np.float64) / hop
    return energy


def _frame_size(sample_rate: int) -> int:
    from scipy.fft import next_fast_len

    return int(next_fast_len(2 * round(FRAME_SECONDS / 2 * sample_rate), real=True)) // 2 * 2


@lru_cache(maxsize=16)
def hann(size: int) -> NDArray[np.float32]:
    """[size] float32 periodic Hann window."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)).astype(np.float32)


def _spectra(samples: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    from scipy.fft import rfft

    if len(samples) < size:
        return np.zeros((0, size // 2 + 1), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[:: size // 2]
    parts = rfft(frames * hann(size), axis=1, overwrite_x=True).view(np.float32)
    np.square(parts, out=parts)
    power: NDArray[np.float32] = parts[:, ::2] + parts[:, 1::2]
    return power


def quantile(ordered: NDArray[np.generic], share: float) -> float:
    """The element of a sorted, not empty array below which a share of the others lies; nothing is interpolated."""
    return float(ordered[round(share * (len(ordered) - 1))])


def ratio_db(power: float, other: float, nothing: float) -> float:
    """Relation of two powers in dB to 2 decimals, where both are at least `nothing` > 0."""
    return round(10 * float(np.log10(max(power, nothing) / max(other, nothing))), 2) + 0.0
