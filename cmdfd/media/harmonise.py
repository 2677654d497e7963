"""The one stage that real and forged clips pass alike before they are written.

Constant frame rate, one canvas, one sample rate, no offset, one loudness, and a common end of picture and sound on
one clock. What differs between classes afterwards is only what a generator did.

Frames are picked by the nearest time, scaled with their aspect kept and set on a black canvas; masks and track pass
the same picks and the same affine map. Sound is resampled by one resampler, freed of its mean and brought to one
loudness.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.errors import MediaError
from cmdfd.media.decode import Audio
from cmdfd.media.grid import align_audio, frame_count, nearest_frames, sample_count
from cmdfd.media.loudness import normalise_loudness
from cmdfd.media.settings import EncoderSettings, SettingsError, check_fields, check_range
from cmdfd.media.sound_encode import resample

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from cmdfd.faces.tracks import FaceTrack

#: A take may end this much earlier than the window (seconds) and its last frame is held: the rounding of one frame
#: period and one sample, not a lack of material.
TOLERANCE_SECONDS = 1e-3
#: Sound on either side of the window that the resampler sees, so that it has no edge inside (seconds).
_MARGIN_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class HarmoniseSettings:
    """Form of every clip of a data set.

    Args:
        fps: Frames per second; 25 is what the detectors of the field expect.
        width: Pixels of the canvas, even.
        height: Pixels of the canvas, even.
        sample_rate: Samples per second.
        seconds: Length of a clip.
        lufs: Loudness, -23 by EBU R 128.
        crf: Lowest and highest quality that is drawn per clip, both included, of x264.
        preset: x264's.
        gop: Most frames between key frames.
        audio_bit_rate: Bits per second of AAC.
        container: "mp4" or "mov".
    """

    fps: float = 25.0
    width: int = 224
    height: int = 224
    sample_rate: int = 16000
    seconds: float = 3.0
    lufs: float = -23.0
    crf: tuple[int, int] = (23, 29)
    preset: str = "veryfast"
    gop: int = 25
    audio_bit_rate: int = 64000
    container: str = "mp4"

    def __post_init__(self) -> None:
        check_range("harmonise.fps", self.fps, 1, 240, whole=False)
        for name in ("width", "height"):
            check_range(f"harmonise.{name}", getattr(self, name), 16, 4096)
            if getattr(self, name) % 2:
                raise SettingsError(f"harmonise.{name}: must be even, got {getattr(self, name)}")
        check_range("harmonise.sample_rate", self.sample_rate, 8000, 96000)
        check_range("harmonise.seconds", self.seconds, 0.1, 600, whole=False)
        check_range("harmonise.lufs", self.lufs, -70, 0, whole=False)
        if not isinstance(self.crf, tuple) or len(self.crf) != 2:
            raise SettingsError(f"harmonise.crf: must be two numbers [lowest, highest], got {self.crf!r}")
        for value in self.crf:
            check_range("harmonise.crf", value, 0, 51)
        if self.crf[0] > self.crf[1]:
            raise SettingsError(f"harmonise.crf: the lowest stands first, got {list(self.crf)}")
        settings_for(self, self.crf[0])

    @property
    def n_frames(self) -> int:
        """Frames of every clip."""
        return frame_count(self.seconds, self.fps)

    @property
    def n_samples(self) -> int:
        """Samples of every clip."""
        return sample_count(self.seconds, self.sample_rate)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields."""
        return asdict(self) | {"crf": list(self.crf)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> HarmoniseSettings:
        """Read the fields back; those that are absent have their defaults.

        Raises:
            SettingsError: If a field is unknown or out of range; the text names it and the nearest right one.
        """
        check_fields("harmonise", cls, data)
        values = dict(data)
        if isinstance(values.get("crf"), list):
            values["crf"] = tuple(values["crf"])
        return cls(**values)


def settings_for(settings: HarmoniseSettings, crf: int) -> EncoderSettings:
    """Encoder settings of one clip.

    Args:
        settings: Form of the data set.
        crf: Drawn from `settings.crf`.

    Returns:
        Settings for `cmdfd.media.encode.write_clip`.

    Raises:
        SettingsError: If `crf` lies outside the range.
    """
    check_range("crf", crf, *settings.crf)
    return EncoderSettings(
        container=settings.container,
        crf=crf,
        preset=settings.preset,
        gop=settings.gop,
        audio_bit_rate=settings.audio_bit_rate,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Harmonised:
    """A clip in memory, ready to be written.

    Args:
        frames: [T, H, W, 3] uint8 RGB, T = round(seconds * fps).
        audio: [N] float32 mono, N = round(seconds * sample_rate).
        fps: Frames per second.
        sample_rate: Samples per second.
        masks: [T, H, W] uint8, soft edges kept, or None.
        track: Face points at the T frames, or None.
    """

    frames: NDArray[np.uint8]
    audio: NDArray[np.float32]
    fps: float
    sample_rate: int
    masks: NDArray[np.uint8] | None = None
    track: FaceTrack | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a picture lies on the canvas: scaled evenly to `width` x `height`, its corner at (`left`, `top`)."""

    width: int
    height: int
    left: int
    top: int
    canvas_width: int
    canvas_height: int

    @classmethod
    def fit(cls, width: int, height: int, canvas_width: int, canvas_height: int) -> Placement:
        """Largest size of the same shape that fits, in the middle."""
        scale = min(canvas_width / width, canvas_height / height)
        inner_width = min(canvas_width, max(1, round(width * scale)))
        inner_height = min(canvas_height, max(1, round(height * scale)))
        left, top = (canvas_width - inner_width) // 2, (canvas_height - inner_height) // 2
        return cls(inner_width, inner_height, left, top, canvas_width, canvas_height)

    def apply(self, images: NDArray[np.uint8], chosen: NDArray[np.intp]) -> NDArray[np.uint8]:
        """Scale the chosen images onto black canvases.

        Args:
            images: [T, H, W, 3] or [T, H, W] uint8.
            chosen: [K] indices.

        Returns:
            [K, canvas_height, canvas_width(, 3)] uint8.
        """
        out = np.zeros((len(chosen), self.canvas_height, self.canvas_width, *images.shape[3:]), np.uint8)
        inner = out[:, self.top : self.top + self.height, self.left : self.left + self.width]
        if images.shape[1:3] == (self.height, self.width):
            inner[:] = images[chosen]
            return out
        import cv2

        # One rule for all: the mean over the area where a picture shrinks, bilinear where it grows.
        method = cv2.INTER_AREA if self.height < images.shape[1] else cv2.INTER_LINEAR
        for k, index in enumerate(chosen):
            if k and index == chosen[k - 1]:
                inner[k] = inner[k - 1]
            else:
                inner[k] = cv2.resize(images[index], (self.width, self.height), interpolation=method)
        return out

    def place(self, track: FaceTrack) -> FaceTrack:
        """Move the points of a track (fractions of the picture) to fractions of the canvas."""
        from cmdfd.faces.tracks import FaceTrack

        scale = np.array([self.width / self.canvas_width, self.height / self.canvas_height], np.float32)
        shift = np.array([self.left / self.canvas_width, self.top / self.canvas_height], np.float32)
        return FaceTrack(track.times, track.points * scale + shift, track.found, track.backend)


def harmonise(
    take_frames: NDArray[np.uint8],
    fps: float,
    audio: NDArray[np.float32],
    sample_rate: int,
    *,
    start: float,
    settings: HarmoniseSettings,
    masks: NDArray[np.uint8] | None = None,
    track: FaceTrack | None = None,
) -> Harmonised:
    """Bring a window of a take into the form of the data set; see the module for the steps.

    Args:
        take_frames: [T, H, W, 3] uint8 RGB; frame 0 is seen at time 0.
        fps: Frames per second of the take.
        audio: [N] float32 mono; sample 0 is heard at time 0.
        sample_rate: Samples per second of the take.
        start: Seconds at which the clip begins inside the take, >= 0.
        settings: Form to come to.
        masks: [T, H, W] uint8, or None; scaled like the picture, so that edges are as soft as its.
        track: Face points on the take's clock, or None.

    Returns:
        Exactly `settings.n_frames` frames and `settings.n_samples` samples.

    Raises:
        MediaError: "too_short" where the window leaves the take.
        ValueError: If the arrays do not fit each other.
    """
    _check_take(take_frames, fps, audio, sample_rate, start, masks)
    _check_window(len(take_frames) / fps, len(audio) / sample_rate, start, settings.seconds)
    times = np.arange(settings.n_frames) / settings.fps
    chosen = nearest_frames(np.arange(len(take_frames)) / fps, times + start)
    canvas = Placement.fit(take_frames.shape[2], take_frames.shape[1], settings.width, settings.height)
    sound = _harmonise_audio(audio, sample_rate, start, settings)
    placed = None if masks is None else canvas.apply(masks, chosen)
    points = None if track is None else canvas.place(track.window(start, times))
    return Harmonised(canvas.apply(take_frames, chosen), sound, settings.fps, settings.sample_rate, placed, points)


def _check_take(
    frames: NDArray[np.uint8],
    fps: float,
    audio: NDArray[np.float32],
    sample_rate: int,
    start: float,
    masks: NDArray[np.uint8] | None,
) -> None:
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8 or not frames.size:
        raise ValueError(f"take_frames must be uint8 [T, H, W, 3], got {frames.dtype} {frames.shape}")
    if audio.ndim != 1:
        raise ValueError(f"audio must be mono [N], got {audio.shape}")
    if masks is not None and (masks.shape != frames.shape[:3] or masks.dtype != np.uint8):
        raise ValueError(f"masks must be uint8 {frames.shape[:3]}, got {masks.dtype} {masks.shape}")
    if not (fps > 0 and sample_rate > 0 and np.isfinite(start) and start >= 0):
        raise ValueError(f"fps, sample_rate and start must not be negative: {fps}, {sample_rate}, {start}")


def _check_window(picture: float, sound: float, start: float, seconds: float) -> None:
    end = start + seconds - TOLERANCE_SECONDS
    for name, length in (("picture", picture), ("sound", sound)):
        if end > length:
            detail = f"the {name} lasts {length:.3f} s, the clip needs {start:.3f} to {start + seconds:.3f} s"
            raise MediaError("too_short", "take", detail)


def _harmonise_audio(
    audio: NDArray[np.float32], sample_rate: int, start: float, settings: HarmoniseSettings
) -> NDArray[np.float32]:
    if sample_rate == settings.sample_rate:
        sound = Audio(audio, sample_rate, 0.0)
    else:
        first = max(0, sample_count(start - _MARGIN_SECONDS, sample_rate))
        last = sample_count(start + settings.seconds + _MARGIN_SECONDS, sample_rate)
        part = resample(audio[first:last], sample_rate, settings.sample_rate)
        sound = Audio(part, settings.sample_rate, first / sample_rate)
    window = align_audio(sound, start, settings.seconds)
    return normalise_loudness(window, settings.sample_rate, settings.lufs)
