"""Lists in CMDFD's form: against the facts of the published ones, and back."""

from __future__ import annotations

import csv
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_set import CMDFD_KINDS, HEAD_CROSS, LIPSYNC_CROSS, LIPSYNC_SELF, PARTIAL, Kind, write_toy_set

from cmdfd.clip import Labels
from cmdfd.dataset import Dataset
from cmdfd.errors import CmdfdError
from cmdfd.media.decode import read_audio
from generators.export.cmdfd import COLUMNS, export_cmdfd, main, method_of, read_list

#: Published vectors E, A, V, I, S of the lip-sync and talking-head methods, self and cross, and of the reals.
PUBLISHED = {
    "lips": (1, 0, 1, 0, 1), "lips_Self": (1, 0, 1, 1, 1), "head": (1, 0, 1, 0, 0), "head_Self": (1, 0, 1, 1, 0),
}  # fmt: skip
REAL_VECTOR = (0, 0, 0, 1, 1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_toy_set(tmp_path_factory.mktemp("cmdfd") / "set", CMDFD_KINDS, people=4)


def vectors(path: Path) -> dict[str, tuple[int, ...]]:
    table = pd.read_csv(path)  # an independent reader
    columns = ["ENtire_Label", "Audio_Label", "Video_Label", "Identi_Label", "Sync_Label"]
    return {str(row["ID_Name"]): tuple(int(row[name]) for name in columns) for _, row in table.iterrows()}


def test_the_published_vectors_come_out(data: Dataset, tmp_path: Path) -> None:
    made = export_cmdfd(data, tmp_path)
    assert [path.name for path in made.files] == [
        "head_test.csv", "head_Self_test.csv", "lips_test.csv", "lips_Self_test.csv"
    ]  # fmt: skip
    assert (made.n_rows, made.withheld, made.n_wav) == (4 * 8, (), 0)
    for method, vector in PUBLISHED.items():
        found = vectors(tmp_path / f"{method}_test.csv")
        assert set(list(found.values())[:4]) == {REAL_VECTOR} and set(list(found.values())[4:]) == {vector}
        assert [("+" in name) for name in found] == [False] * 4 + [True] * 4


def test_the_form_is_the_published_one(data: Dataset, tmp_path: Path) -> None:
    export_cmdfd(data, tmp_path / "lists")
    text = (tmp_path / "lists" / "lips_test.csv").read_text()
    header = "ID_Name,Audio_Path,Video_Path,ENtire_Label,Audio_Label,Video_Label,Identi_Label,Sync_Label,"
    assert text.splitlines()[0] == header + "Frame_Len,Audio_Len,FPS,AudioSamRate"
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["Frame_Len"] for row in rows] == ["20.0"] * 8 and rows[0]["Audio_Len"] == "12800.0"
    assert (rows[0]["FPS"], rows[0]["AudioSamRate"], rows[0]["ENtire_Label"]) == ("25.0", "16000.0", "0.0")
    names = [row["ID_Name"] for row in rows]
    one, other = "test_p0_test_0_0", "test_p1_test_1_0"
    assert names[0] == one and f"lips+{one}-{other}" in names and f"lips+{other}-{one}" in names  # mutual swap
    assert len(set(names)) == 8
    for row in rows:  # the paths hold from where the list lies
        video = (tmp_path / "lists" / row["Video_Path"]).resolve()
        assert video.is_file() and video.is_relative_to(data.folder.resolve())
        assert row["Audio_Path"] == row["Video_Path"] and not Path(row["Video_Path"]).is_absolute()
    own = [row["ID_Name"] for row in csv.DictReader((tmp_path / "lists" / "lips_Self_test.csv").open())]
    assert f"lips_Self+{one}-{one}" in own


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    data = write_toy_set(tmp_path / "set", (*CMDFD_KINDS, PARTIAL), people=2, takes=2)
    made = export_cmdfd(data, tmp_path / "out")
    by_file = {clip.file: clip for clip in data.clips()}
    seen = set()
    for path in made.files:
        for row in read_list(path):
            file = (path.parent / row.video_path).resolve().relative_to(data.folder.resolve()).as_posix()
            clip = by_file[file]
            seen.add(clip.id)
            back = Labels(row.label, row.audio_label, row.video_label, row.sync_mismatch, row.identity_mismatch)
            assert back == clip.labels
            assert (row.n_frames, row.n_samples, row.fps, row.sample_rate) == (20, 12800, 25.0, 16000)
            assert row.method == ("" if clip.kind == "real" else method_of(clip.kind))
            person = clip.face_id[-1]
            assert row.face.startswith(f"test_p{person}_")
            crossed = clip.kind.endswith("/cross")
            assert row.sound.startswith(f"test_p{int(person) ^ 1 if crossed else person}_")
    assert seen == {clip.id for clip in data.clips()}


def test_a_lent_face_stands_first(tmp_path: Path) -> None:
    swap = Kind("swap", Labels(1, 0, 1, 0, 1), "cross")
    data = write_toy_set(
        tmp_path / "set",
        (swap,),
        change=lambda clip: (
            replace(clip, face_id=f"test-p{int(clip.face_id[-1]) ^ 1}") if clip.kind == "swap" else clip
        ),
    )
    export_cmdfd(data, tmp_path / "out")
    fakes = [row for row in read_list(tmp_path / "out" / "swap_test.csv") if row.label]
    by_video = {clip.id: clip for clip in data.clips()}
    for row in fakes:
        clip = by_video[Path(row.video_path).stem]
        assert row.face.startswith(f"test_p{clip.face_id[-1]}") and row.sound != row.face


