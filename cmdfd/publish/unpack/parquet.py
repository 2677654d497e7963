"""Reads Parquet shards whose rows hold the bytes of media."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from cmdfd.errors import CmdfdError
from cmdfd.publish.unpack.records import Limits, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

#: First bytes of media without a name -> extension.
_MAGIC = ((b"RIFF", ".wav"), (b"fLaC", ".flac"), (b"OggS", ".ogg"), (b"ID3", ".mp3"), (b"\x1aE\xdf\xa3", ".mkv"))
_ROWS = 16


def holds_media(path: Path) -> bool:
    """Whether a file is a Parquet file with a column of media; a broken one is not."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return media_column(pq.read_schema(path)) is not None
    except (OSError, ValueError, pa.ArrowException):
        return False


def media_column(schema: pa.Schema) -> str | None:
    """The column that holds media as {bytes, path}: a video before a sound, never a picture; or None."""
    import pyarrow as pa

    features = noted_features(schema)
    found: dict[str, str] = {}
    for column in schema:
        kind = column.type
        if pa.types.is_struct(kind) and {"bytes", "path"} <= {part.name for part in kind}:
            feature = features.get(column.name)
            noted = feature.get("_type") if isinstance(feature, dict) else None
            found.setdefault(str(noted or column.name).casefold(), column.name)
    for word in ("video", "mp4", "audio", "wav", "flac"):
        if word in found:
            return found[word]
    return None


def noted_features(schema: pa.Schema) -> dict[str, Any]:
    """What `datasets` noted of the columns: column -> feature; {} where there is nothing, or nonsense."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def samples(path: Path, shard: str, limits: Limits) -> Iterator[Sample]:
    """Samples of a shard, in its order.

    Args:
        path: The Parquet file.
        shard: What messages call it.
        limits: How large a row group may be.

    Raises:
        CmdfdError: If it cannot be read, or a row group is larger than the limit.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            column = media_column(schema)
            names = _class_names(schema)
            index = 0
            for group in range(file.num_row_groups):
                size = file.metadata.row_group(group).total_byte_size
                if size > limits.group_bytes or size < 0:
                    raise CmdfdError(f"{shard}: row group {group} has {size:,} bytes; at most {limits.group_bytes:,}")
                for batch in file.iter_batches(batch_size=_ROWS, row_groups=[group]):
                    for row in batch.to_pylist():
                        yield _sample(row, str(column), names, index, shard)
                        index += 1
    except (OSError, ValueError, pa.ArrowException) as error:
        raise CmdfdError(f"{shard}: not a Parquet file that can be read: {error}") from error


def _sample(row: dict[str, Any], column: str, names: dict[str, list[str]], index: int, shard: str) -> Sample:
    media = row.pop(column) or {}
    data = media.get("bytes")
    if not isinstance(data, bytes):
        raise CmdfdError(f"{shard}: row {index} holds no bytes of {column!r}, only the path {media.get('path')!r}")
    name = media.get("path") or f"{PurePosixPath(shard).stem}-{index:07d}{_suffix(data)}"
    columns = {key: value for key, value in row.items() if not _holds_bytes(value)}
    for key, words in names.items():
        if isinstance(value := columns.get(key), int) and 0 <= value < len(words):
            columns[key] = words[value]
    return Sample(str(name), columns, data)


def _suffix(data: bytes) -> str:
    return next((suffix for magic, suffix in _MAGIC if data.startswith(magic)), ".mp4")


def _holds_bytes(value: Any) -> bool:
    return isinstance(value, bytes) or (isinstance(value, dict) and isinstance(value.get("bytes"), bytes))


def _class_names(schema: pa.Schema) -> dict[str, list[str]]:
    """Columns whose numbers stand for words, by `datasets`' note: 0 may be called "fake"."""
    found = {}
    for column, feature in noted_features(schema).items():
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel":
            words = feature.get("names")
            if isinstance(words, list) and all(isinstance(word, str) for word in words):
                found[column] = words
    return found
