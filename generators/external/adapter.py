"""External generators as generators of the house: one class for all specs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.clip import REAL, Labels, Modality, Segment, content_id
from cmdfd.errors import CmdfdError, JobError
from generators.external.catalogue import find_spec, is_external
from generators.external.check import check
from generators.external.collect import check_picture, check_sound
from generators.external.installed import find_installed
from generators.external.origin import origin_of
from generators.external.runner import RUNNER_VERSION, Ran, Runner
from generators.generator import GeneratorSpec, Job, Outcome, Take

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from cmdfd.faces.tracks import FaceTrack
    from generators.external.installed import Installed
    from generators.external.spec import ExternalSpec

__all__ = ["ExternalGenerator", "external", "is_external"]


def external(name: str, *, journal: Path | None = None) -> ExternalGenerator:
    """The generator of a spec, with the user's settings for it.

    Args:
        name: "external/ID", or the path of a TOML file.
        journal: File for one JSON line an attempt: times, host, memory.

    Raises:
        SpecError: If there is no such spec, or it or the user's file breaks its schema.
    """
    spec = find_spec(name)
    named = name if name.endswith(".toml") else None
    return ExternalGenerator(spec, find_installed(spec.id), name=named, journal=journal)


def generator_spec(spec: ExternalSpec, name: str | None = None) -> GeneratorSpec:
    """What the house wants to know of a generator."""
    streams = {"RVFA": ("audio",), "FVRA": ("video",), "FVFA": ("audio", "video")}
    return GeneratorSpec(
        name=name or spec.name,
        family=spec.family,
        summary=spec.summary,
        modalities=streams[spec.makes],
        needs_donor=spec.uses_donor,
        needs_speech=spec.inputs.text is not None or spec.inputs.reference_text is not None,
        needs_face=False,  # it looks for a face itself; what it does not find is face_not_found
        known_cues=tuple(spec.known_cues),
        licence=spec.licences.code,
        output_licence=spec.licences.output,
        params=dict(spec.params),
        version=1000 * RUNNER_VERSION + spec.version,
        cost=spec.cost,
        watermark=spec.marks.watermark,
        citation=spec.citation,
    )


class ExternalGenerator:
    """A generator that the user has installed, behind the contract of `generators.generator`.

    Args:
        external: The spec.
        installed: The user's table for it; None where there is none, then every job ends in "env_missing".
        name: Name in recipes; "external/ID" if None.
        journal: File for one JSON line an attempt: times, host, memory.
        contain: See `runner.Runner`.
    """

    def __init__(
        self,
        external: ExternalSpec,
        installed: Installed | None,
        *,
        name: str | None = None,
        journal: Path | None = None,
        contain: bool | None = None,
    ) -> None:
        self.external, self.installed = external, installed
        self.spec = generator_spec(external, name)
        self.donor_streams = _donor_streams(external)
        self.runner = Runner(external, installed, journal=journal, contain=contain)

    @property
    def timeout(self) -> float:
        """Seconds that one job may take, all attempts together."""
        once = self.installed.timeout if self.installed is not None and self.installed.timeout else None
        return (once or self.external.run.timeout) * (self.external.run.retries + 1)

    def problems(self) -> tuple[str, ...]:
        """What keeps it from running, in words; nothing means that it can be tried."""
        return tuple(f"{one.code}: {one.what}; {one.fix}" for one in check(self.external, self.installed))

    def state(self) -> str:
        """Hash of all that decides its results here: the spec, the checkout's commit, packages, weights; "" if absent.

        Part of every job's address, so that other weights give other jobs.
        """
        if self.problems() or self.installed is None:
            return ""
        spec = self.external.model_dump(mode="json", by_alias=True)
        return content_id(spec, origin_of(self.external, self.installed), length=32)

    def journal_to(self, path: Path) -> None:
        """Append times, host and memory of every attempt to a file."""
        self.runner.journal = path

    def generate(self, job: Job) -> Outcome:
        """Forge one take.

        Raises:
            JobError: With a code of `cmdfd.errors.JOB_CODES`.
        """
        try:
            ran = self.runner.run(job)
            return self._outcome(job, ran)
        except JobError:
            raise
        except MemoryError as error:
            raise JobError("oom", self.spec.name, "this process ran out of memory while reading the result") from error
        except OSError as error:
            raise JobError("crashed", self.spec.name, f"the job could not be run: {error}") from error

    def sham(self, job: Job) -> Outcome:
        """Send a genuine take through the same staging, coding and normalisation; nothing is run."""
        from generators.external.sham import sham_pass

        take, steps = sham_pass(self.external, job)
        return Outcome(take=take, labels=REAL, segments=(), details={"normalisation": steps})

    def _outcome(self, job: Job, ran: Ran) -> Outcome:
        spec, take, normaliser = self.external, job.take, ran.normaliser
        frames, masks = take.frames, None
        if spec.output.picture:
            frames, masks = self._forged_picture(job, ran)
        audio = normaliser.sound(ran.raw)
        if spec.output.sound == "own":
            self._check_sound(job, audio)
        track = _track_of(spec, job, ran, frames) if spec.output.picture else take.track
        speech = take.speech if audio is take.audio or "FA" not in spec.makes else None
        if spec.sounds_like_donor and "RA" in spec.makes and job.donor is not None:
            speech = job.donor.speech
        made = Take(frames, take.fps, np.ascontiguousarray(audio, np.float32), take.sample_rate, track, speech)
        segments = tuple(
            Segment(0.0, take.duration, modality)
            for modality in (Modality.AUDIO, Modality.VIDEO)
            if modality.value in self.spec.modalities
        )
        details = {**ran.details, "normalisation": list(normaliser.steps)}
        return Outcome(
            take=made,
            labels=_labels(spec, job),
            segments=segments,
            masks=masks,
            voice_id=self._voice(job),
            face_id=(job.donor_face or None) if spec.family == "faceswap" else None,
            details=details,
        )

    def _forged_picture(self, job: Job, ran: Ran) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        from generators.external.compare import change_masks, same_picture

        normaliser, box, take = ran.normaliser, ran.normaliser.staged.box, job.take
        frames = normaliser.picture(ran.raw)
        reference = normaliser.reference()
        inside = slice(round(job.start * take.fps), max(round((job.start + job.seconds) * take.fps), 1))
        shown, before = box.cut(frames)[inside], reference if len(reference) == 1 else reference[inside]
        check_picture(self.external, shown, before)
        if same_picture(shown, before):
            raise JobError("output_identical", self.spec.name, "it shows what it was given")
        masks = np.zeros(take.frames.shape[:3], np.uint8)
        area = masks[:, box.y : box.y + box.height, box.x : box.x + box.width]
        if normaliser.staged.still is None:
            area[:] = change_masks(box.cut(frames), reference)
        else:
            masks[:] = 255  # a still picture that moves: nothing of the recording is left but one moment of it
        return frames, masks

    def _voice(self, job: Job) -> str | None:
        """Whose voice is heard; None leaves it to the build."""
        if "FA" not in self.external.makes:
            return None
        return (job.donor_voice or None) if self.external.inputs.reference is not None else self.external.name

    def _check_sound(self, job: Job, audio: NDArray[np.float32]) -> None:
        from generators.external.compare import SAME_SOUND, sound_likeness

        take = job.take
        window = slice(round(job.start * take.sample_rate), round((job.start + job.seconds) * take.sample_rate))
        check_sound(self.external, audio[window])
        if not np.isfinite(audio).all():
            raise JobError("output_corrupt", self.spec.name, "its sound is not finite")
        if "FA" not in self.external.makes:
            return
        if sound_likeness(audio[window], take.audio[window], take.sample_rate) >= SAME_SOUND:
            raise JobError("output_identical", self.spec.name, "it sounds as what it was given")


def _donor_streams(spec: ExternalSpec) -> tuple[str, ...]:
    """What of a donor is read; pictures cost most."""
    pictures = spec.inputs.source_face is not None or spec.inputs.driving is not None
    return ("frames", "audio", "track") if pictures else ("audio",)


def _labels(spec: ExternalSpec, job: Job) -> Labels:
    """Labels by family; whose face and voice they are is told by the relation of the donor.

    Lip-sync and talking heads driven by a donor's sound leave `identity_mismatch` to the build, which knows whose
    sound it is and names the clip's voice after it.
    """
    if spec.family in {"lipsync", "talking-head", "reenact"} and "RA" in spec.makes:
        identity = None if spec.sounds_like_donor and job.donor is not None else 0
    elif job.donor is None:
        # a voice of nobody in the set is not this person's; where only the picture is forged, everybody is themselves
        identity = int("FA" in spec.makes)
    else:
        identity = int(job.relation == "partner") if job.relation else None
    sync = 1 if spec.family == "tts" else 0
    return Labels(1, int("FA" in spec.makes), int("FV" in spec.makes), sync, identity)


def _track_of(spec: ExternalSpec, job: Job, ran: Ran, frames: NDArray[np.uint8]) -> FaceTrack | None:
    """The face in the forged picture: found anew where a tracker is installed, else that of the take, or of its still.

    Drawn faces have their track from the renderer, and no tracker finds them reliably.
    """
    take, steps = job.take, ran.normaliser.steps
    if take.track is None:
        return None
    times = np.arange(len(frames)) / take.fps
    if take.track.backend.startswith("mediapipe"):
        from cmdfd.faces.backends import get_backend
        from cmdfd.media.decode import Video

        try:
            backend = get_backend()
        except CmdfdError:
            backend = None
        if backend is not None:
            tracks = backend.track(Video(frames, times))
            if not tracks:
                raise JobError("face_not_found", spec.name, "no face is seen in its output")
            steps.append({"step": "face track", "by": tracks[0].backend})
            return replace(tracks[0], times=times)
    still = ran.normaliser.staged.still
    if still is None:
        steps.append({"step": "face track", "by": "target"})
        return take.track
    steps.append({"step": "face track", "by": "still", "frame": still})
    at = take.track.at(np.full(len(frames), still / take.fps))
    return replace(at, times=times)
