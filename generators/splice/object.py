"""A thing that was not there: drawn or cut out of a picture, and moving with what it lies on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from generators.generator import GeneratorSpec
from generators.splice.cutouts import cutout_files, read_cutout
from generators.splice.drawings import HEIGHTS, Drawing, drawing
from generators.splice.layers import Box, moved_picture
from generators.splice.params import ObjectParams
from generators.splice.placed import Layer, Placed, Plan, grain_of, grained
from generators.splice.places import Search, drawn_radius
from generators.video.mesh_swap import to_lab

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from generators.generator import Job
    from generators.video.mesh_warp import Bytes, Floats

#: Light on a thing follows that of what it covers, blurred over this share of its radius, within these bounds.
_SHADE, _BOUNDS = 0.7, (0.7, 1.3)
#: White of a well-lit picture; things are as much darker as the picture's bright parts are.
_WHITE, _BRIGHT, _DIM = 215.0, 95.0, (0.45, 1.1)
#: Chroma (Lab) of a usual picture: a percentile and its value.
_COLOURFUL = (80.0, 12.0)
#: Price of uneven ground under a thing, per level, and of a height that is unusual for it, per picture height.
_UNEVEN, _HEIGHT = 0.02, 2.0
#: Places that are tried.
_PLACES = 24
#: Edges of drawn things are blurred by so many pixels, as a lens does.
_LENS = 0.6


class ObjectSplice(Placed):
    """Put a thing into the picture: a drawn one (badge, poster, cup, ball), or one that the user cut out.

    It lies off the face, moves with what is seen around it, is lit like what it covers, and has the recording's
    grain. Drawing, colours and place are drawn by chance; `draw` says among which things. With `cutout` it is an RGBA
    image, or one of a folder's by chance; its name and hash are in the details. Whether it may be used and shared is
    for the user to know: the clip's rights are those of the recording.
    """

    spec = GeneratorSpec(
        name="splice/object",
        family="splice",
        summary="a drawn or cut-out thing put into the picture, moving and lit with it; soft pixel mask",
        modalities=("video",),
        known_cues=("drawn or of another camera", "added grain", "no shadow on what lies around it"),
        params=ObjectParams().model_dump(mode="json"),
        cost=0.04,
    )

    def _plan(self, job: Job, frames: range) -> Plan:
        params, take, rng = ObjectParams.read(job.params, self.spec.name), job.take, job.rng
        chosen = _choose(params, rng, self.spec.name)
        radius = drawn_radius(rng, params.size, take)
        thing = self._thing(job, chosen | {"size": radius})
        reference = frames[len(frames) // 2]
        search = Search(take, frames, reference, np.asarray(radius * thing.outline, np.float32), self.spec.name)
        image, height = take.frames[reference], take.frames.shape[1]
        wish = HEIGHTS.get(str(chosen.get("drawing")))

        def score(centre: Floats) -> float:
            patch, inside = search.cut(image, centre)
            uneven = float(cv2.meanStdDev(cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY), mask=inside)[1][0, 0])
            return -_UNEVEN * uneven - (0 if wish is None else _HEIGHT * abs(float(centre[1]) / height - wish))

        region = search.best(search.centres(rng)[:_PLACES], score, -np.inf, "")
        return Plan(region, "feather", {**chosen, "size": radius}, str(chosen.get("drawing", "cutout")))

    def _thing(self, job: Job, chosen: Mapping[str, Any]) -> Drawing:
        if "drawing" in chosen:
            return drawing(str(chosen["drawing"]), int(chosen["drawing_seed"]))
        params = ObjectParams.read(job.params, self.spec.name)
        place = Path(str(params.cutout)).expanduser()
        file = place if place.is_file() else place / str(chosen["cutout"])
        return read_cutout(file, self.spec.name).thing(float(chosen["size"]))

    def _layers(self, job: Job, frames: range, plan: Plan) -> Iterator[Layer]:
        take, region = job.take, plan.region
        thing = self._thing(job, plan.details)
        grain = grain_of(take.frames, frames, region.box_at(len(frames) // 2, take.frames.shape[1:]))
        dim, fade = _exposure(take.frames[region.motion.reference]), _colour(take.frames[region.motion.reference])
        for rank, index in enumerate(frames):
            box = region.box_at(rank, take.frames.shape[1:])
            affine = _of_drawing(thing, plan, rank)
            seen = _faded(moved_picture(thing.picture, affine, box), fade)
            light = _light(take.frames[index][box.slices], region.inside_at(rank, box), region.radius)
            over = cv2.GaussianBlur(seen * (dim * light)[..., None], (0, 0), _LENS)
            yield Layer(box, grained(np.asarray(over, np.float32), grain, job.rng), self._alpha(job, plan, rank, box))

    def _alpha(self, job: Job, plan: Plan, rank: int, box: Box) -> Floats:
        thing = self._thing(job, plan.details)
        opaque = moved_picture(thing.opacity, _of_drawing(thing, plan, rank), box)
        return np.asarray(cv2.GaussianBlur(opaque.astype(np.float32) / np.float32(255), (0, 0), _LENS), np.float32)


def _choose(params: ObjectParams, rng: np.random.Generator, generator: str) -> dict[str, Any]:
    """Which thing, for the details."""
    if params.cutout is None:
        name = params.draw[int(rng.integers(len(params.draw)))]
        return {"drawing": name, "drawing_seed": int(rng.integers(2**31))}
    files = cutout_files(params.cutout, generator)
    found = read_cutout(files[int(rng.integers(len(files)))], generator)
    return {"cutout": found.name, "cutout_sha256": found.sha256}


def _of_drawing(thing: Drawing, plan: Plan, rank: int) -> Any:
    """[2, 3] from a thing's pixels to those of a frame of the window."""
    scale = float(plan.details["size"]) / thing.radius
    move = plan.region.centre - scale * np.float32(thing.middle)
    home = np.array([[scale, 0.0, move[0]], [0.0, scale, move[1]], [0.0, 0.0, 1.0]])
    return plan.region.motion.maps[rank] @ home


def _exposure(image: Bytes) -> float:
    return float(np.clip(np.percentile(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), _BRIGHT) / _WHITE, *_DIM))


def _colour(image: Bytes) -> float:
    """How colourful a picture is, 0 for a grey film and 1 from a usual one on."""
    small = cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA)
    lab = to_lab(np.asarray(small, np.uint8))
    return float(np.clip(np.percentile(np.hypot(lab[..., 1], lab[..., 2]), _COLOURFUL[0]) / _COLOURFUL[1], 0, 1))


def _faded(image: Bytes, colour: float) -> Floats:
    """A picture with a share of its colour."""
    wide = image.astype(np.float32)
    grey = wide @ np.array([0.299, 0.587, 0.114], np.float32)  # luma of BT.601
    return np.asarray(grey[..., None] + np.float32(colour) * (wide - grey[..., None]), np.float32)


def _light(image: Bytes, inside: Bytes, radius: float) -> Floats:
    """[h, w] how much lighter or darker the ground is here than in the middle of the region."""
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY).astype(np.float32) + np.float32(16)
    calm = cv2.GaussianBlur(grey, (0, 0), max(_SHADE * radius, 1.0))
    mean = float(cv2.mean(calm, mask=inside)[0]) if inside.any() else float(calm.mean())
    return np.asarray(np.clip(calm / np.float32(max(mean, 1.0)), *_BOUNDS), np.float32)
