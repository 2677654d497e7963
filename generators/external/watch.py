"""Did a generator write outside its own folder, or try to?

Uncontained: pictures of the places it is most likely to hit, before and after: the checkout and what links lead to,
the job's folder around the shadow, names beside the job's folder, and names in the user's home. What is changed by
somebody else in that time is taken for the generator's doing, so that the error is to refuse a job too many. What it
writes elsewhere (say into /var) is not seen.

Contained: nothing outside can be written. An attempt is seen where the program says so, by the text of EROFS; one
that it hides is prevented, but not seen.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    State = tuple[int, int, int]

#: Text of EROFS in the C library and in Python.
_EROFS = re.compile(r"Read-only file system|\[Errno 30\]|\bEROFS\b")
#: Characters of a line that are shown before and behind that text; a line has no end where a program wants it so.
_SHOWN = 200
#: Most entries of one picture.
_MOST = 200_000
_SKIPPED = frozenset({".git"})


@dataclass(frozen=True, slots=True)
class Places:
    """What is watched.

    Args:
        trees: Folders whose whole content is compared.
        frames: Folders of which the content is compared without the folders that are named.
        names: Folders of which only the names are compared, hidden ones and those with one of the prefixes left out.
        prefixes: See `names`.
    """

    trees: tuple[Path, ...]
    frames: tuple[tuple[Path, frozenset[str]], ...]
    names: tuple[Path, ...]
    prefixes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """State of the watched places: size, time and inode by path."""

    files: Mapping[str, State | None]


def take_picture(places: Places) -> Picture:
    """Look at the watched places; folders that cannot be read are empty ones."""
    files: dict[str, State | None] = {}
    for tree in places.trees:
        _add_tree(files, tree, frozenset())
    for frame, inner in places.frames:
        _add_tree(files, frame, inner)
    for folder in places.names:
        for entry in _entries(folder):
            if not entry.name.startswith((".", *places.prefixes)):
                is_file = entry.is_file(follow_symlinks=False)
                files[entry.path] = _state(entry.path) if is_file else None
    return Picture(files)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []


def _state(path: str) -> State | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns, found.st_ino)


def _add_tree(files: dict[str, State | None], top: Path, inner: frozenset[str]) -> None:
    for place, folders, names in os.walk(top):
        folders[:] = [
            name for name in folders if name not in _SKIPPED and os.path.relpath(f"{place}/{name}", top) not in inner
        ]
        for name in folders:
            files[f"{place}/{name}"] = None  # that it is there; its time changes with reads of some file systems
        for name in names:
            files[f"{place}/{name}"] = _state(f"{place}/{name}")
        if len(files) > _MOST:
            return


def changes(before: Picture, after: Picture) -> tuple[str, ...]:
    """Paths that appeared, changed or went, sorted."""
    keys = before.files.keys() | after.files.keys()
    absent = object()
    return tuple(sorted(key for key in keys if before.files.get(key, absent) != after.files.get(key, absent)))


def refused_writes(logs: Iterable[Path]) -> tuple[str, ...]:
    """Lines of logs in which a program tells that it tried to write to a read-only place."""
    found: list[str] = []
    for path in logs:
        text = path.read_bytes().decode("utf-8", "replace")
        for match in _EROFS.finditer(text):
            before = text[max(match.start() - _SHOWN, 0) : match.start()].rpartition("\n")[2]
            behind = text[match.end() : match.end() + _SHOWN].partition("\n")[0]
            found.append(f"{before}{match[0]}{behind}".strip()[:300])
    return tuple(dict.fromkeys(found))
