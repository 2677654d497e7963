"""Information, stratified AUC, words as columns, corrections of many p-values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from cmdfd.statistics.bootstrap import bootstrap_auc
from cmdfd.statistics.information import pvi, usable_bits
from cmdfd.statistics.multiple import benjamini_hochberg, holm
from cmdfd.statistics.stratified import bootstrap_stratified_auc, stratified_auc
from cmdfd.statistics.tokens import token_matrix

p_values = st.lists(st.one_of(st.floats(0, 1), st.none()), max_size=30)


def test_bits_by_hand() -> None:
    labels = [1, 1, 0, 0]
    np.testing.assert_allclose(pvi(labels, [0.5, 0.75, 0.5, 0.25], 0.5), [0, np.log2(1.5), 0, np.log2(1.5)])
    assert usable_bits(labels, [0.999999] * 2 + [0.000001] * 2, 0.5) == pytest.approx(1.0, abs=1e-5)
    assert usable_bits(labels, [0.5] * 4, [0.5] * 4) == 0.0
    assert usable_bits(labels, [np.nan] * 4, 0.5) is None
    assert (pvi(labels, [0.1, 0.1, 0.9, 0.9], 0.5) < 0).all()


def test_bits_of_the_true_posterior_are_the_mutual_information() -> None:
    # X given Y: categories with known chances, so that I(X; Y) can be summed
    rng = np.random.default_rng(0)
    given_real, given_fake, prior = np.array([0.6, 0.3, 0.1]), np.array([0.1, 0.3, 0.6]), 0.7
    labels = (rng.random(200_000) < prior).astype(int)
    draws = rng.random(len(labels))
    x = np.where(labels == 1, np.searchsorted(given_fake.cumsum(), draws), np.searchsorted(given_real.cumsum(), draws))
    posterior = (prior * given_fake / (prior * given_fake + (1 - prior) * given_real))[x]
    joint = np.stack([(1 - prior) * given_real, prior * given_fake])
    expected = stats.entropy(joint.ravel(), np.outer([1 - prior, prior], joint.sum(axis=0)).ravel(), base=2)
    assert usable_bits(labels, posterior, prior) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(("prob", "words"), [([0.5], "2 probabilities"), ([0.0, 0.5], "prob"), ([0.5, 1.0], "prob")])
def test_impossible_probabilities_are_refused(prob: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        pvi([0, 1], prob, 0.5)
    with pytest.raises(ValueError, match="prior"):
        pvi([0, 1], [0.5, 0.5], 1.0)


def by_pairs(labels: np.ndarray, scores: np.ndarray, strata: np.ndarray) -> float | None:
    won = total = 0.0
    for stratum in np.unique(strata):
        fakes, reals = scores[(strata == stratum) & (labels == 1)], scores[(strata == stratum) & (labels == 0)]
        size = len(fakes) + len(reals)
        won += sum((f > r) + 0.5 * (f == r) for f in fakes for r in reals) / size
        total += len(fakes) * len(reals) / size
    return won / total if total else None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(-3, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_stratified_auc_counts_pairs_inside_strata(rows: list[tuple[int, int, int]]) -> None:
    labels, scores, strata = (np.array(column) for column in zip(*rows, strict=True))
    expected = by_pairs(labels, scores, strata)
    found = stratified_auc(labels, scores, strata)
    assert (found is None) == (expected is None)
    if expected is not None:
        assert found == pytest.approx(expected)


def test_one_stratum_is_the_plain_auc_and_its_interval() -> None:
    rng = np.random.default_rng(0)
    labels, components = np.tile([0, 1, 1], 20), np.repeat(np.arange(20), 3)
    scores = np.round(rng.normal(size=60) + labels, 1)
    assert stratified_auc(labels, scores, np.zeros(60)) == pytest.approx(roc_auc_score(labels, scores))
    plain = bootstrap_auc(labels, scores, components, 200, seed=3)
    ours = bootstrap_stratified_auc(labels, scores, np.zeros(60), components, 200, seed=3)
    assert (ours.low, ours.high) == (pytest.approx(plain.low), pytest.approx(plain.high))


def test_strata_take_away_what_comes_from_them() -> None:
    rng = np.random.default_rng(1)
    strata = rng.integers(0, 4, 4000)
    labels = (rng.random(4000) < np.array([0.1, 0.3, 0.6, 0.9])[strata]).astype(int)
    scores = strata + 0.1 * rng.normal(size=4000)
    assert roc_auc_score(labels, scores) > 0.75
    assert stratified_auc(labels, scores, strata) == pytest.approx(0.5, abs=0.03)


def test_words_become_columns() -> None:
    texts = ["fake a", "real a", "fake a a", "real a", "fake b a", "real a", None, "", "fake a", "twin real a"]
    found = token_matrix(texts, np.arange(10))
    # "a" is in all texts; "b" and "twin" are rare; "real" is the complement of "fake", but another set of clips
    assert found.tokens == ("fake", "real")
    np.testing.assert_array_equal(found.values[:, 0], [1, 0, 1, 0, 1, 0, np.nan, np.nan, 1, 0])
    # the same word in one component only is no sign
    assert token_matrix(["x", "x", "x", "x", "y"], [0, 0, 0, 0, 1]).tokens == ()
    assert token_matrix([], []).values.shape == (0, 0)
    assert token_matrix([None, 3.0], [0, 1]).values.shape == (2, 0)


def test_words_are_bounded_and_twins_dropped() -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(f"w{k}" for k in np.flatnonzero(rng.random(500) < 0.3)) for _ in range(200)]
    texts = [f"{text} copy_of_w7" if "w7" in text.split() else text for text in texts]
    found = token_matrix(texts, np.arange(200), max_tokens=50)
    assert len(found.tokens) == 50
    whole = token_matrix(texts, np.arange(200), max_tokens=1000)
    assert ("copy_of_w7" in whole.tokens) + ("w7" in whole.tokens) == 1


def second_holm(p: list[float]) -> list[float]:
    """By its definition: each against the largest bound of those that are not above it."""
    m, order = len(p), sorted(range(len(p)), key=lambda k: p[k])
    return [min(1.0, max((m - j) * p[order[j]] for j in range(order.index(k) + 1))) for k in range(m)]


@settings(max_examples=100, deadline=None)
@given(p_values)
def test_corrections_against_other_formulas(values: list[float | None]) -> None:
    tested = [value for value in values if value is not None]
    here = [k for k, value in enumerate(values) if value is not None]
    for correct, expected in ((holm, second_holm(tested)), (benjamini_hochberg, _scipy(tested))):
        found = correct(values)
        assert len(found) == len(values)
        assert np.isnan(np.delete(found, here)).all()
        np.testing.assert_allclose(found[here], expected, atol=1e-12)
        assert (found[here] >= np.array(tested) - 1e-15).all()


def _scipy(p: list[float]) -> list[float]:
    return list(stats.false_discovery_control(p)) if p else []


def test_holm_holds_the_family_and_bh_the_rate() -> None:
    rng = np.random.default_rng(0)
    null = rng.random((2000, 20))
    family = np.mean([(holm(row) < 0.05).any() for row in null])
    assert 0.03 < family < 0.065
    shares = []
    for _ in range(300):
        z = np.r_[rng.normal(3, 1, 10), rng.normal(0, 1, 30)]
        called = benjamini_hochberg(2 * stats.norm.sf(np.abs(z))) < 0.1
        shares.append(called[10:].sum() / max(called.sum(), 1))
    assert np.mean(shares) < 0.1
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.5, 1.5])
