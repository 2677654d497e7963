"""YAML of strangers as a record: bounded, without anchors, tags and hidden characters, its errors with their lines."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from cmdfd.errors import CmdfdError, nearest
from generators.yaml_text import line_of, plain, tree_of
from leaderboards.problems import Problem, SubmissionError
from leaderboards.tables import clean, read_bytes, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

Record = TypeVar("Record", bound=BaseModel)
#: A submission has a page of text; a board with fifty sets has twenty.
MOST_YAML_BYTES = 200_000
_MOST_DEPTH = 12
_SEE = "see docs/submit_a_detector.md"
#: Keys and values of a file, and the begins and ends around them; a board of fifty sets has a thousand. Each costs the
#: reader a tenth of a millisecond.
_MOST_EVENTS = 10_000
#: Unicode categories of characters that no name needs: controls, invisible ones (they can reverse or split a name),
#: halves of pairs, private ones.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_LAYOUT = frozenset("\n\t")
#: Letters and signs that are drawn as nothing: a name of them looks empty, or like another's.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
#: Marks on one letter; the Unicode standard (UAX 15, Stream-Safe Text) allows 30, languages need 4.
_MOST_MARKS = 6


@dataclass(frozen=True, slots=True, eq=False)
class YamlFile:
    """A YAML file as data that still knows its lines.

    Args:
        name: Its name, for errors.
        tree: As read, with positions.
        data: The same without them.
        sha256: Of its bytes; "" for what is no file.
    """

    name: str
    tree: Any
    data: Any
    sha256: str = ""

    def problem(self, place: Sequence[Any], reason: str, fix: str = "") -> Problem:
        """A problem at a place of the file, e.g. ("system", "slug")."""
        field = ".".join(clean(str(part)) for part in place) or "file"
        return Problem(self.name, field, reason, fix, line_of(self.tree, place))


def read_yaml(path: Path, most: int = MOST_YAML_BYTES) -> YamlFile:
    """Read a file.

    Args:
        path: A regular file.
        most: Largest size in bytes.

    Raises:
        SubmissionError: If it is not plain YAML, or has what no such file needs.
    """
    name = clean(path.name)
    data = read_bytes(path, most, "file")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SubmissionError(
            [Problem(name, "file", f"is not UTF-8 at byte {error.start}", "save it as UTF-8")]
        ) from error
    return replace(parse_yaml(text, name), sha256=sha256_of(data))


def parse_yaml(text: str, name: str) -> YamlFile:
    """Read a text, see `read_yaml`.

    Args:
        text: What stands in the file.
        name: Its name, for errors.
    """
    problems = _shape_problems(text, name)
    if problems:
        raise SubmissionError(problems)
    try:
        tree = tree_of(text, name, CmdfdError)
    except CmdfdError as error:
        raise SubmissionError([_from_error(str(error), name)]) from error
    file = YamlFile(name, tree, plain(tree))
    if not isinstance(file.data, dict):
        raise SubmissionError([Problem(name, "file", "must be a mapping of fields", _SEE)])
    hidden = [
        file.problem(place, f"holds the hidden character U+{ord(char):04X}", "remove it")
        for place, char in _hidden(file.data)
    ]
    if hidden:
        raise SubmissionError(hidden)
    return file


def _shape_problems(text: str, name: str) -> list[Problem]:
    """Looks at the stream of events, before any of it becomes an object."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    depth = documents = 0
    try:
        for number, event in enumerate(YAML(typ="rt", pure=True).parse(text)):
            kind = type(event).__name__
            documents += kind == "DocumentStartEvent"
            depth += kind.endswith("StartEvent") - kind.endswith("EndEvent")
            reason, fix = _event_problem(event, kind)
            if depth > _MOST_DEPTH:
                reason, fix = "is nested too deeply", _SEE
            elif number > _MOST_EVENTS:
                reason, fix = f"has more than {_MOST_EVENTS} keys and values", "shorten it"
            if reason:
                return [Problem(name, "file", reason, fix, event.start_mark.line + 1)]
    except RecursionError:
        return [Problem(name, "file", "is nested too deeply", _SEE)]
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        said = clean(str(getattr(error, "problem", None) or error).splitlines()[0], 200)
        return [Problem(name, "file", f"is not YAML: {said}", "", mark.line + 1 if mark is not None else 0)]
    except ValueError as error:
        return [Problem(name, "file", f"is not YAML: {clean(str(error), 200)}")]
    return [Problem(name, "file", f"has {documents} documents, it must be one")] if documents != 1 else []


