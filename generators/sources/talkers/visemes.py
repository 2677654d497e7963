"""Lips from sounds: a viseme table and co-articulation by dominance functions.

The model is that of Cohen and Massaro (Modeling coarticulation in synthetic visual speech, 1993): every sound pulls
every lip parameter to its target with a dominance that decays before and after it; the track is the weighted mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from generators.generator import Phone

#: Parameters in the order of the columns below.
CHANNELS = ("open", "wide", "press", "bite", "tongue")
_STRESS = "ˈˌˑ"
_SUBSAMPLES = 4
_REST_WEIGHT, _REST_OPEN = 0.06, 0.02
#: Lips move ahead of the sound, seconds.
_ANTICIPATION = 0.025
#: A pause shorter than this does not close the mouth, seconds.
_SHORT_PAUSE = 0.08
_MIN_SOUND = 0.005


@dataclass(frozen=True, slots=True)
class Viseme:
    """Lip targets of a sound.

    Args:
        open: Jaw and lip opening, 0 to 1.
        wide: -1 (rounded) to 1 (spread).
        press: 1 where the lips are pressed together.
        bite: 1 where the lower lip meets the upper teeth.
        tongue: 1 where the tongue is seen between or behind the teeth.
        dominance: How strongly it is insisted on.
        tau: Decay of the dominance, seconds.
    """

    open: float = 0.15
    wide: float = 0.0
    press: float = 0.0
    bite: float = 0.0
    tongue: float = 0.0
    dominance: float = 1.0
    tau: float = 0.045


def _table() -> dict[str, Viseme]:
    rows: list[tuple[str, Viseme]] = [
        ("p b m", Viseme(0.0, 0.0, press=1.0, dominance=3.2, tau=0.030)),
        ("f v", Viseme(0.07, 0.0, bite=1.0, dominance=2.2, tau=0.035)),
        ("w ʍ", Viseme(0.12, -0.95, dominance=1.8, tau=0.05)),
        ("ɹ r ɻ", Viseme(0.18, -0.55)),
        ("ʃ ʒ tʃ dʒ", Viseme(0.18, -0.60, dominance=1.2)),
        ("s z t d n ts ɾ", Viseme(0.12, 0.25, tongue=0.2, dominance=0.7)),
        ("l ɫ", Viseme(0.28, 0.10, tongue=0.7, dominance=0.7)),
        ("θ ð", Viseme(0.18, 0.0, tongue=0.9, dominance=0.9)),
        ("k ɡ g ŋ x h ʔ", Viseme(0.22, 0.10, dominance=0.35)),
        ("j ʲ", Viseme(0.20, 0.30, dominance=0.35)),
        ("iː i ɪ", Viseme(0.24, 0.75)),
        ("e ɛ", Viseme(0.45, 0.50)),
        ("æ a aː", Viseme(0.82, 0.35, dominance=1.2)),
        ("ɑː ɑ ʌ ɐ", Viseme(0.90, 0.0, dominance=1.2)),
        ("ə ɚ ɜː ɜ ᵻ", Viseme(0.35, 0.0, dominance=0.7)),
        ("ɔː ɔ ɒ", Viseme(0.68, -0.50, dominance=1.2)),
        ("oː o", Viseme(0.45, -0.85, dominance=1.2)),
        ("uː u ʊ ʉ ʉː", Viseme(0.22, -0.95, dominance=1.2)),
    ]
    return {symbol: viseme for symbols, viseme in rows for symbol in symbols.split()}


TABLE = _table()
_SCHWA = TABLE["ə"]
_REST = Viseme(_REST_OPEN, 0.0, dominance=0.8, tau=0.08)
#: The first target of a two-target label takes this share of its time.
_FIRST_SHARE = 0.58


def targets(label: str) -> list[Viseme]:
    """The one or two lip targets of a label of eSpeak NG.

    Diphthongs and compounds ("aɪ", "oʊ", "əl", "ɔːɹ") come as one label and have two targets: their first and last
    sound. An unknown symbol is skipped; a label without any known one is a schwa; "" is a pause.
    """
    bare = "".join(letter for letter in label if letter not in _STRESS)
    if not bare:
        return [_REST]
    found: list[Viseme] = []
    index = 0
    while index < len(bare):
        for size in (2, 1):
            symbol = bare[index : index + size]
            if len(symbol) == size and symbol in TABLE:
                found.append(TABLE[symbol])
                index += size
                break
        else:
            index += 1
    if not found:
        return [_SCHWA]
    if bare.startswith("aʊ"):  # the first half of "now" is the back vowel
        found[0] = TABLE["ɑ"]
    return [found[0]] if len(found) == 1 or found[0] == found[-1] else [found[0], found[-1]]


@dataclass(frozen=True, slots=True)
class Manner:
    """How a clip is articulated; `difficulty` 0 is textbook speech, 1 is sloppy.

    Args:
        difficulty: h in [0, 1].
        strength: Articulation strength of the person, about 0.8 to 1.2.
        lag: Seconds that the lips come late.
        slack: Under-articulation, multiplies the opening.
    """

    difficulty: float = 0.0
    strength: float = 1.0
    lag: float = 0.0
    slack: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class LipTracks:
    """Lip parameters at every video frame, each [T] float64 in the ranges of `Viseme`."""

    open: NDArray[np.float64]
    wide: NDArray[np.float64]
    press: NDArray[np.float64]
    bite: NDArray[np.float64]
    tongue: NDArray[np.float64]


@dataclass(slots=True)
class _Segments:
    """Targets over time, before they are blended."""

    starts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    visemes: list[Viseme] = field(default_factory=list)


def _segments(phones: Sequence[Phone]) -> _Segments:
    out = _Segments()
    for phone in phones:
        if phone.end - phone.start < _MIN_SOUND:
            continue
        parts = targets(phone.label)
        if not phone.label.strip(_STRESS) and phone.end - phone.start <= _SHORT_PAUSE:
            continue
        gain = 1.15 if "ˈ" in phone.label else 0.9
        middle = phone.start + (_FIRST_SHARE if len(parts) == 2 else 1.0) * (phone.end - phone.start)
        bounds = [phone.start, middle, phone.end]
        for index, viseme in enumerate(parts):
            stressed = viseme if viseme == _REST else replace(viseme, open=min(viseme.open * gain, 1.0))
            out.starts.append(bounds[index])
            out.ends.append(bounds[index + 1])
            out.visemes.append(stressed)
    return out


def blend(
    phones: Sequence[Phone], n_frames: int, fps: float, manner: Manner, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Dominance-weighted lip parameters.

    Args:
        phones: Sounds in order, seconds on the clip's clock.
        n_frames: Number of video frames T.
        fps: Frames per second.
        manner: Difficulty and lag are used here.
        rng: Chance of the difficulty; its draws depend on the phones alone.

    Returns:
        [T, 5] in the order of `CHANNELS`, before envelope, noise and clipping.
    """
    parts = _segments(phones)
    times = (np.arange(n_frames * _SUBSAMPLES) + 0.5) / (_SUBSAMPLES * fps)
    count, hard = len(parts.visemes), manner.difficulty
    jitter = np.clip(rng.normal(1.0, 1.0, count) * 0.32 * hard + (1 - 0.32 * hard), 0.2, 1.8)
    strength = np.exp(rng.normal(0.0, 1.0, count) * 0.35 * hard)
    shift = rng.normal(0.0, 0.018, count) * hard + manner.lag
    rows = np.array([[getattr(v, name) for name in CHANNELS] for v in parts.visemes]).reshape(count, 5)
    rows[:, 0] *= jitter
    rows[:, 1] *= 2.0 - jitter
    weight_sum = np.full(len(times), _REST_WEIGHT)
    total = np.zeros((len(times), 5))
    total[:, 0] = _REST_WEIGHT * _REST_OPEN
    for index, viseme in enumerate(parts.visemes):
        middle = 0.5 * (parts.starts[index] + parts.ends[index]) + shift[index]
        half = 0.5 * (parts.ends[index] - parts.starts[index])
        before = np.maximum(middle - 0.55 * half - times, 0.0) / (viseme.tau + _ANTICIPATION)
        after = np.maximum(times - (middle + 0.35 * half), 0.0) / viseme.tau
        weight = viseme.dominance * strength[index] * np.exp(-((before + after) ** 1.5))
        weight_sum += weight
        total += weight[:, None] * rows[index]
    track = total / weight_sum[:, None]
    return np.asarray(track.reshape(n_frames, _SUBSAMPLES, 5).mean(axis=1))


