"""The detector contract: what a detector is given, what it answers, and what it says of itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from cmdfd.clip import Labels, Modality, Segment

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    import numpy as np

    from cmdfd.faces.tracks import FaceTrack

Features = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class DetectorSpec:
    """What a detector says of itself.

    Args:
        name: Short name, as typed after `--detector`.
        summary: One line for `--list detectors`.
        modalities: "audio", "video" or both; clips that lack one of them get an error row.
        presets: Allowed values of `--preset`, the default one first.
        reference: Citation, e.g. "Chugh et al., ACM MM 2020, arXiv 2005.14405".
        licence: Licence of the code, and of the weights where there are any.
        needs_training: False for detectors that `fit` does nothing for.
        needs_headers: True only for floors: they are given container facts instead of media.
    """

    name: str
    summary: str
    modalities: tuple[str, ...]
    presets: tuple[str, ...] = ("default",)
    reference: str = ""
    licence: str = "Apache-2.0"
    needs_training: bool = True
    needs_headers: bool = False


@dataclass(frozen=True, slots=True)
class ScoredSegment:
    """A stretch that a detector calls forged, with its confidence (higher = surer)."""

    segment: Segment
    confidence: float


@dataclass(frozen=True, slots=True, eq=False)
class PixelMaps:
    """Where a detector sees forged pixels.

    Args:
        times: [K] seconds on the clip's clock, rising; each map is that of the frame which is nearest in time.
        maps: [K, h, w] uint8, 0 (surely genuine) to 255 (surely forged); any size of the picture's shape, the metrics
            bring it to the picture's size.
    """

    times: NDArray[np.float64]
    maps: NDArray[np.uint8]

    def __post_init__(self) -> None:
        if self.maps.ndim != 3 or self.maps.dtype.name != "uint8" or not self.maps.size:
            raise ValueError(f"maps must be uint8 [K, h, w], got {self.maps.dtype} {self.maps.shape}")
        if self.times.shape != (len(self.maps),):
            raise ValueError(f"{len(self.maps)} maps need as many times, got {self.times.shape}")


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """A detector's answer for one clip.

    Args:
        id: The view's id.
        score: Finite, higher = more fake; None only where `error` says why.
        times: [K] seconds, the centres of the localization units (frames or chunks), or None.
        frame_scores: [K] one score for each of `times`, or None.
        segments: Forged stretches, any order.
        error: Code and reason where the clip could not be scored; it is never dropped.
        masks: Where the forged pixels are, or None for a detector that does not tell.
    """

    id: str
    score: float | None
    times: NDArray[np.float64] | None = None
    frame_scores: NDArray[np.float64] | None = None
    segments: tuple[ScoredSegment, ...] = ()
    error: str | None = None
    masks: PixelMaps | None = None

    def __post_init__(self) -> None:
        if (self.score is None) == (self.error is None):
            raise ValueError(f"prediction {self.id!r} needs either a score or an error")
        if self.score is not None and not math.isfinite(self.score):
            raise ValueError(f"prediction {self.id!r} has a score that is not finite: {self.score}")
        if (self.times is None) != (self.frame_scores is None):
            raise ValueError(f"prediction {self.id!r} needs times and frame_scores together")
        if self.times is not None and self.frame_scores is not None and len(self.times) != len(self.frame_scores):
            raise ValueError(f"prediction {self.id!r}: {len(self.times)} times, {len(self.frame_scores)} frame scores")
        for name, values in (("times", self.times), ("frame_scores", self.frame_scores)):
            if values is not None and not all(math.isfinite(value) for value in values):
                raise ValueError(f"prediction {self.id!r} has {name} that are not finite")


class ClipView(Protocol):
    """What a detector sees of a clip: no path, no label, no generator, no container header.

    All calls may raise `cmdfd.errors.MediaError`. `predict` catches it and answers with the code and the reason, as
    in `Prediction(view.id, None, error=f"{error.code}: {error.detail}")`.
    """

    @property
    def id(self) -> str:
        """Opaque id."""

    @property
    def fps(self) -> float:
        """Frames per second of `frames` (constant)."""

    @property
    def sample_rate(self) -> int:
        """Samples per second of `audio`."""

    def frames(self) -> NDArray[np.uint8]:
        """[T, H, W, 3] RGB; decoded at every call, so keep it no longer than needed."""

    def audio(self) -> NDArray[np.float32]:
        """[N] mono in [-1, 1]; sample 0 sounds together with frame 0."""

    def track(self) -> FaceTrack:
        """The face's 68 points at every frame of `frames`."""

    def features(self) -> Features:
        """What the detector's own `featurise` makes of this clip, computed once and cached by content."""

    def headers(self) -> Mapping[str, float | str | None]:
        """Container facts; only for detectors whose spec says `needs_headers`."""


@dataclass(frozen=True, slots=True)
class LabelledView:
    """A training example.

    Args:
        view: The clip.
        labels: Its labels.
        component: Unit that must not be torn apart by any inner split.
        kind: "real" or the fake kind; for sampling, never an input of the network.
        segments: Forged stretches.
        mask: Reads the clip's mask, [T, H, W] uint8 on the frames of the view; None where the set has none for it
            (all reals, and fakes whose pixels are genuine or unknown).
    """

    view: ClipView
    labels: Labels
    component: str
    kind: str
    segments: tuple[Segment, ...] = ()
    mask: Callable[[], NDArray[np.uint8]] | None = None


class Progress(Protocol):
    """Where a detector reports how far its fit is."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Tell that `done` of `total` steps are done."""


def silent(done: int, total: int, note: str = "") -> None:
    """A `Progress` that tells nobody."""


@runtime_checkable
class Detector(Protocol):
    """A detection method. Nobody has to inherit; the constructor only stores `preset`, `seed` and keywords.

    A fit and its answers are kept under a hash of the detector's own package (or file) and of what it sees through.
    Where code of other modules decides answers too, the class names them as `code_modules: tuple[str, ...]`, so that a
    change there makes kept fits and answers void.
    """

    spec: DetectorSpec
    preset: str
    seed: int

    def fit(self, train: Sequence[LabelledView], select: Sequence[LabelledView], progress: Progress = silent) -> Self:
        """Learn from `train`; choose epochs, checkpoints and thresholds on `select` only."""

    def predict(self, views: Iterable[ClipView]) -> Iterator[Prediction]:
        """Score clips, one prediction for each view, in order; the score of one must not depend on the others."""

    def save(self, folder: Path) -> None:
        """Write the fitted state as safetensors and JSON, never as a pickle."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""


@runtime_checkable
class Featuriser(Protocol):
    """A detector whose features the harness may compute in parallel and cache."""

    def feature_config(self) -> Mapping[str, Any]:
        """JSON-able settings and a code version; together with the clip's bytes they are the cache key."""

    def featurise(self, view: ClipView) -> Features:
        """Pure function of the view: arrays by name. Must not need a fit."""


@dataclass(frozen=True, slots=True)
class FitRecord:
    """What a fit was made from; stored beside its weights."""

    detector: str
    preset: str
    seed: int
    trained_on: tuple[str, ...]
    selected_on: tuple[str, ...]
    components: tuple[str, ...]
    details: Mapping[str, Any] = field(default_factory=dict)


def modality_of(labels: Labels) -> Modality | None:
    """Which stream is forged by these labels, None where it is unforged or unknown."""
    if labels.audio_label and labels.video_label:
        return Modality.BOTH
    if labels.audio_label:
        return Modality.AUDIO
    return Modality.VIDEO if labels.video_label else None
