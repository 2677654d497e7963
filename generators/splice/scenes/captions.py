"""Running captions: which words stand when, and how they are drawn.

Captions never say what a forgery says. They come from the pool that the scene was drawn with, or from the words of the
*genuine* target take, which the caller hands over; a panel's own speech is never read, since after a re-voicing it
would tell the forged clip from its twin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from generators.splice.scenes.layouts import layout_of
from generators.splice.scenes.paint import WHITE, Area, wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from generators.generator import Word
    from generators.splice.scenes.paint import Layer
    from generators.splice.scenes.scene import Scene

#: A caption of speech holds at most so many letters or words (two short lines of the upright clip).
_LETTERS, _WORDS = 34, 6
#: A pause of more than this ends a caption, seconds; it stands this long after its last word at most.
_PAUSE = 0.6
#: Pillow's own font knows Latin letters up to here (Latin Extended-B).
_LAST_LETTER = 0x24F


@dataclass(frozen=True, slots=True)
class Cue:
    """A caption: what it says, and from when to when in seconds of the clip's clock."""

    text: str
    start: float
    end: float


def caption_cues(scene: Scene, seconds: float, words: Sequence[Word] | None, start: float) -> tuple[Cue, ...]:
    """The captions of a clip.

    Args:
        scene: The scene; its `captions` says where they come from.
        seconds: Length of the clip.
        words: Of the genuine target take, on its clock; used where `captions` is "speech". Where they are None, empty
            or in letters that the font lacks, the pool stands in.
        start: Where the clip begins inside the take.

    Returns:
        In order of time, without overlap; empty where the scene or the layout has none.
    """
    if scene.captions == "none" or layout_of(scene.layout).captions is None:
        return ()
    if scene.captions == "speech" and words and all(_readable(word.text) for word in words):
        return _of_speech(words, start, seconds)
    return _of_pool(scene, seconds)


def text_at(cues: Sequence[Cue], time: float) -> str:
    """What stands at a moment, "" for nothing."""
    return next((cue.text for cue in cues if cue.start <= time < cue.end), "")


def _readable(text: str) -> bool:
    return all(ord(letter) <= _LAST_LETTER or letter in "‘’“”–—…" for letter in text)


def _of_pool(scene: Scene, seconds: float) -> tuple[Cue, ...]:
    lines = scene.texts.lines
    time = -math.fmod(scene.phase, sum(line.seconds for line in lines))
    cues: list[Cue] = []
    k = 0
    while time < seconds:
        line = lines[k % len(lines)]
        if time + line.seconds > 0:
            cues.append(Cue(line.text, time, time + line.seconds))
        time += line.seconds
        k += 1
    return tuple(cues)


def _of_speech(words: Sequence[Word], start: float, seconds: float) -> tuple[Cue, ...]:
    groups: list[list[Word]] = []
    for word in sorted(words, key=lambda each: each.start):
        last = groups[-1] if groups else None
        if last is not None and _joins(last, word):
            last.append(word)
        else:
            groups.append([word])
    cues = []
    for k, group in enumerate(groups):
        end = group[-1].end + _PAUSE
        if k + 1 < len(groups):
            end = min(end, groups[k + 1][0].start)
        cues.append(Cue(" ".join(word.text for word in group), group[0].start - start, end - start))
    return tuple(cue for cue in cues if cue.end > 0 and cue.start < seconds)


def _joins(group: Sequence[Word], word: Word) -> bool:
    letters = sum(len(each.text) + 1 for each in group) + len(word.text)
    ended = group[-1].text.endswith((".", "!", "?"))
    return not ended and len(group) < _WORDS and letters <= _LETTERS and word.start - group[-1].end <= _PAUSE


def draw_caption(layer: Layer, scene: Scene, text: str) -> None:
    """Draw a caption in the place that the layout has for it.

    Args:
        layer: What to draw on.
        scene: The scene.
        text: What it says; nothing is drawn for "".
    """
    place = layout_of(scene.layout).captions
    if place is None or not text.strip():
        return
    middle, height = place.x + place.width / 2, place.y + place.height / 2
    if scene.layout == "portrait":
        lines = list(wrapped(text, 20))[:2] if len(text) <= 40 else list(wrapped(text, len(text) // 2 + 4))[:2]
        for k, line in enumerate(lines):
            y = height + (k - (len(lines) - 1) / 2) * 78
            layer.outlined(middle, y, line, 68, (255, 226, 72) if k % 2 else WHITE, limit=place.width)
        return
    size = layer.fitted(text, 42, place.width - 60)
    width = layer.width_of(text, size)
    area = Area(middle - width / 2 - 28, height - 36, width + 56, 72)
    layer.rect(area, (6, 7, 9), radius=8, opacity=0.78)
    layer.text(middle, height, text, size, WHITE, anchor="middle")
