"""A matrix of grades: words in the cells, and one hue that gets stronger, so that colour is never needed."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cmdfd.report.plots.axes import SMALL
from cmdfd.report.plots.svg import STAND_INS, drawing, new_figure, to_svg
from cmdfd.report.text import shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

_LABELS, _ROW, _GAP = 232.0, 36.0, 2.0
_NARROW, _WIDE = 86.0, 150.0
#: Natural width that is filled where there are few columns.
_FULL = 900.0
#: Opacity of the hue for each step. Between .55 and 1 neither dark nor light letters would be read well.
OPACITIES = (0.0, 0.12, 0.3, 0.55, 1.0)
#: Step from which on letters are in the colour of the paper.
INVERTED = 4


@dataclass(frozen=True, slots=True)
class HeatCell:
    """One cell.

    Args:
        step: 0 (nothing) to 4 (worst), None where there is no value.
        word: The grade in a word.
        detail: The number behind it.
    """

    step: int | None
    word: str
    detail: str = ""

    def __post_init__(self) -> None:
        if self.step is not None and not 0 <= self.step < len(OPACITIES):
            raise ValueError(f"step must be 0 to {len(OPACITIES) - 1} or None, got {self.step}")


def heatmap(rows: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[HeatCell]]) -> str:
    """Draw a matrix of grades; returns SVG.

    Args:
        rows: Names of the rows.
        columns: Names of the columns.
        cells: One sequence for each row.

    Raises:
        ValueError: Where there is nothing to draw or the shape does not fit.
    """
    if not rows or not columns or [len(row) for row in cells] != [len(columns)] * len(rows):
        raise ValueError(f"{len(rows)} rows and {len(columns)} columns, but cells {[len(row) for row in cells][:5]}")
    wide = min(max((_FULL - _LABELS) / len(columns), _NARROW), _WIDE)
    heads = [_wrapped(name, wide) for name in columns]
    above = 10 + 14.0 * max(len(lines) for lines in heads)
    width, height = _LABELS + wide * len(columns), above + _ROW * len(rows) + 2
    with drawing():
        figure = new_figure(width, height)
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
        axes.set_axis_off()
        for index, lines in enumerate(heads):
            axes.text(
                _LABELS + wide * (index + 0.5), above - 5, "\n".join(lines), ha="center", va="bottom",
                fontsize=SMALL, color=STAND_INS.ink, linespacing=1.2,
            )  # fmt: skip
        for index, (name, row) in enumerate(zip(rows, cells, strict=True)):
            _row(axes, shorten(name, 36), row, above + _ROW * index, wide)
        return to_svg(figure)


def _wrapped(name: str, wide: float) -> list[str]:
    """At most three lines of what fits into a column."""
    fits = int(wide / 6.4)
    lines = textwrap.wrap(shorten(name, 3 * fits - 4), fits, break_long_words=True) or [""]
    return lines if len(lines) <= 3 else [*lines[:2], shorten("".join(lines[2:]), fits)]


def _row(axes: Axes, name: str, cells: Sequence[HeatCell], top: float, wide: float) -> None:
    from matplotlib.patches import Rectangle

    ink = STAND_INS
    middle = top + _ROW / 2
    axes.text(2, middle, name, ha="left", va="center", fontsize=SMALL, color=ink.ink)
    for index, cell in enumerate(cells):
        left = _LABELS + wide * index
        axes.add_patch(
            Rectangle(
                (left + _GAP / 2, top + _GAP / 2), wide - _GAP, _ROW - _GAP, linewidth=0 if cell.step else 0.8,
                facecolor=ink.fake if cell.step else "none", edgecolor=ink.line,
                alpha=OPACITIES[cell.step] if cell.step else None,
            )
        )  # fmt: skip
        letters = ink.paper if cell.step == INVERTED else ink.ink if cell.step else ink.muted
        weight = "bold" if cell.step else "normal"
        place: dict[str, Any] = {"ha": "center", "va": "center", "color": letters}
        at = left + wide / 2
        if cell.detail:
            axes.text(at, middle - 7, shorten(cell.word, 14), fontsize=SMALL, fontweight=weight, **place)
            axes.text(at, middle + 7.5, shorten(cell.detail, 16), fontsize=SMALL - 0.5, **place)
        else:
            axes.text(at, middle, shorten(cell.word, 16), fontsize=SMALL, fontweight=weight, **place)
