"""`noise_residual`: where is the noise of the picture unlike the rest of it? Classical, small, and without any face.

Blocks of 16 pixels are described by their high-pass residuals, relative to the same frame's other blocks
(`residuals`); a logistic regression learns from the masks of the training fakes which deviations mean a forgery
(`model`); thresholds are chosen on the selection split (`choosing`). It gives a map for every frame that it looks at
(about eight a second), a score for each of them and for the clip, and segments by the rule of
`benchmarks.metrics.proposals`.

It is a baseline and knows nothing of position, faces or sound. What it can see: another noise, another compression,
blur or resampling inside one picture. What it cannot: a forgery that was drawn by the same renderer or camera and went
through one strong compression with the rest. Two cautions where its maps are judged:

- Where every forgery lies on a face, finding faces already gives a high pixel AUC, for a face's texture is unlike a
  wall's. Its worth is `pixel_auc_gain`, what is left over the map of the *real* twin under the same mask.
- A clip's score is chance where the map only finds what is the same in real clips.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from benchmarks.detector import DetectorSpec, PixelMaps, Prediction, silent
from benchmarks.detectors.noise_residual import choosing, model, residuals
from benchmarks.metrics.localization import unit_labels
from cmdfd.clip import Modality
from cmdfd.errors import CmdfdError, MediaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Self

    from numpy.typing import NDArray

    from benchmarks.detector import ClipView, Features, LabelledView, Progress

FACTS_FILE, WEIGHTS_FILE = "detector.json", "model.safetensors"
#: Training blocks of one clip, of each class, so that large and long clips do not outweigh the others.
BLOCKS_PER_CLIP = 400


class _Facts(BaseModel):
    """`detector.json` of a fitted detector."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    detector: Literal["noise_residual"] = "noise_residual"
    preset: str
    seed: int
    features: Literal[1] = 1
    n_clips: int
    n_masks: int
    cut: float
    share: float
    frame_threshold: float | None
    chosen_on: str


