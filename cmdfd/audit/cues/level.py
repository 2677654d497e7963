"""Loudness, peaks and offset of the sound."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.cue import Cue, CueValue
from cmdfd.audit.cues.silence import FLOOR_DB, decibels

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Samples at least this large count as clipped (16-bit full scale is 32767/32768).
CLIPPED = 0.9995
#: Samples within this share of the clip's own peak count as flat: clipping shows after a change of level too.
FLAT = 0.9995
#: Stretches whose means are compared for the drift of the offset (s).
DRIFT_SECONDS = 0.5
#: Samples from which a value between two samples is computed.
_TAPS = 12
#: The K weighting's shelf lies at 1.5 kHz: under this rate it is no stable filter.
LOUDNESS_RATE = 3200
#: Absolute gate and offset of the K weighting (ITU-R BS.1770-4).
GATE_LUFS, _K_OFFSET = -70.0, -0.691
#: Integrated loudness needs one gating block (ITU-R BS.1770-4, 400 ms).
LOUDNESS_BLOCK = 0.4
_LOUD = "bring every clip, unforged ones too, to one loudness (EBU R128) after removing the offset (harmonise)"
_SOURCE = "Shim et al., arXiv 2306.00044: loudness put on one class gives perfect and worse-than-chance detectors"

CUES = (
    Cue("level.rms", "the mean level", "dB", "nuisance", "RMS in dB of full scale, at least -120", _LOUD, _SOURCE),
    Cue(
        "level.peak",
        "the peak level",
        "dB",
        "nuisance",
        "largest |A| in dB of full scale, at least -120",
        _LOUD,
        _SOURCE,
    ),
    Cue("level.crest", "the crest factor", "dB", "nuisance", "peak minus RMS", _LOUD, _SOURCE),
    Cue(
        "level.lufs",
        "the loudness",
        "LUFS",
        "nuisance",
        "integrated loudness, ITU-R BS.1770; none under 0.4 s or where all is gated",
        _LOUD,
        _SOURCE,
    ),
    Cue(
        "level.dc",
        "the offset",
        "full scale",
        "nuisance",
        "mean of the samples, to 6 decimals",
        "remove the offset of every clip with one high-pass",
        "vocoders and sound cards leave offsets",
    ),
    Cue(
        "level.clipped",
        "the share of clipped samples",
        "share",
        "nuisance",
        "share of samples with |A| >= 0.9995",
        _LOUD,
        _SOURCE,
    ),
)

_CLIP = "refuse clipped sources, or limit all clips alike after one gain"

#: Further cues of level, measured by `measure_more`; apart from `CUES`, on which published floors rest.
MORE_CUES = (
    Cue(
        "level.true_peak",
        "the true peak",
        "dB",
        "nuisance",
        "largest |A| of the sound and of 3 values between any two samples (12-tap windowed sinc), dB of full scale, at "
        "least -120",
        _LOUD,
        "normalisers stop at a sample peak, limiters at a true peak (EBU R128: -1 dB)",
    ),
    Cue(
        "level.clipped_run",
        "the longest clipped stretch",
        "samples",
        "nuisance",
        "longest run of samples with |A| >= 0.9995",
        _CLIP,
        _SOURCE,
    ),
    Cue(
        "level.flat_run",
        "the longest flat top",
        "samples",
        "nuisance",
        "longest run of samples of one sign with |A| >= 0.9995 of the clip's peak; none for digital zero",
        _CLIP,
        "clipping stays visible after the level was changed",
    ),
    Cue(
        "level.dc_drift",
        "the drift of the offset",
        "full scale",
        "nuisance",
        "largest minus smallest mean of stretches of 0.5 s, to 6 decimals; none under 1 s",
        "remove the offset of every clip with one high-pass",
        "spliced parts keep the offset of their source",
    ),
)


def measure(samples: NDArray[np.float32], sample_rate: int) -> dict[str, CueValue]:
    """Cues of level.

    Args:
        samples: [N] mono in [-1, 1].
        sample_rate: Samples per second.

    Returns:
        A value for every cue of `CUES`; all None for an empty clip.
    """
    if len(samples) == 0:
        return dict.fromkeys(cue.name for cue in CUES)
    loudness = np.abs(samples)
    peak = decibels(float(loudness.max()))
    rms = decibels(float(np.sqrt(np.dot(samples, samples) / len(samples))))
    return {
        "level.rms": rms,
        "level.peak": peak,
        "level.crest": peak - rms,
        "level.lufs": lufs(samples, sample_rate),
        "level.dc": round(float(samples.mean(dtype=np.float64)), 6) + 0.0,
        "level.clipped": float(np.mean(loudness >= CLIPPED)),
    }


def lufs(samples: NDArray[np.float32], sample_rate: int) -> float | None:
    """Integrated loudness; None where it is not defined.

    The filters are pyloudnorm's, both in one, and the rule of blocks and gates is its own (a block is cut at the clip's
    end), so the values are those of `pyloudnorm.Meter.integrated_loudness` to 1e-9, in half of the time.

    Args:
        samples: [N] mono.
        sample_rate: Samples per second.
    """
    n_samples = len(samples)
    if (
        sample_rate < LOUDNESS_RATE
        or n_samples < LOUDNESS_BLOCK * sample_rate
        or decibels(float(max(samples.max(), -samples.min()))) <= FLOOR_DB
    ):
        return None
    from scipy.signal import lfilter

    weighted = lfilter(*_k_weighting(sample_rate), samples.astype(np.float64))
    summed = np.zeros(n_samples + 1)
    np.cumsum(np.square(weighted, out=weighted), out=summed[1:])
    step = 0.25
    n_blocks = int(np.round((n_samples / sample_rate - LOUDNESS_BLOCK) / (LOUDNESS_BLOCK * step))) + 1
    index = np.arange(n_blocks)
    first = (LOUDNESS_BLOCK * (index * step) * sample_rate).astype(int)
    last = np.minimum((LOUDNESS_BLOCK * (index * step + 1) * sample_rate).astype(int), n_samples)
    power = np.maximum(summed[last] - summed[first], 0.0) / (LOUDNESS_BLOCK * sample_rate)
    loud = power[power >= _power(GATE_LUFS)]
    if not len(loud):
        return None
    loud = loud[(loud > loud.mean() / 10) & (loud > _power(GATE_LUFS))]  # 10 LU below the mean
    return _K_OFFSET + 10 * float(np.log10(loud.mean())) if len(loud) else None


def _power(loudness: float) -> float:
    return float(10 ** ((loudness - _K_OFFSET) / 10))


@lru_cache(maxsize=16)
def _k_weighting(sample_rate: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Numerator and denominator of the K weighting of BS.1770 at a sample rate: shelf and high-pass in one."""
    from pyloudnorm.iirfilter import IIRfilter

    shelf = IIRfilter(4.0, 1 / np.sqrt(2), 1500.0, sample_rate, "high_shelf")
    high_pass = IIRfilter(0.0, 0.5, 38.0, sample_rate, "high_pass")
    return np.convolve(shelf.b, high_pass.b), np.convolve(shelf.a, high_pass.a)


