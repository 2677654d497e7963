"""Training of the `mini` preset: the paper's three terms, with mismatches made on the fly from real clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.detectors.mds import training
from benchmarks.detectors.mds.localization import clip_score, windowed_rms
from benchmarks.detectors.mds.losses import contrastive, head_loss, rms_over_frames
from benchmarks.detectors.mds.mini_net import MiniNet, Streams, build

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from benchmarks.detector import Progress
    from benchmarks.detectors.mds.presets import MiniConfig
    from benchmarks.detectors.mds.training import Example, Examples

#: Shifts of the sound by up to this many frames are left out of the mismatches: real clips are off by as much
#: (clip lag of 25 ms deviation in the talkers, a frame at 25 per second being 40 ms).
_UNCLEAR_SHIFT = 1
#: Step between the windows that the loss looks at, frames.
_LOSS_STRIDE = 5


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    mouth: Tensor
    mel: Tensor
    n_real: int
    windows: Tensor
    lip_labels: Tensor
    audio_labels: Tensor


def moments(values: NDArray[Any]) -> tuple[np.float32, np.float32]:
    """Mean and deviation of a clip's values; the deviation is kept off 0."""
    x = values.astype(np.float32)
    return np.float32(x.mean()), np.float32(x.std() + 1e-3)


def to_unit(values: NDArray[Any], mean: np.float32, deviation: np.float32) -> NDArray[np.float32]:
    """Bring values to mean 0 and deviation 1, given those of the whole clip."""
    return np.asarray((values.astype(np.float32) - mean) / deviation, np.float32)


