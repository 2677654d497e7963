"""How a decoded picture is turned and stretched before it is shown."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from fractions import Fraction

    from av.video.frame import VideoFrame
    from numpy.typing import NDArray

#: A display matrix is nine 32-bit numbers; its upper 2x2 part is 16.16 fixed point (ISO/IEC 14496-12, 6.2.2).
_MATRIX = struct.Struct("=9i")
_ONE = 1 << 16
#: Sample aspect ratios beyond this are damage, not anamorphic video (the widest in use is 2:1).
_WIDEST_SAMPLE = 4.0


@dataclass(frozen=True, slots=True)
class Orientation:
    """Mirror first, then turn clockwise.

    Args:
        rotation: Degrees clockwise, 0, 90, 180 or 270.
        mirrored: Whether left and right are exchanged before the turn.
    """

    rotation: int = 0
    mirrored: bool = False

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn [H, W] or [H, W, 3]; a view, not a copy."""
        if self.mirrored:
            image = image[:, ::-1]
        return np.rot90(image, k=-(self.rotation // 90)) if self.rotation else image

    @property
    def sideways(self) -> bool:
        """Whether width and height change places."""
        return self.rotation in {90, 270}


UPRIGHT = Orientation()
_TURNS = {(1, 0): 0, (0, 1): 90, (-1, 0): 180, (0, -1): 270}


def orientation_of(matrix: bytes | None) -> Orientation:
    """Read a display matrix.

    Args:
        matrix: The 36 bytes of FFmpeg's display matrix side data, or None.

    Returns:
        The nearest quarter turn; upright where the matrix is absent, degenerate or turns by anything but a multiple
        of 90 degrees (players disagree on those).
    """
    if matrix is None or len(matrix) < _MATRIX.size:
        return UPRIGHT
    a, b, _, c, d, *_rest = (round(value / _ONE, 2) for value in _MATRIX.unpack_from(matrix))
    mirrored = a * d - b * c < 0
    turn = _TURNS.get((int(-a if mirrored else a), int(-b if mirrored else b)))
    square = abs(abs(a) - abs(d)) < 1e-9 and abs(abs(b) - abs(c)) < 1e-9
    return Orientation(turn, mirrored) if turn is not None and square else UPRIGHT


def orientation_of_frame(frame: VideoFrame) -> Orientation:
    """Read the orientation from the side data of a decoded frame."""
    return orientation_of(side_data(frame, "DISPLAYMATRIX"))


def side_data(frame: VideoFrame, name: str) -> bytes | None:
    """Bytes of a frame's side data by the name of its FFmpeg type, or None."""
    data: Any = frame.side_data.get(name)
    return None if data is None else bytes(data)


def square_size(width: int, height: int, sample_aspect: Fraction | None) -> tuple[int, int]:
    """Size with square pixels, before rotation: the height is kept and the width stretched, as players do.

    Args:
        width: Coded width.
        height: Coded height.
        sample_aspect: Width of a sample over its height; None, zero and absurd values count as 1.

    Returns:
        Width and height.
    """
    ratio = float(sample_aspect) if sample_aspect else 1.0
    if not 1 / _WIDEST_SAMPLE <= ratio <= _WIDEST_SAMPLE:
        ratio = 1.0
    return max(1, round(width * ratio)), height
