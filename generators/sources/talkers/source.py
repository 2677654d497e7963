"""The embedded source: pristine takes of procedural talkers, no data set and no download needed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, ValidationError

from cmdfd.clip import SPLITS, Rights, content_id
from cmdfd.errors import CmdfdError, nearest
from generators.generator import Phone, Speech, Take, Word
from generators.sources.contract import SourceItem, SourcePlan
from generators.sources.talkers import sound, texts, voices
from generators.sources.talkers.identity import Identity, draw_identity
from generators.sources.talkers.motion import draw_motion, smooth
from generators.sources.talkers.speech import SAMPLE_RATE, Spoken, speak
from generators.sources.talkers.visemes import Manner, lip_tracks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from generators.sources.talkers.motion import Motion
    from generators.sources.talkers.visemes import LipTracks

#: Changes whenever the bytes of a take would; part of every item, so that caches never mix two renderers.
VERSION = 3
#: Sidecar of lip parameters beside a take.
VISEMES = "visemes.npz"
FPS = 25.0
RIGHTS = Rights("Apache-2.0", "synthetic")
#: Speech goes on at least this long after the last frame, seconds.
_OVERHANG = 0.05
_MAX_SENTENCES = 64
#: About the time that a short sentence takes, seconds.
_SHORT_SENTENCE = 2.2

# Names of the random streams of a clip; a changed knob in one does not shift the others.
_TEXT, _ROOM, _NOISE, _MOTION, _MANNER, _WANDER, _LIPS, _CAMERA, _SENSOR, _OTHER = range(100, 110)


class TalkerOptions(BaseModel):
    """Options of the recipe's source block.

    Args:
        cast: "a" or "b": two companies with no face, sentence or voice variant in common.
        size: Pixels of the square picture, 96 to 512.
        seconds: Length of a take, 1 to 30.
        difficulty: 0 (textbook articulation, quiet room) to 1 (sloppy, noisy).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cast: Literal["a", "b"] = "a"
    size: int = Field(default=224, ge=96, le=512)
    seconds: float = Field(default=3.8, ge=1.0, le=30.0)
    difficulty: float = Field(default=0.5, ge=0.0, le=1.0)


class SplitSize(BaseModel):
    """How many people a split has, and how many takes each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    identities: NonNegativeInt
    clips: PositiveInt


def _size_of(split: str, given: Mapping[str, Any]) -> SplitSize:
    try:
        return SplitSize.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        known = ", ".join(SplitSize.model_fields)
        raise CmdfdError(f"splits.{split}.{name}: {first['msg']}; talkers take {known}") from error


class TalkerSpec(BaseModel):
    """The spec of a planned take: everything that its bytes depend on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int
    cast: Literal["a", "b"]
    split: str
    face_seed: int
    clip: int
    size: int
    seconds: float
    difficulty: float


def _face_seed(seed: int, cast: str, split: str, index: int) -> int:
    """48 bits; faces of different casts, splits and numbers differ."""
    return int(content_id("talker", VERSION, seed, cast, split, index, length=12), 16)


def _rng(spec: TalkerSpec, stream: int) -> np.random.Generator:
    return np.random.default_rng([spec.face_seed, spec.clip, stream])


def _voice(spec: TalkerSpec, person: Identity) -> dict[str, Any]:
    return voices.draw_voice(spec.cast, spec.split, person.sex, np.random.default_rng([spec.face_seed, 5]))


def _say(spec: TalkerSpec, voice: Mapping[str, Any], room: sound.Room) -> tuple[str, Spoken]:
    """Enough sentences to fill the take, and their sound."""
    need = spec.seconds - room.lead + _OVERHANG
    drawn = texts.draw_sentences(spec.cast, spec.split, _MAX_SENTENCES, _rng(spec, _TEXT))
    rate = float(voice["rate"]) / 60.0 / 1.2  # words a second, pauses counted
    said = drawn[:1]
    while sum(len(sentence.split()) for sentence in said) / rate < need - _SHORT_SENTENCE:
        said.append(drawn[len(said)])
    while len(said) < len(drawn):
        # end with a short sentence, so that little is said after the last frame
        last = min(drawn[len(said) : len(said) + 8], key=len)
        text = " ".join([*said, last])
        spoken = speak(text, voice, spec.clip)
        if spoken.speech_end >= need:
            return text, spoken
        said.append(drawn[len(said)])
    raise ValueError(f"{_MAX_SENTENCES} sentences do not fill {spec.seconds} s")


