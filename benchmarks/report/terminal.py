"""The closing table of a run in the terminal: the main rows, and what to type next."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from benchmarks.report.ran import next_commands
from benchmarks.report.reading import Reading, all_failed, failure_words, words_of
from benchmarks.report.where import judged
from cmdfd.report.text import clean, number, plural, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

    from benchmarks.report.reading import SetKey
    from benchmarks.results import RunResult, TaskResult

#: Greatest width, so that the table can be pasted into a mail or an issue.
WIDTH = 100
_COLUMNS = (("auc", "AUC"), ("eer", "EER"), ("balanced_accuracy", "balanced acc."))


def closing_table(result: RunResult) -> str:
    """The table as plain text of at most `WIDTH` columns, without colours.

    Args:
        result: What the run found.
    """
    from rich.console import Console

    stream = io.StringIO()
    console = Console(file=stream, width=WIDTH, no_color=True, highlight=False, legacy_windows=False)
    print_closing(result, console)
    return stream.getvalue()


def print_closing(
    result: RunResult,
    console: Console,
    *,
    report: Path | None = None,
    folder: Path | None = None,
    typed: Sequence[str] = (),
) -> None:
    """Print the table, the verdicts, where the report lies and the next commands.

    Args:
        result: What the run found.
        console: Where to; more than `WIDTH` columns are not used.
        report: Path of the HTML report.
        folder: The run directory.
        typed: The command with folders as they were typed, where that is known.
    """
    reading = Reading(result)
    width = min(WIDTH, console.width)
    for line in _lines(reading, width):
        console.print(line, width=width, highlight=False)
    _say(console, "report", str(report) if report else "", width)
    commands = next_commands(reading, str(folder) if folder else None, typed)
    if commands:
        console.print(_text("next", "bold"), width=width)
        for item in commands:
            console.print(_text(f"  {item.purpose}:", "dim"), width=width)
            # never broken into lines, so that it can be copied; a terminal folds what is too long by itself
            console.print(_text(f"    {clean(item.command)}"), width=width, soft_wrap=len(item.command) + 4 > width)


def _say(console: Console, label: str, words: str, width: int) -> None:
    if words:
        console.print(_text(f"{label}: {clean(words)}"), width=width, soft_wrap=True)


def _text(words: str, style: str = "") -> RenderableType:
    from rich.text import Text

    return Text(words, style=style)


def _lines(reading: Reading, width: int) -> list[RenderableType]:
    result = reading.result
    if result.status == "error":
        return [_text(f"the run stopped: {clean(result.error or 'no reason was recorded')}", "bold red")]
    if not result.tasks:
        return [_text("the run judged no detector", "yellow")]
    lines: list[RenderableType] = [_table(reading, key, width) for key in reading.sets]
    lines.append(_text("95 % intervals over components; floors stand beneath the detector", "dim"))
    lines += [_text(sentence, "bold yellow") for sentence in _failures(reading)]
    lines += [_text(sentence) for sentence in _places(reading)]
    doubts = dict.fromkeys(
        clean(estimate.unreliable)
        for task in result.tasks
        for name, _ in _COLUMNS
        if task.condition == reading.condition
        and (estimate := task.pooled.get(name)) is not None
        and estimate.unreliable
        and estimate.value is not None
    )
    if doubts:
        lines.append(_text(f"† not to be trusted: {'; '.join(doubts)}", "yellow"))
    lines += [
        _text(f"{shorten(item.detector, 28)}: {clean(item.verdict)}")
        for item in result.comparisons
        if item.detector in reading.mains
    ]
    lines += [_text(sentence) for sentence in _spread(result)]
    return lines


def _failures(reading: Reading) -> list[str]:
    """Which detector failed on which clips, and the commonest reason; the floors too, since they should not."""
    tasks = [(key, task) for name in reading.detectors for key in reading.sets if (task := reading.task(name, key))]
    return [
        f"{shorten(task.detector, 28)} on {shorten(key.label, 34)}: {failure_words(task)}; "
        + ("its numbers say nothing else" if all_failed(task) else "they count as the worst scores")
        for key, task in tasks
        if task.n_failed
    ]


def _places(reading: Reading) -> list[str]:
    """How well each detector finds where a clip is forged, in one line for each set; nothing where it is not judged."""
    lines = []
    for row in judged(reading):
        if row.detector not in reading.mains:
            continue
        found = row.found
        told = (
            ("frame AUC within clips", (found.frame_auc or {}).get("within_clip")),
            ("stretches (challenge score)", (found.temporal or {}).get("score")),
            ("pixel F1", (found.pixel or {}).get("pixel_f1@0.5")),
        )
        words = [f"{name} {words_of(value)}" for name, value in told if value is not None and value.value is not None]
        if words:
            lines.append(f"where, {shorten(row.detector, 28)} on {shorten(row.key.label, 34)}: {', '.join(words)}")
    return lines


def _spread(result: RunResult) -> list[str]:
    """The spread over training seeds, which no interval contains; nothing where one seed was run."""
    sentences = []
    for name, found in (result.seed_spread or {}).items():
        aucs = found["auc"]
        sentences.append(
            f"{clean(name)} over {len(aucs)} training seeds: AUC {number(found['mean'])}, standard deviation "
            f"{number(found['std'])}, range {number(min(aucs))} to {number(max(aucs))}"
        )
    return sentences


def _table(reading: Reading, key: SetKey, width: int) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, width=width, title=_heading(reading, key), title_justify="left", pad_edge=False)
    table.add_column("detector", ratio=1, overflow="ellipsis", no_wrap=True)
    for _, label in _COLUMNS:
        table.add_column(label, justify="right", no_wrap=True, min_width=19)
    for name in (*reading.mains, *reading.floors):
        task = reading.task(name, key)
        if task is not None:
            _row(table, name, task, floor=name in reading.floors)
    return table


def _heading(reading: Reading, key: SetKey) -> Text:
    from rich.text import Text

    tasks = [task for name in reading.detectors if (task := reading.task(name, key)) is not None]
    where = {"in": "inside the training set's domain", "cross": "across sets", "unknown": "training data unknown"}
    clips = f"{tasks[0].n_real} real, {tasks[0].n_fake} fake, {plural(tasks[0].n_components, 'component')}"
    heading = f"{shorten(key.label, 34)}, {where[tasks[0].domain]}: {clips}"
    return Text(heading, style="bold not italic", no_wrap=True, overflow="ellipsis")


def _row(table: Table, name: str, task: TaskResult, *, floor: bool) -> None:
    style = "dim" if floor else ""
    failed = f" ({task.n_failed} failed)" if task.n_failed else ""
    label = shorten(name, 32 - len(failed)) + failed
    cells = [_text(words_of(task.pooled.get(key)), style) for key, _ in _COLUMNS]
    table.add_row(_text(("    " if floor else "  ") + label, style), *cells)
