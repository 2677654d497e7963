"""Shards become the set again, byte for byte; hostile shards leave nothing behind."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from format_sets import clip, lay_out, write_set

from cmdfd.audit.targets.folders import open_folder
from cmdfd.audit.targets.options import TargetOptions
from cmdfd.clip import SPLITS
from cmdfd.dataset import Dataset
from cmdfd.errors import CmdfdError
from cmdfd.publish.records import Format
from cmdfd.publish.unpack import Limits, unpack

pytest.importorskip("datasets", reason="needs the extra 'hub'")

Member = tuple[tarfile.TarInfo, bytes]


def member(name: str, data: bytes = b"data", kind: bytes = tarfile.REGTYPE, link: str = "") -> Member:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(data) if kind == tarfile.REGTYPE else 0
    return info, data


def tar_of(path: Path, members: Iterable[Member]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data) if info.isreg() else None)
    return path


def record(**columns: Any) -> bytes:
    return json.dumps(columns).encode()


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("layout", ["webdataset", "parquet"])
def test_a_packed_set_comes_out_as_it_was(tmp_path: Path, layout: Format) -> None:
    clips = [clip(number, split) for split in SPLITS for number in range(8)]
    home = write_set(tmp_path / "home", clips, withheld=["test"])
    folder = lay_out(home, tmp_path / "packed", layout, shard_bytes=9000)
    out = unpack(folder, tmp_path / "out")
    assert tree(out) == {**tree(home.folder), "README.md": (folder / "README.md").read_bytes()}
    assert Dataset.open(out).manifest_sha256 == home.manifest_sha256
    Dataset.open(out).verify()
    assert unpack(home.folder, tmp_path / "other") == home.folder and not (tmp_path / "other").exists()


MP4 = member("a.mp4")
HOSTILE_TARS: dict[str, tuple[list[Member], str]] = {
    "parent": ([member("../../evil.mp4")], "no plain relative name"),
    "parent inside": ([member("a/../../evil.mp4")], "no plain relative name"),
    "absolute": ([member("/tmp/evil.mp4")], "no plain relative name"),
    "backslash": ([member("..\\evil.mp4")], "no plain relative name"),
    "drive": ([member("C:evil.mp4")], "no plain relative name"),
    "hidden folder": ([member(".cache/evil.mp4")], "no plain relative name"),
    "empty part": ([member("a//evil.mp4")], "no plain relative name"),
    "control sign": ([member("a\x1b[2J.mp4")], "no plain relative name"),
    "not UTF-8": ([member("a\udcff.mp4")], "no plain relative name"),
    "long part": ([member("a" * 300 + ".mp4")], "no plain relative name"),
    "long path": ([member("/".join(["ab"] * 400) + ".mp4")], "no plain relative name"),
    "symbolic link": ([member("a.mp4", kind=tarfile.SYMTYPE, link="/etc/passwd")], "not a plain file"),
    "hard link": ([MP4, member("b.mp4", kind=tarfile.LNKTYPE, link="a.mp4")], "not a plain file"),
    "device": ([member("a.mp4", kind=tarfile.CHRTYPE)], "not a plain file"),
    "pipe": ([member("a.mp4", kind=tarfile.FIFOTYPE)], "not a plain file"),
    "link, then a file through it": (
        [member("sub", kind=tarfile.SYMTYPE, link="/tmp"), member("sub/evil.mp4")],
        "not a plain file",
    ),
    "twice": ([MP4, MP4], "'mp4' twice"),
    "twice, later": ([MP4, member("b.mp4"), MP4], "comes twice"),
    "twice by case": ([MP4, member("A.mp4")], "comes twice"),
    "file as folder": ([MP4, member("a.mp4/b.mp4")], "cannot be read"),
    "broken JSON": ([MP4, member("a.json", b"{")], "no JSON"),
    "deep JSON": ([MP4, member("a.json", b"[" * 500_000)], "no JSON"),
    "huge JSON": ([MP4, member("a.json", b'"' + b"a" * 2_000_000 + b'"')], "at most 1,048,576"),
    "huge media": ([member("a.mp4", b"a" * 60_000)], "too many"),
    "many bytes": ([member(f"{k}.mp4", b"a" * 40_000) for k in range(9)], "too many"),
    "many files": ([member(f"{k}.mp4", b"") for k in range(60)], "more than 50 files"),
    "many members": ([member(f"{k}.nothing", b"") for k in range(300)], "more than 200 members"),
}
SMALL = Limits(files=50, file_bytes=50_000, total_bytes=200_000)


def refused(tmp_path: Path, said: str, limits: Limits = SMALL) -> None:
    before = tree(tmp_path)
    with pytest.raises(CmdfdError, match=said):
        unpack(tmp_path / "set", tmp_path / "out", limits)
    assert tree(tmp_path) == before and not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", HOSTILE_TARS)
def test_hostile_tars_leave_nothing_behind(tmp_path: Path, kind: str) -> None:
    members, said = HOSTILE_TARS[kind]
    tar_of(tmp_path / "set/data/test-000000.tar", members)
    refused(tmp_path, said)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda data: data[:700], "breaks off|cannot be read"),
        (lambda data: b"\x1f\x8b" + data, "not a tar"),
        (lambda data: b"not a tar at all" * 100, "not a tar"),
        (lambda data: data[:124] + b"77777777777\0" + data[136:], "cannot be read|not a tar"),  # 8 GB, wrong checksum
    ],
)
def test_broken_tars_are_refused(tmp_path: Path, spoil: Callable[[bytes], bytes], said: str) -> None:
    path = tar_of(tmp_path / "set/data/test-000000.tar", [member("a.mp4", b"a" * 600)])
    path.write_bytes(spoil(path.read_bytes()))
    refused(tmp_path, said)


def test_a_member_that_claims_more_than_the_file_holds_is_refused(tmp_path: Path) -> None:
    info, _ = member("a.mp4", b"")
    info.size = 8 << 30
    path = tmp_path / "set/data/test-000000.tar"
    path.parent.mkdir(parents=True)
    path.write_bytes(info.tobuf() + b"a" * 512)
    refused(tmp_path, "breaks off")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"file_name": "../../../evil.mp4"}, "no plain relative name"),
        ({"file_name": "/tmp/evil.mp4"}, "no plain relative name"),
        ({"file_name": "labels.parquet"}, "not named like a media file"),
        ({"file_name": None}, "not named like a media file"),
        ({"mask": "../evil.mkv"}, "not in masks/"),
        ({"mask": "masks/../../evil.mkv"}, "no plain relative name"),
        ({"mask": "test/videos/000/evil.mkv"}, "not in masks/"),
        ({"mask": None}, "of no clip"),
        ({"n_frames": "many"}, "cannot be read"),
    ],
)
def test_hostile_columns_of_a_built_set_leave_nothing_behind(
    tmp_path: Path, columns: dict[str, Any], said: str
) -> None:
    known = {"id": "a", "file_name": "videos/000/a.mp4", "mask": "masks/000/a.mkv", "n_frames": 3}
    tar_of(tmp_path / "set/data/test-000000.tar", [MP4, member("a.json", record(**{**known, **columns}))])
    tar_of(tmp_path / "set/masks/test-000000.tar", [member("a.mkv")])
    (tmp_path / "set/build.json").write_text("{}")
    refused(tmp_path, said)


def write_parquet(path: Path, rows: list[dict[str, Any]], noted: dict[str, Any] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    media = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    others = pa.Table.from_pylist([{k: v for k, v in row.items() if k != "video"} for row in rows]).schema
    schema = pa.schema([("video", media), *others])
    if noted is not None:
        schema = schema.with_metadata({"huggingface": json.dumps({"info": {"features": noted}})})
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)


@pytest.mark.parametrize(
    ("media", "said"),
    [
        ({"bytes": b"x", "path": "../../evil.mp4"}, "no plain relative name"),
        ({"bytes": b"x", "path": "/tmp/evil.mp4"}, "no plain relative name"),
        ({"bytes": b"x", "path": "evil.sh"}, "not named like a media file"),
        ({"bytes": None, "path": "/home/someone/a.mp4"}, "holds no bytes"),
        (None, "holds no bytes"),
        ({"bytes": b"x" * 60_000, "path": "a.mp4"}, "too many"),
    ],
)
def test_hostile_parquet_leaves_nothing_behind(tmp_path: Path, media: Any, said: str) -> None:
    write_parquet(tmp_path / "set/data/test-00000-of-00001.parquet", [{"video": media, "label": 1}])
    refused(tmp_path, said)


def test_a_parquet_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    rows = [{"video": {"bytes": bytes(10_000_000), "path": f"{k}.mp4"}, "label": 1} for k in range(2)]
    path = tmp_path / "set/data/test-00000-of-00001.parquet"
    write_parquet(path, rows)
    pq.write_table(pq.read_table(path), path, compression="zstd")
    assert path.stat().st_size < 100_000
    refused(tmp_path, "row group 0 has .* at most 5,000,000", Limits(group_bytes=5_000_000))
    spoiled = bytearray(path.read_bytes())
    column = pq.read_metadata(path).row_group(0).column(0)
    start, size = column.dictionary_page_offset or column.data_page_offset, column.total_compressed_size
    spoiled[start + 30 : start + size] = b"\xff" * (size - 30)
    path.write_bytes(spoiled)
    refused(tmp_path, "not a Parquet file that can be read|cannot be read", Limits())


def test_tars_of_strangers_open_like_folders(tmp_path: Path) -> None:
    """Class folders in a tar; a JSON that says the class; other members beside the media."""
    classes = [member(f"{'fake' if k % 2 else 'real'}/{k:02d}.mp4", f"{k}".encode()) for k in range(8)]
    tar_of(tmp_path / "a/train.tar", classes)
    target = open_folder(unpack(tmp_path / "a", tmp_path / "a-out"), TargetOptions())
    assert sorted(target.clips["label"]) == [0, 0, 0, 0, 1, 1, 1, 1] and set(target.clips["split"]) == {"train"}
    said = [
        one
        for k in range(8)
        for one in (
            member(f"./x{k}.face.mp4", f"{k}".encode()),
            member(f"./x{k}.json", record(label="fake" if k % 2 else "real", speaker=f"p{k}", words=["a", None])),
            member(f"./x{k}.jpg"),
            member(f"./._x{k}.mp4"),
        )
    ]
    tar_of(tmp_path / "b/data/val-000000.tar", said)
    target = open_folder(unpack(tmp_path / "b", tmp_path / "b-out"), TargetOptions())
    assert sorted(target.clips["label"]) == [0, 0, 0, 0, 1, 1, 1, 1]
    assert {Path(path).read_bytes() for path in target.clips["path"]} == {f"{k}".encode() for k in range(8)}


def test_a_class_number_of_a_stranger_means_what_its_name_says(tmp_path: Path) -> None:
    noted = {"video": {"_type": "Video"}, "label": {"_type": "ClassLabel", "names": ["fake", "real"]}}
    rows = [
        {"video": {"bytes": f"{k}".encode(), "path": f"{k:02d}.mp4" if k else None}, "label": k % 2, "who": f"p{k}"}
        for k in range(8)
    ]
    write_parquet(tmp_path / "set/data/train-00000-of-00001.parquet", rows, noted)
    target = open_folder(unpack(tmp_path / "set", tmp_path / "out"), TargetOptions())
    labels = {
        Path(path).read_text(): label for path, label in zip(target.clips["path"], target.clips["label"], strict=True)
    }
    assert labels == {f"{k}": float(k % 2 == 0) for k in range(8)}
