"""The steps of a run: sets, features, fits, answers. `benchmarks.assemble` makes the result of them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.features import FeatureBank, Pool, PreparedClip, prepare, silent_frames
from benchmarks.fits import FitPlan, Fitted, fit_or_load
from benchmarks.pixels import MapStore
from benchmarks.predicting import Overwrite, PredictionStore, Wanted, predict_all, unanswered
from benchmarks.predictions import RowKey, to_row
from benchmarks.protocol import (
    DEFAULT_REPORT,
    DEFAULT_SELECT,
    DEFAULT_TRAIN,
    Protocol,
    Selection,
    keep_platforms,
    parse_split,
)
from benchmarks.registry import DetectorRef, resolve, spec_of
from benchmarks.sets import SetStore
from benchmarks.thresholds import choose_threshold
from cmdfd.cache import FeatureCache, cache_dir

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.progress import Reporter
    from benchmarks.results import Threshold


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Everything that decides a run.

    Args:
        detector: As typed: "mds", "mds:fixed", "pkg.mod:Class" ...
        preset: Preset, where it is not part of `detector`.
        options: Constructor keywords of the detector (`--detector-args`).
        train_on: Split references to learn from.
        select_on: Split references to choose epochs and thresholds on.
        report_on: Split references to judge on.
        seed: Seed of training and bootstrap.
        fit_seeds: Number of training seeds (seed, seed + 1, ...) for the spread; the first one is reported.
        limit: Components (>= 1) or share (< 1) of every split.
        overwrite: What to do with fits, features and predictions that exist already.
        output: Folder for run directories.
        cache: Folder of caches, None for the default.
        workers: Processes for building and preparing.
        floors: Whether floors stand beside the detector.
        platforms: Platforms of the report splits to judge on ("original" for the clips before any); empty for all.
        metrics: Names of plug-in metrics beside the usual ones.
    """

    detector: str
    preset: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    train_on: tuple[str, ...] = DEFAULT_TRAIN
    select_on: tuple[str, ...] = DEFAULT_SELECT
    report_on: tuple[str, ...] = DEFAULT_REPORT
    seed: int = 0
    fit_seeds: int = 1
    limit: float | None = None
    overwrite: Overwrite = Overwrite.ONLY_MISSING
    output: Path = Path("runs")
    cache: Path | None = None
    workers: int = 2
    floors: bool = True
    platforms: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()

    def resolved(self) -> dict[str, Any]:
        """JSON-able form for `config.resolved.yaml` and `result.json`."""
        return {
            "detector": self.detector,
            "preset": self.preset,
            "detector_args": dict(self.options),
            "train_on": list(self.train_on),
            "select_on": list(self.select_on),
            "report_on": list(self.report_on),
            "seed": self.seed,
            "fit_seeds": self.fit_seeds,
            "limit": self.limit,
            "overwrite_strategy": str(self.overwrite),
            "workers": self.workers,
            "floors": self.floors,
            "platforms": list(self.platforms),
            "metrics": list(self.metrics),
        }


@dataclass(frozen=True, slots=True)
class Judged:
    """A fitted detector, its threshold, its rows of the predictions table and what its maps came to."""

    fitted: Fitted
    threshold: Threshold | None
    rows: list[dict[str, Any]]
    pixels: tuple[dict[str, Any], ...] = ()


