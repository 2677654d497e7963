"""The audit in a terminal: the verdict, the defects, the flagged cues, what is quiet, what to type next."""

from __future__ import annotations

import io
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cmdfd.audit.finding import POOLED
from cmdfd.audit.report.commands import next_commands
from cmdfd.audit.report.words import (
    auc_text,
    compared,
    detectable,
    false_alarms,
    marker_text,
    name_of,
    p_text,
    rule_text,
    size_text,
    tied,
    verdict,
)
from cmdfd.audit.severity import GRADES, SEVERITIES
from cmdfd.report.text import clean, listing, percent, plural, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rich.console import Console

    from cmdfd.audit.check import Check
    from cmdfd.audit.finding import Finding
    from cmdfd.audit.records import AuditReport

#: Columns that are used at most, and that everything fits into.
WIDTH = 80
#: Flagged cues, checks, unread files and notes that are shown.
MOST_CUES, MOST_CHECKS, MOST_UNREAD, MOST_NOTES = 12, 8, 3, 6
_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "", "none": "dim"}
_CUE, _GRADE, _AUC, _P = 31, 9, 18, 7


def terminal(report: AuditReport, *, typed: Sequence[str] = (), page: Path | None = None, width: int = WIDTH) -> str:
    """The audit as plain text without colours.

    Args:
        report: The audit.
        typed: Words after `python -m cmdfd.audit` as they were typed, for the next command.
        page: Where the HTML page lies.
        width: Columns.
    """
    from rich.console import Console

    stream = io.StringIO()
    print_terminal(
        report, Console(file=stream, width=width, no_color=True, legacy_windows=False), typed=typed, page=page
    )
    return stream.getvalue()


