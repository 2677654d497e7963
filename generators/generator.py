"""The generator contract: takes in memory, jobs, outcomes.

A generator turns a pristine take into a forged one. It never touches files: the build decodes, harmonises and
writes, so that real and forged clips walk the same way. Every take is at one constant frame rate with one mono
sound track, and its first sample sounds together with its first frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from cmdfd.clip import Labels, Segment
    from cmdfd.faces.tracks import FaceTrack


#: Families, in the field's words. "pairing" puts genuine sound under a genuine picture to which it does not belong.
FAMILIES = (
    "pairing",
    "lipsync",
    "talking-head",
    "reenact",
    "faceswap",
    "tts",
    "vc",
    "edit",
    "splice",
    "manual",
    "sham",
)


@dataclass(frozen=True, slots=True)
class Phone:
    """One spoken sound: IPA label, start and end in seconds."""

    label: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Word:
    """One spoken word: as written, start and end in seconds."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Speech:
    """What is known of the speech in a take: from the talkers, or from the user's word times.

    Args:
        text: The words.
        voice: JSON-able description of the synthetic voice, enough to speak other words with it; empty for people.
        phones: Spoken sounds in order; times on the take's clock. Empty where only the words are known.
        words: Words in order; times on the take's clock. Empty where they are unknown.
    """

    text: str
    voice: Mapping[str, Any]
    phones: tuple[Phone, ...]
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class EditedTake:
    """What an editor made of a take, on the take's clock and canvas.

    Args:
        frames: [T, H, W, 3] uint8 RGB, as many as the take has.
        audio: [N] float32 mono, as many samples as the take has.
        masks: [T, H, W] uint8, the matte, or None where the picture was left alone.
        segments: Edited stretches in seconds of the take's clock.
        details: JSON-able facts for the provenance table: tool, editor, operations, how it was aligned.
    """

    frames: NDArray[np.uint8]
    audio: NDArray[np.float32]
    masks: NDArray[np.uint8] | None
    segments: tuple[Segment, ...]
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """An audio-visual recording in memory.

    Args:
        frames: [T, H, W, 3] uint8 RGB.
        fps: Frames per second.
        audio: [N] float32 mono; N covers at least T / fps seconds.
        sample_rate: Samples per second.
        track: Face points at every frame, or None where no face was found.
        speech: Words and sounds, or None where they are unknown.
        edited: The same recording as somebody edited it, or None where nobody did (`generators.sources.manual`).
    """

    frames: NDArray[np.uint8]
    fps: float
    audio: NDArray[np.float32]
    sample_rate: int
    track: FaceTrack | None = None
    speech: Speech | None = None
    edited: EditedTake | None = None

    @property
    def duration(self) -> float:
        """Length of the picture in seconds."""
        return len(self.frames) / self.fps


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One piece of work for a generator.

    Args:
        take: The pristine target.
        donor: The take that drives or lends (sound, movement, face), where the spec asks for one: the target itself,
            another take of the same person, or one of a fixed partner in the same split; see `relation`.
        start: Seconds; where the written clip will begin inside the take. A generator that moves the sound in time
            may use what lies outside the window.
        seconds: Length of the written clip.
        params: The recipe's parameters for this kind.
        rng: The only source of chance.
        ordinal: Rank of the take in its split, for grades that shall be equally frequent.
        relation: Who the donor is: "self" (the target itself), "same" (same person), "partner", or "" without one.
        donor_face: The donor's face id, "" without one.
        donor_voice: The donor's voice id, "" without one.
        key: Content address of the job, for scratch files; "" in trials.
    """

    take: Take
    donor: Take | None
    start: float
    seconds: float
    params: Mapping[str, Any]
    rng: np.random.Generator
    ordinal: int = 0
    relation: str = ""
    donor_face: str = ""
    donor_voice: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a generator made.

    Args:
        take: The forged take, same length, frame rate and sample rate as the target.
        labels: What is now fake.
        segments: Forged stretches in seconds of the *take's* clock; the build moves them into the window.
        masks: [T, H, W] uint8, how much of a pixel is foreign: 255 wholly, less on a soft edge, 0 where nothing was
            changed (`cmdfd.media.masks.forged` tells which count as forged); None where none were.
        variant: Grade inside the kind, e.g. "80 ms"; "" where there is only one.
        voice_id: Replaces the clip's voice where a voice was changed, else None.
        face_id: Replaces the clip's face where a face was changed, else None.
        details: JSON-able facts for the provenance table: what ran, with what, and what was put right afterwards.
    """

    take: Take
    labels: Labels
    segments: tuple[Segment, ...]
    masks: NDArray[np.uint8] | None = None
    variant: str = ""
    voice_id: str | None = None
    face_id: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GeneratorSpec:
    """What a generator says of itself.

    Args:
        name: e.g. "audio/swap".
        family: One of `FAMILIES`.
        summary: One line for tables.
        modalities: Streams that it changes.
        needs_donor: Whether a job must carry a donor.
        needs_speech: Whether the take must know its words and sounds.
        needs_face: Whether the take must have a face track.
        known_cues: Traces that it is known to leave besides the forgery.
        licence: Licence of the generator's code.
        output_licence: Terms that its code or weights put on what they make, "" for none; clips inherit them.
        params: Allowed parameter names with their defaults.
        version: Goes up when the same job would give other bytes; part of every job's address.
        cost: Processor seconds for a second of video, measured on one core; None if unknown. For estimates.
        margin: Seconds of the take that it likes to have besides the clip; recordings are cut longer by that.
        watermark: What it marks its output with, "" for nothing.
        citation: Paper or project.
    """

    name: str
    family: str
    summary: str
    modalities: tuple[str, ...]
    needs_donor: bool = False
    needs_speech: bool = False
    needs_face: bool = False
    known_cues: tuple[str, ...] = ()
    licence: str = "Apache-2.0"
    output_licence: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1
    cost: float | None = None
    margin: float = 0.0
    watermark: str = ""
    citation: str = ""


class Generator(Protocol):
    """Something that forges. Raise `cmdfd.errors.JobError` with a code of `JOB_CODES` to refuse a job."""

    spec: GeneratorSpec

    def generate(self, job: Job) -> Outcome:
        """Forge one take; deterministic given `job`."""

    def sham(self, job: Job) -> Outcome:
        """Do everything that `generate` does to a take, except to forge: the same resampling, blending and coding.

        The outcome has the labels `cmdfd.clip.REAL`, no segments and no masks. What an in-memory generator does not
        touch needs no pass, so the take itself is a right answer for one that only rearranges.
        """
