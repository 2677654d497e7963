"""Text tables: which encoding, which sign parts the columns, and whether the first line names them."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from cmdfd.audit.targets.rawtable import RawTable, Refused, TableError, stream_of
from cmdfd.audit.targets.roles import known_name
from cmdfd.audit.targets.values import from_arrow

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

_SAMPLE_BYTES = 1 << 18
_SAMPLE_LINES = 500
_SIGNS = (",", "\t", ";", "|")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_MEDIA = re.compile(r"\.(mp4|avi|mov|mkv|webm|wav|flac|mp3|m4a|ogg|png|jpe?g|npy|pt)$", re.IGNORECASE)
_PLACE = re.compile(rf"[/\\]|{_MEDIA.pattern}", re.IGNORECASE)
_KNOWN = "known are CSV, TSV, JSON, JSON lines and Parquet"
#: Name of a column that the file does not name; its number follows.
NAMELESS = "column"


def read_text(path: Path, data: bytes) -> RawTable:
    """A table of lines.

    Raises:
        TableError: If it is no text, or not a table.
    """
    encoding, notes = _encoding(path, data)
    sample = data[:_SAMPLE_BYTES].decode(encoding, errors="replace")
    lines = sample.splitlines()[: _SAMPLE_LINES + 1]
    if len(data) > _SAMPLE_BYTES and len(lines) > 1:
        lines = lines[:-1]  # the last one may be cut off
    skipped = _comments(lines)
    lines = [line for line in lines[skipped:] if line.strip()]
    if not lines:
        raise TableError(f"{path}: holds no rows; a list needs one row a clip")
    sign = _sign(lines)
    rows = (
        [line.split() for line in lines]
        if sign == " "
        else list(csv.reader(io.StringIO("\n".join(lines)), delimiter=sign))
    )
    rows = [row for row in rows if row]
    width = Counter(len(row) for row in rows[1:] or rows).most_common(1)[0][0]
    names = _header(rows, width)
    if names is None:
        header, names = False, [f"{NAMELESS} {k + 1}" for k in range(width)]
        notes = (*notes, f"{path.name} has no line of column names; columns are called {NAMELESS} 1 to {width}")
    else:
        header = True
    frame, unread = _body(path, data, encoding, sign, skipped + header, names)
    return RawTable(path, frame, header, notes, unread)


def _encoding(path: Path, data: bytes) -> tuple[str, tuple[str, ...]]:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16", ()
    if b"\0" in data[: 1 << 20]:
        raise TableError(
            f"{path}: not a text table (it holds zero bytes); known are CSV, TSV, JSON, JSON lines and Parquet"
        )
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError:
        strange = sum(byte < 32 and byte not in b"\t\n\r" for byte in data[:4096])
        if strange > 4096 // 50:
            raise TableError(f"{path}: not a text table; {_KNOWN}") from None
        return "latin-1", (f"{path.name} is not UTF-8 and was read as Latin-1",)
    return "utf-8", ()


def _comments(lines: list[str]) -> int:
    """Lines that begin with "#" before the table; a named header behind such a sign is one of its lines."""
    count = 0
    while count < len(lines) - 1 and (not lines[count].strip() or lines[count].startswith("#")):
        cells = re.split(r"[,;\t|\s]+", lines[count].lstrip("#").strip())
        if lines[count].startswith("#") and sum(map(known_name, cells)) >= min(2, len(cells)) and len(cells) > 1:
            break
        count += 1
    return count


def _cells(lines: list[str], sign: str) -> list[list[str]]:
    """Cells of sample lines.

    A quote that never ends makes a cell too large for the reader; such lines are taken as they are.
    """
    if sign == " ":
        return [line.split() for line in lines]
    try:
        return list(csv.reader(io.StringIO("\n".join(lines)), delimiter=sign))
    except csv.Error:
        return [line.split(sign) for line in lines]


def _sign(lines: list[str]) -> str:
    """What parts the columns: the sign that gives most lines one and the same number of cells, more than one.

    A sign that parts the first line likewise goes before one that does not: decimal commas stand in every line but
    the one of the names.
    """
    for sign in _SIGNS:
        widths = [len(row) for row in _cells(lines, sign) if row]
        width, n = Counter(widths).most_common(1)[0]
        if width > 1 and widths[0] == width and n / len(lines) >= 0.95:
            return sign
    best, rank = ",", (0.0, 0)
    for sign in (*_SIGNS, " "):
        counts = Counter(len(row) for row in _cells(lines, sign) if row)
        width, n = counts.most_common(1)[0]
        if width > 1 and (n / len(lines) > rank[0] + 0.05 or (n / len(lines) >= 0.95 and rank[0] < 0.95)):
            best, rank = sign, (n / len(lines), width)
    return best


def _header(rows: list[list[str]], width: int) -> list[str] | None:
    """Names in the first line, completed to `width`; None where the first line is a clip like the others."""
    first = [cell.strip().lstrip("#\ufeff").strip() for cell in rows[0]]
    named = [cell for cell in first if cell]
    counted = first == [str(k) for k in range(len(first))] or first == ["", *map(str, range(len(first) - 1))]
    if not counted:
        known = sum(map(known_name, set(named))) > 1  # then "frames/s" is no path, and a name may stand there twice
        twice = len(set(named)) < len(named) - len(named) // 4 and not known
        if twice or len(first) - len(named) > max(1, width // 2):
            return None
        place = _MEDIA if known else _PLACE
        if any(_NUMBER.fullmatch(cell) or place.search(cell) for cell in named):
            return None
        below = [{row[k].strip() for row in rows[1:] if k < len(row)} for k in range(len(first))]
        if any(cell and cell in seen for cell, seen in zip(first, below, strict=True)):
            return None
        if not any(map(known_name, named)) and not _differs(first, rows[1:]):
            return None
    if len(first) == width - 1:  # FakeAVCeleb leaves out the name of its last column, R that of its first
        return [*first, ""] if "target1" in (cell.casefold() for cell in first) else ["", *first]
    return [*first, *("" for _ in range(width - len(first)))]


def _differs(first: list[str], rows: list[list[str]]) -> bool:
    """Whether a column holds numbers or paths below its first cell."""
    for k in range(len(first)):
        cells = [row[k].strip() for row in rows if k < len(row) and row[k].strip()]
        if cells and sum(bool(_NUMBER.fullmatch(cell) or _PLACE.search(cell)) for cell in cells) > len(cells) * 0.8:
            return True
    return False


def _body(
    path: Path, data: bytes, encoding: str, sign: str, skip: int, names: list[str]
) -> tuple[pd.DataFrame, tuple[tuple[str, str], ...]]:
    """All rows as text; those with another number of cells are refused by name."""
    import pandas as pd
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    if sign == " ":
        return _blank_parted(data, encoding, skip, names)
    refused = Refused()

    def refuse(row: Any) -> str:
        if (row.text or "").strip():
            said = f"has {row.actual_columns} cells where the table has {row.expected_columns} columns"
            refused.add(f"{path.name}: {str(row.text)[:80]!r}", said, "have another number of cells than the table")
        return "skip"

    inner = [f"{k}" for k in range(len(names))]
    try:
        table = arrow_csv.read_csv(
            stream_of(data),
            read_options=arrow_csv.ReadOptions(
                column_names=inner, skip_rows=skip, encoding=encoding, block_size=1 << 24, use_threads=True
            ),
            parse_options=arrow_csv.ParseOptions(delimiter=sign, invalid_row_handler=refuse, newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(inner, pa.large_string()), strings_can_be_null=False
            ),
        )
    except (pa.ArrowException, UnicodeDecodeError, ValueError) as error:
        raise TableError(f"{path}: not a table with columns parted by {sign!r}: {error}") from error
    columns = {k: from_arrow(table.column(k).combine_chunks()) for k in range(len(names))}
    frame = pd.DataFrame(columns)
    frame.columns = names
    return frame, refused.as_pairs()


def _blank_parted(
    data: bytes, encoding: str, skip: int, names: list[str]
) -> tuple[pd.DataFrame, tuple[tuple[str, str], ...]]:
    """Columns parted by any number of blanks."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    lines = pa.array(data.decode(encoding).lstrip("\ufeff").splitlines()[skip:], pa.large_string())
    lines = pc.utf8_trim_whitespace(lines)
    lines = lines.filter(pc.not_equal(lines, ""))
    cells = pc.utf8_split_whitespace(lines)
    good = pc.equal(pc.list_value_length(cells), len(names))
    refused = Refused()
    for row in np.flatnonzero(~np.asarray(good.to_numpy(zero_copy_only=False), dtype=bool)):
        refused.add(repr(lines[int(row)].as_py()[:80]), f"does not have {len(names)} cells parted by blanks")
    cells = cells.filter(good)
    frame = pd.DataFrame({k: from_arrow(pc.list_element(cells, k)) for k in range(len(names))})
    frame.columns = names
    return frame, refused.as_pairs()
