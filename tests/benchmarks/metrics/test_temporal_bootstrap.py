"""evaluate_temporal: weights against clips that are there several times, intervals, filters and hostile input."""

from __future__ import annotations

import itertools
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporal_cases import Case, arrays, random_case

from benchmarks.detector import ScoredSegment
from benchmarks.metrics.temporal import evaluate_temporal, united
from benchmarks.metrics.temporal_avdeepfake1m import compat_metrics
from benchmarks.metrics.temporal_bootstrap import COMPAT_KEYS, KEYS, Weighable
from benchmarks.metrics.temporal_core import average_recall_an, temporal_metrics
from cmdfd.clip import Modality, Segment

BOTH, AUDIO, VIDEO = Modality.BOTH, Modality.AUDIO, Modality.VIDEO


def segment(start: float, end: float, modality: Modality = BOTH) -> Segment:
    return Segment(start, end, modality)


def scored(start: float, end: float, confidence: float, modality: Modality = BOTH) -> ScoredSegment:
    return ScoredSegment(Segment(start, end, modality), confidence)


def records(case: Case) -> tuple[list[list[Segment]], list[list[ScoredSegment]]]:
    truth = [[segment(a, b) for a, b in part] for part in case["truth"]]
    return truth, [[scored(a, b, c) for c, a, b in part] for part in case["proposals"]]


def repeated(case: Case, counts: Any) -> Case:
    """The case with every video as often as it was drawn."""
    rows = np.repeat(np.arange(len(counts)), counts)
    return {key: [part[i] for i in rows] for key, part in case.items()}


@pytest.mark.parametrize("seed", range(12))
def test_weights_are_that_many_videos(seed: int) -> None:
    case = random_case(seed)
    n = len(case["truth"])
    weighable = Weighable.of(*arrays(case)[:2], np.arange(n))
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 4, (15, n))
    weights[0] = 1
    values = weighable.values(weights)
    assert tuple(values) == KEYS
    for b, counts in enumerate(weights):
        drawn = repeated(case, counts)
        if not any(drawn["truth"]):
            assert all(np.isnan(values[key][b]) for key in KEYS)
            continue
        direct = temporal_metrics(*arrays(drawn))
        direct["ar@an=10"] = average_recall_an(*arrays(drawn), (10,))[10]
        for key, value in direct.items():
            assert values[key][b] == pytest.approx(value, abs=1e-12), (b, key)


@pytest.mark.parametrize("seed", [1, 3, 5, 7, 9, 11, 19, 21, 23])
def test_weights_are_that_many_videos_in_the_compatible_mode(seed: int) -> None:
    """Confidences of different videos are kept apart: there a copy of a video ties with itself only."""
    case = random_case(seed)
    for v, part in enumerate(case["proposals"]):
        part[:] = [[k - v / 1024 - row / 65536, a, b] for row, (k, a, b) in enumerate(sorted(part, reverse=True))]
    n = len(case["truth"])
    weighable = Weighable.of(*arrays(case)[:2], np.arange(n), compat=True)
    weights = np.random.default_rng(seed).integers(0, 4, (15, n))
    weights[0] = 1
    values = weighable.values(weights)
    assert tuple(values) == COMPAT_KEYS
    for b, counts in enumerate(weights):
        drawn = repeated(case, counts)
        if any(drawn["truth"]):
            for key, value in compat_metrics(*arrays(drawn)).items():
                assert values[key][b] == pytest.approx(value, abs=1e-6), (b, key)


@pytest.mark.parametrize("compat", [None, "avdeepfake1m"])
def test_values_are_those_of_the_arrays(compat: Any) -> None:
    for seed in (7, 13, 25):  # written surest first
        case = random_case(seed)
        case["truth"] = [[[*span] for span in united(part)] for part in records(case)[0]]  # some overlap by chance
        truth, proposals = records(case)
        found = evaluate_temporal(truth, proposals, np.arange(len(truth)), compat=compat, n_draws=20)
        direct = compat_metrics(*arrays(case)) if compat else temporal_metrics(*arrays(case))
        assert tuple(found) == (COMPAT_KEYS if compat else KEYS)
        for key, value in direct.items():
            assert found[key].value == pytest.approx(value, abs=1e-12)
            low, high = found[key].low, found[key].high
            assert low is not None and high is not None and low <= high


