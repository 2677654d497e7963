"""Temporal average precision and recall of proposals, each convention by its name.

The house's convention (`STRICT`): a proposal hits where IoU >= threshold; the surest proposal of a video chooses first
and takes the free stretch that it overlaps most; precision is interpolated at all points (its running maximum from
high recall to low) between the end points of VOC 2011. Equally sure proposals share one point of the curve, so nothing
depends on the order of the rows or files. Perfect proposals score 1.

- "ap@T": as above at IoU T. Other conventions: `rule=">"`; `by="label"`, where the stretches choose in the order of
  their times and each takes the surest free proposal that hits; `interpolation="none"`, the step-wise sum.
- "ar@N": share of the stretches whose best IoU among the N surest proposals of their video is >= threshold, averaged
  over IoU .50:.05:.95. One proposal may hit several stretches.
- "ar@an=N": the same, but the number of proposals is cut in proportion: of a video's n proposals the surest
  floor(n * N * V / P) count, where V videos have forged stretches and P proposals between them. N is thus the average
  number of proposals and not everybody's (ActivityNet 1.3, eval_proposal.py).
- "score": 1/8 of the sum of AP at .5, .75, .9, .95 plus 1/10 of the sum of AR at 50, 30, 20, 10, 5 (1M-Deepfakes
  Detection Challenge 2024 and 2025, https://deepfakes1m.github.io).

Without any forged stretch there is nothing to find, and every value is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

from benchmarks.metrics.temporal_matching import TOLERANCE, greedy, overlaps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from benchmarks.metrics.temporal_arrays import Proposals, Truth
    from benchmarks.metrics.temporal_matching import Overlaps

#: Thresholds of AP and numbers of proposals of AR in the challenge's score.
AP_THRESHOLDS = (0.5, 0.75, 0.9, 0.95)
AR_NUMBERS = (50, 30, 20, 10, 5)
#: Thresholds that AR is averaged over.
AR_THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
#: Average numbers of proposals at which AR@AN is reported.
AN_NUMBERS = (10,)

Rule = Literal[">=", ">"]


@dataclass(frozen=True, slots=True)
class Convention:
    """How AP is counted; see the module's text.

    Args:
        rule: Whether an overlap that equals the threshold hits (">=") or not (">").
        by: Who chooses: the proposals by confidence ("score") or the stretches ("label").
        interpolation: "voc2011" or "none".
    """

    rule: Rule = ">="
    by: Literal["score", "label"] = "score"
    interpolation: Literal["voc2011", "none"] = "voc2011"

    def __post_init__(self) -> None:
        allowed = {"rule": (">=", ">"), "by": ("score", "label"), "interpolation": ("voc2011", "none")}
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise ValueError(f"{name} must be one of {', '.join(values)}, got {getattr(self, name)!r}")


STRICT = Convention()


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """The proposals that found something, surest first.

    Args:
        video: [H] video of each hit.
        tied: [H] number of hits that are at least as sure.
        called: [H] number of proposals of all videos that are at least as sure.
    """

    video: NDArray[np.int64]
    tied: NDArray[np.intp]
    called: NDArray[np.intp]


def reaches(iou: NDArray[np.float64], threshold: float, rule: Rule) -> NDArray[np.bool_]:
    """Which overlaps hit; `TOLERANCE` forgives the rounding of times."""
    if rule == ">=":
        return np.asarray(iou >= threshold - TOLERANCE)
    return np.asarray(iou > threshold + TOLERANCE)


def hits(found: Overlaps, threshold: float, convention: Convention = STRICT) -> Hits:
    """Match proposals and stretches one to one.

    Args:
        found: The overlaps, with a floor of at most `threshold`.
        threshold: IoU, in (0, 1].
        convention: How.
    """
    pairs = found.by_score if convention.by == "score" else found.pairs
    kept = np.flatnonzero(reaches(pairs.iou, threshold, convention.rule))
    proposal, truth = pairs.proposal[kept], pairs.truth[kept]
    made = greedy(proposal, truth) if convention.by == "score" else greedy(truth, proposal)
    matched = proposal[made]
    order = np.argsort(-found.confidence[matched], kind="stable")
    negative = -found.confidence[matched[order]]
    tied = np.searchsorted(negative, negative, side="right")
    called = len(found.falling) - np.searchsorted(found.falling[::-1], -negative, side="left")
    return Hits(found.proposal_video[matched[order]], tied, called)


def curve_area(
    weights: NDArray[np.float64],
    called: NDArray[np.float64],
    tied: NDArray[np.intp],
    total: NDArray[np.float64],
    interpolation: str = "voc2011",
    lost: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """AP of B weightings of the videos.

    Args:
        weights: [B, H] weight of each hit, surest first.
        called: [B, H] weight of all proposals that are at least as sure as the hit.
        tied: [H] number of hits that are at least as sure.
        total: [B] weight of all stretches.
        interpolation: "voc2011" or "none".
        lost: [B, H] hits of which one copy is not counted (the fault of `avdeepfake1m`).

    Returns:
        [B]; NaN where the stretches have no weight.
    """
    true = np.cumsum(weights, axis=1)[:, tied - 1] if weights.shape[1] else weights
    precision = np.divide(true, called, out=np.zeros_like(true), where=called > 0)
    if interpolation == "voc2011":
        # between two hits precision only falls, so the maximum over all later points is one over later hits
        precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    area = np.einsum("bh,bh->b", weights if lost is None else weights - lost, precision)
    return np.asarray(np.divide(area, total, out=np.full_like(area, np.nan), where=total > 0))


def plain_area(found: Hits, n_truth: int, interpolation: str = "voc2011") -> float:
    """AP with every video counted once."""
    ones = np.ones((1, len(found.video)))
    called = found.called[None].astype(np.float64)
    return float(curve_area(ones, called, found.tied, np.array([float(n_truth)]), interpolation)[0])


def best_overlap(found: Overlaps, numbers: Sequence[int]) -> NDArray[np.float64]:
    """[len(numbers), L] best IoU of every stretch among the N surest proposals of its video; 0 under the floor."""
    best = np.zeros((len(numbers), len(found.truth_video)))
    rank = found.rank
    for row, number in enumerate(numbers):
        kept = np.flatnonzero(rank < number)
        truth = found.pairs.truth[kept]
        starts = np.flatnonzero(np.diff(truth, prepend=-1))
        if len(starts):
            best[row, truth[starts]] = np.maximum.reduceat(found.pairs.iou[kept], starts)
    return best


def recalled(best: NDArray[np.float64], thresholds: Sequence[float], rule: Rule = ">=") -> NDArray[np.float64]:
    """Share of the thresholds that each best overlap reaches; same shape as `best`."""
    if rule == ">=":
        edges = np.sort(np.asarray(thresholds)) - TOLERANCE
        return np.asarray(np.searchsorted(edges, best, side="right") / len(thresholds), dtype=np.float64)
    edges = np.sort(np.asarray(thresholds)) + TOLERANCE
    return np.asarray(np.searchsorted(edges, best, side="left") / len(thresholds), dtype=np.float64)


def share_needed(found: Overlaps, threshold: float, rule: Rule = ">=") -> NDArray[np.float64]:
    """[L] the share of its video's proposals, surest first, that has to count until a stretch is hit; inf if never."""
    kept = np.flatnonzero(reaches(found.pairs.iou, threshold, rule))
    truth = found.pairs.truth[kept]
    first = np.flatnonzero(np.diff(truth, prepend=-1))  # pairs are sorted by stretch, then by place
    video = found.truth_video[truth[first]]
    needed = np.full(len(found.truth_video), np.inf)
    needed[truth[first]] = (found.rank[kept[first]] + 1) / (found.first[video + 1] - found.first[video])
    return needed


