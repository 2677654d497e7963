"""Which fakes are compared with which reals: all of them, and each generator, split or modality by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.finding import POOLED
from cmdfd.errors import CmdfdError, nearest
from cmdfd.statistics.arrays import component_codes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

#: Columns that say what a fake is: its fakes are set against all reals.
OF_FAKES = ("generator", "kind", "modality")
#: Columns that part the whole set: fakes are set against the reals of the same part.
OF_CLIPS = ("split", "platform")
#: Comparisons of one column at most, those of most fakes first.
MAX_LEVELS = 40


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """The labelled rows of a table.

    Args:
        table: The rows.
        labels: [n], True = fake.
        components: [n] numbers.
    """

    table: pd.DataFrame
    labels: NDArray[np.bool_]
    components: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One comparison: which clips, and what they are."""

    name: str
    by: str
    level: str
    rows: NDArray[np.intp]
    labels: NDArray[np.bool_]
    components: NDArray[np.intp]

    @property
    def pooled(self) -> bool:
        """Whether it is the comparison of all fakes with all reals."""
        return self.name == POOLED


def known_rows(table: pd.DataFrame) -> Known:
    """Rows that have a label, with the labels and components as arrays.

    Raises:
        CmdfdError: Where a column is missing, a clip has no component, or a class has no clip.
    """
    for name in ("label", "component"):
        if name not in table.columns:
            raise CmdfdError(f"the audit needs a column {name!r}; there are: {', '.join(map(str, table.columns))}")
    known = table[table["label"].isin([0, 1])]
    labels = known["label"].to_numpy(dtype=np.int64) == 1
    if labels.all() or not labels.any():
        raise CmdfdError(f"the audit compares classes, but {int(labels.sum())} of {len(known)} labelled clips are fake")
    try:
        components = component_codes(known["component"].to_numpy(), len(known))
    except ValueError as error:
        raise CmdfdError(f"column 'component': {error}") from error
    return Known(known, labels, components)


def parts_of(known: Known, by: Sequence[str]) -> list[Part]:
    """The pooled comparison, then one for each level of each column of `by` that has several.

    Args:
        known: The rows.
        by: Names of `OF_FAKES` and `OF_CLIPS`; a column that the table lacks is passed over.

    Raises:
        CmdfdError: For another name.
    """
    labels, components = known.labels, known.components
    found = [Part(POOLED, "", "", np.arange(len(labels)), labels, components)]
    for column in by:
        if column not in (*OF_FAKES, *OF_CLIPS):
            raise CmdfdError(f"clips cannot be compared by {column!r}: {nearest(column, (*OF_FAKES, *OF_CLIPS))}")
        if column in known.table.columns:
            found += _levels(known, column)
    return found


def _levels(known: Known, column: str) -> list[Part]:
    labels, components = known.labels, known.components
    texts = known.table[column].fillna("").astype(str).to_numpy()
    names, counts = np.unique(texts[labels], return_counts=True)
    kept = sorted(np.argsort(-counts, kind="stable")[:MAX_LEVELS].tolist())
    if len(names) < 2:
        return []
    found = []
    for name in names[kept]:
        here = texts == name
        rows = np.flatnonzero(here | ~labels if column in OF_FAKES else here)
        if labels[rows].all() or not labels[rows].any():
            continue  # a part of one class has nothing to compare; the checks tell of it
        # the gate of a build names fake kinds by themselves
        title = str(name) if column == "kind" else f"{column}: {name or '(none)'}"
        found.append(Part(title, column, str(name), rows, labels[rows], components[rows]))
    return found
