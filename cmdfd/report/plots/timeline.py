"""One clip on its time axis: frames, sound, truth, what a detector found, and its score."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.report.palette import LIGHT, Palette
from cmdfd.report.plots.axes import FONT_SIZE, SMALL, dress
from cmdfd.report.plots.svg import STAND_INS, drawing, new_figure, to_png, to_svg
from cmdfd.report.text import clean, number, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_LEFT = 112.0
_RIGHT = 16.0
_GAP = 8.0
_WAVE = 46.0
_BAND = 24.0
#: Height of one ranked proposal, and how many are shown: more would hide that the first ones count most.
_LANE = 13.0
_MOST_RANKED = 4
_SCORE = 132.0
_NO_SCORE = 44.0
_AXIS = 38.0
#: Behind words on a hatched bar.
_PLATE = {"boxstyle": "square,pad=0.15", "linewidth": 0, "alpha": 0.85}
#: More thumbnails than this would be too small to see a mouth in.
_MOST_THUMBNAILS = 10
#: Greatest height of a thumbnail in pixels at natural size.
_THUMBNAIL_HEIGHT = 112.0
#: Stored pixels for each pixel at natural size, so that thumbnails are sharp on dense screens.
_DENSITY = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class Thumbnail:
    """A frame of the clip.

    Args:
        image: [h, w, 3] uint8 RGB.
        time: Seconds from the clip's start.
    """

    image: NDArray[np.uint8]
    time: float


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in seconds, with a few words."""

    start: float
    end: float
    label: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """What the picture shows.

    Args:
        duration: Seconds, > 0.
        thumbnails: Frames in order of time.
        waveform: [N] loudness envelope, >= 0, spread evenly over the clip; empty where there is no sound.
        times: [K] seconds of the scores.
        scores: [K] score at each time, higher = more fake.
        threshold: Decision threshold, or None where none is known.
        truth: Forged stretches; empty where nothing is forged, None where nobody knows.
        found: Stretches that the detector calls forged.
        ranked: Proposals made of its scores, the surest first, where it calls none by itself; they may overlap, and
            each has a thin line of its own.
        headline: One sentence above the picture.
        subtitle: Smaller line below it.
        notes: Small print below the picture.
    """

    duration: float
    thumbnails: Sequence[Thumbnail]
    waveform: NDArray[np.floating[Any]]
    times: NDArray[np.float64]
    scores: NDArray[np.float64]
    threshold: float | None = None
    truth: Sequence[Span] | None = None
    found: Sequence[Span] = ()
    ranked: Sequence[Span] = ()
    headline: str = ""
    subtitle: str = ""
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not (np.isfinite(self.duration) and self.duration > 0):
            raise ValueError(f"duration must be positive seconds, got {self.duration}")
        if len(self.times) != len(self.scores):
            raise ValueError(f"{len(self.times)} times, {len(self.scores)} scores")


def timeline_plot(timeline: Timeline, *, width: int = 1080) -> str:
    """Draw a timeline as SVG in the page's colours; frames are stored as JPEG."""
    photographs: dict[str, NDArray[np.uint8]] = {}
    with drawing():
        return to_svg(_draw(timeline, width, STAND_INS, photographs), photographs)


def timeline_png(timeline: Timeline, *, width: int = 980, scale: float = 1.6) -> bytes:
    """Draw a timeline with its sentences as PNG on white, to be looked at on its own."""
    with drawing():
        return to_png(_draw(timeline, width, LIGHT, None), scale=scale)


@dataclass(slots=True)
class _Stack:
    """Places axes from the top of the figure downwards, in pixels."""

    figure: Figure
    width: float
    height: float
    top: float

    def add(self, tall: float, gap: float = _GAP) -> Axes:
        left, span = _LEFT, self.width - _LEFT - _RIGHT
        bottom = self.height - self.top - tall
        axes = self.figure.add_axes((left / self.width, bottom / self.height, span / self.width, tall / self.height))
        self.top += tall + gap
        return axes


