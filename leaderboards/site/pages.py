"""Makes the pages of boards and systems of their standings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cmdfd.report.text import plural
from leaderboards.records import Board, Rules, Submission
from leaderboards.site import badges
from leaderboards.site.bars import axis_of
from leaderboards.site.columns import Column, Line, Listed, columns_of, lines_of
from leaderboards.site.rendering import render

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from leaderboards.loading import Unread
    from leaderboards.standings import Number, SetScore, Standing, Standings

#: What is said of a leader without company. It is no more than this: another training run can turn it round.
ALONE = "its difference to every other ranked system has an interval without 0"
#: So many names of the leader group are written out on the front page.
MOST_LEADERS = 3


@dataclass(frozen=True, slots=True)
class Opened:
    """A board with its records read.

    Args:
        standings: As ranked.
        board: Its file.
        rules: The rules.
        rows: Its systems, in the order of the board.
        copies: Slug -> files of that submission that lie beside the board's page, relative to it.
    """

    standings: Standings
    board: Board
    rules: Rules
    rows: tuple[Listed, ...]
    copies: Mapping[str, tuple[str, ...]]

    @property
    def leaders(self) -> tuple[Listed, ...]:
        """The first group."""
        return tuple(one for one in self.rows if one.row.group == 1)

    @property
    def ranked(self) -> int:
        """How many systems have a rank."""
        return sum(one.row.ranked for one in self.rows)

    @property
    def floors(self) -> int:
        """How many rows are floors."""
        return sum(one.row.floor for one in self.rows)

    @property
    def unranked(self) -> int:
        """How many systems are listed without a rank and are no floors."""
        return len(self.rows) - self.ranked - self.floors

    def score(self, name: str) -> SetScore | None:
        """Any system's record of a set, for what is the same for all of them."""
        return next((score for one in self.rows for score in one.row.sets if score.set == name), None)


@dataclass(frozen=True, slots=True)
class Band:
    """Rows of the table that stand together.

    Args:
        title: Heading.
        detail: Smaller words beside it.
        kind: "group", "floors" or "others".
        lines: The rows.
    """

    title: str
    detail: str
    kind: str
    lines: tuple[Line, ...]


def opened(standings: Standings, copies: Mapping[str, tuple[str, ...]]) -> Opened:
    """Read the records of a board.

    Args:
        standings: As ranked.
        copies: See `Opened`.

    Raises:
        pydantic.ValidationError: For standings whose records are none; ranking never gives such.
    """
    rows = tuple(Listed(row, Submission.model_validate(row.submission)) for row in standings.rows)
    return Opened(standings, Board.model_validate(standings.board), Rules.model_validate(standings.rules), rows, copies)


def index_page(boards: Sequence[Opened], unread: Sequence[Unread] = ()) -> str:
    """The front page, with the boards that could not be read."""
    return render("index.html.j2", boards=boards, unread=unread, most_leaders=MOST_LEADERS)


def board_page(one: Opened) -> str:
    """The table of a board."""
    axis = axis_of(_shown_numbers(one))
    columns = columns_of(one.board, one.rows, axis)
    lines = lines_of(columns, one.rows)
    modalities = sorted({tuple(sorted(set(each.submission.system.modalities))) for each in one.rows})
    states = [
        state for state in ("verified", "self-reported", "withdrawn") if any(r.row.state == state for r in one.rows)
    ]
    return render(
        "board.html.j2", one=one, columns=columns, groups=_grouped(columns), bands=_bands(lines), axis=axis,
        modalities=modalities, states=states,
    )  # fmt: skip


def _shown_numbers(one: Opened) -> Iterator[Number]:
    for each in one.rows:
        yield each.row.macro
        yield from (score.auc for score in each.row.sets)


def _grouped(columns: Sequence[Column]) -> dict[str, list[Column]]:
    found: dict[str, list[Column]] = {}
    for column in columns:
        found.setdefault(column.group, []).append(column)
    return found


