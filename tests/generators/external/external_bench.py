"""A workbench for external generators: a checkout with one small program, files that it can hand out, and a spec."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tiny_source import make_take

from generators.external.adapter import ExternalGenerator
from generators.external.catalogue import parse_spec
from generators.external.installed import Installed
from generators.external.plain_encode import Coding, write_plain
from generators.external.spec import ExternalSpec
from generators.external.stage import wav_bytes
from generators.generator import Job, Take

SECONDS, START, LENGTH = 1.6, 0.2, 1.2
MP4 = Coding("mp4", "libx264", 14, audio="aac", audio_bit_rate=96_000)

SPEC = """
schema_version = 1
id = "probe"
title = "Probe"
family = "lipsync"
makes = "FVRA"
summary = "a program of the tests"
[inputs.face]
[inputs.audio]
[output]
path = "results/out.mp4"
[run]
argv = ["{python}", "program.py", "{face}", "{audio}", "{out}"]
private = ["results", "temp"]
timeout = 20
retries = 0
[[messages]]
match = "Face not detected"
code = "face_not_found"
[[messages]]
match = "Mel contains nan"
code = "audio_invalid"
[licences]
code = "MIT"
weights = "none"
output = "research-only"
commercial = true
redistribution = true
"""

#: What every program begins with: it copies files of its checkout without asking anything of the machine.
HEAD = """
import os, shutil, sys
face, audio, out = sys.argv[1:4]
def give(name, to=None):
    shutil.copy("media/" + name, to or out)
"""


def forged_frames(take: Take) -> np.ndarray:
    """A patch that moves over the lower half of the picture."""
    frames = take.frames.copy()
    for k in range(len(frames)):
        x = 8 + k % 24
        frames[k, 36:56, x : x + 24] = (200, 60 + 3 * (k % 20), 40)
    return frames


def fill_media(folder: Path, take: Take) -> None:
    """Files that programs hand out, by name."""
    rate = take.sample_rate
    frames, sound = forged_frames(take), take.audio[: round(take.duration * take.sample_rate)]
    quiet = np.zeros_like(sound)
    noise = (0.1 * np.random.default_rng(5).standard_normal(len(sound))).astype(np.float32)
    at_30 = frames[np.minimum((np.arange(round(len(frames) / 25 * 30)) / 30 * 25).round().astype(int), len(frames) - 1)]
    at_50 = np.repeat(frames, 2, axis=0)
    panels = np.concatenate([take.frames, frames, np.full_like(frames, 255)], axis=2)
    plans: dict[str, tuple[np.ndarray, float, np.ndarray | None]] = {
        "forged.mp4": (frames, 25, sound),
        "same.mp4": (take.frames, 25, sound),
        "short.mp4": (frames[:20], 25, sound),
        "tail.mp4": (frames[:-4], 25, sound),
        "black.mp4": (np.zeros_like(frames), 25, sound),
        "fps30.mp4": (at_30, 30, sound),
        "slow.mp4": (at_50, 25, sound),
        "panels.mp4": (panels, 25, sound),
        "silent.mp4": (frames, 25, quiet),
        "wide.mp4": (panels[:, :, :128], 25, sound),
        "mute.mp4": (frames, 25, None),
    }
    for name, (pictures, fps, samples) in plans.items():
        coding = replace(MP4, crf=24) if name == "same.mp4" else MP4
        write_plain(folder / name, np.ascontiguousarray(pictures), fps, samples, rate, coding)
    whole = (folder / "forged.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "noise.wav").write_bytes(wav_bytes(noise, rate, dither=False))
    (folder / "same.wav").write_bytes(wav_bytes(sound, rate, dither=False))
    (folder / "quiet.wav").write_bytes(wav_bytes(quiet, rate, dither=False))
    (folder / "short.wav").write_bytes(wav_bytes(noise[: rate // 2], rate, dither=False))


@dataclass(frozen=True)
class Bench:
    """A checkout and takes."""

    checkout: Path
    take: Take
    donor: Take

    def program(self, text: str) -> None:
        """Write the generator's program."""
        (self.checkout / "program.py").write_text(HEAD + text)

    def job(self, **changes: Any) -> Job:
        job = Job(self.take, self.donor, START, LENGTH, {}, np.random.default_rng(7), relation="partner",
                  donor_face="f2", donor_voice="v2")  # fmt: skip
        return replace(job, **changes)

    def installed(self, **changes: Any) -> Installed:
        fields: dict[str, Any] = {"checkout": self.checkout, "python": Path(sys.executable), "accept_licence": True}
        return Installed(**{**fields, **changes})

    def generator(self, spec: ExternalSpec | None = None, *, contain: bool = False, journal: Path | None = None,
                  **changes: Any) -> ExternalGenerator:  # fmt: skip
        return ExternalGenerator(spec or spec_of(), self.installed(**changes), contain=contain, journal=journal)


def spec_of(*changes: tuple[str, str], extra: str = "") -> ExternalSpec:
    """The spec of the tests, with pieces of its text replaced."""
    text = SPEC
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return parse_spec(text + extra, "probe.toml")


def sound_spec(*changes: tuple[str, str], family: str = "vc", extra: str = "") -> ExternalSpec:
    """A spec that forges sound."""
    basic = (
        ('family = "lipsync"', f'family = "{family}"'),
        ('makes = "FVRA"', 'makes = "RVFA"'),
        ("[inputs.face]\n[inputs.audio]", "[inputs.audio]\n[inputs.reference]"),
        ('path = "results/out.mp4"', 'path = "results/out.wav"\npicture = false\nsound = "own"'),
        ('"{face}", "{audio}", "{out}"', '"{audio}", "{reference}", "{out}"'),
    )
    return spec_of(*basic, *changes, extra=extra)


def new_bench(folder: Path) -> Bench:
    """A checkout with media in a folder whose name has dots and blanks."""
    checkout = folder / "v1.2 check.out"
    (checkout / "media").mkdir(parents=True)
    take, donor = make_take("external", SECONDS), make_take("donor", SECONDS + 0.2)
    fill_media(checkout / "media", take)
    return Bench(checkout, take, donor)
