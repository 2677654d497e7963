"""How a build runs: plan, materialise takes, make every clip of a take in one piece of work, tables, audit gate.

Every step can be killed at any moment and is taken up again by the same call; what comes out is the same to the
byte, but for `journal.jsonl`, which holds times and hosts.
"""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmdfd.clip import REAL_KIND, content_id
from cmdfd.dataset import BUILD_FILE, Dataset
from cmdfd.errors import CmdfdError
from cmdfd.work import OK, Executor, WorkItem, WorkPlan, WorkResult, open_executor, read_record, record_path
from generators.finish import audit, gather, write_set
from generators.folders import DATA_SHEET, JOURNAL, SHEETS, WORK
from generators.jobs import clips_payload, read_job
from generators.journal import item_entry, job_entry, job_ids
from generators.missing import missing_generators, refuse_missing, require_extras
from generators.options import BuildOptions, BuildReport, Progress, silent
from generators.registry import make_generator
from generators.resolve import resolve_recipe
from generators.throughput import kind_times
from generators.withdrawn import without_withdrawn
from generators.workspace import Claim, claim, is_finished, lock, refuse_foreign, remove_work

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TextIO

    from cmdfd.dataset import BuildFile
    from generators.plan import BuildPlan, PlannedTake
    from generators.recipe import Recipe
    from generators.sources.contract import SourceItem

