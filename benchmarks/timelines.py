"""Picking clips for the report and collecting what a timeline shows of them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from benchmarks.report.timeline import TimelineItem
from cmdfd.clip import REAL_KIND
from cmdfd.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from benchmarks.detector import ClipView
    from benchmarks.protocol import Protocol
    from benchmarks.results import TaskResult, Threshold

Domain = Literal["in", "cross", "unknown"]

#: Thumbnails on a timeline and points of its sound envelope.
N_THUMBNAILS = 8
N_ENVELOPE = 400
#: Ranked proposals that a timeline keeps.
MOST_PROPOSALS = 4


def envelope(samples: NDArray[np.float32], n: int = N_ENVELOPE) -> NDArray[np.float32]:
    """Peak of |samples| in `n` equal stretches."""
    if not len(samples):
        return np.zeros(n, np.float32)
    edges = np.linspace(0, len(samples), n + 1).astype(int)
    return np.array(
        [float(np.abs(samples[a : max(b, a + 1)]).max(initial=0.0)) for a, b in itertools.pairwise(edges)],
        dtype=np.float32,
    )


def item_of(
    view: ClipView, row: dict[str, Any], threshold: Threshold | None, title: str, domain: Domain = "unknown"
) -> TimelineItem:
    """Collect thumbnails, envelope, scores and segments of one clip.

    Args:
        view: The clip.
        row: Its row of the predictions table, or the columns of it that are known.
        threshold: Where the detector's decision falls.
        title: Name for people.
        domain: Whether the clip is of a set that the detector was trained on.
    """
    frames = view.frames()
    picks = np.linspace(0, len(frames) - 1, min(N_THUMBNAILS, len(frames))).round().astype(int)
    try:
        sound = view.audio()
    except MediaError:
        sound = np.zeros(0, np.float32)
    times = row.get("times")
    scores = row.get("frame_scores")
    return TimelineItem(
        title=title,
        dataset=str(row.get("dataset", "")),
        kind=str(row.get("kind", "")),
        detector=str(row.get("detector", "")),
        score=row.get("score"),
        frames=[np.ascontiguousarray(frames[i]) for i in picks],
        frame_times=[float(i / view.fps) for i in picks],
        envelope=envelope(sound),
        times=np.asarray(times if times is not None else [], dtype=np.float64),
        frame_scores=np.asarray(scores if scores is not None else [], dtype=np.float64),
        threshold=threshold.value if threshold else None,
        threshold_origin=threshold.chosen_on if threshold else "",
        domain=domain,
        error=row.get("error"),
        true_segments=list(row.get("true_segments") or []),
        predicted_segments=list(row.get("segments") or []),
        proposals=_surest(row.get("proposals")),
        duration=len(frames) / view.fps,
    )


def _surest(proposals: Sequence[dict[str, Any]] | None) -> list[dict[str, Any]]:
    given = [] if proposals is None else list(proposals)
    return sorted(given, key=lambda one: -float(one["confidence"]))[:MOST_PROPOSALS]


def pick_rows(table: pd.DataFrame, detector: str, per_set: int = 5) -> list[dict[str, Any]]:
    """Rows of one detector for the report: of each set the median-scored real and the median-scored fake of each kind.

    The median is neither the best nor the worst case, so that the pictures do not flatter.
    """
    rows: list[dict[str, Any]] = []
    plain = table[(table["detector"] == detector) & (table["condition"] == "untrimmed") & table["score"].notna()]
    for _, of_set in plain.groupby("dataset", sort=False):
        kinds = [REAL_KIND, *sorted(set(of_set["kind"]) - {REAL_KIND})][:per_set]
        for kind in kinds:
            of_kind = of_set[of_set["kind"] == kind].sort_values(["score", "id"])
            if len(of_kind):
                record: dict[str, Any] = of_kind.iloc[len(of_kind) // 2].to_dict()
                rows.append(record)
    return rows


def title_of(row: Mapping[str, Any]) -> str:
    """Name of a clip for people: set, kind and grade, and where it went."""
    details = [str(row[name]) for name in ("variant", "scene", "platform") if row.get(name)]
    return f"{row['dataset']}: {row['kind']}" + (f" ({', '.join(details)})" if details else "")


def collect(table: pd.DataFrame, protocol: Protocol, tasks: Sequence[TaskResult], detector: str) -> list[TimelineItem]:
    """Timelines of a few clips of every report split.

    Args:
        table: All predictions.
        protocol: The opened sets.
        tasks: Results, for thresholds and domains.
        detector: Whose scores are drawn.
    """
    from benchmarks.features import prepare

    of_detector = {task.dataset: task for task in tasks if task.detector == detector}
    views = {(part.data.name, item.clip.id): item for part in protocol.report for item in prepare(part)}
    items = []
    for row in pick_rows(table, detector):
        prepared = views[str(row["dataset"]), str(row["id"])]
        task = of_detector[str(row["dataset"])]
        items.append(item_of(prepared.view(), row, task.threshold, title_of(row), task.domain))
    return items
