"""The sound moved in time against the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmdfd.clip import REAL, Labels, Modality, Segment
from cmdfd.errors import MediaError
from generators.generator import GeneratorSpec, Job, Outcome, Take

if TYPE_CHECKING:
    from generators.audio.dsp import Signal


class Desync:
    """Move the sound by one of a few grades, in either direction.

    What lies around the written clip is used, so nothing is padded or repeated. The direction is chosen such that
    the place where the sound begins inside the take is distributed exactly as in real clips: the range of starts is
    cut into blocks of twice the shift, and the halves of a block change places. A random sign would push the sound
    of fakes towards the ends of their takes, and silence there would tell them apart.
    """

    spec = GeneratorSpec(
        name="audio/desync",
        family="pairing",
        summary="the sound moved against the picture, by one of a few grades",
        modalities=("audio",),
        params={"milliseconds": (80, 160, 320)},
        cost=0.001,
    )

    def generate(self, job: Job) -> Outcome:
        """Forge one take.

        Raises:
            MediaError: "unsupported" if the take has too little sound around the clip.
        """
        grades = [int(grade) for grade in job.params["milliseconds"]]
        if not grades or min(grades) <= 0:
            raise MediaError("unsupported", self.spec.name, f"grades must be positive milliseconds, got {grades}")
        grade = grades[job.ordinal % len(grades)]  # each grade equally often
        shift = direction(job.start, grade, job.seconds, len(job.take.audio) / job.take.sample_rate) * grade
        sound = moved(job.take.audio, round(shift * job.take.sample_rate / 1000))
        take = job.take
        forged = Take(take.frames, take.fps, sound, take.sample_rate, take.track, None)
        whole = Segment(0.0, take.duration, Modality.AUDIO)
        return Outcome(forged, Labels(1, 0, 0, 1, 0), (whole,), variant=f"{grade} ms")

    def sham(self, job: Job) -> Outcome:
        """The take itself: a shift by nothing touches no sample."""
        return Outcome(job.take, REAL, ())


def direction(start: float, grade: int, seconds: float, available: float) -> int:
    """Which way to move the sound: +1 takes it from later in the take, -1 from earlier.

    Args:
        start: Seconds at which the clip begins.
        grade: Milliseconds of shift.
        seconds: Length of the clip.
        available: Seconds of sound in the take.

    Raises:
        MediaError: "unsupported" if neither direction stays inside the take.
    """
    begin, last = round(start * 1000), round((available - seconds) * 1000)
    wanted = 1 if begin % (2 * grade) < grade else -1
    for sign in (wanted, -wanted):
        if 0 <= begin + sign * grade <= last:
            return sign
    raise MediaError("unsupported", "audio/desync", f"the take has no {grade} ms of sound around the clip")


def moved(samples: Signal, shift: int) -> Signal:
    """What sounded `shift` samples later now sounds here; zeros where the take has nothing."""
    out = np.zeros_like(samples)
    if shift >= 0:
        out[: len(samples) - shift] = samples[shift:]
    else:
        out[-shift:] = samples[:shift]
    return out
