"""How a build runs: plan, materialise takes, make every clip of a take in one piece of work, tables, audit gate.

Every step can be killed at any moment and is taken up again by the same call; what comes out is the same to the
byte, but for `journal.jsonl`, which holds times and hosts.
"""

from __future__ import annotations

import json
import math
import platform
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from cmdfd.clip import content_id
from cmdfd.dataset import BUILD_FILE, Dataset
from cmdfd.errors import CmdfdError
from cmdfd.work import OK, Executor, WorkItem, WorkPlan, WorkResult, open_executor, read_record
from generators.finish import RefusedClip, audit, gather, write_set
from generators.recipe import Recipe, load_recipe
from generators.workspace import JOURNAL, WORK, claim, lock, refuse_foreign, remove_work

if TYPE_CHECKING:
    from cmdfd.dataset import BuildFile
    from generators.plan import BuildPlan
    from generators.sources.contract import SourceItem

#: Called with the step's name, how many of its items are done, and how many there are.
Progress = Callable[[str, int, int], None]

#: Seconds that one take may need; rendering one, the slowest step, takes a few.
DEFAULT_TIMEOUT = 300.0


#: Clips of a user's recordings, where no other length is asked for: many corpora cut their sentences to 3 s (GRID),
#: and the sound must have room to be shifted.
FOLDER_SECONDS = 2.4
#: Recordings give takes this much longer than a clip, for the draw of the window and shifts of the sound.
MARGIN_SECONDS = 0.8


def silent(step: str, done: int, total: int) -> None:
    """A `Progress` that tells nobody."""


