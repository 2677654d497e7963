"""Which proposals meet which forged stretches: sorting, overlap, and one-to-one matching, without loops over videos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.metrics.temporal_arrays import Proposals, Truth

#: Forgiven in every comparison of an overlap with a threshold: times such as 0.4 s have no exact binary form.
TOLERANCE = 1e-9
#: Pairs that are looked at together (bounds the memory at some 10 MB for each temporary array).
_BLOCK_PAIRS = 1 << 18


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """A stretch and a proposal of the same video that overlap enough to matter at some threshold.

    As `find_pairs` gives them they are sorted by stretch, then by proposal.

    Args:
        truth: [K] row of the stretch, in the order by video in which `Overlaps` keeps them.
        proposal: [K] row of the proposal, in the order of `Overlaps`.
        iou: [K] overlap over union, 0 to 1.
    """

    truth: NDArray[np.intp]
    proposal: NDArray[np.intp]
    iou: NDArray[np.float64]

    def at(self, rows: NDArray[np.intp]) -> Pairs:
        """Some of the pairs, or all in another order."""
        return Pairs(self.truth[rows], self.proposal[rows], self.iou[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Overlaps:
    """Everything that AP and AR need, computed once for all thresholds and numbers of proposals.

    Args:
        truth_video: [L] rising; the stretches of a video by start, then end.
        proposal_video: [P] rising; inside a video the surest proposal first, ties by start, then end.
        confidence: [P].
        first: [V + 1] row of each video's first proposal.
        falling: [P] all confidences, falling.
        falling_video: [P] their videos.
        pairs: The overlaps.
        by_score: The same, sorted by proposal, the largest overlap of each first (ties by stretch).
    """

    truth_video: NDArray[np.int64]
    proposal_video: NDArray[np.int64]
    confidence: NDArray[np.float64]
    first: NDArray[np.intp]
    falling: NDArray[np.float64]
    falling_video: NDArray[np.int64]
    pairs: Pairs
    by_score: Pairs

    @property
    def rank(self) -> NDArray[np.intp]:
        """[K] place of each pair's proposal in its video, 0 = surest."""
        return self.pairs.proposal - self.first[self.truth_video[self.pairs.truth]]


def overlaps(truth: Truth, proposals: Proposals, n_videos: int, floor: float = 0.5) -> Overlaps:
    """Sort the proposals and find the pairs.

    Args:
        truth: Forged stretches.
        proposals: Proposals.
        n_videos: Number of videos.
        floor: Lowest threshold that will be asked for; pairs under it are dropped.
    """
    falling_order = np.argsort(-proposals.confidence)
    falling_video = proposals.video[falling_order]
    order = falling_order[stable_order(falling_video, n_videos)]
    video, confidence = proposals.video[order], proposals.confidence[order]
    _settle_ties(order, video, confidence, proposals)
    first = np.zeros(n_videos + 1, dtype=np.intp)
    np.cumsum(np.bincount(video, minlength=n_videos), out=first[1:])
    by_video = np.lexsort((truth.end, truth.start, truth.video))
    found = find_pairs(
        truth.video[by_video],
        (truth.start[by_video], truth.end[by_video]),
        (proposals.start[order], proposals.end[order]),
        first,
        floor - TOLERANCE,
    )
    falling = proposals.confidence[falling_order]
    by_score = found.at(np.lexsort((found.truth, -found.iou, found.proposal)))
    return Overlaps(truth.video[by_video], video, confidence, first, falling, falling_video, found, by_score)


def stable_order(video: NDArray[np.int64], n_videos: int) -> NDArray[np.intp]:
    """Order by video that leaves the rows of one video as they stand; radix sort on 16 bits at a time."""
    if len(video) < 2 or (video[1:] >= video[:-1]).all():
        return np.arange(len(video), dtype=np.intp)
    order = np.argsort(video.astype(np.uint16), kind="stable")
    if n_videos > 1 << 16:
        order = order[np.argsort(video[order] >> 16, kind="stable")]
    return order


