"""Composing against a bare moviepy script with the same layout and the same encoder, side by side."""

from __future__ import annotations

import time
from typing import Any

import cv2
import numpy as np
import pytest
from scene_takes import noisy_take

from cmdfd.media.encode import encode_video
from cmdfd.media.settings import EncoderSettings
from generators.splice.scenes import compose as composing
from generators.splice.scenes.captions import caption_cues
from generators.splice.scenes.compose import Panel, Scene, compose, draw_scene, layouts
from generators.splice.scenes.panels import window_of

SECONDS, FPS = 2.0, 25.0
SETTINGS = EncoderSettings(crf=23, preset="veryfast", gop=25)


def _pictures(scene: Scene) -> tuple[np.ndarray, list[tuple[np.ndarray, float, float]], Any]:
    """What a script would load from files: the background, the graphics with transparency, the ticker."""
    stage = composing._stage(scene)

    def rgba(text: str) -> np.ndarray:
        layer = composing._graphics(scene, text)
        colour = layer.colour / np.maximum(layer.alpha[..., None], 1e-6)
        return np.dstack([colour.clip(0, 255), layer.alpha * 255]).astype(np.uint8)

    cues = caption_cues(scene, SECONDS, None, 0.0)
    graphics = [(rgba(cue.text), max(cue.start, 0.0), min(cue.end, SECONDS)) for cue in cues]
    return stage.behind.clip(0, 255).astype(np.uint8), graphics or [(rgba(""), 0.0, SECONDS)], stage.ticker


def _bare(moviepy: Any, scene: Scene, panels: list[Panel], pictures: Any) -> None:
    background, graphics, ticker = pictures
    clips = [moviepy.ImageClip(background, duration=SECONDS)]
    for panel, slot in zip(panels, scene.order, strict=True):
        frames = panel.take.frames
        window = window_of(scene, slot, frames.shape[2], frames.shape[1])
        source, target = window.source, window.target

        def at(time: float, frames: Any = frames, source: Any = source, target: Any = target) -> Any:
            part = frames[round(time * FPS)][source.y : source.bottom, source.x : source.right]
            return cv2.resize(part, (target.width, target.height))

        clips.append(moviepy.VideoClip(frame_function=at, duration=SECONDS).with_position((target.x, target.y)))
    clips += [moviepy.ImageClip(picture).with_start(start).with_end(end) for picture, start, end in graphics]
    if ticker is not None:
        running = moviepy.VideoClip(frame_function=ticker.at, duration=SECONDS)
        clips.append(running.with_position((ticker.box.x, ticker.box.y)))
    whole = moviepy.CompositeVideoClip(clips, size=(scene.width, scene.height), use_bgclip=True)
    encode_video((np.ascontiguousarray(frame) for frame in whole.iter_frames(fps=FPS)), FPS, SETTINGS)


def _ours(scene: Scene, panels: list[Panel]) -> None:
    for cache in (composing._stage, composing._graphics, composing._ground, composing._blend):
        cache.cache_clear()  # graphics are drawn anew, which the script is spared
    encode_video(compose(scene, panels, 0.0, SECONDS).take.frames, FPS, SETTINGS)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(layouts()))
def test_composing_and_encoding_keeps_up_with_a_bare_script(name: str) -> None:
    moviepy = pytest.importorskip("moviepy")
    rng = np.random.default_rng(0)
    scene = draw_scene(name, rng, long_edge=960)
    panels = [Panel(noisy_take(rng, size=(256, 256), seconds=SECONDS)) for _ in range(layouts()[name].people)]
    pictures = _pictures(scene)
    ours, bare = [], []
    for _ in range(3):  # in turns, by the processor's time: other work on the machine meets both alike
        for run, times in ((lambda: _ours(scene, panels), ours),
                           (lambda: _bare(moviepy, scene, panels, pictures), bare)):  # fmt: skip
            begun = time.process_time()
            run()
            times.append(time.process_time() - begun)
    assert min(ours) <= 1.25 * min(bare), (ours, bare)
