"""A layer to draw on: rectangles with soft or round edges, shadows and type, in pixels of the reference canvas."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from generators.splice.scenes.pools import Colour

#: Type is set this many times larger and averaged down: strokes of a fraction of a pixel become possible.
_OVER = 4
#: Bold type is type with a stroke around it, of this part of its size; Pillow's own font comes in one weight.
_BOLD = 0.022
_MIN_SIZE = 5.0
WHITE: Colour = (245, 246, 248)


class Area(NamedTuple):
    """A rectangle in pixels of the reference canvas: left, top, width, height."""

    x: float
    y: float
    width: float
    height: float

    def grown(self, by: float) -> Area:
        """Larger by so much on every side."""
        return Area(self.x - by, self.y - by, self.width + 2 * by, self.height + 2 * by)


@cache
def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _clean(text: str) -> str:
    """One line, without what no font shows."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


@lru_cache(maxsize=512)
def _set(text: str, size: float, bold: bool) -> NDArray[np.float32]:
    """Coverage [h, w] of a line, 0 to 1. Its height is that of the font, whatever the letters."""
    from PIL import Image, ImageDraw

    large = max(1, round(size * _OVER))
    stroke = max(1, round(size * _OVER * _BOLD)) if bold else 0
    font = _font(large)
    ascent, descent = font.getmetrics()
    width = int(font.getlength(text)) + 2 * stroke + 2
    shape = (width + (-width) % _OVER, ascent + descent + 2 * stroke)
    shape = (shape[0], shape[1] + (-shape[1]) % _OVER)
    image = Image.new("L", shape, 0)
    ImageDraw.Draw(image).text((stroke, stroke), text, fill=255, font=font, stroke_width=stroke)
    dense = np.asarray(image, np.float32) / 255
    small: NDArray[np.float32] = dense.reshape(shape[1] // _OVER, _OVER, shape[0] // _OVER, _OVER).mean(axis=(1, 3))
    small.setflags(write=False)
    return small


class Layer:
    """A picture with transparency over a canvas; everything is drawn over what is there.

    Args:
        width: Pixels of the canvas.
        height: Pixels of the canvas.
        unit: Pixels of the canvas for one of the reference canvas; everything given to the methods is in the latter.
    """

    def __init__(self, width: int, height: int, unit: float) -> None:
        self.unit = unit
        #: [H, W, 3] 0 to 255, already multiplied by `alpha`.
        self.colour = np.zeros((height, width, 3), np.float32)
        #: [H, W] 0 to 1.
        self.alpha = np.zeros((height, width), np.float32)

    def copy(self) -> Layer:
        """A layer of its own with the same picture."""
        other = Layer(0, 0, self.unit)
        other.colour, other.alpha = self.colour.copy(), self.alpha.copy()
        return other

    def put(self, cover: NDArray[np.float32], x: int, y: int, colour: Colour | NDArray[np.float32]) -> None:
        """Draw a colour through a coverage.

        Args:
            cover: [h, w] 0 to 1.
            x: Left, in pixels of the canvas; what lies outside is cut.
            y: Top.
            colour: One for all, or [h, w, 3].
        """
        height, width = self.alpha.shape
        left, top = max(x, 0), max(y, 0)
        right, bottom = min(x + cover.shape[1], width), min(y + cover.shape[0], height)
        if left >= right or top >= bottom:
            return
        inside = (slice(top - y, bottom - y), slice(left - x, right - x))
        part = cover[inside]
        ink = np.asarray(colour, np.float32)
        ink = ink[inside] if ink.ndim == 3 else ink
        here = (slice(top, bottom), slice(left, right))
        self.colour[here] = self.colour[here] * (1 - part[..., None]) + ink * part[..., None]
        self.alpha[here] = self.alpha[here] * (1 - part) + part

    def rect(
        self,
        area: Area,
        colour: Colour,
        *,
        to: Colour | None = None,
        radius: float = 0,
        opacity: float = 1,
        blur: float = 0,
    ) -> None:
        """A rectangle; straight sides fall on whole pixels.

        Args:
            area: Place.
            colour: Its colour, at the top where `to` is given.
            to: Colour at the bottom.
            radius: Of the corners.
            opacity: 0 to 1.
            blur: Width of a soft edge around it, for shadows.
        """
        u = self.unit
        x0, y0 = round(area.x * u), round(area.y * u)
        x1, y1 = round((area.x + area.width) * u), round((area.y + area.height) * u)
        pad = int(np.ceil(blur * u))
        width, height = x1 - x0 + 2 * pad, y1 - y0 + 2 * pad
        if width <= 0 or height <= 0:
            return
        cover = rounded(width, height, radius * u, pad, blur * u) * np.float32(opacity)
        ink: Colour | NDArray[np.float32] = colour
        if to is not None:
            ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
            ink = np.broadcast_to(np.array(colour, np.float32) * (1 - ramp) + np.array(to, np.float32) * ramp,
                                  (height, width, 3))  # fmt: skip
        self.put(cover, x0 - pad, y0 - pad, ink)

    def width_of(self, text: str, size: float, *, bold: bool = False) -> float:
        """Width of a line in pixels of the reference canvas."""
        return float(_set(_clean(text), max(size * self.unit, _MIN_SIZE), bold).shape[1] / self.unit)

    def fitted(self, text: str, size: float, limit: float, *, bold: bool = False) -> float:
        """The size at which a line is no wider than `limit`: `size` or less."""
        return size * min(1.0, limit / max(self.width_of(text, size, bold=bold), 1e-6))

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        colour: Colour,
        *,
        bold: bool = False,
        anchor: str = "left",
        limit: float | None = None,
        opacity: float = 1,
    ) -> float:
        """One line of type.

        Args:
            x: Its left, middle or right.
            y: The middle of its height.
            text: What it says; control characters become blanks.
            size: Of the type.
            colour: Of the type.
            bold: Heavier.
            anchor: What `x` means: "left", "middle" or "right".
            limit: Widest that it may be; the type gets smaller then.
            opacity: 0 to 1.

        Returns:
            Its width in pixels of the reference canvas.
        """
        if limit is not None:
            size = self.fitted(text, size, limit, bold=bold)
        cover = _set(_clean(text), max(size * self.unit, _MIN_SIZE), bold)
        shift = {"left": 0.0, "middle": cover.shape[1] / 2, "right": float(cover.shape[1])}[anchor]
        # the letters' own middle lies a little below that of the line
        top = round(y * self.unit - cover.shape[0] * 0.53)
        self.put(cover * np.float32(opacity), round(x * self.unit - shift), top, colour)
        return float(cover.shape[1] / self.unit)

    def outlined(self, x: float, y: float, text: str, size: float, colour: Colour, *, limit: float) -> None:
        """A bold line in the middle of `x` with a dark rim, readable on any picture."""
        size = self.fitted(text, size, limit, bold=True)
        rim = size * 0.055
        turns = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        for angle in turns:
            self.text(x + rim * float(np.cos(angle)), y + rim * float(np.sin(angle)), text, size, (10, 10, 12),
                      bold=True, anchor="middle")  # fmt: skip
        self.text(x, y, text, size, colour, bold=True, anchor="middle")

    def over(self, behind: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The layer over an opaque picture [H, W, 3] of 0 to 255."""
        mixed = self.colour + behind * (1 - self.alpha[..., None])
        return np.clip(mixed + 0.5, 0, 255).astype(np.uint8)


def rounded(width: int, height: int, radius: float, pad: int = 0, blur: float = 0) -> NDArray[np.float32]:
    """Coverage of a rectangle with round corners, by its signed distance.

    Args:
        width: Pixels of the answer.
        height: Pixels of the answer.
        radius: Of the corners, pixels.
        pad: The rectangle begins so many pixels inside the answer.
        blur: Width of its soft edge in pixels; 0 for one pixel.

    Returns:
        [height, width] float32, 0 to 1.
    """
    if not pad and radius <= 0 and not blur:
        return np.ones((height, width), np.float32)
    half = np.array([width, height], np.float32) / 2 - pad
    radius = min(radius, float(half.min()))
    xs = np.abs(np.arange(width, dtype=np.float32) + 0.5 - width / 2) - half[0] + radius
    ys = np.abs(np.arange(height, dtype=np.float32) + 0.5 - height / 2) - half[1] + radius
    outside = np.hypot(np.maximum(xs, 0)[None], np.maximum(ys, 0)[:, None])
    inside = np.minimum(np.maximum(xs[None], ys[:, None]), 0)
    distance = outside + inside - np.float32(radius)
    if not blur:
        edge: NDArray[np.float32] = np.clip(0.5 - distance, 0, 1).astype(np.float32)
        return edge
    ramp = np.clip(0.5 - distance / np.float32(2 * blur), 0, 1)
    smooth: NDArray[np.float32] = (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)
    return smooth


def wrapped(text: str, widest: int) -> Sequence[str]:
    """Break a text between words into lines of about `widest` letters."""
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + 1 + len(word) <= widest:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
