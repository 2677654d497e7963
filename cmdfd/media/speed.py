"""How fast this package decodes, against the ffmpeg program on the same file at the same time."""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cmdfd.media.decode import iter_frames
from cmdfd.media.ffmpeg import local, run_graph

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class DecodeSpeed:
    """Times for decoding every frame of a file to RGB.

    Args:
        ratio: Median over rounds of our wall time over ffmpeg's of the same round; 1 is as fast.
        cpu_ratio: The same of processor time over all threads, which load on the machine disturbs less.
        seconds: Our median wall time.
        ffmpeg_seconds: ffmpeg's (`-vf format=rgb24 -f null -`), start of the program included.
        n_frames: Frames of the file.
        rounds: Number of rounds.
    """

    ratio: float
    cpu_ratio: float
    seconds: float
    ffmpeg_seconds: float
    n_frames: int
    rounds: int


@dataclass(frozen=True, slots=True)
class _Cost:
    wall: float
    cpu: float


def _cost(action: Callable[[], object]) -> _Cost:
    """Wall and processor time of an action, programs that it started and waited for included."""
    before, start = os.times(), time.perf_counter()
    action()
    wall, after = time.perf_counter() - start, os.times()
    return _Cost(wall, sum(after[:4]) - sum(before[:4]))


def measure_decode(path: Path, rounds: int = 5) -> DecodeSpeed:
    """Decode a file in turn by `iter_frames` and by ffmpeg.

    Both run in every round, so that other load on the machine strikes both; one round ahead warms the caches.

    Args:
        path: A video file.
        rounds: Number of rounds, >= 1.

    Returns:
        Median times and their ratio.

    Raises:
        MediaError: If the file cannot be decoded.
        FfmpegError: If ffmpeg is missing or fails.
    """
    import ffmpeg

    node = ffmpeg.input(local(path), protocol_whitelist="file")
    graph = node.video.output("-", format="null", vf="format=rgb24")
    counts: list[int] = []

    def ours() -> None:
        counts.append(sum(1 for _ in iter_frames(path)))

    pairs = [(_cost(ours), _cost(lambda: run_graph(graph))) for _ in range(rounds + 1)][1:]
    return DecodeSpeed(
        ratio=statistics.median(mine.wall / theirs.wall for mine, theirs in pairs),
        # os.times counts in ticks of 10 ms: a file shorter than that costs one tick.
        cpu_ratio=statistics.median(max(mine.cpu, 0.01) / max(theirs.cpu, 0.01) for mine, theirs in pairs),
        seconds=statistics.median(mine.wall for mine, _ in pairs),
        ffmpeg_seconds=statistics.median(theirs.wall for _, theirs in pairs),
        n_frames=counts[0],
        rounds=rounds,
    )
