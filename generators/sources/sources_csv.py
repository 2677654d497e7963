"""The ledger of a folder of recordings: whose they are, and what may be done with them.

`sources.csv` is UTF-8 with commas and a header. Columns: `file` (relative to the folder, forward slashes),
`identity` (one word for one person, the same in all their files), `licence`, `consent` (given, public-figure,
synthetic or unknown) and `pristine` (whether nothing in the recording was generated or edited).
"""

from __future__ import annotations

import csv
import difflib
import io
import unicodedata
import warnings
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from cmdfd.clip import Rights
from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FILE_NAME = "sources.csv"
REQUIRED = ("file", "licence", "consent", "pristine")
COLUMNS = ("file", "identity", "licence", "consent", "pristine")
#: A ledger of a million recordings is smaller.
MAX_BYTES = 256 << 20
#: Problems told at once; more would not be read.
MAX_TOLD = 20

HOW_TO = (
    "write one there, with the header file,identity,licence,consent,pristine and one row a recording, e.g. "
    "anna_01.mp4,anna,CC-BY-4.0,given,true"
)


class SourcesCsvError(CmdfdError):
    """A ledger that cannot be used; tells file, line, column and fix of each problem."""


class SourcesCsvWarning(UserWarning):
    """Something in a ledger that is left unread."""


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One recording.

    Args:
        file: Path relative to the folder, normalised, with forward slashes.
        identity: The person, or None where the ledger leaves it open.
        rights: Licence, consent, pristine.
        line: Line in the ledger.
    """

    file: str
    identity: str | None
    rights: Rights
    line: int


_WHAT_TO_WRITE = {
    "file": "write the path inside the folder",
    "licence": "write an SPDX id, the name of the terms, or 'unclear'",
    "consent": "write given, public-figure, synthetic or unknown",
    "pristine": "write true or false",
}


class _Cells(BaseModel):
    """The cells of a row as they are written."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    file: str = Field(min_length=1, max_length=1024)
    identity: str = Field(default="", max_length=200)
    licence: str = Field(min_length=1, max_length=200)
    consent: Literal["given", "public-figure", "synthetic", "unknown"]
    pristine: bool

    @field_validator("file")
    @classmethod
    def _inside(cls, value: str) -> str:
        windows = PureWindowsPath(value)
        if PurePosixPath(value).is_absolute() or windows.drive or windows.root:
            raise ValueError("is an absolute path; write it relative to the folder")
        if "\\" in value:
            raise ValueError("has backslashes; write forward slashes")
        if ".." in PurePosixPath(value).parts:
            raise ValueError("leaves the folder by '..'")
        path = PurePosixPath(value)
        if not path.name:
            raise ValueError("names no file")
        return str(path)

    @field_validator("file")
    @classmethod
    def _possible(cls, value: str) -> str:
        """A file may be called what it likes (`printable` makes it fit to be shown), but nothing is called NUL."""
        if "\0" in value or any(unicodedata.category(letter) == "Cs" for letter in value):
            raise ValueError("has control characters that no file name can have")
        return value

    @field_validator("identity", "licence")
    @classmethod
    def _printable(cls, value: str) -> str:
        if any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in value):
            raise ValueError("has control characters")
        return value


def printable(name: str) -> str:
    """A file's name with control characters written as escapes, so that it can neither break a table nor steer it."""
    hidden = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return "".join(
        letter.encode("unicode_escape").decode() if unicodedata.category(letter) in hidden else letter
        for letter in name
    )


