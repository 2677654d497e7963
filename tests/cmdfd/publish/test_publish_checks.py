from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from public_set import (
    RATE,
    RECIPE,
    SETTINGS,
    SOURCES,
    change_build,
    change_clips,
    change_provenance,
    copy_of,
    renamed,
    write_public_set,
)

from cmdfd.clip import Clip, Rights, content_id, sha256_file
from cmdfd.dataset import Dataset
from cmdfd.errors import CmdfdError
from cmdfd.media.decode import read_audio, read_video
from cmdfd.media.encode import write_clip
from cmdfd.media.masks import read_mask
from cmdfd.publish.checks import LIFTABLE, SHOWN, CheckOptions, _gate_of_build, check, inspect, shortened
from cmdfd.publish.names_check import _strongest
from cmdfd.publish.records import REFUSALS, Problem, Repo
from cmdfd.publish.rights_check import EXAMPLES, forbids
from cmdfd.publish.run import PublishOptions, publish
from cmdfd.takedown.tombstones import write_tombstones

QUICK = CheckOptions(audit="quick", draws=999, workers=1)


@pytest.fixture
def folder(public_set: Dataset, tmp_path: Path) -> Path:
    return copy_of(public_set, tmp_path / "toy")


def only(problems: list[Problem], code: str) -> Problem:
    """The one code that was found; every problem says what to do."""
    assert {one.code for one in problems} == {code}, [one.text for one in problems]
    assert all(one.where and one.reason and one.fix for one in problems)
    return problems[0]


def rights(licence: str, consent: str) -> Callable[[Clip], Clip]:
    return lambda clip: replace(clip, rights=Rights(licence, consent)) if clip.split == "test" else clip


def told_together(one: Problem, n: int, data: Dataset) -> None:
    """One problem for all clips of a split, with their number and some of their ids."""
    assert n == 1 and one.where.startswith("test/labels.parquet: 16 clips: ")
    named = [clip.id for clip in data.clips("test") if clip.id in one.where]
    assert len(named) == EXAMPLES and one.where.endswith("and 13 more")


def test_a_sound_set_may_go(public_set: Dataset) -> None:
    said: list[str] = []
    checked = check(public_set.folder, QUICK, said.append)
    assert checked.problems == () and checked.overrides == {}
    assert checked.audit is not None and checked.audit.status == "passed" and checked.audit.depth == "headers"
    assert checked.notes == ("the audit read headers and packets only; sound and picture were not looked at",)
    assert "licences and consent" in said and "names" in said


@pytest.mark.parametrize("licence", ["", "unclear", "Unknown", "tbd"])
def test_a_missing_licence_is_refused(folder: Path, licence: str) -> None:
    found, _ = inspect(change_clips(folder, rights(licence, "given")))
    one = only(found, "licence_missing")
    told_together(one, len(found), Dataset.open(folder))
    assert repr(licence) in one.reason and "sources.csv" in one.fix


@pytest.mark.parametrize("consent", ["", "unknown", "perhaps"])
def test_a_missing_consent_is_refused(folder: Path, consent: str) -> None:
    found, _ = inspect(change_clips(folder, rights("CC0-1.0", consent)))
    one = only(found, "consent_missing")
    told_together(one, len(found), Dataset.open(folder))
    assert repr(consent) in one.reason and "leave the recording out" in one.fix


def test_licences_that_forbid_and_licences_that_bind(folder: Path) -> None:
    for licence in ("research-only", "CC-BY-4.0 AND research-only", "CC-BY-ND-4.0", "CC-BY-NC-ND-4.0", "Lab EULA"):
        found, _ = inspect(change_clips(folder, rights(licence, "given")))
        assert "--recipe-only" in only(found, "licence_forbids").fix
    for licence, note in (
        ("CC-BY-NC-4.0", "non-commercial use only"),
        ("CC-BY-SA-4.0", "must keep that licence"),
        ("CPML", "is not known here"),
    ):
        found, notes = inspect(change_clips(folder, rights(licence, "given")))
        assert not found and any(note in one and licence in one for one in notes)
    assert [forbids(one) for one in ("CC0-1.0", "MIT", "CC-BY-NC-SA-4.0", "CPML", "")] == [""] * 5


