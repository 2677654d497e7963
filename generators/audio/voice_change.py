"""The speaker's own words and timing in a changed voice: pitch, and with it the formants or not."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.clip import REAL, Labels, Modality, Segment, content_id
from cmdfd.errors import JobError
from generators.audio.dsp import Signal, envelope_lag, limit, merge_bands, resample, speech_level
from generators.generator import GeneratorSpec, Job, Outcome, Take

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Smaller changes are within the daily range of one voice, larger ones are no speech any more. Semitones.
_LEAST, _MOST = 0.5, 12.0
FORMANTS, DIRECTIONS = ("preserved", "shifted"), ("both", "up", "down")
#: Rubber Band thinks in windows of 1024 samples ("short"): at twice 16 kHz they are 32 ms long, which keeps its
#: wandering in time below 10 ms, and a voice that is raised does not run into the end of the spectrum.
_OVERSAMPLING = 2
#: Seconds that are mirrored at both ends, so that no window sees a cut, and the farthest lag that is looked for.
_MIRROR, _FARTHEST_LAG = 0.25, 0.03
#: Seconds; less is the uncertainty of the measurement.
_NO_LAG = 0.00025
#: Above this share of the (lowered) Nyquist frequency the take's own sound is kept.
_BAND_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Change:
    """How a voice is changed: semitones with their sign (0 = not at all), and what becomes of the formants."""

    semitones: float
    formant: str

    @property
    def ratio(self) -> float:
        """Frequency ratio."""
        return float(2.0 ** (self.semitones / 12.0))


class VoiceChange:
    """Shift the pitch by the `rubberband` filter of FFmpeg (Rubber Band Library, its R2 engine).

    The number of semitones is drawn from the range `semitones`, its sign by `direction`. With `formant: preserved`
    the mouth's resonances are held back: Rubber Band's R2 engine moves them about half as far as the pitch (measured on
    talkers: by 0.89 to 0.91 for a pitch of 0.79, by 1.09 to 1.13 for one of 1.26); with `shifted` they move along. The
    filter's delay is measured on the sound itself and taken out, the speech level is kept, and the band
    that a lowered voice leaves empty is filled with the take's own, so that bandwidth does not tell.
    """

    spec = GeneratorSpec(
        name="audio/voice_change",
        family="vc",
        summary="the same recording in a changed voice: pitch and, if wanted, formants shifted by DSP",
        modalities=("audio",),
        known_cues=(
            "phase vocoder",
            "events move by up to 10 ms",
            "room noise and echo are shifted with the voice",
            "the topmost band (above 0.9 of the shifted Nyquist frequency) is that of the old voice",
        ),
        params={"semitones": (2.0, 4.0), "direction": "both", "formant": "preserved"},
        cost=0.015,
        citation="Rubber Band Library, through FFmpeg's filter of that name",
    )

    def problems(self) -> list[str]:
        """What keeps it from running here; empty if nothing does."""
        try:
            _program()
        except JobError as error:
            return [error.detail]
        return []

    def state(self) -> str:
        """The build of ffmpeg, whose Rubber Band decides the bytes; part of every job's address."""
        try:
            return _build_of(_program())
        except JobError:
            return ""

    def generate(self, job: Job) -> Outcome:
        """Forge one take.

        Raises:
            JobError: "input_unsupported" for parameters out of range, "audio_invalid" for a silent take,
                "env_missing" without an ffmpeg that has the filter, "crashed" if it fails.
        """
        change = drawn(job.params, job.rng)
        sound, facts = changed(job.take, change)
        mark = hashlib.sha256(np.ascontiguousarray(job.take.audio, "<f4").tobytes()).hexdigest()
        voice = "v" + content_id("changed voice", mark, change.semitones, change.formant, length=12)
        return Outcome(
            _with_sound(job.take, sound),
            Labels(label=1, audio_label=1, video_label=0, sync_mismatch=0, identity_mismatch=1),
            (Segment(0.0, job.take.duration, Modality.AUDIO),),
            variant=f"{'up' if change.semitones > 0 else 'down'}, formants {change.formant}",
            voice_id=voice,
            details=facts,
        )

    def sham(self, job: Job) -> Outcome:
        """The same way through the filter, by no semitone."""
        change = drawn(job.params, job.rng)
        sound, facts = changed(job.take, Change(0.0, change.formant))
        return Outcome(_with_sound(job.take, sound), REAL, (), details=facts)


def drawn(params: Mapping[str, Any], rng: np.random.Generator) -> Change:
    """Draw a change.

    Args:
        params: `semitones` (least and most, without sign), `direction` ("both", "up", "down") and `formant`
            ("preserved", "shifted").
        rng: Source of chance.

    Raises:
        JobError: "input_unsupported" for values that make no other voice, or no voice.
    """
    problem = _problem(params)
    if problem:
        raise JobError("input_unsupported", VoiceChange.spec.name, problem)
    low, high = (float(value) for value in params["semitones"])
    size, coin = float(rng.uniform(low, high)), bool(rng.random() < 0.5)
    up = coin if params["direction"] == "both" else params["direction"] == "up"
    return Change(round(size if up else -size, 3), str(params["formant"]))


