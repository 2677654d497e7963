"""Files as common tools write them: BT.601 colours, whatever the size, since FFmpeg's scaler knows nothing else.

Generators read with tools that ignore colour tags, and write without. A file of the suite's own (BT.709, tagged) would
come back with other colours from them; one in BT.601 comes back as it went, from those that heed tags as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.codec.context import Flags as CodecFlags
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from cmdfd.media.encode import rational_rate
from cmdfd.media.settings import EncoderSettings
from cmdfd.media.sound_encode import encode_audio

if TYPE_CHECKING:
    from pathlib import Path

    from av.container import OutputContainer
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

_BT601 = 6  # ITU-T H.273: SMPTE 170M
_BITEXACT = 0x0400  # FFmpeg's AVFMT_FLAG_BITEXACT
#: mpeg4 spends what its quantiser asks for; the bit rate only must not stand in its way.
_AMPLE = 200_000_000


@dataclass(frozen=True, slots=True)
class Coding:
    """How a file is written.

    Args:
        container: FFmpeg's name of the muxer.
        codec: FFmpeg's name of the picture's encoder.
        crf: Its own scale: x264 0-51, VP9 0-63, mpeg4's quantiser 1-31; nothing for ffv1.
        pixel_format: yuv420p needs even sizes.
        audio: FFmpeg's name of the sound's encoder.
        audio_bit_rate: Bits per second, None for lossless ones.
    """

    container: str
    codec: str
    crf: int
    pixel_format: str = "yuv420p"
    audio: str = "pcm_s16le"
    audio_bit_rate: int | None = None


#: How inputs are staged, by the spec's container: near to lossless in what old readers take.
STAGING = {
    "mp4": Coding("mp4", "libx264", 8, "yuv420p", "aac", 192_000),
    "avi": Coding("avi", "mpeg4", 1),
    "mkv": Coding("matroska", "ffv1", 0, "yuv444p"),
}
#: Which container a sham's generation of coding takes.
CONTAINER_OF = {"libx264": "matroska", "mpeg4": "avi", "libvpx-vp9": "matroska", "ffv1": "matroska"}


def write_plain(
    path: Path, frames: NDArray[np.uint8], fps: float, audio: NDArray[np.float32] | None, rate: int, coding: Coding
) -> None:
    """Write a file; the bytes depend on the arguments and the installed libraries only.

    Args:
        path: File to write.
        frames: [T, H, W, 3] uint8 RGB, T >= 1.
        fps: Constant frame rate.
        audio: [N] float32 mono, or None.
        rate: Samples per second.
        coding: How.
    """
    with av.open(f"file:{path.resolve()}", "w", format=coding.container) as container:
        container.flags |= _BITEXACT
        stream = _add_stream(container, frames.shape[2], frames.shape[1], rational_rate(fps), coding)
        packets: list[av.Packet[Any]] = []
        scaler = VideoReformatter()
        for index, image in enumerate(frames):
            packets += stream.encode(_converted(scaler, image, index, stream, coding))
        packets += stream.encode(None)
        if audio is not None and len(audio):
            packets += encode_audio(container, audio, rate, _sound_settings(coding))
        container.start_encoding()
        for packet in sorted(packets, key=_moment):
            container.mux(packet)


def _add_stream(
    container: OutputContainer, width: int, height: int, fps: Fraction, coding: Coding
) -> VideoStream:  # fmt: skip
    stream: VideoStream = container.add_stream(coding.codec, rate=fps)  # type: ignore[assignment]
    context = stream.codec_context
    context.width, context.height, context.pix_fmt = width, height, coding.pixel_format
    context.time_base = 1 / fps
    context.thread_count = 1
    context.gop_size = 25
    context.max_b_frames = 0
    context.flags |= CodecFlags.bitexact
    if coding.container != "avi":
        context.flags |= CodecFlags.global_header
    context.color_range = ColorRange.MPEG.value
    context.colorspace = context.color_primaries = context.color_trc = _BT601
    if coding.codec == "libx264":
        # the macroblock tree's code gives other bytes from run to run, see cmdfd.media.encode
        context.options = {"crf": str(coding.crf), "preset": "veryfast", "x264-params": "mbtree=0:threads=1"}
    elif coding.codec == "libvpx-vp9":
        context.options = {"crf": str(coding.crf), "cpu-used": "6", "deadline": "realtime"}
        context.bit_rate = 0
    elif coding.codec == "mpeg4":
        context.options = {"qmin": str(coding.crf), "qmax": str(coding.crf)}
        context.bit_rate = _AMPLE
    return stream


def _converted(
    scaler: VideoReformatter, image: NDArray[np.uint8], index: int, stream: VideoStream, coding: Coding
) -> av.VideoFrame:
    source = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    frame = scaler.reformat(
        source,
        format=coding.pixel_format,
        dst_colorspace=Colorspace.ITU601,
        dst_color_range=ColorRange.MPEG,
        interpolation=Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT,
        threads=1,
    )
    frame.color_primaries = frame.color_trc = _BT601
    frame.pts = index
    frame.time_base = stream.codec_context.time_base
    return frame


def _sound_settings(coding: Coding) -> EncoderSettings:
    container = coding.container if coding.audio in {"pcm_s16le", "flac"} else "mp4"
    codec = "libx264" if container != "avi" else "mpeg4"
    return EncoderSettings(
        container, codec, 23, audio_codec=coding.audio, audio_bit_rate=coding.audio_bit_rate
    )  # fmt: skip


def _moment(packet: av.Packet[Any]) -> Fraction:
    return Fraction(packet.dts if packet.dts is not None else packet.pts or 0) * packet.time_base
