"""Values with their intervals, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cmdfd.report.plots.axes import MARKERS, SMALL, dress, unit_ticks
from cmdfd.report.plots.svg import STAND_INS, drawing, new_figure, to_svg
from cmdfd.report.text import clean, number, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW = 26.0
_STEP = 16.0
_LABELS = 190.0
_COUNTS = 80.0
_LEGEND_COLUMNS = 4


@dataclass(frozen=True, slots=True)
class BarRow:
    """One value with its interval.

    Args:
        label: Row; rows with the same label share a line.
        value: The value, in the range of the axis; None draws "–".
        low: Lower end.
        high: Upper end.
        n: Number of cases behind it.
        series: Whose value it is; "" where there is one series only.
        floor: Drawn hollow and grey.
        sub: A finer grade of the row above: indented.
        doubtful: Marked with a dagger.
        group: Keeps equal labels of different parents apart.
    """

    label: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    series: str = ""
    floor: bool = False
    sub: bool = False
    doubtful: bool = False
    group: str = ""

    @property
    def line(self) -> tuple[str, str, bool]:
        """What rows of one line have in common."""
        return (self.group, self.label, self.sub)


def interval_bars(
    rows: Sequence[BarRow],
    *,
    axis_label: str = "AUC",
    chance: float | None = 0.5,
    limits: tuple[float, float] = (0.0, 1.0),
    width: int = 900,
) -> str:
    """Draw values as points with interval bars, one line for each label, one shape for each series; returns SVG.

    Args:
        rows: In order from top to bottom.
        axis_label: What the values are.
        chance: Where the line of chance stands, or None.
        limits: Of the axis.
        width: Natural width in pixels.

    Raises:
        ValueError: Where there are no rows.
    """
    if not rows:
        raise ValueError("interval_bars needs at least one row")
    lines = [[row for row in rows if row.line == key] for key in dict.fromkeys(row.line for row in rows)]
    names = list(dict.fromkeys(row.series for row in rows))
    heights = [max(_ROW, _STEP * len(line) + 6) for line in lines]
    legend = 20.0 * -(-len(names) // _LEGEND_COLUMNS) + 4 if any(names) else 0.0
    body = sum(heights)
    height = body + legend + 52
    with drawing():
        figure = new_figure(width, height)
        axes = figure.add_axes(
            (_LABELS / width, 42 / height, (width - _LABELS - _COUNTS) / width, body / height), ylim=(body, 0)
        )
        _scale(axes, limits, chance, axis_label)
        for at, line in enumerate(lines):
            _line(axes, line, sum(heights[:at]), heights[at], names)
        if any(names):
            _legend(figure, rows, names)
        return to_svg(figure)


def _scale(axes: Axes, limits: tuple[float, float], chance: float | None, label: str) -> None:
    dress(axes, STAND_INS, grid="x", spines=("bottom",))
    axes.set_xlim(*limits)
    axes.set_yticks([])
    unit_ticks(axes.xaxis, [limits[0] + (limits[1] - limits[0]) * step / 4 for step in range(5)])
    if chance is not None:
        axes.axvline(chance, color=STAND_INS.muted, linewidth=1, linestyle=(0, (2, 3)))
        label += " (dotted: chance)"
    axes.set_xlabel(label)


def _style(row: BarRow, names: Sequence[str]) -> dict[str, str]:
    index = list(names).index(row.series)
    colour = STAND_INS.floor if row.floor else STAND_INS.series(index)
    return {"color": colour, "marker": MARKERS[index % len(MARKERS)], "face": STAND_INS.paper if row.floor else colour}


def _line(axes: Axes, rows: Sequence[BarRow], top: float, tall: float, names: Sequence[str]) -> None:
    ink = STAND_INS
    axes.axhline(top, color=ink.line, linewidth=0.6)
    first = rows[0]
    indent = 14 if first.sub else 0
    axes.annotate(
        shorten(first.label, 26), (0, top + tall / 2), xycoords=("axes fraction", "data"),
        xytext=(-_LABELS + 6 + indent, 0), textcoords="offset points", ha="left", va="center",
        fontsize=SMALL if first.sub else SMALL + 0.5, color=ink.muted if first.sub else ink.ink,
    )  # fmt: skip
    dagger = "†" if any(row.doubtful for row in rows) else ""
    axes.annotate(
        f"n = {first.n}{dagger}", (1, top + tall / 2), xycoords=("axes fraction", "data"), xytext=(_COUNTS - 6, 0),
        textcoords="offset points", ha="right", va="center", fontsize=SMALL, color=ink.muted,
    )  # fmt: skip
    start = top + tall / 2 - _STEP * (len(rows) - 1) / 2
    for index, row in enumerate(rows):
        _point(axes, row, start + _STEP * index, names)


def _point(axes: Axes, row: BarRow, where: float, names: Sequence[str]) -> None:
    style = _style(row, names)
    if row.value is None:
        axes.annotate(
            "– no value", (0, where), xycoords=("axes fraction", "data"), xytext=(6, 0), textcoords="offset points",
            va="center", fontsize=SMALL, color=STAND_INS.muted,
        )  # fmt: skip
        return
    if row.low is not None and row.high is not None:
        axes.plot(
            [row.low, row.high], [where, where], color=style["color"], linewidth=4 if not row.floor else 2,
            alpha=0.38 if not row.floor else 0.7, solid_capstyle="butt",
        )  # fmt: skip
    axes.plot(
        [row.value], [where], linestyle="none", marker=style["marker"], markersize=6.5, color=style["color"],
        markerfacecolor=style["face"], markeredgewidth=1.4, clip_on=False, zorder=5,
    )  # fmt: skip
    if not row.floor:
        after = row.high if row.high is not None else row.value
        before = row.low if row.low is not None else row.value
        right = after < axes.get_xlim()[1] - 0.12 * (axes.get_xlim()[1] - axes.get_xlim()[0])
        axes.annotate(
            number(row.value), (after if right else before, where), xytext=(7 if right else -7, 0),
            textcoords="offset points", ha="left" if right else "right", va="center", fontsize=SMALL,
            color=STAND_INS.ink,
        )  # fmt: skip


def _legend(figure: Figure, rows: Sequence[BarRow], names: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    handles = []
    for name in names:
        row = next(item for item in rows if item.series == name)
        style = _style(row, names)
        handles.append(
            Line2D(
                [],
                [],
                linestyle="none",
                marker=style["marker"],
                color=style["color"],
                markersize=6.5,
                markerfacecolor=style["face"],
                markeredgewidth=1.4,
                label=shorten(clean(name), 28),
            )
        )
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0, 1), frameon=False, fontsize=SMALL,
        ncols=min(len(handles), _LEGEND_COLUMNS),
        labelcolor=STAND_INS.ink, handletextpad=0.2, columnspacing=1.6, borderaxespad=0.2,
    )  # fmt: skip
