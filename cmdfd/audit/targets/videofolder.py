"""Folders with a table beside the media: Hugging Face VideoFolders, and sets that carry their labels in a list."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cmdfd.audit.targets.clips import drop_copies, finish, merged, only_split
from cmdfd.audit.targets.lists import Draft, draft_of, sheets_of
from cmdfd.audit.targets.rawtable import RawTable, TableError, looks_like_table, read_table
from cmdfd.audit.targets.target import Target
from cmdfd.audit.targets.values import key, text_type, texts
from cmdfd.audit.targets.words import split_word

if TYPE_CHECKING:
    from pathlib import Path

    from cmdfd.audit.targets.options import TargetOptions
    from cmdfd.audit.targets.walk import Walked

#: What tables with labels are called.
_STEMS = frozenset(
    (
        "metadata", "meta_data", "meta", "labels", "label", "dataset", "list", "protocol", "inventory", "index",
        "manifest", "list_of_testing_videos",
    )
)  # fmt: skip
_MAX_DEPTH = 2
_FILE_COLUMN = "file_name"


def tables_in(root: Path) -> list[Path]:
    """Tables that may hold the labels, at the root and in its upper folders, sorted; one of each folder and stem."""
    found: dict[tuple[Path, str], Path] = {}
    for depth in range(_MAX_DEPTH + 1):
        for path in sorted(root.glob("/".join(["*"] * (depth + 1)))):
            stem = key(path.name.split(".")[0])
            if stem in _STEMS and looks_like_table(path) and path.is_file():
                found.setdefault((path.parent, stem), path)
    return sorted(found.values())


def open_video_folder(root: Path, found: Walked, options: TargetOptions, *, must: bool) -> Target | None:
    """A folder whose tables say the labels, None where none does.

    Args:
        root: The folder.
        found: Its media files.
        options: What the user said.
        must: Whether the user named columns, so that there has to be a table.

    Raises:
        TableError: If a table is there and cannot be used.
    """
    tables: list[RawTable] = []
    reasons: list[str] = []
    files = {*found.video, *found.audio}
    for path in tables_in(root):
        try:
            raw = read_table(path)
        except TableError as error:
            if must or path.stem == "metadata":
                raise
            reasons.append(str(error))
            continue
        placed = _placed(raw, path.parent.relative_to(root).as_posix(), files)
        if placed is not None:
            tables.append(placed)
    if not tables:
        if must:
            raise TableError(f"{str(root)!r}: no table in it names its files; {'; '.join(reasons) or 'none was found'}")
        return None
    return _opened(root, found, tables, options, reasons)


def _placed(raw: RawTable, below: str, files: set[str]) -> RawTable | None:
    """The table with a column of paths relative to the root; None where it names none of the files."""
    prefix = "" if below == "." else f"{below}/"
    best: tuple[int, str] | None = None
    for name in raw.frame.columns:
        if raw.frame[name].dtype == object:
            continue
        sample = texts(raw.frame[name])
        hits = int((prefix + sample).isin(list(files)).sum()) if len(files) else 0
        preferred = key(name) == _FILE_COLUMN
        if (hits or preferred) and (best is None or hits > best[0]):
            best = (hits, str(name))
    if best is None or (best[0] == 0 and key(best[1]) != _FILE_COLUMN):
        return None
    frame = raw.frame.rename(columns={best[1]: _FILE_COLUMN}) if key(best[1]) != _FILE_COLUMN else raw.frame
    column = next(name for name in frame.columns if key(name) == _FILE_COLUMN)
    frame[column] = (prefix + texts(frame[column])).astype(text_type())
    return replace(raw, frame=frame)


def _opened(root: Path, found: Walked, tables: list[RawTable], options: TargetOptions, reasons: list[str]) -> Target:
    drafts: list[Draft] = []
    notes = [note for table in tables for note in table.notes]
    names = ", ".join(str(table.path.relative_to(root)) for table in tables[:4])
    notes.append(f"labels are read from {names}{' and others' if len(tables) > 4 else ''}")
    for sheet, members, table_of in sheets_of(tables):
        drafts.append(draft_of(sheet, members, table_of, options, media=True))
    draft = merged(drafts)
    _split_by_folder(draft)
    only_split(draft, options.split)
    drop_copies(draft)
    refused = found.refused
    for table in tables:
        for name, reason in table.unread:
            refused.add(name, reason)
    for reason in reasons:
        refused.add("a table", reason)
    _find(draft, root, found)
    listed = set(draft.paths)
    for name in (*found.video, *found.audio) if found.video else found.audio:
        if name not in listed and not (found.video and name in found.audio):
            refused.add(name, "no table names this file", "are named by no table")
    missing = int((draft.clips["path"] == "").sum())
    if missing == len(draft.clips):
        raise TableError(f"{str(root)!r}: {names} names {missing} files, and none of them is there")
    for name in draft.clips.loc[draft.clips["path"] == "", "file"]:
        refused.add(
            str(name), "named by the table, but there is no such file", "are named by a table and are not there"
        )
    clips = finish(draft)
    return Target(
        root.name or str(root),
        "video folder",
        clips,
        root,
        (*notes, *draft.notes),
        refused.as_pairs(),
        {cue: record for cue, record in draft.cues.items() if cue in clips.columns},
    )


def _split_by_folder(draft: Draft) -> None:
    """The split is the first folder that names one, where no column says it."""
    if not (draft.clips["split"].astype(object) == "").all():
        return
    folders = draft.paths.str.split("/").str[0]
    said = {name: split_word(str(name)) for name in folders.unique()}
    if any(said.values()):
        draft.clips["split"] = folders.map(said).fillna("").astype(text_type())
        draft.notes.append("the split is read from the names of the folders")


def _find(draft: Draft, root: Path, found: Walked) -> None:
    """Absolute paths of the files that are there; paths that leave the folder are none."""
    files = {*found.video, *found.audio}
    home = root.resolve()
    draft.clips["path"] = [str(home / one) if one in files else "" for one in draft.paths]
