"""New speech put where the old one was spoken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmdfd.errors import MediaError
from generators.audio.dsp import Signal, fit_length, limit, rms, speech_level
from generators.audio.stretch import noise_like

if TYPE_CHECKING:
    from generators.generator import Speech, Take


def in_place(spoken: Signal, take: Take, speech: Speech, rng: np.random.Generator, who: str) -> Signal:
    """Put new speech into the old one's room, or at its level over the noise of its pauses.

    Args:
        spoken: Dry speech at the take's rate and on its clock; cut or filled to the take's length.
        take: The take.
        speech: What is known of its speech; talkers know their room.
        rng: Source of the noise.
        who: The generator, for errors.

    Returns:
        [N] float32, as long as the take's sound.

    Raises:
        MediaError: "unsupported" if the take or the new speech is silent.
    """
    spoken = fit_length(spoken, len(take.audio))
    if room := speech.voice.get("room"):
        from generators.sources.talkers.source import in_room

        return in_room(room, spoken)
    noise = noise_like(take.audio, rng)
    level, own = speech_level(take.audio, take.sample_rate), speech_level(spoken, take.sample_rate)
    if not level or not own:
        raise MediaError("unsupported", who, "the take or the other voice is silent")
    wanted = np.sqrt(max(level**2 - rms(noise) ** 2, 0.25 * level**2))
    return limit(np.asarray(spoken * np.float32(wanted / own) + noise, np.float32))
