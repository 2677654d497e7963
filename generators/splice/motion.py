"""How a place in the picture moves: optical flow of what lies there, as one similarity for each frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from generators.splice.layers import Box
from generators.video.mesh_face import smoothed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from generators.video.mesh_warp import Bytes, Floats

#: Points that are followed, how good one must be beside the best, and how far from the next one, in pixels.
_POINTS, _QUALITY, _APART = 80, 0.02, 4
#: A flat wall has no points of its own: below this smallest eigenvalue (levels squared, of a 3x3 window's gradients)
#: what is found is noise.
_LEAST_EIGEN = 2e-4
#: Windows of the flow (Lucas and Kanade 1981, pyramids by Bouguet) and how far there and back may disagree.
_WINDOW, _LEVELS, _DISAGREE = 15, 3, 1.0
#: Fewer points than this tell a shift at most; fewer than the other nothing.
_FOR_SIMILARITY, _FOR_SHIFT = 12, 5
#: Rounds of the robust fit and the residual in pixels at which a point counts half.
_ROUNDS, _HALF = 8, 1.0
#: A place neither turns nor grows more than this in a clip; what asks for more is a wrong track.
_MOST_TURN, _MOST_SCALE = 0.35, 1.3
#: The path is smoothed over this many frames; for so many in a row a place may be lost from sight.
_FRAMES, _LOST = 1.0, 3
#: Where a place has no points of its own, those of the picture's sides and top tell how the camera moves: so wide.
_STRIP = 0.16


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Where a place went.

    Args:
        maps: [n, 2, 3] from pixels of the reference frame to those of each frame of the window.
        reference: Index of the reference frame in the take.
        points: Points that were followed; 0 where there was nothing to follow, so that the place stands still.
        lost: Whether they were lost from sight for long, so that nobody knows where the place is.
    """

    maps: NDArray[np.float64]
    reference: int
    points: int
    lost: bool = False

    def back(self, rank: int) -> NDArray[np.float64]:
        """[2, 3] from a frame of the window to the reference."""
        return np.asarray(cv2.invertAffineTransform(self.maps[rank]), np.float64)

    def at(self, rank: int, points: Floats) -> Floats:
        """Points [N, 2] of the reference as they lie in a frame of the window."""
        return np.asarray(points @ self.maps[rank][:, :2].T + self.maps[rank][:, 2], np.float32)


def follow(frames: Bytes, window: range, reference: int, centre: Floats, radius: float) -> Motion:
    """Follow what lies around a place.

    Every frame is compared with the reference itself, from where the frame before it ended, so that errors do not
    add up.

    Args:
        frames: [T, H, W, 3].
        window: Frames to follow in.
        reference: One of them.
        centre: Place in the reference frame.
        radius: Of what is looked at, in pixels.
    """
    box = Box.around(np.stack([centre - radius, centre + radius]), 0, frames.shape[1:])
    # the margin holds what moves in and out of the place
    wide = Box.around(np.stack([centre - radius, centre + radius]), max(2 * radius, 40.0), frames.shape[1:])
    mask = np.zeros(wide.shape, np.uint8)
    top, left = box.top - wide.top, box.left - wide.left
    mask[top : top + box.shape[0], left : left + box.shape[1]] = 255
    points = _corners(_grey(frames[reference], wide), mask)
    own = len(points) >= _FOR_SHIFT
    if not own:
        wide = Box(0, 0, frames.shape[2], frames.shape[1])
        points = _corners(_grey(frames[reference], wide), _strips(wide.shape))
    still = Motion(np.repeat(_affine(np.zeros(4), centre)[None], len(window), axis=0), reference, 0)
    if not own and len(points) < _FOR_SIMILARITY:
        return still
    paths, seen = _followed(frames, window, reference, points, wide, centre - wide.corner)
    lost = longest_gap(seen) > _LOST
    if lost and not own:  # a few points of somebody's hair: they tell nothing of the camera
        return still
    steady = smoothed(paths, _FRAMES).astype(np.float64)
    return Motion(np.array([_affine(path, centre) for path in steady]), reference, len(points), lost)


def longest_gap(found: NDArray[np.bool_]) -> int:
    """Most False in a row."""
    longest = run = 0
    for each in found.tolist():
        run = 0 if each else run + 1
        longest = max(longest, run)
    return longest


