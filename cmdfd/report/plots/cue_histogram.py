"""A measurement in real and in fake clips: two histograms over one axis, with the threshold that tells them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.report.plots.axes import FONT_SIZE, SMALL, dress
from cmdfd.report.plots.scale import Scale, choose_scale
from cmdfd.report.plots.svg import STAND_INS, drawing, new_figure, to_svg
from cmdfd.report.text import MINUS, percent, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_LEFT, _RIGHT, _ABOVE, _BELOW, _GAP = 54.0, 16.0, 24.0, 46.0, 26.0


def cue_histogram(
    real: NDArray[np.float64],
    fake: NDArray[np.float64],
    *,
    label: str,
    thresholds: Sequence[tuple[float, str]] = (),
    called: Sequence[tuple[float, float]] = (),
    told: tuple[float, float] | None = None,
    scale: Scale | None = None,
    width: int = 520,
    height: int = 320,
) -> str:
    """Draw the values of reals above those of fakes, as shares of each class; returns SVG.

    Args:
        real: Values of reals; what is not finite is left out.
        fake: Values of fakes.
        label: What is measured, with its unit.
        thresholds: Values with their words, drawn as lines through both histograms.
        called: Stretches of values that the rule calls fake, shaded; ends may be infinite.
        told: Share of the reals and of the fakes that the rule calls fake; None without a rule.
        scale: The axis; chosen by `choose_scale` without one.
        width: Natural width in pixels.
        height: Natural height in pixels.

    Raises:
        ValueError: Where there is no finite value at all.
    """
    classes = [np.asarray(values, np.float64) for values in (real, fake)]
    classes = [values[np.isfinite(values)] for values in classes]
    axis = scale or choose_scale(classes[0], classes[1], [value for value, _ in thresholds])
    shares = [100 * axis.shares(values) for values in classes]
    top = 1.12 * max(float(np.max(one)) for one in shares) or 1.0
    with drawing():
        figure = new_figure(width, height)
        panels = _panels(figure, width, height)
        looks = (("reals", STAND_INS.real, ""), ("fakes", STAND_INS.fake, "///"))
        caught = told or (None, None)
        for panel, values, bars, (name, colour, hatch), share in zip(
            panels, classes, shares, looks, caught, strict=True
        ):
            dress(panel, STAND_INS, grid="y")
            _shade(panel, axis, called)
            _bars(panel, axis, bars, colour, hatch)
            _lines(panel, axis, thresholds)
            _say(panel, axis, values, name, share)
            panel.set_ylim(0, top)
        _words(panels[0], axis, thresholds)
        _ticks(panels, axis, label)
        return to_svg(figure)


def _panels(figure: Figure, width: float, height: float) -> list[Axes]:
    tall = (height - _ABOVE - _BELOW - _GAP) / 2
    wide = (width - _LEFT - _RIGHT) / width
    return [
        figure.add_axes((_LEFT / width, bottom / height, wide, tall / height))
        for bottom in (_BELOW + tall + _GAP, _BELOW)
    ]


def _bars(panel: Axes, axis: Scale, shares: NDArray[np.float64], colour: str, hatch: str) -> None:
    panel.stairs(shares, axis.edges, fill=True, color=colour, alpha=0.3, linewidth=0)
    panel.stairs(shares, axis.edges, color=colour, linewidth=1.6, hatch=hatch)


def _shade(panel: Axes, axis: Scale, called: Sequence[tuple[float, float]]) -> None:
    for low, high in called:
        ends = np.clip(axis.place(np.array([low, high])), axis.edges[0], axis.edges[-1])
        if ends[1] > ends[0]:
            panel.axvspan(float(ends[0]), float(ends[1]), color=STAND_INS.fake, alpha=0.09, linewidth=0, zorder=0)


def _lines(panel: Axes, axis: Scale, thresholds: Sequence[tuple[float, str]]) -> None:
    for value, _ in thresholds:
        panel.axvline(float(axis.place(value)), color=STAND_INS.ink, linewidth=1.4, linestyle=(0, (4, 2)))


def _words(panel: Axes, axis: Scale, thresholds: Sequence[tuple[float, str]]) -> None:
    """Words of the thresholds above the upper histogram, on the side where there is room."""
    for value, words in thresholds:
        where = float(axis.place(value))
        share = (where - axis.edges[0]) / (axis.edges[-1] - axis.edges[0])
        leftwards = share > 0.55
        panel.annotate(
            shorten(words, 40), (where, 1), xycoords=("data", "axes fraction"), xytext=(-4 if leftwards else 4, 5),
            textcoords="offset points", ha="right" if leftwards else "left", va="bottom", fontsize=SMALL,
            color=STAND_INS.ink,
        )  # fmt: skip


def _say(panel: Axes, axis: Scale, values: NDArray[np.float64], name: str, caught: float | None) -> None:
    """Whose bars these are, how many are called fake, and how many lie beyond the ends."""
    ink = STAND_INS
    words = f"{name} ({len(values)})" + ("" if caught is None else f": {percent(caught)} called fake")
    place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "fontsize": SMALL}
    plate = {"facecolor": ink.paper, "alpha": 0.75, "linewidth": 0, "pad": 1.5}
    left = _emptier_left(axis.shares(values))
    panel.annotate(
        words, (0 if left else 1, 1), xytext=(6 if left else -6, -4), ha="left" if left else "right", va="top",
        color=ink.real if name == "reals" else ink.fake, fontweight="bold", bbox=plate, zorder=6, **place,
    )  # fmt: skip
    for count, at, mark in zip(axis.beyond(values), (0, 1), ("← {}", "{} →"), strict=True):
        if count:
            panel.annotate(
                mark.format(f"{count} beyond"), (at, 0), xytext=(5 if at == 0 else -5, 4),
                ha="left" if at == 0 else "right", va="bottom", color=ink.muted, bbox=plate, zorder=6, **place,
            )  # fmt: skip


def _emptier_left(shares: NDArray[np.float64]) -> bool:
    half = len(shares) // 2
    return float(shares[:half].max(initial=0)) <= float(shares[half:].max(initial=0))


def _ticks(panels: Sequence[Axes], axis: Scale, label: str) -> None:
    from matplotlib.ticker import FixedLocator, MaxNLocator

    for panel in panels:
        panel.set_xlim(float(axis.edges[0]), float(axis.edges[-1]))
        panel.yaxis.set_major_locator(MaxNLocator(3, integer=True, min_n_ticks=2, steps=[1, 2, 5, 10]))
        panel.yaxis.set_major_formatter(lambda share, _: f"{share:.0f} %")
        if axis.kind == "log":
            panel.xaxis.set_major_locator(FixedLocator(_decades(axis)))
            panel.xaxis.set_major_formatter(lambda place, _: _amount(axis, place))
        else:
            panel.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
            panel.xaxis.set_major_formatter(lambda value, _: _value(value))
    panels[0].tick_params(labelbottom=False)
    ends = {"plain": "", "clipped": ", a few lie beyond", "log": ", powers of ten"}[axis.kind]
    panels[1].set_xlabel(f"{shorten(label, 60)}{ends}", fontsize=FONT_SIZE)


def _value(value: float) -> str:
    """A tick without an offset that would have to be added to it."""
    text = f"{abs(value):.7g}"
    return text if value >= 0 or text == "0" else f"{MINUS}{text}"


def _decades(axis: Scale) -> list[float]:
    """Powers of ten, every second or third one where there are many, and the place of nought."""
    low, high = axis.edges[0], axis.edges[-1]
    whole = [float(power) for power in range(int(np.ceil(low + 0.25)), int(np.floor(high)) + 1)]
    if len(whole) < 2:
        whole = [
            float(np.log10(k * 10.0**p)) for p in range(int(np.floor(low)), int(np.ceil(high)) + 1) for k in (1, 2, 5)
        ]
        whole = [place for place in whole if low + 0.2 < place <= high]
    step = max(len(whole) // 6 + (len(whole) % 6 > 0), 1)
    return [float(np.log10(axis.bottom)), *whole[::step]] if axis.bottom > 0 else whole[::step]


def _amount(axis: Scale, place: float) -> str:
    if abs(place - np.log10(axis.bottom)) < 1e-9:
        return "0"
    value = 10.0**place
    return f"{value:.10g}" if 1e-4 <= value < 1e6 else f"{value:.0e}"
