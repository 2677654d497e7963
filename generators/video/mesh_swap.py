"""The parts of a face swap: a mesh over two faces, colours brought together, and where the one replaces the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from generators.video.mesh_face import FaceState
from generators.video.mesh_warp import Bytes, Floats, convex_mask, fetch, soft, triangle_map, triangulate

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Points that are added above the brows, so that brows lie well inside: their lift in eye distances.
_FOREHEAD = 0.22
_BROWS = range(17, 27)
_INNER_LIPS = range(60, 68)
#: The hull of the exchange, shrunk towards its middle: the outline of the face stays the target's.
_SHRINK = 0.97
#: Width of the soft edge inside of it, in eye distances.
_EDGE = 0.18
#: Softness in pixels of the edge between new lips and the old inner mouth.
_LIP_EDGE = 1.0
#: Bounds of the ratio of spreads in the transfer of lightness; wider ones look harsh or flat.
_RATIO = (0.80, 1.25)
_EYES = (range(36, 42), range(42, 48))


def mesh_points(pixels: Floats) -> Floats:
    """The 68 landmarks and ten points on the forehead above the brows; [78, 2]."""
    state = FaceState.of(pixels[None])
    up = np.array([np.sin(state.roll[0]), -np.cos(state.roll[0])], np.float32)
    above = pixels[list(_BROWS)] + up * np.float32(_FOREHEAD * state.unit[0])
    return np.concatenate([pixels, above]).astype(np.float32)


def face_triangles(pixels: Floats) -> NDArray[np.int32]:
    """Triangles over `mesh_points` of a usual face, without the inside of the mouth.

    Args:
        pixels: [T, 68, 2] landmarks; the mesh is laid over their mean in the face's own frame.
    """
    mean = FaceState.of(pixels).inside.mean(axis=0) * 100
    triangles = triangulate(mesh_points(np.asarray(mean, np.float32)))
    inner = np.isin(triangles, list(_INNER_LIPS)).all(axis=1)
    return np.ascontiguousarray(triangles[~inner])


@dataclass(frozen=True, slots=True, eq=False)
class Colours:
    """Mean and spread of the Lab channels of a face: [3] each."""

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]


def to_lab(image: Bytes) -> Floats:
    """RGB bytes as CIE Lab, float32 (L from 0 to 100)."""
    return np.asarray(cv2.cvtColor(image.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB), np.float32)


def to_rgb(lab: Floats) -> Bytes:
    """Back to RGB bytes."""
    rgb = cv2.cvtColor(np.asarray(lab, np.float32), cv2.COLOR_LAB2RGB) * np.float32(255)
    return np.asarray(np.rint(rgb).clip(0, 255), np.uint8)


def face_colours(image: Bytes, pixels: Floats) -> Colours:
    """Colours of the skin (hull without eyes and mouth) of a face with landmarks [68, 2]."""
    skin = hull(pixels, image.shape[:2])
    for part in (*_EYES, range(48, 60)):
        skin[convex_mask(pixels[list(part)], image.shape[:2]) > 0] = 0
    mean, spread = cv2.meanStdDev(to_lab(image), mask=skin)
    return Colours(np.asarray(mean[:, 0], np.float64), np.asarray(spread[:, 0], np.float64))


def recoloured(lab: Floats, source: Colours, target: Colours) -> Floats:
    """Colours of a face moved from `source` to `target`: means are met, spreads follow within bounds.

    Lightness as Reinhard et al. 2001. Chroma is never spread, which over-saturates lips; where the target has less of
    it, it is scaled down with its mean or its spread, so that a grey film gets no colour and eyes no blue shade.
    """
    spread = target.spread / np.maximum(source.spread, 1e-3)
    ratio = np.clip(spread, *_RATIO)
    for channel in (1, 2):
        mine, theirs = target.mean[channel], source.mean[channel]
        share = mine / theirs if mine * theirs > 0 else 0.0
        ratio[channel] = np.clip(max(share, spread[channel]), 0.0, 1.0)
    return np.asarray((lab - source.mean) * ratio + target.mean, np.float32)


def hull(pixels: Floats, shape: tuple[int, ...]) -> Bytes:
    """255 where faces are exchanged: the hull of the mesh, a little shrunk."""
    points = mesh_points(pixels)
    middle = points[:68].mean(axis=0)
    return convex_mask(middle + np.float32(_SHRINK) * (points - middle), (shape[0], shape[1]))


def opacity(pixels: Floats, shape: tuple[int, ...]) -> Floats:
    """Share [H, W] of the new face: 1 inside, soft at the rim, 0 in the mouth, which stays the target's own."""
    unit = float(FaceState.of(pixels[None]).unit[0])
    face = soft(hull(pixels, shape), _EDGE * unit)
    mouth = convex_mask(pixels[list(_INNER_LIPS)], (shape[0], shape[1])).astype(np.float32) / np.float32(255)
    return np.asarray(face * (1 - cv2.GaussianBlur(mouth, (0, 0), _LIP_EDGE)), np.float32)


def moved_face(
    image: Bytes, source: Floats, target: Floats, triangles: NDArray[np.int32], shape: tuple[int, int]
) -> Bytes:
    """The face of `image` with landmarks `source` where the landmarks `target` are, in a picture of `shape`."""
    place, _ = triangle_map(mesh_points(source), mesh_points(target), triangles, shape)
    return fetch(image, place)
