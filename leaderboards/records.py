"""The files of a leaderboard: rules, board and submission. All are YAML for people; none claims a number.

```
leaderboards/rules/1.yaml                            how systems are ranked: versioned data
leaderboards/boards/<board>/board.yaml               which sets, which rules, who looks after it
leaderboards/boards/<board>/truth/<set>.parquet      labels, components, segments and hashes of the clips
leaderboards/boards/<board>/submissions/<slug>.yaml  a system, and where its predictions are
leaderboards/boards/<board>/submissions/<slug>.parquet
```
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

BOARD_SCHEMA_VERSION: Literal[1] = 1
SUBMISSION_SCHEMA_VERSION: Literal[1] = 1
RULES_SCHEMA_VERSION: Literal[1] = 1

#: Largest difference of a score that counts as a match: far above what one machine's sums in another order give, far
#: below any step between two systems.
MATCH_TOLERANCE = 1e-6

#: Lower-case letters, digits and hyphens; names files and pages, so nothing else.
SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}\z")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}\z")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Words = Annotated[str, StringConstraints(max_length=4000)]
#: "mini-a/train": name of a set and of its split.
SetSplit = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}/(train|validation|test)\z")]
#: An address that a person may follow; never fetched except `Predictions.url`, which has rules of its own.
Link = Annotated[str, StringConstraints(pattern=r"^https://[A-Za-z0-9.-]+(/[^\s\"'<>`\\]*)?\z", max_length=500)]

#: A repository of the Hub, at a tag or commit.
_PART = "[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
HubPlace = Annotated[str, StringConstraints(pattern=rf"^{_PART}/{_PART}(@{_PART})?\z")]


def _date(value: Any) -> Any:
    # YAML readers make date objects of dates
    return value.isoformat() if isinstance(value, date) else value


Day = Annotated[str, BeforeValidator(_date), StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}\z")]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Rules(_File):
    """How a board ranks; a change of any of them is a new version.

    `rank_by` is the macro mean over the board's sets, each of which must be a cross set for a ranked system. A failed
    clip counts as the worst of its class. Systems share a group where the interval of the paired difference with the
    group's leader contains 0.
    """

    schema_version: Literal[1] = RULES_SCHEMA_VERSION
    version: int = Field(ge=1)
    since: Day
    rank_by: Literal["macro_auc"] = "macro_auc"
    then_by: Literal["borda"] = "borda"
    draws: int = Field(default=1000, ge=100, le=100_000)
    level: float = Field(default=0.95, gt=0.5, lt=1)
    seed: int = Field(default=0, ge=0)
    changes: Words = ""


class BoardSet(_File):
    """A split that a board judges on; the board supplies its labels and components."""

    name: SetSplit
    title: Name
    truth: Annotated[str, StringConstraints(pattern=r"^truth/[a-z0-9][a-z0-9._-]{0,99}\.parquet\z")]
    truth_sha256: Sha256
    manifest_sha256: Sha256 | None = Field(default=None, description="of the whole set, see cmdfd.dataset")
    hub: HubPlace | None = Field(default=None, description="ORG/NAME@TAG where the media can be had")
    note: Words = ""


class Board(_File):
    """A leaderboard. It fixes its sets; systems trained on any of them are listed without a rank."""

    schema_version: Literal[1] = BOARD_SCHEMA_VERSION
    name: Slug
    title: Name
    summary: Words
    rules: int = Field(ge=1, description="version of the rules")
    sets: list[BoardSet] = Field(min_length=1, max_length=50)
    same_data: dict[str, list[SetSplit]] = Field(
        default_factory=dict,
        description="another name under which a system may say that it was trained on a set's data -> those sets",
    )
    metadata_floor: Slug | None = Field(default=None, description="submission that the margin is taken over")
    floors: list[Slug] = Field(default_factory=list, description="submissions that are floors: rows without a rank")
    contact: Words = ""
    changes: list[Words] = Field(default_factory=list)


class System(_File):
    """What was submitted."""

    name: Name
    slug: Slug
    description: Words
    modalities: list[Literal["audio", "video"]] = Field(min_length=1)
    code: Link | None = Field(default=None, description="at a commit")
    code_commit: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{7,64}\z")] | None = None
    checkpoint: Link | None = None
    checkpoint_sha256: Sha256 | None = None
    paper: Link | None = None
    reference: Words = ""
    licence: Name
    n_parameters: int | None = Field(default=None, ge=0, le=10**15)


class PredictionsRef(_File):
    """Where the predictions are: a file beside the submission, or an address that cannot change."""

    file: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,99}\.parquet\z")] | None = None
    url: Link | None = Field(default=None, description="https, under a commit of 40 hexadecimal digits")
    sha256: Sha256
    size: int = Field(gt=0, le=1_000_000_000, description="bytes")


class Reproduction(_File):
    """A maintainer's stamp: `inference` where the system was run again and gave the same scores.

    It holds for the predictions of `predictions_sha256` alone: with others in their place the submission is refused.
    """

    by: Name
    on: Day
    match: Literal["inference"]
    version: Name
    max_difference: float = Field(ge=0, le=MATCH_TOLERANCE, description="largest difference of a score")
    predictions_sha256: Sha256 = Field(description="of the predictions that the run was held against")


class Withdrawn(_File):
    """Why a system no longer counts; it stays listed."""

    on: Day
    reason: Words


class Submitter(_File):
    """Who answers for it."""

    name: Name
    contact: Words = ""


class Submission(_File):
    """A system and its predictions on a board; it never claims a number.

    `trained_on` and `selected_on` name everything that the weights and the choices have seen, "NAME/SPLIT" for sets of
    this kind and any name for other data; an empty list says "nothing" (a floor, say), null says "not declared", which
    is listed without a rank.
    """

    schema_version: Literal[1] = SUBMISSION_SCHEMA_VERSION
    board: Slug
    submitted_at: Day
    system: System
    trained_on: list[Name] | None
    selected_on: list[Name] | None = None
    score_direction: Literal["higher_is_fake"]
    predictions: PredictionsRef
    pixels: PredictionsRef | None = None
    harness: Name
    submitter: Submitter
    reproduction: Reproduction | None = None
    withdrawn: Withdrawn | None = None
    notes: Words = ""
