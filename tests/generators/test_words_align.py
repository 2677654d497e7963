"""Words at their old times: matching, time maps, listening, and what comes out of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_source import RATE, make_take

from cmdfd.clip import REAL, Labels
from cmdfd.errors import JobError, MediaError
from generators.audio.align import NOWHERE, Stretch, grid, matched_words, played, same_place, word_places
from generators.audio.dsp import envelope_lag, loud_span, rms, speech_level
from generators.audio.revoice import alignment
from generators.audio.timing import match_times
from generators.generator import Job, Outcome, Speech, Take, Word
from generators.registry import make_generator, resolve_params

TEXT = "People bought five big maps of the old town and left before noon."
OTHER = {"name": "en-us+m5", "rate": 150, "pitch": 60, "range": 40}


def words(*pairs: tuple[str, float, float]) -> list[Word]:
    return [Word(*pair) for pair in pairs]


# -- matching ----------------------------------------------------------------------------------------------------


def test_words_are_matched_whatever_their_case_and_marks() -> None:
    old = words(("Don't", 0.1, 0.3), ("stop,", 0.3, 0.6), ("now", 1.0, 1.2))
    new = words(("don't", 0.0, 0.4), ("stop", 0.4, 0.5), ("now.", 0.5, 0.9))
    assert matched_words(old, new, "x") == [
        Stretch(0.1, 0.3, 0.0, 0.4), Stretch(0.3, 0.6, 0.4, 0.5), Stretch(1.0, 1.2, 0.5, 0.9)
    ]  # fmt: skip


def test_words_spoken_as_one_are_one_stretch() -> None:
    old = words(("maps", 0.0, 0.3), ("of", 0.3, 0.4), ("the", 0.4, 0.5), ("town", 0.5, 0.9))
    new = words(("maps", 0.0, 0.2), ("of the", 0.2, 0.3), ("town", 0.3, 0.6))
    stretches = matched_words(old, new, "x")
    assert stretches[1] == Stretch(0.3, 0.5, 0.2, 0.3) and len(stretches) == 3
    assert matched_words(new, old, "x")[1] == Stretch(0.2, 0.3, 0.3, 0.5)


def test_other_words_are_left_out_and_other_texts_refused() -> None:
    old = words(("one", 0, 1), ("two", 1, 2), ("three", 2, 3), ("four", 3, 4))
    new = words(("one", 0, 1), ("zwei", 1, 2), ("three", 2, 3), ("four", 3, 4), ("five", 4, 5))
    assert [one.old_start for one in matched_words(old, new, "x")] == [0, 2, 3]
    with pytest.raises(MediaError, match="only 1 of 4 words"):
        matched_words(old, words(("one", 0, 1), ("deux", 1, 2)), "x")
    with pytest.raises(MediaError, match="only 0 of 0 words"):
        matched_words([], new, "x")


# -- the map -----------------------------------------------------------------------------------------------------


def test_words_are_stretched_and_pauses_are_not() -> None:
    stretches = [Stretch(1.0, 2.0, 0.0, 0.5), Stretch(3.0, 3.5, 0.54, 1.54)]
    heard = word_places(stretches, np.array([0.5, 0.95, 1.0, 1.5, 1.99, 2.01, 2.5, 2.99, 3.0, 3.25, 3.55, 3.7]))
    expected = [NOWHERE, -0.05, 0.0, 0.25, 0.495, 0.51, NOWHERE, 0.53, 0.54, 1.04, 1.59, NOWHERE]
    assert heard == pytest.approx(expected)


lengths = st.lists(st.tuples(*[st.floats(0.0, 0.5)] * 4), min_size=1, max_size=8)


@given(lengths)
def test_a_map_never_runs_backwards_and_keeps_to_its_words(steps: list[tuple[float, ...]]) -> None:
    stretches, old, new = [], 0.0, 0.0
    for gap, length, new_gap, new_length in steps:
        old, new = old + gap, new + new_gap
        stretches.append(Stretch(old, old + length + 0.02, new, new + new_length + 0.02))
        old, new = stretches[-1].old_end, stretches[-1].new_end
    times = np.arange(-0.5, old + 0.5, 0.008)
    heard = word_places(stretches, times)
    sounding = heard > NOWHERE
    assert (np.diff(heard[sounding]) > -1e-9).all()
    for one in stretches:
        inside = (times >= one.old_start) & (times < one.old_end)
        assert ((heard[inside] >= one.new_start - 1e-9) & (heard[inside] <= one.new_end + 1e-9)).all()


def test_what_is_played_stands_where_the_map_says() -> None:
    """Two bursts are two words; the map moves them apart, and there is silence in between."""
    rng = np.random.default_rng(0)
    dry = np.zeros(RATE, np.float32)
    for start in (2000, 6000):
        dry[start : start + 3200] = 0.2 * rng.standard_normal(3200)
    stretches = [Stretch(0.5, 0.7, 2000 / RATE, 5200 / RATE), Stretch(1.5, 1.6, 6000 / RATE, 9200 / RATE)]
    out = played(dry, word_places(stretches, grid(2 * RATE, RATE)), RATE, 2 * RATE)
    assert len(out) == 2 * RATE
    edges = loud_span(out, RATE)
    assert edges[0] == pytest.approx(0.5, abs=0.03) and edges[1] == pytest.approx(1.6, abs=0.03)
    assert rms(out[round(0.8 * RATE) : round(1.35 * RATE)]) == 0
    assert rms(out[round(0.52 * RATE) : round(0.68 * RATE)]) == pytest.approx(0.2, rel=0.25)


def loudness(samples: np.ndarray, rate: int = RATE) -> np.ndarray:
    hop = rate // 50
    n = len(samples) // hop
    return np.sqrt(np.mean(samples[: n * hop].reshape(n, hop) ** 2, axis=1))


@pytest.mark.parametrize("rate", [16000, 44100])
def test_a_map_of_nothing_moves_nothing(rate: int) -> None:
    """The waveform is another one, as after every vocoder; pitch, loudness and times stay."""
    t = np.arange(rate) / rate
    sound = (0.3 * np.sin(2 * np.pi * 300 * t) * (1 + np.sin(2 * np.pi * 3 * t))).astype(np.float32)
    out = same_place(sound, rate, RATE)
    assert out.shape == sound.shape and not np.array_equal(out, sound)
    one, other = loudness(sound, rate)[3:-3], loudness(out, rate)[3:-3]
    assert np.abs(one - other).max() < 0.1 * one.max()
    spectrum = [np.abs(np.fft.rfft(signal * np.hanning(rate))) for signal in (sound, out)]
    assert np.argmax(spectrum[0]) == np.argmax(spectrum[1]) == 300


# -- listening ---------------------------------------------------------------------------------------------------


def test_the_same_sound_matches_itself_along_the_diagonal() -> None:
    sound = make_take("tune").audio
    pairs = match_times(sound, sound)
    assert np.abs(pairs[:, 0] - pairs[:, 1]).max() < 1e-9
    assert (np.diff(pairs[:, 0]) > 0).all() and (np.diff(pairs[:, 1]) >= 0).all()


def test_a_known_warp_is_found_again() -> None:
    """Coloured bursts whose order and times are known."""
    rng = np.random.default_rng(3)

    def scene(times: list[float], total: float) -> np.ndarray:
        out = 0.001 * rng.standard_normal(round(total * RATE))
        for k, time in enumerate(times):
            t = np.arange(round(0.12 * RATE)) / RATE
            start = round(time * RATE)
            out[start : start + len(t)] += np.sin(2 * np.pi * (300 + 400 * k) * t) * np.hanning(len(t))
        return out.astype(np.float32)

    old, new = [0.1, 0.5, 0.8, 1.4], [0.1, 0.35, 0.9, 1.3]
    pairs = match_times(scene(old, 1.6), scene(new, 1.5))
    found = np.interp(np.array(old) + 0.06, pairs[:, 0], pairs[:, 1]) - 0.06
    assert np.abs(found - new).max() < 0.03


# -- re-voicing --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def take() -> Take:
    """A person's take as far as the generator can tell: sound and word times, no voice and no phones."""
    pytest.importorskip("espeakng_loader", reason="needs the talkers extra")
    from generators.sources.talkers.speech import speak

    spoken = speak(TEXT, {"name": "en-gb-scotland+f1", "rate": 175, "pitch": 50, "range": 60}, 1)
    lead = 0.3
    audio = np.pad(0.5 * spoken.samples, (round(lead * RATE), 4000))
    audio = audio + 0.002 * np.random.default_rng(0).standard_normal(len(audio))
    base = make_take("words", 3.0)
    times = tuple(Word(w.text, w.start + lead, w.end + lead) for w in spoken.words)
    return Take(base.frames, base.fps, audio.astype(np.float32), RATE, base.track, Speech(TEXT, {}, (), times))


