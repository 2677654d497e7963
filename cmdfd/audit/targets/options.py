"""What a user can say about a target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class TargetOptions:
    """Everything that is otherwise guessed.

    Args:
        label_column: Column that says what is fake; a number counts the columns of a table without names from 1.
        fake_values: Values of it that mean fake; all others then mean real.
        group_column: Column of the components.
        generator_column: Column that says how a fake was made.
        split_column: Column of the split.
        ignore_columns: Columns that are neither cues nor facts.
        split: Only this split.
        media_root: Folder in which the files of a list lie; without it a list is audited without media.
    """

    label_column: str | None = None
    fake_values: tuple[str, ...] = ()
    group_column: str | None = None
    generator_column: str | None = None
    split_column: str | None = None
    ignore_columns: tuple[str, ...] = ()
    split: str | None = None
    media_root: Path | None = None

    @property
    def named(self) -> dict[str, str]:
        """Columns that were named, by option."""
        columns = {
            "--label-column": self.label_column,
            "--group-column": self.group_column,
            "--generator-column": self.generator_column,
            "--split-column": self.split_column,
        }
        return {option: column for option, column in columns.items() if column is not None}
