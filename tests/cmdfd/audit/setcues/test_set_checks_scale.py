"""A list of a million rows takes seconds."""

from __future__ import annotations

import time

import numpy as np
import pytest
from set_targets import target

from cmdfd.audit.setcues import set_checks, set_cues


def rows(n: int) -> dict[str, object]:
    rng = np.random.default_rng(0)
    who, label = rng.integers(0, n // 50, n), rng.integers(0, 2, n)
    return {
        "id": [f"c{k}" for k in range(n)],
        "label": label,
        "file": [f"d/{('real', 'fake_w2l')[label[k]]}/id{who[k]:05d}/{k:07d}.mp4" for k in range(n)],
        "component": [f"p{w}" for w in who],
        "face_id": [f"p{w}" for w in who],
        "source_ids": [[f"s{k // 3}"] for k in range(n)],
        "original": [f"c{k - 1}" if one else "" for k, one in enumerate(label)],
        "split": np.where(who % 10 < 7, "train", "test"),
        "generator": np.where(label, "w2l", ""),
        "seconds": rng.uniform(2, 9, n),
        "segments": [[(0.5, 1.0, "video")] if one else [] for one in label],
        "video_label": label,
        "audio_label": np.zeros(n),
        "time.audio_duration": np.full(n, 4.0),
        "time.video_duration": np.full(n, 4.0),
    }  # fmt: skip


def seconds_of(n: int) -> float:
    trial = target(**rows(n))
    start = time.process_time()
    found = set_checks(trial, set_cues(trial).assign(**{"time.audio_duration": 4.0}))
    assert [one.name for one in found if one.name == "split.identity"]
    return time.process_time() - start


def test_many_rows_take_seconds() -> None:
    assert seconds_of(40_000) < 6  # about 0.6 s alone


@pytest.mark.slow
def test_a_million_rows_take_seconds() -> None:
    assert seconds_of(1_000_000) < 60  # about 20 s alone
