"""Which moment of the edited picture shows which moment of the original."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cmdfd.media.grid import nearest_frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grey = NDArray[np.uint8]

#: How far the edit may begin before or after the original, seconds.
REACH = 1.0
_COARSE, _FINE = 0.02, 0.005
#: Frames that are compared at most for one lag, and the longer side of the pictures in pixels.
_FRAMES, _SIDE = 160, 96
#: A difference counts up to this many levels, so that the edit itself has no great weight.
_CLIP = 24.0
#: Rates that differ by less are one.
_SAME_RATE = 0.01
#: Levels below which a picture does not move.
STILL = 1.2


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """Small grey pictures of a file and their moments.

    Args:
        frames: [T, h, w] uint8.
        times: [T] seconds from the first one.
    """

    frames: Grey
    times: NDArray[np.float64]

    @property
    def period(self) -> float:
        """Usual seconds from frame to frame."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else 0.04

    @property
    def end(self) -> float:
        """When the last frame ends."""
        return float(self.times[-1]) + self.period


@dataclass(frozen=True, slots=True)
class PictureLag:
    """By how many seconds the edited picture is late.

    Args:
        seconds: Middle of the lags that fit equally well; 0 where that is one of them.
        low: Least of them.
        high: Largest of them.
        depth: 0 to 1: how much better that lag fits than others do.
        moves: Levels by which the original changes within half a second.
        residual: Levels that are left at the best lag.
    """

    seconds: float
    low: float
    high: float
    depth: float
    moves: float
    residual: float


def levelled(film: Grey, like: Grey) -> NDArray[np.float32]:
    """Pictures brought to the usual brightness and contrast of others."""
    mean, spread = _level(film)
    wanted, wanted_spread = _level(like)
    return (film.astype(np.float32) - mean) * np.float32(wanted_spread / max(spread, 1.0)) + np.float32(wanted)


def _level(film: Grey) -> tuple[float, float]:
    step = max(1, len(film) // 200)
    part = film[::step].reshape(len(film[::step]), -1)
    return float(np.median(part.mean(axis=1))), float(np.median(part.std(axis=1)))


def picture_lag(
    original: Film, edited: Film, keep: NDArray[np.bool_] | None, part: tuple[float, float] = (0.0, 1.0)
) -> PictureLag:
    """Find the lag by comparing pictures that lie within ± `REACH` of each other.

    Args:
        original: Its film.
        edited: Its film, pictures of the same size.
        keep: [h, w], False where a matte says that the picture was changed; None for all.
        part: Of the original's length that is looked at.
    """
    ours, theirs = _shrunk(original.frames), levelled(_shrunk(edited.frames), _shrunk(original.frames))
    weights = np.ones(ours.shape[1:], np.float32)
    if keep is not None:
        small = cv2.resize(keep.astype(np.uint8), (ours.shape[2], ours.shape[1]), interpolation=cv2.INTER_AREA)
        weights = small.astype(np.float32)
    weights /= max(float(weights.sum()), 1.0)
    inside = np.flatnonzero((original.times >= part[0] * original.end) & (original.times <= part[1] * original.end))
    rows = inside[np.unique(np.linspace(0, len(inside) - 1, min(_FRAMES, len(inside))).astype(int))]
    base = ours[rows].astype(np.float32)

    def cost(lag: float) -> float:
        wanted = original.times[rows] + lag
        there = (wanted > -edited.period / 2) & (wanted < edited.end)
        if there.sum() < max(4, len(rows) * 0.4):
            return np.inf
        found = theirs[nearest_frames(edited.times, wanted[there])]
        return float((np.minimum(np.abs(found - base[there]), _CLIP) * weights).sum(axis=(1, 2)).mean())

    coarse = np.round(np.arange(-REACH, REACH + 1e-9, _COARSE), 6)
    costs = np.array([cost(lag) for lag in coarse])
    middle = float(coarse[int(np.argmin(costs))])
    fine = np.round(np.arange(middle - 0.05, middle + 0.05 + 1e-9, _FINE), 6)
    near = np.array([cost(lag) for lag in fine])
    best = float(near.min())
    usual = float(np.median(costs[np.isfinite(costs)])) if np.isfinite(costs).any() else np.inf
    equal = fine[near <= best + 0.02 * max(usual - best, 0.0) + 1e-6]
    half = max(1, round(0.5 / original.period))
    moves = (
        np.abs(ours[half:].astype(np.float32) - ours[:-half]) if len(ours) > half else np.zeros((1, *ours.shape[1:]))
    )
    moving = float((np.minimum(moves, _CLIP) * weights).sum(axis=(1, 2)).mean())
    depth = 1 - best / usual if np.isfinite(usual) and usual > 0 else 0.0
    low, high = _around(equal, float(fine[int(np.argmin(near))]))
    middle = 0.0 if low <= 0 <= high else (low + high) / 2
    return PictureLag(middle, low, high, depth, moving, best)


def _around(equal: NDArray[np.float64], best: float) -> tuple[float, float]:
    """The run of equally good lags that holds the best one."""
    low = high = best
    for lag in sorted(equal.tolist()):
        if high < lag <= high + _FINE * 1.5:
            high = lag
    for lag in sorted(equal.tolist(), reverse=True):
        if low > lag >= low - _FINE * 1.5:
            low = lag
    return low, high


def _shrunk(frames: Grey) -> Grey:
    high, wide = frames.shape[1:3]
    scale = _SIDE / max(high, wide)
    if scale >= 1:
        return frames
    size = (max(2, round(wide * scale)), max(2, round(high * scale)))
    return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames]).astype(np.uint8)


