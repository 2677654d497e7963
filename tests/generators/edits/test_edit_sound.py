"""Splices of sound: level, noise, joints."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_source import make_take

from generators.edits.sound import lent_pieces, room_tone, same_noise, soften

RATE = 16000


def test_the_donors_noise_and_level_are_brought_to_the_takes() -> None:
    rng = np.random.default_rng(0)
    n = 4 * RATE
    bursts = (np.sin(2 * np.pi * 1.5 * np.arange(n) / RATE) > 0.3) * np.sin(2 * np.pi * 220 * np.arange(n) / RATE)
    for take_noise, donor_noise in ((0.002, 0.02), (0.02, 0.002)):
        take = (0.1 * bursts + take_noise * rng.standard_normal(n)).astype(np.float32)
        donor = (0.4 * bursts + 4 * donor_noise * rng.standard_normal(n)).astype(np.float32)
        (piece,) = lent_pieces(donor, RATE, [(0.0, 4.0)], take, RATE, room_tone(take, rng))
        pause = np.convolve(np.abs(bursts), np.ones(2048), "same") == 0  # well inside: windows reach over borders
        loud = np.abs(bursts) > 0.1
        # noise ten times as loud leaves a little of itself; ten times too quiet, it is filled up
        assert 0.7 * take_noise < np.std(piece[pause]) < (1.8 if donor_noise > take_noise else 1.3) * take_noise
        assert np.std(piece[loud]) == pytest.approx(np.std(take[loud]), rel=0.1)


def test_a_recording_keeps_itself_where_the_noise_is_its_own() -> None:
    audio = make_take("one").audio
    made = same_noise(audio, audio, audio)
    np.testing.assert_allclose(made[512:-512], audio[512:-512], atol=1e-5)


def test_a_joint_fades_with_equal_power_and_leaves_the_rest_alone() -> None:
    rng = np.random.default_rng(1)
    sound = rng.standard_normal(RATE).astype(np.float32)
    tone = rng.standard_normal(RATE).astype(np.float32)
    joints = list(range(400, RATE - 400, 400))
    made = soften(sound, joints, 192, tone)
    assert np.std(made) == pytest.approx(1.0, abs=0.02)  # two independent noises of one level: no dip, no bump
    away = np.abs(np.arange(RATE)[:, None] - np.array(joints) + 0.5).min(axis=1) > 96
    assert np.array_equal(made[away], sound[away]) and not np.array_equal(made[~away], sound[~away])
    middle = np.array(joints)
    assert np.corrcoef(made[middle], tone[middle])[0, 1] > 0.99
    at_the_ends = soften(sound, [0, RATE], 192, tone)
    assert np.isfinite(at_the_ends).all() and len(at_the_ends) == RATE
