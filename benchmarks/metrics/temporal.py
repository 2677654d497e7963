"""Temporal localization of a set of clips: every metric of `temporal_core` with its component interval.

Keys: "ap@T", "ar@N", "ar@an=N" and "score", all by the house's convention (IoU >= T, proposals choose by confidence,
all-point interpolation), which stands in `benchmarks.metrics.temporal_core`. With `compat="avdeepfake1m"` the keys end
in ":avdeepfake1m" and the values are those of that package, its faults included
(`benchmarks.metrics.temporal_avdeepfake1m`).

`avdeepfake1m` depends on the order of a predictions file; its proposals are taken as such a file has to be written,
the surest first. For any other order take `temporal_avdeepfake1m.compat_metrics`.

Unforged clips count: their proposals are false positives. A failed clip counts as one without proposals, and how many
there are is said in `unreliable`.

What is to be found is forged *time*. Where sound and picture are forged together, their stretches differ by what the
grids of frames and samples differ, or by more, and a clip would hold two truths of which a perfect proposal can hit
one. So truth is united before anything is matched, by one rule (`united`):

- Stretches that overlap are one, from the first start to the last end, whichever their streams.
- Stretches that touch are one where their streams differ; two of the same stream that touch stay two, as two edits.

Without `modality` all stretches of a clip are united so, which gives what LAV-DF lists as `fake_periods`. With it only
the stretches of that stream are taken, those of both streams among them as of that stream; they are united where they
overlap. Truth whose stretches neither overlap nor touch is taken as it is. Proposals always are: two that overlap are
two. `compat` changes nothing of this; it takes the same united truth, of which the package knows nothing (for stretches
as they are take `temporal_avdeepfake1m.compat_metrics`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from benchmarks.metrics.temporal_arrays import Proposals, Truth
from benchmarks.metrics.temporal_bootstrap import COMPAT_KEYS, KEYS, Weighable
from benchmarks.results import Estimate
from cmdfd.clip import Modality
from cmdfd.statistics.arrays import component_codes
from cmdfd.statistics.bootstrap import class_components, draw_components, interval_of, reliability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from benchmarks.detector import ScoredSegment
    from cmdfd.clip import Segment

LEVEL = 0.95
#: Ends that differ by less are the same, seconds: a twentieth of a sample at 48 kHz, far above what floats lose.
SAME_TIME = 1e-6
Compat = Literal["avdeepfake1m"]


class Span(NamedTuple):
    """A stretch of time.

    Args:
        start: Seconds.
        end: Seconds, > start.
    """

    start: float
    end: float


def evaluate_temporal(
    truth: Sequence[Sequence[Segment]],
    proposals: Sequence[Sequence[ScoredSegment] | None],
    components: ArrayLike,
    *,
    modality: Modality | None = None,
    compat: Compat | None = None,
    n_draws: int = 1000,
    seed: int = 0,
) -> dict[str, Estimate]:
    """AP, AR and the challenge's score of one detector on one set of clips.

    Args:
        truth: For each clip its forged stretches, united as the module's text says; empty for unforged clips.
        proposals: For each clip what the detector calls forged, any order; None = the clip failed.
        components: [n] component of each clip.
        modality: Only stretches in which this stream is forged, and only proposals that are said to be of it or of
            both; None = all.
        compat: "avdeepfake1m" for the values of that package on the united truth; None = the house's convention.
        n_draws: Draws of the component bootstrap.
        seed: Seed.

    Returns:
        An estimate for each key; `value` is None where there is no forged stretch. No number is ever NaN.

    Raises:
        ValueError: Where lengths differ or a confidence is not finite, with the clip.
    """
    names = np.asarray(components)
    if not len(truth) == len(proposals) == len(names):
        raise ValueError(
            f"truth, proposals and components need one entry for each clip, got {len(truth)}, {len(proposals)} and "
            f"{len(names)}"
        )
    if compat not in (None, "avdeepfake1m"):
        raise ValueError(f"compat must be None or 'avdeepfake1m', got {compat!r}")
    stretches = _truth(truth, modality)
    found = _proposals(proposals, modality)
    if not len(stretches.video):
        reason = f"undefined: there are no forged stretches in the {len(names)} clips"
        return {key: Estimate(value=None, level=LEVEL, unreliable=reason) for key in (COMPAT_KEYS if compat else KEYS)}
    failed = sum(one is None for one in proposals)
    note = f"{failed} of {len(names)} clips failed and count as clips without proposals" if failed else None
    codes = component_codes(names, len(names))
    weighable = Weighable.of(stretches, found, codes, compat=compat is not None)
    labels = np.zeros(len(names), dtype=bool)
    labels[stretches.video] = True
    return _estimates(weighable, labels, codes, note, n_draws, seed)


def _estimates(
    weighable: Weighable,
    labels: NDArray[np.bool_],
    codes: NDArray[np.intp],
    note: str | None,
    n_draws: int,
    seed: int,
) -> dict[str, Estimate]:
    n_components = int(codes.max()) + 1
    whole = weighable.values(np.ones((1, n_components)))
    draws = weighable.draws(draw_components(codes, n_draws, seed, labels).multiplicities)
    size = n_components if labels.all() else class_components(labels, codes)
    doubt = note or reliability(labels, codes)
    estimates: dict[str, Estimate] = {}
    for key in whole:
        interval = interval_of(draws[key], LEVEL, size, doubt)
        estimates[key] = Estimate(
            value=float(whole[key][0]),
            low=interval.low,
            high=interval.high,
            level=LEVEL,
            unreliable=interval.unreliable,
        )
    return estimates


def _truth(truth: Sequence[Sequence[Segment]], modality: Modality | None) -> Truth:
    rows = [
        (clip, start, end)
        for clip, segments in enumerate(truth)
        for start, end in united([s for s in segments if _of(s, modality)], modality)
    ]
    video, start, end = zip(*rows, strict=True) if rows else ((), (), ())
    return Truth.of(video, start, end, n_videos=len(truth))


def united(segments: Sequence[Segment], modality: Modality | None = None) -> list[Span]:
    """Forged stretches of one clip as stretches of forged time; see the module's text for the rule.

    Args:
        segments: In any order.
        modality: The stream that all are taken to be of; None = each of its own.

    Returns:
        Spans that do not overlap, in the order of their times.
    """
    found: list[Span] = []
    ending: set[Modality] = set()  # streams of the stretches that end where the last span ends
    for one in sorted(segments, key=lambda s: (s.start, s.end)):
        stream = modality or one.modality
        reach = found[-1].end if found else -math.inf
        if one.start > reach + SAME_TIME or not (
            one.start < reach - SAME_TIME or len(ending | _starting(segments, reach, modality)) > 1
        ):
            found.append(Span(one.start, one.end))
            ending = {stream}
            continue
        if one.end > reach + SAME_TIME:
            ending = {stream}
        elif one.end >= reach - SAME_TIME:
            ending.add(stream)
        found[-1] = Span(found[-1].start, max(reach, one.end))
    return found


def _starting(segments: Sequence[Segment], time: float, modality: Modality | None) -> set[Modality]:
    return {modality or s.modality for s in segments if abs(s.start - time) <= SAME_TIME}


def _proposals(proposals: Sequence[Sequence[ScoredSegment] | None], modality: Modality | None) -> Proposals:
    rows = [
        (clip, one.segment.start, one.segment.end, one.confidence)
        for clip, given in enumerate(proposals)
        for one in sorted(given or (), key=lambda each: -each.confidence)
        if _of(one.segment, modality)
    ]
    video, start, end, confidence = zip(*rows, strict=True) if rows else ((), (), (), ())
    bad = np.flatnonzero(~np.isfinite(np.asarray(confidence, dtype=np.float64)))
    if len(bad):
        clip, begin, stop, value = rows[int(bad[0])]
        raise ValueError(f"clip {clip}: the proposal [{begin}, {stop}] has the confidence {value}; it must be finite")
    return Proposals.of(video, start, end, confidence, n_videos=len(proposals))


def _of(segment: Segment, modality: Modality | None) -> bool:
    return modality is None or segment.modality in (modality, Modality.BOTH)
