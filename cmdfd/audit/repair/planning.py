"""From the findings of an audit to the shortest list of symmetric steps that answers them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmdfd.audit.repair.fates import fates, losses
from cmdfd.audit.repair.form import BANDWIDTH_CUES, plan_form
from cmdfd.audit.repair.measured import joined, numbers, texts
from cmdfd.audit.repair.recipe import (
    NEEDS_MEDIA,
    ORDER,
    Deduplicate,
    Match,
    Rename,
    Repair,
    RepairError,
    Resplit,
)
from cmdfd.audit.repair.windows import plan_crop
from cmdfd.clip import SPLITS, content_id
from cmdfd.errors import MediaError, nearest
from cmdfd.report.text import clean, listing
from cmdfd.splits import DEFAULT_FRACTIONS

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd

    from cmdfd.audit.finding import Finding
    from cmdfd.audit.records import AuditReport
    from cmdfd.audit.repair.recipe import Step
    from cmdfd.audit.targets.target import Target

#: Cues that only a common cut removes, whatever step their record names.
CUT_CUES = (
    "silence.lead_", "silence.trail_", "silence.avh_", "silence.onset_", "silence.zero_lead", "silence.zero_trail",
    "audio.start_ramp", "audio.first_sample", "audio.end_ramp", "freeze.lead", "freeze.trail", "freeze.first_",
    "freeze.last_", "freeze.drift",
)  # fmt: skip
#: Families of cues that look at the coded files, and so change when these are cut and coded anew.
CODED = frozenset({
    "time", "silence", "level", "container", "geometry", "rate", "audio", "picture", "history", "freeze", "face",
    "meta",
})  # fmt: skip
#: Cues of the clock that a common frame rate removes; all other `time.*` need a common length.
_RATE_CUES = ("time.fps", "time.frame_jitter", "time.vfr")


def plan_repair(
    report: AuditReport,
    target: Target,
    *,
    table: pd.DataFrame | None = None,
    remedies: Collection[str] | None = None,
    seed: int = 0,
) -> Repair:
    """Plan the repair of a set.

    Debatable cues ask for nothing, since they may follow from the content, but those of the bandwidth, which a common
    filter makes alike.

    Args:
        report: Audit of the set.
        target: The set.
        table: Its measured table, from which widths and rates are derived. Without it the files are measured again.
        remedies: Steps that are to be done, whatever the findings ask for; None = those that they ask for.
        seed: Seed of everything that is drawn.

    Raises:
        RepairError: For an unknown remedy, or where what a step needs was not measured.
    """
    for name in remedies or ():
        if name not in ORDER:
            raise RepairError(f"unknown remedy {name!r}: {nearest(name, ORDER)}")
    frame = joined(target, table)
    asked = _asked(report)
    wanted = set(remedies) if remedies is not None else set(asked)
    if "crop" in wanted:
        wanted.add("harmonise")
    if wanted & {"crop", "harmonise"} and target.has_media and not _measured(frame):
        frame = joined(target, _measure(target))
    notes: list[str] = []
    steps = _steps(frame, report, wanted, seed, notes, target.name)
    if "match" in (remedies or ()) and "match" not in {one.step for one in steps}:
        notes.append("match: no flagged cue can be matched, so this step is left out")
    repair = Repair(name=clean(target.name), steps=steps, notes=[*notes, *_left(report, frame, wanted, asked)])
    return _with_losses(repair, frame, target)


def _asked(report: AuditReport) -> set[str]:
    """Steps that findings and checks ask for."""
    found = {one.fix for one in report.checks if one.severity != "none"}
    for finding in report.flagged:
        if not _counts(finding):
            continue
        found.add(finding.fix)
        if _needs_cut(finding.cue):
            found.add("crop")
        elif finding.cue.startswith(BANDWIDTH_CUES):
            found.add("harmonise")
    return {str(step) for step in found} - {"none"}


def _counts(finding: Finding) -> bool:
    return finding.cue_kind != "debatable" or finding.cue.startswith(BANDWIDTH_CUES)


def _needs_cut(cue: str) -> bool:
    return cue.startswith(CUT_CUES) or (cue.startswith("time.") and not cue.startswith(_RATE_CUES))


def _steps(
    frame: pd.DataFrame, report: AuditReport, wanted: set[str], seed: int, notes: list[str], name: str
) -> list[Step]:
    flagged = {one.cue for one in report.flagged if _counts(one)}
    steps: list[Step] = []
    if "deduplicate" in wanted:
        steps.append(Deduplicate())
    if "resplit" in wanted:
        steps.append(Resplit(fractions=_fractions(frame), seed=seed))
    if "harmonise" in wanted:
        form = plan_form(frame, flagged)
        if "crop" in wanted:
            crop = plan_crop(frame, flagged, form.step.fps, seed, sound=form.step.sound == "keep")
            steps.append(crop.step)
            notes += crop.notes
        steps.append(form.step)
        notes += form.notes
    if "match" in wanted and (match := _match(report, frame, seed, coded="harmonise" not in wanted)):
        steps.append(match)
        notes.append(f"match: a subset in which both classes look alike in {listing(match.cues)}")
    if "rename" in wanted:
        steps.append(Rename(key=content_id("repair", name, seed, length=32)))
    return steps


def _fractions(frame: pd.DataFrame) -> dict[str, float]:
    """The shares that the splits have now; the defaults where there are none."""
    splits = [split for split in texts(frame, "split") if split]
    names = sorted(set(splits), key=lambda split: (SPLITS.index(split) if split in SPLITS else len(SPLITS), split))
    if len(names) < 2:
        return dict(DEFAULT_FRACTIONS)
    return {name: round(splits.count(name) / len(splits), 6) for name in names}


def _match(report: AuditReport, frame: pd.DataFrame, seed: int, *, coded: bool) -> Match | None:
    """Cues whose own remedy it is; where it was only asked for by hand, all leaks and nuisances that are flagged.

    Cues of coded files only count where nothing is coded anew (`coded`): else they are measured on what will be gone.
    """
    usable = {
        one.cue: one
        for one in report.flagged
        if one.cue in frame.columns and one.unit != "tokens" and _counts(one) and (coded or not _is_coded(one.cue))
    }
    chosen = [one for one in usable.values() if one.fix == "match"]
    if not chosen and "match" not in _asked(report):
        chosen = list(usable.values())
    if not chosen:
        return None
    names = [one.cue for one in chosen]
    return Match(cues=names, categorical=[one.cue for one in chosen if one.unit == "category"], seed=seed)


def _is_coded(cue: str) -> bool:
    return cue.split(".", 1)[0] in CODED


def _left(report: AuditReport, frame: pd.DataFrame, wanted: set[str], asked: set[str]) -> list[str]:
    """What no step of the plan answers, in sentences."""
    told = []
    later = list(dict.fromkeys(one.cue for one in report.flagged if _counts(one) and one.fix == "match"))
    later = [cue for cue in later if _is_coded(cue) and cue in frame.columns]
    if later and "harmonise" in wanted:
        told.append(
            f"match: {listing(later)} may follow from the coding and will be another when all is coded anew; audit the "
            "repaired set, and repair it by match if they are still flagged"
        )
    by_hand = list(dict.fromkeys(one.cue for one in report.flagged if _counts(one) and one.fix == "none"))
    by_hand += [one.name for one in report.checks if one.fix == "none" and one.severity != "none"]
    if by_hand:
        told.append(f"no machine remedy: {listing(by_hand)}; see their remedies in the report")
    left = sorted(asked - wanted, key=ORDER.index)
    if left:
        told.append(f"not done, though findings ask for it: {listing(left)}")
    debatable = list(dict.fromkeys(one.cue for one in report.flagged if not _counts(one)))
    if debatable:
        told.append(f"left alone, since debatable: {listing(debatable)}")
    return told


def _with_losses(repair: Repair, frame: pd.DataFrame, target: Target) -> Repair:
    """Count ahead what the repair will lose; copies of files are found when it is applied."""
    notes = list(repair.notes)
    try:
        found = fates(repair, frame, media=target.has_media)
    except RepairError as error:  # only a match can fail: a subset that is not there is no remedy
        notes.append(f"left out: {error}")
        repair = repair.model_copy(update={"steps": [one for one in repair.steps if not isinstance(one, Match)]})
        found = fates(repair, frame, media=target.has_media)
    foreseen = losses(found)
    notes += [f"foreseen: {one}" for one in foreseen]
    if repair.steps and not foreseen:
        notes.append(f"foreseen: no clip of {len(frame)} is lost")
    if not target.has_media and (needing := [name for name in repair.names if name in NEEDS_MEDIA]):
        notes.append(f"{listing(needing)}: needs the media, which a list does not have")
    return repair.model_copy(update={"notes": notes})


def _measured(frame: pd.DataFrame) -> bool:
    lengths = numbers(frame, "time.video_duration")
    return not bool(np.isnan(lengths).all())


def _measure(target: Target) -> pd.DataFrame:
    """Cheap cues of every file; those of files that cannot be read are missing."""
    from pathlib import Path

    import pandas as pd

    from cmdfd.audit.measure import measure_file

    rows = []
    for path in texts(target.clips.reset_index(drop=True), "path"):
        try:
            rows.append(measure_file(Path(path)) if path else {})
        except MediaError:
            rows.append({})
    return pd.DataFrame(rows)
