"""Cues of the headers: each planted trait moves its own cue, read without decoding."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_files import ffmpeg, film, moving, written

from cmdfd.audit.cue import CueValue
from cmdfd.audit.cues import meta
from cmdfd.audit.cues.meta import shown_early
from cmdfd.audit.marks import C2PA_UUID, EXIF_UUID, XMP_UUID
from cmdfd.audit.measure import measure_file

NAMES = {cue.name for cue in meta.CUES}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("meta"), "x264")


def read(path: Path) -> dict[str, CueValue]:
    return {name: value for name, value in measure_file(path, depth="headers").items() if name in NAMES}


def copied(plain: Path, path: Path, *options: object) -> dict[str, CueValue]:
    ffmpeg("-i", plain, "-c", "copy", *options, path)
    return read(path)


def changed(one: dict[str, CueValue], other: dict[str, CueValue]) -> set[str]:
    return {name for name in one if one[name] != other[name]}


def uuid_box(kind: str, content: bytes = b"x" * 40) -> bytes:
    return struct.pack(">I4s", 24 + len(content), b"uuid") + bytes.fromhex(kind) + content


def test_every_cue_has_a_value_on_a_usual_film(plain: Path) -> None:
    found = read(plain)
    assert set(found) == NAMES
    assert all(value is not None for value in found.values())
    assert {found[f"meta.{name}"] for name in ("c2pa", "xmp", "exif", "prompt")} == {"no"}
    assert (found["meta.moov"], found["meta.keys"], found["meta.first_picture"]) == ("after mdat", "every 12", "IDR")
    assert (found["meta.chapters"], found["meta.extra_streams"], found["meta.padding"]) == (0, 0, 0)
    assert found["meta.frames_missing"] == 0 and found["meta.creation"] == "none"
    assert str(found["meta.level"]).startswith("h264/High@") and found["meta.scan"] == "progressive"


@pytest.mark.parametrize(("kind", "cue"), [(C2PA_UUID, "meta.c2pa"), (XMP_UUID, "meta.xmp"), (EXIF_UUID, "meta.exif")])
def test_boxes_of_marks(plain: Path, tmp_path: Path, kind: str, cue: str) -> None:
    path = tmp_path / "marked.mp4"
    path.write_bytes(plain.read_bytes() + uuid_box(kind))
    found = read(path)
    assert found[cue] == "yes" and changed(found, read(plain)) == {cue}


def test_marks_without_boxes(tmp_path: Path) -> None:
    path = written(tmp_path, "mpeg4")
    assert read(path)["meta.xmp"] == "no"
    path.write_bytes(path.read_bytes() + b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>')
    found = read(path)
    assert found["meta.xmp"] == "yes" and found["meta.moov"] is None


def test_a_manifest_in_a_box_of_another_kind(plain: Path, tmp_path: Path) -> None:
    path = tmp_path / "jumbf.mp4"
    inner = struct.pack(">I4s", 8 + 20, b"jumd") + b"c2pa" + bytes(16)
    path.write_bytes(plain.read_bytes() + struct.pack(">I4s", 8 + len(inner), b"jumb") + inner)
    assert read(path)["meta.c2pa"] == "no"  # no such box belongs at the top: its content is looked at, not its name
    box = struct.pack(">I4s", 8 + len(inner), b"jumb") + inner
    path.write_bytes(plain.read_bytes() + struct.pack(">I4s", 8 + len(box), b"meta") + box)
    assert read(path)["meta.c2pa"] == "yes"


def test_prompts_in_tags(plain: Path, tmp_path: Path) -> None:
    graph = json.dumps({"3": {"inputs": {"seed": 1}, "class_type": "KSampler"}})
    found = copied(plain, tmp_path / "a.mp4", "-movflags", "use_metadata_tags", "-metadata", f"prompt={graph}")
    assert found["meta.prompt"] == "yes" and "prompt" in str(found["meta.tags"]).split()
    assert copied(plain, tmp_path / "b.mp4", "-metadata", f"comment={graph}")["meta.prompt"] == "yes"
    assert copied(plain, tmp_path / "c.mp4", "-metadata", "comment=a film of mine")["meta.prompt"] == "no"


def test_dates_chapters_languages_and_streams(plain: Path, tmp_path: Path) -> None:
    dated = copied(plain, tmp_path / "a.mp4", "-metadata", "creation_time=2023-05-17T08:00:00Z")
    assert dated["meta.creation"] == "2023-05"
    spoken = copied(plain, tmp_path / "b.mp4", "-metadata:s:a:0", "language=ger")
    assert spoken["meta.languages"] == "und ger"
    (tmp_path / "chapters").write_text(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=one\n")
    told = copied(plain, tmp_path / "c.mkv", "-i", tmp_path / "chapters", "-map_metadata", 1)
    assert told["meta.chapters"] == 1
    twice = copied(plain, tmp_path / "d.mp4", "-map", "0:v", "-map", "0:a", "-map", "0:a")
    assert twice["meta.extra_streams"] == 1


def test_index_padding_clock_and_user_data(plain: Path, tmp_path: Path) -> None:
    first = copied(plain, tmp_path / "a.mp4", "-movflags", "faststart")
    assert first["meta.moov"] == "before mdat"
    clock = copied(plain, tmp_path / "b.mp4", "-movie_timescale", 600)
    assert clock["meta.timescale"] == 600
    placed = copied(plain, tmp_path / "c.mp4", "-metadata", "location=+47.0+008.0/")
    assert placed["meta.udta"] != read(plain)["meta.udta"] and "loci" in str(placed["meta.udta"]).split()
    padded = tmp_path / "d.mp4"
    padded.write_bytes(plain.read_bytes() + struct.pack(">I4s", 108, b"free") + bytes(100))
    assert read(padded)["meta.padding"] == 108
    padded.write_bytes(plain.read_bytes() + bytes(7))
    assert read(padded)["meta.padding"] == 7


def test_patterns_of_the_pictures(tmp_path: Path) -> None:
    still = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-sc_threshold", 0, "-b_strategy", 0)
    frames = moving(40)
    none = read(film(tmp_path / "a.mp4", *still, "-bf", 0, "-g", 10, frames=frames))
    two = read(film(tmp_path / "b.mp4", *still, "-bf", 2, "-x264-params", "b-pyramid=none", "-g", 999, frames=frames))
    assert (none["meta.pattern"], none["meta.b_run"], none["meta.b_share"]) == ("IPPPPPPP", 0, 0)
    assert none["meta.keys"] == "every 10"
    assert (two["meta.pattern"], two["meta.b_run"], two["meta.keys"]) == ("IPBBPBBP", 2, "first only")
    assert two["meta.b_share"] == pytest.approx(26 / 40, abs=0.03)


def test_declared_lengths(tmp_path: Path) -> None:
    frames = moving(25)
    path = film(tmp_path / "a.mp4", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", frames=frames)
    assert read(path)["meta.declared_gap"] == pytest.approx(0, abs=0.1)
    short = tmp_path / "b.mp4"
    ffmpeg("-i", path, "-map", "0:v", "-map", "0:a", "-c:v", "copy", "-af", "atrim=0:0.8", "-c:a", "aac", short)
    assert read(short)["meta.declared_gap"] == pytest.approx(-200, abs=1)
    assert read(written(tmp_path, "x264-late"))["meta.declared_gap"] is None


@given(st.lists(st.integers(0, 30), min_size=1, max_size=30, unique=True))
def test_early_frames_by_definition(order: list[int]) -> None:
    expected = [any(other > time for other in order[:k]) for k, time in enumerate(order)]
    assert shown_early(np.array(order, np.float64)).tolist() == expected
