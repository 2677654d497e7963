"""The end of a build: from records to tables, the audit gate, and the removal of everything else."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from cmdfd.cache import write_atomic
from cmdfd.clip import REAL_KIND, SPLITS, Clip
from cmdfd.dataset import BUILD_FILE, FORMAT_VERSION, BuildFile, media_files
from cmdfd.errors import CmdfdError
from cmdfd.rights import rights_problem
from cmdfd.splits import Identity, components
from cmdfd.tables import (
    PROVENANCE,
    REFUSED,
    STAGES,
    clip_of,
    cue_schema,
    schema,
    write_table,
    write_tables,
)  # fmt: skip
from cmdfd.takedown.tombstones import withdrawn_notes
from generators.record import PROVENANCE_COLUMNS, REFUSED_COLUMNS, STAGE_COLUMNS, as_text
from generators.sources.sources_csv import printable
from generators.versions import SOCIAL
from generators.withdrawn import WITHDRAWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from cmdfd.work import WorkResult
    from generators.plan import BuildPlan, PlannedClip, Slot


#: Time of all media of a set: the first second of 2000, UTC.
NEUTRAL_TIME = 946_684_800


@dataclass(frozen=True, slots=True)
class RefusedClip:
    """A clip (or a file of the source) that was not made.

    Args:
        source: The file, or the take that it would have been made from.
        kind: Kind of clip; "" for a whole file.
        code: One of `cmdfd.errors.MEDIA_CODES` where the recording or the whole take is to blame, of `JOB_CODES` where
            the clip is.
        reason: In words.
    """

    source: str
    kind: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Made:
    """Everything that the records of a build hold."""

    clips: tuple[Clip, ...]
    refused: tuple[RefusedClip, ...]
    provenance: tuple[dict[str, Any], ...]
    stages: tuple[dict[str, Any], ...]


def gather(plan: BuildPlan, results: Mapping[str, WorkResult]) -> Made:
    """Put the records together.

    Args:
        plan: What was planned.
        results: Result of `jobs.make_clips` by take key; a take without one was not materialised.
    """
    clips: list[Clip] = []
    refused = [RefusedClip(one.file, "", one.code, one.reason) for one in plan.refused]
    provenance: list[dict[str, Any]] = []
    stages: list[dict[str, Any]] = []
    for take in plan.takes:
        name = printable(str(take.item.spec.get("file", take.item.key)))
        refused += [_refusal(name, clip.slot, *clip.refused) for clip in take.clips if clip.refused]
        result = results.get(take.item.key)
        if result is None:  # none of its clips was to be made
            continue
        if result.value is None:
            reason = result.detail.strip().splitlines()[-1] if result.detail.strip() else result.status
            wanted = [clip for clip in take.clips if clip.refused is None]
            refused += [RefusedClip(name, _kind(clip.slot), result.status, reason) for clip in wanted]
            continue
        wanted = [clip for clip in take.clips if clip.refused is None]
        lost = _torn_platforms(wanted, result.value["jobs"])
        for planned, job in zip(wanted, result.value["jobs"], strict=True):
            told = job["refused"] or lost.get(planned.slot.platform)
            if told is not None:
                refused.append(RefusedClip(name, _kind(planned.slot), told["code"], told["reason"]))
                continue
            clips.append(clip_of(job["clip"]["split"], job["clip"]))
            provenance.append(job["provenance"])
            stages += job["stages"]
    # who stands beside others hangs on all that the source says of them, also where no clip of their own was made
    beside = {one.key: one for take in plan.takes if take.scene for one in take.scene.bystanders}
    also = [Identity(one.face_id, one.voice_id, one.source_ids) for one in beside.values()]
    return Made(tuple(with_components(clips, also)), tuple(refused), tuple(provenance), tuple(stages))


def _refusal(name: str, slot: Slot, code: str, reason: str) -> RefusedClip:
    """A planned clip that is not made; of withdrawn ones, nobody is told whose they were."""
    return RefusedClip("" if code == WITHDRAWN else name, _kind(slot), code, reason)


def _torn_platforms(wanted: Sequence[PlannedClip], jobs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Platforms through which not all clips of a take came, with what is told of those that did.

    A version whose twin is missing would stand for its class alone, so it goes, too.
    """
    pairs = list(zip(wanted, jobs, strict=True))
    made = {clip.id for clip, job in pairs if not clip.original and job["refused"] is None}
    found = {}
    for clip, job in pairs:
        if clip.original in made and job["refused"] is not None:
            reason = f"another clip of its take did not come through {clip.slot.platform}: {job['refused']['reason']}"
            found[clip.slot.platform] = {"code": str(job["refused"]["code"]), "reason": reason}
    return found


def _kind(slot: Slot) -> str:
    """What a refused clip is called: its kind, whether it was to be the sham of that, and its platform."""
    name = f"sham of {slot.kind}" if slot.sham and slot.kind != REAL_KIND else slot.kind
    return f"{name}, {slot.platform}" if slot.platform else name


def with_components(clips: Sequence[Clip], also: Sequence[Identity] = ()) -> list[Clip]:
    """Clips with their connected component filled in.

    Args:
        clips: All clips.
        also: What else hangs together.

    Raises:
        CmdfdError: If a face, voice or source is in two splits.
    """
    rows = [Identity(clip.face_id, clip.voice_id, clip.source_ids) for clip in clips]
    first: dict[tuple[str, str], Clip] = {}
    for clip, row in zip(clips, rows, strict=True):
        for what, name in row.nodes():
            other = first.setdefault((what, name), clip)
            if other.split != clip.split:
                raise CmdfdError(
                    f"the {what} {name!r} is in {other.split!r} (a clip of {other.kind!r}) and in {clip.split!r} "
                    f"(a clip of {clip.kind!r}); a generator must borrow inside a split only"
                )
    groups = components([*rows, *also])[: len(rows)]
    return [replace(clip, component=group) for clip, group in zip(clips, groups, strict=True)]


