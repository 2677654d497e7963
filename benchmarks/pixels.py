"""Predicted maps on disk, and the table of what they come to (`pixels.parquet`).

`MapStore` keeps the maps of a fitted detector beside its predictions and under the same keys. `pixel_row` pairs them
with the mask of a clip, or with the empty truth, and gives one row of counts; from these rows every pixel metric is
recomputed without any media (`counts_of` and `twin_of`, then `benchmarks.metrics.spatial.evaluate_pixels`).

A row of a clip with a mask also has its control: what the map of its *real twin* (`benchmarks.twins`) comes to under
the same mask, or why there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from benchmarks.detector import PixelMaps
from benchmarks.metrics.spatial_counts import COLUMNS, LEVELS, PixelCounts, count_pixels, worst_counts
from benchmarks.predictions import KEY
from cmdfd.clip import sha256_file
from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from benchmarks.predictions import RowKey
    from cmdfd.clip import Clip

PIXELS_SCHEMA_VERSION = 1
#: How the truth of a clip's pixels is known: from its mask; from its labels (nothing of the picture is forged); or not,
#: since its set has none for it, or this copy of the set came without its folder of masks.
Truth = Literal["mask", "empty", "unknown", "absent"]
TRUTHS = get_args(Truth)
_UNJUDGED = ("unknown", "absent")
#: Columns of the control: the twin's id, its [2, 256] histogram under the fake's mask, and why there is none.
TWIN_COLUMNS = ("twin", "twin_pixels", "no_twin")
NOT_SOUGHT = "no real twin was looked for"


@dataclass(frozen=True, slots=True, eq=False)
class Control:
    """What the detector says of a fake's real twin.

    Args:
        twin: The twin's id; "" where there is none.
        maps: Its maps, on the fake's clock; None where there are none.
        why: What to say where there are none.
    """

    twin: str = ""
    maps: PixelMaps | None = None
    why: str = NOT_SOUGHT


@dataclass(frozen=True, slots=True)
class MapStore:
    """Maps of one fitted detector, one compressed file for each clip, under the keys of `PredictionStore`.

    Args:
        folder: Where the files lie.
        revision: Hash of the fitted detector; another revision never meets these files.
    """

    folder: Path
    revision: str

    def path(self, key: str) -> Path:
        """File of a key."""
        return self.folder / self.revision / key[:2] / f"{key}.npz"

    def __contains__(self, key: str) -> bool:
        return self.path(key).is_file()

    def digest(self, key: str) -> str:
        """SHA-256 of the file of a key; "" where there is none."""
        path = self.path(key)
        return sha256_file(path) if path.is_file() else ""

    def put(self, key: str, maps: PixelMaps) -> None:
        """Keep maps; the file is there whole or not at all, and equal maps give equal bytes."""
        import io

        from cmdfd.cache import write_atomic

        stream = io.BytesIO()
        np.savez_compressed(stream, times=maps.times.astype(np.float64), maps=maps.maps)
        write_atomic(self.path(key), stream.getvalue())

    def get(self, key: str) -> PixelMaps | None:
        """Maps of a key; None where there are none or the file is damaged (it is then removed)."""
        import zipfile
        import zlib

        path = self.path(key)
        try:
            with np.load(path, allow_pickle=False) as data:
                return PixelMaps(data["times"], data["maps"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
            path.unlink(missing_ok=True)
            return None

    def clear(self) -> None:
        """Forget everything of this revision."""
        import shutil

        shutil.rmtree(self.folder / self.revision, ignore_errors=True)


def truth_kind(clip: Clip, mask: Path | None) -> Truth:
    """How the truth of a clip's pixels is known.

    A clip with a mask has that; a real, and a fake of which only the sound is forged (`video_label` 0), have the empty
    truth; any other fake's pixels are unknown (its set has no masks, or withholds them). Where there is no folder of
    masks at all they are absent, as in a copy that leaves them out; one mask of many that is missing is a damage.
    """
    if mask is not None:
        return "mask" if mask.parent.parent.is_dir() else "absent"  # DIR/masks/000/<id>.mkv
    return "empty" if clip.labels.label == 0 or clip.labels.video_label == 0 else "unknown"


def pixel_row(
    key: RowKey,
    clip: Clip,
    mask: Path | None,
    maps: PixelMaps | None,
    skip: int = 0,
    control: Control = Control(),
) -> dict[str, Any]:
    """One row of `pixels.parquet`.

    Args:
        key: Where it belongs.
        clip: The clip.
        mask: Its mask file (`Dataset.mask_of`), or None.
        maps: What the detector says; None = it failed on this clip, which counts as the worst maps there are.
        skip: Frames that were trimmed off the start; the maps' clock starts behind them.
        control: Its real twin; only asked for where there is a mask.

    Raises:
        CmdfdError: Naming clip, mask and reason, where they do not fit.
        MediaError: Where the mask cannot be read.
    """
    truth = truth_kind(clip, mask)
    row: dict[str, Any] = {
        "detector": key.detector,
        "dataset": key.dataset,
        "split": key.split,
        "condition": key.condition,
        "id": clip.id,
        "truth": truth,
        **dict.fromkeys((*COLUMNS, *TWIN_COLUMNS)),
    }
    if truth in _UNJUDGED:
        return row
    frames, times, shape = _truth(clip, mask, skip)
    try:
        counts = worst_counts(frames, len(times), shape) if maps is None else count_pixels(frames, times, shape, maps)
        against = {} if frames is None else _control_row(frames, times, shape, control)
    except ValueError as error:
        raise CmdfdError(f"clip {clip.id!r} ({mask.name if mask else 'no mask'}): {error}") from error
    return {**row, **counts.to_row(), **against}


def _control_row(
    truth: NDArray[np.uint8], times: NDArray[np.float64], shape: tuple[int, int], control: Control
) -> dict[str, Any]:
    if control.maps is None:
        return {"twin": control.twin or None, "twin_pixels": None, "no_twin": control.why}
    pixels = count_pixels(truth, times, shape, control.maps).pixels
    return {"twin": control.twin, "twin_pixels": pixels.ravel().tolist(), "no_twin": None}


def _truth(
    clip: Clip, mask: Path | None, skip: int
) -> tuple[NDArray[np.uint8] | None, NDArray[np.float64], tuple[int, int]]:
    if mask is None:
        times = np.arange(clip.n_frames - skip, dtype=np.float64) / clip.fps
        frames, shape = None, (clip.height, clip.width)
    else:
        from cmdfd.media.masks import read_mask

        video = read_mask(mask)
        start = skip / clip.fps
        kept = video.times >= start - 0.5 / clip.fps
        frames, times = video.frames[kept], video.times[kept] - start
        shape = (video.frames.shape[1], video.frames.shape[2])
    if not len(times):
        raise CmdfdError(f"clip {clip.id!r}: no frame is left behind the {skip} that were trimmed off")
    return frames, times, shape


def pixel_rows(
    key: RowKey,
    clips: Sequence[Clip],
    mask_of: Callable[[Clip], Path | None],
    maps_of: Callable[[Clip], PixelMaps | None],
    skips: Mapping[str, int] | None = None,
) -> list[dict[str, Any]]:
    """Rows of all clips of a split, in order; empty where the detector gave maps for none of them.

    Args:
        key: Where they belong.
        clips: The clips.
        mask_of: `Dataset.mask_of`.
        maps_of: Maps of a clip, None where it has none, e.g. `lambda clip: store.get(wanted[clip.id].key)`.
        skips: Trimmed frames by clip id.
    """
    found = []
    any_maps = False
    for clip in clips:
        maps = maps_of(clip)
        any_maps |= maps is not None
        found.append(pixel_row(key, clip, mask_of(clip), maps, (skips or {}).get(clip.id, 0)))
    return found if any_maps else []


def counts_of(row: Mapping[str, Any]) -> PixelCounts | None:
    """Counts of a row, None where its truth is unknown; raises `ValueError` where the sums contradict each other."""
    return None if row["truth"] in _UNJUDGED else PixelCounts.from_row(row)


def twin_of(row: Mapping[str, Any]) -> NDArray[np.int64] | None:
    """What the map of the real twin comes to under the mask of a row's clip.

    Returns:
        [2, 256] pixels by truth and value, like `PixelCounts.pixels`; None where there is no control.

    Raises:
        ValueError: Where it is not of the mask that the clip was judged by.
    """
    if row["twin_pixels"] is None:
        return None
    table = np.asarray(row["twin_pixels"], dtype=np.int64)
    counts = counts_of(row)
    if counts is None or row["truth"] != "mask" or table.size != 2 * LEVELS or (table < 0).any():
        raise ValueError(f"column 'twin_pixels' needs {2 * LEVELS} counts >= 0 and a mask, got {table.size}")
    table = table.reshape(2, LEVELS)
    if (table.sum(axis=1) != counts.pixels.sum(axis=1)).any():
        raise ValueError(
            f"twin_pixels counts {table.sum(axis=1).tolist()} genuine and forged pixels, the clip's own "
            f"{counts.pixels.sum(axis=1).tolist()}: they are not of one mask"
        )
    return table


def schema() -> pa.Schema:
    """Arrow schema of `pixels.parquet`; the version stands in its metadata."""
    import pyarrow as pa

    numbers = [(name, pa.list_(pa.int64())) for name in ("pixels", "patches", "tp", "fp", "fn")]
    return pa.schema(
        [
            *[(name, pa.string()) for name in (*KEY, "truth")],
            *numbers,
            ("frame_pixels", pa.int64()),
            ("unreached", pa.int64()),
            ("failed", pa.bool_()),
            ("twin", pa.string()),
            ("twin_pixels", pa.list_(pa.int64())),
            ("no_twin", pa.string()),
        ],
        metadata={"schema_version": str(PIXELS_SCHEMA_VERSION)},
    )


def write_pixels(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the table; equal rows give equal bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist([dict(row) for row in rows], schema=schema())
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    pq.write_table(table, temporary, compression="zstd")
    temporary.replace(path)


def read_pixels(path: Path) -> list[dict[str, Any]]:
    """Read and check a table of pixel counts.

    Returns:
        Its rows, as `pixel_row` made them.

    Raises:
        CmdfdError: With the file, the row, and what is wrong: another version, a missing column, a clip that stands
            twice, an unknown truth, or sums that contradict each other.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise CmdfdError(f"{path}: not a Parquet file: {error}") from error
    version = (table.schema.metadata or {}).get(b"schema_version", b"none").decode()
    if version != str(PIXELS_SCHEMA_VERSION):
        raise CmdfdError(f"{path}: schema version {version}, this version reads {PIXELS_SCHEMA_VERSION}")
    missing = [name for name in schema().names if name not in table.column_names]
    if missing:
        raise CmdfdError(f"{path}: column {missing[0]!r} is missing")
    try:
        rows: list[dict[str, Any]] = table.select(schema().names).cast(schema()).to_pylist()
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise CmdfdError(f"{path}: a column is of another type than in this version: {error}") from error
    _check_rows(rows, str(path))
    return rows


