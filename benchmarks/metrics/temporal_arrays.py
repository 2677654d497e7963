"""Forged stretches and proposals of many videos as flat arrays, checked once.

What is refused, with the number of the first bad row: NaN or infinite times and confidences, a segment that ends where
it starts or earlier, a video number that is negative or not below `n_videos`, and (in `Truth` only) the same stretch of
a video twice. What is taken as it is: rows in any order, a video without truth (all its proposals are false), a video
without proposals (all its stretches are missed), and a proposal that is given twice (the copy is a false positive, and
it takes one of the places of AR@N).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


#: Larger times are no seconds; with them the arithmetic of overlaps could overflow.
MAX_SECONDS = 1e12


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The forged stretches, as `Truth.of` checks them.

    Args:
        video: [L] number of the video, 0 to n_videos - 1.
        start: [L] seconds.
        end: [L] seconds, > start.
    """

    video: NDArray[np.int64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]

    @classmethod
    def of(
        cls, video: ArrayLike, start: ArrayLike, end: ArrayLike, *, n_videos: int, duplicates: bool = False
    ) -> Truth:
        """Check the stretches.

        Args:
            video: [L] whole numbers, any order.
            start: [L] seconds.
            end: [L] seconds.
            n_videos: Number of videos, those without truth included.
            duplicates: Take the same stretch of a video twice (then it has to be found twice).

        Raises:
            ValueError: As the module's text says, with the row.
        """
        places = _videos("truth", video, n_videos)
        starts, ends = _segments("truth", start, end, len(places))
        if not duplicates and len(places) > 1:
            order = np.lexsort((ends, starts, places))
            a, b = order[:-1], order[1:]
            same = (places[a] == places[b]) & (starts[a] == starts[b]) & (ends[a] == ends[b])
            if same.any():
                k = int(np.argmax(same))
                rows = sorted((int(a[k]), int(b[k])))
                raise ValueError(
                    f"truth rows {rows[0]} and {rows[1]}: video {places[a[k]]} has the stretch "
                    f"[{starts[a[k]]}, {ends[a[k]]}] twice; give it once"
                )
        return cls(places, starts, ends)


@dataclass(frozen=True, slots=True, eq=False)
class Proposals:
    """What a detector calls forged, as `Proposals.of` checks it.

    Args:
        video: [P] number of the video, 0 to n_videos - 1.
        start: [P] seconds.
        end: [P] seconds, > start.
        confidence: [P] finite, higher = surer.
    """

    video: NDArray[np.int64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    confidence: NDArray[np.float64]

    @classmethod
    def of(
        cls, video: ArrayLike, start: ArrayLike, end: ArrayLike, confidence: ArrayLike, *, n_videos: int
    ) -> Proposals:
        """Check the proposals.

        Args:
            video: [P] whole numbers, any order.
            start: [P] seconds.
            end: [P] seconds.
            confidence: [P].
            n_videos: Number of videos, those without proposals included.

        Raises:
            ValueError: As the module's text says, with the row.
        """
        places = _videos("proposal", video, n_videos)
        starts, ends = _segments("proposal", start, end, len(places))
        surety = _numbers("proposal", "confidence", confidence, len(places))
        _refuse("proposal", ~np.isfinite(surety), "the confidence is {}; it must be finite", surety)
        return cls(places, starts, ends, surety)


def _refuse(what: str, bad: NDArray[np.bool_], text: str, *columns: NDArray[np.generic]) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(f"{what} row {row}: " + text.format(*(column[row] for column in columns)))


def _numbers(what: str, name: str, values: ArrayLike, n: int) -> NDArray[np.float64]:
    array = np.asarray(values)
    if array.size == 0:
        array = array.astype(np.float64)
    if array.dtype.kind not in "iuf" or array.shape != (n,):
        raise ValueError(f"{what} {name} must be {n} numbers, got {array.dtype} of shape {array.shape}")
    return array.astype(np.float64, copy=False)


def _videos(what: str, video: ArrayLike, n_videos: int) -> NDArray[np.int64]:
    array = np.asarray(video)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise ValueError(f"{what} video must be whole numbers in one dimension, got {array.dtype} {array.shape}")
    if len(array) and (int(array.min()) < 0 or int(array.max()) >= n_videos):
        bad = (array < 0) | (array >= n_videos)
        _refuse(what, bad, f"there is no video {{}}; they are numbered 0 to {n_videos - 1}", array)
    return array.astype(np.int64, copy=False)


def _segments(what: str, start: ArrayLike, end: ArrayLike, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    starts, ends = _numbers(what, "start", start, n), _numbers(what, "end", end, n)
    if not (ends > starts).all() or _largest(starts, ends) > MAX_SECONDS:
        finite = np.isfinite(starts) & np.isfinite(ends)
        _refuse(what, ~finite, "the segment is [{}, {}]; both ends must be finite seconds", starts, ends)
        _refuse(what, ends <= starts, "the segment is [{}, {}]; it must end after it starts", starts, ends)
        large = np.maximum(np.abs(starts), np.abs(ends)) > MAX_SECONDS
        _refuse(what, large, "the segment is [{}, {}]; that is too large to be seconds", starts, ends)
    return starts, ends


def _largest(starts: NDArray[np.float64], ends: NDArray[np.float64]) -> float:
    """Largest distance from 0 of segments that end after they start."""
    return max(-float(starts.min()), float(ends.max())) if len(starts) else 0.0
