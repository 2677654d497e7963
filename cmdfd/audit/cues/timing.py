"""Lengths, rates and grids: generators cut and pad the two streams each in its own way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.cue import Cue, CueValue

if TYPE_CHECKING:
    from cmdfd.audit.reading import FileFacts, Packets

_CUT = "cut sound and picture of every clip, unforged ones too, to one common end on one clock before encoding"
_RATE = "bring every clip, unforged ones too, to one constant frame rate"
_GRID = "cut every clip to the same length, or to random lengths off the codec's grid, then encode all alike"
_CMDFD = "in CMDFD's lists the gap alone gives AUC .976 (Wav2Lip) to 1.000 (MakeItTalk); Wav2Lip leaves out tail frames"
_AV1M = "AV-Deepfake1M, issue 7: the number of samples tells forged sound (padding to frames of the codec)"
_A2H = "CMDFD's Audio2Head sound is a multiple of 1024 samples at 44.1 kHz, the unforged one at 16 kHz: AUC .999"

#: Frame lengths of codecs, by the rate at which the number of samples is looked at: AAC 1024, Opus 960 (20 ms).
GRIDS = ((16000, 1024), (22050, 1024), (44100, 1024), (48000, 1024), (48000, 960))

CUES = (
    Cue("time.video_duration", "the length of the picture", "s", "leak", "frames / declared rate", _CUT, _CMDFD),
    Cue("time.audio_duration", "the length of the sound", "s", "leak", "decoded samples / sample rate", _CUT, _CMDFD),
    Cue(
        "time.av_gap",
        "the gap between sound and picture",
        "ms",
        "leak",
        "decoded sound length minus frames / declared rate",
        _CUT,
        _CMDFD,
    ),
    Cue(
        "time.video_span",
        "the time that the picture's packets span",
        "s",
        "leak",
        "last minus first time stamp, plus the last duration",
        _CUT,
        _CMDFD,
    ),
    Cue(
        "time.audio_span",
        "the time that the sound's packets span",
        "s",
        "leak",
        "last minus first time stamp, plus the last duration",
        _CUT,
        _CMDFD,
    ),
    Cue(
        "time.start_difference",
        "the later start of the sound",
        "ms",
        "leak",
        "first sample's time minus first frame's time",
        _CUT,
        "muxers that do not signal encoder delay",
    ),
    Cue("time.n_frames", "the number of frames", "frames", "leak", "video packets that a player shows", _CUT, _CMDFD),
    Cue(
        "time.n_samples",
        "the number of samples",
        "samples",
        "leak",
        "decoded samples at the file's own rate",
        _GRID,
        _AV1M,
    ),
    Cue(
        "time.fps",
        "the frame rate",
        "1/s",
        "leak",
        "declared average rate",
        _RATE,
        "MakeItTalk renders 62.5 frames per second",
    ),
    Cue(
        "time.frame_jitter",
        "the unevenness of the frames",
        "ms",
        "leak",
        "standard deviation of the distances between frames",
        _RATE,
        "variable frame rate of phones and screen recorders",
    ),
    *(
        Cue(
            f"time.samples_mod_{size}_at_{rate}",
            f"the rest of the sound's length in codec frames of {size} samples at {rate} Hz",
            "samples",
            "leak",
            f"round(seconds * {rate}) mod {size}",
            _GRID,
            _A2H,
        )
        for rate, size in GRIDS
    ),
)


#: Cues that need the decoded sound.
SOUND_CUES = (
    "time.audio_duration",
    "time.av_gap",
    "time.start_difference",
    "time.n_samples",
    *(f"time.samples_mod_{size}_at_{rate}" for rate, size in GRIDS),
)


def grid_cues(n_samples: int, sample_rate: int) -> dict[str, CueValue]:
    """Where the end of the sound falls on the frame grids of common codecs.

    Args:
        n_samples: Samples.
        sample_rate: Samples per second.
    """
    return {
        f"time.samples_mod_{size}_at_{rate}": float(round(n_samples * rate / sample_rate) % size)
        for rate, size in GRIDS
    }


def measure(facts: FileFacts) -> dict[str, CueValue]:
    """Cues of a file's clock; None where a stream is missing or says nothing."""
    found: dict[str, CueValue] = dict.fromkeys(cue.name for cue in CUES)
    video, audio = facts.video, facts.audio
    picture: float | None = None
    if video is not None:
        n = len(video.packets.times)
        picture = n / video.fps if video.fps else None
        shown = np.sort(video.packets.times)
        found["time.video_duration"] = picture
        found["time.video_span"] = _span(video.packets)
        found["time.n_frames"] = float(n)
        found["time.fps"] = video.fps
        found["time.frame_jitter"] = _rounded(float(np.std(np.diff(shown))) * 1000) if n > 2 else None
    if audio is not None:
        found["time.audio_span"] = _span(audio.packets)
    if audio is not None and audio.decoded is not None:
        found |= sound_cues(len(audio.sound.samples), audio.sound.sample_rate, picture)
        if video is not None and len(video.packets.times):
            found["time.start_difference"] = _rounded((audio.sound.start - float(video.packets.times.min())) * 1000)
    return found


def sound_cues(n_samples: int, sample_rate: int, picture: float | None) -> dict[str, CueValue]:
    """Length of the sound, alone and against the picture.

    Args:
        n_samples: Samples.
        sample_rate: Samples per second.
        picture: Seconds of picture, or None.
    """
    seconds = n_samples / sample_rate
    return {
        "time.audio_duration": seconds,
        "time.n_samples": float(n_samples),
        "time.av_gap": None if picture is None else _rounded((seconds - picture) * 1000),
        **grid_cues(n_samples, sample_rate),
    }


def _span(packets: Packets) -> float | None:
    if not len(packets.times):
        return None
    last = int(np.argmax(packets.times))
    return _rounded(float(packets.times[last] + packets.durations[last] - packets.times.min()))


def _rounded(value: float) -> float:
    """Without the noise of binary fractions: two equal clocks must give one number."""
    return round(value, 6) + 0.0