def _followed(
    frames: Bytes, window: range, reference: int, points: Floats, wide: Box, middle: Floats
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Path [n, 4] of each frame, and whether points were found again in it."""
    still = _grey(frames[reference], wide)
    paths, seen = np.zeros((len(window), 4)), np.ones(len(window), np.bool_)
    for order in (range(reference, window.stop), range(reference, window.start - 1, -1)):
        last = np.zeros(4)
        for index in order:
            guess = _applied(last, points, middle)
            found = _step(still, _grey(frames[index], wide), points, guess, middle)
            last = last if found is None else found
            paths[index - window.start], seen[index - window.start] = last, found is not None
    return paths, seen


def _grey(image: Bytes, box: Box) -> Bytes:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image[box.slices]), cv2.COLOR_RGB2GRAY), np.uint8)


def _strips(shape: tuple[int, int]) -> Bytes:
    mask = np.full(shape, 255, np.uint8)
    high, wide = round(_STRIP * shape[0]), round(_STRIP * shape[1])
    mask[high:, wide : shape[1] - wide] = 0
    return mask


def _corners(grey: Bytes, mask: Bytes) -> Floats:
    calm = np.asarray(cv2.GaussianBlur(grey, (0, 0), 1.0), np.uint8)
    found: Any = cv2.goodFeaturesToTrack(calm, _POINTS, _QUALITY, _APART, mask=mask)
    if found is None:
        return np.zeros((0, 2), np.float32)
    points = np.asarray(found, np.float32).reshape(-1, 2)
    eigen = cv2.cornerMinEigenVal(calm, 3)
    at = np.rint(points).astype(int)
    return np.asarray(points[eigen[at[:, 1], at[:, 0]] > _LEAST_EIGEN], np.float32)


def _step(still: Bytes, grey: Bytes, points: Floats, guess: Floats, middle: Floats) -> NDArray[np.float64] | None:
    """Shift x, y, turn and log scale about the middle; None where too few points were found again."""
    size = (_WINDOW, _WINDOW)
    there, seen, _ = cv2.calcOpticalFlowPyrLK(
        still, grey, points, guess.copy(), winSize=size, maxLevel=_LEVELS, flags=cv2.OPTFLOW_USE_INITIAL_FLOW
    )
    again, seen_back, _ = cv2.calcOpticalFlowPyrLK(
        grey, still, there, points.copy(), winSize=size, maxLevel=_LEVELS, flags=cv2.OPTFLOW_USE_INITIAL_FLOW
    )
    good = (seen[:, 0] > 0) & (seen_back[:, 0] > 0) & (np.abs(again - points).max(axis=1) < _DISAGREE)
    if good.sum() < _FOR_SHIFT:
        return None
    return _fit(points[good] - middle, there[good] - middle)


def _fit(old: Floats, new: Floats) -> NDArray[np.float64]:
    """Robust similarity about the origin (iteratively reweighted least squares, Cauchy weights)."""
    shift = np.median(new - old, axis=0).astype(np.float64)
    path = np.array([shift[0], shift[1], 0.0, 0.0])
    if len(old) < _FOR_SIMILARITY:
        return path
    rows = np.zeros((2 * len(old), 4))
    rows[0::2] = np.column_stack([old[:, 0], -old[:, 1], np.ones(len(old)), np.zeros(len(old))])
    rows[1::2] = np.column_stack([old[:, 1], old[:, 0], np.zeros(len(old)), np.ones(len(old))])
    goal = new.astype(np.float64).reshape(-1)
    apart = np.hypot(*(new - old - shift).T)
    for _ in range(_ROUNDS):
        weight = np.sqrt(1 / (1 + (apart / _HALF) ** 2)).repeat(2)
        a, b, x, y = np.linalg.lstsq(rows * weight[:, None], goal * weight, rcond=None)[0]
        apart = np.hypot(*(rows @ (a, b, x, y) - goal).reshape(-1, 2).T)
    turn, scale = float(np.arctan2(b, a)), float(np.hypot(a, b))
    if abs(turn) > _MOST_TURN or not 1 / _MOST_SCALE < scale < _MOST_SCALE:
        return path
    return np.array([x, y, turn, np.log(scale)])


def _linear(path: NDArray[np.float64]) -> NDArray[np.float64]:
    cosine, sine = np.exp(path[3]) * np.cos(path[2]), np.exp(path[3]) * np.sin(path[2])
    return np.array([[cosine, -sine], [sine, cosine]])


def _applied(path: NDArray[np.float64], points: Floats, middle: Floats) -> Floats:
    return np.asarray((points - middle) @ _linear(path).T + middle + path[:2], np.float32)


def _affine(path: NDArray[np.float64], centre: Floats) -> NDArray[np.float64]:
    linear = _linear(path)
    return np.column_stack([linear, centre + path[:2] - linear @ centre])
