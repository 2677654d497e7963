"""A content-addressed cache of arrays: the key tells everything that went in, the name of a file tells nothing."""

from __future__ import annotations

import os
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.clip import content_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

ENVIRONMENT_VARIABLE = "CMDFD_CACHE"
#: The user's mask; it can only be read by setting it, so it is read once.
_UMASK = os.umask(0o022)
os.umask(_UMASK)


def cache_dir(named: Path | None = None) -> Path:
    """Folder of everything that can be made again.

    Args:
        named: What the user asked for; wins over `$CMDFD_CACHE`, which wins over the user's cache folder.
    """
    if named is not None:
        return named.expanduser()
    if variable := os.environ.get(ENVIRONMENT_VARIABLE):
        return Path(variable).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("cmdfd", appauthor=False))


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, whoever else writes it at the same moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        temporary.chmod(0o666 & ~_UMASK)  # mkstemp makes files that nobody else may read
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class FeatureCache:
    """Arrays by key, one file each; safe for several writers.

    Args:
        folder: Where the files lie; made when the first one is written.
    """

    folder: Path

    @staticmethod
    def key(sha256: str, config: Mapping[str, Any]) -> str:
        """Key of what `config` (JSON-able, with a code version inside) makes of the bytes behind `sha256`."""
        return content_id(sha256, dict(config), length=40)

    def path(self, key: str) -> Path:
        """File of a key."""
        return self.folder / key[:2] / f"{key}.npz"

    def __contains__(self, key: str) -> bool:
        return self.path(key).is_file()

    def get(self, key: str) -> dict[str, NDArray[Any]] | None:
        """Arrays of a key, or None where there are none or the file is damaged (it is then made again)."""
        path = self.path(key)
        try:
            with np.load(path, allow_pickle=False) as data:
                return {name: data[name] for name in data.files}
        except FileNotFoundError:
            return None
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
            path.unlink(missing_ok=True)
            return None

    def put(self, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Store arrays under a key.

        Raises:
            TypeError: For arrays of objects, which would have to be pickled.
        """
        for name, array in arrays.items():
            if np.asarray(array).dtype.hasobject:
                raise TypeError(f"feature {name!r} holds objects; only plain numbers and text are cached")
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as stream:
                np.savez(stream, **arrays)  # type: ignore[arg-type]
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
