"""The lower face of one frame in another one of the same take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from generators.video.face_frame import FaceFrame, Floats

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Points that speech hardly moves and that place one frame's face on another's: eyes' corners, bridge and base of the
#: nose.
RIGID_POINTS = (36, 39, 42, 45, 27, 28, 29, 30, 31, 33, 35)
#: Points of the lower face, which come from the other frame.
LOWER_FACE = (*range(3, 14), *range(48, 68))
#: The patch: hull of the jaw's lower part and the nose's base, in eye distances wider than its points below the chin,
#: so that neither frame's chin shows twice.
_JAW, _NOSE_BASE, _BELOW_CHIN = range(3, 14), range(31, 36), 0.10
#: Share of the way from the nose's middle to the jaw's side up to which the patch reaches: the cheek, not its outline.
_CHEEK = 0.9
#: The patch begins this far below the nose's base.
_BELOW_NOSE = 0.05
#: Softness of the patch's edge in eye distances.
_FEATHER = 0.07
#: Most levels by which a patch is made lighter or darker.
_MAX_OFFSET = 8.0


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A picture with another lower face.

    Args:
        picture: [H, W, 3] uint8.
        points: [68, 2] landmarks in pixels: those of the lower face are where the other frame's came to lie.
        mask: [H, W] uint8, 255 where more of the other frame is seen than of this one.
    """

    picture: NDArray[np.uint8]
    points: Floats
    mask: NDArray[np.uint8]


def similarity(source: Floats, target: Floats) -> NDArray[np.float64]:
    """Turn, scale and shift [2, 3] that bring points [N, 2] closest to others in the least-squares sense."""
    here, there = source.astype(np.float64), target.astype(np.float64)
    middle, goal = here.mean(axis=0), there.mean(axis=0)
    xs, ys = (here - middle).T
    us, vs = (there - goal).T
    norm = max(float((xs**2 + ys**2).sum()), 1e-12)
    real, imaginary = float((xs * us + ys * vs).sum()) / norm, float((xs * vs - ys * us).sum()) / norm
    linear = np.array([[real, -imaginary], [imaginary, real]])
    return np.column_stack([linear, goal - linear @ middle])


def moved(points: Floats, affine: NDArray[np.float64]) -> Floats:
    """Points [N, 2] under an affine map [2, 3]."""
    return np.asarray(points @ affine[:, :2].T + affine[:, 2], np.float32)


def paste(
    target: NDArray[np.uint8], there: Floats, source: NDArray[np.uint8], here: Floats, affine: NDArray[np.float64]
) -> Patch:
    """Put the lower face of `source` into `target`.

    Args:
        target: [H, W, 3] picture to change.
        there: [68, 2] its landmarks in pixels.
        source: [H, W, 3] picture that lends.
        here: [68, 2] its landmarks in pixels.
        affine: Map of the source's pixels to the target's.
    """
    height, width = target.shape[:2]
    points = there.copy()
    points[list(LOWER_FACE)] = moved(here[list(LOWER_FACE)], affine)
    noses = np.stack([there[list(_NOSE_BASE)], moved(here[list(_NOSE_BASE)], affine)])
    alpha = _alpha(there, points, noses, (height, width))
    size, border = (width, height), cv2.BORDER_REPLICATE
    warped = cv2.warpAffine(source, affine, size, flags=cv2.INTER_CUBIC, borderMode=border)
    other = np.asarray(warped, np.uint8)
    offset = _offset(target, other, alpha)
    mixed = target + alpha[..., None] * (other.astype(np.float32) + offset - target)
    picture = np.asarray(np.rint(mixed).clip(0, 255), np.uint8)
    return Patch(picture, points, np.where(alpha > 0.5, np.uint8(255), np.uint8(0)))


def _alpha(there: Floats, pasted: Floats, noses: Floats, shape: tuple[int, int]) -> Floats:
    """Opacity [H, W] of the patch: both frames' jaws lie inside, both frames' noses [2, 5, 2] outside."""
    face = FaceFrame.of(there)
    unit = face.unit
    lower = np.argmax(noses @ face.down, axis=0)
    nose = noses[lower, np.arange(noses.shape[1])]
    axis = there[33]
    sides = [axis + _CHEEK * (jaw[index] - axis) for jaw in (there, pasted) for index in _JAW]
    chins = [jaw[index] + face.down * (_BELOW_CHIN * unit) for jaw in (there, pasted) for index in (6, 7, 8, 9, 10)]
    corners = np.concatenate([nose + face.down * (_BELOW_NOSE * unit), np.stack(sides), np.stack(chins)])
    hull = cv2.convexHull(np.rint(corners * 16).astype(np.int32))
    filled = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(filled, hull, 255, lineType=cv2.LINE_AA, shift=4)
    sigma = max(_FEATHER * unit / 2, 0.5)
    return np.asarray(cv2.GaussianBlur(filled, (0, 0), sigma), np.float32) / np.float32(255)


def _offset(target: NDArray[np.uint8], other: NDArray[np.uint8], alpha: Floats) -> Floats:
    """Levels to add to the other picture, per channel, so that the patch's rim is as light as its surroundings."""
    rim = (alpha > 0.05) & (alpha < 0.95)
    if not rim.any():
        return np.zeros(3, np.float32)
    difference = target[rim].astype(np.float32) - other[rim].astype(np.float32)
    return np.asarray(np.clip(np.median(difference, axis=0), -_MAX_OFFSET, _MAX_OFFSET), np.float32)
