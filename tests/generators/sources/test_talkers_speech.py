"""eSpeak NG behind its little server: same bytes everywhere, clean ends, clear refusals."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cmdfd.errors import MissingExtraError
from generators.sources.talkers import speech, speech_server, texts, voices

pytest.importorskip("espeakng_loader")

PLAIN = {"name": "en-us+m1", "rate": 160, "pitch": 50, "range": 50}
#: A variant that uses chance: without a seed it differs from run to run.
BREATHY = {**PLAIN, "name": "en-us+f2"}
TEXTS = ("Bob bought five big maps.", "Please move the boats home.", "We know Emma will watch.")


def digest(spoken: speech.Spoken) -> str:
    labels = repr([(p.label, p.start, p.end) for p in spoken.phones]).encode()
    return hashlib.sha256(spoken.samples.tobytes() + labels).hexdigest()


def digests(order: list[int]) -> dict[int, str]:
    """Speak the texts in an order, with both voices, and tell what came."""
    out = {}
    for index in order:
        out[index] = digest(speech.speak(TEXTS[index], PLAIN, 1)) + digest(speech.speak(TEXTS[index], BREATHY, 7))
    return out


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def gone(pid: int, seconds: float = 8.0) -> bool:
    deadline = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(pid)


def test_phones_are_in_order_and_inside_the_sound() -> None:
    spoken = speech.speak("People bought five big maps. He left before noon.", PLAIN, 0)
    assert spoken.samples.dtype == np.float32 and np.abs(spoken.samples).max() > 0.05
    assert 2.0 < spoken.duration < 5.0
    starts = [p.start for p in spoken.phones]
    assert starts == sorted(starts)
    assert all(0 <= p.start < p.end <= spoken.duration + 1e-9 for p in spoken.phones)
    labels = "".join(p.label for p in spoken.phones)
    for sound in ("p", "b", "f", "m", "n"):
        assert sound in labels
    assert any(p.label == speech.PAUSE and p.end - p.start > 0.1 for p in spoken.phones)  # between the sentences
    quiet = next(p for p in spoken.phones if p.label == speech.PAUSE and p.end - p.start > 0.1)
    inside = spoken.samples[int((quiet.start + 0.03) * 16000) : int((quiet.end - 0.03) * 16000)]
    assert np.abs(inside).max() < 0.1 * np.abs(spoken.samples).max()  # a pause of the phones is a pause of the sound


def drawn_words(seed: int) -> tuple[str, speech.Spoken]:
    rng = np.random.default_rng(seed)
    cast, split = "ab"[seed % 2], ("train", "validation", "test")[seed % 3]
    text = " ".join(texts.draw_sentences(cast, split, 4, rng))
    voice = voices.draw_voice(cast, split, ("male", "female")[seed // 2 % 2], rng)
    return text, speech.speak(text, voice, seed)


def test_words_are_those_of_the_text_in_order() -> None:
    joined = 0
    for seed in range(16):
        text, spoken = drawn_words(seed)
        assert " ".join(word.text for word in spoken.words) == text.replace(".", "")
        joined += sum(" " in word.text for word in spoken.words)
        ends = [0.0, *(word.end for word in spoken.words)]
        for before, word in zip(ends, spoken.words, strict=False):
            assert before <= word.start < word.end <= spoken.duration + 1e-9
        # every sound belongs to exactly one word, every pause to none but the short breaks inside words
        for phone in spoken.phones:
            middle = (phone.start + phone.end) / 2
            holders = sum(word.start <= middle < word.end for word in spoken.words)
            assert holders == 1 if phone.label else holders == 0 or phone.end - phone.start < 0.08
    assert joined < 16  # "on the" is spoken as one


def test_words_are_heard_where_they_are_said_to_be() -> None:
    """Against the sound alone: energy inside words, silence in the pauses between them."""
    inside, between = [], []
    for seed in range(12):
        _, spoken = drawn_words(seed)
        power = np.convolve(np.square(spoken.samples), np.ones(160) / 160, "same")
        loud = np.percentile(power, 95)
        for word, following in zip(spoken.words, spoken.words[1:], strict=False):
            inside.append(power[int(word.start * 16000) : int(word.end * 16000)].max() / loud)
            if following.start - word.end > 0.1:
                between.append(
                    power[int((word.end + 0.04) * 16000) : int((following.start - 0.02) * 16000)].mean() / loud
                )
    assert np.percentile(inside, 2) > 0.1 and len(between) > 20
    assert np.percentile(between, 90) < 1e-3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Most of the maps.", ["Most", "of", "the", "maps"]),
        ("From the old town!", ["From the", "old", "town"]),
        ("Café, naïve (yes).", ["Café", "naïve", "yes"]),
        ("25 maps", ["25", "maps"]),
    ],
)
def test_phrases_letters_and_figures(text: str, expected: list[str]) -> None:
    assert [word.text for word in speech.speak(text, PLAIN, 0).words] == expected


def test_same_bytes_in_every_process_and_order() -> None:
    """State of eSpeak NG would carry over from one call to the next."""
    here = digests([0, 1, 2])
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        there = pool.submit(digests, [2, 0, 1]).result(timeout=60)
    assert here == there
    assert digests([2, 1, 0]) == here


def test_seed_matters_where_chance_is_used() -> None:
    assert digest(speech.speak(TEXTS[0], BREATHY, 7)) != digest(speech.speak(TEXTS[0], BREATHY, 8))
    assert digest(speech.speak(TEXTS[0], PLAIN, 7)) == digest(speech.speak(TEXTS[0], PLAIN, 8))


def test_refused_voices_are_reported() -> None:
    """en-gb with a variant looks right, is refused, and would leave another voice speaking."""
    with pytest.raises(speech.SpeechError, match="en-gb\\+m1"):
        speech.speak("Hello.", {**PLAIN, "name": "en-gb+m1"}, 0)
    assert digest(speech.speak(TEXTS[0], PLAIN, 1)) == digest(speech.speak(TEXTS[0], PLAIN, 1))


@pytest.mark.parametrize("text", ["", "   ", "..."])
def test_nothing_to_say(text: str) -> None:
    with pytest.raises(speech.SpeechError, match="nothing to say"):
        speech.speak(text, PLAIN, 0)


@given(text=st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_hostile_text_neither_hangs_nor_crashes(text: str) -> None:
    try:
        spoken = speech.speak(text, PLAIN, 0)
    except speech.SpeechError:
        return
    assert np.isfinite(spoken.samples).all()
    assert all(p.end > p.start for p in spoken.phones)
    assert all(w.text and w.end > w.start for w in spoken.words)


def test_lost_server_is_replaced() -> None:
    before = digest(speech.speak(TEXTS[1], PLAIN, 3))
    client = speech._client
    assert client is not None
    client.process.kill()
    client.process.wait()
    assert digest(speech.speak(TEXTS[1], PLAIN, 3)) == before


def test_shutdown_leaves_no_zombie() -> None:
    speech.speak(TEXTS[1], PLAIN, 3)
    client = speech._client
    assert client is not None
    speech.shutdown()
    assert client.process.returncode is not None
    assert not alive(client.process.pid)
    assert speech.speak(TEXTS[1], PLAIN, 3).duration > 0.5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_child_starts_its_own_server() -> None:
    expected = digest(speech.speak(TEXTS[0], PLAIN, 1))
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        assert pool.submit(digests, [0]).result(timeout=60)[0].startswith(expected)
    assert digest(speech.speak(TEXTS[0], PLAIN, 1)) == expected  # and ours still answers


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX signals")
def test_server_dies_with_a_killed_owner() -> None:
    code = (
        "import os, signal\n"
        "from generators.sources.talkers import speech\n"
        f"speech.speak('Hello mum.', {PLAIN!r}, 0)\n"
        "print(speech._client.process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -9, done.stderr
    assert gone(int(done.stdout))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    class Sleeper:
        sample_rate = 22050
        answer = speech_server.Engine.answer

        def speak(self, request: object) -> bytes:
            time.sleep(30)
            return b""

    monkeypatch.setattr(speech_server, "UTTERANCE_TIMEOUT", 0.3)
    start = time.monotonic()
    answer = speech_server._in_child(Sleeper(), {})  # type: ignore[arg-type]
    assert b"no answer within" in answer
    assert time.monotonic() - start < 5


def test_absent_extra_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    speech.shutdown()
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(MissingExtraError, match=r"\[talkers\]"):
        speech.speak("Hello.", PLAIN, 0)


@pytest.mark.slow
def test_every_pooled_voice_speaks_with_every_accent() -> None:
    for (_, _, _), pool in voices.POOLS.items():
        for variant in pool.talkers + pool.reserved:
            for accent in voices.ACCENTS:
                spoken = speech.speak("Maybe.", {**PLAIN, "name": f"{accent}+{variant}"}, 0)
                assert np.abs(spoken.samples).max() > 0.05, (accent, variant)
