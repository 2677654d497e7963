"""Lips from sounds, against figures that are known for vowel-consonant-vowel words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.generator import Phone
from generators.sources.talkers.motion import draw_motion
from generators.sources.talkers.visemes import CHANNELS, TABLE, Manner, blend, lip_tracks, targets

OPEN, WIDE, PRESS, BITE, TONGUE = range(5)


def word(*sounds: tuple[str, float], start: float = 0.1) -> list[Phone]:
    phones = []
    for label, seconds in sounds:
        phones.append(Phone(label, start, start + seconds))
        start += seconds
    return phones


def plain(phones: list[Phone], n: int = 20) -> np.ndarray:
    return blend(phones, n, 25.0, Manner(), np.random.default_rng(0))


def test_a_b_a_closes_and_opens_again() -> None:
    """A measured prototype gave .63, .12, .70 for unstressed vowels; the stressed one opens wider."""
    track = plain(word(("æ", 0.10), ("b", 0.08), ("ˈæ", 0.12)))
    dip = int(np.argmin(track[3:9, OPEN])) + 3
    assert track[:dip, OPEN].max() > 0.55
    assert track[dip, OPEN] < 0.20
    assert track[dip:, OPEN].max() > track[:dip, OPEN].max()
    pressed = np.clip(1.8 * (track[:, PRESS] - 0.45), 0, 1)
    assert 0.55 < pressed.max() < 0.8
    assert abs(int(np.argmax(pressed)) - dip) <= 1


@pytest.mark.parametrize("label", ["p", "b", "m"])
@pytest.mark.parametrize("vowel", ["æ", "iː", "uː", "ɑː", "ə"])
def test_bilabials_close_between_all_vowels(label: str, vowel: str) -> None:
    track = lip_tracks(
        word((vowel, 0.12), (label, 0.08), (vowel, 0.12)),
        np.ones(16),
        25.0,
        Manner(),
        (np.zeros(16), np.zeros(16), 0.0),
        np.random.default_rng(1),
    )
    frame = round(0.26 * 25)
    assert track.press[frame - 1 : frame + 2].max() > 0.4


@pytest.mark.parametrize(("label", "sign"), [("ʉ", -1), ("ʉː", -1), ("ʍ", -1), ("uː", -1), ("iː", 1), ("w", -1)])
def test_rounding(label: str, sign: int) -> None:
    (target,) = targets(label)
    assert np.sign(target.wide) == sign and abs(target.wide) > 0.5


def test_holes_of_the_table_are_filled() -> None:
    assert targets("ɾ") == targets("t")
    assert targets("ʲ")[0].wide > 0
    assert targets("tʃ") == [TABLE["tʃ"]]
    assert targets("ˈaɪ") == [TABLE["a"], TABLE["ɪ"]]
    assert targets("oʊ") == [TABLE["o"], TABLE["ʊ"]]
    assert targets("ˌɔːɹ") == [TABLE["ɔː"], TABLE["ɹ"]]
    assert targets("əl") == [TABLE["ə"], TABLE["l"]]
    assert targets("☃") == [TABLE["ə"]]
    assert targets("")[0].open < 0.05


def test_a_diphthong_moves() -> None:
    track = plain(word(("aʊ", 0.30)))
    assert track[3, OPEN] > 0.6 and track[3, WIDE] > -0.3
    assert track[9, WIDE] < -0.5 and track[9, OPEN] < track[3, OPEN]


def test_long_pause_closes_and_short_one_does_not() -> None:
    long = plain(word(("ɑː", 0.15), ("", 0.30), ("ɑː", 0.15)))
    short = plain(word(("ɑː", 0.15), ("", 0.05), ("ɑː", 0.15)))
    assert long[9:11, OPEN].min() < 0.1
    assert short[4:10, OPEN].min() > 0.5


def test_difficulty_disturbs_and_zero_does_not() -> None:
    phones = word(("æ", 0.1), ("m", 0.1), ("iː", 0.1), ("s", 0.1), ("uː", 0.1))
    easy = [blend(phones, 20, 25.0, Manner(0.0), np.random.default_rng(seed)) for seed in range(2)]
    hard = [blend(phones, 20, 25.0, Manner(1.0), np.random.default_rng(seed)) for seed in range(2)]
    np.testing.assert_allclose(easy[0], easy[1])
    assert np.abs(hard[0] - hard[1]).max() > 0.05


def test_lag_moves_the_lips() -> None:
    phones = word(("ɑː", 0.08), start=0.3)
    early = blend(phones, 25, 25.0, Manner(), np.random.default_rng(0))[:, OPEN]
    late = blend(phones, 25, 25.0, Manner(lag=0.08), np.random.default_rng(0))[:, OPEN]
    np.testing.assert_allclose(early[5:15], late[7:17], atol=1e-6)


@given(
    labels=st.lists(st.sampled_from([*TABLE, "", "aɪ", "ˈoʊ", "qx"]), min_size=0, max_size=12),
    length=st.floats(0.001, 0.3),
    hard=st.floats(0, 1),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_tracks_stay_in_range(labels: list[str], length: float, hard: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    wander = (rng.normal(size=30), rng.normal(size=30), float(rng.normal()))
    track = lip_tracks(
        word(*((label, length) for label in labels)),
        rng.uniform(0, 2, 30),
        25.0,
        Manner(hard, 1.2, 0.02, 0.8),
        wander,
        rng,
    )
    for name in CHANNELS:
        values = getattr(track, name)
        assert values.shape == (30,) and np.isfinite(values).all()
        assert values.max() <= 1.15 and values.min() >= (-1 if name == "wide" else 0)


def test_blinks_close_fully_and_pose_is_bounded() -> None:
    closed, poses = 0, []
    for seed in range(20):
        motion = draw_motion(25.0, np.ones(100), np.random.default_rng(seed))
        closed += int((motion.blink > 0.9).any())
        poses.append(np.abs(motion.yaw).max())
        assert motion.blink.min() >= 0 and motion.blink.max() <= 1
    assert closed == 20
    assert 0.03 < np.median(poses) < 0.25
