"""Name that split: whether cues of unforged clips tell to which split, platform or other part a clip belongs.

After Torralba and Efros, "Unbiased Look at Dataset Bias" (CVPR 2011), who had a classifier name the data set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.analysis import Settings, analyse
from cmdfd.audit.deeper.probing import INTERVAL_DRAWS, drawn_rows, features_of, grown
from cmdfd.audit.records import SplitProbe
from cmdfd.statistics.arrays import component_codes
from cmdfd.statistics.bootstrap import MIN_COMPONENTS, draw_components, interval_of
from cmdfd.statistics.stratified import stratified_auc_draws

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from cmdfd.audit.cue import Cue

#: Cues of a path, which may well say to which split a clip belongs.
NAMES = frozenset({"meta.path", "meta.path_length", "meta.name_digits"})
#: Levels, those of most clips first; each costs trees and a test.
MAX_LEVELS = 12
#: Clips that are looked at, at most (whole components).
MAX_CLIPS = 10_000
#: Draws for each level, and at least this many for each level that there is (Bonferroni).
DRAWS, DRAWS_PER_LEVEL = 999, 200


def split_probe(
    table: pd.DataFrame,
    cue_of: Callable[[str], Cue],
    what: str = "split",
    *,
    n_draws: int = DRAWS,
    seed: int = 0,
) -> SplitProbe | None:
    """Try to name the level of a column from all cues but debatable ones.

    Args:
        table: One row a clip: `what`, `component`, cues whose names have a dot, and `label`, if it is known.
        cue_of: Gives the record of a cue by name.
        what: Column: "split", "platform" or another.
        n_draws: Rearrangements behind each p, at least.
        seed: Seed.

    Returns:
        None where the table lacks the column or it has one level; `note` says what could not be done.
    """
    if what not in table.columns or "component" not in table.columns:
        return None
    texts = table[what].fillna("").astype(str)
    if texts[texts != ""].nunique() < 2:
        return None
    rows, note = _chosen(table, texts)
    part = table[rows].reset_index(drop=True)
    index = component_codes(part["component"].to_numpy(), len(part))
    drawn = drawn_rows(index, MAX_CLIPS, seed)
    part, index = part.iloc[drawn].reset_index(drop=True), index[drawn]
    levels = part[what].astype(str).to_numpy()
    cues = [name for name in map(str, part.columns) if "." in name and cue_of(name).kind != "debatable"]
    cues = [name for name in cues if name not in NAMES]
    named = _named(part, cues, cue_of, levels, index, seed)
    p, worst = _tested(part, cues, cue_of, levels, n_draws, seed)
    if named.auc is None:
        note = "; ".join(text for text in (note, named.note) if text)
    return SplitProbe(what, named.auc, named.low, named.high, p, worst, len(part), note)


def _chosen(table: pd.DataFrame, texts: pd.Series) -> tuple[NDArray[np.bool_], str]:
    """Rows of the unforged clips, or of all where too few of them are left; and what to say about it."""
    known = (texts != "").to_numpy()
    if "label" not in table.columns:
        return known, "no labels are known, so forged clips may be among them"
    real = known & (table["label"] == 0).to_numpy()
    if texts[real].nunique() == texts[known].nunique() and not _too_few(texts[real], table["component"][real]):
        return real, ""
    return known, "too few unforged clips in some part, so all clips were taken: a difference may come from the forging"


def _too_few(texts: pd.Series, components: pd.Series) -> bool:
    return components.nunique() < MIN_COMPONENTS or int(components.groupby(texts).nunique().min()) < 2


def _frequent(levels: NDArray[np.generic]) -> Sequence[str]:
    names, counts = np.unique(levels, return_counts=True)
    return [str(names[k]) for k in np.argsort(-counts, kind="stable")[:MAX_LEVELS]]


@dataclass(frozen=True, slots=True)
class _Named:
    auc: float | None
    low: float | None
    high: float | None
    note: str


def _named(
    part: pd.DataFrame,
    cues: Sequence[str],
    cue_of: Callable[[str], Cue],
    levels: NDArray[np.generic],
    index: NDArray[np.intp],
    seed: int,
) -> _Named:
    """Mean over the levels of the AUC of "this level" against the rest; levels that cannot be held out are left out."""
    features = features_of(part, cues, {name: cue_of(name).unit for name in cues}, index)
    draws = draw_components(index, INTERVAL_DRAWS, seed)
    values, sampled, refused, sizes = [], [], "", []
    for level in _frequent(levels):
        here = levels == level
        found = grown(features, here, index, seed=seed)
        value = found.auc(here)
        if value is None:
            refused = found.refused
            continue
        values.append(value)
        sampled.append(stratified_auc_draws(here, found.scores, found.fold, draws))
        sizes.append(min(len(np.unique(index[here])), len(np.unique(index[~here]))))
    if not values:
        return _Named(None, None, None, refused.replace("fake", "member").replace("real", "other") or "no level")
    # a draw that lacks a level has no AUC for it, and the mean over levels would be of fewer of them
    interval = interval_of(np.mean(sampled, axis=0), 0.95, min(sizes), None)
    return _Named(float(np.mean(values)), interval.low, interval.high, "")


def _tested(
    part: pd.DataFrame,
    cues: Sequence[str],
    cue_of: Callable[[str], Cue],
    levels: NDArray[np.generic],
    n_draws: int,
    seed: int,
) -> tuple[float | None, str]:
    """Smallest p over cues (max-T) and levels (Bonferroni), and the cue that has it; one level stands for two."""
    names = _frequent(levels)
    tests = names[:1] if len(names) == 2 else names
    settings = Settings(by=(), n_draws=max(n_draws, DRAWS_PER_LEVEL * len(tests)), seed=seed, trees="none")
    best: tuple[float, float, str] | None = None
    for level in tests:
        frame = part[[*cues, "component"]].assign(label=(levels == level).astype(np.int64))
        for one in analyse(frame, cue_of, settings).findings:
            if one.p is not None and (best is None or (one.p, -one.auc) < best[:2]):
                best = (one.p, -one.auc, one.cue)
    if best is None:
        return None, ""
    return min(best[0] * len(tests), 1.0), best[2]
