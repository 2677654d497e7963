"""All cheap cues of a file, or of a take in memory, under the same names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cmdfd.audit.cues import container, geometry, level, rate, silence, timing
from cmdfd.media.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cmdfd.audit.cue import Cue, CueValue

#: Every cue that this module measures, by name.
CATALOGUE: dict[str, Cue] = {
    cue.name: cue for family in (container, timing, geometry, level, silence, rate) for cue in family.CUES
}
#: Cues of size and bit rate: kept apart, since they follow the content (`floor:rate`).
RATE_CUES: tuple[str, ...] = tuple(cue.name for cue in rate.CUES)
#: All others: what a set built here must hold at chance (`floor:container`).
CONTAINER_CUES: tuple[str, ...] = tuple(name for name in CATALOGUE if name not in RATE_CUES)


def measure_file(path: Path, limits: Limits = DEFAULT_LIMITS) -> dict[str, CueValue]:
    """Measure every cue of `CATALOGUE` on a written file: the sound is decoded once, the pictures are not.

    Args:
        path: Media file.
        limits: Bounds.

    Returns:
        Cue name -> number, category, or None where the file has nothing to measure.

    Raises:
        MediaError: Where the file cannot be read.
    """
    from cmdfd.audit.reading import read_facts

    facts = read_facts(Path(path), limits)
    found = dict.fromkeys(CATALOGUE) | container.measure(facts) | timing.measure(facts)
    found |= geometry.measure(facts) | rate.measure(facts)
    if facts.audio is not None:
        found |= _sound(facts.audio.sound.samples, facts.audio.sound.sample_rate)
    return found


def measure_take(
    frames_shape: tuple[int, ...], fps: float, audio: NDArray[np.float32] | None, sample_rate: int
) -> dict[str, CueValue]:
    """Measure the cues that a take in memory has: timing, geometry, level and silence.

    Args:
        frames_shape: Shape of the pictures, [T, H, W] or [T, H, W, 3].
        fps: Frames per second, > 0.
        audio: [N] mono in [-1, 1], or None.
        sample_rate: Samples per second.

    Returns:
        Cue name -> value, with the names of `measure_file`.

    Raises:
        ValueError: For another shape or rate.
    """
    if len(frames_shape) not in (3, 4) or fps <= 0 or sample_rate <= 0:
        raise ValueError(f"needs [T, H, W(, 3)] and rates > 0, got {frames_shape}, {fps}, {sample_rate}")
    picture = frames_shape[0] / fps
    found: dict[str, CueValue] = {
        "time.video_duration": picture,
        "time.n_frames": float(frames_shape[0]),
        "time.fps": float(fps),
        "geometry.height": float(frames_shape[1]),
        "geometry.width": float(frames_shape[2]),
    }
    if audio is not None:
        found |= timing.sound_cues(len(audio), sample_rate, picture) | _sound(audio, sample_rate)
    return found


def _sound(samples: NDArray[np.float32], sample_rate: int) -> dict[str, CueValue]:
    return level.measure(samples, sample_rate) | silence.measure(samples, sample_rate)
