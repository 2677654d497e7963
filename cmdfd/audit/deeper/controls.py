"""Whether the audit works on this very set: it must stay silent on shuffled labels and see what is planted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.cue import CATEGORY
from cmdfd.audit.deeper.probing import cells
from cmdfd.audit.records import Controls
from cmdfd.audit.severity import SHOWN_P, grade
from cmdfd.audit.views import column_of, views_of
from cmdfd.statistics.arrays import as_labels, component_codes
from cmdfd.statistics.bootstrap import bootstrap_auc
from cmdfd.statistics.maxt import max_t
from cmdfd.statistics.permutation import LabelShuffler
from cmdfd.statistics.roc import auc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

#: Runs on shuffled labels.
N_SHUFFLED = 20
#: Injected cues of each size.
N_INJECTED = 20
#: AUC that an injected cue has on average, in rising order; the search ends where all of a size are flagged.
SIZES = (0.55, 0.56, 0.58, 0.60, 0.65, 0.70, 0.75, 0.80, 0.85, 0.90, 0.95)
#: Share of an injected cue's variance that belongs to the component (voices, cameras), the rest to the clip.
BETWEEN = 0.5
#: Rearrangements of each run: p = .005 can be reached.
DRAWS = 199
#: Draws behind the interval of an injected cue.
INTERVAL_DRAWS = 199
#: Power that defines the smallest detectable effect.
POWER = 0.8
#: Numbers that are rearranged in all runs on shuffled labels together; of a large set there are fewer runs.
WORK = 20_000_000_000
MIN_SHUFFLED = 5
#: Streams of chance of their own: labels must not be rearranged by the very bits that an injected cue is made of.
SHUFFLING, INJECTING = 1, 2


def controls(
    table: pd.DataFrame,
    units: Mapping[str, str],
    labels: ArrayLike,
    components: ArrayLike,
    *,
    n_shuffled: int = N_SHUFFLED,
    n_injected: int = N_INJECTED,
    seed: int = 0,
) -> Controls | None:
    """Run the test of the audit on labels that mean nothing, and on cues that were made up to differ.

    Both use the ranked views of all cues under one max-T, as the audit does, with fewer rearrangements.

    Args:
        table: [n] labelled clips, one row each.
        units: Unit of each cue; cues are its keys.
        labels: [n], 1 = fake.
        components: [n].
        n_shuffled: Runs on shuffled labels.
        n_injected: Injected cues of each size.
        seed: Seed.

    Returns:
        None where the set cannot be tested (too few components), or has no cue that varies.

    Raises:
        ValueError: Where lengths do not fit or a class is missing.
    """
    shuffler = LabelShuffler.of(labels, components)
    y, index = shuffler.labels, shuffler.index
    views = views_table(table, units, index)
    if shuffler.refusal() or views.shape[1] == 0:
        return None
    runs = max(min(n_shuffled, WORK // (views.size * DRAWS)), min(MIN_SHUFFLED, n_shuffled))
    alarms = 0
    drawn = shuffler.draw(np.random.default_rng([seed, SHUFFLING]), runs)
    for run, rearranged in enumerate(drawn):
        p = max_t(rearranged, views, index, DRAWS, seed=seed + 1 + run).p_adjusted
        alarms += int(p is not None and p.min() < SHOWN_P)
    curve = power_curve(y, index, views, n_injected, seed)
    return Controls(runs, alarms, detectable(curve), n_injected, curve)


def views_table(table: pd.DataFrame, units: Mapping[str, str], components: ArrayLike) -> NDArray[np.float64]:
    """[n, k] ranked views of all cues that vary.

    Args:
        table: [n] one row a clip.
        units: Unit of each cue; cues that the table lacks are left out.
        components: [n].
    """
    index = component_codes(components, len(table))
    found = []
    for name, unit in units.items():
        if name in table.columns:
            column = column_of(name, cells(table, name), unit == CATEGORY, unit)
            found += [] if column.constant else [view.values for view in views_of(column, index)]
    return np.column_stack(found) if found else np.empty((len(table), 0))


def power_curve(
    labels: ArrayLike, components: ArrayLike, views: NDArray[np.float64], n_injected: int, seed: int
) -> tuple[tuple[float, float], ...]:
    """How often an injected cue is flagged: adjusted p < .01 among all views, and a grade of at least "low".

    Args:
        labels: [n], 1 = fake.
        components: [n].
        views: [n, k] views that are tested along.
        n_injected: Injected cues of each size.
        seed: Seed.

    Returns:
        (AUC of the injected cues on average, share flagged) for each size, in rising order.
    """
    from scipy.special import ndtri

    y = as_labels(labels)
    index = component_codes(components, len(y))
    # the same noise at every size, so that a larger shift is a larger effect in each column
    noise = _noise(np.random.default_rng([seed, INJECTING]), index, n_injected)
    found = []
    for size in SIZES:
        injected = noise + y[:, None] * np.sqrt(2) * float(ndtri(size))  # equal normals: d = z sqrt 2
        p = max_t(y, np.hstack([views, injected]), index, DRAWS, seed=seed).p_adjusted
        reached = [auc(y, column) for column in injected.T]
        if p is None:
            return ()
        flags = [
            _flagged(column, y, index, float(value), seed)
            for column, value in zip(injected.T, p[views.shape[1] :], strict=True)
        ]
        found.append((float(np.mean(reached)), float(np.mean(flags))))
        if all(flags):
            break
    return tuple(found)


def _noise(rng: np.random.Generator, index: NDArray[np.intp], count: int) -> NDArray[np.float64]:
    """[n, count] normal noise of variance 1 that clips of one component share in part."""
    people = rng.normal(size=(int(index.max()) + 1, count))[index]
    found: NDArray[np.float64] = np.sqrt(BETWEEN) * people + np.sqrt(1 - BETWEEN) * rng.normal(size=(len(index), count))
    return found


def _flagged(
    values: NDArray[np.float64], labels: NDArray[np.bool_], index: NDArray[np.intp], p: float, seed: int
) -> bool:
    if p >= SHOWN_P:
        return False
    sign = 1 if auc(labels, values) >= 0.5 else -1
    low = bootstrap_auc(labels, sign * values, index, INTERVAL_DRAWS, seed=seed).low
    return grade(low, p, None) != "none"


def detectable(curve: Sequence[tuple[float, float]]) -> float | None:
    """Smallest AUC that is flagged in `POWER` of the trials, between two sizes by a straight line.

    Args:
        curve: (AUC, share flagged), in rising order of AUC.

    Returns:
        None where no size reaches it.
    """
    before = (0.5, 0.0)
    for size, share in curve:
        if share >= POWER:
            step = (POWER - before[1]) / (share - before[1]) if share > before[1] else 1.0
            return before[0] + step * (size - before[0])
        before = (size, share)
    return None
