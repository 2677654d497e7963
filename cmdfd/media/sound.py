"""Decoding of one sound stream to mono float samples on the container's clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import av.error
import numpy as np
from av.audio.resampler import AudioResampler

from cmdfd.errors import MediaError

if TYPE_CHECKING:
    from pathlib import Path

    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.packet import Packet
    from numpy.typing import NDArray

    from cmdfd.media.limits import Limits

#: Clock errors that are left alone: containers with a clock of 1 ms jitter by that much, and no lost packet of a
#: usual codec is shorter (20 ms of Opus, 21 ms of AAC at 48 kHz).
GAP_SECONDS = 0.015
#: An encoder pads less than two frames; the longest frame of a usual codec holds 2048 samples (HE-AAC).
MAX_PADDING = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """Decoded sound.

    Args:
        samples: [N] float32, mono, in [-1, 1].
        sample_rate: Samples per second.
        start: Seconds on the container's clock at which sample 0 sounds.
    """

    samples: NDArray[np.float32]
    sample_rate: int
    start: float

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate


class _Straight:
    """In the place of a resampler where there is nothing to do: a filter graph costs as much as decoding AAC."""

    def resample(self, frame: AudioFrame | None) -> list[AudioFrame]:
        return [] if frame is None else [frame]


def _samples(frame: AudioFrame) -> NDArray[np.float32]:
    """[N] of a mono frame of float; its own memory."""
    plane: Any = frame.planes[0]
    return np.frombuffer(plane, np.float32, frame.samples).copy()


def _mixer(rate: int) -> AudioResampler:
    # Without the cap, float sources are mixed 3 dB louder than integer ones.
    return AudioResampler(format="flt", layout="mono", rate=rate, options={"rematrix_maxval": "1.0"})


class SoundReader:
    """Collects the packets of one stream. Priming and edit lists are honoured by the decoder's skip counts.

    Channels are mixed by the usual matrix scaled to never exceed full scale (stereo: the mean). Gaps in the time
    stamps are filled with silence and overlaps are cut, so that a sample's index stays on the clock.
    """

    def __init__(self, path: Path, stream: AudioStream, sample_rate: int, limits: Limits) -> None:
        self._path, self._stream, self._limits = path, stream, limits
        self._rate = sample_rate
        self._blocks: list[NDArray[np.float32]] = []
        self._collected = 0
        self._skip = 0
        self._start: float | None = None
        self._expected = 0.0
        self._resampler: AudioResampler | _Straight | None = None
        self._key: tuple[str, str, int] | None = None
        self._errors = 0
        self._packets = 0
        self.index = stream.index

    def push(self, packet: Packet[Any]) -> None:
        """Decode one packet; a broken one is skipped and counted."""
        self._packets += 1
        try:
            frames = cast("list[AudioFrame]", packet.decode())
        except (av.error.InvalidDataError, av.error.EOFError):
            self._errors += 1
            return
        for frame in frames:
            self._add(frame)

    def _add(self, frame: AudioFrame) -> None:
        n, rate = frame.samples, frame.sample_rate
        if not n:
            return
        stamp = frame.time  # worked out by PyAV: its time base would be made and shortened for each frame
        time = self._expected if stamp is None else stamp
        if self._start is None:
            self._start = self._expected = time
        key = (frame.format.name, frame.layout.name, rate)
        if abs(time - self._expected) > GAP_SECONDS:
            self._flush()
            self._move_to(time)
        elif key != self._key:
            self._flush()
        if self._resampler is None:
            self._key = key
            self._resampler = _Straight() if key == ("fltp", "mono", self._rate) else _mixer(self._rate)
        self._expected += n / rate
        self._check_length(self._expected - self._start - MAX_PADDING / rate)
        for block in self._resampler.resample(frame):
            self._append(block)

    def _check_length(self, seconds: float) -> None:
        if seconds > self._limits.max_seconds:
            detail = f"sound of {seconds:.1f} s, limit {self._limits.max_seconds:g} s"
            raise MediaError("too_long", self._path, detail)

    def _move_to(self, time: float) -> None:
        assert self._start is not None  # noqa: S101 - set by the only caller
        self._check_length(time - self._start)
        missing = round((time - self._start) * self._rate) - self._collected
        if missing > 0:
            self._blocks.append(np.zeros(missing, np.float32))
            self._collected += missing
        self._skip = max(0, -missing)
        self._expected = time

    def _append(self, frame: AudioFrame) -> None:
        block = _samples(frame)
        if self._skip:
            dropped = min(self._skip, len(block))
            self._skip -= dropped
            block = block[dropped:]
        self._blocks.append(block)
        self._collected += len(block)

    def _flush(self) -> None:
        if self._resampler is not None:
            for block in self._resampler.resample(None):
                self._append(block)
        self._resampler = None

    def _declared_samples(self) -> int | None:
        """How many samples an ISO file says the track plays; other containers know no better than a packet."""
        stream = self._stream
        known = "mov" in stream.container.format.name and stream.duration and stream.time_base is not None
        if not known or stream.start_time is None or self._start is None:
            return None
        end = (stream.start_time + stream.duration) * float(stream.time_base)  # type: ignore[operator,arg-type]
        return round((end - self._start) * self._rate)

    def finish(self) -> Audio:
        """End the stream.

        Raises:
            MediaError: "decode_failed" where nothing, or less than 90 % of the packets, could be decoded.
        """
        self._flush()
        if self._start is None or self._errors > 0.1 * self._packets:
            detail = f"{self._errors} of {self._packets} sound packets could not be decoded"
            raise MediaError("decode_failed", self._path, detail)
        samples = np.concatenate(self._blocks) if self._blocks else np.zeros(0, np.float32)
        # The resampler's tail may be a sample longer or shorter than the stretch of time that was decoded.
        wanted = max(0, round((self._expected - self._start) * self._rate))
        declared = self._declared_samples()
        padding = MAX_PADDING * self._rate / (self._key[2] if self._key else self._rate)
        if declared is not None and 0 < wanted - declared <= padding:
            wanted = declared
        if wanted > len(samples):
            samples = np.pad(samples, (0, wanted - len(samples)))
        return Audio(_in_range(samples[:wanted]), self._rate, self._start)


def _in_range(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The samples in [-1, 1]; what is no number becomes 0."""
    # most sound is in range, and both ends are NaN where a sample is
    if samples.size and not (samples.min() >= -1.0 and samples.max() <= 1.0):
        np.nan_to_num(samples, copy=False, nan=0.0, posinf=1.0, neginf=-1.0)
        np.clip(samples, -1.0, 1.0, out=samples)
    return samples
