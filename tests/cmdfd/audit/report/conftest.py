"""Paths of the tests of audit reports."""

from __future__ import annotations

import sys
from pathlib import Path

# the strict page reader is shared with the tests of cmdfd.report
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "report"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
