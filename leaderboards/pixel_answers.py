"""Whether a table of pixel counts is of a board's clips and of the predictions that it came with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.metrics.spatial_counts import LEVELS, PATCH
from benchmarks.pixels import counts_of, twin_of
from leaderboards.answers import SPARE_ROWS
from leaderboards.tables import Bounds, clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from leaderboards.entries import OpenBoard
    from leaderboards.findings import Findings

_LISTS = ("pixels", "patches", "tp", "fp", "fn", "twin_pixels")
#: Sums of int64 counts must not run over; a clip of ten minutes of 8K has 5e11 pixels.
_MOST_COUNT = 2**50
#: Frames that a clip may have for each second, generously, and bytes of the text of a row.
_FRAMES_PER_SECOND, _ROW_BYTES = 250, 2_000
_SUBMIT = "write the file with python -m leaderboards.submit"


def pixel_bounds(board: OpenBoard) -> Bounds:
    """What the pixel counts of a board may come to."""
    tables = [truth.table for truth in board.truths.values()]
    rows = sum(map(len, tables)) + SPARE_ROWS
    frames = sum(int((table["duration"] * _FRAMES_PER_SECOND + 2).sum()) for table in tables)
    memory = rows * (_ROW_BYTES + 3 * 2 * LEVELS * 10) + frames * 3 * 10
    return Bounds(file_bytes=memory, rows=rows, values=max(rows * 2 * LEVELS, frames) + rows, memory=memory)


def check_pixel_rows(
    rows: Sequence[Mapping[str, Any]], board: OpenBoard, failed: Mapping[str, Mapping[str, bool]], findings: Findings
) -> dict[str, list[dict[str, Any]]]:
    """Check the rows of a table of pixel counts and complete them with what the board knows.

    Every clip whose pixels the board knows needs a row; others have none.

    Args:
        rows: Of `leaderboards.predictions.pixel_schema`.
        board: The board.
        failed: Set name -> clip id -> whether its prediction failed.
        findings: Told what is wrong.

    Returns:
        Set name -> rows as of `benchmarks.pixels.read_pixels` (without `detector`), in the order of the truth.
    """
    truths = {name: _known(truth.table) for name, truth in board.truths.items()}
    found: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in truths}
    for number, row in enumerate(rows, start=1):
        name = row["set"]
        if name not in truths:
            fix = f"leave it out; this board has {', '.join(truths)}"
            findings.add("set", f"{clean(str(name))!r} is no set of this board", fix, number)
        elif row["id"] not in truths[name]:
            said = f"{clean(str(row['id']))!r} is no clip of {name} whose pixels the board knows"
            findings.add("id", said, "leave it out", number)
        elif row["id"] in found[name]:
            findings.add("id", f"{row['id']!r} stands twice under {name}", "once each", number)
        else:
            full = _completed(row, name, truths[name][row["id"]])
            found[name][row["id"]] = full
            _check_row(full, truths[name], failed[name][row["id"]], findings, number)
    for name, known in truths.items():
        missing = [one for one in known if one not in found[name]]
        if missing and known:
            said = f"{len(missing)} of {len(known)} clips of {name} are missing, e.g. {missing[0]!r}"
            findings.add(
                "id", said, "give counts for every clip whose pixels the board knows; failed ones as the worst"
            )
    return {name: [found[name][one] for one in known if one in found[name]] for name, known in truths.items()}


def _known(table: pd.DataFrame) -> dict[str, Mapping[str, Any]]:
    kept = table[table["pixels"] >= 0]
    columns = ["id", "label", "masked_pixels", "pixels"]
    rows: list[Any] = kept[columns].to_dict("records")
    return {str(row["id"]): row for row in rows}


def _completed(row: Mapping[str, Any], name: str, truth: Mapping[str, Any]) -> dict[str, Any]:
    dataset, _, split = name.rpartition("/")
    controlled = row["no_twin"] is not None or row["twin_pixels"] is not None
    kind = "mask" if truth["masked_pixels"] > 0 or controlled else "empty"
    place = {"dataset": dataset, "split": split, "condition": "untrimmed", "id": row["id"], "truth": kind}
    return {**place, **{key: value for key, value in row.items() if key not in ("set", "id")}}


def _check_row(
    row: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]], failed: bool, findings: Findings, number: int
) -> None:
    truth = known[row["id"]]
    wrong = next((name for name in _LISTS if not _are_counts(row[name])), None)
    if wrong is not None:
        findings.add(wrong, "has a null, a negative or an enormous number", _SUBMIT, number)
        return
    try:
        counts = counts_of(row)
        twin_of(row)
    except (ValueError, TypeError, OverflowError) as error:
        findings.add("pixels", clean(str(error), 200), _SUBMIT, number)
        return
    assert counts is not None  # noqa: S101 - its truth is known
    if (counts.n_forged, int(counts.pixels.sum())) != (truth["masked_pixels"], truth["pixels"]):
        said = f"counts {counts.n_forged} forged of {counts.pixels.sum()} pixels, the mask has "
        findings.add("pixels", f"{said}{truth['masked_pixels']} of {truth['pixels']}", "use the board's masks", number)
    if int(counts.patches.sum()) * PATCH * PATCH > truth["pixels"]:
        findings.add("patches", f"counts {counts.patches.sum()} patches, more than fit", _SUBMIT, number)
    if truth["label"] == 0 and row["truth"] != "empty":
        findings.add("no_twin", "a real clip has no twin", "leave twin_pixels and no_twin empty", number)
    if row["truth"] == "mask" and (row["twin_pixels"] is None) == (row["no_twin"] is None):
        findings.add("twin_pixels", "a clip with a mask needs either twin_pixels or no_twin", _SUBMIT, number)
    if row["twin"] and (row["twin"] not in known or known[row["twin"]]["label"] != 0):
        findings.add("twin", f"{clean(row['twin'])!r} is no real clip of this set", _SUBMIT, number)
    _check_failed(counts, failed, findings, number)


def _check_failed(counts: Any, failed: bool, findings: Findings, number: int) -> None:
    worst = counts.pixels[0, LEVELS - 1] + counts.pixels[1, 0]
    if counts.failed and (counts.unreached != counts.n_frames or worst != counts.pixels.sum()):
        findings.add("failed", "is true, but the counts are not those of the worst maps", _SUBMIT, number)
    elif not counts.failed and counts.pixels[:, 0].sum() < counts.unreached * counts.frame_pixels:
        findings.add("unreached", f"{counts.unreached} frames without a map need more zeros", _SUBMIT, number)
    elif failed and not counts.failed:
        findings.add("failed", "is false, but the clip failed in the predictions", "one run makes both files", number)


def _are_counts(values: Sequence[Any] | None) -> bool:
    return values is None or all(value is not None and 0 <= value < _MOST_COUNT for value in values)
