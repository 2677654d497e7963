"""Every number of a board's file for download equals an independent recomputation from the raw files to 1e-9."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from recomputed import Recomputed, differences
from toy_board import make_board, make_submission

from leaderboards.board import rules_of
from leaderboards.loading import load_standings
from leaderboards.localization import WHOLE
from leaderboards.site.downloads import to_json


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board with everything that has a number: failures, platforms, maps, ties, floors, systems of every domain."""
    board = make_board(
        tmp_path_factory.mktemp("again"), clips=45, components=13, floors=("floor",), metadata_floor="floor"
    )
    make_submission(board, "floor", 0.3, seed=1)
    make_submission(board, "good", 1.5, seed=2, over_time=True, trimmed=True, pixels=True, failed=2)
    make_submission(board, "fair", 1.0, seed=3, failed=5)
    make_submission(board, "fair-twin", 1.0, seed=3, failed=5)
    make_submission(board, "weak", 0.1, seed=6)
    make_submission(board, "seen", 2.0, seed=4, trained_on=("toy-a/train",))
    make_submission(board, "silent", 2.0, seed=5, trained_on=None)
    withdrawn = {"on": "2026-11-27", "reason": "a test"}
    make_submission(board, "gone", 2.5, seed=7, withdrawn=withdrawn)
    return board


@pytest.fixture(scope="module")
def again(folder: Path) -> Recomputed:
    return Recomputed(folder, rules_of(1).model_dump(mode="json"))


@pytest.fixture(scope="module")
def said(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(to_json(load_standings(folder)))
    return found


def test_every_number_is_recomputed_from_the_raw_files(said: dict[str, Any], again: Recomputed) -> None:
    assert differences(said, again) == []
    ranked = {row["slug"]: row["rank"] for row in said["rows"] if row["ranked"]}
    assert ranked == {"good": 1, "fair": 2, "fair-twin": 2, "weak": 4}
    assert said["rows"][0]["sets"][0]["localization"].keys() >= {"frame/pooled", "temporal/score", "pixel/auc"}


def test_a_number_that_is_off_by_a_little_is_found(said: dict[str, Any], again: Recomputed) -> None:
    changed = json.loads(json.dumps(said))
    changed["rows"][1]["sets"][1]["kinds"][0]["auc"]["low"] += 2e-9
    changed["rows"][0]["rank_high"] += 1
    assert len(differences(changed, again)) == 2


@pytest.mark.parametrize(("forged", "given"), [((0.0, 2.0), False), ((0.03, 1.97), False), ((0.0, 1.9), True)])
def test_where_fakes_are_forged_from_end_to_end_no_stretch_is_looked_for(
    tmp_path: Path, forged: tuple[float, float], given: bool
) -> None:
    board = make_board(tmp_path, ("toy-a/test",), clips=24, components=8, forged=forged)
    make_submission(board, "sees", 1.5, seed=2, over_time=True)
    found = json.loads(to_json(load_standings(board)))
    score = found["rows"][0]["sets"][0]
    assert any(name.startswith("temporal/") for name in score["localization"]) == given
    assert (score["localization_absent"].get("temporal") == WHOLE) != given
    assert "frame/pooled" in score["localization"]
    assert differences(found, Recomputed(board, rules_of(1).model_dump(mode="json"))) == []
