"""The camera: framing, head pose as one map, exposure, lens and noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from generators.sources.talkers.fields import (
    COARSE,
    COARSE_SCALE,
    LEFT,
    SCALE,
    TOP,
    Field,
    bump,
)  # fmt: skip
from generators.sources.talkers.head import PIVOT, Head

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The prototype's figures were taken at this picture size; lengths in pixels scale with it.
_NOMINAL = 256
#: Raise of the brows, face units, and the size of the skin that follows.
BROW_RAISE, BROW_SPREAD = 0.05, 0.16
_NOISE_BANKS = 3
_NOISE_MARGIN = 32


@dataclass(frozen=True, slots=True)
class Camera:
    """One clip's camera.

    Args:
        size: Pixels of the square picture.
        scale: Pixels per face unit.
        x: Column of the face's origin.
        y: Row of the face's origin.
        gain: Exposure.
        balance: White balance per channel.
        vignette: Loss in the corners.
        blur: Sigma in pixels.
        noise: Standard deviation in display values, 0 to 1.
    """

    size: int
    scale: float
    x: float
    y: float
    gain: float
    balance: tuple[float, float, float]
    vignette: float
    blur: float
    noise: float


@dataclass(frozen=True, slots=True)
class Pose:
    """Head pose of one frame (see `motion.Motion`)."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    dx: float = 0.0
    dy: float = 0.0
    brow: float = 0.0


def draw_camera(size: int, rng: np.random.Generator) -> Camera:
    """Draw a clip's camera for a square picture of `size` pixels."""
    grow = size / _NOMINAL
    r, g, b = 1.0 + np.clip(rng.normal(0.0, 0.025, 3), -0.06, 0.06)
    return Camera(
        size=size,
        scale=float(rng.uniform(58, 70) * grow),
        x=float(size * (0.5 + np.clip(rng.normal(0, 0.025), -0.06, 0.06))),
        y=float(size * (0.47 + np.clip(rng.normal(0, 0.02), -0.05, 0.05))),
        gain=float(rng.uniform(0.90, 1.12)),
        balance=(float(r), float(g), float(b)),
        vignette=float(rng.uniform(0.0, 0.45)),
        blur=float(rng.uniform(0.0, 0.7) * grow),
        noise=float(rng.uniform(0.004, 0.016)),
    )


def brow_field(shape_brow_y: float, eye_x: float, x: Field, y: Field) -> Field:
    """Skin that follows the brows, 0 to 1; x is [n] or a grid, y broadcasts with it."""
    return np.asarray(bump(np.abs(x), eye_x, 0.26) * bump(y, shape_brow_y, BROW_SPREAD), np.float32)


class HeadMap:
    """Where every output pixel looks on the head canvas, computed on a grid of every fourth pixel.

    Args:
        head: The head.
        camera: The camera.
    """

    def __init__(self, head: Head, camera: Camera) -> None:
        self.head, self.camera = head, camera
        n = -(-camera.size // COARSE) + 2
        self.n = n
        # one node more on every side, so that enlarging never extrapolates inside the picture
        nodes = (np.arange(n, dtype=np.float32) - 1) * COARSE + np.float32((COARSE - 1) / 2)
        self.node_x = ((nodes - np.float32(camera.x)) * np.float32(1 / camera.scale))[None, :]
        self.node_y = ((nodes - np.float32(camera.y)) * np.float32(1 / camera.scale))[:, None]
        s = head.person.shape
        self.brow_x, self.brow_y = s.eye_x, s.brow_y

    def _face(self, pose: Pose) -> tuple[Field, Field]:
        """Face coordinates of the nodes before parallax."""
        cos, sin = np.float32(np.cos(pose.roll)), np.float32(np.sin(pose.roll))
        dx, dy = self.node_x - np.float32(pose.dx), self.node_y - np.float32(pose.dy)
        return np.asarray(cos * dx + sin * dy, np.float32), np.asarray(cos * dy - sin * dx, np.float32)

    def maps(self, pose: Pose) -> tuple[Field, Field, Field, Field]:
        """Canvas columns and rows for every pixel [size, size], and the coarse ones [n, n] of the nodes."""
        x, y = self._face(pose)
        depth: Field = np.asarray(
            cv2.remap(
                self.head.depth,
                (x - np.float32(LEFT)) * np.float32(COARSE_SCALE) - np.float32(0.5),
                (y - np.float32(TOP)) * np.float32(COARSE_SCALE) - np.float32(0.5),
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_CONSTANT,
                borderValue=0,
            )
        ) - np.float32(PIVOT)
        x2 = (x - np.float32(pose.yaw) * depth) * np.float32(1.0 / (1.0 - 0.5 * pose.yaw**2))
        y2 = y - np.float32(pose.pitch) * depth
        y2 += np.float32(BROW_RAISE * pose.brow) * brow_field(self.brow_y, self.brow_x, x, y)
        columns = (x2 - np.float32(LEFT)) * np.float32(SCALE) - np.float32(0.5)
        rows = (y2 - np.float32(TOP)) * np.float32(SCALE) - np.float32(0.5)
        return self._enlarge(columns), self._enlarge(rows), columns, rows

    def _enlarge(self, coarse: Field) -> Field:
        size = self.n * COARSE
        fine = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR)
        return np.asarray(fine[COARSE : COARSE + self.camera.size, COARSE : COARSE + self.camera.size], np.float32)

    def change_of_light(self, pose: Pose, columns: Field, rows: Field) -> NDArray[np.uint8]:
        """Brightness change at every pixel because the head is turned: [size, size, 3] uint8 around 128."""
        light = self.head.relight
        change = light.yaw * np.float32(pose.yaw) + light.pitch * np.float32(pose.pitch)
        change += np.float32(128)
        small = np.clip(change, 0, 255).astype(np.uint8)
        # centres of canvas pixels and of coarse pixels differ by (COARSE - 1) / 2
        scale, shift = np.float32(1 / COARSE), np.float32((COARSE - 1) / 2)
        moved = cv2.remap(
            small, (columns - shift) * scale, (rows - shift) * scale, cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT, borderValue=(128, 128, 128),
        )  # fmt: skip
        size = self.n * COARSE
        fine = cv2.resize(moved, (size, size), interpolation=cv2.INTER_LINEAR)
        return np.asarray(fine[COARSE : COARSE + self.camera.size, COARSE : COARSE + self.camera.size], np.uint8)


