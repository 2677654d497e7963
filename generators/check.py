"""`python -m generators.check NAME`: does a generator keep the contract of `generators.generator`?

A few talkers are made, forged and passed through the sham, and every promise is tried on them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.clip import REAL, Labels
from cmdfd.errors import CmdfdError, JobError, MediaError, job_code
from cmdfd.promises import CheckResult, try_promises
from generators.external.catalogue import is_external
from generators.generator import FAMILIES, Job, Outcome, Take
from generators.registry import make_generator, make_sham, resolve_params

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

#: The talkers that are forged: takes of 2.6 s, clips of 2 s from 0.3 s on.
_SECONDS, _CLIP, _START = 2.6, 2.0, 0.3
#: A picture may differ this much (levels) outside its mask, grown by this many pixels: rounding, not forgery.
_LEVELS, _GROWN = 6, 2
#: Programs code the picture anew: there means over so many pixels are compared with those of the sham.
_CODED_LEVELS, _CODED_BOX = 12, 9
#: At least this share of the differing pixels must lie in the grown mask.
_COVERED = 0.99


def talker_takes(people: int = 2, clips: int = 2, seed: int = 11) -> list[list[Take]]:
    """Takes of a few talkers, by person.

    Raises:
        MissingExtraError: If the `talkers` extra is absent.
    """
    from generators.sources.talkers.source import TalkerSource, render_take

    source = TalkerSource({"seconds": _SECONDS, "size": 160, "difficulty": 0.3})
    items = source.plan({"test": {"identities": people, "clips": clips}}, seed).items
    takes = [render_take(item) for item in items]
    return [takes[k * clips : (k + 1) * clips] for k in range(people)]


class Checker:
    """A generator under test.

    Args:
        name: As in a recipe.
        params: Parameters over its defaults.
        takes: Takes by person, two people with two takes each.
    """

    def __init__(self, name: str, params: Mapping[str, Any], takes: Sequence[Sequence[Take]]) -> None:
        self.name = name
        self.generator, self.shammer = make_generator(name), make_sham(name)
        self.spec = self.generator.spec
        self.params = resolve_params(name, params)
        self.takes = takes
        self.before = [_digest(take) for person in takes for take in person]
        self.outcomes = [self.generator.generate(self.job(k)) for k in range(2)]

    def job(self, person: int, relation: str = "partner", take: Take | None = None) -> Job:
        """A job on a person's first take, driven by the other person's."""
        mine = take if take is not None else self.takes[person][0]
        donors = {"partner": self.takes[1 - person][0], "same": self.takes[person][1], "self": mine}
        donor = donors[relation] if self.spec.needs_donor else None
        rng = np.random.default_rng([3, person])
        names = ("", "", "") if donor is None else (relation, f"face-{relation}", f"voice-{relation}")
        return Job(mine, donor, _START, _CLIP, self.params, rng, person, *names)

    # -- promises -----------------------------------------------------------------------------------------------

    def spec_is_complete(self) -> str:
        """The spec names what tables and addresses need."""
        spec = self.spec
        if spec.family not in FAMILIES:
            raise AssertionError(f"family {spec.family!r} is none of {', '.join(FAMILIES)}")
        if not spec.summary or not spec.modalities or not spec.licence:
            raise AssertionError("spec needs a summary, modalities and a licence")
        json.dumps(dict(spec.params), allow_nan=False)
        return f"{spec.name}: {spec.summary}"

    def lengths_and_rates_stay(self) -> str:
        """The outcome has the take's shapes and rates, and sound inside [-1, 1]."""
        for outcome, take in self._pairs():
            made = outcome.take
            if made.frames.shape != take.frames.shape or made.frames.dtype != np.uint8:
                raise AssertionError(f"frames {take.frames.shape} became {made.frames.dtype} {made.frames.shape}")
            if made.audio.shape != take.audio.shape or made.audio.dtype != np.float32:
                raise AssertionError(f"sound {take.audio.shape} became {made.audio.dtype} {made.audio.shape}")
            if (made.fps, made.sample_rate) != (take.fps, take.sample_rate):
                raise AssertionError(f"rates became {made.fps} and {made.sample_rate}")
            if not np.isfinite(made.audio).all() or np.abs(made.audio).max(initial=0) > 1.0:
                raise AssertionError("the sound is not finite, or leaves [-1, 1]")
        return f"{self.takes[0][0].frames.shape[0]} frames, {len(self.takes[0][0].audio)} samples"

    def it_forges_and_says_so(self) -> str:
        """Something changed; label 1; a changed picture and the label of the picture belong together."""
        for outcome, take in self._pairs():
            picture = not np.array_equal(outcome.take.frames, take.frames)
            sound = not np.array_equal(outcome.take.audio, take.audio)
            if not picture and not sound:
                raise AssertionError("nothing was changed")
            if outcome.labels.label != 1:
                raise AssertionError(f"label {outcome.labels.label} on a forged take")
            if picture and outcome.labels.video_label == 0:
                raise AssertionError("the picture changed but video_label is 0")
            if outcome.labels.video_label == 1 and not picture:
                raise AssertionError("video_label is 1 but the picture did not change")
            if outcome.labels.audio_label == 1 and not sound:
                raise AssertionError("audio_label is 1 but the sound did not change")
        return _words(self.outcomes[0].labels)

    def masks_cover_what_changed(self) -> str:
        """Masks are 255 where pixels changed."""
        shares: list[float] = []
        for outcome, take in self._pairs():
            if np.array_equal(outcome.take.frames, take.frames):
                if outcome.masks is not None:
                    raise AssertionError("masks without a changed picture")
                return "skipped: the picture stays"
            if outcome.masks is None:
                raise AssertionError("the picture changed, but there are no masks")
            before, coded = take.frames, is_external(self.name)
            if coded:
                before = self.shammer.sham(self.job(len(shares))).take.frames
            shares.append(covered(before, outcome.take.frames, outcome.masks, coded=coded))
        if min(shares) < _COVERED:
            raise AssertionError(f"only {min(shares):.1%} of the changed pixels lie in the mask grown by {_GROWN} px")
        return f"{min(shares):.1%} of the changed pixels"

    def segments_lie_inside(self) -> str:
        """There are segments, inside the take."""
        for outcome, take in self._pairs():
            if not outcome.segments:
                raise AssertionError("a forged take without a segment")
            if max(segment.end for segment in outcome.segments) > take.duration + 1 / take.fps:
                raise AssertionError(f"a segment ends after the take's {take.duration:g} s")
        return f"{len(self.outcomes[0].segments)} in the first take"

    def same_job_same_bytes(self) -> str:
        """Two runs of one job agree to the last bit."""
        again = self.generator.generate(self.job(0))
        if _digest(again.take) != _digest(self.outcomes[0].take) or again.segments != self.outcomes[0].segments:
            raise AssertionError("two runs of one job differ")
        return "bit-identical"

    def inputs_stay(self) -> str:
        """Takes and donors are not written to."""
        if [_digest(take) for person in self.takes for take in person] != self.before:
            raise AssertionError("a take was changed in place")
        return "untouched"

    def sham_does_not_forge(self) -> str:
        """The sham has the labels of a real clip, no segments and no masks, and is deterministic."""
        made = self.shammer.sham(self.job(0))
        if made.labels != REAL or made.segments or made.masks is not None:
            raise AssertionError("the sham has labels, segments or masks of a forgery")
        take = self.takes[0][0]
        if made.take.frames.shape != take.frames.shape or made.take.audio.shape != take.audio.shape:
            raise AssertionError("the sham changed lengths")
        if _digest(self.shammer.sham(self.job(0)).take) != _digest(made.take):
            raise AssertionError("two shams of one job differ")
        same = np.array_equal(made.take.frames, take.frames) and np.array_equal(made.take.audio, take.audio)
        return "the take itself" if same else f"picture within {_apart(made.take.frames, take.frames):.1f} levels"

    def what_lacks_is_refused(self) -> str:
        """Takes without face, words or donor end in a refusal where the spec says that they are needed."""
        job, seen = self.job(0), []
        bare = {
            "face": (self.spec.needs_face, replace(job, take=replace(job.take, track=None))),
            "words": (self.spec.needs_speech, replace(job, take=replace(job.take, speech=None))),
            "donor": (self.spec.needs_donor, replace(job, donor=None)),
        }
        for what, (needed, poor) in bare.items():
            # a program that a donor's sound drives is driven by the take's own where there is no donor
            if not needed or (what == "donor" and is_external(self.name)):
                continue
            try:
                self.generator.generate(poor)
            except (JobError, MediaError) as error:
                seen.append(f"no {what}: {job_code(error.code)}")
            else:
                raise AssertionError(f"the spec needs a {what}, but a take without one was forged")
        return "; ".join(seen) or "skipped: needs nothing"

    PROMISES: tuple[str, ...] = (
        "spec_is_complete",
        "lengths_and_rates_stay",
        "it_forges_and_says_so",
        "masks_cover_what_changed",
        "segments_lie_inside",
        "same_job_same_bytes",
        "sham_does_not_forge",
        "what_lacks_is_refused",
        "inputs_stay",
    )

    def _pairs(self) -> list[tuple[Outcome, Take]]:
        return [(outcome, person[0]) for outcome, person in zip(self.outcomes, self.takes, strict=True)]


