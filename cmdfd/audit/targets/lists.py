"""Tables without media as a target: columns become labels, facts and cues, and every guess becomes a note."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cmdfd.audit.targets.facts import add_facts, first_of, generator_of, split_by_table
from cmdfd.audit.targets.labels import LabelReading, read_label
from cmdfd.audit.targets.published import LABEL, MADE, Sheet, recognise
from cmdfd.audit.targets.rawtable import RawTable, TableError
from cmdfd.audit.targets.rawtext import NAMELESS
from cmdfd.audit.targets.roles import identity_rank, looks_like_paths, refine, role_of
from cmdfd.audit.targets.stated import Stated, state
from cmdfd.audit.targets.values import blank, contains, distinct, is_nested, join, key, texts
from cmdfd.audit.targets.words import class_word
from cmdfd.errors import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from cmdfd.audit.cue import Cue
    from cmdfd.audit.targets.options import TargetOptions

_FACT_SHARE = 0.5
_SOUND_FILE = r"\.(wav|flac|mp3|ogg|opus|m4a|aac)$"


@dataclass(slots=True, eq=False)
class Draft:
    """Clips of one or several tables, before copies are dropped and components are formed.

    Args:
        clips: Facts and cues; `id` is not yet unique.
        names: Text in which people may be named.
        paths: One path or name of each clip.
        identities: Declared people, the one shown first.
        originals: Declared originals.
        groups: Declared components.
        group_name: Column of those.
        notes: What was decided.
        cues: Records of the columns that the catalogue does not know.
    """

    clips: pd.DataFrame
    names: pd.Series[Any]
    paths: pd.Series[Any]
    identities: list[pd.Series[Any]] = field(default_factory=list)
    originals: pd.Series[Any] | None = None
    groups: pd.Series[Any] | None = None
    group_name: str = ""
    notes: list[str] = field(default_factory=list)
    cues: dict[str, Cue] = field(default_factory=dict)


def sheets_of(tables: Sequence[RawTable]) -> list[tuple[Sheet, list[str], NDArray[np.intp]]]:
    """Tables of the same columns one below the other: (sheet, names of the tables, table of each row)."""
    import numpy as np
    import pandas as pd

    kinds: dict[Any, list[RawTable]] = {}
    for table in tables:
        keys = tuple(key(name) for name in table.frame.columns)
        signature = tuple(sorted(keys)) if len(set(keys)) == len(keys) else tuple(table.frame.columns)
        celeb_df = "list_of_testing_videos" in key(table.path.stem)
        kinds.setdefault((signature, table.header, celeb_df), []).append(table)
    found = []
    for members in kinds.values():
        first = members[0].frame
        by_key = {key(name): name for name in first.columns}
        frames = [first]
        for other in members[1:]:
            renamed = other.frame
            if list(renamed.columns) != list(first.columns):
                renamed = renamed.rename(columns={name: by_key[key(name)] for name in renamed.columns})
            frames.append(renamed)
        whole = pd.concat(frames, ignore_index=True) if len(frames) > 1 else first.reset_index(drop=True)
        if len(frames) > 1:
            whole = _settled(whole)
        tables_of_rows = np.repeat(np.arange(len(members)), [len(frame) for frame in frames]).astype(np.intp)
        found.append((Sheet(whole), [member.path.name for member in members], tables_of_rows))
    return found


def _settled(frame: pd.DataFrame) -> pd.DataFrame:
    from cmdfd.audit.targets.rawjson import settle

    return settle(frame) if any(frame[name].dtype == object for name in frame.columns) else frame


def draft_of(
    sheet: Sheet, tables: list[str], table_of: NDArray[np.intp], options: TargetOptions, *, media: bool = False
) -> Draft:
    """Clips of one sheet.

    Args:
        sheet: The columns.
        tables: Names of its tables.
        table_of: [n] table of each row.
        options: What the user said.
        media: Whether the files will be measured.

    Raises:
        TableError: Where the label cannot be decided, or a named column does not exist.
    """
    where = tables[0] if len(tables) == 1 else f"{tables[0]} and {len(tables) - 1} more"
    options = _resolved(sheet, options, where)
    recognise(sheet, tables[0])
    columns = {str(n): texts(sheet.frame[n]) for n in sheet.frame.columns if not is_nested(sheet.frame[n])}
    roles = _roles(sheet, columns, options)
    label = _label(sheet, columns, roles, tables, table_of, options, where)
    sheet.notes.extend(label.notes)
    roles[label.column] = "says" if label.column in roles else ""
    _settle_by_label(sheet, columns, roles, label.values)
    files = [name for name, role in roles.items() if role == "file"]
    sound_only = bool(files) and bool(contains(columns[files[0]].iloc[:2000], _SOUND_FILE).all())
    stated = state(sheet, roles, media=media, sound_only=sound_only)
    sheet.notes.extend(stated.notes)
    files += [name for name in stated.texts if name not in files]
    return _assembled(sheet, columns, roles, label, stated, files, options, (tables, table_of))


def _resolved(sheet: Sheet, options: TargetOptions, where: str) -> TargetOptions:
    """Options with the exact names of the columns."""
    names = [str(name) for name in sheet.frame.columns]

    def exact(option: str, said: str) -> str:
        for name in names:
            if name == said or name.casefold() == said.casefold():
                return name
        if said.isdigit() and f"{NAMELESS} {int(said)}" in names:
            return f"{NAMELESS} {int(said)}"
        close = [name for name in names if key(name) and key(name) == key(said)]
        if len(close) == 1:
            return close[0]
        raise TableError(f"{where}: {option}: there is no column {said!r}: {nearest(said, names)}")

    found = {option: exact(option, said) for option, said in options.named.items()}
    return replace(
        options,
        label_column=found.get("--label-column"),
        group_column=found.get("--group-column"),
        generator_column=found.get("--generator-column"),
        split_column=found.get("--split-column"),
        ignore_columns=tuple(exact("--ignore-columns", one) for one in options.ignore_columns),
    )


def _roles(sheet: Sheet, columns: dict[str, pd.Series[Any]], options: TargetOptions) -> dict[str, str]:
    """Role of every column: what is certain, what the user said, names, then contents."""
    roles: dict[str, str] = {}
    for name in map(str, sheet.frame.columns):
        if name in options.ignore_columns:
            roles[name] = "ignored"
        elif name in sheet.roles:
            roles[name] = sheet.roles[name]
        elif name == options.group_column:
            roles[name] = "group"
        elif name == options.split_column:
            roles[name] = "split"
        elif name == options.generator_column:
            roles[name] = "generator"
        elif name not in columns:
            roles[name] = "nested" if role_of(name) == "unknown" else "says"
        else:
            roles[name] = refine(name, role_of(name), columns[name])
    if options.generator_column is not None:
        roles |= {
            name: "says" for name, role in roles.items() if role == "generator" and name != options.generator_column
        }
    return roles


def _label(
    sheet: Sheet,
    columns: dict[str, pd.Series[Any]],
    roles: dict[str, str],
    tables: list[str],
    table_of: NDArray[np.intp],
    options: TargetOptions,
    where: str,
) -> LabelReading:
    if LABEL in sheet.frame.columns and options.label_column is None:
        return LabelReading(LABEL, sheet.frame[LABEL].to_numpy(dtype=float), ())
    told = [
        columns[name]
        for name, role in roles.items()
        if name in columns and role in ("file", "says", "generator", "original") and name != options.label_column
        and (columns[name].iloc[:50].str.len().max() or 0) > 1
    ]  # fmt: skip
    usable = {
        name: values
        for name, values in columns.items()
        if name == options.label_column
        or not (name.startswith(MADE) or roles[name] in ("ignored", "row") or looks_like_paths(values))
    }
    by_table = [class_word(name.split(".")[0]) for name in tables]
    found = read_label(
        usable,
        named=options.label_column,
        fake_values=options.fake_values,
        evidence=join(told) if told else None,
        table=where,
        allow_none=all(word is not None for word in by_table),
    )
    if found is not None:
        return found
    import numpy as np

    classes = np.array([float(word.label) for word in by_table if word is not None])
    said = ", ".join(f"{name} = {'fake' if one else 'real'}" for name, one in zip(tables, classes, strict=True))
    return LabelReading("", classes[table_of], (f"no column is a label; the tables' names tell the class: {said}",))


def _settle_by_label(
    sheet: Sheet, columns: dict[str, pd.Series[Any]], roles: dict[str, str], label: NDArray[np.float64]
) -> None:
    """Columns that speak of the class or of the forging, by what they hold, are no cues."""
    real, fake = label == 0, label == 1
    for name, role in roles.items():
        if role != "unknown" or name not in columns:
            continue
        values = columns[name]
        filled = (values != "").to_numpy(dtype=bool)
        if real.any() and fake.any() and not filled[real].any() and filled[fake].mean() >= _FACT_SHARE:
            roles[name] = "says"
            sheet.notes.append(f"the column {name!r} is filled in for fakes only: it describes the forging, no cue")
            continue
        shown = distinct(values, 64)
        words = {one: class_word(one) for one in shown or ()}
        if any(word is not None and len(one) < 40 for one, word in words.items()) and _tells(values, words, label):
            roles[name] = "says"
            sheet.notes.append(f"the column {name!r} says the class in words: no cue")


def _tells(values: pd.Series[Any], words: dict[str, Any], label: NDArray[np.float64]) -> bool:
    """Whether the values that are class words name the class of the label."""
    import numpy as np

    agree = total = 0
    for value, word in words.items():
        if word is not None:
            here = (values == value).to_numpy(dtype=bool) & ~np.isnan(label)
            total += int(here.sum())
            agree += int((label[here] == word.label).sum())
    return total > 0 and agree > 0.95 * total


def _assembled(
    sheet: Sheet,
    columns: dict[str, pd.Series[Any]],
    roles: dict[str, str],
    label: LabelReading,
    stated: Stated,
    files: list[str],
    options: TargetOptions,
    source: tuple[list[str], NDArray[np.intp]],
) -> Draft:
    import numpy as np
    import pandas as pd

    n = len(sheet.frame)
    made: dict[str, Any] = {"label": label.values}
    names = join([columns[name] for name in files]) if files else blank(n)
    paths = columns[_main_path(files, columns)] if files else blank(n)
    made["file"] = names
    made["id"] = columns[sheet.names] if sheet.names else paths
    add_facts(made, sheet, columns, roles, label.column)
    made["generator"] = generator_of(sheet, columns, roles, label)
    split = first_of(roles, "split")
    made["split"] = columns[split] if split else split_by_table(sheet, *source)
    if stated.seconds is not None:
        made["seconds"] = stated.seconds
    made["table"] = np.array(source[0], dtype=object)[source[1]]
    draft = Draft(pd.DataFrame({**made, **stated.columns}), columns[sheet.names] if sheet.names else names, paths)
    people = sorted((name for name, role in roles.items() if role == "identity"), key=identity_rank)
    draft.identities = [columns[name] for name in people]
    originals = [name for name, role in roles.items() if role == "original" and name in columns]
    draft.originals = columns[originals[0]] if originals else None
    group = options.group_column or first_of(roles, "group")
    draft.groups, draft.group_name = (columns[group], group) if group else (None, "")
    draft.cues = stated.cues
    draft.notes = [*sheet.notes, *_role_notes(sheet, roles, files)]
    return draft


def _main_path(files: list[str], columns: dict[str, pd.Series[Any]]) -> str:
    """The column that names the media file best: video before sound, paths before names."""

    def rank(name: str) -> tuple[bool, bool, bool]:
        sample = columns[name].iloc[:: max(1, len(columns[name]) // 500)]
        ends = contains(sample, r"\.[a-z0-9]{2,4}$").mean() > 0.5
        sound = contains(sample, _SOUND_FILE).mean() > 0.5
        return not ends, sound, not bool(contains(sample, r"[/\\]").any())

    return min(files, key=rank)


def _role_notes(sheet: Sheet, roles: dict[str, str], files: list[str]) -> list[str]:
    """Which columns are no cues, and why."""
    says = [name for name, role in roles.items() if role in ("says", "audio_label", "video_label")]
    says = [name for name in says if name and not name.startswith(MADE)]
    notes = []
    if says:
        notes.append(f"not taken as cues, since they tell the class or define the forging: {', '.join(says)}")
    if files:
        notes.append(f"names and paths: {', '.join(name.removeprefix(MADE) for name in files)}")
    rows = [name or "(nameless)" for name, role in roles.items() if role == "row"]
    if rows:
        notes.append(f"row numbers: {', '.join(rows)}")
    people = [name for name, role in roles.items() if role == "identity"]
    if people:
        notes.append(f"people: {', '.join(people)}")
    return notes
