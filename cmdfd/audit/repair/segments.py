"""Forged stretches through a cut: moved to the new clock, and whether enough of them is left."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from cmdfd.clip import Modality, Segment
from cmdfd.errors import MediaError

#: What it is called where a table does not say which stream a stretch belongs to.
DEFAULT_MODALITY = Modality.BOTH


def segments_of(value: Any) -> tuple[Segment, ...]:
    """Read the segments of a table's cell.

    Args:
        value: None, NaN, JSON text, or a sequence of `Segment`, mappings or tuples (start, end, modality), in seconds;
            a modality may be left out.

    Raises:
        MediaError: "unsupported" where it is something else.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)) or value == "":
        return ()
    try:
        rows = json.loads(value) if isinstance(value, str) else value
        if not isinstance(rows, Iterable) or isinstance(rows, Mapping):
            raise TypeError("not a sequence")
        return tuple(_one(row) for row in rows)
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise MediaError("unsupported", "segments", f"its segments cannot be read: {error}") from error


def _one(row: Any) -> Segment:
    if isinstance(row, Segment):
        return row
    if isinstance(row, Mapping):
        return Segment(float(row["start"]), float(row["end"]), Modality(row.get("modality") or DEFAULT_MODALITY))
    modality = Modality(row[2]) if len(row) > 2 and row[2] else DEFAULT_MODALITY
    return Segment(float(row[0]), float(row[1]), modality)


def in_window(segments: Iterable[Segment], start: float, seconds: float) -> tuple[Segment, ...]:
    """Segments on the clock of a window, cut at its ends; those outside are left out.

    Args:
        segments: On the clip's clock.
        start: Where the window begins, seconds.
        seconds: Its length.
    """
    moved = [(max(one.start - start, 0.0), min(one.end - start, seconds), one.modality) for one in segments]
    return tuple(Segment(round(a, 9), round(b, 9), modality) for a, b, modality in moved if b - a > 1e-6)


def lost_stream(before: Iterable[Segment], after: Iterable[Segment], least: float) -> str:
    """Name of a stream that was forged in places and of whose forged stretches less than `least` seconds are left.

    Args:
        before: Segments of the clip.
        after: Those of the window.
        least: Seconds.

    Returns:
        "audio", "video" or "audiovisual"; "" where nothing is lost. A stretch that was shorter than `least` from the
        first must only still be there whole.
    """
    kept = list(after)
    for modality in Modality:
        had = sum(one.end - one.start for one in before if one.modality == modality)
        left = sum(one.end - one.start for one in kept if one.modality == modality)
        if had > 0 and left < min(least, had) - 1e-6:
            return str(modality)
    return ""


def to_rows(segments: Iterable[Segment]) -> list[dict[str, Any]]:
    """JSON-able form, as in the tables."""
    return [{"start": one.start, "end": one.end, "modality": str(one.modality)} for one in segments]