def _event_problem(event: Any, kind: str) -> tuple[str, str]:
    """What no such file needs, and what to do; ("", "") where nothing is wrong."""
    if kind == "AliasEvent" or getattr(event, "anchor", None):
        return "has an anchor or alias", "write the value out"
    if getattr(event, "version", None) or getattr(event, "tags", None):
        return "has a directive (%YAML, %TAG), by which readers differ", "remove it"
    if getattr(event, "tag", None):
        return f"has the tag {clean(str(event.tag))}", "write plain values; no object is ever made"
    if kind == "ScalarEvent" and event.value == "<<" and not event.style:
        return "has the merge key <<", "write the fields out"
    return "", ""


def _from_error(text: str, name: str) -> Problem:
    """`tree_of` writes "name:line: not YAML: reason"."""
    rest = text.removeprefix(name)
    head, _, said = rest.removeprefix(":").partition(":")
    line = int(head) if rest.startswith(":") and head.strip().isdigit() else 0
    return Problem(name, "file", clean((said if line else rest.removeprefix(":")).strip(), 200), "", line)


def _hidden(data: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    if isinstance(data, str):
        found = None if data.isascii() and data.isprintable() else _hidden_sign(data)
        if found is not None:
            yield place, found
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from _hidden(key, (*place, key))
            yield from _hidden(value, (*place, key))
    elif isinstance(data, list):
        for number, value in enumerate(data):
            yield from _hidden(value, (*place, number))


def _hidden_sign(text: str) -> str | None:
    marks = 0
    for char in text:
        category = unicodedata.category(char)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if (category in _HIDDEN and char not in _LAYOUT) or char in _BLANK or marks > _MOST_MARKS:
            return char
    return None


def record_of(file: YamlFile, kind: type[Record]) -> Record:
    """The file as a record.

    Args:
        file: Of `read_yaml`.
        kind: The record's class.

    Raises:
        SubmissionError: With every field that is wrong, and its line.
    """
    try:
        return kind.model_validate(file.data)
    except ValidationError as error:
        raise SubmissionError([_field_problem(file, one, kind) for one in error.errors(include_url=False)]) from error


def _field_problem(file: YamlFile, error: Any, kind: type[BaseModel]) -> Problem:
    place = tuple(error["loc"])
    said = str(error["msg"])
    if error["type"] == "extra_forbidden":
        return file.problem(place, "is no field here", nearest(clean(str(place[-1])), _fields_at(kind, place[:-1])))
    if error["type"] == "missing":
        return file.problem(place, "is missing", "fill it in")
    value = error.get("input")
    shown = f", got {clean(str(value))!r}" if isinstance(value, str | int | float | bool) or value is None else ""
    return file.problem(place, f"{said[:1].lower()}{said[1:]}{shown}", _hint(error, place))


def _hint(error: Any, place: tuple[Any, ...]) -> str:
    if error["type"] == "string_type" and isinstance(error.get("input"), int | float):
        return "put it in quotes, since YAML reads it as a number"
    field = str(place[-1]) if place else ""
    return {
        "code": "an address that begins with https://",
        "checkpoint": "an address that begins with https://",
        "paper": "an address that begins with https://",
        "slug": "lower-case letters, digits and hyphens, at most 64",
        "file": "the bare name of a .parquet file that lies beside this YAML",
        "url": "https://huggingface.co/ORG/NAME/resolve/<40 hexadecimal digits>/FILE.parquet",
        "score_direction": "write higher_is_fake, and turn the scores round where higher means real",
    }.get(field, "")


def _fields_at(kind: type[BaseModel], place: tuple[Any, ...]) -> list[str]:
    """Names of the fields at a place of a record; those of the record itself where the place is not a record."""
    found: Any = kind
    for part in place:
        field = getattr(found, "model_fields", {}).get(part)
        inner = _record_in(field.annotation) if field is not None else None
        found = inner or found
    return list(found.model_fields)


def _record_in(annotation: Any) -> type[BaseModel] | None:
    from typing import get_args

    options = (annotation, *get_args(annotation))
    return next((one for one in options if isinstance(one, type) and issubclass(one, BaseModel)), None)
