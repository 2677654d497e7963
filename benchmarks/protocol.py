"""What a run trains on, selects on and reports on, and the refusal of overlap between them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from cmdfd.clip import REAL_KIND, SPLITS
from cmdfd.errors import CmdfdError, nearest
from cmdfd.splits import check_disjoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cmdfd.clip import Clip
    from cmdfd.dataset import Dataset

#: The embedded default: train, choose and judge on mini-a, judge across sets on mini-b.
DEFAULT_TRAIN = ("mini-a/train",)
DEFAULT_SELECT = ("mini-a/validation",)
DEFAULT_REPORT = ("mini-a/test", "mini-b/test")
#: How the clips that no platform has passed on are called, in options and in print.
ORIGINAL = "original"


@dataclass(frozen=True, slots=True)
class SplitRef:
    """A split of a set, as typed: "mini-a/test", "DIR" or "DIR:validation".

    Args:
        dataset: Name of an embedded recipe, or the folder of a built set.
        split: "train", "validation" or "test".
    """

    dataset: str
    split: str

    @property
    def label(self) -> str:
        """Name for tables."""
        return f"{Path(self.dataset).name}/{self.split}"


def parse_split(text: str, default_split: str) -> SplitRef:
    """Read a split reference.

    Args:
        text: "NAME/SPLIT" for embedded sets, "FOLDER" or "FOLDER:SPLIT" for built ones.
        default_split: Split where none is named.

    Raises:
        CmdfdError: For a split that does not exist.
    """
    if Path(text).is_dir():
        return SplitRef(text, default_split)
    for separator in (":", "/"):
        head, found, tail = text.rpartition(separator)
        if found and head and tail in SPLITS:
            return SplitRef(head, tail)
    head, found, tail = text.rpartition(":")
    if found and Path(head).is_dir():
        raise CmdfdError(f"unknown split {tail!r} in {text!r}: {nearest(tail, SPLITS)}")
    return SplitRef(text, default_split)


@dataclass(frozen=True, slots=True)
class Selection:
    """Clips of one split of one set.

    Args:
        ref: Where they come from.
        data: The opened set.
        clips: Its clips, after `--limit`.
    """

    ref: SplitRef
    data: Dataset
    clips: tuple[Clip, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Fake kinds present, sorted."""
        return tuple(sorted({clip.kind for clip in self.clips} - {REAL_KIND}))


@dataclass(frozen=True, slots=True)
class Protocol:
    """The three parts of a run."""

    train: tuple[Selection, ...]
    select: tuple[Selection, ...]
    report: tuple[Selection, ...]

    def check(self) -> None:
        """Refuse a run whose parts share a person, a recording or a file.

        Raises:
            SplitError: With the parts and the first shared ids.
        """
        named = {"--train-on": self.train, "--select-on": self.select, "--report-on": self.report}
        for first, second in combinations(named, 2):
            check_disjoint(_clips(named[first]), _clips(named[second]), (first, second))


def _clips(parts: Sequence[Selection]) -> list[Clip]:
    return [clip for part in parts for clip in part.clips]


def limit_components(clips: Sequence[Clip], limit: float | None) -> tuple[Clip, ...]:
    """Keep the first components (sorted by id), whole, so that no pair is torn apart.

    Args:
        clips: Clips of one split.
        limit: A number of components (>= 1), a share (0 < share < 1), or None for all.
    """
    if limit is None:
        return tuple(clips)
    if limit <= 0:
        raise CmdfdError(f"--limit must be a number of components >= 1 or a share in (0, 1), got {limit}")
    names = sorted({clip.component for clip in clips})
    count = max(round(limit * len(names)), 1) if limit < 1 else int(limit)
    kept = set(names[:count])
    return tuple(clip for clip in clips if clip.component in kept)


def keep_platforms(parts: Sequence[Selection], names: Sequence[str]) -> tuple[Selection, ...]:
    """Keep the clips of some platforms.

    Args:
        parts: Splits to judge on.
        names: Platforms, `ORIGINAL` for the clips before any; empty keeps everything.

    Raises:
        CmdfdError: For a platform that none of the splits has, and for a split of which nothing would be left.
    """
    if not names:
        return tuple(parts)
    known = sorted({clip.platform or ORIGINAL for part in parts for clip in part.clips})
    for name in names:
        if name not in known:
            raise CmdfdError(f"no clip of {', '.join(p.ref.label for p in parts)} is of platform {name!r}: "
                             f"{nearest(name, known)}")  # fmt: skip
    kept = [
        Selection(part.ref, part.data, tuple(clip for clip in part.clips if (clip.platform or ORIGINAL) in names))
        for part in parts
    ]
    empty = next((part.ref.label for part in kept if not part.clips), None)
    if empty:
        raise CmdfdError(f"{empty}: no clip is of the platforms {', '.join(names)}; leave it out of --report-on")
    return tuple(kept)
