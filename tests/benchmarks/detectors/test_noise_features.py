"""Residuals, blocks, deviations and pooling with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from benchmarks.detectors.noise_residual import choosing, model, residuals


@pytest.mark.parametrize("kernel", [residuals.LAPLACE, residuals.KER_BOEHME, residuals.SECOND])
def test_filters_take_constants_and_ramps_away(kernel: np.ndarray) -> None:
    assert kernel.dtype == np.float32 and kernel[kernel.shape[0] // 2, kernel.shape[1] // 2] == -1
    ramp = np.add.outer(2.0 * np.arange(20), 3.0 * np.arange(24)).astype(np.float32)
    inside = residuals._filtered(ramp, kernel)[3:-3, 3:-3]
    assert np.abs(inside).max() < 1e-3


def test_energy_of_white_noise_is_that_of_the_filter() -> None:
    rng = np.random.default_rng(0)
    grey = np.clip(np.round(128 + rng.normal(0, 6, (256, 256))), 0, 255).astype(np.uint8)
    found, context = residuals.block_features(np.repeat(grey[..., None], 3, axis=2), None)
    sigma = 36 + 1 / 12  # rounding to whole levels adds 1/12
    for name, kernel in (("laplace energy", residuals.LAPLACE), ("ker-boehme energy", residuals.KER_BOEHME)):
        # the outermost blocks see mirrored pixels
        energy = np.exp(found[1:-1, 1:-1, residuals.NAMES.index(name)]) - residuals.FLOOR
        assert energy.mean() == pytest.approx(sigma * float((kernel**2).sum()), rel=0.03)
    assert np.abs(np.exp(found[..., 2]) - residuals.FLOOR).max() < 1e-3  # grey has no chroma
    assert not found[..., 3:5].any()  # there is no other frame
    assert context[..., 0].mean() == pytest.approx(128 / 255, abs=0.01)


def test_temporal_energy_is_that_of_the_difference() -> None:
    rng = np.random.default_rng(1)
    still = np.full((64, 64, 3), 100, np.uint8)
    moved = np.repeat(np.clip(100 + rng.normal(0, 5, (64, 64)), 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    same, _ = residuals.block_features(moved, moved)
    other, _ = residuals.block_features(moved, still)
    k = residuals.NAMES.index("temporal energy")
    assert np.exp(same[..., k]).max() == pytest.approx(residuals.FLOOR)
    assert np.allclose(other[..., k], other[..., 0], atol=0.2)


def test_blocks_are_means_of_sixteen_pixels_every_eight() -> None:
    plane = np.random.default_rng(2).random((37, 50)).astype(np.float32)
    found = residuals._block_means(plane)
    assert found.shape == (3, 5)
    for i in range(3):
        for j in range(5):
            assert found[i, j] == pytest.approx(plane[8 * i : 8 * i + 16, 8 * j : 8 * j + 16].mean(), rel=1e-5)
    shares = residuals.block_shares(np.ones((37, 50), bool))
    assert (shares == 1).all()


@pytest.mark.parametrize(
    ("n", "fps"), [(1, 25), (2, 25), (75, 25), (76, 25), (90, 30), (66, 22.131), (180, 60), (5, 5)]
)
def test_frames_are_even_and_hold_both_ends(n: int, fps: float) -> None:
    index = residuals.chosen_frames(n, fps)
    assert index[0] == 0 and index[-1] == n - 1
    step = max(round(fps / residuals.FRAMES_PER_SECOND), 1)
    assert (np.diff(index) >= 1).all() and (np.diff(index) <= step).all()
    assert len(index) <= n / step + 2


def test_deviations_do_not_keep_level_brightness_or_texture() -> None:
    rng = np.random.default_rng(3)
    context = rng.random((20, 30, 3)).astype(np.float32)
    noise = rng.normal(0, 0.5, (20, 30, 2)).astype(np.float32)
    features = noise + 7 + 3 * context[..., :1] - 2 * context[..., 2:]
    found = residuals.against_the_rest(features, context)
    assert np.median(found) == pytest.approx(0, abs=0.02)
    assert np.corrcoef(found[..., 0].ravel(), noise[..., 0].ravel())[0, 1] > 0.98
    assert np.allclose(found, residuals.against_the_rest(features * 1 + 40, context), atol=1e-3)
    features[4:8, 4:8] += 4
    assert residuals.against_the_rest(features, context)[4:8, 4:8].mean() > 5


def test_a_flat_picture_has_no_deviations() -> None:
    found = residuals.clip_features(np.full((3, 40, 40, 3), 17, np.uint8), 25.0)
    assert not found["blocks"].any() and found["size"].tolist() == [3, 40, 40]


def test_features_do_not_depend_on_other_frames_than_the_chosen_and_their_neighbours() -> None:
    rng = np.random.default_rng(4)
    frames = rng.integers(0, 255, (7, 48, 48, 3)).astype(np.uint8)
    first = residuals.clip_features(frames, 25.0)
    assert first["index"].tolist() == [0, 3, 6]
    changed = frames.copy()
    changed[2] = 0
    again = residuals.clip_features(changed, 25.0)
    assert np.array_equal(first["blocks"], again["blocks"])


# -- the regression ----------------------------------------------------------------------------------------------


def test_learning_equals_scikit_learn_and_log_odds_are_its_decision() -> None:
    rng = np.random.default_rng(5)
    table = rng.normal(size=(400, model.WIDTH)).astype(np.float32)
    forged = table[:, 0] + rng.normal(size=400) > 1
    found = model.learn(table, forged)
    wide = table.astype(float)
    scaled = (wide - wide.mean(axis=0)) / wide.std(axis=0)
    reference = LogisticRegression(C=model.RIDGE, max_iter=500, class_weight="balanced").fit(scaled, forged)
    expected = reference.decision_function(scaled)
    slope = found.weights / found.scale
    assert np.allclose(wide @ slope + found.bias - found.mean @ slope, expected, atol=1e-6)
    # a constant picture: every block has the same columns, so smoothing changes nothing
    blocks = np.full((2, 5, 6, len(residuals.NAMES)), 1.5, np.float16)
    row = model.columns(blocks[0])[0].astype(float)
    assert np.allclose(found.log_odds(blocks), row @ slope + found.bias - found.mean @ slope, atol=1e-3)


def test_columns_are_block_neighbourhoods_and_hinges() -> None:
    rng = np.random.default_rng(6)
    one = rng.normal(size=(9, 9, len(residuals.NAMES))).astype(np.float32)
    table = model.columns(one).reshape(9, 9, -1)
    f = len(residuals.NAMES)
    assert np.array_equal(table[..., :f], one)
    assert np.allclose(table[4, 4, f : 2 * f], one[3:6, 3:6].mean(axis=(0, 1)), atol=1e-5)
    assert np.allclose(table[4, 4, 2 * f : 3 * f], one[1:8, 1:8].mean(axis=(0, 1)), atol=1e-5)
    assert np.allclose(table[..., 3 * f : 4 * f], np.maximum(one - model.HINGE, 0))
    assert table.shape[2] == model.WIDTH


def test_pooling_by_hand() -> None:
    odds = np.arange(20, dtype=np.float32).reshape(1, 4, 5)
    assert model.frame_scores(odds, 0.1).tolist() == [18.5]
    assert model.frame_scores(odds, 0.001).tolist() == [19.0]
    assert model.clip_score(np.array([5.0, 1.0, 3.0, 7.0])) == 6.0
    assert model.clip_score(np.array([2.0])) == 2.0


def test_maps_cover_the_picture_and_turn_at_the_cut() -> None:
    odds = np.tile(np.linspace(-4, 4, 9, dtype=np.float32), (1, 5, 1))
    maps = model.to_maps(odds, -1.0, 50, 83)
    assert maps.shape == (1, 7, 11)
    assert (np.diff(maps[0].astype(int), axis=1) >= 0).all()
    # log-odds 1 lie at block 5, whose centre is at pixel 48
    place = np.interp(127.5, maps[0, 3].astype(float), (np.arange(11) + 0.5) * 83 / 11)
    assert place == pytest.approx(48, abs=1)


@settings(max_examples=15)
@given(st.integers(0, 1000))
def test_f1_by_cut_equals_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.random((3, 4, 5)) < 0.3
    truth[0, 0, 0], truth[1] = True, False
    odds = rng.choice(np.append(choosing.CUTS[::20], rng.normal(size=5)), size=truth.shape).astype(np.float32)
    found = choosing.f1_by_cut(odds, truth)
    kept = [k for k in range(3) if truth[k].any()]
    for place in (0, 40, 60, 61, 100, 120):
        called = odds.astype(np.float64) >= choosing.CUTS[place]
        expected = np.mean([f1_score(truth[k].ravel(), called[k].ravel(), zero_division=0) for k in kept])
        assert found[place] == pytest.approx(expected)


def test_nothing_to_choose_on_gives_the_usual_values() -> None:
    found = choosing.Evidence().choose(0.2)
    assert found.cut == pytest.approx(np.log(4)) and found.share == choosing.USUAL_SHARE
    assert found.frame_threshold is None
