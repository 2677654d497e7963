"""`python -m cmdfd.audit TARGET`: what separates real from fake here that has nothing to do with forgery?"""

from __future__ import annotations

import json
import sys
import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING

from cmdfd.audit.command import by_of, check, parser, repeat_words
from cmdfd.command import ended, teller
from cmdfd.errors import CmdfdError
from cmdfd.report.text import clean

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from rich.console import Console

    from cmdfd.audit.records import AuditReport
    from cmdfd.audit.run import Audited, AuditOptions


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code (see `--help`)."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    named = parser().parse_args(typed)
    return ended(lambda: _run(named, typed))


def _run(named: argparse.Namespace, typed: Sequence[str]) -> int:
    if named.list:
        return _list(named.list, tuple(named.plugin))
    check(named)
    return _audit(named, typed)


def _options(named: argparse.Namespace) -> AuditOptions:
    from cmdfd.audit.analysis import Settings
    from cmdfd.audit.run import AuditOptions

    settings = Settings(by=by_of(named.by), n_draws=named.draws, seed=named.seed, trees=named.trees)
    return AuditOptions(
        quick=named.quick,
        cues=tuple(named.cues),
        settings=settings,
        deeper=not named.no_deeper,
        sample=named.sample,
        workers=named.workers,
        plugins=tuple(named.plugin),
    )


def _audit(named: argparse.Namespace, typed: Sequence[str]) -> int:
    from cmdfd.audit.report import print_terminal, read_report
    from cmdfd.audit.run import audit
    from cmdfd.audit.targets.opening import open_target
    from cmdfd.audit.targets.options import TargetOptions

    before = read_report(named.before) if named.before else None
    say = teller()
    target = open_target(
        named.target,
        TargetOptions(
            label_column=named.label_column,
            fake_values=tuple(named.fake_values),
            group_column=named.group_column,
            generator_column=named.generator_column,
            split_column=named.split_column,
            ignore_columns=tuple(named.ignore_columns),
            split=named.split,
            media_root=named.media_root,
        ),
    )
    options = _options(named)
    found = audit(target, options, say)
    words = repeat_words(named, typed)
    try:
        page = _write(found, named.output_path, words)
    except OSError as error:
        raise CmdfdError(f"--output-path: {named.output_path} cannot be written: {error}") from error
    console = _console()
    print_terminal(found.report, console, typed=words, page=page)
    if before is not None:
        _print_moves(before, found, console, page.parent)
    if named.subsets:
        _subsets(found, page.parent, named.seed, console)
    if named.fix:
        found = _fix(named, found, page, options, say, console)
    return _exit_code(named.fail_on, found)


def _exit_code(fail_on: str | None, found: Audited) -> int:
    if fail_on is None:
        return 0
    if found.report.at_least(fail_on):  # type: ignore[arg-type]
        return 1
    return 3 if found.report.status == "not testable" else 0


def _write(found: Audited, folder: Path, words: Sequence[str], taken: Path | None = None) -> Path:
    """Write everything that an audit leaves behind, elsewhere than in the `taken` folder; the path of its page."""
    from cmdfd.audit.report import biases, card_section, render_html, to_json
    from cmdfd.cache import write_atomic

    safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in found.report.name).strip(".") or "set"
    out = folder / safe[:100]
    if out == taken:  # a repaired set of the same name must not take the place of the first audit
        out = out.with_name(f"{out.name}-repaired")
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / "audit.json", to_json(found.report).encode())
    write_atomic(out / "audit.html", render_html(found.report, found.table, found.target, typed=words).encode())
    write_atomic(out / "data_biases.txt", (biases(found.report) + "\n").encode())
    write_atomic(out / "card.md", (card_section(found.report, words) + "\n").encode())
    kept = [name for name in found.table.columns if name in ("id", "label", "component") or "." in str(name)]
    write_atomic(out / "cues.csv", found.table[kept].to_csv(index=False).encode("utf-8", "replace"))
    return out / "audit.html"


def _print_moves(before: AuditReport, found: Audited, console: Console, folder: Path) -> None:
    """Tell what became of the flagged cues, and keep it as JSON beside the audit."""
    from cmdfd.audit.repair import compare
    from cmdfd.cache import write_atomic

    moves = compare(before, found.report)
    text = json.dumps(moves.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomic(folder / "moves.json", text.encode())
    console.print()
    console.print("Against the earlier audit:", highlight=False)
    for sentence in moves.sentences():
        console.print(f"- {clean(sentence)}", highlight=False, markup=False)


def _subsets(found: Audited, out: Path, seed: int, console: Console) -> None:
    from cmdfd.audit.repair import export_subsets

    subsets = export_subsets(found.report, found.table, found.target, out / "subsets", seed=seed)
    for sentence in subsets.sentences:
        console.print(sentence, highlight=False, markup=False)


def _fix(
    named: argparse.Namespace,
    found: Audited,
    first: Path,
    options: AuditOptions,
    say: Callable[[str], None],
    console: Console,
) -> Audited:
    """Repair, audit again, tell what moved."""
    from cmdfd.audit.repair import Repair, apply, plan_repair
    from cmdfd.audit.report import print_terminal
    from cmdfd.audit.run import audit
    from cmdfd.audit.targets.opening import open_target

    if named.recipe:
        repair = Repair.read(named.recipe)
    else:
        remedies = named.remedies or None
        repair = plan_repair(found.report, found.target, table=found.table, remedies=remedies, seed=named.seed)
    console.print()
    if not repair.names:
        console.print("Nothing to repair: no flagged cue and no check has a remedy by machine.", highlight=False)
        return found
    console.print(f"Repair: {', '.join(repair.names)} (every step treats all clips alike)", highlight=False)
    say("repairing")
    applied = apply(repair, found.target, found.table, named.fix, workers=named.workers or 2)
    for sentence in applied.sentences:
        console.print(sentence, highlight=False, markup=False)
    again = audit(applied.target or open_target([applied.folder]), replace(options, sample=None), say)
    words = ["python", "-m", "cmdfd.audit", str(named.fix)]
    page = _write(again, named.output_path, words, first.parent)
    print_terminal(again.report, console, typed=words, page=page)
    _print_moves(found.report, again, console, page.parent)
    return again


def _list(what: str, plugins: tuple[str, ...]) -> int:
    from rich.table import Table

    from cmdfd.audit.catalogue import known_cues
    from cmdfd.audit.cues.presets import PRESETS
    from cmdfd.audit.registry import load_plugins

    console = _console()
    if what == "presets":
        table = Table("preset", "cues")
        for name, cues in PRESETS.items():
            table.add_row(name, ", ".join(cues))
    else:
        # a table of eighty columns would cut the names, which are there to be copied
        own = {cue.name: cue for one in load_plugins(plugins) for cue in one.plugin.cues}
        for cue in sorted(known_cues((own,)).values(), key=lambda one: one.name):
            facts = f"{cue.kind}, {cue.unit or 'no unit'}, fix: {cue.fix}"
            console.print(f"{cue.name}  ({facts})", highlight=False, markup=False, style="bold")
            console.print(textwrap.indent(textwrap.fill(cue.rule, 76), "    "), highlight=False, markup=False)
        return 0
    console.print(table, highlight=False, markup=False)
    return 0


def _console() -> Console:
    from rich.console import Console

    return Console(legacy_windows=False)


if __name__ == "__main__":
    sys.exit(main())
