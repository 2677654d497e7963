"""Boards and answers in memory, and the plainest recomputation of what ranking says of them.

Other tests import it by its bare name. Nothing here calls the code that is tested, but for the draws themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from cmdfd.statistics.bootstrap import draw_components
from leaderboards.entries import Answers, Entry, OpenBoard, Truth
from leaderboards.records import Board, BoardSet, Rules, Submission
from leaderboards.scores import set_seed

SHA = "0" * 64


def make_truth(
    name: str,
    labels: Sequence[int],
    components: Sequence[str],
    kinds: Sequence[str] | None = None,
    platforms: Sequence[str] | None = None,
    segments: Sequence[list[dict[str, Any]]] | None = None,
) -> Truth:
    """A set; kinds are "fake" and platforms "" unless they are given."""
    n = len(labels)
    table = pd.DataFrame(
        {
            "id": [f"{k:06d}" for k in range(n)],
            "sha256": [SHA] * n,
            "label": np.asarray(labels, dtype=np.int8),
            "kind": list(kinds) if kinds is not None else ["fake" if label else "real" for label in labels],
            "variant": [""] * n,
            "component": list(components),
            "platform": list(platforms) if platforms is not None else [""] * n,
            "scene": [""] * n,
            "original": [""] * n,
            "duration": [4.0] * n,
            "true_segments": list(segments) if segments is not None else [[] for _ in range(n)],
            "masked_pixels": np.full(n, -1),
            "pixels": np.full(n, -1),
        }
    )
    one = BoardSet(name=name, title=name, truth="truth/x.parquet", truth_sha256=SHA)
    return Truth(one, table)


def paired_truth(name: str, n_components: int = 20, prefix: str = "c", platforms: bool = False) -> Truth:
    """Components of 2 reals and 4 fakes of two kinds; with platforms, each clip once more as a feed sent it."""
    labels, kinds = [0, 0, 1, 1, 1, 1], ["real", "real", "swap", "swap", "tts", "tts"]
    sent = ["", "feed"] if platforms else [""]
    times = n_components * len(sent)
    components = [f"{prefix}{k:03d}" for _ in sent for k in range(n_components) for _ in labels]
    where = [platform for platform in sent for _ in range(n_components * len(labels))]
    return make_truth(name, labels * times, components, kinds * times, where)


def make_open(
    truths: Sequence[Truth],
    floors: Sequence[str] = (),
    metadata_floor: str | None = None,
    draws: int = 100,
    **more: Any,
) -> OpenBoard:
    """A board of sets."""
    board = Board(
        name="toy",
        title="Toy",
        summary="",
        rules=1,
        sets=[truth.set for truth in truths],
        floors=list(floors),
        metadata_floor=metadata_floor,
        **more,
    )
    return OpenBoard(board, Rules(version=1, since="2026-11-27", draws=draws), {t.set.name: t for t in truths})


def answer(
    scores: Sequence[float] | np.ndarray, trimmed: np.ndarray | None = None, rows: Mapping[str, Any] | None = None
) -> Answers:
    """Scores of a system on a set; nothing over time unless it is given."""
    values = np.asarray(scores, dtype=np.float64)
    n = len(values)
    columns: dict[str, Any] = {
        "times": [None] * n,
        "frame_scores": [None] * n,
        "proposals": [[] for _ in range(n)],
        "proposal_rule": [""] * n,
        "error": ["no_face: none" if math.isnan(value) else None for value in values],
    }
    return Answers(values, pd.DataFrame({**columns, **(rows or {})}), trimmed)


def make_entry(
    slug: str, answers: Mapping[str, Answers], trained_on: Sequence[str] | None = ("other/train",), **more: Any
) -> Entry:
    """A verified submission."""
    submission = Submission.model_validate(
        {
            "board": "toy",
            "submitted_at": "2026-11-27",
            "system": {
                "name": f"System {slug}",
                "slug": slug,
                "description": "",
                "modalities": ["video"],
                "licence": "MIT",
            },
            "trained_on": None if trained_on is None else list(trained_on),
            "score_direction": "higher_is_fake",
            "predictions": {"file": "x.parquet", "sha256": SHA, "size": 1},
            "harness": "cmdfd",
            "submitter": {"name": "A Person"},
            **more,
        }
    )
    return Entry(submission, dict(answers))


def noisy(truth: Truth, quality: float, seed: int, decimals: int = 1) -> np.ndarray:
    """Scores with ties; what a component has in common moves them too."""
    rng = np.random.default_rng(seed)
    names, codes = np.unique(truth.table["component"].to_numpy(dtype=str), return_inverse=True)
    shift = 0.5 * rng.normal(size=len(names))[codes]
    return np.round(quality * truth.table["label"].to_numpy(float) + shift + rng.normal(size=len(codes)), decimals)


def multiplicities(truth: Truth, draws: int) -> np.ndarray:
    """[draws, n] how often each clip stands in each draw."""
    table = truth.table
    components = table["component"].to_numpy(dtype=str)
    found = draw_components(components, draws, set_seed(0, truth.set.name), table["label"].to_numpy())
    return found.multiplicities[:, found.index]


def naive_auc(fakes: Sequence[float] | np.ndarray, reals: Sequence[float] | np.ndarray) -> float:
    """Every pair, one after another."""
    won = sum(1.0 if f > r else 0.5 if f == r else 0.0 for f in fakes for r in reals)
    return won / (len(fakes) * len(reals))


def naive_ends(draws: Sequence[float] | np.ndarray, n_components: int, level: float = 0.95) -> tuple[float, float]:
    """Expanded percentiles, from the definition."""
    t = stats.t.ppf((1 - level) / 2, n_components - 1)
    tail = stats.norm.cdf(t * math.sqrt(n_components / (n_components - 1)))
    return float(np.percentile(draws, 100 * tail)), float(np.percentile(draws, 100 * (1 - tail)))


def naive_ranks(values: Sequence[float]) -> list[int]:
    """One more than the number of those that are better."""
    return [1 + sum(other > value + 1e-12 for other in values) for value in values]


def naive_borda(table: Sequence[Sequence[float]]) -> list[float]:
    """Points of every system: those that it beats in a set, and half of those that it equals."""
    points = [0.0] * len(table)
    for values in zip(*table, strict=True):
        for i, mine in enumerate(values):
            better = sum(other > mine + 1e-12 for other in values)
            equal = sum(abs(other - mine) <= 1e-12 for other in values)
            points[i] += len(values) - (better + (equal + 1) / 2)
    return points
