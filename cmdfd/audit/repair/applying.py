"""Apply a repair: write a new set beside the old one, which is never touched.

```
OUT/<split or all>/videos/000/<id>.mp4   clips, at most 1000 in a folder
OUT/<split or all>/metadata.parquet      one row for each clip, as a Hugging Face VideoFolder wants it
OUT/masks, OUT/tracks, OUT/build.json    of sets that were built here, with their provenance and tombstones
OUT/repair.yaml                          the recipe
OUT/repair.parquet                       what happened to every clip of the old set; written last: present = finished
OUT/.repair/                             records of what is done, so that a second run goes on
```
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from cmdfd.audit.repair.carried import check_withdrawn
from cmdfd.audit.repair.clipwork import CODE_VERSION
from cmdfd.audit.repair.fates import Fate, Fingerprint, fates, losses, split_folder
from cmdfd.audit.repair.lists import write_list
from cmdfd.audit.repair.measured import joined, texts
from cmdfd.audit.repair.recipe import (
    NEEDS_MEDIA,
    REPAIR_FILE,
    Crop,
    Deduplicate,
    Harmonise,
    Rename,
    Repair,
    RepairError,
)
from cmdfd.audit.repair.segments import segments_of, to_rows
from cmdfd.audit.repair.writing import Made, write_set
from cmdfd.cache import write_atomic
from cmdfd.clip import content_id, sha256_file
from cmdfd.dataset import FILES_PER_FOLDER
from cmdfd.errors import MEDIA_CODES, MediaError
from cmdfd.report.text import clean, listing, plural
from cmdfd.work import OK, WorkItem, WorkPlan, open_executor, read_record, record_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from cmdfd.audit.targets.target import Target
    from cmdfd.clip import Clip
    from cmdfd.work import WorkResult

    Progress = Callable[[int, int], None]

#: Not ".work", which marks a build that is not finished.
WORK = ".repair"
_VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".flv", ".3gp"})


@dataclass(frozen=True, slots=True, eq=False)
class Applied:
    """A repaired set.

    Args:
        folder: Where it lies.
        fates: What happened to every clip, in the order of the source.
        n_kept: Clips of the new set.
        n_dropped: Clips that are not in it.
        n_reused: Clips that an earlier run had written already.
        needs_media: Steps that were not done, since a list has no media.
        sentences: The same for people.
        target: The repaired list, to be audited again; None for a set with media, which `folder` opens.
    """

    folder: Path
    fates: tuple[Fate, ...]
    n_kept: int
    n_dropped: int
    n_reused: int = 0
    needs_media: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()
    target: Target | None = None


def apply(
    repair: Repair,
    target: Target,
    table: pd.DataFrame | None,
    out: Path,
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> Applied:
    """Write the repaired set. The same inputs give the same bytes; a second run does only what is not done.

    A clip that cannot be read or is too short is dropped with its reason and never stops the others. A fake of which a
    forged stream loses all its forged stretches (or all forged pixels) by the cut is dropped, since its label would be
    wrong.

    Args:
        repair: The recipe.
        target: The set.
        table: Its measured table, or None; windows are drawn from the lengths in it.
        out: Folder of the new set: new, empty, or of an earlier run of the same repair.
        workers: Processes.
        progress: Called with (clips done, clips).

    Raises:
        RepairError: If `out` lies in the source or holds something else, or the set cannot be repaired.
    """
    out = Path(out)
    frame = joined(target, table)
    _check_place(out, target, frame)
    check_withdrawn(out, target.root)
    _claim(out, repair)
    if not target.has_media:
        return _apply_to_list(repair, target, frame, out)
    built = _built_clips(target)
    with open_executor("serial" if workers <= 1 else "local", workers) as executor:
        prints = _fingerprints(repair, frame, out, executor)
        found = fates(repair, frame, prints)
        items = _items(repair, frame, found, built)
        plan = WorkPlan("cmdfd.audit.repair.clipwork:repair_clip", tuple(items.values()), {"out": str(out.resolve())})
        _forget_lost_files(plan, out)
        made: dict[int, Made] = {}
        rows = {item.key: row for row, item in items.items()}
        reused = 0
        for number, result in enumerate(executor.run(plan, out / WORK / "clips"), 1):
            row = rows[result.key]
            reused += result.reused and result.status == OK
            _land(found, made, row, items[row], result)
            if progress:
                progress(number, len(items))
    return _finish(repair, target, frame, out, found, made, built, reused)


def _check_place(out: Path, target: Target, frame: pd.DataFrame) -> None:
    here = out.resolve()
    roots = {Path(path).parent.resolve() for path in texts(frame, "path") if path}
    if target.root is not None:
        roots.add(target.root.resolve())
    for root in sorted(roots):
        if here == root or here.is_relative_to(root):
            raise RepairError(f"{out} lies inside the source {root}, which stays untouched; name a folder beside it")
    if out.exists() and not out.is_dir():
        raise RepairError(f"{out} is a file; name a new folder")


def _claim(out: Path, repair: Repair) -> None:
    """Take an empty folder, or one of the same repair."""
    text = repair.to_yaml()
    recipe = out / REPAIR_FILE
    if out.is_dir() and any(out.iterdir()):
        if not recipe.is_file():
            raise RepairError(f"{out} is not empty and holds no repair; choose another folder")
        if recipe.read_text("utf-8") != text:
            raise RepairError(f"{out} holds another repair ({REPAIR_FILE} differs); choose another folder or remove it")
    write_atomic(recipe, text.encode())


def _apply_to_list(repair: Repair, target: Target, frame: pd.DataFrame, out: Path) -> Applied:
    found = fates(repair, frame, media=False)
    again = write_list(out, target, found)
    needing = tuple(name for name in repair.names if name in NEEDS_MEDIA)
    told = _told(found)
    if needing:
        told.append(f"not done: {listing(needing)} needs the media, which a list does not have")
    kept = sum(fate.kept for fate in found)
    return Applied(out, tuple(found), kept, len(found) - kept, needs_media=needing, sentences=tuple(told), target=again)


def _told(found: Sequence[Fate]) -> list[str]:
    kept = sum(fate.kept for fate in found)
    return [f"{plural(kept, 'clip')} of {len(found)} kept", *losses(found)]


def _built_clips(target: Target) -> dict[str, Clip]:
    """Clips of a set that was built here, by id; none of others."""
    if target.kind != "built set" or target.root is None:
        return {}
    from cmdfd.dataset import Dataset

    dataset = Dataset.open(target.root)
    if dataset.lacks_masks:
        raise RepairError(f"{target.root}: its masks are not in this copy, so they cannot be cut; repair the whole set")
    return {
        clip.id: replace(
            clip,
            mask=None if clip.mask is None else str(dataset.mask_of(clip)),
            tracks=None if clip.tracks is None else str(dataset.track_of(clip)),
        )
        for clip in dataset.rows
    }


def _fingerprints(repair: Repair, frame: pd.DataFrame, out: Path, executor: Any) -> list[Fingerprint]:
    """Hash every file; one that cannot be read has a problem instead."""
    dedupe = repair.get(Deduplicate)
    streams = dedupe is not None and "streams" in dedupe.by
    items = []
    for row, path in enumerate(texts(frame, "path")):
        if not path:
            continue
        try:
            stat = Path(path).stat()
            salt = [stat.st_size, stat.st_mtime_ns]
        except OSError:
            salt = []
        items.append(WorkItem.of(f"f{row:07d}", {"path": os.path.abspath(path), "streams": streams}, salt))  # noqa: PTH100
    plan = WorkPlan("cmdfd.audit.repair.copies:fingerprint", tuple(items))
    prints = [Fingerprint(problem="missing: the table names no file")] * len(frame)
    for result in executor.run(plan, out / WORK / "files"):
        row = int(result.key[1:])
        if result.status == OK:
            prints[row] = Fingerprint(result.value["bytes"], result.value["streams"])
        else:
            prints[row] = Fingerprint(problem=_why(result))
    return prints


def _why(result: WorkResult) -> str:
    lines = (result.detail or MEDIA_CODES.get(result.status, "")).strip().splitlines() or [""]
    return clean(f"{result.status}: {lines[-1] if result.status == 'internal' else lines[0]}")


def _items(repair: Repair, frame: pd.DataFrame, found: list[Fate], built: dict[str, Clip]) -> dict[int, WorkItem]:
    """One piece of work for each clip that is kept so far; its hash covers what goes in, not where it lies."""
    import av

    harmonise, crop = repair.get(Harmonise), repair.get(Crop)
    paths = texts(frame, "path")
    cells = frame["segments"].tolist() if "segments" in frame.columns else [None] * len(frame)
    places = _places(found, paths, harmonise)
    items = {}
    for fate in found:
        if not fate.kept:
            continue
        clip = built.get(fate.id)
        try:
            segments = to_rows(clip.segments if clip else segments_of(cells[fate.row]))
        except MediaError as error:
            found[fate.row] = fate.dropped("read", error.detail)
            continue
        same = {
            "harmonise": harmonise.model_dump(mode="json") if harmonise else None,
            "start": fate.start,
            "seconds": fate.seconds,
            "min_forged": crop.min_forged if crop else None,
            "segments": segments,
            "fake": fate.label == 1,
            "source_sha256": fate.source_sha256,
            **places[fate.row],
        }
        here = {
            "path": os.path.abspath(paths[fate.row]),  # noqa: PTH100 - a link's name must not change
            "mask": clip.mask if clip else None,
            "tracks": clip.tracks if clip else None,
        }
        sides = [clip.mask_sha256, clip.tracks_sha256, bool(clip.mask), bool(clip.tracks)] if clip else []
        salt = content_id(same, sides, CODE_VERSION, av.__version__, length=32)
        items[fate.row] = WorkItem(f"c{fate.row:07d}", {**same, **here}, salt)
    return items


def _places(found: Sequence[Fate], paths: Sequence[str], harmonise: Harmonise | None) -> dict[int, dict[str, str]]:
    """Where each kept clip's files go: by split, at most 1000 in a folder, in the order of the new ids."""
    by_split: dict[str, list[Fate]] = {}
    for fate in sorted((one for one in found if one.kept), key=lambda one: one.new_id):
        by_split.setdefault(fate.split, []).append(fate)
    places = {}
    for split, members in by_split.items():
        for rank, fate in enumerate(members):
            suffix = f".{harmonise.container}" if harmonise else PurePosixPath(paths[fate.row]).suffix.lower()
            shard = f"{rank // FILES_PER_FOLDER:03d}"
            places[fate.row] = {
                "out": f"{split_folder(split)}/videos/{shard}/{fate.new_id}"
                f"{suffix if harmonise or suffix in _VIDEO_SUFFIXES else '.mp4'}",
                "mask_out": f"masks/{shard}/{fate.new_id}.mkv",
                "tracks_out": f"tracks/{shard}/{fate.new_id}.npz",
            }
    return places


