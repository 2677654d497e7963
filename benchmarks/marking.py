"""Collecting what the pictures of masks over frames show: frames, truth and maps of the clips of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.report.marks import MOST_MARKED, MarkedItem
from benchmarks.shown_maps import read_shown_maps
from benchmarks.timelines import pick_rows, title_of

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from benchmarks.features import PreparedClip
    from benchmarks.protocol import Protocol, Selection

#: Frames of a clip that are shown.
N_FRAMES = 4


def collect_marks(table: pd.DataFrame, protocol: Protocol, folder: Path, detector: str) -> list[MarkedItem]:
    """Clips with masks first, then one clip without forged pixels; the maps are those of the run directory.

    Args:
        table: All predictions.
        protocol: The opened sets.
        folder: The run directory.
        detector: Whose maps are shown.
    """
    from benchmarks.features import prepare

    shown: list[tuple[dict[str, Any], NDArray[np.uint8]]] = []
    for row in pick_rows(table, detector):
        maps = read_shown_maps(folder, row)
        if maps is not None:
            shown.append((row, maps))
    if not shown:
        return []
    items = {(part.data.name, item.clip.id): (part, item) for part in protocol.report for item in prepare(part)}
    forged: list[MarkedItem] = []
    other: list[MarkedItem] = []
    for row, maps in shown:
        part, item = items[str(row["dataset"]), str(row["id"])]
        found = _item(row, part, item, maps)
        (forged if found.truth is not None and found.truth.any() else other).append(found)
    kept = forged[: MOST_MARKED - 1] if other else forged[:MOST_MARKED]
    reals = [one for one in other if one.kind == "real"] or other
    return [*kept, *reals[:1]]


def _item(row: dict[str, Any], part: Selection, item: PreparedClip, maps: NDArray[np.uint8]) -> MarkedItem:
    frames = item.view().frames()
    truth = _truth(part, item, len(frames))
    picks = _picks(truth, min(len(frames), len(maps)))
    return MarkedItem(
        title=title_of(row),
        kind=str(row["kind"]),
        detector=str(row["detector"]),
        score=row["score"],
        frames=np.ascontiguousarray(frames[picks]),
        times=picks / item.clip.fps,
        heat=maps[picks],
        truth=None if truth is None else truth[picks],
    )


def _truth(part: Selection, item: PreparedClip, n_frames: int) -> NDArray[np.bool_] | None:
    """[T, H, W] forged pixels on the frames of the clip, paired by time; None where they are not known."""
    from benchmarks.metrics.spatial_counts import nearest_maps
    from benchmarks.pixels import truth_kind
    from cmdfd.media.masks import forged, read_mask

    mask = part.data.mask_of(item.clip)
    kind = truth_kind(item.clip, mask)
    if kind in ("unknown", "absent"):
        return None
    if mask is None:
        return np.zeros((n_frames, item.clip.height, item.clip.width), dtype=bool)
    video = read_mask(mask)
    chosen = nearest_maps(np.arange(n_frames) / item.clip.fps, video.times)
    found = forged(video.frames)[np.maximum(chosen, 0)]
    found[chosen < 0] = False
    return found


def _picks(truth: NDArray[np.bool_] | None, n_frames: int) -> NDArray[np.int64]:
    """Frames evenly over those with forged pixels, or over the whole clip where there are none."""
    there = np.flatnonzero(truth[:n_frames].any(axis=(1, 2))) if truth is not None else np.empty(0, np.int64)
    pool = there if len(there) else np.arange(n_frames)
    # the middles of equal parts, so that no picture stands at the very edge of a forged stretch
    middles = (np.arange(min(N_FRAMES, len(pool))) + 0.5) * len(pool) / min(N_FRAMES, len(pool))
    return np.asarray(pool[middles.astype(np.int64)], np.int64)
