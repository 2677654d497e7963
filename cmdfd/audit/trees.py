"""The tree probe of one cue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.effects import INTERVAL_DRAWS
from cmdfd.audit.finding import Probe
from cmdfd.audit.views import lumped, words_of
from cmdfd.statistics.bootstrap import bootstrap_auc
from cmdfd.statistics.probes import tree_probe
from cmdfd.statistics.roc import auc, tpr_at_fpr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cmdfd.audit.views import Column
    from cmdfd.statistics.probes import OutOfFold


def tree_of(
    column: Column, rests: Sequence[str], labels: NDArray[np.bool_], components: NDArray[np.intp], seed: int
) -> Probe | None:
    """Cross-validated trees on a cue: its value, its rests of divisions, its categories or its words.

    Args:
        column: The cue.
        rests: Divisors whose rests are given to the trees, too.
        labels: [n], True = fake.
        components: [n].
        seed: Seed of the folds.

    Returns:
        None where it cannot be cross-validated.
    """
    features = features_of(column, rests, components)
    categorical = np.full(features.shape[1], column.numbers is None and not column.words)
    found = tree_probe(features, labels, components, categorical=categorical, seed=seed)
    if found.refused:
        return None
    interval = bootstrap_auc(labels, found.scores, components, INTERVAL_DRAWS, seed=seed)
    return Probe(
        "tree",
        auc(labels, found.scores),
        interval.low,
        interval.high,
        tpr_at_fpr(labels, found.scores),
        usable_bits(found, labels),
    )


def features_of(column: Column, rests: Sequence[str], components: NDArray[np.intp]) -> NDArray[np.float64]:
    """[n, k] what the trees see of a cue; NaN = not measurable."""
    if column.words:
        words = list(words_of(column, components).values())
        seen = [np.where(column.present, here, np.nan) for here in words]
        return np.column_stack(seen) if seen else np.where(column.present, 0.0, np.nan)[:, None]
    if column.numbers is None:
        _, codes = np.unique(lumped(column, components), return_inverse=True)
        return np.where(column.present, codes, np.nan)[:, None]
    return np.column_stack([column.numbers, *(np.mod(column.numbers, float(rest)) for rest in rests)])


def usable_bits(found: OutOfFold, labels: NDArray[np.bool_]) -> float:
    """V-usable information in bits: how much shorter the labels get told with the cue than without (held out)."""
    without = -np.log2(np.where(labels, found.prior, 1 - found.prior))
    return float(np.mean(without - found.loss))
