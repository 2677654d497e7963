"""Who is in more than one split, fakes apart from their own reals, splits of one class, unequal draws."""

from __future__ import annotations

import collections

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from set_targets import checks

from cmdfd.audit.setcues.columns import Rows
from cmdfd.audit.setcues.splits import crossing, original_rows


def test_people_in_two_splits_are_counted() -> None:
    found = checks(
        label=[0, 1] * 5, face_id=["anna", "anna", "bela", "bela", "cora", "cora", "dora", "dora", "anna", "eva"],
        voice_id=["v1"] * 2 + ["v2"] * 2 + [""] * 6, split=["train"] * 6 + ["test"] * 4,
    )["split.identity"]  # fmt: skip
    assert found.severity == "high" and found.fix == "resplit" and found.n == 3
    assert found.sentence == (
        "1 of 5 faces is in more than one split: of the 6 clips of 'train' 2 (33 %) share one with another split."
    )
    assert found.examples == ("face anna",)


def test_a_few_in_thousands_are_low_and_one_split_is_no_matter() -> None:
    faces = [f"f{k}" for k in range(2000)]
    faces[1999] = "f0"
    split = ["train"] * 1000 + ["test"] * 1000
    assert checks(label=[0, 1] * 1000, face_id=faces, split=split)["split.identity"].severity == "low"
    assert "split.identity" not in checks(label=[0, 1] * 1000, face_id=["one"] * 2000, split=["train"] * 2000)
    assert "split.identity" not in checks(
        label=[0, 1] * 1000, face_id=["one"] * 2000, split=["train"] * 1000 + [None] * 1000
    )


def test_shared_sources_are_found_inside_lists_and_a_component_only_where_nothing_else_tells() -> None:
    found = checks(label=[0, 1], source_ids=[["a", "b"], ("b",)], split=["train", "test"], component=["x", "x"])
    assert "1 of 2 sources is in more than one split" in found["split.identity"].sentence
    assert "component" not in found["split.identity"].sentence
    alone = checks(label=[0, 1], split=["train", "test"], component=["x", "x"])
    assert "1 of 1 component is in more than one split" in alone["split.identity"].sentence


@given(st.lists(st.tuples(st.integers(-1, 4), st.integers(-1, 2)), max_size=30))
def test_crossing_is_what_counting_by_hand_gives(rows: list[tuple[int, int]]) -> None:
    places = collections.defaultdict(set)
    for value, split in rows:
        if value >= 0 and split >= 0:
            places[value].add(split)
    shared = sorted(value for value, own in places.items() if len(own) > 1)
    hit = [k for k, (value, split) in enumerate(rows) if value in shared and split >= 0]
    values, splits = (np.array([row[k] for row in rows], np.intp) for k in (0, 1))
    got, got_rows, total = crossing(values, np.arange(len(rows)), splits)
    assert (got.tolist(), got_rows.tolist(), total) == (shared, hit, len(places))


def test_a_fake_apart_from_its_own_real_is_critical() -> None:
    found = checks(
        id=["r0", "r1", "f0", "f1"], label=[0, 0, 1, 1], original=["", "", "r0", "r1"],
        split=["train", "test", "test", "test"], component=["a", "b", "a", "b"],
    )["split.original"]  # fmt: skip
    assert found.severity == "critical" and found.n == 1 and found.examples == ("f0 and r0",)
    assert found.sentence == "The original of 1 fake of 'test' (33 % of its clips) is in 'train'."


def test_originals_are_known_by_id_path_or_file_name_but_not_by_one_that_two_clips_have() -> None:
    import pandas as pd

    frame = pd.DataFrame(
        {"id": ["a", "b", "c", "d", "e"], "file": ["x/1.mp4", "y/1.mp4", "y/2.mp4", "z/3.mp4", "z/4.mp4"],
         "original": ["", "a", "x/1.mp4", "2.mp4", "1.mp4"]}
    )  # fmt: skip
    assert original_rows(Rows(frame, frame)).tolist() == [-1, 0, 0, 2, -1]
    frame["original"] = ["a", "nobody", None, "", "e"]
    assert original_rows(Rows(frame, frame)).tolist() == [-1] * 5


def test_a_split_of_one_class_and_unequal_draws_are_told() -> None:
    found = checks(label=[0, 1, 1, 1], split=["train", "train", "test", "test"])
    assert "The split 'test' has 2 fakes and no reals" in found["sampling.split_without_class"].sentence
    hidden = checks(label=[0, 1, None, None], split=["train", "train", "test", "test"])
    assert "sampling.split_without_class" not in hidden
    n = 20  # FakeAVCeleb, issues 1 and 10: 120 frames of a real, 6 of a fake
    drawn = checks(label=[0] * 120 * n + [1] * 6 * n, component=[f"c{k // 120}" for k in range(120 * n)]
                   + [f"c{k // 6}" for k in range(6 * n)])["sampling.clips_per_source"]  # fmt: skip
    assert drawn.severity == "low" and "120 reals and 6 fakes" in drawn.sentence
    assert "sampling.clips_per_source" not in checks(label=[0, 1] * 10, component=[f"c{k // 2}" for k in range(20)])
