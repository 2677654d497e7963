"""Takes with a drawn face for the tests of meshes: every part has a colour of its own, so that pixels can be judged."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tiny_source import make_take

from cmdfd.faces.tracks import FaceTrack
from generators.generator import Job, Outcome, Take
from generators.registry import make_generator, resolve_params

SIZE = 160
IRIS = (30, 60, 200)
RIM = 30  # pixels around the face that hold the background only


def drawn(
    name: str,
    *,
    skin: tuple[int, int, int] = (205, 160, 140),
    noise: float = 0.0,
    sway: float = 0.02,
    turn: float = 0.0,
) -> Take:
    """The tiny talker at 160 pixels: skin, brows, eyes with blue irises, red lips, dark inner mouth; a calm background.

    Args:
        name: Seeds movement and sound.
        skin: Its colour.
        noise: Standard deviation of sensor noise.
        sway: Amplitude of the head's movement as a share of the picture.
        turn: Shift of the nose to the image's right, a share of the picture.
    """
    small = make_take(name)
    assert small.track is not None
    rng = np.random.default_rng(list(name.encode()))
    points = small.track.points.astype(np.float64)
    n = len(points)
    points = 0.5 + (points - points.mean(axis=(0, 1))) * 0.62
    points[:, 27:36, 0] += turn
    clock = np.arange(n) / small.fps
    for axis in (0, 1):
        points[..., axis] += (sway * np.sin(2 * np.pi * (rng.uniform(0.6, 1.0) * clock + rng.random())))[:, None]
    frames = np.stack([_picture(shape * SIZE, skin) for shape in points])
    if noise:
        frames = np.rint(frames + rng.normal(0, noise, frames.shape)).clip(0, 255).astype(np.uint8)
    track = FaceTrack(small.track.times, points.astype(np.float32), np.ones(n, bool), "test")
    return Take(frames, small.fps, small.audio, small.sample_rate, track)


def _picture(shape: NDArray[np.float64], skin: tuple[int, int, int]) -> NDArray[np.uint8]:
    scale = 4  # drawn large and shrunk, so that edges lie between pixels
    ys, xs = np.mgrid[: SIZE * scale, : SIZE * scale] / (SIZE * scale)
    image = np.stack([90 + 40 * xs, 110 + 30 * ys, 120 + 20 * xs * ys], axis=-1).astype(np.uint8)

    def fill(points: NDArray[np.float64], colour: tuple[int, int, int]) -> None:
        cv2.fillPoly(image, [np.rint(points * scale).astype(np.int32)], colour)

    middle, chin = shape[[0, 16]].mean(axis=0), shape[8]
    width, height = np.hypot(*(shape[16] - shape[0])) / 2, np.hypot(*(chin - middle))
    cv2.ellipse(
        image, tuple(np.rint(middle * scale).astype(int).tolist()), (int(width * scale), int(height * scale)),
        0, 0, 360, skin, -1,
    )  # fmt: skip
    for brow in (range(17, 22), range(22, 27)):
        line = shape[list(brow)]
        fill(np.concatenate([line - (0, 2), np.add(line[::-1], (0, 1))]), (60, 40, 30))
    for eye in (range(36, 42), range(42, 48)):
        fill(shape[list(eye)], (235, 235, 235))
        centre = shape[list(eye)].mean(axis=0)
        cv2.circle(image, tuple(np.rint(centre * scale).astype(int).tolist()), int(1.6 * scale), IRIS, -1)
    fill(np.add(shape[31:36], (0, -1)), tuple(int(0.7 * c) for c in skin))  # type: ignore[arg-type]
    fill(shape[48:60], (190, 70, 80))
    fill(shape[60:68], (25, 15, 15))
    return np.asarray(cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA), np.uint8)


def job_for(name: str, take: Take, donor: Take | None = None, relation: str = "partner", seed: int = 0) -> Job:
    """A job over frames 5 to 30 of a take."""
    rng = np.random.default_rng(seed)
    return Job(take, donor, 0.2, 1.0, resolve_params(name, {}), rng, 0, relation, "donor-face", "donor-voice")


def forge(name: str, take: Take, donor: Take | None = None, **how: Any) -> Outcome:
    """What a generator makes of a take."""
    return make_generator(name).generate(job_for(name, take, donor, **how))


def shams(name: str, take: Take, donor: Take | None = None) -> Outcome:
    """Its sham."""
    made: Outcome = make_generator(name).sham(job_for(name, take, donor))
    return made


def with_track(take: Take, points: NDArray[Any] | None) -> Take:
    """The take with other landmarks, or with none."""
    assert take.track is not None
    track = None
    if points is not None:
        track = FaceTrack(take.track.times, np.asarray(points, np.float32), take.track.found, "test")
    return Take(take.frames, take.fps, take.audio, take.sample_rate, track, take.speech)


def darkness(frames: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Dark pixels of the open mouth in every picture; no landmark is read. Brows are left out by place."""
    lower = frames[:, SIZE // 2 + 4 :].max(axis=-1).astype(np.float64)
    return np.asarray(np.clip((110 - lower) / 80, 0, 1).sum(axis=(1, 2)))


def blue(frames: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How much iris every picture shows, [T, H, W] 0 to 1."""
    wide = frames.astype(np.float64)
    return np.clip((wide[..., 2] - wide[..., 0] - 60) / 90, 0, 1)


def centroid(weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Middle of a picture's weight as (x, y)."""
    ys, xs = np.indices(weight.shape)
    return np.array([(xs * weight).sum(), (ys * weight).sum()]) / weight.sum()
