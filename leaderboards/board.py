"""Boards on disk: found, opened and checked."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmdfd.clip import Modality
from cmdfd.errors import CmdfdError, nearest
from leaderboards.entries import OpenBoard, Truth
from leaderboards.problems import Problem, SubmissionError
from leaderboards.records import Board, BoardSet, Rules
from leaderboards.tables import Bounds, clean, parse_table, read_bytes, sha256_of
from leaderboards.truth import UNKNOWN_PIXELS, schema
from leaderboards.yamlfile import read_yaml, record_of

if TYPE_CHECKING:
    import argparse
    from importlib.resources.abc import Traversable

    import pandas as pd

BOARD_FILE = "board.yaml"
SUBMISSIONS = "submissions"
#: Folder with `<board>/truth/<set>.parquet` of boards whose labels are kept at home.
TRUTH_VARIABLE = "CMDFD_BOARD_TRUTH"
_MODALITIES = frozenset(str(one) for one in Modality)
#: A set of a million clips has a truth of about 200 MB.
_TRUTH_BOUNDS = Bounds(file_bytes=1_000_000_000, rows=2_000_000, values=20_000_000, memory=4_000_000_000)
_TEXT = ("id", "sha256", "kind", "variant", "component", "platform", "scene", "original")
_MAY_BE_EMPTY = frozenset({"variant", "platform", "scene", "original"})
_AGAIN = "make the board again with python -m leaderboards.new"


def boards_folder(named: Path | None = None) -> Path:
    """Where boards lie: as named, else the boards of this package."""
    return named if named is not None else Path(__file__).parent / "boards"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add `--boards` and `--truth` to a command line."""
    parser.add_argument("--boards", type=Path, metavar="DIR", help="folder of boards (default: those of the package)")
    told = f"folder with <board>/truth/ of boards whose labels stay at home (default: ${TRUTH_VARIABLE})"
    parser.add_argument("--truth", type=Path, metavar="DIR", help=told)


def board_named(name: str, boards: Path | None = None) -> Path:
    """Folder of a board.

    Args:
        name: Its name.
        boards: Where boards lie; None = those of the package.

    Raises:
        CmdfdError: If there is none of that name.
    """
    folder = boards_folder(boards)
    found = sorted(path.parent.name for path in folder.glob(f"*/{BOARD_FILE}"))
    if name not in found:
        more = "" if boards is not None else "; name the folder of other boards with --boards DIR"
        raise CmdfdError(f"no board {clean(name)!r} in {folder}: {nearest(name, found)}{more}")
    return folder / name


def board_at(text: str, boards: Path | None = None) -> Path:
    """Folder of a board that is named as people do: by its name, or by its folder.

    Args:
        text: A name among the boards; else a folder.
        boards: Where boards lie; None = those of the package.

    Raises:
        CmdfdError: If it is neither.
    """
    if (boards_folder(boards) / text / BOARD_FILE).is_file():
        return boards_folder(boards) / text
    if Path(text).is_dir():
        return Path(text).resolve()
    return board_named(text, boards)


def open_board(folder: Path | str, truth: Path | None = None) -> OpenBoard:
    """Open a board and check it.

    Args:
        folder: With `board.yaml`.
        truth: Folder with `<board>/truth/` of boards whose labels are kept elsewhere; None = $CMDFD_BOARD_TRUTH.

    Raises:
        SubmissionError: With every field, column and row that is wrong.
    """
    folder = Path(folder)
    if not (folder / BOARD_FILE).is_file():
        fix = "make one with python -m leaderboards.new NAME --set DIR"
        raise SubmissionError([Problem(BOARD_FILE, "file", f"there is none in {folder.name!r}", fix)])
    file = read_yaml(folder / BOARD_FILE)
    board = record_of(file, Board)
    problems = [file.problem(place, reason, fix) for place, reason, fix in _board_problems(board, folder.name)]
    rules = None
    try:
        rules = rules_of(board.rules)
    except CmdfdError as error:
        problems.append(file.problem(("rules",), str(error)))
    truths: dict[str, Truth] = {}
    private = False
    for one in board.sets:
        try:
            path = _truth_path(folder, board.name, one, truth)
            truths[one.name] = _read_truth(path, one)
            private = private or path != folder / one.truth
        except SubmissionError as error:
            problems += error.problems
    if problems or rules is None:
        raise SubmissionError(problems)
    return OpenBoard(board, rules, truths, private)


def submission_files(folder: Path | str) -> tuple[Path, ...]:
    """Submissions of a board, by name.

    Args:
        folder: The board's folder.

    Returns:
        Everything that ends with .yaml or .yml in its folder of submissions, links and the wrongly named included:
        verification says what is wrong with them.

    Raises:
        CmdfdError: Where the folder is a link: what is said of files goes public, and those lie elsewhere.
    """
    if (Path(folder) / SUBMISSIONS).is_symlink():
        raise CmdfdError(f"{Path(folder).name}/{SUBMISSIONS} is a symbolic link; put the folder itself there")
    return tuple(sorted(path for path in (Path(folder) / SUBMISSIONS).glob("*.y*ml") if not path.name.startswith(".")))


