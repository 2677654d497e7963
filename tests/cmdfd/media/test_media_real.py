"""The same on recordings of people, where a folder of them is at hand."""

from __future__ import annotations

import csv
from fractions import Fraction

import numpy as np
import pytest
from media_helpers import ffmpeg, lag

from cmdfd.media.decode import read_audio, read_clip
from cmdfd.media.encode import EncoderSettings, write_clip
from cmdfd.media.grid import align_audio, to_constant_rate
from cmdfd.media.harmonise import HarmoniseSettings, harmonise, settings_for
from cmdfd.media.probe import probe


def rows(folder, kind):
    with (folder / "INVENTORY.csv").open(newline="", encoding="utf-8") as stream:
        return [row for row in csv.DictReader(stream) if row["file"].startswith(kind)]


@pytest.mark.slow
def test_every_clip_is_read_as_its_inventory_says(shared_clips):
    for row in rows(shared_clips, "video"):
        path = shared_clips / row["file"]
        info = probe(path)
        height = int(row["height"])
        wide = int(row["width"]) if "elospheres" not in row["file"] else round(688 * Fraction(16, 15))  # SAR 16:15
        assert (info.video.width, info.video.height, info.video.codec) == (wide, height, row["vcodec"])
        assert info.video.fps == pytest.approx(float(row["fps"]), abs=0.01)
        assert info.audio.sample_rate == int(row["sample_rate"])
        clip = read_clip(path, size=(wide // 4, height // 4))
        times = clip.video.times
        assert times[-1] - times[0] == pytest.approx(float(row["duration_s"]), abs=0.25)
        assert (np.diff(times) > 0).all() and 0 <= times[0] < 0.1
        assert clip.audio.duration == pytest.approx(float(row["duration_s"]), abs=0.25)
        assert clip.video.frames.std() > 5 and np.abs(clip.audio.samples).max() > 0.01
        declared = info.video.n_frames_declared
        assert declared is None or declared == len(times)


def test_sound_is_that_of_ffmpegs_decoder(shared_clips):
    files = [
        "video/grid_s1_01.mp4",
        "video/grid_a_01.mpg",
        "video/elospheres_talker_02.mkv",
        "video/wav2lip288_p1_01.mov",
    ]
    files += [row["file"] for row in rows(shared_clips, "voice")][::3]
    for name in files:
        path = shared_clips / name
        ours = read_audio(path)
        raw = ffmpeg(
            "-i", path, "-vn", "-af", "aresample=rematrix_maxval=1", "-f", "f32le", "-ac", 1, "-ar", 16000, "-"
        )
        theirs = np.frombuffer(raw, "<f4")
        assert lag(theirs, ours.samples) == 0, name
        n = min(len(theirs), len(ours.samples))
        assert abs(len(theirs) - len(ours.samples)) <= 1200, name
        assert np.abs(theirs[200 : n - 200] - ours.samples[200 : n - 200]).max() < 0.02, name


def test_a_real_clip_through_the_whole_stage(shared_clips, tmp_path):
    chosen = HarmoniseSettings(width=96, height=96, seconds=2.0)
    for name in ("grid_s1_07.mpg", "grid_s1_02.mp4", "retalking_face1_01.mp4"):
        clip = read_clip(shared_clips / "video" / name, size=(180, 144))
        video = to_constant_rate(clip.video, 25)
        samples = align_audio(clip.audio, float(clip.video.times[0]), len(video.frames) / 25)
        found = harmonise(video.frames, 25, samples, 16000, start=0.4, settings=chosen)
        path = tmp_path / "x.mp4"
        write_clip(path, found.frames, 25, found.audio, 16000, settings_for(chosen, 25))
        back = read_clip(path)
        assert (back.video.frames.shape, len(back.audio.samples)) == ((50, 96, 96, 3), 32000)
        assert lag(found.audio, back.audio.samples) == 0
        error = back.video.frames.astype(float) - found.frames
        assert 10 * np.log10(255**2 / np.mean(error**2)) > 28
        first = path.read_bytes()
        write_clip(path, found.frames, 25, found.audio, 16000, settings_for(chosen, 25))
        assert path.read_bytes() == first


def test_a_remux_by_packets_changes_the_sound_only(shared_clips, tmp_path):
    from cmdfd.media.encode import encode_video

    clip = read_clip(shared_clips / "video" / "grid_s1_03.mp4", size=(180, 144))
    encoded = encode_video(clip.video.frames, 25, EncoderSettings())
    for name, sound in (("a", clip.audio.samples), ("b", clip.audio.samples[::-1].copy())):
        write_clip(tmp_path / name, encoded, 25, sound, 16000, EncoderSettings())
    a, b = read_clip(tmp_path / "a"), read_clip(tmp_path / "b")
    assert np.array_equal(a.video.frames, b.video.frames)
    assert lag(a.audio.samples, b.audio.samples[::-1]) == 0
