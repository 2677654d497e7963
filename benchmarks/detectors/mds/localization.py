"""When a clip is forged: the dissonance over time, and the stretches that it names.

One rule: every window of `chunk` seconds has a dissonance d; windows with d >= threshold whose *centres* are no more
than one stride apart form one stretch; a stretch reaches from half a stride before its first centre to half a stride
after its last, and to the clip's very start or end where it holds the first or the last window (nothing nearer to the
end has a window of its own); its confidence is the mean of its windows' d.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.detector import ScoredSegment
from cmdfd.clip import Modality, Segment

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Dissonance over time.

    Args:
        times: [K] seconds, centres of the windows, increasing.
        scores: [K] dissonance of each window.
        stride: Seconds between two centres.
        seconds: Length of the clip.
    """

    times: NDArray[np.float64]
    scores: NDArray[np.float64]
    stride: float
    seconds: float


def window_starts(n_frames: int, chunk: int, stride: int) -> NDArray[np.int64]:
    """First frames of all windows; the last one ends with the clip, so that no frame is left out.

    Args:
        n_frames: Frames of the clip, >= `chunk`.
        chunk: Frames of a window.
        stride: Frames between two windows.
    """
    if n_frames < chunk:
        raise ValueError(f"{n_frames} frames hold no window of {chunk}")
    starts = np.arange(0, n_frames - chunk + 1, stride, dtype=np.int64)
    last = n_frames - chunk
    return starts if starts[-1] == last else np.append(starts, last)


def windowed_rms(squared: NDArray[np.float64], chunk: int, stride: int, fps: float) -> Windows:
    """Root mean square of frame distances over sliding windows.

    Args:
        squared: [T] squared frame distances.
        chunk: Frames of a window.
        stride: Frames between windows.
        fps: Frames per second.
    """
    starts = window_starts(len(squared), chunk, stride)
    total = np.concatenate([[0.0], np.cumsum(squared, dtype=np.float64)])
    mean = np.maximum(total[starts + chunk] - total[starts], 0) / chunk
    times = ((starts + chunk / 2) / fps).astype(np.float64)
    return Windows(times, np.sqrt(mean), stride / fps, len(squared) / fps)


def clip_score(windows: Windows, pool: str) -> float:
    """The clip's dissonance: the mean of its windows' as in the paper, or their maximum ("max")."""
    return float(windows.scores.max() if pool == "max" else windows.scores.mean())


def merge_segments(
    windows: Windows, threshold: float | None, modality: Modality = Modality.BOTH
) -> tuple[ScoredSegment, ...]:
    """Stretches whose windows reach the threshold; the rule stands at the top of this module.

    Args:
        windows: Dissonance over time.
        threshold: On the scale of the scores; None names no stretch.
        modality: What the stretches are said to forge; a dissonance cannot tell which side is wrong.
    """
    if threshold is None or not len(windows.times):
        return ()
    above = np.flatnonzero(windows.scores >= threshold)
    if not len(above):
        return ()
    far = np.diff(windows.times[above]) > windows.stride * 1.001
    found = []
    for run in np.split(above, np.flatnonzero(far) + 1):
        first, last = int(run[0]), int(run[-1])
        start = 0.0 if first == 0 else max(0.0, float(windows.times[first]) - windows.stride / 2)
        at_end = last == len(windows.times) - 1
        end = windows.seconds if at_end else min(windows.seconds, float(windows.times[last]) + windows.stride / 2)
        if end > start:
            found.append(ScoredSegment(Segment(start, end, modality), float(windows.scores[run].mean())))
    return tuple(found)
