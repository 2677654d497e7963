"""Runs on a set with scenes, platforms and masks: a detector that knows the truth scores 1, one that fails does not."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from versioned_set import ORACLE, PLATFORM, SMALLER, write_truth, write_versioned_set

from benchmarks.assemble import RunOutcome, finish, read_result, run
from benchmarks.fits import FitPlan
from benchmarks.metrics.spatial import PIXEL_METRICS
from benchmarks.predicting import Overwrite
from benchmarks.predictions import SINCE_2, read_predictions, schema
from benchmarks.progress import Quiet
from benchmarks.proposing import RULE
from benchmarks.protocol import Selection, SplitRef
from benchmarks.registry import resolve
from benchmarks.results import RESULT_SCHEMA_VERSION, TaskResult
from benchmarks.run import main
from benchmarks.runner import RunConfig
from benchmarks.score import main as score_main
from benchmarks.score import rescore
from benchmarks.twins import NO_PROVENANCE
from cmdfd.dataset import Dataset
from cmdfd.errors import CmdfdError
from cmdfd.media.masks import read_mask
from cmdfd.tables import PROVENANCE


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    data = write_versioned_set(folder / "set")
    data.verify()
    (folder / "oracle.py").write_text(ORACLE)
    write_truth(folder / "truth.json", data)
    return folder


def config(world: Path, place: Path, name: str = "Oracle", truth: Path | None = None, **changes: Any) -> RunConfig:
    base = RunConfig(
        detector=f"{world / 'oracle.py'}:{name}",
        options={"truth": str(truth or world / "truth.json")},
        train_on=(),
        select_on=(),
        report_on=(str(world / "set"),),
        output=place / "runs",
        cache=place / "cache",
        workers=1,
    )
    return dataclasses.replace(base, **changes)


@pytest.fixture(scope="module")
def first(world: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunOutcome, Path]:
    place = tmp_path_factory.mktemp("place")
    return run(config(world, place), Quiet()), place


def task_of(outcome: RunOutcome, condition: str = "untrimmed") -> TaskResult:
    name = outcome.result.detectors[0].name
    return next(t for t in outcome.result.tasks if (t.detector, t.condition) == (name, condition))


def assert_perfect(found: Any) -> None:
    for part in (found.frame_auc, found.temporal, found.pixel):
        assert part
        for name, estimate in part.items():
            wanted = {"false_positive_area": 0.0, "pixel_auc_twin": 0.5, "pixel_auc_gain": 0.5}.get(name, 1.0)
            assert estimate.value == pytest.approx(wanted, abs=1e-12), name
            assert estimate.low == pytest.approx(wanted) and estimate.high == pytest.approx(wanted), name
    assert found.absent == {} and found.proposal_rule == ""


def test_who_knows_the_truth_scores_one_everywhere(first: tuple[RunOutcome, Path]) -> None:
    task = task_of(first[0])
    assert task.localization is not None
    assert_perfect(task.localization)
    assert (task.localization.n_forged, task.localization.n_partial, task.localization.n_masked) == (48, 48, 24)
    assert task.pooled["auc"].value == 1
    assert [(row.name, row.n_real, row.n_fake, row.n_components) for row in task.platforms] == [
        ("", 12, 24, 12), (PLATFORM, 12, 24, 12),
    ]  # fmt: skip
    assert [(row.name, row.n_real, row.n_fake, row.n_components) for row in task.scenes] == [
        ("grid", 12, 24, 6), ("interview", 12, 24, 6),
    ]  # fmt: skip
    for row in (*task.platforms, *task.scenes):
        assert row.localization is not None and row.metrics["auc"].value == 1
        assert_perfect(row.localization)
    assert task.platforms[0].gap is None and task.platforms[1].gap is not None
    assert task.platforms[1].gap.value == 0 and task.platforms[1].gap.unreliable is None
    assert all(row.gap is None for row in task.scenes)


def test_who_marks_every_face_has_a_high_auc_and_no_gain(world: Path, tmp_path: Path) -> None:
    task = task_of(run(config(world, tmp_path, "Painter", floors=False), Quiet()))
    for found in (task.localization, *(row.localization for row in (*task.platforms, *task.scenes))):
        assert found is not None and found.pixel is not None and found.absent == {}
        gain = found.pixel["pixel_auc_gain"]
        assert (gain.value, gain.low, gain.high) == (0.0, 0.0, 0.0)
        assert found.pixel["pixel_auc_twin"].value == found.pixel["pixel_auc"].value
    assert task.localization is not None and task.localization.pixel is not None
    assert task.localization.pixel["pixel_auc"].value == pytest.approx(0.967, abs=0.004)


def test_without_provenance_there_is_a_reason_instead_of_a_control(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "set", tmp_path / "set")
    (tmp_path / "set" / PROVENANCE).unlink()
    outcome = run(config(world, tmp_path, floors=False, report_on=(str(tmp_path / "set"),)), Quiet())
    found = task_of(outcome).localization
    assert found is not None and found.pixel is not None and found.absent == {"pixel_twin": NO_PROVENANCE}
    assert set(found.pixel) == set(PIXEL_METRICS) and found.pixel["pixel_auc"].value == 1
    assert rescore(outcome.folder).tasks == outcome.result.tasks
    page = finish(outcome, Quiet()).read_text(encoding="utf-8")
    assert f"has no control by real twins, so its pixel AUC may be owed to finding faces alone: {NO_PROVENANCE}" in page
    assert "Control: the real twin" not in page and "what is left is what tells" not in page


def test_floors_have_reasons_instead_of_numbers(first: tuple[RunOutcome, Path]) -> None:
    for task in first[0].result.tasks:
        if task.detector in ("random", "floor:container", "floor:rate"):
            found = task.localization
            assert found is not None and found.frame_auc is found.temporal is found.pixel is None
            assert set(found.absent) == {"frame_auc", "temporal", "pixel"}
            assert found.absent["pixel"] == "the detector gives no maps"
            assert len(task.platforms) == 2
    assert task_of(first[0], "trimmed").localization is None


def test_score_recomputes_the_same_without_media(first: tuple[RunOutcome, Path], tmp_path: Path) -> None:
    outcome, _ = first
    copy = tmp_path / "copy"
    shutil.copytree(outcome.folder, copy)
    again = rescore(copy)
    assert again.tasks == outcome.result.tasks and again == read_result(copy)
    (copy / "pixels.parquet").unlink()
    with pytest.raises(CmdfdError, match=r"pixels\.parquet: sha256 None is not the recorded"):
        rescore(copy)
    blind = rescore(copy, accept_changed=True)
    assert blind.tasks[0].localization is not None and blind.tasks[0].localization.pixel is None


def change(path: Path, rows: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    table = pq.read_table(path)
    pq.write_table(pa.Table.from_pylist(rows(table.to_pylist()), schema=table.schema), path)


def test_altered_tables_are_refused_even_where_changes_are_accepted(
    first: tuple[RunOutcome, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of these is a table that no run writes; what is wrong with single rows is tried beside their readers."""
    tries: list[tuple[str, Callable[[list[dict[str, Any]]], list[dict[str, Any]]], str]] = [
        ("pixels", lambda rows: rows[:3], "has a prediction, but no row here"),
        ("pixels", lambda rows: [], "there are no counts in it"),
        ("pixels", lambda rows: [{**row, "failed": not row["failed"]} for row in rows], "row 0 (clip"),
        ("pixels", lambda rows: [{**row, "truth": "mask", "no_twin": "x", "twin_pixels": None} for row in rows],
         "truth is 'mask', but the clip is real"),
        ("predictions", lambda rows: [], "there are no predictions in it"),
        ("pixels", lambda rows: [{**row, "id": row["id"] + "x"} for row in rows], "no untrimmed prediction has its"),
        ("predictions", lambda rows: [{**row, "split": None} for row in rows], "row 0: split must be a name, got None"),
        ("predictions", lambda rows: [{**row, "variant": None} for row in rows], "row 0: variant must be text"),
        ("predictions", lambda rows: [{**row, "frame_scores": (row["frame_scores"] or [0])[1:]} for row in rows],
         "it needs one score for each time"),
    ]  # fmt: skip
    for name, rows, reason in tries:
        copy = tmp_path / "copy"
        shutil.copytree(first[0].folder, copy)
        change(copy / f"{name}.parquet", rows)
        assert score_main([str(copy), "--accept-changed"]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"error: {copy / name}.parquet: ") and reason in said
        shutil.rmtree(copy)