def forge(take: Take, seed: int = 5, **params: Any) -> Outcome:
    job = Job(take, None, 0.0, 2.5, resolve_params("audio/revoice", params), np.random.default_rng(seed))
    return make_generator("audio/revoice").generate(job)


def test_a_persons_words_are_spoken_at_their_times(take: Take) -> None:
    made = forge(take, align="words", voice=OTHER)
    assert made.labels == Labels(1, 1, 0, 0, 1) and made.variant == "aligned by words"
    assert made.take.audio.shape == take.audio.shape and made.details["voice"] == OTHER
    assert speech_level(made.take.audio, RATE) == pytest.approx(speech_level(take.audio, RATE), rel=0.15)
    # independent ground truth: say the same words again and find out where they ended up, by listening
    from generators.sources.talkers.speech import speak

    assert take.speech is not None
    spoken = speak(TEXT, OTHER, int(np.random.default_rng(5).integers(1, 2**31)))
    first, last = take.speech.words[0].start, take.speech.words[-1].end
    result = made.take.audio[round(first * RATE) : round(last * RATE)]
    begin, end = spoken.words[0].start, spoken.words[-1].end
    pairs = match_times(result, spoken.samples[round(begin * RATE) : round(end * RATE)])
    errors = []
    for stretch in matched_words(take.speech.words, spoken.words, "x")[1:]:
        heard = np.interp(stretch.new_start - begin, pairs[:, 1], pairs[:, 0]) + first
        errors.append(abs(heard - stretch.old_start))
    assert np.median(errors) < 0.02 and max(errors) < 0.06  # a frame of the picture is 0.04


