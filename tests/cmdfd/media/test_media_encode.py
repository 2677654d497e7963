from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_helpers import coded_frames, ffmpeg, frame_numbers, lag, noise, textured

from cmdfd.media.decode import read_audio, read_clip, read_video
from cmdfd.media.encode import LOSSLESS_SOURCE, EncoderSettings, SettingsError, encode_video, rational_rate, write_clip
from cmdfd.media.probe import probe
from cmdfd.media.settings import CONTAINERS, LOSSLESS_AUDIO
from cmdfd.media.sound_encode import resample


def settings_of(container: str, video: str, audio: str) -> EncoderSettings:
    rate = None if audio in LOSSLESS_AUDIO else 64000
    return EncoderSettings(container=container, video_codec=video, audio_codec=audio, audio_bit_rate=rate)


def every_pair() -> list[tuple[str, str, str]]:
    pairs = []
    for container, codecs in CONTAINERS.items():
        pairs += [(container, video, codecs["audio"][0]) for video in codecs["video"]]
        pairs += [(container, codecs["video"][0], audio) for audio in codecs["audio"][1:]]
    return pairs


FORMS = [(16000, 25.0, 50), (44100, 30000 / 1001, 53), (22050, 22.131, 31)]


def quick() -> list[object]:
    """All pairs; one per container by default and the others in the slow run."""
    seen: set[str] = set()
    marked = []
    for pair in every_pair():
        marked.append(pytest.param(*pair, marks=pytest.mark.slow if pair[0] in seen else ()))
        seen.add(pair[0])
    return marked


@pytest.mark.parametrize(("container", "video", "audio"), every_pair())
@pytest.mark.parametrize("form", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
def test_picture_and_sound_are_in_step(tmp_path, container, video, audio, form):
    """Every container and codec that is offered: lag 0 samples, 0 frames, the same number of both."""
    for rate, fps, n in FORMS[form : form + 1]:
        samples = noise(round(n / fps * rate))
        path = tmp_path / "clip"
        write_clip(path, coded_frames(n), fps, samples, rate, settings_of(container, video, audio))
        clip = read_clip(path, sample_rate=rate)
        assert frame_numbers(clip.video.frames) == list(range(n))
        exact = container not in {"matroska", "webm"}  # those have a clock of 1 ms
        assert np.abs(clip.video.times - np.arange(n) / fps).max() <= (1e-6 if exact else 5.1e-4)
        assert clip.audio.start == 0.0
        assert lag(samples, clip.audio.samples) == 0
        assert len(clip.audio.samples) == len(samples)


@pytest.mark.parametrize(("container", "video", "audio"), quick())
def test_ffmpegs_own_decoder_hears_and_sees_the_same(tmp_path, container, video, audio):
    """The step is no private agreement of writer and reader."""
    rate, n = 16000, 25
    samples, path = noise(rate), tmp_path / "clip"
    write_clip(path, coded_frames(n), 25, samples, rate, settings_of(container, video, audio))
    heard = np.frombuffer(ffmpeg("-i", path, "-vn", "-f", "f32le", "-ac", 1, "-ar", rate, "-"), "<f4")
    assert lag(samples, heard) == 0
    seen = ffmpeg("-i", path, "-an", "-f", "rawvideo", "-pix_fmt", "rgb24", "-fps_mode", "passthrough", "-")
    assert frame_numbers(np.frombuffer(seen, np.uint8).reshape(-1, 64, 64, 3)) == list(range(n))


@pytest.mark.parametrize(("container", "video", "audio"), quick())
def test_same_bytes_from_frames_from_packets_and_again(tmp_path, container, video, audio):
    frames, samples = textured(20, 96, 112), noise(16000)
    chosen = settings_of(container, video, audio)
    encoded = encode_video(iter(frames), 25, chosen)
    digests = set()
    for n, picture in enumerate((frames, encoded, encoded, frames)):
        ballast = [np.ones(10_000 + 7919 * n * k, np.uint8) for k in range(20)]  # another layout of the heap
        path = tmp_path / f"{n}.x"
        write_clip(path, picture, 25, samples, 16000, chosen)
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
        del ballast
    assert len(digests) == 1
    other = tmp_path / "other"
    write_clip(other, encoded, 25, noise(16000, seed=1), 16000, chosen)
    assert np.array_equal(read_video(other).frames, read_video(path).frames)
    assert lag(noise(16000, seed=1), read_audio(other).samples) == 0


@pytest.mark.slow
def test_same_bytes_in_another_process_with_another_heap(tmp_path):
    """x264's macroblock tree made this fail; see the module's docstring."""
    script = (
        "import sys, hashlib; sys.path.insert(0, sys.argv[1]); import numpy as np\n"
        "from media_helpers import textured, noise; from pathlib import Path\n"
        "from cmdfd.media.encode import EncoderSettings, write_clip\n"
        "junk = [np.random.default_rng(i).bytes(int(sys.argv[3]) * (i + 1)) for i in range(50)]; del junk[::2]\n"
        "path = Path(sys.argv[2]); frames = textured(40, 224, 224)\n"
        "write_clip(path, frames, 25, noise(16000), 16000, EncoderSettings())\n"
        "print(hashlib.sha256(path.read_bytes()).hexdigest())\n"
    )
    digests = set()
    for size in (10, 3001):
        command = [sys.executable, "-c", script, str(Path(__file__).parent), str(tmp_path / "x.mp4"), str(size)]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, env=os.environ | {"PYTHONHASHSEED": "1"}
        )
        digests.add(done.stdout)
    path = tmp_path / "here.mp4"
    write_clip(path, textured(40, 224, 224), 25, noise(16000), 16000, EncoderSettings())
    digests.add(hashlib.sha256(path.read_bytes()).hexdigest() + "\n")
    assert len(digests) == 1


