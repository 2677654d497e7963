"""Holding a folder that no build is writing to."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def unused(folder: Path) -> Iterator[None]:
    """Hold every lock file that a build has in a set's work area, for the time of the block.

    Raises:
        CmdfdError: If a build, or another takedown, holds one of them.
    """
    locks = sorted((folder / ".work").glob("*.lock"))
    with ExitStack() as stack:
        if sys.platform != "win32":
            import fcntl

            for path in locks:
                stream = stack.enter_context(path.open("w"))
                try:
                    fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError as error:
                    raise CmdfdError(f"a build is writing to {folder}; wait for it or stop it") from error
        yield
