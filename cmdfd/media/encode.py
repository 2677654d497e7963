"""Writing of clips: one muxer for all, explicit time stamps, the same bytes at every run.

Everything that could make two files of equal content differ is switched off: encoder names, dates, random ids, SEI
messages, threads. x264's macroblock tree is off too: its AVX-512 code (x264 core 165 in PyAV 18.1, measured) reads
memory it does not own, so that the very same frames gave different bytes from run to run.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import av.bitstream
import numpy as np
from av.codec.context import Flags as CodecFlags
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from cmdfd.media.settings import LOSSLESS_SOURCE, EncoderSettings, SettingsError
from cmdfd.media.sound_encode import encode_audio

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from av.container import OutputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

__all__ = [
    "LOSSLESS_SOURCE",
    "EncodedVideo",
    "EncoderSettings",
    "SettingsError",
    "encode_video",
    "rational_rate",
    "write_clip",
]

#: SEI messages (x264 signs with one) are NAL units of type 6 (ITU-T H.264, table 7-1).
_SEI_FILTERS = {"libx264": ("filter_units=remove_types=6", "h264")}
_BT709 = 1  # ITU-T H.273: primaries, transfer and matrix of BT.709 are all 1
#: libvpx speed for x264's preset names.
_VP9_SPEED = {
    "ultrafast": 8, "superfast": 8, "veryfast": 7, "faster": 6, "fast": 5,
    "medium": 4, "slow": 2, "slower": 1, "veryslow": 0,
}  # fmt: skip
#: FFmpeg's `AVFMT_FLAG_BITEXACT`, which PyAV's stubs type as an enum and its property takes as a number.
_BITEXACT = 0x0400
#: mpeg4 spends what its quantiser asks for; the bit rate only must not stand in its way.
_AMPLE = 200_000_000


@dataclass(frozen=True, slots=True)
class _Packet:
    """One coded picture; times in frames."""

    data: bytes
    pts: int
    dts: int
    key: bool


@dataclass(frozen=True, slots=True)
class EncodedVideo:
    """A coded picture stream in memory, to be muxed with any number of sounds.

    Args:
        settings: What it was coded with; a clip may differ from it in the sound only.
        width: Pixels.
        height: Pixels.
        rate: Frames per second.
        n_frames: Number of frames.
        packets: Coded pictures in order of decoding.
    """

    settings: EncoderSettings
    width: int
    height: int
    rate: Fraction
    n_frames: int
    packets: tuple[_Packet, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of all packets."""
        return sum(len(packet.data) for packet in self.packets)


@dataclass(frozen=True, slots=True)
class _Shape:
    settings: EncoderSettings
    width: int
    height: int
    rate: Fraction


def rational_rate(fps: float) -> Fraction:
    """Frame rate as a fraction: 29.97 and its like become n * 1000 / 1001, others the nearest n / 1000.

    Raises:
        ValueError: If `fps` is not between 0.1 and 1000.
    """
    if not 0.1 <= fps <= 1000:
        raise ValueError(f"fps must be between 0.1 and 1000, got {fps}")
    ntsc = Fraction(round(fps * 1.001) * 1000, 1001)
    if abs(float(ntsc) - fps) < 0.004 and abs(fps - round(fps)) > 1e-6:
        return ntsc
    return Fraction(fps).limit_denominator(1000)


def _codec_options(shape: _Shape) -> dict[str, str]:
    settings = shape.settings
    codec, crf, preset = settings.video_codec, str(settings.crf), settings.preset
    if codec == "libx264":
        params = "mbtree=0:threads=1" + (":bframes=0" if settings.container == "avi" else "")
        return {"crf": crf, "preset": preset, "x264-params": params}
    if codec == "libvpx-vp9":
        speed = _VP9_SPEED[preset]
        return {"crf": crf, "cpu-used": str(speed), "deadline": "realtime" if speed > 5 else "good"}
    if codec == "ffv1":
        # A picture narrower than its default slices is refused.
        slices = {"slices": "1"} if min(shape.width, shape.height) < 16 else {}
        return {"level": "3", "slicecrc": "1", **slices}
    return {"qmin": crf, "qmax": crf}  # mpeg4: a fixed quantiser (through PyAV, `global_quality` has no effect)


