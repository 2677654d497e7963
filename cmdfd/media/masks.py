"""Pixel labels on disk: lossless FFV1 grey in Matroska, bit-exact and on the time stamps of their clip."""

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


def write_mask(path: Path, masks: NDArray[np.uint8], fps: float) -> None:
    """Write masks; the file appears by rename and has the same bytes at every run.

    Args:
        path: File to write.
        masks: [T, H, W] uint8, 255 where pixels are forged; any values come back exactly.
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
