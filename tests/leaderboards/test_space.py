"""The folder of a Space, and a system's results for its model repository."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from toy_standings import toy_standings

from cmdfd.errors import CmdfdError
from leaderboards import gradio_app
from leaderboards.evalresults import hub_results, write_results
from leaderboards.space import GRADIO, make_space

ROOT = Path(__file__).resolve().parents[2]


def front_matter(readme: Path) -> dict[str, object]:
    from ruamel.yaml import YAML

    _, front, _ = readme.read_text(encoding="utf-8").split("---\n", 2)
    found: dict[str, object] = YAML(typ="safe").load(front)
    return found


def test_a_static_space_is_the_site_with_a_card(tmp_path: Path) -> None:
    make_space([toy_standings(n_systems=5)], tmp_path, "static", 'A: "title" # with signs')
    card = front_matter(tmp_path / "README.md")
    assert card["title"] == 'A: "title" # with signs'
    assert card["sdk"] == "static"
    assert (tmp_path / str(card["app_file"])).is_file()
    make_space([toy_standings(n_systems=4)], tmp_path, "static", "again")  # a second time over the first
    assert front_matter(tmp_path / "README.md")["title"] == "again"


def test_another_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine", encoding="utf-8")
    with pytest.raises(CmdfdError, match="holds something else"):
        make_space([toy_standings(n_systems=3)], tmp_path, "static", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_the_gradio_app_shows_the_numbers_of_the_board(tmp_path: Path) -> None:
    standings = toy_standings(n_systems=9)
    make_space([standings], tmp_path, "gradio", "x")
    assert front_matter(tmp_path / "README.md")["sdk_version"] == GRADIO
    assert (tmp_path / "app.py").read_bytes() == Path(gradio_app.__file__).read_bytes()
    [board] = gradio_app.boards(tmp_path / "boards").values()
    heads, rows = gradio_app.table(board)
    assert len(rows) == len(standings.rows)
    for row, standing in zip(rows, standings.rows, strict=True):
        told = dict(zip(heads, row, strict=True))
        assert told["System"] == standing.name
        assert told["Rank"] == (standing.rank if standing.ranked else "floor" if standing.floor else "–")
        expected = standing.macro.value
        assert told["Macro AUC"] == (None if expected is None else pytest.approx(expected, abs=5e-5))
        for one in standing.sets:
            value = one.auc.value
            assert told[f"AUC {one.set}"] == (None if value is None else pytest.approx(value, abs=5e-5))


@pytest.mark.slow
def test_the_gradio_app_starts_with_the_real_gradio(tmp_path: Path) -> None:
    """In an environment of its own, as the Hub would make it from requirements.txt."""
    if importlib.util.find_spec("pip") is None:
        pytest.skip("pip is not installed in this environment")
    make_space([toy_standings(n_systems=9)], tmp_path / "space", "gradio", "x")
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    install = [python, "-m", "pip", "install", "-q", "-r", tmp_path / "space" / "requirements.txt"]
    done = subprocess.run(install, check=False, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    code = (
        "import json, urllib.request, app\n"
        "demo = app.build()\n"
        "demo.launch(prevent_thread_lock=True, server_name='127.0.0.1', quiet=True)\n"
        "answer = urllib.request.urlopen(demo.local_url + 'config').read().decode()\n"
        "demo.close()\n"
        "frames = [one['props'] for one in json.loads(answer)['components'] if one['type'] == 'dataframe']\n"
        "print('FOUND', len(frames), frames[0]['pinned_columns'], len(frames[0]['value']['data']))\n"
    )
    run = [python, "-c", code]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "GRADIO_ANALYTICS_ENABLED": "False"}
    done = subprocess.run(
        run, check=False, capture_output=True, text=True, timeout=120, cwd=tmp_path / "space", env=env
    )
    assert "FOUND 1 2 9" in done.stdout, done.stdout + done.stderr


def test_results_for_the_hub_are_the_boards_numbers(tmp_path: Path) -> None:
    from huggingface_hub import EvalResultEntry
    from huggingface_hub.repocard_data import model_index_to_eval_results
    from ruamel.yaml import YAML

    standings = toy_standings(n_systems=6)
    for one in standings.board["sets"]:
        one["hub"] = None
    standings.board["sets"][0]["hub"] = "my-lab/mini-a@v1.0.0"
    standing = next(row for row in standings.rows if row.ranked)
    results = hub_results(standings, standing, "https://boards.example/a.html")
    written = write_results(results, "talkers", tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in written] == [
        ".eval_results/talkers.yaml",
        "model-index.yaml",
    ]
    [entry] = YAML(typ="safe").load(written[0])
    assert entry["dataset"] == {"id": "my-lab/mini-a", "task_id": "test", "revision": "v1.0.0"}
    assert entry["value"] == standing.sets[0].auc.value
    assert entry["source"]["url"] == "https://boards.example/a.html"
    EvalResultEntry(dataset_id=entry["dataset"]["id"], task_id="test", value=entry["value"], notes=entry["notes"])
    index = YAML(typ="safe").load(written[1])["model-index"]
    name, found = model_index_to_eval_results(index)
    assert name == standing.name
    assert {one.dataset_name: one.metric_value for one in found} == {
        one.set: one.auc.value for one in standing.sets if one.auc.value is not None
    }
    assert set(results.left_out) == {one.set for one in standing.sets[1:] if one.auc.value is not None}


def test_nothing_is_written_for_a_system_without_numbers(tmp_path: Path) -> None:
    from dataclasses import replace

    standings = toy_standings(n_systems=4)
    bare = replace(standings.rows[0], sets=())
    assert write_results(hub_results(standings, bare), "talkers", tmp_path) == ()


def test_commands_tell_what_is_wrong(tmp_path: Path) -> None:
    for words in (["leaderboards.space", "--out", "x"], ["leaderboards.results", "--system", "a", "--out", "x"]):
        more = ["--boards", str(tmp_path), *(["--board", "none"] if "results" in words[0] else [])]
        command = [sys.executable, "-m", *words, *more]
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, timeout=60)
        assert done.returncode == 2
        assert "board" in done.stderr
        assert "Traceback" not in done.stderr
    assert not (ROOT / "x").exists()
