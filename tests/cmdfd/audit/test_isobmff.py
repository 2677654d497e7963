"""The box reader on hand-made and hostile bytes."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmdfd.audit.isobmff import read_boxes
from cmdfd.media.orient import orientation_of


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


def matrix(*values: float) -> bytes:
    scale = (65536, 65536, 1 << 30)
    return struct.pack(">9i", *(round(value * scale[k % 3]) for k, value in enumerate(values)))


def test_marks_clock_padding_and_user_data(tmp_path: Path) -> None:
    head = box("mvhd", bytes(12) + struct.pack(">I", 600) + bytes(20) + matrix(1, 0, 0, 0, 1, 0, 0, 0, 1))
    film = box("moov", head, box("trak", box("udta", box("name", b"x"))), box("udta", box("meta"), box("XMP_", b"y")))
    path = tmp_path / "x.mp4"
    path.write_bytes(box("ftyp") + film + box("uuid", bytes(range(16)), b"tail") + box("free", bytes(5)) + bytes(3))
    found = read_boxes(path)
    assert (found.timescale, found.padding, found.uuids) == (600, 8 + 5 + 3, (bytes(range(16)).hex(),))
    assert found.user_data == ("XMP_", "meta", "name")
    assert b"tail" in found.side and found.matrix is None
    path.write_bytes(b"")
    assert read_boxes(path).timescale is None


@pytest.mark.parametrize("wide", [False, True])
def test_the_display_matrix_is_that_of_track_times_film(tmp_path: Path, wide: bool) -> None:
    quarter, film_turn = (0, 1, 0, -1, 0, 0, 0, 0, 1), (0, 1, 0, -1, 0, 0, 0, 0, 1)
    rest = bytes(12 if wide else 0)
    head = box("mvhd", bytes([wide]) + bytes(35) + rest + matrix(*film_turn))
    video = box("mdia", box("hdlr", bytes(8) + b"vide" + bytes(12)))
    track = box("trak", box("tkhd", bytes([wide]) + bytes(39) + rest + matrix(*quarter)), video)
    sound = box("trak", box("tkhd", bytes(40) + matrix(*(1,) * 9)), box("mdia", box("hdlr", bytes(8) + b"soun")))
    path = tmp_path / "x.mp4"
    path.write_bytes(box("moov", head, sound, track))
    found = read_boxes(path).matrix
    assert found is not None
    product = np.array(quarter).reshape(3, 3) @ np.array(film_turn).reshape(3, 3)
    assert np.frombuffer(found, np.int32).reshape(3, 3)[:2, :2].tolist() == (product[:2, :2] * 65536).tolist()
    assert orientation_of(found).rotation == 180


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


KIND = st.sampled_from([b"moov", b"trak", b"edts", b"elst", b"hdlr", b"mdia", b"mvhd", b"tkhd", b"udta", b"uuid"])
PARTS = st.lists(st.tuples(KIND, st.integers(0, 60), st.binary(max_size=40)), max_size=12)


@settings(max_examples=80, deadline=None)
@given(PARTS)
def test_random_bytes_never_raise(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[bytes, int, bytes]]
) -> None:
    content = b"".join(struct.pack(">I4s", size, kind) + body for kind, size, body in parts)
    order, _, handlers = read(tmp_path_factory.mktemp("iso"), content)
    assert (order + handlers).isprintable()
