"""The predicted maps of the few clips that a report shows: written as lossless grey videos, read back for pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cmdfd.clip import content_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from benchmarks.protocol import Protocol
    from benchmarks.runner import Judged, Runner

#: Folder of a run directory.
FOLDER = "maps"


def map_file(folder: Path, row: Mapping[str, Any]) -> Path:
    """Where the maps of a row lie; named by a hash, since ids may come from anywhere."""
    return folder / FOLDER / f"{content_id(*(str(row[name]) for name in ('detector', 'dataset', 'split', 'id')))}.mkv"


def write_shown_maps(folder: Path, table: pd.DataFrame, judged: Judged, runner: Runner, protocol: Protocol) -> None:
    """Write the maps of the clips that the report will show; nothing for a detector without maps.

    Args:
        folder: The run directory.
        table: The predictions.
        judged: The first detector.
        runner: Holds the maps.
        protocol: The opened sets.
    """
    import shutil

    from benchmarks.counting import on_frames
    from benchmarks.predicting import Wanted
    from benchmarks.timelines import pick_rows
    from cmdfd.media.masks import write_mask

    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    if not judged.pixels:
        return
    store = runner.maps(judged.fitted)
    items = {(part.data.name, key): item for part in protocol.report for key, item in runner.prepared(part).items()}
    for row in pick_rows(table, judged.fitted.ref.label):
        item = items[str(row["dataset"]), str(row["id"])]
        maps = store.get(Wanted(item, 0).key)
        if maps is not None:
            path = map_file(folder, row)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_mask(path, on_frames(maps, item.clip.n_frames, item.clip.fps), item.clip.fps)


def read_shown_maps(folder: Path, row: Mapping[str, Any]) -> NDArray[np.uint8] | None:
    """[T, h, w] maps of a row on the frames of its clip, None where there are none."""
    from cmdfd.media.masks import read_mask

    path = map_file(folder, row)
    return read_mask(path).frames if path.is_file() else None
