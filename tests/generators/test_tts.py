"""Coqui TTS as this project drives it, against a stand-in for the package; the real one: test_tts_coqui.py."""

from __future__ import annotations

import os
import random
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_coqui import VOCODER, write_model, write_package
from tiny_source import RATE, make_take

from cmdfd.clip import REAL, Labels, sha256_file
from cmdfd.errors import JobError
from generators.audio import coqui
from generators.audio.coqui import Model, terms
from generators.audio.dsp import loud_span, rms, speech_level
from generators.generator import Job, Outcome, Speech, Take, Word
from generators.registry import make_generator, resolve_params

INSTALL = r"pip install -c constraints.txt -e '\.\[tts\]'"
TEXT = "mama buys nine blue balloons"


def person(name: str = "speaker") -> Take:
    """A take whose five words are tones at known times."""
    base = make_take(name, 3.0)
    rng = np.random.default_rng(0)
    audio = 0.002 * rng.standard_normal(len(base.audio))
    spans = [(0.3, 0.5), (0.6, 1.0), (1.0, 1.1), (1.5, 2.1), (2.2, 2.6)]
    for k, (start, end) in enumerate(spans):
        t = np.arange(round((end - start) * RATE)) / RATE
        place = slice(round(start * RATE), round(start * RATE) + len(t))
        audio[place] += 0.2 * np.sin(2 * np.pi * (250 + 150 * k) * t) * np.hanning(len(t))
    words = tuple(Word(text, *span) for text, span in zip(TEXT.split(), spans, strict=True))
    return Take(base.frames, base.fps, audio.astype(np.float32), RATE, base.track, Speech(TEXT, {}, (), words))


