from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_source import TinySource

from cmdfd.clip import Rights
from cmdfd.splits import Identity, assign, components
from generators.jobs import start_of
from generators.pairing import PARTNER, SAME, Donor, all_donors, pair_neighbours, pair_others
from generators.plan import PlanError, limited, make_plan, with_splits
from generators.recipe import Recipe
from generators.sources.contract import SourceItem
from generators.sources.talkers.source import TalkerSource

RIGHTS = Rights("CC0-1.0", "given")


def item(key: str, face: str, split: str | None = "test", sources: tuple[str, ...] = ()) -> SourceItem:
    return SourceItem(key, face, f"{face}-voice" if face else "", sources or (key,), split, RIGHTS)


def told(donors: dict[str, Donor]) -> dict[str, tuple[SourceItem, str]]:
    return {key: (donor.item, donor.relation) for key, donor in donors.items()}


people = st.lists(st.integers(1, 4), min_size=1, max_size=9)


def cast(sizes: list[int], split: str | None = "test") -> list[SourceItem]:
    return [item(f"{p}-{t}", f"p{p}", split) for p, size in enumerate(sizes) for t in range(size)]


@given(people, st.integers(0, 3))
def test_donors_never_join_more_than_two_people(sizes: list[int], seed: int) -> None:
    items = cast(sizes)
    donors = pair_others(items, seed)
    assert donors == pair_others(items[::-1], seed) or any(size > 2 for size in sizes)
    by_key = {one.key: one for one in items}
    for key, (donor, relation) in told(donors).items():
        assert donor.key != key and donor.split == by_key[key].split
        assert (donor.face_id == by_key[key].face_id) == (relation == SAME)
        if relation == PARTNER:  # each is the other's
            assert donors[donor.key].item.key == key
    alone = [p for p, size in enumerate(sizes) if size == 1]
    assert len(items) - len(donors) == len(alone) % 2
    rows = [Identity(one.face_id, one.voice_id, one.source_ids) for one in items]
    rows += [Identity("", "", (key, donor.item.key)) for key, donor in donors.items()]
    in_component: dict[str, set[str]] = {}
    for one, name in zip(items, components(rows), strict=False):
        in_component.setdefault(name, set()).add(one.face_id)
    assert max(len(faces) for faces in in_component.values()) <= 2


def test_takes_of_one_person_lend_round_about() -> None:
    donors = pair_others(cast([3]), 0)
    assert {key: donor.item.key for key, donor in donors.items()} == {"0-0": "0-1", "0-1": "0-2", "0-2": "0-0"}


def test_partners_stay_inside_their_split() -> None:
    items = [item(f"{split}-{k}", f"{split}-{k}", split) for split in ("train", "test") for k in range(4)]
    for key, (donor, relation) in told(pair_others(items, 0)).items():
        assert relation == PARTNER and donor.key.split("-")[0] == key.split("-")[0]


@given(people, people, st.booleans())
def test_neighbours_swap_and_are_everybodys_partners(first: list[int], second: list[int], both: bool) -> None:
    items = [*cast(first, "train"), *(replace(one, key=f"t{one.key}", face_id=f"t{one.face_id}",
             voice_id=f"t{one.voice_id}", source_ids=(f"t{one.key}",)) for one in cast(second))]  # fmt: skip
    donors = all_donors(items, {"self", "cross", "other"} if both else {"cross"}, 0)
    order = [sorted({one.face_id for one in items if one.split == split}) for split in ("train", "test")]
    for item_ in items:
        people_ = order[item_.split == "test"]
        place = people_.index(item_.face_id)
        partner = place ^ 1
        found = donors.of(item_, "cross")
        if partner >= len(people_):
            assert found is None  # the odd one out
            continue
        assert found is not None and (found.item.face_id, found.relation) == (people_[partner], PARTNER)
    itself = donors.of(items[0], "self")
    assert itself is not None and (itself.item, itself.relation) == (items[0], "self")
    # whatever the drivers, nobody hangs together with more than one other person
    rows = [Identity(one.face_id, one.voice_id, one.source_ids) for one in items]
    for driver in ("cross", "other"):
        pairs = [(one, donors.of(one, driver)) for one in items]
        rows += [Identity("", "", (one.key, donor.item.key)) for one, donor in pairs if donor is not None]
    in_component: dict[str, set[str]] = {}
    for one, name in zip(items, components(rows), strict=False):
        in_component.setdefault(name, set()).add(one.face_id)
    assert max(len(faces) for faces in in_component.values()) <= 2


def test_equal_partners_swap_take_by_take() -> None:
    donors = pair_neighbours(cast([2, 2]))
    assert {key: donor.item.key for key, donor in donors.items()} == {
        "0-0": "1-0", "0-1": "1-1", "1-0": "0-0", "1-1": "0-1",
    }  # fmt: skip


