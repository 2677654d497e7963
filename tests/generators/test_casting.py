"""Who stands in a picture with whom."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmdfd.clip import Rights
from cmdfd.errors import CmdfdError
from cmdfd.splits import Identity, components
from generators.casting import LONE, casts, plan_scenes
from generators.pairing import all_donors
from generators.recipe_scenes import ScenesRecipe
from generators.sources.contract import SourceItem

SIZES = {"interview": 2, "news": 2, "grid": 4, "portrait": 2}


def people(split: str, n: int, takes: int = 1) -> list[SourceItem]:
    return [
        SourceItem(f"{split}-{i:03d}-{k}", f"f-{split}-{i}", f"v-{split}-{i}", (f"s-{split}-{i}-{k}",), split,
                   Rights("CC0-1.0", "given"))
        for i in range(n) for k in range(takes)
    ]  # fmt: skip


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(0, 9), st.integers(1, 3), st.integers(0, 5))
def test_everybody_has_one_cast_and_casts_stay_small(n: int, m: int, takes: int, seed: int) -> None:
    items = [*people("train", n, takes), *people("test", m)]
    found = casts(items, SIZES, seed)
    keys = [item.key for cast in found for person in cast.people for item in person]
    assert sorted(keys) == sorted(item.key for item in items)
    for cast in found:
        assert len(cast.people) == SIZES.get(cast.layout, 1)
        assert len({person[0].split for person in cast.people}) == 1
    assert sum(cast.layout == LONE for cast in found) <= 2  # an odd one out in each split
    assert found == casts(items, SIZES, seed)


def test_layouts_have_equal_shares() -> None:
    counts = Counter(cast.layout for cast in casts(people("test", 100), SIZES, 4))
    assert set(counts) == set(SIZES) and max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize(
    ("layouts", "most", "least"),
    [(["interview", "news", "grid", "portrait"], 4, 10), (["address", "interview"], 2, 15), (["address"], 2, 15)],
)
def test_scenes_and_drivers_tie_nobody_beyond_a_cast(layouts: list[str], most: int, least: int) -> None:
    items = [*people("train", 17, 2), *people("test", 30)]
    scenes = plan_scenes(items, ScenesRecipe(layouts=layouts), 8)
    donors = all_donors(items, {"other", "cross"}, 8)
    rows = []
    for item in items:
        shown = [
            *scenes[item.key].bystanders,
            *(d.item for d in (donors.of(item, "other"), donors.of(item, "cross")) if d),
        ]
        assert all(other.split == item.split for other in shown)
        assert item not in scenes[item.key].bystanders
        rows.append(
            Identity(item.face_id, item.voice_id, tuple({*item.source_ids, *(s for o in shown for s in o.source_ids)}))
        )
    groups = components(rows)
    members: dict[str, set[str]] = {}
    for item, group in zip(items, groups, strict=True):
        members.setdefault(group, set()).add(item.face_id)
    assert max(len(faces) for faces in members.values()) <= most
    assert sum("test" in next(iter(faces)) for faces in members.values()) >= least


def test_a_scene_is_a_pure_function_and_takes_vary() -> None:
    items = people("test", 8, 2)
    first, again = (plan_scenes(items, ScenesRecipe(), 3) for _ in range(2))
    assert first == again
    drawn = [dict(scene.drawn) for scene in first.values()]
    assert len({str(one) for one in drawn}) > len(drawn) // 2
    other = plan_scenes(items, ScenesRecipe(), 4)
    assert other != first
    with_it = {key: [one.key for one in scene.bystanders] for key, scene in first.items()}
    assert all(key.endswith("-1") == other.endswith("-1") for key, others in with_it.items() for other in others)


def test_an_unknown_layout_is_told() -> None:
    with pytest.raises(CmdfdError, match="interview"):
        plan_scenes(people("test", 2), ScenesRecipe(layouts=["intervew"]), 1)
