"""How to read the numbers: what an interval holds and what it leaves out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from benchmarks.report.ran import components_sentence
from cmdfd.report.blocks import Bullets, Column, Entry, Row, RowGroup, Table, Value
from cmdfd.report.text import clean, number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.report.reading import Reading
    from benchmarks.results import Estimate

#: Names of the sets that the embedded renderer makes.
EMBEDDED = re.compile(r"mini(-[a-z])?")

_FLOORS = Entry(
    "Every detector is read beside random and beside the floors. floor:container sees timing, container, geometry and "
    "level; on a set without shortcuts it stays at chance. floor:rate sees file size and bit rate, which follow the "
    "content, so it may lie above chance without a fault of the set. The margin is the AUC above floor:container, "
    "drawn together with it.",
    "Floors.",
)
_FAILURES = Entry(
    "A clip that a detector could not score stays in: it counts as the worst score of its class.", "Failures."
)
_COLUMNS = Entry(
    "AUC and EER do not depend on how many fakes there are; AP does, so compare it between sets only at the same share "
    "of fakes. TPR at 1 % FPR rests on the highest-scored reals alone: with fewer than 100 reals it allows no false "
    "alarm at all.",
    "The other columns.",
)
_TALKERS = Entry(
    "The clips of the embedded sets are drawn by a program: faces without a person, speech of a synthesiser. They show "
    "that the pipeline works, that a method learns what it should, and where it is blind. They say nothing about how "
    "well it does on recordings of real people.",
    "Embedded talkers.",
)


def notes(reading: Reading) -> Bullets:
    """What every reader should know before quoting a number."""
    interval = Entry(
        "95 % of a bootstrap that draws whole components (people, voices, recordings) again and again. It says how far "
        "the number would move with other components of the same set. It does not hold the choice of the training "
        f"seed, of the training clips or of the set. Behind it stand {components_sentence(reading)}.",
        "The interval.",
    )
    trained = [_seed_entry(reading)] if reading.trains else []
    entries = [interval, *trained, _FLOORS, _FAILURES, _COLUMNS]
    doubtful = _doubts(reading)
    if doubtful:
        entries.append(Entry(f"Numbers with this mark should not be quoted: {'; '.join(doubtful)}.", "† Unreliable."))
    if any(EMBEDDED.fullmatch(info.name) for info in reading.result.datasets):
        entries.append(_TALKERS)
    return Bullets(tuple(entries))


def _seed_entry(reading: Reading) -> Entry:
    if reading.result.seed_spread is None:
        return Entry(
            "One training seed was run, so nothing here says how much another would change. --fit-seeds 3 does.",
            "The seed.",
        )
    return Entry(
        "The spread over training seeds stands in the table below. The intervals do not contain it.", "The seed."
    )


def seed_table(reading: Reading) -> Table | None:
    """AUC of each training seed, their mean and standard deviation."""
    spread = reading.result.seed_spread
    if not spread:
        return None
    rows = []
    for name, found in spread.items():
        details = found if isinstance(found, dict) else {"std": found}
        aucs = [value for value in details.get("auc", []) if isinstance(value, int | float)]
        cells = (
            Value(_number(details.get("mean")), reason=None if "mean" in details else "not recorded"),
            Value(_number(details.get("std")), reason=None if "std" in details else "not recorded"),
            ", ".join(number(float(value)) for value in aucs) or "–",
        )
        rows.append(Row(clean(name), cells))
    return Table(
        "Spread over training seeds, over all kinds. The intervals above do not contain it.",
        (Column("Set"), Column("Mean AUC"), Column("Standard deviation"), Column("AUC of each seed")),
        (RowGroup(tuple(rows)),),
    )


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _doubts(reading: Reading) -> list[str]:
    return list(dict.fromkeys(clean(estimate.unreliable) for estimate in _estimates(reading) if estimate.unreliable))[
        :8
    ]


def _estimates(reading: Reading) -> Iterator[Estimate]:
    for task in reading.result.tasks:
        yield from task.pooled.values()
        yield from (task.shared_kinds or {}).values()
        for row in task.kinds:
            yield from row.metrics.values()
    for item in reading.result.comparisons:
        yield from (item.in_auc, item.cross_auc, item.gap)
