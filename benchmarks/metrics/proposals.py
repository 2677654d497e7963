"""Ranked proposals from the scores of single frames or chunks, by one rule for every detector that has none of its own.

The rule, in five steps:

1. Every unit stands for the time that is nearer to it than to any other unit; the first and the last reach to the ends
   of the clip. So the scores are a step function over [0, seconds].
2. The function is cut at many levels: `N_LEVELS` quantiles of the clip's scores, as many even steps between its lowest
   and highest score, and the decision threshold where one is given. What lies at or above a level falls into runs.
   The lowest level gives the whole clip. (Nested cuts: Zhao et al., "Temporal Action Detection with Structured Segment
   Networks", ICCV 2017, call it actionness grouping.)
3. At every level, runs that lie no more than `GAPS` seconds apart are joined, once for each of these gaps.
4. A run's confidence is mean + (2 * inside - around - mean) * n / (n + STEADY), with the clip's mean score, the run's
   ("inside"), that of half a run's length on either side as far as the clip reaches ("around"), and the run's length n
   in seconds. So it says how high the run lies and how far it stands out, and short runs, whose means are chance, are
   held back. The whole clip has no around and gets its mean. With the bare mean, the narrowest peak inside a forged
   stretch would always rank before the stretch.
5. The `top` surest are given in an order that favours variety: one after another, the surest is taken, and every other
   one is lowered by (highest - lowest score of the clip) * IoU² with the most similar one taken. This is soft
   suppression (Bodla et al., "Soft-NMS", ICCV 2017) by subtraction, because raw scores may be negative.

All steps keep up with a change of scale: a * score + b with a > 0 gives the same segments with a * confidence + b.
Scores so large that sums of them leave the range of floats are therefore judged at a smaller scale; a confidence that
lies outside that range becomes the largest (or lowest) float.

How `mds` relates: its own segments are the runs at one level, its threshold, with the mean score as confidence. On an
even grid of windows they are among the proposals made here where that threshold is given; its list is shorter and holds
no alternatives, so its AR cannot be compared with that of detectors that are judged by this rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.detector import ScoredSegment
from cmdfd.clip import Modality, Segment

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

#: Quantiles, and as many even steps, at which the scores are cut. More change the segments by under a frame.
N_LEVELS = 20
#: Seconds that may be bridged between two runs of one level: none, a blink or a consonant, a short word.
GAPS = (0.0, 0.2, 0.5)
#: Length in seconds at which a run counts half. Chosen on steps in white noise (frames of 40 ms and chunks of 400 ms):
#: at a noise of 0.6 of the step, the surest proposal then has a mean IoU of .86 (0 s: .03; 0.1 s: .66; 0.2 s: .84).
STEADY = 0.4
#: Proposals of a clip; AR counts at most 50 of them, LAV-DF's AR at most 100.
TOP = 100
#: Runs that enter step 5, the surest first.
MAX_RUNS = 500
#: Seconds that a time may lie outside the clip by rounding; it is moved to the clip's end.
EDGE_SLACK = 0.1
#: Scores are judged below 2 ** this; it leaves 124 powers of two for lengths in seconds, counts and steps 4 and 5.
_EXPONENT = 900


def segments_from_scores(
    times: ArrayLike,
    scores: ArrayLike,
    seconds: float,
    *,
    threshold: float | None = None,
    modality: Modality = Modality.BOTH,
    top: int = TOP,
) -> tuple[ScoredSegment, ...]:
    """Up to `top` stretches that may be forged, the surest first; the rule stands at the top of this module.

    Args:
        times: [K] centres of the units in seconds, any order.
        scores: [K] finite, higher = more fake.
        seconds: Length of the clip.
        threshold: Decision threshold on the scale of the scores, as one more level; None = there is none.
        modality: What the stretches are said to forge.
        top: Largest number of proposals.

    Returns:
        Nothing for a clip without units; one stretch, the whole clip, for constant scores.

    Raises:
        ValueError: For times or scores that are not finite, two scores for one time, times outside the clip, or a
            length that is not above 0.
    """
    centres, values = _checked(times, scores, seconds, top)
    if not len(centres):
        return ()
    edges = np.concatenate([[0.0], (centres[1:] + centres[:-1]) / 2, [seconds]])
    power = max(int(np.frexp(values)[1].max()) - _EXPONENT, 0)
    values = np.ldexp(values, -power)  # exact, and as it is for all scores below 2 ** _EXPONENT
    threshold = None if threshold is None else float(np.ldexp(threshold, -power))
    runs = _runs(edges, values, _levels(values, threshold))
    confidence = _confidence(edges, values, runs)
    order = np.lexsort((runs[:, 1], runs[:, 0], -confidence))[:MAX_RUNS]
    taken, lowered = _varied(runs[order], confidence[order], float(np.ptp(values)), top)
    chosen = runs[order[taken]]
    return tuple(
        ScoredSegment(Segment(float(start), float(end), modality), float(value))
        for (start, end), value in zip(chosen, _raised(lowered, power), strict=True)
    )


def _raised(values: list[float], power: int) -> NDArray[np.float64]:
    """Values times 2 ** power, held within the range of floats."""
    limit = np.ldexp(np.finfo(np.float64).max, -power)
    return np.asarray(np.ldexp(np.clip(values, -limit, limit), power))


def _checked(
    times: ArrayLike, scores: ArrayLike, seconds: float, top: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    centres, values = np.asarray(times, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if centres.ndim != 1 or centres.shape != values.shape:
        raise ValueError(f"needs one score for each time, got shapes {centres.shape} and {values.shape}")
    if not (np.isfinite(seconds) and seconds > 0) or top < 1:
        raise ValueError(f"needs a clip longer than 0 s and at least one proposal, got {seconds} s and {top}")
    for name, array in (("time", centres), ("score", values)):
        if not np.isfinite(array).all():
            row = int(np.argmin(np.isfinite(array)))
            raise ValueError(f"{name} {row} is {array[row]}; it must be finite")
    outside = (centres < -EDGE_SLACK) | (centres > seconds + EDGE_SLACK)
    if outside.any():
        row = int(np.argmax(outside))
        raise ValueError(f"time {row} is {centres[row]} s, outside the clip of {seconds} s")
    order = np.argsort(centres, kind="stable")
    centres = centres[order]
    if (np.diff(centres) <= 0).any():
        raise ValueError(f"time {centres[int(np.argmin(np.diff(centres)))]} s has two scores")
    return np.clip(centres, 0.0, seconds), values[order]


def _levels(values: NDArray[np.float64], threshold: float | None) -> NDArray[np.float64]:
    shares = np.arange(N_LEVELS) / N_LEVELS
    low, high = float(values.min()), float(values.max())
    # a quantile is one of the scores, so that no rounding decides whether the unit reaches it
    cuts = [np.quantile(values, shares, method="higher"), low + (high - low) * shares]
    if threshold is not None and np.isfinite(threshold):
        cuts.append(np.array([threshold]))
    return np.unique(np.concatenate(cuts))


def _runs(edges: NDArray[np.float64], values: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """[R, 2] distinct starts and ends of the runs of all levels and gaps, sorted."""
    above = np.zeros((len(levels), len(values) + 2), dtype=np.int8)
    above[:, 1:-1] = values >= levels[:, None]
    step = np.diff(above, axis=1)
    level, first = np.nonzero(step > 0)  # row by row, so the k-th start and the k-th end belong together
    last = np.nonzero(step < 0)[1]
    start, end = edges[first], edges[last]
    apart = np.where(level[1:] == level[:-1], start[1:] - end[:-1], np.inf)
    parts = []
    for gap in GAPS:
        cut = apart > gap
        parts.append(np.stack([start[np.append(True, cut)], end[np.append(cut, True)]], axis=1))
    found = np.unique(np.concatenate(parts), axis=0)
    return found[found[:, 1] > found[:, 0]]


def _confidence(
    edges: NDArray[np.float64], values: NDArray[np.float64], runs: NDArray[np.float64]
) -> NDArray[np.float64]:
    middle = float(values.mean())
    area = np.concatenate([[0.0], np.cumsum((values - middle) * np.diff(edges))])

    def integral(at: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.interp(at, edges, area))

    start, end = runs[:, 0], runs[:, 1]
    length = end - start
    low, high = np.maximum(start - length / 2, edges[0]), np.minimum(end + length / 2, edges[-1])
    within = integral(end) - integral(start)
    beside = (high - low) - length
    inside = within / length
    around = np.divide(integral(high) - integral(low) - within, beside, out=inside.copy(), where=beside > 1e-9)
    return np.asarray(middle + (2 * inside - around) * length / (length + STEADY))


def _varied(
    runs: NDArray[np.float64], confidence: NDArray[np.float64], spread: float, top: int
) -> tuple[list[int], list[float]]:
    """Rows in the order of step 5, and their lowered confidences, which fall."""
    start, end = runs[:, 0], runs[:, 1]
    similar = np.zeros(len(runs))
    free = np.ones(len(runs), dtype=bool)
    taken: list[int] = []
    lowered: list[float] = []
    for _ in range(min(top, len(runs))):
        current = np.where(free, confidence - spread * similar**2, -np.inf)
        best = int(np.argmax(current))
        taken.append(best)
        lowered.append(float(current[best]))
        free[best] = False
        shared = np.maximum(np.minimum(end, end[best]) - np.maximum(start, start[best]), 0.0)
        union = (end - start) + (end[best] - start[best]) - shared
        similar = np.maximum(similar, shared / union)
    return taken, lowered
