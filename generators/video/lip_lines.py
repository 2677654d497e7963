"""Lines across the lower face, and where they go when a mouth opens, closes, narrows or spreads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from generators.video.face_frame import FaceFrame, Floats

#: Shares of an opening by which the parts follow it: both lips add up to 1, so that the target is met; the chin
#: follows the jaw with a little loss in the skin.
LOWER_LIP, UPPER_LIP, UPPER_LIP_OUTER, CHIN = 0.85, 0.15, 0.12, 0.7
#: Share by which the mouth's corners follow: .17 of an opening in talkers; in real clips .37 with the upper lip at
#: +.11, thus .26 below that lip, where it is .32 in talkers.
_CORNER = 0.15
#: Half width of the grid on which the warp is computed, in distances of the outer eye corners: to the cheeks.
HALF_GRID = 0.72
#: Half width of the chin's movement, and its fall below the chin, in distances of the outer eye corners.
_CHIN_REACH, _BELOW_CHIN = 0.30, 0.30
#: An opening is a flat arc: exponent of its profile over the mouth's width.
_ARC = 0.6
#: Share of a lip's thickness that is left of it where the arc of the opening is wider than its landmarks.
_LIP_LEFT = 0.4
UPPER_OUTER, LOWER_OUTER = range(48, 55), (48, 59, 58, 57, 56, 55, 54)
#: Inner edges from corner to corner of the outer lips: an open mouth is dark up to there.
UPPER_INNER, LOWER_INNER = (48, 61, 62, 63, 54), (48, 67, 66, 65, 54)
_JAW = range(3, 14)
_NOSE_BASE = range(31, 36)


@dataclass(frozen=True, slots=True, eq=False)
class Knots:
    """Lines across the lower face over the grid's columns, from the nose down; each [7, columns].

    Nose base, upper lip's outer and inner edge, lower lip's inner and outer edge, chin, end of the warp.
    """

    source: Floats
    target: Floats


def knots_of(face: FaceFrame, columns: Floats, change: float) -> Knots:
    """Lines before and after an opening changes by `change` eye distances."""
    middle, half = face.mouth()
    nose = np.full(len(columns), float(face.points[list(_NOSE_BASE), 1].max()), np.float32)
    chin = face.curve(_JAW, columns)
    lines = [nose, *_lip_lines(face, columns), chin, chin + np.float32(_BELOW_CHIN)]
    source = np.stack(lines)
    outer = np.float32(change) * _lip_arc(columns, middle, half)
    inner = outer
    if change < 0:  # in proportion, so that a mouth closes along all its width at once
        inner = np.maximum(source[3] - source[2], 0) * np.float32(max(change / max(face.gap(), 1e-3), -1.0))
    # the corners go along, else a mouth that closes would frown
    corner = np.float32(change * _CORNER) * _corner_share(columns, middle, half)
    chin_move = np.float32(change * CHIN) * _chin_arc(columns, float(face.points[8, 0]))
    still = np.zeros_like(outer)
    shares = [corner + move for move in (-UPPER_LIP_OUTER * outer, -UPPER_LIP * inner, LOWER_LIP * inner)]
    shares.append(corner + LOWER_LIP * outer)
    target = source + np.stack([still, *shares, chin_move, still]).astype(np.float32)
    target[4] = np.maximum(target[4], target[3] + _LIP_LEFT * (source[4] - source[3]))
    return Knots(_ordered(source), _ordered(target))


def _lip_lines(face: FaceFrame, columns: Floats) -> list[Floats]:
    """Upper lip's outer and inner, lower lip's inner and outer edge.

    Five landmarks along an inner edge are a polygon inside the true, rounder opening; it is filled up to an arc.
    """
    lines = [_rounded(face, line, columns) for line in (UPPER_OUTER, UPPER_INNER, LOWER_INNER, LOWER_OUTER)]
    top, upper, lower, bottom = lines
    middle, half = face.mouth()
    inner_half = abs(float(face.points[64, 0] - face.points[60, 0])) / 2
    arc = _lip_arc(columns, middle, (half + inner_half) / 2)
    missing = np.maximum(face.gap() * arc - (lower - upper), 0)
    upper = np.maximum(upper - UPPER_LIP * missing, np.minimum(upper, top + _LIP_LEFT * (upper - top)))
    lower = np.minimum(lower + LOWER_LIP * missing, np.maximum(lower, bottom - _LIP_LEFT * (bottom - lower)))
    return [np.asarray(line, np.float32) for line in (top, upper, lower, bottom)]


def _rounded(face: FaceFrame, indices: Sequence[int], columns: Floats) -> Floats:
    """A line of lip landmarks whose first and last pieces are bent as an ellipse's end is, not straight."""
    line = face.points[list(indices)]
    line = line[np.argsort(line[:, 0])]
    v = np.interp(columns, line[:, 0], line[:, 1])
    for end, inner in ((0, 1), (-1, -2)):
        share = (columns - line[end, 0]) / (line[inner, 0] - line[end, 0] or 1e-6)
        bent = line[end, 1] + (line[inner, 1] - line[end, 1]) * np.sqrt(np.clip(share, 0, 1))
        v = np.where((share > 0) & (share < 1), bent, v)
    return np.asarray(v, np.float32)