def detection(n: int, seed: int = 0, n_proposals: int = 20) -> tuple[list[Any], list[Any], list[str]]:
    """Every second clip forged in one place; a detector that finds it more often than not."""
    rng = np.random.default_rng(seed)
    truth: list[Any] = []
    proposals: list[Any] = []
    for k in range(n):
        start = float(rng.uniform(0, 5))
        truth.append([segment(start, start + 1.0)] if k % 2 else [])
        given = [
            scored(a, a + float(rng.uniform(0.2, 2)), float(rng.random())) for a in rng.uniform(0, 6, n_proposals - 1)
        ]
        shift = abs(float(rng.normal(0, 0.1)))
        given.append(scored(start + shift, start + shift + 1.0, float(rng.random() + 0.5 * (k % 2))))
        proposals.append(given)
    return truth, proposals, [f"person {k // 4}" for k in range(n)]


def test_intervals_hold_the_value_and_narrow_with_more_people() -> None:
    few = evaluate_temporal(*detection(80), n_draws=400)
    many = evaluate_temporal(*detection(800), n_draws=400)
    for key in ("ap@0.5", "ar@5", "score"):
        assert few[key].low < few[key].value < few[key].high
        assert many[key].high - many[key].low < 0.6 * (few[key].high - few[key].low)
        assert few[key].unreliable is None


def test_draws_depend_on_the_seed_only() -> None:
    data = detection(48)
    assert evaluate_temporal(*data, n_draws=50, seed=3) == evaluate_temporal(*data, n_draws=50, seed=3)
    assert evaluate_temporal(*data, n_draws=50, seed=3) != evaluate_temporal(*data, n_draws=50, seed=4)


def test_interval_covers_about_as_often_as_it_says() -> None:
    """AP@0.5 over 30 people; the truth is the mean over many samples. 95 % nominal, expanded for few components."""
    found = [evaluate_temporal(*detection(120, seed, 6), n_draws=200, seed=seed)["ap@0.5"] for seed in range(60)]
    truth = np.mean([evaluate_temporal(*detection(1200, 999 + s, 6), n_draws=1)["ap@0.5"].value for s in range(10)])
    covered = np.mean([one.low <= truth <= one.high for one in found])
    assert 0.85 <= covered <= 1.0


def test_without_forged_stretches_everything_is_undefined_with_a_reason() -> None:
    for compat, keys in ((None, KEYS), ("avdeepfake1m", COMPAT_KEYS)):
        found = evaluate_temporal([[], []], [[scored(0, 1, 0.5)], []], ["a", "b"], compat=compat)
        assert tuple(found) == keys
        for one in found.values():
            assert one.value is None
            assert one.unreliable == "undefined: there are no forged stretches in the 2 clips"


def test_without_proposals_the_values_are_zero() -> None:
    found = evaluate_temporal([[segment(0, 1)]] * 30, [[]] * 30, list(range(30)), n_draws=20)
    assert {(one.value, one.low, one.high, one.unreliable) for one in found.values()} == {(0.0, 0.0, 0.0, None)}


def test_all_clips_forged_still_has_an_interval_without_doubt() -> None:
    truth, proposals, people = detection(200)
    forged = [k for k in range(200) if truth[k]]
    names = [people[k] for k in forged]
    found = evaluate_temporal([truth[k] for k in forged], [proposals[k] for k in forged], names, n_draws=200)
    assert found["ap@0.5"].unreliable is None
    assert found["ap@0.5"].low < found["ap@0.5"].value < found["ap@0.5"].high


def test_few_people_are_called_unreliable() -> None:
    found = evaluate_temporal(*detection(24), n_draws=50)
    assert found["score"].unreliable == "only 6 components"


def test_proposals_in_unforged_clips_count_against_the_detector() -> None:
    truth = [[segment(0, 1)], []]
    quiet = evaluate_temporal(truth, [[scored(0, 1, 0.5)], []], ["a", "b"], n_draws=5)
    loud = evaluate_temporal(truth, [[scored(0, 1, 0.5)], [scored(0, 1, 0.9)]], ["a", "b"], n_draws=5)
    assert quiet["ap@0.5"].value == 1.0 and loud["ap@0.5"].value == 0.5
    assert loud["ar@5"].value == 1.0


