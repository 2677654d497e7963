"""From a run directory to a verified submission, and back: reruns, stamps, withdrawals."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from synthetic_run_dir import FILE_DETECTOR, SECRET, write_run
from toy_board import answer_rows, make_board, make_submission, reference, write_raw, write_yaml

from benchmarks.predictions import read_predictions
from benchmarks.proposing import RULE
from leaderboards import submit
from leaderboards import verify as verify_module
from leaderboards.predictions import schema
from leaderboards.verify import verify

WHO = ["--submitter", "A Person"]


@pytest.fixture
def board(tmp_path: Path) -> Path:
    return make_board(tmp_path / "boards", clips=24, components=8, floors=("random",))


def _submit(run: Path, board: Path, *more: str) -> int:
    return submit.main([str(run), "--board", board.name, "--boards", str(board.parent), *more])


def _data(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text("utf-8"))


def test_a_run_becomes_a_submission_that_says_the_same(
    board: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run", board, maps=True)
    assert _submit(run, board, *WHO) == 0
    folder = board / "submissions"
    assert sorted(path.name for path in folder.iterdir()) == [
        "mds-mini.parquet",
        "mds-mini.pixels.parquet",
        "mds-mini.yaml",
    ]
    entry = verify(board, folder / "mds-mini.yaml")
    frame = read_predictions(run / "predictions.parquet")
    for name, answers in entry.answers.items():
        for condition, scores in (("untrimmed", answers.scores), ("trimmed", answers.trimmed)):
            chosen = frame[(frame["detector"] == "mds:mini") & (frame["dataset"] + "/" + frame["split"] == name)]
            chosen = chosen[chosen["condition"] == condition].sort_values("id")
            np.testing.assert_array_equal(scores, chosen["score"].to_numpy())
            if condition == "untrimmed":  # made again here, equal to what the run made of the same scores
                assert set(answers.rows["proposal_rule"]) == {RULE}
                assert [list(one) for one in answers.rows["proposals"]] == [list(one) for one in chosen["proposals"]]
        assert answers.pixels is not None and len(answers.pixels) == 24
    system = entry.submission.system
    assert (system.code, system.code_commit, system.slug) == (None, "ab" * 20, "mds-mini")
    assert entry.submission.trained_on == ["other/train"] and entry.submission.selected_on == ["other/validation"]
    assert "recomputed AUC" in capsys.readouterr().out
    assert "label" not in pq.read_schema(folder / "mds-mini.parquet").names


def test_own_stretches_stay_the_systems_own(board: Path, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", board, names_stretches=True)
    assert _submit(run, board, *WHO) == 0
    answers = verify(board, board / "submissions" / "mds-mini.yaml").answers["toy-a/test"]
    assert set(answers.rows["proposal_rule"]) == {""}
    assert [len(one) for one in answers.rows["proposals"]].count(1) == 23, "all but the failed clip have one"


def test_equal_runs_give_equal_bytes_and_nothing_of_this_machine(board: Path, tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        run = write_run(tmp_path / name, board, (FILE_DETECTOR,), trained_on=())
        out = tmp_path / f"out-{name}"
        out.mkdir()
        facts = ["--modalities", "audio", "video", "--code", "https://example.org/x", "--code-commit", "abcdef0"]
        assert _submit(run, board, *WHO, *facts, "--trained-on", "FaceForensics++", "-o", str(out)) == 0
        found.append({path.name: path.read_bytes() for path in sorted(out.iterdir())})
    assert found[0] == found[1]
    assert set(found[0]) == {"my-model-net.yaml", "my-model-net.parquet"}
    table = pq.read_table(tmp_path / "out-one" / "my-model-net.parquet").to_pylist()
    told = [str(table), *[data.decode("utf-8", errors="replace") for data in found[0].values()]]
    assert not any(word in text for text in told for word in (SECRET, "secret-project", str(tmp_path), "/home"))
    assert {row["error"] for row in table} == {None, "no_face: no face track was found"}


def test_blanks_are_visible_and_not_guessed(board: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "run", board, (FILE_DETECTOR,), trained_on=())
    assert _submit(run, board) == 2
    said = capsys.readouterr()
    for field in ("system.modalities", "submitter.name"):
        assert field in said.err
    path = board / "submissions" / "my-model-net.yaml"
    text = path.read_text("utf-8")
    assert _data(path)["trained_on"] is None, "a detector that came with weights was trained on something"
    for field in ("description", "modalities", "code", "trained_on", "submitter"):
        before = text.split(f"\n  {field}:" if f"\n  {field}:" in text else f"\n{field}:")[0]
        assert before.splitlines()[-1].strip().startswith("# FILL IN:"), field
    assert "blanks:" in said.out


def test_dry_run_writes_nothing(board: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "run", board)
    assert _submit(run, board, *WHO, "--dry-run") == 0
    assert not list((board / "submissions").iterdir())
    assert "slug: mds-mini" in capsys.readouterr().out


def test_meta_file_and_options_and_floors(board: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "run", board)
    meta = write_yaml(tmp_path / "meta.yaml", {"name": "My system", "paper": "https://example.org/p", "submitter": "X"})
    assert _submit(run, board, "--meta", str(meta), "--submitter", "Y", "--trained-on", "more", "--floors") == 0
    found = _data(board / "submissions" / "mds-mini.yaml")
    assert (found["system"]["name"], found["submitter"]["name"]) == ("My system", "Y"), "options win"
    assert found["trained_on"] == ["more", "other/train"], "what the run recorded cannot be taken away"
    floor = _data(board / "submissions" / "random.yaml")
    assert floor["trained_on"] == [] and floor["system"]["paper"] is None
    meta.write_text("nmae: x\n", encoding="utf-8")
    assert _submit(run, board, "--meta", str(meta), "--replace") == 2
    assert "meta.yaml:1: nmae: is no field here; did you mean 'name'?" in capsys.readouterr().err


def test_what_is_not_submitted(board: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "run", board)
    assert _submit(run, board, *WHO) == 0
    assert _submit(run, board, *WHO) == 2 and "--replace" in capsys.readouterr().err
    assert _submit(run, board, *WHO, "--replace") == 0
    assert submit.main([str(run), "--board", "tyo", "--boards", str(board.parent)]) == 2
    said = capsys.readouterr().err
    assert "did you mean 'toy'" in said and "with --boards" not in said
    assert submit.main([str(run), "--board", "toy"]) == 2
    assert "name the folder of other boards with --boards DIR" in capsys.readouterr().err
    other = make_board(tmp_path / "more", ("toy-a/test", "toy-c/test"), 24, 8, name="more")
    assert _submit(run, other, *WHO) == 2
    assert "no predictions for toy-c/test" in capsys.readouterr().err
    table = run / "predictions.parquet"
    pq.write_table(pq.read_table(table).slice(1), table)
    assert _submit(run, board, *WHO, "--slug", "new") == 2
    assert "never edited" in capsys.readouterr().err


def test_a_run_of_other_clips_is_refused(board: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    newer = make_board(tmp_path / "newer", clips=24, components=8, seed=1)
    run = write_run(tmp_path / "run", board)
    assert _submit(run, newer, *WHO) == 2
    assert "is no clip of toy-a/test" in capsys.readouterr().err


def test_a_rerun_is_compared_stamped_and_withdrawn(
    board: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _submit(write_run(tmp_path / "run", board), board, *WHO) == 0
    path = board / "submissions" / "mds-mini.yaml"
    commented = path.read_text("utf-8").replace("harness:", "# a comment of a person\nharness:")
    path.write_text(commented, encoding="utf-8")
    other = write_run(tmp_path / "other", board, shift=1e-3)
    assert verify_module.main([str(path), "--rerun", str(other), "--by", "Q", "--stamp"]) == 2
    assert "largest difference 0.001" in capsys.readouterr().err
    assert path.read_text("utf-8") == commented
    loose = ["--rerun", str(other), "--tolerance", "0.1", "--by", "Q"]
    assert verify_module.main([str(path), *loose]) == 0, "it may be looked at"
    assert verify_module.main([str(path), *loose, "--stamp"]) == 2
    assert "a stamp allows 1e-06, whatever --tolerance says" in capsys.readouterr().err
    close = write_run(tmp_path / "close", board, shift=1e-9)
    assert verify_module.main([str(path), "--rerun", str(close), "--stamp"]) == 2, "without a name"
    assert verify_module.main([str(path), "--rerun", str(close), "--by", "A person", "--stamp"]) == 2, "the submitter"
    assert path.read_text("utf-8") == commented, "a refused stamp stays"
    assert verify_module.main([str(path), "--rerun", str(close), "--by", "Q", "--stamp"]) == 0
    stamp = verify(board, path).submission.reproduction
    assert stamp is not None and stamp.by == "Q" and stamp.max_difference == pytest.approx(1e-9, rel=1e-3)
    assert stamp.predictions_sha256 == _data(path)["predictions"]["sha256"]
    assert "# a comment of a person" in path.read_text("utf-8")
    capsys.readouterr()
    assert verify_module.main([str(path), "--incoming"]) == 2
    assert "reproduction: is claimed by the submission itself" in capsys.readouterr().err
    assert verify_module.main([str(path), "--withdraw", "a slip"]) == 0
    gone = verify(board, path).submission.withdrawn
    assert gone is not None and gone.reason == "a slip"


def test_a_rerun_in_which_other_clips_failed_differs(board: Path, tmp_path: Path) -> None:
    assert _submit(write_run(tmp_path / "run", board), board, *WHO) == 0
    path = board / "submissions" / "mds-mini.yaml"
    other = write_run(tmp_path / "other", board, failed=2)
    assert verify_module.main([str(path), "--rerun", str(other), "--by", "Q"]) == 2


@settings(max_examples=8)
@given(order=st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(tmp_path_factory: pytest.TempPathFactory, order: Any) -> None:
    board = make_board(tmp_path_factory.mktemp("order"), clips=12, components=4)
    path = make_submission(board, "a", over_time=True, trimmed=True, failed=1)
    first = verify(board, path).answers
    rows = answer_rows(board, over_time=True, trimmed=True, failed=1)
    order.shuffle(rows)
    table = write_raw(path.with_suffix(".parquet"), rows, schema(), use_dictionary=False, row_group_size=7)
    write_yaml(path, {**_data(path), "predictions": reference(table)})
    for name, answers in verify(board, path).answers.items():
        np.testing.assert_array_equal(answers.scores, first[name].scores)
        np.testing.assert_array_equal(answers.trimmed, first[name].trimmed)
        assert answers.rows.to_json() == first[name].rows.to_json()
    shutil.rmtree(board)


def test_a_board_is_named_by_its_name_or_its_folder(
    board: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_submission(board, "good")
    away = path.rename(tmp_path / path.name)
    path.with_suffix(".parquet").rename(tmp_path / "good.parquet")
    monkeypatch.chdir(board)
    for words in (["--board", "toy", "--boards", str(board.parent)], ["--board", str(board)], ["--board", "."]):
        assert verify_module.main([str(away), *words]) == 0, words
        said = capsys.readouterr().out
        assert said == "good.yaml: passes the checks of the board 'toy'\n", "who checks has not run it again"
    assert verify_module.main([str(away), "--board", "tyo", "--boards", str(board.parent)]) == 2
    assert "did you mean 'toy'" in capsys.readouterr().err
