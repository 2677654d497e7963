"""`measure_all`: many files, hostile ones and plug-ins that fail among them."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pandas as pd
import pytest
from media_files import written

from cmdfd.audit.measure import CATALOGUE, FULL_CUES, HEADER_CUES, depth_of_cue, measure_file
from cmdfd.audit.measuring import Measured, measure_all
from cmdfd.audit.registry import load_plugins
from cmdfd.audit.setcues.prints import PRINT_COLUMNS
from cmdfd.errors import MEDIA_CODES, CmdfdError
from cmdfd.faces.tracks import FaceTrack, save_track
from cmdfd.registry import RegistryError

PLUGIN = """
import os, time
import numpy as np
from cmdfd.audit.cue import Cue

def cue(name, unit="s"):
    return Cue(name, "a thing", unit, "nuisance", "by hand", "none", "this test", "none")

class Length:
    needs = "sound"
    cues = (cue("own.samples"), cue("own.word", "category"), cue("own.never"))
    def measure(self, clip):
        if "bad" in clip.path.name:
            raise RuntimeError("no luck")
        return {"own.samples": np.float32(len(clip.sound.samples)), "own.word": 7, "own.never": float("inf")}

class Heads:
    needs = "headers"
    cues = (cue("own.streams"),)
    def measure(self, clip):
        assert clip.sound is None and clip.pictures is None
        return {"own.streams": len(clip.facts.streams)}

class Seen:
    needs = "pictures"
    cues = (cue("own.pictures"),)
    def measure(self, clip):
        return {"own.pictures": len(clip.pictures.times)}

class Killer:
    needs = "headers"
    cues = (cue("own.killer"),)
    def measure(self, clip):
        if "kill" in clip.path.name:
            os._exit(3)
        if "slow" in clip.path.name:
            time.sleep(60)
        return {"own.killer": 1.0}

class Stray:
    needs = "headers"
    cues = (cue("own.stray"),)
    def measure(self, clip):
        return {"own.other": 1.0}

class Taken:
    needs = "headers"
    cues = (cue("time.fps"),)
    def measure(self, clip):
        return {}

class Nameless:
    needs = "headers"
    cues = (cue("fps"),)
    def measure(self, clip):
        return {}

class Needy:
    needs = "love"
    cues = (cue("own.needy"),)
    def measure(self, clip):
        return {}

instance = Heads()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("many")
    for way in ("x264", "x264-late", "mpeg2"):
        written(found, way)
    (found / "broken.mp4").write_bytes(b"no media at all" * 50)
    (found / "plugin.py").write_text(PLUGIN)
    return found


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_workers_and_one_process_give_what_a_single_call_gives(folder: Path) -> None:
    files = [folder / "x264.mp4", None, folder / "mpeg2.mpg", folder / "broken.mp4", folder / "nowhere.mp4"]
    seen: list[int] = []
    found = measure_all(files, "full", workers=2, progress=seen.append)
    same(found.table, measure_all(files, "full", workers=0).table)
    assert sum(seen) == len(files)
    assert list(found.table.columns) == [*FULL_CUES, *PRINT_COLUMNS] and set(found.cues) == set(FULL_CUES)
    assert [(one.index, one.code) for one in found.failures] == [(3, "not_media"), (4, "missing")]
    assert found.table.iloc[[1, 3, 4]].isna().all(axis=None)
    for index in (0, 2):
        path = files[index]
        assert path is not None
        for name, value in measure_file(path, depth="full").items():
            cell = found.table.loc[index, name]
            if value is None:
                assert pd.isna(cell), name
            else:
                assert cell == value, name


def test_columns_have_the_types_of_their_cues(folder: Path) -> None:
    table = measure_all([folder / "x264.mp4", folder / "broken.mp4"], "headers", workers=0).table
    assert list(table.columns) == list(HEADER_CUES)
    for name in table:
        text = CATALOGUE[name].categorical or CATALOGUE[name].tokenised
        assert (table[name].dtype == object) if text else (table[name].dtype == float), name
        assert isinstance(table[name][0], str) == text, name


def test_wanted_cues_decide_how_far_files_are_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cmdfd.audit import measuring

    depths: list[str] = []

    def noted(path: Path, depth: str) -> object:
        depths.append(depth)
        return read(path, depth=depth)  # type: ignore[arg-type]

    read = measuring.read_facts
    monkeypatch.setattr(measuring, "read_facts", noted)
    for cues in (["time.fps"], ["level.rms", "time.fps"], ["picture.noise"], ["meta.c2pa", "face.width"]):
        table = measure_all([folder / "x264.mp4"], "full", cues=cues, workers=0).table
        assert set(table.columns) == set(cues)
    assert depths == ["headers", "sound", "full", "headers"]
    quick = measure_all([folder / "x264.mp4"], "headers", cues=["level.rms", "time.fps"], workers=0)
    assert list(quick.table.columns) == ["time.fps"] and "level.rms was not measured" in quick.notes[0]
    assert all(depth_of_cue(name) == "headers" for name in HEADER_CUES)
    with pytest.raises(CmdfdError, match=r"unknown cue 'time\.fpz': did you mean 'time\.fps'"):
        measure_all([], cues=["time.fpz"])
    with pytest.raises(ValueError, match="depth must be one of"):
        measure_all([], "quick")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="1 paths, but 2 tracks"):
        measure_all([None], tracks=[None, None])


