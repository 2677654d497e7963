"""The records of a run: `result.json` and the columns of `predictions.parquet`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cmdfd.errors import MEDIA_CODES

if TYPE_CHECKING:
    from collections.abc import Iterable

#: 2: localization, platforms and scenes of a task. Files of version 1 are read; they have none of these.
RESULT_SCHEMA_VERSION = 2
#: 2: columns platform, scene, original, proposals, proposal_rule. Files of version 1 are read with "" in them.
PREDICTIONS_SCHEMA_VERSION = 2
#: Versions that this program reads.
READABLE_RESULTS = (1, 2)
READABLE_PREDICTIONS = (1, 2)

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


class Localization(_Record):
    """Where a detector sees the forgery, against where it is. What is None has its reason in `absent`."""

    frame_auc: dict[str, Estimate] | None = Field(
        default=None, description='"pooled" and "within_clip", see benchmarks.metrics.localization'
    )
    temporal: dict[str, Estimate] | None = Field(default=None, description="see benchmarks.metrics.temporal")
    pixel: dict[str, Estimate] | None = Field(default=None, description="see benchmarks.metrics.spatial")
    absent: dict[str, str] = Field(
        default_factory=dict,
        description='name of what is None -> why; "pixel_twin": why `pixel` lacks the control by real twins',
    )
    proposal_rule: str = Field(
        default="", description="how stretches were made of frame scores; empty for the detector's own stretches"
    )
    n_forged: int = Field(default=0, description="clips with forged stretches")
    n_partial: int = Field(default=0, description="those of them that are unforged somewhere")
    n_masked: int = Field(default=0, description="clips with a mask that maps were held against")
    n_without_maps: int = Field(default=0, description="clips that the detector gave no map for, where it gives maps")


class VersionResult(_Record):
    """The clips of one platform, or of one scene layout: its fakes against its reals."""

    name: str = Field(description='platform or layout; "" for originals and for clips without a scene')
    n_real: int
    n_fake: int
    n_failed: int
    n_components: int
    metrics: dict[str, Estimate]
    localization: Localization | None = None
    gap: Estimate | None = Field(
        default=None, description="AUC here minus AUC of the originals of the same clips, drawn together"
    )


#: Reasons of failures that a task keeps; predictions.parquet has all of them.
MOST_REASONS = 8


def failure_reasons(errors: Iterable[str]) -> dict[str, int]:
    """How many clips failed for which reason, the commonest first.

    Errors that begin with a code of `MEDIA_CODES` are counted by that code, since what follows often names the clip.

    Args:
        errors: One for each clip that failed.

    Returns:
        At most `MOST_REASONS`: the commonest error of each code; "code: its meaning" where no two are alike.
    """
    groups: dict[str, Counter[str]] = {}
    for error in errors:
        code = error.partition(":")[0].strip()
        groups.setdefault(code if code in MEDIA_CODES else error, Counter())[error] += 1
    counted = {_reason(code, found): found.total() for code, found in groups.items()}
    return dict(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_REASONS])


def _reason(code: str, found: Counter[str]) -> str:
    text, count = min(found.items(), key=lambda pair: (-pair[1], pair[0]))
    return text if count > 1 or len(found) == 1 else f"{code}: {MEDIA_CODES[code]}"


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
    failures: dict[str, int] = Field(
        default_factory=dict, description="reason -> clips that failed for it, the commonest first; see failure_reasons"
    )
    base_rate: float = Field(description="share of fakes among the clips")
    threshold: Threshold | None
    pooled: dict[str, Estimate]
    kinds: list[KindResult]
    shared_kinds: dict[str, Estimate] | None = Field(
        default=None, description="metrics over the kinds and platforms that all report sets have in common"
    )
    localization: Localization | None = Field(default=None, description="None under conditions other than untrimmed")
    platforms: list[VersionResult] = Field(
        default_factory=list, description="originals first, then by name; empty where the set has originals only"
    )
    scenes: list[VersionResult] = Field(default_factory=list, description="by name; empty where there is no scene")


class Comparison(_Record):
    """In-set against cross-set AUC on what the two sets share, and the sentence that the report prints."""

    detector: str
    in_set: str
    cross_set: str
    kinds: list[str]
    platforms: list[str] = Field(
        default_factory=lambda: [""],
        description='platforms that both sets have, "" for the clips before any; clips of others are left out',
    )
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
    pixels_sha256: str | None = Field(default=None, description="of pixels.parquet; None where no detector gave maps")
    error: str | None = None