def test_a_failed_clip_is_one_without_proposals_and_is_told() -> None:
    truth, proposals, people = detection(48)
    failed = [None if k < 3 else part for k, part in enumerate(proposals)]
    emptied = [[] if k < 3 else part for k, part in enumerate(proposals)]
    one = evaluate_temporal(truth, failed, people, n_draws=20)
    other = evaluate_temporal(truth, emptied, people, n_draws=20)
    assert {key: value.value for key, value in one.items()} == {key: value.value for key, value in other.items()}
    assert one["score"].unreliable == "3 of 48 clips failed and count as clips without proposals"


def test_modality_keeps_what_concerns_that_stream() -> None:
    truth = [[segment(0, 1, AUDIO), segment(4, 5, VIDEO), segment(7, 8)]]
    given = [[scored(0, 1, 0.5, AUDIO), scored(4, 5, 0.9, VIDEO), scored(7, 8, 0.4)]]
    found = evaluate_temporal(truth, given, ["a"], modality=AUDIO, n_draws=2)
    assert found["ap@0.5"].value == found["ar@5"].value == 1.0
    no_sound = evaluate_temporal(truth, [[scored(0, 1, 0.5, VIDEO)]], ["a"], modality=AUDIO, n_draws=2)
    assert no_sound["ar@5"].value == 0.0
    assert evaluate_temporal(truth, given, ["a"], n_draws=2)["ap@0.5"].value == 1.0


def test_one_stretch_of_both_streams_is_one_stretch() -> None:
    truth = [[segment(0, 1, AUDIO), segment(0, 1, VIDEO)]]
    assert evaluate_temporal(truth, [[scored(0, 1, 0.5)]], ["a"], n_draws=2)["ap@0.5"].value == 1.0


def test_stretches_of_sound_and_picture_on_their_own_grids_are_one() -> None:
    # 25 frames a second: [1.00, 2.00]; 16 kHz: [1.0063125, 1.9875]
    truth = [[segment(1.0, 2.0, VIDEO), segment(1.0063125, 1.9875, AUDIO)]]
    found = evaluate_temporal(truth, [[scored(1.0, 2.0, 0.5)]], ["a"], n_draws=2)
    assert all(found[key].value == 1.0 for key in ("ap@0.5", "ap@0.95", "ar@5", "score"))


def test_united_truth_by_hand() -> None:
    truth = [[segment(1.0, 2.0, VIDEO), segment(1.8, 3.0, AUDIO), segment(5.0, 6.0)]]
    # one truth is [1, 3] and one [5, 6]: the picture alone has an IoU of 1 / 2, the sound alone one of 1.2 / 2
    picture = evaluate_temporal(truth, [[scored(1.0, 2.0, 0.9), scored(5.0, 6.0, 0.8)]], ["a"], n_draws=2)
    assert [picture[key].value for key in ("ap@0.5", "ap@0.75")] == [1.0, 0.25]  # then recall 1/2 at precision 1/2
    # AR: at IoU .50 both are found, at the nine thresholds above one of two
    assert picture["ar@5"].value == pytest.approx((1.0 + 9 * 0.5) / 10)
    # each stream by itself is as it was
    for stream, start, end in ((VIDEO, 1.0, 2.0), (AUDIO, 1.8, 3.0)):
        given = [[scored(start, end, 0.9, stream), scored(5.0, 6.0, 0.8)]]
        assert evaluate_temporal(truth, given, ["a"], modality=stream, n_draws=2)["ap@0.95"].value == 1.0
    # proposals are not united: the second of two that overlap is a false positive between the hits
    both = [[scored(1.0, 3.0, 0.9), scored(1.8, 3.0, 0.85), scored(5.0, 6.0, 0.8)]]
    assert evaluate_temporal(truth, both, ["a"], n_draws=2)["ap@0.75"].value == pytest.approx(0.5 + 0.5 * 2 / 3)


