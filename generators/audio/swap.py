"""Other speech under the same picture: the whole sound track, or a short stretch of it."""

from __future__ import annotations

import numpy as np

from cmdfd.clip import REAL, Labels, Modality, Segment
from cmdfd.errors import MediaError
from generators.audio.dsp import Signal, fit_length, limit, loudest_start, resample, speech_level, splice
from generators.generator import GeneratorSpec, Job, Outcome, Take

#: Places that are tried before a quiet one is taken for a splice.
_TRIES = 8
#: A stretch is worth replacing if it reaches this share of the take's speech level.
_ENOUGH = 0.5
#: A partial splice keeps this far from both ends of the clip, so that the clip shows where it begins and ends.
_MARGIN_SECONDS = 0.2


class Swap:
    """Replace the sound by that of a donor.

    The whole track is genuine speech in the wrong place (`audio_label` 0, `sync_mismatch` 1). With `span`, only a
    stretch is replaced and the track has been edited (`audio_label` 1). `identity_mismatch` is unknown here: the
    build knows whether the donor is the same person and fills it in.
    """

    spec = GeneratorSpec(
        name="audio/swap",
        family="pairing",
        summary="the sound of another take, whole or as a cross-faded splice",
        modalities=("audio",),
        needs_donor=True,
        known_cues=("room noise of another recording", "two level changes at a splice"),
        params={"span": None, "crossfade": 0.015},
        cost=0.001,
    )
    donor_streams = ("audio",)

    def generate(self, job: Job) -> Outcome:
        """Forge one take.

        Raises:
            MediaError: "unsupported" without a donor, "too_short" if the donor does not cover the clip.
        """
        if job.donor is None:
            raise MediaError("unsupported", self.spec.name, "there is no other take of this person or a partner")
        take, rate = job.take, job.take.sample_rate
        donor = resample(job.donor.audio, job.donor.sample_rate, rate)
        if len(donor) < round((job.start + job.seconds) * rate):
            raise MediaError("too_short", self.spec.name, "the donor's sound ends before the clip does")
        target, other = speech_level(take.audio, rate), speech_level(donor, rate)
        if not target or not other:
            raise MediaError("unsupported", self.spec.name, "the take or its donor is silent")
        donor = donor * (target / other)
        if job.params["span"] is None:
            sound = limit(fit_length(donor, len(take.audio)))
            segments: tuple[Segment, ...] = (Segment(0.0, take.duration, Modality.AUDIO),)
        else:
            sound, segments = self._partial(job, donor, target)
        forged = Take(take.frames, take.fps, sound, rate, take.track, None)
        edited = int(job.params["span"] is not None)
        return Outcome(forged, Labels(1, edited, 0, 1, None), segments)

    def sham(self, job: Job) -> Outcome:
        """The take itself; with `span`, a stretch of it is cut out and spliced back, at the place the fake would take.

        Length, place and fades are those of the fake with the same draws, and the level is fitted and limited as
        there. The fades add up amplitudes instead of powers: equal-power fades, right for two sounds that have nothing
        in common, would raise a sound that meets itself by up to 3 dB.
        """
        take, rate = job.take, job.take.sample_rate
        if job.params["span"] is None:
            return Outcome(take, REAL, ())
        level = speech_level(take.audio, rate)
        if not level:
            raise MediaError("unsupported", self.spec.name, "the take is silent")
        start, n = self._place(job, level)
        own = take.audio * np.float32(level / speech_level(take.audio, rate))
        fade = round(float(job.params["crossfade"]) * rate)
        sound = limit(splice(take.audio, own[start : start + n], start, fade, alike=True))
        return Outcome(Take(take.frames, take.fps, sound, rate, take.track, take.speech), REAL, ())

    def _place(self, job: Job, level: float) -> tuple[int, int]:
        """First sample and number of samples of the stretch that is replaced."""
        low, high = (float(value) for value in job.params["span"])
        room = job.seconds - 2 * _MARGIN_SECONDS
        if not 0 < low <= high or low > room:
            raise MediaError("unsupported", self.spec.name, f"span {low:g}-{high:g} s does not fit the clip")
        rate = job.take.sample_rate
        seconds = float(job.rng.uniform(low, min(high, room)))
        n = round(seconds * rate)
        first = job.start + _MARGIN_SECONDS
        places = first + job.rng.uniform(0.0, room - seconds, _TRIES)
        starts = [round(float(place) * rate) for place in places]
        return loudest_start(job.take.audio, n, starts, _ENOUGH * level), n

    def _partial(self, job: Job, donor: Signal, level: float) -> tuple[Signal, tuple[Segment, ...]]:
        rate, audio = job.take.sample_rate, job.take.audio
        start, n = self._place(job, level)
        offsets = [int(offset) for offset in job.rng.integers(0, len(donor) - n + 1, _TRIES)]
        offset = loudest_start(donor, n, offsets, _ENOUGH * level)
        piece = donor[offset : offset + n]
        sound = limit(splice(audio, piece, start, round(float(job.params["crossfade"]) * rate)))
        return sound, (Segment(start / rate, (start + n) / rate, Modality.AUDIO),)
