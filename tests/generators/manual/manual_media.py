"""Originals and edits that the tests of the manual source make themselves: a moving texture, and sound like speech."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

WIDTH, HEIGHT, FPS, RATE = 192, 112, 25.0, 48000
COLUMNS = (
    "original", "edited", "matte", "edl", "edl_fps", "edl_start", "segments", "operation", "tool", "editor", "face_id",
    "voice_id", "donors", "licence", "consent", "pristine", "edit_licence", "split", "sync_mismatch",
    "identity_mismatch",
)  # fmt: skip


def texture(name: str, seconds: float = 3.0, fps: float = FPS, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """[T, H, W, 3]: a smooth texture that drifts, with discs that move over it; a pure function of its arguments."""
    rng = np.random.default_rng(list(name.encode()))
    wide, high = width + 120, height + 120
    noise = [cv2.GaussianBlur(rng.standard_normal((high, wide)), (0, 0), s) * s for s in (3.0, 8.0)]
    base = np.stack([sum(rng.uniform(0.5, 1) * one for one in noise) for _ in range(3)], axis=-1)
    base = 120 + 45 * base / base.std()
    discs = [
        (rng.uniform(0.2, 0.8, 2), rng.uniform(0.3, 0.9, 2), rng.uniform(0, 6, 2), rng.uniform(30, 225, 3))
        for _ in range(3)
    ]
    frames = np.empty((round(seconds * fps), height, width, 3), np.uint8)
    for k in range(len(frames)):
        t = k / fps
        dx, dy = 60 + 22 * np.sin(1.1 * t + 0.3), 60 + 18 * np.sin(1.7 * t)
        shift = np.array([[1, 0, -dx], [0, 1, -dy]])
        image = cv2.warpAffine(base, shift, (width, height)).clip(0, 255).astype(np.uint8)
        for place, speed, phase, colour in discs:
            x, y = (place + 0.18 * np.sin(2 * speed * t + phase)) * (width, height)
            cv2.circle(
                image, (round(x * 16), round(y * 16)), round(0.09 * height * 16), colour.tolist(), -1, cv2.LINE_AA, 4
            )
        frames[k] = image
    return frames


def speech(name: str, seconds: float = 3.0, rate: int = RATE) -> np.ndarray:
    """[N] float32: bursts of filtered noise over a hum, never the same twice."""
    rng = np.random.default_rng(list((name + "sound").encode()))
    n = round(seconds * rate)
    t = np.arange(n) / rate
    noise = rng.standard_normal(n + 400)
    voiced = np.convolve(noise, np.hanning(round(rate / 1800)), "same")[:n]
    voiced /= voiced.std()
    beat = np.clip(np.sin(2 * np.pi * (2.6 * t + rng.random())) + 0.6, 0, None)
    return (0.08 * beat * voiced + 0.002 * noise[:n]).astype(np.float32)


@dataclass
class Media:
    """A film that can be written in any way."""

    frames: np.ndarray
    sound: np.ndarray | None
    fps: float = FPS
    rate: int = RATE
    codec: str = "libx264"
    options: dict[str, str] = field(default_factory=lambda: {"crf": "16", "preset": "veryfast"})
    pixels: str = "yuv420p"
    audio: str = "aac"
    bit_rate: int = 128_000


def write(path: Path, media: Media) -> Path:
    """Write a file with PyAV; the suffix chooses the container."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        fps = Fraction(round(media.fps * 1001), 1001).limit_denominator(1001) if media.fps % 1 else Fraction(media.fps)
        # x264's macroblock tree gives other bytes from run to run
        steady = {"x264-params": "mbtree=0:threads=1"} if media.codec == "libx264" else {}
        video: Any = container.add_stream(media.codec, rate=fps, options={**media.options, **steady})
        video.codec_context.thread_count = 1
        video.height, video.width = media.frames.shape[1:3]
        video.pix_fmt = media.pixels
        sound: Any = None
        if media.sound is not None:
            sound = container.add_stream(media.audio, rate=media.rate)
            sound.codec_context.layout = "mono"
            if media.audio != "pcm_s16le":
                sound.codec_context.bit_rate = media.bit_rate
        form = "rgba" if media.frames.shape[3] == 4 else "rgb24"
        for index, image in enumerate(media.frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format=form)
            frame.pts = index
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if sound is not None:
            size = 1024
            for first in range(0, len(media.sound), size):
                block = np.ascontiguousarray(media.sound[None, first : first + size], np.float32)
                part = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
                part.sample_rate, part.pts, part.time_base = media.rate, first, Fraction(1, media.rate)
                if sound.codec_context.format.name != "fltp":
                    part = av.AudioResampler(
                        format=sound.codec_context.format.name, layout="mono", rate=media.rate
                    ).resample(part)[0]
                container.mux(sound.encode(part))
            container.mux(sound.encode(None))
    return path


def patch_shape(shape: tuple[int, ...], x: float, y: float, radius: float) -> np.ndarray:
    """[H, W] bool: a disc; x, y and radius in pixels."""
    ys, xs = np.mgrid[: shape[0], : shape[1]]
    return (xs - x) ** 2 + (ys - y) ** 2 <= radius**2


def edited_patch(
    frames: np.ndarray, other: np.ndarray, first: int, last: int, radius: float = 22.0
) -> tuple[np.ndarray, np.ndarray]:
    """A disc of another film in frames [first, last), moving; returns the film and its matte [T, H, W] uint8."""
    made, matte = frames.copy(), np.zeros(frames.shape[:3], np.uint8)
    height, width = frames.shape[1:3]
    for k in range(first, last):
        where = patch_shape((height, width), width * 0.4 + 1.1 * (k - first), height * 0.5, radius)
        soft = cv2.GaussianBlur(where.astype(np.float32), (0, 0), 1.2)
        made[k] = np.rint(frames[k] + (other[k].astype(np.float32) - frames[k]) * soft[..., None]).astype(np.uint8)
        matte[k] = np.rint(soft * 255)
    return made, matte


def grey(levels: np.ndarray) -> np.ndarray:
    return np.repeat(levels[..., None], 3, axis=3)


def listed(folder: Path, *rows: dict[str, str]) -> Path:
    """Write `edits.csv`; what a row leaves out is filled in."""
    usual = {
        "original": "original.mp4", "edited": "edited.mp4", "operation": "splice", "tool": "test", "editor": "ed01",
        "face_id": "anna", "licence": "CC0-1.0", "consent": "synthetic", "pristine": "true",
    }  # fmt: skip
    path = folder / "edits.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["#cmdfd-edits", "1"])
        writer.writerow(COLUMNS)
        for row in rows:
            whole = {**usual, **row}
            assert set(whole) <= set(COLUMNS)
            writer.writerow([whole.get(name, "") for name in COLUMNS])
    return path
