"""Detection metrics of a whole clip's score, each with its interval.

Conventions: fake = 1; higher score = more fake; ties count half (AUC) or share one threshold (all others); EER is
interpolated; AP is the step-wise sum without interpolation; TPR at 1 % FPR takes attainable thresholds only. A failed
clip (score None) counts as the worst of its class: a real as surely fake, a fake as surely real.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.results import Estimate
from cmdfd.statistics.arrays import as_labels
from cmdfd.statistics.bootstrap import class_components, counts_draws, draw_components, interval_of, reliability
from cmdfd.statistics.ranking import RankCounts, Ranking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from cmdfd.statistics.bootstrap import CountsMetric

#: Keys of `evaluate`, in the order in which they are printed.
METRICS = ("auc", "eer", "ap", "balanced_accuracy", "tpr@1%fpr")
#: Nominal coverage of the intervals.
LEVEL = 0.95
LOW_FPR = 0.01


def worst_scores(labels: ArrayLike, scores: Sequence[float | None] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores with every failed clip at the worst end of its class.

    Args:
        labels: [n], 1 = fake.
        scores: [n]; None or NaN = failed; others finite.

    Returns:
        [n]; inf for a failed real, -inf for a failed fake.

    Raises:
        ValueError: Where lengths differ.
    """
    y = as_labels(labels)
    given = np.array([np.nan if score is None else score for score in scores], dtype=np.float64)
    if len(given) != len(y):
        raise ValueError(f"{len(y)} labels need {len(y)} scores, got {len(given)}")
    return np.where(np.isnan(given), np.where(y, -np.inf, np.inf), given)


def evaluate(
    labels: ArrayLike,
    scores: Sequence[float | None] | NDArray[np.float64],
    components: ArrayLike,
    threshold: float | None,
    n_draws: int = 1000,
    seed: int = 0,
) -> dict[str, Estimate]:
    """All detection metrics of one detector on one set of clips.

    Args:
        labels: [n], 1 = fake.
        scores: [n]; None (or NaN) = the clip failed.
        components: [n] unit of the bootstrap.
        threshold: Decision threshold that was chosen on validation; None = there is none.
        n_draws: Draws of the component bootstrap, the same for all metrics and for every detector of a set.
        seed: Seed.

    Returns:
        An estimate for every name in `METRICS`. `value` is None where a metric is undefined; `unreliable` says why.
        No number is ever NaN.

    Raises:
        ValueError: Where lengths differ or a label is not 0 or 1.
    """
    y = as_labels(labels)
    worst = worst_scores(y, scores)
    if y.all() or not y.any():
        lacking = "no clips" if len(y) == 0 else "no reals" if y.all() else "no fakes"
        reason = f"undefined: there are {lacking} among the {len(y)} clips"
        return {name: Estimate(value=None, level=LEVEL, unreliable=reason) for name in METRICS}
    return _estimates(y, worst, components, threshold, n_draws, seed)


def _estimates(
    y: NDArray[np.bool_],
    worst: NDArray[np.float64],
    components: ArrayLike,
    threshold: float | None,
    n_draws: int,
    seed: int,
) -> dict[str, Estimate]:
    ranking = Ranking.of(y, worst)
    metrics = _metrics(ranking, threshold)
    whole = ranking.counts(np.ones((1, len(y))))
    draws = counts_draws(ranking, draw_components(components, n_draws, seed, y), metrics)
    size, doubt = class_components(y, components), reliability(y, components)
    found: dict[str, Estimate] = {}
    for name in METRICS:
        if name not in metrics:
            reason = "undefined: no decision threshold was chosen on a validation split"
            found[name] = Estimate(value=None, level=LEVEL, unreliable=reason)
            continue
        note = doubt or (_coarse(y) if name == "tpr@1%fpr" else None)
        interval = interval_of(draws[name], LEVEL, size, note)
        found[name] = Estimate(
            value=float(metrics[name](whole)[0]),
            low=interval.low,
            high=interval.high,
            level=LEVEL,
            unreliable=interval.unreliable,
        )
    return found


def _metrics(ranking: Ranking, threshold: float | None) -> dict[str, CountsMetric]:
    metrics: dict[str, CountsMetric] = {
        "auc": RankCounts.auc,
        "eer": RankCounts.eer,
        "ap": RankCounts.average_precision,
        "tpr@1%fpr": partial(RankCounts.tpr_at_fpr, fpr=LOW_FPR),
    }
    if threshold is not None and not math.isnan(threshold):
        metrics["balanced_accuracy"] = partial(RankCounts.balanced_accuracy, column=ranking.column(threshold))
    return metrics


def _coarse(labels: NDArray[np.bool_]) -> str | None:
    reals = int((~labels).sum())
    if reals * LOW_FPR >= 1:
        return None
    return f"only {reals} reals: 1 % of them is less than one, so this is the share found without any false alarm"
