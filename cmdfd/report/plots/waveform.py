"""The first or last moments of a few clips' sound, on a scale on which silence can be told from quiet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.report.plots.axes import FONT_SIZE, SMALL, dress
from cmdfd.report.plots.svg import STAND_INS, drawing, new_figure, to_svg
from cmdfd.report.text import shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

#: Lower end of the scale, dB of full scale: below the step of 16 bits (-90 dB), so that only noughts reach it.
BOTTOM_DB = -100.0
_ROW, _GAP, _ABOVE, _BELOW, _LEFT, _RIGHT, _MIDDLE = 74.0, 22.0, 30.0, 44.0, 62.0, 12.0, 30.0
#: Points of a curve; each shows the loudest sample of its stretch.
_POINTS = 200


@dataclass(frozen=True, slots=True, eq=False)
class SoundStrip:
    """The sound of one clip near its start or end.

    Args:
        name: Name of the clip.
        fake: Whether it is a fake.
        samples: [N] mono in [-1, 1], in the order of time; the last sample is the last of the clip for `from_end`.
        sample_rate: Samples per second.
        silence: Seconds of silence that were measured, from the end for `from_end`; None where nothing was.
        threshold: Amplitude up to which the rule calls a sample silent; None without such a line.
    """

    name: str
    fake: bool
    samples: NDArray[np.float32]
    sample_rate: int
    silence: float | None = None
    threshold: float | None = None


def waveform_plot(strips: Sequence[SoundStrip], seconds: float, *, from_end: bool = False, width: int = 980) -> str:
    """Draw the level of the first (or last) moments of reals (left) and fakes (right); returns SVG.

    Args:
        strips: The clips, in order from top to bottom in each column.
        seconds: How much of each is shown.
        from_end: Show the last moments instead of the first.
        width: Natural width in pixels.

    Raises:
        ValueError: Where there is no clip or no time to show.
    """
    if not strips or not seconds > 0:
        raise ValueError(f"waveform_plot needs clips and a positive time, got {len(strips)} clips and {seconds} s")
    columns = [[strip for strip in strips if strip.fake == fake] for fake in (False, True)]
    n = max(len(column) for column in columns)
    height = _ABOVE + n * _ROW + (n - 1) * _GAP + _BELOW
    wide = (width - _LEFT - _RIGHT - _MIDDLE) / 2
    with drawing():
        figure = new_figure(width, height)
        for at, column in enumerate(columns):
            left = _LEFT + at * (wide + _MIDDLE)
            for index, strip in enumerate(column):
                bottom = height - _ABOVE - (index + 1) * _ROW - index * _GAP
                axes = figure.add_axes((left / width, bottom / height, wide / width, _ROW / height))
                _draw(axes, strip, seconds, from_end, first=at == 0, last=index == len(column) - 1)
            if column:
                figure.text(
                    left / width, 1 - 2 / height, "fakes" if at else "reals", va="top", fontsize=FONT_SIZE,
                    fontweight="bold", color=STAND_INS.fake if at else STAND_INS.real,
                )  # fmt: skip
        return to_svg(figure)


def _draw(axes: Axes, strip: SoundStrip, seconds: float, from_end: bool, *, first: bool, last: bool) -> None:
    ink = STAND_INS
    colour = ink.fake if strip.fake else ink.real
    dress(axes, ink, grid="")
    length = 1000 * seconds
    axes.set_xlim(*((length, 0) if from_end else (0, length)))
    axes.set_ylim(BOTTOM_DB, 0)
    times, levels = _levels(strip, seconds, from_end)
    if len(levels):
        axes.fill_between(times, BOTTOM_DB, levels, color=colour, alpha=0.45, linewidth=0)
    _silence(axes, strip, length)
    if strip.threshold is not None and strip.threshold > 0:
        axes.axhline(20 * np.log10(strip.threshold), color=ink.ink, linewidth=1, linestyle=(0, (1.5, 2)))
    axes.annotate(
        shorten(strip.name, 44), (0, 1), xycoords="axes fraction", xytext=(0, 3), textcoords="offset points",
        va="bottom", fontsize=SMALL - 0.5, color=ink.muted,
    )  # fmt: skip
    axes.yaxis.set_ticks(
        [BOTTOM_DB, -50, 0], [f"{BOTTOM_DB:.0f} dB".replace("-", "−"), "−50", "0"] if first else ["", "", ""]
    )
    if last:
        axes.set_xlabel("ms before the end" if from_end else "ms from the start", fontsize=FONT_SIZE)
    else:
        axes.tick_params(labelbottom=False)


def _levels(strip: SoundStrip, seconds: float, from_end: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Middles of short stretches in ms and the level of the loudest sample in each."""
    samples = np.abs(np.nan_to_num(np.asarray(strip.samples, np.float64)))
    count = round(seconds * strip.sample_rate)
    samples = samples[::-1][:count] if from_end else samples[:count]
    if samples.size == 0:
        return np.zeros(0), np.zeros(0)
    edges = np.unique(np.linspace(0, samples.size, min(_POINTS, samples.size) + 1).astype(int))
    loudest = np.maximum.reduceat(samples, edges[:-1])
    levels = 20 * np.log10(np.maximum(loudest, 10 ** (BOTTOM_DB / 20)))
    return 500 * (edges[:-1] + edges[1:]) / strip.sample_rate, levels


def _silence(axes: Axes, strip: SoundStrip, length: float) -> None:
    """Where the measured silence ends, with its length."""
    ink = STAND_INS
    if len(strip.samples) == 0:
        axes.text(
            0.5, 0.5, "no sound", transform=axes.transAxes, ha="center", va="center", fontsize=SMALL, color=ink.muted
        )
        return
    if strip.silence is None:
        return
    end = 1000 * strip.silence
    axes.axvspan(0, min(end, length), color=ink.muted, alpha=0.13, linewidth=0, zorder=0)
    place: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "fontsize": SMALL}
    plate = {"facecolor": ink.paper, "alpha": 0.85, "linewidth": 0, "pad": 1.5}
    backwards = axes.xaxis_inverted()
    if end < length:
        axes.axvline(end, color=ink.ink, linewidth=1.5)
        inside = end > 0.62 * length
        right = inside == backwards
        axes.annotate(
            f"{end:.1f} ms", (end, 1), xytext=(4 if right else -4, -3), ha="left" if right else "right", va="top",
            color=ink.ink, bbox=plate, **place,
        )  # fmt: skip
    else:
        axes.annotate(
            f"silent for {end:.0f} ms" + ("" if backwards else " →"), (length, 1), xytext=(4 if backwards else -4, -3),
            ha="left" if backwards else "right", va="top", color=ink.ink, bbox=plate, **place,
        )  # fmt: skip
