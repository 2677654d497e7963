"""The permutation tests: what is rearranged, against enumeration, and what is refused."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cmdfd.statistics.maxt import RankSums, max_t
from cmdfd.statistics.permutation import LabelShuffler, permutation_test_auc


def test_paired_rearrangements_stay_inside_components() -> None:
    labels = np.tile([0, 0, 1], 14)
    components = np.repeat(np.arange(14), 3)
    order = np.random.default_rng(0).permutation(42)
    shuffler = LabelShuffler.of(labels[order], components[order])
    assert shuffler.design == "paired"
    drawn = shuffler.draw(np.random.default_rng(1), 300)
    for component in range(14):
        assert (drawn[:, components[order] == component].sum(axis=1) == 1).all()
    assert shuffler.log_arrangements() == pytest.approx(14 * np.log(3))
    # each of the three places is as likely
    place = drawn[:, np.flatnonzero(components[order] == 5)].mean(axis=0)
    assert place == pytest.approx([1 / 3] * 3, abs=0.1)


def test_unpaired_rearrangements_keep_components_whole() -> None:
    sizes = np.arange(1, 15)
    components = np.repeat(np.arange(14), sizes)
    labels = (components % 3 > 0).astype(int)
    shuffler = LabelShuffler.of(labels, components)
    assert shuffler.design == "unpaired"
    drawn = shuffler.draw(np.random.default_rng(1), 200)
    per_component = np.stack([drawn[:, components == c].mean(axis=1) for c in range(14)], axis=1)
    assert set(np.unique(per_component)) == {0.0, 1.0}
    assert (per_component.sum(axis=1) == 9).all()


def test_mixed_design_does_both() -> None:
    components = np.repeat(np.arange(16), 4)
    labels = np.where(components < 8, np.tile([0, 1, 1, 1], 16), components % 2)
    shuffler = LabelShuffler.of(labels, components)
    assert shuffler.design == "mixed"
    drawn = shuffler.draw(np.random.default_rng(2), 50)
    for component in range(8):
        assert (drawn[:, components == component].sum(axis=1) == 3).all()
    whole = np.stack([drawn[:, components == c].mean(axis=1) for c in range(8, 16)], axis=1)
    assert set(np.unique(whole)) == {0.0, 1.0}


def test_p_equals_full_enumeration() -> None:
    # 12 one-clip components, 3 of them real: 220 arrangements can all be looked at
    rng = np.random.default_rng(5)
    labels = np.array([0] * 3 + [1] * 9)
    scores = rng.normal(size=12) + labels
    aucs = []
    for reals in combinations(range(12), 3):
        y = np.ones(12, dtype=int)
        y[list(reals)] = 0
        aucs.append(roc_auc_score(y, scores))
    seen = abs(roc_auc_score(labels, scores) - 0.5)
    exact = np.mean(np.abs(np.array(aucs) - 0.5) >= seen - 1e-9)
    result = permutation_test_auc(labels, scores, np.arange(12), 20_000, seed=1)
    assert result.p == pytest.approx(exact, abs=0.012)
    assert result.statistic == pytest.approx(roc_auc_score(labels, scores))
    one_sided = permutation_test_auc(labels, scores, np.arange(12), 20_000, seed=1, alternative="greater")
    assert one_sided.p == pytest.approx(np.mean(np.array(aucs) >= roc_auc_score(labels, scores) - 1e-9), abs=0.012)


def test_direction() -> None:
    labels, components = np.tile([0, 1], 20), np.repeat(np.arange(20), 2)
    scores = -labels + 0.01 * np.arange(40)
    assert permutation_test_auc(labels, scores, components, 499).p == pytest.approx(1 / 500)
    wrong_way = permutation_test_auc(labels, scores, components, 499, alternative="greater")
    assert wrong_way.p is not None
    assert wrong_way.p > 0.99


def test_constant_scores_have_p_one() -> None:
    labels, components = np.tile([0, 1], 20), np.repeat(np.arange(20), 2)
    assert permutation_test_auc(labels, np.ones(40), components, 99).p == 1.0


def test_what_cannot_be_tested_is_said() -> None:
    few = permutation_test_auc(np.tile([0, 1], 7), np.arange(14.0), np.repeat(np.arange(7), 2))
    assert few.p is None
    assert few.note == "not testable: only 7 components, 12 are needed"
    assert few.statistic is not None
    lonely = permutation_test_auc([0] + [1] * 19, np.arange(20.0), np.arange(20))
    assert lonely.p is None
    assert lonely.note == "not testable: only 20 distinct arrangements of the labels"
    with pytest.raises(ValueError, match="no real"):
        permutation_test_auc([1, 1], [0.0, 1.0], [0, 1])
    with pytest.raises(ValueError, match="n_draws"):
        permutation_test_auc([0, 1], [0.0, 1.0], [0, 1], 0)


def test_rank_sums_equal_scikit_learn_with_ties_and_missing_values() -> None:
    rng = np.random.default_rng(3)
    table = np.round(rng.normal(size=(60, 4)), 1)
    table[rng.random((60, 4)) < 0.2] = np.nan
    labels = rng.integers(0, 2, (5, 60)).astype(bool)
    found = RankSums.of(table).auc(labels)
    for b in range(5):
        for k in range(4):
            here = ~np.isnan(table[:, k])
            assert found[b, k] == pytest.approx(roc_auc_score(labels[b, here], table[here, k]))


def test_max_t_orders_and_protects() -> None:
    rng = np.random.default_rng(8)
    labels, components = np.tile([0, 1, 1, 1], 20), np.repeat(np.arange(20), 4)
    table = rng.normal(size=(80, 30))
    table[:, 4] += 4 * labels
    table[:, 7] = table[:, 4]  # a copy costs nothing
    table[:, 9] = 1.0
    result = max_t(labels, table, components, 499, seed=2)
    assert result.p_adjusted is not None
    assert result.p_single is not None
    assert result.p_adjusted[4] == result.p_adjusted[7] == pytest.approx(1 / 500)
    assert (result.p_adjusted >= result.p_single - 1e-12).all()
    assert result.p_adjusted[9] == result.p_single[9] == 1.0
    assert (np.delete(result.p_adjusted, [4, 7]) > 0.05).all()
    assert result.statistic[4] == pytest.approx(roc_auc_score(labels, table[:, 4]))


def test_max_t_of_one_feature_is_the_single_test() -> None:
    rng = np.random.default_rng(1)
    labels, components = np.tile([0, 1, 1], 15), np.repeat(np.arange(15), 3)
    scores = rng.normal(size=45) + 0.5 * labels
    alone = permutation_test_auc(labels, scores, components, 299, seed=4)
    several = max_t(labels, scores[:, None], components, 299, seed=4)
    assert several.p_adjusted is not None
    assert several.p_adjusted[0] == several.p_single[0] == alone.p  # type: ignore[index]


def test_max_t_sees_a_rare_certain_marker_that_the_auc_hides() -> None:
    labels, components = np.tile([0] * 5 + [1] * 5, 40), np.repeat(np.arange(40), 10)
    marker = ((labels == 1) & (np.arange(400) % 7 == 6)).astype(float)
    result = max_t(labels, np.column_stack([marker, np.random.default_rng(0).normal(size=400)]), components, 999)
    assert result.statistic[0] < 0.6
    assert result.p_adjusted is not None
    assert result.p_adjusted[0] <= 0.002


def test_max_t_refuses_and_says_so() -> None:
    result = max_t(np.tile([0, 1], 5), np.zeros((10, 2)), np.repeat(np.arange(5), 2))
    assert result.p_adjusted is None
    assert "only 5 components" in result.note
    with pytest.raises(ValueError, match=r"\[n, k\]"):
        max_t([0, 1], np.zeros(2), [0, 1])
