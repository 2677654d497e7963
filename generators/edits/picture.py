"""Editing the picture: which picture stands where, lips moved to new words, dissolves, masks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cmdfd.errors import JobError
from cmdfd.faces.tracks import FaceTrack
from generators.video.lips import MouthMover, opening
from generators.video.mouth_warp import MIN_RANGE, changed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from generators.edits.edit_list import EditList
    from generators.generator import Take

#: Openings are compared between these percentiles, and may exceed the take's own range by this share.
_LOW, _HIGH, _OVERSHOOT = 5.0, 95.0, 0.1
#: A null edit draws the lips this far from where they are, in distances of the outer eye corners: a third of a pixel
#: in a picture of 224 pixels, so that it is resampled like a forged one and still shows the same.
NULL_SHIFT = 0.006
#: Holes of a mask that are closed, pixels.
_CLOSE = 7


@dataclass(frozen=True, slots=True)
class Stretch:
    """Pictures of the output that are new.

    Args:
        first: First picture.
        end: Picture behind the last one.
        inserted: Whether there was no picture in the source at that time.
    """

    first: int
    end: int
    inserted: bool

    @property
    def frames(self) -> range:
        """The pictures."""
        return range(self.first, self.end)


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """Which picture stands where.

    Args:
        lent: [T] bool, True for pictures of the donor.
        index: [T] picture of the take, or of the donor where `lent`.
        stretches: New pictures, one stretch for every edit but deletions.
        cuts: Pictures before which the recording jumps.
    """

    lent: NDArray[np.bool_]
    index: NDArray[np.int64]
    stretches: tuple[Stretch, ...]
    cuts: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Edited:
    """The edited picture.

    Args:
        frames: [T, H, W, 3] uint8.
        track: Its face points, None where they are not known.
        masks: [T, H, W] uint8.
        stretches: Like those of the order, cut to the pictures that differ.
    """

    frames: NDArray[np.uint8]
    track: FaceTrack | None
    masks: NDArray[np.uint8]
    stretches: tuple[Stretch | None, ...]


def order(edits: EditList, n_frames: int, fps: float, lent_starts: Sequence[float | None] | None) -> Order:
    """Lay out the pictures of an edited recording.

    Args:
        edits: What was edited.
        n_frames: Pictures of the source and of the output.
        fps: Pictures per second.
        lent_starts: Seconds of the donor for the pictures of every edit; None keeps to the take's own ones.

    Returns:
        Pictures behind the end repeat the last one; what is pushed out at the end is gone.
    """
    places: list[tuple[bool, int]] = []
    stretches, cuts, at = [], [], 0
    for number, edit in enumerate(edits.edits):
        first = nearest_frame(edit.source_start, fps)
        places += [(False, n) for n in range(at, first)]
        at = nearest_frame(edit.source_end, fps)
        n = at - first if edit.op == "replace" else round((edit.end - edit.start) * fps)
        start = lent_starts[number] if lent_starts is not None else None
        if start is not None:
            new: Sequence[int] = range(round(start * fps), round(start * fps) + n)
            cuts += [len(places), len(places) + n]
        elif edit.op == "replace":
            new = range(first, at)
        else:
            new = back_and_forth(first, n) if n else range(0)
            cuts += [] if n else [len(places)]
        if n:
            stretches.append(Stretch(len(places), len(places) + n, edit.op == "insert"))
        places += [(start is not None, n) for n in new]
    places += [(False, n) for n in range(at, n_frames)]
    places += [(False, n_frames - 1)] * (n_frames - len(places))
    lent, index = zip(*places[:n_frames], strict=True)
    return Order(np.array(lent), np.array(index, np.int64), tuple(stretches), tuple(dict.fromkeys(cuts)))


def nearest_frame(seconds: float, fps: float) -> int:
    """The border between pictures that is nearest to a moment; a tie goes up, also where rounding blurs it."""
    return math.floor(seconds * fps + 0.5 + 1e-6)


def back_and_forth(first: int, n: int) -> list[int]:
    """`n` pictures to put before picture `first` without a jump: from the one before it some way back and again there.

    Where there are too few before it, the way leads forward and back.
    """
    m = n // 2
    down = [*range(1, m + 1), *([m] if n % 2 else []), *range(m - 1, -1, -1)]
    if first - 1 - m >= 0:
        return [first - 1 - step for step in down]
    up = [*range(m), *([m - 1] if n % 2 else []), *range(m - 2, -2, -1)]
    return [max(first + step, 0) for step in up[:n]]


class PictureEditor:
    """Draws an edited picture.

    Args:
        take: The target.
        donor: Whose pictures are lent, or None.
        layout: Which picture stands where.
        name: The generator's name, for refusals.
    """

    def __init__(self, take: Take, donor: Take | None, layout: Order, name: str) -> None:
        self.take, self.donor, self.layout, self.name = take, donor, layout, name
        self.before = take.frames[np.where(layout.lent, 0, layout.index)]
        if donor is not None and layout.lent.any():
            self.before[layout.lent] = donor.frames[layout.index[layout.lent]]
        self.frames = self.before.copy()
        self.points = self._points()

    def _points(self) -> NDArray[np.float32] | None:
        if self.take.track is None:
            return None
        points = self.take.track.points[np.where(self.layout.lent, 0, self.layout.index)]
        if self.layout.lent.any():
            if self.donor is None or self.donor.track is None:
                return None
            points[self.layout.lent] = self.donor.track.points[self.layout.index[self.layout.lent]]
        return points

    def move_lips(self, wanted: NDArray[np.float64]) -> None:
        """Move the lips in all new pictures of the take to wanted openings [T]; the first and last go half way."""
        track = self.take.track
        assert track is not None and self.points is not None  # noqa: S101 - `own_openings` refused
        height, width = self.take.frames.shape[1:3]
        mover = MouthMover(self.take.frames, track, range(len(self.take.frames)))
        scale = np.array([width, height], np.float32)
        for n, weight in _eased(self.layout.stretches):
            source = int(self.layout.index[n])
            own = float(mover.openings[source])
            picture, moved = mover.move(source, own + weight * (float(wanted[n]) - own))
            self.frames[n] = picture
            self.points[n] = moved / scale

    def dissolve(self, n: int) -> None:
        """Cross-dissolve `n` pictures around every cut, from both sides' own pictures beyond the cut."""
        half = n // 2
        total = len(self.frames)
        for cut in self.layout.cuts:
            for step in range(-half, half):
                at = cut + step
                if not (0 < cut < total and 0 <= at < total):
                    continue
                left, right = self._beyond(cut - 1, step + 1), self._beyond(cut, step)
                weight = (step + half + 0.5) / n
                self.frames[at] = cv2.addWeighted(left, 1 - weight, right, weight, 0)

    def _beyond(self, at: int, step: int) -> NDArray[np.uint8]:
        """The picture that would stand `step` behind that at `at`, were there no cut."""
        lent, index = bool(self.layout.lent[at]), int(self.layout.index[at]) + step
        frames = self.donor.frames if lent and self.donor is not None else self.take.frames
        return np.asarray(frames[min(max(index, 0), len(frames) - 1)])

    def finish(self) -> Edited:
        """Compare with the genuine pictures and put the parts together."""
        masks = np.zeros(self.frames.shape[:3], np.uint8)
        kernel = np.ones((_CLOSE, _CLOSE), np.uint8)
        new = (self.frames != self.before).any(axis=(1, 2, 3))
        for n in np.flatnonzero(new):
            masks[n] = changed(self.before[n], self.frames[n], kernel)
        whole = self.layout.lent.copy()
        for stretch in self.layout.stretches:
            whole[stretch.first : stretch.end] |= stretch.inserted
        masks[whole] = 255
        new |= whole
        return Edited(self.frames, self._track(), masks, tuple(_shown(one, new) for one in self.layout.stretches))

    def _track(self) -> FaceTrack | None:
        track = self.take.track
        if track is None or self.points is None:
            return None
        found = track.found[np.where(self.layout.lent, 0, self.layout.index)]
        if self.donor is not None and self.donor.track is not None and self.layout.lent.any():
            found[self.layout.lent] = self.donor.track.found[self.layout.index[self.layout.lent]]
        return FaceTrack(track.times, self.points, found, track.backend)


