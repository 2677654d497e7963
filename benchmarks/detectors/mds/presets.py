"""Every constant of the three presets, with its source, and the reading of a user's options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cmdfd.errors import CmdfdError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The default preset first.
PRESETS = ("mini", "fixed", "faithful")

#: Decision threshold of the authors' test script (test.py of the release, last commit).
RELEASED_THRESHOLD = 0.6
#: Margin of the contrastive term (argument `hyper_param` of the authors' train.py).
RELEASED_MARGIN = 0.99
#: ImageNet statistics that the authors' loader normalises with (augmentation.py of the release).
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class _Config(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ReleasedConfig(_Config):
    """Settings of `faithful` and `fixed`: the authors' network on chunks of one second.

    The defaults are those of the release (facts of `abhinavdhall/deepfake`, commit 06434bf); `FIXED` lists what the
    `fixed` preset changes. `image_size`, `fc_width` and `embedding` may be made smaller for trials; released weights
    fit the defaults only.

    Args:
        weights: Safetensors file made by `python -m benchmarks.detectors.mds.convert`, or None.
        weights_trained_on: Sets that `weights` were trained on, for the fit record; the release says DFDC (its
            training part).
        finetune: Whether `fit` goes on training from `weights`; by default it leaves given weights as they are.
        image_size: Pixels, side of the square face crop.
        chunk_frames: Frames of a chunk at `fps`, so one second.
        fps: Frames per second that the picture is brought to.
        sample_rate: Samples per second that the sound is brought to.
        mfcc_frames: Columns of the cepstrogram of one chunk.
        fc_width: Width of both hidden layers.
        embedding: Length of the two embeddings.
        dropout: Dropped share in front of both heads.
        margin: Distance up to which fakes are pushed away.
        running_stats: Whether the visual trunk's batch norms keep running statistics.
        l2_normalise: Whether embeddings are scaled to length 1 before their distance is taken.
        modality_labels: Whether a head learns its own modality's label where it is known.
        balanced: Whether training chunks are drawn so that real and fake are equally frequent.
        select_best: "train" keeps the epoch with the lowest loss over its last five batches (as released),
            "select" the one that is best on the selection set.
        threshold: Decision threshold; None lets `fit` choose it on the selection set.
        epochs: Passes over the training chunks (50 in the authors' readme).
        batch: Chunks per step.
        learning_rate: Of Adam.
        weight_decay: Of Adam.
        device: "cpu", "cuda" or "auto".
        threads: Threads of torch on the CPU, fixed so that runs repeat.
    """

    weights: str | None = None
    weights_trained_on: tuple[str, ...] = ("DFDC",)
    finetune: bool = False
    image_size: int = Field(default=224, ge=32, le=448)
    chunk_frames: int = Field(default=30, ge=8, le=120)
    fps: float = Field(default=30.0, gt=1, le=120)
    sample_rate: int = Field(default=48000, ge=8000, le=96000)
    mfcc_frames: Literal[99] = 99
    fc_width: int = Field(default=4096, ge=8, le=8192)
    embedding: int = Field(default=1024, ge=8, le=4096)
    dropout: float = Field(default=0.5, ge=0, lt=1)
    margin: float = Field(default=RELEASED_MARGIN, gt=0)
    running_stats: bool = False
    l2_normalise: bool = False
    modality_labels: bool = False
    balanced: bool = False
    select_best: Literal["train", "select"] = "train"
    threshold: float | None = RELEASED_THRESHOLD
    epochs: int = Field(default=50, ge=0, le=1000)
    batch: int = Field(default=8, ge=2, le=256)
    learning_rate: float = Field(default=1e-3, gt=0, le=1)
    weight_decay: float = Field(default=1e-5, ge=0, le=1)
    device: Literal["cpu", "cuda", "auto"] = "auto"
    threads: int = Field(default=1, ge=1, le=64)

    @property
    def chunk_seconds(self) -> float:
        """Length of a chunk in seconds."""
        return self.chunk_frames / self.fps


#: What `fixed` changes; the reasons stand in the docstring of `benchmarks.detectors.mds.detector.MDS`.
FIXED: Mapping[str, Any] = {
    "running_stats": True,
    "l2_normalise": True,
    "modality_labels": True,
    "balanced": True,
    "select_best": "select",
    "threshold": None,
}


class MiniConfig(_Config):
    """Settings of `mini`, the preset for the CPU.

    The losses are those of the paper. Input sizes, margin, rate and weights are this project's own, chosen on the
    embedded talkers: mouth crops of 64 x 48, 40 log-mel bands; a weight of 1 for the heads hides the contrastive
    term from a small network, 0.1 does not. The settings were compared on builds of another seed, whose people are
    in neither `mini-a` nor `mini-b`.

    Args:
        fps: Frames per second of picture and embeddings.
        sample_rate: Samples per second that the sound is brought to.
        bands: Log-mel bands.
        crop_width: Pixels of a mouth crop.
        crop_height: Pixels of a mouth crop.
        embedding: Length of the embeddings.
        dropout: Dropped share in front of both heads.
        margin: Distance up to which mismatches are pushed. Embeddings have length 1, so that distances lie in
            [0, 2] and unrelated ones near 1.41 (the paper's 0.99 belongs to embeddings of any length).
        head_weight: Weight of the two cross-entropy terms (1 in the paper).
        chunk_seconds: Window over which a dissonance is taken.
        stride_seconds: Step between windows.
        pool: How the windows' dissonances become the clip's score: their mean (as in the paper) or their maximum.
        steps: Steps of the optimiser.
        real_clips: Clips per step that are drawn from the reals; mismatches are made among them.
        fake_clips: Clips per step that are drawn from the set's own fakes.
        window_frames: Frames per clip and step.
        max_shift: Frames; largest shift of the sound that is used as a mismatch.
        sync_targets: Whether fakes whose lips and sound are known to agree (`sync_mismatch` 0, e.g. the same words in
            another voice) are left out of the contrastive term. The release treats all fakes alike, which asks of
            the distance what no dissonance can show.
        crop_jitter: Pixels by which a crop is moved at most.
        gain: Half-width of the random gain of the picture.
        image_noise: Standard deviation of pixel noise, in units of the clip's own deviation.
        mel_noise: Standard deviation of log-mel noise, in the same manner.
        learning_rate: Peak of the one-cycle schedule of AdamW.
        weight_decay: Of AdamW.
        evaluations: How often the selection set is scored in a fit.
        threads: Threads of torch, fixed so that runs repeat.
    """

    fps: float = Field(default=25.0, gt=1, le=60)
    sample_rate: int = Field(default=16000, ge=8000, le=48000)
    bands: int = Field(default=40, ge=8, le=128)
    crop_width: int = Field(default=64, ge=16, le=256)
    crop_height: int = Field(default=48, ge=16, le=256)
    embedding: int = Field(default=64, ge=4, le=512)
    dropout: float = Field(default=0.5, ge=0, lt=1)
    margin: float = Field(default=1.2, gt=0, le=2)
    head_weight: float = Field(default=0.1, ge=0, le=10)
    chunk_seconds: float = Field(default=1.0, gt=0.2, le=10)
    stride_seconds: float = Field(default=0.2, gt=0, le=10)
    pool: Literal["mean", "max"] = "mean"
    steps: int = Field(default=300, ge=1, le=100_000)
    real_clips: int = Field(default=12, ge=2, le=256)
    fake_clips: int = Field(default=4, ge=0, le=256)
    window_frames: int = Field(default=50, ge=10, le=500)
    max_shift: int = Field(default=12, ge=0, le=100)
    sync_targets: bool = True
    crop_jitter: int = Field(default=3, ge=0, le=16)
    gain: float = Field(default=0.2, ge=0, lt=1)
    image_noise: float = Field(default=0.05, ge=0, le=2)
    mel_noise: float = Field(default=0.1, ge=0, le=2)
    learning_rate: float = Field(default=5e-3, gt=0, le=1)
    weight_decay: float = Field(default=1e-3, ge=0, le=1)
    evaluations: int = Field(default=6, ge=1, le=1000)
    threads: int = Field(default=1, ge=1, le=64)

    @property
    def chunk_frames(self) -> int:
        """Frames of a chunk."""
        return max(1, round(self.chunk_seconds * self.fps))

    @property
    def stride_frames(self) -> int:
        """Frames between the starts of two chunks."""
        return max(1, round(self.stride_seconds * self.fps))


def make_config(preset: str, options: Mapping[str, Any]) -> MiniConfig | ReleasedConfig:
    """Read a preset and a user's options.

    Args:
        preset: One of `PRESETS`.
        options: Settings that differ from the preset's.

    Raises:
        CmdfdError: If the preset or an option is unknown, or a value is out of its range.
    """
    if preset not in PRESETS:
        raise CmdfdError(f"mds: there is no preset {preset!r}; {nearest(preset, PRESETS)}")
    kind: type[MiniConfig] | type[ReleasedConfig] = MiniConfig if preset == "mini" else ReleasedConfig
    for name in options:
        if name not in kind.model_fields:
            raise CmdfdError(f"mds:{preset}: there is no option {name!r}; {nearest(name, kind.model_fields)}")
    values = {**(FIXED if preset == "fixed" else {}), **options}
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise CmdfdError(f"mds:{preset}: option {field} = {first['input']!r}: {first['msg']}") from error