def print_terminal(
    report: AuditReport, console: Console, *, typed: Sequence[str] = (), page: Path | None = None
) -> None:
    """Print the audit; colours only where the console is a terminal.

    Args:
        report: The audit.
        console: Where to; at most `WIDTH` columns are used.
        typed: Words after `python -m cmdfd.audit` as they were typed.
        page: Where the HTML page lies.
    """
    width = min(console.width, WIDTH)
    for line in _lines(report, width):
        _put(console, line, width)
    if page is not None:
        # paths and commands are never broken into lines, so that they can be copied
        console.print(f"Page: {clean(page)}", markup=False, highlight=False, soft_wrap=True)
    for command in next_commands(report, typed):
        console.print(f"{command.purpose}:", markup=False, highlight=False, style="dim")
        console.print(f"  {command.text}", markup=False, highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of text.

    Args:
        text: The words.
        style: Of rich.
        indent: Blanks before it.
        hang: Blanks before its continuation, as many as before itself without a number.
        aligned: Its blanks align columns, so it is not wrapped.
    """

    text: str = ""
    style: str = ""
    indent: int = 0
    hang: int | None = None
    aligned: bool = False

    def wrapped(self, width: int) -> list[str]:
        """The lines of the terminal."""
        before = " " * self.indent
        if self.aligned:
            return [f"{before}{clean(self.text)}".rstrip()]
        # a blank that does not break is one while lines are made, and a common one for who copies them
        after = before if self.hang is None else " " * self.hang
        return textwrap.wrap(
            tied(clean(self.text)), width, initial_indent=before, subsequent_indent=after, break_on_hyphens=False
        ) or [""]


def _put(console: Console, line: _Line, width: int) -> None:
    for one in line.wrapped(width):
        console.print(
            one.replace("\u00a0", " "),
            style=line.style,
            markup=False,
            highlight=False,
            no_wrap=True,
            overflow="ignore",
            crop=False,
        )


def _lines(report: AuditReport, width: int) -> Iterator[_Line]:
    found = verdict(report)
    grade = "" if report.severity == "none" else f", {report.severity}"
    style = {"failed": "bold red", "passed": "bold green"}.get(report.status, "bold yellow")
    yield _Line(f"{found.word.upper()}{grade}: {shorten(name_of(report), 40)}", style)
    for sentence in found.sentences:
        yield _Line(sentence)
    yield _Line(f"{clean(report.kind)}, {size_text(report)}; {_depth(report)}", "dim")
    yield from _checks(report.checks)
    yield from _cues(report, width)
    yield _Line()
    yield from _quiet(report)
    yield from _unread(report)
    yield from _notes(report)
    yield _Line()


def _depth(report: AuditReport) -> str:
    if report.kind == "list":
        return "only what the lists say"
    return "headers only" if report.depth == "headers" else "headers, sound and picture"


def _checks(checks: Sequence[Check]) -> Iterator[_Line]:
    if not checks:
        return
    yield _Line()
    yield _Line("Plain defects", "bold")
    for one in sorted(checks, key=lambda check: -SEVERITIES.index(check.severity))[:MOST_CHECKS]:
        word = "note" if one.severity == "none" else one.severity
        yield _Line(f"{word:<{_GRADE}}{one.sentence}", _STYLES[one.severity], 2, 2 + _GRADE)
        if one.examples:
            yield _Line(f"e.g. {', '.join(shorten(name, 50) for name in one.examples[:2])}", "dim", 2 + _GRADE)
        if one.remedy:
            yield _Line(f"→ {one.remedy}", "", 2 + _GRADE, 4 + _GRADE)
    if len(checks) > MOST_CHECKS:
        yield _Line(f"and {len(checks) - MOST_CHECKS} more in the report", "dim", 2)


def _cues(report: AuditReport, width: int) -> Iterator[_Line]:
    worst: dict[str, Finding] = {}
    for one in report.flagged:
        worst.setdefault(one.cue, one)
    parts = (
        (
            "Cues that tell real from fake, the worst first",
            [one for one in worst.values() if one.cue_kind != "debatable"],
        ),
        (
            "May be a genuine trace (never fails the audit)",
            [one for one in worst.values() if one.cue_kind == "debatable"],
        ),
    )
    left = MOST_CUES
    for title, findings in parts:
        if not findings:
            continue
        yield _Line()
        yield _Line(title, "bold")
        yield _Line(_row("cue", "grade", "AUC [95 %]", "p", "found*"), "dim", 2, aligned=True)
        shown = findings[: max(left, 2)]
        for one in shown:
            yield from _cue(one, width)
        if len(findings) > len(shown):
            yield _Line(f"and {len(findings) - len(shown)} more in the report", "dim", 2)
        left -= len(shown)
    if worst:
        yield _Line("* share of the fakes found at 1 % false alarms; intervals over components", "dim")


def _row(cue: str, grade: str, auc: str, p: str, found: str) -> str:
    return f"{shorten(cue, _CUE - 1):<{_CUE}}{grade:<{_GRADE}}{auc:<{_AUC}}{p:>{_P}}{found:>8}"


def _cue(one: Finding, width: int) -> Iterator[_Line]:
    """A row of numbers, the rule, the remedy."""
    found = percent(one.best.tpr_at_1fpr)
    row = _row(one.cue, one.severity, auc_text(one.best), p_text(one.p), found)
    yield _Line(row, _STYLES[one.severity], 2, aligned=True)
    where = "" if one.analysis == POOLED else f"{compared(one.analysis)}: "
    rule = clean(one.typical)
    if one.rule is not None:
        rule = f"{rule_text(one)}: {percent(one.rule.fakes)} of fakes, {percent(one.rule.reals)} of reals"
    certain = one.marker is not None and one.marker.certain and (one.low or 0.0) < GRADES[0][0]
    if one.marker is not None and certain:  # what makes it critical, where the numbers of the row do not
        own, other = ("fakes", "reals") if one.marker.label else ("reals", "fakes")
        rule += f"; certain: {marker_text(one)} in {percent(one.marker.share)} of {own} and no {other}"
    yield _Line(f"{one.cue_kind}; {where}{rule}", "", 4, 4)
    remedy = clean(one.remedy)
    room = width - 8
    yield _Line(f"→ {remedy if len(remedy) <= room else remedy[: room - 1].rsplit(' ', 1)[0] + ' …'}", "dim", 4, 6)


def _quiet(report: AuditReport) -> Iterator[_Line]:
    """What was looked at and is clean, what could not be looked at, and how much that is worth."""
    cues = {one.cue for one in report.findings}
    quiet = len(cues - set(report.flagged_cues))
    word = "shown to tell anything" if report.testable else "tested"
    parts = [f"{plural(quiet, 'cue')} not {word}"] if quiet else []
    if report.constant:
        parts.append(f"{len(report.constant)} the same for all clips")
    if report.not_measured:
        parts.append(
            f"{len(report.not_measured)} not measurable ({listing([clean(one) for one in report.not_measured], 3)})"
        )
    if parts:
        yield _Line(f"Besides: {', '.join(parts)}.", "", 0, 2)
    for words in (detectable(report), false_alarms(report)):
        if words:
            yield _Line(words, "", 0, 2)


def _unread(report: AuditReport) -> Iterator[_Line]:
    if report.n_unlabelled:
        yield _Line(f"{plural(report.n_unlabelled, 'clip')} without a label left out.", "yellow")
    if not report.unread:
        return
    n = len(report.unread)
    yield _Line(f"{plural(n, 'file or row', 'files or rows')} could not be read:", "yellow")
    for name, reason in report.unread[:MOST_UNREAD]:
        yield _Line(f"{shorten(name, 40)}: {reason}", "", 2, 4)
    if n > MOST_UNREAD:
        yield _Line(f"and {n - MOST_UNREAD} more in the report", "dim", 2)


def _notes(report: AuditReport) -> Iterator[_Line]:
    for note in report.notes[:MOST_NOTES]:
        yield _Line(f"Note: {note}", "", 0, 6)
    if len(report.notes) > MOST_NOTES:
        yield _Line(f"and {len(report.notes) - MOST_NOTES} more notes in the report", "dim")
