"""Which takes, clips and moments a contact sheet shows: the same ones every time, spread over people and splits."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.clip import Modality
from generators.sheets.origins import is_plain_real, is_version, kind_order, open_splits, origins

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cmdfd.clip import Clip
    from cmdfd.dataset import Dataset
    from generators.sheets.origins import Origin


@dataclass(frozen=True, slots=True)
class SheetTake:
    """One take with everything that was made from it.

    Args:
        key: Its key.
        split: Its split.
        face_id: Who is seen in its real clip, or in the first fake where the real one was refused.
        clips: The real clip, reals that passed a generator's steps, then the fakes as the recipe orders them.
        origins: Origin of each clip.
    """

    key: str
    split: str
    face_id: str
    clips: tuple[Clip, ...]
    origins: tuple[Origin, ...]


def takes_of(dataset: Dataset) -> list[SheetTake]:
    """All takes of the splits that may be shown, by split, person and key; without versions from platforms.

    Raises:
        CmdfdError: If the set has no provenance.
    """
    found = origins(dataset)
    order = {kind: rank for rank, kind in enumerate(kind_order(dataset))}
    takes: list[SheetTake] = []
    for split in open_splits(dataset):
        grouped: dict[str, list[Clip]] = {}
        for clip in dataset.clips(split):
            if is_version(clip):
                continue
            grouped.setdefault(found[clip.id].take, []).append(clip)
        here = [_take(split, key, clips, found, order) for key, clips in grouped.items()]
        takes += sorted(here, key=lambda take: (take.face_id, take.key))
    return takes


def _take(
    split: str, key: str, clips: Sequence[Clip], found: Mapping[str, Origin], order: Mapping[str, int]
) -> SheetTake:
    def rank(clip: Clip) -> tuple[int, bool, str, str]:
        return (order[clip.kind], not is_plain_real(clip), clip.variant, clip.id)

    ordered = tuple(sorted(clips, key=rank))
    return SheetTake(key, split, ordered[0].face_id, ordered, tuple(found[clip.id] for clip in ordered))


def choose(takes: Sequence[SheetTake], people: int) -> list[SheetTake]:
    """A sample of takes, one of each person as far as people go round; in the given order.

    People are picked at even distances. Of a person's takes, those with the most clips are preferred; among equals
    the choice moves on from person to person, so that grades that change with the take are all seen.

    Args:
        takes: As `takes_of` orders them.
        people: How many takes, at least 1.
    """
    by_person: dict[tuple[str, str], list[SheetTake]] = {}
    for take in takes:
        by_person.setdefault((take.split, take.face_id or take.key), []).append(take)
    groups = list(by_person.values())
    count = min(people, len(groups))
    picks = sorted({round(place) for place in np.linspace(0, len(groups) - 1, count).tolist()}) if count else []
    chosen = []
    for turn, index in enumerate(picks):
        most = max(len(take.clips) for take in groups[index])
        best = [take for take in groups[index] if len(take.clips) == most]
        chosen.append(best[turn % len(best)])
    spare = [take for take in takes if take not in chosen]
    chosen += spare[: max(people - len(chosen), 0)]
    return [take for take in takes if take in chosen]


def features(take: SheetTake) -> set[tuple[str, str]]:
    """What a take can show: its scene and kinds."""
    return {(what, name) for clip in take.clips for what, name in (("scene", clip.scene), ("kind", clip.kind))}


def covering(takes: Sequence[SheetTake], people: int) -> list[SheetTake]:
    """A sample of takes in which every scene and kind of fake is seen, the most telling ones first.

    Where all takes have all kinds, as without scenes, that is `choose`. Otherwise takes are picked that show most of
    what no earlier one has, those of `choose` before others, and more than `people` where that is not enough.

    Args:
        takes: As `takes_of` orders them.
        people: How many takes, at least 1.
    """
    chosen = choose(takes, people)
    missing = set().union(*(features(take) for take in takes)) if takes else set()
    if set().union(*(features(take) for take in chosen)) == missing if chosen else not missing:
        return chosen
    ranked: list[SheetTake] = []
    rest = [*chosen, *(take for take in takes if take not in chosen)]
    while rest and (missing or len(ranked) < people):
        persons = {(take.split, take.face_id) for take in ranked}
        best = max(rest, key=lambda take: (len(features(take) & missing), (take.split, take.face_id) not in persons))
        rest.remove(best)
        missing -= features(best)
        ranked.append(best)
    return ranked


def moments(take: SheetTake, frames: int) -> list[int]:
    """Frames to show of every clip of a take, so that real and fake stand at the same times.

    The clip is cut into equal parts, and each part gives the frame nearest to its middle at which most of those fakes
    are forged that no earlier frame has shown.

    Args:
        take: The take.
        frames: How many, at least 1.
    """
    n_frames = min(clip.n_frames for clip in take.clips)
    fps = take.clips[0].fps
    edges = np.linspace(0, n_frames, min(frames, n_frames) + 1).astype(int)
    forged = np.zeros((len(take.clips), n_frames), dtype=bool)
    times = (np.arange(n_frames) + 0.5) / fps
    for row, clip in enumerate(take.clips):
        for one in clip.segments:
            forged[row] |= (times >= one.start) & (times < one.end)
    unseen = np.ones(len(take.clips), dtype=bool)
    found = []
    for low, high in itertools.pairwise(edges.tolist()):
        count = forged[unseen, low:high].sum(axis=0)
        distance = np.abs(np.arange(low, high) - (low + high - 1) / 2)
        best = low + int(np.lexsort((distance, -count))[0])
        unseen &= ~forged[:, best]
        found.append(best)
    return found


def own_moments(clip: Clip, shared: Sequence[int]) -> list[int]:
    """The frames that are shown of one clip: those of its take, but one of them inside a forged picture.

    Args:
        clip: The clip.
        shared: Frames that are shown of every clip of its take.
    """
    pictures = [one for one in clip.segments if one.modality != Modality.AUDIO]
    shown = [(index + 0.5) / clip.fps for index in shared]
    if not pictures or any(one.start <= time < one.end for one in pictures for time in shown):
        return list(shared)
    middle = min(int((pictures[0].start + pictures[0].end) / 2 * clip.fps), clip.n_frames - 1)
    nearest = min(range(len(shared)), key=lambda column: abs(shared[column] - middle))
    return [middle if column == nearest else index for column, index in enumerate(shared)]