def test_a_generator_may_forbid_what_its_sources_allow(folder: Path) -> None:
    change_provenance(folder, lambda row: row | {"output_licence": "research-only" if row["kind"] == "lips" else ""})
    found, _ = inspect(Dataset.open(folder))
    assert len(found) == 1 and "provenance.parquet: 16 clips: " in found[0].where
    assert "generator 'lips'" in only(found, "licence_forbids").reason


def test_an_override_of_the_build_is_told(folder: Path) -> None:
    change_provenance(folder, lambda row: row | {"rights_override": "my own face" if row["kind"] == "lips" else ""})
    found, notes = inspect(Dataset.open(folder))
    assert not found and any("16 fakes" in one and "my own face" in one for one in notes)


def test_a_changed_file_a_missing_one_and_a_stranger_are_refused(folder: Path, public_set: Dataset) -> None:
    first, second, third = public_set.rows[:3]
    (folder / first.file).unlink()
    (folder / second.file).unlink()
    (folder / second.file).write_bytes((public_set.folder / second.file).read_bytes() + b"x")
    (folder / "test/videos/000/stranger.mp4").write_bytes(b"x")
    track = folder / str(third.tracks)
    track.unlink()
    track.symlink_to(public_set.folder / str(third.tracks))
    found, _ = inspect(Dataset.open(folder))
    only(found, "changed_file")
    told = {one.where: one.reason for one in found}
    assert told[first.file] == "missing" and "bytes changed" in told[second.file]
    assert "no table names" in told["test/videos/000/stranger.mp4"]
    assert str(tmp := folder) not in " ".join(told.values()), tmp
    assert any("leaves the data set's folder" in reason for reason in told.values())


def test_a_split_leak_is_refused(folder: Path) -> None:
    found, _ = inspect(change_clips(folder, lambda clip: replace(clip, face_id=clip.face_id.replace("test", "train"))))
    one = only(found, "split_leak")
    assert one.where == "train, test" and "face id" in one.reason and "component" in one.fix


def test_a_wrong_label_is_refused(folder: Path) -> None:
    found, _ = inspect(
        change_clips(folder, lambda clip: replace(clip, mask=None, labels=replace(clip.labels, label=0)))
    )
    assert any("label 0 with a forged part" in one.reason for one in found)
    assert {one.code for one in found} <= {"wrong_label", "changed_file"}  # masks that no row names


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (lambda clip: f"fake-{clip.id}", "'fake'"),
        (lambda clip: f"{clip.id}_lips", "'lips'"),
        (lambda clip: f"wav2lip-{clip.id}", "'wav2lip'"),
        (lambda clip: f"x{clip.source_ids[0]}", "the source 'take-"),
        (lambda clip: clip.face_id, "the person 'person-"),
        (lambda clip: f"{clip.id}.1", "signs other than"),
    ],
)
def test_a_telling_name_is_refused(folder: Path, name: Callable[[Clip], str], told: str) -> None:
    clips = Dataset.open(folder).rows
    victim = next(clip for clip in clips if clip.labels.label == 1)
    changed = renamed(folder, victim, name(victim))
    found, _ = inspect(change_clips(folder, lambda clip: changed if clip.id == victim.id else clip))
    one = next(one for one in found if one.code == "leaking_name" and told in one.reason)
    assert victim.split in one.where and "content_id" in one.fix
    assert {one.code for one in found} == {"leaking_name"}


