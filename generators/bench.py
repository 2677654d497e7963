"""What all clips of one take have in common while they are made."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cmdfd.clip import Rights
from cmdfd.errors import MediaError
from generators.registry import donor_streams
from generators.sources.contract import SourceItem
from generators.sources.store import load_take

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cmdfd.media.encode import EncodedVideo, EncoderSettings
    from cmdfd.media.harmonise import HarmoniseSettings
    from generators.generator import Take
    from generators.splice.scenes.scene import Scene
    from generators.stopwatch import Stopwatch

Payload = "Mapping[str, Any]"


def item_of(data: Mapping[str, Any]) -> SourceItem:
    """Read a source item back from `dataclasses.asdict`."""
    return SourceItem(**{**data, "source_ids": tuple(data["source_ids"]), "rights": Rights(**data["rights"])})


def start_of(place: float, available: float, settings: HarmoniseSettings) -> float:
    """Seconds at which the written window begins inside a take.

    Starts lie on the frame grid from 0 on. Their number is a power of two, which `audio/desync` needs to move the
    sound both ways without changing where it tends to begin.

    Args:
        place: In [0, 1).
        available: Seconds that both picture and sound cover.
        settings: Of the written clips.

    Raises:
        MediaError: "too_short" if the take is shorter than a clip.
    """
    count = math.floor((available - settings.seconds) * settings.fps + 1e-6) + 1
    if count < 1:
        raise MediaError("too_short", "take", f"{available:.2f} s, a clip needs {settings.seconds:g} s (--seconds)")
    usable = 1 << (count.bit_length() - 1)
    return math.floor(place * usable) / settings.fps


@dataclass(frozen=True, slots=True, eq=False)
class Lender:
    """A donor's take as far as it was decoded, and what the source says of it."""

    item: SourceItem
    take: Take


@dataclass(eq=False, slots=True)
class Bench:
    """Everything that the clips of one take share.

    Args:
        payload: See `generators.jobs.clips_payload`.
        work: The build's work area.
        out: The data set's folder.
        item: The take's item.
        take: The decoded take.
        settings: Form of the clips.
        encoder: Encoder of this take's clips.
        start: Seconds at which the written window begins.
        watch: Where the time goes.
        scene: The scene that its clips are, or None.
        plain: That scene with nothing forged, once it is composed.
        lenders: Decoded donors by key.
        pictures: Encoded pictures by the address of the frames, which are kept too: an address names them only as
            long as they live.
    """

    payload: Mapping[str, Any]
    work: Path
    out: Path
    item: SourceItem
    take: Take
    settings: HarmoniseSettings
    encoder: EncoderSettings
    start: float
    watch: Stopwatch
    scene: Scene | None = None
    plain: Take | None = None
    lenders: dict[str, Lender] = field(default_factory=dict)
    pictures: dict[int, tuple[Any, EncodedVideo]] = field(default_factory=dict)

    @property
    def bystanders(self) -> tuple[str, ...]:
        """Keys of those who stand beside the take, in the order of the scene's panels."""
        return tuple(self.payload["bystanders"])

    def folder_of(self, key: str) -> Path:
        """Where the source wrote a take."""
        return self.work / "takes" / str(self.payload["made"][key]["folder"])

    def lender(self, key: str) -> Lender:
        """The donor with a key; decoded once, and only as far as this take's generators need.

        Raises:
            MediaError: If it could not be made or read.
        """
        if key == self.item.key:
            return Lender(self.item, self.take)
        if key not in self.lenders:
            if key not in self.payload["made"]:
                role = "stand beside it" if key in self.bystanders else "drive it"
                raise MediaError("unsupported", self.item.key, f"the take that should {role}, {key}, failed")
            clips = [clip for clip in self.payload["clips"] if clip["donor"] == key]
            wanted = frozenset().union(*(donor_streams(clip["generator"]) for clip in clips))
            seen = "frames" in wanted or key in self.bystanders
            take = load_take(self.folder_of(key), frames=seen)
            self.lenders[key] = Lender(item_of(self.payload["donors"][key]), take)
        return self.lenders[key]


def set_up(payload: Mapping[str, Any], work: Path, out: Path, watch: Stopwatch) -> Bench:
    """Decode a take and find its window.

    Raises:
        MediaError: If the take cannot be read or is shorter than a clip.
    """
    from cmdfd.media.harmonise import HarmoniseSettings, settings_for

    settings = HarmoniseSettings.from_dict(payload["harmonise"])
    item = item_of(payload["item"])
    take = load_take(work / "takes" / payload["made"][item.key]["folder"])
    own = min(take.duration, len(take.audio) / take.sample_rate)
    available = own if payload["within"] is None else min(own, payload["within"])
    start = start_of(payload["place"], available, settings)
    encoder, scene = settings_for(settings, payload["crf"]), None
    if payload["scene"] is not None:
        from generators.splice.scenes.scene import Scene

        scene = Scene.from_dict(payload["scene"])
        settings = replace(settings, width=scene.width, height=scene.height)
    return Bench(payload, work, out, item, take, settings, encoder, start, watch, scene)
