"""Moving the lips of a face in a picture: where they are, where they shall be, and the warp between.

Everything is measured in the face's own frame: origin midway between the outer eye corners, u along the line through
them to the image's right, v towards the chin, one unit is their distance. A column-wise, piecewise linear warp along v
moves upper lip, lower lip and chin by different amounts; nose, cheeks and what lies below the chin stay. Where a mouth
opens wider than it was, an open mouth of the same take shows through.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cmdfd.faces.tracks import INNER_LIP_BOTTOM, INNER_LIP_TOP, OUTER_EYES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cmdfd.faces.tracks import FaceTrack

Floats = NDArray[np.float32]

#: Shares of an opening by which the parts follow it: both lips add up to 1, so that the target is met; the chin
#: follows the jaw with a little loss in the skin.
LOWER_LIP, UPPER_LIP, UPPER_LIP_OUTER, CHIN = 0.85, 0.15, 0.12, 0.7
#: Half width of the chin's movement, and its fall below the chin, in distances of the outer eye corners.
_CHIN_REACH, _BELOW_CHIN = 0.30, 0.30
#: An opening is a flat arc: exponent of its profile over the mouth's width.
_ARC = 0.6
#: Share of a lip's thickness that is left of it where the arc of the opening is wider than its landmarks.
_LIP_LEFT = 0.4
_UPPER_OUTER, _LOWER_OUTER = range(48, 55), (48, 59, 58, 57, 56, 55, 54)
_UPPER_INNER, _LOWER_INNER = (60, 61, 62, 63, 64), (60, 67, 66, 65, 64)
_JAW = range(3, 14)
_NOSE_BASE = range(31, 36)
#: Columns and rows of the grid on which the warp is computed, per distance of the outer eye corners.
_GRID = 56
#: Half width of that grid in the same unit: to the cheeks.
_HALF_GRID = 0.72
#: Rows and columns of a stored inner mouth.
_INNER_SHAPE = (40, 64)
#: An inner mouth is worth storing from this opening on.
_MIN_INNER = 0.05
#: Growth of an opening over which the stored mouth fades in, and softness of its edge.
_FADE, _EDGE = 0.035, 0.012
#: Dark line of lips that were closed: its width and depth.
_LINE_WIDTH, _LINE_DEPTH = 0.010, 0.4
#: Share of a stored gap that is left out at either lip, since landmarks lie on the lips' edge.
_INSET = 0.08


def opening(track: FaceTrack, aspect: float) -> NDArray[np.float64]:
    """Distance of the inner lips in distances of the outer eye corners; [T].

    Args:
        track: Points as fractions of the picture.
        aspect: Width of the picture divided by its height.
    """
    points = track.points.astype(np.float64) * (aspect, 1.0)
    gap = points[:, INNER_LIP_BOTTOM] - points[:, INNER_LIP_TOP]
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


@dataclass(frozen=True, slots=True, eq=False)
class Knots:
    """Lines across the lower face over the grid's columns, from the nose down; each [7, columns].

    Nose base, upper lip's outer and inner edge, lower lip's inner and outer edge, chin, end of the warp.
    """

    source: Floats
    target: Floats


@dataclass(frozen=True, slots=True, eq=False)
class InnerMouth:
    """The inside of an open mouth: pixels over the mouth's width and down from the upper lip.

    Args:
        image: [rows, columns, 3] float32.
        depth: [columns] height of the gap that the rows span, in eye distances.
    """

    image: Floats
    depth: Floats


class MouthMover:
    """Moves the lips in the pictures of one take.

    Args:
        frames: [T, H, W, 3] uint8.
        track: Points at every frame.
        candidates: Frames in which an open mouth may be looked for.
    """

    def __init__(self, frames: NDArray[np.uint8], track: FaceTrack, candidates: range) -> None:
        height, width = frames.shape[1:3]
        self.frames = frames
        self.pixels = track.points * np.array([width, height], np.float32)
        self.openings = opening(track, width / height)
        widest = max(candidates, key=lambda index: float(self.openings[index]))
        self.inner = self._inner_mouth(widest)

    def _inner_mouth(self, index: int) -> InnerMouth:
        face = FaceFrame.of(self.pixels[index])
        rows, columns = _INNER_SHAPE
        middle, half = _mouth(face)
        across = np.linspace(-1, 1, columns, dtype=np.float32)
        u = middle + half * across
        top, bottom = face.curve(_UPPER_INNER, u), face.curve(_LOWER_INNER, u)
        depth = np.maximum(bottom - top, 1e-3)
        if self.openings[index] < _MIN_INNER:
            return InnerMouth(_dark_mouth(self.frames[index], face), np.full(columns, 0.12, np.float32))
        share = np.linspace(_INSET, 1 - _INSET, rows, dtype=np.float32)[:, None]
        v = top + depth * share
        place = face.origin + face.unit * (u[None, :, None] * face.right + v[..., None] * face.down)
        image = cv2.remap(
            self.frames[index],
            place[..., 0].astype(np.float32),
            place[..., 1].astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return InnerMouth(image.astype(np.float32), depth * np.float32(1 - 2 * _INSET))

    def move(self, index: int, target: float) -> tuple[NDArray[np.uint8], Floats]:
        """Picture `index` with its mouth opened (or closed) to `target`.

        Args:
            index: Frame.
            target: Wanted opening in distances of the outer eye corners, >= 0.

        Returns:
            The new picture, and all landmarks where they are now, [68, 2] pixels.
        """
        face = FaceFrame.of(self.pixels[index])
        change = float(target - self.openings[index])
        middle, half = _mouth(face)
        n = 2 * round(_GRID * _HALF_GRID)
        columns = middle + np.linspace(-_HALF_GRID, _HALF_GRID, n, dtype=np.float32)
        knots = _knots(face, columns, change)
        top, bottom = float(knots.source[0].min()), float(knots.source[6].max())
        rows = np.linspace(top, bottom, max(round(_GRID * (bottom - top)), 2), dtype=np.float32)
        box = _box(face, columns, rows, self.frames.shape[1:3])
        view = _View.of(face, columns, rows, box)
        upper, lower, seam = _shifts(knots, rows, view)
        grid = np.mgrid[box].astype(np.float32)
        warped = self._fetch(index, face, grid, np.where(seam >= 0, lower, upper))
        grown = (knots.target[3] - knots.target[2]) - (knots.source[3] - knots.source[2])
        if float(grown.max()) > 0.2 * _FADE:
            image, alpha = self._cavity(knots, columns, rows, (middle, half), grown)
            warped = _blend(warped, view.onto(image), view.onto(alpha))
        if float(grown.min()) < -0.2 * _FADE:  # the lips meet at a place where they did not: no stairs there
            share = np.clip(seam * np.float32(face.unit) + np.float32(0.5), 0, 1)
            sides = [self._fetch(index, face, grid, side) for side in (upper, lower)]
            warped = _blend(sides[0], sides[1], share)
            line = _closed_line(knots, grown)
            dark = np.exp(-0.5 * np.square(seam / np.float32(_LINE_WIDTH))) * view.onto(np.tile(line, (len(rows), 1)))
            warped = _blend(warped, np.zeros_like(warped), np.float32(_LINE_DEPTH) * dark)
        out = self.frames[index].copy()
        out[box] = warped
        return out, _moved_points(face, columns, knots)

    def _fetch(self, index: int, face: FaceFrame, grid: Floats, shift: Floats) -> NDArray[np.uint8]:
        """Colours of picture `index` at `shift` eye distances below the pixels of `grid` [2, h, w]."""
        xs, ys = (grid[1 - axis] + shift * (face.down[axis] * face.unit) for axis in (0, 1))
        found = cv2.remap(self.frames[index], xs, ys, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(found, np.uint8)

    def _cavity(
        self, knots: Knots, columns: Floats, rows: Floats, mouth: tuple[float, float], grown: Floats
    ) -> tuple[Floats, Floats]:
        """The stored inner mouth on the grid, hung from the upper lip, and its opacity."""
        inner, (middle, half) = self.inner, mouth
        top, gap = knots.target[2], knots.target[3] - knots.target[2]
        across = (columns - middle) / half
        n_rows, n_columns = _INNER_SHAPE
        place = (across + 1) / 2 * (n_columns - 1)
        stored = np.interp(place, np.arange(n_columns), inner.depth).astype(np.float32)
        # A smaller gap shows the upper part: the upper teeth do not move with the jaw. A larger one is filled.
        pace = (n_rows - 1) / np.maximum(np.maximum(stored, gap), 1e-3)
        below = rows[:, None] - top[None, :]
        image = cv2.remap(
            inner.image,
            np.broadcast_to(place, below.shape).astype(np.float32),
            (below * pace).astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        alpha = np.clip(below / _EDGE, 0, 1) * np.clip((gap[None, :] - below) / _EDGE, 0, 1)
        return np.asarray(image, np.float32), np.asarray(alpha * np.clip(grown / _FADE, 0, 1), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """The pixels that a grid covers, and the affine map [2, 3] from them to the grid."""

    to_grid: NDArray[np.float64]
    size: tuple[int, int]

    @classmethod
    def of(cls, face: FaceFrame, columns: Floats, rows: Floats, box: tuple[slice, slice]) -> _View:
        ys, xs = box
        du = (len(columns) - 1) / float(columns[-1] - columns[0]) / face.unit
        dv = (len(rows) - 1) / float(rows[-1] - rows[0]) / face.unit
        linear = np.stack([face.right * du, face.down * dv]).astype(np.float64)
        first = np.array([float(columns[0]) * du, float(rows[0]) * dv]) * face.unit
        corner = np.array([xs.start, ys.start], np.float64) - face.origin
        return cls(np.column_stack([linear, linear @ corner - first]), (xs.stop - xs.start, ys.stop - ys.start))

    def onto(self, field: Floats) -> Floats:
        """A field of the grid as pixels; 0 outside."""
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(field, self.to_grid, self.size, flags=flags), np.float32)


def _blend(under: NDArray[np.uint8], over: NDArray[Any], alpha: Floats) -> NDArray[np.uint8]:
    mixed = under + alpha[..., None] * (over.astype(np.float32) - under)
    return np.asarray(np.rint(mixed).clip(0, 255), np.uint8)


def _closed_line(knots: Knots, grown: Floats) -> Floats:
    """How much of a closed mouth's dark line each column needs, 0 to 1."""
    closed = np.clip(1 - (knots.target[3] - knots.target[2]) / _FADE, 0, 1)
    return np.asarray(closed * np.clip(-grown / _FADE, 0, 1), np.float32)