def _board_problems(board: Board, folder: str) -> list[tuple[tuple[Any, ...], str, str]]:
    found: list[tuple[tuple[Any, ...], str, str]] = []
    if board.name != folder:
        found.append(
            (("name",), f"is {board.name!r}, but its folder is called {clean(folder)!r}", "rename one of them")
        )
    names = [one.name for one in board.sets]
    for number, one in enumerate(board.sets):
        if one.name.lower() in [name.lower() for name in names[:number]]:
            found.append((("sets", number, "name"), f"{one.name!r} stands twice", "remove one"))
        if one.truth in [other.truth for other in board.sets[:number]]:
            found.append((("sets", number, "truth"), f"{one.truth!r} stands twice", "give each set a table"))
        elif one.truth_sha256 in [other.truth_sha256 for other in board.sets[:number]]:
            found.append(
                (("sets", number, "truth_sha256"), "is that of another set: it would count twice", "remove one")
            )
    for other, same in board.same_data.items():
        for name in same:
            if name not in names:
                found.append(
                    (("same_data", other), f"names {name!r}, which is no set of this board", nearest(name, names))
                )
    if board.metadata_floor is not None and board.metadata_floor not in board.floors:
        reason = f"is {board.metadata_floor!r}, which is not among the floors"
        found.append((("metadata_floor",), reason, "add it to floors"))
    return found


def rules_of(version: int) -> Rules:
    """Rules by version.

    Args:
        version: As a board names it.

    Raises:
        CmdfdError: For a version that this program does not have.
    """
    from importlib.resources import as_file, files

    folder: Traversable = files("leaderboards") / "rules"
    known = {one.name.removesuffix(".yaml"): one for one in folder.iterdir() if one.name.endswith(".yaml")}
    if str(version) not in known:
        raise CmdfdError(f"there are no rules of version {version}; this program has {', '.join(sorted(known))}")
    with as_file(known[str(version)]) as path:
        file = read_yaml(path)
    rules = record_of(file, Rules)
    if rules.version != version:
        raise SubmissionError([file.problem(("version",), f"is {rules.version}, the file is called {version}.yaml")])
    return rules


def _truth_path(folder: Path, board: str, one: BoardSet, truth: Path | None) -> Path:
    """The table beside the board, or the one that is kept at home."""
    beside = folder / one.truth
    if beside.is_file():
        return beside
    named = truth or (Path(os.environ[TRUTH_VARIABLE]) if os.environ.get(TRUTH_VARIABLE) else None)
    if named is None:
        fix = f"this board's labels are kept elsewhere: name the folder with --truth or ${TRUTH_VARIABLE}"
        raise SubmissionError([Problem(one.truth, "file", f"the truth of {one.name} is not there", fix)])
    return named / board / one.truth


def _read_truth(path: Path, one: BoardSet) -> Truth:
    data = read_bytes(path, _TRUTH_BOUNDS.file_bytes, "file")
    found = sha256_of(data)
    if found != one.truth_sha256:
        reason = f"its SHA-256 is {found}, the board says {one.truth_sha256}"
        raise SubmissionError([Problem(one.truth, "truth_sha256", reason, _AGAIN)])
    table = parse_table(data, schema(), _TRUTH_BOUNDS, one.truth)
    problems = _truth_problems(table.to_pylist(), one.truth)
    if problems:
        raise SubmissionError(problems)
    frame: pd.DataFrame = table.to_pandas()
    return Truth(one, frame.sort_values("id", kind="stable", ignore_index=True))


def _truth_problems(rows: list[dict[str, Any]], where: str) -> list[Problem]:
    problems = []
    seen: set[str] = set()
    for number, row in enumerate(rows, start=1):
        field, reason = _row_problem(row)
        if not field and row["id"] in seen:
            field, reason = "id", f"{clean(row['id'])!r} stands twice"
        if field:
            problems.append(Problem(where, field, reason, _AGAIN, number))
        seen.add(str(row["id"]))
    labels = {row["label"] for row in rows}
    if not problems and labels != {0, 1}:
        problems.append(
            Problem(where, "label", "needs reals and fakes: without both there is no AUC", "choose another split")
        )
    return problems


def _row_problem(row: dict[str, Any]) -> tuple[str, str]:
    """Column and reason; ("", "") where nothing is wrong."""
    for name in _TEXT:
        if not isinstance(row[name], str) or (not row[name] and name not in _MAY_BE_EMPTY):
            return name, f"must be text, got {row[name]!r}"
    if row["label"] not in (0, 1):
        return "label", f"must be 0 or 1, got {row['label']!r}"
    if len(row["sha256"]) != 64 or set(row["sha256"]) - set("0123456789abcdef"):
        return "sha256", f"must be 64 hexadecimal digits, got {clean(row['sha256'])!r}"
    duration = row["duration"]
    if duration is None or not 0 < duration < math.inf:
        return "duration", f"must be finite and above 0 s, got {duration}"
    return _segments_problem(row) or _pixels_problem(row) or ("", "")


def _segments_problem(row: dict[str, Any]) -> tuple[str, str] | None:
    if row["true_segments"] is None:
        return "true_segments", "is null; an empty list says that nothing is forged"
    for one in row["true_segments"]:
        try:
            good = 0 <= one["start"] < one["end"] < math.inf and one["modality"] in _MODALITIES
        except TypeError:
            good = False
        if not good:
            return "true_segments", f"holds {clean(str(one))}, which is no stretch"
    if row["label"] == 0 and row["true_segments"]:
        return "true_segments", "a real clip has forged stretches"
    return None


def _pixels_problem(row: dict[str, Any]) -> tuple[str, str] | None:
    masked, pixels = row["masked_pixels"], row["pixels"]
    if masked is None or pixels is None:
        return "masked_pixels", f"must be a number; {UNKNOWN_PIXELS} says unknown"
    if (masked, pixels) != (UNKNOWN_PIXELS, UNKNOWN_PIXELS) and not 0 <= masked <= pixels:
        return "masked_pixels", f"{masked} of {pixels} pixels cannot be"
    if row["label"] == 0 and masked > 0:
        return "masked_pixels", "a real clip has forged pixels"
    return None
