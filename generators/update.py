"""Changing a finished set: what of it is what the new plan wants, and what would go."""

from __future__ import annotations

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
_ADDED = ("versions", "recipe_hash")


@dataclass(frozen=True, slots=True)
class Change:
    """What a new plan means for a finished set.

    Args:
        kept: Clips that are what the plan wants, by job id.
        dropped: Clips, by kind, whose place in the plan is gone, so that they would be removed without another.
    """

    kept: Mapping[str, Clip]
    dropped: Mapping[str, int]

    @property
    def related(self) -> bool:
        """Whether the plan is a change of this set rather than another one."""
        return bool(self.kept)


def compare(found: Dataset, plan: BuildPlan, jobs: Mapping[str, str], missing: Collection[str] = ()) -> Change:
    """Hold a finished set against a plan.

    Args:
        found: The set.
        plan: What shall be there.
        jobs: Job id by clip id.
        missing: Generators that are not installed here; their clips are kept where the plan has them.
    """
    wanted = set(jobs.values())
    places = {(take.item.key, clip.slot.kind, clip.slot.sham) for take in plan.takes for clip in take.clips}
    clips = {clip.id: clip for clip in found.clips()}
    kept: dict[str, Clip] = {}
    dropped: Counter[str] = Counter()
    for row in _provenance(found.folder):
        clip = clips.get(row["id"])
        if clip is None:
            continue
        if row.get("job") in wanted:
            kept[row["job"]] = clip
        elif row["generator"] in missing and clip.id in jobs:
            kept[jobs[clip.id]] = clip
        elif not _has_place(row, places):
            dropped[row["kind"]] += 1
    return Change(kept, dropped)


def _has_place(row: Mapping[str, Any], places: set[tuple[str, str, bool]]) -> bool:
    take, kind = row["take"], row["kind"]
    return any((take, kind, sham) in places for sham in (False, True)) or kind == "real"


def _provenance(folder: Path) -> list[dict[str, Any]]:
    path = folder / PROVENANCE
    return read_table(path) if path.is_file() else []


def adopt(found: Dataset, work: Path, change: Change, plan: BuildPlan, jobs: Mapping[str, str]) -> int:
    """Turn the kept clips of a finished set into records of finished jobs; then it counts as unfinished.

    Files whose bytes changed since are not kept. A clip whose place changed is moved. Can be killed and called again.

    Returns:
        Clips that are kept.
    """
    folder = found.folder
    provenance = {row["id"]: row for row in _provenance(folder)}
    stages: dict[str, list[dict[str, Any]]] = {}
    for row in read_table(folder / STAGES) if (folder / STAGES).is_file() else []:
        stages.setdefault(row["id"], []).append(row)
    order = {"source": 0, "raw": 1, "harmonised": 2}
    n = 0
    for clip in (clip for take in plan.takes for clip in take.clips):
        old = change.kept.get(jobs[clip.id])
        if old is None or not (folder / old.file).is_file() or sha256_file(folder / old.file) != old.sha256:
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
        n += 1
    (folder / BUILD_FILE).unlink()
    return n


def _moved(folder: Path, old: Clip, clip: PlannedClip) -> Clip:
    """The clip where the plan has it; its files go there."""
    new: dict[str, Any] = {"file": clip.paths.file}
    new |= {"mask": clip.paths.mask} if old.mask is not None else {}
    new |= {"tracks": clip.paths.tracks} if old.tracks is not None else {}
    for name, place in new.items():
        here = getattr(old, name)
        if here != place and (folder / here).is_file():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / here).replace(folder / place)
    return replace(old, **new)


def any_done(work: Path, out: Path, jobs: Mapping[str, str]) -> bool:
    """Whether an unfinished build has a job of this plan done."""
    return any(read_job(work, out, job) is not None for job in jobs.values())