def _mouth(face: FaceFrame) -> tuple[float, float]:
    """Middle and half width of the mouth."""
    left, right = float(face.points[48, 0]), float(face.points[54, 0])
    return (left + right) / 2, max(abs(right - left) / 2, 0.05)


def _dark_mouth(frame: NDArray[np.uint8], face: FaceFrame) -> Floats:
    """A mouth for takes that never open theirs: the lips' own colour in deep shade, darkest in the middle."""
    place = face.origin + face.unit * (face.points[48:60, :1] * face.right + face.points[48:60, 1:] * face.down)
    xs = np.clip(np.rint(place[:, 0]).astype(int), 0, frame.shape[1] - 1)
    ys = np.clip(np.rint(place[:, 1]).astype(int), 0, frame.shape[0] - 1)
    lips = np.median(frame[ys, xs].astype(np.float32), axis=0)
    rows, columns = _INNER_SHAPE
    light = 0.22 + 0.25 * np.abs(np.linspace(-1, 1, rows, dtype=np.float32))[:, None] ** 2
    light = light * np.ones((1, columns), np.float32)
    return np.asarray(light[..., None] * lips, np.float32)


def _lip_arc(columns: Floats, middle: float, half: float) -> Floats:
    inside = np.clip(1 - ((columns - middle) / half) ** 2, 0, 1)
    return np.asarray(inside**_ARC, np.float32)


