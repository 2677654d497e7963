"""Does a file meet its profile? Read by PyAV, from headers and packets; no picture is decoded but the first."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.audit.reading import read_facts
from cmdfd.media.decode import video_stream
from cmdfd.media.encode import rational_rate
from cmdfd.media.limits import DEFAULT_LIMITS, Limits
from cmdfd.media.open import media_errors, open_media
from cmdfd.media.orient import UPRIGHT
from generators.social.levels import LEVELS, Stream, level_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cmdfd.audit.reading import AudioFacts, FileFacts, VideoFacts
    from generators.social.schema import Profile

#: H.264 profiles by FFmpeg's names; x264's Baseline is always the constrained one.
_PROFILES = {"baseline": ("Baseline", "Constrained Baseline"), "main": ("Main",), "high": ("High",)}
#: Tags that the container's own boxes give; no metadata.
_STRUCTURAL = {"major_brand", "minor_version", "compatible_brands"}
_STREAM_TAGS = {"language": "und", "vendor_id": "[0][0][0][0]"}
_SEI = 6  # ITU-T H.264, table 7-1
#: x264's one-pass rate control predicts sizes, and may overdraw the decoder's buffer by a part of a picture.
_VBV_SLACK = 1.10
#: FFmpeg's AAC aims at a mean; a short or loud clip may lie above it (measured: up to 16 % over 2 s).
_AUDIO_SLACK = 1.25
_CLOCK_SECONDS = 1e-3


@dataclass(frozen=True, slots=True)
class Deviation:
    """One thing in which a file does not meet its profile.

    Args:
        field: Which.
        found: What the file has.
        wanted: What the profile says.
    """

    field: str
    found: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.field}: {self.found} instead of {self.wanted}"


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What a file shows to a check.

    Args:
        facts: Headers and packets.
        level: H.264 level of the decoder configuration, times ten; None where there is none.
        nal_types: Types of all NAL units.
        chapters: Number of chapters.
    """

    facts: FileFacts
    level: int | None
    nal_types: frozenset[int]
    chapters: int


def read_for_check(path: Path, limits: Limits = DEFAULT_LIMITS) -> Reading:
    """Read a file.

    Raises:
        MediaError: If it cannot be read, or has no picture.
    """
    path = Path(path)
    facts = read_facts(path, limits)
    with open_media(path, limits) as container, media_errors(path, "decode_failed"):
        stream = video_stream(path, container)
        extra = bytes(stream.codec_context.extradata or b"")
        # the decoder configuration of ISO files (ISO/IEC 14496-15, 5.3.3.1): version, profile, constraints, level
        iso = len(extra) > 7 and extra[0] == 1
        width = (extra[4] & 3) + 1 if iso else 4
        types = {kind for packet in container.demux(stream) for kind in _nal_types(bytes(packet), width)}
        return Reading(facts, extra[3] if iso else None, frozenset(types), len(container.chapters()))


def _nal_types(data: bytes, width: int) -> Iterator[int]:
    """Types of length-prefixed NAL units."""
    at = 0
    while at + width < len(data):
        length = int.from_bytes(data[at : at + width], "big")
        yield data[at + width] & 31
        at += width + length


def meets(profile: Profile, path: Path) -> list[Deviation]:
    """Compare a file with a profile.

    Args:
        profile: What a platform leaves.
        path: A file that is said to come from it.

    Returns:
        Every deviation; empty for a file that meets it.

    Raises:
        MediaError: If the file cannot be read.
    """
    reading = read_for_check(path)
    return list(deviations(profile, reading))


def deviations(profile: Profile, reading: Reading) -> Iterator[Deviation]:
    """As `meets`, of a file that was read."""
    facts = reading.facts
    if facts.video is None:
        yield Deviation("video", "none", "H.264")
        return
    yield from _container(profile, reading)
    yield from _picture(profile, reading, facts.video)
    yield from _key_frames(profile, facts.video)
    yield from _bit_rate(profile, facts.video)
    if facts.audio is not None:
        yield from _sound(profile, facts.audio)


def _unless(met: bool, field: str, found: object, wanted: object) -> Iterator[Deviation]:
    if not met:
        yield Deviation(field, str(found), str(wanted))


