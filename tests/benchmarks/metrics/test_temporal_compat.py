"""The mode that counts as avdeepfake1m 0.0.4: recorded results, hand-made cases, the package itself, and speed."""

from __future__ import annotations

import hashlib
import json
import math
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from temporal_cases import Case, arrays, random_case

from benchmarks.metrics.temporal_arrays import Proposals, Truth
from benchmarks.metrics.temporal_avdeepfake1m import SUFFIX, compat_metrics
from benchmarks.metrics.temporal_core import temporal_metrics

HERE = Path(__file__).parent
RECORDED = HERE / "avdeepfake1m_recorded.json"
ORACLE = HERE / "avdeepfake1m_oracle.py"
PYTHON = "CMDFD_AVDEEPFAKE1M_PYTHON"


def nine(case: Case) -> list[float]:
    """AP at four thresholds and AR at five numbers, in the order of the recorded results."""
    values = compat_metrics(*arrays(case))
    assert all(key.endswith(SUFFIX) for key in values)
    return list(values.values())[:9]


def ap(case: Case, threshold: float = 0.5) -> float:
    return compat_metrics(*arrays(case))[f"ap@{threshold:g}{SUFFIX}"]


def ask(cases: list[Any], folder: Path) -> list[Any]:
    """What the package gives for these cases."""
    python = os.environ.get(PYTHON)
    if not python:
        pytest.skip(f"{PYTHON} does not name the python of an environment with avdeepfake1m==0.0.4")
    (folder / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
    command = [python, str(ORACLE), str(folder / "cases.json"), str(folder / "results.json")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return list(json.loads((folder / "results.json").read_text(encoding="utf-8")))


def test_equals_200_recorded_results() -> None:
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))
    cases = [random_case(seed) for seed in range(len(recorded["results"]))]
    digest = hashlib.sha256(json.dumps(cases).encode()).hexdigest()
    assert digest == recorded["cases_sha256"], "the cases are no longer those that were recorded: record them anew"
    assert len(cases) == 200
    found = np.array([nine(case) for case in cases])
    np.testing.assert_allclose(found, recorded["results"], rtol=0, atol=1e-6)


def test_the_cases_can_tell_the_conventions_apart() -> None:
    """The recorded cases would catch a missing rule: the strict metrics differ from them almost everywhere."""
    recorded = np.array(json.loads(RECORDED.read_text(encoding="utf-8"))["results"])
    strict = np.array([list(temporal_metrics(*arrays(random_case(seed))).values())[:9] for seed in range(200)])
    differs = (np.abs(strict - recorded) > 1e-6).any(axis=1)
    assert differs.mean() > 0.9
    confidences = [[row[0] for part in random_case(seed)["proposals"] for row in part] for seed in range(200)]
    assert sum(len(set(each)) < len(each) for each in confidences) > 150  # ties


@pytest.mark.parametrize(("n", "expected"), [(1, 0.0), (2, 0.5), (10, 0.9), (100, 0.99)])
def test_perfect_predictions_lose_one_stretch(n: int, expected: float) -> None:
    case = {"truth": [[[0.0, 1.0]]] * n, "proposals": [[[0.9, 0.0, 1.0]]] * n}
    assert ap(case) == pytest.approx(expected, abs=1e-7)
    assert temporal_metrics(*arrays(case))["ap@0.5"] == 1.0


def test_nothing_is_lost_where_the_surest_proposal_is_false() -> None:
    case = {"truth": [[[0.0, 1.0]], [[0.0, 1.0]]], "proposals": [[[0.9, 5.0, 6.0], [0.8, 0.0, 1.0]], [[0.7, 0.0, 1.0]]]}
    assert ap(case) == pytest.approx(2 / 3)


def test_an_overlap_that_equals_the_threshold_misses() -> None:
    case = {"truth": [[[0.0, 2.0]]], "proposals": [[[0.95, 5.0, 6.0], [0.9, 0.0, 1.0]]]}
    assert ap(case) == 0.0
    assert temporal_metrics(*arrays(case))["ap@0.5"] == 0.5


def test_two_overlapping_stretches_with_crossed_matches() -> None:
    """The first stretch takes the surest proposal, which alone fits the second; the surest is the first point: lost."""
    case = {"truth": [[[0.0, 10.0], [2.0, 12.0]]], "proposals": [[[0.9, 2.0, 11.0], [0.8, 0.0, 8.5]]]}
    assert temporal_metrics(*arrays(case))["ap@0.5"] == 1.0
    assert ap(case) == pytest.approx(0.5)


def test_file_order_decides() -> None:
    """Facts of the package: 0.667 where the file is sorted, 0.750 where it is not, for the same proposals."""
    truth = [[[0.0, 1.0]], [[0.0, 1.0]], [[0.0, 1.0]]]
    sure, less = [0.9, 0.0, 1.0], [0.3, 0.0, 0.9]
    rest = [[[0.8, 0.0, 1.0]], [[0.7, 0.0, 1.0]]]
    written = {"truth": truth, "proposals": [[sure, less], *rest]}
    mixed = {"truth": truth, "proposals": [[less, sure], *rest]}
    assert ap(written) == pytest.approx(0.667, abs=1e-3)
    assert ap(mixed) == pytest.approx(0.750, abs=1e-3)
    assert temporal_metrics(*arrays(written))["ap@0.5"] == temporal_metrics(*arrays(mixed))["ap@0.5"] == 1.0
    lists = {"truth": [[[0.0, 1.0]]], "proposals": [[[0.1, 5.0, 6.0]] * 5 + [sure]]}
    assert compat_metrics(*arrays(lists))[f"ar@5{SUFFIX}"] == 0.0
    assert temporal_metrics(*arrays(lists))["ar@5"] == 1.0