def test_words_are_nearer_to_their_times_than_free_speech(take: Take) -> None:
    agree = {}
    for align in ("words", "free"):
        made = forge(take, align=align, voice=OTHER)
        n = len(take.audio) // 320
        one, other = (
            np.sqrt(np.mean(s[: n * 320].reshape(n, 320) ** 2, axis=1)) for s in (take.audio, made.take.audio)
        )
        agree[align] = np.corrcoef(one, other)[0, 1]
    assert agree["words"] > 0.55 > agree["free"] + 0.1


def test_a_voice_is_drawn_for_a_person(take: Take) -> None:
    one, again, other = (forge(take, seed=seed, align="words") for seed in (1, 1, 2))
    assert np.array_equal(one.take.audio, again.take.audio) and one.voice_id == again.voice_id != other.voice_id
    assert one.details["voice"]["name"] != other.details["voice"]["name"]
    assert 80 <= one.details["voice"]["rate"] <= 450
    free = forge(take, seed=1, align=False)
    assert free.labels.sync_mismatch == 1 and free.variant == "free"
    text_only = Take(take.frames, take.fps, take.audio, RATE, None, Speech(TEXT, {}, (), ()))
    start = loud_span(forge(text_only, align="free", voice=OTHER).take.audio, RATE)[0]
    assert start == pytest.approx(0.3, abs=0.06)  # nobody knows the words' times: it begins with the first loud moment


@pytest.mark.parametrize(
    ("speech", "align", "text"),
    [
        (Speech(TEXT, {}, (), ()), "words", "times of the take's words"),
        (Speech(TEXT, {}, (), ()), True, "set align to 'words' or false"),
        (Speech(" ", {}, (), ()), "free", "words of the take are not known"),
        (None, "words", "words of the take are not known"),
        (Speech(TEXT, {}, (), (Word("Completely", 0, 1), Word("different", 1, 2))), "words", "only 0 of 2 words"),
    ],
)
def test_what_is_not_known_is_refused(take: Take, speech: Speech | None, align: Any, text: str) -> None:
    poor = Take(take.frames, take.fps, take.audio, RATE, None, speech)
    with pytest.raises(MediaError, match=text) as caught:
        forge(poor, align=align, voice=OTHER)
    assert caught.value.code == "unsupported"


def test_alignments_by_name() -> None:
    given = [True, False, "phonemes", "words", "free"]
    assert [alignment(value) for value in given] == ["phonemes", "free", "phonemes", "words", "free"]
    for wrong in ("syllables", 1, None, [True]):
        with pytest.raises(JobError, match="true, false or one of phonemes, words, free"):
            alignment(wrong)


def test_without_the_library_the_extra_is_named(take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    from generators.sources.talkers import speech

    speech.shutdown()
    monkeypatch.setitem(__import__("sys").modules, "espeakng_loader", None)
    with pytest.raises(JobError, match=r"pip install -c constraints.txt -e '\.\[talkers\]'") as caught:
        forge(take, align="words", voice=OTHER)
    assert caught.value.code == "env_missing"


@pytest.mark.parametrize("align", [True, "words", False])
def test_the_sham_is_the_vocoder_without_a_warp(take: Take, align: Any) -> None:
    job = Job(take, None, 0.0, 2.5, resolve_params("audio/revoice", {"align": align}), np.random.default_rng(0))
    made = make_generator("audio/revoice").sham(job)
    assert made.labels == REAL and not made.segments and made.voice_id is None
    if align is False:
        assert made.take is take
    else:
        assert not np.array_equal(made.take.audio, take.audio)
        assert np.corrcoef(loudness(made.take.audio), loudness(take.audio))[0, 1] > 0.99
        assert envelope_lag(take.audio, made.take.audio, RATE, 0.05) / RATE == pytest.approx(0, abs=1e-3)
        assert speech_level(made.take.audio, RATE) == pytest.approx(speech_level(take.audio, RATE), rel=0.1)
