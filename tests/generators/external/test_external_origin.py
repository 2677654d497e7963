"""What is known of the program that ran: a clean commit, or the bytes of its code."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from generators.external.installed import Installed
from generators.external.origin import code_hash, git_state, origin_of
from generators.external.spec import ExternalSpec

SPEC = {
    "schema_version": 1, "id": "x", "title": "X", "family": "lipsync", "makes": "FVRA", "summary": "x",
    "inputs": {"face": {}, "audio": {}}, "output": {"path": "out.mp4"}, "run": {"argv": ["{python}", "go.py"]},
    "licences": {"code": "MIT", "weights": "none", "commercial": True, "redistribution": True},
}  # fmt: skip


@pytest.fixture(autouse=True)
def _fresh() -> None:
    for cache in (code_hash, git_state):
        cache.cache_clear()


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, "-C", str(folder), *arguments], check=True, capture_output=True)


def code_of(folder: Path) -> str | None:
    for cache in (code_hash, git_state):
        cache.cache_clear()
    found: str | None = origin_of(ExternalSpec.model_validate(SPEC), Installed(checkout=folder))["code"]
    return found


def test_a_changed_program_is_another_one(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "go.py").write_text("print(1)")
    (tmp_path / "models" / "net.py").write_text("WIDTH = 1")
    first = code_of(tmp_path)
    assert first is not None and code_of(tmp_path) == first
    (tmp_path / "result.mp4").write_bytes(b"left by a run")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "go.py").write_text("x")
    assert code_of(tmp_path) == first
    (tmp_path / "models" / "net.py").write_text("WIDTH = 2")
    assert code_of(tmp_path) != first
    (tmp_path / "models" / "net.py").rename(tmp_path / "models" / "other.py")
    assert len({first, code_of(tmp_path)}) == 2


def test_a_clean_commit_says_it_all(tmp_path: Path) -> None:
    (tmp_path / "go.py").write_text("print(1)")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "x")
    assert code_of(tmp_path) is None
    (tmp_path / "go.py").write_text("print(2)")
    changed = code_of(tmp_path)
    assert changed is not None
    (tmp_path / "go.py").write_text("print(3)")
    assert code_of(tmp_path) not in (None, changed)
