"""The take's own words and timing in the donor's voice, by a voice conversion model of Coqui TTS."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from cmdfd.clip import REAL, Labels, Modality, Segment, content_id
from cmdfd.errors import JobError
from generators.audio import coqui
from generators.audio.dsp import Signal, envelope_lag, fit_length, limit, resample, speech_level
from generators.generator import GeneratorSpec, Job, Outcome, Take

#: A model may be late by this much, seconds; more is no conversion of this sound.
_FARTHEST_LAG = 0.1
#: Nor may it be shorter by this much, seconds.
_LOST_SECONDS = 0.2


class CoquiConversion(coqui.Installed):
    """Change the speaker's voice into the donor's: the same person's from another take, or a partner's.

    The model is one of Coqui's list (`voice_conversion_models/...`), used only if its files are on this machine, or a
    file of your own (`model_path`; Coqui knows OpenVoice by that word in the path). What the model is late is measured
    on the loudness and taken out, and the speech level is kept. `identity_mismatch` is the build's to say: 1 for a
    partner's voice, else 0; the voice id is new either way, since it is nobody's own.
    """

    spec = GeneratorSpec(
        name="audio/vc",
        family="vc",
        summary="the same recording in the donor's voice, converted by a Coqui TTS model",
        modalities=("audio",),
        needs_donor=True,
        known_cues=("neural vocoder", "room noise and echo pass the model", "nothing above the model's bandwidth"),
        licence="MPL-2.0",
        params={
            "model": None,
            "model_path": None,
            "config_path": None,
            "sha256": None,
            "licence": None,
            "accept_licence": False,
        },
        citation="Coqui TTS, github.com/idiap/coqui-ai-TTS",
    )
    donor_streams = ("audio",)

    def generate(self, job: Job) -> Outcome:
        """Forge one take.

        Raises:
            JobError: As `generators.audio.tts.CoquiSpeech`; "audio_invalid" for a silent take, "av_mismatch" if the
                model lost some of the sound.
        """
        if job.donor is None:
            raise JobError("input_unsupported", self.spec.name, "there is no other sound to take the voice from")
        sound, facts = self._through(job, job.donor)
        return Outcome(
            _with_sound(job.take, sound),
            Labels(label=1, audio_label=1, video_label=0, sync_mismatch=0, identity_mismatch=None),
            (Segment(0.0, job.take.duration, Modality.AUDIO),),
            voice_id="v" + content_id("vc", facts["weights"], job.donor_voice, facts["seed"], length=12),
            details=facts,
        )

    def sham(self, job: Job) -> Outcome:
        """The take's sound converted into its own voice: what the model does to a sound that it does not change."""
        sound, facts = self._through(job, job.take)
        return Outcome(_with_sound(job.take, sound), REAL, (), details=facts)

    def _through(self, job: Job, lent: Take) -> tuple[Signal, dict[str, Any]]:
        """The take's sound through the model into the voice of `lent`, and what was done."""
        name, take, params = self.spec.name, job.take, job.params
        level = speech_level(take.audio, take.sample_rate)
        if not level or not speech_level(lent.audio, lent.sample_rate):
            raise JobError("audio_invalid", name, "the take or its donor is silent")
        accepted = params["accept_licence"] is True
        model = coqui.find_model({**params, "vocoder_path": None, "vocoder_config_path": None}, name)
        terms = coqui.terms(model, accepted=accepted, who=name)
        loaded = coqui.load(model, agreed=accepted, who=name, converts=True)
        coqui.check_pin(loaded, params["sha256"], name)
        seed = int(job.rng.integers(1, 2**31))
        made = resample(_converted(loaded, take, lent, seed, name), loaded.sample_rate, take.sample_rate)
        sound, lag = _in_step(made, take, level, name)
        return sound, {
            "model": model.name, "weights": dict(loaded.weights), "model_licence": model.licence,
            "output_licence": terms, "seed": seed, "model_rate": loaded.sample_rate, "tools": self.state(),
            "lag_seconds": lag,
        }  # fmt: skip


def _with_sound(take: Take, sound: Signal) -> Take:
    return Take(take.frames, take.fps, sound, take.sample_rate, take.track, None)


def _converted(loaded: coqui.Loaded, take: Take, donor: Take, seed: int, who: str) -> Signal:
    with tempfile.TemporaryDirectory(prefix="cmdfd-") as folder:
        source = coqui.write_wav(Path(folder) / "source.wav", take.audio, take.sample_rate)
        target = coqui.write_wav(Path(folder) / "target.wav", donor.audio, donor.sample_rate)
        return coqui.sound_of(lambda: loaded.api.voice_conversion(str(source), str(target)), seed, who)


def _in_step(made: Signal, take: Take, level: float, who: str) -> tuple[Signal, float]:
    """The converted sound on the take's clock and at its level, and the lag that was taken out in seconds."""
    rate, n = take.sample_rate, len(take.audio)
    if len(made) < n - round(_LOST_SECONDS * rate):
        raise JobError("av_mismatch", who, f"the model returned {len(made) / rate:.2f} of {n / rate:.2f} s")
    lag = envelope_lag(take.audio, made, rate, _FARTHEST_LAG)
    moved = fit_length(made[lag:] if lag >= 0 else np.pad(made, (-lag, 0)), n)
    own = speech_level(moved, rate)
    return limit(np.asarray(moved * np.float32(level / own), np.float32)), round(lag / rate, 6)
