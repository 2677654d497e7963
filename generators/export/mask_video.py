"""Masks as other programs read them: grey pictures in lossless H.264, in an MP4 on the clock of their clip.

ManualFake's own masks are x264's lossless mode (qp 0, profile High 4:4:4), which OpenCV, FFmpeg and PyAV decode. The
grey goes into the luma of yuv444p, tagged as full range: measured with OpenCV 5.0 and PyAV 18.1, every value from 0 to
255 comes back exactly at every size. Without the tag OpenCV stretches 16..235 and is up to 20 levels off; as 4:0:0 its
scaler is up to 2 levels off at some narrow sizes.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from cmdfd.errors import CmdfdError
from cmdfd.media.decode import iter_frames, video_stream
from cmdfd.media.encode import atomic_path
from cmdfd.media.open import media_errors, open_media

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from av.container import OutputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

#: Most by which a mask's frame may be off its picture: Matroska counts in milliseconds.
TOLERANCE = 0.001
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG of FFmpeg's libavutil/pixfmt.h
_KEY_FRAMES = 25
#: Slack over `TOLERANCE` for the binary fractions of the comparison itself, in seconds.
_ROUNDING = 1e-6
_OPTIONS = {"qp": "0", "preset": "veryfast", "x264-params": "bframes=0:mbtree=0:threads=1"}
_BITEXACT = 0x0400  # FFmpeg's AVFMT_FLAG_BITEXACT


@dataclass(frozen=True, slots=True)
class Clock:
    """When the pictures of a clip are shown.

    Args:
        stamps: Time stamps in order, in units of `time_base`.
        time_base: Seconds of one unit.
        width: Pixels of the coded picture.
        height: Pixels.
    """

    stamps: tuple[int, ...]
    time_base: Fraction
    width: int
    height: int


def clock_of(video: Path) -> Clock:
    """Time stamps of a clip, without decoding it.

    Raises:
        MediaError: If the file cannot be read or has no video.
    """
    with open_media(video) as container, media_errors(video, "decode_failed"):
        stream = video_stream(video, container)
        stamps = sorted(packet.pts for packet in container.demux(stream) if packet.size and packet.pts is not None)
        context = stream.codec_context
        return Clock(tuple(stamps), Fraction(stream.time_base or Fraction(1, 1000)), context.width, context.height)


def convert_mask(mask: Path | None, video: Path, out: Path) -> int:
    """Write the mask of a clip as MP4: its frames, at the time stamps of the clip.

    Args:
        mask: The mask as the data set keeps it, or None for one that is empty all the time.
        video: Its clip.
        out: File to write; the folder exists. It appears by rename, with the same bytes at every run.

    Returns:
        Number of frames.

    Raises:
        CmdfdError: If the mask has another size, another number of frames, or is off by more than a millisecond.
        MediaError: If a file cannot be read.
        OSError: If it cannot be written.
    """
    clock = clock_of(video)
    frames = _frames_of(mask, video, clock) if mask is not None else _nothing(clock)
    with atomic_path(out) as temporary:
        write_grey(temporary, frames, clock)
    return len(clock.stamps)


def _nothing(clock: Clock) -> Iterator[NDArray[np.uint8]]:
    return itertools.repeat(np.zeros((clock.height, clock.width), np.uint8), len(clock.stamps))


def _frames_of(mask: Path, video: Path, clock: Clock) -> Iterator[NDArray[np.uint8]]:
    """Frames of a mask, each compared with the picture that it belongs to."""
    number = -1
    for number, frame in enumerate(iter_frames(mask, pixel_format="gray")):
        if number >= len(clock.stamps):
            break
        off = abs(frame.time - float(clock.stamps[number] * clock.time_base))
        if off > TOLERANCE + _ROUNDING:
            raise CmdfdError(f"{mask}: frame {number} is {1000 * off:.1f} ms off that of {video}; build the set again")
        if frame.image.shape != (clock.height, clock.width):
            height, width = frame.image.shape
            raise CmdfdError(f"{mask}: {width}x{height}, but {video} is {clock.width}x{clock.height}")
        yield frame.image
    if number + 1 != len(clock.stamps):
        raise CmdfdError(f"{mask}: has not the {len(clock.stamps)} frames of {video}; build the set again")


def write_grey(path: Path, images: Iterable[NDArray[np.uint8]], clock: Clock) -> None:
    """Write grey pictures without loss.

    Args:
        path: File to write.
        images: [H, W] uint8 of the clock's size, one for each of its time stamps.
        clock: When they are shown.

    Raises:
        ValueError: If the number of pictures is another.
        OSError: If the file cannot be written.
    """
    if not clock.stamps:
        raise ValueError("there is no picture to write")
    target = f"file:{Path(path).resolve()}"
    # the edit list of a clip that begins late counts in this clock; FFmpeg's milliseconds would move it
    options = {"movflags": "+faststart", "movie_timescale": str(clock.time_base.denominator)}
    with av.open(target, "w", format="mp4", container_options=options) as container:
        container.flags |= _BITEXACT
        stream = _stream(container, clock)
        cleaner = av.bitstream.BitStreamFilterContext("filter_units=remove_types=6", "h264")  # SEI: x264 signs with it
        lengths = _lengths(clock.stamps)
        for image, stamp in zip(images, clock.stamps, strict=True):
            _send(container, stream, cleaner, stream.encode(_picture(image, stamp, clock.time_base)), lengths)
        _send(container, stream, cleaner, stream.encode(None), lengths)


def _lengths(stamps: Sequence[int]) -> dict[int, int]:
    """How long every picture is shown; the last one as long as the one before it."""
    gaps = [after - before for before, after in itertools.pairwise(stamps)]
    return dict(zip(stamps, [*gaps, gaps[-1] if gaps else 1], strict=True))


def _stream(container: OutputContainer, clock: Clock) -> VideoStream:
    stream: VideoStream = container.add_stream("libx264", rate=25)
    context: VideoCodecContext = stream.codec_context
    context.width, context.height, context.pix_fmt = clock.width, clock.height, "yuv444p"
    stream.time_base = context.time_base = clock.time_base
    context.color_range = _FULL_RANGE
    context.thread_count, context.gop_size, context.options = 1, _KEY_FRAMES, dict(_OPTIONS)
    context.flags |= av.codec.context.Flags.bitexact | av.codec.context.Flags.global_header
    return stream


def _picture(image: NDArray[np.uint8], stamp: int, time_base: Fraction) -> av.VideoFrame:
    planes = np.full((3, *image.shape), 128, np.uint8)  # no colour
    planes[0] = image
    frame = av.VideoFrame.from_ndarray(planes, format="yuv444p")
    frame.pts, frame.time_base = stamp, time_base
    return frame


def _send(
    container: OutputContainer, stream: VideoStream, cleaner: Any, packets: Iterable[Any], lengths: dict[int, int]
) -> None:
    for packet in packets:
        for clean in cleaner.filter(packet):
            clean.stream, clean.duration = stream, lengths.get(clean.pts, 1)
            container.mux(clean)
