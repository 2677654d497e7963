"""The repair of a list without media: rows dropped and splits changed, as CSV and Parquet."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cmdfd.audit.repair.measured import missing
from cmdfd.audit.repair.writing import encodable, write_fates
from cmdfd.cache import write_atomic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cmdfd.audit.repair.fates import Fate
    from cmdfd.audit.targets.target import Target

LIST_STEM = "clips"


def write_list(out: Path, target: Target, found: Sequence[Fate]) -> Target:
    """Write `clips.csv` and `clips.parquet` with the kept rows in their order, then `repair.parquet`.

    The columns are those that the audit read from the list: facts under their names, and the cues that it states.

    Args:
        out: Folder.
        target: The list.
        found: The fates of its rows; `split` takes the new split.

    Returns:
        The repaired list as a target, to be audited again as it is.
    """
    kept = [fate for fate in found if fate.kept]
    clips = target.clips.reset_index(drop=True).iloc[[fate.row for fate in kept]].reset_index(drop=True)
    if any(fate.split for fate in kept):
        clips["split"] = [fate.split for fate in kept]
    rows = clips.drop(columns=["path"], errors="ignore")
    columns = {str(name): [_cell(value) for value in rows[name]] for name in rows.columns}
    _write_csv(out / f"{LIST_STEM}.csv", columns)
    _write_parquet(out / f"{LIST_STEM}.parquet", columns)
    write_fates(out, found, {})
    return replace(target, name=f"{target.name} (repaired)", clips=clips)


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