def covered(
    before: NDArray[np.uint8], after: NDArray[np.uint8], masks: NDArray[np.uint8], *, coded: bool = False
) -> float:
    """Share of the differing pixels that lie in the mask grown by two pixels; 1 where none differ.

    Args:
        before: [T, H, W, 3] uint8.
        after: The same shape.
        masks: [T, H, W] uint8.
        coded: Whether both were coded with loss since they were alike.
    """
    import cv2

    grow = _GROWN + (_CODED_BOX // 2 if coded else 0)  # a mean reaches beyond what it is of
    kernel = np.ones((2 * grow + 1, 2 * grow + 1), np.uint8)
    inside = total = 0
    for old, new, mask in zip(before, after, masks, strict=True):
        difference = old.astype(np.float32) - new
        if coded:
            difference = cv2.blur(difference, (_CODED_BOX, _CODED_BOX))
        changed = np.abs(difference).max(axis=-1) > (_CODED_LEVELS if coded else _LEVELS)
        grown = cv2.dilate(mask, kernel) > 0
        total += int(changed.sum())
        inside += int((changed & grown).sum())
    return inside / total if total else 1.0


def _digest(take: Take) -> str:
    found = hashlib.sha256(take.frames.tobytes())
    found.update(take.audio.tobytes())
    if take.track is not None:
        found.update(take.track.points.tobytes())
    return found.hexdigest()


def _apart(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(np.int16) - other).mean())


