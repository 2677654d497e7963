"""Video-Rewrite: a mouth that speaks to a sound, made of the speaker's own frames (Bregler, Covell, Slaney 1997)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from cmdfd.clip import REAL, Modality, Segment
from cmdfd.errors import JobError
from cmdfd.faces.tracks import FaceTrack
from generators.generator import GeneratorSpec, Job, Outcome, Take
from generators.video.face_frame import FaceFrame, mouth_width, opening
from generators.video.lip_warp import LIPSYNC, drive_of, face_of, words_of
from generators.video.mouth_choice import Mouths, choose
from generators.video.mouth_paste import LOWER_FACE, RIGID_POINTS, paste, similarity
from generators.video.mouth_warp import frames_inside

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from generators.video.face_frame import Floats

#: Range of the take's openings, 5th to 95th percentile in distances of the outer eye corners, from which on it has
#: mouths to choose from.
MIN_CHOICE = 0.035
_NOSE_TIP = 30
#: A sham shifts the pasted lower face by at most this many pixels, so that it is resampled as in a fake.
_SHAM_PIXELS = 0.4


class VideoRewrite:
    """Let a sound choose the mouths of a take among the take's own frames.

    The same contract as `video/lip_warp`: the donor's sound comes under the picture, and openings and widths are
    asked for that follow it. A best path through all frames of the take serves them: mouths of the wanted opening and
    width, heads turned alike, frames in their own order where possible. Each chosen lower face is placed by points
    that speech does not move, made as light as its surroundings at its rim, and blended in. `details` holds the
    source frame of every frame (itself outside of the clip's window and where nothing better was found).

    The mask is 255 where the other frame has more than half of the opacity; frames that stay themselves have none.
    """

    spec = GeneratorSpec(
        name="video/rewrite",
        family="lipsync",
        summary="mouths of the speaker's own frames, chosen by a driving sound",
        modalities=("audio", "video"),
        needs_donor=True,
        needs_face=True,
        known_cues=(
            "blended rim around the lower face",
            "lower face repeats frames of the same recording",
            "lips follow loudness alone: no closure at b, m and p",
            "room noise of another recording where the driver is one",
        ),
        params={},
        cost=0.055,
        citation="Bregler, Covell, Slaney: Video Rewrite, SIGGRAPH 1997",
    )
    donor_streams: ClassVar[tuple[str, ...]] = ("audio",)

    def generate(self, job: Job) -> Outcome:
        """Forge one take.

        Raises:
            JobError: "face_not_found" without a track; "input_unsupported" without a donor, where its sound is
                shorter than the clip, or where the mouth's opening ranges over less than `MIN_CHOICE`;
                "audio_invalid" for silence; "output_identical" where every frame serves best as it is.
        """
        take, inside = job.take, frames_inside(job)
        track = face_of(job, self.spec.name)
        drive = drive_of(job, track, self.spec.name, inside, MIN_CHOICE)
        pixels = _pixels(take, track)
        mouths = _mouths(take, track, pixels)
        path = choose(mouths, drive.openings, mouths.widths * drive.widths, inside)
        sources = np.arange(len(take.frames))
        sources[inside.start : inside.stop] = path
        if (sources == np.arange(len(sources))).all():
            raise JobError("output_identical", self.spec.name, "every frame of the take serves best as it is")
        new = _rewritten(take, track, pixels, sources)
        follows = FaceTrack(track.times, new.points, track.found, track.backend)
        forged = Take(new.frames, take.fps, drive.sound, take.sample_rate, follows, words_of(job))
        details = {"driver": job.relation, "source_frames": [int(index) for index in sources]}
        return Outcome(
            forged, LIPSYNC, (Segment(0.0, take.duration, Modality.VIDEO),), masks=new.masks, details=details
        )

    def sham(self, job: Job) -> Outcome:
        """Paste every lower face into its own frame, off by less than half a pixel; the sound stays.

        Raises:
            JobError: "face_not_found" without a track.
        """
        take = job.take
        pixels = _pixels(take, face_of(job, self.spec.name))
        frames = take.frames.copy()
        for index in frames_inside(job):
            shift = job.rng.uniform(-_SHAM_PIXELS, _SHAM_PIXELS, 2)
            affine = np.array([[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]]])
            frames[index] = paste(take.frames[index], pixels[index], take.frames[index], pixels[index], affine).picture
        return Outcome(replace(take, frames=frames), REAL, ())


@dataclass(frozen=True, slots=True, eq=False)
class _Rewritten:
    """Pictures [T, H, W, 3], the points [T, 68, 2] that follow them (fractions), and the masks [T, H, W]."""

    frames: NDArray[np.uint8]
    points: Floats
    masks: NDArray[np.uint8]


def _rewritten(take: Take, track: FaceTrack, pixels: Floats, sources: NDArray[np.int64]) -> _Rewritten:
    """Every frame with the lower face of its source; those that are their own source stay."""
    frames, points = take.frames.copy(), track.points.copy()
    masks = np.zeros(frames.shape[:3], np.uint8)
    size = np.array([frames.shape[2], frames.shape[1]], np.float32)
    rigid, lower = list(RIGID_POINTS), list(LOWER_FACE)
    for index, other in enumerate(sources.tolist()):
        if other == index:
            continue
        affine = similarity(pixels[other][rigid], pixels[index][rigid])
        patch = paste(take.frames[index], pixels[index], take.frames[other], pixels[other], affine)
        frames[index], masks[index] = patch.picture, patch.mask
        points[index, lower] = patch.points[lower] / size
    return _Rewritten(frames, points, masks)


def _pixels(take: Take, track: FaceTrack) -> Floats:
    """Landmarks [T, 68, 2] in pixels."""
    return np.asarray(track.points * np.array([take.frames.shape[2], take.frames.shape[1]], np.float32))


def _mouths(take: Take, track: FaceTrack, pixels: Floats) -> Mouths:
    aspect = take.frames.shape[2] / take.frames.shape[1]
    # where the nose's tip lies between the eyes tells how the head is turned and nods
    pose = np.array([FaceFrame.of(points).points[_NOSE_TIP] for points in pixels], np.float64)
    return Mouths(opening(track, aspect), mouth_width(track, aspect), pose)
