"""Holds a second run of a system against what was submitted, and writes what maintainers decide into the submission."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.cache import write_atomic
from cmdfd.errors import CmdfdError
from leaderboards.records import MATCH_TOLERANCE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from leaderboards.entries import Entry, OpenBoard


@dataclass(frozen=True, slots=True)
class Match:
    """How two runs of a system agree.

    Args:
        max_difference: Largest absolute difference of a score; infinite where a clip failed in one run only.
        rank_agreement: Smallest Spearman correlation over the sets; NaN where it is undefined.
        n_clips: Clips that were compared, all sets together.
        differs: (set, clip id) of the largest difference.
    """

    max_difference: float
    rank_agreement: float
    n_clips: int
    differs: tuple[str, str]


def compare(board: OpenBoard, entry: Entry, scores: Mapping[str, Mapping[str, float]]) -> Match:
    """Compare a rerun with what was submitted.

    Args:
        board: The board.
        entry: The verified submission.
        scores: Set name -> clip id -> score of the rerun, NaN where the clip failed.

    Raises:
        CmdfdError: If the rerun does not cover the board.
    """
    worst, at, total = 0.0, ("", ""), 0
    agreement = []
    for name, truth in board.truths.items():
        ids = list(truth.table["id"])
        missing = [one for one in ids if one not in scores.get(name, {})]
        if missing:
            raise CmdfdError(f"the rerun lacks {len(missing)} of {len(ids)} clips of {name}, e.g. {missing[0]!r}")
        first, second = entry.answers[name].scores, np.array([scores[name][one] for one in ids])
        gone = np.isnan(first), np.isnan(second)
        gaps = np.where(gone[0] & gone[1], 0.0, np.where(gone[0] | gone[1], np.inf, np.abs(first - second)))
        both = ~gone[0] & ~gone[1]
        agreement.append(_spearman(first[both], second[both]))
        total += len(ids)
        if float(gaps.max()) >= worst:
            worst, at = float(gaps.max()), (name, ids[int(gaps.argmax())])
    return Match(worst, float(np.min(agreement)), total, at)


def _spearman(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Correlation of ranks, tied ones averaged; NaN where either side is constant."""
    import pandas as pd

    ranks = [pd.Series(one).rank().to_numpy() for one in (first, second)]
    if len(first) < 2 or any(one.std() == 0 for one in ranks):
        return float("nan")
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def verify_rerun(board: OpenBoard, entry: Entry, path: Path, args: argparse.Namespace) -> list[str]:
    """`--rerun`: compare, and with `--stamp` write the reproduction into the submission.

    Args:
        board: The board.
        entry: The verified submission.
        path: Its YAML.
        args: Of `leaderboards.verify`.

    Returns:
        Lines to print.

    Raises:
        CmdfdError: If the runs differ by more than the tolerance, or the rerun cannot be read.
    """
    from leaderboards.composing import open_run, scores_of

    run = open_run(args.rerun, args.detector)
    match = compare(board, entry, scores_of(run, board))
    at = f" ({match.differs[0]}, clip {match.differs[1]})" if match.max_difference else ""
    agree = f"rank correlation {match.rank_agreement:.6f}"
    said = f"{match.n_clips} clips, largest difference {match.max_difference:.3g}{at}, {agree}"
    if not match.max_difference <= args.tolerance:  # so that NaN is no tolerance
        raise CmdfdError(f"{path.name}: the rerun differs: {said}; the tolerance is {args.tolerance:g}")
    lines = [f"  the rerun agrees: {said}"]
    if not args.stamp:
        return [*lines, "  write it down with --stamp --by NAME"]
    if not args.by:
        raise CmdfdError("--stamp needs --by NAME: who ran it again")
    if match.max_difference > MATCH_TOLERANCE:
        allowed = f"a stamp allows {MATCH_TOLERANCE:g}, whatever --tolerance says"
        raise CmdfdError(f"{path.name}: the rerun differs by {match.max_difference:.3g}: {allowed}")
    stamp = {
        "by": args.by,
        "on": _today(),
        "match": "inference",
        "version": run.harness,
        "max_difference": float(match.max_difference),
        "predictions_sha256": entry.submission.predictions.sha256,
    }
    write_field(path, "reproduction", stamp)
    return [*lines, f"  stamped by {args.by}"]


def stamp_withdrawal(path: Path, reason: str) -> None:
    """`--withdraw`: the system stays listed and loses its rank.

    Args:
        path: The submission's YAML.
        reason: For the page.

    Raises:
        CmdfdError: For an empty reason.
    """
    if not reason.strip():
        raise CmdfdError("--withdraw needs a reason, which the page shows")
    write_field(path, "withdrawn", {"on": _today(), "reason": reason.strip()})


def write_field(path: Path, field: str, value: Mapping[str, Any]) -> None:
    """Write one block of a YAML file; comments and the order of the others stay.

    Args:
        path: The file.
        field: Its name.
        value: What is written.
    """
    import io

    from ruamel.yaml import YAML

    yaml = YAML(typ="rt")
    yaml.width = 1000
    yaml.preserve_quotes = True
    tree = yaml.load(path.read_text("utf-8"))
    tree[field] = dict(value)
    stream = io.StringIO()
    yaml.dump(tree, stream)
    write_atomic(path, stream.getvalue().encode("utf-8"))


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
