"""Scenes and platforms in a build: twins, masks, casts, versions, and what a kill or a failure leaves."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_source import HARMONISE, SERIAL, tree

from cmdfd.clip import Labels, Modality, Segment
from cmdfd.dataset import Dataset, DatasetError, media_files
from cmdfd.errors import CmdfdError, JobError
from cmdfd.media.decode import read_clip, read_video
from cmdfd.media.masks import forged, read_mask
from cmdfd.tables import read_table
from generators.build import build
from generators.generator import GeneratorSpec, Job, Outcome
from generators.recipe import Recipe, RecipeError, load_recipe
from generators.sham import Sham
from generators.social.transmit import resolve_chain

pytest.importorskip("moviepy")

Make = Callable[..., Recipe]
KINDS: list[dict[str, Any]] = [
    {"kind": "audio/swap"},
    {"kind": "video/mouth_warp"},
    {"kind": "video/mouth_both", "generator": "video/mouth_warp", "panels": 2},
    {"kind": "scene/square", "generator": "test_scene_builds:Square", "on": "scene"},
]
SCENES = {"layouts": ["interview", "portrait"], "long_edge": 240}
CHAINS = ["whatsapp", "facebook_sd+messenger"]
SPLITS = {"test": {"identities": 4, "clips": 1}}


class Square(Sham):
    """Draws a white square into the first half second of whatever picture it is given."""

    spec = GeneratorSpec("test/square", "splice", "a square", ("video",))

    def generate(self, job: Job) -> Outcome:
        frames, first = job.take.frames.copy(), round(job.start * job.take.fps)
        masks = np.zeros(frames.shape[:3], np.uint8)
        for changed in (frames, masks):
            changed[first : first + round(0.5 * job.take.fps), 20:60, 30:80] = 255
        where = (Segment(job.start, job.start + 0.5, Modality.VIDEO),)
        return Outcome(replace(job.take, frames=frames), Labels(1, 0, 1, 0, 0), where, masks)


class Broken(Sham):
    """Fails on every second take, halfway."""

    spec = GeneratorSpec("test/broken", "splice", "fails", ("video",))

    def generate(self, job: Job) -> Outcome:
        if job.ordinal % 2:
            raise JobError("face_not_found", "test/broken", "no face in frame 7")
        return Square().generate(job)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A small set of scenes, each clip as an original and two versions."""
    recipe = _recipe(KINDS)
    out = tmp_path_factory.mktemp("scenes") / "set"
    report = build(recipe, out, options=SERIAL)
    assert not report.refused and not report.remaining
    dataset = Dataset.open(out)
    dataset.verify()
    return dataset


def _recipe(kinds: list[dict[str, Any]], **changes: Any) -> Recipe:
    fields: dict[str, Any] = {
        "schema_version": 3,
        "name": "tiny-scenes",
        "seed": 5,
        "source": {"kind": "tiny_source:TinySource", "options": {}},
        "splits": SPLITS,
        "kinds": kinds,
        "scenes": SCENES,
        "social": {"chains": CHAINS},
        "harmonise": HARMONISE,
        "audit": {"gate": True, "draws": 99},
    }
    return Recipe.model_validate(fields | changes)


def test_every_clip_has_its_versions_and_every_scene_its_twin(scenes: Dataset) -> None:
    originals = [clip for clip in scenes.rows if not clip.platform]
    assert len(originals) == 4 * 5 and len(scenes.rows) == 3 * len(originals)
    versions: dict[str, set[str]] = {}
    for clip in scenes.rows:
        if clip.platform:
            base = scenes.clip(clip.original)
            versions.setdefault(base.id, set()).add(clip.platform)
            assert (clip.split, clip.component, clip.labels, clip.kind) == (
                base.split, base.component, base.labels, base.kind,
            )  # fmt: skip
            assert (clip.mask is None) == (base.mask is None) and clip.scene == base.scene
            assert [s.start for s in clip.segments] == [s.start for s in base.segments]
    assert set(versions) == {clip.id for clip in originals}
    assert all(found == set(CHAINS) for found in versions.values())
    assert {clip.scene for clip in originals} == {"interview", "portrait"}
    for component in {clip.component for clip in originals}:
        members = [clip for clip in originals if clip.component == component]
        assert len({clip.face_id for clip in members}) == 2  # a cast of two
        assert len({clip.scene for clip in members}) == 1
        assert {clip.kind for clip in members} == {"real", *(kind["kind"] for kind in KINDS)}