def test_a_copy_without_its_masks_is_judged_but_for_pixels(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "set", tmp_path / "set")
    shutil.rmtree(tmp_path / "set" / "masks")
    outcome = run(config(world, tmp_path, floors=False, report_on=(str(tmp_path / "set"),)), Quiet())
    found = task_of(outcome).localization
    assert found is not None and found.pixel is None and found.temporal is not None and found.n_masked == 0
    assert found.absent == {"pixel": "this copy of the set came without its folder masks/"}
    assert rescore(outcome.folder).tasks == outcome.result.tasks
    assert "came without its folder masks/" in finish(outcome, Quiet()).read_text(encoding="utf-8")
    lost = next((world / "set" / "masks").rglob("*.mkv"))  # one of many is another thing
    shutil.copytree(world / "set" / "masks", tmp_path / "set" / "masks")
    (tmp_path / "set" / lost.relative_to(world / "set")).unlink()
    with pytest.raises(CmdfdError, match=rf"missing.*{lost.name}|{lost.name}.*missing"):
        run(config(world, tmp_path, floors=False, report_on=(str(tmp_path / "set"),)), Quiet())


def test_report_shows_platforms_stretches_and_masks(first: tuple[RunOutcome, Path]) -> None:
    outcome, _ = first
    page = finish(outcome, Quiet()).read_text(encoding="utf-8")
    maps = list((outcome.folder / "maps").iterdir())
    assert len(maps) == 3  # the median real and the median fake of two kinds
    shapes = {read_mask(path).frames.shape for path in maps}
    assert shapes <= {(20, 64, 64), (16, SMALLER, SMALLER)}
    assert 'id="where"' in page and 'id="platforms"' in page
    assert "what is left is what tells forged from genuine" in page and "Control: the real twin" in page
    assert "has no control by real twins" not in page
    assert "In these frames 100 % of the forged pixels are called forged, and 0 % of the others." in page
    assert "No pixel is forged here" in page
    assert "chat &lt;app&gt;" in page and "<app>" not in page
    assert "originals and their versions of 1 platform together" in page