def _chin_arc(columns: Floats, middle: float) -> Floats:
    return np.asarray(np.exp(-0.5 * ((columns - middle) / _CHIN_REACH) ** 2), np.float32)


def _knots(face: FaceFrame, columns: Floats, change: float) -> Knots:
    middle, half = _mouth(face)
    nose = np.full(len(columns), float(face.points[list(_NOSE_BASE), 1].max()), np.float32)
    chin = face.curve(_JAW, columns)
    lines = [nose, *_lip_lines(face, columns), chin, chin + np.float32(_BELOW_CHIN)]
    source = np.stack(lines)
    outer = np.float32(change) * _lip_arc(columns, middle, half)
    inner = outer
    if change < 0:  # in proportion, so that a mouth closes along all its width at once
        own = max(float(face.points[INNER_LIP_BOTTOM, 1] - face.points[INNER_LIP_TOP, 1]), 1e-3)
        inner = np.maximum(source[3] - source[2], 0) * np.float32(max(change / own, -1.0))
    chin_move = np.float32(change * CHIN) * _chin_arc(columns, float(face.points[8, 0]))
    still = np.zeros_like(outer)
    shares = [-UPPER_LIP_OUTER * outer, -UPPER_LIP * inner, LOWER_LIP * inner, LOWER_LIP * outer]
    target = source + np.stack([still, *shares, chin_move, still]).astype(np.float32)
    target[4] = np.maximum(target[4], target[3] + _LIP_LEFT * (source[4] - source[3]))
    return Knots(_ordered(source), _ordered(target))


