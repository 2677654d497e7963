"""`noise_residual`: what it must find, what it must not, and its files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from noisy_clips import FAKE, labelled, noisy
from safetensors.numpy import load_file, save_file
from sklearn.metrics import roc_auc_score

from benchmarks.check import Checker, check_detector
from benchmarks.detector import ClipView, Prediction
from benchmarks.detectors.noise_residual import NoiseResidual
from benchmarks.metrics.spatial import count_pixels, evaluate_pixels
from benchmarks.mock import mock_set
from benchmarks.views import FeatureView, MemoryView
from cmdfd.errors import CmdfdError, MediaError


@pytest.fixture(scope="module")
def fitted() -> NoiseResidual:
    detector = NoiseResidual(seed=1)
    train = [labelled(seed, detector, fake=fake, grain=1 + seed % 3) for seed in range(6) for fake in (False, True)]
    select = [
        labelled(100 + seed, detector, fake=fake, grain=2, forged=(4, 13))
        for seed in range(3)
        for fake in (False, True)
    ]
    return detector.fit(train, select)


def answers(detector: NoiseResidual, views: list[ClipView]) -> list[Prediction]:
    return list(detector.predict(FeatureView(view, detector) for view in views))


@pytest.fixture(scope="module")
def judged(fitted: NoiseResidual) -> Iterator[tuple[list, list[int], list[Prediction]]]:
    pairs = [noisy(200 + seed, fake=fake) for seed in range(5) for fake in (False, True)]
    yield pairs, [0, 1] * 5, answers(fitted, [view for view, _ in pairs])


def pixel_auc(view: MemoryView, mask: np.ndarray, found: Prediction) -> float:
    assert found.masks is not None
    times = np.arange(len(mask)) / view.fps
    counts = count_pixels(mask, times, mask.shape[1:], found.masks)
    assert counts.unreached == 0
    value = evaluate_pixels([counts], [1], ["a"], n_draws=2)["pixel_auc"].value
    assert value is not None
    return value


def test_a_patch_with_other_noise_is_found(judged: tuple[list, list[int], list[Prediction]]) -> None:
    pairs, labels, found = judged
    for (view, mask), label, one in zip(pairs, labels, found, strict=True):
        if label:
            assert pixel_auc(view, mask, one) > 0.9
    assert roc_auc_score(labels, [one.score for one in found]) > 0.9


def test_half_of_the_map_is_the_threshold(judged: tuple[list, list[int], list[Prediction]]) -> None:
    pairs, labels, found = judged
    counts = [
        count_pixels(mask if label else None, np.arange(len(mask)) / 25, mask.shape[1:], one.masks)  # type: ignore[arg-type]
        for (_, mask), label, one in zip(pairs, labels, found, strict=True)
    ]
    metrics = evaluate_pixels(counts, labels, [f"c{k // 2}" for k in range(10)], n_draws=2)
    assert metrics["pixel_f1@0.5"].value > 0.6  # type: ignore[operator]
    assert metrics["false_positive_area"].value < 0.05  # type: ignore[operator]


@pytest.mark.parametrize(
    "options",
    [
        {"size": (200, 152)},
        {"size": (224, 224)},
        {"size": (97, 131)},
        {"fps": 30.0, "n": 20},
        {"fps": 15.0, "n": 8},
        {"fps": 60.0, "n": 31},
        {"grain": 4.0, "foreign": 10.0},
        {"grain": 1.0, "foreign": 3.0},
    ],
)
def test_size_rate_and_the_strength_of_all_noise_do_not_matter(fitted: NoiseResidual, options: dict) -> None:
    view, mask = noisy(300, fake=True, **options)
    (found,) = answers(fitted, [view])
    assert pixel_auc(view, mask, found) > 0.9


def test_a_forged_stretch_is_found_in_time(fitted: NoiseResidual) -> None:
    view, _ = noisy(400, fake=True, n=75, forged=(25, 50))
    (found,) = answers(fitted, [view])
    assert found.times is not None and found.frame_scores is not None
    inside = (found.times > 1) & (found.times < 2)
    assert roc_auc_score(inside, found.frame_scores) > 0.9
    best = max(found.segments, key=lambda one: one.confidence).segment
    assert abs(best.start - 1) < 0.3 and abs(best.end - 2) < 0.3


def test_odd_sizes_keep_the_map_on_the_patch(fitted: NoiseResidual) -> None:
    view, mask = noisy(301, fake=True, size=(109, 143))
    (found,) = answers(fitted, [view])
    maps = found.masks.maps.astype(float).mean(axis=0)  # type: ignore[union-attr]
    y, x = np.mgrid[0 : maps.shape[0], 0 : maps.shape[1]] + 0.5
    weights = np.where(maps >= 128, maps, 0)
    seen = np.array([(y * weights).sum(), (x * weights).sum()]) / weights.sum()
    true = np.argwhere(mask[0] > 0).mean(axis=0) + 0.5
    assert np.abs(seen / maps.shape - true / mask.shape[1:]).max() < 0.05


# -- learning ----------------------------------------------------------------------------------------------------


def test_no_mask_at_all_is_an_error_with_the_fix() -> None:
    detector = NoiseResidual()
    rows = [replace(labelled(seed, detector, fake=seed % 2 == 1), mask=None) for seed in range(4)]
    with pytest.raises(CmdfdError, match=r"0 of the training clips have one; train on a set whose recipe"):
        detector.fit(rows, [])
    empty = replace(rows[1], mask=lambda: np.zeros((13, 96, 128), np.uint8))
    with pytest.raises(CmdfdError, match=r"1 of the training clips have one \(with no forged block"):
        detector.fit([rows[0], empty], [])
    with pytest.raises(CmdfdError, match="0 of the training clips"):
        detector.fit([], [])


def test_masks_that_cover_everything_leave_nothing_to_compare() -> None:
    detector = NoiseResidual()
    whole = replace(labelled(1, detector, fake=True), mask=lambda: np.full((13, 96, 128), 255, np.uint8))
    with pytest.raises(CmdfdError, match="no genuine block"):
        detector.fit([whole], [])


def test_a_mask_of_another_shape_is_refused() -> None:
    detector = NoiseResidual()
    wrong = replace(labelled(1, detector, fake=True), mask=lambda: np.full((12, 96, 128), 255, np.uint8))
    with pytest.raises(CmdfdError, match=r"clip 'clip-1-1': its mask is \[12, 96, 128\]"):
        detector.fit([wrong], [])


def test_fakes_without_a_mask_are_not_learnt_from(fitted: NoiseResidual) -> None:
    def fit(extra: bool) -> NoiseResidual:
        detector = NoiseResidual()
        rows = [labelled(seed, detector, fake=fake) for seed in range(2) for fake in (False, True)]
        if extra:
            rows.append(replace(labelled(9, detector, fake=True), mask=None))
        return detector.fit(rows, [])

    views = [noisy(500, fake=True)[0]]
    assert answers(fit(True), views)[0].score == answers(fit(False), views)[0].score


def test_without_a_selection_split_usual_values_are_taken() -> None:
    detector = NoiseResidual()
    rows = [labelled(seed, detector, fake=fake) for seed in range(3) for fake in (False, True)]
    detector.fit(rows, [])
    assert detector._choices.frame_threshold is None and detector._choices.chosen_on == "0 clips, 0 of them with a mask"
    view, mask = noisy(501, fake=True)
    (found,) = answers(detector, [view])
    assert pixel_auc(view, mask, found) > 0.9 and found.segments


def test_unreadable_clips_are_passed_over_in_fit_and_named_in_predict(fitted: NoiseResidual) -> None:
    class Broken(MemoryView):
        def frames(self) -> np.ndarray:
            raise MediaError("decode_failed", self.id)

    broken = Broken("b", 25.0, 16000, np.zeros((1, 1, 1, 3), np.uint8), None, None)
    detector = NoiseResidual()
    rows = [labelled(seed, detector, fake=fake) for seed in range(2) for fake in (False, True)]
    unreadable = replace(rows[1], view=FeatureView(broken, detector))
    detector.fit([*rows, unreadable], [unreadable])
    (found,) = answers(fitted, [broken])
    assert found.score is None and found.error is not None and found.error.startswith("decode_failed")


# -- odd clips ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0, 255])
def test_a_black_or_white_clip_has_a_finite_score_and_an_even_map(fitted: NoiseResidual, level: int) -> None:
    view = MemoryView("flat", 25.0, 16000, np.full((10, 64, 64, 3), level, np.uint8), None, None)
    (found,) = answers(fitted, [view])
    assert found.score is not None and np.isfinite(found.score)
    assert found.masks is not None and np.ptp(found.masks.maps) == 0


@pytest.mark.parametrize(("n", "size"), [(1, (32, 32)), (2, (32, 40)), (1, (96, 128))])
def test_tiny_clips_have_answers(fitted: NoiseResidual, n: int, size: tuple[int, int]) -> None:
    view, _ = noisy(1, fake=False, n=n, size=size)
    (found,) = answers(fitted, [view])
    assert found.score is not None and found.masks is not None and len(found.masks.times) == n


def test_pictures_under_32_pixels_are_errors(fitted: NoiseResidual) -> None:
    view, _ = noisy(1, fake=False, size=(31, 100))
    (found,) = answers(fitted, [view])
    assert found.error is not None and found.error.startswith("unsupported: the picture has 100x31 pixels")


# -- files -------------------------------------------------------------------------------------------------------


def same(first: Prediction, second: Prediction) -> bool:
    assert first.masks is not None and second.masks is not None
    return (
        first.score == second.score
        and np.array_equal(first.frame_scores, second.frame_scores)  # type: ignore[arg-type]
        and np.array_equal(first.masks.maps, second.masks.maps)
        and first.segments == second.segments
    )


def test_save_and_load_agree_to_the_last_bit(fitted: NoiseResidual, tmp_path: Path) -> None:
    views = [noisy(600, fake=fake)[0] for fake in (False, True)]
    fitted.save(tmp_path)
    loaded = NoiseResidual.load(tmp_path)
    assert all(same(*pair) for pair in zip(answers(fitted, views), answers(loaded, views), strict=True))
    assert loaded.n_parameters == fitted.n_parameters > 0
    assert {path.name for path in tmp_path.iterdir()} == {"detector.json", "model.safetensors"}


def test_files_that_are_wrong_are_refused(fitted: NoiseResidual, tmp_path: Path) -> None:
    with pytest.raises(CmdfdError, match="not the facts"):
        NoiseResidual.load(tmp_path)
    fitted.save(tmp_path)
    facts, weights = tmp_path / "detector.json", tmp_path / "model.safetensors"
    good = json.loads(facts.read_text())
    facts.write_text(json.dumps({**good, "share": 0.0}))
    with pytest.raises(CmdfdError, match="share in"):
        NoiseResidual.load(tmp_path)
    facts.write_text(json.dumps({**good, "extra": 1}))
    with pytest.raises(CmdfdError, match="extra"):
        NoiseResidual.load(tmp_path)
    facts.write_text(json.dumps(good))
    tensors = load_file(weights)
    save_file({**tensors, "scale": np.zeros_like(tensors["scale"])}, weights)
    with pytest.raises(CmdfdError, match="scale is not above 0"):
        NoiseResidual.load(tmp_path)
    save_file({**tensors, "weights": tensors["weights"][:3]}, weights)
    with pytest.raises(CmdfdError, match="expected float64 tensors"):
        NoiseResidual.load(tmp_path)
    weights.write_bytes(b"nothing")
    with pytest.raises(CmdfdError, match="not a safetensors file"):
        NoiseResidual.load(tmp_path)


def test_nothing_is_said_before_a_fit(tmp_path: Path) -> None:
    for call in (lambda: list(NoiseResidual().predict([])), lambda: NoiseResidual().save(tmp_path)):
        with pytest.raises(CmdfdError, match="has not been fitted"):
            call()


def test_it_keeps_the_contract() -> None:
    results = check_detector("benchmarks.detectors.noise_residual:NoiseResidual")
    wanted = {what.replace("_", " "): "ok" for what in Checker.PROMISES}
    assert {one.name: one.status for one in results} == wanted, results
    assert "clips with maps" in next(one.detail for one in results if one.name == "maps fit the clip")


def test_the_mock_set_has_masks_of_its_fakes() -> None:
    for row in mock_set(seed=7).train:
        assert (row.mask is None) == (row.labels.label == 0)
        if row.mask is not None:
            assert row.mask().shape == row.view.frames().shape[:3]
    assert FAKE.video_label == 1
