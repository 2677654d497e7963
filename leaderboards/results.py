"""`python -m leaderboards.results --board NAME --system SLUG`: a system's results for its model repository."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cmdfd.command import ended
from cmdfd.errors import CmdfdError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence


def parser() -> argparse.ArgumentParser:
    """All options."""
    from leaderboards.board import add_options

    made = argparse.ArgumentParser(
        prog="python -m leaderboards.results",
        description="Write .eval_results/BOARD.yaml and model-index.yaml, recomputed from the predictions on a board.",
    )
    made.add_argument("--board", required=True, metavar="NAME", help="the board")
    add_options(made)
    made.add_argument("--fetch", action="store_true", help="fetch predictions that submissions name by an address")
    made.add_argument("--system", required=True, metavar="SLUG", help="the system")
    made.add_argument("--site", metavar="URL", help="public address of the site, for links to the system's page")
    made.add_argument("--out", type=Path, required=True, metavar="DIR", help="stands for the model's repository")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code: 0 written, 2 it could not be done."""
    named = parser().parse_args(arguments)
    return ended(lambda: _write(named))


def _write(named: argparse.Namespace) -> int:
    from leaderboards.board import board_named
    from leaderboards.evalresults import hub_results, write_results
    from leaderboards.loading import load_standings

    standings = load_standings(board_named(named.board, named.boards), truth=named.truth, fetch=named.fetch)
    rows = {row.slug: row for row in standings.rows}
    if named.system not in rows:
        raise CmdfdError(f"the board {named.board!r} has no system {named.system!r}: {nearest(named.system, rows)}")
    page = None
    if named.site:
        page = f"{named.site.rstrip('/')}/boards/{named.board}/systems/{named.system}.html"
    results = hub_results(standings, rows[named.system], page)
    for path in write_results(results, named.board, named.out):
        sys.stdout.write(f"{path}\n")
    for name, why in results.left_out.items():
        sys.stdout.write(f"not in .eval_results: {name}: {why}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
