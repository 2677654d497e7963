"""The one-page report of a run: everything in one file, to be opened, printed or passed on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.command import SOMEWHERE
from benchmarks.evaluate import Shared, shared_of
from benchmarks.predictions import completed
from benchmarks.report import figures, notes, ran, tables
from benchmarks.report.headline import cards, headline
from benchmarks.report.marks import MarkedItem, mark_figures
from benchmarks.report.paired import auc_gap, scores_of
from benchmarks.report.reading import MARGIN_FLOOR, NAME_LENGTH, Reading, SetKey
from benchmarks.report.timeline import TimelineItem, write_timeline
from benchmarks.report.versions import platform_section
from benchmarks.report.where import where_section, whole_clips
from cmdfd.report.blocks import Block, Code, Figure, Grid, Heading, Page, Paragraph, Section, Text
from cmdfd.report.page import render_page
from cmdfd.report.text import clean, listing, plural, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from benchmarks.results import Estimate, RunResult

__all__ = ["MarkedItem", "TimelineItem", "write_report", "write_timeline"]


def write_report(
    result: RunResult,
    predictions: pd.DataFrame,
    timelines: Sequence[TimelineItem],
    path: Path,
    marks: Sequence[MarkedItem] = (),
    typed: Sequence[str] = (),
) -> None:
    """Write the report of a run as one HTML file without scripts and without a network.

    Names from sets, detectors and errors are treated as hostile text throughout.

    Args:
        result: What the run found.
        predictions: The table that `benchmarks.predictions.read_predictions` gives; margins, bands and histograms
            are computed from it.
        timelines: A few clips, drawn in this order; at most `figures.MOST_TIMELINES` of them.
        path: File to write; its folder is made, and the file appears whole or not at all.
        marks: A few clips with the detector's maps.
        typed: The command with folders as they were typed, for the commands of the page; without it folders are told
            as "path/to/NAME".
    """
    folder = str(path.parent) if typed else f"{SOMEWHERE}/{path.parent.name}"
    text = render_page(report_page(result, predictions, timelines, folder=folder, marks=marks, typed=typed))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """A result and its predictions, with what was computed from both."""

    reading: Reading
    predictions: pd.DataFrame
    margins: tables.Margins
    trims: dict[tuple[str, SetKey], Estimate]
    seed: int


def report_page(
    result: RunResult,
    predictions: pd.DataFrame,
    timelines: Sequence[TimelineItem],
    folder: str | None = None,
    marks: Sequence[MarkedItem] = (),
    typed: Sequence[str] = (),
) -> Page:
    """Lay the report out.

    Args:
        result: What the run found.
        predictions: The table of the run.
        timelines: A few clips.
        folder: The run directory for the commands, or None.
        marks: A few clips with maps.
        typed: As for `write_report`.
    """
    reading = Reading(result)
    run = _computed(reading, predictions)
    first = reading.mains[0] if reading.mains else ""
    pooled = {(name, key): gap for (name, key, scope), gap in run.margins.items() if scope == "all"}
    trims = {key: gap for (name, key), gap in run.trims.items() if name == first}
    sections = (
        _what_was_run(run),
        _main_section(run),
        *_silence_section(run),
        *_cross_section(run),
        *_kinds_section(run),
        *platform_section(run.reading),
        *where_section(run.reading, mark_figures(marks), whole_clips(run.reading, predictions, run.seed)),
        *_score_section(run),
        *_timeline_section(timelines),
        _notes_section(run),
        Section("reproduce", "How to get this again", tuple(ran.reproducibility(result, typed))),
        _next_section(run, folder, typed),
    )
    names = listing([key.label for key in reading.sets], 4)
    return Page(
        title=f"{shorten(first, NAME_LENGTH) or 'Run'} on {names}" if names else "A run without results",
        lead=headline(reading),
        kicker=f"cmdfd benchmark report, run {shorten(result.run_id, NAME_LENGTH)}",
        blocks=(cards(reading, pooled, trims),) if result.tasks else (),
        sections=sections,
        footer=f"Made by cmdfd on {clean(result.created)}. Scores: higher = more fake; fake = 1.",
    )


def _computed(reading: Reading, predictions: pd.DataFrame) -> _Run:
    """Margins over the container floor, and the change when the leading silence is cut."""
    seed = reading.result.config.get("seed", 0)
    seed = seed if isinstance(seed, int) else 0
    margins: tables.Margins = {}
    trims: dict[tuple[str, SetKey], Estimate] = {}
    common = shared_of(completed(predictions))
    scopes: tuple[tuple[tables.Scope, Shared | None], ...] = (("all", None), ("shared", common))
    for key in reading.sets:
        for scope, shared in scopes:
            floor = scores_of(predictions, MARGIN_FLOOR, key, reading.condition, shared)
            for name in reading.mains if len(floor.ids) and MARGIN_FLOOR in reading.floors else ():
                margins[name, key, scope] = auc_gap(
                    scores_of(predictions, name, key, reading.condition, shared), floor, seed
                )
        for name in reading.detectors:
            if reading.task(name, key, "trimmed") is not None and reading.task(name, key, "untrimmed") is not None:
                cut, whole = (scores_of(predictions, name, key, state) for state in ("trimmed", "untrimmed"))
                trims[name, key] = auc_gap(cut, whole, seed)
    return _Run(reading, predictions, margins, trims, seed)


def _what_was_run(run: _Run) -> Section:
    result = run.reading.result
    blocks: list[Block] = []
    if result.status == "error":
        blocks.append(Paragraph(("The run stopped: ", Text(clean(result.error), "name")), "bad"))
    if result.datasets:
        blocks.append(ran.sets_table(result))
    if result.detectors:
        blocks.append(ran.detectors_table(result))
    blocks += ran.refused(result)
    blocks += ran.failures(result, run.predictions)
    return Section("ran", "What was run", tuple(blocks))


def _main_section(run: _Run) -> Section:
    if not run.reading.result.tasks:
        return Section("results", "Results", (Paragraph(("There are no results.",), "warn"),))
    return Section("results", "Results", (tables.main_table(run.reading, run.margins),))


def _silence_section(run: _Run) -> list[Section]:
    table = tables.trimmed_table(run.reading, run.trims)
    if table is None:
        return []
    words = (
        "Fakes of public sets often begin with a short silence that no detector should need. Here it is cut from every "
        "clip, real and fake alike, in whole frames of picture and sound together. "
        "A detector whose AUC falls leaned on it."
    )
    return [Section("silence", "With and without leading silence", (Paragraph((words,)), table))]


def _cross_section(run: _Run) -> list[Section]:
    table = tables.comparison_table(run.reading)
    if table is None:
        return []
    verdicts = tuple(
        Paragraph(
            (Text(clean(item.detector), "strong"), ": ", clean(item.verdict)),
            "muted" if item.detector in run.reading.floors else "warn" if _lost(item.gap) else "good",
        )
        for item in run.reading.result.comparisons
    )
    return [Section("cross", "Inside its set and across sets", (*verdicts, table))]


def _lost(gap: Estimate) -> bool:
    return gap.value is None or bool(gap.unreliable) or (gap.low is not None and gap.low > 0)


def _kinds_section(run: _Run) -> list[Section]:
    blocks: list[Block] = []
    for key in run.reading.sets:
        if not run.reading.kinds(key):
            continue
        figure = figures.kinds_figure(run.reading, key)
        blocks += [figure] if figure else []
        blocks.append(tables.kinds_table(run.reading, key, run.predictions))
    return [Section("kinds", "Kind by kind", tuple(blocks))] if blocks else []


def _score_section(run: _Run) -> list[Section]:
    blocks: list[Block] = []
    for key in run.reading.sets:
        curve = figures.roc_figure(run.reading, run.predictions, key, run.seed)
        found: list[Figure] = [curve] if curve else []
        found += figures.histogram_figures(run.reading, run.predictions, key)
        if found:
            blocks += [Heading(key.label), Grid(tuple(found))]
    return [Section("scores", "Curves and scores", tuple(blocks))] if blocks else []


def _timeline_section(timelines: Sequence[TimelineItem]) -> list[Section]:
    if not timelines:
        return []
    left = len(timelines) - figures.MOST_TIMELINES
    words = "A few clips on their time axis: what is forged in truth, and what the detector makes of it. "
    words += "Ticks under the frames mark their moments."
    if left > 0:
        words += f" {plural(left, 'further clip')} left out to keep the page small."
    return [Section("clips", "A few clips", (Paragraph((words,)), *figures.timeline_figures(timelines)))]


def _notes_section(run: _Run) -> Section:
    table = notes.seed_table(run.reading)
    return Section("reading", "How to read this", (notes.notes(run.reading), *([table] if table else [])))


def _next_section(run: _Run, folder: str | None, typed: Sequence[str]) -> Section:
    commands = ran.next_commands(run.reading, folder, typed)
    return Section("next", "What to do next", tuple(Code(item.command, item.purpose) for item in commands))
