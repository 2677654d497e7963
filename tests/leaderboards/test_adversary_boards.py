"""Attempts to gain a rank, to learn private labels, and to make a page say what is not so."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML
from toy_board import answer_rows, make_board, make_submission, read_truth, write_yaml
from toy_standings import toy_standings

from cmdfd.errors import CmdfdError
from leaderboards.board import open_board
from leaderboards.loading import load_standings
from leaderboards.problems import SubmissionError
from leaderboards.rank import rank
from leaderboards.site.build import build_site
from leaderboards.site.downloads import flat_rows, to_csv, to_json
from leaderboards.standings import Standing, Standings
from leaderboards.training import domain_of, look
from leaderboards.verify import verify


def rows_of(found: Standings) -> dict[str, Standing]:
    return {row.slug: row for row in found.rows}


# ---- ranks


@pytest.mark.parametrize(
    "name",
    [
        *("TOY-A/test", "toy_a", "toy a / train", "Toy\u2011A/test", "toy-a/dev", "toy-a (validation)", "toyA"),
        *("t\u043ey-\u0430/test", "\uff54oy-a/test", "toy-a\u00a0/test", "t\u00f6y-a/train", "ORG/toy-a"),
    ],
)
def test_a_set_under_a_name_that_looks_like_it_is_known(name: str, tmp_path: Path) -> None:
    board = make_board(tmp_path, clips=12, components=6)
    data = YAML(typ="safe").load((board / "board.yaml").read_text("utf-8"))
    data["sets"][0]["hub"] = "ORG/toy-a@v1.0.0"
    write_yaml(board / "board.yaml", data)
    opened = open_board(board)
    for more in ({"trained_on": (name,)}, {"trained_on": (), "selected_on": [name]}):
        found = verify(opened, make_submission(board, "one", **more)).submission  # type: ignore[arg-type]
        assert [domain_of(found, one, opened.board) for one in opened.truths] == ["in", "cross"]


@pytest.mark.parametrize("name", ["toy-ab/test", "toy", "a/test", "FaceForensics++", "other/toy-a-large", "玩具"])
def test_other_data_stays_other_data(name: str, tmp_path: Path) -> None:
    board = make_board(tmp_path, clips=12, components=6)
    opened = open_board(board)
    found = verify(opened, make_submission(board, "one", trained_on=(name,))).submission
    assert {domain_of(found, one, opened.board) for one in opened.truths} == {"cross"}


def test_letters_of_other_alphabets_keep_names_apart() -> None:
    assert look("顔") != look("玩具") and look("А-Б") != look("А-В")


def test_a_copy_is_remarked_on_both_pages_bent_or_not(tmp_path: Path) -> None:
    board = make_board(tmp_path, clips=30, components=10, floors=("flat",))
    rows = answer_rows(board, 1.5, seed=3, failed=2)
    make_submission(board, "first", rows=rows)
    bent = [{**row, "score": None if row["score"] is None else row["score"] ** 3 * 7 - 1} for row in rows]
    make_submission(board, "second", rows=bent)
    make_submission(board, "own", 1.5, seed=4)
    make_submission(board, "flat", rows=[{**row, "score": 0.0, "error": None} for row in rows])
    found = rows_of(load_standings(board))
    assert "exactly as second" in found["first"].notes[0] and "exactly as first" in found["second"].notes[0]
    assert found["first"].rank == found["second"].rank
    assert not found["own"].notes and not found["flat"].notes


def test_failing_the_hard_clips_never_helps(tmp_path: Path) -> None:
    board = make_board(tmp_path, clips=30, components=10)
    rows = answer_rows(board, 0.7, seed=3)
    make_submission(board, "honest", rows=rows)
    label = {(name, one["id"]): one["label"] for name, found in read_truth(board).items() for one in found}
    wrong = [row for row in rows if (row["score"] > 0.35) != label[row["set"], row["id"]]]
    assert len(wrong) > 8
    gone: list[dict[str, Any]] = [{**row, "score": None, "error": "none: too hard"} if row in wrong else row
                                  for row in rows]  # fmt: skip
    make_submission(board, "picky", rows=gone)
    found = rows_of(load_standings(board))
    assert (found["honest"].rank, found["picky"].rank) == (1, 2)
    assert sum(one.n_failed for one in found["picky"].sets) == len(wrong)


def test_signed_zeros_and_numbers_too_small_to_be_normal_are_what_they_are(tmp_path: Path) -> None:
    board = make_board(tmp_path, clips=12, components=6, sets=("toy-a/test",))
    rows = answer_rows(board, 1.0)
    label = {one["id"]: one["label"] for one in read_truth(board)["toy-a/test"]}
    tied = make_submission(board, "zeros", rows=[{**row, "score": 0.0 if label[row["id"]] else -0.0} for row in rows])
    with pytest.raises(SubmissionError, match="says nothing"):
        verify(board, tied)
    tied.unlink()
    tiny = make_submission(board, "tiny", rows=[{**row, "score": 5e-324 * label[row["id"]]} for row in rows])
    assert verify(board, tiny)
    assert rows_of(load_standings(board))["tiny"].macro.value == 1.0


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board with ranked systems, equal ones among them, a floor, a withdrawn one and one that knows a set."""
    board = make_board(
        tmp_path_factory.mktemp("full"), clips=30, components=12, floors=("floor",), metadata_floor="floor"
    )
    for slug, quality, seed in (("floor", 0.2, 1), ("a", 1.5, 2), ("b", 1.0, 3), ("b-twin", 1.0, 3), ("c", 0.3, 4)):
        make_submission(board, slug, quality, seed=seed)
    make_submission(board, "seen", 3.0, seed=5, trained_on=("toy-a/train",))
    make_submission(board, "gone", 3.0, seed=6, withdrawn={"on": "2026-11-27", "reason": "a slip"})
    return board


