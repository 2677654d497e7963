"""Moving the lips of a face in a picture: where they are, where they shall be, and the warp between.

Everything is measured in the face's own frame (`generators.video.face_frame`). A column-wise, piecewise linear warp
along v moves upper lip, lower lip and chin by different amounts; nose, cheeks and what lies below the chin stay. Where
a mouth opens wider than it was, an open mouth of the same take shows through. A stretch along u makes it wider or
rounder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from generators.video.face_frame import FaceFrame, Floats, mouth_width, opening
from generators.video.inner_mouth import INNER_SHAPE, MouthBank
from generators.video.lip_lines import HALF_GRID, Knots, Spread, knots_of, moved_points

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmdfd.faces.tracks import FaceTrack

__all__ = ["FaceFrame", "MouthMover", "mouth_width", "opening"]

#: Columns and rows of the grid on which the warp is computed, per distance of the outer eye corners.
_GRID = 56
#: Growth of an opening over which the stored mouth fades in, and softness of its edge.
_FADE, _EDGE = 0.035, 0.012
#: Dark line of lips that were closed: its width and depth.
_LINE_WIDTH, _LINE_DEPTH = 0.010, 0.4
#: Changes of a width smaller than this are below a tenth of a pixel.
_SAME_WIDTH = 1e-3


class MouthMover:
    """Moves the lips in the pictures of one take.

    Args:
        frames: [T, H, W, 3] uint8.
        track: Points at every frame.
        candidates: Frames in which open mouths may be looked for.
        stored: Most inner mouths that are stored; with 1, the widest shows through whatever the opening is.
    """

    def __init__(self, frames: NDArray[np.uint8], track: FaceTrack, candidates: range, stored: int = 1) -> None:
        height, width = frames.shape[1:3]
        self.frames = frames
        self.pixels = track.points * np.array([width, height], np.float32)
        self.openings = opening(track, width / height)
        self.bank = MouthBank(frames, self.pixels, self.openings, candidates, stored)

    def move(self, index: int, target: float, width: float = 1.0) -> tuple[NDArray[np.uint8], Floats]:
        """Picture `index` with its mouth opened (or closed) to `target`.

        Args:
            index: Frame.
            target: Wanted opening in distances of the outer eye corners, >= 0.
            width: New width of the mouth divided by its own, about 0.8 to 1.2.

        Returns:
            The new picture, and all landmarks where they are now, [68, 2] pixels.
        """
        face = FaceFrame.of(self.pixels[index])
        n = 2 * round(_GRID * HALF_GRID)
        columns = face.mouth()[0] + np.linspace(-HALF_GRID, HALF_GRID, n, dtype=np.float32)
        knots = knots_of(face, columns, float(target - self.openings[index]))
        spread = Spread.of(face, columns, knots, width) if abs(width - 1) > _SAME_WIDTH else None
        top, bottom = float(knots.source[0].min()), float(knots.source[6].max())
        rows = np.linspace(top, bottom, max(round(_GRID * (bottom - top)), 2), dtype=np.float32)
        box = _box(face, columns, rows, self.frames.shape[1:3])
        view = _View.of(face, columns, rows, box, spread)
        fetch = _Fetch(self.frames[index], face, np.mgrid[box].astype(np.float32), view.sideways())
        upper, lower, seam = _shifts(knots, rows, view)
        warped = fetch(np.where(seam >= 0, lower, upper))
        grown = (knots.target[3] - knots.target[2]) - (knots.source[3] - knots.source[2])
        if float(grown.max()) > 0.2 * _FADE:
            image, alpha = self._cavity(knots, columns, rows, face.mouth(), grown, target)
            warped = _blend(warped, view.onto(image), view.onto(alpha))
        if float(grown.min()) < -0.2 * _FADE:  # the lips meet at a place where they did not: no stairs there
            share = np.clip(seam * np.float32(face.unit) + np.float32(0.5), 0, 1)
            warped = _blend(fetch(upper), fetch(lower), share)
            line = _closed_line(knots, grown)
            dark = np.exp(-0.5 * np.square(seam / np.float32(_LINE_WIDTH))) * view.onto(np.tile(line, (len(rows), 1)))
            warped = _blend(warped, np.zeros_like(warped), np.float32(_LINE_DEPTH) * dark)
        out = self.frames[index].copy()
        out[box] = warped
        return out, moved_points(face, columns, knots, spread)

    def _cavity(
        self, knots: Knots, columns: Floats, rows: Floats, mouth: tuple[float, float], grown: Floats, target: float
    ) -> tuple[Floats, Floats]:
        """The stored inner mouth on the grid, hung from the upper lip, and its opacity."""
        inner, (middle, half) = self.bank.at(target), mouth
        top, gap = knots.target[2], knots.target[3] - knots.target[2]
        across = (columns - middle) / half
        n_rows, n_columns = INNER_SHAPE
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
class _Fetch:
    """Colours of one picture at shifted places.

    Args:
        frame: [H, W, 3] the picture.
        face: Its face's frame.
        grid: [2, h, w] rows and columns of the pixels that are made.
        sideways: [h, w] shift along u in eye distances, or None for none.
    """

    frame: NDArray[np.uint8]
    face: FaceFrame
    grid: Floats
    sideways: Floats | None

    def __call__(self, shift: Floats) -> NDArray[np.uint8]:
        """Colours at `shift` eye distances below the pixels of the grid, [h, w, 3]."""
        face = self.face
        xs, ys = (self.grid[1 - axis] + shift * (face.down[axis] * face.unit) for axis in (0, 1))
        if self.sideways is not None:
            xs, ys = (place + self.sideways * (face.right[axis] * face.unit) for axis, place in enumerate((xs, ys)))
        found = cv2.remap(self.frame, xs, ys, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(found, np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """The pixels that a grid covers, the affine map [2, 3] from them to the grid, and a stretch along its columns.

    `across` and `along` are the places [rows, columns] in a field of the unstretched grid that each cell shows, or
    None without a stretch; `aside` is by how much that moves them, in eye distances.
    """

    to_grid: NDArray[np.float64]
    size: tuple[int, int]
    across: Floats | None = None
    along: Floats | None = None
    aside: Floats | None = None

    @classmethod
    def of(
        cls, face: FaceFrame, columns: Floats, rows: Floats, box: tuple[slice, slice], spread: Spread | None
    ) -> _View:
        ys, xs = box
        du = (len(columns) - 1) / float(columns[-1] - columns[0]) / face.unit
        dv = (len(rows) - 1) / float(rows[-1] - rows[0]) / face.unit
        linear = np.stack([face.right * du, face.down * dv]).astype(np.float64)
        first = np.array([float(columns[0]) * du, float(rows[0]) * dv]) * face.unit
        corner = np.array([xs.start, ys.start], np.float64) - face.origin
        to_grid = np.column_stack([linear, linear @ corner - first])
        size = (xs.stop - xs.start, ys.stop - ys.start)
        if spread is None:
            return cls(to_grid, size)
        aside = spread.before(columns[None, :], rows[:, None]) - columns[None, :]
        along, across = np.mgrid[: len(rows), : len(columns)].astype(np.float32)
        return cls(to_grid, size, across + aside * np.float32(du * face.unit), along, aside)

    def onto(self, field: Floats) -> Floats:
        """A field of the grid as pixels; 0 outside."""
        if self.across is not None and self.along is not None:
            stretched = cv2.remap(field, self.across, self.along, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            return self._as_pixels(np.asarray(stretched, np.float32))
        return self._as_pixels(field)

    def sideways(self) -> Floats | None:
        """The stretch as pixels [h, w], in eye distances."""
        return None if self.aside is None else self._as_pixels(self.aside)

    def _as_pixels(self, field: Floats) -> Floats:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(field, self.to_grid, self.size, flags=flags), np.float32)


def _blend(under: NDArray[np.uint8], over: NDArray[Any], alpha: Floats) -> NDArray[np.uint8]:
    mixed = under + alpha[..., None] * (over.astype(np.float32) - under)
    return np.asarray(np.rint(mixed).clip(0, 255), np.uint8)


def _closed_line(knots: Knots, grown: Floats) -> Floats:
    """How much of a closed mouth's dark line each column needs, 0 to 1."""
    closed = np.clip(1 - (knots.target[3] - knots.target[2]) / _FADE, 0, 1)
    return np.asarray(closed * np.clip(-grown / _FADE, 0, 1), np.float32)


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
    place = face.place(corners[:, 0], corners[:, 1])
    low = np.clip(np.floor(place.min(axis=0)).astype(int) - 1, 0, None)
    high = np.ceil(place.max(axis=0)).astype(int) + 2
    x0, x1 = int(min(low[0], shape[1] - 2)), int(np.clip(high[0], 2, shape[1]))
    y0, y1 = int(min(low[1], shape[0] - 2)), int(np.clip(high[1], 2, shape[0]))
    return slice(y0, max(y1, y0 + 1)), slice(x0, max(x1, x0 + 1))
