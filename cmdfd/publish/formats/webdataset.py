"""Tar shards for streaming: `<id>.mp4` and `<id>.json` of every clip, in headers that say nothing of this machine."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

from cmdfd.errors import CmdfdError
from cmdfd.publish.formats.tables import (
    DATA,
    SIDES,
    Sample,
    copy_rest,
    features_of,
    hub_datasets,
    samples_of,
    shards,
    side_files,
    whole,
)
from cmdfd.tables import metadata_schema

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cmdfd.dataset import Dataset

#: Bytes of a shard: large enough for few requests, small enough to be fetched again after a break.
SHARD_BYTES = 1_000_000_000
#: A tar rounds every member up to blocks of 512 bytes and puts a header of 512 before it.
_BLOCK = 512


def write(public: Dataset, out: Path, *, shard_bytes: int = SHARD_BYTES) -> None:
    """Write a set as tar shards; the same set gives the same bytes.

    Args:
        public: The scrubbed set that goes public.
        out: Folder that is written to; made where there is none.
        shard_bytes: Size of a shard; a larger clip gets one of its own.

    Raises:
        CmdfdError: If clips have different containers (all samples need the same members), an id has a dot, or labels
            of a withheld split lie in the set.
    """
    _suffix(public)
    for split in public.splits:
        samples = samples_of(public, split)
        texts = [(json.dumps(one.row, ensure_ascii=False, allow_nan=False) + "\n").encode() for one in samples]
        sizes = [one.size + len(text) + 4 * _BLOCK for one, text in zip(samples, texts, strict=True)]
        for number, run in enumerate(shards(sizes, shard_bytes)):
            with whole(out / DATA / f"{split}-{number:06d}.tar") as part, tarfile.open(part, "w") as tar:
                for index in run:
                    _add_file(tar, samples[index].id + samples[index].suffix, samples[index].path)
                    _add_bytes(tar, samples[index].id + ".json", texts[index])
        write_sides(public, split, samples, out, shard_bytes)
    copy_rest(public, out)


def write_sides(public: Dataset, split: str, samples: Sequence[Sample], out: Path, shard_bytes: int) -> None:
    """Write masks and face points of a split to shards of their own: not all clips have them."""
    for column, folder in SIDES.items():
        files = side_files(public, samples, column)
        sizes = [path.stat().st_size + 2 * _BLOCK for _, path in files]
        for number, run in enumerate(shards(sizes, shard_bytes)):
            with whole(out / folder / f"{split}-{number:06d}.tar") as part, tarfile.open(part, "w") as tar:
                for index in run:
                    _add_file(tar, *files[index])


def features(public: Dataset) -> Any:
    """`datasets.Features` of a sample: the media, the columns of the table as `json`, its key and its shard.

    The columns are those of the newest format, which the public copy of an older set has, too.
    """
    datasets = hub_datasets()
    columns = features_of(metadata_schema())
    text = datasets.Value("string")
    media = {_suffix(public).removeprefix("."): datasets.Video()}
    return datasets.Features({**media, "json": dict(columns), "__key__": text, "__url__": text})


def _suffix(public: Dataset) -> str:
    found = {public.path_of(clip).suffix.lower() for clip in public.rows}
    if len(found) != 1:
        said = ", ".join(sorted(found)) or "none"
        raise CmdfdError(f"tar shards need one kind of container for all clips, got {said}; use --format videofolder")
    return found.pop()


def _header(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o644, 0  # no owner, no time: they would name this machine
    return info


def _add_file(tar: tarfile.TarFile, name: str, path: Path) -> None:
    with path.open("rb") as stream:
        tar.addfile(_header(name, path.stat().st_size), stream)


def _add_bytes(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    tar.addfile(_header(name, len(data)), io.BytesIO(data))
