"""What a container says of itself, without decoding it (but for one frame, which carries the orientation)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypedDict

import av

from cmdfd.errors import MediaError
from cmdfd.media.decode import audio_stream, video_stream
from cmdfd.media.limits import DEFAULT_LIMITS, Limits
from cmdfd.media.open import check_size, is_picture_of_cover, media_errors, open_media
from cmdfd.media.orient import UPRIGHT, Orientation, orientation_of_frame, side_data, square_size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.stream import Stream
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

#: Packets that are tried until a first frame comes; H.264 reorders at most 16 frames, other streams lie between.
_MAX_PACKETS = 200
#: Matroska keeps the length of a track in a tag "HH:MM:SS.nnnnnnnnn".
_DURATION_TAG = re.compile(r"^(\d+):(\d\d):(\d\d(?:\.\d+)?)")
_UUID_BYTES = 16
#: MPEG-1 writes 0x3FFFF (times 400 bit/s) for "variable" (ISO/IEC 11172-2, 2.4.3.2).
_VARIABLE_BIT_RATE = 0x3FFFF * 400
_MAX_TAG = 1000


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """A video stream.

    Args:
        codec: FFmpeg's short name, e.g. "h264".
        profile: e.g. "High", or None.
        width: Display width: after rotation, with square pixels.
        height: Display height.
        rotation: Degrees clockwise (0, 90, 180, 270) by which a player turns the coded picture.
        fps: Average frame rate, or None where unknown.
        pix_fmt: e.g. "yuv420p".
        duration: Seconds, or None where the container does not tell.
        start: Seconds on the container's clock.
        n_frames_declared: Frames by the header, or None; those that an edit list hides count.
        time_base: Seconds of one tick.
        bit_rate: Bits per second by the header, or None.
        encoder: The stream's encoder tag or else the name that x264/x265 leave in the first frame, or None.
    """

    codec: str
    profile: str | None
    width: int
    height: int
    rotation: int
    fps: float | None
    pix_fmt: str
    duration: float | None
    start: float
    n_frames_declared: int | None
    time_base: float
    bit_rate: int | None
    encoder: str | None


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """A sound stream; the fields are those of `VideoInfo`, plus samples per second and number of channels."""

    codec: str
    sample_rate: int
    channels: int
    duration: float | None
    start: float
    time_base: float
    bit_rate: int | None
    encoder: str | None


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """A file.

    Args:
        path: As it was named.
        container: FFmpeg's demuxer name, e.g. "mov,mp4,m4a,3gp,3g2,mj2".
        brands: Major and compatible brands of an ISO file, "isom:isomiso2avc1mp41", or None.
        duration: Seconds by the header, or None.
        size_bytes: Size of the file.
        video: First stream of moving pictures, or None. Cover art does not count.
        audio: First sound stream, or None.
        tags: Metadata; those of streams as "video:..." and "audio:...".
        n_video_streams: Number of streams of moving pictures.
        n_audio_streams: Number of sound streams.
    """

    path: str
    container: str
    brands: str | None
    duration: float | None
    size_bytes: int
    video: VideoInfo | None
    audio: AudioInfo | None
    tags: Mapping[str, str]
    n_video_streams: int
    n_audio_streams: int


def probe(path: Path, limits: Limits = DEFAULT_LIMITS) -> MediaInfo:
    """Read the headers of a media file.

    Args:
        path: File to read.
        limits: Bounds.

    Returns:
        What they say; either stream may be missing.

    Raises:
        MediaError: As `cmdfd.media.open.open_media`; "decode_failed" where a stream's codec is not known.
    """
    path = Path(path)
    with open_media(path, limits) as container, media_errors(path, "decode_failed"):
        moving = [stream for stream in container.streams.video if not is_picture_of_cover(stream)]
        tags = dict(_tags("", container.metadata))
        video = audio = None
        if container.streams.audio:
            sound = audio_stream(path, container)
            tags |= _tags("audio:", sound.metadata)
            audio = _audio_info(sound)
        if moving:
            picture = video_stream(path, container)
            tags |= _tags("video:", picture.metadata)
            video = _video_info(path, container, picture, limits)
        brands = [tags[name] for name in ("major_brand", "compatible_brands") if name in tags]
        return MediaInfo(
            path=str(path),
            container=container.format.name,
            brands=":".join(brands) or None,
            duration=None if container.duration is None else container.duration / av.time_base,
            size_bytes=container.size,
            video=video,
            audio=audio,
            tags=MappingProxyType(tags),
            n_video_streams=len(moving),
            n_audio_streams=len(container.streams.audio),
        )


def _tags(prefix: str, metadata: Mapping[str, str]) -> dict[str, str]:
    return {prefix + name[:_MAX_TAG]: value[:_MAX_TAG] for name, value in sorted(metadata.items())}


class _Common(TypedDict):
    """Fields that both kinds of streams have."""

    duration: float | None
    start: float
    time_base: float
    bit_rate: int | None
    encoder: str | None


def _common(stream: Stream) -> _Common:
    base = float(stream.time_base) if stream.time_base else 0.0
    duration = stream.duration * base if stream.duration else None
    if duration is None and (match := _DURATION_TAG.match(stream.metadata.get("DURATION", ""))):
        hours, minutes, seconds = match.groups()
        duration = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    context: Any = stream.codec_context
    return _Common(
        duration=duration,
        start=(stream.start_time or 0) * base,
        time_base=base,
        bit_rate=context.bit_rate if context.bit_rate not in {0, _VARIABLE_BIT_RATE} else None,
        encoder=stream.metadata.get("encoder"),
    )


def _audio_info(stream: AudioStream) -> AudioInfo:
    context = stream.codec_context
    return AudioInfo(
        codec=context.codec.canonical_name,
        sample_rate=context.sample_rate,
        channels=context.channels,
        **_common(stream),
    )


def _video_info(path: Path, container: InputContainer, stream: VideoStream, limits: Limits) -> VideoInfo:
    context = stream.codec_context
    common = _common(stream)
    rate = stream.average_rate
    orientation, signature = _first_frame(path, container, stream, limits)
    width, height = square_size(context.width, context.height, stream.sample_aspect_ratio)
    if orientation.sideways:
        width, height = height, width
    return VideoInfo(
        codec=context.codec.canonical_name,
        profile=stream.profile or None,
        width=width,
        height=height,
        rotation=orientation.rotation,
        fps=float(rate) if rate else None,
        pix_fmt=context.pix_fmt or "unknown",
        n_frames_declared=stream.frames or None,
        duration=common["duration"],
        start=common["start"],
        time_base=common["time_base"],
        bit_rate=common["bit_rate"],
        encoder=common["encoder"] or signature,
    )


def _first_frame(
    path: Path, container: InputContainer, stream: VideoStream, limits: Limits
) -> tuple[Orientation, str | None]:
    """Decode up to the first frame; an undecodable stream counts as upright and unsigned."""
    tried = 0
    for n, packet in enumerate(container.demux(stream)):
        tried += not packet.is_discard  # what an edit list hides may last for seconds
        if tried > _MAX_PACKETS or n > limits.max_frames:
            break
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            continue
        for frame in frames:
            check_size(path, frame.width, frame.height, limits)
            return orientation_of_frame(frame), _signature(frame)
    return UPRIGHT, None


def _signature(frame: VideoFrame) -> str | None:
    """The name that x264 and x265 write into an SEI message, up to their settings."""
    data = side_data(frame, "SEI_UNREGISTERED")
    if data is None:
        return None
    text = data[_UUID_BYTES:].split(b"\0")[0].decode("ascii", "replace")
    name = re.split(r" - (?:options:|H\.26)", text)[0].strip()
    return name[:_MAX_TAG] if name.isprintable() and name else None


def require_streams(info: MediaInfo) -> None:
    """Check that a file has both picture and sound.

    Raises:
        MediaError: "no_video" or "no_audio".
    """
    if info.video is None:
        raise MediaError("no_video", info.path)
    if info.audio is None:
        raise MediaError("no_audio", info.path)