@pytest.fixture(scope="module")
def take() -> Take:
    return person()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The stand-in first on the path; nothing of it stays."""
    folder = write_package(tmp_path / "site")
    yield from _on_path(folder, monkeypatch)


def _on_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    def forget() -> None:
        for name in [name for name in sys.modules if name.split(".")[0] in ("TTS", "torchaudio", "torchcodec")]:
            del sys.modules[name]
        coqui._load.cache_clear()

    forget()
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    forget()


def forge(take: Take, name: str = "audio/tts", donor: Take | None = None, seed: int = 3, **params: Any) -> Outcome:
    job = Job(take, donor, 0.2, 2.5, resolve_params(name, params), np.random.default_rng(seed), donor_voice="v1")
    return make_generator(name).generate(job)


def refused(take: Take, code: str, text: str, **more: Any) -> None:
    with pytest.raises(JobError, match=text) as caught:
        forge(take, **more)
    assert caught.value.code == code
    assert "/home" not in caught.value.detail and "/tmp" not in caught.value.detail


def calls() -> list[Any]:
    return sys.modules["TTS.utils.synthesizer"].CALLS  # type: ignore[no-any-return]


# -- what is installed -------------------------------------------------------------------------------------------


def test_without_the_extra_the_command_is_named(take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "TTS", None)
    for name, donor in (("audio/tts", None), ("audio/tts_clone", take), ("audio/vc", take)):
        model = write_model(tmp_path / "m.pth")
        refused(take, "env_missing", INSTALL, name=name, donor=donor, model_path=str(model), licence="MIT")
        assert INSTALL.replace("\\", "") in make_generator(name).problems()[0]  # type: ignore[attr-defined]


@pytest.mark.parametrize("companions", [("torchaudio", "torchcodec"), ("torchcodec",)])
def test_a_companion_that_is_not_there(
    take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, companions: tuple[str, ...]
) -> None:
    for name in companions:
        if __import__("importlib.util").util.find_spec(name) is not None:
            pytest.skip(f"{name} is installed here")
    folder = write_package(tmp_path / "site", start="raise ImportError('Coqui TTS requires more')")
    for name in {"torchaudio", "torchcodec", "six"} - set(companions):
        (folder / f"{name}.py").write_text("")
    on_path = _on_path(folder, monkeypatch)
    next(on_path)
    model = str(write_model(tmp_path / "m.pth"))
    beside = f"but not {', '.join(companions)}, .*in one of its own: pip install --no-deps torchaudio torchcodec"
    refused(take, "env_missing", beside, model_path=model, licence="MIT")
    assert list(on_path) == []


def test_a_companion_that_cannot_load(take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_package(tmp_path / "site", api="import torchaudio\n")
    (folder / "torchaudio.py").write_text("raise OSError('Could not load this library: /opt/env/lib/libtorch_cuda.so')")
    (folder / "torchcodec.py").write_text("")
    (folder / "six.py").write_text("")
    on_path = _on_path(folder, monkeypatch)
    next(on_path)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    told = r"torchaudio cannot be loaded \(OSError: Could not load this library: libtorch_cuda.so\).*belongs to torch 2"
    refused(take, "env_missing", told, model_path=str(write_model(tmp_path / "m.pth")), licence="MIT")
    problems = make_generator("audio/tts").problems()  # type: ignore[attr-defined]
    assert len(problems) == 1 and "torchaudio cannot be loaded" in problems[0]
    assert list(on_path) == []


def test_the_old_package_is_told_apart(monkeypatch: pytest.MonkeyPatch, package: Path) -> None:
    monkeypatch.setattr(coqui, "version_of", lambda name: {"TTS": "0.22.0"}.get(name, ""))
    assert "TTS 0.22.0 is not maintained" in coqui.lacking(ImportError("x"))


# -- speaking ----------------------------------------------------------------------------------------------------


@pytest.fixture
def model(package: Path, tmp_path: Path) -> str:
    return str(write_model(tmp_path / "models" / "voice.pth"))


def test_words_are_spoken_and_put_in_place(take: Take, model: str) -> None:
    made = forge(take, model_path=model, licence="MIT")
    assert made.labels == Labels(1, 1, 0, 1, 1) and made.variant == "fit"
    assert made.take.audio.shape == take.audio.shape and made.take.audio.dtype == np.float32
    assert made.take.frames is take.frames and made.take.speech is None
    assert speech_level(made.take.audio, RATE) == pytest.approx(speech_level(take.audio, RATE), rel=0.15)
    quiet = slice(0, 3200)
    assert rms(made.take.audio[quiet]) == pytest.approx(rms(take.audio[quiet]), rel=0.5)  # the pauses' noise
    assert made.details["weights"] == {
        "model": sha256_file(Path(model)),
        "config": sha256_file(Path(model).parent / "config.json"),
    }
    assert made.details["model_licence"] == "MIT" and made.details["output_licence"] == ""
    assert [call[1] for call in calls() if call[0] == "speak"] == [TEXT]


def test_chance_is_the_jobs(take: Take, model: str) -> None:
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    one, again, other = (forge(take, seed=seed, model_path=model, licence="MIT") for seed in (3, 3, 4))
    assert np.array_equal(one.take.audio, again.take.audio) and one.voice_id == again.voice_id
    assert not np.array_equal(one.take.audio, other.take.audio) and one.voice_id != other.voice_id
    assert before == (random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002
    assert len([call for call in calls() if call[0] == "load"]) == 1  # loaded once
    assert {call[3] for call in calls() if call[0] == "speak"} == {1}  # one thread


def test_another_file_is_loaded_anew(take: Take, model: str) -> None:
    first = forge(take, model_path=model, licence="MIT")
    write_model(Path(model), word_seconds=0.3)
    os.utime(model, ns=(1, 1))
    second = forge(take, model_path=model, licence="MIT")
    assert first.details["weights"]["model"] != second.details["weights"]["model"]
    assert len([call for call in calls() if call[0] == "load"]) == 2


@pytest.mark.parametrize(("align", "sync"), [("free", 1), ("fit", 1), ("words", 0)])
def test_timing(take: Take, model: str, align: str, sync: int) -> None:
    made = forge(take, model_path=model, licence="MIT", align=align)
    assert made.labels.sync_mismatch == sync and made.variant == align
    start, end = loud_span(made.take.audio, RATE)
    assert start == pytest.approx(0.3, abs=0.06)
    if align == "free":  # five words of .36 s, the last without its gap
        assert end - start == pytest.approx(5 * 0.36 - 0.12, abs=0.08)
    else:
        assert end == pytest.approx(2.6, abs=0.08)
        assert made.details["stretch"] == pytest.approx(2.3 / (5 * 0.36 - 0.12), rel=0.06)


def test_words_are_found_by_listening(tmp_path: Path, package: Path) -> None:
    """The take is the model's own speech with its words moved apart: afterwards they stand there."""
    from fake_coqui import WORD_SECONDS

    write_model(tmp_path / "m.pth", rate=16000)
    base = person()
    free = forge(base, model_path=str(tmp_path / "m.pth"), licence="MIT", align="free").take.audio
    step, length = 1.5 * WORD_SECONDS, round(WORD_SECONDS * RATE)
    starts = [0.2, 0.5, 1.1, 1.5, 2.3]
    audio = 0.001 * np.random.default_rng(1).standard_normal(len(free)).astype(np.float32)
    begin = loud_span(free, RATE)[0] - 0.02
    for k, start in enumerate(starts):
        source = round((begin + k * step) * RATE)
        audio[round(start * RATE) :][:length] += free[source : source + length]
    words = tuple(Word(text, start, start + WORD_SECONDS) for text, start in zip(TEXT.split(), starts, strict=True))
    moved = Take(base.frames, base.fps, audio, RATE, None, Speech(TEXT, {}, (), words))
    made = forge(moved, model_path=str(tmp_path / "m.pth"), licence="MIT", align="words").take.audio
    n = len(audio) // 320
    loud = [np.sqrt(np.mean(s[: n * 320].reshape(n, 320) ** 2, axis=1)) for s in (audio, made)]
    assert np.corrcoef(*loud)[0, 1] > 0.8


