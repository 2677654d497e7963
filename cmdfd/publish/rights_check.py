"""Licence and consent of everything that would be passed on."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cmdfd.clip import Rights
from cmdfd.publish.records import Problem
from cmdfd.report.text import clean, listing, plural
from cmdfd.rights import LICENCE_ORDER, rights_problem
from cmdfd.tables import LABELS, PROVENANCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cmdfd.clip import Clip
    from cmdfd.dataset import Dataset

#: Clips that a problem of many names.
EXAMPLES = 3
#: Joined licences: all of them hold.
_AND = re.compile(r"\s+AND\s+")
#: Words of private terms that forbid passing on; such terms have no SPDX name.
_FORBIDDING = re.compile(
    r"research[ -]?only|no[ -]redistribution|not[ -]redistribut|all rights reserved|proprietary|confidential|\beula\b",
    re.IGNORECASE,
)
_LEDGER_FIX = "state it in sources.csv and build again, or leave the recording out"
_PERMISSION_FIX = (
    "leave these recordings or this generator out and build again, publish without media (--recipe-only), or, where "
    "the holder of the rights agreed in writing, say so: --accept licence_forbids='WHO AGREED, WHEN, TO WHAT'"
)


@dataclass(frozen=True, slots=True)
class Found:
    """What a check found.

    Args:
        problems: Reasons not to publish.
        notes: What a reader must know.
    """

    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


def forbids(licence: str) -> str:
    """Why a licence does not let clips be passed on; "" where it does, or is not known here.

    Every clip is cut, scaled and encoded anew, and most are forged: adapted material in the words of Creative Commons,
    whose ND licences allow no sharing of it (CC BY-ND 4.0, section 2(a)(1)). NC and SA allow it under conditions.

    >>> forbids("CC-BY-NC-4.0"), forbids("CC-BY-4.0 AND research-only")[:27]
    ('', "'research-only' allows use,")
    """
    for part in (one.strip() for one in _AND.split(licence)):
        if _FORBIDDING.search(part):
            return f"{part!r} allows use, but not to pass the recordings on"
        if re.search(r"-ND\b", part):
            return f"{part!r} allows no sharing of adapted material, and every clip here is cut and encoded anew"
    return ""


def rights_found(dataset: Dataset, provenance: Iterable[Mapping[str, Any]]) -> Found:
    """Check licence and consent of every clip, and the terms of the generators on what they make.

    Args:
        dataset: The set at home.
        provenance: Rows of `provenance.parquet`.
    """
    found: list[tuple[str, Problem]] = []
    for clip in dataset.rows:
        if clip.split in dataset.build.withheld and not clip.kind:
            continue  # its labels are not here, which is told elsewhere
        found += [(clip.id, problem) for problem in _of_clip(clip)]
    refused = {name for name, _ in found}
    rows = [row for row in provenance if isinstance(row.get("id"), str)]
    for row in rows:
        terms = str(row.get("output_licence") or "")
        reason = forbids(terms)
        if reason and row["id"] not in refused:
            said = f"generator {row.get('generator')!r}: its output licence {reason}"
            found.append((row["id"], Problem("licence_forbids", PROVENANCE, said, _PERMISSION_FIX)))
    return Found(_grouped(found), (*_terms(dataset, rows), *_overridden(rows)))


def _grouped(found: Iterable[tuple[str, Problem]]) -> tuple[Problem, ...]:
    """One problem for all clips of a table that have it for the same reason, with some of their ids."""
    clips: dict[Problem, list[str]] = {}
    for name, problem in found:
        clips.setdefault(problem, []).append(name)
    return tuple(
        replace(one, where=f"{one.where}: {plural(len(names), 'clip')}: {listing(sorted(names), EXAMPLES)}")
        for one, names in clips.items()
    )


def _of_clip(clip: Clip) -> list[Problem]:
    where = f"{clip.split}/{LABELS}"
    problems = []
    if rights_problem(Rights(clip.rights.licence, "synthetic")):
        reason = f"licence {clip.rights.licence!r}: nobody knows what may be done with it"
        problems.append(Problem("licence_missing", where, reason, _LEDGER_FIX))
    if rights_problem(Rights("CC0-1.0", clip.rights.consent)):
        reason = f"consent {clip.rights.consent!r}: nobody says that the person agreed"
        problems.append(Problem("consent_missing", where, reason, _LEDGER_FIX))
    if reason := forbids(clip.rights.licence):
        problems.append(Problem("licence_forbids", where, f"licence {reason}", _PERMISSION_FIX))
    return problems


def _terms(dataset: Dataset, rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Conditions of licences that let clips go."""
    named = Counter(part.strip() for clip in dataset.rows for part in _AND.split(clip.rights.licence) if part.strip())
    outputs = Counter(str(row["output_licence"]) for row in rows if row.get("output_licence"))
    notes = []
    for licence, count in sorted((named | outputs).items()):
        shown = clean(licence)
        if forbids(licence) or rights_problem(Rights(licence, "synthetic")):
            continue
        if "-NC" in licence:
            notes.append(f"{plural(count, 'clip')} under {shown}: the set goes out for non-commercial use only")
        if "-SA" in licence:
            notes.append(f"{plural(count, 'clip')} under {shown}: whoever adapts them must keep that licence")
        if licence not in LICENCE_ORDER:
            notes.append(
                f"{plural(count, 'clip')} under {shown}, which is not known here: read whether it lets clips go on"
            )
    return notes


def _overridden(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    reasons = Counter(str(row["rights_override"]) for row in rows if row.get("rights_override"))
    return [
        f"{plural(count, 'fake')} of recordings of unknown licence or consent; reason given at building: {clean(why)}"
        for why, count in sorted(reasons.items())
    ]
