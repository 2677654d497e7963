"""From an original, its edit and a matte to a take with its edited version, masks, segments and a record."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.errors import MediaError
from generators.generator import EditedTake, Take
from generators.manual.align import Alignment, align
from generators.manual.coding import coding_like
from generators.manual.compare import Compared, compare_pictures, mask_runs
from generators.manual.difference import Comparer
from generators.manual.edits_csv import spans_of
from generators.manual.extent import least_extent
from generators.manual.matte import Matte, read_matte
from generators.manual.problems import refusal
from generators.manual.reading import SAMPLE_RATE, Canvas, Reel, read_frames, read_reel
from generators.manual.segments import Checked, checked, runs
from generators.manual.sound import SoundDifference, compare_sounds, sound_lag
from generators.manual.timing import match_frames

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from generators.manual.edits_csv import EditRow, Span

FPS = 25.0
#: Goes up whenever the import would make other bytes of the same files.
IMPORT_VERSION = 2


@dataclass(frozen=True, slots=True)
class ImportSettings:
    """How edits become takes.

    Args:
        seconds: Longest take; a longer pair is cut to that around its edit.
        min_seconds: Shortest take.
        canvas: Width and height to fill, letterboxed; None keeps the picture's shape.
        long_edge: Longest side where `canvas` is None.
        strict: Refuse changes outside the matte and outside the segments that are named.
        max_outside: Share of the pixels outside the matte that may differ beyond codec noise.
        draw: In [0, 1): where in the take the edit lies, if there is a choice.
    """

    seconds: float = 4.0
    min_seconds: float = 1.0
    canvas: tuple[int, int] | None = None
    long_edge: int = 640
    strict: bool = True
    max_outside: float = 0.002
    draw: float = 0.5


@dataclass(frozen=True, slots=True)
class EditFiles:
    """Files of one edit, looked up and checked; None where there is none."""

    original: Path
    edited: Path
    matte: Path | None = None
    edl: Path | None = None


def import_edit(row: EditRow, files: EditFiles, settings: ImportSettings) -> Take:
    """Check an edit against its original, align both, find masks and segments.

    Args:
        row: What the list says.
        files: Where the files are.
        settings: See there.

    Returns:
        The original as a take at 25 fps with mono sound at 16 kHz, `edited` filled in.

    Raises:
        MediaError: Where a file cannot be read, or the pair cannot be used: see `generators.manual.problems`.
        EdlError: Where the edit decision list cannot be read.
    """
    original, edited = read_reel(files.original, row.original), read_reel(files.edited, row.edited)
    if original.audio is None:
        raise MediaError("no_audio", row.original)
    covered = _covered(files.matte, edited)
    aligned = align(original, edited, covered, retimed="time" in row.operation.split(";"))
    named = [replace(one, start=one.start / aligned.speed - aligned.lag, end=one.end / aligned.speed - aligned.lag)
             for one in named_spans(row, files, edited)]  # fmt: skip
    low, high = _overlap(original, edited, aligned, settings)
    start, n = _window(original, aligned, low, high, named, settings)
    return _Importer(row, files, settings, original, edited, aligned).take(start, n, named)


def named_spans(row: EditRow, files: EditFiles, edited: Reel) -> tuple[Span, ...]:
    """Stretches that the list or the edit decision list names, seconds from the edited file's first frame."""
    if row.segments:
        return spans_of(row.segments)
    if files.edl is None:
        return ()
    from generators.manual.cmx3600 import EdlError, edited_segments, read_edl
    from generators.manual.edits_csv import Span

    fps = row.edl_fps or (edited.info.video.fps if edited.info.video is not None else None) or FPS
    edl = read_edl(files.edl, fps)
    try:
        found = edited_segments(edl, row.original.rpartition("/")[2], row.edl_start or None)
    except ValueError as error:
        raise EdlError(f"{row.edl}: {error}") from error
    if not found:
        raise EdlError(f"{row.edl}: every event shows the original as it is; export the timeline of the edit")
    return tuple(Span(one.start, one.end, one.modality) for one in found)