class NoiseResidual:
    """A logistic regression on block statistics of high-pass residuals. See `benchmarks.detector` for the contract."""

    spec = DetectorSpec(
        name="noise_residual",
        summary="blocks whose high-pass residual is unlike the rest of the picture; gives maps, needs training masks",
        modalities=("video",),
        reference="after Fridrich & Kodovsky, IEEE TIFS 7(3) 2012, and Cozzolino et al., 'Splicebuster', WIFS 2015",
    )
    #: What makes stretches of scores, says which frames and pixels are forged, and chooses pooling and threshold.
    code_modules = (
        "benchmarks.metrics.proposals",
        "benchmarks.metrics.localization",
        "cmdfd.statistics.roc",
        "cmdfd.media.masks",
    )

    def __init__(self, preset: str = "default", seed: int = 0) -> None:
        self.preset = preset
        self.seed = seed
        self._model: model.BlockModel | None = None
        self._choices = choosing.Choices(0.0, choosing.USUAL_SHARE, None, "nothing")
        self._counts = (0, 0)

    def __repr__(self) -> str:
        return f"NoiseResidual(preset={self.preset!r}, seed={self.seed})"

    @property
    def n_parameters(self) -> int:
        """Numbers that were learnt."""
        return 0 if self._model is None else len(self._model.weights) + 1

    # -- features ------------------------------------------------------------------------------------------------

    def feature_config(self) -> Mapping[str, Any]:
        """What decides the features, besides the clip."""
        return {
            "version": residuals.VERSION,
            "frames_per_second": residuals.FRAMES_PER_SECOND,
            "names": list(residuals.NAMES),
        }

    def featurise(self, view: ClipView) -> Features:
        """Deviations of the blocks of the frames that are looked at; see `residuals.clip_features`.

        Raises:
            MediaError: Where the clip cannot be read, or its picture is smaller than 32 pixels ("unsupported").
        """
        frames = view.frames()
        try:
            return residuals.clip_features(frames, view.fps)
        except ValueError as error:
            raise MediaError("unsupported", view.id, str(error)) from error

    # -- learning ------------------------------------------------------------------------------------------------

    def fit(self, train: Sequence[LabelledView], select: Sequence[LabelledView], progress: Progress = silent) -> Self:
        """Learn from the masks of `train`; choose the map's .5, the pooling and the frame threshold on `select`.

        Fakes whose picture is forged in places nobody knows (no mask) are left out; reals, and fakes of which only the
        sound is forged, give genuine blocks. Clips that cannot be read are left out.

        Raises:
            CmdfdError: Where no training clip has a mask with a forged block, or no genuine block is left.
        """
        total = len(train) + len(select)
        tables, labels = [], []
        n_masks, n_forged, n_blocks = 0, 0, 0
        for done, example in enumerate(train, start=1):
            progress(done, total, "blocks")
            features = _features(example)
            shares = None if features is None else _truth(example, features)
            if features is None or shares is None:
                continue
            blocks = features["blocks"]
            n_masks += example.mask is not None
            n_forged, n_blocks = n_forged + int((shares >= 0.5).sum()), n_blocks + shares.size
            rows, kinds = _sampled(blocks, shares, np.random.default_rng([self.seed, done]))
            tables.append(rows)
            labels.append(kinds)
        y = np.concatenate(labels) if labels else np.empty(0, dtype=bool)
        _check_classes(y, n_masks)
        self._model = model.learn(np.concatenate(tables), y)
        self._counts = (len(labels), n_masks)
        self._choices = self._chosen(select, n_forged / n_blocks, lambda k: progress(len(train) + k, total, "choosing"))
        return self

    def _chosen(self, select: Sequence[LabelledView], train_share: float, tell: Any) -> choosing.Choices:
        evidence = choosing.Evidence()
        fitted = self._ready()
        for done, example in enumerate(select, start=1):
            tell(done)
            features = _features(example)
            if features is None or example.labels.label is None:
                continue
            picture = int(example.labels.label == 1 and example.labels.video_label != 0)
            shares = _truth(example, features)
            times = (features["index"] + 0.5) / example.view.fps
            seen = unit_labels(times, example.segments, Modality.VIDEO) if example.segments or not picture else None
            evidence.add(fitted.log_odds(features["blocks"]), picture, shares, seen)
        return evidence.choose(train_share)

    def _ready(self) -> model.BlockModel:
        if self._model is None:
            raise CmdfdError("noise_residual has not been fitted; call fit() or load()")
        return self._model

    # -- answers -------------------------------------------------------------------------------------------------

    def predict(self, views: Iterable[ClipView]) -> Iterator[Prediction]:
        """Score clips in order, each by itself.

        Raises:
            CmdfdError: Where nothing was fitted.
        """
        fitted = self._ready()
        for view in views:
            try:
                features = view.features()
            except MediaError as error:
                yield Prediction(view.id, None, error=f"{error.code}: {error.detail}")
                continue
            yield self._answer(view.id, fitted.log_odds(features["blocks"]), features, view.fps)

    def _answer(self, name: str, log_odds: NDArray[np.float32], features: Features, fps: float) -> Prediction:
        from benchmarks.metrics.proposals import segments_from_scores

        n_frames, height, width = (int(n) for n in features["size"])
        index = np.asarray(features["index"], np.float64)
        scores = model.frame_scores(log_odds, self._choices.share)
        times = (index + 0.5) / fps
        segments = segments_from_scores(
            times, scores, n_frames / fps, threshold=self._choices.frame_threshold, modality=Modality.VIDEO
        )
        maps = PixelMaps(index / fps, model.to_maps(log_odds, -self._choices.cut, height, width))
        return Prediction(name, model.clip_score(scores), times, scores, segments, masks=maps)

    # -- files ---------------------------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write `detector.json` and `model.safetensors`; raises `CmdfdError` where nothing was fitted."""
        fitted, choices = self._ready(), self._choices
        facts = _Facts(
            preset=self.preset,
            seed=self.seed,
            n_clips=self._counts[0],
            n_masks=self._counts[1],
            cut=choices.cut,
            share=choices.share,
            frame_threshold=choices.frame_threshold,
            chosen_on=choices.chosen_on,
        )
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FACTS_FILE).write_text(facts.model_dump_json(indent=1), encoding="utf-8")
        fitted.write(folder / WEIGHTS_FILE)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; raises `CmdfdError` naming the file and what is wrong in it."""
        path = folder / FACTS_FILE
        try:
            facts = _Facts.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            raise CmdfdError(f"{path}: not the facts of a fitted noise_residual: {error}") from error
        numbers = (facts.cut, facts.share, facts.frame_threshold or 0.0)
        if not np.isfinite(numbers).all() or not 0 < facts.share <= 1:
            raise CmdfdError(f"{path}: cut, share and frame_threshold must be finite, share in (0, 1], got {numbers}")
        found = cls(facts.preset, facts.seed)
        found._model = model.BlockModel.read(folder / WEIGHTS_FILE)
        found._choices = choosing.Choices(facts.cut, facts.share, facts.frame_threshold, facts.chosen_on)
        found._counts = (facts.n_clips, facts.n_masks)
        return found


def _features(example: LabelledView) -> Features | None:
    try:
        return example.view.features()
    except MediaError:
        return None


def _truth(example: LabelledView, features: Features) -> NDArray[np.float32] | None:
    """[K, rows, columns] shares of forged pixels; None where nobody knows them."""
    from cmdfd.media.masks import forged

    if example.mask is None:
        genuine = example.labels.label == 0 or example.labels.video_label == 0
        return np.zeros(features["blocks"].shape[:3], np.float32) if genuine else None
    try:
        mask = example.mask()
    except MediaError:
        return None
    if mask.shape != tuple(int(n) for n in features["size"]):
        raise CmdfdError(
            f"clip {example.view.id!r}: its mask is {list(mask.shape)}, its frames are "
            f"{features['size'].tolist()}; a mask must have the frames and the size of its clip"
        )
    return np.stack([residuals.block_shares(forged(mask[i])) for i in features["index"]])


def _sampled(
    blocks: NDArray[Any], shares: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Columns and classes of some blocks: forged from half on, genuine without any forged pixel, the rest unused."""
    flat = shares.ravel()
    chosen = []
    for kind in (flat >= 0.5, flat == 0):
        rows = np.flatnonzero(kind)
        chosen.append(np.sort(rng.permutation(rows)[:BLOCKS_PER_CLIP]))
    rows = np.concatenate(chosen)
    per_frame = blocks.shape[1] * blocks.shape[2]
    found = np.empty((len(rows), model.WIDTH), np.float32)
    for k in np.unique(rows // per_frame):
        here = rows // per_frame == k
        found[here] = model.columns(blocks[k])[rows[here] % per_frame]
    return found, flat[rows] >= 0.5


def _check_classes(y: NDArray[np.bool_], n_masks: int) -> None:
    if not y.any():
        raise CmdfdError(
            f"noise_residual learns from masks, and {n_masks} of the training clips have one"
            f"{' (with no forged block of 16 pixels)' if n_masks else ''}; train on a set whose recipe has a kind that "
            "changes the picture (python -m generators.list), built by this program, with --train-on"
        )
    if y.all():
        raise CmdfdError("noise_residual found no genuine block: every training mask covers its whole picture")