#: Goes up when a take in the work area holds more than before; version 2 has the times of words.
TAKE_FORMAT = 2
#: Seconds that sending one clip through a platform may need besides; a few are usual.
VERSION_SECONDS = 60.0
#: The platform's own limit ends a program that hangs, by name, before the take's limit takes all clips along.
STUCK_SECONDS = 300.0


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
    """Build a data set, go on with a killed build, change a finished one, or find it finished.

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
        CmdfdError: If the recipe, the source or the folder cannot be used, a generator is not installed, or another
            build is writing there.
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
    plan = without_withdrawn(make_plan(resolved, chosen.limit, chosen.rights_override), out)
    _refuse_hopeless(plan)
    require_extras(plan)
    run = _Run(plan, out, chosen, progress, {"plan": time.perf_counter() - began})
    with lock(out / WORK / f"rank-{chosen.rank}-of-{chosen.world_size}.lock"):
        return _locked(run)


def _locked(run: _Run) -> BuildReport:
    """A build in a folder that no other process of this rank writes to."""
    plan, out, chosen = run.plan, run.out, run.options
    missing = missing_generators(plan)
    if missing and not chosen.skip_missing and not is_finished(out, plan.recipe_hash):
        refuse_missing(missing)
    how = Claim(chosen.overwrite, chosen.prune, chosen.retry_failed, tuple(missing))
    with lock(out / WORK / "claim.lock", wait=True):  # a rank that comes later finds what the first one kept
        finished = claim(out, plan, run.jobs, how)
    report = _found(finished, out, run.seconds) if finished else run.all()
    if not report.remaining:
        report = replace(report, sheets=sheets_of(out, run.progress))
        if not chosen.keep_work:
            remove_work(out)
    return report


def sheets_of(out: Path, progress: Progress = silent) -> tuple[Path, ...]:
    """Contact sheet and data sheet of a finished set, drawn where a build was stopped before them."""
    folder = out / SHEETS
    if not (folder / DATA_SHEET).is_file():
        from generators.sheets import write_contact_sheet, write_data_sheet

        progress("sheets", 0, 1)
        dataset = Dataset.open(out)
        write_contact_sheet(dataset, folder)
        write_data_sheet(dataset, folder / DATA_SHEET)  # last: it tells that all are there
        progress("sheets", 1, 1)
    return (*sorted(folder.glob("*.png")), folder / DATA_SHEET)


def _refuse_hopeless(plan: BuildPlan) -> None:
    """Refuse a plan without a single fake, which it takes an open right to have.

    Raises:
        CmdfdError: Naming the commonest reason and the fix.
    """
    fakes = [clip for take in plan.takes for clip in take.clips if not clip.slot.sham and clip.slot.kind != REAL_KIND]
    reasons = Counter(clip.refused for clip in fakes if clip.refused is not None)
    if reasons and sum(reasons.values()) == len(fakes):
        (code, reason), n = reasons.most_common(1)[0]
        fix = ""
        if code in ("licence_refused", "consent_missing"):
            fix = (
                "; state licence and consent in sources.csv, or give a reason with --override-rights, which is recorded"
            )
        raise CmdfdError(f"not a single fake may be made: {n} clips: {code}: {reason}{fix}")


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
        from generators.record import versions_of

        self.plan, self.out, self.options, self.progress = plan, out, options, progress
        self.seconds = seconds
        self.work = out / WORK
        self.versions = versions_of(plan)
        self.jobs = job_ids(plan, self.versions)
        self.context = {"work": str(self.work.resolve()), "out": str(out.resolve())}
        self.made_now: list[Mapping[str, Any]] = []

    def all(self) -> BuildReport:
        """Every step of this rank, and the tables if it is the last one."""
        if self.options.world_size == 1:  # other ranks may be at work here
            shutil.rmtree(self.work / "tmp", ignore_errors=True)  # what a killed run left half made
        share = {take.item.key for take in self.plan.takes[self.options.rank :: self.options.world_size]}
        results, kept = self._recorded()
        open_takes = [take for take in self.plan.takes if take.item.key not in results and _any_clip(take)]
        mine = [take for take in open_takes if take.item.key in share]
        self._forget(mine)
        needed = {key for take in mine for key in (take.item.key, *take.donors)}
        limits = (self._timeout(), self.options.memory_bytes)
        with open_executor(self.options.executor, self.options.workers, *limits) as executor:
            takes = self._step(executor, "takes", self._take_plan(open_takes), needed)
            clips = self._step(executor, "clips", self._clip_plan(open_takes, takes), {t.item.key for t in mine})
        results |= self._results(open_takes, takes, clips)
        remaining = sum(_any_clip(take) and take.item.key not in results for take in self.plan.takes)
        if remaining and not (self.out / BUILD_FILE).is_file():
            name = self.plan.recipe.name
            return BuildReport(name, self.out, {}, {}, seconds=self.seconds, remaining=remaining)
        with lock(self.work / "tables.lock", wait=True):
            if (self.out / BUILD_FILE).is_file():  # another rank was faster
                return _found(Dataset.open(self.out).build, self.out, self.seconds)
            return replace(self._finish(results), kept=kept)

    def _recorded(self) -> tuple[dict[str, WorkResult], int]:
        """Takes all of whose jobs are done, as if they had been made now; and how many clips are there already."""
        found, n = {}, 0
        for take in self.plan.takes:
            jobs = [self.jobs[clip.id] for clip in take.clips if clip.refused is None]
            records = [read_job(self.work, self.out, job) for job in jobs]
            n += sum(record is not None and record["clip"] is not None for record in records)
            if jobs and all(records):
                found[take.item.key] = WorkResult(take.item.key, OK, {"jobs": records}, "", 0.0, reused=True)
        return found, n

    def _forget(self, open_takes: Sequence[PlannedTake]) -> None:
        """Remove the records of takes that were made, but whose jobs are not all done.

        A job's file is gone since, or it ended with a code that may go away by itself: it is tried again. A take that
        could not be used at all keeps its record.
        """
        for take in open_takes:
            path = record_path(self.work / "records" / "clips", take.item.key)
            try:
                made = json.loads(path.read_text("utf-8"))["value"] is not None
            except (OSError, ValueError, KeyError, TypeError):
                continue
            if made:
                path.unlink(missing_ok=True)

    def _timeout(self) -> float | None:
        """Seconds for one take: the user's, the most that its external generators may take, and some per platform."""
        if self.options.timeout is None:
            return None
        several = {tuple(clip.slot.generator for clip in take.clips) for take in self.plan.takes}
        own = (sum(getattr(make_generator(name), "timeout", 0.0) for name in names) for names in several)
        sent = max(sum(bool(clip.original) for clip in take.clips) for take in self.plan.takes)
        return self.options.timeout + max(own) + sent * VERSION_SECONDS + (STUCK_SECONDS if sent else 0.0)

    def _take_plan(self, open_takes: Sequence[PlannedTake]) -> WorkPlan:
        source = self.plan.recipe.source.model_dump(mode="json")
        items: dict[str, SourceItem] = {}
        for take in open_takes:
            items |= {take.item.key: take.item, **take.donors}
        work = []
        for key, item in sorted(items.items()):
            described = asdict(item)
            # The folder's name carries its content address, so a take of other versions is never mistaken for it.
            address = content_id("take", TAKE_FORMAT, source, described, self.versions, length=12)
            payload = {"source": source, "item": described, "folder": f"{key}-{address}"}
            work.append(WorkItem.of(key, payload, self.versions))
        return WorkPlan("generators.jobs:materialise", tuple(work), self.context)

    def _clip_plan(self, open_takes: Sequence[PlannedTake], takes: Mapping[str, WorkResult]) -> WorkPlan:
        """Work for every take whose own fate and whose donors' are known."""
        made = {key: result.value for key, result in takes.items() if result.status == OK}
        recipe = self.plan.recipe
        harmonise = recipe.harmonise.model_dump(mode="json")
        work = [
            WorkItem.of(take.item.key, clips_payload(take, made, harmonise, recipe.seed, self.jobs))
            for take in open_takes
            if take.item.key in made and all(key in takes for key in take.donors)
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
                    self._write(journal, step, result)
                self.progress(step, done, len(own.items))
        self.seconds[step] = time.perf_counter() - began
        return found

    def _write(self, journal: TextIO, step: str, result: WorkResult) -> None:
        """Append what happened, the single jobs of a take included."""
        jobs = result.value["jobs"] if step == "clips" and result.value is not None else []
        jobs = [job for job in jobs if job["seconds"]]  # what a finished set lent took none
        self.made_now += jobs
        for entry in (*(job_entry(result.key, job) for job in jobs), item_entry(step, result)):
            journal.write(json.dumps(entry, ensure_ascii=False) + "\n")
        journal.flush()

    def _results(
        self, open_takes: Sequence[PlannedTake], takes: Mapping[str, WorkResult], clips: Mapping[str, WorkResult]
    ) -> dict[str, WorkResult]:
        """What became of the takes that had something to be made, as far as it is known."""
        found = {}
        for take in open_takes:
            key = take.item.key
            if key in clips:
                found[key] = clips[key] if clips[key].value is not None else self._salvaged(take, clips[key])
            elif key in takes and takes[key].status != OK:
                found[key] = takes[key]
        return found

    def _salvaged(self, take: PlannedTake, ended: WorkResult) -> WorkResult:
        """A take whose worker ended too early: what it finished counts, and the rest ends as the worker did."""
        lines = ended.detail.strip().splitlines()
        jobs = []
        for clip in (clip for clip in take.clips if clip.refused is None):
            told = {"id": clip.id, "kind": clip.slot.kind, "code": ended.status}
            lost = {"clip": None, "refused": {**told, "reason": lines[-1] if lines else ended.status}}
            jobs.append(read_job(self.work, self.out, self.jobs[clip.id]) or {**lost, "provenance": None, "stages": []})
        return replace(ended, value={"jobs": jobs})

    def _finish(self, results: Mapping[str, WorkResult]) -> BuildReport:
        began = time.perf_counter()
        recipe = self.plan.recipe
        self.progress("tables", 0, 1)
        shutil.rmtree(self.out / SHEETS, ignore_errors=True)  # of the set that it was before
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
            throughput=kind_times(self.made_now, recipe.harmonise.seconds),
            platforms=Counter(clip.platform for clip in made.clips if clip.platform),
        )


def _any_clip(take: PlannedTake) -> bool:
    return any(clip.refused is None for clip in take.clips)


def standing_of(plan: BuildPlan, out: Path) -> str:
    """What of a plan lies in a folder already, and what would go from there, in a line for people; "" for nothing."""
    from generators.record import versions_of
    from generators.update import compare

    jobs = job_ids(plan, versions_of(plan))
    wanted = [jobs[clip.id] for take in plan.takes for clip in take.clips if clip.refused is None]
    if (out / BUILD_FILE).is_file():
        change = compare(Dataset.open(out), plan, jobs, tuple(missing_generators(plan)))
        n, dropped = len(change.kept), sum(change.dropped.values())
    else:
        n, dropped = sum(read_job(out / WORK, out, job) is not None for job in wanted), 0
    gone = f"; {dropped} that lie there are not planned (--prune)" if dropped else ""
    return f"In {out}: {n} of {len(wanted)} are there already{gone}.\n" if n or dropped else ""
