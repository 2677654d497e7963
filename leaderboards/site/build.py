"""Builds the site of some boards. Equal standings give equal bytes; nothing in it says when it was built."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cmdfd.errors import CmdfdError
from leaderboards.records import SLUG, Submission
from leaderboards.site import badges, downloads
from leaderboards.site.files import SiteFolder, read_regular

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from leaderboards.loading import Unread
    from leaderboards.site.pages import Opened
    from leaderboards.standings import Standing, Standings


@dataclass(frozen=True, slots=True)
class Built:
    """What was built.

    Args:
        index: The front page.
        n_boards: Boards.
        n_systems: Pages of systems.
        n_files: All files.
    """

    index: Path
    n_boards: int
    n_systems: int
    n_files: int


def build_site(
    standings: Sequence[Standings], out: Path, boards: Path | None = None, unread: Sequence[Unread] = ()
) -> Built:
    """Write the site.

    Args:
        standings: The boards, in the order of the front page.
        out: Folder of the site: new, empty, or built before.
        boards: Folder with `<board>/submissions/`, of which submissions and predictions are copied for recomputation;
            without it, pages name the files' hashes only. Truths are never copied: some boards keep them at home.
        unread: Boards that could not be read; the front page lists them with the reason.

    Raises:
        CmdfdError: For a folder that is no site, names that cannot be files, two boards of one name, and submissions
            or predictions that are not those that were verified.
    """
    from leaderboards.site.pages import index_page

    _check_names(standings)
    site = SiteFolder(out)
    made = [_write_board(site, one, boards / str(one.board["name"]) if boards else None) for one in standings]
    site.write("index.html", index_page(made, unread))
    return Built(out / "index.html", len(made), sum(len(one.rows) for one in standings), site.finish())


def _check_names(standings: Sequence[Standings]) -> None:
    """Names become paths, so they are checked here once more."""
    names = [str(one.board["name"]) for one in standings]
    for name in names:
        if not SLUG.fullmatch(name):
            raise CmdfdError(f"board name {name!r} must be lower-case letters, digits and hyphens")
        if names.count(name) > 1:
            raise CmdfdError(f"two boards are named {name!r}; rename one of them")
    for one in standings:
        slugs = Counter(row.slug for row in one.rows)
        wrong = [slug for slug, count in slugs.items() if not SLUG.fullmatch(slug) or count > 1]
        if wrong:
            raise CmdfdError(
                f"board {one.board['name']}: slug {wrong[0]!r} must be lower-case letters, digits and hyphens, and one "
                "system's only"
            )


def _write_board(site: SiteFolder, standings: Standings, folder: Path | None) -> Opened:
    from leaderboards.site.pages import about_page, best_of, board_page, opened, system_page

    at = f"boards/{standings.board['name']}"
    copies = {row.slug: _copy(site, at, row, folder) for row in standings.rows}
    one = opened(standings, copies)
    site.write(f"{at}/index.html", board_page(one))
    site.write(f"{at}/about.html", about_page(one))
    best = best_of(standings)
    for listed in one.rows:
        slug = listed.row.slug
        site.write(f"{at}/systems/{slug}.html", system_page(one, listed, best))
        badge = badges.badge_of(listed.row, one.board.title)
        site.write(f"{at}/badges/{slug}.json", badges.endpoint(badge))
        site.write(f"{at}/badges/{slug}.svg", badges.picture(badge))
    rows = downloads.flat_rows(standings)
    site.write(f"{at}/leaderboard.json", downloads.to_json(standings))
    site.write(f"{at}/leaderboard.csv", downloads.to_csv(rows))
    site.write(f"{at}/leaderboard.parquet", downloads.to_parquet(rows))
    return one


def _copy(site: SiteFolder, at: str, row: Standing, folder: Path | None) -> tuple[str, ...]:
    """Copy a submission and its predictions; returns their paths relative to the board's page."""
    if folder is None:
        return ()
    submission = Submission.model_validate(row.submission)
    wanted = [(f"submissions/{row.slug}.yaml", row.submission_sha256)]
    wanted += [
        (f"submissions/{part.file}", part.sha256)
        for part in (submission.predictions, submission.pixels)
        if part is not None and part.file is not None
    ]
    found = []
    for name, sha256 in wanted:
        data = read_regular(folder, name)
        if data is None:
            continue
        if hashlib.sha256(data).hexdigest() != sha256:
            raise CmdfdError(
                f"{folder.name}/{name} changed after it was verified: its sha256 is no longer {sha256}; build again"
            )
        site.write(f"{at}/{name}", data)
        found.append(name)
    return tuple(found)
