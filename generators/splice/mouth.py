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
    from generators.splice.placing import Placing

#: Most levels of Lab by which a mouth is brought to the light of its surroundings.
_MAX_OFFSET = 20.0


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
            apart = np.median((to_lab(np.ascontiguousarray(under)) - lab)[rim], axis=0)
            lab = lab + np.clip(apart, -_MAX_OFFSET, _MAX_OFFSET).astype(np.float32)
        return to_rgb(lab)


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
