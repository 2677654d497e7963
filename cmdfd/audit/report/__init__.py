"""What an audit found, for people and for other programs: terminal, page, JSON, cards."""

from __future__ import annotations

from cmdfd.audit.report.matrix import Matrix, MatrixCell, matrix
from cmdfd.audit.report.page import render_html
from cmdfd.audit.report.prose import biases, card_section
from cmdfd.audit.report.store import read_report, to_json
from cmdfd.audit.report.terminal import print_terminal, terminal

__all__ = [
    "Matrix",
    "MatrixCell",
    "biases",
    "card_section",
    "matrix",
    "print_terminal",
    "read_report",
    "render_html",
    "terminal",
    "to_json",
]
