"""From a recipe to a list of clips: who gets which split, who lends whom a voice, and what every clip is called."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.clip import REAL_KIND, SPLITS, content_id
from cmdfd.dataset import ClipPaths, clip_paths
from cmdfd.errors import CmdfdError
from cmdfd.splits import Identity, assign, components
from generators.registry import make_generator, resolve_params
from generators.sources.registry import make_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from generators.recipe import KindRecipe, Recipe
    from generators.sources.contract import Refused, SourceItem

#: Bumped when the build makes other bytes of the same recipe.
CODE_VERSION = 2
SAME, PARTNER = "same", "partner"
_SUFFIX = {"mp4": ".mp4", "mov": ".mov"}


class PlanError(CmdfdError):
    """A recipe that its source cannot serve."""


def stream(*parts: Any) -> np.random.Generator:
    """The random stream of a thing: a pure function of its names, so that no draw depends on any other."""
    return np.random.default_rng(int(content_id(*parts, length=32), 16))


@dataclass(frozen=True, slots=True)
class PlannedClip:
    """One clip that shall be made.

    Args:
        id: Opaque id.
        kind: "real" or the recipe's name of the fake kind.
        generator: Registry name.
        params: Its parameters, defaults included.
        index: Which of `per_take`.
        paths: Where its files go.
    """

    id: str
    kind: str
    generator: str
    params: Mapping[str, Any]
    index: int
    paths: ClipPaths


@dataclass(frozen=True, slots=True)
class PlannedTake:
    """A pristine take and everything that is made from it, in one piece of work.

    The window and the quality are drawn once for a take: its real clip and its fakes share them, so neither can tell
    them apart, and clips that share their picture also share its encoded packets.

    Args:
        item: The source's item, its split filled in.
        donor: Item that lends voice or movement, or None.
        relation: "same" (another take of the same person), "partner", or "" without a donor.
        place: In [0, 1): where among the possible starts the written window begins.
        crf: Quality of the encoded picture.
        ordinal: Rank of the take in its split.
        clips: What is made.
    """

    item: SourceItem
    donor: SourceItem | None
    relation: str
    place: float
    crf: int
    ordinal: int
    clips: tuple[PlannedClip, ...]


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """Everything that a build will do.

    Args:
        recipe: The resolved recipe.
        takes: Takes in the source's order.
        refused: Files that the source could not use.
        recipe_hash: Content address of the data set.
        code_packages: Packages whose versions change the bytes.
    """

    recipe: Recipe
    takes: tuple[PlannedTake, ...]
    refused: tuple[Refused, ...]
    recipe_hash: str
    code_packages: tuple[str, ...]

    def counts(self) -> dict[str, dict[str, int]]:
        """Planned clips: split -> kind -> number."""
        found: dict[str, dict[str, int]] = {}
        for take in self.takes:
            kinds = found.setdefault(take.item.split or "", {})
            for clip in take.clips:
                kinds[clip.kind] = kinds.get(clip.kind, 0) + 1
        return {split: found[split] for split in SPLITS if split in found}


def make_plan(recipe: Recipe, limit: int | None = None) -> BuildPlan:
    """Plan a build; the same on every machine for the same recipe and source.

    Args:
        recipe: What shall be built.
        limit: At most so many components (people who share nothing) in each split, or None.

    Raises:
        PlanError: If the source has nothing usable, or puts one person into two splits.
        CmdfdError: For unknown sources, generators or parameters.
    """
    params = {kind.kind: resolve_params(kind.made_by, kind.params) for kind in recipe.kinds}
    source = make_source(recipe.source.kind, recipe.source.options)
    found = source.plan({str(name): options for name, options in recipe.splits.items()}, recipe.seed)
    if not found.items:
        reasons = "; ".join(f"{one.file}: {one.reason}" for one in found.refused[:3])
        raise PlanError(f"source {recipe.source.kind!r} has nothing that can be used{': ' if reasons else ''}{reasons}")
    if len({item.key for item in found.items}) != len(found.items):
        raise PlanError(f"source {recipe.source.kind!r} gives one key to several takes")
    shares = {str(name): share for name, share in recipe.fractions.items()}
    items = limited(with_splits(found.items, shares, recipe.seed), limit)
    donors = pair_donors(items, recipe.seed) if _any_donor(recipe.kinds) else {}
    paths = _paths(recipe, items)
    ordinals = _ordinals(items)
    takes = tuple(_planned(recipe, item, donors.get(item.key), params, paths, ordinals[item.key]) for item in items)
    described = [[item.key, item.split, dict(item.spec), list(item.source_ids)] for item in items]
    recipe_hash = content_id("build", CODE_VERSION, recipe.hash, described, params, length=32)
    return BuildPlan(recipe, takes, found.refused, recipe_hash, tuple(source.neutral()))


def _any_donor(kinds: Iterable[KindRecipe]) -> bool:
    return any(make_generator(kind.made_by).spec.needs_donor for kind in kinds)


def identity_of(item: SourceItem) -> Identity:
    """Who and what a take hangs on."""
    return Identity(item.face_id, item.voice_id, item.source_ids)


def with_splits(items: Sequence[SourceItem], fractions: Mapping[str, float], seed: int) -> tuple[SourceItem, ...]:
    """Fill in the splits that the source left open, by component; takes whose split is fixed keep it.

    Raises:
        PlanError: If the source puts takes of one component into two splits.
    """
    groups = components([identity_of(item) for item in items])
    fixed: dict[str, str] = {}
    for item, group in zip(items, groups, strict=True):
        if item.split is None:
            continue
        if item.split not in SPLITS:
            raise PlanError(f"take {item.key!r} has the split {item.split!r}; known: {', '.join(SPLITS)}")
        if fixed.setdefault(group, item.split) != item.split:
            raise PlanError(
                f"take {item.key!r} is in {item.split!r}, but shares a face, voice or recording with "
                f"takes in {fixed[group]!r}"
            )
    chosen = {**assign([group for group in groups if group not in fixed], fractions, seed), **fixed}
    return tuple(replace(item, split=chosen[group]) for item, group in zip(items, groups, strict=True))


def limited(items: Sequence[SourceItem], limit: int | None) -> tuple[SourceItem, ...]:
    """Keep the first `limit` components of every split, whole; first in the source's order."""
    if limit is None:
        return tuple(items)
    if limit < 1:
        raise PlanError(f"--limit must be at least 1, got {limit}")
    kept: dict[str, list[str]] = {}
    result = []
    for item, group in zip(items, components([identity_of(item) for item in items]), strict=True):
        names = kept.setdefault(item.split or "", [])
        if group not in names and len(names) < limit:
            names.append(group)
        if group in names:
            result.append(item)
    return tuple(result)


