"""A piece of another recording in the picture, moving with what it lies on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cmdfd.errors import JobError
from generators.generator import GeneratorSpec
from generators.splice.copy_move import rim_difference, still_seen
from generators.splice.layers import Box, moved_picture
from generators.splice.params import RegionParams
from generators.splice.placed import Layer, Placed, Plan, lab_colours
from generators.splice.places import Search, blob, drawn_radius, filled, ring_of, seen_share
from generators.video.mesh_swap import recoloured, to_lab, to_rgb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from generators.generator import Job, Take
    from generators.video.mesh_warp import Bytes, Floats

#: Places tried in the take and in the donor; least and sufficient share of the region that must be seen to differ.
_TAKE_PLACES, _DONOR_PLACES, _LEAST, _ENOUGH = 16, 32, 0.5, 0.85
#: Price of unlike rims, per level, and pairs that are blended on trial.
_RIM, _BLENDED = 0.02, 48


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """A place in the take, one in the donor's picture, the map [2, 3] from there to here, and how good they are."""

    centre: Floats
    other: Floats
    affine: NDArray[np.float64]
    score: float


class RegionSplice(Placed):
    """Put a region of the donor's picture, off its face, into the take's.

    A round piece of clothing, hair or background plays on in its own time, its colours brought to those around its
    new place (Reinhard et al. 2001), its rim feathered or cloned (Poisson). Of the places drawn in both pictures those
    are taken whose contents differ and whose rims are alike.
    """

    spec = GeneratorSpec(
        name="splice/region",
        family="splice",
        summary="a moving piece of another recording put into the picture; soft pixel mask",
        modalities=("video",),
        needs_donor=True,
        known_cues=("the donor's noise and sharpness", "soft rim"),
        params=RegionParams().model_dump(),
        cost=0.14,
    )
    donor_streams: ClassVar[tuple[str, ...]] = ("frames", "track")

    def _plan(self, job: Job, frames: range) -> Plan:
        params, take, rng = RegionParams.read(job.params, self.spec.name), job.take, job.rng
        donor = self._donor(job, frames)
        scale = min(take.frames.shape[1:3]) / min(donor.frames.shape[1:3])
        outline = blob(rng, drawn_radius(rng, params.size, take))
        reference = frames[len(frames) // 2]
        search = Search(take, frames, reference, outline, self.spec.name)
        played = self._played(take, donor, frames)
        lent = Search(donor, range(len(donor.frames)), played[len(played) // 2], outline / scale, self.spec.name)
        places, others = search.centres(rng), lent.centres(rng)
        pieces: list[_Piece] = []
        for some in search.turns(places, _TAKE_PLACES):
            lending = np.concatenate(lent.turns(others, _DONOR_PLACES // 2))
            pieces = pieces or _useful(search, lent, some, lending, scale, params.blend)
        if not pieces:
            detail = "no piece of the donor would be seen: both pictures are too even beside the faces"
            raise JobError("output_identical", self.spec.name, detail)
        region = search.first_inside([each.centre for each in pieces])
        piece = next(each for each in pieces if (each.centre == region.centre).all())
        details = {
            "donor_place": [round(float(v), 2) for v in piece.other],
            "affine": [[round(float(v), 6) for v in row] for row in piece.affine],
            "donor_start": played[0] / donor.fps,
        }
        return Plan(region, params.blend, details)

    def _layers(self, job: Job, frames: range, plan: Plan) -> Iterator[Layer]:
        donor, take = self._donor(job, frames), job.take
        affine = np.vstack([np.array(plan.details["affine"]), [0, 0, 1]])
        for rank, (index, played) in enumerate(zip(frames, self._played(take, donor, frames), strict=True)):
            box = plan.region.box_at(rank, take.frames.shape[1:])
            over = moved_picture(donor.frames[played], plan.region.motion.maps[rank] @ affine, box)
            under = np.ascontiguousarray(take.frames[index][box.slices])
            yield Layer(
                box, _coloured(over, under, plan.region.inside_at(rank, box)), self._alpha(job, plan, rank, box)
            )

    def _alpha(self, job: Job, plan: Plan, rank: int, box: Box) -> Floats:
        width = RegionParams.read(job.params, self.spec.name).feather * 2 * plan.region.radius
        return plan.region.alpha_at(rank, box, width)

    def _donor(self, job: Job, frames: range) -> Take:
        donor = job.donor
        if donor is None:
            raise JobError("input_unsupported", self.spec.name, "there is no other recording: name a donor")
        if donor is job.take or job.relation == "self":
            detail = "the donor is the take itself: name another one, or use splice/copy_move"
            raise JobError("input_unsupported", self.spec.name, detail)
        needed = len(frames) / job.take.fps
        if donor.duration < needed - 1 / job.take.fps:
            detail = f"the donor shows {donor.duration:.2f} s, the clip needs {needed:.2f} s; use a longer one"
            raise JobError("input_unsupported", self.spec.name, detail)
        return donor

    def _played(self, take: Take, donor: Take, frames: range) -> list[int]:
        step = donor.fps / take.fps
        return [min(int(rank * step + 1e-6), len(donor.frames) - 1) for rank in range(len(frames))]


def _coloured(over: Bytes, under: Bytes, inside: Bytes) -> Bytes:
    """A piece with the colours of what lies around its new place."""
    ring = ring_of(inside)
    if not ring.any() or not inside.any():
        return over
    return to_rgb(recoloured(to_lab(over), lab_colours(over, ring), lab_colours(under, ring)))


def _useful(search: Search, lent: Search, places: Floats, others: Floats, scale: float, blend: str) -> list[_Piece]:
    """The best pieces that are seen after the blend, at most six."""
    found = []
    for centre in places:
        for other in others:
            affine = np.column_stack([scale * np.eye(2), centre - scale * other])
            score = _value(search, lent, centre, affine)
            if score > -1:
                found.append(_Piece(centre, other, affine, score))
    found.sort(key=lambda each: -each.score)
    return [each for each in found[:_BLENDED] if still_seen(*_trial(search, lent, each.centre, each.affine), blend)][:6]


def _trial(search: Search, lent: Search, centre: Floats, affine: Any) -> tuple[Bytes, Bytes, Bytes]:
    """A piece of the donor, what lies below it, and 255 inside the region."""
    image = search.take.frames[search.reference]
    box = Box.around(centre + search.outline, 6, image.shape)
    inside = filled(np.asarray(centre + search.outline - box.corner, np.float32), box.shape)
    under = np.ascontiguousarray(image[box.slices])
    return _coloured(moved_picture(lent.take.frames[lent.reference], affine, box), under, inside), under, inside


def _value(search: Search, lent: Search, centre: Floats, affine: Any) -> float:
    """How well a piece of the donor can be put somewhere; -1 where it would not be seen."""
    over, under, inside = _trial(search, lent, centre, affine)
    seen = seen_share(over, under, inside)
    if seen < _LEAST:
        return -1.0
    return min(seen, _ENOUGH) - _RIM * rim_difference(over, under, ring_of(inside))
