"""Whole runs on tiny built sets: files, caches, resumption, refusals, recomputation."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.assemble import RunOutcome, finish, read_result, run
from benchmarks.predicting import Overwrite
from benchmarks.predictions import read_predictions
from benchmarks.progress import Quiet
from benchmarks.run import main
from benchmarks.runner import RunConfig, Runner
from benchmarks.score import main as score_main
from benchmarks.score import rescore
from cmdfd.errors import CmdfdError
from cmdfd.splits import SplitError

SOURCE = Path(__file__).parents[1] / "generators" / "tiny_source.py"
RECIPE = """
schema_version: 1
name: {name}
summary: for tests
seed: {seed}
source: {{kind: "{source}:TinySource"}}
splits: {{{splits}}}
kinds:
  - kind: audio/swap
  - kind: audio/desync
    params: {{milliseconds: [80]}}
harmonise: {{fps: 25, width: 64, height: 64, sample_rate: 16000, seconds: 1.2, lufs: -23, crf: [23, 25]}}
"""
DETECTOR = '''
from __future__ import annotations
import json
from pathlib import Path
import numpy as np
from benchmarks.detector import DetectorSpec, Prediction, silent
from cmdfd.errors import MediaError

CALLS = []


class Level:
    """Loudness of the first half against the second; a detector that can do nothing, cheaply."""

    spec = DetectorSpec(name="level", summary="loudness of halves", modalities=("audio",))

    def __init__(self, preset="default", seed=0):
        self.preset, self.seed, self.offset_ = preset, seed, 0.0

    def feature_config(self):
        return {"version": 1}

    def featurise(self, view):
        CALLS.append(view.id)
        sound = view.audio()
        half = len(sound) // 2
        return {"levels": np.array([np.std(sound[:half]), np.std(sound[half:])])}

    def fit(self, train, select, progress=silent):
        self.offset_ = float(np.mean([e.view.features()["levels"][0] for e in train])) + self.seed
        progress(1, 1)
        return self

    def predict(self, views):
        for view in views:
            try:
                a, b = view.features()["levels"]
                yield Prediction(view.id, float(a - b + self.offset_), np.array([0.1]), np.array([float(a)]))
            except MediaError as error:
                yield Prediction(view.id, None, error=f"{error.code}: {error.detail}")

    def save(self, folder):
        (Path(folder) / "level.json").write_text(json.dumps({"offset": self.offset_}))

    @classmethod
    def load(cls, folder):
        new = cls()
        new.offset_ = json.loads((Path(folder) / "level.json").read_text())["offset"]
        return new
'''


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets and a detector file."""
    from generators.build import build

    folder = tmp_path_factory.mktemp("world")
    splits = {
        "near": "train: {identities: 4, clips: 2}, validation: {identities: 3, clips: 2}, "
        "test: {identities: 13, clips: 2}",
        "far": "test: {identities: 13, clips: 2}",
    }
    for seed, (name, text) in enumerate(splits.items()):
        recipe = folder / f"{name}.yaml"
        recipe.write_text(RECIPE.format(name=name, seed=seed, source=SOURCE, splits=text))
        build(str(recipe), folder / name, executor="serial")
    # people of one name in both sets would be one person to the leak check
    _rename_people(folder / "far")
    (folder / "level.py").write_text(DETECTOR)
    return folder


def _rename_people(folder: Path) -> None:
    from cmdfd.dataset import Dataset, write_tables

    data = Dataset.open(folder)
    renamed = [
        dataclasses.replace(
            clip,
            face_id=f"far-{clip.face_id}",
            voice_id=f"far-{clip.voice_id}",
            source_ids=tuple(f"far-{one}" for one in clip.source_ids),
            component=f"far-{clip.component}",
        )
        for clip in data.clips()
    ]
    write_tables(folder, renamed)


def config(world: Path, cache: Path, **changes: object) -> RunConfig:
    near = str(world / "near")
    base = RunConfig(
        detector=f"{world / 'level.py'}:Level",
        train_on=(near,),
        select_on=(near,),
        report_on=(near, str(world / "far")),
        output=cache / "runs",
        cache=cache / "cache",
        workers=1,
    )
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def first(world: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunOutcome, Path]:
    cache = tmp_path_factory.mktemp("cache")
    outcome = run(config(world, cache), Quiet())
    return outcome, cache


