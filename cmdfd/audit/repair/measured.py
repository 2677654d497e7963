"""What was measured on a set, as the parameters of a repair need it: always over both classes alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cmdfd.audit.repair.recipe import RepairError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from cmdfd.audit.targets.target import Target

#: The lowest value that counts as common: this share of a class may lie below it. One odd file shall not decide the
#: form of a whole set; under 100 clips of a class it is the lowest value there is.
ODD_SHARE = 0.01
#: Columns of a measured table that are no cues: hashes and fingerprints of picture and sound.
PRINTS = ("hash_video", "hash_audio", "print_video", "print_audio")
#: Two pictures run on one clock where their lengths agree within this (seconds): half a frame at 25 per second.
SAME_CLOCK = 0.02


def joined(target: Target, table: pd.DataFrame | None) -> pd.DataFrame:
    """All clips of a target with what was measured on them, indexed 0 to n - 1 in the target's order.

    Args:
        target: The set.
        table: Measured table, or None; rows are found by `id`, or by position where ids repeat.

    Raises:
        RepairError: Where the rows of the table cannot be told to the clips.
    """
    clips = target.clips.reset_index(drop=True)
    if "id" not in clips.columns:
        clips = clips.assign(id=[str(number) for number in range(len(clips))])
    if table is None:
        return clips
    table = table.reset_index(drop=True)
    wanted = [name for name in table.columns if "." in str(name) or name in PRINTS]
    cues = [name for name in wanted if name not in clips.columns]
    if len(table) == len(clips) and ("id" not in table.columns or list(table["id"]) == list(clips["id"])):
        return pd.concat([clips, table[cues]], axis=1)
    if "id" not in table.columns or table["id"].duplicated().any() or clips["id"].duplicated().any():
        raise RepairError(
            f"the measured table has {len(table)} rows, the set {len(clips)} clips, and ids do not say which is which"
        )
    return clips.merge(table[["id", *cues]], on="id", how="left", validate="one_to_one")


def numbers(frame: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """[n] values of a column; NaN where there are none."""
    if name not in frame.columns:
        return np.full(len(frame), np.nan)
    numeric = pd.to_numeric(frame[name], errors="coerce")
    values: NDArray[np.float64] = numeric.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def texts(frame: pd.DataFrame, name: str) -> list[str]:
    """[n] texts of a column; "" where there is none."""
    if name not in frame.columns:
        return [""] * len(frame)
    return ["" if missing(value) else str(value) for value in frame[name]]


def missing(value: Any) -> bool:
    """Whether a cell is empty."""
    return value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NA


def class_masks(frame: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
    """Rows of each class: "reals" and "fakes"; rows without a label are in neither."""
    labels = numbers(frame, "label")
    return {"reals": labels == 0, "fakes": labels == 1}


def groups(frame: pd.DataFrame) -> list[NDArray[np.bool_]]:
    """Rows of the reals, and of each generator's fakes; where nothing is labelled, all rows."""
    masks = class_masks(frame)
    makers = np.array(texts(frame, "generator"))
    found = [masks["reals"], *(masks["fakes"] & (makers == name) for name in sorted(set(makers[masks["fakes"]])))]
    some = [mask for mask in found if mask.any()]
    return some or [np.ones(len(frame), bool)]


def lowest_common(values: NDArray[np.float64], parts: Iterable[NDArray[np.bool_]], share: float) -> float | None:
    """The smallest over parts of the value below which `share` of the part lies; None where nothing is measured."""
    found = [float(np.quantile(part, share, method="lower")) for part in _measured(values, parts)]
    return min(found, default=None)


def _measured(values: NDArray[np.float64], parts: Iterable[NDArray[np.bool_]]) -> list[NDArray[np.float64]]:
    picked = [values[mask & ~np.isnan(values)] for mask in parts]
    return [part for part in picked if len(part)]


class Extent:
    """From when to when both streams of every clip run, on the clock of its first frame.

    Args:
        frame: Table of `joined`.
        sound: Whether the sound counts.
    """

    def __init__(self, frame: pd.DataFrame, *, sound: bool = True) -> None:
        pictures = [numbers(frame, name) for name in ("time.video_duration", "time.video_span")]
        sounds = [numbers(frame, name) for name in ("time.audio_duration", "time.audio_span")]
        #: [n] seconds of picture; the shorter of what is declared and what the packets span.
        self.picture = np.fmin(*pictures)
        heard = np.where(np.isnan(sounds[0]), sounds[1], sounds[0])
        late = np.nan_to_num(numbers(frame, "time.start_difference")) / 1000
        #: [n] seconds at which both run.
        self.begin = np.maximum(late, 0.0) if sound else np.zeros(len(frame))
        #: [n] seconds at which the first of them ends; NaN where nothing is known.
        self.end = np.fmin(self.picture, heard + late) if sound else self.picture.copy()
        self.begin = self._of_pairs(frame)

    @property
    def seconds(self) -> NDArray[np.float64]:
        """[n] length of what both streams share."""
        return self.end - self.begin

    def _of_pairs(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """The latest begin among the clips of a pair whose clocks agree, so that their windows are the same."""
        begin = self.begin.copy()
        members: dict[str, list[int]] = {}
        for row, key in enumerate(pair_keys(frame)):
            members.setdefault(key, []).append(row)
        for several in members.values():
            rows = np.array(several)
            if self.begin[rows].max() == self.begin[rows].min():
                continue
            for row in several:
                near = np.abs(self.picture[rows] - self.picture[row]) <= SAME_CLOCK
                begin[row] = max(self.begin[rows][near].max(initial=0.0), self.begin[row])
        return begin


def pair_keys(frame: pd.DataFrame) -> list[str]:
    """What a clip shares with its pair: the take that it was made from, where that is known, else its component.

    Clips of one key share one random offset. A row with neither has its id.
    """
    ids, parts, takes = texts(frame, "id"), texts(frame, "component"), texts(frame, "take")
    origins = texts(frame, "original")
    known = dict(zip(ids, range(len(ids)), strict=True))
    found = []
    for row, name in enumerate(ids):
        home = known.get(origins[row], row)
        if takes[home]:
            found.append(f"take {takes[home]}")
        elif parts[home]:
            found.append(f"component {parts[home]}")
        else:
            found.append(f"clip {ids[home] or name}")
    return found