def check_against(rows: Sequence[Mapping[str, Any]], predictions: pd.DataFrame, origin: str) -> None:
    """Refuse a table of pixel counts that is not of these predictions.

    A detector that gives maps has a row for each of its untrimmed clips; a real's truth is the empty mask.

    Args:
        rows: Of `read_pixels`.
        predictions: Of `benchmarks.predictions.read_predictions`.
        origin: What errors call the table of counts.

    Raises:
        CmdfdError: With table, row and column.
    """
    named = predictions[predictions["condition"] == "untrimmed"]
    labels = dict(zip(map(tuple, named[list(KEY)].itertuples(index=False, name=None)), named["label"], strict=True))
    for number, row in enumerate(rows):
        where = f"{origin}: row {number} (clip {row['id']!r})"
        label = labels.pop(tuple(row[name] for name in KEY), None)
        if label is None:
            raise CmdfdError(f"{where}: no untrimmed prediction has its {', '.join(KEY)}")
        if label == 0 and row["truth"] != "empty":
            raise CmdfdError(f"{where}: truth is {row['truth']!r}, but the clip is real, which has the empty truth")
    counted = {row["detector"] for row in rows}
    lacking = next((key for key in labels if key[0] in counted), None)
    if lacking is not None:
        raise CmdfdError(f"{origin}: clip {lacking[-1]!r} of {lacking[:-1]} has a prediction, but no row here")