def test_text_alone_serves(take: Take, model: str) -> None:
    poor = Take(take.frames, take.fps, take.audio, RATE, None, Speech(TEXT, {}, (), ()))
    start, end = loud_span(forge(poor, model_path=model, licence="MIT").take.audio, RATE)
    assert start == pytest.approx(0.3, abs=0.08) and end == pytest.approx(2.6, abs=0.1)  # where it was loud
    refused(poor, "input_unsupported", "set align to 'fit'", model_path=model, licence="MIT", align="words")
    for speech in (None, Speech("", {}, (), ())):
        mute = Take(take.frames, take.fps, take.audio, RATE, None, speech)
        refused(mute, "input_unsupported", "words of the take are not known", model_path=model, licence="MIT")


def test_the_sham_needs_no_model(take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "TTS", None)
    for align in ("free", "fit", "words"):
        job = Job(take, None, 0.2, 2.5, resolve_params("audio/tts", {"align": align}), np.random.default_rng(0))
        made = make_generator("audio/tts").sham(job)
        assert made.labels == REAL and not made.segments
        assert (made.take is take) == (align == "free")
        assert speech_level(made.take.audio, RATE) == pytest.approx(speech_level(take.audio, RATE), rel=0.1)


# -- parameters --------------------------------------------------------------------------------------------------


def test_speakers_and_languages(take: Take, package: Path, tmp_path: Path) -> None:
    many = str(write_model(tmp_path / "many.pth", speakers=["ann", "bob"], languages=["en", "de"]))
    given: dict[str, Any] = {"model_path": many, "licence": "MIT"}
    made = forge(take, language="de", speaker="bob", **given)
    assert made.details["voice"] == {"language": "de", "speaker": "bob"}
    drawn = {forge(take, seed=seed, language="en", **given).details["voice"]["speaker"] for seed in range(12)}
    assert drawn == {"ann", "bob"}
    refused(take, "input_unsupported", "language None: the model has en, de", **given)
    refused(take, "input_unsupported", "speaker 'eve': the model has ann, bob", language="en", speaker="eve", **given)
    one = str(write_model(tmp_path / "one.pth"))
    refused(take, "input_unsupported", "one voice only", model_path=one, licence="MIT", speaker="bob")
    refused(take, "input_unsupported", "speaks one only", model_path=one, licence="MIT", language="en")


