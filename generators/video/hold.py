"""A picture that stands still, or goes to and fro, for a while under sound that goes on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cmdfd.clip import REAL, Labels, Modality, Segment
from cmdfd.errors import JobError
from cmdfd.faces.tracks import FaceTrack
from generators.audio.dsp import rms, speech_level
from generators.generator import GeneratorSpec, Job, Outcome, Take

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Frames = NDArray[np.int64]

#: Places that are tried for one over which somebody speaks.
_TRIES = 8
#: Sound is speech if it reaches this share of the take's speech level.
_ENOUGH = 0.5
#: The stretch keeps this far from both ends of the clip, so that the clip shows where it begins and ends.
_MARGIN_SECONDS = 0.2
#: Side of the small pictures in which frames are compared: small enough for the sensor's noise, which is new in every
#: frame, to cancel; and the levels by which one of their pixels shows that something moves.
_SMALL, _MOVES = 32, 4


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Frames [first, last) that show other ones."""

    first: int
    last: int


class Freeze:
    """The picture stands still for a stretch while the sound goes on, then jumps to where it would be.

    The frame before the stretch is shown all through it, so every frame of the stretch is a wrong one. Parameter
    `span` is the range of its length in seconds; of `_TRIES` places drawn inside the clip, one with speech and the
    smallest jump at the end is taken.

    The segment holds the stretch to the frame. The mask is 255 all over its frames and nowhere else: each of their
    pixels was taken at another moment, and where a background stands still, noise alone would tell which ones look
    different. The track follows the picture.
    """

    spec = GeneratorSpec(
        name="video/freeze",
        family="edit",
        summary="the picture stands still for a while, the sound goes on",
        modalities=("video",),
        known_cues=("equal frames", "a jump at the end"),
        params={"span": (0.6, 1.2)},
        cost=0.002,
    )

    def generate(self, job: Job) -> Outcome:
        """Forge one take.

        Raises:
            JobError: "input_unsupported" where the span does not fit the clip; "output_identical" where nothing moves
                in it.
        """
        return _held(job, self.spec.name, lead=1, order=lambda first, n: np.full(n, first - 1))

    def sham(self, job: Job) -> Outcome:
        """The take itself: frames are reordered, none is computed."""
        return Outcome(job.take, REAL, ())


class Loop:
    """A stretch of the picture is shown again instead of what followed it, while the sound goes on.

    Parameters: `span`, as of `Freeze`; `period`, the length in seconds of the part that is shown again; `backwards`,
    whether it is played backward and forward in turn (no jump but the one at the end) or always forward.
    Segment, mask and track are those of `Freeze`.
    """

    spec = GeneratorSpec(
        name="video/loop",
        family="edit",
        summary="a piece of the picture is played again, backward and forward, the sound goes on",
        modalities=("video",),
        known_cues=("frames that return", "a jump at the end", "movement that runs backward"),
        params={"span": (0.8, 1.6), "period": 0.4, "backwards": True},
        cost=0.002,
    )

    def generate(self, job: Job) -> Outcome:
        """Forge one take. Raises as `Freeze.generate`, also where `period` is shorter than two frames."""
        period = round(float(job.params["period"]) * job.take.fps)
        if period < 2:
            detail = f"period must be two frames or longer, got {job.params['period']:g} s at {job.take.fps:g} fps"
            raise JobError("input_unsupported", self.spec.name, detail)
        backwards = bool(job.params["backwards"])
        return _held(job, self.spec.name, period, lambda first, n: _again(first, n, period, backwards))

    def sham(self, job: Job) -> Outcome:
        """The take itself: frames are reordered, none is computed."""
        return Outcome(job.take, REAL, ())


def _again(first: int, n: int, period: int, backwards: bool) -> Frames:
    """The `period` frames before `first`, as often as it takes to fill `n`."""
    steps = np.arange(n)
    if not backwards:
        return np.asarray(first - period + steps % period)
    # from first - 1, which was the last one shown, back to first - period and forth again, neither end twice
    phase = (steps + 1) % (2 * (period - 1))
    return np.asarray(first - 1 - np.minimum(phase, 2 * (period - 1) - phase))


def _held(job: Job, generator: str, lead: int, order: Callable[[int, int], Frames]) -> Outcome:
    """Show frames of `order(first, n)` in a stretch of `n` frames from `first` on, which `lead` others precede."""
    take = job.take
    stretch, shown = _placed(job, generator, lead, order)
    index = np.arange(len(take.frames))
    index[stretch.first : stretch.last] = shown
    frames = take.frames[index]
    masks = np.zeros(frames.shape[:3], np.uint8)
    masks[stretch.first : stretch.last] = 255
    if not any(_moves(take, k, int(other)) for k, other in enumerate(shown, stretch.first)):
        raise JobError("output_identical", generator, "nothing moves in the picture where it was to be held")
    track = take.track
    if track is not None:
        track = FaceTrack(track.times, track.points[index], track.found[index], track.backend)
    forged = Take(frames, take.fps, take.audio, take.sample_rate, track, take.speech)
    segments = (Segment(stretch.first / take.fps, stretch.last / take.fps, Modality.VIDEO),)
    details = {"first_frame": stretch.first, "source_frames": [int(k) for k in shown]}
    return Outcome(forged, Labels(1, 0, 1, 1, 0), segments, masks=masks, details=details)


def _placed(job: Job, generator: str, lead: int, order: Callable[[int, int], Frames]) -> tuple[_Stretch, Frames]:
    """Draw length and place."""
    take = job.take
    low, high = (float(value) for value in job.params["span"])
    earliest = math.ceil((job.start + _MARGIN_SECONDS) * take.fps - 1e-6) + lead
    end = min(math.floor((job.start + job.seconds - _MARGIN_SECONDS) * take.fps + 1e-6), len(take.frames) - 1)
    room = (end - earliest) / take.fps
    if not 0 < low <= high or low > room:
        detail = f"a span of {low:g} to {high:g} s was asked for, between the clip's margins there are {room:.2f} s"
        raise JobError("input_unsupported", generator, detail)
    n = max(round(float(job.rng.uniform(low, min(high, room))) * take.fps), 1)
    places = [int(place) for place in job.rng.integers(earliest, max(end - n, earliest) + 1, _TRIES)]
    enough = _ENOUGH * speech_level(take.audio, take.sample_rate)
    spoken = [place for place in places if _level(take, place, n) >= enough]
    first = min(spoken or places, key=lambda place: _jump(take, int(order(place, n)[-1]), place + n))
    return _Stretch(first, first + n), order(first, n)


def _level(take: Take, first: int, n: int) -> float:
    samples = [round(frame / take.fps * take.sample_rate) for frame in (first, first + n)]
    return rms(take.audio[samples[0] : samples[1]])


def _small(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(picture, (_SMALL, _SMALL), interpolation=cv2.INTER_AREA), np.uint8)


def _jump(take: Take, shown: int, following: int) -> float:
    """How much the picture changes from the last frame of a stretch to the one behind it."""
    return float(cv2.absdiff(_small(take.frames[shown]), _small(take.frames[following])).mean())


def _moves(take: Take, genuine: int, shown: int) -> bool:
    """Whether two frames differ by more than noise."""
    return int(cv2.absdiff(_small(take.frames[genuine]), _small(take.frames[shown])).max()) >= _MOVES