def test_no_names_no_dates_no_sei(tmp_path):
    for container, video, audio in every_pair():
        path = tmp_path / "clip"
        write_clip(path, coded_frames(5), 25, noise(3200), 16000, settings_of(container, video, audio))
        data = path.read_bytes()
        for word in (b"x264", b"Lavc", b"libvpx", b"options:", b"core 1"):
            assert word not in data, (container, video, word)
        info = probe(path)
        assert info.video.encoder is None and info.audio.encoder is None
        assert info.tags.get("encoder", "Lavf") == "Lavf"  # Matroska must name one; this is FFmpeg's neutral word
        assert "creation_time" not in info.tags
    plain = tmp_path / "plain.mp4"
    write_clip(plain, coded_frames(5), 25, None, 0, EncoderSettings())
    assert plain.read_bytes().index(b"moov") < plain.read_bytes().index(b"mdat")


def test_what_is_written_is_what_was_asked_for(tmp_path):
    path = tmp_path / "x.mp4"
    write_clip(path, textured(60), 25, noise(38400), 16000, EncoderSettings(gop=10, crf=30))
    info = probe(path)
    assert (info.video.codec, info.audio.codec, info.audio.sample_rate) == ("h264", "aac", 16000)
    assert (info.video.n_frames_declared, info.video.width, info.video.height) == (60, 128, 128)
    assert info.video.duration == info.audio.duration == 2.4
    assert (info.audio.channels, info.n_video_streams, info.n_audio_streams) == (1, 1, 1)
    encoded = encode_video(textured(60), 25, EncoderSettings(gop=10, crf=30))
    keys = [packet.pts for packet in encoded.packets if packet.key]
    assert max(np.diff(keys)) <= 10 and encoded.n_frames == 60
    assert encode_video(textured(60), 25, EncoderSettings(crf=40)).size_bytes < 0.6 * encoded.size_bytes


def test_lossless_source(tmp_path):
    frames, samples = textured(10, 97, 75), noise(8000)
    path = tmp_path / "take.mkv"
    write_clip(path, frames, 25, samples, 16000, LOSSLESS_SOURCE)
    clip = read_clip(path)
    error = clip.video.frames.astype(float) - frames
    assert 10 * np.log10(255**2 / np.mean(error**2)) > 36
    assert np.array_equal(clip.audio.samples, (np.rint(samples.astype(float) * 32768) / 32768).astype(np.float32))


def test_the_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "x.mp4"
    path.write_bytes(b"before")

    def frames():
        yield from coded_frames(5)
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError, match="broke"):
        write_clip(path, frames(), 25, None, 0, EncoderSettings())
    with pytest.raises(ValueError, match="finite"):
        write_clip(path, coded_frames(5), 25, np.full(100, np.nan, np.float32), 16000, EncoderSettings())
    assert path.read_bytes() == b"before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.mp4"]
    with pytest.raises(OSError):
        write_clip(tmp_path / "nowhere" / "x.mp4", coded_frames(5), 25, None, 0, EncoderSettings())


