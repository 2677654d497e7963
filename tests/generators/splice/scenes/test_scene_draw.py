"""Scenes as drawn: layouts, their places, and the way to JSON and back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmdfd.errors import CmdfdError
from generators.splice.scenes import pools
from generators.splice.scenes.layouts import CLEAR, MAX_LONG_EDGE, MIN_LONG_EDGE, layout_of, layouts
from generators.splice.scenes.panels import window_of
from generators.splice.scenes.scene import Scene, draw_scene

NAMES = sorted(layouts())
#: Where mouths of talkers and of face crops end, as a part of the take's height (0.7485 over four talkers).
MOUTH_END = 0.75


def _scene(name: str, seed: int = 0, **options: Any) -> Scene:
    return draw_scene(name, np.random.default_rng(seed), **options)


def test_the_layouts_that_the_issue_names() -> None:
    people = {name: layout.people for name, layout in layouts().items()}
    assert people == {"interview": 2, "news": 2, "grid": 4, "portrait": 2, "address": 1}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NAMES), st.integers(MIN_LONG_EDGE, MAX_LONG_EDGE))
def test_a_canvas_is_even_and_of_its_shape(name: str, long_edge: int) -> None:
    layout = layout_of(name)
    width, height = layout.canvas(long_edge)
    assert width % 2 == 0 and height % 2 == 0
    assert long_edge - 1 <= max(width, height) <= long_edge
    shape = 9 / 16 if name == "portrait" else 16 / 9
    assert abs(width - height * shape) <= 2.0 * max(shape, 1)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NAMES), st.integers(0, 2**32), st.integers(MIN_LONG_EDGE, MAX_LONG_EDGE))
def test_a_scene_survives_json_and_fits_its_canvas(name: str, seed: int, long_edge: int) -> None:
    scene = _scene(name, seed, long_edge=long_edge)
    again = Scene.from_dict(json.loads(json.dumps(scene.to_dict())))
    assert again == scene and hash(again) == hash(scene)
    for k, box in enumerate(scene.boxes):
        assert box.x >= 0 and box.y >= 0 and box.right <= scene.width and box.bottom <= scene.height
        assert not any(box.meets(other) for other in scene.boxes[:k])
        reference = layout_of(name).slots[k].box
        ratio = (box.width / box.height) / (reference.width / reference.height)
        assert abs(ratio - 1) < 2.5 / min(box.width, box.height)  # both sides are rounded


@pytest.mark.parametrize("name", NAMES)
def test_mouths_stay_where_no_graphic_goes(name: str) -> None:
    for seed in range(20):
        scene = _scene(name, seed)
        for slot, box in enumerate(scene.boxes):
            window = window_of(scene, slot, 256, 256)
            scale = window.target.height / window.source.height
            y = window.target.y + (MOUTH_END * 256 - window.source.y) * scale
            assert y < box.y + CLEAR[1] * box.height


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(NAMES), st.integers(0, 99), st.integers(8, 2000), st.integers(8, 2000))
def test_a_take_of_any_shape_is_seen(name: str, seed: int, width: int, height: int) -> None:
    """Most of it at one scale, or all of it; always inside of the box."""
    scene = _scene(name, seed)
    for slot, box in enumerate(scene.boxes):
        window = window_of(scene, slot, width, height)
        source, target = window.source, window.target
        assert source.x >= 0 and source.y >= 0 and source.right <= width and source.bottom <= height
        assert target.x >= box.x and target.y >= box.y and target.right <= box.right and target.bottom <= box.bottom
        assert target.width == box.width or target.height == box.height
        # a rounded pixel at either end, and the zoom
        assert source.width + 1 >= 0.58 * width and source.height + 1 >= 0.58 * height
        slack = np.prod([1 + 1 / side for side in (*source[2:], *target[2:])])
        ratio = (target.width / source.width) / (target.height / source.height)
        assert 1 / slack <= ratio <= slack


@pytest.mark.parametrize("name", NAMES)
def test_options_change_nothing_else(name: str) -> None:
    base = _scene(name, 5, long_edge=960)
    other = _scene(name, 5, long_edge=640, captions="none", sound="target")
    assert (other.captions, other.sound) == ("none", "target")
    changed = {"width", "height", "boxes", "captions", "sound"}
    assert base.model_dump(exclude=changed) == other.model_dump(exclude=changed)


def test_chance_moves_the_target_and_the_colours() -> None:
    scenes = [_scene("grid", seed) for seed in range(40)]
    assert {scene.order[0] for scene in scenes} == {0, 1, 2, 3}
    assert {scene.palette for scene in scenes} == set(pools.PALETTES)
    assert {scene.mirrored for scene in scenes} == {False, True}
    assert not any(_scene("interview", seed).mirrored for seed in range(10))
    assert len({scene.texts.names for scene in scenes}) > 30
    assert all(len(set(scene.texts.names)) == 4 for scene in scenes)


@pytest.mark.parametrize("name", NAMES)
def test_all_that_is_written_comes_from_the_pools(name: str) -> None:
    texts = _scene(name, 3).texts
    assert set(texts.names) <= set(pools.NAMES) and set(texts.roles) <= set(pools.ROLES)
    assert {line.text for line in texts.lines} <= set(pools.CAPTIONS)
    assert set(texts.ticker) <= set(pools.TICKER) and texts.headline in pools.HEADLINES


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("intervew", {}, "did you mean 'interview'"),
        ("news", {"captions": "speach"}, "did you mean 'speech'"),
        ("news", {"sound": "all"}, "known: mix, target"),
        ("news", {"long_edge": 100}, "160 to 1920"),
        ("news", {"long_edge": 4096}, "160 to 1920"),
        ("news", {"long_edge": 640.0}, "whole number"),
        ("news", {"long_edge": True}, "whole number"),
    ],
)
def test_wrong_wishes_are_told(name: str, options: dict[str, Any], told: str) -> None:
    with pytest.raises(CmdfdError, match=told):
        _scene(name, **options)


def _with(data: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    *way, last = path.split(".")
    place: Any = data
    for key in way:
        place = place[int(key) if key.isdigit() else key]
    place[int(last) if last.isdigit() else last] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("order", [0, 0], "each of 2 slots once"),
        ("boxes.1", [0, 0, 300, 300], "must not meet"),
        ("boxes.0", [-4, 0, 50, 50], "inside 960x540"),
        ("boxes.0", [0, 0, 2000, 50], "inside 960x540"),
        ("boxes.0", [0, 0, 3, 3], "8 pixels or more"),
        ("palette", "nvy", "did you mean 'navy'"),
        ("backdrop", "beach", "known: arcs, bokeh, panels"),
        ("width", 961, "multiple of 2"),
        ("width", 10**6, "less than or equal"),
        ("phase", float("nan"), "phase"),
        ("views.0.zoom", 0.0, "views.0.zoom"),
        ("texts.lines", [], "texts.lines"),
        ("texts.lines.0.seconds", 0, "texts.lines.0.seconds"),
        ("texts.names", ["A. One"], "2 people"),
        ("layout", "opera", "opera"),
        ("sound", "loud", "sound"),
        ("extra", 1, "extra"),
    ],
)
def test_a_broken_record_is_refused_by_name(path: str, value: Any, told: str) -> None:
    data = _with(_scene("interview").to_dict(), path, value)
    with pytest.raises(CmdfdError, match=told):
        Scene.from_dict(data)
