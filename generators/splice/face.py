"""A face of another take, pasted in as an editor does it: placed, coloured, blended, and left as it speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from cmdfd.clip import Labels
from generators.generator import GeneratorSpec, Job, Outcome
from generators.splice.layers import Box, covered_box, forgery, moved_picture
from generators.splice.params import FaceParams
from generators.splice.paste import ROOM, Paste, SkinColours, eye_distance
from generators.splice.visible import COVER_FRAMES, Mesh, covered
from generators.video.mesh_swap import hull
from generators.video.mesh_warp import Bytes, Floats, convex_mask, soft

if TYPE_CHECKING:
    from generators.splice.placing import Placing

#: The inner face: brows and nose, how much wider than they it is, and how far it reaches towards cheeks and chin.
_INNER, _WIDER, _CHEEKS, _REACH = range(17, 36), 1.06, range(3, 14), 0.78


class FaceSplice(Paste):
    """Paste the donor's face on the take's.

    Unlike `video/face_swap`, which bends the donor's texture to the take's expression, this lays the donor's pictures
    in their own order on the take's head: eyes, brows and lips do what they did in the donor's recording. So
    `sync_mismatch` is 1, and whether the voice belongs to the face is left to the build (`Job.relation`). The face is
    the donor's (`face_id`).

    The region is where both faces are, so that neither shows twice; triangles that are turned away from the camera
    and, with `occlusion: skin`, hair and things before the face are left out (`generators.splice.visible`). The mask
    is the weight of the blend. The track follows the new face, but for the outline.
    """

    spec = GeneratorSpec(
        name="splice/face",
        family="splice",
        summary="the donor's moving face pasted on the take's head; soft pixel mask",
        modalities=("video",),
        needs_donor=True,
        needs_face=True,
        known_cues=(
            "resampled face with the donor's noise",
            "outline, ears, hair and neck stay the take's",
            "light and shadows of another recording",
            "lips do not follow the sound",
        ),
        params=FaceParams().model_dump(),
        cost=0.25,
    )

    def generate(self, job: Job) -> Outcome:
        """Forge one take.

        Raises:
            JobError: "face_not_found" without both faces or where one is lost for long; "input_unsupported" without
                a donor, where the donor is the take itself, too short or too small, where heads are turned too
                differently or too far, where too little of the face is in the picture, or for a wrong parameter.
        """
        made = self._made(job, null=False)
        return forgery(job, made, Labels(1, 0, 1, 1, None), job.donor_face or None)

    def _params(self, job: Job) -> FaceParams:
        return FaceParams.read(job.params, self.spec.name)

    def _moves(self) -> tuple[int, ...]:
        return tuple(range(17, 68))

    def _regions(self, job: Job, placing: Placing, frames: range, colours: SkinColours) -> list[tuple[Box, Floats]]:
        params, take, donor = self._params(job), job.take, self._donor(job)
        mine, other = Mesh.of(placing.ours), Mesh.of(placing.theirs)
        shape, regions, covers, whole = take.frames.shape[1:3], [], [], []
        for rank, index in enumerate(frames):
            ours, lent = placing.ours[index], placing.lent(rank)
            box = Box.around(np.concatenate([ours, lent]), ROOM + 0.3 * eye_distance(ours), shape)
            faces = [_shrunk(points, params.region, box) for points in (ours, lent)]
            inside = np.minimum(*faces)
            whole.append(_area(ours, params.region))
            inside[(mine.facing(ours, box) == 0) | (other.facing(lent, box) == 0)] = 0
            inside[covered_box(donor.frames.shape[1:3], placing.affines[rank], box) < 255] = 0
            alpha = soft(inside, params.feather * eye_distance(ours))
            regions.append((box, alpha))
            if params.occlusion == "skin":
                covers.append(self._cover(job, placing, rank, index, colours, inside, box))
        if covers:
            regions = _uncovered(regions, covers)
        self._check_size(regions, whole)
        return regions

    def _cover(
        self, job: Job, placing: Placing, rank: int, index: int, colours: SkinColours, inside: Bytes, box: Box
    ) -> Floats:
        """What lies before the take's face, or came along before the donor's."""
        ours = placing.ours[index] - box.corner
        mine = covered(job.take.frames[index][box.slices], ours, colours.mine[rank], inside)
        seen = moved_picture(self._donor(job).frames[int(placing.source[rank])], placing.affines[rank], box)
        lent = covered(seen, placing.lent(rank) - box.corner, colours.theirs[rank], inside)
        return np.asarray(np.maximum(mine, lent), np.float32)


def _shrunk(pixels: Floats, region: str, box: Box) -> Bytes:
    """255 in the box where a face is pasted."""
    if region == "face":
        return hull(np.asarray(pixels - box.corner, np.float32), box.shape)
    return convex_mask(_inner(pixels) - box.corner, box.shape)


def _inner(pixels: Floats) -> Floats:
    points, nose = pixels[list(_INNER)], pixels[33]
    middle = points.mean(axis=0)
    upper = middle + np.float32(_WIDER) * (points - middle)
    return np.asarray(np.concatenate([upper, nose + np.float32(_REACH) * (pixels[list(_CHEEKS)] - nose)]), np.float32)


def _area(pixels: Floats, region: str) -> float:
    points = pixels if region == "face" else _inner(pixels)
    return float(cv2.contourArea(cv2.convexHull(np.asarray(points, np.float32))))


def _uncovered(regions: list[tuple[Box, Floats]], covers: list[Floats]) -> list[tuple[Box, Floats]]:
    """Weights without what lies before the face; each cover is averaged with its neighbours', so that it is calm."""
    calm = []
    reach = round(2 * COVER_FRAMES)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / COVER_FRAMES) ** 2)
    for rank, (box, alpha) in enumerate(regions):
        total, power = np.zeros(box.shape, np.float32), 0.0
        for step, weight in zip(range(-reach, reach + 1), weights.tolist(), strict=True):
            other = rank + step
            if not 0 <= other < len(regions):
                continue
            there = regions[other][0]
            shift = (there.corner - box.corner).astype(np.float64)
            move = np.array([[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]]])
            size = (box.shape[1], box.shape[0])
            total += np.float32(weight) * cv2.warpAffine(covers[other], move, size, flags=cv2.INTER_NEAREST)
            power += weight
        calm.append((box, np.asarray(alpha * (1 - np.clip(total / power, 0, 1)), np.float32)))
    return calm
