"""Collects what is wrong with a table, so that ten thousand rows with one fault fill three lines."""

from __future__ import annotations

from collections import Counter

from leaderboards.problems import Problem

#: Rows that are named for one fault of one column.
_NAMED = 3


class Findings:
    """Problems of one file.

    Args:
        file: What errors call it.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._problems: list[Problem] = []
        self._counted: Counter[tuple[str, str]] = Counter()

    def add(self, field: str, reason: str, fix: str = "", row: int = 0) -> None:
        """Note a problem.

        Args:
            field: Column or field.
            reason: What is wrong.
            fix: What to do; rows with the same column and fix are counted together.
            row: Row of the table from 1; 0 where the whole table is meant.
        """
        key = (field, fix)
        self._counted[key] += bool(row)
        if not row or self._counted[key] <= _NAMED:
            self._problems.append(Problem(self._file, field, reason, fix, row))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All that were named, then how many rows more have the same faults."""
        more = [
            Problem(self._file, field, f"{count - _NAMED} more rows have the same fault", fix)
            for (field, fix), count in self._counted.items()
            if count > _NAMED
        ]
        return (*self._problems, *more)
