"""A mouth that says something else than the sound: moved by another track, or hardly moved at all."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import cv2
import numpy as np

from cmdfd.clip import REAL, Labels, Modality, Segment
from cmdfd.errors import JobError, MediaError
from cmdfd.faces.tracks import FaceTrack
from generators.generator import GeneratorSpec, Job, Outcome, Take
from generators.video.face_frame import FaceFrame, opening
from generators.video.lips import MouthMover

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Openings are compared between these percentiles, so that one odd frame does not set the scale.
_LOW, _HIGH = 5.0, 95.0
#: A mouth whose opening moves less than this (in distances of the outer eye corners) tells nothing when moved.
MIN_RANGE = 0.02
#: Changes smaller than this are below a tenth of a pixel.
_STILL = 1e-3
#: A pixel counts as changed from this difference of any channel on; small holes are closed.
MASK_DIFFERENCE, _CLOSE = 6, 7
#: A sham moves lips by at most this many pixels, a third of the error of landmarks, at this many swings a second.
_SHAM_PIXELS, _SHAM_HERTZ = 0.4, 1.3
#: Openings may exceed the take's own range by this share.
_OVERSHOOT = 0.1


class MouthWarp:
    """Let another take's mouth opening drive this one's lips; the sound stays.

    The driving track is brought to the range of the take's own openings, so that neither range nor closures tell the
    fake. Landmarks of lips and chin are moved along in the take's track. The mask holds every pixel that differs by
    more than 6 levels in any channel.
    """

    spec = GeneratorSpec(
        name="video/mouth_warp",
        family="lipsync",
        summary="lips warped to the opening of another take",
        modalities=("video",),
        needs_donor=True,
        needs_face=True,
        known_cues=("resampled lower face", "inner mouth of another frame", "rounding of the lips stays"),
        params={},
        version=2,
        cost=0.03,
    )
    donor_streams: ClassVar[tuple[str, ...]] = ("track",)

    def generate(self, job: Job) -> Outcome:
        """Forge one take.

        Raises:
            MediaError: "no_face" without a track, "unsupported" where the mouth (or the donor's) hardly moves.
        """
        track = job.take.track
        if track is None:
            raise MediaError("no_face", self.spec.name)
        height, width = job.take.frames.shape[1:3]
        own = opening(track, width / height)
        low, high = np.percentile(own, [_LOW, _HIGH])
        if high - low < MIN_RANGE:
            raise MediaError("unsupported", self.spec.name, "the mouth hardly moves in this take")
        wanted = self.wanted(job, own)
        wanted = np.clip(wanted, max(float(own.min()), 0.0), high + _OVERSHOOT * (high - low))
        return _forge(job.take, track, own, wanted, frames_inside(job))

    def sham(self, job: Job) -> Outcome:
        """See `sham_of_lips`."""
        return sham_of_lips(job, self.spec.name)

    def wanted(self, job: Job, own: NDArray[np.float64]) -> NDArray[np.float64]:
        """Target opening of every frame, [T]; `own` holds the present ones."""
        if job.donor is None or job.donor.track is None:
            raise MediaError("unsupported", self.spec.name, "there is no other face to take the movement from")
        # Fractions of the donor's picture serve: its own range is divided out below.
        times = np.arange(len(own)) / job.take.fps
        other = opening(job.donor.track.at(times), 1.0)
        low, high = np.percentile(own, [_LOW, _HIGH])
        other_low, other_high = np.percentile(other, [_LOW, _HIGH])
        if other_high - other_low < MIN_RANGE:
            raise MediaError("unsupported", self.spec.name, "the donor's mouth hardly moves")
        return np.asarray(low + (other - other_low) * (high - low) / (other_high - other_low))


class MouthMute(MouthWarp):
    """Hold the mouth (almost) still while the sound goes on.

    Parameter `keep` is the share of the movement that is left, from 0 (frozen) to below 1.
    """

    spec = GeneratorSpec(
        name="video/mouth_mute",
        family="lipsync",
        summary="lips held almost still while the sound goes on",
        modalities=("video",),
        needs_face=True,
        known_cues=("resampled lower face", "rounding of the lips stays"),
        params={"keep": 0.15},
        version=2,
        cost=0.03,
    )
    donor_streams: ClassVar[tuple[str, ...]] = ()

    def wanted(self, job: Job, own: NDArray[np.float64]) -> NDArray[np.float64]:
        """Own openings with their movement scaled down around a nearly closed mouth."""
        keep = float(job.params["keep"])
        if not 0 <= keep < 1:
            raise MediaError("unsupported", self.spec.name, f"keep must be in [0, 1), got {keep:g}")
        rest = float(np.percentile(own, 20.0))
        return rest + keep * (own - rest)


def frames_inside(job: Job) -> range:
    """Frames that the written clip may show."""
    first = math.floor(job.start * job.take.fps)
    last = math.ceil((job.start + job.seconds) * job.take.fps) + 1
    return range(max(first, 0), min(last, len(job.take.frames)))


def _forge(
    take: Take, track: FaceTrack, own: NDArray[np.float64], wanted: NDArray[np.float64], inside: range
) -> Outcome:
    mover = MouthMover(take.frames, track, inside)
    moved = reanimated(mover, track, wanted, np.ones(len(own)), inside)
    forged = Take(moved.frames, take.fps, take.audio, take.sample_rate, moved.track, take.speech)
    labels = Labels(label=1, audio_label=0, video_label=1, sync_mismatch=1, identity_mismatch=0)
    return Outcome(forged, labels, (Segment(0.0, take.duration, Modality.VIDEO),), masks=moved.masks)


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """Pictures with moved lips [T, H, W, 3], the track that follows them, and what changed [T, H, W]."""

    frames: NDArray[np.uint8]
    track: FaceTrack
    masks: NDArray[np.uint8]


def reanimated(
    mover: MouthMover, track: FaceTrack, openings: NDArray[np.float64], widths: NDArray[np.float64], inside: range
) -> Moved:
    """Move the lips of every frame inside.

    Args:
        mover: Of the take's pictures.
        track: Its points.
        openings: [T] wanted openings.
        widths: [T] factors on the mouth's width.
        inside: Frames to change; those that are wanted as they are stay untouched.
    """
    frames, points = mover.frames.copy(), track.points.copy()
    height, width = frames.shape[1:3]
    masks = np.zeros(frames.shape[:3], np.uint8)
    kernel = np.ones((_CLOSE, _CLOSE), np.uint8)
    for index in inside:
        if abs(float(openings[index] - mover.openings[index])) < _STILL and abs(float(widths[index]) - 1) < _STILL:
            continue
        picture, moved = mover.move(index, float(openings[index]), float(widths[index]))
        frames[index] = picture
        points[index] = moved / np.array([width, height], np.float32)
        masks[index] = changed(mover.frames[index], picture, kernel)
    return Moved(frames, FaceTrack(track.times, points, track.found, track.backend), masks)


def sham_of_lips(job: Job, generator: str) -> Outcome:
    """Warp the lower face as every mover of lips does, but nowhere by more than landmarks can tell.

    Lips go to and fro by up to `_SHAM_PIXELS`, slowly and smoothly, so that every pixel there is resampled as in a
    fake and the mouth says what it said. The track stays: it is not known to that precision.

    Raises:
        JobError: "face_not_found" without a track.
    """
    take, track = job.take, job.take.track
    if track is None:
        raise JobError("face_not_found", generator)
    inside = frames_inside(job)
    mover = MouthMover(take.frames, track, inside)
    units = np.array([FaceFrame.of(pixels).unit for pixels in mover.pixels])
    phase = float(job.rng.uniform(0.0, 2 * np.pi))
    sway = _SHAM_PIXELS / units * np.sin(phase + 2 * np.pi * _SHAM_HERTZ / take.fps * np.arange(len(units)))
    wanted = mover.openings + np.where(mover.openings + sway < 0, -sway, sway)
    moved = reanimated(mover, track, wanted, np.ones(len(units)), inside)
    return Outcome(replace(take, frames=moved.frames), REAL, ())


def changed(before: NDArray[np.uint8], after: NDArray[np.uint8], kernel: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mask [H, W], 255 where a channel differs by more than `MASK_DIFFERENCE`, holes closed."""
    difference = cv2.absdiff(before, after)
    strongest = cv2.max(cv2.max(difference[..., 0], difference[..., 1]), difference[..., 2])
    _, mask = cv2.threshold(strongest, MASK_DIFFERENCE, 255, cv2.THRESH_BINARY)
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel), np.uint8)
