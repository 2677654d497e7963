"""An audit from end to end: measure, look at the set as a whole, test, and look deeper where something was found."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cmdfd.audit.analysis import Settings, analyse
from cmdfd.audit.catalogue import chosen_cues, known_cues, unknown_cue
from cmdfd.audit.finding import POOLED
from cmdfd.audit.records import AuditReport, Comparison
from cmdfd.report.text import plural

if TYPE_CHECKING:
    import pandas as pd

    from cmdfd.audit.check import Check
    from cmdfd.audit.cue import Cue
    from cmdfd.audit.records import Lineage
    from cmdfd.audit.targets.target import Target

#: Clips that are tested at most: whole components are drawn from larger sets. Checks look at all clips.
MAX_TESTED = 50_000
#: Column that says which files could not be read (no cue, since it has no dot).
UNREAD = "unread"
NOTHING_READ = "not testable: of one class no file could be read"
#: Columns beside the cues whose levels the auditor compares by default.
_PACKAGES = ("av", "numpy", "scipy", "scikit-learn", "pyloudnorm", "opencv-python-headless")

Say = Callable[[str], None]
CueOf = Callable[[str], "Cue"]


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """How to audit.

    Args:
        quick: Headers and packets only.
        cues: Cues, families or presets; empty for all.
        settings: How to test.
        deeper: Whether floor, conditional tests, split probe and controls are done.
        sample: Clips at most, whole components drawn by the seed; None for all.
        workers: Processes that read files; None for one a core.
        plugins: Own cues, "pkg.mod:Name" or "file.py:Name".
    """

    quick: bool = False
    cues: tuple[str, ...] = ()
    settings: Settings = Settings()  # noqa: RUF009 (frozen)
    deeper: bool = True
    sample: int | None = None
    workers: int | None = None
    plugins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Audited:
    """An audit with the table that it was made from.

    Args:
        report: The outcome.
        table: One row a clip: facts and cues.
        target: What was audited (after sampling).
    """

    report: AuditReport
    table: pd.DataFrame
    target: Target


def audit(target: Target, options: AuditOptions | None = None, say: Say = lambda _: None) -> Audited:
    """Audit a set.

    Args:
        target: What `cmdfd.audit.targets.opening.open_target` gives.
        options: How.
        say: Told what is being done, in a few words.

    Raises:
        CmdfdError: For an unknown cue or plug-in.
    """
    from cmdfd.audit.setcues import demographic_cues

    chosen = options or AuditOptions()
    target = sampled(target, chosen.sample, chosen.settings.seed)
    measured = _measured(target, chosen, say)
    cues = known_cues((demographic_cues(target.clips), target.extra_cues, measured.cues))
    table = _selected(measured.table, chosen_cues(chosen.cues, cues))

    def cue_of(name: str) -> Cue:
        return cues.get(name) or unknown_cue(name)

    say("looking at the set as a whole")
    checks = _checks(target, measured.table, measured.unread)
    report = _tested(target, table, cue_of, chosen, say)
    notes = (*target.notes, *measured.notes, *report.notes)
    unread = (*target.unread, *measured.unread)
    report = replace(report, checks=checks, notes=notes, unread=unread, depth="headers" if chosen.quick else "full")
    return Audited(report, table, target)


def sampled(target: Target, n: int | None, seed: int) -> Target:
    """About `n` clips of a target: whole components in an order drawn by the seed."""
    if n is None or n >= len(target.clips):
        return target
    kept = _drawn(target.clips["component"], n, seed)
    note = f"{int(kept.sum())} of {len(kept)} clips were drawn, whole components (seed {seed})"
    return replace(target, clips=target.clips[kept].reset_index(drop=True), notes=(*target.notes, note))


def _drawn(components: pd.Series, n: int, seed: int) -> Any:
    codes, names = components.fillna("").factorize()
    sizes = np.bincount(codes, minlength=len(names))
    order = np.random.default_rng(seed).permutation(len(names))
    full = np.cumsum(sizes[order]) >= n
    stop = int(np.argmax(full)) + 1 if full.any() else len(order)
    return np.isin(codes, order[:stop])


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    table: pd.DataFrame
    cues: Mapping[str, Cue]
    unread: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def _measured(target: Target, options: AuditOptions, say: Say) -> _Measured:
    """Facts, stated cues, measured cues and cues of the whole set in one table."""
    import pandas as pd

    from cmdfd.audit.setcues import set_cues

    clips = target.clips.reset_index(drop=True)
    parts = [clips]
    tracks: list[object] | None = None
    unread: list[tuple[str, str]] = []
    cues: dict[str, Cue] = {}
    notes: list[str] = []
    if target.has_media:
        from cmdfd.audit.measuring import measure_all

        paths = [Path(text) if text else None for text in clips["path"].fillna("")]
        tracks = clips["tracks_path"].tolist() if "tracks_path" in clips.columns else None
        progress = _steps(len(paths), say)
        say(f"measuring {plural(len(paths), 'file')}")
        found = measure_all(
            paths,
            "headers" if options.quick else "full",
            workers=options.workers,
            plugins=options.plugins,
            tracks=[Path(text) if isinstance(text, str) and text else None for text in tracks] if tracks else None,
            progress=progress,
        )
        measured = found.table.reset_index(drop=True)
        # what a list states gives way to what was measured
        parts = [clips[[name for name in clips.columns if name not in measured.columns]], measured]
        unread = [(one.file, f"{one.code}: {one.reason}") for one in found.failures]
        parts.append(pd.DataFrame({UNREAD: np.isin(np.arange(len(paths)), [one.index for one in found.failures])}))
        notes = list(found.notes)
        cues = dict(found.cues)
    elif options.plugins:
        from cmdfd.audit.registry import load_plugins

        load_plugins(options.plugins)  # a name that is wrong is told with and without media
        notes.append(f"{', '.join(options.plugins)}: not measured, since own cues need the files")
    whole = set_cues(replace(target, clips=clips)).reset_index(drop=True)
    taken = {name for part in parts for name in part.columns}
    parts.append(whole[[name for name in whole.columns if name not in taken]])
    return _Measured(pd.concat(parts, axis=1).copy(), cues, tuple(unread), tuple(notes))


def _steps(total: int, say: Say) -> Callable[[int], None]:
    """Tells at each tenth how many files are measured."""
    done = 0

    def step(count: int) -> None:
        nonlocal done
        before, done = done, done + count
        if total >= 10 and before * 10 // total != done * 10 // total:
            say(f"measured {done} of {total} files")

    return step


def _selected(table: pd.DataFrame, names: frozenset[str] | None) -> pd.DataFrame:
    if names is None:
        return table
    return table[[name for name in table.columns if "." not in str(name) or name in names]]


def _checks(target: Target, table: pd.DataFrame, unread: tuple[tuple[str, str], ...]) -> tuple[Check, ...]:
    from cmdfd.audit.setcues import set_checks

    return set_checks(replace(target, unread=(*target.unread, *unread)), table)


def _tested(target: Target, table: pd.DataFrame, cue_of: CueOf, options: AuditOptions, say: Say) -> AuditReport:
    """Everything that needs both classes; without them a report that says so."""
    labels = table["label"]
    n_fake, n_real = int((labels == 1).sum()), int((labels == 0).sum())
    known = table[labels.isin([0, 1])]
    empty = _empty(target, options, n_real, n_fake, known)
    if not n_fake or not n_real:
        return empty
    if UNREAD in known.columns:  # the checks tell of them; that all is missing there says nothing more
        known = known[~known[UNREAD]]
        if known["label"].nunique() < 2:
            return replace(empty, comparisons=(replace(empty.comparisons[0], note=NOTHING_READ),))
    notes: tuple[str, ...] = ()
    if len(known) > MAX_TESTED:
        kept = _drawn(known["component"], MAX_TESTED, options.settings.seed)
        known = known[kept]
        note = (
            f"{plural(len(known), 'clip')} of {len(kept)}, whole components, were drawn for the tests; checks see all"
        )
        notes = (note,)
        if known["label"].nunique() < 2:
            return replace(empty, notes=(*notes, "the drawn clips are of one class"))
    found = analyse(known, cue_of, options.settings, progress=lambda name: say(f"testing {name}"))
    report = replace(
        empty,
        notes=notes,
        findings=found.findings,
        comparisons=found.comparisons,
        constant=found.constant,
        not_measured=found.not_measured,
    )
    return _deeper(report, known, cue_of, target, options, say) if options.deeper else report


def _empty(target: Target, options: AuditOptions, n_real: int, n_fake: int, known: pd.DataFrame) -> AuditReport:
    missing = "real" if not n_real else "fake"
    n_components = int(known["component"].nunique())
    note = f"not testable: there is no {missing} clip"
    pooled = Comparison(POOLED, "", "", n_real, n_fake, n_components, 0, testable=False, note=note)
    return AuditReport(
        name=target.name,
        kind=target.kind,
        notes=(),
        checks=(),
        findings=(),
        comparisons=(pooled,),
        constant=(),
        not_measured=(),
        unread=(),
        n_real=n_real,
        n_fake=n_fake,
        n_components=n_components,
        n_unlabelled=len(target.clips) - n_real - n_fake,
        floor=None,
        conditional=(),
        splits=(),
        controls=None,
        lineage=(),
        depth="full",
        settings={**asdict(options.settings), "cues": list(options.cues), "sample": options.sample},
        versions=versions(),
    )


def versions() -> dict[str, str]:
    """Versions of everything that a measurement hangs on."""
    return {
        "cmdfd": version("cmdfd"),
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
    }


def _deeper(
    report: AuditReport, table: pd.DataFrame, cue_of: CueOf, target: Target, options: AuditOptions, say: Say
) -> AuditReport:
    """Floor, conditional tests, split probe, controls and lineage of what was found."""
    from cmdfd.audit.deeper.conditional import conditionals
    from cmdfd.audit.deeper.controls import controls
    from cmdfd.audit.deeper.floor import floor
    from cmdfd.audit.deeper.lineage import lineage
    from cmdfd.audit.deeper.splitprobe import split_probe

    seed = options.settings.seed
    labels = table["label"].to_numpy(np.int64)
    components = table["component"].astype(str).to_numpy()
    pooled = [one for one in report.findings if one.analysis == POOLED]
    cues = [cue_of(one.cue) for one in pooled]
    flagged = [one for one in pooled if one.shown and one.cue_kind != "debatable"]
    say("all cues together")
    together = floor(table, cues, labels, components, {one.cue: one.p for one in pooled}, seed=seed)
    say("cues given each other")
    given = conditionals(table, flagged, labels, components, seed=seed)
    say("can the split be named?")
    probes = [split_probe(table, cue_of, what, seed=seed) for what in ("split", "platform")]
    say("controls: shuffled labels and injected cues")
    checked = controls(table, {cue.name: cue.unit for cue in cues}, labels, components, seed=seed)
    origins: tuple[Lineage, ...] = ()
    if target.stages is not None and report.flagged_cues:
        say("where flagged cues come from")
        origins = lineage(target.stages, table, report.flagged_cues, cue_of, seed=seed)
    return replace(
        report,
        floor=together,
        conditional=given,
        splits=tuple(one for one in probes if one is not None),
        controls=checked,
        lineage=origins,
    )
