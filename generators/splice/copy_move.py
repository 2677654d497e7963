"""Copy-move: a region of the picture a second time in another place of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cmdfd.errors import JobError
from generators.generator import GeneratorSpec
from generators.splice.layers import Box, moved_picture, poisson
from generators.splice.params import CopyMoveParams
from generators.splice.placed import Layer, Placed, Plan, through
from generators.splice.places import Region, Search, blob, drawn_radius, filled, ring_of, seen_share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from generators.generator import Job
    from generators.video.mesh_warp import Bytes, Floats

#: Places that are tried as the copy's and as the original's.
_PLACES = 32
#: Least share of the region in which the copy must differ to be seen, and the share from which more is no better.
_LEAST, _ENOUGH = 0.5, 0.85
#: Price of unlike rims, per level.
_RIM = 0.02
#: Pixels between original and copy: smooth edges of both are drawn up to two pixels wider.
_GAP = 6.0
#: Pairs that are blended on trial, and the least share of a region that must then still be seen to differ.
_BLENDED, SEEN_BLENDED = 48, 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Where a region is copied from and to; `affine` [2, 3] maps pixels of the original to those of the copy."""

    source: Floats
    target: Floats
    affine: NDArray[np.float64]
    score: float


def transform(source: Floats, target: Floats, turn: float, scale: float, flip: bool) -> NDArray[np.float64]:
    """[2, 3] that brings `source` to `target`, turned (radians), scaled, and mirrored left to right first."""
    cosine, sine = scale * np.cos(turn), scale * np.sin(turn)
    linear = np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([-1.0 if flip else 1.0, 1.0])
    return np.column_stack([linear, target - linear @ source])


def pairs(
    image: Bytes, outline: Floats, targets: Floats, sources: Floats, linear: NDArray[np.float64], *, same_rim: float
) -> list[Pair]:
    """All pairs of places whose regions do not overlap, the best first.

    Args:
        image: [H, W, 3] reference frame.
        outline: [K, 2] of the copy about its centre.
        targets: [N, 2] centres of the copy.
        sources: [M, 2] centres of the original.
        linear: [2, 2] from the original's to the copy's pixels.
        same_rim: Price of rims of another colour, per level.
    """
    back = np.linalg.inv(linear)
    lent = outline @ back.T
    apart = float(np.hypot(*outline.T).max() + np.hypot(*lent.T).max()) + _GAP
    size = np.array([image.shape[1], image.shape[0]])
    found = []
    for target in targets:
        box = Box.around(target + outline, 6, image.shape)
        inside = filled(np.asarray(target + outline - box.corner, np.float32), box.shape)
        ring, under = ring_of(inside), np.ascontiguousarray(image[box.slices])
        for source in sources:
            corners = source + lent
            if np.hypot(*(source - target)) < apart or (corners < 1).any() or (corners > size - 2).any():
                continue
            affine = np.column_stack([linear, target - linear @ source])
            over = toned(moved_picture(image, affine, box), under, inside)
            rims = rim_difference(over, under, ring)
            score = seen_share(over, under, inside)
            found.append(Pair(source, target, affine, min(score, _ENOUGH) - same_rim * rims if score >= _LEAST else -1))
    return sorted(found, key=lambda pair: -pair.score)


def toned(over: Bytes, under: Bytes, inside: Bytes) -> Bytes:
    """A picture as light and as coloured at a region's rim as the one below, so that no pale disc is seen."""
    ring = ring_of(inside)
    apart = np.array(cv2.mean(under, ring)[:3]) - cv2.mean(over, ring)[:3]
    return np.asarray(np.rint(over + apart).clip(0, 255), np.uint8)


def rim_difference(over: Bytes, under: Bytes, ring: Bytes) -> float:
    """Mean difference of two pictures along a rim, in levels."""
    where = ring > 0
    return float(np.abs(over.astype(np.int16) - under)[where].mean()) if where.any() else 0.0


def still_seen(over: Bytes, under: Bytes, inside: Bytes, blend: str) -> bool:
    """Whether a region is seen after its blend: Poisson takes away all that is only lighter or darker."""
    if blend == "poisson":
        over = poisson(np.ascontiguousarray(under), over, inside)
    return seen_share(over, under, inside) >= SEEN_BLENDED


