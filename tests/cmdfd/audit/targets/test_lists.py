"""Tables of every published form: labels, facts, components, and which columns are cues."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from published_lists import asvspoof_2021, av1m, cmdfd, counts, cues, dfdc, favc, lav_df, well_formed, write, write_json
from sklearn.metrics import roc_auc_score

from cmdfd.audit.cues import timing
from cmdfd.audit.targets.opening import TargetOptions, open_target
from cmdfd.audit.targets.target import Target
from cmdfd.errors import CmdfdError


@pytest.fixture(scope="session")
def lists() -> Path:
    folder = Path(__file__).resolve().parents[5] / "shared" / "lists"
    if not (folder / "cmdfd_wav2lip.csv").is_file():
        pytest.skip("no published lists at shared/lists")
    return folder


def auc(target: Target, cue: str) -> float:
    found = roc_auc_score(target.clips["label"], target.clips[cue])
    return max(found, 1 - found)


# ---- the published lists themselves


@pytest.mark.parametrize(
    ("names", "n", "components", "gap"),
    [
        (["cmdfd_wav2lip"], (1000, 998), 500, 0.976),
        (["fakeavceleb_test_real", "fakeavceleb_test_faceswap"], (99, 99), 79, 0.507),
        (["fakeavceleb_test_real", "fakeavceleb_test_wav2lip"], (99, 1400), 140, 1.0),
    ],
)
def test_known_answers_of_published_lists(
    lists: Path, names: list[str], n: tuple[int, int], components: int, gap: float
) -> None:
    target = open_target([lists / f"{name}.csv" for name in names])
    well_formed(target)
    assert counts(target) == n
    assert target.clips["component"].nunique() == components
    assert auc(target, "time.av_gap") == pytest.approx(gap, abs=0.0005)
    assert all(name.split(".")[0] in ("time", "container") for name in cues(target))
    assert not target.unread
    joined = any("donors join all people" in note for note in target.notes)
    assert joined == (components == 140)


def test_reals_of_several_lists_count_once(lists: Path) -> None:
    names = [lists / f"fakeavceleb_test_{name}.csv" for name in ("real", "faceswap", "wav2lip", "real")]
    target = open_target([*names, lists / "cmdfd_wav2lip.csv"])
    assert len(target.clips) == 99 + 99 + 1400 + 1998
    assert set(target.clips["generator"]) == {"", "faceswap_c", "w2l_c", "wav2lip"}


# ---- synthetic ones in the same forms


def test_cmdfd_columns_become_labels_and_derived_cues(tmp_path: Path) -> None:
    target = open_target([cmdfd(tmp_path / "w2l.csv")])
    well_formed(target)
    clips = target.clips.set_index("id")
    assert counts(target) == (30, 30) and clips["component"].nunique() == 15
    one = clips.loc["wav2lip+id00004-id00005"]
    assert (one["label"], one["audio_label"], one["video_label"]) == (1, 0, 1)
    assert (one["sync_mismatch"], one["identity_mismatch"]) == (0, 1)  # published: 1 = match
    assert (one["generator"], one["modality"]) == ("wav2lip", "video")
    assert clips.loc["origin+id00004_abc", "identity_mismatch"] == 0
    # The independent reference is the measuring room's own formula.
    expected = timing.sound_cues(104 * 640 + 1536, 16000, 104 / 25.0)
    assert {name: one[name] for name in expected} == expected
    assert one["time.av_gap"] == 96.0 and clips.loc["origin+id00004_abc", "time.av_gap"] == 32.0
    assert (
        one["time.video_duration"] == 104 / 25.0 and one["time.fps"] == 25.0 and one["container.sample_rate"] == 16000
    )
    assert not any("label" in name for name in cues(target)) and not target.extra_cues


def test_headers_in_another_case_and_copies_across_tables(tmp_path: Path) -> None:
    plain = cmdfd(tmp_path / "a.csv")
    lower = write(tmp_path / "b.csv", plain.read_text().splitlines()[0].lower(), *plain.read_text().splitlines()[1:])
    target = open_target([plain, lower])
    assert counts(target) == (30, 30)
    assert any("60 rows list a file once more" in note for note in target.notes)


def test_a_file_of_both_classes_counts_as_neither(tmp_path: Path) -> None:
    first = write(tmp_path / "a.csv", "path,label", *(f"d/{k}.mp4,{k % 2}" for k in range(20)))
    second = write(tmp_path / "b.csv", "path,label", "d/3.mp4,0")
    target = open_target([first, second])
    assert list(target.clips.loc[target.clips["conflict"], "file"]) == ["d/3.mp4"]
    assert np.isnan(target.clips.set_index("file").loc["d/3.mp4", "label"])
    assert any("listed as real and as fake" in note for note in target.notes)


def test_names_that_stand_for_many_clips_are_not_dropped(tmp_path: Path) -> None:
    rows = (f"video.mp4,{k % 2},{k}.5" for k in range(20))
    assert len(open_target([write(tmp_path / "a.csv", "name,label,loudness", *rows)]).clips) == 20


def test_the_same_file_in_two_splits_stays_twice(tmp_path: Path) -> None:
    train = write(tmp_path / "set_train.csv", "path,label", "a.mp4,0", "b.mp4,1", "c.mp4,0")
    test = write(tmp_path / "set_test.csv", "path,label", "a.mp4,0", "d.mp4,1")
    target = open_target([train, test])
    assert len(target.clips) == 5 and list(target.clips["split"]) == ["train"] * 3 + ["test"] * 2
    assert len(open_target([train, test], TargetOptions(split="test")).clips) == 2
    with pytest.raises(CmdfdError, match=r"no split 'tset'.*test"):
        open_target([train, test], TargetOptions(split="tset"))


def test_fakeavceleb_with_its_shifted_columns(tmp_path: Path) -> None:
    target = open_target([favc(tmp_path / "meta_data.csv")])
    well_formed(target)
    clips = target.clips
    assert counts(target) == (8, 24) and clips["component"].nunique() == 8
    assert clips["file"].str.startswith("FakeAVCeleb/").all() and clips["file"].str.endswith(".mp4").all()
    assert cues(target) == {"demog.race", "demog.gender"}
    assert set(clips["generator"]) == {"", "rtvc", "faceswap", "faceswap-wav2lip"}
    by = clips.groupby("generator")[["audio_label", "video_label"]].first()
    assert by.loc["rtvc"].tolist() == [1, 0] and by.loc["faceswap"].tolist() == [0, 1]
    assert set(clips.loc[clips["label"] == 1, "modality"]) == {"audio", "video", "audiovisual"}


def test_av_deepfake1m(tmp_path: Path) -> None:
    target = open_target([av1m(tmp_path / "val_metadata.json")])
    well_formed(target)
    clips = target.clips.set_index("file")
    assert counts(target) == (10, 30) and clips["component"].nunique() == 10
    both = clips.loc["id00003/vid3/00001/both_modified.mp4"]
    assert (both["audio_label"], both["video_label"], both["modality"]) == (1, 1, "audiovisual")
    assert both["segments"] == ((0.5, 1.0, "audio"), (0.5, 1.0, "video"))
    assert both["time.n_samples"] == 112640 and both["time.video_duration"] == 7.0
    assert clips.loc["id00003/vid3/00001/audio_modified.mp4", "generator"] == "yourtts"
    assert {name.split(".")[0] for name in cues(target)} == {"time"}
    assert any("25 frames and 16000 samples" in note for note in target.notes)


def test_lav_df(tmp_path: Path) -> None:
    target = open_target([lav_df(tmp_path / "metadata.json")])
    well_formed(target)
    assert counts(target) == (30, 30) and target.clips["component"].nunique() == 30
    assert set(target.clips.loc[target.clips["label"] == 1, "modality"]) == {"video"}
    assert (target.clips["split"] == "test").all()


def test_dfdc_and_its_preview(tmp_path: Path) -> None:
    target = open_target([dfdc(tmp_path / "p" / "metadata.json")])
    well_formed(target)
    assert counts(target) == (30, 90) and target.clips["component"].nunique() == 30
    assert "audio_label" not in target.clips.columns and not cues(target)
    table = write(tmp_path / "labels.csv", "filename,label", "a.mp4,1", "b.mp4,0", "c.mp4,1")
    assert list(open_target([table]).clips["label"]) == [1, 0, 1]
    preview = {
        f"{'original_videos' if k % 2 else 'method_A'}/{k}.mp4": {
            "label": "real" if k % 2 else "fake", "set": "train" if k < 20 else "test", "augmentations": ["x"],
            "target_id": k // 4, "swapped_id": None if k % 2 else k // 4 + 100,
        }
        for k in range(100)
    }  # fmt: skip
    target = open_target([write_json(tmp_path / "dataset.json", preview)])
    well_formed(target)
    assert counts(target) == (50, 50) and target.clips["component"].nunique() == 25
    assert set(target.clips["generator"]) == {"", "method_A"} and set(target.clips["split"]) == {"train", "test"}


def test_celeb_df_means_real_by_one(tmp_path: Path) -> None:
    lines = [f"1 Celeb-real/id{k}_0001.mp4" for k in range(5)] + [
        f"0 Celeb-synthesis/id{k}_id9_0001.mp4" for k in range(5)
    ]
    for name in ("List_of_testing_videos.txt", "other_name.txt"):  # by the file's name; by the paths' words
        target = open_target([write(tmp_path / name, *lines)])
        well_formed(target)
        assert counts(target) == (5, 5)
        assert set(target.clips.loc[target.clips["label"] == 1, "file"].str.split("/").str[0]) == {"Celeb-synthesis"}
        assert any("inverted" in note for note in target.notes)


def test_asvspoof(tmp_path: Path) -> None:
    lines = [
        f"LA_{k % 20:04d} LA_T_{k:07d} - {'-' if k % 3 == 0 else f'A0{k % 3}'} {'spoof' if k % 3 else 'bonafide'}"
        for k in range(90)
    ]
    target = open_target([write(tmp_path / "ASVspoof2019.LA.cm.train.trn.txt", *lines)])
    well_formed(target)
    assert counts(target) == (30, 60) and target.clips["component"].nunique() == 20
    assert set(target.clips["generator"]) == {"", "A01", "A02"} and not cues(target)
    target = open_target([asvspoof_2021(tmp_path / "trial_metadata.txt")])
    well_formed(target)
    assert counts(target) == (30, 90) and target.clips["component"].nunique() == 30
    assert set(target.clips["split"]) == {"eval", "progress"}
    assert cues(target) == {"column.column_3", "column.column_4", "column.column_7"}  # codec, line, trimming


def test_lists_of_others(tmp_path: Path) -> None:
    wild = write(
        tmp_path / "meta.csv",
        "file,speaker,label",
        *(f"{k}.wav,Person {k % 30},{('bona-fide', 'spoof')[k % 2]}" for k in range(120)),
    )
    target = open_target([wild])
    assert counts(target) == (60, 60) and target.clips["component"].nunique() == 30 and not cues(target)
    avh = write(
        tmp_path / "test.csv",
        "path,label,num_frames",
        *(f"id{k:05d}/a/1/{('real', 'fake_video_real_audio')[k % 2]}.mp4,{k % 2},{100 + k}" for k in range(40)),
    )
    target = open_target([avh])
    assert cues(target) == {"time.n_frames"} and any("names and paths also say" in note for note in target.notes)
    listed = write(
        tmp_path / "favc.csv",
        "source,category,full_path",
        *(f"id{k:05d},{'ABCD'[k % 4]},FakeAVCeleb/x/{k}.mp4" for k in range(40)),
    )
    assert counts(open_target([listed])) == (10, 30)
    inverted = write(
        tmp_path / "mds.csv", "name,label", *(f"{('fake', 'real')[k % 2]}/{k}.mp4,{k % 2}" for k in range(20))
    )
    target = open_target([inverted])
    assert set(target.clips.loc[target.clips["label"] == 1, "file"].str[:4]) == {"fake"}


# ---- forms


def test_one_table_in_every_form(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "file": [f"v/{k}.mp4" for k in range(24)], "target": ["real", "fake"] * 12, "width": [640, 320] * 12,
            "loudness": [k / 10 for k in range(24)], "gender": ["f", "m", None] * 8, "city": ["x", "y", "z"] * 8,
        }
    )  # fmt: skip
    records = json.loads(frame.to_json(orient="records"))
    forms = {
        "a.csv": frame.to_csv(index=False).encode(), "b.tsv": frame.to_csv(index=False, sep="\t").encode(),
        "c.txt": frame.to_csv(index=False, sep=";").encode(), "d.json": json.dumps(records).encode(),
        "e.jsonl": "\n".join(map(json.dumps, records)).encode(), "f.json": frame.to_json(orient="columns").encode(),
        "g.json": json.dumps({"version": 1, "videos": records}).encode(),
        "h.json": json.dumps({name: frame[name].where(frame[name].notna(), None).tolist() for name in frame}).encode(),
        "i.json": frame.to_json(orient="split").encode(), "k.csv": frame.to_csv(index=False).encode("utf-16"),
        "l.csv": b"\xef\xbb\xbf" + frame.to_csv(index=False).encode(), "m.csv": frame.to_csv().encode(),
        "n.json": json.dumps({one["file"]: one for one in records}).encode(),
        "o.json": json.dumps({"real": records[::2], "fake": records[1::2]}).encode(),
    }  # fmt: skip
    for name, data in forms.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "p.csv.gz").write_bytes(gzip.compress(forms["a.csv"]))
    frame.to_parquet(tmp_path / "q.parquet")
    for name in (*forms, "p.csv.gz", "q.parquet"):
        target = open_target([tmp_path / name])
        well_formed(target)
        clips = target.clips.sort_values("file", key=lambda one: one.str[2:-4].astype(int))
        assert counts(target) == (12, 12), name
        assert clips["label"].tolist() == [0, 1] * 12, name
        assert clips["geometry.width"].tolist() == [640, 320] * 12, name
        assert clips["column.loudness"].tolist() == [k / 10 for k in range(24)], name
        assert clips["column.city"].tolist() == ["x", "y", "z"] * 8, name
        assert clips["demog.gender"].isna().sum() == 8, name
        assert cues(target) == {"geometry.width", "column.loudness", "column.city", "demog.gender"}, name


def test_decimal_commas_do_not_part_columns(tmp_path: Path) -> None:
    rows = (f"v/{k}.mp4;{('real', 'fake')[k % 2]};{k},{k % 7}5;-{k % 3},25" for k in range(24))
    target = open_target([write(tmp_path / "a.csv", "file;label;gain;tilt", *rows)])
    assert counts(target) == (12, 12)
    assert target.clips["column.tilt"].nunique() == 3


@pytest.mark.parametrize("odd", ["frames/s", "<b>x</b>", "label,x,x"])
def test_names_of_columns_with_slashes_or_twice_are_names(tmp_path: Path, odd: str) -> None:
    cells = odd.count(",") + 1
    rows = (f"p{k // 2},{('real', 'fake')[k % 2]},{','.join([str(k % 5)] * cells)}" for k in range(24))
    target = open_target([write(tmp_path / "a.csv", f"speaker,label,{odd}", *rows)])
    assert counts(target) == (12, 12)
    assert target.clips["component"].nunique() == 12


def test_latin_1_and_names_with_line_breaks(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes('path,label\n"Zoë\n../x.mp4",real\nBjörn.mp4,fake\n'.encode("latin-1"))
    target = open_target([tmp_path / "a.csv"])
    assert target.clips["file"].tolist() == ["Zoë\n../x.mp4", "Björn.mp4"]
    assert any("Latin-1" in note for note in target.notes)


def test_two_tables_named_after_the_classes(tmp_path: Path) -> None:
    real = write(tmp_path / "real.txt", *(f"a/{k}.mp4" for k in range(5)))
    fake = write(tmp_path / "fake_list.txt", *(f"b/{k}.mp4" for k in range(7)))
    target = open_target([real, fake])
    assert counts(target) == (5, 7) and any("the tables' names tell" in note for note in target.notes)


def test_people_become_facts(lists: Path) -> None:
    clips = open_target([lists / "cmdfd_wav2lip.csv"]).clips.set_index("id")
    fake = clips.loc["wav2lip+id07434-id07445"]
    assert (fake["face_id"], fake["voice_id"], fake["donor_id"]) == ("id07434", "id07445", "id07445")
    real = clips.loc["origin+id02270_vDGEbJ1VVQg"]
    assert (real["face_id"], real["donor_id"]) == ("id02270", "")
