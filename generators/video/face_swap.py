"""Another face on the take's head: the donor's texture, bent to the take's own pose and expression."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from cmdfd.clip import REAL, Labels, Modality, Segment
from cmdfd.errors import JobError
from generators.generator import GeneratorSpec, Job, Outcome, Take
from generators.video.mesh_face import FaceState, Floats, best_path, pixels_of, smoothed
from generators.video.mesh_swap import (
    Colours,
    face_colours,
    face_triangles,
    moved_face,
    opacity,
    recoloured,
    to_lab,
    to_rgb,
)
from generators.video.mesh_warp import fetch, mixed
from generators.video.still_take import inside

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmdfd.faces.tracks import FaceTrack

#: Faces turned further than this (see `FaceState.yaw`; 1 is a profile) hide a side that a mesh cannot show.
MAX_YAW = 0.70
#: Largest usual difference in yaw between the take and the chosen donor frames; about 20 degrees.
MAX_TURN = 0.35
#: Prices of unlike frames: yaw, pitch (each around its own median), mouth opening, mouth width, lids.
_YAW, _PITCH, _OPENING, _WIDTH, _LIDS = 6.0, 5.0, 3.0, 2.0, 1.0
#: A cut between donor frames is a flicker of the texture: dearer than in a mouth.
_CUT, _REACH = 0.10, 8
#: Colours and landmarks are smoothed over this many frames, so that neither flickers.
_COLOUR_FRAMES, _MESH_FRAMES = 5.0, 0.7
#: The sham's drift in pixels; see there.
_DRIFT, _DRIFT_FRAMES = 0.5, 6.0


class FaceSwap:
    """Put the donor's face on the take's (the shape of FaceForensics++'s FaceSwap, on landmarks).

    For every frame the donor frame of nearest pose and expression is bent onto the take's landmarks, lips included,
    and the inside of the mouth stays the take's own. So the lips go on following the take's speech:
    `sync_mismatch` is 0, and so is `audio_label`. `identity_mismatch` is 1 where the donor is another person, since
    the voice stays. The mask holds the changed pixels of which more than half are the donor's.
    """

    spec = GeneratorSpec(
        name="video/face_swap",
        family="faceswap",
        summary="the donor's face on the take's head, moving with it; pixel mask",
        modalities=("video",),
        needs_donor=True,
        needs_face=True,
        known_cues=(
            "resampled face with the donor's noise",
            "outline, forehead, hair, glasses' temples and inner mouth stay the take's",
            "light and shadows of another recording",
            "cuts between donor frames",
        ),
        params={},
        cost=0.22,
        citation="Roessler et al. 2019, arXiv 1901.08971",
    )
    donor_streams: ClassVar[tuple[str, ...]] = ("frames", "track")

    def generate(self, job: Job) -> Outcome:
        """Forge one take.

        Raises:
            JobError: "face_not_found" without both faces, "input_unsupported" without a donor, where the donor is
                the take itself, or where the heads are turned too differently or too far.
        """
        track, donor, other = self._faces(job)
        take, frames = job.take, inside(job)
        if not len(frames):
            raise JobError("input_unsupported", self.spec.name, "the clip lies outside the take")
        ours, theirs = _pixels(take, track), _pixels(donor, other)
        path = self._path(FaceState.of(ours), FaceState.of(theirs), other.found, frames)
        mine = _colours(take.frames, ours, frames)
        used = sorted({int(index) for index in path})
        lent = dict(zip(used, (face_colours(donor.frames[index], theirs[index]) for index in used), strict=True))
        their_colours = _steady([lent[int(index)] for index in path])
        triangles = face_triangles(ours)
        out, masks = take.frames.copy(), np.zeros(take.frames.shape[:3], np.uint8)
        shape = (out.shape[1], out.shape[2])
        for rank, index in enumerate(frames):
            chosen = int(path[rank])
            face = moved_face(donor.frames[chosen], theirs[chosen], ours[index], triangles, shape)
            face = to_rgb(recoloured(to_lab(face), their_colours[rank], mine[rank]))
            alpha = opacity(ours[index], shape)
            out[index] = mixed(take.frames[index], face, alpha)
            masks[index] = ((alpha > 0.5) & (out[index] != take.frames[index]).any(axis=-1)) * np.uint8(255)
        forged = Take(out, take.fps, take.audio, take.sample_rate, track, take.speech)
        labels = Labels(1, 0, 1, 0, int(job.relation == "partner"))
        details = {"donor_frames": len(used), "cuts": int((np.abs(np.diff(path)) > 1).sum())}
        whole = Segment(0.0, take.duration, Modality.VIDEO)
        return Outcome(forged, labels, (whole,), masks, face_id=job.donor_face or None, details=details)

    def sham(self, job: Job) -> Outcome:
        """The take's own face, resampled with a drift of less than a pixel and laid on itself by the same blend.

        Raises:
            JobError: "face_not_found" without a track.
        """
        take, track = job.take, self._face(job.take, "take")
        frames, ours = inside(job), _pixels(take, track)
        colours = _colours(take.frames, ours, frames)
        drift = smoothed(job.rng.standard_normal((len(take.frames), 2)), _DRIFT_FRAMES)
        drift = _DRIFT * np.tanh(drift / np.maximum(drift.std(axis=0), 1e-9))
        out = take.frames.copy()
        ys, xs = np.indices(out.shape[1:3], np.float32)
        grid = np.stack([xs, ys], axis=-1)
        for rank, index in enumerate(frames):
            face = to_lab(fetch(take.frames[index], grid + drift[index].astype(np.float32)))
            face = recoloured(face, colours[rank], colours[rank])
            out[index] = mixed(take.frames[index], to_rgb(face), opacity(ours[index], out.shape[1:3]))
        return Outcome(Take(out, take.fps, take.audio, take.sample_rate, track, take.speech), REAL, ())

    def _faces(self, job: Job) -> tuple[FaceTrack, Take, FaceTrack]:
        donor = job.donor
        if donor is None:
            raise JobError("input_unsupported", self.spec.name, "there is no other face: name a donor")
        if donor is job.take or job.relation == "self":
            raise JobError("input_unsupported", self.spec.name, "the donor is the take itself: name another one")
        return self._face(job.take, "take"), donor, self._face(donor, "donor")

    def _face(self, take: Take, whose: str) -> FaceTrack:
        if take.track is None or not take.track.found.any():
            raise JobError("face_not_found", self.spec.name, f"no face was found in the {whose}")
        return take.track

    def _path(self, ours: FaceState, theirs: FaceState, found: NDArray[np.bool_], frames: range) -> NDArray[np.int64]:
        """The donor frame of every frame that is drawn."""
        chosen = slice(frames.start, frames.stop)
        for whose, yaw in (("take", ours.yaw[chosen]), ("donor", theirs.yaw[found])):
            turned = float(np.median(np.abs(yaw)))
            if turned > MAX_YAW:
                detail = f"the {whose}'s face is turned too far aside ({turned:.2f}, at most {MAX_YAW:.2f})"
                raise JobError("input_unsupported", self.spec.name, detail)
        cost = _YAW * _apart(ours.yaw[chosen], theirs.yaw)
        cost += _PITCH * _apart((ours.pitch - np.median(ours.pitch))[chosen], theirs.pitch - np.median(theirs.pitch))
        cost += _OPENING * _apart(ours.opening[chosen], theirs.opening)
        cost += _WIDTH * _apart(_relative(ours.width)[chosen], _relative(theirs.width))
        cost += _LIDS * _apart(_relative(ours.eyes)[chosen], _relative(theirs.eyes))
        path = best_path(cost + np.where(found, 0.0, 10.0)[None, :], _CUT, _REACH)
        turn = float(np.median(np.abs(ours.yaw[chosen] - theirs.yaw[path])))
        if turn > MAX_TURN:
            detail = f"the heads are turned too differently ({turn:.2f}, at most {MAX_TURN:.2f})"
            raise JobError("input_unsupported", self.spec.name, detail)
        return path


def _pixels(take: Take, track: FaceTrack) -> Floats:
    return pixels_of(track, take.frames.shape[2], take.frames.shape[1], _MESH_FRAMES)


def _apart(one: Floats, other: Floats) -> NDArray[np.float64]:
    return np.abs(one[:, None].astype(np.float64) - other[None, :])


def _relative(values: Floats) -> Floats:
    return np.asarray(values / max(float(np.median(values)), 1e-3), np.float32)


def _colours(pictures: NDArray[np.uint8], pixels: Floats, frames: range) -> list[Colours]:
    return _steady([face_colours(pictures[index], pixels[index]) for index in frames])


def _steady(colours: list[Colours]) -> list[Colours]:
    """Colours smoothed over time."""
    table = np.array([[each.mean, each.spread] for each in colours])
    calm = smoothed(table, _COLOUR_FRAMES).astype(np.float64)
    return [Colours(mean, spread) for mean, spread in calm]
