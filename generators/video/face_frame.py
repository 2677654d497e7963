"""The face's own frame: coordinates that head, camera and picture size do not change, and the mouth measured in it.

Origin midway between the outer eye corners, u along the line through them to the image's right, v towards the chin,
one unit is their distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cmdfd.faces.tracks import INNER_LIP_BOTTOM, INNER_LIP_TOP, OUTER_EYES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cmdfd.faces.tracks import FaceTrack

Floats = NDArray[np.float32]

#: Corners of the outer lips.
MOUTH_CORNERS = (48, 54)


def opening(track: FaceTrack, aspect: float) -> NDArray[np.float64]:
    """Distance of the inner lips in distances of the outer eye corners; [T].

    Args:
        track: Points as fractions of the picture.
        aspect: Width of the picture divided by its height.
    """
    return _share_of_eyes(track, aspect, INNER_LIP_TOP, INNER_LIP_BOTTOM)


def mouth_width(track: FaceTrack, aspect: float) -> NDArray[np.float64]:
    """Distance of the mouth's corners in distances of the outer eye corners; [T]. Arguments as of `opening`."""
    return _share_of_eyes(track, aspect, *MOUTH_CORNERS)


def _share_of_eyes(track: FaceTrack, aspect: float, one: int, other: int) -> NDArray[np.float64]:
    points = track.points.astype(np.float64) * (aspect, 1.0)
    gap = points[:, other] - points[:, one]
    eyes = points[:, OUTER_EYES[1]] - points[:, OUTER_EYES[0]]
    return np.asarray(np.hypot(*gap.T) / np.maximum(np.hypot(*eyes.T), 1e-6))


@dataclass(frozen=True, slots=True, eq=False)
class FaceFrame:
    """The face's own frame in one picture.

    Args:
        origin: Pixel midway between the outer eye corners.
        right: Unit vector along the eyes.
        down: Unit vector to the chin.
        unit: Pixels between the outer eye corners.
        points: [68, 2] u and v of the landmarks.
    """

    origin: Floats
    right: Floats
    down: Floats
    unit: float
    points: Floats

    @classmethod
    def of(cls, pixels: Floats) -> FaceFrame:
        """Frame of landmarks [68, 2] in pixels."""
        left, other = pixels[OUTER_EYES[0]], pixels[OUTER_EYES[1]]
        unit = max(float(np.hypot(*(other - left))), 1.0)
        right = ((other - left) / np.float32(unit)).astype(np.float32)
        down = np.array([-right[1], right[0]], np.float32)
        origin = ((left + other) / 2).astype(np.float32)
        if float((pixels[8] - origin) @ down) < 0:  # a mirrored or upside-down face
            down = -down
        inside = (pixels - origin) / np.float32(unit)
        across = np.stack([inside @ right, inside @ down], axis=1)
        return cls(origin, right, down, unit, np.asarray(across, np.float32))

    def curve(self, indices: Iterable[int], columns: Floats) -> Floats:
        """V of a line of landmarks at given u, held beyond its ends."""
        line = self.points[list(indices)]
        order = np.argsort(line[:, 0])
        return np.asarray(np.interp(columns, line[order, 0], line[order, 1]), np.float32)

    def mouth(self) -> tuple[float, float]:
        """Middle and half width of the mouth."""
        left, right = (float(self.points[corner, 0]) for corner in MOUTH_CORNERS)
        return (left + right) / 2, max(abs(right - left) / 2, 0.05)

    def gap(self) -> float:
        """Opening of the mouth along v, >= 0."""
        return max(float(self.points[INNER_LIP_BOTTOM, 1] - self.points[INNER_LIP_TOP, 1]), 0.0)

    def place(self, u: Floats, v: Floats) -> Floats:
        """Pixels [..., 2] of face coordinates."""
        across = u[..., None] * self.right + v[..., None] * self.down
        return np.asarray(self.origin + self.unit * across, np.float32)
