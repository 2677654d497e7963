"""The predictions file of a submission: only what a system decides. What the board knows, the board supplies.

It is slim (no labels, no kinds, no components) and plain: no dictionaries and no encodings by which a small file grows
without bound when it is read, see `leaderboards.pages`. Two runs with equal answers give equal bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import pyarrow as pa

SUBMITTED_SCHEMA_VERSION = 1
#: Conditions of a run that a submission may answer for; `untrimmed` is what ranks.
CONDITIONS = ("untrimmed", "trimmed")
#: Columns of numbers over time and of stretches: empty under `trimmed`, which is judged by its scores only.
OVER_TIME = ("times", "frame_scores", "proposals")


def schema() -> pa.Schema:
    """Arrow schema of the predictions of a submission.

    `set` is "NAME/SPLIT" as the board names it; `sha256` is that of the clip's file, so that nobody answers for other
    clips; `score` is null where the clip failed, and `error` then says why. `proposals` are the stretches that are
    judged: the system's own where `proposal_rule` is "", else those that the rule of that name makes of `times` and
    `frame_scores` (verification makes them again).
    """
    import pyarrow as pa

    stretch = [("start", pa.float64()), ("end", pa.float64()), ("modality", pa.string()), ("confidence", pa.float64())]
    return pa.schema(
        [
            *[(name, pa.string()) for name in ("set", "condition", "id", "sha256")],
            ("score", pa.float64()),
            ("error", pa.string()),
            ("times", pa.list_(pa.float64())),
            ("frame_scores", pa.list_(pa.float64())),
            ("proposals", pa.list_(pa.struct(stretch))),
            ("proposal_rule", pa.string()),
        ],
        metadata={"table": "submitted predictions", "schema_version": str(SUBMITTED_SCHEMA_VERSION)},
    )


def pixel_schema() -> pa.Schema:
    """Arrow schema of the pixel counts of a submission: those of `benchmarks.pixels` without what the board knows."""
    import pyarrow as pa

    counts = pa.list_(pa.int64())
    return pa.schema(
        [
            ("set", pa.string()),
            ("id", pa.string()),
            *[(name, counts) for name in ("pixels", "patches", "tp", "fp", "fn")],
            ("frame_pixels", pa.int64()),
            ("unreached", pa.int64()),
            ("failed", pa.bool_()),
            ("twin", pa.string()),
            ("twin_pixels", counts),
            ("no_twin", pa.string()),
        ],
        metadata={"table": "submitted pixels", "schema_version": str(SUBMITTED_SCHEMA_VERSION)},
    )


def write_submitted(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the predictions of a submission, sorted by set, condition and id.

    Args:
        path: File to write.
        rows: With the columns of `schema`.
    """
    from leaderboards.tables import write_table

    order = {condition: place for place, condition in enumerate(CONDITIONS)}
    found = sorted((dict(row) for row in rows), key=lambda row: (row["set"], order[row["condition"]], row["id"]))
    write_table(path, found, schema())


def write_submitted_pixels(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the pixel counts of a submission, sorted by set and id.

    Args:
        path: File to write.
        rows: With the columns of `pixel_schema`.
    """
    from leaderboards.tables import write_table

    write_table(path, sorted((dict(row) for row in rows), key=lambda row: (row["set"], row["id"])), pixel_schema())
