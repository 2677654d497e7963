"""Pictures of every page: drawn by matplotlib, coloured by the page, the same bytes for the same numbers."""

from __future__ import annotations

from cmdfd.report.plots.bars import BarRow, interval_bars
from cmdfd.report.plots.histogram import histogram_plot
from cmdfd.report.plots.overlay import MarkedFrame, overlay_plot
from cmdfd.report.plots.roc import RocSeries, roc_plot
from cmdfd.report.plots.timeline import Span, Thumbnail, Timeline, timeline_plot, timeline_png

__all__ = [
    "BarRow",
    "MarkedFrame",
    "RocSeries",
    "Span",
    "Thumbnail",
    "Timeline",
    "histogram_plot",
    "interval_bars",
    "overlay_plot",
    "roc_plot",
    "timeline_plot",
    "timeline_png",
]
