"""What a takedown took out of a folder stays out of it, whatever is built there later."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cmdfd.takedown.tombstones import mark_of, read_marks, read_tombstones

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from generators.plan import BuildPlan, PlannedClip, PlannedTake
    from generators.sources.contract import SourceItem

#: One of `cmdfd.errors.JOB_CODES`.
WITHDRAWN = "withdrawn"
_REASON = "a takedown removed it from this folder, or somebody or something that it is made of"


def without_withdrawn(plan: BuildPlan, out: Path) -> BuildPlan:
    """Refuse every planned clip that was withdrawn from the folder, by its id or by who and what goes into it.

    The plan is otherwise the same, so that all other clips keep their ids and partners. Files that the source could not
    use are not told of where they are those of withdrawn people.

    Args:
        plan: What shall be there.
        out: The folder of the set; it may not exist yet.

    Raises:
        CmdfdError: If the folder's list of what was withdrawn cannot be read.
    """
    ids, marks = read_tombstones(out), read_marks(out)
    if not ids and not marks:
        return plan
    takes = tuple(replace(take, clips=_clips(take, ids, marks)) for take in plan.takes)
    refused = tuple(one for one in plan.refused if mark_of("name", one.file) not in marks)
    return replace(plan, takes=takes, refused=refused)


def _clips(take: PlannedTake, ids: Collection[str], marks: Collection[str]) -> tuple[PlannedClip, ...]:
    shown = (take.item, *(take.scene.bystanders if take.scene else ()))
    whole = any(_is_marked(item, marks) for item in shown)
    gone: set[str] = set()
    found = []
    for clip in take.clips:  # originals stand before their versions
        lent = clip.donor is not None and _is_marked(clip.donor.item, marks)
        if whole or lent or clip.id in ids or clip.original in gone:
            gone.add(clip.id)
            found.append(replace(clip, refused=(WITHDRAWN, _REASON)))
        else:
            found.append(clip)
    return tuple(found)


def _is_marked(item: SourceItem, marks: Collection[str]) -> bool:
    named = [("take", item.key), ("face", item.face_id), ("voice", item.voice_id)]
    return any(mark_of(kind, name) in marks for kind, name in (*named, *(("source", one) for one in item.source_ids)))
