"""One pass over a media file for everything that the cheap cues need: headers, packets, sound; no pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.audit.isobmff import IsoBoxes, read_boxes
from cmdfd.media.decode import audio_stream, video_stream
from cmdfd.media.limits import DEFAULT_LIMITS, Limits
from cmdfd.media.open import is_picture_of_cover, media_errors, open_media
from cmdfd.media.orient import UPRIGHT, Orientation, orientation_of_frame, side_data
from cmdfd.media.sound import Audio, SoundReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

#: Bytes of a UUID in front of the text of an SEI message (ITU-T H.264, D.1.7).
_UUID_BYTES = 16
#: Text of tags is cut here, so that a hostile header cannot fill the tables.
_MAX_TEXT = 200
#: Packets that are tried for a first picture.
_MAX_TRIES = 40


@dataclass(frozen=True, slots=True, eq=False)
class Packets:
    """The packets of one stream, in order of storage; those that a player discards are left out.

    Args:
        times: [P] seconds on the container's clock at which they are presented.
        durations: [P] seconds, 0 where unknown.
        sizes: [P] bytes.
        keys: [P] whether they are key frames.
        first_pts: Time stamp of the very first packet in ticks, discarded or not; None where it has none.
    """

    times: NDArray[np.float64]
    durations: NDArray[np.float64]
    sizes: NDArray[np.int64]
    keys: NDArray[np.bool_]
    first_pts: int | None


@dataclass(frozen=True, slots=True, eq=False)
class VideoFacts:
    """What the video stream says of itself, and its packets."""

    codec: str
    profile: str
    width: int
    height: int
    sample_aspect: str
    orientation: Orientation
    pix_fmt: str
    colour: str
    fps: float | None
    time_base: str
    tags: Mapping[str, str]
    signature: str
    packets: Packets


@dataclass(frozen=True, slots=True, eq=False)
class AudioFacts:
    """What the sound stream says of itself, its packets, and the sound at its own sample rate."""

    codec: str
    profile: str
    sample_rate: int
    layout: str
    time_base: str
    tags: Mapping[str, str]
    packets: Packets
    sound: Audio


@dataclass(frozen=True, slots=True, eq=False)
class FileFacts:
    """Everything that the cues are computed from.

    Args:
        size_bytes: Size of the file.
        container: Name of the demuxer.
        tags: Metadata of the container.
        streams: One letter for each stream in order: v, a, c (cover art), s (subtitles), d (data), ...
        boxes: Structure of an ISO file, None for other containers.
        video: First stream of moving pictures, or None.
        audio: First sound stream, or None.
    """

    size_bytes: int
    container: str
    tags: Mapping[str, str]
    streams: str
    boxes: IsoBoxes | None
    video: VideoFacts | None
    audio: AudioFacts | None


class _Collector:
    def __init__(self, stream: Any) -> None:
        self._base = float(stream.time_base)
        self._rows: list[tuple[float, float, int, bool]] = []
        self._first: int | None = None
        self._seen = False

    def see(self, packet: Any) -> None:
        if packet.size == 0:
            return
        if not self._seen:
            self._seen, self._first = True, packet.pts
        if packet.pts is None or packet.is_discard:
            return
        base = self._base
        self._rows.append((packet.pts * base, (packet.duration or 0) * base, packet.size, packet.is_keyframe))

    def close(self) -> Packets:
        times, durations, sizes, keys = zip(*self._rows, strict=True) if self._rows else ((), (), (), ())
        return Packets(
            np.array(times, np.float64),
            np.array(durations, np.float64),
            np.array(sizes, np.int64),
            np.array(keys, bool),
            self._first,
        )


class _FirstPicture:
    """Decodes up to the first picture, which carries the orientation and the encoder's signature."""

    def __init__(self) -> None:
        self.orientation, self.signature = UPRIGHT, ""
        self._tries = _MAX_TRIES

    def see(self, packet: Any) -> None:
        if self._tries <= 0:
            return
        self._tries -= not packet.is_discard  # what an edit list hides may last for seconds
        for frame in _decoded(packet):
            self.orientation, self.signature = orientation_of_frame(frame), _signature(frame)
            self._tries = 0
            return


