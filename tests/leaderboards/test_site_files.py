"""Downloads, badges, copies and the folder of the site."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_standings import HOSTILE, Plan, toy_standings

from cmdfd.errors import CmdfdError
from cmdfd.report.palette import contrast
from leaderboards.site import build_site, downloads
from leaderboards.site.badges import badge_of, endpoint, picture
from leaderboards.site.files import LIST, SiteFolder, read_regular
from leaderboards.standings import Number, Standings

NAMES = [Plan(f"hostile-{index}", name, 0.2 + 0.01 * index) for index, name in enumerate(HOSTILE)]


def _bytes(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def board() -> Standings:
    return toy_standings(14, more=NAMES)


def test_equal_standings_give_equal_bytes_in_any_folder(tmp_path: Path) -> None:
    for name in ("one", "two"):
        build_site([toy_standings(6), toy_standings(5, name="other", seed=2)], tmp_path / name)
    one = _bytes(tmp_path / "one")
    assert one == _bytes(tmp_path / "two")
    code = (
        "import sys; from pathlib import Path; sys.path[:0] = sys.argv[1:3]\n"
        "from toy_standings import toy_standings as t; from leaderboards.site import build_site\n"
        "build_site([t(6), t(5, name='other', seed=2)], Path(sys.argv[3]))"
    )
    here = Path(__file__).parent
    subprocess.run(
        [sys.executable, "-c", code, str(here), str(here.parents[1]), str(tmp_path / "three")],
        check=True, env={**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"},
    )  # fmt: skip
    assert one == _bytes(tmp_path / "three")


def test_json_holds_the_standings(board: Standings) -> None:
    text = downloads.to_json(board)
    assert text.isascii()
    assert json.loads(text) == json.loads(json.dumps(board.to_dict()))


def test_json_has_no_numbers_that_json_lacks(board: Standings) -> None:
    row = replace(board.rows[0], macro=Number(float("nan"), float("-inf"), float("inf")))
    read = json.loads(downloads.to_json(replace(board, rows=(row, *board.rows[1:]))), parse_constant=pytest.fail)
    assert read["rows"][0]["macro"] == {"value": None, "low": None, "high": None, "doubt": ""}
    assert read["rows"][1] == json.loads(json.dumps(board.to_dict()))["rows"][1]


def test_csv_and_parquet_hold_every_number_to_its_last_digit(board: Standings, tmp_path: Path) -> None:
    rows = downloads.flat_rows(board)
    lines = list(csv.DictReader(io.StringIO(downloads.to_csv(rows))))
    (tmp_path / "board.parquet").write_bytes(downloads.to_parquet(rows))
    table = pq.read_table(tmp_path / "board.parquet").to_pylist()
    assert len(lines) == len(table) == len(board.rows)
    for row, line, stored in zip(board.rows, lines, table, strict=True):
        assert stored["name"] == row.name and stored["rank"] == row.rank and stored["ranked"] is row.ranked
        assert line["rank"] == ("" if row.rank is None else str(row.rank))
        wanted = {"macro_auc": row.macro.value, "macro_auc_low": row.macro.low}
        for score in row.sets:
            wanted |= {f"{score.set}:auc": score.auc.value, f"{score.set}:auc_high": score.auc.high}
            wanted |= {f"{score.set}:{name}": one.value for name, one in score.localization.items()}
        for name, value in wanted.items():
            assert stored[name] == value
            assert line[name] == ("" if value is None else repr(value))


@given(st.text(max_size=20))
def test_no_text_in_a_csv_is_a_formula(text: str) -> None:
    line = downloads.to_csv([{"name": text, "value": -0.5}])
    name, value = list(csv.reader(io.StringIO(line)))[1]
    assert not name.lstrip().startswith(("=", "+", "-", "@", "\t", "\r"))
    assert value == "-0.5"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", "|calc"])
def test_formulas_become_text(text: str) -> None:
    assert list(csv.reader(io.StringIO(downloads.to_csv([{"name": text}]))))[1][0].startswith("'")


def test_badges_say_rank_and_state_and_can_be_read(board: Standings) -> None:
    for row in board.rows:
        badge = badge_of(row, HOSTILE[0])
        read = json.loads(endpoint(badge))
        assert read["schemaVersion"] == 1 and set(read) == {"schemaVersion", "label", "message", "color"}
        assert (f"rank {row.rank} (" in read["message"]) == row.ranked
        assert contrast("#ffffff", badge.colour) >= 4.5
        root = ElementTree.fromstring(picture(badge))
        assert "".join(root.find("{http://www.w3.org/2000/svg}title").itertext()) == f"{badge.label}: {badge.message}"  # type: ignore[union-attr]
        assert {one.tag.rpartition("}")[2] for one in root.iter()} == {"svg", "title", "path", "g", "text"}
    states = {badge_of(row, "t").message.partition(" ")[0] for row in board.rows}
    assert {"rank", "floor", "withdrawn", "not"} <= states


def _with_files(tmp_path: Path, board: Standings) -> tuple[Path, Standings]:
    folder = tmp_path / "boards" / "toy" / "submissions"
    folder.mkdir(parents=True)
    rows = []
    for row in board.rows:
        data = f"predictions of {row.slug}".encode()
        (folder / f"{row.slug}.parquet").write_bytes(data)
        text = f"slug: {row.slug}\n".encode()
        (folder / f"{row.slug}.yaml").write_bytes(text)
        named = {
            "file": f"{row.slug}.parquet",
            "url": None,
            "sha256": hashlib.sha256(data).hexdigest(),
            "size": len(data),
        }
        submission = {**row.submission, "predictions": named, "reproduction": None}
        rows.append(replace(row, submission=submission, submission_sha256=hashlib.sha256(text).hexdigest()))
    return folder, replace(board, rows=tuple(rows))


def test_submissions_are_copied_for_recomputation(tmp_path: Path) -> None:
    folder, board = _with_files(tmp_path, toy_standings(4))
    (folder / "secret.txt").write_text("not ours")
    build_site([board], tmp_path / "site", tmp_path / "boards")
    copied = tmp_path / "site/boards/toy/submissions"
    assert _bytes(copied) == {name: data for name, data in _bytes(folder).items() if name != "secret.txt"}
    page = (tmp_path / "site/boards/toy/systems/chance.html").read_text(encoding="utf-8")
    assert 'href="../submissions/chance.parquet"' in page and 'href="../submissions/chance.yaml"' in page


def test_links_and_pipes_are_not_copied(tmp_path: Path) -> None:
    folder, board = _with_files(tmp_path, toy_standings(4))
    secret = tmp_path / "secret"
    secret.write_text("ssh-ed25519")
    (folder / "chance.yaml").unlink()
    (folder / "chance.yaml").symlink_to(secret)
    (folder / "chance.parquet").unlink()
    os.mkfifo(folder / "chance.parquet")
    build_site([board], tmp_path / "site", tmp_path / "boards")
    assert not {"chance.yaml", "chance.parquet"} & _bytes(tmp_path / "site/boards/toy/submissions").keys()
    assert not any(b"ssh-ed25519" in data for data in _bytes(tmp_path / "site").values())
    elsewhere = tmp_path / "elsewhere"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere, target_is_directory=True)
    assert read_regular(tmp_path / "boards/toy", "submissions/system-000.yaml") is None
    assert read_regular(elsewhere, "../secret") is None and read_regular(elsewhere, "/etc/hostname") is None


@pytest.mark.parametrize("name", ["chance.parquet", "chance.yaml"])
def test_files_that_changed_after_they_were_verified_are_refused(tmp_path: Path, name: str) -> None:
    folder, board = _with_files(tmp_path, toy_standings(4))
    with (folder / name).open("ab") as file:
        file.write(b"# more\n")
    with pytest.raises(CmdfdError, match=rf"toy/submissions/{name} changed after it was verified"):
        build_site([board], tmp_path / "site", tmp_path / "boards")


def test_a_second_build_takes_away_what_is_gone_and_leaves_the_rest(tmp_path: Path) -> None:
    out = tmp_path / "site"
    build_site([toy_standings(8), toy_standings(3, name="old")], out)
    (out / ".git").mkdir()
    (out / ".git" / "config").write_text("ours")
    (out / "README.md").write_text("of a Space")
    unchanged = (out / "boards/toy/systems/chance.html").stat().st_mtime_ns
    build_site([toy_standings(8)], out)
    assert not (out / "boards/old").exists() and (out / "README.md").is_file() and (out / ".git/config").is_file()
    assert (out / "boards/toy/systems/chance.html").stat().st_mtime_ns == unchanged
    listed = (out / LIST).read_text().splitlines()
    assert sorted(listed) == sorted(name for name in _bytes(out) if not name.startswith((".git", "README")))


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("ten years")
    with pytest.raises(CmdfdError, match="not empty and holds no site"):
        build_site([toy_standings(3)], tmp_path)
    with pytest.raises(CmdfdError, match="is a file"):
        build_site([toy_standings(3)], tmp_path / "thesis.tex")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_list_of_files_cannot_reach_outside(tmp_path: Path) -> None:
    out = tmp_path / "site"
    out.mkdir()
    (tmp_path / "precious").write_text("stays")
    (out / LIST).write_text(f"../precious\n{tmp_path / 'precious'}\nold.html\n")
    (out / "old.html").write_text("goes")
    build_site([toy_standings(3)], out)
    assert (tmp_path / "precious").read_text() == "stays" and not (out / "old.html").exists()


@pytest.mark.parametrize("path", ["../a", "/a", "a/../../b", "", ".", "a\\b", "c:x", "a\nb"])
def test_files_stay_in_the_folder(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="not a new file"):
        SiteFolder(tmp_path / "site").write(path, "x")


def test_names_that_cannot_be_files_are_refused(tmp_path: Path) -> None:
    board = toy_standings(3)
    for wrong, words in (
        ([replace(board, board={**board.board, "name": "../up"})], "board name"),
        ([board, board], "two boards"),
        ([replace(board, rows=(replace(board.rows[0], slug="../x"),))], "slug"),
        ([replace(board, rows=(board.rows[0], board.rows[0]))], "slug"),
    ):
        with pytest.raises(CmdfdError, match=words):
            build_site(wrong, tmp_path / "site")
    assert not (tmp_path / "site").exists()
