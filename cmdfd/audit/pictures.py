"""What the picture cues are computed from: a few whole pictures and a thumbnail of every one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Whole pictures that are looked at, at most.
MAX_PICTURES = 16
#: Longest side of a thumbnail in pixels.
THUMB_SIDE = 32


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Samples of a video stream as stored (before rotation), from one pass of decoding.

    Args:
        luma: [K, H, W] uint8, evenly spaced whole pictures, K <= 16; 10 bits are brought to 8. Code values as stored:
            16 to 235 in limited range.
        chroma: [K, 2] mean of Cb and Cr, 0 to 255.
        indices: [K] number of each picture in order of display.
        times: [T] seconds at which each picture of the clip is shown.
        thumbs: [T, h, w] uint8, every picture's luma, every s-th pixel of every s-th row, longer side <= 32.
        types: [T] one letter a picture: I, P, B or "?".
        qp: [T] mean quantiser of every third picture and every I picture; NaN for the others, and where the decoder
            does not tell.
    """

    luma: NDArray[np.uint8]
    chroma: NDArray[np.float64]
    indices: NDArray[np.intp]
    times: NDArray[np.float64]
    thumbs: NDArray[np.uint8]
    types: str
    qp: NDArray[np.float64]
