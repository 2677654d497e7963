"""Everything that goes with a person, a recording or a clip: what shows, carries, was cut from it, or derives from it.

Edges point one way, from what is withdrawn to what was made of it. So a fake in which two people meet goes with either
of them, but takes neither's own clips along.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cmdfd.clip import REAL_KIND, content_id
from cmdfd.errors import CmdfdError, nearest
from cmdfd.takedown.graph import Graph, Node, chain
from cmdfd.takedown.lineage import (
    PERSON_SOURCE,
    Genuine,
    Lineage,
    genuine_takes,
    known_takes,
    lineages,
    sources_without_takes,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cmdfd.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Asked:
    """What shall be withdrawn.

    Args:
        people: Ids of faces or voices.
        sources: Ids of recordings, or keys of takes.
        clips: Ids of clips. A real clip stands for its take and goes with everything made of it; a fake goes with its
            versions.
        names: Words, such as file names, that shall go from texts, too.
    """

    people: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    clips: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (self.people or self.sources or self.clips):
            raise CmdfdError("say whom or what to take out: --person ID, --source ID or --clip ID")


@dataclass(frozen=True, slots=True)
class Closure:
    """What goes.

    Args:
        reasons: Clip id to the chain of reasons, sorted by id.
        marks: (kind, id) of the people, recordings and takes that shall not come back: "face", "voice", "source",
            "take".
        names: Every word by which texts of the set may name what goes.
        jobs: Ids of the jobs that made the clips.
        loose: Words that are sought anywhere in texts, also inside of other words.
        asked: Who was asked for, as the tables know them, a line each.
        notes: What the person who does this must know.
    """

    reasons: Mapping[str, tuple[str, ...]]
    marks: frozenset[tuple[str, str]] = frozenset()
    names: frozenset[str] = frozenset()
    jobs: frozenset[str] = frozenset()
    loose: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ids(self) -> frozenset[str]:
        """The clips."""
        return frozenset(self.reasons)


@dataclass(slots=True)
class _People:
    """Faces and voices that belong to the people asked for."""

    asked: dict[str, str] = field(default_factory=dict)
    seeds: list[tuple[Node, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def close(dataset: Dataset, asked: Asked) -> Closure:
    """Find everything that has to go, until nothing is added any more.

    Raises:
        CmdfdError: For an id that the set does not have, with the nearest; or a copy of a set without its labels.
    """
    hidden = sum(not clip.kind for clip in dataset.rows)
    if hidden:
        raise CmdfdError(
            f"{dataset.folder}: the labels of {hidden} clips are not in this copy, so nobody can tell who is in them; "
            "do this at home, in the folder that was built"
        )
    return close_lineages(lineages(dataset.folder, dataset.rows), asked, known_takes(dataset.folder))


def close_lineages(found: Sequence[Lineage], asked: Asked, known: Mapping[str, Genuine] | None = None) -> Closure:
    """The same for lineages in memory; see `close`.

    Args:
        found: The clips.
        asked: What shall go.
        known: Takes of which more is known than these clips tell.
    """
    genuine = {**genuine_takes(found), **(known or {})}
    graph = _graph(found, genuine)
    people = _People()
    for name in asked.people:
        _add_person(name, found, genuine, people)
    seeds = [*people.seeds, *_sources(asked.sources, found), *_clips(asked.clips, found)]
    reached = graph.reach(seeds)
    mine = {one.clip.id: one for one in found if Node("clip", one.clip.id) in reached}
    named = [node for node, _ in people.seeds if node.name in asked.people]
    reasons = {name: _with_all(named, graph, chain(reached, Node("clip", name)), name) for name in sorted(mine)}
    kinds = {"own": "take"}
    marks = {("name", name) for name in asked.names}
    marks |= {(kinds.get(node.kind, node.kind), node.name) for node in reached if node.kind in _MARKED}
    words = {name for _, name in marks} | set(reasons) | {*asked.people}
    if any(not one.take for one in found):
        people.notes.append(_NO_PROVENANCE)
    return Closure(
        reasons,
        frozenset(marks),
        frozenset(words - {""}),
        frozenset(one.job for one in mine.values()) - {""},
        asked.names,
        tuple(people.asked.values()),
        tuple(people.notes),
    )


def _with_all(named: Sequence[Node], graph: Graph, told: tuple[str, ...], name: str) -> tuple[str, ...]:
    """A reason in one step with all others of that kind: a face and a voice that were both asked for are both told."""
    if len(told) != 1:
        return told
    whys = [why for node in named if (why := graph.edges.get(node, {}).get(Node("clip", name)))]
    return (" and ".join(dict.fromkeys([*told, *whys])),)


_MARKED = ("face", "voice", "source", "own", "take")
_NO_PROVENANCE = (
    "some clips have no row in provenance.parquet (sets repaired by earlier versions have none): of scenes with "
    "several people, everybody's recordings count as theirs where the tables cannot tell; run this on the set that was "
    "repaired as well"
)


def _graph(found: Sequence[Lineage], genuine: Mapping[str, Genuine]) -> Graph:
    graph = Graph()
    clip_ids = {one.clip.id for one in found}
    for one in found:  # what shows and what carries first: the plainest reasons
        _seen_and_heard(graph, one)
    _add_copies(graph, found)
    for key, take in sorted(genuine.items()):
        _add_take(graph, key, take)
    faces = {one.clip.face_id for one in found if not one.take} - {""}
    for face, names in sources_without_takes(found, sorted(faces)).items():
        for name in sorted(names):
            graph.add(Node("face", face), Node("source", name), f"recording {name} of {face}")
    for one in found:
        _derived(graph, one, clip_ids)
    return graph


def _add_copies(graph: Graph, found: Sequence[Lineage]) -> None:
    """Clips with the bytes of one that shows a face or carries a voice.

    Equal bytes alone do not count: a null edit that changed nothing has the bytes of its take's real clip, also where
    its row names a donor who is not in it.
    """
    copies: dict[str, list[Lineage]] = {}
    for one in found:
        copies.setdefault(one.clip.sha256, []).append(one)
    for one in found:
        for other in copies[one.clip.sha256] if one.clip.sha256 else ():
            for node in (Node("face", one.clip.face_id), Node("voice", one.clip.voice_id)):
                why = f"the same bytes as clip {one.clip.id} of {node.name}"
                graph.add(node, Node("clip", other.clip.id), why)


def _add_take(graph: Graph, key: str, take: Genuine) -> None:
    own = Node("own", key)
    for face in sorted(take.faces):
        graph.add(Node("face", face), own, f"take {key} shows {face}")
    for voice in sorted(take.voices):
        graph.add(Node("voice", voice), own, f"take {key} carries the voice {voice}")
    graph.add(own, Node("take", key), "")
    for name in sorted(take.sources):
        graph.add(own, Node("source", name), f"recording {name}")
        # every clip of the take has the recording already; this tells the take's name
        graph.add(Node("source", name), Node("take", key), f"take {key} of it")


def _seen_and_heard(graph: Graph, one: Lineage) -> None:
    clip, this = one.clip, Node("clip", one.clip.id)
    how = "" if clip.kind == REAL_KIND else f" through {clip.kind}"
    graph.add(Node("face", clip.face_id), this, f"face of {clip.face_id}{how}")
    graph.add(Node("voice", clip.voice_id), this, f"voice {clip.voice_id}{how}")


def _derived(graph: Graph, one: Lineage, clip_ids: set[str]) -> None:
    """Edges to a clip from recordings, takes, other clips and files."""
    clip, this = one.clip, Node("clip", one.clip.id)
    version = f"version {clip.platform!r} of clip" if clip.platform else "made from clip"
    graph.add(Node("clip", clip.original), this, f"{version} {clip.original}")
    for parent in one.parents:
        if parent.role == "original" or parent.key in clip_ids:
            graph.add(Node("clip", parent.key), this, f"{version} {parent.key}")
        else:
            graph.add(Node("take", parent.key), this, f"{_ROLES.get(parent.role, parent.role)} {clip.kind}")
            graph.add(Node("take", parent.key), Node("file", parent.sha256), f"file of take {parent.key}")
            graph.add(Node("file", parent.sha256), this, f"the same file lies under it: {parent.key}")
    for name in clip.source_ids:
        graph.add(Node("source", name), this, f"{name} went into {clip.kind}")


_ROLES = {"target": "is forged or shown in", "donor": "lends to", "bystander": "stands beside in"}


def _add_person(name: str, found: Sequence[Lineage], genuine: Mapping[str, Genuine], people: _People) -> None:
    """The face and voice of a person, and the node by which the manual source names them."""
    faces = {one.clip.face_id for one in found}.union(*(take.faces for take in genuine.values())) - {""}
    voices = {one.clip.voice_id for one in found}.union(*(take.voices for take in genuine.values())) - {""}
    took_part = PERSON_SOURCE + content_id("person", name)
    takes_part = any(took_part in one.clip.source_ids for one in found)
    if name not in faces | voices and not takes_part:
        raise CmdfdError(f"nobody here is called {name!r}: {_near(name, faces | voices)}")
    voices_of, faces_of = _voices_and_faces(found, genuine.values())
    mine = {name} & faces
    if name in voices and faces_of.get(name):
        alone = [face for face in faces_of[name] if voices_of[face] == {name}]
        mine |= set(alone) if len(faces_of[name]) == 1 else set()
        if not mine:
            people.notes.append(f"the voice {name!r} is heard with {len(faces_of[name])} faces; no face is taken out")
    people.seeds += [(Node("face", face), "") for face in sorted(mine)]
    spoken = ({name} & voices) | {voice for face in mine for voice in voices_of.get(face, ())}
    for voice in sorted(spoken):
        people.seeds.append((Node("voice", voice), ""))
        others = sorted(faces_of.get(voice, set()) - mine)
        if others and mine:
            people.notes.append(
                f"the voice {voice!r} is also that of {', '.join(others[:3])} in genuine recordings, and they go; if "
                "it is not this person's voice, name the recordings with --source instead"
            )
    known = [f"the face {face!r}" for face in sorted(mine)] + [f"the voice {voice!r}" for voice in sorted(spoken)]
    people.asked[name] = f"{name}: {' and '.join([*known, *(['who took part'] if takes_part else [])])}"
    if takes_part:
        people.seeds.append((Node("source", took_part), f"{name} took part"))


def _voices_and_faces(
    found: Sequence[Lineage], genuine: Iterable[Genuine]
) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Voices of every face in genuine takes, and the other way round."""
    pairs = {(one.clip.face_id, one.clip.voice_id) for one in found if one.clip.kind == REAL_KIND}
    for take in genuine:
        pairs |= {(face, voice) for face in take.faces for voice in take.voices}
    voices: dict[str, set[str]] = {}
    faces: dict[str, set[str]] = {}
    for face, voice in pairs:
        if face and voice:
            voices.setdefault(face, set()).add(voice)
            faces.setdefault(voice, set()).add(face)
    return voices, faces


