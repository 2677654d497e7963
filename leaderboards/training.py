"""Whether a system knows a board's data: computed from what it declares, never typed."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leaderboards.records import Board, Submission
    from leaderboards.standings import Domain

#: Last parts of a name that say which part of a set is meant.
_SPLITS = frozenset({"train", "training", "validation", "valid", "val", "dev", "test", "eval", "all"})
#: Small letters that look like Latin ones in common typefaces (of Unicode's confusables.txt): Cyrillic, Greek, Latin.
_ALIKE = str.maketrans(
    {
        **dict(zip("\u0430\u0441\u0501\u0435\u04bb\u0456\u0458\u04cf", "acdehijl", strict=True)),
        **dict(zip("\u043c\u043e\u0440\u051b\u0455\u0442\u0475\u0445\u0443", "mopqstvxy", strict=True)),
        **dict(zip("\u03b1\u03b5\u03b9\u03bf\u03ba\u03bd\u03c1\u03c4\u0131\u0261", "aeiokvptig", strict=True)),
    }
)
_PARTS = re.compile(r"[\W_]+")


def domain_of(submission: Submission, board_set: str, board: Board) -> Domain:
    """Whether a set of the board is known to a system.

    Any split of a set makes the whole set known ("mini-a/train" makes "mini-a/test" an in-set): its fakes were made by
    the same generators, encoder and recipe. A bare name ("mini-a") means all of its splits. What was selected on counts
    like what was trained on. Capitals, hyphens, blanks and letters that look alike do not matter ("Mini_B (dev)" is
    "mini-b"), and the place that a board names on the Hub is the set, too.

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
    wanted = {_set_name(board_set)}
    places = [one.hub.partition("@")[0] for one in board.sets if one.hub and _set_name(one.name) in wanted]
    aliases = [other for other, same in board.same_data.items() if wanted & {_set_name(one) for one in same}]
    wanted |= {name for one in (*places, *aliases) for name in (look(one), _set_name(one))}
    declared = [*(submission.trained_on or []), *(submission.selected_on or [])]
    return [one for one in declared if wanted & {look(one), _set_name(one)}]


def look(name: str) -> str:
    """What a name looks like: its letters and digits, without capitals, accents and foreign letters that look alike.

    >>> look("Mini_B / test"), look("m\u0456ni-b")
    ('minibtest', 'minib')
    """
    return "".join(_parts(name))


def _parts(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    kept = "".join(char for char in plain if not unicodedata.combining(char)).translate(_ALIKE)
    return [part for part in _PARTS.split(kept) if part]


def _set_name(name: str) -> str:
    """Name of a set without its split, as it looks; the names of other data have no split and stay."""
    parts = _parts(name)
    return "".join(parts[:-1] if len(parts) > 1 and parts[-1] in _SPLITS else parts)
