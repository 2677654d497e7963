"""The tables of numbers: the main one, the kinds, with and without silence, inside and across sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from benchmarks.predictions import completed
from benchmarks.report.reading import MARGIN_FLOOR, METRICS, Reading, failure_words, value_of
from cmdfd.report.blocks import Cell, Column, Row, RowGroup, Table, Text, Tone
from cmdfd.report.text import clean, listing, number, percent, plural, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from benchmarks.report.reading import SetKey
    from benchmarks.results import Estimate, TaskResult

Scope = Literal["all", "shared"]
Margins = dict[tuple[str, "SetKey", Scope], "Estimate"]

_DOMAINS = {
    "in": "unseen people of the set the detector was trained on",
    "cross": "another set than the one trained on",
    "unknown": "training data unknown",
}


def main_table(reading: Reading, margins: Margins) -> Table:
    """Every detector on every set, floors directly beneath.

    Args:
        reading: The result.
        margins: AUC above `floor:container`, with its interval.
    """
    groups = []
    for key in reading.sets:
        scopes: tuple[Scope, ...] = ("all", "shared") if reading.shows_shared(key) else ("all",)
        groups += [group for scope in scopes if (group := _main_group(reading, key, scope, margins)) is not None]
    columns = (
        Column("Detector"),
        *(Column(label, explanation) for _, label, explanation in METRICS),
        *(Column(shorten(name, 40), "plug-in metric") for name in reading.extra),
        Column("Margin", f"AUC over {MARGIN_FLOOR}"),
    )
    return Table(
        "Each value with its 95 % interval over components. Floors stand beneath the detectors of their set.",
        columns,
        tuple(groups),
        _threshold_note(reading),
    )


def _main_group(reading: Reading, key: SetKey, scope: Scope, margins: Margins) -> RowGroup | None:
    rows = []
    for detector in (*reading.mains, *reading.floors):
        task = reading.task(detector, key)
        if task is not None:
            rows.append(_main_row(detector, task, scope, margins.get((detector, key, scope)), reading))
    first = next((task for name in reading.mains if (task := reading.task(name, key)) is not None), None)
    first = first or reading.first_task(key)
    if first is None:
        return None
    kinds = sorted({kind for kind, _ in reading.kinds(key)})
    versions = reading.platforms(key)
    if scope == "shared":
        versions = reading.shared_platforms()
        what = f"only the {plural(len(reading.shared()), 'kind')} that all sets share"
        if len(versions) < len(reading.platforms(key)):
            names = listing([clean(name) or "originals" for name in versions], 4)
            what += f", on the platforms that all share: {names}"
    else:
        what = f"{plural(len(kinds), 'kind')}, {first.n_real} real, {first.n_fake} fake ({percent(first.base_rate)})"
    if len(versions) > 1:
        before, after = (
            ("originals and their versions", len(versions) - 1) if "" in versions else ("versions", len(versions))
        )
        what += f"; {before} of {plural(after, 'platform')} together"
    return RowGroup(tuple(rows), key.label, f"{_DOMAINS[first.domain]}; {what}")


def _main_row(detector: str, task: TaskResult, scope: Scope, margin: Estimate | None, reading: Reading) -> Row:
    values = task.pooled if scope == "all" else task.shared_kinds or {}
    floor = detector in reading.floors
    cells: list[Cell] = [value_of(values.get(name), bar=name == "auc") for name, _, _ in METRICS]
    cells += [value_of(values.get(name)) for name in reading.extra]
    if margin is None:
        cells.append(Text("", tone="muted"))
    else:
        cells.append(value_of(margin, signed=True, tone=_margin_tone(margin)))
    return Row(clean(detector), tuple(cells), "floor" if floor else "", failure_words(task))


def _margin_tone(margin: Estimate) -> Tone:
    return "good" if margin.low is not None and margin.low > 0 and not margin.unreliable else "warn"


def _threshold_note(reading: Reading) -> str:
    texts = []
    for detector in reading.mains:
        tasks = [task for key in reading.sets if (task := reading.task(detector, key)) is not None]
        threshold = next((task.threshold for task in tasks if task.threshold is not None), None)
        if threshold is None or threshold.value is None:
            texts.append(f"{clean(detector)}: no threshold, since nothing was named to choose it on")
        else:
            value = number(threshold.value) if abs(threshold.value) < 100 else f"{threshold.value:.4g}"
            texts.append(f"{clean(detector)}: threshold {value}, chosen on {clean(threshold.chosen_on)}")
    return ("Thresholds are chosen on validation clips only. " + "; ".join(texts) + ".") if texts else ""


def kinds_table(reading: Reading, key: SetKey, predictions: pd.DataFrame) -> Table:
    """AUC of every detector on every kind of one set, grades below their kind.

    Args:
        reading: The result.
        key: The set.
        predictions: The table of the run, in which fakes are counted.
    """
    fakes = _fakes(reading, key, predictions)
    detectors = [*reading.mains, *reading.floors]
    rows = []
    for kind, variant in reading.kinds(key):
        found = [reading.kind_row(detector, key, kind, variant) for detector in detectors]
        some = next(row for row in found if row is not None)
        of_kind = fakes[(fakes["kind"] == kind) & ((fakes["variant"] == variant) | (variant is None))]
        n_components = int(of_kind["component"].nunique())
        cells: list[Cell] = [_clips(some.n_fake, of_kind), n_components or some.n_components]
        cells += [
            value_of(
                row.metrics.get("auc") if row else None,
                bar=detector in reading.mains and variant is None,
                tone="muted" if detector in reading.floors else "",
            )
            for detector, row in zip(detectors, found, strict=True)
        ]
        failed = next((row.n_failed for row in found if row is not None), 0)
        name = clean(kind) if variant is None else clean(variant) or "(no grade)"
        detail = f"{failed} failed" if failed and variant is None else ""
        rows.append(Row(name, tuple(cells), "" if variant is None else "sub", detail))
    task = reading.first_task(key)
    reals = task.n_real if task else 0
    return Table(
        f"AUC on {key.label}: each kind of fake, and each grade of it, against all {plural(reals, 'real clip')}.",
        (
            Column("Kind"),
            Column("Fakes"),
            Column("Components", "of the fakes"),
            *(Column(shorten(name, 40)) for name in detectors),
        ),
        (RowGroup(tuple(rows)),),
    )


def _fakes(reading: Reading, key: SetKey, predictions: pd.DataFrame) -> pd.DataFrame:
    """Rows of the fakes of a set, each clip once."""
    rows = completed(predictions)
    here = (rows["dataset"] == key.dataset) & (rows["split"] == key.split) & (rows["label"] == 1)
    return rows[here & (rows["condition"] == reading.condition)].drop_duplicates("id")


def _clips(n_fake: int, fakes: pd.DataFrame) -> Cell:
    """How many clips, and of how many originals they are where platforms passed them on."""
    if not (fakes["platform"] != "").any():
        return n_fake
    originals = int(fakes["original"].where(fakes["original"] != "", fakes["id"]).nunique())
    return Text(plural(n_fake, "clip"), detail=f"of {plural(originals, 'original')}")


def trimmed_table(reading: Reading, gaps: Mapping[tuple[str, SetKey], Estimate]) -> Table | None:
    """AUC with and without the leading silence, and the paired change.

    Args:
        reading: The result.
        gaps: (detector, set) -> trimmed minus untrimmed.
    """
    groups = []
    for key in reading.sets:
        rows = []
        for detector in reading.detectors:
            plain, cut = reading.task(detector, key, "untrimmed"), reading.task(detector, key, "trimmed")
            if plain is None or cut is None:
                continue
            gap = gaps.get((detector, key))
            cells: tuple[Cell, ...] = (
                value_of(plain.pooled.get("auc"), bar=True),
                value_of(cut.pooled.get("auc"), bar=True),
                value_of(gap, signed=True, tone=_change_tone(gap)),
            )
            rows.append(Row(clean(detector), cells))
        if rows:
            groups.append(RowGroup(tuple(rows), key.label))
    if not groups:
        return None
    return Table(
        "AUC over all kinds, on clips as they are and with their leading silence cut.",
        (Column("Detector"), Column("As they are"), Column("Silence cut"), Column("Change")),
        tuple(groups),
    )


def _change_tone(gap: Estimate | None) -> Tone:
    if gap is None or gap.low is None or gap.high is None or gap.unreliable:
        return ""
    return "warn" if gap.high < 0 else ""


def comparison_table(reading: Reading) -> Table | None:
    """In-set against cross-set AUC on the kinds that the sets share."""
    rows = []
    for item in reading.result.comparisons:
        cells: tuple[Cell, ...] = (
            value_of(item.in_auc, bar=True),
            value_of(item.cross_auc, bar=True),
            value_of(item.gap, signed=True, tone="warn" if item.gap.low is not None and item.gap.low > 0 else ""),
        )
        detail = f"{clean(item.in_set)} against {clean(item.cross_set)}"
        rows.append(Row(clean(item.detector), cells, "floor" if item.detector in reading.floors else "", detail))
    if not rows:
        return None
    kinds = sorted({kind for item in reading.result.comparisons for kind in item.kinds})
    return Table(
        f"AUC on the kinds that the sets share: {listing([clean(kind) for kind in kinds], 12) or 'none'}.",
        (
            Column("Detector"),
            Column("In set"),
            Column("Across sets"),
            Column("Gap", "in minus across"),
        ),
        (RowGroup(tuple(rows)),),
    )
