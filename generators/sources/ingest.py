"""From a stranger's recording to takes: which spans of it can be used, and how one becomes a take.

A take shows one face from the shoulders up in a square picture at 25 frames per second with mono sound at 16 kHz.
The square is placed by the eyes' corners alone (`cmdfd.faces.crops`), once for the whole take, so that the camera
stands still.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.errors import MediaError
from cmdfd.faces.crops import TAKE_MARGIN, face_squares
from cmdfd.faces.linking import FaceRule, main_track
from cmdfd.faces.tracks import FaceTrack
from generators.generator import Take
from generators.sources.words_file import speech_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cmdfd.faces.backends import FaceBackend
    from cmdfd.media.decode import Audio, Frame, Video
    from cmdfd.media.probe import MediaInfo
    from generators.generator import Word

FPS = 25.0
SAMPLE_RATE = 16000
#: Longer side in pixels of the copy in which faces are sought. Every face of the real clips is found at this size.
DETECTION_SIDE = 640
#: Pictures this many seconds beyond the span are decoded too, for the nearest one to its ends (down to 4 fps).
SLACK = 0.25
#: Least height of a face in source pixels; MDS drops tracks whose faces are smaller on average.
MIN_FACE_PIXELS = 50


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a recording, in seconds of its container's clock."""

    start: float
    seconds: float

    @property
    def end(self) -> float:
        """Where it ends."""
        return self.start + self.seconds


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """How a span becomes a take.

    Args:
        size: Side of the square picture in pixels.
        min_seconds: Shortest take worth keeping.
        rule: What to do with several people.
    """

    size: int = 256
    min_seconds: float = 2.6
    rule: FaceRule = "single"


def usable_span(info: MediaInfo) -> Span:
    """The stretch in which a recording has both picture and sound, as its headers tell.

    Raises:
        MediaError: `no_video`, `no_audio` or `too_short` (no overlap, or no header tells a length).
    """
    if info.video is None:
        raise MediaError("no_video", info.path)
    if info.audio is None:
        raise MediaError("no_audio", info.path)
    ends = [stream.start + stream.duration for stream in (info.video, info.audio) if stream.duration is not None]
    start = max(info.video.start, info.audio.start)
    if len(ends) < 2 and info.duration is not None:
        ends.append(min(info.video.start, info.audio.start) + info.duration)
    if not ends:
        raise MediaError("too_short", info.path, "no header tells how long it is")
    if min(ends) <= start:
        raise MediaError("too_short", info.path, "picture and sound do not overlap")
    return Span(start, min(ends) - start)


def sound_seconds(info: MediaInfo) -> float:
    """Length of a recording's sound as its headers tell, infinite where none does; 0 without sound."""
    if info.audio is None:
        return 0.0
    length = info.audio.duration if info.audio.duration is not None else info.duration
    return math.inf if length is None else length


def cut(usable: Span, seconds: float, min_seconds: float, max_takes: int) -> tuple[Span, ...]:
    """Cut a stretch into takes of whole frames, one after the other from its start.

    Args:
        usable: The stretch.
        seconds: Length of a take.
        min_seconds: A stretch shorter than `seconds` but not than this gives one take.
        max_takes: Most takes of one recording.

    Returns:
        Spans that do not overlap; none where the stretch is too short.
    """
    whole = _whole_frames(seconds)
    n = min(int((usable.seconds + 1e-6) / whole), max_takes)
    if n:
        return tuple(Span(usable.start + k * whole, whole) for k in range(n))
    rest = _whole_frames(usable.seconds)
    return (Span(usable.start, rest),) if rest >= _whole_frames(min_seconds) else ()


def _whole_frames(seconds: float) -> float:
    return math.floor(seconds * FPS + 1e-6) / FPS


def ingest(path: Path, span: Span, backend: FaceBackend, settings: IngestSettings, words: Sequence[Word] = ()) -> Take:
    """Decode one span of a recording and cut it to its face.

    The file is read twice, small for the face and full for the picture, so that no more than one full frame is held
    at a time. A span that turns out to be shorter than its header told gives a shorter take.

    Args:
        path: The recording.
        span: What to take.
        backend: Finds the face.
        settings: See there.
        words: What is said in the recording, in seconds from the first sample of its sound.

    Raises:
        MediaError: `no_face`, `many_faces`, `too_short`, or whatever decoding ends with.
    """
    from cmdfd.media.decode import read_audio
    from cmdfd.media.grid import align_audio, to_constant_rate

    width, height = _display_size(path)
    audio = read_audio(path, sample_rate=SAMPLE_RATE)
    small = _small_video(path, span, width, height)
    span = _what_is_there(path, span, small, audio, settings.min_seconds)
    regular = to_constant_rate(small, FPS, start=span.start, end=span.end)
    track = main_track(backend.track(regular), path.name, settings.rule)
    square = _Square.around(path, track, width, height)
    frames = to_constant_rate(_square_video(path, span, square, settings.size), FPS, start=span.start, end=span.end)
    if len(frames.frames) != len(track.times):
        raise MediaError("decode_failed", path.name, "two passes over the file gave different pictures")
    sound = align_audio(audio, span.start, span.seconds)
    speech = speech_of(words, span.start - audio.start, span.seconds)
    return Take(frames.frames, FPS, sound, SAMPLE_RATE, square.inside(track), speech)


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """A span with its whole picture.

    Args:
        frames: [T, H, W, 3] uint8 RGB at `FPS`; the longer side is at most `DETECTION_SIDE`.
        audio: [N] float32 mono at `SAMPLE_RATE`.
    """

    frames: NDArray[np.uint8]
    audio: NDArray[np.float32]


