"""Scores of real and fake clips side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmdfd.report.plots.axes import FONT_SIZE, SMALL, dress
from cmdfd.report.plots.svg import STAND_INS, drawing, new_figure, to_svg
from cmdfd.report.text import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

#: Bars over the common range of both classes.
_BINS = 24


def histogram_plot(
    real: Sequence[float] | NDArray[np.float64],
    fake: Sequence[float] | NDArray[np.float64],
    *,
    threshold: float | None = None,
    width: int = 400,
    height: int = 300,
) -> str:
    """Draw how scores are spread in each class, as shares of the class (the base rate plays no part); returns SVG.

    Args:
        real: Scores of real clips; what is not finite is left out.
        fake: Scores of fake clips.
        threshold: Decision threshold, drawn as a line.
        width: Natural width in pixels.
        height: Natural height in pixels.

    Raises:
        ValueError: Where there is no finite score at all.
    """
    classes = [np.asarray(values, np.float64) for values in (real, fake)]
    classes = [values[np.isfinite(values)] for values in classes]
    edges = _edges(np.concatenate(classes))
    ink = STAND_INS
    with drawing():
        figure = new_figure(width, height)
        axes = figure.add_axes((58 / width, 50 / height, 1 - 72 / width, 1 - 92 / height))
        dress(axes, ink, grid="y")
        _bars(axes, classes[0], edges, "real", ink.real, "")
        _bars(axes, classes[1], edges, "fake", ink.fake, "///")
        if threshold is not None and np.isfinite(threshold):
            _threshold(axes, threshold, edges, ink.ink)
        _scales(axes, edges)
        figure.legend(
            loc="upper left", bbox_to_anchor=(54 / width, 1), frameon=False, fontsize=SMALL,
            labelcolor=ink.ink, ncols=2, handlelength=1.8, borderaxespad=0.1, columnspacing=1.4,
        )  # fmt: skip
        return to_svg(figure)


def _bars(
    axes: Axes, values: NDArray[np.float64], edges: NDArray[np.float64], name: str, colour: str, hatch: str
) -> None:
    shares = 100 * np.histogram(values, edges)[0] / max(len(values), 1)
    axes.stairs(shares, edges, fill=True, color=colour, alpha=0.22, linewidth=0)
    axes.stairs(
        shares, edges, color=colour, linewidth=1.8, label=f"{name} ({len(values)})", hatch=hatch,
        linestyle=(0, (5, 1.5)) if hatch else "solid",
    )  # fmt: skip


def _scales(axes: Axes, edges: NDArray[np.float64]) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0f} %")
    axes.set_xlabel("score (higher = more fake)", fontsize=FONT_SIZE)
    axes.set_ylabel("share of the class", fontsize=FONT_SIZE)
    axes.set_xlim(edges[0], edges[-1])


def _edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    if values.size == 0:
        raise ValueError("a histogram needs at least one finite score")
    low, high = float(values.min()), float(values.max())
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-300):
        pad = max(abs(low) * 0.05, 0.5)
        low, high = low - pad, high + pad
    return np.linspace(low, high, _BINS + 1)


def _threshold(axes: Axes, threshold: float, edges: NDArray[np.float64], colour: str) -> None:
    inside = bool(edges[0] <= threshold <= edges[-1])
    where = float(np.clip(threshold, edges[0], edges[-1]))
    share = (where - edges[0]) / (edges[-1] - edges[0])
    axes.axvline(where, color=colour, linewidth=1.4, linestyle=(0, (4, 2)))
    beyond = "" if inside else (" ←" if threshold < edges[0] else " →")
    axes.annotate(
        f"threshold {number(threshold) if abs(threshold) < 100 else f'{threshold:.4g}'}{beyond}",
        (where, 1), xycoords=("data", "axes fraction"), xytext=(-4 if share > 0.6 else 4, 4),
        textcoords="offset points", ha="right" if share > 0.6 else "left", va="bottom", fontsize=SMALL, color=colour,
    )  # fmt: skip
