"""Face points from the renderer's own geometry: the 68 of iBUG 300-W in closed form, no tracker involved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from generators.sources.talkers import lips
from generators.sources.talkers.camera import BROW_RAISE, Camera, Pose, brow_field
from generators.sources.talkers.fields import COARSE_SCALE, LEFT, TOP, Field
from generators.sources.talkers.geometry import outline
from generators.sources.talkers.head import PIVOT, Head
from generators.sources.talkers.mouth import MouthPose, curves, knots, mouth_width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from generators.sources.talkers.identity import Shape

#: Fixed-point steps for the inverse of the parallax; the error after four is below a hundredth of a pixel.
_STEPS = 4
#: Lid points at this share of the eye's half width; lip points at these shares of the mouth's.
_LID = 0.40
_OUTER_TOP = (-0.66, -0.28, 0.0, 0.28, 0.66)
_OUTER_BOTTOM = (0.66, 0.34, 0.0, -0.34, -0.66)
_INNER = 0.42
_INNER_CORNER = 0.86


@dataclass(frozen=True, slots=True)
class Frame:
    """Everything that moves points in one frame."""

    pose: Pose
    mouth: MouthPose
    blink: float


class Landmarks:
    """Computes one head's points.

    Args:
        head: The head.
        camera: The camera.
    """

    def __init__(self, head: Head, camera: Camera) -> None:
        self.head, self.camera = head, camera
        self.shape = head.person.shape
        self.still = self._still_points()
        self.jaw_x, self.jaw_y = self._jaw_line()

    def _jaw_line(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Seventeen points on the outline at equal distances, from ear to ear round the chin."""
        s = self.shape
        ys, widths = outline(s)
        keep = ys >= s.eye_y + 0.04
        y = ys[keep].astype(np.float64)
        # the skin's edge is at half opacity, a little inside the outline of the form
        x = widths[keep].astype(np.float64)
        length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
        at = np.linspace(0.0, length[-1], 9)
        half_x, half_y = np.interp(at, length, x), np.interp(at, length, y)
        return np.concatenate([-half_x, half_x[-2::-1]]), np.concatenate([half_y, half_y[-2::-1]])

    def _still_points(self) -> NDArray[np.float64]:
        """Brows and nose (17 to 35), face units, before brow raise; [19, 2]."""
        s = self.shape
        t = np.linspace(1.0, 0.0, 5) * 0.94 + 0.03
        left = np.stack([-lips.brow_x(s, t), lips.brow(s, t)], axis=1)
        right = np.stack([lips.brow_x(s, t[::-1]), lips.brow(s, t[::-1])], axis=1)
        tip = s.nose_y - 0.10
        top = s.eye_y - 0.02
        bridge = np.stack([np.zeros(4), np.linspace(top, tip, 4)], axis=1)
        w, y = s.nose_w, s.nose_y
        base = np.array(
            [(-0.84 * w, y - 0.01), (-0.44 * w, y + 0.018), (0, y + 0.032), (0.44 * w, y + 0.018), (0.84 * w, y - 0.01)]
        )
        return np.concatenate([left, right, bridge, base])

    def _eyes(self, blink: float) -> NDArray[np.float64]:
        """Points 36 to 47."""
        s = self.shape
        u = np.array([s.eye_w, _LID * s.eye_w, -_LID * s.eye_w, -s.eye_w])  # outer to inner
        upper, lower = lips.closed_lids(s, u, blink)
        ends = 0.5 * (upper + lower)
        left = [
            (-s.eye_x - u[0], ends[0]), (-s.eye_x - u[1], upper[1]), (-s.eye_x - u[2], upper[2]),
            (-s.eye_x - u[3], ends[3]), (-s.eye_x - u[2], lower[2]), (-s.eye_x - u[1], lower[1]),
        ]  # fmt: skip
        right = [
            (s.eye_x + u[3], ends[3]), (s.eye_x + u[2], upper[2]), (s.eye_x + u[1], upper[1]),
            (s.eye_x + u[0], ends[0]), (s.eye_x + u[1], lower[1]), (s.eye_x + u[2], lower[2]),
        ]  # fmt: skip
        return np.array(left + right)

    def _lips(self, pose: MouthPose) -> NDArray[np.float64]:
        """Points 48 to 67."""
        s, width = self.shape, mouth_width(self.shape, pose)
        corner = _corner(s, pose, width)
        xs = np.array([-corner, *(corner * v for v in _OUTER_TOP), corner, *(corner * v for v in _OUTER_BOTTOM)])
        c = curves(s, pose, xs)
        outer = np.empty(12)
        outer[[0, 6]] = 0.5 * (c.upper + c.lower)[[0, 6]]
        outer[1:6] = (c.upper - lips.upper_lip(s, c.source_x) * c.upper_scale)[1:6]
        outer[7:] = (c.lower + lips.lower_lip(s, c.source_x) * c.lower_scale)[7:]
        end = corner * _INNER_CORNER * (1.0 - 0.30 * pose.rounded)
        inner_x = np.array([-end, -_INNER * end, 0.0, _INNER * end, end, _INNER * end, 0.0, -_INNER * end])
        c = curves(s, pose, inner_x)
        inner = np.where(np.arange(8) < 4, c.upper, c.lower)
        inner[[0, 4]] = 0.5 * (c.upper + c.lower)[[0, 4]]
        return np.concatenate([np.stack([xs, outer], axis=1), np.stack([inner_x, inner], axis=1)])

    def _jaw(self, pose: MouthPose) -> NDArray[np.float64]:
        """Points 0 to 16, moved by the jaw."""
        source, target = knots(self.shape, pose, self.jaw_x)
        y = [np.interp(self.jaw_y[i], source[:, i], target[:, i]) for i in range(17)]
        moved = np.where(self.jaw_y > source[0], y, self.jaw_y)
        return np.stack([self.jaw_x, moved], axis=1)

    def on_head(self, mouth: MouthPose, blink: float) -> NDArray[np.float64]:
        """All points in face units, before pose; [68, 2]."""
        return np.concatenate([self._jaw(mouth), self.still, self._eyes(blink), self._lips(mouth)])

    def project(self, points: NDArray[np.float64], poses: Sequence[Pose]) -> NDArray[np.float64]:
        """Face units to pixels (pixel centres are integers): the inverse of `camera.HeadMap`.

        Args:
            points: [T, n, 2] points before pose.
            poses: T poses.

        Returns:
            [T, n, 2] columns and rows.
        """
        s, depth, camera = self.shape, self.head.depth, self.camera
        table = np.array([(p.yaw, p.pitch, p.roll, p.dx, p.dy, p.brow) for p in poses])
        yaw, pitch, roll, dx, dy, brow = (table[:, i, None] for i in range(6))
        x2, y2 = points[..., 0], points[..., 1]
        x, y = x2, y2
        for _ in range(_STEPS):
            raised = BROW_RAISE * brow * brow_field(s.brow_y, s.eye_x, x.astype(np.float32), y.astype(np.float32))
            z = _sample(depth, x, y) - PIVOT
            x = x2 * (1.0 - 0.5 * yaw**2) + yaw * z
            y = y2 + pitch * z - raised
        cos, sin = np.cos(roll), np.sin(roll)
        column = camera.x + camera.scale * (cos * x - sin * y + dx)
        row = camera.y + camera.scale * (sin * x + cos * y + dy)
        return np.stack([column, row], axis=-1)

    def at(self, frames: Sequence[Frame]) -> NDArray[np.float64]:
        """The 68 points of every frame in pixels, [T, 68, 2]."""
        points = np.stack([self.on_head(frame.mouth, frame.blink) for frame in frames])
        return self.project(points, [frame.pose for frame in frames])


def _corner(shape: Shape, pose: MouthPose, width: float) -> float:
    """X at which the corner of the mouth is seen: where the warp reaches the closed mouth's half width."""
    x = np.linspace(0.6 * width, 1.3 * width, 60)
    return float(np.interp(shape.mouth_w, curves(shape, pose, x).source_x, x))


def _sample(field: Field, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bilinear reading of a coarse field at face coordinates; 0 outside."""
    column = (x - LEFT) * COARSE_SCALE - 0.5
    row = (y - TOP) * COARSE_SCALE - 0.5
    j, i = np.floor(column).astype(int), np.floor(row).astype(int)
    u, v = column - j, row - i
    padded = np.pad(field, 1)

    def read(rows: NDArray[np.int_], columns: NDArray[np.int_]) -> NDArray[np.float64]:
        r = np.clip(rows + 1, 0, padded.shape[0] - 1)
        c = np.clip(columns + 1, 0, padded.shape[1] - 1)
        return padded[r, c].astype(np.float64)

    top = read(i, j) * (1 - u) + read(i, j + 1) * u
    bottom = read(i + 1, j) * (1 - u) + read(i + 1, j + 1) * u
    return np.asarray(top * (1 - v) + bottom * v)
