"""A temporal splice: a forged stretch in a genuine take."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import cv2
import numpy as np

from cmdfd.clip import REAL, Labels, Modality, Segment
from cmdfd.errors import CmdfdError, JobError, MediaError, job_code
from cmdfd.faces.tracks import FaceTrack
from cmdfd.media.masks import FORGED_ABOVE
from generators.audio.dsp import rms
from generators.external.catalogue import is_external
from generators.generator import GeneratorSpec, Job, Outcome, Take
from generators.registry import make_generator, make_sham, resolve_params
from generators.splice.layers import window
from generators.splice.params import TemporalParams

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from generators.audio.dsp import Signal
    from generators.video.mesh_warp import Bytes

#: Places that are drawn for the stretch; the one whose joints lie where it is quietest is taken.
_TRIES = 12
#: Joints move by at most this many seconds to a quieter moment, and loudness there is that of so many seconds.
_MOVE, _AROUND = 0.02, 0.02
#: The stretch keeps this far from both ends of the clip, so that the clip shows where it begins and ends.
_MARGIN = 0.2
#: A pixel that equals the take's by chance counts as changed where at least so many of its 3 x 3 pixels are.
_HOLE = 7


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Frames [first, end) and samples [head, tail) that are the other take's, fades included."""

    first: int
    end: int
    head: int
    tail: int


