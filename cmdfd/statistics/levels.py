"""Chi-square of labels over the bins of many features, for many label vectors by one matrix product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: A bin whose count no rearrangement moves by more than this says nothing.
_NO_SPREAD = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class LevelCounts:
    """Bins of m features as columns of indicators.

    Args:
        indicators: [n, L] 1 where a clip lies in the bin; float32, exact for counts below 2^24.
        starts: [m] first column of each feature.
    """

    indicators: NDArray[np.float32]
    starts: NDArray[np.intp]

    @classmethod
    def of(cls, codes: NDArray[np.intp]) -> LevelCounts:
        """Make indicators of [n, m] bins 0, 1, ...; a clip at -1 is in no bin."""
        sizes = [int(codes[:, j].max(initial=-1)) + 1 for j in range(codes.shape[1])]
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.intp)
        table = np.zeros((len(codes), int(starts[-1])), np.float32)
        for j, start in enumerate(starts[:-1]):
            rows = np.flatnonzero(codes[:, j] >= 0)
            table[rows, start + codes[rows, j]] = 1.0
        return cls(table, starts[:-1])

    def count(self, labels: NDArray[np.bool_]) -> NDArray[np.float32]:
        """[B, L] fakes in every bin under [B, n] label vectors."""
        found: NDArray[np.float32] = labels.astype(np.float32) @ self.indicators
        return found

    def cube_roots(self, counts: NDArray[np.float32]) -> NDArray[np.float64]:
        """Cube roots of each feature's chi-square.

        Every bin's count is set against its own mean and variance over the rearrangements, which hold the design: in
        a paired set a bin that never parts twins varies not at all.

        Args:
            counts: [1 + m, L] of the true labels and the rearrangements.

        Returns:
            [1 + m, features].
        """
        if not len(self.starts):
            return np.empty((len(counts), 0))
        away = counts.astype(np.float64) - counts.mean(axis=0, dtype=np.float64)
        variance = np.square(away).mean(axis=0)
        np.square(away, out=away)
        away /= np.where(variance > _NO_SPREAD, variance, np.inf)
        found: NDArray[np.float64] = np.cbrt(np.add.reduceat(away, self.starts, axis=1))
        return found
