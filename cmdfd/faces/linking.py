"""From faces in single frames to one track per person, and the choice of the person who counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from cmdfd.errors import MediaError
from cmdfd.faces.tracks import FaceTrack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: What to do with several people: "single" refuses the file, "largest" keeps the largest face.
FaceRule = Literal["single", "largest"]


@dataclass(frozen=True, slots=True)
class LinkRules:
    """How detections become tracks. All of it is the project's choice, checked on its real clips.

    Args:
        min_iou: Least intersection over union of the boxes of two frames' points for one person (MDS asks .5 of
            detector boxes at full rate; points jump further across a gap).
        duplicate_iou: Two faces of one frame that overlap this much are one face found twice.
        max_gap: Seconds without a detection that are bridged by interpolation. 20 % of a take of 3.8 s, the share
            that `MIN_FOUND` lets be missing, is shorter: a longer bridge could not be used anyway.
        min_seconds: A track found for less time than this is a flicker, not a person.
    """

    min_iou: float = 0.3
    duplicate_iou: float = 0.6
    max_gap: float = 1.0
    min_seconds: float = 0.2


#: Least share of the frames in which the main face must be found.
MIN_FOUND = 0.8
#: A second person seen in more than this share of the frames makes a file unfit (rule "single").
MAX_SECOND = 0.3


@dataclass(slots=True)
class _Open:
    """A track under construction: frame numbers and points."""

    frames: list[int] = field(default_factory=list)
    points: list[NDArray[np.float32]] = field(default_factory=list)

    def add(self, frame: int, points: NDArray[np.float32]) -> None:
        self.frames.append(frame)
        self.points.append(points)


def box_iou(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Intersection over union of the boxes around two sets of points [n, 2]; 0 where a box has no area."""
    low = np.maximum(a.min(axis=0), b.min(axis=0))
    high = np.minimum(a.max(axis=0), b.max(axis=0))
    shared = float(np.prod(np.maximum(high - low, 0.0)))
    union = float(np.prod(np.ptp(a, axis=0)) + np.prod(np.ptp(b, axis=0))) - shared
    return shared / union if union > 0 else 0.0


def link(
    detections: Sequence[Sequence[NDArray[np.float32]]],
    times: NDArray[np.float64],
    backend: str,
    rules: LinkRules | None = None,
) -> list[FaceTrack]:
    """Link the faces of single frames to tracks, the pairs of highest overlap first.

    Args:
        detections: For each frame the faces found, [68, 2] in fractions of the picture.
        times: [T] seconds, increasing.
        backend: Written into the tracks.
        rules: Thresholds.

    Returns:
        One track per person, the most often found first. Every track covers all T frames: gaps are interpolated
        linearly, the ends hold the first and last points found, and `found` tells which points were seen.
    """
    rules = rules or LinkRules()
    if len(detections) != len(times):
        raise ValueError(f"{len(detections)} frames of detections, {len(times)} times")
    tracks: list[_Open] = []
    for frame, faces in enumerate(detections):
        alive = [track for track in tracks if times[frame] - times[track.frames[-1]] <= rules.max_gap]
        _extend(tracks, alive, frame, _without_duplicates(faces, rules.duplicate_iou), rules.min_iou)
    step = float(np.median(np.diff(times))) if len(times) > 1 else rules.min_seconds
    least = min(max(round(rules.min_seconds / max(step, 1e-6)), 1), len(times))
    kept = [track for track in tracks if len(track.frames) >= least]
    kept.sort(key=lambda track: (-len(track.frames), track.frames[0], float(track.points[0][:, 0].min())))
    return [_close(track, times, backend) for track in kept]


def _without_duplicates(faces: Sequence[NDArray[np.float32]], most: float) -> list[NDArray[np.float32]]:
    kept: list[NDArray[np.float32]] = []
    for face in faces:
        if np.isfinite(face).all() and all(box_iou(face, other) < most for other in kept):
            kept.append(face)
    return kept


def _extend(
    tracks: list[_Open], alive: Sequence[_Open], frame: int, faces: Sequence[NDArray[np.float32]], least: float
) -> None:
    pairs = [(box_iou(track.points[-1], face), i, j) for i, track in enumerate(alive) for j, face in enumerate(faces)]
    used_tracks: set[int] = set()
    used_faces: set[int] = set()
    for iou, i, j in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
        if iou >= least and i not in used_tracks and j not in used_faces:
            alive[i].add(frame, faces[j])
            used_tracks.add(i)
            used_faces.add(j)
    for j, face in enumerate(faces):
        if j not in used_faces:
            fresh = _Open()
            fresh.add(frame, face)
            tracks.append(fresh)


def _close(track: _Open, times: NDArray[np.float64], backend: str) -> FaceTrack:
    found = np.zeros(len(times), bool)
    found[track.frames] = True
    seen = FaceTrack(times[track.frames], np.stack(track.points), found[track.frames], backend)
    return FaceTrack(times, seen.at(times).points.astype(np.float32), found, backend)


def main_track(tracks: Sequence[FaceTrack], file: object, rule: FaceRule = "single") -> FaceTrack:
    """Choose the person who counts.

    Args:
        tracks: All tracks of a clip.
        file: Named in the error.
        rule: "single" refuses a clip in which a second person is seen in more than 30 % of the frames; "largest"
            keeps, of all faces that are seen often enough, the one whose box is largest (median over time).

    Returns:
        A track that is found in at least 80 % of the frames.

    Raises:
        MediaError: `no_face` or `many_faces`.
    """
    shares = [float(np.mean(track.found)) if len(track.found) else 0.0 for track in tracks]
    if not tracks or max(shares) < MIN_FOUND:
        best = max(shares, default=0.0)
        raise MediaError("no_face", file, f"a face in {best:.0%} of the frames; {MIN_FOUND:.0%} are needed")
    enough = [track for track, share in zip(tracks, shares, strict=True) if share >= MIN_FOUND]
    chosen = max(enough, key=_area)
    others = [share for track, share in zip(tracks, shares, strict=True) if track is not chosen]
    if rule == "single" and others and max(others) > MAX_SECOND:
        detail = f"a second face in {max(others):.0%} of the frames; use faces: largest to keep the largest one"
        raise MediaError("many_faces", file, detail)
    return chosen


def _area(track: FaceTrack) -> float:
    return float(np.median(np.prod(np.ptp(track.points, axis=1), axis=1)))
