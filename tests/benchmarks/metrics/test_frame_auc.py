"""Frame AUC on hand-worked clips."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.metrics.localization import frame_auc, unit_labels
from cmdfd.clip import Modality, Segment

TIMES = np.arange(10) * 0.1 + 0.05
SEGMENT = Segment(0.3, 0.6, Modality.VIDEO)


def test_units_are_forged_by_their_centre() -> None:
    assert unit_labels(TIMES, [SEGMENT]).tolist() == [False] * 3 + [True] * 3 + [False] * 4
    edge = Segment(0.25, 0.35, Modality.AUDIO)
    assert unit_labels([0.25, 0.3, 0.35], [edge]).tolist() == [True, True, False]
    assert unit_labels(TIMES, []).sum() == 0


def test_modality_is_asked_for() -> None:
    both = Segment(0.7, 0.8, Modality.BOTH)
    assert unit_labels(TIMES, [SEGMENT, both], Modality.AUDIO).sum() == 1
    assert unit_labels(TIMES, [SEGMENT, both], Modality.VIDEO).sum() == 4


def clips(n: int = 14, seed: int = 0) -> tuple[list, list, list, list[str]]:
    rng = np.random.default_rng(seed)
    times, scores, segments, components = [], [], [], []
    for k in range(n):
        for fake in (False, True):
            times.append(TIMES)
            scores.append(rng.normal(size=10) + (unit_labels(TIMES, [SEGMENT]) if fake else 0) + k)
            segments.append([SEGMENT] if fake else [])
            components.append(f"c{k}")
    return times, scores, segments, components


def test_pooled_equals_scikit_learn_over_all_units() -> None:
    times, scores, segments, components = clips()
    labels = np.concatenate([unit_labels(t, s) for t, s in zip(times, segments, strict=True)])
    found = frame_auc(times, scores, segments, components, n_draws=50)
    assert found.value == pytest.approx(roc_auc_score(labels, np.concatenate(scores)))
    assert found.low < found.value < found.high  # type: ignore[operator]
    assert found.unreliable is None


def test_within_clip_ignores_offsets_between_clips() -> None:
    times, scores, segments, components = clips()
    expected = np.mean(
        [roc_auc_score(unit_labels(t, s), v) for t, v, s in zip(times, scores, segments, strict=True) if s]
    )
    within = frame_auc(times, scores, segments, components, pooling="within_clip", n_draws=50)
    pooled = frame_auc(times, scores, segments, components, n_draws=50)
    assert within.value == pytest.approx(expected)
    assert within.value > pooled.value + 0.05  # type: ignore[operator]


def test_clips_without_frame_scores_are_said() -> None:
    times, scores, segments, components = clips()
    times[3], scores[3] = None, None
    found = frame_auc(times, scores, segments, components, n_draws=20)
    assert found.value is not None
    assert found.unreliable == "1 of 28 clips have no frame scores"


def test_undefined_cases() -> None:
    nothing = frame_auc([None], [None], [[SEGMENT]], ["a"])
    assert nothing.value is None
    assert "no forged units" in str(nothing.unreliable)
    assert "no forged units" in str(frame_auc([TIMES], [TIMES], [[]], ["a"]).unreliable)
    whole = [Segment(0.0, 9.0, Modality.BOTH)]
    assert "all units are forged" in str(frame_auc([TIMES], [TIMES], [whole], ["a"]).unreliable)
    inside = frame_auc([TIMES], [TIMES], [whole], ["a"], pooling="within_clip")
    assert "both forged and unforged" in str(inside.unreliable)


def test_few_components_and_bad_input() -> None:
    times, scores, segments, components = clips(5)
    for pooling in ("pooled", "within_clip"):
        found = frame_auc(times, scores, segments, components, pooling=pooling, n_draws=20)  # type: ignore[arg-type]
        assert found.unreliable == "only 5 components"
    with pytest.raises(ValueError, match="one entry for each clip"):
        frame_auc(times, scores[1:], segments, components)
    scores[0] = np.full(10, np.nan)
    with pytest.raises(ValueError, match="clip 0"):
        frame_auc(times, scores, segments, components)