class TemporalSplice:
    """Splice a stretch of what another generator makes into the take.

    The inner generator forges the whole clip; a stretch of it, of drawn length and at a drawn place where the sound
    is quiet, replaces the take's. Pictures dissolve over `fade_frames` at either end, sound cross-fades with constant
    amplitude, since both sides are mostly the same recording. Outside of the stretch every pixel and sample is the
    take's. The segments hold the stretch with its fades, for each stream that changed; masks are the weight of the
    dissolve wherever the stretch's picture differs.

    `audio_label` and `video_label` are 1 for the streams that have a segment: what was cut and joined is altered, even
    where the sound inside of the stretch is genuine, as with `audio/swap`. `sync_mismatch` is the inner generator's,
    and so is `identity_mismatch`; what it leaves to the build is told from the donor's relation. Voice and face of the
    clip stay the take's.
    """

    spec = GeneratorSpec(
        name="splice/temporal",
        family="splice",
        summary="a stretch of another generator's outcome in the genuine take",
        modalities=("audio", "video"),
        needs_donor=True,
        known_cues=("traces of the inner generator inside the stretch", "two dissolves of some frames"),
        params=TemporalParams().model_dump(mode="json"),
        cost=0.25,
    )
    donor_streams: ClassVar[tuple[str, ...]] = ("frames", "audio", "track")

    def generate(self, job: Job) -> Outcome:
        """Forge one take.

        Raises:
            JobError: "input_unsupported" for a wrong parameter or generator, without a donor, or where the stretch
                does not fit; "output_identical" where the stretch is the take's own; what the inner generator raises.
        """
        params, stretch, inner_job = self._ready(job)
        inner = self._inner(inner_job, params, null=False)
        if inner.labels.label != 1 or not inner.segments:
            detail = f"{params.generator} forges nothing; name a generator that does"
            raise JobError("input_unsupported", self.spec.name, detail)
        take, made = job.take, inner.take
        weights = _weights(stretch, params.fade_frames, len(take.frames))
        frames, masks = _dissolved(take.frames, made.frames, inner.masks, weights)
        audio = _crossfaded(take, made.audio, stretch, params.crossfade)
        segments = _segments(take, stretch, picture=masks is not None, sound=audio is not take.audio)
        if not segments:
            raise JobError("output_identical", self.spec.name, f"{params.generator} changed nothing in the stretch")
        track = _track(take.track, made.track, weights)
        speech = take.speech if audio is take.audio else None
        details = {
            "generator": params.generator,
            "inner": dict(inner.details),
            "frames": [stretch.first, stretch.end],
            "samples": [stretch.head, stretch.tail],
        }
        forged = replace(take, frames=frames, audio=audio, track=track, speech=speech)
        labels = _labels(inner.labels, segments, inner_job)
        return Outcome(forged, labels, segments, masks, params.generator, details=details)

    def sham(self, job: Job) -> Outcome:
        """The inner generator's sham, spliced in at the same place by the same dissolve and cross-fade.

        Raises:
            JobError: As `generate`.
        """
        params, stretch, inner_job = self._ready(job)
        inner, take = self._inner(inner_job, params, null=True), job.take
        weights = _weights(stretch, params.fade_frames, len(take.frames))
        frames, _ = _dissolved(take.frames, inner.take.frames, None, weights)
        audio = _crossfaded(take, inner.take.audio, stretch, params.crossfade)
        details = {"null_frames": [stretch.first, stretch.end], "null_samples": [stretch.head, stretch.tail]}
        return Outcome(replace(take, frames=frames, audio=audio), REAL, (), details=details)

    def _ready(self, job: Job) -> tuple[TemporalParams, _Stretch, Job]:
        """Parameters, place, and the job of the inner generator; all chance but the inner one's is drawn here."""
        params = TemporalParams.read(job.params, self.spec.name)
        if job.donor is None:
            raise JobError("input_unsupported", self.spec.name, "there is no other take: name a donor")
        inner_params = self._inner_params(params)
        spec = make_generator(params.generator).spec
        if spec.needs_face and job.take.track is None:
            raise JobError("face_not_found", self.spec.name, f"{params.generator} needs a face")
        if spec.needs_speech and job.take.speech is None:
            detail = f"{params.generator} needs the words of the take, which are not known"
            raise JobError("input_unsupported", self.spec.name, detail)
        stretch = self._place(job, params)
        rng = np.random.default_rng(int(job.rng.integers(2**62)))
        donor = job.donor if spec.needs_donor else None
        return params, stretch, replace(job, params=inner_params, rng=rng, donor=donor)

    def _inner_params(self, params: TemporalParams) -> Mapping[str, Any]:
        if is_external(params.generator):
            detail = f"generator: {params.generator!r} runs outside of this process; name one that runs in it"
            raise JobError("input_unsupported", self.spec.name, detail)
        try:
            resolved = resolve_params(params.generator, params.generator_params)
            own = isinstance(make_generator(params.generator), TemporalSplice)
        except CmdfdError as error:
            raise JobError("input_unsupported", self.spec.name, f"generator: {error}") from error
        if own:
            raise JobError("input_unsupported", self.spec.name, "generator: a splice in itself; name another generator")
        return resolved

    def _inner(self, job: Job, params: TemporalParams, *, null: bool) -> Outcome:
        try:
            return make_sham(params.generator).sham(job) if null else make_generator(params.generator).generate(job)
        except (MediaError, JobError) as error:
            detail = f"{params.generator}: {error.detail}"
            raise JobError(job_code(error.code), self.spec.name, detail) from error

    def _place(self, job: Job, params: TemporalParams) -> _Stretch:
        take = job.take
        frames = window(job, self.spec.name)
        low, high = params.seconds
        first = math.ceil((job.start + _MARGIN) * take.fps - 1e-6)
        end = min(math.floor((job.start + job.seconds - _MARGIN) * take.fps + 1e-6), frames.stop)
        room = (end - first) / take.fps
        least = (2 * params.fade_frames + 1) / take.fps
        if low > room or least > room:
            detail = (
                f"seconds: a stretch of {max(low, least):g} s or more was asked for, the clip has room for {room:.2f}"
            )
            raise JobError("input_unsupported", self.spec.name, detail)
        n = max(round(float(job.rng.uniform(low, min(high, room))) * take.fps), 2 * params.fade_frames + 1)
        starts = job.rng.integers(first, end - n + 1, _TRIES)
        best = min(
            (int(start) for start in starts), key=lambda start: _loudness(take, start) + _loudness(take, start + n)
        )
        head, tail = (_quietest(take, round(at / take.fps * take.sample_rate)) for at in (best, best + n))
        half = round(params.crossfade * take.sample_rate / 2)
        return _Stretch(best, best + n, max(head - half, 0), min(tail + half, len(take.audio)))


def _loudness(take: Take, frame: int) -> float:
    return _level(take.audio, round(frame / take.fps * take.sample_rate), take.sample_rate)


def _level(audio: Signal, sample: int, rate: int) -> float:
    half = max(round(_AROUND * rate / 2), 1)
    return rms(audio[max(sample - half, 0) : sample + half])


