"""In which stage of a build a flagged cue came in: the source, the raw forgery, the common last step, or a platform."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cmdfd.audit.analysis import Settings, analyse
from cmdfd.audit.records import Lineage, Stage
from cmdfd.audit.severity import GRADES, SHOWN_P
from cmdfd.errors import CmdfdError
from cmdfd.report.text import number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from cmdfd.audit.cue import Cue
    from cmdfd.audit.finding import Finding

#: Stages in the order of the way of a clip, and how a sentence calls what they leave.
STAGES = {
    "source": "at the source",
    "raw": "in the generator's raw output",
    "harmonised": "after harmonise",
    "social": "after the platform",
}
#: Draws behind each p.
DRAWS = 999
#: What the audit says of a comparison in which it had nothing to test.
NOTHING_VARIES = "no cue varies"
#: AUC from which on a cue that is shown counts as there: the lower end of the lowest grade.
THERE = min(bound for bound, _ in GRADES)


def lineage(
    stages: pd.DataFrame,
    clips: pd.DataFrame,
    cues: Sequence[str],
    cue_of: Callable[[str], Cue],
    *,
    n_draws: int = DRAWS,
    seed: int = 0,
) -> tuple[Lineage, ...]:
    """Test the flagged cues at every stage of a set that was built here.

    At each stage the cues are tested together, as by the audit itself (max-T over all views); trees tell how far those
    go that are shown.

    Args:
        stages: `stages.parquet`: id, stage, and cues as they are at that stage.
        clips: id, label (1 = fake), component of the same clips; clips that are not among the stages are left out.
        cues: Names of the flagged cues, the worst first; others than those that the stages have are left out.
        cue_of: Gives the record of a cue by name.
        n_draws: Rearrangements behind each p.
        seed: Seed.

    Returns:
        One a cue, in the order of `cues`.

    Raises:
        CmdfdError: Where a table lacks a column.
    """
    for name, table, needed in (("stages", stages, ("id", "stage")), ("clips", clips, ("id", "label", "component"))):
        lacking = [column for column in needed if column not in table.columns]
        if lacking:
            raise CmdfdError(f"lineage: the table of {name} lacks {', '.join(lacking)}; it needs {', '.join(needed)}")
    known = [cue for cue in dict.fromkeys(cues) if cue in stages.columns]
    facts = clips[["id", "label", "component"]].drop_duplicates("id")
    joined = stages[["id", "stage", *known]].merge(facts, on="id")
    names = [name for name in STAGES if (joined["stage"] == name).any()]
    found = {name: _tested(joined[joined["stage"] == name], known, cue_of, n_draws, seed) for name in names}
    told = []
    for cue in known:
        way = tuple(found[name][cue] for name in names if cue in found[name])
        if way:
            appeared = next((one.stage for one in way if is_there(one)), "")
            told.append(Lineage(cue, way, appeared, sentence(cue_of(cue).title, way)))
    return tuple(told)


def is_there(stage: Stage) -> bool:
    """Whether a cue tells the classes at a stage."""
    return stage.p is not None and stage.p < SHOWN_P and stage.auc is not None and stage.auc >= THERE


def _tested(
    part: pd.DataFrame, cues: Sequence[str], cue_of: Callable[[str], Cue], n_draws: int, seed: int
) -> dict[str, Stage]:
    """What is found of each cue that any clip has at this stage."""
    stage = str(part["stage"].iloc[0])
    measured = [cue for cue in cues if part[cue].notna().any()]
    labels = part["label"][part["label"].isin([0, 1])]
    if not measured or labels.nunique() < 2:
        return {cue: Stage(stage, None, None) for cue in measured}
    frame = part[["label", "component", *measured]]
    settings = Settings(by=(), n_draws=n_draws, seed=seed, trees="shown")
    analysis = analyse(frame, cue_of, settings)
    found: dict[str, Finding] = {one.cue: one for one in analysis.findings}
    # a cue that is the same for all clips is no finding, and tells nothing
    testable = analysis.comparisons[0].testable or analysis.comparisons[0].note == NOTHING_VARIES
    same = Stage(stage, 0.5, 1.0 if testable else None)
    return {cue: Stage(stage, found[cue].auc, found[cue].p) if cue in found else same for cue in measured}


def sentence(title: str, way: Sequence[Stage]) -> str:
    """Where a cue comes from and whether it goes, in words.

    Args:
        title: The cue, as the subject of a sentence.
        way: The stages at which it was measured, in order.
    """
    there = [is_there(one) for one in way]
    name = f"{title[0].upper()}{title[1:]}"
    if not any(one.p is not None for one in way):
        return f"{name} could not be tested at any stage."
    if not any(there):
        return f"{name} was not shown to tell the classes at any single stage ({_list(way)})."
    first = there.index(True)
    text = f"{name} appears {_where(way[first])}"
    before = way[:first]
    if before:
        text += f"; it is absent {' and '.join(_where(one) for one in before)}"
    elif way[first].stage == "source":
        text += ", before anything was forged: real and fake clips come from different recordings"
    elif len(way) == 1 or way[0].stage == "harmonised":
        text += "; earlier stages do not have it"
    for one, now in zip(way[first + 1 :], there[first + 1 :], strict=True):
        text += f"; it is {'still there' if now else 'gone'} {_where(one)}"
    return f"{text}."


def _where(stage: Stage) -> str:
    words = STAGES.get(stage.stage, stage.stage)
    return f"{words} (AUC {number(stage.auc)})" if stage.auc is not None else words


def _list(way: Sequence[Stage]) -> str:
    return ", ".join(f"{number(one.auc)} {STAGES.get(one.stage, one.stage)}" for one in way)
