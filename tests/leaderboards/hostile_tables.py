"""Hostile tables: such that grow when they are read, such of other clips, numbers that are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hostile_box import PIXELS, TABLE, Box, case

from leaderboards.predictions import pixel_schema, schema


# --- tables that grow ------------------------------------------------------------------------------------------------
@case("bomb-rows", TABLE, "file", "rows; the board allows")
def _many_rows(box: Box) -> None:
    row = pq.read_table(box.table).slice(0, 1)
    table = pa.concat_tables([row] * 30_000).combine_chunks()
    pq.write_table(table, box.table, use_dictionary=False, compression="zstd")
    box.renew()


@case("bomb-list-values", TABLE, "times", "this board allows")
def _many_values(box: Box) -> None:
    box.rows(lambda rows: rows[0].update(times=[0.0] * 400_000, frame_scores=[0.0] * 400_000))


@case("bomb-text", TABLE, "error", "unpacks to more")
def _long_text(box: Box) -> None:
    box.row(score=None, error="x" * 25_000_000)


@case("bomb-dictionary", TABLE, "error", "dictionary")
def _dictionary(box: Box) -> None:
    rows = pq.read_table(box.table).to_pylist()
    for row in rows:
        row.update(score=None, error="x" * 10_000)
    box.written(rows, use_dictionary=["error"])


@case("bomb-shared-prefixes", TABLE, "error", "encoded by rule")
def _prefixes(box: Box) -> None:
    rows = pq.read_table(box.table).to_pylist()
    for row in rows:
        row.update(score=None, error="x" * 10_000)
    box.written(rows, column_encoding={"error": "DELTA_BYTE_ARRAY"})


@case("bomb-row-groups", TABLE, "file", "row groups")
def _row_groups(box: Box) -> None:
    empty = schema().empty_table()
    with pq.ParquetWriter(box.table, schema(), use_dictionary=False) as writer:
        for _ in range(1_001):
            writer.write_table(empty)
    box.renew()


@case("bomb-columns", TABLE, "c0", "no column")
def _columns(box: Box) -> None:
    table = pq.read_table(box.table)
    for number in range(600):
        table = table.append_column(f"c{number}", pa.nulls(len(table), pa.int8()))
    pq.write_table(table, box.table, use_dictionary=False)
    box.renew()


@case("bomb-nested", TABLE, "deep", "no column")
def _nested(box: Box) -> None:
    kind: pa.DataType = pa.int8()
    for _ in range(60):
        kind = pa.list_(kind)
    table = pq.read_table(box.table)
    pq.write_table(table.append_column("deep", pa.nulls(len(table), kind)), box.table, use_dictionary=False)
    box.renew()


# --- columns ---------------------------------------------------------------------------------------------------------
@case("column-missing", TABLE, "sha256", "column is missing")
def _no_column(box: Box) -> None:
    box.written(as_schema=schema().remove(schema().get_field_index("sha256")))


@case("column-labels", TABLE, "label", "no column")
def _labels(box: Box) -> None:
    box.written(as_schema=schema().append(pa.field("label", pa.int8())))


@case("column-text-scores", TABLE, "score", "has the type string")
def _text_scores(box: Box) -> None:
    rows = [{**row, "score": str(row["score"])} for row in pq.read_table(box.table).to_pylist()]
    number = schema().get_field_index("score")
    box.written(rows, schema().set(number, pa.field("score", pa.string())))


@case("column-float32-scores", TABLE, "score", "has the type float")
def _float_scores(box: Box) -> None:
    number = schema().get_field_index("score")
    box.written(as_schema=schema().set(number, pa.field("score", pa.float32())))


@case("column-version", TABLE, "metadata schema_version", "'7'")
def _version(box: Box) -> None:
    box.written(as_schema=schema().with_metadata({**schema().metadata, b"schema_version": b"7"}))


@case("column-other-table", TABLE, "metadata table", "'truth'")
def _other_table(box: Box) -> None:
    box.written(as_schema=schema().with_metadata({**schema().metadata, b"table": b"truth"}))


@case("column-twice", TABLE, "score", "stands twice as a column")
def _twice(box: Box) -> None:
    table = pq.read_table(box.table)
    pq.write_table(table.append_column("score", table["score"]), box.table, use_dictionary=False)
    box.renew()


# --- rows ------------------------------------------------------------------------------------------------------------
case("row-nan", TABLE, "score", "nan")(lambda box: box.row(score=float("nan")))
case("row-infinite", TABLE, "score", "inf")(lambda box: box.row(score=float("inf")))
case("row-huge", TABLE, "score", "1e+300")(lambda box: box.row(score=1e300))
case("row-null-without-error", TABLE, "score", "null without an error")(lambda box: box.row(-1, score=None))
case("row-score-and-error", TABLE, "error", "beside a score")(lambda box: box.row(error="no_face: none"))
case("row-error-escape", TABLE, "error", "printable")(lambda box: box.row(0, error="\x1b[2Jgone"))
case("row-long-error", TABLE, "error", "printable")(lambda box: box.row(0, error="x" * 5000))
case("row-missing", TABLE, "id", "1 of 30 clips of toy-a/test (untrimmed) are missing")(
    lambda box: box.rows(lambda rows: rows.pop(3))
)
case("row-hardest-left-out", TABLE, "id", "are missing")(lambda box: box.rows(_without_hardest))
case("row-extra", TABLE, "id", "is no clip of toy-a/test")(
    lambda box: box.rows(lambda rows: rows.append({**rows[5], "id": "f" * 16}))
)
case("row-twice", TABLE, "id", "stands twice")(lambda box: box.rows(lambda rows: rows.append(dict(rows[5]))))
case("row-null-id", TABLE, "id", "None is no clip")(
    lambda box: box.written(_with(pq.read_table(box.table).to_pylist(), 5, id=None))
)
case("row-other-set", TABLE, "set", "no set of this board")(
    lambda box: box.rows(lambda rows: rows.append({**rows[5], "set": "other/test"}))
)
case("row-set-in-html", TABLE, "set", "no set of this board")(
    lambda box: box.rows(lambda rows: rows.append({**rows[5], "set": "<script>alert(1)</script>"}))
)
case("row-condition", TABLE, "condition", "'best'", "id")(
    lambda box: box.written(_with(pq.read_table(box.table).to_pylist(), 5, condition="best"))
)
case("row-other-clip", TABLE, "sha256", "is not the clip")(lambda box: box.row(sha256="e" * 64))
case("row-other-version-of-the-set", TABLE, "sha256", "rows have the same fault")(
    lambda box: box.rows(lambda rows: [row.update(sha256="e" * 64) for row in rows])
)
case("row-constant", TABLE, "score", "says nothing")(
    lambda box: box.rows(lambda rows: [row.update(score=0.5) for row in rows if row["score"] is not None])
)
case("row-all-failed", TABLE, "score", "no clip of toy-a/test")(lambda box: box.rows(_all_failed))
case("row-inverted", TABLE, "score_direction", "higher for reals")(
    lambda box: box.rows(lambda rows: [row.update(score=-row["score"]) for row in rows if row["score"] is not None])
)
case("row-trimmed-in-part", TABLE, "id", "(trimmed)")(
    lambda box: box.rows(lambda rows: rows.remove(next(row for row in rows if row["condition"] == "trimmed")))
)
case("time-outside", TABLE, "times", "the clip from 0 to 2 s")(
    lambda box: box.rows(lambda rows: _stretch_times(rows, 10.0))
)
case("time-falling", TABLE, "times", "rise strictly")(lambda box: box.rows(lambda rows: rows[5]["times"].reverse()))
case("time-nan", TABLE, "times", "rise strictly")(lambda box: box.rows(lambda rows: _set_time(rows, float("nan"))))
case("time-null", TABLE, "times", "null in it")(lambda box: box.rows(lambda rows: _set_time(rows, None)))
case("time-too-fine", TABLE, "times", "3000 entries")(
    lambda box: box.row(times=np.linspace(0, 2, 3000).tolist(), frame_scores=[0.0] * 3000)
)
case("frame-scores-short", TABLE, "frame_scores", "9 frame_scores")(
    lambda box: box.rows(lambda rows: rows[5]["frame_scores"].pop())
)
case("frame-scores-infinite", TABLE, "frame_scores", "not finite")(
    lambda box: box.rows(lambda rows: rows[5]["frame_scores"].__setitem__(2, float("-inf")))
)
case("frame-scores-for-easy-clips", TABLE, "frame_scores", "for 27 of the 28 clips")(
    lambda box: box.row(times=None, frame_scores=None)
)
case("frame-scores-of-failed", TABLE, "frame_scores", "whose clip failed", "times")(
    lambda box: box.row(0, times=[0.1], frame_scores=[1.0])
)
case("stretch-reversed", TABLE, "proposals", "from 1 to 0.5 s")(lambda box: box.row(proposals=[_span(1.0, 0.5)]))
case("stretch-outside", TABLE, "proposals", "from 0 to 99 s")(lambda box: box.row(proposals=[_span(0.0, 99.0)]))
case("stretch-nan", TABLE, "proposals", "nan")(lambda box: box.row(proposals=[_span(0.0, float("nan"))]))
case("stretch-confidence", TABLE, "proposals", "confidence inf")(
    lambda box: box.row(proposals=[{**_span(0.0, 1.0), "confidence": float("inf")}])
)
case("stretch-modality", TABLE, "proposals", "modality 'smell'")(
    lambda box: box.row(proposals=[{**_span(0.0, 1.0), "modality": "smell"}])
)
case("stretch-flood", TABLE, "proposals", "201 stretches")(lambda box: box.row(proposals=[_span(0.0, 1.0)] * 201))
case("rule-unknown", TABLE, "proposal_rule", "'oracle'")(
    lambda box: box.rows(lambda rows: [row.update(proposal_rule="oracle") for row in rows])
)
case("rule-with-made-up-stretches", TABLE, "proposals", "must be empty under the rule")(
    lambda box: box.rows(lambda rows: [row.update(proposal_rule="segments_from_scores") for row in rows])
)

# --- pixel counts ----------------------------------------------------------------------------------------------------
case("pixels-of-another-mask", PIXELS, "pixels", "the mask has 400 of 2560")(
    lambda box: box.pixel_rows(lambda rows: _shrink_mask(next(row for row in rows if row["no_twin"])))
)
case("pixels-contradict", PIXELS, "pixels", "the histogram of the pixels says")(
    lambda box: box.pixel_rows(lambda rows: rows[5]["fp"].__setitem__(0, 3))
)
case("pixels-negative", PIXELS, "pixels", "negative")(
    lambda box: box.pixel_rows(lambda rows: rows[5]["pixels"].__setitem__(0, -1))
)
case("pixels-overflow", PIXELS, "pixels", "enormous")(
    lambda box: box.pixel_rows(lambda rows: rows[5]["pixels"].__setitem__(0, 2**62))
)
case("pixels-missing", PIXELS, "id", "1 of 30 clips of toy-a/test are missing")(
    lambda box: box.pixel_rows(lambda rows: rows.pop(4))
)
case("pixels-twice", PIXELS, "id", "stands twice")(lambda box: box.pixel_rows(lambda rows: rows.append(dict(rows[4]))))
case("pixels-fake-as-twin", PIXELS, "twin", "no real clip")(lambda box: box.pixel_rows(_fake_twin))
case("pixels-failed-clip-judged", PIXELS, "failed", "the clip failed in the predictions")(
    lambda box: box.pixel_rows(lambda rows: _judged(rows[0]))
)
case("pixels-patches", PIXELS, "patches", "more than fit")(
    lambda box: box.pixel_rows(lambda rows: rows[5]["patches"].__setitem__(0, 10_000))
)


def _with(rows: list[dict[str, Any]], place: int, **values: Any) -> list[dict[str, Any]]:
    rows[place].update(values)
    return rows


def _without_hardest(rows: list[dict[str, Any]]) -> None:
    scored = [row for row in rows if row["score"] is not None]
    for row in sorted(scored, key=lambda row: abs(row["score"]))[:2]:
        rows.remove(row)


def _all_failed(rows: list[dict[str, Any]]) -> None:
    empty = {"times": None, "frame_scores": None, "proposals": []}
    for row in rows:
        if row["set"] == "toy-a/test":
            row.update(score=None, error="no_face: none", **empty)


def _stretch_times(rows: list[dict[str, Any]], factor: float) -> None:
    rows[5]["times"] = [time * factor for time in rows[5]["times"]]


def _set_time(rows: list[dict[str, Any]], value: float | None) -> None:
    rows[5]["times"][3] = value


def _span(start: float, end: float) -> dict[str, Any]:
    return {"start": start, "end": end, "modality": "audio", "confidence": 1.0}


def _shrink_mask(row: dict[str, Any]) -> None:
    """Half of the forged pixels are called genuine truth, where the system did better."""
    level = next(value for value in range(256) if row["pixels"][256 + value])
    row["pixels"][256 + level] -= 200
    row["pixels"][0] += 200
    name = "tp" if level >= 128 else "fn"
    row[name] = [value - 20 for value in row[name]]


def _fake_twin(rows: list[dict[str, Any]]) -> None:
    masked = next(row for row in rows if row["no_twin"])
    table = [0] * 512
    table[0], table[256] = sum(masked["pixels"][:256]), sum(masked["pixels"][256:])
    masked.update(twin=masked["id"], twin_pixels=table, no_twin=None)


def _judged(row: dict[str, Any]) -> None:
    total = sum(row["pixels"][:256])
    forged = sum(row["pixels"][256:])
    pixels = [0] * 512
    pixels[0], pixels[511] = total, forged
    frames = len(row["tp"])
    row.update(pixels=pixels, failed=False, unreached=0)
    row.update(tp=[forged // frames] * frames, fp=[0] * frames, fn=[0] * frames)


@case("pixels-dictionary", PIXELS, "set", "dictionary")
def _pixel_dictionary(box: Box) -> None:
    pq.write_table(pa.Table.from_pylist(pq.read_table(box.pixels).to_pylist(), schema=pixel_schema()), box.pixels)
    box.renew()