def lip_tracks(
    phones: Sequence[Phone],
    envelope: NDArray[np.float64],
    fps: float,
    manner: Manner,
    wander: tuple[NDArray[np.float64], NDArray[np.float64], float],
    rng: np.random.Generator,
) -> LipTracks:
    """Lip parameters of a clip.

    Args:
        phones: Sounds in order, seconds on the clip's clock.
        envelope: [T] loudness per frame, about 0 to 1.
        fps: Frames per second.
        manner: How it is articulated.
        wander: Non-speech mouth motion: [T] and [T] smooth unit-variance curves for opening and width, and a
            unit-normal constant; scaled by the difficulty.
        rng: Chance of this clip's articulation.

    Returns:
        Parameters in the ranges of `Viseme`.
    """
    n_frames, hard = len(envelope), manner.difficulty
    raw = blend(phones, n_frames, fps, manner, rng)
    loud = np.clip(0.55 + 0.6 * envelope, 0.4, 1.25)
    opened = raw[:, 0] * manner.strength * manner.slack * loud + rng.normal(0.0, 0.012, n_frames)
    wide = raw[:, 1] + rng.normal(0.0, 0.02, n_frames)
    press = np.clip(1.8 * (raw[:, 2] - 0.45), 0.0, 1.0)
    drift = hard * np.clip(0.035 * wander[0], -0.05, 0.12)
    opened = np.maximum(opened + drift * (1.0 - press), 0.0)
    wide += hard * (0.16 * wander[1] + 0.15 * wander[2])
    return LipTracks(
        open=np.clip(opened, 0.0, 1.15),
        wide=np.clip(wide, -1.0, 1.0),
        press=press,
        bite=np.clip(1.4 * (raw[:, 3] - 0.3), 0.0, 1.0),
        tongue=np.clip(raw[:, 4], 0.0, 1.0),
    )
