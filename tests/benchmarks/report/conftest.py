"""Fixtures of the report tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# the strict page reader is shared with the tests of cmdfd.report
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "cmdfd" / "report"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from synthetic_run import Synthetic, make_run


@pytest.fixture(scope="session")
def synthetic() -> Synthetic:
    """Two sets, four detectors, five kinds with grades, failures, few components in the second set."""
    return make_run(clips=120)
