"""What a board knows of its clips: `truth/<set>.parquet`, one row a clip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cmdfd.clip import sha256_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import pyarrow as pa

TRUTH_SCHEMA_VERSION = 1
#: Pixels that nobody knows: the set has no masks for the clip, or withholds them.
UNKNOWN_PIXELS = -1


def schema() -> pa.Schema:
    """Arrow schema of a truth table; the version stands in its metadata.

    `duration` and `true_segments` are in seconds of the clip's clock. `pixels` counts the pixels of all frames of the
    truth and `masked_pixels` the forged ones among them (`cmdfd.media.masks.forged`); a clip whose picture is genuine
    has 0 of them, and one whose pixels are unknown has -1 in both.
    """
    import pyarrow as pa

    text = ("kind", "variant", "component", "platform", "scene", "original")
    segment = pa.struct([("start", pa.float64()), ("end", pa.float64()), ("modality", pa.string())])
    return pa.schema(
        [
            ("id", pa.string()),
            ("sha256", pa.string()),
            ("label", pa.int8()),
            *[(name, pa.string()) for name in text],
            ("duration", pa.float64()),
            ("true_segments", pa.list_(segment)),
            ("masked_pixels", pa.int64()),
            ("pixels", pa.int64()),
        ],
        metadata={"table": "truth", "schema_version": str(TRUTH_SCHEMA_VERSION)},
    )


def write_truth(path: Path, rows: Iterable[Mapping[str, Any]]) -> str:
    """Write a truth table, sorted by id; equal rows give equal bytes.

    Args:
        path: File to write.
        rows: One for each clip, with the columns of `schema`.

    Returns:
        SHA-256 of the file.
    """
    from leaderboards.tables import write_table

    write_table(path, sorted((dict(row) for row in rows), key=lambda row: str(row["id"])), schema())
    return sha256_file(path)
