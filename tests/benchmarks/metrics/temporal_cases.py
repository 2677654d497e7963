"""Random cases of temporal localization, small enough for loops, with ties, equal overlaps and crossed matches."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from benchmarks.metrics.temporal_arrays import Proposals, Truth

Case = dict[str, list[list[list[float]]]]

GRIDS = (0.5, 0.1, 0.04, 0.01, 1e-4, 0.0)
STEPS = (2, 5, 10, 1000)


class Chance:
    """Only `random.random`, whose numbers Python promises to keep for a seed, so that recorded results stay valid."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed * 7919 + 4).random

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * self.random()

    def below(self, n: int) -> int:
        return int(self.random() * n)

    def normal(self, scale: float) -> float:
        return scale * (sum(self.random() for _ in range(12)) - 6.0)


def random_case(seed: int) -> Case:
    """Truth and proposals of 1 to 39 videos, by turns on grids of times and confidences, where ties are the rule.

    No video is without proposals, at which the reference panics. Proposals are in no order in every other case.
    """
    chance = Chance(seed)
    grid, steps = GRIDS[seed % 6], STEPS[seed // 6 % 4]
    truth: list[list[list[float]]] = []
    proposals: list[list[list[float]]] = []
    for _ in range(1 + chance.below(39)):
        stretches: list[list[float]] = []
        for _ in range(chance.below(4)):
            new = _stretch(chance.uniform(0, 6), chance.uniform(0.2, 3), grid)
            if new not in stretches:
                stretches.append(new)
        given = [_proposal(chance, stretches, grid, steps) for _ in range(1 + chance.below(11))]
        if seed % 2:
            given.sort(key=lambda row: -row[0])
        truth.append(stretches)
        proposals.append(given)
    if not any(truth):
        truth[0].append([0.0, 1.0])
    return {"truth": truth, "proposals": proposals}


def _proposal(chance: Chance, stretches: list[list[float]], grid: float, steps: int) -> list[float]:
    confidence = round(chance.below(steps + 1) / steps, 6)
    if not stretches or chance.random() < 0.4:
        return [confidence, *_stretch(chance.uniform(0, 6), chance.uniform(0.2, 3), grid)]
    a, b = stretches[chance.below(len(stretches))]
    shift = chance.normal(0.15 * (b - a)) * (chance.random() < 0.6)
    grow = chance.normal(0.15 * (b - a)) * (chance.random() < 0.6)
    return [confidence, *_stretch(max(a + shift, 0.0), max(b - a + grow, 0.05), grid)]


def _stretch(start: float, length: float, grid: float) -> list[float]:
    if not grid:
        return [start, start + length]
    first = round(start / grid)
    return [round(first * grid, 6), round((first + max(round(length / grid), 1)) * grid, 6)]


def arrays(case: Case) -> tuple[Truth, Proposals, int]:
    """The case as checked arrays, rows in file order."""
    n = len(case["truth"])
    truth: Any = [(v, a, b) for v, part in enumerate(case["truth"]) for a, b in part]
    given: Any = [(v, a, b, c) for v, part in enumerate(case["proposals"]) for c, a, b in part]
    t, p = np.array(truth).reshape(-1, 3), np.array(given).reshape(-1, 4)
    return (
        Truth.of(t[:, 0].astype(np.int64), t[:, 1], t[:, 2], n_videos=n),
        Proposals.of(p[:, 0].astype(np.int64), p[:, 1], p[:, 2], p[:, 3], n_videos=n),
        n,
    )
