"""ROC curves with the band of their bootstrap interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cmdfd.report.plots.axes import DASHES, FONT_SIZE, SMALL, dress, unit_ticks
from cmdfd.report.plots.svg import STAND_INS, drawing, new_figure, to_svg
from cmdfd.report.text import shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

#: Pixels that the square leaves to its labels.
_SIDES = 68


@dataclass(frozen=True, slots=True, eq=False)
class RocSeries:
    """One ROC curve.

    Args:
        label: For the legend, e.g. "mds:mini .973 [.951, .990]".
        fpr: [K] false positive rate, rising from 0 to 1.
        tpr: [K] true positive rate.
        low: [K] lower edge of the band over `fpr`, or None for no band.
        high: [K] upper edge.
        floor: Drawn thin and grey, as floors are.
    """

    label: str
    fpr: NDArray[np.float64]
    tpr: NDArray[np.float64]
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None
    floor: bool = False


def roc_plot(series: Sequence[RocSeries], *, width: int = 400) -> str:
    """Draw ROC curves in one square.

    Args:
        series: Curves; floors go behind the others.
        width: Natural width in pixels; the legend stands below the square.

    Returns:
        SVG.
    """
    height = width - _SIDES + 12 + 50 + 18 * len(series)
    ink = STAND_INS
    with drawing():
        figure = new_figure(width, height)
        side = width - _SIDES
        axes = figure.add_axes((54 / width, (height - 12 - side) / height, side / width, side / height))
        dress(axes, ink)
        axes.plot([0, 1], [0, 1], color=ink.muted, linewidth=1, linestyle=(0, (2, 3)))
        floors = [curve for curve in series if curve.floor]
        strong = [curve for curve in series if not curve.floor]
        for curve in series:
            _draw(axes, curve, (floors if curve.floor else strong).index(curve))
        axes.set_xlim(-0.01, 1.01)
        axes.set_ylim(-0.01, 1.01)
        unit_ticks(axes.xaxis, (0, 0.25, 0.5, 0.75, 1))
        unit_ticks(axes.yaxis, (0, 0.25, 0.5, 0.75, 1))
        axes.set_xlabel("real clips called fake", fontsize=FONT_SIZE)
        axes.set_ylabel("fake clips found", fontsize=FONT_SIZE)
        figure.legend(
            loc="lower left", bbox_to_anchor=(40 / width, 0), frameon=False, fontsize=SMALL, labelcolor=ink.ink,
            handlelength=2.6, borderaxespad=0, labelspacing=0.45,
        )  # fmt: skip
        return to_svg(figure)


def _draw(axes: Axes, curve: RocSeries, index: int) -> None:
    """One curve; `index` counts the curves of its sort, so that each has its own dashes."""
    colour = STAND_INS.floor if curve.floor else STAND_INS.series(index)
    if curve.low is not None and curve.high is not None:
        axes.fill_between(curve.fpr, curve.low, curve.high, color=colour, alpha=0.16, linewidth=0, zorder=3)
    axes.plot(
        curve.fpr, curve.tpr, label=shorten(curve.label, 48), color=colour, linewidth=1.2 if curve.floor else 2.2,
        linestyle=DASHES[1 + index % 4] if curve.floor else DASHES[index % 5], zorder=2 if curve.floor else 4,
    )  # fmt: skip
