"""How many bits a cue tells about the label: V-usable information, from held-out probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmdfd.statistics.arrays import as_labels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def pvi(labels: ArrayLike, prob: ArrayLike, prior: ArrayLike) -> NDArray[np.float64]:
    """Pointwise V-information: how many bits a cue tells about the label of one clip.

    The logarithm of the label's probability given the cue minus that without it, both for held-out clips (Ethayarajh,
    Choi and Swayamdipta, "Understanding Dataset Difficulty with V-Usable Information", ICML 2022, arXiv 2110.08420).

    Args:
        labels: [n], 1 = fake.
        prob: [n] probability of being fake given the cue, in (0, 1); NaN = not measured.
        prior: [n] or a number: share of fakes of the part that was learned from, in (0, 1).

    Returns:
        [n] bits; at most 1 at even prior, negative where the cue misleads; NaN where `prob` is.

    Raises:
        ValueError: For another length or values outside (0, 1).
    """
    y = as_labels(labels)
    given = np.asarray(prob, dtype=np.float64)
    if given.shape != y.shape:
        raise ValueError(f"{len(y)} labels need {len(y)} probabilities, got shape {given.shape}")
    base = np.broadcast_to(np.asarray(prior, dtype=np.float64), y.shape)
    for name, values in (("prob", given), ("prior", base)):
        if ((values <= 0) | (values >= 1)).any():
            raise ValueError(f"{name} must lie in (0, 1): a certain error would cost infinitely many bits")
    return np.log2(np.where(y, given, 1 - given)) - np.log2(np.where(y, base, 1 - base))


def usable_bits(labels: ArrayLike, prob: ArrayLike, prior: ArrayLike) -> float | None:
    """V-usable information H(Y) - H_V(Y | X) in bits: the mean of `pvi`.

    Args:
        labels: [n], 1 = fake.
        prob: As of `pvi`.
        prior: As of `pvi`.

    Returns:
        At most the entropy of the label (1 bit for as many reals as fakes, .72 for four fakes to a real); about 0,
        often a little below, for a cue that tells nothing; None without a measured clip.
    """
    values = pvi(labels, prob, prior)
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else None
