"""Progress with an estimate: a contract for the library, a tqdm bar for the command line."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator


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


@dataclass
class Terminal:
    """tqdm bars with an estimate on standard error; plain lines where it is not a terminal."""

    started: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """Write a line with the time since the start."""
        from tqdm import tqdm

        seconds = int(time.monotonic() - self.started)
        tqdm.write(f"[{seconds // 60:d}:{seconds % 60:02d}] {text}", file=sys.stderr)

    @contextmanager
    def bar(self, title: str) -> Iterator[Bar]:
        """A tqdm bar; off a terminal it refreshes every 10 s only, so that logs stay readable."""
        from tqdm import tqdm

        interactive = sys.stderr.isatty()
        with tqdm(
            desc=f"{title:<28}",
            total=0,
            file=sys.stderr,
            mininterval=0.2 if interactive else 10.0,
            maxinterval=1.0 if interactive else 10.0,
            dynamic_ncols=interactive,
            ncols=None if interactive else 100,
            smoothing=0.1,
            bar_format="{desc} {percentage:3.0f}% |{bar:20}| {n_fmt}/{total_fmt} {elapsed}<{remaining} {postfix}",
        ) as bar:

            def update(done: int, total: int, note: str = "") -> None:
                bar.total = total
                if note:
                    bar.set_postfix_str(note[:40], refresh=False)
                bar.update(done - bar.n)

            yield update
