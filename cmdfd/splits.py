"""Leak-safe splits: whoever shares a face, a voice or a recording stays together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.clip import content_id
from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cmdfd.clip import Clip

#: Shares of clips where neither source nor recipe says otherwise.
DEFAULT_FRACTIONS: Mapping[str, float] = {"train": 0.5, "validation": 0.2, "test": 0.3}


class SplitError(CmdfdError):
    """Two parts that must be disjoint share somebody or something."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who and what a clip was made from; "" means unknown and joins nobody.

    Args:
        face_id: The person seen.
        voice_id: The person heard.
        source_ids: Recordings that it was cut from.
    """

    face_id: str
    voice_id: str
    source_ids: tuple[str, ...]

    def nodes(self) -> tuple[tuple[str, str], ...]:
        """What it hangs on; a face and a voice of one name stay two things."""
        named = [("face", self.face_id), ("voice", self.voice_id)]
        return tuple(node for node in [*named, *(("source", one) for one in self.source_ids)] if node[1])


def components(rows: Sequence[Identity]) -> list[str]:
    """Connected components over face, voice and source ids.

    Args:
        rows: One entry for each clip.

    Returns:
        For each row an opaque component id. It is a hash of everything in the component, so that it does not
        depend on the order of the rows. A row without any known id is a component of its own.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if not rows:
        return []
    number: dict[tuple[str, str], int] = {}
    edges = [
        (index, len(rows) + number.setdefault(node, len(number)))
        for index, row in enumerate(rows)
        for node in row.nodes()
    ]
    ends = np.array(edges, np.int64).reshape(-1, 2)
    size = len(rows) + len(number)
    graph = coo_matrix((np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), shape=(size, size))
    _, found = connected_components(graph, directed=False)
    members: dict[int, list[tuple[str, str]]] = {}
    for node, index in number.items():
        members.setdefault(int(found[len(rows) + index]), []).append(node)
    names = {label: "c" + content_id("component", sorted(nodes), length=12) for label, nodes in members.items()}
    lonely = (f"c{content_id('component', 'row', index, length=12)}" for index in range(len(rows)))
    return [names.get(int(label), alone) for label, alone in zip(found[: len(rows)], lonely, strict=True)]


def assign(rows: Sequence[str], fractions: Mapping[str, float] = DEFAULT_FRACTIONS, seed: int = 0) -> dict[str, str]:
    """Give every component a split.

    The largest components go first, each into the split that lacks most clips of its share; ties are broken by
    `seed`. Every split gets a component before any gets a second one, so that small sets have all splits; where
    there are fewer components than splits, those with the largest shares are served.

    Args:
        rows: The component of every clip.
        fractions: Share of clips for each split, > 0; they are scaled to a sum of 1.
        seed: Breaks ties.

    Returns:
        Component id to split.

    Raises:
        SplitError: For fractions that are not positive numbers.
    """
    if not fractions or not all(np.isfinite(share) and share > 0 for share in fractions.values()):
        raise SplitError(f"split fractions must be positive numbers, got {dict(fractions)}")
    sizes = Counter(rows)
    names = sorted(sizes)
    order = np.random.default_rng([seed, 0x51]).permutation(len(names))
    queue = sorted((names[index] for index in order), key=lambda name: -sizes[name])  # the sort is stable
    total = sum(fractions.values())
    missing = {split: share / total * len(rows) for split, share in fractions.items()}
    chosen: dict[str, str] = {}
    for name in queue:
        empty = [split for split in fractions if split not in chosen.values()]
        best = max(empty or list(fractions), key=lambda split: missing[split])
        chosen[name] = best
        missing[best] -= sizes[name]
    return chosen


def check_disjoint(train: Iterable[Clip], report: Iterable[Clip], names: tuple[str, str] = ("train", "report")) -> None:
    """Refuse two parts that share a person, a recording, a component or a file.

    Args:
        train: Clips that something is learned from.
        report: Clips that are reported on.
        names: What the two parts are called in the error.

    Raises:
        SplitError: Naming what is shared, how often, and examples.
    """
    first, second = _ids(train), _ids(report)
    for what, ids in first.items():
        shared = sorted(ids & second[what])
        if shared:
            raise SplitError(
                f"{names[0]} and {names[1]} share {len(shared)} {what} id{'s' * (len(shared) > 1)}, for example "
                f"{', '.join(shared[:3])}; build the splits with cmdfd.splits.assign, or choose disjoint ones"
            )


def _ids(clips: Iterable[Clip]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {
        "face": set(),
        "voice": set(),
        "source": set(),
        "component": set(),
        "sha256": set(),
    }
    for clip in clips:
        found["face"].add(clip.face_id)
        found["voice"].add(clip.voice_id)
        found["source"].update(clip.source_ids)
        found["component"].add(clip.component)
        found["sha256"].add(clip.sha256)
    return {what: ids - {""} for what, ids in found.items()}
