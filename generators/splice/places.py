"""Where in a picture something can be put, taken from or taken away: off the face, inside the picture, by chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cmdfd.errors import JobError
from generators.splice.layers import Box
from generators.splice.motion import Motion, follow
from generators.video.mesh_face import FaceState, pixels_of
from generators.video.mesh_warp import Bytes, Floats, convex_mask, soft

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from generators.generator import Take

#: Places that are drawn, and how many of the best are followed until one stays inside the picture.
_DRAWN, _TRIED = 256, 6
#: Room around a face's hull, and where its forehead ends above the brows, in eye distances.
_AROUND, _FOREHEAD = 0.10, 0.45
#: Waves of a blob's outline and how far they go, as a share of its radius.
_WAVES, _WAVE = 4, 0.10
#: Pixels that a region keeps from the picture's border, and that are kept around it for the blend.
_BORDER, ROOM = 3, 6
_OUTLINE = 96
#: People are looked for in pictures of this shorter side, in so many of the window: what moves by more than so many
#: levels, and skin by Cr and Cb (Chai and Ngan 1999, widened for other light and skin) no further from it than this.
_SMALL, _LOOKS, _MOVES, _CR, _CB, _NEAR = 96, 9, 5.0, (136, 176), (77, 127), 7
#: A place is taken for one off people where no more than this share of it looks like them.
_OFF_PEOPLE = 0.04


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A region in its reference frame and how it moves.

    Args:
        centre: (x, y) in pixels of the reference frame.
        outline: [K, 2] its outline there.
        radius: Mean distance of outline and centre.
        motion: See there.
    """

    centre: Floats
    outline: Floats
    radius: float
    motion: Motion

    @property
    def box(self) -> Box:
        """Around the outline in the reference frame."""
        low, high = self.outline.min(axis=0), self.outline.max(axis=0)
        left, top = (int(v) for v in np.floor(low - ROOM))
        right, bottom = (int(v) for v in np.ceil(high + ROOM) + 1)
        return Box(left, top, right, bottom)

    def box_at(self, rank: int, shape: tuple[int, ...]) -> Box:
        """Around the outline in a frame of the window."""
        return Box.around(self.motion.at(rank, self.outline), ROOM, shape)

    def inside_at(self, rank: int, box: Box) -> Bytes:
        """255 inside the outline in a frame of the window, in a box."""
        return filled(self.motion.at(rank, self.outline) - box.corner, box.shape)

    def alpha_at(self, rank: int, box: Box, feather: float) -> Floats:
        """Weight in a frame of the window, soft over `feather` pixels."""
        return soft(self.inside_at(rank, box), feather)


def filled(outline: Floats, shape: tuple[int, int]) -> Bytes:
    """255 inside an outline [K, 2]."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.rint(outline * 16).astype(np.int32)], (255,), cv2.LINE_AA, 4)
    return mask


def blob(rng: np.random.Generator, radius: float) -> Floats:
    """[K, 2] a round outline with some waves, about the origin; no two are alike."""
    angle = np.linspace(0, 2 * np.pi, _OUTLINE, endpoint=False)
    stretch, tilt = rng.uniform(0.8, 1.25), rng.uniform(0, np.pi)
    reach = np.ones(_OUTLINE)
    for wave in range(2, 2 + _WAVES):
        reach += _WAVE / wave * 2 * rng.uniform(-1, 1) * np.cos(wave * angle + rng.uniform(0, 2 * np.pi))
    x, y = reach * np.cos(angle) * np.sqrt(stretch), reach * np.sin(angle) / np.sqrt(stretch)
    turned = np.stack([x * np.cos(tilt) - y * np.sin(tilt), x * np.sin(tilt) + y * np.cos(tilt)], axis=1)
    return np.asarray(radius * turned, np.float32)


def drawn_radius(rng: np.random.Generator, size: tuple[float, float], take: Take) -> float:
    """Radius in pixels of a region whose diameter is a share of the picture's shorter side."""
    return float(rng.uniform(*size)) * float(min(take.frames.shape[1:3])) / 2


