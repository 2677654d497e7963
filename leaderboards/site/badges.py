"""Badges for a system's own page: shields endpoint records, and pictures that need nobody else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from cmdfd.report.text import clean, number, shorten
from leaderboards.site import words

if TYPE_CHECKING:
    from leaderboards.standings import Standing

#: Text on these backgrounds is white and reaches a contrast of 4.5 : 1 (WCAG 2.2, 1.4.3).
_GOOD, _PLAIN, _GREY, _BAD = "#0b6b4f", "#0b5cad", "#545d68", "#ad2b2b"
_LABEL = "#2b323a"
_HEIGHT, _PAD = 20, 7
#: Greatest width of a letter at 11 px; `textLength` makes the text fit whatever the font.
_LETTER = 6.4


@dataclass(frozen=True, slots=True)
class Badge:
    """What a badge says.

    Args:
        label: Left part.
        message: Right part.
        colour: Of the right part, "#rrggbb".
    """

    label: str
    message: str
    colour: str


def badge_of(row: Standing, title: str) -> Badge:
    """The badge of a system.

    Args:
        row: The system.
        title: Title of the board.
    """
    label = shorten(title, 48)
    if row.state == "withdrawn":
        return Badge(label, "withdrawn", _BAD)
    auc = f"AUC {number(row.macro.value)}" if row.macro.value is not None else ""
    if row.floor:
        return Badge(label, " · ".join(filter(None, ("floor", auc))), _GREY)
    if not row.ranked:
        return Badge(label, "not ranked", _GREY)
    message = " · ".join(filter(None, (f"rank {words.rank(row)}", auc, row.state)))
    return Badge(label, message, _GOOD if row.state == "verified" else _PLAIN)


def endpoint(badge: Badge) -> str:
    """JSON for the endpoint badge of shields: version 1 of its schema."""
    fields = {"schemaVersion": 1, "label": badge.label, "message": badge.message, "color": badge.colour.lstrip("#")}
    return json.dumps(fields, indent=1) + "\n"


def picture(badge: Badge) -> str:
    """The badge as a document of SVG, 20 px high."""
    label, message = escape(clean(badge.label)), escape(clean(badge.message))
    left, right = (_PAD * 2 + _LETTER * len(text) for text in (clean(badge.label), clean(badge.message)))
    whole = left + right

    def text(words: str, start: float, width: float) -> str:
        return (
            f'<text x="{start + width / 2:.1f}" y="14" textLength="{width - 2 * _PAD:.1f}" '
            f'lengthAdjust="spacingAndGlyphs">{words}</text>'
        )

    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole:.1f}" height="{_HEIGHT}" '
        f'viewBox="0 0 {whole:.1f} {_HEIGHT}" role="img" aria-label="{label}: {message}">'
        f"<title>{label}: {message}</title>"
        f'<path fill="{_LABEL}" d="M3 0H{left:.1f}V20H3a3 3 0 0 1-3-3V3a3 3 0 0 1 3-3z"/>'
        f'<path fill="{badge.colour}" d="M{left:.1f} 0H{whole - 3:.1f}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3H{left:.1f}z"/>'
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11">'
        f"{text(label, 0, left)}{text(message, left, right)}</g></svg>\n"
    )
