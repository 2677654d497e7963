"""From a job in memory to the files that a generator wants."""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from cmdfd.errors import JobError
from generators.external.shadow import real_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from generators.external.spec import ExternalSpec, PictureInput, SoundInput, TextInput
    from generators.generator import Job, Take

#: Noise behind the end of a sound: -70 dB, which no mel spectrum takes for silence and no ear hears.
QUIET = 10 ** (-70 / 20)
#: A sound below this (-80 dB) is silent.
SILENT = 1e-4
#: A mouth counts as closed below this share of the take's openings.
_CLOSED = 0.2
_JPEG_QUALITY = 97


@dataclass(frozen=True, slots=True)
class Box:
    """The part of a take's picture that is staged, in pixels of the take."""

    x: int
    y: int
    width: int
    height: int

    def cut(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """That part of pictures [..., H, W, 3]."""
        return frames[..., self.y : self.y + self.height, self.x : self.x + self.width, :]


@dataclass(frozen=True, slots=True, eq=False)
class Staged:
    """What was staged.

    Args:
        words: Values of the placeholders of inputs: paths relative to `run.cwd`, or text.
        hashes: SHA-256 of every staged file, and of text, by input.
        box: Where the staged face lies in the target's picture.
        size: Width and height of the staged face, (0, 0) without one.
        still: Frame of the target that was staged as an image, None for a video.
        driving: [N] float32, the driving sound at the take's rate, as long as the take's.
        notes: For the record.
    """

    words: Mapping[str, str]
    hashes: Mapping[str, str]
    box: Box
    size: tuple[int, int]
    still: int | None
    driving: NDArray[np.float32]
    notes: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Blob:
    """One input in memory: bytes of a file with its suffix, or text."""

    data: bytes
    suffix: str = ""
    folder: str = ""


@dataclass(eq=False, slots=True)
class Inputs:
    """All inputs of a job in memory, before they are written: their hashes decide the job's address."""

    spec: ExternalSpec
    job: Job
    blobs: dict[str, _Blob] = field(default_factory=dict)
    notes: list[dict[str, Any]] = field(default_factory=list)
    box: Box = Box(0, 0, 0, 0)
    size: tuple[int, int] = (0, 0)
    still: int | None = None
    driving: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of every input."""
        from hashlib import sha256

        return {name: sha256(blob.data).hexdigest() for name, blob in sorted(self.blobs.items())}

    def write(self, root: Path) -> Staged:
        """Write the files into a shadow."""
        hashes, words = self.hashes, {}
        for name, blob in self.blobs.items():
            if not blob.suffix:
                words[name] = blob.data.decode("utf-8")
                continue
            folder = PurePosixPath(blob.folder)
            file = f"in_{hashes[name][:16]}.{blob.suffix}"
            words["text_file" if name == "text" else name] = str(folder / file)
            (real_folder(root, PurePosixPath(self.spec.run.cwd) / folder) / file).write_bytes(blob.data)
        return Staged(words, hashes, self.box, self.size, self.still, self.driving, tuple(self.notes))


def prepare(spec: ExternalSpec, job: Job, scratch: Path) -> Inputs:
    """Make all inputs of a job.

    Args:
        spec: The generator.
        job: The job; its takes are not changed.
        scratch: An existing folder for a moment's files.

    Returns:
        The inputs in memory.

    Raises:
        JobError: "input_unsupported" where the take lacks what is needed, "audio_invalid" where a sound is silent or
            not finite.
    """
    made = Inputs(spec, job)
    _check(spec, job)
    wanted = spec.inputs
    _driving(made)
    if wanted.face is not None:
        _face(made, wanted.face, scratch)
    for name in ("source_face", "driving"):
        picture = getattr(wanted, name)
        if picture is not None:
            made.blobs[name] = _picture(made, _donor(spec, job), picture, scratch, job.start)[0]
    if wanted.audio is not None:
        owner = spec.audio_of
        take = job.take if owner == "target" or job.donor is None else job.donor
        made.blobs["audio"] = _sound(made, take, wanted.audio)
    if wanted.reference is not None:
        made.blobs["reference"] = _sound(made, _donor(spec, job), wanted.reference)
    _texts(made)
    return made


def _refuse(spec: ExternalSpec, code: str, detail: str) -> JobError:
    return JobError(code, spec.name, detail)


def _donor(spec: ExternalSpec, job: Job) -> Take:
    if job.donor is None:
        raise _refuse(spec, "input_unsupported", "there is no other take of this person and no partner")
    return job.donor


def _check(spec: ExternalSpec, job: Job) -> None:
    run = spec.run
    if not run.min_seconds <= job.take.duration <= run.max_seconds:
        wanted = f"{run.min_seconds:g} to {run.max_seconds:g} s"
        raise _refuse(spec, "input_unsupported", f"the take has {job.take.duration:.2f} s, it takes {wanted}")


def checked_sound(spec: ExternalSpec, samples: NDArray[np.float32], what: str) -> NDArray[np.float32]:
    """Samples that can be heard.

    Raises:
        JobError: "audio_invalid" where they are silent or not finite.
    """
    if not np.isfinite(samples).all():
        raise _refuse(spec, "audio_invalid", f"{what} is not finite")
    if not len(samples) or float(np.abs(samples).max()) < SILENT:
        raise _refuse(spec, "audio_invalid", f"{what} is silent")
    return samples


def _driving(made: Inputs) -> None:
    """The sound that the result shall have where `output.sound` is "driving"."""
    from cmdfd.media.sound_encode import resample

    spec, job = made.spec, made.job
    take = job.take
    donor = job.donor if spec.sounds_like_donor else None
    if donor is None or donor is take:
        made.driving = take.audio
        return
    samples = resample(donor.audio, donor.sample_rate, take.sample_rate)
    if len(samples) < round((job.start + job.seconds) * take.sample_rate):
        raise _refuse(spec, "input_unsupported", "the donor's sound ends before the clip does")
    made.driving = extended(samples, len(take.audio))


def extended(samples: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """The first `n` samples; what is missing is very quiet noise, the same at every run."""
    short = n - len(samples)
    if short <= 0:
        return samples[:n]
    noise = np.random.default_rng(len(samples)).standard_normal(short).astype(np.float32)
    return np.concatenate([samples, np.float32(QUIET) * noise])


def _sound(made: Inputs, take: Take, wanted: SoundInput) -> _Blob:
    from cmdfd.media.sound_encode import resample

    checked_sound(made.spec, take.audio, "the sound to stage")
    # only the target's length counts: a donor's sound is staged for the target's picture
    whole = wanted.max_seconds is not None or wanted is made.spec.inputs.reference
    seconds = len(take.audio) / take.sample_rate if whole else made.job.take.duration + wanted.pad_seconds
    n = round(seconds * take.sample_rate)
    samples = extended(take.audio, n)
    if wanted.max_seconds is not None:
        samples = _loudest(samples, round(wanted.max_seconds * take.sample_rate))
    samples = resample(samples, take.sample_rate, wanted.sample_rate)
    made.notes.append({"step": "stage sound", "sample_rate": wanted.sample_rate, "samples": len(samples)})
    return _Blob(wav_bytes(samples, wanted.sample_rate, dither=wanted.dither), "wav", wanted.folder)


def _loudest(samples: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    if len(samples) <= n:
        return samples
    power = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    start = int(np.argmax(power[n:] - power[:-n]))
    return samples[start : start + n]


def wav_bytes(samples: NDArray[np.float32], sample_rate: int, *, dither: bool) -> bytes:
    """A mono 16-bit wav.

    Args:
        samples: [N] float32.
        sample_rate: Samples per second.
        dither: Whether zeros become -1, 0 or 1, the same at every run: a mel spectrum of digital silence is not
            finite.
    """
    whole = np.clip(np.rint(samples.astype(np.float64) * 32767), -32768, 32767).astype("<i2")
    if dither:
        noise = np.random.default_rng(len(whole)).integers(-1, 2, len(whole)).astype("<i2")
        whole = np.where(whole == 0, noise, whole)
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(whole.tobytes())
    return stream.getvalue()


def _face(made: Inputs, wanted: PictureInput, scratch: Path) -> None:
    take, job = made.job.take, made.job
    made.box = box_of(take, square=wanted.square)
    blob, size, still = _picture(made, take, wanted, scratch, job.start)
    made.blobs["face"], made.size, made.still = blob, size, still


def box_of(take: Take, *, square: bool) -> Box:
    """The part of a take that is staged: all of it, or the largest square with the face in its middle; even sizes."""
    height, width = take.frames.shape[1:3]
    if not square:
        return Box(0, 0, width - width % 2, height - height % 2)
    side = min(width, height) - min(width, height) % 2
    x, y = width / 2, height / 2
    if take.track is not None and take.track.found.any():
        from cmdfd.faces.tracks import RIGID

        middle = np.median(take.track.points[:, list(RIGID)], axis=(0, 1))
        x, y = float(middle[0]) * width, float(middle[1]) * height
    left = int(np.clip(round(x - side / 2), 0, width - side))
    top = int(np.clip(round(y - side / 2), 0, height - side))
    return Box(left, top, side, side)


def staged_frames(
    take: Take, wanted: PictureInput, box: Box, *, rate: bool = True
) -> tuple[NDArray[np.uint8], float]:  # fmt: skip
    """A take's pictures as they are staged: cut, scaled, padded; and their frame rate."""
    frames = box.cut(take.frames)
    if wanted.size is not None:
        frames = scaled(frames, _scaled_size(box, wanted.size))
    if not rate:
        return frames, take.fps
    pad = round(wanted.pad_seconds * take.fps)
    if pad:
        # runs backwards from the end: the movement goes on without a jump
        back = frames[-2 : -2 - pad : -1] if len(frames) > 1 else frames
        missing = pad - len(back)
        frames = np.concatenate([frames, back, *([np.repeat(back[-1:], missing, 0)] if missing > 0 else [])])
    fps = wanted.fps or take.fps
    if abs(fps - take.fps) > 1e-6:
        from cmdfd.media.grid import nearest_frames

        n = int(np.floor(len(frames) / take.fps * fps + 0.5))
        frames = frames[nearest_frames(np.arange(len(frames)) / take.fps, np.arange(n) / fps)]
    return frames, fps


def _scaled_size(box: Box, shorter: int) -> tuple[int, int]:
    factor = shorter / min(box.width, box.height)
    return (2 * round(box.width * factor / 2), 2 * round(box.height * factor / 2))


def scaled(frames: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Pictures [T, H, W, 3] in another size (width, height): area means where smaller, cubic where larger."""
    height, width = frames.shape[1:3]
    if (width, height) == size:
        return frames
    method = cv2.INTER_AREA if size[0] < width else cv2.INTER_CUBIC
    return np.stack([cv2.resize(np.ascontiguousarray(one), size, interpolation=method) for one in frames])


def _picture(
    made: Inputs, take: Take, wanted: PictureInput, scratch: Path, start: float
) -> tuple[_Blob, tuple[int, int], int | None]:
    box = box_of(take, square=wanted.square)
    note = {"step": "stage picture", "kind": wanted.kind, "box": [box.x, box.y, box.width, box.height]}
    if wanted.kind == "image":
        still = still_index(take, start, closed=wanted.frame == "closed")
        one = replace(take, frames=take.frames[still : still + 1], track=None)
        frames, _ = staged_frames(one, wanted, box, rate=False)
        data = _image_bytes(frames[0], wanted.container)
        made.notes.append({**note, "frame": still, "size": list(frames.shape[2:0:-1])})
        return _Blob(data, wanted.container, wanted.folder), (frames.shape[2], frames.shape[1]), still
    frames, fps = staged_frames(take, wanted, box)
    data = video_bytes(frames, fps, take, wanted, scratch)
    made.notes.append({**note, "fps": fps, "frames": len(frames), "size": list(frames.shape[2:0:-1])})
    return _Blob(data, wanted.container, wanted.folder), (frames.shape[2], frames.shape[1]), None


def still_index(take: Take, start: float, *, closed: bool) -> int:
    """The frame that stands for a take: the one at `start`, or the nearest to it whose lips are closed."""
    first = min(round(start * take.fps), len(take.frames) - 1)
    if not closed or take.track is None:
        return first
    from generators.video.face_frame import opening

    height, width = take.frames.shape[1:3]
    openings = opening(take.track.at(np.arange(len(take.frames)) / take.fps), width / height)
    low, high = np.percentile(openings, [0, 100])
    candidates = np.flatnonzero(openings <= low + _CLOSED * (high - low))
    return int(candidates[np.argmin(np.abs(candidates - first))])


def _image_bytes(image: NDArray[np.uint8], container: str) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if container == "jpg" else []
    done, data = cv2.imencode(f".{container}", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise RuntimeError(f"OpenCV does not write {container}")
    return data.tobytes()


def video_bytes(frames: NDArray[np.uint8], fps: float, take: Take, wanted: PictureInput, scratch: Path) -> bytes:
    """A staged video as a file's bytes, with the take's sound where it is wanted."""
    from generators.external.plain_encode import STAGING, write_plain

    seconds = len(frames) / fps
    sound = extended(take.audio, round(seconds * take.sample_rate)) if wanted.sound else None
    path = scratch / "staged"
    write_plain(path, frames, fps, sound, take.sample_rate, STAGING[wanted.container])
    data = path.read_bytes()
    path.unlink()
    return data


def _texts(made: Inputs) -> None:
    spec, job = made.spec, made.job
    pairs: list[tuple[str, TextInput | None, Take | None]] = [
        ("text", spec.inputs.text, job.take),
        ("reference_text", spec.inputs.reference_text, job.donor),
    ]
    for name, wanted, take in pairs:
        if wanted is None:
            continue
        words = " ".join(take.speech.text.split()).lstrip("-") if take is not None and take.speech is not None else ""
        if not words:
            raise _refuse(spec, "input_unsupported", "the words of the take are not known")
        as_file = wanted.form == "file"
        data = (words + ("\n" if as_file else "")).encode("utf-8")
        made.blobs[name] = _Blob(data, "txt" if as_file else "", wanted.folder)
