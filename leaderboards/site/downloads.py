"""A board as files: JSON with everything, CSV and Parquet with a row for each system."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from typing import TYPE_CHECKING, Any

from cmdfd.report.text import clean

if TYPE_CHECKING:
    from leaderboards.standings import Number, SetScore, Standing, Standings

#: A cell that begins with one of these is a formula to spreadsheets; the wide ones are taken for the narrow ones.
_FORMULA = frozenset("=+-@\t\r\n|%＝＋－＠")
#: Where spreadsheets of other countries begin a new cell, with such a sign after it.
_INNER_FORMULA = re.compile(r"([;\t|]\s*)(?=[=+\-@|%＝＋－＠])")
Value = str | float | int | bool | None


def to_json(standings: Standings) -> str:
    """`leaderboard.json`: all that the board knows, a system a line.

    It is ASCII, so that no letter can turn text round in a viewer; what is not finite is null.
    """
    data = standings.to_dict()
    rows = ",\n".join(_dumped(row) for row in data.pop("rows"))
    head = ",\n".join(f"{json.dumps(name)}: {_dumped(value)}" for name, value in data.items())
    return f'{{{head},\n"rows": [\n{rows}\n]}}\n'


def _dumped(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def flat_rows(standings: Standings) -> list[dict[str, Value]]:
    """One flat row for each system, all with the same columns, in the order of the board."""
    rows = [_flat(row) for row in standings.rows]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [{name: row.get(name) for name in names} for row in rows]


def _flat(row: Standing) -> dict[str, Value]:
    system = row.submission["system"]
    found: dict[str, Value] = {
        "rank": row.rank,
        "rank_low": row.rank_low,
        "rank_high": row.rank_high,
        "group": row.group,
        "slug": row.slug,
        "name": row.name,
        "state": row.state,
        "floor": row.floor,
        "ranked": row.ranked,
        "why_unranked": row.why_unranked,
        "modalities": " + ".join(sorted(system["modalities"])),
        "trained_on": None if row.trained_on is None else "; ".join(row.trained_on),
        **_numbers("macro_auc", row.macro),
        "borda": row.borda,
        "worst_set": row.worst[0] if row.worst else None,
        **_numbers("worst_auc", row.worst[1] if row.worst else None),
        **_numbers("margin", row.margin),
    }
    for score in row.sets:
        found |= _flat_set(score)
    return found


def _flat_set(score: SetScore) -> dict[str, Value]:
    found: dict[str, Value] = {
        f"{score.set}:domain": score.domain,
        f"{score.set}:n_real": score.n_real,
        f"{score.set}:n_fake": score.n_fake,
        f"{score.set}:n_failed": score.n_failed,
        f"{score.set}:n_components": score.n_components,
    }
    for name in ("auc", "eer", "margin", "trimmed"):
        found |= _numbers(f"{score.set}:{name}", getattr(score, name))
    for name, one in sorted(score.localization.items()):
        found |= _numbers(f"{score.set}:{name}", one)
    return found


def _numbers(name: str, one: Number | None) -> dict[str, Value]:
    ends = (None, None, None) if one is None else (one.value, one.low, one.high)
    return {f"{name}{part}": _finite(end) for part, end in zip(("", "_low", "_high"), ends, strict=True)}


def to_csv(rows: list[dict[str, Value]]) -> str:
    """`leaderboard.csv`: numbers as they are, to their last digit; text that a spreadsheet would run is made text.

    A cell that begins with a sign of a formula gets an apostrophe in front, which spreadsheets show as plain text.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    if rows:
        writer.writerow([_safe(name) for name in rows[0]])
    writer.writerows([_cell(value) for value in row.values()] for row in rows)
    return buffer.getvalue()


def _cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _safe(value)
    return repr(float(value)) if isinstance(value, float) else str(value)


def _safe(text: str) -> str:
    # spreadsheets skip blanks before a formula, and the raw text may begin with a tab that cleaning makes a blank
    cleaned = _INNER_FORMULA.sub(r"\1'", clean(text))
    risky = text[:1] in _FORMULA or cleaned.lstrip()[:1] in _FORMULA if text else False
    return f"'{cleaned}" if risky else cleaned


def to_parquet(rows: list[dict[str, Value]]) -> bytes:
    """`leaderboard.parquet`: the same columns with types; equal rows give equal bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = list(rows[0]) if rows else []
    arrays = [pa.array([row[name] for row in rows], _type([row[name] for row in rows])) for name in names]
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.table(arrays, names=names), buffer, compression="zstd")
    return bytes(buffer.getvalue().to_pybytes())


def _type(values: list[Value]) -> Any:
    import pyarrow as pa

    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int}:
        return pa.int64()
    return pa.string() if kinds == {str} else pa.float64()
