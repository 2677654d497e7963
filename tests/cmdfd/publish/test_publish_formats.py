"""The three layouts: `load_dataset` gives back what was built, whatever the labels; nothing tells of this machine."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import tarfile
import tempfile
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from format_sets import FAKE, SPANS, at_home, clip, lay_out, loaded, write_set
from hypothesis import given, settings
from hypothesis import strategies as st

from cmdfd.clip import SPLITS, Clip, Labels, Modality, Rights, Segment, content_id
from cmdfd.dataset import Dataset
from cmdfd.errors import CmdfdError
from cmdfd.publish.formats import data_files, parquet, webdataset
from cmdfd.publish.formats.tables import shards
from cmdfd.publish.records import FORMATS, Format

pytest.importorskip("datasets", reason="needs the extra 'hub'")


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    clips = [clip(number, split) for split in SPLITS for number in range(8)]
    return write_set(tmp_path_factory.mktemp("public"), clips, withheld=["test"])


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("layout", FORMATS)
def test_bytes_and_labels_come_back(public: Dataset, tmp_path: Path, layout: Format, streaming: bool) -> None:
    sizes = {} if layout == "videofolder" else {"shard_bytes": 9000}
    folder = lay_out(public, tmp_path / "out", layout, **sizes)
    found = list(loaded(folder, layout, tmp_path / "cache", streaming=streaming))
    assert {(split, row["id"]): (sha256, row) for split, sha256, row in found} == at_home(public)
    assert len(found) == len(public.rows)
    hidden = [row for split, _, row in found if split == "test"]
    assert {row["label"] for row in hidden} == {None} and {row["kind"] for row in hidden} == {None}


def words() -> st.SearchStrategy[str]:
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@st.composite
def hostile_clip(draw: st.DrawFn, split: str, number: int, blank: bool) -> Clip:
    """A clip; a blank one has nothing but what it must have, so that a schema cannot be read from it."""
    base = clip(number, split, id=content_id(split, number, draw(st.integers(0, 99))))
    bare = Labels(*[None] * len(fields(Labels)))
    if blank:
        return replace(base, labels=bare, segments=(), mask=None, tracks=None, source_ids=(), kind="real", variant="")
    cuts = sorted(draw(st.lists(st.floats(0, 1.9, width=64), max_size=4, unique=True)))
    spans = tuple(
        Segment(a, b, draw(st.sampled_from(list(Modality)))) for a, b in zip(cuts[::2], cuts[1::2], strict=False)
    )
    return replace(
        base,
        labels=Labels(*[draw(st.sampled_from([0, 1, None])) for _ in fields(Labels)]),
        segments=spans, kind=draw(words()), variant=draw(words()), generator=draw(words()), face_id=draw(words()),
        source_ids=tuple(draw(st.lists(words(), max_size=3))), mask=draw(st.sampled_from([None, "yes"])),
        scene=draw(words()), fps=draw(st.floats(1, 240, width=64)),
        rights=Rights(draw(words()), draw(words()), draw(st.booleans())),
    )  # fmt: skip


@st.composite
def hostile_clips(draw: st.DrawFn) -> tuple[list[Clip], list[str]]:
    """Splits whose first clips, or all, are blank; the last one may be withheld."""
    clips: list[Clip] = []
    for split in draw(st.sampled_from([("test",), ("train", "test")])):
        blanks = draw(st.sampled_from([0, 6, 8]))
        clips += [draw(hostile_clip(split, number, number < blanks)) for number in range(8)]
    return clips, draw(st.sampled_from([[], ["test"]]))


@pytest.mark.parametrize("layout", FORMATS)
@settings(max_examples=5)
@given(hostile_clips())
def test_the_schema_survives_hostile_labels(layout: Format, made: tuple[list[Clip], list[str]]) -> None:
    clips, withheld = made
    with tempfile.TemporaryDirectory() as name:
        home = write_set(Path(name, "home"), clips, withheld)
        folder = lay_out(home, Path(name, "out"), layout)
        found = list(loaded(folder, layout, Path(name, "cache"), streaming=True))
        assert {(split, row["id"]): (sha256, row) for split, sha256, row in found} == at_home(home)


def test_blank_first_samples_in_a_tar_load_normally_too(tmp_path: Path) -> None:
    """Five samples decide the columns of a tar: here none of them has a segment, a mask or a label; the sixth has."""
    clips = [
        clip(3, id=f"{k:03d}", labels=Labels(*[None] * 5), segments=(), mask=None, source_ids=()) for k in range(12)
    ]
    order = [
        one.name for one in _members(lay_out(write_set(tmp_path / "a", clips), tmp_path / "b", "webdataset"), "data")
    ]
    last = order[-1].partition(".")[0]
    clips = [replace(one, labels=FAKE, segments=SPANS, source_ids=("s",)) if one.id == last else one for one in clips]
    home = write_set(tmp_path / "home", clips)
    folder = lay_out(home, tmp_path / "out", "webdataset")
    found = list(loaded(folder, "webdataset", tmp_path / "cache", streaming=False))
    assert {(split, row["id"]): (sha256, row) for split, sha256, row in found} == at_home(home)


def _members(folder: Path, below: str) -> list[tarfile.TarInfo]:
    found = []
    for path in sorted((folder / below).glob("*.tar")):
        with tarfile.open(path) as tar:
            found += tar.getmembers()
    return found


@pytest.mark.parametrize("layout", ["webdataset", "parquet"])
def test_bytes_depend_on_nothing_but_the_set(public: Dataset, tmp_path: Path, layout: Format) -> None:
    first = lay_out(public, tmp_path / "one", layout, shard_bytes=9000)
    other = tmp_path / "elsewhere"
    other.mkdir()
    shutil.copytree(public.folder, other / "copy")
    for path in (other / "copy").rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (1e9, 1e9))
    second = lay_out(Dataset.open(other / "copy"), tmp_path / "two", layout, shard_bytes=9000)
    files = {path.relative_to(first): path.read_bytes() for path in first.rglob("*") if path.is_file()}
    assert files == {path.relative_to(second): path.read_bytes() for path in second.rglob("*") if path.is_file()}
    words = (str(tmp_path), str(public.folder), str(Path.home()) + "/", str(Path(__file__).parents[3]))
    assert not [name for name, data in files.items() for word in words if word.encode() in data]
    for member in _members(first, "data") + _members(first, "masks"):
        assert (member.mtime, member.uid, member.gid, member.uname, member.gname, member.mode) == (
            0,
            0,
            0,
            "",
            "",
            0o644,
        )


def test_every_sample_of_a_tar_has_the_same_members_and_keys(public: Dataset, tmp_path: Path) -> None:
    folder = lay_out(public, tmp_path / "out", "webdataset", shard_bytes=9000)
    schemas = set()
    for path in (folder / "data").glob("*.tar"):
        with tarfile.open(path) as tar:
            names = tar.getnames()
            assert [name.partition(".")[2] for name in names] == ["mp4", "json"] * (len(names) // 2)
            assert names[::2] == [f"{name.removesuffix('.json')}.mp4" for name in names[1::2]]
            schemas |= {tuple(json.load(tar.extractfile(name))) for name in names[1::2]}  # type: ignore[arg-type]
    assert len(schemas) == 1
    masks = {one.name for one in _members(folder, "masks")}
    assert masks == {f"{one.id}.mkv" for one in public.rows if one.mask} and masks
    assert {one.name for one in _members(folder, "tracks")} == {f"{one.id}.npz" for one in public.rows if one.tracks}


@pytest.mark.parametrize("layout", ["webdataset", "parquet"])
def test_the_order_of_samples_does_not_tell_the_class(tmp_path: Path, layout: Format) -> None:
    """Ids count up, reals first: in the shards, classes change about as often as by chance."""
    clips = [clip(3 if k >= 100 else 1, id=f"{k:04d}", tracks=None) for k in range(200)]
    folder = lay_out(write_set(tmp_path / "set", clips), tmp_path / "out", layout)
    if layout == "webdataset":
        ids = [one.name[:4] for one in _members(folder, "data")[::2]]
    else:
        ids = pq.read_table(next((folder / "data").glob("*.parquet")), columns=["id"]).column("id").to_pylist()
    classes = [int(one) >= 100 for one in ids]
    changes = sum(a != b for a, b in itertools.pairwise(classes))
    assert 100 - 4 * 7.1 < changes < 100 + 4 * 7.1  # runs of 100 + 100: mean 100, standard deviation 7.06


@given(st.lists(st.integers(0, 50), max_size=30), st.integers(1, 60))
def test_shards_hold_all_in_order_within_their_size(sizes: list[int], limit: int) -> None:
    runs = shards(sizes, limit)
    assert [index for run in runs for index in run] == list(range(len(sizes)))
    assert all(sum(sizes[k] for k in run) <= limit or len(run) == 1 for run in runs)
    assert all(sum(sizes[k] for k in run) + sizes[run.stop] > limit for run in runs[:-1])


def test_parquet_is_a_video_set_that_can_be_read_in_parts(public: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    parquet.write(public, folder, shard_bytes=9000, group_bytes=4000)
    names = sorted(path.name for path in (folder / "data").iterdir())
    of_test = [name for name in names if name.startswith("test")]
    assert len(of_test) > 1 and of_test[0] == f"test-00000-of-{len(of_test):05d}.parquet"
    groups = 0
    for name in names:
        file = pq.ParquetFile(folder / "data" / name)
        noted = json.loads(file.schema_arrow.metadata[b"huggingface"])["info"]["features"]
        assert noted["video"]["_type"] == "Video"
        groups += file.num_row_groups
        for k in range(file.num_row_groups):
            media = file.metadata.row_group(k).column(0)
            assert media.path_in_schema == "video.bytes" and media.compression == "UNCOMPRESSED"
            assert media.has_offset_index and not media.is_stats_set and media.total_uncompressed_size < 4200
        paths = [row["path"] for row in file.read(["video.path"]).column("video").to_pylist()]
        assert paths == [f"{one}.mp4" for one in file.read(["id"]).column("id").to_pylist()]
    assert groups > len(names)


def test_what_cannot_be_laid_out_is_refused(tmp_path: Path) -> None:
    dotted = write_set(tmp_path / "dotted", [clip(1, id="a.b")])
    with pytest.raises(CmdfdError, match="no dots"):
        webdataset.write(dotted, tmp_path / "out")
    mixed = write_set(tmp_path / "mixed", [clip(1, "train")])
    mixed = replace(mixed, rows=(*mixed.rows, replace(mixed.rows[0], id="b", file="train/videos/000/b.mkv")))
    with pytest.raises(CmdfdError, match=r"\.mkv, \.mp4; use --format videofolder"):
        webdataset.write(mixed, tmp_path / "out")
    secret = write_set(tmp_path / "secret", [clip(1)], withheld=["test"])
    (secret.folder / "test" / "labels.parquet").write_bytes(b"x")
    for write in (webdataset.write, parquet.write):
        with pytest.raises(CmdfdError, match=r"withheld_label: test/labels\.parquet"):
            write(secret, tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.tar")) and not list((tmp_path / "out").rglob("labels.parquet"))


def test_one_clip_alone_is_still_a_set_of_videos(tmp_path: Path) -> None:
    """`datasets` takes the commonest extension, and Parquet in a draw: labels must not match the patterns."""
    home = write_set(tmp_path / "home", [clip(1)])
    folder = lay_out(home, tmp_path / "out", "videofolder")
    (row,) = loaded(folder, "videofolder", tmp_path / "cache", streaming=False)
    assert row[2]["id"] == home.rows[0].id


def test_patterns_take_in_data_alone(public: Dataset, tmp_path: Path) -> None:
    for layout in FORMATS:
        folder = lay_out(public, tmp_path / layout, layout)
        taken: dict[str, Any] = {}
        for split, patterns in data_files(layout, public.splits).items():
            taken |= {path: split for one in patterns for path in folder.glob(one.replace("/**", "/**/*"))}
        files = {path for path in taken if path.is_file()}
        assert not [path for path in files if path.name == "labels.parquet" or "masks" in path.parts]
        assert all(split in path.relative_to(folder).as_posix() for path, split in taken.items())
