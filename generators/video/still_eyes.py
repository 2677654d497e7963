"""Lids of a still that close: the skin above an eye is stretched down over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from generators.video.mesh_warp import Floats, fetch, mixed

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Landmarks of each eye: outer or inner corner on the image's left, upper lid, other corner; and lower lid.
_EYES = (((36, 37, 38, 39), (36, 41, 40, 39)), ((42, 43, 44, 45), (42, 47, 46, 45)))
#: Brow landmarks above each eye.
_BROWS = ((17, 18, 19, 20, 21), (22, 23, 24, 25, 26))
#: An eye whose gap is below this share of its width is closed already, or its landmarks do not tell.
MIN_GAP = 0.12
#: A closed upper lid reaches this share of the gap below the lower one's landmarks, which lie inside its rim.
_OVER = 0.12
#: Share of the way from lid to brow that is stretched: a lid folds out of its crease.
_SKIN = 0.6
#: Lids and lashes reach beyond the corners' landmarks by this share of the width.
_BESIDE = 0.12


class Lids:
    """The lids of one still.

    Args:
        pixels: [68, 2] landmarks.
    """

    def __init__(self, pixels: Floats) -> None:
        self.pixels = pixels
        self.eyes = [pair for pair in zip(_EYES, _BROWS, strict=True) if self._gap(pair[0]) >= MIN_GAP]

    def _gap(self, eye: tuple[tuple[int, ...], tuple[int, ...]]) -> float:
        upper, lower = self.pixels[list(eye[0])], self.pixels[list(eye[1])]
        _, down, width = _axes(upper)
        return float(((lower[1:3] - upper[1:3]) @ down).mean()) / width

    def closed(self, image: NDArray[np.uint8], points: Floats, share: float) -> tuple[NDArray[np.uint8], Floats]:
        """The picture and its landmarks [68, 2] with lids closed by `share` (0 to 1).

        Both must show the eyes where the still has them. The picture itself is returned where nothing moves.
        """
        if share < 0.02 or len(self.eyes) < 2:  # one eye that blinks alone looks wrong
            return image, points
        out, moved = image.copy(), points.copy()
        for (upper, lower), brow in self.eyes:
            self._close(out, (upper, lower, brow), share)
            for up, low in zip(upper[1:3], lower[1:3], strict=True):
                moved[up] += share * (points[low] - points[up])
        return out, moved

    def _close(
        self, out: NDArray[np.uint8], lines: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]], share: float
    ) -> None:
        """Close one eye in place: upper lid, lower lid and brow."""
        top, bottom, brows = (self.pixels[list(line)] for line in lines)
        along, down, width = _axes(top)
        box = _box(np.concatenate([top, bottom, brows]), _BESIDE * width + 2, out.shape)
        if box[0].stop - box[0].start < 4 or box[1].stop - box[1].start < 4:
            return
        ys, xs = np.indices((box[0].stop - box[0].start, box[1].stop - box[1].start), np.float32)
        grid = np.stack([xs + box[1].start, ys + box[0].start], axis=-1)
        # the eye's own frame: p from corner to corner, q downwards
        p, q = (grid - top[0]) @ along, (grid - top[0]) @ down
        lid, low = (_curve((line - top[0]) @ along, (line - top[0]) @ down, p) for line in (top, bottom))
        above = _held((brows - top[0]) @ along, (brows - top[0]) @ down, p)
        crease = lid - np.float32(_SKIN) * np.maximum(lid - above, 2.0)
        fall = np.maximum(low - lid, 0) * np.float32(share * (1 + _OVER))
        new = lid + fall
        stretched = crease + (q - crease) * ((lid - crease) / np.maximum(new - crease, 1e-3))
        source = np.where(q < crease, q, stretched).astype(np.float32)
        skin = fetch(out, (grid + (source - q)[..., None] * down).astype(np.float32))
        # half a pixel of softness, since a lid's edge is no stair
        alpha = np.clip(new - q + np.float32(0.5), 0, 1) * (fall > 0.05)
        alpha = cv2.GaussianBlur(alpha.astype(np.float32), (0, 0), 0.5)
        out[box] = mixed(out[box], skin, alpha)


def _axes(upper: Floats) -> tuple[Floats, Floats, float]:
    """Unit vectors along and down an eye, and its width in pixels."""
    line = upper[3] - upper[0]
    width = max(float(np.hypot(*line)), 1e-3)
    along = (line / np.float32(width)).astype(np.float32)
    return along, np.array([-along[1], along[0]], np.float32), width


def _box(points: Floats, margin: float, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Pixels around points, inside the picture."""
    low = np.clip(np.floor(points.min(axis=0) - margin).astype(int), 0, None)
    high = np.ceil(points.max(axis=0) + margin).astype(int) + 1
    return slice(int(low[1]), min(int(high[1]), shape[0])), slice(int(low[0]), min(int(high[0]), shape[1]))


def _curve(xs: Floats, ys: Floats, places: Floats) -> Floats:
    """Height of a lid's four landmarks at places: a smooth arc through them, held beyond the corners."""
    from scipy.interpolate import PchipInterpolator

    order = np.argsort(xs)
    knots = xs[order].astype(np.float64) + np.arange(len(xs)) * 1e-3
    return np.asarray(PchipInterpolator(knots, ys[order])(np.clip(places, knots[0], knots[-1])), np.float32)


def _held(xs: Floats, ys: Floats, places: Floats) -> Floats:
    """Height of a line of landmarks at places, held beyond its ends."""
    order = np.argsort(xs)
    return np.asarray(np.interp(places, xs[order], ys[order]), np.float32)
