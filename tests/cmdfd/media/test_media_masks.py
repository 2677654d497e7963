from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from media_helpers import ffmpeg

from cmdfd.errors import MediaError
from cmdfd.media.masks import read_mask, write_mask

shapes = st.tuples(st.integers(1, 5), st.integers(1, 40), st.integers(1, 40))


@settings(max_examples=20, deadline=None)
@given(shapes.flatmap(lambda shape: arrays(np.uint8, shape)), st.sampled_from([15.0, 25.0, 29.97, 22.131]))
def test_masks_come_back_exactly(tmp_path_factory, masks, fps):
    path = tmp_path_factory.mktemp("mask") / "m.mkv"
    write_mask(path, masks, fps)
    video = read_mask(path)
    assert np.array_equal(video.frames, masks)
    assert np.abs(video.times - np.arange(len(masks)) / fps).max() <= 1e-3


def test_all_values_bytes_and_times(tmp_path):
    masks = np.tile(np.arange(256, dtype=np.uint8).reshape(16, 16), (75, 4, 4))
    for name in "ab":
        write_mask(tmp_path / name, masks, 25)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert np.allclose(read_mask(tmp_path / "a").times, np.arange(75) / 25)
    raw = ffmpeg("-i", tmp_path / "a", "-f", "rawvideo", "-pix_fmt", "gray", "-")
    assert np.array_equal(np.frombuffer(raw, np.uint8).reshape(masks.shape), masks)


def test_broken_masks_and_wrong_arguments(tmp_path):
    for masks in (np.zeros((0, 4, 4), np.uint8), np.zeros((4, 4), np.uint8), np.zeros((1, 4, 4), np.float32)):
        with pytest.raises(ValueError, match="masks"):
            write_mask(tmp_path / "m", masks, 25)
    write_mask(tmp_path / "m", np.random.default_rng(0).integers(0, 256, (20, 64, 64), np.uint8), 25)
    data = (tmp_path / "m").read_bytes()
    (tmp_path / "m").write_bytes(data[: len(data) // 2])
    with pytest.raises(MediaError) as caught:
        read_mask(tmp_path / "m")
    assert caught.value.code == "decode_failed"
