"""Where the time of a build goes: wall time by lap."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The laps of `generators.jobs.make_clips`. What the last two hold is the build's own overhead.
LOAD, GENERATE, ENCODE, HARMONISE, MEASURE, REST = "decode", "generate", "encode", "harmonise", "measure", "rest"


class Stopwatch:
    """Adds up wall time by lap; laps inside laps are taken off the outer one."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inner = [0.0]
        self._told: dict[str, float] = {}

    @contextmanager
    def lap(self, name: str) -> Iterator[None]:
        """Count what happens inside under `name`."""
        began = time.perf_counter()
        self._inner.append(0.0)
        try:
            yield
        finally:
            took = time.perf_counter() - began
            own = took - self._inner.pop()
            self._inner[-1] += took
            self.seconds[name] = self.seconds.get(name, 0.0) + own

    def since(self) -> dict[str, float]:
        """Seconds by lap since this was last asked, so that every second is told once."""
        found = {name: round(took - self._told.get(name, 0.0), 4) for name, took in self.seconds.items()}
        self._told = dict(self.seconds)
        return found
