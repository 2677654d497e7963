"""The detector MDS with its three presets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from benchmarks.detector import DetectorSpec, Features, FitRecord, Prediction, silent
from benchmarks.detectors.mds import features
from benchmarks.detectors.mds.localization import Windows, clip_score, merge_segments, windowed_rms
from benchmarks.detectors.mds.presets import PRESETS, MiniConfig, ReleasedConfig, make_config
from cmdfd.errors import CmdfdError, MediaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from torch import nn

    from benchmarks.detector import ClipView, LabelledView, Progress


class MDS:
    """Modality dissonance score: how far picture and sound of a clip lie apart in a shared space.

    Presets:

    - `mini` (default): a small network for the CPU, printed as mds:mini and never to be read as the published
      method. It keeps the paper's three losses; its dissonance is the root mean square of the distances between
      visual and audio embeddings of every frame (25 per second), which are never pooled over time first. Mismatches
      for the contrastive term are also made from the training set's real clips, by sound of another clip and by
      sound moved in time; the two heads never see those. Crops are moved and mirrored, levels changed, noise added.
    - `faithful`: the released network, chunks, losses, epoch rule and threshold (0.6). Loads the authors' weights
      once they are converted: `MDS(preset="faithful", weights="mds.safetensors")`. Two things differ from the
      release on purpose: frames are in order (the release reads a folder's listing as it comes), and the score that
      is judged is the continuous distance, not a 0/1 decision.
    - `fixed`: the same network with these defects of the release repaired: the visual batch norms keep running
      statistics, so that training and test agree and a batch does not change a score; chunks whose cepstrogram is
      not 99 columns long are cut or padded instead of dropped; embeddings have length 1 in front of the distance,
      which gives the margin of 0.99 a scale; real and fake chunks are drawn equally often; each head learns its own
      modality's label where it is known, and forged stretches label chunks; epoch and threshold are chosen on the
      selection set.

    A clip without sound, without a face or shorter than one chunk gets an error and no score.

    Args:
        preset: "mini", "fixed" or "faithful".
        seed: Seed of weights, draws and dropout.
        **options: Settings that differ from the preset's, see `MiniConfig` and `ReleasedConfig`.
    """

    spec = DetectorSpec(
        name="mds",
        summary="modality dissonance score: distance between visual and audio embeddings",
        modalities=("audio", "video"),
        presets=PRESETS,
        reference="Chugh et al., Not made for each other, ACM MM 2020, arXiv 2005.14405",
    )

    def __init__(self, preset: str = "mini", seed: int = 0, **options: Any) -> None:
        self.preset = preset
        self.seed = seed
        self.options = options
        self.threshold: float | None = None
        self.window_threshold: float | None = None
        self.record: FitRecord | None = None
        self._net: nn.Module | None = None

    def __repr__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in sorted(self.options.items()))
        return f"MDS(preset={self.preset!r}, seed={self.seed}{options})"

    @property
    def config(self) -> MiniConfig | ReleasedConfig:
        """The preset's settings with the options applied; raises `CmdfdError` for an unknown one."""
        return make_config(self.preset, self.options)

    @property
    def n_parameters(self) -> int:
        """Trainable parameters of the preset's network, without allocating it."""
        import torch

        with torch.device("meta"):
            return sum(p.numel() for p in _build(self.config).parameters())

    # -- features ------------------------------------------------------------------------------------------------

    def feature_config(self) -> Mapping[str, Any]:
        """Everything that changes what `featurise` makes."""
        from cmdfd.faces.crops import CROP_RULE_VERSION

        config = self.config
        names = (
            ("fps", "sample_rate", "bands", "crop_width", "crop_height", "chunk_seconds")
            if isinstance(config, MiniConfig)
            else ("fps", "sample_rate", "image_size", "chunk_frames", "mfcc_frames")
        )
        family = "mini" if isinstance(config, MiniConfig) else "released"
        return {
            "detector": "mds",
            "family": family,
            "code_version": features.CODE_VERSION,
            "crop_rule": CROP_RULE_VERSION,
            **{name: getattr(config, name) for name in names},
        }

    def featurise(self, view: ClipView) -> Features:
        """Crops and spectral features of a clip; raises `MediaError` where it cannot be scored."""
        config = self.config
        if isinstance(config, MiniConfig):
            return features.mini_features(view, config)
        return features.released_features(view, config)

    # -- learning ------------------------------------------------------------------------------------------------

    def fit(self, train: Sequence[LabelledView], select: Sequence[LabelledView], progress: Progress = silent) -> Self:
        """Learn from `train`; epoch and thresholds come from `select` (except in `faithful`).

        Weights given as an option are kept as they are, unless `finetune` is set.

        Raises:
            CmdfdError: If an option is wrong or a class is missing.
        """
        from benchmarks.detectors.mds import training

        config = self.config
        if isinstance(config, ReleasedConfig) and config.weights is not None and not config.finetune:
            self._ready()  # released weights are judged as they are
            return self
        learn, choose = training.collect(train), training.collect(select)
        with training.repeatable(self.seed, config.threads):
            if isinstance(config, MiniConfig):
                from benchmarks.detectors.mds.training_mini import train_mini

                fitted: Any = train_mini(learn, choose, config, self.seed, progress)
            else:
                from benchmarks.detectors.mds.training_released import train_released

                fitted = train_released(learn, choose, config, self.seed, progress, self._start(config))
        self._net = fitted.net
        self.threshold, self.window_threshold = fitted.threshold, fitted.window_threshold
        components = sorted({v.component for v in train} | {v.component for v in select})
        before = config.weights_trained_on if isinstance(config, ReleasedConfig) and config.weights else ()
        self.record = self._record(before, tuple(components), fitted.details)
        return self

    def _record(self, sets: tuple[str, ...], components: tuple[str, ...], details: Mapping[str, Any]) -> FitRecord:
        """What is known of a fit; a harness that knows the sets' names fills them in."""
        return FitRecord(self.spec.name, self.preset, self.seed, sets, (), components, details)

    def _start(self, config: ReleasedConfig) -> Any:
        """The network that a fit begins with: fresh, or from the given weights."""
        if config.weights is not None:
            return self._from_weights(config)
        net = _build(config)
        net.initialise()
        return net

    def _from_weights(self, config: ReleasedConfig) -> Any:
        import torch

        from benchmarks.detectors.mds.checkpoint import read_tensors
        from benchmarks.detectors.mds.faithful_net import layout_of

        with torch.device("meta"):
            net = _build(config)
        tensors = read_tensors(Path(str(config.weights)), layout_of(net))
        net.load_state_dict(tensors, strict=True, assign=True)
        return net.eval()

    def _ready(self) -> Any:
        """The fitted network; weights given as an option count as fitted."""
        config = self.config
        if self._net is None and isinstance(config, ReleasedConfig) and config.weights is not None:
            from benchmarks.detectors.mds.training_released import device_of

            self._net = self._from_weights(config).to(device_of(config))
            self.threshold = self.window_threshold = config.threshold
            self.record = self._record(config.weights_trained_on, (), {"weights": Path(config.weights).name})
        if self._net is None:
            hint = "call fit or load first" + (
                "" if self.preset == "mini" else ", or give weights=FILE.safetensors (see mds.convert)"
            )
            raise CmdfdError(f"mds:{self.preset}: not fitted; {hint}")
        return self._net

    # -- answers -------------------------------------------------------------------------------------------------

    def predict(self, views: Iterable[ClipView]) -> Iterator[Prediction]:
        """Score clips in order, each by itself; raises `CmdfdError` if there is nothing to score with."""
        from benchmarks.detectors.mds.training import repeatable

        net, config = self._ready(), self.config
        for view in views:
            try:
                arrays = view.features()
            except MediaError as error:
                yield Prediction(view.id, None, error=f"{error.code}: {error.detail}")
                continue
            with repeatable(self.seed, config.threads):
                windows = _windows(net, arrays, config)
            yield self._answer(view.id, windows, config)

    def _answer(self, name: str, windows: Windows, config: MiniConfig | ReleasedConfig) -> Prediction:
        if not np.isfinite(windows.scores).all():
            return Prediction(name, None, error="internal: the network gave values that are not finite")
        pool = config.pool if isinstance(config, MiniConfig) else "mean"
        segments = merge_segments(windows, self.window_threshold)
        return Prediction(name, clip_score(windows, pool), windows.times, windows.scores, segments)

    # -- files ---------------------------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write `model.safetensors` and `detector.json`; raises `CmdfdError` where nothing was fitted."""
        from benchmarks.detectors.mds import checkpoint
        from cmdfd.clip import sha256_file

        net = self._ready()
        weights = folder / checkpoint.WEIGHTS_FILE
        checkpoint.write_tensors(weights, net.state_dict())
        facts = checkpoint.Facts(
            schema_version=checkpoint.SCHEMA_VERSION,
            detector="mds",
            preset=self.preset,
            seed=self.seed,
            options={name: value for name, value in self.options.items() if name != "weights"},
            threshold=self.threshold,
            window_threshold=self.window_threshold,
            weights_sha256=sha256_file(weights),
            record=checkpoint.to_record(self.record),
        )
        checkpoint.write_facts(folder, facts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; raises `CmdfdError` naming file, field or tensor for anything else."""
        import torch

        from benchmarks.detectors.mds import checkpoint
        from benchmarks.detectors.mds.faithful_net import layout_of

        facts = checkpoint.read_facts(folder)
        detector = cls(facts.preset, facts.seed)
        detector.options = dict(facts.options)
        try:
            config = detector.config
            if isinstance(config, ReleasedConfig) and config.weights is not None:
                raise CmdfdError("options.weights: a fitted detector brings its own weights")
        except CmdfdError as error:
            raise CmdfdError(f"{folder / checkpoint.FACTS_FILE}: {error}") from error
        with torch.device("meta"):
            net = _build(config)
        tensors = checkpoint.read_tensors(folder / checkpoint.WEIGHTS_FILE, layout_of(net))
        net.load_state_dict(tensors, strict=True, assign=True)
        detector._net = net.eval()
        detector.threshold, detector.window_threshold = facts.threshold, facts.window_threshold
        detector.record = facts.fit_record()
        return detector


def _build(config: MiniConfig | ReleasedConfig) -> Any:
    if isinstance(config, MiniConfig):
        from benchmarks.detectors.mds.mini_net import build as build_mini

        return build_mini(config.model_dump())
    from benchmarks.detectors.mds.training_released import build as build_released

    return build_released(config)


def _windows(net: Any, arrays: Features, config: MiniConfig | ReleasedConfig) -> Windows:
    """Dissonance over time of one clip."""
    if isinstance(config, MiniConfig):
        from benchmarks.detectors.mds.training_mini import squared_distances

        squared = squared_distances(net, arrays)
        return windowed_rms(squared, config.chunk_frames, config.stride_frames, config.fps)
    from benchmarks.detectors.mds.training_released import chunk_distances

    scores = chunk_distances(net, arrays, config)
    times = np.asarray((np.arange(len(scores)) + 0.5) * config.chunk_seconds, np.float64)
    return Windows(times, scores, config.chunk_seconds, len(scores) * config.chunk_seconds)
