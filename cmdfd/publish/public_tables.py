"""The tables of a set as they go public: without what is private, and without what tells withheld labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cmdfd.clip import SPLITS
from cmdfd.dataset import BUILD_FILE
from cmdfd.publish.scrub import clean_record, clean_row
from cmdfd.report.text import plural
from cmdfd.tables import (
    LABEL_COLUMNS,
    LABELS,
    METADATA,
    PROVENANCE,
    REFUSED,
    STAGES,
    TAKES,
    labels_schema,
    metadata_schema,
    read_table,
    row_of,
    schema,
    write_table,
)
from cmdfd.takedown.tombstones import MARKS_FILE, TOMBSTONE_COLUMNS, TOMBSTONES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from cmdfd.clip import Clip
    from cmdfd.dataset import BuildFile, Dataset
    from cmdfd.publish.scrub import Private

#: What a split whose labels are withheld counts instead of kinds.
WITHHELD_KIND = "withheld"


def public_clip(dataset: Dataset, clip: Clip, *, recipe_only: bool = False) -> Clip:
    """A clip as its row goes public: without mask where that is not in this copy, without track where it tells.

    Args:
        dataset: The set at home.
        clip: One of its clips.
        recipe_only: Whether no media go out; rows then name no masks and tracks.
    """
    if recipe_only:
        clip = replace(clip, mask=None, tracks=None)
    elif dataset.lacks_masks:
        clip = replace(clip, mask=None)
    if clip.split in dataset.build.withheld:
        clip = replace(clip, mask=None, mask_sha256="", tracks=None, tracks_sha256="")
    return clip


def public_rows(clips: Iterable[Clip], withheld: Iterable[str], private: Private) -> dict[str, list[dict[str, Any]]]:
    """Rows of `metadata.parquet` by split, sorted by id; those of withheld splits have no labels.

    Args:
        clips: Of `public_clip`.
        withheld: Splits whose labels stay at home.
        private: What must not be read in them.
    """
    hidden = set(withheld)
    rows: dict[str, list[dict[str, Any]]] = {}
    for clip in sorted(clips, key=lambda one: (SPLITS.index(one.split), one.id)):
        row = clean_row(row_of(clip), private)
        if clip.split in hidden:
            row |= dict.fromkeys(LABEL_COLUMNS)
        rows.setdefault(clip.split, []).append(row)
    return rows


def write_public_tables(dataset: Dataset, clips: Sequence[Clip], folder: Path, private: Private) -> None:
    """Write every table that goes public.

    Args:
        dataset: The set at home.
        clips: Of `public_clip`.
        folder: Where the copy is made.
        private: What must not be read in them.
    """
    withheld = set(dataset.build.withheld)
    for split, rows in public_rows(clips, withheld, private).items():
        write_table(folder / split / METADATA, rows, metadata_schema())
        if split not in withheld:
            names = labels_schema().names
            write_table(folder / split / LABELS, [{name: row[name] for name in names} for row in rows], labels_schema())
    shown = {clip.id for clip in clips if clip.split not in withheld}
    for name in (PROVENANCE, STAGES):
        if (dataset.folder / name).is_file():
            _write_shown(dataset, folder, name, shown, private)
    if (dataset.folder / TOMBSTONES).is_file():
        rows = [
            clean_row({name: str(row[name]) for name in TOMBSTONE_COLUMNS}, private)
            for row in read_table(dataset.folder / TOMBSTONES)
        ]
        rows.sort(key=lambda row: (row["id"], row["version"]))
        write_table(folder / TOMBSTONES, rows, schema(TOMBSTONE_COLUMNS))


def _write_shown(dataset: Dataset, folder: Path, name: str, shown: set[str], private: Private) -> None:
    """Rows of open splits. Where a split is withheld, nothing by which its seed or recipe could be found again."""
    import pyarrow.parquet as pq

    columns = pq.read_schema(dataset.folder / name).remove_metadata()
    secret: dict[str, Any] = {"seed": None, "job": None, "recipe_hash": None} if dataset.build.withheld else {}
    secret = {column: value for column, value in secret.items() if column in columns.names}
    rows = [
        {**clean_row(row, private), **secret} for row in read_table(dataset.folder / name) if row.get("id") in shown
    ]
    write_table(folder / name, rows, columns)


def public_build(dataset: Dataset, private: Private) -> BuildFile:
    """`build.json` as it goes public.

    Places are replaced by "<local>". Where a split is withheld, recipe, its hash, counts of its kinds, reasons of
    refusals and the findings of the gate stay at home: they were counted over its labels, or build it again.

    Args:
        dataset: The set at home.
        private: What must not be read in it.
    """
    build = dataset.build
    text = clean_record(build.model_dump(), private)
    clean = type(build).model_validate({**text, "name": build.name})
    if not build.withheld:
        return clean
    sizes = Counter(clip.split for clip in dataset.rows)
    counts = {
        split: {WITHHELD_KIND: sizes[split]} if split in build.withheld else kinds
        for split, kinds in clean.counts.items()
    }
    audit = None if clean.audit is None else {name: clean.audit[name] for name in ("status",) if name in clean.audit}
    return clean.model_copy(
        update={"recipe": {}, "recipe_hash": "", "limit": None, "counts": counts, "refused": {}, "audit": audit}
        | {"notes": []}
    )


def home_of(dataset: Dataset, *, recipe_only: bool = False) -> tuple[tuple[str, str], ...]:
    """What stays at home, with the reason, sorted by name.

    Args:
        dataset: The set at home.
        recipe_only: Whether no media go out.
    """
    reasons = {
        REFUSED: "names sources that were not used, and why",
        "journal.jsonl": "times, hosts and memory of the build",
        MARKS_FILE: "hashes of the people and recordings that were withdrawn, so that no build brings them back",
        TAKES: "who is in the takes; a takedown needs it at home",
        "repair.yaml": "its steps are part of the recipe",
        "repair.parquet": "which clip of the set before the repair each clip was",
        ".repair": "intermediate files of the repair",
        "sheets": "the card and the audit say the same",
        ".work": "intermediate files of the build",
    }
    public = {BUILD_FILE, PROVENANCE, STAGES, TOMBSTONES, *SPLITS, "masks", "tracks"}
    public |= {"repair.yaml"} if recipe_only and not dataset.build.withheld else set()
    found = {
        path.name: reasons.get(path.name, "no part of a set's format")
        for path in dataset.folder.iterdir()
        if path.name not in public
    }
    if recipe_only:
        found |= {"videos, masks, tracks": "only tables and recipe go out"}
    for split in dataset.build.withheld:
        if split not in dataset.splits:
            continue
        n = plural(len(dataset.clips(split)), "clip")
        found[f"{split}/{LABELS}"] = f"labels of {n} are withheld"
        found[f"masks of {split}"] = "they show what was forged"
        found[f"tracks of {split}"] = "that of an edited clip is edited with it, or does not fit its picture"
        found[f"{PROVENANCE} and {STAGES}: rows of {split}"] = "they tell how each clip was made"
    if dataset.build.withheld:
        told = "recipe, recipe_hash, refused, findings of the gate, notes"
        found[f"{BUILD_FILE}: {told}"] = "they build withheld labels again, or were counted over them"
        found[f"{PROVENANCE}: seed, job, recipe_hash"] = "with them the withheld splits could be built again"
    return tuple(sorted(found.items()))
