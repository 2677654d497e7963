"""Reading of video and sound from untrusted files.

Pictures come upright (display matrix applied) and with square pixels (a sample aspect ratio other than 1 stretches
the width and keeps the height). Sound comes mono, with sample 0 being the first that a player plays: encoder delays
and edit lists are honoured. Padding at the end is cut where the container tells the true end (ISO files by the
track's duration, Matroska and WebM by their discard padding) and kept elsewhere. Both streams' times are on one
clock, the container's, whose zero need not be the first frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from cmdfd.errors import MediaError
from cmdfd.media.limits import DEFAULT_LIMITS, Limits
from cmdfd.media.open import is_picture_of_cover, media_errors, open_media
from cmdfd.media.picture import Frame, PictureReader, check_request
from cmdfd.media.sound import Audio, SoundReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

__all__ = [
    "DEFAULT_LIMITS",
    "Audio",
    "AvClip",
    "Frame",
    "Limits",
    "Video",
    "iter_frames",
    "read_audio",
    "read_clip",
    "read_video",
]

#: Containers whose header tells the length independently of how much of the file is there.
_LENGTH_IN_HEADER = ("matroska", "flv", "asf")
#: Containers whose header tells the picture's size.
_SIZE_IN_HEADER = ("mov", "matroska", "avi", "asf", "mxf", "nut", "ivf")


@dataclass(frozen=True, slots=True, eq=False)
class Video:
    """Decoded pictures.

    Args:
        frames: [T, H, W, 3] uint8, or [T, H, W] for grey.
        times: [T] float64 seconds on the container's clock, strictly increasing.
    """

    frames: NDArray[np.uint8]
    times: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class AvClip:
    """Picture and sound of one file on one clock; `audio` is None where there is none and none was asked for."""

    video: Video
    audio: Audio | None


def video_stream(path: Path, container: InputContainer) -> VideoStream:
    """The first stream with moving pictures.

    Raises:
        MediaError: "no_video"; "too_large" where the header's size was refused; "decode_failed" where no decoder
            knows its codec.
    """
    for stream in container.streams.video:
        if is_picture_of_cover(stream):
            continue
        if stream.codec_context is None:
            raise MediaError("decode_failed", path, "the codec of the video stream is not known")
        stated = any(name in container.format.name for name in _SIZE_IN_HEADER)
        if stated and not (stream.codec_context.width and stream.codec_context.height):
            # The decoder refuses a size over the limit while the file is opened, and leaves none behind.
            raise MediaError("too_large", path, "the header states a picture size over the limit, or none")
        return stream
    raise MediaError("no_video", path)


def audio_stream(path: Path, container: InputContainer) -> AudioStream:
    """The first sound stream.

    Raises:
        MediaError: "no_audio", or "decode_failed" where no decoder knows its codec.
    """
    for stream in container.streams.audio:
        if stream.codec_context is None:
            raise MediaError("decode_failed", path, "the codec of the sound stream is not known")
        return stream
    raise MediaError("no_audio", path)


class _Coverage:
    """How far the packets of a file reach, against what its header promises."""

    def __init__(self, container: InputContainer) -> None:
        known = any(name in container.format.name for name in _LENGTH_IN_HEADER)
        self._promised = (container.duration or 0) / av.time_base if known else 0.0
        self._end = 0.0

    def see(self, packet: av.Packet[Any]) -> None:
        if packet.pts is not None and packet.time_base:
            self._end = max(self._end, float((packet.pts + (packet.duration or 0)) * packet.time_base))

    def check(self, path: Path) -> None:
        if self._promised and self._end < 0.9 * self._promised:
            detail = f"the file breaks off after {self._end:.2f} of {self._promised:.2f} s"
            raise MediaError("decode_failed", path, detail)


def iter_frames(
    path: Path,
    *,
    pixel_format: str = "rgb24",
    size: tuple[int, int] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[Frame]:
    """Decode a video frame by frame in constant memory.

    Args:
        path: File to read.
        pixel_format: "rgb24", "bgr24" or "gray" (the coded luma in full range; RGB sources by BT.601).
        size: Width and height to scale to (bilinear, aspect not kept), or None for the display size.
        limits: Bounds.

    Yields:
        Frames in order of presentation; their images own their memory and may be kept.

    Raises:
        MediaError: As `open_media`; "no_video"; "decode_failed", also after the last frame where less than 90 % of
            what the header promises came; "too_large", "too_long".
    """
    path = Path(path)
    check_request(pixel_format, size, limits)
    with open_media(path, limits) as container, media_errors(path, "decode_failed"):
        stream = video_stream(path, container)
        reader = PictureReader(path, stream, pixel_format, size, limits)
        for frame in _frames(path, container, stream, reader, None):
            yield frame if frame.image.flags.c_contiguous else Frame(frame.image.copy(), frame.time)


def _frames(
    path: Path,
    container: InputContainer,
    stream: VideoStream,
    reader: PictureReader,
    sound: SoundReader | None,
) -> Iterator[Frame]:
    """One pass over the file: yield pictures, feed the sound aside. Images are views that may be strided."""
    coverage = _Coverage(container)
    # Packets of the other streams are looked at even where nobody wants them: they tell whether the file is whole.
    for packet in container.demux(stream, *container.streams.audio):
        coverage.see(packet)
        if packet.stream.index == stream.index:
            yield from reader.push(packet)
        elif sound is not None and packet.stream.index == sound.index:
            sound.push(packet)
    reader.finish(stream.frames or None)
    coverage.check(path)


class _Album:
    """Frames in one array, allocated once where their number is known."""

    def __init__(self, path: Path, expected: int, limits: Limits) -> None:
        self._path, self._limits = path, limits
        self._expected = max(1, min(expected, limits.max_frames))
        self._frames: NDArray[np.uint8] | None = None
        self._times: list[float] = []

    def add(self, frame: Frame) -> None:
        n = len(self._times)
        if self._frames is None:
            self._frames = self._allocate(self._expected, frame.image.shape)
        elif n == len(self._frames):
            larger = self._allocate(n + max(16, n // 2), frame.image.shape)
            larger[:n] = self._frames
            self._frames = larger
        self._frames[n] = frame.image
        self._times.append(frame.time)

    def _allocate(self, n: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        most = self._limits.max_bytes // math.prod(shape)
        if len(self._times) >= most or (self._frames is None and n > most):
            detail = f"{n} frames of {shape[1]}x{shape[0]} need more than {self._limits.max_bytes} bytes"
            raise MediaError("too_large", self._path, f"{detail}; ask for a smaller `size` or use iter_frames")
        return np.empty((min(n, most), *shape), np.uint8)

    def close(self) -> Video:
        assert self._frames is not None  # noqa: S101 - PictureReader.finish has raised otherwise
        frames = self._frames[: len(self._times)]
        return Video(frames, np.asarray(self._times, np.float64))


def _expected_frames(container: InputContainer, stream: VideoStream) -> int:
    if stream.frames:
        return stream.frames
    seconds = (container.duration or 0) / av.time_base
    return math.ceil(seconds * float(stream.average_rate or 25)) + 1


def read_video(
    path: Path,
    *,
    pixel_format: str = "rgb24",
    size: tuple[int, int] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Video:
    """Decode a whole video into memory.

    Args:
        path: File to read.
        pixel_format: "rgb24", "bgr24" or "gray" (the coded luma in full range; RGB sources by BT.601).
        size: Width and height to scale to (bilinear, aspect not kept), or None for the display size.
        limits: Bounds.

    Returns:
        Frames and their times.

    Raises:
        MediaError: As `iter_frames`, and "too_large" where the frames would not fit into `limits.max_bytes`.
    """
    path = Path(path)
    check_request(pixel_format, size, limits)
    with open_media(path, limits) as container, media_errors(path, "decode_failed"):
        stream = video_stream(path, container)
        album = _Album(path, _expected_frames(container, stream), limits)
        reader = PictureReader(path, stream, pixel_format, size, limits)
        for frame in _frames(path, container, stream, reader, None):
            album.add(frame)
        return album.close()


def read_audio(path: Path, *, sample_rate: int = 16000, limits: Limits = DEFAULT_LIMITS) -> Audio:
    """Decode the sound of a file.

    Args:
        path: File to read, with or without video.
        sample_rate: Samples per second to resample to.
        limits: Bounds.

    Returns:
        Mono samples; sample 0 is what a player plays first.

    Raises:
        MediaError: As `open_media`; "no_audio", "decode_failed", "too_long".
    """
    path = Path(path)
    _check_rate(sample_rate)
    with open_media(path, limits) as container, media_errors(path, "decode_failed"):
        stream = audio_stream(path, container)
        reader = SoundReader(path, stream, sample_rate, limits)
        coverage = _Coverage(container)
        moving = [other for other in container.streams.video if not is_picture_of_cover(other)]
        for packet in container.demux(stream, *moving):
            coverage.see(packet)
            if packet.stream.index == stream.index:
                reader.push(packet)
        coverage.check(path)
        return reader.finish()


def _check_rate(sample_rate: int) -> None:
    if not 1000 <= sample_rate <= 768_000:
        raise ValueError(f"sample_rate must be between 1000 and 768000, got {sample_rate}")


def read_clip(
    path: Path,
    *,
    sample_rate: int = 16000,
    size: tuple[int, int] | None = None,
    limits: Limits = DEFAULT_LIMITS,
    need_audio: bool = True,
) -> AvClip:
    """Decode picture (RGB) and sound in one pass over the file.

    Args:
        path: File to read.
        sample_rate: Samples per second to resample to.
        size: Width and height to scale to (bilinear, aspect not kept), or None for the display size.
        limits: Bounds.
        need_audio: Whether a file without sound is an error; if not, `audio` is None then.

    Returns:
        Both streams on the container's clock.

    Raises:
        MediaError: As `read_video` and `read_audio`.
    """
    path = Path(path)
    _check_rate(sample_rate)
    check_request("rgb24", size, limits)
    with open_media(path, limits) as container, media_errors(path, "decode_failed"):
        stream = video_stream(path, container)
        sound = None
        if need_audio or container.streams.audio:
            sound = SoundReader(path, audio_stream(path, container), sample_rate, limits)
        album = _Album(path, _expected_frames(container, stream), limits)
        reader = PictureReader(path, stream, "rgb24", size, limits)
        for frame in _frames(path, container, stream, reader, sound):
            album.add(frame)
        return AvClip(album.close(), None if sound is None else sound.finish())
