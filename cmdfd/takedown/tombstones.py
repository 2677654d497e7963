"""What stays of withdrawn clips: opaque ids for everybody, and at home hashes of what no build may make again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from cmdfd.cache import write_atomic
from cmdfd.clip import content_id
from cmdfd.errors import CmdfdError
from cmdfd.tables import read_table, schema, write_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

#: Goes public with the set: ids alone.
TOMBSTONES = "tombstones.parquet"
#: Stays at home: hashes of the people, recordings and takes that no later build may use.
MARKS_FILE = "withdrawn.json"
TOMBSTONE_COLUMNS = {"id": "string", "state": "string", "version": "string"}
STATE = "withdrawn"


class _Marks(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = 1
    marks: list[str]


def read_tombstones(folder: Path) -> dict[str, str]:
    """Withdrawn clips of a set: id to the version since which it is gone; none where no takedown was made.

    Raises:
        CmdfdError: If the table cannot be read.
    """
    path = folder / TOMBSTONES
    if not path.is_file():
        return {}
    try:
        return {str(row["id"]): str(row["version"] or "") for row in read_table(path)}
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise CmdfdError(f"{path}: not a table of tombstones: {type(error).__name__}: {error}") from error


def write_tombstones(folder: Path, withdrawn: Mapping[str, str]) -> None:
    """Write the tombstones, sorted by id: the id, the word "withdrawn", the version. Never whose they were."""
    rows: list[dict[str, Any]] = [
        {"id": name, "state": STATE, "version": withdrawn[name]} for name in sorted(withdrawn)
    ]
    write_table(folder / TOMBSTONES, rows, schema(TOMBSTONE_COLUMNS))


def mark_of(kind: str, name: str) -> str:
    """Hash of a face, voice, recording or take that was withdrawn."""
    return content_id("withdrawn", kind, name, length=64)


def read_marks(folder: Path) -> frozenset[str]:
    """Hashes of what no later build may use; see `mark_of`.

    Raises:
        CmdfdError: If the file is not one of these. It is never taken for empty: people would come back.
    """
    path = folder / MARKS_FILE
    if not path.is_file():
        return frozenset()
    try:
        return frozenset(_Marks.model_validate(json.loads(path.read_text("utf-8"))).marks)
    except (ValueError, OSError, ValidationError) as error:
        raise CmdfdError(f"{path}: cannot be read, and without it withdrawn people could come back: {error}") from error


def write_marks(folder: Path, marks: Iterable[str]) -> None:
    """Write the hashes, sorted."""
    text = _Marks(marks=sorted(set(marks))).model_dump_json(indent=1)
    write_atomic(folder / MARKS_FILE, text.encode() + b"\n")


def next_version(withdrawn: Mapping[str, str]) -> str:
    """Name of the next takedown of a set, where the user gives no tag: "takedown-1", "takedown-2", ..."""
    return f"takedown-{1 + len(set(withdrawn.values()))}"


def withdrawn_notes(folder: Path) -> list[str]:
    """The note in `build.json`: how many clips went, not whose; nothing where none went."""
    n = len(read_tombstones(folder))
    many = "1 clip was" if n == 1 else f"{n} clips were"
    return [f"{many} withdrawn; their ids are in {TOMBSTONES}"] if n else []
