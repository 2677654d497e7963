"""How well predicted maps find the forged pixels, with component intervals. Pure functions over `PixelCounts`.

`benchmarks.metrics.spatial_counts` says when a pixel is forged, when it is called forged, and which map judges which
frame. The metrics, each with its convention:

- `pixel_auc`: AUC of the pixels *inside* a clip (all its frames pooled), for clips that have forged and genuine
  pixels; mean over those clips. Ties count half, so a constant map has exactly .5.
- `pixel_auc_pooled`: AUC of all pixels of all clips together, those of authentic clips among the negatives; every
  pixel counts alike, so large and long clips count more, and it also rewards knowing which clips are fake.
- `pixel_f1@0.5`, `pixel_iou@0.5`: of each frame with forged pixels (called forged from 128 of 255 on); mean over those
  frames of a clip, then over clips. Frames without a forged pixel have no F1 (0/0) and are left out; what is called
  forged there is told by `false_positive_area`.
- `pixel_best_f1`: F1 of a clip's pixels (all frames pooled, those without forged pixels too) at one threshold for all
  clips, mean over the clips with forged pixels, at the best threshold. It is chosen on what is judged: a ceiling of
  this way of counting, not a performance. It is no ceiling of `pixel_f1@0.5`, which is a mean over forged frames alone
  and may lie above it.
- `patch_auc`: as `pixel_auc`, of 16 x 16 patches.
- `false_positive_area`: share of the pixels that are called forged; mean over the clips without a forged pixel (all
  reals, and fakes of which only the sound is forged). Lower is better; an authentic clip with an empty map has 0.

Where the maps of real twins are given, two more (`TWIN_METRICS`): a map that finds faces has a high `pixel_auc` on
fakes whose faces are forged, without telling forged from genuine.

- `pixel_auc_twin`: AUC of the map of the *real twin* under the mask of the fake; mean over the fakes that have a twin.
  Nothing is forged there, so whatever is above (or below) .5 is owed to where the mask lies.
- `pixel_auc_gain`: `pixel_auc` minus `pixel_auc_twin`, clip by clip, over the fakes that have a twin; both are drawn
  together. 0 for a detector that says the same of both.

A clip without maps has the worst ones (`worst_counts`). A fake whose mask is unknown is left out of everything, and
`unreliable` says how many are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.metrics.spatial_counts import CALLED_FROM, LEVELS, PixelCounts, count_pixels, nearest_maps, worst_counts
from benchmarks.results import Estimate
from cmdfd.statistics.arrays import as_labels
from cmdfd.statistics.bootstrap import MIN_COMPONENTS, draw_components, interval_of
from cmdfd.statistics.ranking import RankCounts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from cmdfd.statistics.bootstrap import ComponentDraws

__all__ = [
    "HIGHER_IS_BETTER",
    "PIXEL_METRICS",
    "TWIN_METRICS",
    "PixelCounts",
    "count_pixels",
    "evaluate_pixels",
    "f1_by_threshold",
    "histogram_auc",
    "nearest_maps",
    "worst_counts",
]

#: Keys of `evaluate_pixels`, in the order in which they are printed.
PIXEL_METRICS = (
    "pixel_auc",
    "pixel_auc_pooled",
    "pixel_f1@0.5",
    "pixel_iou@0.5",
    "pixel_best_f1",
    "patch_auc",
    "false_positive_area",
)
#: Keys that are added where real twins are given: the control of `pixel_auc`, and what is left of it.
TWIN_METRICS = ("pixel_auc_twin", "pixel_auc_gain")
#: Which way each of `PIXEL_METRICS` is good.
HIGHER_IS_BETTER = {name: name != "false_positive_area" for name in PIXEL_METRICS}
LEVEL = 0.95
_MISSING = {
    "pixel_auc": "no clip has both forged and genuine pixels",
    "pixel_auc_pooled": "there are no forged pixels, or no genuine ones",
    "pixel_f1@0.5": "no clip has forged pixels",
    "pixel_iou@0.5": "no clip has forged pixels",
    "pixel_best_f1": "no clip has forged pixels",
    "patch_auc": "no clip has both forged and genuine patches",
    "false_positive_area": "every clip has forged pixels",
    **dict.fromkeys(TWIN_METRICS, "no clip with forged and genuine pixels has a real twin"),
}


def _falling(tables: NDArray[np.generic]) -> RankCounts:
    """Rank counts of [B, 2, 256] histograms, for the thresholds 256 (nothing), 255, ... 0."""
    above = np.zeros((*tables.shape[:-1], LEVELS + 1), dtype=np.float64)
    above[..., 1:] = np.cumsum(tables[..., ::-1], axis=-1, dtype=np.float64)
    return RankCounts(above[:, 1], above[:, 0])


def histogram_auc(tables: NDArray[np.generic]) -> NDArray[np.float64]:
    """AUC of values that were counted by class; ties count half.

    Args:
        tables: [B, 2, 256] counts or weights >= 0; row 1 = forged.

    Returns:
        [B]; NaN where a class is missing.
    """
    return _falling(tables).auc()


def f1_by_threshold(tables: NDArray[np.generic]) -> NDArray[np.float64]:
    """F1 of the forged class for every threshold.

    Args:
        tables: [n, 2, 256] counts; row 1 = forged.

    Returns:
        [n, 257]; column u calls forged what has at least 256 - u. NaN for rows without forged pixels.
    """
    counts = _falling(tables)
    bottom = counts.tp[:, -1:] + counts.tp + counts.fp  # 2 tp + fp + fn
    missing = counts.tp[:, -1:] == 0
    scores: NDArray[np.float64] = np.where(missing, np.nan, 2 * counts.tp / np.where(bottom > 0, bottom, 1))
    return scores


def frame_means(one: PixelCounts) -> tuple[float, float]:
    """Mean F1 and mean IoU over the frames of a clip that have forged pixels; NaN where there are none."""
    kept = one.tp + one.fn > 0
    if not kept.any():
        return float("nan"), float("nan")
    tp, wrong = one.tp[kept], one.fp[kept] + one.fn[kept]
    return float((2 * tp / (2 * tp + wrong)).mean()), float((tp / (tp + wrong)).mean())


def evaluate_pixels(
    counts: Sequence[PixelCounts | None],
    labels: ArrayLike,
    components: ArrayLike,
    *,
    twins: Sequence[NDArray[np.int64] | None] | None = None,
    n_draws: int = 1000,
    seed: int = 0,
) -> dict[str, Estimate]:
    """All pixel metrics of one detector on one set of clips.

    Args:
        counts: [n]; None for a fake whose mask is unknown, and for nothing else: a clip that failed has
            `worst_counts`.
        labels: [n], 1 = fake.
        components: [n] unit of the bootstrap.
        twins: [n] histograms [2, 256] like `PixelCounts.pixels`: the map of a fake's real twin under the mask of the
            fake. None for a clip without twin; None altogether where there is no such control.
        n_draws: Draws, the same for all metrics and for every detector of a set.
        seed: Seed.

    Returns:
        An estimate for every name in `PIXEL_METRICS`, with `twins` in `TWIN_METRICS`, too. `value` is None where a
        metric is undefined; `unreliable` says why. No number is ever NaN.

    Raises:
        ValueError: Where lengths differ, a real has no counts, a real has forged pixels, or a twin was counted under
            another mask than its fake.
    """
    y, names = as_labels(labels), np.asarray(components)
    if not len(counts) == len(y) == len(names):
        raise ValueError(f"{len(counts)} counts, {len(y)} labels and {len(names)} components must be as many")
    if twins is not None and len(twins) != len(y):
        raise ValueError(f"{len(twins)} twins and {len(y)} labels must be as many")
    _check_reals(counts, y)
    known = [number for number, one in enumerate(counts) if one is not None]
    note = None
    if len(known) < len(y):
        note = f"{len(y) - len(known)} of {int(y.sum())} fakes have no known mask and are left out"
    if not known:
        reason = f"undefined: {note or 'there are no clips'}"
        every = PIXEL_METRICS if twins is None else (*PIXEL_METRICS, *TWIN_METRICS)
        return {name: Estimate(value=None, level=LEVEL, unreliable=reason) for name in every}
    kept = [one for one in counts if one is not None]
    judge = _Judge(names[known], _draws(kept, names[known], n_draws, seed), note)
    found = _judge(kept, judge)
    if twins is not None:
        found |= _against_twins(kept, [twins[number] for number in known], judge)
    return found


def _check_reals(counts: Sequence[PixelCounts | None], fakes: NDArray[np.bool_]) -> None:
    for number, (one, fake) in enumerate(zip(counts, fakes, strict=True)):
        if not fake and (one is None or one.n_forged):
            what = "no counts" if one is None else f"{one.n_forged} forged pixels"
            raise ValueError(f"clip {number} is real and has {what}; the truth of a real clip is the empty mask")


def _draws(counts: Sequence[PixelCounts], components: NDArray[np.generic], n_draws: int, seed: int) -> ComponentDraws:
    return draw_components(components, n_draws, seed, [one.n_forged > 0 for one in counts])


def _against_twins(
    counts: Sequence[PixelCounts], twins: Sequence[NDArray[np.int64] | None], judge: _Judge
) -> dict[str, Estimate]:
    tables = np.zeros((len(counts), 2, LEVELS), dtype=np.int64)
    for number, (one, twin) in enumerate(zip(counts, twins, strict=True)):
        if twin is None:
            continue
        if twin.shape != (2, LEVELS) or (twin.sum(axis=1) != one.pixels.sum(axis=1)).any():
            raise ValueError(f"the twin of known clip {number} was not counted under the mask of its fake")
        tables[number] = twin
    aucs, others = histogram_auc(np.stack([one.pixels for one in counts])), histogram_auc(tables)
    wanted, alone = int((~np.isnan(aucs)).sum()), int((~np.isnan(aucs) & np.isnan(others)).sum())
    if alone:
        words = f"{alone} of {wanted} forged clips have no real twin to compare with"
        judge = replace(judge, note="; ".join(part for part in (judge.note, words) if part))
    return {
        "pixel_auc_twin": judge.mean("pixel_auc_twin", others),
        "pixel_auc_gain": judge.mean("pixel_auc_gain", aucs - others),
    }


def _judge(counts: Sequence[PixelCounts], judge: _Judge) -> dict[str, Estimate]:
    pixels = np.stack([one.pixels for one in counts])
    touched = pixels[:, 1].sum(axis=1) > 0
    means = np.array([frame_means(one) for one in counts])
    called = pixels[:, 0, CALLED_FROM:].sum(axis=1) / pixels.sum(axis=(1, 2))
    patches = np.stack([one.patches for one in counts])
    return {
        "pixel_auc": judge.mean("pixel_auc", histogram_auc(pixels)),
        "pixel_auc_pooled": judge.pooled("pixel_auc_pooled", pixels),
        "pixel_f1@0.5": judge.mean("pixel_f1@0.5", means[:, 0]),
        "pixel_iou@0.5": judge.mean("pixel_iou@0.5", means[:, 1]),
        "pixel_best_f1": judge.best("pixel_best_f1", f1_by_threshold(pixels)),
        "patch_auc": judge.mean("patch_auc", histogram_auc(patches)),
        "false_positive_area": judge.mean("false_positive_area", np.where(touched, np.nan, called)),
    }


@dataclass(frozen=True, slots=True, eq=False)
class _Judge:
    """Makes estimates of per-clip numbers with one set of draws."""

    components: NDArray[np.generic]
    draws: ComponentDraws
    note: str | None

    def mean(self, name: str, values: NDArray[np.float64]) -> Estimate:
        """Mean of [n] values over the clips that have one (not NaN)."""
        return self.best(name, values[:, None])

    def best(self, name: str, values: NDArray[np.float64]) -> Estimate:
        """Highest mean of [n, U] values over clips, every draw with its own best column."""
        kept = ~np.isnan(values[:, 0])
        if not kept.any():
            return self._undefined(name)
        index = self.draws.index[kept]
        size = self.draws.multiplicities.shape[1]
        sums = np.zeros((size, values.shape[1]))
        np.add.at(sums, index, values[kept])
        weights = self.draws.multiplicities.astype(np.float64)
        total = weights @ np.bincount(index, minlength=size)
        drawn = np.divide((weights @ sums).max(axis=1), total, out=np.full(len(weights), np.nan), where=total > 0)
        return self._estimate(float(values[kept].mean(axis=0).max()), drawn, kept)

    def pooled(self, name: str, tables: NDArray[np.int64]) -> Estimate:
        """AUC of the [n, 2, 256] histograms of all clips together."""
        value = float(histogram_auc(tables.sum(axis=0)[None])[0])
        if np.isnan(value):
            return self._undefined(name)
        size = self.draws.multiplicities.shape[1]
        sums = np.zeros((size, 2 * LEVELS))
        np.add.at(sums, self.draws.index, tables.reshape(len(tables), -1).astype(np.float64))
        drawn = (self.draws.multiplicities.astype(np.float64) @ sums).reshape(-1, 2, LEVELS)
        return self._estimate(value, histogram_auc(drawn), tables[:, 1].sum(axis=1) > 0)

    def _undefined(self, name: str) -> Estimate:
        reason = "; ".join(part for part in (f"undefined: {_MISSING[name]}", self.note) if part)
        return Estimate(value=None, level=LEVEL, unreliable=reason)

    def _estimate(self, value: float, drawn: NDArray[np.float64], kept: NDArray[np.bool_]) -> Estimate:
        size = len(np.unique(self.draws.index[kept]))
        few = f"only {size} component{'s' if size != 1 else ''}" if size < MIN_COMPONENTS else None
        interval = interval_of(drawn, LEVEL, size, few or self.note)
        return Estimate(value=value, low=interval.low, high=interval.high, level=LEVEL, unreliable=interval.unreliable)
