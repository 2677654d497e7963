"""The part of the page that goes deeper: floor, conditional tests, split probes, controls, lineage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cmdfd.audit.report.words import auc_text, capital, detectable, false_alarms, heading_of, p_text
from cmdfd.report.blocks import Block, Column, Paragraph, Row, RowGroup, Section, Table, Text, Value
from cmdfd.report.text import NOTHING, clean, number, percent, plural

if TYPE_CHECKING:
    from cmdfd.audit.records import AuditReport, Conditional, Floor, Lineage, SplitProbe

#: Pairs of cues in the conditional table.
MOST_PAIRS = 90


def deeper_sections(report: AuditReport) -> list[Section]:
    """The sections that have something to say, in reading order."""
    found = [_floor(report), _conditional(report), _splits(report), _lineage(report), _controls(report)]
    return [section for section in found if section is not None]


def titles_of(report: AuditReport) -> dict[str, str]:
    """Name -> title of every cue that varies."""
    return {one.cue: heading_of(one) for one in report.findings}


def _floor(report: AuditReport) -> Section | None:
    floor = report.floor
    if floor is None:
        return None
    blocks: list[Block] = [Paragraph((_floor_words(floor),))]
    if floor.note:
        blocks.append(Paragraph((capital(clean(floor.note)),), "muted"))
    if floor.minimal:
        titles = titles_of(report)
        rows = tuple(
            Row(str(step), (Text(titles.get(cue, clean(cue)), detail=clean(cue)), Value(auc)))
            for step, (cue, auc) in enumerate(floor.minimal, start=1)
        )
        blocks.append(
            Table(
                "The fewest cues that get there: at each step the one that helps most is added.",
                (Column("Step"), Column("Cue that is added", numeric=False), Column("AUC", "so far")),
                (RowGroup(rows),),
                note="Chosen and judged by cross-validation on the same clips, so the last steps flatter a little.",
            )
        )
    return Section("floor", "The metadata-only floor", tuple(blocks))


def _floor_words(floor: Floor) -> str:
    probe = floor.probe
    words = (
        f"Shallow trees on all {plural(len(floor.cues), 'leak and nuisance cue')} together, cross-validated by "
        f"component, reach AUC {auc_text(probe)}"
    )
    if probe.tpr_at_1fpr is not None:
        words += f" and find {percent(probe.tpr_at_1fpr)} of the fakes at 1 % false alarms"
    words += f" (smallest adjusted p of its cues: {p_text(floor.p)})." if floor.p is not None else " (not testable)."
    if probe.bits is not None:
        words += f" They tell {number(probe.bits, digits=2)} bits of the label."
    return f"{words} A detector is worth what it scores above this number, for this one neither looks nor listens."


def _conditional(report: AuditReport) -> Section | None:
    if not report.conditional:
        return None
    titles = titles_of(report)
    pairs = report.conditional[:MOST_PAIRS]
    groups = []
    for cue in dict.fromkeys(one.cue for one in pairs):
        rows = tuple(_pair(one, titles) for one in pairs if one.cue == cue)
        groups.append(RowGroup(rows, titles.get(cue, clean(cue)), clean(cue)))
    left = len(report.conditional) - len(pairs)
    table = Table(
        "Does a cue still tell real from fake among clips that another cue does not tell apart? AUC inside strata "
        "(Mantel-Haenszel); .5 = no more than chance.",
        (
            Column("Given that it is equal"),
            Column("AUC that is left"),
            Column("Strata"),
            Column("In words", numeric=False),
        ),
        tuple(groups),
        note=f"{plural(left, 'further pair')} in audit.json." if left else "",
    )
    return Section("conditional", "One cue or several", (table,))


def _pair(one: Conditional, titles: dict[str, str]) -> Row:
    value = Value(one.auc, one.low, one.high, bar=True)
    return Row(
        titles.get(one.given, clean(one.given)), (value, one.n_strata, _pair_words(one)), detail=clean(one.given)
    )


def _pair_words(one: Conditional) -> Text:
    if one.auc is None:
        return Text("cannot be said: no stratum holds both classes", tone="muted")
    if one.low is not None and one.low > 0.5:
        return Text("a cue of its own: still tells")
    if one.high is not None and one.high < 0.5:
        return Text("turns round: the other cue overshoots")
    return Text("nothing shown beyond the other cue", tone="muted")


def _splits(report: AuditReport) -> Section | None:
    if not report.splits:
        return None
    titles = titles_of(report)
    rows = tuple(_split_row(one, titles) for one in report.splits)
    table = Table(
        "Name that split (Torralba and Efros, 2011): can cues of the unforged clips alone tell where a clip belongs? "
        "AUC over all levels; .5 = they look alike.",
        (Column("What is named"), Column("AUC"), Column("p", "adjusted"), Column("Clips"),
         Column("Tells best", numeric=False), Column("In words", numeric=False)),
        (RowGroup(rows),),
    )  # fmt: skip
    return Section("splits", "Do the splits look alike?", (table,))


def _split_row(one: SplitProbe, titles: dict[str, str]) -> Row:
    worst = Text(
        titles.get(one.worst, clean(one.worst)) or NOTHING, detail=clean(one.worst) if one.worst in titles else ""
    )
    if one.note:
        words = Text(clean(one.note), tone="muted")
    elif one.p is not None and one.p < 0.01:
        words = Text(f"the reals of one {clean(one.what)} differ from those of another", tone="warn")
    else:
        words = Text("no difference was shown")
    return Row(clean(one.what), (Value(one.auc, one.low, one.high, bar=True), p_text(one.p), one.n, worst, words))


def _lineage(report: AuditReport) -> Section | None:
    if not report.lineage:
        return None
    stages = list(dict.fromkeys(stage.stage for one in report.lineage for stage in one.stages))
    titles = titles_of(report)
    rows = tuple(_lineage_row(one, stages, titles) for one in report.lineage)
    table = Table(
        "How far each flagged cue tells the classes after each stage of the build (AUC, direction taken out).",
        (Column("Cue"), *(Column(clean(stage)) for stage in stages), Column("In words", numeric=False)),
        (RowGroup(rows),),
    )
    return Section("lineage", "Where it comes from", (table,))


def _lineage_row(one: Lineage, stages: list[str], titles: dict[str, str]) -> Row:
    known = {stage.stage: stage for stage in one.stages}
    cells = []
    for name in stages:
        stage = known.get(name)
        here = bool(one.appeared) and name == one.appeared
        text = NOTHING if stage is None else number(stage.auc)
        p = "" if stage is None or stage.p is None else f"p {p_text(stage.p)}"
        cells.append(Text(text, "strong" if here else "", detail=p, tone="warn" if here else ""))
    return Row(titles.get(one.cue, clean(one.cue)), (*cells, clean(one.sentence)), detail=clean(one.cue))


def _controls(report: AuditReport) -> Section | None:
    controls = report.controls
    if controls is None:
        return None
    sentences = [words for words in (detectable(report), false_alarms(report)) if words]
    blocks: list[Block] = [Paragraph((" ".join(sentences),))] if sentences else []
    if controls.curve:
        cells = tuple(percent(share) for _, share in controls.curve)
        blocks.append(
            Table(
                f"Cues of known strength were put into this set, {controls.n_injected} of each, and looked for.",
                (Column("AUC of the injected cue"), *(Column(number(auc, digits=2)) for auc, _ in controls.curve)),
                (RowGroup((Row("flagged", cells),)),),
            )
        )
    return Section("controls", "Does the audit work here?", tuple(blocks)) if blocks else None