def test_unknown_faces_are_not_one_person() -> None:
    donors = pair_others([item("a", ""), item("b", "")], 0)
    assert {donor.relation for donor in donors.values()} == {PARTNER}


@settings(deadline=None)
@given(people, st.integers(0, 3))
def test_open_splits_are_filled_by_component(sizes: list[int], seed: int) -> None:
    items = with_splits(cast(sizes, None), {"train": 0.5, "test": 0.5}, seed)
    assert all(one.split in {"train", "test"} for one in items)
    splits: dict[str, set[str]] = {}
    for one in items:
        splits.setdefault(one.face_id, set()).add(str(one.split))
    assert all(len(found) == 1 for found in splits.values())


def test_fixed_splits_stay_and_leaks_are_refused() -> None:
    items = [item("a", "x", "train"), item("b", "x", None), item("c", "y", "test"), item("d", "z", None)]
    found = with_splits(items, {"validation": 1.0}, 0)
    assert [one.split for one in found] == ["train", "train", "test", "validation"]
    with pytest.raises(PlanError, match=r"'b' is in 'test', but shares a .* with takes in 'train'"):
        with_splits([item("a", "x", "train"), item("b", "x", "test")], {"train": 1}, 0)
    with pytest.raises(PlanError, match="has the split 'dev'"):
        with_splits([item("a", "x", "dev")], {"train": 1}, 0)


def test_limits_keep_components_whole() -> None:
    moved = [
        replace(one, key=f"t{one.key}", face_id=f"t{one.face_id}", voice_id=f"t{one.voice_id}", split="test")
        for one in cast([1, 2])
    ]
    items = [*cast([2, 3, 1], "train"), *(replace(one, source_ids=(one.key,)) for one in moved)]
    kept = limited(items, 2)
    assert Counter(one.split for one in kept) == {"train": 5, "test": 3}
    assert limited(items, None) == tuple(items)
    with pytest.raises(PlanError, match="at least 1"):
        limited(items, 0)


def test_a_plan_is_a_pure_function(tiny_recipe: Callable[..., Recipe]) -> None:
    plan = make_plan(tiny_recipe())
    again = make_plan(tiny_recipe())
    assert plan == again
    other = make_plan(tiny_recipe(seed=4))
    ids = {clip.id for take in plan.takes for clip in take.clips}
    assert not ids & {clip.id for take in other.takes for clip in take.clips}
    assert plan.recipe_hash != other.recipe_hash
    small = make_plan(tiny_recipe(), limit=1)
    made = {clip.id for take in small.takes for clip in take.clips if clip.refused is None}
    assert made < ids  # a limit renames nothing
    assert small.recipe_hash != plan.recipe_hash


def test_every_bit_of_a_seed_counts(tiny_recipe: Callable[..., Recipe]) -> None:
    """Seeds that differ in one bit alone, high ones too: no name, window, person or split of one is the other's."""
    base = 2**62 + 5
    seeds = [base, *(base ^ (1 << bit) for bit in (0, 31, 32, 40, 53, 61))]
    plans = [make_plan(tiny_recipe(seed=seed)) for seed in seeds]
    ids = [{clip.id for take in plan.takes for clip in take.clips} for plan in plans]
    assert len(set.union(*ids)) == sum(map(len, ids))
    assert len({plan.recipe_hash for plan in plans}) == len({plan.takes[0].place for plan in plans}) == len(seeds)
    casts = [TalkerSource({"cast": "a"}).plan({"test": {"identities": 2, "clips": 1}}, seed) for seed in seeds]
    people = [{item.face_id for item in cast.items} for cast in casts]
    assert len(set.union(*people)) == 2 * len(seeds)
    parts = [f"c{k}" for k in range(40)]
    assert len({tuple(sorted(assign(parts, {"train": 0.5, "test": 0.5}, seed).items())) for seed in seeds}) == len(
        seeds
    )


def test_names_and_order_do_not_tell_the_class(tiny_recipe: Callable[..., Recipe]) -> None:
    splits = {"train": {"identities": 30, "clips": 2}}
    plan = make_plan(tiny_recipe(splits=splits))
    clips = sorted((clip for take in plan.takes for clip in take.clips), key=lambda clip: clip.paths.file)
    assert all(len(clip.id) == 16 and int(clip.id, 16) >= 0 for clip in clips)
    ranks = [index for index, clip in enumerate(clips) if clip.slot.kind == "real"]
    # 60 of 300: the mean rank of a random subset has a standard deviation of 10
    assert abs(np.mean(ranks) - (len(clips) - 1) / 2) < 40
    assert {clip.paths.file.rsplit("/", 1)[0] for clip in clips} == {"train/videos/000"}


def test_what_a_source_cannot_serve(tiny_recipe: Callable[..., Recipe]) -> None:
    with pytest.raises(PlanError, match=r"has nothing that can be used: bad0.mp4: nobody is seen"):
        make_plan(tiny_recipe({"refused": 1}, splits={}))
    with pytest.raises(Exception, match="does not take the options"):
        make_plan(tiny_recipe({"no_such_option": 1}))


