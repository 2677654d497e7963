"""Runs of one class at the ends of a feature's order and in its categories: markers that are rare but certain.

If all clips above some value are fake, that is a certain marker, however few they are, unless chance could do it
anywhere: the longest run is therefore compared with the longest one over all features, ends and categories under
rearranged labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Runs are followed this far: chance does not come near, and longer ones count as this long on both sides.
MAX_RUN = 128


@dataclass(frozen=True, slots=True, eq=False)
class _End:
    """One end of an order: the first rows from there, and where blocks of equal values end among them."""

    rows: NDArray[np.intp]
    blocks: NDArray[np.intp]
    column: int


@dataclass(frozen=True, slots=True, eq=False)
class PureRuns:
    """Where runs are looked for.

    Args:
        ends: Ends of orders.
        groups: [n, G] 1 for the members of sets that count as a whole (categories, long blocks of equal values).
        group_columns: [G] feature of each set.
        sizes: [G] members.
        n_columns: Features.
        weight: Weight of one more clip in a run of reals and of fakes: minus the logarithm of the class's share, so
            that a run of the common class must be longer.
    """

    ends: tuple[_End, ...]
    groups: NDArray[np.float32]
    group_columns: NDArray[np.intp]
    sizes: NDArray[np.float32]
    n_columns: int
    weight: NDArray[np.float64]

    @classmethod
    def of(cls, features: NDArray[np.float64], binary: Sequence[bool], labels: NDArray[np.bool_]) -> PureRuns:
        """Prepare.

        Args:
            features: [n, k]; NaN = not measurable.
            binary: [k] whether a feature is the indicator of a set (1 = in it).
            labels: [n] the true labels.
        """
        ends: list[_End] = []
        groups: list[NDArray[np.bool_]] = []
        owners: list[int] = []
        for column in range(features.shape[1]):
            values = features[:, column]
            present = np.flatnonzero(~np.isnan(values))
            if binary[column]:
                sets = [np.zeros(len(values), bool), np.zeros(len(values), bool)]
                sets[0][present], sets[1][present] = values[present] == 1, values[present] == 0
                groups += sets
                owners += [column, column]
                continue
            order = present[np.argsort(values[present], kind="stable")]
            for rows in (order, order[::-1]):
                end, block = _end(values, rows, column)
                ends.append(end)
                if block is not None:
                    groups.append(block)
                    owners.append(column)
        kept = [k for k, one in enumerate(groups) if one.any()]
        table = np.zeros((len(labels), len(kept)), np.float32)
        for place, k in enumerate(kept):
            table[:, place] = groups[k]
        share = float(np.clip(labels.mean(), 1e-9, 1 - 1e-9))
        return cls(
            tuple(ends),
            table,
            np.array([owners[k] for k in kept], dtype=np.intp),
            table.sum(axis=0),
            features.shape[1],
            np.array([-np.log(1 - share), -np.log(share)]),
        )

    def weights(self, labels: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Weight of the longest run of one class in each feature under each label vector.

        Args:
            labels: [B, n].

        Returns:
            [B, k], 0 where no end and no set is pure.
        """
        found = np.zeros((len(labels), self.n_columns))
        for end in self.ends:
            if not len(end.rows):
                continue
            near = labels[:, end.rows]
            first = near[:, 0]
            differs = near != first[:, None]
            pure = np.where(differs.any(axis=1), differs.argmax(axis=1), near.shape[1])
            whole = np.concatenate([[0], end.blocks])[np.searchsorted(end.blocks, pure, side="right")]
            np.maximum(found[:, end.column], whole * self.weight[first.astype(np.intp)], out=found[:, end.column])
        if len(self.group_columns):
            fakes = labels.astype(np.float32) @ self.groups
            capped = np.minimum(self.sizes, MAX_RUN)
            weights = np.where(fakes == self.sizes, capped * self.weight[1], 0.0)
            weights = np.where(fakes == 0, capped * self.weight[0], weights)
            for place, column in enumerate(self.group_columns):
                np.maximum(found[:, column], weights[:, place], out=found[:, column])
        return found


def _end(values: NDArray[np.float64], rows: NDArray[np.intp], column: int) -> tuple[_End, NDArray[np.bool_] | None]:
    """One end; its first block of equal values as a set where it is longer than runs are followed."""
    near = rows[:MAX_RUN]
    shown = values[rows[: MAX_RUN + 1]]
    blocks = np.flatnonzero(shown[1:] != shown[:-1]) + 1
    if len(rows) <= MAX_RUN and len(rows):
        blocks = np.append(blocks, len(rows))
    end = _End(near, blocks.astype(np.intp), column)
    if len(blocks) or not len(rows):
        return end, None
    return end, values == values[rows[0]]
