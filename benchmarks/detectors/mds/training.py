"""What both trainers share: repeatable runs, examples from views, and the choice of an epoch."""

from __future__ import annotations

import copy
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
import torch

from cmdfd.errors import CmdfdError, MediaError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import nn

    from benchmarks.detector import LabelledView
    from cmdfd.clip import Labels, Segment

#: A window counts as forged from this share of forged time on, as real at none, and is left out in between.
FORGED_SHARE = 0.3


def generator(seed: int, name: str) -> np.random.Generator:
    """NumPy generator of one component: seeded by the run's seed and the component's name."""
    return np.random.default_rng([seed, crc32(name.encode())])


@contextmanager
def repeatable(seed: int, threads: int) -> Iterator[None]:
    """Run torch so that the same seed gives the same numbers, and leave its global state as it was.

    Args:
        seed: Of torch's generator.
        threads: Threads of torch; sums depend on how they are split.
    """
    before = torch.get_num_threads()
    strict, warn_only = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    deterministic: Any = torch.utils.deterministic
    fill = deterministic.fill_uninitialized_memory
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        torch.set_num_threads(threads)
        # on a GPU some pooling gradients exist in no deterministic version: warn there instead of failing
        torch.use_deterministic_algorithms(True, warn_only=bool(devices))
        deterministic.fill_uninitialized_memory = False  # a fifth of the time, and nothing reads it
        try:
            yield
        finally:
            deterministic.fill_uninitialized_memory = fill
            torch.use_deterministic_algorithms(strict, warn_only=warn_only)
            torch.set_num_threads(before)


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A clip in memory.

    Args:
        arrays: What `featurise` made.
        labels: Its labels; `labels.label` is 0 or 1.
        segments: Forged stretches, seconds.
    """

    arrays: Mapping[str, NDArray[Any]]
    labels: Labels
    segments: tuple[Segment, ...]

    @property
    def fake(self) -> int:
        """1 = fake."""
        return 1 if self.labels.label else 0


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """The usable clips of a set, and what was left out, by reason."""

    items: tuple[Example, ...]
    dropped: Mapping[str, int]


def collect(views: Sequence[LabelledView]) -> Examples:
    """Read the features of all labelled clips; those without label or media are counted, not hidden."""
    items: list[Example] = []
    dropped: Counter[str] = Counter()
    for labelled in views:
        if labelled.labels.label is None:
            dropped["no_label"] += 1
            continue
        try:
            arrays = labelled.view.features()
        except MediaError as error:
            dropped[error.code] += 1
            continue
        items.append(Example(arrays, labelled.labels, labelled.segments))
    return Examples(tuple(items), dict(sorted(dropped.items())))


def require_classes(examples: Examples, name: str, *, fakes: bool) -> None:
    """Refuse a training set that cannot be learnt from.

    Raises:
        CmdfdError: If it holds fewer than two reals, or no fake where fakes are needed.
    """
    n_fake = sum(example.fake for example in examples.items)
    n_real = len(examples.items) - n_fake
    if n_real < 2 or (fakes and not n_fake):
        lost = f" ({sum(examples.dropped.values())} clips were unusable: {dict(examples.dropped)})"
        need = "two real clips and a fake one" if fakes else "two real clips"
        raise CmdfdError(
            f"{name}: training needs at least {need}, got {n_real} real and {n_fake} fake"
            + (lost if examples.dropped else "")
        )


def forged_share(segments: Sequence[Segment], start: float, end: float) -> float:
    """Share of [start, end] seconds that forged stretches cover (overlapping ones count once)."""
    covered, reached = 0.0, start
    for segment in sorted(segments, key=lambda s: s.start):
        low, high = max(segment.start, reached), min(segment.end, end)
        if high > low:
            covered += high - low
            reached = high
    return covered / (end - start)


def window_label(example: Example, start: float, end: float) -> int:
    """Label of a stretch of a clip: 1 forged, 0 real, -1 neither clearly.

    A fake whose forged stretches are not known is forged throughout.
    """
    if not example.fake:
        return 0
    if not example.segments:
        return 1
    share = forged_share(example.segments, start, end)
    return 1 if share >= FORGED_SHARE else (0 if share == 0 else -1)


def modality_label(label: int | None, window: int) -> int:
    """Label of one modality in a window: 1 fake, 0 real, -1 unknown."""
    if window <= 0:
        return window
    return -1 if label is None else label


class BestState:
    """Keeps the state of the best epoch so far: higher AUC first, then lower loss; the earlier one wins ties."""

    def __init__(self) -> None:
        self.rank = (-np.inf, -np.inf)
        self.step = -1
        self.state: dict[str, torch.Tensor] | None = None

    def offer(self, net: nn.Module, step: int, auc: float | None, loss: float) -> None:
        """Compare one state; `auc` is None where the selection set has one class only."""
        rank = (-1.0 if auc is None else auc, -loss)
        if rank > self.rank:
            self.rank, self.step = rank, step
            self.state = copy.deepcopy({name: tensor.detach().cpu() for name, tensor in net.state_dict().items()})

    def restore(self, net: nn.Module) -> None:
        """Put the best state back."""
        if self.state is not None:
            net.load_state_dict(self.state)


def safe_auc(labels: Sequence[int], scores: Sequence[float]) -> float | None:
    """AUC, or None where only one class is there."""
    from cmdfd.statistics.roc import auc

    if len(set(labels)) < 2:
        return None
    return float(auc(np.asarray(labels), np.asarray(scores)))


def choose_threshold(labels: Sequence[int], scores: Sequence[float]) -> float | None:
    """Threshold of the highest balanced accuracy, or None where only one class is there."""
    from cmdfd.statistics.roc import best_threshold

    if len(set(labels)) < 2:
        return None
    return float(best_threshold(np.asarray(labels), np.asarray(scores)))
