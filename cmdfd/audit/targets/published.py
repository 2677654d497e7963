"""Lists of published sets whose columns are known: they are renamed to roles, and the rest goes the common way.

Conventions and traps are those of the sets' own repositories; each is told in a note of the report.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from cmdfd.audit.targets.values import contains, extract, glue, is_nested, join, key, numbers, texts

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from cmdfd.audit.targets.roles import Role

#: Columns that are made here begin with this sign, which no table uses.
MADE = "="
LABEL = MADE + "label"


@dataclass(slots=True, eq=False)
class Sheet:
    """A raw table on its way to clips.

    Args:
        frame: Its columns, and made ones.
        roles: Column -> role, where it is certain.
        notes: What was decided.
        fps: Frames per second where no column says, None = unknown.
        sample_rate: Samples per second where no column says.
        names: Column in which ids of people stand, "" = the file's.
    """

    frame: pd.DataFrame
    roles: dict[str, Role] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    fps: float | None = None
    sample_rate: float | None = None
    names: str = ""

    def column(self, *words: str) -> str | None:
        """The column of one of these names, None where there is none."""
        return next((name for name in self.frame.columns if key(name) in words), None)

    def make(self, name: str, values: Any, role: Role) -> None:
        """Add a column that was derived."""
        self.frame[MADE + name] = values
        self.roles[MADE + name] = role


def recognise(sheet: Sheet, table: str) -> Sheet:
    """Fill in what is known of a published list; another one stays as it is.

    Args:
        sheet: The raw table.
        table: Name of its file.
    """
    for matches, fill in _LAYOUTS:
        if matches(sheet, table):
            fill(sheet)
            break
    return sheet


# ---- CMDFD


def _is_cmdfd(sheet: Sheet, _: str) -> bool:
    names = {key(name) for name in sheet.frame.columns}
    return _entire(sheet) is not None and bool(names & {"id_name", "identi_label", "sync_label"})


def _entire(sheet: Sheet) -> str | None:
    """The label column of CMDFD, whose published header misspells it."""
    found = {key(name): str(name) for name in sheet.frame.columns}
    close = difflib.get_close_matches("entire_label", [name for name in found if name.endswith("label")], 1, 0.85)
    return found[close[0]] if close else None


def _cmdfd(sheet: Sheet) -> None:
    entire = _entire(sheet)
    sheet.make("label", _zero_one(sheet.frame[entire]), "label")
    sheet.roles |= {name: "says" for name in sheet.frame.columns if key(name).endswith("label") and name != LABEL}
    for stream in ("audio", "video"):
        column = sheet.column(f"{stream}_label")
        if column is not None:
            sheet.make(f"{stream}_label", _zero_one(sheet.frame[column]), f"{stream}_label")
    for word, ours in (("sync", "sync_mismatch"), ("identi", "identity_mismatch")):
        column = sheet.column(f"{word}_label", f"{word}ty_label")
        if column is not None:
            sheet.make(ours, 1 - _zero_one(sheet.frame[column]), ours)
    sheet.notes.append(
        f"read as a list of CMDFD: {entire!r} is the label (1 = fake); no *_Label column is a cue; in its S and I "
        f"columns 1 means match, which is inverted; its FPS column says 25 for every clip, whatever the file does"
    )
    sheet.fps, sheet.sample_rate = 25.0, 16000.0
    column = sheet.column("id_name")
    if column is not None:
        sheet.names = column
        found = extract(texts(sheet.frame[column]), r"^(?P<method>[^+]*)\+(?P<face>id\d+)[-+_](?P<voice>id\d+)?.*$")
        sheet.make("voice_id", found["voice"], "says")
        method = found["method"].where((sheet.frame[LABEL] == 1).to_numpy(), "")
        category = _category(sheet, sheet.column("video_path", "audio_path"))
        sheet.make("generator", method.where((category == "").to_numpy(), category), "generator")


def _category(sheet: Sheet, column: str | None) -> pd.Series[Any]:
    """FakeAVCeleb's category folder in CMDFD's lists of it, e.g. FAKE_W2L_C, in lower case."""
    values = texts(sheet.frame[column if column is not None else sheet.frame.columns[0]])
    found = extract(values, r"^.*[/\\](?P<category>(?:org_)?FAKE_[A-Za-z0-9_]+)[/\\].*$")["category"]
    return found.str.removeprefix("org_FAKE_").str.removeprefix("FAKE_").str.lower()


def _zero_one(values: pd.Series[Any]) -> Any:
    """0, 1 and NaN for everything else."""
    import numpy as np

    found = numbers(values)
    return np.where((found == 0) | (found == 1), found, np.nan)


# ---- FakeAVCeleb


def _is_favc(sheet: Sheet, _: str) -> bool:
    names = {key(name) for name in sheet.frame.columns}
    return {"source", "method", "category", "type"} <= names and bool(names & {"target1", "race"})


def _favc(sheet: Sheet) -> None:
    path, last = sheet.column("path", "filename"), str(sheet.frame.columns[-1])
    _by_category(sheet, texts(sheet.frame[sheet.column("category")]))
    note = "read as FakeAVCeleb's meta_data.csv: category A = real, B to D = fake"
    folder = texts(sheet.frame[last])
    if path is not None and last != path and key(last) == "" and contains(folder.iloc[:100], r"[/\\]").any():
        sheet.make("path", glue(folder, texts(sheet.frame[path]), "/"), "file")
        sheet.roles |= {path: "says", last: "says"}  # both stand in the joined column
        note += "; its column 'path' holds file names and its last, unnamed one the folders: they were joined"
    sheet.notes.append(note)
    method = texts(sheet.frame[sheet.column("method")])
    sheet.make("generator", method.where((sheet.frame[LABEL] == 1).to_numpy(), ""), "generator")


def _by_category(sheet: Sheet, category: pd.Series[Any]) -> None:
    """Labels of FakeAVCeleb's categories: A real, B voice forged, C picture forged, D both."""
    import numpy as np

    upper = category.str.upper().str.slice(0, 1)
    for name, fakes in (("label", "BCD"), ("audio_label", "BD"), ("video_label", "CD")):
        found = np.where(upper.isin(list(fakes)), 1.0, np.where(upper.isin(list("ABCD")), 0.0, np.nan))
        sheet.make(name, found, name)


