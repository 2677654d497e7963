"""What is wrong with a submission or a board: file, line, field, reason and fix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: So many are printed; the rest are counted.
MOST_PRINTED = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason for which something is refused.

    Args:
        file: Name of the file, without folders of this machine.
        field: Field, column or clip that is wrong, e.g. "system.slug" or "score".
        reason: What is wrong, in one sentence; text from outside stands in it shortened and cleaned.
        fix: What to do.
        line: Line of a text file, or row of a table, counted from 1; 0 where there is none.
    """

    file: str
    field: str
    reason: str
    fix: str = ""
    line: int = 0

    @property
    def text(self) -> str:
        """One line for people."""
        at = f"{self.file}:{self.line}" if self.line else self.file
        fix = f"; {self.fix}" if self.fix else ""
        return f"{at}: {self.field}: {self.reason}{fix}"


class SubmissionError(CmdfdError):
    """A submission or board that is refused, with every reason that was found.

    Args:
        problems: At least one.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        lines = [problem.text for problem in self.problems[:MOST_PRINTED]]
        left = len(self.problems) - len(lines)
        super().__init__("\n".join([*lines, f"... and {left} more"] if left else lines))