def _corner_share(columns: Floats, middle: float, half: float) -> Floats:
    """1 at the mouth's corners, 0 at its middle and at the cheeks."""
    away = np.abs(columns - middle)
    inside = 1 - _lip_arc(columns, middle, half)
    outside = np.clip((HALF_GRID - away) / (HALF_GRID - half), 0, 1)
    return np.asarray(np.where(away < half, inside, outside * outside * (3 - 2 * outside)), np.float32)


def _lip_arc(columns: Floats, middle: float, half: float) -> Floats:
    inside = np.clip(1 - ((columns - middle) / half) ** 2, 0, 1)
    return np.asarray(inside**_ARC, np.float32)


def _chin_arc(columns: Floats, middle: float) -> Floats:
    return np.asarray(np.exp(-0.5 * ((columns - middle) / _CHIN_REACH) ** 2), np.float32)


def _ordered(lines: Floats) -> Floats:
    """Lines that do not cross: each at least a hair below the one above."""
    step = np.arange(len(lines), dtype=np.float32)[:, None] * np.float32(1e-4)
    return np.asarray(np.maximum.accumulate(lines - step, axis=0) + step, np.float32)


@dataclass(frozen=True, slots=True)
class Spread:
    """A mouth that becomes wider or narrower: a stretch along u around its middle.

    The stretch is full between the lips' outer edges and fades out towards nose and chin; the cheeks take up what the
    mouth gives or needs, so that nothing moves at the grid's sides.

    Args:
        middle: U of the mouth's middle.
        half: Half width of the mouth before.
        factor: New width divided by the old one, > 0.
        heights: V of nose base, upper lip, lower lip and chin at the mouth's middle, after the opening has changed.
    """

    middle: float
    half: float
    factor: float
    heights: tuple[float, float, float, float]

    @classmethod
    def of(cls, face: FaceFrame, columns: Floats, knots: Knots, factor: float) -> Spread:
        """Stretch of the mouth of `face` whose lines move as `knots` say."""
        middle, half = face.mouth()
        nose, top, bottom, chin = (float(np.interp(middle, columns, knots.target[line])) for line in (0, 1, 4, 5))
        return cls(middle, half, factor, (nose, top, bottom, chin))

    def _half_after(self, v: Floats) -> Floats:
        strength = np.interp(v, self.heights, (0.0, 1.0, 1.0, 0.0))
        smooth = strength * strength * (3 - 2 * strength)
        return np.asarray(self.half * (1 + (self.factor - 1) * smooth), np.float32)

    def before(self, u: Floats, v: Floats) -> Floats:
        """U that is seen at `u` after the stretch; arrays that broadcast."""
        return self._map(u, self._half_after(v), np.float32(self.half))

    def after(self, u: Floats, v: Floats) -> Floats:
        """Where `u` goes; the inverse of `before`."""
        return self._map(u, np.float32(self.half), self._half_after(v))

    def _map(self, u: Floats, old: Floats | np.float32, new: Floats | np.float32) -> Floats:
        """Piecewise linear and monotone: middle, `old` to `new`, and the grid's side on itself."""
        away = u - np.float32(self.middle)
        size = np.abs(away)
        outside = new + (size - old) * (HALF_GRID - new) / (HALF_GRID - old)
        moved = np.where(size <= old, size * (new / old), np.where(size >= HALF_GRID, size, outside))
        return np.asarray(self.middle + np.sign(away) * moved, np.float32)


def moved_points(face: FaceFrame, columns: Floats, knots: Knots, spread: Spread | None) -> Floats:
    """All landmarks after the move, [68, 2] pixels."""
    moves = knots.target - knots.source
    u, v = face.points[:, 0].copy(), face.points[:, 1].copy()
    for line, indices in ((1, range(48, 55)), (4, range(55, 60)), (2, range(60, 65)), (3, range(65, 68)), (5, _JAW)):
        which = list(indices)
        v[which] += np.interp(u[which], columns, moves[line])
    if spread is not None:
        lips = slice(48, 68)  # the jaw's corners hardly follow a mouth's width
        u[lips] = spread.after(u[lips], v[lips])
    return face.place(u, v)
