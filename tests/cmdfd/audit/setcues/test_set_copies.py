"""Equal files, equal streams and like ones: by split, label and component."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from set_targets import checks, target
from talking import FPS, RATE, picture, voice

from cmdfd.audit.pictures import Pictures
from cmdfd.audit.setcues import set_checks
from cmdfd.audit.setcues.columns import Rows
from cmdfd.audit.setcues.copies import exact_groups
from cmdfd.audit.setcues.prints import audio_print, video_print


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten files: 0 = 5 = 7 and 1 = 6 in every byte; 2 and 3 differ in the middle of files of one size."""
    rng = np.random.default_rng(0)
    parts = [rng.bytes(200_000) for _ in range(10)]
    parts[5] = parts[7] = parts[0]
    parts[6] = parts[1]
    parts[3] = parts[2][:100_000] + b"!" + parts[2][100_001:]
    for k, part in enumerate(parts):
        (tmp_path / f"{k}.mp4").write_bytes(part)
    return tmp_path


def paths(folder: Path) -> dict[str, list[str]]:
    return {"file": [f"{k}.mp4" for k in range(10)], "path": [str(folder / f"{k}.mp4") for k in range(10)]}


def test_equal_files_are_found_without_hashes_in_the_table(folder: Path) -> None:
    frame = pd.DataFrame(paths(folder))
    groups = exact_groups(Rows(frame, frame))
    assert groups[0] == groups[5] == groups[7] and groups[1] == groups[6]
    assert len(set(groups.tolist())) == 7


def test_copies_across_splits_with_two_labels_and_inside_a_split_are_three_things(folder: Path) -> None:
    label, split = [0, 0, 0, 1, 1, 0, 1, 0, 1, 1], ["train"] * 5 + ["test", "train", "train", "test", "test"]
    found = checks(**paths(folder), label=label, split=split, component=[str(k) for k in range(10)])
    conflict, across = found["label.copy_conflict"], found["split.duplicate"]
    assert conflict.severity == "critical" and conflict.examples == ("1.mp4 = 6.mp4",)
    assert across.severity == "critical" and across.n == 3 and across.examples == ("0.mp4 = 5.mp4 = 7.mp4",)
    assert "sampling.duplicate" not in found
    one = checks(**paths(folder), label=[0] * 10)
    assert one["sampling.duplicate"].n == 5 and one["sampling.duplicate"].fix == "deduplicate"


def test_hashes_in_the_table_are_taken_and_one_file_listed_twice_is_no_copy(folder: Path) -> None:
    found = checks(label=[0, 1, 1], split=["train", "test", "test"], sha256=["aa", "aa", None])
    assert found["label.copy_conflict"].n == 2 and found["split.duplicate"].n == 2
    same = str(folder / "4.mp4")
    assert "sampling.duplicate" not in checks(label=[0, 0], file=["w0", "w1"], path=[same, same])


def test_a_rare_copy_is_low(folder: Path) -> None:
    n = 1000
    hashes = [str(k) for k in range(n)]
    hashes[-1] = "0"
    found = checks(label=[0, 0] * (n // 2), sha256=hashes, split=["train"] * (n // 2) + ["test"] * (n // 2))
    assert found["split.duplicate"].severity == "low"


def test_equal_streams_count_only_with_all_that_a_clip_has() -> None:
    both = {"label": [0, 0], "split": ["train", "test"], "hash_video": ["p", "p"]}
    assert "split.duplicate" in checks(**both, hash_audio=["s", "s"])
    assert "split.duplicate" not in checks(**both, hash_audio=["s", "t"])
    assert "split.duplicate" in checks(**both, hash_audio=[None, None], container__streams=["v", "v"])
    # silence has no hash: it may hide a difference, so nothing is claimed
    assert "split.duplicate" not in checks(**both, hash_audio=[None, None], container__streams=["va", "va"])


def like(person: int, clip: int) -> tuple[str, str]:
    luma = picture(person, clip)[:, ::4, ::4, 0]
    return video_print(luma, np.arange(len(luma)) / FPS), audio_print(voice(person, clip), RATE)


@pytest.fixture(scope="module")
def prints() -> dict[str, list[str]]:
    """Clips 0 and 1 look and sound the same; 2 has the sound of 0 beside its own picture; 3 has nothing of them."""
    (v, a), (w, b) = like(1, 1), like(2, 1)
    return {"print_video": [v, v, w, like(3, 1)[0]], "print_audio": [a, a, a, b]}


def test_likeness_across_splits_is_told_by_what_is_shared(prints: dict[str, list[str]]) -> None:
    found = checks(label=[0, 0, 1, 1], split=["train", "test", "test", "train"], **prints)
    assert found["split.near_duplicate"].n == 2 and found["split.near_duplicate"].examples == ("row 0 ~ row 1",)
    assert found["split.shared_stream"].examples == ("row 0 ~ row 2",)
    assert found["sampling.shared_stream"].examples == ("row 1 ~ row 2",)  # both are in the test split
    assert not {"label.copy_conflict", "sampling.near_duplicate"} & set(found)
    equal = {"hash_video": ["p", "p", None, None], "hash_audio": ["s", "s", None, None]}
    told = checks(label=[0, 0, 1, 1], split=["train", "test", "test", "train"], **prints, **equal)
    assert "split.duplicate" in told and "split.near_duplicate" not in told  # what is equal is not told twice


def test_likeness_inside_a_component_and_split_is_by_design(prints: dict[str, list[str]]) -> None:
    declared = checks(label=[0, 1, 1, 0], component=["a", "a", "a", "b"], split=["train"] * 4, **prints)
    assert not [name for name in declared if name.startswith(("split", "sampling.near", "sampling.shared"))]
    hidden = checks(label=[0, 1, 1, 0], component=["a", "b", "c", "d"], split=["train"] * 4, **prints)
    assert (
        hidden["sampling.near_duplicate"].severity == "low"
        and "does not say" in hidden["sampling.near_duplicate"].sentence
    )
    assert hidden["sampling.shared_stream"].n == 3


def test_pictures_may_be_given_instead_of_prints() -> None:
    luma = picture(1, 1)[:, ::4, ::4, 0]
    times = np.arange(len(luma)) / FPS
    one = Pictures(
        luma[:1], np.full((1, 2), 128.0), np.zeros(1, np.intp), times, luma, "P" * len(luma), np.full(len(luma), np.nan)
    )
    trial = target(label=[0, 1], split=["train", "test"])
    assert any(
        check.name == "split.near_duplicate"
        for check in set_checks(trial, pd.DataFrame(index=[0, 1]), {0: one, 1: one})
    )


def test_empty_and_unlisted_files_are_told(folder: Path) -> None:
    (folder / "3.mp4").write_bytes(b"")
    (folder / "sub").mkdir()
    (folder / "sub" / "stray.WAV").write_bytes(b"x")
    (folder / "notes.txt").write_bytes(b"x")
    found = checks("list", folder, **paths(folder), label=[0, 1] * 5)
    assert found["missing.empty_file"].severity == "high" and found["missing.empty_file"].examples == ("3.mp4",)
    assert found["sampling.unlisted_file"].examples == ("sub/stray.WAV",)
    assert "sampling.unlisted_file" not in checks("video folder", folder, **paths(folder), label=[0, 1] * 5)