def _bands(lines: Sequence[Line]) -> list[Band]:
    """Groups of ranked systems, then floors, then the others."""
    groups: dict[int | None, list[Line]] = {}
    ranked = sum(line.listed.row.ranked for line in lines)
    for line in lines:
        if line.listed.row.ranked:
            groups.setdefault(line.listed.row.group, []).append(line)
    found = [Band(f"Group {group}", _group_words(index, found, ranked), "group", tuple(found))
             for index, (group, found) in enumerate(groups.items())]  # fmt: skip
    floors = tuple(line for line in lines if line.listed.row.floor)
    others = tuple(line for line in lines if not line.listed.row.floor and not line.listed.row.ranked)
    found += [Band("Floors", "what needs no look at the forgery; never ranked", "floors", floors)] if floors else []
    found += [Band("Not ranked", "listed for the record, each with its reason", "others", others)] if others else []
    return found


def _group_words(index: int, lines: Sequence[Line], ranked: int) -> str:
    if ranked == 1:
        return "the only ranked system"
    if len(lines) == 1:
        return f"{ALONE} (one training run each, pair by pair)" if index == 0 else "one system"
    if index == 0:
        return f"{len(lines)} systems: the data cannot tell them from the leader"
    return f"{len(lines)} systems: the data cannot tell them from the first of them"


def about_page(one: Opened) -> str:
    """Rules, sets, changes and what was left out."""
    return render("about.html.j2", one=one)


Best = dict[tuple[str, str, str], float]


def best_of(standings: Standings) -> Best:
    """(set, "kind" or "platform", name) -> the highest AUC of a ranked system, as a mark in the plots."""
    found: Best = {}
    for row in standings.rows:
        if not row.ranked:
            continue
        for score in row.sets:
            for family, slices in (("kind", score.kinds), ("platform", score.platforms)):
                for part in slices:
                    key = (score.set, family, part.name)
                    if part.auc.value is not None:
                        found[key] = max(found.get(key, part.auc.value), part.auc.value)
    return found


def system_page(one: Opened, listed: Listed, best: Best) -> str:
    """The page of a system."""
    sets = listed.row.sets
    titles = {each.name: each.title for each in one.board.sets}
    numbers = [score.auc for score in sets]
    numbers += [part.auc for score in sets for part in (*score.kinds, *score.platforms)]
    metrics = list(dict.fromkeys(name for score in sets for name in score.localization))
    return render(
        "system.html.j2", one=one, row=listed.row, submission=listed.submission, system=listed.submission.system,
        axis=axis_of(numbers), best=best, metrics=metrics,
        titles=titles, absent=_absent(sets, titles), copies=one.copies.get(listed.row.slug, ()),
        standing=_standing_words(one, listed.row), badge=_badge(one, listed.row),
    )  # fmt: skip


def _absent(sets: Sequence[SetScore], titles: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Families of localization without numbers: family, why, and on which sets; "" for all of them."""
    found: dict[tuple[str, str], list[str]] = {}
    for score in sets:
        for pair in score.localization_absent.items():
            found.setdefault(pair, []).append(titles.get(score.set, score.set))
    return [(*pair, "" if len(names) == len(sets) else ", ".join(names)) for pair, names in found.items()]


def _badge(one: Opened, row: Standing) -> Any:
    from markupsafe import Markup

    # names in it were escaped where it was made
    return Markup(badges.picture(badges.badge_of(row, one.board.title)))  # noqa: S704


def _standing_words(one: Opened, row: Standing) -> str:
    """The finding on a system's page, in one sentence."""
    if row.floor:
        return "A floor: what can be had without looking at the forgery. It has numbers and no rank."
    if not row.ranked:
        return f"Not ranked: {row.why_unranked or 'no reason was given'}."
    place = f"Rank {row.rank} of {one.ranked}"
    alike = sum(each.row.group == row.group for each in one.rows) - 1
    if row.group != 1:
        said = f", in group {row.group}"
    elif row.rank != 1:
        said = "; the data cannot tell it from the leader"
    elif alike:
        said = f"; the data cannot tell {plural(alike, 'other')} from it"
    else:
        said = f"; {ALONE} (one training run each, pair by pair)" if one.ranked > 1 else ""
    return f"{place}{said}."
