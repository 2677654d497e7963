from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_helpers import coded_frames, frame_numbers, lag, noise, textured

from cmdfd.errors import MediaError
from cmdfd.faces.tracks import FaceTrack
from cmdfd.media.decode import read_clip
from cmdfd.media.encode import write_clip
from cmdfd.media.harmonise import HarmoniseSettings, Placement, harmonise, settings_for
from cmdfd.media.masks import read_mask, write_mask
from cmdfd.media.settings import SettingsError

SMALL = HarmoniseSettings(width=96, height=96, seconds=1.0)


def track_of(points: np.ndarray, fps: float) -> FaceTrack:
    """A track whose 68 points all lie at `points` [T, 2]."""
    n = len(points)
    spread = np.repeat(points[:, None], 68, axis=1).astype(np.float32)
    return FaceTrack(np.arange(n) / fps, spread, np.ones(n, bool), "test")


def discs(n: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A bright disc that wanders, and its centre as fractions of the picture."""
    y, x = np.mgrid[:height, :width]
    centres = np.stack([np.linspace(0.3, 0.7, n), np.linspace(0.6, 0.4, n)], axis=1)
    masks = np.stack([np.hypot(x + 0.5 - a * width, y + 0.5 - b * height) < min(height, width) / 6 for a, b in centres])
    return (masks * 255).astype(np.uint8), centres


@settings(max_examples=6, deadline=None)
@given(
    st.integers(40, 150), st.integers(40, 150), st.sampled_from([64, 96, 160]), st.sampled_from([64, 96, 160]),
    st.sampled_from([15.0, 25.0, 29.97, 30.0]), st.sampled_from([0.0, 0.2, 0.333]),
)  # fmt: skip
def test_frames_masks_and_track_pass_one_map(height, width, canvas_height, canvas_width, fps, start):
    n = int(np.ceil(1.5 * fps))
    masks, centres = discs(n, height, width)
    frames = np.repeat(masks[..., None], 3, axis=3)
    chosen = HarmoniseSettings(width=canvas_width, height=canvas_height, seconds=1.0)
    found = harmonise(
        frames, fps, noise(24000), 16000, start=start, settings=chosen, masks=masks, track=track_of(centres, fps)
    )
    assert found.frames.shape == (25, canvas_height, canvas_width, 3)
    assert found.masks.shape == found.frames.shape[:3]
    assert np.array_equal(found.masks, found.frames[..., 0])  # soft edges are kept as the picture's are
    assert np.allclose(found.track.times, np.arange(25) / 25)
    y, x = np.mgrid[:canvas_height, :canvas_width]
    for k in (0, 12, 24):
        inside = found.masks[k] >= 128
        centre = np.array([(x[inside] + 0.5).mean() / canvas_width, (y[inside] + 0.5).mean() / canvas_height])
        # The disc moves by 0.4 of the picture in n frames; half a frame of it is the price of nearest frames.
        slack = 0.8 / min(canvas_width, canvas_height) + 0.4 * 0.5 / n + 0.002
        assert np.abs(centre - found.track.points[k, 0]).max() < slack


def test_aspect_is_kept_and_bars_are_black():
    placement = Placement.fit(160, 80, 96, 96)
    assert (placement.width, placement.height, placement.left, placement.top) == (96, 48, 0, 24)
    white = np.full((1, 80, 160, 3), 255, np.uint8)
    out = placement.apply(white, np.array([0]))
    assert (out[0, 24:72] == 255).all() and not out[0, :24].any() and not out[0, 72:].any()
    assert Placement.fit(1, 4000, 96, 96).width == 1


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(8, 500), st.integers(8, 500))
def test_placement_stays_on_the_canvas(width, height, canvas_width, canvas_height):
    placement = Placement.fit(width, height, canvas_width, canvas_height)
    assert placement.left >= 0 and placement.left + placement.width <= canvas_width
    assert placement.top >= 0 and placement.top + placement.height <= canvas_height
    assert placement.width == canvas_width or placement.height == canvas_height
    assert abs(placement.width / placement.height - width / height) <= (1 + width / height) / placement.height


def test_picture_and_sound_stay_in_step_at_any_start():
    frames, samples = coded_frames(75), noise(48000)
    for start in (0.0, 0.04, 0.4, 1.0, 2.0):
        found = harmonise(frames, 25, samples, 16000, start=start, settings=SMALL)
        first = round(start * 25)
        assert frame_numbers(found.frames) == list(range(first, first + 25))
        assert found.audio.shape == (16000,) and found.audio.dtype == np.float32
        offset = round(start * 16000)
        assert lag(samples[offset : offset + 16000], found.audio) == 0


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_other_rates_are_resampled_in_step(rate):
    seconds = np.arange(3 * rate) / rate
    chirp = (0.3 * np.sin(2 * np.pi * (200 * seconds + 250 * seconds**2))).astype(np.float32)
    found = harmonise(coded_frames(75), 25, chirp, rate, start=0.777, settings=SMALL)
    moments = 0.777 + np.arange(16000) / 16000
    expected = np.sin(2 * np.pi * (200 * moments + 250 * moments**2))
    assert lag(expected, found.audio) == 0
    scale = np.dot(expected, found.audio) / np.dot(expected, expected)
    inner = slice(200, -200)
    phase = 2 * np.pi * 1700 * 0.5 / rate  # the window begins at a whole sample of the source
    assert np.abs(found.audio - scale * expected)[inner].max() / scale < phase + 0.02


def test_a_take_that_is_too_short():
    frames, samples = coded_frames(30), noise(19200)
    harmonise(frames, 25, samples, 16000, start=0.2, settings=SMALL)
    for start, audio, name in ((0.21, samples, "picture"), (0.2, samples[:-100], "sound")):
        with pytest.raises(MediaError, match=name) as caught:
            harmonise(frames, 25, audio, 16000, start=start, settings=SMALL)
        assert caught.value.code == "too_short"
    for wrong in ({"start": -0.1}, {"start": float("nan")}):
        with pytest.raises(ValueError, match="start"):
            harmonise(frames, 25, samples, 16000, settings=SMALL, **wrong)
    with pytest.raises(ValueError, match="masks"):
        harmonise(frames, 25, samples, 16000, start=0, settings=SMALL, masks=np.zeros((30, 8, 8), np.uint8))
    with pytest.raises(ValueError, match="take_frames"):
        harmonise(frames[..., 0], 25, samples, 16000, start=0, settings=SMALL)


@pytest.mark.parametrize("crf", [23, 29])
def test_written_clips_have_exact_lengths(tmp_path, crf):
    """Every clip is read back with the same number of frames and samples, whatever the take was."""
    for seed, (fps, rate) in enumerate([(25.0, 16000), (29.97, 44100), (15.0, 48000)]):
        n = int(np.ceil(1.3 * fps))
        masks, _ = discs(n, 120, 100)
        found = harmonise(
            textured(n, 120, 100), fps, noise(int(1.3 * rate), seed), rate, start=0.1, settings=SMALL, masks=masks
        )
        write_clip(
            tmp_path / "x.mp4", found.frames, found.fps, found.audio, found.sample_rate, settings_for(SMALL, crf)
        )
        write_mask(tmp_path / "x.mkv", found.masks, found.fps)
        clip, mask = read_clip(tmp_path / "x.mp4"), read_mask(tmp_path / "x.mkv")
        assert clip.video.frames.shape == (25, 96, 96, 3)
        assert (len(clip.audio.samples), clip.audio.start) == (16000, 0.0)
        assert lag(found.audio, clip.audio.samples) == 0
        assert np.abs(clip.video.times - mask.times).max() <= 1e-3
        assert np.array_equal(mask.frames, found.masks)
        error = clip.video.frames.astype(float) - found.frames
        assert 10 * np.log10(255**2 / np.mean(error**2)) > 25


def test_settings_go_and_come():
    chosen = HarmoniseSettings(fps=30.0, width=160, crf=(20, 20), seconds=2.5)
    assert HarmoniseSettings.from_dict(chosen.to_dict()) == chosen
    assert HarmoniseSettings.from_dict({}) == HarmoniseSettings()
    assert (chosen.n_frames, chosen.n_samples) == (75, 40000)
    import json

    assert HarmoniseSettings.from_dict(json.loads(json.dumps(chosen.to_dict()))) == chosen


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"widht": 224}, "did you mean 'width'"),
        ({"width": 225}, "harmonise.width: must be even"),
        ({"width": "224"}, "harmonise.width: must be a whole number"),
        ({"height": 8}, "harmonise.height"),
        ({"fps": 0}, "harmonise.fps"),
        ({"fps": float("nan")}, "harmonise.fps"),
        ({"seconds": -1.0}, "harmonise.seconds"),
        ({"sample_rate": 16000.0}, "harmonise.sample_rate"),
        ({"lufs": 5}, "harmonise.lufs"),
        ({"crf": 23}, "harmonise.crf: must be two numbers"),
        ({"crf": [29, 23]}, "harmonise.crf: the lowest stands first"),
        ({"crf": [23, 90]}, "harmonise.crf"),
        ({"crf": [1, 2, 3]}, "harmonise.crf"),
        ({"container": "mkv"}, "container"),
        ({"container": "webm"}, "webm"),
        ({"preset": "fats"}, "did you mean 'fast'"),
    ],
)
def test_settings_are_checked(changes, text):
    with pytest.raises(SettingsError) as caught:
        HarmoniseSettings.from_dict(HarmoniseSettings().to_dict() | changes)
    assert text in str(caught.value)


def test_quality_is_drawn_inside_its_range():
    assert settings_for(HarmoniseSettings(), 23).crf == 23 and settings_for(HarmoniseSettings(), 29).crf == 29
    for crf in (22, 30):
        with pytest.raises(SettingsError, match="crf"):
            settings_for(HarmoniseSettings(), crf)
