"""The contract of generators, tried on every built-in one and on ones that break it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cmdfd.clip import Modality, Segment
from generators.check import Checker, check_generator, main, talker_takes
from generators.generator import EditedTake, Take
from generators.manual.coding import Coding
from generators.registry import GENERATORS

pytest.importorskip("espeakng_loader", reason="talkers need the extra `talkers`")

#: The sham forges nothing; Coqui's need a model and are tried in test_tts*.py.
NEEDS_MORE = ("sham", "audio/tts", "audio/tts_clone", "audio/vc")

#: These take longest, and others of their family are tried at once.
SLOW = (
    "splice/copy_move", "splice/temporal", "splice/mouth", "splice/object", "splice/remove", "video/still_warp",
    "video/face_swap",
)  # fmt: skip

#: Promises that have nothing to be tried on: a picture that stays has no mask, and what needs nothing lacks nothing.
SKIPPED = {
    "masks cover what changed": (
        "audio/swap", "audio/desync", "audio/revoice", "audio/voice_change", "edit/partial", "edit/own",
    ),
    "what lacks is refused": (
        "audio/desync", "audio/voice_change", "video/freeze", "video/loop", "splice/object", "splice/remove",
        "splice/copy_move", "manual/edit",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def takes() -> list[list[Take]]:
    return talker_takes()


def edited(take: Take) -> Take:
    """The take with what an editor made of it: a patch over a second."""
    frames, masks = take.frames.copy(), np.zeros(take.frames.shape[:3], np.uint8)
    frames[15:40, 20:60, 30:90] = 255 - frames[15:40, 20:60, 30:90]
    masks[15:40, 20:60, 30:90] = 255
    height, width = frames.shape[1:3]
    coding = Coding("libx264", 20, width, height, "aac", 48000, 128_000)
    segment = Segment(15 / take.fps, 40 / take.fps, Modality.VIDEO)
    made = EditedTake(frames, take.audio, masks, (segment,), {"operation": "object", "coding": coding.to_dict()})
    return replace(take, edited=made)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name
        for name in GENERATORS.entries
        if name not in NEEDS_MORE
    ],
)
def test_built_in_generators_keep_the_contract(name: str, takes: list[list[Take]]) -> None:
    given = [[edited(take) for take in person] for person in takes] if name == "manual/edit" else takes
    results = check_generator(name, None, given)
    assert [one for one in results if one.status == "failed"] == []
    skipped = {what for what, names in SKIPPED.items() if name in names}
    wanted = {what.replace("_", " "): "ok" for what in Checker.PROMISES} | dict.fromkeys(skipped, "skipped")
    assert len(wanted) == 9 and {one.name: one.status for one in results} == wanted


BROKEN = """
from dataclasses import replace
import numpy as np
from cmdfd.clip import REAL, Labels, Modality, Segment
from generators.generator import GeneratorSpec, Outcome, Take
class Base:
    spec = GeneratorSpec("x", "edit", "breaks a promise", ("video",))
    def generate(self, job):
        frames = job.take.frames.copy()
        frames[:, :40] += 50
        masks = np.zeros(frames.shape[:3], np.uint8)
        masks[:, :40] = 255
        take = replace(job.take, frames=frames)
        return Outcome(take, Labels(1, 0, 1, 1, 0), (Segment(0, 1, Modality.VIDEO),), masks=masks)
    def sham(self, job):
        return Outcome(job.take, REAL, ())
class Chance(Base):
    def generate(self, job):
        made = super().generate(job)
        made.take.frames[0, 0, 0, 0] = np.random.default_rng().integers(256)
        return made
class InPlace(Base):
    def generate(self, job):
        made = super().generate(job)
        job.take.audio[5] += 0.01
        return made
class NoMask(Base):
    def generate(self, job):
        return replace(super().generate(job), masks=None)
class WrongMask(Base):
    def generate(self, job):
        made = super().generate(job)
        made.masks[:, 20:] = 0
        return made
class Late(Base):
    def generate(self, job):
        return replace(super().generate(job), segments=(Segment(0, 99, Modality.VIDEO),))
class Short(Base):
    def generate(self, job):
        made = super().generate(job)
        return replace(made, take=replace(made.take, audio=made.take.audio[:-7]))
class Lies(Base):
    def generate(self, job):
        return replace(super().generate(job), labels=Labels(1, 1, 0, 1, 0))
class Forges(Base):
    def sham(self, job):
        return self.generate(job)
class Faceless(Base):
    spec = replace(Base.spec, needs_face=True)
class Strange(Base):
    spec = replace(Base.spec, family="magic")
"""


@pytest.mark.parametrize(
    ("name", "promise"),
    [
        ("Chance", "same job same bytes"), ("InPlace", "inputs stay"), ("NoMask", "masks cover what changed"),
        ("WrongMask", "masks cover what changed"), ("Late", "segments lie inside"),
        ("Short", "lengths and rates stay"), ("Lies", "it forges and says so"), ("Forges", "sham does not forge"),
        ("Faceless", "what lacks is refused"), ("Strange", "spec is complete"), ("Base", ""),
    ],
)  # fmt: skip
def test_broken_promises_are_found(name: str, promise: str, takes: list[list[Take]], tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text(BROKEN)
    fresh = [[Take(t.frames, t.fps, t.audio.copy(), t.sample_rate, t.track, t.speech) for t in p] for p in takes]
    failed = {one.name for one in check_generator(f"{file}:{name}", None, fresh) if one.status == "failed"}
    assert failed == ({promise} if promise else set())


def test_the_command_line(
    takes: list[list[Take]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("generators.check.talker_takes", lambda *_: takes)
    assert main(["audio/desync"]) == 0
    assert "bit-identical" in capsys.readouterr().out
    assert main(["audio/desnyc"]) == 2
    assert "did you mean 'audio/desync'" in capsys.readouterr().err
