"""Splices inside a clip, and what an encoder's priming and padding leave at its ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.cue import Cue, CueValue
from cmdfd.audit.cues.figures import median
from cmdfd.audit.cues.sound import FEWEST_SPECTRA, NOTHING, Sound, ratio_db

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Blocks in which a step is looked for (s), how many on each side tell what is usual there, and how many between.
_BLOCK_SECONDS, _AROUND, _BETWEEN = 0.002, 5, 1
#: A step is measured at least against this share of the clip's median block: digital zero has no spread.
_LEAST_SPREAD = 0.1
#: Bands of 8 bins (250 Hz) whose spread is a frame's dynamic range, from bin 8 (250 Hz) up to 8 kHz at most.
_BAND_BINS, _BAND_TOP_HZ = 8, 8000.0
#: A band counts at least as this share of the loudest (-60 dB): below lie the holes that codecs leave.
_LEAST_BAND = 1e-6
#: Frames that are compared for it: at most this far (dB) below the loudest.
_LOUD_DB = 30.0
#: The band above the cut-off begins this far above it (two bins of skirt and the edge itself) and is at least as wide.
_LEAK_HZ = 300.0
#: Windows between which noise floor and loudness jump, in 10 ms frames: 1 s, with half overlap.
_WINDOW, _HOP = 100, 50
#: Priming of AAC encoders in samples: FFmpeg's and most others 1024; Apple's 2112.
PRIMINGS = (1024, 2112)
#: One step of 16-bit sound: what is smaller is digital zero, also after a float decoder.
_ONE_STEP = 1 / 32768

_FADE = "cross-fade joints over 5 to 20 ms, and put null splices (unforged into unforged) into unforged clips too"
_NEGRONI = "Negroni et al., arXiv 2408.13784: splices of PartialSpoof are found without training, EER 6 %"
_EDITS = (
    "write every clip, unforged ones too, with one encoder and its edit list, decode with it, then cut all at random"
)
_PRIME = "without edit list the encoder's priming is decoded: 64 ms of near-silence at 16 kHz (MakeItTalk's in CMDFD)"

CUES = (
    Cue(
        "audio.step",
        "the sharpest step in the sound",
        "ratio",
        "debatable",
        "largest |second difference| of a 2 ms block over the RMS of the second differences of the 5 blocks before or "
        "after it (the louder side, one block between; at least a tenth of the clip's median block)",
        _FADE,
        _NEGRONI,
        "none",
    ),
    Cue(
        "audio.splice_range",
        "the frame with the least dynamic range",
        "dB",
        "debatable",
        "range of a 32 ms frame = loudest minus quietest of its 250 Hz bands up to 8 kHz or the cut-off, at most 60; "
        "smallest minus median over the frames within 30 dB of the loudest",
        _FADE,
        _NEGRONI,
        "none",
    ),
    Cue(
        "audio.splice_leak",
        "the energy that leaks over the cut-off",
        "dB",
        "debatable",
        "level of 32 ms frames from 300 Hz above audio.cutoff on: largest minus median; none where less than 300 Hz "
        "lie there",
        _FADE,
        _NEGRONI,
        "none",
    ),
    Cue(
        "audio.floor_jump",
        "the largest jump of the noise floor",
        "dB",
        "debatable",
        "10th percentile of the level of 10 ms frames in windows of 1 s, half overlapping: largest difference between "
        "windows that touch; none under 2 s",
        "lay the source clip's own room tone under what was put in",
        _NEGRONI,
        "none",
    ),
    Cue(
        "audio.loudness_jump",
        "the largest jump of the loudness",
        "dB",
        "debatable",
        "as audio.floor_jump with the 90th percentile",
        "bring what was put in to the loudness of what it replaces",
        _NEGRONI,
        "none",
    ),
    *(
        Cue(
            f"audio.start_ramp_{n}",
            "the soft start of the sound",
            "dB",
            "leak",
            f"energy of the first {n} samples over that of the {n} after them, at the file's own rate; -100 to 100; "
            f"none under {2 * n} samples or where both are digital zero",
            _EDITS,
            _PRIME,
            "crop",
        )
        for n in PRIMINGS
    ),
    Cue(
        "audio.first_sample",
        "the sample at which the sound begins",
        "samples",
        "leak",
        "index, at the file's own rate, of the first sample with |A| of at least one 16-bit step; none for no such",
        _EDITS,
        _PRIME,
        "crop",
    ),
    Cue(
        "audio.end_ramp",
        "the soft end of the sound",
        "dB",
        "leak",
        "energy of the last 1024 samples over that of the 1024 before them, as audio.start_ramp_1024",
        _EDITS,
        "encoders pad the last frame with zeros; without edit list they are decoded",
        "crop",
    ),
)


def measure(sound: Sound, cutoff: float | None) -> dict[str, CueValue]:
    """Cues of splices, priming and padding.

    Args:
        sound: The clip's sound, not all zero.
        cutoff: Its effective cut-off in Hz, None where it is too short for one.

    Returns:
        A value for every cue of `CUES`; None where there is nothing to measure.
    """
    found: dict[str, CueValue] = dict.fromkeys(cue.name for cue in CUES)
    found["audio.step"] = _step(sound)
    if cutoff is not None and len(sound.power) >= FEWEST_SPECTRA:
        found["audio.splice_range"] = _least_range(sound, cutoff)
        found["audio.splice_leak"] = _leak(sound, cutoff)
    found |= _jumps(sound.energy)
    return found | _ends(sound.samples)


def _step(sound: Sound) -> float | None:
    samples, size = sound.samples, max(round(_BLOCK_SECONDS * sound.sample_rate), 1)
    n = (len(samples) - 2) // size
    if n < 2 * (_AROUND + _BETWEEN) + 1:
        return None
    second = (samples[2:] - 2 * samples[1:-1] + samples[:-2])[: n * size].reshape(n, size)
    energy = np.einsum("nh,nh->n", second, second).astype(np.float64) / size
    used = energy[energy > 0]
    if not len(used):
        return None
    beside = np.convolve(energy, np.full(_AROUND, 1 / _AROUND), "valid")  # mean of blocks i .. i + 4
    usual = np.zeros(n)
    usual[: n - _AROUND - _BETWEEN] = beside[_BETWEEN + 1 :]
    usual[_AROUND + _BETWEEN :] = np.maximum(usual[_AROUND + _BETWEEN :], beside[: n - _AROUND - _BETWEEN])
    least = _LEAST_SPREAD**2 * median(used)
    return round(float(np.sqrt(np.max(np.max(np.square(second), axis=1) / np.maximum(usual, least)))), 2)


def _least_range(sound: Sound, cutoff: float) -> float | None:
    top = min(_BAND_TOP_HZ, cutoff) - sound.bin_hz * _BAND_BINS  # the edge's own band would be a range for itself
    n_bands = int(top / sound.bin_hz) // _BAND_BINS - 1
    total = sound.power.sum(axis=1)
    loud = sound.power[total >= total.max() * 10 ** (-_LOUD_DB / 10)]
    if n_bands < 2 or len(loud) < FEWEST_SPECTRA or not total.any():
        return None
    starts = _BAND_BINS * np.arange(1, n_bands + 2)
    bands = np.add.reduceat(loud[:, : starts[-1]], starts[:-1], axis=1)
    high = bands.max(axis=1)
    ranges = 10 * np.log10(high / np.maximum(bands.min(axis=1), np.float32(_LEAST_BAND) * high))
    return round(float(ranges.min() - median(ranges)), 2) + 0.0


def _leak(sound: Sound, cutoff: float) -> float | None:
    first = cutoff + _LEAK_HZ
    if sound.nyquist - first < _LEAK_HZ:
        return None
    above = sound.power[:, sound.bin(first) :].sum(axis=1)
    nothing = NOTHING * float(sound.power.sum(axis=1).max())
    if nothing == 0:
        return None
    return ratio_db(float(above.max()), median(above), nothing)


def _jumps(energy: NDArray[np.float64]) -> dict[str, CueValue]:
    if len(energy) < 2 * _WINDOW or not energy.any():
        return {}
    level = 10 * np.log10(np.maximum(energy, NOTHING * energy.max()))
    windows = np.sort(np.lib.stride_tricks.sliding_window_view(level, _WINDOW)[::_HOP], axis=1)
    touching = _WINDOW // _HOP
    found: dict[str, CueValue] = {}
    for name, share in (("floor", 0.10), ("loudness", 0.90)):
        part = windows[:, round(share * (_WINDOW - 1))]
        found[f"audio.{name}_jump"] = round(float(np.abs(part[touching:] - part[:-touching]).max()), 2)
    return found


def _ends(samples: NDArray[np.float32]) -> dict[str, CueValue]:
    found: dict[str, CueValue] = {}
    for n in PRIMINGS:
        found[f"audio.start_ramp_{n}"] = _ramp(samples[:n], samples[n : 2 * n], n)
    size = PRIMINGS[0]
    found["audio.end_ramp"] = _ramp(samples[-size:], samples[-2 * size : -size], size)
    heard = np.abs(samples) >= _ONE_STEP
    found["audio.first_sample"] = float(np.argmax(heard)) if heard.any() else None
    return found


def _ramp(edge: NDArray[np.float32], inside: NDArray[np.float32], n: int) -> float | None:
    if len(edge) < n or len(inside) < n:
        return None
    outer, inner = float(np.dot(edge, edge)), float(np.dot(inside, inside))
    larger = max(outer, inner)
    return ratio_db(outer, inner, NOTHING * larger) if larger > 0 else None
