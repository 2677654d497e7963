from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from manual_media import Media, edited_patch, grey, listed, speech, texture, write

from cmdfd.clip import REAL, Modality, Segment
from cmdfd.dataset import Dataset
from cmdfd.errors import CmdfdError, JobError, MediaError
from cmdfd.media.decode import read_video
from cmdfd.media.masks import read_mask
from cmdfd.tables import read_table
from generators.build import BuildOptions, build
from generators.generator import EditedTake, Job, Take
from generators.manual.__main__ import main
from generators.manual.edit import ManualEdit
from generators.recipe import Recipe
from generators.sources.manual import ManualSource
from generators.sources.store import load_take, save_take

GENERATOR = "manual/edit"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two edits: one with a matte and replaced sound, one of the picture alone, of strangers of whom one lends."""
    made = tmp_path_factory.mktemp("edits")
    for name, other in (("a", "b"), ("c", "d")):
        film, sound = texture(name, 2.0), speech(name, 2.0)
        write(made / f"{name}.mp4", Media(film, sound))
        edit, matte = edited_patch(film, texture(other, 2.0), 12, 40)
        if name == "a":
            sound[48000:72000] = speech(other, 2.0)[48000:72000]
            write(made / "mattes" / "a.mkv", Media(grey(matte), None, codec="ffv1", pixels="yuv444p", options={}))
        write(made / "edits" / f"{name}.mp4", Media(edit, sound, options={"crf": "22"}))
    listed(
        made,
        {"original": "a.mp4", "edited": "edits/a.mp4", "matte": "mattes/a.mkv", "operation": "face-swap",
         "donors": "dora", "identity_mismatch": "1", "split": "test"},
        {"original": "c.mp4", "edited": "edits/c.mp4", "face_id": "carl", "split": "train"},
    )  # fmt: skip
    return made


def recipe(folder: Path) -> Recipe:
    return Recipe.model_validate({
        "schema_version": 2,
        "name": "manual",
        "source": {"kind": "manual", "options": {"folder": str(folder), "seconds": 1.6}},
        "kinds": [{"kind": GENERATOR}],
        "real": {"through": [GENERATOR]},
        "harmonise": {"width": 192, "height": 112, "seconds": 1.6, "crf": (18, 20), "preset": "ultrafast"},
        "audit": {"gate": False},
    })  # fmt: skip


def test_a_build_gives_fakes_with_masks_and_labels_and_their_twins(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    report = build(recipe(folder), out, options=BuildOptions(executor="serial"))
    assert not report.refused and not report.remaining
    data = Dataset.open(out)
    assert data.verify().n_clips == 4
    (fake,) = [clip for clip in data.clips("test") if clip.kind == "manual/edit"]
    (real,) = [clip for clip in data.clips("test") if clip.kind == "real"]
    labels = (
        fake.labels.audio_label,
        fake.labels.video_label,
        fake.labels.sync_mismatch,
        fake.labels.identity_mismatch,
    )
    assert labels == (1, 1, None, 1) and fake.variant == "face-swap"
    assert {one.modality for one in fake.segments} == {Modality.AUDIO, Modality.VIDEO}
    assert fake.component == real.component and real.labels == REAL and real.mask is None
    mask = data.mask_of(fake)  # type: ignore[attr-defined]
    assert mask is not None
    masks = read_mask(mask).frames > 10
    pictures = [read_video(data.path_of(clip)).frames.astype(np.float32) for clip in (real, fake)]
    away = np.abs(pictures[1] - pictures[0]).mean(axis=3)
    assert masks.any() and away[masks].mean() > 4 * away[~masks].mean()
    (carl,) = [clip for clip in data.clips("train") if clip.kind == "manual/edit"]
    assert (carl.labels.audio_label, carl.labels.video_label, carl.labels.identity_mismatch) == (0, 1, None)
    rows = {row["id"]: row for row in read_table(out / "provenance.parquet")}
    assert '"tool": "test"' in rows[fake.id]["details"] or '"tool":"test"' in rows[fake.id]["details"]


def test_items_share_hooks_and_materialise_to_the_same_bytes_twice(folder: Path, tmp_path: Path) -> None:
    source = ManualSource(folder=str(folder), seconds=1.6)
    plan = source.plan({}, 0)
    first, second = plan.items
    assert not plan.refused and (first.split, second.split) == ("test", "train")
    assert (first.face_id, first.voice_id) == ("anna", "anna")
    assert len([one for one in first.source_ids if one.startswith("person-")]) == 2  # anna and dora
    assert not set(first.source_ids) & set(second.source_ids)
    trees = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        source.materialise(first, tmp_path / name)
        trees.append({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / name).iterdir()})
    assert trees[0] == trees[1]
    assert set(trees[0]) == {"clip.mkv", "take.json", "edited.mkv", "matte.mkv", "edit.json"}


def test_a_donor_who_is_seen_elsewhere_joins_the_takes(folder: Path) -> None:
    path = listed(
        folder / "mattes",
        {"original": "a.mp4", "edited": "edits/a.mp4", "donors": "carl"},
        {"original": "c.mp4", "edited": "edits/c.mp4", "face_id": "carl"},
    )
    items = ManualSource(folder=str(folder), csv=str(path), seconds=1.6).plan({}, 0).items
    assert set(items[0].source_ids) & set(items[1].source_ids)


def test_files_that_are_missing_changed_linked_or_equal_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.mp4").write_bytes((folder / "a.mp4").read_bytes())
    inside = tmp_path / "in"
    inside.mkdir()
    for name in ("a.mp4", "edits/a.mp4"):
        (inside / Path(name).name.replace("a", "e" if "/" in name else "o")).write_bytes((folder / name).read_bytes())
    (inside / "link.mp4").symlink_to(tmp_path / "outside.mp4")
    (inside / "same.mp4").write_bytes((inside / "o.mp4").read_bytes())
    original = next(inside.glob("o*")).name
    edited = next(inside.glob("e*")).name
    listed(
        inside,
        {"original": original, "edited": "nothing.mp4"},
        {"original": original, "edited": "link.mp4"},
        {"original": original, "edited": "same.mp4"},
        {"original": original, "edited": edited, "pristine": "false"},
    )
    plan = ManualSource(folder=str(inside)).plan({}, 0)
    told = {one.file: (one.code, one.reason) for one in plan.refused}
    assert not plan.items
    assert told["nothing.mp4"][0] == "missing" and told["link.mp4"][0] == "unsafe_reference"
    assert "identical" in told["same.mp4"][1] and "not pristine" in told[edited][1]
    listed(inside, {"original": original, "edited": edited})
    source = ManualSource(folder=str(inside))
    (item,) = source.plan({}, 0).items
    with (inside / edited).open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(MediaError, match="changed since"):
        source.materialise(item, tmp_path)


@pytest.mark.parametrize(
    ("options", "why"),
    [({"foldr": "x"}, "did you mean 'folder'"), ({"folder": "x", "width": 64}, "go together"),
     ({"folder": "x", "seconds": 1, "min_seconds": 2}, "more than seconds"),
     ({"folder": "/no/such"}, "no such folder")],
)  # fmt: skip
def test_wrong_options_are_named(options: dict[str, object], why: str) -> None:
    with pytest.raises(CmdfdError, match=why):
        ManualSource(options).plan({}, 0)


def job(take: Take, start: float = 0.0, seconds: float = 1.0) -> Job:
    return Job(take, None, start, seconds, {}, np.random.default_rng(0))


def small_take(*segments: Segment) -> Take:
    frames = np.random.default_rng(1).integers(0, 255, (50, 64, 96, 3), np.uint8)
    audio = speech("x", 2.0, 16000)
    masks = np.zeros((50, 64, 96), np.uint8)
    masks[30:40, 10:30, 10:30] = 255
    coding = {"codec": "libx264", "quality": 28, "width": 96, "height": 64, "sound": "aac", "sample_rate": 48000,
              "bit_rate": 48000}  # fmt: skip
    edited = EditedTake(
        frames[:, ::-1].copy(), audio[::-1].copy(), masks, segments, {"coding": coding, "operation": "splice"}
    )
    return Take(frames, 25.0, audio, 16000, edited=edited)


def test_labels_follow_what_the_window_shows() -> None:
    take = small_take(Segment(0.2, 0.4, Modality.AUDIO), Segment(1.2, 1.6, Modality.VIDEO))
    early, late = ManualEdit().generate(job(take)), ManualEdit().generate(job(take, 1.0))
    assert (early.labels.audio_label, early.labels.video_label, early.masks) == (1, 0, None)
    assert (late.labels.audio_label, late.labels.video_label) == (0, 1) and late.masks is not None
    with pytest.raises(JobError, match="outside the clip"):
        ManualEdit().generate(job(take, 0.5, 0.5))
    with pytest.raises(JobError, match="source 'manual'"):
        ManualEdit().generate(job(replace(take, edited=None)))


def test_the_sham_codes_the_original_once_and_always_alike() -> None:
    take = small_take(Segment(0.2, 0.4, Modality.AUDIO))
    one, two = ManualEdit().sham(job(take)), ManualEdit().sham(job(take))
    assert one.labels == REAL and not one.segments and one.masks is None
    assert np.array_equal(one.take.frames, two.take.frames) and np.array_equal(one.take.audio, two.take.audio)
    assert not np.array_equal(one.take.frames, take.frames) and not np.array_equal(one.take.audio, take.audio)
    assert one.take.frames.shape == take.frames.shape and one.take.audio.shape == take.audio.shape
    assert np.corrcoef(one.take.audio, take.audio)[0, 1] > 0.95  # nothing was shifted


def test_the_sham_does_the_damage_that_the_export_did(folder: Path, tmp_path: Path) -> None:
    source = ManualSource(folder=str(folder), seconds=1.6)
    source.materialise(source.plan({}, 0).items[1], tmp_path)
    take = load_take(tmp_path)
    assert take.edited is not None and take.edited.masks is not None
    free = take.edited.masks == 0
    made = ManualEdit().sham(job(take)).take.frames
    damage = [float(((one.astype(np.float32) - take.frames) ** 2)[free].mean()) for one in (made, take.edited.frames)]
    assert 0.5 < damage[0] / damage[1] < 2.0


def test_takes_come_back_as_they_were_saved(tmp_path: Path) -> None:
    take = small_take(Segment(0.2, 0.4, Modality.AUDIO), Segment(1.2, 1.6, Modality.VIDEO))
    save_take(tmp_path, take)
    back = load_take(tmp_path).edited
    assert back is not None and take.edited is not None
    assert np.array_equal(back.masks, take.edited.masks) and back.segments == take.edited.segments  # type: ignore[arg-type]
    assert back.details == take.edited.details and len(back.frames) == 50
    assert load_take(tmp_path, frames=False).edited is None
    (tmp_path / "edit.json").write_text("{}")
    with pytest.raises(MediaError, match="record of an edit"):
        load_take(tmp_path)
    plain = tmp_path / "plain"
    plain.mkdir()
    save_take(plain, replace(take, edited=None))
    assert sorted(path.name for path in plain.iterdir()) == ["clip.mkv", "take.json"]


def test_the_command_line_checks_shows_and_writes_a_template(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "220")
    assert main([str(folder), "--seconds", "1.6", "--picture", str(tmp_path / "p.png"), "--frames", "3"]) == 0
    said = capsys.readouterr().out
    assert "edits/a.mp4" in said and "luma video" in said and "0 cannot be used" in said
    assert (tmp_path / "p.png").stat().st_size > 10_000
    assert main([str(tmp_path / "new"), "--template"]) == 0 and (tmp_path / "new" / "edits.csv").is_file()
    assert main([str(tmp_path / "new"), "--template"]) == 2
    assert main([str(tmp_path / "new")]) == 1  # its files are not there
    assert main([str(tmp_path / "nothing")]) == 2
