"""The inside of open mouths of one take: what shows where a mouth opens wider than it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from generators.video.face_frame import FaceFrame, Floats
from generators.video.lip_lines import LOWER_INNER, UPPER_INNER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Rows and columns of a stored inner mouth.
INNER_SHAPE = (40, 64)
#: An inner mouth is worth storing from this opening on.
MIN_INNER = 0.05
#: Share of a stored gap that is left out at either lip, since landmarks lie on the lips' edge.
_INSET = 0.08
#: Stored mouths shall differ by this much in opening; closer ones show the same.
_STEP = 0.03


@dataclass(frozen=True, slots=True, eq=False)
class InnerMouth:
    """The inside of an open mouth: pixels over the mouth's width and down from the upper lip.

    Args:
        image: [rows, columns, 3] float32.
        depth: [columns] height of the gap that the rows span, in eye distances.
    """

    image: Floats
    depth: Floats


class MouthBank:
    """Stored inner mouths of one take, ordered by opening.

    Args:
        frames: [T, H, W, 3] uint8.
        pixels: [T, 68, 2] landmarks in pixels.
        openings: [T] openings.
        candidates: Frames in which open mouths may be looked for.
        size: Most mouths to store: the widest one, and others between it and `MIN_INNER`.
    """

    def __init__(
        self,
        frames: NDArray[np.uint8],
        pixels: Floats,
        openings: NDArray[np.float64],
        candidates: Sequence[int],
        size: int,
    ) -> None:
        chosen = _representatives(openings, candidates, size)
        self.openings = openings[chosen]
        self.mouths = [inner_mouth(frames[index], FaceFrame.of(pixels[index]), openings[index]) for index in chosen]

    def at(self, opening: float) -> InnerMouth:
        """The stored mouth for an opening: between two of them they are mixed, so that none jumps in."""
        place = float(np.interp(opening, self.openings, np.arange(len(self.openings))))
        low = min(int(place), max(len(self.mouths) - 2, 0))
        share = np.float32(place - low)
        first = self.mouths[low]
        if share <= 0:
            return first
        second = self.mouths[low + 1]
        image = first.image + share * (second.image - first.image)
        return InnerMouth(image, first.depth + share * (second.depth - first.depth))


def _representatives(openings: NDArray[np.float64], candidates: Sequence[int], size: int) -> list[int]:
    """Frames whose openings are evenly spread up to the widest, ascending."""
    widest = max(candidates, key=lambda index: float(openings[index]))
    top = float(openings[widest])
    chosen = [widest]
    for target in np.linspace(top, MIN_INNER, size)[1:]:
        if top < MIN_INNER:
            break
        best = min(candidates, key=lambda index: abs(float(openings[index]) - float(target)))
        if MIN_INNER <= openings[best] <= openings[chosen[-1]] - _STEP:
            chosen.append(best)
    return chosen[::-1]


def inner_mouth(frame: NDArray[np.uint8], face: FaceFrame, opening: float) -> InnerMouth:
    """Store the inside of the mouth of one picture [H, W, 3]; one that is as good as closed gives a shade."""
    rows, columns = INNER_SHAPE
    middle, half = face.mouth()
    if opening < MIN_INNER:
        return InnerMouth(_dark_mouth(frame, face), np.full(columns, 0.12, np.float32))
    u = middle + half * np.linspace(-1, 1, columns, dtype=np.float32)
    top, bottom = face.curve(UPPER_INNER, u), face.curve(LOWER_INNER, u)
    depth = np.maximum(bottom - top, 1e-3)
    share = np.linspace(_INSET, 1 - _INSET, rows, dtype=np.float32)[:, None]
    v = top + depth * share
    place = face.place(np.broadcast_to(u[None, :], v.shape), v)
    image = cv2.remap(frame, place[..., 0], place[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return InnerMouth(image.astype(np.float32), depth * np.float32(1 - 2 * _INSET))


def _dark_mouth(frame: NDArray[np.uint8], face: FaceFrame) -> Floats:
    """A mouth for takes that never open theirs: the lips' own colour in deep shade, darkest in the middle."""
    place = face.place(face.points[48:60, 0], face.points[48:60, 1])
    xs = np.clip(np.rint(place[:, 0]).astype(int), 0, frame.shape[1] - 1)
    ys = np.clip(np.rint(place[:, 1]).astype(int), 0, frame.shape[0] - 1)
    lips = np.median(frame[ys, xs].astype(np.float32), axis=0)
    rows, columns = INNER_SHAPE
    light = 0.22 + 0.25 * np.abs(np.linspace(-1, 1, rows, dtype=np.float32))[:, None] ** 2
    light = light * np.ones((1, columns), np.float32)
    return np.asarray(light[..., None] * lips, np.float32)
