"""What the two talking heads from a still share: the sound, the still, the moving head, the sham."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from cmdfd.clip import REAL, Labels, Modality, Segment
from cmdfd.errors import JobError
from cmdfd.faces.tracks import FaceTrack
from generators.generator import GeneratorSpec, Job, Outcome, Speech, Take
from generators.video.drive import WIDTH_LIMIT, driven_opening, driven_width, driving_sound, loudness
from generators.video.mesh_face import FaceState, Floats, pixels_of, smoothed
from generators.video.still_eyes import Lids
from generators.video.still_head import HeadField
from generators.video.still_motion import blinks, brow_lift, limited, measured, surrogate
from generators.video.still_noise import SensorNoise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from generators.audio.dsp import Signal

#: A mouth whose openings spread less than this (5th to 95th percentile, eye distances) cannot be driven.
MIN_RANGE = 0.02
#: Weights of the still's choice: closed mouth, open eyes, usual pose, and rest between movements.
_CLOSED, _OPEN_EYES, _POSE, _REST = 1.0, 1.5, 1.0, 0.5
#: Landmarks are smoothed over this many frames for poses, never for lips.
_POSE_FRAMES = 1.5
#: Size in pixels of the sham's drift: below a pixel, like the fraction that any movement ends with.
_DRIFT, _DRIFT_FRAMES = 0.5, 6.0


@dataclass(frozen=True, slots=True, eq=False)
class Driving:
    """The sound of the outcome, which also drives the mouth."""

    audio: Signal
    speech: Speech | None
    voice_id: str | None


def _driving(job: Job, name: str) -> Driving:
    """The sound of the outcome; the take's words and voice stay only where the take drives itself."""
    sound = driving_sound(job, name)
    donor = job.donor
    if donor is None or sound is job.take.audio:
        return Driving(sound, job.take.speech, None)
    if not np.isfinite(sound).all():
        raise JobError("audio_invalid", name, "the driving sound is not finite")
    return Driving(sound, donor.speech, job.donor_voice or None)


def driven_widths(driving: Signal, take: Take, own: NDArray[np.float64], frames: range) -> NDArray[np.float64]:
    """Mouth widths [T] that go with the colour of a sound, in the unit of `own`.

    `driven_width` bounds them by those of the same moments; widths that are near each other never reach that bound,
    so that nothing of the genuine movement shows through.
    """
    middle, room = float(np.median(own)), 0.48 * np.log1p(WIDTH_LIMIT)
    near = middle * np.exp(np.clip(np.log(np.maximum(own, 1e-3) / middle), -room, room))
    return np.asarray(near * driven_width(driving, take.sample_rate, take.fps, near, frames))


def inside(job: Job) -> range:
    """Frames that the written clip may show."""
    first = math.floor(job.start * job.take.fps)
    last = math.ceil((job.start + job.seconds) * job.take.fps) + 1
    return range(max(first, 0), min(last, len(job.take.frames)))


def choose_still(pixels: Floats, found: NDArray[np.bool_], frames: range) -> int:
    """The frame nearest to a neutral one: mouth closed, eyes open, head at its usual place and at rest.

    Args:
        pixels: [T, 68, 2] landmarks.
        found: [T] whether they were seen.
        frames: Frames to choose from.
    """
    state = FaceState.of(pixels)
    motion = measured(state)
    spread = np.maximum(motion.std(axis=0), 0.01)
    pose = np.sqrt((((motion - np.median(motion, axis=0)) / spread) ** 2).mean(axis=1))
    speed = np.hypot(*np.gradient(smoothed(state.origin, 1.0), axis=0).T) / state.unit if len(pixels) > 1 else 0 * pose
    score = _CLOSED * _ranked(state.opening) - _OPEN_EYES * _ranked(np.minimum(state.eyes, np.median(state.eyes)))
    score = score + _POSE * 0.3 * pose + _REST * _ranked(speed)
    score = np.where(found, score, score + 100)
    return min(frames, key=lambda index: (float(score[index]), index))


