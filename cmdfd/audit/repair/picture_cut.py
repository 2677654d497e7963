"""One pass over a clip's pictures: those of a window at a constant rate, cut to the canvas's shape and scaled.

Frames are picked and scaled as they are decoded, so that memory holds the window at the size of the canvas and nothing
more. Mask and face track pass the same picks and the same map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.errors import MediaError
from cmdfd.media.grid import TIE_SECONDS, frame_count

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from cmdfd.faces.tracks import FaceTrack
    from cmdfd.media.decode import Frame

#: An end that is missed by less than this (seconds) is held: the rounding of a clock, not a lack of pictures.
TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Cut:
    """The middle part of a picture that has the canvas's shape, and the canvas.

    Args:
        left: Pixels left of the part.
        top: Pixels above it.
        width: Pixels of the part.
        height: Pixels of the part.
        picture: Width and height of the whole picture.
        canvas: Width and height of the canvas.
    """

    left: int
    top: int
    width: int
    height: int
    picture: tuple[int, int]
    canvas: tuple[int, int]

    @classmethod
    def middle(cls, width: int, height: int, canvas_width: int, canvas_height: int) -> Cut:
        """Largest part of that shape, in the middle."""
        inner_width = min(width, max(1, round(height * canvas_width / canvas_height)))
        inner_height = min(height, max(1, round(width * canvas_height / canvas_width)))
        left, top = (width - inner_width) // 2, (height - inner_height) // 2
        return cls(left, top, inner_width, inner_height, (width, height), (canvas_width, canvas_height))

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Cut and scale one picture, [H, W] or [H, W, 3], by the rule of `cmdfd.media.harmonise`."""
        part = image[self.top : self.top + self.height, self.left : self.left + self.width]
        if (self.width, self.height) == self.canvas:
            return part.copy()
        import cv2

        method = cv2.INTER_AREA if self.canvas[1] < self.height else cv2.INTER_LINEAR
        scaled = cv2.resize(np.ascontiguousarray(part), self.canvas, interpolation=method)
        return np.asarray(scaled, np.uint8)

    def place(self, track: FaceTrack) -> FaceTrack:
        """Move the points of a track (fractions of the picture) to fractions of the canvas."""
        from cmdfd.faces.tracks import FaceTrack

        size = np.array(self.picture, np.float32)
        corner, part = np.array([self.left, self.top], np.float32), np.array([self.width, self.height], np.float32)
        return FaceTrack(track.times, (track.points * size - corner) / part, track.found, track.backend)


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Pictures of a window.

    Args:
        frames: [T, h, w(, 3)] uint8.
        first: Seconds on the container's clock of the clip's first frame.
        cut: The map that they went through.
    """

    frames: NDArray[np.uint8]
    first: float
    cut: Cut


def pick(
    stream: Iterable[Frame], canvas: tuple[int, int], fps: float, start: float, seconds: float | None, longest: float
) -> Pictures:
    """Take the frame nearest in time to every `start + k / fps`, the earlier one where two are equally near.

    Args:
        stream: Frames in order of presentation.
        canvas: Width and height to come to.
        fps: Frames per second to come to.
        start: Seconds after the first frame.
        seconds: Length of the window, or None for all that there is.
        longest: Seconds that are taken at most where `seconds` is None.

    Raises:
        MediaError: "too_short" where the pictures end before the window.
    """
    wanted = frame_count(seconds if seconds is not None else longest, fps)
    taken: list[NDArray[np.uint8]] = []
    before: Frame | None = None
    scaled: NDArray[np.uint8] | None = None  # of `before`, once it was wanted
    steps: list[float] = []
    first, cut = 0.0, Cut.middle(1, 1, *canvas)
    for frame in stream:
        if before is None:
            first = frame.time
            cut = Cut.middle(frame.image.shape[1], frame.image.shape[0], *canvas)
        else:
            steps.append(frame.time - before.time)
            middle = (before.time + frame.time) / 2
            while len(taken) < wanted and first + start + len(taken) / fps - TIE_SECONDS <= middle:
                scaled = cut.apply(before.image) if scaled is None else scaled
                taken.append(scaled)
        before, scaled = frame, None
        if len(taken) >= wanted:
            break
    if before is None:
        raise MediaError("too_short", "take", "there is no frame")
    period = float(np.median(steps)) if steps else 1 / fps
    end = before.time - first + period - start
    while len(taken) < min(wanted, whole_frames(end, fps)):
        scaled = cut.apply(before.image) if scaled is None else scaled
        taken.append(scaled)
    if not taken or (seconds is not None and len(taken) < wanted):
        raise MediaError("too_short", "take", f"the pictures end after {start + end:.3f} s, before the window")
    return Pictures(np.stack(taken), first, cut)


def whole_frames(seconds: float, fps: float) -> int:
    """Frames that fit into a length."""
    return max(0, int(np.floor((seconds + TOLERANCE) * fps + 1e-6)))


def pick_masks(path: Path, pictures: Pictures, fps: float, start: float) -> NDArray[np.uint8]:
    """Masks of the same window through the same map: [T, h, w] uint8.

    Args:
        path: Mask file, on the clock of the clip's first frame.
        pictures: The window's pictures.
        fps: Frames per second.
        start: Seconds after the first frame.
    """
    from cmdfd.media.decode import iter_frames

    seconds = len(pictures.frames) / fps
    found = pick(iter_frames(path, pixel_format="gray"), pictures.cut.canvas, fps, start, seconds, seconds)
    if found.cut.picture != pictures.cut.picture:
        raise MediaError(
            "unsupported", path, f"the mask is {found.cut.picture} pixels large, the clip {pictures.cut.picture}"
        )
    return found.frames
