"""`python -m benchmarks.check --detector NAME`: does a detector keep the contract?

In the spirit of scikit-learn's `check_estimator`: small clips are made in memory, the detector is fitted on some and
asked about others, and every promise of `benchmarks.detector` is tried.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.detector import Detector, Featuriser
from benchmarks.mock import MockSet, mock_set
from benchmarks.registry import DetectorRef, make, resolve, spec_of
from benchmarks.views import FeatureView
from cmdfd.errors import CmdfdError
from cmdfd.promises import CheckResult, try_promises

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.detector import ClipView, LabelledView, PixelMaps, Prediction


class Checker:
    """A detector under test.

    Args:
        ref: Which.
        options: Constructor keywords.
    """

    def __init__(self, ref: DetectorRef, options: dict[str, Any]) -> None:
        self.ref = ref
        self.options = options
        self.spec = spec_of(ref.name)
        self.data: MockSet = mock_set(seed=7)
        self.fitted: Detector = self.fit(seed=3)
        self.base = self.predict(self.fitted, self.data.test)

    def fit(self, seed: int) -> Detector:
        """A fresh fit on the mock set."""
        detector = make(self.ref, seed=seed, **self.options)
        train, select = self.wrapped(detector, self.data.train), self.wrapped(detector, self.data.select)
        return detector.fit(train, select) if self.spec.needs_training else detector

    @staticmethod
    def wrapped(detector: Detector, rows: Sequence[LabelledView]) -> list[LabelledView]:
        """Give views their features."""
        from dataclasses import replace

        return [replace(row, view=_with_features(detector, row.view)) for row in rows]

    @staticmethod
    def predict(detector: Detector, views: Sequence[ClipView]) -> list[Prediction]:
        """Predictions as a list."""
        return list(detector.predict(_with_features(detector, view) for view in views))

    def scores(self, predictions: Sequence[Prediction]) -> list[float | None]:
        """Scores only."""
        return [p.score for p in predictions]

    # -- promises -----------------------------------------------------------------------------------------------

    def spec_is_complete(self) -> str:
        """The spec names what tables need."""
        if not self.spec.summary or not self.spec.presets or not self.spec.modalities:
            raise AssertionError("spec needs a summary, presets and modalities")
        if not isinstance(self.fitted, Detector):
            raise AssertionError("lacks one of spec, preset, seed, fit, predict, save, load")
        return f"{self.spec.name}: {self.spec.summary}"

    def one_answer_each_in_order(self) -> str:
        """Predict yields one prediction for each view, in order."""
        want, got = [view.id for view in self.data.test], [p.id for p in self.base]
        if want != got:
            raise AssertionError(f"asked for {len(want)} clips in order, got {got[:3]}... ({len(got)})")
        return f"{len(got)} clips"

    def scores_are_finite(self) -> str:
        """No clip of the mock test set fails."""
        failed = [p for p in self.base if p.score is None or not np.isfinite(p.score)]
        if failed:
            raise AssertionError(f"{len(failed)} of {len(self.base)} clips failed, first: {failed[0].error}")
        return f"range {min(p.score for p in self.base):.3g} to {max(p.score for p in self.base):.3g}"  # type: ignore[type-var]

    def higher_is_fake(self) -> str:
        """Scores are higher on the obvious fakes of the mock set; a flipped sign is the commonest silent defect."""
        if not self.spec.needs_training or self.spec.needs_headers:
            return "skipped: not learned from media"
        from cmdfd.statistics.roc import auc

        labels = np.array(self.data.test_labels)
        value = auc(labels, np.array([p.score for p in self.base], dtype=np.float64))
        if value < 0.5:
            raise AssertionError(f"AUC {value:.2f} on trivially separable clips: higher must mean more fake")
        return f"AUC {value:.2f} on mock clips"

    def independent_of_company(self) -> str:
        """The score of a clip depends neither on the others nor on their order."""
        again = self.predict(self.fitted, self.data.test[::-1])[::-1]
        alone = [self.predict(self.fitted, [view])[0] for view in self.data.test[:2]]
        if self.scores(again) != self.scores(self.base):
            raise AssertionError("another order gives other scores")
        if self.scores(alone) != self.scores(self.base)[:2]:
            raise AssertionError("a clip alone gets another score than in company")
        return "same scores reversed and alone"

    def same_seed_same_scores(self) -> str:
        """Two fits with one seed agree to the last bit."""
        again = self.predict(self.fit(seed=3), self.data.test)
        if self.scores(again) != self.scores(self.base):
            raise AssertionError("two fits with the same seed give other scores")
        return "bit-identical"

    def saves_and_loads(self) -> str:
        """save, load and predict agree; nothing is pickled."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            self.fitted.save(folder)
            for path in folder.rglob("*"):
                if path.is_file() and path.read_bytes()[:2] in (b"\x80\x04", b"\x80\x05", b"\x80\x02", b"PK"):
                    raise AssertionError(f"{path.name} looks like a pickle; use safetensors and JSON")
            loaded = type(self.fitted).load(folder)
            if self.scores(self.predict(loaded, self.data.test)) != self.scores(self.base):
                raise AssertionError("a loaded detector gives other scores")
        return "bit-identical"

    def hostile_clips_get_errors(self) -> str:
        """Clips without sound, without a face, or of one frame end as an error row or a finite score, never a crash."""
        seen = []
        for name, view in self.data.hostile.items():
            prediction = self.predict(self.fitted, [view])[0]
            seen.append(f"{name}: {(prediction.error or 'score').split(':')[0]}")
            needs = {"no sound": "audio", "no face": "video"}.get(name)
            reads = needs in self.spec.modalities and not self.spec.needs_headers and self.spec.needs_training
            if reads and prediction.score is not None and needs == "audio":
                raise AssertionError(f"a clip with {name} got a score though the detector hears")
        return "; ".join(seen)

    def localization_inside_clip(self) -> str:
        """Times and segments lie inside the clip."""
        for view, prediction in zip(self.data.test, self.base, strict=True):
            duration = len(view.frames()) / view.fps
            ends = [s.segment.end for s in prediction.segments]
            times = [] if prediction.times is None else list(prediction.times)
            if any(end > duration + 1e-6 for end in ends) or any(not 0 <= t <= duration for t in times):
                raise AssertionError(f"clip of {duration:.2f} s has segments to {ends}, times {times[-1:]}")
        return "inside"

    def maps_fit_the_clip(self) -> str:
        """Maps have the picture's shape and rising times inside the clip, belong to every scored clip, and repeat."""
        if all(prediction.masks is None for prediction in self.base):
            return "gives no maps"
        for view, prediction in zip(self.data.test, self.base, strict=True):
            if prediction.score is not None and prediction.masks is None:
                raise AssertionError(f"clip {view.id!r} has a score and no maps; others have maps")
            if prediction.masks is not None:
                _check_maps(prediction.masks, view)
        again = self.predict(self.fitted, self.data.test[::-1])[::-1]
        for one, other in zip(self.base, again, strict=True):
            if not _same_maps(one.masks, other.masks):
                raise AssertionError(f"clip {one.id!r} gets other maps when it is asked about again in another order")
        return f"{sum(prediction.masks is not None for prediction in self.base)} clips with maps"

    PROMISES: tuple[str, ...] = (
        "spec_is_complete",
        "one_answer_each_in_order",
        "scores_are_finite",
        "higher_is_fake",
        "independent_of_company",
        "same_seed_same_scores",
        "saves_and_loads",
        "hostile_clips_get_errors",
        "localization_inside_clip",
        "maps_fit_the_clip",
    )


