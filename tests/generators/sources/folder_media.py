"""Recordings that the tests of the folder source make themselves, and a backend that finds the faces in them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cmdfd.faces.linking import link

if TYPE_CHECKING:
    from cmdfd.faces.tracks import FaceTrack
    from cmdfd.media.decode import Video

SKIN, LEFT, RIGHT = (150, 150, 150), (230, 20, 20), (20, 20, 230)
#: Of the drawn face, as a fraction of its size: outer corner to outer corner.
EYES = 0.4


def draw_face(image: np.ndarray, x: float, y: float, size: float, opening: float) -> None:
    """A head with a red eye at the left, a blue one at the right and a dark mouth; (x, y) lies between the eyes."""

    def at(dx: float, dy: float) -> tuple[int, int]:
        return round(x + dx * size), round(y + dy * size)

    radius = round(0.1 * size)
    cv2.ellipse(image, at(0, 0.2), (round(0.42 * size), round(0.55 * size)), 0, 0, 360, SKIN, -1)
    cv2.circle(image, at(-EYES / 2 + 0.05, 0), radius, LEFT, -1)
    cv2.circle(image, at(EYES / 2 - 0.05, 0), radius, RIGHT, -1)
    cv2.ellipse(image, at(0, 0.4), (radius, max(round(0.1 * size * opening), 1)), 0, 0, 360, (20, 20, 20), -1)


def clip(
    seconds: float = 3.0,
    fps: float = 25.0,
    width: int = 320,
    height: int = 240,
    size: float = 110.0,
    faces: int = 1,
    drift: float = 0.0,
    hidden: float = 0.0,
) -> np.ndarray:
    """[T, H, W, 3]; the first `hidden` share of the frames shows nobody; `drift` in pixels per second to the right."""
    n = round(seconds * fps)
    frames = np.full((n, height, width, 3), (60, 90, 60), np.uint8)
    for k in range(round(hidden * n), n):
        for face in range(faces):
            x = width * (face + 1) / (faces + 1) + drift * k / fps
            draw_face(frames[k], x, height * 0.4, size, 0.5 + 0.5 * np.sin(k / 3))
    return frames


def tone(seconds: float, sample_rate: int = 48000) -> np.ndarray:
    times = np.arange(round(seconds * sample_rate)) / sample_rate
    return (0.3 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)


class DotBackend:
    """Finds the drawn faces by the colours of their eyes: pairs of red and blue spots, from left to right."""

    name = "dots"
    label = "dots 1"

    def __init__(self, model: Path | None = None) -> None:
        self.seen: list[tuple[int, ...]] = []

    def track(self, video: Video) -> list[FaceTrack]:
        self.seen.append(video.frames.shape)
        return link([_faces(frame) for frame in video.frames], video.times - video.times[:1], self.label)


def _faces(frame: np.ndarray) -> list[np.ndarray]:
    red, _, blue = np.moveaxis(frame.astype(int), 2, 0)
    lefts, rights = _spots(red - blue > 100), _spots(blue - red > 100)
    height, width = frame.shape[:2]
    faces = []
    for left, right in zip(lefts, rights, strict=False):
        centre, axis = (left + right) / 2, right - left
        outer = np.linalg.norm(axis) * EYES / (EYES - 0.1)
        points = np.empty((68, 2))
        points[:] = centre + np.array([0.0, outer])
        points[:17] = centre + np.stack([np.linspace(-1, 1, 17) * outer, np.full(17, 1.2 * outer)], axis=1)
        for index, side in ((36, -0.5), (39, -0.25), (42, 0.25), (45, 0.5)):
            points[index] = centre + axis / np.linalg.norm(axis) * side * outer
        faces.append((points / (width, height)).astype(np.float32))
    return faces


def _spots(mask: np.ndarray) -> list[np.ndarray]:
    n, _, stats, centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    large = [centres[k] + 0.5 for k in range(1, n) if stats[k, cv2.CC_STAT_AREA] > 12]
    return sorted(large, key=lambda centre: float(centre[0]))


BACKEND = f"{__file__}:DotBackend"


def write_ledger(
    path: Path, rows: list[tuple[str, ...]], header: str = "file,identity,licence,consent,pristine"
) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        stream.write(header + "\n")
        csv.writer(stream).writerows(rows)
    return path


def ledger_of_inventory(inventory: Path, path: Path) -> Path:
    """A `sources.csv` for the videos of an INVENTORY.csv like that of the shared clips."""
    with inventory.open(newline="", encoding="utf-8") as stream:
        rows = [
            (row["file"], row["identity"], row["licence_class"], "unknown", str(_is_real(row)).lower())
            for row in csv.DictReader(stream)
            if row["kind"] == "video"
        ]
    return write_ledger(path, rows)


def _is_real(row: dict[str, str]) -> bool:
    return row["real_or_synthetic"].rstrip("?") == "real"
