"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A shared machine may stall for a second; the time of one example proves nothing.
settings.register_profile("cmdfd", deadline=None)
settings.load_profile("cmdfd")

# On a busy machine, the threads of scikit-learn and PyTorch would wait for each other at full speed and take several
# times the processor time. Read when they are loaded, which no test has done yet; child processes inherit it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture(scope="session")
def shared_clips() -> Path:
    """Folder of real clips for trials; `CMDFD_REAL_CLIPS` overrides where it is looked for."""
    named = os.environ.get("CMDFD_REAL_CLIPS")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "clips"
    if not (folder / "INVENTORY.csv").is_file():
        pytest.skip(f"no real clips at {folder.name}: set CMDFD_REAL_CLIPS to a folder with an INVENTORY.csv")
    return folder


@pytest.fixture(scope="session")
def shared_checkpoints() -> Path:
    """Folder of tensor lists of released checkpoints; `CMDFD_CHECKPOINT_LISTS` overrides."""
    named = os.environ.get("CMDFD_CHECKPOINT_LISTS")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "checkpoints"
    if not (folder / "mds.tsv").is_file():
        pytest.skip("no checkpoint tensor lists: set CMDFD_CHECKPOINT_LISTS to a folder with mds.tsv")
    return folder
