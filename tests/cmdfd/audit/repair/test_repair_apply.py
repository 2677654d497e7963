"""Applying: what is written, aligned, deterministic, resumable, and what is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from repair_sets import draft, fake_of, folder_target, measured, remux, row_of, write_draft, write_pairs

from cmdfd.audit.repair import Repair, RepairError, apply
from cmdfd.audit.repair.recipe import Crop, Deduplicate, Harmonise, Rename, Resplit
from cmdfd.audit.targets.target import Target
from cmdfd.media.decode import read_clip

HARMONISE = Harmonise(width=64, height=64, preset="ultrafast")
CROP = Crop(lead=0.1, trail=0.04, spread=0.2, seconds=0.8)


def contents(folder: Path) -> dict[str, str]:
    """Hash of every file of a set, its records of work apart."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".repair" not in path.parts
    }


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Target:
    return write_pairs(tmp_path_factory.mktemp("pairs") / "set", n=4)


def test_twins_share_their_window_and_the_source_is_untouched(pairs: Target, tmp_path: Path) -> None:
    assert pairs.root is not None
    before = contents(pairs.root)
    applied = apply(Repair(steps=[CROP, HARMONISE]), pairs, measured(pairs), tmp_path / "out")
    assert contents(pairs.root) == before
    rows = pd.read_parquet(tmp_path / "out" / "repair.parquet").set_index("id")
    assert rows["kept"].all() and applied.n_dropped == 0
    starts = [rows.loc[f"real-p0{k}", "start"] for k in range(4)]
    assert [rows.loc[f"fake-p0{k}", "start"] for k in range(4)] == starts
    assert len(set(starts)) == 4  # but every pair has its own
    assert all(0.1 <= start < 0.3 for start in starts)
    for row in rows.itertuples():
        clip = read_clip(tmp_path / "out" / str(row.file_name))
        assert len(clip.video.frames) == 20 and clip.audio is not None and len(clip.audio.samples) == 12800
        assert clip.audio.start == pytest.approx(clip.video.times[0])


def test_same_inputs_give_the_same_bytes_and_done_files_are_not_done_again(pairs: Target, tmp_path: Path) -> None:
    repair = Repair(steps=[CROP, HARMONISE, Rename(key="k")])
    table = measured(pairs)
    first = apply(repair, pairs, table, tmp_path / "a")
    shuffled = Target("pairs", "folder pair", pairs.clips.iloc[::-1].reset_index(drop=True), root=pairs.root)
    apply(repair, shuffled, measured(shuffled), tmp_path / "b", workers=2)
    named = {name: digest for name, digest in contents(tmp_path / "a").items() if name != "repair.parquet"}
    assert named == {name: digest for name, digest in contents(tmp_path / "b").items() if name != "repair.parquet"}
    whole = contents(tmp_path / "a")
    gone, damaged, *_ = sorted((tmp_path / "a").rglob("*.mp4"))
    gone.unlink()
    damaged.write_bytes(damaged.read_bytes()[:-1])
    again = apply(repair, pairs, table, tmp_path / "a")
    assert (first.n_reused, again.n_reused) == (0, 6)
    assert contents(tmp_path / "a") == whole


def test_names_are_opaque_and_times_are_one(pairs: Target, tmp_path: Path) -> None:
    apply(Repair(steps=[Rename(key="secret")]), pairs, None, tmp_path / "out")
    files = sorted((tmp_path / "out").rglob("*.mp4"))
    assert len(files) == 8
    assert {path.stat().st_mtime for path in files} == {946684800}
    assert not any("fake" in str(path.relative_to(tmp_path)) or "p0" in path.stem for path in files)
    table = pd.read_parquet(tmp_path / "out" / "all" / "metadata.parquet")
    assert list(table["id"]) == sorted(table["id"])
    assert 0 < table["label"].iloc[:4].sum() < 4 or len(set(table["label"])) == 2
    other = tmp_path / "other"
    apply(Repair(steps=[Rename(key="another")]), pairs, None, other)
    assert not set(pd.read_parquet(other / "all" / "metadata.parquet")["id"]) & set(table["id"])


