"""What a face does, read from its 68 points: pose and expression as numbers, and paths through frames that match."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from cmdfd.faces.tracks import INNER_LIP_BOTTOM, INNER_LIP_TOP, OUTER_EYES

if TYPE_CHECKING:
    from cmdfd.faces.tracks import FaceTrack

Floats = NDArray[np.float32]

UPPER_LIDS, LOWER_LIDS = (37, 38, 43, 44), (41, 40, 47, 46)
NOSE_TIP, CHIN = 30, 8
#: Landmarks of still heads jitter by about a third of a pixel; this many frames (sigma) outvote it.
_JITTER = 1.0
#: Price of a cut in a path through frames, per skipped frame and at most this many (measured on
#: mouths of the same speaker: runs of several frames are kept and the target is still followed).
JUMP_PRICE, JUMP_REACH = 0.04, 12


def pixels_of(track: FaceTrack, width: int, height: int, sigma: float = 0.0) -> Floats:
    """Landmarks [T, 68, 2] in pixels, smoothed over time by `sigma` frames."""
    points = track.points * np.array([width, height], np.float32)
    return smoothed(points, sigma)


def smoothed(values: NDArray[np.floating], sigma: float = _JITTER) -> Floats:
    """Gaussian of `sigma` frames along the first axis; the ends are held."""
    from scipy.ndimage import gaussian_filter1d

    data = np.asarray(values, np.float32)
    if sigma <= 0 or len(data) < 2:
        return data
    return np.asarray(gaussian_filter1d(data, sigma, axis=0, mode="nearest"), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class FaceState:
    """Pose and expression at every frame; lengths in distances of the outer eye corners, angles in radians.

    Args:
        origin: [T, 2] pixel midway between the outer eye corners.
        unit: [T] pixels between them.
        roll: [T] angle of the line through them.
        inside: [T, 68, 2] landmarks in the face's own frame (u to the image's right, v to the chin).
    """

    origin: Floats
    unit: Floats
    roll: Floats
    inside: Floats

    @classmethod
    def of(cls, pixels: Floats) -> FaceState:
        """State of landmarks [T, 68, 2] in pixels."""
        left, right = pixels[:, OUTER_EYES[0]], pixels[:, OUTER_EYES[1]]
        origin, line = (left + right) / 2, right - left
        unit = np.maximum(np.hypot(line[:, 0], line[:, 1]), 1.0)
        along = line / unit[:, None]
        away = np.stack([-along[:, 1], along[:, 0]], axis=1)
        centred = (pixels - origin[:, None]) / unit[:, None, None]
        inside = np.stack([(centred * along[:, None]).sum(-1), (centred * away[:, None]).sum(-1)], axis=-1)
        roll = np.arctan2(along[:, 1], along[:, 0])
        made = (np.asarray(each, np.float32) for each in (origin, unit, roll, inside))
        return cls(*made)

    @property
    def yaw(self) -> Floats:
        """[T] how far the nose points to the image's right: -1 at the jaw's one side, 1 at its other, 0 between."""
        nose = self.inside[:, NOSE_TIP, 0]
        to_left, to_right = nose - self.inside[:, 0, 0], self.inside[:, 16, 0] - nose
        return np.asarray((to_left - to_right) / np.maximum(to_left + to_right, 1e-3), np.float32)

    @property
    def pitch(self) -> Floats:
        """[T] where between eyes (0) and chin (1) the tip of the nose lies."""
        return np.asarray(self.inside[:, NOSE_TIP, 1] / np.maximum(self.inside[:, CHIN, 1], 0.3), np.float32)

    @property
    def opening(self) -> Floats:
        """[T] gap of the inner lips."""
        return np.asarray(self._gap((INNER_LIP_TOP,), (INNER_LIP_BOTTOM,)), np.float32)

    @property
    def eyes(self) -> Floats:
        """[T] mean gap of the lids."""
        return self._gap(UPPER_LIDS, LOWER_LIDS)

    @property
    def width(self) -> Floats:
        """[T] width of the mouth."""
        return np.asarray(self.inside[:, 54, 0] - self.inside[:, 48, 0], np.float32)

    def _gap(self, upper: tuple[int, ...], lower: tuple[int, ...]) -> Floats:
        gap = self.inside[:, list(lower), 1] - self.inside[:, list(upper), 1]
        return np.asarray(np.maximum(gap.mean(axis=1), 0.0), np.float32)


def best_path(
    unary: NDArray[np.floating], jump_price: float = JUMP_PRICE, jump_reach: int = JUMP_REACH
) -> NDArray[np.int64]:
    """The cheapest way through stored frames (Viterbi).

    Going on to the next stored frame is free; any other step costs `jump_price` for every frame between, at most
    `jump_reach` times.

    Args:
        unary: [T, N] price of showing stored frame n at moment t; infinite where it must not be shown.
        jump_price: See above.
        jump_reach: See above.

    Returns:
        [T] indices of stored frames.
    """
    n_moments, n_stored = unary.shape
    index = np.arange(n_stored)
    step = jump_price * np.minimum(np.abs(index[None, :] - index[:, None] - 1), jump_reach)
    total = unary[0].astype(np.float64)
    back = np.zeros((n_moments, n_stored), np.int64)
    for moment in range(1, n_moments):
        through = total[:, None] + step
        back[moment] = through.argmin(axis=0)
        total = through[back[moment], index] + unary[moment]
    path = np.zeros(n_moments, np.int64)
    path[-1] = int(total.argmin())
    for moment in range(n_moments - 1, 0, -1):
        path[moment - 1] = back[moment, path[moment]]
    return path


def mean_colour(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean of the three channels inside a mask."""
    return np.asarray(cv2.mean(image, mask=mask)[:3], np.float64)
