"""The predictions table: the unit of truth of a run. Everything else is recomputed from it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.results import PREDICTIONS_SCHEMA_VERSION, READABLE_PREDICTIONS
from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa

    from benchmarks.detector import Prediction
    from cmdfd.clip import Clip

KEY = ("detector", "dataset", "split", "condition", "id")
#: Columns that came with version 2, and what stands in them where a file is older.
SINCE_2: Mapping[str, Any] = {"platform": "", "scene": "", "original": "", "proposals": (), "proposal_rule": ""}


def schema() -> pa.Schema:
    """Arrow schema of `predictions.parquet`; the version stands in its metadata."""
    import pyarrow as pa

    segment = [("start", pa.float64()), ("end", pa.float64()), ("modality", pa.string())]
    found = pa.list_(pa.struct([*segment, ("confidence", pa.float64())]))
    text = ["detector", "dataset", "split", "condition", "id", "sha256"]
    return pa.schema(
        [
            *[(name, pa.string()) for name in text],
            ("label", pa.int8()),
            ("kind", pa.string()),
            ("variant", pa.string()),
            ("component", pa.string()),
            ("score", pa.float64()),
            ("error", pa.string()),
            ("times", pa.list_(pa.float64())),
            ("frame_scores", pa.list_(pa.float64())),
            ("segments", found),
            ("true_segments", pa.list_(pa.struct(segment))),
            ("duration", pa.float64()),
            *[(name, pa.string()) for name in ("platform", "scene", "original")],
            ("proposals", found),
            ("proposal_rule", pa.string()),
        ],
        metadata={"schema_version": str(PREDICTIONS_SCHEMA_VERSION)},
    )


@dataclass(frozen=True, slots=True)
class RowKey:
    """Where a prediction belongs."""

    detector: str
    dataset: str
    split: str
    condition: str


def to_row(key: RowKey, clip: Clip, answered: Mapping[str, Any], skip: int = 0) -> dict[str, Any]:
    """One row of the table from a clip's facts and the columns that `answer` gave.

    Args:
        key: Where it belongs.
        clip: The clip.
        answered: What the detector said.
        skip: Frames that were cut off the clip's start before the detector saw it: its clock begins there, so the true
            stretches are moved to it.
    """
    away = skip / clip.fps
    return {
        "detector": key.detector,
        "dataset": key.dataset,
        "split": key.split,
        "condition": key.condition,
        "id": clip.id,
        "sha256": clip.sha256,
        "label": clip.labels.label,
        "kind": clip.kind,
        "variant": clip.variant,
        "component": clip.component,
        "true_segments": [
            {"start": max(s.start - away, 0.0), "end": s.end - away, "modality": str(s.modality)}
            for s in clip.segments
            if s.end > away
        ],
        "duration": clip.duration - away,
        "platform": clip.platform,
        "scene": clip.scene,
        "original": clip.original,
        "proposals": [],
        "proposal_rule": "",
        **answered,
    }


def answer(prediction: Prediction) -> dict[str, Any]:
    """The columns that the detector decides."""
    return {
        "score": prediction.score,
        "error": prediction.error,
        "times": None if prediction.times is None else [float(t) for t in prediction.times],
        "frame_scores": None if prediction.frame_scores is None else [float(s) for s in prediction.frame_scores],
        "segments": [
            {
                "start": s.segment.start,
                "end": s.segment.end,
                "modality": str(s.segment.modality),
                "confidence": s.confidence,
            }
            for s in prediction.segments
        ],
    }


def write_predictions(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write the table; equal rows give equal bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist(list(rows), schema=schema())
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    pq.write_table(table, temporary, compression="zstd")
    temporary.replace(path)


def read_predictions(path: Path) -> pd.DataFrame:
    """Read and check a predictions table.

    Returns:
        One row for each detector, set, split, condition and clip; `score` is NaN where a clip failed.

    Raises:
        CmdfdError: With the file, the column or row, and what is wrong.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise CmdfdError(f"{path}: not a Parquet file: {error}") from error
    version = (table.schema.metadata or {}).get(b"schema_version", b"none").decode()
    if version not in map(str, READABLE_PREDICTIONS):
        known = " and ".join(map(str, READABLE_PREDICTIONS))
        raise CmdfdError(f"{path}: schema version {version}, this version reads {known}")
    needed = [name for name in schema().names if version != "1" or name not in SINCE_2]
    missing = [name for name in needed if name not in table.column_names]
    if missing:
        raise CmdfdError(f"{path}: column {missing[0]!r} is missing")
    rows: list[dict[str, Any]] = table.to_pylist()
    if version == "1":
        from benchmarks.proposing import propose

        rows = propose(rows)
    return check_rows(rows, str(path))


def check_rows(rows: Sequence[dict[str, Any]], origin: str) -> pd.DataFrame:
    """Refuse duplicates, unknown labels and scores that are not finite; return a frame."""
    import pandas as pd

    seen: set[tuple[Any, ...]] = set()
    for number, row in enumerate(rows):
        key = tuple(row[name] for name in KEY)
        if key in seen:
            raise CmdfdError(f"{origin}: row {number}: clip {row['id']!r} stands twice under {key[:-1]}")
        seen.add(key)
        if row["label"] not in (0, 1):
            raise CmdfdError(f"{origin}: row {number}: label must be 0 or 1, got {row['label']!r}")
        if (row["score"] is None) == (row["error"] is None):
            raise CmdfdError(f"{origin}: row {number}: needs either a score or an error")
        if row["score"] is not None and not math.isfinite(row["score"]):
            raise CmdfdError(f"{origin}: row {number}: score is not finite: {row['score']}")
    frame = pd.DataFrame([{**SINCE_2, **row} for row in rows], columns=schema().names)
    frame["score"] = frame["score"].astype("float64")
    return frame


def completed(frame: pd.DataFrame) -> pd.DataFrame:
    """A table with the columns that localization and versions need, where it was made without them.

    Args:
        frame: Rows with at least the columns of detection.
    """
    lists = {"times": None, "frame_scores": None, "segments": (), "true_segments": ()}
    lacking = {name: value for name, value in {**SINCE_2, **lists}.items() if name not in frame.columns}
    found = frame.assign(**{name: [value] * len(frame) for name, value in lacking.items()})
    return found if "duration" in found.columns else found.assign(duration=float("nan"))
