"""Facts of a list's clips: labels of streams, segments, modality, generator and split. None of them is a cue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cmdfd.audit.targets.published import pairs_of
from cmdfd.audit.targets.roles import generator_rank
from cmdfd.audit.targets.values import blank, distinct, is_text, join, key, numbers, texts
from cmdfd.audit.targets.words import class_word, split_word

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from cmdfd.audit.targets.labels import LabelReading
    from cmdfd.audit.targets.published import Sheet


def first_of(roles: dict[str, str], role: str) -> str | None:
    """The first column of a role, None where there is none."""
    return next((name for name, found in roles.items() if found == role), None)


def add_facts(
    made: dict[str, Any], sheet: Sheet, columns: dict[str, pd.Series[Any]], roles: dict[str, str], label: str
) -> None:
    """Everything that says what a clip is, besides its class."""
    for role in ("audio_label", "video_label", "sync_mismatch", "identity_mismatch"):
        name = first_of(roles, role)
        if name is not None:
            made[role] = _flag(sheet.frame[name])
    for role in ("text", "language"):
        name = first_of(roles, role)
        if name is not None and name in columns:
            made[role] = columns[name]
    name = first_of(roles, "original")
    if name is not None and name in columns:
        made["original"] = columns[name]
    made |= {key(n): columns[n] for n in columns if key(n) in ("face_id", "voice_id", "platform")}
    _streams_of_label(made, columns.get(label))
    segments = first_of(roles, "segments") or next(
        (n for n in sheet.frame.columns if key(n) in ("segments", "fake_segments", "fake_periods")), None
    )
    if segments is not None:
        made["segments"] = _segments(sheet.frame[segments])
    modality = modality_of(made)
    if modality is not None:
        made["modality"] = modality


def _streams_of_label(made: dict[str, Any], values: pd.Series[Any] | None) -> None:
    """Labels of both streams, where the label says them: RealVideo-FakeAudio."""
    import numpy as np

    if values is None or "audio_label" in made or "video_label" in made:
        return
    said = {value: class_word(str(value)) for value in (distinct(values, _MAX_KINDS) or ())}
    if not any(word is not None and word.audio is not None for word in said.values()):
        return
    for stream in ("audio", "video"):
        found = np.full(len(values), np.nan)
        for value, word in said.items():
            flag = None if word is None else getattr(word, stream)
            if word is not None and flag is None and word.label == 0:
                flag = 0
            if flag is not None:
                found[(values == value).to_numpy(dtype=bool)] = flag
        made[f"{stream}_label"] = found


_MAX_KINDS = 64


def _flag(values: pd.Series[Any]) -> NDArray[np.float64]:
    """1, 0 or NaN from numbers, truth values or class words."""
    import numpy as np

    found = numbers(values)
    if is_text(values) and np.isnan(found).all():
        cells = texts(values).str.casefold()
        for word in cells.unique():
            said = class_word(str(word))
            flag = (
                1.0 if word in ("true", "yes") else 0.0 if word in ("false", "no") else said.label if said else np.nan
            )
            found[(cells == word).to_numpy(dtype=bool)] = flag
    return np.where((found == 0) | (found == 1), found, np.nan)


def _segments(values: pd.Series[Any]) -> NDArray[np.object_]:
    import numpy as np

    found = np.empty(len(values), dtype=object)
    for row, cell in enumerate(values.tolist()):
        whole = isinstance(cell, tuple) and all(len(one) == 3 for one in cell)
        found[row] = cell if whole else tuple((*pair, "") for pair in pairs_of(cell))
    return found


def modality_of(made: dict[str, Any]) -> Any:
    """Which streams of a fake were forged, from the labels of both; None where they are not known."""
    import numpy as np

    if "audio_label" not in made or "video_label" not in made:
        return None
    audio, video = made["audio_label"] == 1, made["video_label"] == 1
    found = np.where(audio & video, "audiovisual", np.where(audio, "audio", np.where(video, "video", "")))
    return np.where(made["label"] == 1, found, "").astype(object)


def generator_of(sheet: Sheet, columns: dict[str, pd.Series[Any]], roles: dict[str, str], label: LabelReading) -> Any:
    """How each fake was made: the column for it, "" for reals; models of both streams are joined."""
    fake = label.values == 1
    chosen = [name for name, role in roles.items() if role == "generator"]
    if not chosen:
        ranked = [
            (rank, name)
            for name in columns
            if (rank := generator_rank(name)) is not None and roles[name] == "says" and name != label.column
        ]
        models = [name for _, name in ranked if key(name) in ("audio_model", "video_model")]
        chosen = models if len(models) == 2 else [min(ranked)[1]] if ranked else []
        if not chosen and label.column in columns and columns[label.column].nunique() > 3:
            chosen = [label.column]  # a label that names the generators, "real" among them
        chosen = [name for name in chosen if (columns[name][fake] != "").any()]
        if chosen:
            sheet.notes.append(f"the generator of a fake is read from the column {' and '.join(map(repr, chosen))}")
    if not chosen:
        return blank(len(fake))
    return join([columns[name] for name in chosen]).where(fake, "")


def split_by_table(sheet: Sheet, tables: list[str], table_of: NDArray[np.intp]) -> Any:
    """The split of each row by the name of its table; "" unless every table tells one."""
    import numpy as np

    said = [split_word(name.split(".")[0]) for name in tables]
    if not all(said):
        return blank(len(table_of))
    sheet.notes.append(
        "the split is read from the names of the tables: "
        + ", ".join(f"{name} = {one}" for name, one in list(zip(tables, said, strict=True))[:4])
    )
    return np.array(said, dtype=object)[table_of]
