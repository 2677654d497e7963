"""An audit as JSON, and back: strangers' files are data, and are checked like data."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import types
import typing
from typing import TYPE_CHECKING, Any

from cmdfd.audit import records
from cmdfd.audit.check import Check
from cmdfd.audit.cue import CueKind, Fix
from cmdfd.audit.finding import Finding, Probe
from cmdfd.audit.records import SCHEMA_VERSION, AuditReport
from cmdfd.audit.severity import Marker, Severity
from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel

#: What the files hold besides the fields of the records; they follow from the rest and are worked out anew.
DERIVED: dict[type, tuple[str, ...]] = {
    AuditReport: ("schema_version", "status", "severity"),
    Finding: ("auc", "low", "high", "shown", "fails", "sentence"),
}
#: Largest file that is read: a hundred times what a full audit with ten generators writes.
MAX_BYTES = 500_000_000
#: Names that the records only import for type checkers.
_NAMES = {"Check": Check, "CueKind": CueKind, "Finding": Finding, "Fix": Fix, "Marker": Marker, "Probe": Probe}
_NAMES |= {"Severity": Severity, "Any": Any}


def to_json(report: AuditReport) -> str:
    """The audit as JSON; numbers that are not finite become null.

    Args:
        report: The audit.
    """
    return json.dumps(_finite(report.to_dict()), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float):
        return value
    # lone surrogates (file names that are no UTF-8) cannot be written
    return str(value).encode("utf-8", "replace").decode("utf-8")


def read_report(path: Path) -> AuditReport:
    """Read an audit that `to_json` wrote.

    Args:
        path: `audit.json`.

    Raises:
        CmdfdError: Where the file is missing, too large, no JSON or of another version, or a field is missing, wrong or
            unknown.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise CmdfdError(f"{str(path)!r} has {size} bytes; an audit has at most {MAX_BYTES}")
        found = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except (OSError, ValueError, RecursionError) as error:
        raise CmdfdError(
            f"{str(path)!r} is not an audit: {error}; name an audit.json that cmdfd.audit wrote"
        ) from error
    version = found.get("schema_version") if isinstance(found, dict) else None
    if version != SCHEMA_VERSION:
        raise CmdfdError(
            f"{str(path)!r} has schema_version {version!r}, this version of cmdfd reads {SCHEMA_VERSION}; "
            "make the audit again with python -m cmdfd.audit"
        )
    return _parse(found, str(path))


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON")


def _parse(found: dict[str, Any], name: str) -> AuditReport:
    from pydantic import ValidationError

    try:
        # strict readers take JSON's arrays for tuples only from text
        model = _model(AuditReport).model_validate_json(json.dumps(found))
    except (ValidationError, ValueError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise CmdfdError(
            f"{name!r}: {where}: {first['msg']}; make the audit again with python -m cmdfd.audit"
        ) from error
    report: AuditReport = _record(AuditReport, model)
    return report


@functools.cache
def _model(kind: type) -> type[BaseModel]:
    """A strict pydantic model with the fields of a record."""
    from pydantic import ConfigDict, create_model

    hints = _hints(kind)
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        fields[field.name] = (_swapped(hints[field.name]), ...)
    fields |= dict.fromkeys(DERIVED.get(kind, ()), (Any, None))
    config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    made: type[BaseModel] = create_model(kind.__name__, __config__=config, **fields)
    return made


def _swapped(hint: Any) -> Any:
    """The same type with models in place of records."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _model(hint)
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType or origin is typing.Union:
        return functools.reduce(lambda one, other: one | other, [_swapped(one) for one in inside])
    if origin is tuple:
        return types.GenericAlias(tuple, tuple(one if one is Ellipsis else _swapped(one) for one in inside))
    return hint


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    """Types of the fields of a record, with the names that its module only imports for type checkers."""
    return typing.get_type_hints(kind, localns=_NAMES | vars(records))


def _record(kind: type, model: BaseModel) -> Any:
    return kind(**{name: _back(hint, getattr(model, name)) for name, hint in _hints(kind).items()})


def _back(hint: Any, value: Any) -> Any:
    """Records in place of models, as deep as they lie."""
    if value is None:
        return None
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _record(hint, value)
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType or origin is typing.Union:
        return _back(next(one for one in inside if one is not type(None)), value)
    if origin is tuple and inside[-1] is Ellipsis:
        return tuple(_back(inside[0], one) for one in value)
    return value