class Runner:
    """Carries a run's caches and clocks from step to step.

    Args:
        config: The run.
        reporter: Told about progress.
    """

    def __init__(self, config: RunConfig, reporter: Reporter) -> None:
        self.config = config
        self.reporter = reporter
        self.root = cache_dir(config.cache)
        self.features = FeatureCache(self.root / "features")
        self.sets = SetStore(self.root, config.workers, reporter)
        self.timing: dict[str, float] = {}
        self._prepared: dict[tuple[Path, str], dict[str, PreparedClip]] = {}
        self._renewed: set[str] = set()
        self._banks: dict[DetectorRef, FeatureBank] = {}
        self.pool = Pool(config.workers)

    @property
    def anew(self) -> bool:
        """Whether cached fits, features and predictions are to be made again."""
        return self.config.overwrite is Overwrite.ALWAYS

    def _clock(self, phase: str, since: float) -> None:
        self.timing[phase] = self.timing.get(phase, 0.0) + time.perf_counter() - since

    def protocol(self, *, report: bool = True) -> Protocol:
        """Open the sets of the run (building embedded ones) and refuse overlap.

        Args:
            report: False where nothing but a fit is wanted.
        """
        started = time.perf_counter()

        def pick(texts: Sequence[str], split: str) -> tuple[Selection, ...]:
            return tuple(self.sets.select(parse_split(text, split), self.config.limit) for text in texts)

        config = self.config
        named = (*config.train_on, *config.select_on, *(config.report_on if report else ()))
        self.sets.check(parse_split(text, "test").dataset for text in named)
        protocol = Protocol(
            pick(config.train_on, "train"),
            pick(config.select_on, "validation"),
            keep_platforms(pick(config.report_on, "test"), config.platforms) if report else (),
        )
        protocol.check()
        self._clock("sets", started)
        return protocol

    def prepared(self, part: Selection) -> dict[str, PreparedClip]:
        """Content addresses of a split's clips by id, computed once."""
        key = (part.data.folder, part.ref.split)
        if key not in self._prepared:
            self._prepared[key] = {item.clip.id: item for item in prepare(part)}
            changed = sum(item.changed for item in self._prepared[key].values())
            if changed:
                self.reporter.say(
                    f"{part.ref.label}: {changed} files are not those of the manifest; they are taken as they are"
                )
        return self._prepared[key]

    def _fill(self, bank: FeatureBank, wanted: Sequence[Wanted], title: str) -> None:
        fresh = [item for item in wanted if self.anew and f"{bank.ref.label} {item.key}" not in self._renewed]
        self._renewed.update(f"{bank.ref.label} {item.key}" for item in fresh)
        started = time.perf_counter()
        bank.forget([(item.prepared, item.skip) for item in fresh])
        missing = bank.missing([(item.prepared, item.skip) for item in wanted])
        if missing:
            with self.reporter.bar(title) as bar:
                bank.fill(missing, self.pool, bar)
        self._clock("features", started)

    def fit(self, ref: DetectorRef, seed: int, protocol: Protocol) -> Fitted:
        """Features of the training parts, then the fit."""
        bank = self.bank(ref)
        if spec_of(ref.name).needs_training:
            for part in (*protocol.train, *protocol.select):
                wanted = [Wanted(item, 0) for item in self.prepared(part).values()]
                self._fill(bank, wanted, f"features {part.ref.label}")
        plan = FitPlan(
            ref,
            seed,
            bank.options,
            protocol.train,
            protocol.select,
            view=lambda detector, part, clip: bank.view(detector, self.prepared(part)[clip.id]),
            address=lambda part, clip: self.prepared(part)[clip.id].content,
        )
        started = time.perf_counter()
        with self.reporter.bar(f"fit {ref.label}, seed {seed}") as bar:
            fitted = fit_or_load(plan, self.root / "fits", reuse=not self.anew, progress=bar)
        self._clock(f"fit {ref.label}", started)
        return fitted

    def bank(self, ref: DetectorRef) -> FeatureBank:
        """Features of a detector; keywords of the command line are for the detector in question only."""
        if ref not in self._banks:
            asked = resolve(self.config.detector, self.config.preset)
            options = dict(self.config.options) if ref == asked else {}
            self._banks[ref] = FeatureBank(ref, options, self.features)
        return self._banks[ref]

    def trims(self, part: Selection) -> dict[str, int]:
        """Whole frames of leading silence of every clip of a split."""
        started = time.perf_counter()
        clips = list(self.prepared(part).values())
        with self.reporter.bar(f"silence {part.ref.label}") as bar:
            skips = silent_frames(clips, self.features, self.pool, bar)
        self._clock("features", started)
        return skips

    def answers(self, fitted: Fitted, part: Selection, skips: dict[str, int]) -> list[dict[str, Any]]:
        """A detector's answers for a split, in the split's order."""
        bank = self.bank(fitted.ref)
        wanted = [Wanted(item, skips.get(item.clip.id, 0)) for item in self.prepared(part).values()]
        store, maps = PredictionStore(self.root / "predictions", fitted.revision), self.maps(fitted)
        if self.anew and fitted.revision not in self._renewed:
            self._renewed.add(fitted.revision)
            self.counts(fitted).clear()
            store.clear()
            maps.clear()
        missing = unanswered(wanted, store.read(), maps)
        if self.config.overwrite is not Overwrite.ONLY_CACHE:
            self._fill(bank, missing, f"features {part.ref.label}")
        started = time.perf_counter()
        with self.reporter.bar(f"{fitted.ref.label} on {part.ref.label}") as bar:
            rows = predict_all(
                fitted.detector,
                wanted,
                store,
                lambda item: bank.view(fitted.detector, item.prepared, item.skip),
                self.config.overwrite,
                bar,
                maps,
            )
        self._clock("predict", started)
        return rows

    def maps(self, fitted: Fitted) -> MapStore:
        """Where the maps of a detector are kept."""
        return MapStore(self.root / "maps", fitted.revision)

    def counts(self, fitted: Fitted) -> PredictionStore:
        """Where it is kept what the maps of a detector came to."""
        return PredictionStore(self.root / "pixels", fitted.revision)

    def pixels(self, fitted: Fitted, protocol: Protocol) -> list[dict[str, Any]]:
        """Rows of `pixels.parquet` for the untrimmed clips of every report split; none for a detector without maps."""
        from benchmarks.counting import PixelCounter
        from benchmarks.twins import twins_of

        started = time.perf_counter()
        counter = PixelCounter(self.maps(fitted), self.counts(fitted))
        parts = [(part, list(self.prepared(part).values())) for part in protocol.report]
        if not counter.any_maps([item for _, items in parts for item in items]):
            return []
        rows: list[dict[str, Any]] = []
        for part, items in parts:
            key = RowKey(fitted.ref.label, part.data.name, part.ref.split, "untrimmed")
            twins = twins_of(part.data, [item.clip for item in items])
            with self.reporter.bar(f"pixels {part.ref.label}") as bar:
                rows += counter.rows(key, items, part.data.mask_of, bar, twins)
        self._clock("pixels", started)
        return rows

    def judge(self, fitted: Fitted, protocol: Protocol, trim: bool, *, pixels: bool = True) -> Judged:
        """Threshold on the selection split, then rows for every report split and condition.

        Args:
            fitted: Who is asked.
            protocol: The opened sets.
            trim: Whether also without leading silence.
            pixels: Whether maps are held against masks, which takes longest.
        """
        threshold = self.threshold(fitted, protocol)
        rows: list[dict[str, Any]] = []
        for part in protocol.report:
            conditions: dict[str, dict[str, int]] = {"untrimmed": {}}
            if trim:
                conditions["trimmed"] = self.trims(part)
            clips = [item.clip for item in self.prepared(part).values()]
            for condition, skips in conditions.items():
                key = RowKey(fitted.ref.label, part.data.name, part.ref.split, condition)
                answers = self.answers(fitted, part, skips)
                rows += [
                    to_row(key, clip, row, skips.get(clip.id, 0)) for clip, row in zip(clips, answers, strict=True)
                ]
        return Judged(fitted, threshold, rows, tuple(self.pixels(fitted, protocol) if pixels else ()))

    def threshold(self, fitted: Fitted, protocol: Protocol) -> Threshold | None:
        """Decision threshold of a detector, None where nothing was named to choose it on."""
        if not protocol.select:
            return None
        labels: list[int] = []
        answers: list[dict[str, Any]] = []
        for part in protocol.select:
            labels += [int(item.clip.labels.label or 0) for item in self.prepared(part).values()]
            answers += self.answers(fitted, part, {})
        return choose_threshold(labels, answers, ", ".join(part.ref.label for part in protocol.select))
