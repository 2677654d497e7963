from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from tiny_source import SERIAL, tree

from cmdfd.dataset import Dataset
from cmdfd.errors import CmdfdError
from cmdfd.faces.tracks import load_track
from cmdfd.tables import read_table
from generators.build import BuildOptions, build, main
from generators.recipe import Recipe

HERE = Path(__file__).parent
Make = Callable[..., Recipe]
SIZE = {"identities": 2, "clips": 1}


def video_packets(path: Path) -> str:
    digest = hashlib.sha256()
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            digest.update(bytes(packet))
    return digest.hexdigest()


def test_the_set_is_whole_and_labelled(made: Path) -> None:
    data = Dataset.open(made)
    assert data.verify().n_clips == 30
    kinds = Counter((clip.split, clip.kind) for clip in data.clips())
    assert set(kinds.values()) == {4, 2} and len(kinds) == 10
    assert not (made / ".work").exists()
    by_kind = {clip.kind: clip for clip in data.clips("train")}
    told = {kind: (c.labels.label, c.labels.audio_label, c.labels.video_label, c.labels.sync_mismatch,
                   c.labels.identity_mismatch) for kind, c in by_kind.items()}  # fmt: skip
    assert told == {
        "real": (0, 0, 0, 0, 0), "audio/swap": (1, 0, 0, 1, 0), "audio/desync": (1, 0, 0, 1, 0),
        "audio/swap-partial": (1, 1, 0, 1, 0), "video/mouth_warp": (1, 0, 1, 1, 0),
    }  # fmt: skip
    for clip in data.clips():
        assert (clip.n_frames, clip.n_samples, clip.fps, clip.sample_rate) == (25, 16000, 25.0, 16000)
        assert (clip.mask is not None) == (clip.kind == "video/mouth_warp")
        track = load_track(data.track_of(clip))  # type: ignore[arg-type]
        assert len(track.times) == 25 and track.times[0] == 0


def test_strangers_lend_in_pairs_and_are_told(made: Path) -> None:
    """The test split has one take of each person, so that each is the other's donor."""
    data = Dataset.open(made)
    clips = data.clips("test")
    assert len({clip.component for clip in clips}) == 1 and len({c.component for c in data.clips("train")}) == 2
    swaps = [clip for clip in clips if clip.kind == "audio/swap"]
    assert all(clip.labels.identity_mismatch == 1 for clip in swaps)
    assert {(clip.face_id, clip.voice_id) for clip in swaps} == {("test-0", "test-1-voice"), ("test-1", "test-0-voice")}
    assert all(clip.source_ids == ("test-0-0", "test-1-0") for clip in swaps)
    assert {clip.rights.licence for clip in swaps} == {"CC-BY-4.0"}  # the more restrictive of the two


def test_fakes_of_the_sound_share_the_picture_of_their_real_clip(made: Path) -> None:
    data = Dataset.open(made)
    provenance = {row["id"]: row for row in read_table(made / "provenance.parquet")}
    for take in {row["take"] for row in provenance.values()}:
        clips = {data.clip(i).kind: data.clip(i) for i, row in provenance.items() if row["take"] == take}
        packets = {kind: video_packets(data.path_of(clip)) for kind, clip in clips.items()}
        audio_only = {packets[kind] for kind in packets if kind != "video/mouth_warp"}
        assert len(audio_only) == 1 and packets["video/mouth_warp"] not in audio_only
        assert len({clip.sha256 for clip in clips.values()}) == 5
        assert len({provenance[clip.id]["crf"] for clip in clips.values()}) == 1


