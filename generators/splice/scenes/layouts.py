"""Where people stand in a scene: panels on a reference canvas, and what a panel does with a take.

All lengths are pixels of the reference canvas (1920 on its long edge) and scale with the canvas that is asked for.
Takes are square and tight around the head (chin at about 0.83 of the height, mouth above 0.75), so panels are nearly
square, and graphics leave the middle of a panel alone (`CLEAR`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

from cmdfd.errors import CmdfdError, nearest

#: Goes up when the same scene would have other pixels; part of every clip's address.
CODE_VERSION = 1
#: Long edge of the canvas in pixels. Below 160 no type can be read, above 1920 takes of 224 to 512 pixels only blur.
MIN_LONG_EDGE, MAX_LONG_EDGE = 160, 1920
#: Long edge of the reference canvas.
REFERENCE = 1920
#: Between these parts of a panel's height no graphic covers its middle. Mouths of our takes end at 0.75 of the take's
#: height, and the panel that crops most (an aspect of 1.25, zoomed by 1.05) shows that at 0.84.
CLEAR = (0.12, 0.86)


class Box(NamedTuple):
    """A rectangle in pixels: left, top, width, height."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """First column to the right of it."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """First row below it."""
        return self.y + self.height

    def meets(self, other: Box) -> bool:
        """Whether the two share a pixel."""
        across = self.x < other.right and other.x < self.right
        return across and self.y < other.bottom and other.y < self.bottom


@dataclass(frozen=True, slots=True)
class Slot:
    """One panel.

    Args:
        box: Place on the reference canvas.
        fit: "cover": the take fills the box and is cropped, unless too much would be lost; "contain": it is shown
            whole, on a dark ground.
        radius: Of rounded corners.
        border: Width of the frame around it; drawn outside of the box.
    """

    box: Box
    fit: Literal["cover", "contain"] = "cover"
    radius: int = 0
    border: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """A kind of scene.

    Args:
        name: As recipes call it.
        summary: One line for tables.
        size: Width and height of the reference canvas.
        slots: Panels.
        captions: Where running captions stand, in the middle of this box; None where the layout has none.
        jitter: Boxes move together by up to this much in x and y; those that touch the canvas' edge stay there.
        mirrors: Whether left and right may be exchanged.
    """

    name: str
    summary: str
    size: tuple[int, int]
    slots: tuple[Slot, ...]
    captions: Box | None = None
    jitter: int = 8
    mirrors: bool = False

    @property
    def people(self) -> int:
        """How many panels it has."""
        return len(self.slots)

    def canvas(self, long_edge: int) -> tuple[int, int]:
        """Width and height of the canvas in pixels, both even.

        Args:
            long_edge: Pixels of the longer side, `MIN_LONG_EDGE` to `MAX_LONG_EDGE`; odd ones lose a pixel.

        Raises:
            CmdfdError: If it is not a whole number in the range.
        """
        if isinstance(long_edge, bool) or not isinstance(long_edge, int):
            raise CmdfdError(f"long_edge: must be a whole number of pixels, got {long_edge!r}")
        if not MIN_LONG_EDGE <= long_edge <= MAX_LONG_EDGE:
            raise CmdfdError(f"long_edge: must be {MIN_LONG_EDGE} to {MAX_LONG_EDGE} pixels, got {long_edge}")
        width, height = (2 * round(side * long_edge / REFERENCE / 2 - 1e-9) for side in self.size)
        return width, height


_INTERVIEW = Layout(
    "interview",
    "two people side by side in a studio, with name plates",
    (1920, 1080),
    (
        Slot(Box(146, 108, 764, 764), border=5),
        Slot(Box(1010, 108, 764, 764), border=5),
    ),
    captions=Box(260, 932, 1400, 112),
    jitter=8,
)
_NEWS = Layout(
    "news",
    "an anchor, a second person in an inset, headline bar and ticker",
    (1920, 1080),
    (
        Slot(Box(0, 0, 1000, 848)),
        Slot(Box(1166, 120, 590, 590), fit="contain", border=6),
    ),
    mirrors=True,
)
_GRID = Layout(
    "grid",
    "a video conference of four with name tags and a chat",
    (1920, 1080),
    tuple(Slot(Box(x, y, 556, 448), radius=14) for y in (64, 528) for x in (36, 608)),
    jitter=0,
    mirrors=True,
)
_PORTRAIT = Layout(
    "portrait",
    "an upright clip: two people one above the other, with large captions",
    (1080, 1920),
    (Slot(Box(0, 150, 1080, 864)), Slot(Box(0, 1022, 1080, 864))),
    captions=Box(70, 936, 940, 164),
    jitter=0,
)
_ADDRESS = Layout(
    "address",
    "one person alone, with a lower third",
    (1920, 1080),
    (Slot(Box(880, 0, 1040, 1080)),),
    captions=Box(260, 950, 1400, 84),
    jitter=0,
    mirrors=True,
)


@cache
def _table() -> dict[str, Layout]:
    return {layout.name: layout for layout in (_INTERVIEW, _NEWS, _GRID, _PORTRAIT, _ADDRESS)}


def layouts() -> dict[str, Layout]:
    """All layouts by name."""
    return dict(_table())


def layout_of(name: str) -> Layout:
    """The layout of a name.

    Raises:
        CmdfdError: If there is none; the text names the nearest.
    """
    table = _table()
    if name not in table:
        raise CmdfdError(f"layout {name!r} is unknown; {nearest(str(name), table)}")
    return table[name]
