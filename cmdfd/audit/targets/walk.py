"""Walk a stranger's folder: media files, in one fixed order, whatever links, hidden files and closed doors it has."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from cmdfd.audit.targets.rawtable import Refused
from cmdfd.audit.targets.vocabulary import AUDIO_SUFFIXES, IMAGE_SUFFIXES, SIDE_FOLDERS, VIDEO_SUFFIXES
from cmdfd.errors import CmdfdError


@dataclass(slots=True)
class Walked:
    """Files below a folder.

    Args:
        root: The folder.
        video: Paths of videos relative to it, with "/", sorted.
        audio: Of sound files.
        n_images: Pictures.
        n_other: Other files.
        sides: Folders that hold masks and the like -> files in them.
        refused: Folders and files that could not be looked at.
    """

    root: Path
    video: list[str] = field(default_factory=list)
    audio: list[str] = field(default_factory=list)
    n_images: int = 0
    n_other: int = 0
    sides: dict[str, int] = field(default_factory=dict)
    refused: Refused = field(default_factory=Refused)


def walk(root: Path) -> Walked:
    """All media files below a folder; linked folders are followed, each real folder once.

    Raises:
        CmdfdError: If the folder itself cannot be read.
    """
    found = Walked(root)
    try:
        os.scandir(root).close()
    except OSError as error:
        raise CmdfdError(f"{str(root)!r}: the folder cannot be read: {error.strerror or error}") from error
    seen: set[tuple[int, int]] = set()
    waiting = [""]
    while waiting:
        below = waiting.pop()
        waiting += _look(found, below, seen)
    found.video.sort()
    found.audio.sort()
    return found


def _look(found: Walked, below: str, seen: set[tuple[int, int]]) -> list[str]:
    """Take in one folder; gives the folders in it."""
    inside: list[str] = []
    folder = found.root / below
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen:
            found.refused.add(_shown(below), "a link back to a folder that was looked at already")
            return []
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            members = sorted(entries, key=lambda one: one.name)
    except OSError as error:
        found.refused.add(_shown(below), f"the folder cannot be read: {error.strerror or error}", "cannot be read")
        return []
    for entry in members:
        name = f"{below}/{entry.name}" if below else entry.name
        if not entry.name.startswith("."):
            _enter(found, entry, name, inside)
    return inside[::-1]


def _enter(found: Walked, entry: os.DirEntry[str], name: str, inside: list[str]) -> None:
    suffix = os.path.splitext(entry.name)[1].casefold()  # noqa: PTH122 (a Path for each of a million files is slow)
    try:
        if entry.is_dir():
            if entry.name.casefold() in SIDE_FOLDERS:
                found.sides[name] = sum(len(files) for _, _, files in os.walk(entry.path))
            else:
                inside.append(name)
            return
        media = suffix in VIDEO_SUFFIXES or suffix in AUDIO_SUFFIXES
        if media and not entry.is_file():
            found.refused.add(_shown(name), "no file: a broken link, or a device")
            return
    except OSError as error:
        found.refused.add(_shown(name), f"cannot be looked at: {error.strerror or error}", "cannot be looked at")
        return
    if media and not _printable(name):
        found.refused.add(_shown(name), "its name is not UTF-8: rename it", "have names that are not UTF-8")
    elif suffix in VIDEO_SUFFIXES:
        found.video.append(name)
    elif suffix in AUDIO_SUFFIXES:
        found.audio.append(name)
    elif suffix in IMAGE_SUFFIXES:
        found.n_images += 1
    else:
        found.n_other += 1


def _printable(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _shown(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode() or "."


def clips_of(found: Walked, notes: list[str]) -> list[str]:
    """Which files are clips: videos, and sound files that are not the sound of one of them.

    Args:
        found: The files.
        notes: Gets a sentence for what was left out.

    Raises:
        CmdfdError: If there is no media file at all.
    """
    if not found.video and not found.audio:
        pictures = f"; its {found.n_images} pictures are no clips: make videos of them first" if found.n_images else ""
        raise CmdfdError(f"{str(found.root)!r}: there is no video or sound file in it{pictures}")
    files = found.video + found.audio
    if found.video and found.audio:
        stems = {_stem(name) for name in found.video}
        twins = sum(_twin(name, stems) for name in found.audio)
        if twins >= len(found.audio) / 2:
            files = found.video
            notes.append(f"{len(found.audio)} sound files lie beside videos of the same name and are no clips")
        else:
            notes.append(f"{len(found.video)} videos and {len(found.audio)} sound files are clips")
    if found.sides:
        shown = ", ".join(list(found.sides)[:3])
        notes.append(f"{sum(found.sides.values())} files in {shown} are no clips (masks and the like)")
    if found.n_images or found.n_other:
        notes.append(f"{found.n_images} pictures and {found.n_other} other files were passed over")
    return sorted(files)


def _stem(name: str) -> str:
    return Path(name).stem


def _twin(name: str, stems: set[str]) -> bool:
    """Whether a sound file is named after a video: x.wav, x_16khz.wav, x_audio.wav."""
    stem = _stem(name)
    return stem in stems or stem.rpartition("_")[0] in stems