def face_mask(take: Take, frames: range) -> Bytes | None:
    """[H, W] 255 wherever the face with its forehead comes in some frames; None without a face."""
    if take.track is None or not take.track.found.any():
        return None
    shape = (take.frames.shape[1], take.frames.shape[2])
    pixels = pixels_of(take.track, shape[1], shape[0])[frames.start : frames.stop]
    state = FaceState.of(pixels)
    unit = float(np.median(state.unit))
    up = np.stack([np.sin(state.roll), -np.cos(state.roll)], axis=1)[:, None]
    whole = np.concatenate([pixels, pixels[:, 17:27] + up * np.float32(_FOREHEAD * unit)], axis=1)
    mask = np.zeros(shape, np.uint8)
    for points in whole[::3]:
        mask |= convex_mask(np.asarray(points, np.float32), shape)
    reach = max(round(_AROUND * unit), 1)
    return np.asarray(cv2.dilate(mask, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)), np.uint8)


def people_map(frames: Bytes, window: range) -> Bytes:
    """[H, W] 255 where pictures look like people: moving, or of the colour of skin beside what moves.

    A guess for choosing places, no segmentation: where the camera moves, everything looks so.

    Args:
        frames: [T, H, W, 3].
        window: Frames that are looked at.
    """
    height, width = frames.shape[1:3]
    scale = min(_SMALL / min(height, width), 1.0)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    chosen = np.unique(np.linspace(window.start, window.stop - 1, _LOOKS).astype(int))
    small = np.stack([cv2.resize(frames[int(k)], size, interpolation=cv2.INTER_AREA) for k in chosen])
    _, cr, cb = cv2.split(np.asarray(cv2.cvtColor(small[len(small) // 2], cv2.COLOR_RGB2YCrCb), np.uint8))
    skin = (cr >= _CR[0]) & (cr <= _CR[1]) & (cb >= _CB[0]) & (cb <= _CB[1])
    moving = (small.astype(np.float32).std(axis=0).max(axis=-1) > _MOVES).astype(np.uint8)
    moving = cv2.medianBlur(moving, 3)  # specks are no people
    near = cv2.dilate(moving, np.ones((2 * _NEAR + 1, 2 * _NEAR + 1), np.uint8)) > 0
    found = ((moving > 0) | (skin & near)).astype(np.uint8) * np.uint8(255)
    # calm parts among moving ones are theirs, and they go on a little beyond what was found of them
    found = cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((_NEAR, _NEAR), np.uint8))
    rims, _ = cv2.findContours(found, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(found, rims, -1, (255,), -1)
    found = cv2.dilate(found, np.ones((5, 5), np.uint8))
    return np.asarray(cv2.resize(found, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """Looks for a region.

    Args:
        take: The take.
        frames: Frames in which it must stay inside the picture.
        reference: Frame in which it is placed.
        outline: [K, 2] its outline about the origin.
        generator: Who asks, for errors.
    """

    take: Take
    frames: range
    reference: int
    outline: Floats
    generator: str

    def centres(self, rng: np.random.Generator, face: bool = False) -> Floats:
        """[K, 2] places by chance at which the region lies in the picture and, unless `face`, off the face.

        First come those that look to be off people altogether (`people_map`): only one face is tracked, and others
        in the picture have faces, too.

        Raises:
            JobError: "input_unsupported" where there is no room.
        """
        low, high = self.outline.min(axis=0), self.outline.max(axis=0)
        size = np.array([self.take.frames.shape[2], self.take.frames.shape[1]], np.float32)
        first, last = _BORDER - low, size - 1 - _BORDER - high
        drawn = rng.random((_DRAWN, 2))
        if (last <= first).any():
            detail = f"a region of {high[0] - low[0]:.0f} x {high[1] - low[1]:.0f} pixels does not fit into the picture"
            raise JobError(
                "input_unsupported", self.generator, f"{detail} of {size[0]:.0f} x {size[1]:.0f}; lower size"
            )
        places = np.asarray(first + drawn * (last - first), np.float32)
        taken = None if face else face_mask(self.take, self.frames)
        if taken is not None:
            places = places[[not self._touches(taken, centre) for centre in places]]
        if not len(places):
            raise JobError("input_unsupported", self.generator, "there is no room beside the face; lower size")
        return places if face else places[np.argsort(~self.off_people(places), kind="stable")]

    def turns(self, places: Floats, n: int) -> list[Floats]:
        """Up to `n` places off people, then up to `n` others, for when nothing can be done with the first."""
        off = self.off_people(places)
        return [some[:n] for some in (places[off], places[~off]) if len(some)]

    def off_people(self, places: Floats) -> NDArray[np.bool_]:
        """[K] whether the region lies off all that looks like people."""
        people = people_map(self.take.frames, self.frames)
        shares = []
        for centre in places:
            patch, inside = self.cut(people, centre)
            shares.append(float(patch[inside > 127].mean()) / 255 if (inside > 127).any() else 0.0)
        return np.array(shares) <= _OFF_PEOPLE

    def _touches(self, taken: Bytes, centre: Floats) -> bool:
        patch, inside = self.cut(taken, centre)
        return bool(((patch > 0) & (inside > 0)).any())

    def best(self, places: Floats, score: Callable[[Floats], float], least: float, why: str) -> Region:
        """The place of the highest score whose region stays inside the picture.

        Args:
            places: [K, 2] centres.
            score: Says how good a centre is.
            least: Below it a place is no use.
            why: What such a place lacks, for the error.

        Raises:
            JobError: "output_identical" where no place is of use, "input_unsupported" where all leave the picture.
        """
        scores = [score(centre) for centre in places]
        order = np.argsort(-np.array(scores), kind="stable")[:_TRIED]
        useful = [int(k) for k in order if scores[int(k)] >= least]
        if not useful:
            raise JobError("output_identical", self.generator, f"{why} (best {max(scores):.2f}, {least:.2f} needed)")
        return self.first_inside([places[k] for k in useful])

    def first_inside(self, places: Sequence[Floats]) -> Region:
        """The first place whose region stays inside the picture while it moves.

        Raises:
            JobError: "input_unsupported" where none does.
        """
        size = np.array([self.take.frames.shape[2], self.take.frames.shape[1]], np.float32)
        radius = float(np.hypot(*self.outline.T).mean())
        for centre in places:
            motion = follow(self.take.frames, self.frames, self.reference, centre, 1.3 * radius)
            region = Region(centre, np.asarray(centre + self.outline, np.float32), radius, motion)
            paths = np.stack([motion.at(rank, region.outline) for rank in range(len(self.frames))])
            if not motion.lost and (paths >= 1).all() and (paths <= size - 2).all():
                return region
        detail = "every region that was tried would leave the picture, or was lost from sight"
        detail += "; lower size, or take a calmer recording"
        raise JobError("input_unsupported", self.generator, detail)

    def cut(self, image: Bytes, centre: Floats) -> tuple[Bytes, Bytes]:
        """A picture or mask around a centre and 255 inside the outline there."""
        box = Box.around(centre + self.outline, ROOM, image.shape)
        return image[box.slices], filled(centre + self.outline - box.corner, box.shape)


def ring_of(inside: Bytes, width: int = 4) -> Bytes:
    """Not 0 in the pixels around a region."""
    kernel = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    return np.asarray(cv2.dilate(inside, kernel), np.uint8) & ~inside


def seen_share(one: Bytes, other: Bytes, inside: Bytes, levels: int = 6) -> float:
    """Share of the pixels inside a region in which two pictures differ by more than some levels in a channel."""
    apart = np.abs(one.astype(np.int16) - other).max(axis=-1)
    where = inside > 127
    return float((apart[where] > levels).mean()) if where.any() else 0.0
