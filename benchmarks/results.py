"""The records of a run: `result.json` and the columns of `predictions.parquet`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

RESULT_SCHEMA_VERSION = 1
PREDICTIONS_SCHEMA_VERSION = 1

Condition = Literal["untrimmed", "trimmed"]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Estimate(_Record):
    """A number with its uncertainty.

    `low` and `high` are the ends of the component-bootstrap interval at `level`; `unreliable` is the reason why the
    interval should not be trusted (under 12 components, one class only ...), else None. `value` is None where the
    metric is undefined, and `unreliable` then says why.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    level: float = 0.95
    unreliable: str | None = None


class KindResult(_Record):
    """One fake kind (or one grade of it) against all reals of the set."""

    kind: str
    variant: str | None = None
    n_real: int
    n_fake: int
    n_components: int
    n_failed: int
    metrics: dict[str, Estimate]


class Threshold(_Record):
    """A decision threshold and where it was chosen."""

    value: float | None
    chosen_on: str


class TaskResult(_Record):
    """One detector on one split of one set under one condition."""

    detector: str
    dataset: str
    split: str
    condition: Condition
    domain: Literal["in", "cross", "unknown"]
    n_real: int
    n_fake: int
    n_failed: int
    n_components: int
    base_rate: float = Field(description="share of fakes among the clips")
    threshold: Threshold | None
    pooled: dict[str, Estimate]
    kinds: list[KindResult]
    shared_kinds: dict[str, Estimate] | None = Field(
        default=None, description="metrics over the kinds that all report sets have in common"
    )


class Comparison(_Record):
    """In-set against cross-set AUC on the shared kinds, and the sentence that the report prints."""

    detector: str
    in_set: str
    cross_set: str
    kinds: list[str]
    in_auc: Estimate
    cross_auc: Estimate
    gap: Estimate
    verdict: str


class DatasetInfo(_Record):
    """A set that took part."""

    name: str
    path: str
    manifest_sha256: str
    counts: dict[str, dict[str, int]] = Field(description="split -> kind -> clips")
    skipped: dict[str, int] = Field(default_factory=dict, description="reason -> planned items that were not made")
    components: dict[str, int]


class DetectorInfo(_Record):
    """A detector that took part; `name` is printed as detector:preset."""

    name: str
    preset: str
    revision: str = Field(description="hash of the fitted weights and configuration")
    n_parameters: int
    trained_on: list[str]
    selected_on: list[str]
    reference: str
    licence: str
    fit_seconds: float | None
    notes: list[str] = Field(default_factory=list)


class RunResult(_Record):
    """Everything that a run found; metrics can be recomputed from the predictions at will."""

    schema_version: int = RESULT_SCHEMA_VERSION
    status: Literal["success", "error"]
    run_id: str
    created: str
    command: list[str]
    detectors: list[DetectorInfo]
    datasets: list[DatasetInfo]
    tasks: list[TaskResult]
    comparisons: list[Comparison]
    seed_spread: dict[str, Any] | None = Field(
        default=None, description="standard deviation of the AUC over training seeds, where several were run"
    )
    config: dict[str, Any]
    environment: dict[str, Any]
    timing: dict[str, float]
    predictions_sha256: str | None
    error: str | None = None
