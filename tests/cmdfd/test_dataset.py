from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cmdfd.clip import REAL, Clip, Labels, Modality, Rights, Segment, sha256_file
from cmdfd.dataset import BUILD_FILE, FORMAT_VERSION, BuildFile, Dataset, DatasetError, clip_paths, write_tables
from cmdfd.tables import LABEL_COLUMNS, cue_schema, read_table, write_table

FAKE = Labels(1, 0, 1, 1, 0)


def make_clip(folder: Path, split: str, number: int, *, fake: bool) -> Clip:
    clip_id = f"{split[:2].encode().hex()}{number:04x}"
    paths = clip_paths(split, clip_id, number)
    person = f"{split}-{number // 2}"
    for name in (paths.file, paths.tracks, *([paths.mask] if fake else [])):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(f"bytes of {name}".encode())
    return Clip(
        id=clip_id,
        split=split,
        file=paths.file,
        sha256=sha256_file(folder / paths.file),
        labels=FAKE if fake else REAL,
        kind="video/mouth_warp" if fake else "real",
        variant="",
        generator="video/mouth_warp" if fake else "sham",
        face_id=person,
        voice_id=f"{person}-voice",
        source_ids=(f"{person}-take", f"{person}-other"),
        component=f"c-{person}",
        segments=(Segment(0.04, 3.0, Modality.VIDEO),) if fake else (),
        mask=paths.mask if fake else None,
        tracks=paths.tracks,
        fps=25.0,
        n_frames=75,
        width=224,
        height=224,
        sample_rate=16000,
        n_samples=48000,
        rights=Rights("Apache-2.0", "synthetic"),
    )


def write_build(folder: Path, clips: list[Clip], withheld: tuple[str, ...] = ()) -> None:
    counts: dict[str, dict[str, int]] = {}
    for clip in clips:
        kinds = counts.setdefault(clip.split, {})
        kinds[clip.kind] = kinds.get(clip.kind, 0) + 1
    build = BuildFile(
        format_version=FORMAT_VERSION, name="toy", recipe={"name": "toy"}, recipe_hash="00", versions={},
        encoder={}, counts=counts, refused={}, withheld=list(withheld),
    )  # fmt: skip
    (folder / BUILD_FILE).write_text(build.to_json())
    write_tables(folder, clips, withheld)


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    return [
        make_clip(tmp_path / "set", split, number, fake=bool(number % 2))
        for split in ("test", "train", "validation")
        for number in range(4)
    ]


@pytest.fixture
def folder(tmp_path: Path, clips: list[Clip]) -> Path:
    write_build(tmp_path / "set", clips)
    return tmp_path / "set"


def test_what_is_written_is_read(folder: Path, clips: list[Clip]) -> None:
    data = Dataset.open(folder)
    assert data.name == "toy" and data.splits == ("train", "validation", "test")
    assert sorted(data.clips(), key=lambda c: c.id) == sorted(clips, key=lambda c: c.id)
    assert [clip.id for clip in data.clips("test")] == sorted(c.id for c in clips if c.split == "test")
    fake = next(clip for clip in data.clips("test") if clip.labels.label)
    assert data.clip(fake.id) is fake
    assert data.path_of(fake) == folder / "test" / "videos" / "000" / f"{fake.id}.mp4"
    assert data.mask_of(fake) == folder / "masks" / "000" / f"{fake.id}.mkv"
    assert data.track_of(fake) == folder / "tracks" / "000" / f"{fake.id}.npz"
    assert data.mask_of(next(clip for clip in data.clips() if not clip.labels.label)) is None
    report = data.verify()
    assert (report.n_clips, report.n_files) == (12, 12 + 12 + 6)


def test_selection(folder: Path) -> None:
    data = Dataset.open(folder)
    assert {clip.kind for clip in data.select("train", kinds=["real"])} == {"real"}
    assert {clip.component for clip in data.select(components={"c-test-0"})} == {"c-test-0"}
    one = data.clips("train")[0]
    assert data.select(ids=[one.id]) == (one,) and data.select("test", ids=[one.id]) == ()
    with pytest.raises(DatasetError, match=r"no split 'tset': did you mean 'test'\?"):
        data.clips("tset")
    with pytest.raises(DatasetError, match="no clip 'zz'"):
        data.clip("zz")


