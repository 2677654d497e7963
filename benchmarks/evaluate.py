"""From predictions to results: every number of a run is computed here, from the table alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from benchmarks.columns import BOOTSTRAP_DRAWS, Columns
from benchmarks.predictions import completed
from benchmarks.results import Comparison, Condition, Estimate, KindResult, TaskResult, Threshold, VersionResult
from benchmarks.versions import version_results
from cmdfd.clip import REAL_KIND

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from benchmarks.localize import Localizer, PixelTable

TASK_COLUMNS = ["detector", "dataset", "split", "condition"]


def evaluate_tasks(
    predictions: pd.DataFrame,
    thresholds: dict[str, Threshold],
    domains: dict[tuple[str, str], str],
    seed: int = 0,
    *,
    pixels: PixelTable | None = None,
    extra: Sequence[str] = (),
) -> list[TaskResult]:
    """Judge every detector on every split under every condition.

    Args:
        predictions: The table that `benchmarks.predictions` describes.
        thresholds: Detector label -> decision threshold chosen on validation.
        domains: (detector label, dataset name) -> "in" or "cross".
        seed: Seed of the bootstrap; the same draws for every detector of a set.
        pixels: What the predicted maps came to, None where no detector gave any.
        extra: Names of plug-in metrics, added to `pooled` and to every kind.

    Returns:
        One result for each group, in the order of the table.
    """
    from benchmarks.localize import localizers

    predictions = completed(predictions)
    shared = shared_kinds(predictions)
    judges = localizers(predictions, pixels, seed)
    results = []
    for key, table in predictions.groupby(TASK_COLUMNS, sort=False):
        detector, dataset, split, condition = (str(part) for part in cast("tuple[str, ...]", key))
        domain = domains.get((detector, dataset), "unknown")
        named = TaskKey(detector, dataset, split, cast("Condition", condition), domain)
        results.append(_task(table, named, _Judging(thresholds.get(detector), shared, seed, judges, tuple(extra))))
    return results


@dataclass(frozen=True, slots=True)
class TaskKey:
    """What a task result is about."""

    detector: str
    dataset: str
    split: str
    condition: Condition
    domain: str


@dataclass(frozen=True, slots=True, eq=False)
class _Judging:
    """What all tables of a detector are judged with."""

    threshold: Threshold | None
    shared: Sequence[str]
    seed: int
    localizers: Mapping[str, Localizer]
    extra: tuple[str, ...]

    def metrics(self, table: pd.DataFrame) -> dict[str, Estimate]:
        return Columns.of(table).metrics(self.value, self.seed, self.extra)

    @property
    def value(self) -> float | None:
        return self.threshold.value if self.threshold else None


def _task(table: pd.DataFrame, key: TaskKey, judging: _Judging) -> TaskResult:
    real = table[table["label"] == 0]
    fake = table[table["label"] == 1]
    over_shared = table[(table["label"] == 0) | table["kind"].isin(list(judging.shared))]
    # where the forgery is seen does not hang on a leading silence; once is enough
    localizer = judging.localizers.get(key.detector) if key.condition == "untrimmed" else None
    return TaskResult(
        detector=key.detector,
        dataset=key.dataset,
        split=key.split,
        condition=key.condition,
        domain=cast("Literal['in', 'cross', 'unknown']", key.domain),
        n_real=len(real),
        n_fake=len(fake),
        n_failed=int(table["score"].isna().sum()),
        n_components=int(table["component"].nunique()),
        base_rate=float(len(fake) / max(len(table), 1)),
        threshold=judging.threshold,
        pooled=judging.metrics(table),
        kinds=_kinds(real, fake, judging),
        shared_kinds=judging.metrics(over_shared) if judging.shared else None,
        localization=localizer.judge(table) if localizer else None,
        platforms=_versions(table, "platform", judging, localizer),
        scenes=_versions(table, "scene", judging, localizer),
    )


def _versions(
    table: pd.DataFrame, column: Literal["platform", "scene"], judging: _Judging, localizer: Localizer | None
) -> list[VersionResult]:
    return version_results(table, column, judging.value, judging.seed, localizer, judging.extra)


def _kinds(real: pd.DataFrame, fake: pd.DataFrame, judging: _Judging) -> list[KindResult]:
    rows = []
    for kind in sorted(fake["kind"].unique()):
        of_kind = fake[fake["kind"] == kind]
        rows.append(_kind_row(kind, None, real, of_kind, judging))
        variants = sorted(set(of_kind["variant"]) - {""}, key=_natural)
        rows.extend(
            _kind_row(kind, variant, real, of_kind[of_kind["variant"] == variant], judging)
            for variant in variants
            if len(variants) > 1
        )
    return rows


def _natural(text: str) -> tuple[float, str]:
    head = text.split(" ", maxsplit=1)[0]
    try:
        return (float(head), text)
    except ValueError:
        return (float("inf"), text)


def _kind_row(kind: str, variant: str | None, real: pd.DataFrame, fake: pd.DataFrame, judging: _Judging) -> KindResult:
    import pandas as pd

    table = pd.concat([real, fake])
    return KindResult(
        kind=kind,
        variant=variant,
        n_real=len(real),
        n_fake=len(fake),
        n_components=int(table["component"].nunique()),
        n_failed=int(table["score"].isna().sum()),
        metrics=judging.metrics(table),
    )


def shared_kinds(predictions: pd.DataFrame) -> list[str]:
    """Fake kinds that every set of the table has; empty where there is one set only."""
    fakes = predictions[predictions["kind"] != REAL_KIND]
    per_set = [set(group["kind"]) for _, group in fakes.groupby("dataset")]
    if len(per_set) < 2:
        return []
    return sorted(set.intersection(*per_set))


def compare_sets(predictions: pd.DataFrame, tasks: Sequence[TaskResult], seed: int = 0) -> list[Comparison]:
    """In-set against cross-set AUC of every trained detector, on the kinds that both sets share.

    The two sets have no component in common, so the gap's interval comes from independent bootstraps of the two.
    """
    shared = shared_kinds(predictions)
    plain = [task for task in tasks if task.condition == "untrimmed" and task.shared_kinds]
    comparisons = []
    for inside in (task for task in plain if task.domain == "in"):
        for cross in (task for task in plain if task.domain == "cross" and task.detector == inside.detector):
            gap = _gap(predictions, inside, cross, shared, seed)
            comparisons.append(_comparison(inside, cross, shared, gap))
    return comparisons


def _gap(
    predictions: pd.DataFrame, inside: TaskResult, cross: TaskResult, shared: Sequence[str], seed: int
) -> Estimate:
    from cmdfd.statistics.bootstrap import bootstrap_auc_draws, class_components, interval_of, reliability

    first, second = (Columns.of(_rows_of(predictions, task, shared)) for task in (inside, cross))
    draws = [
        bootstrap_auc_draws(part.labels, part.worst_case(), part.components, BOOTSTRAP_DRAWS, seed + offset)
        for offset, part in enumerate((first, second), start=1)
    ]
    in_auc, cross_auc = (inside.shared_kinds or {})["auc"], (cross.shared_kinds or {})["auc"]
    if in_auc.value is None or cross_auc.value is None:
        return Estimate(value=None, unreliable=in_auc.unreliable or cross_auc.unreliable)
    components = min(class_components(part.labels, part.components) for part in (first, second))
    doubts = [reliability(part.labels, part.components) for part in (first, second)]
    interval = interval_of(draws[0] - draws[1], 0.95, components, doubts[0] or doubts[1])
    return Estimate(
        value=in_auc.value - cross_auc.value,
        low=interval.low,
        high=interval.high,
        level=interval.level,
        unreliable=interval.unreliable,
    )


def _rows_of(predictions: pd.DataFrame, task: TaskResult, shared: Sequence[str]) -> pd.DataFrame:
    rows = predictions[
        (predictions["detector"] == task.detector)
        & (predictions["dataset"] == task.dataset)
        & (predictions["split"] == task.split)
        & (predictions["condition"] == task.condition)
    ]
    return rows[(rows["label"] == 0) | rows["kind"].isin(list(shared))]


def _comparison(inside: TaskResult, cross: TaskResult, shared: Sequence[str], gap: Estimate) -> Comparison:
    return Comparison(
        detector=inside.detector,
        in_set=f"{inside.dataset}/{inside.split}",
        cross_set=f"{cross.dataset}/{cross.split}",
        kinds=list(shared),
        in_auc=(inside.shared_kinds or {})["auc"],
        cross_auc=(cross.shared_kinds or {})["auc"],
        gap=gap,
        verdict=_verdict(inside.dataset, cross.dataset, gap),
    )


def _verdict(in_name: str, cross_name: str, gap: Estimate) -> str:
    if gap.value is None or gap.low is None or gap.high is None:
        return f"The gap between {in_name} and {cross_name} cannot be computed: {gap.unreliable}."
    value, low, high = gap.value, gap.low, gap.high
    numbers = f"{value:+.3f} [{low:+.3f}, {high:+.3f}]"
    if low > 0:
        return f"AUC on {in_name} is clearly above that on {cross_name}: gap {numbers}."
    if high < 0:
        return (
            f"AUC on {cross_name} is above that on {in_name}: gap {numbers}. The other set is the easier one for the "
            "shared kinds, so this run does not show a loss across sets."
        )
    return (
        f"No clear gap between {in_name} and {cross_name}: {numbers} holds 0. Either what was learned carries over, or "
        "the sets are too alike to show a loss (one renderer draws both embedded sets), or they are too small for it."
    )


def plain_auc(rows: Sequence[dict[str, Any]]) -> float:
    """Pooled AUC of prediction rows, failures counting as worst."""
    from cmdfd.statistics.roc import auc

    labels = np.array([row["label"] for row in rows], dtype=np.int64)
    worst = np.where(labels == 1, -np.inf, np.inf)
    scores = np.array([worst[i] if row["score"] is None else row["score"] for i, row in enumerate(rows)])
    return auc(labels, scores)
