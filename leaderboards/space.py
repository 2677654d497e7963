"""`python -m leaderboards.space --out DIR`: a folder that is a Hugging Face Space with the boards in it.

A static Space needs no server, is free for everybody, and is the site as it is. A Gradio Space shows the same numbers
from the same `leaderboard.json` in an interactive table; it is an option for those who want one.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cmdfd.command import ended
from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leaderboards.loading import Unread
    from leaderboards.standings import Standings

#: Newest release that the app was run with.
GRADIO = "6.31.0"
APP = Path(__file__).parent / "gradio_app.py"
_CARD = """---
title: {title}
emoji: 🔎
colorFrom: blue
colorTo: gray
sdk: {sdk}
{more}pinned: false
license: apache-2.0
tags:
- leaderboard
- deepfake-detection
- audio-visual
short_description: Detectors of audio-visual deepfakes, recomputed
---

Every number here is recomputed from submitted predictions; none is claimed. How to submit and how to run a board of
your own stands in the documentation of cmdfd. Made by `python -m leaderboards.space`.
"""


def parser() -> argparse.ArgumentParser:
    """All options."""
    from leaderboards.loading import add_choice

    made = argparse.ArgumentParser(
        prog="python -m leaderboards.space", description="Make the folder of a Hugging Face Space from boards."
    )
    made.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new or empty folder")
    made.add_argument("--sdk", choices=("static", "gradio"), default="static", help="default %(default)s")
    made.add_argument("--title", default="cmdfd leaderboards", metavar="TEXT", help="default: %(default)s")
    add_choice(made)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code.

    0 made, 1 made but submissions were refused or boards could not be read, 2 it could not be done.
    """
    named = parser().parse_args(arguments)
    return ended(lambda: _made(named))


def _made(named: argparse.Namespace) -> int:
    from leaderboards.loading import board_folders, load_boards

    folders = board_folders(named.boards, named.board)
    found = load_boards(folders, truth=named.truth, fetch=named.fetch)
    make_space(found.standings, named.out, named.sdk, named.title, folders[0].parent, found.unread)
    sys.stdout.write(f"{named.out}: upload it with: hf upload ORG/NAME {named.out} . --repo-type space\n")
    for one in found.unread:
        sys.stderr.write(f"cannot be read: the board {one.board}\n{one.reason}\n")
    return 1 if found.unread or any(one.left_out for one in found.standings) else 0


def make_space(
    standings: Sequence[Standings],
    out: Path,
    sdk: str,
    title: str,
    boards: Path | None = None,
    unread: Sequence[Unread] = (),
) -> None:
    """Make the folder.

    Args:
        standings: The boards.
        out: A new or empty folder, or one that holds a Space already.
        sdk: "static" or "gradio".
        title: Of the Space.
        boards: Folder of the boards' files, for downloads; None leaves them out.
        unread: Boards that could not be read; the front page of a static Space lists them.

    Raises:
        CmdfdError: Where the folder holds something else.
    """
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / "README.md").is_file())):
        raise CmdfdError(f"{out} holds something else; name a new folder")
    if sdk == "static":
        from leaderboards.site.build import build_site

        build_site(standings, out, boards, unread)
    else:
        for old in out.glob("boards/*/leaderboard.json"):  # a board that is no longer named would go on being shown
            old.unlink()
        for one in standings:
            place = out / "boards" / str(one.board["name"]) / "leaderboard.json"
            place.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps(one.to_dict(), ensure_ascii=False, allow_nan=False, indent=1)
            place.write_text(text + "\n", encoding="utf-8")
        shutil.copyfile(APP, out / "app.py")
        (out / "requirements.txt").write_text(f"gradio=={GRADIO}\n", encoding="utf-8")
    more = "app_file: index.html\n" if sdk == "static" else f'sdk_version: "{GRADIO}"\napp_file: app.py\n'
    card = _CARD.format(title=json.dumps(title, ensure_ascii=False), sdk=sdk, more=more)
    (out / "README.md").write_text(card, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
