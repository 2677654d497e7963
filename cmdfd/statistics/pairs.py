"""AUC and EER of many detectors on the same clips and the same draws of components, by counting wins once.

All that a draw of components does to an AUC is to weigh pairs of components: with W[c, d] = the number of pairs of a
fake of component c and a real of component d in which the fake scores higher, ties counting half, the AUC of a draw
with multiplicities m is m' W m / (N1(m) N0(m)). Counting W takes one sort; all draws together are then one product of
matrices. With W for every kind of fakes apart, the kinds come for nothing: their sum is the W of all fakes.

Everything is counted in halves of a pair, so that sums are whole numbers and exact, in single precision where they stay
below 2^24 and in double precision otherwise: results depend neither on the order of the rows nor on threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.statistics.arrays import as_labels, as_scores, both_classes
from cmdfd.statistics.bootstrap import counts_draws
from cmdfd.statistics.ranking import RankCounts, Ranking

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cmdfd.statistics.bootstrap import ComponentDraws

#: Above this many components the product costs more than cumulated weights of single clips (`counts_draws`).
MOST_COMPONENTS = 1500
#: Most numbers in any of the tables (clips by draws, clips by components); 160 MB in single precision.
MOST_CELLS = 40_000_000
#: Single precision holds every whole number up to here.
EXACT_IN_SINGLE = 2**24
#: Thresholds of the first look for the EER; the square root of a usual number of clips.
COARSE = 48


@dataclass(frozen=True, slots=True, eq=False)
class PartAucs:
    """AUC of each part of the fakes against all reals, and of all fakes; the last row is all.

    Args:
        values: [K + 1].
        draws: [K + 1, B]; NaN for a draw without a fake of that part.
    """

    values: NDArray[np.float64]
    draws: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """An error rate and its value in every draw.

    Args:
        value: On all clips, each once.
        draws: [B].
    """

    value: float
    draws: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """What is known before any scores are.

    Args:
        rows: [n1] place of every fake, in the order of the clips, among the (part, component) that hold fakes.
        sizes: [R] fakes at each such place.
        edges: [K + 1] first place of every part, and R.
        weights: [R, B] multiplicity of its component in every draw.
        columns: [n0] place of every real among the components that hold reals.
        column_weights: [D, B] their multiplicities, in the precision that is exact.
        pairs: [K + 1] pairs of a part and the reals; the last is of all fakes.
        drawn_pairs: [K + 1, B] the same in every draw.
        all_weights: [B, C] multiplicities of all components, in the precision that is exact for sums of clips.
        sums: Precision that is exact for the sums over all pairs of a draw.
    """

    rows: NDArray[np.intp]
    sizes: NDArray[np.intp]
    edges: NDArray[np.intp]
    weights: NDArray[np.floating]
    columns: NDArray[np.intp]
    column_weights: NDArray[np.floating]
    pairs: NDArray[np.float64]
    drawn_pairs: NDArray[np.float64]
    all_weights: NDArray[np.floating]
    sums: type[np.float32 | np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ComponentPairs:
    """Clips and draws on which any number of detectors are judged; made by `of`.

    Args:
        labels: [n] True = fake.
        parts: [n] part of every fake, 0 to K - 1; anything for reals.
        n_parts: K.
        draws: The draws.
        layout: None where there are too many components or clips for the product.
    """

    labels: NDArray[np.bool_]
    parts: NDArray[np.intp]
    n_parts: int
    draws: ComponentDraws
    layout: _Layout | None

    @classmethod
    def of(cls, labels: ArrayLike, draws: ComponentDraws, parts: ArrayLike | None = None) -> ComponentPairs:
        """Prepare.

        Args:
            labels: [n], 1 = fake.
            draws: As `draw_components` made them of the components of these clips.
            parts: [n] whole numbers from 0: the part (kind, say) of every fake; None = one part. Parts without fakes
                have no value.

        Raises:
            ValueError: Where a class is missing or lengths differ.
        """
        y = as_labels(labels)
        both_classes(y)
        part = np.zeros(len(y), dtype=np.intp) if parts is None else np.asarray(parts).astype(np.intp)
        if not len(y) == len(draws.index) == len(part):
            raise ValueError(f"{len(y)} labels need as many components and parts: {len(draws.index)}, {len(part)}")
        if (part[y] < 0).any():
            raise ValueError("the parts of the fakes must be counted from 0")
        n_parts = int(part[y].max()) + 1
        n_draws, n_components = draws.multiplicities.shape
        few = n_components <= MOST_COMPONENTS and len(y) * max(n_draws, n_components) <= MOST_CELLS
        return cls(y, part, n_parts, draws, _layout(y, part, n_parts, draws) if few else None)

    def aucs(self, scores: ArrayLike) -> PartAucs:
        """AUC of every part and of all fakes, on all clips and in every draw.

        Args:
            scores: [n], higher = more fake; may be infinite.

        Raises:
            ValueError: For NaN or another length.
        """
        s = as_scores(scores, len(self.labels))
        if self.layout is None:
            return self._by_clips(s)
        return _by_pairs(self.layout, s[self.labels], s[~self.labels])

    def _by_clips(self, scores: NDArray[np.float64]) -> PartAucs:
        """The same without the product, a part at a time."""
        from cmdfd.statistics.bootstrap import ComponentDraws

        values = np.full(self.n_parts + 1, np.nan)
        drawn = np.full((self.n_parts + 1, len(self.draws.multiplicities)), np.nan)
        for part in range(self.n_parts + 1):
            kept = ~self.labels | (self.parts == part) if part < self.n_parts else np.ones_like(self.labels)
            if not self.labels[kept].any():
                continue
            ranking = Ranking.of(self.labels[kept], scores[kept])
            values[part] = ranking.counts(np.ones((1, int(kept.sum())))).auc()[0]
            draws = ComponentDraws(self.draws.multiplicities, self.draws.index[kept])
            drawn[part] = counts_draws(ranking, draws, {"auc": RankCounts.auc})["auc"]
        return PartAucs(values, drawn)

    def eer(self, scores: ArrayLike) -> Rates:
        """Interpolated EER on all clips and in every draw, as `RankCounts.eer`.

        The gap between the two rates rises along the thresholds, so each draw's crossing is found by halving instead
        of by looking at every threshold.

        Args:
            scores: [n], higher = more fake; may be infinite.

        Raises:
            ValueError: For NaN or another length.
        """
        ranking = Ranking.of(self.labels, scores)
        whole = float(ranking.counts(np.ones((1, len(self.labels)))).eer()[0])
        if self.layout is None:
            return Rates(whole, counts_draws(ranking, self.draws, {"eer": RankCounts.eer})["eer"])
        index, weights = self.draws.index, self.layout.all_weights
        fakes = _Curve(index[ranking.fakes], ranking.fakes_above, weights)
        reals = _Curve(index[ranking.reals], ranking.reals_above, weights)
        return Rates(whole, _crossings(fakes, reals))


def _layout(labels: NDArray[np.bool_], parts: NDArray[np.intp], n_parts: int, draws: ComponentDraws) -> _Layout:
    n_components = draws.multiplicities.shape[1]
    weights = np.ascontiguousarray(draws.multiplicities.T)
    places, rows = np.unique(parts[labels] * n_components + draws.index[labels], return_inverse=True)
    held, columns = np.unique(draws.index[~labels], return_inverse=True)
    rows, columns = rows.reshape(-1).astype(np.intp), columns.reshape(-1).astype(np.intp)
    sizes, reals = np.bincount(rows), np.bincount(columns)
    edges = np.searchsorted(places, np.arange(n_parts + 1) * n_components)
    place_weights, real_weights = weights[places % n_components], weights[held]
    n_fakes = np.array([sizes[a:b].sum() for a, b in pairwise(edges)], dtype=np.float64)
    drawn = np.array([sizes[a:b] @ place_weights[a:b] for a, b in pairwise(edges)], dtype=np.float64)
    drawn_reals = (reals @ real_weights).astype(np.float64)
    drawn_pairs = np.vstack([drawn, drawn.sum(axis=0)]) * drawn_reals
    # the largest sum that the product can hold: all fakes of a place win two halves over every real of a draw
    exact = _exact(2 * sizes.max() * drawn_reals.max())
    return _Layout(
        rows,
        sizes,
        edges,
        place_weights.astype(exact),
        columns,
        real_weights.astype(exact),
        np.append(n_fakes, n_fakes.sum()) * reals.sum(),
        drawn_pairs,
        draws.multiplicities.astype(
            _exact((draws.multiplicities @ np.bincount(draws.index, minlength=n_components)).max())
        ),
        _exact(2 * drawn_pairs.max()),
    )


def _exact(largest: float) -> type[np.float32 | np.float64]:
    """The cheapest precision in which whole numbers up to the largest are exact."""
    return np.float32 if largest < EXACT_IN_SINGLE else np.float64


def _by_pairs(layout: _Layout, fakes: NDArray[np.float64], reals: NDArray[np.float64]) -> PartAucs:
    wins = _wins(layout, fakes, reals)
    won = wins.astype(layout.column_weights.dtype, copy=False) @ layout.column_weights
    of_place = wins.sum(axis=1, dtype=np.float64)
    values, drawn = np.zeros_like(layout.pairs), np.zeros_like(layout.drawn_pairs)
    for part, (start, end) in enumerate(pairwise(layout.edges)):
        values[part] = of_place[start:end].sum()
        drawn[part] = np.einsum("rb,rb->b", won[start:end], layout.weights[start:end], dtype=np.float64)
    values[-1], drawn[-1] = values[:-1].sum(), drawn[:-1].sum(axis=0)
    return PartAucs(_half(values, layout.pairs), _half(drawn, layout.drawn_pairs))


def _half(halves: NDArray[np.float64], pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    divided: NDArray[np.float64] = np.divide(halves, 2 * pairs, out=np.full_like(halves, np.nan), where=pairs > 0)
    return divided


def _wins(layout: _Layout, fakes: NDArray[np.float64], reals: NDArray[np.float64]) -> NDArray[np.float32]:
    """[R, D] halves of pairs won by the fakes of a place against the reals of a component: 2 a win, 1 a tie."""
    from scipy.sparse import csr_array

    order = np.argsort(reals, kind="stable")
    rising = reals[order]
    below = np.zeros((len(reals) + 1, len(layout.column_weights)), dtype=np.float32)
    below[np.arange(1, len(reals) + 1), layout.columns[order]] = 1
    np.cumsum(below, axis=0, out=below)
    by_place = np.argsort(layout.rows, kind="stable")
    falling = fakes[by_place]
    # a fake wins two halves over every real below it, and one over every real that ties with it
    looked = np.column_stack([np.searchsorted(rising, falling, side) for side in ("left", "right")]).ravel()
    starts = np.concatenate([[0], 2 * np.cumsum(layout.sizes)])
    picks = csr_array((np.ones(len(looked), np.float32), looked, starts), shape=(len(layout.sizes), len(below)))
    found: NDArray[np.float32] = picks @ below
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Curve:
    """Clips of one class.

    Args:
        components: [n] their components, by falling score.
        above: [U + 1] how many of them lie at or above each threshold.
        weights: [B, C] multiplicities of all components.
    """

    components: NDArray[np.intp]
    above: NDArray[np.intp]
    weights: NDArray[np.floating]

    def counts(self, thresholds: NDArray[np.intp]) -> NDArray[np.floating]:
        """[T, C] clips of each component at or above each of some rising thresholds."""
        n_components = self.weights.shape[1]
        seen = self.above[thresholds]
        rows = np.searchsorted(seen, np.arange(1, seen[-1] + 1))
        cells = rows * n_components + self.components[: seen[-1]]
        table = np.bincount(cells, minlength=len(thresholds) * n_components).reshape(-1, n_components)
        found: NDArray[np.floating] = np.cumsum(table, axis=0, dtype=self.weights.dtype)
        return found


def _weighed(counts: NDArray[np.floating], weights: NDArray[np.floating]) -> NDArray[np.float64]:
    """[B] weight of row b of the counts [B, C] in draw b."""
    found: NDArray[np.float64] = np.einsum("bc,bc->b", counts, weights).astype(np.float64)
    return found


def _crossings(fakes: _Curve, reals: _Curve) -> NDArray[np.float64]:
    """[B] where fpr + tpr reaches 1, between the two thresholds around it; NaN for a draw that lacks a class."""
    last, found = len(fakes.above) - 1, np.full(len(fakes.weights), np.nan)
    grid = np.unique(np.linspace(0, last, COARSE).astype(np.intp))
    coarse = [(fakes.weights @ curve.counts(grid).T).astype(np.float64) for curve in (fakes, reals)]
    kept = (coarse[0][:, -1] > 0) & (coarse[1][:, -1] > 0)
    if not kept.any():
        return found
    weights, tp, fp = fakes.weights[kept], coarse[0][kept], coarse[1][kept]
    n1, n0 = tp[:, -1], fp[:, -1]
    # in whole numbers, fpr + tpr >= 1 without a division; the first threshold never reaches it and the last does
    step = np.argmax(tp * n0[:, None] + fp * n1[:, None] >= (n1 * n0)[:, None], axis=1)
    near = np.arange(grid[step.min() - 1], grid[step.max()] + 1)
    tables = fakes.counts(near), reals.counts(near)
    left, right = grid[step - 1] - near[0], grid[step] - near[0]
    while (right - left > 1).any():
        middle = (left + right) // 2
        over = _weighed(tables[0][middle], weights) * n0 + _weighed(tables[1][middle], weights) * n1 >= n1 * n0
        right, left = np.where(over, middle, right), np.where(over, left, middle)
    tpr = [_weighed(tables[0][side], weights) / n1 for side in (left, right)]
    fpr = [_weighed(tables[1][side], weights) / n0 for side in (left, right)]
    gap = [fpr[k] + tpr[k] - 1.0 for k in (0, 1)]
    found[kept] = fpr[0] - gap[0] / (gap[1] - gap[0]) * (fpr[1] - fpr[0])
    return found