def test_cloning(take: Take, package: Path, tmp_path: Path) -> None:
    clones = str(write_model(tmp_path / "clones.pth", clones=True))
    given: dict[str, Any] = {"model_path": clones, "licence": "MIT"}
    own = forge(take, speaker_wav="own", **given)
    assert own.labels.identity_mismatch == 0 and own.voice_id and own.details["voice"] == {"cloned": True}
    donor = person("donor")
    donor = Take(donor.frames, donor.fps, donor.audio[::-1].copy(), RATE, donor.track)
    lent = forge(take, name="audio/tts_clone", donor=donor, **given)
    assert lent.labels.identity_mismatch is None  # the build knows who the donor is
    heard = [call[2]["heard"] for call in calls() if call[0] == "speak"]
    for (samples, rate), lender in zip(heard, (take, donor), strict=True):
        assert rate == RATE and np.abs(samples - lender.audio).max() < 1e-4
    refused(take, "input_unsupported", "no sound to clone", name="audio/tts_clone", **given)
    refused(take, "input_unsupported", "only clones voices: set speaker_wav to 'own'", **given)
    refused(take, "input_unsupported", "must be null or 'own'", speaker_wav="x.wav", **given)
    plain = str(write_model(tmp_path / "plain.pth"))
    refused(take, "input_unsupported", "clones no voices", model_path=plain, licence="MIT", speaker_wav="own")


def test_which_model(take: Take, package: Path, tmp_path: Path) -> None:
    refused(take, "input_unsupported", "name either a model of Coqui's list")
    refused(take, "input_unsupported", "name either", model="tts_models/en/corpus/plain", model_path="x")
    refused(take, "weights_missing", "model_path 'absent.pth' does not exist", model_path=str(tmp_path / "absent.pth"))
    bare = tmp_path / "bare" / "m.pth"
    bare.parent.mkdir()
    bare.write_text("{}")
    refused(take, "weights_missing", "config_path 'config.json'", model_path=str(bare), licence="MIT")
    model = str(write_model(tmp_path / "m" / "m.pth"))
    refused(take, "input_unsupported", "belong together", model_path=model, vocoder_path=model)
    refused(take, "input_unsupported", "free, fit, words", model_path=model, align="phonemes")
    good = sha256_file(Path(model))
    assert forge(take, model_path=model, licence="MIT", sha256=good).labels.label == 1
    refused(take, "hash_mismatch", "SHA-256 'abc'", model_path=model, licence="MIT", sha256="abc")


def test_models_of_the_list_must_be_here(take: Take, package: Path) -> None:
    plain = "tts_models/en/corpus/plain"
    refused(take, "weights_missing", f"downloads nothing.*tts --model_name {plain}", model=plain)
    refused(take, "input_unsupported", f"did you mean '{plain}'", model="tts_models/en/corpus/plane")
    write_model(package / "known" / plain.replace("/", "--") / "model.pth")
    made = forge(take, model=plain)
    assert made.details["model"] == plain and made.details["model_licence"] == "apache 2.0"
    two = "tts_models/en/corpus/two"
    write_model(package / "known" / two.replace("/", "--") / "model.pth")
    refused(take, "weights_missing", f"tts --model_name {VOCODER}", model=two)
    write_model(package / "known" / VOCODER.replace("/", "--") / "model.pth")
    assert set(forge(take, model=two).details["weights"]) >= {"model/model.pth", "vocoder/model.pth"}


# -- terms -------------------------------------------------------------------------------------------------------


def test_terms_must_be_accepted(take: Take, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COQUI_TOS_AGREED", raising=False)
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("a build must not ask"))
    name = "tts_models/multilingual/big/xtts"
    write_model(package / "known" / name.replace("/", "--") / "model.pth")
    for not_yes in (False, "yes", None, 1):
        refused(take, "licence_refused", "'CPML'.*accept_licence: true", model=name, accept_licence=not_yes)
    made = forge(take, model=name, accept_licence=True)
    assert made.details["output_licence"] == "CPML"
    loads = [call for call in calls() if call[0] == "load"]
    assert [call[2] for call in loads] == ["1"]  # told while it was loaded, and never before
    assert "COQUI_TOS_AGREED" not in os.environ


