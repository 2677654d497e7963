"""The part of the page on what is quiet: cues that were not shown, constant ones, unread files; method and settings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cmdfd.audit.finding import POOLED
from cmdfd.audit.report.words import capital, compared, heading_of, p_text
from cmdfd.report.blocks import (
    Block,
    Bullets,
    Cell,
    Code,
    Column,
    Entry,
    Facts,
    Fold,
    Heading,
    Paragraph,
    Row,
    RowGroup,
    Section,
    Table,
    Text,
    Value,
)
from cmdfd.report.text import NOTHING, clean, listing, plural, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cmdfd.audit.cue import Cue
    from cmdfd.audit.finding import Finding
    from cmdfd.audit.records import AuditReport

#: Unread files and cues that are named one by one.
MOST_UNREAD, MOST_NAMES = 50, 400


def measured_section(report: AuditReport, cues: Mapping[str, Cue]) -> Section:
    """Every cue of the pooled comparison, what was the same everywhere and what could not be measured."""
    pooled = [one for one in report.findings if one.analysis == POOLED]
    quiet = sum(not one.shown for one in pooled)
    blocks: list[Block] = []
    if pooled:
        words = f"{plural(quiet, 'cue')} of {len(pooled)} that vary were not shown to tell real from fake."
        if not report.testable:
            words = f"{plural(len(pooled), 'cue')} varied; none could be tested, so the figures prove nothing."
        blocks += [
            Paragraph((words,)),
            Fold("Every cue with its AUC, rule of measurement and source", (_all_cues(pooled, cues),)),
        ]
    for names, words in (
        (report.constant, "the same for all clips"),
        (report.not_measured, "measurable in no clip"),
    ):
        if names:
            blocks.append(_named(names, words))
    if not blocks:
        blocks = [Paragraph(("No cue was measured.",), "warn")]
    return Section("measured", "What was measured", tuple(blocks))


def _named(names: Sequence[str], words: str) -> Fold:
    text = listing([clean(name) for name in names], MOST_NAMES)
    verb = "is" if len(names) == 1 else "are"
    return Fold(f"{plural(len(names), 'cue')} {verb} {words}", (Paragraph((text,)),))


def _all_cues(pooled: Sequence[Finding], cues: Mapping[str, Cue]) -> Table:
    rows = []
    for one in pooled:
        cue = cues.get(one.cue)
        how = Text(clean(cue.rule), detail=clean(cue.source)) if cue else Text(NOTHING)
        cells: tuple[Cell, ...] = (
            Value(one.auc, one.low, one.high, tone="bad" if one.fails else ""),
            p_text(one.p),
            Text("flagged" if one.shown else "not shown", tone="" if one.shown else "muted"),
            one.cue_kind,
            how,
        )
        rows.append(Row(heading_of(one), cells, detail=clean(one.cue)))
    return Table(
        "All fakes against all reals. AUC of the better probe with its direction taken out: .5 tells nothing, and "
        "chance alone gives a little more. Intervals are 95 %, over components.",
        (Column("Cue"), Column("AUC"), Column("p", "adjusted"), Column("Outcome", numeric=False),
         Column("Kind", numeric=False), Column("How it is measured", "and where it is known from", numeric=False)),
        (RowGroup(tuple(rows)),),
    )  # fmt: skip


def compared_section(report: AuditReport) -> Section:
    """What was compared with what, what was guessed, and what could not be read."""
    blocks: list[Block] = []
    if report.comparisons:
        rows = tuple(
            Row(
                capital(compared(one.name)),
                (one.n_real, one.n_fake, one.n_components, one.n_draws if one.testable else NOTHING,
                 Text(clean(one.note) or NOTHING, tone="" if one.testable else "warn")),
            )
            for one in report.comparisons
        )  # fmt: skip
        blocks.append(
            Table(
                "A component is a group of clips tied by a person, a voice or a recording; it is never torn apart.",
                (Column("Compared with the reals"), Column("Reals"), Column("Fakes"), Column("Components"),
                 Column("Draws", "behind each p"), Column("Design", numeric=False)),
                (RowGroup(rows),),
            )
        )  # fmt: skip
    if report.n_unlabelled:
        blocks.append(Paragraph((f"{plural(report.n_unlabelled, 'clip')} without a label left out.",), "warn"))
    if report.notes:
        blocks += [Heading("What was guessed or decided"), Bullets(tuple(Entry(clean(note)) for note in report.notes))]
    if report.unread:
        blocks += [Heading("What could not be read"), _unread(report.unread)]
    return Section("compared", "What was compared", tuple(blocks))


def _unread(unread: Sequence[tuple[str, str]]) -> Table:
    rows = tuple(Row(shorten(name, 80), (Text(clean(reason)),)) for name, reason in unread[:MOST_UNREAD])
    left = len(unread) - len(rows)
    return Table(
        f"{plural(len(unread), 'file or row', 'files or rows')} that could not be taken in.",
        (Column("File or row"), Column("Why", numeric=False)),
        (RowGroup(rows),),
        note=f"{left} more in audit.json." if left else "",
    )


_METHOD = (
    (
        "Components.",
        "Clips that share a person, a voice or a recording count as one: labels are rearranged, and clips drawn anew, "
        "by component, or inside it where real and fake stand in pairs; otherwise people look like forgeries.",
    ),
    (
        "Is there a cue?",
        "Each cue is ranked by value, by distance from its median, by category and by whether it can be measured, and "
        "binned by quantiles, categories and rests of divisions (chi-square); the farthest of all under rearranged "
        "labels is the yardstick (max-T: Westfall and Young, Resampling-Based Multiple Testing, 1993), comparisons are "
        "corrected by Bonferroni, and Holm (1979) and Benjamini and Hochberg (1995) stand beside it.",
    ),
    (
        "How strong is it?",
        "AUC of the best single view, and of shallow boosted trees judged on components that they have not seen, with "
        "95 % intervals from bootstrap samples of components; the view is chosen for its AUC, so a size is "
        "flattered a little, while the p is not.",
    ),
    (
        "How bad is it?",
        "By the lower end of the interval: low from .55, medium from .65, high from .80, critical from .95, or where a "
        "run of clips of one class only is longer than chance makes in any cue (permutation p below .01), with "
        "Clopper and Pearson's bound (1934) over its components beside it.",
    ),
    (
        "What else?",
        "Bits are V-usable information (Xu et al., 2020; Ethayarajh et al., 2022), strata are combined after Mantel "
        "and Haenszel (1959), and the naming of splits follows Torralba and Efros (2011).",
    ),
)


#: Settings whose names say too little.
_NAMES = {
    "by": "compared by",
    "n_draws": "rearrangements at most",
    "n_gates": "audits of one set",
    "trees": "trees for",
}


def method_section(report: AuditReport, command: str) -> Section:
    """How it was done, with what, and how to do it again."""
    blocks: list[Block] = [Bullets(tuple(Entry(text, lead) for lead, text in _METHOD))]
    settings = [
        Entry(_plain(value), capital(_NAMES.get(name) or clean(name).replace("_", " ")))
        for name, value in report.settings.items()
        if value not in (None, "", [], ())
    ]
    read = "headers only" if report.depth == "headers" else "headers, sound and picture"
    settings.append(Entry("only what the lists say" if report.kind == "list" else read, "Read"))
    blocks.append(Facts(tuple(settings)))
    if report.versions:
        versions = tuple(Entry(clean(value), clean(name)) for name, value in report.versions.items())
        blocks.append(Facts(versions, "Versions of what measured"))
    blocks.append(Code(command, "Run it again:"))
    return Section("method", "How it was done", tuple(blocks))


def _plain(value: Any) -> str:
    """A setting in words: text as it is, the rest as JSON."""
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return shorten(", ".join(value) or "none", 300)
    return shorten(value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False), 300)
