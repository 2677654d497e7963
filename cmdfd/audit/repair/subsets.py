"""Subsets of a set: one without shortcuts, and one that shortcuts do not solve."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.repair.measured import class_masks, joined, missing, texts
from cmdfd.audit.repair.recipe import RepairError
from cmdfd.cache import write_atomic

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from cmdfd.audit.records import AuditReport
    from cmdfd.audit.targets.target import Target

#: Columns of the lists, as far as they are there.
LIST_COLUMNS = ("id", "file", "label", "generator", "component", "split")


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """Rows of a subset: [n] which, and how they were found, in words."""

    mask: NDArray[np.bool_]
    note: str


def matched(frame: pd.DataFrame, cues: Sequence[str], categorical: Sequence[str], seed: int) -> Matched:
    """Rows of a subset in which both classes look alike in the given cues.

    Args:
        frame: Labelled clips with components.
        cues: The cues; those that the table lacks are left out.
        categorical: Those whose values are names.
        seed: Seed.

    Returns:
        Which rows stay.

    Raises:
        RepairError: Where the table has none of the cues, or no subset of a useful size is free of them.
    """
    from cmdfd.audit.deeper.subsets import shortcut_free_subset

    here = [name for name in cues if name in frame.columns]
    if not here:
        raise RepairError(f"match: the table has none of the cues {', '.join(cues)}; measure them first")
    masks = class_masks(frame)
    if not (masks["fakes"].any() and masks["reals"].any()):
        raise RepairError("match: there are not both classes left, so nothing can be matched")
    found = shortcut_free_subset(
        frame.reset_index(drop=True),
        here,
        [name for name in here if name in categorical],
        masks["fakes"].astype(np.int64),
        np.array(texts(frame, "component")),
        seed=seed,
    )
    if not found.mask.any():
        raise RepairError(f"match: {found.note}")
    return Matched(np.asarray(found.mask, bool), found.note)


def hard(frame: pd.DataFrame, cues: Sequence[str], categorical: Collection[str], seed: int) -> Matched | None:
    """Rows about which the cues tell a held-out probe nothing, or mislead it: pointwise V-information of at most 0.

    Args:
        frame: Labelled clips with components.
        cues: The cues.
        categorical: Those whose values are names.
        seed: Seed of the folds.

    Returns:
        Which rows, or None where the probe refused the set (too few components).
    """
    from cmdfd.audit.cue import CATEGORY
    from cmdfd.audit.deeper.probing import features_of, grown
    from cmdfd.audit.deeper.subsets import hard_subset
    from cmdfd.statistics.arrays import component_codes
    from cmdfd.statistics.information import pvi

    labels = class_masks(frame)["fakes"]
    index = component_codes(np.array(texts(frame, "component")), len(frame))
    units = {name: CATEGORY for name in cues if name in categorical}
    probe = grown(features_of(frame, cues, units, index), labels, index, seed=seed)
    if probe.refused:
        return None
    found = hard_subset(pvi(labels, probe.prob, probe.prior), labels, index)
    return Matched(np.asarray(found.mask, bool), found.note)


@dataclass(frozen=True, slots=True)
class Subsets:
    """Lists that were written.

    Args:
        files: Paths, CSV and Parquet.
        sentences: What they hold.
    """

    files: tuple[Path, ...]
    sentences: tuple[str, ...]


def export_subsets(report: AuditReport, table: pd.DataFrame, target: Target, out: Path, *, seed: int = 0) -> Subsets:
    """Write `shortcut_free` and `hard` as lists of ids and files, each as CSV and Parquet.

    The first is a subset in which the flagged cues do not tell the classes apart; the second holds the clips of which a
    probe on these cues, held out by component, learns nothing.

    Args:
        report: Audit of the set.
        table: Its measured table.
        target: The set.
        out: Folder of the lists; made where it is not there.
        seed: Seed.

    Raises:
        RepairError: Where no cue is flagged, so that there is nothing to be free of.
    """
    frame = joined(target, table)
    kinds = {one.cue: one.unit for one in report.flagged if one.cue_kind != "debatable" and one.cue in frame.columns}
    cues = sorted(name for name, unit in kinds.items() if unit != "tokens")
    if not cues:
        raise RepairError("no leak or nuisance is flagged, so the whole set is free of (found) shortcuts")
    categorical = [name for name in cues if kinds[name] == "category"]
    masks = class_masks(frame)
    parts = np.array([bool(part) for part in texts(frame, "component")])
    frame = frame[(masks["reals"] | masks["fakes"]) & parts].reset_index(drop=True)
    told, files = [], []
    for name, found in (
        ("shortcut_free", _or_reason(frame, cues, categorical, seed)),
        ("hard", hard(frame, cues, categorical, seed) or "the probe needs more components"),
    ):
        if isinstance(found, str):
            told.append(f"{name}: not written, since {found}")
            continue
        files += _write(frame[found.mask], out / name)
        told.append(f"{name}: {found.note}")
    return Subsets(tuple(files), tuple(told))


def _or_reason(frame: pd.DataFrame, cues: Sequence[str], categorical: Sequence[str], seed: int) -> Matched | str:
    try:
        return matched(frame, cues, categorical, seed)
    except RepairError as error:
        return str(error).removeprefix("match: ")


def _write(rows: pd.DataFrame, stem: Path) -> list[Path]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = [name for name in LIST_COLUMNS if name in rows.columns]
    data = {
        name: [None if missing(label) else int(label) for label in rows[name]]
        if name == "label"
        else [text.encode("utf-8", "replace").decode() for text in texts(rows, name)]
        for name in columns
    }
    kinds = [(name, pa.int8() if name == "label" else pa.string()) for name in columns]
    table = pa.table(data, schema=pa.schema(kinds))
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    csv, parquet = stem.with_suffix(".csv"), stem.with_suffix(".parquet")
    write_atomic(csv, table.to_pandas().to_csv(index=False, lineterminator="\n").encode())
    write_atomic(parquet, buffer.getvalue())
    return [csv, parquet]
