"""Remarks on systems that order all clips exactly as another does.

Predictions are public, so anybody can send those of another system under a name of their own, as they are or bent by a
function that rises. Equal systems share a rank and nothing is proved by it: a system may be submitted twice in good
faith. So it is a remark on the pages of both, not a refusal. A copy to which noise was added is not found.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leaderboards.entries import Entry

#: Below this many distinct scores (constant floors, say) an equal order says nothing.
FEWEST_SCORES = 10
#: So many are named in one remark.
_MOST_NAMED = 3


def with_copies_noted(entries: Sequence[Entry]) -> list[Entry]:
    """The same entries; those that order the clips of every set alike have a note.

    Args:
        entries: Verified submissions of one board.
    """
    alike: dict[bytes, list[str]] = defaultdict(list)
    orders = [_order(entry) for entry in entries]
    for entry, order in zip(entries, orders, strict=True):
        if order is not None:
            alike[order].append(entry.submission.system.slug)
    return [_noted(entry, alike.get(order or b"", [])) for entry, order in zip(entries, orders, strict=True)]


def _noted(entry: Entry, slugs: Sequence[str]) -> Entry:
    others = sorted(set(slugs) - {entry.submission.system.slug})
    if not others:
        return entry
    more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
    named = f"{', '.join(others[:_MOST_NAMED])}{more}"
    return replace(entry, notes=(*entry.notes, f"orders all clips of all sets exactly as {named}: one and the same?"))


def _order(entry: Entry) -> bytes | None:
    """Hash of how the clips of all sets are ordered, ties and failures included; None where there is little order."""
    found = hashlib.sha256()
    distinct = 0
    for name in sorted(entry.answers):
        values, places = np.unique(entry.answers[name].scores, return_inverse=True)
        distinct = max(distinct, len(values))
        found.update(f"{name}:{len(places)}:".encode())
        found.update(np.where(np.isnan(entry.answers[name].scores), -1, places).astype("<i8").tobytes())
    return found.digest() if distinct >= FEWEST_SCORES else None
