"""One loudness after coding: a lossy encoder takes some energy away, and not the same from every clip.

Measured on noise in AAC at 64 kbit/s: clips that went in at one loudness to the last digit came out up to .35 LU apart,
and those that had been louder before by .15 LU louder again, which ranks tell from the others. So the gain is put right
until what is decoded has the loudness that is asked for; every clip goes through the same loop. On such noise the
encoder answers a small step of gain by up to .1 LU in either direction; what is left then has no side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.repair.sound_cut import with_noise
from cmdfd.media.encode import EncodedVideo, write_clip

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from cmdfd.audit.repair.recipe import Harmonise
    from cmdfd.media.settings import EncoderSettings

#: LU by which the decoded loudness may be off, and how often gain and offset are put right at most.
EXACT, ROUNDS = 0.005, 5
#: Mean of the decoded samples that counts as none: a lossy encoder leaves up to 1e-4, more of what had an offset.
EXACT_MEAN = 5e-6
#: Highest sample that a gain may lead to, as in `cmdfd.media.loudness`, and the largest change of gain in dB: more is
#: no loss of an encoder but a sound that has no loudness to speak of.
PEAK, MOST_DB = 0.95, 3.0


def write_levelled(
    path: Path, video: EncodedVideo, audio: NDArray[np.float32], step: Harmonise, encoder: EncoderSettings, seed: str
) -> None:
    """Write a clip whose sound has the loudness of the step when it is decoded again.

    Where that cannot be reached (peaks, a sound without loudness) the nearest of the tries stays.

    Args:
        path: File to write.
        video: Its coded picture.
        audio: [N] float32 mono at the loudness of the step.
        step: The form.
        encoder: Settings of the clip.
        seed: Hexadecimal digits that decide the noise.
    """
    fps = float(video.rate)
    highest = float(np.abs(audio).max(initial=0.0))
    gain, shift = 1.0, 0.0
    best, nearest = (gain, shift), np.inf
    for _ in range(ROUNDS):
        write_clip(path, video, fps, _sound(audio, gain, shift, step, seed), step.sample_rate, encoder)
        found = _decoded(path, step.sample_rate)
        if found is None:
            return
        loudness, mean = found
        off = step.lufs - loudness
        wrong = max(abs(off) / EXACT, abs(mean) / EXACT_MEAN)
        if wrong < nearest:
            nearest, best = wrong, (gain, shift)
        if wrong <= 1:
            return
        wanted = gain * 10 ** (off / 20)
        if highest * wanted > PEAK or abs(20 * np.log10(wanted)) > MOST_DB:
            break
        gain, shift = wanted, shift - mean
    write_clip(path, video, fps, _sound(audio, *best, step, seed), step.sample_rate, encoder)


def _sound(audio: NDArray[np.float32], gain: float, shift: float, step: Harmonise, seed: str) -> NDArray[np.float32]:
    return with_noise((audio * gain + shift).astype(np.float32), step.noise_dbfs, seed)


def _decoded(path: Path, sample_rate: int) -> tuple[float, float] | None:
    """Loudness and mean of the sound as it is decoded again; None where it has no loudness."""
    from cmdfd.media.decode import read_audio
    from cmdfd.media.loudness import integrated_loudness

    samples = read_audio(path, sample_rate=sample_rate).samples
    loudness = integrated_loudness(samples, sample_rate)
    return None if loudness is None else (loudness, float(samples.mean(dtype=np.float64)))