def _problem(params: Mapping[str, Any]) -> str:
    span = params["semitones"]
    try:
        low, high = (float(value) for value in span)
    except (TypeError, ValueError):
        return f"semitones must be a range [least, most], got {span!r}"
    if not _LEAST <= low <= high <= _MOST:
        return f"semitones must be a range inside [{_LEAST:g}, {_MOST:g}], without sign, got [{low:g}, {high:g}]"
    for name, allowed in (("direction", DIRECTIONS), ("formant", FORMANTS)):
        if params[name] not in allowed:
            return f"{name} must be one of {', '.join(allowed)}, got {params[name]!r}"
    return ""


def _with_sound(take: Take, sound: Signal) -> Take:
    return Take(take.frames, take.fps, sound, take.sample_rate, take.track, None)


def changed(take: Take, change: Change) -> tuple[Signal, dict[str, Any]]:
    """A take's sound in the changed voice, and what was done, JSON-able.

    Returns:
        [N] float32 as long as the take's sound and in step with it.

    Raises:
        JobError: See `VoiceChange.generate`.
    """
    audio, rate = take.audio, take.sample_rate
    level = speech_level(audio, rate)
    if not level:
        raise JobError("audio_invalid", VoiceChange.spec.name, "the take is silent")
    fast = rate * _OVERSAMPLING
    mirror = min(round(_MIRROR * rate), len(audio) - 1)
    whole = resample(np.pad(audio, mirror, mode="reflect"), rate, fast)
    shifted = _rubberband(whole, fast, change)
    if len(shifted) < len(whole) - mirror * _OVERSAMPLING:
        raise JobError("output_corrupt", VoiceChange.spec.name, "the filter returned too little sound")
    lag = envelope_lag(whole, shifted, fast, _FARTHEST_LAG)
    lag = 0 if abs(lag) < _NO_LAG * fast else lag
    begin = mirror * _OVERSAMPLING + lag
    shifted = resample(shifted[begin : begin + len(audio) * _OVERSAMPLING], fast, rate)
    own = speech_level(shifted, rate)
    if len(shifted) != len(audio) or not own:
        raise JobError("output_corrupt", VoiceChange.spec.name, "the filter returned too little sound, or none")
    edge = _BAND_SHARE * min(change.ratio, 1.0) * rate / 2
    sound = merge_bands(np.asarray(shifted * np.float32(level / own), np.float32), audio, edge, rate)
    facts = {
        "semitones": change.semitones,
        "formant": change.formant,
        "lag_seconds": round(lag / fast, 6),
        "own_band_above_hz": round(edge, 1),
        "ffmpeg": _build_of(_program()),
    }
    return limit(sound), facts


def _program() -> Path:
    from cmdfd.media.ffmpeg import ENVIRONMENT, FfmpegError, find_ffmpeg

    try:
        return find_ffmpeg(needs_filter="rubberband")
    except FfmpegError as error:
        detail = (
            "no ffmpeg with the filter 'rubberband': pip install imageio-ffmpeg (and unset "
            f"{ENVIRONMENT} where it names another), or set {ENVIRONMENT} to a build with --enable-librubberband"
        )
        raise JobError("env_missing", VoiceChange.spec.name, detail) from error


@lru_cache(maxsize=4)
def _build_of(program: Path) -> str:
    """Version of a build, e.g. "ffmpeg version n9.0.2"; "" if it does not say."""
    try:
        asked = subprocess.run([str(program), "-version"], capture_output=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return " ".join(asked.stdout.decode("utf-8", "replace").split()[:3])


def _rubberband(samples: Signal, rate: int, change: Change) -> Signal:
    """Through the filter; [N] in, [N] out, still late or early by its delay."""
    import ffmpeg

    from cmdfd.media.ffmpeg import FfmpegError, run_graph

    raw = {"format": "f32le", "ar": rate, "ac": 1}
    graph = (
        ffmpeg.input("pipe:", **raw)
        # "consistency" sends every sound through the vocoder, also one that is not shifted
        .filter("rubberband", pitch=f"{change.ratio:.9f}", formant=change.formant, pitchq="consistency", window="short")
        .output("pipe:", **raw)
        .global_args("-filter_threads", "1")
    )
    try:
        out = run_graph(graph, program=_program(), data=np.ascontiguousarray(samples, "<f4").tobytes(), timeout=300)
    except FfmpegError as error:
        raise JobError("crashed", VoiceChange.spec.name, str(error)) from error
    return np.frombuffer(out, "<f4").astype(np.float32)
