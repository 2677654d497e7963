"""Categories in real and in fake clips: a pair of bars for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cmdfd.report.plots.axes import SMALL, dress
from cmdfd.report.plots.svg import STAND_INS, drawing, new_figure, to_svg
from cmdfd.report.text import percent, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

_ROW, _BAR = 36.0, 12.0
_LABELS, _VALUES, _ABOVE, _BELOW = 180.0, 46.0, 26.0, 26.0


@dataclass(frozen=True, slots=True)
class LevelRow:
    """One category.

    Args:
        label: Its name.
        real: Share of the reals that have it, 0 to 1; None where there is no real.
        fake: Share of the fakes.
        marked: Whether it is the one that the rule names.
        quiet: Whether it is a remainder and no category of its own.
    """

    label: str
    real: float | None
    fake: float | None
    marked: bool = False
    quiet: bool = False


def level_bars(rows: Sequence[LevelRow], *, n_real: int, n_fake: int, width: int = 520) -> str:
    """Draw the share of each class that has each category; returns SVG.

    Args:
        rows: In order from top to bottom.
        n_real: Reals.
        n_fake: Fakes.
        width: Natural width in pixels.

    Raises:
        ValueError: Where there are no rows.
    """
    if not rows:
        raise ValueError("level_bars needs at least one category")
    body = _ROW * len(rows)
    height = body + _ABOVE + _BELOW
    with drawing():
        figure = new_figure(width, height)
        axes = figure.add_axes(
            (_LABELS / width, _BELOW / height, (width - _LABELS - _VALUES) / width, body / height), ylim=(body, 0)
        )
        dress(axes, STAND_INS, grid="x", spines=())
        axes.set_xlim(0, 1)
        axes.set_yticks([])
        axes.xaxis.set_ticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
        for index, row in enumerate(rows):
            _row(axes, row, _ROW * index)
        _legend(axes, n_real, n_fake)
        return to_svg(figure)


def _row(axes: Axes, row: LevelRow, top: float) -> None:
    ink = STAND_INS
    axes.axhline(top, color=ink.line, linewidth=0.6)
    axes.annotate(
        shorten(row.label, 24), (0, top + _ROW / 2), xycoords=("axes fraction", "data"), xytext=(-8, 0),
        textcoords="offset points", ha="right", va="center", fontsize=SMALL + 0.5,
        color=ink.muted if row.quiet else ink.ink, fontweight="bold" if row.marked else "normal",
    )  # fmt: skip
    pairs = ((row.real, ink.real, "", -1), (row.fake, ink.fake, "///", 1))
    for share, colour, hatch, side in pairs:
        where = top + _ROW / 2 + side * (_BAR / 2 + 0.5)
        if share:
            axes.barh(where, share, height=_BAR, color=colour, alpha=0.3, linewidth=0)
            axes.barh(where, share, height=_BAR, facecolor="none", edgecolor=colour, linewidth=1.3, hatch=hatch)
        axes.annotate(
            percent(share), (share or 0, where), xytext=(4, 0), textcoords="offset points", ha="left", va="center",
            fontsize=SMALL - 0.5, color=ink.ink if share else ink.muted, annotation_clip=False,
        )  # fmt: skip


def _legend(axes: Axes, n_real: int, n_fake: int) -> None:
    from matplotlib.patches import Patch

    ink = STAND_INS
    looks = ((f"reals ({n_real})", ink.real, ""), (f"fakes ({n_fake})", ink.fake, "///"))
    handles = []
    for label, colour, hatch in looks:
        handles.append(Patch(edgecolor=colour, facecolor="none", hatch=hatch, label=label, linewidth=1.3))
    figure = axes.get_figure(root=True)
    if figure is not None:
        figure.legend(
            handles=handles, loc="upper left", bbox_to_anchor=(axes.get_position().x0, 1), frameon=False,
            fontsize=SMALL, ncols=2, labelcolor=ink.ink, handlelength=1.8, borderaxespad=0.1, columnspacing=1.4,
        )  # fmt: skip
