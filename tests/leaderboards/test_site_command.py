"""`python -m leaderboards.site`: from boards on disk to a site."""

from __future__ import annotations

import csv
import hashlib
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from site_pages import read_page
from toy_board import make_board, make_submission

from leaderboards import space
from leaderboards.loading import load_standings
from leaderboards.site.__main__ import main


@pytest.fixture
def boards(tmp_path: Path) -> Path:
    folder = tmp_path / "boards"
    board = make_board(folder, clips=42, floors=("floor",), metadata_floor="floor")
    make_submission(board, "floor", 0.2, seed=1, trained_on=())
    make_submission(board, "good", 2.0, seed=2, trimmed=True, over_time=True, pixels=True)
    make_submission(board, "fair", 1.0, seed=3, failed=2)
    make_submission(board, "seen", 3.0, seed=4, trained_on=("toy-a/train",))
    return folder


def test_a_board_becomes_a_site_with_its_numbers(
    boards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "site"
    assert main(["--boards", str(boards), "--out", str(out)]) == 0
    assert "1 board, 4 systems" in capsys.readouterr().out
    standings = load_standings(boards / "toy")
    digest = hashlib.sha256((boards / "toy/submissions/good.yaml").read_bytes()).hexdigest()
    assert {row.slug: row.submission_sha256 for row in standings.rows}["good"] == digest
    with (out / "boards/toy/leaderboard.csv").open(encoding="utf-8", newline="") as file:
        lines = {line["slug"]: line for line in csv.DictReader(file)}
    stored = {row["slug"]: row for row in pq.read_table(out / "boards/toy/leaderboard.parquet").to_pylist()}
    for row in standings.rows:
        assert float(lines[row.slug]["macro_auc"] or "nan") == pytest.approx(
            row.macro.value or float("nan"), nan_ok=True
        )
        assert stored[row.slug]["toy-a/test:auc"] == row.sets[0].auc.value
    page = read_page(out / "boards/toy/systems/good.html").text
    assert "Rank 1 of 2" in page and "not yet" in page
    assert "trained or selected on data of this board" in read_page(out / "boards/toy/systems/seen.html").text
    for name in ("good.yaml", "good.parquet", "good.pixels.parquet"):
        assert (out / "boards/toy/submissions" / name).read_bytes() == (boards / "toy/submissions" / name).read_bytes()
    assert not list(out.rglob("truth"))


def test_refused_submissions_are_told_and_the_site_is_built(
    boards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (boards / "toy/submissions/fair.parquet").write_bytes(b"not what was hashed")
    assert main(["--boards", str(boards), "--board", "toy", "--out", str(tmp_path / "site")]) == 1
    assert "fair.parquet: predictions.size" in capsys.readouterr().err
    about = read_page(tmp_path / "site/boards/toy/about.html").text
    assert "fair.yaml" in about and "predictions.size" in about
    assert not (tmp_path / "site/boards/toy/systems/fair.html").exists()
    assert not (tmp_path / "site/boards/toy/submissions/fair.parquet").exists()


def test_a_broken_board_does_not_stop_the_others(
    boards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_board(boards, clips=12, components=4, name="holed")
    (boards / "holed/truth/toy-a-test.parquet").unlink()
    (boards / "spoiled").mkdir()
    (boards / "spoiled/board.yaml").write_text("name: [\n", encoding="utf-8")
    assert main(["--boards", str(boards), "--out", str(tmp_path / "site")]) == 1
    said = capsys.readouterr()
    assert "1 board, 4 systems" in said.out
    front = read_page(tmp_path / "site/index.html").text
    assert "2 boards could not be read" in front and "The set" in front
    for told in ("holed/truth/toy-a-test.parquet: file: the truth of toy-a/test is not there", "spoiled/board.yaml:"):
        assert told in front and told in said.err
    assert (tmp_path / "site/boards/toy/index.html").is_file() and not (tmp_path / "site/boards/holed").exists()
    assert space.main(["--boards", str(boards), "--out", str(tmp_path / "space")]) == 1
    assert "2 boards could not be read" in read_page(tmp_path / "space/index.html").text
    assert main(["--boards", str(boards), "--board", "holed", "--out", str(tmp_path / "other")]) == 2
    assert "holed/truth/toy-a-test.parquet" in capsys.readouterr().err and not (tmp_path / "other").exists()


def test_what_cannot_be_done_is_said(boards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--boards", str(boards), "--board", "toi", "--out", str(tmp_path / "site")]) == 2
    assert "toi" in capsys.readouterr().err
    assert main(["--boards", str(tmp_path / "nowhere"), "--out", str(tmp_path / "site")]) == 2
    assert main(["--boards", str(boards), "--out", str(boards)]) == 2
    assert "not empty and holds no site" in capsys.readouterr().err
    assert not (tmp_path / "site").exists()


def test_help_needs_no_heavy_package() -> None:
    code = (
        "import sys, leaderboards.site.__main__ as m\n"
        "try: m.main(['--help'])\nexcept SystemExit: pass\n"
        "sys.exit(bool({'pandas', 'numpy', 'jinja2', 'pyarrow', 'torch'} & sys.modules.keys()))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
