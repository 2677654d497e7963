"""Stretches for detectors that give scores over time but name no stretches, by one rule for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


#: Name of the rule; it stands in `benchmarks.metrics.proposals`.
RULE = "segments_from_scores"


def propose(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Fill the columns `proposals` and `proposal_rule`.

    A detector that names stretches anywhere in the table is taken at its word everywhere: where it names none, it says
    that nothing is forged. Only for one that never does are stretches made of its scores over time; its own column
    `segments` stays empty. They are made for untrimmed clips, by which localization is judged.

    Args:
        rows: Rows of the predictions table.

    Returns:
        The same rows, with `proposal_rule` "" where the detector's own stretches count.

    Raises:
        CmdfdError: With detector and clip, where its times are not those of the clip.
    """
    silent = _without_stretches(rows)
    return [
        {**row, "proposals": _proposals(row), "proposal_rule": RULE}
        if row["detector"] in silent
        else {**row, "proposals": [], "proposal_rule": ""}
        for row in rows
    ]


def _proposals(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    from benchmarks.metrics.proposals import segments_from_scores

    if row["condition"] != "untrimmed" or row["frame_scores"] is None or not len(row["frame_scores"]):
        return []
    try:
        found = segments_from_scores(row["times"], row["frame_scores"], row["duration"])
    except ValueError as error:
        raise CmdfdError(f"detector {row['detector']!r}, clip {row['id']!r}: {error}") from error
    return [
        {
            "start": one.segment.start,
            "end": one.segment.end,
            "modality": str(one.segment.modality),
            "confidence": one.confidence,
        }
        for one in found
    ]


def _without_stretches(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Detectors that give scores over time and name no stretch in any clip."""
    scored = {row["detector"] for row in rows if row["frame_scores"] is not None and len(row["frame_scores"])}
    return scored - {row["detector"] for row in rows if row["segments"] is not None and len(row["segments"])}


def stretches(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a row is judged by: the detector's own stretches, or those made of its scores."""
    found = row.get("proposals") if row.get("proposal_rule") else row.get("segments")
    return list(found) if found is not None else []
