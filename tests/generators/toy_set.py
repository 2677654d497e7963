"""Small data sets with true media, tables and provenance, written without the build."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmdfd.clip import REAL, Clip, Labels, Modality, Rights, Segment, content_id, sha256_file
from cmdfd.dataset import BUILD_FILE, FORMAT_VERSION, BuildFile, Dataset, clip_paths
from cmdfd.media.encode import write_clip
from cmdfd.media.masks import write_mask
from cmdfd.media.settings import EncoderSettings
from cmdfd.splits import Identity, components
from cmdfd.tables import PROVENANCE, REFUSED, schema, write_table, write_tables
from generators.record import PROVENANCE_COLUMNS, REFUSED_COLUMNS

FPS, RATE, SIZE, FRAMES = 25.0, 16000, 64, 20
SETTINGS = EncoderSettings(preset="ultrafast", crf=18)
#: Where masks are: rows and columns.
BOX = (slice(40, 56), slice(16, 48))


@dataclass(frozen=True)
class Kind:
    """One fake kind. `drive` is "self", "cross" (the other person of the pair) or ""."""

    name: str
    labels: Labels
    drive: str = ""
    segments: tuple[Segment, ...] = ()
    mask: bool = False
    variant: str = ""
    shams: int = 0


@dataclass(frozen=True)
class Platform:
    """A version that every clip gets: scaled, at another rate, of another quality."""

    name: str
    scale: float = 1.0
    fps: float = FPS
    crf: int = 28
    confidence: str = ""


@dataclass(frozen=True, eq=False)
class Media:
    """What a clip was written from."""

    frames: NDArray[np.uint8]
    masks: NDArray[np.uint8] | None
    audio: NDArray[np.float32]


#: Pictures of scenes: width and height.
SCENES = {"interview": (160, 90), "grid": (128, 72), "portrait": (90, 160)}
PLATFORMS = (Platform("chat", 0.5, 30.0, confidence="medium"), Platform("chat+tube", 0.75, 25.0, 34, confidence="low"))


LIPSYNC_CROSS = Kind("lips/cross", Labels(1, 0, 1, 0, 1), "cross", (Segment(0, 0.8, Modality.VIDEO),), mask=True)
LIPSYNC_SELF = Kind("lips/self", Labels(1, 0, 1, 0, 0), "self", (Segment(0, 0.8, Modality.VIDEO),), mask=True)
HEAD_CROSS = Kind("head/cross", Labels(1, 0, 1, 1, 1), "cross", (Segment(0, 0.8, Modality.VIDEO),))
HEAD_SELF = Kind("head/self", Labels(1, 0, 1, 1, 0), "self", (Segment(0, 0.8, Modality.VIDEO),))
PARTIAL = Kind(
    "edit/part",
    Labels(1, 1, None, 1, 0),
    segments=(Segment(0.1, 0.18, Modality.AUDIO), Segment(0.5, 0.7, Modality.BOTH)),
    mask=True,
    variant="replace",
    shams=1,
)
CMDFD_KINDS = (LIPSYNC_CROSS, LIPSYNC_SELF, HEAD_CROSS, HEAD_SELF)


def write_toy_set(
    folder: Path,
    kinds: Sequence[Kind] = CMDFD_KINDS,
    *,
    splits: Sequence[str] = ("test",),
    people: int = 2,
    takes: int = 1,
    withheld: Sequence[str] = (),
    n_samples: Callable[[Kind | None], int] = lambda kind: round(FRAMES / FPS * RATE),
    provenance: Callable[[dict[str, Any]], dict[str, Any]] = lambda row: row,
    change: Callable[[Clip], Clip] = lambda clip: clip,
    refused: Sequence[dict[str, str]] = (),
    scenes: Sequence[str] = (),
    platforms: Sequence[Platform] = (),
    per_take: int | None = None,
) -> Dataset:
    """Write a set: in each split `people` (an even number, neighbours are partners) with `takes` each.

    Takes have the scenes (keys of `SCENES`) in turn; every clip also gets a version for each of the platforms. With
    `per_take`, a take has only so many of the kinds, in turn.
    """
    clips: list[Clip] = []
    rows: list[dict[str, Any]] = []
    for ordinal, (split, person, take) in enumerate(itertools.product(splits, range(people), range(takes))):
        key, partner = f"{split}-{person}-{take}", f"{split}-{person ^ 1}-{take}"
        scene = scenes[ordinal % len(scenes)] if scenes else ""
        mine = [kinds[(ordinal + k) % len(kinds)] for k in range(per_take)] if per_take else kinds
        plan = [(None, False, 0), *((kind, False, 0) for kind in mine)]
        plan += [(kind, True, number) for kind in mine for number in range(kind.shams)]
        for kind, sham, number in plan:
            clip, media = _clip(folder, split, person, (key, partner), (kind, sham, number), n_samples, scene)
            row = _provenance(clip, key, partner, kind)
            clips.append(change(clip))
            rows.append(provenance(row))
            for platform in platforms:
                version = change(_version(folder, clip, media, platform))
                clips.append(version)
                rows.append(provenance(_sent(row, clip, version, platform)))
    groups = components([Identity(one.face_id, one.voice_id, one.source_ids) for one in clips])
    clips = [replace(clip, component=group) for clip, group in zip(clips, groups, strict=True)]
    counts: dict[str, dict[str, int]] = {}
    for clip in clips:
        of_split = counts.setdefault(clip.split, {})
        of_split[clip.kind] = of_split.get(clip.kind, 0) + 1
    build = BuildFile(
        format_version=FORMAT_VERSION, name="toy", recipe={"name": "toy", "kinds": [{"kind": k.name} for k in kinds]},
        recipe_hash="0123", versions={}, encoder={}, counts=counts, refused={}, withheld=list(withheld),
        audit={"status": "not testable", "sentences": ["Too few components."]}, notes=["a note | with a bar"],
    )  # fmt: skip
    write_tables(folder, clips, withheld)
    write_table(folder / PROVENANCE, rows, schema(PROVENANCE_COLUMNS))
    write_table(folder / REFUSED, list(refused), schema(REFUSED_COLUMNS))
    (folder / BUILD_FILE).write_text(build.to_json())
    return Dataset.open(folder)


def _clip(
    folder: Path,
    split: str,
    who: int,
    keys: tuple[str, str],
    what: tuple[Kind | None, bool, int],
    n_samples: Callable[[Kind | None], int],
    scene: str,
) -> tuple[Clip, Media]:
    person, (key, partner), (kind, sham, number) = who, keys, what
    name = "real" if kind is None or sham else kind.name
    clip_id = content_id(key, kind.name if kind else "real", sham, number)
    paths = clip_paths(split, clip_id, 0)
    forged = kind is not None and not sham
    segments = kind.segments if forged and kind is not None else ()
    mask = forged and kind is not None and kind.mask
    width, height = SCENES.get(scene, (SIZE, SIZE))
    masks = np.zeros((FRAMES, height, width), np.uint8)
    for one in segments:
        masks[round(one.start * FPS) : round(one.end * FPS), BOX[0], BOX[1]] = 255 * mask
    rng = np.random.default_rng(list(key.encode()))
    frames = np.full((FRAMES, height, width, 3), rng.integers(60, 200, 3), np.uint8)
    frames[masks > 0] //= 2
    size = n_samples(kind if forged else None)
    audio = (0.3 * np.sin(2 * np.pi * rng.uniform(200, 900) * np.arange(size) / RATE)).astype(np.float32)
    for path in (paths.file, paths.mask):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
    write_clip(folder / paths.file, frames, FPS, audio, RATE, SETTINGS)
    if mask:
        write_mask(folder / paths.mask, masks, FPS)
    crossed = forged and kind is not None and kind.drive == "cross"
    clip = Clip(
        id=clip_id, split=split, file=paths.file, sha256=sha256_file(folder / paths.file),
        labels=kind.labels if forged and kind is not None else REAL, kind=name,
        variant=(kind.variant if forged else f"sham of {kind.name}") if kind else "",
        generator=kind.name if kind else "sham", face_id=f"{split}-p{person}",
        voice_id=f"{split}-p{person ^ 1 if crossed else person}-voice",
        source_ids=tuple(sorted({key, partner})) if crossed else (key,), component="", segments=segments,
        mask=paths.mask if mask else None, tracks=None, fps=FPS, n_frames=FRAMES, width=width, height=height,
        sample_rate=RATE, n_samples=size, rights=Rights("CC-BY-4.0" if person else "CC0-1.0", "given"), scene=scene,
    )  # fmt: skip
    return clip, Media(frames, masks if mask else None, audio)


def _version(folder: Path, clip: Clip, media: Media, platform: Platform) -> Clip:
    """A clip as a platform would leave it: the pictures nearest in time, scaled."""
    import cv2

    n = round(clip.duration * platform.fps)
    picks = np.minimum((np.arange(n) / platform.fps * FPS + 1e-6).astype(int), FRAMES - 1)
    size = (round(clip.width * platform.scale / 2) * 2, round(clip.height * platform.scale / 2) * 2)

    def sent(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.stack([cv2.resize(images[k], size, interpolation=cv2.INTER_AREA) for k in picks])

    clip_id = content_id(clip.id, platform.name)
    paths = clip_paths(clip.split, clip_id, 0)
    settings = replace(SETTINGS, crf=platform.crf)
    write_clip(folder / paths.file, sent(media.frames), platform.fps, media.audio, RATE, settings)
    if media.masks is not None:
        write_mask(folder / paths.mask, sent(media.masks), platform.fps)
    return replace(
        clip, id=clip_id, file=paths.file, sha256=sha256_file(folder / paths.file),
        mask=paths.mask if media.masks is not None else None, fps=platform.fps, n_frames=n, width=size[0],
        height=size[1], platform=platform.name, original=clip.id,
    )  # fmt: skip


def _sent(row: dict[str, Any], clip: Clip, version: Clip, platform: Platform) -> dict[str, Any]:
    parent = {"role": "original", "key": clip.id, "sha256": clip.sha256, "start": 0.0, "end": clip.duration}
    steps = [{"profile": name, "confidence": platform.confidence} for name in platform.name.split("+")]
    details = json.dumps({"chain": platform.name, "steps": steps})
    return {**row, "id": version.id, "parents": [*row["parents"], parent], "details": details}


def _provenance(clip: Clip, key: str, partner: str, kind: Kind | None) -> dict[str, Any]:
    forged = kind is not None and clip.kind != "real"
    drive = kind.drive if forged and kind is not None else ""
    donor = {"self": key, "cross": partner}.get(drive)
    parents = [{"role": role, "key": name, "sha256": "", "start": None, "end": None}
               for role, name in (("target", key), ("donor", donor)) if name is not None]  # fmt: skip
    return {
        "id": clip.id, "split": clip.split, "kind": clip.kind, "generator": clip.generator, "generator_version": 3,
        "generator_licence": "MIT", "output_licence": "", "watermark": "", "take": key, "index": 0,
        "relation": {"self": "self", "cross": "partner"}.get(drive, ""), "parents": parents,
        "known_cues": ["blur | of the mouth"] if forged else [], "rights_override": "",
    }  # fmt: skip
