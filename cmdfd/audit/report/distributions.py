"""How a cue is spread in real and in fake clips, as the picture that suits its values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.comparisons import OF_CLIPS
from cmdfd.audit.cue import CATEGORY, TOKENS
from cmdfd.audit.finding import POOLED
from cmdfd.audit.report.words import compared, heading_of, quantity, title_of, told
from cmdfd.audit.views import MAX_LEVELS
from cmdfd.report.blocks import Figure
from cmdfd.report.plots import LevelRow, choose_scale, cue_histogram, level_bars
from cmdfd.report.text import clean, percent, plural, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from cmdfd.audit.finding import Finding
    from cmdfd.audit.records import AuditReport

#: Categories and words of a picture; the rest is one bar.
MOST_ROWS = 10
#: Clips of a class whose words are counted.
MOST_TEXTS = 20_000
#: Numbers with few values are drawn as bars where each occurs this often, on average.
REPEATS = 4
MISSING = "(not measurable)"


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """Values of one cue in the clips of one comparison.

    Args:
        real: Values of the reals.
        fake: Values of the fakes.
    """

    real: pd.Series
    fake: pd.Series

    @property
    def sizes(self) -> tuple[int, int]:
        """Reals and fakes."""
        return len(self.real), len(self.fake)


def classes_of(report: AuditReport, table: pd.DataFrame, cue: str, analysis: str) -> Classes | None:
    """The values that a finding is about.

    All reals stand against the fakes of a generator or modality; of a split or platform, both classes are taken.

    Args:
        report: The audit, for what its comparisons are made of.
        table: The cue table.
        cue: Column.
        analysis: Name of the comparison.

    Returns:
        None where the table lacks the cue or what parts the fakes.
    """
    if cue not in table.columns or "label" not in table.columns:
        return None
    labels = table["label"]
    real, fake = (labels == 0).to_numpy(bool), (labels == 1).to_numpy(bool)
    if analysis != POOLED:
        comparison = next((one for one in report.comparisons if one.name == analysis), None)
        if comparison is None or comparison.by not in table.columns:
            return None
        inside = (table[comparison.by].fillna("").astype(str) == comparison.level).to_numpy(bool)
        fake = fake & inside
        real = real & (inside | (comparison.by not in OF_CLIPS))
    return Classes(table.loc[real, cue], table.loc[fake, cue])


def distribution(report: AuditReport, table: pd.DataFrame, finding: Finding) -> Figure | None:
    """The picture of a finding; None where the table does not hold it.

    Args:
        report: The audit.
        table: The cue table.
        finding: What was found.
    """
    found = classes_of(report, table, finding.cue, finding.analysis)
    if found is None or not any(found.sizes):
        return None
    if finding.unit == TOKENS:
        return _words(finding, found)
    missing = "not measurable" in finding.view
    numbers = None if finding.unit == CATEGORY else _numbers(found)
    if numbers is None:
        return _levels(finding, found, _texts(found.real), _texts(found.fake))
    distinct = np.unique(np.concatenate([one[np.isfinite(one)] for one in numbers]))
    repeated = len(distinct) <= MAX_LEVELS and sum(found.sizes) >= REPEATS * len(distinct)
    if missing or repeated or not len(distinct):
        return _few_values(finding, found, numbers, distinct, missing)
    return _histogram(finding, numbers)


def _numbers(found: Classes) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Both classes as numbers with NaN for what is missing; None where there is text."""
    import pandas as pd

    parts = []
    for series in (found.real, found.fake):
        values = pd.to_numeric(series, errors="coerce").to_numpy(np.float64)
        if (np.isnan(values) & series.notna().to_numpy(bool)).any():
            return None
        parts.append(np.where(np.isfinite(values), values, np.nan))
    return parts[0], parts[1]


def _few_values(
    finding: Finding,
    found: Classes,
    numbers: tuple[NDArray[np.float64], NDArray[np.float64]],
    distinct: NDArray[np.float64],
    missing: bool,
) -> Figure:
    """Bars of numbers with few values in their order, or of whether there is a number at all."""

    def name(value: float) -> str:
        # as views name the values of such a cue
        return MISSING if not np.isfinite(value) else "(measurable)" if missing else f"{value:.10g}"

    texts = [[name(value) for value in one] for one in numbers]
    labels = {} if missing else {name(value): quantity(float(value), finding.unit) for value in distinct}
    if len(set(labels.values())) < len(labels):
        # values that only differ in digits that nobody would read otherwise
        labels = {one: f"{one} {finding.unit}".strip() for one in labels}
    return _levels(finding, found, texts[0], texts[1], labels)


def _texts(series: pd.Series) -> list[str]:
    return [str(value) if here else MISSING for value, here in zip(series, series.notna(), strict=True)]


def _histogram(finding: Finding, numbers: tuple[NDArray[np.float64], NDArray[np.float64]]) -> Figure:
    real, fake = (one[np.isfinite(one)] for one in numbers)
    lines, called = _rule_lines(finding, np.concatenate([real, fake]))
    scale = choose_scale(real, fake, [value for value, _ in lines])
    unit = f" ({shorten(finding.unit, 20)})" if finding.unit else ""
    rule = finding.rule
    caption = [_sizes(len(real), len(fake), [len(one) for one in numbers])]
    if called:
        caption.append("Shaded: what the rule calls fake.")
    beyond = [scale.beyond(one) for one in (real, fake)]
    if any(sum(one) for one in beyond):
        caption.append(
            f"The axis leaves out {plural(sum(beyond[0]), 'real')} and {plural(sum(beyond[1]), 'fake')} far off."
        )
    if scale.kind == "log":
        caption.append("The axis goes in powers of ten.")
    return Figure(
        alt=f"Histograms of {title_of(finding)}, {clean(finding.typical)}. {told(finding)}",
        svg=cue_histogram(
            real,
            fake,
            label=f"{heading_of(finding)}{unit}",
            thresholds=lines,
            called=called,
            told=(rule.reals, rule.fakes) if rule is not None and called else None,
            scale=scale,
        ),
        caption=" ".join(caption),
    )