def test_twins_differ_inside_the_mask_only(scenes: Dataset) -> None:
    originals = [clip for clip in scenes.rows if not clip.platform and clip.split == "test"]
    takes = {row["id"]: row["take"] for row in read_table(scenes.folder / "provenance.parquet")}
    reals = {takes[clip.id]: clip for clip in originals if clip.kind == "real"}
    for clip in originals:
        path = scenes.mask_of(clip)
        if path is None:
            continue
        real = read_clip(scenes.path_of(reals[takes[clip.id]])).video.frames.astype(int)
        fake = read_clip(scenes.path_of(clip)).video.frames.astype(int)
        mask = forged(read_mask(path).frames)
        assert mask.any() and mask.shape == fake.shape[:3]
        far = np.abs(fake - real).max(axis=3) > 40  # encoded: small differences are the codec's
        assert far[mask].mean() > 0.05 and far[~mask].mean() < 0.004
        if clip.kind == "scene/square":
            assert not mask[13:].any() and mask[0, 20:60, 30:80].all() and mask[0].sum() == 40 * 50
            assert clip.segments[0].start == 0 and clip.segments[0].end == pytest.approx(0.5)


def test_a_mask_goes_with_its_version(scenes: Dataset) -> None:
    for clip in [one for one in scenes.rows if one.platform and one.mask][:6]:
        path = scenes.mask_of(clip)
        assert path is not None
        mask, video = read_mask(path), read_video(scenes.path_of(clip))
        assert mask.frames.shape == video.frames.shape[:3] == (clip.n_frames, clip.height, clip.width)
        assert np.abs(np.asarray(mask.times) - np.asarray(video.times)).max() <= 1e-3
        track = scenes.track_of(clip)
        assert track is not None


def test_the_gate_looks_at_each_platform_by_itself(scenes: Dataset) -> None:
    audit = scenes.build.audit
    assert audit is not None and set(audit["platforms"]) == set(CHAINS)
    for report in [audit, *audit["platforms"].values()]:
        assert report["n_real"] == 4 and report["n_fake"] == 16
    stages = read_table(scenes.folder / "stages.parquet")
    by_stage = {name: sum(row["stage"] == name for row in stages) for name in ("harmonised", "social")}
    assert by_stage == {"harmonised": 20, "social": 40}


def test_provenance_tells_scene_platform_and_everybody(scenes: Dataset) -> None:
    rows = {row["id"]: row for row in read_table(scenes.folder / "provenance.parquet")}
    for clip in scenes.rows:
        row = rows[clip.id]
        roles = [parent["role"] for parent in row["parents"]]
        assert roles.count("bystander") == 1 and f"scene:{clip.scene}" in row["operations"]
        assert (f"social:{clip.platform}" in row["operations"]) == bool(clip.platform)
        assert ("original" in roles) == bool(clip.platform)
        assert len(clip.source_ids) >= 2


