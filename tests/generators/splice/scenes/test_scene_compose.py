"""Composing: places, clock, sound, track and refusals; against known answers."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from scene_takes import RATE, clock_take, noisy_take, track_of

from cmdfd.errors import MediaError, MissingExtraError
from generators.generator import Phone, Speech, Take, Word
from generators.splice.scenes.compose import Panel, Scene, compose, draw_scene, layouts

pytest.importorskip("moviepy")
NAMES = sorted(layouts())


def _scene(name: str, seed: int = 0, *, long_edge: int = 320, sound: str = "mix") -> Scene:
    return draw_scene(name, np.random.default_rng(seed), long_edge=long_edge, sound=sound)


def _levels(people: int) -> list[Panel]:
    return [Panel(clock_take(40 + 50 * k)) for k in range(people)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [1, 2])
def test_every_panel_fills_its_box(name: str, seed: int) -> None:
    scene = _scene(name, seed)
    panels = _levels(layouts()[name].people)
    frames = compose(scene, panels, 0.2, 0.4).take.frames
    assert frames.shape == (10, scene.height, scene.width, 3)
    for k, slot in enumerate(scene.order):
        box = scene.boxes[slot]
        inner = frames[:, box.y + box.height // 5 : box.y + box.height * 4 // 5, box.x + 6 : box.right - 6]
        assert (inner[..., 0] == 40 + 50 * k).all() and (inner[..., 2] == 0).all()
        # frame accurate: frame 0 is that of 0.2 s, the fifth
        assert (inner[..., 1] == 5 * (5 + np.arange(10))[:, None, None]).all()


@pytest.mark.parametrize(("fps", "start", "seconds"), [(25.0, 0.0, 0.6), (30.0, 0.1, 0.5), (22.131, 0.23, 0.61)])
def test_one_clock_for_takes_of_any_rate(fps: float, start: float, seconds: float) -> None:
    scene = _scene("interview")
    target, other = clock_take(60, fps=fps), clock_take(90, fps=30.0 if fps != 30.0 else 25.0, size=(50, 71))
    made = compose(scene, [Panel(target), Panel(other)], start, seconds).take
    assert made.fps == fps and len(made.frames) == np.ceil(seconds * fps - 1e-6)
    assert made.duration >= seconds - 1e-6 and len(made.audio) / made.sample_rate >= made.duration - 1 / RATE
    moments = start + np.arange(len(made.frames)) / fps
    for take, slot in zip((target, other), scene.order, strict=True):
        box = scene.boxes[slot]
        shown = made.frames[:, box.y + box.height // 2, box.x + box.width // 2, 1].astype(float) / 5 / take.fps
        assert np.abs(shown - moments).max() <= 0.5 / take.fps + 1e-6


def test_a_take_of_any_shape_keeps_its_shape() -> None:
    """A circle stays one: in a cropped panel and in one that shows the whole take."""
    for size in ((61, 97), (130, 57)):
        ys, xs = np.mgrid[: size[1], : size[0]]
        radius = 18.0
        disc = np.hypot(xs + 0.5 - size[0] / 2, ys + 0.5 - size[1] / 2) < radius
        take = clock_take(0, size=size)
        take.frames[:, disc, 2] = 255
        scene = _scene("news", 3, long_edge=640)
        frame = compose(scene, [Panel(take), Panel(take)], 0, 0.1).take.frames[0]
        for slot, box in enumerate(scene.boxes):
            part = frame[box.y : box.bottom, box.x : box.right]
            found = (part[..., 2] > 128) & (part[..., 0] < 10) & (part[..., 1] < 10)
            rows, columns = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
            height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
            assert abs(width / height - 1) < 0.06, (slot, size)
            if slot == 1:  # shown whole
                fit = min(box.width / size[0], box.height / size[1])
                assert width / (2 * radius * fit) == pytest.approx(1.03, abs=0.08)


def test_the_track_stands_on_its_marks() -> None:
    rng = np.random.default_rng(4)
    for name in NAMES:
        for seed in (0, 1):
            points = rng.uniform(0.3, 0.7, (68, 2)).astype(np.float32)
            points[0] = (0.4062, 0.5062)
            take = clock_take(0, size=(160, 160))
            x, y = round(points[0, 0] * 160), round(points[0, 1] * 160)
            take.frames[:, y - 4 : y + 4, x - 4 : x + 4, 2] = 255
            take = replace(take, track=track_of(points, len(take.frames)))
            others = [Panel(clock_take(0)) for _ in range(layouts()[name].people - 1)]
            scene = _scene(name, seed, long_edge=640)
            made = compose(scene, [Panel(take), *others], 0.2, 0.2).take
            assert made.track is not None and made.track.times[0] == 0
            box = scene.boxes[scene.order[0]]
            part = made.frames[0, box.y : box.y + box.height * 5 // 6, box.x : box.right].astype(float)
            weight = part[..., 2] * (part[..., 0] < 2)
            rows, columns = np.mgrid[: part.shape[0], : part.shape[1]]
            found = np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum() + 0.5 + (box.x, box.y)
            told = made.track.points[0, 0] * (scene.width, scene.height)
            mark = np.array([x, y]) / 160 - points[0]  # the mark stands on whole pixels
            assert np.abs(found - told - mark * box.width).max() < 1.0, name


def test_the_same_again_and_a_twin_without_forgery() -> None:
    rng = np.random.default_rng(0)
    takes = [noisy_take(rng, size=(80, 80), seconds=0.4) for _ in range(4)]
    for name in NAMES:
        panels = [Panel(take) for take in takes[: layouts()[name].people]]
        scene = _scene(name, 7)
        first = compose(scene, panels, 0.04, 0.3)
        copies = [Panel(replace(p.take, frames=p.take.frames.copy()), np.zeros(p.take.frames.shape[:3], np.uint8))
                  for p in panels]  # fmt: skip
        second = compose(Scene.from_dict(scene.to_dict()), copies, 0.04, 0.3)
        assert np.array_equal(first.take.frames, second.take.frames)
        assert np.array_equal(first.take.audio, second.take.audio)
        assert first.masks is None and second.masks is not None and not second.masks.any()


def _strength(sound: np.ndarray, pitch: float) -> float:
    t = np.arange(len(sound)) / RATE
    return float(2 * abs(np.mean(sound * np.exp(-2j * np.pi * pitch * t))))


def test_bystanders_are_twelve_decibels_softer() -> None:
    panels = [Panel(clock_take(tone=tone)) for tone in (200.0, 300.0, 500.0, 700.0)]
    mixed = compose(_scene("grid"), panels, 0.0, 1.0).take.audio
    alone = compose(_scene("grid", sound="target"), panels, 0.0, 1.0).take.audio
    assert np.array_equal(alone, panels[0].take.audio[:16000])
    target = _strength(mixed, 200.0)
    for pitch in (300.0, 500.0, 700.0):
        assert 20 * np.log10(target / _strength(mixed, pitch)) == pytest.approx(12.0, abs=0.05)
    loud = [Panel(replace(p.take, audio=np.ones_like(p.take.audio))) for p in panels]
    assert compose(_scene("grid"), loud, 0.0, 0.5).take.audio.max() == pytest.approx(1.0)  # it can never clip


def test_sound_of_another_rate_keeps_time() -> None:
    click = np.zeros(44100 + 8, np.float32)
    click[22050] = 1.0
    other = replace(clock_take(), audio=click, sample_rate=44100)
    quiet = replace(clock_take(), audio=np.zeros(16008, np.float32))
    made = compose(_scene("interview"), [Panel(quiet), Panel(other)], 0.2, 0.6).take
    assert abs(int(np.argmax(np.abs(made.audio))) - round(0.3 * RATE)) <= 1


def test_speech_is_told_on_the_clock_of_the_clip() -> None:
    speech = Speech("one two", {}, (Phone("w", 0.1, 0.2),), (Word("one", 0.1, 0.3), Word("two", 0.5, 0.7)))
    take = replace(clock_take(), speech=speech)
    made = compose(_scene("address"), [Panel(take)], 0.2, 0.6).take
    assert made.speech is not None
    assert [(w.text, round(w.start, 6)) for w in made.speech.words] == [("one", -0.1), ("two", 0.3)]
    assert made.speech.phones[0].start == pytest.approx(-0.1)


@pytest.mark.parametrize("which", [0, 1])
def test_a_short_take_is_named(which: int) -> None:
    panels = [Panel(clock_take(seconds=0.4 if k == which else 1.0)) for k in range(2)]
    with pytest.raises(MediaError, match=("target", "bystander 1")[which]) as caught:
        compose(_scene("interview"), panels, 0.2, 0.5)
    assert caught.value.code == "too_short"
    silent = [Panel(replace(p.take, audio=p.take.audio[:100])) for p in _levels(2)]
    with pytest.raises(MediaError, match="sound of the target"):
        compose(_scene("interview"), silent, 0.0, 0.5)


def _bad_takes() -> list[tuple[Panel, str]]:
    take = clock_take()
    return [
        (Panel(replace(take, frames=take.frames.astype(np.float32))), "uint8"),  # type: ignore[arg-type]
        (Panel(replace(take, frames=take.frames[:0])), "uint8"),
        (Panel(replace(take, frames=take.frames[..., 0])), "uint8"),
        (Panel(take, np.zeros((25, 64, 63), np.uint8)), "masks must be"),
        (Panel(take, np.zeros((24, 64, 64), np.uint8)), "masks must be"),
        (Panel(take, np.zeros((25, 64, 64), bool)), "masks must be"),  # type: ignore[arg-type]
        (Panel(replace(take, fps=0.0)), "fps"),
        (Panel(replace(take, audio=np.zeros((100, 2), np.float32))), "mono"),
    ]


def test_what_does_not_fit_is_refused() -> None:
    scene, good = _scene("interview"), Panel(clock_take())
    for bad, told in _bad_takes():
        with pytest.raises(ValueError, match=f"bystander 1.*{told}"):
            compose(scene, [good, bad], 0, 0.5)
    with pytest.raises(ValueError, match="shows 2 people, got 1 panels"):
        compose(scene, [good], 0, 0.5)
    for start, seconds in ((-0.1, 0.5), (0.0, 0.0), (float("nan"), 0.5), (0.0, float("inf"))):
        with pytest.raises(ValueError, match="start must be"):
            compose(scene, [good, good], start, seconds)


def test_the_smallest_takes_work() -> None:
    dot = Take(np.full((25, 1, 1, 3), 99, np.uint8), 25.0, np.zeros(16000, np.float32), RATE)
    frames = compose(_scene("news", long_edge=160), [Panel(dot), Panel(dot)], 0, 0.1).take.frames
    assert (frames == 99).all(axis=-1).mean() > 0.3


def test_without_moviepy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "moviepy", None)
    with pytest.raises(MissingExtraError, match=r"\[splice\]"):
        compose(_scene("address"), [Panel(clock_take())], 0, 0.5)
