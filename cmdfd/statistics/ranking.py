"""Scores sorted once, and every rank statistic of many weightings of them at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.statistics.arrays import as_labels, as_scores, both_classes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True, eq=False)
class RankCounts:
    """Weight of the fakes and reals that score at least each threshold, for B weightings.

    Args:
        tp: [B, U + 1] weight of the fakes at or above threshold u; column 0 is "above everything" and holds 0.
        fp: [B, U + 1] the same of the reals.
    """

    tp: NDArray[np.float64]
    fp: NDArray[np.float64]

    def auc(self) -> NDArray[np.float64]:
        """[B] area under the ROC curve; ties count half. NaN where a class has no weight."""
        area = np.einsum("bu,bu->b", np.diff(self.fp, axis=1), self.tp[:, 1:] + self.tp[:, :-1]) / 2
        return _ratio(area, self.tp[:, -1] * self.fp[:, -1])

    def average_precision(self) -> NDArray[np.float64]:
        """[B] sum of precision times the rise of recall, one step for each distinct score. NaN without fakes."""
        called = self.tp[:, 1:] + self.fp[:, 1:]
        precision = np.divide(self.tp[:, 1:], called, out=np.zeros_like(called), where=called > 0)
        return _ratio(np.einsum("bu,bu->b", np.diff(self.tp, axis=1), precision), self.tp[:, -1])

    def eer(self) -> NDArray[np.float64]:
        """[B] error rate where the ROC curve, joined by straight lines, meets fpr = 1 - tpr. NaN without a class."""
        fpr, tpr = self._rates()
        gap = fpr + tpr - 1.0
        right = np.argmax(gap >= 0, axis=1)  # the last column is 1, the first is -1
        rows = np.arange(len(gap))
        left = np.maximum(right - 1, 0)
        low, high = gap[rows, left], gap[rows, right]
        share = -low / np.where(high > low, high - low, 1.0)
        crossing = fpr[rows, left] + share * (fpr[rows, right] - fpr[rows, left])
        return np.where(np.isnan(gap[:, 0]), np.nan, crossing)

    def tpr_at_fpr(self, fpr: float) -> NDArray[np.float64]:
        """[B] highest attainable tpr with a false-positive rate of at most `fpr` (no interpolation)."""
        rates, tpr = self._rates()
        # both rates rise along the columns: the last admissible threshold is the best; 1e-12 forgives k/n
        best = np.where(rates <= fpr + 1e-12, tpr, 0.0).max(axis=1)
        return np.where(np.isnan(tpr[:, -1]) | np.isnan(rates[:, -1]), np.nan, best)

    def balanced_accuracy(self, column: int) -> NDArray[np.float64]:
        """[B] mean share of rightly called fakes and reals where the blocks before `column` are called fake."""
        fpr, tpr = self._rates()
        rate: NDArray[np.float64] = (tpr[:, column] + 1.0 - fpr[:, column]) / 2
        return rate

    def _rates(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return _ratio(self.fp, self.fp[:, -1:]), _ratio(self.tp, self.tp[:, -1:])


def _ratio(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> NDArray[np.float64]:
    divided: NDArray[np.float64] = np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 0)
    return divided


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Labels and scores, sorted by falling score, with their blocks of tied scores.

    Args:
        fakes: [n1] rows of the fakes, highest score first.
        reals: [n0] rows of the reals, highest score first.
        fakes_above: [U + 1] number of fakes at or above each distinct score, led by 0.
        reals_above: [U + 1] the same of the reals.
        thresholds: [U] distinct scores, falling.
    """

    fakes: NDArray[np.intp]
    reals: NDArray[np.intp]
    fakes_above: NDArray[np.intp]
    reals_above: NDArray[np.intp]
    thresholds: NDArray[np.float64]

    @classmethod
    def of(cls, labels: ArrayLike, scores: ArrayLike) -> Ranking:
        """Sort once.

        Args:
            labels: [n], 1 = fake.
            scores: [n], higher = more fake; may be infinite.

        Raises:
            ValueError: Where a class is missing, lengths differ or a score is NaN.
        """
        y = as_labels(labels)
        s = as_scores(scores, len(y))
        both_classes(y)
        order = np.argsort(-s, kind="stable")
        fake, falling = y[order], s[order]
        last = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
        fakes_above = np.concatenate([[0], np.cumsum(fake)[last]]).astype(np.intp)
        reals_above = np.concatenate([[0], np.cumsum(~fake)[last]]).astype(np.intp)
        return cls(order[fake], order[~fake], fakes_above, reals_above, falling[last])

    def column(self, threshold: float) -> int:
        """Column of `RankCounts` at which everything that scores >= `threshold` is called fake."""
        return int(np.searchsorted(-self.thresholds, -threshold, side="right"))

    def counts(self, weights: NDArray[np.generic]) -> RankCounts:
        """Cumulated weights at every distinct score.

        Args:
            weights: [B, n] weight of every row in every draw, >= 0.
        """
        return self.grouped_counts(weights, np.arange(weights.shape[1], dtype=np.intp))

    def grouped_counts(self, weights: NDArray[np.generic], index: NDArray[np.intp]) -> RankCounts:
        """The same for rows that share weights by group.

        Args:
            weights: [B, C] weight of every group in every draw, >= 0.
            index: [n] group of every row.
        """
        return RankCounts(
            _cumulated(weights, index[self.fakes], self.fakes_above),
            _cumulated(weights, index[self.reals], self.reals_above),
        )


def _cumulated(weights: NDArray[np.generic], columns: NDArray[np.intp], above: NDArray[np.intp]) -> NDArray[np.float64]:
    sums = np.zeros((weights.shape[0], len(columns) + 1), dtype=np.float64)
    np.cumsum(weights[:, columns], axis=1, dtype=np.float64, out=sums[:, 1:])
    return sums[:, above]
