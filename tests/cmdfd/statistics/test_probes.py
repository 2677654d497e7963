"""Tree probes: what they see that ranks do not, their mean under the null, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from cmdfd.statistics import probes
from cmdfd.statistics.folds import make_folds
from cmdfd.statistics.probes import tree_probe


def paired(n_components: int, per: int = 4) -> tuple[np.ndarray, np.ndarray]:
    return np.tile([0, 1], n_components * per // 2), np.repeat(np.arange(n_components), per)


def test_a_grid_that_ranks_do_not_see() -> None:
    rng = np.random.default_rng(0)
    labels, components = paired(250)
    samples = rng.integers(48_000, 160_000, len(labels)).astype(float)
    samples[labels == 1] = samples[labels == 1] // 1024 * 1024
    assert abs(roc_auc_score(labels, samples) - 0.5) < 0.05
    assert (tree_probe(samples[:, None], labels, components).auc(labels) or 0) > 0.99
    # in seconds, a grid shows by values that come again
    assert (tree_probe(samples[:, None] / 16_000, labels, components).auc(labels) or 0) > 0.98
    # two grids of whole numbers: one of 1024 samples at 16 kHz, one at 44.1 kHz
    other = np.round(samples // 1024 * 1024 * 16 / 44.1)
    both = np.where(labels == 1, other, samples // 1024 * 1024)
    assert (tree_probe(both[:, None], labels, components).auc(labels) or 0) > 0.99


def test_scores_equal_scikit_learn_on_the_same_folds() -> None:
    rng = np.random.default_rng(1)
    labels, components = paired(60)
    # few values, so that all of them occur in every training part: cuts lie midway between values or between ranks
    table = np.clip(np.round(2 * rng.normal(size=(len(labels), 3)) + 1.6 * labels[:, None]), -4, 5)
    table[rng.random(table.shape) < 0.1] = np.nan
    found = tree_probe(table, labels, components, seed=4)
    model = HistGradientBoostingClassifier(
        max_depth=3, max_iter=60, learning_rate=0.1, l2_regularization=1.0, early_stopping=False, min_samples_leaf=4
    )
    folds = PredefinedSplit(found.fold)
    # components hold as many reals as fakes, so that all weights are 1
    expected = cross_val_predict(model, table, labels, cv=folds, method="decision_function")
    np.testing.assert_allclose(found.scores, expected, atol=1e-6)
    by_fold = [roc_auc_score(labels[found.fold == k], found.scores[found.fold == k]) for k in range(5)]
    assert found.auc(labels) == pytest.approx(np.mean(by_fold))
    assert found.loss.mean() * np.log(2) == pytest.approx(log_loss(labels, found.prob))


def test_seeds_of_63_bits_are_taken() -> None:
    labels, components = paired(40)
    values = (np.random.default_rng(2).normal(size=len(labels)) + labels)[:, None]
    found = [tree_probe(values, labels, components, seed=seed) for seed in (2**63 - 1, 2**63 - 1 - 2**40)]
    assert (found[0].fold != found[1].fold).any()  # also the high bits count
    assert all((one.auc(labels) or 0) > 0.6 for one in found)


@pytest.mark.slow
def test_pairs_across_folds_are_left_out_since_they_fall_below_chance() -> None:
    pooled, ours = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        components = np.repeat(np.arange(24), rng.integers(3, 12, 24))
        labels = (components >= 6).astype(int)
        found = tree_probe(rng.normal(size=(len(labels), 2)), labels, components, seed=seed + 10**6)
        pooled.append(roc_auc_score(labels, found.scores))
        ours.append(found.auc(labels))
    # standard error .008; the two are of the same sets, and their difference is known much better
    assert abs(np.mean(ours) - 0.5) < 0.025
    difference = np.array(ours) - pooled
    assert difference.mean() > 2 * difference.std() / np.sqrt(len(difference))


@pytest.mark.slow
@pytest.mark.parametrize(("design", "confounded"), [("paired", False), ("unbalanced", True), ("unpaired", True)])
def test_mean_under_the_null_is_a_half_and_no_bits(design: str, confounded: bool) -> None:
    values, bits, covered = [], [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        if design == "paired":
            labels, components = np.tile(np.r_[np.zeros(3), np.ones(9)], 24), np.repeat(np.arange(24), 12)
        else:
            components = np.repeat(np.arange(24), rng.integers(5, 20, 24))
            labels = (components >= 6).astype(float)
            if design == "unbalanced":
                labels = (rng.random(len(components)) < rng.uniform(0.3, 0.9, 24)[components]).astype(float)
        table = rng.normal(size=(len(labels), 2))
        if confounded:
            table = rng.normal(size=(24, 2))[components] + 0.2 * table
        # one seed for both would deal folds by the very bits that the features are made of
        found = tree_probe(table, labels, components, seed=seed + 10**6)
        interval = found.interval(labels, components, 200, seed)
        values.append(found.auc(labels))
        bits.append(found.bits(labels))
        covered.append(interval.low <= 0.5 <= interval.high)  # type: ignore[union-attr, operator]
    # 900 other seeds of the paired design: .5010 with a standard error of .0019
    assert np.mean(values) == pytest.approx(0.5, abs=5 * np.std(values) / np.sqrt(60))
    assert -0.04 < np.mean(bits) < 0.01
    # a bootstrap of held-out clips does not know that other people would have given other trees: 84 to 89 % in the
    # paired design, less where each person has one class; hence no p-value is read off such an interval
    assert np.mean(covered) >= (0.55 if design == "unpaired" else 0.75)


def test_bits_of_a_perfect_cue_are_the_entropy_of_the_label() -> None:
    labels, components = paired(100)
    found = tree_probe(labels[:, None].astype(float), labels, components)
    assert found.auc(labels) == 1.0
    assert found.bits(labels) == pytest.approx(1.0, abs=0.01)
    labels, components = np.tile([0, 1, 1, 1, 1], 80), np.repeat(np.arange(80), 5)
    found = tree_probe(labels[:, None].astype(float), labels, components)
    assert found.bits(labels) == pytest.approx(-0.8 * np.log2(0.8) - 0.2 * np.log2(0.2), abs=0.01)
    assert found.interval(labels, components).low == 1.0  # type: ignore[union-attr]


def test_categories_markers_missing_values_and_conjunctions() -> None:
    rng = np.random.default_rng(3)
    labels, components = paired(150)
    n = len(labels)
    codes = (rng.integers(0, 8, n) * 2 + labels).astype(float)
    permuted = rng.permutation(16)[codes.astype(int)].astype(float)
    assert (tree_probe(permuted[:, None], labels, components, categorical=[True]).auc(labels) or 0) > 0.99
    marker = ((labels == 1) & (rng.random(n) < 0.1)).astype(float)
    found = tree_probe(marker[:, None], labels, components)
    assert found.auc(labels) == pytest.approx(roc_auc_score(labels, marker), abs=0.01)
    absent = np.where(labels == 1, np.nan, rng.normal(size=n))
    assert tree_probe(absent[:, None], labels, components).auc(labels) == 1.0
    bits = rng.integers(0, 2, (n, 2)).astype(float)
    bits[:, 0] = np.where(rng.random(n) < 0.9, (bits[:, 1] + labels) % 2, bits[:, 0])
    assert (tree_probe(bits, labels, components).auc(labels) or 0) > 0.85


def test_many_levels_are_lumped() -> None:
    labels, components = paired(200)
    codes = np.arange(len(labels), dtype=float) % 600
    found = tree_probe(codes[:, None], labels, components, categorical=[True])
    assert not found.refused
    assert probes._levels(codes).max() == probes.MAX_LEVELS


def test_twins_in_different_components_fall_below_chance() -> None:
    rng = np.random.default_rng(2)
    people = np.repeat(np.arange(100), 2)
    labels = np.tile([0, 1], 100)
    table = rng.normal(size=(100, 2))[people]
    apart = tree_probe(table, labels, np.arange(200))
    assert (apart.interval(labels, np.arange(200)).high or 1) < 0.5  # type: ignore[union-attr]
    together = tree_probe(table, labels, people)
    assert together.auc(labels) == pytest.approx(0.5, abs=0.01)


def test_hostile_columns_tell_nothing_and_do_no_harm() -> None:
    labels, components = paired(20)
    n = len(labels)
    for column in (np.zeros(n), np.full(n, np.nan), np.full(n, np.inf), np.where(np.arange(n) < 3, np.nan, 1.0)):
        found = tree_probe(column[:, None], labels, components)
        assert not found.refused
        assert np.isfinite(found.loss).all()
    empty = tree_probe(np.empty((n, 0)), labels, components)
    assert empty.auc(labels) == 0.5
    assert empty.bits(labels) == pytest.approx(0.0, abs=1e-12)
    huge = np.where(labels == 1, 1.7e308, -1.7e308)
    assert tree_probe(huge[:, None], labels, components).auc(labels) == 1.0


@pytest.mark.parametrize(
    ("labels", "components", "words"),
    [
        ([], [], "no clips"),
        ([0, 1, 0, 1, 1], [0, 1, 2, 3, 4], "only 5 components"),
        ([0, 1] * 20, [0] * 40, "only 1 component,"),
        ([1] * 40, list(range(40)), "no real"),
        ([0] * 40, list(range(40)), "no fake"),
        ([0, 0] + [1] * 40, [0, 0, *range(1, 41)], "all reals come from one component"),
        ([1, 1] + [0] * 40, [0, 0, *range(1, 41)], "all fakes come from one component"),
    ],
)
def test_what_cannot_be_cross_validated_is_refused(labels: list[int], components: list[int], words: str) -> None:
    found = tree_probe(np.arange(len(labels), dtype=float)[:, None], np.array(labels, dtype=int), components)
    assert words in found.refused
    assert (found.auc(labels), found.bits(labels), found.interval(labels, components)) == (None, None, None)  # type: ignore[arg-type]
    assert np.isnan(found.scores).all()


def test_shapes_that_do_not_fit_are_told() -> None:
    with pytest.raises(ValueError, match=r"\[n, k\]"):
        tree_probe(np.zeros(3), [0, 1, 1], [0, 1, 2])
    with pytest.raises(ValueError, match="as many kinds"):
        tree_probe(np.zeros((3, 2)), [0, 1, 1], [0, 1, 2], categorical=[True])
    with pytest.raises(ValueError, match="2 folds"):
        make_folds([0, 1], [0, 1], 1)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40), st.integers(0, 9))
def test_folds_hold_whole_components_and_both_classes(sizes: list[tuple[int, int]], seed: int) -> None:
    labels = np.concatenate([np.r_[np.zeros(r), np.ones(f)] for r, f in sizes])
    components = np.concatenate([np.full(r + f, k) for k, (r, f) in enumerate(sizes)])
    folds = make_folds(labels, components, 5, seed)
    if folds.refused:
        return
    for component in np.unique(components):
        assert len(np.unique(folds.index[components == component])) == 1
    for k in range(folds.count):
        assert len(np.unique(labels[folds.index == k])) == 2
    again = make_folds(labels, components, 5, seed)
    np.testing.assert_array_equal(folds.index, again.index)


def test_folds_share_classes_evenly() -> None:
    rng = np.random.default_rng(0)
    components = rng.integers(0, 300, 3000)
    labels = (rng.random(3000) < 0.8).astype(int)
    folds = make_folds(labels, components)
    for label in (0, 1):
        counts = np.bincount(folds.index[labels == label])
        assert counts.max() - counts.min() <= 15


@pytest.mark.slow
def test_sixty_probes_of_twenty_thousand_clips_take_half_a_minute() -> None:
    import time

    rng = np.random.default_rng(0)
    labels, components = (rng.random(20_000) < 0.8).astype(int), rng.integers(0, 2000, 20_000)
    table = rng.normal(size=(20_000, 60))
    table[:, ::2] = np.round(table[:, ::2] * 20_000)  # whole numbers get three columns more
    folds = make_folds(labels, components)
    started = time.process_time()
    for column in table.T:
        assert not tree_probe(column[:, None], labels, components, folds=folds).refused
    assert time.process_time() - started < 60  # CPU of all threads; 16 s on the machine where this was written


def test_what_a_real_shares_with_its_fakes_tells_nothing():
    # of each person one real, one fake with its sound, one with its picture: it alone has both values twice
    rng = np.random.default_rng(3)
    sound, picture = rng.normal(size=(2, 80, 3))
    sound[:, 1], picture[:, 2] = sound[:, 0], picture[:, 0]
    labels, components = np.tile([0, 1, 1], 80), np.repeat(np.arange(80), 3)
    found = tree_probe(np.column_stack([sound.ravel(), picture.ravel()]), labels, components)
    assert 0.35 < (found.auc(labels) or 0) < 0.65
