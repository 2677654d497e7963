"""Small image fields on the head canvas: grids, soft steps, bumps and noise. Everything is float32.

Face space: the origin lies between the eyes, slightly below; x to the image's right, y down; one unit is about half
the width of the face.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Field: TypeAlias = NDArray[np.float32]

#: Pixels of the head canvas per face unit: a little more than the camera's 51 to 61 at 224 pixels.
SCALE = 80
#: Face coordinates of the canvas's left and upper border.
LEFT, TOP = -1.9, -1.95
WIDTH, HEIGHT = 304, 344
#: The coarse canvas (depth for parallax, relighting) is this many times smaller.
COARSE = 4
COARSE_SCALE = SCALE / COARSE
COARSE_WIDTH, COARSE_HEIGHT = -(-WIDTH // COARSE), -(-HEIGHT // COARSE)


def _axis(start: float, count: int, scale: float) -> Field:
    return ((np.arange(count, dtype=np.float32) + np.float32(0.5)) / np.float32(scale) + np.float32(start)).astype(
        np.float32
    )


#: x of the columns and y of the rows, and |x|.
XS, YS = _axis(LEFT, WIDTH, SCALE), _axis(TOP, HEIGHT, SCALE)
ABS_XS = np.abs(XS)


def to_column(x: Any) -> Any:
    """Canvas column (pixel centres are integers) of a face x."""
    return (x - LEFT) * SCALE - 0.5


def to_row(y: Any) -> Any:
    """Canvas row (pixel centres are integers) of a face y."""
    return (y - TOP) * SCALE - 0.5


def step(distance: Any, width: float) -> Any:
    """Smooth step from 0 to 1 while `distance` goes from -width/2 to width/2."""
    t = np.minimum(np.maximum(distance * np.float32(1.0 / width) + np.float32(0.5), 0.0), 1.0)  # faster than clip
    return t * t * (np.float32(3.0) - np.float32(2.0) * t)


def bump(axis: Any, centre: float, sigma: float) -> Any:
    """Gaussian of height 1 along an axis."""
    t = (axis - np.float32(centre)) * np.float32(1.0 / sigma)
    return np.exp(np.float32(-0.5) * t * t)


def blob(cx: float, cy: float, sx: float, sy: float, *, both: bool = False) -> Field:
    """Separable gaussian on the canvas; `both` repeats it on the other side (cx counts in |x|)."""
    across = bump(ABS_XS if both else XS, cx, sx)
    return np.outer(bump(YS, cy, sy), across).astype(np.float32)


def blur(field: Field, sigma: float) -> Field:
    """Gaussian blur; sigma in face units."""
    return np.asarray(cv2.GaussianBlur(field, (0, 0), float(sigma * SCALE), borderType=cv2.BORDER_REPLICATE))


def ring(cx: float, cy: float, rx: float, ry: float, power: float = 2.0, *, both: bool = False) -> Field:
    """Signed distance, roughly in face units, outwards from a (super)ellipse; `both` as in `blob`."""
    x = np.abs((ABS_XS if both else XS) - np.float32(cx)) * np.float32(1 / rx)
    y = np.abs(YS - np.float32(cy)) * np.float32(1 / ry)
    radius = ((x**power)[None, :] + (y**power)[:, None]) ** np.float32(1 / power)
    return np.asarray((radius - 1) * np.float32(np.sqrt(rx * ry)), np.float32)


def resized(field: Field, size: tuple[int, int] = (WIDTH, HEIGHT), *, smooth: bool = False) -> Field:
    """Enlarge a field to `size` (columns, rows), linearly or, if `smooth`, bicubically."""
    return np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_CUBIC if smooth else cv2.INTER_LINEAR))


def shrunk(field: Field, size: tuple[int, int]) -> Field:
    """Reduce a field to `size` (columns, rows) by averaging."""
    return np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_AREA))


def fbm(rng: np.random.Generator, cells: int, octaves: int, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> Field:
    """Fractal noise of unit deviation: octaves of bicubic white noise, each half as strong as the one before.

    Args:
        rng: The texture's stream.
        cells: Cells across the width in the first octave.
        octaves: Number of octaves.
        shape: Rows and columns.
    """
    total = np.zeros(shape, np.float32)
    gain = 1.0
    for octave in range(octaves):
        n = min(cells * 2**octave, shape[1])
        rows = max(round(n * shape[0] / shape[1]), 2)
        noise = rng.standard_normal((rows, n), dtype=np.float32)
        total += np.float32(gain) * resized(noise, (shape[1], shape[0]), smooth=True)
        gain *= 0.5
    total -= total.mean()
    return np.asarray(total / np.float32(total.std() + 1e-6), np.float32)


def rgb(*values: float) -> Field:
    """A colour as a float32 vector."""
    return np.array(values, np.float32)


def mix(under: Field, over: Any, opacity: Any) -> Field:
    """Blend colours [H, W, 3] by an opacity [H, W]."""
    return np.asarray(under + (over - under) * opacity[..., None], np.float32)


def to_linear(colour: Any) -> Any:
    """Display values (0 to 1) to light."""
    return np.power(np.maximum(colour, 0.0), np.float32(2.2), dtype=np.float32)


def to_display(light: Any) -> Any:
    """Light to display values."""
    return np.power(np.maximum(light, 1e-6), np.float32(1 / 2.2), dtype=np.float32)
