"""The take's words spoken by a neural voice of Coqui TTS."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.clip import REAL, Labels, Modality, Segment, content_id
from cmdfd.errors import JobError
from generators.audio import coqui
from generators.audio.align import Stretch, grid, played, same_place, word_places
from generators.audio.dsp import Signal, fit_length, loud_span, resample
from generators.audio.place import in_place
from generators.audio.timing import RATE, match_times
from generators.generator import GeneratorSpec, Job, Outcome, Speech, Take

if TYPE_CHECKING:
    from collections.abc import Mapping

ALIGNMENTS = ("free", "fit", "words")
#: Speech shorter than this can be stretched to nothing sensible, seconds.
_SHORTEST = 0.2
_PARAMS: dict[str, Any] = {
    "model": None,
    "model_path": None,
    "config_path": None,
    "vocoder_path": None,
    "vocoder_config_path": None,
    "sha256": None,
    "speaker": None,
    "language": None,
    "align": "fit",
    "licence": None,
    "accept_licence": False,
}
_CUES = ("neural vocoder", "phase vocoder unless align is free", "outside talkers: no room echo, stationary noise")


@dataclass(frozen=True, slots=True)
class _Span:
    """Where somebody speaks, seconds."""

    start: float
    end: float


class CoquiSpeech(coqui.Installed):
    """Have a model of Coqui TTS say the take's words, in this process (`tts` extra).

    The model is one of Coqui's list (`model`), used only if its files are on this machine already, or a file of your
    own (`model_path`, with `config.json` beside it or `config_path`). `sha256` pins the weights: it is checked, and
    belongs to the job's address. A model of many speakers takes `speaker`, or one that is drawn; one that clones takes
    the take's own sound with `speaker_wav: own`. `align: free` keeps the model's rhythm from the first sound on, `fit`
    stretches the speech as a whole to the old one's length, and `words` gives every word its old time: which moments
    belong together is found by listening (time warping against the take's own sound).

    A voice that is none of the person's is an `identity_mismatch`; a clone of the person's own voice is not, as CMDFD
    counts it, though it is not that voice: its voice id is new either way. The id belongs to the take, since one id
    for all that a model says would tie all people of a set together.
    """

    spec = GeneratorSpec(
        name="audio/tts",
        family="tts",
        summary="the same words spoken by a Coqui TTS model, as it comes, fitted as a whole, or word by word",
        modalities=("audio",),
        needs_speech=True,
        known_cues=_CUES,
        licence="MPL-2.0",
        params={**_PARAMS, "speaker_wav": None},
        citation="Coqui TTS, github.com/idiap/coqui-ai-TTS",
    )

    def generate(self, job: Job) -> Outcome:
        """Forge one take.

        Raises:
            JobError: "env_missing" without the package, "weights_missing" and "hash_mismatch" for the model's files,
                "licence_refused" for terms that were not accepted, "input_unsupported" for a take without words or
                parameters that the model does not have.
        """
        name, take, params = self.spec.name, job.take, job.params
        if params["align"] not in ALIGNMENTS:
            reason = f"align must be one of {', '.join(ALIGNMENTS)}, got {params['align']!r}"
            raise JobError("input_unsupported", name, reason)
        speech = _known(take.speech, str(params["align"]), name)
        lent = self._reference(job)
        model = coqui.find_model(params, name)
        terms = coqui.terms(model, accepted=params["accept_licence"] is True, who=name)
        loaded = coqui.load(model, agreed=params["accept_licence"] is True, who=name)
        coqui.check_pin(loaded, params["sha256"], name)
        voice = _voice(loaded.api, params, lent, job.rng, name)
        seed = int(job.rng.integers(1, 2**31))
        dry = resample(_say(loaded, speech.text, voice, lent, seed, name), loaded.sample_rate, RATE)
        timed, facts = _timed(dry, take, speech, str(params["align"]), name)
        sound = in_place(resample(timed, RATE, take.sample_rate), take, speech, job.rng, name)
        weights = dict(loaded.weights)
        return Outcome(
            Take(take.frames, take.fps, sound, take.sample_rate, take.track, None),
            Labels(1, 1, 0, int(params["align"] != "words"), self._identity(lent)),
            (Segment(0.0, take.duration, Modality.AUDIO),),
            variant=str(params["align"]),
            voice_id="v" + content_id("tts", weights, voice, seed, speech.text, length=12),
            details={
                "model": model.name, "weights": weights, "model_licence": model.licence, "output_licence": terms,
                "voice": voice, "seed": seed, "model_rate": loaded.sample_rate, "tools": self.state(), **facts,
            },
        )  # fmt: skip

    def sham(self, job: Job) -> Outcome:
        """The take's own sound through the vocoder that stretches, with every moment at its place.

        With `align: free` nothing is stretched and the take stays as it is. No model is needed.
        """
        take = job.take
        if job.params["align"] == "free":
            return Outcome(take, REAL, ())
        sound = same_place(take.audio, take.sample_rate, RATE)
        return Outcome(Take(take.frames, take.fps, sound, take.sample_rate, take.track, take.speech), REAL, ())

    def _reference(self, job: Job) -> Take | None:
        """Whose sound is cloned, or None."""
        wanted = job.params["speaker_wav"]
        if wanted not in (None, "own"):
            reason = f"speaker_wav must be null or 'own' (audio/tts_clone takes a donor's sound), got {wanted!r}"
            raise JobError("input_unsupported", self.spec.name, reason)
        return job.take if wanted == "own" else None

    @staticmethod
    def _identity(lent: Take | None) -> int | None:
        return int(lent is None)


class CoquiClone(CoquiSpeech):
    """As `CoquiSpeech`, in a voice cloned from the donor's sound: the same person's, or a partner's.

    `identity_mismatch` is the build's to say: 1 for a partner's voice, else 0.
    """

    spec = GeneratorSpec(
        name="audio/tts_clone",
        family="tts",
        summary="the same words spoken by a Coqui TTS model in a voice cloned from another take",
        modalities=("audio",),
        needs_donor=True,
        needs_speech=True,
        known_cues=_CUES,
        licence="MPL-2.0",
        params=_PARAMS,
        citation="Coqui TTS, github.com/idiap/coqui-ai-TTS",
    )
    donor_streams = ("audio",)

    def _reference(self, job: Job) -> Take | None:
        if job.donor is None:
            raise JobError("input_unsupported", self.spec.name, "there is no sound to clone a voice from")
        return job.donor

    @staticmethod
    def _identity(lent: Take | None) -> int | None:
        return None


def _known(speech: Speech | None, align: str, who: str) -> Speech:
    if speech is None or not speech.text.strip():
        raise JobError(
            "input_unsupported",
            who,
            "the words of the take are not known; put a .words.csv or .words.json beside the recording",
        )
    if align == "words" and not speech.words:
        raise JobError("input_unsupported", who, "the times of the take's words are not known: set align to 'fit'")
    return speech


def _voice(
    api: Any, params: Mapping[str, Any], lent: Take | None, rng: np.random.Generator, who: str
) -> dict[str, Any]:
    """Speaker and language as the model wants them; JSON-able."""
    clones = bool(getattr(api.synthesizer.tts_model.config, "supports_cloning", False))
    if lent is not None and not clones:
        raise JobError(
            "input_unsupported", who, "this model clones no voices: choose another, or leave speaker_wav out"
        )
    voice: dict[str, Any] = {}
    languages = [str(one) for one in api.languages or []]
    if languages or params["language"]:
        if params["language"] not in languages:
            known = ", ".join(languages) or "none, it speaks one only"
            raise JobError("input_unsupported", who, f"language {params['language']!r}: the model has {known}")
        voice["language"] = str(params["language"])
    if lent is not None:
        return voice | {"cloned": True}
    speakers = sorted(str(one) for one in api.speakers or [])
    if params["speaker"] is not None:
        if str(params["speaker"]) not in speakers:
            known = ", ".join(speakers[:20]) or "none, it has one voice only"
            raise JobError("input_unsupported", who, f"speaker {params['speaker']!r}: the model has {known}")
        return voice | {"speaker": str(params["speaker"])}
    if speakers:
        return voice | {"speaker": speakers[int(rng.integers(len(speakers)))]}
    if clones:
        raise JobError("input_unsupported", who, "this model only clones voices: set speaker_wav to 'own'")
    return voice


def _say(loaded: coqui.Loaded, text: str, voice: Mapping[str, Any], lent: Take | None, seed: int, who: str) -> Signal:
    """Dry speech at the model's rate."""
    arguments = {"text": text, "speaker": voice.get("speaker"), "language": voice.get("language")}
    with tempfile.TemporaryDirectory(prefix="cmdfd-") as folder:
        if lent is not None:
            path = coqui.write_wav(Path(folder) / "reference.wav", lent.audio, lent.sample_rate)
            arguments["speaker_wav"] = str(path)
        return coqui.sound_of(lambda: loaded.api.tts(**arguments), seed, who)


def _spans(dry: Signal, take: Take, speech: Speech) -> tuple[_Span, _Span]:
    """Where the take and where the model speaks; the take's words know it best."""
    times = [(one.start, one.end) for one in speech.words]
    times = times or [(one.start, one.end) for one in speech.phones if one.label]
    heard = len(take.audio) / take.sample_rate
    old = (times[0][0], min(times[-1][1], heard)) if times else loud_span(take.audio, take.sample_rate)
    return _Span(*old), _Span(*loud_span(dry, RATE))


def _timed(dry: Signal, take: Take, speech: Speech, align: str, who: str) -> tuple[Signal, dict[str, Any]]:
    """The speech at 16 kHz on the take's clock, and how far it was stretched."""
    n = round(len(take.audio) / take.sample_rate * RATE)
    old, new = _spans(dry, take, speech)
    if align == "free":
        shift = round((old.start - new.start) * RATE)
        return fit_length(np.pad(dry, (shift, 0)) if shift >= 0 else dry[-shift:], n), {}
    if min(old.end - old.start, new.end - new.start) < _SHORTEST:
        raise JobError("input_unsupported", who, f"there is less than {_SHORTEST:g} s of speech to align")
    stretches = [Stretch(old.start, old.end, new.start, new.end)]
    if align == "words":
        stretches = _word_by_word(dry, take, speech, old, new)
    heard = word_places(stretches, grid(n, RATE))
    return played(dry, heard, RATE, n), {"stretch": round((old.end - old.start) / (new.end - new.start), 4)}


def _word_by_word(dry: Signal, take: Take, speech: Speech, old: _Span, new: _Span) -> list[Stretch]:
    ours = resample(take.audio, take.sample_rate, RATE)[round(old.start * RATE) : round(old.end * RATE)]
    pairs = match_times(ours, dry[round(new.start * RATE) : round(new.end * RATE)])

    def there(time: float) -> float:
        return new.start + float(np.interp(time - old.start, pairs[:, 0], pairs[:, 1]))

    found = []
    for word in speech.words:
        end = min(word.end, old.end)
        if end > word.start and there(end) > there(word.start):
            found.append(Stretch(word.start, end, there(word.start), there(end)))
    return found