def _rule_lines(
    finding: Finding, values: NDArray[np.float64]
) -> tuple[list[tuple[float, str]], list[tuple[float, float]]]:
    """Where the rule draws its lines, with words, and which stretches it calls fake."""
    rule = finding.rule
    if rule is None or rule.threshold is None or not np.isfinite(rule.threshold):
        return [], []
    at = quantity(rule.threshold, finding.unit)
    if finding.view.startswith("distance"):
        middle = float(np.median(values))
        low, high = middle - rule.threshold, middle + rule.threshold
        lines = [(low, f"median ± {at}"), (high, "")]
        return lines, [(-np.inf, low), (high, np.inf)] if rule.above else [(low, high)]
    if finding.view != "value":
        return [], []
    return [(rule.threshold, f"threshold {at}")], [
        (rule.threshold, np.inf) if rule.above else (-np.inf, rule.threshold)
    ]


def _sizes(n_real: int, n_fake: int, whole: Sequence[int]) -> str:
    text = "Share of each class."
    missing = [n - shown for n, shown in zip(whole, (n_real, n_fake), strict=True)]
    if any(missing):
        text += f" Not measurable in {plural(missing[0], 'real')} and {plural(missing[1], 'fake')}."
    return text


def _levels(
    finding: Finding, found: Classes, real: list[str], fake: list[str], order: Mapping[str, str] | None = None
) -> Figure:
    """Bars of categories: in the given order and with the given labels, or the most telling first."""
    labels = order or {}
    n_real, n_fake = len(real), len(fake)
    counts = Counter(real), Counter(fake)
    shares = {
        name: (_share(counts[0][name], n_real), _share(counts[1][name], n_fake)) for name in counts[0] | counts[1]
    }
    names = [name for name in labels if name in shares]
    names += sorted(shares.keys() - set(names), key=lambda name: _telling(shares[name], name))
    kept = names if len(names) <= MOST_ROWS + 1 or labels else names[:MOST_ROWS]
    rows = [_level_row(finding, name, shares[name], labels.get(name, name)) for name in kept]
    rest = names[len(kept) :]
    if rest:
        left = [_sum([shares[name][side] for name in rest]) for side in (0, 1)]
        rows.append(LevelRow(f"{len(rest)} others", left[0], left[1], quiet=True))
    return _bars_figure(finding, rows, found, "Share of each class.")


def _level_row(finding: Finding, name: str, shares: tuple[float | None, float | None], label: str = "") -> LevelRow:
    words = (
        f"{finding.view} {finding.rule.where if finding.rule else ''} {finding.marker.where if finding.marker else ''}"
    )
    marked = f"{name!r}" in words or (name == MISSING and "not measurable" in words)
    return LevelRow(
        (label or name) if name.strip() else "(empty)", *shares, marked=marked, quiet=name == MISSING and not marked
    )


def _words(finding: Finding, found: Classes) -> Figure | None:
    """Bars of the words whose shares differ most."""
    sides = [_word_counts(series) for series in (found.real, found.fake)]
    names = {word for counts, _ in sides for word in counts}
    shares = {word: (_share(sides[0][0][word], sides[0][1]), _share(sides[1][0][word], sides[1][1])) for word in names}
    kept = sorted(names, key=lambda word: _telling(shares[word], word))[:MOST_ROWS]
    if not kept:
        return None
    rows = [_level_row(finding, word, shares[word]) for word in kept]
    words = (
        f"The {len(kept)} most telling of {plural(len(names), 'word')}; bars are the share of each class that has it."
    )
    if max(found.sizes) > MOST_TEXTS:
        words += f" Counted in the first {MOST_TEXTS} clips of each class."
    return _bars_figure(finding, rows, found, words)


def _word_counts(series: pd.Series) -> tuple[Counter[str], int]:
    counts: Counter[str] = Counter()
    texts = series.iloc[:MOST_TEXTS]
    for text in texts:
        if isinstance(text, str):
            counts.update(set(text.split()))
    return counts, len(texts)


def _bars_figure(finding: Finding, rows: list[LevelRow], found: Classes, words: str) -> Figure:
    n_real, n_fake = found.sizes
    first = "; ".join(
        f"{shorten(row.label, 40)} {percent(row.real)} of reals, {percent(row.fake)} of fakes" for row in rows[:4]
    )
    bold = " In bold: what the rule names." if any(row.marked for row in rows) else ""
    return Figure(
        alt=f"Bars of {title_of(finding)} for {compared(finding.analysis)}: {first}.",
        svg=level_bars(rows, n_real=n_real, n_fake=n_fake),
        caption=f"{words}{bold}",
        title="",
    )


def _share(count: int, n: int) -> float | None:
    return count / n if n else None


def _sum(values: Sequence[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return float(sum(found)) if found else None


def _telling(shares: tuple[float | None, float | None], name: str) -> tuple[float, float, str]:
    real, fake = (value or 0.0 for value in shares)
    return (-abs(real - fake), -max(real, fake), name)
