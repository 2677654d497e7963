"""What verification hands to ranking: predictions aligned with the board's truth, nothing of them claimed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from leaderboards.records import Board, BoardSet, Rules, Submission


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What a board knows of the clips of one set.

    Args:
        set: Its entry in the board.
        table: One row a clip, sorted by id: id, sha256, label (int8), kind, variant, component, platform, scene,
            original, duration, true_segments, masked_pixels and pixels (int64; -1 where unknown).
    """

    set: BoardSet
    table: pd.DataFrame


@dataclass(frozen=True, slots=True, eq=False)
class OpenBoard:
    """A board with its rules and truths, read and checked.

    Args:
        board: Its file.
        rules: The rules it names.
        truths: Set name -> truth, in the board's order.
        private: Whether a truth is kept at home: nothing that goes public may tell a label.
    """

    board: Board
    rules: Rules
    truths: dict[str, Truth]
    private: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a system said about the clips of one set, in the order of `Truth.table`.

    Args:
        scores: [n] float64, higher = more fake; NaN where the clip failed.
        rows: [n] rows with `times`, `frame_scores`, `proposals`, `proposal_rule`, `error`, as in predictions.parquet.
        trimmed: [n] scores without the leading silence; None where they were not submitted.
        pixels: Rows of pixels.parquet of this set, checked against the truth; None where there are none.
    """

    scores: NDArray[np.float64]
    rows: pd.DataFrame
    trimmed: NDArray[np.float64] | None = None
    pixels: list[dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A verified submission.

    Args:
        submission: Its file.
        answers: Set name -> answers; all sets of the board.
        notes: What verification remarks without refusing, e.g. that all sets are below chance.
        sha256: Of the file's bytes; "" where there is no file.
    """

    submission: Submission
    answers: dict[str, Answers] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    sha256: str = ""
