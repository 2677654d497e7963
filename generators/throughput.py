"""How fast the kinds of a build are made, and how much of the time is neither generator nor codec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from generators.stopwatch import ENCODE, GENERATE, HARMONISE, LOAD, MEASURE, REST

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class KindTime:
    """Wall seconds of one kind's clips in their workers.

    Args:
        kind: Kind of clip.
        n: Clips that were made.
        video_seconds: Their length together.
        generate: Seconds in the generator.
        codec: Seconds of decoding and encoding.
        outside: Seconds of everything else: harmonising, cues, checksums, tables.
    """

    kind: str
    n: int
    video_seconds: float
    generate: float
    codec: float
    outside: float

    @property
    def per_second(self) -> float:
        """Seconds for a second of video, everything counted."""
        return (self.generate + self.codec + self.outside) / self.video_seconds if self.video_seconds else 0.0


def kind_times(jobs: Iterable[Mapping[str, Any]], clip_seconds: float) -> tuple[KindTime, ...]:
    """Times by kind, from the records of jobs that were made now.

    Args:
        jobs: See `generators.jobs.make_clips`; refused ones do not count.
        clip_seconds: Length of a clip.
    """
    found: dict[str, KindTime] = {}
    for job in jobs:
        if job["refused"] is not None or not job["seconds"]:
            continue
        kind, laps = job["kind"], job["seconds"]
        old = found.get(kind, KindTime(kind, 0, 0.0, 0.0, 0.0, 0.0))
        found[kind] = KindTime(
            kind,
            old.n + 1,
            old.video_seconds + clip_seconds,
            old.generate + laps.get(GENERATE, 0.0),
            old.codec + laps.get(LOAD, 0.0) + laps.get(ENCODE, 0.0),
            old.outside + sum(laps.get(lap, 0.0) for lap in (HARMONISE, MEASURE, REST)),
        )
    return tuple(found[kind] for kind in sorted(found))


def outside_share(times: Iterable[KindTime]) -> float:
    """Share of the time that is spent outside generator, decoding and encoding; 0 for no time."""
    several = list(times)
    total = sum(one.generate + one.codec + one.outside for one in several)
    return sum(one.outside for one in several) / total if total else 0.0
