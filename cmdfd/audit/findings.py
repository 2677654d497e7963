"""What the gate found, as records and as plain sentences."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from cmdfd.audit.severity import SEVERITIES, SHOWN_P, Marker, Severity

if TYPE_CHECKING:
    from cmdfd.audit.cue import CueKind

#: Analysis over all fakes at once.
POOLED = "all"
#: Severity from which on a leak or nuisance fails the gate.
FAILING: Severity = "medium"

Status = Literal["passed", "failed", "not testable"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One cue in one analysis.

    Args:
        cue: Name of the cue.
        title: What it is, as the subject of a sentence.
        cue_kind: leak, nuisance or debatable.
        analysis: "all" fakes, or one fake kind, against all reals.
        view: How the cue was looked at where it separates best, e.g. "value", "is 'mp4v'".
        auc: AUC of that view with its direction taken out, 0.5 to 1.
        low: Lower end of the component interval of `auc` (which can be below 0.5).
        high: Upper end.
        p: Adjusted over all cues (max-T) and all analyses (Bonferroni); None = not testable.
        severity: Grade.
        higher_in_fakes: Direction of the view.
        marker: A rare but certain marker, or None.
        typical: What the classes look like, in words.
        n_missing: Clips for which the cue is not measurable.
        remedy: What to do.
    """

    cue: str
    title: str
    cue_kind: CueKind
    analysis: str
    view: str
    auc: float
    low: float | None
    high: float | None
    p: float | None
    severity: Severity
    higher_in_fakes: bool
    marker: Marker | None
    typical: str
    n_missing: int
    remedy: str

    @property
    def fails(self) -> bool:
        """Whether this finding alone fails the gate."""
        return (
            self.cue_kind != "debatable"
            and self.p is not None
            and self.p < SHOWN_P
            and SEVERITIES.index(self.severity) >= SEVERITIES.index(FAILING)
        )

    @property
    def shown(self) -> bool:
        """Whether the cue was shown to separate the classes at all."""
        return self.p is not None and self.p < SHOWN_P and self.severity != "none"

    @property
    def rank(self) -> tuple[bool, int, float]:
        """For sorting: failing ones first, then by severity, then by AUC."""
        return (not self.fails, -SEVERITIES.index(self.severity), -self.auc)

    def sentence(self) -> str:
        """What was found, for people."""
        fakes = "fake" if self.analysis == POOLED else f"fake ({self.analysis})"
        verb = "separates" if self.shown else "was not shown to separate"
        interval = "" if self.low is None or self.high is None else f" [{self.low:.3f}, {self.high:.3f}]"
        p = "not testable" if self.p is None else f"adjusted p = {self.p:.3g}"
        text = f"{self.title} {verb} real from {fakes}: AUC {self.auc:.3f}{interval}, {p}; {self.typical}"
        if self.marker is not None and self.shown:
            word = "fakes" if self.marker.label else "reals"
            text += f"; {self.marker.share:.0%} of the {word} are certain ({self.marker.where})"
        if self.cue_kind == "debatable" and self.shown:
            text += "; debatable, since it may follow from the content"
        return f"{text[0].upper()}{text[1:]}."

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {**asdict(self), "fails": self.fails, "sentence": self.sentence()}


@dataclass(frozen=True, slots=True)
class GateReport:
    """Outcome of the audit gate.

    Args:
        findings: Every cue that varies, in every analysis; the worst first.
        constant: Cues that are the same for all clips.
        not_measured: Cues that no clip has.
        n_real: Unforged clips.
        n_fake: Forged clips.
        n_components: Components.
        n_unlabelled: Rows without a label, left out.
        n_draws: Rearrangements of the labels behind each p.
        seed: Seed.
        note: Design of the test, or why the set cannot be tested.
        testable: Whether a p could be computed for all fakes together.
    """

    findings: tuple[Finding, ...]
    constant: tuple[str, ...]
    not_measured: tuple[str, ...]
    n_real: int
    n_fake: int
    n_components: int
    n_unlabelled: int
    n_draws: int
    seed: int
    note: str
    testable: bool

    @property
    def failing(self) -> tuple[Finding, ...]:
        """Findings that fail the gate."""
        return tuple(finding for finding in self.findings if finding.fails)

    @property
    def status(self) -> Status:
        """Failed where a leak or nuisance is at least medium; not testable where there are too few components."""
        if self.failing:
            return "failed"
        return "passed" if self.testable else "not testable"

    @property
    def passed(self) -> bool:
        """Whether the set was tested and no leak or nuisance of at least medium severity was shown."""
        return self.status == "passed"

    @property
    def worst(self) -> Finding | None:
        """The worst finding that was shown, debatable ones last; None where nothing was."""
        return next((finding for finding in self.findings if finding.shown), None)

    def sentences(self) -> list[str]:
        """The outcome in plain words: the verdict, what was shown, and the remedies of what fails."""
        size = f"{self.n_real} reals and {self.n_fake} fakes in {self.n_components} components"
        if self.status == "failed":
            first = f"The audit failed: {len(self.failing)} findings separate real from fake ({size})."
        elif self.status == "passed":
            first = f"The audit passed: no leak or nuisance cue of medium severity was shown ({size}; {self.note})."
        else:
            first = f"The audit could not be done ({size}): {self.note}."
        lines = [first, *(finding.sentence() for finding in self.findings if finding.shown)]
        remedies = dict.fromkeys(finding.remedy for finding in self.failing)
        return [*lines, *(f"Remedy: {remedy}." for remedy in remedies)]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form, without NaN."""
        return {
            "status": self.status,
            "passed": self.passed,
            "worst": None if self.worst is None else self.worst.to_dict(),
            "sentences": self.sentences(),
            "findings": [finding.to_dict() for finding in self.findings],
            "constant": list(self.constant),
            "not_measured": list(self.not_measured),
            "n_real": self.n_real,
            "n_fake": self.n_fake,
            "n_components": self.n_components,
            "n_unlabelled": self.n_unlabelled,
            "n_draws": self.n_draws,
            "seed": self.seed,
            "note": self.note,
        }
