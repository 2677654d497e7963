"""The table of `python -m benchmarks.method_floors`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.progress import console
from cmdfd.report.text import clean, interval, number

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.method_floors.records import Estimate, FloorsReport, MethodFloor

_STYLES = {"tells": "bold red", "below chance": "yellow", "undecided": "yellow", "at chance": "green"}
_MEANING = {
    "tells": "tells: the interval excludes .5 and leaves .35 to .65: something other than the forgery gives fakes "
    "away.",
    "below chance": "below chance: a cue that tells fakes in the train split tells reals here, or clips that belong "
    "together lie in different components.",
    "undecided": "undecided: the interval covers .5, but leaves .35 to .65; more people are needed.",
    "not testable": "not testable: {why}. The numbers are effects alone, without interval or test.",
}


def print_report(report: FloorsReport, to: Console | None = None) -> None:
    """Print the table and what its words mean.

    Args:
        report: What was found.
        to: Where; the terminal if None.
    """
    from rich.markup import escape
    from rich.table import Table

    out = to or console()
    title = f"{clean(report.name)}, {clean(report.judged)}: each kind against the reals, AUC with 95 % intervals"
    taught = sorted({method.learnt_from for method in report.methods} - {""})
    table = Table(title=escape(title), title_justify="left")
    extra = [f"from {clean(', '.join(taught))}"] if taught else []
    for index, head in enumerate(("kind", "real+fake", "comp.", "floor:container", *extra, "A-V gap", "verdict")):
        table.add_column(escape(head), justify="right" if index in (1, 2) else "left", no_wrap=index > 0)
    versions = list(dict.fromkeys(method.platform for method in report.methods))
    before: str | None = "" if versions == [""] else None
    for method in report.methods:
        if method.platform != before:
            before = method.platform
            table.add_section()
            table.add_row(f"[bold]{escape(clean(method.platform or 'original'))}[/]")
        style = _STYLES.get(method.verdict, "")
        verdict = f"[{style}]{method.verdict}[/]" if style else method.verdict
        sizes = (f"{method.n_real}+{method.n_fake}", str(method.n_components))
        others = [_shown(method.held_out) if method.held_out else "–"] if taught else []
        gap = _shown(method.gap) + _direction(method)
        table.add_row(escape(clean(method.kind or "all kinds")), *sizes, _shown(method.floor), *others, gap, verdict)
    out.print(table)
    for line in _lines(report):
        out.print(escape(line), highlight=False)


def _shown(estimate: Estimate) -> str:
    """An AUC; without its interval where that is not to be trusted."""
    if estimate.verdict == "not testable":
        return number(estimate.auc)
    return f"{number(estimate.auc)}\n{interval(estimate.low, estimate.high)}"


def _direction(method: MethodFloor) -> str:
    if method.longer_in_fakes is None or method.gap_real is None or method.gap_fake is None:
        return ""
    p = "" if method.gap.p is None else f", p {method.gap.p:.3f}"
    return f"\n{method.gap_real:g} / {method.gap_fake:g} ms{p}"


def _name(method: MethodFloor) -> str:
    where = f" on {clean(method.platform)}" if method.platform else ""
    return f"{clean(method.kind or 'all kinds')}{where}"


def _lines(report: FloorsReport) -> list[str]:
    taught = sorted({method.learnt_from for method in report.methods} - {""})
    lines = ["floor:container is cross-validated by component; a fake is compared only with reals of its fold."]
    lines += [f"from {clean(x)}: the same, learnt from the people of that split." for x in taught]
    if any(method.longer_in_fakes is not None for method in report.methods):
        lines.append("A-V gap: sound minus picture, median of reals / of fakes; p by rearranging labels in components.")
    if report.n_unreadable:
        lines.append(f"Files that cannot be read: {report.n_unreadable}; they count as clips without any cue.")
    lines += [
        f"{_name(method)}: strongest single cue {method.strongest.cue}, AUC {number(method.strongest.auc)}."
        for method in report.methods
        if method.strongest is not None and method.verdict not in ("at chance", "not testable")
    ]
    reasons = sorted({method.reason for method in report.methods if method.verdict == "not testable"} - {""})
    for verdict in ("tells", "below chance", "undecided", "not testable"):
        if any(method.verdict == verdict for method in report.methods):
            lines.append(_MEANING[verdict].format(why="; ".join(reasons) or "too few components"))
    return lines
