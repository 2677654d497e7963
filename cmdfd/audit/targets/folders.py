"""Folders as targets: one with a table, one with a folder for each class, or two of which each is a class."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cmdfd.audit.targets.clips import finish, only_split
from cmdfd.audit.targets.facts import modality_of
from cmdfd.audit.targets.lists import Draft
from cmdfd.audit.targets.rawtable import Refused, UndecidedError
from cmdfd.audit.targets.target import Target
from cmdfd.audit.targets.values import text_type
from cmdfd.audit.targets.walk import clips_of, walk
from cmdfd.audit.targets.words import ClassWord, class_word, leftover, method_word, split_word
from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cmdfd.audit.targets.options import TargetOptions


#: Folders below that of the fakes are generators where there are at most so many, with so many clips each.
_MAX_GENERATORS, _MIN_CLIPS = 20, 5
_BOTH_SHARE = 0.9
_WAYS = (
    "the class must be certain, so it is never read from file names. Ways to say it:\n"
    "  one folder for each class below it (real/ and fake/, 0_real/ and 1_fake/, original/ and manipulated/)\n"
    "  two folders: python -m cmdfd.audit REAL FAKE\n"
    "  a metadata.csv in it with the columns file_name and label\n"
    "  a table anywhere: python -m cmdfd.audit LIST.csv --media-root FOLDER"
)


@dataclass(slots=True)
class _Placed:
    """One file and what its folders say.

    Args:
        name: Path relative to the folder.
        word: Its class, None = no folder says it.
        place: Which of its folders says it.
        generator: How it was made, by its folders.
        spent: Folders that say class or generator, and are no part of the name that is looked at for cues.
    """

    name: str
    parts: tuple[str, ...]
    word: ClassWord | None = None
    place: int = -1
    generator: str = ""
    spent: set[int] = field(default_factory=set)


def open_folder(root: Path, options: TargetOptions) -> Target:
    """A folder with a table in it, or with a folder for each class.

    Raises:
        CmdfdError: If it holds no media, or the class is not certain.
    """
    from cmdfd.audit.targets.videofolder import open_video_folder

    found = walk(root)
    notes: list[str] = []
    undecided: UndecidedError | None = None
    try:
        by_table = open_video_folder(root, found, options, must=bool(options.named))
        if by_table is not None:
            return by_table
    except UndecidedError as error:
        undecided = error  # the folders may say it
    files = clips_of(found, notes)
    placed = [_Placed(name, tuple(name.split("/")[:-1])) for name in files]
    _classes(placed, notes)
    known = [one for one in placed if one.word is not None]
    if not known and undecided is not None:
        raise undecided
    if undecided is not None:
        notes.append("the table in the folder says no class; the class is read from the folders' names")
    if not known:
        raise CmdfdError(f"{str(root)!r}: {len(files)} media files, and no folder says which are fake; {_WAYS}")
    for one in placed:
        if one.word is None:
            found.refused.add(one.name, "no folder above it says real or fake", "lie in folders that say no class")
    _generators(known)
    if len({one.word.label for one in known if one.word}) == 1:
        said = "fake" if known[0].word and known[0].word.label else "real"
        notes.append(f"all clips are {said}: there is nothing to compare them with")
    return _target(root.name or str(root), "video folder", root, [(root, known)], notes, found.refused, options)


def open_pair(first: Path, second: Path, options: TargetOptions) -> Target:
    """Two folders: the real clips and the fakes.

    Raises:
        CmdfdError: If one lies in the other, holds no media, or is a set of its own.
    """
    one, two = first.resolve(), second.resolve()
    if one == two or one in two.parents or two in one.parents:
        raise CmdfdError(f"{str(first)!r} and {str(second)!r} are the same folder, or one lies in the other")
    notes: list[str] = []
    real, fake = _ordered(first, second, notes)
    groups, refused = [], Refused()
    for folder, label in ((real, 0), (fake, 1)):
        found = walk(folder)
        files = clips_of(found, notes)
        placed = [_Placed(name, tuple(name.split("/")[:-1]), ClassWord(label)) for name in files]
        _refuse_sets(folder, placed)
        for name, reason in found.refused.as_pairs():
            refused.add(f"{folder.name}/{name}", reason)
        groups.append((folder, placed))
    _generators([*groups[0][1], *groups[1][1]], top=True)
    return _target(f"{real.name} and {fake.name}", "folder pair", None, groups, notes, refused, options)


def _ordered(first: Path, second: Path, notes: list[str]) -> tuple[Path, Path]:
    words = (class_word(first.resolve().name, path=True), class_word(second.resolve().name, path=True))
    labels = tuple(None if word is None else word.label for word in words)
    if labels in ((0, 1), (0, None), (None, 1)):
        notes.append(f"{first.name!r} is the folder of the reals and {second.name!r} that of the fakes, by their names")
        return first, second
    if labels in ((1, 0), (1, None), (None, 0)):
        notes.append(f"{second.name!r} is the folder of the reals and {first.name!r} that of the fakes, by their names")
        return second, first
    notes.append(
        f"the first folder, {first.name!r}, was taken for the reals and the second, {second.name!r}, for the fakes: "
        f"their names do not tell"
    )
    return first, second


def _refuse_sets(folder: Path, placed: Sequence[_Placed]) -> None:
    """Two sets are not one pair: each has both classes inside."""
    trial = [_Placed(one.name, one.parts) for one in placed]
    _classes(trial, [], siblings=False)
    labels = Counter(one.word.label for one in trial if one.word is not None)
    if len(labels) == 2 and sum(labels.values()) >= _BOTH_SHARE * len(trial):
        raise CmdfdError(
            f"{str(folder)!r} holds folders of real and of fake clips, so it is a set of its own: audit one set at a "
            f"time, or name its two class folders"
        )


def _classes(placed: Sequence[_Placed], notes: list[str], *, siblings: bool = True) -> None:
    """Fill in the class: by the first depth at which folders name both, else by the first folder that names one."""
    words = {part: class_word(part, path=True) for one in placed for part in one.parts}
    depth = max((len(one.parts) for one in placed), default=0)
    said = [
        {word.label for one in placed if len(one.parts) > d and (word := words[one.parts[d]]) is not None}
        for d in range(depth)
    ]
    order = sorted(range(depth), key=lambda d: (len(said[d]) < 2, d))
    for one in placed:
        for d in order:
            if d < len(one.parts) and words[one.parts[d]] is not None:
                one.word, one.place = words[one.parts[d]], d
                break
    if siblings:
        _siblings(placed, words, notes)
    names: dict[int, set[str]] = {0: set(), 1: set()}
    for one in placed:
        if one.word is not None:
            one.spent.add(one.place)
            names[one.word.label].add(one.parts[one.place])
    shown = {label: ", ".join(sorted(found)[:5]) for label, found in names.items()}
    if shown[0] or shown[1]:
        notes.append(f"real = folders named {shown[0] or '(none)'}; fake = folders named {shown[1] or '(none)'}")


def _siblings(placed: Sequence[_Placed], words: dict[str, ClassWord | None], notes: list[str]) -> None:
    """Beside a folder of reals, folders named after generators are fakes; so are all, where none is named fake."""
    real_depths = Counter(one.place for one in placed if one.word is not None and one.word.label == 0)
    if not real_depths:
        return
    depth = real_depths.most_common(1)[0][0]
    open_ones = [one for one in placed if one.word is None and len(one.parts) > depth]
    has_fakes = any(one.word is not None and one.word.label == 1 for one in placed)
    names = {one.parts[depth] for one in open_ones}
    methods = {name for name in names if method_word(name)}
    taken = methods if has_fakes or methods else {name for name in names if not split_word(name)}
    for one in open_ones:
        if one.parts[depth] in taken:
            one.word, one.place, one.generator = ClassWord(1), depth, one.parts[depth]
    if taken and not methods:
        notes.append(
            f"beside the folder of the reals, {', '.join(sorted(taken)[:5])} were taken for fakes, named after how "
            f"they were made: no folder is named fake"
        )


def _generators(placed: Sequence[_Placed], *, top: bool = False) -> None:
    """Read the generator from the folder of the fakes, or the one below it, where real clips have no such folder."""
    fakes = [one for one in placed if one.word is not None and one.word.label == 1]
    reals = [one for one in placed if one.word is not None and one.word.label == 0]
    of_reals = {part for one in reals for part in one.parts} | {leftover(part) for one in reals for part in one.parts}
    below: Counter[str] = Counter(
        one.parts[one.place + 1] for one in fakes if len(one.parts) > one.place + 1 and not one.generator
    )
    named = {
        name
        for name, count in below.items()
        if name not in of_reals
        and (method_word(name) or (count >= _MIN_CLIPS and leftover(name) and not name.removeprefix("id").isdigit()))
        and not split_word(name)
    }
    if len(below) > _MAX_GENERATORS:
        named = {name for name in named if method_word(name)}
    for one in fakes:
        nearest = one.parts[one.place + 1] if len(one.parts) > one.place + 1 else ""
        if one.generator:
            continue
        if nearest in named:
            one.generator = nearest
            one.spent.add(one.place + 1)
        elif one.place >= 0 and not (top or (one.word is not None and one.word.audio is not None)):
            rest = leftover(one.parts[one.place])
            one.generator = "" if rest in of_reals else rest


def _target(
    name: str,
    kind: Any,
    root: Path | None,
    groups: Sequence[tuple[Path, Sequence[_Placed]]],
    notes: list[str],
    refused: Refused,
    options: TargetOptions,
) -> Target:
    if options.named or options.fake_values:
        said = ", ".join([*options.named, *(("--fake-values",) if options.fake_values else ())])
        raise CmdfdError(
            f"{said}: there is no table here; these options are for tables and folders with a metadata.csv"
        )
    rows = [_row(folder, one) for folder, placed in groups for one in placed]
    rows.sort(key=lambda row: (str(row["file"]), str(row["path"])))  # an order that knows nothing of the class
    draft = _draft(rows, notes)
    only_split(draft, options.split)
    clips = finish(draft)
    return Target(name, kind, clips, root, tuple(draft.notes), refused.as_pairs())


def _row(folder: Path, one: _Placed) -> dict[str, Any]:
    """Facts of one file. `file` leaves out the folders that say the class: they are the label, not a leak of it."""
    word = one.word or ClassWord(0)
    kept = [part for place, part in enumerate(one.parts) if place not in one.spent]
    file = "/".join([*kept, one.name.rpartition("/")[2]])
    splits = [split for part in one.parts if (split := split_word(part))]
    return {
        "id": file,
        "label": float(word.label),
        "generator": one.generator if word.label else "",
        "split": splits[0] if splits else "",
        "file": file,
        "path": str(folder.resolve() / one.name),
        "audio_label": float("nan") if word.audio is None else float(word.audio),
        "video_label": float("nan") if word.video is None else float(word.video),
        "name": one.name,
    }


def _draft(rows: list[dict[str, Any]], notes: list[str]) -> Draft:
    import pandas as pd

    clips = pd.DataFrame(rows)
    names = clips.pop("name").astype(text_type())
    for stream in ("audio_label", "video_label"):
        if clips[stream].isna().all():
            del clips[stream]
    modality = modality_of({name: clips[name].to_numpy() for name in clips.columns if name.endswith("label")})
    if modality is not None:
        clips["modality"] = modality
    for column in ("id", "generator", "split", "file", "path"):
        clips[column] = clips[column].astype(text_type())
    return Draft(clips, names, clips["file"], notes=notes)