def _covered(matte: Path | None, edited: Reel) -> NDArray[np.uint8] | None:
    """The matte's largest levels over time, small, on the edited picture; its length is checked."""
    if matte is None:
        return None
    high, wide = edited.film.frames.shape[1:3]
    read = _small_matte(matte, wide, high, edited)
    frame = max(edited.film.period, float(np.median(np.diff(read.times))) if len(read.times) > 1 else 0.0)
    if read.seconds is not None and abs(read.seconds - edited.film.end) > 1.5 * frame + 0.01:
        detail = f"the matte lasts {read.seconds:.2f} s, the edited file {edited.film.end:.2f} s"
        raise refusal("matte", edited.name, detail)
    if read.levels.max() <= 10:
        raise refusal("matte", edited.name, "the matte is black all over")
    return np.asarray(read.levels.max(axis=0), np.uint8)


def _small_matte(matte: Path, wide: int, high: int, edited: Reel) -> Matte:
    from cmdfd.media.harmonise import Placement

    return read_matte(matte, Placement(wide, high, 0, 0, wide, high), edited.size[0] / edited.size[1])


def _overlap(original: Reel, edited: Reel, aligned: Alignment, settings: ImportSettings) -> tuple[float, float]:
    """What both files have, in seconds on the original's clock."""
    low = max(0.0, -aligned.lag)
    high = min(original.film.end, aligned.film.end - aligned.lag)
    if abs(aligned.lag) < aligned.film.period:  # no shift, but the place of a frame between two of another rate
        low, high = 0.0, min(original.film.end, aligned.film.end + aligned.film.period)
    if original.audio is not None:  # AAC may end within a frame of the picture
        high = min(high, original.audio.start + original.audio.duration + 0.06)
    if high - low < settings.min_seconds - 1e-6:
        detail = f"{max(high - low, 0):.2f} s of picture and sound are in both, {settings.min_seconds:g} are needed"
        raise MediaError("too_short", edited.name, detail)
    return low, high


def _window(
    original: Reel, aligned: Alignment, low: float, high: float, named: list[Span], settings: ImportSettings
) -> tuple[float, int]:
    """Where the take begins on the original's clock, and its number of frames."""
    n = math.floor((high - low) * FPS + 1e-6)
    most = math.floor(settings.seconds * FPS + 1e-6)
    if n <= most:
        return low, n
    stretches = [(one.start, one.end) for one in named] or _coarse(original, aligned, low, n)
    inside = [(max(a, low), min(b, high)) for a, b in stretches if min(b, high) - max(a, low) > 1 / FPS]
    if not inside:
        return low, most
    begin, end = max(inside, key=lambda one: one[1] - one[0])
    length, margin = most / FPS, 0.1
    first, last = sorted((end + margin - length, begin - margin))
    first, last = max(first, low), min(last, low + (n - most) / FPS)
    wanted = first + settings.draw * max(last - first, 0.0)
    return low + min(max(round((wanted - low) * FPS), 0), n - most) / FPS, most


def _coarse(original: Reel, aligned: Alignment, low: float, n: int) -> list[tuple[float, float]]:
    """Where picture or sound of a long pair differ, from its small pictures."""
    times = low + np.arange(n) / FPS
    ours, theirs = match_frames(original.film, aligned.film, aligned.lag, times, aligned.keep)
    pair = [np.repeat(film.frames[rows][..., None], 3, axis=3)
            for film, rows in ((original.film, ours), (aligned.film, theirs))]  # fmt: skip
    compared = compare_pictures(Comparer(pair[0], pair[1], None), None, strict=False)
    found = [(low + a, low + b) for a, b in runs(compared.frames, FPS)]
    return found or [(low + a, low + b) for a, b in _sounds(original, None, aligned, low, n / FPS)[2].stretches]


