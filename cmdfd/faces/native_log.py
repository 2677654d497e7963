"""Keeping the chatter of native libraries off the terminal."""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

STDERR = 2


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Hold back what C and C++ code writes to the error stream inside the block; an exception lets it out.

    MediaPipe writes warnings at every start that no log level stops, and a progress bar does not survive them.
    """
    try:
        terminal = os.dup(STDERR)
    except OSError:  # there is no error stream to protect
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), STDERR)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(terminal, held.read())
            raise
        finally:
            os.dup2(terminal, STDERR)
            os.close(terminal)
