"""Who is who in a set: whom takes show and carry, which recordings they are of, what every clip was made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cmdfd.clip import REAL_KIND
from cmdfd.dataset import DatasetError
from cmdfd.tables import PROVENANCE, TAKES, read_table, schema, write_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from cmdfd.clip import Clip
    from cmdfd.dataset import Dataset

#: Begin of the source ids by which the manual source names people who took part; they are no recordings.
PERSON_SOURCE = "person-"
_PARTNER = "partner"
_TAKE_COLUMNS = {"take": "string", "faces": "strings", "voices": "strings", "sources": "strings"}


@dataclass(frozen=True, slots=True)
class Parent:
    """What a clip was made of.

    Args:
        role: "target", "donor", "bystander", "original", or what a plug-in says.
        key: Key of a take, or id of a clip.
        sha256: Of its file, "" where it is not known.
    """

    role: str
    key: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Lineage:
    """A clip and where it comes from.

    Args:
        clip: Its row.
        take: Key of the take that it was made from, "" where provenance is missing.
        relation: Of its donor: "self", "same", "partner", or "".
        parents: Everything that went in.
        job: Id of its job, "" where it is not known.
    """

    clip: Clip
    take: str = ""
    relation: str = ""
    parents: tuple[Parent, ...] = ()
    job: str = ""

    @property
    def takes(self) -> tuple[str, ...]:
        """Keys of every take that went in."""
        return tuple(dict.fromkeys(one.key for one in self.parents if one.role != "original"))


@dataclass(frozen=True, slots=True)
class Genuine:
    """Who is seen and heard in a take before anything is forged, and the recordings that are surely its own."""

    faces: frozenset[str] = frozenset()
    voices: frozenset[str] = frozenset()
    sources: frozenset[str] = field(default_factory=frozenset)


def lineages(folder: Path, clips: Sequence[Clip]) -> tuple[Lineage, ...]:
    """Every clip with its row of provenance; where that table is missing, with its own alone.

    Raises:
        DatasetError: If the table cannot be read.
    """
    path = folder / PROVENANCE
    try:
        rows = {row["id"]: row for row in read_table(path)} if path.is_file() else {}
        return tuple(_lineage(clip, rows.get(clip.id)) for clip in clips)
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise DatasetError(f"{path}: not a table of provenance: {type(error).__name__}: {error}") from error


def _lineage(clip: Clip, row: Mapping[str, object] | None) -> Lineage:
    if row is None:
        return Lineage(clip)
    told: list[Mapping[str, str | None]] = list(row.get("parents") or ())  # type: ignore[call-overload]
    parents = [Parent(one["role"] or "", one["key"] or "", one["sha256"] or "") for one in told]
    take = str(row.get("take") or "")
    if take and all(one.key != take for one in parents):
        parents.insert(0, Parent("target", take))
    return Lineage(clip, take, str(row.get("relation") or ""), tuple(parents), str(row.get("job") or ""))


def genuine_takes(found: Sequence[Lineage]) -> dict[str, Genuine]:
    """What the real clips tell of every take; takes that only lend or stand beside have their recordings alone.

    Where a take has no real clip, its face is told by fakes that nobody else drives, its voice by those of them whose
    sound is genuine.
    """
    by_take: dict[str, list[Lineage]] = {}
    for one in found:
        if one.take:
            by_take.setdefault(one.take, []).append(one)
    sources = _sources_of_takes(found)
    result = {}
    for key in {*by_take, *sources}:
        mine = by_take.get(key, [])
        real = [one for one in mine if one.clip.kind == REAL_KIND]
        alone = real or [one for one in mine if one.relation != _PARTNER]
        faces = alone or mine
        heard = real or [one for one in alone if one.clip.labels.audio_label == 0]
        result[key] = Genuine(
            frozenset(one.clip.face_id for one in faces) - {""},
            frozenset(one.clip.voice_id for one in heard) - {""},
            sources.get(key, frozenset()),
        )
    return result


def known_takes(folder: Path) -> dict[str, Genuine]:
    """Takes of a repaired set as the clips of the set before it told; none of other sets.

    Raises:
        DatasetError: If the table cannot be read.
    """
    path = folder / TAKES
    if not path.is_file():
        return {}
    try:
        return {
            str(row["take"]): Genuine(*(frozenset(map(str, row[name])) for name in ("faces", "voices", "sources")))
            for row in read_table(path)
        }
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise DatasetError(f"{path}: not a table of takes: {type(error).__name__}: {error}") from error


def write_takes(folder: Path, old: Dataset, keys: Iterable[str]) -> None:
    """Write down who is in some takes of a set, for a set made of it that lacks clips.

    Args:
        folder: The set that lacks clips.
        old: The set before.
        keys: Takes that went into the clips of the former.
    """
    found = {**genuine_takes(lineages(old.folder, old.rows)), **known_takes(old.folder)}
    rows = [
        {"take": key, "faces": sorted(one.faces), "voices": sorted(one.voices), "sources": sorted(one.sources)}
        for key, one in sorted(found.items())
        if key in set(keys)
    ]
    write_table(folder / TAKES, rows, schema(_TAKE_COLUMNS))


def _sources_of_takes(found: Sequence[Lineage]) -> dict[str, frozenset[str]]:
    """The recordings of every take.

    A clip's source ids are those of all its takes together. So a recording of a take is in all clips that the take is
    in. What could be several takes' is the one's that nobody else in some clip could have brought, or that has no
    other; that may settle others in turn. What is never settled counts for all of them, so that nothing is overlooked.
    """
    possible: dict[str, frozenset[str]] = {}
    for one in found:
        here = frozenset(name for name in one.clip.source_ids if not name.startswith(PERSON_SOURCE))
        for key in one.takes:
            possible[key] = possible[key] & here if key in possible else here
    together = {frozenset(one.takes) for one in found}
    while True:
        sure = _owners(possible, together)
        settled = {
            key: frozenset(name for name in names if key in sure.get(name, {key})) or names
            for key, names in possible.items()
        }
        if settled == possible:
            return settled
        possible = settled


def _owners(possible: Mapping[str, frozenset[str]], together: Iterable[frozenset[str]]) -> dict[str, set[str]]:
    """Recordings whose takes are known for sure: each take has one at least, and each recording of a clip a take."""
    sure: dict[str, set[str]] = {}
    for key, names in possible.items():
        if len(names) == 1:
            sure.setdefault(next(iter(names)), set()).add(key)
    for takes in together:
        owners: dict[str, list[str]] = {}
        for key in takes:
            for name in possible[key]:
                owners.setdefault(name, []).append(key)
        for name, keys in owners.items():
            if len(keys) == 1:
                sure.setdefault(name, set()).add(keys[0])
    return sure


def sources_without_takes(found: Sequence[Lineage], faces: Iterable[str]) -> dict[str, frozenset[str]]:
    """Recordings of faces as far as the tables tell that have no provenance.

    The real clips of a face with the fewest recordings hold its own ones, but for those that are the only ones of
    somebody else's real clip. In scenes, the others' recordings cannot always be told from its own; they count, then.
    """
    sets: dict[str, set[frozenset[str]]] = {}
    for one in found:
        if not one.take and one.clip.kind == REAL_KIND and one.clip.face_id:
            names = frozenset(name for name in one.clip.source_ids if not name.startswith(PERSON_SOURCE))
            sets.setdefault(one.clip.face_id, set()).add(names)
    only = {face: {name for one in mine if len(one) == 1 for name in one} for face, mine in sets.items()}
    result = {}
    for face in faces:
        mine = sets.get(face, set())
        least = {one for one in mine if not any(other < one for other in mine)}
        others = {name for other, names in only.items() if other != face for name in names}
        own = {name for one in least for name in one}
        result[face] = frozenset(own - (others - only.get(face, set())))
    return result
