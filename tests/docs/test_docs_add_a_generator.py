"""The page "add a generator" is executed: a program by TOML alone, a generator in one file, and both in a recipe."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from cmdfd.dataset import Dataset
from cmdfd.errors import JOB_CODES
from cmdfd.tables import read_table

pytest.importorskip("espeakng_loader", reason="talkers need the extra `talkers`")

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "add_a_generator.md"


def files_of_the_page() -> dict[str, str]:
    """What stands under a heading that is a file's name."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.findall(r"^### `([\w./]+)`\n(.*?)^```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return {name: body for name, _, body in found}


def commands_of_the_page() -> list[str]:
    blocks = re.findall(r"^```bash\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page's files, in a folder whose name has a dot."""
    folder = tmp_path_factory.mktemp("a.desk")
    for name, text in files_of_the_page().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("PYTHON", sys.executable) if name == "generators.toml" else text, encoding="utf-8")
    return folder


def run(desk: Path, command: str) -> str:
    """Run a command of the page as a reader would; its output."""
    words = command.split()
    assert words[:2] == ["python", "-m"]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    env = {**os.environ, "PYTHONPATH": path, "COLUMNS": "160", "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}
    env["CMDFD_GENERATORS"] = "generators.toml"
    done = subprocess.run(
        [sys.executable, *words[1:]], check=False, capture_output=True, text=True, timeout=200, cwd=desk, env=env
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_page_has_its_files_and_all_codes() -> None:
    assert list(files_of_the_page()) == [
        "talkbox/inference.py", "talkbox.toml", "generators.toml", "reverse.py", "mine.yaml",
    ]  # fmt: skip
    text = PAGE.read_text(encoding="utf-8")
    assert [code for code in JOB_CODES if f"`{code}`" not in text] == []


def test_commands_of_the_page_are_those_tried_here() -> None:
    assert commands_of_the_page() == [
        "export CMDFD_GENERATORS=generators.toml",
        "python -m generators.doctor talkbox.toml",
        "python -m generators.check talkbox.toml",
        "python -m generators.check reverse.py:Reverse",
        "python -m generators.build mine.yaml --dry-run",
        "python -m generators.build mine.yaml --out mine",
    ]


def test_the_doctor_is_content(desk: Path) -> None:
    assert "talkbox.toml: usable" in run(desk, "python -m generators.doctor talkbox.toml")


@pytest.mark.parametrize("name", ["talkbox.toml", "reverse.py:Reverse"])
def test_both_keep_the_contract(desk: Path, name: str) -> None:
    shown = run(desk, f"python -m generators.check {name}")
    assert shown.count("ok") >= 7 and "failed" not in shown


@pytest.fixture(scope="module")
def built(desk: Path) -> Path:
    """The page's set."""
    assert "Look: mine/sheets/contact_sheet" in run(desk, "python -m generators.build mine.yaml --out mine")
    return desk


@pytest.mark.slow
def test_the_recipe_is_planned(desk: Path) -> None:
    assert "talkbox/cross" in run(desk, "python -m generators.build mine.yaml --dry-run")


def test_the_recipe_is_built(built: Path) -> None:
    desk = built
    data = Dataset.open(desk / "mine")
    assert data.verify() and Counter((clip.kind, clip.variant) for clip in data.clips()) == {
        ("real", ""): 2, ("real", "null edit"): 2, ("reverse", ""): 2,
        ("talkbox/self", ""): 2, ("talkbox/cross", ""): 2,
    }  # fmt: skip
    labels = {clip.kind: (clip.labels.video_label, clip.labels.identity_mismatch) for clip in data.clips()}
    assert labels["talkbox/self"] == (1, 0) and labels["talkbox/cross"] == (1, 1)
    assert {clip.mask is not None for clip in data.clips() if clip.kind.startswith("talkbox")} == {True}
    rows = {row["kind"]: row for row in read_table(desk / "mine" / "provenance.parquet")}
    details = json.loads(rows["talkbox/cross"]["details"])
    assert details["exit_code"] == 0 and details["containment"] and rows["talkbox/cross"]["raw_sha256"]
    assert str(desk) not in rows["talkbox/cross"]["details"] and rows["talkbox/cross"]["relation"] == "partner"
    lines = [json.loads(line) for line in (desk / "mine" / "journal.jsonl").read_text().splitlines()]
    assert {line["code"] for line in lines if line.get("generator") == "external/talkbox"} == {"ok"}


@pytest.mark.slow
def test_a_changed_parameter_makes_its_kind_anew(built: Path) -> None:
    desk = built
    times = {path: path.stat().st_mtime_ns for path in (desk / "mine").rglob("*.mp4")}
    recipe = (desk / "mine.yaml").read_text().replace("width: 0.3", "width: 0.25")
    (desk / "mine.yaml").write_text(recipe)
    run(desk, "python -m generators.build mine.yaml --out mine")
    kept = times.items() & {path: path.stat().st_mtime_ns for path in (desk / "mine").rglob("*.mp4")}.items()
    assert len(times) == 10 and len(kept) == 8
