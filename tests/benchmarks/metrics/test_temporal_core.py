"""AP and AR against loops with fractions, scikit-learn, hand-worked cases and properties."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import temporal_brute as brute
from hypothesis import given, settings
from hypothesis import strategies as st
from temporal_cases import Case, arrays, random_case

from benchmarks.metrics.temporal_core import (
    AP_THRESHOLDS,
    STRICT,
    Convention,
    average_precision,
    average_recall,
    average_recall_an,
    challenge_score,
    temporal_metrics,
)

KEYS = (*(f"ap@{t:g}" for t in AP_THRESHOLDS), "ar@50", "ar@30", "ar@20", "ar@10", "ar@5", "score")
OPEN = Convention(rule=">")
BY_LABEL = Convention(by="label")
BARE = Convention(interpolation="none")


def ap(case: Case, threshold: float = 0.5, convention: Convention = STRICT) -> float:
    return average_precision(*arrays(case), (threshold,), convention)[threshold]


@pytest.mark.parametrize("convention", [STRICT, OPEN, BY_LABEL, BARE, Convention(">", "label", "none")])
def test_ap_is_that_of_the_loops(convention: Convention) -> None:
    words = (convention.rule, convention.by, convention.interpolation)
    for seed in range(24):
        case = random_case(seed)
        found = average_precision(*arrays(case), AP_THRESHOLDS, convention)
        for threshold, value in found.items():
            assert value == pytest.approx(brute.ap(case, Fraction(str(threshold)), *words), abs=1e-12), seed


def test_ar_is_that_of_the_loops() -> None:
    for seed in range(36):
        case = random_case(seed)
        for number, value in average_recall(*arrays(case), (1, 2, 5, 50)).items():
            assert value == pytest.approx(brute.ar(case, number), abs=1e-12), (seed, number)
        for average, value in average_recall_an(*arrays(case), (1, 3, 10)).items():
            assert value == pytest.approx(brute.ar_an(case, int(average)), abs=1e-12), (seed, average)


def test_bare_ap_is_that_of_scikit_learn_where_every_stretch_is_found() -> None:
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(0)
    for _ in range(20):
        truth, proposals, labels, scores = [], [], [], []
        for _ in range(30):
            forged = bool(rng.random() < 0.5)
            sure = rng.integers(0, 12, 3) / 12
            truth.append([[1.0, 2.0]] if forged else [])
            proposals.append([[float(sure[0]), 1.0, 2.0 if forged else 3.0], [float(sure[1]), 5.0, 6.0]])
            labels += [int(forged), 0]
            scores += [sure[0], sure[1]]
        if not any(labels):
            continue
        found = ap({"truth": truth, "proposals": proposals}, 0.5, BARE)
        assert found == pytest.approx(average_precision_score(labels, scores), abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 10, 100])
def test_perfect_predictions_score_one(n: int) -> None:
    part = [[[0.1, 0.4 + 0.01 * k], [3.0, 4.0]] for k in range(n)]
    case = {"truth": part, "proposals": [[[1.0, *one] for one in two] for two in part]}
    assert temporal_metrics(*arrays(case)) == dict.fromkeys(KEYS, 1.0)
    assert average_recall_an(*arrays(case), (2,)) == {2: 1.0}
    one_each = {"truth": [[one[0]] for one in part], "proposals": [[[0.5, *one[0]]] for one in part]}
    assert set(temporal_metrics(*arrays(one_each)).values()) == {1.0}


@pytest.mark.parametrize(
    ("stretch", "proposal", "threshold"),
    [
        ([0.0, 2.0], [0.0, 1.0], 0.5),
        ([0.0, 20.0], [0.0, 15.0], 0.75),
        ([0.0, 20.0], [0.0, 18.0], 0.9),
        ([0.0, 20.0], [0.0, 19.0], 0.95),
        ([0.4, 1.2], [0.4, 0.8], 0.5),  # frames at 25 fps, whose times have no exact binary form
        ([1.16, 1.96], [1.16, 1.56], 0.5),
        ([0.3, 1.3], [0.3, 1.05], 0.75),
        ([2.2, 3.2], [2.2, 3.1], 0.9),
    ],
)
def test_an_overlap_that_equals_the_threshold(stretch: list[float], proposal: list[float], threshold: float) -> None:
    case = {"truth": [[stretch]], "proposals": [[[0.5, *proposal]]]}
    assert ap(case, threshold) == 1.0
    assert ap(case, threshold, OPEN) == 0.0
    assert ap(case, threshold - 0.001, OPEN) == 1.0
    assert ap(case, threshold + 0.001) == 0.0


def test_overlapping_stretches_with_crossed_matches() -> None:
    """The surest proposal fits the second stretch better; the loop over stretches would give it to the first."""
    case = {
        "truth": [[[0.0, 10.0], [2.0, 12.0]]],
        "proposals": [[[0.9, 2.0, 11.0], [0.8, 0.0, 8.5]]],
    }
    assert ap(case, 0.7) == 1.0
    assert ap(case, 0.7, BY_LABEL) == 0.5


def test_unsorted_rows_count_by_confidence() -> None:
    part = [[0.3, 5.0, 6.0], [0.9, 0.0, 1.0], [0.8, 2.0, 3.0]]
    case = {"truth": [[[0.0, 1.0], [2.0, 3.0]]], "proposals": [part]}
    assert ap(case) == 1.0
    assert average_recall(*arrays(case), (2,)) == {2: 1.0}


def test_ar_an_cuts_in_proportion() -> None:
    """Two videos with 1 and 9 proposals: at 5 on average nothing is cut; at 1 each keeps a fifth, rounded down."""
    busy = [[0.9 - 0.01 * k, 10.0 + k, 10.5 + k] for k in range(8)] + [[0.1, 0.0, 1.0]]
    case = {"truth": [[[0.0, 1.0]], [[0.0, 1.0]], []], "proposals": [[[0.5, 0.0, 1.0]], busy, [[0.9, 0.0, 9.0]]]}
    found = average_recall_an(*arrays(case), (1, 4, 5, 50))
    assert found == {1: 0.0, 4: 0.0, 5: 1.0, 50: 1.0}
    assert average_recall(*arrays(case), (1,)) == {1: 0.5}


def test_the_challenge_score_weighs_its_parts() -> None:
    values = {"ap@0.5": 0.8, "ap@0.75": 0.6, "ap@0.9": 0.4, "ap@0.95": 0.2}
    values |= {"ar@50": 0.9, "ar@30": 0.8, "ar@20": 0.7, "ar@10": 0.6, "ar@5": 0.5}
    assert challenge_score(values) == pytest.approx(2.0 / 8 + 3.5 / 10)


segment = st.tuples(st.integers(0, 40), st.integers(1, 30)).map(lambda p: [p[0] / 10, (p[0] + p[1]) / 10])
proposal = st.tuples(st.integers(1, 6), segment).map(lambda p: [p[0] / 6, *p[1]])
video = st.tuples(
    st.lists(segment, max_size=4, unique_by=tuple).map(lambda part: [list(one) for one in part]),
    st.lists(proposal, max_size=8),
)
cases = (
    st.lists(video, min_size=1, max_size=8)
    .filter(lambda vs: any(t for t, _ in vs))
    .map(lambda vs: {"truth": [t for t, _ in vs], "proposals": [p for _, p in vs]})
)


@settings(max_examples=60, deadline=None)
@given(case=cases, data=st.data())
def test_videos_may_come_in_any_order(case: Case, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(case["truth"]))))
    mixed = {key: [part[i] for i in order] for key, part in case.items()}
    assert temporal_metrics(*arrays(mixed)) == pytest.approx(temporal_metrics(*arrays(case)), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(case=cases, rule=st.sampled_from([">=", ">"]), by=st.sampled_from(["score", "label"]))
def test_values_lie_between_zero_and_one_and_fall_with_the_threshold_of_ar(case: Case, rule: str, by: str) -> None:
    found = average_precision(*arrays(case), AP_THRESHOLDS, Convention(rule, by))
    bare = average_precision(*arrays(case), AP_THRESHOLDS, Convention(rule, by, "none"))
    assert all(0 <= bare[t] <= found[t] + 1e-12 and found[t] <= 1 + 1e-12 for t in AP_THRESHOLDS)
    recalls = [average_recall(*arrays(case), (3,), (t,))[3] for t in AP_THRESHOLDS]
    assert recalls == sorted(recalls, reverse=True)
    by_number = list(average_recall(*arrays(case), (1, 2, 5, 8)).values())
    assert by_number == sorted(by_number)


@settings(max_examples=60, deadline=None)
@given(case=cases, where=st.integers(0, 7))
def test_a_far_false_alarm_of_least_confidence_changes_no_interpolated_ap(case: Case, where: int) -> None:
    before = temporal_metrics(*arrays(case))
    case["proposals"][where % len(case["proposals"])].append([0.0, 100.0, 101.0])
    assert temporal_metrics(*arrays(case)) == pytest.approx(before, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(case=cases, where=st.integers(0, 7), sure=st.integers(0, 7))
def test_a_far_false_alarm_of_any_confidence_never_helps(case: Case, where: int, sure: int) -> None:
    before = temporal_metrics(*arrays(case))
    case["proposals"][where % len(case["proposals"])].append([sure / 6, 100.0, 101.0])
    after = temporal_metrics(*arrays(case))
    assert all(after[key] <= value + 1e-12 for key, value in before.items())


@settings(max_examples=60, deadline=None)
@given(case=cases)
def test_only_the_order_of_confidences_counts(case: Case) -> None:
    curved = {
        "truth": case["truth"],
        "proposals": [[[np.exp(5 * c) - 50, a, b] for c, a, b in part] for part in case["proposals"]],
    }
    assert temporal_metrics(*arrays(curved)) == temporal_metrics(*arrays(case))
