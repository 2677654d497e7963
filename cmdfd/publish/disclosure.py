"""What is told about a set as it may go public: without places and people of this machine, or withheld labels."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from cmdfd.audit.finding import Finding
    from cmdfd.audit.records import AuditReport
    from cmdfd.dataset import Dataset
    from cmdfd.publish.scrub import Private

_Record = TypeVar("_Record")


def public_report(report: AuditReport, dataset: Dataset, private: Private) -> AuditReport:
    """An audit without paths; where labels are withheld, also without all that would tell them clip by clip.

    Rules ("fakes lie above 31 ms"), markers, names of clips, and comparisons of single kinds of fakes stay at home.
    Which cues separate, how well, and how many of all clips are forged is told: a reader must know that of the set.

    Args:
        report: The audit, made at home.
        dataset: The set that was audited.
        private: What must not be read in it.
    """
    return scrubbed(_untold(report, dataset) if dataset.build.withheld else report, private)


def _untold(report: AuditReport, dataset: Dataset) -> AuditReport:
    hidden = frozenset(dataset.build.withheld)
    kept = {one.name for one in report.comparisons if one.by == "" or (one.by == "split" and one.level not in hidden)}
    note = f"rules, markers, examples and kinds are left out: labels of {', '.join(sorted(hidden))} are withheld"
    return replace(
        report,
        findings=tuple(_without_rule(one) for one in report.findings if one.analysis in kept),
        comparisons=tuple(one for one in report.comparisons if one.name in kept),
        checks=tuple(replace(one, examples=()) for one in report.checks),
        unread=tuple(("clip", reason) for _, reason in report.unread),
        lineage=(),
        notes=(*report.notes, note),
    )


def _without_rule(one: Finding) -> Finding:
    return replace(one, rule=None, marker=None, view="not told", typical="not told, since labels are withheld")


def scrubbed(record: _Record, private: Private) -> _Record:
    """A record, however nested, with every text cleaned.

    Args:
        record: Dataclasses, dicts, lists, tuples and plain values.
        private: What must not be read in it.
    """
    found: _Record = _scrubbed(record, private)
    return found


def _scrubbed(value: Any, private: Private) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: _scrubbed(getattr(value, field.name), private) for field in dataclasses.fields(value)}
        return replace(value, **fields)
    if isinstance(value, dict):
        return {_scrubbed(key, private): _scrubbed(one, private) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_scrubbed(one, private) for one in value)
    return private.clean(value) if isinstance(value, str) else value
