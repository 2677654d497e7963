"""Masks of a scene say where it differs from its twin, and graphics above a panel hide what lies below."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scene_takes import clock_take, noisy_take

from cmdfd.media.masks import FORGED_ABOVE, forged
from generators.generator import Take
from generators.splice.scenes.compose import Panel, compose, draw_scene, layouts

pytest.importorskip("moviepy")
NAMES = sorted(layouts())


def _forge(take: Take, rng: np.random.Generator, blur: float) -> Panel:
    """Something foreign, at least 40 levels off, in an ellipse; blended by the mask that is told."""
    n, height, width = take.frames.shape[:3]
    ys, xs = np.mgrid[:height, :width]
    x, y = rng.uniform(0.35, 0.65, 2) * (width, height)
    a, b = rng.uniform(0.12, 0.3, 2) * min(width, height)
    disc = (((xs - x) / a) ** 2 + ((ys - y) / b) ** 2 < 1).astype(np.float32) * 255
    soft = cv2.GaussianBlur(disc, (0, 0), blur) if blur else disc
    soft[soft <= FORGED_ABOVE] = 0  # a splice that knows the rule leaves no traces below it
    masks = np.repeat(soft.round().astype(np.uint8)[None], n, axis=0)
    masks[0] = 0
    base = take.frames.astype(np.float32)
    foreign = np.where(base > 127, base - rng.uniform(40, 120), base + rng.uniform(40, 120))
    mixed = base + (foreign - base) * (masks[..., None] / 255)
    return Panel(replace(take, frames=mixed.round().astype(np.uint8)), masks)


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.stack([cv2.dilate(each.astype(np.uint8), np.ones((5, 5), np.uint8)) for each in mask]) > 0


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(NAMES),
    st.integers(0, 2**32),
    st.integers(160, 960),
    st.tuples(st.integers(128, 320), st.integers(128, 320)),
    st.sampled_from([0.0, 1.0, 2.5]),
)
def test_what_differs_lies_in_the_mask(
    name: str, seed: int, long_edge: int, size: tuple[int, int], blur: float
) -> None:
    rng = np.random.default_rng(seed)
    scene = draw_scene(name, rng, long_edge=long_edge)
    people = layouts()[name].people
    genuine = [Panel(noisy_take(rng, size=size if k == 0 else (64, 64))) for k in range(people)]
    panel = _forge(genuine[0].take, rng, blur)
    real = compose(scene, genuine, 0.0, 0.16)
    fake = compose(scene, [panel, *genuine[1:]], 0.0, 0.16)
    assert fake.masks is not None
    differs = (real.take.frames != fake.take.frames).any(axis=-1)
    marked = forged(fake.masks)
    assert not differs[0].any() and not marked[0].any()
    assert differs[1:].any()
    inside = (differs & _grown(marked)).sum() / differs.sum()
    assert inside >= 0.99, inside
    assert (differs & marked).sum() >= 0.8 * marked.sum()


def test_takes_of_the_panels_own_size_stay_as_they_are() -> None:
    rng = np.random.default_rng(443541)
    scene = draw_scene("interview", rng, long_edge=160)
    panels = [Panel(noisy_take(rng, size=(scene.boxes[0].width, scene.boxes[0].height))) for _ in range(2)]
    before = [panel.take.frames.copy() for panel in panels]
    first, again = (compose(scene, panels, 0.0, 0.16).take.frames for _ in range(2))
    assert np.array_equal(first, again)
    assert all(np.array_equal(panel.take.frames, frames) for panel, frames in zip(panels, before, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_the_mask_is_the_picture_of_a_white_spot(name: str) -> None:
    """A black take with a white spot and its mask pass the same way: they come out as the same picture."""
    for seed, size in ((0, (96, 96)), (1, (400, 360)), (2, (181, 97))):
        scene = draw_scene(name, np.random.default_rng(seed), long_edge=480, captions=False)
        take = clock_take(0, size=size, seconds=0.2)
        take.frames[:] = 0
        masks = np.zeros(take.frames.shape[:3], np.uint8)
        masks[:, size[1] // 3 : size[1] // 2, size[0] // 3 : size[0] // 2] = 255
        masks[:, size[1] // 2 : size[1] // 2 + 9, size[0] // 2 : size[0] // 2 + 9] = 90
        black = [Panel(take)] * layouts()[name].people
        spotted = Panel(replace(take, frames=np.repeat(masks[..., None], 3, axis=-1)), masks)
        base = compose(scene, black, 0, 0.1)
        made = compose(scene, [spotted, *black[1:]], 0, 0.1)
        assert made.masks is not None
        change = made.take.frames.astype(int) - base.take.frames
        assert np.abs(change - made.masks[..., None]).max() <= 1  # rounding where a panel is half covered
        assert (made.masks > 200).any()


@pytest.mark.parametrize("name", NAMES)
def test_graphics_hide_a_forgery_below(name: str) -> None:
    """The whole take is forged: the mask fills the panel but for what lies above it, and no opaque pixel counts."""
    people = layouts()[name].people
    rng = np.random.default_rng(1)
    takes = [noisy_take(rng, size=(80, 80)) for _ in range(people)]
    for which in range(people):
        scene = draw_scene(name, np.random.default_rng(8), long_edge=640, captions=True)
        panels = [Panel(take) for take in takes]
        inverse = replace(takes[which], frames=255 - takes[which].frames)
        flat = replace(takes[which], frames=np.full_like(takes[which].frames, 128))
        whole = np.full(inverse.frames.shape[:3], 255, np.uint8)
        made = [
            compose(scene, [*panels[:which], panel, *panels[which + 1 :]], 0, 0.1)
            for panel in (panels[which], Panel(inverse, whole), Panel(flat, whole))
        ]
        real, fake, grey = made
        assert fake.masks is not None and grey.masks is not None
        box = scene.boxes[scene.order[which]]
        outside = fake.masks.copy()
        outside[:, box.y : box.bottom, box.x : box.right] = 0
        assert not outside.any()
        share = (fake.masks[:, box.y : box.bottom, box.x : box.right] > 250).mean()
        assert share > 0.75, share
        hidden = fake.masks == 0
        for other in (fake, grey):
            assert np.array_equal(real.take.frames[hidden], other.take.frames[hidden])
        inner = fake.masks[:, box.y : box.bottom, box.x : box.right]
        if name in {"interview", "portrait", "grid", "address"}:
            assert (inner == 0).any()  # a plate, a tag or a caption lies there


def test_several_forged_panels_keep_their_masks() -> None:
    rng = np.random.default_rng(2)
    panels = [_forge(noisy_take(rng, size=(80, 80)), rng, 0) for _ in range(4)]
    scene = draw_scene("grid", rng, long_edge=480)
    made = compose(scene, panels, 0, 0.16)
    assert made.masks is not None
    for slot in range(4):
        box = scene.boxes[slot]
        assert forged(made.masks[1, box.y : box.bottom, box.x : box.right]).any()