def _draw(timeline: Timeline, width: int, ink: Palette, photographs: dict[str, NDArray[np.uint8]] | None) -> Figure:
    """Draw everything; frames go into `photographs` for SVG, into the figure itself (with the sentences) without."""
    words = photographs is None
    shown = _chosen(timeline.thumbnails)
    strip = _strip_height(shown, width - _LEFT - _RIGHT)
    above = _lines(timeline.headline, 88) if words else []
    below = [line for note in timeline.notes for line in _lines(note, 158)] if words else []
    head = (len(above) * 22 + (20 if timeline.subtitle else 0) + 22) if words else 2.0
    curve = _SCORE if np.isfinite(timeline.scores).any() else _NO_SCORE
    lanes = min(len(timeline.ranked), _MOST_RANKED)
    named = max(_BAND, _LANE * lanes)
    rows = strip + _WAVE + _BAND * (timeline.truth is not None) + named + curve
    gaps = _GAP * (3 + (timeline.truth is not None) + bool(shown))
    height = head + rows + gaps + _AXIS + (len(below) * 15 + 12 if below else 0)
    figure = new_figure(width, height)
    if words:
        figure.set_facecolor(ink.paper)
        _sentences(figure, above, clean(timeline.subtitle), below, ink)
    stack = _Stack(figure, width, height, head)
    if shown:
        _frames(stack.add(strip), shown, timeline.duration, ink, photographs)
    _sound(stack.add(_WAVE), timeline, ink)
    if timeline.truth is not None:
        _band(stack.add(_BAND), "Truth", timeline.truth, timeline.duration, ink, empty="nothing is forged")
    nothing = "no stretch is called forged" if len(timeline.times) else "this detector names no stretches"
    if lanes:
        _lanes(stack.add(named), timeline.ranked[:lanes], timeline.duration, ink)
    else:
        _band(stack.add(_BAND), "Detector", timeline.found, timeline.duration, ink, empty=nothing, hatch="////")
    _scores(stack.add(curve), timeline, ink)
    return figure


def _chosen(thumbnails: Sequence[Thumbnail]) -> list[Thumbnail]:
    if len(thumbnails) <= _MOST_THUMBNAILS:
        return list(thumbnails)
    picks = np.linspace(0, len(thumbnails) - 1, _MOST_THUMBNAILS).round().astype(int)
    return [thumbnails[index] for index in picks]


def _strip_height(shown: Sequence[Thumbnail], span: float) -> float:
    if not shown:
        return 0.0
    tall, wide = shown[0].image.shape[:2]
    return min(span / len(shown) * float(tall) / float(wide), _THUMBNAIL_HEIGHT)


def _lines(text: str, length: int) -> list[str]:
    return textwrap.wrap(clean(text), length) or []


def _sentences(figure: Figure, above: Sequence[str], subtitle: str, below: Sequence[str], ink: Palette) -> None:
    height, width = figure.get_figheight() * 72, figure.get_figwidth() * 72
    for index, line in enumerate(above):
        figure.text(
            16 / width, 1 - (14 + 22 * index) / height, line, va="top", fontsize=16, color=ink.ink, fontweight="bold"
        )
    if subtitle:
        place = 1 - (16 + 22 * len(above)) / height
        figure.text(16 / width, place, shorten(subtitle, 130), va="top", fontsize=FONT_SIZE, color=ink.muted)
    for index, line in enumerate(reversed(below)):
        figure.text(16 / width, (10 + 15 * index) / height, line, va="bottom", fontsize=SMALL, color=ink.muted)


def _title(axes: Axes, name: str, ink: Palette, detail: str = "") -> None:
    axes.annotate(
        name + (f"\n{detail}" if detail else ""), (0, 0.5), xycoords="axes fraction", xytext=(-_LEFT + 16, 0),
        textcoords="offset points", ha="left", va="center", fontsize=FONT_SIZE, color=ink.ink, linespacing=1.3,
    )  # fmt: skip


def _bare(axes: Axes, duration: float) -> None:
    axes.set_xlim(0, duration)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_facecolor("none")
    for spine in axes.spines.values():
        spine.set_visible(False)


def _frames(
    axes: Axes,
    shown: Sequence[Thumbnail],
    duration: float,
    ink: Palette,
    photographs: dict[str, NDArray[np.uint8]] | None,
) -> None:
    """Each frame gets an equal part of the axis; a tick under it shows where in time it stands."""
    from matplotlib.patches import Rectangle

    _bare(axes, duration)
    box = axes.get_window_extent()
    each = duration / len(shown)
    for index, item in enumerate(shown):
        tall, wide = item.image.shape[:2]
        reach = min(each * 0.97, duration * (box.height * wide / tall) / box.width)
        left = (index + 0.5) * each - reach / 2
        image = _resized(item.image, round(reach / duration * box.width * _DENSITY))
        if photographs is None:
            axes.imshow(image, extent=(left, left + reach, 0, 1), aspect="auto", interpolation="none", zorder=1)
        else:
            photographs[f"frame-{index}"] = image
            axes.add_patch(Rectangle((left, 0), reach, 1, gid=f"frame-{index}", facecolor=ink.line))
        axes.plot([item.time, item.time], [-0.05, 0.02], color=ink.fake, linewidth=1.6, clip_on=False, zorder=3)
    axes.set_xlim(0, duration)
    axes.set_ylim(0, 1)
    _title(axes, "Frames", ink)