def _quietest(take: Take, sample: int) -> int:
    """The quietest moment near a sample; the first of equals."""
    reach, step = round(_MOVE * take.sample_rate), max(take.sample_rate // 1000, 1)
    places = [sample + k for k in range(-reach, reach + 1, step) if 0 <= sample + k <= len(take.audio)]
    return min(places, key=lambda at: (_level(take.audio, at, take.sample_rate), abs(at - sample)))


def _weights(stretch: _Stretch, fade: int, n: int) -> NDArray[np.float64]:
    """[n] how much of each frame is the other take's."""
    index = np.arange(n)
    inside = np.minimum(index - stretch.first, stretch.end - 1 - index) + 1
    return np.asarray(np.clip(inside / (fade + 1), 0.0, 1.0))


def _dissolved(
    before: Bytes, after: Bytes, told: Bytes | None, weights: NDArray[np.float64]
) -> tuple[Bytes, Bytes | None]:
    """Frames, and masks of what differs or None where no frame does."""
    if after is before:
        return before, None
    out, masks = before.copy(), np.zeros(before.shape[:3], np.uint8)
    ones = np.ones((3, 3), np.uint8)
    for index in np.flatnonzero(weights):
        old, new, level = before[index], after[index], np.uint8(round(255 * float(weights[index])))
        where = (old != new).any(axis=-1).astype(np.uint8)
        if not where.any():
            continue
        where |= (cv2.filter2D(where, -1, ones, borderType=cv2.BORDER_CONSTANT) >= _HOLE).astype(np.uint8)
        soft = where * level
        if told is not None:  # what the inner generator laid softly is as soft here, but not less than forged
            own = np.asarray(np.rint(told[index] * (float(level) / 255)), np.uint8)
            own = np.maximum(own, FORGED_ABOVE + 1)
            soft = np.where((told[index] > 0) & (told[index] < 255) & (where > 0), own, soft)
        share = np.float32(level) / np.float32(255)
        wide = old.astype(np.float32)
        out[index] = np.rint(wide + share * (new.astype(np.float32) - wide)).clip(0, 255).astype(np.uint8)
        masks[index] = soft
    return out, masks if masks.any() else None


def _crossfaded(take: Take, made: Signal, stretch: _Stretch, seconds: float) -> Signal:
    """The sound; the take's own array where nothing differs.

    Both sides go on from the same moment and are alike but for the forgery, so their amplitudes are added.
    """
    if made is take.audio or np.array_equal(made[stretch.head : stretch.tail], take.audio[stretch.head : stretch.tail]):
        return take.audio
    n, fade = stretch.tail - stretch.head, max(round(seconds * take.sample_rate), 1)
    step = np.arange(n) + 0.5
    ramp = np.clip(np.minimum(step, n - step) / fade, 0.0, 1.0)
    weight = (0.5 - 0.5 * np.cos(np.pi * ramp)).astype(np.float32)
    out = take.audio.copy()
    piece = slice(stretch.head, stretch.tail)
    out[piece] = weight * made[piece] + (1 - weight) * take.audio[piece]
    return out


def _segments(take: Take, stretch: _Stretch, *, picture: bool, sound: bool) -> tuple[Segment, ...]:
    found = []
    if picture:
        found.append(Segment(stretch.first / take.fps, stretch.end / take.fps, Modality.VIDEO))
    if sound:
        found.append(Segment(stretch.head / take.sample_rate, stretch.tail / take.sample_rate, Modality.AUDIO))
    return tuple(sorted(found, key=lambda one: (one.start, one.modality)))


def _labels(inner: Labels, segments: Sequence[Segment], job: Job) -> Labels:
    """Streams by what was joined; the rest by the inner generator.

    Whose voice or face the stretch shows is told here, not left to the build: that would name the whole clip's voice
    after a partner who is heard for a moment.
    """
    joined = {one.modality for one in segments}
    identity = inner.identity_mismatch
    if identity is None and job.donor is not None and job.relation:
        identity = int(job.relation == "partner")
    sound, sight = (int(modality in joined) for modality in (Modality.AUDIO, Modality.VIDEO))
    return Labels(1, sound, sight, inner.sync_mismatch, identity)


def _track(own: FaceTrack | None, other: FaceTrack | None, weights: NDArray[np.float64]) -> FaceTrack | None:
    """Points of whichever picture is seen more."""
    if own is None or other is None or other is own:
        return own
    points = np.where((weights > 0.5)[:, None, None], other.points, own.points)
    found = np.where(weights > 0.5, other.found, own.found)
    return FaceTrack(own.times, np.asarray(points, np.float32), np.asarray(found, np.bool_), own.backend)
