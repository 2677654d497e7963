"""A face for tests: skin, red lips and a dark mouth, drawn from the tiny source's track; and speech-like sound."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tiny_source import make_take

from cmdfd.faces.tracks import FaceTrack
from generators.generator import Job, Outcome, Take
from generators.registry import make_generator, resolve_params

SIZE = 192
#: Frames that every job of `forge` may change.
INSIDE = slice(5, 30)


def big(name: str, turn: float = 0.0, seconds: float = 1.7) -> Take:
    """The tiny talker at 192 pixels, with a dark mouth drawn from its track, turned by `turn` degrees."""
    small = make_take(name, seconds)
    assert small.track is not None
    frames = np.stack([cv2.resize(frame, (SIZE, SIZE)) for frame in make_plain(len(small.frames))])
    points = small.track.points.astype(np.float64)
    affine = cv2.getRotationMatrix2D((0.5, 0.5), turn, 1.0)
    points = points @ affine[:, :2].T + affine[:, 2]
    for frame, shape in zip(frames, points, strict=True):
        inner = shape[[60, 61, 62, 63, 64, 65, 66, 67]] * SIZE
        cv2.fillPoly(frame, [np.rint(shape[48:60] * SIZE).astype(np.int32)], (190, 80, 80))
        cv2.fillPoly(frame, [np.rint(inner).astype(np.int32)], (25, 15, 15))
    track = FaceTrack(small.track.times, points.astype(np.float32), small.track.found, "test")
    return Take(frames, small.fps, small.audio, small.sample_rate, track)


def make_plain(n: int) -> NDArray[np.uint8]:
    """Skin without a face, [n, 64, 64, 3]."""
    ys, xs = np.mgrid[:64, :64] / 64
    skin = np.stack([200 + 20 * np.sin(30 * xs), 160 + 20 * np.cos(25 * ys), 140 + 10 * np.sin(20 * (xs + ys))], -1)
    return np.repeat(skin[None], n, axis=0).astype(np.uint8)


def envelope(seed: int, n: int) -> NDArray[np.float64]:
    """Loudness of `n` frames: syllables of 120 to 280 ms of different strength, with pauses."""
    rng = np.random.default_rng(seed)
    knots = np.cumsum(rng.uniform(2.0, 4.0, n))
    heights = rng.uniform(0.0, 1.0, n) * (np.arange(n) % 2)
    return np.asarray(np.interp(np.arange(n), knots, heights))


def sound_of(loud: NDArray[np.float64], seed: int = 0, rate: int = 16000, fps: float = 25.0) -> NDArray[np.float32]:
    """Noise whose amplitude during each frame is what `loud` says, with a little hum and hiss."""
    rng = np.random.default_rng([seed, 7])
    n = round(len(loud) * rate / fps)
    amplitude = np.interp((np.arange(n) + 0.5) * fps / rate - 0.5, np.arange(len(loud)), loud)
    samples = 0.2 * amplitude * rng.standard_normal(n) + 1e-4 * rng.standard_normal(n)
    return np.asarray(samples + 0.02 * np.sin(2 * np.pi * 60 * np.arange(n) / rate), np.float32)


def with_sound(take: Take, seed: int) -> Take:
    """A take with the speech-like sound of a seed, and a little of it beyond the last frame."""
    return replace(take, audio=sound_of(envelope(seed, len(take.frames) + 5), seed))


def forge(name: str, take: Take, donor: Take | None = None, seed: int = 0, **params: Any) -> Outcome:
    """Run a generator on the second that begins at 0.2 s."""
    return make_generator(name).generate(job_of(name, take, donor, seed, **params))


def job_of(name: str, take: Take, donor: Take | None = None, seed: int = 0, **params: Any) -> Job:
    """The job of `forge`."""
    relation = "" if donor is None else "self" if donor is take else "partner"
    start, seconds = 0.2, take.duration - 0.7
    values = resolve_params(name, params)
    return Job(take, donor, start, seconds, values, np.random.default_rng(seed), relation=relation)


def darkness(take: Take) -> NDArray[np.float64]:
    """Opening as the pixels tell it: dark pixels of the mouth, without any landmark of lips."""
    assert take.track is not None
    dark = (take.frames.max(axis=-1) < 90).sum(axis=(1, 2)).astype(float)
    eyes = take.track.points[:, 45] - take.track.points[:, 36]
    return np.asarray(dark / (np.hypot(*eyes.T) * take.frames.shape[1]) ** 2)
