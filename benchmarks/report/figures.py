"""The pictures of a run: ROC curves, score histograms, kinds with intervals, timelines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.report.paired import Curve, Scores, roc, roc_band, scores_of
from benchmarks.report.reading import MARGIN_FLOOR, Reading, words_of
from benchmarks.report.timeline import TimelineItem, alt_text, draw_timeline, verdict
from cmdfd.report.blocks import Figure
from cmdfd.report.plots import BarRow, RocSeries, histogram_plot, interval_bars, roc_plot
from cmdfd.report.text import clean, number, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from benchmarks.report.reading import SetKey

#: Histograms beside a ROC curve; further detectors stand in the tables.
MOST_HISTOGRAMS = 4
#: Timelines of a report, so that the page stays small.
MOST_TIMELINES = 12
#: Grades below a kind that a picture shows; all of them stand in the table.
MOST_ROWS = 40


def roc_figure(reading: Reading, predictions: pd.DataFrame, key: SetKey, seed: int) -> Figure | None:
    """ROC curves of all detectors on one set, with a band around those that are no floors."""
    series, words = [], []
    for detector in (*reading.mains, *reading.floors):
        scores = scores_of(predictions, detector, key, reading.condition)
        if not scores.both_classes:
            continue
        floor = detector in reading.floors
        curve: Curve = roc(scores) if floor else roc_band(scores, seed)
        task = reading.task(detector, key)
        label = f"{clean(detector)} {words_of(task.pooled.get('auc') if task else None)}"
        series.append(RocSeries(label, curve.fpr, curve.tpr, curve.low, curve.high, floor))
        words.append(label)
    if not series:
        return None
    return Figure(
        alt=f"ROC curves on {key.label}. AUC: {'; '.join(words)}.",
        svg=roc_plot(series),
        title="ROC curves",
        caption="Band: 95 % of the curves over resampled components, at each false positive rate.",
    )


def histogram_figures(reading: Reading, predictions: pd.DataFrame, key: SetKey) -> list[Figure]:
    """Scores of real and fake clips of each detector that is no floor."""
    figures = []
    for detector in reading.mains[:MOST_HISTOGRAMS]:
        scores = scores_of(predictions, detector, key, reading.condition)
        kept = ~scores.failed
        if not kept.any():
            continue
        task = reading.task(detector, key)
        threshold = task.threshold.value if task is not None and task.threshold is not None else None
        figures.append(_histogram(detector, key, scores, threshold))
    return figures


def _histogram(detector: str, key: SetKey, scores: Scores, threshold: float | None) -> Figure:
    real = scores.scores[~scores.failed & (scores.labels == 0)]
    fake = scores.scores[~scores.failed & (scores.labels == 1)]
    failed = int(scores.failed.sum())
    medians = [
        f"{name} {number(float(np.median(values)))}" for name, values in (("real", real), ("fake", fake)) if values.size
    ]
    return Figure(
        alt=f"Histogram of the scores of {clean(detector)} on {key.label}. Medians: {', '.join(medians)}.",
        svg=histogram_plot(real, fake, threshold=threshold),
        title=f"Scores of {clean(detector)}",
        caption="Bars: share of each class, so that the number of fakes plays no part."
        + (f" {plural(failed, 'failed clip')} left out of this picture." if failed else ""),
    )


def kinds_figure(reading: Reading, key: SetKey) -> Figure | None:
    """AUC of every kind and grade with its interval, the container floor beside it."""
    shown = [*reading.mains, *(name for name in reading.floors if name == MARGIN_FLOOR)]
    rows: list[BarRow] = []
    for kind, variant in reading.kinds(key):
        for detector in shown if variant is None else reading.mains:
            found = reading.kind_row(detector, key, kind, variant)
            auc = found.metrics.get("auc") if found else None
            if found is None or auc is None:
                continue
            rows.append(
                BarRow(
                    label=kind if variant is None else variant or "(no grade)",
                    value=auc.value,
                    low=auc.low,
                    high=auc.high,
                    n=found.n_fake,
                    series=detector,
                    floor=detector in reading.floors,
                    sub=variant is not None,
                    doubtful=bool(auc.unreliable),
                    group=kind,
                )
            )
    rows = rows[: MOST_ROWS * max(len(shown), 1)]
    if not rows:
        return None
    words = [f"{clean(row.label)} {number(row.value)} for {clean(row.series)}" for row in rows if not row.floor]
    return Figure(
        alt=f"AUC by kind of fake on {key.label}: {'; '.join(words)}.",
        svg=interval_bars(rows),
        title=f"AUC by kind on {key.label}",
        caption="Points with 95 % intervals over components; n = number of fakes, against all reals of the set"
        + (", each version of a platform counted. " if any(reading.platforms(key)) else ". ")
        + ("† marks intervals that should not be trusted." if any(row.doubtful for row in rows) else ""),
        wide=True,
    )


def timeline_figures(items: Sequence[TimelineItem]) -> list[Figure]:
    """Timelines of the first `MOST_TIMELINES` items."""
    return [
        Figure(
            alt=alt_text(item),
            svg=draw_timeline(item),
            title=clean(item.title) or clean(item.kind),
            caption=verdict(item),
            wide=True,
        )
        for item in items[:MOST_TIMELINES]
    ]
