"""From time stamps to constant frame rate, and from sound on a clock to a window of exact length."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.media.decode import Audio, Video

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Two frames count as equally near within this time (seconds): far below any frame period, far above the rounding
#: of time stamps in floating point. The earlier one is taken then.
TIE_SECONDS = 1e-6


def nearest_frames(times: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.intp]:
    """Index of the frame nearest in time to every wanted moment.

    Args:
        times: [T] seconds, increasing, T >= 1.
        wanted: [K] seconds.

    Returns:
        [K] indices; the earlier frame where two are equally near, the first and last frame outside.

    Raises:
        ValueError: If there is no frame.
    """
    if not len(times):
        raise ValueError("there is no frame to choose from")
    middles = (times[:-1] + times[1:]) / 2
    return np.searchsorted(middles, wanted - TIE_SECONDS, side="left")


def frame_count(seconds: float, fps: float) -> int:
    """Number of frames of a clip: round(seconds * fps), halves up."""
    return math.floor(seconds * fps + 0.5)


def sample_count(seconds: float, sample_rate: int) -> int:
    """Number of samples of a clip: round(seconds * sample_rate), halves up."""
    return math.floor(seconds * sample_rate + 0.5)


def to_constant_rate(video: Video, fps: float, *, start: float | None = None, end: float | None = None) -> Video:
    """Pick the nearest frame in time at every k / fps.

    Args:
        video: Frames with any time stamps.
        fps: Frames per second to come to.
        start: Seconds on the container's clock where the grid begins; the first frame's time by default.
        end: Seconds where it ends; by default the last frame's time plus one usual frame period.

    Returns:
        round((end - start) * fps) frames with times k / fps from 0. Outside the video its first or last frame is
        held. Where every frame is taken once, the frames are a view of the input.

    Raises:
        ValueError: If `fps` is not positive, there is no frame, or `end` does not lie after `start`.
    """
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"fps must be positive, got {fps}")
    times = np.asarray(video.times, np.float64)
    if not len(times):
        raise ValueError("there is no frame to choose from")
    start = float(times[0]) if start is None else start
    if end is None:
        period = float(np.median(np.diff(times))) if len(times) > 1 else 1 / fps
        end = float(times[-1]) + period
    n = frame_count(end - start, fps)
    if n < 1:
        raise ValueError(f"the grid from {start} to {end} s holds no frame at {fps} per second")
    grid = np.arange(n) / fps
    chosen = nearest_frames(times, start + grid)
    first = int(chosen[0])
    if np.array_equal(chosen, np.arange(first, first + n)):
        return Video(video.frames[first : first + n], grid)
    return Video(video.frames[chosen], grid)


def align_audio(audio: Audio, start: float, seconds: float) -> NDArray[np.float32]:
    """Cut a window out of sound by its clock.

    Args:
        audio: Samples and the time of the first.
        start: Seconds on the same clock.
        seconds: Length of the window, >= 0.

    Returns:
        [N] float32, N = round(seconds * sample_rate); zeros where there is no sound. A copy.

    Raises:
        ValueError: If a time is not finite or `seconds` is negative.
    """
    if not (math.isfinite(start) and math.isfinite(seconds)) or seconds < 0:
        raise ValueError(f"a window needs finite times and a length >= 0, got start {start}, seconds {seconds}")
    n = sample_count(seconds, audio.sample_rate)
    offset = math.floor((start - audio.start) * audio.sample_rate + 0.5)
    window = np.zeros(n, np.float32)
    low, high = max(0, offset), min(len(audio.samples), offset + n)
    if low < high:
        window[low - offset : high - offset] = audio.samples[low:high]
    return window
