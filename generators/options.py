"""How to build, and how a build ended: records only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cmdfd.errors import CmdfdError

if TYPE_CHECKING:
    from pathlib import Path

    from generators.finish import RefusedClip
    from generators.throughput import KindTime

#: Called with the step's name, how many of its items are done, and how many there are.
Progress = Callable[[str, int, int], None]

#: Seconds that one take may need; rendering one, the slowest step, takes a few. External generators add their own.
DEFAULT_TIMEOUT = 300.0


def silent(step: str, done: int, total: int) -> None:
    """A `Progress` that tells nobody."""


@dataclass(frozen=True, slots=True)
class BuildReport:
    """How a build ended.

    Args:
        name: Name of the set.
        out: Its folder.
        counts: split -> kind -> clips.
        refused_codes: Code of `cmdfd.errors.MEDIA_CODES` or `JOB_CODES` -> files or clips that were not made.
        refused: The same one by one; empty for a set that was finished before.
        audit: Summary of the gate with its `status`, or None where it did not run.
        seconds: Wall time by step.
        finished_before: Whether nothing was to be done.
        remaining: Takes that other ranks still have to make; the set is not finished until it is 0.
        kept: Clips of a finished set that were what the plan wanted.
        throughput: Where the time of the clips that were made now went, one entry for each kind.
        sheets: Pictures and pages to look at.
        platforms: Clips that were sent through each chain of platforms, of a set that was written now.
    """

    name: str
    out: Path
    counts: Mapping[str, Mapping[str, int]]
    refused_codes: Mapping[str, int]
    refused: tuple[RefusedClip, ...] = ()
    audit: Mapping[str, Any] | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    finished_before: bool = False
    remaining: int = 0
    kept: int = 0
    throughput: tuple[KindTime, ...] = ()
    sheets: tuple[Path, ...] = ()
    platforms: Mapping[str, int] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the set is finished and the gate, where it ran, found no leak; a set too small to test passes."""
        return self.remaining == 0 and (self.audit is None or self.audit["status"] != "failed")


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How to build. Only `limit`, `seconds`, `identity_per_file` and `rights_override` change what comes out.

    Args:
        workers: Worker processes.
        executor: One of `cmdfd.work.EXECUTORS`.
        timeout: Seconds that one take may need.
        memory_bytes: Address space of a worker, or None.
        limit: At most so many components in each split.
        seconds: See `resolve_recipe`.
        identity_per_file: See `resolve_recipe`.
        rank: Which shard of the work to do.
        world_size: Number of shards.
        keep_work: Leave the work area (pristine takes, records) when finished.
        overwrite: Remove another data set that lies in the folder.
        prune: Remove clips of the set that the recipe does not plan any more.
        retry_failed: Go through a finished set again and try what failed.
        skip_missing: Build although generators are not installed; their clips are refused by name.
        rights_override: Why fakes are made of recordings whose licence or consent is unknown; recorded in the set.
    """

    workers: int = 2
    executor: str = "local"
    timeout: float | None = DEFAULT_TIMEOUT
    memory_bytes: int | None = None
    limit: int | None = None
    seconds: float | None = None
    identity_per_file: bool = False
    rank: int = 0
    world_size: int = 1
    keep_work: bool = False
    overwrite: bool = False
    prune: bool = False
    retry_failed: bool = False
    skip_missing: bool = False
    rights_override: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.world_size:
            raise CmdfdError(f"--rank must be in 0 ... world size - 1, got {self.rank} of {self.world_size}")
