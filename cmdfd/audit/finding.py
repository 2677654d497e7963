"""What was found about one cue in one comparison, as a record and as a plain sentence."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cmdfd.audit.severity import SEVERITIES, SHOWN_P, Marker, Severity
from cmdfd.report.text import percent

if TYPE_CHECKING:
    from cmdfd.audit.cue import CueKind, Fix

#: The comparison of all fakes with all reals.
POOLED = "all"
#: Severity from which on a leak or nuisance fails the gate.
FAILING: Severity = "medium"


@dataclass(frozen=True, slots=True)
class Probe:
    """How far one probe tells the classes.

    Args:
        name: "rank": the cue (or one view of it) as a score, its direction taken out. "tree": shallow boosted trees,
            cross-validated by component, which also see grids, islands and combinations of categories.
        auc: Rank: 0.5 to 1. Tree: 0 to 1, below .5 only by chance or in a paired design.
        low: Lower end of the component interval, or None.
        high: Upper end.
        tpr_at_1fpr: Share of fakes found where at most 1 % of the reals are called fake.
        bits: V-usable information about the label in bits, from held-out log loss (trees only).
    """

    name: str
    auc: float
    low: float | None = None
    high: float | None = None
    tpr_at_1fpr: float | None = None
    bits: float | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """The best single threshold or category, as one would write it down.

    Args:
        where: E.g. "above 0.031 s", "is 'mp4v'", "contains 'wav2lip'".
        threshold: The number, None for a category.
        above: Whether what lies above is called fake.
        fakes: Share of the fakes that the rule calls fake.
        reals: Share of the reals that the rule calls fake.
    """

    where: str
    threshold: float | None
    above: bool
    fakes: float
    reals: float


@dataclass(frozen=True, slots=True)
class Finding:
    """One cue in one comparison.

    Args:
        cue: Name of the cue.
        title: What it is, as the subject of a sentence.
        unit: Unit of its numbers, "category", "tokens" or "".
        cue_kind: leak, nuisance or debatable.
        analysis: Comparison: "all", or "generator: wav2lip", "split: test", "modality: audio".
        view: How the cue was looked at where it separates best, e.g. "value", "distance from the median", "is 'mp4v'".
        rank: The rank probe.
        tree: The tree probe, None where it was not asked for.
        p: Adjusted over all cues (max-T) and comparisons (Bonferroni); None = not testable.
        p_single: For this cue alone.
        p_holm: `p_single` by Holm over the cues of the comparison.
        p_bh: `p_single` by Benjamini and Hochberg (false discovery rate), for exploring.
        severity: Grade.
        higher_in_fakes: Direction of the view.
        rule: The best threshold or category.
        marker: A rare but certain marker, or None.
        typical: What the classes look like, in words.
        n: Clips of the comparison.
        n_missing: Clips for which the cue is not measurable.
        remedy: What to do.
        fix: The remedy of `--fix`.
    """

    cue: str
    title: str
    unit: str
    cue_kind: CueKind
    analysis: str
    view: str
    rank: Probe
    tree: Probe | None
    p: float | None
    p_single: float | None
    p_holm: float | None
    p_bh: float | None
    severity: Severity
    higher_in_fakes: bool
    rule: Rule | None
    marker: Marker | None
    typical: str
    n: int
    n_missing: int
    remedy: str
    fix: Fix

    @property
    def best(self) -> Probe:
        """The probe whose interval begins higher (rank where there is none)."""
        if self.tree is None or (self.tree.low or 0.0) <= (self.rank.low or 0.0):
            return self.rank
        return self.tree

    @property
    def auc(self) -> float:
        """AUC of the better probe."""
        return self.best.auc

    @property
    def low(self) -> float | None:
        """Lower end of its interval."""
        return self.best.low

    @property
    def high(self) -> float | None:
        """Upper end of its interval."""
        return self.best.high

    @property
    def fails(self) -> bool:
        """Whether this finding alone fails the gate."""
        return (
            self.cue_kind != "debatable" and self.shown and SEVERITIES.index(self.severity) >= SEVERITIES.index(FAILING)
        )

    @property
    def shown(self) -> bool:
        """Whether the cue was shown to separate the classes at all: flagged."""
        return self.p is not None and self.p < SHOWN_P and self.severity != "none"

    @property
    def rank_key(self) -> tuple[bool, bool, int, float, float, int]:
        """For sorting: flagged ones first, debatable ones after the others, then by severity, AUC and p.

        Of equals, causes stand before what follows from them: headers and clocks before signals, names last.
        """
        p = 1.0 if self.p is None else self.p
        family = self.cue.split(".", 1)[0]
        place = FAMILIES.index(family) if family in FAMILIES else len(FAMILIES)
        place += len(FAMILIES) * (self.cue in CONSEQUENCES)
        return (
            not self.shown,
            self.cue_kind == "debatable",
            -SEVERITIES.index(self.severity),
            -round(self.auc, 3),
            p,
            place,
        )

    def sentence(self) -> str:
        """What was found, for people."""
        fakes = "fake" if self.analysis == POOLED else f"fake ({self.analysis})"
        verb = "separates" if self.shown else "was not shown to separate"
        if not self.shown and self.p is not None and self.p < SHOWN_P:
            verb = "surely differs, but hardly separates"
        interval = "" if self.low is None or self.high is None else f" [{self.low:.3f}, {self.high:.3f}]"
        p = "not testable" if self.p is None else f"adjusted p = {self.p:.3g}"
        probe = " (trees)" if self.best.name == "tree" else ""
        text = f"{self.title} {verb} real from {fakes}: AUC {self.auc:.3f}{interval}{probe}, {p}; {self.typical}"
        if self.shown and self.rule is not None and self.rule.fakes - self.rule.reals >= RULE_GAIN:
            text += f"; {self.rule_sentence()}"
        if self.marker is not None and self.shown:
            word = "fakes" if self.marker.label else "reals"
            text += f"; {self.marker.share:.0%} of the {word} are certain ({self.marker.where})"
        if self.cue_kind == "debatable" and self.shown:
            text += "; debatable, since it may follow from the content"
        return f"{text[0].upper()}{text[1:]}."

    def rule_sentence(self) -> str:
        """The best rule in words, e.g. "what lies above 0.031 s: 98 % of the fakes and 2 % of the reals"."""
        if self.rule is None:
            return ""
        return f"{self.rule.where}: {percent(self.rule.fakes)} of the fakes and {percent(self.rule.reals)} of the reals"

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        found = asdict(self)
        return {
            **found,
            "auc": self.auc,
            "low": self.low,
            "high": self.high,
            "shown": self.shown,
            "fails": self.fails,
            "sentence": self.sentence(),
        }


#: Families of cues in the order of causes.
FAMILIES = (
    "container", "time", "silence", "level", "geometry", "audio", "picture", "history", "freeze", "face", "meta",
)  # fmt: skip
#: Cues that can hardly change but with another one, which is then the cause: time bases follow rates, the set of tag
#: names a tag, the pixel format of FFmpeg the colour range, levels the loudness.
CONSEQUENCES = frozenset((
    "container.time_bases", "container.tag_names", "container.pix_fmt", "container.reordered", "time.video_span",
    "time.audio_span", "level.rms", "level.peak", "meta.declared_gap",
))  # fmt: skip
#: A rule is told in the sentence where it calls this much more of the fakes than of the reals fake.
RULE_GAIN = 0.1
