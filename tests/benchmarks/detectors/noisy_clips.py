"""Clips in memory with a patch whose noise is not that of the picture, for the tests of `noise_residual`."""

from __future__ import annotations

import cv2
import numpy as np

from benchmarks.detector import LabelledView
from benchmarks.views import FeatureView, MemoryView
from cmdfd.clip import REAL, Labels, Modality, Segment

FAKE = Labels(label=1, audio_label=0, video_label=1, sync_mismatch=0, identity_mismatch=0)


def noisy(
    seed: int,
    *,
    fake: bool,
    size: tuple[int, int] = (96, 128),
    fps: float = 25.0,
    n: int = 13,
    grain: float = 2.0,
    foreign: float = 5.0,
    forged: tuple[int, int] | None = None,
) -> tuple[MemoryView, np.ndarray]:
    """A smooth picture with grain; in a fake, a disc of it comes from a picture with another grain.

    Args:
        seed: Decides everything.
        fake: Whether there is a disc.
        size: (height, width).
        fps: Frames per second.
        n: Frames.
        grain: Standard deviation of the picture's noise.
        foreign: That of the disc's.
        forged: First and last + 1 of the frames with the disc; None = all.

    Returns:
        The view, and its mask [n, height, width].
    """
    rng = np.random.default_rng([seed, 77])
    height, width = size
    coarse = rng.uniform(40, 215, (6, 8, 3)).astype(np.float32)
    scene = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    donor = cv2.resize(rng.uniform(40, 215, (6, 8, 3)).astype(np.float32), (width, height))
    y, x = np.mgrid[0:height, 0:width]
    centre = rng.uniform(0.3, 0.7, 2) * size
    disc = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < (0.22 * min(size)) ** 2
    first, last = forged or (0, n)
    frames, masks = [], []
    for k in range(n):
        here = disc & (fake and first <= k < last)
        noise = rng.normal(0, grain, (height, width, 3))
        noise[here] = rng.normal(0, foreign, (int(here.sum()), 3))
        frames.append(np.clip(np.where(here[..., None], donor, scene) + noise, 0, 255).astype(np.uint8))
        masks.append(np.where(here, 255, 0).astype(np.uint8))
    return MemoryView(f"clip-{seed}-{int(fake)}", fps, 16000, np.stack(frames), None, None), np.stack(masks)


def labelled(seed: int, detector: object, *, fake: bool, **options: object) -> LabelledView:
    """The same as a training example with its features."""
    view, mask = noisy(seed, fake=fake, **options)  # type: ignore[arg-type]
    first, last = options.get("forged") or (0, len(mask))  # type: ignore[misc]
    segments = (Segment(first / view.fps, last / view.fps, Modality.VIDEO),) if fake else ()
    seen = FeatureView(view, detector)  # type: ignore[arg-type]
    kind = "noise" if fake else "real"
    return LabelledView(seen, FAKE if fake else REAL, f"c{seed}", kind, segments, (lambda: mask) if fake else None)
