"""Chi-squares over bins and runs of one class, against second formulas, and their false alarms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from cmdfd.statistics.levels import LevelCounts
from cmdfd.statistics.maxt import p_single, rearrange, step_down
from cmdfd.statistics.permutation import LabelShuffler
from cmdfd.statistics.runs import MAX_RUN, PureRuns


def longest_run(values: np.ndarray, labels: np.ndarray) -> tuple[int, int]:
    """(class, clips) of the longest pure run at either end by brute force: whole blocks of equal values only."""
    best = (0, 0)
    for signs in (1, -1):
        order = np.unique(signs * values)
        for stop in range(1, len(order) + 1):
            chosen = labels[signs * values <= order[stop - 1]]
            if len(set(chosen.tolist())) > 1:
                break
            if len(chosen) > best[1]:
                best = (int(chosen[0]), len(chosen))
    return best


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=4, max_size=60),
    st.integers(0, 2**32 - 1),
)
def test_runs_equal_brute_force(levels: list[int], seed: int) -> None:
    values = np.array(levels, float)
    labels = np.random.default_rng(seed).random(len(values)) < 0.5
    labels[:2] = (False, True)
    runs = PureRuns.of(values[:, None], [False], labels)
    side, length = longest_run(values, labels)
    got = float(runs.weights(labels[None, :])[0, 0])
    share = labels.mean()
    weights = {0: -np.log(1 - share), 1: -np.log(share)}
    # both ends may hold runs, of either class: the heaviest counts
    assert got >= length * weights[side] - 1e-9
    assert got <= max(length * max(weights.values()), 0) + 1e-9


def test_long_blocks_of_equal_values_count_as_a_whole() -> None:
    values = np.concatenate([np.zeros(300), np.arange(1, 301)])
    labels = np.concatenate([np.ones(300, bool), np.arange(300) % 2 == 0])
    runs = PureRuns.of(values[:, None], [False], labels)
    assert runs.weights(labels[None, :])[0, 0] == pytest.approx(MAX_RUN * -np.log(0.75))
    labels[0] = False  # one real among them, and it is no longer pure
    assert runs.weights(labels[None, :])[0, 0] < 5


def test_binary_features_are_runs_of_their_members() -> None:
    labels = np.array([True] * 30 + [False] * 30)
    marked = np.zeros(60)
    marked[:6] = 1.0
    runs = PureRuns.of(marked[:, None], [True], labels)
    assert runs.weights(labels[None, :])[0, 0] == pytest.approx(6 * np.log(2))


def test_chi_square_orders_tables_as_scipy_does() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([False, True], 300)
    codes = np.column_stack([rng.integers(0, 5, 600), np.where(rng.random(600) < 0.2, labels, rng.integers(0, 5, 600))])
    shuffler = LabelShuffler.of(labels, np.arange(600))
    drawn = rearrange(shuffler, np.empty((600, 0)), codes.astype(np.intp), n_draws=999, seed=1)
    for column in range(2):
        table = np.array([np.bincount(codes[labels == side, column], minlength=5) for side in (False, True)])
        theirs = chi2_contingency(table).pvalue
        ours = float(p_single(drawn.distance)[column])
        assert ours == pytest.approx(max(theirs, 1e-3), abs=0.03)


def test_codes_below_zero_are_in_no_bin() -> None:
    counts = LevelCounts.of(np.array([[0], [-1], [2], [0]]))
    assert counts.count(np.ones((1, 4), bool)).tolist() == [[2.0, 0.0, 1.0]]


def test_false_alarms_of_ranks_bins_and_runs_together_are_held() -> None:
    alarms = certain = 0
    n = 150
    for seed in range(100):
        rng = np.random.default_rng(seed)
        components = np.repeat(np.arange(25), 6)
        labels = np.tile([False, True], 75)
        features = rng.normal(size=(n, 8)) + rng.normal(size=25)[components][:, None]
        codes = rng.integers(0, 6, (n, 4))
        shuffler = LabelShuffler.of(labels, components)
        runs = PureRuns.of(features, [False] * 8, labels)
        drawn = rearrange(shuffler, features, codes, runs, n_draws=199, seed=seed)
        alarms += bool(step_down(drawn.distance).min() < 0.05)
        longest = drawn.runs[1:].max(axis=1)
        certain += bool((1 + (longest >= drawn.runs[0].max()).sum()) / 200 < 0.05)
    assert alarms <= 11  # 5 expected; a binomial exceeds 11 in .4 % of cases
    assert certain <= 11
