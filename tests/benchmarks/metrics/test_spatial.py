"""Pixel metrics against scikit-learn, second formulas, and cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, jaccard_score, precision_recall_curve, roc_auc_score

from benchmarks.detector import PixelMaps
from benchmarks.metrics.spatial import (
    HIGHER_IS_BETTER,
    PIXEL_METRICS,
    TWIN_METRICS,
    PixelCounts,
    count_pixels,
    evaluate_pixels,
    f1_by_threshold,
    histogram_auc,
    worst_counts,
)
from cmdfd.statistics.bootstrap import draw_components

SHAPE = (48, 48)


def clip(seed: int, n: int = 3, *, fake: bool = True, skill: float = 40.0) -> tuple[np.ndarray, PixelMaps]:
    """Truth and maps of one clip; the last frame of a fake is untouched."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((n, *SHAPE), np.uint8)
    if fake:
        top, left = rng.integers(0, 18, 2)
        truth[:-1, top : top + 30, left : left + 26] = 200
    maps = np.clip(rng.normal(90, 40, truth.shape) + skill * (truth > 0), 0, 255).astype(np.uint8)
    return truth, PixelMaps(np.arange(n) / 25, maps)


def counted(truth: np.ndarray, maps: PixelMaps) -> PixelCounts:
    return count_pixels(truth if truth.any() else None, np.arange(len(truth)) / 25, SHAPE, maps)


def clips(n: int = 14) -> tuple[list[tuple[np.ndarray, PixelMaps]], list[int], list[str]]:
    pairs, labels, components = [], [], []
    for k in range(n):
        for fake in (False, True):
            pairs.append(clip(2 * k + fake, n=2 + k % 3, fake=fake))
            labels.append(int(fake))
            components.append(f"c{k}")
    return pairs, labels, components


def test_every_metric_equals_scikit_learn_on_flat_pixels() -> None:
    pairs, labels, components = clips()
    found = evaluate_pixels([counted(*pair) for pair in pairs], labels, components, n_draws=60)
    assert tuple(found) == PIXEL_METRICS and set(HIGHER_IS_BETTER) == set(PIXEL_METRICS)
    fakes = [(truth > 10, maps.maps) for (truth, maps), label in zip(pairs, labels, strict=True) if label]
    auc = np.mean([roc_auc_score(t.ravel(), m.ravel()) for t, m in fakes])
    assert found["pixel_auc"].value == pytest.approx(auc)
    every_truth = np.concatenate([(truth > 10).ravel() for truth, _ in pairs])
    every_map = np.concatenate([maps.maps.ravel() for _, maps in pairs])
    assert found["pixel_auc_pooled"].value == pytest.approx(roc_auc_score(every_truth, every_map))
    for name, score in (("pixel_f1@0.5", f1_score), ("pixel_iou@0.5", jaccard_score)):
        frames = [
            np.mean([score(a.ravel(), b.ravel() >= 128) for a, b in zip(t, m, strict=True) if a.any()])
            for t, m in fakes
        ]
        assert found[name].value == pytest.approx(np.mean(frames))
    best = max(
        np.mean([2 * (t & (m >= cut)).sum() / (t.sum() + (m >= cut).sum()) for t, m in fakes]) for cut in range(257)
    )
    assert found["pixel_best_f1"].value == pytest.approx(best)
    area = np.mean([(m.maps >= 128).mean() for (_, m), label in zip(pairs, labels, strict=True) if not label])
    assert found["false_positive_area"].value == pytest.approx(area)
    for estimate in found.values():
        assert estimate.low <= estimate.value <= estimate.high and estimate.unreliable is None  # type: ignore[operator]


def test_patch_auc_equals_scikit_learn_on_patches_cut_by_hand() -> None:
    rng = np.random.default_rng(3)
    truth = np.zeros((2, 70, 100), np.uint8)
    truth[:, 20:60, 10:70] = 255
    maps = PixelMaps(np.arange(2) / 25, rng.integers(0, 256, truth.shape).astype(np.uint8))
    scores, forged = [], []
    for frame in range(2):
        for top in range(0, 64, 16):
            for left in range(0, 96, 16):
                scores.append(round(maps.maps[frame, top : top + 16, left : left + 16].mean() + 1e-9))
                forged.append((truth[frame, top : top + 16, left : left + 16] > 10).mean() >= 0.5)
    one = count_pixels(truth, maps.times, (70, 100), maps)
    assert evaluate_pixels([one], [1], ["a"], n_draws=5)["patch_auc"].value == pytest.approx(
        roc_auc_score(forged, scores)
    )


