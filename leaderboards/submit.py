"""`python -m leaderboards.submit RUN --board NAME`: make a submission out of a run directory, and verify it at once.

It writes two files, `<slug>.yaml` and `<slug>.parquet` (and `<slug>.pixels.parquet` where the detector gave maps), and
no number: the board computes all of them from the predictions.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmdfd.command import ended
from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leaderboards.composing import Meta
    from leaderboards.entries import Entry, OpenBoard

EPILOG = """examples:
  python -m leaderboards.submit runs/mds-mini/0123abcd --board mini --submitter "A Person"
  python -m leaderboards.submit runs/my_model-Net/89ab --board mini --meta my_model.yaml
  python -m leaderboards.submit runs/my_model-Net/89ab --board mini --dry-run
"""
#: Options that say the same as fields of --meta, and win over them.
_WORDS = {
    "name": "name on the board",
    "slug": "names its files and pages: lower-case letters, digits and hyphens",
    "description": "two sentences: what it looks at, and how",
    "code": "https address of the code",
    "code-commit": "its commit",
    "checkpoint": "https address of the weights",
    "checkpoint-sha256": "their SHA-256",
    "paper": "https address of the paper",
    "licence": "licence of code and weights",
    "submitter": "who answers for the submission",
    "contact": "how to reach them",
    "notes": "anything a reader should know",
    "submitted-at": "day of the submission (default: today)",
}
_LISTS = {
    "modalities": "audio, video or both",
    "trained-on": "all data that weights were learnt from, besides what the run recorded",
    "selected-on": "all data that choices were made on, besides what the run recorded",
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    from leaderboards.board import add_options

    p = argparse.ArgumentParser(
        prog="python -m leaderboards.submit",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("run", type=Path, metavar="RUN", help="run directory of benchmarks.run")
    p.add_argument("--board", required=True, metavar="NAME", help="name of the board")
    p.add_argument("--detector", metavar="NAME", help="a detector of the run (default: its first)")
    p.add_argument("--floors", action="store_true", help="submit the run's floors, too")
    add_options(p)
    p.add_argument("-o", "--out", type=Path, metavar="DIR", help="default: the board's folder submissions/")
    p.add_argument("--replace", action="store_true", help="write over an older submission of the same slug")
    p.add_argument("--dry-run", action="store_true", help="write nothing; print the YAML and what is wrong with it")
    facts = p.add_argument_group("facts that the run does not know")
    facts.add_argument("--meta", type=Path, metavar="FILE", help="YAML with any of these as fields")
    for option, said in _WORDS.items():
        facts.add_argument(f"--{option}", metavar="TEXT", help=said)
    for option, said in _LISTS.items():
        facts.add_argument(f"--{option}", nargs="*", metavar="NAME", help=said)
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; 0 where the submission is good, 2 where something is refused or left to fill in."""
    args = parser().parse_args(argv)
    return ended(lambda: _submit(args))


def _submit(args: argparse.Namespace) -> int:
    from benchmarks.assemble import read_result
    from benchmarks.registry import FLOORS
    from leaderboards.board import SUBMISSIONS, board_named, open_board
    from leaderboards.composing import other_detectors

    folder = board_named(args.board, args.boards)
    board = open_board(folder, args.truth)
    meta = meta_of(args)
    result = read_result(args.run)
    first = args.detector or result.detectors[0].name
    others = [one for one in other_detectors(result, FLOORS) if one != first] if args.floors else []
    codes = []
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) if args.dry_run else args.out or folder / SUBMISSIONS
        for name in [first, *others]:
            codes.append(_one(args, board, name, meta if name == first else _of_floor(meta), out))
    return max(codes)


def meta_of(args: argparse.Namespace) -> Meta:
    """What people said: the fields of `--meta`, and the options over them."""
    from leaderboards.composing import Meta
    from leaderboards.yamlfile import YamlFile, read_yaml, record_of

    data: dict[str, Any] = {}
    if args.meta is not None:
        file = read_yaml(args.meta)
        record_of(file, Meta)  # tells wrong fields with their lines
        data = dict(file.data)
    options = {name.replace("-", "_"): getattr(args, name.replace("-", "_")) for name in (*_WORDS, *_LISTS)}
    data.update({name: value for name, value in options.items() if value is not None})
    return record_of(YamlFile("the options", data, data), Meta)


