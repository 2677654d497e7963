"""Recipes as files: what they hold, and what they cannot say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cmdfd.audit.repair import Repair, RepairError
from cmdfd.audit.repair.recipe import ORDER, Crop, Deduplicate, Harmonise, Match, Rename, Resplit

STEPS = [
    Deduplicate(),
    Resplit(fractions={"train": 0.7, "test": 0.3}, seed=3),
    Crop(lead=0.1, trail=0.04, spread=0.2, seconds=1.0),
    Harmonise(lowpass_hz=3900.0, noise_dbfs=-75.0),
    Match(cues=["demog.gender"], categorical=["demog.gender"]),
    Rename(key="k"),
]


def test_recipes_survive_yaml_and_json(tmp_path: Path) -> None:
    repair = Repair(name="a: 'set' #1\n", steps=STEPS, notes=["100 % – né"])
    (tmp_path / "repair.yaml").write_text(repair.to_yaml(), "utf-8")
    (tmp_path / "repair.json").write_text(repair.to_json(), "utf-8")
    assert Repair.read(tmp_path / "repair.yaml") == Repair.read(tmp_path / "repair.json") == repair
    assert repair.names == ORDER


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["steps"][2].update(label=1), "label: Extra inputs are not permitted"),
        (lambda d: d["steps"][3].update(only="fake"), "only: Extra inputs"),
        (lambda d: d["steps"].pop(3), "crop needs harmonise"),
        (lambda d: d["steps"].reverse(), "in the order deduplicate, resplit, crop"),
        (lambda d: d["steps"].append(d["steps"][5]), "steps stand once each"),
        (lambda d: d["steps"][0].update(step="trim"), "deduplicate"),
        (lambda d: d["steps"][3].update(width=225), "multiple of 2"),
        (lambda d: d["steps"][3].update(lowpass_hz=9000), "lowpass_hz must be below 8000"),
        (lambda d: d["steps"][3].update(preset="quick"), "preset"),
        (lambda d: d["steps"][2].update(lead=float("nan")), "lead"),
        (lambda d: d["steps"][1].update(fractions={"../x": 1.0}), "a split names a folder"),
        (lambda d: d.update(schema_version=9), "schema_version"),
    ],
)
def test_recipes_cannot_say_what_they_must_not(change: Any, words: str) -> None:
    data = json.loads(Repair(steps=STEPS).to_json())
    change(data)
    with pytest.raises(RepairError, match=words):
        Repair.from_dict(data)


@pytest.mark.parametrize("text", ["[1, 2", "a: &a [*a]", "- 1", "\x00", "!!python/object:os.system {}", "{" * 1200])
def test_hostile_recipes_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "repair.yaml"
    path.write_text(text)
    with pytest.raises(RepairError):
        Repair.read(path)
    with pytest.raises(RepairError, match="cannot be read"):
        Repair.read(tmp_path / "none.yaml")
