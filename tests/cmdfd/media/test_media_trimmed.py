"""Files that were trimmed without coding them again: edit lists in ISO files, times before zero in Matroska."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from media_helpers import coded_frames, ffmpeg, ffmpeg_from_frames, frame_numbers, lag, noise, write_wav

from cmdfd.audit.reading import read_facts
from cmdfd.errors import MediaError
from cmdfd.media.decode import iter_frames, read_audio, read_clip, read_video
from cmdfd.media.probe import probe

RATE, N = 48000, 60
SOUND = noise(int(N / 25 * RATE))


@pytest.fixture(scope="module", params=[(0, 250), (3, 250), (2, 12)], ids=["no-b", "b", "short-gop"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of 60 numbered frames at 25 fps with noise, in three ways of coding."""
    folder = tmp_path_factory.mktemp("whole")
    write_wav(folder / "sound.wav", SOUND, RATE)
    b_frames, gop = request.param
    path = folder / "whole.mp4"
    ffmpeg_from_frames(
        coded_frames(N), 25, "-i", folder / "sound.wav", "-c:v", "libx264", "-bf", b_frames, "-g", gop, "-sc_threshold",
        0, "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "160k", path,
    )  # fmt: skip
    return path


@pytest.mark.parametrize("cut", ["0.53", "0.6", "1.0", "1.315"])
def test_a_plain_cut_shows_what_its_edit_list_shows_and_keeps_step(whole: Path, tmp_path: Path, cut: str) -> None:
    """`ffmpeg -ss` with `-c copy`; sound and picture tell of themselves at which time of the film they were."""
    path = tmp_path / "cut.mp4"
    ffmpeg("-ss", cut, "-i", whole, "-c", "copy", path)
    clip = read_clip(path, sample_rate=RATE)
    numbers = frame_numbers(clip.video.frames)
    first = int(np.ceil(float(cut) * 25 - 1e-9))
    assert numbers == list(range(first, N))
    assert clip.audio is not None
    heard = -lag(SOUND, clip.audio.samples) / RATE - clip.audio.start  # time of the film at the clock's zero
    shown = np.array(numbers) / 25 - clip.video.times
    assert np.abs(shown - heard).max() < 0.002
    assert heard == pytest.approx(float(cut), abs=0.002)
    assert [frame.time for frame in iter_frames(path)] == pytest.approx(clip.video.times.tolist())
    assert read_audio(path, sample_rate=RATE).start == clip.audio.start
    info = probe(path)
    assert info.video is not None and info.video.duration == pytest.approx(N / 25 - float(cut), abs=0.045)
    facts = read_facts(path)
    assert facts.video is not None and len(facts.video.packets.times) == len(numbers)


def test_a_cut_out_of_the_middle(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    ffmpeg("-ss", "0.53", "-i", whole, "-t", "1.0", "-c", "copy", path)
    clip = read_clip(path, sample_rate=RATE)
    numbers = frame_numbers(clip.video.frames)
    assert numbers[0] == 14 and set(range(14, 38)) <= set(numbers)
    assert clip.audio is not None
    heard = -lag(SOUND, clip.audio.samples) / RATE - clip.audio.start
    assert np.abs(np.array(numbers) / 25 - clip.video.times - heard).max() < 0.002


def test_a_cut_that_breaks_off_is_still_told(whole: Path, tmp_path: Path) -> None:
    """The hidden frames are no excuse for those that are missing."""
    path, broken = tmp_path / "cut.mp4", tmp_path / "broken.mp4"
    ffmpeg("-ss", "0.53", "-i", whole, "-c", "copy", "-movflags", "+faststart", path)
    data = path.read_bytes()
    broken.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(MediaError, match=r"frames could be decoded|decode"):
        read_video(broken)


def test_a_turned_film_with_a_long_hidden_part_stays_turned(tmp_path: Path) -> None:
    """More hidden packets than are otherwise tried for a first picture."""
    frames = np.repeat(coded_frames(1), 260, axis=0)
    ffmpeg_from_frames(frames, 25, "-c:v", "libx264", "-g", 999, "-pix_fmt", "yuv420p", tmp_path / "long.mp4")
    ffmpeg("-display_rotation", "90", "-i", tmp_path / "long.mp4", "-c", "copy", tmp_path / "turned.mp4")
    ffmpeg("-ss", "9.6", "-i", tmp_path / "turned.mp4", "-c", "copy", tmp_path / "cut.mp4")
    info, facts = probe(tmp_path / "cut.mp4"), read_facts(tmp_path / "cut.mp4")
    whole = read_facts(tmp_path / "turned.mp4")
    assert info.video is not None and info.video.rotation == 270
    assert info.video.encoder == probe(tmp_path / "turned.mp4").video.encoder  # type: ignore[union-attr]
    assert facts.video is not None and whole.video is not None
    assert facts.video.orientation == whole.video.orientation and len(read_video(tmp_path / "cut.mp4").frames) == 20


def test_frames_before_the_zero_of_matroska_are_refused_by_what_they_are(whole: Path, tmp_path: Path) -> None:
    """Their sound has negative times, they have none: taken from 0 on, they would come up to half a second late."""
    path = tmp_path / "negative.mkv"
    ffmpeg("-ss", "0.53", "-i", whole, "-c", "copy", "-avoid_negative_ts", "disabled", path)
    with pytest.raises(MediaError, match=r"its first \d+ frames lie before time 0"):
        read_clip(path)
