from __future__ import annotations

import numpy as np
import pytest
from tiny_source import RATE, make_take

from cmdfd.clip import Labels
from generators.audio.dsp import speech_level
from generators.generator import Job, Outcome, Phone, Speech, Take
from generators.registry import make_generator, resolve_params

pytest.importorskip("espeakng_loader", reason="needs the talkers extra")

TEXT = "People bought five big maps of the old town and left before noon."
VOICE = {"name": "en-us+m3", "rate": 160, "pitch": 40, "range": 50}
OTHER = {"name": "en-us+m5", "rate": 175, "pitch": 55, "range": 40}


@pytest.fixture(scope="module")
def take() -> Take:
    from generators.sources.talkers.speech import speak

    spoken = speak(TEXT, VOICE, 1)
    lead = np.zeros(round(0.2 * RATE), np.float32)
    audio = np.concatenate([lead, spoken.samples]) + np.float32(0.002) * np.random.default_rng(0).standard_normal(
        len(lead) + len(spoken.samples)
    ).astype(np.float32)
    phones = tuple(Phone(p.label, p.start + 0.2, p.end + 0.2) for p in spoken.phones)
    base = make_take("words", 3.0)
    speech = Speech(TEXT, {**VOICE, "revoice": OTHER}, phones)
    return Take(base.frames, base.fps, audio.astype(np.float32), RATE, base.track, speech)


def forge(take: Take, **params: object) -> Outcome:
    job = Job(take, None, 0.0, 2.5, resolve_params("audio/revoice", params), np.random.default_rng(5))
    return make_generator("audio/revoice").generate(job)


def envelope(samples: np.ndarray) -> np.ndarray:
    n = len(samples) // 320
    return np.sqrt(np.mean(samples[: n * 320].reshape(n, 320) ** 2, axis=1))


def test_an_aligned_voice_speaks_in_the_old_rhythm(take: Take) -> None:
    aligned, free = forge(take), forge(take, align=False)
    assert (aligned.variant, free.variant) == ("aligned", "free")
    assert aligned.labels == Labels(1, 1, 0, 0, 1) and free.labels == Labels(1, 1, 0, 1, 1)
    assert aligned.voice_id == free.voice_id and aligned.voice_id
    old = envelope(take.audio)
    agree = {made.variant: np.corrcoef(old, envelope(made.take.audio))[0, 1] for made in (aligned, free)}
    assert agree["aligned"] > 0.75 > agree["free"] + 0.1
    assert abs(np.corrcoef(take.audio, aligned.take.audio)[0, 1]) < 0.5  # another waveform all the same
    for made in (aligned, free):
        assert made.take.audio.shape == take.audio.shape and np.isfinite(made.take.audio).all()
        assert speech_level(made.take.audio, RATE) == pytest.approx(speech_level(take.audio, RATE), rel=0.15)


def test_it_is_the_same_every_time_and_has_the_old_noise(take: Take) -> None:
    one, two = forge(take).take.audio, forge(take).take.audio
    assert np.array_equal(one, two)
    quiet = slice(0, round(0.15 * RATE))  # before the first word
    level = [float(np.std(signal[quiet])) for signal in (one, take.audio)]
    assert level[0] == pytest.approx(level[1], rel=0.5)


def test_a_voice_may_be_named_and_must_exist(take: Take) -> None:
    named = forge(take, voice={**OTHER, "pitch": 60})
    assert named.voice_id != forge(take).voice_id
    with pytest.raises(Exception, match=r"unsupported.*no-such-voice") as caught:
        forge(take, voice={**OTHER, "name": "no-such-voice"})
    assert caught.value.code == "unsupported"  # type: ignore[attr-defined]
    lonely = Take(take.frames, take.fps, take.audio, RATE, None, Speech(TEXT, VOICE, take.speech.phones))  # type: ignore[union-attr]
    with pytest.raises(Exception, match="no other voice"):
        forge(lonely)