def test_wrong_arguments_are_told(tmp_path):
    path, good = tmp_path / "x.mp4", EncoderSettings()
    with pytest.raises(ValueError, match="even"):
        write_clip(path, coded_frames(3, 63, 64), 25, None, 0, good)
    with pytest.raises(ValueError, match="no frame"):
        write_clip(path, coded_frames(0), 25, None, 0, good)
    with pytest.raises(ValueError, match="uint8"):
        write_clip(path, coded_frames(3).astype(np.float32), 25, None, 0, good)
    with pytest.raises(ValueError, match="one size"):
        write_clip(path, [coded_frames(1)[0], coded_frames(1, 32, 32)[0]], 25, None, 0, good)
    with pytest.raises(ValueError, match="fps"):
        write_clip(path, coded_frames(3), 0, None, 0, good)
    with pytest.raises(ValueError, match="samples per second"):
        write_clip(path, coded_frames(3), 25, noise(1000), 12345, good)
    with pytest.raises(ValueError, match="mono"):
        write_clip(path, coded_frames(3), 25, noise(1000)[None], 16000, good)
    encoded = encode_video(coded_frames(3), 25, good)
    with pytest.raises(ValueError, match="other settings"):
        write_clip(path, encoded, 25, None, 0, EncoderSettings(crf=30))
    with pytest.raises(ValueError, match="other settings"):
        write_clip(path, encoded, 30, None, 0, good)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"container": "mpegts"}, "known: avi, matroska, mov, mp4, webm"),
        ({"container": "mp5"}, "did you mean 'mp4'"),
        ({"video_codec": "libx265"}, "video_codec"),
        ({"container": "webm", "video_codec": "libvpx-vp9"}, "audio_codec in webm"),
        ({"crf": 52}, "encoder.crf: must be a whole number from 0 to 51, got 52"),
        ({"crf": 23.5}, "crf"),
        ({"crf": True}, "crf"),
        ({"gop": 0}, "gop"),
        ({"preset": "veryfst"}, "did you mean 'veryfast'"),
        ({"pixel_format": "rgb24"}, "pixel_format"),
        ({"audio_bit_rate": None}, "audio_bit_rate"),
        ({"container": "mov", "audio_codec": "pcm_s16le"}, "must be None"),
        ({"contaner": "mp4"}, "did you mean 'container'"),
    ],
)
def test_settings_are_checked(changes, text):
    with pytest.raises(SettingsError) as caught:
        EncoderSettings.from_dict(EncoderSettings().to_dict() | changes)
    assert text in str(caught.value)


def test_settings_go_and_come():
    for chosen in (EncoderSettings(), LOSSLESS_SOURCE):
        assert EncoderSettings.from_dict(chosen.to_dict()) == chosen


@given(st.sampled_from([10.0, 15.0, 23.976, 24.0, 25.0, 29.97, 30.0, 50.0, 59.94, 22.131, 12.5, 8.33]))
def test_rates_are_close_and_the_broadcast_ones_exact(fps):
    rate = rational_rate(fps)
    assert abs(float(rate) - fps) < 1e-3
    if fps in {23.976, 29.97, 59.94}:
        assert rate.denominator == 1001
    assert rational_rate(float(rate)) == rate


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([8000, 16000, 22050, 24000, 44100, 48000]), st.sampled_from([8000, 16000, 48000]))
def test_resampling_keeps_time(rate, wanted):
    seconds = np.arange(rate) / rate
    tone = np.sin(2 * np.pi * 440 * seconds).astype(np.float32) * 0.5
    found = resample(tone, rate, wanted)
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(wanted) / wanted)
    assert len(found) == wanted
    inner = slice(wanted // 10, -wanted // 10)
    assert np.abs(found - expected)[inner].max() < 5e-3


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 12), st.integers(1, 9000), st.sampled_from([16000, 22050, 44100, 48000]))
def test_any_length_comes_back(tmp_path_factory, n_frames, n_samples, rate):
    path = tmp_path_factory.mktemp("length") / "x.mp4"
    write_clip(path, coded_frames(n_frames), 25, noise(n_samples + 10)[:n_samples], rate, EncoderSettings())
    clip = read_clip(path, sample_rate=rate)
    assert len(clip.video.frames) == n_frames
    assert len(clip.audio.samples) == n_samples


@pytest.mark.parametrize(("codec", "scale"), [("libx264", (12, 23, 40)), ("mpeg4", (2, 8, 31))])
def test_quality_has_an_effect(codec, scale):
    """Coarser settings give smaller streams, each less than 3/4 of the one before."""
    frames = textured(12)
    sizes = [encode_video(frames, 25.0, EncoderSettings(video_codec=codec, crf=crf)).size_bytes for crf in scale]
    assert sizes[1] < 0.75 * sizes[0] and sizes[2] < 0.75 * sizes[1], sizes