def test_nothing_to_measure(folder: Path) -> None:
    assert measure_all([], workers=0).table.shape == (0, len(FULL_CUES) + len(PRINT_COLUMNS))
    assert measure_all([None, None], "headers", workers=0).table.isna().all(axis=None)


def own(folder: Path, name: str) -> str:
    return f"{folder / 'plugin.py'}:{name}"


def test_plug_ins_are_measured_beside_the_others(folder: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes((folder / "x264.mp4").read_bytes())
    plugins = [own(folder, name) for name in ("Length", "instance", "Seen", "Stray")]
    found = measure_all([folder / "x264.mp4", bad], "full", plugins=plugins, workers=0)
    table = found.table
    assert table["own.samples"][0] == table["time.n_samples"][0] and math.isnan(table["own.samples"][1])
    assert list(table["own.word"]) == ["7", None] and table["own.never"].isna().all()
    assert table["own.streams"].isna().all()  # it refuses clips whose sound is there
    assert list(table["own.pictures"]) == [30, 30] and table["own.stray"].isna().all()
    assert table["time.fps"].tolist() == [25, 25]  # a plug-in that fails takes nothing else with it
    notes = "\n".join(found.notes)
    assert "Length' failed on 1 clips" in notes and "bad.mp4: RuntimeError: no luck" in notes
    assert "undeclared cue 'own.other'" in notes
    assert found.cues["own.word"].categorical
    quick = measure_all([bad], "headers", plugins=plugins, workers=0)
    assert quick.table["own.streams"].tolist() == [2] and "own.samples" not in quick.table
    assert any("own.samples was not measured" in note for note in quick.notes)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Taken", "is taken"),
        ("Nameless", "not of the form 'family.cue'"),
        ("Needy", "one of headers, sound, pictures"),
        ("cue", "needs `cues`"),
        ("Nobody", "has no 'Nobody'"),
    ],
)
def test_plug_ins_that_cannot_be_used_are_told_before_anything_is_read(folder: Path, name: str, words: str) -> None:
    with pytest.raises(RegistryError, match=words):
        load_plugins([own(folder, name)], CATALOGUE)


def copies(folder: Path, into: Path, *names: str) -> list[Path]:
    files = [into / f"{name}.mp4" for name in names]
    for path in files:
        path.write_bytes((folder / "x264.mp4").read_bytes())
    return files


def test_a_crash_costs_one_clip(folder: Path, tmp_path: Path) -> None:
    files = copies(folder, tmp_path, *(f"{k}" for k in range(20)), "kill", *(f"{k}" for k in range(20, 40)))
    found = measure_all(files, "headers", plugins=[own(folder, "Killer")], workers=2)
    assert [(one.index, one.code) for one in found.failures] == [(20, "crashed")]
    assert found.failures[0].code in MEDIA_CODES and "3" in found.failures[0].reason
    assert found.table["time.fps"].isna().tolist() == [path.stem == "kill" for path in files]


@pytest.mark.slow
def test_a_hang_costs_one_clip(folder: Path, tmp_path: Path) -> None:
    files = copies(folder, tmp_path, *(f"{k}" for k in range(20)), "slow", *(f"{k}" for k in range(20, 40)))
    found = measure_all(files, "headers", plugins=[own(folder, "Killer")], workers=2, timeout=6.0)
    assert [(one.index, one.code) for one in found.failures] == [(20, "timeout")]
    assert found.table["time.fps"].isna().tolist() == [path.stem == "slow" for path in files]


def test_a_cache_answers_until_a_file_changes(folder: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"{k}.mp4" for k in range(3)]
    for path in files:
        path.write_bytes((folder / "x264.mp4").read_bytes())

    def measured() -> Measured:
        return measure_all(files, "headers", workers=0, cache=tmp_path / "cache")

    before = measured()
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.json")}
    same(before.table, measured().table)
    assert kept == {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.json")}
    time.sleep(0.02)
    files[1].write_bytes((folder / "x264-late.mp4").read_bytes())
    after = measured().table
    assert after["container.streams"].tolist() == ["va", "v", "va"]
    assert before.table["container.streams"].tolist() == ["va"] * 3


def test_tracks_of_faces(folder: Path, tmp_path: Path) -> None:
    from generators.sources.talkers.source import TalkerSource, render_take

    plan = TalkerSource({"cast": "a", "difficulty": 0.0, "seconds": 2.0}).plan(
        {"test": {"identities": 1, "clips": 1}}, seed=1
    )
    take = render_take(plan.items[0])
    assert isinstance(take.track, FaceTrack)
    save_track(tmp_path / "track.npz", take.track)
    clip = folder / "x264.mp4"
    found = measure_all(
        [clip, clip, clip], "full", tracks=[tmp_path / "track.npz", None, tmp_path / "no.npz"], workers=0
    )
    assert found.table["face.width"].notna().tolist() == [True, False, False]
    assert found.table["time.fps"].notna().all()
    assert any("the face track failed on 1 clips" in note for note in found.notes)
