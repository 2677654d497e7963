"""`python -m benchmarks.method_floors DIR`: does any method of a set give itself away without its picture or sound?"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.method_floors.crossfit import N_REPEATS
from benchmarks.method_floors.judge import judge_methods
from benchmarks.method_floors.load import load_list, load_set, measured
from benchmarks.method_floors.text import print_report
from benchmarks.progress import Terminal
from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.method_floors.records import FloorsReport


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns 0 where no method was shown to tell, 1 where one was, 2 for what cannot be judged."""
    named = _parser().parse_args(arguments)
    try:
        if named.repeats < 1:
            raise CmdfdError(f"--repeats must be at least 1, got {named.repeats}")
        report = _report(named)
    except CmdfdError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    if named.json:
        sys.stdout.write(report.model_dump_json(indent=1) + "\n")
    else:
        print_report(report)
    return int(any(method.verdict == "tells" for method in report.methods))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.method_floors",
        description="For every fake kind against the reals: the AUC of floor:container and of the gap between sound "
        "and picture, with 95 % intervals over components. At chance: the interval lies inside .35 to .65.",
        epilog="Exit codes: 0 no method was shown to tell, 1 at least one was, 2 the set cannot be judged.",
    )
    add = parser.add_argument
    add("set", type=Path, metavar="DIR", help="a built set, or a list in CMDFD's form (.csv; lengths and rates only)")
    add("--split", help="split that is judged (default: test, else the set's last one)")
    add("--platform", action="append", metavar="NAME", help="only these versions; `original` is before any platform")
    add("--cross-validate", action="store_true", help="leave out what is learnt from the train split")
    add("--repeats", type=int, default=N_REPEATS, metavar="N", help="partitions to cross-validate on (%(default)s)")
    add("--seed", type=int, default=0, metavar="N", help="seed (default: %(default)s)")
    add("--json", action="store_true", help="print JSON instead of a table")
    return parser


def _report(named: argparse.Namespace) -> FloorsReport:
    if named.set.suffix.lower() == ".csv":
        listed = load_list(named.set)
        return judge_methods(listed, name=named.set.stem, judged="list", n_repeats=named.repeats, seed=named.seed)
    chosen = load_set(named.set, named.split, cross_validate=named.cross_validate, platforms=named.platform)
    total = len(chosen.judged) + len(chosen.train)
    with Terminal().bar("measure files") as bar:
        judged = measured(chosen.data, chosen.judged, lambda done: bar(done, total))
        train = measured(chosen.data, chosen.train, lambda done: bar(len(chosen.judged) + done, total))
    return judge_methods(
        judged.rows,
        train.rows if chosen.train else None,
        name=chosen.data.name,
        judged=chosen.split,
        n_unreadable=judged.n_unreadable + train.n_unreadable,
        n_repeats=named.repeats,
        seed=named.seed,
    )


if __name__ == "__main__":
    sys.exit(main())
