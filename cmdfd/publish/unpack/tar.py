"""Reads tar shards of samples: members whose names are equal up to the first dot are one sample."""

from __future__ import annotations

import json
import tarfile
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from cmdfd.audit.targets.vocabulary import VIDEO_SUFFIXES
from cmdfd.errors import CmdfdError
from cmdfd.publish.unpack.records import MEDIA_SUFFIXES, Limits, Sample, Slice, Writer, safe_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

#: Members of strangers that are facts of a sample, beside JSON.
_TEXT_SUFFIXES = frozenset((".txt", ".cls", ".cls2", ".text", ".label", ".id"))


def samples(path: Path, shard: str, limits: Limits) -> Iterator[Sample]:
    """Samples of a shard, in its order.

    Args:
        path: The tar.
        shard: What messages call it.
        limits: How large records may be.

    Raises:
        CmdfdError: If it is broken, or holds anything but plain files with plain names.
    """
    key = ""
    members: dict[str, Slice] = {}
    for name, found in _members(path, shard, limits):
        base, _, field = _split(name)
        if base != key and members:
            yield from _sample(key, members, shard, limits)
            members = {}
        key = base
        if field in members:
            raise CmdfdError(f"{shard}: the sample {key[:200]!r} has {field!r} twice")
        members[field] = found
    if members:
        yield from _sample(key, members, shard, limits)


def sides(path: Path, shard: str, folder: str, places: Mapping[str, str], writer: Writer) -> None:
    """Write masks or tracks to the places that the table of clips names.

    Args:
        path: The tar.
        shard: What messages call it.
        folder: "masks" or "tracks".
        places: Id of a clip -> its file, relative to the set.
        writer: Writes.

    Raises:
        CmdfdError: If a member is of no clip, or its place is not in the folder.
    """
    for name, found in _members(path, shard, writer.limits):
        place = places.get(PurePosixPath(name).stem)
        if place is None:
            raise CmdfdError(f"{shard}: {name[:200]!r} is of no clip of the set")
        if not place.startswith(f"{folder}/"):
            raise CmdfdError(f"{shard}: {name[:200]!r} belongs to {place[:200]!r}, which is not in {folder}/")
        writer.add(place, found, shard)


def _members(path: Path, shard: str, limits: Limits) -> Iterator[tuple[str, Slice]]:
    """(name, bytes) of every member; folders and hidden files are passed over."""
    size = path.stat().st_size
    try:
        with tarfile.open(path, "r:") as tar:
            for number, member in enumerate(tar):
                if number >= limits.files * 4:
                    raise CmdfdError(f"{shard}: more than {limits.files * 4:,} members")
                if member.isdir():
                    continue
                if not member.isreg() or member.issparse():
                    raise CmdfdError(f"{shard}: {member.name[:200]!r} is a link, a device or sparse, not a plain file")
                name = member.name.removeprefix("./")
                folder, slash, last = name.rpartition("/")
                if last.startswith("."):
                    safe_name(f"{folder}{slash}x{last}", shard)
                    continue
                if member.offset_data + member.size > size:
                    raise CmdfdError(f"{shard}: {name[:200]!r} breaks off")
                yield safe_name(name, shard), Slice(path, member.offset_data, member.size)
    except tarfile.TarError as error:
        raise CmdfdError(f"{shard}: not a tar that can be read: {error}") from error


def _split(name: str) -> tuple[str, str, str]:
    """Key and field of a member, as `datasets` and `webdataset` cut them: at the first dot of the last part."""
    folder, slash, last = name.rpartition("/")
    base, dot, field = last.partition(".")
    return f"{folder}{slash}{base}", dot, field.lower()


def _sample(key: str, members: Mapping[str, Slice], shard: str, limits: Limits) -> Iterator[Sample]:
    """The sample, if there are media in it; other members than JSON and text are passed over."""
    suffixes = {field: PurePosixPath(f"x.{field}").suffix for field in members}
    media = [field for field, suffix in suffixes.items() if suffix in MEDIA_SUFFIXES]
    if not media:
        return
    chosen = min(media, key=lambda field: (suffixes[field] not in VIDEO_SUFFIXES, field))
    columns: dict[str, Any] = {}
    for field, found in members.items():
        if suffixes[field] == ".json":
            columns |= _json(found, f"{key}.{field}", shard, limits)
        elif suffixes[field] in _TEXT_SUFFIXES:
            columns[field] = _read(found, f"{key}.{field}", shard, limits).decode("utf-8", "replace").strip()
    yield Sample(f"{key}{suffixes[chosen]}", columns, members[chosen])


def _read(found: Slice, name: str, shard: str, limits: Limits) -> bytes:
    if found.size > limits.record_bytes:
        raise CmdfdError(f"{shard}: {name[:200]!r} has {found.size:,} bytes; at most {limits.record_bytes:,} are read")
    with found.open() as stream:
        return stream.read(found.size)


def _json(found: Slice, name: str, shard: str, limits: Limits) -> dict[str, Any]:
    try:
        read = json.loads(_read(found, name, shard, limits))
    except (ValueError, RecursionError) as error:
        raise CmdfdError(f"{shard}: {name[:200]!r} is no JSON: {error}") from error
    return read if isinstance(read, dict) else {"json": read}
