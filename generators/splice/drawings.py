"""Things that are drawn by rule: a badge, a poster, a cup, a ball. Each is a pure function of its seed."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from generators.video.mesh_warp import Bytes, Floats

    Colour = tuple[int, int, int]

_SIDE = 256
#: Height in the picture, 0 at its top, at which such a thing is usual.
HEIGHTS: Mapping[str, float] = {"badge": 0.86, "poster": 0.22, "cup": 0.85, "ball": 0.8}
_LETTERS = "ABCDEFGHKLMNPRSTUVXZ"


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """A thing in the middle of a square.

    Args:
        picture: [S, S, 3] uint8; its colours go on beyond its edge, so that none shines through a soft one.
        opacity: [S, S] uint8.
        outline: [K, 2] hull about the middle, in radii.
    """

    #: Radius as a share of the square's side: the rest is room for soft edges.
    SHARE: ClassVar[float] = 110 / 256
    picture: Bytes
    opacity: Bytes
    outline: Floats

    @property
    def radius(self) -> float:
        """In its own pixels."""
        return self.SHARE * len(self.opacity)

    @property
    def middle(self) -> float:
        """Of the square, in its own pixels: the same for x and y."""
        return (len(self.opacity) - 1) / 2


@lru_cache(maxsize=32)
def drawing(name: str, seed: int) -> Drawing:
    """The thing `name` as a seed has it.

    Args:
        name: One of `HEIGHTS`.
        seed: Of its colours and letters.
    """
    picture, opacity = DRAWINGS[name](np.random.default_rng(seed))
    picture.flags.writeable = opacity.flags.writeable = False
    return Drawing(picture, opacity, hull_of(opacity))


def hull_of(opacity: Bytes) -> Floats:
    """[K, 2] hull of what is seen in a square [S, S], about its middle, in radii of a `Drawing`."""
    contours, _ = cv2.findContours((opacity > 20).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = cv2.convexHull(np.concatenate(contours)).reshape(-1, 2).astype(np.float32)
    side = len(opacity)
    return np.asarray((hull - (side - 1) / 2) / (Drawing.SHARE * side), np.float32)


def _colour(
    rng: np.random.Generator, value: tuple[float, float], saturation: tuple[float, float] = (0.4, 0.75)
) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(rng.random(), rng.uniform(*saturation), rng.uniform(*value))
    return round(255 * red), round(255 * green), round(255 * blue)


def _bowed(picture: Bytes, least: float, most: float) -> Bytes:
    """Light from the upper left, falling off across the thing."""
    ys, xs = np.indices(picture.shape[:2]) / _SIDE
    light = most + (least - most) * np.clip(0.6 * xs + 0.4 * ys, 0, 1)
    return np.asarray(np.rint(picture * light[..., None]).clip(0, 255), np.uint8)


def _plain(colour: Colour) -> Bytes:
    return np.full((_SIDE, _SIDE, 3), colour, np.uint8)


def _letters(picture: Bytes, rng: np.random.Generator, middle: tuple[int, int], size: float, colour: Colour) -> None:
    text = "".join(_LETTERS[int(k)] for k in rng.integers(0, len(_LETTERS), 2))
    thick = max(round(4 * size), 1)
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, size, thick)
    at = (middle[0] - width // 2, middle[1] + height // 2)
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_DUPLEX, size, colour, thick, cv2.LINE_AA)


def _badge(rng: np.random.Generator) -> tuple[Bytes, Bytes]:
    dark, light = _colour(rng, (0.25, 0.5)), _colour(rng, (0.8, 0.98), (0.1, 0.35))
    picture, opacity = _plain(dark), np.zeros((_SIDE, _SIDE), np.uint8)
    cv2.circle(opacity, (128, 128), 108, (255,), -1, cv2.LINE_AA)
    cv2.circle(picture, (128, 128), 94, light, 7, cv2.LINE_AA)
    _letters(picture, rng, (128, 128), 3.0, light)
    return _bowed(picture, 0.8, 1.12), opacity


def _poster(rng: np.random.Generator) -> tuple[Bytes, Bytes]:
    paper, ink, spot = (_colour(rng, (0.8, 0.95), (0.05, 0.2)), _colour(rng, (0.2, 0.4)), _colour(rng, (0.5, 0.9)))
    picture, opacity = _plain(ink), np.zeros((_SIDE, _SIDE), np.uint8)
    cv2.rectangle(opacity, (52, 26), (204, 230), (255,), -1, cv2.LINE_AA)
    cv2.rectangle(picture, (62, 36), (194, 220), paper, -1, cv2.LINE_AA)
    cv2.circle(picture, (128, 92), 40, spot, -1, cv2.LINE_AA)
    for row in range(4):
        cv2.line(picture, (78, 152 + 16 * row), (78 + int(rng.integers(50, 102)), 152 + 16 * row), ink, 5, cv2.LINE_AA)
    return _bowed(picture, 0.92, 1.04), opacity


def _cup(rng: np.random.Generator) -> tuple[Bytes, Bytes]:
    body, band = _colour(rng, (0.5, 0.9)), _colour(rng, (0.75, 0.95), (0.05, 0.3))
    picture, opacity = _plain(body), np.zeros((_SIDE, _SIDE), np.uint8)
    cv2.ellipse(opacity, (186, 128), (42, 50), 0, 0, 360, (255,), 17, cv2.LINE_AA)
    sides = np.array([[48, 52], [188, 52], [172, 212], [64, 212]], np.int32)
    cv2.fillConvexPoly(opacity, sides, (255,), cv2.LINE_AA)
    cv2.ellipse(opacity, (118, 212), (54, 16), 0, 0, 360, (255,), -1, cv2.LINE_AA)
    cv2.ellipse(opacity, (118, 52), (70, 20), 0, 0, 360, (255,), -1, cv2.LINE_AA)
    cv2.rectangle(picture, (40, 112), (196, 150), band, -1, cv2.LINE_AA)
    across = 1.12 - 0.5 * np.abs((np.arange(_SIDE) - 100) / 110) ** 1.6
    picture = np.asarray(np.rint(picture * across[None, :, None]).clip(0, 255), np.uint8)
    cv2.ellipse(picture, (118, 52), (70, 20), 0, 0, 360, tuple(int(0.9 * c) for c in band), -1, cv2.LINE_AA)
    cv2.ellipse(picture, (118, 54), (62, 15), 0, 0, 360, (48, 30, 22), -1, cv2.LINE_AA)
    return picture, opacity


def _ball(rng: np.random.Generator) -> tuple[Bytes, Bytes]:
    one, other = _colour(rng, (0.55, 0.9)), _colour(rng, (0.75, 0.95), (0.05, 0.3))
    picture, opacity = _plain(one), np.zeros((_SIDE, _SIDE), np.uint8)
    cv2.circle(opacity, (128, 128), 106, (255,), -1, cv2.LINE_AA)
    tilt = float(rng.uniform(0, 180))
    cv2.ellipse(picture, (128, 128), (112, 30), tilt, 0, 360, other, 22, cv2.LINE_AA)
    ys, xs = (np.indices((_SIDE, _SIDE)) - 127.5) / 108
    height = np.sqrt(np.clip(1 - xs**2 - ys**2, 0, 1))
    light = 0.35 + 0.75 * np.clip(-0.45 * xs - 0.5 * ys + 0.74 * height, 0, 1)
    return np.asarray(np.rint(picture * light[..., None]).clip(0, 255), np.uint8), opacity


DRAWINGS: Mapping[str, Callable[[np.random.Generator], tuple[Bytes, Bytes]]] = {
    "badge": _badge, "poster": _poster, "cup": _cup, "ball": _ball,
}  # fmt: skip
