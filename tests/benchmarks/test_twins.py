"""Which real clip a fake is held against, and why there may be none."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "generators"))
from toy_set import LIPSYNC_CROSS, PARTIAL, PLATFORMS, Platform, write_toy_set

from benchmarks.twins import NO_PROVENANCE, NO_REAL, NO_TAKE, OTHER_SIZE, OTHER_TIME, Twin, twins_of
from cmdfd.clip import Clip
from cmdfd.dataset import Dataset
from cmdfd.tables import PROVENANCE, read_table, schema, write_table
from generators.record import PROVENANCE_COLUMNS


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Two people with two takes each: fakes, reals that are shams, one platform, and two scenes in turn."""
    return write_toy_set(
        tmp_path_factory.mktemp("set"), (LIPSYNC_CROSS, PARTIAL), takes=2,
        scenes=("interview", "grid"), platforms=(PLATFORMS[0],),
    )  # fmt: skip


def takes(data: Dataset) -> dict[str, str]:
    return {row["id"]: row["take"] for row in read_table(data.folder / PROVENANCE)}


def one_fake(data: Dataset, platform: str = "") -> Clip:
    return next(clip for clip in data.clips("test") if clip.labels.label == 1 and clip.platform == platform)


def test_a_twin_is_the_plain_real_of_the_same_take_platform_and_scene(made: Dataset) -> None:
    found, take = twins_of(made, made.clips("test")), takes(made)
    fakes = [clip for clip in made.clips("test") if clip.labels.label == 1]
    assert set(found) == {clip.id for clip in fakes} and len(fakes) == 16
    for fake in fakes:
        twin = found[fake.id].clip
        assert twin is not None and found[fake.id].why == ""
        assert (twin.kind, twin.variant, twin.labels.label) == ("real", "", 0)  # a sham has the variant "sham of ..."
        assert take[twin.id] == take[fake.id]
        assert (twin.platform, twin.scene) == (fake.platform, fake.scene)
    assert len({twin.clip.id for twin in found.values() if twin.clip}) == 8


def test_a_set_without_provenance_has_none(made: Dataset, tmp_path: Path) -> None:
    elsewhere = replace(made, folder=tmp_path)
    assert set(twins_of(elsewhere, made.clips("test")).values()) == {Twin(None, NO_PROVENANCE)}
    (tmp_path / PROVENANCE).write_bytes(b"no table")
    assert set(twins_of(elsewhere, made.clips("test")).values()) == {Twin(None, NO_PROVENANCE)}
    assert str(tmp_path) not in NO_PROVENANCE  # the reason goes into results that are passed on


def changed(made: Dataset, folder: Path, change: Any) -> Dataset:
    rows = [new for row in read_table(made.folder / PROVENANCE) if (new := change(row)) is not None]
    write_table(folder / PROVENANCE, rows, schema(PROVENANCE_COLUMNS))
    return replace(made, folder=folder)


def test_takes_come_from_the_row_or_from_that_of_the_original(made: Dataset, tmp_path: Path) -> None:
    version = one_fake(made, "chat")
    lost = {version.id}
    data = changed(made, tmp_path, lambda row: None if row["id"] in lost else row)
    assert twins_of(data, made.clips("test")) == twins_of(made, made.clips("test"))
    lost.add(version.original)
    data = changed(made, tmp_path, lambda row: None if row["id"] in lost else row)
    found = twins_of(data, made.clips("test"))
    assert {name for name, twin in found.items() if twin.why} == lost
    assert found[version.id] == Twin(None, NO_TAKE)


def test_twins_are_looked_for_among_the_clips_that_are_judged(made: Dataset) -> None:
    fake = one_fake(made)
    rest = [clip for clip in made.clips("test") if clip.labels.label == 1 or clip.variant or clip.platform]
    assert twins_of(made, rest)[fake.id] == Twin(None, NO_REAL)  # a sham, and a platform's version, are none


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"width": 62}, OTHER_SIZE),
        ({"n_frames": 21}, ""),  # platforms round to whole frames
        ({"n_frames": 22}, OTHER_TIME),
        ({"fps": 30.0, "n_frames": 24}, ""),  # the same seconds at another rate: maps meet by time
    ],
)
def test_sizes_and_lengths_must_fit(made: Dataset, change: dict[str, Any], why: str) -> None:
    fake = one_fake(made)
    clips = [replace(clip, **change) if clip.labels.label == 0 else clip for clip in made.clips("test")]
    assert twins_of(made, clips)[fake.id].why == why


@pytest.mark.parametrize(("shift", "why"), [(0.0, ""), (0.01, ""), (0.2, OTHER_TIME)])
def test_windows_of_one_take_must_begin_together(made: Dataset, tmp_path: Path, shift: float, why: str) -> None:
    data = changed(made, tmp_path, lambda row: {**row, "start": 0.4 + shift * (row["kind"] == "real")})
    assert {twin.why for twin in twins_of(data, made.clips("test")).values()} == {why}


def test_a_rate_that_is_not_whole_still_fits(tmp_path: Path) -> None:
    data = write_toy_set(tmp_path, (LIPSYNC_CROSS,), platforms=(Platform("odd", fps=22.131),))
    assert all(twin.clip is not None for twin in twins_of(data, data.clips("test")).values())
