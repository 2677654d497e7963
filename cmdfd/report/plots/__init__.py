"""Pictures of every page: drawn by matplotlib, coloured by the page, the same bytes for the same numbers."""

from __future__ import annotations

from cmdfd.report.plots.bars import BarRow, interval_bars
from cmdfd.report.plots.cue_histogram import cue_histogram
from cmdfd.report.plots.heatmap import HeatCell, heatmap
from cmdfd.report.plots.histogram import histogram_plot
from cmdfd.report.plots.levels import LevelRow, level_bars
from cmdfd.report.plots.overlay import MarkedFrame, overlay_plot
from cmdfd.report.plots.roc import RocSeries, roc_plot
from cmdfd.report.plots.scale import Scale, choose_scale
from cmdfd.report.plots.timeline import Span, Thumbnail, Timeline, timeline_plot, timeline_png
from cmdfd.report.plots.waveform import SoundStrip, waveform_plot

__all__ = [
    "BarRow",
    "HeatCell",
    "LevelRow",
    "MarkedFrame",
    "RocSeries",
    "Scale",
    "SoundStrip",
    "Span",
    "Thumbnail",
    "Timeline",
    "choose_scale",
    "cue_histogram",
    "heatmap",
    "histogram_plot",
    "interval_bars",
    "level_bars",
    "overlay_plot",
    "roc_plot",
    "timeline_plot",
    "timeline_png",
    "waveform_plot",
]
