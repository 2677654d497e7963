"""The data sheet: what is in a set, in counts, as Markdown for people and as JSON and CSV for programs."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from cmdfd.cache import write_atomic
from cmdfd.errors import JOB_CODES, MEDIA_CODES
from cmdfd.report.text import clean, percent, plural
from cmdfd.tables import REFUSED, read_table
from generators.sheets.counting import CountRow, DataSheet, count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cmdfd.dataset import Dataset

#: Where something is not known; meant to be seen.
BLANK = "**[unknown]**"
_RELATIONS = {
    "self": "itself",
    "same": "another take of the person",
    "partner": "the fixed partner",
    "": "nobody",
    None: BLANK,
}


def write_data_sheet(dataset: Dataset, path: Path, refused: Sequence[Mapping[str, Any]] | None = None) -> DataSheet:
    """Write the data sheet, and its twins with the endings `.json` (everything) and `.csv` (counts).

    Args:
        dataset: A finished set with its provenance.
        path: The Markdown file, e.g. `dataset.folder / "sheets" / "datasheet.md"`.
        refused: What was not made: rows with `source`, `kind`, `code` and `reason`; those of the set's
            `refused.parquet` if None.

    Raises:
        CmdfdError: If the set has no provenance.
    """
    table = dataset.folder / REFUSED
    if refused is None and table.is_file():
        refused = read_table(table)
    sheet = count(dataset, refused)
    write_atomic(path, markdown(sheet).encode())
    data = sheet.model_dump(mode="json")
    text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomic(path.with_suffix(".json"), text.encode())
    write_atomic(path.with_suffix(".csv"), _csv(sheet).encode())
    return sheet


def _csv(sheet: DataSheet) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(CountRow.model_fields), lineterminator="\n")
    writer.writeheader()
    for row in sheet.counts:
        writer.writerow({name: "" if value is None else value for name, value in row.model_dump().items()})
    return buffer.getvalue()


def markdown(sheet: DataSheet) -> str:
    """The whole page."""
    parts = [f"# Data sheet: {_cell(sheet.name)}", _head(sheet)]
    for title, body in (
        ("Clips", _counts(sheet)),
        ("Labels", _labels(sheet)),
        ("Forged stretches", _segments(sheet)),
        ("Who drives", _relations(sheet)),
        ("Generators", _generators(sheet)),
        ("Licences and consent", _rights(sheet)),
        ("Not made", _refused(sheet)),
        ("Audit", _audit(sheet)),
        ("Notes", "\n".join(f"- {_cell(note)}" for note in sheet.notes)),
    ):
        if body:
            parts.append(f"## {title}\n\n{body}")
    return "\n\n".join(parts) + "\n"


def _cell(value: object) -> str:
    """A value in a table: harmless as Markdown, visibly blank where there is none."""
    if value is None:
        return BLANK
    text = clean(value)
    for sign in "\\`*_[]<>|":
        text = text.replace(sign, f"\\{sign}")
    return text


def _code(value: object) -> str:
    """A word as code."""
    return "`" + clean(value).replace("`", "'").replace("|", "\\|") + "`"


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    if not rows:
        return "None."
    lines = [list(header), ["---"] * len(header), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _head(sheet: DataSheet) -> str:
    clips = sum(row.clips for row in sheet.counts)
    seconds = sum(row.seconds for row in sheet.counts)
    people = f"{BLANK} people" if sheet.people is None else plural(sheet.people, "person", "people")
    lines = [
        f"{plural(clips, 'clip')} of {people} in {plural(sheet.components, 'component')}, {seconds / 60:.1f} minutes; "
        f"recipe hash {_code(sheet.recipe_hash)}. A component is all that shares a face, a voice or a recording."
    ]
    lines += [
        f"The labels of {_code(row.split)} ({plural(row.clips, 'clip')}, {row.seconds / 60:.1f} minutes) are withheld: "
        "nothing else is said of it, and it counts in none of the tables."
        for row in sheet.withheld
    ]
    return "\n\n".join(lines)


def _counts(sheet: DataSheet) -> str:
    header = ("split", "kind", "variant", "clips", "people", "components", "seconds", "with mask")
    rows = [
        (
            *(_cell(row.split), _cell(row.kind), _cell(row.variant), row.clips, _cell(row.people), row.components),
            *(f"{row.seconds:.1f}", row.masks),
        )
        for row in sheet.counts
    ]
    return _table(header, rows)


def _vector(values: Sequence[int | None]) -> str:
    return ", ".join("?" if value is None else str(value) for value in values)


def _labels(sheet: DataSheet) -> str:
    rows = [
        (
            *(_cell(row.kind) + (" (steps without forging)" if row.sham else ""), row.clips),
            *(_vector(row.labels), _vector(row.published)),
        )
        for row in sheet.labels
    ]
    legend = (
        "E clip, A sound, V picture forged; S sync, I identity mismatch: 1 = fake or mismatch, ? unknown. CMDFD's "
        "published columns I and S mean 1 = match; the last column is in its order and meaning."
    )
    return f"{_table(('kind', 'clips', 'E, A, V, S, I', 'published form E, A, V, I, S'), rows)}\n\n{legend}"


def _segments(sheet: DataSheet) -> str:
    header = ("kind", "modality", "segments", "clips with some", "mean length (s)", "share of these clips")
    rows = [
        [_cell(row.kind), row.modality.value, row.segments, row.clips, f"{row.mean_seconds:.2f}", percent(row.share)]
        for row in sheet.segments
    ]
    return _table(header, rows)


def _relations(sheet: DataSheet) -> str:
    rows = [[_cell(row.kind), _RELATIONS.get(row.relation, _cell(row.relation)), row.clips] for row in sheet.relations]
    return _table(("kind", "driven by", "clips"), rows)


def _generators(sheet: DataSheet) -> str:
    header = ("generator", "version", "licence", "terms on output", "watermark", "fakes", "shams", "known cues")
    rows = [
        (
            *(_cell(row.generator), _cell(row.version), _cell(row.licence or None), _none(row.output_licence)),
            *(_none(row.watermark), row.fakes, row.shams, _cell("; ".join(row.known_cues) or "none known")),
        )
        for row in sheet.generators
    ]
    return _table(header, rows)


def _none(value: str | None) -> str:
    return "none" if value == "" else _cell(value)


def _rights(sheet: DataSheet) -> str:
    rows = [
        [_cell(row.licence or None), _cell(row.consent or None), "yes" if row.pristine else "no", row.clips]
        for row in sheet.rights
    ]
    text = _table(("licence", "consent", "pristine sources", "clips"), rows)
    if not sheet.overrides:
        return f"{text}\n\nOverrides: none."
    lines = [f"- {plural(number, 'clip')}: {_cell(reason)}" for reason, number in sheet.overrides.items()]
    return f"{text}\n\nForged without known licence or consent, for this reason:\n\n" + "\n".join(lines)


def _refused(sheet: DataSheet) -> str:
    if sheet.refused is None:
        return BLANK
    meaning = MEDIA_CODES | JOB_CODES
    rows = [
        (
            *(row.count, _cell(row.kind or "whole file"), _code(row.code)),
            *(_cell(meaning.get(row.code)), _cell(row.reason)),
        )
        for row in sheet.refused
    ]
    return _table(("number", "what", "code", "meaning", "commonest reason"), rows)


def _audit(sheet: DataSheet) -> str:
    if sheet.audit_status is None:
        return f"{BLANK}: the gate did not run (it is switched off, or a class is missing)."
    return "\n".join([f"Status: {_cell(sheet.audit_status)}.", "", *(f"- {_cell(text)}" for text in sheet.audit)])
