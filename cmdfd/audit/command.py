"""The command line of the auditor, and the command that repeats an audit."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from cmdfd.audit.severity import SEVERITIES
from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Sequence

EPILOG = """examples:
  python -m cmdfd.audit DATASET                       a built set, or any folder with metadata or class folders
  python -m cmdfd.audit reals/ fakes/                 two folders
  python -m cmdfd.audit real.csv fake.csv             lists alone, without media
  python -m cmdfd.audit ORG/NAME@v1.0.0 --split test       a set on the Hugging Face Hub (extra `hub`)
  python -m cmdfd.audit DATASET --quick --fail-on high     as a gate in CI
  python -m cmdfd.audit DATASET --fix REPAIRED        symmetric repairs into a new set, which is audited again
  python -m cmdfd.audit REPAIRED --before audits/DATASET/audit.json    did a cue only move?

exit codes: 0 audited, 1 the severity of --fail-on was reached (or, with --fix, is still reached), 2 it could not be
audited, 3 with --fail-on where nothing was found because nothing could be tested"""


def parser() -> argparse.ArgumentParser:
    """All options."""
    made = argparse.ArgumentParser(
        prog="python -m cmdfd.audit",
        description="What separates real from fake in a set and has nothing to do with forgery?",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "target", nargs="*", metavar="TARGET", help="a set, a folder, two folders (real, fake), lists, ORG/NAME"
    )
    _what(made)
    _how(made)
    _out(made)
    return made


def _what(made: argparse.ArgumentParser) -> None:
    add = made.add_argument_group("what (lists and folders that do not say it themselves)").add_argument
    add("--label-column", metavar="NAME", help="column that holds the label")
    add("--fake-values", nargs="+", default=[], metavar="VALUE", help="its values that mean fake")
    add("--group-column", metavar="NAME", help="column of the person or source: clips of one stay together")
    add("--generator-column", metavar="NAME", help="column that names who made the fake")
    add("--split-column", metavar="NAME", help="column that names the split")
    add("--ignore-columns", nargs="+", default=[], metavar="NAME", help="columns that are no cues")
    add("--media-root", type=Path, metavar="DIR", help="folder that a list's paths are relative to: measure the files")
    add("--split", metavar="NAME", help="audit this split alone")
    add("--sample", type=int, metavar="N", help="only about N clips, whole components drawn by the seed")


def _how(made: argparse.ArgumentParser) -> None:
    add = made.add_argument_group("how").add_argument
    add("--quick", action="store_true", help="headers and packets only: nothing is decoded")
    add("--cues", nargs="+", default=[], metavar="NAME", help="cues, families or presets (--list cues)")
    add(
        "--by",
        default="generator,split,modality",
        metavar="NAMES",
        help="compare by these, too: generator, split, modality, platform; `none` for all fakes alone (%(default)s)",
    )
    add("--draws", type=int, default=9999, metavar="N", help="rearrangements of the labels (default %(default)s)")
    add("--seed", type=int, default=0, metavar="N", help="seed of everything drawn (default %(default)s)")
    add(
        "--trees",
        choices=("none", "shown", "likely", "all"),
        default="likely",
        help="cues that get the tree probe (default: %(default)s)",
    )
    add("--no-deeper", action="store_true", help="leave out floor, conditional tests, split probe and controls")
    add("--workers", type=int, metavar="N", help="processes that read files (default: one a core)")
    add("--plugin", action="append", default=[], metavar="REF", help="own cues: 'pkg.mod:Name' or 'file.py:Name'")


def _out(made: argparse.ArgumentParser) -> None:
    add = made.add_argument_group("what for").add_argument
    add("-o", "--output-path", type=Path, default=Path("audits"), metavar="DIR", help="reports go to DIR/NAME")
    add("--fail-on", choices=SEVERITIES[1:], metavar="SEVERITY", help=f"exit 1 from: {', '.join(SEVERITIES[1:])}")
    add("--before", type=Path, metavar="AUDIT.JSON", help="an earlier audit: tell which cues went, stayed or moved")
    add("--fix", type=Path, metavar="OUT", help="write a repaired copy there and audit it")
    add("--remedies", nargs="+", default=[], metavar="NAME", help="only these remedies of --fix")
    add("--recipe", type=Path, metavar="YAML", help="repair by this recipe (repair.yaml of an earlier --fix)")
    add("--subsets", action="store_true", help="also write the shortcut-free and the hard subset as lists")
    add("--list", choices=("cues", "presets"), help="list what there is and stop")


def by_of(text: str) -> tuple[str, ...]:
    """Names of `--by`."""
    return tuple(name.strip() for name in text.split(",") if name.strip() not in ("", "none"))


def check(named: argparse.Namespace) -> None:
    """Refuse options that do not go together.

    Raises:
        CmdfdError: With the option and the fix.
    """
    if not named.target:
        raise CmdfdError(
            "name what to audit: a set, a folder, two folders, lists or ORG/NAME on the Hub (--help shows examples)"
        )
    if named.draws < 1:
        raise CmdfdError(f"--draws must be at least 1, got {named.draws}")
    if named.seed < 0:
        raise CmdfdError(f"--seed must be at least 0, got {named.seed}")
    if named.sample is not None and named.sample < 2:
        raise CmdfdError(f"--sample must be at least 2, got {named.sample}")
    if named.workers is not None and named.workers < 1:
        raise CmdfdError(f"--workers must be at least 1, got {named.workers}")
    if (named.remedies or named.recipe) and not named.fix:
        raise CmdfdError("--remedies and --recipe say how to repair; name the folder of the repaired set by --fix OUT")
    if named.remedies and named.recipe:
        raise CmdfdError("--remedies and --recipe exclude each other: the recipe holds its remedies")
    _check_place(named.output_path)
    if named.fix:
        _check_fix(named)


def _check_place(folder: Path) -> None:
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK):
        raise CmdfdError(f"--output-path: nothing can be written to {place}; name another folder")


def _check_fix(named: argparse.Namespace) -> None:
    """Refuse at once what the repair would refuse after the audit, which can take hours."""
    from cmdfd.audit.repair.recipe import ORDER, REPAIR_FILE, Repair

    for name in named.remedies:
        if name not in ORDER:
            raise CmdfdError(f"--remedies: {name!r} is none: known: {', '.join(ORDER)}")
    if named.recipe:
        Repair.read(named.recipe)
    out = named.fix
    if out.exists() and not out.is_dir():
        raise CmdfdError(f"--fix: {out} is a file; name a new folder")
    if out.is_dir() and any(out.iterdir()) and not (out / REPAIR_FILE).is_file():
        raise CmdfdError(f"--fix: {out} is not empty and holds no repair; choose another folder")


def repeat_words(named: argparse.Namespace, typed: Sequence[str]) -> list[str]:
    """Words of the command that repeats this audit, as they were typed, without what only says where reports go."""
    skipped = {"-o", "--output-path", "--before", "--fix", "--recipe"}
    words, drop = ["python", "-m", "cmdfd.audit"], False
    for word in typed:
        if drop:
            drop = False
        elif word in skipped:
            drop = True
        else:
            words.append(word)
    return words
