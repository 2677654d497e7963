"""What splices of a placed region share: steps of every frame, grain, and the null splice in the same place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import cv2
import numpy as np

from cmdfd.clip import Labels
from generators.splice.layers import Box, Canvas, Made, drift, forgery, moved_picture, null_splice, poisson, window
from generators.video.mesh_swap import Colours, to_lab

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from generators.generator import GeneratorSpec, Job, Outcome
    from generators.splice.places import Region
    from generators.video.mesh_warp import Bytes, Floats

#: Nothing that is heard is touched, lips and voice belong to the face as before.
PICTURE = Labels(1, 0, 1, 0, 0)
#: Differences that are averaged for each pixel before the median over pixels, and that median's share of the mean for
#: normal noise (chi-squared law of so many degrees of freedom).
_STEPS, _MEDIAN = 12, 0.945
#: Most levels of grain that are added.
_MOST_GRAIN = 6.0


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """What is laid on one frame of the window."""

    box: Box
    over: Bytes
    alpha: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A region and how what is put there is made.

    Args:
        region: Where.
        blend: "feather" or "poisson".
        details: For the provenance table.
        variant: Grade inside the kind.
    """

    region: Region
    blend: str
    details: Mapping[str, Any]
    variant: str = ""


class Placed(ABC):
    """A splice into one region of the picture, by chance off the face, that moves with what lies there."""

    spec: ClassVar[GeneratorSpec]

    def generate(self, job: Job) -> Outcome:
        """Forge one take.

        Raises:
            JobError: "input_unsupported" for a wrong parameter, where the region finds no room or would leave the
                picture; "output_identical" where nothing would be seen of it.
        """
        return forgery(job, self._made(job, null=False), PICTURE)

    def sham(self, job: Job) -> Outcome:
        """The same region, resampling and blend with the take's own content, off by less than half a pixel.

        Raises:
            JobError: As `generate`.
        """
        return null_splice(job, self._made(job, null=True))

    @abstractmethod
    def _plan(self, job: Job, frames: range) -> Plan:
        """Choose the region; all of the choice's chance is drawn here."""

    @abstractmethod
    def _layers(self, job: Job, frames: range, plan: Plan) -> Iterator[Layer]:
        """What is laid on every frame of the window."""

    @abstractmethod
    def _alpha(self, job: Job, plan: Plan, rank: int, box: Box) -> Floats:
        """Weight of the layer in a frame of the window."""

    def _made(self, job: Job, *, null: bool) -> Made:
        frames = window(job, self.spec.name)
        plan = self._plan(job, frames)
        canvas = Canvas.of(job.take)
        layers = self._null_layers(job, frames, plan) if null else self._layers(job, frames, plan)
        for index, layer in zip(frames, layers, strict=True):
            over = layer.over
            if plan.blend == "poisson":
                under = np.ascontiguousarray(job.take.frames[index][layer.box.slices])
                over = poisson(under, over, (layer.alpha > 0).astype(np.uint8))
            canvas.lay(index, layer.box, over, layer.alpha)
        region = plan.region
        details = {
            "centre": [round(float(v), 2) for v in region.centre],
            "radius": round(region.radius, 2),
            "reference_frame": region.motion.reference,
            "followed_points": region.motion.points,
            **plan.details,
        }
        return Made(canvas, frames, details, plan.variant)

    def _null_layers(self, job: Job, frames: range, plan: Plan) -> Iterator[Layer]:
        off = drift(job.rng, len(frames))
        for rank, index in enumerate(frames):
            box = plan.region.box_at(rank, job.take.frames.shape[1:])
            over = moved_picture(job.take.frames[index], np.column_stack([np.eye(2), off[rank]]), box)
            yield Layer(box, over, self._alpha(job, plan, rank, box))


def grain_of(frames: Bytes, window: range, box: Box) -> NDArray[np.float64]:
    """[3] deviation of the sensor's noise in a place, from differences of neighbours: movement hardly shows in them."""
    step = max(len(window) // _STEPS, 1)
    apart = [
        frames[k][box.slices].astype(np.int16) - frames[k - 1][box.slices]
        for k in range(window.start + 1, window.stop, step)
    ]
    if not apart:
        return np.zeros(3)
    power = np.median(np.square(apart, dtype=np.float64).mean(axis=0), axis=(0, 1)) / _MEDIAN
    return np.asarray(np.clip(np.sqrt(power / 2), 0.0, _MOST_GRAIN))  # a difference has the noise of two pictures


def grained(image: Bytes | Floats, grain: NDArray[np.float64], rng: np.random.Generator) -> Bytes:
    """A picture with noise upon it."""
    noise = rng.standard_normal(image.shape) * grain
    return np.asarray(np.rint(image + noise).clip(0, 255), np.uint8)


def lab_colours(image: Bytes, where: Bytes) -> Colours:
    """Mean and spread of the Lab channels where a mask is not 0."""
    mean, spread = cv2.meanStdDev(to_lab(image), mask=where)
    return Colours(np.asarray(mean[:, 0], np.float64), np.asarray(spread[:, 0], np.float64))


def through(motion: NDArray[np.float64], inner: NDArray[np.float64]) -> NDArray[np.float64]:
    """[2, 3] of `motion . inner . motion^-1`: a map of the reference frame as it is in a frame that has moved."""
    there, here = (np.vstack([each, [0, 0, 1]]) for each in (motion, inner))
    return np.asarray((there @ here @ np.linalg.inv(there))[:2], np.float64)
