"""Which sources of pristine clips there are. Names only: nothing is imported before a source is asked for."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from cmdfd.errors import CmdfdError, nearest
from cmdfd.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from generators.sources.contract import Source

SOURCES = Registry(
    "source",
    group="cmdfd.sources",
    entries={
        "talkers": "generators.sources.talkers.source:TalkerSource",
        "folder": "generators.sources.folder:FolderSource",
        "manual": "generators.sources.manual:ManualSource",
    },
)


def make_source(kind: str, options: Mapping[str, Any]) -> Source:
    """Construct a source.

    Args:
        kind: Registry name, "pkg.mod:Class" or "path/to/file.py:Class".
        options: The one argument of its constructor; JSON-able.

    Raises:
        CmdfdError: For an unknown source or options that it does not take.
    """
    return _make(kind, json.dumps(dict(options), sort_keys=True))


@lru_cache(maxsize=4)
def _make(kind: str, options: str) -> Source:
    """One instance for each worker: sources keep costly things (an identity, a face model) between takes."""
    made = SOURCES.load(kind)
    try:
        source: Source = made(json.loads(options))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "options"
        hint = ""
        if first["type"] == "extra_forbidden" and hasattr(made, "OPTIONS"):
            hint = f"; {nearest(str(first['loc'][-1]), made.OPTIONS.model_fields)}"
        message = first["msg"].removeprefix("Value error, ")
        raise CmdfdError(f"source {kind!r}: {name}: {message}, got {first['input']!r}{hint}") from error
    except (TypeError, ValueError) as error:
        raise CmdfdError(f"source {kind!r} does not take the options {options}: {error}") from error
    return source
