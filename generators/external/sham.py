"""What an external generator's files do to a take besides forging it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from generators.external.collect import Raw
from generators.external.normalise import Normaliser
from generators.external.plain_encode import CONTAINER_OF, STAGING, Coding, write_plain
from generators.external.stage import Box, Staged, box_of, scaled, staged_frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from generators.external.spec import ExternalSpec
    from generators.generator import Job, Take


def sham_pass(spec: ExternalSpec, job: Job) -> tuple[Take, list[dict[str, object]]]:
    """Send a genuine take through a generator's staging, its writer's coding and the normalisation.

    Args:
        spec: The generator.
        job: The job.

    Returns:
        The take, and the steps for the record.
    """
    from dataclasses import replace

    from generators.external.place import scratch_prefix, scratch_root

    with tempfile.TemporaryDirectory(prefix=scratch_prefix("sham"), dir=scratch_root()) as scratch:
        frames, steps = _picture(spec, job, Path(scratch))
        audio = _sound(spec, job.take, Path(scratch))
    return replace(job.take, frames=frames, audio=audio), steps


def _picture(spec: ExternalSpec, job: Job, scratch: Path) -> tuple[NDArray[np.uint8], list[dict[str, object]]]:
    from cmdfd.media.decode import read_video

    wanted, take = spec.inputs.face, job.take
    if wanted is None or not spec.output.picture:
        return take.frames, []
    box = box_of(take, square=wanted.square)
    frames, fps = staged_frames(take, wanted, box, rate=wanted.kind == "video")
    codings = [STAGING[wanted.container]] if wanted.kind == "video" else []
    codings += [Coding(CONTAINER_OF[one.codec], one.codec, one.crf, _format(one.codec)) for one in spec.sham.encodes]
    if spec.sham.size is not None:
        frames = scaled(frames, _side(box, spec.sham.size))
    for coding in codings:
        path = scratch / "sham"
        write_plain(path, frames, fps, None, take.sample_rate, coding)
        frames = read_video(path).frames
    staged = Staged({}, {}, box, (frames.shape[2], frames.shape[1]), None, take.audio)
    normaliser = Normaliser(spec, job, staged)
    raw = Raw("", frames, np.arange(len(frames)) / fps, None, take.sample_rate)
    made = normaliser.picture(raw, forged=False)
    steps: list[dict[str, object]] = [{"step": "code", "codec": one.codec, "crf": one.crf} for one in codings]
    return made, [*steps, *normaliser.steps]


def _format(codec: str) -> str:
    return "yuv444p" if codec == "ffv1" else "yuv420p"


def _side(box: Box, shorter: int) -> tuple[int, int]:
    factor = shorter / min(box.width, box.height)
    return (2 * round(box.width * factor / 2), 2 * round(box.height * factor / 2))


def _sound(spec: ExternalSpec, take: Take, scratch: Path) -> NDArray[np.float32]:
    """A take's own sound through a wav, another rate and AAC, where the generator's own sound is used."""
    from cmdfd.media.decode import read_audio
    from cmdfd.media.sound_encode import resample
    from generators.external.stage import extended

    if spec.output.sound != "own":
        return take.audio
    staged = spec.inputs.audio.sample_rate if spec.inputs.audio is not None else None
    audio = take.audio
    for rate in (staged, spec.sham.sample_rate):
        if rate is not None and rate != take.sample_rate:
            audio = resample(resample(audio, take.sample_rate, rate), rate, take.sample_rate)
    audio = np.rint(np.clip(audio, -1, 1) * 32767).astype(np.float32) / np.float32(32767)
    if spec.sham.aac is not None:
        path, blank = scratch / "sound", np.zeros((1, 32, 32, 3), np.uint8)
        rate = spec.sham.sample_rate or take.sample_rate
        coding = Coding("mp4", "libx264", 51, audio="aac", audio_bit_rate=spec.sham.aac)
        write_plain(path, blank, 25.0, resample(audio, take.sample_rate, rate), rate, coding)
        audio = read_audio(path, sample_rate=take.sample_rate).samples
    return extended(audio, len(take.audio))
