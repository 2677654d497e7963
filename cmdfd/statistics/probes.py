"""Shallow boosted trees, cross-validated by component: what a cue tells when it may be looked at in any way.

A rank statistic is blind to what is not monotone: sample counts that are multiples of 1024 in fakes have a rank AUC
near .5 and yet give every fake away. Trees see that. They give the size of an effect only; p-values come from
`cmdfd.statistics.maxt`, since one fit says nothing about chance.

Decisions:

- *Weights.* Both classes weigh the same in a fit, so that a score is a weight of evidence (log odds at even prior)
  that means the same in every fold, whatever share of fakes its training part has. For probabilities and bits the
  prior of the training part is put back in by Bayes' rule.
- *One AUC.* Only clips of one fold are compared (`OutOfFold.auc`), which has the mean .5 under the null. Pairs across
  folds do not: the fake was a training clip of the model that scores the real, and the other way round, which pulls
  the AUC of pooled scores down by .002 to .01 in sets of 24 components (tests/cmdfd/statistics/test_probes.py).
  Unlike ranks inside folds this keeps a perfect separation at 1 whatever the shares of the folds.
- *Bits.* Trees on little data are surer than they should be. Before probabilities are made, the scores of a fold are
  shrunk by the factor in [0, 1.5] that suits the held-out scores of the other folds best, so that a cue that tells
  nothing gives about 0 bits and not -.2.
- *Columns.* Numbers become ranks (trees do not mind, and no number is too large). Beside a number that has many
  values stand in how many components its exact value occurs, which shows values that lie on a grid, and for large
  whole numbers the remainders by `MODULI`. Neither looks at a label. Clips would be the wrong thing to count: a real
  shares its sound with some of its fakes and its picture with others, and is the only one that shares both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.statistics.arrays import as_labels, component_codes
from cmdfd.statistics.folds import Folds, make_folds
from cmdfd.statistics.information import usable_bits
from cmdfd.statistics.stratified import bootstrap_stratified_auc, stratified_auc

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cmdfd.statistics.bootstrap import Interval

#: Chosen by a trial on smooth, island, marker and two-column cues of 100 to 3000 clips: more iterations or a higher
#: rate lose a point of AUC on smooth cues and gain nothing on the others. Depth 3 sees three conditions together,
#: e.g. the two ends of an island and a category.
MAX_DEPTH = 3
ITERATIONS = 60
LEARNING_RATE = 0.1
#: Bounds of the fewest clips of a leaf; in between it is one in `LEAF_SHARE` of the training clips.
MIN_LEAF, MAX_LEAF, LEAF_SHARE = 4, 20, 40
#: Clips that a fit learns from at most; more cost time and hardly move an AUC.
MAX_TRAINING_CLIPS = 40_000
#: Levels of a category that are kept, the most frequent ones; scikit-learn takes at most 255.
MAX_LEVELS = 250
#: Numbers are put into bins of equal size, at most this many (scikit-learn takes 255). This is done here, since
#: scikit-learn's own bins of weighted clips cost ten times as much as the fit.
MAX_BINS = 250
#: A number with fewer distinct values has a bin for each of them, so its exact values need no help.
MANY_VALUES = 64
#: Grids of sound that is cut in blocks: AAC frames (1024) with their halves; Opus frames of 20 ms at 48 kHz (960) with
#: pictures of 40 ms at 16 kHz (640); MP3 frames (1152).
MODULI = (1024, 1920, 1152)
#: Remainders are of use only where numbers span several grids.
MIN_SPAN = 4 * max(MODULI)
#: Factors that are tried on scores before they become probabilities; 0 = the cue tells nothing.
SHRINKAGE = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5)
#: Probabilities keep this distance from 0 and 1, so that one sure error does not cost infinitely many bits.
MIN_PROBABILITY = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class OutOfFold:
    """What a probe says of each clip when its component was held out.

    Args:
        scores: [n] log odds of being fake at even prior (natural logarithm), higher = more fake; 0 where the columns
            tell nothing; NaN for all where it was refused.
        prob: [n] shrunk probability of being fake at the prior of the training part; NaN likewise.
        prior: [n] share of fakes of the training part; NaN likewise.
        loss: [n] bits that it takes to tell the label by `prob`; NaN likewise.
        fold: [n] fold in which the clip was held out.
        n_folds: Folds; 0 where it was refused.
        refused: Why there is no result, else "".
    """

    scores: NDArray[np.float64]
    prob: NDArray[np.float64]
    prior: NDArray[np.float64]
    loss: NDArray[np.float64]
    fold: NDArray[np.intp]
    n_folds: int
    refused: str

    def auc(self, labels: ArrayLike) -> float | None:
        """AUC among clips of one fold, 0 to 1; None where it was refused.

        Args:
            labels: [n], 1 = fake.
        """
        return None if self.refused else stratified_auc(labels, self.scores, self.fold)

    def interval(self, labels: ArrayLike, components: ArrayLike, n_draws: int = 500, seed: int = 0) -> Interval | None:
        """Its interval over resampled components. None where it was refused.

        The trees stay as they are, so that it is too narrow where a cue tells nothing: it holds .5 in 84 to 89 % of
        sets of 24 components at a nominal 95 %. No test is made of it.

        Args:
            labels: [n], 1 = fake.
            components: [n].
            n_draws: Draws.
            seed: Seed.
        """
        if self.refused:
            return None
        return bootstrap_stratified_auc(labels, self.scores, self.fold, components, n_draws, seed=seed)

    def bits(self, labels: ArrayLike) -> float | None:
        """V-usable information about the label in bits; None where it was refused.

        Args:
            labels: [n], 1 = fake.
        """
        return None if self.refused else usable_bits(labels, self.prob, self.prior)


def tree_probe(
    features: ArrayLike,
    labels: ArrayLike,
    components: ArrayLike,
    *,
    categorical: ArrayLike | None = None,
    seed: int = 0,
    n_folds: int = 5,
    folds: Folds | None = None,
) -> OutOfFold:
    """Cross-validate shallow boosted trees.

    Args:
        features: [n, k] numbers; NaN and infinite ones are not measurable, which trees look at, too.
        labels: [n], 1 = fake.
        components: [n].
        categorical: [k] True where a column holds codes of a category; None = nowhere.
        seed: Seed of the folds and of the choice of clips where there are more than `MAX_TRAINING_CLIPS`.
        n_folds: Folds, at least 2; fewer are made where a class comes from fewer components.
        folds: Folds made before by `make_folds` of the same clips, to save time.

    Returns:
        Scores of all clips; `refused` says why there are none (under 12 components, a class that is missing or comes
        from one component).

    Raises:
        ValueError: Where shapes do not fit.
    """
    y = as_labels(labels)
    table, kinds = _checked(features, categorical, len(y))
    dealt = make_folds(y, components, n_folds, seed) if folds is None else folds
    if len(dealt.index) != len(y):
        raise ValueError(f"{len(y)} labels need folds of as many clips, got {len(dealt.index)}")
    if dealt.refused:
        nothing = np.full(len(y), np.nan)
        return OutOfFold(nothing, nothing, nothing, nothing, dealt.index, 0, dealt.refused)
    columns, codes = _columns(table, kinds, component_codes(components, len(y)))
    scores, prior = np.zeros(len(y)), np.zeros(len(y))
    for k in range(dealt.count):
        held = dealt.index == k
        learned = np.flatnonzero(~held)
        prior[held] = y[learned].mean()
        if columns.shape[1]:
            scores[held] = _fit(columns, codes, y, learned, held, seed + k)
    prob = _probability(scores, prior, y, dealt)
    return OutOfFold(scores, prob, prior, -np.log2(np.where(y, prob, 1 - prob)), dealt.index, dealt.count, "")


def _checked(
    features: ArrayLike, categorical: ArrayLike | None, n: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Features [n, k] and their kinds [k]; raises where shapes do not fit."""
    table = np.asarray(features, dtype=np.float64)
    if table.ndim != 2 or len(table) != n:
        raise ValueError(f"{n} labels need features [n, k], got shape {table.shape}")
    kinds = np.zeros(table.shape[1], dtype=bool) if categorical is None else np.asarray(categorical, dtype=bool)
    if kinds.shape != (table.shape[1],):
        raise ValueError(f"{table.shape[1]} features need as many kinds, got shape {kinds.shape}")
    return table, kinds


