"""What a clip is: labels, segments, identities and rights. Records only, no input or output."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

#: Splits as the Hugging Face Hub names them.
SPLITS = ("train", "validation", "test")

#: The `kind` of an unforged clip.
REAL_KIND = "real"


class Modality(StrEnum):
    """What a segment or a generator changes."""

    AUDIO = "audio"
    VIDEO = "video"
    BOTH = "audiovisual"


@dataclass(frozen=True, slots=True)
class Segment:
    """A forged stretch of a clip.

    Args:
        start: Seconds from the first frame of the written clip, >= 0.
        end: Seconds, > start.
        modality: What was changed there.
    """

    start: float
    end: float
    modality: Modality

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start) and math.isfinite(self.end)) or not 0 <= self.start < self.end:
            raise ValueError(f"segment needs 0 <= start < end in seconds, got [{self.start}, {self.end}]")


@dataclass(frozen=True, slots=True)
class Labels:
    """What is known about a clip: 1 = fake or mismatch, 0 = not, None = unknown and never guessed.

    CMDFD's published S and I columns mean 1 = match; its readers invert them.
    """

    label: int | None
    audio_label: int | None
    video_label: int | None
    sync_mismatch: int | None
    identity_mismatch: int | None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value not in (0, 1, None):
                raise ValueError(f"{field.name} must be 0, 1 or None, got {value!r}")


REAL = Labels(label=0, audio_label=0, video_label=0, sync_mismatch=0, identity_mismatch=0)


@dataclass(frozen=True, slots=True)
class Rights:
    """Licence and consent of a clip; the most restrictive ones of its sources are inherited.

    Args:
        licence: SPDX id or a short name, e.g. "CC-BY-4.0", "Apache-2.0", "unclear".
        consent: "synthetic" (no person), "given", "public-figure", or "unknown".
        pristine: False where the source is known to be edited or generated already.
    """

    licence: str
    consent: str
    pristine: bool = True


@dataclass(frozen=True, slots=True)
class Clip:
    """One row of a data set.

    `id` says nothing about the class. `component` is the connected component over face, voice and source ids and
    is the unit of every split, bootstrap and permutation. `kind` is "real" or the recipe's name of the fake kind,
    e.g. "audio/swap"; `variant` is a finer grade inside a kind, e.g. "80 ms". `tracks` and `mask` are paths
    relative to the data set's folder, or None. Times are in seconds.
    """

    id: str
    split: str
    file: str
    sha256: str
    labels: Labels
    kind: str
    variant: str
    generator: str
    face_id: str
    voice_id: str
    source_ids: tuple[str, ...]
    component: str
    segments: tuple[Segment, ...]
    mask: str | None
    tracks: str | None
    fps: float
    n_frames: int
    width: int
    height: int
    sample_rate: int
    n_samples: int
    rights: Rights
    scene: str = ""
    platform: str = ""
    original: str = ""
    mask_sha256: str = ""
    tracks_sha256: str = ""

    @property
    def duration(self) -> float:
        """Length of the picture in seconds."""
        return self.n_frames / self.fps


def content_id(*parts: Any, length: int = 16) -> str:
    """Hash JSON-able parts to a stable opaque id.

    Args:
        *parts: Anything that `json.dumps` takes.
        length: Number of hexadecimal digits, at most 64.

    Returns:
        The first digits of the SHA-256 of the canonical JSON.
    """
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:length]


def sha256_file(path: Path, chunk: int = 1 << 20) -> str:
    """SHA-256 of a file in hexadecimal digits, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(chunk):
            digest.update(block)
    return digest.hexdigest()
