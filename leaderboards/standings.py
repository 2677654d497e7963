"""A board as numbers: what ranking gives and what the site, the files for download and the badges are made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

#: Version of `leaderboard.json`.
STANDINGS_SCHEMA_VERSION = 1

#: `verified`: somebody else ran the system again and got these predictions. `self-reported`: the numbers are recomputed
#: here from submitted predictions. `withdrawn`: listed, never ranked.
State = Literal["verified", "self-reported", "withdrawn"]
Domain = Literal["in", "cross", "unknown"]


@dataclass(frozen=True, slots=True)
class Number:
    """A number with its interval over components.

    Args:
        value: None where it is undefined; `doubt` then says why.
        low: Lower end.
        high: Upper end.
        doubt: Why the interval should not be trusted, or "".
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Slice:
    """Clips of one fake kind or of one platform against the reals of the same set (and platform).

    Args:
        name: Kind, or platform ("" for originals).
        n_real: Unforged clips.
        n_fake: Forged ones.
        auc: AUC.
    """

    name: str
    n_real: int
    n_fake: int
    auc: Number


@dataclass(frozen=True, slots=True)
class SetScore:
    """A system on one set of the board.

    Args:
        set: "NAME/SPLIT".
        domain: Whether the system was trained on it, computed from what it declares.
        n_real: Unforged clips.
        n_fake: Forged clips.
        n_failed: Clips without a score; each counts as the worst of its class.
        n_components: Components.
        auc: Pooled AUC.
        eer: Interpolated EER.
        margin: AUC minus AUC of the board's metadata-only floor on the same clips, drawn together; None without floor.
        trimmed: AUC on the clips without their leading silence; None where it was not submitted.
        kinds: By fake kind.
        platforms: By platform, originals first; empty where there are originals only.
        localization: Name of a metric, e.g. "temporal/AP@0.5", "frame/within_clip", "pixel/auc" -> number.
        localization_absent: Family of metrics -> why there are none.
    """

    set: str
    domain: Domain
    n_real: int
    n_fake: int
    n_failed: int
    n_components: int
    auc: Number
    eer: Number
    margin: Number | None = None
    trimmed: Number | None = None
    kinds: tuple[Slice, ...] = ()
    platforms: tuple[Slice, ...] = ()
    localization: dict[str, Number] = field(default_factory=dict)
    localization_absent: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Standing:
    """A row of the board.

    Args:
        slug: Names its pages.
        name: As submitted.
        state: See `State`.
        floor: Whether it is a floor.
        ranked: Whether it has a rank.
        why_unranked: Why not, or "".
        rank: 1 is best; equal systems share it; None where it has none.
        rank_low: 2.5 % of its rank over the draws (best).
        rank_high: 97.5 % of it (worst).
        group: 1 for systems that cannot be told from the leader, and so on; None where it has no rank.
        macro: Mean AUC over the sets that are cross sets for it.
        borda: Borda points over the sets; None where it has no rank.
        worst: Set with the lowest AUC, and its AUC.
        margin: Mean margin over the metadata-only floor.
        sets: In the board's order.
        trained_on: As declared; None where nothing was declared.
        submission: The whole submission, as data, for its page.
        notes: What verification remarked without refusing.
        submission_sha256: Of the submission's file as it was verified; "" where there was none.
    """

    slug: str
    name: str
    state: State
    floor: bool
    ranked: bool
    why_unranked: str
    rank: int | None
    rank_low: int | None
    rank_high: int | None
    group: int | None
    macro: Number
    borda: float | None
    worst: tuple[str, Number] | None
    margin: Number | None
    sets: tuple[SetScore, ...]
    trained_on: tuple[str, ...] | None
    submission: dict[str, Any]
    notes: tuple[str, ...] = ()
    submission_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Standings:
    """A board, ranked.

    Args:
        board: The board's file as data.
        rules: The rules' file as data.
        rows: Ranked ones first by rank, then floors, then the others; names break ties for display only.
        left_out: (file, reason) of submissions that were refused.
    """

    board: dict[str, Any]
    rules: dict[str, Any]
    rows: tuple[Standing, ...]
    left_out: tuple[tuple[str, str], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-able data, as `leaderboard.json` holds it."""
        return {"schema_version": STANDINGS_SCHEMA_VERSION, **asdict(self)}