def ingest_whole(path: Path, span: Span, settings: IngestSettings) -> Whole:
    """Decode one span of a recording without looking for a face in it.

    Args:
        path: The recording.
        span: What to take.
        settings: Only `min_seconds` counts.

    Raises:
        MediaError: `too_short`, or whatever decoding ends with.
    """
    from cmdfd.media.decode import read_audio
    from cmdfd.media.grid import align_audio, to_constant_rate

    audio = read_audio(path, sample_rate=SAMPLE_RATE)
    video = _small_video(path, span, *_display_size(path))
    span = _what_is_there(path, span, video, audio, settings.min_seconds)
    frames = to_constant_rate(video, FPS, start=span.start, end=span.end).frames
    return Whole(frames, align_audio(audio, span.start, span.seconds))


def _display_size(path: Path) -> tuple[int, int]:
    from cmdfd.media.probe import probe

    video = probe(path).video
    if video is None:
        raise MediaError("no_video", path.name)
    return video.width, video.height


def _frames(path: Path, span: Span, size: tuple[int, int] | None) -> Iterator[Frame]:
    """Pictures of a span and a little more; decoding stops behind it."""
    from cmdfd.media.decode import iter_frames

    for frame in iter_frames(path, size=size):
        if frame.time > span.end + SLACK:
            return
        if frame.time >= span.start - SLACK:
            yield frame


def _small_video(path: Path, span: Span, width: int, height: int) -> Video:
    from cmdfd.media.decode import Video

    scale = min(DETECTION_SIDE / max(width, height), 1.0)
    size = None if scale == 1 else (max(round(width * scale), 2), max(round(height * scale), 2))
    images, times = [], []
    for frame in _frames(path, span, size):
        images.append(frame.image)
        times.append(frame.time)
    if not images:
        raise MediaError("too_short", path.name, f"no picture between {span.start:.2f} and {span.end:.2f} s")
    return Video(np.stack(images), np.array(times, dtype=np.float64))


def _what_is_there(path: Path, span: Span, video: Video, audio: Audio, least: float) -> Span:
    """The part of a span that both streams really have."""
    step = float(np.median(np.diff(video.times))) if len(video.times) > 1 else 1 / FPS
    start = max(span.start, audio.start, float(video.times[0]))
    end = min(span.end, audio.start + len(audio.samples) / audio.sample_rate, float(video.times[-1]) + step)
    seconds = _whole_frames(end - start)
    if seconds < _whole_frames(least):
        raise MediaError("too_short", path.name, f"{max(seconds, 0):.2f} s of picture and sound, {least:g} are needed")
    return Span(start, seconds)


@dataclass(frozen=True, slots=True)
class _Square:
    """What is cut out of a picture: left, top and side in whole pixels of a picture of width x height."""

    left: int
    top: int
    side: int
    width: int
    height: int

    @classmethod
    def around(cls, path: Path, track: FaceTrack, width: int, height: int) -> _Square:
        """Place it by the take's median eyes."""
        x, y, side = np.median(face_squares(track, width, height, TAKE_MARGIN), axis=0)
        face = side / TAKE_MARGIN.half
        if face < MIN_FACE_PIXELS:
            raise MediaError("no_face", path.name, f"the face is {face:.0f} pixels high, {MIN_FACE_PIXELS} are needed")
        whole = round(float(side))
        return cls(round(float(x) - whole / 2), round(float(y) - whole / 2), whole, width, height)

    def inside(self, track: FaceTrack) -> FaceTrack:
        """The track in fractions of the square."""
        pixels = track.points.astype(np.float64) * (self.width, self.height)
        points = ((pixels - (self.left, self.top)) / self.side).astype(np.float32)
        return FaceTrack(track.times, points, track.found, track.backend)

    def cut(self, image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
        """Cut and scale; outside the picture its border is repeated."""
        import cv2

        height, width = image.shape[:2]
        right, bottom = self.left + self.side, self.top + self.side
        beyond = (max(-self.top, 0), max(bottom - height, 0), max(-self.left, 0), max(right - width, 0))
        rows = slice(min(max(self.top, 0), height - 1), min(max(bottom, 1), height))
        columns = slice(min(max(self.left, 0), width - 1), min(max(right, 1), width))
        part: NDArray[Any] = image[rows, columns]
        if any(beyond):
            part = cv2.copyMakeBorder(part, *beyond, cv2.BORDER_REPLICATE)
        how = cv2.INTER_AREA if self.side > size else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(part, (size, size), interpolation=how), np.uint8)


def _square_video(path: Path, span: Span, square: _Square, size: int) -> Video:
    from cmdfd.media.decode import Video

    images, times = [], []
    for frame in _frames(path, span, None):
        images.append(square.cut(frame.image, size))
        times.append(frame.time)
    if not images:
        raise MediaError("decode_failed", path.name, "the second pass over the file gave no picture")
    return Video(np.stack(images), np.array(times, dtype=np.float64))
