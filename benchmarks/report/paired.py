"""What the report recomputes from the predictions: margins over floors, and bands around ROC curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.predictions import completed
from benchmarks.results import Estimate

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from benchmarks.evaluate import Shared
    from benchmarks.report.reading import SetKey

#: Draws behind a margin, as behind every interval of a result (benchmarks.evaluate.BOOTSTRAP_DRAWS).
MARGIN_DRAWS = 1000
#: Draws behind the band of a picture; its edge moves by less than a line's width with more.
BAND_DRAWS = 300
#: Points of a band, evenly over the false positive rate.
BAND_POINTS = 101


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores of one detector on one split under one condition, sorted by clip id.

    Args:
        ids: [n].
        labels: [n], 1 = fake.
        scores: [n]; a failed clip has the worst score of its class, as in every metric.
        components: [n].
        failed: [n] true where the detector gave no score.
    """

    ids: NDArray[np.str_]
    labels: NDArray[np.int64]
    scores: NDArray[np.float64]
    components: NDArray[np.str_]
    failed: NDArray[np.bool_]

    @property
    def both_classes(self) -> bool:
        """Whether there is anything to tell apart."""
        return bool(self.labels.any() and not self.labels.all())


def scores_of(
    predictions: pd.DataFrame, detector: str, key: SetKey, condition: str, shared: Shared | None = None
) -> Scores:
    """Take one task's scores out of the predictions.

    Args:
        predictions: The table of the run.
        detector: Label.
        key: Split.
        condition: "untrimmed" or "trimmed".
        shared: What to keep of kinds and platforms; None keeps all.
    """
    rows = predictions[
        (predictions["detector"] == detector)
        & (predictions["dataset"] == key.dataset)
        & (predictions["split"] == key.split)
        & (predictions["condition"] == condition)
    ]
    if shared is not None:
        rows = shared.rows(completed(rows))
    rows = rows.sort_values("id")
    labels = rows["label"].to_numpy(np.int64)
    scores = rows["score"].to_numpy(np.float64)
    failed = ~np.isfinite(scores)
    worst = np.where(labels == 1, -np.inf, np.inf)
    return Scores(
        ids=rows["id"].to_numpy(dtype=str),
        labels=labels,
        scores=np.where(failed, worst, scores),
        components=rows["component"].to_numpy(dtype=str),
        failed=failed,
    )


def auc_gap(one: Scores, other: Scores, seed: int) -> Estimate:
    """AUC of `one` minus AUC of `other` on the clips that both have, with the same draws for both."""
    from cmdfd.statistics.bootstrap import paired_difference

    _, left, right = np.intersect1d(one.ids, other.ids, return_indices=True)
    labels = one.labels[left]
    if len(left) == 0 or labels.all() or not labels.any():
        return Estimate(value=None, unreliable="no reals and fakes in common")
    found = paired_difference(
        labels, one.scores[left], other.scores[right], one.components[left], MARGIN_DRAWS, seed=seed
    )
    interval = found.interval
    return Estimate(
        value=found.value, low=interval.low, high=interval.high, level=interval.level, unreliable=interval.unreliable
    )


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A ROC curve on an even grid of false positive rates.

    Args:
        fpr: [K] operating points, or the grid where there is a band.
        tpr: [K].
        low: [K] lower edge of the band, None for no band.
        high: [K] upper edge.
    """

    fpr: NDArray[np.float64]
    tpr: NDArray[np.float64]
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None


def roc(scores: Scores) -> Curve:
    """Operating points, without a band."""
    from cmdfd.statistics.roc import roc_curve

    curve = roc_curve(scores.labels, scores.scores)
    return Curve(curve.fpr, curve.tpr)


def roc_band(scores: Scores, seed: int) -> Curve:
    """Operating points read off at a grid, with a pointwise band over components.

    The band is vertical: at each false positive rate it holds the middle 95 % of the resampled curves (expanded for
    few components like every other interval).
    """
    from cmdfd.statistics.bootstrap import class_components, draw_components, tail_probability
    from cmdfd.statistics.ranking import Ranking

    ranking = Ranking.of(scores.labels, scores.scores)
    draws = draw_components(scores.components, BAND_DRAWS, seed, scores.labels)
    grid = np.linspace(0, 1, BAND_POINTS)
    counts = ranking.counts(draws.multiplicities[:, draws.index])
    lines = np.array([_read(fp, tp, grid) for fp, tp in zip(counts.fp, counts.tp, strict=True)])
    whole = ranking.counts(np.ones((1, len(scores.labels))))
    tail = tail_probability(0.95, class_components(scores.labels, scores.components))
    low, high = np.nanquantile(lines, [tail, 1 - tail], axis=0)
    return Curve(grid, _read(whole.fp[0], whole.tp[0], grid), low, high)


def _read(fp: NDArray[np.float64], tp: NDArray[np.float64], grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Highest true positive rate at each point of the grid, along the curve joined by straight lines."""
    fpr, tpr = fp / max(fp[-1], 1e-12), tp / max(tp[-1], 1e-12)
    last = np.append(np.diff(fpr) > 0, True)  # of the points above one another only the highest counts
    return np.asarray(np.interp(grid, fpr[last], tpr[last]), np.float64)
