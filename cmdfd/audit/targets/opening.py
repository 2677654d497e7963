"""Open whatever a user names: a built set, a folder, two folders, tables, or a set on the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cmdfd.audit.targets.options import TargetOptions
from cmdfd.audit.targets.target import Target
from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["TargetOptions", "open_target"]

_GUESS = TargetOptions()
_WAYS = (
    "an audit takes a folder with a built set, a folder with metadata.csv, a folder with one folder for each class, "
    "two folders (real, then fake), one or several tables (CSV, TSV, JSON, JSON lines, Parquet), or a set on the "
    "Hugging Face Hub (ORG/NAME, ORG/NAME@REV, hf://datasets/ORG/NAME)"
)


def open_target(paths: Sequence[Path | str], options: TargetOptions = _GUESS) -> Target:
    """Open a target.

    Args:
        paths: One or two folders, one or several tables, or the name of one set on the Hub. What exists here wins.
        options: What the user said about it.

    Raises:
        CmdfdError: If it cannot be read, or it cannot be decided what is fake. The text says what to type.
    """
    from cmdfd.audit.targets.builtset import is_built_set, open_built_set
    from cmdfd.audit.targets.folders import open_folder, open_pair
    from cmdfd.audit.targets.hub import hub_name, open_hub
    from cmdfd.audit.targets.repaired import is_repaired_list, open_repaired_list

    if not paths:
        raise CmdfdError(f"nothing to audit: {_WAYS}")
    names = [name for path in paths if (name := hub_name(str(path))) is not None]
    if names and len(paths) == 1:
        return open_hub(names[0], options)
    if any(name.certain for name in names):
        raise CmdfdError("a set on the Hub is audited alone: name nothing beside it")
    given = [Path(path) for path in paths]
    for path in given:
        _check(path)
    folders = [path for path in given if path.is_dir()]
    if not folders:
        return open_lists(given, options)
    if len(folders) < len(given):
        raise CmdfdError(
            "folders and tables cannot be mixed; where a table lists files of a folder, name the table and say "
            "--media-root FOLDER"
        )
    if len(folders) == 1 and is_repaired_list(given[0]):
        return open_repaired_list(given[0])
    if len(folders) == 1:
        return open_built_set(given[0], options) if is_built_set(given[0]) else open_folder(given[0], options)
    if len(folders) > 2:
        raise CmdfdError(f"{len(folders)} folders were named: {_WAYS}")
    return open_pair(given[0], given[1], options)


def _check(path: Path) -> None:
    try:
        there = path.is_dir() or path.is_file()
    except (OSError, ValueError) as error:
        raise CmdfdError(f"{str(path)!r}: cannot be looked at: {error}") from error
    if not there:
        raise CmdfdError(f"{str(path)!r}: there is no such file or folder; {_WAYS}")


def open_lists(paths: Sequence[Path], options: TargetOptions = _GUESS) -> Target:
    """Open tables as one target.

    Raises:
        CmdfdError: As `open_target`.
    """
    from cmdfd.audit.targets.clips import drop_copies, find_media, finish, merged, only_split
    from cmdfd.audit.targets.lists import draft_of, sheets_of
    from cmdfd.audit.targets.rawtable import Refused, read_table

    distinct = list(dict.fromkeys(path.resolve() for path in paths))
    tables = [read_table(path) for path in distinct]
    notes = [note for table in tables for note in table.notes]
    if len(distinct) < len(paths):
        notes.append("a table was named twice and read once")
    media = options.media_root is not None
    drafts = [draft_of(sheet, names, table_of, options, media=media) for sheet, names, table_of in sheets_of(tables)]
    draft = merged(drafts)
    only_split(draft, options.split)
    drop_copies(draft)
    refused = Refused([pair for table in tables for pair in table.unread])
    if options.media_root is not None:
        find_media(draft, options.media_root, refused)
    clips = finish(draft)
    # two pairs that share a list must not share a name, for the report's folder is called by it
    first, *others = (path.name for path in distinct)
    name = f"{first} and {len(others)} more" if len(others) > 1 else " and ".join([first, *others])
    return Target(
        name=name,
        kind="list",
        clips=clips,
        root=None if options.media_root is None else options.media_root.resolve(),
        notes=(*notes, *draft.notes),
        unread=refused.as_pairs(),
        extra_cues={cue: record for cue, record in draft.cues.items() if cue in clips.columns},
    )
