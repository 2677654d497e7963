"""A still whose head moves: a smooth field around the head that fades to nothing at the border of the picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from generators.video.mesh_face import FaceState
from generators.video.mesh_warp import carried, fetch, nodes, spread

Floats = NDArray[np.float32]

#: Pixels between the nodes of the field.
STEP = 4
#: Half axes of the ellipse that moves as one with the face (it holds hair and ears) and its middle below the eyes;
#: how far beyond it the movement dies off; all in distances of the outer eye corners. A face is 1.94 high.
_HALF_WIDTH, _HALF_HEIGHT, _MIDDLE, _REACH = 0.95, 1.20, 0.30, 1.1
#: Width of the rim, as a share of the picture, over which the movement fades to the fixed border.
_RIM = 0.16
#: Half axes of the ellipsoid that stands for the head's depth, and the nose upon it.
_DEPTH_AXES, _DEPTH, _NOSE, _NOSE_WIDTH, _NOSE_PLACE = (0.95, 1.30), 0.9, 0.28, 0.16, 0.50
#: Brows: width of the field along the face's axes.
_BROW_WIDTH, _BROW_HEIGHT = 0.20, 0.13
#: Steepest slope of the field; from 1 on it folds.
MAX_SLOPE = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class HeadField:
    """The field of one still, prepared for many movements.

    Args:
        shape: Height and width of the picture.
        grid: [rows, columns, 2] pixels of the nodes.
        weight: [rows, columns] share of the movement.
        depth: [rows, columns] depth, 0 at the eyes' corners and 1 at the tip of the nose.
        brow: [rows, columns] share of the brows' lift.
        origin: Pixel midway between the outer eye corners.
        axes: [2, 2] rows: unit vectors to the face's right and to its chin.
        unit: Pixels between the eyes' outer corners.
    """

    shape: tuple[int, int]
    grid: Floats
    weight: Floats
    depth: Floats
    brow: Floats
    origin: Floats
    axes: Floats
    unit: float

    @classmethod
    def of(cls, pixels: Floats, shape: tuple[int, int]) -> HeadField:
        """Prepare the field of a face with landmarks [68, 2] in a picture of `shape`."""
        state = FaceState.of(pixels[None])
        cosine, sine = np.cos(state.roll[0]), np.sin(state.roll[0])
        axes = np.array([[cosine, sine], [-sine, cosine]], np.float32)
        origin, unit = state.origin[0], float(state.unit[0])
        grid = nodes(shape, STEP)
        inside = ((grid - origin) @ axes.T) / np.float32(unit)
        u, v = inside[..., 0], inside[..., 1]
        away = np.sqrt((u / _HALF_WIDTH) ** 2 + ((v - _MIDDLE) / _HALF_HEIGHT) ** 2)
        rim = np.minimum(np.minimum(grid[..., 0], shape[1] - 1 - grid[..., 0]) / shape[1],
                         np.minimum(grid[..., 1], shape[0] - 1 - grid[..., 1]) / shape[0])  # fmt: skip
        weight = np.asarray(_smooth(1 + (1 - away) / _REACH) * _smooth(rim / _RIM), np.float32)
        # the brows' middles, 19 and 24, stand for them
        places = state.inside[0][[19, 24]]
        brow = sum(_bump(u - x, v - y, _BROW_WIDTH, _BROW_HEIGHT) for x, y in places)
        return cls(shape, grid, weight, _depth(u, v), np.asarray(brow, np.float32), origin, axes, unit)

    def displacement(self, motion: Floats, lift: float = 0.0) -> Floats:
        """Place in the still minus place in the new picture, [rows, columns, 2] pixels.

        Args:
            motion: [6] see `generators.video.still_motion.CHANNELS`.
            lift: Of the brows, in eye distances.
        """
        right, down, roll, size, turn, nod = (float(value) for value in motion)
        shift = np.array([right, down], np.float32) * np.float32(self.unit)
        cosine, sine = np.cos(roll), np.sin(roll)
        back = np.array([[cosine, sine], [-sine, cosine]], np.float32) * np.float32(np.exp(-size))
        rigid = (self.grid - shift - self.origin) @ back.T + self.origin - self.grid
        face = np.stack([-turn * self.depth, -nod * self.depth + lift * self.brow], axis=-1)
        bent = face.astype(np.float32) @ (self.axes * np.float32(self.unit))
        return np.asarray(self.weight[..., None] * (rigid + bent), np.float32)

    def slope(self, motion: Floats) -> float:
        """Steepest slope of the field of a movement [6]."""
        field = self.displacement(motion)
        across, along = np.diff(field, axis=1) / STEP, np.diff(field, axis=0) / STEP
        return float(max(np.abs(across).max(initial=0.0), np.abs(along).max(initial=0.0)))

    def bounded(self, motion: Floats) -> Floats:
        """All of a motion [T, 6] scaled down by one factor, so that the field never gets steeper than `MAX_SLOPE`."""
        steepest = max((self.slope(row) for row in motion), default=0.0)
        return np.asarray(motion * np.float32(min(1.0, MAX_SLOPE / max(steepest, 1e-9))), np.float32)

    def drawn(self, image: NDArray[np.uint8], points: Floats, field: Floats) -> tuple[NDArray[np.uint8], Floats]:
        """Picture and points [N, 2] after a displacement."""
        return fetch(image, spread(field, STEP, self.shape)), carried(points, field, STEP)


def _smooth(x: NDArray[np.floating]) -> Floats:
    inside = np.asarray(np.clip(x, 0, 1), np.float32)
    return np.asarray(inside * inside * (3 - 2 * inside), np.float32)


def _bump(u: Floats, v: Floats, width: float, height: float) -> Floats:
    return np.asarray(np.exp(-0.5 * ((u / width) ** 2 + (v / height) ** 2)), np.float32)


def _depth(u: Floats, v: Floats) -> Floats:
    """Relative depth: an ellipsoid with a nose, soft at its outline."""

    def height(x: Floats, y: Floats) -> Floats:
        left = 1 - (x / _DEPTH_AXES[0]) ** 2 - ((y - _MIDDLE) / _DEPTH_AXES[1]) ** 2
        ball = _DEPTH * np.sqrt(np.clip(left, 0.0, None))
        return np.asarray(ball + _NOSE * _bump(x, y - _NOSE_PLACE, _NOSE_WIDTH, 0.8 * _NOSE_WIDTH), np.float32)

    eye, nose = (height(np.array([x], np.float32), np.array([y], np.float32))[0] for x, y in ((0.5, 0.0), (0.0, 0.5)))
    raw = cv2.GaussianBlur(height(u, v), (0, 0), 1.2)
    return np.asarray(np.clip((raw - eye) / (nose - eye), -0.6, 1.0), np.float32)
