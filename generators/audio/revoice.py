"""The same words in another voice, by default with every sound at its old time."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.clip import Labels, Modality, Segment, content_id
from cmdfd.errors import CmdfdError, MediaError
from generators.audio.dsp import Signal, fit_length, limit, resample, rms, speech_level
from generators.audio.stretch import HOP, noise_like, warp_time
from generators.generator import GeneratorSpec, Job, Outcome, Speech, Take

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from generators.generator import Phone

#: Under this share of sounds in common, two utterances of one text are not the same sounds.
_MIN_MATCH = 0.6
#: Silence put before the spoken words, so that the map may begin earlier than they do.
_LEAD_SECONDS = 0.5


class Revoice:
    """Speak the take's words with another synthetic voice.

    Aligned, only the voice tells: the lips still fit (`sync_mismatch` 0), which makes it the hardest kind. With
    `align: false` the words keep the other voice's own rhythm. The other voice is the parameter `voice`, or the one
    that the source reserved for it (`take.speech.voice["revoice"]`). Talkers' new words are recorded in the old
    ones' room (`take.speech.voice["room"]`); elsewhere the pauses' noise of the old track is laid under the new one.
    """

    spec = GeneratorSpec(
        name="audio/revoice",
        family="audio",
        summary="the same words spoken by another synthetic voice, aligned sound by sound",
        modalities=("audio",),
        needs_speech=True,
        known_cues=("phase vocoder", "outside talkers: no room echo, stationary noise"),
        params={"align": True, "voice": None},
    )

    def generate(self, job: Job) -> Outcome:
        """Forge one take.

        Raises:
            MediaError: "unsupported" where words or another voice are unknown, or the two utterances do not have
                the same sounds.
        """
        take, speech = job.take, job.take.speech
        if speech is None or not any(phone.label for phone in speech.phones):
            raise MediaError("unsupported", self.spec.name, "the words of the take are not known")
        voice = job.params["voice"] or speech.voice.get("revoice")
        if not voice:
            raise MediaError("unsupported", self.spec.name, "there is no other voice for this speaker")
        align = bool(job.params["align"])
        dry, phones, rate = _speak(speech.text, voice, int(job.rng.integers(1, 2**31)))
        spoken = _aligned(dry, phones, rate, speech, take) if align else _free(dry, phones, rate, speech, take)
        sound = _in_place(spoken, take, speech, job.rng)
        forged = Take(take.frames, take.fps, sound, take.sample_rate, take.track, None)
        return Outcome(
            forged,
            Labels(label=1, audio_label=1, video_label=0, sync_mismatch=int(not align), identity_mismatch=1),
            (Segment(0.0, take.duration, Modality.AUDIO),),
            variant="aligned" if align else "free",
            voice_id="v" + content_id("voice", dict(voice), length=12),
        )


def _speak(text: str, voice: Any, seed: int) -> tuple[Signal, Sequence[Phone], int]:
    from generators.sources.talkers.speech import SAMPLE_RATE, speak

    try:
        spoken = speak(text, voice, seed)
    except MediaError:
        raise
    except CmdfdError as error:  # no speech library, or a voice that it does not know
        raise MediaError("unsupported", Revoice.spec.name, str(error)) from error
    return spoken.samples, spoken.phones, SAMPLE_RATE


def anchors(old: Sequence[Phone], new: Sequence[Phone]) -> NDArray[np.float64]:
    """Times that belong together: [K, 2] seconds in the old and in the new utterance, both increasing.

    Args:
        old: Sounds of the take.
        new: Sounds of the other voice.

    Raises:
        MediaError: "unsupported" if fewer than 60 % of the old sounds are found in the new utterance in order.
    """
    match = SequenceMatcher(None, [p.label for p in old], [p.label for p in new], autojunk=False)
    pairs = [
        (old[a + k], new[b + k]) for a, b, size in match.get_matching_blocks() for k in range(size)
    ]  # fmt: skip
    if len(pairs) < _MIN_MATCH * len(old) or not pairs:
        reason = f"only {len(pairs)} of {len(old)} sounds are the same in the other voice"
        raise MediaError("unsupported", Revoice.spec.name, reason)
    times = [(a.start, b.start) for a, b in pairs] + [(pairs[-1][0].end, pairs[-1][1].end)]
    kept = [times[0]]
    for one in times[1:]:
        if one[0] > kept[-1][0] + 1e-3 and one[1] > kept[-1][1] + 1e-3:
            kept.append(one)
    return np.array(kept, np.float64)


def _aligned(dry: Signal, phones: Sequence[Phone], rate: int, speech: Speech, take: Take) -> Signal:
    """The new utterance on the take's clock, at the speech library's rate, every sound at its old time."""
    pairs = anchors(speech.phones, phones)
    n = round(len(take.audio) / take.sample_rate * rate)
    times = np.arange(n // HOP + 1) * HOP / rate
    heard = np.interp(times, pairs[:, 0], pairs[:, 1])
    before, after = times < pairs[0, 0], times > pairs[-1, 0]
    heard[before] = pairs[0, 1] - (pairs[0, 0] - times[before])
    heard[after] = pairs[-1, 1] + (times[after] - pairs[-1, 0])
    lead = round(_LEAD_SECONDS * rate)
    padded = np.pad(dry, (lead, lead))
    return resample(warp_time(padded, heard * rate + lead, n), rate, take.sample_rate)


def _free(dry: Signal, phones: Sequence[Phone], rate: int, speech: Speech, take: Take) -> Signal:
    """The new utterance in its own rhythm; only its first sound begins where the old one did."""
    old = next(phone.start for phone in speech.phones if phone.label)
    new = next(phone.start for phone in phones if phone.label)
    shift = round((old - new) * rate)
    moved = np.pad(dry, (shift, 0)) if shift >= 0 else dry[-shift:]
    return resample(moved, rate, take.sample_rate)


def _in_place(spoken: Signal, take: Take, speech: Speech, rng: np.random.Generator) -> Signal:
    """Put the new speech where the old one was spoken: into its room, or to its level with the noise of its pauses."""
    spoken = fit_length(spoken, len(take.audio))
    if room := speech.voice.get("room"):
        from generators.sources.talkers.source import in_room

        return in_room(room, spoken)
    noise = noise_like(take.audio, rng)
    level, own = speech_level(take.audio, take.sample_rate), speech_level(spoken, take.sample_rate)
    if not level or not own:
        raise MediaError("unsupported", Revoice.spec.name, "the take or the other voice is silent")
    wanted = np.sqrt(max(level**2 - rms(noise) ** 2, 0.25 * level**2))
    return limit(np.asarray(spoken * np.float32(wanted / own) + noise, np.float32))
