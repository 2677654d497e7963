"""Boards: opened and checked, made from built sets, with labels that stay at home."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML
from toy_board import make_board, make_submission, truth_rows, write_yaml

from cmdfd.clip import REAL, Clip, Labels, Modality, Rights, Segment
from cmdfd.dataset import BUILD_FILE, FORMAT_VERSION, BuildFile, Dataset, write_tables
from cmdfd.errors import CmdfdError
from cmdfd.media.masks import write_mask
from leaderboards import new
from leaderboards.board import board_named, open_board, rules_of, submission_files
from leaderboards.problems import SubmissionError
from leaderboards.truth import schema, write_truth
from leaderboards.verify import verify


def _edit(board: Path, change: Callable[[Any], object]) -> None:
    path = board / "board.yaml"
    data = YAML(typ="rt").load(path.read_text("utf-8"))
    change(data)
    write_yaml(path, data)


def _truth(board: Path, change: Callable[[list[dict[str, Any]]], object]) -> None:
    """Change rows of the first truth, and let its hash fit again."""
    rows = truth_rows("toy-a/test", 60, 14)
    change(rows)
    path = board / "truth" / "toy-a-test.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=schema()), path, use_dictionary=False)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    _edit(board, lambda data: data["sets"][0].update(truth_sha256=digest))


def test_a_board_is_opened_with_sorted_truth_and_its_rules(tmp_path: Path) -> None:
    board = make_board(tmp_path)
    opened = open_board(board)
    assert list(opened.truths) == ["toy-a/test", "toy-b/test"]
    table = opened.truths["toy-a/test"].table
    assert list(table["id"]) == sorted(table["id"]) and list(table.columns) == schema().names
    assert table["label"].dtype == np.int8 and opened.rules.version == 1
    wanted = {row["id"]: row for row in truth_rows("toy-a/test", 60, 14)}
    for row in table.to_dict("records"):
        assert [dict(one) for one in row.pop("true_segments")] == wanted[row["id"]].pop("true_segments")
        assert row == wanted[row["id"]]


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        (lambda d: d.update(name="other"), "name", "its folder is called 'toy'"),
        (lambda d: d.update(rules=99), "rules", "no rules of version 99; this program has 1"),
        (lambda d: d.update(schema_version=2), "schema_version", "1"),
        (lambda d: d.update(ranks=[]), "ranks", "no field"),
        (lambda d: d.update(sets=[]), "sets", "at least 1"),
        (lambda d: d["sets"][1].update(name="TOY-A/test"), "sets.1.name", "stands twice"),
        (lambda d: d["sets"][1].update(name="toy-b/dev"), "sets.1.name", "pattern"),
        (lambda d: d["sets"][0].update(truth="../board.yaml"), "sets.0.truth", "pattern"),
        (lambda d: d["sets"][0].update(truth_sha256="0" * 64), "truth_sha256", "the board says 000"),
        (lambda d: d["sets"][0].update(truth="truth/none.parquet"), "file", "is not there"),
        (lambda d: d.update(same_data={"x": ["toy-c/test"]}), "same_data.x", "no set of this board"),
        (lambda d: d.update(metadata_floor="meta"), "metadata_floor", "not among the floors"),
    ],
)
def test_boards_that_are_refused(tmp_path: Path, change: Callable[[Any], object], field: str, reason: str) -> None:
    board = make_board(tmp_path)
    open_board(board)
    _edit(board, change)
    with pytest.raises(SubmissionError) as caught:
        open_board(board)
    assert [one.field for one in caught.value.problems] == [field], str(caught.value)
    assert reason in caught.value.problems[0].reason


@pytest.mark.parametrize(
    ("change", "field", "row"),
    [
        (lambda rows: rows[3].update(label=2), "label", 4),
        (lambda rows: rows[3].update(label=None), "label", 4),
        (lambda rows: rows[3].update(id=rows[2]["id"]), "id", 4),
        (lambda rows: rows[3].update(id=""), "id", 4),
        (lambda rows: rows[3].update(component=None), "component", 4),
        (lambda rows: rows[3].update(sha256="xyz"), "sha256", 4),
        (lambda rows: rows[3].update(duration=float("nan")), "duration", 4),
        (lambda rows: rows[3].update(duration=0.0), "duration", 4),
        (lambda rows: rows[4]["true_segments"][0].update(end=0.1), "true_segments", 5),
        (lambda rows: rows[4].update(true_segments=None), "true_segments", 5),
        (lambda rows: rows[3].update(true_segments=rows[4]["true_segments"]), "true_segments", 4),
        (lambda rows: rows[3].update(masked_pixels=5), "masked_pixels", 4),
        (lambda rows: rows[4].update(masked_pixels=10**6), "masked_pixels", 5),
        (lambda rows: [row.update(label=1) for row in rows], "label", 0),
    ],
)
def test_truths_that_are_refused(tmp_path: Path, change: Callable[[Any], object], field: str, row: int) -> None:
    board = make_board(tmp_path)
    _truth(board, lambda rows: None)
    open_board(board)
    _truth(board, change)
    with pytest.raises(SubmissionError) as caught:
        open_board(board)
    found = caught.value.problems[0]
    assert (found.file, found.field, found.line) == ("truth/toy-a-test.parquet", field, row)


def test_truth_of_another_layout_is_refused(tmp_path: Path) -> None:
    board = make_board(tmp_path)
    path = board / "truth" / "toy-a-test.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["component"]), path, use_dictionary=False)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    _edit(board, lambda data: data["sets"][0].update(truth_sha256=digest))
    with pytest.raises(SubmissionError, match="component: column is missing"):
        open_board(board)


def test_private_truth_lies_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = make_board(tmp_path / "boards")
    path = make_submission(board, "a")
    home = tmp_path / "home"
    (home / "toy").mkdir(parents=True)
    (board / "truth").rename(home / "toy" / "truth")
    with pytest.raises(SubmissionError, match="--truth or"):
        open_board(board)
    assert len(open_board(board, home).truths) == 2
    monkeypatch.setenv("CMDFD_BOARD_TRUTH", str(home))
    assert set(verify(board, path).answers) == {"toy-a/test", "toy-b/test"}


def test_names_and_rules() -> None:
    with pytest.raises(CmdfdError, match="no board"):
        board_named("no-such-board")
    with pytest.raises(CmdfdError, match="no rules of version 7"):
        rules_of(7)
    rules = rules_of(1)
    assert (rules.rank_by, rules.then_by, rules.draws) == ("macro_auc", "borda", 1000)


def test_submissions_are_found_with_the_wrongly_named_ones(tmp_path: Path) -> None:
    board = make_board(tmp_path)
    make_submission(board, "b")
    make_submission(board, "a")
    (board / "submissions" / "c.yml").write_text("x: 1\n")
    (board / "submissions" / ".part-x.yaml").write_text("x: 1\n")
    assert [path.name for path in submission_files(board)] == ["a.yaml", "b.yaml", "c.yml"]
    with pytest.raises(SubmissionError, match=r"c\.yml: file: ends with '.yml'"):
        verify(board, board / "submissions" / "c.yml")


FAKE = Labels(1, 0, 1, 0, 1)
SOUND = Labels(1, 1, 0, 1, 1)


def _clip(number: int, labels: Labels, kind: str, mask: str | None) -> Clip:
    segments = () if labels is REAL else (Segment(0.1, 0.3, Modality.VIDEO),)
    return Clip(
        id=f"{number:016x}", split="test", file=f"test/videos/000/{number:016x}.mp4", sha256=f"{number:064x}",
        labels=labels, kind=kind, variant="", generator="g", face_id=f"f{number}", voice_id=f"v{number}",
        source_ids=(f"s{number}",), component=f"c{number}", segments=segments, mask=mask, tracks=None, fps=10.0,
        n_frames=5, width=16, height=8, sample_rate=16000, n_samples=8000, rights=Rights("CC0-1.0", "synthetic"),
    )  # fmt: skip


def _write_set(folder: Path, withheld: tuple[str, ...] = ()) -> tuple[Dataset, int]:
    """Four clips: a real, a fake with a soft mask, one without a mask, one of which only the sound is forged."""
    masks = np.zeros((5, 8, 16), dtype=np.uint8)
    masks[1:3, 2:5, 3:9] = 255
    masks[1:3, 5, 3:9] = 10  # the soft edge does not count as forged: it is not above 10
    (folder / "masks" / "000").mkdir(parents=True)
    write_mask(folder / "masks" / "000" / "m.mkv", masks, 10.0)
    clips = [
        _clip(1, REAL, "real", None),
        _clip(2, FAKE, "video/a", "masks/000/m.mkv"),
        _clip(3, FAKE, "video/b", None),
        _clip(4, SOUND, "audio/c", None),
    ]
    write_tables(folder, clips, withheld)
    build = BuildFile(
        format_version=FORMAT_VERSION, name="small", recipe={}, recipe_hash="0", versions={}, encoder={},
        counts={"test": {"real": 1, "video/a": 1, "video/b": 1, "audio/c": 1}}, refused={}, withheld=list(withheld),
    )  # fmt: skip
    (folder / BUILD_FILE).write_text(build.to_json())
    return Dataset.open(folder), int((masks == 255).sum())


def test_a_board_is_made_of_a_built_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, forged = _write_set(tmp_path / "set")
    boards = ["--boards", str(tmp_path / "boards")]
    told = ["--title", "Small: <b>", "--metadata-floor", "floor-container", "--same-data", "Other=small/test"]
    assert new.main(["small", "--set", str(tmp_path / "set"), *boards, *told]) == 0
    assert "--metadata-floor floor-container is not among --floor: added" in capsys.readouterr().err
    opened = open_board(tmp_path / "boards" / "small")
    assert opened.board.title == "Small: <b>" and opened.board.floors == ["floor-container"]
    assert opened.board.sets[0].manifest_sha256 == data.manifest_sha256
    table = opened.truths["small/test"].table
    assert list(zip(table["masked_pixels"], table["pixels"], strict=True)) == [
        (0, 640), (forged, 640), (-1, -1), (0, 640)
    ]  # fmt: skip
    assert list(table["label"]) == [0, 1, 1, 1] and list(table["component"]) == ["c1", "c2", "c3", "c4"]
    assert new.main(["small", "--set", str(tmp_path / "set"), *boards]) == 2
    assert "--replace" in capsys.readouterr().err
    before = (tmp_path / "boards" / "small" / "truth" / "small-test.parquet").read_bytes()
    assert new.main(["small", "--set", f"{tmp_path / 'set'}:test", *boards, "--replace"]) == 0
    assert (tmp_path / "boards" / "small" / "truth" / "small-test.parquet").read_bytes() == before


def test_withheld_labels_stay_at_home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _write_set(tmp_path / "set", ("test",))
    base = ["small", "--set", str(tmp_path / "set"), "--boards", str(tmp_path / "boards")]
    assert new.main(base) == 2
    assert "labels of small/test are withheld" in capsys.readouterr().err
    assert new.main([*base, "--private-truth", str(tmp_path / "home")]) == 0
    assert not (tmp_path / "boards" / "small" / "truth").exists()
    assert (tmp_path / "home" / "small" / "truth" / "small-test.parquet").is_file()
    (tmp_path / "set" / "test" / "labels.parquet").unlink()
    assert new.main([*base, "--replace", "--private-truth", str(tmp_path / "home")]) == 2
    assert "4 clips have no label in this copy" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["Bad Name", "--set", "x"], "lower-case"),
        (["b", "--set", "no/such/folder"], "no folder"),
        (["b", "--set", "SET:train"], "no split 'train'"),
        (["b", "--set", "SET", "--rules", "9"], "no rules of version 9"),
        (["b", "--set", "SET", "--same-data", "x"], "OTHER=NAME/SPLIT"),
    ],
)
def test_boards_that_are_not_made(
    tmp_path: Path, words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _write_set(tmp_path / "set")
    named = [word.replace("SET", str(tmp_path / "set")) for word in words]
    assert new.main([*named, "--boards", str(tmp_path / "boards")]) == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "boards").exists()


def test_equal_truths_have_equal_bytes_in_any_order(tmp_path: Path) -> None:
    rows = truth_rows("toy-a/test", 20, 5)
    assert write_truth(tmp_path / "a", rows) == write_truth(tmp_path / "b", rows[::-1])
