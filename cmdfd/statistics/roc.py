"""Threshold-free and thresholded measures of how well a score tells fake (1) from real (0)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.statistics.arrays import BLOCK_ELEMENTS, as_labels, as_scores, both_classes
from cmdfd.statistics.ranking import RankCounts, Ranking

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True, eq=False)
class RocCurve:
    """All operating points.

    Args:
        fpr: [U + 1] share of the reals called fake, rising from 0 to 1.
        tpr: [U + 1] share of the fakes called fake, rising from 0 to 1.
        thresholds: [U + 1] falling; a clip is called fake where its score >= threshold; the first is inf.
    """

    fpr: NDArray[np.float64]
    tpr: NDArray[np.float64]
    thresholds: NDArray[np.float64]


def _plain(labels: ArrayLike, scores: ArrayLike) -> RankCounts:
    n = len(as_labels(labels))
    return Ranking.of(labels, scores).counts(np.ones((1, n)))


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Chance that a fake scores above a real; ties count half.

    Args:
        labels: [n], 1 = fake.
        scores: [n], higher = more fake; may be infinite, not NaN.

    Returns:
        0 to 1; 0.5 for constant scores.

    Raises:
        ValueError: Where a class is missing.
    """
    return float(_plain(labels, scores).auc()[0])


def weighted_auc(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike) -> NDArray[np.float64]:
    """AUC of many weightings of the same clips, with one sort.

    Args:
        labels: [n], 1 = fake.
        scores: [n].
        weights: [B, n] weight (for a bootstrap: multiplicity) of every clip in every draw, finite, >= 0.

    Returns:
        [B]; NaN for a draw in which a class has no weight.

    Raises:
        ValueError: Where a class is missing, shapes do not fit or a weight is negative.
    """
    table = np.asarray(weights)
    ranking = Ranking.of(labels, scores)
    n = len(ranking.fakes) + len(ranking.reals)
    if table.ndim != 2 or table.shape[1] != n:
        raise ValueError(f"weights need the shape [draws, {n}], got {table.shape}")
    if not np.isfinite(table).all() or (table < 0).any():
        raise ValueError("weights must be finite and >= 0")
    step = max(BLOCK_ELEMENTS // max(n, 1), 1)
    parts = [ranking.counts(table[start : start + step]).auc() for start in range(0, len(table), step)]
    return np.concatenate(parts) if parts else np.empty(0)


def roc_curve(labels: ArrayLike, scores: ArrayLike) -> RocCurve:
    """Operating points at every distinct score, none dropped.

    Args:
        labels: [n], 1 = fake.
        scores: [n].

    Raises:
        ValueError: Where a class is missing.
    """
    ranking = Ranking.of(labels, scores)
    return RocCurve(
        ranking.reals_above / len(ranking.reals),
        ranking.fakes_above / len(ranking.fakes),
        np.concatenate([[np.inf], ranking.thresholds]),
    )


def eer(labels: ArrayLike, scores: ArrayLike) -> float:
    """Equal error rate by interpolation: the root of 1 - tpr = fpr on the ROC curve joined by straight lines.

    Constant scores give 0.5. (Taking fpr at the nearest threshold instead, as DeepfakeBench does, gives 0 for
    constant scores, and mean(fpr, fnr) as ASVspoof does depends on their order.)

    Raises:
        ValueError: Where a class is missing.
    """
    return float(_plain(labels, scores).eer()[0])


def average_precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """Sum over falling distinct scores of precision times the rise of recall (no interpolation), 0 to 1.

    Raises:
        ValueError: Where a class is missing.
    """
    return float(_plain(labels, scores).average_precision()[0])


def tpr_at_fpr(labels: ArrayLike, scores: ArrayLike, fpr: float = 0.01) -> float:
    """Highest share of fakes found at a threshold that calls at most `fpr` of the reals fake.

    Only attainable thresholds count: with fewer than 1/fpr reals this means no false alarm at all.

    Args:
        labels: [n], 1 = fake.
        scores: [n].
        fpr: 0 to 1.

    Raises:
        ValueError: Where a class is missing or `fpr` is out of range.
    """
    if not 0 <= fpr <= 1:
        raise ValueError(f"fpr must lie in [0, 1], got {fpr}")
    return float(_plain(labels, scores).tpr_at_fpr(fpr)[0])


def balanced_accuracy(labels: ArrayLike, scores: ArrayLike, threshold: float) -> float:
    """Mean of the shares of fakes and of reals that are called rightly; fake where score >= threshold.

    Raises:
        ValueError: Where a class is missing or the threshold is NaN.
    """
    y = as_labels(labels)
    s = as_scores(scores, len(y))
    both_classes(y)
    if np.isnan(threshold):
        raise ValueError("the threshold is NaN")
    called = s >= threshold
    return float((called[y].mean() + (~called[~y]).mean()) / 2)


def best_threshold(labels: ArrayLike, scores: ArrayLike) -> float:
    """Threshold of the highest balanced accuracy, in the middle between two neighbouring scores.

    Where several cuts are equally good the middle one of them is taken. Constant scores give that constant, so
    that everything is called fake (balanced accuracy 0.5).

    Args:
        labels: [n], 1 = fake; of the validation split.
        scores: [n], finite.

    Raises:
        ValueError: Where a class is missing or a score is not finite.
    """
    ranking = Ranking.of(labels, scores)
    falling = ranking.thresholds
    if not np.isfinite(falling).all():
        raise ValueError("a threshold can only be chosen on finite scores; leave failed clips out")
    # integer gain = n0 * tp - n1 * fp, so that equal cuts are equal to the last bit
    gain = len(ranking.reals) * ranking.fakes_above[1:] - len(ranking.fakes) * ranking.reals_above[1:]
    best = np.flatnonzero(gain == gain.max())
    cut = int(best[(len(best) - 1) // 2])
    upper = float(falling[cut])
    if cut == len(falling) - 1:
        return upper
    middle = float(falling[cut + 1]) / 2 + upper / 2
    return middle if float(falling[cut + 1]) < middle <= upper else upper
