"""The list of a folder of edits: which file was made from which, what was done, by whom, and what may be done with it.

`edits.csv` is UTF-8 with commas. Its first line is `#cmdfd-edits,1` (the version), the second the header; see
`EditRow`. Paths are relative to the folder, with forward slashes.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from cmdfd.clip import Modality, Rights
from cmdfd.errors import CmdfdError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_NAME, MARK, VERSION = "edits.csv", "#cmdfd-edits", "1"
MAX_BYTES, MAX_TOLD = 64 << 20, 20
#: What an edit may be called; several are separated by ";".
OPERATIONS = (
    "face-swap", "lip-sync", "reenactment", "body", "splice", "insertion", "removal", "copy-move", "background",
    "text", "retouch", "colour", "time", "voice-swap", "voice-edit", "sound-edit", "other",
)  # fmt: skip
_MOST_SECONDS = 36_000.0
#: What a spreadsheet would take for a formula (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SPAN = re.compile(r"^(?:(?P<what>a|v|av):)?(?P<start>\d{1,6}(?:\.\d{1,6})?)-(?P<end>\d{1,6}(?:\.\d{1,6})?)$")
_WHAT = {"a": Modality.AUDIO, "v": Modality.VIDEO, "av": Modality.BOTH}

TEMPLATE = """\
#cmdfd-edits,1
original,edited,matte,edl,segments,operation,tool,editor,face_id,voice_id,donors,licence,consent,pristine
anna_01.mov,edits/anna_01_ae.mp4,mattes/anna_01_matte.mov,,,face-swap,After Effects 24.1,ed01,anna,anna,bob,\
CC-BY-4.0,given,true
anna_02.mov,edits/anna_02_pr.mp4,,lists/anna_02.edl,,splice,Premiere 24,ed01,anna,anna,,CC-BY-4.0,given,true
carl_01.mov,edits/carl_01_dr.mov,mattes/carl_01.png,,v:1.2-2.4;a:3.0-3.5,removal;sound-edit,Resolve 18,ed02,carl,carl,,\
CC-BY-4.0,given,true
"""


class EditsCsvError(CmdfdError):
    """A list that cannot be used; tells file, line, column and fix of each problem."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the edited file that somebody names.

    Args:
        start: Seconds from the edited file's first frame.
        end: Seconds, > start.
        modality: What was changed, or None for whatever differs.
    """

    start: float
    end: float
    modality: Modality | None = None


def inside_path(value: str) -> str:
    """A path that stays in the folder, normalised; "" stays "".

    Raises:
        ValueError: If it does not stay there or no file can have it.
    """
    if not value:
        return value
    windows = PureWindowsPath(value)
    if PurePosixPath(value).is_absolute() or windows.drive or windows.root:
        raise ValueError("is an absolute path; write it relative to the folder")
    if "\\" in value:
        raise ValueError("has backslashes; write forward slashes")
    path = PurePosixPath(value)
    if ".." in path.parts:
        raise ValueError("leaves the folder by '..'")
    if not path.name:
        raise ValueError("names no file")
    if "\0" in value or any(unicodedata.category(letter) == "Cs" for letter in value):
        raise ValueError("has control characters that no file name can have")
    return str(path)


def _plain(value: str) -> str:
    """Words for tables."""
    if any(unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for letter in value):
        raise ValueError("has control characters")
    if value.startswith(_FORMULA):
        raise ValueError(f"begins with {value[0]!r}, which a spreadsheet takes for a formula; begin with a letter")
    return value


def _operations(value: str) -> str:
    words = [word.strip() for word in value.split(";") if word.strip()]
    if not words:
        raise ValueError("is empty; " + nearest("", OPERATIONS))
    for word in words:
        if word not in OPERATIONS:
            raise ValueError(f"unknown operation {word[:40]!r}; {nearest(word, OPERATIONS)}")
    return ";".join(dict.fromkeys(words))


def _spans(value: str) -> str:
    spans_of(value)
    return value


def spans_of(text: str) -> tuple[Span, ...]:
    """Stretches written as `1.2-2.4;v:3.0-3.5`, seconds from the edited file's first frame.

    Raises:
        ValueError: Naming the stretch and the fix.
    """
    found: list[Span] = []
    for part in filter(None, (each.strip() for each in text.split(";"))):
        match = _SPAN.match(part)
        if match is None:
            raise ValueError(f"{part[:40]!r} is no stretch; write start-end in seconds, a:start-end or v:start-end")
        start, end = float(match["start"]), float(match["end"])
        if not start < end <= _MOST_SECONDS:
            raise ValueError(f"{part!r} must have start < end <= {_MOST_SECONDS:g}")
        found.append(Span(start, end, _WHAT[match["what"]] if match["what"] else None))
    return tuple(sorted(found, key=lambda one: (one.start, one.end)))


def _none_if_empty(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


_Path = Annotated[str, AfterValidator(inside_path), Field(max_length=1024)]
_Words = Annotated[str, AfterValidator(_plain), Field(max_length=200)]
_Rate = Annotated[float, Field(ge=10, le=120, allow_inf_nan=False)]
_Label = Annotated[Literal["0", "1"] | None, BeforeValidator(_none_if_empty)]


class EditRow(BaseModel):
    """One edit, as the list tells it.

    Args:
        original: The genuine recording.
        edited: What the editor wrote.
        matte: Video or image, white or opaque where the picture was changed; "" derives it from the difference.
        edl: Edit decision list in CMX 3600's form, "" for none.
        edl_fps: Frame rate of its time codes; None for the edited file's.
        edl_start: Time code of the edited file's first frame; "" for the whole hour before the first event.
        segments: Stretches in seconds of the edited file, e.g. "1.2-2.4;a:3.0-3.5"; "" for the EDL's or derived ones.
        operation: Words of `OPERATIONS`.
        tool: The program.
        editor: Who did it, a name or pseudonym.
        face_id: Who is seen in the original, the same word in all rows.
        voice_id: Who is heard in the original; `face_id` where empty.
        donors: Others whose face, voice or footage was used, separated by ";", the same words as ids.
        licence: Of original and edit.
        consent: As in sources.csv.
        pristine: Whether nothing in the original was generated or edited.
        edit_licence: Terms that the edit adds, "" for none.
        split: "train", "validation", "test", or None.
        sync_mismatch: What the editor says of sound against lips, None for unknown.
        identity_mismatch: What the editor says of voice against face, None for unknown.
        line: Line in the list.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    original: Annotated[_Path, Field(min_length=1)]
    edited: Annotated[_Path, Field(min_length=1)]
    matte: _Path = ""
    edl: _Path = ""
    edl_fps: Annotated[_Rate | None, BeforeValidator(_none_if_empty)] = None
    edl_start: Annotated[str, Field(pattern=r"^(?:\d{2}[:;]\d{2}[:;]\d{2}[:;.]\d{2})?$")] = ""
    segments: Annotated[str, AfterValidator(_spans), Field(max_length=10_000)] = ""
    operation: Annotated[str, AfterValidator(_operations), Field(max_length=200)]
    tool: Annotated[_Words, Field(min_length=1)]
    editor: _Words = ""
    face_id: Annotated[_Words, Field(min_length=1)]
    voice_id: _Words = ""
    donors: _Words = ""
    licence: Annotated[_Words, Field(min_length=1)]
    consent: Literal["given", "public-figure", "synthetic", "unknown"]
    pristine: bool
    edit_licence: _Words = ""
    split: Annotated[Literal["train", "validation", "test"] | None, BeforeValidator(_none_if_empty)] = None
    sync_mismatch: _Label = None
    identity_mismatch: _Label = None
    line: int

    @model_validator(mode="after")
    def _two_files(self) -> Self:
        if self.original == self.edited:
            raise ValueError("original and edited are one file")
        if (self.edl_fps is not None or self.edl_start) and not self.edl:
            raise ValueError("edl_fps and edl_start are for an edl, and none is named")
        return self

    @property
    def rights(self) -> Rights:
        """Licence, consent, pristine."""
        return Rights(self.licence, self.consent, self.pristine)

    @property
    def donor_ids(self) -> tuple[str, ...]:
        """The donors, in order."""
        return tuple(dict.fromkeys(word.strip() for word in self.donors.split(";") if word.strip()))


