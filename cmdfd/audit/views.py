"""Ways of looking at a cue, so that a rank statistic also sees grids, categories and missing values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cmdfd.audit.cue import CueValue

#: A number with at most this many distinct values is also looked at value by value (frame rates, picture sizes, grids).
MAX_LEVELS = 12
#: A category that occurs in fewer components is lumped with the other rare ones.
MIN_LEVEL_COMPONENTS = 3
RARE = "(rare)"

ViewKind = Literal["value", "distance", "level", "missing", "order"]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One column of numbers made from a cue.

    Args:
        cue: Name of the cue.
        kind: "value" as it is; "distance" from the median; "level" whether it has one value; "missing" whether it is
            not measurable; "order" levels by their share of fakes (an effect size only, it is never tested).
        level: The value for "level", else "".
        values: [n]; NaN where the cue is not measurable.
    """

    cue: str
    kind: ViewKind
    level: str
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A cue over all clips.

    Args:
        cue: Name of the cue.
        present: [n] whether it is measurable.
        numbers: [n] its numbers (NaN where missing), or None for a category.
        levels: [n] its values as text where it is a category or has few values ("" where missing), else None.
    """

    cue: str
    present: NDArray[np.bool_]
    numbers: NDArray[np.float64] | None
    levels: NDArray[np.str_] | None

    @property
    def constant(self) -> bool:
        """Whether all clips agree, also in being measurable."""
        if not self.present.any():
            return True
        shown: NDArray[np.generic] | None = self.numbers if self.numbers is not None else self.levels
        return bool(self.present.all() and shown is not None and (shown == shown[0]).all())


def column_of(cue: str, values: Sequence[CueValue], categorical: bool) -> Column:
    """Sort out numbers, categories and missing values.

    Args:
        cue: Name.
        values: [n] numbers, text, None or NaN (None and NaN are missing; so are infinite numbers).
        categorical: Whether numbers are names, too.

    Raises:
        ValueError: For text in a cue of numbers.
    """
    if categorical or any(isinstance(value, str) for value in values):
        texts = [None if _missing(value) else str(value) for value in values]
        present = np.array([text is not None for text in texts])
        return Column(cue, present, None, np.array([text or "" for text in texts], dtype=str))
    numbers = np.array([np.nan if _missing(value) else float(value) for value in values], dtype=np.float64)  # type: ignore[arg-type]
    present = ~np.isnan(numbers)
    distinct = np.unique(numbers[present])
    levels = None
    if len(distinct) <= MAX_LEVELS:
        levels = np.array([f"{number:.10g}" if here else "" for number, here in zip(numbers, present, strict=True)])
    return Column(cue, present, numbers, levels)


def _missing(value: CueValue) -> bool:
    return value is None or (not isinstance(value, str) and not np.isfinite(value))


def views_of(column: Column, components: NDArray[np.intp]) -> list[View]:
    """All testable views of a cue; none where it is constant.

    Args:
        column: The cue.
        components: [n] component of each clip.
    """
    present, found = column.present, []
    if not present.any():
        return []
    if not present.all():
        found.append(View(column.cue, "missing", "", (~present).astype(np.float64)))
    several = False
    if column.numbers is not None:
        distinct = np.unique(column.numbers[present])
        several = len(distinct) > 2
        if len(distinct) > 1:
            found.append(View(column.cue, "value", "", column.numbers))
        if several:
            distance = np.abs(column.numbers - np.median(column.numbers[present]))
            found.append(View(column.cue, "distance", "", distance))
    if column.levels is not None and (several or column.numbers is None):
        found += _level_views(column, components)
    return found


def lumped(column: Column, components: NDArray[np.intp]) -> NDArray[np.str_]:
    """[n] levels with those that occur in few components under one name; "" where missing."""
    levels = column.levels
    if levels is None:
        raise ValueError(f"cue {column.cue!r} has no levels")
    found = levels.astype(object)
    for level in np.unique(levels[column.present]):
        here = column.present & (levels == level)
        if len(np.unique(components[here])) < MIN_LEVEL_COMPONENTS:
            found[here] = RARE
    return found.astype(str)


def _level_views(column: Column, components: NDArray[np.intp]) -> list[View]:
    levels = lumped(column, components)
    names = np.unique(levels[column.present])
    if len(names) < 2:
        return []
    chosen = names[:1] if len(names) == 2 else names
    return [
        View(column.cue, "level", str(name), np.where(column.present, (levels == name).astype(np.float64), np.nan))
        for name in chosen
    ]


def ordered_view(column: Column, labels: NDArray[np.bool_], components: NDArray[np.intp]) -> View | None:
    """Levels in the order of their share of fakes: how far all of them together tell the classes.

    Its order is taken from the same clips, so it overstates an effect that is not there. Use it for the size of an
    effect that another view has shown to exist.
    """
    if column.levels is None:
        return None
    levels = lumped(column, components)
    names = np.unique(levels[column.present])
    if len(names) < 3:
        return None
    values = np.full(len(levels), np.nan)
    for name in names:
        here = column.present & (levels == name)
        values[here] = labels[here].mean()
    return View(column.cue, "order", "", values)