def audit(made: Made, draws: int, seed: int) -> dict[str, Any]:
    """Run the gate over the written files' cues, the originals and every platform's versions each by themselves.

    Returns:
        The originals' report as JSON-able data, its `platforms` the others' by name; `status` is the worst of all, and
        `originals` that of the originals alone.
    """
    labels: dict[str, set[int | None]] = {}
    for clip in made.clips:
        labels.setdefault(clip.platform, set()).add(clip.labels.label)
    names = sorted(name for name, found in labels.items() if name and found >= {0, 1})
    report = dict(_gated(made, "", draws, seed, 1 + len(names)))
    report["originals"] = report["status"]
    report["platforms"] = {name: _gated(made, name, draws, seed, 1 + len(names)) for name in names}
    failed = [name for name, one in report["platforms"].items() if one["status"] == "failed"]
    if failed and report["status"] != "failed":
        report |= {"status": "failed", "passed": False}
    report["sentences"] = [
        *report["sentences"],
        *(f"{name}: {sentence}" for name in failed for sentence in report["platforms"][name]["sentences"]),
    ]
    return report


def _gated(made: Made, platform: str, draws: int, seed: int, n_gates: int) -> dict[str, Any]:
    """The gate over one platform's versions, one of `n_gates`."""
    import pandas as pd

    from cmdfd.audit.gate import gate

    facts = {
        clip.id: {"label": clip.labels.label, "component": clip.component, "kind": clip.kind}
        for clip in made.clips
        if clip.platform == platform
    }
    stage = SOCIAL if platform else "harmonised"
    rows = [
        {**{name: value for name, value in row.items() if name != "stage"}, **facts[row["id"]]}
        for row in made.stages
        if row["stage"] == stage and row["id"] in facts
    ]
    report = gate(pd.DataFrame(rows).sort_values("id", ignore_index=True), n_draws=draws, seed=seed, n_gates=n_gates)
    return dict(report.to_dict())


def write_set(
    out: Path, plan: BuildPlan, made: Made, versions: Mapping[str, str], summary: Mapping[str, Any] | None
) -> BuildFile:
    """Write all tables, remove what no table names, and write `build.json` last.

    Raises:
        CmdfdError: If not a single clip was made.
    """
    if not made.clips:
        reasons = Counter(f"{one.code}: {one.reason}" for one in made.refused).most_common(3)
        raise CmdfdError(f"not a single clip could be made: {'; '.join(text for text, _ in reasons)}")
    recipe = plan.recipe
    build = BuildFile(
        format_version=FORMAT_VERSION,
        name=recipe.name,
        recipe=recipe.model_dump(mode="json"),
        recipe_hash=plan.recipe_hash,
        versions=dict(versions),
        encoder=recipe.harmonise.model_dump(mode="json"),
        counts=counts(made.clips),
        refused=dict(sorted(Counter(one.code for one in made.refused).items())),
        withheld=list(recipe.withheld),
        audit=dict(summary) if summary is not None else None,
        notes=[*notes_of(plan), *withdrawn_notes(out)],
        limit=plan.limit,
    )
    _sweep(out, made.clips)
    write_tables(out, made.clips, recipe.withheld)
    text = as_text(versions)
    added = {"versions": text, "recipe_hash": plan.recipe_hash}
    forced = {clip.id: plan.rights_override for clip in made.clips if clip.labels.label and rights_problem(clip.rights)}
    provenance = [{**row, **added, "rights_override": forced.get(row["id"], "")} for row in made.provenance]
    order = sorted(provenance, key=lambda row: row["id"])
    write_table(out / PROVENANCE, order, schema(PROVENANCE_COLUMNS))
    stages = sorted(made.stages, key=lambda row: (row["id"], row["stage"]))
    write_table(out / STAGES, stages, cue_schema(stages, STAGE_COLUMNS))
    write_table(out / REFUSED, [asdict(one) for one in made.refused], schema(REFUSED_COLUMNS))
    write_atomic(out / BUILD_FILE, build.to_json().encode())
    return build


def notes_of(plan: BuildPlan) -> list[str]:
    """What a reader of the set must know."""
    if not plan.rights_override:
        return []
    return [f"fakes were made of recordings of unknown licence or consent; reason given: {plan.rights_override}"]


def counts(clips: Iterable[Clip]) -> dict[str, dict[str, int]]:
    """Split -> kind -> clips, splits in the Hub's order, kinds by name."""
    found: dict[str, dict[str, int]] = {}
    for clip in sorted(clips, key=lambda one: (SPLITS.index(one.split), one.kind)):
        kinds = found.setdefault(clip.split, {})
        kinds[clip.kind] = kinds.get(clip.kind, 0) + 1
    return found


def _sweep(out: Path, clips: Sequence[Clip]) -> None:
    """Remove media that no table will name, of clips that an earlier run made, and give the others one time."""
    known = {name for clip in clips for name in (clip.file, clip.mask, clip.tracks) if name is not None}
    for name in media_files(out):
        if name not in known:
            (out / name).unlink()
        else:  # real clips are made first: when a file was written must not tell its class
            os.utime(out / name, (NEUTRAL_TIME, NEUTRAL_TIME))
    present = {clip.split for clip in clips}
    for split in SPLITS:
        if split not in present:
            shutil.rmtree(out / split, ignore_errors=True)
    for name in ("masks", "tracks"):
        folder = out / name
        if folder.is_dir() and not any(path.is_file() for path in folder.rglob("*")):
            shutil.rmtree(folder)