def _forget_lost_files(plan: WorkPlan, out: Path) -> None:
    """A record whose files are not there as they were written is no work done."""
    records = out / WORK / "clips"
    for item in plan.items:
        record = read_record(records, item)
        if record is None or record.status != OK or "lost" in record.value:
            continue
        sides = (("out", "sha256"), ("mask_out", "mask_sha256"), ("tracks_out", "tracks_sha256"))
        files = [(out / item.payload[name], record.value[key]) for name, key in sides if key in record.value]
        if not all(path.is_file() and sha256_file(path) == known for path, known in files):
            record_path(records, item.key).unlink()


def _land(found: list[Fate], made: dict[int, Made], row: int, item: WorkItem, result: WorkResult) -> None:
    if result.status != OK:
        found[row] = found[row].dropped("read", _why(result))
    elif "lost" in result.value:
        found[row] = found[row].dropped("crop", result.value["lost"])
    else:
        value = result.value
        made[row] = Made(item.payload, value)
        if value["start"] is not None:
            found[row] = replace(found[row], start=value["start"], seconds=value["seconds"])


def _finish(
    repair: Repair,
    target: Target,
    frame: pd.DataFrame,
    out: Path,
    found: list[Fate],
    made: dict[int, Made],
    built: dict[str, Clip],
    reused: int,
) -> Applied:
    found = [fate if fate.kept else replace(fate, new_id="") for fate in found]
    _sweep(out, made)
    write_set(out, repair, target, frame, found, made, built)
    rename = repair.get(Rename)
    if rename is not None:
        for one in made.values():
            for name in one.files:
                os.utime(out / name, (rename.mtime, rename.mtime))
    kept = sum(fate.kept for fate in found)
    return Applied(out, tuple(found), kept, len(found) - kept, reused, sentences=tuple(_told(found)))


def _sweep(out: Path, made: dict[int, Made]) -> None:
    """Remove media that no table will name: of clips that an earlier run kept and this one does not."""
    known = {name for one in made.values() for name in one.files}
    for folder in sorted(path for path in out.iterdir() if path.is_dir() and path.name != WORK):
        roots = [folder] if folder.name in ("masks", "tracks") else [folder / "videos"]
        for path in sorted(file for root in roots for file in root.rglob("*") if file.is_file()):
            if path.relative_to(out).as_posix() not in known:
                path.unlink()
