"""What was run, on what, what went wrong, and how to run it again."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.command import flags
from benchmarks.report.reading import Reading, is_floor
from cmdfd.clip import REAL_KIND, SPLITS
from cmdfd.errors import MEDIA_CODES
from cmdfd.report.blocks import Block, Code, Column, Entry, Facts, Paragraph, Row, RowGroup, Table, Text
from cmdfd.report.text import NOTHING, clean, duration, percent, plural, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pandas as pd

    from benchmarks.results import DatasetInfo, DetectorInfo, RunResult


def sets_table(result: RunResult) -> Table:
    """Clips of every split by kind, base rate and components."""
    columns = [(info, split) for info in result.datasets for split in _splits(info)]
    kinds = sorted({kind for info, split in columns for kind in info.counts[split]} - {REAL_KIND})
    rows = [_count_row(kind, columns) for kind in (REAL_KIND, *kinds)]
    totals = [sum(info.counts[split].values()) for info, split in columns]
    fakes = [total - info.counts[split].get(REAL_KIND, 0) for total, (info, split) in zip(totals, columns, strict=True)]
    rates = [
        f"{percent(fake / total)} of {total}" if total else NOTHING for fake, total in zip(fakes, totals, strict=True)
    ]
    rows.append(Row("share of fakes", tuple(rates), "total"))
    rows.append(Row("components", tuple(info.components.get(split, 0) for info, split in columns)))
    heads = [
        Column(f"{shorten(info.name, 40)}/{shorten(split, 20)}", _roles(result, info, split)) for info, split in columns
    ]
    return Table(
        "Clips of each split, with their versions of platforms. A component is a group of clips tied by a person, a "
        "voice or a recording; "
        "splits and intervals never tear one apart.",
        (Column("Kind"), *heads),
        (RowGroup(tuple(rows)),),
    )


def _splits(info: DatasetInfo) -> list[str]:
    return sorted(info.counts, key=lambda split: (SPLITS.index(split) if split in SPLITS else len(SPLITS), split))


def _count_row(kind: str, columns: Sequence[tuple[DatasetInfo, str]]) -> Row:
    counts = tuple(info.counts[split].get(kind, 0) or Text(NOTHING, tone="muted") for info, split in columns)
    return Row(clean(kind), counts)


def _roles(result: RunResult, info: DatasetInfo, split: str) -> str:
    label = f"{info.name}/{split}"
    roles = []
    if any(label in detector.trained_on for detector in result.detectors):
        roles.append("learned from")
    if any(label in detector.selected_on for detector in result.detectors):
        roles.append("chosen on")
    if any((task.dataset, task.split) == (info.name, split) for task in result.tasks):
        roles.append("judged on")
    return ", ".join(roles) or "not used"


def detectors_table(result: RunResult) -> Table:
    """Who took part."""
    rows = []
    for info in result.detectors:
        cells = (
            Text(_trained(info), detail=f"chosen on {clean(', '.join(info.selected_on))}" if info.selected_on else ""),
            f"{info.n_parameters:,}" if info.n_parameters else NOTHING,
            duration(info.fit_seconds) if info.fit_seconds is not None else _unfitted(info),
            Text(clean(info.reference) or NOTHING, detail=" ".join(clean(note) for note in info.notes)),
            clean(info.licence),
        )
        rows.append(Row(clean(info.name), cells, "floor" if is_floor(info.name) else ""))
    return Table(
        "Detectors of this run. Floors see container facts only, and random sees nothing.",
        (
            Column("Detector"),
            Column("Learned from", numeric=False),
            Column("Parameters"),
            Column("Fit"),
            Column("Reference", numeric=False),
            Column("Licence", numeric=False),
        ),
        (RowGroup(tuple(rows)),),
    )


def _trained(info: DetectorInfo) -> str:
    return clean(", ".join(info.trained_on)) or "nothing"


def _unfitted(info: DetectorInfo) -> str:
    return "from cache" if info.trained_on else NOTHING


def refused(result: RunResult) -> list[Block]:
    """Planned items that were not made, with the reasons."""
    rows = [
        Row(_reason(reason), (clean(info.name), count))
        for info in result.datasets
        for reason, count in sorted(info.skipped.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
    if not rows:
        return [Paragraph(("Nothing that was planned was refused while the sets were built.",), "muted")]
    columns = (Column("Refused while building"), Column("Set", numeric=False), Column("Items"))
    return [Table("Planned clips that were not made, by reason.", columns, (RowGroup(tuple(rows)),))]


def _reason(text: str) -> str:
    code, _, detail = text.partition(":")
    known = MEDIA_CODES.get(code.strip())
    if known is None:
        return shorten(text, 160)
    return shorten(f"{code.strip()}: {detail.strip() or known}", 160)


def failures(result: RunResult, predictions: pd.DataFrame) -> list[Block]:
    """Clips that a detector could not score, by reason; they stay in every number as the worst score of their class."""
    failed = predictions[predictions["error"].notna()]
    if not len(failed) and not any(task.n_failed for task in result.tasks):
        return [Paragraph(("Every detector scored every clip.",), "muted")]
    rows = []
    keys = ["detector", "dataset", "split", "condition"]
    for key, table in failed.groupby(keys, sort=False):
        reasons = table["error"].map(_reason).value_counts()
        names = [clean(part) for part in key]
        for reason, count in sorted(reasons.items(), key=lambda pair: (-int(pair[1]), str(pair[0])))[:8]:
            rows.append(Row(names[0], (f"{names[1]}/{names[2]}, {names[3]}", int(count), Text(str(reason)))))
    columns = (Column("Detector"), Column("Where", numeric=False), Column("Clips"), Column("Reason", numeric=False))
    caption = "Clips without a score. They are kept, and count as the worst score of their class in every number."
    return [Table(caption, columns, (RowGroup(tuple(rows)),))]


@dataclass(frozen=True, slots=True)
class NextCommand:
    """Something to type next, and what for."""

    command: str
    purpose: str


#: Options that decide which detector it is: what it is, and what it learned from.
_SAME_DETECTOR = ("--detector-args", "--train-on", "--select-on", "--limit", "--seed")


def next_commands(reading: Reading, folder: str | None = None, typed: Sequence[str] = ()) -> list[NextCommand]:
    """What a reader of this result may want to do, as commands that exist.

    Args:
        reading: The result.
        folder: The run directory as the user would type it, or None where it is not known.
        typed: The command with folders as they were typed; without it they stand as "path/to/NAME".
    """
    words = list(typed or reading.result.command)
    detector = shlex.quote(reading.mains[0] if reading.mains else "mds")
    run = f"python -m benchmarks.run --detector {detector}"
    same = shlex.join(flags(words, _SAME_DETECTOR)).removesuffix("--seed 0").rstrip()
    found = [
        NextCommand(f"{run} --predict clip.mp4 {same}".rstrip(), "Score a clip of your own and draw its timeline"),
        NextCommand(f"{run} --report-on path/to/set {same}".rstrip(), "Judge the same detector on a set of your own"),
    ]
    if reading.result.seed_spread is None and reading.trains:
        again = shlex.join(_without(words, "--fit-seeds")) if words else run
        found.append(NextCommand(f"{again} --fit-seeds 3", "See how much the result hangs on the training seed"))
    if folder is not None:
        found.append(
            NextCommand(
                f"python -m benchmarks.score {shlex.quote(folder)}",
                "Compute every number again from the predictions alone",
            )
        )
    return found


def _without(words: Sequence[str], flag: str) -> list[str]:
    if flag not in words:
        return list(words)
    at = words.index(flag)
    return [*words[:at], *words[at + 2 :]]


def reproducibility(result: RunResult, typed: Sequence[str] = ()) -> list[Block]:
    """Command, versions, hashes and seeds; `typed` as for `next_commands`."""
    hashes = [
        Entry(info.manifest_sha256, f"set {clean(info.name)}") for info in result.datasets
    ]  # folders are left out: a report is passed on, and the disk of who made it is nobody's business
    hashes += [Entry(info.revision, f"detector {clean(info.name)}") for info in result.detectors]
    hashes.append(Entry(result.predictions_sha256 or NOTHING, "predictions.parquet"))
    identity = [
        Entry(result.run_id, "run"),
        Entry(result.created, "made"),
        Entry(str(result.config.get("seed", NOTHING)), "seed"),
        Entry(str(result.schema_version), "result schema"),
    ]
    return [
        Code(shlex.join(clean(word) for word in typed or result.command) or "not recorded", "The command of this run"),
        Facts(tuple(identity)),
        Facts(tuple(hashes), "Hashes (SHA-256)"),
        Facts(tuple(_entries(result.environment)), "Versions and machine"),
        Facts(tuple(_entries(result.config)), "Configuration"),
        Facts(
            tuple(Entry(duration(seconds), clean(name)) for name, seconds in result.timing.items()),
            "Time: " + duration(sum(result.timing.values())),
        ),
    ]


def _entries(tree: Mapping[str, Any]) -> Iterable[Entry]:
    return [Entry(text, name) for name, text in _leaves(tree, "")]


def _leaves(tree: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        name = f"{prefix}{clean(key)}"
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{name}.")
        elif isinstance(value, str):
            yield name, shorten(value, 400) or NOTHING
        else:
            yield name, shorten(json.dumps(value, default=str, ensure_ascii=False), 400)


def components_sentence(reading: Reading) -> str:
    """How many independent groups stand behind the intervals."""
    parts = []
    for key in reading.sets:
        task = reading.first_task(key)
        if task is not None:
            parts.append(f"{plural(task.n_components, 'component')} on {key.label}")
    return "; ".join(parts)