def pair_donors(items: Sequence[SourceItem], seed: int) -> dict[str, tuple[SourceItem, str]]:
    """Who lends voice or movement to whom.

    Another take of the same person where there is one (the next, round about). Those with a single take are paired
    off inside their split, each the other's donor, so that no more than two people become one component. One that
    is left over has no donor.

    Returns:
        Take's key to its donor and their relation.
    """
    people: dict[tuple[str, str], list[SourceItem]] = {}
    for item in items:
        people.setdefault((item.split or "", item.face_id or f"\0{item.key}"), []).append(item)
    found: dict[str, tuple[SourceItem, str]] = {}
    single: dict[str, list[SourceItem]] = {}
    for (split, _), takes in sorted(people.items()):
        if len(takes) == 1:
            single.setdefault(split, []).append(takes[0])
        for index, item in enumerate(takes if len(takes) > 1 else []):
            found[item.key] = (takes[(index + 1) % len(takes)], SAME)
    for split, lone in single.items():
        order = stream("partners", seed, split).permutation(len(lone))
        for first, second in zip(order[::2], order[1::2], strict=False):
            found[lone[first].key] = (lone[second], PARTNER)
            found[lone[second].key] = (lone[first], PARTNER)
    return found


def _slots(recipe: Recipe) -> list[tuple[str, str, int]]:
    """Kind, generator and index of every clip of a take, the real one first."""
    fakes = [(kind.kind, kind.made_by, index) for kind in recipe.kinds for index in range(kind.per_take)]
    return [(REAL_KIND, "sham", 0), *fakes]


def _clip_id(recipe: Recipe, item: SourceItem, kind: str, index: int) -> str:
    return content_id("clip", recipe.hash, item.key, dict(item.spec), kind, index)


def _paths(recipe: Recipe, items: Sequence[SourceItem]) -> dict[str, ClipPaths]:
    """Places by clip id: the rank among the sorted ids of a split, which tells nothing about the class."""
    ids: dict[str, list[str]] = {}
    for item in items:
        ids.setdefault(item.split or "", []).extend(
            _clip_id(recipe, item, kind, index) for kind, _, index in _slots(recipe)
        )
    suffix = _SUFFIX[recipe.harmonise.container]
    return {
        clip_id: clip_paths(split, clip_id, rank, suffix)
        for split, names in ids.items()
        for rank, clip_id in enumerate(sorted(names))
    }


def _ordinals(items: Sequence[SourceItem]) -> dict[str, int]:
    """Rank of every take among those of its split, by key."""
    by_split: dict[str | None, list[str]] = {}
    for item in items:
        by_split.setdefault(item.split, []).append(item.key)
    return {key: rank for keys in by_split.values() for rank, key in enumerate(sorted(keys))}


def _planned(
    recipe: Recipe,
    item: SourceItem,
    donor: tuple[SourceItem, str] | None,
    params: Mapping[str, Mapping[str, Any]],
    paths: Mapping[str, ClipPaths],
    ordinal: int,
) -> PlannedTake:
    rng = stream("window", recipe.seed, item.key)
    place = float(rng.random())
    low, high = recipe.harmonise.crf
    crf = int(rng.integers(low, high + 1))
    clips = []
    for kind, generator, index in _slots(recipe):
        clip_id = _clip_id(recipe, item, kind, index)
        clips.append(PlannedClip(clip_id, kind, generator, params.get(kind, {}), index, paths[clip_id]))
    lender, relation = donor or (None, "")
    return PlannedTake(item, lender, relation, place, crf, ordinal, tuple(clips))
