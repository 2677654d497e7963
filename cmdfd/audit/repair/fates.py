"""What a repair does with every clip, as far as the tables tell: kept or dropped, split, window, name."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.repair.copies import alike, decoded_keys, losers, row_keys
from cmdfd.audit.repair.measured import class_masks, numbers, texts
from cmdfd.audit.repair.recipe import Crop, Deduplicate, Harmonise, Match, Rename, Repair, Resplit, is_plain
from cmdfd.audit.repair.segments import in_window, lost_stream, segments_of
from cmdfd.audit.repair.subsets import matched
from cmdfd.audit.repair.windows import windows
from cmdfd.clip import content_id
from cmdfd.errors import MediaError
from cmdfd.report.text import plural
from cmdfd.splits import assign

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

#: Name of the folder of clips without a split.
NO_SPLIT = "all"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Hashes of a file; "" where it is not known, `problem` where the file cannot be read."""

    bytes: str = ""
    streams: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to a clip.

    Args:
        row: Its row in the target's table.
        id: Its id.
        file: Its file as the target names it.
        label: 1, 0 or None.
        kept: Whether it is in the repaired set.
        step: The step that dropped it ("read" for a file that cannot be read), "" where it is kept.
        reason: Why.
        split_before: Its split.
        split: Its split in the repaired set.
        start: Seconds after its first frame at which its window begins; None without a crop.
        seconds: Length of the window; None without a crop.
        new_id: Its id in the repaired set.
        source_sha256: Hash of its file.
    """

    row: int
    id: str
    file: str
    label: int | None
    kept: bool = True
    step: str = ""
    reason: str = ""
    split_before: str = ""
    split: str = ""
    start: float | None = None
    seconds: float | None = None
    new_id: str = ""
    source_sha256: str = ""

    def dropped(self, step: str, reason: str) -> Fate:
        """The same clip, dropped."""
        return replace(self, kept=False, step=step, reason=reason)


def fates(
    repair: Repair, frame: pd.DataFrame, prints: Sequence[Fingerprint] | None = None, *, media: bool = True
) -> list[Fate]:
    """Decide about every clip.

    Args:
        repair: The recipe.
        frame: Clips with their cues, of `measured.joined`.
        prints: [n] hashes of the files; without them copies of files are not looked for.
        media: Whether there are files; without, crop, harmonise and rename change nothing.

    Returns:
        One fate for each row, in order.
    """
    found = _first(frame, prints)
    if dedupe := repair.get(Deduplicate):
        _deduplicate(found, frame, dedupe, prints)
    if resplit := repair.get(Resplit):
        _resplit(found, frame, resplit)
    if (crop := repair.get(Crop)) and media:
        harmonise = repair.get(Harmonise)
        _crop(found, frame, crop, sound=harmonise is None or harmonise.sound == "keep")
    if match := repair.get(Match):
        _match(found, frame, match)
    return _named(found, repair.get(Rename) if media else None, media=media)


def _first(frame: pd.DataFrame, prints: Sequence[Fingerprint] | None) -> list[Fate]:
    labels, splits = numbers(frame, "label"), texts(frame, "split")
    ids, files = texts(frame, "id"), texts(frame, "file")
    found = []
    for row, name in enumerate(ids):
        label = None if np.isnan(labels[row]) else int(labels[row])
        print_ = prints[row] if prints else Fingerprint()
        fate = Fate(row, name, files[row], label, split_before=splits[row], split=splits[row])
        fate = replace(fate, source_sha256=print_.bytes)
        found.append(fate.dropped("read", print_.problem) if print_.problem else fate)
    return found


def _kept(found: list[Fate]) -> list[int]:
    return [fate.row for fate in found if fate.kept]


def _deduplicate(
    found: list[Fate], frame: pd.DataFrame, step: Deduplicate, prints: Sequence[Fingerprint] | None
) -> None:
    rows = _kept(found)
    part = frame.iloc[rows].reset_index(drop=True)
    keys: list[list[str]] = []
    if prints is not None:
        keys += [[prints[row].bytes for row in rows]] if "bytes" in step.by else []
        keys += [[prints[row].streams for row in rows]] if "streams" in step.by else []
    elif "row" in step.by and not any(texts(part, "path")):
        keys.append(row_keys(part))
    keys += [decoded_keys(part)] if "decoded" in step.by else []
    pairs = alike(part) if "alike" in step.by else []
    for place, reason in losers(part, keys, pairs).items():
        found[rows[place]] = found[rows[place]].dropped("deduplicate", reason)


def _resplit(found: list[Fate], frame: pd.DataFrame, step: Resplit) -> None:
    rows, parts = _kept(found), texts(frame, "component")
    names = [parts[row] or f"clip {found[row].id}" for row in rows]
    chosen = assign(names, step.fractions, step.seed)
    for row, name in zip(rows, names, strict=True):
        found[row] = replace(found[row], split=chosen[name])


def _crop(found: list[Fate], frame: pd.DataFrame, step: Crop, *, sound: bool) -> None:
    where = windows(frame, step, sound=sound)
    cells = frame["segments"].tolist() if "segments" in frame.columns else [None] * len(frame)
    for row in _kept(found):
        known = not np.isnan(where.start[row])
        start = float(where.start[row]) if known else step.lead
        fate = replace(found[row], start=start, seconds=step.seconds)
        found[row] = fate
        if not where.fits[row]:
            end = start + step.seconds
            found[row] = fate.dropped("crop", f"too short for a window from {start:.3f} to {end:.3f} s")
            continue
        try:
            before = segments_of(cells[row])
        except MediaError as error:
            found[row] = fate.dropped("crop", error.detail)
            continue
        lost = lost_stream(before, in_window(before, start, step.seconds), step.min_forged)
        if lost and fate.label != 0:
            found[row] = fate.dropped("crop", forgery_lost(lost))


def forgery_lost(stream: str) -> str:
    """Reason for a fake that shows nothing forged any more."""
    return f"its forged {stream} lies outside the window"


def _match(found: list[Fate], frame: pd.DataFrame, step: Match) -> None:
    parts = texts(frame, "component")
    rows = [row for row in _kept(found) if found[row].label is not None and parts[row]]
    mask = matched(frame.iloc[rows], step.cues, step.categorical, step.seed).mask
    for row, stays in zip(rows, mask, strict=True):
        if not stays:
            found[row] = found[row].dropped("match", "left out, so that both classes look alike in the matched cues")


def _named(found: list[Fate], rename: Rename | None, *, media: bool) -> list[Fate]:
    """Give new ids: opaque ones by the files' bytes, or the old ones where they can name a file and are unique."""
    used: set[str] = set()
    named: dict[int, Fate] = {}
    for fate in sorted(found, key=lambda one: (one.source_sha256, one.id, one.row)):
        new = fate.id
        if fate.kept and media and (rename is not None or not is_plain(new) or new in used):
            new = _opaque(rename.key if rename else "", fate.source_sha256 or fate.id, used)
        if fate.kept:
            used.add(new)
        named[fate.row] = replace(fate, new_id=new if fate.kept else "")
    return [named[fate.row] for fate in found]


