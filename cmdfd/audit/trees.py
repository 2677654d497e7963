"""The tree probe of one cue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.deeper.probing import probe_of
from cmdfd.audit.effects import INTERVAL_DRAWS
from cmdfd.audit.views import lumped, words_of
from cmdfd.statistics.probes import tree_probe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cmdfd.audit.finding import Probe
    from cmdfd.audit.views import Column


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
    return probe_of(found, labels, components, n_draws=INTERVAL_DRAWS, seed=seed)


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
