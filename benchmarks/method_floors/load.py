"""Where the clips and their cues come from: a built set, or a list in CMDFD's form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.method_floors.judge import MethodRows
from benchmarks.protocol import ORIGINAL
from cmdfd.dataset import Dataset
from cmdfd.errors import CmdfdError, MediaError, nearest
from cmdfd.splits import Identity, components

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from cmdfd.audit.cue import CueValue
    from cmdfd.clip import Clip


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """What is judged, and what is learnt from.

    Args:
        data: The set.
        split: Name of the judged split.
        judged: Its labelled clips.
        train: Labelled clips of the train split, empty where nothing is learnt from them.
    """

    data: Dataset
    split: str
    judged: tuple[Clip, ...]
    train: tuple[Clip, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Clips with their cues; `n_unreadable` of them have none, since their files cannot be read."""

    rows: MethodRows
    n_unreadable: int


def load_set(
    folder: Path, split: str | None, *, cross_validate: bool, platforms: Sequence[str] | None = None
) -> Chosen:
    """Choose the clips of a built set.

    Args:
        folder: The set.
        split: What is judged; test, or else the last one, if None.
        cross_validate: Learn nothing from the train split.
        platforms: Platforms to keep, "original" for the clips before any; all if None.

    Raises:
        CmdfdError: If there is no such set, split or platform, or it has no labels.
    """
    data = Dataset.open(folder)
    if not data.splits:
        raise CmdfdError(f"{folder}: the set has no clips")
    chosen = split or ("test" if "test" in data.splits else data.splits[-1])
    judged = _labelled(data.clips(chosen))
    if not judged:
        raise CmdfdError(f"{data.name}/{chosen}: no labelled clips; their labels are withheld")
    if platforms is not None:
        judged = _on_platforms(judged, platforms, f"{data.name}/{chosen}")
    teaches = chosen != "train" and "train" in data.splits and not cross_validate
    return Chosen(data, chosen, judged, _labelled(data.clips("train")) if teaches else ())


def _labelled(clips: Sequence[Clip]) -> tuple[Clip, ...]:
    return tuple(clip for clip in clips if clip.labels.label is not None)


def _on_platforms(clips: Sequence[Clip], platforms: Sequence[str], where: str) -> tuple[Clip, ...]:
    known = sorted({clip.platform or ORIGINAL for clip in clips})
    for name in platforms:
        if name not in known:
            raise CmdfdError(f"{where} has no clips of platform {name!r}: {nearest(name, known)}")
    return tuple(clip for clip in clips if (clip.platform or ORIGINAL) in platforms)


def measured(data: Dataset, clips: Sequence[Clip], progress: Callable[[int], None]) -> Measured:
    """Measure the files of clips as `floor:container` does.

    Args:
        data: The set.
        clips: Some of its clips.
        progress: Told how many are done.
    """
    from cmdfd.audit.measure import measure_file

    cues: list[dict[str, CueValue]] = []
    unreadable = 0
    for done, clip in enumerate(clips, start=1):
        try:
            cues.append(measure_file(data.path_of(clip)))
        except MediaError:
            cues.append({})  # that nothing can be measured may itself tell the classes
            unreadable += 1
        progress(done)
    rows = MethodRows(
        cues,
        [int(clip.labels.label or 0) for clip in clips],
        [clip.kind for clip in clips],
        [clip.component for clip in clips],
        [clip.platform for clip in clips] if any(clip.platform for clip in clips) else (),
    )
    return Measured(rows, unreadable)


def load_list(path: Path) -> MethodRows:
    """Read a list in CMDFD's form; its lengths and rates are all that is known of the clips.

    Raises:
        CmdfdError: If it is none.
    """
    from cmdfd.audit.cues.timing import sound_cues
    from generators.export.cmdfd import read_list

    listed = read_list(path)
    cues: list[dict[str, CueValue]] = []
    for row in listed:
        picture = row.n_frames / row.fps
        sound = sound_cues(row.n_samples, row.sample_rate, picture)
        seen = {"time.video_duration": picture, "time.n_frames": float(row.n_frames), "time.fps": row.fps}
        cues.append({**seen, **sound})
    # what is called by one name is one recording, whether it is seen or heard
    joined = components([Identity("", "", tuple(sorted({row.face, row.sound}))) for row in listed])
    return MethodRows(cues, [row.label for row in listed], [row.method for row in listed], joined)