@pytest.mark.parametrize(
    ("licence", "registered", "output", "needed"),
    [
        ("apache 2.0", True, "", False),
        ("MPL", True, "", False),
        ("CC BY-NC-ND 4.0", True, "CC-BY-NC-ND-4.0", True),
        ("CC-BY-SA 4.0", True, "CC-BY-SA-4.0", False),
        ("custom - see a page", True, "unclear", True),
        ("", True, "unclear", True),
        ("", False, "unclear", True),
        ("my own words", False, "my own words", False),
        ("CC-BY-NC-4.0", False, "CC-BY-NC-4.0", True),
    ],
)
def test_licences_and_what_they_put_on_clips(licence: str, registered: bool, output: str, needed: bool) -> None:
    model = Model("m", registered, (), licence, ())
    assert terms(model, accepted=True, who="x") == output
    if needed:
        with pytest.raises(JobError, match="accept_licence") as caught:
            terms(model, accepted=False, who="x")
        assert caught.value.code == "licence_refused"
    else:
        assert terms(model, accepted=False, who="x") == output


# -- failures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "code", "text"),
    [
        ({"fault": "boom"}, "crashed", "RuntimeError: boom"),
        ({"fault": "out of memory"}, "oom", "out of memory"),
        ({"fault": "nan"}, "output_corrupt", "not finite"),
        ({"fault": "silent"}, "output_corrupt", "no sound"),
        ({"fault": "network"}, "crashed", "downloads nothing"),
        ({"bad_file": True}, "crashed", r"cannot be loaded: RuntimeError: size mismatch for encoder in x\.pth"),
        ({"word_seconds": 0.01}, "input_unsupported", r"less than 0\.2 s"),
    ],
)
def test_failures_have_their_codes(
    take: Take, package: Path, tmp_path: Path, facts: dict[str, Any], code: str, text: str
) -> None:
    look_up = socket.getaddrinfo
    refused(take, code, text, model_path=str(write_model(tmp_path / "m.pth", **facts)), licence="MIT")
    assert socket.getaddrinfo is look_up


# -- voice conversion --------------------------------------------------------------------------------------------


def test_conversion_keeps_time_and_level(take: Take, package: Path, tmp_path: Path) -> None:
    donor = person("other")
    late = 200
    model = str(write_model(tmp_path / "vc.pth", rate=RATE, late=late))
    made = forge(take, name="audio/vc", donor=donor, model_path=model, licence="MIT")
    assert made.labels == Labels(1, 1, 0, 0, None) and made.voice_id
    assert made.details["lag_seconds"] == pytest.approx(late / RATE, abs=1e-3)
    assert speech_level(made.take.audio, RATE) == pytest.approx(speech_level(take.audio, RATE), rel=0.02)
    assert np.corrcoef(made.take.audio, take.audio)[0, 1] > 0.9  # in step, to the sample nearly
    (call,) = [call for call in calls() if call[0] == "convert"]
    assert np.abs(call[1] - take.audio).max() < 1e-4 and np.abs(call[2] - donor.audio).max() < 1e-4
    job = Job(
        take,
        donor,
        0.2,
        2.5,
        resolve_params("audio/vc", {"model_path": model, "licence": "MIT"}),
        np.random.default_rng(0),
    )
    sham = make_generator("audio/vc").sham(job)
    assert sham.labels == REAL and np.abs(calls()[-1][2] - take.audio).max() < 1e-4  # into its own voice


def test_what_conversion_refuses(take: Take, package: Path, tmp_path: Path) -> None:
    model = str(write_model(tmp_path / "vc.pth", rate=RATE, lost=RATE))
    given: dict[str, Any] = {"name": "audio/vc", "model_path": model, "licence": "MIT"}
    refused(take, "input_unsupported", "no other sound", **given)
    refused(take, "av_mismatch", "of 3.50 s", donor=person("other"), **given)
    silent = Take(take.frames, take.fps, np.zeros_like(take.audio), RATE)
    refused(take, "audio_invalid", "silent", donor=silent, **given)
    refused(silent, "audio_invalid", "silent", donor=take, **given)
