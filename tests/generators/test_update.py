"""Changing a finished set: what stays, what is made anew, and what is never removed without being asked."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_source import SERIAL, tree

from cmdfd.dataset import Dataset
from cmdfd.errors import CmdfdError
from cmdfd.tables import read_table
from generators.build import build
from generators.recipe import Recipe

Make = Callable[..., Recipe]
SWAP = [{"kind": "audio/swap"}]
DESYNC = {"kind": "audio/desync", "params": {"milliseconds": [80]}}


def change(recipe: Recipe, **fields: Any) -> Recipe:
    return Recipe.model_validate({**recipe.model_dump(), **fields})


def journal(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "journal.jsonl").read_text().splitlines()]


def with_mute(recipe: Recipe) -> Recipe:
    """One method more."""
    return change(recipe, kinds=[*recipe.model_dump()["kinds"], {"kind": "video/mouth_mute"}])


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory, tiny_recipe: Make) -> Path:
    """The set with one method more, built at once."""
    out = tmp_path_factory.mktemp("fresh") / "set"
    build(with_mute(tiny_recipe()), out, options=SERIAL)
    return out


def test_a_finished_set_is_changed_and_only_what_is_new_is_made(
    made: Path, fresh: Path, tmp_path: Path, tiny_recipe: Make
) -> None:
    recipe = tiny_recipe()
    out = tmp_path / "tiny"
    shutil.copytree(made, out)
    (out / "journal.jsonl").unlink()
    more = with_mute(recipe)
    report = build(more, out, options=SERIAL)
    assert report.kept == 30 and {one.kind: one.n for one in report.throughput} == {"video/mouth_mute": 6}
    jobs = [line for line in journal(out) if line["step"] == "job"]
    assert Counter(line["kind"] for line in jobs) == {"video/mouth_mute": 6}
    assert tree(out) == tree(fresh)
    # a method less would remove clips: only when asked to
    with pytest.raises(CmdfdError, match=r"clips that are not planned now \(6 of 'video/mouth_mute'\).*--prune"):
        build(recipe, out, options=SERIAL)
    report = build(recipe, out, options=replace(SERIAL, prune=True))
    assert report.throughput == () and report.kept == 30 and tree(out) == tree(made)


@pytest.mark.slow
def test_a_changed_parameter_leaves_the_others_where_they_are(made: Path, tmp_path: Path, tiny_recipe: Make) -> None:
    recipe = tiny_recipe()
    more = with_mute(recipe)
    out = tmp_path / "tiny"
    shutil.copytree(made, out)
    build(more, out, options=SERIAL)
    times = {path: path.stat().st_ino for path in out.rglob("*.mp4")}
    kinds = [{**one, "params": {"keep": 0.3}} if one["kind"] == "video/mouth_mute" else one
             for one in more.model_dump()["kinds"]]  # fmt: skip
    changed = change(more, kinds=kinds)
    report = build(changed, out, options=SERIAL)
    assert {one.kind: one.n for one in report.throughput} == {"video/mouth_mute": 6}
    now = {path: path.stat().st_ino for path in out.rglob("*.mp4")}
    assert len(now) == 36 and len(now.items() & times.items()) == 30
    build(changed, tmp_path / "again", options=SERIAL)
    assert tree(out) == tree(tmp_path / "again")


def test_a_change_that_is_killed_goes_on(made: Path, fresh: Path, tmp_path: Path, tiny_recipe: Make) -> None:
    from generators.builder import _Run
    from generators.plan import make_plan
    from generators.workspace import Claim, claim

    recipe = tiny_recipe()
    more = with_mute(recipe)
    out = tmp_path / "tiny"
    shutil.copytree(made, out)
    # killed right after the finished set was opened again, and once more with a job record lost
    plan = make_plan(more)
    run = _Run(plan, out, SERIAL, lambda *_: None, {})
    assert claim(out, plan, run.jobs, Claim()) is None and not (out / "build.json").exists()
    next(iter((out / ".work" / "records" / "jobs").rglob("*.json"))).unlink()
    report = build(more, out, options=SERIAL)
    assert sum(one.n for one in report.throughput) == 7
    assert tree(out) == tree(fresh)


def test_files_that_changed_since_are_made_anew(made: Path, tmp_path: Path, tiny_recipe: Make) -> None:
    out = tmp_path / "tiny"
    shutil.copytree(made, out)
    victim = Dataset.open(out).clips("train")[0]
    (out / victim.file).write_bytes(b"not a clip")
    report = build(tiny_recipe(), out, options=replace(SERIAL, retry_failed=True))
    assert sum(one.n for one in report.throughput) == 1 and tree(out) == tree(made)


def test_what_failed_is_tried_again(tmp_path: Path, tiny_recipe: Make) -> None:
    switch = tmp_path / "ready"
    mine = tmp_path / "late.py"
    mine.write_text(
        "from pathlib import Path\nfrom cmdfd.errors import JobError\nfrom generators.audio.desync import Desync\n"
        "class Late(Desync):\n"
        "    def problems(self):\n"
        f"        return () if Path({str(switch)!r}).exists() else ('env_missing: no checkout',)\n"
        "    def generate(self, job):\n"
        "        if self.problems():\n"
        "            raise JobError('env_missing', 'late', 'no checkout')\n"
        "        return super().generate(job)\n"
    )
    kinds = [{"kind": "audio/swap"}, {"kind": "late", "generator": f"{mine}:Late", "params": {"milliseconds": [80]}}]
    out = tmp_path / "set"
    with pytest.raises(CmdfdError, match=r"(?s)not ready.*no checkout.*--skip-missing"):
        build(tiny_recipe(kinds=kinds), out, options=SERIAL)
    report = build(tiny_recipe(kinds=kinds), out, options=replace(SERIAL, skip_missing=True))
    assert Counter(one.code for one in report.refused) == {"env_missing": 6}
    switch.touch()
    again = build(tiny_recipe(kinds=kinds), out, options=replace(SERIAL, retry_failed=True))
    assert not again.refused and {one.kind: one.n for one in again.throughput} == {"late": 6}
    assert Dataset.open(out).verify().n_clips == 18


def test_consent_that_was_withdrawn_removes_clips_only_when_asked(tmp_path: Path, tiny_recipe: Make) -> None:
    """An override that is not given any more, or consent that is gone, is a clip that is not planned any more."""
    recipe = tiny_recipe({"strangers": ["train-1"]}, kinds=SWAP)
    out = tmp_path / "set"
    build(recipe, out, options=replace(SERIAL, rights_override="lab only"))
    before = tree(out)
    with pytest.raises(CmdfdError, match=r"not planned now \(2 of 'audio/swap'\).*--prune"):
        build(recipe, out, options=SERIAL)
    assert tree(out) == before
    build(recipe, out, options=replace(SERIAL, prune=True))
    build(recipe, tmp_path / "fresh", options=SERIAL)
    assert tree(out) == tree(tmp_path / "fresh")


def test_terms_and_names_that_changed_at_the_source_are_told(tmp_path: Path, tiny_recipe: Make) -> None:
    """The recordings are the same bytes, but their ledger says another thing of them."""
    out = tmp_path / "set"
    build(tiny_recipe({"renamed": ["train-0", "someone"]}, kinds=SWAP), out, options=SERIAL)
    recipe = tiny_recipe({"limits": ["train-0", "CC-BY-NC-4.0"]}, kinds=SWAP)
    report = build(recipe, out, options=SERIAL)
    assert not report.finished_before
    build(recipe, tmp_path / "fresh", options=SERIAL)
    assert tree(out) == tree(tmp_path / "fresh")
    told = {(clip.face_id, clip.rights.licence) for clip in Dataset.open(out).clips("train")}
    assert told == {("train-0", "CC-BY-NC-4.0"), ("train-1", "CC-BY-4.0")}


def test_another_reason_for_an_override_is_told_everywhere(tmp_path: Path, tiny_recipe: Make) -> None:
    recipe = tiny_recipe({"consent": "unknown"}, kinds=SWAP)
    for reason in ("lab only", "approved by the board"):
        report = build(recipe, tmp_path / "set", options=replace(SERIAL, rights_override=reason))
        assert not report.finished_before
    assert report.kept == 12 and not report.throughput
    rows = read_table(tmp_path / "set" / "provenance.parquet")
    assert {(row["kind"], row["rights_override"]) for row in rows} == {
        ("real", ""), ("audio/swap", "approved by the board"),
    }  # fmt: skip


@pytest.mark.parametrize("fewer", [{"per_take": 1}, pytest.param({"shams": 0}, marks=pytest.mark.slow)])
def test_fewer_clips_of_a_kind_are_removed_only_when_asked(
    tmp_path: Path, tiny_recipe: Make, fewer: dict[str, int]
) -> None:
    many = {"kind": "audio/swap", "per_take": 2, "shams": 1}
    out = tmp_path / "set"
    build(tiny_recipe(kinds=[many]), out, options=SERIAL)
    kind = "audio/swap" if "per_take" in fewer else "real"
    with pytest.raises(CmdfdError, match=rf"not planned now \(6 of '{kind}'\).*--prune"):
        build(tiny_recipe(kinds=[many | fewer]), out, options=SERIAL)
    build(tiny_recipe(kinds=[many | fewer]), out, options=replace(SERIAL, prune=True))
    build(tiny_recipe(kinds=[many | fewer]), tmp_path / "fresh", options=SERIAL)
    assert tree(out) == tree(tmp_path / "fresh")


@pytest.mark.parametrize("keep_work", [pytest.param(False, marks=pytest.mark.slow), True])
def test_whatever_of_a_clip_is_gone_it_is_made_anew(
    made: Path, tmp_path: Path, tiny_recipe: Make, keep_work: bool
) -> None:
    options = replace(SERIAL, keep_work=keep_work, retry_failed=True)
    out = tmp_path / "tiny"
    shutil.copytree(made, out)
    build(tiny_recipe(), out, options=options)  # with `keep_work`, records of the first build are there
    fake = next(clip for clip in Dataset.open(out).clips("train") if clip.mask is not None)
    other = next(clip for clip in Dataset.open(out).clips("test") if clip.kind == "audio/swap")
    third = next(clip for clip in Dataset.open(out).clips("test") if clip.kind == "audio/desync")
    (out / str(fake.mask)).unlink()
    (out / str(other.tracks)).unlink()
    (out / third.file).write_bytes(b"not a clip")
    report = build(tiny_recipe(), out, options=options)
    assert sum(one.n for one in report.throughput) == 3 and report.kept == 27
    assert Dataset.open(out).verify() and tree(out) == tree(made)


def test_files_move_when_folders_change_and_a_kill_in_between_breaks_nothing(
    made: Path, tmp_path: Path, tiny_recipe: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cmdfd import dataset
    from generators import update

    out = tmp_path / "tiny"
    shutil.copytree(made, out)
    monkeypatch.setattr(dataset, "FILES_PER_FOLDER", 7)  # as a set that grew beyond its first folder
    real, calls = update.write_job, []

    def killed(*args: Any) -> None:
        calls.append(args)
        if len(calls) == 20:
            raise KeyboardInterrupt
        real(*args)

    more = change(tiny_recipe(), kinds=[*tiny_recipe().model_dump()["kinds"], {"kind": "video/mouth_mute"}])
    monkeypatch.setattr(update, "write_job", killed)
    with pytest.raises(KeyboardInterrupt):
        build(more, out, options=SERIAL)
    missing = [clip.file for clip in Dataset.open(out).clips() if not (out / clip.file).is_file()]
    assert missing == []  # the finished set is still what its tables say
    monkeypatch.setattr(update, "write_job", real)
    report = build(more, out, options=SERIAL)
    assert {one.kind: one.n for one in report.throughput} == {"video/mouth_mute": 6} and report.kept == 30
    build(more, tmp_path / "fresh", options=SERIAL)
    assert tree(out) == tree(tmp_path / "fresh") and Dataset.open(out).verify()
    assert len(list((out / "train" / "videos").iterdir())) == 4


def test_failures_of_a_kept_work_area_are_tried_again(tmp_path: Path, tiny_recipe: Make) -> None:
    switch = tmp_path / "ready"
    mine = tmp_path / "shy.py"
    mine.write_text(
        "from pathlib import Path\nfrom cmdfd.errors import JobError\nfrom generators.audio.desync import Desync\n"
        "class Shy(Desync):\n"
        "    def generate(self, job):\n"
        f"        if not Path({str(switch)!r}).exists():\n"
        "            raise JobError('weights_missing', 'shy', 'no weights')\n"
        "        return super().generate(job)\n"
    )
    kinds = [*SWAP, {**DESYNC, "generator": f"{mine}:Shy"}]
    options = replace(SERIAL, keep_work=True, retry_failed=True)
    assert build(tiny_recipe(kinds=kinds), tmp_path / "set", options=options).refused_codes == {"weights_missing": 6}
    switch.touch()
    again = build(tiny_recipe(kinds=kinds), tmp_path / "set", options=options)
    assert not again.refused and {one.kind: one.n for one in again.throughput} == {"audio/desync": 6}


def test_a_set_with_withheld_labels_grows_like_any_other(tmp_path: Path, tiny_recipe: Make) -> None:
    build(tiny_recipe(kinds=SWAP, withheld=["test"]), tmp_path / "set", options=SERIAL)
    more = tiny_recipe(kinds=[*SWAP, DESYNC], withheld=["test"])
    report = build(more, tmp_path / "set", options=SERIAL)
    assert {one.kind: one.n for one in report.throughput} == {"audio/desync": 6}
    build(more, tmp_path / "fresh", options=SERIAL)
    assert tree(tmp_path / "set") == tree(tmp_path / "fresh")
    # as a copy without labels nothing of that split can be kept
    (tmp_path / "set" / "test" / "labels.parquet").unlink()
    open_ = tiny_recipe(kinds=[*SWAP, DESYNC])
    report = build(open_, tmp_path / "set", options=SERIAL)
    assert report.kept == 12 and sum(one.n for one in report.throughput) == 6
    build(open_, tmp_path / "open", options=SERIAL)
    assert tree(tmp_path / "set") == tree(tmp_path / "open")


@pytest.mark.slow
def test_every_rank_of_a_change_finds_what_is_kept(made: Path, tmp_path: Path, tiny_recipe: Make) -> None:
    more = change(tiny_recipe(), kinds=[*tiny_recipe().model_dump()["kinds"], {"kind": "video/mouth_mute"}])
    out = tmp_path / "tiny"
    shutil.copytree(made, out)
    reports = [build(more, out, options=replace(SERIAL, rank=rank, world_size=2)) for rank in (1, 0)]
    assert [report.remaining for report in reports] == [3, 0]
    assert all(one.kind == "video/mouth_mute" for report in reports for one in report.throughput)
    build(more, tmp_path / "fresh", options=SERIAL)
    assert tree(out) == tree(tmp_path / "fresh")


def test_a_set_of_other_tools_is_not_called_another_recipe(
    made: Path, tmp_path: Path, tiny_recipe: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from generators import record

    out = tmp_path / "tiny"
    shutil.copytree(made, out)
    monkeypatch.setattr(record, "tool_versions", lambda packages=(): {"av": "99"})
    assert build(tiny_recipe(), out, options=SERIAL).finished_before
    more = change(tiny_recipe(), kinds=[*tiny_recipe().model_dump()["kinds"], {"kind": "video/mouth_mute"}])
    with pytest.raises(CmdfdError, match=r"made by other versions of the tools.*--overwrite"):
        build(more, out, options=SERIAL)


def test_a_rank_tries_again_what_crashed(tmp_path: Path, tiny_recipe: Make) -> None:
    switch = tmp_path / "ready"
    mine = tmp_path / "shaky.py"
    mine.write_text(
        "from pathlib import Path\nfrom generators.audio.desync import Desync\n"
        "class Shaky(Desync):\n"
        "    def generate(self, job):\n"
        f"        if not Path({str(switch)!r}).exists():\n"
        "            raise RuntimeError('no memory on the card')\n"
        "        return super().generate(job)\n"
    )
    recipe = tiny_recipe(kinds=[*SWAP, {**DESYNC, "generator": f"{mine}:Shaky"}])
    for ready, ranks in ((False, (0,)), (True, (0, 1))):
        if ready:
            switch.touch()
        for rank in ranks:
            report = build(recipe, tmp_path / "set", options=replace(SERIAL, rank=rank, world_size=2))
    assert not report.remaining and not report.refused and report.counts["train"]["audio/desync"] == 4


def test_files_that_went_while_a_build_was_stopped_are_made_anew(made: Path, tmp_path: Path, tiny_recipe: Make) -> None:
    out = tmp_path / "set"
    build(tiny_recipe(), out, options=replace(SERIAL, rank=0, world_size=2))
    written = [sorted(out.rglob(f"*.{suffix}")) for suffix in ("mp4", "npz", "mkv")]
    for paths in written:
        next(path for path in paths if "takes" not in path.parts).unlink()
    build(tiny_recipe(), out, options=SERIAL)
    assert tree(out) == tree(made)
