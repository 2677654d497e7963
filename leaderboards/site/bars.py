"""Intervals as small pictures: strings of SVG made of numbers alone, so that nothing in them needs escaping."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cmdfd.report.text import number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from leaderboards.standings import Number

CHANCE = 0.5


@dataclass(frozen=True, slots=True)
class Axis:
    """A stretch of the AUC axis that all bars of a page have in common.

    Args:
        low: Left end, a multiple of 0.1, at most 0.4.
        high: Right end.
    """

    low: float
    high: float = 1.0

    def place(self, value: float) -> float:
        """Where a value stands, in hundredths of the width, kept inside."""
        return 100 * min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)

    @property
    def ticks(self) -> tuple[str, ...]:
        """Labels at equal distances from end to end."""
        steps = round((self.high - self.low) * 10)
        step = {8: 2, 9: 3, 10: 2}.get(steps, 1)
        return tuple(number(self.low + index * step / 10, digits=1) for index in range(steps // step + 1))

    @property
    def words(self) -> str:
        """From where to where, for a caption."""
        return f"{number(self.low, digits=1)} to {number(self.high, digits=1)}"


def axis_of(numbers: Iterable[Number]) -> Axis:
    """The shortest axis that holds all of them and leaves room below chance."""
    lowest = min([0.4, *(end for one in numbers for end in (one.value, one.low) if end is not None)])
    return Axis(max(math.floor(lowest * 10 + 1e-9) / 10, 0.0))


def cell_bar(one: Number, axis: Axis) -> Any:
    """A small interval under a number of a table, with chance as a tick.

    Args:
        one: A share, 0 to 1.
        axis: Of the whole table.
    """
    from markupsafe import Markup

    if one.value is None:
        return ""
    # numbers alone
    return Markup(  # noqa: S704
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        f'<path class="axis" d="M0 4H100M{axis.place(CHANCE):.1f} 0V8"/>{_reach(one, axis, 4)}'
        f'<path class="at" d="M{axis.place(one.value):.1f} 0V8"/></svg>'
    )


def plot_row(one: Number, axis: Axis, best: float | None = None) -> Any:
    """One row of an interval plot: it fills its table cell, so that the grid lines of all rows join.

    Args:
        one: A share, 0 to 1.
        axis: Of the whole plot.
        best: What the best ranked system of the board reaches here; a hollow mark.
    """
    from markupsafe import Markup

    steps = len(axis.ticks) - 1
    grid = "".join(f"M{100 * index / steps:.2f} 0V40" for index in range(steps + 1))
    marks = _reach(one, axis, 20)
    if best is not None:
        marks = f'<path class="best" d="M{axis.place(best):.2f} 12V28"/>' + marks
    if one.value is not None:
        # a line of no length with round ends is a circle however the picture is stretched
        marks += f'<path class="point" d="M{axis.place(one.value):.2f} 20h0"/>'
    return Markup(  # noqa: S704
        '<svg class="plot" viewBox="0 0 100 40" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        f'<path class="lines" d="{grid}"/><path class="chance" d="M{axis.place(CHANCE):.2f} 0V40"/>{marks}</svg>'
    )


def _reach(one: Number, axis: Axis, middle: int) -> str:
    if one.low is None or one.high is None:
        return ""
    return f'<path class="reach" d="M{axis.place(one.low):.2f} {middle}H{axis.place(one.high):.2f}"/>'
