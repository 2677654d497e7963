"""Captions: when they stand, what they say, and what they must never say; and where graphics may lie."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_takes import clock_take

from generators.generator import Speech, Word
from generators.splice.scenes.captions import caption_cues, draw_caption, text_at
from generators.splice.scenes.graphics import TICKER_HEIGHT, TICKER_TOP, draw_over, draw_ticker
from generators.splice.scenes.layouts import CLEAR, layouts
from generators.splice.scenes.paint import Area, Layer, rounded, wrapped
from generators.splice.scenes.pools import CAPTIONS
from generators.splice.scenes.scene import Scene, draw_scene

pytest.importorskip("PIL")
NAMES = sorted(layouts())
SAID = ("we", "meet", "at", "the", "old", "bridge.", "bring", "it")
WORDS = tuple(Word(text, 0.3 * k, 0.3 * k + 0.25) for k, text in enumerate(SAID))


def _scene(name: str = "interview", seed: int = 0, **options: Any) -> Scene:
    return draw_scene(name, np.random.default_rng(seed), **options)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["interview", "portrait", "address"]), st.integers(0, 999), st.floats(0.1, 60))
def test_lines_of_the_pool_follow_each_other(name: str, seed: int, seconds: float) -> None:
    cues = caption_cues(_scene(name, seed), seconds, None, 0.0)
    assert cues[0].start <= 0 and cues[-1].end >= seconds
    for before, after in pairwise(cues):
        assert before.end == after.start and before.text != after.text
    assert all(cue.text in CAPTIONS and 1.2 <= cue.end - cue.start <= 2.5 for cue in cues)


def test_words_stand_while_they_are_spoken() -> None:
    cues = caption_cues(_scene(captions="speech"), 2.0, WORDS, 0.5)
    for word in WORDS:
        moment = (word.start + word.end) / 2 - 0.5
        if 0 <= moment < 2.0:
            assert word.text in text_at(cues, moment).split()
    assert [cue.text for cue in cues] == ["we meet at the old bridge.", "bring it"]
    assert cues[0].end <= cues[1].start
    late = (Word("later", 9.0, 9.4),)
    assert caption_cues(_scene(captions="speech"), 2.0, late, 0.0) == ()
    assert text_at(cues, 99.0) == ""


def test_captions_never_come_from_a_panel() -> None:
    """The twin and a re-voiced fake, whose take says other words, get the same captions."""
    pytest.importorskip("moviepy")
    from generators.splice.scenes.compose import Panel, compose

    scene = _scene("address", captions="speech", long_edge=320)
    genuine = replace(clock_take(), speech=Speech("", {}, (), WORDS))
    revoiced = replace(genuine, speech=Speech("", {}, (), tuple(replace(w, text="no") for w in WORDS)))
    frames = [compose(scene, [Panel(take)], 0, 0.4, words=WORDS).take.frames for take in (genuine, revoiced)]
    assert np.array_equal(*frames)
    others = compose(scene, [Panel(genuine)], 0, 0.4).take.frames
    assert not np.array_equal(frames[0], others)  # without the words, the pool's lines


@pytest.mark.parametrize("words", [None, (), (Word("мост", 0.0, 0.5),), (Word("橋", 0.0, 0.5),)])
def test_the_pool_stands_in_for_words_that_cannot_be_shown(words: Any) -> None:
    cues = caption_cues(_scene(captions="speech"), 1.0, words, 0.0)
    assert cues and all(cue.text in CAPTIONS for cue in cues)


def test_captions_can_be_left_out() -> None:
    assert caption_cues(_scene(captions=False), 3.0, WORDS, 0.0) == ()
    assert caption_cues(_scene("news"), 3.0, WORDS, 0.0) == ()


def _graphics(scene: Scene, text: str = "") -> Layer:
    layer = Layer(scene.width, scene.height, scene.unit)
    draw_over(layer, scene)
    draw_caption(layer, scene, text)
    return layer


@pytest.mark.parametrize("name", NAMES)
def test_no_graphic_lies_over_a_face(name: str) -> None:
    for seed in range(3):
        scene = _scene(name, seed, long_edge=640)
        alpha = _graphics(scene, max(CAPTIONS, key=len)).alpha
        assert alpha.min() >= 0 and alpha.max() <= 1
        for box in scene.boxes:
            top, bottom = (box.y + round(part * box.height) for part in CLEAR)
            inner = alpha[top:bottom, box.x + round(0.2 * box.width) : box.right - round(0.2 * box.width)]
            assert inner.max() == 0, name


def test_a_caption_is_where_the_layout_has_it() -> None:
    scene = _scene("interview", long_edge=960)
    change = _graphics(scene, "hello there").alpha != _graphics(scene).alpha
    ys, xs = np.nonzero(change)
    place = layouts()["interview"].captions
    assert place is not None
    assert ys.min() >= place.y / 2 - 1 and ys.max() <= place.y / 2 + place.height / 2 + 1
    assert abs((xs.min() + xs.max()) / 2 - 480) <= 2
    assert not np.array_equal(_graphics(scene, "hello there").colour, _graphics(scene, "hello where").colour)


@pytest.mark.parametrize("text", ["x" * 3000, "a\nb\tc\0d", " ", "\u200b", "\ud7ff" * 9, "é" * 200, "word " * 400])
def test_hostile_text_breaks_nothing(text: str) -> None:
    for name in ("interview", "portrait"):
        layer = _graphics(_scene(name, long_edge=320), text)
        assert np.isfinite(layer.colour).all() and layer.alpha.max() <= 1


def test_the_ticker_runs_evenly_and_without_a_gap() -> None:
    scene = _scene("news", long_edge=960)
    ticker = draw_ticker(scene)
    assert ticker is not None and ticker.box.y == round(TICKER_TOP / 2) and ticker.box.height == TICKER_HEIGHT // 2
    first, later = ticker.at(0.0), ticker.at(0.4)
    assert first.shape == (ticker.box.height, scene.width, 3)
    moved = round(ticker.phase + 0.4 * ticker.speed) - round(ticker.phase)
    assert moved > 0 and np.array_equal(first[:, moved:], later[:, : scene.width - moved])
    around = ticker.at(ticker.strip.shape[1] / ticker.speed)  # once around
    assert np.array_equal(around, first)
    assert draw_ticker(_scene("grid")) is None


def test_round_corners_are_round() -> None:
    cover = rounded(80, 60, 20)
    area = 80 * 60 - (4 - np.pi) * 20**2
    assert cover.sum() == pytest.approx(area, rel=2e-3)
    assert cover[0, 0] == 0 and cover[30, 0] == 1 and cover[0, 40] == 1
    assert np.array_equal(cover, cover[::-1, ::-1])
    soft = rounded(80, 60, 0, pad=10, blur=10)
    assert soft[30, 40] == 1 and soft[0, 0] == 0 and 0.3 < soft[30, 10] < 0.7


def test_layers_mix_like_light() -> None:
    layer = Layer(8, 8, 1.0)
    layer.rect(Area(0, 0, 8, 8), (200, 100, 0), opacity=0.5)
    layer.rect(Area(4, 0, 8, 8), (0, 0, 100), opacity=0.5)
    shown = layer.over(np.full((8, 8, 3), 40, np.float32))
    assert shown[0, 0].tolist() == [120, 70, 20]
    assert shown[0, 7].tolist() == [60, 35, 60]


def test_lines_break_between_words() -> None:
    assert list(wrapped("one two three four", 9)) == ["one two", "three", "four"]
    assert list(wrapped("", 5)) == []
