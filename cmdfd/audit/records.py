"""The outcome of an audit: everything that a report, a repair or a comparison needs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from cmdfd.audit.severity import SEVERITIES, Severity

if TYPE_CHECKING:
    from cmdfd.audit.check import Check
    from cmdfd.audit.finding import Finding, Probe

#: Version of `audit.json`.
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison of fakes with reals.

    Args:
        name: "all", or "generator: wav2lip", ...
        by: "" for all, else "generator", "split" or "modality".
        level: E.g. "wav2lip".
        n_real: Unforged clips.
        n_fake: Forged clips.
        n_components: Components.
        n_draws: Rearrangements of the labels behind each p; 0 where it was not tested.
        testable: Whether p could be computed.
        note: Design ("paired", "unpaired", "mixed") or why it cannot be tested.
    """

    name: str
    by: str
    level: str
    n_real: int
    n_fake: int
    n_components: int
    n_draws: int
    testable: bool
    note: str


@dataclass(frozen=True, slots=True)
class Floor:
    """All leak and nuisance cues together: what a detector gets without looking at or listening to the forgery.

    Args:
        cues: Cues that went in.
        probe: Cross-validated trees on all of them.
        p: Smallest adjusted p of its cues (max-T); None = not testable.
        minimal: Cues of the minimal set in the order of forward selection, each with the AUC reached so far.
        note: A remark, e.g. on a paired design whose trees fall below chance.
    """

    cues: tuple[str, ...]
    probe: Probe
    p: float | None
    minimal: tuple[tuple[str, float], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Conditional:
    """Whether a cue still tells the classes among clips that another cue does not tell apart.

    Args:
        cue: The cue.
        given: The other cue.
        auc: Stratified (Mantel-Haenszel) AUC of `cue` inside strata of `given`; None where no stratum has both classes.
        low: Lower end of its component interval.
        high: Upper end.
        n_strata: Strata that hold both classes.
    """

    cue: str
    given: str
    auc: float | None
    low: float | None
    high: float | None
    n_strata: int


@dataclass(frozen=True, slots=True)
class SplitProbe:
    """Name that split: whether cues tell the splits of the reals apart (Torralba and Efros, CVPR 2011).

    Args:
        what: "split" or "platform", or another column that was asked for.
        auc: Cross-validated macro one-against-rest AUC of trees on all cues.
        low: Lower end of the component interval.
        high: Upper end.
        p: Smallest max-T p over all cues and levels (Bonferroni over the levels); None = not testable.
        worst: Cue that tells best.
        n: Clips.
        note: Why it could not be done, else "".
    """

    what: str
    auc: float | None
    low: float | None
    high: float | None
    p: float | None
    worst: str
    n: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Controls:
    """Whether the audit itself works on this set.

    Args:
        n_shuffled: Runs on labels that were rearranged (by component).
        false_alarms: How many of them flagged anything.
        detectable_auc: Smallest AUC of an injected cue that would be flagged in 80 % of trials; None = not testable.
        n_injected: Injected cues that were tried at each size.
        curve: (AUC, share flagged) of the injected cues.
    """

    n_shuffled: int
    false_alarms: int
    detectable_auc: float | None
    n_injected: int
    curve: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """How a flagged cue stands at one stage of a build ("source", "raw", "harmonised", "social")."""

    stage: str
    auc: float | None
    p: float | None


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a flagged cue comes from.

    Args:
        cue: The cue.
        stages: In the order of the way of a clip.
        appeared: First stage at which it tells the classes, or "".
        sentence: The same in words.
    """

    cue: str
    stages: tuple[Stage, ...]
    appeared: str
    sentence: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """Outcome of an audit.

    Args:
        name: Name of the target.
        kind: What it is.
        notes: What was guessed or left out, in sentences.
        checks: Plain defects, the worst first.
        findings: Every cue that varies, in every comparison; the worst first.
        comparisons: What was compared, the pooled one first.
        constant: Cues that are the same for all clips.
        not_measured: Cues that no clip has.
        unread: (name, reason) of files or rows that could not be read.
        n_real: Unforged clips.
        n_fake: Forged clips.
        n_components: Components.
        n_unlabelled: Clips without a label, left out.
        floor: All cheap cues together, or None.
        conditional: Flagged cues given each other.
        splits: Split probes.
        controls: Controls, or None.
        lineage: Where flagged cues come from (sets built here).
        depth: "headers" or "full".
        settings: Draws, seed, options; JSON-able.
        versions: Versions of the tools that measured.
    """

    name: str
    kind: str
    notes: tuple[str, ...]
    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]
    comparisons: tuple[Comparison, ...]
    constant: tuple[str, ...]
    not_measured: tuple[str, ...]
    unread: tuple[tuple[str, str], ...]
    n_real: int
    n_fake: int
    n_components: int
    n_unlabelled: int
    floor: Floor | None
    conditional: tuple[Conditional, ...]
    splits: tuple[SplitProbe, ...]
    controls: Controls | None
    lineage: tuple[Lineage, ...]
    depth: str
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def flagged(self) -> tuple[Finding, ...]:
        """Findings that were shown, the worst first."""
        return tuple(one for one in self.findings if one.shown)

    @property
    def flagged_cues(self) -> tuple[str, ...]:
        """Names of flagged cues, each once, the worst first."""
        return tuple(dict.fromkeys(one.cue for one in self.flagged))

    @property
    def testable(self) -> bool:
        """Whether all fakes could be compared with all reals."""
        return bool(self.comparisons) and self.comparisons[0].testable

    @property
    def blind(self) -> bool:
        """Whether even strong cues that were put in went unseen, so that nothing found says nothing."""
        return self.controls is not None and bool(self.controls.curve) and self.controls.detectable_auc is None

    @property
    def severity(self) -> Severity:
        """The worst grade of checks and findings; debatable findings do not count."""
        grades = [one.severity for one in self.checks]
        grades += [one.severity for one in self.flagged if one.cue_kind != "debatable"]
        return max(grades, key=SEVERITIES.index, default="none")

    @property
    def status(self) -> str:
        """Outcome: "failed" from medium on, "passed", or "not testable" (nothing was found, since nothing could be)."""
        if SEVERITIES.index(self.severity) >= SEVERITIES.index("medium"):
            return "failed"
        return "passed" if self.testable and not self.blind else "not testable"

    def at_least(self, severity: Severity) -> bool:
        """Whether the worst grade reaches `severity`."""
        return SEVERITIES.index(self.severity) >= SEVERITIES.index(severity)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form, without NaN."""
        found = {**asdict(self), "findings": [one.to_dict() for one in self.findings]}
        found["checks"] = [one.to_dict() for one in self.checks]
        return {"schema_version": SCHEMA_VERSION, "status": self.status, "severity": self.severity, **found}
