"""The columns of the predictions table that detection metrics take, with failures at the worst end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from benchmarks.results import Estimate

#: Draws of the component bootstrap behind every interval.
BOOTSTRAP_DRAWS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Labels, scores and components of some rows.

    Args:
        labels: [n], 1 = fake.
        scores: n scores, None where the clip failed.
        components: [n].
    """

    labels: NDArray[np.int64]
    scores: list[float | None]
    components: NDArray[np.str_]

    @classmethod
    def of(cls, table: pd.DataFrame) -> Columns:
        """Take them out of rows of the predictions table."""
        scores = [None if value is None or not np.isfinite(value) else float(value) for value in table["score"]]
        return cls(table["label"].to_numpy(np.int64), scores, table["component"].to_numpy(dtype=str))

    def worst_case(self) -> NDArray[np.float64]:
        """Scores in which a failed clip is the worst of its class: a real surely fake, a fake surely real."""
        worst = np.where(self.labels == 1, -np.inf, np.inf)
        return np.array([worst[i] if score is None else score for i, score in enumerate(self.scores)], np.float64)

    def metrics(self, threshold: float | None, seed: int, extra: Sequence[str] = ()) -> dict[str, Estimate]:
        """All detection metrics, then the plug-in metrics that are named.

        Args:
            threshold: Decision threshold from validation, or None.
            seed: Seed of the draws.
            extra: Names of plug-in metrics.
        """
        from benchmarks.metrics.detection import evaluate

        found = evaluate(self.labels, self.scores, self.components, threshold, BOOTSTRAP_DRAWS, seed)
        for name in extra:
            from benchmarks.metrics.registry import bootstrap_metric, load_metric

            function = load_metric(name).function
            found[name] = bootstrap_metric(function, self.labels, self.scores, self.components, BOOTSTRAP_DRAWS, seed)
        return found
