"""The finding in plain words, and the cards below it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from benchmarks.report.reading import (
    MARGIN_FLOOR,
    NAME_LENGTH,
    Reading,
    all_failed,
    failure_words,
    kind_words,
    words_of,
)
from cmdfd.report.blocks import Card, Cards, Text, Tone
from cmdfd.report.text import NOTHING, clean, interval, number, plural, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.report.reading import SetKey
    from benchmarks.results import Estimate, KindResult, TaskResult

Parts = tuple[Text | str, ...]


def headline(reading: Reading) -> Parts:
    """What the first detector can do, in sentences that need no glossary.

    All kinds of fakes are taken together, and the best and the worst kind are named beside it, so that the sentence
    does not pick its number.
    """
    result = reading.result
    if result.status == "error":
        return ("The run stopped with an error: ", Text(clean(result.error or "no reason was recorded"), "name"))
    if not reading.mains:
        return ("The run judged no detector.",)
    detector = reading.mains[0]
    sentences: list[Text | str] = [Text(shorten(detector, NAME_LENGTH), "strong")]
    inside, cross = reading.tasks_of(detector, "in"), reading.tasks_of(detector, "cross")
    unknown = reading.tasks_of(detector, "unknown")
    first = (inside or cross or unknown)[0]
    sentences += _ability(first)
    others = [task for task in (*inside, *cross, *unknown) if task is not first]
    for task in others[:3]:
        if all_failed(task):
            sentences += [f"; on {_whose(task)} (", Text(shorten(task.dataset, NAME_LENGTH), "name"), ") "]
            sentences += [Text(failure_words(task), "strong")]
            continue
        sentences += [f"; on {_whose(task)} (", Text(shorten(task.dataset, NAME_LENGTH), "name"), ") it is "]
        sentences += [Text(words_of(task.pooled.get("auc")), "strong")]
    sentences.append(". ")
    sentences += [] if all_failed(first) else _extremes(first)
    sentences += _failed((first, *others[:3]))
    sentences += _against_floor(reading, first)
    sentences += _doubts((first, *others[:3]), _floor_auc(reading, first))
    if len(reading.mains) > 1:
        sentences.append(f"{plural(len(reading.mains) - 1, 'further detector')} in the table below. ")
    return tuple(sentences)


def _failed(tasks: Sequence[TaskResult]) -> list[Text | str]:
    """Which clips failed where not all did: they count as the worst scores in what was just said."""
    told = [task for task in tasks if task.n_failed and not all_failed(task)]
    return [f"On {clean(task.dataset)} {failure_words(task)}; they count as the worst scores. " for task in told]


def _doubts(tasks: Sequence[TaskResult], floor: Estimate | None) -> list[Text | str]:
    named = [floor, *(task.pooled.get("auc") for task in tasks if not all_failed(task))]
    named += [] if all_failed(tasks[0]) else [row.metrics.get("auc") for row in _best_and_worst(tasks[0])]
    reasons = dict.fromkeys(auc.unreliable for auc in named if auc is not None and auc.unreliable)
    return [f"(† not to be trusted: {clean('; '.join(str(reason) for reason in reasons))}.) "] if reasons else []


def _whose(task: TaskResult) -> str:
    return {"in": "the set it was trained for", "cross": "another set", "unknown": "a set"}[task.domain]


def _ability(task: TaskResult) -> list[Text | str]:
    if all_failed(task):
        where = Text(shorten(task.dataset, NAME_LENGTH), "name")
        return [f" could score nothing on {_whose(task)} (", where, "): ", Text(failure_words(task), "strong")]
    auc = task.pooled.get("auc")
    verb = " separates fakes from real clips"
    if auc is None or auc.value is None:
        return [f" could not be judged on {_whose(task)} (", Text(shorten(task.dataset, NAME_LENGTH), "name"), ")"]
    if auc.low is not None and auc.high is not None and auc.low <= 0.5 <= auc.high:
        verb = " cannot be told from chance at separating fakes from real clips"
    elif auc.value < 0.5:
        verb = " ranks fakes below real clips, the wrong way round,"
    people = {
        "in": " of unseen people of the set it was trained for (",
        "cross": " of a set that it was not trained on (",
        "unknown": " of the set (",
    }[task.domain]
    kinds = len({row.kind for row in task.kinds})
    over = f" over {plural(kinds, 'kind')} of fakes together" if kinds > 1 else ""
    return [
        verb + people,
        Text(shorten(task.dataset, NAME_LENGTH), "name"),
        ") with AUC ",
        Text(words_of(auc), "strong"),
        over,
    ]


def _extremes(task: TaskResult) -> list[Text | str]:
    found = _best_and_worst(task)
    if not found:
        return []
    best, worst = found
    return [
        f"It is best at {kind_words(best.kind)} ({words_of(best.metrics.get('auc'))}) "
        f"and worst at {kind_words(worst.kind)} ({words_of(worst.metrics.get('auc'))}). "
    ]


def _best_and_worst(task: TaskResult) -> list[KindResult]:
    rows = [(row, value) for row in task.kinds if row.variant is None and (value := _auc(row)) is not None]
    if len(rows) < 2:
        return []
    return [max(rows, key=lambda pair: pair[1])[0], min(rows, key=lambda pair: pair[1])[0]]


def _auc(row: KindResult) -> float | None:
    estimate = row.metrics.get("auc")
    return estimate.value if estimate else None


def _against_floor(reading: Reading, task: TaskResult) -> list[Text | str]:
    auc = _floor_auc(reading, task)
    if auc is None:
        return []
    return [f"Container facts alone, without looking or listening, reach {words_of(auc)} there. "]


def _floor_auc(reading: Reading, task: TaskResult) -> Estimate | None:
    """What the floor reaches where a task was judged; None where none stands beside it."""
    key = next(key for key in reading.sets if (key.dataset, key.split) == (task.dataset, task.split))
    floor = reading.task(MARGIN_FLOOR, key)
    return None if floor is None or task.detector == MARGIN_FLOOR else floor.pooled.get("auc")


def cards(reading: Reading, margins: Mapping[tuple[str, SetKey], Estimate], trims: Mapping[SetKey, Estimate]) -> Cards:
    """The figures that are seen first.

    Args:
        reading: The result.
        margins: (detector, set) -> AUC above the floor, over all kinds.
        trims: Set -> AUC with the leading silence cut minus AUC without, of the first detector.
    """
    found: list[Card] = []
    detector = reading.mains[0] if reading.mains else ""
    for key in reading.sets[:3]:
        task = reading.task(detector, key)
        if task is not None:
            found.append(_auc_card(detector, key, task))
    for key in reading.sets[:1]:
        margin = margins.get((detector, key))
        task = reading.task(detector, key)
        if task is not None and all_failed(task):  # a change of nothing says nothing
            continue
        if margin is not None:
            found.append(_signed_card(f"AUC above {MARGIN_FLOOR}, {key.label}", margin, "what headers cannot tell"))
        if key in trims:
            found.append(_signed_card(f"Leading silence cut, {key.label}", trims[key], "change of AUC"))
    found.append(_clips_card(reading))
    found.append(_failures_card(reading))
    return Cards(tuple(found))


def _auc_card(detector: str, key: SetKey, task: TaskResult) -> Card:
    label = f"AUC of {shorten(detector, NAME_LENGTH)} on {key.label}"
    if all_failed(task):
        return Card(label, NOTHING, failure_words(task), "bad")
    auc = task.pooled.get("auc")
    value = auc.value if auc else None
    where = {"in": "unseen people of the training set", "cross": "another set", "unknown": "domain unknown"}
    detail = f"{interval(auc.low, auc.high) if auc else ''} {where[task.domain]}".strip()
    tone: Tone = ""
    if auc is not None and auc.low is not None:
        tone = "good" if auc.low > 0.5 and not auc.unreliable else "warn"
    if auc is not None and auc.unreliable:
        detail += f"; † {auc.unreliable}"
    return Card(label, number(value) + _dagger(auc), detail, tone)


def _dagger(estimate: Estimate | None) -> str:
    return "†" if estimate is not None and estimate.unreliable else ""


def _signed_card(label: str, estimate: Estimate, meaning: str) -> Card:
    text = number(estimate.value, signed=True) + _dagger(estimate)
    detail = f"{interval(estimate.low, estimate.high, signed=True)} {meaning}".strip()
    if estimate.unreliable:
        detail += f"; † {estimate.unreliable}"
    above = estimate.low is not None and estimate.low > 0
    return Card(label, text, detail, "good" if above else "" if meaning == "change of AUC" else "warn")


def _clips_card(reading: Reading) -> Card:
    tasks = [task for key in reading.sets if (task := reading.first_task(key)) is not None]
    clips = sum(task.n_real + task.n_fake for task in tasks)
    fakes = sum(task.n_fake for task in tasks)
    components = " + ".join(str(task.n_components) for task in tasks) or "0"
    return Card("Clips judged", str(clips), f"{fakes} fake; {components} components in {plural(len(tasks), 'set')}")


def _failures_card(reading: Reading) -> Card:
    tasks = [task for task in reading.result.tasks if task.detector in reading.mains]
    failed = sum(task.n_failed for task in tasks)
    answers = sum(task.n_real + task.n_fake for task in tasks)
    detail = f"of {plural(answers, 'answer')}; a failure counts as the worst score"
    reasons = Counter[str]()
    for task in tasks:
        reasons.update(task.failures)
    if reasons:
        detail += f"; commonest reason: {shorten(min(reasons, key=lambda one: (-reasons[one], one)), 120)}"
    return Card("Failed", str(failed), detail, "warn" if failed else "good")
