"""Media for the tests of reading, written by the ffmpeg program: an encoder and muxer apart from the reader."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np

from cmdfd.media.ffmpeg import find_ffmpeg

WIDTH, HEIGHT, FPS, RATE = 96, 64, 25, 16000


def moving(n: int = 30, height: int = HEIGHT, width: int = WIDTH, seed: int = 0) -> np.ndarray:
    """[n, height, width, 3] uint8: a texture that wanders, a little noise in every picture."""
    rng = np.random.default_rng(seed)
    base = np.cumsum(rng.normal(size=(height, width * 2, 3)), axis=1)
    base = (base - base.min()) / np.ptp(base) * 200 + 20
    frames = np.stack([base[:, k : k + width] for k in np.arange(n) % width])
    return np.clip(frames + rng.normal(0, 1, frames.shape), 0, 255).astype(np.uint8)


def ffmpeg(*arguments: object, data: bytes | None = None) -> None:
    command = [str(find_ffmpeg()), "-hide_banner", "-loglevel", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, input=data, timeout=120)


def film(path: Path, *options: object, frames: np.ndarray | None = None, sound: bool = True) -> Path:
    """Write a film; `options` stand before the output."""
    frames = moving() if frames is None else frames
    height, width = frames.shape[1:3]
    seconds = len(frames) / FPS
    noise = ["-f", "lavfi", "-i", f"anoisesrc=r={RATE}:a=0.1:d={seconds}:seed=1"] if sound else []
    size = f"{width}x{height}"
    ffmpeg(
        "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", FPS, "-i", "-", *noise, *options, path,
        data=frames.tobytes(),
    )  # fmt: skip
    return path


#: Options of the ffmpeg program by a name of the way of coding, and the container.
WAYS: dict[str, tuple[str, tuple[object, ...]]] = {
    "x264": ("mp4", ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", 12, "-c:a", "aac")),
    "x264-late": ("mp4", ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", 0, "-movflags", "faststart", "-an")),
    "x264-mkv": ("mkv", ("-c:v", "libx264", "-pix_fmt", "yuv422p", "-c:a", "flac")),
    "x264-ts": ("ts", ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac")),
    "x264-10": ("mp4", ("-c:v", "libx264", "-pix_fmt", "yuv420p10le", "-c:a", "aac")),
    "x264-fields": ("mkv", ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-flags", "+ildct+ilme", "-c:a", "pcm_s16le")),
    "x265": ("mp4", ("-c:v", "libx265", "-pix_fmt", "yuv420p", "-x265-params", "log-level=none", "-c:a", "aac")),
    "x265-mkv": ("mkv", ("-c:v", "libx265", "-pix_fmt", "yuv444p", "-x265-params", "log-level=none", "-an")),
    "mpeg4": ("avi", ("-c:v", "mpeg4", "-bf", 2, "-q:v", 5, "-c:a", "libmp3lame")),
    "mpeg2": ("mpg", ("-c:v", "mpeg2video", "-q:v", 4, "-c:a", "mp2")),
    "mjpeg": ("mov", ("-c:v", "mjpeg", "-q:v", 3, "-pix_fmt", "yuvj420p", "-c:a", "pcm_s16le")),
    "vp9": ("webm", ("-c:v", "libvpx-vp9", "-pix_fmt", "yuv420p", "-deadline", "realtime", "-c:a", "libopus")),
    "ffv1-rgb": ("mkv", ("-c:v", "ffv1", "-pix_fmt", "gbrp", "-c:a", "flac")),
    "ffv1-grey": ("mkv", ("-c:v", "ffv1", "-pix_fmt", "gray", "-an")),
    "ffv1-grey16": ("mkv", ("-c:v", "ffv1", "-pix_fmt", "gray16le", "-an")),
    "rgb24": ("avi", ("-c:v", "rawvideo", "-pix_fmt", "bgr24", "-an")),
    "palette": ("mov", ("-c:v", "qtrle", "-pix_fmt", "rgb24", "-an")),
    "nv12": ("nut", ("-c:v", "rawvideo", "-pix_fmt", "nv12", "-an")),
}


def written(folder: Path, way: str, frames: np.ndarray | None = None) -> Path:
    """A film in one of `WAYS`."""
    ending, options = WAYS[way]
    return film(folder / f"{way}.{ending}", *options, frames=frames)