def test_only_ranked_systems_move_ranks_and_nobody_moves_a_number(full: Path) -> None:
    opened = open_board(full)
    entries = {path.stem: verify(opened, path) for path in sorted((full / "submissions").glob("*.yaml"))}
    whole = rows_of(rank(opened, list(entries.values())))
    shuffled = list(entries.values())
    random.Random(1).shuffle(shuffled)
    assert to_json(rank(opened, shuffled)) == to_json(rank(opened, list(entries.values())))
    few = rows_of(rank(opened, [entry for slug, entry in entries.items() if slug not in ("seen", "gone")]))
    assert all(few[slug] == whole[slug] for slug in few)
    without = rows_of(rank(opened, [entry for slug, entry in entries.items() if slug != "a"]))
    for slug, row in without.items():
        assert (row.macro, row.margin, row.sets) == (whole[slug].macro, whole[slug].margin, whole[slug].sets)
    assert (without["b"].rank, without["b-twin"].rank, without["c"].rank) == (1, 1, 3)
    alone = rows_of(rank(opened, [entries["c"]]))["c"]
    assert (alone.rank, alone.rank_low, alone.rank_high, alone.group, alone.borda) == (1, 1, 1, 1, 0.0)
    assert rank(opened, []).rows == ()


def test_the_order_of_sets_and_rows_changes_no_rank_and_no_number(full: Path, tmp_path: Path) -> None:
    turned = tmp_path / "toy"
    shutil.copytree(full, turned)
    data = YAML(typ="safe").load((turned / "board.yaml").read_text("utf-8"))
    data["sets"].reverse()
    write_yaml(turned / "board.yaml", data)
    one, other = rows_of(load_standings(full)), rows_of(load_standings(turned))
    for slug, row in one.items():
        told = other[slug]
        assert (row.rank, row.rank_low, row.rank_high, row.group, row.borda) == (
            told.rank, told.rank_low, told.rank_high, told.group, told.borda,
        )  # fmt: skip
        assert row.macro.value == told.macro.value
        assert row.sets == tuple(reversed(told.sets))


def test_a_truth_that_would_count_twice_is_refused(full: Path, tmp_path: Path) -> None:
    board = tmp_path / "toy"
    shutil.copytree(full, board)
    data = YAML(typ="safe").load((board / "board.yaml").read_text("utf-8"))
    shutil.copy(board / data["sets"][0]["truth"], board / "truth" / "again.parquet")
    data["sets"].append({**data["sets"][0], "name": "toy-c/test", "truth": "truth/again.parquet"})
    write_yaml(board / "board.yaml", data)
    with pytest.raises(SubmissionError, match="count twice"):
        open_board(board)


