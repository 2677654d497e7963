"""Build a data set: `python -m generators.build RECIPE [--sources DIR] [--out DIR]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmdfd.errors import MEDIA_CODES, CmdfdError
from cmdfd.tables import REFUSED
from cmdfd.work import EXECUTORS
from generators.builder import (
    DEFAULT_TIMEOUT,
    BuildOptions,
    BuildReport,
    Progress,
    build,
    resolve_recipe,
    silent,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tqdm import tqdm

    from generators.plan import BuildPlan

__all__ = ["BuildOptions", "BuildReport", "Progress", "build", "main", "resolve_recipe", "silent"]

_STEPS = {"takes": "pristine takes", "clips": "real and fake clips", "tables": "tables and audit"}
_MAX_REASONS = 40


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
    add("--dry-run", action="store_true", help="plan and print, make nothing")
    add("--list", action="store_true", help="list recipes, generators and sources")
    return parser


def _list() -> int:
    from generators.recipe import builtin_recipes
    from generators.registry import GENERATORS
    from generators.sources.registry import SOURCES

    generators = {name: made.spec.summary for name, made in GENERATORS.load_all()}
    sources = {name: SOURCES.reference(name) for name in SOURCES.names()}
    for title, rows in (("recipe", builtin_recipes()), ("generator", generators), ("source", sources)):
        _table([title, "what it is"], [[name, text] for name, text in rows.items()])
    return 0


def _run(named: argparse.Namespace) -> int:
    if named.recipe is None:
        raise CmdfdError("name a recipe, for example: python -m generators.build mini-a (or see --list)")
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
    )
    recipe = resolve_recipe(
        named.recipe,
        sources=named.sources,
        seed=named.seed,
        seconds=named.seconds,
        identity_per_file=named.identity_per_file,
    )
    if named.dry_run:
        from generators.plan import make_plan

        return _print_plan(make_plan(recipe, options.limit))
    out = named.out if named.out is not None else Path("data") / recipe.name
    bars = _Bars()
    try:
        report = build(recipe, out, progress=bars, options=options)
    finally:
        bars.close()
    return _print_report(report)


class _Bars:
    """One progress bar with an estimate for each step; silent where stderr is not a terminal."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._step = ""

    def __call__(self, step: str, done: int, total: int) -> None:
        """See `generators.builder.Progress`."""
        if step != self._step:
            from tqdm import tqdm

            self.close()
            self._step = step
            self._bar = tqdm(total=total, desc=_STEPS.get(step, step), disable=None, unit="", dynamic_ncols=True)
        if self._bar is not None:
            self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """End the present bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _table(header: Sequence[str], rows: Sequence[Sequence[object]], title: str | None = None) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for index, name in enumerate(header):
        table.add_column(name, justify="left" if index == 0 or isinstance(rows[0][index], str) else "right")
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    Console().print(table)


def _counts_table(counts: Mapping[str, Mapping[str, int]], title: str) -> None:
    splits = list(counts)
    kinds = sorted({kind for split in splits for kind in counts[split]}, key=lambda kind: (kind != "real", kind))
    rows: list[list[object]] = [
        [kind, *(counts[split].get(kind, 0) for split in splits), sum(counts[s].get(kind, 0) for s in splits)]
        for kind in kinds
    ]
    per_split = [sum(counts[split].values()) for split in splits]
    rows.append(["all", *per_split, sum(per_split)])
    _table(["kind", *splits, "all"], rows, title)


def _print_plan(plan: BuildPlan) -> int:
    _counts_table(plan.counts(), f"{plan.recipe.name}: planned, nothing was made")
    if plan.refused:
        rows = [[one.file, one.code, one.reason] for one in plan.refused[:_MAX_REASONS]]
        _table(["refused file", "code", "reason"], rows)
    return 0


def _refused_table(report: BuildReport) -> None:
    """What was not made: whole files by name, single kinds by kind."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for one in report.refused:
        found.setdefault((one.source, one.code, one.reason), []).append(one.kind or "all")
    grouped: dict[tuple[str, str, str], int] = {}
    for (source, code, reason), kinds in found.items():
        whole = "all" in kinds or "real" in kinds
        key = (source if whole else ", ".join(sorted(set(kinds))), code, reason)
        grouped[key] = grouped.get(key, 0) + (1 if whole else len(kinds))
    rows: list[list[object]] = [[n, *key] for key, n in sorted(grouped.items(), key=lambda pair: -pair[1])]
    if not rows:
        rows = [[n, "", code, MEDIA_CODES.get(code, "")] for code, n in report.refused_codes.items()]
    _table(["not made", "what", "code", "reason"], rows[:_MAX_REASONS])
    more = f"{len(rows) - _MAX_REASONS} more lines, and all" if len(rows) > _MAX_REASONS else "All"
    sys.stdout.write(f"{more} of them one by one: {report.out / REFUSED}\n")


def _print_report(report: BuildReport) -> int:
    write = sys.stdout.write
    if report.remaining:
        write(f"{report.remaining} takes of other ranks are still to be made; the last rank writes the tables.\n")
        return 0
    state = "was finished before" if report.finished_before else "built"
    _counts_table(report.counts, f"{report.name}: {state}, {report.out}")
    if report.refused_codes:
        _refused_table(report)
    if report.audit is not None:
        write(f"Audit: {report.audit['status']}.\n")
        for sentence in list(report.audit["sentences"])[:5]:
            write(f"  {sentence}\n")
    if not report.finished_before:
        parts = ", ".join(f"{_STEPS.get(step, step)} {seconds:.1f} s" for step, seconds in report.seconds.items())
        write(f"Time: {parts}.\n")
    splits = [split for split in ("train", "validation", "test") if split in report.counts]
    if "test" in splits:
        write(f"Next: python -m benchmarks.run --detector mds --report-on {report.out}:test\n")
    else:
        write(f"Next: python -m benchmarks.run --detector mds --train-on {report.out}\n")
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
