"""Parquet shards that hold the media's bytes: one file for all, readable in parts, with no path of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cmdfd.publish.formats.tables import (
    DATA,
    Sample,
    copy_rest,
    features_of,
    hub_datasets,
    samples_of,
    shards,
    split_schema,
    whole,
)
from cmdfd.publish.formats.webdataset import SHARD_BYTES as TAR_BYTES
from cmdfd.publish.formats.webdataset import write_sides

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

    from cmdfd.dataset import Dataset

#: Bytes of a shard, as the Hub's own client cuts them.
SHARD_BYTES = 500_000_000
#: Bytes and rows of a row group: a viewer reads a whole one to show one row.
GROUP_BYTES = 32_000_000
GROUP_ROWS = 100
VIDEO = "video"


def write(public: Dataset, out: Path, *, shard_bytes: int = SHARD_BYTES, group_bytes: int = GROUP_BYTES) -> None:
    """Write a set as Parquet shards; the same set and pyarrow give the same bytes. Holds one row group in memory.

    Args:
        public: The scrubbed set that goes public.
        out: Folder that is written to; made where there is none.
        shard_bytes: Most bytes of media of a shard; a larger clip gets one of its own.
        group_bytes: Most bytes of media of a row group.

    Raises:
        CmdfdError: If a file is missing, or labels of a withheld split lie in the set.
    """
    schema = table_schema(split_schema(public))
    for split in public.splits:
        samples = samples_of(public, split)
        runs = shards([one.size for one in samples], shard_bytes)
        for number, run in enumerate(runs):
            with whole(out / DATA / f"{split}-{number:05d}-of-{len(runs):05d}.parquet") as part:
                _write_shard(part, [samples[index] for index in run], schema, group_bytes)
        write_sides(public, split, samples, out, TAR_BYTES)
    copy_rest(public, out)


def table_schema(columns: pa.Schema) -> pa.Schema:
    """Columns of a shard: the media first, then those of the table; with the note that makes it a `Video` feature."""
    datasets = hub_datasets()
    return datasets.Features({VIDEO: datasets.Video(), **features_of(columns)}).arrow_schema


def _write_shard(path: Path, samples: Sequence[Sample], schema: pa.Schema, group_bytes: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    plain = [name for name in schema.names if name != VIDEO]
    options: dict[str, Any] = {
        # packed media do not shrink; unpacked, equal clips stay equal bytes, which the Hub stores once
        "compression": {f"{VIDEO}.bytes": "none", f"{VIDEO}.path": "zstd", **_leaves(schema, plain, "zstd")},
        "use_dictionary": list(_leaves(schema, plain, "")),
        "write_statistics": list(_leaves(schema, plain, "")),
        "write_page_index": True,
        "version": "2.6",
    }
    with pq.ParquetWriter(path, schema, **options) as writer:
        for run in _groups(samples, group_bytes):
            rows = [_row(samples[index]) for index in run]
            writer.write_table(pa.Table.from_pylist(rows, schema=schema), row_group_size=len(rows))


def _groups(samples: Sequence[Sample], group_bytes: int) -> list[range]:
    found = []
    for run in shards([one.size for one in samples], group_bytes):
        found += [range(start, min(start + GROUP_ROWS, run.stop)) for start in range(run.start, run.stop, GROUP_ROWS)]
    return found


def _row(sample: Sample) -> dict[str, Any]:
    return {VIDEO: {"bytes": sample.path.read_bytes(), "path": sample.path.name}, **sample.row}


def _leaves(schema: pa.Schema, names: Sequence[str], value: str) -> dict[str, str]:
    """Parquet's own names of all columns with plain values below the named ones -> `value`."""
    import pyarrow as pa

    def below(prefix: str, kind: pa.DataType) -> list[str]:
        if pa.types.is_list(kind):
            return below(f"{prefix}.list.element", kind.value_type)
        if pa.types.is_struct(kind):
            return [leaf for field in kind for leaf in below(f"{prefix}.{field.name}", field.type)]
        return [prefix]

    return {leaf: value for name in names for leaf in below(name, schema.field(name).type)}
