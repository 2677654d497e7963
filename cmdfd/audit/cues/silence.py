"""Silence before, in and after speech: the shortcut that supervised detectors took on public sets."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.cue import Cue, CueValue, Fix
from cmdfd.audit.cues.figures import percentile

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Threshold of AVH-Align's rule on samples in [-1, 1] (Smeu et al., CVPR 2025, arXiv 2412.00175; released code).
AVH_THRESHOLD = 5e-4
#: Sample rate and frame rate of that rule.
AVH_SAMPLE_RATE, AVH_FPS = 16000, 25
#: -60 dB of full scale.
DBFS_60 = 1e-3
#: Speech level = this percentile of the RMS of 10 ms frames; silence is 40 dB below it.
SPEECH_PERCENTILE, BELOW_SPEECH = 90, 1e-2
#: Lengths of the onset whose peak is measured (ms); 30 is the one that evaluators of AVH-Align use.
ONSETS = (10, 20, 30, 50)
#: Level that stands for digital silence, dB of full scale.
FLOOR_DB = -120.0
#: A pause is a run of at least this many 10 ms frames that lie 25 dB (as a ratio of amplitudes) below the speech level.
PAUSE_FRAMES, BELOW_PAUSE = 2, 10 ** (-25 / 20)
#: Runs of exact zeros from this length on (s) are no accident of quiet sound: 32 samples at 16 kHz.
ZERO_RUN = 0.002

_TRIM = (
    "cut both streams of every clip, unforged ones too, at random offsets of one distribution; never trim one class, "
    "for that moves the cue into the duration"
)
_AVH = "AVH-Align, arXiv 2412.00175: fakes of FakeAVCeleb and AV-Deepfake1M start with a short silence"
_ASV = "ASVspoof 2019/21 has the opposite sign (Müller et al., arXiv 2106.12914), so the test is two-sided"
_ZERO = "digital silence comes from padding, not from microphones"

_LEVELS = (
    ("5e-4", "|A| > 5e-4"),
    ("60dbfs", "|A| > -60 dB of full scale"),
    ("40db_speech", "|A| > speech level - 40 dB"),
)

CUES = (
    *(
        Cue(
            f"silence.lead_{name}",
            "the leading silence",
            "s",
            "nuisance",
            f"time before the first sample with {rule}; whole clip if none",
            _TRIM,
            _AVH,
            fix="crop",
        )
        for name, rule in _LEVELS
    ),
    *(
        Cue(
            f"silence.trail_{name}",
            "the trailing silence",
            "s",
            "nuisance",
            f"time after the last sample with {rule}; whole clip if none",
            _TRIM,
            _ASV,
            fix="crop",
        )
        for name, rule in _LEVELS
    ),
    Cue(
        "silence.avh_lead",
        "the leading silence by AVH-Align's rule",
        "s",
        "nuisance",
        "at 16 kHz: index of the first sample with |A| > 5e-4, over 16000",
        _TRIM,
        _AVH,
        fix="crop",
    ),
    Cue(
        "silence.avh_trim",
        "the number of frames that AVH-Align's rule trims",
        "frames",
        "nuisance",
        "floor(silence * 25) + 1 where the silence is > 0, else 0",
        _TRIM,
        _AVH,
        fix="crop",
    ),
    *(
        Cue(
            f"silence.onset_{ms}ms",
            f"the peak level of the first {ms} ms",
            "dB",
            "nuisance",
            f"max |A| of the first {ms} ms, dB of full scale, at least -120",
            _TRIM,
            _AVH,
            fix="crop",
        )
        for ms in ONSETS
    ),
    Cue(
        "silence.zero_lead",
        "the digital silence at the start",
        "s",
        "nuisance",
        "length of the run of exact zeros at the start",
        _TRIM,
        _ZERO,
        fix="crop",
    ),
    Cue(
        "silence.zero_trail",
        "the digital silence at the end",
        "s",
        "nuisance",
        "length of the run of exact zeros at the end",
        _TRIM,
        _ZERO,
        fix="crop",
    ),
    Cue(
        "silence.zero_share",
        "the share of digital silence",
        "share",
        "nuisance",
        "share of samples that are exactly 0",
        "lay a matched noise floor under every clip",
        _ZERO,
    ),
    Cue(
        "silence.pause_share",
        "the share of pauses",
        "share",
        "nuisance",
        "share of 10 ms frames with RMS 40 dB below the speech level",
        "lay a matched noise floor under every clip",
        "synthetic speech pauses less and more silently than recorded speech",
    ),
)

_PAUSE_RULE = (
    "pause = run of at least two 10 ms frames with RMS at least 25 dB below the speech level, after the first and "
    "before the last frame above that"
)
_BALANCE = "take real and forged clips of the same sentences, or keep a subset with like pauses"
_PACE = "text-to-speech pauses by punctuation, people where they breathe and think"


def _more(name: str, title: str, unit: str, rule: str, remedy: str, source: str, fix: Fix) -> Cue:
    return Cue(f"silence.{name}", title, unit, "nuisance", rule, remedy, source, fix)


#: Cues of silence inside the clip, measured by `measure_more`; apart from `CUES`, on which published floors rest.
MORE_CUES = (
    _more("pause_rate", "the number of pauses", "1/s", f"pauses per second; {_PAUSE_RULE}", _BALANCE, _PACE, "match"),
    _more("pause_mean", "the mean pause", "s", f"mean length, 0 for none; {_PAUSE_RULE}", _BALANCE, _PACE, "match"),
    _more("pause_longest", "the longest pause", "s", f"0 for none; {_PAUSE_RULE}", _BALANCE, _PACE, "match"),
    _more(
        "zero_longest",
        "the longest digital silence inside",
        "s",
        "longest run of exact zeros between the first and the last sample that is not 0",
        "lay a matched noise floor under every clip",
        _ZERO,
        "harmonise",
    ),
    _more(
        "zero_runs",
        "the share of digital silence inside",
        "share",
        "share of all samples that lie in runs of exact zeros of at least 2 ms between the first and the last sample "
        "that is not 0",
        "lay a matched noise floor under every clip",
        _ZERO,
        "harmonise",
    ),
)


def measure(samples: NDArray[np.float32], sample_rate: int) -> dict[str, CueValue]:
    """Cues of silence.

    Args:
        samples: [N] mono in [-1, 1].
        sample_rate: Samples per second.

    Returns:
        A value for every cue of `CUES`; all None for an empty clip.
    """
    if len(samples) == 0:
        return dict.fromkeys(cue.name for cue in CUES)
    loudness = np.abs(samples)
    rms = frame_rms(samples, sample_rate)
    speech = percentile(rms, SPEECH_PERCENTILE)
    found: dict[str, CueValue] = {}
    for (name, _), threshold in zip(_LEVELS, (AVH_THRESHOLD, DBFS_60, speech * BELOW_SPEECH), strict=True):
        lead, trail = edges(loudness, threshold)
        found[f"silence.lead_{name}"] = lead / sample_rate
        found[f"silence.trail_{name}"] = trail / sample_rate
    zero_lead, zero_trail = edges(loudness, 0.0)
    silence = avh_silence(samples, sample_rate)
    found |= {
        "silence.avh_lead": silence,
        "silence.avh_trim": float(avh_trim_frames(silence)),
        "silence.zero_lead": zero_lead / sample_rate,
        "silence.zero_trail": zero_trail / sample_rate,
        "silence.zero_share": float(np.mean(samples == 0)),
        "silence.pause_share": float(np.mean(rms <= speech * BELOW_SPEECH)),
    }
    for ms in ONSETS:
        found[f"silence.onset_{ms}ms"] = decibels(float(loudness[: max(round(ms * sample_rate / 1000), 1)].max()))
    return found


def measure_more(samples: NDArray[np.float32], sample_rate: int) -> dict[str, CueValue]:
    """Cues of silence inside the clip.

    Args:
        samples: [N] mono in [-1, 1].
        sample_rate: Samples per second.

    Returns:
        A value for every cue of `MORE_CUES`; all None for an empty clip.
    """
    if len(samples) == 0:
        return dict.fromkeys(cue.name for cue in MORE_CUES)
    rms = frame_rms(samples, sample_rate)
    runs = runs_inside(rms <= percentile(rms, SPEECH_PERCENTILE) * BELOW_PAUSE)
    pauses = runs[runs >= PAUSE_FRAMES] * 0.010
    zeros = runs_inside(samples == 0)
    return {
        "silence.pause_rate": round(len(pauses) * sample_rate / len(samples), 4),
        "silence.pause_mean": round(float(pauses.mean()), 4) if len(pauses) else 0.0,
        "silence.pause_longest": round(float(pauses.max(initial=0.0)), 4),
        "silence.zero_longest": float(zeros.max(initial=0)) / sample_rate,
        "silence.zero_runs": float(zeros[zeros >= ZERO_RUN * sample_rate].sum()) / len(samples),
    }


def runs_inside(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """[R] lengths of the runs of true that touch neither end, in order; none where all are true."""
    bounds = np.flatnonzero(flags[1:] != flags[:-1]) + 1
    if len(flags) and flags[0]:
        bounds = bounds[1:]
    return np.diff(bounds)[::2].astype(np.int64)


def decibels(amplitude: float) -> float:
    """Amplitude in dB of full scale, at least `FLOOR_DB`."""
    return max(20 * float(np.log10(amplitude)), FLOOR_DB) if amplitude > 0 else FLOOR_DB


def edges(loudness: NDArray[np.float32], threshold: float) -> tuple[int, int]:
    """Samples before the first and after the last one above a threshold; all of them, twice, where there is none."""
    loud = loudness > threshold
    first = int(loud.argmax()) if len(loud) else 0
    if not loud[first : first + 1].any():
        return len(loud), len(loud)
    return first, int(loud[::-1].argmax())


def frame_rms(samples: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
    """RMS of 10 ms frames; one frame for what is shorter."""
    hop = min(max(round(0.010 * sample_rate), 1), len(samples))
    n = len(samples) // hop
    frames = samples[: n * hop].reshape(n, hop)
    power: NDArray[np.float64] = np.einsum("nh,nh->n", frames, frames, dtype=np.float64) / hop
    return np.sqrt(power)


def avh_silence(samples: NDArray[np.float32], sample_rate: int) -> float:
    """Leading silence in seconds by AVH-Align's rule: first sample of the 16 kHz sound with |A| > 5e-4.

    A clip that is quiet throughout is silent for its whole length.

    Args:
        samples: [N] mono in [-1, 1].
        sample_rate: Samples per second.
    """
    if sample_rate != AVH_SAMPLE_RATE:
        lead, _ = edges(np.abs(samples), AVH_THRESHOLD)
        # The rule nearly always ends within 50 ms of the first loud sample of the original, else within a second.
        # A sample of the resampled sound depends on 10 samples of the lower rate to each side, which are left free.
        part = _resampled(samples[: lead + sample_rate // 20], sample_rate)
        found, _ = edges(np.abs(part), AVH_THRESHOLD)
        free = -(-12 * AVH_SAMPLE_RATE // min(sample_rate, AVH_SAMPLE_RATE))
        if found < len(part) - free:
            return found / AVH_SAMPLE_RATE
        samples = _resampled(samples[: lead + sample_rate], sample_rate)
    lead, _ = edges(np.abs(samples), AVH_THRESHOLD)
    return lead / AVH_SAMPLE_RATE


def _resampled(samples: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    from scipy.signal import resample_poly

    common = int(np.gcd(sample_rate, AVH_SAMPLE_RATE))
    up, down = AVH_SAMPLE_RATE // common, sample_rate // common
    resampled: NDArray[np.float32] = resample_poly(samples, up, down, window=_low_pass(max(up, down)))
    return resampled


@lru_cache(maxsize=16)
def _low_pass(steps: int) -> NDArray[np.float32]:
    """The filter that SciPy's `resample_poly` designs anew at every call."""
    from scipy.signal import firwin

    taps: NDArray[np.float32] = firwin(20 * steps + 1, 1 / steps, window=("kaiser", 5.0)).astype(np.float32)
    return taps


def avh_trim_frames(silence: float) -> int:
    """Video frames at 25 per second that AVH-Align's rule drops for a leading silence (640 samples each)."""
    return int(silence * AVH_FPS) + 1 if silence > 0 else 0
