"""`python -m leaderboards.verify SUBMISSION`: is a submission what it says, and does it answer for its board?

With `--rerun RUN_DIR` a run of the same system is held against it, with `--stamp` the result is written down, and
with `--withdraw REASON` a system is taken out of the ranking without being taken off the board.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from leaderboards.entries import Entry, OpenBoard
    from leaderboards.records import PredictionsRef, Submission

_NOT_FETCHED = "its predictions lie at an address: fetch them with --fetch"

EPILOG = """examples:
  python -m leaderboards.verify leaderboards/boards/mini/submissions/my-system.yaml
  python -m leaderboards.verify my-system.yaml --rerun runs/my-system/0123abcd --by "A Person" --stamp
  python -m leaderboards.verify my-system.yaml --withdraw "trained on test clips by accident"
"""


def verify(board: OpenBoard | Path, submission: Path, *, fetch: bool | Callable[[str, int], bytes] = False) -> Entry:
    """Verify a submission; nothing in it is believed, and nothing in it is run.

    Args:
        board: The board, opened, or its folder.
        submission: `<slug>.yaml`; its files lie beside it.
        fetch: Whether predictions at an address may be fetched (`leaderboards.fetch`), or what fetches them.

    Returns:
        The submission with its predictions in the order of the board's truth.

    Raises:
        SubmissionError: With every reason that was found: file, line or row, field, and what to do.
    """
    from dataclasses import replace

    from leaderboards.board import open_board
    from leaderboards.submission_file import read_submission

    opened = open_board(board) if isinstance(board, Path | str) else board
    file, found = read_submission(Path(submission), opened.board)
    return replace(_verified(opened, found, Path(submission), fetch), sha256=file.sha256)


def _verified(board: OpenBoard, submission: Submission, path: Path, fetch: bool | Callable[[str, int], bytes]) -> Entry:
    from dataclasses import replace

    from leaderboards.answers import bounds_of, check_answers
    from leaderboards.entries import Entry
    from leaderboards.findings import Findings
    from leaderboards.predictions import pixel_schema, schema
    from leaderboards.problems import SubmissionError
    from leaderboards.tables import parse_table, refused

    if board.private and submission.pixels is not None:
        fix = "leave it out"
        raise refused(path.name, "pixels", "its counts tell which clips are forged, and this board keeps that", fix)
    floor = submission.system.slug in board.board.floors
    bounds = bounds_of(board)
    name = _name_of(submission.predictions)
    data = _data_of(submission.predictions, "predictions", path, bounds.file_bytes, fetch)
    findings = Findings(name)
    checked = check_answers(parse_table(data, schema(), bounds, name).to_pylist(), board, findings, floor=floor)
    if findings.problems:
        raise SubmissionError(findings.problems)
    answers = checked.answers
    if submission.pixels is not None:
        from leaderboards.pixel_answers import check_pixel_rows, pixel_bounds

        name, bounds = _name_of(submission.pixels), pixel_bounds(board)
        data = _data_of(submission.pixels, "pixels", path, bounds.file_bytes, fetch)
        findings = Findings(name)
        rows = parse_table(data, pixel_schema(), bounds, name).to_pylist()
        pixels = check_pixel_rows(rows, board, _failed(answers), findings)
        if findings.problems:
            raise SubmissionError(findings.problems)
        answers = {one: replace(given, pixels=pixels[one] or None) for one, given in answers.items()}
    return Entry(submission, answers, checked.notes)


def _failed(answers: dict[str, Any]) -> dict[str, dict[str, bool]]:
    return {
        name: dict(zip(given.rows["id"], given.rows["error"].notna(), strict=True)) for name, given in answers.items()
    }


def _name_of(reference: PredictionsRef) -> str:
    from leaderboards.tables import clean

    return reference.file or clean((reference.url or "").rpartition("/")[2])


def _data_of(
    reference: PredictionsRef, field: str, path: Path, most: int, fetch: bool | Callable[[str, int], bytes]
) -> bytes:
    """Bytes of a file or address, of the size and hash that the submission names."""
    from leaderboards.tables import read_bytes, refused, sha256_of

    name = _name_of(reference)
    if reference.size > most:
        fix = "write it with python -m leaderboards.submit"
        raise refused(path.name, f"{field}.size", f"is {reference.size}, this board allows {most} bytes", fix)
    if reference.file is not None:
        data = read_bytes(path.parent / reference.file, most, f"{field}.file")
    else:
        data = _fetched(reference, field, path, fetch)
    if len(data) != reference.size:
        reason = f"the file has {len(data)} bytes, the submission says {reference.size}"
        raise refused(name, f"{field}.size", reason, "a file and its YAML are made together: submit again")
    if sha256_of(data) != reference.sha256:
        reason = f"the file has {sha256_of(data)}, the submission says {reference.sha256}"
        raise refused(name, f"{field}.sha256", reason, "a file and its YAML are made together: submit again")
    return data


def _fetched(reference: PredictionsRef, field: str, path: Path, fetch: bool | Callable[[str, int], bytes]) -> bytes:
    from leaderboards.fetch import check_address, fetcher
    from leaderboards.tables import clean, refused

    address = reference.url or ""
    try:
        if fetch is False:
            check_address(address)
            raise refused(path.name, f"{field}.url", _NOT_FETCHED)
        return (fetcher() if fetch is True else fetch)(address, reference.size)
    except CmdfdError as error:
        if hasattr(error, "problems"):
            raise
        fix = "https://huggingface.co/ORG/NAME/resolve/<40 hexadecimal digits>/FILE.parquet"
        raise refused(path.name, f"{field}.url", clean(str(error), 300), fix) from error


def parser() -> argparse.ArgumentParser:
    """The command line."""
    from leaderboards.board import add_options

    p = argparse.ArgumentParser(
        prog="python -m leaderboards.verify",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("submission", type=Path, nargs="+", metavar="SUBMISSION", help="<slug>.yaml of a board")
    add_options(p)
    told = "name of the board, or its folder (default: the folder two above the submission)"
    p.add_argument("--board", metavar="NAME", help=told)
    p.add_argument("--fetch", action="store_true", help="fetch predictions that lie at an address")
    told = "a host besides huggingface.co that they may lie at, as often as needed"
    p.add_argument("--allow-host", action="append", default=[], metavar="HOST", help=told)
    told = "for checks of pull requests: refuse a reproduction that the submission claims for itself"
    p.add_argument("--incoming", action="store_true", help=told)
    again = p.add_argument_group("for maintainers (one submission)")
    again.add_argument("--rerun", type=Path, metavar="RUN_DIR", help="run directory in which you ran the system again")
    again.add_argument("--detector", metavar="NAME", help="its name in that run (default: the run's first)")
    again.add_argument("--tolerance", type=float, default=1e-6, help="largest difference of a score (default 1e-6)")
    again.add_argument("--by", metavar="NAME", help="who ran it again")
    again.add_argument("--stamp", action="store_true", help="write the reproduction into the submission")
    again.add_argument("--withdraw", metavar="REASON", help="take it out of the ranking; it stays listed")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; 0 where all is well, 2 where something is refused."""
    args = parser().parse_args(argv)
    if len(args.submission) > 1 and (args.rerun or args.withdraw):
        sys.stderr.write("error: --rerun and --withdraw take one submission\n")
        return 2
    bad = 0
    for path in args.submission:
        try:
            for line in _one(path, args):
                sys.stdout.write(f"{line}\n")
        except CmdfdError as error:
            sys.stderr.write(f"{error}\n")
            bad += 1
    return 2 if bad else 0