def test_masks_are_where_the_written_pixels_differ(made: Path) -> None:
    from cmdfd.media.decode import read_video
    from cmdfd.media.masks import read_mask

    data = Dataset.open(made)
    provenance = {row["id"]: row for row in read_table(made / "provenance.parquet")}
    fake = next(clip for clip in data.clips("train") if clip.kind == "video/mouth_warp")
    real = next(c for c in data.clips("train") if c.kind == "real"
                and provenance[c.id]["take"] == provenance[fake.id]["take"])  # fmt: skip
    frames = [read_video(data.path_of(clip)).frames.astype(int) for clip in (real, fake)]
    mask = read_mask(data.mask_of(fake)).frames > 0  # type: ignore[arg-type]
    difference = np.abs(frames[0] - frames[1]).max(axis=-1)
    assert mask.shape == difference.shape and mask.any()
    assert difference[mask].mean() > 4 * difference[~mask].mean()


def test_tables_of_stages_and_provenance(made: Path) -> None:
    data = Dataset.open(made)
    stages = read_table(made / "stages.parquet")
    assert Counter(row["stage"] for row in stages) == {"source": 30, "raw": 30, "harmonised": 30}
    assert {row["id"] for row in stages} == {clip.id for clip in data.clips()}
    written = [row for row in stages if row["stage"] == "harmonised"]
    assert {row["time.n_frames"] for row in written} == {25.0}
    provenance = {row["id"]: row for row in read_table(made / "provenance.parquet")}
    swap = next(clip for clip in data.clips("train") if clip.kind == "audio/swap")
    row = provenance[swap.id]
    assert [parent["role"] for parent in row["parents"]] == ["target", "donor"]
    assert row["sha256"] == swap.sha256 and json.loads(row["params"]) == {"span": None, "crossfade": 0.015}
    assert row["recipe_hash"] == data.build.recipe_hash and "av" in json.loads(row["versions"])
    assert row["parents"][0]["end"] - row["parents"][0]["start"] == pytest.approx(1.0)
    build_file = (made / "build.json").read_text()
    assert os.uname().nodename not in build_file or len(os.uname().nodename) < 4
    assert str(made) not in build_file  # no path of this machine


def test_workers_and_shards_make_the_same_bytes(made: Path, tmp_path: Path, tiny_recipe: Make) -> None:
    build(tiny_recipe(), tmp_path / "local", workers=2)
    assert tree(tmp_path / "local") == tree(made)
    first = build(tiny_recipe(), tmp_path / "shards", options=replace(SERIAL, rank=1, world_size=3))
    second = build(tiny_recipe(), tmp_path / "shards", options=replace(SERIAL, rank=0, world_size=3))
    assert first.remaining > second.remaining > 0 and not (tmp_path / "shards" / "build.json").exists()
    last = build(tiny_recipe(), tmp_path / "shards", options=replace(SERIAL, rank=2, world_size=3))
    assert last.remaining == 0 and last.passed
    assert tree(tmp_path / "shards") == tree(made)


def write_recipe(folder: Path, recipe: Recipe) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(json.dumps(recipe.model_dump(mode="json")))  # JSON is YAML
    return path


