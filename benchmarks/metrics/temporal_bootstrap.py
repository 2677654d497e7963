"""The temporal metrics of many resamplings at once.

Proposals and stretches only meet inside a video, so resampling whole videos changes no match: matching, ranks and best
overlaps are computed once, and a draw only weighs them. A video that is drawn twice counts as two equal videos, whose
proposals share their points of the curve.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.metrics.temporal_avdeepfake1m import SUFFIX, FileOrder, hit_rows, in_file_order, recall_shares
from benchmarks.metrics.temporal_core import (
    AN_NUMBERS,
    AP_THRESHOLDS,
    AR_NUMBERS,
    AR_THRESHOLDS,
    Hits,
    best_overlap,
    challenge_score,
    curve_area,
    hits,
    recalled,
    share_needed,
)
from benchmarks.metrics.temporal_matching import TOLERANCE, Overlaps, overlaps
from cmdfd.statistics.arrays import BLOCK_ELEMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from benchmarks.metrics.temporal_arrays import Proposals, Truth

#: Keys of the values, in the order in which they are printed.
KEYS = (
    *(f"ap@{t:g}" for t in AP_THRESHOLDS),
    *(f"ar@{n}" for n in AR_NUMBERS),
    *(f"ar@an={n}" for n in AN_NUMBERS),
    "score",
)


#: The same without AR@AN, which `avdeepfake1m` does not have.
COMPAT_KEYS = tuple(f"{key}{SUFFIX}" for key in KEYS if not key.startswith("ar@an"))


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """Shares of a video's proposals, surest first, that have to count until a stretch is hit at some threshold.

    Args:
        needed: [S] rising; inf for a stretch that is not hit at all.
        component: [S] component of each.
        forged: [C] number of videos with stretches.
        proposals: [C] number of proposals of those videos.
    """

    needed: NDArray[np.float64]
    component: NDArray[np.intp]
    forged: NDArray[np.float64]
    proposals: NDArray[np.float64]

    @classmethod
    def of(cls, found: Overlaps, component: NDArray[np.intp], size: int) -> Shares:
        """Read them off the overlaps."""
        needed = np.concatenate([share_needed(found, t) for t in AR_THRESHOLDS])
        order = np.argsort(needed, kind="stable")
        forged = np.unique(found.truth_video)
        counts = np.diff(found.first)[forged].astype(np.float64)
        return cls(
            needed[order],
            np.tile(component[found.truth_video], len(AR_THRESHOLDS))[order],
            np.bincount(component[forged], minlength=size).astype(np.float64),
            np.asarray(np.bincount(component[forged], counts, minlength=size), dtype=np.float64),
        )

    def recall(self, weights: NDArray[np.float64], number: float, total: NDArray[np.float64]) -> NDArray[np.float64]:
        """[B] AR@AN under each weighting; `total` is the weight of all stretches."""
        kept, given = weights @ self.forged * number, weights @ self.proposals
        limit = np.divide(kept, given, out=np.zeros_like(kept), where=given > 0) * (1 + TOLERANCE)
        column = np.searchsorted(self.needed, limit, side="right")
        hit = np.take_along_axis(_cumulated(weights, self.component), column[:, None], axis=1)[:, 0]
        return _share(hit, total * len(AR_THRESHOLDS))


@dataclass(frozen=True, slots=True, eq=False)
class Weighable:
    """What the metrics come to under any weights of the components.

    Args:
        falling: [P] component of each proposal, the surest first.
        hits: The hits at each of `AP_THRESHOLDS`.
        hit_component: [H] component of each hit, for each threshold.
        recalls: [C, len(AR_NUMBERS)] sum over a component's stretches of the share of thresholds at which each is hit.
        truths: [C] number of stretches.
        shares: For AR@AN; None in the convention of `avdeepfake1m`.
    """

    falling: NDArray[np.intp]
    hits: tuple[Hits, ...]
    hit_component: tuple[NDArray[np.intp], ...]
    recalls: NDArray[np.float64]
    truths: NDArray[np.float64]
    shares: Shares | None

    @classmethod
    def of(cls, truth: Truth, proposals: Proposals, component: NDArray[np.intp], *, compat: bool = False) -> Weighable:
        """Match once.

        Args:
            truth: Forged stretches, at least one.
            proposals: Proposals.
            component: [V] number of each video's component, 0 to C - 1.
            compat: Count as `avdeepfake1m`; both arrays are then in file order.
        """
        n_videos, size = len(component), int(component.max()) + 1
        found: Overlaps | FileOrder
        if compat:
            found = in_file_order(truth, proposals, n_videos)
            falling = found.proposal_video[found.order]
            each = [_hits_in_file_order(found, t) for t in AP_THRESHOLDS]
            recalls = np.array([recall_shares(found, n) for n in AR_NUMBERS])
            shares = None
        else:
            found = overlaps(truth, proposals, n_videos)
            falling = found.falling_video
            each = [hits(found, t) for t in AP_THRESHOLDS]
            recalls = recalled(best_overlap(found, AR_NUMBERS), AR_THRESHOLDS)
            shares = Shares.of(found, component, size)
        of_truth = component[found.truth_video]
        return cls(
            falling=component[falling],
            hits=tuple(each),
            hit_component=tuple(component[one.video] for one in each),
            recalls=np.stack([np.bincount(of_truth, row, minlength=size) for row in recalls], axis=1),
            truths=np.bincount(of_truth, minlength=size).astype(np.float64),
            shares=shares,
        )

    @property
    def suffix(self) -> str:
        """What the keys end in."""
        return SUFFIX if self.shares is None else ""

    def values(self, weights: NDArray[np.generic]) -> dict[str, NDArray[np.float64]]:
        """All metrics of many weightings.

        Args:
            weights: [B, C] weight of each component, >= 0.

        Returns:
            [B] for each of `KEYS` or `COMPAT_KEYS`; NaN where no stretch has weight.
        """
        table = weights.astype(np.float64)
        total = table @ self.truths
        called = _cumulated(table, self.falling)
        first = np.argmax(called > 0, axis=1)[:, None] if self.shares is None else None
        found: dict[str, NDArray[np.float64]] = {}
        for t, one, columns in zip(AP_THRESHOLDS, self.hits, self.hit_component, strict=True):
            lost = None if first is None else one.called == first
            area = curve_area(table[:, columns], called[:, one.called], one.tied, total, lost=lost)
            found[f"ap@{t:g}{self.suffix}"] = area
        recalls = _share(table @ self.recalls, total[:, None])
        found |= {f"ar@{n}{self.suffix}": recalls[:, k] for k, n in enumerate(AR_NUMBERS)}
        if self.shares is not None:
            found |= {f"ar@an={n}": self.shares.recall(table, n, total) for n in AN_NUMBERS}
        return {**found, f"score{self.suffix}": challenge_score(found, self.suffix)}

    def blocks(self, multiplicities: NDArray[np.int32]) -> Iterator[NDArray[np.int32]]:
        """The draws in blocks of bounded memory."""
        widest = max(len(self.falling), 0 if self.shares is None else len(self.shares.needed), 1)
        step = max(BLOCK_ELEMENTS // widest, 1)
        for start in range(0, len(multiplicities), step):
            yield multiplicities[start : start + step]

    def draws(self, multiplicities: NDArray[np.int32]) -> dict[str, NDArray[np.float64]]:
        """[B] values of each key in every draw."""
        parts = [self.values(block) for block in self.blocks(multiplicities)]
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _hits_in_file_order(found: FileOrder, threshold: float) -> Hits:
    rows = hit_rows(found, threshold)
    return Hits(found.proposal_video[rows], np.arange(1, len(rows) + 1), found.position[rows] + 1)


def _cumulated(weights: NDArray[np.float64], columns: NDArray[np.intp]) -> NDArray[np.float64]:
    sums = np.zeros((len(weights), len(columns) + 1))
    np.cumsum(weights[:, columns], axis=1, out=sums[:, 1:])
    return sums


def _share(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> NDArray[np.float64]:
    empty = np.full(np.broadcast_shapes(top.shape, bottom.shape), np.nan)
    return np.asarray(np.divide(top, bottom, out=empty, where=bottom > 0))