def _check_rows(rows: Sequence[Mapping[str, Any]], origin: str) -> None:
    if not rows:
        raise CmdfdError(f"{origin}: there are no counts in it; a run without maps has no such file")
    seen: set[tuple[Any, ...]] = set()
    for number, row in enumerate(rows):
        unnamed = next((name for name in KEY if not row[name]), None)
        if unnamed is not None:
            raise CmdfdError(f"{origin}: row {number} (clip {row['id']!r}): {unnamed} is {row[unnamed]!r}")
        key = tuple(row[name] for name in KEY)
        if key in seen:
            raise CmdfdError(f"{origin}: row {number}: clip {row['id']!r} stands twice under {key[:-1]}")
        seen.add(key)
        if row["truth"] not in TRUTHS:
            raise CmdfdError(f"{origin}: row {number}: truth must be one of {', '.join(TRUTHS)}, got {row['truth']!r}")
        try:
            problem = _contradiction(row, counts_of(row))
            if not problem:
                twin_of(row)
        except (ValueError, TypeError) as error:
            raise CmdfdError(f"{origin}: row {number} (clip {row['id']!r}): {error}") from error
        if problem:
            raise CmdfdError(f"{origin}: row {number} (clip {row['id']!r}): {problem}")


def _contradiction(row: Mapping[str, Any], counts: PixelCounts | None) -> str | None:
    """What a row says of its truth and of failing, against its own counts."""
    truth = row["truth"]
    if counts is None:
        told = next((name for name in (*COLUMNS, *TWIN_COLUMNS) if row[name] is not None), None)
        return f"truth is {truth!r}, which has no counts, but {told} is there" if told else None
    if truth == "empty" and counts.n_forged:
        return f"truth is 'empty', but pixels has {counts.n_forged} forged ones"
    if truth == "mask" and (row["twin_pixels"] is None) == (row["no_twin"] is None):
        return "needs either twin_pixels or no_twin"
    if counts.failed:
        worst = counts.pixels[0, LEVELS - 1] + counts.pixels[1, 0]
        if counts.unreached != counts.n_frames or worst != counts.pixels.sum():
            return "failed is true, but pixels and unreached are not those of the worst maps"
    elif counts.pixels[:, 0].sum() < counts.unreached * counts.frame_pixels:
        return f"failed is false, but pixels has too few zeros for the {counts.unreached} frames that no map reached"
    return None