@given(st.integers(0, 10_000), st.sampled_from([1, 16, 255]))
def test_histogram_auc_equals_scikit_learn_with_ties(seed: int, step: int) -> None:
    rng = np.random.default_rng(seed)
    truth = np.append(rng.random(30) < 0.4, [True, False])
    values = rng.integers(0, 256, 32) // step * step
    table = np.stack([np.bincount(values[truth == kind], minlength=256) for kind in (False, True)])
    assert histogram_auc(table[None])[0] == pytest.approx(roc_auc_score(truth, values))
    mirrored = histogram_auc(table[None, :, ::-1])[0]
    assert mirrored == pytest.approx(1 - roc_auc_score(truth, values))


@given(st.integers(0, 10_000))
def test_best_f1_equals_the_precision_recall_curve(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = np.append(rng.random(40) < 0.3, True)
    values = rng.integers(0, 40, 41)
    table = np.stack([np.bincount(values[truth == kind], minlength=256) for kind in (False, True)])
    precision, recall, _ = precision_recall_curve(truth, values)
    curve = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
    assert f1_by_threshold(table[None])[0].max() == pytest.approx(curve.max())


def test_a_perfect_map_has_one_everywhere_and_no_false_area() -> None:
    pairs, labels, components = clips(3)
    perfect = [(t, PixelMaps(m.times, np.where(t > 10, 255, 0).astype(np.uint8))) for t, m in pairs]
    found = evaluate_pixels([counted(*pair) for pair in perfect], labels, components, n_draws=20)
    for name, estimate in found.items():
        assert estimate.value == (0.0 if name == "false_positive_area" else 1.0), name
        assert estimate.unreliable == "only 3 components"


@pytest.mark.parametrize("value", [0, 127, 128, 255])
def test_a_constant_map_has_an_auc_of_exactly_one_half(value: int) -> None:
    # facts of other suites: 0.492 or 0.508 by the order of the sort, 0.331 or 1.000 by the order of the samples
    pairs, labels, components = clips(3)
    flat = [counted(t, PixelMaps(m.times, np.full_like(m.maps, value))) for t, m in pairs]
    found = evaluate_pixels(flat, labels, components, n_draws=20)
    for name in ("pixel_auc", "pixel_auc_pooled", "patch_auc"):
        assert (found[name].value, found[name].low, found[name].high) == (0.5, 0.5, 0.5)
    assert found["false_positive_area"].value == float(value >= 128)
    assert (found["pixel_f1@0.5"].value == 0) == (value < 128)


def test_an_authentic_clip_with_an_empty_map_is_right_not_zero() -> None:
    truth, maps = clip(0, fake=False)
    empty = counted(truth, PixelMaps(maps.times, np.zeros_like(maps.maps)))
    found = evaluate_pixels([empty], [0], ["a"], n_draws=10)
    assert found["false_positive_area"].value == 0.0
    for name in PIXEL_METRICS[:-1]:  # it says nothing about these, neither 0 nor 1
        assert found[name].value is None and "undefined" in str(found[name].unreliable)
    truth, maps = clip(1)
    with_fake = evaluate_pixels([empty, counted(truth, maps)], [0, 1], ["a", "b"], n_draws=10)
    alone = evaluate_pixels([counted(truth, maps)], [1], ["b"], n_draws=10)
    assert with_fake["pixel_f1@0.5"].value == alone["pixel_f1@0.5"].value
    assert alone["false_positive_area"].value is None


def test_worked_by_hand() -> None:
    # one frame of 2 x 2: forged 200 and 50, genuine 200 and 0
    truth = np.array([[[255, 255], [0, 0]]], np.uint8)
    maps = PixelMaps(np.zeros(1), np.array([[[200, 50], [200, 0]]], np.uint8))
    found = evaluate_pixels([count_pixels(truth, [0.0], (2, 2), maps)], [1], ["a"], n_draws=5)
    assert found["pixel_auc"].value == (0.5 + 1 + 0 + 1) / 4
    assert found["pixel_f1@0.5"].value == 0.5  # tp 1, fp 1, fn 1
    assert found["pixel_iou@0.5"].value == pytest.approx(1 / 3)
    assert found["pixel_best_f1"].value == pytest.approx(0.8)  # from 1 to 50: tp 2, fp 1
    assert "patches" in str(found["patch_auc"].unreliable)


def test_a_forged_clip_whose_whole_picture_is_forged_has_no_auc_and_an_f1() -> None:
    maps = PixelMaps(np.zeros(1), np.full((1, *SHAPE), 255, np.uint8))
    whole = count_pixels(np.full((1, *SHAPE), 255, np.uint8), [0.0], SHAPE, maps)
    found = evaluate_pixels([whole], [1], ["a"], n_draws=5)
    assert found["pixel_f1@0.5"].value == 1.0 and found["pixel_auc"].value is None


def test_unknown_masks_are_left_out_and_counted() -> None:
    pairs, labels, components = clips(13)
    whole = [counted(*pair) for pair in pairs]
    some: list[PixelCounts | None] = [None if k == 1 else one for k, one in enumerate(whole)]
    kept = [k for k in range(len(whole)) if k != 1]
    found = evaluate_pixels(some, labels, components, n_draws=20)
    plain = evaluate_pixels([whole[k] for k in kept], [labels[k] for k in kept], [components[k] for k in kept])
    assert {name: e.value for name, e in found.items()} == {name: e.value for name, e in plain.items()}
    assert found["pixel_auc"].unreliable == "1 of 13 fakes have no known mask and are left out"
    none = evaluate_pixels([None], [1], ["a"])
    assert all(e.value is None and "no known mask" in str(e.unreliable) for e in none.values())


def test_failures_count_as_worst_for_their_class() -> None:
    truth, _ = clip(1)
    fake, real = worst_counts(truth, len(truth), SHAPE), worst_counts(None, 2, SHAPE)
    found = evaluate_pixels([fake, real], [1, 0], ["a", "b"], n_draws=5)
    for name in ("pixel_auc", "pixel_auc_pooled", "pixel_f1@0.5", "pixel_iou@0.5", "patch_auc"):
        assert found[name].value == 0.0
    assert found["false_positive_area"].value == 1.0


@pytest.mark.parametrize(
    ("labels", "components", "words"),
    [
        ([1], ["a", "b"], "must be as many"),
        ([0, 0], ["a", "b"], "forged pixels; the truth of a real clip"),
        ([1, 2], ["a", "b"], "must be 0"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(labels: list[int], components: list[str], words: str) -> None:
    both = [counted(*clip(0)), counted(*clip(2))]
    with pytest.raises(ValueError, match=words):
        evaluate_pixels(both, labels, components)


def test_a_real_without_counts_is_refused() -> None:
    with pytest.raises(ValueError, match="real and has no counts"):
        evaluate_pixels([None], [0], ["a"])


def test_the_interval_is_that_of_a_plain_loop_over_the_draws() -> None:
    pairs, labels, components = clips(13)
    counts = [counted(*pair) for pair in pairs]
    found = evaluate_pixels(counts, labels, components, n_draws=200, seed=4)
    draws = draw_components(components, 200, 4, labels)
    fakes = [k for k, label in enumerate(labels) if label]
    aucs = {k: roc_auc_score((pairs[k][0] > 10).ravel(), pairs[k][1].maps.ravel()) for k in fakes}
    f1s = {k: f1_by_threshold(counts[k].pixels[None])[0] for k in fakes}
    values, best = [], []
    for row in draws.multiplicities:
        drawn = [k for k in fakes for _ in range(row[draws.index[k]])]
        values.append(np.mean([aucs[k] for k in drawn]))
        best.append(np.mean([f1s[k] for k in drawn], axis=0).max())
    assert found["pixel_auc"].low == pytest.approx(np.quantile(values, 0.0105), abs=0.004)
    assert min(values) <= found["pixel_auc"].low <= found["pixel_auc"].high <= max(values)  # type: ignore[operator]
    assert min(best) <= found["pixel_best_f1"].low <= found["pixel_best_f1"].high <= max(best)  # type: ignore[operator]
    again = evaluate_pixels(counts, labels, components, n_draws=200, seed=4)
    assert again == found


def test_thousands_of_clips_are_judged_in_seconds() -> None:
    import time

    pairs, labels, _ = clips(4)
    counts = [counted(*pair) for pair in pairs] * 500
    many = [f"c{k // 4}" for k in range(len(counts))]
    started = time.process_time()
    evaluate_pixels(counts, labels * 500, many)
    assert time.process_time() - started < 10


# -- the control by real twins ------------------------------------------------------------------------------------


def twinned(n: int = 13) -> tuple[list[PixelCounts], list[np.ndarray | None], list[int], list[str], list[np.ndarray]]:
    """Reals and fakes, the twins' histograms under the fakes' masks, and per fake the AUC of map and twin."""
    pairs, labels, components = clips(n)
    counts, twins, aucs = [], [], []
    for number, (truth, maps) in enumerate(pairs):
        counts.append(counted(truth, maps))
        twins.append(None)
        if labels[number]:
            _, other = clip(900 + number, n=len(truth), fake=True, skill=0)
            seen = PixelMaps(maps.times, np.maximum(other.maps, maps.maps // 2))
            twins[-1] = counted(truth, seen).pixels
            aucs.append([roc_auc_score((truth > 10).ravel(), one.maps.ravel()) for one in (maps, seen)])
    return counts, twins, labels, components, aucs


def test_the_control_and_the_gain_equal_scikit_learn_and_a_plain_paired_loop() -> None:
    counts, twins, labels, components, aucs = twinned()
    found = evaluate_pixels(counts, labels, components, twins=twins, n_draws=200, seed=4)
    assert tuple(found) == (*PIXEL_METRICS, *TWIN_METRICS)
    values = np.array(aucs)
    assert found["pixel_auc_twin"].value == pytest.approx(values[:, 1].mean())
    assert found["pixel_auc_gain"].value == pytest.approx((values[:, 0] - values[:, 1]).mean())
    draws = draw_components(components, 200, 4, labels)
    fakes = [k for k, label in enumerate(labels) if label]
    index = draws.index[fakes]
    drawn = [np.average(values[:, 0] - values[:, 1], weights=row[index]) for row in draws.multiplicities]
    gain = found["pixel_auc_gain"]
    assert gain.low == pytest.approx(np.quantile(drawn, 0.0105), abs=0.004) and gain.unreliable is None
    assert min(drawn) <= gain.low < gain.high <= max(drawn)  # type: ignore[operator]
    plain = evaluate_pixels(counts, labels, components, n_draws=200, seed=4)
    assert {name: found[name] for name in PIXEL_METRICS} == plain  # the control changes nothing else


def test_the_same_map_on_fake_and_twin_has_a_gain_of_exactly_nothing() -> None:
    counts, _, labels, components, _ = twinned()
    same = [one.pixels if label else None for one, label in zip(counts, labels, strict=True)]
    found = evaluate_pixels(counts, labels, components, twins=same, n_draws=50)
    gain = found["pixel_auc_gain"]
    assert (gain.value, gain.low, gain.high, gain.unreliable) == (0.0, 0.0, 0.0, None)
    assert found["pixel_auc_twin"] == found["pixel_auc"]


def test_a_perfect_map_gains_one_half_over_the_empty_map_of_its_twin() -> None:
    pairs, labels, components = clips(3)
    counts, twins = [], []
    for (truth, maps), label in zip(pairs, labels, strict=True):
        counts.append(counted(truth, PixelMaps(maps.times, np.where(truth > 10, 255, 0).astype(np.uint8))))
        twins.append(counted(truth, PixelMaps(maps.times, np.zeros_like(maps.maps))).pixels if label else None)
    found = evaluate_pixels(counts, labels, components, twins=twins, n_draws=20)
    assert (found["pixel_auc_twin"].value, found["pixel_auc_gain"].value) == (0.5, 0.5)


def test_fakes_without_a_twin_are_left_out_of_both_and_counted() -> None:
    counts, twins, labels, components, aucs = twinned()
    fewer = [None if number in (1, 3) else twin for number, twin in enumerate(twins)]
    found = evaluate_pixels(counts, labels, components, twins=fewer, n_draws=20)
    rest = np.array(aucs[2:])
    assert found["pixel_auc_gain"].value == pytest.approx((rest[:, 0] - rest[:, 1]).mean())
    assert found["pixel_auc"].value == pytest.approx(np.mean(aucs, axis=0)[0])
    for name in TWIN_METRICS:  # 11 components are left
        assert found[name].unreliable == "only 11 components"
    one_less = [None if number == 1 else twin for number, twin in enumerate(twins)]
    found = evaluate_pixels(counts, labels, components, twins=one_less, n_draws=20)
    assert found["pixel_auc_gain"].unreliable == "1 of 13 forged clips have no real twin to compare with"
    assert found["pixel_auc"].unreliable is None
    none = evaluate_pixels(counts, labels, components, twins=[None] * len(counts), n_draws=5)
    for name in TWIN_METRICS:
        assert none[name].value is None and "has a real twin" in str(none[name].unreliable)


def test_unknown_masks_and_wrong_twins() -> None:
    counts, twins, labels, components, aucs = twinned()
    some: list[PixelCounts | None] = [None if number == 1 else one for number, one in enumerate(counts)]
    found = evaluate_pixels(some, labels, components, twins=twins, n_draws=20)
    rest = np.array(aucs[1:])
    assert found["pixel_auc_twin"].value == pytest.approx(rest[:, 1].mean())
    unknown = evaluate_pixels([None], [1], ["a"], twins=[None])
    assert tuple(unknown) == (*PIXEL_METRICS, *TWIN_METRICS) and all(one.value is None for one in unknown.values())
    with pytest.raises(ValueError, match="twins and 26 labels must be as many"):
        evaluate_pixels(counts, labels, components, twins=twins[1:])
    swapped = [twins[5] if number == 1 else twin for number, twin in enumerate(twins)]
    with pytest.raises(ValueError, match="was not counted under the mask of its fake"):
        evaluate_pixels(counts, labels, components, twins=swapped)
