"""Views: trimming cuts picture, sound and face alike; leading silence is measured against speech level."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.detector import ClipView
from benchmarks.mock import mock_view
from benchmarks.views import FeatureView, TrimmedView, leading_silence
from cmdfd.cache import FeatureCache
from cmdfd.errors import CmdfdError, MediaError

RATE = 16000


def speech(seconds: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    return (np.sin(2 * np.pi * 150 * t) * (0.2 + 0.1 * np.sin(2 * np.pi * 4 * t)) + rng.normal(0, 0.01, len(t))).astype(
        np.float32
    )


@pytest.mark.parametrize("noise", [0.0, 1e-4, 5e-4])
@pytest.mark.parametrize("silence", [0.0, 0.03, 0.2, 1.0])
def test_planted_silence_is_measured_to_10_ms(silence: float, noise: float) -> None:
    rng = np.random.default_rng(1)
    sound = np.concatenate([np.zeros(round(silence * RATE), np.float32), speech(2.0)])
    sound = sound + rng.normal(0, 1, len(sound)).astype(np.float32) * noise
    assert leading_silence(sound, RATE) == pytest.approx(silence, abs=0.0101)


@given(gain=st.floats(1e-3, 3.0))
def test_silence_does_not_depend_on_loudness(gain: float) -> None:
    sound = np.concatenate([np.zeros(3200, np.float32), speech(1.0)])
    assert leading_silence(sound * np.float32(gain), RATE) == leading_silence(sound, RATE)


@pytest.mark.parametrize("sound", [np.zeros(0, np.float32), np.zeros(16000, np.float32), np.ones(3, np.float32)])
def test_nothing_to_align_to_is_no_silence(sound: np.ndarray) -> None:
    assert leading_silence(sound, RATE) == 0.0


def test_trimming_cuts_all_streams_at_one_moment() -> None:
    whole = mock_view("x", 3, fake=False)
    cut = TrimmedView(whole, 7)
    np.testing.assert_array_equal(cut.frames(), whole.frames()[7:])
    np.testing.assert_array_equal(cut.audio(), whole.audio()[round(7 / 25 * RATE) :])
    np.testing.assert_array_equal(cut.track().points, whole.track().points[7:])
    assert cut.track().times[0] == pytest.approx(0.0)
    assert len(cut.track().times) == len(cut.frames())


class Counting:
    """A featuriser that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def feature_config(self) -> dict[str, Any]:
        return {"version": 1}

    def featurise(self, view: ClipView) -> dict[str, np.ndarray]:
        self.calls += 1
        return {"mean": np.array(view.audio().mean())}


def test_features_are_computed_once(tmp_path: Path) -> None:
    counting = Counting()
    view = FeatureView(mock_view("x", 3, fake=False), counting, FeatureCache(tmp_path), "ab" * 20)
    first, second = view.features(), view.features()
    assert counting.calls == 1
    np.testing.assert_array_equal(first["mean"], second["mean"])


def test_error_of_a_clip_is_kept_and_raised_again(tmp_path: Path) -> None:
    import dataclasses

    silent = dataclasses.replace(mock_view("x", 3, fake=False), sound=None)
    view = FeatureView(silent, Counting(), FeatureCache(tmp_path), "ab" * 20)
    for _ in range(2):
        with pytest.raises(MediaError) as caught:
            view.features()
        assert caught.value.code == "no_audio"


def test_plain_views_have_no_features() -> None:
    with pytest.raises(CmdfdError, match="featurise"):
        mock_view("x", 3, fake=False).features()
