"""Edit lists: what was replaced, inserted or deleted, when in the source and when in the output."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cmdfd.clip import Modality, Segment
from cmdfd.errors import CmdfdError
from generators.edits.time_map import Piece, TimeMap

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Op = Literal["replace", "insert", "delete"]
OPS: tuple[Op, ...] = ("replace", "insert", "delete")
SCHEMA_VERSION = 1
#: Times that should agree may differ by this much after a way through JSON, seconds.
_ROUNDING = 1e-6
#: An edit list is a page of text; more is a mistake.
_MAX_BYTES = 8 << 20


class EditListError(CmdfdError):
    """An edit list that contradicts itself; the text names the edit and the fix."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit.

    Args:
        op: "replace", "insert" (a stretch of the source without length) or "delete" (no length in the output).
        source_start: Seconds of the source at which what is replaced or deleted begins, or the place of an insertion.
        source_end: Seconds of the source.
        start: Seconds of the output at which the new material begins, or the place of the cut.
        end: Seconds of the output.
        old: Words of the source that are gone, "" where none or unknown.
        new: Words that came instead, "" where none or unknown.
        modality: Streams that were edited. What changes the length concerns both, else they would part.
    """

    op: Op
    source_start: float
    source_end: float
    start: float
    end: float
    old: str
    new: str
    modality: Modality


@dataclass(frozen=True, slots=True)
class Change:
    """An edit before its place in the output is known.

    Args:
        op: See `Edit`.
        source_start: See `Edit`.
        source_end: See `Edit`.
        seconds: Length of the new material, 0 for a deletion.
        old: See `Edit`.
        new: See `Edit`.
        modality: See `Edit`.
    """

    op: Op
    source_start: float
    source_end: float
    seconds: float
    old: str
    new: str
    modality: Modality


@dataclass(frozen=True, slots=True)
class EditList:
    """The edits of one recording, in order.

    Args:
        edits: Edits that do not overlap.
        source_seconds: Length of the source.
        tolerance: A deletion leaves a cut without length in the output; its segment reaches this far to both sides.

    Raises:
        EditListError: If times are not finite, out of order, outside the source or do not add up.
    """

    edits: tuple[Edit, ...]
    source_seconds: float
    tolerance: float = 0.04

    def __post_init__(self) -> None:
        for name in ("source_seconds", "tolerance"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise EditListError(f"edit list: {name} must be a positive number, got {getattr(self, name)}")
        shift, last = 0.0, 0.0
        for number, edit in enumerate(self.edits):
            _check(edit, number, last, shift, self.source_seconds)
            shift += (edit.end - edit.start) - (edit.source_end - edit.source_start)
            last = edit.source_end

    @classmethod
    def lay_out(cls, source_seconds: float, changes: Iterable[Change], tolerance: float = 0.04) -> EditList:
        """Work out where the edits are in the output.

        Args:
            source_seconds: Length of the source.
            changes: In any order.
            tolerance: See the class.

        Raises:
            EditListError: See the class.
        """
        edits, shift = [], 0.0
        for one in sorted(changes, key=lambda change: (change.source_start, change.source_end)):
            start = one.source_start + shift
            edits.append(
                Edit(
                    one.op, one.source_start, one.source_end, start, start + one.seconds, one.old, one.new, one.modality
                )
            )
            shift += one.seconds - (one.source_end - one.source_start)
        return cls(tuple(edits), source_seconds, tolerance)

    @property
    def time_map(self) -> TimeMap:
        """From source to output and back."""
        pieces = tuple(Piece(edit.source_start, edit.source_end, edit.start, edit.end) for edit in self.edits)
        return TimeMap(pieces, self.source_seconds)

    @property
    def seconds(self) -> float:
        """Length of the output: the source's, plus what was inserted, minus what was deleted."""
        return self.time_map.seconds

    def segments(self) -> tuple[Segment, ...]:
        """Edited stretches of the output, in order; a deletion's reaches `tolerance` to both sides of the cut."""
        found = []
        for edit in self.edits:
            reach = self.tolerance if edit.op == "delete" else 0.0
            found.append(Segment(max(edit.start - reach, 0.0), edit.end + reach, edit.modality))
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        """The list as JSON-able data; `from_json` reads it back to the same list."""
        edits = [{**asdict(edit), "modality": str(edit.modality)} for edit in self.edits]
        return {
            "schema_version": SCHEMA_VERSION,
            "source_seconds": self.source_seconds,
            "tolerance": self.tolerance,
            "edits": edits,
        }

    @classmethod
    def from_json(cls, data: Any, where: str = "edit list") -> EditList:
        """Read a list from JSON-able data.

        Args:
            data: See `to_json`.
            where: Name for errors.

        Raises:
            EditListError: Naming the field.
        """
        try:
            read = _File.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "it"
            raise EditListError(f"{where}: {place}: {first['msg']}") from error
        edits = tuple(Edit(**(one.model_dump() | {"modality": Modality(one.modality)})) for one in read.edits)
        try:
            return cls(edits, read.source_seconds, read.tolerance)
        except EditListError as error:
            raise EditListError(f"{where}: {error}") from error

    @classmethod
    def load(cls, path: Path) -> EditList:
        """Read a list from a JSON file.

        Raises:
            EditListError: Naming the file and the field.
        """
        import json

        if not path.is_file():
            raise EditListError(f"{path}: there is no such file")
        if path.stat().st_size > _MAX_BYTES:
            raise EditListError(f"{path}: larger than {_MAX_BYTES >> 20} MiB")
        try:
            data = json.loads(path.read_text("utf-8"))
        except (ValueError, RecursionError) as error:
            raise EditListError(f"{path}: not JSON: {error}") from error
        return cls.from_json(data, str(path))


