"""A changed voice: the pitch that was asked for, the old timing, level and bandwidth."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import hilbert, lfilter, welch
from tiny_source import RATE, make_take

from cmdfd.clip import REAL, Labels
from cmdfd.errors import JobError
from cmdfd.media.ffmpeg import find_ffmpeg
from generators.audio import voice_change
from generators.audio.dsp import rms, speech_level
from generators.audio.voice_change import Change, VoiceChange, changed, drawn
from generators.generator import Job, Outcome, Take
from generators.registry import make_generator, resolve_params

NAME = "audio/voice_change"
PITCH, FORMANT = 140.0, 1200.0


def voice(seconds: float = 3.0, pitch: float = PITCH) -> np.ndarray:
    """Syllables: pulses through one resonance, a little hiss, louder and softer four times a second."""
    t = np.arange(round(seconds * RATE)) / RATE
    pulses = np.diff(np.floor(t * pitch), prepend=0.0)
    radius, angle = 0.98, 2 * np.pi * FORMANT / RATE
    sung = lfilter([1.0], [1.0, -2 * radius * np.cos(angle), radius**2], pulses)
    rng = np.random.default_rng(5)
    swell = np.interp(t, np.arange(0, seconds + 0.25, 0.125), np.tile([0.02, 1.0], round(seconds * 4) + 1))
    swell *= np.interp(t, np.arange(0, seconds + 1, 0.25), rng.uniform(0.3, 1, round(seconds * 4) + 4))
    return (0.15 * swell * sung / sung.std() + 0.003 * rng.standard_normal(len(t))).astype(np.float32)


@pytest.fixture(scope="module")
def take() -> Take:
    base = make_take("voice", 2.4)
    return Take(base.frames, base.fps, voice(), RATE, base.track)


def forge(take: Take, seed: int = 0, **params: Any) -> Outcome:
    job = Job(take, None, 0.2, 2.0, resolve_params(NAME, params), np.random.default_rng(seed))
    return make_generator(NAME).generate(job)


def pitch_of(samples: np.ndarray) -> float:
    """Fundamental by the highest peak of the autocorrelation, refined by a parabola."""
    piece = samples - samples.mean()
    found = np.fft.irfft(np.abs(np.fft.rfft(piece, 2 * len(piece))) ** 2)
    low, high = RATE // 400, RATE // 60
    k = low + int(np.argmax(found[low:high]))
    a, b, c = found[k - 1 : k + 2]
    return RATE / (k + 0.5 * (a - c) / (a - 2 * b + c))


def formant_of(samples: np.ndarray) -> float:
    """Centre of power between 500 and 3000 Hz."""
    hertz, power = welch(samples, RATE, nperseg=2048)
    near = (hertz > 500) & (hertz < 3000)
    return float((hertz * power)[near].sum() / power[near].sum())


def lag_ms(one: np.ndarray, other: np.ndarray) -> float:
    """By the loudness (Hilbert envelope, 30 ms), within 60 ms."""
    kernel, most = np.hanning(480) / np.hanning(480).sum(), 240
    loud = [np.convolve(np.abs(hilbert(signal.astype(float))), kernel, "same")[::4] for signal in (one, other)]
    a, b = (signal - signal.mean() for signal in loud)
    scores = [float((a[most:-most] * b[most + k : len(b) - most + k]).sum()) for k in range(-most, most + 1)]
    return (int(np.argmax(scores)) - most) * 4000 / RATE


@pytest.mark.parametrize("semitones", [-5.0, -2.0, 1.0, 4.0])
@pytest.mark.parametrize("formant", ["preserved", "shifted"])
def test_the_pitch_moves_and_nothing_else(take: Take, semitones: float, formant: str) -> None:
    sound, facts = changed(take, Change(semitones, formant))
    ratio = 2 ** (semitones / 12)
    assert pitch_of(sound) / pitch_of(take.audio) == pytest.approx(ratio, rel=0.01)
    moved = formant_of(sound) / formant_of(take.audio)
    if formant == "shifted":
        assert moved == pytest.approx(ratio, rel=0.05)
    else:  # "preserved" holds them about half way, see the class
        assert abs(np.log(moved)) < 0.75 * abs(np.log(ratio))
    assert sound.shape == take.audio.shape and sound.dtype == np.float32
    assert abs(lag_ms(take.audio, sound)) <= 1.0
    parts = [slice(k, k + RATE) for k in range(0, len(sound) - RATE, RATE // 2)]
    assert max(abs(lag_ms(take.audio[part], sound[part])) for part in parts) < 8  # a fifth of a frame
    assert speech_level(sound, RATE) == pytest.approx(speech_level(take.audio, RATE), rel=0.05)
    assert abs(facts["lag_seconds"]) < 0.02


@pytest.mark.parametrize("late", [-300, 300])
def test_a_filter_that_is_late_is_put_right(take: Take, monkeypatch: pytest.MonkeyPatch, late: int) -> None:
    """Other builds have other delays: whatever it is, it is measured and taken out."""
    change = Change(2.0, "preserved")
    sound, facts = changed(take, change)
    plain = voice_change._rubberband
    monkeypatch.setattr(voice_change, "_rubberband", lambda *given: np.roll(plain(*given), late))
    again, moved = changed(take, change)
    assert moved["lag_seconds"] - facts["lag_seconds"] == pytest.approx(late / 32000, abs=2e-4)
    assert abs(lag_ms(sound, again)) <= 0.25


@pytest.mark.parametrize("semitones", [-4.0, 4.0])
def test_the_top_band_stays_as_wide(semitones: float) -> None:
    base = make_take("hiss", 2.0)
    hiss = 0.1 * np.random.default_rng(0).standard_normal(2 * RATE).astype(np.float32)
    take = Take(base.frames, base.fps, hiss, RATE)
    sound, facts = changed(take, Change(semitones, "preserved"))
    for low in range(5000, 8000, 500):
        level = []
        for signal in (hiss, sound):
            hertz, power = welch(signal, RATE, nperseg=512)
            level.append(10 * np.log10(power[(hertz >= low) & (hertz < low + 500)].mean()))
        assert abs(level[1] - level[0]) < 4.5
    assert facts["own_band_above_hz"] == pytest.approx(0.9 * 8000 * min(1, 2 ** (semitones / 12)), abs=1)


def test_both_ends_are_as_loud_as_before() -> None:
    base = make_take("hiss", 2.0)
    hiss = 0.1 * np.random.default_rng(1).standard_normal(2 * RATE).astype(np.float32)
    sound, _ = changed(Take(base.frames, base.fps, hiss, RATE), Change(-3.0, "preserved"))
    for end in (slice(0, 320), slice(-320, None)):
        assert 0.5 < rms(sound[end]) / rms(hiss[end]) < 2


def test_labels_voice_and_provenance(take: Take) -> None:
    made = forge(take)
    assert made.labels == Labels(1, 1, 0, 0, 1) and made.take.frames is take.frames and made.masks is None
    assert made.details["formant"] == "preserved" and 2 <= abs(made.details["semitones"]) <= 4
    assert made.variant.startswith("up" if made.details["semitones"] > 0 else "down")
    again, other_draw = forge(take), forge(take, seed=1)
    assert np.array_equal(made.take.audio, again.take.audio) and made.voice_id == again.voice_id
    assert other_draw.voice_id != made.voice_id
    louder = Take(take.frames, take.fps, take.audio * np.float32(0.5), RATE)
    assert forge(louder).voice_id != made.voice_id  # no two takes share a voice, which would tie people together


def test_threads_do_not_change_a_bit(take: Take) -> None:
    """The program with four threads, asked without the library in between, returns the same bytes."""
    change = Change(3.0, "shifted")
    ours = voice_change._rubberband(take.audio, RATE, change)
    options = f"rubberband=pitch={change.ratio:.9f}:formant=shifted:pitchq=consistency:window=short"
    raw = ["-f", "f32le", "-ar", str(RATE), "-ac", "1"]
    command = [str(find_ffmpeg("rubberband")), "-v", "error", "-filter_threads", "4", "-threads", "4", *raw]
    command += ["-i", "pipe:", "-af", options, *raw, "pipe:"]
    done = subprocess.run(command, input=take.audio.astype("<f4").tobytes(), capture_output=True, check=True)
    assert done.stdout == ours.astype("<f4").tobytes()


def test_the_sham_passes_the_same_filter(take: Take) -> None:
    job = Job(take, None, 0.2, 2.0, resolve_params(NAME, {}), np.random.default_rng(0))
    made = make_generator(NAME).sham(job)
    assert made.labels == REAL and not made.segments and made.voice_id is None
    assert not np.array_equal(made.take.audio, take.audio)
    assert rms(made.take.audio - take.audio) < 0.1 * rms(take.audio)
    assert made.details["semitones"] == 0 and lag_ms(take.audio, made.take.audio) == 0


@given(st.integers(0, 999), st.floats(0.5, 12), st.floats(0.5, 12), st.sampled_from(["both", "up", "down"]))
def test_draws_stay_in_their_range(seed: int, one: float, other: float, direction: str) -> None:
    low, high = sorted((one, other))
    params = {"semitones": (low, high), "direction": direction, "formant": "preserved"}
    change = drawn(params, np.random.default_rng(seed))
    assert low - 1e-3 <= abs(change.semitones) <= high + 1e-3
    assert {"up": change.semitones > 0, "down": change.semitones < 0}.get(direction, True)


def test_both_signs_come_up() -> None:
    params = resolve_params(NAME, {})
    ups = sum(drawn(params, np.random.default_rng(seed)).semitones > 0 for seed in range(200))
    assert 70 < ups < 130


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"semitones": (0.0, 2.0)}, r"inside \[0\.5, 12\]"),
        ({"semitones": (-4, 4)}, r"inside \[0\.5, 12\]"),
        ({"semitones": 3}, "must be a range"),
        ({"direction": "left"}, "both, up, down"),
        ({"formant": "kept"}, "preserved, shifted"),
    ],
)
def test_what_is_refused(take: Take, params: dict[str, Any], text: str) -> None:
    with pytest.raises(JobError, match=text) as caught:
        forge(take, **params)
    assert caught.value.code == "input_unsupported"


def test_silence_is_refused(take: Take) -> None:
    with pytest.raises(JobError, match="silent") as caught:
        forge(Take(take.frames, take.fps, np.zeros_like(take.audio), RATE))
    assert caught.value.code == "audio_invalid"


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


LISTS = 'echo " ... rubberband        A->A       Apply time-stretching"'


def test_an_ffmpeg_without_the_filter_is_passed_over(
    take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CMDFD_FFMPEG", raising=False)
    poor = program(tmp_path / "bin" / "ffmpeg", 'echo " ... atempo            A->A       Adjust audio tempo."')
    monkeypatch.setenv("PATH", str(poor.parent))
    assert find_ffmpeg() == poor and find_ffmpeg("rubberband") != poor
    assert forge(take).labels.label == 1
    generator = VoiceChange()
    assert generator.problems() == [] and generator.state().startswith("ffmpeg version")
    monkeypatch.setenv("CMDFD_FFMPEG", str(poor))  # a choice of the user is not passed over
    with pytest.raises(JobError, match=r"pip install imageio-ffmpeg.*unset CMDFD_FFMPEG") as caught:
        forge(take)
    assert caught.value.code == "env_missing"
    assert generator.problems() == [caught.value.detail] and generator.state() == ""


@pytest.mark.parametrize(
    ("does", "code"), [("echo no >&2; exit 3", "crashed"), ("exit 0", "output_corrupt")]
)  # fmt: skip
def test_a_failing_ffmpeg_is_told(
    take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str, code: str
) -> None:
    script = f'case "$*" in *-filters*) {LISTS};; *) cat > /dev/null; {does};; esac'
    monkeypatch.setenv("CMDFD_FFMPEG", str(program(tmp_path / "bin" / "broken", script)))
    with pytest.raises(JobError) as caught:
        forge(take)
    assert caught.value.code == code
