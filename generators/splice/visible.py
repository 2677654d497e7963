"""Which part of a face is seen: triangles that face the camera, and skin that nothing covers.

What the skin test can: a fringe, hair over a cheek, a hat's brim, a dark or coloured thing that reaches into the face
from outside, above the nose's base. What it cannot: hands and other skin, glasses' rims that lie wholly inside the
face, and anything over mouth and chin, where a beard looks the same as a microphone; those are pasted over. Where more
than a third of the face would be left out, the light is odd or the skin model is wrong, and the test is not used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from generators.video.mesh_face import FaceState, smoothed
from generators.video.mesh_swap import Colours, face_colours, mesh_points, to_lab
from generators.video.mesh_warp import Bytes, Floats, convex_mask, triangulate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from generators.splice.layers import Box

#: Distances from the skin's mean that no skin of one face in one light has: chroma (a, b) and lightness in Lab units,
#: or this many spreads of the lightness where that is more.
_CHROMA, _LIGHT, _SPREADS = 16.0, 26.0, 2.5
#: Softness of the test in pixels: single hairs and noise are no things before a face.
_SOFT = 1.5
#: Largest share of a face that may be left out.
_MOST = 0.34
#: Parts of a face that are not skin; they are never taken for things before it.
_PARTS = (range(17, 22), range(22, 27), range(36, 42), range(42, 48), range(48, 60), range(29, 36))
#: Room around these parts in eye distances.
_AROUND = 0.07
#: Colours and cover are smoothed over this many frames.
COLOUR_FRAMES, COVER_FRAMES = 5.0, 1.5


def steady(colours: Sequence[Colours]) -> list[Colours]:
    """Colours of frames in a row, smoothed over time, so that a transfer does not flicker."""
    table = np.array([[each.mean, each.spread] for each in colours])
    return [Colours(mean, spread) for mean, spread in smoothed(table, COLOUR_FRAMES).astype(np.float64)]


def colours_of(pictures: Bytes, pixels: Floats, indices: Sequence[int]) -> list[Colours]:
    """Steady skin colours of a face at some frames; a frame that is asked for twice is measured once."""
    found = {index: face_colours(pictures[index], pixels[index]) for index in sorted(set(indices))}
    return steady([found[index] for index in indices])


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """Triangles over a face's 78 points, and which way round each lies in a face seen from the front."""

    triangles: NDArray[np.int32]
    signs: NDArray[np.float64]

    @classmethod
    def of(cls, pixels: Floats) -> Mesh:
        """Over the mean of landmarks [T, 68, 2]."""
        points = mesh_points(np.asarray(FaceState.of(pixels).inside.mean(axis=0) * 100, np.float32))
        triangles = triangulate(points)
        return cls(triangles, np.sign(_areas(points, triangles)))

    def facing(self, pixels: Floats, box: Box) -> Bytes:
        """255 in the box where triangles face the camera; those of a side that is turned away are folded over.

        Lips open and close, so triangles between them have no side of their own: they always count.
        """
        points = mesh_points(pixels)
        turned = _areas(points, self.triangles) * self.signs <= 0
        turned &= ~(self.triangles[:, :, None] == np.arange(48, 68)).any(axis=2).all(axis=1)
        seen = convex_mask(points - box.corner, box.shape)
        if turned.any():
            folded = np.zeros(box.shape, np.uint8)
            corners = np.rint((points - box.corner)[self.triangles[turned]] * 16).astype(np.int32)
            for corner in corners:
                cv2.fillConvexPoly(folded, corner, (255,), cv2.LINE_8, 4)
            seen[cv2.dilate(folded, np.ones((3, 3), np.uint8)) > 0] = 0
        return seen


def _areas(points: Floats, triangles: NDArray[np.int32]) -> NDArray[np.float64]:
    a, b, c = (points[triangles[:, k]].astype(np.float64) for k in range(3))
    return np.asarray((b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0]))


def covered(image: Bytes, points: Floats, skin: Colours, hull: Bytes) -> Floats:
    """How much of every pixel is a thing before the face, 0 to 1; see the module for what it can.

    Args:
        image: [h, w, 3] the face's surroundings.
        points: [68, 2] its landmarks in this picture.
        skin: Its skin.
        hull: [h, w] not 0 where it is.
    """
    lab = to_lab(np.asarray(cv2.GaussianBlur(np.ascontiguousarray(image), (0, 0), _SOFT), np.uint8))
    apart = lab - skin.mean.astype(np.float32)
    chroma = np.hypot(apart[..., 1], apart[..., 2]) / np.float32(_CHROMA)
    light = np.abs(apart[..., 0]) / np.float32(max(_LIGHT, _SPREADS * float(skin.spread[0])))
    other = ((np.maximum(chroma, light) > 1) & (hull > 0)).astype(np.uint8)
    unit = float(FaceState.of(points[None]).unit[0])
    other[_not_skin(points, unit, hull.shape) > 0] = 0
    return _from_outside(other, hull, unit)


def _not_skin(points: Floats, unit: float, shape: tuple[int, ...]) -> Bytes:
    """Brows, eyes, nose and mouth, and all below the nose's base."""
    size = (shape[0], shape[1])
    kept = np.zeros(size, np.uint8)
    for part in _PARTS:
        kept |= convex_mask(points[list(part)], size)
    reach = max(round(_AROUND * unit), 1)
    kept = np.asarray(cv2.dilate(kept, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)), np.uint8)
    state = FaceState.of(points[None])
    down = np.array([-np.sin(state.roll[0]), np.cos(state.roll[0])], np.float32)
    ys, xs = np.indices(size, np.float32)
    kept[(xs - points[33, 0]) * down[0] + (ys - points[33, 1]) * down[1] > 0] = 255
    return kept


def _from_outside(other: Bytes, hull: Bytes, unit: float) -> Floats:
    """The connected parts that touch the hull's rim and are no specks, with a soft edge."""
    nothing = np.zeros(hull.shape, np.float32)
    area = int((hull > 0).sum())
    if not area or not other.any():
        return nothing
    rim = (hull > 0) & (cv2.erode(hull, np.ones((5, 5), np.uint8)) == 0)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(other, connectivity=8)
    touching = set(np.unique(labels[rim & (other > 0)]).tolist()) - {0}
    wanted = [k for k in range(1, count) if k in touching and stats[k, cv2.CC_STAT_AREA] > 0.004 * area]
    found = np.isin(labels, wanted)
    if found.sum() > _MOST * area:
        return nothing
    grown = cv2.dilate(found.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(grown, (0, 0), max(0.02 * unit, 0.8)), np.float32)
