"""Removal: a region filled from its surroundings, or from a like place, so that what was there is gone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from cmdfd.errors import JobError
from generators.generator import GeneratorSpec
from generators.splice.copy_move import Pair, pairs, toned
from generators.splice.layers import Box, moved_picture
from generators.splice.params import RemoveParams
from generators.splice.placed import Layer, Placed, Plan, grain_of, grained, through
from generators.splice.places import Region, Search, blob, drawn_radius, filled, ring_of, seen_share
from generators.video.mesh_face import smoothed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from generators.generator import Job
    from generators.video.mesh_warp import Bytes, Floats

_METHODS = {"telea": cv2.INPAINT_TELEA, "ns": cv2.INPAINT_NS}
#: Neighbourhood of OpenCV's inpainting in pixels.
_RADIUS = 4
#: The fill is averaged over so many frames (sigma): inpainting each alone boils.
_FRAMES = 3.0
#: Places that are tried, and least and sufficient share of a region that must be seen to change.
_PLACES, _LEAST, _ENOUGH = 80, 0.4, 0.75
#: Off people less is enough: a word of a caption is seen to be gone.
_LITTLE = 0.25
#: Price of an uneven rim, from which streaks run inwards, per level.
_UNEVEN = 0.012
#: Clones are taken where rims are alike, whatever lies inside: the price per level is higher than for a copy-move.
_RIM, _CLONED = 0.04, 32


class Removal(Placed):
    """Take something away: a region off the face in which there is more than what surrounds it.

    With "telea" or "ns" (Telea 2004; Navier-Stokes, Bertalmio et al. 2001) each frame's region is filled from its rim,
    the fills are averaged over time in the region's own frame, so that they hold, and get grain like that of the
    recording. With "clone" the region shows another place of the same picture whose rim is alike, as a clone stamp
    does. Of the places drawn, one is taken in which the fill is seen to differ from what was there.
    """

    spec = GeneratorSpec(
        name="splice/remove",
        family="splice",
        summary="a region inpainted or cloned over, held in time; soft pixel mask",
        modalities=("video",),
        known_cues=("a smooth region with added grain", "streaks from the rim inwards", "clone: the same noise twice"),
        params=RemoveParams().model_dump(),
        cost=0.09,
        citation="Telea 2004; Bertalmio, Bertozzi, Sapiro 2001",
    )

    def _plan(self, job: Job, frames: range) -> Plan:
        params, take, rng = RemoveParams.read(job.params, self.spec.name), job.take, job.rng
        outline = blob(rng, drawn_radius(rng, params.size, take))
        reference = frames[len(frames) // 2]
        search = Search(take, frames, reference, outline, self.spec.name)
        places, image = search.centres(rng), take.frames[reference]
        if params.method == "clone":
            return self._clone(search, image, places, search.centres(rng))
        region = self._worthwhile(search, image, places, params.method)
        return Plan(region, "feather", {"method": params.method}, params.method)

    def _worthwhile(self, search: Search, image: Bytes, places: Floats, method: str) -> Region:
        """A place where there is something to remove: off people if there is any, else anywhere off the face."""
        why = "nothing that could be removed is seen beside the face"
        off = search.off_people(places)
        ways = [(places[off], _LEAST), (places[off], _LITTLE), (places[~off], _LEAST)]
        refused = JobError("output_identical", self.spec.name, why)
        for some, least in ways:
            if not len(some):
                continue
            gain = partial(_gain, search, image, method=method, least=least)
            try:
                return search.best(some[:_PLACES], gain, least - _ENOUGH, why)
            except JobError as error:
                refused = error
        raise refused

    def _clone(self, search: Search, image: Bytes, places: Floats, sources: Floats) -> Plan:
        useful: list[Pair] = []
        for turn, some in enumerate(search.turns(places, _CLONED)):
            lent = np.concatenate(search.turns(sources, _CLONED // (1 + turn))[: 1 + turn])
            found = pairs(image, search.outline, some, lent, np.eye(2), same_rim=_RIM)
            useful = [pair for pair in found if pair.score > -1][:6]
            if useful:
                break
        if not useful:
            detail = (
                "no place beside the face could be cloned over so that it is seen; lower size, or say method: telea"
            )
            raise JobError("output_identical", self.spec.name, detail)
        region = search.first_inside([pair.target for pair in useful])
        pair = next(pair for pair in useful if (pair.target == region.centre).all())
        affine = [[round(float(v), 6) for v in row] for row in pair.affine]
        return Plan(region, "feather", {"method": "clone", "affine": affine}, "clone")

    def _layers(self, job: Job, frames: range, plan: Plan) -> Iterator[Layer]:
        if plan.variant == "clone":
            return self._cloned(job, frames, plan)
        return self._inpainted(job, frames, plan)

    def _cloned(self, job: Job, frames: range, plan: Plan) -> Iterator[Layer]:
        affine = np.array(plan.details["affine"])
        for rank, index in enumerate(frames):
            box = plan.region.box_at(rank, job.take.frames.shape[1:])
            over = moved_picture(job.take.frames[index], through(plan.region.motion.maps[rank], affine), box)
            over = toned(over, job.take.frames[index][box.slices], plan.region.inside_at(rank, box))
            yield Layer(box, over, self._alpha(job, plan, rank, box))

    def _inpainted(self, job: Job, frames: range, plan: Plan) -> Iterator[Layer]:
        take, region = job.take, plan.region
        home = region.box
        inside = filled(region.outline - home.corner, home.shape)
        fills = [
            inpainted(moved_picture(take.frames[index], region.motion.back(rank), home), inside, plan.variant)
            for rank, index in enumerate(frames)
        ]
        calm = smoothed(np.array(fills, np.float32), _FRAMES)
        grain = grain_of(take.frames, frames, region.box_at(len(frames) // 2, take.frames.shape[1:]))
        for rank in range(len(frames)):
            box = region.box_at(rank, take.frames.shape[1:])
            over = _back_home(calm[rank], region, rank, home, box)
            yield Layer(box, grained(over, grain, job.rng), self._alpha(job, plan, rank, box))

    def _alpha(self, job: Job, plan: Plan, rank: int, box: Box) -> Floats:
        width = RemoveParams.read(job.params, self.spec.name).feather * 2 * plan.region.radius
        return plan.region.alpha_at(rank, box, width)


def inpainted(image: Bytes, inside: Bytes, method: str) -> Bytes:
    """A picture with a region filled from its rim.

    Args:
        image: [h, w, 3].
        inside: [h, w] not 0 in the region.
        method: "telea" or "ns".
    """
    where = np.asarray(cv2.dilate((inside > 0).astype(np.uint8), np.ones((3, 3), np.uint8)), np.uint8)
    return np.asarray(cv2.inpaint(np.ascontiguousarray(image), where, _RADIUS, _METHODS[method]), np.uint8)


def _gain(search: Search, image: Bytes, centre: Floats, *, method: str, least: float) -> float:
    """How well a place can be cleared: the share that is seen to change, less for a rim that streaks.

    What is enough is enough, so that chance has a choice.
    """
    patch, inside = search.cut(image, centre)
    seen = seen_share(inpainted(patch, inside, method), patch, inside)
    if seen < least:
        return seen - 1
    spread = cv2.meanStdDev(cv2.cvtColor(np.ascontiguousarray(patch), cv2.COLOR_RGB2GRAY), mask=ring_of(inside))[1]
    return min(seen, _ENOUGH) - min(_UNEVEN * float(spread[0, 0]), _ENOUGH)


def _back_home(fill: Floats, region: Region, rank: int, home: Box, box: Box) -> Floats:
    """A fill of the region's own frame as it lies in a frame of the window."""
    local: Any = region.motion.maps[rank].copy()
    local[:, 2] += local[:, :2] @ home.corner - box.corner
    size, border = (box.shape[1], box.shape[0]), cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(fill, local, size, flags=cv2.INTER_LINEAR, borderMode=border), np.float32)