def _ranked(values: NDArray[np.floating]) -> Floats:
    """Values on a scale from 0 (5th percentile) to 1 (95th)."""
    low, high = np.percentile(values, [5, 95])
    return np.asarray((values - low) / max(float(high - low), 1e-6), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Everything that is known before the first picture is drawn.

    Args:
        job: The job.
        driving: Its sound.
        track: The take's face.
        pixels: [T, 68, 2] landmarks.
        still: The chosen frame.
        picture: That frame without its own noise.
        openings: [T] the mouth that the sound asks for, in distances of the outer eye corners.
        widths: [T] its width in the same unit.
        noise: Of the take.
        frames: What is to be drawn.
    """

    job: Job
    driving: Driving
    track: FaceTrack
    pixels: Floats
    still: int
    picture: NDArray[np.uint8]
    openings: NDArray[np.float64]
    widths: NDArray[np.float64]
    noise: SensorNoise
    frames: range

    @classmethod
    def of(cls, job: Job, name: str) -> Stage:
        """Look at the job.

        Raises:
            JobError: "face_not_found" without a track, "input_unsupported" where the mouth hardly moves or the clip
                lies outside the take, and whatever `generators.video.drive.driving_sound` raises.
        """
        take, track = job.take, job.take.track
        if track is None or not track.found.any():
            raise JobError("face_not_found", name)
        frames = inside(job)
        if not len(frames):
            raise JobError("input_unsupported", name, "the clip lies outside the take")
        height, width = take.frames.shape[1:3]
        pixels = pixels_of(track, width, height)
        state = FaceState.of(pixels)
        own = state.opening.astype(np.float64)
        if np.ptp(np.percentile(own, [5, 95])) < MIN_RANGE:
            raise JobError("input_unsupported", name, "the mouth hardly moves in this take")
        driving = _driving(job, name)
        openings = driven_opening(driving.audio, take.sample_rate, take.fps, own, frames)
        widths = driven_widths(driving.audio, take, state.width.astype(np.float64), frames)
        noise = SensorNoise.of(take.frames)
        still = choose_still(pixels, track.found, frames)
        return cls(
            job, driving, track, pixels, still, noise.removed(take.frames[still]), openings, widths, noise, frames
        )


class Mouths(Protocol):
    """Pictures of the still with a moving mouth."""

    def __call__(self, index: int) -> tuple[NDArray[np.uint8], Floats]:
        """The still with the mouth of moment `index`, and its landmarks [68, 2] in pixels."""


class StillHead(ABC):
    """Base of the talking heads from one still. Subclasses say how the mouth of a moment is made."""

    spec: ClassVar[GeneratorSpec]
    donor_streams: ClassVar[tuple[str, ...]] = ("audio",)

    @abstractmethod
    def mouths(self, stage: Stage) -> Mouths:
        """Prepare the mouths of one take."""

    def generate(self, job: Job) -> Outcome:
        """Forge one take.

        Raises:
            JobError: "face_not_found", "input_unsupported" or "audio_invalid"; see `Stage.of`.
        """
        stage = Stage.of(job, self.spec.name)
        take = job.take
        frames, points, found = take.frames.copy(), stage.track.points.copy(), stage.track.found.copy()
        masks = np.zeros(frames.shape[:3], np.uint8)
        size = np.array(frames.shape[2:0:-1], np.float32)
        mouth, lids = self.mouths(stage), Lids(stage.pixels[stage.still])
        head = HeadField.of(stage.pixels[stage.still], frames.shape[1:3])
        state = FaceState.of(smoothed(stage.pixels, _POSE_FRAMES))
        motion = head.bounded(limited(surrogate(measured(state), job.rng)))
        level = loudness(stage.driving.audio, take.sample_rate, take.fps, len(frames))
        closed, brows = blinks(len(frames), take.fps, job.rng), brow_lift(level, job.rng)
        for index in stage.frames:
            picture, place = lids.closed(*mouth(index), float(closed[index]))
            picture, place = head.drawn(picture, place, head.displacement(motion[index], float(brows[index])))
            frames[index] = stage.noise.added(picture, job.rng)
            points[index] = place / size
            masks[index], found[index] = 255, True
        forged = Take(
            frames, take.fps, stage.driving.audio, take.sample_rate,
            FaceTrack(stage.track.times, points, found, stage.track.backend), stage.driving.speech,
        )  # fmt: skip
        labels = Labels(label=1, audio_label=0, video_label=1, sync_mismatch=0, identity_mismatch=None)
        details = {"still": stage.still, "still_seconds": stage.still / take.fps, "noise": round(stage.noise.level, 3)}
        whole = Segment(0.0, take.duration, Modality.VIDEO)
        return Outcome(forged, labels, (whole,), masks, voice_id=stage.driving.voice_id, details=details)

    def sham(self, job: Job) -> Outcome:
        """Every genuine picture resampled by a drift of less than a pixel, its noise taken out and drawn anew.

        Raises:
            JobError: "face_not_found" without a track.
        """
        take, track = job.take, job.take.track
        if track is None or not track.found.any():
            raise JobError("face_not_found", self.spec.name)
        height, width = take.frames.shape[1:3]
        frames, points = take.frames.copy(), track.points.copy()
        size = np.array([width, height], np.float32)
        pixels = pixels_of(track, width, height)
        noise = SensorNoise.of(take.frames)
        head = HeadField.of(np.median(pixels, axis=0), (height, width))
        drift = smoothed(job.rng.standard_normal((len(frames), 2)), _DRIFT_FRAMES)
        drift = _DRIFT * np.tanh(drift / np.maximum(drift.std(axis=0), 1e-9))
        for index in inside(job):
            field = np.asarray(head.weight[..., None] * drift[index], np.float32)
            picture, place = head.drawn(noise.removed(take.frames[index]), pixels[index], field)
            frames[index] = noise.renewed(picture, job.rng)
            points[index] = place / size
        kept = FaceTrack(track.times, points, track.found, track.backend)
        return Outcome(Take(frames, take.fps, take.audio, take.sample_rate, kept, take.speech), REAL, ())
