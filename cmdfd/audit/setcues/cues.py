"""What the names, the order, the dates and the texts of a whole set tell about its labels."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.audit.cue import CATEGORY, TOKENS, Cue
from cmdfd.audit.setcues.columns import NOBODY, Rows, codes
from cmdfd.audit.setcues.tokens import EXTENSION, path_words, text_words
from cmdfd.report.text import clean

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from cmdfd.audit.targets.target import Target

_DIGIT = re.compile(r"\d")
_NAMES = "give every clip an opaque name without a class, one depth of folders and one order; labels only in the table"
_DATES = "give every file the same date before the set is packed"
_ORDER = "shuffle the rows; a loader that reads in order, or cuts off the end, sees one class first"
_TEXTS = "let both classes say the same sentences, or draw clips so that texts and languages agree"
_SAMPLER = "draw the same number of windows of every file of either class"
_AV1M = "AV-Deepfake1M and FakeAVCeleb: the class is readable from folder or file name"
_WINDOWS = "FakeAVCeleb, issues 1 and 10: 120 to 140 frames of a real and 6 to 7 of a fake are drawn"
_EDITED = "word lists of antonyms and texts by language models differ from spontaneous speech (LAV-DF, AV-Deepfake1M)"
_LANGUAGE = "language and recording place often come with the class (catalogue of this project)"

SET_CUES: tuple[Cue, ...] = (
    Cue(
        "meta.path",
        "the path or name",
        TOKENS,
        "leak",
        "words of path, file name and id, split at signs and digits; long numbers and drawn ids left out",
        _NAMES,
        _AV1M,
        "rename",
    ),
    Cue("meta.path_length", "the length of the path", "characters", "leak", "characters of the path", _NAMES, _AV1M,
        "rename"),
    Cue("meta.path_depth", "the depth of the folder", "folders", "leak", "folders in the path", _NAMES, _AV1M,
        "rename"),
    Cue("meta.name_digits", "the number of digits in the file name", "digits", "leak",
        "digits of the name without its ending", _NAMES, _AV1M, "rename"),
    Cue("meta.order", "the place in the list", "rows", "debatable",
        "row number, or place in the order of names of a folder", _ORDER, "lists that name one class first", "rename"),
    Cue("meta.mtime", "the date of the file", "s", "leak", "seconds since the earliest file of the set", _DATES,
        "files of one class are written by one run", "rename"),
    Cue("text.words", "the words that are said", TOKENS, "debatable", "distinct words of the transcript", _TEXTS,
        _EDITED, "match"),
    Cue("text.length", "the length of the text", "characters", "debatable", "characters of the transcript", _TEXTS,
        _EDITED, "match"),
    Cue("text.words_per_second", "the speed of speech", "words/s", "debatable", "words over declared seconds", _TEXTS,
        "synthetic voices keep to one pace", "match"),
    Cue("text.language", "the language", CATEGORY, "nuisance", "declared language; never guessed", _TEXTS, _LANGUAGE,
        "match"),
    Cue("sampling.rows_per_file", "the number of rows drawn from one file", "rows", "debatable",
        "rows of the table that name the same file", _SAMPLER, _WINDOWS, "match"),
)  # fmt: skip


def set_cues(target: Target, *, ordered: bool | None = None) -> pd.DataFrame:
    """Measure every cue that needs the whole set; no media is opened.

    Args:
        target: The set.
        ordered: Whether the order of rows means anything. None: it does for a built set, one folder and one table,
            and not for a pair of folders or several tables (a column "table" with several names).

    Returns:
        One column for each cue of `SET_CUES` that the target has the facts for, on the index of `target.clips`.
    """
    import pandas as pd

    rows = Rows(target.clips, target.clips)
    found = _path_cues(rows) | _order(target, rows, ordered) | _dates(rows) | _text_cues(rows) | _windows(rows)
    return pd.DataFrame(
        {name: found[name] for name in (c.name for c in SET_CUES) if name in found}, index=rows.clips.index
    )


def component_codes(rows: Rows) -> NDArray[np.intp]:
    """[n] component of each clip; a clip without one is a component of its own."""
    known = rows.codes("component")
    alone = known == NOBODY
    found = known.copy()
    found[alone] = known.max(initial=NOBODY) + 1 + np.arange(int(alone.sum()))
    return found


def _path_cues(rows: Rows) -> dict[str, Any]:
    files, ids = rows.text("file"), rows.text("id")
    if not (files != "").any() and not (ids != "").any():
        return {}
    found: dict[str, Any] = {"meta.path": path_words(files, ids, component_codes(rows))}
    if (files != "").any():
        plain = [file.replace("\\", "/") for file in files]
        there = files != ""
        found["meta.path_length"] = np.where(there, [float(len(file)) for file in plain], np.nan)
        found["meta.path_depth"] = np.where(there, [float(file.strip("/").count("/")) for file in plain], np.nan)
        digits = [float(len(_DIGIT.findall(EXTENSION.sub("", file.rpartition("/")[2])))) for file in plain]
        found["meta.name_digits"] = np.where(there, digits, np.nan)
    return found


def _order(target: Target, rows: Rows, ordered: bool | None) -> dict[str, Any]:
    if ordered is None:
        ordered = target.kind != "folder pair" and len(set(rows.text("table"))) <= 1
    if not ordered or rows.n == 0:
        return {}
    if target.kind != "video folder":
        return {"meta.order": np.arange(rows.n, dtype=np.float64)}
    files = rows.text("file")
    if not _mixed_folders(files, rows.flag("label")):
        return {}  # the order of names only repeats the folder's name, which meta.path tells
    place = np.empty(rows.n)
    place[np.argsort(files.astype(str), kind="stable")] = np.arange(rows.n)
    return {"meta.order": place}


def _mixed_folders(files: NDArray[np.object_], labels: NDArray[np.int8]) -> bool:
    folders = codes(np.array(["/" + file.rpartition("/")[0] for file in files], dtype=object))
    fakes = np.bincount(folders[labels == 1], minlength=folders.max(initial=0) + 1)
    reals = np.bincount(folders[labels == 0], minlength=folders.max(initial=0) + 1)
    return bool(((fakes > 0) == (reals > 0)).all())


def _dates(rows: Rows) -> dict[str, Any]:
    paths = rows.text("path")
    if not (paths != "").any():
        return {}
    seconds = np.array([_date(path) for path in paths])
    if np.isnan(seconds).all():
        return {}
    return {"meta.mtime": seconds - np.nanmin(seconds)}


def _date(path: str) -> float:
    try:
        return math.floor(Path(path).stat().st_mtime) if path else math.nan
    except (OSError, ValueError):  # ValueError: a name with a null byte
        return math.nan


def _text_cues(rows: Rows) -> dict[str, Any]:
    found: dict[str, Any] = {}
    texts = rows.text("text")
    said = texts != ""
    if said.any():
        words = text_words(texts)
        found["text.words"] = _nullable([" ".join(dict.fromkeys(own)) for own in words], said)
        found["text.length"] = np.where(said, [float(len(text)) for text in texts], np.nan)
        seconds = rows.number("seconds")
        if (seconds > 0).any():
            counts = np.array([float(len(own)) for own in words])
            with np.errstate(divide="ignore", invalid="ignore"):
                pace = np.round(counts / seconds, 6)
            found["text.words_per_second"] = np.where(said & (seconds > 0), pace, np.nan)
    languages = rows.text("language")
    if (languages != "").any():
        found["text.language"] = _nullable([clean(one).strip().lower() for one in languages], languages != "")
    return found


def _windows(rows: Rows) -> dict[str, Any]:
    files = rows.codes("path" if (rows.text("path") != "").any() else "file")
    if not (files != NOBODY).any():
        return {}
    counts = np.bincount(files[files != NOBODY])
    return {"sampling.rows_per_file": np.where(files == NOBODY, np.nan, counts[files].astype(np.float64))}


def _nullable(values: list[str], there: NDArray[np.bool_]) -> NDArray[np.object_]:
    found = np.full(len(values), None, dtype=object)
    found[there] = np.array(values, dtype=object)[there]
    return found
