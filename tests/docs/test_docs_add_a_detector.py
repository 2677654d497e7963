"""The page "add a detector" is executed: its package is installed from the page and found by entry point."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "add_a_detector.md"


def blocks(language: str) -> list[str]:
    """Fenced code blocks of the page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the page's package, installed as a stranger would, so that it has entry-point metadata."""
    for needed in ("pip", "setuptools"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed in this environment")
    source = tmp_path_factory.mktemp("my-pkg")
    target = tmp_path_factory.mktemp("site")
    (source / "my_pkg").mkdir()
    (source / "my_pkg" / "__init__.py").write_text("", encoding="utf-8")
    [code] = blocks("python")
    (source / "my_pkg" / "sync.py").write_text(code, encoding="utf-8")
    [project] = blocks("toml")
    (source / "pyproject.toml").write_text(project, encoding="utf-8")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--disable-pip-version-check", "--target", str(target), str(source)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return target


def python(installed: Path, *arguments: str, cwd: Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run the environment's Python with the installed package on its path, away from the source tree."""
    path = os.pathsep.join(filter(None, [str(installed), str(ROOT), os.environ.get("PYTHONPATH", "")]))
    env = {**os.environ, "PYTHONPATH": path, "COLUMNS": "200", "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=timeout, cwd=cwd, env=env)


def test_the_page_has_one_detector_and_one_project_file() -> None:
    assert len(blocks("python")) == 1
    assert len(blocks("toml")) == 1
    assert len(blocks("python")[0].splitlines()) < 150


def test_commands_of_the_page_are_those_tried_here() -> None:
    [commands] = blocks("bash")
    assert commands.splitlines() == [
        "python -m benchmarks.check --detector my_pkg.sync:SyncCorrelation",
        "pip install -e .",
        "python -m benchmarks.run --list detectors",
        "python -m benchmarks.run --detector sync-correlation",
    ]


@pytest.mark.parametrize(
    "name", [pytest.param("my_pkg.sync:SyncCorrelation", marks=pytest.mark.slow), "sync-correlation"]
)
def test_check_passes_by_class_and_by_entry_point(installed: Path, tmp_path: Path, name: str) -> None:
    done = python(installed, "-m", "benchmarks.check", "--detector", name, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "saves and loads" in done.stdout
    assert "failed" not in done.stdout


def test_check_finds_a_flipped_sign(installed: Path, tmp_path: Path) -> None:
    """The check is able to fail: the same detector with its targets swapped breaks a promise."""
    code = (installed / "my_pkg" / "sync.py").read_text(encoding="utf-8")
    flipped = code.replace("1.0 if row.labels.label else -1.0", "-1.0 if row.labels.label else 1.0")
    assert flipped != code
    (tmp_path / "flipped.py").write_text(flipped, encoding="utf-8")
    done = python(installed, "-m", "benchmarks.check", "--detector", "flipped.py:SyncCorrelation", cwd=tmp_path)
    assert done.returncode == 1
    assert "higher must mean more fake" in " ".join(done.stdout.split())


def test_listed_by_entry_point(installed: Path, tmp_path: Path) -> None:
    done = python(installed, "-m", "benchmarks.run", "--list", "detectors", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    [row] = [line for line in done.stdout.splitlines() if "sync-correlation" in line]
    assert "my_pkg.sync:SyncCorrelation" in row
    assert "audio+video" in row


def test_listing_detectors_imports_nothing_heavy(installed: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from benchmarks.run import main; main(['--list', 'detectors']); "
        "print(sorted({'torch', 'cv2', 'matplotlib', 'sklearn', 'av'} & set(sys.modules)))"
    )
    done = python(installed, "-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_slip_of_the_pen_is_answered_with_the_right_name(installed: Path, tmp_path: Path) -> None:
    done = python(installed, "-m", "benchmarks.check", "--detector", "sync-corelation", cwd=tmp_path)
    assert done.returncode == 2
    assert "did you mean 'sync-correlation'?" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(1500)  # builds the embedded sets where they are not cached
def test_the_whole_job_runs_on_a_few_people(installed: Path, tmp_path: Path) -> None:
    from benchmarks.results import RunResult

    words = ["-m", "benchmarks.run", "--detector", "sync-correlation", "--limit", "6", "-o", str(tmp_path / "runs")]
    done = python(installed, *words, cwd=tmp_path, timeout=1400)
    assert done.returncode == 0, done.stderr
    [path] = (tmp_path / "runs").rglob("result.json")
    result = RunResult.model_validate_json(path.read_text(encoding="utf-8"))
    assert result.status == "success"
    ours = [task for task in result.tasks if task.detector == "sync-correlation"]
    assert {task.dataset for task in ours} == {"mini-a", "mini-b"}
    swaps = [kind for task in ours for kind in task.kinds if kind.kind == "audio/swap" and kind.variant is None]
    # swapped speech is what the detector is made for; six people leave a wide margin
    assert swaps and all(kind.metrics["auc"].value > 0.6 for kind in swaps)
