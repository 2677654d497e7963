"""Sending a clip through a chain of platforms, with its mask and its face track."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmdfd.errors import JobError, MediaError
from cmdfd.faces.tracks import load_track, save_track
from cmdfd.media.decode import read_audio
from cmdfd.media.encode import atomic_path
from cmdfd.media.ffmpeg import FfmpegError, find_ffmpeg, local, program_version, run_graph
from generators.social.carry import carry_mask, carry_track, output_places, shown_frames
from generators.social.chain import Chain, resolve_chain
from generators.social.check import meets
from generators.social.graph import Target, build_graph, target_of
from generators.social.source import Source, read_source

if TYPE_CHECKING:
    from cmdfd.faces.tracks import FaceTrack
    from generators.social.schema import Profile

__all__ = ["Chain", "Transmitted", "resolve_chain", "transmit"]

#: A program that takes longer has stopped: 720p at preset medium takes up to 4 s per second on one slow core.
_BASE_TIMEOUT, _TIMEOUT_PER_SECOND = 120.0, 60.0
#: Less of the picture than this means that the program stopped reading.
_MIN_COVERAGE = 0.9


@dataclass(frozen=True, slots=True)
class Transmitted:
    """A clip as the last platform of a chain leaves it.

    Args:
        width, height: Pixels.
        fps: Frames per second.
        n_frames: Number of frames.
        sample_rate: Samples per second; 0 without sound.
        n_samples: Number of samples; 0 without sound.
        details: JSON-able: `chain`, `address`, `ffmpeg`, and for each of `steps` the profile, its confidence, the
            command without folders, and what of the profile the result does not meet.
    """

    width: int
    height: int
    fps: float
    n_frames: int
    sample_rate: int
    n_samples: int
    details: dict[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class _Files:
    """A clip on its way: video, mask, track."""

    video: Path
    mask: Path | None
    track: FaceTrack | None


def transmit(
    chain: Chain,
    source: Path,
    out: Path,
    *,
    mask: Path | None = None,
    mask_out: Path | None = None,
    track: Path | None = None,
    track_out: Path | None = None,
) -> Transmitted:
    """Send one clip.

    A clip without sound stays silent, as platforms leave it. The first frame comes to time 0 and the sound moves with
    it: what sounded before is cut, what begins later is preceded by silence.

    Args:
        chain: What it passes.
        source: File from anybody; any name, any container that `cmdfd.media` opens.
        out: File to write (MP4); its folder exists.
        mask: Its mask: grey, of the displayed size, one frame for each frame.
        mask_out: Where the mask of the result goes (FFV1 in Matroska); with `mask` only.
        track: Its face track (`cmdfd.faces.tracks`).
        track_out: Where the track of the result goes; with `track` only.

    Returns:
        What came out.

    Raises:
        MediaError: If the source or its mask cannot be used; nothing is written.
        JobError: If the program is missing ("env_missing"), takes too long ("timeout"), fails ("crashed") or writes
            something else than asked for ("output_corrupt"); nothing is written.
        ValueError: If a mask or track comes without a place to go to, or the reverse.
    """
    if (mask is None) != (mask_out is None) or (track is None) != (track_out is None):
        raise ValueError("a mask needs mask_out and a track needs track_out, and the reverse")
    outputs = [path for path in (out, mask_out, track_out) if path is not None]
    _check_places([path for path in (source, mask, track) if path is not None], outputs)
    steps: list[dict[str, Any]] = []
    with ExitStack() as stack:
        # Entered first, so left last: the files appear together, when all of them are whole.
        temporary = [stack.enter_context(atomic_path(path)) for path in outputs]
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".tmp-", dir=Path(out).parent)))
        here = _Files(Path(source), mask, None if track is None else _load(track))
        seen = read_source(here.video)
        for number, profile in enumerate(chain.profiles):
            there = _Files(folder / f"{number}.mp4", folder / f"{number}.mkv" if mask is not None else None, None)
            seen, here = _send(profile, seen, here, there, steps)
        result = _described(chain, here, seen, steps)
        _hand_over(here, dict(zip(outputs, temporary, strict=True)), mask_out, track_out)
    return result


def _check_places(inputs: list[Path], outputs: list[Path]) -> None:
    named = [Path(path).absolute().resolve() for path in outputs]
    if len(set(named)) != len(named):
        raise ValueError("two of the files to write have the same name")
    for path in outputs:
        if Path(path).is_dir() or not Path(path).parent.is_dir():
            raise ValueError(f"{str(path)!r} is a folder, or its folder is not there: name a file in one that is")
    for path in inputs:
        if Path(path).absolute().resolve() in named:
            raise ValueError(f"{str(path)!r} would be overwritten by what is made of it: name another place")


def _load(track: Path) -> FaceTrack:
    try:
        return load_track(track)
    except ValueError as error:
        raise MediaError("unsupported", track, str(error)) from error


def _send(
    profile: Profile, source: Source, here: _Files, there: _Files, steps: list[dict[str, Any]]
) -> tuple[Source, _Files]:
    """One platform; notes what was done and returns the look at the new video, and its files."""
    target = target_of(profile, source)
    graph = build_graph(profile, source, target, there.video)
    _run(profile, graph, source)
    if not there.video.is_file() or not there.video.stat().st_size:
        raise JobError("output_missing", f"social/{profile.name}")
    made = read_source(there.video)
    _check(profile, source, target, made)
    n = len(made.ticks)
    shown = shown_frames(source.ticks, source.time_base, target.rate, n)
    if here.mask is not None and there.mask is not None:
        carry_mask(here.mask, there.mask, source, target, shown)
    track = None if here.track is None else carry_track(here.track, source, target, shown)
    steps.append(
        {
            "profile": profile.name,
            "confidence": profile.confidence,
            "command": _command(graph, source.path, there.video),
            "deviations": [str(each) for each in meets(profile, there.video)],
        }
    )
    return made, _Files(there.video, there.mask, track)


def _run(profile: Profile, graph: Any, source: Source) -> None:
    job = f"social/{profile.name}"
    try:
        program = find_ffmpeg()
    except FfmpegError as error:
        raise JobError("env_missing", job, str(error)) from error
    try:
        run_graph(graph, timeout=_BASE_TIMEOUT + _TIMEOUT_PER_SECOND * source.seconds, program=program)
    except FfmpegError as error:
        late = isinstance(error.__cause__, subprocess.TimeoutExpired)
        raise JobError("timeout" if late else "crashed", job, _without_folders(str(error), source.path)) from error


def _without_folders(text: str, path: Path) -> str:
    return text.replace(local(path), "SOURCE").replace(str(Path(path).absolute().parent), "...")


def _check(profile: Profile, source: Source, target: Target, made: Source) -> None:
    """Hold the program to what was asked of it."""
    job = f"social/{profile.name}"
    least = output_places(source.ticks, source.time_base, target.rate)[-1]
    n = len(made.ticks)
    if n < _MIN_COVERAGE * least:
        raise MediaError("decode_failed", source.path, f"{n} of {least + 1} frames could be decoded")
    if (made.width, made.height) != (target.width, target.height):
        detail = f"{made.width}x{made.height} instead of {target.width}x{target.height}"
        raise JobError("output_corrupt", job, detail)
    late = max(abs(time - k / float(target.rate)) for k, time in enumerate(made.times))
    if made.first != 0 or late > 1e-3:
        raise JobError("output_corrupt", job, f"frames lie up to {late:.4f} s beside their time, from {made.first}")
    # one frame more or less, of the source or of the result, is the length of the last frame, which few files tell
    most = least + 2 + int(2 * target.rate / source.rate)
    if n > most:
        raise JobError("output_corrupt", job, f"{n} frames, at most {most} were due")


def _command(graph: Any, source: Path, out: Path) -> str:
    """The command line, without folders of this machine."""
    names = {local(source): "SOURCE", local(out): "OUT"}
    return shlex.join(names.get(str(part), str(part)) for part in graph.compile(cmd="ffmpeg"))


def _described(chain: Chain, files: _Files, made: Source, steps: list[dict[str, Any]]) -> Transmitted:
    rate = samples = 0
    if made.sound is not None:
        rate = made.sound.sample_rate
        samples = len(read_audio(files.video, sample_rate=rate).samples)
    return Transmitted(
        width=made.width,
        height=made.height,
        fps=float(made.rate),
        n_frames=len(made.ticks),
        sample_rate=rate,
        n_samples=samples,
        details={
            "chain": chain.name,
            "address": chain.address,
            "ffmpeg": program_version(),
            "steps": steps,
        },
    )


def _hand_over(files: _Files, places: dict[Path, Path], mask_out: Path | None, track_out: Path | None) -> None:
    """Move everything to names beside its place; the renaming follows at once for all."""
    video, *_ = places.values()
    files.video.replace(video)
    if mask_out is not None and files.mask is not None:
        _into(files.mask, places[mask_out])
    if track_out is not None and files.track is not None:
        save_track(places[track_out], files.track)


def _into(path: Path, place: Path) -> None:
    import shutil

    shutil.move(path, place)  # the mask may lie on another file system than the video