@pytest.mark.parametrize("pattern", ["order", "sign", "length"])
def test_a_pattern_of_the_ids_is_refused(folder: Path, pattern: str) -> None:
    fresh = {clip.id: content_id("fresh", clip.id) for clip in Dataset.open(folder).rows}
    names = {
        "order": lambda clip: ("0" if clip.labels.label else "f") + fresh[clip.id][1:],
        "sign": lambda clip: fresh[clip.id][:8] + ("a" if clip.labels.label else "b") + fresh[clip.id][9:],
        "length": lambda clip: fresh[clip.id] + ("0" if clip.labels.label else ""),
    }
    found, _ = inspect(change_clips(folder, lambda clip: renamed(folder, clip, names[pattern](clip))))
    assert "tells the class" in only(found, "leaking_name").reason


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(2, 200), st.floats(0.1, 0.9))
def test_drawn_ids_are_not_refused(seed: int, n: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    inside = rng.random(n) < share
    _, p = _strongest([content_id(seed, k) for k in range(n)], inside.tolist())
    assert p > 1e-5 or n == 0


def test_labels_of_a_withheld_split_are_refused(folder: Path) -> None:
    change_build(folder, withheld=["test"])
    found, _ = inspect(Dataset.open(folder))
    one = only(found, "withheld_label")
    assert one.where == "test/metadata.parquet" and "16 clips" in one.reason and "withheld: [test]" in one.fix
    data = change_clips(folder, lambda clip: clip, ["test"])
    found, notes = inspect(data)
    assert not found and any("keep both secret" in one for one in notes)
    (folder / "test" / "labels.parquet").unlink()
    found, _ = inspect(Dataset.open(folder))
    assert "nothing about it can be checked" in next(one.reason for one in found if one.code == "unfinished")


def test_public_columns_that_tell_withheld_labels_are_refused(folder: Path) -> None:
    def scene(clip: Clip) -> Clip:
        return replace(clip, scene="news" if clip.labels.label else "grid") if clip.split == "test" else clip

    write_more = copy_of(write_public_set(folder.parent / "more", ("test",), people=12), folder.parent / "copy")
    found, _ = inspect(change_clips(write_more, scene, ["test"]))
    reason = only(found, "withheld_label").reason
    assert "scene 'news' has 12 fakes and 0 reals" in reason or "scene 'grid' has 0 fakes and 12 reals" in reason


def test_a_seed_that_can_be_guessed_is_refused(folder: Path) -> None:
    change_clips(folder, lambda clip: clip, ["test"])
    change_build(folder, recipe=RECIPE | {"seed": 7, "source": {"kind": "talkers", "options": {}}})
    found, _ = inspect(Dataset.open(folder))
    problem = only(found, "withheld_label")
    assert "seed 7 can be guessed" in problem.reason and "secrets.randbits(62)" in problem.fix
    change_build(folder, recipe=RECIPE | {"seed": 2**62 + 7, "source": {"kind": "talkers", "options": {}}})
    found, notes = inspect(Dataset.open(folder))
    assert not [one for one in found if one.code == "withheld_label"]
    assert any("keep both secret" in one for one in notes)


def test_visible_twins_are_told(folder: Path) -> None:
    _, notes = inspect(change_clips(folder, lambda clip: clip, ["test"]))
    assert any(one.startswith("test: 16 clips have the same audio packets") for one in notes)
    assert not any("same video packets" in one for one in notes)


def test_places_in_the_tags_of_media_are_refused(folder: Path) -> None:
    clips = Dataset.open(folder).rows
    path = folder / clips[0].file
    tagged = path.with_suffix(".new.mp4")
    with av.open(str(path)) as source, av.open(str(tagged), "w", options={"movflags": "use_metadata_tags"}) as out:
        streams = {one.index: out.add_stream_from_template(one) for one in source.streams}
        out.metadata["location"] = "+48.1372+011.5755/"
        out.metadata["remark"] = "from /home/anna/clips"
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
    path.unlink()
    tagged.rename(path)
    sha256 = sha256_file(path)
    data = change_clips(folder, lambda clip: replace(clip, sha256=sha256) if clip.id == clips[0].id else clip)
    found, _ = inspect(data)
    assert only(found, "personal_data").where == clips[0].file
    told = " ".join(one.reason for one in found)
    assert "'location'" in told and "/home/anna/clips" in told and "never changes the bytes" in found[0].fix


def test_places_in_the_bytes_and_streams_of_media_are_refused(folder: Path) -> None:
    forged = next(clip for clip in Dataset.open(folder).rows if clip.mask)
    hidden, told = folder / forged.file, folder / str(forged.mask)
    content = hidden.read_bytes()
    hidden.unlink()
    box = SOURCES.encode()
    hidden.write_bytes(content + (len(box) + 8).to_bytes(4, "big") + b"free" + box)
    mask = read_mask(told)
    told.unlink()
    with av.open(str(told), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "gray"
        out.add_attachment("track.gpx", "application/gpx+xml", b"<gpx/>")
        for frame in mask.frames:
            picture = np.repeat(frame.reshape(64, 64, -1)[..., :1], 3, axis=2)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        out.mux(stream.encode())
    sha256, mask_sha256 = sha256_file(hidden), sha256_file(told)
    change = replace(forged, sha256=sha256, mask_sha256=mask_sha256)
    found, _ = inspect(change_clips(folder, lambda clip: change if clip.id == forged.id else clip))
    assert {one.code for one in found} == {"personal_data"}
    assert any(one.where == forged.file and f"its bytes hold {SOURCES!r}" in one.reason for one in found)
    assert any(one.where == forged.mask and "attachment stream" in one.reason for one in found)


def cut_short(folder: Path, clip: Clip) -> Clip:
    """A fake whose sound ends early, as that of many vocoders does."""
    path = folder / clip.file
    video, sound = read_video(path), read_audio(path)
    path.unlink()
    samples = np.asarray(sound.samples, np.float32).reshape(-1)[: clip.n_samples - 3000]
    write_clip(path, np.asarray(video.frames), clip.fps, samples, RATE, SETTINGS)
    return replace(clip, sha256=sha256_file(path), n_samples=len(samples))


def test_a_failing_audit_is_refused(folder: Path) -> None:
    change_clips(folder, lambda clip: cut_short(folder, clip) if clip.labels.label else clip)
    checked = check(folder, QUICK)
    only(list(checked.problems), "audit_failed")
    one = next(one for one in checked.problems if "time.av_gap" in one.where or "time.audio" in one.where)
    assert "--fix" in one.fix and str(folder) in one.fix and "AUC" in one.reason


def test_everything_is_told_at_once_and_counted(folder: Path) -> None:
    change_clips(folder, rights("unclear", "unknown"))
    change_build(folder, audit={"status": "failed", "sentences": ["The gap tells."]})
    (folder / "train/videos/000/stranger.mp4").write_bytes(b"x")
    checked = check(folder, replace(QUICK, accept={"licence_missing": "the archive is gone"}))
    codes = [one.code for one in checked.problems]
    assert codes.count("consent_missing") == 1
    assert set(codes) == {"consent_missing", "changed_file", "audit_failed"}
    assert "The gap tells." in next(one.reason for one in checked.problems if one.code == "audit_failed")
    assert checked.overrides == {"licence_missing": "the archive is gone"}


def test_too_few_people_are_no_audit(tmp_path: Path) -> None:
    data = write_public_set(tmp_path / "toy", ("test",), people=2)
    checked = check(data.folder, QUICK)
    one = only(list(checked.problems), "audit_missing")
    assert "nothing could have been found" in one.reason and "components" in one.fix
    lifted = check(data.folder, replace(QUICK, accept={"audit_missing": "a set of canaries"}))
    assert lifted.problems == () and lifted.overrides == {"audit_missing": "a set of canaries"}
    assert any("audit_missing lifted (1 problem, e.g. audit): a set of canaries" in note for note in lifted.notes)


@pytest.mark.parametrize("code", sorted(set(REFUSALS) - LIFTABLE))
def test_what_hurts_others_cannot_be_lifted(public_set: Dataset, code: str) -> None:
    with pytest.raises(CmdfdError, match="nobody can lift"):
        check(public_set.folder, CheckOptions(accept={code: "I want to"}))


def test_broken_sets_are_problems_not_errors(folder: Path, tmp_path: Path) -> None:
    def broken(spoil: Callable[[Path], Any]) -> Problem:
        copy = tmp_path / "broken"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
        spoil(copy)
        return check(copy, QUICK).problems[0]

    for spoil in (
        lambda copy: (copy / "build.json").unlink(),
        lambda copy: (copy / "build.json").write_text("{"),
        lambda copy: (copy / "test/metadata.parquet").write_bytes(b"PAR1"),
        shutil.rmtree,
    ):
        assert broken(spoil).code == "unfinished"
    (folder / "provenance.parquet").write_bytes(b"PAR1")
    found, _ = inspect(Dataset.open(folder))
    assert [one.code for one in found] == ["unfinished"] and "cannot be read" in found[0].reason


def test_tombstones_that_cannot_be_read_are_not_built_again(folder: Path) -> None:
    (folder / "tombstones.parquet").write_bytes(b"junk")
    found = only(inspect(Dataset.open(folder))[0], "unfinished")
    assert found.where == "tombstones.parquet" and "bring it back" in found.fix


def test_a_file_in_the_place_of_the_copy_is_told_before_the_audit(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine", encoding="utf-8")
    options = PublishOptions(folder, Repo("a/b"), output=tmp_path / "out", dry_run=True)
    with pytest.raises(CmdfdError, match=r"out: a file lies there; name another folder by -o"):
        publish(options, lambda text: pytest.fail(f"began: {text}"))
    assert (tmp_path / "out").read_text(encoding="utf-8") == "mine"


def test_many_problems_of_one_code_are_counted() -> None:
    many = [Problem("changed_file", f"clip {number}", "bytes changed", "build again") for number in range(SHOWN + 6)]
    told = shortened([*many, *many])
    assert len(told) == SHOWN + 1 and told[-1].where == f"{SHOWN + 6} places" and "6 more" in told[-1].reason


def test_a_folder_that_is_no_set_is_told_once_with_what_to_do(folder: Path, tmp_path: Path) -> None:
    def told(path: Path) -> Problem:
        one = only(list(check(path, QUICK).problems), "unfinished")
        assert one.text.count(str(path)) == 1
        return one

    name_it = "name the folder that generators.build wrote"
    nowhere = told(tmp_path / "nowhere")
    assert nowhere.reason == "there is no such folder" and nowhere.fix == name_it
    (tmp_path / "pictures").mkdir()
    assert told(tmp_path / "pictures").fix == name_it
    (tmp_path / "file").write_text("x")
    assert "this is a file" in told(tmp_path / "file").reason
    (folder / "build.json").write_text("{")
    assert told(folder).fix == "finish the build with the command that began it"  # it left its journal
    (folder / "journal.jsonl").unlink()
    assert told(folder).fix == name_it


def test_why_there_is_no_gate_of_the_build_is_told(folder: Path) -> None:
    def note() -> str:
        return next(one for one in _gate_of_build(Dataset.open(folder))[1] if "the audit made here stands in" in one)

    change_build(folder, audit=None)
    assert "was switched off" in note()
    change_build(folder, recipe=RECIPE | {"repair": {"steps": []}})
    assert "the set was repaired since the build" in note()
    write_tombstones(folder, {"0" * 16: "v1.1.0"})
    assert "clips were withdrawn since the build" in note() and "switched off" not in note()
