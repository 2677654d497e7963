"""What a repaired set takes over from the set it was made of, beside its clips: where they come from, and who went."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cmdfd.audit.repair.recipe import Harmonise, Repair, RepairError
from cmdfd.clip import content_id
from cmdfd.tables import PROVENANCE, STAGES, TAKES, read_table, schema, write_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from cmdfd.clip import Clip
    from cmdfd.dataset import Dataset

#: Columns that a repaired set's provenance has besides: the address of each repair that a clip passed, in order, and
#: the SHA-256 of its file before the last one.
REPAIR_COLUMNS = {"repairs": "strings", "repaired_sha256": "string"}
#: Steps that write another file; the others only choose, move or name clips.
_REWRITE = ("crop", "harmonise")


@dataclass(frozen=True, slots=True)
class Carried:
    """A clip of the repaired set and what became of it.

    Args:
        old: Its id before.
        clip: Its row.
        before: SHA-256 of its file before.
        start: Seconds of the old file that were cut from its start; 0 where nothing was.
    """

    old: str
    clip: Clip
    before: str
    start: float = 0.0


def repair_address(repair: Repair) -> str:
    """Content address of a repair."""
    return content_id("repair", repair.to_dict(), length=32)


def check_withdrawn(out: Path, source: Path | None) -> None:
    """Refuse to write a set again out of which people were taken since.

    Args:
        out: Folder of the repaired set.
        source: Folder of the set that is repaired.

    Raises:
        RepairError: If clips were withdrawn from `out` that `source` still has.
    """
    from cmdfd.takedown.tombstones import read_marks, read_tombstones

    known = read_tombstones(source) if source is not None else {}
    later = set(read_tombstones(out)) - set(known)
    if later or read_marks(out) - (read_marks(source) if source is not None else frozenset()):
        raise RepairError(
            f"{out}: clips were withdrawn from this set ({len(later)} of them), and this would bring them back; take "
            f"the same out of {source or 'the source'} with python -m cmdfd.takedown, and name a new folder"
        )


def carry(out: Path, repair: Repair, old: Dataset, clips: Iterable[Carried], recipe_hash: str) -> None:
    """Write the tables of the repaired set that say where its clips come from, and who was withdrawn before.

    `provenance.parquet` has the rows of the clips that are left, with their new ids, hashes, splits and windows;
    `takes.parquet` says who is seen and heard in the takes that went into them, which the rows of dropped clips told;
    `stages.parquet` only comes along where files were copied, since new files have other cues.

    Args:
        out: Folder of the repaired set.
        repair: The recipe.
        old: The set before.
        clips: What is left of it.
        recipe_hash: Of the repaired set.
    """
    from cmdfd.takedown.lineage import write_takes
    from cmdfd.takedown.tombstones import MARKS_FILE, TOMBSTONES

    by_id = {one.old: one for one in clips}
    for name in (TOMBSTONES, MARKS_FILE):
        if (old.folder / name).is_file():
            shutil.copyfile(old.folder / name, out / name)
    for name in (PROVENANCE, STAGES, TAKES):
        (out / name).unlink(missing_ok=True)  # of an earlier run; the old set may have lost it since
    if (old.folder / PROVENANCE).is_file():
        rows = [_row(row, by_id, repair, recipe_hash) for row in _mine(old.folder / PROVENANCE, by_id)]
        _write(old.folder / PROVENANCE, out / PROVENANCE, rows, REPAIR_COLUMNS)
        write_takes(out, old, {row["take"] for row in rows} | _parents(rows))
    if (old.folder / STAGES).is_file() and repair.get(Harmonise) is None:
        rows = [{**row, **_named(by_id[row["id"]])} for row in _mine(old.folder / STAGES, by_id)]
        _write(old.folder / STAGES, out / STAGES, rows, {})


def _mine(path: Path, by_id: Mapping[str, Carried]) -> list[dict[str, Any]]:
    return [row for row in read_table(path) if row["id"] in by_id]


def _parents(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    return {one["key"] for row in rows for one in row.get("parents") or () if one["role"] != "original"}


def _named(one: Carried) -> dict[str, str]:
    return {"id": one.clip.id, "split": one.clip.split}


def _write(old: Path, new: Path, rows: list[dict[str, Any]], besides: Mapping[str, str]) -> None:
    """Write rows sorted by id with the columns of the old table and some besides."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = pq.read_schema(old).remove_metadata()
    added = [field for field in schema(besides) if field.name not in columns.names]
    order = sorted(rows, key=lambda row: row["id"])  # stages of a clip keep their order
    write_table(new, order, pa.schema([*columns, *added]))


def _row(row: Mapping[str, Any], by_id: Mapping[str, Carried], repair: Repair, recipe_hash: str) -> dict[str, Any]:
    """A clip's row of provenance, true for its new file; what was forged and by what is as it was."""
    one, step = by_id[row["id"]], repair.get(Harmonise)
    start, end = row.get("start"), None
    if start is not None and step is not None:  # a copied file begins where it did
        start = round(start + one.start, 6)
        end = round(start + one.clip.duration, 6)
    parents = [_parent(parent, one, by_id, (start, end)) for parent in row.get("parents") or ()]
    done = [f"repair:{name}" for name in repair.names if name in _REWRITE]
    changes = {
        **_named(one),
        "sha256": one.clip.sha256,
        "start": start,
        "crf": row.get("crf") if step is None else step.crf,
        "parents": parents,
        "operations": [*(row.get("operations") or ()), *done],
        "recipe_hash": recipe_hash,
    }
    changes = {name: value for name, value in changes.items() if name in row}
    repairs = [*(row.get("repairs") or ()), repair_address(repair)]
    return {**row, **changes, "repairs": repairs, "repaired_sha256": one.before}


def _parent(
    parent: Mapping[str, Any], one: Carried, by_id: Mapping[str, Carried], window: tuple[float | None, float | None]
) -> dict[str, Any]:
    """A parent with its window on its own clock; an original that is not in the set any more has no name in it."""
    start, end = window
    if parent["role"] != "original":
        moved = parent["start"] is not None and end is not None
        return {**parent, "start": start, "end": end} if moved else dict(parent)
    original = by_id.get(parent["key"])
    if original is None:
        return {**parent, "key": "", "start": None, "end": None}
    found = {**parent, "key": original.clip.id, "sha256": original.clip.sha256}
    if parent["start"] is None or end is None:
        return found
    begin = round(parent["start"] + one.start - original.start, 6)
    return {**found, "start": begin, "end": round(begin + one.clip.duration, 6)}