def _configure(context: VideoCodecContext, video: _Shape) -> None:
    """Set all that the coded stream depends on; the muxing stream gets the very same."""
    settings = video.settings
    context.width, context.height = video.width, video.height
    context.pix_fmt = settings.pixel_format
    context.time_base = 1 / video.rate
    context.framerate = video.rate
    context.thread_count = 1
    context.gop_size = settings.gop
    context.options = _codec_options(video)
    context.flags |= CodecFlags.bitexact
    if settings.video_codec == "mpeg4":
        context.max_b_frames = 0
        context.bit_rate = _AMPLE
    if settings.pixel_format != "gray":
        context.color_range = ColorRange.MPEG.value
        context.colorspace = context.color_primaries = context.color_trc = _BT709
    if settings.container != "avi":
        context.flags |= CodecFlags.global_header


def _checked(image: NDArray[np.uint8], shape: tuple[int, ...] | None) -> NDArray[np.uint8]:
    if image.dtype != np.uint8 or image.ndim not in {2, 3} or (image.ndim == 3 and image.shape[2] != 3):
        raise ValueError(f"frames must be uint8 [H, W, 3] or [H, W], got {image.dtype} {image.shape}")
    if shape is not None and image.shape != shape:
        raise ValueError(f"all frames must have one size, got {image.shape} after {shape}")
    return np.ascontiguousarray(image)


def encode_video(
    frames: NDArray[np.uint8] | Iterable[NDArray[np.uint8]], fps: float, settings: EncoderSettings
) -> EncodedVideo:
    """Encode pictures into memory.

    RGB is converted to BT.709, limited range, and tagged so; grey goes into "gray" unchanged.

    Args:
        frames: [T, H, W, 3] uint8 RGB or [T, H, W] grey, or an iterable of such frames of one size; T >= 1.
        fps: Constant frame rate.
        settings: Encoder settings.

    Returns:
        The coded stream.

    Raises:
        ValueError: If there is no frame, sizes differ, or the pixel format needs even sizes and does not get them.
    """
    rate = rational_rate(fps)
    coder: _Coder | None = None
    shape: tuple[int, ...] | None = None
    for frame in frames:
        image = _checked(frame, shape)
        if coder is None:
            shape = image.shape
            coder = _Coder(_Shape(settings, shape[1], shape[0], rate), grey=image.ndim == 2)
        coder.add(image)
    if coder is None:
        raise ValueError("there is no frame to encode")
    return coder.close()


class _Coder:
    """One encoder with one scaler, fed frame by frame."""

    def __init__(self, shape: _Shape, *, grey: bool) -> None:
        settings = shape.settings
        if settings.pixel_format == "yuv420p" and (shape.width % 2 or shape.height % 2):
            raise ValueError(f"yuv420p needs even sizes, got {shape.width}x{shape.height}; use yuv444p or crop")
        self._shape = shape
        self._source = "gray" if grey else "rgb24"
        self._context: VideoCodecContext = av.CodecContext.create(settings.video_codec, "w")  # type: ignore[assignment]
        _configure(self._context, shape)
        self._scaler = VideoReformatter()
        description = _SEI_FILTERS.get(settings.video_codec)
        self._filter = av.bitstream.BitStreamFilterContext(*description) if description else None
        self._packets: list[_Packet] = []
        self._count = 0

    def add(self, image: NDArray[np.uint8]) -> None:
        source = av.VideoFrame.from_numpy_buffer(image, format=self._source)
        frame = self._convert(source)
        frame.pts = self._count
        frame.time_base = 1 / self._shape.rate
        self._count += 1
        self._keep(self._context.encode(frame))

    def _convert(self, source: av.VideoFrame) -> av.VideoFrame:
        target = self._shape.settings.pixel_format
        if target == source.format.name:
            return source
        tagged = target != "gray"
        frame = self._scaler.reformat(
            source,
            format=target,
            dst_colorspace=Colorspace.ITU709 if tagged else None,
            dst_color_range=ColorRange.MPEG if tagged else ColorRange.JPEG,
            interpolation=Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT,
            threads=1,
        )
        frame.color_primaries = frame.color_trc = _BT709
        return frame

    def _keep(self, packets: Iterable[av.Packet[Any]]) -> None:
        for packet in packets:
            for clean in self._filter.filter(packet) if self._filter else [packet]:
                pts = clean.pts if clean.pts is not None else len(self._packets)
                dts = clean.dts if clean.dts is not None else pts
                self._packets.append(_Packet(bytes(clean), pts, dts, clean.is_keyframe))

    def close(self) -> EncodedVideo:
        self._keep(self._context.encode(None))
        shape = self._shape
        return EncodedVideo(shape.settings, shape.width, shape.height, shape.rate, self._count, tuple(self._packets))


