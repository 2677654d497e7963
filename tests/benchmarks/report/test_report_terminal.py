from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console
from synthetic_run import Names, Synthetic, make_run

from benchmarks.report.terminal import WIDTH, closing_table, print_closing
from cmdfd.report.text import with_interval


def test_closing_table_holds_the_main_rows_in_a_hundred_columns(synthetic: Synthetic) -> None:
    text = closing_table(synthetic.result)
    table = text.partition("next\n")[0]
    assert max(len(line) for line in table.splitlines()) <= WIDTH
    for task in synthetic.result.tasks:
        if task.condition == "untrimmed":
            for name in ("auc", "eer", "balanced_accuracy"):
                estimate = task.pooled[name]
                assert with_interval(estimate.value, estimate.low, estimate.high) in table
    assert "† not to be trusted: only 8 components" in text
    assert "No clear gap" in text
    assert "--predict clip.mp4" in text
    order = [line.split()[0] for line in table.splitlines() if line.strip().startswith(("mds", "floor", "random"))]
    assert order[:4] == ["mds:mini", "floor:container", "random", "floor:rate"]


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_narrow_terminals_get_whole_commands(synthetic: Synthetic, width: int) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=width, no_color=True)
    print_closing(synthetic.result, console, report=Path("runs/x/report.html"), folder=Path("runs/a b"))
    text = stream.getvalue()
    assert "    python -m benchmarks.run --detector mds:mini --predict clip.mp4\n" in text
    assert "    python -m benchmarks.score 'runs/a b'\n" in text
    assert "report: runs/x/report.html\n" in text


def test_hostile_names_reach_the_terminal_as_text() -> None:
    hostile = "[red]x[/red]\x1b[2J\x07\u202e" + "w" * 300
    run = make_run(Names(main=hostile, first_set=hostile + "a", second_set="[/]" + hostile), clips=60)
    text = closing_table(run.result)
    assert "[red]x[/red]" in text
    assert "\x1b" not in text and "\x07" not in text and "\u202e" not in text
    table = text.partition("next\n")[0]
    assert max(len(line) for line in table.splitlines()) <= WIDTH


def test_runs_without_results_say_so(synthetic: Synthetic) -> None:
    empty = synthetic.result.model_copy(update={"tasks": [], "comparisons": [], "detectors": []})
    assert "judged no detector" in closing_table(empty)
    stopped = empty.model_copy(update={"status": "error", "error": "out of memory"})
    assert "the run stopped: out of memory" in closing_table(stopped)


def test_the_spread_over_seeds_is_told(synthetic):
    spread = {"set/test": {"auc": [0.81, 0.85], "mean": 0.83, "std": 0.0283, "seeds": [0, 1]}}
    words = " ".join(closing_table(synthetic.result.model_copy(update={"seed_spread": spread})).split())
    assert "set/test over 2 training seeds: AUC .830, standard deviation .028, range .810 to .850" in words
    assert "training seeds" not in closing_table(synthetic.result.model_copy(update={"seed_spread": None}))