class Sensor:
    """Exposure, lens and noise of one clip. Noise grows with brightness, as that of sensors does.

    The picture is coded so that the noise has the same size everywhere, noise is added as 8-bit numbers, and the
    code is undone: two tables instead of float arithmetic on every pixel.
    """

    #: Noise is sigma * (A + B * value).
    _A, _B = 0.5, 0.8

    def __init__(self, camera: Camera, rng: np.random.Generator) -> None:
        self.camera = camera
        value = np.arange(256) / 255.0
        ratio = self._B / self._A
        top = np.log1p(ratio)
        code = np.empty((1, 256, 3))
        for channel in range(3):
            lit = np.clip(value * camera.gain * camera.balance[channel], 0.0, 1.2)
            code[0, :, channel] = np.log1p(ratio * np.clip(lit - 0.12 * lit**4, 0, 1)) / top
        self.encode = np.rint(code * 255).astype(np.uint8)
        decode = np.rint(np.expm1(value * top) / ratio * 255).clip(0, 255).astype(np.uint8)
        self.decode = decode
        axis = (np.arange(camera.size) + 0.5) / camera.size * 2 - 1
        radius = 0.5 * (axis[:, None] ** 2 + axis[None, :] ** 2)
        vignette = np.rint(255 * (1 - camera.vignette * radius)).astype(np.uint8)
        self.vignette = cv2.merge([vignette] * 3)
        self._banks(camera.noise * self._B / top * 255, rng)

    def _banks(self, sigma: float, rng: np.random.Generator) -> None:
        side = self.camera.size + _NOISE_MARGIN
        self.more, self.less = [], []
        for _ in range(_NOISE_BANKS):
            luma = rng.standard_normal((side, side, 1), dtype=np.float32)
            chroma = rng.standard_normal((side, side, 3), dtype=np.float32)
            noise = np.float32(sigma) * (np.float32(0.8) * luma + np.float32(0.6) * chroma)
            whole = np.rint(noise + rng.random(noise.shape, dtype=np.float32) - np.float32(0.5))
            self.more.append(np.clip(whole, 0, 120).astype(np.uint8))
            self.less.append(np.clip(-whole, 0, 120).astype(np.uint8))

    def expose(self, picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Photograph a [size, size, 3] picture; draws three integers."""
        size = self.camera.size
        bank = int(rng.integers(_NOISE_BANKS))
        row, column = (int(v) for v in rng.integers(0, _NOISE_MARGIN, 2))
        window = (slice(row, row + size), slice(column, column + size))
        out = cv2.multiply(picture, self.vignette, scale=1 / 255)
        out = cv2.LUT(out, self.encode)
        if self.camera.blur > 0.2:
            out = cv2.GaussianBlur(out, (5, 5), self.camera.blur)
        out = cv2.add(out, self.more[bank][window])
        out = cv2.subtract(out, self.less[bank][window])
        return np.asarray(cv2.LUT(out, self.decode), np.uint8)
