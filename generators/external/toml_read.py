"""TOML files into checked records; mistakes are told with file, line and the nearest right word."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from cmdfd.errors import nearest
from generators.external.spec import SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: A spec is a page of text; more is a mistake or an attack.
_MAX_BYTES = 1 << 18
_HEADER = re.compile(r"^\s*\[(\[)?\s*([^\[\]#]+?)\s*\](?(1)\])\s*(#.*)?$")
_KEY = re.compile(r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_TRIPLE = re.compile(r'"""|' + "'''")
Record = TypeVar("Record", bound=BaseModel)


def read_text(path: Path) -> str:
    """Text of a small UTF-8 file.

    Raises:
        SpecError: If it cannot be read, is too large or is no UTF-8.
    """
    try:
        data = path.read_bytes() if path.is_file() else None
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror}") from error
    if data is None:
        raise SpecError(f"{path}: there is no such file")
    if len(data) > _MAX_BYTES:
        raise SpecError(f"{path}: {len(data)} bytes; such a file has at most {_MAX_BYTES}")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: not UTF-8 text: {error}") from error


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        SpecError: Naming the line.
    """
    try:
        return tomllib.loads(text)
    except ValueError as error:  # a TOMLDecodeError, or a number of thousands of digits
        line = re.search(r"at line (\d+)", str(error))
        number = int(line[1]) if line else len(text.splitlines())
        message = re.sub(r"\s*\(at .*\)$", "", str(error))
        raise SpecError(f"{where}:{number}: not TOML: {message}") from error
    except RecursionError as error:
        raise SpecError(f"{where}: lists or tables are nested too deeply") from error


def validated(kind: type[Record], tree: dict[str, Any], text: str, where: str, prefix: Sequence[str] = ()) -> Record:
    """Check a tree against a record.

    Args:
        kind: The record.
        tree: Parsed TOML.
        text: What it was parsed from, for line numbers.
        where: Name of the file.
        prefix: Table of the file in which `tree` lies.

    Raises:
        SpecError: Naming line and field of up to five mistakes.
    """
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        mistakes = [mistake for one in error.errors() for mistake in _mistakes(kind, one)]
        lines = [f"{where}:{line_of(text, [*prefix, *one.place])}: {one.text}" for one in mistakes[:5]]
        raise SpecError("\n".join(lines)) from error


@dataclass(frozen=True, slots=True)
class _Mistake:
    place: tuple[str | int, ...]
    text: str


def _mistakes(kind: type[BaseModel], error: Any) -> list[_Mistake]:
    if error["loc"] or error["type"] != "value_error":
        return [_Mistake(tuple(_keys(error["loc"])), _explain(kind, error))]
    # contradictions between fields: "field: sentence; field: sentence"
    parts = re.split(r"; (?=[a-z_.0-9]+: )", error["msg"].removeprefix("Value error, "))
    places = [tuple(int(word) if word.isdigit() else word for word in part.split(": ")[0].split(".")) for part in parts]
    return [_Mistake(place, part) for place, part in zip(places, parts, strict=True)]


def _keys(place: Sequence[str | int]) -> list[str | int]:
    """A place without the names of union members and the like that pydantic adds to it."""
    return [part for part in place if isinstance(part, int) or re.fullmatch(r"[A-Za-z0-9_-]+", part)]


def line_of(text: str, place: Sequence[str | int]) -> int:
    """Line (from 1) of the deepest key of `place` that stands in a TOML text; 1 where none does."""
    known = _positions(text)
    for end in range(len(place), 0, -1):
        line = known.get(tuple(place[:end]))
        if line is not None:
            return line
    return 1


def _positions(text: str) -> dict[tuple[str | int, ...], int]:
    """Lines of tables and of keys that begin a line; texts over several lines are skipped."""
    found: dict[tuple[str | int, ...], int] = {}
    counts: dict[tuple[str, ...], int] = {}
    table: tuple[str | int, ...] = ()
    inside = ""
    for number, line in enumerate(text.splitlines(), 1):
        open_before, inside = inside, _after(line, inside)
        if open_before:
            continue
        header, key = _HEADER.match(line), _KEY.match(line)
        if header is not None:
            words = _words(header[2])
            table = words
            if header[1]:
                counts[words] = counts.get(words, -1) + 1
                table = (*words, counts[words])
            found.setdefault(words, number)
            found[table] = number
        elif key is not None:
            words = _words(key[1])
            for end in range(1, len(words) + 1):
                found.setdefault((*table, *words[:end]), number)
    return found


def _after(line: str, inside: str) -> str:
    """Which triple quote is open behind a line."""
    for quote in _TRIPLE.findall(line):
        if not inside:
            inside = quote
        elif inside == quote:
            inside = ""
    return inside


def _words(key: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in key.split("."))


def _explain(kind: type[BaseModel], error: Any) -> str:
    place = ".".join(str(part) for part in _keys(error["loc"]))
    if error["type"] == "extra_forbidden":
        return f"unknown key {place!r}: {nearest(str(error['loc'][-1]), _fields(kind, error['loc'][:-1]))}"
    if error["type"] == "missing":
        return f"the key {place!r} is missing"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "literal_error" and isinstance(error["input"], str):
        message = f"unknown value {error['input']!r}: {message}"
    return f"{place}: {message}" if place else str(message)


def _fields(kind: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """Keys that are allowed in the table at `place`."""
    for part in place:
        field = kind.model_fields.get(str(part))
        if field is None:
            continue
        models = [one for one in _types(field.annotation) if isinstance(one, type) and issubclass(one, BaseModel)]
        if models:
            kind = models[0]
    return [field.alias or name for name, field in kind.model_fields.items()]


def _types(annotation: Any) -> list[Any]:
    found = [annotation]
    for one in get_args(annotation):
        found += _types(one)
    return found
