"""A good submission, tools to break it, and the list of all that was tried: what is done, and how it is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from ruamel.yaml import YAML
from toy_board import reference, write_yaml

from leaderboards.predictions import schema, write_submitted, write_submitted_pixels

SLUG = "good"
YAML_NAME, TABLE, PIXELS = f"{SLUG}.yaml", f"{SLUG}.parquet", f"{SLUG}.pixels.parquet"


class Box:
    """A board's folder with one good submission, and tools to break it."""

    def __init__(self, board: Path) -> None:
        self.board = board
        self.folder = board / "submissions"
        self.path = self.folder / YAML_NAME
        self.table = self.folder / TABLE
        self.pixels = self.folder / PIXELS

    def edit(self, change: Callable[[Any], object]) -> None:
        """Change the YAML as data."""
        data = YAML(typ="rt").load(self.path.read_text("utf-8"))
        change(data)
        write_yaml(self.path, data)

    def text(self, old: str, new: str) -> None:
        """Change the YAML as text."""
        found = self.path.read_text("utf-8")
        assert old in found, old
        self.path.write_text(found.replace(old, new, 1), encoding="utf-8")

    def renew(self) -> None:
        """Let size and hash fit again."""
        self.edit(lambda data: data.update(predictions=reference(self.table), pixels=reference(self.pixels)))

    def rows(self, change: Callable[[list[dict[str, Any]]], object]) -> None:
        """Change the rows of the predictions."""
        rows = pq.read_table(self.table).to_pylist()
        change(rows)
        write_submitted(self.table, rows)
        self.renew()

    def row(self, place: int = 5, **values: Any) -> None:
        """Change one row of the predictions."""
        self.rows(lambda rows: rows[place].update(values))

    def pixel_rows(self, change: Callable[[list[dict[str, Any]]], object]) -> None:
        """Change the rows of the pixel counts."""
        rows = pq.read_table(self.pixels).to_pylist()
        change(rows)
        write_submitted_pixels(self.pixels, rows)
        self.renew()

    def put(self, data: bytes) -> None:
        """Put other bytes where the predictions are."""
        self.table.write_bytes(data)
        self.renew()

    def written(self, rows: list[dict[str, Any]] | None = None, as_schema: pa.Schema | None = None, **how: Any) -> None:
        """Write the predictions as a stranger's program would."""
        found = pq.read_table(self.table).to_pylist() if rows is None else rows
        table = pa.Table.from_pylist(found, schema=schema() if as_schema is None else as_schema)
        pq.write_table(table, self.table, **({"use_dictionary": False} | how))
        self.renew()


@dataclass(frozen=True)
class Case:
    """What is done, and how it is refused."""

    name: str
    file: str
    field: str
    reason: str
    change: Callable[[Box], object]
    also: tuple[str, ...] = ()  # fields that the same change must break, too


CASES: list[Case] = []


def case(
    name: str, file: str, field: str, reason: str, *also: str
) -> Callable[[Callable[[Box], object]], Callable[[Box], object]]:
    """Put a case on the list."""

    def add(change: Callable[[Box], object]) -> Callable[[Box], object]:
        CASES.append(Case(name, file, field, reason, change, also))
        return change

    return add
