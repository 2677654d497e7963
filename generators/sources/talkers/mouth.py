"""The mouth of one frame: where the lips are, the warp that brings them there, and what shows between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from generators.sources.talkers import lips
from generators.sources.talkers.fields import (
    HEIGHT,
    SCALE,
    TOP,
    XS,
    YS,
    Field,
    step,
    to_column,
    to_row,
)  # fmt: skip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from generators.sources.talkers.identity import Identity, Shape

#: Beyond this |x| nothing moves with the jaw, face units.
REACH = 1.0
#: The warp ends this far below the chin.
_BELOW_CHIN = 0.34
#: Width of the zone above and below the lips that is pulled sideways with them.
_SIDE_FADE = 0.13
#: Lips that are pressed and bitten at once keep this share of their thickness.
_THINNEST = 0.3
#: Half width of the skin that is pulled sideways with them; the jaw's outline lies outside.
_PULLED = 0.62


@dataclass(frozen=True, slots=True)
class MouthPose:
    """Lip parameters of one frame (see `visemes.Viseme`)."""

    open: float = 0.0
    wide: float = 0.0
    press: float = 0.0
    bite: float = 0.0
    tongue: float = 0.0

    @property
    def rounded(self) -> float:
        """0 to 1."""
        return max(-self.wide, 0.0)

    @property
    def spread(self) -> float:
        """0 to 1."""
        return max(self.wide, 0.0)

    @property
    def jaw(self) -> float:
        """How far the jaw hangs, face units."""
        return 0.26 * self.open * (1.0 - 0.25 * self.rounded)

    @property
    def parting(self) -> float:
        """Share of the jaw's drop that parts the lips: pressed lips stay together."""
        return 1.0 - min(1.0, 1.5 * self.press)


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """The mouth's curves at chosen columns x, all [n] in face units.

    Args:
        source_x: Which x of the closed mouth is seen there.
        upper: Inner edge of the upper lip.
        lower: Inner edge of the lower lip.
        upper_scale: Thickness factor of the upper lip.
        lower_scale: Thickness factor of the lower lip.
    """

    source_x: Any
    upper: Any
    lower: Any
    upper_scale: float
    lower_scale: float


def mouth_width(shape: Shape, pose: MouthPose) -> float:
    """Half width of the mouth, face units."""
    return shape.mouth_w * (1.0 + 0.14 * pose.spread - 0.38 * pose.rounded - 0.05 * pose.open)


def pull(shape: Shape, pose: MouthPose, x: Any) -> Any:
    """Relative sideways displacement (source_x / x - 1) at the height of the lips; nothing beyond `_PULLED`."""
    t2 = (x * (1.0 / _PULLED)) ** 2
    share = np.maximum(1.0 - t2, 0.0)
    return (shape.mouth_w / mouth_width(shape, pose) - 1.0) * share * share


def curves(shape: Shape, pose: MouthPose, x: Any) -> Curves:
    """Where the lips are at columns `x` (face units)."""
    rounded = pose.rounded
    source_x = x * (1.0 + pull(shape, pose, x))
    # rounded lips touch at the sides: the opening is narrower than the mouth, and rounder
    t = source_x / (shape.mouth_w * (1.0 - 0.30 * rounded))
    profile = np.clip(1.0 - t * t, 0.0, 1.0) ** (0.60 - 0.12 * rounded)
    rise = (0.045 * pose.open + 0.012 * pose.spread + 0.035 * pose.bite) * pose.parting
    corner = 0.22 * pose.jaw * (1.0 - profile) * jaw_share(x)
    middle = lips.seam(shape, source_x) + corner + 0.30 * pose.jaw * (1.0 - pose.parting) * profile
    upper = middle - rise * profile
    lower = middle + pose.jaw * pose.parting * (1 - 0.6 * pose.bite) * profile
    return Curves(
        source_x,
        upper,
        lower,
        max(1.0 + 0.30 * rounded - 0.55 * pose.press - 0.15 * pose.spread * (1.0 - pose.open), _THINNEST),
        max(1.0 + 0.30 * rounded - 0.50 * pose.press - 0.55 * pose.bite - 0.10 * pose.open, _THINNEST),
    )