def test_versions_have_their_own_clock_and_size(world: Path, first: tuple[RunOutcome, Path]) -> None:
    table = first[0].predictions
    data = Dataset.open(world / "set")
    rows = table[(table["platform"] == PLATFORM) & (table["detector"] == first[0].result.detectors[0].name)]
    for row in rows.to_dict("records"):
        clip = data.clip(row["id"])
        assert data.clip(row["original"]).kind == clip.kind and row["scene"] in ("grid", "interview")
        if row["condition"] == "untrimmed":
            assert len(row["times"]) == clip.n_frames == 16
            assert row["times"][-1] == pytest.approx(clip.duration - 0.5 / clip.fps)


def test_a_second_run_asks_nobody_and_counts_nothing(
    world: Path, first: tuple[RunOutcome, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome, place = first
    module = next(module for name, module in sys.modules.items() if name.startswith("cmdfd_file_oracle"))
    module.CALLS.clear()
    monkeypatch.setattr("benchmarks.counting.pixel_row", lambda *given: pytest.fail("counted again"))
    again = run(config(world, place, overwrite=Overwrite.ONLY_CACHE), Quiet())
    assert module.CALLS == [] and again.folder == outcome.folder
    assert again.result.tasks == outcome.result.tasks
    victim = next((place / "cache" / "maps").rglob("*.npz"))
    victim.unlink()
    with pytest.raises(CmdfdError, match="1 of 72 predictions are not cached"):
        run(config(world, place, overwrite=Overwrite.ONLY_CACHE), Quiet())
    monkeypatch.undo()
    run(config(world, place), Quiet())
    assert len(module.CALLS) == 1 and victim.is_file()  # a lost map is made again, and nothing else


def test_counts_are_those_of_the_maps_that_there_are(world: Path, tmp_path: Path) -> None:
    asked = config(world, tmp_path, floors=False)
    before = run(asked, Quiet()).result.tasks
    # as a detector with chance in it may do: other maps under the same revision
    for path in (tmp_path / "cache" / "maps").rglob("*.npz"):
        with np.load(path) as data:
            times, maps = data["times"], data["maps"]
        np.savez_compressed(path, times=times, maps=255 - maps)
    turned = task_of(run(asked, Quiet())).localization
    assert turned is not None and turned.pixel is not None and turned.pixel["pixel_auc"].value == 0.0
    assert run(dataclasses.replace(asked, overwrite=Overwrite.ALWAYS), Quiet()).result.tasks == before
    (counts,) = (tmp_path / "cache" / "pixels").iterdir()
    assert sum(line.startswith("{") for line in counts.read_text().splitlines()) == 72  # none of before is left


def test_failures_and_missing_maps_count_as_the_worst(world: Path, tmp_path: Path) -> None:
    data = Dataset.open(world / "set")
    masked = [clip.id for clip in data.clips() if clip.mask and not clip.platform]
    reals = [clip.id for clip in data.clips() if clip.kind == "real" and not clip.platform]
    wrong = {masked[0]: {"error": "no_face: none"}, masked[1]: {"mapless": True}, reals[0]: {"mapless": True}}
    truth = write_truth(tmp_path / "truth.json", data, **wrong)
    task = task_of(run(config(world, tmp_path, truth=truth, floors=False), Quiet()))
    found = task.localization
    assert found is not None and found.pixel is not None and found.temporal is not None
    assert task.n_failed == 1 and found.n_without_maps == 3
    assert found.pixel["pixel_auc"].value == pytest.approx(22 / 24)  # a constant-wrong map has AUC 0
    reason = "1 of 24 forged clips have no real twin to compare with"  # the twin has no map
    assert found.pixel["pixel_auc_twin"].unreliable == found.pixel["pixel_auc_gain"].unreliable == reason
    assert found.pixel["pixel_auc_twin"].value == 0.5 and found.pixel["pixel_auc"].unreliable is None
    owners = [data.clip(one).face_id for one in (masked[0], masked[1], reals[0])]
    wrong_and_held = len(set(owners[:2]) - {owners[2]})  # their AUC is 0, their twins' one half
    assert found.pixel["pixel_auc_gain"].value == pytest.approx(0.5 - wrong_and_held / 23)
    assert found.pixel["pixel_f1@0.5"].value == pytest.approx(22 / 24)
    assert found.pixel["false_positive_area"].value == pytest.approx(1 / 48)
    assert found.temporal["ar@50"].value == pytest.approx(47 / 48)
    assert "1 of 72 clips failed" in str(found.temporal["ar@50"].unreliable)
    original, version = task.platforms
    assert original.localization is not None and version.localization is not None
    assert original.localization.n_without_maps == 3 and version.localization.n_without_maps == 0
    assert version.gap is not None and version.gap.value is not None and version.gap.value > 0


def test_stretches_of_a_mute_detector_are_made_by_the_rule(world: Path, tmp_path: Path) -> None:
    outcome = run(config(world, tmp_path, "Mute", floors=False), Quiet())
    task = task_of(outcome)
    assert task.localization is not None and task.localization.temporal is not None
    assert task.localization.proposal_rule == RULE
    assert task.localization.temporal["ar@5"].value == pytest.approx(1.0, abs=0.2)
    table = outcome.predictions
    plain = table[table["condition"] == "untrimmed"]
    assert (plain["segments"].map(len) == 0).all() and (plain["proposals"].map(len) > 0).all()
    assert (table[table["condition"] == "trimmed"]["proposals"].map(len) == 0).all()
    assert set(table["proposal_rule"]) == {RULE}
    page = finish(outcome, Quiet()).read_text(encoding="utf-8")
    assert "names no stretches by itself" in page and "Proposals" in page


def test_platforms_can_be_chosen(world: Path, first: tuple[RunOutcome, Path]) -> None:
    outcome, place = first
    only = run(config(world, place, platforms=("original",), floors=False), Quiet())
    assert only.folder != outcome.folder and task_of(only).platforms == [] and task_of(only).n_fake == 24
    assert only.result.command[-4:] == ["--platforms", "original", "--seed", "0"]
    other = run(config(world, place, platforms=(PLATFORM,), floors=False), Quiet())
    assert [row.gap for row in task_of(other).platforms] == [None]
    with pytest.raises(CmdfdError, match="did you mean 'chat <app>'"):
        run(config(world, place, platforms=("chat <ap>",)), Quiet())


def test_plug_in_metrics_stand_beside_the_usual_ones(
    world: Path, first: tuple[RunOutcome, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = config(world, first[1], floors=False, platforms=("original",), metrics=("eer:asvspoof",), output=tmp_path)
    outcome = run(asked, Quiet())
    task = task_of(outcome)
    for found in (task.pooled, *(row.metrics for row in (*task.kinds, *task.scenes))):
        assert list(found)[-1] == "eer:asvspoof" and found["eer:asvspoof"].value == 0
    assert outcome.result.command[-4:] == ["--metric", "eer:asvspoof", "--seed", "0"]
    assert rescore(outcome.folder).tasks == outcome.result.tasks
    plain = run(dataclasses.replace(asked, metrics=()), Quiet())
    assert plain.folder != outcome.folder and plain.folder.parent == outcome.folder.parent
    assert "plug-in metric" in finish(outcome, Quiet()).read_text(encoding="utf-8")
    assert main(["--metric", "eer:asvspof"]) == 2  # refused before anything is built
    assert "did you mean 'eer:asvspoof'" in capsys.readouterr().err
    assert main(["--metric", "auc"]) == 2
    assert "every run has this metric" in capsys.readouterr().err
    assert main(["--list", "metrics"]) == 0
    assert "eer:asvspoof" in capsys.readouterr().out


def test_examples_bring_their_masks(world: Path) -> None:
    data = Dataset.open(world / "set")
    part = Selection(SplitRef(data.name, "test"), data, data.clips("test"))
    plan = FitPlan(
        resolve(f"{world / 'oracle.py'}:Oracle"), 0, {}, (part,), (),
        view=lambda detector, part, clip: None, address=lambda part, clip: clip.sha256,
    )  # type: ignore[arg-type, return-value]  # fmt: skip
    examples = plan.labelled(None, (part,))  # type: ignore[arg-type]
    for clip, example in zip(part.clips, examples, strict=True):
        assert (example.mask is None) == (clip.kind != "splice/face")
        if example.mask is not None:
            masks = example.mask()
            assert masks.shape == (clip.n_frames, clip.height, clip.width) and masks.dtype == np.uint8
            assert masks.max() == 255
    other = dataclasses.replace(part, clips=tuple(dataclasses.replace(clip, mask=None) for clip in part.clips))
    assert dataclasses.replace(plan, train=(other,)).key() != plan.key()  # masks decide a fit


# --- files of version 1 -----------------------------------------------------------------------------------------------


def test_files_of_version_1_are_read_and_scored(first: tuple[RunOutcome, Path], tmp_path: Path) -> None:
    from cmdfd.clip import sha256_file

    outcome, _ = first
    old = tmp_path / "old"
    old.mkdir()
    table = pq.read_table(outcome.folder / "predictions.parquet")
    plain = table.filter([original == "" for original in table["original"].to_pylist()])
    first_names = [name for name in schema().names if name not in SINCE_2]
    pq.write_table(
        plain.select(first_names).replace_schema_metadata({"schema_version": "1"}), old / "predictions.parquet"
    )
    result = json.loads((outcome.folder / "result.json").read_text())
    del result["pixels_sha256"]
    result |= {"schema_version": 1, "predictions_sha256": sha256_file(old / "predictions.parquet")}
    for task in result["tasks"]:
        for name in ("localization", "platforms", "scenes"):
            del task[name]
    (old / "result.json").write_text(json.dumps(result))
    assert read_result(old).schema_version == RESULT_SCHEMA_VERSION
    frame = read_predictions(old / "predictions.parquet")
    assert set(frame["platform"]) == set(frame["scene"]) == set(frame["original"]) == {""}
    again = rescore(old)
    task = again.tasks[0]
    assert task.platforms == task.scenes == [] and task.n_fake == 24
    assert task.localization is not None and task.localization.temporal is not None
    assert task.localization.temporal["score"].value == pytest.approx(1.0)
    (old / "result.json").write_text(json.dumps({**result, "schema_version": 3}))
    with pytest.raises(CmdfdError, match="schema version 3, this version reads 1 and 2"):
        read_result(old)
