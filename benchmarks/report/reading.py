"""Reading a result: which detectors are floors, which tasks belong together, how kinds are called in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.registry import FLOORS
from cmdfd.report.blocks import Tone, Value
from cmdfd.report.text import plural, shorten, with_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.results import Estimate, KindResult, RunResult, TaskResult

#: The floor that a margin is taken over: what container, timing, geometry and level alone can tell.
MARGIN_FLOOR = "floor:container"

#: Longest name in headings and sentences; tables show names whole.
NAME_LENGTH = 64

#: Columns of the main table: key of `TaskResult.pooled`, heading, explanation, whether chance is one half.
METRICS = (
    ("auc", "AUC", "chance .5"),
    ("eer", "EER", "lower is better"),
    ("ap", "AP", "chance = share of fakes"),
    ("balanced_accuracy", "Balanced acc.", "at validation threshold"),
    ("tpr@1%fpr", "TPR @ 1 % FPR", "fakes found"),
)

#: Plain words for the fake kinds of the embedded recipes; others are called by their name.
KIND_WORDS = {
    "audio/swap": "swapped sound",
    "audio/desync": "sound out of step",
    "audio/swap-partial": "spliced sound",
    "audio/revoice": "another voice",
    "audio/voice_change": "a changed voice",
    "audio/tts": "a synthetic voice",
    "video/mouth_warp": "warped mouths",
    "video/mouth_mute": "muted mouths",
    "video/lip_warp": "lips warped to a sound",
    "video/rewrite": "mouths of other frames",
    "video/face_swap": "swapped faces",
    "video/still_warp": "talking stills",
    "video/still_bank": "talking stills with own mouths",
    "video/freeze": "held pictures",
    "video/loop": "looped pictures",
}


def is_floor(detector: str) -> bool:
    """True for chance and for detectors that see container facts only."""
    return detector in FLOORS or detector.startswith("floor:")


def failure_words(task: TaskResult) -> str:
    """How many clips of a task failed and why most of them did; empty where none did."""
    if not task.n_failed:
        return ""
    clips = task.n_real + task.n_fake
    count = f"all {plural(clips, 'clip')} failed" if all_failed(task) else f"{task.n_failed} of {clips} clips failed"
    reason = next(iter(task.failures.items()), None)
    if reason is None:
        return count
    often = "" if reason[1] == task.n_failed else f"most often ({reason[1]}) "
    return f"{count}, {often}for the reason “{shorten(reason[0], 160)}”"


def all_failed(task: TaskResult) -> bool:
    """Whether a detector gave no score for any clip, so that its numbers say nothing of what it can tell."""
    return task.n_failed == task.n_real + task.n_fake > 0


def kind_words(kind: str) -> str:
    """How a kind is called in a sentence."""
    return KIND_WORDS.get(kind, f"“{shorten(kind, NAME_LENGTH)}”")


@dataclass(frozen=True, slots=True, order=True)
class SetKey:
    """A split of a set."""

    dataset: str
    split: str

    @property
    def label(self) -> str:
        """As printed: "mini-a/test"."""
        return f"{shorten(self.dataset, NAME_LENGTH)}/{shorten(self.split, 20)}"


class Reading:
    """A result with its tasks in reach.

    Args:
        result: The result.
    """

    def __init__(self, result: RunResult) -> None:
        self.result = result
        self._tasks: dict[tuple[str, str, str, str], TaskResult] = {
            (t.detector, t.dataset, t.split, t.condition): t for t in result.tasks
        }

    @property
    def sets(self) -> list[SetKey]:
        """Report splits, the ones inside the training domain first, else in the order of the result."""
        keys = list(dict.fromkeys(SetKey(task.dataset, task.split) for task in self.result.tasks))
        inside = {SetKey(task.dataset, task.split) for task in self.result.tasks if task.domain == "in"}
        return sorted(keys, key=lambda key: key not in inside)

    @property
    def detectors(self) -> list[str]:
        """Names in the order of the result, floors last."""
        named = [info.name for info in self.result.detectors] + [task.detector for task in self.result.tasks]
        judged = {task.detector for task in self.result.tasks}
        return sorted((name for name in dict.fromkeys(named) if name in judged), key=is_floor)

    @property
    def mains(self) -> list[str]:
        """Detectors that are no floors; where there are floors only, these."""
        return [name for name in self.detectors if not is_floor(name)] or self.detectors

    @property
    def trains(self) -> bool:
        """Whether a detector that is no floor took part, so that training seeds matter."""
        return any(not is_floor(name) for name in self.mains)

    @property
    def floors(self) -> list[str]:
        """Detectors that stand beneath the others, the one that margins are taken over first."""
        kept = [name for name in self.detectors if name not in self.mains]
        return sorted(kept, key=lambda name: name != MARGIN_FLOOR)

    @property
    def condition(self) -> str:
        """What the main table shows: "untrimmed" wherever it was run."""
        found = {task.condition for task in self.result.tasks}
        return "untrimmed" if "untrimmed" in found or not found else next(iter(sorted(found)))

    @property
    def extra(self) -> list[str]:
        """Names of plug-in metrics, as they were asked for."""
        usual = {name for name, _, _ in METRICS}
        return list(dict.fromkeys(name for task in self.result.tasks for name in task.pooled if name not in usual))

    def task(self, detector: str, key: SetKey, condition: str | None = None) -> TaskResult | None:
        """One task, or None where it was not run."""
        return self._tasks.get((detector, key.dataset, key.split, condition or self.condition))

    def first_task(self, key: SetKey) -> TaskResult | None:
        """A task of this set, of whichever detector comes first."""
        found = (self.task(detector, key) for detector in self.detectors)
        return next((task for task in found if task is not None), None)

    def kinds(self, key: SetKey) -> list[tuple[str, str | None]]:
        """Kinds and their grades of a set, in the order of the result."""
        rows = [
            (row.kind, row.variant)
            for detector in self.detectors
            if (task := self.task(detector, key)) is not None
            for row in task.kinds
        ]
        return list(dict.fromkeys(rows))

    def kind_row(self, detector: str, key: SetKey, kind: str, variant: str | None) -> KindResult | None:
        """One row of a task's kinds."""
        task = self.task(detector, key)
        rows = task.kinds if task else []
        return next((row for row in rows if (row.kind, row.variant) == (kind, variant)), None)

    def shared(self) -> list[str]:
        """Kinds that all report sets have; empty where there is one set only or no platform is shared."""
        if len(self.sets) < 2:
            return []
        kinds = [{kind for kind, _ in self.kinds(key)} for key in self.sets]
        return sorted(set.intersection(*kinds)) if self.shared_platforms() else []

    def platforms(self, key: SetKey) -> list[str]:
        """Platforms of a set, "" for its originals."""
        task = self.first_task(key)
        return [row.name for row in task.platforms] if task is not None and task.platforms else [""]

    def shared_platforms(self) -> list[str]:
        """Platforms that all report sets have, "" for the originals."""
        return sorted(set.intersection(*(set(self.platforms(key)) for key in self.sets))) if self.sets else []

    def shows_shared(self, key: SetKey) -> bool:
        """Whether not all of this set's kinds or platforms are shared, so that a second row says something new."""
        shared = self.shared()
        fewer = len(shared) < len({kind for kind, _ in self.kinds(key)})
        return bool(shared) and (fewer or len(self.shared_platforms()) < len(self.platforms(key)))

    def tasks_of(self, detector: str, domain: str) -> Sequence[TaskResult]:
        """A detector's tasks in one domain under the main condition, in the order of `sets`."""
        tasks = (self.task(detector, key) for key in self.sets)
        return [task for task in tasks if task is not None and task.domain == domain]


def value_of(
    estimate: Estimate | None, *, signed: bool = False, bar: bool = False, tone: Tone = "", reason: str = "not computed"
) -> Value:
    """A table cell of an estimate.

    Args:
        estimate: The estimate, or None.
        signed: Write plus signs.
        bar: Draw its interval.
        tone: Colour.
        reason: Footnote where there is no number and the estimate does not say why.
    """
    if estimate is None:
        return Value(None, reason=reason)
    why = estimate.unreliable or (reason if estimate.value is None else None)
    return Value(estimate.value, estimate.low, estimate.high, why, signed, bar, tone=tone)


def words_of(estimate: Estimate | None, *, signed: bool = False) -> str:
    """An estimate inside a sentence; a dagger marks what should not be trusted."""
    if estimate is None:
        return "–"
    mark = "†" if estimate.unreliable and estimate.value is not None else ""
    return with_interval(estimate.value, estimate.low, estimate.high, signed=signed) + mark
