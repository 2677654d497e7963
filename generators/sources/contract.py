"""The source contract: where pristine clips come from, with identities and rights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cmdfd.clip import Rights


@dataclass(frozen=True, slots=True)
class SourceItem:
    """One planned pristine take; JSON-able, cheap to make, the same on every machine.

    Args:
        key: Unique inside the source; also the name of its folder in the build's work area.
        face_id: The person seen.
        voice_id: The person (or synthetic voice) heard.
        source_ids: Recordings it was cut from; two takes of one file share one.
        split: "train", "validation" or "test" where the source fixes it (talkers do), else None.
        rights: Licence, consent, pristine.
        spec: Whatever `materialise` needs, JSON-able. Part of the content address of everything made from it.
    """

    key: str
    face_id: str
    voice_id: str
    source_ids: tuple[str, ...]
    split: str | None
    rights: Rights
    spec: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that the source cannot use, with a code of `cmdfd.errors.MEDIA_CODES` and the reason."""

    file: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """All pristine takes of a source, and what it could not use."""

    items: tuple[SourceItem, ...]
    refused: tuple[Refused, ...] = ()


class Source(Protocol):
    """Where pristine takes come from."""

    def plan(self, splits: Mapping[str, Mapping[str, Any]], seed: int) -> SourcePlan:
        """List the takes for a recipe's `splits` block."""

    def materialise(self, item: SourceItem, folder: Path) -> None:
        """Write one take into an empty `folder` (a pure function of `item`).

        `clip.mkv` holds picture and sound, `track.npz` the face track (absent where no face was found),
        `speech.json` words and sounds (absent where unknown). See `generators.sources.store`.
        """

    def neutral(self) -> Sequence[str]:
        """Names of packages whose versions change the bytes of what is made."""