def _probability(
    scores: NDArray[np.float64], prior: NDArray[np.float64], labels: NDArray[np.bool_], folds: Folds
) -> NDArray[np.float64]:
    """Probabilities at the training prior of scores that are shrunk as the other folds advise."""
    from scipy.special import expit, log_expit, logit

    offset = logit(prior)
    sign = np.where(labels, 1.0, -1.0)
    costs = np.empty((len(SHRINKAGE), folds.count))
    for row, factor in enumerate(SHRINKAGE):
        cost = -log_expit(sign * (factor * scores + offset))
        costs[row] = np.bincount(folds.index, cost, minlength=folds.count)
    others = costs.sum(axis=1, keepdims=True) - costs
    best = np.array(SHRINKAGE)[np.argmin(others, axis=0)]
    prob: NDArray[np.float64] = expit(best[folds.index] * scores + offset)
    return np.clip(prob, MIN_PROBABILITY, 1 - MIN_PROBABILITY)


def _fit(
    columns: NDArray[np.float64],
    codes: NDArray[np.bool_],
    labels: NDArray[np.bool_],
    learned: NDArray[np.intp],
    held: NDArray[np.bool_],
    seed: int,
) -> NDArray[np.float64]:
    """Log odds at even prior of the held-out clips."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    if len(learned) > MAX_TRAINING_CLIPS:
        learned = np.sort(np.random.default_rng(seed).choice(learned, MAX_TRAINING_CLIPS, replace=False))
    y = labels[learned]
    if y.all() or not y.any():  # a class may be lost when clips are chosen
        return np.zeros(int(held.sum()))
    columns, codes = _learnable(columns, codes, learned)
    if columns.shape[1] == 0:
        return np.zeros(int(held.sum()))
    model = HistGradientBoostingClassifier(
        max_depth=MAX_DEPTH,
        max_iter=ITERATIONS,
        learning_rate=LEARNING_RATE,
        min_samples_leaf=int(np.clip(len(learned) // LEAF_SHARE, MIN_LEAF, MAX_LEAF)),
        l2_regularization=1.0,
        categorical_features=codes,
        early_stopping=False,
        random_state=seed % 2**32,  # scikit-learn takes no more bits
    )
    weights = np.where(y, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
    # for a handful of columns one thread is faster than two that wait for each other
    with threadpool_limits(limits=1 if columns.shape[1] < 8 else None, user_api="openmp"):
        model.fit(columns[learned], y, sample_weight=weights)
        found: NDArray[np.float64] = model.decision_function(columns[held])
    return found


def _learnable(
    columns: NDArray[np.float64], codes: NDArray[np.bool_], learned: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Columns that vary among the clips that are learnt from; one value beside missing ones becomes yes and no.

    scikit-learn (1.8) raises where a column has fewer than two values.
    """
    made: list[NDArray[np.float64]] = []
    kinds: list[bool] = []
    for values, category in zip(columns.T, codes, strict=True):
        here = values[learned]
        missing = np.isnan(here)
        if len(np.unique(here[~missing])) > 1:
            made.append(values)
            kinds.append(bool(category))
        elif missing.any() and not missing.all():
            made.append(np.isnan(values).astype(np.float64))
            kinds.append(False)
    table = np.column_stack(made) if made else np.empty((len(columns), 0))
    return table, np.array(kinds, dtype=bool)


