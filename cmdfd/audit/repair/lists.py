"""The repair of a list without media: rows dropped and splits changed, as CSV and Parquet."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from cmdfd.audit.repair.measured import missing
from cmdfd.audit.repair.writing import encodable, write_fates
from cmdfd.cache import write_atomic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from cmdfd.audit.repair.fates import Fate

LIST_STEM = "clips"


def write_list(out: Path, frame: pd.DataFrame, found: Sequence[Fate]) -> None:
    """Write `clips.csv` and `clips.parquet` with the kept rows in their order, then `repair.parquet`.

    Args:
        out: Folder.
        frame: Rows of the list with their facts and stated cues.
        found: Their fates; `split` takes the new split.
    """
    kept = [fate for fate in found if fate.kept]
    rows = frame.iloc[[fate.row for fate in kept]].reset_index(drop=True).drop(columns=["path"], errors="ignore")
    if any(fate.split for fate in kept):
        rows["split"] = [fate.split for fate in kept]
    columns = {str(name): [_cell(value) for value in rows[name]] for name in rows.columns}
    _write_csv(out / f"{LIST_STEM}.csv", columns)
    _write_parquet(out / f"{LIST_STEM}.parquet", columns)
    write_fates(out, found, {})


def _cell(value: Any) -> Any:
    """A number, a text or None; nested values as JSON."""
    if missing(value):
        return None
    if isinstance(value, str):
        return encodable(value)
    if hasattr(value, "item"):
        value = value.item() if getattr(value, "ndim", 0) == 0 else value.tolist()
    if isinstance(value, bool | int | float):
        return value
    return encodable(json.dumps(value, default=str, ensure_ascii=False))


def _write_csv(path: Path, columns: dict[str, list[Any]]) -> None:
    import csv

    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    write_atomic(path, stream.getvalue().encode())


def _write_parquet(path: Path, columns: dict[str, list[Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: _alike(values) for name, values in columns.items()})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", store_schema=True)
    write_atomic(path, buffer.getvalue())


def _alike(values: list[Any]) -> list[Any]:
    """Values of one type: text where any of them is text."""
    if any(isinstance(value, str) for value in values):
        return [None if value is None else str(value) for value in values]
    return values
