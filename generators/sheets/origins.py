"""Where the clips of a set come from: the part of `provenance.parquet` that sheets and exports need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cmdfd.clip import REAL_KIND
from cmdfd.errors import CmdfdError
from cmdfd.tables import PROVENANCE, read_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cmdfd.clip import Clip
    from cmdfd.dataset import Dataset

#: Roles of parents that neither drive nor lend: the take that a clip shows, those who stand beside it in a scene, and
#: the clip that a platform's version was made of.
NOT_DONORS = ("target", "bystander", "original")
#: In words, for people.
RELATIONS = {
    "self": "driven by itself",
    "same": "with another take of the person",
    "partner": "driven by the partner",
}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one clip comes from.

    Args:
        take: Key of the take that it was made from.
        donor: Key of the take that drives or lends; "" without one.
        relation: "self", "same" or "partner"; "" without a donor, or where the table does not say.
        row: The whole row, for facts that not every version of the table has.
    """

    take: str
    donor: str
    relation: str
    row: Mapping[str, Any]


def origins(dataset: Dataset) -> dict[str, Origin]:
    """Origin of every clip by id.

    Raises:
        CmdfdError: If there is no provenance, or a clip has no row in it.
    """
    path = dataset.folder / PROVENANCE
    if not path.is_file():
        raise CmdfdError(f"{path}: missing; it says which fakes belong to which real clip, so build the set again")
    found = {str(row["id"]): _origin(row) for row in read_table(path)}
    lost = [clip.id for clip in dataset.clips() if clip.id not in found]
    if lost:
        raise CmdfdError(f"{path}: has no row of {len(lost)} clips of the set, for example {lost[0]}")
    return found


def _origin(row: Mapping[str, Any]) -> Origin:
    parents = row.get("parents") or []
    donor = next((str(one["key"]) for one in parents if one["role"] not in NOT_DONORS), "")
    return Origin(str(row["take"]), donor, str(row.get("relation") or ""), row)


def open_splits(dataset: Dataset) -> tuple[str, ...]:
    """Splits whose labels may be shown: those that are not withheld and whose labels are there."""
    return tuple(
        split
        for split in dataset.splits
        if split not in dataset.build.withheld and any(clip.kind for clip in dataset.clips(split))
    )


def is_plain_real(clip: Clip) -> bool:
    """Whether a clip is the real one of its take, and not a real that passed a generator's steps (a sham)."""
    return clip.kind == REAL_KIND and not clip.variant


def is_version(clip: Clip) -> bool:
    """Whether a clip is another one as a platform left it, and no clip of its own."""
    return bool(clip.original or clip.platform)


def kind_order(dataset: Dataset) -> list[str]:
    """Kinds as they stand in the recipe, real first; kinds that it does not name follow by name."""
    named = [REAL_KIND]
    for kind in dataset.build.recipe.get("kinds") or []:
        if isinstance(kind, dict) and isinstance(kind.get("kind"), str) and kind["kind"] not in named:
            named.append(kind["kind"])
    return [*named, *sorted({clip.kind for clip in dataset.clips()} - {*named, ""})]
