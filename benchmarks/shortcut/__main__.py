"""`python -m benchmarks.shortcut`: what a detector gains from a planted leading silence, and loses without it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns 0 where it was measured, 2 where it could not be."""
    named = _parser().parse_args(arguments)
    from benchmarks.progress import Terminal
    from benchmarks.shortcut.experiment import Plan, experiment
    from benchmarks.shortcut.text import print_outcome
    from cmdfd.cache import write_atomic

    plan = Plan(
        data=named.set,
        detector=named.detector,
        seconds=named.milliseconds / 1000,
        seed=named.seed,
        output=named.output_path,
        cache=named.cache_dir,
        workers=named.workers,
    )
    try:
        outcome = experiment(plan, Terminal())
    except CmdfdError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    text = json.dumps(outcome.to_dict(), indent=1, allow_nan=False) + "\n"
    write_atomic(plan.output / "shortcut.json", text.encode())
    print_outcome(outcome)
    sys.stdout.write(f"written to {plan.output / 'shortcut.json'}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.shortcut",
        description="Train a detector on a set whose fakes begin with digital silence and on the same set without it, "
        "and test both on both, also with the silence trimmed by AVH-Align's rule.",
    )
    add = parser.add_argument
    add("--set", default="mini-a", help="embedded set or folder of a built one (default: %(default)s)")
    add("-d", "--detector", default="mds", help="as for benchmarks.run (default: %(default)s)")
    add("--milliseconds", type=float, default=60.0, metavar="N", help="length of the silence (default: %(default)s)")
    add("--seed", type=int, default=0, metavar="N", help="seed of training and draws (default: %(default)s)")
    add("--workers", type=int, default=2, metavar="N", help="processes (default: %(default)s)")
    add("-o", "--output-path", type=Path, default=Path("runs/shortcut"), metavar="DIR", help="default: %(default)s")
    add("--cache-dir", type=Path, metavar="DIR", help="default: $CMDFD_CACHE or the user's cache folder")
    return parser


if __name__ == "__main__":
    sys.exit(main())
