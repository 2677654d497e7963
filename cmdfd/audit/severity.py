"""How bad a cue is: grades, and markers that are rare but certain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmdfd.audit.views import View

Severity = Literal["none", "low", "medium", "high", "critical"]
#: In rising order.
SEVERITIES: tuple[Severity, ...] = ("none", "low", "medium", "high", "critical")
#: Lower ends of the grades, on the lower end of the AUC's interval (rule of the house).
GRADES: tuple[tuple[float, Severity], ...] = ((0.95, "critical"), (0.80, "high"), (0.65, "medium"), (0.55, "low"))
#: Adjusted p from which on a cue counts as shown.
SHOWN_P = 0.01
#: Share of a class from which on a certain marker is critical.
MARKER_SHARE = 0.05
#: Two-sided error of the exact lower bound of a marker's certainty.
MARKER_ERROR = 0.05


@dataclass(frozen=True, slots=True)
class Marker:
    """A set of clips that the cue singles out and that are all of one class.

    Args:
        label: 1 = all of them are fake, 0 = all are real.
        share: Share of that class's clips.
        n_clips: Clips.
        n_components: Components that they come from.
        where: The rule, e.g. "above 48" or "is 'mp4v'".
        lower_bound: Clopper-Pearson lower bound of the chance that such a component has this class.
    """

    label: int
    share: float
    n_clips: int
    n_components: int
    where: str
    lower_bound: float


def grade(low: float | None, p: float | None, marker: Marker | None) -> Severity:
    """Grade a cue.

    Args:
        low: Lower end of the interval of its AUC (direction taken out), or None.
        p: Adjusted p, or None where it could not be tested.
        marker: A certain marker, or None.
    """
    if p is None or p >= SHOWN_P:
        return "none"
    if marker is not None:
        return "critical"
    return next((name for bound, name in GRADES if low is not None and low >= bound), "none")


def marker_of(view: View, labels: NDArray[np.bool_], components: NDArray[np.intp]) -> Marker | None:
    """The largest set of clips at one level, or beyond one end of the other class, that is of one class only.

    Components are counted, not clips: all k of k being of one class bounds the certainty by (error/2)^(1/k), and the
    marker counts only where this bound is above the class's share of the set.

    Args:
        view: A testable view.
        labels: [n], True = fake.
        components: [n].
    """
    best: Marker | None = None
    for label in (1, 0):
        own = labels == bool(label)
        for where, chosen in _candidates(view, own):
            count = int(chosen.sum())
            share = count / max(int(own.sum()), 1)
            if share < MARKER_SHARE or (best is not None and share <= best.share):
                continue
            k = len(np.unique(components[chosen]))
            bound = (MARKER_ERROR / 2) ** (1 / k)
            if bound > own.mean():
                best = Marker(label, share, count, k, where, bound)
    return best


def _candidates(view: View, own: NDArray[np.bool_]) -> list[tuple[str, NDArray[np.bool_]]]:
    values = view.values
    present = ~np.isnan(values)
    others = values[present & ~own]
    if view.kind in ("level", "missing"):
        word = "not measurable" if view.kind == "missing" else f"{view.level!r}"
        sides = [(f"is {word}", present & (values == 1)), (f"is not {word}", present & (values == 0))]
        return [(where, chosen) for where, chosen in sides if chosen.any() and not (chosen & ~own).any()]
    if len(others) == 0:
        return []
    word = "distance from the median " if view.kind == "distance" else ""
    return [
        (f"{word}above {others.max():.6g}", present & (values > others.max())),
        (f"{word}below {others.min():.6g}", present & (values < others.min())),
    ]
