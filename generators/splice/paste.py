"""What pasting a face and pasting a mouth share: placing, colours, blend, track, and the null splice."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cmdfd.errors import JobError
from cmdfd.faces.tracks import FaceTrack
from generators.splice.layers import Canvas, Made, drift, moved_picture, null_splice, poisson, window
from generators.splice.placing import Placing, face_of, place
from generators.splice.visible import colours_of
from generators.video.mesh_face import FaceState
from generators.video.mesh_swap import Colours, recoloured, to_lab, to_rgb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from generators.generator import GeneratorSpec, Job, Outcome, Take
    from generators.splice.layers import Box
    from generators.splice.params import FaceParams, MouthParams
    from generators.video.mesh_warp import Bytes, Floats

#: Pixels of the picture around a region that are looked at.
ROOM = 10
#: A region must keep this share of its place in the take, in the picture and on the donor's face.
_LEAST = 0.4


def eye_distance(pixels: Floats) -> float:
    """Pixels between the outer eye corners of landmarks [68, 2]."""
    return float(FaceState.of(pixels[None]).unit[0])


@dataclass(frozen=True, slots=True, eq=False)
class SkinColours:
    """Skin of the take and of the donor at each frame of the window."""

    mine: list[Colours]
    theirs: list[Colours]


class Paste(ABC):
    """What pasting a face and a mouth share."""

    spec: ClassVar[GeneratorSpec]
    donor_streams: ClassVar[tuple[str, ...]] = ("frames", "track")

    @abstractmethod
    def generate(self, job: Job) -> Outcome:
        """Forge one take."""

    @abstractmethod
    def _params(self, job: Job) -> FaceParams | MouthParams: ...

    @abstractmethod
    def _regions(self, job: Job, placing: Placing, frames: range, colours: SkinColours) -> list[tuple[Box, Floats]]:
        """Box and weight of the paste at every frame."""

    def sham(self, job: Job) -> Outcome:
        """The same regions, colour transfer and blend with the take's own picture, off by less than half a pixel.

        Raises:
            JobError: As `generate`.
        """
        return null_splice(job, self._made(job, null=True))

    def _donor(self, job: Job) -> Take:
        if job.donor is None:
            raise JobError("input_unsupported", self.spec.name, "there is no other face: name a donor")
        if job.donor is job.take or job.relation == "self":
            raise JobError("input_unsupported", self.spec.name, "the donor is the take itself: name another one")
        return job.donor

    def _made(self, job: Job, *, null: bool) -> Made:
        params, donor, take = self._params(job), self._donor(job), job.take
        frames = window(job, self.spec.name)
        placing = place(take, donor, frames, self.spec.name)
        colours = SkinColours(
            colours_of(take.frames, placing.ours, list(frames)),
            colours_of(donor.frames, placing.theirs, [int(k) for k in placing.source]),
        )
        regions = self._regions(job, placing, frames, colours)
        off = drift(job.rng, len(frames))
        canvas = Canvas.of(take)
        for rank, index in enumerate(frames):
            box, alpha = regions[rank]
            if null:
                own = np.column_stack([np.eye(2), off[rank]])
                over, theirs = moved_picture(take.frames[index], own, box), colours.mine[rank]
            else:
                source = donor.frames[int(placing.source[rank])]
                over, theirs = moved_picture(source, placing.affines[rank], box), colours.theirs[rank]
            lab = recoloured(to_lab(over), theirs, colours.mine[rank])
            under = np.ascontiguousarray(take.frames[index][box.slices])
            over = self._fitted(lab, under, alpha)
            if params.blend == "poisson":
                over = poisson(under, over, (alpha > 0).astype(np.uint8))
            shown = [placing.ours[index], placing.ours[index] if null else placing.lent(rank)]
            over = self._finished(over, under, alpha, [np.asarray(each - box.corner, np.float32) for each in shown])
            canvas.lay(index, box, over, alpha)
        details: Mapping[str, Any] = {"blend": params.blend, "donor_start": float(placing.source[0] / donor.fps)}
        track = None if null else self._track(take, placing, frames)
        return Made(canvas, frames, details, params.blend, track)

    def _fitted(self, lab: Floats, under: Bytes, alpha: Floats) -> Bytes:
        """The recoloured picture before it is blended."""
        del under, alpha
        return to_rgb(lab)

    def _finished(self, over: Bytes, under: Bytes, alpha: Floats, faces: Sequence[Floats]) -> Bytes:
        """The blended picture as it is laid; `faces` are the take's and the donor's landmarks in it."""
        del under, alpha, faces
        return over

    def _check_size(self, regions: list[tuple[Box, Floats]], whole: list[float]) -> None:
        left = float(np.median([float(alpha.sum()) for _, alpha in regions]) / max(float(np.median(whole)), 1.0))
        if left < _LEAST:
            detail = f"only {left:.0%} of the region lie in the picture and on the donor's face, {_LEAST:.0%} must"
            raise JobError("input_unsupported", self.spec.name, f"{detail}; use a donor of another size or pose")

    @abstractmethod
    def _moves(self) -> tuple[int, ...]:
        """Landmarks that are the donor's afterwards."""

    def _track(self, take: Take, placing: Placing, frames: range) -> FaceTrack:
        track = face_of(take, "take", None, self.spec.name)
        size = np.array([take.frames.shape[2], take.frames.shape[1]], np.float32)
        points, moved = track.points.copy(), list(self._moves())
        for rank, index in enumerate(frames):
            points[index, moved] = placing.lent(rank)[moved] / size
        return FaceTrack(track.times, points, track.found, track.backend)