def _resized(image: NDArray[np.uint8], wide: int) -> NDArray[np.uint8]:
    """Shrink to what is shown; a picture that is small already stays as it is."""
    from PIL import Image

    tall, had = image.shape[:2]
    if wide >= had or wide < 1:
        return image
    small = Image.fromarray(np.ascontiguousarray(image)).resize((wide, max(round(tall * wide / had), 1)))
    return np.asarray(small, np.uint8)


def _sound(axes: Axes, timeline: Timeline, ink: Palette) -> None:
    _bare(axes, timeline.duration)
    _shade(axes, timeline.found, timeline.duration, ink)
    axes.set_ylim(-1.05, 1.05)
    envelope = np.abs(np.nan_to_num(_finite(timeline.waveform)))
    if envelope.size == 0 or envelope.max() <= 0:
        axes.axhline(0, color=ink.line, linewidth=1)
        words = "no sound" if envelope.size == 0 else "silence"
        axes.text(timeline.duration / 2, 0.12, words, ha="center", va="bottom", fontsize=SMALL, color=ink.muted)
    else:
        bins = _pooled(envelope, 460) / envelope.max()
        places = (np.arange(bins.size) + 0.5) * timeline.duration / bins.size
        axes.fill_between(places, -bins, bins, color=ink.muted, linewidth=0, alpha=0.85)
    _title(axes, "Sound", ink)


