"""Pictures moved by triangles and by smooth fields, and points that move along with them.

All maps run backwards, as OpenCV wants them: for every pixel of the new picture, the place in the old one where its
colour is found.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

#: Fractional bits of vertices when triangles are drawn: a sixteenth of a pixel.
_BITS = 4
#: Triangles of less than this many square pixels (twice) have no stable affine map.
_MIN_AREA = 0.1
#: Steps of the fixed-point search of `carried`; a field of slope .6 has lost 99 % of its error after 9.
_STEPS = 10


def triangulate(points: Floats) -> NDArray[np.int32]:
    """Delaunay triangles [M, 3] over points [N, 2]."""
    from scipy.spatial import Delaunay

    return np.asarray(Delaunay(np.asarray(points, np.float64)).simplices, np.int32)


def affines(source: Floats, target: Floats, triangles: NDArray[np.int32]) -> tuple[Floats, NDArray[np.bool_]]:
    """Affine maps from each target triangle to its source triangle.

    Args:
        source: [N, 2] vertices in the old picture.
        target: [N, 2] vertices in the new picture.
        triangles: [M, 3] vertex indices.

    Returns:
        [M, 2, 3] maps and [M] whether the target triangle is large enough to have one.
    """
    new = np.concatenate([target[triangles], np.ones((len(triangles), 3, 1))], axis=2, dtype=np.float64)
    fit = np.abs(np.linalg.det(new)) > _MIN_AREA
    maps = np.zeros((len(triangles), 2, 3), np.float32)
    solved = np.linalg.solve(new[fit], source[triangles][fit].astype(np.float64))
    maps[fit] = solved.transpose(0, 2, 1)
    return maps, fit


def triangle_map(
    source: Floats, target: Floats, triangles: NDArray[np.int32], shape: tuple[int, int]
) -> tuple[Floats, Bytes]:
    """One backward map for a whole mesh.

    Triangle ids are drawn into a raster, later ones over earlier ones, and every pixel looks up its triangle's map.

    Args:
        source: [N, 2] vertices in the old picture, pixels.
        target: [N, 2] vertices in the new picture, pixels.
        triangles: [M, 3] vertex indices.
        shape: Height and width of the new picture.

    Returns:
        [H, W, 2] places in the old picture (a pixel's own place outside the mesh), and [H, W] 255 inside the mesh.
    """
    maps, fit = affines(source, target, triangles)
    raster = np.zeros(shape, np.int32)
    corners = np.rint(target[triangles] * (1 << _BITS)).astype(np.int32)
    for index in np.flatnonzero(fit):
        cv2.fillConvexPoly(raster, corners[index], int(index) + 1, cv2.LINE_8, _BITS)
    identity = np.array([[[1, 0, 0], [0, 1, 0]]], np.float32)
    table = np.concatenate([identity, maps])[raster]
    ys, xs = np.indices(shape, np.float32)
    place = table[..., 0] * xs[..., None] + table[..., 1] * ys[..., None] + table[..., 2]
    return np.asarray(place, np.float32), np.asarray((raster > 0) * 255, np.uint8)


def fetch(image: NDArray[np.uint8], place: Floats) -> Bytes:
    """Colours of `image` at `place` [H, W, 2], cubic; its border is repeated outside."""
    xs, ys = np.ascontiguousarray(place[..., 0]), np.ascontiguousarray(place[..., 1])
    return np.asarray(cv2.remap(image, xs, ys, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def convex_mask(points: Floats, shape: tuple[int, int]) -> Bytes:
    """255 inside the convex hull of points [N, 2]."""
    mask = np.zeros(shape, np.uint8)
    hull = cv2.convexHull(np.asarray(points, np.float32))
    cv2.fillConvexPoly(mask, np.rint(hull * (1 << _BITS)).astype(np.int32), (255,), cv2.LINE_AA, _BITS)
    return mask


def soft(mask: Bytes, width: float) -> Floats:
    """An opacity that rises smoothly from 0 at the rim of a mask to 1 at `width` pixels inside it."""
    inside = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 5)
    # distances count whole pixels; a little blur hides their steps, which would flicker as the mask moves
    calm = cv2.GaussianBlur(inside, (0, 0), 0.8) - np.float32(1)
    share = np.clip(calm / np.float32(max(width, 1.0)), 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


def mixed(under: Bytes, over: NDArray[np.uint8] | Floats, alpha: Floats) -> Bytes:
    """`over` upon `under` with the opacity [H, W]."""
    base = under.astype(np.float32)
    blend = base + alpha[..., None] * (over.astype(np.float32) - base)
    return np.asarray(np.rint(blend).clip(0, 255), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Similarity:
    """Rotation, scale and translation: `points @ linear.T + move`."""

    linear: Floats
    move: Floats

    def __call__(self, points: Floats) -> Floats:
        """Points [..., 2] where they come to lie."""
        return np.asarray(points @ self.linear.T + self.move, np.float32)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """[2, 3] as OpenCV wants it."""
        return np.column_stack([self.linear, self.move]).astype(np.float64)


def similarity(source: Floats, target: Floats) -> Similarity:
    """Least-squares similarity between two sets of points [N, 2] (Umeyama 1991, without reflection)."""
    old, new = source.mean(axis=0), target.mean(axis=0)
    a, b = (source - old).astype(np.float64), (target - new).astype(np.float64)
    power = max(float((a**2).sum()), 1e-12)
    cosine, sine = float((a * b).sum()) / power, float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / power
    linear = np.array([[cosine, -sine], [sine, cosine]], np.float32)
    return Similarity(linear, np.asarray(new - old @ linear.T, np.float32))


def carried(points: Floats, field: Floats, step: float) -> Floats:
    """Where points of the old picture lie in the new one, given the backward field.

    Args:
        points: [N, 2] pixels in the old picture.
        field: [rows, columns, 2] displacement "place in the old picture minus place in the new one" on a grid; its
            slopes must stay below 1.
        step: Pixels between the grid's nodes; node (0, 0) lies on pixel (0, 0).

    Returns:
        [N, 2] pixels y with y + field(y) = point.
    """
    place = np.asarray(points, np.float32)
    for _ in range(_STEPS):
        at = (place / np.float32(step)).reshape(-1, 1, 2)
        moved = cv2.remap(field, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        place = np.asarray(points - moved.reshape(-1, 2), np.float32)
    return place


def nodes(shape: tuple[int, int], step: int) -> Floats:
    """Pixel places [rows, columns, 2] of a grid that covers a picture of `shape`."""
    rows, columns = (-(-(side - 1) // step) + 1 for side in shape)
    ys, xs = np.indices((rows, columns), np.float32) * np.float32(step)
    return np.stack([xs, ys], axis=-1)


def spread(field: Floats, step: int, shape: tuple[int, int]) -> Floats:
    """A grid's field at every pixel: backward places [H, W, 2]."""
    scale = np.array([[1 / step, 0, 0], [0, 1 / step, 0]], np.float64)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    full = cv2.warpAffine(field, scale, (shape[1], shape[0]), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    ys, xs = np.indices(shape, np.float32)
    return np.asarray(full + np.stack([xs, ys], axis=-1), np.float32)
