"""Fixtures of the external generators' tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from external_bench import Bench, new_bench

from generators.external.contain import probe


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A checkout with one program; tests write the program."""
    return new_bench(tmp_path_factory.mktemp("external"))


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scratch root of the test's own, in a folder whose name has a dot, and a home with nothing in it."""
    root, home = tmp_path / "scratch.d", tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("CMDFD_SCRATCH", str(root))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("CMDFD_CONTAIN", raising=False)
    return root


@pytest.fixture(params=[False, True], ids=["uncontained", "contained"])
def contain(request: pytest.FixtureRequest) -> bool:
    """Both worlds; the contained one only where bubblewrap works."""
    if request.param and not probe().program:
        pytest.skip(probe().reason)
    return bool(request.param)
