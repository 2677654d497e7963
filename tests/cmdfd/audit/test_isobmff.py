"""The box reader on hand-made and hostile bytes."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmdfd.audit.isobmff import read_boxes


def box(kind: str, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind.encode()) + body


def handler(name: str) -> bytes:
    return box("mdia", box("hdlr", bytes(24) + name.encode() + b"\0"))


def edit(*times: int, wide: bool = False) -> bytes:
    layout = ">Qqi" if wide else ">Iii"
    rows = b"".join(struct.pack(layout, 100, time, 65536) for time in times)
    return box("edts", box("elst", bytes([int(wide), 0, 0, 0]), struct.pack(">I", len(times)), rows))


def read(tmp_path: Path, content: bytes) -> tuple[str, str, str]:
    path = tmp_path / "x.mp4"
    path.write_bytes(content)
    found = read_boxes(path)
    return found.order, found.edits, found.handlers


def test_order_edits_and_handlers(tmp_path: Path) -> None:
    moov = box("moov", box("mvhd", bytes(8)), box("trak", edit(1024), handler("Vid")), box("trak", handler("Snd")))
    assert read(tmp_path, box("ftyp", b"isom") + box("mdat", bytes(50)) + moov) == ("ftyp mdat moov", "1024", "Vid Snd")


def test_empty_and_wide_edits(tmp_path: Path) -> None:
    tracks = box("trak", edit(-1, 2112, wide=True)) + box("trak", edit(-1)) + box("trak")
    assert read(tmp_path, box("moov", tracks)) == ("moov", "2112 empty", "none none none")


def test_runs_are_told_as_one(tmp_path: Path) -> None:
    pair = box("moof") + box("mdat")
    assert read(tmp_path, box("ftyp") + pair * 9)[0] == read(tmp_path, box("ftyp") + pair * 4)[0] == "ftyp moof+ mdat+"
    assert read(tmp_path, box("free") * 3 + box("mdat"))[0] == "free+ mdat"


def test_large_and_open_ended_sizes(tmp_path: Path) -> None:
    large = struct.pack(">I4sQ", 1, b"mdat", 16 + 5) + bytes(5)
    rest = struct.pack(">I4s", 0, b"uuid") + bytes(7)
    assert read(tmp_path, large + rest)[0] == "mdat uuid"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\0",
        struct.pack(">I4s", 4, b"mdat"),  # smaller than its own head
        struct.pack(">I4s", 1 << 31, b"moov"),  # larger than the file
        struct.pack(">I4sQ", 1, b"moov", 3),  # 64-bit size smaller than its head
        box("moov", box("trak", box("edts", box("elst", struct.pack(">II", 0, 0xFFFFFFFF))))),
        box("moov", box("trak", box("edts", box("elst", b"\0")))),
        box("moov", box("trak", box("mdia", box("hdlr")))),
    ],
)
def test_damage_ends_the_list(tmp_path: Path, content: bytes) -> None:
    order, edits, _ = read(tmp_path, content)
    assert order in ("", "moov")
    assert edits == ""


KIND = st.sampled_from([b"moov", b"trak", b"edts", b"elst", b"hdlr", b"mdia"])
PARTS = st.lists(st.tuples(KIND, st.integers(0, 60), st.binary(max_size=40)), max_size=12)


@settings(max_examples=80, deadline=None)
@given(PARTS)
def test_random_bytes_never_raise(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[bytes, int, bytes]]
) -> None:
    content = b"".join(struct.pack(">I4s", size, kind) + body for kind, size, body in parts)
    order, _, handlers = read(tmp_path_factory.mktemp("iso"), content)
    assert (order + handlers).isprintable()