def _eased(stretches: Sequence[Stretch]) -> Iterator[tuple[int, float]]:
    for stretch in stretches:
        for n in stretch.frames:
            yield n, 0.5 if n in {stretch.first, stretch.end - 1} else 1.0


def _shown(stretch: Stretch, new: NDArray[np.bool_]) -> Stretch | None:
    """A stretch without pictures at its ends that came out the same; None where all did."""
    different = np.flatnonzero(new[stretch.first : stretch.end])
    if not len(different):
        return None
    first, last = stretch.first + int(different[0]), stretch.first + int(different[-1])
    return Stretch(first, last + 1, stretch.inserted)


def own_openings(take: Take, name: str) -> NDArray[np.float64]:
    """Mouth opening in every picture of a take.

    Raises:
        JobError: "face_not_found" without a track, "input_unsupported" where the mouth hardly moves.
    """
    if take.track is None:
        raise JobError("face_not_found", name)
    height, width = take.frames.shape[1:3]
    own = opening(take.track, width / height)
    low, high = np.percentile(own, [_LOW, _HIGH])
    if high - low < MIN_RANGE:
        raise JobError("input_unsupported", name, "the mouth hardly moves in this take")
    return own


def lent_openings(own: NDArray[np.float64], donor: FaceTrack, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """A donor's mouth openings at its own times, brought to the range of the take's.

    Args:
        own: [T] openings of the take.
        donor: The donor's face.
        times: [K] seconds of the donor.

    Returns:
        [K] openings in the unit of `own`.
    """
    all_of_it = opening(donor, 1.0)
    there = opening(donor.at(times), 1.0)
    low, high = np.percentile(own, [_LOW, _HIGH])
    other_low, other_high = np.percentile(all_of_it, [_LOW, _HIGH])
    scaled = low + (there - other_low) * (high - low) / max(float(other_high - other_low), 1e-6)
    return np.asarray(np.clip(scaled, max(float(own.min()), 0.0), high + _OVERSHOOT * (high - low)))
