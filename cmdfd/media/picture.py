"""Decoding of one video stream to arrays on the container's clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import av.error
import numpy as np
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter

from cmdfd.errors import MediaError
from cmdfd.media.edit_list import hidden_step
from cmdfd.media.open import check_size
from cmdfd.media.orient import UPRIGHT, Orientation, orientation_of_frame, square_size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

    from cmdfd.media.limits import Limits

#: Pixel formats that are handed out, with their number of channels.
PIXEL_FORMATS = {"rgb24": 3, "bgr24": 3, "gray": 1}
#: Fewer frames than this part of the declared ones mean that the stream broke off.
MIN_COVERAGE = 0.9
#: Both sides of a conversion to grey are declared alike, or swscale maps the luma of one matrix to that of another.
_SAME_MATRIX = Colorspace.DEFAULT


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded picture.

    Args:
        image: [H, W, 3] uint8, or [H, W] for "gray"; upright, square pixels. It owns its memory.
        time: Seconds on the container's clock.
    """

    image: NDArray[np.uint8]
    time: float


def before_zero(n: int) -> str:
    """Why a file cannot be read whose first `n` frames come before the zero of its clock."""
    return (
        f"its first {n} frames lie before time 0, where this container has no time stamps, so nobody knows which "
        "sound belongs to them; cut or export it again, as MP4 or from time 0 on"
    )


def plane_view(frame: VideoFrame, channels: int) -> NDArray[np.uint8]:
    """View the first plane of a packed frame as [H, W, C] or [H, W] without a copy; the view keeps it alive."""
    plane: Any = frame.planes[0]
    rows: NDArray[np.uint8] = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height]
    pixels = rows[:, : frame.width * channels]
    return pixels if channels == 1 else pixels.reshape(frame.height, frame.width, channels)


def check_request(pixel_format: str, size: tuple[int, int] | None, limits: Limits) -> None:
    """Check what a caller wants frames to be.

    Raises:
        ValueError: If the format is not offered, or the size is empty or over the limit.
    """
    if pixel_format not in PIXEL_FORMATS:
        raise ValueError(f"pixel_format must be one of {sorted(PIXEL_FORMATS)}, got {pixel_format!r}")
    if size is not None and (min(size) < 1 or size[0] * size[1] > limits.max_pixels):
        raise ValueError(f"size must be (width, height), at most {limits.max_pixels} pixels, got {size}")


class PictureReader:
    """Turns the packets of one stream into frames of one size; counts what breaks."""

    def __init__(
        self,
        path: Path,
        stream: VideoStream,
        pixel_format: str,
        size: tuple[int, int] | None,
        limits: Limits,
    ) -> None:
        self._path, self._stream, self._limits = path, stream, limits
        self._format, self._channels = pixel_format, PIXEL_FORMATS[pixel_format]
        self._size = size
        self._scaler = VideoReformatter()
        self._orientation: Orientation = UPRIGHT
        self._target: tuple[int, int] | None = None
        self._first = self._last = 0.0
        # AVI has no presentation times, and those that FFmpeg guesses are wrong where frames are reordered. But its
        # packets come at the very times at which the frames, in their own order, are shown.
        self._ticks: deque[float] | None = deque() if stream.container.format.name == "avi" else None
        rate = stream.average_rate
        self._period = 1 / float(rate) if rate else 0.04
        self._late = 0.0
        self._unstamped = 0
        self._errors = 0
        self._packets = self._hidden = 0
        self.count = 0
        stream.thread_type = "AUTO"

    def push(self, packet: Packet[Any]) -> Iterator[Frame]:
        """Decode one packet; a broken one is skipped and counted."""
        self._packets += 1
        if self._packets == 1:
            self._late = hidden_step(self._path, packet, self._limits) * float(packet.time_base or 0)
        self._hidden += packet.is_discard  # before or behind what an edit list shows: decoded, but never handed out
        if self._ticks is not None and packet.size and packet.dts is not None:
            self._ticks.append(float(packet.dts * packet.time_base))
        try:
            decoded = packet.decode()
        except (av.error.InvalidDataError, av.error.EOFError):
            self._errors += 1
            if self._ticks:
                self._ticks.popleft()
            return
        for frame in decoded:
            check_size(self._path, frame.width, frame.height, self._limits)
            time = self._time(frame)
            self._check_length(time)
            yield Frame(self._convert(frame), time)

    def _time(self, frame: VideoFrame) -> float:
        time = self._stamp(frame)
        if self._unstamped == self.count:
            self._check_leading(time)
        if self.count == 0:
            self._first = time = 0.0 if time is None else time
        elif time is None or time <= self._last:
            time = self._last + self._period
        self._last = time
        self.count += 1
        return time

    def _stamp(self, frame: VideoFrame) -> float | None:
        if self._ticks:
            return self._ticks.popleft()
        if frame.pts is None or frame.time_base is None:
            return None
        return float(frame.pts * frame.time_base) + self._late

    def _check_leading(self, time: float | None) -> None:
        """The first frames may lack a time stamp, if the next one that has one agrees with their number.

        Raises:
            MediaError: "decode_failed" where it does not: picture and sound would be out of step.
        """
        if time is None:
            self._unstamped += 1
        elif self._unstamped and time < (self._unstamped - 0.25) * self._period:
            raise MediaError("decode_failed", self._path, before_zero(self._unstamped))

    def _check_length(self, time: float) -> None:
        limits = self._limits
        if self.count > limits.max_frames:
            raise MediaError("too_long", self._path, f"more than {limits.max_frames} frames")
        if time - self._first > limits.max_seconds:
            raise MediaError("too_long", self._path, f"picture of more than {limits.max_seconds:g} s")

    def _aim(self, frame: VideoFrame) -> tuple[int, int]:
        """The first frame fixes orientation and size of all."""
        self._orientation = orientation_of_frame(frame)
        if self._size is not None:
            width, height = self._size
            return (height, width) if self._orientation.sideways else (width, height)
        width, height = square_size(frame.width, frame.height, self._stream.sample_aspect_ratio)
        check_size(self._path, width, height, self._limits)
        return width, height

    def _convert(self, frame: VideoFrame) -> NDArray[np.uint8]:
        if self._target is None:
            self._target = self._aim(frame)
        # One scaler for all frames and one thread: a new one per frame costs two to three times as much, and the
        # decoder's own threads keep the other cores busy.
        width, height = self._target
        matrix = _SAME_MATRIX if self._format == "gray" else None
        picture = self._scaler.reformat(
            frame,
            width,
            height,
            self._format,
            src_colorspace=matrix,
            dst_colorspace=matrix,
            interpolation=Interpolation.BILINEAR,
            threads=1,
        )
        return self._orientation.apply(plane_view(picture, self._channels))

    def finish(self, declared: int | None) -> None:
        """End the stream.

        Args:
            declared: Number of frames that the header promises, where it does; those that an edit list hides count.

        Raises:
            MediaError: "decode_failed" where there is no frame, or less than 90 % of what was promised.
        """
        if self.count == 0:
            raise MediaError("decode_failed", self._path, "no frame could be decoded")
        shown = None if declared is None else declared - self._hidden
        if shown is not None and self.count < MIN_COVERAGE * shown:
            raise MediaError("decode_failed", self._path, f"{self.count} of {shown} frames could be decoded")
        if self._errors > (1 - MIN_COVERAGE) * self._packets:
            detail = f"{self._errors} of {self._packets} video packets could not be decoded"
            raise MediaError("decode_failed", self._path, detail)
