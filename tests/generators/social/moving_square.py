"""Clips for the social platforms: a bright square on a known path, a flash, a click, and the mask of the square."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from media_tools import ffmpeg

from cmdfd.faces.tracks import FaceTrack
from cmdfd.media.encode import write_clip
from cmdfd.media.masks import MASK_SETTINGS
from cmdfd.media.orient import Orientation

SAMPLE_RATE = 44100
BRIGHT, DARK = 230, 60


@dataclass(frozen=True)
class Pattern:
    """A clip to make; the sizes are those that are displayed."""

    fps: Fraction = Fraction(25)
    width: int = 320
    height: int = 240
    seconds: float = 1.2
    rotation: int = 0  # degrees clockwise by which a player turns the coded picture
    sample_aspect: Fraction = Fraction(1)
    drops: tuple[int, ...] = ()  # frames of the grid that are not there
    flash: float | None = None  # from this second on, the background is brighter
    sound: str | None = "mono"
    pictures: dict = field(default_factory=dict, compare=False)

    @property
    def indices(self) -> list[int]:
        return [k for k in range(round(self.seconds * self.fps)) if k not in self.drops]

    @property
    def times(self) -> np.ndarray:
        return np.array([float(k / self.fps) for k in self.indices])

    @property
    def side(self) -> int:
        return min(self.width, self.height) // 4

    def corner(self, time: float) -> tuple[float, float]:
        """Left and top edge of the square in displayed pixels: steady movement, well over a pixel per frame."""
        reach = np.array([self.width, self.height]) - self.side - 8
        x, y = 4 + reach * np.clip(np.array([0.8, 0.6]) * time / self.seconds, 0, 1)
        return round(float(x)), round(float(y))

    def mask_at(self, time: float) -> np.ndarray:
        """The square with a soft edge of two pixels outside."""
        x, y = self.corner(time)
        mask = np.zeros((self.height, self.width), np.uint8)
        for grow, value in ((2, 80), (1, 160), (0, 255)):
            mask[max(0, y - grow) : y + self.side + grow, max(0, x - grow) : x + self.side + grow] = value
        return mask

    def picture_at(self, time: float) -> np.ndarray:
        """Displayed picture: the square on a textured ground."""
        x, y = self.corner(time)
        rows, columns = np.mgrid[: self.height, : self.width]
        ground = DARK + 12 * ((rows // 8 + columns // 8) % 2)
        if self.flash is not None and time >= self.flash - 1e-9:
            ground = ground + 60
        ground[y : y + self.side, x : x + self.side] = BRIGHT
        return np.repeat(ground[..., None], 3, axis=2).astype(np.uint8)

    def track(self) -> FaceTrack:
        """68 points, all in the middle of the square."""
        middles = np.array([self.corner(time) for time in self.times]) + self.side / 2
        points = np.repeat((middles / (self.width, self.height))[:, None], 68, axis=1)
        return FaceTrack(self.times, points.astype(np.float32), np.ones(len(points), bool), "test")


def make(pattern: Pattern, path: Path, mask: Path | None = None, codec: str = "libx264") -> None:
    """Write clip and mask; container by suffix, time stamps exact (mkv: to 1 ms)."""
    plain = path.with_name(f"plain-{path.name}")
    upright = [pattern.picture_at(time) for time in pattern.times]
    frames = [coded(pattern, picture) for picture in upright]
    with av.open(f"file:{plain}", "w", format={".mp4": "mp4", ".mov": "mov"}.get(path.suffix, "matroska")) as out:
        stream = out.add_stream(codec, rate=pattern.fps)
        stream.height, stream.width = frames[0].shape[:2]
        odd = stream.height % 2 or stream.width % 2
        stream.pix_fmt = "yuv444p" if odd else "yuv420p"
        stream.options = {"crf": "10", "preset": "ultrafast"}
        stream.codec_context.sample_aspect_ratio = pattern.sample_aspect
        stream.codec_context.time_base = 1 / pattern.fps
        sound = _add_sound(out, pattern)
        for index, picture in zip(pattern.indices, frames, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = index, 1 / pattern.fps
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        for packet in sound:
            out.mux(packet)
    if pattern.rotation:  # ffmpeg counts against the clock
        ffmpeg("-display_rotation:v:0", -pattern.rotation % 360, "-i", plain, "-map", "0", "-c", "copy", path)
        plain.unlink()
    else:
        plain.replace(path)
    if mask is not None:
        write_masks(pattern, mask)


def coded(pattern: Pattern, picture: np.ndarray) -> np.ndarray:
    """What a file holds so that a player shows the picture: turned back and squeezed."""
    import cv2

    back = Orientation(-pattern.rotation % 360).apply(picture)
    if pattern.sample_aspect != 1:
        width = round(back.shape[1] / pattern.sample_aspect)
        back = cv2.resize(back, (width, back.shape[0]), interpolation=cv2.INTER_LINEAR)
    return back


def write_masks(pattern: Pattern, path: Path) -> None:
    """Masks on the clip's own time stamps, to the millisecond as Matroska keeps them."""
    masks = [pattern.mask_at(time) for time in pattern.times]
    if not pattern.drops:
        write_clip(path, iter(masks), float(pattern.fps), None, 0, MASK_SETTINGS)
        return
    with av.open(f"file:{path}", "w", format="matroska") as out:
        stream = out.add_stream("ffv1", rate=1000)
        stream.width, stream.height, stream.pix_fmt = pattern.width, pattern.height, "gray"
        stream.codec_context.time_base = Fraction(1, 1000)
        for time, picture in zip(pattern.times, masks, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="gray")
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def click(pattern: Pattern, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Quiet noise with a burst at the flash (or in the middle): [N] float32."""
    n = round(pattern.seconds * sample_rate)
    sound = np.random.default_rng(3).normal(0, 0.01, n)
    at = round((pattern.flash if pattern.flash is not None else pattern.seconds / 2) * sample_rate)
    sound[at : at + 800] += 0.7 * np.sin(np.arange(len(sound[at : at + 800])) * 0.3)
    return sound.astype(np.float32)


def _add_sound(out: av.container.OutputContainer, pattern: Pattern) -> list[av.Packet]:
    if pattern.sound is None:
        return []
    samples = click(pattern)
    channels = 1 if pattern.sound == "mono" else 2
    stream = out.add_stream("aac", rate=SAMPLE_RATE, layout=pattern.sound)
    stream.bit_rate = 96000
    frame = av.AudioFrame.from_ndarray(np.repeat(samples[None], channels, 0), format="fltp", layout=pattern.sound)
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, 0, Fraction(1, SAMPLE_RATE)
    fifo = av.AudioFifo()
    fifo.write(frame)
    packets = []
    while (block := fifo.read(1024)) is not None or (block := fifo.read(0, partial=True)) is not None:
        packets += stream.encode(block)
    return packets + stream.encode(None)