def _useful(image: Bytes, outline: Floats, ranked: list[Pair], blend: str) -> list[Pair]:
    """The best pairs that are seen after the blend, at most six."""
    found: list[Pair] = []
    for pair in [each for each in ranked if each.score > -1][:_BLENDED]:
        box = Box.around(pair.target + outline, 6, image.shape)
        inside, under = filled(np.asarray(pair.target + outline - box.corner, np.float32), box.shape), image[box.slices]
        if still_seen(toned(moved_picture(image, pair.affine, box), under, inside), under, inside, blend):
            found.append(pair)
        if len(found) == 6:
            break
    return found


class CopyMove(Placed):
    """Copy a region of every picture to another place of the same picture.

    The original stays, both places lie off the face and do not overlap, and the copy goes on moving as the original
    does, since every frame is copied from itself. Original and copy both follow the camera as it is seen around the
    copy. Of the places drawn, those are taken whose rims are alike and whose insides differ.
    """

    spec = GeneratorSpec(
        name="splice/copy_move",
        family="splice",
        summary="a region of the picture copied to another place of it; soft pixel mask",
        modalities=("video",),
        known_cues=("the same noise in two places", "resampled copy", "soft rim"),
        params=CopyMoveParams().model_dump(),
        cost=0.1,
    )

    def _plan(self, job: Job, frames: range) -> Plan:
        params, take, rng = CopyMoveParams.read(job.params, self.spec.name), job.take, job.rng
        outline = blob(rng, drawn_radius(rng, params.size, take))
        turn, scale = np.radians(rng.uniform(-params.turn, params.turn)), rng.uniform(*params.scale)
        flip = bool(rng.random() < 0.5) and params.flip
        reference = frames[len(frames) // 2]
        search = Search(take, frames, reference, outline, self.spec.name)
        linear = transform(np.zeros(2, np.float32), np.zeros(2, np.float32), turn, scale, flip)[:, :2]
        pair, region = self._pair(search, rng, linear, params.blend)
        details = {
            "source": [round(float(v), 2) for v in pair.source],
            "affine": [[round(float(v), 6) for v in row] for row in pair.affine],
            "flip": flip,
        }
        return Plan(region, params.blend, details)

    def _pair(
        self, search: Search, rng: np.random.Generator, linear: NDArray[np.float64], blend: str
    ) -> tuple[Pair, Region]:
        """A pair of which the copy is seen: off people if there is one, else anywhere off the face."""
        image = search.take.frames[search.reference]
        targets, sources = search.centres(rng), search.centres(rng)
        refused = JobError("input_unsupported", self.spec.name, "there is no room for original and copy; lower size")
        for turn, some in enumerate(search.turns(targets, _PLACES)):
            lent = np.concatenate(search.turns(sources, _PLACES // (1 + turn))[: 1 + turn])
            chosen = pairs(image, search.outline, some, lent, linear, same_rim=_RIM)
            useful = _useful(image, search.outline, chosen, blend)
            if useful:
                try:
                    region = search.first_inside([pair.target for pair in useful])
                except JobError as error:
                    refused = error
                    continue
                return next(pair for pair in useful if (pair.target == region.centre).all()), region
            if chosen:
                detail = "no copy would be seen: the picture is too even beside the face"
                refused = JobError("output_identical", self.spec.name, detail)
        raise refused

    def _layers(self, job: Job, frames: range, plan: Plan) -> Iterator[Layer]:
        affine = np.array(plan.details["affine"])
        for rank, index in enumerate(frames):
            box = plan.region.box_at(rank, job.take.frames.shape[1:])
            over = moved_picture(job.take.frames[index], through(plan.region.motion.maps[rank], affine), box)
            over = toned(over, job.take.frames[index][box.slices], plan.region.inside_at(rank, box))
            yield Layer(box, over, self._alpha(job, plan, rank, box))

    def _alpha(self, job: Job, plan: Plan, rank: int, box: Box) -> Floats:
        width = CopyMoveParams.read(job.params, self.spec.name).feather * 2 * plan.region.radius
        return plan.region.alpha_at(rank, box, width)
