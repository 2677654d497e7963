"""`python -m benchmarks.run --detector mds`: build, train, judge, report; or score single files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.progress import Terminal
    from benchmarks.runner import RunConfig

EPILOG = """examples:
  python -m benchmarks.run --detector mds
      the whole job on the embedded sets: build, train, judge inside and across sets, report
  python -m benchmarks.run --detector mds --limit 0.2
      the same on a fifth of the people of every split
  python -m benchmarks.run --detector mds --report-on path/to/set
      train on the embedded set, judge on the test split of your own
  python -m benchmarks.run --detector mds --train-on DIR --select-on DIR --report-on DIR
      train, select and judge on the splits of one set
  python -m benchmarks.run --detector mds --predict clip.mp4
      score one file and draw its timeline
"""


def parser() -> argparse.ArgumentParser:
    """The command line; importing it imports no torch."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.run",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = p.add_argument_group("what")
    what.add_argument("-d", "--detector", default="mds", help="name, name:preset, pkg.mod:Class or file.py:Class")
    what.add_argument("--preset", help="preset of the detector, e.g. mini, fixed, faithful")
    what.add_argument("--detector-args", nargs="*", default=[], metavar="K=V", help="keywords of the detector")
    what.add_argument("--list", choices=["detectors", "sets", "metrics"], help="list what there is and stop")
    what.add_argument("--predict", nargs="+", metavar="FILE", help="score these files instead of judging on sets")
    _add_sets(p.add_argument_group("on which clips (NAME/SPLIT of an embedded set, or FOLDER[:SPLIT] of a built one)"))
    _add_manner(p.add_argument_group("how"))
    where = p.add_argument_group("where")
    where.add_argument("-o", "--output-path", type=Path, default=Path("runs"), help="default: runs")
    where.add_argument("--cache-dir", type=Path, help="default: $CMDFD_CACHE or the user's cache folder")
    return p


def _add_sets(on: argparse._ArgumentGroup) -> None:
    on.add_argument("--train-on", nargs="+", metavar="SET", help="default: mini-a/train")
    on.add_argument("--select-on", nargs="+", metavar="SET", help="default: mini-a/validation")
    on.add_argument("--report-on", nargs="+", metavar="SET", help="default: mini-a/test mini-b/test")
    told = "judge on the versions of these platforms only; `original` names the clips before any (default: all)"
    on.add_argument("--platforms", nargs="+", default=[], metavar="NAME", help=told)
    on.add_argument("--limit", type=float, help="components of every split: a number, or a share below 1")


def _add_manner(how: argparse._ArgumentGroup) -> None:
    how.add_argument("--seed", type=int, default=0, help="seed of training and bootstrap (default 0)")
    how.add_argument("--fit-seeds", type=int, default=1, metavar="N", help="training seeds for the spread (default 1)")
    how.add_argument(
        "--overwrite-strategy",
        choices=["always", "never", "only-missing", "only-cache"],
        default="only-missing",
    )
    told = "a plug-in metric beside the usual ones, as often as needed (names: --list metrics)"
    how.add_argument("--metric", action="append", default=[], metavar="NAME", help=told)
    how.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    how.add_argument("--no-floors", action="store_true", help="leave out random, floor:container and floor:rate")
    how.add_argument("--face-model", type=Path, help="face landmarker model file for newer mediapipe (--predict)")


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse arguments; underscores in option names are taken for hyphens."""
    words = list(sys.argv[1:] if argv is None else argv)
    return parser().parse_args([_hyphens(word) for word in words])


def _hyphens(word: str) -> str:
    if not word.startswith("--"):
        return word
    name, found, value = word.partition("=")
    return name.replace("_", "-") + found + value


def keywords(pairs: Sequence[str]) -> dict[str, Any]:
    """Read `K=V` pairs; values are JSON where they parse as JSON, text elsewhere."""
    import json

    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.isidentifier():
            raise CmdfdError(f"--detector-args takes NAME=VALUE, got {pair!r}")
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found


def config_of(args: argparse.Namespace) -> RunConfig:
    """Turn arguments into a configuration."""
    from benchmarks.predicting import Overwrite
    from benchmarks.protocol import DEFAULT_REPORT, DEFAULT_SELECT, DEFAULT_TRAIN
    from benchmarks.runner import RunConfig

    if args.fit_seeds < 1 or args.workers < 1:
        raise CmdfdError("--fit-seeds and --workers must be at least 1")
    return RunConfig(
        detector=args.detector,
        preset=args.preset,
        options=keywords(args.detector_args),
        train_on=tuple(args.train_on or DEFAULT_TRAIN),
        select_on=tuple(args.select_on or DEFAULT_SELECT),
        report_on=tuple(args.report_on or DEFAULT_REPORT),
        seed=args.seed,
        fit_seeds=args.fit_seeds,
        limit=args.limit,
        overwrite=Overwrite(args.overwrite_strategy),
        output=args.output_path,
        cache=args.cache_dir,
        workers=args.workers,
        floors=not args.no_floors,
        platforms=tuple(args.platforms),
        metrics=tuple(args.metric),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    args = parse(argv)
    from benchmarks.progress import Terminal

    terminal = Terminal()
    try:
        if args.list:
            return _list(args.list)
        if args.predict:
            from benchmarks.predict_file import predict_files

            return predict_files(args.predict, config_of(args), terminal, args.face_model)
        return _run(config_of(args), terminal)
    except CmdfdError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("stopped; the same command takes the work up again\n")
        return 130


def _list(what: str) -> int:
    from benchmarks.listing import detectors_table, metrics_table, sets_table
    from benchmarks.progress import console

    tables = {"detectors": detectors_table, "sets": sets_table, "metrics": metrics_table}
    console().print(tables[what]())
    return 0


def _run(config: RunConfig, terminal: Terminal) -> int:
    from benchmarks.assemble import finish, run
    from benchmarks.progress import console
    from benchmarks.report.terminal import print_closing

    outcome = run(config, terminal)
    report = finish(outcome, terminal)
    print_closing(outcome.result, console(), report=report, folder=outcome.folder, typed=outcome.typed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
