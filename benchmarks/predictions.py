"""The predictions table: the unit of truth of a run. Everything else is recomputed from it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from benchmarks.results import PREDICTIONS_SCHEMA_VERSION, READABLE_PREDICTIONS, Condition
from cmdfd.clip import Modality
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
#: Text that every row needs, and text that may be empty; neither may be null.
_NAMED = (*KEY, "kind", "component")
_TEXT = ("sha256", "variant", "platform", "scene", "original", "proposal_rule")
#: Lists of stretches, and whether they have confidences.
_STRETCHES = {"segments": True, "true_segments": False, "proposals": True}
_MODALITIES = frozenset(str(one) for one in Modality)


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
    wanted = pa.schema([field for field in schema() if field.name in needed])
    try:
        rows: list[dict[str, Any]] = table.select(needed).cast(wanted).to_pylist()
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise CmdfdError(f"{path}: a column is of another type than in this version: {error}") from error
    if version == "1":
        from benchmarks.proposing import propose

        _refuse_wrong(rows, str(path))  # what stretches are made of must be whole
        rows = propose(rows)
    return check_rows(rows, str(path))


def check_rows(rows: Sequence[dict[str, Any]], origin: str) -> pd.DataFrame:
    """Refuse what no run can have said, and return a frame.

    Args:
        rows: At least one; columns of version 2 may be missing.
        origin: What errors call the table.

    Raises:
        CmdfdError: With table, row and column: a clip that stands twice, a null where something must be said, an
            unknown label, condition or modality, numbers that are not finite, stretches that end before they begin.
    """
    import pandas as pd

    _refuse_wrong(rows, origin)
    frame = pd.DataFrame([{**SINCE_2, **row} for row in rows], columns=schema().names)
    frame["score"] = frame["score"].astype("float64")
    return frame


def _refuse_wrong(rows: Sequence[dict[str, Any]], origin: str) -> None:
    if not rows:
        raise CmdfdError(f"{origin}: there are no predictions in it")
    seen: set[tuple[Any, ...]] = set()
    for number, row in enumerate(rows):
        problem = _problem({**SINCE_2, **row})
        if problem:
            raise CmdfdError(f"{origin}: row {number}: {problem} (clip {row['id']!r})")
        key = tuple(row[name] for name in KEY)
        if key in seen:
            raise CmdfdError(f"{origin}: row {number}: clip {row['id']!r} stands twice under {key[:-1]}")
        seen.add(key)


def _problem(row: Mapping[str, Any]) -> str | None:
    """What is wrong with one row; None where nothing is."""
    return (
        _number_problem(row)  # first, since clips whose labels are withheld have no kind either
        or _text_problem(row)
        or _units_problem(row["times"], row["frame_scores"])
        or next(filter(None, (_stretches_problem(name, row[name], sure) for name, sure in _STRETCHES.items())), None)
    )


def _text_problem(row: Mapping[str, Any]) -> str | None:
    for name in (*_NAMED, *_TEXT):
        if not isinstance(row[name], str) or (not row[name] and name in _NAMED):
            return f"{name} must be {'a name' if name in _NAMED else 'text, which may be empty'}, got {row[name]!r}"
    if row["condition"] not in get_args(Condition):
        return f"condition must be {' or '.join(get_args(Condition))}, got {row['condition']!r}"
    return None


def _number_problem(row: Mapping[str, Any]) -> str | None:
    score, duration = row["score"], row["duration"]
    if row["label"] not in (0, 1):
        return f"label must be 0 or 1, got {row['label']!r}"
    if (score is None) == (row["error"] is None):
        return "needs either a score or an error"
    if score is not None and not math.isfinite(score):
        return f"score is not finite: {score}"
    if duration is None or not 0 < duration < math.inf:
        return f"duration must be finite and above 0 s, got {duration}"
    return None


def _units_problem(times: Sequence[float] | None, scores: Sequence[float] | None) -> str | None:
    if (times is None) != (scores is None):
        return "needs times and frame_scores together"
    if times is None or scores is None:
        return None
    if len(times) != len(scores):
        return f"has {len(times)} times and {len(scores)} frame_scores; it needs one score for each time"
    for name, values in (("times", times), ("frame_scores", scores)):
        try:
            if math.isfinite(sum(values)):
                continue  # one look at all, since tables have millions; finite values may have an infinite sum
        except TypeError:
            pass
        for index, value in enumerate(values):
            if value is None or not math.isfinite(value):
                return f"{name}[{index}] is {value}; it must be finite"
    return None


def _stretches_problem(name: str, spans: Sequence[Mapping[str, Any]] | None, sure: bool) -> str | None:
    if spans is None:
        return f"{name} is null; an empty list says that there are none"
    for index, one in enumerate(spans):
        try:
            if not 0 <= one["start"] < one["end"] < math.inf:
                return f"{name}[{index}] needs 0 <= start < end in seconds, got [{one['start']}, {one['end']}]"
            if one["modality"] not in _MODALITIES:
                return f"{name}[{index}]: modality must be one of {', '.join(Modality)}, got {one['modality']!r}"
            if sure and not math.isfinite(one["confidence"]):
                return f"{name}[{index}]: confidence is {one['confidence']}; it must be finite"
        except TypeError:
            return f"{name}[{index}] has a null where a number must be: {one}"
    return None


def completed(frame: pd.DataFrame) -> pd.DataFrame:
    """A table with the columns that localization and versions need, where it was made without them.

    Args:
        frame: Rows with at least the columns of detection.
    """
    lists = {"times": None, "frame_scores": None, "segments": (), "true_segments": ()}
    lacking = {name: value for name, value in {**SINCE_2, **lists}.items() if name not in frame.columns}
    found = frame.assign(**{name: [value] * len(frame) for name, value in lacking.items()})
    return found if "duration" in found.columns else found.assign(duration=float("nan"))
