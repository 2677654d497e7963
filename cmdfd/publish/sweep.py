"""The last look at a public copy: no cell, text, array or tag of it may name a place, a person or a machine."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from cmdfd.publish.media_tags import tag_problems
from cmdfd.publish.records import Problem
from cmdfd.tables import LABEL_COLUMNS, LABELS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from cmdfd.dataset import Dataset
    from cmdfd.publish.scrub import Private

_TEXT = frozenset({".json", ".jsonl", ".md", ".txt", ".yaml", ".yml", ".csv", ".tsv", ".html", ".svg", ""})
_MEDIA = frozenset({".mp4", ".mkv", ".mov", ".avi", ".mpeg", ".webm"})
_BUG = "report it as a bug of cmdfd.publish; nothing was sent"
_FIX = "take it out of the recipe, sources.csv or the generator's details, build again, and report it as a bug"


def sweep(
    folder: Path, private: Private, public: Dataset, *, names: Collection[str] | None = None, told: str = ""
) -> list[Problem]:
    """Look through every file of a public copy.

    Args:
        folder: The copy, in any layout.
        private: What must not be read in it.
        public: The same as a VideoFolder, or the set at home: which clips are withheld.
        names: Files to look at, POSIX, relative to the folder; None for all.
        told: What the publisher wrote by hand, to be read by everybody: addresses and names in it are no leaks, places
            of a machine are.

    Returns:
        "personal_data" for what names a place, a person or a machine, "withheld_label" for a withheld clip that is
        told of anywhere but in its row and by its video.
    """
    hidden = {clip.id for clip in public.rows if clip.split in public.build.withheld}
    problems: list[Problem] = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or (names is not None and name not in names):
            continue
        if path.suffix.lower() in _MEDIA:
            problems += tag_problems(path, name, private)
        for where, text in _texts(path, name):
            left = [what for what in private.found(text) if not _wanted(what, told)]
            problems += [Problem("personal_data", where, f"it holds {what}", _FIX) for what in left]
        problems += [Problem("personal_data", name, f"the path holds {what}", _FIX) for what in private.found(name)]
        problems += _withheld(path, name, hidden, public.build.withheld)
    return problems


def _wanted(what: str, told: str) -> bool:
    """Whether the publisher wrote an address or name himself, e.g. as the contact."""
    kind, _, rest = what.partition("'")
    return kind.strip() in ("the address", "the name") and rest.rstrip("'") in told


def _texts(path: Path, name: str) -> Iterator[tuple[str, str]]:
    """Everything in a file that can be read as words."""
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        yield from _table_texts(path, name)
    elif suffix == ".npz":
        yield from _array_texts(path, name)
    elif suffix in _TEXT:
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1):
            yield f"{name}: line {number}", line


def _table_texts(path: Path, name: str) -> Iterator[tuple[str, str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    yield f"{name}: schema", str(file.schema_arrow.remove_metadata())
    for key, value in (file.metadata.metadata or {}).items():
        if key != b"ARROW:schema":  # the same schema, coded
            yield f"{name}: metadata {key.decode('utf-8', 'replace')}", value.decode("utf-8", "replace")
    names = [field.name for field in file.schema_arrow if not _holds_bytes(field.type)]
    for batch in file.iter_batches(batch_size=1000, columns=names):
        for column in batch.schema.names:
            values = batch.column(column)
            if pa.types.is_string(values.type) or pa.types.is_nested(values.type):
                for row, value in enumerate(values.to_pylist()):
                    for text in _strings(value):
                        yield f"{name}: column {column!r}, row {row}", text


def _holds_bytes(kind: object) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return any(_holds_bytes(field.type) for field in kind)  # type: ignore[attr-defined]
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _array_texts(path: Path, name: str) -> Iterator[tuple[str, str]]:
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as arrays:
            for key in arrays.files:
                yield f"{name}: names of arrays", key
                if arrays[key].dtype.kind in "US":
                    yield from ((f"{name}: {key}", str(value)) for value in np.ravel(arrays[key]))
    except (ValueError, OSError, zipfile.BadZipFile):
        return  # its bytes are checked against the table


def _withheld(path: Path, name: str, hidden: set[str], splits: Iterable[str]) -> Iterator[Problem]:
    """A withheld clip may be met in its own row and as the name of its own video only."""
    if not hidden:
        return
    if path.stem in hidden and name.partition("/")[0] in ("masks", "tracks"):
        yield Problem("withheld_label", name, "it belongs to a clip of a withheld split", _BUG)
    if name in {f"{split}/{LABELS}" for split in splits}:
        yield Problem("withheld_label", name, "labels of a withheld split", _BUG)
    if path.suffix == ".parquet":
        yield from _withheld_rows(path, name, hidden)
    elif path.suffix.lower() in _TEXT:
        text = path.read_text("utf-8", "replace")
        if told := sorted(one for one in hidden if one in text):
            yield Problem("withheld_label", name, f"it names {told[0]}, a clip of a withheld split", _BUG)


def _withheld_rows(path: Path, name: str, hidden: set[str]) -> Iterator[Problem]:
    """Rows of withheld clips belong into tables that hold the metadata, without labels."""
    import pyarrow.parquet as pq

    names = [field.name for field in pq.read_schema(path) if not _holds_bytes(field.type)]
    holds_metadata = {"sha256", "n_frames"} <= set(names)
    for row in pq.read_table(path, columns=names, partitioning=None).to_pylist():
        if row.get("id") not in hidden:
            continue
        told = [column for column in (*LABEL_COLUMNS, "tracks") if row.get(column) is not None]
        if told or not holds_metadata:
            what = f"column {told[0]!r} is filled" if told else "it has a row of a clip of a withheld split"
            yield Problem("withheld_label", f"{name}: {row['id']}", what, _BUG)
