"""The shortcut experiment: what is planted, what is compared, and the whole of it on a small set."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.progress import Quiet
from benchmarks.shortcut.__main__ import main
from benchmarks.shortcut.experiment import CELLS, compare
from benchmarks.shortcut.plant import plant_silence
from cmdfd.dataset import Dataset
from cmdfd.media.decode import read_audio
from generators.build import build

ROOT = Path(__file__).resolve().parents[3]
RECIPE = f"""
schema_version: 1
name: tiny
summary: for tests
seed: 1
source: {{kind: "{ROOT / "tests" / "generators" / "tiny_source.py"}:TinySource"}}
splits:
  train: {{identities: 2, clips: 1}}
  validation: {{identities: 2, clips: 1}}
  test: {{identities: 2, clips: 1}}
kinds: [{{kind: audio/swap}}]
harmonise: {{fps: 25, width: 64, height: 64, sample_rate: 16000, seconds: 1.2, lufs: -23, crf: [23, 25]}}
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny.yaml").write_text(RECIPE, encoding="utf-8")
    build(str(folder / "tiny.yaml"), folder / "set", executor="serial")
    return Dataset.open(folder / "set")


def test_the_silence_lies_before_fakes_only_and_lengths_stay(tiny: Dataset, tmp_path: Path) -> None:
    copy = plant_silence(tiny, tmp_path / "planted", 0.06, ("train", "test"), Quiet())
    assert {clip.id for clip in copy.clips()} == {clip.id for clip in tiny.clips() if clip.split != "validation"}
    for clip in copy.clips():
        sound = read_audio(copy.path_of(clip), sample_rate=clip.sample_rate).samples
        assert len(sound) == clip.n_samples
        quiet = float(np.abs(sound[: round(0.04 * clip.sample_rate)]).max())
        before = read_audio(tiny.path_of(clip), sample_rate=clip.sample_rate).samples
        loud = float(np.abs(before[: round(0.04 * clip.sample_rate)]).max())
        assert (quiet < 0.1 * loud) == (clip.labels.label == 1), clip.kind
    stamps = {clip.id: copy.path_of(clip).stat().st_mtime_ns for clip in copy.clips()}
    again = plant_silence(tiny, tmp_path / "planted", 0.06, ("train", "test"), Quiet())
    assert {clip.id: again.path_of(clip).stat().st_mtime_ns for clip in again.clips()} == stamps


def test_cells_and_differences_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    n = 120
    frame = pd.DataFrame(
        {
            "label": np.tile([0, 1], n // 2),
            "component": [f"c{k // 4}" for k in range(n)],
            "kind": np.where(np.arange(n) % 2 == 0, "real", np.where(np.arange(n) % 4 == 1, "a", "b")),
        }
    )
    for number, (trained, tested, condition) in enumerate(CELLS):
        frame[f"{trained} / {tested} {condition}"] = frame["label"] * number * 0.3 + rng.normal(size=n)
    cells, differences = compare(frame, seed=0)
    assert {cell.fakes for cell in cells} == {"all", "a", "b"}
    whole = {(c.trained_on, c.tested_on): c.auc for c in cells if c.fakes == "all"}
    assert whole["planted", "planted"] == pytest.approx(
        roc_auc_score(frame["label"], frame["planted / planted untrimmed"])
    )
    loss = next(one for one in differences if one.fakes == "all" and one.name.startswith("loss when"))
    assert loss.value == pytest.approx(whole["planted", "planted, trimmed"] - whole["planted", "planted"])
    for one in differences:
        assert one.low is not None and one.high is not None
        assert one.verdict.startswith("not shown") == (one.low <= 0 <= one.high)


def test_wrong_lengths_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--milliseconds", "0"]) == 2
    assert "more than 0 and at most 1000 ms" in capsys.readouterr().err


@pytest.mark.slow
def test_the_whole_experiment_runs(tiny: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--set", str(tiny.folder), "--detector", "random", "-o", str(tmp_path / "out"), "--workers", "1"]
    assert main([*words, "--cache-dir", str(tmp_path / "cache")]) == 0
    told = json.loads((tmp_path / "out" / "shortcut.json").read_text(encoding="utf-8"))
    planted = next(one for one in told["warned"] if one["copy"] == "planted")
    assert planted["auc"] >= 0.98
    assert "Differences, clip by clip" in capsys.readouterr().out