def _is_favc_list(sheet: Sheet, _: str) -> bool:
    names = {key(name) for name in sheet.frame.columns}
    if not {"category", "full_path"} <= names:
        return False
    return set(texts(sheet.frame[sheet.column("category")]).unique()) <= {*"ABCD", ""}


def _favc_list(sheet: Sheet) -> None:
    _by_category(sheet, texts(sheet.frame[sheet.column("category")]))
    sheet.notes.append("read as a list of FakeAVCeleb by AVH-Align: category A = real, B to D = fake")


# ---- AV-Deepfake1M and LAV-DF


def _is_av1m(sheet: Sheet, _: str) -> bool:
    names = {key(name) for name in sheet.frame.columns}
    return "file" in names and ("modify_type" in names or "n_fakes" in names or "fake_segments" in names)


def _av1m(sheet: Sheet) -> None:
    import numpy as np

    kind, count = sheet.column("modify_type"), sheet.column("n_fakes")
    segments = sheet.column("fake_segments", "fake_periods")
    lav = count is not None or sheet.column("fake_periods") is not None
    if kind is not None:
        said = texts(sheet.frame[kind]).str.lower().str.replace("-", "_")
        known = (said != "").to_numpy(dtype=bool)
        both = contains(said, "^both")
        sheet.make("label", np.where(known, (said != "real").to_numpy(dtype=float), np.nan), "label")
        for stream, word in (("audio", "^audio"), ("video", "^(visual|video)")):
            forged = (contains(said, word) | both).astype(float)
            sheet.make(f"{stream}_label", np.where(known, forged, np.nan), f"{stream}_label")
        how = "the label is modify_type (all but 'real' = fake)"
    elif count is not None:
        found = numbers(sheet.frame[count])
        sheet.make("label", np.where(np.isnan(found), np.nan, (found > 0).astype(float)), "label")
        how = "the label is n_fakes (more than none = fake)"
    else:
        cells = sheet.frame[segments] if segments is not None else sheet.frame.iloc[:, 0]
        sheet.make("label", np.array([float(_length(one) > 0) for one in cells]), "label")
        how = "the label is whether there are fake segments"
    _av1m_segments(sheet)
    sheet.fps, sheet.sample_rate = 25.0, 16000.0
    sheet.notes.append(
        f"read as a list of {'LAV-DF' if lav else 'AV-Deepfake1M'}: {how}; its clips have 25 frames and 16000 samples "
        f"a second, and audio_frames counts samples"
    )


def _length(cell: Any) -> int:
    if isinstance(cell, str):
        return int("[" in cell.strip("[] \t") or any(sign.isdigit() for sign in cell))
    return len(cell) if hasattr(cell, "__len__") else 0


