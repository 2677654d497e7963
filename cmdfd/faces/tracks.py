"""Face tracks: where the 68 points of a face are at every moment of a clip.

A track travels in a sidecar beside its clip, in normalised coordinates and seconds, so that it survives scaling,
cropping and a change of frame rate. The points are those of iBUG 300-W (Sagonas et al., 2013), which dlib made the
field's habit: 0-16 jaw from the image's left to its right, 17-26 brows, 27-30 nose bridge from top to tip, 31-35
nose base, 36-41 eye on the image's left (36 outer corner, 39 inner), 42-47 eye on the image's right (42 inner, 45
outer), 48-59 outer lips (48 left corner, 51 top, 54 right corner, 57 bottom), 60-67 inner lips (62 top, 66 bottom).
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

N_POINTS = 68
OUTER_EYES = (36, 45)
#: Points that no lip movement shifts: eye corners and the upper nose bridge. Crops are placed by these alone.
RIGID = (36, 39, 42, 45, 27, 28)
INNER_LIP_TOP, INNER_LIP_BOTTOM = 62, 66
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class FaceTrack:
    """One face over time.

    Args:
        times: [T] seconds on the clip's clock (0 = first frame), increasing.
        points: [T, 68, 2] x and y, as fractions of the picture's width and height; may leave [0, 1].
        found: [T] bool, False where the points were interpolated.
        backend: Who found it, e.g. "renderer", "mediapipe-solutions 0.10.21".
    """

    times: NDArray[np.float64]
    points: NDArray[np.float32]
    found: NDArray[np.bool_]
    backend: str

    def __post_init__(self) -> None:
        n = len(self.times)
        if self.points.shape != (n, N_POINTS, 2) or self.found.shape != (n,):
            raise ValueError(f"face track of {n} times has points {self.points.shape}, found {self.found.shape}")
        if n and not np.isfinite(self.points).all():
            raise ValueError("face track has points that are not finite")

    def at(self, times: NDArray[np.float64]) -> FaceTrack:
        """Resample the track at other times (linear between neighbours, held at the ends)."""
        if not len(self.times):
            raise ValueError("an empty face track cannot be resampled")
        if len(times) == len(self.times) and np.allclose(times, self.times, atol=1e-6):
            return self
        right = np.clip(np.searchsorted(self.times, times), 1, max(len(self.times) - 1, 1))
        left = right - 1
        right = np.minimum(right, len(self.times) - 1)
        span = np.maximum(self.times[right] - self.times[left], 1e-9)
        weight = np.clip((times - self.times[left]) / span, 0.0, 1.0).astype(np.float32)[:, None, None]
        points = self.points[left] * (1 - weight) + self.points[right] * weight
        nearest = np.where(weight[:, 0, 0] < 0.5, left, right)
        return FaceTrack(np.asarray(times, np.float64), points, self.found[nearest], self.backend)

    def window(self, start: float, times: NDArray[np.float64]) -> FaceTrack:
        """Cut a window: the points at `start + times`, on a clock that begins at 0 again."""
        moved = self.at(np.asarray(times, np.float64) + start)
        return FaceTrack(np.asarray(times, np.float64), moved.points, moved.found, moved.backend)


def save_track(path: Path, track: FaceTrack) -> None:
    """Write a track as an uncompressed .npz (byte-identical for equal tracks)."""
    with path.open("wb") as stream:
        np.savez(
            stream,
            schema_version=np.int64(SCHEMA_VERSION),
            times=track.times.astype("<f8"),
            points=track.points.astype("<f4"),
            found=track.found,
            backend=np.array(track.backend),
        )


def load_track(path: Path) -> FaceTrack:
    """Read a track back.

    Raises:
        ValueError: If the file is not a track of a known schema version; nothing is ever unpickled.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            if int(data["schema_version"]) != SCHEMA_VERSION:
                raise ValueError(f"{path}: face track of schema version {int(data['schema_version'])}")
            return FaceTrack(data["times"], data["points"], data["found"], str(data["backend"]))
    except (KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: not a face track: {error}") from error