def test_names_stay_apart(tmp_path: Path) -> None:
    data = write_toy_set(tmp_path / "set", (PARTIAL, replace(PARTIAL, name="other", shams=2)))
    rows = read_list(export_cmdfd(data, tmp_path / "out").files[0])
    names = [row.name for row in rows]
    assert len(set(names)) == len(names) == 2 * 4 + 2
    reals = [row for row in rows if row.label == 0]
    assert [row.name for row in reals][:4] == [f"test_p0_test_0_0{end}" for end in ("", "~2", "~3", "~4")]
    assert {row.face for row in reals} == {"test_p0_test_0_0", "test_p1_test_1_0"}


def test_sound_files(tmp_path: Path) -> None:
    data = write_toy_set(tmp_path / "set", (LIPSYNC_CROSS,))
    told: list[tuple[int, int]] = []
    made = export_cmdfd(data, tmp_path / "out", wav=True, progress=lambda done, total: told.append((done, total)))
    assert made.n_wav == 4 and told[-1] == (4, 4)
    for row in read_list(made.files[0]):
        with wave.open(str(tmp_path / "out" / row.audio_path)) as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16000)
            assert file.getnframes() == row.n_samples
            samples = np.frombuffer(file.readframes(row.n_samples), "<i2") / 32767
        truth = read_audio(tmp_path / "out" / row.video_path).samples[: row.n_samples]
        assert np.abs(samples[: len(truth)] - truth).max() < 1e-4


def test_withheld_splits_stay_at_home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_toy_set(tmp_path / "set", (LIPSYNC_SELF,), splits=("train", "test"), withheld=("test",))
    assert main([str(data.folder)]) == 0
    out = tmp_path / "set-cmdfd"
    assert [path.name for path in out.iterdir()] == ["lips_Self_train.csv"]
    assert "test/" not in (out / "lips_Self_train.csv").read_text()
    assert "left out, its labels are withheld: test" in capsys.readouterr().out
    hidden = write_toy_set(tmp_path / "all", (LIPSYNC_SELF,), withheld=("test",))
    assert main([str(hidden.folder)]) == 2
    assert "no fake to export; the labels of test are withheld" in capsys.readouterr().err


def test_what_cannot_be_exported(data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(CmdfdError, match="lies inside the set"):
        export_cmdfd(data, data.folder / "lists")
    two = write_toy_set(tmp_path / "two", (LIPSYNC_CROSS, replace(HEAD_CROSS, name="lips")))
    with pytest.raises(CmdfdError, match="'lips' and 'lips/cross' would both be listed as 'lips'"):
        export_cmdfd(two, tmp_path / "out")


HEADER = ",".join(COLUMNS)
GOOD = "id1_a-b,a.wav,v.mp4,0.0,0,0.0,1.0,1.0,139.0,88992.0,25.0,16000.0"


def test_lists_of_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    fake = "W2L+id1_a-b-id2_c-d,a.wav,v.mp4,1.0,0.0,1.0,0.0,1.0,137.0,88992.0,25.0,16000.0"
    second = GOOD.replace("id1_a-b", "id2_c-d")
    extra = "\ufeff" + HEADER.upper() + ",Note\n" + "\n".join(f"{line},x" for line in (GOOD, second, fake)) + "\n"
    path.write_text(extra, "utf-8")
    rows = read_list(path)
    assert (rows[0].name, rows[0].face, rows[0].sound, rows[0].method, rows[0].n_frames) == (
        "id1_a-b", "id1_a-b", "id1_a-b", "", 139,
    )  # fmt: skip
    # the dash between two known reals, not the first one
    assert (rows[2].method, rows[2].face, rows[2].sound) == ("W2L", "id1_a-b", "id2_c-d")
    assert (rows[2].identity_mismatch, rows[2].sync_mismatch) == (1, 0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no row, or no column ID_Name"),
        (HEADER.replace("ENtire_Label", "Label") + "\n" + GOOD, "no column ENtire_Label"),
        (HEADER + "\n" + GOOD.replace("139.0", "many"), r"line 2, Frame_Len: must be a number, got 'many'"),
        (HEADER + "\n" + GOOD.replace("139.0", "nan"), r"line 2, Frame_Len: must be a number, got 'nan'"),
        (HEADER + "\n" + GOOD.replace("25.0", "0"), r"line 2, FPS: must be above 0, got '0'"),
        (HEADER + "\n" + GOOD.replace("mp4,0.0", "mp4,2"), r"ENtire_Label: must be 0, 1 or empty, got 2.0"),
        (HEADER + "\n" + GOOD.replace("mp4,0.0", "mp4,"), r"ENtire_Label: must be 0 or 1, got nothing"),
        (HEADER + "\n" + GOOD.replace("id1_a-b", "W2L+nobody"), r"ID_Name must be <method>\+<idA>-<idB>"),
        (HEADER + "\n" + "id1", "line 2"),
    ],
)
def test_wrong_lists_name_the_place(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(text)
    with pytest.raises(CmdfdError, match=problem):
        read_list(path)
    path.write_bytes(b"\xff\xfe\x00binary")
    with pytest.raises(CmdfdError, match="not a list"):
        read_list(path)
    with pytest.raises(CmdfdError, match="not a list"):
        read_list(tmp_path / "absent.csv")


@given(st.binary(max_size=200))
def test_any_bytes_give_rows_or_a_named_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(HEADER.encode() + b"\n" + data)
    try:
        read_list(path)
    except CmdfdError as error:
        assert "any.csv" in str(error)
