"""Cues and plain checks that need the whole set rather than one file: names, order, texts, copies, labels, gaps."""

from __future__ import annotations

from cmdfd.audit.setcues.checks import set_checks
from cmdfd.audit.setcues.cues import SET_CUES, set_cues
from cmdfd.audit.setcues.demography import demographic_cues, demographic_table
from cmdfd.audit.setcues.prints import PRINT_COLUMNS, fingerprint

__all__ = [
    "PRINT_COLUMNS",
    "SET_CUES",
    "demographic_cues",
    "demographic_table",
    "fingerprint",
    "set_checks",
    "set_cues",
]
