"""What all pictures share: quiet axes in the palette's colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from cmdfd.report.text import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from cmdfd.report.palette import Palette

FONT_SIZE = 12.0
SMALL = 11.0
#: Dashes and marks of the series, so that no two lines differ in colour alone.
DASHES: tuple[Any, ...] = ("solid", (0, (5, 2)), (0, (6, 2, 1.5, 2)), (0, (1.5, 1.5)), (0, (8, 2, 2, 2, 2, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P")


def dress(
    axes: Axes,
    palette: Palette,
    *,
    grid: Literal["x", "y", "both", ""] = "both",
    spines: Sequence[str] = ("left", "bottom"),
) -> None:
    """Give axes the house's look.

    Args:
        axes: The axes.
        palette: Colours.
        grid: "x", "y", "both" or "".
        spines: Which edges are drawn.
    """
    axes.set_facecolor("none")
    for name, spine in axes.spines.items():
        spine.set_visible(name in spines)
        spine.set_color(palette.line)
        spine.set_linewidth(1)
    axes.tick_params(
        colors=palette.muted, labelcolor=palette.muted, labelsize=SMALL, length=3, width=1, color=palette.line
    )
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(palette.ink)
        label.set_fontsize(FONT_SIZE)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(visible=True, axis=grid, color=palette.line, linewidth=0.7)


def unit_ticks(axis: Any, ticks: Sequence[float]) -> None:
    """Ticks of a rate, written like every other number of the page."""
    axis.set_ticks(list(ticks), [number(tick, digits=2) for tick in ticks])
