"""The same words in another voice, by default with every sound at its old time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.clip import REAL, Labels, Modality, Segment, content_id
from cmdfd.errors import CmdfdError, JobError, MediaError, MissingExtraError
from generators.audio.align import anchors, grid, matched_words, phone_places, played, same_place, word_places
from generators.audio.dsp import Signal, resample
from generators.audio.place import in_place
from generators.generator import GeneratorSpec, Job, Outcome, Speech, Take

if TYPE_CHECKING:
    from collections.abc import Mapping

    from generators.sources.talkers.speech import Spoken

__all__ = ["ALIGNMENTS", "Revoice", "anchors"]

#: Values of the parameter `align`; true is "phonemes".
ALIGNMENTS = ("phonemes", "words", "free")
#: Words a minute that eSpeak NG speaks, and those of a talker.
_RATES, _USUAL_RATE = (80, 450), 165
#: Pitch and range of a drawn voice on eSpeak NG's scale of 0 to 99; those of the talkers' voices.
_PITCHES, _RANGES = (25, 75), (35, 75)


class Revoice:
    """Speak the take's words with another synthetic voice.

    Aligned, only the voice tells: the lips still fit (`sync_mismatch` 0), which makes it the hardest kind. By
    "phonemes" (or true) every sound, by "words" every word has its old time; with `align: false` the words keep the
    other voice's own rhythm. The other voice is the parameter `voice`, or the one that the source reserved for the
    take (`take.speech.voice["revoice"]`), or, for a person, an English one that is drawn. Talkers' new words are
    recorded in the old ones' room (`take.speech.voice["room"]`); elsewhere the pauses' noise of the old track is laid
    under the new one.

    What a take must know: its text for `align: false`, its words' times for "words", its sounds' times for "phonemes".
    """

    spec = GeneratorSpec(
        name="audio/revoice",
        family="vc",
        summary="the same words spoken by another synthetic voice, aligned sound by sound or word by word",
        modalities=("audio",),
        needs_speech=True,
        known_cues=("phase vocoder", "outside talkers: no room echo, stationary noise"),
        params={"align": True, "voice": None},
        cost=0.015,
    )

    def generate(self, job: Job) -> Outcome:
        """Forge one take.

        Raises:
            MediaError: "unsupported" where words or another voice are unknown, or the two utterances do not have
                the same sounds or words.
            JobError: "env_missing" where eSpeak NG is not installed, "input_unsupported" for a parameter.
        """
        take, align = job.take, alignment(job.params["align"])
        speech = _known(take.speech, align)
        voice = _voice(job, speech)
        if not speech.voice and not job.params["voice"]:
            voice = paced(voice, speech)
        spoken, rate = _speak(speech.text, voice, int(job.rng.integers(1, 2**31)))
        sound = in_place(_timed(spoken, rate, speech, take, align), take, speech, job.rng, self.spec.name)
        forged = Take(take.frames, take.fps, sound, take.sample_rate, take.track, None)
        free = align == "free"
        return Outcome(
            forged,
            Labels(label=1, audio_label=1, video_label=0, sync_mismatch=int(free), identity_mismatch=1),
            (Segment(0.0, take.duration, Modality.AUDIO),),
            variant={"phonemes": "aligned", "words": "aligned by words", "free": "free"}[align],
            voice_id="v" + content_id("voice", dict(voice), length=12),
            details={"voice": dict(voice)},
        )

    def sham(self, job: Job) -> Outcome:
        """The take's own sound through the vocoder with every moment at its place; untouched where nothing is warped.

        The own words need no new room and no new noise: they have theirs.
        """
        from generators.sources.talkers.speech import SAMPLE_RATE

        take = job.take
        if alignment(job.params["align"]) == "free":
            return Outcome(take, REAL, ())
        sound = same_place(take.audio, take.sample_rate, SAMPLE_RATE)
        return Outcome(Take(take.frames, take.fps, sound, take.sample_rate, take.track, take.speech), REAL, ())


def alignment(value: Any) -> str:
    """One of `ALIGNMENTS` from the parameter `align`.

    Raises:
        JobError: "input_unsupported" for anything else.
    """
    word = ("phonemes" if value else "free") if isinstance(value, bool) else value
    if word not in ALIGNMENTS:
        reason = f"align must be true, false or one of {', '.join(ALIGNMENTS)}, got {value!r}"
        raise JobError("input_unsupported", Revoice.spec.name, reason)
    return str(word)


def _known(speech: Speech | None, align: str) -> Speech:
    """The take's speech, if it knows what the alignment needs."""
    name = Revoice.spec.name
    if speech is None or not speech.text.strip():
        raise MediaError(
            "unsupported",
            name,
            "the words of the take are not known; put a .words.csv or .words.json beside the recording",
        )
    if align == "words" and not speech.words:
        raise MediaError("unsupported", name, "the times of the take's words are not known")
    if align == "phonemes" and not any(phone.label for phone in speech.phones):
        reason = "the times of the take's sounds are not known; set align to 'words' or false"
        raise MediaError("unsupported", name, reason)
    return speech