def _container(profile: Profile, reading: Reading) -> Iterator[Deviation]:
    facts = reading.facts
    yield from _unless("mp4" in facts.container, "container", facts.container, profile.container.format)
    yield from _unless(facts.streams in {"v", "va"}, "streams", facts.streams, "one video and at most one sound stream")
    order = facts.boxes.order if facts.boxes is not None else ""
    in_front = order.startswith("ftyp moov") and "moof" not in order
    yield from _unless(in_front, "boxes", order, "ftyp moov ... mdat (one index, in front)")
    left = sorted(set(facts.tags) - _STRUCTURAL)
    yield from _unless(not left, "metadata", ", ".join(left), "none")
    yield from _unless(not reading.chapters, "chapters", reading.chapters, "none")
    yield from _unless(_SEI not in reading.nal_types, "SEI messages", "some", "none")
    streams: list[tuple[str, Any, str]] = [
        ("video", facts.video, "VideoHandler"),
        ("audio", facts.audio, "SoundHandler"),
    ]
    for kind, stream, usual in streams:
        if stream is not None:
            wanted = _STREAM_TAGS | {"handler_name": profile.container.handler or usual}
            wrong = sorted(f"{name}={value}" for name, value in stream.tags.items() if wanted.get(name) != value)
            yield from _unless(not wrong, f"{kind} metadata", ", ".join(wrong), f"handler {wanted['handler_name']!r}")
            yield from _unless(
                stream.tags.get("handler_name") == wanted["handler_name"],
                f"{kind} handler", stream.tags.get("handler_name"), wanted["handler_name"],
            )  # fmt: skip


def _picture(profile: Profile, reading: Reading, video: VideoFacts) -> Iterator[Deviation]:
    size, wanted = profile.size, profile.video
    edges = sorted((video.width, video.height))
    fits = edges[1] <= size.long_edge and edges[0] <= size.short_edge
    yield from _unless(
        fits, "size", f"{video.width}x{video.height}", f"at most {size.long_edge} by {size.short_edge} pixels"
    )
    yield from _unless(not (video.width % 2 or video.height % 2), "size", f"{video.width}x{video.height}", "even sizes")
    yield from _unless(video.sample_aspect in {"1", "1/1"}, "pixels", video.sample_aspect, "square ones")
    yield from _unless(video.orientation == UPRIGHT, "orientation", video.orientation, "upright")
    yield from _unless(video.pix_fmt == "yuv420p", "pixel format", video.pix_fmt, "yuv420p")
    yield from _unless(video.colour == "1/1/1/1", "colour", video.colour, "limited range, BT.709 (1/1/1/1)")
    yield from _unless(video.codec == "h264", "codec", video.codec, "h264")
    names = _PROFILES[wanted.profile]
    yield from _unless(video.profile in names, "profile", video.profile, names[-1])
    rate = _rate_of(video)
    levels = _levels(profile, video, rate)
    yield from _unless(
        reading.level in levels, "level", reading.level, " to ".join(map(str, sorted({levels[0], levels[-1]})))
    )
    cap = rational_rate(profile.fps.rate)
    if profile.fps.rule == "resample":
        yield from _unless(abs(rate - cap) < Fraction(1, 1000), "fps", f"{float(rate):g}", f"{float(cap):g}")
    yield from _unless(rate <= cap * Fraction(1001, 1000), "fps", f"{float(rate):g}", f"at most {float(cap):g}")
    times = np.sort(video.packets.times)
    off = float(np.abs(times - np.arange(len(times)) / float(rate)).max())
    yield from _unless(off <= _CLOCK_SECONDS, "time stamps", f"up to {off:.4f} s off", "k / fps from 0")


def _rate_of(video: VideoFacts) -> Fraction:
    return rational_rate(video.fps or 25.0)


def _levels(profile: Profile, video: VideoFacts, rate: Fraction) -> list[int]:
    """Levels that the profile comes to at this size and rate: one, or several where the source's bit rate counts."""
    peak, buffer = _peak(profile, video)
    names = []
    for share in (0.0, 1.0) if profile.video.rate.never_above_source else (1.0,):
        bears = Stream(video.width, video.height, rate, peak * share, buffer * share, profile.video.profile)
        names.append(level_for(profile.video.level, bears))
    least, most = (next(limit.idc for limit in LEVELS if limit.name == name) for name in (names[0], names[-1]))
    return [limit.idc for limit in LEVELS if least <= limit.idc <= most]


