"""What sheets show of a clip: frames, masks, a close-up of what is forged, and the sound's outline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cmdfd.errors import CmdfdError, MediaError
from cmdfd.media.masks import forged
from generators.sheets.canvas import THUMB, ClipPictures

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cmdfd.clip import Clip
    from cmdfd.dataset import Dataset

#: Pictures of scenes have this area whatever their shape, so that upright ones are no smaller than wide ones.
SCENE_AREA = 256 * THUMB
#: Side of a close-up.
CLOSE = THUMB
#: A close-up shows the forged region and this much of its size around it, at least `_LEAST` pixels of the clip.
_AROUND, _LEAST = 0.35, 64
_NOTHING = np.zeros(0, np.float32)


class Box(NamedTuple):
    """A square in shares of a picture's width and height, so that it fits every version of it."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Focus:
    """Where and when a clip is forged most: frame number and place."""

    index: int
    box: Box


def thumb_size(clip: Clip) -> tuple[int, int]:
    """Width and height of a small picture; very wide single pictures are pressed together."""
    if not clip.scene:
        return int(np.clip(round(THUMB * clip.width / clip.height), THUMB // 2, 2 * THUMB)), THUMB
    scale = float(np.sqrt(SCENE_AREA / (clip.width * clip.height)))
    return round(clip.width * scale), round(clip.height * scale)


def frames_at(path: Path, indices: Collection[int], pixel_format: str) -> dict[int, NDArray[np.uint8]]:
    """Frames by number, as they are; decoding stops at the last one.

    Raises:
        MediaError: If the file cannot be read.
    """
    from cmdfd.media.decode import iter_frames

    found: dict[int, NDArray[np.uint8]] = {}
    for number, frame in enumerate(iter_frames(path, pixel_format=pixel_format)):
        if number in indices:
            found[number] = frame.image
        if number >= max(indices):
            break
    return found


def scaled(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture at another size, every pixel counting by its area."""
    import cv2

    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def box_around(mask: NDArray[np.uint8]) -> Box | None:
    """A square around all forged pixels, inside the picture as far as it goes; None where there are none.

    Args:
        mask: [H, W].
    """
    ys, xs = np.nonzero(forged(mask))
    if not len(xs):
        return None
    height, width = mask.shape
    left, right, top, bottom = int(xs.min()), int(xs.max()) + 1, int(ys.min()), int(ys.max()) + 1
    side = max(right - left, bottom - top) * (1 + 2 * _AROUND)
    side = min(max(side, _LEAST), width, height)
    x = float(np.clip((left + right - side) / 2, 0, width - side))
    y = float(np.clip((top + bottom - side) / 2, 0, height - side))
    return Box(x / width, y / height, (x + side) / width, (y + side) / height)


def crop(image: NDArray[np.uint8], box: Box, side: int) -> NDArray[np.uint8]:
    """What a box shows, as a square of `side` pixels; enlarged without smoothing, so that blocks stay visible."""
    import cv2

    height, width = image.shape[:2]
    left, top = (min(int(share * size), size - 1) for share, size in zip(box[:2], (width, height), strict=True))
    right = max(round(box.right * width), left + 1)
    bottom = max(round(box.bottom * height), top + 1)
    cut = image[top:bottom, left:right]
    how = cv2.INTER_NEAREST if min(cut.shape[:2]) < side else cv2.INTER_AREA
    return np.asarray(cv2.resize(cut, (side, side), interpolation=how), np.uint8)


def focus_of(dataset: Dataset, clip: Clip, indices: Collection[int]) -> Focus | None:
    """Where a clip's mask is largest among some frames; None without a mask, or where it cannot be read."""
    path = dataset.mask_of(clip)
    if path is None:
        return None
    try:
        masks = frames_at(path, indices, "gray")
    except (MediaError, OSError):
        return None
    best = max(masks, key=lambda index: (int(forged(masks[index]).sum()), -index), default=None)
    box = None if best is None else box_around(masks[best])
    return None if best is None or box is None else Focus(best, box)


def read_pictures(
    dataset: Dataset, clip: Clip, indices: Sequence[int], focus: Focus | None, points: int
) -> ClipPictures:
    """Decode what is shown of a clip.

    Args:
        dataset: The set.
        clip: The clip.
        indices: Frames to show.
        focus: What its close-up shows, None for no close-up.
        points: Stretches of the sound's outline.
    """
    from cmdfd.media.decode import read_audio

    size = thumb_size(clip)
    wanted = {*indices, *([focus.index] if focus is not None else [])}
    try:
        found = frames_at(dataset.path_of(clip), wanted, "rgb24")
        path = dataset.mask_of(clip)
        grey = frames_at(path, set(indices), "gray") if path is not None else {}
    except (MediaError, CmdfdError) as error:
        return ClipPictures((), (), _NOTHING, _NOTHING, getattr(error, "code", "") or str(error))
    frames = [scaled(found[index], size) for index in indices if index in found]
    masks = [scaled(grey[index], size) for index in indices if index in grey]
    near = crop(found[focus.index], focus.box, CLOSE) if focus is not None and focus.index in found else None
    try:
        sound = read_audio(dataset.path_of(clip)).samples
    except MediaError:
        return ClipPictures(frames, masks, _NOTHING, _NOTHING, closeup=near)
    return ClipPictures(frames, masks, *_envelope(sound, points), closeup=near)


def _envelope(samples: NDArray[np.float32], n: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Lowest and highest sample of `n` equal stretches."""
    if len(samples) == 0:
        return _NOTHING, _NOTHING
    starts = np.minimum(np.linspace(0, len(samples), n + 1).astype(int)[:-1], len(samples) - 1)
    return np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)
