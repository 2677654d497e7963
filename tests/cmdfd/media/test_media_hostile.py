"""Broken and malicious bytes, in a process of their own with a bound on memory and time."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from media_helpers import coded_frames, ffmpeg, ffmpeg_from_frames, noise

from cmdfd.errors import MEDIA_CODES
from cmdfd.media.encode import EncoderSettings, write_clip

MEMORY = 3 << 30
SCRIPT = """
import json, resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
from pathlib import Path
from cmdfd.errors import MediaError
from cmdfd.media.decode import iter_frames, read_audio, read_clip, read_video
from cmdfd.media.probe import probe
found = {}
actions = dict(probe=probe, video=read_video, audio=read_audio, clip=read_clip)
for path in sorted(Path(sys.argv[1]).iterdir()):
    for name, action in actions.items():
        start = time.process_time()
        try:
            action(path)
            code = "ok"
        except MediaError as error:
            code = error.code
        found[f"{path.name}/{name}"] = [code, time.process_time() - start]
status = Path("/proc/self/status").read_text()  # ru_maxrss would begin with what the parent had
peak = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
print(json.dumps({"found": found, "peak": peak}))
"""


def judge(folder: Path, timeout: float) -> dict[str, list]:
    """Read every file in every way under the bounds; anything but a MediaError ends the process and the test."""
    command = [sys.executable, "-X", "faulthandler", "-c", SCRIPT, str(folder), str(MEMORY)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout)
    assert report["peak"] < 1 << 30
    for name, (code, seconds) in report["found"].items():
        assert code == "ok" or code in MEDIA_CODES
        assert seconds < 20, (name, seconds)
    return report["found"]


def huge_avi(folder: Path) -> None:
    """An AVI whose header says 100000 x 100000, over real frames of 16 x 16."""
    path = folder / "huge.avi"
    ffmpeg_from_frames(coded_frames(3, 16, 16), 25, "-c:v", "rawvideo", "-pix_fmt", "bgr24", path)
    data = bytearray(path.read_bytes())
    header = data.index(struct.pack("<Iii", 40, 16, -16))
    struct.pack_into("<ii", data, header + 4, 100_000, 100_000)
    path.write_bytes(data)


def huge_mov(folder: Path) -> None:
    """A QuickTime sample description of 65535 x 65535 raw pixels."""
    path = folder / "huge.mov"
    ffmpeg_from_frames(coded_frames(3, 16, 16), 25, "-c:v", "rawvideo", "-pix_fmt", "rgb24", path)
    data = bytearray(path.read_bytes())
    size = data.index(struct.pack(">HHII", 16, 16, 0x480000, 0x480000))
    struct.pack_into(">HH", data, size, 65535, 65535)
    path.write_bytes(data)


def huge_mkv(folder: Path) -> None:
    """Matroska's PixelWidth and PixelHeight of 65535 over FFV1, which knows no size of its own."""
    path = folder / "huge.mkv"
    ffmpeg_from_frames(coded_frames(3, 300, 300), 25, "-c:v", "ffv1", path)
    data = path.read_bytes()
    size = struct.pack(">BBHBBH", 0xB0, 0x82, 300, 0xBA, 0x82, 300)
    assert size in data
    path.write_bytes(data.replace(size, struct.pack(">BBHBBH", 0xB0, 0x82, 65535, 0xBA, 0x82, 65535)))


def long_mp4(folder: Path, clip: bytes) -> None:
    """Frames that are to be shown for a quarter of an hour each."""
    data = bytearray(clip)
    struct.pack_into(">I", data, data.index(b"stts") + 16, 12800 * 900)
    (folder / "long.mp4").write_bytes(data)


def many_samples(folder: Path, clip: bytes) -> None:
    """Sample tables that count four billion entries."""
    for box in (b"stsz", b"stts", b"stsc", b"stco", b"ctts"):
        data = bytearray(clip)
        position = data.index(box) + (12 if box == b"stsz" else 8)
        struct.pack_into(">I", data, position, 0xFFFFFFFF)
        (folder / f"many_{box.decode()}.mp4").write_bytes(data)


