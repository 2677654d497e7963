"""Platform by platform and scene by scene: the fakes of each version against the reals of the same version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from benchmarks.columns import BOOTSTRAP_DRAWS, Columns
from benchmarks.results import Estimate, VersionResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from benchmarks.localize import Localizer

Column = Literal["platform", "scene"]


def version_results(
    table: pd.DataFrame,
    column: Column,
    threshold: float | None,
    seed: int,
    localizer: Localizer | None = None,
    extra: Sequence[str] = (),
) -> list[VersionResult]:
    """Judge every platform, or every scene layout, by itself.

    Args:
        table: Rows of one task.
        column: What tells the versions apart.
        threshold: Decision threshold from validation, or None.
        seed: Seed of the draws.
        localizer: Judges where the forgery is seen; None to leave that out.
        extra: Names of plug-in metrics.

    Returns:
        "" first, then by name; nothing where no clip has a name in `column`.
    """
    names = sorted(set(table[column]))
    if not any(names):
        return []
    originals = table[table["platform"] == ""] if column == "platform" else table.iloc[:0]
    return [_version(table[table[column] == name], name, originals, threshold, seed, localizer, extra)
            for name in names]  # fmt: skip


def _version(
    rows: pd.DataFrame,
    name: str,
    originals: pd.DataFrame,
    threshold: float | None,
    seed: int,
    localizer: Localizer | None,
    extra: Sequence[str],
) -> VersionResult:
    return VersionResult(
        name=name,
        n_real=int((rows["label"] == 0).sum()),
        n_fake=int((rows["label"] == 1).sum()),
        n_failed=int(rows["score"].isna().sum()),
        n_components=int(rows["component"].nunique()),
        metrics=Columns.of(rows).metrics(threshold, seed, extra),
        localization=localizer.judge(rows) if localizer is not None else None,
        gap=version_gap(rows, originals, seed) if name and len(originals) else None,
    )


def version_gap(rows: pd.DataFrame, originals: pd.DataFrame, seed: int) -> Estimate:
    """AUC of the versions minus AUC of their originals, on the originals that both have.

    Args:
        rows: Clips of one platform.
        originals: Clips before any platform.
        seed: Seed; both AUCs are drawn together.
    """
    from cmdfd.statistics.bootstrap import paired_difference

    before = originals[["id", "score"]].rename(columns={"id": "original", "score": "before"})
    paired = rows[["original", "label", "score", "component"]].merge(before, on="original")
    labels = paired["label"].to_numpy(np.int64)
    if not len(labels) or labels.all() or not labels.any():
        return Estimate(value=None, unreliable="undefined: no originals of both classes stand beside these clips")
    after, plain = (Columns.of(paired.assign(score=paired[name])) for name in ("score", "before"))
    found = paired_difference(
        labels, after.worst_case(), plain.worst_case(), after.components, BOOTSTRAP_DRAWS, seed=seed
    )
    missing = len(rows) - len(paired)
    note = f"{missing} of {len(rows)} clips have no original here" if missing else None
    interval = found.interval
    return Estimate(
        value=found.value,
        low=interval.low,
        high=interval.high,
        level=interval.level,
        unreliable=interval.unreliable or note,
    )