def _av1m_segments(sheet: Sheet) -> None:
    """Segments of both streams as one column of (start, end, stream)."""
    import numpy as np

    columns = {
        "audio": sheet.column("audio_fake_segments"), "video": sheet.column("visual_fake_segments"),
        "": sheet.column("fake_segments", "fake_periods"),
    }  # fmt: skip
    streams = [name for name in ("audio", "video") if columns[name] is not None] or [""]
    cells = [sheet.frame[columns[name]].tolist() for name in streams if columns[name] is not None]
    if not cells:
        return
    made = np.empty(len(sheet.frame), dtype=object)
    for row, parts in enumerate(zip(*cells, strict=True)):
        made[row] = tuple(
            (*pair, name or "audiovisual") for name, part in zip(streams, parts, strict=True) for pair in pairs_of(part)
        )
    sheet.make("segments", made, "segments")


def pairs_of(cell: Any) -> list[tuple[float, float]]:
    """Start and end of every stretch in a cell: lists, or their JSON text; [] for anything else."""
    import json
    import math

    if isinstance(cell, str):
        if not cell.startswith("["):
            return []
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            return []
    found: list[tuple[float, float]] = []
    if isinstance(cell, list | tuple) or hasattr(cell, "tolist"):
        for one in cell:
            try:
                start, end = (float(one[0]), float(one[1]))
            except (TypeError, ValueError, IndexError, KeyError):
                continue
            if math.isfinite(start) and math.isfinite(end):
                found.append((start, end))
    return found


# ---- Celeb-DF


def _is_celeb_df(sheet: Sheet, table: str) -> bool:
    if "list_of_testing_videos" in key(PurePath(table).stem):
        return len(sheet.frame.columns) == 2
    return False


def _celeb_df(sheet: Sheet) -> None:
    first = str(sheet.frame.columns[0])
    sheet.make("label", 1 - _zero_one(sheet.frame[first]), "label")
    sheet.roles |= {first: "says", str(sheet.frame.columns[1]): "file"}
    sheet.notes.append("read as Celeb-DF's List_of_testing_videos: 1 = REAL and 0 = FAKE there, which is inverted")


# ---- DFDC preview, ASVspoof


def _is_dfdc_preview(sheet: Sheet, _: str) -> bool:
    return {"target_id", "swapped_id", "label"} <= {key(name) for name in sheet.frame.columns}


def _dfdc_preview(sheet: Sheet) -> None:
    file = sheet.column("file")
    if file is not None:
        method = extract(texts(sheet.frame[file]), r"^(?P<method>method_[A-Za-z0-9]+)/.*$")["method"]
        sheet.make("generator", method, "generator")
    sheet.notes.append("read as DFDC preview's dataset.json; audio labels are unknown there")


def _is_asvspoof(sheet: Sheet, _: str) -> bool:
    if not all(str(name).startswith("column ") for name in sheet.frame.columns) or len(sheet.frame.columns) < 4:
        return False
    words = {"bonafide", "spoof", "bona-fide"}
    return any(set(texts(sheet.frame[name].iloc[:5000]).unique()) <= words for name in sheet.frame.columns)


def _asvspoof(sheet: Sheet) -> None:
    """Speaker, file, up to five settings, system, key, and settings: found by what they hold."""
    speaker = sheet.frame.columns[0]
    sheet.roles[speaker] = "identity"
    for name in sheet.frame.columns[1:]:
        values = texts(sheet.frame[name])
        sample = values.iloc[:: max(1, len(values) // 5000)]
        filled = sample[(sample != "").to_numpy(dtype=bool)]
        if not len(filled):
            continue
        if contains(filled, r"^(A\d\d|S\d+|AC\d+|[A-D][A-D]|bonafide)$").all():
            has_number = contains(filled, r"^(A\d\d|S\d+)$").any()
            sheet.roles[name] = "generator" if has_number else "says"
        elif contains(filled, r"^[MF]$").all():
            sheet.roles[name] = "demog:gender"
        elif contains(filled, r"^(eval|progress|hidden|hidden_track|train|dev)$").all():
            sheet.roles[name] = "split"
        elif filled.nunique() > len(filled) * 0.9:
            sheet.roles[name] = "file"
    sheet.notes.append(f"read as a protocol of ASVspoof: {speaker!r} is the speaker")


_LAYOUTS: tuple[tuple[Callable[[Sheet, str], bool], Callable[[Sheet], None]], ...] = (
    (_is_cmdfd, _cmdfd),
    (_is_favc, _favc),
    (_is_favc_list, _favc_list),
    (_is_av1m, _av1m),
    (_is_celeb_df, _celeb_df),
    (_is_dfdc_preview, _dfdc_preview),
    (_is_asvspoof, _asvspoof),
)


def joined_text(sheet: Sheet, columns: list[str]) -> pd.Series[Any] | None:
    """Columns as one text, None where there are none."""
    found = [texts(sheet.frame[name]) for name in columns if not is_nested(sheet.frame[name])]
    return join(found) if found else None
