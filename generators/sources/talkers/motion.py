"""How a head moves while it talks: pose, gaze, brows and blinks of one clip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Lid closure over the seven frames of a blink at 25 fps; it begins two frames before its nominal time.
_BLINK = np.array([0.3, 0.85, 1.0, 0.9, 0.55, 0.25, 0.08])
_BLINK_RATE = 25.0


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Movement at every frame, each [T] float64.

    Args:
        yaw: Radians, positive turns the nose to the image's right.
        pitch: Radians, positive turns the nose down.
        roll: Radians, clockwise in the image.
        dx: Shift in face units.
        dy: Shift in face units, down.
        gaze_x: Iris shift, -1 to 1, to the image's right.
        gaze_y: Iris shift, -1 to 1, down.
        brow: Raise, -0.6 to 1.2.
        blink: Lid closure, 0 to 1.
    """

    yaw: NDArray[np.float64]
    pitch: NDArray[np.float64]
    roll: NDArray[np.float64]
    dx: NDArray[np.float64]
    dy: NDArray[np.float64]
    gaze_x: NDArray[np.float64]
    gaze_y: NDArray[np.float64]
    brow: NDArray[np.float64]
    blink: NDArray[np.float64]


def smooth(n_frames: int, fps: float, tau: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A smooth random curve: cubic spline through unit-normal knots every `tau` seconds; [n_frames]."""
    from scipy.interpolate import CubicSpline

    n_knots = int(np.ceil(n_frames / fps / tau)) + 4
    knots = (np.arange(n_knots) - 1) * tau
    curve = CubicSpline(knots, rng.normal(0.0, 1.0, n_knots))(np.arange(n_frames) / fps)
    return np.asarray(curve, np.float64)


def _blinks(n_frames: int, fps: float, rng: np.random.Generator) -> NDArray[np.float64]:
    closure = np.zeros(n_frames)
    time = rng.uniform(0.3, 2.0)
    frame_times = np.arange(n_frames) / fps
    steps = (np.arange(len(_BLINK)) - 2) / _BLINK_RATE
    while time < n_frames / fps:
        closure = np.maximum(closure, np.interp(frame_times, time + steps, _BLINK, left=0.0, right=0.0))
        time += rng.uniform(1.6, 5.0)
    return closure


def draw_motion(fps: float, envelope: NDArray[np.float64], rng: np.random.Generator) -> Motion:
    """Draw a clip's movement.

    Args:
        fps: Frames per second.
        envelope: [T] loudness per frame; brows follow it a little, as those of talkers do.
        rng: The motion's own stream.
    """
    n = len(envelope)

    def curve(tau: float) -> NDArray[np.float64]:
        return smooth(n, fps, tau, rng)

    size = rng.uniform(0.5, 1.3)
    seven = np.convolve(np.pad(envelope, 3, mode="edge"), np.full(7, 1 / 7), mode="valid")
    return Motion(
        yaw=np.clip(0.055 * size * curve(0.9) + rng.normal(0.0, 0.03), -0.24, 0.24),
        pitch=np.clip(0.035 * size * curve(0.8), -0.13, 0.13),
        roll=0.022 * size * curve(1.1) + rng.normal(0.0, 0.012),
        dx=0.035 * size * curve(1.2),
        dy=0.022 * size * curve(1.0),
        gaze_x=np.clip(0.25 * curve(0.7), -1.0, 1.0),
        gaze_y=np.clip(0.15 * curve(0.9), -1.0, 1.0),
        brow=np.clip(0.35 * curve(0.6) + 0.6 * seven - 0.2, -0.6, 1.2),
        blink=_blinks(n, fps, rng),
    )
