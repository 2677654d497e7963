"""Mouth and chin of another take, pasted in and left as they speak."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from cmdfd.clip import Labels
from generators.generator import GeneratorSpec, Job, Outcome
from generators.splice.layers import Box, covered_box, forgery
from generators.splice.params import MouthParams
from generators.splice.paste import ROOM, Paste, SkinColours, eye_distance
from generators.video.mesh_face import FaceState
from generators.video.mesh_swap import to_lab, to_rgb
from generators.video.mesh_warp import Bytes, Floats, convex_mask, soft

if TYPE_CHECKING:
    from collections.abc import Sequence

    from generators.splice.placing import Placing

#: Most levels of Lab by which a mouth is brought to the light of its surroundings.
_MAX_OFFSET = 20.0
#: Levels of Lab by which two people's skin may differ from place to place; more is a beard, or another light.
_SKIN_MAY = (6.0, 4.0, 4.0)
#: Width of what counts as a place, a share of the region's longer side, and levels that keep a ratio of light finite.
_PLACE, _DARK = 0.12, 6.0
#: Bounds of that ratio, by which details follow the light: lips on darker skin are darker, not redder.
_RATIO = (0.4, 1.25)
#: How much redder and how much bluer than the skin around them lips may be, as shares of its lightness: colours that
#: were moved to another light leave lips that nobody has. Lips of 14 takes are .03 to .36 redder and up to .10 bluer.
_REDDER, _BLUER = 0.36, 0.10


class MouthSplice(Paste):
    """Paste the donor's mouth and chin on the take's.

    The donor is another take of the same person or a partner. As in `splice/face` the donor's pictures keep their
    order, so lips and sound do not belong together. The face stays the take's (`identity_mismatch` 0): a mouth is no
    identity. The region holds both mouths and both chins, so that neither shows twice.
    """

    spec = GeneratorSpec(
        name="splice/mouth",
        family="splice",
        summary="mouth and chin of another take pasted in; soft pixel mask",
        modalities=("video",),
        needs_donor=True,
        needs_face=True,
        known_cues=(
            "resampled lower face with the donor's noise",
            "light and shadows of another recording",
            "lips do not follow the sound",
        ),
        params=MouthParams().model_dump(),
        cost=0.08,
    )

    def generate(self, job: Job) -> Outcome:
        """Forge one take. Raises as `splice/face` does."""
        return forgery(job, self._made(job, null=False), Labels(1, 0, 1, 1, 0))

    def _params(self, job: Job) -> MouthParams:
        return MouthParams.read(job.params, self.spec.name)

    def _moves(self) -> tuple[int, ...]:
        return (*range(5, 12), *range(48, 68))

    def _regions(self, job: Job, placing: Placing, frames: range, colours: SkinColours) -> list[tuple[Box, Floats]]:
        del colours
        shape, donor = job.take.frames.shape[1:3], self._donor(job)
        regions, whole = [], []
        for rank, index in enumerate(frames):
            ours, lent = placing.ours[index], placing.lent(rank)
            corners = _mouth_corners(ours, lent)
            box = Box.around(corners, ROOM, shape)
            inside = convex_mask(corners - box.corner, box.shape)
            whole.append(float(cv2.contourArea(cv2.convexHull(corners))))
            inside[covered_box(donor.frames.shape[1:3], placing.affines[rank], box) < 255] = 0
            regions.append((box, soft(inside, self._params(job).feather * eye_distance(ours))))
        self._check_size(regions, whole)
        return regions

    def _fitted(self, lab: Floats, under: Bytes, alpha: Floats) -> Bytes:
        """As light and as coloured at the rim as its surroundings."""
        rim = (alpha > 0.04) & (alpha < 0.9)
        if rim.any():
            apart = np.median((to_lab(under) - lab)[rim], axis=0)
            lab = lab + np.clip(apart, -_MAX_OFFSET, _MAX_OFFSET).astype(np.float32)
        return to_rgb(lab)

    def _finished(self, over: Bytes, under: Bytes, alpha: Floats, faces: Sequence[Floats]) -> Bytes:
        """As light and as coloured inside as what it covers, but for lips and mouth."""
        lips = np.zeros(alpha.shape, np.uint8)
        for points in faces:
            lips |= convex_mask(points[48:60], alpha.shape)
        skin = ((alpha > 0.04) & (cv2.dilate(lips, np.ones((3, 3), np.uint8)) == 0)).astype(np.float32)
        return to_rgb(_evened(to_lab(over), to_lab(under), skin)) if skin.any() else over


def _evened(lab: Floats, below: Floats, skin: Floats) -> Floats:
    """A lower face without the places where it is much darker, lighter or of another colour than what it covers.

    Else the shadow of a beard, or its lack, stays as a patch: a blend meets the rim alone.

    Args:
        lab: [h, w, 3] what is laid.
        below: [h, w, 3] what it covers.
        skin: [h, w] 1 where both are skin or beard, 0 elsewhere.
    """
    mine, theirs = (_calm(each, skin) for each in (below, lab))
    apart, may = mine - theirs, np.array(_SKIN_MAY, np.float32)
    moved = theirs + apart - np.clip(apart, -may, may)
    ratio = (moved[..., :1] + np.float32(_DARK)) / (theirs[..., :1] + np.float32(_DARK))
    detail = np.asarray(np.clip(ratio, *_RATIO) * (lab - theirs), np.float32)
    light, red = np.maximum(moved[..., 0], 0), detail[..., 1] > 0
    detail[..., 1] = np.minimum(detail[..., 1], _REDDER * light)
    detail[..., 2] = np.where(red, np.maximum(detail[..., 2], -_BLUER * light), detail[..., 2])
    return np.asarray(moved + detail, np.float32)


def _calm(lab: Floats, where: Floats) -> Floats:
    """The mean colour around each pixel, of those pixels alone that count."""
    width = max(_PLACE * max(where.shape), 1.0)
    total = cv2.GaussianBlur(lab * where[..., None], (0, 0), width, borderType=cv2.BORDER_CONSTANT)
    weight = cv2.GaussianBlur(where, (0, 0), width, borderType=cv2.BORDER_CONSTANT)
    mean = (lab * where[..., None]).sum(axis=(0, 1)) / np.float32(max(float(where.sum()), 1e-6))
    share = np.float32(1e-3)  # far from everything that counts it is the mean of all of it
    return np.asarray((total + share * mean) / (weight + share)[..., None], np.float32)


def _mouth_corners(ours: Floats, lent: Floats) -> Floats:
    """Corners of a region below both noses that holds both mouths and both chins."""
    state = FaceState.of(ours[None])
    unit, roll = float(state.unit[0]), float(state.roll[0])
    down = np.array([-np.sin(roll), np.cos(roll)], np.float32)
    nose = max((ours[33], lent[33]), key=lambda point: float(point @ down))
    middle = ours[33]
    cheeks = [middle + np.float32(0.85) * (face[k] - middle) for face in (ours, lent) for k in (4, 5, 11, 12)]
    chins = [face[k] + down * np.float32(0.06 * unit) for face in (ours, lent) for k in range(6, 11)]
    across = np.array([np.cos(roll), np.sin(roll)], np.float32)
    top = [nose + down * np.float32(0.03 * unit) + across * np.float32(side * 0.22 * unit) for side in (-1, 1)]
    return np.asarray(np.stack([*cheeks, *chins, *top]), np.float32)
