"""Plug-in metrics: found by name, module and file; with intervals; the EER conventions of other projects."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks.metrics.detection import evaluate
from benchmarks.metrics.eer import asvspoof, deepfakebench
from benchmarks.metrics.registry import METRICS, MetricSpec, bootstrap_metric, finite_scores, load_metric, metric
from cmdfd.errors import CmdfdError
from cmdfd.statistics.roc import auc, eer

OWN = '''
"""Two metrics of one's own."""
from benchmarks.metrics.registry import metric


@metric(higher_is_better=False, low=0.0)
def gap(labels, scores):
    """Distance of the means.

    More text.
    """
    return abs(scores[labels == 1].mean() - scores[labels == 0].mean())


def bare(labels, scores):
    return 0.25


def one_only(labels):
    return 0.0


NUMBER = 3
'''


def sample(n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    return labels, rng.normal(size=n) + labels, np.arange(n) // 4


@pytest.mark.parametrize("name", METRICS.names())
def test_every_listed_metric_loads_with_a_spec_and_has_a_value(name: str) -> None:
    found = load_metric(name)
    assert found.name == name and found.spec.summary
    estimate = bootstrap_metric(found.function, *sample(), n_draws=20)
    assert estimate.value is not None and estimate.low is not None and estimate.high is not None
    assert found.spec.low is not None and found.spec.high is not None
    assert found.spec.low <= estimate.low <= estimate.high <= found.spec.high


def test_a_metric_of_a_file_and_of_a_module(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(OWN, encoding="utf-8")
    gap = load_metric(f"{file}:gap")
    assert gap.spec == MetricSpec("Distance of the means.", higher_is_better=False, low=0.0)
    assert load_metric(f"{file}:bare").spec == MetricSpec()
    found = load_metric("cmdfd.statistics.roc:auc")
    assert found.function is auc and "fake scores above a real" in found.spec.summary
    for wrong in ("one_only", "NUMBER"):
        with pytest.raises(CmdfdError, match="must be a function of two arrays"):
            load_metric(f"{file}:{wrong}")
    with pytest.raises(CmdfdError, match="did you mean 'eer:asvspoof'"):
        load_metric("eer:asvspof")


def test_bounds_have_an_order() -> None:
    with pytest.raises(ValueError, match="low < high"):
        metric(low=1.0, high=0.0)(lambda labels, scores: 0.0)


def test_the_interval_of_auc_is_that_of_the_built_in_one() -> None:
    labels, scores, components = sample()
    own = bootstrap_metric(auc, labels, scores, components, n_draws=300, seed=5)
    built_in = evaluate(labels, scores, components, None, n_draws=300, seed=5)["auc"]
    assert own.value == pytest.approx(built_in.value)
    assert (own.low, own.high) == (pytest.approx(built_in.low), pytest.approx(built_in.high))
    assert own.unreliable == built_in.unreliable


def test_failed_clips_are_the_worst_of_their_class_and_finite() -> None:
    labels = [1, 1, 0, 0]
    scores = [0.9, None, float("nan"), 0.1]
    np.testing.assert_allclose(finite_scores(labels, scores), [0.9, 0.1 - 1.8, 0.9 + 1.8, 0.1])
    seen: list[np.ndarray] = []

    def watch(labels: np.ndarray, scores: np.ndarray) -> float:
        seen.append(scores)
        return 0.0

    assert bootstrap_metric(watch, labels, scores, [0, 1, 2, 3], n_draws=5).value == 0.0
    assert all(np.isfinite(one).all() for one in seen)
    np.testing.assert_allclose(finite_scores([1, 0], [None, None]), [-1.0, 1.0])
    with pytest.raises(ValueError, match="score 1 is infinite"):
        finite_scores([1, 0], [0.0, math.inf])


def test_a_metric_cannot_change_what_the_next_one_is_given() -> None:
    labels, scores, components = sample(40)
    before = scores.copy()

    def vandal(labels: np.ndarray, scores: np.ndarray) -> float:
        value = float(scores.mean())
        scores[:] = 0
        labels[:] = 0
        return value

    one = bootstrap_metric(vandal, labels, scores, components, n_draws=10)
    assert one == bootstrap_metric(vandal, labels, scores, components, n_draws=10)
    assert one.high is not None and one.high > one.low
    np.testing.assert_array_equal(scores, before)


def test_where_there_is_no_value_there_is_a_reason() -> None:
    def refuses(labels: np.ndarray, scores: np.ndarray) -> float:
        raise ValueError("needs more clips")

    found = bootstrap_metric(refuses, *sample(40))
    assert found.value is None and found.unreliable == "undefined: needs more clips"
    found = bootstrap_metric(lambda labels, scores: math.nan, *sample(40))
    assert found.value is None and found.unreliable == "undefined: the metric gives nan"
    found = bootstrap_metric(auc, [1, 1], [0.1, 0.2], [0, 1])
    assert found.value is None and found.unreliable == "undefined: there are no reals among the 2 clips"
    assert bootstrap_metric(auc, [], [], []).value is None
    with pytest.raises(ValueError, match="must return one number, got ndarray"):
        bootstrap_metric(lambda labels, scores: scores, *sample(40))  # type: ignore[arg-type,return-value]
    with pytest.raises(ValueError, match="2 labels need 2 scores"):
        bootstrap_metric(auc, [1, 0], [0.1], [0, 1])


def test_draws_without_a_value_make_the_interval_unreliable() -> None:
    labels, scores, components = sample(80)
    whole = float(scores.sum())

    def often_undefined(labels: np.ndarray, scores: np.ndarray) -> float:
        if scores.sum() > whole:
            raise ValueError("no")
        return 1.0

    found = bootstrap_metric(often_undefined, labels, scores, components, n_draws=200)
    assert found.value == 1.0 and "has no value in" in str(found.unreliable)


def test_eer_conventions_on_constant_scores() -> None:
    """Measured on the other projects' released code: 0 reads as perfect, 1 as the worst, 0.5 is right."""
    labels, scores = np.array([1, 0, 1, 0]), np.full(4, 0.3)
    assert deepfakebench(labels, scores) == 0.0
    assert asvspoof(labels, scores) == 1.0
    assert eer(labels, scores) == 0.5


def test_eer_conventions_by_hand() -> None:
    labels, scores = np.array([1, 1, 1, 0, 0, 0, 0]), np.array([0.9, 0.8, 0.3, 0.7, 0.4, 0.2, 0.1])
    # thresholds between .4 and .7: one of three fakes missed, one of four reals called
    assert asvspoof(labels, scores) == pytest.approx((1 / 3 + 1 / 4) / 2)
    # that very point lies on a straight part of the curve and is left out: next comes half of the reals
    assert deepfakebench(labels, scores) == pytest.approx(0.5)
    assert eer(labels, scores) == pytest.approx(1 / 3)


def test_eer_conventions_meet_on_many_clips() -> None:
    labels, scores, _ = sample(4000, 3)
    values = [judge(labels, scores) for judge in (deepfakebench, asvspoof, eer)]
    assert max(values) - min(values) < 0.005
    rng = np.random.default_rng(0)
    apart = []
    for _ in range(50):
        few = np.r_[np.ones(20, int), np.zeros(20, int)]
        given = rng.normal(size=40) + few
        apart.append(abs(deepfakebench(few, given) - asvspoof(few, given)))
    assert 0.01 < max(apart) <= 0.2