def _of_floor(meta: Meta) -> Meta:
    """What is said of a system does not hold for the floors beside it, but who submits them does."""
    kept = ("submitter", "contact", "submitted_at")
    return type(meta)(**{name: getattr(meta, name) for name in kept})


def _one(args: argparse.Namespace, board: OpenBoard, detector: str, meta: Meta, out: Path) -> int:
    from leaderboards.composing import open_run, public_name, slug_of, submission_text, submitted_pixels, submitted_rows
    from leaderboards.predictions import write_submitted, write_submitted_pixels
    from leaderboards.problems import SubmissionError
    from leaderboards.records import SLUG
    from leaderboards.verify import verify

    run = open_run(args.run, detector)
    slug = meta.slug or slug_of(public_name(run.info.name))
    if not SLUG.fullmatch(slug):
        raise CmdfdError(f"--slug {slug!r}: lower-case letters, digits and hyphens, at most 64")
    path = out / f"{slug}.yaml"
    if path.exists() and not args.replace:
        raise CmdfdError(f"{path} is there already: give another --slug, or --replace")
    rows, pixels = submitted_rows(run, board), submitted_pixels(run, board)
    write_submitted(out / f"{slug}.parquet", rows)
    files = {"predictions": _reference(out / f"{slug}.parquet")}
    if pixels:
        write_submitted_pixels(out / f"{slug}.pixels.parquet", pixels)
        files["pixels"] = _reference(out / f"{slug}.pixels.parquet")
    text, blanks = submission_text(run, board, meta, slug, files)
    path.write_text(text, encoding="utf-8")
    if args.dry_run:
        sys.stdout.write(text)
    try:
        entry = verify(board, path)
    except SubmissionError as error:
        sys.stderr.write(f"{error}\n")
        _say(args, path, [_redo(args) + (f"; blanks: {', '.join(blanks)}" if blanks else "")])
        return 2
    _say(args, path, [*preview(board, entry), *_next(args, path, blanks, bool(pixels))])
    return 0


def _redo(args: argparse.Namespace) -> str:
    if args.dry_run:
        return "not ready: correct the above"
    return "not ready: correct the above in the YAML, or give the command again with --replace"


def _say(args: argparse.Namespace, path: Path, lines: Sequence[str]) -> None:
    head = f"{path.name}: nothing was written (--dry-run)" if args.dry_run else f"wrote {path}"
    sys.stdout.write("\n".join([head, *lines]) + "\n")


def _next(args: argparse.Namespace, path: Path, blanks: Sequence[str], pixels: bool) -> list[str]:
    lines = [f"  to look at: {', '.join(blanks)}; the lines marked FILL IN say what belongs there"] if blanks else []
    if args.dry_run:
        return lines
    names = [path.name, f"{path.stem}.parquet", *([f"{path.stem}.pixels.parquet"] if pixels else [])]
    where = f" --board {args.boards / args.board}" if args.boards else ""
    return [
        *lines,
        f"next: python -m leaderboards.verify {path}{where}",
        f"then open a pull request that adds {', '.join(names)}",
    ]


def _reference(path: Path) -> dict[str, Any]:
    from cmdfd.clip import sha256_file

    return {"file": path.name, "sha256": sha256_file(path), "size": path.stat().st_size}


def preview(board: OpenBoard, entry: Entry) -> list[str]:
    """What the board will compute, a line for each set; a failed clip counts as the worst of its class.

    Args:
        board: The board.
        entry: A verified submission.
    """
    import numpy as np

    from cmdfd.statistics.roc import auc

    lines = []
    for name, answers in entry.answers.items():
        labels = board.truths[name].table["label"].to_numpy()
        failed = np.isnan(answers.scores)
        scores = np.where(failed, np.where(labels == 1, -np.inf, np.inf), answers.scores)
        gone = f", {failed.sum()} failed" if failed.any() else ""
        lines.append(f"  {name}: recomputed AUC {auc(labels, scores):.4f} on {len(labels)} clips{gone}")
    return [*lines, *(f"  note: {one}" for one in entry.notes)]


if __name__ == "__main__":
    sys.exit(main())