@dataclass(frozen=True, slots=True)
class BuildReport:
    """How a build ended.

    Args:
        name: Name of the set.
        out: Its folder.
        counts: split -> kind -> clips.
        refused_codes: Code of `cmdfd.errors.MEDIA_CODES` -> clips or files that were not made.
        refused: The same one by one; empty for a set that was finished before.
        audit: Summary of the gate with its `status`, or None where it did not run.
        seconds: Wall time by step.
        finished_before: Whether nothing was to be done.
        remaining: Takes that other ranks still have to make; the set is not finished until it is 0.
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

    @property
    def passed(self) -> bool:
        """Whether the set is finished and the gate, where it ran, found no leak; a set too small to test passes."""
        return self.remaining == 0 and (self.audit is None or self.audit["status"] != "failed")


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How to build. Only `limit`, `seconds` and `identity_per_file` change what comes out.

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

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.world_size:
            raise CmdfdError(f"--rank must be in 0 ... world size - 1, got {self.rank} of {self.world_size}")


def resolve_recipe(
    recipe: Recipe | str,
    *,
    sources: Path | None = None,
    seed: int | None = None,
    seconds: float | None = None,
    identity_per_file: bool = False,
) -> Recipe:
    """The recipe that will be built.

    Args:
        recipe: A recipe, the name of a built-in one, or a YAML file.
        sources: A folder of recordings; replaces the recipe's source by `folder` and leaves the splits to the
            recipe's fractions.
        seed: Replaces the recipe's seed.
        seconds: Length of the clips; if None, the recipe's, or 2.4 with `sources` where that is shorter.
        identity_per_file: Every file of `sources` shows a person of its own.

    Raises:
        CmdfdError: If there is no such recipe or folder.
    """
    found = load_recipe(recipe) if isinstance(recipe, str) else recipe
    changes: dict[str, Any] = {} if seed is None else {"seed": seed}
    if seconds is None:
        seconds = min(found.harmonise.seconds, FOLDER_SECONDS if sources is not None else math.inf)
    changes["harmonise"] = {**found.harmonise.model_dump(), "seconds": seconds}
    if sources is not None:
        if not Path(sources).is_dir():
            raise CmdfdError(f"--sources {str(sources)!r}: there is no such folder")
        options: dict[str, Any] = {"folder": str(Path(sources).resolve()), "min_seconds": seconds}
        options["seconds"] = seconds + MARGIN_SECONDS
        if identity_per_file:
            options["identity_per_file"] = True
        changes |= {"source": {"kind": "folder", "options": options}, "splits": {}}
    elif identity_per_file:
        raise CmdfdError("--identity-per-file needs --sources DIR")
    try:
        return Recipe.model_validate({**found.model_dump(), **changes})
    except ValidationError as error:
        first = error.errors()[0]
        name = first["loc"][-1] if first["loc"] else "recipe"
        raise CmdfdError(f"{name}: {first['msg'].removeprefix('Value error, ')}") from error


def build(
    recipe: Recipe | str,
    out: Path,
    *,
    sources: Path | None = None,
    workers: int = 2,
    executor: str = "local",
    seed: int | None = None,
    progress: Progress = silent,
    options: BuildOptions | None = None,
) -> BuildReport:
    """Build a data set, go on with a killed build, or find it finished.

    Args:
        recipe: A recipe, the name of a built-in one, or a YAML file.
        out: Folder of the data set.
        sources: See `resolve_recipe`.
        workers: Worker processes; `options` win over it.
        executor: "serial" or "local"; `options` win over it.
        seed: Replaces the recipe's seed.
        progress: Where to report.
        options: Everything else.

    Returns:
        What was made. A failed audit gate is no error here; see `BuildReport.passed`.

    Raises:
        CmdfdError: If the recipe, the source or the folder cannot be used, or another build is writing there.
    """
    from generators.plan import make_plan

    chosen = options or BuildOptions(workers=workers, executor=executor)
    out = Path(out)
    resolved = resolve_recipe(
        recipe,
        sources=sources,
        seed=seed,
        seconds=chosen.seconds,
        identity_per_file=chosen.identity_per_file,
    )
    refuse_foreign(out)
    began = time.perf_counter()
    plan = make_plan(resolved, chosen.limit)
    spent = {"plan": time.perf_counter() - began}
    with lock(out / WORK / f"rank-{chosen.rank}-of-{chosen.world_size}.lock"):
        finished = claim(out, plan.recipe_hash, overwrite=chosen.overwrite)
        report = _found(finished, out, spent) if finished else _Run(plan, out, chosen, progress, spent).all()
        if not report.remaining and not chosen.keep_work:
            remove_work(out)
    return report


def _found(build_file: BuildFile, out: Path, seconds: Mapping[str, float]) -> BuildReport:
    return BuildReport(
        build_file.name,
        out,
        build_file.counts,
        build_file.refused,
        audit=build_file.audit,
        seconds=seconds,
        finished_before=True,
    )


class _Run:
    """One run of a build in a claimed folder."""

    def __init__(
        self, plan: BuildPlan, out: Path, options: BuildOptions, progress: Progress, seconds: dict[str, float]
    ) -> None:
        from generators.record import tool_versions

        self.plan, self.out, self.options, self.progress = plan, out, options, progress
        self.seconds = seconds
        self.work = out / WORK
        self.versions = tool_versions(plan.code_packages)
        self.context = {"work": str(self.work.resolve()), "out": str(out.resolve())}

    def all(self) -> BuildReport:
        """Every step of this rank, and the tables if it is the last one."""
        if self.options.world_size == 1:  # what a killed run left half made; other ranks may be at work here
            shutil.rmtree(self.work / "tmp", ignore_errors=True)
        mine = self.plan.takes[self.options.rank :: self.options.world_size]
        lenders = (take.donor for take in mine if take.donor is not None)
        needed = {item.key for item in (*(take.item for take in mine), *lenders)}
        limits = (self.options.timeout, self.options.memory_bytes)
        with open_executor(self.options.executor, self.options.workers, *limits) as executor:
            takes = self._step(executor, "takes", self._take_plan(), needed)
            clips = self._step(executor, "clips", self._clip_plan(takes), {take.item.key for take in mine})
        results = self._results(takes, clips)
        remaining = len(self.plan.takes) - len(results)
        if remaining and not (self.out / BUILD_FILE).is_file():
            name = self.plan.recipe.name
            return BuildReport(name, self.out, {}, {}, seconds=self.seconds, remaining=remaining)
        with lock(self.work / "tables.lock", wait=True):
            if (self.out / BUILD_FILE).is_file():  # another rank was faster
                return _found(Dataset.open(self.out).build, self.out, self.seconds)
            return self._finish(results)

    def _take_plan(self) -> WorkPlan:
        source = self.plan.recipe.source.model_dump(mode="json")
        items: dict[str, SourceItem] = {take.item.key: take.item for take in self.plan.takes}
        work = []
        for key, item in items.items():
            described = asdict(item)
            # The folder's name carries its content address, so a take of other versions is never mistaken for it.
            address = content_id("take", source, described, self.versions, length=12)
            payload = {"source": source, "item": described, "folder": f"{key}-{address}"}
            work.append(WorkItem.of(key, payload, self.versions))
        return WorkPlan("generators.jobs:materialise", tuple(work), self.context)

    def _clip_plan(self, takes: Mapping[str, WorkResult]) -> WorkPlan:
        """Work for every take whose own fate and whose donor's are known."""
        from generators.jobs import clips_payload

        made = {key: result.value for key, result in takes.items() if result.status == OK}
        recipe = self.plan.recipe
        harmonise = recipe.harmonise.model_dump(mode="json")
        salt = (self.plan.recipe_hash, self.versions)
        work = [
            WorkItem.of(take.item.key, clips_payload(take, made, harmonise, recipe.seed), salt)
            for take in self.plan.takes
            if take.item.key in made and (take.donor is None or take.donor.key in takes)
        ]
        return WorkPlan("generators.jobs:make_clips", tuple(work), self.context)

    def _step(self, executor: Executor, step: str, plan: WorkPlan, mine: set[str]) -> dict[str, WorkResult]:
        """Do this rank's items; returns every result that is known, other ranks' records included."""
        began = time.perf_counter()
        records = self.work / "records" / step
        own = replace(plan, items=tuple(item for item in plan.items if item.key in mine))
        others = (read_record(records, item) for item in plan.items if item.key not in mine)
        found = {result.key: result for result in others if result is not None}
        done = 0
        self.progress(step, done, len(own.items))
        with (self.out / JOURNAL).open("a", encoding="utf-8") as journal:
            for result in executor.run(own, records):
                found[result.key] = result
                done += 1
                if not result.reused:
                    journal.write(json.dumps(_entry(step, result), ensure_ascii=False) + "\n")
                    journal.flush()
                self.progress(step, done, len(own.items))
        self.seconds[step] = time.perf_counter() - began
        return found

    def _results(self, takes: Mapping[str, WorkResult], clips: Mapping[str, WorkResult]) -> dict[str, WorkResult]:
        """What became of every take of the plan, as far as it is known."""
        found = {}
        for take in self.plan.takes:
            key = take.item.key
            if key in clips:
                found[key] = clips[key]
            elif key in takes and takes[key].status != OK:
                found[key] = takes[key]
        return found

    def _finish(self, results: Mapping[str, WorkResult]) -> BuildReport:
        began = time.perf_counter()
        recipe = self.plan.recipe
        self.progress("tables", 0, 1)
        made = gather(self.plan, results)
        both = {clip.labels.label for clip in made.clips} >= {0, 1}
        summary = audit(made, recipe.audit.draws, recipe.seed) if recipe.audit.gate and both else None
        written = write_set(self.out, self.plan, made, self.versions, summary)
        self.seconds["tables"] = time.perf_counter() - began
        self.progress("tables", 1, 1)
        return BuildReport(
            recipe.name,
            self.out,
            written.counts,
            written.refused,
            made.refused,
            summary,
            self.seconds,
        )


def _entry(step: str, result: WorkResult) -> dict[str, Any]:
    return {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "host": platform.node(),
        "step": step,
        "key": result.key,
        "status": result.status,
        "detail": result.detail,
        "seconds": round(result.seconds, 4),
        "cpu_seconds": round(result.cpu_seconds, 4),
        "peak_bytes": result.peak_bytes,
    }
