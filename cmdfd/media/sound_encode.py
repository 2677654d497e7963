"""Encoding of one mono sound track with explicit time stamps."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.codec.context import Flags as CodecFlags

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from numpy.typing import NDArray

    from cmdfd.media.settings import EncoderSettings

#: Opus runs at 48 kHz inside whatever goes in (RFC 6716); other rates round its delay in ISO files.
_OPUS_RATE = 48000
_BLOCK = 1024
_FULL_SCALE = {"s16": 1 << 15, "s32": 1 << 31}


def encode_audio(
    container: OutputContainer, audio: NDArray[np.float32], sample_rate: int, settings: EncoderSettings
) -> list[av.Packet[Any]]:
    """Add a sound stream to a container and encode all of it.

    A frame without time stamp would come back 1024 samples late from AAC, so every frame carries one.

    Args:
        container: Open for writing, nothing muxed yet.
        audio: [N] float32 mono in [-1, 1], N >= 1; what lies outside is clipped.
        sample_rate: Samples per second.
        settings: Codec and bit rate.

    Returns:
        Packets of the new stream.

    Raises:
        ValueError: If the samples are not finite and mono, or the codec does not take the rate.
    """
    audio = np.asarray(audio, np.float32)
    if audio.ndim != 1 or not len(audio):
        raise ValueError(f"audio must be mono [N] with N >= 1, got shape {audio.shape}")
    if not np.isfinite(audio).all():
        raise ValueError("audio has samples that are not finite")
    if settings.audio_codec == "libopus" and sample_rate != _OPUS_RATE:
        audio, sample_rate = resample(audio, sample_rate, _OPUS_RATE), _OPUS_RATE
    stream: AudioStream = container.add_stream(settings.audio_codec, rate=sample_rate)  # type: ignore[assignment]
    context = stream.codec_context
    context.layout = "mono"
    context.time_base = Fraction(1, sample_rate)
    context.thread_count = 1
    context.flags |= CodecFlags.bitexact
    if settings.audio_bit_rate is not None:
        context.bit_rate = settings.audio_bit_rate
    try:
        context.open()
    except (av.error.FFmpegError, ValueError) as error:
        raise ValueError(f"{settings.audio_codec} does not take {sample_rate} samples per second") from error
    return _encode_blocks(stream, np.clip(audio, -1.0, 1.0), sample_rate)


def _encode_blocks(stream: AudioStream, audio: NDArray[np.float32], sample_rate: int) -> list[av.Packet[Any]]:
    context = stream.codec_context
    samples = _quantised(audio, context.format.name)
    size = context.frame_size or _BLOCK
    packets: list[av.Packet[Any]] = []
    for first in range(0, len(samples), size):
        block = np.ascontiguousarray(samples[None, first : first + size])
        frame = av.AudioFrame.from_ndarray(block, format=context.format.name, layout="mono")
        frame.sample_rate = sample_rate
        frame.pts = first
        frame.time_base = Fraction(1, sample_rate)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _quantised(audio: NDArray[np.float32], name: str) -> NDArray[Any]:
    """Samples in an encoder's format; integers are rounded to nearest."""
    scale = _FULL_SCALE.get(name.removesuffix("p"))
    if scale is None:
        return audio
    whole = np.clip(np.rint(audio.astype(np.float64) * scale), -scale, scale - 1)
    return whole.astype(np.int16 if scale == 1 << 15 else np.int32)


def resample(audio: NDArray[np.float32], sample_rate: int, wanted: int) -> NDArray[np.float32]:
    """Resample mono sound with FFmpeg's resampler; no delay, sample 0 stays at time 0.

    Args:
        audio: [N] float32.
        sample_rate: Samples per second now.
        wanted: Samples per second to come to.

    Returns:
        [round(N * wanted / sample_rate)] float32.
    """
    n = int(len(audio) * wanted / sample_rate + 0.5)
    if sample_rate == wanted or not len(audio):
        return np.asarray(audio, np.float32)
    resampler = AudioResampler(format="flt", layout="mono", rate=wanted)
    block = np.ascontiguousarray(audio[None], np.float32)
    frame = av.AudioFrame.from_ndarray(block, format="flt", layout="mono")
    frame.sample_rate = sample_rate
    frame.pts = 0
    frame.time_base = Fraction(1, sample_rate)
    parts = [part.to_ndarray().reshape(-1) for part in [*resampler.resample(frame), *resampler.resample(None)]]
    samples = np.concatenate(parts).astype(np.float32, copy=False)
    return np.pad(samples, (0, max(0, n - len(samples))))[:n]
