"""Small clips in memory, trivially separable in sound, picture and synchrony, for trying detectors without data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.detector import LabelledView
from benchmarks.views import MemoryView
from cmdfd.clip import REAL, Labels, Modality, Segment
from cmdfd.faces.tracks import N_POINTS, FaceTrack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

SIZE = 112
FPS = 25.0
SAMPLE_RATE = 16000
FAKE = Labels(label=1, audio_label=1, video_label=1, sync_mismatch=1, identity_mismatch=0)


@dataclass(frozen=True, slots=True)
class MockSet:
    """Clips for fitting, selecting and asking.

    Args:
        train: 16 labelled clips of 8 people.
        select: 8 labelled clips of 4 other people.
        test: 8 clips of 4 other people.
        test_labels: Their labels.
        hostile: Clips that lack something, by what they lack.
    """

    train: list[LabelledView]
    select: list[LabelledView]
    test: list[MemoryView]
    test_labels: list[int]
    hostile: Mapping[str, MemoryView]


def mock_points(opening: float) -> NDArray[np.float32]:
    """68 points of an upright face in the middle of the picture.

    Args:
        opening: 0 closed to 1 wide open; moves lips and jaw only.

    Returns:
        [68, 2] fractions of the picture.
    """
    points = np.zeros((N_POINTS, 2), np.float32)
    angle = np.linspace(np.pi, 0, 17)
    points[0:17] = np.stack([0.5 + 0.28 * np.cos(angle), 0.45 + (0.36 + 0.04 * opening) * np.sin(angle)], axis=1)
    points[17:27, 0] = np.concatenate([np.linspace(0.28, 0.45, 5), np.linspace(0.55, 0.72, 5)])
    points[17:27, 1] = 0.33
    points[27:31] = np.stack([np.full(4, 0.5), np.linspace(0.42, 0.56, 4)], axis=1)
    points[31:36] = np.stack([np.linspace(0.44, 0.56, 5), np.full(5, 0.59)], axis=1)
    for first, centre in ((36, 0.37), (42, 0.63)):
        turn = np.array([np.pi, 4 * np.pi / 3, 5 * np.pi / 3, 0, np.pi / 3, 2 * np.pi / 3])
        points[first : first + 6] = np.stack([centre + 0.05 * np.cos(turn), 0.42 + 0.018 * np.sin(turn)], axis=1)
    for first, count, width, height in ((48, 12, 0.11, 0.035), (60, 8, 0.09, 0.005)):
        turn = np.pi - np.arange(count) * 2 * np.pi / count
        ring = np.stack([0.5 + width * np.cos(turn), 0.70 - (height + 0.05 * opening) * np.sin(turn)], axis=1)
        points[first : first + count] = ring
    return points


def mock_view(name: str, seed: int, *, fake: bool, seconds: float = 2.4) -> MemoryView:
    """One clip: a grey face whose mouth opens with the loudness of a hum.

    In a fake the sound has a hiss, the picture grain all over (its mask is full), and the mouth moves against the hum.

    Args:
        name: Id of the view.
        seed: Decides the motion.
        fake: Which class.
        seconds: Length.
    """
    rng = np.random.default_rng([seed, 0x0C])
    n = round(seconds * FPS)
    times = np.arange(n) / FPS
    rate = rng.uniform(2.0, 4.0)
    loud = 0.5 + 0.5 * np.sin(2 * np.pi * rate * times + rng.uniform(0, 6.28))
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tone = np.sin(2 * np.pi * rng.uniform(110, 220) * t) + 0.5 * np.sin(2 * np.pi * rng.uniform(400, 900) * t)
    sound = 0.2 * tone * np.interp(t, times, loud) + rng.normal(0, 0.05 if fake else 0.002, len(t))
    opening = 1.0 - loud if fake else loud
    points = np.stack([mock_points(float(value)) for value in opening])
    frames = np.stack([_draw(face, float(value)) for face, value in zip(points, opening, strict=True)])
    grain = rng.standard_normal(frames.shape, dtype=np.float32) * np.float32(18 if fake else 2)
    grey = np.clip(frames + grain, 0, 255).astype(np.uint8)
    video = np.repeat(grey[..., None], 3, axis=3)
    track = FaceTrack(times, points.astype(np.float32), np.ones(n, bool), "mock")
    cues = {"time.av_gap": float(rng.normal()), "rate.file_size": float(rng.normal())}
    return MemoryView(name, FPS, SAMPLE_RATE, video, sound.astype(np.float32), track, cues)


def _draw(points: NDArray[np.float32], opening: float) -> NDArray[np.float32]:
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    picture = np.full((SIZE, SIZE), 90.0)
    picture[((x - 0.5) / 0.28) ** 2 + ((y - 0.5) / 0.38) ** 2 < 1] = 180
    for eye in (36, 42):
        cx, cy = points[eye : eye + 6].mean(axis=0)
        picture[((x - cx) / 0.05) ** 2 + ((y - cy) / 0.02) ** 2 < 1] = 40
    picture[((x - 0.5) / 0.11) ** 2 + ((y - 0.70) / (0.035 + 0.05 * opening)) ** 2 < 1] = 130
    picture[((x - 0.5) / 0.09) ** 2 + ((y - 0.70) / (0.005 + 0.05 * opening)) ** 2 < 1] = 25
    return picture.astype(np.float32)


@cache
def mock_set(seed: int = 0) -> MockSet:
    """The whole set; people are disjoint between its parts."""
    train = [_labelled(seed, person, fake) for person in range(8) for fake in (False, True)]
    select = [_labelled(seed, 100 + person, fake) for person in range(4) for fake in (False, True)]
    test_labels = [int(fake) for _ in range(4) for fake in (False, True)]
    test = [mock_view(f"test-{i}", seed * 1000 + 200 + i // 2, fake=bool(label)) for i, label in enumerate(test_labels)]
    whole = mock_view("hostile", seed * 1000 + 300, fake=False)
    hostile = {
        "no sound": MemoryView("no-sound", FPS, SAMPLE_RATE, whole.video, None, whole.face, whole.cues),
        "no face": MemoryView("no-face", FPS, SAMPLE_RATE, whole.video, whole.sound, None, whole.cues),
        "one frame": mock_view("one-frame", seed * 1000 + 301, fake=False, seconds=0.04),
        "silence": MemoryView(
            "silence", FPS, SAMPLE_RATE, whole.video, np.zeros_like(whole.audio()), whole.face, whole.cues
        ),
    }
    return MockSet(train, select, test, test_labels, hostile)


def _labelled(seed: int, person: int, fake: bool) -> LabelledView:
    view = mock_view(f"person-{person}-{int(fake)}", seed * 1000 + person, fake=fake)
    if not fake:
        return LabelledView(view, REAL, f"p{person}", "real")
    segments = (Segment(0.0, 2.4, Modality.BOTH),)
    return LabelledView(
        view, FAKE, f"p{person}", "mock", segments, lambda: np.full(view.video.shape[:3], 255, np.uint8)
    )