def test_videofolder_opens_it_as_it_is(folder: Path, clips: list[Clip], tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    found = datasets.load_dataset("videofolder", data_dir=str(folder), cache_dir=str(tmp_path / "cache"))
    assert {split: len(found[split]) for split in found} == {"train": 4, "validation": 4, "test": 4}
    for split in found:
        rows = found[split].cast_column("video", datasets.Video(decode=False))
        for row in rows:
            clip = next(one for one in clips if one.id == row["id"])
            assert Path(row["video"]["path"]).read_bytes() == (folder / clip.file).read_bytes()
            assert (row["label"], row["kind"], row["component"]) == (clip.labels.label, clip.kind, clip.component)
            assert row["source_ids"] == list(clip.source_ids)


def test_withheld_splits_tell_nothing(clips: list[Clip], tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    folder = tmp_path / "set"
    write_build(folder, clips, withheld=("test",))
    rows = read_table(folder / "test" / "metadata.parquet")
    assert all(row[name] is None for row in rows for name in LABEL_COLUMNS)
    assert all(row["label"] is not None for row in read_table(folder / "train" / "metadata.parquet"))
    telling = ("mouth_warp", "real", "sham", "test-0", "masks/")
    raw = json.dumps(rows)
    assert not [word for word in telling if word in raw]
    assert Dataset.open(folder).clips("test")[0].labels.label is not None  # at home all is known
    public = tmp_path / "public"
    shutil.copytree(folder, public)
    shutil.rmtree(public / "masks")
    for split in ("test",):
        (public / split / "labels.parquet").unlink()
    blind = Dataset.open(public).clips("test")
    assert {clip.labels.label for clip in blind} == {None} and {clip.kind for clip in blind} == {""}
    assert {clip.mask for clip in blind} == {None}
    note = "masks/: not in this copy, and 4 clips have a mask"  # those of train and validation
    assert Dataset.open(public).lacks_masks and not Dataset.open(folder).lacks_masks
    report = Dataset.open(public).verify()
    assert (report.notes, report.n_clips, report.n_files) == ((note,), 12, 12 + 12)
    assert Dataset.open(folder).verify().notes == ()
    found = datasets.load_dataset("videofolder", data_dir=str(public), cache_dir=str(tmp_path / "cache"))
    assert found["test"].features == found["train"].features and len(found["test"]) == 4


def test_tables_have_the_same_bytes_every_time(folder: Path, clips: list[Clip], tmp_path: Path) -> None:
    names = [f"{split}/{table}.parquet" for split in ("train", "test") for table in ("metadata", "labels")]
    before = {name: (folder / name).read_bytes() for name in names}
    other = tmp_path / "other"
    write_tables(other, clips[::-1])
    assert {name: (other / name).read_bytes() for name in names} == before
    text = before[names[0]]
    assert b"pandas" not in text
    assert pq.read_metadata(folder / names[0]).num_rows == 4


def test_the_manifest_hash_follows_the_content(folder: Path, clips: list[Clip]) -> None:
    before = Dataset.open(folder).manifest_sha256
    assert Dataset.open(folder).manifest_sha256 == before
    for changed in (
        replace(clips[0], sha256="0" * 64),
        replace(clips[0], component="other"),
        replace(clips[1], labels=replace(FAKE, sync_mismatch=None)),
        replace(clips[1], segments=()),
    ):
        rest = [clip for clip in clips if clip.id != changed.id]
        write_tables(folder, [*rest, changed])
        assert Dataset.open(folder).manifest_sha256 != before
    write_tables(folder, clips)
    assert Dataset.open(folder).manifest_sha256 == before


def test_only_a_set_with_withheld_labels_may_come_without_masks(folder: Path) -> None:
    shutil.rmtree(folder / "masks")
    with pytest.raises(DatasetError, match="1 problems\nmasks/: not in this copy, and 6 clips have a mask"):
        Dataset.open(folder).verify()


def test_verify_finds_what_is_wrong_with_files(folder: Path, clips: list[Clip]) -> None:
    (folder / clips[0].file).write_bytes(b"other bytes")
    (folder / clips[1].file).unlink()
    (folder / str(clips[1].mask)).unlink()
    (folder / "test" / "videos" / "000" / "stranger.mp4").write_bytes(b"x")
    with pytest.raises(DatasetError) as caught:
        Dataset.open(folder).verify()
    text = str(caught.value)
    assert "4 problems" in text
    assert f"{clips[0].file}: its bytes changed" in text
    assert f"{clips[1].file}: missing" in text and f"{clips[1].mask}: missing" in text
    assert "stranger.mp4: no table names this file" in text


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"labels": replace(REAL, audio_label=1)}, "label 0 with a forged part"),
        ({"labels": Labels(1, 0, 0, 0, 0)}, "label 1, but no stream is forged"),
        ({"segments": (Segment(0, 1, Modality.AUDIO),)}, "label 0 with a forged part, segment"),
        ({"labels": FAKE, "segments": (Segment(0, 3.5, Modality.VIDEO),)}, "segment ends at 3.5 s after"),
        ({"face_id": "train-0"}, "train and test share 1 face id, for example train-0"),
        ({"source_ids": ("train-1-take",)}, "train and test share 1 source id"),
        ({"kind": "audio/swap", "labels": FAKE}, "build.json counts"),
    ],
)
def test_verify_finds_what_is_wrong_with_rows(
    folder: Path, clips: list[Clip], change: dict[str, object], problem: str
) -> None:
    assert clips[0].split == "test" and clips[0].kind == "real"
    write_tables(folder, [replace(clips[0], **change), *clips[1:]])  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match=problem):
        Dataset.open(folder).verify()