def _add_video(container: OutputContainer, video: EncodedVideo) -> VideoStream:
    """A stream with the same headers: its encoder is opened for them, and never fed."""
    stream: VideoStream = container.add_stream(video.settings.video_codec, rate=video.rate)  # type: ignore[assignment]
    shape = _Shape(video.settings, video.width, video.height, video.rate)
    _configure(stream.codec_context, shape)
    stream.time_base = 1 / video.rate
    return stream


def _packets_of(video: EncodedVideo, stream: VideoStream) -> Iterator[av.Packet[Any]]:
    for coded in video.packets:
        packet: av.Packet[Any] = av.Packet(coded.data)
        packet.stream = stream
        packet.time_base = 1 / video.rate
        packet.pts, packet.dts, packet.duration = coded.pts, coded.dts, 1
        packet.is_keyframe = coded.key
        yield packet


def _container_options(settings: EncoderSettings, sample_rate: int | None) -> dict[str, str]:
    if settings.container not in {"mp4", "mov"}:
        return {}
    options = {"movflags": "+faststart"}
    if sample_rate is not None:
        # Edit lists count in this clock; FFmpeg's 1 ms would cut the sound to whole milliseconds.
        options["movie_timescale"] = str(sample_rate)
    return options


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a fresh name in the same folder and rename it to `path` at the end; on errors nothing is left behind."""
    path = Path(path)
    temporary = path.with_name(f".tmp-{os.getpid()}-{secrets.token_hex(6)}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_clip(
    path: Path,
    frames: NDArray[np.uint8] | Iterable[NDArray[np.uint8]] | EncodedVideo,
    fps: float,
    audio: NDArray[np.float32] | None,
    sample_rate: int,
    settings: EncoderSettings,
) -> None:
    """Write one clip; picture and sound begin together at time 0.

    The bytes depend on the arguments and the installed libraries only, and are the same for frames and for
    `encode_video(frames, fps, settings)`. The file appears by rename, so it is whole or not there.

    Args:
        path: File to write; the folder exists. The suffix means nothing, `settings.container` rules.
        frames: [T, H, W, 3] uint8 RGB or [T, H, W] grey, an iterable of such frames, or an encoded picture.
        fps: Constant frame rate.
        audio: [N] float32 mono in [-1, 1], or None for a silent film.
        sample_rate: Samples per second of `audio`.
        settings: Encoder settings; an encoded picture must have been coded with the same, but for the sound.

    Raises:
        ValueError: If the arguments contradict each other or the codec does not take the sample rate.
        OSError: If the file cannot be written.
    """
    video = frames if isinstance(frames, EncodedVideo) else encode_video(frames, fps, settings)
    if video.settings.picture != settings.picture or video.rate != rational_rate(fps):
        raise ValueError("the picture was encoded with other settings or at another rate than asked for now")
    with atomic_path(Path(path)) as temporary:
        _mux(temporary, video, audio, sample_rate, settings)


def _mux(
    path: Path,
    video: EncodedVideo,
    audio: NDArray[np.float32] | None,
    sample_rate: int,
    settings: EncoderSettings,
) -> None:
    options = _container_options(settings, None if audio is None else sample_rate)
    # The "file:" protocol by name: a colon in a folder's name would be taken for another one.
    target = f"file:{path.resolve()}"
    with av.open(target, "w", format=settings.container, container_options=options) as container:
        container.flags |= _BITEXACT
        stream = _add_video(container, video)
        packets = list(_packets_of(video, stream))
        if audio is not None:
            packets += encode_audio(container, audio, sample_rate, settings)
        container.start_encoding()
        for packet in sorted(packets, key=_moment):
            container.mux(packet)


def _moment(packet: av.Packet[Any]) -> Fraction:
    return Fraction(packet.dts if packet.dts is not None else packet.pts or 0) * packet.time_base
