"""The component bootstrap: its draws, its fast path against the slow one, its doubts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cmdfd.statistics import bootstrap as bs
from cmdfd.statistics.ranking import Ranking
from cmdfd.statistics.roc import auc, eer


def paired_set(n_components: int = 15, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.tile([0, 0, 1, 1, 1], n_components)
    components = np.repeat([f"c{k:02d}" for k in range(n_components)], 5)
    scores = np.repeat(rng.normal(size=n_components), 5) + labels + rng.normal(size=len(labels))
    return labels, np.round(scores, 1), components


def test_a_draw_takes_whole_components_as_often_as_there_are() -> None:
    labels, _, components = paired_set()
    draws = bs.draw_components(components, 200, seed=3, labels=labels)
    assert draws.multiplicities.shape == (200, 15)
    assert (draws.multiplicities.sum(axis=1) == 15).all()
    assert (np.asarray(sorted(set(components)))[draws.index] == components).all()
    # multinomial with 15 equal cells: mean 1, variance 1 - 1/15
    assert draws.multiplicities.mean() == 1.0
    assert draws.multiplicities.var() == pytest.approx(14 / 15, rel=0.06)


def test_equal_seeds_give_equal_draws_whatever_the_order_of_rows() -> None:
    labels, scores, components = paired_set()
    order = np.random.default_rng(0).permutation(len(labels))
    first = bs.bootstrap_auc(labels, scores, components, 100, seed=5)
    assert bs.bootstrap_auc(labels[order], scores[order], components[order], 100, seed=5) == first
    assert bs.bootstrap_auc(labels, scores, components, 100, seed=6) != first


def test_strata_keep_every_class_in_every_draw() -> None:
    # one real component only: without strata 36 % of the draws would have no real
    labels = np.array([0, 0] + [1] * 40)
    components = np.array([0, 0] + [1 + k // 2 for k in range(40)])
    draws = bs.draw_components(components, 500, seed=0, labels=labels)
    assert (draws.multiplicities[:, 0] == 1).all()
    assert (draws.multiplicities[:, 1:].sum(axis=1) == 20).all()
    assert not np.isnan(bs.bootstrap_auc_draws(labels, np.arange(42.0), components, 500)).any()
    assert bs.reliability(labels, components) == "the reals come from only 1 component"


def test_fast_path_equals_slow_path() -> None:
    labels, scores, components = paired_set()
    fast = bs.bootstrap_auc(labels, scores, components, 120, seed=2)
    slow = bs.bootstrap(auc, labels, scores, components, 120, seed=2)
    assert fast.low == pytest.approx(slow.low, abs=1e-12)
    assert fast.high == pytest.approx(slow.high, abs=1e-12)


def test_blocks_of_draws_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, scores, components = paired_set()
    draws = bs.draw_components(components, 50, 1, labels)
    whole = bs.counts_draws(Ranking.of(labels, scores), draws, {"eer": lambda counts: counts.eer()})["eer"]
    parts = np.concatenate([Ranking.of(labels, scores).grouped_counts(b, draws.index).eer() for b in draws.blocks(300)])
    np.testing.assert_array_equal(whole, parts)
    rows = np.repeat(np.arange(len(labels)), draws.multiplicities[7][draws.index])
    assert whole[7] == pytest.approx(eer(labels[rows], scores[rows]), abs=1e-12)


def test_expanded_percentiles_follow_the_published_formula() -> None:
    for n in (12, 24, 200):
        expected = stats.norm.cdf(-np.sqrt(n / (n - 1)) * stats.t.ppf(0.975, n - 1))
        assert bs.tail_probability(0.95, n) == pytest.approx(expected, rel=1e-9)
    assert bs.tail_probability(0.95, 10**6) == pytest.approx(0.025, rel=1e-4)
    values = np.linspace(0, 1, 1001)
    interval = bs.interval_of(values, 0.9, 10**7)
    assert (interval.low, interval.high) == (pytest.approx(0.05, abs=1e-4), pytest.approx(0.95, abs=1e-4))


def test_few_components_are_said() -> None:
    labels, scores, components = paired_set(7)
    assert bs.bootstrap_auc(labels, scores, components, 50).unreliable == "only 7 components"
    labels, scores, components = paired_set(12)
    assert bs.bootstrap_auc(labels, scores, components, 50).unreliable is None


def test_draws_without_value_are_left_out_and_said() -> None:
    labels, scores, components = paired_set()
    calls = iter(range(1000))

    def moody(y: np.ndarray, s: np.ndarray) -> float:
        call = next(calls)
        if call % 4 == 0:
            raise ValueError("undefined here")
        return float("nan") if call % 4 == 1 else auc(y, s)

    interval = bs.bootstrap(moody, labels, scores, components, 100)
    assert interval.n_draws == 50
    assert interval.unreliable == "the metric has no value in 50 of 100 draws"
    nothing = bs.bootstrap(lambda y, s: float("nan"), labels, scores, components, 10)
    assert (nothing.low, nothing.high, nothing.n_draws) == (None, None, 0)
    assert nothing.unreliable


def test_paired_difference_of_a_detector_and_itself_is_zero() -> None:
    labels, scores, components = paired_set()
    same = bs.paired_difference(labels, scores, 2 * scores, components, 100)
    assert (same.value, same.interval.low, same.interval.high) == (0.0, 0.0, 0.0)
    worse = bs.paired_difference(labels, scores, -scores, components, 100)
    assert worse.value == pytest.approx(2 * auc(labels, scores) - 1)
    assert worse.interval.low is not None
    assert worse.interval.low > 0


def test_pairing_narrows_the_interval_of_alike_detectors() -> None:
    labels, scores, components = paired_set(30)
    other = scores + np.random.default_rng(9).normal(scale=0.05, size=len(scores))
    paired = bs.paired_difference(labels, scores, other, components, 300).interval
    single = bs.bootstrap_auc(labels, scores, components, 300)
    assert paired.high - paired.low < 0.3 * (single.high - single.low)  # type: ignore[operator]


def test_clusters_widen_the_interval() -> None:
    # all clips of a component are copies: the interval must be that of the components, not of the clips
    rng = np.random.default_rng(4)
    labels = np.tile([0, 1], 20)
    scores = rng.normal(size=40) + labels
    components = np.repeat(np.arange(20), 2)
    once = bs.bootstrap_auc(labels, scores, components, 800, seed=1)
    many = bs.bootstrap_auc(np.repeat(labels, 10), np.repeat(scores, 10), np.repeat(components, 10), 800, seed=1)
    naive = bs.bootstrap_auc(np.repeat(labels, 10), np.repeat(scores, 10), np.arange(400), 800, seed=1)
    assert (many.low, many.high) == (pytest.approx(once.low), pytest.approx(once.high))
    assert naive.high - naive.low < 0.5 * (many.high - many.low)  # type: ignore[operator]


def test_one_class_gives_no_draws_and_bad_input_is_refused() -> None:
    assert len(bs.bootstrap_auc_draws([1, 1], [0.0, 1.0], ["a", "b"])) == 0
    with pytest.raises(ValueError, match="no real"):
        bs.bootstrap_auc([1, 1], [0.0, 1.0], ["a", "b"])
    with pytest.raises(ValueError, match="components"):
        bs.bootstrap_auc([0, 1], [0.0, 1.0], ["a"])
    with pytest.raises(ValueError, match="without one"):
        bs.bootstrap_auc([0, 1], [0.0, 1.0], np.array(["a", None], dtype=object))
    with pytest.raises(ValueError, match="at least one draw"):
        bs.draw_components(["a"], 0)
    with pytest.raises(ValueError, match="level"):
        bs.bootstrap_auc([0, 1], [0.0, 1.0], ["a", "b"], level=1.0)
