"""What trees see of many cues, and their outcome as a probe of the records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.cue import CATEGORY
from cmdfd.audit.finding import Probe
from cmdfd.audit.views import column_of, lumped
from cmdfd.statistics.arrays import component_codes
from cmdfd.statistics.probes import tree_probe
from cmdfd.statistics.roc import tpr_at_fpr
from cmdfd.statistics.tokens import token_matrix

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from cmdfd.audit.cue import CueValue
    from cmdfd.audit.views import Column
    from cmdfd.statistics.folds import Folds
    from cmdfd.statistics.probes import OutOfFold

#: Draws of the bootstrap behind each interval.
INTERVAL_DRAWS = 500


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Columns of numbers made from cues.

    Args:
        values: [n, m] numbers, codes of categories, or 1 and 0 for words; NaN = not measurable.
        categorical: [m] whether a column holds codes.
        owners: [m] cue that a column was made from.
    """

    values: NDArray[np.float64]
    categorical: NDArray[np.bool_]
    owners: tuple[str, ...]

    @property
    def cues(self) -> tuple[str, ...]:
        """Cues that vary, in their order."""
        return tuple(dict.fromkeys(self.owners))

    def of(self, *cues: str) -> Features:
        """The columns of some of the cues."""
        kept = [k for k, owner in enumerate(self.owners) if owner in cues]
        return Features(self.values[:, kept], self.categorical[kept], tuple(self.owners[k] for k in kept))

    def rows(self, rows: NDArray[np.intp]) -> Features:
        """The same of some of the clips."""
        return Features(self.values[rows], self.categorical, self.owners)


def features_of(table: pd.DataFrame, cues: Sequence[str], units: Mapping[str, str], components: ArrayLike) -> Features:
    """Turn cues into numbers once; cues that are constant, or that the table lacks, are left out.

    Args:
        table: [n] one row a clip.
        cues: Names of columns.
        units: Unit of each cue: "category" and "tokens" make names of values, others are numbers; a cue that is not
            named is what its values look like.
        components: [n].
    """
    index = component_codes(components, len(table))
    parts: list[NDArray[np.float64]] = []
    categorical: list[bool] = []
    owners: list[str] = []
    for name in dict.fromkeys(cues):
        if name not in table.columns or not len(table):
            continue
        unit = units.get(name, "")
        column = column_of(name, cells(table, name), unit == CATEGORY, unit)
        if column.constant:
            continue
        made = _numbers(column, index)
        parts += list(made.T)
        categorical += [column.numbers is None and not column.words] * made.shape[1]
        owners += [name] * made.shape[1]
    values = np.column_stack(parts) if parts else np.empty((len(table), 0))
    return Features(values, np.array(categorical, dtype=bool), tuple(owners))


def cells(table: pd.DataFrame, name: str) -> list[CueValue]:
    """Values of a column, with None for whatever pandas calls missing (its NA is neither a number nor text)."""
    values = table[name].astype(object)
    found: list[CueValue] = values.where(values.notna(), None).tolist()
    return found


def _numbers(column: Column, index: NDArray[np.intp]) -> NDArray[np.float64]:
    """[n, m] of one cue; what is missing is NaN, which trees look at, too."""
    if column.numbers is not None:
        return column.numbers[:, None]
    if column.words and column.levels is not None:
        found = token_matrix(column.levels.tolist(), index).values
        return found if found.shape[1] else np.where(column.present, 0.0, np.nan)[:, None]
    _, codes = np.unique(lumped(column, index), return_inverse=True)
    return np.where(column.present, codes.reshape(-1), np.nan)[:, None]


def grown(
    features: Features, labels: ArrayLike, components: ArrayLike, *, seed: int = 0, folds: Folds | None = None
) -> OutOfFold:
    """Cross-validated trees on these features, see `cmdfd.statistics.probes.tree_probe`."""
    return tree_probe(features.values, labels, components, categorical=features.categorical, seed=seed, folds=folds)


def probe_of(
    found: OutOfFold, labels: ArrayLike, components: ArrayLike, *, n_draws: int = INTERVAL_DRAWS, seed: int = 0
) -> Probe | None:
    """The outcome of trees as a record; None where they were refused.

    Args:
        found: What `cmdfd.statistics.probes.tree_probe` gave.
        labels: [n], 1 = fake.
        components: [n].
        n_draws: Draws of the bootstrap.
        seed: Seed of the bootstrap.
    """
    value, interval = found.auc(labels), found.interval(labels, components, n_draws, seed)
    if value is None or interval is None:
        return None
    return Probe("tree", value, interval.low, interval.high, tpr_at_fpr(labels, found.scores), found.bits(labels))


def drawn_rows(components: ArrayLike, limit: int, seed: int) -> NDArray[np.intp]:
    """Rows of whole components, drawn by the seed until there are about `limit` of them; all rows of smaller sets.

    Args:
        components: [n].
        limit: Rows wanted, at least 1.
        seed: Seed.
    """
    index = component_codes(components, len(np.asarray(components)))
    if len(index) <= limit:
        return np.arange(len(index))
    sizes = np.bincount(index)
    order = np.random.default_rng(seed).permutation(len(sizes))
    stop = int(np.searchsorted(np.cumsum(sizes[order]), limit)) + 1
    chosen = np.zeros(len(sizes), dtype=bool)
    chosen[order[:stop]] = True
    return np.flatnonzero(chosen[index])