def test_a_copied_set_keeps_its_bytes(pairs: Target, tmp_path: Path) -> None:
    apply(Repair(steps=[Resplit(fractions={"train": 0.5, "test": 0.5})]), pairs, None, tmp_path / "out")
    rows = pd.read_parquet(tmp_path / "out" / "repair.parquet")
    assert (rows["sha256"] == rows["source_sha256"]).all()
    assert set(rows["split"]) == {"train", "test"}
    halves = rows.assign(person=rows["id"].str[5:]).groupby("person")["split"].nunique()
    assert (halves == 1).all()


def test_datasets_opens_a_repaired_set(pairs: Target, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    splits = Resplit(fractions={"train": 0.5, "test": 0.5})
    for name, repair in (("whole", Repair(steps=[CROP, HARMONISE])), ("parts", Repair(steps=[splits]))):
        apply(repair, pairs, measured(pairs), tmp_path / name)
        found = datasets.load_dataset("videofolder", data_dir=str(tmp_path / name), cache_dir=str(tmp_path / "cache"))
        rows = [row for part in found.values() for row in part.select_columns(["id", "label", "component"])]
        assert len(rows) == 8 and sum(row["label"] for row in rows) == 4
        assert name == "whole" or set(found) == {"train", "test"}


def moving_mark(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures with a square that moves by two pixels a frame, and the matte of that square."""
    frames = draft(seed).frames // 2
    masks = np.zeros(frames.shape[:3], np.uint8)
    for k in range(len(frames)):
        left = 2 * (k % 24)
        frames[k, 20:36, left : left + 16] = 255
        masks[k, 20:36, left : left + 16] = 255
    return frames, masks


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Target:
    return write_built(tmp_path_factory.mktemp("built") / "set")


def write_built(folder: Path) -> Target:
    """A set with masks, tracks and segments in the layout of a build."""
    from cmdfd.audit.targets.opening import open_target
    from cmdfd.clip import REAL, Clip, Labels, Modality, Rights, Segment, sha256_file
    from cmdfd.dataset import BUILD_FILE, BuildFile, clip_paths
    from cmdfd.faces.tracks import FaceTrack, save_track
    from cmdfd.media.encode import write_clip
    from cmdfd.media.masks import write_mask
    from cmdfd.media.settings import EncoderSettings
    from cmdfd.tables import write_tables

    fake = Labels(1, 0, 1, 0, 0)
    plans = [("real", REAL, ()), ("mark", fake, ((0.2, 0.9),)), ("late", fake, ((1.38, 1.5),))]
    clips = []
    for person in range(2):
        for rank, (kind, labels, stretches) in enumerate(plans):
            paths = clip_paths("test", f"p{person}k{rank}", rank)
            for name in (paths.file, paths.mask, paths.tracks):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
            frames, masks = moving_mark(person)
            first, last = [round(25 * moment) for moment in (stretches[0] if stretches else (0, 1.5))]
            masks[:first] = masks[last:] = 0
            write_clip(folder / paths.file, frames, 25, draft(person).audio, 16000, EncoderSettings(crf=12))
            points = np.repeat(np.linspace(0.2, 0.8, len(frames), dtype=np.float32)[:, None, None], 68, 1).repeat(2, 2)
            save_track(folder / paths.tracks, FaceTrack(np.arange(len(frames)) / 25, points, points[:, 0, 0] > 0, "t"))
            if stretches:
                write_mask(folder / paths.mask, masks, 25)
            clips.append(
                Clip(
                    id=f"p{person}k{rank}", split="test", file=paths.file, sha256=sha256_file(folder / paths.file),
                    labels=labels, kind=kind, variant="", generator="" if kind == "real" else "patch",
                    face_id=f"f{person}", voice_id=f"v{person}", source_ids=(f"s{person}",), component=f"c{person}",
                    segments=tuple(Segment(a, b, Modality.VIDEO) for a, b in stretches),
                    mask=paths.mask if stretches else None, tracks=paths.tracks, fps=25.0, n_frames=len(frames),
                    width=64, height=64, sample_rate=16000, n_samples=24000, rights=Rights("CC0-1.0", "synthetic"),
                    mask_sha256=sha256_file(folder / paths.mask) if stretches else "",
                    tracks_sha256=sha256_file(folder / paths.tracks),
                )
            )  # fmt: skip
    write_tables(folder, clips)
    build = BuildFile(
        format_version=3, name="marks", recipe={}, recipe_hash="0", versions={}, encoder={},
        counts={"test": {"real": 2, "mark": 2, "late": 2}}, refused={},
    )  # fmt: skip
    (folder / BUILD_FILE).write_text(build.to_json())
    return open_target([folder])


def test_masks_segments_and_tracks_stay_aligned(built: Target, tmp_path: Path) -> None:
    from cmdfd.dataset import Dataset
    from cmdfd.faces.tracks import load_track
    from cmdfd.media.masks import forged, read_mask

    repair = Repair(steps=[CROP, HARMONISE.model_copy(update={"width": 48, "crf": 12}), Rename(key="k")])
    applied = apply(repair, built, measured(built), tmp_path / "out")
    dataset = Dataset.open(tmp_path / "out")
    dataset.verify()
    starts = {fate.new_id: fate.start for fate in applied.fates if fate.kept}
    marks = [clip for clip in dataset.rows if clip.kind == "mark"]
    assert len(marks) == 2 and sum(clip.kind == "real" for clip in dataset.rows) == 2
    for clip in marks:
        start = starts[clip.id]
        assert start is not None
        (segment,) = clip.segments
        assert (segment.start, segment.end) == (
            pytest.approx(max(0.2 - start, 0.0)),
            pytest.approx(min(0.9 - start, 0.8)),
        )
        frames = read_clip(dataset.path_of(clip)).video.frames
        mask_path, track_path = dataset.mask_of(clip), dataset.track_of(clip)
        assert mask_path is not None and track_path is not None
        masks = read_mask(mask_path).frames
        assert masks.shape == frames.shape[:3] == (20, 64, 48)
        inside = [k for k in range(20) if 0.22 < k / 25 + start < 0.86]
        assert len(inside) >= 8
        for k in inside:
            assert forged(masks[k]).any()
            assert frames[k][masks[k] == 255].mean() > 225  # the mark is under its matte at every frame
            assert frames[k][masks[k] == 0].mean() < 150
        outside = [k for k in range(20) if not 0.16 < k / 25 + start < 0.94]
        assert not any(masks[k].any() for k in outside)
        track = load_track(track_path)
        expected = 0.2 + 0.6 * 25 * (start + track.times) / 37 - 0.5  # the middle 48 of 64 columns are left
        assert np.abs(track.points[:, 0, 0] - (expected * 64 / 48 + 0.5)).max() < 0.02


def test_a_fake_whose_forgery_is_cut_away_is_dropped_and_said(built: Target, tmp_path: Path) -> None:
    applied = apply(Repair(steps=[CROP, HARMONISE]), built, measured(built), tmp_path / "out")
    gone = [fate for fate in applied.fates if not fate.kept]
    assert [fate.id for fate in gone] == ["p0k2", "p1k2"]
    assert {fate.reason for fate in gone} == {"its forged video lies outside the window"}
    assert any("crop: 2 clips dropped (0 of 2 reals, 2 of 4 fakes)" in line for line in applied.sentences)


def test_copies_go_once_and_contradictions_go_wholly(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    (folder / "x").mkdir(parents=True)
    rows = []
    for name, kind, seed in (("a", "real", 1), ("b", "real", 2), ("c", "fake", 3), ("d", "fake", 4)):
        path = folder / "x" / f"{name}.mp4"
        write_draft(path, fake_of(draft(seed), seed) if kind == "fake" else draft(seed))
        rows.append(row_of(path, folder, kind, name))
    for name, of, kind in (("e", "a", "real"), ("f", "c", "real")):
        path = folder / "x" / f"{name}.mp4"
        path.write_bytes((folder / "x" / f"{of}.mp4").read_bytes())
        rows.append(row_of(path, folder, kind, name))
    path = folder / "x" / "g.mp4"
    remux(folder / "x" / "b.mp4", path, {"title": "other tags"})
    rows.append(row_of(path, folder, "real", "g"))
    target = Target("copies", "folder pair", pd.DataFrame(rows), root=folder)
    applied = apply(Repair(steps=[Deduplicate()]), target, None, tmp_path / "out")
    reasons = {fate.id: fate.reason for fate in applied.fates if not fate.kept}
    assert reasons == {
        "real-e": "a copy of 'real-a'",
        "real-g": "a copy of 'real-b'",
        "fake-c": "copies of it have the other label",
        "real-f": "copies of it have the other label",
    }
    only_bytes = apply(Repair(steps=[Deduplicate(by=["bytes"])]), target, None, tmp_path / "bytes")
    assert "real-g" in {fate.id for fate in only_bytes.fates if fate.kept}


def test_broken_files_are_rows_and_odd_names_are_names(tmp_path: Path) -> None:
    target = write_pairs(tmp_path / "set", n=2)
    folder = target.root
    assert folder is not None
    odd = folder / "real" / "a\nb'\"$(x) %41.mp4"
    odd.write_bytes((folder / "real" / "p00.mp4").read_bytes())
    text = folder / "real" / "text.mp4"
    text.write_text("#EXTM3U\nfile:///etc/passwd\n")
    (folder / "real" / "empty.mp4").write_bytes(b"")
    extra = [row_of(path, folder, "real", path.name) for path in (odd, text, folder / "real" / "empty.mp4")]
    extra.append(row_of(folder / "real" / "missing.mp4", folder, "real", "missing"))
    extra.append({**row_of(folder / "real" / "p00.mp4", folder, "real", "none"), "path": ""})
    target = Target("odd", "folder pair", pd.concat([target.clips, pd.DataFrame(extra)], ignore_index=True), folder)
    applied = apply(Repair(steps=[HARMONISE]), target, None, tmp_path / "out")
    reasons = {fate.id: fate.reason.split(":")[0] for fate in applied.fates if not fate.kept}
    assert reasons == {
        "real-text.mp4": "unsafe_reference",
        "real-empty.mp4": "empty",
        "real-missing": "missing",
        "real-none": "missing",
    }
    kept = {fate.id: fate.new_id for fate in applied.fates if fate.kept}
    assert kept["real-p00"] == "real-p00" and kept[f"real-{odd.name}"].isalnum()
    written = pd.read_parquet(tmp_path / "out" / "repair.parquet")
    assert odd.name in " ".join(written["file"])
    assert len(folder_target(tmp_path / "out").clips) == 5


def test_what_is_copied_is_media_and_no_private_file_behind_a_link(pairs: Target, tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    (tmp_path / "private.txt").write_text("password: 1234\n" * 50)
    link = folder / "clip.mp4"
    link.symlink_to(tmp_path / "private.txt")
    extra = pd.DataFrame([row_of(link, folder, "real", "link")])
    target = Target("links", "folder pair", pd.concat([pairs.clips, extra], ignore_index=True), folder)
    applied = apply(Repair(steps=[Rename(key="k")]), target, None, tmp_path / "out")
    assert {fate.id: fate.reason.split(":")[0] for fate in applied.fates if not fate.kept} == {"real-link": "not_media"}
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len([path for path in files if path.suffix == ".mp4"]) == len(pairs.clips)
    assert not any(b"password" in path.read_bytes() for path in files)


def test_out_must_be_empty_and_outside_of_the_source(pairs: Target, tmp_path: Path) -> None:
    assert pairs.root is not None
    repair = Repair(steps=[Rename(key="k")])
    link = tmp_path / "link"
    link.symlink_to(pairs.root)
    for out in (pairs.root, pairs.root / "new", pairs.root / "real" / "x", link / "y", pairs.root / ".." / "set" / "z"):
        with pytest.raises(RepairError, match="inside the source"):
            apply(repair, pairs, None, out)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(RepairError, match="is not empty and holds no repair"):
        apply(repair, pairs, None, tmp_path / "full")
    (tmp_path / "file").write_text("")
    with pytest.raises(RepairError, match="is a file"):
        apply(repair, pairs, None, tmp_path / "file")
    apply(repair, pairs, None, tmp_path / "one")
    with pytest.raises(RepairError, match="holds another repair"):
        apply(Repair(steps=[Rename(key="other")]), pairs, None, tmp_path / "one")
    assert sorted(path.name for path in pairs.root.iterdir()) == ["fake", "real"]


def test_loudness_is_one_after_coding(tmp_path: Path) -> None:
    """Louder sources must not come out a little louder: AAC takes another share of their energy."""
    from dataclasses import replace

    from cmdfd.media.decode import read_audio
    from cmdfd.media.loudness import integrated_loudness

    rows = []
    for k, gain in enumerate((0.05, 0.5, 1.0, 4.0)):
        one = draft(k)
        path = tmp_path / "set" / f"{k}.mp4"
        path.parent.mkdir(exist_ok=True)
        write_draft(path, replace(one, audio=one.audio * np.float32(gain)))
        rows.append(row_of(path, path.parent, "real", str(k)))
    target = Target("gains", "video folder", pd.DataFrame(rows), root=tmp_path / "set")
    apply(Repair(steps=[HARMONISE]), target, None, tmp_path / "out")
    for path in (tmp_path / "out").rglob("*.mp4"):
        loudness = integrated_loudness(read_audio(path, sample_rate=16000).samples, 16000)
        assert loudness == pytest.approx(-23.0, abs=0.12)


def test_sizes_shapes_and_sound_become_one(tmp_path: Path) -> None:
    from cmdfd.audit.measure import measure_file
    from cmdfd.media.encode import write_clip
    from cmdfd.media.settings import EncoderSettings

    folder = tmp_path / "set"
    folder.mkdir()
    rows = []
    for name, height, width, rate, sound in (
        ("a", 96, 128, 16000, True),
        ("b", 128, 96, 48000, True),
        ("c", 64, 64, 0, False),
    ):
        frames = np.full((30, height, width, 3), 120, np.uint8)
        audio = np.random.default_rng(0).normal(0, 0.1, round(1.2 * rate)).astype(np.float32) if sound else None
        write_clip(folder / f"{name}.mp4", frames, 25, audio, rate or 16000, EncoderSettings())
        rows.append(row_of(folder / f"{name}.mp4", folder, "real", name))
    target = Target("mixed", "video folder", pd.DataFrame(rows), root=folder)
    applied = apply(Repair(steps=[HARMONISE]), target, None, tmp_path / "out")
    assert [(fate.id, fate.reason.split(":")[0]) for fate in applied.fates if not fate.kept] == [("real-c", "no_audio")]
    cues = [measure_file(path) for path in sorted((tmp_path / "out").rglob("*.mp4"))]
    assert {(one["geometry.width"], one["container.sample_rate"], one["time.n_frames"]) for one in cues} == {
        (64, 16000, 30)
    }
    silent = HARMONISE.model_copy(update={"sound": "remove"})
    assert apply(Repair(steps=[silent]), target, None, tmp_path / "mute").n_kept == 3
    cues = [measure_file(path) for path in sorted((tmp_path / "mute").rglob("*.mp4"))]
    assert {one["container.streams"] for one in cues} == {"v"}
    for path in (tmp_path / "out").rglob("*.mp4"):  # the middle is taken, no bars are left
        frames = read_clip(path).video.frames
        assert abs(int(frames[0, 0, 0, 0]) - int(frames[0, 32, 32, 0])) < 12
