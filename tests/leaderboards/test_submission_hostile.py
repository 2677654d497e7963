"""Every hostile submission is refused for its own reason, and nothing in it is run."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import hostile_files
import hostile_tables
import pytest
from hostile_box import CASES, SLUG, Box, Case
from toy_board import make_board, make_submission

from leaderboards.board import open_board
from leaderboards.problems import SubmissionError
from leaderboards.verify import verify


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board with one good submission that has everything a submission can have."""
    board = make_board(tmp_path_factory.mktemp("hostile"), clips=30, components=10)
    make_submission(board, SLUG, 2.5, over_time=True, trimmed=True, pixels=True, failed=2, seed=3)
    return board


def test_the_good_one_passes(good: Path) -> None:
    entry = verify(good, good / "submissions" / f"{SLUG}.yaml")
    assert set(entry.answers) == {"toy-a/test", "toy-b/test"}
    assert not entry.notes


def test_there_are_enough_kinds_and_each_has_a_name() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 100
    assert hostile_files.case is hostile_tables.case, "both fill one list"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_refused_for_its_own_reason(case: Case, good: Path, tmp_path: Path) -> None:
    board = tmp_path / "toy"
    shutil.copytree(good, board)
    box = Box(board)
    case.change(box)
    began = time.perf_counter()
    with pytest.raises(SubmissionError) as caught:
        verify(open_board(board), box.path)
    assert time.perf_counter() - began < 5, "took too long to refuse"
    named = [(one.file, one.field) for one in caught.value.problems]
    wanted = [one for one in caught.value.problems if (one.file, one.field) == (case.file, case.field)]
    assert wanted, f"{named}: {caught.value}"
    assert any(case.reason in one.reason for one in wanted), str(caught.value)
    if case.name != "bomb-columns":  # of hundreds of strange columns the first few are named
        assert {field for _, field in named} == {case.field, *case.also}, "something else is wrong, too"
    assert not (board / "pwned").exists() and not Path("pwned").exists()
    text = str(caught.value)
    assert str(tmp_path) not in text, "a folder of this machine is told"
    assert all(char.isprintable() or char == "\n" for char in text), "something reaches the terminal raw"


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '=HYPERLINK("https://a.org")', "{{ 7*7 }}", "'; DROP--"])
def test_what_only_a_page_could_run_is_taken_as_text(name: str, good: Path, tmp_path: Path) -> None:
    """Pages and downloads render it harmless; a name is not refused for its signs."""
    board = tmp_path / "toy"
    shutil.copytree(good, board)
    box = Box(board)
    box.edit(lambda data: data["system"].update(name=name, description=name))
    assert verify(board, box.path).submission.system.name == name


def test_problems_of_a_yaml_have_the_line(good: Path, tmp_path: Path) -> None:
    board = tmp_path / "toy"
    shutil.copytree(good, board)
    box = Box(board)
    box.text("licence: Apache-2.0", "licence: ''")
    box.text("harness: cmdfd", "harnes: cmdfd")
    with pytest.raises(SubmissionError) as caught:
        verify(board, box.path)
    lines = box.path.read_text("utf-8").splitlines()
    found = {one.field: one for one in caught.value.problems}
    assert set(found) == {"system.licence", "harnes", "harness"}, "all problems at once"
    assert lines[found["system.licence"].line - 1].strip().startswith("licence:")
    assert lines[found["harnes"].line - 1].startswith("harnes:")
    assert "harness" in found["harnes"].fix


def test_problems_of_a_table_have_the_row_and_all_are_told(good: Path, tmp_path: Path) -> None:
    board = tmp_path / "toy"
    shutil.copytree(good, board)
    box = Box(board)

    def spoil(rows: list[dict[str, object]]) -> None:
        rows[6]["score"] = float("nan")
        rows[7]["sha256"] = "d" * 64
        rows.pop(20)

    box.rows(spoil)
    with pytest.raises(SubmissionError) as caught:
        verify(board, box.path)
    assert [(one.field, one.line) for one in caught.value.problems] == [("score", 7), ("sha256", 8), ("id", 0)]


def test_a_floor_may_be_constant_and_below_chance_is_only_remarked(tmp_path: Path) -> None:
    board = make_board(tmp_path, clips=300, components=20, floors=("flat",))
    path = make_submission(board, "flat", seed=1)
    box = Box(board)
    box.path, box.table = path, path.with_suffix(".parquet")

    def flatten(rows: list[dict[str, object]]) -> None:
        for row in rows:
            row["score"] = 0.25

    box.edit(lambda data: data.pop("pixels", None))
    import pyarrow.parquet as pq
    from toy_board import reference

    from leaderboards.predictions import write_submitted

    rows = pq.read_table(box.table).to_pylist()
    flatten(rows)
    write_submitted(box.table, rows)
    box.edit(lambda data: data.update(predictions=reference(box.table)))
    assert verify(board, path).answers["toy-a/test"].scores.std() == 0
    below = make_submission(board, "below", -0.8, seed=2)
    notes = verify(board, below).notes
    assert len(notes) == 1 and "below chance on every set" in notes[0]
