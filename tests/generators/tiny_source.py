"""A source for tests: a moving pattern with an opening mouth, and tones; cheap and deterministic."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cmdfd.clip import Rights
from cmdfd.errors import MediaError
from cmdfd.faces.tracks import FaceTrack
from generators.generator import Take
from generators.options import BuildOptions
from generators.sources.contract import Refused, SourceItem, SourcePlan
from generators.sources.store import save_take

FPS, RATE, SIZE = 25.0, 16000, 64
#: Of the tiny recipe.
KINDS: list[Any] = [
    {"kind": "audio/swap"},
    {"kind": "audio/desync", "params": {"milliseconds": [80, 160]}},
    {"kind": "audio/swap-partial", "generator": "audio/swap", "params": {"span": [0.2, 0.4]}},
    {"kind": "video/mouth_warp"},
]
HARMONISE: dict[str, Any] = {"width": 64, "height": 64, "seconds": 1.0, "crf": (25, 28), "preset": "ultrafast"}
SERIAL = BuildOptions(executor="serial")
#: A face in the unit square: jaw, brows, nose, eyes, mouth.
JAW = [(0.5 - 0.3 * np.cos(a), 0.45 + 0.4 * np.sin(a)) for a in np.linspace(0, np.pi, 17)]
BROWS = [(x, 0.3) for x in (*np.linspace(0.27, 0.43, 5), *np.linspace(0.57, 0.73, 5))]
NOSE = [*((0.5, y) for y in np.linspace(0.38, 0.53, 4)), *((x, 0.56) for x in np.linspace(0.44, 0.56, 5))]
EYES = [
    (0.30, 0.38), (0.34, 0.365), (0.38, 0.365), (0.42, 0.38), (0.38, 0.39), (0.34, 0.39),
    (0.58, 0.38), (0.62, 0.365), (0.66, 0.365), (0.70, 0.38), (0.66, 0.39), (0.62, 0.39),
]  # fmt: skip


def mouth(opening: float) -> list[tuple[float, float]]:
    """Points 48 to 67 for an opening as a fraction of the picture."""

    def line(xs: Sequence[float], height: float) -> list[tuple[float, float]]:
        return [(x, 0.68 + height * (1 - ((x - 0.5) / 0.11) ** 2)) for x in xs]

    top, bottom = np.linspace(0.39, 0.61, 7), np.linspace(0.61, 0.39, 7)[1:-1]
    outer = line(list(top), -0.03) + line(list(bottom), opening + 0.03)
    return outer + line([0.39, 0.45, 0.5, 0.55, 0.61], 0.0) + line([0.55, 0.5, 0.45], opening)


@dataclass(frozen=True)
class Options:
    open_splits: bool = False
    seconds: float = 1.7
    lengths: tuple[float, ...] = ()
    faceless: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    hanging: tuple[str, ...] = ()
    refused: int = 0
    licence: str = ""
    consent: str = "synthetic"
    #: Faces of whom nobody says that they agreed.
    strangers: tuple[str, ...] = ()
    #: A face and what it is called instead; a face and the licence of its takes.
    renamed: tuple[str, str] = ("", "")
    limits: tuple[str, str] = ("", "")


class TinySource:
    """Options: see `Options`; `splits` take `identities` and `clips`."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = Options(**options)

    def _length(self, person: int) -> float:
        return self.options.lengths[person] if self.options.lengths else self.options.seconds

    def _licence(self, name: str, person: int) -> str:
        if name == self.options.limits[0]:
            return self.options.limits[1]
        return self.options.licence or ("CC-BY-4.0" if person % 2 else "CC0-1.0")

    def _consent(self, name: str) -> str:
        return "unknown" if name in self.options.strangers else self.options.consent

    def plan(self, splits: Mapping[str, Mapping[str, Any]], seed: int) -> SourcePlan:
        items = []
        for split, size in splits.items():
            for person in range(size["identities"]):
                for clip in range(size["clips"]):
                    name = f"{split}-{person}"
                    items.append(
                        SourceItem(
                            key=f"{name}-{clip}",
                            face_id=self.options.renamed[1] if name == self.options.renamed[0] else name,
                            voice_id=f"{name}-voice",
                            source_ids=(f"{name}-{clip}",),
                            split=None if self.options.open_splits else split,
                            rights=Rights(self._licence(name, person), self._consent(name)),
                            spec={"seed": seed, "seconds": self._length(person)},
                        )
                    )
        refused = [Refused(f"bad{k}.mp4", "no_face", "nobody is seen") for k in range(self.options.refused)]
        return SourcePlan(tuple(items), tuple(refused))

    def materialise(self, item: SourceItem, folder: Path) -> None:
        if item.key in self.options.broken:
            raise MediaError("decode_failed", item.key, "broken by design")
        if item.key in self.options.hanging:
            time.sleep(600)
        take = make_take(json.dumps([item.key, item.spec["seed"]]), item.spec["seconds"])
        if item.key in self.options.faceless:
            take = Take(take.frames, take.fps, take.audio, take.sample_rate)
        save_take(folder, take)

    def neutral(self) -> Sequence[str]:
        return ("numpy",)


def make_take(name: str, seconds: float = 1.7) -> Take:
    """A take that is a pure function of its name."""
    rng = np.random.default_rng(list(name.encode()))
    n = round(seconds * FPS)
    times = np.arange(n) / FPS
    opening = 0.05 * (0.5 + 0.5 * np.sin(2 * np.pi * (rng.uniform(1, 3) * times + rng.random())))
    points = np.array([JAW + BROWS + NOSE + EYES + mouth(each) for each in opening], np.float32)
    points += 0.01 * np.sin(2 * np.pi * 0.5 * times + rng.random())[:, None, None].astype(np.float32)
    ys, xs = np.mgrid[:SIZE, :SIZE] / SIZE
    waves = rng.uniform(0.5, 2, (3, 2))
    base = np.stack([120 + 60 * np.sin(9 * xs * a + 7 * ys * b) for a, b in waves], axis=-1)
    frames = np.repeat(base[None], n, axis=0)
    for k in range(n):
        x, y = points[k, 66]
        gap = (ys > points[k, 62, 1]) & (ys < y) & (abs(xs - x) < 0.1)
        frames[k][gap] = 20
        frames[k, :, : k % SIZE] += 8
    t = np.arange(round((seconds + 0.5) * RATE)) / RATE
    pitches, phases = rng.uniform(120, 3000, 4), rng.random(4) * 6
    tone = np.sin(2 * np.pi * pitches[:, None] * t + phases[:, None]).sum(axis=0)
    audio = 0.08 * tone * (0.3 + 0.7 * np.abs(np.sin(2 * np.pi * 2.3 * t))) + 0.001 * rng.standard_normal(len(t))
    track = FaceTrack(times, points, np.ones(n, bool), "test")
    return Take(frames.clip(0, 255).astype(np.uint8), FPS, audio.astype(np.float32), RATE, track)


def tree(folder: Path) -> dict[str, str]:
    """Every file of a data set with its hash, but for the journal, which holds times."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "journal.jsonl" and ".work" not in path.parts
    }
