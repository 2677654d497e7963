"""Small takes for scenes: every frame is of its own, and marks stand where they can be found again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cmdfd.faces.tracks import FaceTrack
from generators.generator import Take

RATE = 16000


def clock_take(
    level: int = 0,
    *,
    size: tuple[int, int] = (64, 64),
    fps: float = 25.0,
    seconds: float = 1.0,
    rate: int = RATE,
    tone: float = 200.0,
) -> Take:
    """A take whose red is `level`, and whose green says the number of the frame (5 a frame)."""
    n = round(seconds * fps)
    frames = np.zeros((n, size[1], size[0], 3), np.uint8)
    frames[..., 0] = level
    frames[..., 1] = (5 * np.arange(n))[:, None, None] % 256
    t = np.arange(round(seconds * rate) + 8) / rate
    return Take(frames, fps, (0.4 * np.sin(2 * np.pi * tone * t)).astype(np.float32), rate)


def noisy_take(rng: np.random.Generator, *, size: tuple[int, int], seconds: float = 0.2, fps: float = 25.0) -> Take:
    """A take of smooth, moving colours between 40 and 215."""
    n = round(seconds * fps)
    ys, xs = np.mgrid[: size[1], : size[0]]
    a, b, c = rng.uniform(0.02, 0.2, 3)
    waves = [np.sin(a * xs + b * ys * (k + 1) + c * np.arange(n)[:, None, None]) for k in range(3)]
    frames = (127 + 87 * np.stack(waves, axis=-1)).astype(np.uint8)
    audio = (0.1 * rng.standard_normal(round(seconds * RATE) + 8)).astype(np.float32)
    return Take(frames, fps, audio, RATE)


def track_of(points: NDArray[np.float32], n: int, fps: float = 25.0) -> FaceTrack:
    """A track that stands still."""
    return FaceTrack(np.arange(n) / fps, np.repeat(points[None], n, axis=0), np.ones(n, bool), "test")
