"""How bad a plain defect is, and how shares are told in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.severity import SEVERITIES
from cmdfd.report.text import listing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from cmdfd.audit.check import Check
    from cmdfd.audit.severity import Severity

#: From this share of a class or split on a defect is high (rule of the house: a certain leak in 5 % of a class) ...
WIDE = 0.05
#: ... and from this one medium; what is rarer is low.
NOTABLE = 0.01


def by_share(share: float, widest: Severity = "high") -> Severity:
    """Grade by the share of a class, or of a split, that is concerned.

    Args:
        share: 0 to 1.
        widest: Grade from `WIDE` on.

    >>> by_share(0.2), by_share(0.02), by_share(0.001), by_share(0.0)
    ('high', 'medium', 'low', 'none')
    """
    if share >= WIDE:
        return widest
    return "medium" if share >= NOTABLE else "low" if share > 0 else "none"


def worst_share(chosen: NDArray[np.bool_], groups: NDArray[np.intp]) -> tuple[float, int]:
    """Greatest share of chosen clips in a group, and that group; negative groups are left out."""
    known = groups >= 0
    if not known.any():
        return 0.0, -1
    sizes = np.bincount(groups[known])
    hits = np.bincount(groups[known & chosen], minlength=len(sizes))
    shares = hits / np.maximum(sizes, 1)
    worst = int(shares.argmax())
    return float(shares[worst]), worst


def share_of_class(chosen: NDArray[np.bool_], labels: NDArray[np.int8]) -> float:
    """Greatest share of a class that is chosen; of all clips where there are no labels."""
    if not (labels >= 0).any():
        return float(chosen.mean()) if len(chosen) else 0.0
    return worst_share(chosen, labels.astype(np.intp))[0]


def by_class(chosen: NDArray[np.bool_], labels: NDArray[np.int8]) -> str:
    """Counts by class, such as "3 of 20 reals and 1 of 18 fakes"."""
    known = [("reals", labels == 0), ("fakes", labels == 1), ("unlabelled clips", labels < 0)]
    parts = [f"{int((chosen & own).sum()):,} of {int(own.sum()):,} {word}" for word, own in known if own.any()]
    return listing(parts)


def sorted_checks(checks: Iterable[Check], first: Iterable[str] = ()) -> tuple[Check, ...]:
    """The worst first; among equals, families of `first` in that order, then the wider ones."""
    families = {name: place for place, name in enumerate(first)}

    def key(check: Check) -> tuple[int, int, int, str]:
        place = families.get(check.name, families.get(check.name.split(".", 1)[0], len(families)))
        return -SEVERITIES.index(check.severity), place, -check.n, check.name

    return tuple(sorted(checks, key=key))
