"""The boards of this repository: every submission verifies, and the truth is what the recipes build."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from cmdfd.dataset import Dataset
from leaderboards.board import open_board, submission_files
from leaderboards.loading import board_folders, load_standings

NAMES = ("cross-modal", "splices")
#: Components of every split that are built anew; with fewer people, others stand together in the scenes of mini-splice.
LIMITS = {"mini-b": 2, "cmdfd-classical": 2, "lavdf-style": 2, "mini-splice": 4}
#: What the clips of the boards were made with; others may code the same pictures in other bytes.
MADE_WITH = {"av": "18.1.0", "imageio-ffmpeg": "0.8.1"}


def folder_of(name: str) -> Path:
    [found] = board_folders(None, [name])
    return found


def test_these_are_the_boards() -> None:
    assert tuple(folder.name for folder in board_folders(None)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_submission_verifies_and_floors_stand_beside_the_ranked(name: str) -> None:
    folder = folder_of(name)
    standings = load_standings(folder)
    assert standings.left_out == ()
    assert len(standings.rows) == len(submission_files(folder))
    ranked = [row for row in standings.rows if row.ranked]
    assert ranked
    assert {row.slug for row in standings.rows if row.floor} == {"random", "floor-container", "floor-rate"}
    for row in standings.rows:
        assert all(score.n_components >= 24 and score.n_failed == 0 for score in row.sets)
        assert row.ranked == (not row.floor and all(score.domain == "cross" for score in row.sets))
        assert row.state == "self-reported"  # who submits cannot stamp
        text = str(row.submission)
        assert "/root" not in text and "/tmp" not in text and "/home" not in text
    floor = next(row for row in standings.rows if row.slug == "floor-container")
    assert all(score.auc.low is not None and score.auc.low <= 0.5 <= (score.auc.high or 0) for score in floor.sets)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_truth_is_what_the_recipes_build(name: str, tmp_path: Path) -> None:
    """Some components of every split, built anew: the same clips, byte for byte, with the same labels."""
    from generators.builder import build
    from generators.options import BuildOptions

    opened = open_board(folder_of(name))
    same_tools = all(version(package) == wanted for package, wanted in MADE_WITH.items())
    for set_name, truth in opened.truths.items():
        recipe_name, _, split = set_name.rpartition("/")
        build(recipe_name, tmp_path / recipe_name, options=BuildOptions(limit=LIMITS[recipe_name]))
        rows = truth.table.set_index("id")
        clips = Dataset.open(tmp_path / recipe_name).clips(split)
        assert len(clips) >= 8
        for clip in clips:
            row = rows.loc[clip.id]
            assert (row["label"], row["kind"], row["platform"]) == (clip.labels.label, clip.kind, clip.platform)
            assert [(one["start"], one["end"]) for one in row["true_segments"]] == [
                (one.start, one.end) for one in clip.segments
            ]
            if same_tools:
                assert row["sha256"] == clip.sha256
