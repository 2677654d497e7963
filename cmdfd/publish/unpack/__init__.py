"""Turns tar and Parquet shards back into a folder of videos.

Shards of strangers are hostile until they prove otherwise.
Only plain files with plain relative names come out: no links, devices, sparse files, "..", absolute or hidden places,
nothing twice, and no more bytes than the limits allow. What breaks a rule stops the whole unpacking with its name.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from cmdfd.audit.targets.words import split_word
from cmdfd.cache import write_atomic
from cmdfd.clip import SPLITS
from cmdfd.dataset import BUILD_FILE
from cmdfd.errors import CmdfdError
from cmdfd.publish.formats.tables import SIDES
from cmdfd.publish.unpack import parquet, tar
from cmdfd.publish.unpack.records import LIMITS, MEDIA_SUFFIXES, Limits, Sample, Writer
from cmdfd.tables import METADATA, metadata_schema, write_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

__all__ = ["LIMITS", "Limits", "packing_of", "unpack"]

Packing = Literal["folder", "webdataset", "parquet"]


def packing_of(folder: Path) -> Packing:
    """How the media of a downloaded set lie."""
    if any(True for _ in tar_shards(folder)):
        return "webdataset"
    return "parquet" if any(parquet.holds_media(path) for path in parquet_files(folder)) else "folder"


def tar_shards(folder: Path) -> Iterator[Path]:
    """Tar files that hold samples, sorted."""
    sides = set(SIDES.values())
    for path in sorted(folder.rglob("*.tar")):
        parts = path.relative_to(folder).parts
        if parts[0] not in sides and not any(part.startswith(".") for part in parts):
            yield path


def parquet_files(folder: Path) -> list[Path]:
    """Parquet files of a folder, sorted, without hidden ones."""
    return [
        path
        for path in sorted(folder.rglob("*.parquet"))
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def unpack(folder: Path, out: Path, limits: Limits = LIMITS, say: Callable[[str], None] = lambda _: None) -> Path:
    """Make a folder of videos with tables out of shards; a folder that is none of shards stays as it is.

    Args:
        folder: A downloaded set.
        out: Where the videos go; kept for the next time, and there only when it is whole.
        limits: How much may come out.
        say: Told what is done.

    Returns:
        The folder to audit: `folder` or `out`.

    Raises:
        CmdfdError: If a shard is broken or hostile.
    """
    packing = packing_of(folder)
    if packing == "folder":
        return folder
    if out.is_dir():
        return out
    part = out.with_name(f"{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        _unpack(folder, part, packing, limits, say)
        part.replace(out)
    except (ValueError, TypeError, KeyError, OSError, OverflowError, RecursionError, EOFError) as error:
        raise CmdfdError(f"{folder.name}: a shard cannot be read: {type(error).__name__}: {error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return out


def _unpack(folder: Path, out: Path, packing: Packing, limits: Limits, say: Callable[[str], None]) -> None:
    writer = Writer(out, limits)
    built = (folder / BUILD_FILE).is_file()
    rows: dict[str, list[dict[str, Any]]] = {}
    used: set[Path] = set()
    shards = tar_shards(folder) if packing == "webdataset" else iter(parquet_files(folder))
    for path in shards:
        name = path.relative_to(folder).as_posix()
        if packing == "webdataset":
            samples = tar.samples(path, name, limits)
        elif parquet.holds_media(path):
            samples = parquet.samples(path, name, limits)
        else:
            continue
        say(f"unpacking {name}")
        used.add(path)
        split = _split_of(name)
        for sample in samples:
            rows.setdefault(split, []).append(_place(writer, sample, split, name, built=built))
    for path in sorted(folder.rglob("*.tar")):
        top = path.relative_to(folder).parts[0]
        if built and top in SIDES.values():
            used.add(path)
            tar.sides(path, path.relative_to(folder).as_posix(), top, _places(rows, top), writer)
    _write_rows(out, rows, built=built)
    _copy_others(folder, out, used)


def _split_of(shard: str) -> str:
    """The split that the name of a shard tells; "" where it tells none, and its files lie at the top."""
    first = shard.rpartition("/")[2].split("-")[0]
    return first if first in SPLITS else split_word(shard.rpartition(".")[0])


def _place(writer: Writer, sample: Sample, split: str, shard: str, *, built: bool) -> dict[str, Any]:
    """Write a sample's media and give its row of the table."""
    columns = dict(sample.columns)
    name = str(columns.get("file_name") or "") if built else sample.name
    if PurePosixPath(name).suffix.lower() not in MEDIA_SUFFIXES:
        raise CmdfdError(f"{shard}: {name[:200]!r} is not named like a media file")
    writer.add(f"{split}/{name}" if split else name, sample.media, shard)
    return {**columns, "file_name": name}


def _places(rows: dict[str, list[dict[str, Any]]], folder: str) -> dict[str, str]:
    """Id of a clip -> where its mask or track belongs, for those that have one."""
    column = next(name for name, top in SIDES.items() if top == folder)
    return {str(row["id"]): str(row[column]) for members in rows.values() for row in members if row.get(column)}


def _write_rows(out: Path, rows: dict[str, list[dict[str, Any]]], *, built: bool) -> None:
    import pyarrow as pa

    for split, members in rows.items():
        if built:
            schema = metadata_schema()
            kept = pa.schema([one for one in schema if one.name in members[0]])
            ordered = sorted(members, key=lambda row: str(row["id"]))
            write_table(out / split / METADATA, [{name: row.get(name) for name in kept.names} for row in ordered], kept)
        elif any(len(row) > 1 for row in members):
            lines = [json.dumps(row, ensure_ascii=False, default=str) for row in members]
            write_atomic(out / split / "metadata.jsonl", ("\n".join(lines) + "\n").encode("utf-8", "replace"))


def _copy_others(folder: Path, out: Path, used: Iterable[Path]) -> None:
    """Everything that is no shard, hard-linked where that can be done; what was unpacked wins."""
    taken = set(used)
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path in taken or any(part.startswith(".") for part in name.parts) or not path.is_file():
            continue
        place = out / name
        if place.exists() or path.is_symlink():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, place)
        except OSError:
            shutil.copyfile(path, place)
