"""One pass over a media file for what the cues need: headers and packets, and as far as asked sound and pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from cmdfd.audit import bitstream
from cmdfd.audit.facts import AudioFacts, FileFacts, Packets, VideoFacts
from cmdfd.audit.isobmff import read_boxes
from cmdfd.audit.marks import read_marks
from cmdfd.audit.seeing import Viewer
from cmdfd.errors import MediaError
from cmdfd.media.decode import audio_stream, video_stream
from cmdfd.media.limits import DEFAULT_LIMITS, Limits
from cmdfd.media.open import is_picture_of_cover, media_errors, open_media
from cmdfd.media.orient import UPRIGHT, orientation_of, orientation_of_frame, side_data
from cmdfd.media.sound import SoundReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from cmdfd.audit.isobmff import IsoBoxes
    from cmdfd.audit.pictures import Pictures
    from cmdfd.media.orient import Orientation
    from cmdfd.media.sound import Audio

__all__ = ["AudioFacts", "Depth", "FileFacts", "Packets", "VideoFacts", "read_facts"]

#: How far a file is read: nothing is decoded; the sound and the first picture are; everything is.
Depth = Literal["headers", "sound", "full"]
#: Bytes of a UUID in front of the text of an SEI message (ITU-T H.264, D.1.7).
_UUID_BYTES = 16
#: Text of tags is cut here, so that a hostile header cannot fill the tables.
_MAX_TEXT = 200
#: Highest sample rate of any usual codec; more would let a small file swell in memory.
_MAX_RATE = 768_000
#: Packets that are tried for a first picture.
_MAX_TRIES = 40


class _Collector:
    """Numbers of packets of all streams, sorted out in one go at the end: Python's time goes into every packet."""

    def __init__(self) -> None:
        self._rows: list[tuple[Any, ...]] = []

    def see(self, p: Any) -> None:
        self._rows.append((p.stream_index, p.pts, p.duration, p.size, p.is_keyframe, p.is_discard))

    def drain(self, packets: Iterator[Any]) -> None:
        """See all packets that are left."""
        self._rows += [(p.stream_index, p.pts, p.duration, p.size, p.is_keyframe, p.is_discard) for p in packets]

    def of(self, index: int, base: float) -> Packets:
        own = [row for row in self._rows if row[0] == index and row[3]]  # what flushes a decoder has no bytes
        first, n_stored = own[0][1] if own else None, len(own)
        own = [row for row in own if row[1] is not None and not row[5]]
        _, times, durations, sizes, keys, _ = zip(*own, strict=True) if own else ((),) * 6
        return Packets(
            np.array(times, np.float64) * base,
            np.array([duration or 0 for duration in durations], np.float64) * base,
            np.array(sizes, np.int64),
            np.array(keys, bool),
            first,
            n_stored,
        )


class _FirstPicture:
    """Decodes up to the first picture, which carries the orientation and the encoder's signature."""

    def __init__(self) -> None:
        self.orientation, self.sei = UPRIGHT, b""
        self._tries = _MAX_TRIES

    def see(self, packet: Any) -> None:
        if self._tries <= 0:
            return
        self._tries -= not packet.is_discard  # what an edit list hides may last for seconds
        for frame in _decoded(packet):
            self.orientation, self.sei = orientation_of_frame(frame), side_data(frame, "SEI_UNREGISTERED") or b""
            self._tries = 0
            return


def _decoded(packet: Any) -> Iterator[Any]:
    from av.error import InvalidDataError

    try:
        yield from packet.decode()
    except InvalidDataError:
        return  # a damaged first picture leaves the defaults; decoding proper reports the damage


def _signature(text: bytes) -> str:
    # the settings after the name hold the quality, which may be drawn per clip
    return _text(text.split(b"\0")[0].decode("ascii", "replace").split(" - options:")[0])


def _text(value: object) -> str:
    return "".join(c if c.isprintable() else "?" for c in str(value))[:_MAX_TEXT]


def _tags(metadata: Mapping[str, str]) -> dict[str, str]:
    return {_text(name).lower(): _text(value) for name, value in sorted(metadata.items())}


