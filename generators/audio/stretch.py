"""Time warping of speech without a change of pitch: a phase vocoder (Flanagan & Golden, 1966) on a free time map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from generators.audio.dsp import Signal

#: Window and hop in samples at 16 kHz: 32 ms and 8 ms; a squared Hann window overlaps to 1.5 at a quarter hop.
WINDOW, HOP = 512, 128
_OVERLAP_GAIN = 1.5
#: Frames this far below the loudest take their phase from the input again, so that words start crisply.
_RESET_DB = 45.0


def _hann() -> NDArray[np.float64]:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)


def spectra(samples: Signal) -> NDArray[np.complex128]:
    """Short-time spectra, one for each hop; frame k is centred on sample k * HOP. [K, WINDOW // 2 + 1]."""
    n = len(samples) // HOP + 1
    padded = np.pad(samples.astype(np.float64), (WINDOW // 2, WINDOW // 2 + HOP))
    index = np.arange(n)[:, None] * HOP + np.arange(WINDOW)[None, :]
    return np.fft.rfft(padded[index] * _hann(), axis=1)


def overlap_add(frames: NDArray[np.complex128], n: int) -> Signal:
    """Signal of `n` samples from short-time spectra at `HOP`; the inverse of `spectra`."""
    pieces = np.fft.irfft(frames, WINDOW, axis=1) * _hann()
    out = np.zeros(len(frames) * HOP + WINDOW)
    for k, piece in enumerate(pieces):
        out[k * HOP : k * HOP + WINDOW] += piece
    out = out[WINDOW // 2 :] / _OVERLAP_GAIN
    return np.pad(out, (0, max(n - len(out), 0)))[:n].astype(np.float32)


def warp_time(samples: Signal, places: NDArray[np.float64], n: int) -> Signal:
    """Play a signal along a time map, at its own pitch.

    Args:
        samples: [N] input.
        places: [K] for the output frames at 0, HOP, 2 HOP ... the input sample that is heard there; K hops cover
            `n`. Places outside the input are silence.
        n: Samples wanted.

    Returns:
        [n] float32; equal to the input where the map is the identity.
    """
    source = spectra(samples)
    size, phase = np.abs(source), np.angle(source)
    turn = 2 * np.pi * HOP * np.arange(WINDOW // 2 + 1) / WINDOW
    # true advance of every bin from one input frame to the next
    drift = np.diff(phase, axis=0) - turn
    advance = turn + drift - 2 * np.pi * np.round(drift / (2 * np.pi))
    level = size.sum(axis=1)
    quiet = level < level.max() * 10 ** (-_RESET_DB / 20)
    position = places / HOP
    inside = (position >= 0) & (position <= len(source) - 2)
    left = np.clip(np.floor(position).astype(int), 0, max(len(source) - 2, 0))
    weight = np.clip(position - left, 0.0, 1.0)[:, None]
    sizes = ((1 - weight) * size[left] + weight * size[left + 1]) * inside[:, None]
    angle = phase[left[0]].copy()
    out = np.empty(sizes.shape, np.complex128)
    for k, at in enumerate(left):
        if k:
            angle += advance[left[k - 1]]
        if quiet[at] or not inside[k]:
            angle = phase[at].copy()
        out[k] = sizes[k] * np.exp(1j * angle)
    return overlap_add(out, n)


def noise_like(samples: Signal, rng: np.random.Generator, share: float = 0.1) -> Signal:
    """Noise with the spectrum of the quietest frames of a signal, as long as the signal.

    Args:
        samples: [N] speech with pauses.
        rng: Source of chance.
        share: Share of frames that count as the quietest.
    """
    frames = spectra(samples)
    power = np.square(np.abs(frames))
    order = np.argsort(power.sum(axis=1), kind="stable")
    floor = np.sqrt(power[order[: max(round(share * len(order)), 1)]].mean(axis=0))
    white = spectra(rng.standard_normal(len(samples)).astype(np.float32))
    shaped = white / np.sqrt(np.square(_hann()).sum()) * floor
    return overlap_add(shaped, len(samples))
