"""A result onto the clock, the grid and the picture of its take; every step is written down."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.errors import JobError
from generators.external.stage import extended, scaled, staged_frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from generators.external.collect import Raw
    from generators.external.spec import ExternalSpec
    from generators.external.stage import Staged
    from generators.generator import Job, Take

#: Shapes may differ by this share: sizes are rounded to multiples of 2, 8 or 16.
_ASPECT = 0.07
#: A result that is longer than its inputs by more than this runs on another clock than it says (MakeItTalk says 25).
_EXCESS_SECONDS = 0.5
#: Speech is what reaches this level below the loudest parts (decibels).
_SPEECH_DB = -35.0
#: Stretching by more than this is heard.
_MOST_STRETCH = 2.0


@dataclass(eq=False, slots=True)
class Normaliser:
    """Brings one result to its take.

    Args:
        spec: The generator.
        job: The job.
        staged: What was staged.
        steps: What was done, for the record.
    """

    spec: ExternalSpec
    job: Job
    staged: Staged
    steps: list[dict[str, Any]] = field(default_factory=list)

    def _refuse(self, code: str, detail: str) -> JobError:
        return JobError(code, self.spec.name, detail)

    def _note(self, step: str, **facts: Any) -> None:
        rounded = {name: round(value, 4) if isinstance(value, float) else value for name, value in facts.items()}
        self.steps.append({"step": step, **rounded})

    # ---- picture

    def reference(self) -> NDArray[np.uint8]:
        """The staged part of the take's picture, after the same scaling as the result: [T or 1, h, w, 3]."""
        take, wanted = self.job.take, self.spec.inputs.face
        assert wanted is not None  # noqa: S101 - the spec was checked
        frames, _ = staged_frames(take, wanted, self.staged.box, rate=False)
        if self.staged.still is not None:
            frames = frames[self.staged.still : self.staged.still + 1]
        return scaled(frames, (self.staged.box.width, self.staged.box.height))

    def picture(self, raw: Raw, *, forged: bool = True) -> NDArray[np.uint8]:
        """The result's pictures on the take's grid: [T, H, W, 3].

        Args:
            raw: The result.
            forged: False for a sham, whose picture is no panel and on its own clock.

        Raises:
            JobError: "output_corrupt" for a picture of another shape, "av_mismatch" where it is too short or runs on
                another clock.
        """
        frames = raw.frames
        assert frames is not None  # noqa: S101 - only called for results with a picture
        frames = self._panel(frames) if forged else frames
        times = self._clock(raw.times, forged=forged)
        frames = self._on_grid(frames, times)
        box = self.staged.box
        if frames.shape[2:0:-1] != (box.width, box.height):
            self._note("scale", size_from=list(frames.shape[2:0:-1]), size_to=[box.width, box.height])
            frames = scaled(frames, (box.width, box.height))
        if forged and self.staged.still is None:
            frames = self._colours(frames)
        return self._pasted(frames, forged=forged)

    def _panel(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        crop = self.spec.output.crop
        height, width = frames.shape[1:3]
        if crop is not None:
            x, y, w, h = crop
            if x + w > width or y + h > height:
                raise self._refuse("output_corrupt", f"a picture of {width}x{height} has no panel {list(crop)}")
            frames, width, height = frames[:, y : y + h, x : x + w], w, h
            self._note("crop", box=list(crop))
        wanted, found = self.staged.size[0] / self.staged.size[1], width / height
        if abs(found / wanted - 1) > _ASPECT:
            staged = "x".join(str(one) for one in self.staged.size)
            raise self._refuse("output_corrupt", f"a picture of {width}x{height} is no result of one of {staged}")
        return frames

    def _clock(self, times: NDArray[np.float64], *, forged: bool) -> NDArray[np.float64]:
        true = self.spec.output.fps_true if forged else None
        said = _rate(times)
        if true is not None:
            if said and abs(said - true) > 0.01:
                self._note("true fps", container=said, true=true)
            times = np.arange(len(times)) / true
        else:
            times = times - times[0]
        fps, take = _rate(times) or self.job.take.fps, self.job.take
        if abs(fps - take.fps) > 0.01:
            self._note("fps", fps_from=fps, fps_to=take.fps)
        self._check_end(float(times[-1]) + 1 / fps, "picture", 0.5 / take.fps)
        return times

    def _check_end(self, end: float, what: str, slack: float) -> None:
        """Hold the end of a stream against the clip and the take."""
        job, most = self.job, self.spec.output.max_tail_seconds
        needed, whole = job.start + job.seconds, job.take.duration
        if end < needed - slack:
            raise self._refuse("av_mismatch", f"its {what} ends at {end:.2f} s, the clip at {needed:.2f} s")
        if whole - end > most + slack:
            raise self._refuse("av_mismatch", f"its {what} lost {whole - end:.2f} s at the end, known is {most:g} s")
        inputs = self.spec.inputs
        pads = [one.pad_seconds for one in (inputs.face, inputs.audio, inputs.driving) if one is not None]
        longest = max([whole, *self._driving_seconds()]) + max(pads, default=0.0)
        if end > longest + _EXCESS_SECONDS:
            detail = f"its {what} has {end:.2f} s for inputs of {longest:.2f} s: it runs on another clock"
            raise self._refuse("av_mismatch", detail)
        if abs(whole - end) > slack:
            lost = {"lost_seconds": whole - end} if whole > end else {"cut_seconds": end - whole}
            self._note(f"{what} end", **lost)

    def _driving_seconds(self) -> list[float]:
        donor = self.job.donor
        return [donor.duration] if donor is not None and self.spec.inputs.driving is not None else []

    def _on_grid(self, frames: NDArray[np.uint8], times: NDArray[np.float64]) -> NDArray[np.uint8]:
        from cmdfd.media.grid import nearest_frames

        take = self.job.take
        chosen = nearest_frames(times, np.arange(len(take.frames)) / take.fps)
        return frames[chosen]

    def _colours(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        from generators.external.compare import colour_map, recoloured

        fit = colour_map(frames, self.reference())
        if fit is None:
            return frames
        self._note("colours", matrix=[[round(float(value), 4) for value in row] for row in fit])
        return recoloured(frames, fit)

    def _pasted(self, frames: NDArray[np.uint8], *, forged: bool) -> NDArray[np.uint8]:
        take, box = self.job.take, self.staged.box
        if frames.shape == take.frames.shape:
            return frames
        still = self.staged.still
        held = forged and still is not None
        whole = np.repeat(take.frames[still : still + 1], len(frames), axis=0) if held else take.frames.copy()  # type: ignore[operator]
        whole[:, box.y : box.y + box.height, box.x : box.x + box.width] = frames
        self._note("paste", box=[box.x, box.y, box.width, box.height])
        return whole

    # ---- sound

    def sound(self, raw: Raw | None) -> NDArray[np.float32]:
        """The outcome's sound, as long as the take's.

        Args:
            raw: The result; None where its sound is not wanted.

        Raises:
            JobError: "av_mismatch" where it is too short, or speech of another length cannot be stretched.
        """
        take, policy = self.job.take, self.spec.output.sound
        if policy == "source":
            return take.audio
        if policy == "driving":
            return self.staged.driving
        assert raw is not None and raw.audio is not None  # noqa: S101 - own sound was decoded
        samples, rate = raw.audio, take.sample_rate
        lead = self.spec.output.lead_samples / raw.file_rate if raw.file_rate else 0.0
        first = float(raw.times[0]) if len(raw.times) else 0.0
        offset = raw.audio_start - first - lead
        if lead:
            self._note("lead", seconds=lead)
        if self.spec.output.fit == "stretch":
            return self._stretched(samples)
        samples = _shifted(samples, round(offset * rate))
        self._check_end(len(samples) / rate, "sound", 0.5 / take.fps)
        return extended(samples, len(take.audio))

    def _stretched(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        from generators.audio.stretch import HOP, warp_time

        take, rate = self.job.take, self.job.take.sample_rate
        given, wanted = speech_span(samples, rate), _spoken(take)
        if given is None or wanted is None:
            raise self._refuse("output_corrupt", "no speech is heard in it, or in the take")
        factor = (given[1] - given[0]) / (wanted[1] - wanted[0])
        if not 1 / _MOST_STRETCH <= factor <= _MOST_STRETCH:
            lengths = f"{given[1] - given[0]:.2f} s of speech for {wanted[1] - wanted[0]:.2f} s"
            raise self._refuse("av_mismatch", f"{lengths} in the take: that would be stretched by {1 / factor:.2f}")
        n = len(take.audio)
        moments = np.arange(n // HOP + 2) * HOP
        places = np.asarray(given[0] * rate + (moments - wanted[0] * rate) * factor, np.float64)
        self._note("stretch", factor=1 / factor, start=wanted[0], end=wanted[1])
        made = warp_time(samples, places, n)
        noise = np.random.default_rng(n).standard_normal(n).astype(np.float32)
        return np.asarray(np.where(made == 0, noise * np.float32(1e-4), made), np.float32)


def _rate(times: NDArray[np.float64]) -> float:
    """Usual frame rate, 0 for a single frame."""
    return float(1 / np.median(np.diff(times))) if len(times) > 1 else 0.0


def _shifted(samples: NDArray[np.float32], offset: int) -> NDArray[np.float32]:
    """Samples on a clock on which the first sounds at `offset`, from time 0 on."""
    if offset >= 0:
        return np.concatenate([np.zeros(offset, np.float32), samples])
    return samples[-offset:]


def speech_span(samples: NDArray[np.float32], rate: int) -> tuple[float, float] | None:
    """Seconds of the first and the last 20 ms that are not much quieter than the loud parts; None for silence."""
    size = round(0.02 * rate)
    n = len(samples) // size
    if not n:
        return None
    power = np.square(samples[: n * size].astype(np.float64)).reshape(n, size).mean(axis=1)
    loud = float(np.percentile(power, 95))
    heard = np.flatnonzero(power > loud * 10 ** (_SPEECH_DB / 10)) if loud > 0 else np.zeros(0, int)
    return (float(heard[0]) * 0.02, float(heard[-1] + 1) * 0.02) if len(heard) else None


def _spoken(take: Take) -> tuple[float, float] | None:
    """Where a take's speech begins and ends."""
    speech = take.speech
    marks = (speech.words or speech.phones) if speech is not None else ()
    if marks:
        return (marks[0].start, marks[-1].end)
    return speech_span(take.audio, take.sample_rate)