def deep_boxes(folder: Path) -> None:
    """Ten thousand boxes inside each other."""
    data = b""
    for _ in range(10_000):
        data = struct.pack(">I4s", len(data) + 8, b"moov") + data
    (folder / "deep.mp4").write_bytes(struct.pack(">I4s4sI", 16, b"ftyp", b"isom", 0) + data)


def small_bombs(folder: Path) -> None:
    """Small files that unpack to far more than the limits allow: minutes of black, of silence."""
    ffmpeg(
        "-f", "lavfi", "-i", "color=black:s=32x32:r=5:d=700", "-c:v", "libx264", "-preset", "ultrafast",
        "-g", "90000", folder / "black.mkv",
    )  # fmt: skip
    ffmpeg("-f", "lavfi", "-i", "anullsrc=r=8000:d=700", "-c:a", "flac", folder / "silence.flac")
    ffmpeg("-f", "lavfi", "-i", "anullsrc=r=8000:d=700", "-c:a", "aac", "-f", "adts", folder / "silence.aac")


@pytest.mark.timeout(200)
def test_malicious_headers(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    write_clip(tmp_path / "x.mp4", coded_frames(20), 25, noise(12800), 16000, EncoderSettings())
    clip = (tmp_path / "x.mp4").read_bytes()
    huge_avi(folder), huge_mov(folder), huge_mkv(folder), deep_boxes(folder), small_bombs(folder)
    long_mp4(folder, clip), many_samples(folder, clip)
    found = judge(folder, 150)
    for name in ("huge.avi", "huge.mov", "huge.mkv"):
        for action in ("probe", "video", "clip"):
            assert found[f"{name}/{action}"][0] == "too_large"
    # The edit list cuts what is shown after 0.8 s, so few frames of the promised ones come.
    assert {found["long.mp4/video"][0], found["long.mp4/clip"][0]} <= {"too_long", "decode_failed"}
    assert found["black.mkv/video"][0] == found["silence.flac/audio"][0] == found["silence.aac/audio"][0] == "too_long"
    assert found["deep.mp4/probe"][0] != "ok"


def mutants(folder: Path, per_container: int) -> None:
    rng = np.random.default_rng(1)
    forms = {
        "mp4": EncoderSettings(),
        "mkv": EncoderSettings(container="matroska", audio_codec="flac", audio_bit_rate=None),
        "webm": EncoderSettings(
            container="webm", video_codec="libvpx-vp9", audio_codec="libopus", audio_bit_rate=32000
        ),
        "avi": EncoderSettings(container="avi", video_codec="mpeg4", audio_codec="pcm_s16le", audio_bit_rate=None),
    }
    sources = {}
    for name, settings in forms.items():
        path = folder.parent / f"source.{name}"
        write_clip(path, coded_frames(15, 48, 48), 25, noise(9600), 16000, settings)
        sources[name] = path.read_bytes()
    for name, form in (("mpg", "mpeg"), ("ts", "mpegts"), ("flv", "flv")):
        path = folder.parent / f"source.{name}"
        ffmpeg("-i", folder.parent / "source.mp4", "-f", form, "-ar", "44100", path)
        sources[name] = path.read_bytes()
    for name, source in sources.items():
        for n in range(per_container):
            data = bytearray(source)
            reach = len(data) if n % 2 else min(len(data), 2000)  # headers are hit more often
            for _ in range(int(rng.integers(1, 20))):
                data[int(rng.integers(reach))] = int(rng.integers(256))
            if n % 5 == 0:
                cut = int(rng.integers(1, len(data)))
                data = data[:cut] if n % 10 else data[cut:]
            (folder / f"{n:04d}.{name}").write_bytes(data)


@pytest.mark.timeout(200)
def test_random_damage(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    mutants(folder, 12)
    found = judge(folder, 150)
    assert len(found) == 4 * 7 * 12
    codes = {code for code, _ in found.values()}
    assert "ok" in codes and "decode_failed" in codes  # the damage is neither nothing nor everything


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_much_random_damage(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    mutants(folder, 250)
    assert len(judge(folder, 800)) == 4 * 7 * 250
