"""Whether a system knows a board's data: computed from what it declares, never typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leaderboards.records import Board, Submission
    from leaderboards.standings import Domain


def domain_of(submission: Submission, board_set: str, board: Board) -> Domain:
    """Whether a set of the board is known to a system.

    Any split of a set makes the whole set known ("mini-a/train" makes "mini-a/test" an in-set): its fakes were made by
    the same generators, encoder and recipe. A bare name ("mini-a") means all of its splits. What was selected on counts
    like what was trained on. Capitals and blanks at the ends do not matter.

    Args:
        submission: As submitted.
        board_set: "NAME/SPLIT" of the board.
        board: Names, in `same_data`, what other data a set is made of.

    Returns:
        "in", "cross", or "unknown" where nothing was declared.
    """
    if _known(submission, board_set, board):
        return "in"
    return "unknown" if submission.trained_on is None else "cross"


def unranked_reason(submission: Submission, board: Board) -> str:
    """Why a system has no rank on a board, in one sentence; "" where it has one.

    Args:
        submission: As submitted.
        board: The board.
    """
    if submission.withdrawn is not None:
        return f"withdrawn on {submission.withdrawn.on}: {submission.withdrawn.reason}"
    if submission.system.slug in board.floors:
        return "a floor: it shows what can be told without looking"
    if submission.trained_on is None:
        return "it is not declared what it was trained on"
    known = [one.name for one in board.sets if domain_of(submission, one.name, board) == "in"]
    if known:
        seen = sorted({name for one in known for name in _known(submission, one, board)})
        return f"trained or selected on data of this board: {', '.join(seen)} (known: {', '.join(known)})"
    return ""


def _known(submission: Submission, board_set: str, board: Board) -> list[str]:
    """Names that were declared and that make a set known."""
    names = {_set_name(board_set), board_set.casefold()}
    for other, same in board.same_data.items():
        if any(_set_name(one) == _set_name(board_set) for one in same):
            names |= {_folded(other), _set_name(other)}
    declared = [*(submission.trained_on or []), *(submission.selected_on or [])]
    return [one for one in declared if _folded(one) in names or _set_name(one) in names]


def _folded(name: str) -> str:
    return name.strip().casefold()


def _set_name(name: str) -> str:
    """Name of a set without its split; the names of other data have no split and stay."""
    head, slash, tail = _folded(name).rpartition("/")
    return head if slash and tail in ("train", "validation", "test") else _folded(name)
