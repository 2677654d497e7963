"""YAML that strangers wrote: read with its line numbers, and refused where it has no end."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from cmdfd.report.text import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cmdfd.errors import CmdfdError

#: Most values of a file, its aliases written out: ten lines can name a thousand million of them.
_MAX_VALUES = 500_000


def tree_of(text: str, where: str, kind: type[CmdfdError]) -> Any:
    """YAML with its line numbers.

    Args:
        text: What stands in the file.
        where: Name of the file, for errors.
        kind: What to raise.

    Raises:
        CmdfdError: Of that kind, if it is none, or would never be read to its end.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        tree = YAML(typ="rt", pure=True).load(text)
        plain(tree)  # that it has an end
    except RecursionError as error:
        raise kind(f"{where}: nested too deeply") from error
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        problem = str(getattr(error, "problem", None) or error).splitlines()[0]
        raise kind(f"{where}{line}: not YAML: {problem}") from error
    except ValueError as error:  # a number of thousands of digits, or aliases that grow
        raise kind(f"{where}: not YAML: {error}") from error
    return tree


def plain(node: Any, counter: Iterator[int] | None = None) -> Any:
    """A YAML tree without its comments and positions.

    Raises:
        ValueError: If it has too many values.
    """
    counter = counter or itertools.count()
    if next(counter) > _MAX_VALUES:
        raise ValueError(f"more than {_MAX_VALUES} values, its aliases written out")
    if isinstance(node, dict):
        return {str(key): plain(value, counter) for key, value in node.items()}
    if isinstance(node, list):
        return [plain(value, counter) for value in node]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node if node is None else str(node)


def line_of(tree: Any, place: Sequence[Any]) -> int:
    """Line (from 1) of the deepest key of `place` that stands in the tree; a merged key (`<<`) stands nowhere."""
    line: int = 0
    node: Any = tree
    for key in place:
        positions: Any = getattr(node, "lc", None)
        try:
            if isinstance(node, dict) and key in node:
                line = positions.key(key)[0]
            elif isinstance(node, list) and isinstance(key, int) and key < len(node):
                line = positions.item(key)[0]
            else:
                break
        except (KeyError, TypeError, AttributeError):
            break
        node = node[key]
    return int(line) + 1


def reason_of(error: Mapping[str, Any]) -> str:
    """One of pydantic's `errors()` in words for people who wrote YAML, not Python; hidden characters are cleaned.

    Args:
        error: With "type", "msg" and, where there is one, "input" and "ctx".
    """
    kind, given, limits = str(error["type"]), error.get("input"), error.get("ctx") or {}
    plain_words = _REASONS.get(kind)
    if plain_words is not None:
        said = plain_words.format(
            **{name: limits[name] for name in limits if isinstance(limits[name], str | int | float)}
        )
    else:
        said = str(error["msg"]).removeprefix("Value error, ")
        said = f"{said[:1].lower()}{said[1:]}"
    if kind in _NO_VALUE:
        return said
    if isinstance(given, list | tuple | dict):
        return f"{said}, got {'a mapping of names' if isinstance(given, dict) else 'a list'}"
    return f"{said}, got {shorten(repr(given) if isinstance(given, str) else _yaml(given), 60)}"


def _yaml(value: Any) -> str:
    """A plain value as YAML writes it."""
    if value is None:
        return "nothing"
    return str(value).lower() if isinstance(value, bool) else str(value)


#: Kind of pydantic's error -> what to say instead of Python's types.
_REASONS = {
    "extra_forbidden": "is no field here",
    "missing": "is missing",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "string_type": "must be text (in quotes, where YAML would read a number or a date)",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "dict_type": "must be a mapping of names to values",
    "model_type": "must be a mapping of names to values",
    "model_attributes_type": "must be a mapping of names to values",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_long": "must have at most {max_length} entries",
    "too_short": "must have at least {min_length} entries",
    "string_pattern_mismatch": "does not have the form that is wanted here",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}
_NO_VALUE = frozenset({"extra_forbidden", "missing", "string_too_long", "too_long", "too_short", "string_too_short"})
