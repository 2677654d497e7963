"""AUC of a floor that is learnt and judged on one set: cross-validation by component, compared inside folds only.

Pooling the scores of all folds gives wrong numbers twice. Folds have models with different offsets, so clips of two
folds are not on one scale. And each model has seen the labels on which the others are judged: where the fakes that
it saw happen to lie high, those that it did not see lie low, so that pooled null AUCs tend below .5 (Airola et al.,
"An experimental comparison of cross-validation techniques for estimating the area under the ROC curve", Computational
Statistics & Data Analysis 55, 2011, doi 10.1016/j.csda.2010.11.018).

Here a fake is compared with a real only where one model scores both and has seen neither: inside a fold, or with
the own component. As that model knows no label of the two, exchanging real and fake inside each of their components
turns every comparison won into one lost, and the expected AUC under the null is .5 exactly. Folds are drawn several
times, so that most pairs of components meet.

Components are those over all identities of a clip (`cmdfd.splits`). With folds by face alone, a sound that occurs
once under a real and once under a forged picture would sit on both sides, and the AUC would fall far below .5, as it
does in the published lists of CMDFD (audio duration: .25 to .28).

Two intervals. A bootstrap of components holds the scores fixed, as everywhere in this project, but here each
component's labels are both judged and learnt from. In a null set the AUC is therefore like the degenerate U-statistic
of d_i d_j over all i != j, whose variance 2 n (n - 1) is twice the n (n - 1) that stays when the sums over j are held
fixed. The second interval is wider by the root of two; only what it excludes is taken as shown.

Measured on null sets of 24 pairs of people, 22 cues, the defaults: with the partner's sound under each face, measured
with a noise of .3 standard deviations, the first interval lies inside .35 to .65 in 98 % of 200 sets and covers .5 in
92 %; the second claims a cue in 1 %. With a fresh sound of the same person for each of 48 fakes the AUC itself has a
standard deviation of .06, so that only 56 % of 150 sets come out inside (a cue is claimed in 5 %); two takes of each
person make that 97 % of 100 (claimed: none).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.statistics.arrays import as_labels, both_classes, component_codes
from cmdfd.statistics.bootstrap import Interval, class_components, draw_components, interval_of, reliability

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import ArrayLike, NDArray

    #: Takes rows to learn from and rows to score, gives the scores of the latter.
    Learner = Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[np.float64]]

#: See "Two intervals" above.
WIDENING = math.sqrt(2)
#: Folds of one partition.
N_FOLDS = 5
#: Partitions. Two components miss each other in all of them with a chance of (1 - 1/5)^8 = 17 %.
N_REPEATS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Comparisons:
    """Who won against whom, summed over partitions, by component.

    Args:
        won: [C, C] comparisons of a fake of the row's component with a real of the column's that the fake won
            (scored higher; ties count half).
        made: [C, C] comparisons that were made.
    """

    won: NDArray[np.float64]
    made: NDArray[np.float64]

    def auc(self, multiplicities: NDArray[np.generic] | None = None) -> NDArray[np.float64]:
        """AUC over all comparisons.

        Args:
            multiplicities: [B, C] how often each component counts in each draw; once each if None.

        Returns:
            [B], or [1]; NaN where nothing was compared.
        """
        size = len(self.won)
        weights = np.ones((1, size)) if multiplicities is None else np.asarray(multiplicities, dtype=np.float64)
        won = np.einsum("bi,bi->b", weights @ self.won, weights)
        made = np.einsum("bi,bi->b", weights @ self.made, weights)
        found: NDArray[np.float64] = np.divide(won, made, out=np.full_like(won, np.nan), where=made > 0)
        return found


@dataclass(frozen=True, slots=True)
class CrossFit:
    """A cross-validated AUC.

    Args:
        auc: None where no fake could be compared with any real (a single component).
        interval: Over components, with the scores held fixed.
        wide: The same with the chance of learning (see the module's text).
    """

    auc: float | None
    interval: Interval
    wide: Interval


def partitions(
    labels: NDArray[np.bool_], index: NDArray[np.intp], n_folds: int, n_repeats: int, seed: int
) -> Iterator[NDArray[np.intp]]:
    """Fold of every component, several times.

    Components with both classes, with reals only and with fakes only are dealt out one after another, so that folds
    are alike.

    Args:
        labels: [n], True = fake.
        index: [n] component of every clip, 0 to C - 1.
        n_folds: Folds, at least 2.
        n_repeats: Partitions.
        seed: Seed.

    Yields:
        [C] fold of each component.
    """
    size = int(index.max()) + 1
    fakes = np.bincount(index[labels], minlength=size) > 0
    reals = np.bincount(index[~labels], minlength=size) > 0
    pattern = fakes.astype(int) + 2 * reals.astype(int)
    rng = np.random.default_rng(seed)
    for _ in range(n_repeats):
        order = rng.permutation(size)
        order = order[np.argsort(pattern[order], kind="stable")]
        fold = np.empty(size, dtype=np.intp)
        fold[order] = np.arange(size) % n_folds
        yield fold


def compare(labels: NDArray[np.bool_], scores: NDArray[np.float64], index: NDArray[np.intp], size: int) -> Comparisons:
    """Compare every fake with every real.

    Args:
        labels: [n], True = fake.
        scores: [n], higher = more fake.
        index: [n] component, below `size`.
        size: Number of components.
    """
    fakes, reals = np.flatnonzero(labels), np.flatnonzero(~labels)
    difference = np.sign(scores[fakes][:, None] - scores[reals][None, :])
    rows = np.zeros((size, len(fakes)))
    rows[index[fakes], np.arange(len(fakes))] = 1
    columns = np.zeros((len(reals), size))
    columns[np.arange(len(reals)), index[reals]] = 1
    made = np.outer(rows.sum(axis=1), columns.sum(axis=0))
    return Comparisons(rows @ (difference + 1) / 2 @ columns, made)


def cross_fit(
    learner: Learner,
    labels: ArrayLike,
    components: ArrayLike,
    *,
    n_folds: int = N_FOLDS,
    n_repeats: int = N_REPEATS,
    n_draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> CrossFit:
    """Learn on some components, judge on the others, and so for all.

    Args:
        learner: See `Learner`; higher scores mean more fake.
        labels: [n], 1 = fake.
        components: [n] over all identities.
        n_folds: Folds of a partition; fewer where there are fewer components.
        n_repeats: Partitions.
        n_draws: Draws of the bootstrap.
        level: Nominal coverage.
        seed: Of partitions and draws.

    Raises:
        ValueError: Where a class is missing.
    """
    y = as_labels(labels)
    both_classes(y)
    counted = _folded(learner, y, component_codes(components, len(y)), n_folds, n_repeats, seed)
    value = float(counted.auc()[0])
    draws = counted.auc(draw_components(components, n_draws, seed, y).multiplicities)
    n_components, doubt = class_components(y, components), reliability(y, components)
    return CrossFit(
        None if np.isnan(value) else value,
        interval_of(draws, level, n_components, doubt),
        interval_of(np.clip(value + WIDENING * (draws - value), 0, 1), level, n_components, doubt),
    )


def _folded(
    learner: Learner, labels: NDArray[np.bool_], index: NDArray[np.intp], n_folds: int, n_repeats: int, seed: int
) -> Comparisons:
    """Comparisons of all folds of all partitions."""
    size = int(index.max()) + 1
    won, made = np.zeros((size, size)), np.zeros((size, size))
    folds = min(n_folds, size)
    for fold in partitions(labels, index, folds, n_repeats, seed) if folds > 1 else ():
        for number in range(folds):
            judged = fold[index] == number
            train, test = np.flatnonzero(~judged), np.flatnonzero(judged)
            if any(labels[rows].all() or not labels[rows].any() for rows in (train, test)):
                continue  # a class is missing: nothing to learn from, or nothing to compare
            found = compare(labels[test], learner(train, test), index[test], size)
            won, made = won + found.won, made + found.made
    return Comparisons(won, made)
