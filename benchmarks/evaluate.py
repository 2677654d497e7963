"""From predictions to results: every number of a run is computed here, from the table alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from benchmarks.columns import BOOTSTRAP_DRAWS, Columns
from benchmarks.predictions import completed
from benchmarks.results import (
    Comparison,
    Condition,
    Estimate,
    KindResult,
    TaskResult,
    Threshold,
    VersionResult,
    failure_reasons,
)
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
    shared = shared_of(predictions)
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
    shared: Shared
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
        failures=failure_reasons(table["error"].dropna()) if "error" in table else {},
        base_rate=float(len(fake) / max(len(table), 1)),
        threshold=judging.threshold,
        pooled=judging.metrics(table),
        kinds=_kinds(real, fake, judging),
        shared_kinds=judging.metrics(judging.shared.rows(table)) if judging.shared.kinds else None,
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


@dataclass(frozen=True, slots=True)
class Shared:
    """What sets have in common.

    Args:
        kinds: Fake kinds that every set has on these platforms; empty where there is one set only.
        platforms: Platforms that every set has; "" stands for the clips before any.
    """

    kinds: tuple[str, ...]
    platforms: tuple[str, ...]

    def rows(self, table: pd.DataFrame) -> pd.DataFrame:
        """Rows of these platforms: all reals, and the fakes of these kinds."""
        return table[table["platform"].isin(self.platforms) & ((table["label"] == 0) | table["kind"].isin(self.kinds))]


def shared_of(predictions: pd.DataFrame) -> Shared:
    """What all sets of a table have in common.

    What a platform does to a clip moves the AUC; where one set was sent through platforms and another was not, only
    their originals can be held against each other.

    Args:
        predictions: Rows of the predictions table, with the column "platform".
    """
    sets = [group for _, group in predictions.groupby("dataset")]
    if not sets:
        return Shared((), ())
    platforms = set.intersection(*(set(group["platform"]) for group in sets))
    kinds = set.intersection(*(set(group.loc[group["platform"].isin(platforms), "kind"]) for group in sets))
    return Shared(tuple(sorted(kinds - {REAL_KIND})) if len(sets) > 1 else (), tuple(sorted(platforms)))


def compare_sets(predictions: pd.DataFrame, tasks: Sequence[TaskResult], seed: int = 0) -> list[Comparison]:
    """In-set against cross-set AUC of every trained detector, on the kinds and platforms that both sets share.

    Only kinds that every set of the table has are taken, so that all gaps are over the same kinds; of the platforms
    those that the two sets share, which may be the originals alone. The two sets have no component in common, so the
    gap's interval comes from independent bootstraps of the two.

    Args:
        predictions: The table.
        tasks: What `evaluate_tasks` made of it.
        seed: Seed of the draws.

    Returns:
        One comparison for each pair; none where the sets have no kind in common. Where a pair shares no platform its
        numbers are None, and the verdict says so.
    """
    predictions = completed(predictions)
    kinds = shared_of(predictions.assign(platform="")).kinds
    plain = [task for task in tasks if task.condition == "untrimmed"] if kinds else []
    return [
        _comparison(predictions, inside, cross, kinds, seed)
        for inside in plain
        for cross in plain
        if (inside.domain, cross.domain) == ("in", "cross") and cross.detector == inside.detector
    ]


def _comparison(
    predictions: pd.DataFrame, inside: TaskResult, cross: TaskResult, kinds: Sequence[str], seed: int
) -> Comparison:
    import pandas as pd

    tables = [_rows_of(predictions, task) for task in (inside, cross)]
    pair = shared_of(pd.concat(tables))
    shared = Shared(tuple(kind for kind in pair.kinds if kind in kinds), pair.platforms)
    columns = [Columns.of(shared.rows(table)) for table in tables]
    in_auc, cross_auc = (_auc(part, shared, seed) for part in columns)
    gap = _gap(columns, (in_auc, cross_auc), seed)
    others = [sorted(set(table["platform"]) - set(shared.platforms)) for table in tables]
    return Comparison(
        detector=inside.detector,
        in_set=f"{inside.dataset}/{inside.split}",
        cross_set=f"{cross.dataset}/{cross.split}",
        kinds=list(shared.kinds),
        platforms=list(shared.platforms),
        in_auc=in_auc,
        cross_auc=cross_auc,
        gap=gap,
        verdict=_verdict(inside.dataset, cross.dataset, gap) + _over(shared, inside.dataset, cross.dataset, others),
    )


def _rows_of(predictions: pd.DataFrame, task: TaskResult) -> pd.DataFrame:
    return predictions[
        (predictions["detector"] == task.detector)
        & (predictions["dataset"] == task.dataset)
        & (predictions["split"] == task.split)
        & (predictions["condition"] == task.condition)
    ]


def _auc(part: Columns, shared: Shared, seed: int) -> Estimate:
    if not shared.platforms:
        return Estimate(value=None, unreliable="undefined: the sets have no platform in common")
    if not shared.kinds:
        return Estimate(value=None, unreliable="undefined: the sets have no kind in common on the platforms of both")
    return part.metrics(None, seed)["auc"]


def _gap(parts: Sequence[Columns], aucs: tuple[Estimate, Estimate], seed: int) -> Estimate:
    from cmdfd.statistics.bootstrap import bootstrap_auc_draws, class_components, interval_of, reliability

    in_auc, cross_auc = aucs
    if in_auc.value is None or cross_auc.value is None:
        return Estimate(value=None, unreliable=in_auc.unreliable if in_auc.value is None else cross_auc.unreliable)
    draws = [
        bootstrap_auc_draws(part.labels, part.worst_case(), part.components, BOOTSTRAP_DRAWS, seed + offset)
        for offset, part in enumerate(parts, start=1)
    ]
    components = min(class_components(part.labels, part.components) for part in parts)
    doubts = [reliability(part.labels, part.components) for part in parts]
    interval = interval_of(draws[0] - draws[1], 0.95, components, doubts[0] or doubts[1])
    return Estimate(
        value=in_auc.value - cross_auc.value,
        low=interval.low,
        high=interval.high,
        level=interval.level,
        unreliable=interval.unreliable,
    )


def _over(shared: Shared, in_name: str, cross_name: str, others: Sequence[Sequence[str]]) -> str:
    """Which platforms a comparison is over; nothing where there are none, or nothing is compared."""
    if not shared.platforms or (shared.platforms == ("",) and not any(others)):
        return ""
    words = f" Compared on {_platforms(shared.platforms)}"
    for name, other, left in ((in_name, cross_name, others[0]), (cross_name, in_name, others[1])):
        words += f"; left out of {name}, since {other} has none: {_platforms(left)}" if left else ""
    return words + "."


def _platforms(names: Sequence[str]) -> str:
    return ", ".join(name or "originals" for name in names)


def _verdict(in_name: str, cross_name: str, gap: Estimate) -> str:
    if gap.value is None or gap.low is None or gap.high is None:
        reason = str(gap.unreliable).removeprefix("undefined: ")
        return f"The gap between {in_name} and {cross_name} cannot be computed: {reason}."
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
