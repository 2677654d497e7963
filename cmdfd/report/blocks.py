"""What a page is made of: records that the templates draw. Their texts are plain; the templates escape them."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from cmdfd.report.text import NOTHING, interval, number

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Marks what should not be trusted, or has no number. Where a page has several reasons a number tells them apart.
MARK = "†"

Tone = Literal["", "good", "warn", "bad", "muted"]


@dataclass(frozen=True, slots=True)
class Value:
    """A number with its interval, as a table cell.

    Args:
        value: The number, or None where it is undefined.
        low: Lower end of the interval.
        high: Upper end.
        reason: Why the interval should not be trusted, or why there is no number; printed as a footnote.
        signed: Write the sign of positive numbers too.
        bar: Draw the interval on a line from 0 to 1 under the number.
        chance: Where `bar` shows a tick.
        tone: How it is coloured.
    """

    macro: ClassVar[str] = "value"
    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None
    signed: bool = False
    bar: bool = False
    chance: float = 0.5
    tone: Tone = ""

    @property
    def text(self) -> str:
        """The number as printed."""
        return number(self.value, signed=self.signed)

    @property
    def span(self) -> str:
        """The interval as printed, or an empty string."""
        return interval(self.low, self.high, signed=self.signed) if self.value is not None else ""

    def place(self, value: float | None) -> str:
        """Where a number stands on the bar, in hundredths of its width, kept inside."""
        return f"{100 * min(max(value or 0.0, 0.0), 1.0):.1f}"


@dataclass(frozen=True, slots=True)
class Text:
    """Words in a table cell or a paragraph.

    Args:
        text: The words.
        style: "" for plain, "strong", "code" or "name" (a name from outside, kept apart from its surroundings).
        detail: Smaller words below.
        tone: How they are coloured.
        reason: Printed as a footnote, for cells that are empty or doubtful.
    """

    macro: ClassVar[str] = "text"
    text: str
    style: Literal["", "strong", "code", "name"] = ""
    detail: str = ""
    tone: Tone = ""
    reason: str | None = None


Cell = Value | Text | str | int


@dataclass(frozen=True, slots=True)
class Column:
    """A table column.

    Args:
        label: Its heading.
        explanation: Smaller words under the heading.
        numeric: Right-aligned.
    """

    label: str
    explanation: str = ""
    numeric: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """A table row.

    Args:
        header: Words of its heading cell.
        cells: One for each column after the first.
        style: "" or "floor" (muted and indented), "sub" (indented), "total".
        detail: Smaller words under the heading.
    """

    header: str
    cells: tuple[Cell, ...]
    style: Literal["", "floor", "sub", "total"] = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Rows that belong together.

    Args:
        rows: The rows.
        header: Heading across the table, or "".
        detail: Smaller words beside the heading.
    """

    rows: tuple[Row, ...]
    header: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its caption; reasons of doubtful cells become footnotes below it, with the marks of the page.

    Args:
        caption: What it shows, for every reader.
        columns: The first one heads the row headings.
        groups: Rows.
        note: Words below the table.
    """

    macro: ClassVar[str] = "table"
    caption: str
    columns: tuple[Column, ...]
    groups: tuple[RowGroup, ...]
    note: str = ""

    def __post_init__(self) -> None:
        for group in self.groups:
            for row in group.rows:
                if len(row.cells) != len(self.columns) - 1:
                    raise ValueError(f"row {row.header!r} has {len(row.cells)} cells for {len(self.columns)} columns")

    @property
    def reasons(self) -> tuple[str, ...]:
        """Reasons of its doubtful cells, each once, in order of first appearance."""
        return tuple(
            dict.fromkeys(
                cell.reason
                for group in self.groups
                for row in group.rows
                for cell in row.cells
                if isinstance(cell, Value | Text) and cell.reason
            )
        )


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph.

    Args:
        parts: Words, plain or styled.
        tone: How it is coloured; "warn" and "bad" set it off.
    """

    macro: ClassVar[str] = "paragraph"
    parts: tuple[Text | str, ...]
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading inside a section."""

    macro: ClassVar[str] = "heading"
    text: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list; each entry has an optional lead in bold."""

    macro: ClassVar[str] = "bullets"
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of `Bullets`."""

    text: str
    lead: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Names with their values, e.g. versions.

    Args:
        entries: Name and value.
        summary: Where it is named, the list is folded under it.
    """

    macro: ClassVar[str] = "facts"
    entries: tuple[Entry, ...]
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Code:
    """Something to type.

    Args:
        text: As typed.
        label: What it does.
    """

    macro: ClassVar[str] = "code"
    text: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """A figure that is seen first."""

    label: str
    value: str
    detail: str = ""
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Cards:
    """A row of cards."""

    macro: ClassVar[str] = "cards"
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture.

    Args:
        alt: What it shows, for readers who do not see it.
        svg: SVG source made by `cmdfd.report.plots`; it is put into the page as it is.
        png: PNG bytes; exactly one of the two.
        caption: Words below.
        title: Words above.
        wide: Scrolls inside its frame on narrow screens instead of shrinking until nothing can be read.
    """

    macro: ClassVar[str] = "figure"
    alt: str
    svg: str = ""
    png: bytes = b""
    caption: str = ""
    title: str = ""
    wide: bool = False

    def __post_init__(self) -> None:
        if bool(self.svg) == bool(self.png):
            raise ValueError("a figure needs either SVG or PNG")

    @property
    def data_uri(self) -> str:
        """The PNG as a data URI."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")


