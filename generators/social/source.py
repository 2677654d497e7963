"""One look at a clip before it is sent: streams, orientation, the time stamps of its frames; pictures stay coded."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import av.error

from cmdfd.errors import MediaError
from cmdfd.media.decode import audio_stream, video_stream
from cmdfd.media.edit_list import hidden_step
from cmdfd.media.encode import rational_rate
from cmdfd.media.limits import DEFAULT_LIMITS, Limits
from cmdfd.media.open import check_size, is_picture_of_cover, media_errors, open_media
from cmdfd.media.orient import Orientation, orientation_of_frame, square_size
from cmdfd.media.picture import before_zero

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

#: A steady frame is this near its place: the clock of Matroska has 1 ms, and two roundings may add up.
_STEADY_SECONDS = 0.002
#: Packets that end earlier than this part of what the header promises mean that the file broke off.
_MIN_COVERAGE = 0.9
_LENGTH_IN_HEADER = ("matroska", "flv", "asf", "mov")


@dataclass(frozen=True, slots=True)
class Sound:
    """The first sound stream.

    Args:
        index: Of the stream in the file.
        codec: FFmpeg's short name.
        sample_rate: Samples per second.
        channels: Number of channels.
        start: Seconds on the container's clock.
    """

    index: int
    codec: str
    sample_rate: int
    channels: int
    start: float


@dataclass(frozen=True, slots=True)
class Source:
    """A clip to send.

    Args:
        path: The file.
        demuxer: FFmpeg's name of its container, so that nothing else is tried on it.
        index: Of the video stream in the file.
        width, height: Displayed size: upright, square pixels.
        orientation: How the coded picture is turned to be upright.
        time_base: Seconds of one tick.
        ticks: Time stamps of the frames that are shown, increasing.
        rate: Frames per second; the rate to work with where they are not steady.
        steady: Whether the frames come at that rate.
        kbps: Bit rate of the coded picture, thousand bits per second.
        sound: The first sound stream, or None.
    """

    path: Path
    demuxer: str
    index: int
    width: int
    height: int
    orientation: Orientation
    time_base: Fraction
    ticks: tuple[int, ...]
    rate: Fraction
    steady: bool
    kbps: float
    sound: Sound | None

    @property
    def counted(self) -> bool:
        """Whether frames are put on the clock by their number: what FFmpeg guesses for reordered AVI is wrong."""
        return self.demuxer == "avi" and self.steady

    @property
    def first(self) -> Fraction:
        """Seconds of the first frame on the container's clock."""
        return self.ticks[0] * self.time_base

    @property
    def seconds(self) -> float:
        """From the first frame to the end of the last."""
        return float((self.ticks[-1] - self.ticks[0]) * self.time_base + 1 / self.rate)

    @property
    def times(self) -> list[float]:
        """Seconds of every frame, 0 for the first."""
        return [float((tick - self.ticks[0]) * self.time_base) for tick in self.ticks]


def read_source(path: Path, limits: Limits = DEFAULT_LIMITS) -> Source:
    """Look at a file.

    Args:
        path: A file from a stranger, with or without sound.
        limits: Bounds.

    Raises:
        MediaError: As `cmdfd.media.open.open_media`; "no_video"; "decode_failed" where no frame can be decoded or the
            file breaks off; "too_large", "too_long".
    """
    path = Path(path)
    with open_media(path, limits) as container, media_errors(path, "decode_failed"):
        stream = video_stream(path, container)
        # One that no decoder knows is as bad as none, but it is told apart.
        heard = audio_stream(path, container) if container.streams.audio else None
        packets = _Packets(path, container, stream, limits)
        frame = packets.first
        orientation = orientation_of_frame(frame)
        width, height = square_size(frame.width, frame.height, stream.sample_aspect_ratio)
        check_size(path, width, height, limits)
        ticks = [tick + (packets.late or 0) for tick in packets.ticks() or _decoded_ticks(path, stream.index, limits)]
        if len(ticks) > limits.max_frames:
            raise MediaError("too_long", path, f"more than {limits.max_frames} frames")
        base = Fraction(stream.time_base or 0)
        rate, steady = frame_rate(ticks, base, stream.average_rate)
        return Source(
            path=path,
            demuxer=container.format.name.split(",")[0],
            index=stream.index,
            width=height if orientation.sideways else width,
            height=width if orientation.sideways else height,
            orientation=orientation,
            time_base=base,
            ticks=tuple(ticks),
            rate=rate,
            steady=steady,
            kbps=packets.size * 8 / 1000 / float((ticks[-1] - ticks[0]) * base + 1 / rate),
            sound=None if heard is None else _sound(heard),
        )


def _sound(stream: Any) -> Sound:
    context = stream.codec_context
    start = float((stream.start_time or 0) * stream.time_base)
    return Sound(stream.index, context.codec.canonical_name, context.sample_rate, context.channels, start)


