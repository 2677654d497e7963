"""Films that were trimmed by an edit list, on their way through a platform."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from media_tools import ffmpeg

from cmdfd.errors import MediaError
from cmdfd.media.decode import read_clip
from generators.social.source import read_source
from generators.social.transmit import resolve_chain, transmit


@pytest.fixture(scope="module")
def flash(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of black with a white frame and a beep at 2.0 s, one key frame at the beginning."""
    path = tmp_path_factory.mktemp("flash") / "flash.mp4"
    ffmpeg(
        "-f", "lavfi", "-i", "color=black:s=320x240:r=25:d=3,drawbox=c=white:t=fill:enable='between(n,50,50)'",
        "-f", "lavfi", "-i", "sine=f=1000:r=48000:d=3,volume='between(t,2,2.04)':eval=frame:precision=double",
        "-c:v", "libx264", "-g", 250, "-bf", 2, "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "160k", path,
    )  # fmt: skip
    return path


def step(path: Path) -> float:
    """Seconds by which the beep comes after the flash."""
    clip = read_clip(path, sample_rate=48000)
    assert clip.audio is not None
    seen = clip.video.times[int(clip.video.frames.mean(axis=(1, 2, 3)).argmax())]
    level = np.abs(clip.audio.samples)
    heard = clip.audio.start + int((level > 0.3 * level.max()).argmax()) / 48000
    return heard - float(seen)


@pytest.mark.parametrize("cut", ["0.53", "1.2"])
def test_flash_and_beep_stay_together(flash: Path, tmp_path: Path, cut: str) -> None:
    path, out = tmp_path / "cut.mp4", tmp_path / "sent.mp4"
    ffmpeg("-ss", cut, "-i", flash, "-c", "copy", path)
    before = step(flash)
    assert step(path) == pytest.approx(before, abs=0.003)
    transmit(resolve_chain("whatsapp"), path, out)
    assert step(out) == pytest.approx(before, abs=0.004)  # a frame's place, and the codec's own blur
    assert read_source(path).first == pytest.approx(0.03 if cut == "0.53" else 0.0)


def test_frames_before_zero_are_called_so(flash: Path, tmp_path: Path) -> None:
    path = tmp_path / "negative.mkv"
    ffmpeg("-ss", "0.53", "-i", flash, "-c", "copy", "-avoid_negative_ts", "disabled", path)
    with pytest.raises(MediaError, match=r"its first \d+ frames lie before time 0"):
        read_source(path)
