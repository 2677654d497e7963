"""Loudness, peaks and offset of the sound."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.audit.cue import Cue, CueValue
from cmdfd.audit.cues.silence import FLOOR_DB, decibels

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Samples at least this large count as clipped (16-bit full scale is 32767/32768).
CLIPPED = 0.9995
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

    Args:
        samples: [N] mono.
        sample_rate: Samples per second.
    """
    if len(samples) < LOUDNESS_BLOCK * sample_rate or decibels(float(np.abs(samples).max())) <= FLOOR_DB:
        return None
    with np.errstate(divide="ignore"):
        value = float(_meter(sample_rate).integrated_loudness(samples.astype(np.float64)))
    return value if np.isfinite(value) else None


@lru_cache(maxsize=8)
def _meter(sample_rate: int) -> Any:
    import pyloudnorm

    return pyloudnorm.Meter(sample_rate)
