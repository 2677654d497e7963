"""Temporal AP and AR as `avdeepfake1m` 0.0.4 counts them, faults included, to stand beside published numbers.

Written from its behaviour, not from its code. All arithmetic is in single precision, and:

- an overlap has to exceed the threshold; one that equals it misses;
- the stretches of a video choose in the order of the labels file, and each takes the first free proposal *in file
  order* that hits, however sure;
- AP takes the proposals by falling confidence, ties in file order, and never counts the step to the first point: where
  the surest proposal of all is a hit, 1/N is lost, so perfect proposals for N stretches score 1 - 1/N;
- AR looks at the first N proposals of a video *in file order*.

Rows here are in file order: the videos numbered as the labels file lists them, the proposals of a video as written. A
video without proposals, at which the package panics, is all misses. Without any stretch AP is NaN and AR is 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.metrics.temporal_core import AP_THRESHOLDS, AR_NUMBERS, AR_THRESHOLDS, challenge_score
from benchmarks.metrics.temporal_matching import find_pairs, greedy, stable_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from benchmarks.metrics.temporal_arrays import Proposals, Truth
    from benchmarks.metrics.temporal_matching import Pairs

#: What the keys of this convention end in.
SUFFIX = ":avdeepfake1m"
#: Pairs with a smaller overlap cannot hit at any threshold asked for; the rest of the way is single precision's.
_SLACK = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class FileOrder:
    """The arrays of a labels file and a predictions file, and which of their rows overlap.

    Args:
        truth_video: [L] rising.
        proposal_video: [P] rising.
        order: [P] rows of the proposals by falling confidence, ties in file order.
        position: [P] place of each row in that order.
        rank: [K] place of each pair's proposal in its video's list.
        pairs: The overlaps, in single precision.
    """

    truth_video: NDArray[np.int64]
    proposal_video: NDArray[np.int64]
    order: NDArray[np.intp]
    position: NDArray[np.intp]
    rank: NDArray[np.intp]
    pairs: Pairs


def in_file_order(truth: Truth, proposals: Proposals, n_videos: int, floor: float = 0.5) -> FileOrder:
    """Sort by video only, and find the pairs.

    Args:
        truth: Forged stretches, those of a video in the order of the labels file.
        proposals: Proposals, those of a video in the order of the predictions file.
        n_videos: Number of videos.
        floor: Lowest threshold that will be asked for.
    """
    by_video = stable_order(truth.video, n_videos)
    rows = stable_order(proposals.video, n_videos)
    video = proposals.video[rows]
    first = np.zeros(n_videos + 1, dtype=np.intp)
    np.cumsum(np.bincount(video, minlength=n_videos), out=first[1:])
    truth_video = truth.video[by_video]
    pairs = find_pairs(
        truth_video,
        (truth.start[by_video].astype(np.float32), truth.end[by_video].astype(np.float32)),
        (proposals.start[rows].astype(np.float32), proposals.end[rows].astype(np.float32)),
        first,
        floor - _SLACK,
    )
    order = _falling(proposals.confidence[rows].astype(np.float32))
    position = np.empty(len(order), dtype=np.intp)
    position[order] = np.arange(len(order))
    return FileOrder(truth_video, video, order, position, pairs.proposal - first[truth_video[pairs.truth]], pairs)


def _falling(confidence: NDArray[np.float32]) -> NDArray[np.intp]:
    """Stable order by falling confidence: a float's bits, put so that they sort as whole numbers, above the row."""
    bits = (confidence + np.float32(0)).view(np.uint32)  # adding 0 makes one zero of -0 and 0
    rising = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    keys = ((~rising).astype(np.uint64) << np.uint64(32)) | np.arange(len(bits), dtype=np.uint64)
    keys.sort()
    return (keys & np.uint64(0xFFFFFFFF)).astype(np.intp)


def hit_rows(found: FileOrder, threshold: float) -> NDArray[np.intp]:
    """Rows of the proposals that are taken at this threshold, surest first."""
    kept = np.flatnonzero(found.pairs.iou > np.float32(threshold))
    proposal = found.pairs.proposal[kept]
    taken = proposal[greedy(found.pairs.truth[kept], proposal)]
    return taken[np.argsort(found.position[taken])]


def average_precision(found: FileOrder, threshold: float) -> float:
    """AP at one threshold; NaN without stretches."""
    if not len(found.truth_video):
        return float("nan")
    places = found.position[hit_rows(found, threshold)]
    precision = np.arange(1, len(places) + 1) / (places + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(best[places > 0].sum() / len(found.truth_video))


def recall_shares(found: FileOrder, number: int, thresholds: Sequence[float] = AR_THRESHOLDS) -> NDArray[np.float64]:
    """[L] share of the thresholds at which each stretch is hit by one of the first `number` proposals."""
    kept = np.flatnonzero(found.rank < number)
    truth = found.pairs.truth[kept]
    starts = np.flatnonzero(np.diff(truth, prepend=-1))
    best = np.zeros(len(found.truth_video), dtype=np.float32)
    if len(starts):
        best[truth[starts]] = np.maximum.reduceat(found.pairs.iou[kept], starts)
    edges = np.sort(np.asarray(thresholds, dtype=np.float32))
    return np.asarray(np.searchsorted(edges, best, side="left") / len(thresholds), dtype=np.float64)


def average_recall(found: FileOrder, number: int, thresholds: Sequence[float] = AR_THRESHOLDS) -> float:
    """AR@N; 0 without stretches."""
    shares = recall_shares(found, number, thresholds)
    return float(shares.mean()) if len(shares) else 0.0


def compat_metrics(truth: Truth, proposals: Proposals, n_videos: int) -> dict[str, float]:
    """All values: "ap@T:avdeepfake1m", "ar@N:avdeepfake1m" and "score:avdeepfake1m".

    Args:
        truth: Forged stretches in file order; equal ones are allowed (`Truth.of(..., duplicates=True)`).
        proposals: Proposals in file order.
        n_videos: Number of videos.
    """
    found = in_file_order(truth, proposals, n_videos)
    values = {f"ap@{t:g}{SUFFIX}": average_precision(found, t) for t in AP_THRESHOLDS}
    values |= {f"ar@{n}{SUFFIX}": average_recall(found, n) for n in AR_NUMBERS}
    return {**values, f"score{SUFFIX}": challenge_score(values, SUFFIX)}
