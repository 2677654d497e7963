"""What the command lines have in common: how they end, and how they tell what is being done."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from cmdfd.errors import CmdfdError
from cmdfd.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable

#: Exit codes beside those of a command's own: it could not be done; it was stopped (128 + SIGINT).
NOT_DONE, STOPPED = 2, 130


def ended(work: Callable[[], int], stopped: str = "stopped") -> int:
    """Do the work of a command; errors are told in a line on standard error.

    Args:
        work: Gives the exit code.
        stopped: What to say where somebody stopped it.

    Returns:
        The exit code: that of `work`, `NOT_DONE` or `STOPPED`.
    """
    try:
        return work()
    except CmdfdError as error:
        sys.stderr.write(f"error: {error}\n")
        return NOT_DONE
    except OSError as error:  # a full or read-only disk, a file where a folder should be
        place = error.filename2 or error.filename  # of a copy, where it was to go
        where = clean(place) if place else "writing"
        why = clean(error.strerror or error)
        sys.stderr.write(f"error: {where}: {why}; see that the place is there, can be written to and is not full\n")
        return NOT_DONE
    except KeyboardInterrupt:
        sys.stderr.write(f"{stopped}\n")
        return STOPPED


def teller() -> Callable[[str], None]:
    """Tells what is being done on standard error, with minutes and seconds since the start."""
    began = time.monotonic()

    def say(text: str) -> None:
        passed = int(time.monotonic() - began)
        sys.stderr.write(f"[{passed // 60}:{passed % 60:02d}] {clean(text)}\n")

    return say