def _pooled(values: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    if values.size <= most:
        return values
    edges = np.linspace(0, values.size, most + 1).astype(int)[:-1]
    pooled: NDArray[np.float64] = np.maximum.reduceat(values, edges)
    return pooled


def _shade(axes: Axes, spans: Sequence[Span], duration: float, ink: Palette) -> None:
    for span in _inside(spans, duration):
        axes.axvspan(span.start, span.end, color=ink.fake, alpha=0.16, linewidth=0, zorder=0)


def _inside(spans: Sequence[Span], duration: float) -> list[Span]:
    kept = [Span(max(span.start, 0.0), min(span.end, duration), span.label) for span in spans]
    return [span for span in kept if span.end > span.start]


def _band(
    axes: Axes, name: str, spans: Sequence[Span], duration: float, ink: Palette, *, empty: str, hatch: str = ""
) -> None:
    _bare(axes, duration)
    axes.set_ylim(0, 1)
    axes.axhspan(0.1, 0.9, color=ink.line, alpha=0.45, linewidth=0)
    kept = _inside(spans, duration)
    width = axes.get_window_extent().width
    for span in kept:
        place: dict[str, Any] = {"ymin": 0.1, "ymax": 0.9, "linewidth": 1, "edgecolor": ink.fake}
        axes.axvspan(span.start, span.end, facecolor=ink.fake, alpha=0.25 if hatch else 0.95, **place)
        if hatch:
            axes.axvspan(span.start, span.end, facecolor="none", hatch=hatch, **place)
        room = int((span.end - span.start) / duration * width / 6.2)
        if room >= 5 and span.label:
            axes.text(
                (span.start + span.end) / 2, 0.49, shorten(span.label, room), ha="center", va="center", fontsize=SMALL,
                color=ink.ink if hatch else ink.paper, bbox=_PLATE | {"facecolor": ink.paper} if hatch else None,
            )  # fmt: skip
    if not kept:
        axes.text(duration / 2, 0.48, empty, ha="center", va="center", fontsize=SMALL, color=ink.muted)
    _title(axes, name, ink)


def _lanes(axes: Axes, spans: Sequence[Span], duration: float, ink: Palette) -> None:
    """The surest proposals under one another, paler with every rank."""
    _bare(axes, duration)
    axes.set_ylim(len(spans), 0)
    for rank, span in enumerate(spans):
        axes.axhspan(rank + 0.14, rank + 0.86, color=ink.line, alpha=0.35, linewidth=0)
        for kept in _inside([span], duration):
            axes.fill_between(
                [kept.start, kept.end], rank + 0.14, rank + 0.86, color=ink.fake, alpha=0.75 / (1 + 0.6 * rank),
                linewidth=0,
            )  # fmt: skip
            width = axes.get_window_extent().width * (kept.end - kept.start) / duration
            inside = width > 60 or kept.end > 0.9 * duration
            axes.annotate(
                kept.label, (kept.end, rank + 0.52), xytext=(-4 if inside else 4, 0), textcoords="offset points",
                ha="right" if inside else "left", va="center", fontsize=SMALL - 2, color=ink.ink,
            )  # fmt: skip
        axes.annotate(
            f"{rank + 1}", (0, rank + 0.5), xycoords=("axes fraction", "data"), xytext=(-4, 0),
            textcoords="offset points", ha="right", va="center", fontsize=SMALL - 2, color=ink.muted,
        )  # fmt: skip
    _title(axes, "Proposals", ink, "surest first")


def _scores(axes: Axes, timeline: Timeline, ink: Palette) -> None:
    dress(axes, ink, grid="y")
    axes.set_xlim(0, timeline.duration)
    axes.set_xlabel("seconds", fontsize=FONT_SIZE)
    _shade(axes, timeline.found, timeline.duration, ink)
    scores = _finite(timeline.scores)
    finite = scores[np.isfinite(scores)]
    if finite.size == 0:
        axes.set_yticks([])
        axes.text(
            0.5, 0.5, "the detector gives no score over time for this clip", transform=axes.transAxes, ha="center",
            va="center", fontsize=FONT_SIZE, color=ink.muted,
        )  # fmt: skip
    else:
        _curve(axes, np.asarray(timeline.times, np.float64), scores, timeline.threshold, ink)
    if timeline.threshold is not None and np.isfinite(timeline.threshold) and finite.size:
        axes.axhline(timeline.threshold, color=ink.ink, linewidth=1.2, linestyle=(0, (4, 2)))
        axes.annotate(
            f"threshold {_plain(timeline.threshold)}", (1, timeline.threshold), xycoords=("axes fraction", "data"),
            xytext=(-3, 3), textcoords="offset points", ha="right", va="bottom", fontsize=SMALL, color=ink.ink,
        )  # fmt: skip
    axes.annotate(
        "Score\nover time", (0, 0.5), xycoords="axes fraction", xytext=(-_LEFT + 16, 0), textcoords="offset points",
        ha="left", va="center", fontsize=FONT_SIZE, color=ink.ink, linespacing=1.3,
    )  # fmt: skip
    if finite.size == 0:
        return
    axes.annotate(
        "higher =\nmore fake", (0, 0), xycoords="axes fraction", xytext=(-_LEFT + 16, 2), textcoords="offset points",
        ha="left", va="bottom", fontsize=SMALL - 1, color=ink.muted, linespacing=1.2,
    )  # fmt: skip


def _finite(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """The same with gaps where a value is not finite."""
    found = np.asarray(values, np.float64)
    return np.where(np.isfinite(found), found, np.nan)


def _plain(value: float) -> str:
    return number(value) if abs(value) < 100 else f"{value:.4g}"


def _curve(
    axes: Axes, times: NDArray[np.float64], scores: NDArray[np.float64], threshold: float | None, ink: Palette
) -> None:
    order = np.argsort(times, kind="stable")
    times, scores = times[order], scores[order]
    mark = "o" if scores.size <= 40 else ""
    axes.plot(times, scores, color=ink.real, linewidth=2, marker=mark, markersize=3.5, zorder=4)
    low, high = float(np.nanmin(scores)), float(np.nanmax(scores))
    if threshold is not None and np.isfinite(threshold):
        axes.fill_between(
            times, threshold, scores, where=scores >= threshold, interpolate=True, color=ink.fake, alpha=0.35,
            linewidth=0, zorder=3,
        )  # fmt: skip
        low, high = min(low, threshold), max(high, threshold)
    pad = 0.12 * (high - low) or max(abs(high) * 0.1, 0.1)
    axes.set_ylim(low - pad, high + 1.6 * pad)
    axes.yaxis.set_major_formatter(
        lambda value, _: _plain(round(value, 3)) if abs(value) >= 1 else number(value, digits=2)
    )
