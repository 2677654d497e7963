"""The box structure of ISO base media files (ISO/IEC 14496-12), read with bounds for files from strangers."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Boxes that are looked at in one level before the file is taken to be hostile.
_MAX_BOXES = 4096
#: Largest `moov` that is looked into.
_MAX_MOOV = 64 << 20
#: Length of a run of equal boxes is not told, so that the number of fragments does not make every file unique.
_REPEATED = "+"


@dataclass(frozen=True, slots=True)
class Box:
    """A box: its four letters, and where its content lies in the file or buffer."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class IsoBoxes:
    """What the boxes tell.

    Args:
        order: Top-level boxes in order, e.g. "ftyp free mdat moov"; runs of equal ones as "moof mdat+".
        edits: Media times of the tracks' edit lists in ticks, e.g. "1024 0"; "" where there is none.
        handlers: Handler names of the tracks, e.g. "VideoHandler SoundHandler".
    """

    order: str
    edits: str
    handlers: str


def _boxes(stream: IO[bytes], start: int, end: int) -> Iterator[Box]:
    """Boxes between two offsets; stops at the first one that does not fit."""
    for _ in range(_MAX_BOXES):
        stream.seek(start)
        head = stream.read(16)
        if end - start < 8 or len(head) < 8:
            return
        size, kind = struct.unpack_from(">I4s", head)
        offset = 8
        if size == 1 and len(head) == 16:
            size, offset = struct.unpack_from(">Q", head, 8)[0], 16
        elif size == 0:
            size = end - start
        if size < offset or start + size > end:
            return
        yield Box(_letters(kind), start + offset, start + size)
        start += size


def _letters(kind: bytes) -> str:
    return "".join(chr(c) if 33 <= c <= 126 else "?" for c in kind)


def read_boxes(path: Path) -> IsoBoxes:
    """Read the structure; whatever is damaged ends the list at that point.

    Args:
        path: A regular file.
    """
    import io

    with path.open("rb") as stream:
        top = list(_boxes(stream, 0, path.stat().st_size))
        moov = next((box for box in top if box.kind == "moov" and box.end - box.start <= _MAX_MOOV), None)
        content = b""
        if moov:
            stream.seek(moov.start)
            content = stream.read(moov.end - moov.start)
    edits, handlers = [], []
    with io.BytesIO(content) as inner:
        for track in (box for box in _boxes(inner, 0, len(content)) if box.kind == "trak"):
            edits += [text for text in (_edit(inner, track),) if text]
            handlers.append(_handler(inner, track))
    return IsoBoxes(_run_lengths([box.kind for box in top]), " ".join(edits), " ".join(handlers))


def _run_lengths(kinds: list[str]) -> str:
    words: list[str] = []
    for kind in kinds:
        if words and words[-1].rstrip(_REPEATED) == kind:
            words[-1] = kind + _REPEATED
        elif len(words) >= 2 and words[-2].rstrip(_REPEATED) == kind:
            words[-2:] = [kind + _REPEATED, words[-1].rstrip(_REPEATED) + _REPEATED]
        else:
            words.append(kind)
    return " ".join(words)


def _child(stream: IO[bytes], parent: Box, *kinds: str) -> Box | None:
    box: Box | None = parent
    for kind in kinds:
        if box is None:
            return None
        box = next((inner for inner in _boxes(stream, box.start, box.end) if inner.kind == kind), None)
    return box


def _edit(stream: IO[bytes], track: Box) -> str:
    """Media time of the first edit that is not empty (14496-12, 8.6.6); "" without an edit list."""
    box = _child(stream, track, "edts", "elst")
    if box is None:
        return ""
    stream.seek(box.start)
    content = stream.read(min(box.end - box.start, 4096))
    if len(content) < 8:
        return ""
    wide = content[0] == 1
    layout = struct.Struct(">Qqi" if wide else ">Iii")
    count = min(struct.unpack_from(">I", content, 4)[0], (len(content) - 8) // layout.size)
    times = [layout.unpack_from(content, 8 + k * layout.size)[1] for k in range(count)]
    return next((str(time) for time in times if time >= 0), "empty" if times else "")


def _handler(stream: IO[bytes], track: Box) -> str:
    """Name in the handler box (14496-12, 8.4.3)."""
    box = _child(stream, track, "mdia", "hdlr")
    if box is None:
        return "none"
    stream.seek(box.start)
    content = stream.read(min(box.end - box.start, 512))
    name = content[24:].split(b"\0")[0].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "?" for c in name)[:80] or "unnamed"
