"""Tables that are broken, hostile or very long end in a clear error, or in a target that says what is missing."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published_lists import write

from cmdfd.audit.targets.opening import TargetOptions, open_target
from cmdfd.errors import CmdfdError

ROWS = [f"clips/{k}.mp4,{('real', 'fake')[k % 2]},{k / 7}" for k in range(30)]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.csv", b"", "empty"), ("a.csv", b"  \n\n ", "empty"),
        ("a.csv", b"path,label\n", "holds no rows"),
        ("a.csv", bytes(range(256)) * 40, "not a text table"),
        ("a.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" * 30, "not a text table"),
        ("a.json", b'[{"file": "a.mp4", "label": 1}, {"file"', "not readable as JSON"),
        ("a.json", b"{}", "holds no clips"),
        ("a.json", b"[]", "holds no clips"), ("a.json", b"[" * 100000, "cannot be read|not readable"),
        ("a.json", b'[["071", "054"], ["087", "081"]]', "no column could be recognised"),
        ("a.json", b"[1, 2, 3]", "no column could"),
        ("a.jsonl", b"nonsense\nmore\n", "holds no JSON record"),
        ("a.parquet", b"PAR1" + b"junk" * 50, "not a readable Parquet"),
        ("a.csv.gz", gzip.compress(b"path,label\na,1\n" * 500)[:-20], "cannot be read"),
        ("a.csv", b"just some words", "no column|holds no rows"),
        ("a.json", b'{"a": ' * 5000 + b"1" + b"}" * 5000, "cannot be read|holds no clips|not readable"),
    ],
)  # fmt: skip
def test_broken_tables_are_refused_by_name(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CmdfdError, match=said) as caught:
        open_target([tmp_path / name])
    assert name in str(caught.value)


def test_ragged_rows_are_told_and_the_rest_is_read(tmp_path: Path) -> None:
    table = write(tmp_path / "a.csv", "path,label,x", *ROWS, "b.mp4", "c.mp4,fake,1,2,3", '"d.mp4,fake,1')
    target = open_target([table])
    assert len(target.clips) == 30 and len(target.unread) >= 2
    assert all("cells" in reason for _, reason in target.unread)


def test_many_bad_rows_are_counted(tmp_path: Path) -> None:
    table = write(tmp_path / "a.csv", "path,label,x", *ROWS * 100, *["bad"] * 1000)
    target = open_target([table])
    assert 200 <= len(target.unread) < 210 and target.unread[-1][0] == "800 more"


def test_rows_without_label_stay_unknown(tmp_path: Path) -> None:
    table = write(tmp_path / "a.csv", "path,label,x", *ROWS, "b.mp4,,1", "c.mp4,NaN,2", "d.mp4,None,")
    target = open_target([table])
    assert target.clips["label"].isna().sum() == 3
    assert any("3 of 33 clips have no label" in note for note in target.notes)


def test_columns_of_one_name_and_of_none(tmp_path: Path) -> None:
    table = write(tmp_path / "a.csv", "path,label,x,x,", *(f"{row},{k % 3},{k % 4}" for k, row in enumerate(ROWS)))
    target = open_target([table])
    cues = {name for name in target.clips.columns if "." in name}
    assert cues == {"column.x", "column.x_2", "column.nameless"} and any("named 'x'" in note for note in target.notes)


def test_values_that_are_no_numbers(tmp_path: Path) -> None:
    rows = [
        f"{k}.mp4,{('real', 'fake')[k % 2]},{v},{v}"
        for k, v in enumerate(["inf", "-inf", "1e999", "nan", "-5", "0x10", "1_000", "٣", "12", "25"] * 3)
    ]
    target = open_target([write(tmp_path / "a.csv", "path,label,fps,frames", *rows)])
    found = target.clips["time.fps"].dropna().unique().tolist()
    assert sorted(found) == [12.0, 25.0] and not np.isinf(target.clips.select_dtypes("number").to_numpy()).any()


def test_mixed_json(tmp_path: Path) -> None:
    records = [
        {"file": f"{k}.mp4", "label": [0, "1", 1.0, "0"][k % 4], "x": [1, "a", None, [1], {"b": 2}, True, 2**70][k % 7]}
        for k in range(28)
    ]
    records += ["text", None, 5, {}]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(records))
    target = open_target([path], TargetOptions(label_column="label"))
    assert (target.clips["label"] == 1).sum() == 14 and (target.clips["label"] == 0).sum() == 14
    assert any("lists or records" in note for note in target.notes)


def test_one_class_and_one_row(tmp_path: Path) -> None:
    assert open_target([write(tmp_path / "a.csv", "path,label", "x.mp4,1")]).clips["label"].tolist() == [1.0]
    assert open_target([write(tmp_path / "b.csv", "path,label", "x.mp4,fake", "y.mp4,fake")]).clips[
        "label"
    ].tolist() == [1, 1]


def test_nested_bytes_in_parquet_are_left_out(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "video": [{"bytes": b"x" * 100, "path": f"{k}.mp4"} for k in range(10)],
            "blob": [b"x"] * 10,
            "label": [0, 1] * 5,
        }
    )
    frame.to_parquet(tmp_path / "a.parquet")
    target = open_target([tmp_path / "a.parquet"])
    assert target.clips["file"].tolist() == [f"{k}.mp4" for k in range(10)]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300) | st.text(alphabet='ab,;\t\n"{}[]: 01\0é#', max_size=200).map(str.encode))
def test_no_bytes_end_in_a_traceback(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("x") / "a.txt"
    path.write_bytes(data)
    try:
        target = open_target([path])
    except CmdfdError as error:
        assert "a.txt" in str(error)
    else:
        assert target.clips["id"].is_unique and len(target.clips)


CELL = st.sampled_from(
    ["", "real", "fake", "0", "1", "a.mp4", "x/y/b.wav", "nan", "3.5", "-", "id00001", "true", "A07", "2,5", '"']
)
NAME = st.sampled_from(
    [
        "",
        "path",
        "label",
        "fps",
        "frames",
        "speaker",
        "split",
        "gender",
        "x",
        "original",
        "method",
        "id",
        "segments",
        "column 1",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_table_ends_in_a_traceback(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    names = data.draw(st.lists(NAME, min_size=1, max_size=6))
    rows = data.draw(st.lists(st.lists(CELL, min_size=len(names), max_size=len(names)), min_size=1, max_size=12))
    path = tmp_path_factory.mktemp("x") / data.draw(st.sampled_from(["a.csv", "a.json", "a.parquet"]))
    frame = pd.DataFrame(
        rows, columns=[f"{name}{k}" if k and name in names[:k] else name for k, name in enumerate(names)]
    )
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".json":
        frame.to_json(path, orient="records")
    else:
        frame.to_parquet(path)
    try:
        target = open_target([path])
    except CmdfdError as error:
        assert path.name in str(error)
    else:
        assert target.clips["id"].is_unique and set(target.clips["label"].dropna()) <= {0.0, 1.0}


@pytest.mark.slow
def test_a_million_rows_open_in_seconds(tmp_path: Path) -> None:
    import resource

    path = tmp_path / "long.csv"
    with path.open("w") as stream:
        stream.write("path,label,speaker,frames,fps,loudness,codec_profile,gender\n")
        stream.writelines(
            f"clips/id{k % 5000:05d}/{k:07d}.mp4,{('real', 'fake')[k * 7 % 3 == 0]},s{k % 5000},{100 + k % 97},25,"
            f"{k % 89 / 10},main{k % 3},{'fm'[k % 2]}\n"
            for k in range(1_000_000)
        )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.monotonic()
    target = open_target([path])
    took = time.monotonic() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert len(target.clips) == 1_000_000 and target.clips["component"].nunique() == 5000
    assert took < 40, took  # 6 s on a quiet machine
    assert grown < 2000, grown  # MB
