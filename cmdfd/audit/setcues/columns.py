"""Columns of a set as plain arrays, whatever the table holds: nulls, numbers as text, lists, odd types, no column."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from cmdfd.audit.targets.target import Target

#: Code of a row that says nothing.
NOBODY = -1
#: Most examples in one check.
MAX_EXAMPLES = 5


def is_missing(value: Any) -> bool:
    """Whether a cell says nothing: None, NaN, NaT, pandas' NA."""
    if value is None:
        return True
    if isinstance(value, float | np.floating):
        return math.isnan(float(value))
    return type(value).__name__ in ("NAType", "NaTType")


def column(frame: pd.DataFrame, name: str) -> pd.Series[Any] | None:
    """A column; the first one of that name; None where there is none."""
    if name not in frame.columns:
        return None
    found = frame[name]
    return found if found.ndim == 1 else found.iloc[:, 0]  # type: ignore[call-overload]


def texts(series: pd.Series[Any] | None, n: int) -> NDArray[np.object_]:
    """[n] text; "" where there is nothing."""
    found = np.full(n, "", dtype=object)
    if series is not None:
        found[:] = [v if isinstance(v, str) else "" if is_missing(v) else str(v) for v in cells(series)]
    return found


def numbers(series: pd.Series[Any] | None, n: int) -> NDArray[np.float64]:
    """[n] finite numbers; NaN where there is none."""
    import pandas as pd

    if series is None:
        return np.full(n, np.nan)
    found = series
    if found.dtype == object:
        found = pd.Series([None if isinstance(v, list | tuple | dict | np.ndarray) else v for v in found], dtype=object)
    values = pd.to_numeric(found, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def codes(values: NDArray[np.object_]) -> NDArray[np.intp]:
    """[n] the number of each distinct text in order of appearance, `NOBODY` for ""."""
    import pandas as pd

    found = pd.factorize(values)[0]
    empty = np.asarray(values == "", dtype=bool)
    if empty.any():  # the code of "" is taken out, so that codes stay without a gap
        gap = found[int(np.argmax(empty))]
        found = np.where(empty, NOBODY, found - (found > gap))
    return np.asarray(found, dtype=np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Facts and measured cues of the same clips, row by row.

    Args:
        clips: What the target says.
        table: What was measured; it may repeat columns of `clips`, and then counts.
    """

    clips: pd.DataFrame
    table: pd.DataFrame

    @property
    def n(self) -> int:
        """Clips."""
        return len(self.clips)

    def column(self, name: str) -> pd.Series[Any] | None:
        """A column of the table, else of the clips, else None."""
        found = column(self.table, name)
        return column(self.clips, name) if found is None else found

    def has(self, name: str) -> bool:
        """Whether there is such a column."""
        return name in self.table.columns or name in self.clips.columns

    def text(self, name: str) -> NDArray[np.object_]:
        """[n] text, "" where missing."""
        return texts(self.column(name), self.n)

    def number(self, name: str) -> NDArray[np.float64]:
        """[n] numbers, NaN where missing."""
        return numbers(self.column(name), self.n)

    def flag(self, name: str) -> NDArray[np.int8]:
        """[n] 1, 0, or -1 where a label is unknown or no label."""
        values = self.number(name)
        return np.where(values == 1, 1, np.where(values == 0, 0, NOBODY)).astype(np.int8)

    def codes(self, name: str) -> NDArray[np.intp]:
        """[n] number of each distinct text, `NOBODY` where missing."""
        return codes(self.text(name))

    def lists(self, name: str) -> tuple[NDArray[np.intp], list[Any]]:
        """Members of a column of lists as (row of each, member); a single value counts as a list of one."""
        series = self.column(name)
        rows: list[int] = []
        members: list[Any] = []
        for row, cell in enumerate(cells(series)):
            for one in members_of(cell):
                rows.append(row)
                members.append(one)
        return np.array(rows, dtype=np.intp), members

    def names(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> tuple[str, ...]:
        """Names of the first few chosen clips: their file, else id, else row."""
        rows = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        return tuple(self.name(int(row)) for row in rows[:MAX_EXAMPLES])

    def name(self, row: int) -> str:
        """Name of one clip."""
        for known in ("file", "id"):
            series = self.column(known)
            if series is not None and not is_missing(series.iloc[row]) and str(series.iloc[row]):
                return str(series.iloc[row])
        return f"row {row}"


def cells(series: pd.Series[Any] | None) -> list[Any]:
    """The cells of a column as they are; none where there is no column."""
    return [] if series is None else series.astype(object).tolist()


def members_of(cell: Any) -> list[Any]:
    """Members of a cell that may be a list, an array, a single value or nothing."""
    if isinstance(cell, list | tuple | set | frozenset):
        return [one for one in cell if not is_missing(one)]
    if isinstance(cell, np.ndarray):
        return [one for one in cell.tolist() if not is_missing(one)]
    return [] if is_missing(cell) or cell == "" else [cell]


def rows_of(target: Target, table: pd.DataFrame) -> Rows:
    """Bring a measured table and the clips of a target together.

    Args:
        target: The set.
        table: One row a clip: all clips in their order, or some of them by index.

    Raises:
        ValueError: Where rows cannot be matched.
    """
    clips = target.clips
    if table.index.equals(clips.index):
        return Rows(clips, table)
    if clips.index.is_unique and table.index.isin(clips.index).all():
        return Rows(clips.loc[table.index], table)
    if len(table) == len(clips):
        return Rows(clips, table)
    raise ValueError(
        f"the table has {len(table)} rows and the target {len(clips)}, and its index does not name them; "
        "pass a table whose index is that of target.clips, or a part of it"
    )
