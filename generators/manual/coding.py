"""What an editor's export does to every pixel and sample besides the edit: one more encoding, of a known kind.

The real twin must not be one generation of coding younger than the fake. So the kind of codec of the edited file is
read from its headers, and the quality that leaves as much difference as is measured where nothing was edited is found
by trying. Encoders whose bytes differ between runs (x265, SVT-AV1) are replaced by x264, the nearest one that repeats.
"""

from __future__ import annotations

import io
import math
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np
from av.codec.context import Flags as CodecFlags

from cmdfd.media.encode import rational_rate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from cmdfd.media.probe import AudioInfo, MediaInfo
    from cmdfd.media.settings import EncoderSettings
    from generators.generator import Take

#: FFmpeg's decoder name -> encoder of the same family that gives the same bytes at every run.
_FAMILY = {
    "h264": "libx264", "hevc": "libx264", "av1": "libx264", "vp8": "libvpx-vp9", "vp9": "libvpx-vp9",
    "mpeg4": "mpeg4", "msmpeg4v3": "mpeg4", "h263": "mpeg4", "mpeg1video": "mpeg2video", "mpeg2video": "mpeg2video",
    "mjpeg": "mjpeg", "prores": "prores_ks", "dnxhd": "prores_ks", "cfhd": "prores_ks", "dvvideo": "mjpeg",
}  # fmt: skip
#: Codecs that change nothing.
_LOSSLESS = frozenset({
    "ffv1", "png", "qtrle", "rawvideo", "utvideo", "huffyuv", "ffvhuff", "magicyuv", "v210", "v410", "r210", "lagarith",
})  # fmt: skip
#: What is tried, best first: x264's and VP9's crf, quantisers of the MPEG family, profiles of ProRes (HQ to Proxy).
_QUALITIES: Mapping[str, tuple[int, ...]] = {
    "libx264": (4, 8, 11, 14, 17, 20, 22, 24, 26, 28, 31, 34, 38, 42),
    "libvpx-vp9": (4, 10, 16, 22, 28, 34, 40, 46, 52, 58),
    "mpeg4": (1, 2, 3, 4, 5, 7, 10, 14, 20, 28),
    "mpeg2video": (1, 2, 3, 4, 5, 7, 10, 14, 20, 28),
    "mjpeg": (1, 2, 3, 4, 6, 9, 13, 20, 28),
    "prores_ks": (3, 2, 1, 0),
}
_PIXELS = {"prores_ks": "yuv422p10le", "mjpeg": "yuvj420p"}
#: Frames on which a quality is tried, and the longest side of what is encoded.
_TRIED, _LONGEST = 24, 1920
_AMPLE = 200_000_000  # the bit rate must not stand in the quantiser's way
_SOUND = {
    "aac": "aac",
    "mp3": "libmp3lame",
    "opus": "libopus",
    "mp2": "aac",
    "ac3": "aac",
    "eac3": "aac",
    "vorbis": "aac",
}
_SOUND_RATES = (48000, 44100, 32000)
_MOST_BIT_RATE, _LEAST_BIT_RATE = 160_000, 24_000


