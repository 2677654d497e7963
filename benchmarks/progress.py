"""Progress with an estimate: a contract for the library, a tqdm bar for the command line."""

from __future__ import annotations

import os
import sys
import time
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console
    from tqdm import tqdm


class Bar(Protocol):
    """One piece of long work."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Tell how far it is."""


class Reporter(Protocol):
    """Where a run reports to."""

    def say(self, text: str) -> None:
        """A line that stays."""

    def bar(self, title: str) -> AbstractContextManager[Bar]:
        """A context manager that yields a `Bar`."""


def _nothing(done: int, total: int, note: str = "") -> None:
    """A bar that nobody sees."""


@dataclass
class Quiet:
    """Reports nothing; keeps the lines for tests."""

    lines: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Keep a line."""
        self.lines.append(text)

    @contextmanager
    def bar(self, title: str) -> Iterator[Bar]:
        """A bar that nobody sees."""
        yield _nothing


def console() -> Console:
    """A console for closing tables; 100 columns where it writes to a file or a pipe."""
    from rich.console import Console

    watched = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if watched else 100)


class _Lines:
    """A bar for logs: a line at most every 15 seconds, and one at the end of what took longer than that."""

    EVERY = 15.0

    def __init__(self, title: str, say: Callable[[str], None]) -> None:
        self._title, self._say = title, say
        self._began = self._told = time.monotonic()
        self._opened = self._began
        self._at = (0, 0)
        self._from = 0

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Tell, if the last line is old enough."""
        moment = time.monotonic()
        if total != self._at[1] or done < self._at[0]:  # another stage: its pace is its own
            self._began, self._from = moment, done
        self._at = (done, total)
        if moment - self._told < self.EVERY or done <= self._from:
            return
        self._told = moment
        left = (moment - self._began) / (done - self._from) * (total - done)
        self._say(f"{self._title}: {done}/{total}, about {left:.0f} s left {note}".rstrip())

    def close(self) -> None:
        """Tell the end of long work."""
        seconds = time.monotonic() - self._opened
        if seconds >= self.EVERY:
            self._say(f"{self._title}: {self._at[0]}/{self._at[1]} done in {seconds:.0f} s")


class _Moving:
    """A tqdm bar that appears with the first piece of work, so that cached steps leave no trace."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._bar: tqdm[NoReturn] | None = None

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Move the bar."""
        if self._bar is None:
            if done >= total:
                return
            from tqdm import tqdm

            layout = "{desc} {percentage:3.0f}% |{bar:20}| {n_fmt}/{total_fmt} {elapsed}<{remaining} {postfix}"
            self._bar = tqdm(
                desc=f"{self._title:<28}",
                total=total,
                initial=done,
                file=sys.stderr,
                dynamic_ncols=True,
                smoothing=0.1,
                leave=False,
                bar_format=layout,
            )
        self._bar.total = total
        if note:
            self._bar.set_postfix_str(note[:40], refresh=False)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()


@dataclass
class Terminal:
    """Bars with an estimate on a terminal, sparse lines in a log; both on standard error."""

    started: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """Write a line with the time since the start."""
        from tqdm import tqdm

        seconds = int(time.monotonic() - self.started)
        tqdm.write(f"[{seconds // 60:d}:{seconds % 60:02d}] {text}", file=sys.stderr)

    @contextmanager
    def bar(self, title: str) -> Iterator[Bar]:
        """A bar for one piece of long work."""
        bar = _Moving(title) if sys.stderr.isatty() else _Lines(title, self.say)
        try:
            yield bar
        finally:
            bar.close()
