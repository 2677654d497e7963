"""Laying pictures upon pictures with a mask that says to the level how much of every pixel is foreign."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from cmdfd.clip import REAL, Labels, Modality, Segment
from cmdfd.errors import JobError
from cmdfd.media.masks import FORGED_ABOVE
from generators.generator import Outcome, Take
from generators.video.mesh_face import smoothed
from generators.video.mouth_warp import frames_inside

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cmdfd.faces.tracks import FaceTrack
    from generators.generator import Job
    from generators.video.mesh_warp import Bytes, Floats

#: Pixels around a picture in which the equations of `poisson` find the rim's colours, and by which its region is grown:
#: just inside the rim of the equations nothing changes yet, so that rim must lie outside of what is laid.
_PAD, _GROW = 6, 4
#: Drift of null splices: at most this many pixels, over some frames, so that they are resampled as forgeries are.
_DRIFT, _DRIFT_FRAMES = 0.5, 6.0


@dataclass(frozen=True, slots=True)
class Box:
    """Pixels [left, right) x [top, bottom)."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def around(cls, points: Floats, margin: float, shape: tuple[int, ...]) -> Box:
        """The pixels around points [N, 2], clipped to a picture of `shape`."""
        low = np.floor(points.min(axis=0) - margin).astype(int)
        high = np.ceil(points.max(axis=0) + margin).astype(int) + 1
        height, width = shape[:2]
        left, top = min(max(int(low[0]), 0), width), min(max(int(low[1]), 0), height)
        return cls(left, top, max(min(int(high[0]), width), left), max(min(int(high[1]), height), top))

    @property
    def corner(self) -> Floats:
        """Its first pixel as (x, y)."""
        return np.array([self.left, self.top], np.float32)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.bottom - self.top, self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """Pictures that are being changed, and their masks.

    Args:
        frames: [T, H, W, 3] uint8.
        masks: [T, H, W] uint8.
    """

    frames: Bytes
    masks: Bytes

    @classmethod
    def of(cls, take: Take) -> Canvas:
        """A copy of a take's pictures."""
        return cls(take.frames.copy(), np.zeros(take.frames.shape[:3], np.uint8))

    def lay(self, index: int, box: Box, over: Bytes, alpha: Floats) -> None:
        """Blend a picture over one of the frames.

        The weight is first rounded to the 256 steps of the mask, and what would not count as forged is left alone:
        so the mask tells exactly what was done.

        Args:
            index: Frame.
            box: Where.
            over: [h, w, 3] of the box's shape.
            alpha: [h, w] weight of `over`, 0 to 1.
        """
        mask = np.rint(alpha * np.float32(255)).clip(0, 255).astype(np.uint8)
        mask[mask <= FORGED_ABOVE] = 0
        under = self.frames[index][box.slices]
        weight = mask.astype(np.float32)[..., None] / np.float32(255)
        base = under.astype(np.float32)
        blend = base + weight * (over.astype(np.float32) - base)
        self.frames[index][box.slices] = np.rint(blend).clip(0, 255).astype(np.uint8)
        self.masks[index][box.slices] = mask


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """What a splice did, before it is told as a forgery or as a null splice."""

    canvas: Canvas
    frames: range
    details: Mapping[str, Any] = field(default_factory=dict)
    variant: str = ""
    track: FaceTrack | None = None


def forgery(job: Job, made: Made, labels: Labels, face_id: str | None = None) -> Outcome:
    """The outcome of a splice whose picture alone changed; the segment holds the changed frames."""
    take = job.take
    end = min(made.frames.stop / take.fps, take.duration)
    segment = Segment(made.frames.start / take.fps, end, Modality.VIDEO)
    track = made.track if made.track is not None else take.track
    forged = replace(take, frames=made.canvas.frames, track=track)
    masks = made.canvas.masks
    return Outcome(forged, labels, (segment,), masks, made.variant, face_id=face_id, details=dict(made.details))


def null_splice(job: Job, made: Made) -> Outcome:
    """The outcome of a null splice; the take's own track goes on being right."""
    details = {f"null_{name}": value for name, value in made.details.items()}
    return Outcome(replace(job.take, frames=made.canvas.frames), REAL, (), details=details)


def window(job: Job, generator: str) -> range:
    """Frames that the clip may show.

    Raises:
        JobError: "input_unsupported" where there are none.
    """
    frames = frames_inside(job)
    if not len(frames):
        detail = f"the clip from {job.start:g} s on lies outside the take of {job.take.duration:.2f} s"
        raise JobError("input_unsupported", generator, detail)
    return frames


def drift(rng: np.random.Generator, n: int) -> Floats:
    """[n, 2] calm movement of less than a pixel, for null splices."""
    path = smoothed(rng.standard_normal((n, 2)), _DRIFT_FRAMES)
    return np.asarray(_DRIFT * np.tanh(path / np.maximum(path.std(axis=0), 1e-9)), np.float32)


def poisson(under: Bytes, over: Bytes, inside: Bytes) -> Bytes:
    """`over` with its gradients kept and its rim brought to the colours of `under` (Perez et al. 2003).

    Args:
        under: [h, w, 3] picture below.
        over: [h, w, 3] picture above.
        inside: [h, w] not 0 where `over` shall be seen; may touch the border.

    Returns:
        [h, w, 3]; further than a few pixels outside of `inside` it is `under`.
    """
    if not inside.any():
        return under.copy()
    sides, border = (_PAD,) * 4, cv2.BORDER_REPLICATE
    below, above = (cv2.copyMakeBorder(each, *sides, border) for each in (under, over))
    grown = cv2.dilate((inside > 0).astype(np.uint8), np.ones((2 * _GROW + 1, 2 * _GROW + 1), np.uint8))
    where = cv2.copyMakeBorder(grown * np.uint8(255), *sides, cv2.BORDER_CONSTANT, value=(0,))
    x, y, width, height = cv2.boundingRect(where)
    # OpenCV puts the middle of the mask's bounding box at the point given: so that is where it is already
    made = cv2.seamlessClone(above, below, where, (x + width // 2, y + height // 2), cv2.NORMAL_CLONE)
    return np.asarray(made[_PAD:-_PAD, _PAD:-_PAD], np.uint8)


def moved_picture(image: Bytes, affine: Any, box: Box) -> Bytes:
    """A picture under an affine map [2, 3] of its pixels to another picture's, as seen in a box of that one.

    Where it shrinks, it is blurred first as much as the new grid asks for.
    """
    local = np.array(affine, np.float64)
    local[:, 2] -= box.corner
    scale = float(np.sqrt(abs(np.linalg.det(local[:, :2]))))
    if scale < 0.8:
        image = cv2.GaussianBlur(image, (0, 0), 0.5 * np.sqrt(1 / scale**2 - 1))  # type: ignore[assignment]
    size = (box.shape[1], box.shape[0])
    seen = cv2.warpAffine(image, local, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen, np.uint8)


def covered_box(shape: tuple[int, ...], affine: Any, box: Box) -> Bytes:
    """255 in a box where a picture of `shape`, moved by an affine map, has pixels."""
    local = np.array(affine, np.float64)
    local[:, 2] -= box.corner
    whole = np.full(shape[:2], 255, np.uint8)
    return np.asarray(cv2.warpAffine(whole, local, (box.shape[1], box.shape[0]), flags=cv2.INTER_LINEAR), np.uint8)
