"""What the harness itself costs beside decoding, faces and the network, and that memory is flat in the clips."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from benchmarks.detector import ClipView, Features, Prediction
from benchmarks.detectors.mds.detector import MDS
from benchmarks.progress import Quiet
from benchmarks.registry import resolve
from benchmarks.runner import RunConfig, Runner
from benchmarks.views import FeatureView

pytestmark = pytest.mark.slow
pytest.importorskip("espeakng_loader", reason="the extra `talkers` is not installed")

RECIPE = """
schema_version: 1
name: cost
seed: 5
source: {kind: talkers, options: {cast: a}}
splits:
  train: {identities: 2, clips: 2}
  validation: {identities: 2, clips: 2}
  test: {identities: 12, clips: 2}
kinds: [{kind: audio/swap}, {kind: audio/desync, params: {milliseconds: [80]}}]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from generators.build import build

    root = tmp_path_factory.mktemp("cost")
    (root / "cost.yaml").write_text(RECIPE)
    build(str(root / "cost.yaml"), root / "set")
    return root


def run_config(folder: Path, limit: float | None = None, cache: str = "cache") -> RunConfig:
    place = str(folder / "set")
    return RunConfig(
        detector="mds",
        options={"steps": 20},
        train_on=(place,),
        select_on=(place,),
        report_on=(place,),
        limit=limit,
        cache=folder / cache,
        workers=1,
    )


class Clock:
    """Seconds spent inside a detector: featurise (which decodes and crops) and its own part of predict."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.inside = 0.0
        self.outside_of_predict = 0.0
        featurise, predict, features = MDS.featurise, MDS.predict, FeatureView.features

        def timed_featurise(detector: MDS, view: ClipView) -> Features:
            began = time.perf_counter()
            try:
                return featurise(detector, view)
            finally:
                self.inside += time.perf_counter() - began

        def timed_features(view: FeatureView) -> Features:
            began = time.perf_counter()
            try:
                return features(view)
            finally:
                self.outside_of_predict += time.perf_counter() - began

        def timed_predict(detector: MDS, views: Iterable[ClipView]) -> Iterator[Prediction]:
            answers = predict(detector, views)
            while True:
                began, others = time.perf_counter(), self.outside_of_predict
                try:
                    answer = next(answers)
                except StopIteration:
                    return
                self.inside += time.perf_counter() - began - (self.outside_of_predict - others)
                yield answer

        patch.setattr(MDS, "featurise", timed_featurise)
        patch.setattr(MDS, "predict", timed_predict)
        patch.setattr(FeatureView, "features", timed_features)


def test_harness_takes_at_most_a_tenth(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = Runner(run_config(folder), Quiet())
    protocol = runner.protocol()
    fitted = runner.fit(resolve("mds"), 0, protocol)
    clock = Clock(monkeypatch)
    began = time.perf_counter()
    rows = runner.answers(fitted, protocol.report[0], {})
    total = time.perf_counter() - began
    runner.pool.close()
    share = (total - clock.inside) / total
    print(f"{len(rows)} clips in {total:.2f} s, harness {share:.1%}")
    assert all(row["error"] is None for row in rows)
    assert share <= 0.10


CHILD = """
import json, resource, sys
from pathlib import Path
from benchmarks.progress import Quiet
from benchmarks.registry import resolve
from benchmarks.runner import Runner
sys.path.insert(0, sys.argv[1])
from test_overhead import run_config
folder, limit = Path(sys.argv[2]), float(sys.argv[3])
runner = Runner(run_config(folder), Quiet())
fitted = runner.fit(resolve("mds"), 0, runner.protocol())
part = Runner(run_config(folder, limit, f"cache-{limit}"), Quiet()).protocol().report[0]
again = Runner(run_config(folder, None, f"cache-{limit}"), Quiet())
rows = again.answers(fitted, part, {})
print(json.dumps([len(rows), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def test_memory_is_flat_in_the_number_of_clips(folder: Path) -> None:
    """Both children fit on the same clips (cached), then score 2 or 12 people, uncached."""
    Runner(run_config(folder), Quiet())
    found = []
    for limit in (2, 12):
        words = [sys.executable, "-c", CHILD, str(Path(__file__).parent), str(folder), str(limit)]
        shown = subprocess.run(words, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
        found.append(json.loads(shown.stdout.splitlines()[-1]))
    (few, small), (many, large) = found
    print(f"{few} clips {small:.0f} MB, {many} clips {large:.0f} MB")
    assert many == 6 * few
    assert large - small < 40
