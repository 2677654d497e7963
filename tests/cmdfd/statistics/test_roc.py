"""Rank statistics against scikit-learn, root finding and brute force, with ties, weights and constants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn import metrics as sk

from cmdfd.statistics import roc
from cmdfd.statistics.ranking import Ranking


@st.composite
def labelled(draw: st.DrawFn, finite: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Both classes, with many ties or none, constants among them."""
    n = draw(st.integers(2, 40))
    labels = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n).filter(lambda y: 0 < sum(y) < len(y)))
    values = draw(
        st.sampled_from(
            [
                st.integers(-2, 2).map(float),
                st.floats(-1e6, 1e6, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) > 1e-300),
                st.just(0.25),
            ]
        )
    )
    scores = draw(st.lists(values, min_size=n, max_size=n))
    return np.array(labels), np.array(scores, dtype=float)


@settings(max_examples=80, deadline=None)
@given(labelled())
def test_auc_ap_and_curve_equal_scikit_learn(data: tuple[np.ndarray, np.ndarray]) -> None:
    y, s = data
    assert roc.auc(y, s) == pytest.approx(sk.roc_auc_score(y, s), abs=1e-12)
    assert roc.average_precision(y, s) == pytest.approx(sk.average_precision_score(y, s), abs=1e-12)
    fpr, tpr, thresholds = sk.roc_curve(y, s, drop_intermediate=False)
    ours = roc.roc_curve(y, s)
    np.testing.assert_allclose(ours.fpr, fpr, atol=1e-12)
    np.testing.assert_allclose(ours.tpr, tpr, atol=1e-12)
    np.testing.assert_array_equal(ours.thresholds[1:], thresholds[1:])


