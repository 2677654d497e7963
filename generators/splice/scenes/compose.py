"""Composing: the panels of a scene on one canvas and one clock, with their masks, by moviepy.

The real clip and all its forgeries pass the same scene, so they differ where the forged panel does and nowhere else.
Whatever does not move is flattened to one picture before: the background with all graphics outside of panels, and,
for every panel, what covers it. moviepy then lays the panels and the ticker over the background, frame by frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.errors import MediaError, MissingExtraError
from cmdfd.media.decode import Audio
from cmdfd.media.grid import align_audio, nearest_frames
from cmdfd.media.harmonise import TOLERANCE_SECONDS
from generators.generator import Speech, Take
from generators.splice.scenes.backdrop import paint_backdrop
from generators.splice.scenes.captions import caption_cues, draw_caption, text_at
from generators.splice.scenes.graphics import Ticker, draw_behind, draw_over, draw_ticker
from generators.splice.scenes.layouts import Layout, layouts
from generators.splice.scenes.paint import Layer
from generators.splice.scenes.panels import Blend, Window, shape_of, window_of
from generators.splice.scenes.scene import Scene, draw_scene

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from generators.generator import Word

__all__ = ["Composed", "Layout", "Panel", "Scene", "compose", "draw_scene", "layouts"]

#: Bystanders are so much softer in a mix, dB: heard, but nobody takes them for the speaker.
BYSTANDER_DB = -12.0


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One person of a scene.

    Args:
        take: What is seen and heard; of any size and frame rate.
        masks: [T, H, W] uint8 of the take, how much of a pixel is foreign; None where nothing is.
    """

    take: Take
    masks: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Composed:
    """A scene in memory.

    Args:
        take: Frames [T, H, W, 3] of the canvas at the target's frame rate, its sound, and its face track on the
            canvas; time 0 is the window's start. T is round(seconds * fps), and one more where that would not fill
            the window; the sound lasts as long as the longer of window and picture.
        masks: [T, H, W] uint8 of all panels, less by whatever covers them; None where no panel has any.
    """

    take: Take
    masks: NDArray[np.uint8] | None


def compose(
    scene: Scene, panels: Sequence[Panel], start: float, seconds: float, *, words: Sequence[Word] | None = None
) -> Composed:
    """Compose a scene.

    Args:
        scene: The scene.
        panels: The target first, then the bystanders, in the order of `scene.order`.
        start: Seconds of every take's clock at which the clip begins.
        seconds: Length of the clip.
        words: Words of the *genuine* target take on its clock, for scenes whose `captions` is "speech".

    Returns:
        Picture, sound, track and masks; the same bits for the same arguments.

    Raises:
        MissingExtraError: If moviepy is not installed.
        MediaError: "too_short" where a take ends before the window does; its path names the panel.
        ValueError: If the arrays do not fit each other, or there are not as many panels as the layout has.
    """
    _moviepy()
    _check(scene, panels, start, seconds)
    _keep_only(scene)
    target = panels[0].take
    n = max(1, math.ceil(round(seconds * target.fps, 6)))
    times = np.arange(n) / target.fps
    cues = caption_cues(scene, seconds, words, start)
    texts = tuple(text_at(cues, float(time)) for time in times)
    seen = [_seen(scene, k, panel, start + times) for k, panel in enumerate(panels)]
    frames = _picture(scene, seen, texts, target.fps)
    sound = mix(scene, panels, start, max(seconds, n / target.fps))
    track = None if target.track is None else seen[0].window.place(target.track.window(start, times))
    speech = None if target.speech is None else _shifted(target.speech, start)
    take = Take(frames, target.fps, sound, target.sample_rate, track, speech)
    return Composed(take, _masks(scene, seen, texts))


