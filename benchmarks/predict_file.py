"""`benchmarks.run --predict FILE …`: score single files and draw their timelines."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.detector import Featuriser, Prediction
from benchmarks.predictions import answer
from benchmarks.registry import make, resolve, spec_of
from benchmarks.runner import Runner
from benchmarks.views import FeatureView, MemoryView
from cmdfd.errors import CmdfdError, MediaError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.table import Table

    from benchmarks.detector import ClipView, Detector
    from benchmarks.fits import Fitted
    from benchmarks.progress import Reporter
    from benchmarks.results import Threshold
    from benchmarks.runner import RunConfig
    from cmdfd.faces.backends import FaceBackend
    from cmdfd.faces.tracks import FaceTrack
    from generators.sources.ingest import Span

#: Longest stretch of a file that is scored at once, in seconds; longer files are scored on their beginning.
MAX_SECONDS = 60.0
#: Shortest stretch worth scoring: one chunk of MDS (30 frames at 30 fps, ACM MM 2020).
MIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class FileScore:
    """What came out for one file.

    Args:
        file: As the user named it.
        prediction: Score or error.
        timeline: Picture, None where there is nothing to draw.
    """

    file: str
    prediction: Prediction
    timeline: Path | None


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """A prediction and the clip as the detector saw it, None where it could not be read."""

    prediction: Prediction
    view: ClipView | None


@dataclass(frozen=True, slots=True, eq=False)
class TracklessView(MemoryView):
    """A clip without a face track that remembers whether one was asked for."""

    asked: list[str] = field(default_factory=list)

    def track(self) -> FaceTrack:
        """Not available; that it was asked for stands in `asked` from now on."""
        self.asked.append(self.id)
        return MemoryView.track(self)


def wants_track(detector: Detector) -> bool:
    """Whether a detector asks for the face track, tried on a small made clip before anything is fitted.

    One that has to be fitted before it can be asked anything counts as not asking; it is found out later.

    Args:
        detector: As constructed.
    """
    from benchmarks.mock import mock_view

    whole = mock_view("mock", 0, fake=False)
    view = TracklessView(whole.id, whole.fps, whole.sample_rate, whole.video, whole.sound, None, whole.cues)
    try:
        if isinstance(detector, Featuriser):
            detector.featurise(view)
        elif not detector.spec.needs_training:
            next(iter(detector.predict([view])), None)
    except CmdfdError:  # what it says of a clip without a track is of no interest here
        pass
    return bool(view.asked)


def _span(path: Path) -> Span:
    """The stretch of a file that is scored."""
    from cmdfd.media.probe import probe
    from generators.sources.ingest import cut, usable_span

    spans = cut(usable_span(probe(path)), MAX_SECONDS, MIN_SECONDS, 1)
    if not spans:
        raise MediaError("too_short", path.name, f"picture and sound overlap for less than {MIN_SECONDS:g} s")
    return spans[0]


def load_whole(path: Path) -> TracklessView:
    """Read a file for a detector that needs no face: the whole picture, at most 640 pixels on its longer side.

    Args:
        path: Any video with sound.

    Raises:
        MediaError: Where it cannot be used, with the reason.
    """
    from generators.sources.ingest import FPS, SAMPLE_RATE, IngestSettings, ingest_whole

    found = ingest_whole(path, _span(path), IngestSettings(min_seconds=MIN_SECONDS))
    return TracklessView(path.name, FPS, SAMPLE_RATE, found.frames, found.audio, None)


def load_view(path: Path, backend: FaceBackend) -> MemoryView:
    """Read a file the way folder sources do: constant rate, 16 kHz mono, the face track, the crop around the face.

    Args:
        path: Any video with sound.
        backend: Finds the face.

    Raises:
        MediaError: Where it cannot be used, with the reason.
    """
    from generators.sources.ingest import IngestSettings, ingest

    take = ingest(path, _span(path), backend, IngestSettings(min_seconds=MIN_SECONDS))
    return MemoryView(path.name, take.fps, take.sample_rate, take.frames, take.audio, take.track)


def score_file(fitted: Fitted, path: Path, faces: Callable[[], FaceBackend], *, track: bool = False) -> Scored:
    """Score one file; whatever is wrong with it becomes the prediction's error.

    Args:
        fitted: Who is asked.
        path: The file.
        faces: Gives the face backend.
        track: Whether the detector is known to ask for the face track; if not, and it does, it is asked once more.

    Raises:
        MissingExtraError: Where the detector asks for a face track and no backend is installed.
    """
    try:
        if not track:
            whole = load_whole(path)
            found = _answer(fitted.detector, whole)
            if not whole.asked:
                return found
        return _answer(fitted.detector, load_view(path, faces()))
    except MediaError as error:
        return Scored(Prediction(path.name, None, error=f"{error.code}: {error.detail}"), None)


def _answer(detector: Detector, clip: ClipView) -> Scored:
    view = FeatureView(clip, detector) if isinstance(detector, Featuriser) else clip
    return Scored(next(iter(detector.predict([view]))), view)


def _timeline_path(folder: Path, path: Path) -> Path:
    """A plain file name that two files of one name do not share."""
    stem = "".join(c if c.isalnum() or c in "-_" else "_" for c in path.stem)[:60].lstrip("-") or "file"
    digest = hashlib.sha256(str(path.absolute()).encode("utf-8", "surrogateescape")).hexdigest()[:6]
    return folder / f"{stem}-{digest}.png"


def predict_files(files: Sequence[str], config: RunConfig, reporter: Reporter, model: Path | None = None) -> int:
    """Fit (or load the cached fit), then score files; returns the exit code: 1 where no file could be scored.

    Raises:
        MissingExtraError: Where the detector asks for face tracks and no face backend is installed; before anything
            is built or fitted, wherever that can be known by then.
    """
    from benchmarks.progress import console
    from cmdfd.faces.backends import get_backend

    @functools.cache
    def faces() -> FaceBackend:
        return get_backend(model=model, purpose=f"finding the face in {files[0]!r}")

    ref = resolve(config.detector, config.preset)
    track = wants_track(make(ref, config.seed, **config.options))
    if track:
        faces()
    runner = Runner(config, reporter)
    try:
        protocol = runner.protocol(report=False)
        fitted = runner.fit(ref, config.seed, protocol)
        threshold = runner.threshold(fitted, protocol)
    finally:
        runner.pool.close()
    folder = config.output / "predict"
    scores = []
    with reporter.bar("files") as bar:
        for done, name in enumerate(files, start=1):
            scores.append(_one(fitted, Path(name), folder, threshold, faces, track=track))
            bar(done, len(files), Path(name).name)
    console().print(score_table(scores, fitted, threshold))
    return int(all(score.prediction.score is None for score in scores))


def _one(
    fitted: Fitted,
    path: Path,
    folder: Path,
    threshold: Threshold | None,
    faces: Callable[[], FaceBackend],
    *,
    track: bool = False,
) -> FileScore:
    from benchmarks.report.timeline import write_timeline
    from benchmarks.timelines import item_of

    scored = score_file(fitted, path, faces, track=track)
    prediction, view = scored.prediction, scored.view
    if view is None:
        return FileScore(str(path), prediction, None)
    row: dict[str, Any] = {**answer(prediction), "detector": fitted.ref.label, "kind": "", "dataset": ""}
    item = item_of(view, row, threshold, path.name)
    target = _timeline_path(folder, path)
    write_timeline(item, target)
    return FileScore(str(path), prediction, target)


def score_table(scores: Sequence[FileScore], fitted: Fitted, threshold: Threshold | None) -> Table:
    """The table that `--predict` ends with."""
    from rich.markup import escape
    from rich.table import Table

    trained = ", ".join(fitted.record.trained_on) or "nothing"
    limit = threshold.value if threshold else None
    caption = f"{fitted.ref.label}, trained on {trained}; higher = more fake"
    if limit is not None and threshold is not None:
        caption += f"; threshold {limit:.3f} chosen on {threshold.chosen_on}"
    if spec_of(fitted.ref.name).needs_training:
        caption += ". A threshold of one set says little about clips from elsewhere."
    table = Table(caption=caption)
    for column in ("file", "score", "verdict", "timeline"):
        table.add_column(column, overflow="fold")
    for score in scores:
        value = score.prediction.score
        if value is None:
            table.add_row(escape(repr(score.file)), "–", escape(score.prediction.error or ""), "")
            continue
        verdict = "" if limit is None else ("above threshold" if value >= limit else "below threshold")
        table.add_row(escape(repr(score.file)), f"{value:.3f}", verdict, escape(str(score.timeline or "")))
    return table