def _other_voice(spec: TalkerSpec, room: sound.Room) -> Spoken | None:
    """The competing talker of the same cell, or None where there is none."""
    if not np.isfinite(room.babble_snr):
        return None
    rng = _rng(spec, _OTHER)
    sex = "male" if rng.random() < 0.5 else "female"
    voice = voices.draw_voice(spec.cast, spec.split, sex, rng)
    return speak(texts.draw_sentences(spec.cast, spec.split, 1, rng)[0], voice, spec.clip)


def _shifted(phones: Sequence[Phone], lead: float) -> tuple[Phone, ...]:
    return tuple(Phone(p.label, p.start + lead, p.end + lead) for p in phones)


def _shifted_words(words: Sequence[Word], lead: float) -> tuple[Word, ...]:
    return tuple(Word(word.text, word.start + lead, word.end + lead) for word in words)


@dataclass(frozen=True, slots=True, eq=False)
class Performance:
    """What is said and done in a take, before anything is drawn.

    Args:
        speech: Words, voice and sounds; times on the take's clock.
        audio: [N] float32 at 16 kHz; longer than the picture.
        motion: Head, gaze, brows and blinks per frame.
        lips: Lip parameters (visemes) per frame.
    """

    speech: Speech
    audio: NDArray[np.float32]
    motion: Motion
    lips: LipTracks


def perform(item: SourceItem) -> Performance:
    """Speak and move without drawing: sound, sounds, movement and visemes of a take (some hundredths of a second).

    Raises:
        MissingExtraError: If the `talkers` extra is absent.
    """
    spec = TalkerSpec.model_validate(item.spec)
    person = draw_identity(spec.face_seed)
    voice = _voice(spec, person)
    room = sound.draw_room(spec.difficulty, _rng(spec, _ROOM))
    text, spoken = _say(spec, voice, room)
    n_frames = round(spec.seconds * FPS)
    n_samples = max(round((spoken.duration + room.lead) * SAMPLE_RATE), int(np.ceil(n_frames / FPS * SAMPLE_RATE)))
    other = _other_voice(spec, room)
    audio = sound.record(spoken.samples, n_samples, room, None if other is None else other.samples, _rng(spec, _NOISE))
    phones = _shifted(spoken.phones, room.lead)
    # the mouth knows the words, not the room: its loudness is that of the dry speech
    dry = np.concatenate([np.zeros(round(room.lead * SAMPLE_RATE), np.float32), spoken.samples])
    loudness = sound.envelope(dry, n_frames, FPS)
    motion = draw_motion(FPS, loudness, _rng(spec, _MOTION))
    lips = lip_tracks(phones, loudness, FPS, _manner(spec, person), _wander(spec, n_frames), _rng(spec, _LIPS))
    described = {**voice, "revoice": dict(revoice_voice(item)), "room": spec.model_dump()}
    speech = Speech(text, described, phones, _shifted_words(spoken.words, room.lead))
    return Performance(speech, audio, motion, lips)


def in_room(room: Mapping[str, Any], spoken: NDArray[np.float32]) -> NDArray[np.float32]:
    """Record other words in the very situation of a take: its echoes, its level, its noise and its other talker.

    So that a re-voiced take differs from the genuine one by its voice alone.

    Args:
        room: `speech.voice["room"]` of the take.
        spoken: [N] dry speech at 16 kHz on the take's clock.

    Returns:
        [N] float32 in [-1, 1].
    """
    spec = TalkerSpec.model_validate(dict(room))
    situation = sound.draw_room(spec.difficulty, _rng(spec, _ROOM))
    other = _other_voice(spec, situation)
    dry = spoken[round(situation.lead * SAMPLE_RATE) :]
    return sound.record(dry, len(spoken), situation, None if other is None else other.samples, _rng(spec, _NOISE))


def render_take(item: SourceItem) -> Take:
    """Make one take: a pure function of `item.spec` (on one machine with one set of libraries, byte for byte).

    The words begin after up to a quarter of a second of the room's noise and go on past the last frame; the sound
    track holds the whole text and is thus longer than the picture.

    Raises:
        MissingExtraError: If the `talkers` extra is absent.
    """
    return draw(item, perform(item))


