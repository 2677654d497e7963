"""Lips that speak to a sound: the mouth of a take is moved by its own loudness or by that of other speech."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from cmdfd.clip import Labels, Modality, Segment
from cmdfd.errors import JobError
from generators.generator import GeneratorSpec, Job, Outcome, Take
from generators.video.drive import Drive, driven_opening, driven_width, driving_sound
from generators.video.face_frame import mouth_width, opening
from generators.video.lips import MouthMover
from generators.video.mouth_warp import MIN_RANGE, frames_inside, reanimated, sham_of_lips

if TYPE_CHECKING:
    from cmdfd.faces.tracks import FaceTrack
    from generators.generator import Speech

#: Openings are compared between these percentiles, so that one odd frame does not set the scale.
_LOW, _HIGH = 5.0, 95.0
#: Inner mouths that are stored: with more, neighbours differ by less than the tracker's error.
_STORED = 4

#: Labels of a mouth that was made for the sound heard with it.
LIPSYNC = Labels(label=1, audio_label=0, video_label=1, sync_mismatch=0, identity_mismatch=None)


class LipWarp:
    """Let a sound drive the lips of a take: what CMDFD calls lip-sync, without a network.

    The donor's sound comes under the picture, its first sample at the take's first, at the take's speech level. Lips
    open with its loudness and spread or round with its colour (`generators.video.drive`), within the range of the
    take's own openings and widths. The donor may be the take itself: then the sound stays and the lips alone are new.

    `sync_mismatch` is 0, since lips and sound belong together by construction; `identity_mismatch` is left to the
    build, which knows whose sound it is. The mask holds every pixel that differs by more than 6 levels in any channel.
    """

    spec = GeneratorSpec(
        name="video/lip_warp",
        family="lipsync",
        summary="lips moved by the loudness and colour of a driving sound",
        modalities=("audio", "video"),
        needs_donor=True,
        needs_face=True,
        known_cues=(
            "resampled lower face",
            "inner mouth of other frames",
            "lips follow loudness alone: no closure at b, m and p",
            "room noise of another recording where the driver is one",
        ),
        params={},
        cost=0.04,
    )
    donor_streams: ClassVar[tuple[str, ...]] = ("audio",)

    def generate(self, job: Job) -> Outcome:
        """Forge one take.

        Raises:
            JobError: "face_not_found" without a track; "input_unsupported" without a donor, where its sound is
                shorter than the clip, or where the take's mouth hardly moves; "audio_invalid" for silence.
        """
        take, inside = job.take, frames_inside(job)
        track = face_of(job, self.spec.name)
        drive = drive_of(job, track, self.spec.name, inside)
        mover = MouthMover(take.frames, track, inside, _STORED)
        moved = reanimated(mover, track, drive.openings, drive.widths, inside)
        forged = Take(moved.frames, take.fps, drive.sound, take.sample_rate, moved.track, words_of(job))
        segments = (Segment(0.0, take.duration, Modality.VIDEO),)
        return Outcome(forged, LIPSYNC, segments, masks=moved.masks, details={"driver": job.relation})

    def sham(self, job: Job) -> Outcome:
        """See `generators.video.mouth_warp.sham_of_lips`; the sound stays."""
        return sham_of_lips(job, self.spec.name)


def face_of(job: Job, generator: str) -> FaceTrack:
    """The take's track.

    Raises:
        JobError: "face_not_found" without one.
    """
    if job.take.track is None:
        raise JobError("face_not_found", generator)
    return job.take.track


def words_of(job: Job) -> Speech | None:
    """The words that are heard after the donor's sound came under the picture."""
    return job.take.speech if job.relation == "self" or job.donor is None else job.donor.speech


def drive_of(job: Job, track: FaceTrack, generator: str, inside: range, least: float = MIN_RANGE) -> Drive:
    """What the donor's sound asks of the take's mouth.

    Args:
        job: With a donor.
        track: The take's points.
        generator: Who asks, for errors.
        inside: Frames that are driven.
        least: Range of the take's openings (5th to 95th percentile, in distances of the outer eye corners) below
            which it is refused.

    Raises:
        JobError: "input_unsupported" or "audio_invalid", see `generators.video.drive.driving_sound`.
    """
    take = job.take
    aspect = take.frames.shape[2] / take.frames.shape[1]
    own = opening(track, aspect)
    low, high = np.percentile(own[inside.start : inside.stop], [_LOW, _HIGH])
    if high - low < least:
        detail = f"the mouth's opening moves over {high - low:.3f} eye distances in this clip, {least:g} are needed"
        raise JobError("input_unsupported", generator, detail)
    sound = driving_sound(job, generator)
    openings = driven_opening(sound, take.sample_rate, take.fps, own, inside)
    widths = driven_width(sound, take.sample_rate, take.fps, mouth_width(track, aspect), inside)
    return Drive(sound, openings, widths)
