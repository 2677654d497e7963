"""What moves and what does not: doubled and frozen pictures, still backgrounds, loops, cuts, odd first pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.audit.cue import Cue, CueValue
from cmdfd.audit.cues.figures import median, percentile, ratio, tidied

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmdfd.audit.cue import CueKind, Fix
    from cmdfd.audit.pictures import Pictures
    from cmdfd.audit.reading import VideoFacts

#: Mean squared difference below which two pictures are one (levels^2): a quarter is half a level everywhere, less than
#: the noise of a camera. A coarse encoder repeats a picture less exactly where much moves: see `freeze.stutter`.
SAME = 0.25
#: Temporal standard deviation of a still pixel (levels).
STILL = 1.0
#: A cut changes pixels by so many levels in the mean, and by so many times the median change.
CUT_LEVELS, CUT_RATIO = 20.0, 3.0
#: Pictures at each side of a turning point that are compared, and the lag from which on a repeat is a loop.
REACH = 15
#: Mean squared change (levels^2) over that reach below which nothing moves enough to tell its direction.
MOVES = 1.0
#: Pictures that are searched for turning points and loops: their number squared is compared.
_LOOKED = 512
#: Pixels whose squares sum to less than 2^24.
_EXACT = 256
#: Pictures that are worked on at a time.
_CHUNK = 2048
#: Share of the picture at each side that counts as its border.
BORDER = 0.125
#: Change (levels) that is added to both sides of a ratio, so that a still clip has one.
_SOFT = 0.1
#: Pictures whose brightness is the beginning's.
BEGINNING = 5

_CUT = "cut every clip, unforged ones too, at random offsets of one distribution; never one class only"
_CLOCK = "bring every clip to one constant frame rate in the same way, unforged ones too"
_MOTION = "draw fakes from sources that move as the reals do, keep matched clips, or name it as the generator's trait"
_PAD = "generators repeat the last picture where the sound is longer, and the first until they have context"
_DOUBLED = "frame rate conversion by doubling: a platform of ManualFake went from 25 to 30 frames per second so"
_ONE_IMAGE = "generators that drive one picture leave the background still"
_LOOPS = "lip generators play a short video forth and back, or over and over, under a longer sound"
_FIRST = "recurrent generators begin with another picture than they go on with"


def _cue(name: str, title: str, unit: str, rule: str, how: tuple[CueKind, str, Fix], source: str) -> Cue:
    kind, remedy, fix = how
    return Cue(f"freeze.{name}", title, unit, kind, rule, remedy, source, fix)


_ENDS: tuple[CueKind, str, Fix] = ("nuisance", _CUT, "crop")
_DOUBLES: tuple[CueKind, str, Fix] = ("nuisance", _CLOCK, "match")
_TRAIT: tuple[CueKind, str, Fix] = ("debatable", _MOTION, "match")
_THUMBS = "thumbs (every s-th pixel of every s-th row, 32 at most)"

CUES: tuple[Cue, ...] = (
    _cue("exact", "the share of repeated pictures", "share", f"neighbours with equal {_THUMBS}", _DOUBLES, _DOUBLED),
    _cue(
        "same", "the share of unmoved pictures", "share", f"neighbours with MSE < 0.25, {_THUMBS}", _DOUBLES, _DOUBLED
    ),
    _cue(
        "stutter",
        "the smallest changes against the large ones",
        "ratio",
        f"10th over 75th percentile of the root of the MSE of neighbours, {_THUMBS}",
        _DOUBLES,
        _DOUBLED,
    ),
    _cue("same_period", "the period of unmoved pictures", "pictures", "median distance of such", _DOUBLES, _DOUBLED),
    _cue("longest", "the longest freeze", "s", "longest time from a picture to its last unmoved one", _DOUBLES, _PAD),
    _cue("lead", "the freeze at the start", "s", "time up to the last unmoved picture from the start", _ENDS, _PAD),
    _cue("trail", "the freeze at the end", "s", "time from the first unmoved picture up to the end", _ENDS, _PAD),
    _cue(
        "still", "the share of still pixels", "share", f"deviation over time < 1 level, {_THUMBS}", _TRAIT, _ONE_IMAGE
    ),
    _cue("motion", "the motion", "levels", f"mean |difference| of neighbours, {_THUMBS}", _TRAIT, _ONE_IMAGE),
    _cue("motion_spread", "the unevenness of the motion", "ratio", "its deviation over its mean", _TRAIT, _ONE_IMAGE),
    _cue("border", "the motion at the border", "levels", "the same in the outer eighth all round", _TRAIT, _ONE_IMAGE),
    _cue(
        "ping_pong",
        "the likeness to its own reversal",
        "share",
        "1 - least of: MSE of the 15 pairs of pictures around a turning point over their MSE to that point, "
        f"0 at least; turning points with MSE > 1; first 512 pictures, every second pixel of {_THUMBS}",
        _TRAIT,
        _LOOPS,
    ),
    _cue(
        "loop",
        "the likeness to an earlier part of itself",
        "share",
        "1 - least MSE of all pairs at one distance of 15 pictures or more over that of all such pairs, "
        f"0 at least; at least 15 pairs; first 512 pictures, every second pixel of {_THUMBS}",
        _TRAIT,
        _LOOPS,
    ),
    _cue("cuts", "the number of cuts", "cuts", "mean |difference| > 20 levels and > 3 x the median", _TRAIT, _LOOPS),
    _cue(
        "first_step",
        "the first change",
        "ratio",
        "(first + .1) / (median + .1) of the mean |differences|",
        _ENDS,
        _FIRST,
    ),
    _cue("last_step", "the last change", "ratio", "(last + .1) / (median + .1) of the mean |differences|", _ENDS, _PAD),
    _cue("first_light", "the first picture's brightness", "levels", "its mean minus the next one's", _ENDS, _FIRST),
    _cue(
        "drift", "the brightness of the beginning", "levels", "mean of 5 pictures minus mean of the rest", _ENDS, _FIRST
    ),
    _cue(
        "flicker",
        "the flicker",
        "levels",
        "mean |second difference| of the pictures' mean brightness",
        _TRAIT,
        "generators that make every picture by itself flicker",
    ),
)


@dataclass(frozen=True, slots=True, eq=False)
class _Changes:
    """How neighbours differ in the mean [T - 1]: squared, absolute, absolute at the border; means [T]; still share."""

    square: NDArray[np.float64]
    absolute: NDArray[np.float64]
    border: NDArray[np.float64]
    light: NDArray[np.float64]
    still: float


def measure(pictures: Pictures, facts: VideoFacts | None = None) -> dict[str, CueValue]:
    """Cues of stillness and repetition.

    Args:
        pictures: Samples of the stream; thumbs and times are looked at.
        facts: Not looked at; the signature is that of the other families.

    Returns:
        A value for every cue of `CUES`; None where the clip is too short or still to tell.
    """
    del facts
    found: dict[str, CueValue] = dict.fromkeys(cue.name for cue in CUES)
    thumbs = pictures.thumbs
    if thumbs.ndim != 3 or not thumbs.size or len(thumbs) < 2:
        return found
    changes = _changes(thumbs)
    found |= _frozen(changes.square, pictures.times) | _motion(changes) | _steps(changes)
    small = thumbs[:_LOOKED, ::2, ::2]
    if len(small) > 2 * REACH:
        apart = _all_pairs(small)
        found["freeze.ping_pong"], found["freeze.loop"] = _turning(apart), _repeat(apart)
    return tidied(found)


def _changes(thumbs: NDArray[np.uint8]) -> _Changes:
    import cv2

    n, height, width = thumbs.shape
    edge = np.ones((height, width), bool)
    y, x = max(round(height * BORDER), 1), max(round(width * BORDER), 1)
    edge[y : height - y, x : width - x] = False
    ring = edge.ravel().astype(np.float32)
    square, absolute, border = (np.zeros(n - 1) for _ in range(3))
    light = np.zeros(n)
    sums, squares = (np.zeros(height * width) for _ in range(2))
    for start in range(0, n, _CHUNK):
        part = thumbs[start : start + _CHUNK + 1].reshape(-1, height * width)
        # sums of whole numbers below 2^24 (2^53 in double): exact in any order
        own = part[:_CHUNK].astype(np.float32)
        light[start : start + len(own)] = own.sum(axis=1).astype(np.float64) / own.shape[1]
        sums += cv2.reduce(own, 0, cv2.REDUCE_SUM, dtype=cv2.CV_64F).ravel()
        squares += cv2.reduce(np.square(own, out=own), 0, cv2.REDUCE_SUM, dtype=cv2.CV_64F).ravel()
        if len(part) < 2:
            continue
        change = cv2.absdiff(part[1:], part[:-1]).astype(np.float32)
        here = slice(start, start + len(change))
        absolute[here] = change.sum(axis=1).astype(np.float64) / change.shape[1]
        border[here] = np.einsum("tp,p->t", change, ring).astype(np.float64) / ring.sum()
        np.square(change, out=change)
        square[here] = cv2.reduce(change, 1, cv2.REDUCE_SUM, dtype=cv2.CV_64F).ravel() / change.shape[1]
    variance = (squares - sums / n * sums) / n
    return _Changes(square, absolute, border, light, float(np.mean(variance < STILL**2)))


def _frozen(square: NDArray[np.float64], times: NDArray[np.float64]) -> dict[str, CueValue]:
    same = square < SAME
    found: dict[str, CueValue] = {"freeze.exact": float(np.mean(square == 0)), "freeze.same": float(np.mean(same))}
    roots = np.sqrt(square)
    found["freeze.stutter"] = ratio(percentile(roots, 10), percentile(roots, 75))
    places = np.flatnonzero(same)
    if len(places) > 1:
        found["freeze.same_period"] = median(np.diff(places))
    if len(times) != len(same) + 1:
        return found
    edges = np.diff(np.concatenate([[False], same, [False]]).astype(np.int8))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    lasts = times[ends] - times[starts]
    found["freeze.longest"] = float(lasts.max()) if len(lasts) else 0.0
    found["freeze.lead"] = float(lasts[0]) if len(lasts) and starts[0] == 0 else 0.0
    found["freeze.trail"] = float(lasts[-1]) if len(lasts) and ends[-1] == len(same) else 0.0
    return found


def _motion(changes: _Changes) -> dict[str, CueValue]:
    motion = changes.absolute
    usual = median(motion)
    return {
        "freeze.still": changes.still,
        "freeze.motion": float(motion.mean()),
        "freeze.motion_spread": ratio(float(motion.std()), float(motion.mean())),
        "freeze.border": float(changes.border.mean()),
        "freeze.cuts": float(np.sum((motion > CUT_LEVELS) & (motion > CUT_RATIO * usual))),
    }


def _steps(changes: _Changes) -> dict[str, CueValue]:
    motion, light = changes.absolute, changes.light
    found: dict[str, CueValue] = {"freeze.first_light": float(light[0] - light[1])}
    if len(motion) > 2:
        usual = median(motion) + _SOFT
        found["freeze.first_step"] = (float(motion[0]) + _SOFT) / usual
        found["freeze.last_step"] = (float(motion[-1]) + _SOFT) / usual
        found["freeze.flicker"] = float(np.abs(np.diff(light, 2)).mean())
    if len(light) > BEGINNING:
        found["freeze.drift"] = float(light[:BEGINNING].mean() - light[BEGINNING:].mean())
    return found


def _all_pairs(thumbs: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean squared difference of every two pictures [T, T] of at most 16 x 16 pixels."""
    # 256 squares of at most 255 sum to less than 2^24: all sums are exact in single precision
    flat: NDArray[Any] = thumbs.reshape(len(thumbs), -1).astype(np.float32 if thumbs[0].size <= _EXACT else np.float64)
    # not the matrix product: its threads wait for each other where many clips are measured at once
    product: NDArray[np.float64] = np.einsum("ip,jp->ij", flat, flat).astype(np.float64)
    power = np.diag(product)
    apart: NDArray[np.float64] = (power[:, None] + power[None, :] - 2 * product) / flat.shape[1]
    return apart


