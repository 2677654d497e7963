"""Bringing an edited file to its original: its frame, its clock, its sound; or telling why it does not belong to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cmdfd.media.grid import nearest_frames
from generators.manual.geometry import MIN_CORRELATION, NEGLIGIBLE, Found, View, cut_out, find_view, shared_rows
from generators.manual.problems import refusal
from generators.manual.reading import SAMPLE_RATE, Reel, seen_through
from generators.manual.sound import SoundLag, sound_lag
from generators.manual.timing import REACH, STILL, Film, PictureLag, levelled, picture_lag

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]

#: A lag of the picture counts from this depth on, one of the sound from this correlation on.
MIN_DEPTH, MIN_SOUND = 0.2, 0.3
#: Sound and picture may part by so many seconds: less than two frames, below what is noticed (ITU-R BT.1359).
MAX_SKEW = 0.06
#: From this correlation on an affine map is right about turn and shear.
_SURE = 0.85
#: A shifted frame of a panning camera may move the picture's lag by this many seconds; the sound's is right then.
_PAN = 0.25
#: A sound that fits this far away tells that the edit begins too late or too early, seconds.
_FAR = 6.0
#: A matte that covers more of the picture than this leaves too little to align by.
_MOST_MATTE = 0.75
#: Films may run this much faster or slower: 24 against 23.976 frames per second.
_CONFORM = (2e-4, 2e-3)
#: A crop shows at least this share of the original's picture.
_LEAST_SHOWN = 0.35
#: Without a sound that fits, the picture must fit this well: another recording of a set has some likeness too.
_ALONE = 0.35
#: Levels that may be left between two still pictures of one thing; of two recordings of one set, 4.5 and more.
_ALIKE = 3.0
#: Levels of a frame that counts as black.
_BLACK = 20.0


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """How an edited file lies on its original.

    Args:
        view: Where the original's picture lies in the edited one.
        film: The edited film as it shows the original's picture, on its own clock, made to run at the original's speed.
        keep: [h, w] small, False where a matte covers the original at any time; None without one.
        lag: Seconds by which the edited picture is late.
        sound: Seconds by which its sound is late.
        speed: Edited seconds for one of the original.
        picture: What the comparison of pictures gave.
        heard: What the comparison of sounds gave.
        notes: What was found and put right.
    """

    view: View
    film: Film
    keep: Bools | None
    lag: float
    sound: float
    speed: float
    picture: PictureLag
    heard: SoundLag
    notes: tuple[str, ...]


def align(original: Reel, edited: Reel, covered: NDArray[np.uint8] | None, *, retimed: bool) -> Alignment:
    """Align an edit with its original.

    Args:
        original: The genuine file.
        edited: What the editor wrote.
        covered: [h, w] uint8 on the small edited picture: the matte's largest level over time; None without a matte.
        retimed: Whether the edit moves sound against picture on purpose.

    Raises:
        MediaError: `unsupported` with a word of `generators.manual.problems`.
    """
    shape = (original.film.frames.shape[1], original.film.frames.shape[2])
    heard = _heard(original, edited)
    aspect = (edited.size[0] / edited.size[1]) / (original.size[0] / original.size[1])
    speed, view, picture = _first_guess(original, edited, aspect, covered)
    found = Found(view, 0.0)
    for _ in range(2):  # a wrong frame looks like a wrong moment where the camera pans
        found = _viewed(original, edited, view, covered, _time(picture, heard), speed, aspect)
        if found.view == view:
            break
        view = found.view
        picture = picture_lag(original.film, _film(edited, view, shape, speed), _keep(covered, view, shape))
    _check_footage(original, edited, picture, heard, found)
    _check_frame(edited, found)
    lag, sound = _agreed(edited, picture, heard, retimed=retimed)
    film, keep = _film(edited, view, shape, speed), _keep(covered, view, shape)
    notes = _check_length(original, film, lag, edited.name)
    _check_steady(original, film, keep, edited.name)
    return Alignment(view, film, keep, lag, sound, speed, picture, heard, notes)


def _film(edited: Reel, view: View, shape: tuple[int, int], speed: float) -> Film:
    film = seen_through(edited.film, view, shape)
    return film if speed == 1 else replace(film, times=film.times / speed)


def _keep(covered: NDArray[np.uint8] | None, view: View, shape: tuple[int, int]) -> Bools | None:
    """[h, w] of the original: outside the matte, with a margin, and inside the edited picture; None for all of it."""
    reached = shared_rows(view, shape)
    inside = None if reached.all() else reached
    if covered is None:
        return inside
    placed = cut_out(covered, view.forward((0.0, 0.0, 1.0, 1.0)), shape[1], shape[0])
    grown = cv2.dilate((placed > 0).astype(np.uint8), np.ones((5, 5), np.uint8))
    keep = np.asarray((grown == 0) & reached, np.bool_)
    return keep if keep.sum() > (1 - _MOST_MATTE) * reached.sum() else inside


def _heard(original: Reel, edited: Reel) -> SoundLag:
    """The lag of the sound on the clocks of the pictures.

    Raises:
        MediaError: "offset" where the sounds fit, but seconds away.
    """
    if original.audio is None or edited.audio is None:
        return SoundLag(0.0, 0.0)
    between = edited.audio.start - original.audio.start
    one, other = original.audio.samples, edited.audio.samples
    near = sound_lag(one, other, SAMPLE_RATE, REACH, -between)
    if near.correlation < MIN_SOUND:
        far = sound_lag(one, other, SAMPLE_RATE, _FAR, -between)
        away = far.seconds + between
        if far.correlation >= 2 * MIN_SOUND and abs(away) > REACH:
            raise refusal("offset", edited.name, f"its sound is {away:+.2f} s away from that of the original")
    return SoundLag(near.seconds + between, max(near.correlation, 0.0))


def _first_guess(
    original: Reel, edited: Reel, aspect: float, covered: NDArray[np.uint8] | None
) -> tuple[float, View, PictureLag]:
    """Speed and view under which the pictures fit best, of the few usual ones."""
    shape = (original.film.frames.shape[1], original.film.frames.shape[2])
    tried = []
    for speed in _speeds(original, edited):
        for view in _usual_views(aspect):
            film = _film(edited, view, shape, speed)
            tried.append((speed, view, picture_lag(original.film, film, _keep(covered, view, shape))))
    return max(tried, key=lambda one: one[2].depth)


def _speeds(original: Reel, edited: Reel) -> list[float]:
    ratio = edited.film.period / original.film.period
    return [1.0, ratio] if _CONFORM[0] < abs(ratio - 1) < _CONFORM[1] else [1.0]


def _usual_views(aspect: float) -> list[View]:
    """Where an original lies in a frame of another shape: as it is, with bars, cut, or stretched."""
    if abs(aspect - 1) < 0.012:
        return [View()]
    bars = View(1 / aspect, 1, (1 - 1 / aspect) / 2, 0) if aspect > 1 else View(1, aspect, 0, (1 - aspect) / 2)
    cut = View(1, aspect, 0, (1 - aspect) / 2) if aspect > 1 else View(1 / aspect, 1, (1 - 1 / aspect) / 2, 0)
    return [bars, cut, View()]


def _time(picture: PictureLag, heard: SoundLag) -> float:
    near = picture.depth < MIN_DEPTH or abs(heard.seconds - picture.seconds) <= _PAN
    return heard.seconds if heard.correlation >= MIN_SOUND and near else picture.seconds


def _viewed(
    original: Reel, edited: Reel, view: View, covered: NDArray[np.uint8] | None, lag: float, speed: float, aspect: float
) -> Found:
    """Refine the view on frames of the same moments; the first guess stays unless another is clearly better."""
    film, shape = original.film, original.film.frames.shape[1:3]
    at = film.times[(film.times + lag > 0) & (film.times + lag < edited.film.end)]
    at = at[np.unique(np.linspace(0, len(at) - 1, 15).astype(int))] if len(at) else film.times[:1]
    ours = [film.frames[k] for k in nearest_frames(film.times, at)]
    theirs = [edited.film.frames[k] for k in nearest_frames(edited.film.times / speed, at + lag)]
    keep = _keep(covered, view, (shape[0], shape[1]))
    found = find_view(ours, theirs, keep, aspect)
    if found.correlation < MIN_CORRELATION:
        return replace(found, view=view, turned=False)
    before, after = (_left(ours, theirs, one, keep) for one in (view, found.view))
    moved = replace(found.view, sx=found.view.sx / view.sx, sy=found.view.sy / view.sy)
    shifted = View(moved.sx, moved.sy, (found.view.tx - view.tx) / view.sx, (found.view.ty - view.ty) / view.sy)
    if shifted.displacement <= NEGLIGIBLE or after > 0.85 * before:
        return replace(found, view=view)
    return found


def _check_frame(edited: Reel, found: Found) -> None:
    """Refuse what is no scale and shift, or shows too little.

    Raises:
        MediaError: "geometry".
    """
    if found.turned and found.correlation > _SURE:
        raise refusal("geometry", edited.name, "its picture is turned or sheared")
    left, top, right, bottom = found.view.shared
    shown = max(right - left, 0.0) * max(bottom - top, 0.0)
    if shown < _LEAST_SHOWN:
        raise refusal("geometry", edited.name, f"it shows {shown:.0%} of the original's picture")


def _left(ours: list[NDArray[np.uint8]], theirs: list[NDArray[np.uint8]], view: View, keep: Bools | None) -> float:
    """Levels that differ under a view, where both pictures reach."""
    high, wide = ours[0].shape
    rect = view.forward((0.0, 0.0, 1.0, 1.0))
    shown = np.stack([cut_out(one, rect, wide, high) for one in theirs])
    base = np.stack(ours)
    left, top, right, bottom = view.shared
    rows = slice(int(np.ceil(top * high)), max(int(bottom * high), int(top * high) + 2))
    columns = slice(int(np.ceil(left * wide)), max(int(right * wide), int(left * wide) + 2))
    away = np.minimum(np.abs(levelled(shown[:, rows, columns], base[:, rows, columns]) - base[:, rows, columns]), 24.0)
    return float(away.mean() if keep is None else away[:, keep[rows, columns]].mean())


def _check_footage(original: Reel, edited: Reel, picture: PictureLag, heard: SoundLag, found: Found) -> None:
    """Refuse a pair that shows and says different things.

    Raises:
        MediaError: "other_footage".
    """
    if heard.correlation >= MIN_SOUND or (picture.depth >= _ALONE and picture.moves >= STILL and not found.turned):
        return
    if (
        picture.moves < STILL and found.correlation >= 0.85 and picture.residual < _ALIKE
    ):  # nothing moves: the picture itself must do
        return
    raise refusal(
        "other_footage", edited.name,
        f"neither picture (fit {picture.depth:.2f}) nor sound (correlation {heard.correlation:.2f}) is that of "
        f"{original.name!r}",
    )  # fmt: skip


def _agreed(edited: Reel, picture: PictureLag, heard: SoundLag, *, retimed: bool) -> tuple[float, float]:
    """Lags of picture and sound.

    Raises:
        MediaError: "out_of_step" where they part.
    """
    seen = picture.depth >= MIN_DEPTH and picture.moves >= STILL
    if heard.correlation < MIN_SOUND:
        lag = picture.seconds if seen else 0.0
        return lag, lag
    if not seen or picture.low <= heard.seconds <= picture.high:
        return heard.seconds, heard.seconds
    # an editor that repeats or drops frames shows them up to a frame late; the sound is not
    if abs(heard.seconds - picture.seconds) <= MAX_SKEW:
        return picture.seconds, heard.seconds
    if retimed:
        return picture.seconds, picture.seconds
    detail = f"its picture is {picture.seconds:+.3f} s late, its sound {heard.seconds:+.3f} s"
    raise refusal("out_of_step", edited.name, detail)


def _check_length(original: Reel, film: Film, lag: float, name: str) -> tuple[str, ...]:
    """Compare the ends; more than a frame of difference is let pass only as black or as the shift of a whole timeline.

    Raises:
        MediaError: "length".
    """
    notes = [f"begins {lag:+.3f} s late against the original"] if abs(lag) > 0.9 * film.period else []
    frame = max(original.film.period, film.period) * 1.05 + 0.005
    tail = film.end - lag - original.film.end
    if abs(tail) <= frame:
        return tuple(notes)
    if abs(film.end - original.film.end) <= frame and abs(tail + lag) <= frame:
        return (*notes, "a timeline of the original's length was shifted as a whole")
    behind = film.times - lag >= original.film.end - film.period / 2
    if tail > 0 and behind.any() and float(film.frames[behind].mean()) < _BLACK:
        return (*notes, f"{tail:.2f} s of black at the end are left out")
    word = "more" if tail > 0 else "less"
    raise refusal("length", name, f"it has {abs(tail):.2f} s {word} at its end than the original, a frame is allowed")


def _check_steady(original: Reel, film: Film, keep: Bools | None, name: str) -> None:
    """Refuse an edit whose lag changes inside: something was cut out or put in.

    Raises:
        MediaError: "length".
    """
    if original.film.end < 2.0:
        return
    parts = [picture_lag(original.film, film, keep, part) for part in ((0.0, 0.4), (0.6, 1.0))]
    if any(one.depth < 2 * MIN_DEPTH or one.moves < STILL for one in parts):
        return
    frame = max(original.film.period, film.period)
    if abs(parts[1].seconds - parts[0].seconds) > 2.2 * frame:
        detail = f"it is {parts[0].seconds:+.2f} s late at first and {parts[1].seconds:+.2f} s later on"
        raise refusal("length", name, detail)