def draw(item: SourceItem, done: Performance) -> Take:
    """Draw what is said and done in a take."""
    import cv2

    from generators.sources.talkers import render
    from generators.sources.talkers.camera import draw_camera

    spec = TalkerSpec.model_validate(item.spec)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # workers share the cores already
    try:
        head = render.cached_head(spec.face_seed)
        renderer = render.Renderer(head, draw_camera(spec.size, _rng(spec, _CAMERA)), _rng(spec, _SENSOR))
        frames = render.render(renderer, done.motion, done.lips)
        track = render.track(renderer, done.motion, done.lips, FPS)
    finally:
        cv2.setNumThreads(threads)
    return Take(frames, FPS, done.audio, SAMPLE_RATE, track, done.speech)


def _manner(spec: TalkerSpec, person: Identity) -> Manner:
    rng, hard = _rng(spec, _MANNER), spec.difficulty
    lag, slack = float(rng.normal(0.0, 0.025)) * hard, 1.0 - 0.35 * hard * float(rng.random())
    return Manner(hard, person.strength, lag, slack)


def _wander(spec: TalkerSpec, n_frames: int) -> tuple[Any, Any, float]:
    rng = _rng(spec, _WANDER)
    constant = float(rng.normal())
    return smooth(n_frames, FPS, 0.35, rng), smooth(n_frames, FPS, 0.5, rng), constant


def revoice_voice(item: SourceItem) -> Mapping[str, Any]:
    """The reserved voice that forges an item's talker: same accent, rate and sex, a variant that no talker uses.

    It is one per person. Speak with `speech.speak(text, voice, seed)`.
    """
    spec = TalkerSpec.model_validate(item.spec)
    person = draw_identity(spec.face_seed)
    rng = np.random.default_rng([spec.face_seed, 6])
    return voices.draw_reserved(spec.cast, spec.split, person.sex, _voice(spec, person), rng)


class TalkerSource:
    """Procedural talkers as a `generators.sources.contract.Source`.

    Args:
        options: See `TalkerOptions`.
    """

    OPTIONS = TalkerOptions

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = TalkerOptions.model_validate(dict(options))

    def plan(self, splits: Mapping[str, Mapping[str, Any]], seed: int) -> SourcePlan:
        """List the takes: for every split its people, for every person its takes.

        Args:
            splits: Split name to `{"identities": ..., "clips": ...}`.
            seed: Seed of the cast's faces.

        Raises:
            CmdfdError: If a split is unknown, or its sizes are no numbers.
        """
        unknown = [name for name in splits if name not in SPLITS]
        if unknown:
            raise CmdfdError(f"talkers have no split {unknown[0]!r}: {nearest(unknown[0], SPLITS)}")
        sizes = {name: _size_of(name, splits[name]) for name in SPLITS if name in splits}
        items = [
            self._item(seed, split, person, clip)
            for split, size in sizes.items()
            for person in range(size.identities)
            for clip in range(size.clips)
        ]
        return SourcePlan(tuple(items))

    def _item(self, seed: int, split: str, person: int, clip: int) -> SourceItem:
        options = self.options
        face_seed = _face_seed(seed, options.cast, split, person)
        spec = TalkerSpec(
            version=VERSION,
            cast=options.cast,
            split=split,
            face_seed=face_seed,
            clip=clip,
            size=options.size,
            seconds=options.seconds,
            difficulty=options.difficulty,
        )
        name = f"talker-{face_seed:012x}"
        return SourceItem(
            key=f"{options.cast}-{split}-{person:03d}-{clip}",
            face_id=name,
            voice_id=f"{name}-voice",
            source_ids=(f"{name}-{clip}",),
            split=split,
            rights=RIGHTS,
            spec=spec.model_dump(),
        )

    def materialise(self, item: SourceItem, folder: Path) -> None:
        """Render one take and store it in an empty folder.

        Besides the files of `generators.sources.store.save_take` (landmarks in `track.npz`, words and phonemes in
        `speech.json`), `visemes.npz` holds the lip parameters of every frame that the mouth was drawn with.
        """
        from generators.sources.store import save_take

        done = perform(item)
        save_take(folder, draw(item, done))
        with (folder / VISEMES).open("wb") as stream:
            np.savez(stream, **{field.name: getattr(done.lips, field.name) for field in fields(done.lips)})

    def neutral(self) -> Sequence[str]:
        """Packages whose versions change the bytes of a take."""
        return ("numpy", "opencv-python-headless", "scipy", "espeakng-loader")