class _Pass:
    """What one pass over the packets leaves behind.

    Args:
        path: The file.
        picture: PyAV's video stream, or None.
        sound: PyAV's sound stream, or None.
        limits: Bounds.
        depth: How far to read.
    """

    def __init__(self, path: Path, picture: Any, sound: Any, limits: Limits, depth: Depth) -> None:
        self.picture, self.sound = picture, sound
        self.packets = _Collector()
        self.first_kind, self.signature = "", ""
        self.orientation: Orientation | None = None
        self.audio: Audio | None = None
        self.pictures: Pictures | None = None
        self._path, self._limits, self._depth = path, limits, depth
        self._streams = [stream for stream in (picture, sound) if stream]
        # asked for now: a damaged file may make the demuxer exchange its streams on the way
        self._clocks = [(stream.index, float(stream.time_base)) for stream in self._streams]

    def run(self, container: Any) -> None:
        packets = container.demux(*self._streams)
        if self._depth == "headers":
            self._headers(packets)
        else:
            self._decode(packets)

    def packets_of(self, stream: Any) -> Packets:
        """What was seen of one of the two streams."""
        return self.packets.of(*self._clocks[0 if stream is self._streams[0] else 1])

    def _first(self, packet: Any, data: bytes) -> None:
        context = self.picture.codec_context
        name, extra = context.codec.canonical_name, context.extradata or b""
        self.first_kind = bitstream.first_kind(name, extra, data, packet.is_keyframe)
        self.signature = _signature(bitstream.signature(name, extra, data))

    def _headers(self, packets: Iterator[Any]) -> None:
        if self.picture:
            context, index, seen = self.picture.codec_context, self._clocks[0][0], 0
            for packet in packets:
                self.packets.see(packet)
                if packet.stream_index != index or not packet.size:
                    continue
                seen += 1
                data = bytes(packet) if seen == 1 or packet.is_keyframe else b""
                if seen == 1:
                    self._first(packet, data)
                if packet.is_keyframe:
                    text = bitstream.signature(context.codec.canonical_name, context.extradata or b"", data)
                    self.signature = _signature(text)
                if packet.is_keyframe or seen == _MAX_TRIES:
                    break
        self.packets.drain(packets)

    def _decode(self, packets: Iterator[Any]) -> None:
        reader = self._reader() if self.sound else None
        viewer: Viewer | _FirstPicture | None = None
        if self.picture and self._depth == "full":
            viewer = Viewer(self._path, self.picture, self.picture.frames, self._limits)
        elif self.picture:
            self.picture.codec_context.thread_count = 1  # one picture is not worth a pool of threads
            viewer = _FirstPicture()
        see, heard = self.packets.see, reader.index if reader else -1
        seen = self._clocks[0][0] if viewer else -1
        for packet in packets:
            see(packet)
            # a packet that flushes a decoder bears the right stream, but the index 0
            index = packet.stream_index if packet.size else packet.stream.index
            if reader and index == heard:
                reader.push(packet)
            elif viewer and index == seen:
                if not self.first_kind and packet.size:
                    self._first(packet, bytes(packet))
                viewer.see(packet)
        if viewer:
            self.orientation = viewer.orientation
            # a message behind the picture that it belongs to is in the bytes alone; FFmpeg's own filter puts it there
            self.signature = _signature(viewer.sei[_UUID_BYTES:]) if viewer.sei else self.signature
        self.audio = reader.finish() if reader else None
        self.pictures = viewer.finish() if isinstance(viewer, Viewer) else None

    def _reader(self) -> SoundReader:
        rate = self.sound.codec_context.sample_rate
        if not 0 < rate <= _MAX_RATE:
            raise MediaError("decode_failed", self._path, f"the sound declares {rate} samples per second")
        return SoundReader(self._path, self.sound, rate, self._limits)


def read_facts(path: Path, limits: Limits = DEFAULT_LIMITS, depth: Depth = "sound") -> FileFacts:
    """Read a media file once.

    Args:
        path: File to read.
        limits: Bounds.
        depth: "headers": nothing is decoded. "sound": the sound is, and the first picture. "full": everything is.

    Returns:
        Its facts; either stream may be missing.

    Raises:
        MediaError: As `cmdfd.media.open.open_media`; "decode_failed" where what is to be decoded cannot be; at depth
            "full" also "too_large" and "too_long" by what comes out of the decoder.
        ValueError: For another depth.
    """
    if depth not in get_args(Depth):
        raise ValueError(f"depth must be one of {', '.join(get_args(Depth))}, got {depth!r}")
    with open_media(path, limits) as container, media_errors(path, "decode_failed"):
        letters = "".join(_letter(stream) for stream in container.streams)
        picture: Any = video_stream(path, container) if "v" in letters else None
        sound: Any = audio_stream(path, container) if "a" in letters else None
        seen = _Pass(path, picture, sound, limits, depth)
        seen.run(container)
        name = container.format.name
        boxes = read_boxes(path) if "mov" in name else None
        return FileFacts(
            size_bytes=path.stat().st_size,
            container=name,
            tags=_tags(container.metadata),
            streams=letters,
            boxes=boxes,
            video=_video(seen, boxes) if picture else None,
            audio=_audio(seen) if sound else None,
            chapters=len(container.chapters()),
            marks=read_marks(path, boxes),
            pictures=seen.pictures,
        )


def _letter(stream: Any) -> str:
    if stream.type == "attachment":
        return "t"
    return "c" if is_picture_of_cover(stream) else str(stream.type)[0]


def _seconds(ticks: int | None, stream: Any) -> float | None:
    return None if ticks is None else float(ticks * stream.time_base)


def _video(seen: _Pass, boxes: IsoBoxes | None) -> VideoFacts:
    stream, orientation = seen.picture, seen.orientation
    if orientation is None and boxes is not None:
        orientation = orientation_of(boxes.matrix)
    context = stream.codec_context
    colour = (context.color_range, context.color_primaries, context.color_trc, context.colorspace)
    return VideoFacts(
        codec=_text(context.codec.canonical_name),
        profile=_text(stream.profile or "none"),
        width=int(context.width),
        height=int(context.height),
        sample_aspect=str(stream.sample_aspect_ratio or "1"),
        orientation=orientation,
        pix_fmt=_text(context.pix_fmt or "unknown"),
        colour="/".join(str(int(value)) for value in colour),
        fps=float(stream.average_rate) if stream.average_rate else None,
        time_base=str(stream.time_base),
        tags=_tags(stream.metadata),
        signature=seen.signature,
        packets=seen.packets_of(stream),
        level=int(context.level),
        scan=int(context.field_order),
        first_kind=seen.first_kind,
        duration=_seconds(stream.duration, stream),
        start=_seconds(stream.start_time, stream),
        n_declared=int(stream.frames),
    )


def _audio(seen: _Pass) -> AudioFacts:
    stream = seen.sound
    context = stream.codec_context
    return AudioFacts(
        codec=_text(context.codec.canonical_name),
        profile=_text(stream.profile or "none"),
        sample_rate=int(context.sample_rate),
        layout=_text(context.layout.name if context.layout else "unknown"),
        time_base=str(stream.time_base),
        tags=_tags(stream.metadata),
        packets=seen.packets_of(stream),
        decoded=seen.audio,
        duration=_seconds(stream.duration, stream),
        start=_seconds(stream.start_time, stream),
    )
