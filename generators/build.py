"""Build a data set: `python -m generators.build RECIPE [--sources DIR] [--out DIR]`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmdfd.dataset import Dataset
from cmdfd.errors import CmdfdError
from cmdfd.work import EXECUTORS
from generators.builder import build
from generators.export import EXPORTS, export_beside
from generators.options import DEFAULT_TIMEOUT, BuildOptions, BuildReport, Progress, silent
from generators.resolve import resolve_recipe
from generators.show import STEPS, show_plan, show_report, table, write_plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tqdm import tqdm

    from generators.recipe import Recipe

#: In a log, a line of progress comes after this many seconds.
LINE_SECONDS = 15.0

__all__ = ["BuildOptions", "BuildReport", "Progress", "build", "main", "resolve_recipe", "silent"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code: 0 built, 1 the audit gate found a leak, 2 it could not be built."""
    named = _parser().parse_args(arguments)
    try:
        return _list() if named.list else _run(named)
    except CmdfdError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m generators.build",
        description="Build a labelled data set of real clips and cross-modal fakes. A build that was stopped goes "
        "on where it was when the same command is given again.",
        epilog="Exit codes: 0 built, 1 built but the audit gate found a cue that separates real from fake, "
        "2 could not be built.",
    )
    add = parser.add_argument
    add("recipe", nargs="?", help="a built-in recipe (see --list) or a YAML file")
    add("--sources", type=Path, metavar="DIR", help="folder of your own recordings, instead of the recipe's source")
    add("--out", type=Path, metavar="DIR", help="folder of the data set (default: data/NAME)")
    add("--seed", type=int, metavar="N", help="the recipe's seed is used if none is given")
    add("--workers", type=int, default=2, metavar="N", help="worker processes (default: %(default)s)")
    add("--executor", choices=EXECUTORS, default="local", help="serial: one process, for debugging")
    add("--seconds", type=float, metavar="S", help="length of the clips (default: the recipe's; 2.4 with --sources)")
    add("--limit", type=int, metavar="N", help="at most N people (components) in each split")
    add("--timeout", type=float, default=DEFAULT_TIMEOUT, metavar="S", help="seconds for one take (%(default)g)")
    add("--memory", type=float, metavar="GB", help="memory limit of a worker")
    add("--identity-per-file", action="store_true", help="with --sources: every file shows another person")
    add("--rank", type=int, default=0, metavar="N", help="which shard to do (default: %(default)s)")
    add("--world-size", type=int, default=1, metavar="N", help="number of shards (default: %(default)s)")
    add("--keep-work", action="store_true", help="keep pristine takes and records in DIR/.work")
    add("--overwrite", action="store_true", help="replace another data set in DIR")
    add("--prune", action="store_true", help="remove clips of DIR that the recipe does not plan any more")
    add("--retry-failed", action="store_true", help="try again what failed in a finished set")
    add("--skip-missing", action="store_true", help="build although generators are not installed, without their clips")
    add(
        "--override-rights",
        metavar="REASON",
        help="forge recordings of unknown licence or consent; the reason is recorded in the set",
    )
    add("--dry-run", action="store_true", help="plan and print with counts, disk and time, make nothing")
    add("--plan", type=Path, metavar="FILE", help="with --dry-run: write the whole plan as JSON lines")
    add(
        "--export",
        action="append",
        choices=sorted(EXPORTS),
        help="write the set in the form of another one, too, to OUT-NAME; can be given again",
    )
    add("--list", action="store_true", help="list recipes, generators and sources")
    return parser


def _list() -> int:
    from generators.recipe import builtin_recipes
    from generators.registry import GENERATORS
    from generators.sources.registry import SOURCES

    generators = {name: made.spec.summary for name, made in GENERATORS.load_all()}
    sources = {name: SOURCES.reference(name) for name in SOURCES.names()}
    for title, rows in (("recipe", builtin_recipes()), ("generator", generators), ("source", sources)):
        table([title, "what it is"], [[name, text] for name, text in rows.items()])
    return 0


def _run(named: argparse.Namespace) -> int:
    if named.recipe is None:
        raise CmdfdError("name a recipe, for example: python -m generators.build mini-a (or see --list)")
    if named.override_rights is not None and not named.override_rights.strip():
        raise CmdfdError("--override-rights needs a reason in words; it is recorded in the set")
    if named.plan is not None and not named.dry_run:
        raise CmdfdError("--plan FILE goes with --dry-run")
    if named.export and named.dry_run:
        raise CmdfdError("--export writes a finished set; it does not go with --dry-run")
    options = BuildOptions(
        workers=named.workers,
        executor=named.executor,
        timeout=named.timeout,
        memory_bytes=int(named.memory * 1e9) if named.memory is not None else None,
        limit=named.limit,
        rank=named.rank,
        world_size=named.world_size,
        keep_work=named.keep_work,
        overwrite=named.overwrite,
        prune=named.prune,
        retry_failed=named.retry_failed,
        skip_missing=named.skip_missing,
        rights_override=(named.override_rights or "").strip(),
    )
    recipe = resolve_recipe(
        named.recipe,
        sources=named.sources,
        seed=named.seed,
        seconds=named.seconds,
        identity_per_file=named.identity_per_file,
    )
    if named.sources is None and recipe.source.kind == "folder" and recipe.source.options.get("folder") == ".":
        raise CmdfdError(
            f"the recipe {recipe.name!r} is for recordings of your own: name their folder with --sources DIR"
        )
    out = named.out if named.out is not None else Path("data") / recipe.name
    if named.dry_run:
        return _dry_run(recipe, options, named.plan, out)
    bars = _Bars()
    try:
        report = build(recipe, out, progress=bars, options=options)
    finally:
        bars.close()
    return _exported(named.export or (), report)


def _exported(names: Sequence[str], report: BuildReport) -> int:
    """Tell how a build ended, and write the set in other forms where this rank finished it."""
    code = show_report(report)
    for name in names if not report.remaining else ():
        sys.stdout.write("".join(f"{line}\n" for line in export_beside(Dataset.open(report.out), name)))
    return code


def _dry_run(recipe: Recipe, options: BuildOptions, file: Path | None, out: Path) -> int:
    from generators.builder import standing_of
    from generators.estimate import estimate
    from generators.missing import missing_generators, require_extras
    from generators.plan import make_plan
    from generators.withdrawn import without_withdrawn

    plan = without_withdrawn(make_plan(recipe, options.limit, options.rights_override), out)
    require_extras(plan)
    if file is not None:
        write_plan(plan, file)
    code = show_plan(plan, estimate(plan, options.workers), missing_generators(plan))
    sys.stdout.write(standing_of(plan, out))
    return code


class _Bars:
    """One progress bar with an estimate for each step; a line now and then where stderr is not a terminal."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._step = ""
        self._lines = not sys.stderr.isatty()
        self._began = self._told = time.monotonic()

    def __call__(self, step: str, done: int, total: int) -> None:
        """See `generators.builder.Progress`."""
        if step != self._step:
            from tqdm import tqdm

            self.close()
            self._step = step
            self._bar = tqdm(total=total, desc=STEPS.get(step, step), disable=None, unit="", dynamic_ncols=True)
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
        now = time.monotonic()
        if self._lines and now - self._told >= LINE_SECONDS:
            self._told = now
            passed = divmod(round(now - self._began), 60)
            sys.stderr.write(f"[{passed[0]}:{passed[1]:02d}] {STEPS.get(step, step)}: {done}/{total}\n")
            sys.stderr.flush()

    def close(self) -> None:
        """End the present bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


if __name__ == "__main__":
    sys.exit(main())
