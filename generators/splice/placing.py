"""Where a donor's face comes to lie on a take's: motion-tracked by points that speech does not move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.errors import JobError
from generators.splice.motion import longest_gap
from generators.video.mesh_face import FaceState, pixels_of
from generators.video.mesh_warp import Floats, Similarity, similarity
from generators.video.mouth_paste import RIGID_POINTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmdfd.faces.tracks import FaceTrack
    from generators.generator import Take

#: Faces turned further than this (see `FaceState.yaw`; 1 is a profile) hide a side.
MAX_YAW = 0.70
#: Largest usual difference in yaw between take and donor; about 20 degrees. A paste cannot turn a head.
MAX_TURN = 0.35
#: Pictures in a row for which points may be guessed: a blink of the tracker, not a face that has gone.
MAX_GAP = 5
#: A donor's face is not enlarged by more than this.
MAX_ENLARGE = 2.5
#: An editor also stretches what he pastes; no more than by this factor per side.
_STRETCH = 1.2
#: Landmarks are smoothed over this many frames.
_FRAMES = 0.7
#: Prices of unlike poses when the donor's stretch is chosen: yaw, pitch around its median.
_YAW, _PITCH = 1.0, 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Placing:
    """The donor's frame for every frame of the take's window, and where it goes.

    Args:
        ours: [T, 68, 2] the take's landmarks in pixels.
        theirs: [N, 68, 2] the donor's.
        source: [n] donor's frame for each frame of the window.
        affines: [n, 2, 3] maps of the donor's pixels to the take's.
    """

    ours: Floats
    theirs: Floats
    source: NDArray[np.int64]
    affines: NDArray[np.float64]

    def lent(self, rank: int) -> Floats:
        """[68, 2] where the donor's points come to lie in the window's frame `rank`."""
        affine = self.affines[rank]
        points = self.theirs[int(self.source[rank])]
        return np.asarray(points @ affine[:, :2].T + affine[:, 2], np.float32)


def face_of(take: Take, whose: str, frames: range | None, generator: str) -> FaceTrack:
    """The track of a take.

    Raises:
        JobError: "face_not_found" without one, or where it was lost for more than `MAX_GAP` frames in `frames`.
    """
    track = take.track
    if track is None or not track.found.any():
        raise JobError("face_not_found", generator, f"no face was found in the {whose}")
    found = track.found if frames is None else track.found[frames.start : frames.stop]
    gap = longest_gap(found)
    if gap > MAX_GAP:
        detail = f"the {whose}'s face was lost for {gap} pictures in a row, {MAX_GAP} can be bridged"
        raise JobError("face_not_found", generator, detail)
    return track


def place(take: Take, donor: Take, frames: range, generator: str) -> Placing:
    """Place a donor's moving face on a take's.

    The donor plays on in its own time, from the moment on at which its poses are likest; one similarity for each
    frame puts its eyes' corners and nose where the take's are, and one stretch for the whole clip, of the outline's
    median, makes it as wide and long. Lips are never read.

    Raises:
        JobError: "face_not_found" without tracks or where one was lost for long, "input_unsupported" where the donor
            is too short or too small, or heads are turned too far or too differently.
    """
    track = face_of(take, "take", frames, generator)
    other = face_of(donor, "donor", None, generator)
    ours = pixels_of(track, take.frames.shape[2], take.frames.shape[1], _FRAMES)
    theirs = pixels_of(other, donor.frames.shape[2], donor.frames.shape[1], _FRAMES)
    mine, lent = FaceState.of(ours), FaceState.of(theirs)
    source = _source(mine, lent, take.fps, donor, other.found, frames, generator)
    _check_turn(mine.yaw[frames.start : frames.stop], lent.yaw[source], generator)
    enlarge = float(np.median(mine.unit[frames.start : frames.stop] / lent.unit[source]))
    if enlarge > MAX_ENLARGE:
        detail = f"the donor's face would be enlarged {enlarge:.1f} times, at most {MAX_ENLARGE:g}; use a closer donor"
        raise JobError("input_unsupported", generator, detail)
    link = _stretched(np.median(mine.inside, axis=0), np.median(lent.inside, axis=0))
    rigid = list(RIGID_POINTS)
    # each head's own frame, from its median shape: hundreds of noisy points make it, and it holds for the whole clip
    donors, takes = (np.asarray(100 * np.median(each.inside, axis=0)[rigid], np.float32) for each in (lent, mine))
    affines = [
        _chained(similarity(theirs[int(other)][rigid], donors), np.diag(link), similarity(takes, ours[index][rigid]))
        for other, index in zip(source, frames, strict=True)
    ]
    return Placing(ours, theirs, source, np.array(affines))


def _chained(back: Similarity, link: NDArray[np.floating], there: Similarity) -> NDArray[np.float64]:
    linear = there.linear.astype(np.float64) @ link @ back.linear
    move = there.linear.astype(np.float64) @ (link @ back.move) + there.move
    return np.column_stack([linear, move])


def _stretched(mine: Floats, lent: Floats) -> Floats:
    """How much wider and longer the donor's face must become, apart from the distance of the eyes."""
    wide = (mine[16, 0] - mine[0, 0]) / max(float(lent[16, 0] - lent[0, 0]), 1e-3)
    long = mine[8, 1] / max(float(lent[8, 1]), 1e-3)
    return np.clip(np.array([wide, long], np.float32), 1 / _STRETCH, _STRETCH)


def _source(
    mine: FaceState,
    lent: FaceState,
    fps: float,
    donor: Take,
    found: NDArray[np.bool_],
    frames: range,
    generator: str,
) -> NDArray[np.int64]:
    step = donor.fps / fps
    needed = int(np.floor((len(frames) - 1) * step)) + 1
    room = len(lent.yaw) - needed
    if room < 0:
        seconds = needed / donor.fps
        detail = f"the donor shows {donor.duration:.2f} s, the clip needs {seconds:.2f} s; use a longer one"
        raise JobError("input_unsupported", generator, detail)
    played = np.floor(np.arange(len(frames)) * step + 1e-6).astype(np.int64)
    chosen = slice(frames.start, frames.stop)
    pitch, other = mine.pitch - np.median(mine.pitch), lent.pitch - np.median(lent.pitch)
    costs = np.array(
        [
            _YAW * float(np.abs(mine.yaw[chosen] - lent.yaw[played + first]).mean())
            + _PITCH * float(np.abs(pitch[chosen] - other[played + first]).mean())
            for first in range(room + 1)
        ]
    )
    gaps = [longest_gap(found[first : first + needed]) for first in range(room + 1)]
    costs[np.array(gaps) > MAX_GAP] = np.inf
    if not np.isfinite(costs).any():
        detail = f"the donor's face is lost for more than {MAX_GAP} pictures in a row wherever the clip could begin"
        raise JobError("face_not_found", generator, detail)
    return np.asarray(played + int(np.argmin(costs)), np.int64)


def _check_turn(mine: Floats, lent: Floats, generator: str) -> None:
    for whose, yaw in (("take", mine), ("donor", lent)):
        turned = float(np.median(np.abs(yaw)))
        if turned > MAX_YAW:
            detail = f"the {whose}'s face is turned too far aside ({turned:.2f}, at most {MAX_YAW:.2f})"
            raise JobError("input_unsupported", generator, detail)
    apart = float(np.median(np.abs(mine - lent)))
    if apart > MAX_TURN:
        detail = f"the heads are turned too differently ({apart:.2f}, at most {MAX_TURN:.2f}); use another donor"
        raise JobError("input_unsupported", generator, detail)
