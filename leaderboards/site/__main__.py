"""`python -m leaderboards.site --out DIR`: the boards as a static site, with every number recomputed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cmdfd.command import ended

if TYPE_CHECKING:
    from collections.abc import Sequence

EPILOG = """examples:
  python -m leaderboards.site --out site                          all boards of this repository
  python -m leaderboards.site --boards my-boards --board talkers --out site

Open DIR/index.html, or serve DIR as it is: nothing is loaded from elsewhere."""


def parser() -> argparse.ArgumentParser:
    """All options."""
    from leaderboards.loading import add_choice

    made = argparse.ArgumentParser(
        prog="python -m leaderboards.site",
        description="Verify all submissions, recompute all numbers, and build a static site of the boards.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the site: new, or built before")
    add_choice(made)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code.

    0 built, 1 built but submissions were refused or boards could not be read, 2 it could not be done.
    """
    named = parser().parse_args(arguments)
    return ended(lambda: _build(named))


def _build(named: argparse.Namespace) -> int:
    from cmdfd.report.text import plural
    from leaderboards.loading import board_folders, load_boards
    from leaderboards.site.build import build_site

    folders = board_folders(named.boards, named.board)
    found = load_boards(folders, truth=named.truth, fetch=named.fetch, say=_say)
    built = build_site(found.standings, named.out, folders[0].parent, found.unread)
    sys.stdout.write(f"{built.index}: {plural(built.n_boards, 'board')}, {plural(built.n_systems, 'system')}\n")
    refused = [(one.board["name"], *pair) for one in found.standings for pair in one.left_out]
    for board, file, reason in refused:
        sys.stderr.write(f"refused: {file} of the board {board}\n{reason}\n")
    for each in found.unread:
        sys.stderr.write(f"cannot be read: the board {each.board}\n{each.reason}\n")
    return 1 if refused or found.unread else 0


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
