"""Takes for the tests of splices: the drawn face before a wall with things on it, and how masks are judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from mesh_takes import SIZE, drawn
from numpy.typing import NDArray

from cmdfd.clip import REAL, Labels, Modality, Segment
from cmdfd.errors import JobError
from cmdfd.media.masks import forged
from generators.generator import GeneratorSpec, Job, Outcome, Take
from generators.registry import make_generator, resolve_params

#: Registry references of all splices; classes are named so that tests do not hang on the registry's names.
SPLICES = {
    "face": "generators.splice.face:FaceSplice",
    "mouth": "generators.splice.mouth:MouthSplice",
    "object": "generators.splice.object:ObjectSplice",
    "region": "generators.splice.region:RegionSplice",
    "remove": "generators.splice.remove:Removal",
    "copy_move": "generators.splice.copy_move:CopyMove",
    "temporal": "generators.splice.temporal:TemporalSplice",
}


def busy(name: str, *, shake: float = 0.0, **how: Any) -> Take:
    """The drawn talker; blots of all colours lie along the picture's border, off the face.

    Args:
        name: Seeds it.
        shake: Pixels by which the camera sways.
        how: See `mesh_takes.drawn`.
    """
    take = drawn(name, **{"noise": 1.5} | how)
    rng = np.random.default_rng([9, *name.encode()])
    frames = take.frames.copy()
    layer, cover = np.zeros(frames.shape[1:], np.uint8), np.zeros(frames.shape[1:3], np.uint8)
    for _ in range(60):
        x, y = rng.integers(0, SIZE, 2)
        if min(x, y, SIZE - x, SIZE - y) > 22:
            continue
        colour = tuple(int(v) for v in rng.integers(30, 230, 3))
        radius = int(rng.integers(3, 8))
        cv2.circle(layer, (int(x), int(y)), radius, colour, -1, cv2.LINE_AA)
        cv2.circle(cover, (int(x), int(y)), radius, (255,), -1)
    noise = rng.normal(0, 1.5, frames.shape)
    frames[:, cover > 0] = np.rint(layer + noise).clip(0, 255).astype(np.uint8)[:, cover > 0]
    track = take.track
    if shake:
        moves = shake * np.sin(np.arange(len(frames)) / 6)
        maps = [np.array([[1.0, 0.0, move], [0.0, 1.0, move / 2]]) for move in moves]
        border = cv2.BORDER_REFLECT
        frames = np.stack(
            [
                cv2.warpAffine(frame, each, (SIZE, SIZE), borderMode=border)
                for frame, each in zip(frames, maps, strict=True)
            ]
        ).astype(np.uint8)
        assert track is not None
        shift = np.stack([moves, moves / 2], axis=1)[:, None] / SIZE
        track = replace(track, points=np.asarray(track.points + shift, np.float32))
    return replace(take, frames=frames, track=track)


def splice_job(
    op: str, take: Take, donor: Take | None = None, *, relation: str = "partner", seed: int = 0, **params: Any
) -> Job:
    """A job over frames 5 to 30 of a take."""
    rng = np.random.default_rng(seed)
    lent = (relation, "donor-face", "donor-voice") if donor is not None else ("", "", "")
    return Job(take, donor, 0.2, 1.0, resolve_params(SPLICES[op], params), rng, 0, *lent)


def splice(op: str, take: Take, donor: Take | None = None, **how: Any) -> Outcome:
    """What a splice makes of a take."""
    return make_generator(SPLICES[op]).generate(splice_job(op, take, donor, **how))


def null(op: str, take: Take, donor: Take | None = None, **how: Any) -> Outcome:
    """Its null splice."""
    made: Outcome = make_generator(SPLICES[op]).sham(splice_job(op, take, donor, **how))
    return made


class Inverted:
    """A generator with a known answer: every level and every sample upside down."""

    spec = GeneratorSpec("test/inverted", "edit", "upside down", ("audio", "video"))

    def generate(self, job: Job) -> Outcome:
        take = job.take
        made = replace(take, frames=255 - take.frames, audio=-take.audio)
        masks = np.full(take.frames.shape[:3], 255, np.uint8)
        return Outcome(made, Labels(1, 1, 1, 0, 0), (Segment(0.0, take.duration, Modality.BOTH),), masks)

    def sham(self, job: Job) -> Outcome:
        return Outcome(job.take, REAL, ())


class HeardOnly(Inverted):
    """Sound upside down; of the picture only the first frames, which no stretch holds, and yet it calls both forged."""

    def generate(self, job: Job) -> Outcome:
        made = super().generate(job)
        frames = job.take.frames.copy()
        frames[:3] = 255 - frames[:3]
        masks = np.zeros(frames.shape[:3], np.uint8)
        masks[:3] = 255
        return replace(made, take=replace(made.take, frames=frames), masks=masks)


@dataclass(frozen=True)
class Shares:
    """How well masks tell what was changed: changed pixels inside of them, and of them what changed."""

    inside: float
    differs: float
    changed: int


def shares(before: NDArray[np.uint8], made: Outcome) -> Shares:
    """Judge masks: grown by two pixels for `inside`, as they are for `differs`."""
    assert made.masks is not None
    inside = changed = marked = both = 0
    for old, new, mask in zip(before, made.take.frames, made.masks, strict=True):
        differs, told = (old != new).any(axis=-1), forged(mask)
        grown = cv2.dilate(cv2.dilate(told.astype(np.uint8), np.ones((3, 3))), np.ones((3, 3))) > 0
        inside += int((differs & grown).sum())
        changed += int(differs.sum())
        marked += int(told.sum())
        both += int((differs & told).sum())
    return Shares(inside / max(changed, 1), both / max(marked, 1), changed)


@dataclass(frozen=True)
class Line:
    """What the issue's second line says of one operation: how many takes, and the least and mean of both shares."""

    op: str
    n: int
    refused: int
    inside: tuple[float, float]
    differs: tuple[float, float]

    def __str__(self) -> str:
        """A row of the table in docs/scenes_and_platforms.md."""
        told = (f"{least:.3f} / {mean:.3f}" for least, mean in (self.inside, self.differs))
        return f"| `splice/{self.op}` | {self.n} | {' | '.join(told)} |"


def line_two(op: str, takes: Sequence[Take], *, start: float = 0.3, seconds: float = 2.0, seed: int = 5) -> Line:
    """Let an operation with its defaults forge takes in memory, each with the next as its donor, and judge its masks.

    Args:
        op: One of `SPLICES`.
        takes: Two or more, pristine.
        start: Of the clip in every take.
        seconds: Length of the clip.
        seed: Of the first take; the next has the next.
    """
    found, refused = [], 0
    for rank, take in enumerate(takes):
        rng = np.random.default_rng(seed + rank)
        donor = takes[(rank + 1) % len(takes)]
        job = Job(take, donor, start, seconds, resolve_params(SPLICES[op], {}), rng, rank, "partner", "f", "v")
        try:
            found.append(shares(take.frames, make_generator(SPLICES[op]).generate(job)))
        except JobError:
            refused += 1
    inside, differs = [each.inside for each in found], [each.differs for each in found]
    return Line(op, len(found), refused, (min(inside), float(np.mean(inside))), (min(differs), float(np.mean(differs))))
