"""What comes out of shards, and the one place that writes it: plain names, nothing twice, within limits."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from cmdfd.audit.targets.vocabulary import AUDIO_SUFFIXES, VIDEO_SUFFIXES
from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MEDIA_SUFFIXES = frozenset(VIDEO_SUFFIXES) | frozenset(AUDIO_SUFFIXES)
_CHUNK = 1 << 20
_NAME_BYTES, _PATH_BYTES = 255, 1000


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may come out of shards.

    Args:
        files: Files in all.
        file_bytes: Bytes of one media file.
        total_bytes: Bytes in all.
        record_bytes: Bytes of one member that is not media (JSON, text).
        group_bytes: Unpacked bytes of a row group, which is held in memory.
    """

    files: int = 1_000_000
    file_bytes: int = 16 << 30
    total_bytes: int = 1 << 40
    record_bytes: int = 1 << 20
    group_bytes: int = 2 << 30


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Slice:
    """A stretch of a file: a member of a tar without its header.

    Args:
        path: The file.
        offset: First byte.
        size: Bytes.
    """

    path: Path
    offset: int
    size: int

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """The file, at the first byte."""
        with self.path.open("rb") as stream:
            stream.seek(self.offset)
            yield stream


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One clip out of a shard.

    Args:
        name: Path of its media in the split's folder, as the shard says it; not yet trusted.
        columns: What the shard says of it.
        media: Its media.
    """

    name: str
    columns: dict[str, Any]
    media: bytes | Slice


@dataclass(slots=True)
class Writer:
    """Writes files below a folder and counts them.

    Args:
        root: The folder.
        limits: What may be written.
    """

    root: Path
    limits: Limits = LIMITS
    written: set[str] = field(default_factory=set)
    total: int = 0

    def add(self, name: str, media: bytes | Slice, shard: str) -> None:
        """Write one file.

        Raises:
            CmdfdError: If its name, size or number breaks a rule.
        """
        relative = safe_name(name, shard)
        key = relative.casefold()
        if key in self.written:
            raise CmdfdError(f"{shard}: {name[:200]!r} comes twice")
        size = len(media) if isinstance(media, bytes) else media.size
        self.total += size
        if size > self.limits.file_bytes or self.total > self.limits.total_bytes:
            raise CmdfdError(f"{shard}: {name[:200]!r} has {size:,} bytes, {self.total:,} with all before: too many")
        if len(self.written) >= self.limits.files:
            raise CmdfdError(f"{shard}: more than {self.limits.files:,} files")
        self.written.add(key)
        path = self.root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as out:
            if isinstance(media, bytes):
                out.write(media)
                return
            with media.open() as stream:
                left = size
                while left and (block := stream.read(min(left, _CHUNK))):
                    left -= out.write(block)
        if left:
            raise CmdfdError(f"{shard}: {name[:200]!r} breaks off")


def safe_name(name: str, shard: str) -> str:
    """A relative path that stays in its folder.

    Raises:
        CmdfdError: For every other one.
    """
    parts = name.split("/")
    bad = (
        not name
        or len(os.fsencode(name)) > _PATH_BYTES
        or not name.isprintable()
        or any(sign in name for sign in '\\:*?"<>|')
        or any(not part or part.startswith(".") or len(os.fsencode(part)) > _NAME_BYTES for part in parts)
    )
    if bad:
        raise CmdfdError(f"{shard}: {name[:200]!r} is no plain relative name; nothing of this set is unpacked")
    return name
