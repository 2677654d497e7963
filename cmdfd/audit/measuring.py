"""Cues of many files, by worker processes that a hostile file may kill without harm to the audit."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, get_args

import cmdfd
from cmdfd.audit.measure import CATALOGUE, cues_of_depth, depth_of_cue, measure_face, measure_facts
from cmdfd.audit.reading import Depth, read_facts
from cmdfd.audit.registry import ClipMedia, NamedPlugin, load_plugins, plain
from cmdfd.audit.setcues.prints import PRINT_COLUMNS, fingerprint
from cmdfd.errors import MEDIA_CODES, CmdfdError, MediaError, nearest
from cmdfd.work import OK, TRANSIENT, WorkItem, WorkPlan, open_executor

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    import pandas as pd

    from cmdfd.audit.cue import Cue, CueValue
    from cmdfd.audit.facts import FileFacts
    from cmdfd.work import WorkResult

#: Clips of one piece of work: enough that the way to a worker and back costs little beside the reading.
_BATCH = {"headers": 32, "sound": 8, "full": 4}
#: A set is cut into at least so many pieces, so that a small one keeps several workers busy.
_PIECES = 16
#: Seconds that one piece of work may take; ten minutes of 4K decode in less.
TIMEOUT = 900.0
#: Raised when a cue's value changes for the same file, so that a cache does not answer with the old one.
_VERSION = 1
_DEPTHS: tuple[Depth, ...] = get_args(Depth)
_DEPTH_OF_NEEDS: dict[str, Depth] = {"headers": "headers", "sound": "sound", "pictures": "full"}


@dataclass(frozen=True, slots=True)
class Failure:
    """A clip of which nothing could be measured.

    Args:
        index: Its place in the input.
        file: The file.
        code: One of `cmdfd.errors.MEDIA_CODES`.
        reason: What was found, in one line.
    """

    index: int
    file: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Cues of a set.

    Args:
        table: One row a clip in the order of the input (index 0, 1, ...), one column a cue: float64 with NaN, or text
            with None. Where the sound was decoded, the columns of `cmdfd.audit.setcues.PRINT_COLUMNS` stand beside
            the cues: prints by which copies are found.
        failures: Clips that could not be read, in the order of the input; their cues are all missing.
        notes: What else went wrong, e.g. with a plug-in.
        cues: Records of the table's columns, those of plug-ins too.
    """

    table: pd.DataFrame
    failures: tuple[Failure, ...]
    notes: tuple[str, ...] = ()
    cues: Mapping[str, Cue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Job:
    """What every clip is measured by; travels to the workers as JSON."""

    depth: Depth
    names: tuple[str, ...]
    plugins: tuple[str, ...]

    def payload(self, clips: list[list[Any]]) -> dict[str, Any]:
        return {"depth": self.depth, "names": self.names, "plugins": self.plugins, "clips": clips}


def measure_all(
    paths: Sequence[Path | None],
    depth: Depth = "full",
    *,
    tracks: Sequence[Path | str | None] | None = None,
    cues: Collection[str] | None = None,
    workers: int | None = None,
    cache: Path | None = None,
    progress: Callable[[int], object] | None = None,
    plugins: Sequence[str] = (),
    timeout: float = TIMEOUT,
) -> Measured:
    """Measure the cues of many files.

    Args:
        paths: Media files; None for a clip without media, whose cues are all missing.
        depth: "headers" (nothing is decoded), "sound" or "full".
        tracks: Stored face tracks of the clips, or None where there is none.
        cues: Names of the cues that are wanted, None for all of the depth. Less is decoded where they allow it.
        workers: Worker processes; None for one a core, 0 for none: everything in this process, for debugging.
        cache: Folder that keeps what was measured; a later call with the same files, cues and plug-ins (told by path,
            size and time of change) takes it from there. None keeps nothing.
        progress: Called with the number of clips that were just done, e.g. `tqdm(...).update`.
        plugins: Names or "file.py:Name" of cue plug-ins, see `cmdfd.audit.registry`.
        timeout: Seconds after which a piece of work (up to 32 clips) is given up and its clips are tried one by one,
            with as much time for each.

    Returns:
        Cues, failures and notes. A hostile file, a crash or a timeout ends as a failure of that clip.

    Raises:
        CmdfdError: For an unknown cue or a plug-in that cannot be used.
        ValueError: For another depth, or tracks of another number.
    """
    if depth not in _DEPTHS:
        raise ValueError(f"depth must be one of {', '.join(_DEPTHS)}, got {depth!r}")
    if tracks is not None and len(tracks) != len(paths):
        raise ValueError(f"there are {len(paths)} paths, but {len(tracks)} tracks")
    loaded = load_plugins(plugins, CATALOGUE)
    job, notes = _job(depth, cues, loaded)
    clips = [
        [index, str(path), str(tracks[index]) if tracks and tracks[index] else None]
        for index, path in enumerate(paths)
        if path is not None
    ]
    records = CATALOGUE | {cue.name: cue for one in loaded for cue in one.plugin.cues}
    words = (name for name, cue in records.items() if cue.categorical or cue.tokenised)
    table = _Table(len(paths), job.names, frozenset((*words, *PRINT_COLUMNS)))
    report = progress or (lambda _: None)
    report(len(paths) - len(clips))
    with ExitStack() as stack:
        folder = cache if cache is not None else Path(stack.enter_context(TemporaryDirectory(prefix="cmdfd-measure-")))
        _run(job, clips, table, folder, workers if workers is not None else os.cpu_count() or 1, timeout, report)
    columns = {name: records[name] for name in job.names if name not in PRINT_COLUMNS}
    return Measured(table.frame(), table.sorted_failures(), (*notes, *table.notes()), columns)


def _run(
    job: _Job,
    clips: list[list[Any]],
    table: _Table,
    folder: Path,
    most: int,
    timeout: float,
    report: Callable[[int], object],
) -> None:
    """Measure clips in batches, then those whose batch was lost one by one."""
    size = max(1, min(_BATCH[job.depth], len(clips) // _PIECES))
    pieces = [clips[k : k + size] for k in range(0, len(clips), size)]
    with open_executor("serial" if most == 0 else "local", max(1, min(most, len(pieces))), timeout) as executor:
        again = list(table.take(executor.run(_plan(job, pieces, "batch"), folder / "batches"), pieces, report))
        singles = [[clip] for clip in sorted(again)]
        table.take_singles(executor.run(_plan(job, singles, "single"), folder / "singles"), singles, report)


def _job(depth: Depth, cues: Collection[str] | None, plugins: Sequence[NamedPlugin]) -> tuple[_Job, list[str]]:
    """What to measure: the wanted cues that the depth allows, and the least depth that they need."""
    least: dict[str, Depth] = {name: depth_of_cue(name) for name in CATALOGUE}
    for one in plugins:
        least |= dict.fromkeys(one.names(), _DEPTH_OF_NEEDS[one.plugin.needs])
    if cues is None:
        own = tuple(name for one in plugins for name in one.names())
        names = tuple(name for name in (*cues_of_depth(depth), *own) if _fits(least[name], depth))
        left_out = [name for name in own if name not in names]
    else:
        for name in cues:
            if name not in least:
                raise CmdfdError(f"unknown cue {name!r}: {nearest(name, least)}")
        names = tuple(name for name in least if name in set(cues) and _fits(least[name], depth))
        left_out = [name for name in cues if name not in names]
    notes = [f"{name} was not measured: it needs more than {depth}" for name in left_out]
    needed: Depth = max((least[name] for name in names), key=_DEPTHS.index, default="headers")
    asked = tuple(one.name for one in plugins if any(name in names for name in one.names()))
    if cues is None and depth != "headers":
        names = (*names, *PRINT_COLUMNS)
    return _Job(needed if cues is not None else depth, names, asked), notes


def _fits(needed: Depth, depth: Depth) -> bool:
    return _DEPTHS.index(needed) <= _DEPTHS.index(depth)


def _plan(job: _Job, pieces: list[list[list[Any]]], kind: str) -> WorkPlan:
    salt = [_VERSION, cmdfd.__version__, [_stamp(name.rpartition(":")[0]) for name in job.plugins]]
    items = tuple(
        WorkItem.of(f"{kind}-{piece[0][0]:08d}", job.payload(piece), salt, [_stamp(clip[1]) for clip in piece])
        for piece in pieces
    )
    return WorkPlan(f"cmdfd.audit.measuring:measure_{kind}", items)


def _stamp(path: str) -> list[int]:
    """Size and time of change, by which a file is known again; empty where it is none."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return []
    return [found.st_size, found.st_mtime_ns]


def measure_batch(payload: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    """Measure some clips; what cannot be read is told beside the others. Called by workers.

    Args:
        payload: Of `_Job.payload`.
        context: Not used.
    """
    rows: list[list[CueValue] | None] = []
    failures, notes = [], []
    for clip in payload["clips"]:
        try:
            row, found = _measure_clip(payload, clip)
            rows.append(row)
            notes += found
        except MediaError as error:
            rows.append(None)
            failures.append([clip[0], clip[1], error.code, error.detail])
    return {"rows": rows, "failures": failures, "notes": notes}


def measure_single(payload: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    """Measure one clip. Called by workers.

    Raises:
        MediaError: Where it cannot be read.
    """
    row, notes = _measure_clip(payload, payload["clips"][0])
    return {"rows": [row], "failures": [], "notes": notes}


def _measure_clip(payload: Mapping[str, Any], clip: list[Any]) -> tuple[list[CueValue], list[list[str]]]:
    _, file, track = clip
    names = frozenset(payload["names"])
    facts = read_facts(Path(file), depth=payload["depth"])
    own = [name for name in payload["names"] if name in CATALOGUE]
    found: dict[str, CueValue] = measure_facts(facts, own)
    if PRINT_COLUMNS[0] in names:
        found |= fingerprint(facts.pictures, facts.audio.decoded if facts.audio else None)
    notes: list[list[str]] = []
    if track is not None and any(name.startswith("face.") for name in own):
        try:
            found |= measure_face(facts, Path(track))
        except ValueError as error:  # a missing or damaged track leaves the cues of the face unmeasured
            notes.append(["the face track", file, str(error)])
    if payload["plugins"]:
        media = _media(Path(file), facts)
        for plugin in _plugins(tuple(payload["plugins"])):
            values, trouble = plugin.measure(media)
            found |= values
            notes += [[f"the cue plug-in {plugin.name!r}", file, trouble]] if trouble else []
    return [_finite(found[name]) for name in payload["names"] if name in names], notes


def _media(path: Path, facts: FileFacts) -> ClipMedia:
    return ClipMedia(path, facts, facts.audio.decoded if facts.audio else None, facts.pictures)


def _finite(value: CueValue) -> CueValue:
    return value if isinstance(value, str) else plain(value, text=False)


@lru_cache(maxsize=4)
def _plugins(names: tuple[str, ...]) -> tuple[NamedPlugin, ...]:
    return load_plugins(names, CATALOGUE)


@dataclass(slots=True)
class _Trouble:
    count: int = 0
    file: str = ""
    text: str = ""


@dataclass(slots=True, eq=False)
class _Table:
    """Columns that are filled as results come in: eight bytes a value, and one copy of each text."""

    n: int
    names: tuple[str, ...]
    texts: frozenset[str]
    columns: list[Any] = field(init=False)
    failures: list[Failure] = field(default_factory=list)
    troubles: dict[str, _Trouble] = field(default_factory=dict)

    def __post_init__(self) -> None:
        import numpy as np

        self.columns = [
            np.full(self.n, None, object) if name in self.texts else np.full(self.n, np.nan) for name in self.names
        ]

    def take(
        self, results: Iterator[WorkResult], pieces: list[list[list[Any]]], report: Callable[[int], object]
    ) -> Iterator[list[Any]]:
        """Take results of batches in; yields the clips that are to be tried alone."""
        by_index = {piece[0][0]: piece for piece in pieces}
        for result in results:
            piece = by_index[int(result.key.rpartition("-")[2])]
            if result.status != OK and len(piece) == 1:
                self._fail(piece[0], result)
                report(1)
                continue
            if result.status != OK:
                yield from piece
                continue
            again = {row[0] for row in result.value["failures"] if row[2] in TRANSIENT}
            yield from (clip for clip in piece if clip[0] in again)
            self._fill(piece, result.value, again)
            report(len(piece) - len(again))

    def take_singles(
        self, results: Iterator[WorkResult], pieces: list[list[list[Any]]], report: Callable[[int], object]
    ) -> None:
        """Take results of clips that were tried alone; whatever went wrong is their failure."""
        by_index = {piece[0][0]: piece for piece in pieces}
        for result in results:
            piece = by_index[int(result.key.rpartition("-")[2])]
            if result.status == OK:
                self._fill(piece, result.value, set())
            else:
                self._fail(piece[0], result)
            report(1)

    def _fail(self, clip: list[Any], result: WorkResult) -> None:
        lines = result.detail.strip().splitlines() or [MEDIA_CODES[result.status]]
        self.failures.append(Failure(clip[0], clip[1], result.status, lines[-1]))

    def _fill(self, piece: list[list[Any]], value: Mapping[str, Any], again: set[int]) -> None:
        for clip, row in zip(piece, value["rows"], strict=True):
            for column, cell in zip(self.columns, row or (), strict=False):
                if cell is not None:
                    column[clip[0]] = sys.intern(cell) if isinstance(cell, str) else cell
        self.failures += [Failure(*row) for row in value["failures"] if row[0] not in again]
        for who, file, text in value["notes"]:
            trouble = self.troubles.setdefault(who, _Trouble(0, file, text))
            trouble.count += 1

    def frame(self) -> pd.DataFrame:
        """The table."""
        import pandas as pd

        # as they are: left alone, pandas would make None of a text to NaN
        columns = {
            name: pd.Series(column, dtype=column.dtype, copy=False)
            for name, column in zip(self.names, self.columns, strict=True)
        }
        return pd.DataFrame(columns, index=range(self.n), copy=False)

    def sorted_failures(self) -> tuple[Failure, ...]:
        """Failures in the order of the input."""
        return tuple(sorted(self.failures, key=lambda one: one.index))

    def notes(self) -> list[str]:
        """Sentences about what failed beside the clips."""
        return [
            f"{who} failed on {trouble.count} clips, whose cues of it are missing; the first: "
            f"{Path(trouble.file).name}: {trouble.text}"
            for who, trouble in sorted(self.troubles.items())
        ]
