"""Plates, headlines, chips and the furniture of every layout, and the strip of a ticker.

What lies on a panel is opaque or lets at least a fifth of it through, but for the smoothed edges of letters: a bar of
96 % would show a forgery below it so faintly that its mask no longer counts, and yet differ from the twin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from generators.splice.scenes.layouts import Box, layout_of
from generators.splice.scenes.paint import WHITE, Area, Layer, wrapped
from generators.splice.scenes.pools import PALETTES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from generators.splice.scenes.pools import Colour
    from generators.splice.scenes.scene import Scene

_LIVE: Colour = (204, 28, 38)
_PAPER: Colour = (236, 238, 242)
_INK: Colour = (22, 26, 34)
_SOFT: Colour = (198, 204, 214)
_DARK: Colour = (8, 9, 12)
#: Of the conference window.
_SIDE, _BUBBLE, _BUTTON = (33, 35, 40), (49, 52, 59), (54, 57, 64)
_NAMES_OF_CHAT: tuple[Colour, ...] = ((122, 178, 255), (255, 178, 112), (150, 214, 150), (222, 160, 236))
_SPEAKING: Colour = (88, 196, 120)
#: The ticker of the news layout on the reference canvas: top and height.
TICKER_TOP, TICKER_HEIGHT = 968, 68


def _area(scene: Scene, slot: int) -> Area:
    """Box of a slot in pixels of the reference canvas."""
    box, u = scene.boxes[slot], scene.unit
    return Area(box.x / u, box.y / u, box.width / u, box.height / u)


def _size(scene: Scene) -> tuple[float, float]:
    return scene.width / scene.unit, scene.height / scene.unit


def draw_behind(layer: Layer, scene: Scene) -> None:
    """Draw what lies behind the panels: shadows, frames and grounds."""
    for k, slot in enumerate(layout_of(scene.layout).slots):
        area = _area(scene, k)
        if slot.border:
            layer.rect(area.grown(slot.border), (0, 0, 0), opacity=0.5, blur=26)
            layer.rect(area.grown(slot.border), (240, 242, 246), to=(196, 202, 212))
        layer.rect(area, (14, 15, 18), radius=slot.radius)  # is seen beside a take that is shown whole
    if scene.layout == "portrait":
        deep = PALETTES[scene.palette].deep
        layer.rect(Area(0, 1000, 1080, 40), deep)


def draw_over(layer: Layer, scene: Scene) -> None:
    """Draw what lies above the panels and does not change."""
    _OVER[scene.layout](layer, scene)


def _chip(layer: Layer, x: float, y: float, height: float, text: str, colour: Colour, *, dot: bool = False) -> float:
    """A word on a coloured ground; `y` is its top. Returns its width."""
    size, lead = height * 0.5, height * 0.42
    shift = height * 0.42 if dot else 0.0
    width = layer.width_of(text, size, bold=True) + 2 * lead + shift
    layer.rect(Area(x, y, width, height), colour)
    if dot:
        r = height * 0.13
        layer.rect(Area(x + lead, y + height / 2 - r, 2 * r, 2 * r), WHITE, radius=r)
    bright = float(np.dot(colour, (0.2126, 0.7152, 0.0722))) > 130  # BT.709 luma; white would be pale on gold
    layer.text(x + lead + shift, y + height / 2, text, size, _INK if bright else WHITE, bold=True)
    return width


def _plate(layer: Layer, scene: Scene, slot: int, x: float, y: float, size: float) -> None:
    """Name and role on a bar with a strip of the accent; `size` is that of the name."""
    palette = PALETTES[scene.palette]
    name, role = scene.texts.names[slot], scene.texts.roles[slot]
    width = max(layer.width_of(name, size, bold=True), layer.width_of(role, size * 0.68)) + size * 1.9
    height = size * 2.5
    layer.rect(Area(x, y, width, height), (0, 0, 0), opacity=0.35, blur=14)
    layer.rect(Area(x, y, width, height), palette.bar, to=palette.deep)
    layer.rect(Area(x, y, size * 0.26, height), palette.accent)
    layer.text(x + size * 0.8, y + height * 0.36, name, size, WHITE, bold=True)
    layer.text(x + size * 0.8, y + height * 0.73, role, size * 0.68, _SOFT)


def _bug(layer: Layer, scene: Scene, x: float, y: float, *, right: bool = False, live: bool = True) -> None:
    """Name of the programme in a corner, with a chip before it; `x` is its left, or its right."""
    title = scene.texts.programme
    width = layer.width_of(title, 32, bold=True)
    chip = layer.width_of("LIVE", 22, bold=True) + 44 * (2 * 0.42 + 0.42) + 18 if live else 0.0
    left = x - width - chip if right else x
    if live:
        _chip(layer, left, y, 44, "LIVE", _LIVE, dot=True)
    layer.text(left + chip, y + 22, title, 32, WHITE, bold=True, opacity=0.92)


def _interview(layer: Layer, scene: Scene) -> None:
    width, _ = _size(scene)
    _bug(layer, scene, _area(scene, 0).x, 32)
    layer.text(width - 146, 54, scene.texts.clock, 30, _SOFT, anchor="right")
    for slot in (0, 1):
        area = _area(scene, slot)
        _plate(layer, scene, slot, area.x - 22, area.y + area.height * 0.885, 38)


def _news(layer: Layer, scene: Scene) -> None:
    width, height = _size(scene)
    palette = PALETTES[scene.palette]
    anchor, inset = _area(scene, 0), _area(scene, 1)
    left = inset.x < anchor.x
    _bug(layer, scene, inset.x if left else inset.x + inset.width, 46, right=not left, live=False)
    strip = Area(inset.x - 6, inset.y + inset.height + 6, inset.width + 12, 58)
    layer.rect(strip, palette.bar, to=palette.deep)
    chip = _chip(layer, strip.x, strip.y, 58, "LIVE", _LIVE, dot=True)
    layer.text(strip.x + chip + 20, strip.y + 29, scene.texts.place, 32, WHITE, bold=True)
    layer.text(strip.x + strip.width - 20, strip.y + 29, scene.texts.names[1], 26, _SOFT, anchor="right")
    _edge(layer, scene, 848)
    layer.rect(Area(0, 848, width, 120), palette.bar, to=palette.deep)
    layer.rect(Area(0, 848, width, 5), palette.accent)
    chip = _chip(layer, 80, 878, 64, scene.texts.kicker, palette.accent)
    layer.text(80 + chip + 34, 911, scene.texts.headline, 56, WHITE, bold=True, limit=width - 200 - chip)
    layer.rect(Area(0, TICKER_TOP, width, TICKER_HEIGHT), _PAPER)
    layer.rect(Area(0, TICKER_TOP + TICKER_HEIGHT, width, height - TICKER_TOP - TICKER_HEIGHT), palette.deep)


def _address(layer: Layer, scene: Scene) -> None:
    palette = PALETTES[scene.palette]
    x = 1040 + 90 if scene.mirrored else 90
    _edge(layer, scene, 1080)
    _bug(layer, scene, x, 76)
    size = 66
    for k, line in enumerate(wrapped(scene.texts.headline, 19)[:4]):
        layer.text(x, 300 + 84 * k, line, size, WHITE, bold=True, limit=880 - 180)
    layer.rect(Area(x, 232, 96, 6), palette.accent)
    _plate(layer, scene, 0, x, 740, 52)


def _edge(layer: Layer, scene: Scene, height: float) -> None:
    """A line of the accent along the inner side of the first panel, outside of it."""
    area, palette = _area(scene, 0), PALETTES[scene.palette]
    inner = area.x - 8 if area.x > 0 else area.x + area.width
    layer.rect(Area(inner, 0, 8, height), palette.accent)


def _portrait(layer: Layer, scene: Scene) -> None:
    palette = PALETTES[scene.palette]
    layer.rect(Area(0, 0, 1080, 150), palette.deep, to=palette.bar)
    layer.text(540, 82, scene.texts.title, 58, WHITE, bold=True, anchor="middle", limit=960)
    for slot, below in ((0, False), (1, True)):
        area = _area(scene, slot)
        y = area.y + area.height - 76 if below else area.y + 26
        width = layer.width_of(scene.texts.names[slot], 32, bold=True) + 44
        layer.rect(Area(30, y, width, 52), _DARK, radius=10, opacity=0.72)
        layer.text(52, y + 26, scene.texts.names[slot], 32, WHITE, bold=True)
    layer.rect(Area(0, 1886, 1080, 34), palette.deep)
    layer.rect(Area(0, 1886, 1080, 6), palette.accent)


def _grid(layer: Layer, scene: Scene) -> None:
    width, _ = _size(scene)
    layer.text(40, 33, scene.texts.meeting, 28, WHITE, bold=True)
    layer.text(width - 40, 33, scene.texts.clock, 28, _SOFT, anchor="right")
    layer.rect(Area(width / 2 - 58, 24, 18, 18), _LIVE, radius=9)
    layer.text(width / 2 - 28, 33, "REC", 24, _SOFT)
    speaking = scene.seed % len(scene.boxes)
    for slot in range(len(scene.boxes)):
        area = _area(scene, slot)
        if slot == speaking:
            _ring(layer, area, 14, 5, _SPEAKING)
        _tag(layer, area, scene.texts.names[slot])
    _chat(layer, scene, Area(36 if scene.mirrored else 1200, 64, 684, 912))
    _toolbar(layer, width / 2, 1028)


def _ring(layer: Layer, area: Area, radius: float, thick: float, colour: Colour) -> None:
    """A line around a rounded tile, outside of its picture but for its corners."""
    ring = Layer(layer.alpha.shape[1], layer.alpha.shape[0], layer.unit)
    ring.rect(area.grown(thick), colour, radius=radius + thick)
    hole = Layer(layer.alpha.shape[1], layer.alpha.shape[0], layer.unit)
    hole.rect(area, colour, radius=radius)
    layer.put(ring.alpha * (1 - hole.alpha), 0, 0, colour)


def _tag(layer: Layer, area: Area, name: str) -> None:
    width = layer.width_of(name, 24) + 62
    x, y = area.x + 12, area.y + area.height - 50
    layer.rect(Area(x, y, width, 38), _DARK, radius=8, opacity=0.72)
    layer.rect(Area(x + 15, y + 8, 9, 14), WHITE, radius=4.5)  # a microphone
    layer.rect(Area(x + 18, y + 22, 3, 7), WHITE)
    layer.rect(Area(x + 13, y + 28, 13, 3), WHITE)
    layer.text(x + 42, y + 19, name, 24, WHITE)


def _chat(layer: Layer, scene: Scene, area: Area) -> None:
    layer.rect(area, _SIDE, radius=14)
    layer.text(area.x + 32, area.y + 44, "Chat", 30, WHITE, bold=True)
    layer.rect(Area(area.x, area.y + 84, area.width, 2), _BUBBLE)
    y = area.y + 112
    names = sorted(set(scene.texts.names))
    for message in scene.texts.chat:
        owner = next((k for k, name in enumerate(names) if name.endswith(message.name)), 0)
        layer.text(area.x + 34, y + 14, message.name, 23, _NAMES_OF_CHAT[owner % len(_NAMES_OF_CHAT)], bold=True)
        lines = wrapped(message.text, 40)[:2]
        widest = max(layer.width_of(line, 25) for line in lines) if lines else 0.0
        height = 34 * len(lines) + 22
        layer.rect(Area(area.x + 30, y + 34, min(widest, area.width - 110) + 44, height), _BUBBLE, radius=12)
        for k, line in enumerate(lines):
            layer.text(area.x + 52, y + 62 + 34 * k, line, 25, _PAPER, limit=area.width - 110)
        y += height + 56
    layer.rect(Area(area.x + 24, area.y + area.height - 78, area.width - 48, 54), _BUBBLE, radius=27)
    layer.text(area.x + 54, area.y + area.height - 51, "Type a message", 24, (140, 145, 154))


def _toolbar(layer: Layer, middle: float, y: float) -> None:
    for k in range(6):
        x = middle + (k - 2.5) * 96
        red = k == 5
        layer.rect(Area(x - 34, y - 27, 68, 54), _LIVE if red else _BUTTON, radius=27)
        _GLYPHS[k](layer, x, y)


def _microphone(layer: Layer, x: float, y: float) -> None:
    layer.rect(Area(x - 6, y - 15, 12, 20), WHITE, radius=6)
    layer.rect(Area(x - 2, y + 5, 4, 9), WHITE)
    layer.rect(Area(x - 9, y + 12, 18, 4), WHITE, radius=2)


def _camera(layer: Layer, x: float, y: float) -> None:
    layer.rect(Area(x - 16, y - 10, 22, 20), WHITE, radius=5)
    layer.rect(Area(x + 9, y - 6, 7, 12), WHITE, radius=2)


def _people(layer: Layer, x: float, y: float) -> None:
    layer.rect(Area(x - 6, y - 14, 12, 12), WHITE, radius=6)
    layer.rect(Area(x - 12, y + 1, 24, 12), WHITE, radius=6)


def _bubble(layer: Layer, x: float, y: float) -> None:
    layer.rect(Area(x - 14, y - 12, 28, 21), WHITE, radius=7)
    layer.rect(Area(x - 8, y + 7, 6, 7), WHITE, radius=1)


def _screen(layer: Layer, x: float, y: float) -> None:
    layer.rect(Area(x - 16, y - 12, 32, 20), WHITE, radius=4)
    layer.rect(Area(x - 12, y - 8, 24, 12), _BUTTON, radius=2)
    layer.rect(Area(x - 8, y + 10, 16, 4), WHITE, radius=2)


def _leave(layer: Layer, x: float, y: float) -> None:
    layer.rect(Area(x - 17, y - 5, 34, 7), WHITE, radius=3)
    layer.rect(Area(x - 17, y - 5, 9, 13), WHITE, radius=3)
    layer.rect(Area(x + 8, y - 5, 9, 13), WHITE, radius=3)


_GLYPHS = (_microphone, _camera, _screen, _people, _bubble, _leave)
_OVER = {"interview": _interview, "news": _news, "grid": _grid, "portrait": _portrait, "address": _address}


@dataclass(frozen=True, slots=True, eq=False)
class Ticker:
    """Running text.

    Args:
        strip: [h, L, 3] uint8, the whole text; it begins again at its end. L is at least the width of its place.
        box: Where it runs on the canvas.
        speed: Pixels in a second.
        phase: Pixels at time 0.
    """

    strip: NDArray[np.uint8]
    box: Box
    speed: float
    phase: float

    def at(self, time: float) -> NDArray[np.uint8]:
        """What is seen of it at a moment: [h, w, 3]."""
        length = self.strip.shape[1]
        shift = round(self.phase + self.speed * time) % length
        columns = (np.arange(self.box.width) + shift) % length
        return self.strip[:, columns]


def draw_ticker(scene: Scene) -> Ticker | None:
    """The ticker of a scene, None where its layout has none."""
    if scene.layout != "news":
        return None
    u, palette = scene.unit, PALETTES[scene.palette]
    top, bottom = round(TICKER_TOP * u), round((TICKER_TOP + TICKER_HEIGHT) * u)
    measure = Layer(1, 1, u)
    lengths = [measure.width_of(text, 32) + 108 for text in scene.texts.ticker] or [0.0]
    rounds = max(1, int(np.ceil(scene.width / u / max(sum(lengths), 1))))
    strip = Layer(max(scene.width, round(sum(lengths) * rounds * u)), bottom - top, u)
    strip.rect(Area(0, 0, strip.alpha.shape[1] / u + 1, TICKER_HEIGHT + 1), _PAPER)
    x = 0.0
    for _ in range(rounds):
        for text, length in zip(scene.texts.ticker, lengths, strict=False):
            strip.rect(Area(x + 34, TICKER_HEIGHT / 2 - 8, 16, 16), palette.accent, radius=2)
            strip.text(x + 74, TICKER_HEIGHT / 2 + 1, text, 32, _INK)
            x += length
    picture = strip.over(np.zeros((*strip.alpha.shape, 3), np.float32))
    box = Box(0, top, scene.width, bottom - top)
    return Ticker(picture, box, scene.ticker_speed * scene.width, scene.phase * scene.ticker_speed * scene.width)