def measure_more(samples: NDArray[np.float32], sample_rate: int) -> dict[str, CueValue]:
    """Further cues of level.

    Args:
        samples: [N] mono in [-1, 1].
        sample_rate: Samples per second.

    Returns:
        A value for every cue of `MORE_CUES`; None where the clip is too short or silent.
    """
    found: dict[str, CueValue] = dict.fromkeys(cue.name for cue in MORE_CUES)
    if len(samples) == 0:
        return found
    loudness = np.abs(samples)
    peak = float(loudness.max())
    found["level.true_peak"] = round(decibels(true_peak(samples)), 3)
    found["level.clipped_run"] = float(longest_run(loudness >= CLIPPED))
    if peak > 0:
        top = np.float32(FLAT * peak)
        found["level.flat_run"] = float(max(longest_run(samples >= top), longest_run(samples <= -top)))
    hop = round(DRIFT_SECONDS * sample_rate)
    n = len(samples) // hop if hop else 0
    if n > 1:
        means = samples[: n * hop].reshape(n, hop).mean(axis=1, dtype=np.float64)
        found["level.dc_drift"] = round(float(means.max() - means.min()), 6)
    return found


def true_peak(samples: NDArray[np.float32]) -> float:
    """Largest |A| of the sound between its samples too, at four times the sample rate (after ITU-R BS.1770-4, annex 2).

    Args:
        samples: [N] mono, N >= 1.
    """
    loudness = np.abs(samples)
    peak = float(loudness.max())
    # The weights' magnitudes sum to 1.92, of which 1.26 are those of the two samples beside: a value over the peak
    # needs one of the 12 samples around over half of the peak, and one of the two over a quarter.
    n, half = len(samples), _TAPS // 2
    padded = np.zeros(n + 2 * (_TAPS - 1), np.float32)
    padded[_TAPS - 1 : n + _TAPS - 1] = samples
    loud = np.zeros(n + _TAPS - 1, bool)
    np.greater_equal(loudness, 0.5 * peak, out=loud[:n])
    for step in (1, 2, 4, 4):  # in the end each window that holds one of them
        loud[step:] |= loud[:-step].copy()
    beside = np.zeros(n + _TAPS, bool)
    np.greater_equal(loudness, 0.25 * peak, out=beside[half : n + half])
    wanted = np.flatnonzero(loud & (beside[:-1] | beside[1:]))
    windows = padded[wanted[:, None] + np.arange(_TAPS)]
    # not by BLAS, whose threads would wait for those of other processes
    between = np.einsum("kt,tm->km", windows, _interpolator())
    return max(peak, float(np.abs(between).max(initial=0.0)))


@lru_cache(maxsize=1)
def _interpolator() -> NDArray[np.float32]:
    """[12, 3] weights of the values a quarter, half and three quarters of the way between the two middle taps."""
    half = _TAPS // 2
    away = np.arange(2 * half)[:, None] - (half - 1) - np.array([0.25, 0.5, 0.75])
    taps = np.sinc(away) * np.i0(5.0 * np.sqrt(np.maximum(1 - (away / half) ** 2, 0)))
    weights: NDArray[np.float32] = (taps / taps.sum(axis=0)).astype(np.float32)
    return weights


def longest_run(flags: NDArray[np.bool_]) -> int:
    """Length of the longest run of true."""
    if not flags.any():
        return 0
    bounds = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]])))
    return int((bounds[1::2] - bounds[::2]).max())
