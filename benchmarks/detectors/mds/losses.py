"""The three loss terms of the paper, and the distances that they are made of. Here 1 = fake, in the paper 1 = real."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor


def embedding_distance(lip: Tensor, audio: Tensor, *, normalise: bool) -> Tensor:
    """Euclidean distance between two embeddings per row.

    Args:
        lip: [B, E].
        audio: [B, E].
        normalise: Scale both to length 1 first (not done in the release).

    Returns:
        [B], >= 0; the square root is kept differentiable at 0.
    """
    if normalise:
        lip, audio = functional.normalize(lip, dim=1), functional.normalize(audio, dim=1)
    return (lip - audio).square().sum(1).clamp_min(1e-12).sqrt()


def rms_over_frames(squared: Tensor) -> Tensor:
    """Root mean square over the last axis of squared frame distances: [..., T] -> [...].

    Embeddings are never pooled over time in front of it, so two streams that agree on average but not at every
    moment stay far apart.
    """
    return squared.mean(-1).clamp_min(1e-12).sqrt()


def contrastive(distance: Tensor, fake: Tensor, margin: float) -> Tensor:
    """Contrastive term L1 of the paper: real pairs are pulled together, fake ones pushed to `margin`.

    Args:
        distance: [B] dissonances, >= 0.
        fake: [B] 1 = fake or mismatch, 0 = real.
        margin: Distance at which a fake costs nothing (0.99 in the release).

    Returns:
        Scalar: mean of (1 - y) d^2 + y max(margin - d, 0)^2.
    """
    fake = fake.to(distance.dtype)
    pull = (1 - fake) * distance.square()
    push = fake * (margin - distance).clamp_min(0).square()
    return (pull + push).mean()


def head_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy term L2 or L3 of the paper.

    Args:
        logits: [B, 2], class 1 = fake.
        labels: [B] 0, 1, or -1 where the label is unknown; unknown ones do not count.

    Returns:
        Scalar mean over the known labels, 0 where none is known.
    """
    known = labels >= 0
    if not bool(known.any()):
        return logits.sum() * 0
    return functional.cross_entropy(logits[known], labels[known])