def _turning(apart: NDArray[np.float64]) -> float | None:
    """How well the best turning point mirrors time; None where nothing moves enough around any."""
    best: float | None = None
    steps, n, flat = np.arange(1, REACH + 1), len(apart), apart.ravel()
    for doubled in (0, 1):  # a turning point may be one picture or two equal ones
        middles = np.arange(REACH, n - REACH - doubled)[:, None] * (n + 1)  # places of [middle, middle]
        last = middles + doubled * (n + 1)
        moved = (flat[middles - steps] + flat[last + steps]).sum(axis=1) / (2 * REACH)
        mirrored = flat[middles + doubled + steps * (1 - n)].sum(axis=1) / REACH
        moving = moved > MOVES
        if moving.any():
            least = float((mirrored[moving] / moved[moving]).min())
            best = least if best is None else min(best, least)
    return None if best is None else max(1 - best, 0.0)


def _repeat(apart: NDArray[np.float64]) -> float | None:
    """How well the clip repeats itself at its best distance; None where it hardly changes at all."""
    n = len(apart)
    # each row is moved to the left by its number, so that the pairs of one distance lie in one column
    moved = np.zeros(n * (2 * n + 1))
    moved[: 2 * n * n].reshape(n, 2 * n)[:, :n] = apart
    lags = np.arange(REACH, n - REACH + 1)
    sums, pairs = moved.reshape(n, 2 * n + 1).sum(axis=0)[lags], n - lags
    usual = float(sums.sum() / pairs.sum())
    return max(1 - float((sums / pairs).min()) / usual, 0.0) if usual > MOVES else None
