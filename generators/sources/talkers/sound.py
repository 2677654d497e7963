"""What the microphone hears: silence around the words, early reflections, noise, another talker far away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from generators.sources.talkers.speech import SAMPLE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Room:
    """One recording situation, drawn once per clip.

    Args:
        lead: Seconds of silence before the words.
        peak: Peak level of the speech.
        delays: Early reflections, samples.
        gains: Their gains.
        floor: Standard deviation of the noise floor.
        babble_snr: dB of the talker above the competing one, infinite for none.
        noise_snr: dB of the talker above added white noise, infinite for none.
    """

    lead: float
    peak: float
    delays: tuple[int, ...]
    gains: tuple[float, ...]
    floor: float
    babble_snr: float
    noise_snr: float


def draw_room(difficulty: float, rng: np.random.Generator) -> Room:
    """Draw a recording situation; the same draws are made at every difficulty in [0, 1]."""
    lead = float(rng.uniform(0.02, 0.25))
    peak = float(rng.uniform(0.35, 0.9))
    delays = tuple(round(d * SAMPLE_RATE) for d in rng.uniform(0.004, 0.040, 4))
    gains = tuple(float(g) for g in rng.uniform(-0.12, 0.18, 4))
    floor = float(rng.uniform(0.0005, 0.004))
    babble, noise = float(rng.uniform(6, 25)), float(rng.uniform(12, 35))
    if difficulty <= 0:
        return Room(lead, peak, delays, gains, floor, np.inf, np.inf)
    ease = 24.0 * (1.0 - difficulty)  # quieter disturbances where it shall be easier
    return Room(lead, peak, delays, gains, floor, babble + ease, noise + ease)


def _power(samples: NDArray[np.float32]) -> float:
    return float(np.mean(np.square(samples, dtype=np.float64))) + 1e-12


def record(
    speech: NDArray[np.float32],
    length: int,
    room: Room,
    other: NDArray[np.float32] | None,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Place speech in a room.

    Args:
        speech: [N] dry speech at 16 kHz.
        length: Samples wanted; shorter speech is followed by the room's own noise.
        room: The situation.
        other: Competing speech, repeated as needed, or None.
        rng: The noise's own stream.

    Returns:
        [length] float32 in [-1, 1].
    """
    dry = np.zeros(length, np.float32)
    start = round(room.lead * SAMPLE_RATE)
    piece = speech[: max(length - start, 0)]
    dry[start : start + len(piece)] = piece * (room.peak / max(float(np.abs(speech).max()), 1e-6))
    wet = dry.copy()
    for delay, gain in zip(room.delays, room.gains, strict=True):
        wet[delay:] += np.float32(gain) * dry[:-delay]
    power = _power(wet[start : start + len(piece)])
    if other is not None and np.isfinite(room.babble_snr):
        babble = np.tile(other, length // len(other) + 1)[:length]
        wet += babble * np.float32(np.sqrt(power / _power(other) * 10 ** (-room.babble_snr / 10)))
    sigma = room.floor
    if np.isfinite(room.noise_snr):
        sigma = float(np.hypot(sigma, np.sqrt(power * 10 ** (-room.noise_snr / 10))))
    wet += rng.standard_normal(length, dtype=np.float32) * np.float32(sigma)
    top = float(np.abs(wet).max())
    return np.asarray(np.clip(wet * np.float32(min(0.8, 0.9 / max(top, 1e-6))), -1.0, 1.0), np.float32)


def envelope(samples: NDArray[np.float32], n_frames: int, fps: float) -> NDArray[np.float64]:
    """Loudness per video frame: RMS divided by its 95th percentile; [n_frames]."""
    edges = np.round(np.arange(n_frames + 1) / fps * SAMPLE_RATE).astype(int)
    padded = np.pad(samples, (0, max(edges[-1] - len(samples), 0)))
    total = np.concatenate([[0.0], np.cumsum(np.square(padded, dtype=np.float64))])
    rms = np.sqrt((total[edges[1:]] - total[edges[:-1]]) / np.diff(edges))
    return np.asarray(rms / max(float(np.percentile(rms, 95)), 1e-6))
