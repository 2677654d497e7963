"""A mouth that says something else than the sound: moved by another track, or hardly moved at all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import cv2
import numpy as np

from cmdfd.clip import Labels, Modality, Segment
from cmdfd.errors import MediaError
from cmdfd.faces.tracks import FaceTrack
from generators.generator import GeneratorSpec, Job, Outcome, Take
from generators.video.lips import MouthMover, opening

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
        family="video",
        summary="lips warped to the opening of another take",
        modalities=("video",),
        needs_donor=True,
        needs_face=True,
        known_cues=("resampled lower face", "inner mouth of another frame", "rounding of the lips stays"),
        params={},
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
        return _forge(job.take, track, own, wanted, _inside(job))

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
        family="video",
        summary="lips held almost still while the sound goes on",
        modalities=("video",),
        needs_face=True,
        known_cues=("resampled lower face", "rounding of the lips stays"),
        params={"keep": 0.15},
    )
    donor_streams: ClassVar[tuple[str, ...]] = ()

    def wanted(self, job: Job, own: NDArray[np.float64]) -> NDArray[np.float64]:
        """Own openings with their movement scaled down around a nearly closed mouth."""
        keep = float(job.params["keep"])
        if not 0 <= keep < 1:
            raise MediaError("unsupported", self.spec.name, f"keep must be in [0, 1), got {keep:g}")
        rest = float(np.percentile(own, 20.0))
        return rest + keep * (own - rest)


def _inside(job: Job) -> range:
    """Frames that the written clip may show."""
    first = math.floor(job.start * job.take.fps)
    last = math.ceil((job.start + job.seconds) * job.take.fps) + 1
    return range(max(first, 0), min(last, len(job.take.frames)))


def _forge(
    take: Take, track: FaceTrack, own: NDArray[np.float64], wanted: NDArray[np.float64], inside: range
) -> Outcome:
    frames = take.frames.copy()
    height, width = frames.shape[1:3]
    masks = np.zeros(frames.shape[:3], np.uint8)
    points = track.points.copy()
    mover = MouthMover(take.frames, track, inside)
    kernel = np.ones((_CLOSE, _CLOSE), np.uint8)
    for index in inside:
        if abs(float(wanted[index] - own[index])) < _STILL:
            continue
        picture, moved = mover.move(index, float(wanted[index]))
        frames[index] = picture
        points[index] = moved / np.array([width, height], np.float32)
        masks[index] = changed(take.frames[index], picture, kernel)
    forged_track = FaceTrack(track.times, points, track.found, track.backend)
    forged = Take(frames, take.fps, take.audio, take.sample_rate, forged_track, take.speech)
    labels = Labels(label=1, audio_label=0, video_label=1, sync_mismatch=1, identity_mismatch=0)
    return Outcome(forged, labels, (Segment(0.0, take.duration, Modality.VIDEO),), masks=masks)


def changed(before: NDArray[np.uint8], after: NDArray[np.uint8], kernel: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mask [H, W], 255 where a channel differs by more than `MASK_DIFFERENCE`, holes closed."""
    difference = cv2.absdiff(before, after)
    strongest = cv2.max(cv2.max(difference[..., 0], difference[..., 1]), difference[..., 2])
    _, mask = cv2.threshold(strongest, MASK_DIFFERENCE, 255, cv2.THRESH_BINARY)
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel), np.uint8)
