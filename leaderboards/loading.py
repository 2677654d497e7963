"""From folders to standings: what `site`, `space` and `results` have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cmdfd.errors import CmdfdError
from leaderboards.board import BOARD_FILE, board_named, boards_folder, open_board, submission_files

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from leaderboards.standings import Standings


@dataclass(frozen=True, slots=True)
class Unread:
    """A board that could not be read.

    Args:
        board: Name of its folder.
        reason: What is wrong, a line for each thing, each with folder and file.
    """

    board: str
    reason: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """Boards as they were found.

    Args:
        standings: Of those that could be read.
        unread: The others.
    """

    standings: tuple[Standings, ...]
    unread: tuple[Unread, ...]


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Add `--boards`, `--truth`, `--board` and `--fetch` to a command line."""
    from leaderboards.board import add_options

    add_options(parser)
    parser.add_argument("--board", action="append", default=[], metavar="NAME", help="only this board; may be repeated")
    parser.add_argument("--fetch", action="store_true", help="fetch predictions that submissions name by an address")


def board_folders(boards: Path | None, names: Sequence[str] = ()) -> tuple[Path, ...]:
    """Folders of the boards, by name.

    Args:
        boards: Folder of boards; None = those of this repository.
        names: Boards that are wanted; all without any.

    Raises:
        CmdfdError: Where there is none, or a name stands for none.
    """
    if names:
        return tuple(board_named(name, boards) for name in names)
    folder = boards_folder(boards)
    found = tuple(path.parent for path in sorted(folder.glob(f"*/{BOARD_FILE}")))
    if not found:
        raise CmdfdError(f"{folder}: no board here (no NAME/{BOARD_FILE}); see python -m leaderboards.new --help")
    return found


def load_boards(
    folders: Sequence[Path],
    *,
    truth: Path | None = None,
    fetch: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Loaded:
    """Verify and rank several boards; one that cannot be read does not stop the others.

    Args:
        folders: Of the boards.
        truth: See `load_standings`.
        fetch: See `load_standings`.
        say: Told what is being done.

    Raises:
        CmdfdError: Where none can be read.
    """
    standings, unread = [], []
    for folder in folders:
        try:
            standings.append(load_standings(folder, truth=truth, fetch=fetch, say=say))
        except CmdfdError as error:
            unread.append(_unread(folder.name, error))
    if not standings:
        raise CmdfdError("\n".join(one.reason for one in unread))
    return Loaded(tuple(standings), tuple(unread))


def _unread(board: str, error: CmdfdError) -> Unread:
    from leaderboards.problems import SubmissionError
    from leaderboards.tables import clean

    name = clean(board)
    # a board's problems name files inside its folder
    lead = f"{name}/" if isinstance(error, SubmissionError) else f"{name}: "
    lines = str(error).splitlines()
    return Unread(name, "\n".join(line if line.startswith(("...", lead)) else f"{lead}{line}" for line in lines))


def load_standings(
    folder: Path, *, truth: Path | None = None, fetch: bool = False, say: Callable[[str], None] = lambda _: None
) -> Standings:
    """Verify every submission of a board and rank them.

    Args:
        folder: Of the board.
        truth: Folder of truths that are kept elsewhere, see `open_board`.
        fetch: Whether predictions at addresses are fetched.
        say: Told what is being done.

    Returns:
        The standings; submissions that were refused are in `left_out` with the reasons.

    Raises:
        CmdfdError: Where the board itself cannot be read.
    """
    from leaderboards.copies import with_copies_noted
    from leaderboards.problems import SubmissionError
    from leaderboards.rank import rank
    from leaderboards.tables import clean
    from leaderboards.verify import verify

    opened = open_board(folder, truth)
    entries, left_out = [], []
    for path in submission_files(folder):
        try:
            entries.append(verify(opened, path, fetch=fetch))
        except SubmissionError as error:
            left_out.append((clean(path.name), str(error)))
    say(f"{opened.board.name}: {len(entries)} submissions, {len(left_out)} refused; ranking")
    return rank(opened, with_copies_noted(entries), tuple(left_out))