@given(st.floats(0, 1, exclude_max=True), st.floats(1.0, 4.0))
def test_windows_lie_on_the_frame_grid_inside_the_take(place: float, available: float) -> None:
    from cmdfd.media.harmonise import HarmoniseSettings

    settings_ = HarmoniseSettings(seconds=1.0)
    start = start_of(place, available, settings_)
    assert start >= 0 and start + 1.0 <= available + 1e-6
    assert start * 25 == pytest.approx(round(start * 25))


def test_a_new_kind_renames_nothing_and_a_parameter_only_its_own(tiny_recipe: Callable[..., Recipe]) -> None:
    def ids(kinds: list[dict[str, object]]) -> dict[tuple[str, str], str]:
        plan = make_plan(tiny_recipe(kinds=kinds))
        return {(take.item.key, clip.slot.kind): clip.id for take in plan.takes for clip in take.clips}

    swap, desync = {"kind": "audio/swap"}, {"kind": "audio/desync", "params": {"milliseconds": [80]}}
    one, two = ids([swap]), ids([swap, desync])
    assert one.items() < two.items()
    changed = ids([swap, {**desync, "params": {"milliseconds": [120]}}])
    assert {key for key in two if two[key] != changed[key]} == {key for key in two if key[1] == "audio/desync"}


def test_fakes_need_licence_and_consent(tiny_recipe: Callable[..., Recipe]) -> None:
    kinds = [{"kind": "audio/swap", "driver": "cross"}]
    for options, code in (({"licence": "unclear"}, "licence_refused"), ({"consent": "unknown"}, "consent_missing")):
        plan = make_plan(tiny_recipe(options, kinds=kinds))
        found = Counter((clip.slot.kind, clip.refused and clip.refused[0]) for t in plan.takes for clip in t.clips)
        assert found == {("real", None): 6, ("audio/swap", code): 6}
        allowed = make_plan(tiny_recipe(options, kinds=kinds), rights_override="lab only")
        assert {clip.refused for take in allowed.takes for clip in take.clips} == {None}
        assert allowed.recipe_hash != plan.recipe_hash


def test_shams_are_real_clips_with_the_draws_of_their_fakes(tiny_recipe: Callable[..., Recipe]) -> None:
    plan = make_plan(tiny_recipe(kinds=[{"kind": "audio/swap", "per_take": 2, "shams": 2}]))
    assert plan.counts()["train"] == {"real": 4 * 3, "audio/swap": 8}
    assert len({clip.id for take in plan.takes for clip in take.clips}) == 6 * 5


@pytest.mark.parametrize(("what", "now"), [("_consent", "public-figure"), ("_licence", "research-only")])
def test_what_the_ledger_says_of_a_take_is_part_of_its_clips(
    tiny_recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch, what: str, now: str
) -> None:
    """The tables tell it, so that clips of the same bytes under other terms are other clips; donors' terms count."""
    swap = [{"kind": "audio/swap", "driver": "cross"}]
    before = make_plan(tiny_recipe(kinds=swap))
    real = getattr(TinySource, what)

    def changed(source: TinySource, name: str, *rest: int) -> str:
        return now if name == "train-0" else str(real(source, name, *rest))

    monkeypatch.setattr(TinySource, what, changed)
    after = make_plan(tiny_recipe(kinds=swap))
    assert before.recipe_hash != after.recipe_hash
    ids = [{(t.item.face_id, c.slot.kind): c.id for t in plan.takes for c in t.clips} for plan in (before, after)]
    assert {key for key in ids[0] if ids[0][key] != ids[1][key]} == {
        ("train-0", "real"), ("train-0", "audio/swap"), ("train-1", "audio/swap"),
    }  # fmt: skip


def test_windows_lie_inside_the_take_that_drives(tiny_recipe: Callable[..., Recipe]) -> None:
    """Two people whose takes differ in length swap sounds: both windows end inside the shorter one."""
    recipe = tiny_recipe(
        {"lengths": [1.7, 1.2]},
        kinds=[{"kind": "audio/swap", "driver": "cross"}],
        splits={"test": {"identities": 2, "clips": 1}},
    )
    plan = make_plan(recipe)
    assert [take.within for take in plan.takes] == [1.2, None]
    alone = make_plan(tiny_recipe({"lengths": [1.7, 1.2]}, kinds=[{"kind": "audio/desync"}], splits=recipe.splits))
    assert [take.within for take in alone.takes] == [None, None]
    # too short for a clip: refused later, and no reason to move the others' windows
    short = make_plan(tiny_recipe({"lengths": [1.7, 0.5]}, kinds=recipe.model_dump()["kinds"], splits=recipe.splits))
    assert [take.within for take in short.takes] == [None, None]