@dataclass(frozen=True, slots=True)
class Coding:
    """One generation of coding.

    Args:
        codec: Encoder of the picture, "" for none (lossless).
        quality: On the encoder's own scale, see the module.
        width: Pixels at which it is encoded.
        height: Pixels.
        sound: Encoder of the sound, "" for none.
        sample_rate: At which the sound is encoded.
        bit_rate: Of the sound, for one channel.
    """

    codec: str
    quality: int
    width: int
    height: int
    sound: str
    sample_rate: int
    bit_rate: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields; `Coding(**fields)` reads them back."""
        return asdict(self)


def coding_like(
    info: MediaInfo, frames: NDArray[np.uint8], fps: float, scale: float, residual: float, *, sound: bool
) -> Coding:
    """The coding that an edited file has behind it.

    Args:
        info: Of the edited file.
        frames: [T, H, W, 3] of the original, as the take holds it.
        fps: Of the take.
        scale: Size of the edited picture over that of the take's.
        residual: Mean square of the difference between edit and original where nothing was edited; NaN if unknown.
        sound: Whether the edited file's sound is used.
    """
    high, wide = frames.shape[1:3]
    scale = min(scale, _LONGEST / max(high, wide))
    width, height = (max(16, 2 * round(side * scale / 2)) for side in (wide, high))
    name = info.video.codec if info.video is not None else ""
    codec = "" if name in _LOSSLESS else _FAMILY.get(name, "libx264")
    quality = _quality(codec, frames, fps, (width, height), residual) if codec else 0
    rate, bits = _sound_coding(info.audio) if sound and info.audio is not None else (0, 0)
    encoder = _SOUND.get(info.audio.codec, "") if rate and info.audio is not None else ""
    return Coding(codec, quality, width, height, encoder, rate, bits)


def _quality(codec: str, frames: NDArray[np.uint8], fps: float, size: tuple[int, int], residual: float) -> int:
    """The quality whose damage is nearest to `residual`; the middle one where that is not known."""
    scale = _QUALITIES[codec]
    if not (math.isfinite(residual) and residual > 0):
        return scale[len(scale) // 2]
    part = frames[:_TRIED]
    damage: dict[int, float] = {}

    def away(k: int) -> float:
        if k not in damage:
            made = coded(part, fps, codec, scale[k], size).astype(np.float32)
            damage[k] = float(((made - part) ** 2).mean())
        return damage[k]

    low, high = 0, len(scale) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if away(middle) < residual:
            low = middle
        else:
            high = middle
    best = min((low, high), key=lambda k: abs(math.log(max(away(k), 1e-6) / residual)))
    return scale[best]


def _sound_coding(info: AudioInfo) -> tuple[int, int]:
    if info.codec not in _SOUND:
        return 0, 0
    rate = info.sample_rate if info.sample_rate in _SOUND_RATES else 48000
    per_channel = (info.bit_rate or 128_000 * info.channels / 2) / max(info.channels, 1)
    return rate, int(min(max(per_channel, _LEAST_BIT_RATE), _MOST_BIT_RATE))


def coded(frames: NDArray[np.uint8], fps: float, codec: str, quality: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Frames after one generation of coding, in memory.

    Args:
        frames: [T, H, W, 3] uint8 RGB.
        fps: Frames per second.
        codec: Encoder.
        quality: See the module.
        size: Width and height at which it is encoded, even.
    """
    high, wide = frames.shape[1:3]
    scaled = frames if size == (wide, high) else np.stack([_resized(one, size) for one in frames])
    memory = io.BytesIO()
    with av.open(memory, "w", format="nut") as container:
        stream: Any = container.add_stream(codec, rate=rational_rate(fps), options=_options(codec, quality))
        stream.width, stream.height = size
        stream.pix_fmt = _PIXELS.get(codec, "yuv420p")
        context = stream.codec_context
        context.thread_count, context.gop_size = 1, 50
        context.flags |= CodecFlags.bitexact
        if codec in {"mpeg4", "mpeg2video", "mjpeg"}:
            context.bit_rate = _AMPLE
        for index, image in enumerate(scaled):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    memory.seek(0)
    with av.open(memory, "r", format="nut") as container:
        container.streams.video[0].codec_context.thread_count = 1
        made = [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in container.decode(video=0)]
    made = (made + made[-1:] * len(frames))[: len(frames)]
    return np.stack(made if size == (wide, high) else [_resized(one, (wide, high)) for one in made])


def _options(codec: str, quality: int) -> dict[str, str]:
    if codec == "libx264":  # the macroblock tree's code gives other bytes from run to run, see cmdfd.media.encode
        return {"crf": str(quality), "preset": "veryfast", "x264-params": "mbtree=0:threads=1"}
    if codec == "libvpx-vp9":
        return {"crf": str(quality), "b": "0", "cpu-used": "6", "deadline": "realtime"}
    if codec == "prores_ks":
        return {"profile": str(quality)}
    return {"qmin": str(quality), "qmax": str(quality)}


def _resized(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    how = cv2.INTER_AREA if size[1] < image.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)


def recoded(take: Take, coding: Coding) -> Take:
    """A take after one more generation of coding, of picture and sound."""
    from dataclasses import replace

    frames = take.frames
    if coding.codec:
        frames = coded(frames, take.fps, coding.codec, coding.quality, (coding.width, coding.height))
    return replace(take, frames=frames, audio=_recoded_sound(take.audio, take.sample_rate, coding))


def _recoded_sound(audio: NDArray[np.float32], rate: int, coding: Coding) -> NDArray[np.float32]:
    from cmdfd.media.decode import read_audio
    from cmdfd.media.encode import write_clip
    from cmdfd.media.sound_encode import resample

    if not coding.sound:
        return audio
    blank = np.zeros((1, 32, 32, 3), np.uint8)
    with tempfile.TemporaryDirectory(prefix="cmdfd-manual-") as scratch:
        path = Path(scratch) / "sound.mp4"
        sent = resample(audio, rate, coding.sample_rate)
        write_clip(path, blank, 25.0, sent, coding.sample_rate, _settings(coding))
        back = read_audio(path, sample_rate=rate).samples[: len(audio)]
    return np.pad(back, (0, len(audio) - len(back)))


def _settings(coding: Coding) -> EncoderSettings:
    from cmdfd.media.settings import EncoderSettings

    return EncoderSettings("mp4", "libx264", 40, audio_codec=coding.sound, audio_bit_rate=coding.bit_rate)
