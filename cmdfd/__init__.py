"""Data layer of the suite: what a clip is, how it is read, audited and released."""

from __future__ import annotations

__version__ = "0.1.0"
