"""What a column of a stranger's table is for, first by its name, then by what it holds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from cmdfd.audit.targets.values import key
from cmdfd.audit.targets.vocabulary import (
    DEMOGRAPHICS,
    DEVICES,
    FILE_NAMES,
    GENERATOR_NAMES,
    GROUP_NAMES,
    IDENTITY_NAMES,
    LABEL_NAMES,
    LANGUAGE_NAMES,
    ORIGINAL_NAMES,
    SAYING_NAMES,
    SAYING_TOKENS,
    SPLIT_NAMES,
    TECHNICAL,
    TEXT_NAMES,
)

if TYPE_CHECKING:
    import pandas as pd

#: A role is what a column is for. "label" = the class; "says" = tells the class or defines the forging, never a cue;
#: "file" = a name, path or id; "demog:x", "tech:x" and "unknown" become cues; "row" = a row number.
Role = str
Stream = Literal["audio", "video"]

_MEDIA_END = r"\.(mp4|avi|mov|mkv|webm|m4v|mpe?g|wav|flac|mp3|m4a|ogg|opus|aac|png|jpe?g|npy|npz|pt|pkl|h5)$"
_ROW_NAMES = ("index", "row", "unnamed_0", "idx", "no", "nr")
#: Role of every known name; the first group that has a name decides.
_BY_NAME: dict[str, Role] = {
    word: role
    for role, names in (
        ("row", _ROW_NAMES), ("says", SAYING_NAMES), ("file", FILE_NAMES), ("says", set(LABEL_NAMES) - {"key"}),
        ("language", LANGUAGE_NAMES), ("text", TEXT_NAMES), ("identity", IDENTITY_NAMES), ("original", ORIGINAL_NAMES),
        ("group", GROUP_NAMES), ("split", SPLIT_NAMES),
    )
    for word in names
}  # fmt: skip
_BY_NAME |= {word: f"demog:{what}" for word, what in DEMOGRAPHICS.items()}
_BY_NAME |= {word: f"tech:{what}" for word, what in TECHNICAL.items()}


def known_name(name: str) -> bool:
    """Whether a column's name is one whose meaning is known."""
    return bool(key(name)) and role_of(name) != "unknown"


def role_of(name: str) -> Role:
    """What a column is for, by its name alone; "unknown" where the name tells nothing."""
    word = key(name)
    words = set(word.split("_"))
    stream = stream_label(name)
    if stream:
        return f"{stream}_label"
    if word in _BY_NAME:
        return _BY_NAME[word]
    return "says" if (words & SAYING_TOKENS and not words & DEVICES) or _type_of_forging(words) else "unknown"


def _type_of_forging(words: set[str]) -> bool:
    return "type" in words and not words & DEVICES and bool(words & {"audio", "video", "face", "voice", "edit"})


def stream_label(name: str) -> Stream | None:
    """Whether a column is the label of one stream: "Audio_Label", "modify_video", "is_audio_fake"."""
    words = set(key(name).split("_"))
    if not words & {"label", "fake", "modify", "modified", "spoof", "forged", "manipulated"}:
        return None
    if words & {"segments", "segment", "periods", "path", "file", "model", "method", "type", "n", "num"}:
        return None
    audio, video = bool(words & {"audio", "voice", "speech", "sound"}), bool(words & {"video", "visual", "face"})
    return "audio" if audio and not video else "video" if video and not audio else None


def label_rank(name: str) -> int | None:
    """Place of a column's name among the usual names of label columns; None for other names."""
    word = key(name)
    if word in LABEL_NAMES:
        return LABEL_NAMES.index(word)
    words = word.split("_")
    if stream_label(name) is None and len(words) <= 3 and words[-1] in ("label", "labels", "gt"):
        return len(LABEL_NAMES)
    return None


def generator_rank(name: str) -> int | None:
    """Place of a column's name among the usual names of generator columns; None for other names."""
    word = key(name)
    return GENERATOR_NAMES.index(word) if word in GENERATOR_NAMES else None


def identity_rank(name: str) -> int:
    """Order of identity columns: the person shown before the one who lends."""
    word = key(name)
    return IDENTITY_NAMES.index(word) if word in IDENTITY_NAMES else len(IDENTITY_NAMES)


def refine(name: str, role: Role, values: pd.Series[str]) -> Role:
    """Correct a role by what the column holds.

    Args:
        name: The column's name.
        role: By `role_of`.
        values: Text of the cells ("" = nothing).
    """
    from cmdfd.audit.targets.values import contains

    filled = values[(values != "").to_numpy(dtype=bool)]
    sample = filled.iloc[:: max(1, len(filled) // 2000)]
    if not len(sample):
        return role
    if role in ("says", "unknown") and looks_like_paths(sample):
        role = "file"
    elif role in ("unknown", "row") and _is_row_number(values):
        role = "row"
    elif role == "split" and sample.nunique() > _MAX_SPLITS:
        role = "file" if _mostly_distinct(filled) else "unknown"
    elif role == "unknown" and _is_speaker_code(sample, filled):
        role = "identity"
    elif role.startswith("tech:") and role not in _TEXT_TECH and not contains(sample, _NUMBER).any():
        role = "unknown"
    return role


_MAX_SPLITS = 20
_NUMBER = r"^[+-]?[0-9.]+(e[+-]?\d+)?$"
_TEXT_TECH = frozenset({"tech:container.video_codec", "tech:container.audio_codec", "tech:container.pix_fmt"})


def looks_like_paths(values: pd.Series[str]) -> bool:
    """Whether most cells are paths or names of media files."""
    from cmdfd.audit.targets.values import contains

    sample = values.iloc[:: max(1, len(values) // 2000)]
    return bool(len(sample)) and bool(contains(sample, rf"{_MEDIA_END}|[/\\].*[/\\]").mean() > 0.5)


def _mostly_distinct(filled: pd.Series[str]) -> bool:
    return bool(filled.nunique() > len(filled) / 2)


def _is_speaker_code(sample: pd.Series[str], filled: pd.Series[str]) -> bool:
    """Codes of speakers as ASVspoof writes them (LA_0079), or VoxCeleb ids: several clips of each."""
    from cmdfd.audit.targets.values import contains

    if not contains(sample, r"^((la|pa|df|[ted])_\d{4}|id\d{4,5})$").all():
        return False
    return not _mostly_distinct(filled)


def _is_row_number(values: pd.Series[str]) -> bool:
    import numpy as np

    from cmdfd.audit.targets.values import numbers

    found = numbers(values)
    return len(found) > 2 and bool(np.all(np.diff(found) == 1)) and bool(found[0] in (0, 1))


def readable(name: str) -> str:
    """A column's name as part of a cue's name: no dots, no blanks."""
    return re.sub(r"[^\w-]+", "_", str(name).strip()).strip("_") or "nameless"
