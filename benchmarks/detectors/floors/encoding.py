"""From container facts to a matrix of numbers, by what the training clips have."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

#: A category needs this many training clips to get a column of its own.
MIN_LEVEL_CLIPS = 3
#: Categories of one cue, at most; the commonest ones are kept.
MAX_LEVELS = 16


class EncodedCue(BaseModel):
    """How one cue becomes columns.

    Args:
        name: Name of the cue.
        kind: "number" gives the value (the training median where missing) and whether it is missing; "category"
            gives one column for each level, one for all others, and whether it is missing.
        median: Training median of a number.
        levels: Levels of a category.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    kind: Literal["number", "category"]
    median: float = 0.0
    levels: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Number of columns."""
        return 2 if self.kind == "number" else len(self.levels) + 2

    def encode(self, value: float | str | None) -> list[float]:
        """Columns of one value; a value of the wrong type counts as an unknown category or as missing."""
        if self.kind == "number":
            if value is None or isinstance(value, str) or not np.isfinite(value):
                return [self.median, 1.0]
            return [float(value), 0.0]
        if value is None:
            return [0.0] * (self.width - 1) + [1.0]
        known = [float(str(value) == level) for level in self.levels]
        return [*known, float(not any(known)), 0.0]


def learn_encoding(rows: Sequence[Mapping[str, float | str | None]], cues: Sequence[str]) -> list[EncodedCue]:
    """Find kinds, medians and levels on the training clips.

    Args:
        rows: Headers of the training clips.
        cues: Names of the cues that may be used; those that no clip has are left out.
    """
    found = []
    for name in cues:
        values = [row.get(name) for row in rows]
        texts = [value for value in values if isinstance(value, str)]
        numbers = [float(v) for v in values if v is not None and not isinstance(v, str) and np.isfinite(v)]
        if texts:
            common = [level for level, count in Counter(texts).most_common(MAX_LEVELS) if count >= MIN_LEVEL_CLIPS]
            found.append(EncodedCue(name=name, kind="category", levels=tuple(sorted(common))))
        elif numbers:
            found.append(EncodedCue(name=name, kind="number", median=float(np.median(numbers))))
    return found


def encode(cues: Sequence[EncodedCue], rows: Sequence[Mapping[str, float | str | None]]) -> NDArray[np.float32]:
    """[n, sum of widths] matrix of numbers."""
    table = [[number for cue in cues for number in cue.encode(row.get(cue.name))] for row in rows]
    return np.array(table, dtype=np.float32).reshape(len(rows), sum(cue.width for cue in cues))
