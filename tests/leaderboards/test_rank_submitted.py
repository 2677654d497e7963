"""Ranking of submissions that went through files and verification, localization among them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from toy_board import SETS, answer_rows, make_board, make_submission, pixel_rows, read_truth

from leaderboards.board import open_board
from leaderboards.rank import rank
from leaderboards.scores import set_seed
from leaderboards.verify import verify


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_board(tmp_path_factory.mktemp("boards"), floors=("floor",), metadata_floor="floor")


def test_submitted_files_are_ranked_as_they_say(board: Path) -> None:
    paths = [
        make_submission(board, "sees", 2.0, seed=1, failed=2, over_time=True, trimmed=True, pixels=True),
        make_submission(board, "scores", 1.0, seed=2),
        make_submission(board, "floor", 0.2, seed=3, trained_on=[]),
    ]
    opened = open_board(board)
    rows = {row.slug: row for row in rank(opened, [verify(opened, path) for path in paths]).rows}
    assert [rows[slug].rank for slug in ("sees", "scores", "floor")] == [1, 2, None]
    truths, said = read_truth(board), answer_rows(board, 2.0, seed=1, failed=2, over_time=True, trimmed=True)
    for score in rows["sees"].sets:
        by_id = {r["id"]: r for r in said if r["set"] == score.set and r["condition"] == "untrimmed"}
        labels = [truth["label"] for truth in truths[score.set]]
        given = [by_id[truth["id"]]["score"] for truth in truths[score.set]]
        worst = [
            (-1e6 if label else 1e6) if value is None else value for label, value in zip(labels, given, strict=True)
        ]
        assert score.auc.value == pytest.approx(roc_auc_score(labels, worst), abs=1e-9)
        assert score.n_failed == 2
        assert score.trimmed is not None
        assert score.margin is not None
        families = {name.partition("/")[0] for name in score.localization}
        assert families == {"temporal", "frame", "pixel"}
        assert "pixel" not in score.localization_absent
        assert score.localization["temporal/AP@0.5"].value is not None
    assert rows["scores"].sets[0].localization == {}


def test_pixels_are_judged_as_a_run_judges_them(board: Path) -> None:
    from benchmarks.metrics.spatial import evaluate_pixels
    from benchmarks.pixels import counts_of

    path = make_submission(board, "maps", 0.5, seed=5, pixels=True)
    opened = open_board(board)
    found = rank(opened, [verify(opened, path)]).rows[0].sets[0].localization
    truth = opened.truths[SETS[0]].table
    counted = {row["id"]: row for row in pixel_rows(board, 0.5) if row["set"] == SETS[0]}
    counts = [
        counts_of({**counted[one], "truth": "mask" if masked else "empty"})
        for one, masked in zip(truth["id"], truth["masked_pixels"], strict=True)
    ]
    components = truth["component"].to_numpy(dtype=str)
    expected = evaluate_pixels(
        counts, truth["label"].to_numpy(np.int64), components, n_draws=1000, seed=set_seed(0, SETS[0])
    )
    assert {"pixel/auc", "pixel/f1@0.5", "pixel/patch_auc", "pixel/false_positive_area"} <= set(found)
    for name, one in expected.items():
        number = found[f"pixel/{name.removeprefix('pixel_')}"]
        assert (number.value, number.low, number.high) == pytest.approx((one.value, one.low, one.high), abs=1e-9)
