"""Changing a finished set: what of it is what the new plan wants, and what would go."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cmdfd.clip import sha256_file
from cmdfd.dataset import BUILD_FILE, Dataset
from cmdfd.tables import PROVENANCE, STAGES, read_table, row_of
from generators.jobs import read_job, write_job

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from cmdfd.clip import Clip
    from generators.plan import BuildPlan, PlannedClip

#: Columns that the end of a build adds to every row of provenance.
_ADDED = ("versions", "recipe_hash", "rights_override")


@dataclass(frozen=True, slots=True)
class Change:
    """What a new plan means for a finished set.

    Args:
        kept: Clips that are what the plan wants, by job id.
        dropped: Clips, by kind, that would be removed without another in their place: those that a take has more of
            than are planned.
        known: Clips that the plan has too, be it as another job.
    """

    kept: Mapping[str, Clip]
    dropped: Mapping[str, int]
    known: int


def compare(found: Dataset, plan: BuildPlan, jobs: Mapping[str, str], missing: Collection[str] = ()) -> Change:
    """Hold a finished set against a plan.

    Args:
        found: The set.
        plan: What shall be there.
        jobs: Job id by clip id.
        missing: Generators that are not installed here; their clips are kept where the plan has them.
    """
    planned = [(take.item.key, clip) for take in plan.takes for clip in take.clips if clip.refused is None]
    wanted = {jobs[clip.id]: clip.id for _, clip in planned}
    ids = set(wanted.values())
    # a copy without labels cannot lend what they say
    clips = {clip.id: clip for clip in found.clips() if clip.kind}
    kept: dict[str, Clip] = {}
    there: Counter[tuple[str, str, str]] = Counter()
    for row in _provenance(found.folder):
        clip = clips.get(row["id"])
        if clip is None:
            continue
        there[row["take"], row["kind"], clip.platform] += 1
        if row.get("job") in wanted:
            kept[row["job"]] = clip
        elif row["generator"] in missing and clip.id in ids:
            kept[jobs[clip.id]] = clip
    dropped: Counter[str] = Counter()
    wanted_there = Counter((take, clip.slot.recorded, clip.slot.platform) for take, clip in planned)
    for (_, kind, platform), n in (there - wanted_there).items():
        dropped[f"{kind}, {platform}" if platform else kind] += n
    return Change(kept, dropped, len(ids & clips.keys()))


def _provenance(folder: Path) -> list[dict[str, Any]]:
    path = folder / PROVENANCE
    return read_table(path) if path.is_file() else []


def adopt(found: Dataset, work: Path, change: Change, plan: BuildPlan, jobs: Mapping[str, str]) -> None:
    """Turn the kept clips of a finished set into records of finished jobs; then it counts as unfinished.

    Clips of which a file is gone, or whose bytes changed since, are not kept, nor is anything that an earlier build
    left in the work area. Can be killed and called again: until `build.json` goes, the set is what its tables say.
    """
    folder = found.folder
    shutil.rmtree(work / "records", ignore_errors=True)
    provenance = {row["id"]: row for row in _provenance(folder)}
    stages: dict[str, list[dict[str, Any]]] = {}
    for row in read_table(folder / STAGES) if (folder / STAGES).is_file() else []:
        stages.setdefault(row["id"], []).append(row)
    order = {"source": 0, "raw": 1, "harmonised": 2, "social": 3}
    for clip in (clip for take in plan.takes for clip in take.clips):
        old = change.kept.get(jobs[clip.id])
        if old is None or not _is_whole(found, old):
            continue
        row = {name: value for name, value in provenance[old.id].items() if name not in _ADDED}
        record = {
            "clip": row_of(_moved(folder, old, clip)) | {"split": old.split},
            "refused": None,
            "provenance": row,
            "stages": sorted(stages.get(old.id, []), key=lambda one: order.get(one["stage"], 9)),
            "job": jobs[clip.id],
            "kind": clip.slot.kind,
            "seconds": {},
        }
        write_job(work, jobs[clip.id], record)
    (folder / BUILD_FILE).unlink()


def _is_whole(found: Dataset, clip: Clip) -> bool:
    files = (
        (found.path_of(clip), clip.sha256),
        (found.mask_of(clip), clip.mask_sha256),
        (found.track_of(clip), clip.tracks_sha256),
    )
    return all(path is None or (path.is_file() and (not known or sha256_file(path) == known)) for path, known in files)


def _moved(folder: Path, old: Clip, clip: PlannedClip) -> Clip:
    """The clip where the plan has it; its files go there too, and the end of the build sweeps their old places."""
    new: dict[str, Any] = {"file": clip.paths.file}
    new |= {"mask": clip.paths.mask} if old.mask is not None else {}
    new |= {"tracks": clip.paths.tracks} if old.tracks is not None else {}
    for name, place in new.items():
        here = getattr(old, name)
        if here != place:
            _put(folder / here, folder / place)
    return replace(old, **new)


def _put(here: Path, there: Path) -> None:
    """A second name for a file, or a copy where the file system has no such thing."""
    there.parent.mkdir(parents=True, exist_ok=True)
    there.unlink(missing_ok=True)
    try:
        os.link(here, there)
    except OSError:
        shutil.copyfile(here, there)


def any_done(work: Path, out: Path, jobs: Mapping[str, str]) -> bool:
    """Whether an unfinished build has a job of this plan done."""
    return any(read_job(work, out, job) is not None for job in jobs.values())
