"""Writing a set without what was withdrawn: beside the old one, or in its place.

Nothing half done is ever a set. Beside: everything is put together in a hidden folder, which then gets its name. In
place: all new tables are written first; from the moment at which `build.json` is gone until the new one is there, no
program takes the folder for a set, and the same command goes on where it was stopped.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from cmdfd.cache import write_atomic
from cmdfd.clip import SPLITS
from cmdfd.dataset import BUILD_FILE, FORMAT_VERSION, Dataset
from cmdfd.errors import CmdfdError
from cmdfd.tables import PROVENANCE, REFUSED, STAGES, TAKES, read_table, write_table, write_tables
from cmdfd.takedown.locks import unused
from cmdfd.takedown.names import Names
from cmdfd.takedown.tombstones import (
    MARKS_FILE,
    TOMBSTONES,
    mark_of,
    next_version,
    read_marks,
    read_tombstones,
    withdrawn_notes,
    write_marks,
    write_tombstones,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from cmdfd.clip import Clip
    from cmdfd.takedown.closure import Closure

#: Where a takedown in place keeps the new tables until they are moved.
STATE_FOLDER = ".takedown"
_READY = "ready.json"
JOURNAL, REPAIR_TABLE, REPAIR_FILE = "journal.jsonl", "repair.parquet", "repair.yaml"
#: What shows faces or holds takes, and is drawn or made again.
_REMOVED_FOLDERS = ("sheets", ".work", ".repair")
_TABLES = (PROVENANCE, STAGES, REFUSED, REPAIR_TABLE, TAKES)
#: Fewer components than this in a split bear no interval.
FEW_COMPONENTS = 12


class _Ready(BaseModel):
    """What a takedown in place has still to remove, once its new tables are written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    files: list[str]
    splits: list[str]


@dataclass(frozen=True, slots=True)
class Applied:
    """A set without the withdrawn clips.

    Args:
        folder: Where it lies.
        version: Since which they are gone.
        n_clips: Clips that went now.
        n_files: Media, masks and tracks of theirs.
        warnings: Splits that are not what they were.
        left: What is left for the user to do, in sentences.
    """

    folder: Path
    version: str
    n_clips: int
    n_files: int
    warnings: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def warnings_of(dataset: Dataset, ids: frozenset[str]) -> tuple[str, ...]:
    """Splits that a takedown would empty, leave without a class, or with few components."""
    told = []
    for split in dataset.splits:
        before = dataset.clips(split)
        after = [clip for clip in before if clip.id not in ids]
        if len(after) == len(before):
            continue
        lost = {clip.labels.label for clip in before} - {clip.labels.label for clip in after} - {None}
        n = len({clip.component for clip in after})
        if not after:
            told.append(f"{split}: no clip is left, so the split is gone")
        elif lost:
            word = "fake" if 1 in lost else "real"
            told.append(f"{split}: no {word} clip is left, so nothing can be measured there")
        elif n < FEW_COMPONENTS:
            told.append(f"{split}: {n} components are left; under {FEW_COMPONENTS}, intervals mean little")
    return tuple(told)


def withdraw(dataset: Dataset, closure: Closure, out: Path | None, version: str = "") -> Applied:
    """Write the set without the clips of a closure.

    Args:
        dataset: The set.
        closure: What goes.
        out: A new folder, or None for the set's own.
        version: Since which they are gone; the next free "takedown-N" where it is "".

    Raises:
        CmdfdError: If nothing would be left, `out` is not free, or a build is at work there.
    """
    kept = [clip for clip in dataset.rows if clip.id not in closure.ids]
    if not kept:
        raise CmdfdError(f"{dataset.folder}: not a single clip would be left; delete the folder, and the repository")
    torn = [clip.id for clip in kept if clip.original in closure.ids]
    if torn:
        raise CmdfdError(f"versions of withdrawn clips would stay: {', '.join(torn[:3])}; this is a defect of cmdfd")
    before = read_tombstones(dataset.folder)
    since = version or next_version(before)
    gone = [clip for clip in dataset.rows if clip.id in closure.ids]
    n_files = sum(path.is_file() for clip in gone for path in _paths_of(dataset, clip))
    told = warnings_of(dataset, closure.ids)
    if out is None:
        _in_place(dataset, closure, kept, since)
    else:
        _beside(dataset, closure, kept, since, out)
    folder = dataset.folder if out is None else out
    return Applied(folder, since, len(gone), n_files, told, _left(dataset.folder, folder))


