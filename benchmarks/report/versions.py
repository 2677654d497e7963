"""The section "Platform by platform", and the same for scenes: what each version costs a detector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from benchmarks.protocol import ORIGINAL
from benchmarks.report.reading import MARGIN_FLOOR, NAME_LENGTH, Reading, value_of, words_of
from cmdfd.report.blocks import Block, Cell, Column, Figure, Heading, Paragraph, Row, RowGroup, Section, Table, Text
from cmdfd.report.plots import BarRow, interval_bars
from cmdfd.report.text import clean, listing, number, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.report.reading import SetKey
    from benchmarks.results import Estimate, Localization, TaskResult, VersionResult

What = Literal["platforms", "scenes"]

#: Columns of localization: heading, explanation, and where the number stands.
_WHERE: tuple[tuple[str, str, Callable[[Localization], Estimate | None]], ...] = (
    ("Frame AUC", "within clips", lambda found: (found.frame_auc or {}).get("within_clip")),
    ("Stretches", "challenge score", lambda found: (found.temporal or {}).get("score")),
    ("Pixel F1", "called from .5", lambda found: (found.pixel or {}).get("pixel_f1@0.5")),
    ("Pixel AUC", "within clips", lambda found: (found.pixel or {}).get("pixel_auc")),
    ("Pixel gain", "AUC over the real twin's", lambda found: (found.pixel or {}).get("pixel_auc_gain")),
)


def platform_section(reading: Reading) -> list[Section]:
    """The section, or nothing where no set has versions of platforms or scenes."""
    blocks: list[Block] = []
    for key in reading.sets:
        if _rows(reading, key, "platforms"):
            blocks += [Heading(f"Platforms of {key.label}"), *_words(reading, key)]
            blocks += [_figure(reading, key, "platforms"), _table(reading, key, "platforms")]
        if _rows(reading, key, "scenes"):
            blocks += [
                Heading(f"Scenes of {key.label}"),
                _figure(reading, key, "scenes"),
                _table(reading, key, "scenes"),
            ]
    if not blocks:
        return []
    platforms = any(_rows(reading, key, "platforms") for key in reading.sets)
    return [Section("platforms", "Platform by platform" if platforms else "Scene by scene", tuple(blocks))]


def _versions(task: TaskResult | None, what: What) -> list[VersionResult]:
    if task is None:
        return []
    return task.platforms if what == "platforms" else task.scenes


def _rows(reading: Reading, key: SetKey, what: What) -> bool:
    return any(_versions(reading.task(name, key), what) for name in reading.detectors)


def _shown(reading: Reading) -> list[str]:
    """Detectors that are shown: of the floors the one alone that would give a version away; all stand in the result."""
    return [*reading.mains, *(name for name in reading.floors if name == MARGIN_FLOOR)]


def _name(name: str, what: What) -> str:
    return clean(name) or (ORIGINAL if what == "platforms" else "no scene")


def _words(reading: Reading, key: SetKey) -> list[Block]:
    """What the platforms cost the first detector, in a sentence."""
    task = reading.task(reading.mains[0], key) if reading.mains else None
    gaps = [row for row in _versions(task, "platforms") if row.gap is not None and row.gap.value is not None]
    if not gaps:
        return []
    lost = [row for row in gaps if row.gap and row.gap.high is not None and row.gap.high < 0 and not row.gap.unreliable]
    worst = min(gaps, key=lambda row: row.gap.value if row.gap and row.gap.value is not None else 0.0)
    head = (Text(shorten(reading.mains[0], NAME_LENGTH), "strong"), ": every version is its original sent through a ")
    first = "platform's transcoding, real and fake alike. "
    if lost:
        names = listing([_name(row.name, "platforms") for row in lost], 8)
        rest = f"AUC is clearly lower than on the originals after {names}; "
    else:
        rest = "No platform clearly lowers the AUC; "
    rest += f"the largest loss is that of {_name(worst.name, 'platforms')}: {words_of(worst.gap, signed=True)}."
    return [Paragraph((*head, first, rest), "warn" if lost else "")]


def _figure(reading: Reading, key: SetKey, what: What) -> Figure:
    shown = _shown(reading)
    rows = []
    names = dict.fromkeys(row.name for detector in shown for row in _versions(reading.task(detector, key), what))
    for name in names:
        for detector in shown:
            found = next((row for row in _versions(reading.task(detector, key), what) if row.name == name), None)
            auc = found.metrics.get("auc") if found else None
            if found is None or auc is None:
                continue
            rows.append(
                BarRow(
                    label=_name(name, what),
                    value=auc.value,
                    low=auc.low,
                    high=auc.high,
                    n=found.n_fake,
                    series=detector,
                    floor=detector in reading.floors,
                    doubtful=bool(auc.unreliable),
                )
            )
    words = [f"{row.label} {number(row.value)} for {clean(row.series)}" for row in rows if not row.floor]
    each = "platform" if what == "platforms" else "scene"
    return Figure(
        alt=f"AUC by {each} on {key.label}: {'; '.join(words)}.",
        svg=interval_bars(rows),
        title=f"AUC by {each} on {key.label}",
        caption=f"Fakes of each {each} against its own reals, with 95 % intervals over components; n = number of fakes."
        + (" † marks intervals that should not be trusted." if any(row.doubtful for row in rows) else ""),
        wide=True,
    )


def _table(reading: Reading, key: SetKey, what: What) -> Table:
    tasks = [(name, _versions(reading.task(name, key), what)) for name in _shown(reading)]
    gaps = any(row.gap is not None for _, rows in tasks for row in rows)
    where = [entry for entry in _WHERE if any(_told(row, entry[2]) for _, rows in tasks for row in rows)]
    groups = [
        RowGroup(
            tuple(_row(row, what, gaps, where) for row in rows),
            shorten(name, NAME_LENGTH),
            "floor" if name in reading.floors else "",
        )
        for name, rows in tasks
        if rows
    ]
    each = "Platform" if what == "platforms" else "Scene"
    columns = (
        Column(each),
        Column("Real + fake", ""),
        Column("AUC", "chance .5"),
        *([Column("Change", "against its originals")] if gaps else []),
        *(Column(label, explanation) for label, explanation, _ in where),
    )
    words = (
        "Change: AUC minus the AUC of the originals of the same clips, drawn together with it, so that it is "
        "surer than the two values are."
        if gaps
        else ""
    )
    caption = f"Each {each.lower()} by itself on {key.label}: its fakes against its reals, with 95 % intervals."
    return Table(caption, columns, tuple(groups), words)


def _told(row: VersionResult, of: Callable[[Localization], Estimate | None]) -> Estimate | None:
    return of(row.localization) if row.localization is not None else None


def _row(
    row: VersionResult,
    what: What,
    gaps: bool,
    where: Sequence[tuple[str, str, Callable[[Localization], Estimate | None]]],
) -> Row:
    cells: list[Cell] = [f"{row.n_real} + {row.n_fake}", value_of(row.metrics.get("auc"), bar=True)]
    if gaps:
        gap = row.gap
        lost = gap is not None and gap.high is not None and gap.high < 0
        cells.append(Text("", tone="muted") if gap is None else value_of(gap, signed=True, tone="warn" if lost else ""))
    for _, _, of in where:
        found = _told(row, of)
        cells.append(Text("–", tone="muted") if found is None else value_of(found))
    return Row(_name(row.name, what), tuple(cells), "", f"{row.n_failed} failed" if row.n_failed else "")