@dataclass(frozen=True, slots=True)
class Grid:
    """Blocks side by side where there is room."""

    macro: ClassVar[str] = "grid"
    blocks: tuple[Figure | Facts, ...]


@dataclass(frozen=True, slots=True)
class Fold:
    """Blocks that are folded away under a line; they are printed unfolded.

    Args:
        summary: The line.
        blocks: What is folded.
    """

    macro: ClassVar[str] = "fold"
    summary: str
    blocks: tuple[Block, ...]


Block = Paragraph | Heading | Bullets | Facts | Code | Cards | Table | Figure | Grid | Fold


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page with an entry in its contents.

    Args:
        id: Anchor, lower-case ASCII letters and hyphens.
        title: Heading.
        blocks: What stands in it.
    """

    id: str
    title: str
    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        if not self.id.replace("-", "").isalnum() or not self.id.isascii() or self.id != self.id.lower():
            raise ValueError(f"section id must be lower-case letters, digits and hyphens, got {self.id!r}")


@dataclass(frozen=True, slots=True)
class Page:
    """A whole page, drawn by the template `page.html.j2`.

    Args:
        title: Of the document and the top heading.
        lead: The finding, in plain words.
        kicker: A line above the title.
        blocks: What stands before the first section (cards).
        sections: The rest.
        footer: Last line.
    """

    title: str
    lead: tuple[Text | str, ...]
    kicker: str = ""
    blocks: tuple[Block, ...] = ()
    sections: tuple[Section, ...] = ()
    footer: str = ""
    lang: str = field(default="en")

    @property
    def marks(self) -> dict[str, str]:
        """Reason -> mark, over all tables: one mark has one reason wherever it stands."""
        blocks = _unfolded((*self.blocks, *(block for section in self.sections for block in section.blocks)))
        reasons = list(
            dict.fromkeys(reason for block in blocks if isinstance(block, Table) for reason in block.reasons)
        )
        if len(reasons) == 1:
            return {reasons[0]: MARK}
        return {reason: f"{MARK}{number}" for number, reason in enumerate(reasons, start=1)}


def _unfolded(blocks: Iterable[Block]) -> list[Block]:
    """All blocks, with those inside folds."""
    found: list[Block] = []
    for block in blocks:
        found += _unfolded(block.blocks) if isinstance(block, Fold) else [block]
    return found


__all__ = [
    "NOTHING",
    "Block",
    "Bullets",
    "Card",
    "Cards",
    "Cell",
    "Code",
    "Column",
    "Entry",
    "Facts",
    "Figure",
    "Fold",
    "Grid",
    "Heading",
    "Page",
    "Paragraph",
    "Row",
    "RowGroup",
    "Section",
    "Table",
    "Text",
    "Value",
]
