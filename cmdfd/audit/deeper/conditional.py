"""Whether a cue still tells the classes among clips that another cue does not tell apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.deeper.probing import features_of, grown
from cmdfd.audit.records import Conditional
from cmdfd.statistics.arrays import as_labels, component_codes
from cmdfd.statistics.bootstrap import reliability
from cmdfd.statistics.folds import make_folds
from cmdfd.statistics.roc import auc
from cmdfd.statistics.stratified import bootstrap_stratified_auc, stratified_auc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from cmdfd.audit.deeper.probing import Features
    from cmdfd.audit.finding import Finding
    from cmdfd.statistics.folds import Folds
    from cmdfd.statistics.probes import OutOfFold

#: Cues that are set against each other, the worst ones first.
MAX_CUES = 8
#: Strata of the other cue: one for so many clips of the smaller class, between two and ten.
CLIPS_PER_STRATUM, MIN_STRATA, MAX_STRATA = 12, 2, 10
#: Clips of either class that a stratum needs to count: one real beside ten fakes at a border says nothing.
MIN_CLASS = 3
#: Ranks are taken where they tell as much as trees, or this much less: trees on little data are noisy.
SAME = 0.02
#: Draws behind each interval; there are up to 56 pairs.
DRAWS = 300


def conditionals(
    table: pd.DataFrame, findings: Sequence[Finding], labels: ArrayLike, components: ArrayLike, *, seed: int = 0
) -> tuple[Conditional, ...]:
    """Test every flagged cue inside strata of every other one.

    A cue is looked at as it is where its ranks tell as much as trees do, else through held-out trees, so that grids
    and categories count, too. Strata are drawn where they are needed, in the range in which the other cue leaves the
    class open. Ten strata leave a copy of the other cue an AUC of .56; so the straight line through each stratum that
    foretells one score from the other is taken off first, and of a copy nothing is left.

    Args:
        table: [n] labelled clips, one row each.
        findings: Flagged findings, the worst first; each cue is taken once, `MAX_CUES` of them.
        labels: [n], 1 = fake.
        components: [n].
        seed: Seed.

    Returns:
        Ordered pairs; without an AUC where strata that hold both classes come from too few components, as where the
        other cue gives the class away. None where there are less than two cues or trees cannot be cross-validated.

    Raises:
        ValueError: Where lengths do not fit.
    """
    y = as_labels(labels)
    index = component_codes(components, len(y))
    units = {one.cue: one.unit for one in findings}
    features = features_of(table, list(units), units, index)
    folds = make_folds(y, index, seed=seed)
    if folds.refused or len(features.cues) < 2:
        return ()
    views: dict[str, _Look] = {}
    for name in features.cues[:MAX_CUES]:
        part = features.of(name)
        views[name] = _look(part, grown(part, y, index, seed=seed, folds=folds), y)
    count = int(np.clip(min(y.sum(), (~y).sum()) // CLIPS_PER_STRATUM, MIN_STRATA, MAX_STRATA))
    levels = {name: strata_of(one.scores, one.open, count) for name, one in views.items()}
    return tuple(
        _given(cue, given, views, levels[given], folds, y, index, seed)
        for cue in views
        for given in views
        if cue != given
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """A cue as a score.

    Args:
        scores: [n] higher = more fake.
        open: [n] how open it leaves the class, p (1 - p) of the probability at even prior.
    """

    scores: NDArray[np.float64]
    open: NDArray[np.float64]


def _look(part: Features, found: OutOfFold, labels: NDArray[np.bool_]) -> _Look:
    from scipy.special import expit
    from scipy.stats import rankdata

    even = expit(found.scores)
    weight = even * (1 - even)
    if part.values.shape[1] == 1 and not part.categorical[0] and not np.isnan(part.values).any():
        ranks = rankdata(part.values[:, 0]) / len(labels)
        value = auc(labels, ranks)
        if max(value, 1 - value) >= (found.auc(labels) or 0.0) - SAME:
            return _Look(ranks if value >= 0.5 else -ranks, weight)
    return _Look(found.scores, weight)


def strata_of(scores: NDArray[np.float64], weight: NDArray[np.float64], n_strata: int = MAX_STRATA) -> NDArray[np.intp]:
    """Clips of about equal score: quantiles in which clips weigh as they are told.

    Args:
        scores: [n].
        weight: [n] weights > 0; where a cue gives the class away there is nothing to compare, and a low weight there
            saves strata for where there is.
        n_strata: Strata, at most.

    Returns:
        [n] numbers from 0; clips of one score are in one stratum.
    """
    values, inverse = np.unique(scores, return_inverse=True)
    inverse = inverse.reshape(-1)
    mass = np.bincount(inverse, weight, minlength=len(values))
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    cuts: NDArray[np.intp] = np.minimum((middle * n_strata).astype(np.intp), n_strata - 1)
    return np.asarray(cuts[inverse], dtype=np.intp)


def _given(
    cue: str,
    given: str,
    views: Mapping[str, _Look],
    strata: NDArray[np.intp],
    folds: Folds,
    labels: NDArray[np.bool_],
    index: NDArray[np.intp],
    seed: int,
) -> Conditional:
    fakes, reals = np.bincount(strata[labels], minlength=MAX_STRATA), np.bincount(strata[~labels], minlength=MAX_STRATA)
    both = np.minimum(fakes, reals) >= MIN_CLASS
    used = np.flatnonzero(both[strata])
    if not len(used) or reliability(labels[used], index[used]):
        return Conditional(cue, given, None, None, None, 0)
    scores = _beyond(views[cue].scores, views[given].scores, strata)[used]
    within = (strata * folds.count + folds.index)[used]  # held-out scores of two folds are not to be compared
    value = stratified_auc(labels[used], scores, within)
    if value is None:
        return Conditional(cue, given, None, None, None, 0)
    interval = bootstrap_stratified_auc(labels[used], scores, within, index[used], DRAWS, seed=seed)
    return Conditional(cue, given, value, interval.low, interval.high, int(both.sum()))


def _beyond(scores: NDArray[np.float64], other: NDArray[np.float64], strata: NDArray[np.intp]) -> NDArray[np.float64]:
    """[n] scores less what the other's score foretells of them by a straight line through each stratum."""
    found = scores.copy()
    for stratum in np.unique(strata):
        here = strata == stratum
        away = other[here] - other[here].mean()
        spread = float(away @ away)
        if spread > 0:
            found[here] -= away * float(away @ scores[here]) / spread
    return np.round(found, 9)  # of a copy nothing is left but rounding, which must not be ranked