def test_a_run_leaves_what_it_promises(first: tuple[RunOutcome, Path]) -> None:
    outcome, _ = first
    report = finish(outcome, Quiet())
    assert {path.name for path in outcome.folder.iterdir()} == {
        "result.json",
        "predictions.parquet",
        "config.resolved.yaml",
        "report.html",
    }
    assert "<script" not in report.read_text()
    stored = read_result(outcome.folder)
    assert stored == outcome.result
    assert [info.name for info in stored.datasets] == ["near", "far"]
    labels = [info.name for info in stored.detectors]
    assert labels[1:] == ["random", "floor:container", "floor:rate"]
    domains = {(task.detector, task.dataset): task.domain for task in stored.tasks}
    assert domains[labels[0], "near"] == "in"
    assert domains[labels[0], "far"] == "cross"
    assert domains["random", "near"] == "unknown"
    assert "NaN" not in (outcome.folder / "result.json").read_text()


def test_numbers_equal_scikit_learn_on_the_written_table(first: tuple[RunOutcome, Path]) -> None:
    outcome, _ = first
    table = read_predictions(outcome.folder / "predictions.parquet")
    for task in outcome.result.tasks:
        rows = table[
            (table["detector"] == task.detector)
            & (table["dataset"] == task.dataset)
            & (table["condition"] == task.condition)
        ]
        assert task.pooled["auc"].value == pytest.approx(roc_auc_score(rows["label"], rows["score"]), abs=1e-12)
        assert (task.n_real, task.n_fake, task.n_components) == (26, 52, 13)


def test_conditions_cover_the_detector_and_not_the_floors(first: tuple[RunOutcome, Path]) -> None:
    outcome, _ = first
    conditions: dict[str, set[str]] = {}
    for task in outcome.result.tasks:
        conditions.setdefault(task.detector, set()).add(task.condition)
    name = outcome.result.detectors[0].name
    assert conditions.pop(name) == {"untrimmed", "trimmed"}
    assert all(found == {"untrimmed"} for found in conditions.values())


def test_second_run_reuses_everything(world: Path, first: tuple[RunOutcome, Path]) -> None:
    outcome, cache = first
    again = run(config(world, cache, overwrite=Overwrite.ONLY_CACHE), Quiet())
    assert again.folder == outcome.folder
    pd.testing.assert_frame_equal(again.predictions, outcome.predictions)
    assert again.result.detectors[0].fit_seconds is None


def test_always_computes_anew_and_agrees(world: Path, first: tuple[RunOutcome, Path]) -> None:
    import sys

    outcome, cache = first
    module = next(module for name, module in sys.modules.items() if name.startswith("cmdfd_file_level"))
    module.CALLS.clear()
    again = run(config(world, cache, overwrite=Overwrite.ALWAYS, floors=False), Quiet())
    clips = outcome.predictions["id"].nunique()
    assert len(module.CALLS) >= clips  # every feature was computed again
    mine = outcome.predictions[outcome.predictions["detector"] == outcome.result.detectors[0].name]
    pd.testing.assert_frame_equal(again.predictions, mine.reset_index(drop=True))


def test_only_cache_refuses_what_is_missing(world: Path, first: tuple[RunOutcome, Path]) -> None:
    _, cache = first
    with pytest.raises(CmdfdError, match="only-missing"):
        run(config(world, cache, seed=99, overwrite=Overwrite.ONLY_CACHE), Quiet())


def test_changed_file_is_seen_and_its_answer_computed_anew(world: Path, tmp_path: Path) -> None:
    import shutil

    for name in ("near", "far"):
        shutil.copytree(world / name, tmp_path / name)
    moved = dataclasses.replace(
        config(world, tmp_path), train_on=(), select_on=(), report_on=(str(tmp_path / "far"),), detector="random"
    )
    before = run(moved, Quiet()).predictions
    victim = next((tmp_path / "far").rglob("*.mp4"))
    victim.write_bytes(victim.read_bytes()[:200])
    quiet = Quiet()
    run(dataclasses.replace(moved, detector=f"{world / 'level.py'}:Level", train_on=(str(tmp_path / "near"),),
                            select_on=(str(tmp_path / "near"),), floors=False), quiet)  # fmt: skip
    assert any("1 files are not those of the manifest" in line for line in quiet.lines)
    assert before["error"].isna().all()


