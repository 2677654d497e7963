"""Two audits side by side: what a repair cleared, what remains, and where a cue moved to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from cmdfd.audit.repair.recipe import RepairError
from cmdfd.audit.repair.stories import story_of
from cmdfd.report.text import listing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cmdfd.audit.records import AuditReport

Status = Literal["cleared", "remains", "moved", "unknown"]
_NEEDED = ("findings", "constant", "not_measured", "checks", "comparisons")


@dataclass(frozen=True, slots=True)
class Seen:
    """How a cue stood in one audit, in the comparison in which it was worst.

    Args:
        flagged: Whether it was shown to separate the classes.
        analysis: The comparison, "" for a cue without one.
        auc: AUC of the better probe, None where the cue does not vary or is not measured.
        low: Lower end of its interval.
        high: Upper end.
        severity: Grade.
        state: "varies", "constant", "not measured", or "absent" where the audit does not know the cue.
        debatable: Whether it may follow from the content.
    """

    flagged: bool = False
    analysis: str = ""
    auc: float | None = None
    low: float | None = None
    high: float | None = None
    severity: str = "none"
    state: str = "absent"
    debatable: bool = False

    def figures(self) -> str:
        """E.g. "AUC 1.000 [0.990, 1.000]", "constant"."""
        if self.auc is None:
            return self.state
        interval = "" if self.low is None or self.high is None else f" [{self.low:.3f}, {self.high:.3f}]"
        return f"AUC {self.auc:.3f}{interval}"


@dataclass(frozen=True, slots=True)
class Move:
    """One cue in both audits.

    Args:
        cue: Its name, or that of a check.
        story: What it is about.
        status: "cleared" (flagged before, not any more), "remains", "moved" (flagged only now), "unknown" (flagged
            before and not looked at, or not testable, now).
        before: How it stood.
        after: How it stands.
    """

    cue: str
    story: str
    status: Status
    before: Seen
    after: Seen


@dataclass(frozen=True, slots=True)
class Moves:
    """What became of every flagged cue.

    Args:
        moves: One for each cue that is flagged in either audit, the worst first.
        checks: The same for plain defects.
        testable: Whether the second audit could test at all.
    """

    moves: tuple[Move, ...]
    checks: tuple[Move, ...]
    testable: bool

    def of(self, status: Status) -> tuple[Move, ...]:
        """Cues and checks of one status."""
        return tuple(one for one in (*self.moves, *self.checks) if one.status == status)

    @property
    def cleared(self) -> tuple[str, ...]:
        """Names of what was cleared."""
        return tuple(one.cue for one in self.of("cleared"))

    @property
    def remaining(self) -> tuple[str, ...]:
        """Names of what is still there."""
        return tuple(one.cue for one in self.of("remains"))

    @property
    def moved(self) -> tuple[str, ...]:
        """Names of what is flagged only now."""
        return tuple(one.cue for one in self.of("moved"))

    @property
    def clean(self) -> bool:
        """Whether the second audit could test and nothing is flagged any more, debatable cues apart."""
        left = [one for one in (*self.moves, *self.checks) if one.status != "cleared"]
        return self.testable and all(one.after.debatable and one.status != "unknown" for one in left)

    def sentences(self) -> list[str]:
        """The outcome for people, one story after the other."""
        return _sentences(self)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {**asdict(self), "clean": self.clean, "sentences": self.sentences()}


@dataclass(frozen=True, slots=True)
class _Audit:
    cues: dict[str, Seen]
    checks: dict[str, Seen]
    testable: bool
    full: bool

    def cue(self, name: str) -> Seen:
        return self.cues.get(name, Seen())


def compare(before: AuditReport | Mapping[str, Any], after: AuditReport | Mapping[str, Any]) -> Moves:
    """Tell what changed between two audits, of a set before and after any repair, also one made elsewhere.

    Args:
        before: Report, or what `audit.json` holds.
        after: The same of the repaired set.

    Raises:
        RepairError: If a mapping is no audit.
    """
    first, second = _audit_of(before, "before"), _audit_of(after, "after")
    names = [
        *(name for name, seen in first.cues.items() if seen.flagged),
        *(name for name, seen in second.cues.items() if seen.flagged),
    ]
    quicker = first.full and not second.full
    moves = [_move(name, first.cue(name), second.cue(name), second.testable, quicker) for name in dict.fromkeys(names)]
    checks = [
        _move(name, first.checks.get(name, Seen()), second.checks.get(name, Seen(state="constant")), True)
        for name in dict.fromkeys([*first.checks, *second.checks])
    ]
    return Moves(tuple(_same_story(moves)), tuple(checks), second.testable)


def _same_story(moves: list[Move]) -> list[Move]:
    """A cue that is new inside a story that was flagged before has not moved: the story remains."""
    told = {one.story for one in moves if one.before.flagged and not one.before.debatable}
    return [
        Move(one.cue, one.story, "remains", one.before, one.after)
        if one.status == "moved" and one.story in told
        else one
        for one in moves
    ]


def _move(name: str, before: Seen, after: Seen, testable: bool, quicker: bool = False) -> Move:
    """`quicker`: the second audit looked at headers only, so that what it did not measure may still be there."""
    status: Status
    measured = after.state == "varies" or (after.state == "not measured" and not quicker)
    if after.flagged:
        status = "remains" if before.flagged else "moved"
    elif after.state == "constant" or (testable and measured):
        status = "cleared"
    else:
        status = "unknown"
    return Move(name, story_of(name), status, before, after)


def _audit_of(report: AuditReport | Mapping[str, Any], which: str) -> _Audit:
    data: Mapping[str, Any] = report if isinstance(report, Mapping) else report.to_dict()
    lacking = [name for name in _NEEDED if name not in data]
    if lacking:
        raise RepairError(f"the audit {which} the repair has no {lacking[0]!r}: give the audit.json of cmdfd.audit")
    try:
        cues: dict[str, Seen] = {}
        for row in data["findings"]:  # the worst comes first, so that the first one of a cue counts
            cues.setdefault(str(row["cue"]), _seen(row))
            if row["shown"] and not cues[str(row["cue"])].flagged:
                cues[str(row["cue"])] = _seen(row)
        states = {"constant": data["constant"], "not measured": data["not_measured"]}
        for state, names in states.items():
            for name in names:
                cues.setdefault(str(name), Seen(state=state))
        checks = {
            str(row["name"]): Seen(flagged=True, severity=str(row["severity"]), state="varies")
            for row in data["checks"]
            if row["severity"] != "none"
        }
        testable = bool(data["comparisons"]) and bool(data["comparisons"][0]["testable"])
    except (KeyError, TypeError, AttributeError) as error:
        raise RepairError(f"the audit {which} the repair cannot be read: {type(error).__name__}: {error}") from error
    return _Audit(cues, checks, testable, data.get("depth") != "headers")


def _seen(row: Mapping[str, Any]) -> Seen:
    return Seen(
        flagged=bool(row["shown"]),
        analysis=str(row["analysis"]),
        auc=row["auc"],
        low=row["low"],
        high=row["high"],
        severity=str(row["severity"]),
        state="varies",
        debatable=row["cue_kind"] == "debatable",
    )


def _sentences(moves: Moves) -> list[str]:
    told = []
    stories = _by_story(moves.moves)
    gone = [name for name, of in stories.items() if {one.status for one in of} == {"cleared"}]
    new = [name for name, of in stories.items() if {one.status for one in of} == {"moved"}]
    hard = [name for name in new if not all(one.after.debatable for one in stories[name])]
    if gone and hard:
        where = listing([f"{name} ({_worst(stories[name], lambda one: one.after)})" for name in hard])
        verb, word = ("is", "it") if len(gone) == 1 else ("are", "they")
        told.append(f"{_capital(listing(gone))} {verb} gone; {word} moved to {where}.")
    elif gone:
        told += [f"{_capital(name)} is gone ({_worst(stories[name], lambda one: one.before)} before)." for name in gone]
    for name in new if not (gone and hard) else [one for one in new if one not in hard]:
        figures = _worst(stories[name], lambda one: one.after)
        tail = ", debatable, since it may follow from the content" if name not in hard else ""
        told.append(f"{_capital(name)} was not flagged before and is now ({figures}){tail}.")
    for name, of in stories.items():
        kinds = {one.status for one in of}
        if "remains" in kinds or (len(kinds) > 1 and "moved" in kinds):
            tail = ", debatable" if all(one.after.debatable or not one.after.flagged for one in of) else ""
            told.append(f"{_capital(name)} still tells the classes apart ({_worst(of, lambda one: one.after)}){tail}.")
        elif "unknown" in kinds:
            told.append(f"Whether {name} is gone was not tested ({_worst(of, lambda one: one.before)} before).")
    told += _check_sentences(moves.checks)
    if not moves.testable:
        told.append("The second audit could not test any cue: nothing is shown to be cleared but what is constant.")
    return told or ["Neither audit flags anything."]


def _check_sentences(checks: Iterable[Move]) -> list[str]:
    words = {"cleared": "is gone", "remains": "is still there", "moved": "was not there before"}
    return [f"The defect {one.cue!r} {words[one.status]}." for one in checks if one.status in words]


def _by_story(moves: Iterable[Move]) -> dict[str, list[Move]]:
    found: dict[str, list[Move]] = {}
    for one in moves:
        found.setdefault(one.story, []).append(one)
    return found


def _worst(moves: list[Move], side: Callable[[Move], Seen]) -> str:
    """The flagged cue of a story with the largest AUC on one side, with its figures."""
    worst = max(moves, key=lambda one: (side(one).flagged, side(one).auc or 0.0))
    seen = side(worst)
    where = f", {seen.analysis}" if seen.analysis not in ("", "all") else ""
    more = sum(side(one).flagged for one in moves) - 1
    others = f", and {more} more" if more > 0 else ""
    return f"{worst.cue}, {seen.figures()}{where}{others}"


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
