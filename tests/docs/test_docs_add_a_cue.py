"""The page "add a cue" is executed: its package is installed from the page, found by entry point, and finds a fade."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cmdfd.media.encode import write_clip
from cmdfd.media.settings import EncoderSettings

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "add_a_cue.md"
SR = 16000


def blocks(language: str) -> list[str]:
    """Fenced code blocks of the page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the page's package, installed as a stranger would, so that it has entry-point metadata."""
    for needed in ("pip", "setuptools"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed in this environment")
    source = tmp_path_factory.mktemp("my-cues")
    target = tmp_path_factory.mktemp("site")
    (source / "my_cues").mkdir()
    (source / "my_cues" / "__init__.py").write_text("", encoding="utf-8")
    [module] = blocks("python")
    (source / "my_cues" / "tail.py").write_text(module, encoding="utf-8")
    [project] = blocks("toml")
    (source / "pyproject.toml").write_text(project, encoding="utf-8")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--disable-pip-version-check", "--target", str(target), str(source)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reals and fakes of 16 people; the fakes fade out over their last 30 ms."""
    root = tmp_path_factory.mktemp("sets")
    fade = np.linspace(1, 0.01, round(0.030 * SR))
    for person in range(16):
        for name in ("real", "fake"):
            rng = np.random.default_rng([person, name == "fake"])
            sound = 0.1 * rng.normal(size=round(0.8 * SR))
            if name == "fake":
                sound[-len(fade) :] *= fade
            picture = rng.integers(0, 255, (20, 32, 32, 3), dtype=np.uint8)
            path = root / name / f"{person:02d}.mp4"
            path.parent.mkdir(exist_ok=True)
            write_clip(path, picture, 25.0, sound.astype(np.float32), SR, EncoderSettings(crf=40))
    return root


def audit(installed: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the auditor with the installed package on its path, away from the source tree."""
    path = os.pathsep.join(filter(None, [str(installed), str(ROOT), os.environ.get("PYTHONPATH", "")]))
    env = {**os.environ, "PYTHONPATH": path, "COLUMNS": "100", "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "cmdfd.audit", *words, "--draws", "999", "--no-deeper", "--workers", "1"]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=200, cwd=cwd, env=env)


def test_the_page_has_the_blocks_and_commands_that_are_tried_here() -> None:
    [commands] = blocks("bash")
    assert commands.splitlines() == [
        "pip install -e .",
        "python -m cmdfd.audit DATASET --plugin tail",
        "python -m cmdfd.audit DATASET --plugin tail --cues tail silence",
    ]


def test_every_file_that_the_page_names_is_there() -> None:
    for name in re.findall(r"\]\(\.\./([\w/.]+)\)", PAGE.read_text(encoding="utf-8")):
        assert (ROOT / name).exists(), name


def test_the_cue_finds_the_fade(installed: Path, folders: Path, tmp_path: Path) -> None:
    words = (str(folders / "real"), str(folders / "fake"), "--plugin", "tail", "--cues", "tail", "silence")
    done = audit(installed, tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert "fade at the end of the sound" in done.stdout
    [path] = tmp_path.rglob("audit.json")
    report = json.loads(path.read_text(encoding="utf-8"))
    found = {one["cue"]: one for one in report["findings"] if one["analysis"] == "all"}
    assert {name.split(".")[0] for name in found} <= {"tail", "silence"}
    assert found["tail.fade"]["severity"] == "critical"
    assert found["tail.fade"]["rank"]["auc"] == 1.0
    assert not found["tail.fade"]["higher_in_fakes"]
    assert found["tail.fade"]["fix"] == "crop"


def test_a_wrong_name_is_told_with_the_right_one(installed: Path, folders: Path, tmp_path: Path) -> None:
    done = audit(installed, tmp_path, str(folders / "real"), str(folders / "fake"), "--plugin", "tial")
    assert done.returncode == 2
    assert "did you mean 'tail'?" in done.stderr
