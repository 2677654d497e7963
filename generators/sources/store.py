"""Pristine takes on disk, as sources leave them for the build: `clip.mkv`, `track.npz`, `speech.json`, `take.json`.

Takes that somebody edited have that version beside them, see `generators.sources.manual_store`.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cmdfd.cache import write_atomic
from cmdfd.errors import MediaError
from cmdfd.faces.tracks import load_track, save_track
from generators.generator import Phone, Speech, Take, Word
from generators.sources.manual_store import load_edited, save_edited

if TYPE_CHECKING:
    from pathlib import Path

    from cmdfd.media.encode import EncoderSettings

CLIP, TRACK, SPEECH, FACTS = "clip.mkv", "track.npz", "speech.json", "take.json"
#: Containers store rounded times, so a rate within this share of a common one is that one.
_RATE_TOLERANCE = 2e-3
_COMMON_RATES = (24000 / 1001, 24.0, 25.0, 30000 / 1001, 30.0, 50.0, 60000 / 1001, 60.0)


class _Phone(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str
    start: float
    end: float


class _Word(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str
    start: float
    end: float


class _SpeechFile(BaseModel):
    """`speech.json`: words and sounds of a take, times in seconds on its clock. Version 1 has no word times."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1, 2] = 2
    text: str
    voice: dict[str, Any]
    phones: list[_Phone]
    words: list[_Word] = Field(default_factory=list)


class _FactsFile(BaseModel):
    """`take.json`: the exact rates, which a container may only hold rounded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    fps: float = Field(gt=0)
    sample_rate: int = Field(gt=0)


def save_take(folder: Path, take: Take, settings: EncoderSettings | None = None) -> None:
    """Write a take into a folder; the same bytes for the same take.

    Args:
        folder: Existing folder.
        take: Picture, sound, and what is known of face and speech.
        settings: Encoder of the picture and sound, `cmdfd.media.encode.LOSSLESS_SOURCE` if None.
    """
    from cmdfd.media.encode import LOSSLESS_SOURCE, write_clip

    chosen = settings if settings is not None else LOSSLESS_SOURCE
    write_clip(folder / CLIP, take.frames, take.fps, take.audio, take.sample_rate, chosen)
    if take.track is not None:
        save_track(folder / TRACK, take.track)
    if take.speech is not None:
        phones = [_Phone(**asdict(phone)) for phone in take.speech.phones]
        words = [_Word(**asdict(word)) for word in take.speech.words]
        said = _SpeechFile(text=take.speech.text, voice=dict(take.speech.voice), phones=phones, words=words)
        _write(folder / SPEECH, said)
    _write(folder / FACTS, _FactsFile(fps=take.fps, sample_rate=take.sample_rate))
    if take.edited is not None:
        save_edited(folder, take, chosen)


def _write(path: Path, model: BaseModel) -> None:
    text = json.dumps(model.model_dump(), sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_atomic(path, text.encode())


def load_take(folder: Path, *, frames: bool = True) -> Take:
    """Read a take back.

    Args:
        folder: Where a source wrote it.
        frames: False leaves the picture undecoded: the frames then have length 0, and `Take.duration` is 0. An edited
            version is not read either.

    Raises:
        MediaError: If the clip is missing or cannot be decoded, or a sidecar is not what it should be.
    """
    from cmdfd.media.decode import read_audio, read_clip
    from cmdfd.media.probe import probe

    path = folder / CLIP
    fps, sample_rate = _rates(folder)
    if fps is None or sample_rate is None:
        info = probe(path)
        if info.video is None or info.audio is None or info.video.fps is None:
            raise MediaError("no_audio" if info.video else "no_video", path)
        fps, sample_rate = _common_rate(info.video.fps), info.audio.sample_rate
    track = load_track(folder / TRACK) if (folder / TRACK).is_file() else None
    speech = _read_speech(folder / SPEECH)
    if not frames:
        sound = read_audio(path, sample_rate=sample_rate)
        return Take(np.zeros((0, 0, 0, 3), np.uint8), fps, sound.samples, sample_rate, track, speech)
    clip = read_clip(path, sample_rate=sample_rate)
    if clip.audio is None:
        raise MediaError("no_audio", path)
    edited = load_edited(folder, sample_rate)
    return Take(clip.video.frames, fps, clip.audio.samples, sample_rate, track, speech, edited)


def _rates(folder: Path) -> tuple[float | None, int | None]:
    path = folder / FACTS
    if not path.is_file():
        return None, None
    try:
        facts = _FactsFile.model_validate_json(path.read_text("utf-8"))
    except (ValueError, ValidationError) as error:
        raise MediaError("not_media", path, f"not a take's facts: {error}") from error
    return facts.fps, facts.sample_rate


def _common_rate(measured: float) -> float:
    near = min(_COMMON_RATES, key=lambda rate: abs(rate - measured))
    return near if abs(near - measured) <= _RATE_TOLERANCE * near else measured


def _read_speech(path: Path) -> Speech | None:
    if not path.is_file():
        return None
    try:
        data = _SpeechFile.model_validate_json(path.read_text("utf-8"))
    except (ValueError, ValidationError) as error:
        raise MediaError("not_media", path, f"not a take's speech: {error}") from error
    phones = tuple(Phone(one.label, one.start, one.end) for one in data.phones)
    return Speech(data.text, data.voice, phones, tuple(Word(one.text, one.start, one.end) for one in data.words))
