"""Decoding of a video stream for the picture cues: a few whole pictures, a thumbnail and a quantiser of every one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import av.error
import numpy as np
from av.sidedata.sidedata import SideDataContainer, Type

from cmdfd.audit.pictures import MAX_PICTURES, THUMB_SIDE, Pictures
from cmdfd.errors import MediaError
from cmdfd.media.open import check_size
from cmdfd.media.orient import UPRIGHT, orientation_of_frame, side_data
from cmdfd.media.picture import MIN_COVERAGE

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from cmdfd.media.limits import Limits

#: Pixel formats whose first plane is 8-bit luma and whose next two are chroma: taken as they are.
_PLANAR = frozenset(
    f"yuv{letter}{sampling}p" for letter in ("", "j", "a") for sampling in ("410", "411", "420", "422", "440", "444")
)
#: Further formats whose first plane is 8-bit luma.
_LUMA_FIRST = frozenset({"gray", "nv12", "nv21", "nv16", "nv24", "nv42"})
#: Everything else is brought to the first where it holds RGB (full range, BT.601), else to the second.
_OF_RGB, _OF_OTHERS = "yuvj420p", "yuv420p"
#: Letters of `AVPictureType`: none, I, P, B, S (a P with global motion), and the switching kinds of H.264.
_TYPES = "?IPBPIPB"
#: `AVVideoBlockParams` is five 32-bit integers; the last one is the block's difference of the quantiser.
_BLOCK_INTEGERS = 5
_QP_DATA = Type.VIDEO_ENC_PARAMS
_side_data_of: Any = SideDataContainer  # whose stub does not know its argument
#: Quantisers are read of every so many pictures (odd, so that no usual pattern of B pictures falls in step), and of
#: all I pictures; `AV_PICTURE_TYPE_I`.
_QP_EVERY, _INTRA = 3, 1
#: Chroma of grey.
_NO_COLOUR = (128.0, 128.0)
#: Whole pictures that are held while the end of the stream is not known.
_MOST_HELD = 2 * MAX_PICTURES


@dataclass(slots=True, eq=False)
class _Held:
    index: int
    luma: NDArray[np.uint8]
    chroma: tuple[float, float]


class _Sampler:
    """Keeps evenly spaced pictures of a stream, in bounded memory where its length is not known or told wrongly."""

    def __init__(self, expected: int) -> None:
        self._step = max(expected / MAX_PICTURES, 1.0)
        self._phase = self._step / 2
        self._held: list[_Held] = []

    def wants(self, index: int) -> bool:
        return index == int(self._phase + self._step * len(self._held))

    def add(self, held: _Held) -> None:
        self._held.append(held)
        if len(self._held) == _MOST_HELD:
            self._held = self._held[1::2]
            self._phase += self._step
            self._step *= 2

    def close(self) -> list[_Held]:
        n = len(self._held)
        if n <= MAX_PICTURES:
            return self._held
        return [self._held[k] for k in ((np.arange(MAX_PICTURES) + 0.5) * n / MAX_PICTURES).astype(int)]


class Viewer:
    """Turns the packets of one stream into `Pictures`; counts what breaks.

    Args:
        path: The file, as the user named it.
        stream: PyAV's video stream; its decoder must not be open yet.
        expected: Pictures that the header promises, 0 where it does not.
        limits: Bounds.
    """

    def __init__(self, path: Path, stream: Any, expected: int, limits: Limits) -> None:
        self._path, self._limits, self._expected = path, limits, expected
        context = stream.codec_context
        context.options = {**context.options, "export_side_data": "venc_params"}
        context.thread_count = 1  # clips are read side by side, and a pool of threads costs more than a short clip
        self._base = float(stream.time_base)
        self._period = 1 / float(stream.average_rate) if stream.average_rate else 0.04
        self._sampler = _Sampler(min(expected, limits.max_frames))
        self._size = (0, 0)
        self._stride = 1
        self._scaler: Any = None
        self._times: list[float] = []
        self._thumbs: list[NDArray[np.uint8]] = []
        self._types: list[int] = []
        self._qp: list[float] = []
        self._packets = self._errors = self._hidden = 0
        self.orientation = UPRIGHT
        self.sei = b""

    def see(self, packet: Any) -> None:
        """Decode one packet; a broken one is skipped and counted.

        Raises:
            MediaError: "too_large", "too_long".
        """
        self._packets += 1
        self._hidden += packet.is_discard
        try:
            frames = packet.decode()
        except (av.error.InvalidDataError, av.error.EOFError):
            self._errors += 1
            return
        for frame in frames:
            self._add(frame)

    def _add(self, frame: Any) -> None:
        index = len(self._times)
        width, height = frame.width, frame.height
        if index == 0:
            check_size(self._path, width, height, self._limits)
            self._size = (width, height)
            self._stride = -(-max(width, height) // THUMB_SIDE)
            self.orientation, self.sei = orientation_of_frame(frame), side_data(frame, "SEI_UNREGISTERED") or b""
        self._times.append(self._time(frame, index))
        shown, planes = self._as_planes(frame, width, height)
        luma = _rows(planes[0])[: self._size[1], : self._size[0]]
        # a copy each: the view would keep the decoder's whole picture alive
        self._thumbs.append(luma[:: self._stride, :: self._stride].copy())
        self._types.append(frame.pict_type)
        self._qp.append(math.nan if index % _QP_EVERY and frame.pict_type != _INTRA else mean_qp(frame))
        if self._sampler.wants(index):
            self._sampler.add(_Held(index, luma.copy(), self._chroma(shown)))

    def _time(self, frame: Any, index: int) -> float:
        if index >= self._limits.max_frames:
            raise MediaError("too_long", self._path, f"more than {self._limits.max_frames} frames")
        pts = frame.pts
        time = 0.0 if pts is None else pts * self._base
        if index and (pts is None or time <= self._times[-1]):
            time = self._times[-1] + self._period
        if index and time - self._times[0] > self._limits.max_seconds:
            raise MediaError("too_long", self._path, f"picture of more than {self._limits.max_seconds:g} s")
        return time

    def _as_planes(self, frame: Any, width: int, height: int) -> tuple[Any, Any]:
        """The frame itself where its first plane is luma of 8 bits in the stream's size, else a converted one."""
        name = frame.format.name
        if (width, height) != self._size:
            check_size(self._path, width, height, self._limits)
        elif name in _PLANAR or name in _LUMA_FIRST:
            planes = frame.planes
            if planes[0].line_size >= width:  # some decoders store bottom up
                return frame, planes
        shown = self._converted(frame, _OF_RGB if _holds_rgb(frame) else _OF_OTHERS)
        return shown, shown.planes

    def _chroma(self, shown: Any) -> tuple[float, float]:
        name = shown.format.name
        if name == "gray":
            return _NO_COLOUR
        planes = (shown if name in _PLANAR else self._converted(shown, _OF_OTHERS)).planes
        return _mean(planes[1]), _mean(planes[2])

    def _converted(self, frame: Any, target: str) -> Any:
        if self._scaler is None:
            from av.video.reformatter import VideoReformatter

            self._scaler = VideoReformatter()
        return self._scaler.reformat(frame, *self._size, target, threads=1)

    def finish(self) -> Pictures:
        """End the stream.

        Raises:
            MediaError: "decode_failed" where there is no picture, or less than 90 % of what was promised.
        """
        n = len(self._times)
        if n == 0:
            raise MediaError("decode_failed", self._path, "no frame could be decoded")
        shown = self._expected - self._hidden
        if n < MIN_COVERAGE * shown:
            raise MediaError("decode_failed", self._path, f"{n} of {shown} frames could be decoded")
        if self._errors > (1 - MIN_COVERAGE) * self._packets:
            detail = f"{self._errors} of {self._packets} video packets could not be decoded"
            raise MediaError("decode_failed", self._path, detail)
        held = self._sampler.close()
        return Pictures(
            luma=np.stack([one.luma for one in held]),
            chroma=np.array([one.chroma for one in held], np.float64),
            indices=np.array([one.index for one in held], np.intp),
            times=np.array(self._times),
            thumbs=np.stack(self._thumbs),
            types="".join(_TYPES[kind] for kind in self._types),
            qp=np.array(self._qp),
        )


def _rows(plane: Any) -> NDArray[np.uint8]:
    """View a plane of bytes as rows with their padding, without a copy; the view keeps it alive."""
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)


def _mean(plane: Any) -> float:
    """Mean over a plane of bytes."""
    import cv2

    return cv2.mean(_rows(plane)[: plane.height, : plane.width])[0]


def _holds_rgb(frame: Any) -> bool:
    shape = frame.format
    return bool(shape.is_rgb or shape.has_palette)


def mean_qp(frame: Any) -> float:
    """Mean quantiser over the blocks of a decoded picture, in the codec's own steps; NaN where it is not exported."""
    try:
        # not `frame.side_data`: frame and container would hold each other, and pictures pile up for Python's collector
        data = _side_data_of(frame)[_QP_DATA]
    except KeyError:
        return math.nan
    n = data.nb_blocks
    if n == 0 or data.block_size != 4 * _BLOCK_INTEGERS:
        return float(data.qp)
    blocks = np.frombuffer(data, np.int32, n * _BLOCK_INTEGERS, data.blocks_offset)
    return float(data.qp + int(np.add.reduce(blocks[_BLOCK_INTEGERS - 1 :: _BLOCK_INTEGERS])) / n)
