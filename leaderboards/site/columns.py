"""The columns of a board's table: what stands in a cell, and by what number its rows are sorted.

Text columns are sorted by the place of their text in Python's order, so that the script in the page compares numbers
only, and sorts as this module would.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from cmdfd.report.text import NOTHING, clean, interval, number
from leaderboards.site import words
from leaderboards.site.bars import Axis, cell_bar
from leaderboards.training import look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from leaderboards.records import Board, BoardSet, Submission
    from leaderboards.standings import Number, SetScore, Standing

#: Boards of more sets have one column a set; the rest stands on the pages of the systems and in the downloads.
MOST_DETAILED_SETS = 10

Direction = Literal["ascending", "descending"]
SortKey = float | int | str | None


@dataclass(frozen=True, slots=True)
class Listed:
    """A row of the table with its submission read."""

    row: Standing
    submission: Submission


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a cell.

    Args:
        text: First line.
        key: What the row is sorted by; None always comes last.
        span: Interval beside the number.
        bar: Picture of the interval.
        detail: Smaller words below.
        tone: Class of its style: "", "muted", "in", or a state.
        title: Words shown on hover; they stand elsewhere on the page or on the system's page too.
    """

    text: str
    key: SortKey = None
    span: str = ""
    bar: Any = ""
    detail: str = ""
    tone: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Args:
        id: Names it in the address of a view, letters, digits and hyphens.
        label: Heading.
        group: Part of the column picker.
        cell: Makes the cell of a system.
        detail: Smaller words under the heading.
        first: Direction that a first click sorts in.
        shown: Whether it is shown before a reader chooses.
        numeric: Right-aligned.
    """

    id: str
    label: str
    group: str
    cell: Callable[[Listed], Cell]
    detail: str = ""
    first: Direction = "descending"
    shown: bool = True
    numeric: bool = True


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table, ready for the template.

    Args:
        listed: The system.
        cells: One for each column after rank and name.
        name_key: Place of its name among the names.
        index: Place in the order of ranks, from 0.
        namesake: Whether another system has a name that looks the same; the slug then stands beside it.
    """

    listed: Listed
    cells: tuple[Cell, ...]
    name_key: int
    index: int
    namesake: bool = False


def columns_of(board: Board, rows: Sequence[Listed], axis: Axis) -> tuple[Column, ...]:
    """The columns after rank and name; those in which no system has anything are left out."""
    found = [
        Column("macro", "Mean AUC", "Overall", lambda one: _number(one.row.macro, axis, span=True), "over cross sets"),
        Column("state", "State", "System", _state, first="ascending", numeric=False),
        Column("modality", "Looks at", "System", _modality, first="ascending", numeric=False),
        *_set_columns(board, axis),
        Column("worst", "Worst set", "Overall", lambda one: _worst(one, board), "lowest AUC"),
        Column("margin", "Margin", "Overall", lambda one: _signed(one.row.margin), "over metadata floor"),
        Column("borda", "Borda", "Overall", _borda, "points", shown=False),
    ]
    if len(board.sets) <= MOST_DETAILED_SETS:
        found += _detailed(board, rows)
    found += [
        Column("size", "Parameters", "System", _size, first="ascending", shown=False),
        Column("licence", "Licence", "System", _licence, first="ascending", shown=False, numeric=False),
        Column("trained", "Trained on", "System", _trained, first="ascending", shown=False, numeric=False),
        Column("date", "Submitted", "System", _date, shown=False, numeric=False),
    ]
    return tuple(column for column in found if any(column.cell(one).key is not None for one in rows) or not rows)


def lines_of(columns: Sequence[Column], rows: Sequence[Listed]) -> tuple[Line, ...]:
    """Fill the table."""
    made = [[_placed(cell, places) for cell in cells] for cells, places in map(_column(rows), columns)]
    names = [clean(one.row.name).casefold() for one in rows]
    places, looks = _places(names), [look(name) for name in names]
    alike = Counter(looks)
    return tuple(
        Line(one, tuple(cells[index] for cells in made), places[names[index]], index, alike[looks[index]] > 1)
        for index, one in enumerate(rows)
    )


def _column(rows: Sequence[Listed]) -> Callable[[Column], tuple[list[Cell], dict[str, int]]]:
    def fill(column: Column) -> tuple[list[Cell], dict[str, int]]:
        cells = [column.cell(one) for one in rows]
        return cells, _places(cell.key for cell in cells if isinstance(cell.key, str))

    return fill


def _places(texts: Iterable[str]) -> dict[str, int]:
    return {text: place for place, text in enumerate(sorted(set(texts)))}


def _placed(cell: Cell, places: dict[str, int]) -> Cell:
    return replace(cell, key=places[cell.key]) if isinstance(cell.key, str) else cell


