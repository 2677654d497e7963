"""Writes the files of a site into a folder, and takes away those of an earlier build that are no longer made."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath

from cmdfd.errors import CmdfdError

#: Names every file of the site; a folder without it is somebody's own.
LIST = "site-files.txt"


class SiteFolder:
    """A folder that a site is built into.

    Files beside the site (a `.git` folder, the README of a Space) stay as they are. A file is replaced only where its
    bytes differ, so that a second build of the same boards changes nothing.

    Args:
        folder: Made where it is missing.

    Raises:
        CmdfdError: For a folder that has files but is no site, or that is a file.
    """

    def __init__(self, folder: Path) -> None:
        if folder.exists() and not folder.is_dir():
            raise CmdfdError(f"{folder.name} is a file; name a folder for the site with --out")
        self.folder = folder
        self._before = self._earlier()
        self._written: dict[str, None] = {}

    def _earlier(self) -> frozenset[str]:
        listed = self.folder / LIST
        if listed.is_file():
            return frozenset(line for line in listed.read_text(encoding="utf-8").splitlines() if _is_inside(line))
        if self.folder.is_dir() and any(self.folder.iterdir()):
            raise CmdfdError(
                f"folder {self.folder.name} is not empty and holds no site ({LIST} is missing); name a new folder with "
                "--out, or empty this one"
            )
        return frozenset()

    def write(self, path: str, content: str | bytes) -> None:
        """Write a file.

        Args:
            path: Relative, with slashes.
            content: Text is written as UTF-8.

        Raises:
            ValueError: For a path that leads out of the folder, or one that was written before.
        """
        if not _is_inside(path) or path in self._written:
            raise ValueError(f"not a new file of the site: {path!r}")
        data = content.encode("utf-8") if isinstance(content, str) else content
        self._written[path] = None
        target = self.folder / path
        if _same(target, data):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.part")
        temporary.write_bytes(data)
        temporary.replace(target)

    def finish(self) -> int:
        """Take away what an earlier build left, and write the list; returns the number of files."""
        for path in sorted(self._before - self._written.keys() - {LIST}):
            target = self.folder / path
            target.unlink(missing_ok=True)
            for parent in target.relative_to(self.folder).parents:
                if parent != Path() and (self.folder / parent).is_dir() and not any((self.folder / parent).iterdir()):
                    (self.folder / parent).rmdir()
        self.write(LIST, "".join(f"{path}\n" for path in sorted([*self._written, LIST])))
        return len(self._written)


def _same(target: Path, data: bytes) -> bool:
    return not target.is_symlink() and target.is_file() and target.stat().st_size == len(data) and (
        target.read_bytes() == data
    )  # fmt: skip


def _is_inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and path.isprintable() and "\\" not in path and not any(
        part in {"/", ".", ".."} or ":" in part for part in parts
    )  # fmt: skip


def read_regular(folder: Path, name: str) -> bytes | None:
    """Bytes of a regular file that lies inside a folder; None for anything else.

    Links, pipes and devices are not followed or opened, wherever they stand on the way.

    Args:
        folder: The folder.
        name: Relative path of the file, with slashes.
    """
    if not _is_inside(name):
        return None
    at = folder
    for part in PurePosixPath(name).parts[:-1]:
        at = at / part
        if at.is_symlink() or not at.is_dir():
            return None
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(at / PurePosixPath(name).name, flags)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        return file.read() if stat.S_ISREG(os.fstat(handle).st_mode) else None