def _check(scene: Scene, panels: Sequence[Panel], start: float, seconds: float) -> None:
    if len(panels) != len(scene.order):
        raise ValueError(f"layout {scene.layout!r} shows {len(scene.order)} people, got {len(panels)} panels")
    if not (math.isfinite(start) and start >= 0 and math.isfinite(seconds) and seconds > 0):
        raise ValueError(f"start must be >= 0 and seconds > 0, both finite, got {start} and {seconds}")
    for k, panel in enumerate(panels):
        take, name = panel.take, "target" if k == 0 else f"bystander {k}"
        frames = take.frames
        if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8 or not frames.size:
            raise ValueError(f"{name}: frames must be uint8 [T, H, W, 3], got {frames.dtype} {frames.shape}")
        if panel.masks is not None and (panel.masks.shape != frames.shape[:3] or panel.masks.dtype != np.uint8):
            raise ValueError(f"{name}: masks must be uint8 {frames.shape[:3]}, got {panel.masks.dtype} "
                             f"{panel.masks.shape}")  # fmt: skip
        if not (take.fps > 0 and take.sample_rate > 0 and take.audio.ndim == 1):
            raise ValueError(f"{name}: needs fps and sample_rate above 0 and mono sound, got {take.fps}, "
                             f"{take.sample_rate} and {take.audio.shape}")  # fmt: skip
        _check_length(name, take, start + seconds)


def _check_length(name: str, take: Take, end: float) -> None:
    for stream, length in (("picture", take.duration), ("sound", len(take.audio) / take.sample_rate)):
        if end > length + TOLERANCE_SECONDS:
            detail = f"the {stream} of the {name} lasts {length:.3f} s, the scene needs {end:.3f} s"
            raise MediaError("too_short", name, detail)


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """A panel in its slot: which frame is seen when, and how it comes to its place."""

    panel: Panel
    slot: int
    window: Window
    chosen: NDArray[np.intp]


def _seen(scene: Scene, k: int, panel: Panel, moments: NDArray[np.float64]) -> _Seen:
    take, slot = panel.take, scene.order[k]
    window = window_of(scene, slot, take.frames.shape[2], take.frames.shape[1])
    chosen = nearest_frames(np.arange(len(take.frames)) / take.fps, moments)
    return _Seen(panel, slot, window, chosen)


@dataclass(frozen=True, slots=True, eq=False)
class _Stage:
    """What a scene is before anybody enters: all that only chance decided."""

    behind: NDArray[np.float32]
    over: Layer
    ticker: Ticker | None


@lru_cache(maxsize=1)
def _stage(scene: Scene) -> _Stage:
    """Twins follow each other, so that the last scene is nearly always the next one, too."""
    behind = Layer(scene.width, scene.height, scene.unit)
    draw_behind(behind, scene)
    over = Layer(scene.width, scene.height, scene.unit)
    draw_over(over, scene)
    backdrop = paint_backdrop(scene)
    return _Stage(behind.colour + backdrop * (1 - behind.alpha[..., None]), over, draw_ticker(scene))


@lru_cache(maxsize=16)
def _graphics(scene: Scene, text: str) -> Layer:
    """All graphics above the panels while one caption stands."""
    over = _stage(scene).over
    if not text:
        return over
    layer = over.copy()
    draw_caption(layer, scene, text)
    return layer


@lru_cache(maxsize=16)
def _ground(scene: Scene, text: str) -> NDArray[np.uint8]:
    """The canvas without panels while one caption stands."""
    ground = _graphics(scene, text).over(_stage(scene).behind)
    ground.setflags(write=False)
    return ground


@lru_cache(maxsize=64)
def _blend(scene: Scene, slot: int, window: Window, text: str) -> Blend:
    shape = shape_of(scene, slot, window.target)
    return Blend.of(shape, _graphics(scene, text), _stage(scene).behind, window.target)


@lru_cache(maxsize=1)
def _keep_only(scene: Scene) -> None:
    """Forget what was drawn for other scenes; a worker would keep hundreds of megabytes of them."""
    for drawn in (_graphics, _ground, _blend):
        drawn.cache_clear()