def _voice(job: Job, speech: Speech) -> Mapping[str, Any]:
    voice = job.params["voice"] or speech.voice.get("revoice")
    if not voice and not speech.voice:
        return drawn_voice(job.rng)
    if not voice:
        raise MediaError("unsupported", Revoice.spec.name, "there is no other voice for this speaker")
    return dict(voice)


def drawn_voice(rng: np.random.Generator) -> dict[str, Any]:
    """An English voice for the words of a person, at the usual pace."""
    from generators.sources.talkers.voices import ACCENTS, POOLS

    variants = sorted({name for pool in POOLS.values() for name in (*pool.talkers, *pool.reserved)})
    accent, variant = ACCENTS[int(rng.integers(len(ACCENTS)))], variants[int(rng.integers(len(variants)))]
    pitch, spread = (int(rng.integers(low, high + 1)) for low, high in (_PITCHES, _RANGES))
    return {"name": f"{accent}+{variant}", "rate": _USUAL_RATE, "pitch": pitch, "range": spread}


def paced(voice: Mapping[str, Any], speech: Speech) -> dict[str, Any]:
    """A voice at the pace of a person: its words take about as long as the person's; the same without word times."""
    if not speech.words:
        return dict(voice)
    usual, _ = _speak(speech.text, voice, 1)
    own = sum(word.end - word.start for word in speech.words)
    other = sum(word.end - word.start for word in usual.words)
    rate = int(np.clip(round(float(voice["rate"]) * other / own), *_RATES)) if own > 0 else voice["rate"]
    return {**voice, "rate": rate}


def _speak(text: str, voice: Mapping[str, Any], seed: int) -> tuple[Spoken, int]:
    from generators.sources.talkers.speech import SAMPLE_RATE, speak

    try:
        return speak(text, voice, seed), SAMPLE_RATE
    except MediaError:
        raise
    except MissingExtraError as error:
        raise JobError("env_missing", Revoice.spec.name, str(error)) from error
    except CmdfdError as error:  # a voice that the library does not know
        raise MediaError("unsupported", Revoice.spec.name, str(error)) from error


def _timed(spoken: Spoken, rate: int, speech: Speech, take: Take, align: str) -> Signal:
    """The new utterance on the take's clock and at its rate."""
    if align == "free":
        return _free(spoken, rate, speech, take)
    n = round(len(take.audio) / take.sample_rate * rate)
    times = grid(n, rate)
    if align == "words":
        heard = word_places(matched_words(speech.words, spoken.words, Revoice.spec.name), times)
    else:
        heard = phone_places(anchors(speech.phones, spoken.phones), times)
    return resample(played(spoken.samples, heard, rate, n), rate, take.sample_rate)


def _free(spoken: Spoken, rate: int, speech: Speech, take: Take) -> Signal:
    """The new utterance in its own rhythm; only its first sound begins where the old one did."""
    new = next(phone.start for phone in spoken.phones if phone.label)
    shift = round((speech_start(speech, take) - new) * rate)
    dry = spoken.samples
    moved = np.pad(dry, (shift, 0)) if shift >= 0 else dry[-shift:]
    return resample(moved, rate, take.sample_rate)


def speech_start(speech: Speech, take: Take) -> float:
    """Seconds at which somebody begins to speak: the first sound, else the first word, else the first loud moment."""
    known = [phone.start for phone in speech.phones if phone.label] or [word.start for word in speech.words]
    if known:
        return known[0]
    from generators.audio.dsp import loud_span

    return loud_span(take.audio, take.sample_rate)[0]
