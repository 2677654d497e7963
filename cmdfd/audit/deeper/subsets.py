"""The clips that cues do not solve, and a subset in which both classes look alike in the flagged cues.

How clips are matched was decided by a trial on sets of 400 and 4000 clips with one, three and six cues, as many fakes
as reals or four to one (AUC of all cues together before: .84 to .90; what is kept is told as clips of the smaller
class):

- exact matching on eight quantile bins a cue leaves an AUC of .48 to .59 with one to three cues, and next to no clip
  with six; on four bins .57 to .67;
- one round of pairs by the held-out score of trees on all cues keeps the most, but overshoots: .35 to .48, since every
  clip then has a twin of the other class;
- a second round on what the first one left, with new trees, loses a tenth of the clips and ends at .47 to .52 (.43
  to .56 in sets of 120 matched clips). A third round changes nothing but the size.

So rounds of pairs are made until the interval of the AUC holds .5 and no single cue ranks the classes (max-T p of at
least `CLEAR_P`; trees on a hundred clips are blind to a small shift that ranks still see).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.cue import CATEGORY
from cmdfd.audit.deeper.probing import Features, features_of, grown, probe_of
from cmdfd.report.text import number, plural
from cmdfd.statistics.arrays import as_labels, component_codes
from cmdfd.statistics.maxt import max_t

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from cmdfd.audit.finding import Probe

#: Two clips are a pair where their scores differ by at most this share of the scores' standard deviation (Austin,
#: "Optimal caliper widths for propensity-score matching", Pharmaceutical Statistics 10, 2011).
CALIPER = 0.2
#: Rounds of matching, at most.
MAX_ROUNDS = 4
#: A subset counts as clear where max-T over the cues gives at least this p, far from the .01 of an audit.
CLEAR_P = 0.1
DRAWS = 199
#: What is left may tell the classes this far; beyond it there is no subset.
WORST_AUC = 0.6
#: Clips of the larger class for one of the smaller, at most.
MAX_RATIO = 5
#: Bits up to which cues tell nothing about a clip.
HARD_BITS = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Subset:
    """Some of the clips.

    Args:
        mask: [n] which.
        n_before: Clips.
        n_after: Clips that are in it.
        auc_before: Trees on the cues over all clips, cross-validated; None where they were refused or not asked for.
        auc_after: The same over the subset.
        note: What was done, or why nothing was, as a sentence without a full stop.
    """

    mask: NDArray[np.bool_]
    n_before: int
    n_after: int
    auc_before: Probe | None
    auc_after: Probe | None
    note: str


def hard_subset(values: ArrayLike, labels: ArrayLike, components: ArrayLike) -> Subset:
    """The clips about which cues tell nothing, or mislead: pointwise V-information of at most 0.

    Args:
        values: [n] bits of `cmdfd.statistics.information.pvi`; clips without (NaN) are left out.
        labels: [n], 1 = fake.
        components: [n].

    Raises:
        ValueError: Where lengths do not fit.
    """
    y = as_labels(labels)
    bits = np.asarray(values, dtype=np.float64)
    if bits.shape != y.shape:
        raise ValueError(f"{len(y)} labels need {len(y)} values, got shape {bits.shape}")
    index = component_codes(components, len(y))
    mask = bits <= HARD_BITS
    classes = f"{int((mask & ~y).sum())} real, {int((mask & y).sum())} fake"
    held = f"{plural(int(mask.sum()), 'clip')} of {len(y)} ({classes})"
    note = f"{held} in {plural(len(np.unique(index[mask])), 'component')} are not told by the cues"
    return Subset(mask, len(y), int(mask.sum()), None, None, note)


def shortcut_free_subset(
    table: pd.DataFrame,
    cues: Sequence[str],
    categorical: Mapping[str, bool] | Collection[str],
    labels: ArrayLike,
    components: ArrayLike,
    *,
    seed: int = 0,
) -> Subset:
    """A large subset in which real and fake clips look alike in the given cues.

    Args:
        table: [n] labelled clips, one row each.
        cues: Names of the flagged cues.
        categorical: Those whose values are names: as a collection, or a table of all cues.
        labels: [n], 1 = fake.
        components: [n].
        seed: Seed.

    Returns:
        All clips where trees cannot be cross-validated or no cue varies; none where the cues part the classes wholly.

    Raises:
        ValueError: Where lengths do not fit.
    """
    y = as_labels(labels)
    index = component_codes(components, len(y))
    named: Collection[str] = categorical
    if isinstance(categorical, Mapping):
        named = {cue for cue, is_name in categorical.items() if is_name}
    features = features_of(table, cues, {cue: CATEGORY for cue in cues if cue in named}, index)
    everything = np.ones(len(y), dtype=bool)
    if not features.cues:
        return Subset(everything, len(y), len(y), None, None, "no cue varies, so there is nothing to match")
    first = grown(features, y, index, seed=seed)
    before = probe_of(first, y, index, seed=seed)
    if before is None:
        return Subset(everything, len(y), len(y), None, None, f"nothing was matched: {first.refused}")
    rounds = _rounds(features, y, index, first.scores, seed)
    if not rounds:
        note = "real and fake clips are not alike in the cues anywhere, so no subset of a useful size is free of them"
        return Subset(~everything, len(y), 0, before, None, note)
    best = next((one for one in rounds if one.clear), max(rounds, key=lambda one: (one.p, -abs(one.probe.auc - 0.5))))
    mask, after = best.mask, best.probe
    told = (
        f"{plural(int(mask.sum()), 'clip')} of {len(mask)} are alike in the cues ({int((mask & ~y).sum())} real, "
        f"{int((mask & y).sum())} fake): AUC {number(before.auc)} before, {number(after.auc)} after"
    )
    return Subset(mask, len(y), int(mask.sum()), before, after, told)


@dataclass(frozen=True, slots=True, eq=False)
class _Round:
    """A matched set, how far trees tell its classes, and the max-T p of its cues (1 where it cannot be tested)."""

    mask: NDArray[np.bool_]
    probe: Probe
    p: float

    @property
    def clear(self) -> bool:
        return self.p >= CLEAR_P and (self.probe.low or 0.0) <= 0.5 <= (self.probe.high or 1.0)


def _rounds(
    features: Features, labels: NDArray[np.bool_], index: NDArray[np.intp], scores: NDArray[np.float64], seed: int
) -> list[_Round]:
    """Rounds up to the first clear one; those that still tell the classes, or are too small to be judged, left out."""
    width = CALIPER * float(scores.std())
    kept = np.arange(len(labels))
    found: list[_Round] = []
    for turn in range(1, MAX_ROUNDS + 1):
        kept = kept[matched_rows(scores, labels[kept], width, seed + turn)]
        part, y, parts = features.rows(kept), labels[kept], index[kept]
        # trees with other folds than those that the next round is matched by
        probe = probe_of(grown(part, y, parts, seed=seed + 100 + turn), y, parts, seed=seed) if len(kept) else None
        if probe is None:
            break
        mask = np.zeros(len(labels), dtype=bool)
        mask[kept] = True
        if probe.auc <= WORST_AUC:
            p = max_t(y, part.values, parts, DRAWS, seed=seed).p_adjusted
            found.append(_Round(mask, probe, 1.0 if p is None else float(p.min())))
            if found[-1].clear:
                break
        scores = grown(part, y, parts, seed=seed + turn).scores
    return found


def matched_rows(scores: NDArray[np.float64], labels: NDArray[np.bool_], width: float, seed: int) -> NDArray[np.intp]:
    """Rows of matched sets: one clip of the smaller class, and each time as many of the larger with nearly its score.

    How many is chosen for the largest effective size, n0 n1 / (n0 + n1).

    Args:
        scores: [n].
        labels: [n].
        width: Scores of a pair differ by at most this much.
        seed: Seed of the order in which clips choose.

    Returns:
        Rows in rising order, none where nothing can be matched.
    """
    fakes, reals = np.flatnonzero(labels), np.flatnonzero(~labels)
    few, many = (fakes, reals) if len(fakes) <= len(reals) else (reals, fakes)
    if not len(few):
        return np.empty(0, np.intp)
    many = many[np.argsort(scores[many], kind="stable")]
    free = _Free(len(many))
    rng = np.random.default_rng(seed)
    choosing, partners = few, np.empty((len(few), 0), np.intp)
    best, best_size = np.empty(0, np.intp), 0.0
    for ratio in range(1, min(MAX_RATIO, len(many) // len(few)) + 1):
        chosen = np.full(len(choosing), -1, np.intp)
        for k in rng.permutation(len(choosing)):
            chosen[k] = free.take(scores[many], float(scores[choosing[k]]), width)
        found = chosen >= 0
        choosing = choosing[found]
        partners = np.column_stack([partners[found], many[chosen[found]]])
        size = len(choosing) * ratio / (1 + ratio)
        if size > best_size:
            best, best_size = np.sort(np.concatenate([choosing, partners.reshape(-1)])), size
    return best


class _Free:
    """Places of a sorted list that are not taken yet; finding the next one takes nearly constant time."""

    def __init__(self, n: int) -> None:
        self.right = list(range(n + 1))
        self.left = list(range(n + 1))  # shifted by one: place k is at k + 1, 0 = none
        self.n = n

    def take(self, values: NDArray[np.float64], value: float, width: float) -> int:
        """Take the free place nearest to `value` within `width`; -1 where there is none."""
        at = int(np.searchsorted(values, value))
        after, before = self._find(self.right, at), self._find(self.left, at) - 1
        best, distance = -1, width
        if after < self.n and values[after] - value <= distance:
            best, distance = after, float(values[after] - value)
        if before >= 0 and value - values[before] < distance + (best < 0) * 1e-12:
            best = before
        if best >= 0:
            self.right[best] = best + 1
            self.left[best + 1] = best
        return best

    @staticmethod
    def _find(links: list[int], place: int) -> int:
        while links[place] != place:
            links[place] = links[links[place]]
            place = links[place]
        return place