def _moviepy() -> Any:
    try:
        import moviepy
    except ImportError as error:
        raise MissingExtraError("splice", "scenes of several people (moviepy)") from error
    return moviepy


def _picture(scene: Scene, seen: Sequence[_Seen], texts: Sequence[str], fps: float) -> NDArray[np.uint8]:
    """Lay panels and ticker over the ground; moviepy's clock is asked at frame k for k / fps."""
    moviepy = _moviepy()
    seconds = len(texts) / fps

    def index(time: float) -> int:
        return min(max(round(time * fps), 0), len(texts) - 1)

    def panel_at(panel: _Seen, k: int) -> NDArray[np.uint8]:
        scaled = panel.window.scale(panel.panel.take.frames[panel.chosen[k]])
        return _blend(scene, panel.slot, panel.window, texts[k]).picture(scaled)

    def clip(function: Any, x: int, y: int, layer: int) -> Any:
        made = moviepy.VideoClip(frame_function=function, duration=seconds)
        return made.with_position((x, y)).with_layer_index(layer)

    clips = [clip(lambda t: _ground(scene, texts[index(t)]), 0, 0, 0)]
    for panel in seen:
        at = panel.window.target
        clips.append(clip(lambda t, panel=panel: panel_at(panel, index(t)), at.x, at.y, 1))
    ticker = _stage(scene).ticker
    if ticker is not None:
        clips.append(clip(ticker.at, ticker.box.x, ticker.box.y, 2))
    whole = moviepy.CompositeVideoClip(clips, size=(scene.width, scene.height), use_bgclip=True)
    frames = np.empty((len(texts), scene.height, scene.width, 3), np.uint8)
    for k in range(len(texts)):
        frames[k] = whole.get_frame(k / fps)
    return frames


def _masks(scene: Scene, seen: Sequence[_Seen], texts: Sequence[str]) -> NDArray[np.uint8] | None:
    if all(panel.panel.masks is None for panel in seen):
        return None
    masks = np.zeros((len(texts), scene.height, scene.width), np.uint8)
    for panel in seen:
        given, at = panel.panel.masks, panel.window.target
        if given is None:
            continue
        for k, text in enumerate(texts):
            mask = given[panel.chosen[k]]
            if mask.any():
                scaled = panel.window.scale(mask)
                part = _blend(scene, panel.slot, panel.window, text).mask(scaled)
                masks[k, at.y : at.bottom, at.x : at.right] = part
    return masks


def mix(scene: Scene, panels: Sequence[Panel], start: float, seconds: float) -> NDArray[np.float32]:
    """The sound of a scene: the target's, or all; a mix is turned down by a fixed amount, so that it can never clip.

    Args:
        scene: The scene.
        panels: As in `compose`.
        start: Seconds of every take's clock.
        seconds: How much of it.

    Returns:
        [N] float32 mono at the target's rate.
    """
    rate = panels[0].take.sample_rate
    whole = align_audio(Audio(panels[0].take.audio, rate, 0.0), start, seconds)
    if scene.sound == "target" or len(panels) == 1:
        return whole
    softer = np.float32(10 ** (BYSTANDER_DB / 20))
    for panel in panels[1:]:
        part = align_audio(_at_rate(panel.take, rate), start, seconds)
        whole += softer * part
    return whole / np.float32(1 + (len(panels) - 1) * float(softer))


def _at_rate(take: Take, rate: int) -> Audio:
    if take.sample_rate == rate:
        return Audio(take.audio, rate, 0.0)
    from cmdfd.media.sound_encode import resample

    return Audio(resample(take.audio, take.sample_rate, rate), rate, 0.0)


def _shifted(speech: Speech, start: float) -> Speech:
    """The same speech on the window's clock; what lies outside keeps its times, below 0 or beyond the end."""
    words = tuple(replace(word, start=word.start - start, end=word.end - start) for word in speech.words)
    phones = tuple(replace(phone, start=phone.start - start, end=phone.end - start) for phone in speech.phones)
    return replace(speech, words=words, phones=phones)
