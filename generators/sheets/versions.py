"""Scenes and platforms in the numbers of a data sheet: how often each is there, and what it does to a clip."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cmdfd.clip import Clip
    from cmdfd.dataset import Dataset
    from generators.sheets.origins import Origin

#: What the clips of a set are called that no platform has touched.
ORIGINAL = "original"


class CellRow(BaseModel):
    """Clips of one split, scene, platform and kind.

    Args:
        split: Its name.
        scene: Layout, "" for single pictures.
        platform: Chain of platforms, "" for the originals.
        kind: "real" or the kind of fake.
        clips: Number.
        seconds: Length of the pictures.
        masks: Clips with a mask of changed pixels.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    split: str
    scene: str
    platform: str
    kind: str
    clips: int
    seconds: float
    masks: int


class PlatformRow(BaseModel):
    """What a platform leaves of the clips.

    Args:
        platform: Chain of platforms, "" for the originals.
        sizes: "WxH" -> clips, commonest first.
        fps: Frames per second, as text -> clips, commonest first.
        kbit_per_second: Median over the clips of file size by length; None where files are missing.
        confidence: Profile -> how sure its settings are; empty for originals and where nobody says.
        audit: Status of the audit gate over these clips alone, None where it did not run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    platform: str
    sizes: dict[str, int]
    fps: dict[str, int]
    kbit_per_second: float | None
    confidence: dict[str, str]
    audit: str | None


def count_cells(clips: Sequence[Clip], ranks: Sequence[Sequence[str]]) -> tuple[CellRow, ...]:
    """Count clips by everything at once; nothing for a set without scenes and platforms.

    Args:
        clips: All that may be shown, versions too.
        ranks: Splits, scenes, platforms and kinds in the order of the rows.
    """
    if not any(clip.scene or clip.platform for clip in clips):
        return ()
    groups: dict[tuple[str, str, str, str], list[Clip]] = {}
    for clip in clips:
        groups.setdefault((clip.split, clip.scene, clip.platform, clip.kind), []).append(clip)
    order = [{name: rank for rank, name in enumerate(names)} for names in ranks]

    def place(key: tuple[str, ...]) -> list[int]:
        return [known[name] for known, name in zip(order, key, strict=True)]

    return tuple(
        CellRow(
            split=key[0],
            scene=key[1],
            platform=key[2],
            kind=key[3],
            clips=len(groups[key]),
            seconds=round(sum(clip.duration for clip in groups[key]), 3),
            masks=sum(clip.mask is not None for clip in groups[key]),
        )
        for key in sorted(groups, key=place)
    )


def count_platforms(
    dataset: Dataset, clips: Sequence[Clip], came: Mapping[str, Origin], names: Sequence[str]
) -> tuple[PlatformRow, ...]:
    """What each platform does to clips; nothing for a set without platforms.

    Args:
        dataset: The set.
        clips: All that may be shown.
        came: Origin of each clip.
        names: Platforms in order, the originals' "" among them.
    """
    if not any(clip.platform for clip in clips):
        return ()
    return tuple(_platform(dataset, name, [c for c in clips if c.platform == name], came) for name in names)


def _platform(dataset: Dataset, name: str, clips: Sequence[Clip], came: Mapping[str, Origin]) -> PlatformRow:
    rates = [rate for clip in clips if (rate := bit_rate(dataset, clip)) is not None]
    return PlatformRow(
        platform=name,
        sizes=_commonest(f"{clip.width}x{clip.height}" for clip in clips),
        fps=_commonest(f"{clip.fps:.4g}" for clip in clips),
        kbit_per_second=round(statistics.median(rates) / 1000, 1) if rates else None,
        confidence=_confidence(clips, came) if name else {},
        audit=_audit(dataset, name),
    )


def _audit(dataset: Dataset, name: str) -> str | None:
    """Status of the gate over one platform's clips."""
    told = dataset.build.audit or {}
    others = {key: str(one.get("status")) for key, one in (told.get("platforms") or {}).items()}
    if name:
        return others.get(name)
    status = told.get("originals", told.get("status"))
    return None if status is None else str(status)


def bit_rate(dataset: Dataset, clip: Clip) -> float | None:
    """Bits per second of a clip's file, sound and container included; None where it is missing."""
    path = dataset.path_of(clip)
    return 8 * path.stat().st_size / clip.duration if path.is_file() else None


def _commonest(names: Any) -> dict[str, int]:
    found = Counter(names)
    return {name: found[name] for name in sorted(found, key=lambda name: (-found[name], name))}


def _confidence(clips: Sequence[Clip], came: Mapping[str, Origin]) -> dict[str, str]:
    """What the profiles of a chain say of themselves, in its order; the first clip speaks for all."""
    for clip in clips:
        try:
            details = json.loads(came[clip.id].row.get("details") or "{}")
            steps = details.get("steps") or []
            return {str(one["profile"]): str(one["confidence"]) for one in steps if one.get("confidence")}
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
    return {}


def scene_order(dataset: Dataset, clips: Sequence[Clip]) -> list[str]:
    """Layouts as the recipe names them, then others by name; "" last."""
    block = dataset.build.recipe.get("scenes")
    return _ordered(block.get("layouts") if isinstance(block, dict) else None, {clip.scene for clip in clips} - {""})


def platform_order(dataset: Dataset, clips: Sequence[Clip]) -> list[str]:
    """The originals' "" first, then platforms as the recipe names them, then others by name."""
    block = dataset.build.recipe.get("social")
    names = {clip.platform for clip in clips} - {""}
    return ["", *_ordered(block.get("chains") if isinstance(block, dict) else None, names)]


def _ordered(named: Any, present: set[str]) -> list[str]:
    first = [name for name in named if name in present] if isinstance(named, list) else []
    return [*dict.fromkeys(first), *sorted(present - set(first))]
