"""Fixtures of the pages that build a set: it is built once, by the command that the pages have."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from doc_pages import BUILD, python, ran

sys.path.append(str(Path(__file__).resolve().parents[1] / "hub"))  # the loopback Hub and its clients


@pytest.fixture(scope="session")
def built_mini_b(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder `data` with the set of the pages; copy it, for the commands of a page change what they are given."""
    folder = tmp_path_factory.mktemp("pages")
    ran(python(BUILD.split()[1:], folder))
    return folder / "data"
