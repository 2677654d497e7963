"""Declared demographics: cues, and Cramér's V against label, split and generator. Nothing is ever guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.check import Check
from cmdfd.audit.cue import CATEGORY, Cue
from cmdfd.audit.setcues.columns import NOBODY, Rows, codes

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

#: Columns of a target that state a demographic property, e.g. "demog.gender".
PREFIX = "demog."
#: Facts that a property is held against.
AGAINST = ("label", "split", "generator")
#: Numbers with more distinct values (ages) are cut into that many groups of equal size.
_GROUPS = 5
_REMEDY = "draw clips so that every group has the same share of fakes in every split and for every generator (match)"
#: Cohen's "medium" association for a table with two rows (Statistical Power Analysis, 1988, chapter 7: w = .3).
STRONG = 0.3


def demographic_cues(clips: pd.DataFrame) -> dict[str, Cue]:
    """Cue records for the columns "demog.*" that a target states.

    They are nuisances: a class that is mostly of one group has nothing to do with forging, and is repaired by drawing
    clips, never by changing them.

    Args:
        clips: `Target.clips`.
    """
    found = {}
    for name in dict.fromkeys(str(one) for one in clips.columns):
        if name.startswith(PREFIX) and len(name) > len(PREFIX):
            word = name.removeprefix(PREFIX).replace("_", " ")
            rule = f"the set's own statement of {word}; never inferred from face or voice"
            found[name] = Cue(
                name, f"the declared {word}", CATEGORY, "nuisance", rule, _REMEDY, "demographics by class", "match"
            )
    return found


def cramers_v(first: NDArray[np.intp], second: NDArray[np.intp]) -> float | None:
    """Cramér's V of two codings with the correction of bias of Bergsma (J. Korean Stat. Soc. 42, 2013).

    Args:
        first: [n] codes >= 0; negative = unknown, left out.
        second: [n] codes likewise.

    Returns:
        0 (independent) to 1; None where either has fewer than two levels or there are fewer than two clips.
    """
    known = (first >= 0) & (second >= 0)
    a = np.unique(first[known], return_inverse=True)[1]
    b = np.unique(second[known], return_inverse=True)[1]
    n = len(a)
    r, c = int(a.max(initial=-1)) + 1, int(b.max(initial=-1)) + 1
    if n < 2 or r < 2 or c < 2:
        return None
    seen = np.bincount(a * c + b, minlength=r * c).reshape(r, c).astype(np.float64)
    expected = seen.sum(1, keepdims=True) * seen.sum(0, keepdims=True) / n
    squared = float(((seen - expected) ** 2 / expected).sum()) / n
    excess = max(0.0, squared - (r - 1) * (c - 1) / (n - 1))
    rows, columns = r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)
    smaller = min(rows, columns) - 1
    return float(np.sqrt(excess / smaller)) if smaller > 0 else None


def demographic_table(clips: pd.DataFrame) -> pd.DataFrame:
    """Association of every declared property with label, split and generator (fakes only).

    Args:
        clips: `Target.clips`.

    Returns:
        Columns cue, against, v (null where there is nothing to compare), n (clips that state both), levels.
    """
    import pandas as pd

    rows = Rows(clips, clips)
    found = []
    for name in demographic_cues(clips):
        own = _groups(rows, name)
        for fact in AGAINST:
            other = _fact(rows, fact)
            n = int(((own >= 0) & (other >= 0)).sum())
            found.append((name, fact, cramers_v(own, other), n, len(np.unique(own[own >= 0]))))
    return pd.DataFrame(found, columns=["cue", "against", "v", "n", "levels"])


def demographic_checks(rows: Rows) -> list[Check]:
    """What is worth knowing about declared demographics; significance is the matter of the cues."""
    table = demographic_table(rows.clips)
    found = []
    for name, own in table.groupby("cue", sort=False):
        known = own[own["v"].notna()]
        if known.empty:
            continue
        told = ", ".join(f"{v:.2f} with {fact}" for fact, v in zip(known["against"], known["v"], strict=True))
        strong = bool((known["v"] >= STRONG).any())
        word = str(name).removeprefix(PREFIX)
        sentence = (
            f"Declared {word} ({int(own['levels'].iloc[0])} groups): Cramér's V is {told}"
            f"{'; .3 or more is no small imbalance' if strong else ''}."
        )
        found.append(Check(f"demog.{word}", "none", sentence, int(known["n"].max()), (), _REMEDY, "match"))
    return found


def _fact(rows: Rows, name: str) -> NDArray[np.intp]:
    if name == "label":
        return rows.flag("label").astype(np.intp)
    own = rows.codes(name)
    return np.where(rows.flag("label") == 1, own, NOBODY) if name == "generator" else own


def _groups(rows: Rows, name: str) -> NDArray[np.intp]:
    values = rows.number(name)
    known = ~np.isnan(values)
    if known.any() and known.sum() == (rows.text(name) != "").sum() and len(np.unique(values[known])) > 2 * _GROUPS:
        edges = np.quantile(values[known], np.linspace(0, 1, _GROUPS + 1)[1:-1])
        return np.where(known, np.searchsorted(edges, values, side="right"), NOBODY).astype(np.intp)
    return codes(np.array([one.strip().lower() for one in rows.text(name)], dtype=object))
