"""Pixel labels on disk: lossless FFV1 grey in Matroska, bit-exact and on the time stamps of their clip.

A mask says how much of a pixel is foreign, 0 to 255; its edge is soft where the splice's is. Where a metric needs yes
or no, a pixel is forged above `FORGED_ABOVE`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.media.decode import DEFAULT_LIMITS, Limits, Video, read_video
from cmdfd.media.encode import write_clip
from cmdfd.media.settings import EncoderSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: FFV1 (RFC 9043) has no loss; intra only, so that any frame can be read alone.
MASK_SETTINGS = EncoderSettings(
    container="matroska",
    video_codec="ffv1",
    gop=1,
    pixel_format="gray",
    audio_codec="pcm_s16le",
    audio_bit_rate=None,
)

#: A pixel is forged where its mask is above this (of 255); ST-DDL's loader draws the line there too
#: (arXiv 2210.15872, inference code: > 10 becomes 255), since a soft edge of a few per cent changes what is seen.
FORGED_ABOVE = 10


def forged(masks: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which pixels count as forged: those above `FORGED_ABOVE`.

    Args:
        masks: Any shape, uint8.

    Returns:
        The same shape, bool.
    """
    found: NDArray[np.bool_] = masks > FORGED_ABOVE
    return found


def write_mask(path: Path, masks: NDArray[np.uint8], fps: float) -> None:
    """Write masks; the file appears by rename and has the same bytes at every run.

    Args:
        path: File to write.
        masks: [T, H, W] uint8, 0 (untouched) to 255 (foreign); they come back exactly.
        fps: Constant frame rate of the clip.

    Raises:
        ValueError: If the shape or type is another.
        OSError: If the file cannot be written.
    """
    if masks.ndim != 3 or masks.dtype != np.uint8 or not len(masks):
        raise ValueError(f"masks must be uint8 [T, H, W] with T >= 1, got {masks.dtype} {masks.shape}")
    write_clip(Path(path), masks, fps, None, 0, MASK_SETTINGS)


def read_mask(path: Path, limits: Limits = DEFAULT_LIMITS) -> Video:
    """Read masks back.

    Args:
        path: File to read.
        limits: Bounds.

    Returns:
        Frames [T, H, W] uint8 and times in seconds (to the millisecond, Matroska's clock).

    Raises:
        MediaError: As `cmdfd.media.decode.read_video`.
    """
    return read_video(Path(path), pixel_format="gray", limits=limits)
