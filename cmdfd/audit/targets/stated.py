"""Cues that a list states itself: lengths, rates and sizes under the catalogue's names, other columns under theirs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cmdfd.audit.cue import CATEGORY, Cue
from cmdfd.audit.cues.timing import GRIDS
from cmdfd.audit.targets.roles import readable
from cmdfd.audit.targets.values import contains, numbers, texts

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from cmdfd.audit.targets.published import Sheet

#: A text column with at most this many different values is a category.
MAX_CATEGORIES = 50
#: With more values it still is one where each occurs several times on average.
_REPEATS = 3
_NUMERIC_SHARE = 0.95
_TEXT_CUES = frozenset({"container.video_codec", "container.audio_codec", "container.pix_fmt"})


@dataclass(slots=True, eq=False)
class Stated:
    """Cue columns of a list.

    Args:
        columns: Cue name -> values, numbers or text (None = nothing there).
        cues: Records of those that the catalogue does not know.
        texts: Columns that are mostly different text, for the clip's names.
        notes: What was decided.
        seconds: [n] length of the clips, or None.
    """

    columns: dict[str, Any] = field(default_factory=dict)
    cues: dict[str, Cue] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: NDArray[np.float64] | None = None


def state(sheet: Sheet, roles: dict[str, str], *, media: bool, sound_only: bool = False) -> Stated:
    """Cues of a sheet.

    Args:
        sheet: The table.
        roles: Column -> role, as settled.
        media: Whether the clips will be measured; the list's own figures then stand beside the measured ones.
        sound_only: Whether the files are sound files, so that "duration" is that of the sound.
    """
    found = Stated()
    tech = {role.removeprefix("tech:"): name for name, role in roles.items() if role.startswith("tech:")}
    if media:
        for name in [name for name, role in roles.items() if role.startswith("tech:")]:
            _plain(found, sheet, name)
    else:
        for name in [
            n for n, role in roles.items() if role.startswith("tech:") and tech[role.removeprefix("tech:")] != n
        ]:
            _plain(found, sheet, name)
        _technical(found, sheet, tech, sound_only)
    for name, role in roles.items():
        if role.startswith("demog:"):
            _demographic(found, sheet, name, role.removeprefix("demog:"))
        elif role == "language":
            _demographic(found, sheet, name, "language")
        elif role in ("unknown", "nested"):
            _plain(found, sheet, name)
    return found


def _technical(found: Stated, sheet: Sheet, tech: dict[str, str], sound_only: bool) -> None:
    for cue, name in tech.items():
        if cue in _TEXT_CUES:
            found.columns[cue] = as_category(texts(sheet.frame[name]))
        elif "." in cue:
            found.columns[cue] = numbers(sheet.frame[name])
    values = {cue: numbers(sheet.frame[name]) for cue, name in tech.items() if "." not in cue}
    _clock(found, values, sheet, sound_only)


def _clock(found: Stated, values: dict[str, NDArray[np.float64]], sheet: Sheet, sound_only: bool) -> None:
    """Lengths, the gap and the grids, by the formulas of `cmdfd.audit.cues.timing`."""
    import numpy as np

    frames, samples = values.get("frames"), values.get("samples")
    n = len(sheet.frame)
    fps = _rate(values.get("fps"), sheet.fps if frames is not None else None, n)
    rate = _rate(values.get("sample_rate"), sheet.sample_rate if samples is not None else None, n)
    said = {
        "time.fps": fps if "fps" in values else None,
        "container.sample_rate": rate if "sample_rate" in values else None,
    }
    found.columns |= _there({**said, "time.n_frames": frames, "time.n_samples": samples})
    picture = frames / fps if frames is not None and fps is not None else values.get("video_seconds")
    sound = samples / rate if samples is not None and rate is not None else values.get("audio_seconds")
    if picture is not None and sound is not None:
        found.columns["time.av_gap"] = np.round((sound - picture) * 1000, 6) + 0.0
    if sound_only and sound is None:
        sound = values.get("seconds")
    elif not sound_only and picture is None:
        picture = values.get("seconds")
    found.columns |= _there({"time.video_duration": picture, "time.audio_duration": sound})
    if samples is not None and rate is not None:
        for grid, size in GRIDS:
            found.columns[f"time.samples_mod_{size}_at_{grid}"] = np.mod(np.round(samples * grid / rate), size)
    found.seconds = picture if picture is not None else sound


def _there(columns: dict[str, NDArray[np.float64] | None]) -> dict[str, NDArray[np.float64]]:
    return {name: values for name, values in columns.items() if values is not None}


def _rate(values: NDArray[np.float64] | None, usual: float | None, n: int) -> NDArray[np.float64] | None:
    """Rates as numbers above 0; the usual one where the list says none."""
    import numpy as np

    if values is None and usual is None:
        return None
    found = np.full(n, np.nan) if values is None else np.where(values > 0, values, np.nan)
    return found if usual is None else np.where(np.isnan(found), usual, found)


def as_category(values: pd.Series[Any]) -> NDArray[np.object_]:
    """Text as a category: None where there is nothing."""
    import numpy as np

    cells = values.to_numpy(dtype=object).copy()
    cells[np.asarray(values == "", dtype=bool)] = None
    return cells


def _demographic(found: Stated, sheet: Sheet, name: str, what: str) -> None:
    cue = f"demog.{what}"
    if cue in found.columns:
        return
    values = texts(sheet.frame[name])
    if what == "age" and _numeric(values):
        found.columns[cue], unit = numbers(sheet.frame[name]), "years"
    else:
        found.columns[cue], unit = as_category(values.str.casefold()), CATEGORY
    found.cues[cue] = Cue(
        cue,
        f"the declared {what.replace('_', ' ')}",
        unit,
        "nuisance",
        f"as the list declares it in the column {name!r}; never inferred",
        "weight or match the classes, so that each group has as many fakes as reals, and report the groups",
        "the list itself",
        "match",
    )


def _numeric(values: pd.Series[Any]) -> bool:
    import numpy as np

    filled = values[(values != "").to_numpy(dtype=bool)]
    return bool(len(filled)) and float((~np.isnan(numbers(filled))).mean()) >= _NUMERIC_SHARE


def _plain(found: Stated, sheet: Sheet, name: str) -> None:
    """A column of unknown meaning: numbers, a category, text for the names, or nothing that can be looked at."""
    from cmdfd.audit.targets.values import is_nested

    if is_nested(sheet.frame[name]):
        found.notes.append(f"the column {name!r} holds lists or records and was not looked at")
        return
    values = texts(sheet.frame[name])
    filled = values[(values != "").to_numpy(dtype=bool)]
    if not len(filled):
        found.notes.append(f"the column {name!r} is empty")
        return
    many = filled.nunique()
    column: Any
    if _numeric(values):
        if _is_id(name, filled, many):
            found.texts.append(name)
            return
        column, unit = numbers(sheet.frame[name]), ""
    elif many <= MAX_CATEGORIES or many * _REPEATS <= len(filled):
        column, unit = as_category(values), CATEGORY
    else:
        found.texts.append(name)
        return
    cue = _free(f"column.{readable(name)}", found.columns)
    found.columns[cue] = column
    found.cues[cue] = column_cue(cue, name, unit)


def _is_id(name: str, filled: pd.Series[Any], many: int) -> bool:
    """Whole numbers that are all different in a column that calls itself an id."""
    called = bool({"id", "key", "hash", "uid", "timestamp", "ts"} & set(readable(name).casefold().split("_")))
    return called and many > 0.9 * len(filled) and bool(contains(filled, r"^\d+(\.0)?$").all())


def _free(name: str, taken: dict[str, Any]) -> str:
    found, count = name, 2
    while found in taken:
        found, count = f"{name}_{count}", count + 1
    return found


def column_cue(cue: str, name: str, unit: str) -> Cue:
    """Record of a column whose meaning nobody told."""
    return Cue(
        cue,
        f"the list's column {name!r}",
        unit,
        "nuisance",
        "as the list states it",
        f"balance the classes in it; if the column itself tells what is fake or how it was made, leave it out with "
        f"--ignore-columns {name!r}",
        "the list itself",
        "match",
    )
