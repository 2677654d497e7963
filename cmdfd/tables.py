"""The tables of a data set: their columns, and Parquet files whose bytes depend on nothing but the rows."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from cmdfd.cache import write_atomic
from cmdfd.clip import Clip, Labels, Modality, Rights, Segment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

METADATA, LABELS = "metadata.parquet", "labels.parquet"
PROVENANCE, STAGES, REFUSED = "provenance.parquet", "stages.parquet", "refused.parquet"
#: Of repaired sets: who is in the takes that went into the clips, as the clips that were dropped told. Stays at home.
TAKES = "takes.parquet"

_TECHNICAL = {
    "file_name": "string", "id": "string", "sha256": "string", "fps": "double", "n_frames": "int32",
    "width": "int32", "height": "int32", "sample_rate": "int32", "n_samples": "int32", "tracks": "string",
}  # fmt: skip
#: Since format 3: which versions and scenes there are. Twins share both, so they tell nothing about the class.
_VERSIONS = {"scene": "string", "platform": "string", "original": "string", "tracks_sha256": "string"}
#: Since format 3, beside `_TELLING`.
_MASK_HASH = "mask_sha256"
#: Everything that tells, or helps to guess, which clips are forged.
_TELLING = {
    "label": "int8", "audio_label": "int8", "video_label": "int8", "sync_mismatch": "int8",
    "identity_mismatch": "int8", "kind": "string", "variant": "string", "generator": "string",
    "face_id": "string", "voice_id": "string", "source_ids": "strings", "component": "string",
    "segments": "segments", "mask": "string", "mask_sha256": "string", "licence": "string", "consent": "string",
    "pristine": "bool",
}  # fmt: skip
LABEL_COLUMNS = tuple(_TELLING)
_LABEL_NAMES = ("label", "audio_label", "video_label", "sync_mismatch", "identity_mismatch")


def _type(name: str) -> pa.DataType:
    import pyarrow as pa

    if name == "strings":
        return pa.list_(pa.string())
    if name == "segments":
        fields = [("start", pa.float64()), ("end", pa.float64()), ("modality", pa.string())]
        return pa.list_(pa.struct(fields))
    if name == "parents":
        fields = [("role", pa.string()), ("key", pa.string()), ("sha256", pa.string())]
        return pa.list_(pa.struct([*fields, ("start", pa.float64()), ("end", pa.float64())]))
    return pa.type_for_alias(name)


def schema(columns: Mapping[str, str]) -> pa.Schema:
    """Arrow schema of named column types (Arrow's aliases, "strings", "segments" or "parents")."""
    import pyarrow as pa

    return pa.schema([(name, _type(kind)) for name, kind in columns.items()])


def metadata_schema() -> pa.Schema:
    """Columns of `metadata.parquet`; withheld splits have the same ones with nulls in `LABEL_COLUMNS`."""
    return schema({**_TECHNICAL, **_VERSIONS, **_TELLING})


def labels_schema() -> pa.Schema:
    """Columns of `labels.parquet`."""
    return schema({"id": "string", "sha256": "string", **_TELLING})


def row_of(clip: Clip) -> dict[str, Any]:
    """A clip as one row of `metadata.parquet`."""
    row = {name: getattr(clip, name) for name in (*_TECHNICAL, *_VERSIONS, *_TELLING) if hasattr(clip, name)}
    row["file_name"] = PurePosixPath(clip.file).relative_to(clip.split).as_posix()
    row.update({name: getattr(clip.labels, name) for name in _LABEL_NAMES})
    row["source_ids"] = list(clip.source_ids)
    row["segments"] = [{**asdict(one), "modality": str(one.modality)} for one in clip.segments]
    row["licence"], row["consent"], row["pristine"] = (
        clip.rights.licence, clip.rights.consent, clip.rights.pristine,
    )  # fmt: skip
    return row


def clip_of(split: str, row: Mapping[str, Any]) -> Clip:
    """The clip of a row; withheld labels are None, withheld texts "".

    Raises:
        KeyError, TypeError, ValueError: If the row is not one of a data set.
    """
    segments = tuple(
        Segment(float(one["start"]), float(one["end"]), Modality(one["modality"])) for one in row["segments"] or ()
    )
    return Clip(
        id=row["id"],
        split=split,
        file=f"{split}/{row['file_name']}",
        sha256=row["sha256"],
        labels=Labels(**{name: row[name] for name in _LABEL_NAMES}),
        kind=row["kind"] or "",
        variant=row["variant"] or "",
        generator=row["generator"] or "",
        face_id=row["face_id"] or "",
        voice_id=row["voice_id"] or "",
        source_ids=tuple(row["source_ids"] or ()),
        component=row["component"] or "",
        segments=segments,
        mask=row["mask"],
        tracks=row["tracks"],
        fps=float(row["fps"]),
        n_frames=int(row["n_frames"]),
        width=int(row["width"]),
        height=int(row["height"]),
        sample_rate=int(row["sample_rate"]),
        n_samples=int(row["n_samples"]),
        rights=Rights(row["licence"] or "", row["consent"] or "", bool(row["pristine"])),
        **{name: row.get(name) or "" for name in (*_VERSIONS, _MASK_HASH)},
    )


def manifest_row(clip: Clip) -> dict[str, Any]:
    """What a manifest hash is taken over: a clip's row and split, without what only later formats can say."""
    row = {"split": clip.split, **row_of(clip)}
    return {name: value for name, value in row.items() if value or name not in (*_VERSIONS, _MASK_HASH)}


def write_table(path: Path, rows: Sequence[Mapping[str, Any]], table_schema: pa.Schema) -> None:
    """Write rows as Parquet: the same bytes for the same rows under one version of pyarrow.

    No time, no writer's metadata, fixed encoding, compression and row groups; appears by an atomic rename.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist([dict(row) for row in rows], schema=table_schema)
    buffer = io.BytesIO()
    pq.write_table(
        table,
        buffer,
        version="2.6",
        compression="zstd",
        compression_level=3,
        use_dictionary=True,
        write_statistics=True,
        row_group_size=1000,
        data_page_version="1.0",
        store_schema=True,
    )
    write_atomic(path, buffer.getvalue())


def read_table(path: Path) -> list[dict[str, Any]]:
    """Rows of a Parquet file."""
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(path, partitioning=None).to_pylist()
    return rows


def write_tables(folder: Path, clips: Iterable[Clip], withheld: Iterable[str] = ()) -> None:
    """Write `metadata.parquet` and `labels.parquet` of every split that has clips, sorted by id.

    Args:
        folder: The data set.
        clips: All clips, any order.
        withheld: Splits whose `metadata.parquet` tells nothing about labels; their `labels.parquet`, masks
            and provenance must stay at home.
    """
    hidden = set(withheld)
    by_split: dict[str, list[Clip]] = {}
    for clip in sorted(clips, key=lambda one: one.id):
        by_split.setdefault(clip.split, []).append(clip)
    for split, members in by_split.items():
        rows = [row_of(clip) for clip in members]
        open_rows = [{**row, **dict.fromkeys(LABEL_COLUMNS)} for row in rows] if split in hidden else rows
        write_table(folder / split / METADATA, open_rows, metadata_schema())
        names = labels_schema().names
        write_table(folder / split / LABELS, [{name: row[name] for name in names} for row in rows], labels_schema())


def cue_schema(rows: Iterable[Mapping[str, Any]], first: Mapping[str, str]) -> pa.Schema:
    """Schema of a table of cues: `first`, then every other column by name, text where any value is text.

    Raises:
        TypeError: If a column holds both numbers and text.
    """
    kinds: dict[str, str | None] = {}
    for row in rows:
        for name, value in row.items():
            if name in first:
                continue
            kind = None if value is None else "string" if isinstance(value, str) else "double"
            if kind is None:
                kinds.setdefault(name, None)
            elif kinds.setdefault(name, kind) is None:
                kinds[name] = kind
            elif kinds[name] != kind:
                raise TypeError(f"cue {name!r} holds both numbers and text")
    return schema({**first, **{name: kinds[name] or "double" for name in sorted(kinds)}})


def content_hash(rows: Iterable[Mapping[str, Any]]) -> str:
    """SHA-256 over rows as canonical JSON: independent of pyarrow's version and of the order of columns."""
    digest = hashlib.sha256()
    for row in rows:
        text = json.dumps(row, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        digest.update(text.encode() + b"\n")
    return digest.hexdigest()
