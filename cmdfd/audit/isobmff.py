"""The box structure of ISO base media files (ISO/IEC 14496-12), read with bounds for files from strangers."""

from __future__ import annotations

import io
import itertools
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Boxes that are looked at in one level before the file is taken to be hostile.
_MAX_BOXES = 4096
#: Largest `moov` that is looked into.
_MAX_MOOV = 64 << 20
#: Largest other box at the top whose content is looked at for marks.
_MAX_SIDE = 1 << 20
#: Such boxes at the top, and boxes of user data, that are looked at.
_MAX_SIDES = 16
#: Length of a run of equal boxes is not told, so that the number of fragments does not make every file unique.
_REPEATED = "+"
#: Boxes that hold nothing.
_PADDING = ("free", "skip", "wide")
#: A display matrix is nine 32-bit numbers, the third column in 2.30 fixed point, the others in 16.16 (6.2.2).
_MATRIX = struct.Struct(">9i")
_SHIFTS = (16, 16, 30)


@dataclass(frozen=True, slots=True)
class Box:
    """A box: its four letters, and where its content lies in the file or buffer."""

    kind: str
    start: int
    end: int

    @property
    def size(self) -> int:
        """Bytes of its content."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class IsoBoxes:
    """What the boxes tell.

    Args:
        order: Top-level boxes in order, e.g. "ftyp free mdat moov"; runs of equal ones as "moof mdat+".
        edits: Media times of the tracks' edit lists in ticks, e.g. "1024 0"; "" where there is none.
        handlers: Handler names of the tracks, e.g. "VideoHandler SoundHandler".
        matrix: The 36 bytes of the first video track's display matrix, in the machine's order, as FFmpeg hands it
            over; None without such a track.
        uuids: Hexadecimal types of all uuid boxes at the top and in `moov`.
        user_data: Sorted kinds of the boxes of user data (`udta` of the film and its tracks, `meta`).
        timescale: Ticks per second of the film's clock; None without `mvhd`.
        padding: Bytes at the end of the file that no box but `free`, `skip` or `wide` accounts for.
        side: Content of `moov`, and of small boxes of metadata at the top, for finding marks.
    """

    order: str
    edits: str
    handlers: str
    matrix: bytes | None = None
    uuids: tuple[str, ...] = ()
    user_data: tuple[str, ...] = ()
    timescale: int | None = None
    padding: int = 0
    side: bytes = b""


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


@lru_cache(maxsize=512)
def _letters(kind: bytes) -> str:
    return "".join(chr(c) if 33 <= c <= 126 else "?" for c in kind)


def read_boxes(path: Path) -> IsoBoxes:
    """Read the structure; whatever is damaged ends the list at that point.

    Args:
        path: A regular file.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        top = list(_boxes(stream, 0, size))
        moov = next((box for box in top if box.kind == "moov" and box.end - box.start <= _MAX_MOOV), None)
        content = _content(stream, moov) if moov else b""
        others = (box for box in top if box.kind in ("uuid", "meta", "udta", "jumb") and box.size <= _MAX_SIDE)
        side = [_content(stream, box) for box in itertools.islice(others, _MAX_SIDES)]
        uuids = [_uuid(stream, box) for box in itertools.islice((b for b in top if b.kind == "uuid"), _MAX_SIDES)]
    edits, handlers, kinds = [], [], set()
    matrix: bytes | None = None
    with io.BytesIO(content) as inner:
        film = list(_boxes(inner, 0, len(content)))
        head = _movie_head(inner, film)
        for track in (box for box in film if box.kind == "trak"):
            edits += [text for text in (_edit(inner, track),) if text]
            handlers.append(_handler(inner, track))
            kinds.update(_user_data(inner, track))
            if matrix is None and _is_video(inner, track):
                matrix = _display_matrix(inner, track, head.matrix)
        uuids += [_uuid(inner, box) for box in film if box.kind == "uuid"]
        kinds.update(_user_data(inner, Box("moov", 0, len(content))))
    last = next((box.end for box in reversed(top) if box.kind not in _PADDING), 0)
    return IsoBoxes(
        _run_lengths([box.kind for box in top]),
        " ".join(edits),
        " ".join(handlers),
        matrix,
        tuple(uuids),
        tuple(sorted(kinds)),
        head.timescale,
        size - last,
        b"".join([content, *side]),
    )


@dataclass(frozen=True, slots=True)
class _Head:
    """Clock and matrix of the film (14496-12, 8.2.2)."""

    timescale: int | None
    matrix: tuple[int, ...] | None


def _content(stream: IO[bytes], box: Box) -> bytes:
    stream.seek(box.start)
    return stream.read(box.size)


def _uuid(stream: IO[bytes], box: Box) -> str:
    stream.seek(box.start)
    return stream.read(min(16, box.size)).hex()


def _movie_head(stream: IO[bytes], film: list[Box]) -> _Head:
    box = next((box for box in film if box.kind == "mvhd"), None)
    content = _content(stream, box) if box and box.size <= _MAX_SIDE else b""
    if len(content) < 24:
        return _Head(None, None)
    wide = content[0] == 1
    place = 48 if wide else 36
    enough = len(content) >= place + _MATRIX.size
    timescale = struct.unpack_from(">I", content, 20 if wide else 12)[0]
    return _Head(timescale, _MATRIX.unpack_from(content, place) if enough else None)


def _is_video(stream: IO[bytes], track: Box) -> bool:
    box = _child(stream, track, "mdia", "hdlr")
    if box is None:
        return False
    stream.seek(box.start)
    return stream.read(min(12, box.size))[8:12] == b"vide"


def _display_matrix(stream: IO[bytes], track: Box, film: tuple[int, ...] | None) -> bytes | None:
    """Matrix of the track times that of the film (8.3.2), in the machine's order."""
    box = _child(stream, track, "tkhd")
    content = _content(stream, box) if box and box.size <= _MAX_SIDE else b""
    place = 52 if content[:1] == b"\1" else 40
    if len(content) < place + _MATRIX.size:
        return None
    own = _MATRIX.unpack_from(content, place)
    if film is not None:
        rows = [own[k : k + 3] for k in (0, 3, 6)]
        columns = [film[k::3] for k in range(3)]
        own = tuple(
            sum(a * b >> shift for a, b, shift in zip(row, column, _SHIFTS, strict=True))
            for row in rows
            for column in columns
        )
    return struct.pack("=9i", *((value + 2**31) % 2**32 - 2**31 for value in own))


def _user_data(stream: IO[bytes], parent: Box) -> set[str]:
    """Kinds of the boxes in `udta`, and of those of `meta` in it or beside it."""
    found: set[str] = set()
    box = _child(stream, parent, "udta")
    if box is not None:
        found.update(inner.kind for inner in itertools.islice(_boxes(stream, box.start, box.end), _MAX_SIDES))
    if _child(stream, parent, "meta") is not None:
        found.add("meta")
    return found


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
