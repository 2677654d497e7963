"""Masks over frames: what is forged in truth as an outline, what a detector marks as heat over a grey picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.report.plots.axes import FONT_SIZE, SMALL
from cmdfd.report.plots.svg import STAND_INS, drawing, new_figure, to_svg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

#: Colour of surely forged pixels; far from skin, and dark enough to be seen on a light picture.
HEAT = (214, 40, 0)
#: Colour of the outline of the truth, with a dark edge so that it is seen on any picture.
OUTLINE = (0, 229, 255)
_EDGE = (10, 20, 30)
#: Greatest opacity of the heat, so that what lies under it can still be seen.
_OPACITY = 0.8
_LEFT, _RIGHT, _GAP, _BELOW, _ABOVE = 112.0, 16.0, 8.0, 46.0, 4.0
#: Stored pixels for each pixel at natural size.
_DENSITY = 1.5
#: Greatest height of a picture at natural size.
_TALLEST = 190.0
_RAMP = 160.0


@dataclass(frozen=True, slots=True, eq=False)
class MarkedFrame:
    """One frame with what is true of it and what was found in it.

    Args:
        time: Seconds from the clip's start.
        image: [h, w, 3] uint8 RGB.
        heat: Uint8 map of the picture's shape and any size, 0 (surely genuine) to 255 (surely forged).
        truth: [h, w] bool, or None where nobody knows.
    """

    time: float
    image: NDArray[np.uint8]
    heat: NDArray[np.uint8]
    truth: NDArray[np.bool_] | None = None


def overlay_plot(frames: Sequence[MarkedFrame], *, width: int = 1080) -> str:
    """Draw frames side by side, above with the truth outlined, below with the detector's map; returns SVG.

    Args:
        frames: One to six frames of one clip.
        width: Natural width in pixels.

    Raises:
        ValueError: Where there are no frames.
    """
    if not frames:
        raise ValueError("overlay_plot needs at least one frame")
    photographs: dict[str, NDArray[np.uint8]] = {}
    with drawing():
        return to_svg(_draw(frames, float(width), photographs), photographs)


def _draw(frames: Sequence[MarkedFrame], width: float, photographs: dict[str, NDArray[np.uint8]]) -> Figure:
    tall, wide = frames[0].image.shape[:2]
    room = (width - _LEFT - _RIGHT - _GAP * (len(frames) - 1)) / len(frames)
    broad = min(room, _TALLEST * wide / tall)
    high = broad * tall / wide
    height = _ABOVE + 2 * high + _GAP + _BELOW
    figure = new_figure(width, height)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    rows = (("Frame", _truth_words(frames)), ("Detector", "its map"))
    for row, (name, detail) in enumerate(rows):
        top = _ABOVE + row * (high + _GAP)
        axes.text(16, top + high / 2, f"{name}\n{detail}", va="center", fontsize=FONT_SIZE, color=STAND_INS.ink,
                  linespacing=1.3)  # fmt: skip
        for column, frame in enumerate(frames):
            left = _LEFT + column * (broad + _GAP)
            _place(axes, f"marked-{row}-{column}", (left, top, broad, high))
            photographs[f"marked-{row}-{column}"] = marked(frame, round(broad * _DENSITY), heat=row == 1)
            if row:
                axes.text(left + broad / 2, top + high + 4, f"{frame.time:.2f} s", ha="center", va="top",
                          fontsize=SMALL, color=STAND_INS.muted)  # fmt: skip
    _ramp(axes, height - 14, photographs)
    return figure


def _truth_words(frames: Sequence[MarkedFrame]) -> str:
    known = [frame.truth for frame in frames if frame.truth is not None]
    if not known:
        return "truth unknown"
    return "truth outlined" if any(truth.any() for truth in known) else "nothing forged"


def _place(axes: object, name: str, box: tuple[float, float, float, float]) -> None:
    from matplotlib.patches import Rectangle

    left, top, broad, high = box
    axes.add_patch(Rectangle((left, top), broad, high, gid=name, facecolor=STAND_INS.line))  # type: ignore[attr-defined]


def _ramp(axes: object, top: float, photographs: dict[str, NDArray[np.uint8]]) -> None:
    """What the colours mean."""
    shades = np.tile(np.linspace(0, 255, 240).round().astype(np.uint8), (12, 1))
    photographs["ramp"] = _heated(np.full((12, 240, 3), 128, np.uint8), shades)
    at = _LEFT + 108
    _place(axes, "ramp", (at, top, _RAMP, 9))
    for words, where, align in (("surely genuine", at - 6, "right"), ("surely forged", at + _RAMP + 6, "left")):
        axes.text(where, top + 4.5, words, ha=align, va="center", fontsize=SMALL, color=STAND_INS.muted)  # type: ignore[attr-defined]


def marked(frame: MarkedFrame, wide: int, *, heat: bool) -> NDArray[np.uint8]:
    """One picture as it is shown.

    Args:
        frame: The frame.
        wide: Greatest width in pixels; small pictures are enlarged, so that the outline stays fine.
        heat: Grey with the map over it; otherwise in its colours.

    Returns:
        [h, w, 3] uint8 RGB.
    """
    import cv2

    tall, had = frame.image.shape[:2]
    size = (max(wide, 1), max(round(tall * wide / had), 1))
    how = cv2.INTER_AREA if wide < had else cv2.INTER_CUBIC
    picture = np.asarray(cv2.resize(frame.image, size, interpolation=how), np.uint8)
    if heat:
        grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        picture = _heated(
            np.asarray(grey, np.uint8),
            np.asarray(cv2.resize(frame.heat, size, interpolation=cv2.INTER_LINEAR), np.uint8),
        )
    picture = np.ascontiguousarray(picture)
    if frame.truth is not None and frame.truth.any():
        spots = cv2.resize(frame.truth.astype(np.uint8) * 255, size, interpolation=cv2.INTER_LINEAR)
        lines, _ = cv2.findContours((spots > 127).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, lines, -1, _EDGE, 4, cv2.LINE_AA)
        cv2.drawContours(picture, lines, -1, OUTLINE, 2, cv2.LINE_AA)
    return picture


def _heated(picture: NDArray[np.uint8], heat: NDArray[np.uint8]) -> NDArray[np.uint8]:
    share = (heat.astype(np.float32) / 255 * _OPACITY)[..., None]
    mixed = picture.astype(np.float32) * (1 - share) + np.array(HEAT, np.float32) * share
    return np.asarray(np.clip(mixed.round(), 0, 255), np.uint8)
