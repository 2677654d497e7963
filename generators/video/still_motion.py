"""How the head of a still shall move: sway like the take's own, blinks, brows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from generators.video.mesh_face import FaceState, smoothed

Floats = NDArray[np.float32]

#: Columns of a motion: to the right, down (distances of the outer eye corners), roll (radians), log of the size,
#: and how far the tip of the nose moves right and down against the eyes by turning and nodding.
CHANNELS = ("right", "down", "roll", "size", "turn", "nod")
#: Beyond these a picture that is bent shows it; larger sways are compressed towards them.
LIMITS = np.array([0.22, 0.16, 0.14, 0.06, 0.10, 0.08], np.float32)
#: Smoothing of the measured motion in frames: landmarks jitter faster than heads.
_SMOOTH = 2.0
#: Closure of the lids over a blink at 25 frames per second, and the times between blinks in seconds: those of the
#: embedded talkers, which follow the usual 12 to 37 blinks a minute.
_BLINK = np.array([0.3, 0.85, 1.0, 0.9, 0.55, 0.25, 0.08], np.float32)
_BLINK_STEP, _FIRST_BLINK, _NEXT_BLINK = 0.04, (0.3, 2.5), (1.6, 5.0)
#: Brows: lift per standard deviation of slow loudness, slow lift of their own, and limit (eye distances).
_BROW_LOUD, _BROW_SLOW, _BROW_LIMIT = 0.010, 0.008, 0.035
_BROW_FRAMES = 7.0


def measured(state: FaceState) -> Floats:
    """Motion of a genuine head around its mean: [T, 6], see `CHANNELS`."""
    unit = float(np.median(state.unit))
    nose = state.inside[:, 30]
    rows = [state.origin / unit, np.unwrap(state.roll)[:, None], np.log(state.unit)[:, None], nose]
    motion = smoothed(np.concatenate(rows, axis=1), _SMOOTH)
    return np.asarray(motion - motion.mean(axis=0), np.float32)


def surrogate(motion: Floats, rng: np.random.Generator) -> Floats:
    """Another motion with the same amplitudes at every frequency and the same ties between the channels.

    Phases are drawn anew, one for each frequency and the same for all channels (Prichard and Theiler 1994). The line
    between first and last value is taken out before, since a spectrum sees it as a jump; the spread is restored.

    Args:
        motion: [T, C] genuine motion of mean 0.
        rng: Chance.

    Returns:
        [T, C] of mean 0, within `LIMITS` where C is 6.
    """
    n = len(motion)
    if n < 4:
        return np.zeros_like(motion)
    line = np.linspace(0, 1, n, dtype=np.float32)[:, None] * (motion[-1] - motion[0]) + motion[0]
    spectrum = np.fft.rfft(motion - line, axis=0)
    phases = np.exp(2j * np.pi * rng.random(len(spectrum)))
    phases[0] = 1
    if n % 2 == 0:
        phases[-1] = 1
    drawn = np.fft.irfft(spectrum * phases[:, None], n, axis=0)
    drawn = drawn - drawn.mean(axis=0)
    drawn *= motion.std(axis=0) / np.maximum(drawn.std(axis=0), 1e-9)
    return np.asarray(drawn, np.float32)


def limited(motion: Floats) -> Floats:
    """A motion [T, 6] whose large values are compressed below `LIMITS`; small ones stay."""
    return np.asarray(LIMITS * np.tanh(motion / LIMITS), np.float32)


def blinks(n_frames: int, fps: float, rng: np.random.Generator) -> Floats:
    """How far the lids are closed at every frame, 0 to 1; [n_frames]."""
    times = np.arange(n_frames) / fps
    closed = np.zeros(n_frames, np.float32)
    moment = float(rng.uniform(*_FIRST_BLINK))
    while moment < n_frames / fps:
        place = (times - moment) / _BLINK_STEP
        closed = np.maximum(closed, np.interp(place, np.arange(-1, len(_BLINK) + 1), np.pad(_BLINK, 1)))
        moment += float(rng.uniform(*_NEXT_BLINK))
    return np.asarray(closed, np.float32)


def brow_lift(level: NDArray[np.float64], rng: np.random.Generator) -> Floats:
    """How far the brows are raised at every frame, in eye distances: a little with slow loudness, a little alone.

    Args:
        level: [T] loudness.
        rng: Chance.
    """
    slow = smoothed(level, _BROW_FRAMES)
    loud = (slow - slow.mean()) / max(float(slow.std()), 1e-9)
    own = smoothed(rng.standard_normal(len(level)), _BROW_FRAMES)
    own = own / max(float(own.std()), 1e-9)
    lift = _BROW_LOUD * loud + _BROW_SLOW * own
    return np.asarray(_BROW_LIMIT * np.tanh(lift / _BROW_LIMIT), np.float32)
