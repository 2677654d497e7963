"""In-set, cross-set or unknown, and why a system has no rank: computed from what it declares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from toy_board import make_board, make_submission

from leaderboards.board import open_board
from leaderboards.training import domain_of, unranked_reason
from leaderboards.verify import verify

SAME = {"FancyData": ["toy-b/test"], "mirror/train": ["toy-a/test"]}


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_board(tmp_path_factory.mktemp("training"), clips=12, components=4, floors=("floor",), same_data=SAME)


@pytest.mark.parametrize(
    ("trained", "selected", "domains"),
    [
        (["else/train"], [], ("cross", "cross")),
        ([], [], ("cross", "cross")),
        (["toy-a/train"], [], ("in", "cross")),
        (["toy-a/test"], [], ("in", "cross")),
        (["toy-a"], [], ("in", "cross")),
        ([" TOY-A/Train "], [], ("in", "cross")),
        (["else/train"], ["toy-b/validation"], ("cross", "in")),
        (["FancyData"], [], ("cross", "in")),
        (["fancydata/train"], [], ("cross", "in")),
        (["mirror/train"], [], ("in", "cross")),
        (["mirror/test"], [], ("in", "cross")),
        (["toy-a-large/train"], [], ("cross", "cross")),
        (["org/toy-a"], [], ("cross", "cross")),
        (None, [], ("unknown", "unknown")),
        (None, ["toy-a/train"], ("in", "unknown")),
    ],
)
def test_domains(board: Path, trained: list[str] | None, selected: list[str], domains: tuple[str, str]) -> None:
    path = make_submission(board, "one", trained_on=trained, selected_on=selected)
    found = verify(board, path).submission
    opened = open_board(board)
    assert tuple(domain_of(found, name, opened.board) for name in opened.truths) == domains
    reason = unranked_reason(found, opened.board)
    assert bool(reason) == (domains != ("cross", "cross"))
    if trained is not None and "in" in domains:
        assert reason.startswith("trained or selected on data of this board: ")


@pytest.mark.parametrize(
    ("slug", "more", "reason"),
    [
        ("two", {}, ""),
        ("two", {"withdrawn": {"on": "2026-11-27", "reason": "a slip"}}, "withdrawn on 2026-11-27: a slip"),
        ("floor", {}, "a floor"),
        ("two", {"trained_on": None}, "it is not declared"),
    ],
)
def test_reasons(board: Path, slug: str, more: dict[str, Any], reason: str) -> None:
    found = verify(board, make_submission(board, slug, **more)).submission
    said = unranked_reason(found, open_board(board).board)
    assert said.startswith(reason) if reason else said == ""
