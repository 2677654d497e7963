"""Mattes: luma or alpha, video or image, any size and rate."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.errors import MediaError
from cmdfd.media.decode import DEFAULT_LIMITS, video_stream
from cmdfd.media.grid import nearest_frames
from cmdfd.media.open import check_size, media_errors, open_media

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from cmdfd.media.harmonise import Placement

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp"})
_IMAGE_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")
_MAX_IMAGE_BYTES = 256 << 20
#: Levels that a lossy matte's black has anyway; below `cmdfd.media.masks.FORGED_ABOVE`, so no yes becomes a no.
BLACK = 6
#: Frames this many seconds beyond the window are kept, for the nearest one to its ends.
_MARGIN = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Matte:
    """A matte as it was read.

    Args:
        levels: [T, H, W] uint8 on the canvas of the reading; one for an image.
        times: [T] seconds from its first frame.
        seconds: How long it lasts, None for an image, which is held.
        kind: "luma" or "alpha".
    """

    levels: NDArray[np.uint8]
    times: NDArray[np.float64]
    seconds: float | None
    kind: str

    def at(self, times: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Levels [K, H, W] nearest to moments in seconds from the edited file's first frame."""
        return np.asarray(self.levels[nearest_frames(self.times, times)], np.uint8)


def read_matte(path: Path, place: Placement, shape: float, window: tuple[float, float] | None = None) -> Matte:
    """Read a matte onto a canvas.

    Args:
        path: Image (by its suffix) or video.
        place: Where its picture lies on the canvas, as the edited one's does; its `width` x `height` is the size.
        shape: Width by height of the edited picture, which the matte must have too.
        window: Seconds from and to which levels are kept (a little more is), None for all.

    Raises:
        MediaError: If it cannot be read; `unsupported` with "matte" where its shape is another.
    """
    if path.suffix.lower() in IMAGE_SUFFIXES:
        image, kind = _image(path)
        found, times = [_placed(image, place, path, shape)], np.zeros(1)
        return Matte(np.stack(found), times, None, kind)
    lumas: list[NDArray[np.uint8]] = []
    alphas: list[NDArray[np.uint8]] = []
    stamps: list[float] = []
    kept: list[float] = []
    for luma, alpha, stamp in _frames(path):
        stamps.append(stamp)
        time = stamp - stamps[0]
        if kept and window is not None and not window[0] - _MARGIN <= time <= window[1] + _MARGIN:
            continue
        if len(kept) == 1 and window is not None and kept[0] < window[0] - _MARGIN:  # kept in case there was no other
            lumas, alphas, kept = [], [], []
        kept.append(time)
        lumas.append(_placed(luma, place, path, shape))
        if alpha is not None:
            alphas.append(_placed(alpha, place, path, shape))
    times = np.array(stamps) - stamps[0]
    period = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    # many writers put an opaque alpha beside a luma matte
    keyed = len(alphas) == len(lumas) and any(each.min() != each.max() for each in alphas)
    levels = np.stack(alphas if keyed else lumas)
    return Matte(levels, np.array(kept), float(times[-1]) + period, "alpha" if keyed else "luma")


def _placed(levels: NDArray[np.uint8], place: Placement, path: Path, shape: float) -> NDArray[np.uint8]:
    from generators.manual.problems import refusal

    found = levels.shape[1] / levels.shape[0]
    if abs(found / shape - 1) > 0.02:
        raise refusal("matte", path.name, f"its shape is {found:.3f}:1, that of the edited picture {shape:.3f}:1")
    placed = place.apply(levels[None], np.zeros(1, np.intp))[0]
    return np.where(placed < BLACK, 0, placed).astype(np.uint8)


def _image(path: Path) -> tuple[NDArray[np.uint8], str]:
    from PIL import Image

    if path.stat().st_size > _MAX_IMAGE_BYTES:
        raise MediaError("too_large", path.name, f"an image of more than {_MAX_IMAGE_BYTES >> 20} MiB")
    try:
        with Image.open(io.BytesIO(path.read_bytes()), formats=_IMAGE_FORMATS) as image:
            check_size(path, image.width, image.height, DEFAULT_LIMITS)
            if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
                alpha = np.asarray(image.convert("RGBA"), np.uint8)[..., 3]
                if alpha.min() != alpha.max():
                    return alpha, "alpha"
            if image.mode.startswith("I"):  # 16 bits
                wide = np.asarray(image, np.int64)
                return (wide >> 8 if wide.max() > 255 else wide).clip(0, 255).astype(np.uint8), "luma"
            return np.asarray(image.convert("L"), np.uint8), "luma"
    except MediaError:
        raise
    except Exception as error:  # whatever a decoder raises on a stranger's bytes
        raise MediaError("decode_failed", path.name, f"no image that can be read: {error}") from error


def _frames(path: Path) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8] | None, float]]:
    """Luma, alpha where the file has one, and seconds of every frame."""
    limits = DEFAULT_LIMITS
    count = 0
    with open_media(path, limits) as container, media_errors(path, "decode_failed"):
        stream = video_stream(path, container)
        rate = float(stream.average_rate or 25)
        for frame in container.decode(stream):
            check_size(path, frame.width, frame.height, limits)
            time = count / rate if frame.pts is None or frame.time_base is None else float(frame.pts * frame.time_base)
            if count >= limits.max_frames:
                raise MediaError("too_long", path.name, f"more than {limits.max_frames} frames")
            count += 1
            yield *_levels(frame), time
    if not count:
        raise MediaError("decode_failed", path.name, "no frame could be decoded")


def _levels(frame: Any) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    import cv2

    if any(part.is_alpha for part in frame.format.components):
        colours = frame.to_ndarray(format="rgba")
        return np.asarray(cv2.cvtColor(colours, cv2.COLOR_RGBA2GRAY), np.uint8), colours[..., 3].copy()
    return np.asarray(cv2.cvtColor(frame.to_ndarray(format="rgb24"), cv2.COLOR_RGB2GRAY), np.uint8), None
