from __future__ import annotations

import dataclasses

import pytest
from media_helpers import coded_frames, ffmpeg, noise, write_wav

from cmdfd.errors import MediaError
from cmdfd.media.encode import EncoderSettings, write_clip
from cmdfd.media.probe import probe, require_streams


def test_what_ffmpeg_wrote_is_told(tmp_path):
    from media_helpers import ffmpeg_from_frames

    path, sound, plain = tmp_path / "x.mp4", tmp_path / "x.wav", tmp_path / "plain.mkv"
    write_wav(sound, noise(44100), 44100)
    ffmpeg_from_frames(coded_frames(30, 64, 96), "30000/1001", "-c:v", "ffv1", plain)
    ffmpeg(
        "-i", plain, "-i", sound, "-c:v", "libx264", "-profile:v", "main", "-pix_fmt", "yuv420p",
        "-c:a", "aac", "-ac", "2", "-b:a", "96k", "-metadata", "title=A title",
        "-metadata", "creation_time=2020-01-02T03:04:05Z",
        "-metadata:s:v", "handler_name=mine", path,
    )  # fmt: skip
    info = probe(path)
    assert info.container == "mov,mp4,m4a,3gp,3g2,mj2"
    assert info.brands == "isom:isomiso2avc1mp41"
    assert info.size_bytes == path.stat().st_size
    assert info.duration == pytest.approx(1.001, abs=1e-3)
    assert info.tags["title"] == "A title" and info.tags["creation_time"].startswith("2020-01-02")
    assert info.tags["video:handler_name"] == "mine"
    video, audio = info.video, info.audio
    assert (video.codec, video.profile, video.width, video.height) == ("h264", "Main", 96, 64)
    assert (video.rotation, video.pix_fmt, video.n_frames_declared) == (0, "yuv420p", 30)
    assert video.fps == pytest.approx(30000 / 1001) and video.start == 0.0
    assert "libx264" in video.encoder and video.bit_rate > 0 and video.time_base == 1 / 30000
    assert (audio.codec, audio.sample_rate, audio.channels, audio.start) == ("aac", 44100, 2, 0.0)
    assert audio.duration == pytest.approx(1.0, abs=1e-3)
    require_streams(info)
    with pytest.raises(TypeError):
        info.tags["x"] = "y"
    assert dataclasses.is_dataclass(info)


def test_x264_signs_in_the_stream(tmp_path):
    path = tmp_path / "x.mkv"
    ffmpeg(
        "-f",
        "lavfi",
        "-i",
        "testsrc=s=64x64:d=0.2",
        "-c:v",
        "libx264",
        "-fflags",
        "+bitexact",
        "-flags:v",
        "+bitexact",
        path,
    )
    assert probe(path).video.encoder.startswith("x264 - core")
    assert probe(path).video.duration == pytest.approx(0.2, abs=0.05)


def test_one_stream_or_none(tmp_path):
    write_wav(tmp_path / "x.wav", noise(16000), 16000)
    write_clip(tmp_path / "x.mp4", coded_frames(3), 25, None, 0, EncoderSettings())
    sound, picture = probe(tmp_path / "x.wav"), probe(tmp_path / "x.mp4")
    assert sound.video is None and sound.audio.duration == 1.0
    assert picture.audio is None and picture.n_audio_streams == 0
    for info, code in ((sound, "no_video"), (picture, "no_audio")):
        with pytest.raises(MediaError) as caught:
            require_streams(info)
        assert caught.value.code == code


def test_tags_that_are_no_text(tmp_path):
    path = tmp_path / "x.mp4"
    write_clip(path, coded_frames(3), 25, None, 0, EncoderSettings())
    data = path.read_bytes()
    assert b"VideoHandler" in data
    path.write_bytes(data.replace(b"VideoHandler", b"\xff\xfe\xfd<b>\xc3\x28\x00xyz"))
    assert probe(path).video.n_frames_declared == 3
