"""Everything that is looked at before a set may go public; all reasons against it are told at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cmdfd.errors import CmdfdError
from cmdfd.publish.records import Checked, Problem
from cmdfd.publish.rights_check import Found, rights_found
from cmdfd.report.text import listing, plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cmdfd.audit.records import AuditReport
    from cmdfd.audit.run import AuditOptions
    from cmdfd.audit.severity import Severity
    from cmdfd.audit.targets.target import Target
    from cmdfd.dataset import Dataset

Say = Callable[[str], None]
#: Problems of one code that are told one by one; the rest are counted.
SHOWN = 10
#: What a publisher may answer for, with a reason that is published. A missing consent, a changed file, a label that
#: would be told and a leak between splits hurt others, or make every number wrong, whatever the reason.
LIFTABLE = frozenset({"audit_failed", "audit_missing", "licence_missing", "licence_forbids", "no_contact"})
_STANDS_IN = ", so that its gate says nothing about this set; the audit made here stands in for it"
#: Left by every build (`generators.folders.JOURNAL`).
_JOURNAL = "journal.jsonl"
#: Everything that a damaged table or file makes the readers raise.
_BROKEN = (CmdfdError, OSError, ValueError, KeyError, TypeError)
_TOPICS = {
    "label": ("wrong_label", "build the set again; labels are not edited by hand"),
    "leak": ("split_leak", "build the splits by component (cmdfd.splits.assign), or leave one of the splits out"),
    "file": ("changed_file", "build the set again, which makes only what is missing; remove files that no table names"),
}


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """How to check.

    Args:
        accept: Refusal (of `LIFTABLE`) -> reason for which the publisher lifts it.
        audit: "full" decodes everything; "quick" reads headers and packets.
        fail_on: Grade from which a cue stops publishing; that of the auditor's own status.
        seed: Of everything that the audit draws.
        workers: Processes of the audit; None for one a core.
        sample: Clips that the audit takes at most; None for all.
        draws: Rearrangements of the labels in the audit, at least.
    """

    accept: Mapping[str, str] = field(default_factory=dict)
    audit: Literal["full", "quick"] = "full"
    fail_on: Severity = "medium"
    seed: int = 0
    workers: int | None = None
    sample: int | None = None
    draws: int = 9999


def check(dataset_folder: Path, options: CheckOptions | None = None, say: Say = lambda _: None) -> Checked:
    """Look at a built set before it goes public.

    Args:
        dataset_folder: The set at home, with the labels of withheld splits.
        options: How.
        say: Told what is being done, in a few words.

    Returns:
        All problems, at most `SHOWN` of a code one by one. A set that is broken in any way is a problem, not an error.

    Raises:
        CmdfdError: If `accept` names a refusal that cannot be lifted.
    """
    from cmdfd.dataset import Dataset

    chosen = options or CheckOptions()
    check_accept(chosen.accept)
    folder = Path(dataset_folder)
    try:
        dataset = Dataset.open(folder)
    except _BROKEN as error:
        return Checked((_no_set(folder, error),))
    problems, notes = inspect(dataset, say)
    report, gate_problems, gate_notes = _audit(dataset, chosen, say)
    withheld = bool(dataset.build.withheld)
    return _judged([*problems, *gate_problems], [*notes, *gate_notes], report, chosen.accept, withheld=withheld)


def _no_set(folder: Path, error: Exception) -> Problem:
    """Why a folder cannot be opened: the folder is told once, and what to do fits what lies there."""
    fix = "name the folder that generators.build wrote"
    if folder.exists() and not folder.is_dir():
        return Problem("unfinished", str(folder), "this is a file, not the folder of a set", fix)
    if not folder.exists():
        return Problem("unfinished", str(folder), "there is no such folder", fix)
    if (folder / _JOURNAL).is_file():
        fix = "finish the build with the command that began it"
    reason = str(error).replace(f"{folder}/", "").removeprefix(f"{folder}: ")
    return Problem("unfinished", str(folder), reason or type(error).__name__, fix)


def inspect(dataset: Dataset, say: Say = lambda _: None) -> tuple[list[Problem], list[str]]:
    """Everything but the audit: all problems and notes, none counted together.

    Args:
        dataset: The set at home.
        say: Told what is being looked at.
    """
    problems: list[Problem] = []
    notes: list[str] = []
    for what, look in _looks(dataset):
        say(what)
        try:
            found = look()
        except _BROKEN as error:
            reason = f"it cannot be read: {type(error).__name__}: {error}"
            found = Found((Problem("unfinished", what, reason, "build the set again"),))
        problems += found.problems
        notes += found.notes
    return problems, notes


def check_accept(accept: Mapping[str, str]) -> None:
    """Refuse to lift what nobody can lift, or without a reason.

    Args:
        accept: Refusal -> reason.

    Raises:
        CmdfdError: With what can be lifted.
    """
    for code, reason in accept.items():
        if code not in LIFTABLE:
            raise CmdfdError(
                f"--accept {code}: nobody can lift this refusal; what can be lifted: {', '.join(sorted(LIFTABLE))}"
            )
        if not reason.strip():
            raise CmdfdError(f"--accept {code}: give the reason, as in --accept {code}='WHY IT MAY GO'")


def _looks(dataset: Dataset) -> list[tuple[str, Callable[[], Found]]]:
    from cmdfd.publish.media_tags import tags_found
    from cmdfd.publish.names_check import names_found
    from cmdfd.publish.withheld import withheld_found
    from cmdfd.tables import PROVENANCE, read_table
    from cmdfd.takedown.tombstones import TOMBSTONES, read_tombstones

    def rights() -> Found:
        path = dataset.folder / PROVENANCE
        return rights_found(dataset, read_table(path) if path.is_file() else [])

    def tombstones() -> Found:
        try:
            read_tombstones(dataset.folder)
        except CmdfdError as error:
            fix = "bring it back from a copy of the set: without it, who was taken out would come back"
            reason = str(error).replace(f"{dataset.folder}/", "")
            return Found((Problem("unfinished", TOMBSTONES, reason, fix),))
        return Found()

    return [
        ("files, labels and splits", lambda: _sound(dataset)),
        ("licences and consent", rights),
        (TOMBSTONES, tombstones),
        ("names", lambda: names_found(dataset)),
        ("what withheld splits tell", lambda: withheld_found(dataset)),
        ("tags of the media", lambda: tags_found(dataset)),
    ]


def _sound(dataset: Dataset) -> Found:
    from cmdfd.soundness import problems_of

    if not dataset.rows:
        empty = Problem("unfinished", "metadata.parquet", "the set holds no clips", "build the set again")
        return Found((empty,))
    found = problems_of(dataset)
    problems = []
    for one in found.problems:
        code, fix = _TOPICS[one.topic]
        problems.append(Problem(code, one.where, one.reason.replace(f"{dataset.folder}: ", ""), fix))
    return Found(tuple(problems), found.notes)


def _audit(dataset: Dataset, options: CheckOptions, say: Say) -> tuple[AuditReport | None, list[Problem], list[str]]:
    """Judge the audit of everything that goes public, withheld splits included (their labels are at home).

    The report is what may be told of it: that of the open splits.
    """
    from cmdfd.audit.analysis import Settings
    from cmdfd.audit.run import AuditOptions, audit
    from cmdfd.audit.targets.opening import open_target

    problems, notes = _gate_of_build(dataset)
    if not dataset.rows:
        return None, problems, notes
    how = AuditOptions(
        quick=options.audit == "quick",
        settings=Settings(n_draws=options.draws, seed=options.seed),
        sample=options.sample,
        workers=options.workers,
    )
    try:
        target = open_target([dataset.folder])
        report = audit(target, how, say).report
        told = _of_open_splits(target, dataset, how, say) if dataset.build.withheld else report
    except _BROKEN as error:
        fix = f"see what it says: python -m cmdfd.audit {dataset.folder}"
        return None, [*problems, Problem("audit_missing", "audit", f"it could not be made: {error}", fix)], notes
    failed = _failed(report, dataset.folder, options.fail_on)
    if not failed and not report.testable:
        failed = [_untested(report.comparisons[0].note if report.comparisons else "no clip has a label")]
    elif not failed and report.blind:
        failed = [_untested("even strong cues that were put in went unseen, so that finding none says nothing")]
    if dataset.build.withheld:
        notes.append(_told_of(told, dataset))
    return told, [*problems, *failed], [*notes, *_audit_notes(report, options)]


def _of_open_splits(target: Target, dataset: Dataset, how: AuditOptions, say: Say) -> AuditReport | None:
    """The audit that may be told: numbers over withheld splits as well would tell of their labels."""
    from cmdfd.audit.run import audit

    hidden = set(dataset.build.withheld)
    shown = ~target.clips["split"].isin(hidden)
    if not shown.any():
        return None
    say("auditing the open splits once more, alone: this is what is told")
    clips = target.clips[shown].reset_index(drop=True)
    note = f"the open splits: {plural(len(clips), 'clip')}, {plural(clips['component'].nunique(), 'component')}"
    return audit(replace(target, clips=clips, notes=(note,), stages=None), how, say).report


def _told_of(told: AuditReport | None, dataset: Dataset) -> str:
    hidden = listing(sorted(dataset.build.withheld))
    if told is None:
        return f"the audit was made over {hidden}, whose labels are withheld, and its numbers with them"
    return (
        f"the audit that is told is that of the open splits alone; all splits, {hidden} too, were audited before "
        "publishing, and what was found there is withheld with their labels"
    )


def _gate_of_build(dataset: Dataset) -> tuple[list[Problem], list[str]]:
    from cmdfd.takedown.tombstones import read_tombstones

    gate = dataset.build.audit
    if gate is None and read_tombstones(dataset.folder):
        return [], [f"clips were withdrawn since the build{_STANDS_IN}"]
    if gate is None and "repair" in dataset.build.recipe:
        return [], [f"the set was repaired since the build{_STANDS_IN}"]
    if gate is None:
        return [], ["the gate of the build was switched off; the audit made here stands in for it"]
    if gate.get("status") == "failed":
        said = " ".join(str(one) for one in gate.get("sentences") or ()) or "the gate of the build failed"
        return [Problem("audit_failed", "build.json: audit", said, _repair(dataset.folder))], []
    if gate.get("status") == "not testable":
        return [], ["the gate of the build was not testable"]
    return [], []


def _repair(folder: Path) -> str:
    return (
        f"python -m cmdfd.audit {folder} --fix {folder.name}-repaired, which repairs every class alike, and publish "
        f"that; or answer for it: --accept audit_failed='WHY IT MAY GO'"
    )


def _untested(reason: str) -> Problem:
    fix = (
        "make the set larger (12 components of each class at least), give its splits both classes, or answer for it: "
        "--accept audit_missing='WHY IT MAY GO'"
    )
    return Problem("audit_missing", "audit", f"nothing could have been found: {reason}", fix)


def _failed(report: AuditReport, folder: Path, fail_on: Severity) -> list[Problem]:
    from cmdfd.audit.severity import SEVERITIES

    bar = SEVERITIES.index(fail_on)
    found = []
    for check_ in report.checks:
        if SEVERITIES.index(check_.severity) >= bar:
            found.append(Problem("audit_failed", f"audit: {check_.name}", check_.sentence, _repair(folder)))
    for one in report.flagged:
        if one.cue_kind != "debatable" and SEVERITIES.index(one.severity) >= bar:
            where = f"audit: {one.cue} ({one.severity})"
            found.append(Problem("audit_failed", where, one.sentence(), _repair(folder)))
    return found


def _audit_notes(report: AuditReport, options: CheckOptions) -> list[str]:
    notes = []
    if options.audit == "quick":
        notes.append("the audit read headers and packets only; sound and picture were not looked at")
    if options.sample is not None:
        notes.append(f"the audit took at most {options.sample} clips")
    if report.unread:
        notes.append(f"the audit could not read {plural(len(report.unread), 'file')}, e.g. {report.unread[0][0]}")
    return notes


def _judged(
    problems: Sequence[Problem],
    notes: Iterable[str],
    report: AuditReport | None,
    accept: Mapping[str, str],
    *,
    withheld: bool,
) -> Checked:
    """Lift what was accepted; tell the first problems of every code and count the rest.

    Notes go public. Where splits are withheld, the audit that failed is that of all splits, so none of its cues is
    named there, nor how many there were.
    """
    by_code: dict[str, list[Problem]] = {}
    for one in dict.fromkeys(problems):
        by_code.setdefault(one.code, []).append(one)
    kept: list[Problem] = []
    said = list(notes)
    overrides: dict[str, str] = {}
    for code, some in by_code.items():
        if code in accept:
            overrides[code] = accept[code]
            what = f" ({plural(len(some), 'problem')}, e.g. {some[0].where})"
            said.append(f"{code} lifted{'' if withheld and code == 'audit_failed' else what}: {accept[code]}")
            continue
        kept += shortened(some)
    for code in sorted(set(accept) - set(by_code)):
        said.append(f"--accept {code} was not needed")
    return Checked(tuple(kept), report, tuple(dict.fromkeys(said)), overrides)


def shortened(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The first problems of every code; the rest of a code is counted.

    Args:
        problems: In any number.
    """
    by_code: dict[str, list[Problem]] = {}
    for one in dict.fromkeys(problems):
        by_code.setdefault(one.code, []).append(one)
    kept: list[Problem] = []
    for code, some in by_code.items():
        kept += some[:SHOWN]
        if len(some) > SHOWN:
            rest = f"and {len(some) - SHOWN} more of the same kind"
            kept.append(Problem(code, f"{len(some)} places", rest, some[0].fix))
    return tuple(kept)
