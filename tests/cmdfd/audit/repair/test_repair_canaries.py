"""Planted cues are cleared by plan and apply, and nothing else appears."""

from __future__ import annotations

from pathlib import Path

import pytest
from repair_sets import (
    Plant,
    audit,
    folder_target,
    lead_silence,
    louder,
    measured,
    narrow,
    other_fps,
    tagged,
    write_pairs,
)

from cmdfd.audit.repair import Repair, apply, compare, plan_repair

CANARIES: dict[str, tuple[Plant, str, tuple[str, ...]]] = {
    "silence": (lead_silence(0.03), "silence.zero_lead", ("crop", "harmonise")),
    "fps": (other_fps, "time.fps", ("crop", "harmonise")),
    "bandwidth": (narrow, "audio.cutoff", ("harmonise",)),
    "loudness": (louder, "level.lufs", ("harmonise",)),
    "tag": (tagged, "container.tag_names", ("harmonise",)),
}


def everything(one: object) -> object:
    for plant, _, _ in CANARIES.values():
        one = plant(one)  # type: ignore[arg-type]
    return one


def repaired(tmp_path: Path, plant: Plant) -> tuple[Repair, object, set[str]]:
    target = write_pairs(tmp_path / "set", plant)
    table = measured(target)
    before = audit(table)
    repair = plan_repair(before, target, table=table)
    applied = apply(repair, target, table, tmp_path / "out")
    assert applied.n_kept == 48, applied.sentences
    after = audit(measured(folder_target(tmp_path / "out")))
    return repair, compare(before, after), set(before.flagged_cues)


def test_all_canaries_at_once_are_cleared_and_nothing_moves(tmp_path: Path) -> None:
    repair, moves, flagged = repaired(tmp_path, everything)  # type: ignore[arg-type]
    assert {cue for _, cue, _ in CANARIES.values()} <= flagged | {"silence.zero_lead"}
    assert repair.names == ("crop", "harmonise")
    assert moves.clean, moves.sentences()  # type: ignore[attr-defined]
    left = {cue for cue in flagged if not cue.startswith("rate.")}  # debatable: the patch itself costs bits
    assert left <= set(moves.cleared), moves.sentences()  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize("name", CANARIES)
def test_each_canary_alone(tmp_path: Path, name: str) -> None:
    plant, cue, steps = CANARIES[name]
    repair, moves, flagged = repaired(tmp_path, plant)
    assert set(repair.names) <= {*steps, "crop"}
    assert cue in flagged or name == "silence"
    assert moves.clean, moves.sentences()  # type: ignore[attr-defined]
