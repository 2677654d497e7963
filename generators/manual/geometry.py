"""Where the original's picture lies in the edited one: an even or uneven scale and a shift, nothing else.

Shift and scale are found by phase correlation of edge strengths over a ladder of scales (Kuglin and Hines, 1975), and
refined by the enhanced correlation coefficient (Evangelidis and Psarakis, 2008; OpenCV's `findTransformECC`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Scales that are tried; a crop or shrink beyond them is another picture.
_SCALES = tuple(float(np.exp(step * np.log(1.5) / 16)) for step in range(-16, 17))
#: Least correlation of two pictures after alignment for it to count.
MIN_CORRELATION = 0.6
#: Rotation and shear (the affine matrix beside its diagonal) above this are no scale and shift.
_MAX_TURN = 0.006
#: A displacement below this share of the picture's width is left alone: a third of a pixel of 640.
NEGLIGIBLE = 0.0006
_PAIRS = 9


@dataclass(frozen=True, slots=True)
class View:
    """From fractions of the original's picture to fractions of the edited one: x * `sx` + `tx`, y * `sy` + `ty`."""

    sx: float = 1.0
    sy: float = 1.0
    tx: float = 0.0
    ty: float = 0.0

    @property
    def displacement(self) -> float:
        """Largest shift of a corner, as a share of the picture."""
        ends = ((self.tx, self.ty), (self.sx + self.tx - 1, self.sy + self.ty - 1))
        return max(abs(each) for pair in ends for each in pair)

    @property
    def shared(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of what both show, in fractions of the original."""
        left, right = max(0.0, -self.tx / self.sx), min(1.0, (1 - self.tx) / self.sx)
        top, bottom = max(0.0, -self.ty / self.sy), min(1.0, (1 - self.ty) / self.sy)
        return left, top, right, bottom

    def forward(self, rect: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """A rectangle of the original in fractions of the edited picture."""
        left, top, right, bottom = rect
        return (
            left * self.sx + self.tx,
            top * self.sy + self.ty,
            right * self.sx + self.tx,
            bottom * self.sy + self.ty,
        )


@dataclass(frozen=True, slots=True)
class Found:
    """A view, how well the pictures agree under it (correlation), and whether they are turned or sheared besides."""

    view: View
    correlation: float
    turned: bool = False


def cut_out(
    image: NDArray[np.uint8], rect: tuple[float, float, float, float], width: int, height: int
) -> NDArray[np.uint8]:
    """Cut a rectangle (fractions of the image) and scale it; outside the image it is black.

    Args:
        image: [H, W] or [H, W, 3] uint8.
        rect: Left, top, right, bottom.
        width: Wanted, pixels.
        height: Wanted, pixels.
    """
    high, wide = image.shape[:2]
    if max(abs(rect[0]), abs(rect[1]), abs(rect[2] - 1), abs(rect[3] - 1)) < 1e-9:
        if (wide, high) == (width, height):
            return image
        how = cv2.INTER_AREA if height < high else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(image, (width, height), interpolation=how), np.uint8)
    fx, fy = (rect[2] - rect[0]) * wide / width, (rect[3] - rect[1]) * high / height
    if max(fx, fy) > 1:  # the mean over the area first, since warpAffine samples points
        image = cv2.resize(
            image, (max(1, round(wide / max(fx, 1))), max(1, round(high / max(fy, 1)))), interpolation=cv2.INTER_AREA
        )  # type: ignore[assignment]
        high, wide = image.shape[:2]
        fx, fy = (rect[2] - rect[0]) * wide / width, (rect[3] - rect[1]) * high / height
    matrix = np.array([[fx, 0, rect[0] * wide + fx / 2 - 0.5], [0, fy, rect[1] * high + fy / 2 - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(image, matrix, (width, height), flags=flags), np.uint8)


def find_view(
    original: Sequence[NDArray[np.uint8]],
    edited: Sequence[NDArray[np.uint8]],
    keep: NDArray[np.bool_] | None,
    aspect: float,
) -> Found:
    """Find where the original lies in the edited picture.

    Args:
        original: Grey pictures [h, w] of one size.
        edited: Pictures of the same moments, each [h2, w2].
        keep: [h, w], False where a matte says that the original was changed; None for no matte.
        aspect: Width by height of the edited picture over that of the original, as displayed.

    Returns:
        The view under which the pictures agree best, the median over them.
    """
    chosen = np.unique(np.linspace(0, len(original) - 1, min(_PAIRS, len(original))).astype(int))
    pairs = [(original[k], edited[k]) for k in chosen]
    plain = View()
    start = _refined(pairs, plain, keep)
    if start is not None and start.correlation >= 0.9 and start.view.displacement < 0.05:
        return start
    coarse = _coarse(pairs, aspect)
    found = [one for one in (start, _refined(pairs, coarse, keep)) if one is not None]
    return max(found, key=lambda one: one.correlation, default=Found(plain, 0.0))


def _coarse(pairs: Sequence[tuple[NDArray[np.uint8], NDArray[np.uint8]]], aspect: float) -> View:
    """Best scale and shift by phase correlation; the scale in displayed pixels is even, `aspect` makes it uneven."""
    best, view = -1.0, View()
    for scale in _SCALES:
        # the edited picture shows the original `scale` times as large, as a share of its own height
        sx, sy = scale / aspect, scale
        responses, shifts = [], []
        for one, other in pairs[:: max(1, len(pairs) // 3)]:
            high, wide = one.shape
            window = np.asarray(cv2.createHanningWindow((wide, high), cv2.CV_32F), np.float32)
            centred = ((1 - sx) / 2, (1 - sy) / 2)
            rect = View(sx, sy, *centred).forward((0.0, 0.0, 1.0, 1.0))
            shown = cut_out(other, rect, wide, high)
            (dx, dy), response = cv2.phaseCorrelate(_edges(one), _edges(shown), window)
            responses.append(response)
            shifts.append((centred[0] + dx / wide * sx, centred[1] + dy / high * sy))
        if float(np.median(responses)) > best:
            best = float(np.median(responses))
            tx, ty = np.median(shifts, axis=0)
            view = View(sx, sy, float(tx), float(ty))
    return view


def _edges(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    smooth = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 1.0)
    return np.asarray(np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)), np.float32)


def _refined(
    pairs: Sequence[tuple[NDArray[np.uint8], NDArray[np.uint8]]], start: View, keep: NDArray[np.bool_] | None
) -> Found | None:
    """Refine a view on every pair and take the median; None where no pair converges."""
    matrices, agreements = [], []
    for one, other in pairs:
        high, wide = one.shape
        left, top, right, bottom = start.forward((0.0, 0.0, 1.0, 1.0))
        shown = cut_out(other, (left, top, right, bottom), wide, high)
        inside = np.full(one.shape, 255, np.uint8) if keep is None else keep.astype(np.uint8) * 255
        inside[~shared_rows(start, (high, wide))] = 0
        if not inside.any() or one.std() < 1 or shown.std() < 1:
            continue
        warp = np.eye(2, 3, dtype=np.float32)
        criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-5)
        try:
            agreement, warp = cv2.findTransformECC(one, shown, warp, cv2.MOTION_AFFINE, criteria, inside, 5)  # type: ignore[assignment]
        except cv2.error:
            continue
        matrices.append(warp / np.array([[1, wide / high, wide], [high / wide, 1, high]]))  # pixels to fractions
        agreements.append(float(agreement))
    if not matrices:
        return None
    middle = np.median(matrices, axis=0)
    wide_turn = float(max(abs(middle[0, 1]), abs(middle[1, 0])))
    sx, sy = float(middle[0, 0]), float(middle[1, 1])
    # from fractions of `one` to those of the part `shown`, and on to the edited picture
    view = View(
        sx * start.sx,
        sy * start.sy,
        float(middle[0, 2]) * start.sx + start.tx,
        float(middle[1, 2]) * start.sy + start.ty,
    )
    return Found(view, float(np.median(agreements)), wide_turn > _MAX_TURN)


def shared_rows(view: View, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """[h, w]: the pixels of the original that the edited picture reaches."""
    left, top, right, bottom = view.shared
    high, wide = shape
    ys, xs = (np.arange(high) + 0.5) / high, (np.arange(wide) + 0.5) / wide
    seen = ((ys >= top) & (ys <= bottom))[:, None] & ((xs >= left) & (xs <= right))[None]
    return np.asarray(seen, np.bool_)
