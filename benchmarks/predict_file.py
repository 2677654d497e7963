"""`benchmarks.run --predict FILE …`: score single files and draw their timelines."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.detector import Featuriser, Prediction
from benchmarks.predictions import answer
from benchmarks.registry import resolve, spec_of
from benchmarks.runner import Runner
from benchmarks.views import FeatureView, MemoryView
from cmdfd.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from benchmarks.detector import ClipView
    from benchmarks.fits import Fitted
    from benchmarks.progress import Reporter
    from benchmarks.results import Threshold
    from benchmarks.runner import RunConfig
    from cmdfd.faces.backends import FaceBackend

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


def load_view(path: Path, backend: FaceBackend) -> MemoryView:
    """Read a file the way folder sources do: constant rate, 16 kHz mono, the face track, the crop around the face.

    Args:
        path: Any video with sound.
        backend: Finds the face.

    Raises:
        MediaError: Where it cannot be used, with the reason.
    """
    from cmdfd.media.probe import probe
    from generators.sources.ingest import IngestSettings, cut, ingest, usable_span

    spans = cut(usable_span(probe(path)), MAX_SECONDS, MIN_SECONDS, 1)
    if not spans:
        raise MediaError("too_short", path.name, f"picture and sound overlap for less than {MIN_SECONDS:g} s")
    take = ingest(path, spans[0], backend, IngestSettings(min_seconds=MIN_SECONDS))
    return MemoryView(path.name, take.fps, take.sample_rate, take.frames, take.audio, take.track)


def score_file(fitted: Fitted, path: Path, backend: FaceBackend) -> Scored:
    """Score one file; whatever is wrong with it becomes the prediction's error."""
    try:
        view: ClipView = load_view(path, backend)
        if isinstance(fitted.detector, Featuriser):
            view = FeatureView(view, fitted.detector)
        return Scored(next(iter(fitted.detector.predict([view]))), view)
    except MediaError as error:
        return Scored(Prediction(path.name, None, error=f"{error.code}: {error.detail}"), None)


def _timeline_path(folder: Path, path: Path) -> Path:
    """A plain file name that two files of one name do not share."""
    stem = "".join(c if c.isalnum() or c in "-_" else "_" for c in path.stem)[:60].lstrip("-") or "file"
    digest = hashlib.sha256(str(path.absolute()).encode("utf-8", "surrogateescape")).hexdigest()[:6]
    return folder / f"{stem}-{digest}.png"


def predict_files(files: Sequence[str], config: RunConfig, reporter: Reporter, model: Path | None = None) -> int:
    """Fit (or load the cached fit), then score files; returns the exit code: 1 where no file could be scored.

    Raises:
        MissingExtraError: Where no face backend is installed; before anything is built or fitted.
    """
    from benchmarks.progress import console
    from cmdfd.faces.backends import get_backend

    backend = get_backend(model=model, purpose=f"finding the face in {files[0]!r}")
    runner = Runner(config, reporter)
    try:
        protocol = runner.protocol(report=False)
        fitted = runner.fit(resolve(config.detector, config.preset), config.seed, protocol)
        threshold = runner.threshold(fitted, protocol)
    finally:
        runner.pool.close()
    folder = config.output / "predict"
    scores = []
    with reporter.bar("files") as bar:
        for done, name in enumerate(files, start=1):
            scores.append(_one(fitted, Path(name), folder, threshold, backend))
            bar(done, len(files), Path(name).name)
    console().print(score_table(scores, fitted, threshold))
    return int(all(score.prediction.score is None for score in scores))


def _one(fitted: Fitted, path: Path, folder: Path, threshold: Threshold | None, backend: FaceBackend) -> FileScore:
    from benchmarks.report.timeline import write_timeline
    from benchmarks.timelines import item_of

    scored = score_file(fitted, path, backend)
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