def match_frames(
    original: Film, edited: Film, lag: float, times: NDArray[np.float64], keep: NDArray[np.bool_] | None
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """For every moment, one frame of each film so that both show the same instant.

    Editors repeat and drop frames where rates differ. Where they do, the frame of the original for which the edited
    film has none is replaced by its neighbour, so that a frame that was dropped is no difference; only the better
    three fifths of the pixels decide on that, so that an edit does not.

    Args:
        original: Its film.
        edited: Its film, pictures of the same size.
        lag: Seconds by which the edited one is late.
        times: [K] seconds on the original's clock.
        keep: See `picture_lag`.

    Returns:
        [K] indices into each.
    """
    near_i = nearest_frames(original.times, times)
    near_j = nearest_frames(edited.times, original.times[near_i] + lag)
    if abs(original.period / edited.period - 1) < _SAME_RATE:
        return near_i, near_j
    matcher = _Matcher(original, edited, lag, keep)
    usual = float(np.median([matcher.cost(int(i), int(j)) for i, j in zip(near_i, near_j, strict=True)]))
    found = [matcher.best(int(i), int(j), usual) for i, j in zip(near_i, near_j, strict=True)]
    return np.array([i for i, _ in found], np.intp), np.array([j for _, j in found], np.intp)


class _Matcher:
    """Costs of pairs of frames, each computed once."""

    def __init__(self, original: Film, edited: Film, lag: float, keep: NDArray[np.bool_] | None) -> None:
        self._ours, self._theirs = _shrunk(original.frames), levelled(_shrunk(edited.frames), _shrunk(original.frames))
        self._times = (original.times + lag, edited.times)
        high, wide = self._ours.shape[1:3]
        self._keep = np.ones((high, wide), bool)
        if keep is not None:
            self._keep = cv2.resize(keep.astype(np.uint8), (wide, high), interpolation=cv2.INTER_AREA) > 0
        self._known: dict[tuple[int, int], float] = {}

    def cost(self, i: int, j: int) -> float:
        """Mean of the lower three fifths of the differences, in levels."""
        if (i, j) not in self._known:
            away = np.abs(self._ours[i].astype(np.float32) - self._theirs[j])[self._keep]
            part = max(1, int(0.6 * len(away)))
            self._known[i, j] = float(np.partition(away, part - 1)[:part].mean()) if len(away) else 0.0
        return self._known[i, j]

    def best(self, i: int, j: int, usual: float) -> tuple[int, int]:
        """The nearest pair, or one beside it that agrees clearly better."""
        plain = self.cost(i, j)
        if plain < 1.5 * usual + 0.3:
            return i, j
        ours, theirs = self._times
        beside = [
            (a, int(nearest_frames(theirs, ours[a : a + 1])[0]) + step)
            for a in range(max(0, i - 1), min(len(ours), i + 2))
            for step in (-1, 0, 1)
        ]
        there = [(a, b) for a, b in beside if 0 <= b < len(theirs)]
        return min(
            [(i, j), *(pair for pair in there if self.cost(*pair) < 0.7 * plain)], key=lambda pair: self.cost(*pair)
        )