def _one(path: Path, args: argparse.Namespace) -> list[str]:
    from leaderboards.board import board_at, open_board
    from leaderboards.reproduce import stamp_withdrawal, verify_rerun

    folder = path.resolve().parent.parent if args.board is None else board_at(args.board, args.boards)
    opened = open_board(folder, args.truth)
    fetch: Any = False
    if args.fetch:
        from leaderboards.fetch import fetcher

        fetch = fetcher(args.allow_host)
    entry = verify(opened, path, fetch=fetch)
    lines = [f"{path.name}: passes the checks of the board {opened.board.name!r}"]
    lines += [f"  note: {one}" for one in entry.notes]
    if args.incoming and entry.submission.reproduction is not None:
        from leaderboards.tables import refused

        fix = "leave it out; a maintainer writes it"
        raise refused(path.name, "reproduction", "is claimed by the submission itself", fix)
    before = path.read_bytes()
    if args.withdraw:
        stamp_withdrawal(path, args.withdraw)
        lines.append("  withdrawn; it stays listed without a rank")
    if args.rerun:
        lines += verify_rerun(opened, entry, path, args)
    if args.withdraw or args.stamp:
        _read_back(opened, path, before, fetch)
    return lines


def _read_back(board: OpenBoard, path: Path, before: bytes, fetch: Any) -> None:
    """What was written must verify; else the submission is put back as it was."""
    from cmdfd.cache import write_atomic

    try:
        verify(board, path, fetch=fetch)
    except CmdfdError:
        write_atomic(path, before)
        raise


if __name__ == "__main__":
    sys.exit(main())
