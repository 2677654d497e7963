"""Decision thresholds, chosen on validation and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.results import Threshold

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def choose_threshold(labels: Sequence[int], answers: Sequence[Mapping[str, Any]], chosen_on: str) -> Threshold:
    """Threshold of the highest balanced accuracy on the selection split.

    Args:
        labels: 1 = fake.
        answers: Answers of the detector; failed ones are left out, since they have no score to cut.
        chosen_on: Name of the split, for the record.
    """
    from cmdfd.statistics.roc import best_threshold

    kept = [(label, row["score"]) for label, row in zip(labels, answers, strict=True) if row["score"] is not None]
    classes = {label for label, _ in kept}
    if classes != {0, 1}:
        return Threshold(value=None, chosen_on=f"{chosen_on} (lacks a class, so no threshold)")
    y, s = np.array([k[0] for k in kept]), np.array([k[1] for k in kept], dtype=np.float64)
    return Threshold(value=float(best_threshold(y, s)), chosen_on=chosen_on)