@pytest.mark.parametrize(
    ("segments", "spans", "as_video"),
    [
        ([], [], []),
        ([segment(0, 1, VIDEO), segment(1, 2, AUDIO)], [(0, 2)], [(0, 1)]),
        ([segment(0, 1, VIDEO), segment(1, 2, VIDEO)], [(0, 1), (1, 2)], [(0, 1), (1, 2)]),
        ([segment(0, 1, VIDEO), segment(1, 2)], [(0, 2)], [(0, 1), (1, 2)]),
        ([segment(0, 1.5, VIDEO), segment(1, 2, VIDEO)], [(0, 2)], [(0, 2)]),
        ([segment(0, 1.5, VIDEO), segment(1, 2)], [(0, 2)], [(0, 2)]),
        ([segment(0, 1, VIDEO), segment(1, 2, VIDEO), segment(0.9, 1.1, AUDIO)], [(0, 2)], [(0, 1), (1, 2)]),
        ([segment(0, 1, VIDEO), segment(1, 1.2, VIDEO), segment(1, 1.5, AUDIO)], [(0, 1.5)], [(0, 1), (1, 1.2)]),
        ([segment(0, 1, AUDIO), segment(0, 1, VIDEO), segment(1, 2, VIDEO)], [(0, 2)], [(0, 1), (1, 2)]),
        ([segment(0.5, 1, AUDIO), segment(0, 3, VIDEO), segment(2, 2.5, AUDIO)], [(0, 3)], [(0, 3)]),
        ([segment(0, 1, VIDEO), segment(1.001, 2, AUDIO)], [(0, 1), (1.001, 2)], [(0, 1)]),
        ([segment(0.1, 0.1 + 0.2, VIDEO), segment(0.3, 0.6, AUDIO)], [(0.1, 0.6)], [(0.1, 0.1 + 0.2)]),
    ],
)
def test_what_is_united(
    segments: list[Segment], spans: list[tuple[float, float]], as_video: list[tuple[float, float]]
) -> None:
    for order in itertools.permutations(segments):
        assert united(order) == spans
        assert united([s for s in order if s.modality is not AUDIO], VIDEO) == as_video


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8), st.sampled_from([AUDIO, VIDEO, BOTH])), max_size=8),
)
def test_united_stretches_are_the_connected_parts(rows: list[tuple[int, int, Modality]]) -> None:
    # an independent way: link every pair by the rule, then spread over the links
    segments = [segment(start, start + length, kind) for start, length, kind in rows]
    parts = [{k} for k in range(len(segments))]
    for i, j in itertools.combinations(range(len(segments)), 2):
        one, other = segments[i], segments[j]
        gap = max(one.start, other.start) - min(one.end, other.end)
        if gap < 0 or (gap == 0 and one.modality is not other.modality):
            first, second = (next(part for part in parts if k in part) for k in (i, j))
            if first is not second:
                parts.remove(second)
                first |= second
    wanted = [(min(segments[k].start for k in part), max(segments[k].end for k in part)) for part in parts]
    assert united(segments) == sorted(wanted)


def test_the_compatible_mode_takes_the_same_united_truth() -> None:
    truth, proposals, people = detection(60)
    torn = [
        [part for s in clip for part in (segment(s.start, s.end - 0.01, VIDEO), segment(s.start + 0.01, s.end, AUDIO))]
        for clip in truth
    ]
    for compat in (None, "avdeepfake1m"):
        whole = evaluate_temporal(truth, proposals, people, compat=compat, n_draws=10)  # type: ignore[arg-type]
        assert whole == evaluate_temporal(torn, proposals, people, compat=compat, n_draws=10)  # type: ignore[arg-type]


def test_the_compatible_mode_reads_proposals_as_a_file_has_to_be_written() -> None:
    truth, proposals, people = detection(60)
    mixed = [part[::-1] for part in proposals]
    one = evaluate_temporal(truth, proposals, people, compat="avdeepfake1m", n_draws=10)
    assert one == evaluate_temporal(truth, mixed, people, compat="avdeepfake1m", n_draws=10)


def test_hostile_input_is_refused_with_the_clip() -> None:
    with pytest.raises(ValueError, match=r"clip 1: the proposal \[0.0, 1.0\] has the confidence nan"):
        evaluate_temporal([[segment(0, 1)], []], [[], [scored(0.0, 1.0, float("nan"))]], ["a", "b"])
    with pytest.raises(ValueError, match="one entry for each clip, got 2, 1 and 2"):
        evaluate_temporal([[], []], [[]], ["a", "b"])
    with pytest.raises(ValueError, match="compat must be None or 'avdeepfake1m'"):
        evaluate_temporal([[segment(0, 1)]], [[]], ["a"], compat="lavdf")  # type: ignore[arg-type]
    assert evaluate_temporal([], [], [], n_draws=3)["score"].value is None


def test_a_thousand_clips_take_seconds() -> None:
    data = detection(1000)
    start = time.perf_counter()
    evaluate_temporal(*data)
    assert time.perf_counter() - start < 6.0  # 0.4 s on a quiet core
