from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media_helpers import coded_frames, ffmpeg, ffmpeg_from_frames, frame_numbers, lag, noise, write_wav

from cmdfd.errors import MediaError
from cmdfd.media.decode import Limits, iter_frames, read_audio, read_clip, read_video
from cmdfd.media.encode import LOSSLESS_SOURCE, EncoderSettings, write_clip
from cmdfd.media.orient import orientation_of, square_size
from cmdfd.media.probe import probe

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-crf", "10")


def code_of(action, *arguments, **options) -> str:
    with pytest.raises(MediaError) as caught:
        action(*arguments, **options)
    return caught.value.code


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("decode")


def picture_with_corners(height: int, width: int) -> np.ndarray:
    """Four corners of different colours on grey."""
    image = np.full((height, width, 3), 128, np.uint8)
    h, w = height // 4, width // 4
    image[:h, :w], image[:h, -w:] = (220, 30, 30), (30, 220, 30)
    image[-h:, :w], image[-h:, -w:] = (30, 30, 220), (220, 220, 30)
    return image


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("flip", [False, True])
def test_rotation_is_that_of_ffmpegs_own_player(folder, rotation, flip):
    """ffmpeg applies the display matrix by itself when it decodes: an independent reference."""
    path = folder / f"rotated{rotation}{flip}.mp4"
    frames = np.stack([picture_with_corners(48, 96)] * 3)
    plain = folder / "plain.mp4"
    ffmpeg_from_frames(frames, 25, *X264, plain)
    flags = ("-display_hflip",) if flip else ()
    ffmpeg("-display_rotation:v:0", str(rotation), *flags, "-i", plain, "-c", "copy", path)
    width, height = (48, 96) if rotation in {90, 270} else (96, 48)
    raw = ffmpeg("-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    expected = np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)
    video = read_video(path)
    assert video.frames.shape == expected.shape
    assert np.abs(video.frames.astype(int) - expected).max() <= 3
    info = probe(path).video
    assert (info.width, info.height) == (width, height)
    if not flip:  # FFmpeg's option counts counterclockwise
        assert info.rotation == -rotation % 360
    small = read_video(path, size=(width // 2, height // 2))
    assert small.frames.shape[1:3] == (height // 2, width // 2)
    images = [frame.image for frame in iter_frames(path)]
    assert all(image.flags.c_contiguous for image in images)
    assert np.array_equal(np.stack(images), video.frames)


def test_odd_display_matrices_count_as_upright():
    def pack(*values: float) -> bytes:
        a, b, c, d = (round(value * 65536) for value in values)
        return np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], "=i4").tobytes()

    assert orientation_of(pack(0, 1, -1, 0)).rotation == 90
    assert orientation_of(pack(-1, 0, 0, -1)).rotation == 180
    mirrored = orientation_of(pack(-1, 0, 0, 1))
    assert mirrored.mirrored and mirrored.rotation == 0
    for matrix in (None, b"", b"x" * 35, pack(0, 0, 0, 0), pack(0.7, 0.7, -0.7, 0.7), pack(2, 2, 2, 2), b"\xff" * 36):
        orientation = orientation_of(matrix)
        assert orientation.rotation == 0 and not orientation.mirrored


@pytest.mark.parametrize(("aspect", "width"), [("16/15", 102), ("1/2", 48), ("2/1", 192)])
def test_samples_that_are_not_square_are_stretched(folder, aspect, width):
    path = folder / "sar.mkv"
    ffmpeg_from_frames(coded_frames(3, 64, 96), 25, "-vf", f"setsar={aspect}", *X264, path)
    video = read_video(path)
    assert video.frames.shape == (3, 64, width, 3)
    assert frame_numbers(video.frames) == [0, 1, 2]
    assert (probe(path).video.width, probe(path).video.height) == (width, 64)


def test_absurd_sample_aspect_is_ignored():
    assert square_size(100, 50, Fraction(1000, 1)) == (100, 50)
    assert square_size(100, 50, Fraction(0)) == (100, 50)
    assert square_size(100, 50, None) == (100, 50)
    assert square_size(1, 50, Fraction(1, 4)) == (1, 50)


def test_variable_frame_rate_keeps_its_times(folder):
    path = folder / "vfr.mkv"
    chosen = "select='not(between(n,5,9))+eq(n,7)'"
    ffmpeg_from_frames(coded_frames(20), 25, "-vf", chosen, "-fps_mode", "vfr", *X264, path)
    video = read_video(path)
    numbers = [0, 1, 2, 3, 4, 7, *range(10, 20)]
    assert frame_numbers(video.frames) == numbers
    assert np.abs(video.times - np.array(numbers) / 25).max() <= 5e-4


def test_late_start_of_the_picture_stays_on_the_clock(folder):
    sound, path = folder / "late.wav", folder / "late.mp4"
    write_wav(sound, noise(16000), 16000)
    plain = folder / "late_plain.mp4"
    ffmpeg_from_frames(coded_frames(20), 25, *X264, plain)
    ffmpeg("-i", sound, "-itsoffset", "0.2", "-i", plain, "-c:v", "copy", "-c:a", "aac", path)
    clip = read_clip(path)
    assert abs(clip.video.times[0] - 0.2) < 1e-3
    assert clip.audio.start == pytest.approx(0.0, abs=1e-4)
    assert lag(noise(16000), clip.audio.samples) == 0


@pytest.mark.parametrize("fps", ["15", "22.131", "30000/1001", "30", "50"])
def test_frame_rates(folder, fps):
    path = folder / "rate.mp4"
    ffmpeg_from_frames(coded_frames(31), fps, *X264, path)
    video = read_video(path)
    rate = float(Fraction(fps)) if "/" in fps else float(fps)
    assert frame_numbers(video.frames) == list(range(31))
    assert np.abs(video.times - np.arange(31) / rate).max() < 1e-3
    assert probe(path).video.fps == pytest.approx(rate, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("hevc.mp4", ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none")),
        ("ten.mp4", ("-c:v", "libx264", "-pix_fmt", "yuv420p10le", "-preset", "ultrafast")),
        ("hevc10.mkv", ("-c:v", "libx265", "-pix_fmt", "yuv420p10le", "-preset", "ultrafast")),
        ("mpeg1.mpg", ("-c:v", "mpeg1video", "-b:v", "2M")),
        ("mpeg2.ts", ("-c:v", "mpeg2video", "-b:v", "2M")),
        ("vp8.webm", ("-c:v", "libvpx", "-b:v", "1M", "-deadline", "realtime")),
        ("vp9.webm", ("-c:v", "libvpx-vp9", "-b:v", "1M", "-deadline", "realtime", "-cpu-used", "8")),
        ("av1.mp4", ("-c:v", "libsvtav1", "-preset", "12", "-pix_fmt", "yuv420p")),
        ("xvid.avi", ("-c:v", "mpeg4", "-q:v", "3", "-bf", "2")),
        ("h264.avi", (*X264, "-bf", "2", "-preset", "medium")),
        ("h264.flv", X264),
        ("rgb.mkv", ("-c:v", "ffv1", "-pix_fmt", "bgr0")),
        ("mjpeg.avi", ("-c:v", "mjpeg", "-q:v", "2")),
        ("wmv.asf", ("-c:v", "wmv2", "-b:v", "2M")),
        ("full.mp4", ("-c:v", "libx264", "-pix_fmt", "yuvj444p", "-preset", "ultrafast")),
    ],
)
def test_codecs_and_containers(folder, name, options):
    path = folder / name
    ffmpeg_from_frames(coded_frames(25, 64, 96), 25, *options, "-frames:v", "25", path)
    video = read_video(path)
    assert frame_numbers(video.frames) == list(range(25))
    assert np.abs(video.times - video.times[0] - np.arange(25) / 25).max() < 1.1e-3
    dark, light = video.frames[0].min(), video.frames[15].max()
    assert abs(int(dark) - 30) < 25 and abs(int(light) - 220) < 25
    if name != "mpeg2.ts" and not name.endswith((".mpg", ".flv")):
        assert video.times[0] == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize(("width", "height"), [(97, 51), (33, 64), (1, 1), (64, 31)])
def test_odd_sizes(folder, width, height):
    frames = np.random.default_rng(0).integers(0, 256, (4, height, width, 3), np.uint8)
    path = folder / "odd.mkv"
    ffmpeg_from_frames(frames, 25, "-c:v", "ffv1", "-pix_fmt", "bgr0", path)
    assert np.array_equal(read_video(path).frames, frames)
    assert read_video(path, pixel_format="gray").frames.shape == (4, height, width)


def test_colours_come_back(folder):
    """Known colours through BT.709 with all chroma; a wrong matrix or range is off by 10 and more."""
    colours = np.array([(255, 255, 255), (0, 0, 0), (200, 30, 60), (20, 180, 40), (40, 60, 210), (128, 128, 128)])
    frames = np.repeat(colours[None, None].astype(np.uint8), 32, axis=1).repeat(16, axis=2).repeat(3, axis=0)
    path = folder / "colour.mkv"
    write_clip(path, frames, 25, None, 0, LOSSLESS_SOURCE)
    found = read_video(path).frames[1, 16, 8::16].astype(int)
    assert np.abs(found - colours).max() <= 4
    raw = ffmpeg("-i", path, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    independent = np.frombuffer(raw, np.uint8).reshape(32, 96, 3)[16, 8::16].astype(int)
    assert np.abs(independent - colours).max() <= 4
    grey = read_video(path, pixel_format="gray").frames[1, 16, 8::16].astype(int)
    luma = colours @ np.array([0.2126, 0.7152, 0.0722])
    assert np.abs(grey - luma).max() <= 4
    assert np.abs(read_video(path, pixel_format="bgr24").frames[..., ::-1].astype(int) - frames).max() <= 8


def test_a_size_that_changes_in_mid_stream(folder):
    parts = []
    for n, size in enumerate((64, 96)):
        part = folder / f"part{n}.ts"
        ffmpeg_from_frames(
            coded_frames(10, size, size, first=10 * n), 25, *X264, "-output_ts_offset", str(0.4 * n), part
        )
        parts.append(part.read_bytes())
    path = folder / "changing.ts"
    path.write_bytes(b"".join(parts))
    video = read_video(path)
    assert video.frames.shape == (20, 64, 64, 3)
    assert frame_numbers(video.frames) == list(range(20))
    assert (np.diff(video.times) > 0).all()
    assert code_of(read_video, path, limits=Limits(max_pixels=64 * 64)) in {"too_large", "decode_failed"}


def test_cover_art_is_no_video(folder):
    sound, cover, path = folder / "c.wav", folder / "c.png", folder / "cover.mp4"
    write_wav(sound, noise(16000), 16000)
    ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1", "-update", "1", cover)
    ffmpeg(
        "-i",
        sound,
        "-i",
        cover,
        "-map",
        "0",
        "-map",
        "1",
        "-c:a",
        "aac",
        "-c:v",
        "copy",
        "-disposition:v",
        "attached_pic",
        path,
    )
    assert code_of(read_video, path) == "no_video"
    assert code_of(read_clip, path) == "no_video"
    assert probe(path).video is None and probe(path).n_video_streams == 0
    assert len(read_audio(path).samples) == 16000
    plain, both = folder / "c_plain.mp4", folder / "both.mp4"
    ffmpeg_from_frames(coded_frames(25), 25, *X264, plain)
    ffmpeg("-i", cover, "-i", plain, "-map", "0", "-map", "1", "-c", "copy", "-disposition:v:0", "attached_pic", both)
    assert frame_numbers(read_video(both).frames) == list(range(25))


def test_missing_streams(folder):
    picture, sound = folder / "picture.mp4", folder / "sound.mp4"
    ffmpeg_from_frames(coded_frames(5), 25, *X264, picture)
    write_wav(folder / "s.wav", noise(16000), 16000)
    ffmpeg("-i", folder / "s.wav", "-c:a", "aac", sound)
    assert code_of(read_audio, picture) == "no_audio"
    assert code_of(read_clip, picture) == "no_audio"
    assert read_clip(picture, need_audio=False).audio is None
    for action in (read_video, read_clip, lambda path: next(iter_frames(path))):
        assert code_of(action, sound) == "no_video"


def test_one_frame_is_a_video(folder):
    path = folder / "one.mp4"
    write_clip(path, coded_frames(1, first=5), 25, noise(640), 16000, EncoderSettings())
    clip = read_clip(path)
    assert frame_numbers(clip.video.frames) == [5] and len(clip.audio.samples) == 640


@pytest.fixture(scope="module")
def long_clip(folder) -> Path:
    frames = coded_frames(100)
    frames += np.random.default_rng(0).integers(0, 20, frames.shape, np.uint8)
    path = folder / "long.mp4"
    write_clip(path, frames, 25, noise(64000), 16000, EncoderSettings())
    return path


@pytest.mark.parametrize(
    ("container", "audio_codec"), [("mp4", "aac"), ("mov", "aac"), ("matroska", "flac"), ("avi", "pcm_s16le")]
)
def test_a_file_that_breaks_off(folder, long_clip, container, audio_codec):
    frames = coded_frames(100)
    frames += np.random.default_rng(0).integers(0, 20, frames.shape, np.uint8)
    rate = None if audio_codec != "aac" else 64000
    settings = EncoderSettings(container=container, audio_codec=audio_codec, audio_bit_rate=rate)
    whole = folder / "whole"
    write_clip(whole, frames, 25, noise(64000), 16000, settings)
    data = whole.read_bytes()
    path = folder / "broken"
    for share in (0.3, 0.6, 0.8):
        path.write_bytes(data[: int(share * len(data))])
        for action in (read_video, read_clip, lambda p: list(iter_frames(p))):
            assert code_of(action, path) == "decode_failed", (container, share)
    path.write_bytes(data[: int(0.97 * len(data))])
    assert len(read_video(path).frames) >= 90


def test_without_index_there_is_nothing(folder, long_clip):
    plain, path = folder / "noindex.mp4", folder / "cut.mp4"
    ffmpeg("-i", long_clip, "-c", "copy", plain)  # ffmpeg puts the index at the end
    path.write_bytes(plain.read_bytes()[:-3000])
    assert code_of(read_video, path) in {"not_media", "decode_failed"}


def test_some_broken_packets_are_survived_and_many_are_not(folder, long_clip):
    data = bytearray(long_clip.read_bytes())
    start = data.index(b"mdat") + 2000
    rng = np.random.default_rng(0)
    path = folder / "scratched.mp4"
    for position in rng.integers(start, len(data) - 100, 5):
        data[position] ^= 0xFF
    path.write_bytes(data)
    video = read_video(path)
    assert 90 <= len(video.frames) <= 100
    data[start:] = rng.bytes(len(data) - start)
    path.write_bytes(data)
    assert code_of(read_clip, path) == "decode_failed"


def test_one_pass_gives_what_two_passes_give(long_clip):
    clip, video, audio = read_clip(long_clip), read_video(long_clip), read_audio(long_clip)
    assert np.array_equal(clip.video.frames, video.frames)
    assert np.array_equal(clip.video.times, video.times)
    assert np.array_equal(clip.audio.samples, audio.samples)
    assert clip.audio.start == audio.start
    assert audio.duration == 4.0


def test_sound_first_in_the_file(folder, long_clip):
    path = folder / "sound_first.mp4"
    ffmpeg("-i", long_clip, "-map", "0:a", "-map", "0:v", "-c", "copy", path)
    clip = read_clip(path)
    assert len(clip.video.frames) == 100 and lag(noise(64000), clip.audio.samples) == 0


def test_frames_may_be_kept_and_the_rest_left(long_clip):
    first = list(itertools.islice(iter_frames(long_clip), 40))
    assert frame_numbers(np.stack([frame.image for frame in first])) == list(range(40))
    assert all(frame.image.flags.c_contiguous and frame.image.flags.writeable for frame in first)


def test_scaling_is_close_to_an_area_mean(folder):
    frames = np.repeat(np.linspace(20, 230, 128).astype(np.uint8)[None, None, :, None], 96, axis=1)
    frames = np.repeat(np.repeat(frames, 3, axis=3), 3, axis=0)
    path = folder / "ramp.mkv"
    write_clip(path, frames, 25, None, 0, LOSSLESS_SOURCE)
    small = read_video(path, size=(32, 24)).frames[1].astype(int)
    means = frames[0].reshape(24, 4, 32, 4, 3).mean(axis=(1, 3))
    assert np.abs(small - means).max() <= 4


def test_wrong_arguments_are_told(long_clip):
    with pytest.raises(ValueError, match="pixel_format"):
        read_video(long_clip, pixel_format="yuv420p")
    with pytest.raises(ValueError, match="size"):
        read_video(long_clip, size=(0, 5))
    with pytest.raises(ValueError, match="sample_rate"):
        read_audio(long_clip, sample_rate=0)


# Sound ---------------------------------------------------------------------------------------------------------------
