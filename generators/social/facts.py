"""A few lines about a file, for people."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from generators.social.check import read_for_check
from generators.social.source import read_source

if TYPE_CHECKING:
    from pathlib import Path

    from cmdfd.audit.reading import AudioFacts, VideoFacts

_NONE = "none"


def facts_of(path: Path) -> dict[str, str]:
    """Describe a file by what its headers and packets say.

    Returns:
        Name of the fact -> text, always the same names.

    Raises:
        MediaError: If it cannot be read, or has no picture.
    """
    reading, source = read_for_check(path), read_source(path)
    facts, video, audio = reading.facts, reading.facts.video, reading.facts.audio
    rate = f"{float(source.rate):g}" if source.steady else f"unsteady, about {float(source.rate):g}"
    return {
        "container": " ".join([source.demuxer, *(facts.tags[name] for name in ("major_brand",) if name in facts.tags)]),
        "size": f"{source.width}x{source.height}",
        "frames": f"{len(source.ticks)} at {rate} fps",
        "video": _NONE if video is None else _coding(video, reading.level),
        "video rate": f"{source.kbps:.0f} kb/s",
        "key frames": _NONE if video is None else _distances(video),
        "sound": _NONE if audio is None else f"{audio.codec} {audio.profile}, {audio.sample_rate} Hz, {audio.layout}",
        "sound rate": _NONE if audio is None else f"{_sound_kbps(audio):.0f} kb/s",
        "bytes": f"{facts.size_bytes}",
    }


def _coding(video: VideoFacts, level: int | None) -> str:
    known = f"@{level / 10:.1f}" if level is not None and video.codec == "h264" else ""
    return f"{video.codec} {video.profile}{known}, {video.pix_fmt}"


def _distances(video: VideoFacts) -> str:
    order = np.argsort(video.packets.times)
    keys = [int(key) for key in np.flatnonzero(video.packets.keys[order])]
    gaps = [b - a for a, b in pairwise(keys)]
    if not gaps:
        return "only the first"
    return f"every {gaps[0]} frames" if len(set(gaps)) == 1 else f"{min(gaps)} to {max(gaps)} frames apart"


def _sound_kbps(audio: AudioFacts) -> float:
    return float(audio.packets.sizes.sum()) * 8 / 1000 / max(audio.sound.duration, 1e-3)
