"""Parquet files of strangers: written plainly, and read only after it is known what they would grow to."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leaderboards.problems import Problem, SubmissionError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

MAGIC = b"PAR1"
#: A footer of 20 columns and a few row groups has some kilobytes.
_MOST_FOOTER_BYTES = 4_000_000
_MOST_ROW_GROUPS = 1_000
_WRITE = "write it with python -m leaderboards.submit"
#: First bytes of what people send instead.
_OTHER_KINDS = (
    (b"PK\x03\x04", "a zip or npz archive"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x80", "a Python pickle"),
    (b"\x1f\x8b", "a gzip file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"PARE", "an encrypted Parquet file"),
    (b"version https://git-lfs", "a Git LFS pointer without its file"),
    (b"<", "a web page"),
    (b"{", "JSON"),
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a table may come to.

    Args:
        file_bytes: Size of the file.
        rows: Rows.
        values: Values of one column, the entries of its lists counted.
        memory: Bytes of all pages when they are unpacked.
    """

    file_bytes: int
    rows: int
    values: int
    memory: int


def write_table(path: Path, rows: Sequence[dict[str, Any]], schema: pa.Schema) -> None:
    """Write rows; the file appears whole or not at all, and equal rows give equal bytes.

    Args:
        path: File to write.
        rows: With the columns of the schema.
        schema: Of the table.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist(list(rows), schema=schema)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    pq.write_table(table, temporary, compression="zstd", use_dictionary=False, data_page_version="1.0")
    temporary.replace(path)


def read_bytes(path: Path, most: int, field: str) -> bytes:
    """Bytes of a regular file; links, devices and pipes are not followed, and no more than `most` are read.

    Args:
        path: The file.
        most: Largest size in bytes.
        field: What errors call its place.

    Raises:
        SubmissionError: If it is not there, is not a regular file, or is larger.
    """
    where = clean(path.name)
    try:
        # O_NONBLOCK: a named pipe would wait for its writer
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        if path.is_symlink():
            raise refused(where, field, "is a symbolic link", "put the file itself there") from error
        raise refused(where, field, f"cannot be read: {error.strerror or error}", "put it beside the YAML") from error
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        raise refused(where, field, "is not a regular file", "put the file itself there")
    with os.fdopen(handle, "rb") as stream:
        if found.st_size > most:
            raise refused(where, field, f"has {found.st_size} bytes, at most {most} are allowed here", _WRITE)
        data = stream.read(most + 1)
    if len(data) > most:  # it grew
        raise refused(where, field, f"has more than the {most} bytes that are allowed here", _WRITE)
    return data


def refused(file: str, field: str, reason: str, fix: str = "", line: int = 0) -> SubmissionError:
    """An error of one problem."""
    return SubmissionError([Problem(file, field, reason, fix, line)])


def sha256_of(data: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def parse_table(data: bytes, schema: pa.Schema, bounds: Bounds, where: str) -> pa.Table:
    """Read a Parquet file out of memory, once its headers say that it stays within bounds.

    Args:
        data: The file.
        schema: Exactly these columns and types, and `table` and `schema_version` of its metadata.
        bounds: What it may come to.
        where: What errors call it.

    Returns:
        The table, columns in the schema's order.

    Raises:
        SubmissionError: With what is wrong.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from leaderboards.footers import plain_footer
    from leaderboards.pages import PageError, check_pages

    _check_kind(data, where)
    try:
        data = plain_footer(data)
        file = pq.ParquetFile(pa.BufferReader(data), memory_map=False, thrift_string_size_limit=_MOST_FOOTER_BYTES)
        _check_footer(file.metadata, bounds, where)
        _check_columns(file.schema_arrow, schema, where)
        check_pages(data, file.metadata, bounds, where)
        table = file.read(use_threads=False).select(schema.names).cast(schema)
        table.validate(full=True)  # text that is no UTF-8 would be found where nobody expects it
        return table
    except PageError as error:
        raise refused(where, error.column, error.reason, error.fix) from error
    except (pa.ArrowException, OSError, ValueError, OverflowError, NotImplementedError) as error:
        said = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise refused(where, "file", f"cannot be read as Parquet: {said}", _WRITE) from error


def _check_kind(data: bytes, where: str) -> None:
    if data[:4] == MAGIC and data[-4:] == MAGIC and len(data) >= 12:
        footer = int.from_bytes(data[-8:-4], "little")
        if footer > min(_MOST_FOOTER_BYTES, len(data) - 12):
            raise refused(where, "file", f"its footer would have {footer} bytes", _WRITE)
        return
    kind = next((name for start, name in _OTHER_KINDS if data.startswith(start)), "no Parquet file")
    if data[:4] == MAGIC:
        kind = "a Parquet file that breaks off"
    raise refused(where, "file", f"is {kind}; only Parquet is read, and nothing in it is ever run", _WRITE)


def _check_footer(metadata: Any, bounds: Bounds, where: str) -> None:
    if metadata.num_rows > bounds.rows or metadata.num_rows < 0:
        raise refused(where, "file", f"says that it has {metadata.num_rows} rows; the board allows {bounds.rows}")
    if metadata.num_row_groups > _MOST_ROW_GROUPS:
        raise refused(where, "file", f"has {metadata.num_row_groups} row groups, at most {_MOST_ROW_GROUPS}", _WRITE)


def _check_columns(found: pa.Schema, wanted: pa.Schema, where: str) -> None:
    problems = []
    for name in [name for name in found.names if name not in wanted.names][:5]:
        problems.append(Problem(where, clean(name), "is no column of this table", _WRITE))
    for name in sorted({name for name in found.names if found.names.count(name) > 1})[:5]:
        problems.append(Problem(where, clean(name), "stands twice as a column", _WRITE))
    for field in wanted:
        if field.name not in found.names:
            problems.append(Problem(where, field.name, "column is missing", _WRITE))
        elif found.names.count(field.name) == 1 and not found.field(field.name).type.equals(field.type):
            reason = f"has the type {clean(str(found.field(field.name).type))}, it must be {field.type}"
            problems.append(Problem(where, field.name, reason, _WRITE))
    said = {name: (found.metadata or {}).get(name.encode(), b"none") for name in ("table", "schema_version")}
    for name, value in said.items():
        if value != wanted.metadata[name.encode()]:
            text = (
                f"is {clean(value.decode(errors='replace'))!r}, it must be {wanted.metadata[name.encode()].decode()!r}"
            )
            problems.append(Problem(where, f"metadata {name}", text, _WRITE))
    if problems:
        raise SubmissionError(problems)


def clean(text: str, most: int = 80) -> str:
    """Text from outside, shortened and without characters that do something to a terminal or a page."""
    shown = "".join(char if char.isprintable() else "�" for char in text[: most + 1])
    return shown if len(shown) <= most else f"{shown[:most]}..."