def _set_columns(board: Board, axis: Axis) -> list[Column]:
    return [
        Column(f"auc-{place + 1}", one.title, "AUC by set", _auc_at(place, axis), _below(one))
        for place, one in enumerate(board.sets)
    ]


def _auc_at(place: int, axis: Axis) -> Callable[[Listed], Cell]:
    return lambda row: _auc(row.row.sets[place], axis)


def _below(one: BoardSet) -> str:
    """Smaller words under a set's title: its name, where that is another."""
    return one.name if one.title != one.name else ""


def _detailed(board: Board, rows: Sequence[Listed]) -> list[Column]:
    """EER, AUC without leading silence, and localization on each set; chosen by readers who want them."""
    found: list[Column] = []
    for place, one in enumerate(board.sets):
        eer = Column(
            f"eer-{place + 1}", f"EER, {one.title}", "EER by set", _pick(place, lambda score: score.eer), _below(one),
            first="ascending", shown=False,
        )  # fmt: skip
        found.append(eer)
    for place, one in enumerate(board.sets):
        trimmed = Column(
            f"trimmed-{place + 1}", f"Trimmed, {one.title}", "AUC without leading silence",
            _pick(place, lambda score: score.trimmed), _below(one), shown=False,
        )  # fmt: skip
        found.append(trimmed)
    names = list(dict.fromkeys(name for row in rows for score in row.row.sets for name in score.localization))
    for index, name in enumerate(names):
        for place, one in enumerate(board.sets):
            where = Column(
                f"where-{index + 1}-{place + 1}", f"{words.metric(name)}, {one.title}", "Localization",
                _pick(place, lambda score, key=name: score.localization.get(key)), _below(one), shown=False,  # type: ignore[misc]
            )  # fmt: skip
            found.append(where)
    return found


def _pick(place: int, take: Callable[[SetScore], Number | None]) -> Callable[[Listed], Cell]:
    def cell(one: Listed) -> Cell:
        found = take(one.row.sets[place])
        if found is None or found.value is None:
            return Cell(NOTHING, tone="muted", title=found.doubt if found else "")
        return Cell(number(found.value), found.value, span=interval(found.low, found.high), title=found.doubt)

    return cell


def _number(one: Number, axis: Axis, *, span: bool = False) -> Cell:
    if one.value is None:
        return Cell(NOTHING, tone="muted", title=one.doubt)
    ends = interval(one.low, one.high)
    return Cell(number(one.value), one.value, ends, cell_bar(one, axis), tone="always" if span else "", title=one.doubt)


def _auc(score: SetScore, axis: Axis) -> Cell:
    cell = _number(score.auc, axis)
    notes = [note for note in (score.auc.doubt, words.failed(score)) if note]
    if score.domain != "cross":
        cell = replace(cell, detail=words.DOMAINS[score.domain], tone="in")
        notes.append(words.DOMAIN_MEANINGS[score.domain])
    return replace(cell, title="; ".join(notes))


def _signed(one: Number | None) -> Cell:
    if one is None or one.value is None:
        return Cell(NOTHING, tone="muted", title=one.doubt if one else "")
    ends = interval(one.low, one.high, signed=True)
    return Cell(number(one.value, signed=True), one.value, ends, title=one.doubt)


def _worst(one: Listed, board: Board) -> Cell:
    if one.row.worst is None or one.row.worst[1].value is None:
        return Cell(NOTHING, tone="muted")
    name, auc = one.row.worst
    title = next((each.title for each in board.sets if each.name == name), name)
    return Cell(number(auc.value), auc.value, detail=title, title=name)


def _borda(one: Listed) -> Cell:
    points = one.row.borda
    return Cell(NOTHING, tone="muted") if points is None else Cell(f"{points:g}", points)


def _modality(one: Listed) -> Cell:
    text = words.modalities(one.submission)
    return Cell(text, text)


def _state(one: Listed) -> Cell:
    state = one.row.state
    return Cell(words.STATES[state], words.STATES[state], tone=state, title=words.STATE_MEANINGS[state])


def _size(one: Listed) -> Cell:
    size = one.submission.system.n_parameters
    return Cell(words.size(size), size, title="" if size is None else f"{size:,}")


def _licence(one: Listed) -> Cell:
    licence = one.submission.system.licence
    return Cell(licence, clean(licence).casefold())


def _trained(one: Listed) -> Cell:
    if one.row.trained_on is None:
        return Cell("not declared", tone="muted")
    text = ", ".join(one.row.trained_on) or "nothing"
    return Cell(text, clean(text).casefold())


def _date(one: Listed) -> Cell:
    return Cell(one.submission.submitted_at, one.submission.submitted_at)