def kill_and_resume(made: Path, tmp_path: Path, recipe: Recipe, kills: int, seed: int) -> None:
    """Kill a real build at random moments, then let it finish; nothing may tell."""
    chance = random.Random(seed)
    out = tmp_path / "killed"
    env = {**os.environ, "PYTHONPATH": str(HERE), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "generators.build", str(write_recipe(tmp_path, recipe)), "--out", str(out)]
    command += ["--workers", "2"]
    killed = 0
    while killed < kills:
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        before = _work_done(out)
        deadline = time.monotonic() + 60
        # from before the first item to some items further on, wherever the machine is by then
        wanted = before + chance.randint(0, 1)
        while _work_done(out) < wanted and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(chance.random() * 0.4)
        if process.poll() is not None:
            break  # it was finished before it could be killed
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed += 1
        assert not (out / "build.json").exists() or Dataset.open(out).verify()
    done = subprocess.run(command, check=False, env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert killed == kills
    assert tree(out) == tree(made)
    assert not (out / ".work").exists()


def _work_done(out: Path) -> int:
    try:
        return sum(1 for _ in (out / ".work" / "records").rglob("*.json"))
    except OSError:  # the build removes its work area just now, or has not made it yet
        return 0


def test_a_killed_build_goes_on(made: Path, tmp_path: Path, tiny_recipe: Make) -> None:
    kill_and_resume(made, tmp_path, tiny_recipe(), kills=2, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
def test_a_build_killed_ten_times_goes_on(tmp_path: Path, tiny_recipe: Make, seed: int) -> None:
    recipe = tiny_recipe(splits={"train": {"identities": 8, "clips": 3}, "test": {"identities": 6, "clips": 1}})
    build(recipe, tmp_path / "reference", options=SERIAL)
    kill_and_resume(tmp_path / "reference", tmp_path, recipe, kills=10, seed=seed)


def test_a_finished_build_is_found_at_once(made: Path, tmp_path: Path, tiny_recipe: Make) -> None:
    out = tmp_path / "tiny"
    shutil.copytree(made, out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    (out / ".work").mkdir()  # left by a kill between the last table and the end
    report = build(tiny_recipe(), out, options=SERIAL)
    assert report.finished_before and report.counts == Dataset.open(out).build.counts
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} | {out: 0} == before | {out: 0}


def test_another_recipe_needs_another_folder(made: Path, tmp_path: Path, tiny_recipe: Make) -> None:
    out = tmp_path / "tiny"
    shutil.copytree(made, out)
    (out / "notes.txt").write_text("mine")
    for change in ({"seed": 4}, {"harmonise": {"width": 96, "seconds": 1.0}}, {"splits": {"validation": SIZE}}):
        with pytest.raises(CmdfdError, match=r"holds the data set 'tiny', made from another recipe.*--overwrite"):
            build(tiny_recipe(**change), out, options=SERIAL)
    with pytest.raises(CmdfdError, match="made from another recipe"):
        build(tiny_recipe(), out, options=replace(SERIAL, limit=1))
    report = build(tiny_recipe(seed=4), out, options=replace(SERIAL, overwrite=True, limit=1, keep_work=True))
    assert not report.finished_before and Dataset.open(out).verify()
    assert (out / "notes.txt").read_text() == "mine" and (out / ".work" / "takes").is_dir()


def test_an_unfinished_build_of_another_recipe_is_kept(tmp_path: Path, tiny_recipe: Make) -> None:
    build(tiny_recipe(), tmp_path / "x", options=replace(SERIAL, world_size=4))
    with pytest.raises(CmdfdError, match="holds an unfinished build of another recipe"):
        build(tiny_recipe(seed=5), tmp_path / "x", options=SERIAL)


def test_foreign_folders_are_left_alone(tmp_path: Path, tiny_recipe: Make) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    for options in (SERIAL, replace(SERIAL, overwrite=True)):
        with pytest.raises(CmdfdError, match="not empty and holds no data set"):
            build(tiny_recipe(), tmp_path, options=options)
    with pytest.raises(CmdfdError, match="is a file"):
        build(tiny_recipe(), tmp_path / "thesis.tex", options=SERIAL)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")
def test_two_builds_do_not_write_to_one_folder(tmp_path: Path, tiny_recipe: Make) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", "import sys; from pathlib import Path; from generators.workspace import lock\n"
         f"with lock(Path({str(tmp_path / 'x')!r}) / '.work' / 'rank-0-of-1.lock'):\n"
         "    print('held', flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    with pytest.raises(CmdfdError, match="another build is writing to"):
        build(tiny_recipe(), tmp_path / "x", options=SERIAL)
    holder.kill()
    holder.communicate()
    assert build(tiny_recipe(), tmp_path / "x", options=replace(SERIAL, limit=1)).passed


def test_what_cannot_be_made_is_told_and_the_rest_is_made(tmp_path: Path, tiny_recipe: Make) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(
        "from generators.generator import GeneratorSpec\n"
        "class Broken:\n"
        "    spec = GeneratorSpec('broken', 'audio', 'fails', ('audio',), params={'how': 'raise'})\n"
        "    def generate(self, job):\n"
        "        return {}['by design'] if job.params['how'] == 'raise' else None\n"
    )
    kinds = [{"kind": "audio/swap"}, {"kind": "video/mouth_warp"}, {"kind": "x/broken", "generator": f"{mine}:Broken"}]
    options = {"broken": ["train-0-0"], "faceless": ["train-1-0"], "refused": 2}
    report = build(tiny_recipe(options, kinds=kinds), tmp_path / "set", options=SERIAL)
    found = Counter((one.kind or one.source, one.code) for one in report.refused)
    assert found == {
        ("bad0.mp4", "no_face"): 1, ("bad1.mp4", "no_face"): 1,
        # the broken take, and the one whose donor it was
        ("real", "decode_failed"): 1, ("audio/swap", "decode_failed"): 1, ("video/mouth_warp", "decode_failed"): 1,
        ("x/broken", "decode_failed"): 1, ("audio/swap", "input_unsupported"): 1,
        ("video/mouth_warp", "input_unsupported"): 2, ("video/mouth_warp", "face_not_found"): 1,
        ("x/broken", "crashed"): 5,
    }  # fmt: skip
    assert "KeyError: 'by design'" in {one.reason for one in report.refused}
    data = Dataset.open(tmp_path / "set")
    assert data.verify() and data.build.refused == report.refused_codes
    assert {clip.tracks for clip in data.clips() if "train-1-0" in clip.source_ids and clip.kind == "real"} == {None}


@pytest.mark.slow
def test_takes_that_hang_are_given_up(tmp_path: Path, tiny_recipe: Make) -> None:
    options = BuildOptions(workers=2, timeout=15.0)
    report = build(tiny_recipe({"hanging": ["test-0-0"]}), tmp_path / "set", options=options)
    assert Counter(one.code for one in report.refused)["timeout"] == 5
    assert report.counts["train"]["real"] == 4 and report.counts["test"]["real"] == 1


def test_when_nothing_can_be_made(tmp_path: Path, tiny_recipe: Make) -> None:
    with pytest.raises(CmdfdError, match=r"not a single clip could be made: too_short: 0\.48 s"):
        build(tiny_recipe({"seconds": 0.5}), tmp_path / "set", options=SERIAL)


def test_one_person_in_two_splits_by_a_generators_doing_is_refused(tmp_path: Path, tiny_recipe: Make) -> None:
    mine = tmp_path / "leaky.py"
    mine.write_text(
        "from dataclasses import replace\nfrom generators.audio.desync import Desync\n"
        "class Leaky(Desync):\n"
        "    def generate(self, job):\n"
        "        return replace(super().generate(job), voice_id='one voice for all')\n"
    )
    kinds = [{"kind": "audio/desync", "generator": f"{mine}:Leaky", "params": {"milliseconds": [80]}}]
    with pytest.raises(CmdfdError, match=r"the voice 'one voice for all' is in 'train' \(a clip of 'audio/desync'\)"):
        build(tiny_recipe(kinds=kinds), tmp_path / "set", options=SERIAL)


def test_withheld_labels_stay_at_home(tmp_path: Path, tiny_recipe: Make) -> None:
    build(tiny_recipe(withheld=["test"]), tmp_path / "set", options=SERIAL)
    rows = read_table(tmp_path / "set" / "test" / "metadata.parquet")
    assert {row["label"] for row in rows} == {None} and {row["kind"] for row in rows} == {None}
    assert Dataset.open(tmp_path / "set").verify()


@pytest.mark.slow
def test_the_gate_finds_a_planted_cue(tmp_path: Path, tiny_recipe: Make) -> None:
    mine = tmp_path / "silent.py"
    mine.write_text(
        "from dataclasses import replace\nfrom generators.audio.desync import Desync\n"
        "class Silent(Desync):\n"
        "    def generate(self, job):\n"
        "        made = super().generate(job)\n"
        "        start = round(job.start * job.take.sample_rate)\n"
        "        made.take.audio[start : start + 1600] = 0\n"
        "        return made\n"
    )
    splits = {"test": {"identities": 16, "clips": 2}}
    for generator, passes in ((None, True), (f"{mine}:Silent", False)):
        kinds = [{"kind": "audio/desync", "generator": generator, "params": {"milliseconds": [80]}}]
        report = build(tiny_recipe(splits=splits, kinds=kinds), tmp_path / str(passes), workers=2)
        assert report.passed is passes, report.audit
        assert report.audit is not None and report.audit["status"] == ("passed" if passes else "failed")


def test_the_command_line(made: Path, tmp_path: Path, tiny_recipe: Make, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = str(write_recipe(tmp_path, tiny_recipe()))
    assert main([recipe, "--dry-run"]) == 0
    assert "planned, nothing was made" in capsys.readouterr().out
    assert main([recipe, "--out", str(tmp_path / "set"), "--executor", "serial", "--limit", "1"]) == 0
    shown = capsys.readouterr().out
    assert "audio/swap-partial" in shown and "Audit: not testable" in shown
    assert f"Next: python -m benchmarks.run --detector mds --report-on {tmp_path / 'set'}:test" in shown
    assert main([recipe, "--out", str(tmp_path / "set"), "--limit", "1"]) == 0
    assert "was finished before" in capsys.readouterr().out
    assert main([recipe, "--out", str(made.parent / "tiny"), "--seed", "8"]) == 2
    assert "made from another recipe" in capsys.readouterr().err
    assert main(["mini-z"]) == 2 and main([]) == 2
    assert "did you mean 'mini-" in capsys.readouterr().err
    assert main(["--list"]) == 0
    assert "mouth_mute" in capsys.readouterr().out


def test_help_is_quick_and_light() -> None:
    code = "import sys, generators.build as b\ntry: b.main(['--help'])\nexcept SystemExit: pass\n"
    code += "print(sorted({'torch', 'cv2', 'av', 'pandas', 'scipy', 'matplotlib', 'pyarrow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.strip().endswith("[]"), done.stdout[-300:] + done.stderr


def test_shams_are_made_as_real_clips(tmp_path: Path, tiny_recipe: Make) -> None:
    mine = tmp_path / "null.py"
    mine.write_text(
        "from cmdfd.clip import REAL\nfrom generators.audio.swap import Swap\n"
        "from generators.generator import Outcome, Take\n"
        "class Null(Swap):\n"
        "    def sham(self, job):\n"
        "        t = job.take\n"
        "        take = Take(t.frames, t.fps, t.audio * 0.5, t.sample_rate, t.track)\n"
        "        return Outcome(take, REAL, (), variant='null edit')\n"
    )
    kinds = [{"kind": "x", "generator": f"{mine}:Null", "driver": "cross", "shams": 1, "labels": {"sync_mismatch": 0}}]
    build(tiny_recipe(kinds=kinds), tmp_path / "set", options=SERIAL)
    data = Dataset.open(tmp_path / "set")
    assert data.verify() and Counter((clip.kind, clip.variant) for clip in data.clips()) == {
        ("real", ""): 6, ("real", "null edit"): 6, ("x", ""): 6,
    }  # fmt: skip
    assert {clip.labels.sync_mismatch for clip in data.clips() if clip.kind == "x"} == {0}
    rows = read_table(tmp_path / "set" / "provenance.parquet")
    assert {row["relation"] for row in rows if row["kind"] == "x"} == {"partner"}
    assert len({row["job"] for row in rows}) == 18


def test_labels_that_leave_nothing_forged_are_refused(tmp_path: Path, tiny_recipe: Make) -> None:
    kinds = [{"kind": "audio/swap"}, {"kind": "x", "generator": "audio/swap", "labels": {"sync_mismatch": 0,
             "identity_mismatch": 0}}]  # fmt: skip
    report = build(tiny_recipe(kinds=kinds), tmp_path / "set", options=SERIAL)
    assert Counter((one.kind, one.code) for one in report.refused) == {("x", "input_unsupported"): 6}
    assert Dataset.open(tmp_path / "set").verify()
