"""`python -m cmdfd.takedown DIR --person ID`: takes people, recordings or clips out of a set, with all derived."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cmdfd.command import ended
from cmdfd.errors import CmdfdError
from cmdfd.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cmdfd.takedown.run import Options

EPILOG = """examples:
  python -m cmdfd.takedown data/mine --person p07 --dry-run            what would go, and why; nothing is written
  python -m cmdfd.takedown data/mine --person p07 --out data/mine-2    a new set beside the old one
  python -m cmdfd.takedown data/mine --source 3f2a... --in-place
  python -m cmdfd.takedown data/mine --person p07 --out data/mine-2 --repo my-lab/mine --tag v1.1.0
                                     what has to be deleted on the Hub; with --yes it is done

A later build into the folder never makes what was withdrawn. What others have copied cannot be called back.

exit codes: 0 done (or shown), 1 the new version may not be published, 2 it could not be done"""


def parser() -> argparse.ArgumentParser:
    """All options."""
    made = argparse.ArgumentParser(
        prog="python -m cmdfd.takedown",
        description="Take people, recordings or clips out of a built set, with everything that was derived from them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("folder", type=Path, metavar="DIR", help="the built set, with its labels")
    add = made.add_argument_group("what goes (each can be given again)").add_argument
    add("--person", action="append", default=[], metavar="ID", help="face_id or voice_id of a person")
    add("--source", action="append", default=[], metavar="ID", help="a recording (source_ids), or the key of a take")
    add("--clip", action="append", default=[], metavar="ID", help="a clip; a real one goes with all made of its take")
    add("--name", action="append", default=[], metavar="TEXT", help="a word that goes from texts, e.g. a file's name")
    add = made.add_argument_group("how").add_argument
    add("--out", type=Path, metavar="NEW_DIR", help="folder of the new set (default: DIR-takedown)")
    add("--in-place", action="store_true", help="change DIR itself")
    add("--dry-run", action="store_true", help="show what would go; write nothing, change nothing")
    add("--explain", action="store_true", help="the reason for every clip, one by one")
    _hub(made)
    return made


def _hub(made: argparse.ArgumentParser) -> None:
    add = made.add_argument_group("on the Hugging Face Hub").add_argument
    add("--repo", metavar="ORG/NAME", help="repository that holds the set: shows what has to be deleted there")
    add("--tag", default="", metavar="TAG", help="tag of the new version, e.g. v1.1.0 (needed with --repo)")
    add("--yes", action="store_true", help="do it there: close, delete, upload, forget the history, open again")
    add("--card", type=Path, metavar="YAML", help="what only you know, as for python -m cmdfd.publish")
    add("--accept", action="append", default=[], metavar="CODE=REASON", help="as for python -m cmdfd.publish")
    add("--audit", choices=("full", "quick"), default="full", help="as for python -m cmdfd.publish")
    add(
        "-o",
        "--output-path",
        type=Path,
        default=Path("published"),
        metavar="DIR",
        help="the public copy goes to DIR/ORG--NAME (default DIR: %(default)s)",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code (see `--help`)."""
    named = parser().parse_args(arguments)
    return ended(lambda: _run(named), "stopped; the same command goes on where it stopped")


def _run(named: argparse.Namespace) -> int:
    from cmdfd.takedown.run import run

    return run(_options(named), _write, lambda text: _write([text], sys.stderr))


def _options(named: argparse.Namespace) -> Options:
    from cmdfd.takedown.closure import Asked
    from cmdfd.takedown.run import HubOptions, Options

    if named.in_place and named.out is not None:
        raise CmdfdError("--in-place changes DIR, --out makes a new folder: choose one")
    if named.repo is None and (named.yes or named.card or named.accept):
        raise CmdfdError("--yes, --card and --accept go with --repo ORG/NAME")
    if named.repo is not None and not named.tag:
        raise CmdfdError("--repo needs the tag of the new version, e.g. --tag v1.1.0; tags of old versions are deleted")
    hub = HubOptions(named.repo, named.tag, named.yes, named.card, tuple(named.accept), named.audit, named.output_path)
    folder: Path = named.folder
    out = None if named.in_place else named.out or folder.with_name(f"{folder.resolve().name}-takedown")
    return Options(
        folder,
        Asked(tuple(named.person), tuple(named.source), tuple(named.clip), tuple(named.name)),
        out,
        named.tag,
        dry_run=named.dry_run,
        explain=named.explain,
        hub=hub if named.repo is not None else None,
    )


def _write(lines: Iterable[str], stream: object = None) -> None:
    where = sys.stdout if stream is None else sys.stderr
    where.write("".join(f"{clean(line)}\n" for line in lines))


if __name__ == "__main__":
    sys.exit(main())