def jaw_share(x: Any) -> Any:
    """How much of the jaw's drop reaches |x|; smooth to 0 at `REACH`."""
    t = x / REACH
    t2 = t * t
    share = np.maximum(1.0 - t2 * t2, 0.0)
    return share * share


def knots(shape: Shape, pose: MouthPose, x: Any) -> tuple[Any, Any]:
    """Vertical warp at columns x: [7, n] heights in the closed picture and where they go, face units."""
    c = curves(shape, pose, x)
    middle = lips.seam(shape, c.source_x)
    above = 1.15 * lips.upper_lip(shape, c.source_x) + 0.012
    below = 1.15 * lips.lower_lip(shape, c.source_x) + 0.012
    fixed_top = np.full_like(x, shape.nose_y + 0.06)
    chin = np.full_like(x, shape.chin_y)
    end = np.full_like(x, shape.chin_y + 0.32)
    source = np.stack([fixed_top, middle - above, middle, middle, middle + below, chin, end])
    target = np.stack(
        [
            fixed_top,
            c.upper - above * c.upper_scale,
            c.upper,
            c.lower,
            c.lower + below * c.lower_scale,
            chin + 0.85 * pose.jaw * jaw_share(x),
            end,
        ]
    )
    return source, target


class MouthPainter:
    """Draws one person's mouth into the head layer.

    Args:
        person: Whose mouth.
        layer: [H, W, 4] the still head layer; only read.
    """

    def __init__(self, person: Identity, layer: NDArray[np.uint8]) -> None:
        s = person.shape
        self.shape = s
        self.left, self.right = int(to_column(-REACH)), int(to_column(REACH)) + 2
        self.top = int(to_row(s.nose_y + 0.05))
        self.bottom = min(int(to_row(s.chin_y + _BELOW_CHIN)) + 1, HEIGHT)
        self.x = XS[self.left : self.right].copy()
        self.y = YS[self.top : self.bottom, None].copy()
        self.still = np.ascontiguousarray(layer[self.top - 8 : self.bottom, self.left : self.right])
        self.column = (np.arange(self.right - self.left, dtype=np.float32))[None, :]
        self.offset_x = self.x[None, :] * np.float32(SCALE)
        self.light = 0.62 + 0.40 * person.light.ambient
        rng = np.random.default_rng([person.seed, 14])
        self.tooth = float(rng.uniform(0.066, 0.078))
        self.enamel = np.array([0.90, 0.86, 0.78], np.float32) * np.float32(rng.uniform(0.88, 1.0))
        self.flesh = np.array([0.66, 0.33, 0.31], np.float32)

    def draw(self, layer: NDArray[np.uint8], pose: MouthPose) -> None:
        """Paint the mouth of a frame into `layer` (a copy of the still layer)."""
        source, target = knots(self.shape, pose, self.x)
        warped = self._warp(pose, source.astype(np.float32), target.astype(np.float32))
        upper, lower = target[2].astype(np.float32), target[3].astype(np.float32)
        if float(np.max(lower - upper)) > 0.008:
            self._inside(warped, pose, upper, lower)
        layer[self.top : self.bottom, self.left : self.right] = warped

    def _warp(self, pose: MouthPose, source: Field, target: Field) -> NDArray[np.uint8]:
        y = self.y
        length = np.maximum(target[1:] - target[:-1], np.float32(1e-4))
        slope = (source[1:] - source[:-1]) / length
        slope[:, :] = np.where(target[1:] - target[:-1] > 1e-4, slope, 0.0)
        # identity above the first knot and below the last one, piecewise linear between
        rows = np.minimum(y, target[0])
        piece = np.empty_like(rows)
        for i in range(6):
            np.subtract(y, target[i], out=piece)
            np.maximum(piece, 0.0, out=piece)
            np.minimum(piece, length[i], out=piece)
            piece *= slope[i]
            rows += piece
        rows += np.maximum(y - target[6], 0.0)
        rows -= np.float32(TOP)
        rows *= np.float32(SCALE)
        rows -= np.float32(0.5 + self.top - 8)
        middle, half = self.shape.mouth_y + 0.4 * pose.jaw, 0.11 + 0.5 * pose.jaw
        away = np.maximum(np.abs(y - np.float32(middle)) - np.float32(half), 0.0) * np.float32(1 / _SIDE_FADE)
        fade = np.exp(np.float32(-0.5) * away * away)
        side = pull(self.shape, pose, self.x).astype(np.float32)
        columns = fade * (side * self.offset_x)
        columns += self.column
        return np.asarray(
            cv2.remap(self.still, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
        )

    def _inside(self, warped: NDArray[np.uint8], pose: MouthPose, upper: Field, lower: Field) -> None:
        """Paint teeth, tongue and the dark of the mouth between the lips."""
        width = mouth_width(self.shape, pose)
        columns = np.nonzero(lower - upper > 0.004)[0]
        if not len(columns):
            return
        c0, c1 = max(int(columns[0]) - 1, 0), int(columns[-1]) + 2
        first = int(to_row(float(upper[columns].min()))) - self.top - 1
        last = int(to_row(float(lower[columns].max()))) - self.top + 3
        y, x = self.y[first:last], self.x[None, c0:c1]
        up, low = upper[None, c0:c1], lower[None, c0:c1]
        colour = self._cavity(pose, x, y, up, low, width)
        cover = step(y - up - 0.004, 0.022) * step(low - y - 0.004, 0.022) * step(low - up - 0.010, 0.016)
        cover = (cover * np.float32(0.97))[..., None]
        box = warped[first:last, c0:c1, :3]
        mixed = box + (colour * np.float32(255) - box) * cover
        warped[first:last, c0:c1, :3] = np.clip(mixed + np.float32(0.5), 0, 255).astype(np.uint8)

    def _cavity(self, pose: MouthPose, x: Field, y: Field, up: Field, low: Field, width: float) -> Field:
        s, jaw = self.shape, pose.jaw
        seam = np.float32(s.mouth_y)
        across = np.clip(x * np.float32(1.0 / (1.02 * width)), -1, 1)
        colour = np.broadcast_to(np.array([0.115, 0.045, 0.045], np.float32), (y.size, x.size, 3))
        # tongue: rises with its parameter, a groove in the middle
        top = seam + np.float32(jaw * (0.66 - 0.42 * pose.tongue)) + np.float32(0.02) * across * across
        body = step(y - top, 0.05) * step(0.74 * width - np.abs(x), 0.10)
        groove = 1.0 - 0.22 * np.exp(-0.5 * (x * np.float32(1 / 0.018)) ** 2)
        height = 0.62 + 0.38 * np.clip((y - top) * np.float32(1 / max(0.45 * jaw, 0.03)), 0, 1)
        colour = colour + (self.flesh * (groove * height)[..., None] - colour) * body[..., None]
        # teeth: the upper row hangs from the skull, the lower one rides on the jaw
        phase = np.abs(np.mod(x * np.float32(1 / self.tooth) + 0.0, 1.0) - 0.5)
        gap = 1.0 - 0.30 * np.exp(-0.5 * ((0.5 - phase) * np.float32(1 / 0.07)) ** 2) * (phase > 0)
        edge = seam + np.float32(0.040) - np.float32(0.030) * across * across
        upper_row = step(edge - y, 0.020) * step(0.84 * width - np.abs(x), 0.09)
        rim = seam + np.float32(0.95 * jaw - 0.026) + np.float32(0.012) * across * across
        lower_row = step(y - rim, 0.020) * step(0.66 * width - np.abs(x), 0.08) * np.float32(0.80 - 0.5 * pose.tongue)
        enamel = self.enamel * gap[..., None]
        colour = colour + (0.80 * enamel - colour) * lower_row[..., None]
        colour = colour + (enamel - colour) * upper_row[..., None]
        shade = 0.42 + 0.58 * np.sqrt(1.0 - across * across)
        shade = shade * (0.66 + 0.34 * step(y - up - 0.035, 0.06))
        return np.asarray(colour * (shade * np.float32(self.light))[..., None], np.float32)