def _paths_of(dataset: Dataset, clip: Clip) -> list[Path]:
    """Media, mask and track of a clip, as they lie in the set's folder and nowhere else."""
    found = (dataset.path_of(clip), dataset.mask_of(clip), dataset.track_of(clip))
    return [path for path in found if path is not None]


def _beside(dataset: Dataset, closure: Closure, kept: list[Clip], since: str, out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CmdfdError(f"{out} is not empty; name a new folder with --out, or work --in-place")
    here, there = dataset.folder.resolve(), out.resolve()
    if there == here or there.is_relative_to(here):
        raise CmdfdError(f"{out} lies in the set itself; name a folder beside it, or work --in-place")
    part = there.with_name(f".{there.name}.takedown")
    shutil.rmtree(part, ignore_errors=True)  # what a stopped takedown left
    part.mkdir(parents=True)
    for clip in kept:
        for source in _paths_of(dataset, clip):
            if source.is_file():  # masks of withheld splits may not have come along
                _link(source, part / source.relative_to(dataset.folder))
    _write_new(dataset, closure, kept, since, part)
    if (dataset.folder / REPAIR_FILE).is_file():
        _link(dataset.folder / REPAIR_FILE, part / REPAIR_FILE)
    if out.is_dir():
        out.rmdir()
    part.rename(there)


def _link(here: Path, there: Path) -> None:
    there.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(here, there)
    except OSError:
        shutil.copy2(here, there)


def _write_new(dataset: Dataset, closure: Closure, kept: list[Clip], since: str, folder: Path) -> None:
    """Every table, journal and `build.json` of the new set; media are not touched."""
    old = dataset.folder
    names = Names.of(closure.names | closure.jobs, closure.loose)
    withdrawn = {**dict.fromkeys(closure.ids, since), **read_tombstones(old)}
    write_tombstones(folder, withdrawn)
    write_marks(folder, {*read_marks(old), *(mark_of(kind, name) for kind, name in closure.marks)})
    write_tables(folder, kept, dataset.build.withheld)
    for name in (PROVENANCE, STAGES):
        _filter(old / name, folder / name, lambda row: row["id"] not in closure.ids)
    _filter(old / REPAIR_TABLE, folder / REPAIR_TABLE, lambda row: row["new_id"] not in closure.ids)
    _filter(old / TAKES, folder / TAKES, lambda row: row["take"] not in closure.names)
    _filter(old / REFUSED, folder / REFUSED, lambda row: not names.hit(f"{row['source']} {row['reason']}"))
    if (old / JOURNAL).is_file():
        lines = (old / JOURNAL).read_text("utf-8").splitlines(keepends=True)
        write_atomic(folder / JOURNAL, "".join(line for line in lines if not names.hit(line)).encode())
    write_atomic(folder / BUILD_FILE, _build_text(dataset, kept, names, folder).encode())


def _filter(old: Path, new: Path, keep: Callable[[dict[str, Any]], bool]) -> None:
    """Copy a table without the rows that go; where none goes, the bytes are the same."""
    import pyarrow.parquet as pq

    if not old.is_file():
        return
    rows = read_table(old)
    left = [row for row in rows if keep(row)]
    if len(left) == len(rows):
        write_atomic(new, old.read_bytes())
    else:
        write_table(new, left, pq.read_schema(old))


def _build_text(dataset: Dataset, kept: list[Clip], names: Names, folder: Path) -> str:
    counts: dict[str, dict[str, int]] = {}
    for clip in sorted(kept, key=lambda one: (SPLITS.index(one.split), one.kind)):
        kinds = counts.setdefault(clip.split, {})
        kinds[clip.kind] = kinds.get(clip.kind, 0) + 1
    old = dataset.build
    refused = folder / REFUSED
    codes = Counter(row["code"] for row in read_table(refused)) if refused.is_file() else old.refused
    earlier = withdrawn_notes(dataset.folder)
    notes = [names.scrub(note) for note in old.notes if note not in (*earlier, _GATE)]
    gate = [_GATE] if old.audit is not None or _GATE in old.notes else []
    build = old.model_copy(
        update={
            "format_version": FORMAT_VERSION,
            "recipe": names.scrub(old.recipe),
            "counts": counts,
            "refused": dict(sorted(codes.items())),
            "audit": None,
            "notes": [*notes, *withdrawn_notes(folder), *gate],
        }
    )
    return build.to_json()


_GATE = "the audit gate of the build saw clips that are withdrawn since; python -m cmdfd.audit measures the set anew"


def _in_place(dataset: Dataset, closure: Closure, kept: list[Clip], since: str) -> None:
    folder = dataset.folder
    state = folder / STATE_FOLDER
    with unused(folder):
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir()
        _write_new(dataset, closure, kept, since, state)
        gone = [clip for clip in dataset.rows if clip.id in closure.ids]
        files = [one.relative_to(folder).as_posix() for clip in gone for one in _paths_of(dataset, clip)]
        splits = sorted({clip.split for clip in gone} - {clip.split for clip in kept})
        write_atomic(state / _READY, _Ready(version=since, files=files, splits=splits).model_dump_json().encode())
        finish(folder)


def is_half_done(folder: Path) -> bool:
    """Whether a takedown in place was stopped after its tables were ready."""
    return (folder / STATE_FOLDER / _READY).is_file()


def finish(folder: Path) -> None:
    """Go on with a takedown in place whose new tables are ready; can be killed and called again at any moment.

    `build.json` goes first and comes last. Until then the folder is no set for any program.
    """
    state = folder / STATE_FOLDER
    ready = _Ready.model_validate_json((state / _READY).read_text("utf-8"))
    if (state / BUILD_FILE).is_file():
        (folder / BUILD_FILE).unlink(missing_ok=True)
        for name in _REMOVED_FOLDERS:
            shutil.rmtree(folder / name, ignore_errors=True)
        for name in ready.files:
            (folder / name).unlink(missing_ok=True)
        for split in ready.splits:
            shutil.rmtree(folder / split, ignore_errors=True)
        _remove_empty(folder)
        for path in sorted(one for one in state.rglob("*") if one.is_file()):
            if path.name not in (BUILD_FILE, _READY):
                path.replace(folder / path.relative_to(state))
        (state / BUILD_FILE).replace(folder / BUILD_FILE)
    (state / _READY).unlink()
    shutil.rmtree(state)


def _remove_empty(folder: Path) -> None:
    """Remove folders of media in which nothing lies any more."""
    roots = [*(folder / split / "videos" for split in SPLITS), folder / "masks", folder / "tracks"]
    for root in roots:
        if root.is_dir():
            for path in sorted((one for one in root.rglob("*") if one.is_dir()), reverse=True):
                if not any(path.iterdir()):
                    path.rmdir()
            if not any(root.iterdir()):
                root.rmdir()


def _left(old: Path, new: Path) -> tuple[str, ...]:
    """What only the user can do."""
    from cmdfd.cache import cache_dir
    from cmdfd.takedown.copies import hub_copies

    told = [f"sheets show faces and are gone; draw them again: python -m generators.sheets {new}"]
    if old != new:
        told.append(f"{old} still holds everything: delete it when the new set is checked")
    known = {*SPLITS, "masks", "tracks", STATE_FOLDER, *_REMOVED_FOLDERS, *_TABLES, JOURNAL, REPAIR_FILE}
    known |= {TOMBSTONES, MARKS_FILE, BUILD_FILE}
    others = sorted(path.name for path in old.iterdir() if path.name not in known)
    if others:
        told.append(f"not looked into, since no build wrote it: {_listed(others)} in {old}")
    beside = sorted(path.name for path in old.resolve().parent.glob(f"{old.resolve().name}-*") if path != new.resolve())
    if beside:
        told.append(f"beside it, exports and repaired sets may hold the same clips: {_listed(beside)}")
    told.append("public copies that python -m cmdfd.publish made (published/) hold the clips, too: delete them")
    told.append("remove the recordings from the folder of the sources and its sources.csv, too")
    told.append(f"whole clips that came back from the Hub may lie in {_listed(map(str, hub_copies()))}: delete them")
    told.append(f"features of the clips may lie in the cache, which can be deleted as a whole: {cache_dir()}")
    return tuple(told)


def _listed(names: Iterable[str], most: int = 6) -> str:
    found = list(names)
    return ", ".join(found[:most]) + (f" and {len(found) - most} more" if len(found) > most else "")
