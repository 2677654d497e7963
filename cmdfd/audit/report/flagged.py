"""The part of the page on what separates real from fake: checks, cues with their pictures, the matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cmdfd.audit.finding import POOLED
from cmdfd.audit.report.distributions import distribution
from cmdfd.audit.report.matrix import Matrix, MatrixCell, matrix
from cmdfd.audit.report.sound import side_of, sound_blocks
from cmdfd.audit.report.words import (
    KINDS,
    MOST_SIGNS,
    auc_text,
    capital,
    compared,
    heading_of,
    marker_text,
    p_text,
    rule_text,
    tied,
    title_of,
    told,
)
from cmdfd.audit.severity import SEVERITIES
from cmdfd.report.blocks import (
    Block,
    Cell,
    Column,
    Entry,
    Facts,
    Figure,
    Grid,
    Heading,
    Paragraph,
    Row,
    RowGroup,
    Section,
    Table,
    Text,
    Tone,
    Value,
)
from cmdfd.report.plots import HeatCell, heatmap
from cmdfd.report.text import NOTHING, clean, listing, number, percent, plural, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from cmdfd.audit.cue import Cue
    from cmdfd.audit.finding import Finding, Probe
    from cmdfd.audit.records import AuditReport
    from cmdfd.audit.severity import Severity
    from cmdfd.audit.targets.target import Target

#: Cues that are drawn; the others stand in a table.
MOST_DRAWN = 20
#: Rows of a drawn matrix; what does not fit is in the tables.
MOST_HEAT_ROWS = 24
#: Examples of a check.
MOST_EXAMPLES = 5
TONES: dict[str, Tone] = {"critical": "bad", "high": "bad", "medium": "warn", "low": "muted", "none": "muted"}


@dataclass(frozen=True, slots=True, eq=False)
class Sources:
    """What the pictures are drawn from.

    Args:
        report: The audit.
        table: The cue table.
        target: Where the media lie, or None.
        cues: What is known of each cue.
        seed: Decides between clips that are equally typical.
    """

    report: AuditReport
    table: pd.DataFrame
    target: Target | None
    cues: Mapping[str, Cue]
    seed: int


def checks_section(report: AuditReport) -> list[Section]:
    """Plain defects, the worst first."""
    if not report.checks:
        return []
    rows = []
    for check in sorted(report.checks, key=lambda one: -SEVERITIES.index(one.severity)):
        named = [shorten(one, 60) for one in check.examples[:MOST_EXAMPLES]]
        more = f" and {check.n - len(named)} more" if check.n > len(named) else ""
        cells: tuple[Cell, ...] = (
            Text(clean(check.sentence), detail=f"{', '.join(named)}{more}" if named else ""),
            check.n,
            clean(check.remedy) or NOTHING,
        )
        # numeric, for a word of this length needs no wide column
        grade = Text(_grade_word(check.severity), "strong", tone=TONES[check.severity])
        rows.append(Row(clean(check.name), (grade, *cells)))
    table = Table(
        "Looked for without statistics: copies, impossible labels, broken files.",
        (Column("Check"), Column("Grade"), Column("What was found", numeric=False), Column("Clips"),
         Column("What to do", numeric=False)),
        (RowGroup(tuple(rows)),),
    )  # fmt: skip
    return [Section("checks", "Plain defects", (table,))]


def _grade_word(severity: Severity) -> str:
    return "worth knowing" if severity == "none" else severity


def flagged_sections(sources: Sources) -> list[Section]:
    """Every flagged cue, the worst first; debatable ones in a section of their own."""
    report = sources.report
    worst: dict[str, Finding] = {}
    for one in report.flagged:
        worst.setdefault(one.cue, one)
    plain = [one for one in worst.values() if one.cue_kind != "debatable"]
    debatable = [one for one in worst.values() if one.cue_kind == "debatable"]
    sections = []
    drawn = MOST_DRAWN
    shown: dict[str, str] = {}
    parts = (
        ("cues", "What tells real from fake", plain, ""),
        ("debatable", "What may be a genuine trace", debatable, _DEBATABLE),
    )
    for key, title, findings, words in parts:
        if not findings:
            continue
        blocks: list[Block] = [Paragraph((words,))] if words else []
        for finding in findings[:drawn]:
            blocks += _cue_blocks(sources, finding, shown)
        if findings[drawn:]:
            blocks += [Heading("The rest"), flagged_table(findings[drawn:])]
        drawn = max(drawn - len(findings), 0)
        sections.append(Section(key, title, tuple(blocks)))
    return sections


_DEBATABLE = (
    "These separate the classes, too, but may follow from the content or from the forgery itself, as a detector may "
    "use it. They never fail an audit. Leave them out of one training run and see what that costs."
)


def _cue_blocks(sources: Sources, finding: Finding, shown: dict[str, str]) -> list[Block]:
    """Heading, sentence, picture beside numbers, and the sound where silence is meant."""
    where = "" if finding.analysis == POOLED else f", {compared(finding.analysis)}"
    blocks: list[Block] = [
        Heading(
            heading_of(finding), f"{shorten(finding.cue, MOST_SIGNS)}: {finding.severity} {finding.cue_kind}{where}"
        ),
        Paragraph((tied(told(finding)),)),
    ]
    figure = distribution(sources.report, sources.table, finding)
    facts = _facts(sources, finding)
    blocks.append(Grid((figure, facts)) if figure else facts)
    side = side_of(finding.cue)
    if side is not None and side not in shown:
        sound = sound_blocks(sources.report, sources.table, sources.target, finding, sources.seed)
        shown[side] = finding.title if any(isinstance(one, Figure) for one in sound) else ""
        blocks += sound
    elif side is not None and shown[side]:
        blocks.append(
            Paragraph((f"The sound of a few clips is drawn under {shorten(shown[side], MOST_SIGNS)}.",), "muted")
        )
    return blocks


def _facts(sources: Sources, finding: Finding) -> Facts:
    cue = sources.cues.get(finding.cue)
    entries = [
        Entry(f"{finding.severity}; {finding.cue_kind}: {KINDS[finding.cue_kind]}", "Grade"),
        Entry(_rule_words(finding) or "no single threshold or category tells them apart", "Best rule"),
        Entry(_probe_words(finding.rank), f"By order ({clean(finding.view)})"),
    ]
    if finding.tree is not None:
        entries.append(Entry(_probe_words(finding.tree), "By shallow trees"))
    entries.append(Entry(_p_words(finding), "p, adjusted"))
    if finding.marker is not None and finding.marker.certain:
        entries.append(Entry(_marker_words(finding), "Certain mark"))
    entries.append(Entry(clean(finding.typical), "Typical"))
    clips = plural(finding.n, "clip")
    missing = f", not measurable in {finding.n_missing} of them" if finding.n_missing else ""
    entries.append(Entry(f"{compared(finding.analysis)} against reals, {clips}{missing}", "Compared"))
    others = _others(sources.report, finding)
    if others:
        entries.append(Entry(others, "Also flagged for"))
    if cue is not None:
        entries.append(Entry(f"{clean(cue.rule)} (known from: {clean(cue.source)})", "Measured as"))
    entries.append(Entry(capital(clean(finding.remedy)), "Remedy"))
    return Facts(tuple(Entry(tied(one.text), one.lead) for one in entries))


def _rule_words(finding: Finding) -> str:
    if finding.rule is None:
        return ""
    shares = f"{percent(finding.rule.fakes)} of the fakes, {percent(finding.rule.reals)} of the reals"
    return f"{rule_text(finding)}: {shares}"


def _probe_words(probe: Probe) -> str:
    words = f"AUC {auc_text(probe)}"
    if probe.tpr_at_1fpr is not None:
        words += f"; finds {percent(probe.tpr_at_1fpr)} of the fakes at 1 % false alarms"
    if probe.bits is not None:
        words += f"; tells {number(probe.bits, digits=2)} bits of the label"
    return words


def _p_words(finding: Finding) -> str:
    others = (("alone", finding.p_single), ("Holm", finding.p_holm), ("false discovery rate", finding.p_bh))
    rest = ", ".join(f"{name} {p_text(value)}" for name, value in others if value is not None)
    return f"{p_text(finding.p)} (max-T)" + (f"; {rest}" if rest else "")


def _marker_words(finding: Finding) -> str:
    marker = finding.marker
    if marker is None:
        return ""
    own = "fakes" if marker.label else "reals"
    return (
        f"{marker_text(finding)}: {percent(marker.share)} of the {own}, {plural(marker.n_clips, 'clip')} of "
        f"{plural(marker.n_components, 'component')}, none of the other class (p {p_text(marker.p)}); at least "
        f"{percent(marker.lower_bound)} of such components are {own}, with 95 % confidence"
    )


def _others(report: AuditReport, finding: Finding) -> str:
    """The AUC in every other comparison in which the cue was flagged, by what the fakes are parted by."""
    levels: dict[str, list[str]] = {}
    for one in report.flagged:
        if one.cue == finding.cue and one.analysis != finding.analysis:
            by, _, level = one.analysis.partition(": ")
            levels.setdefault(by if level else "", []).append(f"{shorten(level or one.analysis, 40)} {number(one.auc)}")
    parts = [f"{clean(by)}: {listing(names, 8)}" if by else listing(names, 8) for by, names in levels.items()]
    return "; ".join(sorted(parts, key=lambda text: not text.startswith("all ")))


def flagged_table(findings: list[Finding]) -> Table:
    """Flagged cues as rows, for those without a picture and for cards.

    Args:
        findings: One for each cue.
    """
    rows = []
    for one in findings:
        where = "" if one.analysis == POOLED else f" ({compared(one.analysis)})"
        cells: tuple[Cell, ...] = (
            Text(one.severity, "strong", tone=TONES[one.severity]),
            Value(one.auc, one.low, one.high, bar=True),
            p_text(one.p),
            percent(one.best.tpr_at_1fpr),
            Text(_rule_words(one) or NOTHING, detail=clean(one.typical)),
            clean(one.remedy),
        )
        rows.append(Row(f"{title_of(one)}{where}", cells, detail=f"{shorten(one.cue, MOST_SIGNS)}, {one.cue_kind}"))
    return Table(
        "Flagged cues that are not drawn. AUC of the better probe; intervals are 95 %, over components.",
        (Column("Cue"), Column("Grade"), Column("AUC"), Column("p", "adjusted"),
         Column("Found", "at 1 % false alarms"), Column("Best rule", numeric=False), Column("Remedy", numeric=False)),
        (RowGroup(tuple(rows)),),
    )  # fmt: skip


def matrix_section(report: AuditReport) -> list[Section]:
    """Which cue separates which fakes, by everything that the audit was parted by."""
    blocks: list[Block] = []
    for by in ("generator", "split", "modality"):
        found = matrix(report, by)
        if len(found.levels) > 1 and found.cues:
            blocks.append(_heat(report, found))
    if not blocks:
        return []
    words = (
        "Each cell compares these fakes with all reals (of a split: both classes of the split). A cue that tells one "
        "generator only is that generator's stamp; one that tells all of them comes from the way the set was made."
    )
    return [
        Section("matrix", "Which cue tells which fakes", (Paragraph((words,)), *blocks, Paragraph((_LEGEND,), "muted")))
    ]


_LEGEND = (
    "A cell holds the grade of a cue that was shown there, over its AUC. “Not shown”: tested, but chance could explain "
    "it. “Same”: all of these clips agree. “Untested”: too few components."
)


def _heat(report: AuditReport, found: Matrix) -> Figure:
    cues = found.cues[:MOST_HEAT_ROWS]
    left = len(found.cues) - len(cues)
    cells = [[_heat_cell(cell) for cell in row] for row in found.cells[: len(cues)]]
    worst = _worst_of(found)
    return Figure(
        alt=f"Matrix of grades, {plural(len(cues), 'cue')} by {found.by}. {worst}",
        svg=heatmap([clean(cue) for cue in cues], [clean(level) for level in found.levels], cells),
        title=f"By {found.by}",
        caption=worst + (f" {plural(left, 'weaker cue')} left out." if left else ""),
        wide=True,
    )


def _heat_cell(cell: MatrixCell) -> HeatCell:
    if cell.state == "flagged":
        return HeatCell(SEVERITIES.index(cell.severity), cell.severity, number(cell.auc))
    words = {"clear": "not shown", "not testable": "untested", "constant": "same"}
    return HeatCell(
        None if cell.auc is None else 0, words[cell.state], number(cell.auc) if cell.auc is not None else ""
    )


def _worst_of(found: Matrix) -> str:
    """How many cues each level is told by, in words."""
    parts = []
    for index, level in enumerate(found.levels):
        count = sum(row[index].state == "flagged" for row in found.cells)
        parts.append(f"{shorten(level, 30)} {count}")
    return f"Flagged cues: {', '.join(parts)}."
