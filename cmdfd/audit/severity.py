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
        p: Chance that any cue shows so long a run of one class anywhere (permutation); None = not tested.
    """

    label: int
    share: float
    n_clips: int
    n_components: int
    where: str
    lower_bound: float
    p: float | None = None

    @property
    def certain(self) -> bool:
        """Whether chance does not explain it."""
        return self.p is not None and self.p < SHOWN_P


def grade(low: float | None, p: float | None, marker: Marker | None) -> Severity:
    """Grade a cue.

    Args:
        low: Lower end of the interval of its AUC (direction taken out), or None.
        p: Adjusted p, or None where it could not be tested.
        marker: A marker, or None; it counts where its own p is below .01.
    """
    if p is None or p >= SHOWN_P:
        return "none"
    if marker is not None and marker.certain:
        return "critical"
    return next((name for bound, name in GRADES if low is not None and low >= bound), "none")


def marker_of(view: View, labels: NDArray[np.bool_], components: NDArray[np.intp]) -> Marker | None:
    """The heaviest set of clips at one level, or beyond one end of the other class, that is of one class only.

    Weight is the number of clips times minus the logarithm of the class's share (see `cmdfd.statistics.runs`). All k
    of k components being of one class bounds the certainty by (error/2)^(1/k).

    Args:
        view: A ranked view.
        labels: [n], True = fake.
        components: [n].
    """
    best: Marker | None = None
    heaviest = 0.0
    for label in (1, 0):
        own = labels == bool(label)
        surprise = -np.log(np.clip(own.mean(), 1e-9, 1 - 1e-9))
        for where, chosen in _candidates(view, own):
            count = int(chosen.sum())
            share = count / max(int(own.sum()), 1)
            if share < MARKER_SHARE or count * surprise <= heaviest:
                continue
            heaviest = count * surprise
            k = len(np.unique(components[chosen]))
            best = Marker(label, share, count, k, where, (MARKER_ERROR / 2) ** (1 / k))
    return best


def _candidates(view: View, own: NDArray[np.bool_]) -> list[tuple[str, NDArray[np.bool_]]]:
    values = view.values
    present = ~np.isnan(values)
    others = values[present & ~own]
    if view.binary:
        names = {"missing": ("is not measurable", "is measurable"), "word": (view.name, f"lacks {view.level!r}")}
        yes, no = names.get(view.kind, (view.name, f"is not {view.level!r}"))
        sides = [(yes, present & (values == 1)), (no, present & (values == 0))]
        return [(where, chosen) for where, chosen in sides if chosen.any() and not (chosen & ~own).any()]
    if len(others) == 0:
        return []
    word = "distance from the median " if view.kind == "distance" else ""
    return [
        (f"{word}above {others.max():.6g}", present & (values > others.max())),
        (f"{word}below {others.min():.6g}", present & (values < others.min())),
    ]
