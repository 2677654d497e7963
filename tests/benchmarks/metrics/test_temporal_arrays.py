"""What the temporal metrics refuse, and what they take as it is."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.metrics.temporal_arrays import Proposals, Truth
from benchmarks.metrics.temporal_core import Convention, average_precision, average_recall, average_recall_an
from benchmarks.metrics.temporal_core import temporal_metrics as metrics

NAN, INF = math.nan, math.inf
GOOD = ([0, 1], [0.0, 1.0], [1.0, 2.0], [0.5, 0.4])


def truth(*rows: tuple[int, float, float], n: int = 2) -> Truth:
    video, start, end = zip(*rows, strict=True) if rows else ((), (), ())
    return Truth.of(video, start, end, n_videos=n)


def proposals(*rows: tuple[int, float, float, float], n: int = 2) -> Proposals:
    video, start, end, confidence = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Proposals.of(video, start, end, confidence, n_videos=n)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((0, 0.0, 1.0, NAN), "proposal row 1: the confidence is nan"),
        ((0, 0.0, 1.0, INF), "proposal row 1: the confidence is inf"),
        ((0, NAN, 1.0, 0.5), r"proposal row 1: the segment is \[nan, 1.0\]; both ends must be finite"),
        ((0, 0.0, INF, 0.5), r"proposal row 1: the segment is \[0.0, inf\]; both ends"),
        ((0, 1.0, 0.5, 0.5), r"proposal row 1: the segment is \[1.0, 0.5\]; it must end after it starts"),
        ((0, 1.0, 1.0, 0.5), r"proposal row 1: the segment is \[1.0, 1.0\]; it must end after it starts"),
        ((-1, 0.0, 1.0, 0.5), "proposal row 1: there is no video -1; they are numbered 0 to 1"),
        ((2, 0.0, 1.0, 0.5), "proposal row 1: there is no video 2; they are numbered 0 to 1"),
        ((0, -1.7e308, 1.7e308, 0.5), "too large"),
    ],
)
def test_a_bad_proposal_is_named_by_its_row(row: tuple[int, float, float, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        proposals((1, 0.0, 1.0, 0.9), row)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((0, NAN, 1.0), "truth row 1: the segment"),
        ((0, 2.0, 1.0), "truth row 1: .* must end after it starts"),
        ((7, 0.0, 1.0), "truth row 1: there is no video 7"),
        ((1, 0.0, 1.0), r"truth rows 0 and 1: video 1 has the stretch \[0.0, 1.0\] twice"),
    ],
)
def test_a_bad_stretch_is_named_by_its_row(row: tuple[int, float, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        truth((1, 0.0, 1.0), row)


def test_columns_of_another_length_or_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="proposal end must be 2 numbers"):
        Proposals.of([0, 1], [0.0, 1.0], [1.0], [0.5, 0.4], n_videos=2)
    with pytest.raises(ValueError, match="proposal video must be whole numbers"):
        Proposals.of([0.0, 1.0], *GOOD[1:], n_videos=2)
    with pytest.raises(ValueError, match="proposal confidence must be 2 numbers"):
        Proposals.of(*GOOD[:3], ["0.5", "0.4"], n_videos=2)


def test_without_truth_every_value_is_nan() -> None:
    values = metrics(truth(), proposals((0, 0.0, 1.0, 0.5)), 2)
    assert all(math.isnan(value) for value in values.values())
    found = average_recall_an(truth(), proposals((0, 0.0, 1.0, 0.5)), 2, (3,))
    assert math.isnan(found[3])


def test_without_any_proposal_everything_is_zero() -> None:
    values = metrics(truth((0, 0.0, 1.0)), proposals(), 2)
    assert set(values.values()) == {0.0}
    assert average_recall_an(truth((0, 0.0, 1.0)), proposals(), 2, (3,)) == {3: 0.0}


def test_a_video_without_proposals_is_missed_and_one_without_truth_is_all_false() -> None:
    stretches = truth((0, 0.0, 1.0), (1, 0.0, 1.0), n=3)
    assert metrics(stretches, proposals((0, 0.0, 1.0, 0.5), n=3), 3)["ap@0.5"] == 0.5
    both = proposals((0, 0.0, 1.0, 0.5), (1, 0.0, 1.0, 0.4), (2, 0.0, 1.0, 0.9), n=3)
    assert metrics(stretches, both, 3)["ap@0.5"] == pytest.approx(2 / 3)


def test_a_copy_of_a_proposal_is_false_and_takes_a_place() -> None:
    stretches = truth((0, 0.0, 1.0), (0, 3.0, 4.0))
    once = ((0, 0.0, 1.0, 0.9), (0, 3.0, 4.0, 0.8))
    assert average_precision(stretches, proposals(*once), 2, (0.5,)) == {0.5: 1.0}
    assert average_recall(stretches, proposals(*once), 2, (2,)) == {2: 1.0}
    copied = proposals(once[0], *once)
    # the copy ties with the first: one hit among the two surest, then two among three
    assert average_precision(stretches, copied, 2, (0.5,))[0.5] == pytest.approx(2 / 3)
    assert average_recall(stretches, copied, 2, (2,)) == {2: 0.5}


def test_rows_in_any_order_give_the_same_to_the_last_bit() -> None:
    rng = np.random.default_rng(0)
    start, sure = rng.integers(0, 30, 400) / 10, rng.integers(0, 9, 400) / 8
    rows = [(int(v), a, a + 1.0, c) for v, a, c in zip(rng.integers(0, 20, 400), start, sure, strict=True)]
    stretches = [(v, 0.3 * v, 0.3 * v + 1.1) for v in range(10)] + [(v, 2.0, 2.9) for v in range(5)]
    given = metrics(truth(*stretches, n=20), proposals(*rows, n=20), 20)
    for _ in range(5):
        mixed = metrics(
            truth(*(stretches[i] for i in rng.permutation(len(stretches))), n=20),
            proposals(*(rows[i] for i in rng.permutation(len(rows))), n=20),
            20,
        )
        assert mixed == given


def test_conventions_thresholds_and_numbers_outside_their_range_are_refused() -> None:
    some = truth((0, 0.0, 1.0)), proposals((0, 0.0, 1.0, 0.5)), 2
    for wrong in ((), (0.0,), (1.5,), (NAN,)):
        with pytest.raises(ValueError, match=r"must lie in \(0, 1\]"):
            average_precision(*some, wrong)
    with pytest.raises(ValueError, match="at least 1"):
        average_recall(*some, (0,))
    with pytest.raises(ValueError, match="above 0"):
        average_recall_an(*some, (0,))
    with pytest.raises(ValueError, match="rule must be one of >=, >"):
        Convention(rule="=>")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="interpolation must be one of"):
        Convention(interpolation="voc2007")  # type: ignore[arg-type]