@pytest.mark.parametrize("name", ["../../secret.mp4", "/etc/passwd", "videos/../../../secret.mp4"])
def test_paths_stay_inside_the_folder(folder: Path, name: str) -> None:
    (folder.parent / "secret.mp4").write_bytes(b"secret")
    table = folder / "test" / "metadata.parquet"
    rows = read_table(table)
    rows[0]["file_name"] = name
    write_table(table, rows, pq.read_schema(table))
    data = Dataset.open(folder)
    clip = data.clip(rows[0]["id"])
    if not name.startswith("/"):  # an absolute name is harmless below the split's folder
        with pytest.raises(DatasetError, match="leaves the data set's folder"):
            data.path_of(clip)
    with pytest.raises(DatasetError, match=r"leaves the data set's folder|missing"):
        data.verify()


def test_a_link_out_of_the_folder_is_refused(folder: Path, clips: list[Clip]) -> None:
    secret = folder.parent / "secret.mp4"
    secret.write_bytes((folder / clips[0].file).read_bytes())
    (folder / clips[0].file).unlink()
    (folder / clips[0].file).symlink_to(secret)
    with pytest.raises(DatasetError, match="leaves the data set's folder"):
        Dataset.open(folder).verify()


def test_what_cannot_be_opened(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no data set here"):
        Dataset.open(tmp_path)
    (tmp_path / "half" / ".work").mkdir(parents=True)
    with pytest.raises(DatasetError, match="not finished; give the same build command again"):
        Dataset.open(tmp_path / "half")
    build = json.loads((folder / BUILD_FILE).read_text())
    (folder / BUILD_FILE).write_text(json.dumps({**build, "format_version": 99}))
    with pytest.raises(DatasetError, match="format version 99; this program reads 1 and 2"):
        Dataset.open(folder)
    (folder / BUILD_FILE).write_text(json.dumps({**build, "format_version": 1}))
    assert Dataset.open(folder).build.format_version == 1
    for text in ("{", "[]", json.dumps({**build, "surprise": 1})):
        (folder / BUILD_FILE).write_text(text)
        with pytest.raises(DatasetError, match="not a build file"):
            Dataset.open(folder)


def test_tables_of_another_form_are_refused(folder: Path) -> None:
    table = folder / "test" / "metadata.parquet"
    rows = [{**row, "label": 2} for row in read_table(table)]
    write_table(table, rows, pq.read_schema(table))
    with pytest.raises(DatasetError, match=r"not a table of this format: ValueError: label must be 0, 1 or None"):
        Dataset.open(folder)
    table.write_bytes(b"PAR1 no")
    with pytest.raises(DatasetError, match="not a table of this format"):
        Dataset.open(folder)


def test_one_id_for_two_clips_is_refused(folder: Path, clips: list[Clip]) -> None:
    write_tables(folder, [*clips, replace(clips[0], split="train", file=clips[0].file.replace("test", "train"))])
    with pytest.raises(DatasetError, match=f"stand for several clips: {clips[0].id}"):
        Dataset.open(folder)


def test_folders_stay_small() -> None:
    assert clip_paths("test", "ab", 999).file == "test/videos/000/ab.mp4"
    assert clip_paths("test", "ab", 1000).mask == "masks/001/ab.mkv"
    assert clip_paths("test", "ab", 123_456, ".mov").file == "test/videos/123/ab.mov"


def test_cue_tables_keep_numbers_and_words_apart(tmp_path: Path) -> None:
    rows = [{"id": "a", "x": 1.5, "codec": None, "gone": None}, {"id": "b", "x": None, "codec": "h264", "gone": None}]
    found = cue_schema(rows, {"id": "string"})
    assert found.names == ["id", "codec", "gone", "x"]
    write_table(tmp_path / "t.parquet", rows, found)
    assert read_table(tmp_path / "t.parquet") == [{name: row[name] for name in found.names} for row in rows]
    with pytest.raises(TypeError, match="'x' holds both"):
        cue_schema([{"x": 1.0}, {"x": "one"}], {})
