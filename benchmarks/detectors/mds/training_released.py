"""Training and scoring of the authors' network: `faithful` as released, `fixed` with its defects repaired."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.detectors.mds import training
from benchmarks.detectors.mds.faithful_net import ReleasedNet
from benchmarks.detectors.mds.losses import contrastive, embedding_distance, head_loss
from benchmarks.detectors.mds.presets import IMAGENET_MEAN, IMAGENET_STD
from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from benchmarks.detector import Progress
    from benchmarks.detectors.mds.presets import ReleasedConfig
    from benchmarks.detectors.mds.training import Example, Examples

#: Batches whose mean loss the authors' trainer compares between epochs.
_LAST_BATCHES = 5


def build(config: ReleasedConfig) -> ReleasedNet:
    """Make the network of `faithful` or `fixed`."""
    return ReleasedNet(
        image_size=config.image_size,
        chunk_frames=config.chunk_frames,
        fc_width=config.fc_width,
        embedding=config.embedding,
        dropout=config.dropout,
        running_stats=config.running_stats,
    )


def device_of(config: ReleasedConfig) -> torch.device:
    """The device to run on.

    Raises:
        CmdfdError: If "cuda" is asked for and there is none.
    """
    available = torch.cuda.is_available()
    if config.device == "cuda" and not available:
        raise CmdfdError("mds: device = 'cuda', but torch sees no GPU; use device = 'cpu' or 'auto'")
    return torch.device("cuda" if available and config.device != "cpu" else "cpu")


def to_lip(chunks: NDArray[np.uint8]) -> Tensor:
    """uint8 [B, T, S, S, 3] -> ImageNet-normalised [B, 1, 3, T, S, S]."""
    x = torch.from_numpy(np.array(chunks)).permute(0, 4, 1, 2, 3).float() / 255
    mean, std = (torch.tensor(v).view(1, 3, 1, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    return ((x - mean) / std)[:, None]


def to_audio(cepstra: NDArray[np.float32]) -> Tensor:
    """[B, 13, 99] -> [B, 1, 1, 13, 99]."""
    return torch.from_numpy(np.array(cepstra, np.float32))[:, None, None]


def chunk_distances(
    net: ReleasedNet, arrays: Mapping[str, NDArray[Any]], config: ReleasedConfig
) -> NDArray[np.float64]:
    """[K] distance between the embeddings of every chunk.

    Chunks go through one by one: without running statistics the visual batch norms normalise by whatever shares
    the batch, and a score must not depend on its neighbours.
    """
    net.eval()
    device = next(net.parameters()).device
    found = []
    with torch.inference_mode():
        for face, cepstra in zip(arrays["face"], arrays["mfcc"], strict=True):
            lip = net.forward_lip(to_lip(face[None]).to(device))
            audio = net.forward_aud(to_audio(cepstra[None]).to(device))
            found.append(float(embedding_distance(lip, audio, normalise=config.l2_normalise)[0]))
    return np.asarray(found, np.float64)


@dataclass(frozen=True, slots=True)
class _Chunk:
    example: Example
    index: int
    fake: int
    lip_label: int
    audio_label: int


def _chunks(examples: Examples, config: ReleasedConfig) -> list[_Chunk]:
    """All training chunks with their labels: the clip's own as released, or each modality's where asked for."""
    found = []
    for example in examples.items:
        for index in range(len(example.arrays["face"])):
            start = index * config.chunk_seconds
            fake, lip, audio = example.fake, example.fake, example.fake
            if config.modality_labels:
                fake = training.window_label(example, start, start + config.chunk_seconds)
                lip = training.modality_label(example.labels.video_label, fake)
                audio = training.modality_label(example.labels.audio_label, fake)
            if fake >= 0:
                found.append(_Chunk(example, index, fake, lip, audio))
    return found


def _orders(chunks: Sequence[_Chunk], config: ReleasedConfig, rng: np.random.Generator) -> Iterator[list[list[_Chunk]]]:
    """Batches of one epoch after another; an incomplete last batch is dropped."""
    size = min(config.batch, len(chunks))
    while True:
        order = rng.permutation(len(chunks))
        if config.balanced:
            order = _balanced(chunks, rng)
        yield [[chunks[i] for i in order[k : k + size]] for k in range(0, len(order) - size + 1, size)]


def _balanced(chunks: Sequence[_Chunk], rng: np.random.Generator) -> NDArray[np.int64]:
    """As many draws as there are chunks, real and fake in turn; the rarer class is repeated in shuffled rounds."""
    classes = [np.flatnonzero([chunk.fake == y for chunk in chunks]) for y in (0, 1)]
    half = -(-len(chunks) // 2)
    drawn = []
    for members in classes:
        rounds = [rng.permutation(members) for _ in range(-(-half // len(members)))]
        drawn.append(np.concatenate(rounds)[:half])
    return np.stack(drawn, 1).ravel()[: len(chunks)]


def _step_loss(net: ReleasedNet, batch: Sequence[_Chunk], config: ReleasedConfig) -> Tensor:
    device = next(net.parameters()).device
    faces = np.stack([chunk.example.arrays["face"][chunk.index] for chunk in batch])
    cepstra = np.stack([chunk.example.arrays["mfcc"][chunk.index] for chunk in batch])
    output = net(to_lip(faces).to(device), to_audio(cepstra).to(device))
    fake = torch.tensor([chunk.fake for chunk in batch], device=device)
    distance = embedding_distance(output.lip, output.audio, normalise=config.l2_normalise)
    loss = contrastive(distance, fake, config.margin)
    for logits, labels in (
        (output.lip_logits, [chunk.lip_label for chunk in batch]),
        (output.audio_logits, [chunk.audio_label for chunk in batch]),
    ):
        # class 1 of both heads is real, as in the released weights; -1 stays unknown
        target = [label if label < 0 else 1 - label for label in labels]
        loss = loss + head_loss(logits, torch.tensor(target, device=device))
    return loss


@dataclass(frozen=True, slots=True, eq=False)
class ReleasedFit:
    """Outcome of a fit; the thresholds are those of the preset or from the selection set."""

    net: ReleasedNet
    threshold: float | None
    window_threshold: float | None
    details: dict[str, Any]


def train_released(
    train: Examples, select: Examples, config: ReleasedConfig, seed: int, progress: Progress, start: ReleasedNet
) -> ReleasedFit:
    """Fit the authors' network; must run inside `training.repeatable`.

    Args:
        train: Clips to learn from, with reals and fakes.
        select: Clips for the choice of epoch and threshold, where the preset uses them.
        config: Settings.
        seed: Seed of the order of chunks.
        progress: Told after every step.
        start: Network to begin with.

    Raises:
        CmdfdError: If a class is missing.
    """
    training.require_classes(train, "mds", fakes=True)
    chunks = _chunks(train, config)
    if {chunk.fake for chunk in chunks} != {0, 1}:
        raise CmdfdError("mds: no chunk of one second is clearly real, or none is clearly fake")
    net = start.to(device_of(config))
    optimiser = torch.optim.Adam(net.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    best, history = training.BestState(), []
    orders = _orders(chunks, config, training.generator(seed, "mds.released"))
    done, total = 0, config.epochs * (len(chunks) // min(config.batch, len(chunks)))
    for epoch in range(1, config.epochs + 1):
        net.train()
        losses = []
        for batch in next(orders):
            loss = _step_loss(net, batch, config)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            losses.append(loss.item())
            done += 1
            progress(done, total, f"epoch {epoch}")
        history.append(_judge(net, select, config, best, epoch, float(np.mean(losses[-_LAST_BATCHES:]))))
    best.restore(net)
    return _finish(net, train, select, config, best, history)


def _judge(
    net: ReleasedNet,
    select: Examples,
    config: ReleasedConfig,
    best: training.BestState,
    epoch: int,
    last_loss: float,
) -> dict[str, Any]:
    """Offer this epoch's state to `best` by the preset's rule."""
    auc = None
    if config.select_best == "select" and select.items:
        labels, scores = _scores(net, select, config)
        auc = training.safe_auc(labels, scores)
    best.offer(net, epoch, auc, last_loss)
    return {"epoch": epoch, "loss": last_loss, "select_auc": auc}


def _scores(net: ReleasedNet, examples: Examples, config: ReleasedConfig) -> tuple[list[int], list[float]]:
    labels = [example.fake for example in examples.items]
    scores = [float(chunk_distances(net, example.arrays, config).mean()) for example in examples.items]
    return labels, scores


def _finish(
    net: ReleasedNet,
    train: Examples,
    select: Examples,
    config: ReleasedConfig,
    best: training.BestState,
    history: list[dict[str, Any]],
) -> ReleasedFit:
    net.eval()
    threshold = config.threshold
    if threshold is None and select.items:
        threshold = training.choose_threshold(*_scores(net, select, config))
    details = {
        "kept_epoch": best.step,
        "n_parameters": sum(p.numel() for p in net.parameters()),
        "history": history,
        "dropped": {"train": dict(train.dropped), "select": dict(select.dropped)},
    }
    # chunks of one second are compared with the clip's threshold, as the paper's figures do
    return ReleasedFit(net, threshold, threshold, details)
