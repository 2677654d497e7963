"""All leaks and nuisances together, and the fewest of them that do as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cmdfd.audit.deeper.probing import drawn_rows, features_of, grown, probe_of
from cmdfd.audit.records import Floor
from cmdfd.audit.severity import SHOWN_P
from cmdfd.statistics.arrays import as_labels, component_codes
from cmdfd.statistics.folds import make_folds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import ArrayLike

    from cmdfd.audit.cue import Cue
    from cmdfd.audit.deeper.probing import Features
    from cmdfd.audit.finding import Probe

#: The search for a minimal set ends this close to all cues together, or to 1.
CLOSE = 0.005
#: Cues of a minimal set, at most.
MAX_MINIMAL = 6
#: Flagged cues that take part in the search: those that tell most by themselves.
MAX_CANDIDATES = 12
#: Clips that the search looks at, at most (whole components).
MAX_SEARCHED = 10_000


def floor(
    table: pd.DataFrame,
    cues: Sequence[Cue],
    labels: ArrayLike,
    components: ArrayLike,
    p: Mapping[str, float | None],
    *,
    seed: int = 0,
) -> Floor | None:
    """How far a detector gets that neither looks nor listens.

    Args:
        table: [n] labelled clips, one row each.
        cues: Cues; debatable ones are left out, and so are those that are constant or that the table lacks.
        labels: [n], 1 = fake.
        components: [n].
        p: Adjusted p of each cue in the comparison of all fakes with all reals; None or missing = not testable.
        seed: Seed.

    Returns:
        None where trees cannot be cross-validated (under 12 components, a class from one component).

    Raises:
        ValueError: Where lengths do not fit.
    """
    y = as_labels(labels)
    index = component_codes(components, len(y))
    units = {cue.name: cue.unit for cue in cues if cue.kind != "debatable"}
    features = features_of(table, list(units), units, index)
    probe = probe_of(grown(features, y, index, seed=seed), y, index, seed=seed)
    if probe is None:
        return None
    tested = {name: p[name] for name in features.cues if p.get(name) is not None}
    flagged = [name for name, value in tested.items() if value is not None and value < SHOWN_P]
    return Floor(
        cues=features.cues,
        probe=probe,
        p=min((value for value in tested.values() if value is not None), default=None),
        minimal=minimal_set(features.of(*flagged), y, index, probe.auc, seed=seed),
        note=_note(probe),
    )


def minimal_set(
    features: Features, labels: ArrayLike, components: ArrayLike, goal: float, *, seed: int = 0
) -> tuple[tuple[str, float], ...]:
    """Forward selection: at each step the cue that raises the cross-validated AUC most.

    It ends within `CLOSE` of the goal, after `MAX_MINIMAL` cues, or where no cue helps.

    Args:
        features: Candidates.
        labels: [n], 1 = fake.
        components: [n].
        goal: AUC of all cues together.
        seed: Seed.

    Returns:
        Cues in the order of their choice, each with the AUC reached.
    """
    y = as_labels(labels)
    index = component_codes(components, len(y))
    rows = drawn_rows(index, MAX_SEARCHED, seed)
    y, index, features = y[rows], index[rows], features.rows(rows)
    folds = make_folds(y, index, seed=seed)
    if folds.refused:
        return ()

    def reached(*cues: str) -> float:
        return grown(features.of(*cues), y, index, seed=seed, folds=folds).auc(y) or 0.0

    alone = sorted(((reached(cue), cue) for cue in features.cues), key=lambda one: (-one[0], one[1]))
    found = [(cue, value) for value, cue in alone[:1]]
    left = [cue for _, cue in alone[1:MAX_CANDIDATES]]
    while left and found[-1][1] < goal - CLOSE and len(found) < MAX_MINIMAL:
        chosen = [cue for cue, _ in found]
        value, cue = max(((reached(*chosen, cue), cue) for cue in left), key=lambda one: (one[0], one[1]))
        if value <= found[-1][1]:
            break
        found.append((cue, value))
        left.remove(cue)
    return tuple(found)


def _note(probe: Probe) -> str:
    if probe.high is not None and probe.high < 0.5:
        return (
            f"the trees fall below chance (AUC {probe.auc:.2f}): a held-out clip has a twin of the other class among "
            "the clips that were learned from. This is a paired design whose pairs stand in different components; name "
            "the column that joins a real with its fakes, and audit again"
        )
    return ""
