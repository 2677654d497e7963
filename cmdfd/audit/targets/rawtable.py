"""Tables as strangers write them: CSV and its kin, JSON of any shape, JSON lines, Parquet; packed or not."""

from __future__ import annotations

import gzip
import io
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    import pandas as pd

TABLE_SUFFIXES = frozenset(
    (".csv", ".tsv", ".txt", ".lst", ".list", ".tab", ".dat", ".trn", ".trl", ".json", ".jsonl", ".ndjson", ".parquet")
)
#: Unpacked size at which a packed table is taken for a bomb.
MAX_UNPACKED = 4 << 30
#: Rows and files that are named one by one; of the others only the number is told.
MAX_NAMED = 200


@dataclass(frozen=True, slots=True, eq=False)
class RawTable:
    """A table as it was written.

    Args:
        path: Where it was read from.
        frame: Columns are text ("" where there is nothing), numbers, or lists and records (dtype object).
        header: Whether the columns are named by the file itself.
        notes: How it was read, where that was not plain.
        unread: (row, reason) of rows that could not be taken in.
    """

    path: Path
    frame: pd.DataFrame
    header: bool = True
    notes: tuple[str, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()


class TableError(CmdfdError):
    """A table that cannot be read, or does not say which clips are fake."""


class UndecidedError(TableError):
    """A table in which no column says what is fake."""


@dataclass(slots=True)
class Refused:
    """Rows or files that could not be taken in: the first by name, the rest counted by reason."""

    named: list[tuple[str, str]] = field(default_factory=list)
    more: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, reason: str, kind: str = "") -> None:
        """Tell of one; `kind` is the reason without what is special to this one."""
        if len(self.named) < MAX_NAMED:
            self.named.append((name, reason))
        else:
            self.more[kind or reason] = self.more.get(kind or reason, 0) + 1

    def as_pairs(self) -> tuple[tuple[str, str], ...]:
        """All of them."""
        return (*self.named, *((f"{count} more", reason) for reason, count in self.more.items()))


def looks_like_table(path: Path) -> bool:
    """Whether a file's name is that of a table, packed or not."""
    suffixes = [one.casefold() for one in path.suffixes[-2:]]
    return bool(suffixes) and (
        suffixes[-1] in TABLE_SUFFIXES or (suffixes[-1] == ".gz" and suffixes[:1][0] in TABLE_SUFFIXES)
    )


def read_table(path: Path) -> RawTable:
    """Read a table by what it holds; the suffix only helps.

    Raises:
        TableError: If it is missing, empty, no table, or broken.
    """
    from cmdfd.audit.targets.rawjson import read_json, read_json_lines
    from cmdfd.audit.targets.rawtext import read_text

    data = _bytes(path)
    suffix = _suffix(path)
    try:
        if isinstance(data, Path):
            return _read_parquet(path)
        text_start = _start(data)
        if suffix in (".jsonl", ".ndjson"):
            table = read_json_lines(path, data)
        elif text_start[:1] in (b"{", b"["):
            table = read_json_lines(path, data) if _json_lines(text_start) else read_json(path, data)
        else:
            table = read_text(path, data)
    except (OSError, MemoryError, RecursionError) as error:
        raise TableError(f"{path}: cannot be read: {type(error).__name__}: {error}") from error
    if not len(table.frame) or not len(table.frame.columns):
        raise TableError(f"{path}: holds no rows; a list needs one row a clip")
    return _with_distinct_names(table)


def _suffix(path: Path) -> str:
    suffixes = [one.casefold() for one in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _bytes(path: Path) -> bytes | Path:
    """All bytes, unpacked; the path itself for Parquet."""
    try:
        if not path.is_file():
            raise TableError(f"{path}: there is no such file")
        with path.open("rb") as stream:
            head = stream.read(4)
        if head == b"PAR1":
            return path
        if head[:2] == b"\x1f\x8b":
            with gzip.open(path) as packed:
                data = packed.read(MAX_UNPACKED + 1)
            if len(data) > MAX_UNPACKED:
                raise TableError(f"{path}: unpacks to more than {MAX_UNPACKED >> 30} GB")
        else:
            data = path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise TableError(f"{path}: cannot be read: {type(error).__name__}: {error}") from error
    if not data.strip():
        raise TableError(f"{path}: the file is empty")
    return data


def _start(data: bytes) -> bytes:
    return data[: 1 << 16].removeprefix(b"\xef\xbb\xbf").lstrip()


def _json_lines(start: bytes) -> bool:
    """Whether the first line is a whole record and another one follows."""
    import json

    first, newline, rest = start.partition(b"\n")
    if not newline or not first.startswith(b"{") or not rest.lstrip().startswith(b"{"):
        return False
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def _read_parquet(path: Path) -> RawTable:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
        kept = [field.name for field in schema if not _is_binary(field.type)]
        table = pq.read_table(path, columns=kept, partitioning=None)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise TableError(f"{path}: not a readable Parquet file: {error}") from error
    import pandas as pd

    columns: dict[str, Any] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if not str(name).startswith("__index_level"):
            columns[_free(str(name), columns)] = _from_parquet(column)
    left = [name for name in schema.names if name not in kept]
    notes = (f"columns of bytes were left out: {', '.join(left[:5])}",) if left else ()
    frame = pd.DataFrame(columns)
    if not len(frame) or not len(frame.columns):
        raise TableError(f"{path}: holds no rows; a list needs one row a clip")
    return RawTable(path, frame, notes=notes)


def _is_binary(kind: Any) -> bool:
    import pyarrow.types as pt

    return bool(pt.is_binary(kind) or pt.is_large_binary(kind) or pt.is_fixed_size_binary(kind))


def _from_parquet(column: Any) -> pd.Series[Any]:
    """One Parquet column: text, numbers, or lists and records. A record with a path stands for the path."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as pt

    from cmdfd.audit.targets.values import from_arrow

    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pt.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pt.is_struct(column.type) and column.type.get_field_index("path") >= 0:
        column = pc.struct_field(column, "path")
    kind = column.type
    if pt.is_integer(kind) and column.null_count == 0:
        return pd.Series(column.to_numpy(zero_copy_only=False))
    if pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind):
        return pd.Series(pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    if pt.is_nested(kind):
        return pd.Series(column.to_pylist(), dtype=object)
    return from_arrow(pc.cast(column, pa.large_string()))


def _free(name: str, taken: Any) -> str:
    found, count = name, 2
    while found in taken:
        found, count = f"{name} ({count})", count + 1
    return found


def _with_distinct_names(table: RawTable) -> RawTable:
    """The same with every column named once."""
    names: list[str] = []
    for name in map(str, table.frame.columns):
        names.append(_free(name, names))
    twice = [old for old, new in zip(table.frame.columns, names, strict=True) if old != new]
    frame = table.frame
    frame.columns = names
    notes = table.notes
    if twice:
        notes = (
            *notes,
            f"several columns are named {', '.join(sorted(map(repr, set(twice))))}; later ones were numbered",
        )
    return RawTable(table.path, frame, table.header, notes, table.unread)


def stream_of(data: bytes) -> io.BytesIO:
    """Bytes as a file, for readers that want one."""
    return io.BytesIO(data)
