"""Equal error rates by the conventions of other projects, for numbers that stand beside theirs.

The house's own EER (`benchmarks.metrics.detection`) is interpolated. With 20 reals and 20 fakes the conventions lie up
to 20 points apart, with 1000 and 50 under 2; on constant scores they say 0, 1 and 0.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.metrics.registry import metric
from cmdfd.statistics.arrays import as_labels, as_scores, both_classes

if TYPE_CHECKING:
    from numpy.typing import NDArray


@metric(
    "EER as DeepfakeBench counts it: the false positive rate where it is nearest to the false negative rate",
    higher_is_better=False,
    low=0.0,
    high=1.0,
    reference="DeepfakeBench 8a4a7bf, by its definition",
)
def deepfakebench(labels: NDArray[np.int64], scores: NDArray[np.float64]) -> float:
    """False positive rate at the operating point of scikit-learn's ROC curve where it is nearest to the other rate.

    The curve leaves out intermediate points on straight lines, as is scikit-learn's default. Constant scores give 0.

    Args:
        labels: [n], 1 = fake.
        scores: [n], higher = more fake.

    Raises:
        ValueError: Where a class is missing.
    """
    from sklearn.metrics import roc_curve

    y = as_labels(labels)
    both_classes(y)
    fpr, tpr, _ = roc_curve(y, as_scores(scores, len(y)))
    return float(fpr[np.argmin(np.abs(1 - tpr - fpr))])


@metric(
    "EER as ASVspoof counts it: the mean of both error rates where they are nearest",
    higher_is_better=False,
    low=0.0,
    high=1.0,
    reference="ASVspoof 5 evaluation, by its definition, with fakes in the place of the targets",
)
def asvspoof(labels: NDArray[np.int64], scores: NDArray[np.float64]) -> float:
    """Mean of both error rates where they are nearest, one threshold after each clip, fakes first among ties.

    So tied clips are taken one by one, and constant scores give 1.

    Args:
        labels: [n], 1 = fake.
        scores: [n], higher = more fake.

    Raises:
        ValueError: Where a class is missing.
    """
    y = as_labels(labels)
    both_classes(y)
    order = np.lexsort((~y, as_scores(scores, len(y))))
    missed = np.concatenate([[0], np.cumsum(y[order])]) / y.sum()
    alarms = 1 - np.concatenate([[0], np.cumsum(~y[order])]) / (~y).sum()
    nearest = int(np.argmin(np.abs(missed - alarms)))
    return float((missed[nearest] + alarms[nearest]) / 2)