def _words(labels: Labels) -> str:
    names = ("audio_label", "video_label", "sync_mismatch", "identity_mismatch")
    return ", ".join(f"{name} {getattr(labels, name)}" for name in names)


def check_generator(
    name: str, params: Mapping[str, Any] | None = None, takes: Sequence[Sequence[Take]] | None = None
) -> list[CheckResult]:
    """Try every promise of the generator contract.

    Args:
        name: As in a recipe.
        params: Parameters over its defaults.
        takes: Takes by person; talkers are made if None.

    Returns:
        One result for each promise; "failed" ones carry the reason.

    Raises:
        CmdfdError: For an unknown generator or parameter.
    """
    try:
        checker = Checker(name, params or {}, takes if takes is not None else talker_takes())
    except (JobError, MediaError) as error:
        return [CheckResult("it forges a talker", "failed", f"{job_code(error.code)}: {error.detail}")]
    return try_promises(checker, Checker.PROMISES)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; exit code 1 where a promise is broken, 2 where the generator cannot be tried."""
    parser = argparse.ArgumentParser(prog="python -m generators.check", description=__doc__)
    parser.add_argument("generator", help='as in a recipe: a name, "file.py:Class", "external/ID" or "spec.toml"')
    parser.add_argument("--params", type=json.loads, default={}, metavar="JSON", help="parameters over its defaults")
    args = parser.parse_args(argv)
    from generators.show import table

    try:
        results = check_generator(args.generator, args.params)
    except CmdfdError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    rows = [[result.name, result.status, result.detail] for result in results]
    table(["promise", "", "seen"], rows, f"contract of {args.generator}")
    return int(any(result.status == "failed" for result in results))


if __name__ == "__main__":
    sys.exit(main())
