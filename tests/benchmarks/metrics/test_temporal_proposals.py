"""Proposals from frame scores: planted stretches, edges, scale, order, and what mds names itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.detectors.mds.localization import Windows, merge_segments
from benchmarks.metrics.proposals import GAPS, TOP, segments_from_scores
from benchmarks.metrics.temporal import evaluate_temporal
from cmdfd.clip import Modality, Segment

FPS = 25.0


def centres(n: int, step: float = 1 / FPS) -> np.ndarray:
    return (np.arange(n) + 0.5) * step


def ends(found: tuple) -> list[tuple[float, float]]:
    return [(one.segment.start, one.segment.end) for one in found]


def overlap(a: tuple[float, float], b: tuple[float, float]) -> float:
    return max(0.0, min(a[1], b[1]) - max(a[0], b[0])) / (max(a[1], b[1]) - min(a[0], b[0]))


def test_a_clear_step_is_the_first_proposal_to_the_frame() -> None:
    times = centres(100)
    scores = ((times >= 1.2) & (times < 2.0)).astype(float)
    found = segments_from_scores(times, scores, 4.0)
    assert ends(found) == [pytest.approx((1.2, 2.0)), pytest.approx((0.0, 4.0))]
    assert found[0].segment.modality is Modality.BOTH
    one = segments_from_scores(times, scores, 4.0, modality=Modality.AUDIO)[0]
    assert one.segment.modality is Modality.AUDIO


def test_confidence_is_the_stated_sum() -> None:
    """Mean .2, inside 1, around 0, .8 s: .2 + (2 - 0 - .2) * .8 / 1.2; the whole clip: its mean less the overlap."""
    times = centres(100)
    scores = ((times >= 1.2) & (times < 2.0)).astype(float)
    stretch, whole = segments_from_scores(times, scores, 4.0)
    assert stretch.confidence == pytest.approx(0.2 + 1.8 * 0.8 / 1.2)
    assert whole.confidence == pytest.approx(0.2 - 1.0 * 0.2**2)


def test_around_ends_with_the_clip() -> None:
    times = centres(50)
    found = segments_from_scores(times, (times < 1.0) * 1.0, 2.0)
    assert ends(found)[0] == pytest.approx((0.0, 1.0))
    assert found[0].confidence == pytest.approx(0.5 + 1.5 * 1.0 / 1.4)


def test_constant_scores_name_the_whole_clip_once() -> None:
    [one] = segments_from_scores(centres(50), np.full(50, -3.5), 2.0)
    assert (one.segment.start, one.segment.end, one.confidence) == (0.0, 2.0, -3.5)
    [single] = segments_from_scores([1.0], [0.7], 2.0)
    assert (single.segment.start, single.segment.end) == (0.0, 2.0)


def test_no_units_no_proposals() -> None:
    assert segments_from_scores([], [], 2.0) == ()


def test_runs_a_short_way_apart_are_also_joined() -> None:
    times = centres(150)
    scores = (((times >= 1.0) & (times < 2.0)) | ((times >= 2.2) & (times < 3.0))).astype(float)
    found = ends(segments_from_scores(times, scores, 6.0))
    for wanted in ((1.0, 3.0), (1.0, 2.0), (2.2, 3.0)):
        assert any(one == pytest.approx(wanted) for one in found)
    assert found[0] == pytest.approx((1.0, 3.0))
    assert GAPS[0] == 0


def test_noisy_stretches_are_found_far_better_than_by_chance() -> None:
    rng = np.random.default_rng(0)
    first, top, blind = [], [], []
    for _ in range(40):
        times, start = centres(150), rng.uniform(0.5, 3.5)
        wanted = (start, start + rng.uniform(0.4, 1.5))
        noise = rng.normal(0, 0.5, 150)
        step = ((times >= wanted[0]) & (times < wanted[1])) * 1.0
        found = ends(segments_from_scores(times, step + noise, 6.0))
        assert len(found) == TOP
        first.append(overlap(found[0], wanted))
        top.append(max(overlap(one, wanted) for one in found[:10]))
        blind.append(max(overlap(one, wanted) for one in ends(segments_from_scores(times, noise, 6.0))[:10]))
    assert np.mean(first) > 0.8 and np.mean(top) > 0.85
    assert np.mean(blind) < 0.6


def test_a_better_localizer_gets_a_better_ap() -> None:
    """The confidences also rank across clips: forged stretches before the noise of genuine clips."""
    values = []
    for noise in (0.1, 0.5, 1.5):
        rng = np.random.default_rng(1)
        truth, proposals = [], []
        for k in range(60):
            times, start = centres(100), rng.uniform(0.5, 2.5)
            truth.append([Segment(start, start + 1.0, Modality.BOTH)] if k % 2 else [])
            step = ((times >= start) & (times < start + 1.0)) * float(k % 2)
            proposals.append(segments_from_scores(times, step + rng.normal(0, noise, 100), 4.0))
        values.append(evaluate_temporal(truth, proposals, np.arange(60), n_draws=2)["ap@0.5"].value)
    assert values[0] > 0.99 and values[0] >= values[1] > values[2]
    assert values[1] > 0.9


def test_segments_of_mds_are_among_those_at_its_threshold() -> None:
    rng = np.random.default_rng(2)
    for _ in range(20):
        scores = rng.random(30).cumsum() % 1.0
        times = centres(30, 0.2)
        threshold = float(np.quantile(scores, 0.61))
        own = merge_segments(Windows(times, scores, 0.2, 6.0), threshold)
        assert own
        made = ends(segments_from_scores(times, scores, 6.0, threshold=threshold, top=10_000))
        for one in own:
            assert any(np.allclose(pair, (one.segment.start, one.segment.end), atol=1e-9) for pair in made)


@pytest.mark.parametrize(
    ("times", "scores", "seconds", "message"),
    [
        ([0.5, 1.5], [0.1, np.nan], 2.0, "score 1 is nan; it must be finite"),
        ([0.5, 1.5], [0.1, np.inf], 2.0, "score 1 is inf"),
        ([np.nan, 1.5], [0.1, 0.2], 2.0, "time 0 is nan"),
        ([0.5, 0.5], [0.1, 0.2], 2.0, "time 0.5 s has two scores"),
        ([0.5, 2.5], [0.1, 0.2], 2.0, "time 1 is 2.5 s, outside the clip of 2.0 s"),
        ([-0.5, 1.0], [0.1, 0.2], 2.0, "time 0 is -0.5 s, outside"),
        ([0.5, 1.5], [0.1], 2.0, "one score for each time"),
        ([0.5], [0.1], 0.0, "longer than 0 s"),
        ([0.5], [0.1], np.nan, "longer than 0 s"),
    ],
)
def test_hostile_input_is_refused(times: list, scores: list, seconds: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        segments_from_scores(times, scores, seconds)


def test_a_time_that_is_off_by_rounding_is_taken() -> None:
    assert ends(segments_from_scores([0.5, 2.05], [0.0, 1.0], 2.0))[0] == pytest.approx((1.25, 2.0))
    crowded = ends(segments_from_scores([0.5, 2.05, 2.08], [0.0, 0.5, 1.0], 2.0))
    assert crowded == [pytest.approx((1.25, 2.0)), pytest.approx((0.0, 2.0))]


scores_of_a_clip = st.lists(st.integers(-8, 8).map(lambda k: k / 4), min_size=1, max_size=40)


@settings(max_examples=80, deadline=None)
@given(scores=scores_of_a_clip, top=st.integers(1, 30))
def test_proposals_lie_in_the_clip_differ_and_fall(scores: list[float], top: int) -> None:
    n = len(scores)
    found = segments_from_scores(centres(n), scores, n / FPS, top=top)
    assert 1 <= len(found) <= top
    assert len(set(ends(found))) == len(found)
    assert all(0 <= a < b <= n / FPS for a, b in ends(found))
    sure = [one.confidence for one in found]
    assert all(np.isfinite(sure)) and sure == sorted(sure, reverse=True)


@settings(max_examples=60, deadline=None)
@given(scores=scores_of_a_clip, data=st.data())
def test_units_may_come_in_any_order(scores: list[float], data: st.DataObject) -> None:
    times = centres(len(scores))
    order = data.draw(st.permutations(range(len(scores))))
    mixed = segments_from_scores(times[order], np.array(scores)[order], len(scores) / FPS)
    assert mixed == segments_from_scores(times, scores, len(scores) / FPS)


@settings(max_examples=60, deadline=None)
@given(scores=scores_of_a_clip, power=st.integers(-3, 6), shift=st.integers(-50, 50))
def test_a_change_of_scale_only_changes_the_confidences(scores: list[float], power: int, shift: int) -> None:
    """Powers of two and quarters are exact, so that no tie is broken by rounding."""
    times, seconds = centres(len(scores)), len(scores) / FPS
    plain = segments_from_scores(times, scores, seconds, top=1000)
    scale = 2.0**power
    moved = segments_from_scores(times, [scale * s + shift for s in scores], seconds, top=1000)
    assert set(ends(plain)) == set(ends(moved))
    sure = {pair: one.confidence for pair, one in zip(ends(plain), plain, strict=True)}
    other = {pair: one.confidence for pair, one in zip(ends(moved), moved, strict=True)}
    first = ends(plain)[0]
    assert other[first] == pytest.approx(scale * sure[first] + shift, abs=1e-6)


@settings(max_examples=150, deadline=None)
@given(
    scores=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=40),
    threshold=st.none() | st.floats(),
)
def test_any_finite_scores_give_finite_confidences(scores: list[float], threshold: float | None) -> None:
    n = len(scores)
    found = segments_from_scores(centres(n), scores, n / FPS, threshold=threshold)
    sure = [one.confidence for one in found]
    assert found and all(np.isfinite(sure)) and sure == sorted(sure, reverse=True)
    assert all(0 <= a < b <= n / FPS for a, b in ends(found))
    judged = evaluate_temporal([[Segment(0.0, 0.02, Modality.BOTH)]], [found], ["a"], n_draws=2)
    assert all(one.value is not None and 0 <= one.value <= 1 for one in judged.values())


def test_scores_near_the_largest_float_are_judged_like_others() -> None:
    scores = [1e308, -1e308] * 50
    huge = segments_from_scores(np.arange(100) / FPS, scores, 4.0)
    small = segments_from_scores(np.arange(100) / FPS, np.ldexp(scores, -1000), 4.0)
    assert ends(huge) == ends(small)
    most = np.finfo(float).max
    with np.errstate(over="ignore"):
        wanted = np.clip(np.ldexp([one.confidence for one in small], 1000), -most, most)
    assert [one.confidence for one in huge] == wanted.tolist()
    # what would be above the largest float: 3 * 1.7e308 for a stretch that stands out so far
    times = centres(1000)
    step = np.where((times >= 12) & (times < 20), 1.7e308, -1.7e308)
    first, *rest = segments_from_scores(times, step, 40.0)
    assert ends((first,)) == [pytest.approx((12.0, 20.0))] and first.confidence == most
    assert all(one.confidence < first.confidence for one in rest)
