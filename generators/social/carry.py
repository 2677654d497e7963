"""Masks and face tracks go the way of their video: the same frames, the same turn and scale, the same time stamps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmdfd.errors import MediaError
from cmdfd.faces.tracks import FaceTrack
from cmdfd.media.decode import DEFAULT_LIMITS, Limits, iter_frames
from cmdfd.media.encode import write_clip
from cmdfd.media.masks import MASK_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from fractions import Fraction
    from pathlib import Path

    from numpy.typing import NDArray

    from generators.social.graph import Target
    from generators.social.source import Source

#: A mask belongs to the frame whose time stamp is this near (seconds): Matroska rounds to 1 ms, and so may the video.
PAIR_SECONDS = 0.0015
#: Pixels by which a mask's size may differ from the displayed one: the stretch of a sample aspect ratio is rounded.
_SIZE_SLACK = 1


def shown_frames(ticks: Sequence[int], time_base: Fraction, rate: Fraction, n: int) -> NDArray[np.intp]:
    """Which frame FFmpeg's filter `fps=...:round=near` shows at every output frame.

    A frame's time goes to the nearest output frame, halves up; the last frame that came so far is shown, and of
    several that go to the same place the last one. The first frame stands at 0. In whole numbers, as the filter does.

    Args:
        ticks: Time stamps of the frames, increasing.
        time_base: Seconds of one tick.
        rate: Output frames per second.
        n: Number of output frames.

    Returns:
        [n] indices into `ticks`.
    """
    places = output_places(ticks, time_base, rate)
    return np.searchsorted(places, np.arange(n), side="right") - 1


def output_places(ticks: Sequence[int], time_base: Fraction, rate: Fraction) -> NDArray[np.int64]:
    """Nearest output frame of every frame, halves up; the first one has 0."""
    step = time_base * rate
    top, bottom = step.numerator, step.denominator
    return np.array([(2 * (tick - ticks[0]) * top + bottom) // (2 * bottom) for tick in ticks], np.int64)


def carry_mask(mask: Path, out: Path, source: Source, target: Target, shown: NDArray[np.intp]) -> None:
    """Write the mask of a sent clip: lossless, soft edges kept, one frame for each of its frames.

    Args:
        mask: Mask of the source: grey, of its displayed size, one frame for each of its frames, on their times.
        out: File to write.
        source: The clip that was sent.
        target: What it became.
        shown: Which frame is shown at every output frame.

    Raises:
        MediaError: "unsupported" where the mask has another size, number or times of frames; as `iter_frames`.
    """
    with_limits = Limits(max_frames=max(DEFAULT_LIMITS.max_frames, len(source.ticks)))
    frames = _scaled(_paired(mask, source, with_limits), target)
    write_clip(out, _repeated(frames, shown), float(target.rate), None, 0, MASK_SETTINGS)


def _paired(mask: Path, source: Source, limits: Limits) -> Iterator[NDArray[np.uint8]]:
    """Frames of the mask, each held to its video frame by time."""
    times = source.times
    first: float | None = None
    count = 0
    for frame in iter_frames(mask, pixel_format="gray", limits=limits):
        first = frame.time if first is None else first
        height, width = frame.image.shape
        if abs(width - source.width) > _SIZE_SLACK or abs(height - source.height) > _SIZE_SLACK:
            detail = f"the mask is {width}x{height}, its video is displayed at {source.width}x{source.height}"
            raise MediaError("unsupported", mask, detail)
        if count < len(times) and abs(frame.time - first - times[count]) > PAIR_SECONDS:
            detail = f"mask frame {count} lies at {frame.time - first:.4f} s, its video frame at {times[count]:.4f} s"
            raise MediaError("unsupported", mask, detail)
        count += 1
        yield frame.image
    if count != len(times):
        raise MediaError("unsupported", mask, f"the mask has {count} frames, its video {len(times)}")


def _scaled(frames: Iterator[NDArray[np.uint8]], target: Target) -> Iterator[NDArray[np.uint8]]:
    import cv2

    for image in frames:
        if image.shape == (target.height, target.width):
            yield image
        else:  # pixels are areas: their means keep edges soft and in place, as centres of both grids agree
            small = cv2.resize(image, (target.width, target.height), interpolation=cv2.INTER_AREA)
            yield np.asarray(small, np.uint8)


def _repeated(frames: Iterator[NDArray[np.uint8]], shown: NDArray[np.intp]) -> Iterator[NDArray[np.uint8]]:
    """Every frame as often as it is shown; the rest is read too, so that a mask of another length is found out."""
    counts = np.bincount(shown)
    for index, image in enumerate(frames):
        for _ in range(counts[index] if index < len(counts) else 0):
            yield image


def carry_track(track: FaceTrack, source: Source, target: Target, shown: NDArray[np.intp]) -> FaceTrack:
    """The track of a sent clip: at every output frame, where the face is in the frame that is shown there.

    Args:
        track: Of the source, seconds from its first frame, normalised coordinates of the displayed picture.
        source: The clip that was sent.
        target: What it became.
        shown: Which frame is shown at every output frame.
    """
    there = track.at(np.asarray(source.times, np.float64)[shown])
    times = np.arange(len(shown)) / float(target.rate)
    return FaceTrack(times, there.points, there.found, there.backend)
