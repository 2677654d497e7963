"""Talking heads drawn before a fixed background, with a voice: clips that look alike without being copies."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np

from cmdfd.audit.reading import read_facts
from cmdfd.audit.setcues import fingerprint
from cmdfd.media.ffmpeg import find_ffmpeg

SIDE, FPS, RATE = 128, 25, 16000


def wander(rng: np.random.Generator, n: int, slow: float) -> np.ndarray:
    """[n] smooth random path with a standard deviation of 1."""
    width = max(int(slow * FPS), 1)
    path = np.convolve(rng.normal(size=n + 4 * width), np.hanning(2 * width + 1), "same")[2 * width :][:n]
    return (path - path.mean()) / path.std()


def picture(person: int, clip: int, seconds: float = 4.0) -> np.ndarray:
    """[T, SIDE, SIDE, 3] uint8: a person's face and room are fixed, its movement is the clip's own."""
    room = np.random.default_rng(person)
    rng = np.random.default_rng([person, clip, 7])
    n = round(seconds * FPS)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    back = np.cumsum(np.cumsum(room.normal(size=(SIDE, SIDE)), 0), 1)
    back = 60 + 120 * (back - back.min()) / np.ptp(back)
    dx, dy, mouth = wander(rng, n, 0.4) * 0.02, wander(rng, n, 0.3) * 0.015, np.abs(wander(rng, n, 0.08))
    frames = np.empty((n, SIDE, SIDE), np.float64)
    for k in range(n):
        u, v = (x - 0.5 - dx[k]) / 0.24, (y - 0.48 - dy[k]) / 0.33
        face = np.clip((1 - u**2 - v**2) * 8, 0, 1)
        eyes = np.clip((0.02 - (np.abs(u) - 0.4) ** 2 - (v + 0.25) ** 2) * 90, 0, 1)
        lips = np.clip((0.05 - u**2 * 0.5 - ((v - 0.45) / (0.4 + mouth[k])) ** 2) * 60, 0, 1)
        skin = 190 - 40 * u
        frames[k] = back * (1 - face) + face * (skin * (1 - eyes) * (1 - lips) + 30 * eyes + 50 * lips)
    return np.repeat(frames.clip(0, 255).astype(np.uint8)[..., None], 3, axis=3)


def voice(person: int, clip: int, seconds: float = 4.0) -> np.ndarray:
    """[N] float32: harmonics of a person's pitch through formants that wander, in syllables."""
    rng = np.random.default_rng([person, clip, 9])
    n, frames = round(seconds * RATE), round(seconds * FPS)
    at = np.linspace(0, frames - 1, n)
    pitch = 110 + 12 * (person % 7) + np.interp(at, np.arange(frames), wander(rng, frames, 0.3)) * 15
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    formants = [
        np.interp(at, np.arange(frames), f + s * wander(rng, frames, 0.1)) for f, s in ((550, 150), (1500, 400))
    ]
    sound = np.zeros(n)
    for harmonic in range(1, 28):
        gain = sum(np.exp(-(((harmonic * pitch - formant) / 160) ** 2)) for formant in formants) + 0.02
        sound += gain * np.sin(harmonic * phase)
    loud = np.clip(np.interp(at, np.arange(frames), wander(rng, frames, 0.12)) + 0.8, 0, None)
    sound = sound * loud + rng.normal(size=n) * 0.02
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


def write(path: Path, frames: np.ndarray | None, sound: np.ndarray | None) -> Path:
    """Write a clip with little loss."""
    options: list[object] = []
    if frames is not None:
        raw = path.with_suffix(".rgb")
        raw.write_bytes(frames.tobytes())
        options += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{SIDE}x{SIDE}", "-r", FPS, "-i", raw]
    if sound is not None:
        loose = path.with_suffix(".f32")
        loose.write_bytes(sound.astype("<f4").tobytes())
        options += ["-f", "f32le", "-ar", RATE, "-ac", 1, "-i", loose]
    run(*options, "-c:v", "libx264", "-preset", "ultrafast", "-crf", 12, "-pix_fmt", "yuv420p", "-c:a", "aac",
        "-b:a", "128k", path)  # fmt: skip
    return path


def copy(source: Path, path: Path, *options: object) -> Path:
    """Another encoding of a clip."""
    run("-i", source, *options, path)
    return path


def run(*arguments: object) -> None:
    command = [str(find_ffmpeg()), "-hide_banner", "-loglevel", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)


def prints(path: Path) -> dict[str, str | None]:
    """Fingerprint of a file, read as the auditor reads it."""
    facts = read_facts(path, depth="full")
    return fingerprint(facts.pictures, None if facts.audio is None else facts.audio.sound)
