"""How well the scores of single frames or chunks find the forged stretches.

Conventions: a unit is forged where its centre lies in a forged segment, start <= t < end; units outside all segments,
those of unforged clips among them, are the negatives; ties count half. "pooled" compares units across all clips, so it
also rewards knowing which clips are fake; "within_clip" is the mean over clips of the AUC among a clip's own units and
takes only clips that hold both kinds. Clips without frame scores cannot be placed on the clock and are left out; how
many is said in `unreliable`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from benchmarks.results import Estimate
from cmdfd.clip import Modality
from cmdfd.statistics.arrays import component_codes
from cmdfd.statistics.bootstrap import (
    MIN_COMPONENTS,
    bootstrap_auc_draws,
    class_components,
    draw_components,
    interval_of,
    reliability,
)
from cmdfd.statistics.roc import auc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from cmdfd.clip import Segment

Pooling = Literal["pooled", "within_clip"]
LEVEL = 0.95


def unit_labels(times: ArrayLike, segments: Sequence[Segment], modality: Modality | None = None) -> NDArray[np.bool_]:
    """Which units are forged.

    Args:
        times: [K] centres in seconds.
        segments: Forged stretches of the clip.
        modality: Only stretches in which this stream is forged; None = any.

    Returns:
        [K], True where start <= t < end for some stretch.
    """
    centres = np.asarray(times, dtype=np.float64)
    forged = np.zeros(centres.shape, dtype=bool)
    for segment in segments:
        if modality is None or segment.modality in (modality, Modality.BOTH):
            forged |= (centres >= segment.start) & (centres < segment.end)
    return forged


def frame_auc(
    times: Sequence[ArrayLike | None],
    frame_scores: Sequence[ArrayLike | None],
    segments: Sequence[Sequence[Segment]],
    components: ArrayLike,
    *,
    pooling: Pooling = "pooled",
    modality: Modality | None = None,
    n_draws: int = 1000,
    seed: int = 0,
) -> Estimate:
    """AUC of frame or chunk scores against the true segments, with its component interval.

    Args:
        times: For each clip [K] centres of its units in seconds, or None where it has no frame scores.
        frame_scores: For each clip [K] finite scores, higher = more fake, or None.
        segments: For each clip its forged stretches; empty for unforged clips.
        components: [n] component of each clip.
        pooling: See the module's text.
        modality: Only count stretches in which this stream is forged.
        n_draws: Draws of the component bootstrap.
        seed: Seed.

    Raises:
        ValueError: Where lengths differ or a score is not finite.
    """
    names = np.asarray(components)
    if not len(times) == len(frame_scores) == len(segments) == len(names):
        raise ValueError("times, frame_scores, segments and components need one entry for each clip")
    pairs = list(zip(times, frame_scores, strict=True))
    known = [k for k, (t, v) in enumerate(pairs) if t is not None and v is not None and np.size(t)]
    labels = [unit_labels(cast("ArrayLike", times[k]), segments[k], modality) for k in known]
    scores = [_checked_scores(k, frame_scores[k], len(part)) for k, part in zip(known, labels, strict=True)]
    missing = len(names) - len(known)
    note = f"{missing} of {len(names)} clips have no frame scores" if missing else None
    judge = _pooled if pooling == "pooled" else _within
    return judge(labels, scores, names[known], note, n_draws, seed)


def _checked_scores(clip: int, values: ArrayLike | None, expected: int) -> NDArray[np.float64]:
    scores = np.asarray(values, dtype=np.float64)
    if scores.shape != (expected,) or not np.isfinite(scores).all():
        raise ValueError(f"clip {clip}: needs one finite score for each of its {expected} times")
    return scores


def _undefined(reason: str) -> Estimate:
    return Estimate(value=None, level=LEVEL, unreliable=reason)


def _pooled(
    labels: list[NDArray[np.bool_]],
    scores: list[NDArray[np.float64]],
    components: NDArray[np.generic],
    note: str | None,
    n_draws: int,
    seed: int,
) -> Estimate:
    y = np.concatenate(labels) if labels else np.empty(0, dtype=bool)
    if y.all() or not y.any():
        return _undefined("undefined: there are no forged units" if not y.any() else "undefined: all units are forged")
    s = np.concatenate(scores)
    rows = np.repeat(components, [len(part) for part in labels])
    draws = bootstrap_auc_draws(y, s, rows, n_draws, seed)
    interval = interval_of(draws, LEVEL, class_components(y, rows), note or reliability(y, rows))
    return Estimate(value=auc(y, s), low=interval.low, high=interval.high, level=LEVEL, unreliable=interval.unreliable)


def _within(
    labels: list[NDArray[np.bool_]],
    scores: list[NDArray[np.float64]],
    components: NDArray[np.generic],
    note: str | None,
    n_draws: int,
    seed: int,
) -> Estimate:
    both = [i for i, part in enumerate(labels) if part.any() and not part.all()]
    if not both:
        return _undefined("undefined: no clip has both forged and unforged units")
    values = np.array([auc(labels[i], scores[i]) for i in both])
    rows = components[both]
    draws = draw_components(rows, n_draws, seed)
    weights = draws.multiplicities.astype(np.float64)
    sums = np.bincount(draws.index, weights=values)
    sizes = np.bincount(draws.index)
    size = int(component_codes(rows, len(rows)).max()) + 1
    few = f"only {size} component{'s' if size != 1 else ''}" if size < MIN_COMPONENTS else None
    interval = interval_of((weights @ sums) / (weights @ sizes), LEVEL, size, note or few)
    return Estimate(
        value=float(values.mean()),
        low=interval.low,
        high=interval.high,
        level=LEVEL,
        unreliable=interval.unreliable,
    )
