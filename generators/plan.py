"""From a recipe to a list of clips: who gets which split, who drives whom, and what every clip is called."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cmdfd.clip import REAL_KIND, SPLITS, content_id
from cmdfd.dataset import ClipPaths, clip_paths
from cmdfd.errors import CmdfdError
from cmdfd.rights import most_restrictive, rights_problem
from cmdfd.splits import Identity, assign, components
from generators.casting import plan_scenes
from generators.chains import chains_of
from generators.chance import stream
from generators.pairing import all_donors
from generators.registry import make_generator, resolve_params
from generators.sources.registry import make_source
from generators.splice.scenes.layouts import CODE_VERSION as SCENES_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from generators.casting import PlannedScene
    from generators.chains import PlannedChain
    from generators.pairing import Donor, Donors
    from generators.recipe import KindRecipe, Recipe
    from generators.sources.contract import Refused, SourceItem

#: Bumped when the build makes other bytes of the same recipe.
CODE_VERSION = 4
_SUFFIX = {"mp4": ".mp4", "mov": ".mov"}


class PlanError(CmdfdError):
    """A recipe that its source cannot serve."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One clip that every take gets: a real one, a fake, or a real that passes a generator's sham.

    Args:
        kind: The recipe's kind, "real" for the plain real clip.
        generator: Registry name.
        index: Which of the kind's clips of a take.
        sham: Whether the generator shall not forge.
        driver: Whose sound, movement or face is used.
        labels: Labels that replace the generator's.
        on: "panel" or "scene": what the generator works on.
        panels: How many panels of the scene it forges.
        platform: Name of the chain of platforms that a finished clip is sent through, "" for an original.
        chain: That chain as the recipe names it.
        chain_address: Its content address when it was planned.
    """

    kind: str
    generator: str
    index: int
    sham: bool = False
    driver: str = "other"
    labels: Mapping[str, int | None] = field(default_factory=dict)
    on: str = "panel"
    panels: int = 1
    platform: str = ""
    chain: str = ""
    chain_address: str = ""

    @property
    def recorded(self) -> str:
        """Kind in the tables: a sham is a real clip."""
        return REAL_KIND if self.sham else self.kind


@dataclass(frozen=True, slots=True)
class PlannedClip:
    """One clip that shall be made.

    Args:
        id: Opaque id: the first digits of `address`.
        address: Content address of everything that the recipe and the source say of the clip.
        slot: What it is.
        params: The generator's parameters, defaults included.
        paths: Where its files go.
        donor: Who drives it, or None.
        refused: Code and reason, where it is not to be made.
        original: Id of the clip that it is another version of, "" for an original.
    """

    id: str
    address: str
    slot: Slot
    params: Mapping[str, Any]
    paths: ClipPaths
    donor: Donor | None = None
    refused: tuple[str, str] | None = None
    original: str = ""


@dataclass(frozen=True, slots=True)
class PlannedTake:
    """A pristine take and everything that is made from it, in one piece of work.

    The window and the quality are drawn once for a take: its real clip and its fakes share them, so neither can tell
    them apart, and clips that share their picture also share its encoded packets.

    Args:
        item: The source's item, its split filled in.
        place: In [0, 1): where among the possible starts the written window begins.
        crf: Quality of the encoded picture.
        ordinal: Rank of the take in its split.
        clips: What is made, and what is refused.
        within: Seconds by which the window ends, since a driving take or one that stands beside it is no longer; None
            for the take's own end.
        scene: The scene that all its clips are, or None for single pictures.
    """

    item: SourceItem
    place: float
    crf: int
    ordinal: int
    clips: tuple[PlannedClip, ...]
    within: float | None = None
    scene: PlannedScene | None = None

    @property
    def donors(self) -> dict[str, SourceItem]:
        """Takes of others that are needed, those that drive and those that stand beside it, by key."""
        found = {clip.donor.item.key: clip.donor.item for clip in self.clips if clip.donor and not clip.refused}
        found |= {item.key: item for item in (self.scene.bystanders if self.scene else ())}
        found.pop(self.item.key, None)
        return found


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """Everything that a build will do.

    Args:
        recipe: The resolved recipe.
        takes: Takes in the source's order.
        refused: Files that the source could not use.
        recipe_hash: Content address of the data set.
        code_packages: Packages whose versions change the bytes.
        rights_override: Why fakes are made of takes without licence or consent; "" where that was not asked for.
        limit: At most so many components in each split, where that left some out.
    """

    recipe: Recipe
    takes: tuple[PlannedTake, ...]
    refused: tuple[Refused, ...]
    recipe_hash: str
    code_packages: tuple[str, ...]
    rights_override: str = ""
    limit: int | None = None

    def counts(self) -> dict[str, dict[str, int]]:
        """Planned clips that are not refused, all versions counted: split -> kind -> number."""
        found: dict[str, dict[str, int]] = {}
        for take in self.takes:
            kinds = found.setdefault(take.item.split or "", {})
            for clip in take.clips:
                if clip.refused is None:
                    kinds[clip.slot.recorded] = kinds.get(clip.slot.recorded, 0) + 1
        return {split: found[split] for split in SPLITS if split in found}


def make_plan(recipe: Recipe, limit: int | None = None, rights_override: str = "") -> BuildPlan:
    """Plan a build; the same on every machine for the same recipe and source.

    Args:
        recipe: What shall be built.
        limit: At most so many components (people who share nothing) in each split, or None.
        rights_override: Why fakes may be made of takes whose licence or consent is unknown; "" refuses them.

    Raises:
        PlanError: If the source has nothing usable, or puts one person into two splits.
        CmdfdError: For unknown sources, generators or parameters.
    """
    params = {kind.kind: resolve_params(kind.made_by, kind.params) for kind in recipe.kinds}
    for name in recipe.real.through:
        make_generator(name)
    chains = chains_of(recipe)
    source = make_source(recipe.source.kind, recipe.source.options)
    found = source.plan({str(name): options for name, options in recipe.splits.items()}, recipe.seed)
    if not found.items:
        reasons = "; ".join(f"{one.file}: {one.reason}" for one in found.refused[:3])
        raise PlanError(f"source {recipe.source.kind!r} has nothing that can be used{': ' if reasons else ''}{reasons}")
    if len({item.key for item in found.items}) != len(found.items):
        raise PlanError(f"source {recipe.source.kind!r} gives one key to several takes")
    shares = {str(name): share for name, share in recipe.fractions.items()}
    offered = with_splits(found.items, shares, recipe.seed)
    items = limited(offered, limit)
    takes = _with_paths(recipe, _Planner(recipe, params, items, rights_override, chains).takes())
    described = [_described(item) for item in items]
    decisive = [recipe.hash, described, params, rights_override, sorted(one.address for one in chains.values())]
    recipe_hash = content_id("build", CODE_VERSION, *decisive, length=32)
    cut = limit if len(items) < len(offered) else None
    return BuildPlan(recipe, takes, found.refused, recipe_hash, tuple(source.neutral()), rights_override, cut)


def _described(item: SourceItem) -> dict[str, Any]:
    """All that the source says of a take: what its clips hold, and what the tables tell of them."""
    return {**asdict(item), "source_ids": list(item.source_ids)}


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


class _Planner:
    """Plans the takes of one recipe."""

    def __init__(
        self,
        recipe: Recipe,
        params: Mapping[str, Mapping[str, Any]],
        items: Sequence[SourceItem],
        rights_override: str,
        chains: Mapping[str, PlannedChain],
    ) -> None:
        self.recipe, self.params, self.items, self.rights_override = recipe, params, items, rights_override
        self.chains = chains
        needing = {kind.driver for kind in recipe.kinds if make_generator(kind.made_by).spec.needs_donor}
        # who drives whom stands in one cast with them, or scenes and drivers would tie people in chains
        needing |= {"cross"} if recipe.scenes else set()
        self.donors: Donors = all_donors(items, set(needing), recipe.seed)
        self.scenes = plan_scenes(items, recipe.scenes, recipe.seed) if recipe.scenes else {}
        self.ordinals = _ordinals(items, {})
        # kinds take turns inside a layout, or the shape of the picture would tell some kinds from others
        self.turns = _ordinals(items, {key: scene.layout for key, scene in self.scenes.items()})

    def takes(self) -> tuple[PlannedTake, ...]:
        return tuple(self._take(item) for item in self.items)

    def _take(self, item: SourceItem) -> PlannedTake:
        rng = stream("window", self.recipe.seed, item.key)
        place = float(rng.random())
        low, high = self.recipe.harmonise.crf
        crf = int(rng.integers(low, high + 1))
        ordinal, within = self.ordinals[item.key], self._within(item)
        originals = [self._clip(item, slot, (ordinal, within)) for slot in self._slots(ordinal, self.turns[item.key])]
        versions = [self._version(item, one, name) for one in originals if not one.refused for name in self.chains]
        scene = self.scenes.get(item.key)
        return PlannedTake(item, place, crf, ordinal, (*originals, *versions), within, scene)

    def _within(self, item: SourceItem) -> float | None:
        """Where the window must end, for the shortest take that drives this one or stands beside it to cover it.

        A take that is shorter than a clip cannot, and is refused when its turn comes. None for anywhere.
        """
        kinds = [kind for kind in self.recipe.kinds if make_generator(kind.made_by).spec.needs_donor]
        donors = [donor for kind in kinds if (donor := self.donors.of(item, kind.driver)) is not None]
        scene = self.scenes.get(item.key)
        others = [*(donor.item for donor in donors), *(scene.bystanders if scene else ())]
        lengths = [length for other in others if (length := _seconds_of(other)) is not None]
        enough = [length for length in lengths if length >= self.recipe.harmonise.seconds]
        own = _seconds_of(item)
        return min(enough) if own is not None and enough and min(enough) < own else None

    def _slots(self, ordinal: int, turn: int) -> list[Slot]:
        """The clips of a take, the plain real one first."""
        through = self.recipe.real.through
        real = Slot(REAL_KIND, through[ordinal % len(through)], 0, sham=True) if through else Slot(REAL_KIND, "sham", 0)
        found = [real]
        kinds, several = self.recipe.kinds, self.recipe.kinds_per_take
        chosen = kinds if several is None else [kinds[(turn + i) % len(kinds)] for i in range(several)]
        for kind in chosen:
            found += [self._of(kind, index) for index in range(kind.per_take)]
            found += [replace(self._of(kind, index), sham=True, labels={}) for index in range(kind.shams)]
        return found

    @staticmethod
    def _of(kind: KindRecipe, index: int) -> Slot:
        labels = {str(name): value for name, value in kind.labels.items()}
        where = {"on": kind.on, "panels": kind.panels}
        return Slot(kind.kind, kind.made_by, index, driver=kind.driver, labels=labels, **where)  # type: ignore[arg-type]

    def _clip(self, item: SourceItem, slot: Slot, place: tuple[int, float | None]) -> PlannedClip:
        ordinal, within = place
        spec = make_generator(slot.generator).spec
        # a plain real clip borrows nothing, and a sham only where its generator cannot do without
        plain_real = slot.kind == REAL_KIND
        donor = self.donors.of(item, slot.driver) if spec.needs_donor and not plain_real else None  # type: ignore[arg-type]
        params = self.params.get(slot.kind) or resolve_params(slot.generator, {})
        recipe = self.recipe
        described = {
            "take": _described(item),
            "donor": [_described(donor.item), donor.relation] if donor else None,
            "slot": [slot.kind, slot.index, slot.sham, dict(slot.labels)],
            "generator": [slot.generator, spec.version, dict(params)],
            "ordinal": 0 if plain_real else ordinal,
            "within": within,
            "harmonise": recipe.harmonise.model_dump(mode="json"),
        }
        if (scene := self.scenes.get(item.key)) is not None:
            beside = [_described(other) for other in scene.bystanders]
            described["scene"] = [SCENES_VERSION, scene.drawn, beside, *([] if plain_real else [slot.on, slot.panels])]
        address = content_id("clip", CODE_VERSION, recipe.source.kind, recipe.seed, described, length=64)
        paths = clip_paths(item.split or "", address[:16], 0, _SUFFIX[recipe.harmonise.container])
        refused = self._refused(item, slot, donor, needs_donor=spec.needs_donor and not plain_real)
        return PlannedClip(address[:16], address, slot, params, paths, donor, refused)

    def _version(self, item: SourceItem, original: PlannedClip, platform: str) -> PlannedClip:
        address = content_id("version", CODE_VERSION, original.address, self.chains[platform].address, length=64)
        paths = clip_paths(item.split or "", address[:16], 0, ".mp4")
        chain = self.chains[platform]
        slot = replace(original.slot, platform=platform, chain=chain.text, chain_address=chain.address)
        return PlannedClip(address[:16], address, slot, original.params, paths, original=original.id)

    def _refused(
        self, item: SourceItem, slot: Slot, donor: Donor | None, *, needs_donor: bool
    ) -> tuple[str, str] | None:
        if needs_donor and donor is None:
            return "input_unsupported", "there is no other take of this person and no partner in its split"
        if slot.recorded == REAL_KIND or self.rights_override:
            return None
        scene = self.scenes.get(item.key)
        if scene is not None and slot.panels > len(scene.bystanders) + 1:
            n = len(scene.bystanders) + 1
            return "input_unsupported", f"{slot.panels} panels shall be forged, but {scene.layout!r} shows {n} here"
        shown = [item, *([donor.item] if donor else []), *(scene.bystanders if scene else ())]
        return rights_problem(most_restrictive([one.rights for one in shown]))


def _seconds_of(item: SourceItem) -> float | None:
    """Length of a take, where its source says it in the plan."""
    length = item.spec.get("seconds")
    return float(length) if isinstance(length, int | float) else None


def _with_paths(recipe: Recipe, takes: Sequence[PlannedTake]) -> tuple[PlannedTake, ...]:
    """Fill in the places: the rank among the sorted ids of a split, which tells nothing about the class."""
    ids: dict[str, list[str]] = {}
    for take in takes:
        ids.setdefault(take.item.split or "", []).extend(clip.id for clip in take.clips)
    ranks = {clip_id: rank for names in ids.values() for rank, clip_id in enumerate(sorted(names))}

    def placed(clip: PlannedClip, split: str) -> PlannedClip:
        suffix = ".mp4" if clip.original else _SUFFIX[recipe.harmonise.container]
        return replace(clip, paths=clip_paths(split, clip.id, ranks[clip.id], suffix))

    return tuple(
        replace(take, clips=tuple(placed(clip, take.item.split or "") for clip in take.clips)) for take in takes
    )


def _ordinals(items: Sequence[SourceItem], groups: Mapping[str, str]) -> dict[str, int]:
    """Rank of every take among those of its split, by key; takes of one group follow each other."""
    by_split: dict[str | None, list[str]] = {}
    for item in items:
        by_split.setdefault(item.split, []).append(item.key)
    ordered = [sorted(keys, key=lambda key: (groups.get(key, ""), key)) for keys in by_split.values()]
    return {key: rank for keys in ordered for rank, key in enumerate(keys)}
