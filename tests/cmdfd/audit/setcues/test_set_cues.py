"""Set-level cues: known values, when a cue is left out, hostile tables, and speed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from set_targets import target

from cmdfd.audit.setcues import SET_CUES, set_cues


def test_every_cue_has_a_record_and_a_name_of_its_own() -> None:
    names = [cue.name for cue in SET_CUES]
    assert len(set(names)) == len(names)
    assert all(
        cue.family in ("meta", "text", "sampling") and cue.rule and cue.remedy and cue.source for cue in SET_CUES
    )


def test_path_cues_have_known_values_on_the_index_of_the_clips() -> None:
    trial = target(file=["real/s1/a07.mp4", "b.wav", None], id=["x", "y", "z"])
    trial.clips.index = pd.Index([7, 3, 5])
    found = set_cues(trial)
    assert list(found.index) == [7, 3, 5]
    assert found["meta.path"].tolist() == ["real s 1 a 07 x .mp4", "b y .wav", "z"]
    np.testing.assert_array_equal(found["meta.path_length"], [15, 5, np.nan])
    np.testing.assert_array_equal(found["meta.path_depth"], [2, 0, np.nan])
    np.testing.assert_array_equal(found["meta.name_digits"], [2, 0, np.nan])
    assert found["meta.order"].tolist() == [0, 1, 2]


def test_the_order_is_left_out_where_it_means_nothing() -> None:
    both = {"file": ["a.mp4", "b.mp4"], "label": [0, 1]}
    assert "meta.order" not in set_cues(target("folder pair", **both))
    assert "meta.order" not in set_cues(target("list", **both, table=["one.csv", "two.csv"]))
    assert "meta.order" not in set_cues(target("list", **both), ordered=False)
    assert "meta.order" in set_cues(target("list", **both, table=["one.csv", "one.csv"]))


def test_the_order_of_a_folder_is_that_of_its_names_unless_a_folder_holds_one_class_only() -> None:
    files = ["b.mp4", "a.mp4", "c.mp4"]
    assert set_cues(target("video folder", file=files, label=[0, 1, 1]))["meta.order"].tolist() == [1, 0, 2]
    apart = ["real/b.mp4", "fake/a.mp4", "fake/c.mp4"]
    assert "meta.order" not in set_cues(target("video folder", file=apart, label=[0, 1, 1]))


def test_dates_are_seconds_since_the_earliest_file(tmp_path: Path) -> None:
    paths = [tmp_path / "a.mp4", tmp_path / "b.mp4"]
    for path, date in zip(paths, (1_000_000_100.4, 1_000_000_000.0), strict=True):
        path.write_bytes(b"x")
        os.utime(path, (date, date))
    trial = target("video folder", file=["a.mp4", "b.mp4", "gone.mp4", "-", "nul"],
                   path=[*map(str, paths), str(tmp_path / "gone.mp4"), "", "a\0b"])  # fmt: skip
    np.testing.assert_array_equal(set_cues(trial)["meta.mtime"], [100, 0, np.nan, np.nan, np.nan])
    assert "meta.mtime" not in set_cues(target(file=["a.mp4"]))


def test_text_cues_have_known_values() -> None:
    found = set_cues(target(text=["Bin blue, bin RED", None, "hi"], seconds=[2.0, 1.0, 0.0], language=["EN", "", "en"]))
    assert found["text.words"].tolist()[0] == "bin blue red"
    assert found["text.words"].isna().tolist() == [False, True, False]
    np.testing.assert_array_equal(found["text.length"], [17, np.nan, 2])
    np.testing.assert_array_equal(found["text.words_per_second"], [2.0, np.nan, np.nan])
    assert found["text.language"].tolist()[0] == "en" and found["text.language"].isna().tolist() == [False, True, False]


def test_windows_of_one_file_are_counted_whatever_their_class() -> None:
    found = set_cues(target(file=["r.mp4"] * 5 + ["f.mp4", "g.mp4", None], label=[0] * 5 + [1, 1, 1]))
    np.testing.assert_array_equal(found["sampling.rows_per_file"], [5] * 5 + [1, 1, np.nan])


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"file": []},
        {"file": [], "text": [], "language": [], "seconds": [], "path": [], "component": []},
        {"label": [0, 1]},
        {"file": [["a", "b"], {"x": 1}, 3.5, float("nan")], "component": [None, float("nan"), [1], "a"]},
        {"file": pd.array(["a", None], dtype="string"), "text": [pd.NA, pd.NaT], "seconds": ["x", [1]]},
        {"file": pd.Categorical(["a.mp4", None, "a.mp4"]), "path": ["\0", "x" * 5000, None]},
        {
            "file": ["\ud800/a.mp4", "a\u202e/b", "\n"],
            "text": ["\0", "\ud800", "x" * 100_000],
            "language": ["\ud800", "", None],
        },
    ],
)
def test_a_hostile_table_gives_columns_of_known_cues(columns: dict[str, object]) -> None:
    trial = target(**columns)
    found = set_cues(trial)
    assert len(found) == len(trial.clips)
    assert set(found.columns) <= {cue.name for cue in SET_CUES}


def test_a_column_that_is_there_twice_counts_once() -> None:
    trial = target(file=["a.mp4", "b.mp4"])
    trial.clips.insert(1, "file", ["x", "y"], allow_duplicates=True)
    assert set_cues(trial)["meta.path_length"].tolist() == [5, 5]


def test_time_grows_with_the_number_of_rows_only() -> None:
    n = 60_000
    files = [f"set/{'fake' if k % 3 else 'real'}/id{k % 500:05d}/quCElx{k % 97}hWg/{k:06d}.mp4" for k in range(n)]
    start = time.process_time()
    found = set_cues(target(file=files, component=[f"c{k % 500}" for k in range(n)], text=["a few words here"] * n))
    assert len(found) == n
    assert time.process_time() - start < 6  # about 1 s alone; a million rows take seconds, not minutes
