"""Fitting detectors, and keeping fits by everything that decides them."""

from __future__ import annotations

import importlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.code_version import code_version
from benchmarks.detector import FitRecord, LabelledView, Progress, silent
from benchmarks.registry import DETECTORS, DetectorRef, make, spec_of
from cmdfd.clip import content_id, sha256_file
from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchmarks.detector import ClipView, Detector
    from benchmarks.protocol import Selection
    from cmdfd.clip import Clip

#: Modules whose code decides what detectors see; a change of theirs makes cached fits void.
SEEN_THROUGH = ("benchmarks.views", "cmdfd.faces.crops", "cmdfd.faces.tracks", "cmdfd.media.decode")

HEADERS_THROUGH = ("benchmarks.views", "cmdfd.audit")

ViewMaker = Callable[["Detector", "Selection", "Clip"], "ClipView"]
Address = Callable[["Selection", "Clip"], str]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A detector that is ready to predict.

    Args:
        ref: Name and preset.
        detector: Fitted instance.
        revision: Hash of everything that decides its scores.
        record: What it was fitted on.
        seconds: Wall time of the fit, None where it came from the cache or needs none.
    """

    ref: DetectorRef
    detector: Detector
    revision: str
    record: FitRecord
    seconds: float | None


def detector_code_version(ref: DetectorRef) -> str:
    """Hash of a detector's own source, of what it sees through, and of what else it says that decides its answers.

    A method that is a package of its own is hashed whole, any other by the file of its class; `code_modules` of the
    class names further modules (see `benchmarks.detector.Detector`).

    Raises:
        CmdfdError: Where `code_modules` is no tuple of names of modules that can be imported.
    """
    loaded = DETECTORS.load(ref.name)
    module = str(loaded.__module__)
    package = module.rpartition(".")[0]
    own = package if package not in ("", "benchmarks.detectors") else module
    through = HEADERS_THROUGH if spec_of(ref.name).needs_headers else SEEN_THROUGH
    return code_version(own, *through, *_code_modules(ref.name, getattr(loaded, "code_modules", ())))


def _code_modules(detector: str, names: object) -> tuple[str, ...]:
    if not isinstance(names, tuple | list) or not all(isinstance(name, str) for name in names):
        raise CmdfdError(
            f"detector {detector!r}: code_modules must be a tuple of names of modules, such as "
            f"('benchmarks.metrics.proposals',), got {names!r}"
        )
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise CmdfdError(f"detector {detector!r}: code_modules names {name!r}: {error}") from error
    return tuple(names)


@dataclass(frozen=True, slots=True)
class FitPlan:
    """What shall be fitted on what.

    Args:
        ref: Which detector.
        seed: Training seed.
        options: Constructor keywords (`--detector-args`).
        train: What it learns from.
        select: What it chooses epochs and thresholds on.
        view: Makes the view of a clip for a detector.
        address: Content address of a clip's files as they are now.
    """

    ref: DetectorRef
    seed: int
    options: Mapping[str, Any]
    train: tuple[Selection, ...]
    select: tuple[Selection, ...]
    view: ViewMaker
    address: Address

    def key(self) -> str:
        """Content address: preset, options, seed, code, and the bytes and labels of every clip."""
        return content_id(
            self.ref.name,
            self.ref.preset,
            self.seed,
            dict(self.options),
            _files_hash(self.options),
            detector_code_version(self.ref),
            [[part.ref.split, _clips_hash(part, self.address)] for part in self.train],
            [[part.ref.split, _clips_hash(part, self.address)] for part in self.select],
            length=24,
        )

    def record(self) -> FitRecord:
        """What is stored beside the weights."""
        return FitRecord(
            detector=self.ref.name,
            preset=self.ref.preset,
            seed=self.seed,
            trained_on=tuple(part.ref.label for part in self.train),
            selected_on=tuple(part.ref.label for part in self.select),
            components=tuple(sorted({clip.component for part in self.train for clip in part.clips})),
        )

    def labelled(self, detector: Detector, parts: Sequence[Selection]) -> list[LabelledView]:
        """Examples of some parts; clips without a label are left out."""
        return [
            LabelledView(
                self.view(detector, part, clip),
                clip.labels,
                clip.component,
                clip.kind,
                clip.segments,
                mask_reader(part.data.mask_of(clip)),
            )
            for part in parts
            for clip in part.clips
            if clip.labels.label is not None
        ]


def _files_hash(options: Mapping[str, Any]) -> dict[str, str]:
    """Hashes of the files that options name (released weights), since a path does not tell what lies there."""
    paths = {name: Path(value) for name, value in options.items() if isinstance(value, str) and "." in value}
    return {name: sha256_file(path) for name, path in paths.items() if path.is_file()}


def _clips_hash(part: Selection, address: Address) -> str:
    rows = sorted(
        [
            address(part, clip),
            str(clip.labels),
            clip.kind,
            clip.component,
            [[s.start, s.end, str(s.modality)] for s in clip.segments],
            _mask_hash(part.data.mask_of(clip)),
        ]
        for clip in part.clips
    )
    return content_id(rows, length=24)


def _mask_hash(path: Path | None) -> str:
    if path is None:
        return ""
    return sha256_file(path) if path.is_file() else "missing"


def mask_reader(path: Path | None) -> Callable[[], NDArray[np.uint8]] | None:
    """What reads a mask when it is asked for, so that a set's masks are never in memory together.

    Args:
        path: The mask file, or None where the clip has none.

    Returns:
        A function that gives [T, H, W] uint8 on the frames of the clip, or None. It raises
        `cmdfd.errors.MediaError` where the file cannot be read.
    """
    return None if path is None else partial(_read_frames, path)


def _read_frames(path: Path) -> NDArray[np.uint8]:
    from cmdfd.media.masks import read_mask

    return read_mask(path).frames


def fit_or_load(plan: FitPlan, folder: Path, *, reuse: bool = True, progress: Progress = silent) -> Fitted:
    """Fit a detector, or load the fit that was made from just the same.

    Args:
        plan: What on what.
        folder: Cache of fits.
        reuse: False to fit anew even where a fit is cached.
        progress: Told how far the fit is.
    """
    key, record = plan.key(), plan.record()
    place = folder / key
    detector = make(plan.ref, seed=plan.seed, **plan.options)
    if not detector.spec.needs_training:
        return Fitted(plan.ref, detector, key, record, None)
    if reuse and (place / "record.json").is_file():
        return Fitted(plan.ref, type(detector).load(place), key, record, None)
    started = time.perf_counter()
    detector.fit(plan.labelled(detector, plan.train), plan.labelled(detector, plan.select), progress)
    seconds = time.perf_counter() - started
    _store(detector, record, place)
    # what will be judged is what was saved, so that a second run gives the same scores to the last bit
    return Fitted(plan.ref, type(detector).load(place), key, record, seconds)


def _store(detector: Detector, record: FitRecord, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=place.parent, prefix=".part-"))
    detector.save(temporary)
    text = json.dumps(
        {
            "schema_version": 1,
            "detector": record.detector,
            "preset": record.preset,
            "seed": record.seed,
            "trained_on": list(record.trained_on),
            "selected_on": list(record.selected_on),
            "components": list(record.components),
        },
        indent=1,
    )
    (temporary / "record.json").write_text(text, encoding="utf-8")
    if place.exists():
        shutil.rmtree(place)
    temporary.rename(place)