def test_broken_clips_keep_their_row_and_count_as_worst(world: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(world / "far", tmp_path / "far")
    for victim in sorted((tmp_path / "far").rglob("*.mp4"))[:5]:
        victim.write_bytes(b"")
    broken = config(world, tmp_path, report_on=(str(tmp_path / "far"),), floors=False)
    outcome = run(broken, Quiet())
    plain = outcome.predictions[outcome.predictions["condition"] == "untrimmed"]
    assert len(plain) == 78
    assert plain["error"].notna().sum() == 5
    assert plain["error"].dropna().str.startswith("empty").all()
    assert outcome.result.tasks[0].n_failed == 5


def test_overlap_is_refused(world: Path, tmp_path: Path) -> None:
    near = str(world / "near")
    with pytest.raises(SplitError, match="--train-on"):
        run(config(world, tmp_path, report_on=(f"{near}:train",)), Quiet())


def test_score_recomputes_the_same_numbers(first: tuple[RunOutcome, Path], capsys: pytest.CaptureFixture[str]) -> None:
    outcome, _ = first
    again = rescore(outcome.folder)
    assert again.tasks == outcome.result.tasks
    assert again.comparisons == outcome.result.comparisons
    assert score_main([str(outcome.folder)]) == 0
    assert "AUC" in capsys.readouterr().out


def test_score_says_that_its_report_has_no_pictures(
    first: tuple[RunOutcome, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(first[0].folder, copy)
    assert score_main([str(copy)]) == 0 and capsys.readouterr().err == ""
    assert score_main([str(copy), "--write"]) == 0
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "has no pictures of clips" in said and "How to get this again" in said
    page = (copy / "report.html").read_text()
    assert "How to get this again" in page and 'id="clips"' not in page


def test_score_refuses_changed_predictions(first: tuple[RunOutcome, Path], tmp_path: Path) -> None:
    import shutil

    outcome, _ = first
    copy = tmp_path / "copy"
    shutil.copytree(outcome.folder, copy)
    result = json.loads((copy / "result.json").read_text())
    result["predictions_sha256"] = "0" * 64
    (copy / "result.json").write_text(json.dumps(result))
    with pytest.raises(CmdfdError, match="--accept-changed"):
        rescore(copy)
    assert rescore(copy, accept_changed=True).tasks == outcome.result.tasks
    (copy / "result.json").write_text(json.dumps({**result, "surprise": 1}))
    with pytest.raises(CmdfdError, match="surprise"):
        rescore(copy)
    assert score_main([str(tmp_path / "nowhere")]) == 2


def test_seed_spread_is_the_standard_deviation_over_fits(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = str(world / "near")
    counted: list[str] = []
    monkeypatch.setattr(Runner, "pixels", lambda self, fitted, protocol: counted.append(fitted.revision) or [])
    outcome = run(config(world, tmp_path, fit_seeds=3, report_on=(near,), floors=False), Quiet())
    spread = (outcome.result.seed_spread or {})["near/test"]
    assert counted == [outcome.result.detectors[0].revision]  # the maps of the other seeds are judged by nobody
    assert spread["seeds"] == [0, 1, 2]
    assert spread["std"] == pytest.approx(0.0)  # the seed only moves the offset, and AUC does not see it
    assert spread["auc"][0] == pytest.approx(outcome.result.tasks[0].pooled["auc"].value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--detector", "msd"], "did you mean 'mds'"),
        (["--detector", "mds", "--preset", "minni"], "did you mean 'mini'"),
        (["--detector", "random", "--report-on", "mini-c"], "mini-a"),
        (["--detector", "random", "--report_on", "mini-c"], "mini-a"),
        (["--detector", "random", "--detector-args", "x"], "NAME=VALUE"),
        (["--detector", "random", "--fit-seeds", "0"], "at least 1"),
    ],
)
def test_wrong_words_get_the_right_ones(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert said in capsys.readouterr().err


def test_lists_need_no_torch(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list", "sets"]) == 0
    assert "mini-a" in capsys.readouterr().out


def test_help_imports_nothing_heavy() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from benchmarks.run import parser; parser().format_help();"
        "from benchmarks.registry import DETECTORS; DETECTORS.names();"
        "print([m for m in ('torch', 'cv2', 'matplotlib', 'pandas', 'sklearn', 'av') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_single_files_need_no_report_set(world: Path, tmp_path: Path) -> None:
    """`--predict` opens what it fits on and nothing else."""
    runner = Runner(config(world, tmp_path, report_on=("mini-b",)), Quiet())
    protocol = runner.protocol(report=False)
    assert protocol.report == ()
    assert [part.ref.label for part in protocol.train] == ["near/train"]
