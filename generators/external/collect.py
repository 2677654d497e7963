"""Find what a generator wrote, and judge it by decoding it; an exit code proves nothing."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.clip import sha256_file
from cmdfd.errors import JobError, MediaError
from cmdfd.media.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from generators.external.spec import ExternalSpec

#: What a result may be at most, whatever the take: generators work on short clips.
_LIMITS = Limits(max_seconds=600.0, max_bytes=4 << 30, max_file_bytes=4 << 30)
#: A sound below this is silent: -60 dB at its loudest.
_SILENT = 1e-3
_STATE = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Raw:
    """A generator's result as it is in its file.

    Args:
        sha256: Of the file; "" where there is none (sham).
        frames: [T, H, W, 3] uint8, or None where the file holds no picture that is wanted.
        times: [T] seconds on the file's clock.
        audio: [N] float32 at `sample_rate`, or None.
        sample_rate: Samples per second, as asked for.
        audio_start: Seconds on the file's clock at which the sound begins.
        file_rate: Samples per second in the file.
        size_bytes: Of the file.
    """

    sha256: str
    frames: NDArray[np.uint8] | None
    times: NDArray[np.float64]
    audio: NDArray[np.float32] | None
    sample_rate: int
    audio_start: float = 0.0
    file_rate: int = 0
    size_bytes: int = 0


def present(root: Path, pattern: str) -> dict[Path, _STATE]:
    """What an output pattern matches before the start: leftovers of the checkout, with their states."""
    return {path: _state(path) for path in root.glob(pattern)}


def _state(path: Path) -> _STATE:
    found = path.lstat()
    return (found.st_size, found.st_mtime_ns)


def find_output(spec: ExternalSpec, root: Path, before: Mapping[Path, _STATE]) -> Path:
    """The newest match of the output's pattern that was not there before.

    Args:
        spec: The generator.
        root: The shadow.
        before: Of `present`.

    Returns:
        A regular file that lies in the shadow.

    Raises:
        JobError: "output_missing" where there is none, or it is a link, a pipe or anything but a file.
    """
    matches = [path for path in root.glob(spec.output.path) if before.get(path) != _state(path)]
    if not matches:
        raise JobError("output_missing", spec.name, f"nothing new matches {spec.output.path!r}")
    path = max(matches, key=lambda one: (one.lstat().st_mtime_ns, one.name))
    name = path.relative_to(root).as_posix()
    inside = path.resolve().is_relative_to(root.resolve())
    if path.is_symlink() or not inside:
        raise JobError("output_missing", spec.name, f"{name} is a link, or leads out of the checkout")
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise JobError("output_missing", spec.name, f"{name} is not a regular file")
    return path


def decode_output(spec: ExternalSpec, path: Path, sample_rate: int) -> Raw:
    """Decode a result to its end.

    Args:
        spec: The generator.
        path: The file.
        sample_rate: Samples per second to decode its sound to.

    Raises:
        JobError: "output_corrupt" where it cannot be decoded, has no bytes, or lacks a stream that is promised.
    """
    from cmdfd.media.decode import read_audio, read_clip, read_video

    own = spec.output.sound == "own"
    frames, times = None, np.zeros(0, np.float64)
    audio = None
    try:
        if spec.output.picture and own:
            clip = read_clip(path, sample_rate=sample_rate, limits=_LIMITS)
            frames, times, audio = clip.video.frames, clip.video.times, clip.audio
        elif spec.output.picture:
            video = read_video(path, limits=_LIMITS)
            frames, times = video.frames, video.times
        else:
            audio = read_audio(path, sample_rate=sample_rate, limits=_LIMITS)
        file_rate = _file_rate(path) if audio is not None else 0
    except MediaError as error:
        raise JobError("output_corrupt", spec.name, f"{path.name}: {error.code}: {error.detail}") from error
    return Raw(
        sha256=sha256_file(path),
        frames=frames,
        times=times,
        audio=None if audio is None else audio.samples,
        sample_rate=sample_rate,
        audio_start=0.0 if audio is None else audio.start,
        file_rate=file_rate,
        size_bytes=path.stat().st_size,
    )


def _file_rate(path: Path) -> int:
    from cmdfd.media.decode import audio_stream
    from cmdfd.media.open import open_media

    with open_media(path, _LIMITS) as container:
        return int(audio_stream(path, container).codec_context.sample_rate)


def check_picture(spec: ExternalSpec, frames: NDArray[np.uint8], before: NDArray[np.uint8]) -> None:
    """Refuse pictures that show nothing, where the input showed something.

    Raises:
        JobError: "output_corrupt".
    """
    from generators.external.compare import is_blank

    if is_blank(frames) and not is_blank(before):
        raise JobError("output_corrupt", spec.name, "most of its pictures are black or of one colour")


def check_sound(spec: ExternalSpec, samples: NDArray[np.float32]) -> None:
    """Refuse sound that cannot be heard.

    Raises:
        JobError: "output_corrupt".
    """
    if not len(samples) or float(np.abs(samples).max()) < _SILENT:
        raise JobError("output_corrupt", spec.name, "its sound is silent inside the clip")
