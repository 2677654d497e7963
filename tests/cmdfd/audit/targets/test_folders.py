"""Folders of every layout: class folders at any depth, pairs, VideoFolders, built sets."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest
from published_lists import write, write_json

from cmdfd.audit.targets.opening import TargetOptions, open_target
from cmdfd.audit.targets.target import Target
from cmdfd.clip import REAL, Clip, Labels, Modality, Rights, Segment
from cmdfd.dataset import BuildFile, clip_paths
from cmdfd.errors import CmdfdError
from cmdfd.tables import METADATA, schema, write_table, write_tables


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def by_class(target: Target, root: Path) -> tuple[set[str], set[str]]:
    """Paths of the reals and of the fakes relative to a folder."""
    clips = target.clips
    assert clips["id"].is_unique and not clips["component"].isna().any()
    assert all(Path(path).is_file() for path in clips["path"])
    assert list(clips["file"]) == sorted(clips["file"])
    names = clips["path"].map(lambda path: Path(path).relative_to(root).as_posix())
    return set(names[clips["label"] == 0]), set(names[clips["label"] == 1])


@pytest.mark.parametrize(
    ("real", "fake", "generator"),
    [
        ("real/{k}.mp4", "fake/{k}.mp4", ""),
        ("0_real/{k}.mp4", "1_fake/{k}.mp4", ""),  # AVLips
        ("data/set/real/videos/{k}.mp4", "data/set/fake/videos/{k}.mp4", ""),  # ManualFake
        ("bonafide/{k}.wav", "spoof/{k}.wav", ""),
        ("train/original/{k}.avi", "train/manipulated/{k}.avi", ""),
        ("original_sequences/yt/c23/{k:03d}.mp4", "manipulated_sequences/Deepfakes/c23/{k:03d}_9.mp4", "Deepfakes"),
        ("Celeb-real/id{k}_0001.mp4", "Celeb-synthesis/id{k}_id9_0001.mp4", ""),
        ("RealVideo-RealAudio/African/men/id{k:05d}/1.mp4", "FakeVideo-RealAudio/African/men/id{k:05d}/1_x.mp4", ""),
        ("Deepfake set/real/{k}.MP4", "Deepfake set/fake/{k}.MP4", ""),
        ("real/en/{k}.mp4", "fake/wav2lip/{k}.mp4", "wav2lip"),
        ("real/en/{k}.mp4", "fake/en/{k}.mp4", ""),
        ("ARRANGED/REAL_A/x/id{k:05d}/1.mp4", "ARRANGED/FAKE_W2L_C/x/id{k:05d}/1.mp4", "w2l_c"),
        ("real/{k}.mp4", "sadtalker/{k}.mp4", "sadtalker"),
        ("real/{k}.mp4", "my_new_thing/{k}.mp4", "my_new_thing"),
        ("real/id{k:05d}/1.mp4", "fake/id{k:05d}/1.mp4", ""),
    ],
)  # fmt: skip
def test_class_folders_of_every_layout(tmp_path: Path, real: str, fake: str, generator: str) -> None:
    reals, fakes = {real.format(k=k) for k in range(6)}, {fake.format(k=k) for k in range(6)}
    target = open_target([touch(tmp_path / "fake set of ours", *reals, *fakes)])  # the root's own name says nothing
    assert by_class(target, tmp_path / "fake set of ours") == (reals, fakes)
    assert target.kind == "video folder" and target.has_media
    found = target.clips.get("generator", pd.Series([""] * 12))
    assert set(found[target.clips["label"] == 1]) == {generator}
    assert any("real = folders named" in note or "were taken for fakes" in note for note in target.notes)


def test_folders_that_say_the_class_are_no_part_of_the_name(tmp_path: Path) -> None:
    one = open_target([touch(tmp_path / "a", *(f"{c}/{k}.mp4" for k in range(5) for c in ("real", "fake")))])
    two = open_target([tmp_path / "a" / "real", tmp_path / "a" / "fake"])
    assert list(one.clips["file"]) == list(two.clips["file"]) == [f"{k // 2}.mp4" for k in range(10)]
    assert one.clips["component"].nunique() == 5  # the same name in both classes is a pair


def test_streams_and_splits_are_read_from_folders(tmp_path: Path) -> None:
    kinds = ("RealVideo-RealAudio", "RealVideo-FakeAudio", "FakeVideo-RealAudio", "FakeVideo-FakeAudio")
    target = open_target(
        [
            touch(
                tmp_path, *(f"{split}/{kind}/{k}.mp4" for split in ("train", "val") for kind in kinds for k in range(3))
            )
        ]
    )
    clips = target.clips
    assert set(clips["split"]) == {"train", "validation"}
    assert clips.groupby("modality")["audio_label"].first().to_dict() == {
        "": 0,
        "audio": 1,
        "video": 0,
        "audiovisual": 1,
    }
    assert len(open_target([tmp_path], TargetOptions(split="train")).clips) == 12


def test_names_of_files_never_say_the_class(tmp_path: Path) -> None:
    touch(tmp_path, "real_1.mp4", "fake_1.mp4", "x/real_2.mp4")
    with pytest.raises(CmdfdError, match=r"never read from file names(.|\n)*two folders(.|\n)*metadata.csv"):
        open_target([tmp_path])


def test_what_lies_beside_the_classes_is_told(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{c}/{k}.mp4" for k in range(3) for c in ("real", "fake")), "other/9.mp4", "fake/masks/1.mp4",
          "real/._0.mp4", ".cache/a.mp4", "real/0.txt", "real/thumb.png")  # fmt: skip
    target = open_target([tmp_path])
    assert len(target.clips) == 6
    assert target.unread == (("other/9.mp4", "no folder above it says real or fake"),)
    assert any("1 files in fake/masks are no clips" in note for note in target.notes)


def test_sound_beside_videos_is_no_clip(tmp_path: Path) -> None:
    names = [f"{c}/{k}.mp4" for k in range(4) for c in ("0_real", "1_fake")]
    touch(tmp_path, *names, *(f"wav/{name[:-4]}.wav" for name in names), "0_real/0_16khz.wav")
    assert len(open_target([tmp_path]).clips) == 8


def test_one_class_only_is_told(tmp_path: Path) -> None:
    target = open_target([touch(tmp_path, *(f"fake/{k}.mp4" for k in range(3)))])
    assert any("nothing to compare" in note for note in target.notes)


# ---- pairs


@pytest.mark.parametrize(
    ("first", "second", "swapped"),
    [("a", "b", False), ("genuine", "x", False), ("x", "real", True), ("my_fakes", "b", True)],
)
def test_pairs_are_put_in_order_by_their_names(tmp_path: Path, first: str, second: str, swapped: bool) -> None:
    touch(tmp_path / first, "1.mp4", "deep/2.mp4")
    touch(tmp_path / second, "8.mp4", "9.mp4")
    target = open_target([tmp_path / first, tmp_path / second])
    reals, fakes = by_class(target, tmp_path)
    assert (fakes if swapped else reals) == {f"{first}/1.mp4", f"{first}/deep/2.mp4"}
    assert set(target.clips["file"]) == {"1.mp4", "deep/2.mp4", "8.mp4", "9.mp4"}
    assert any(("by their names" in note) or ("the first folder" in note) for note in target.notes)


def test_bad_pairs_are_refused(tmp_path: Path) -> None:
    touch(tmp_path / "a", "real/1.mp4", "fake/1.mp4")
    touch(tmp_path / "b", "real/1.mp4", "fake/1.mp4")
    touch(tmp_path / "empty", "x.txt")
    for pair, said in (
        (("a", "b"), "a set of its own"), (("a", "a"), "same folder"), (("a", "a/real"), "lies in the other"),
        (("a/real", "empty"), "no video or sound file"), (("a", "b", "empty"), "3 folders"),
        (("a", "a/real/1.mp4"), "cannot be mixed"), (("a", "nowhere"), "no such file"),
    ):  # fmt: skip
        with pytest.raises(CmdfdError, match=said):
            open_target([tmp_path / name for name in pair])
    with pytest.raises(CmdfdError, match="nothing to audit"):
        open_target([])


# ---- VideoFolders


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_video_folders(tmp_path: Path, form: str) -> None:
    for split in ("train", "test"):
        touch(tmp_path / split, *(f"videos/{k}.mp4" for k in range(6)))
        frame = pd.DataFrame(
            {
                "file_name": [f"videos/{k}.mp4" for k in range(7)],
                "label": ["real", "fake"] * 3 + ["fake"],
                "width": 640,
                "speaker": [f"p{k // 2}" for k in range(7)],
            }
        )
        path = tmp_path / split / f"metadata.{form}"
        if form == "csv":
            frame.to_csv(path, index=False)
        elif form == "jsonl":
            frame.to_json(path, orient="records", lines=True)
        else:
            frame.to_parquet(path)
    touch(tmp_path, "train/videos/extra.mp4")
    target = open_target([tmp_path])
    assert target.kind == "video folder" and len(target.clips) == 14
    here = target.clips[target.clips["path"] != ""]
    assert (here["path"] == [str(tmp_path / file) for file in here["file"]]).all() and len(here) == 12
    assert here["label"].tolist() == [0, 1] * 6 and set(here["split"]) == {"train", "test"}
    assert "column.width" in target.clips.columns and target.clips["component"].nunique() == 4
    assert {name for name, _ in target.unread} == {"train/videos/extra.mp4", "train/videos/6.mp4", "test/videos/6.mp4"}


def test_a_folder_with_its_own_list(tmp_path: Path) -> None:
    names = [f"{k}.mp4" for k in range(8)]
    touch(tmp_path / "dfdc_train_part_0", *names)
    write_json(
        tmp_path / "dfdc_train_part_0" / "metadata.json",
        {
            name: {"label": ("REAL", "FAKE")[k % 2], "split": "train", "original": names[k - 1] if k % 2 else None}
            for k, name in enumerate(names)
        },
    )
    target = open_target([tmp_path])
    assert target.clips["label"].tolist() == [0, 1] * 4 and target.clips["component"].nunique() == 4
    assert len(target.unread) == 0 and target.has_media
    touch(tmp_path / "w", *names)
    write(tmp_path / "w" / "meta.csv", "file,speaker,kind", *(f"{k}.mp4,p{k},{'ab'[k % 2]}" for k in range(8)))
    target = open_target([tmp_path / "w"], TargetOptions(label_column="kind", fake_values=("b",)))
    assert target.clips["label"].tolist() == [0, 1] * 4


def test_a_video_folder_whose_table_says_no_class(tmp_path: Path) -> None:
    touch(tmp_path, "1.mp4", "2.mp4")
    write(tmp_path / "metadata.csv", "file_name,x", "1.mp4,3", "2.mp4,4")
    with pytest.raises(CmdfdError, match="--label-column"):
        open_target([tmp_path])


# ---- built sets


def built(folder: Path, *, withheld: bool = False, labels: bool = True) -> Path:
    clips = []
    for k in range(6):
        fake, version = k % 2 == 1, "chat" if k >= 4 else ""
        one = f"{k:016x}"
        paths = clip_paths("test", one, k)
        touch(folder, paths.file, paths.mask, paths.tracks)
        clips.append(
            Clip(
                id=one, split="test", file=paths.file, sha256="0" * 64, labels=Labels(1, 0, 0, 1, 0) if fake else REAL,
                kind="audio/swap" if fake else "real", variant="", generator="audio/swap" if fake else "sham",
                face_id=f"f{k // 2}", voice_id=f"v{k // 2}", source_ids=(f"s{k // 2}",), component=f"c{k // 2 % 2}",
                segments=(Segment(0.0, 1.0, Modality.AUDIO),) if fake else (), mask=paths.mask if fake else None,
                tracks=paths.tracks, fps=25.0, n_frames=75, width=64, height=64, sample_rate=16000, n_samples=48000,
                rights=Rights("CC0-1.0", "synthetic"), platform=version, original=f"{k - 4:016x}" if version else "",
            )
        )  # fmt: skip
    write_tables(folder, clips, ["test"] if withheld else [])
    if withheld and not labels:
        (folder / "test" / "labels.parquet").unlink()
    write_table(
        folder / "provenance.parquet",
        [{"id": one.id, "take": f"t{k // 2}"} for k, one in enumerate(clips)],
        schema({"id": "string", "take": "string"}),
    )
    write_table(
        folder / "stages.parquet",
        [{"id": clips[0].id, "split": "test", "stage": "raw", "time.fps": 25.0}],
        schema({"id": "string", "split": "string", "stage": "string", "time.fps": "double"}),
    )
    build = BuildFile(
        format_version=3,
        name="tiny",
        recipe={},
        recipe_hash="h",
        versions={},
        encoder={},
        counts={},
        refused={},
        withheld=["test"] if withheld else [],
    )
    (folder / "build.json").write_text(build.to_json())
    return folder


def test_built_sets(tmp_path: Path) -> None:
    target = open_target([built(tmp_path)])
    clips = target.clips
    assert (target.name, target.kind) == ("tiny", "built set") and target.stages is not None and len(target.stages) == 1
    assert clips["label"].tolist() == [0, 1] * 3 and clips["component"].tolist() == ["c0", "c0", "c1", "c1", "c0", "c0"]
    assert clips["generator"].tolist() == ["", "audio/swap"] * 3 and clips["modality"].tolist() == ["", "audio"] * 3
    assert clips["platform"].tolist() == [""] * 4 + ["chat"] * 2 and clips["take"].tolist() == [
        "t0",
        "t0",
        "t1",
        "t1",
        "t0",
        "t0",
    ]
    assert all(Path(one).is_file() for one in clips["path"]) and all(
        Path(one).is_file() for one in clips["tracks_path"]
    )
    assert (clips["mask_path"] != "").tolist() == [False, True] * 3
    assert clips["segments"][1] == ((0.0, 1.0, "audio"),) and clips["sync_mismatch"].tolist() == [0, 1] * 3
    assert any("kept apart: chat" in note for note in target.notes)
    with pytest.raises(CmdfdError, match="no split 'train'"):
        open_target([tmp_path], TargetOptions(split="train"))
    with pytest.raises(CmdfdError, match="leave out --label-column"):
        open_target([tmp_path], TargetOptions(label_column="x"))


def test_built_sets_with_withheld_labels(tmp_path: Path) -> None:
    assert open_target([built(tmp_path / "a", withheld=True)]).clips["label"].tolist() == [0, 1] * 3
    hidden = open_target([built(tmp_path / "b", withheld=True, labels=False)])
    assert hidden.clips["label"].isna().all() and hidden.clips["component"].is_unique
    assert any("withholds test" in note for note in hidden.notes)


def test_unfinished_and_broken_built_sets(tmp_path: Path) -> None:
    (tmp_path / "a" / ".work").mkdir(parents=True)
    with pytest.raises(CmdfdError, match="not finished"):
        open_target([tmp_path / "a"])
    folder = built(tmp_path / "b")
    (folder / "stages.parquet").write_bytes(b"junk")
    (folder / "provenance.parquet").write_bytes(b"junk")
    target = open_target([folder])
    assert target.stages is None and sum("cannot be read" in note for note in target.notes) == 2
    (folder / "test" / METADATA).write_bytes(b"junk")
    with pytest.raises(CmdfdError):
        open_target([folder])


# ---- hostile folders


def test_links_closed_doors_and_strange_names(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{c}/{k}.mp4" for k in range(3) for c in ("real", "fake")), "real/new\nline.mp4")
    (tmp_path / "real" / "loop").symlink_to(tmp_path)
    (tmp_path / "fake" / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    (tmp_path / "elsewhere").mkdir()
    os.mkfifo(tmp_path / "fake" / "pipe.mp4")
    Path(os.fsdecode(os.fsencode(tmp_path / "fake") + b"/\xff.mp4")).write_bytes(b"x")
    target = open_target([tmp_path])
    assert len(target.clips) == 7
    said = dict(target.unread)
    assert said["fake/gone.mp4"].startswith("no file") and said["fake/pipe.mp4"].startswith("no file")
    assert "not UTF-8" in said["fake/\\udcff.mp4"] and "link back" in said["real/loop"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_folders_that_cannot_be_read(tmp_path: Path) -> None:
    touch(tmp_path, "real/1.mp4", "fake/1.mp4", "fake/shut/2.mp4")
    (tmp_path / "fake" / "shut").chmod(0)
    assert len(open_target([tmp_path]).unread) == 1
    (tmp_path / "fake" / "shut").chmod(0o700)


def test_a_folder_without_media(tmp_path: Path) -> None:
    touch(tmp_path, "real/1.png", "fake/1.png")
    with pytest.raises(CmdfdError, match="2 pictures are no clips"):
        open_target([tmp_path])


def test_a_broken_table_in_a_folder(tmp_path: Path) -> None:
    touch(tmp_path, "real/1.mp4", "fake/2.mp4")
    (tmp_path / "metadata.csv").write_bytes(b"\0\1\2" * 100)
    with pytest.raises(CmdfdError, match="not a text table"):
        open_target([tmp_path])
    (tmp_path / "metadata.csv").rename(tmp_path / "labels.csv")
    target = open_target([tmp_path])  # a stranger's table is passed over, and told
    assert len(target.clips) == 2
    assert json.dumps(target.unread)


def test_names_shared_by_classes_of_unequal_size_stay_neutral(tmp_path: Path) -> None:
    """Ids and names of 0_real/1.mp4 and 1_fake/1.mp4 tell no class, also where only the fakes have more."""
    from cmdfd.audit.setcues import set_cues

    touch(tmp_path, *(f"0_real/{k}.mp4" for k in range(40)), *(f"1_fake/{k}.mp4" for k in range(60)))
    target = open_target([tmp_path])
    assert target.clips["id"].is_unique and not target.clips["id"].str.contains("real|fake").any()
    words = set_cues(target)["meta.path"]
    fake = target.clips["label"] == 1
    held = {word: [word in cell.split() for cell in words] for cell in words for word in cell.split()}
    assert all(fake[rows].mean() == pytest.approx(0.6, abs=0.15) for rows in held.values() if sum(rows) > 2)


def test_folders_decide_where_the_table_in_them_does_not(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{c}/{k}.mp4" for k in range(3) for c in ("real", "fake")))
    write(tmp_path / "metadata.csv", "file_name,x", *(f"{c}/{k}.mp4,{k}" for k in range(3) for c in ("real", "fake")))
    target = open_target([tmp_path])
    assert target.clips["label"].sum() == 3 and any(
        "table in the folder says no class" in note for note in target.notes
    )
