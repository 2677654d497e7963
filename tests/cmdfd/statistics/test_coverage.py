"""What the statistics promise, tried on simulated sets with known truth; and how fast they are."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import stats

from cmdfd.statistics.bootstrap import bootstrap_auc, paired_difference
from cmdfd.statistics.maxt import max_t
from cmdfd.statistics.permutation import permutation_test_auc


def confounded(design: str, rng: np.random.Generator, n_components: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Labels and components of one design."""
    if design == "paired":
        return np.tile(np.r_[np.zeros(3), np.ones(12)], n_components), np.repeat(np.arange(n_components), 15)
    if design == "unbalanced":
        sizes = [(int(rng.integers(1, 6)), int(rng.integers(1, 20))) for _ in range(n_components)]
        labels = np.concatenate([np.r_[np.zeros(reals), np.ones(fakes)] for reals, fakes in sizes])
        return labels, np.repeat(np.arange(n_components), [reals + fakes for reals, fakes in sizes])
    components = np.repeat(np.arange(n_components), rng.integers(5, 20, n_components))
    labels = (components >= 6).astype(float)
    if design == "mixed":
        inside = components >= 14
        labels[inside] = np.arange(int(inside.sum())) % 4 > 0
    return labels, components


@pytest.mark.slow
@pytest.mark.parametrize(("n_components", "shift", "least"), [(24, 1.0, 0.89), (100, 1.0, 0.92), (24, 0.0, 0.90)])
def test_interval_covers_the_truth(n_components: int, shift: float, least: float) -> None:
    # score = person + fake * (shift + person's own shift) + noise, so AUC over people is known in closed form
    between, own = 0.7, 0.5 if shift else 0.0
    truth = stats.norm.cdf(shift / np.sqrt(2 * between**2 + own**2 + 2))
    hits, runs = 0, 300
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        labels, components = confounded("paired", rng, n_components)
        person = rng.normal(0, between, n_components)[components]
        response = rng.normal(0, own, n_components)[components] + shift
        scores = person + labels * response + rng.normal(size=len(labels))
        interval = bootstrap_auc(labels, scores, components, 300, seed=seed)
        hits += interval.low <= truth <= interval.high  # type: ignore[operator]
    assert least <= hits / runs <= 0.985


@pytest.mark.slow
@pytest.mark.parametrize("design", ["paired", "unbalanced", "unpaired", "mixed"])
def test_identity_confounded_nulls_are_not_flagged(design: str) -> None:
    runs, by_permutation, by_rank_test, family = 200, 0, 0, 0
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        labels, components = confounded(design, rng)
        people = int(components.max()) + 1
        table = rng.normal(size=(people, 10))[components] + 0.2 * rng.normal(size=(len(labels), 10))
        table[:, 3] = np.round(table[:, 3])
        table[rng.random(len(labels)) < 0.3, 4] = np.nan
        scores = table[:, 0]
        result = permutation_test_auc(labels, scores, components, 199, seed)
        assert result.p is not None
        by_permutation += result.p <= 0.05
        by_rank_test += stats.mannwhitneyu(scores[labels == 1], scores[labels == 0]).pvalue <= 0.05
        adjusted = max_t(labels, table, components, 199, seed).p_adjusted
        assert adjusted is not None
        family += adjusted.min() <= 0.05
    # 200 runs at 5 %: a binomial above 22 has probability under 2e-4
    assert by_permutation <= 22
    assert family <= 22
    if design in ("unpaired", "mixed"):
        assert by_rank_test >= 0.4 * runs  # what a test on clips would have done


@pytest.mark.slow
def test_a_large_paired_bootstrap_takes_seconds() -> None:
    clips, draws = 20_000, 1000  # and two detectors: what 3 s are promised for
    rng = np.random.default_rng(0)
    components = rng.integers(0, 1000, clips)
    labels = (rng.random(clips) < 0.8).astype(int)
    first, second = rng.normal(size=clips) + labels, rng.normal(size=clips) + 0.9 * labels
    started = time.process_time()
    found = paired_difference(labels, first, second, components, draws)
    spent = time.process_time() - started
    assert found.interval.n_draws == draws and found.interval.unreliable is None
    assert 0 < found.interval.low < found.value < found.interval.high  # type: ignore[operator]
    assert spent < 3.0  # CPU of all threads; about 0.7 s on the machine where this was written
