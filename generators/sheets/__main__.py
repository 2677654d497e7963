"""`python -m generators.sheets DIR`: write the contact sheet and the data sheet of a finished set anew."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cmdfd.dataset import Dataset
from cmdfd.errors import CmdfdError
from generators.sheets import SHEETS, write_contact_sheet, write_data_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns 0, or 2 where the set cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m generators.sheets", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="a finished set")
    parser.add_argument("--people", type=int, default=6, metavar="N", help="takes to show (default: %(default)s)")
    parser.add_argument("--frames", type=int, default=4, metavar="N", help="frames of each clip (default: %(default)s)")
    named = parser.parse_args(arguments)
    try:
        dataset = Dataset.open(named.folder)
        folder = dataset.folder / SHEETS
        made = write_contact_sheet(dataset, folder, people=named.people, frames=named.frames)
        write_data_sheet(dataset, folder / "datasheet.md")
    except CmdfdError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write("".join(f"{path}\n" for path in (*made.pages, *made.platform_pages, folder / "datasheet.md")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