def read_sources_csv(path: Path) -> tuple[SourceRow, ...]:
    """Read a ledger.

    Args:
        path: The csv file.

    Returns:
        Its rows in their order. Columns that are not known are left out with a `SourcesCsvWarning`.

    Raises:
        SourcesCsvError: If the file is missing, no such csv, or any row is wrong; all problems at once, by line
            and column.
    """
    records = list(_records(path))
    if not records:
        raise SourcesCsvError(f"{path}: the file is empty; {HOW_TO}")
    header = [cell.strip() for cell in records[0][1]]
    _check_header(path, header)
    rows: list[SourceRow] = []
    problems: list[str] = []
    for line, cells in records[1:]:
        if len(cells) != len(header):
            problems.append(f"line {line}: {len(cells)} cells, the header has {len(header)} columns")
            continue
        known = {name: cell for name, cell in zip(header, cells, strict=True) if name in COLUMNS}
        row, wrong = _row(line, known)
        problems += wrong
        if row is not None:
            rows.append(row)
    problems += _clashes(rows)
    if problems:
        told = problems[:MAX_TOLD] + ([f"and {len(problems) - MAX_TOLD} more"] if len(problems) > MAX_TOLD else [])
        raise SourcesCsvError(f"{path}: " + "; ".join(told))
    return tuple(rows)


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of every record that is not blank."""
    if not path.is_file():
        raise SourcesCsvError(f"{path}: there is no such file; {HOW_TO}")
    if path.stat().st_size > MAX_BYTES:
        raise SourcesCsvError(f"{path}: larger than {MAX_BYTES >> 20} MiB")
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SourcesCsvError(f"{path}: line {line}: not UTF-8; save the file as UTF-8") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    last = 0
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield last + 1, cells
            last = reader.line_num
    except csv.Error as error:
        raise SourcesCsvError(f"{path}: line {last + 1}: {error}") from error


def _check_header(path: Path, header: Sequence[str]) -> None:
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        raise SourcesCsvError(f"{path}: line 1: the header is one column {header[0]!r}; separate columns by commas")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise SourcesCsvError(f"{path}: line 1: the column {twice[0]!r} is there twice")
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        meant = difflib.get_close_matches(missing[0], [name for name in header if name not in COLUMNS], n=1, cutoff=0.5)
        hint = f"rename {meant[0]!r}" if meant else "add it"
        raise SourcesCsvError(
            f"{path}: line 1: there is no column {missing[0]!r}; {hint}; columns: {', '.join(COLUMNS)}"
        )
    extra = [name for name in header if name not in COLUMNS]
    if extra:
        warnings.warn(f"{path.name}: columns not read: {', '.join(map(repr, extra))}", SourcesCsvWarning, stacklevel=3)


def _row(line: int, cells: dict[str, str]) -> tuple[SourceRow | None, list[str]]:
    try:
        read = _Cells.model_validate(cells)
    except ValidationError as error:
        return None, [_told(line, str(part["loc"][0]), cells, part["msg"]) for part in error.errors()]
    rights = Rights(licence=read.licence, consent=read.consent, pristine=read.pristine)
    return SourceRow(read.file, read.identity or None, rights, line), []


def _told(line: int, column: str, cells: dict[str, str], message: str) -> str:
    value = cells.get(column, "")
    if not value.strip():
        message = f"is empty; {_WHAT_TO_WRITE.get(column, 'fill it in')}"
    return f"line {line}, column {column!r}: {value[:80]!r}: {message.removeprefix('Value error, ')}"


def _clashes(rows: Sequence[SourceRow]) -> Iterator[str]:
    """Files that are listed twice, and people who are written in two ways: those would end up in two splits."""
    files: dict[str, int] = {}
    people: dict[str, SourceRow] = {}
    for row in rows:
        if row.file in files:
            yield f"line {row.line}, column 'file': {row.file!r} is listed in line {files[row.file]} already"
        files.setdefault(row.file, row.line)
        if row.identity is None:
            continue
        folded = " ".join(unicodedata.normalize("NFKC", row.identity).casefold().split())
        first = people.setdefault(folded, row)
        if first.identity != row.identity:
            yield (
                f"line {row.line}, column 'identity': {row.identity!r} and {first.identity!r} (line {first.line}) "
                "differ in case or spaces only; write one person in one way"
            )