def proposal_ratio(found: Overlaps, number: float) -> float:
    """Share of the proposals to keep so that videos with forged stretches keep `number` on average."""
    videos = np.unique(found.truth_video)
    total = int((found.first[videos + 1] - found.first[videos]).sum())
    return number * len(videos) / total if total else 0.0


def average_precision(
    truth: Truth,
    proposals: Proposals,
    n_videos: int,
    thresholds: Sequence[float] = AP_THRESHOLDS,
    convention: Convention = STRICT,
) -> dict[float, float]:
    """AP at each threshold; see the module's text.

    Args:
        truth: Forged stretches.
        proposals: Proposals.
        n_videos: Number of videos.
        thresholds: IoU, each in (0, 1].
        convention: How hits are counted and the curve is read.

    Raises:
        ValueError: For a threshold outside (0, 1].
    """
    found = overlaps(truth, proposals, n_videos, _floor(thresholds))
    count = len(truth.video)
    return {t: plain_area(hits(found, t, convention), count, convention.interpolation) for t in thresholds}


def average_recall(
    truth: Truth,
    proposals: Proposals,
    n_videos: int,
    numbers: Sequence[int] = AR_NUMBERS,
    thresholds: Sequence[float] = AR_THRESHOLDS,
    rule: Rule = ">=",
) -> dict[int, float]:
    """AR@N for each N; see the module's text.

    Raises:
        ValueError: For a threshold outside (0, 1] or a number under 1.
    """
    if min(numbers) < 1:
        raise ValueError(f"numbers of proposals must be at least 1, got {min(numbers)}")
    found = overlaps(truth, proposals, n_videos, _floor(thresholds))
    return dict(zip(numbers, _recalls(found, numbers, thresholds, rule), strict=True))