class _EditFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    op: Op
    source_start: float
    source_end: float
    start: float
    end: float
    old: str = Field(default="", max_length=10_000)
    new: str = Field(default="", max_length=10_000)
    modality: Literal["audio", "video", "audiovisual"]


class _File(BaseModel):
    """An edit list as a file, times in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    schema_version: Literal[1]
    source_seconds: float = Field(gt=0)
    tolerance: float = Field(default=0.04, gt=0)
    edits: list[_EditFile] = Field(max_length=10_000)


def _check(edit: Edit, number: int, last: float, shift: float, source_seconds: float) -> None:
    times = (edit.source_start, edit.source_end, edit.start, edit.end)
    name = f"edit {number} ({edit.op} at {edit.source_start:g} s)"
    if not all(math.isfinite(each) for each in times):
        raise EditListError(f"{name}: its times must be finite, got {times}")
    if not last - _ROUNDING <= edit.source_start <= edit.source_end <= source_seconds + _ROUNDING:
        raise EditListError(
            f"{name}: it covers {edit.source_start:g} to {edit.source_end:g} s of the source; needed is a stretch "
            f"that begins at {last:g} s, where the edit before it ends, or later, and ends by {source_seconds:g} s"
        )
    if abs(edit.source_start + shift - edit.start) > _ROUNDING:
        raise EditListError(
            f"{name}: it starts at {edit.start:g} s of the output, but the edits before it move that moment to "
            f"{edit.source_start + shift:g} s"
        )
    problem = _shape(edit)
    if problem:
        raise EditListError(f"{name}: {problem}")


def _shape(edit: Edit) -> str:
    """What is wrong with the lengths of an edit, "" for nothing."""
    old, new = edit.source_end - edit.source_start, edit.end - edit.start
    rules = {"replace": (old > 0, new > 0), "insert": (old == 0, new > 0), "delete": (old > 0, new == 0)}
    if edit.op not in rules:
        return f"unknown operation {edit.op!r}; known: {', '.join(OPS)}"
    if not all(rules[edit.op]):
        return f"it takes {old:g} s of the source and gives {new:g} s of output, which is no {edit.op}"
    if abs(old - new) > _ROUNDING and edit.modality is not Modality.BOTH:
        return f"it changes the length of the {edit.modality} stream alone, so that sound and picture would part"
    return ""
