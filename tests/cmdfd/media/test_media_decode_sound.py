from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media_helpers import coded_frames, ffmpeg, ffmpeg_from_frames, frame_numbers, lag, noise, write_wav

from cmdfd.errors import MediaError
from cmdfd.media.decode import read_audio, read_clip


def code_of(action, *arguments, **options) -> str:
    with pytest.raises(MediaError) as caught:
        action(*arguments, **options)
    return caught.value.code


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("decode_sound")


SOUNDS = [
    ("a.mp4", ("-c:a", "aac"), 44100),
    ("a.m4a", ("-c:a", "aac"), 16000),
    ("o.webm", ("-c:a", "libopus"), 48000),
    ("m.mp4", ("-c:a", "libmp3lame"), 44100),
    ("m.mp3", ("-c:a", "libmp3lame"), 44100),
    ("p.mkv", ("-c:a", "pcm_s16le"), 48000),
    ("f.mkv", ("-c:a", "flac"), 44100),
    ("v.ogg", ("-c:a", "libvorbis"), 44100),
    ("w.wav", ("-c:a", "pcm_s24le"), 22050),
    ("f.flac", ("-c:a", "flac"), 44100),
]


@pytest.mark.parametrize(("name", "options", "rate"), SOUNDS)
def test_sound_written_by_ffmpeg_has_no_lag(folder, name, options, rate):
    source = noise(2 * rate)
    write_wav(folder / "in.wav", source, rate)
    path = folder / f"sound_{name}"
    ffmpeg("-i", folder / "in.wav", *options, path)
    audio = read_audio(path, sample_rate=rate)
    assert lag(source, audio.samples) == 0
    assert 0 <= len(audio.samples) - 2 * rate <= (0 if name != "m.mp3" else 2304)
    expected = read_audio(folder / "in.wav", sample_rate=16000).samples
    assert lag(expected, read_audio(path).samples) == 0


@pytest.mark.parametrize(("name", "options"), [("p.mpg", ("mpeg1video", "mp2")), ("t.ts", ("mpeg2video", "mp2"))])
def test_sound_and_picture_of_program_streams_are_in_step_on_the_clock(folder, name, options):
    source, rate = noise(2 * 44100), 44100
    write_wav(folder / "in.wav", source, rate)
    plain = folder / "step.mkv"
    ffmpeg_from_frames(coded_frames(50), 25, "-c:v", "ffv1", plain)
    path = folder / name
    ffmpeg("-i", plain, "-i", folder / "in.wav", "-c:v", options[0], "-c:a", options[1], "-b:v", "2M", path)
    clip = read_clip(path, sample_rate=rate)
    assert frame_numbers(clip.video.frames) == list(range(50))
    late = lag(source, clip.audio.samples) / rate + clip.audio.start - clip.video.times[0]
    assert abs(late) <= 1 / 90000 + 1 / rate  # the tick of the container and one sample


def test_stereo_is_the_mean_and_the_level_does_not_hang_on_the_format(folder):
    rate, n = 16000, 16000
    left, right = noise(n, 1), noise(n, 2)
    stereo = np.stack([left, right], 1)
    (folder / "st.raw").write_bytes(stereo.astype("<f4").tobytes())
    found = {}
    for codec in ("pcm_s16le", "pcm_f32le", "pcm_s32le"):
        path = folder / f"st_{codec}.wav"
        ffmpeg("-f", "f32le", "-ar", rate, "-ac", "2", "-i", folder / "st.raw", "-c:a", codec, path)
        found[codec] = read_audio(path).samples
        assert np.abs(found[codec] - (left + right) / 2).max() < 1e-3


def test_samples_stay_in_range_and_finite(folder):
    values = np.array([np.nan, np.inf, -np.inf, 3.0, -3.0, 0.5] * 500, "<f4")
    (folder / "bad.raw").write_bytes(values.tobytes())
    path = folder / "bad.wav"
    ffmpeg("-f", "f32le", "-ar", 16000, "-ac", 1, "-i", folder / "bad.raw", "-c:a", "pcm_f32le", "-f", "wav", path)
    samples = read_audio(path).samples
    assert np.isfinite(samples).all() and np.abs(samples).max() <= 1.0
    assert samples[5] == pytest.approx(0.5)


def _write_sound_with_hole(path: Path, source: np.ndarray, rate: int, move: int) -> None:
    """PCM in Matroska whose second half is stamped `move` samples later than it follows."""
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=rate)
        stream.codec_context.layout = "mono"
        for first in range(0, len(source), 800):
            block = np.rint(source[None, first : first + 800] * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
            frame.pts = first + (move if first >= len(source) // 2 else 0)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_holes_are_filled_with_silence_and_overlaps_cut(folder):
    source, rate = noise(16000), 16000
    path = folder / "hole.mkv"
    _write_sound_with_hole(path, source, rate, 4000)
    samples = read_audio(path).samples
    assert len(samples) == 20000
    assert np.abs(samples[:8000] - source[:8000]).max() < 1e-3
    assert not samples[8000:12000].any()
    assert np.abs(samples[12000:] - source[8000:]).max() < 1e-3
    _write_sound_with_hole(path, source, rate, 80)  # 5 ms: jitter, not a hole
    assert len(read_audio(path).samples) == 16000
    _write_sound_with_hole(path, source, rate, 16000 * 3600)
    assert code_of(read_audio, path) == "too_long"


def test_overlaps_are_cut(folder):
    """Two transport streams one after the other, the second stamped to begin 0.1 s before the first one ends."""
    source, rate = noise(48000), 48000
    parts = []
    for n, (first, last, offset) in enumerate([(0, 24000, 0.0), (24000, 48000, 0.4)]):
        write_wav(folder / "part.wav", source[first:last], rate)
        part = folder / f"overlap{n}.ts"
        ffmpeg(
            "-i", folder / "part.wav", "-ac", "2", "-c:a", "s302m", "-strict", "-2", "-output_ts_offset", offset, part
        )
        parts.append(part.read_bytes())
    path = folder / "overlap.ts"
    path.write_bytes(b"".join(parts))
    samples = read_audio(path, sample_rate=rate).samples
    assert abs(len(samples) - 43200) <= 1000
    assert lag(source[:24000], samples[:24000]) == 0
    assert abs(lag(source[30000:], samples[25200:])) <= 1
