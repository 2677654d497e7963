"""Whether a data set holds what its tables say: every problem as a record, so that others can sort them by kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cmdfd.clip import sha256_file
from cmdfd.dataset import DatasetError, media_files
from cmdfd.splits import SplitError, check_disjoint

if TYPE_CHECKING:
    from cmdfd.clip import Clip
    from cmdfd.dataset import Dataset

#: What is wrong: a label or a count of labels, somebody in two splits, or a file.
Topic = Literal["label", "leak", "file"]


@dataclass(frozen=True, slots=True)
class SetProblem:
    """One thing that is wrong with a set.

    Args:
        topic: What kind of thing.
        where: File, split or clip that it is about; relative to the set's folder.
        reason: What is wrong.
    """

    topic: Topic
    where: str
    reason: str

    @property
    def text(self) -> str:
        """One line for people."""
        return self.reason if self.topic == "leak" else f"{self.where}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Soundness:
    """Everything that was found.

    Args:
        problems: Empty where the set is sound.
        notes: What a reader of the set must know.
        n_files: Media, masks and tracks that were looked at.
    """

    problems: tuple[SetProblem, ...]
    notes: tuple[str, ...]
    n_files: int


def problems_of(dataset: Dataset) -> Soundness:
    """Look at everything that `Dataset.verify` promises; reads every file once."""
    problems = [*_count_problems(dataset), *_label_problems(dataset), *_leak_problems(dataset)]
    n_files = 0
    notes: list[str] = []
    if dataset.lacks_masks:
        n_masks = sum(clip.mask is not None for clip in dataset.rows)
        missing = SetProblem("file", "masks/", f"not in this copy, and {n_masks} clips have a mask")
        if dataset.build.withheld:
            notes.append(missing.text)
        else:
            problems.append(missing)
    for clip in dataset.rows:
        problems += _file_problems(dataset, clip)
        n_files += 1 + (clip.mask is not None and not dataset.lacks_masks) + (clip.tracks is not None)
    problems += _strangers(dataset)
    return Soundness(tuple(problems), tuple(notes), n_files)


def _count_problems(dataset: Dataset) -> list[SetProblem]:
    found: dict[str, dict[str, int]] = {}
    for clip in dataset.rows:
        kinds = found.setdefault(clip.split, {})
        kinds[clip.kind] = kinds.get(clip.kind, 0) + 1
    hidden = {split for split in found if "" in found[split]}  # a copy without labels cannot count kinds
    counted = dataset.build.counts
    return [
        SetProblem("label", split, f"build.json counts {counted.get(split)}, the tables hold {found.get(split)}")
        for split in sorted({*found, *counted} - hidden)
        if found.get(split) != counted.get(split)
    ]


def _label_problems(dataset: Dataset) -> list[SetProblem]:
    problems = []
    for clip in dataset.rows:
        if clip.kind == "":
            continue
        label, where = clip.labels, f"{clip.id} ({clip.kind})"
        parts = (label.audio_label, label.video_label, label.sync_mismatch, label.identity_mismatch)
        if label.label == 0 and (1 in parts or clip.segments or clip.mask):
            problems.append(SetProblem("label", where, "label 0 with a forged part, segment or mask"))
        if label.label == 1 and set(parts) == {0}:
            problems.append(SetProblem("label", where, "label 1, but no stream is forged and nothing mismatches"))
        problems += [
            SetProblem("label", where, f"segment ends at {one.end:g} s after the clip's {clip.duration:g} s")
            for one in clip.segments
            if one.end > clip.duration + 0.5 / clip.fps
        ]
    return problems


def _leak_problems(dataset: Dataset) -> list[SetProblem]:
    problems = []
    for index, first in enumerate(dataset.splits):
        for second in dataset.splits[index + 1 :]:
            try:
                check_disjoint(dataset.clips(first), dataset.clips(second), (first, second))
            except SplitError as error:
                problems.append(SetProblem("leak", f"{first}, {second}", str(error)))
    return problems


def _file_problems(dataset: Dataset, clip: Clip) -> list[SetProblem]:
    problems = []
    changed = "its bytes changed (SHA-256 differs from the table)"
    try:
        path = dataset.path_of(clip)
        if not path.is_file():
            problems.append(SetProblem("file", clip.file, "missing"))
        elif sha256_file(path) != clip.sha256:
            problems.append(SetProblem("file", clip.file, changed))
        mask = None if dataset.lacks_masks else dataset.mask_of(clip)  # told once for all clips
        sides = ((mask, clip.mask_sha256), (dataset.track_of(clip), clip.tracks_sha256))
        for side, known in sides:
            if side is None:
                continue
            name = side.relative_to(dataset.folder).as_posix()
            if not side.is_file():
                problems.append(SetProblem("file", name, "missing"))
            elif known and sha256_file(side) != known:
                problems.append(SetProblem("file", name, changed))
    except DatasetError as error:
        problems.append(SetProblem("file", clip.id, str(error)))
    return problems


def _strangers(dataset: Dataset) -> list[SetProblem]:
    known = {name for clip in dataset.rows for name in (clip.file, clip.mask, clip.tracks) if name is not None}
    strangers = [name for name in media_files(dataset.folder) if name not in known]
    return [SetProblem("file", name, "no table names this file") for name in strangers]
