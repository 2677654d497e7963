"""Train on a set with and without a planted leading silence, test on both and trimmed, and compare clip by clip."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks.assemble import run
from benchmarks.runner import RunConfig
from benchmarks.sets import SetStore
from benchmarks.shortcut.plant import plant_silence
from cmdfd.cache import cache_dir
from cmdfd.errors import CmdfdError
from cmdfd.statistics.bootstrap import bootstrap_auc, paired_difference
from cmdfd.statistics.roc import auc

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.progress import Reporter
    from cmdfd.dataset import Dataset

#: Version of `shortcut.json`.
SCHEMA_VERSION = 1
SPLITS = ("train", "validation", "test")
#: Condition of a prediction after AVH-Align's rule took the leading silence of every clip away.
TRIMMED, UNTRIMMED = "trimmed", "untrimmed"
_DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Plan:
    """What to try.

    Args:
        data: Name of an embedded set, or folder of a built one.
        detector: As for `benchmarks.run`.
        seconds: Silence before the sound of fakes.
        seed: Seed of training and draws.
        output: Folder of the copies, the audits and the result.
        cache: Folder of caches, None for the default.
        workers: Processes.
    """

    data: str
    detector: str
    seconds: float
    seed: int
    output: Path
    cache: Path | None = None
    workers: int = 2


@dataclass(frozen=True, slots=True)
class Cell:
    """AUC of one training on one test."""

    trained_on: str
    tested_on: str
    fakes: str
    auc: float
    low: float | None
    high: float | None
    n_real: int
    n_fake: int
    n_components: int


@dataclass(frozen=True, slots=True)
class Difference:
    """AUC of one cell minus that of another over the same clips, drawn together."""

    name: str
    fakes: str
    value: float
    low: float | None
    high: float | None

    @property
    def verdict(self) -> str:
        """In words; an interval that holds 0 shows nothing."""
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return "not shown: the interval holds 0"
        return "gains" if self.value > 0 else "loses"


@dataclass(frozen=True, slots=True)
class Warned:
    """What the auditor says of a copy before any detector is trained: its silence cues on the test split."""

    copy: str
    cue: str
    auc: float
    low: float | None
    high: float | None
    p: float | None
    severity: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that was found.

    Args:
        plan: What was tried, JSON-able.
        warned: Of the clean and of the planted copy.
        cells: AUCs.
        differences: Paired differences.
        n_failed: Clips that a detector gave no score, counted as the worst of their class.
    """

    plan: dict[str, Any]
    warned: tuple[Warned, ...]
    cells: tuple[Cell, ...]
    differences: tuple[Difference, ...]
    n_failed: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        found = asdict(self)
        found["differences"] = [{**asdict(one), "verdict": one.verdict} for one in self.differences]
        return {"schema_version": SCHEMA_VERSION, **found}


def experiment(plan: Plan, reporter: Reporter) -> Outcome:
    """Do it.

    Raises:
        CmdfdError: For a wrong name, or a set that lacks one of the splits.
    """
    if not 0 < plan.seconds <= 1:
        raise CmdfdError(f"the silence must last more than 0 and at most 1000 ms, got {plan.seconds * 1000:g} ms")
    store = SetStore(cache_dir(plan.cache), plan.workers, reporter)
    store.check([plan.data])
    data = store.open(plan.data)
    missing = [split for split in SPLITS if not data.clips(split)]
    if missing:
        raise CmdfdError(f"{data.name} has no {missing[0]} split: the experiment trains, selects and tests")
    copies = {
        "clean": plant_silence(data, plan.output / "clean", 0.0, SPLITS, reporter),
        "planted": plant_silence(data, plan.output / "planted", plan.seconds, SPLITS, reporter),
    }
    warned = tuple(_warned(name, copy, plan, reporter) for name, copy in copies.items())
    scores, n_failed = _scores(copies, plan, reporter)
    cells, differences = compare(scores, plan.seed)
    told = {"data": data.name, "detector": plan.detector, "milliseconds": plan.seconds * 1000, "seed": plan.seed}
    return Outcome(told, warned, cells, differences, n_failed)