# ---- labels that are kept at home


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A board whose truth lies elsewhere, and that place."""
    root = tmp_path_factory.mktemp("kept")
    board = make_board(root / "boards", clips=30, components=10)
    make_submission(board, "good", 1.5, seed=3, over_time=True)
    make_submission(board, "maps", 1.5, seed=4, over_time=True, pixels=True)
    (root / "home" / "toy").mkdir(parents=True)
    shutil.move(board / "truth", root / "home" / "toy" / "truth")
    return board, root / "home"


def test_counts_of_pixels_would_tell_private_labels_and_are_refused(kept: tuple[Path, Path]) -> None:
    board, home = kept
    assert open_board(board, home).private
    found = load_standings(board, truth=home)
    assert [file for file, _ in found.left_out] == ["maps.yaml"]
    assert "which clips are forged" in found.left_out[0][1]


def test_nothing_of_a_site_tells_a_private_label(kept: tuple[Path, Path], tmp_path: Path) -> None:
    board, home = kept
    build_site([load_standings(board, truth=home)], tmp_path / "site", board.parent)
    submitted = pq.read_table(board / "submissions" / "good.parquet").column("id").to_pylist()
    for path in (tmp_path / "site").rglob("*"):
        if path.is_file() and path.suffix != ".parquet":
            text = path.read_text("utf-8")
            assert not any(one in text for one in submitted), f"{path.name} names clips"
    assert not list((tmp_path / "site").rglob("truth*")) and not list((tmp_path / "site").rglob("*.pixels.parquet"))


def test_a_private_truth_is_not_left_in_the_open(tmp_path: Path) -> None:
    from leaderboards.new import _keep_home

    board = tmp_path / "boards" / "ours"
    (board / "truth").mkdir(parents=True)
    with pytest.raises(CmdfdError, match="public"):
        _keep_home(board, tmp_path / "boards" / "ours")
    _keep_home(board, tmp_path / "home" / "ours")
    (board / "truth" / "ours-test.parquet").write_bytes(b"")
    with pytest.raises(CmdfdError, match="still holds"):
        _keep_home(board, tmp_path / "home" / "ours")


# ---- pages and downloads


def _renamed(names: list[str], **more: Any) -> Standings:
    """Made-up standings whose first systems have other names."""
    found = toy_standings(6)
    rows = [replace(row, name=name, submission={**row.submission, "system": {**row.submission["system"], "name": name}},
                    **more) for row, name in zip(found.rows, names, strict=False)]  # fmt: skip
    return replace(found, rows=(*rows, *found.rows[len(rows) :]))


def test_namesakes_are_told_apart_by_their_slugs(tmp_path: Path) -> None:
    found = _renamed(["MDS mini", "\u041cDS-mini"])
    build_site([found], tmp_path / "site")
    page = (tmp_path / "site" / "boards" / "toy" / "index.html").read_text("utf-8")
    shown = [f"<small>{row.slug}</small>" in page for row in found.rows]
    assert shown == [True, True, *[False] * (len(shown) - 2)]


def test_no_cell_is_a_formula_where_a_semicolon_parts_cells() -> None:
    found = _renamed(["a;=1+1", "b; \t@SUM(A1)"], trained_on=("x", '=HYPERLINK("https://a.org")'))
    text = to_csv(flat_rows(found))
    assert "=1+1" in text and "HYPERLINK" in text
    for mark in (",", ";", "\t"):
        for row in csv.reader(io.StringIO(text), delimiter=mark):
            assert not any(cell.strip()[:1] in tuple("=+@") for cell in row if not _is_number(cell))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_two_boards_of_one_title_and_a_board_that_went_are_shown_as_they_are(tmp_path: Path) -> None:
    from leaderboards.gradio_app import boards
    from leaderboards.space import make_space

    found = [toy_standings(4, name=name, title="Equal") for name in ("one", "two")]
    make_space(found, tmp_path / "space", "gradio", "Boards")
    assert list(boards(tmp_path / "space" / "boards")) == ["Equal (one)", "Equal (two)"]
    make_space(found[:1], tmp_path / "space", "gradio", "Boards")
    assert list(boards(tmp_path / "space" / "boards")) == ["Equal"]


@pytest.mark.parametrize("hub", ['"><script>', "ORG", "ORG/NAME@", "../../x/y", "ORG/NAME@v1\n- x"])
def test_a_place_on_the_hub_is_a_place_on_the_hub(hub: str, tmp_path: Path) -> None:
    board = make_board(tmp_path, clips=12, components=6)
    data = YAML(typ="safe").load((board / "board.yaml").read_text("utf-8"))
    data["sets"][0]["hub"] = hub
    write_yaml(board / "board.yaml", data)
    with pytest.raises(SubmissionError, match="hub"):
        open_board(board)


def test_results_of_a_withdrawn_system_say_so(full: Path, tmp_path: Path) -> None:
    from leaderboards.evalresults import hub_results

    found = load_standings(full)
    placed = replace(found, board={**found.board, "sets": [{**one, "hub": "ORG/NAME"} for one in found.board["sets"]]},
                     rules={**found.rules, "level": 0.9})  # fmt: skip
    told = hub_results(placed, rows_of(placed)["gone"]).eval_results[0]["notes"]
    assert "withdrawn" in told and "90 % interval" in told
    assert "withdrawn" not in hub_results(placed, rows_of(placed)["a"]).eval_results[0]["notes"]


def test_nan_is_no_tolerance_of_a_rerun(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from argparse import Namespace

    from leaderboards import composing
    from leaderboards.reproduce import verify_rerun

    opened = open_board(full)
    path = full / "submissions" / "a.yaml"
    entry = verify(opened, path)
    far = {name: dict.fromkeys(truth.table["id"], 5.0) for name, truth in opened.truths.items()}
    monkeypatch.setattr(composing, "open_run", lambda *_: None)
    monkeypatch.setattr(composing, "scores_of", lambda *_: far)
    args = Namespace(rerun=None, detector=None, tolerance=float("nan"), stamp=False, by=None)
    with pytest.raises(CmdfdError, match="differs"):
        verify_rerun(opened, entry, path, args)


class _Dripping:
    """An answer of which a byte comes every twenty seconds; a whole block would take two weeks."""

    status, reason = 200, "OK"

    def __init__(self, clock: list[float]) -> None:
        self.clock = clock

    def getheader(self, _: str, default: str | None = None) -> str | None:
        return default

    def read1(self, _: int) -> bytes:
        self.clock[0] += 20
        return b"x"

    def request(self, *_: object, **__: object) -> None: ...

    def close(self) -> None: ...

    def getresponse(self) -> _Dripping:
        return self


def test_an_answer_that_drips_is_given_up() -> None:
    from leaderboards.fetch import AddressError, Fetcher

    clock = [0.0]
    public = [(None, None, None, "", ("93.184.215.14", 443))]
    fetch = Fetcher(
        resolver=lambda *_: public,
        opener=lambda *_: _Dripping(clock),
        clock=lambda: clock[0],  # type: ignore[arg-type, return-value]
    )
    with pytest.raises(AddressError, match="takes longer"):
        fetch(f"https://huggingface.co/ORG/NAME/resolve/{'0' * 40}/x.parquet", 10**9)


_BUILD = """
import sys
from pathlib import Path
from leaderboards.loading import load_standings
from leaderboards.site.build import build_site
board, out = map(Path, sys.argv[1:])
build_site([load_standings(board)], out, board.parent)
"""


@pytest.mark.slow
def test_a_site_hangs_on_neither_clock_zone_language_nor_folder(full: Path, tmp_path: Path) -> None:
    first = tmp_path / "here"
    build_site([load_standings(full)], first, full.parent)
    moved = tmp_path / "deep" / "er" / "toy"
    shutil.copytree(full, moved)
    other = tmp_path / "dort drüben" / "site"
    told = {**os.environ, "TZ": "Pacific/Kiritimati", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-c", _BUILD, moved, other], env=told, check=True, timeout=120)
    names = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(other) for path in other.rglob("*") if path.is_file())
    assert all((first / name).read_bytes() == (other / name).read_bytes() for name in names)
    assert json.loads((first / "boards/toy/leaderboard.json").read_text("utf-8"))["rows"]
