"""`python -m generators.manual DIR`: check a folder of edits before a set is built from it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cmdfd.errors import CmdfdError, MediaError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from generators.generator import Take
    from generators.manual.edits_csv import EditRow
    from generators.sources.manual import ManualSource

_HEADER = ("edit", "offset", "matte", "share", "outside", "segments", "problems")
#: Most lines of the table for edits whose files are wrong, and for those that were looked at.
_MOST = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns 0, 1 where an edit cannot be used, 2 where the folder or its list is wrong."""
    named = _parser().parse_args(arguments)
    try:
        if named.template:
            return _template(named.folder)
        if named.folder is None:
            raise CmdfdError("name a folder with an edits.csv, or write an example with --template")
        return _check(named)
    except CmdfdError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m generators.manual", description=__doc__)
    add = parser.add_argument
    add("folder", type=Path, nargs="?", metavar="DIR", help="folder with an edits.csv")
    add("--picture", type=Path, metavar="FILE", help="write a PNG: original, edited, difference and mask of every edit")
    add("--frames", type=int, default=5, metavar="N", help="frames of each edit in it (default: %(default)s)")
    add("--seconds", type=float, default=4.0, metavar="S", help="longest take (default: %(default)s)")
    add("--lenient", action="store_true", help="as the option strict: false")
    add("--template", action="store_true", help="write an example edits.csv into DIR, or print it without DIR")
    return parser


def _template(folder: Path | None) -> int:
    from generators.manual.edits_csv import COLUMNS, FILE_NAME, REQUIRED, TEMPLATE

    if folder is None:
        sys.stdout.write(TEMPLATE)
        return 0
    path = folder / FILE_NAME
    if path.exists():
        raise CmdfdError(f"{path} is there already; move it away first")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(TEMPLATE, "utf-8")
    more = [name for name in COLUMNS if name not in REQUIRED]
    sys.stdout.write(f"{path}\nneeded columns: {', '.join(REQUIRED)}\nothers: {', '.join(more)}\n")
    return 0


def _check(named: argparse.Namespace) -> int:
    from generators.manual.edits_csv import read_edits_csv
    from generators.manual.picture import write_picture
    from generators.show import table
    from generators.sources.manual import ManualSource
    from generators.sources.sources_csv import printable

    least = min(1.0, named.seconds)
    source = ManualSource({"folder": str(named.folder), "seconds": named.seconds, "min_seconds": least,
                           "strict": not named.lenient})  # fmt: skip
    plan = source.plan({}, 0)
    kept: list[tuple[str, Take]] = []
    refused = [[one.file, "", "", "", "", "", one.reason] for one in plan.refused]
    rows: list[list[str]] = []
    failed = len(refused)
    usable = {item.spec["row"]["edited"] for item in plan.items}
    for row in read_edits_csv(source.listed):
        if row.edited not in usable:
            continue
        cells, take = _checked(source, row)
        rows.append(cells)
        failed += take is None
        if take is not None and named.picture is not None:
            kept.append((f"{printable(row.edited)}: {row.operation}", take))
    title = f"{named.folder}: {len(refused) + len(rows)} edits, {failed} cannot be used"
    table(_HEADER, [*_first(refused), *_first(rows)], title)
    if named.picture is not None and kept:
        write_picture(named.picture, kept, named.frames)
        sys.stdout.write(f"{named.picture}\n")
    return 1 if failed else 0


def _first(rows: list[list[str]]) -> list[list[str]]:
    """The first lines, and how many more there are."""
    more = len(rows) - _MOST
    return rows if more <= 0 else [*rows[:_MOST], [f"and {more} more", *[""] * (len(_HEADER) - 1)]]


def _checked(source: ManualSource, row: EditRow) -> tuple[list[str], Take | None]:
    """A line of the table, and the take where the edit can be used."""
    from cmdfd.clip import sha256_file
    from generators.manual.importing import import_edit
    from generators.sources.sources_csv import printable

    name = printable(row.edited)
    try:
        files = source.files_of(row)
        take = import_edit(row, files, source.settings_of(row, sha256_file(files.edited)))
    except MediaError as error:
        return [name, "", "", "", "", "", error.detail], None
    except CmdfdError as error:
        return [name, "", "", "", "", "", str(error)], None
    assert take.edited is not None  # noqa: S101 - an import has one
    details = take.edited.details
    segments = "; ".join(f"{one.modality} {one.start:.2f}-{one.end:.2f}" for one in take.edited.segments)
    cells = [
        name,
        f"{details['picture_lag']:+.3f} s",
        str(details["matte"]),
        f"{details['matte_share']:.1%}",
        f"{details['outside_share']:.2%}",
        segments,
        "; ".join(details["warnings"]),
    ]
    return cells, take


if __name__ == "__main__":
    sys.exit(main())