def _settle_ties(
    order: NDArray[np.intp], video: NDArray[np.int64], confidence: NDArray[np.float64], proposals: Proposals
) -> None:
    """Put equally sure proposals of one video in the order of their times, in place."""
    tied = (confidence[1:] == confidence[:-1]) & (video[1:] == video[:-1])
    if not tied.any():
        return
    rows = np.flatnonzero(np.append(tied, False) | np.append(False, tied))
    part = order[rows]
    keys = (proposals.end[part], proposals.start[part], -confidence[rows], video[rows])
    order[rows] = part[np.lexsort(keys)]


Ends = tuple["NDArray[np.float64]", "NDArray[np.float64]"]


def find_pairs(video: NDArray[np.int64], truth: Ends, proposals: Ends, first: NDArray[np.intp], floor: float) -> Pairs:
    """Pairs with an overlap of at least `floor`.

    Args:
        video: [L] of the stretches.
        truth: [L] starts and ends.
        proposals: [P] starts and ends, sorted by video.
        first: [V + 1] row of each video's first proposal.
        floor: Lowest overlap to keep, > 0.
    """
    size = first[video + 1] - first[video]
    done = np.concatenate([[0], np.cumsum(size)])
    parts: list[Pairs] = []
    low = 0
    while low < len(video):
        high = max(int(np.searchsorted(done, done[low] + _BLOCK_PAIRS, side="right")) - 1, low + 1)
        parts.append(_block(slice(low, high), video, truth, proposals, first, size, floor))
        low = high
    if not parts:
        nothing = np.empty(0, dtype=np.intp)
        return Pairs(nothing, nothing, np.empty(0))
    return Pairs(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("truth", "proposal", "iou")))


def _block(
    part: slice,
    video: NDArray[np.int64],
    truth: Ends,
    proposals: Ends,
    first: NDArray[np.intp],
    size: NDArray[np.intp],
    floor: float,
) -> Pairs:
    count = size[part]
    total = int(count.sum())
    rows = np.repeat(np.arange(part.start, part.stop, dtype=np.intp), count)
    offset = first[video[part]] - np.concatenate([[0], np.cumsum(count)[:-1]])
    row = np.arange(total, dtype=np.intp) + np.repeat(offset, count)
    a0, a1 = truth[0][rows], truth[1][rows]
    b0, b1 = proposals[0][row], proposals[1][row]
    shared = np.minimum(a1, b1) - np.maximum(a0, b0)
    union = np.maximum(a1, b1) - np.minimum(a0, b0)  # of two that overlap; for others `shared` is negative
    kept = np.flatnonzero(shared >= floor * union)
    return Pairs(rows[kept], row[kept], shared[kept] / union[kept])


def greedy(chooser: NDArray[np.intp], chosen: NDArray[np.intp]) -> NDArray[np.intp]:
    """Each chooser in turn, lowest number first, takes the free partner that it likes best; who is taken is gone.

    All at once instead of one after the other: a chooser whose favourite no earlier chooser could take gets it,
    whatever happens elsewhere; both leave, and the rest is looked at again. This gives the same pairs as the loop.

    Args:
        chooser: [K] number of the chooser in each possible pair, rising; lower numbers choose first.
        chosen: [K] number of the partner; the pairs of one chooser stand in the order of its liking.

    Returns:
        Rows of the pairs that are made.
    """
    made: list[NDArray[np.intp]] = []
    rows = np.arange(len(chooser), dtype=np.intp)
    earliest = np.empty(int(chosen.max()) + 1 if len(rows) else 0, dtype=np.intp)
    served, gone = np.zeros(int(chooser[-1]) + 1 if len(rows) else 0, dtype=bool), np.zeros(len(earliest), dtype=bool)
    while len(rows):
        by, whom = chooser[rows], chosen[rows]
        earliest[whom[::-1]] = by[::-1]  # of equal indices the last assignment stays: that of the first chooser
        favourite = rows[np.append(True, by[1:] != by[:-1])]
        sure = favourite[chooser[favourite] == earliest[chosen[favourite]]]
        made.append(sure)
        served[chooser[sure]] = gone[chosen[sure]] = True
        rows = rows[~(served[by] | gone[whom])]
    return np.concatenate(made) if made else np.empty(0, dtype=np.intp)