COLUMNS = tuple(name for name in EditRow.model_fields if name != "line")
REQUIRED = tuple(name for name in COLUMNS if EditRow.model_fields[name].is_required())


def read_edits_csv(path: Path) -> tuple[EditRow, ...]:
    """Read a list.

    Args:
        path: The csv file.

    Returns:
        Its rows in their order.

    Raises:
        EditsCsvError: If the file is missing, no such csv, or any row is wrong; all problems at once, by
            line and column.
    """
    records = list(_records(path))
    if not records or [cell.strip() for cell in records[0][1] if cell.strip()] != [MARK, VERSION]:
        raise EditsCsvError(f"{path}: line 1: must be {MARK},{VERSION}; `python -m generators.manual --template` shows")
    if len(records) < 2:
        raise EditsCsvError(f"{path}: line 2: the header is missing; columns: {', '.join(COLUMNS)}")
    header = [cell.strip() for cell in records[1][1]]
    _check_header(path, header)
    rows: list[EditRow] = []
    problems: list[str] = []
    for line, cells in records[2:]:
        if len(cells) != len(header):
            problems.append(f"line {line}: {len(cells)} cells, the header has {len(header)} columns")
            continue
        try:
            rows.append(EditRow.model_validate({**dict(zip(header, cells, strict=True)), "line": line}))
        except ValidationError as error:
            problems += [_told(line, one["loc"], one["msg"], one["input"]) for one in error.errors()]
    problems += _clashes(rows)
    if problems:
        told = problems[:MAX_TOLD] + ([f"and {len(problems) - MAX_TOLD} more"] if len(problems) > MAX_TOLD else [])
        raise EditsCsvError("\n".join(f"{path}: {one}" for one in told))
    if not rows:
        raise EditsCsvError(f"{path}: there is no edit in it; write one row for each")
    return tuple(rows)


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Records that are not blank, with the line they begin in."""
    try:
        size = path.stat().st_size if path.is_file() else None
    except OSError as error:
        raise EditsCsvError(f"{path}: cannot be read: {error.strerror}") from error
    if size is None:
        raise EditsCsvError(
            f"{path}: there is no such list; `python -m generators.manual --template` writes an example"
        )
    if size > MAX_BYTES:
        raise EditsCsvError(f"{path}: larger than {MAX_BYTES >> 20} MiB")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise EditsCsvError(f"{path}: not UTF-8; save the file as UTF-8") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    last = 0
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield last + 1, cells
            last = reader.line_num
    except csv.Error as error:
        raise EditsCsvError(f"{path}: line {last + 1}: {error}") from error


def _check_header(path: Path, header: list[str]) -> None:
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        raise EditsCsvError(f"{path}: line 2: the header is one column; separate columns by commas")
    for name in header:
        if name not in COLUMNS:
            raise EditsCsvError(f"{path}: line 2: unknown column {name[:40]!r}: {nearest(name, COLUMNS)}")
        if header.count(name) > 1:
            raise EditsCsvError(f"{path}: line 2: the column {name!r} is there twice")
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise EditsCsvError(f"{path}: line 2: there is no column {missing[0]!r}; needed: {', '.join(REQUIRED)}")


def _told(line: int, place: tuple[int | str, ...], message: str, value: object) -> str:
    text = message.removeprefix("Value error, ")
    if not place:
        return f"line {line}: {text}"
    shown = value if isinstance(value, str) else ""
    if not shown.strip():
        text = "is empty; fill it in"
    return f"line {line}, column {str(place[0])!r}: {shown[:80]!r}: {text}"


def _clashes(rows: list[EditRow]) -> Iterator[str]:
    """Edits that are listed twice, and people who are written in two ways: those would end up in two splits."""
    files: dict[str, int] = {}
    people: dict[str, tuple[str, int]] = {}
    for row in rows:
        if row.edited in files:
            yield f"line {row.line}, column 'edited': {row.edited!r} is listed in line {files[row.edited]} already"
        files.setdefault(row.edited, row.line)
        for name in (row.face_id, row.voice_id, *row.donor_ids):
            folded = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
            first, line = people.setdefault(folded, (name, row.line))
            if first != name:
                yield (
                    f"line {row.line}: {name!r} and {first!r} (line {line}) differ in case or spaces only; "
                    "write one person in one way"
                )
