"""Permutation tests whose unit is the component, because a rank test on clips lies.

Clips of one component (person, voice, source) are alike, so a feature that only varies by identity is "significant"
in most runs of a test that takes clips as independent. Here labels are rearranged so that the components stay whole:

- *paired*: inside every component that holds both classes the labels are shuffled among its clips;
- *unpaired*: components that hold one class swap that class as a whole with other such components;
- a mixed set gets both at once.

The null hypothesis is that labels may be exchanged in this way. The statistic is the distance of the AUC from its mean
over the rearrangements (which is not 0.5 where, say, louder people have more fakes). p = (1 + b) / (1 + m), where b of
m rearrangements are at least as far.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from cmdfd.statistics.arrays import BLOCK_ELEMENTS, as_labels, as_scores, both_classes, component_codes
from cmdfd.statistics.bootstrap import MIN_COMPONENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

Alternative = Literal["two-sided", "greater"]

#: With fewer distinct rearrangements no p below .01 could be reached.
MIN_ARRANGEMENTS = 100
#: Statistics that differ by less are the same number computed in another order.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class PermutationResult:
    """Outcome of a permutation test.

    Args:
        p: Probability under the null; None where the set cannot be tested, and `note` says why.
        statistic: AUC of the data, higher = fakes score higher; None where there is none.
        n_draws: Rearrangements that were drawn.
        note: Design ("paired", "unpaired", "mixed"), or the reason why p is None.
    """

    p: float | None
    statistic: float | None
    n_draws: int
    note: str


@dataclass(frozen=True, slots=True, eq=False)
class LabelShuffler:
    """Draws label vectors that the null hypothesis holds for as likely as the true one.

    Args:
        labels: [n] the true labels.
        index: [n] component of every clip.
        paired: [C] whether a component holds both classes.
        of_component: [C] label of a one-class component (False for the others).
    """

    labels: NDArray[np.bool_]
    index: NDArray[np.intp]
    paired: NDArray[np.bool_]
    of_component: NDArray[np.bool_]

    @classmethod
    def of(cls, labels: ArrayLike, components: ArrayLike) -> LabelShuffler:
        """Find out the design.

        Args:
            labels: [n], 1 = fake.
            components: [n].

        Raises:
            ValueError: Where a class is missing.
        """
        y = as_labels(labels)
        both_classes(y)
        index = component_codes(components, len(y))
        size = int(index.max()) + 1
        fakes, total = np.bincount(index[y], minlength=size), np.bincount(index, minlength=size)
        return cls(y, index, (fakes > 0) & (fakes < total), (fakes > 0) & (fakes == total))

    @property
    def design(self) -> str:
        """paired, unpaired or mixed."""
        if self.paired.all():
            return "paired"
        return "mixed" if self.paired.any() else "unpaired"

    def refusal(self) -> str | None:
        """Why this design cannot be tested, or None."""
        size = len(self.paired)
        if size < MIN_COMPONENTS:
            return f"not testable: only {size} component{'s' if size != 1 else ''}, {MIN_COMPONENTS} are needed"
        arrangements = self.log_arrangements()
        if arrangements < math.log(MIN_ARRANGEMENTS) - ROUNDING:
            return f"not testable: only {round(math.exp(arrangements))} distinct arrangements of the labels"
        return None

    def log_arrangements(self) -> float:
        """Natural logarithm of the number of distinct label vectors."""
        fakes = np.bincount(self.index[self.labels], minlength=len(self.paired))
        total = np.bincount(self.index, minlength=len(self.paired))
        inside = sum(_log_choose(int(n), int(k)) for n, k in zip(total[self.paired], fakes[self.paired], strict=True))
        single = ~self.paired
        return inside + _log_choose(int(single.sum()), int(self.of_component[single].sum()))

    def draw(self, rng: np.random.Generator, n_draws: int) -> NDArray[np.bool_]:
        """[n_draws, n] rearranged labels."""
        size = len(self.index)
        drawn = np.broadcast_to(self.labels, (n_draws, size)).copy()
        rows = np.flatnonzero(self.paired[self.index])
        if len(rows):
            rows = rows[np.argsort(self.index[rows], kind="stable")]
            # sorting component + u in [0, 1) shuffles inside every component at once
            keys = self.index[rows] + rng.random((n_draws, len(rows)))
            drawn[:, rows] = self.labels[rows][np.argsort(keys, axis=1)]
        single = np.flatnonzero(~self.paired)
        if len(single):
            place = np.full(len(self.paired), -1)
            place[single] = np.arange(len(single))
            swapped = rng.permuted(np.broadcast_to(self.of_component[single], (n_draws, len(single))), axis=1)
            rows = np.flatnonzero(~self.paired[self.index])
            drawn[:, rows] = swapped[:, place[self.index[rows]]]
        return drawn

    def blocks(self, n_draws: int, seed: int) -> Iterator[NDArray[np.bool_]]:
        """The same in blocks of bounded memory; the true labels come first, as a block of one row."""
        yield self.labels[None, :]
        rng = np.random.default_rng(seed)
        step = max(BLOCK_ELEMENTS // len(self.index), 1)
        for start in range(0, n_draws, step):
            yield self.draw(rng, min(step, n_draws - start))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def permutation_test_auc(
    labels: ArrayLike,
    scores: ArrayLike,
    components: ArrayLike,
    n_draws: int = 999,
    seed: int = 0,
    alternative: Alternative = "two-sided",
) -> PermutationResult:
    """Test whether scores tell real from fake beyond what components explain.

    Args:
        labels: [n], 1 = fake.
        scores: [n]; may be infinite.
        components: [n].
        n_draws: Rearrangements, at least 1.
        seed: Seed.
        alternative: "two-sided" for cues, whose direction is unknown; "greater" for detectors, whose score is meant
            to be higher for fakes.

    Returns:
        p None with a note "not testable: ..." under `MIN_COMPONENTS` components.

    Raises:
        ValueError: Where a class is missing.
    """
    from cmdfd.statistics.maxt import RankSums

    if n_draws < 1:
        raise ValueError(f"n_draws must be at least 1, got {n_draws}")
    shuffler = LabelShuffler.of(labels, components)
    sums = RankSums.of(as_scores(scores, len(shuffler.labels))[:, None])
    refusal = shuffler.refusal()
    if refusal:
        return PermutationResult(None, float(sums.auc(shuffler.labels[None, :])[0, 0]), 0, refusal)
    values = np.concatenate([sums.auc(block)[:, 0] for block in shuffler.blocks(n_draws, seed)])
    distance = values if alternative == "greater" else np.abs(values - values.mean())
    extreme = int((distance[1:] >= distance[0] - ROUNDING).sum())
    return PermutationResult((1 + extreme) / (1 + n_draws), float(values[0]), n_draws, shuffler.design)