def _lip_lines(face: FaceFrame, columns: Floats) -> list[Floats]:
    """Upper lip's outer and inner, lower lip's inner and outer edge.

    Five landmarks along an inner edge are a polygon inside the true, rounder opening; it is filled up to an arc.
    """
    lines = [face.curve(line, columns) for line in (_UPPER_OUTER, _UPPER_INNER, _LOWER_INNER, _LOWER_OUTER)]
    top, upper, lower, bottom = lines
    middle, half = _mouth(face)
    inner_half = abs(float(face.points[64, 0] - face.points[60, 0])) / 2
    arc = _lip_arc(columns, middle, (half + inner_half) / 2)
    own = max(float(face.points[INNER_LIP_BOTTOM, 1] - face.points[INNER_LIP_TOP, 1]), 0.0)
    missing = np.maximum(own * arc - (lower - upper), 0)
    upper = np.maximum(upper - UPPER_LIP * missing, np.minimum(upper, top + _LIP_LEFT * (upper - top)))
    lower = np.minimum(lower + LOWER_LIP * missing, np.maximum(lower, bottom - _LIP_LEFT * (bottom - lower)))
    return [np.asarray(line, np.float32) for line in (top, upper, lower, bottom)]


def _ordered(lines: Floats) -> Floats:
    """Lines that do not cross: each at least a hair below the one above."""
    step = np.arange(len(lines), dtype=np.float32)[:, None] * np.float32(1e-4)
    return np.asarray(np.maximum.accumulate(lines - step, axis=0) + step, np.float32)


def _shifts(knots: Knots, rows: Floats, view: _View) -> tuple[Floats, Floats, Floats]:
    """Where each pixel of the new picture comes from.

    Returns:
        How far below it its colour is found in the old picture, as seen from above the lower lip's inner edge and
        from below it, and how far below that edge the pixel lies; all in eye distances.

    What lies above and below that edge is computed apart: where a gap closes, the two sides of the edge come from
    places far from each other, and nothing between them may show.
    """
    v = rows[:, None]
    source, target = knots.source, knots.target
    # Both go on straight beyond the edge, so that pixels beside it are interpolated from their own side alone.
    above, below = source[0] - v, source[3] - v + np.minimum(v - target[3], 0)
    for j in range(len(source) - 1):
        new, old = target[j + 1] - target[j], source[j + 1] - source[j]
        if j == 2:  # a gap that shrinks hides its lower part: the upper teeth do not move with the jaw
            above = above + np.maximum(v - target[2], 0) * np.minimum(old / new, 1)
        elif j < 2:
            above = above + np.clip(v - target[j], 0, new) * (old / new)
        else:
            below = below + np.clip(v - target[j], 0, new) * (old / new)
    below = np.where(v > target[6], 0, below)
    above = np.where(v < target[0], 0, above)
    seam = view.onto((v - target[3]).astype(np.float32))
    return view.onto(above.astype(np.float32)), view.onto(below.astype(np.float32)), seam


def _box(face: FaceFrame, columns: Floats, rows: Floats, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Pixels that the grid covers, inside the picture."""
    corners = np.array([[u, v] for u in (columns[0], columns[-1]) for v in (rows[0], rows[-1])], np.float32)
    place = face.origin + face.unit * (corners[:, :1] * face.right + corners[:, 1:] * face.down)
    low = np.clip(np.floor(place.min(axis=0)).astype(int) - 1, 0, None)
    high = np.ceil(place.max(axis=0)).astype(int) + 2
    x0, x1 = int(min(low[0], shape[1] - 2)), int(np.clip(high[0], 2, shape[1]))
    y0, y1 = int(min(low[1], shape[0] - 2)), int(np.clip(high[1], 2, shape[0]))
    return slice(y0, max(y1, y0 + 1)), slice(x0, max(x1, x0 + 1))


def _moved_points(face: FaceFrame, columns: Floats, knots: Knots) -> Floats:
    """All landmarks after the move, [68, 2] pixels."""
    moves = knots.target - knots.source
    u, v = face.points[:, 0], face.points[:, 1].copy()
    for line, indices in ((1, range(48, 55)), (4, range(55, 60)), (2, range(60, 65)), (3, range(65, 68)), (5, _JAW)):
        which = list(indices)
        v[which] += np.interp(u[which], columns, moves[line])
    across = u[:, None] * face.right + v[:, None] * face.down
    return np.asarray(face.origin + face.unit * across, np.float32)