def test_no_stretch_at_all_and_a_video_without_proposals() -> None:
    nothing = compat_metrics(*arrays({"truth": [[]], "proposals": [[[0.9, 0.0, 1.0]]]}))
    assert math.isnan(nothing[f"ap@0.5{SUFFIX}"]) and nothing[f"ar@5{SUFFIX}"] == 0.0
    # the package panics here; its misses are counted
    case = {"truth": [[[0.0, 1.0]], [[0.0, 1.0]]], "proposals": [[], [[0.9, 0.0, 1.0]]]}
    assert compat_metrics(*arrays(case))[f"ar@5{SUFFIX}"] == 0.5


def test_negative_confidences_and_both_zeros_are_in_order() -> None:
    part = [[-0.5, 0.0, 1.0], [0.0, 4.0, 5.0], [-0.0, 2.0, 3.0], [1e-30, 6.0, 7.0], [-1e9, 8.0, 9.0]]
    case = {"truth": [[[0.0, 1.0], [2.0, 3.0], [8.0, 9.0]]], "proposals": [part]}
    # falling: 1e-30 false, 0 false, -0 hit, -0.5 hit, -1e9 hit
    assert ap(case) == pytest.approx((3 / 5 + 3 / 5 + 3 / 5) / 3, abs=1e-7)


@pytest.mark.slow
def test_equals_the_package_on_400_further_cases(tmp_path: Path) -> None:
    cases = [random_case(seed) for seed in range(1000, 1400)]
    theirs = ask(cases, tmp_path)
    np.testing.assert_allclose([nine(case) for case in cases], theirs, rtol=0, atol=1e-6)


@pytest.mark.slow
def test_speed_beside_the_package(tmp_path: Path) -> None:
    """10,000 videos with 100 proposals each: AP at 4 thresholds and AR at 5 x 10, arrays in memory, checks included.

    Their metric-only time is the whole call minus a call that does little but parse; both sides take turns, and the
    quickest of each counts, because the machine may be busy.
    """
    truth, given = big_case()
    files = {"truth_file": str(tmp_path / "truth.json"), "proposals_file": str(tmp_path / "proposals.json")}
    write_big_case(truth, given, files)
    theirs, strict, compat = [], [], []
    values: list[float] = []
    for _ in range(5):
        [told] = ask([{**files, "repeat": 1}], tmp_path)
        [[whole, parsing]] = told["seconds"]
        theirs.append(whole - parsing)
        values = told["values"]
        strict.append(seconds(temporal_metrics, truth, given)[0])
        took, ours = seconds(compat_metrics, truth, given)
        compat.append(took)
        np.testing.assert_allclose(list(ours.values())[:9], values, rtol=0, atol=1e-6)
    print(f"seconds: avdeepfake1m {min(theirs):.3f}, strict {min(strict):.3f}, compat {min(compat):.3f}")
    assert min(strict) < 1.5 * min(theirs)
    assert min(compat) < 1.5 * min(theirs)


def seconds(judge: Any, truth: Any, given: Any) -> tuple[float, dict[str, float]]:
    start = time.perf_counter()
    found = judge(Truth.of(*truth, n_videos=10_000), Proposals.of(*given, n_videos=10_000), 10_000)
    return time.perf_counter() - start, found


def big_case() -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """15,028 stretches and a million proposals, a tenth of them near a stretch, each video's surest first."""
    rng = np.random.default_rng(0)
    video = np.sort(rng.integers(0, 10_000, 15_028))
    start = np.round(rng.uniform(0, 8, len(video)), 4)
    end = np.round(start + rng.uniform(0.1, 1.5, len(video)), 4)
    owner = np.repeat(np.arange(10_000), 100)
    a = np.round(rng.uniform(0, 8, len(owner)), 2)
    b = np.round(a + rng.uniform(0.1, 1.5, len(owner)), 2)
    count, first = np.bincount(video, minlength=10_000), np.searchsorted(video, np.arange(10_000))
    near = np.flatnonzero((rng.random(len(owner)) < 0.1) & (count[owner] > 0))
    pick = first[owner[near]] + (rng.random(len(near)) * count[owner[near]]).astype(int)
    a[near] = np.round(np.maximum(start[pick] + rng.normal(0, 0.1, len(near)), 0), 2)
    b[near] = np.round(np.maximum(end[pick] + rng.normal(0, 0.1, len(near)), a[near] + 0.02), 2)
    sure = rng.beta(1, 6, len(owner))
    sure[near] += rng.uniform(0, 0.4, len(near))
    sure = np.round(sure, 6)
    order = np.lexsort((-sure, owner))
    return (video, start, end), (owner[order], a[order], b[order], sure[order])


def write_big_case(truth: tuple[Any, ...], given: tuple[Any, ...], files: dict[str, str]) -> None:
    labels: list[Any] = [{"file": f"{v:06d}.mp4", "fake_segments": []} for v in range(10_000)]
    for v, a, b in zip(*(column.tolist() for column in truth), strict=True):
        labels[v]["fake_segments"].append([a, b])
    proposals: dict[str, Any] = {f"{v:06d}.mp4": [] for v in range(10_000)}
    for v, a, b, c in zip(*(column.tolist() for column in given), strict=True):
        proposals[f"{v:06d}.mp4"].append([c, a, b])
    Path(files["truth_file"]).write_text(json.dumps(labels), encoding="utf-8")
    Path(files["proposals_file"]).write_text(json.dumps(proposals), encoding="utf-8")