def _sources(names: Iterable[str], found: Sequence[Lineage]) -> list[tuple[Node, str]]:
    sources = {name for one in found for name in one.clip.source_ids}
    takes = {key for one in found for key in one.takes}
    seeds = []
    for name in names:
        if name not in sources | takes:
            raise CmdfdError(f"no recording or take is called {name!r}: {_near(name, sources | takes)}")
        kinds: list[Node] = [Node("source", name)] if name in sources else []
        kinds += [Node("take", name)] if name in takes else []
        seeds += [(node, f"{'recording' if node.kind == 'source' else 'take'} {name}") for node in kinds]
    return seeds


def _clips(names: Iterable[str], found: Sequence[Lineage]) -> list[tuple[Node, str]]:
    by_id = {one.clip.id: one for one in found}
    seeds = []
    for name in names:
        if name not in by_id:
            raise CmdfdError(f"no clip is called {name!r}: {_near(name, by_id)}")
        one = by_id[name]
        seeds.append((Node("clip", name), "asked for"))
        base = by_id.get(one.clip.original, one)
        if base is not one:
            seeds.append((Node("clip", base.clip.id), f"clip {name} is a version of it"))
        if base.clip.kind == REAL_KIND and base.take:
            seeds.append((Node("take", base.take), f"clip {name} shows the take {base.take}"))
    return seeds


#: So many known ids are listed beside the nearest one.
_LISTED = 12


def _near(name: str, known: Iterable[str]) -> str:
    words = sorted(set(known))
    if len(words) <= _LISTED:
        return nearest(name, words)
    import difflib

    close_ones = difflib.get_close_matches(name, words, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(map(repr, close_ones))}? " if close_ones else ""
    return f"{hint}{len(words)} are known, for example {', '.join(words[:3])}"


def counts_of(dataset: Dataset, ids: Iterable[str]) -> Counter[tuple[str, str]]:
    """Clips by (kind, split)."""
    return Counter((clip.kind, clip.split) for clip in (dataset.clip(name) for name in ids))
