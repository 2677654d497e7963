"""Splices, priming and padding: planted, and made by a real encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sounds import SR, encoded, low_passed, noise, voice

from cmdfd.audit.cues import audio


def number(samples: np.ndarray, name: str, rate: int = SR) -> float:
    value = audio.measure(samples, rate)[f"audio.{name}"]
    assert isinstance(value, float), name
    return value


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize("where", [0.1, 0.5, 0.93])
def test_a_click_is_the_sharpest_step(rate: int, where: float) -> None:
    sound = voice(rate=rate)
    clean = number(sound, "step", rate)
    assert clean < 15
    sound[int(where * len(sound))] += 0.5
    assert number(sound, "step", rate) > 1.5 * clean


def test_onsets_are_no_steps() -> None:
    # a plosive: loud noise all at once out of a quiet pause, and one out of digital zero
    sound = noise(-60, 3 * SR)
    sound[SR : 2 * SR] = noise(-20, SR, 1)
    assert number(sound, "step") < 8
    sound[:SR] = 0
    assert number(sound, "step") < 8


def test_a_step_leaks_over_the_cutoff_and_narrows_the_range() -> None:
    sound = low_passed(voice(), 5000)
    joined = sound.copy()
    joined[24000:] += 0.2  # an offset begins: the plainest of all bad joints
    assert number(joined, "splice_leak") > number(sound, "splice_leak") + 15
    faded = sound + 0.2 * np.clip((np.arange(len(sound)) - 24000) / 800, 0, 1).astype(np.float32)  # over 50 ms
    assert number(faded, "splice_leak") < number(sound, "splice_leak") + 5
    time = np.arange(3 * SR) / SR
    tone = sum(0.3 / k**2 * np.sin(2 * np.pi * 200 * k * time) for k in range(1, 36)) + noise(-90, 3 * SR)
    cut = np.concatenate([tone[:20000], tone[20031:]])
    assert number(cut, "splice_range") < number(tone, "splice_range") - 5


def test_leak_needs_room_above_the_cutoff() -> None:
    assert audio.measure(voice(), SR)["audio.splice_leak"] is None
    assert audio.measure(low_passed(voice(), 5000), SR)["audio.splice_leak"] is not None


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_jump_of_the_noise_floor(rate: int) -> None:
    even = voice(4.0, rate, floor_db=-70)
    assert number(even, "floor_jump", rate) < 4
    assert number(even, "loudness_jump", rate) < 4
    jumped = even + np.where(np.arange(len(even)) < 2 * rate, 0, noise(-50, len(even), 5)).astype(np.float32)
    assert number(jumped, "floor_jump", rate) == pytest.approx(20, abs=3)
    assert number(jumped, "loudness_jump", rate) < 4


def test_jump_of_the_loudness() -> None:
    sound = voice(4.0, floor_db=-90)
    sound[2 * SR :] *= np.float32(10 ** (-12 / 20))
    assert number(sound, "loudness_jump") == pytest.approx(12, abs=2)


@pytest.mark.parametrize("rate", [16000, 48000])
def test_priming_of_a_real_encoder_without_edit_list(rate: int, tmp_path: Path) -> None:
    sound = voice(2.0, rate, floor_db=-40)
    sound[:4096] = noise(-25, 4096, 7)  # even up to the ends
    sound[-4096:] = noise(-25, 4096, 8)
    signalled = encoded(sound, tmp_path / "a.mp4", rate)
    bare = encoded(sound, tmp_path / "a.aac", rate)
    assert len(signalled) == len(sound)
    assert len(bare) >= len(sound) + 1024
    assert abs(number(signalled, "start_ramp_1024", rate)) < 3
    assert number(bare, "start_ramp_1024", rate) < -12
    assert number(bare, "start_ramp_2112", rate) < number(signalled, "start_ramp_2112", rate) - 2
    # padding: what lies behind the last sample is cut where the length is declared
    assert abs(number(signalled, "end_ramp", rate)) < 3
    assert number(bare, "end_ramp", rate) < number(signalled, "end_ramp", rate)


def test_first_sample_is_exact() -> None:
    sound = np.zeros(SR, np.float32)
    sound[:500] = 0.4 / 32768  # below one step of 16 bits
    sound[500:] = noise(-20, SR - 500)
    sound[500] = 1 / 32768
    assert number(sound, "first_sample") == 500
    assert number(noise(-20, SR), "first_sample") == 0
    assert audio.measure(np.full(SR, 1e-6, np.float32), SR)["audio.first_sample"] is None


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2048, 40000), level=st.floats(-40, 0))
def test_time_reversal_swaps_the_ramps(seed: int, n: int, level: float) -> None:
    sound = noise(-30, n, seed)
    sound[:1024] *= np.float32(10 ** (level / 20))
    found, turned = audio.measure(sound, SR), audio.measure(sound[::-1], SR)
    assert found["audio.start_ramp_1024"] == pytest.approx(turned["audio.end_ramp"], abs=0.011)
    assert found["audio.end_ramp"] == pytest.approx(turned["audio.start_ramp_1024"], abs=0.011)
    assert found["audio.start_ramp_1024"] == pytest.approx(level, abs=1.5)
    for same in ("bits", "levels_used", "step"):
        if same != "step" or n % 32 == 2:  # blocks count from the start
            assert found[f"audio.{same}"] == turned[f"audio.{same}"]


def test_short_sounds_have_no_ramp() -> None:
    found = audio.measure(noise(-20, 2047), SR)
    assert found["audio.start_ramp_1024"] is found["audio.end_ramp"] is None
    assert audio.measure(noise(-20, 2048), SR)["audio.start_ramp_1024"] is not None
    silent_start = noise(-20, 5000)
    silent_start[:2048] = 0
    assert audio.measure(silent_start, SR)["audio.start_ramp_1024"] is None
    silent_start[2047] = 0.1
    assert number(silent_start, "start_ramp_1024") == -100.0
