"""Fixtures for tests against a loopback Hub."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from loopback_hub import LoopbackHub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CARD = """---
license: cc0-1.0
pretty_name: Tiny
configs:
- config_name: default
  data_files:
  - split: test
    path: test/**
---
# Tiny
"""


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    pytest.importorskip("huggingface_hub", reason="needs the extra 'hub'")
    with LoopbackHub() as served:
        yield served


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A folder as staging makes it, small: a card, a table, three media with the same seed each time."""
    folder, chance = tmp_path / "tiny", random.Random(1)
    (folder / "test/videos/000").mkdir(parents=True)
    (folder / "README.md").write_text(CARD)
    (folder / "credits.csv").write_text("id,credit\nc0,nobody\n")
    (folder / "test/metadata.parquet").write_bytes(chance.randbytes(900))
    for index in range(3):
        (folder / f"test/videos/000/c{index}.mp4").write_bytes(chance.randbytes(5000 + index))
    return folder