def _check_maps(masks: PixelMaps, view: ClipView) -> None:
    frames = view.frames()
    duration, (tall, wide) = len(frames) / view.fps, frames.shape[1:3]
    times = masks.times
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise AssertionError(f"clip {view.id!r}: times of the maps must be finite and rise")
    if times[0] < 0 or times[-1] > duration:
        raise AssertionError(f"clip of {duration:.2f} s has maps from {times[0]:.2f} to {times[-1]:.2f} s")
    high, broad = masks.maps.shape[1:]
    if abs(high - broad * tall / wide) > max(1.0, broad / wide):
        raise AssertionError(f"maps of {broad} x {high} have not the shape of the picture, {wide} x {tall}")


def _same_maps(one: PixelMaps | None, other: PixelMaps | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one.times, other.times) and np.array_equal(one.maps, other.maps)


def _with_features(detector: Detector, view: ClipView) -> ClipView:
    return FeatureView(view, detector) if isinstance(detector, Featuriser) else view


def check_detector(name: str, preset: str | None = None, options: dict[str, Any] | None = None) -> list[CheckResult]:
    """Try every promise of the detector contract.

    Args:
        name: As after `--detector`.
        preset: One of its presets.
        options: Constructor keywords.

    Returns:
        One result for each promise; "failed" ones carry the reason.
    """
    return try_promises(Checker(resolve(name, preset), options or {}), Checker.PROMISES)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; exit code 1 where a promise is broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.check", description=__doc__)
    parser.add_argument("-d", "--detector", required=True)
    parser.add_argument("--preset")
    args = parser.parse_args(argv)
    from rich.table import Table

    from benchmarks.progress import console

    try:
        results = check_detector(args.detector, args.preset)
    except CmdfdError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    table = Table(title=f"contract of {args.detector}")
    for column in ("promise", "", "seen"):
        table.add_column(column, overflow="fold")
    for result in results:
        table.add_row(result.name, result.status, result.detail)
    console().print(table)
    return int(any(result.status == "failed" for result in results))


if __name__ == "__main__":
    sys.exit(main())