def _warned(name: str, copy: Dataset, plan: Plan, reporter: Reporter) -> Warned:
    from cmdfd.audit.analysis import Settings, analyse
    from cmdfd.audit.gate import cue_of
    from cmdfd.audit.measuring import measure_all

    clips = copy.clips("test")
    with reporter.bar(f"audit {name}") as bar:
        done = 0

        def step(count: int) -> None:
            nonlocal done
            done += count
            bar(done, len(clips))

        measured = measure_all([copy.path_of(clip) for clip in clips], "sound", workers=plan.workers, progress=step)
    table = measured.table[[column for column in measured.table.columns if str(column).startswith("silence.")]]
    labels = np.array([clip.labels.label for clip in clips])
    table = table.assign(label=labels, component=[clip.component for clip in clips])
    found = analyse(table, cue_of, Settings(by=(), n_draws=999, seed=plan.seed, trees="none"))
    if not found.findings:  # no silence cue varies at all
        return Warned(name, "silence.*", 0.5, None, None, None, "none")
    best = max(found.findings, key=lambda one: (one.shown, one.auc))
    return Warned(name, best.cue, best.auc, best.low, best.high, best.p, best.severity)


def _scores(copies: Mapping[str, Dataset], plan: Plan, reporter: Reporter) -> tuple[pd.DataFrame, int]:
    """One row a clip: label, component, kind and a column for each (trained, tested, condition)."""
    joined: pd.DataFrame | None = None
    n_failed = 0
    for trained, copy in copies.items():
        config = RunConfig(
            detector=plan.detector,
            train_on=(f"{copy.folder}:train",),
            select_on=(f"{copy.folder}:validation",),
            report_on=tuple(f"{one.folder}:test" for one in copies.values()),
            seed=plan.seed,
            output=plan.output / "runs",
            cache=plan.cache,
            workers=plan.workers,
            floors=False,
        )
        table = run(config, reporter).predictions
        names = {one.name: name for name, one in copies.items()}
        for (dataset, condition), part in table.groupby(["dataset", "condition"], sort=True):
            column = f"{trained} / {names[str(dataset)]} {condition}"
            failed = part["score"].isna()
            n_failed += int(failed.sum())
            worst = np.where(part["label"] == 1, -np.inf, np.inf)
            score = pd.Series(np.where(failed, worst, part["score"]), index=part["id"], name=column)
            if joined is None:
                joined = part.set_index("id")[["label", "component", "kind"]].copy()
            joined[column] = score
    if joined is None:
        raise CmdfdError("the detector gave no answers")
    return joined.sort_index(), n_failed


#: What is compared: (name, cell, cell that is taken off). A cell is (trained on, tested on, condition).
COMPARED = (
    ("gain: trained and tested with the silence", ("planted", "planted", UNTRIMMED), ("clean", "clean", UNTRIMMED)),
    ("loss when the silence is trimmed", ("planted", "planted", TRIMMED), ("planted", "planted", UNTRIMMED)),
    ("loss on the set without the silence", ("planted", "clean", UNTRIMMED), ("planted", "planted", UNTRIMMED)),
    ("against the clean training, both trimmed", ("planted", "planted", TRIMMED), ("clean", "planted", TRIMMED)),
    ("the clean training meets the silence", ("clean", "planted", UNTRIMMED), ("clean", "clean", UNTRIMMED)),
)
CELLS = tuple(dict.fromkeys(cell for _, first, second in COMPARED for cell in (first, second)))


def compare(scores: pd.DataFrame, seed: int) -> tuple[tuple[Cell, ...], tuple[Difference, ...]]:
    """AUCs and paired differences for all fakes and for each kind.

    Args:
        scores: One row a clip: `label`, `component`, `kind`, and the scores of each cell in the column
            "trained / tested condition".
        seed: Seed of the draws.
    """
    cells: list[Cell] = []
    differences: list[Difference] = []
    kinds = sorted(set(scores.loc[scores["label"] == 1, "kind"]))
    for fakes in ("all", *(kinds if len(kinds) > 1 else ())):
        part = scores if fakes == "all" else scores[(scores["label"] == 0) | (scores["kind"] == fakes)]
        labels, components = part["label"].to_numpy(), part["component"].to_numpy()
        for cell in CELLS:
            values = _values(part, cell)
            interval = bootstrap_auc(labels, values, components, _DRAWS, seed=seed)
            cells.append(
                Cell(
                    cell[0], f"{cell[1]}, trimmed" if cell[2] == TRIMMED else cell[1], fakes, auc(labels, values),
                    interval.low, interval.high, int((labels == 0).sum()), int((labels == 1).sum()),
                    int(part["component"].nunique()),
                )
            )  # fmt: skip
        for name, first, second in COMPARED:
            found = paired_difference(
                labels, _values(part, first), _values(part, second), components, _DRAWS, seed=seed
            )
            differences.append(Difference(name, fakes, found.value, found.interval.low, found.interval.high))
    return tuple(cells), tuple(differences)


def _values(part: pd.DataFrame, cell: tuple[str, str, str]) -> NDArray[np.float64]:
    trained, tested, condition = cell
    found: NDArray[np.float64] = part[f"{trained} / {tested} {condition}"].to_numpy(np.float64)
    return found
