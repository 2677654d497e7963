"""Test material: coded pictures, noise, and files made by an independent program."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np

from cmdfd.media.ffmpeg import find_ffmpeg


def coded_frames(n: int, height: int = 64, width: int = 64, first: int = 0) -> np.ndarray:
    """Frames whose number stands in eight blocks of light and dark: [n, height, width, 3]."""
    frames = np.empty((n, height, width, 3), np.uint8)
    for k in range(n):
        for bit in range(8):
            y, x = divmod(bit, 4)
            rows = slice(y * height // 2, (y + 1) * height // 2)
            columns = slice(x * width // 4, (x + 1) * width // 4)
            frames[k, rows, columns] = 220 if (k + first) >> bit & 1 else 30
    return frames


def textured(n: int = 30, height: int = 128, width: int = 128) -> np.ndarray:
    """Moving texture with noise, as hard to code as a talking head."""
    rng = np.random.default_rng(5)
    base = np.cumsum(np.cumsum(rng.standard_normal((height + n, width + n)), 0), 1)
    base = (base - base.min()) / np.ptp(base) * 255
    frames = np.stack([base[i : i + height, i // 2 : i // 2 + width] for i in range(n)])[..., None]
    return np.clip(frames + rng.normal(0, 4, (*frames.shape[:3], 3)), 0, 255).astype(np.uint8)


def frame_numbers(frames: np.ndarray) -> list[int]:
    """Read the numbers back from RGB or grey frames of any size."""
    grey = frames if frames.ndim == 3 else frames.mean(axis=3)
    height, width = grey.shape[1:3]
    numbers = []
    for picture in grey:
        number = 0
        for bit in range(8):
            y, x = divmod(bit, 4)
            block = picture[y * height // 2 : (y + 1) * height // 2, x * width // 4 : (x + 1) * width // 4]
            inner = block[height // 8 : -height // 8, width // 16 : -width // 16]
            number |= int(inner.mean() > 125) << bit
        numbers.append(number)
    return numbers


def noise(n: int, seed: int = 0) -> np.ndarray:
    """Coloured noise with one sharp correlation peak: [n] float32."""
    white = np.random.default_rng(seed).standard_normal(n) * 0.15
    return np.convolve(white, np.ones(3) / 3, "same").astype(np.float32)


def lag(reference: np.ndarray, found: np.ndarray) -> int:
    """Samples by which `found` comes late, by cross-correlation over all shifts."""
    n = 1 << int(np.ceil(np.log2(len(reference) + len(found))))
    product = np.fft.rfft(found, n) * np.conj(np.fft.rfft(reference, n))
    peak = int(np.argmax(np.fft.irfft(product, n)))
    return peak if peak < n // 2 else peak - n


def ffmpeg(*arguments: str | Path, data: bytes | None = None) -> bytes:
    """Run the ffmpeg program and return its output."""
    command = [str(find_ffmpeg()), "-hide_banner", "-loglevel", "error", "-y", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, input=data, timeout=120).stdout


def ffmpeg_from_frames(frames: np.ndarray, fps: object, *arguments: str | Path) -> None:
    """Let ffmpeg encode raw RGB frames; `arguments` follow the input."""
    size = f"{frames.shape[2]}x{frames.shape[1]}"
    ffmpeg(
        "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", str(fps), "-i", "-", *arguments, data=frames.tobytes()
    )  # fmt: skip


def write_wav(path: Path, samples: np.ndarray, sample_rate: int) -> None:
    """Write 16 bit mono."""
    import wave

    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
