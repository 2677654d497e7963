"""Labels that cannot all be true."""

from __future__ import annotations

import json

import numpy as np
import pytest
from set_targets import checks

PAIRED = {"label": [0, 1] * 20, "file": [f"{k}.mp4" for k in range(40)]}


def test_one_file_with_two_labels_is_a_conflict() -> None:
    found = checks(label=[0, 1, 1, 0] + [0, 1] * 30, file=["a.mp4", "a.mp4", "b.mp4", "c.mp4", *map(str, range(60))])
    conflict = found["label.conflict"]
    assert conflict.severity == "high" and conflict.n == 2 and conflict.examples == ("a.mp4",)
    assert conflict.sentence == "1 file is listed both as real and as fake."
    assert "label.conflict" not in checks(label=[1, 1, 0], file=["a.mp4", "a.mp4", None])


def test_a_conflict_that_the_reader_found_is_told_and_names_of_many_clips_are_no_conflict() -> None:
    found = checks(
        label=[None, None, 0, 1, 0, 1], file=["a", "a", "b", "c", "d", "e"], conflict=[True, True] + [False] * 4
    )
    assert found["label.conflict"].n == 2
    names = checks(label=[0, 0, 0, 1, 1, 1], file=["1.mp4", "2.mp4", "3.mp4"] * 2)
    assert names["label.ambiguous_name"].severity == "low" and "label.conflict" not in names
    paths = checks(
        label=[0, 0, 1, 1], file=["1.mp4", "2.mp4"] * 2, path=["/r/1.mp4", "/r/2.mp4", "/f/1.mp4", "/f/2.mp4"]
    )
    assert "label.conflict" not in paths and "label.ambiguous_name" not in paths
    streams = checks(label=[0, 1, 1], file=["v.mp4"] * 3, audio_path=["a.wav", "b.wav", "c.wav"])
    assert "label.conflict" not in streams  # a forged sound beside the genuine picture


def test_a_fake_in_which_nothing_is_forged_and_a_real_in_which_something_is() -> None:
    found = checks(label=[1, 1, 0, 0], audio_label=[0, 1, 0, 1], video_label=[0, 0, 0, None])
    assert found["label.nothing_forged"].n == 1 and found["label.nothing_forged"].severity == "critical"
    assert found["label.forged_real"].n == 1 and "1 of 2 reals" in found["label.forged_real"].sentence
    shifted = checks(label=[1, 0], audio_label=[0, 0], video_label=[0, 0], sync_mismatch=[1, 0])
    assert "label.nothing_forged" not in shifted  # genuine streams that do not belong together
    unknown = checks(label=[1, 0], audio_label=[None, None], video_label=[0, 0])
    assert "label.nothing_forged" not in unknown


@pytest.mark.parametrize("way", ["mappings", "tuples", "arrays", "json", "pairs"])
def test_segments_are_read_in_every_way_that_they_are_written(way: str) -> None:
    parts = [(0.5, 9.0, "audio")]
    cell: object = {
        "mappings": [{"start": 0.5, "end": 9.0, "modality": "audio"}],
        "tuples": tuple(parts),
        "arrays": np.array([{"start": 0.5, "end": 9.0, "modality": "audio"}], dtype=object),
        "json": json.dumps([[0.5, 9.0, "audio"]]),
        "pairs": [[0.5, 9.0]],
    }[way]
    found = checks(label=[1, 0], segments=[cell, None], seconds=[3.0, 3.0], audio_label=[0, 0], video_label=[1, 0])
    assert found["label.outside_clip"].sentence == "Segments of 0 of 1 reals and 1 of 1 fakes end after their clip."
    assert ("label.unmodified_stream" in found) == (way != "pairs")


def test_segments_and_labels_that_agree_raise_nothing() -> None:
    found = checks(**PAIRED, segments=[(), ((0.0, 3.05, "video"),)] * 20, seconds=[3.0] * 40, audio_label=[0, 0] * 20,
                   video_label=[0, 1] * 20)  # fmt: skip
    assert not [name for name in found if name.startswith("label")]


def test_reals_with_segments_and_fakes_without_are_told() -> None:
    segments: list[object] = [(), ((0.5, 1.0, ""),)] * 20
    segments[0], segments[1] = ((0.1, 0.2, ""),), ()
    found = checks(**PAIRED, segments=segments)
    assert found["label.real_with_segment"].n == 1 and found["label.real_with_segment"].severity == "critical"  # 5 %
    assert found["label.fake_without_segment"].n == 1
    streams = checks(label=[0, 1], segments=[((0.1, 0.2, "audio"),), ()], audio_label=[0, 1], video_label=[0, 0])
    assert "label.real_with_segment" in streams and "label.unmodified_stream" not in streams  # told once
    whole = checks(**PAIRED, segments=[()] * 40)  # whole fakes have no segments at all
    assert "label.fake_without_segment" not in whole
    kinds = checks(**PAIRED, segments=[(), ((0.5, 1.0, ""),), (), ()] * 10, generator=["", "partial", "", "whole"] * 10)
    assert "label.fake_without_segment" not in kinds


@pytest.mark.parametrize(
    "cell", [[(2.0, 1.0)], [(-1.0, 1.0)], [("x", 1.0)], [(float("nan"), 1.0)], "no json", [7], [{"start": 1}]]
)
def test_impossible_segments_are_told(cell: object) -> None:
    found = checks(label=[1, 0], segments=[cell, ()], seconds=[3.0, 3.0])
    assert found["label.impossible_segment"].n == 1


def test_declared_counts_that_are_wrong_in_one_class_only_give_it_away() -> None:
    n = 40  # AV-Deepfake1M, issue 7
    found = checks(
        label=[0, 1] * (n // 2), n_samples=[111_680.0] * n, time__n_samples=[111_680.0, 112_640.0] * (n // 2)
    )
    assert found["label.n_samples"].severity == "high" and found["label.n_samples"].n == n // 2
    assert "0 of 20 reals and 20 of 20 fakes (median 960)" in found["label.n_samples"].sentence
    alike = checks(label=[0, 1] * (n // 2), n_frames=[100.0] * n, time__n_frames=[99.0] * n)
    assert alike["label.n_frames"].severity == "low"
    rates = checks(label=[0, 1], n_samples=[16000, 16000], sample_rate=[16000, 16000], time__n_samples=[44100, 44100],
                   container__sample_rate=[44100, 44100])  # fmt: skip
    assert "label.n_samples" not in rates  # counts at two rates cannot be compared
