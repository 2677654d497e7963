"""The page "read an audit" is executed: its list is made, audited, repaired and audited again."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "read_an_audit.md"


def blocks(language: str) -> list[str]:
    """Fenced code blocks of the page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def run(words: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", "NO_COLOR": "1"}
    command = [sys.executable, *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=200, cwd=cwd, env=env)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the page's commands were run, with what they printed."""
    folder = tmp_path_factory.mktemp("read")
    [make] = blocks("python")
    done = run(["-c", make], folder)
    assert done.returncode == 0, done.stderr
    commands = [line for block in blocks("bash") for line in block.splitlines()]
    assert len(commands) == 3
    assert commands[1] == f"{commands[0]} --fix repaired"  # the same audit, so the first need not be run for itself
    for number, line in enumerate(commands[1:], start=1):
        words = shlex.split(line)
        assert words[0] == "python"
        done = run([*words[1:], "--draws", "999"], folder)
        assert done.returncode == 0, done.stderr
        (folder / f"{number}.txt").write_text(done.stdout, encoding="utf-8")
    return folder


def report(place: Path, name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((place / "audits" / name / "audit.json").read_text(encoding="utf-8"))
    return found


def test_the_faults_are_found_as_the_page_says(place: Path) -> None:
    text = (place / "1.txt").read_text(encoding="utf-8")
    assert text.startswith("FAILED, critical")
    findings = report(place, "toy.csv")["findings"]
    assert isinstance(findings, list)
    flagged = {(one["cue"], one["analysis"]) for one in findings if one["shown"]}
    assert ("column.gap_ms", "generator: lipgan") in flagged
    assert not any(cue == "column.loudness" for cue, _ in flagged)
    gap = next(one for one in findings if (one["cue"], one["analysis"]) == ("column.gap_ms", "generator: lipgan"))
    assert gap["rank"]["auc"] == 1.0
    assert gap["severity"] == "critical"
    encoder = [one for one in findings if "encoder" in one["cue"] and one["analysis"] == "generator: swapper"]
    assert encoder and encoder[0]["severity"] == "critical"
    assert encoder[0]["marker"]["share"] == pytest.approx(1 / 3)


def test_all_files_of_the_page_are_written(place: Path) -> None:
    for name in ("audit.html", "audit.json", "cues.csv", "data_biases.txt", "card.md"):
        assert (place / "audits" / "toy.csv" / name).stat().st_size > 100


def test_the_repair_clears_and_is_compared(place: Path) -> None:
    assert (place / "repaired" / "repair.yaml").is_file()
    text = (place / "2.txt").read_text(encoding="utf-8")
    assert "Against the earlier audit" in text
    assert "gap" in text.split("Against the earlier audit")[1]
    again = report(place, "repaired")
    findings = again["findings"]
    assert isinstance(findings, list)
    assert not [one["cue"] for one in findings if one["shown"] and one["cue_kind"] != "debatable"]


def test_the_grades_of_the_page_are_those_of_the_code() -> None:
    from cmdfd.audit.severity import GRADES

    text = PAGE.read_text(encoding="utf-8")
    for bound, name in GRADES:
        [row] = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
        assert f".{round(bound * 100):02d}" in row