def _decoded(packet: Any) -> Iterator[Any]:
    from av.error import InvalidDataError

    try:
        yield from packet.decode()
    except InvalidDataError:
        return  # a damaged first picture leaves the defaults; decoding proper reports the damage


def _signature(frame: Any) -> str:
    data = side_data(frame, "SEI_UNREGISTERED")
    if data is None:
        return ""
    # the settings after the name hold the quality, which may be drawn per clip
    return _text(data[_UUID_BYTES:].split(b"\0")[0].decode("ascii", "replace").split(" - options:")[0])


def _text(value: object) -> str:
    return "".join(c if c.isprintable() else "?" for c in str(value))[:_MAX_TEXT]


def _tags(metadata: Mapping[str, str]) -> dict[str, str]:
    return {_text(name).lower(): _text(value) for name, value in sorted(metadata.items())}


def read_facts(path: Path, limits: Limits = DEFAULT_LIMITS) -> FileFacts:
    """Read a media file once: headers, packets and sound; only the first picture is decoded.

    Args:
        path: File to read.
        limits: Bounds.

    Returns:
        Its facts; either stream may be missing.

    Raises:
        MediaError: As `cmdfd.media.open.open_media`; "decode_failed" where the sound cannot be decoded.
    """
    with open_media(path, limits) as container, media_errors(path, "decode_failed"):
        letters = "".join("c" if is_picture_of_cover(s) else str(s.type)[0] for s in container.streams)
        picture: Any = video_stream(path, container) if "v" in letters else None
        sound: Any = audio_stream(path, container) if "a" in letters else None
        reader = SoundReader(path, sound, sound.codec_context.sample_rate, limits) if sound else None
        seen = {stream.index: _Collector(stream) for stream in (picture, sound) if stream}
        first = _FirstPicture()
        if picture:
            picture.codec_context.thread_count = 1  # one picture is not worth a pool of threads
        for packet in container.demux(*(stream for stream in (picture, sound) if stream)):
            # a packet that flushes a decoder bears the right stream, but the index 0
            seen[packet.stream.index].see(packet)
            if reader and packet.stream.index == reader.index:
                reader.push(packet)
            else:
                first.see(packet)
        name = container.format.name
        return FileFacts(
            size_bytes=path.stat().st_size,
            container=name,
            tags=_tags(container.metadata),
            streams=letters,
            boxes=read_boxes(path) if "mov" in name else None,
            video=_video(picture, seen[picture.index].close(), first) if picture else None,
            audio=_audio(sound, seen[sound.index].close(), reader.finish()) if sound and reader else None,
        )


def _video(stream: Any, packets: Packets, first: _FirstPicture) -> VideoFacts:
    context = stream.codec_context
    colour = (context.color_range, context.color_primaries, context.color_trc, context.colorspace)
    return VideoFacts(
        codec=_text(context.codec.canonical_name),
        profile=_text(stream.profile or "none"),
        width=int(context.width),
        height=int(context.height),
        sample_aspect=str(stream.sample_aspect_ratio or "1"),
        orientation=first.orientation,
        pix_fmt=_text(context.pix_fmt or "unknown"),
        colour="/".join(str(int(value)) for value in colour),
        fps=float(stream.average_rate) if stream.average_rate else None,
        time_base=str(stream.time_base),
        tags=_tags(stream.metadata),
        signature=first.signature,
        packets=packets,
    )


def _audio(stream: Any, packets: Packets, sound: Audio) -> AudioFacts:
    context = stream.codec_context
    return AudioFacts(
        codec=_text(context.codec.canonical_name),
        profile=_text(stream.profile or "none"),
        sample_rate=int(context.sample_rate),
        layout=_text(context.layout.name if context.layout else "unknown"),
        time_base=str(stream.time_base),
        tags=_tags(stream.metadata),
        packets=packets,
        sound=sound,
    )
