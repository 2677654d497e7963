"""Temporal localization of a set of clips: every metric of `temporal_core` with its component interval.

Keys: "ap@T", "ar@N", "ar@an=N" and "score", all by the house's convention (IoU >= T, proposals choose by confidence,
all-point interpolation), which stands in `benchmarks.metrics.temporal_core`. With `compat="avdeepfake1m"` the keys end
in ":avdeepfake1m" and the values are those of that package, its faults included
(`benchmarks.metrics.temporal_avdeepfake1m`).

`avdeepfake1m` depends on the order of a predictions file; its proposals are taken as such a file has to be written,
the surest first. For any other order take `temporal_avdeepfake1m.compat_metrics`.

Unforged clips count: their proposals are false positives. A failed clip counts as one without proposals, and how many
there are is said in `unreliable`. Equal stretches of a clip (sound and picture forged over the same time) are one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

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
Compat = Literal["avdeepfake1m"]


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
        truth: For each clip its forged stretches; empty for unforged clips.
        proposals: For each clip what the detector calls forged, any order; None = the clip failed.
        components: [n] component of each clip.
        modality: Only stretches in which this stream is forged, and only proposals that are said to be of it or of
            both; None = all.
        compat: "avdeepfake1m" for the values of that package; None = the house's convention.
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
        for start, end in dict.fromkeys((s.start, s.end) for s in segments if _of(s, modality))
    ]
    video, start, end = zip(*rows, strict=True) if rows else ((), (), ())
    return Truth.of(video, start, end, n_videos=len(truth))


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