@pytest.mark.slow
def test_a_build_that_was_stopped_makes_the_same_bytes(scenes: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "again"
    recipe = _recipe(KINDS)
    steps: list[str] = []

    def stop(step: str, done: int, total: int) -> None:
        steps.append(step)
        if step == "clips" and done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(recipe, out, progress=stop, options=SERIAL)
    build(recipe, out, options=SERIAL)
    assert tree(out) == tree(scenes.folder)


def test_a_new_platform_is_added_to_a_finished_set(scenes: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "more"
    shutil.copytree(scenes.folder, out)
    report = build(_recipe(KINDS, social={"chains": [*CHAINS, "telegram"]}), out, options=SERIAL)
    assert report.kept == 60 and sum(one.n for one in report.throughput) == 20
    dataset = Dataset.open(out)
    dataset.verify()
    assert {clip.platform for clip in dataset.rows} == {"", *CHAINS, "telegram"}


def test_a_splice_that_fails_halfway_leaves_no_file_and_a_reason(tmp_path: Path) -> None:
    kinds = [{"kind": "splice/broken", "generator": "test_scene_builds:Broken"}]
    report = build(_recipe(kinds, social={"chains": ["whatsapp"]}), tmp_path / "set", options=SERIAL)
    dataset = Dataset.open(tmp_path / "set")
    dataset.verify()  # no file that no table names
    refused = [(one.kind, one.code) for one in report.refused]
    assert refused and {code for _, code in refused} == {"face_not_found"}
    assert {kind for kind, _ in refused} == {"splice/broken", "splice/broken, whatsapp"}
    assert any("frame 7" in one.reason for one in report.refused)
    n_fake = sum(clip.kind == "splice/broken" for clip in dataset.rows)
    assert n_fake + len(refused) == 2 * 4
    assert not list((tmp_path / "set").rglob("*.tmp*"))


def test_kinds_take_turns() -> None:
    from generators.plan import make_plan

    plan = make_plan(_recipe(KINDS, kinds_per_take=1, splits={"test": {"identities": 8, "clips": 1}}))
    kinds = [clip.slot.recorded for take in plan.takes for clip in take.clips if not clip.original]
    assert kinds.count("real") == 8 and all(kinds.count(kind["kind"]) == 2 for kind in KINDS)
    # inside each layout, so that the shape of a picture tells no kind
    found = Counter(
        (take.scene.layout if take.scene else "", clip.slot.recorded)
        for take in plan.takes for clip in take.clips if not clip.original and clip.slot.recorded != "real"
    )  # fmt: skip
    assert len(found) == 8 and set(found.values()) == {1}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scenes": None}, "scenes"),
        ({"scenes": {"layouts": ["interviw"]}}, "interview"),
        ({"social": {"chains": ["watsapp"]}}, "whatsapp"),
        ({"social": {"chains": ["whatsapp", "whatsapp"]}}, "twice"),
        ({"kinds_per_take": 5}, "kinds_per_take"),
    ],
)
def test_mistakes_are_told(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises((CmdfdError, ValueError), match=said):
        build(_recipe(KINDS, **changes), tmp_path / "set", options=SERIAL)


def test_labels_of_two_forged_people_are_united(tmp_path: Path) -> None:
    kinds = [{"kind": "audio/both", "generator": "audio/swap", "panels": 2}]
    splits = {"test": {"identities": 4, "clips": 2}}  # the take's own donor is another take of the same person
    report = build(_recipe(kinds, splits=splits, social={}), tmp_path / "set", options=SERIAL)
    assert not report.refused
    dataset = Dataset.open(tmp_path / "set")
    fakes = [clip for clip in dataset.rows if clip.kind == "audio/both"]
    assert fakes and all(clip.labels.identity_mismatch == 1 for clip in fakes)  # who stands beside has another's voice
    assert all(len(clip.segments) == 1 for clip in fakes)
    details = {row["id"]: row["details"] for row in read_table(dataset.folder / "provenance.parquet")}
    assert all('"panel": 1' in details[clip.id] for clip in fakes)


def test_more_forged_panels_than_people_are_refused_by_name(tmp_path: Path) -> None:
    kinds = [{"kind": "video/three", "generator": "video/mouth_warp", "panels": 3}, {"kind": "audio/swap"}]
    report = build(_recipe(kinds, social={}), tmp_path / "set", options=SERIAL)
    assert {(one.kind, one.code) for one in report.refused} == {("video/three", "input_unsupported")}
    assert all("2 here" in one.reason for one in report.refused)
    path = tmp_path / "three.yaml"
    path.write_text(
        "schema_version: 3\nname: three\nscenes: {layouts: [interview]}\nkinds:\n"
        "  - {kind: video/three, generator: video/mouth_warp, panels: 3}\n"
    )
    with pytest.raises(CmdfdError, match=r"three\.yaml:5: kinds\.0\.panels: 3 panels"):
        build(str(path), tmp_path / "none", options=SERIAL)


def test_a_profile_that_changes_while_the_build_runs_makes_no_clip(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    text = (files("generators.social.profiles") / "whatsapp.yaml").read_text("utf-8")
    own.write_text(text.replace("name: whatsapp", "name: own"))
    recipe = _recipe([{"kind": "audio/swap"}], social={"chains": [str(own)]})

    def change(step: str, done: int, total: int) -> None:
        if step == "clips" and done == 0:
            own.write_text(own.read_text().replace("crf: 26", "crf: 30"))

    report = build(recipe, tmp_path / "set", progress=change, options=SERIAL)
    assert not report.platforms and {one.code for one in report.refused} == {"crashed"}
    assert all("changed while the build ran" in one.reason for one in report.refused)


def test_when_a_file_was_written_tells_nothing(scenes: Dataset) -> None:
    times = {path.stat().st_mtime_ns for name in media_files(scenes.folder) for path in [scenes.folder / name]}
    assert len(times) == 1


def test_a_changed_mask_or_track_is_found_and_made_anew(scenes: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "set"
    shutil.copytree(scenes.folder, out)
    clip = next(one for one in scenes.rows if one.mask and not one.platform)
    other = next(one for one in scenes.rows if one.mask and one.mask_sha256 != clip.mask_sha256)
    shutil.copyfile(scenes.folder / str(other.mask), out / str(clip.mask))
    with pytest.raises(DatasetError, match=f"{clip.mask}: its bytes changed"):
        Dataset.open(out).verify()
    build(_recipe(KINDS), out, options=replace(SERIAL, retry_failed=True))
    Dataset.open(out).verify()
    assert tree(out) == tree(scenes.folder)


@pytest.mark.slow
def test_a_version_without_its_twin_is_left_out_and_made_when_asked_again(
    scenes: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from generators import versions

    real, calls = versions.make_version, iter(range(10**6))

    def sometimes(*given: Any) -> Any:
        if next(calls) % 7 == 3:
            raise JobError("crashed", "whatsapp", "No space left on device")
        return real(*given)

    monkeypatch.setattr("generators.jobs.make_version", sometimes)
    out = tmp_path / "set"
    report = build(_recipe(KINDS), out, options=SERIAL)
    dataset = Dataset.open(out)
    dataset.verify()
    assert "crashed" in report.refused_codes
    takes = {row["id"]: row["take"] for row in read_table(out / "provenance.parquet")}
    found: dict[tuple[str, str], set[str]] = {}
    for clip in dataset.rows:
        found.setdefault((takes[clip.id], clip.platform), set()).add(clip.kind)
    assert all(len(kinds) == 5 for kinds in found.values()) and len(found) < 12
    monkeypatch.undo()
    build(_recipe(KINDS), out, options=replace(SERIAL, retry_failed=True))
    assert tree(out) == tree(scenes.folder)


@pytest.mark.slow
def test_exchanging_a_platform_removes_the_old_one_only_when_asked(scenes: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "set"
    shutil.copytree(scenes.folder, out)
    other = _recipe(KINDS, social={"chains": [CHAINS[0], "signal"]})
    with pytest.raises(CmdfdError, match="--prune"):
        build(other, out, options=SERIAL)
    build(other, out, options=replace(SERIAL, prune=True))
    dataset = Dataset.open(out)
    dataset.verify()
    assert {clip.platform for clip in dataset.rows} == {"", CHAINS[0], "signal"}


def test_a_profile_beside_its_recipe_is_found(tmp_path: Path) -> None:
    text = (files("generators.social.profiles") / "signal.yaml").read_text("utf-8")
    (tmp_path / "campus.yaml").write_text(text.replace("name: signal", "name: campus"))
    path = tmp_path / "mine.yaml"
    path.write_text(
        "schema_version: 3\nname: mine\nkinds: [{kind: audio/swap}]\nsocial: {chains: campus.yaml+whatsapp}\n"
    )
    recipe = load_recipe(path)
    assert [chain.name for chain in map(resolve_chain, recipe.social.chains)] == ["campus+whatsapp"]
    path.write_text(path.read_text().replace("schema_version: 3", "schema_version: 2"))
    with pytest.raises(RecipeError, match="'social' is of version 3"):
        load_recipe(path)
