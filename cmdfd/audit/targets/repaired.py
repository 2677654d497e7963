"""A list that `--fix` wrote: its facts and cues stand in the table under their own names, so nothing is guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cmdfd.audit.repair.lists import LIST_STEM
from cmdfd.audit.repair.recipe import REPAIR_FILE
from cmdfd.audit.targets.target import FACT_COLUMNS, Target
from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from pathlib import Path

_NUMBERS = ("label", "seconds", "audio_label", "video_label", "sync_mismatch", "identity_mismatch")


def is_repaired_list(folder: Path) -> bool:
    """Whether a folder holds a repaired list."""
    return (folder / REPAIR_FILE).is_file() and (folder / f"{LIST_STEM}.parquet").is_file()


def open_repaired_list(folder: Path) -> Target:
    """Open it.

    Raises:
        CmdfdError: If the table cannot be read or lacks its facts.
    """
    import pandas as pd

    path = folder / f"{LIST_STEM}.parquet"
    try:
        clips = pd.read_parquet(path)
    except Exception as error:
        raise CmdfdError(f"{str(path)!r}: cannot be read as Parquet: {error}") from error
    for name in ("id", "label", "component"):
        if name not in clips.columns:
            raise CmdfdError(f"{str(path)!r}: there is no column {name!r}; write the repaired list anew by --fix")
    for name in FACT_COLUMNS:
        if name in clips.columns:
            numeric = name in _NUMBERS
            clips[name] = pd.to_numeric(clips[name], errors="coerce") if numeric else clips[name].fillna("")
    return Target(folder.resolve().name, "list", clips, notes=("a list that was repaired by --fix",))