@settings(max_examples=40, deadline=None)
@given(labelled(), st.integers(0, 2**32 - 1))
def test_weighted_auc_equals_scikit_learn_and_repetition(data: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    y, s = data
    weights = np.random.default_rng(seed).integers(0, 4, size=(5, len(y)))
    found = roc.weighted_auc(y, s, weights)
    for row, value in zip(weights, found, strict=True):
        if row[y == 1].sum() == 0 or row[y == 0].sum() == 0:
            assert np.isnan(value)
            continue
        assert value == pytest.approx(sk.roc_auc_score(y, s, sample_weight=row), abs=1e-12)
        assert value == pytest.approx(roc.auc(np.repeat(y, row), np.repeat(s, row)), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(labelled(), st.integers(0, 2**32 - 1))
def test_weighted_metrics_equal_repetition(data: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    y, s = data
    row = np.random.default_rng(seed).integers(0, 3, size=len(y))
    row[np.argmax(y)] = row[np.argmin(y)] = 1
    counts = Ranking.of(y, s).counts(row[None, :])
    often_y, often_s = np.repeat(y, row), np.repeat(s, row)
    assert counts.eer()[0] == pytest.approx(roc.eer(often_y, often_s), abs=1e-12)
    assert counts.average_precision()[0] == pytest.approx(roc.average_precision(often_y, often_s), abs=1e-12)
    assert counts.tpr_at_fpr(0.1)[0] == pytest.approx(roc.tpr_at_fpr(often_y, often_s, 0.1), abs=1e-12)
    threshold = float(np.median(s))
    column = Ranking.of(y, s).column(threshold)
    expected = roc.balanced_accuracy(often_y, often_s, threshold)
    assert counts.balanced_accuracy(column)[0] == pytest.approx(expected, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(labelled())
def test_eer_is_the_root_of_one_minus_tpr_minus_fpr(data: tuple[np.ndarray, np.ndarray]) -> None:
    y, s = data
    fpr, tpr, _ = sk.roc_curve(y, s, drop_intermediate=False)
    # the curve is vertical in places, so it is followed by its length, not by fpr
    at = np.arange(len(fpr), dtype=float)
    x, z = interp1d(at, fpr), interp1d(at, tpr)
    root = brentq(lambda t: 1 - z(t) - x(t), 0, at[-1], xtol=1e-13)
    assert roc.eer(y, s) == pytest.approx(float(x(root)), abs=1e-9)


def test_eer_of_constants_is_a_half() -> None:
    assert roc.eer([0, 1, 1, 1], [3.0] * 4) == 0.5


@settings(max_examples=60, deadline=None)
@given(labelled(), st.sampled_from([0.0, 0.01, 0.1, 0.5, 1.0]))
def test_tpr_at_fpr_is_the_best_admissible_threshold(data: tuple[np.ndarray, np.ndarray], fpr: float) -> None:
    y, s = data
    cuts = [np.inf, *np.unique(s)]
    admissible = [np.mean(s[y == 1] >= cut) for cut in cuts if np.mean(s[y == 0] >= cut) <= fpr + 1e-12]
    assert roc.tpr_at_fpr(y, s, fpr) == pytest.approx(max(admissible), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(labelled())
def test_best_threshold_reaches_the_best_balanced_accuracy(data: tuple[np.ndarray, np.ndarray]) -> None:
    y, s = data
    chosen = roc.best_threshold(y, s)
    assert np.isfinite(chosen)
    best = max(sk.balanced_accuracy_score(y, s >= cut) for cut in [*np.unique(s), np.inf])
    assert roc.balanced_accuracy(y, s, chosen) == pytest.approx(best, abs=1e-12)


def test_best_threshold_is_the_midpoint() -> None:
    assert roc.best_threshold([0, 0, 1, 1], [0.0, 1.0, 3.0, 9.0]) == 2.0
    assert roc.best_threshold([0, 1], [np.nextafter(1.0, 0), 1.0]) == 1.0
    assert roc.best_threshold([0, 1], [-1.7e308, 1.7e308]) == 0.0


def test_constant_scores_are_at_chance() -> None:
    y = [0, 0, 1, 1, 1]
    assert roc.auc(y, [7.0] * 5) == 0.5
    assert roc.balanced_accuracy(y, [7.0] * 5, roc.best_threshold(y, [7.0] * 5)) == 0.5
    assert roc.average_precision(y, [7.0] * 5) == pytest.approx(3 / 5)


@settings(max_examples=60, deadline=None)
@given(labelled())
def test_auc_symmetries(data: tuple[np.ndarray, np.ndarray]) -> None:
    y, s = data
    value = roc.auc(y, s)
    assert roc.auc(1 - y, s) == pytest.approx(1 - value, abs=1e-12)
    assert roc.auc(y, -s) == pytest.approx(1 - value, abs=1e-12)
    assert roc.auc(y, s / 2) == pytest.approx(value, abs=1e-12)  # halving is monotone and exact


def test_infinite_scores_are_the_ends_of_the_order() -> None:
    y = np.array([0, 0, 1, 1])
    assert roc.auc(y, [np.inf, 0.0, 1.0, -np.inf]) == roc.auc(y, [9.0, 0.0, 1.0, -9.0]) == 0.25
    assert roc.eer(y, [np.inf, 0.0, 1.0, -np.inf]) == roc.eer(y, [9.0, 0.0, 1.0, -9.0])


def test_blocks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    y, s, w = rng.integers(0, 2, 50), rng.normal(size=50), rng.integers(0, 3, (30, 50))
    whole = roc.weighted_auc(y, s, w)
    monkeypatch.setattr(roc, "BLOCK_ELEMENTS", 120)
    np.testing.assert_array_equal(roc.weighted_auc(y, s, w), whole)


@pytest.mark.parametrize(
    ("labels", "scores", "words"),
    [
        ([1, 1], [0.0, 1.0], "no real"),
        ([0, 0], [0.0, 1.0], "no fake"),
        ([], [], "no fake"),
        ([0, 2], [0.0, 1.0], "must be 0"),
        ([0, -1], [0.0, 1.0], "must be 0"),
        (["real", "fake"], [0.0, 1.0], "must be 0"),
        ([[0], [1]], [[0.0], [1.0]], "one dimension"),
        ([0, 1], [0.0], "2 scores"),
        ([0, 1], [0.0, float("nan")], "NaN"),
    ],
)
def test_bad_input_is_refused(labels: list[int], scores: list[float], words: str) -> None:
    for function in (roc.auc, roc.eer, roc.average_precision, roc.tpr_at_fpr, roc.roc_curve, roc.best_threshold):
        with pytest.raises(ValueError, match=words):
            function(labels, scores)


def test_bad_weights_thresholds_and_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        roc.weighted_auc([0, 1], [0.0, 1.0], [1.0, 1.0])
    with pytest.raises(ValueError, match=">= 0"):
        roc.weighted_auc([0, 1], [0.0, 1.0], [[1.0, -1.0]])
    with pytest.raises(ValueError, match="fpr"):
        roc.tpr_at_fpr([0, 1], [0.0, 1.0], 1.5)
    with pytest.raises(ValueError, match="NaN"):
        roc.balanced_accuracy([0, 1], [0.0, 1.0], float("nan"))
    with pytest.raises(ValueError, match="finite"):
        roc.best_threshold([0, 1], [0.0, np.inf])
