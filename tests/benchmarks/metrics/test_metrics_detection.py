"""`evaluate` against scikit-learn, its rules for failed clips, and what it says where it has no number."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from benchmarks.metrics.detection import METRICS, evaluate, worst_scores
from cmdfd.statistics.bootstrap import bootstrap, bootstrap_auc
from cmdfd.statistics.roc import average_precision, balanced_accuracy, eer, tpr_at_fpr


def paired_set(n_components: int = 14, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.tile([0, 0, 1, 1, 1], n_components)
    scores = np.round(labels + rng.normal(size=len(labels)), 1)
    return labels, scores, np.repeat([f"c{k}" for k in range(n_components)], 5)


def test_values_equal_scikit_learn() -> None:
    labels, scores, components = paired_set()
    found = evaluate(labels, scores, components, 0.5, 50)
    assert tuple(found) == METRICS
    assert found["auc"].value == pytest.approx(sk.roc_auc_score(labels, scores))
    assert found["ap"].value == pytest.approx(sk.average_precision_score(labels, scores))
    assert found["balanced_accuracy"].value == pytest.approx(sk.balanced_accuracy_score(labels, scores >= 0.5))
    assert found["eer"].value == pytest.approx(eer(labels, scores))
    fpr, tpr, _ = sk.roc_curve(labels, scores, drop_intermediate=False)
    assert found["tpr@1%fpr"].value == pytest.approx(tpr[fpr <= 0.01].max())


def test_intervals_equal_the_plain_bootstrap() -> None:
    labels, scores, components = paired_set()
    found = evaluate(labels, scores, components, 0.45, 80, seed=3)
    plain = {
        "eer": eer,
        "ap": average_precision,
        "tpr@1%fpr": tpr_at_fpr,
        "balanced_accuracy": lambda y, s: balanced_accuracy(y, s, 0.45),
    }
    for name, metric in plain.items():
        expected = bootstrap(metric, labels, scores, components, 80, seed=3)
        assert found[name].low == pytest.approx(expected.low, abs=1e-12), name
        assert found[name].high == pytest.approx(expected.high, abs=1e-12), name
    assert found["auc"].low == pytest.approx(bootstrap_auc(labels, scores, components, 80, seed=3).low)


def test_failed_clips_are_the_worst_of_their_class() -> None:
    labels, scores, components = paired_set()
    holes: list[float | None] = [float(score) for score in scores]
    holes[0], holes[3] = None, None  # a real and a fake
    extreme = scores.copy()
    extreme[0], extreme[3] = 1e9, -1e9
    found, expected = evaluate(labels, holes, components, 0.5, 60), evaluate(labels, extreme, components, 0.5, 60)
    assert found == expected
    whole = evaluate(labels, scores, components, 0.5, 60)
    assert found["auc"].value < whole["auc"].value  # type: ignore[operator]
    assert worst_scores([0, 1], [None, None]).tolist() == [math.inf, -math.inf]
    assert worst_scores([0, 1], np.array([np.nan, 2.0])).tolist() == [math.inf, 2.0]


def test_all_clips_failed_is_the_worst_result() -> None:
    labels, _, components = paired_set()
    found = evaluate(labels, [None] * len(labels), components, 0.5, 30)
    assert found["auc"].value == 0.0
    assert found["eer"].value == 1.0
    assert found["balanced_accuracy"].value == 0.0
    assert found["tpr@1%fpr"].value == 0.0


def test_without_threshold_there_is_no_balanced_accuracy() -> None:
    labels, scores, components = paired_set()
    found = evaluate(labels, scores, components, None, 30)["balanced_accuracy"]
    assert (found.value, found.low, found.high) == (None, None, None)
    assert "threshold" in str(found.unreliable)


@pytest.mark.parametrize(("labels", "words"), [([1, 1], "no reals"), ([0, 0], "no fakes"), ([], "no clips")])
def test_one_class_has_no_metrics(labels: list[int], words: str) -> None:
    found = evaluate(labels, [0.5] * len(labels), ["a"] * len(labels), 0.5)
    assert all(one.value is None and words in str(one.unreliable) for one in found.values())


def test_doubts_are_said() -> None:
    labels, scores, components = paired_set(7)
    assert evaluate(labels, scores, components, 0.5, 30)["auc"].unreliable == "only 7 components"
    labels, scores, components = paired_set(14)
    found = evaluate(labels, scores, components, 0.5, 30)
    assert found["auc"].unreliable is None
    assert "only 28 reals" in str(found["tpr@1%fpr"].unreliable)


def test_constant_scores_are_at_chance() -> None:
    labels, scores, components = paired_set()
    found = evaluate(labels, np.zeros_like(scores), components, 0.5, 30)
    assert (found["auc"].value, found["auc"].low, found["auc"].high) == (0.5, 0.5, 0.5)
    assert found["eer"].value == 0.5
    assert found["balanced_accuracy"].value == 0.5
    assert found["ap"].value == pytest.approx(0.6)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.one_of(st.none(), st.floats(-9, 9)), st.integers(0, 4)), max_size=20))
def test_nothing_is_ever_nan(rows: list[tuple[int, float | None, int]]) -> None:
    labels = [row[0] for row in rows]
    found = evaluate(labels, [row[1] for row in rows], [row[2] for row in rows], 0.0, 20)
    for one in found.values():
        assert (one.value is None) <= (one.unreliable is not None)
        for number in (one.value, one.low, one.high):
            assert number is None or 0 <= number <= 1


def test_lengths_are_checked() -> None:
    with pytest.raises(ValueError, match="3 scores"):
        evaluate([0, 1, 1], [0.1], ["a", "b", "c"], 0.5)
    with pytest.raises(ValueError, match="components"):
        evaluate([0, 1], [0.1, 0.2], ["a"], 0.5)