class _Packets:
    """One pass over the packets; the first picture is decoded."""

    def __init__(self, path: Path, container: InputContainer, stream: VideoStream, limits: Limits) -> None:
        self.size = 0
        self._avi = container.format.name == "avi"
        self._stamps: list[int | None] = []
        self.late: int | None = None
        first: VideoFrame | None = None
        end = 0.0
        stream.codec_context.thread_count = 1
        moving = [other for other in container.streams.video if not is_picture_of_cover(other)]
        for packet in container.demux(*moving, *container.streams.audio):
            if packet.pts is not None and packet.time_base:
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            if packet.stream.index != stream.index:
                continue
            if self.late is None:
                self.late = hidden_step(path, packet, limits)
            if first is None:
                first = _picture(path, packet, limits)
            if packet.size and not packet.is_discard:
                self.size += packet.size
                # AVI has no times of presentation, but its packets come at those at which the frames are shown
                self._stamps.append(packet.dts if self._avi else packet.pts)
        if first is None:
            raise MediaError("decode_failed", path, "no frame could be decoded")
        self.first = first
        _check_end(path, container, end)

    def ticks(self) -> list[int] | None:
        """Time stamps of the frames, or None where the packets do not tell them."""
        known = sorted(stamp for stamp in self._stamps if stamp is not None)
        plain = len(known) == len(self._stamps) and all(a < b for a, b in pairwise(known))
        return known if plain and known and (self._avi or self.first.pts == known[0]) else None


def _picture(path: Path, packet: av.Packet[Any], limits: Limits) -> VideoFrame | None:
    try:
        frames = packet.decode()
    except av.error.InvalidDataError:
        return None
    for frame in frames:
        check_size(path, frame.width, frame.height, limits)
        return frame
    return None


def _check_end(path: Path, container: InputContainer, end: float) -> None:
    known = any(name in container.format.name for name in _LENGTH_IN_HEADER)
    promised = (container.duration or 0) / av.time_base if known else 0.0
    if promised and end < _MIN_COVERAGE * promised:
        raise MediaError("decode_failed", path, f"the file breaks off after {end:.2f} of {promised:.2f} s")


def _decoded_ticks(path: Path, index: int, limits: Limits) -> list[int]:
    """Time stamps from the decoder, for streams whose packets lack them."""
    with open_media(path, limits) as container:
        stream = container.streams[index]
        found: list[int] = []
        unstamped = leading = 0
        for frame in _frames(container, stream):
            stamp = frame.pts if frame.pts is not None else frame.dts
            unstamped += stamp is None
            leading += stamp is None and not found
            if stamp is not None and (not found or stamp > found[-1]):
                found.append(int(stamp))
            if len(found) > limits.max_frames:
                raise MediaError("too_long", path, f"more than {limits.max_frames} frames")
    if not found or unstamped > len(found) // 10:
        why = before_zero(leading) if found and leading == unstamped else "the frames have no time stamps"
        raise MediaError("decode_failed", path, why)
    return found


def _frames(container: InputContainer, stream: Any) -> Iterable[VideoFrame]:
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except (av.error.InvalidDataError, av.error.EOFError):
            continue


def frame_rate(ticks: Sequence[int], time_base: Fraction, declared: Fraction | None) -> tuple[Fraction, bool]:
    """The rate of a clip, and whether its frames come at it.

    Args:
        ticks: Time stamps, increasing.
        time_base: Seconds of one tick.
        declared: Average rate by the header, or None.

    Returns:
        The declared or measured rate where every frame stands within 2 ms (or a tenth of a period) of its place;
        otherwise the rate of the middle interval in whole frames: phones drop frames of a steady rate, and most
        unsteady clips then keep every frame.
    """
    usable = declared if declared and Fraction(1, 10) <= declared <= 1000 else None
    if len(ticks) < 2:
        return (rational_rate(float(usable)) if usable else Fraction(25)), True
    measured = (len(ticks) - 1) / ((ticks[-1] - ticks[0]) * time_base)
    if not Fraction(1, 10) <= measured <= 1000:
        raise ValueError(f"{float(measured):g} frames per second")
    for rate in (usable, measured):
        if rate is not None and _fits(ticks, time_base, snapped := rational_rate(float(rate))):
            return snapped, True
    middle = statistics.median_low(b - a for a, b in pairwise(ticks)) * time_base
    return Fraction(min(1000, max(1, round(1 / middle)))), False


def _fits(ticks: Sequence[int], time_base: Fraction, rate: Fraction) -> bool:
    period = 1 / float(rate)
    slack = max(_STEADY_SECONDS, 0.1 * period)
    base = float(time_base)
    return all(abs((tick - ticks[0]) * base - k * period) <= slack for k, tick in enumerate(ticks))