def average_recall_an(
    truth: Truth,
    proposals: Proposals,
    n_videos: int,
    numbers: Sequence[float] = AN_NUMBERS,
    thresholds: Sequence[float] = AR_THRESHOLDS,
    rule: Rule = ">=",
) -> dict[float, float]:
    """AR@AN for each average number; see the module's text.

    Raises:
        ValueError: For a threshold outside (0, 1] or a number that is not above 0.
    """
    if min(numbers) <= 0:
        raise ValueError(f"average numbers of proposals must be above 0, got {min(numbers)}")
    found = overlaps(truth, proposals, n_videos, _floor(thresholds))
    needed = np.array([share_needed(found, t, rule) for t in thresholds])
    if not needed.size:
        return dict.fromkeys(numbers, float("nan"))
    return {n: float((needed <= proposal_ratio(found, n) * (1 + TOLERANCE)).mean()) for n in numbers}


def temporal_metrics(truth: Truth, proposals: Proposals, n_videos: int) -> dict[str, float]:
    """All values of the house's convention: "ap@T", "ar@N", "ar@an=N" and "score".

    Args:
        truth: Forged stretches.
        proposals: Proposals.
        n_videos: Number of videos.
    """
    found = overlaps(truth, proposals, n_videos)
    values = {f"ap@{t:g}": plain_area(hits(found, t), len(truth.video)) for t in AP_THRESHOLDS}
    recalls = _recalls(found, AR_NUMBERS, AR_THRESHOLDS, ">=")
    values |= {f"ar@{n}": value for n, value in zip(AR_NUMBERS, recalls, strict=True)}
    return {**values, "score": challenge_score(values)}


Number = TypeVar("Number", float, "NDArray[np.float64]")


def challenge_score(values: Mapping[str, Number], suffix: str = "") -> Number:
    """The challenge's score from its parts, one value or one for each draw.

    Args:
        values: By key.
        suffix: What the keys end in.
    """
    precision = reduce(add, (values[f"ap@{t:g}{suffix}"] for t in AP_THRESHOLDS))
    recall = reduce(add, (values[f"ar@{n}{suffix}"] for n in AR_NUMBERS))
    return precision / (2 * len(AP_THRESHOLDS)) + recall / (2 * len(AR_NUMBERS))


def _recalls(found: Overlaps, numbers: Sequence[int], thresholds: Sequence[float], rule: Rule) -> list[float]:
    if not len(found.truth_video):
        return [float("nan")] * len(numbers)
    shares = recalled(best_overlap(found, numbers), thresholds, rule)
    return [float(value) for value in shares.mean(axis=1)]


def _floor(thresholds: Sequence[float]) -> float:
    if not thresholds or not all(0 < t <= 1 for t in thresholds):
        raise ValueError(f"IoU thresholds must lie in (0, 1], got {list(thresholds)}")
    return min(thresholds)