def _opaque(key: str, content: str, used: set[str]) -> str:
    for turn in range(len(used) + 1):
        text = f"{content}:{turn}" if turn else content
        name = hmac.new(key.encode(), text.encode("utf-8", "surrogatepass"), "sha256").hexdigest()[:16]
        if name not in used:
            return name
    raise AssertionError("unreachable: one of n + 1 names is free")


def losses(found: Sequence[Fate]) -> list[str]:
    """What is lost, in sentences: clips by step and class."""
    told = []
    for step in dict.fromkeys(fate.step for fate in found if not fate.kept):
        gone = [fate for fate in found if fate.step == step]
        reals, fakes = (sum(fate.label == label for fate in gone) for label in (0, 1))
        n_reals, n_fakes = (sum(fate.label == label for fate in found) for label in (0, 1))
        who = f"{reals} of {n_reals} reals, {fakes} of {n_fakes} fakes"
        told.append(f"{step}: {plural(len(gone), 'clip')} dropped ({who})")
    return told


def split_folder(split: str) -> str:
    """Folder of a split: its name where that can name a folder."""
    if not split:
        return NO_SPLIT
    return split if is_plain(split) else f"split-{content_id('split', split, length=8)}"


def count_classes(frame: pd.DataFrame) -> dict[str, int]:
    """Clips of each class."""
    return {name: int(mask.sum()) for name, mask in class_masks(frame).items()}
