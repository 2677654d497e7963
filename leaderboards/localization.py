"""Where a submitted system sees the forgery, judged as a run judges it (`benchmarks.localize`).

Names are a family and a metric: "temporal/AP@0.5", "temporal/AR@50", "temporal/score", "frame/pooled",
"frame/within_clip", "pixel/auc", "pixel/patch_auc", ... Intervals are those of the metrics, at 95 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leaderboards.standings import Number

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from benchmarks.localize import Localizer
    from benchmarks.results import Estimate, Localization
    from leaderboards.entries import Answers, Entry, Truth
    from leaderboards.scores import Arena

#: What stands in the key columns of the tables that are judged: the board compares clips under this condition only.
CONDITION = "untrimmed"
NOT_SUBMITTED = "nothing was submitted over time or over the picture"
#: One long stretch a clip finds them all, whatever the system sees.
WHOLE = "every fake is forged from end to end: there is nothing to find"


@dataclass(frozen=True, slots=True)
class Located:
    """What was found.

    Args:
        numbers: Name -> number.
        absent: Family -> why there are none.
    """

    numbers: dict[str, Number]
    absent: dict[str, str]


def locates(entry: Entry) -> bool:
    """Whether a system says anything about where forgeries are."""
    return any(
        bool(answers.pixels) or any(_given(answers.rows[name]) for name in ("frame_scores", "proposals"))
        for answers in entry.answers.values()
    )


def locate(entry: Entry, truth: Truth, arena: Arena) -> Located:
    """Judge a system on one set; what it can tell at all is read off all its sets.

    Args:
        entry: The system.
        truth: The set.
        arena: The same set: seed and number of draws.
    """
    from benchmarks.localize import Localizer

    answers = entry.answers[truth.set.name]
    rules = sorted({str(rule) for one in entry.answers.values() for rule in one.rows["proposal_rule"] if rule})
    localizer = Localizer(
        names_stretches=bool(rules) or any(_given(one.rows["proposals"]) for one in entry.answers.values()),
        rule=rules[0] if rules else "",
        gives_scores=any(_given(one.rows["frame_scores"]) for one in entry.answers.values()),
        pixels=_pixels(entry, truth, answers),
        seed=arena.seed,
        n_draws=arena.n_draws,
    )
    return _named(localizer, _table(entry, truth, answers))


def _given(column: pd.Series[Any]) -> bool:
    """Whether any entry of a column of lists holds something; lists may be missing."""
    return any(len(value) for value in column.tolist() if value is not None)


def _keys(entry: Entry, truth: Truth) -> dict[str, str]:
    dataset, _, split = truth.set.name.rpartition("/")
    return {"detector": entry.submission.system.slug, "dataset": dataset, "split": split, "condition": CONDITION}


def _table(entry: Entry, truth: Truth, answers: Answers) -> pd.DataFrame:
    """Rows as a run's table has them."""
    names = ["times", "frame_scores", "proposals", "proposal_rule", "error"]
    rows = answers.rows[names].reset_index(drop=True)
    table = truth.table.reset_index(drop=True).assign(**_keys(entry, truth), score=answers.scores)
    # stretches without a rule are the system's own, which a run keeps in another column
    return table.assign(**{name: rows[name] for name in names}, segments=rows["proposals"])


def _pixels(entry: Entry, truth: Truth, answers: Answers) -> Any:
    from benchmarks.localize import pixel_table

    keys = _keys(entry, truth)
    return pixel_table({**row, **keys} for row in answers.pixels or ())


def _named(localizer: Localizer, table: pd.DataFrame) -> Located:
    found: Localization = localizer.judge(table)
    absent = {family.removesuffix("_auc"): reason for family, reason in found.absent.items()}
    temporal = found.temporal
    if temporal is not None and not found.n_partial:
        temporal, absent["temporal"] = None, WHOLE
    numbers: dict[str, Number] = {}
    for family, estimates in (("temporal", temporal), ("frame", found.frame_auc), ("pixel", found.pixel)):
        numbers.update(_numbers(family, estimates or {}))
    return Located(numbers, absent)


def _numbers(family: str, estimates: Mapping[str, Estimate]) -> dict[str, Number]:
    return {
        f"{family}/{_metric(name)}": Number(one.value, one.low, one.high, one.unreliable or "")
        for name, one in estimates.items()
    }


def _metric(name: str) -> str:
    for measure in ("ap@", "ar@"):
        if name.startswith(measure):
            return measure.upper() + name.removeprefix(measure).upper()
    return name.removeprefix("pixel_")
