"""Files beside the table: empty ones, and media that no row names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.check import Check
from cmdfd.audit.setcues.columns import MAX_EXAMPLES
from cmdfd.audit.setcues.grading import by_class, by_share, share_of_class
from cmdfd.report.text import plural

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmdfd.audit.setcues.columns import Rows
    from cmdfd.audit.targets.target import Target

#: Endings of media files; others are sidecars that no row needs to name.
_MEDIA = frozenset((
    ".3gp", ".aac", ".avi", ".flac", ".flv", ".m4a", ".m4v", ".mkv", ".mov", ".mp3", ".mp4", ".mpeg", ".mpg", ".mts",
    ".oga", ".ogg", ".ogv", ".opus", ".ts", ".wav", ".webm", ".wma", ".wmv",
))  # fmt: skip
#: Files of a folder that are looked at, at most; beyond it the search is given up.
_MAX_FILES = 200_000
_FETCH = "fetch the files anew, and check sizes or hashes before the set is used"
_NAME = "name every file in the table, or take it out of the folder"


def file_checks(rows: Rows, target: Target) -> list[Check]:
    """Facts about the folder of a set with media."""
    paths = rows.text("path")
    if not (paths != "").any():
        return []
    found = [_empty(rows, paths), _unlisted(target, paths, rows.text("mask_path"))]
    return [one for one in found if one is not None]


def _empty(rows: Rows, paths: NDArray[np.object_]) -> Check | None:
    sizes = rows.number("rate.file_size")
    unknown = np.isnan(sizes) & (paths != "")
    empty = sizes == 0
    empty[unknown] = [_is_empty(path) for path in paths[unknown]]
    if not empty.any():
        return None
    labels = rows.flag("label")
    text = f"{by_class(empty, labels)} have no bytes at all."
    return Check(
        "missing.empty_file", by_share(share_of_class(empty, labels)), text, int(empty.sum()), rows.names(empty), _FETCH
    )


def _is_empty(path: str) -> bool:
    try:
        return Path(path).is_file() and Path(path).stat().st_size == 0
    except (OSError, ValueError):
        return False


def _unlisted(target: Target, paths: NDArray[np.object_], masks: NDArray[np.object_]) -> Check | None:
    if target.root is None or target.kind == "video folder":
        return None
    known = {os.path.normpath(path) for path in (*paths, *masks) if path}
    extra: list[str] = []
    seen = 0
    for folder, folders, names in os.walk(target.root):
        folders.sort()
        seen += len(names)
        if seen > _MAX_FILES:
            return None
        media = [Path(folder, name) for name in sorted(names) if Path(name).suffix.lower() in _MEDIA]
        extra += [path.relative_to(target.root).as_posix() for path in media if os.path.normpath(path) not in known]
    if not extra:
        return None
    text = f"{plural(len(extra), 'media file')} in the folder {'is' if len(extra) == 1 else 'are'} named by no row."
    return Check("sampling.unlisted_file", "none", text, len(extra), tuple(extra[:MAX_EXAMPLES]), _NAME)
