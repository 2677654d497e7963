"""The data sheet: what is in a set, in counts, as Markdown for people and as JSON and CSV for programs."""

from __future__ import annotations

import csv
import io
from collections import Counter
from typing import TYPE_CHECKING, Any

from cmdfd.cache import write_atomic
from cmdfd.clip import REAL_KIND
from cmdfd.errors import JOB_CODES, MEDIA_CODES
from cmdfd.report.text import clean, percent, plural
from cmdfd.tables import REFUSED, read_table
from generators.sheets.counting import CountRow, DataSheet, count
from generators.sheets.versions import ORIGINAL, CellRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pydantic import BaseModel

    from cmdfd.dataset import Dataset
    from generators.sheets.versions import PlatformRow

#: Where something is not known; meant to be seen.
BLANK = "**[unknown]**"
#: Sizes and frame rates that are named of a platform.
_MOST_VALUES = 4
_RELATIONS = {
    "self": "itself",
    "same": "another take of the person",
    "partner": "the fixed partner",
    "": "nobody",
    None: BLANK,
}


def write_data_sheet(dataset: Dataset, path: Path, refused: Sequence[Mapping[str, Any]] | None = None) -> DataSheet:
    """Write the data sheet, and its twins with the endings `.json` (everything) and `.csv` (counts).

    A set with scenes or platforms also gets `<name>-versions.csv`: counts by split, scene, platform and kind.

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
    write_atomic(path.with_suffix(".json"), sheet.to_json().encode())
    write_atomic(path.with_suffix(".csv"), _csv(CountRow, sheet.counts).encode())
    versions = path.with_name(f"{path.stem}-versions.csv")
    if sheet.cells:
        write_atomic(versions, _csv(CellRow, sheet.cells).encode())
    else:
        versions.unlink(missing_ok=True)
    return sheet


def _csv(kind: type[BaseModel], rows: Sequence[BaseModel]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(kind.model_fields), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: "" if value is None else value for name, value in row.model_dump().items()})
    return buffer.getvalue()


def markdown(sheet: DataSheet) -> str:
    """The whole page."""
    parts = [f"# Data sheet: {_cell(sheet.name)}", _head(sheet)]
    for title, body in (
        ("Clips", _counts(sheet)),
        ("Scenes", _scenes(sheet)),
        ("Platforms", _platforms(sheet)),
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
    versions = sum(row.clips for row in sheet.cells if row.platform)
    if versions:
        platforms = plural(len(sheet.platforms) - 1, "platform")
        lines.append(
            f"There are also {plural(versions, 'version')} of these clips, as {platforms} "
            "leave them. They are the same recordings of the same people: all tables but those under Platforms count "
            "originals."
        )
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


def _kinds(sheet: DataSheet) -> list[str]:
    """Kinds in the order of the counts."""
    return list(dict.fromkeys(row.kind for row in sheet.counts))


def _crossed(first: str, names: Mapping[str, str], rows: Sequence[tuple[str, CellRow]], kinds: Sequence[str]) -> str:
    """A table of `names` by kinds, with sums; `rows` says which name a cell counts for."""
    found: Counter[tuple[str, str]] = Counter()
    for name, row in rows:
        found[name, row.kind] += row.clips
    lines = {label: [found[name, kind] for kind in kinds] for name, label in names.items()}
    if len(lines) > 1:
        lines["all"] = [sum(found[name, kind] for name in names) for kind in kinds]
    shown = [[label, *numbers, sum(numbers)] for label, numbers in lines.items()]
    return _table((first, *map(_cell, kinds), "all"), shown)


def _scenes(sheet: DataSheet) -> str:
    """Originals by scene and kind, "" for a set without scenes."""
    rows = [(row.scene, row) for row in sheet.cells if not row.platform]
    names = {name: _cell(name) if name else "single pictures" for name in dict.fromkeys(name for name, _ in rows)}
    return _crossed("scene", names, rows, _kinds(sheet)) if set(names) - {""} else ""


def _platforms(sheet: DataSheet) -> str:
    """What each platform does, and clips by platform and kind; "" for a set without platforms."""
    if not sheet.platforms:
        return ""
    header = ("platform", "clips", "real", "fakes", "with mask", "minutes", "pictures", "frames per second")
    names = {one.platform: _cell(one.platform) if one.platform else ORIGINAL for one in sheet.platforms}
    lines = []
    for one in sheet.platforms:
        own = [row for row in sheet.cells if row.platform == one.platform]
        clips, real = sum(row.clips for row in own), sum(row.clips for row in own if row.kind == REAL_KIND)
        lines.append(
            (
                *(names[one.platform], clips, real, clips - real, sum(row.masks for row in own)),
                *(f"{sum(row.seconds for row in own) / 60:.1f}", _shares(one.sizes), _shares(one.fps)),
                BLANK if one.kbit_per_second is None else f"{one.kbit_per_second:.0f}",
                _confidence(one) if one.platform else "",
                _cell(one.audit or None),
            )
        )
    whole = _table((*header, "kbit/s (median)", "confidence", "audit"), lines)
    crossed = _crossed("platform", names, [(row.platform, row) for row in sheet.cells], _kinds(sheet))
    note = (
        "Platforms are emulated by transcoding; confidence says how sure a profile's settings are, the audit is the "
        "gate over the clips of that platform alone."
    )
    return f"{whole}\n\n{note}\n\n{crossed}"


def _shares(found: Mapping[str, int]) -> str:
    """The commonest values; all of them where they are few."""
    names = list(found)
    more = f" and {len(names) - _MOST_VALUES} more" if len(names) > _MOST_VALUES else ""
    return ", ".join(names[:_MOST_VALUES]) + more


def _confidence(one: PlatformRow) -> str:
    if len(one.confidence) == 1 and one.platform in one.confidence:
        return _cell(one.confidence[one.platform])
    return ", ".join(f"{_cell(name)} {_cell(sure)}" for name, sure in one.confidence.items()) or BLANK
