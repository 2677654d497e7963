"""Which words of a take are edited, and what comes in their place."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cmdfd.errors import JobError
from generators.audio.dsp import rms, speech_level
from generators.edits.edit_list import Change, EditList
from generators.edits.words import Run, gaps, runs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from generators.edits.edit_list import Op
    from generators.edits.params import PartialParams
    from generators.generator import Job, Take, Word

#: Edits keep this far from both ends of the clip, so that the clip shows where they begin and end, seconds.
MARGIN_SECONDS = 0.2
#: Genuine sound and picture between two edits, seconds.
APART_SECONDS = 0.25
#: A donor's words may be longer or shorter than those they replace by this much; half of it is cut off or added at
#: either end, no more than the distance that cuts keep from words in pauses.
MISFIT_SECONDS = 0.06
#: Words worth editing reach this share of the recording's speech level: others are silent or their times are wrong.
ENOUGH = 0.2
#: The donor's first and last moments hold broken words, seconds.
_EDGE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Planned:
    """One edit and where its new material comes from.

    Args:
        change: Without its place in the output.
        lent_start: Seconds of the donor at which the new material begins; None where nothing is lent.
    """

    change: Change
    lent_start: float | None

    @property
    def span(self) -> tuple[float, float]:
        """Seconds of the source that the edit takes, or its null edit (which makes no room for an insertion)."""
        change = self.change
        return change.source_start, max(change.source_end, change.source_start + change.seconds)


@dataclass(frozen=True, slots=True)
class Plan:
    """The edits of one clip.

    Args:
        planned: In the order of the source.
        edits: The same as a list with places in the output.
    """

    planned: tuple[Planned, ...]
    edits: EditList


class Planner:
    """Finds edits for a job.

    Args:
        job: Take, window and chance.
        params: What is wanted.
        donor: Who lends words, None where nobody does.
        own: Whether the donor is the take itself.
        name: The generator's name, for refusals.

    Raises:
        JobError: "input_unsupported" where words are unknown, "audio_invalid" where a recording is silent.
    """

    def __init__(self, job: Job, params: PartialParams, donor: Take | None, own: bool, name: str) -> None:
        self.job, self.params, self.donor, self.own, self.name = job, params, donor, own, name
        self.take = job.take
        self.level = self._level(job.take, "take")
        self.words = self._words(job.take, "take")
        self.seconds = min(len(job.take.audio) / job.take.sample_rate, job.take.duration)
        self.lent: tuple[Run, ...] = ()
        if donor is not None:
            self.lent = self._lendable(donor)

    def plan(self) -> Plan:
        """Choose the edits.

        Raises:
            JobError: "input_unsupported" where not even one finds room.
        """
        chosen: list[Planned] = []
        for number in range(self.params.count):
            op = self.params.ops[(self.job.ordinal + number) % len(self.params.ops)]
            for candidate in self._candidates(op, self.job.rng):
                if self._fits([*chosen, candidate]):
                    chosen.append(candidate)
                    break
        if not chosen:
            raise JobError("input_unsupported", self.name, self._why())
        chosen.sort(key=lambda one: one.change.source_start)
        return Plan(tuple(chosen), self._laid(chosen))

    def _laid(self, chosen: Sequence[Planned]) -> EditList:
        return EditList.lay_out(self.seconds, [one.change for one in chosen], tolerance=1 / self.take.fps)

    def _fits(self, chosen: Sequence[Planned]) -> bool:
        """Whether all edits lie apart and inside the window, with enough behind it for what is pulled forward."""
        end = self.job.start + self.job.seconds
        spans = sorted(one.span for one in chosen)
        if any(after[0] - before[1] < APART_SECONDS for before, after in itertools.pairwise(spans)):
            return False
        if spans[-1][1] > end - MARGIN_SECONDS:
            return False
        edits = self._laid(chosen)
        inside = all(
            one.start >= self.job.start + MARGIN_SECONDS and one.end <= end - MARGIN_SECONDS for one in edits.edits
        )
        return inside and float(edits.time_map.inverse(end)) <= self.seconds + 1e-6

    def _candidates(self, op: Op, rng: np.random.Generator) -> Iterator[Planned]:
        low, high = self.job.start + MARGIN_SECONDS, self.job.start + self.job.seconds - MARGIN_SECONDS
        shortest, longest = self.params.seconds
        if op == "insert":
            places = gaps(self.words, low, high, self.seconds)
            for k in rng.permutation(len(places) * len(self.lent)):
                yield self._insertion(places[k // len(self.lent)], self.lent[k % len(self.lent)])
            return
        found = runs(self.words, low, high, shortest, longest, self.seconds)
        found = tuple(run for run in found if self._spoken(self.take, run, self.level))
        for k in rng.permutation(len(found)):
            if op == "delete":
                yield self._deletion(found[k])
            elif self.params.replacement == "voice":
                yield self._replacement(found[k], None)
            else:
                near = [one for one in self.lent if self._suits(found[k], one)]
                if near:
                    yield self._replacement(found[k], near[int(rng.integers(len(near)))])

    def _suits(self, run: Run, lent: Run) -> bool:
        apart = not self.own or lent.end <= run.start or lent.start >= run.end
        return apart and abs(lent.seconds - run.seconds) <= MISFIT_SECONDS and lent.text.lower() != run.text.lower()

    def _replacement(self, run: Run, lent: Run | None) -> Planned:
        start, end = self._sample(run.start), self._sample(run.end)
        new = run.text if lent is None else lent.text
        lent_start = None if lent is None else self._bounded(lent.middle - (end - start) / 2, end - start)
        change = Change("replace", start, end, end - start, run.text, new, self.params.streams)
        return Planned(change, lent_start)

    def _insertion(self, place: float, lent: Run) -> Planned:
        seconds = self._whole_frames(lent.seconds)
        start = self._sample(place)
        change = Change("insert", start, start, seconds, "", lent.text, self.params.streams)
        return Planned(change, self._bounded(lent.middle - seconds / 2, seconds))

    def _deletion(self, run: Run) -> Planned:
        seconds = self._whole_frames(run.seconds)
        start = self._sample(run.middle - seconds / 2)
        return Planned(Change("delete", start, start + seconds, 0.0, run.text, "", self.params.streams), None)

    def _whole_frames(self, seconds: float) -> float:
        """Lengths change by whole pictures, so that sound and picture stay together behind the edit."""
        return max(round(seconds * self.take.fps), 1) / self.take.fps

    def _sample(self, seconds: float) -> float:
        return round(seconds * self.take.sample_rate) / self.take.sample_rate

    def _bounded(self, start: float, seconds: float) -> float:
        assert self.donor is not None  # noqa: S101 - only lent material asks
        return min(max(start, 0.0), _usable(self.donor, self.params) - seconds)

    def _lendable(self, donor: Take) -> tuple[Run, ...]:
        low, high = self.params.seconds
        whole = _usable(donor, self.params)
        level = self.level if donor is self.take else self._level(donor, "donor")
        found = runs(
            self._words(donor, "donor"),
            _EDGE_SECONDS,
            whole - _EDGE_SECONDS,
            low - MISFIT_SECONDS,
            high + MISFIT_SECONDS,
            len(donor.audio) / donor.sample_rate,
        )
        return tuple(run for run in found if self._spoken(donor, run, level))

    def _spoken(self, take: Take, run: Run, level: float) -> bool:
        first, last = round(run.start * take.sample_rate), round(run.end * take.sample_rate)
        return rms(take.audio[first:last]) >= ENOUGH * level

    def _level(self, take: Take, who: str) -> float:
        level = speech_level(take.audio, take.sample_rate)
        if not level:
            raise JobError("audio_invalid", self.name, f"the {who} is silent")
        return level

    def _words(self, take: Take, who: str) -> Sequence[Word]:
        if take.speech is None or not take.speech.words:
            detail = f"nobody knows when which word of the {who} is spoken; put a .words.csv beside the recording"
            raise JobError("input_unsupported", self.name, detail)
        return take.speech.words

    def _why(self) -> str:
        low, high = self.params.seconds
        ops = ", ".join(self.params.ops)
        lent = f", {len(self.lent)} stretches can be lent" if self.donor is not None else ""
        behind = max(self.seconds - self.job.start - self.job.seconds, 0.0)
        return (
            f"no room for {ops} of {low:g} to {high:g} s: {len(self.words)} words, a window of "
            f"{self.job.seconds:g} s with {behind:.2f} s behind it{lent}; use longer takes or another range of seconds"
        )


def _usable(donor: Take, params: PartialParams) -> float:
    """Seconds of a donor that can be lent: its sound may go on after its picture."""
    sound = len(donor.audio) / donor.sample_rate
    return min(sound, donor.duration) if params.sight and len(donor.frames) else sound
