"""What the gate of a build found, as a record and as plain sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from cmdfd.audit.finding import Finding

Status = Literal["passed", "failed", "not testable"]


@dataclass(frozen=True, slots=True)
class GateReport:
    """Outcome of the audit gate.

    Args:
        findings: Every cue that varies, in every comparison; the worst first.
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