def _sounds(
    original: Reel, edited: Reel | None, aligned: Alignment, start: float, seconds: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], SoundDifference]:
    """Both sounds of a stretch, aligned to the sample, and how they differ."""
    from cmdfd.media.grid import align_audio

    assert original.audio is not None  # noqa: S101 - checked at the beginning
    ours = align_audio(original.audio, start, seconds)
    if edited is None or edited.audio is None:
        return ours, ours, SoundDifference(0.0, 0.0, ())
    place = start + aligned.sound
    theirs = align_audio(edited.audio, place, seconds)
    near = sound_lag(ours, theirs, SAMPLE_RATE, 0.03)
    if near.correlation > 0.5 and near.seconds:
        theirs = align_audio(edited.audio, place + near.seconds, seconds)
    return ours, theirs, compare_sounds(ours, theirs, SAMPLE_RATE)


@dataclass(frozen=True, slots=True, eq=False)
class _Importer:
    """One pair, aligned; makes the take of a window."""

    row: EditRow
    files: EditFiles
    settings: ImportSettings
    original: Reel
    edited: Reel
    aligned: Alignment

    def take(self, start: float, n: int, named: list[Span]) -> Take:
        """The take of `n` frames from `start` seconds on the original's clock."""
        row, settings = self.row, self.settings
        times = start + np.arange(n) / FPS
        canvas = Canvas.fit(self.original.size, self.aligned.view, settings.canvas, settings.long_edge)
        ours, theirs = match_frames(self.original.film, self.aligned.film, self.aligned.lag, times, self.aligned.keep)
        frames = read_frames(self.original, ours, canvas, edited=False)
        changed = read_frames(self.edited, theirs, canvas, edited=True)
        mattes = self._mattes(self.edited.film.times[theirs], canvas)
        compared = self._compared(frames, changed, mattes)
        sound, other_sound, heard = _sounds(self.original, self.edited, self.aligned, start, n / FPS)
        if not compared.frames.any() and not heard.stretches:
            raise refusal("identical", row.edited, "neither picture nor sound differ from the original")
        spans = self._spans(named, start, n)
        seen = mask_runs(compared, mattes, FPS)
        held = checked(spans, seen, heard.stretches, n / FPS, row.edited, strict=settings.strict)
        masks = compared.masks_in(held.segments, FPS)
        details = self._details(frames, compared, heard, held, start, canvas, bool(spans))
        edit = EditedTake(changed, other_sound, masks, held.segments, details)
        return Take(frames, FPS, sound, SAMPLE_RATE, edited=edit)

    def _mattes(self, moments: NDArray[np.float64], canvas: Canvas) -> Matte | None:
        """The matte of the take's frames on the canvas, or None."""
        from cmdfd.media.harmonise import Placement

        if self.files.matte is None:
            return None
        left, top, right, bottom = canvas.view.forward(canvas.rect)
        wide, high = (max(2, round(side / share)) for side, share in (
            (canvas.place.width, right - left), (canvas.place.height, bottom - top)))  # fmt: skip
        place = Placement(wide, high, 0, 0, wide, high)
        window = (float(moments.min()), float(moments.max()))
        read = read_matte(self.files.matte, place, self.edited.size[0] / self.edited.size[1], window)
        placed = np.stack([canvas.onto(one, edited=True) for one in read.at(moments)])
        return Matte(placed, np.arange(len(placed)) / FPS, read.seconds, read.kind)

    def _compared(self, frames: NDArray[np.uint8], changed: NDArray[np.uint8], mattes: Matte | None) -> Compared:
        """Where the pictures differ, held against the matte.

        Raises:
            MediaError: "outside_matte" where too much differs outside of it, or everywhere; "matte" where too little
                differs inside of it.
        """
        from generators.manual.compare import outside_of

        levels = None if mattes is None else mattes.levels
        comparer = Comparer(frames, changed, None if levels is None else outside_of(levels))
        compared = compare_pictures(comparer, mattes, strict=self.settings.strict)
        if self.settings.strict and compared.outside > self.settings.max_outside:
            hint = " (is the matte inverted?)" if compared.inverted else ""
            detail = f"{compared.outside:.2%} of the pixels outside the matte differ{hint}"
            raise refusal("outside_matte", self.row.edited, f"{detail}, {self.settings.max_outside:.2%} may")
        if self.settings.strict and comparer.tone.strength > _MOST_TONE:
            detail = f"brightness or colours of the whole picture differ, by up to {comparer.tone.strength:.0f} levels"
            raise refusal("outside_matte", self.row.edited, detail)
        if self.settings.strict and compared.extent < least_extent(compared.share):
            detail = f"where the pictures differ, {compared.extent:.0%} of the matte lie among what differs"
            least = f"a matte of {compared.share:.0%} of the picture needs {least_extent(compared.share):.0%}"
            raise refusal("matte", self.row.edited, f"{detail}, {least}; draw it around what was changed")
        return compared

    def _spans(self, named: list[Span], start: float, n: int) -> list[Span]:
        """Named stretches on the take's clock, those outside left out.

        Raises:
            MediaError: "no_segment" where none is left.
        """
        seconds = n / FPS
        moved = [replace(one, start=one.start - start, end=one.end - start) for one in named]
        inside = [one for one in moved if min(one.end, seconds) - max(one.start, 0.0) >= 0.5 / FPS]
        if moved and not inside:
            raise refusal("no_segment", self.row.edited, "every stretch that is named lies outside the take")
        return [replace(one, start=max(one.start, 0.0), end=min(one.end, seconds)) for one in inside]

    def _details(
        self,
        frames: NDArray[np.uint8],
        compared: Compared,
        heard: SoundDifference,
        held: Checked,
        start: float,
        canvas: Canvas,
        named: bool,
    ) -> dict[str, Any]:
        row, aligned, video = self.row, self.aligned, self.edited.info.video
        rect = canvas.view.forward(canvas.rect)
        scale = self.edited.size[0] * (rect[2] - rect[0]) / canvas.place.width
        sound = self.edited.audio is not None
        coding = coding_like(self.edited.info, frames, FPS, scale, compared.residual, sound=sound)
        view = aligned.view
        warnings = [*aligned.notes, *compared.warnings, *held.warnings]
        if not sound:
            warnings.append("the edited file has no sound; the original's is used")
        return {
            "operation": row.operation,
            "tool": row.tool,
            "editor": row.editor,
            "donors": list(row.donor_ids),
            "matte": compared.matte,
            "segments_from": ("list" if row.segments else "edl") if named else "difference",
            "start": round(start, 6),
            "picture_lag": round(aligned.lag, 6),
            "sound_lag": round(aligned.sound, 6),
            "speed": round(aligned.speed, 6),
            "view": [round(each, 5) for each in (view.sx, view.sy, view.tx, view.ty)],
            "picture_fit": round(aligned.picture.depth, 4),
            "sound_correlation": round(aligned.heard.correlation, 4),
            "sound_gain_db": round(float(heard.gain_db), 3),
            "tone_levels": round(compared.tone, 3),
            "noise_levels": round(compared.noise, 3),
            "outside_share": round(compared.outside, 6),
            "matte_share": round(compared.share, 6),
            "mask_differs": round(compared.coverage, 4),
            "mask_extent": round(compared.extent, 4),
            "edited_file": {
                "codec": video.codec if video is not None else "",
                "bit_rate": video.bit_rate if video is not None else None,
                "width": self.edited.size[0],
                "height": self.edited.size[1],
                "fps": round(1 / self.edited.film.period, 3),
            },
            "sync_mismatch": _label(row.sync_mismatch),
            "identity_mismatch": _label(row.identity_mismatch),
            "output_licence": row.edit_licence,
            "coding": coding.to_dict(),
            "warnings": warnings,
        }


#: Levels by which tone may differ everywhere: what colour management and a conversion between BT.601 and 709 leave.
_MOST_TONE = 12.0


def _label(text: str | None) -> int | None:
    return None if text is None else int(text)