def _columns(
    table: NDArray[np.float64], kinds: NDArray[np.bool_], index: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """[n, m] columns that vary, as the trees get them, and which of them are categories."""
    made: list[NDArray[np.float64]] = []
    codes: list[bool] = []
    for values, category in zip(table.T, kinds, strict=True):
        finite = np.where(np.isfinite(values), values, np.nan)
        new = [_levels(finite)] * 2 if category else _views(finite, index)
        new = [column for column in new if _varies(column)]
        made += new
        codes += [True, False][: len(new)] if category else [False] * len(new)
    stacked = np.column_stack(made) if made else np.empty((len(table), 0))
    return stacked, np.array(codes, dtype=bool)


def _varies(column: NDArray[np.float64]) -> bool:
    missing = np.isnan(column)
    if missing.all():
        return False
    return bool(missing.any()) or bool((column != column[0]).any())


def _levels(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Codes 0, 1, ... by falling frequency; all beyond `MAX_LEVELS` under one code."""
    here = ~np.isnan(values)
    _, inverse, counts = np.unique(values[here], return_inverse=True, return_counts=True)
    place = np.empty(len(counts))
    place[np.argsort(-counts, kind="stable")] = np.minimum(np.arange(len(counts)), MAX_LEVELS)
    found = np.full(len(values), np.nan)
    found[here] = place[inverse.reshape(-1)]
    return found


def _views(values: NDArray[np.float64], index: NDArray[np.intp]) -> list[NDArray[np.float64]]:
    """A number as its rank among the distinct values, in how many components its value occurs, and its remainders."""
    here = ~np.isnan(values)
    distinct, inverse = np.unique(values[here], return_inverse=True)
    inverse = inverse.reshape(-1)
    pairs = np.unique(np.column_stack([inverse, index[here]]), axis=0)
    counts = np.bincount(pairs[:, 0], minlength=len(distinct))
    made = [inverse.astype(np.float64)]
    if len(distinct) > MANY_VALUES and counts.max() > 1:
        made.append(counts[inverse].astype(np.float64))
    if len(distinct) > MANY_VALUES and _whole(distinct):
        made += [np.mod(values[here], modulus) for modulus in MODULI]
    found = []
    for column in made:
        full = np.full(len(values), np.nan)
        full[here] = _binned(column)
        found.append(full)
    return found


def _binned(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Numbers of bins: one for each distinct value where there are few, else of as many clips each as can be."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    if len(counts) <= MAX_BINS:
        return inverse.reshape(-1).astype(np.float64)
    middle = np.cumsum(counts) - counts / 2
    return np.floor(middle / len(values) * MAX_BINS)[inverse.reshape(-1)]


def _whole(distinct: NDArray[np.float64]) -> bool:
    """Whether these are whole numbers (exact in float64) that span several grids."""
    if max(-distinct[0], distinct[-1]) >= 2**53 or distinct[-1] - distinct[0] < MIN_SPAN:
        return False
    return bool((distinct == np.round(distinct)).all())
