"""Counted wins against every other way to the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from cmdfd.statistics import bootstrap as bs
from cmdfd.statistics import pairs as module
from cmdfd.statistics.pairs import ComponentPairs
from cmdfd.statistics.ranking import RankCounts, Ranking

SCORES = st.sampled_from([-np.inf, -1.0, 0.0, 0.25, 0.5, 0.5000000001, 3.0, np.inf])


@st.composite
def clips(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Labels of both classes, components, parts and scores with many ties; anything from one component upwards."""
    n = draw(st.integers(2, 40))
    labels = np.array(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    labels[:2] = 0, 1
    components = np.array(draw(st.lists(st.integers(0, draw(st.integers(0, 12))), min_size=n, max_size=n)))
    parts = np.array(draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)))
    return labels, components, parts, np.array(draw(st.lists(SCORES, min_size=n, max_size=n)))


def by_counts(labels: np.ndarray, scores: np.ndarray, draws: bs.ComponentDraws, metric: str) -> np.ndarray:
    return bs.counts_draws(Ranking.of(labels, scores), draws, {metric: getattr(RankCounts, metric)})[metric]


@settings(max_examples=80)
@given(clips())
def test_equals_cumulated_weights(case: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]) -> None:
    labels, components, parts, scores = case
    draws = bs.draw_components(components, 20, 3, labels)
    pairs = ComponentPairs.of(labels, draws, parts)
    found = pairs.aucs(scores)
    np.testing.assert_allclose(
        found.draws[-1], bs.bootstrap_auc_draws(labels, scores, components, 20, 3), rtol=0, atol=1e-12
    )
    for part in range(pairs.n_parts):
        kept = (labels == 0) | (parts == part)
        if not labels[kept].any():
            assert np.isnan(found.values[part])
            assert np.isnan(found.draws[part]).all()
            continue
        restricted = bs.ComponentDraws(draws.multiplicities, draws.index[kept])
        expected = by_counts(labels[kept], scores[kept], restricted, "auc")
        np.testing.assert_allclose(found.draws[part], expected, rtol=0, atol=1e-12)
    eer = pairs.eer(scores)
    np.testing.assert_allclose(eer.draws, by_counts(labels, scores, draws, "eer"), rtol=0, atol=1e-12)
    whole = Ranking.of(labels, scores).counts(np.ones((1, len(labels))))
    assert eer.value == pytest.approx(whole.eer()[0], abs=1e-12)
    assert found.values[-1] == pytest.approx(whole.auc()[0], abs=1e-12)


@settings(max_examples=40)
@given(clips())
def test_draws_that_lack_a_class_have_no_value(case: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]) -> None:
    labels, components, _, scores = case
    draws = bs.draw_components(components, 20, 1)  # without strata
    pairs = ComponentPairs.of(labels, draws)
    for found, metric in ((pairs.aucs(scores).draws[-1], "auc"), (pairs.eer(scores).draws, "eer")):
        np.testing.assert_allclose(found, by_counts(labels, scores, draws, metric), rtol=0, atol=1e-12)


@settings(max_examples=25)
@given(clips())
def test_the_three_ways_of_counting_agree(case: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]) -> None:
    labels, components, parts, scores = case
    draws = bs.draw_components(components, 15, 0, labels)
    single = ComponentPairs.of(labels, draws, parts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "EXACT_IN_SINGLE", 0)
        double = ComponentPairs.of(labels, draws, parts)
        patch.setattr(module, "MOST_COMPONENTS", 0)
        clipwise = ComponentPairs.of(labels, draws, parts)
    assert single.layout is not None
    assert double.layout is not None
    assert [single.layout.weights.dtype.name, double.layout.weights.dtype.name] == ["float32", "float64"]
    assert clipwise.layout is None
    for other in (double, clipwise):
        for name in ("values", "draws"):
            ours, theirs = getattr(single.aucs(scores), name), getattr(other.aucs(scores), name)
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)
        np.testing.assert_allclose(single.eer(scores).draws, other.eer(scores).draws, rtol=0, atol=1e-12)


def skewed() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """2,400 clips in 70 components of very different sizes, some of one class."""
    rng = np.random.default_rng(4)
    components = rng.integers(0, 70, 2400) ** 2 // 70
    labels = (rng.random(2400) < 0.3 + 0.4 * (components % 3 == 0)).astype(int)
    labels[components == 5] = 1
    labels[components == 6] = 0
    return labels, components, np.round(labels + 1.5 * rng.normal(size=2400), 2)


def test_against_scikit_learn_with_weights() -> None:
    labels, components, scores = skewed()
    draws = bs.draw_components(components, 60, 9, labels)
    found = ComponentPairs.of(labels, draws).aucs(scores)
    expected = [roc_auc_score(labels, scores, sample_weight=m[draws.index]) for m in draws.multiplicities]
    np.testing.assert_allclose(found.draws[-1], expected, rtol=0, atol=1e-9)
    assert found.values[-1] == pytest.approx(roc_auc_score(labels, scores), abs=1e-9)


def test_order_of_clips_and_threads_change_no_bit() -> None:
    from threadpoolctl import threadpool_limits

    labels, components, scores = skewed()
    order = np.random.default_rng(1).permutation(len(labels))
    first = ComponentPairs.of(labels, bs.draw_components(components, 50, 2, labels))
    second = ComponentPairs.of(labels[order], bs.draw_components(components[order], 50, 2, labels[order]))
    with threadpool_limits(limits=1, user_api="blas"):
        one = first.aucs(scores).draws, first.eer(scores).draws
    two = second.aucs(scores[order]).draws, second.eer(scores[order]).draws
    assert all((a == b).all() for a, b in zip(one, two, strict=True))


def test_sums_beyond_single_precision_stay_exact() -> None:
    # 6,000 fakes of one component against 6,000 reals: 72 million halves of pairs, four times what single holds
    labels = np.repeat([0, 1], 6000)
    components = np.concatenate([np.arange(6000) % 3, np.zeros(6000, int)])
    scores = np.random.default_rng(0).normal(size=12000)
    draws = bs.draw_components(components, 8, 0, labels)
    pairs = ComponentPairs.of(labels, draws)
    assert pairs.layout is not None
    assert pairs.layout.weights.dtype == np.float64
    expected = bs.bootstrap_auc_draws(labels, scores, components, 8, 0)
    np.testing.assert_allclose(pairs.aucs(scores).draws[-1], expected, rtol=0, atol=1e-12)


def test_many_clips_are_counted_without_large_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CELLS", 2400 * 50 - 1)
    labels, components, _ = skewed()
    assert ComponentPairs.of(labels, bs.draw_components(components, 50, 2, labels)).layout is None


def test_what_it_refuses() -> None:
    draws = bs.draw_components(np.arange(4), 5, 0, [0, 1, 0, 1])
    with pytest.raises(ValueError, match="no real"):
        ComponentPairs.of([1, 1, 1, 1], draws)
    with pytest.raises(ValueError, match="as many components"):
        ComponentPairs.of([0, 1, 1], draws)
    with pytest.raises(ValueError, match="counted from 0"):
        ComponentPairs.of([0, 1, 0, 1], draws, [0, -1, 0, 0])
    pairs = ComponentPairs.of([0, 1, 0, 1], draws, [-1, 0, -1, 2])
    assert np.isnan(pairs.aucs([0.0, 1.0, 0.0, 1.0]).values[1])
    for judge in (pairs.aucs, pairs.eer):
        with pytest.raises(ValueError, match="NaN"):
            judge([0.0, np.nan, 0.0, 1.0])
