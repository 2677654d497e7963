"""How large an effect is: the view that ranks best, its threshold, and what the classes look like, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.finding import Probe, Rule
from cmdfd.report.text import percent
from cmdfd.statistics.bootstrap import bootstrap_auc_draws, class_components, interval_of
from cmdfd.statistics.roc import auc, best_threshold, tpr_at_fpr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cmdfd.audit.cue import Cue
    from cmdfd.audit.views import View

#: Draws of the bootstrap behind each interval.
INTERVAL_DRAWS = 500
#: "Above 24 ms" is told rather than "nearer than 15 ms from the median", unless the latter gains this much.
PLAIN_MARGIN = 0.02
#: AUCs that differ by less are the same number computed in another order.
_SAME = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Effect:
    """The view that separates best, with its direction taken out.

    Args:
        view: The view.
        auc: 0.5 to 1.
        sign: 1 where it is larger in fakes, else -1.
        present: [n] clips for which it is measurable.
    """

    view: View
    auc: float
    sign: int
    present: NDArray[np.bool_]


def effect_of(views: Sequence[View], labels: NDArray[np.bool_]) -> Effect:
    """Choose the view with the largest AUC in either direction; the first one of equals, the plain value of near ones.

    Raises:
        ValueError: Without views.
    """
    best: Effect | None = None
    for view in views:
        present = ~np.isnan(view.values)
        part = labels[present]
        value = auc(part, view.values[present]) if part.any() and not part.all() else 0.5
        sign = 1 if value >= 0.5 else -1
        margin = PLAIN_MARGIN if best is not None and best.view.kind == "value" and view.kind == "distance" else _SAME
        if best is None or max(value, 1 - value) > best.auc + margin:
            best = Effect(view, max(value, 1 - value), sign, present)
    if best is None:
        raise ValueError("a cue without views has no effect")
    return best


def rank_probe(effect: Effect, labels: NDArray[np.bool_], components: NDArray[np.intp], seed: int) -> Probe:
    """The view as a score, with the component interval of its AUC."""
    if effect.auc <= 0.5:
        return Probe("rank", effect.auc)
    here = effect.present
    scores = effect.sign * effect.view.values[here]
    low, high = centred_interval(effect.auc, labels[here], scores, components[here], seed)
    return Probe("rank", effect.auc, low, high, tpr_at_fpr(labels[here], scores))


def centred_interval(
    value: float, labels: NDArray[np.bool_], scores: NDArray[np.float64], components: NDArray[np.intp], seed: int
) -> tuple[float | None, float | None]:
    """Component interval of an AUC, its draws moved so that their mean is the AUC.

    A component that is drawn twice counts its own pairs of real and fake four times and its pairs with others twice,
    so that draws of a paired set lie above a small AUC that comes from inside the pairs alone.
    """
    draws = bootstrap_auc_draws(labels, scores, components, INTERVAL_DRAWS, seed=seed)
    if not np.isfinite(draws).any():
        return None, None
    moved = np.clip(draws + (value - np.nanmean(draws)), 0.0, 1.0)
    found = interval_of(moved, 0.95, class_components(labels, components))
    return found.low, found.high


def rule_of(cue: Cue, effect: Effect, labels: NDArray[np.bool_]) -> Rule | None:
    """The single threshold or category of the highest balanced accuracy; None where nothing ranks."""
    view, here = effect.view, effect.present
    if view.kind == "order" or effect.auc <= 0.5:
        return None
    values, above = view.values, effect.sign > 0
    if view.binary:
        called = here & (values == (1 if above else 0))
        words = {"missing": ("is not measurable", "is measurable"), "word": (view.name, f"lacks {view.level!r}")}
        yes, no = words.get(view.kind, (view.name, f"is not {view.level!r}"))
        where, threshold = (yes if above else no), None
    else:
        threshold = best_threshold(labels[here], effect.sign * values[here]) * effect.sign
        with np.errstate(invalid="ignore"):
            called = here & ((values >= threshold) if above else (values <= threshold))
        side = "above" if above else "below"
        where = f"{side} {quantity(threshold, cue.unit)}"
        if view.kind == "distance":
            where = f"{'further' if above else 'nearer'} than {quantity(threshold, cue.unit)} from the median"
    return Rule(where, threshold, above, float(called[labels].mean()), float(called[~labels].mean()))


def quantity(value: float, unit: str) -> str:
    """A number with its unit; short times in milliseconds.

    >>> quantity(0.03125, "s"), quantity(2.5, "s"), quantity(3.0, "frames")
    ('31.2 ms', '2.5 s', '3 frames')
    """
    if unit == "s" and abs(value) < 1:
        return f"{value * 1000:.3g} ms"
    if unit == "1/s":
        return f"{value:.5g} per second"
    return f"{value:.4g} {unit}".rstrip() if abs(value) < 1e4 else f"{value:.0f} {unit}".rstrip()


def typical(cue: Cue, effect: Effect, labels: NDArray[np.bool_]) -> str:
    """What fakes and reals look like, in words."""
    view, here = effect.view, effect.present
    fakes, reals = view.values[here & labels], view.values[here & ~labels]
    if view.kind == "order" or len(fakes) == 0 or len(reals) == 0:
        return "the values differ in their share of fakes"
    if view.binary:
        name = f"it {view.name}"
        return f"{name} for {percent(fakes.mean())} of the fakes and {percent(reals.mean())} of the reals"
    word = "median distance from the common median" if view.kind == "distance" else "median"
    return f"{word} {quantity(np.median(fakes), cue.unit)} in fakes and {quantity(np.median(reals), cue.unit)} in reals"
