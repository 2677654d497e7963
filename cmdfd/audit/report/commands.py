"""What to type next, and how to get the same audit again."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cmdfd.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cmdfd.audit.records import AuditReport

PROGRAM = ("python", "-m", "cmdfd.audit")
#: Repairs that need no media.
LIST_FIXES = frozenset({"match", "deduplicate", "resplit"})


@dataclass(frozen=True, slots=True)
class Command:
    """Something to type.

    Args:
        purpose: What it is for, as the start of a sentence.
        text: As typed.
    """

    purpose: str
    text: str


def command_of(report: AuditReport, typed: Sequence[str] = ()) -> str:
    """The command that makes this audit again.

    Args:
        report: The audit.
        typed: The command as it was typed, with or without `python -m cmdfd.audit`; without it the target is told as
            "path/to/NAME", since the report may be read elsewhere.
    """
    return _joined(_words(report, typed))


def _words(report: AuditReport, typed: Sequence[str]) -> list[str]:
    if typed:
        return list(typed[len(PROGRAM) :] if tuple(typed[: len(PROGRAM)]) == PROGRAM else typed)
    words = [f"path/to/{report.name}"]
    words += ["--quick"] if report.depth == "headers" and report.kind != "list" else []
    seed = report.settings.get("seed")
    return [*words, "--seed", str(seed)] if isinstance(seed, int) and seed else words


def _joined(words: Sequence[str]) -> str:
    return shlex.join([*PROGRAM, *(clean(word) for word in words)])


def next_commands(report: AuditReport, typed: Sequence[str] = ()) -> tuple[Command, ...]:
    """What to do with the outcome, the most useful first.

    Args:
        report: The audit.
        typed: As for `command_of`.
    """
    words = _words(report, typed)
    listed = report.kind == "list"
    fixes = {one.fix for one in report.flagged if one.cue_kind != "debatable"} | {one.fix for one in report.checks}
    fixes = (fixes & LIST_FIXES) if listed else (fixes - {"none"})
    found = []
    if fixes and not any(word == "--fix" or word.startswith("--fix=") for word in words):
        found.append(
            Command("Make a repaired copy and audit it again", _joined([*words, "--fix", f"{_name(report)}-repaired"]))
        )
    if listed and not any(word.startswith("--media-root") for word in words):
        found.append(Command("Look at the files, too, where you have them", _joined([*words, "--media-root", "DIR"])))
    if report.depth == "headers" and not listed:
        found.append(Command("Look at sound and picture, too", _joined([word for word in words if word != "--quick"])))
    if report.status == "passed" and not any(word.startswith("--fail-on") for word in words):
        found.append(Command("Let a pipeline stop where this changes", _joined([*words, "--fail-on", "medium"])))
    return tuple(found)


def _name(report: AuditReport) -> str:
    """The target's name as part of a file name."""
    name = "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in clean(report.name)).strip("-.")
    return name[:60] or "set"