def squared_distances(net: MiniNet, arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """[T] squared distance between the two embeddings at every frame of a clip, scored by itself."""
    mouth, mel = (torch.from_numpy(to_unit(arrays[n], *moments(arrays[n])))[None] for n in ("mouth", "mel"))
    with torch.inference_mode():
        streams = net(mouth, mel)
        squared = (streams.lip[0] - streams.audio[0]).square().sum(1)
    return np.asarray(squared.numpy(), np.float64)


class _Sampler:
    """Draws batches: reals first, then the set's own fakes, each class in shuffled rounds."""

    def __init__(self, examples: Examples, config: MiniConfig, rng: np.random.Generator) -> None:
        self.config, self.rng = config, rng
        self.classes = [[e for e in examples.items if e.fake == y] for y in (0, 1)]
        self.queues: list[list[int]] = [[], []]
        self.moments = {id(e): {n: moments(e.arrays[n]) for n in ("mouth", "mel")} for e in examples.items}
        self.frames = min(config.window_frames, *(len(e.arrays["mouth"]) for e in examples.items))

    def _draw(self, kind: int, count: int) -> list[Example]:
        """Draw without replacement: a clip that met itself in a batch would count as its own mismatch."""
        pool, queue = self.classes[kind], self.queues[kind]
        if len(queue) < count:
            queue = self.rng.permutation(len(pool)).tolist()
        drawn, self.queues[kind] = queue[:count], queue[count:]
        return [pool[index] for index in drawn]

    def batch(self) -> _Batch:
        reals = self._draw(0, min(self.config.real_clips, len(self.classes[0])))
        fakes = self._draw(1, min(self.config.fake_clips, len(self.classes[1])))
        drawn = [self._window(example) for example in reals + fakes]
        columns = list(zip(*drawn, strict=True))
        mouth, mel = (torch.from_numpy(np.stack(column)) for column in columns[:2])
        labels = [torch.tensor(column) for column in columns[2:]]
        return _Batch(mouth, mel, len(reals), *labels)

    def _window(self, example: Example) -> tuple[NDArray[np.float32], NDArray[np.float32], list[int], int, int]:
        length, fps = self.frames, self.config.fps
        first = int(self.rng.integers(len(example.arrays["mouth"]) - length + 1))
        known = self.moments[id(example)]
        mouth = self._moved(example.arrays["mouth"][first : first + length], known["mouth"])
        quarters = len(example.arrays["mel"]) // len(example.arrays["mouth"])
        mel = to_unit(example.arrays["mel"][first * quarters : (first + length) * quarters], *known["mel"])
        mel = self._noisy(mel, self.config.mel_noise)
        chunk = min(self.config.chunk_frames, length)
        starts = [first + k for k in range(0, length - chunk + 1, _LOSS_STRIDE)]
        labels = [training.window_label(example, s / fps, (s + chunk) / fps) for s in starts]
        if self.config.sync_targets and example.fake and example.labels.sync_mismatch == 0:
            labels = [-1] * len(labels)  # forged, yet lips and sound agree: nothing for a distance to learn
        whole = training.window_label(example, first / fps, (first + length) / fps)
        video = training.modality_label(example.labels.video_label, whole)
        audio = training.modality_label(example.labels.audio_label, whole)
        return mouth, mel, labels, video, audio

    def _noisy(self, values: NDArray[np.float32], deviation: float) -> NDArray[np.float32]:
        noise = self.rng.standard_normal(values.shape, np.float32)
        return np.asarray(values + np.float32(deviation) * noise, np.float32)

    def _moved(self, mouth: NDArray[np.uint8], known: tuple[np.float32, np.float32]) -> NDArray[np.float32]:
        """Crop jitter (one shift for the window, edges repeated), mirror, gain and noise."""
        jitter = self.config.crop_jitter
        down, right = (int(n) for n in self.rng.integers(0, 2 * jitter + 1, 2))
        height, width = mouth.shape[1:]
        padded = np.pad(mouth, ((0, 0), (jitter, jitter), (jitter, jitter)), mode="edge")
        moved = padded[:, down : down + height, right : right + width]
        if self.rng.random() < 0.5:
            moved = moved[:, :, ::-1]
        gain = np.float32(1 + self.rng.uniform(-self.config.gain, self.config.gain))
        return self._noisy(to_unit(moved, *known) * gain, self.config.image_noise)


def mismatch_distances(streams: Streams, n_real: int, chunk: int, max_shift: int) -> list[Tensor]:
    """Dissonances of mismatches made from the real clips of a batch, one tensor for each way.

    Every visual stream is held against the sound of every other real clip, and against its own sound moved by 2 to
    `max_shift` frames either way. The embeddings are computed once; only their pairing changes.

    Args:
        streams: Embeddings of the batch; the first `n_real` rows are real.
        n_real: Number of reals.
        chunk: Frames of a window.
        max_shift: Frames.
    """
    lip, audio = streams.lip[:n_real], streams.audio[:n_real]
    found = []
    if n_real > 1:
        crossed = 2 - 2 * torch.einsum("ite,jte->ijt", lip, audio)
        others = ~torch.eye(n_real, dtype=torch.bool)
        found.append(_windows(crossed[others], chunk).flatten())
    frames = lip.shape[1]
    shifted = []
    for shift in range(_UNCLEAR_SHIFT + 1, min(max_shift, frames - chunk) + 1):
        for ahead, behind in ((lip, audio), (audio, lip)):
            squared = 2 - 2 * (ahead[:, : frames - shift] * behind[:, shift:]).sum(2)
            shifted.append(_windows(squared, chunk).flatten())
    if shifted:
        found.append(torch.cat(shifted))
    return found


def _windows(squared: Tensor, chunk: int) -> Tensor:
    """[N, T] squared distances -> [N, K] dissonances of windows."""
    return rms_over_frames(squared.unfold(-1, chunk, _LOSS_STRIDE))


def batch_loss(streams: Streams, batch: _Batch, config: MiniConfig) -> Tensor:
    """The paper's L1 + L2 + L3 on one batch.

    In L1 the reals and the fakes weigh the same, and so does each way of being fake: forged in the set, sound of
    another clip, sound moved in time. Made-up mismatches enter L1 only, since neither stream of theirs is forged.
    """
    chunk = min(config.chunk_frames, streams.lip.shape[1])
    own = _windows((streams.lip - streams.audio).square().sum(2), chunk)
    genuine, forged = own[batch.windows == 0], own[batch.windows == 1]
    pushed = mismatch_distances(streams, batch.n_real, chunk, config.max_shift)
    pushed += [forged] if len(forged) else []
    pull = contrastive(genuine, torch.zeros_like(genuine), config.margin)
    push = torch.stack([contrastive(d, torch.ones_like(d), config.margin) for d in pushed]).mean()
    heads = head_loss(streams.lip_logits, batch.lip_labels) + head_loss(streams.audio_logits, batch.audio_labels)
    return 0.5 * (pull + push) + config.head_weight * heads


@dataclass(frozen=True, slots=True, eq=False)
class MiniFit:
    """Outcome of a fit.

    Args:
        net: The network at its best evaluation.
        threshold: Of the clip's score, from the selection set; None where it has one class only.
        window_threshold: Of a window's score, likewise.
        details: For the fit record.
    """

    net: MiniNet
    threshold: float | None
    window_threshold: float | None
    details: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class _Selection:
    labels: list[int]
    scores: list[float]
    window_labels: list[int]
    window_scores: list[float]

    def loss(self, margin: float) -> float:
        """Contrastive term on the clips' scores, both classes weighing the same."""
        values = np.asarray(self.scores)
        fake = np.asarray(self.labels) == 1
        parts = [np.square(values[~fake]), np.square(np.maximum(margin - values[fake], 0))]
        return float(np.mean([part.mean() for part in parts if len(part)]))


def _score(net: MiniNet, examples: Sequence[Example], config: MiniConfig) -> _Selection:
    net.eval()
    result = _Selection([], [], [], [])
    for example in examples:
        squared = squared_distances(net, example.arrays)
        windows = windowed_rms(squared, config.chunk_frames, config.stride_frames, config.fps)
        result.labels.append(example.fake)
        result.scores.append(clip_score(windows, config.pool))
        half = config.chunk_frames / config.fps / 2
        for time, score in zip(windows.times, windows.scores, strict=True):
            label = training.window_label(example, time - half, time + half)
            if label >= 0:
                result.window_labels.append(label)
                result.window_scores.append(float(score))
    net.train()
    return result


def train_mini(train: Examples, select: Examples, config: MiniConfig, seed: int, progress: Progress) -> MiniFit:
    """Fit the small network; must run inside `training.repeatable`.

    Args:
        train: Clips to learn from; fakes are not needed, mismatches are made from the reals.
        select: Clips that choose the evaluation to keep and the thresholds.
        config: Settings.
        seed: Seed of the draws.
        progress: Told after every step.

    Raises:
        CmdfdError: If there are fewer than two reals.
    """
    training.require_classes(train, "mds:mini", fakes=False)
    net = build(config.model_dump())
    net.initialise()
    sampler = _Sampler(train, config, training.generator(seed, "mds.mini"))
    optimiser = torch.optim.AdamW(net.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.learning_rate, total_steps=config.steps + 1, pct_start=0.15
    )
    best, history = training.BestState(), []
    due = {max(1, round(config.steps * (k + 1) / config.evaluations)) for k in range(config.evaluations)}
    for step in range(1, config.steps + 1):
        batch = sampler.batch()
        loss = batch_loss(net(batch.mouth, batch.mel), batch, config)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        note = ""
        if step in due and select.items:
            picked = _score(net, select.items, config)
            auc, cost = training.safe_auc(picked.labels, picked.scores), picked.loss(config.margin)
            best.offer(net, step, auc, cost)
            history.append({"step": step, "loss": loss.item(), "select_auc": auc, "select_loss": cost})
            note = "select loss" if auc is None else f"select AUC {auc:.3f}"
        progress(step, config.steps, note)
    best.restore(net)
    return _finish(net, train, select, config, best, history)


def _finish(
    net: MiniNet,
    train: Examples,
    select: Examples,
    config: MiniConfig,
    best: training.BestState,
    history: list[dict[str, Any]],
) -> MiniFit:
    picked = _score(net, select.items, config)
    net.eval()
    details = {
        "kept_step": best.step if best.step >= 0 else config.steps,
        "n_parameters": sum(p.numel() for p in net.parameters()),
        "history": history,
        "dropped": {"train": dict(train.dropped), "select": dict(select.dropped)},
    }
    threshold = training.choose_threshold(picked.labels, picked.scores)
    window = training.choose_threshold(picked.window_labels, picked.window_scores)
    return MiniFit(net, threshold, window, details)