def _peak(profile: Profile, video: VideoFacts) -> tuple[float, float]:
    """Most kb/s, and kbit of the buffer; a bit rate may have been lowered to the source's, which is not known here."""
    control = profile.video.rate
    kbps = control.kbps_for(video.width, video.height)
    if kbps is None:
        return float(control.maxrate or 0), float(control.bufsize or 0)
    return float(kbps), kbps * control.buffer_seconds


def _key_frames(profile: Profile, video: VideoFacts) -> Iterator[Deviation]:
    gop = profile.video.gop
    wanted = gop.at(_rate_of(video))
    packets = video.packets
    order = np.argsort(packets.times)
    keys = np.flatnonzero(packets.keys[order])
    yield from _unless(len(keys) > 0 and keys[0] == 0, "first frame", "not a key frame", "a key frame")
    ends = [*(int(key) for key in keys), len(order)]
    gaps = [b - a for a, b in pairwise(ends)]
    if gop.scenecut:
        yield from _unless(max(gaps) <= wanted, "key frames", f"{max(gaps)} frames apart", f"at most {wanted}")
    else:
        off = sorted({gap for gap in gaps[:-1] if gap != wanted} | {gap for gap in gaps[-1:] if gap > wanted})
        yield from _unless(not off, "key frames", f"{off} frames apart", wanted)
    run, most = _b_run(packets.times), profile.video.b_frames
    yield from _unless(run <= most, "B frames", f"{run} in a row", f"at most {most}")


def _b_run(times: Any) -> int:
    """Most frames in a row, in order of decoding, that are shown before one that came already."""
    longest = run = 0
    latest = -np.inf
    for time in times:
        run = run + 1 if time < latest else 0
        longest, latest = max(longest, run), max(latest, time)
    return longest


def _bit_rate(profile: Profile, video: VideoFacts) -> Iterator[Deviation]:
    """The decoder's buffer, filled at the peak rate, must never run dry (ITU-T H.264, annex C)."""
    peak, buffer = _peak(profile, video)
    filling = peak / float(_rate_of(video))
    debt = worst = 0.0
    for size in video.packets.sizes:
        debt = max(0.0, debt - filling) + size * 8 / 1000
        worst = max(worst, debt)
    yield from _unless(
        worst <= buffer * _VBV_SLACK,
        "bit rate",
        f"{worst:.0f} kbit ahead of {peak:g} kb/s",
        f"at most the buffer of {buffer:g} kbit",
    )


def _sound(profile: Profile, audio: AudioFacts) -> Iterator[Deviation]:
    wanted = profile.audio
    coding = f"{audio.codec} {audio.profile}"
    yield from _unless(coding == "aac LC", "sound", coding, "aac LC")
    start = audio.sound.start
    yield from _unless(abs(start) <= _CLOCK_SECONDS, "sound", f"begins at {start:.4f} s", "0")
    if wanted.copy_aac:
        return  # rate, channels and bit rate may be those of the upload
    rate = audio.sample_rate
    yield from _unless(rate == wanted.sample_rate, "sample rate", rate, wanted.sample_rate)
    allowed = {"mono", "stereo"} if wanted.mono == "keep" and wanted.channels == 2 else {"stereo"}
    allowed = {"mono"} if wanted.channels == 1 else allowed
    yield from _unless(audio.layout in allowed, "channels", audio.layout, " or ".join(sorted(allowed)))
    seconds = max(audio.sound.duration, 1e-3)
    # one frame of padding at each end is coded, but not heard
    spread = seconds + 2 * 1024 / rate
    kbps = float(audio.packets.sizes.sum()) * 8 / 1000 / spread
    most = wanted.kbps * _AUDIO_SLACK
    yield from _unless(kbps <= most, "sound bit rate", f"{kbps:.0f} kb/s", f"about {wanted.kbps} kb/s")
