"""What REBUILD.md says is done as it says: the set comes out again, to the byte, and no other set."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from public_set import RECIPE, change_build, change_provenance, copy_of

from cmdfd.dataset import Dataset
from cmdfd.publish.scrub import PLACE
from cmdfd.publish.staging import stage
from cmdfd.tables import TAKES, schema, write_table
from cmdfd.takedown.tombstones import write_tombstones

TALKERS = RECIPE | {"source": {"kind": "talkers", "options": {"cast": "b"}}}
SMALL = """
schema_version: 1
name: small
summary: four talkers
seed: 11
source: {kind: talkers, options: {cast: b, difficulty: 0.2, seconds: 2.2}}
splits: {test: {identities: 4, clips: 2}}
kinds: [{kind: audio/swap}]
harmonise: {seconds: 1.6, width: 96, height: 96}
audit: {gate: false}
"""


@pytest.fixture
def folder(public_set: Dataset, tmp_path: Path) -> Path:
    return copy_of(public_set, tmp_path / "toy")


def text_of(folder: Path, out: Path) -> str:
    return (stage(Dataset.open(folder), out, recipe_only=True).folder / "REBUILD.md").read_text("utf-8")


def commands(text: str) -> list[str]:
    return re.findall(r"`(python -m [^`]*)`", text)


def test_talkers_need_no_recordings(folder: Path, tmp_path: Path) -> None:
    change_build(folder, recipe=TALKERS)
    text = text_of(folder, tmp_path / "out")
    assert "No recordings are needed" in text and "owners" not in text and PLACE not in text
    assert commands(text) == ["python -m generators.build recipe.yaml --out BUILT"]


def test_recordings_are_asked_for_where_they_are_needed(folder: Path, tmp_path: Path) -> None:
    text = text_of(folder, tmp_path / "out")
    assert "Get the recordings" in text and PLACE in text and "No recordings" not in text


def test_limit_override_and_repair_are_part_of_the_command(folder: Path, tmp_path: Path) -> None:
    change_build(folder, recipe=TALKERS | {"repair": {"schema_version": 1, "steps": []}}, limit=3)
    change_provenance(folder, lambda row: row | {"rights_override": "it's mine"})
    (folder / "repair.yaml").write_text("{}")
    staged = stage(Dataset.open(folder), tmp_path / "out", recipe_only=True)
    build, repair = commands((staged.folder / "REBUILD.md").read_text("utf-8"))
    assert shlex.split(build)[3:] == [
        "recipe.yaml", "--out", "BUILT", "--limit", "3", "--override-rights", "it's mine",
    ]  # fmt: skip
    assert repair == "python -m cmdfd.audit BUILT --recipe repair.yaml --fix REPAIRED"
    assert "repair" not in json.loads((staged.folder / "recipe.yaml").read_text())
    assert json.loads((staged.folder / "repair.yaml").read_text()) == {"schema_version": 1, "steps": []}
    assert "repair.yaml" not in dict(staged.kept_home)
    assert json.loads((staged.folder / "build.json").read_text())["limit"] == 3


def test_withdrawn_clips_are_not_made_again(folder: Path, tmp_path: Path) -> None:
    assert "withdrawn" not in text_of(folder, tmp_path / "before")
    write_tombstones(folder, {"0" * 16: "v1.1.0"})
    assert "`tombstones.parquet` names were withdrawn" in text_of(folder, tmp_path / "after")


@pytest.mark.parametrize("recipe_only", [False, True])
def test_who_is_in_the_takes_stays_at_home(folder: Path, tmp_path: Path, recipe_only: bool) -> None:
    write_table(
        folder / TAKES, [{"take": "take-anna", "face_id": "anna"}], schema({"take": "string", "face_id": "string"})
    )
    (folder / "repair.yaml").write_text("{}")
    staged = stage(Dataset.open(folder), tmp_path / "out", recipe_only=recipe_only)
    assert not {TAKES, "repair.yaml"} & {file.path for file in staged.files}
    assert dict(staged.kept_home)[TAKES] == "who is in the takes; a takedown needs it at home"


def ran(words: list[str], folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_text_builds_the_set_again_to_the_byte(tmp_path: Path) -> None:
    """Built with a limit, which its recipe does not hold: without it the command would make another set."""
    (tmp_path / "small.yaml").write_text(SMALL, "utf-8")
    ran(["-m", "generators.build", "small.yaml", "--limit", "2", "--seed", "12", "--out", "home"], tmp_path)
    home = Dataset.open(tmp_path / "home")
    assert home.build.limit == 2 and len({clip.face_id for clip in home.rows}) == 2
    staged = stage(home, tmp_path / "public", recipe_only=True)
    text = (staged.folder / "REBUILD.md").read_text("utf-8")
    [command] = commands(text)
    ran(shlex.split(command)[1:], staged.folder)
    built = Dataset.open(staged.folder / "BUILT")
    hashes: list[dict[str, Any]] = [{clip.id: clip.sha256 for clip in one.rows} for one in (home, built)]
    assert hashes[0] == hashes[1] and len(hashes[0]) == len(home.rows)
    assert built.build.recipe_hash == home.build.recipe_hash
    [code] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    n = len(home.rows)
    assert ran(["-c", code], staged.folder) == f"test {n} of {n} clips are equal; 0 more are built\n"
