"""JSON of any shape as a table: lists of records, records by file name, columns, classes or splits by name."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from cmdfd.audit.targets.rawtable import RawTable, Refused, TableError
from cmdfd.audit.targets.roles import known_name
from cmdfd.audit.targets.values import text_type
from cmdfd.audit.targets.words import class_word, split_word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import pandas as pd

_BATCH = 20_000
_MAX_DEPTH, _MAX_WRAPPER, _MAX_FIELDS = 6, 8, 64
#: Columns that tables give to what only their structure says.
KEY, CLASS, SPLIT = "file", "class", "split"


def read_json(path: Path, data: bytes) -> RawTable:
    """One JSON document.

    Raises:
        TableError: If it is broken, or holds no clips.
    """
    try:
        text = data.decode("utf-8-sig") if data[:2] not in (b"\xff\xfe", b"\xfe\xff") else data.decode("utf-16")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    refused = Refused()
    try:
        records = _list_items(text) if text.lstrip().startswith("[") else _records(json.loads(text))
        frame = _frame(records, refused, path.name)
    except ValueError as error:
        raise TableError(f"{path}: not readable as JSON: {error}") from error
    if frame is None:
        raise TableError(f"{path}: this JSON holds no clips; known are a list of records, and records by file name")
    return RawTable(path, frame, unread=refused.as_pairs())


def read_json_lines(path: Path, data: bytes) -> RawTable:
    """One record a line; lines that are none are refused by number."""
    refused = Refused()

    def records() -> Iterator[Any]:
        for number, line in enumerate(data.splitlines(), 1):
            if not line.strip():
                continue
            try:
                yield json.loads(line.removeprefix(b"\xef\xbb\xbf"))
            except (ValueError, RecursionError):
                refused.add(f"{path.name}, line {number}", "not a JSON record", "lines are not JSON records")

    frame = _frame(records(), refused, path.name)
    if frame is None:
        raise TableError(f"{path}: holds no JSON record")
    return RawTable(path, frame, unread=refused.as_pairs())


def _list_items(text: str) -> Iterator[Any]:
    """Items of a JSON list one after the other, so that a long list is never in memory as a whole."""
    decoder = json.JSONDecoder()
    place = text.index("[") + 1
    while True:
        place = _after_blanks(text, place)
        if text[place : place + 1] == "]":
            return
        item, place = decoder.raw_decode(text, place)
        yield item
        place = _after_blanks(text, place)
        sign = text[place : place + 1]
        if sign not in (",", "]"):
            raise ValueError(f"expected ',' or ']' at character {place}")
        place += sign == ","


def _after_blanks(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t\r\n":
        place += 1
    if place >= len(text):
        raise ValueError("the list does not end")
    return place


def _records(found: Any, depth: int = 0) -> Iterable[Any]:
    """Records in a JSON object, whatever its keys mean: columns, classes, splits, file names, or a wrapper."""
    if isinstance(found, list):
        return found
    if not isinstance(found, dict) or not found or depth > _MAX_DEPTH:
        return []
    values = list(found.values())
    inner = [one for one in values if isinstance(one, dict)]
    if all(isinstance(one, list) for one in values) and not {"columns", "data"} <= set(found):
        return _lists(found)
    if len(inner) == len(values):
        return _keyed(found, depth)
    return _wrapped(found, inner, depth)


def _wrapped(found: dict[str, Any], inner: list[dict[str, Any]], depth: int) -> Iterable[Any]:
    """Records behind other keys: {"version": 1, "videos": [...]}; or plain values by file name."""
    if isinstance(found.get("columns"), list) and isinstance(found.get("data"), list):  # `to_json` with orient "split"
        names = list(map(str, found["columns"]))
        return [dict(zip(names, row, strict=False)) for row in found["data"] if isinstance(row, list)]
    lists = [one for one in found.values() if isinstance(one, list)]
    of_records = [one for one in lists if one and isinstance(one[0], dict)]
    if of_records:
        return max(of_records, key=len)
    if len(inner) == 1 and len(found) <= _MAX_WRAPPER:
        return _records(inner[0], depth + 1)
    if inner or lists:
        return []
    if any(known_name(name) for name in found) and len(found) < _MAX_FIELDS:
        return [found]
    return [{KEY: name, "label": value} for name, value in found.items()]


def _lists(found: dict[str, Any]) -> Iterable[Any]:
    """Lists by name: classes, splits, or columns."""
    known = {CLASS: all(class_word(name) for name in found), SPLIT: all(split_word(name) for name in found)}
    for meaning, all_known in known.items():
        if all_known:
            return [
                {**(item if isinstance(item, dict) else {KEY: item}), meaning: name}
                for name, items in found.items()
                for item in items
            ]
    if len({len(one) for one in found.values()}) == 1:
        names = list(found)
        return (dict(zip(names, row, strict=True)) for row in zip(*found.values(), strict=True))
    longest = max(found.values(), key=len)
    return longest if longest and isinstance(longest[0], dict) else []


def _keyed(found: dict[str, Any], depth: int) -> Iterable[Any]:
    """Records by name; the name is the file. `to_json` of pandas writes columns so: {"file": {"0": ...}}."""
    first = next(iter(found.values()))
    if first and all(name.isdigit() for name in first) and all(set(one) == set(first) for one in found.values()):
        names = list(found)
        return ({name: found[name][row] for name in names} for row in first)
    if not any(isinstance(one, dict) for inner in found.values() for one in inner.values()):
        return ({KEY: name, **inner} if KEY not in inner else _with_key(name, inner) for name, inner in found.items())
    rows: list[Any] = []
    for name, inner in found.items():  # sets, classes or splits above the records
        for record in _records(inner, depth + 1):
            if isinstance(record, dict):
                extra = {SPLIT: name} if split_word(name) else {CLASS: name} if class_word(name) else {}
                above = {KEY: f"{name}/{record[KEY]}"} if isinstance(record.get(KEY), str) and not extra else {}
                rows.append({**extra, **record, **above})
    return rows


def _with_key(name: str, inner: dict[str, Any]) -> dict[str, Any]:
    """A record that names its file itself, with its key where that is another word."""
    return inner if inner[KEY] == name else {"key": name, **inner}


def _frame(records: Iterable[Any], refused: Refused, name: str) -> pd.DataFrame | None:
    """Records as columns, some thousands at a time."""
    import pandas as pd

    parts: list[pd.DataFrame] = []
    batch: list[dict[str, Any]] = []
    for number, found in enumerate(records, 1):
        record = _as_record(found)
        if not record:
            refused.add(f"{name}, record {number}", "not a record", "are not records")
            continue
        batch.append(record)
        if len(batch) == _BATCH:
            parts.append(_columns(batch))
            batch = []
    if batch:
        parts.append(_columns(batch))
    if not parts:
        return None
    return settle(pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0])


def _as_record(found: Any) -> dict[str, Any]:
    """A record, or a row or value as one with numbered columns; {} for what is neither."""
    if isinstance(found, list):
        return {f"column {k + 1}": one for k, one in enumerate(found)}
    if isinstance(found, str | int | float):
        return {"column 1": found}
    return found if isinstance(found, dict) else {}


def _columns(batch: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    names: dict[str, None] = {}
    for record in batch:
        names.update(dict.fromkeys(record))
    return settle(
        pd.DataFrame({str(name): pd.Series([record.get(name) for record in batch], dtype=object) for name in names})
    )


def settle(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns of mixed Python values as text or numbers where they can be; lists and records stay."""
    import numpy as np
    import pandas as pd

    done: dict[str, Any] = {}
    for name in frame.columns:
        column = frame[name]
        if column.dtype != object:
            done[name] = _whole_text(column)
            continue
        cells = column.tolist()
        kinds = {type(one) for one in cells} - {type(None)}
        if kinds & {list, dict, tuple, np.ndarray}:
            done[name] = column
        elif kinds and kinds <= {int, float} and all(map(_small, cells)):
            done[name] = pd.Series([np.nan if one is None else float(one) for one in cells])
        else:
            done[name] = pd.Series([_text(one) for one in cells], dtype=text_type())
    return pd.DataFrame(done)


def _small(number: float | None) -> bool:
    """Whether a number stays itself as a float."""
    return number is None or math.isnan(number) or abs(number) < 2**53


def _whole_text(column: pd.Series[Any]) -> pd.Series[Any]:
    """After joining batches: text without nulls."""
    return column.fillna("") if column.dtype == text_type() else column


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text.encode("utf-8", "backslashreplace").decode() if not text.isascii() else text
