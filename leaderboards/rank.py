"""Ranks the systems of a board: everything from predictions, nothing claimed.

First the macro mean of the AUC over the board's sets, each of which is a cross set for a ranked system; equal means
share a rank. Borda points are told beside it and put equal ranks in an order. Rank intervals and tie groups come from
the same draws (`leaderboards.groups`): within a set all systems share them, the sets are drawn independently, and the
mean is taken draw by draw (`leaderboards.scores`). A set with one class only has no AUC and counts for nobody.

Floors, withdrawn systems and those that were trained on the board or do not say on what have numbers and no rank; they
change nothing for the others.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cmdfd.errors import CmdfdError
from leaderboards.groups import borda, groups, rank_intervals, ranks
from leaderboards.localization import NOT_SUBMITTED, locate, locates
from leaderboards.scores import Arena, Mean, mean_over_sets
from leaderboards.standings import Number, Standing, Standings
from leaderboards.training import domain_of, unranked_reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from leaderboards.entries import Entry, OpenBoard
    from leaderboards.records import Submission
    from leaderboards.scores import Scored
    from leaderboards.standings import SetScore, State

#: Systems that are judged at once; NumPy leaves the interpreter free while it computes.
THREADS = 2
NO_AUC = "no set of this board has both reals and fakes, so there is nothing to rank by"


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """A system with its numbers, before it is compared."""

    entry: Entry
    floor: bool
    why_unranked: str
    scored: dict[str, Scored]
    sets: tuple[SetScore, ...]
    macro: Mean
    margin: Number | None

    @property
    def slug(self) -> str:
        return self.entry.submission.system.slug

    @property
    def name(self) -> str:
        return self.entry.submission.system.name


@dataclass(frozen=True, slots=True)
class _Place:
    """What comparing gave a system."""

    rank: int
    low: int
    high: int
    group: int
    borda: float


def rank(open_board: OpenBoard, entries: Sequence[Entry], left_out: Sequence[tuple[str, str]] = ()) -> Standings:
    """Rank a board.

    Args:
        open_board: Board, rules and truths.
        entries: Verified submissions, floors among them; their order changes nothing.
        left_out: (file, reason) of submissions that were refused; only passed on.

    Raises:
        CmdfdError: Where two entries have one slug, or one lacks a set of the board.
    """
    _check(open_board, entries)
    arenas = {name: Arena.of(truth, open_board.rules) for name, truth in open_board.truths.items()}
    judge = _Judge(open_board, arenas, _metadata_floor(open_board, entries, arenas))
    with _one_blas_thread(), ThreadPoolExecutor(THREADS) as pool:
        judged = list(pool.map(judge.system, entries))
    ordered = sorted(judged, key=lambda one: (one.name, one.slug))
    places = _places([one for one in ordered if not one.why_unranked], arenas, open_board)
    rows = [_standing(one, places.get(one.slug)) for one in ordered]
    rows.sort(key=_display)
    return Standings(
        board=open_board.board.model_dump(mode="json"),
        rules=open_board.rules.model_dump(mode="json"),
        rows=tuple(rows),
        left_out=tuple(left_out),
    )


def _check(open_board: OpenBoard, entries: Sequence[Entry]) -> None:
    seen: set[str] = set()
    for entry in entries:
        slug = entry.submission.system.slug
        if slug in seen:
            raise CmdfdError(f"two submissions have the slug {slug!r}; give one of them another")
        seen.add(slug)
        lacking = [name for name in open_board.truths if name not in entry.answers]
        if lacking:
            raise CmdfdError(f"submission {slug!r} has no answers for {lacking[0]!r}; a board is answered as a whole")


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Keep the products of one system on one core, since systems are judged side by side."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield


def _metadata_floor(open_board: OpenBoard, entries: Sequence[Entry], arenas: Mapping[str, Arena]) -> dict[str, Scored]:
    """The metadata-only floor on every set; empty where the board has none, or it was withdrawn."""
    found = [one for one in entries if one.submission.system.slug == open_board.board.metadata_floor]
    if not found or found[0].submission.withdrawn is not None:
        return {}
    return {name: arena.judge(found[0].answers[name], "unknown") for name, arena in arenas.items()}


@dataclass(frozen=True, slots=True, eq=False)
class _Judge:
    """Judges systems of one board, each for itself."""

    open_board: OpenBoard
    arenas: Mapping[str, Arena]
    metadata_floor: Mapping[str, Scored]

    def system(self, entry: Entry) -> _Judged:
        board, submission = self.open_board.board, entry.submission
        slug = submission.system.slug
        over = {} if slug == board.metadata_floor else self.metadata_floor
        scored = {
            name: arena.judge(entry.answers[name], domain_of(submission, name, board), over.get(name))
            for name, arena in self.arenas.items()
        }
        reason = unranked_reason(submission, board)
        if not reason and all(one.draws is None for one in scored.values()):
            reason = NO_AUC
        return _Judged(
            entry=entry,
            floor=slug in board.floors,
            why_unranked=reason,
            scored=scored,
            sets=self._located(entry, [one.score for one in scored.values()]),
            macro=self._mean(scored, {}),
            margin=self._mean(scored, over).number if over else None,
        )

    def _located(self, entry: Entry, scores: Sequence[SetScore]) -> tuple[SetScore, ...]:
        if not locates(entry):
            absent = dict.fromkeys(("temporal", "frame", "pixel"), NOT_SUBMITTED)
            return tuple(replace(one, localization_absent=absent) for one in scores)
        found = [locate(entry, self.open_board.truths[one.set], self.arenas[one.set]) for one in scores]
        return tuple(
            replace(one, localization=where.numbers, localization_absent=where.absent)
            for one, where in zip(scores, found, strict=True)
        )

    def _mean(self, scored: Mapping[str, Scored], over: Mapping[str, Scored]) -> Mean:
        """Mean AUC over the cross sets, or mean margin over a floor."""
        values: dict[str, float] = {}
        draws: dict[str, NDArray[np.float64]] = {}
        for name, one in scored.items():
            value, drawn = one.score.auc.value, one.draws
            if one.score.domain != "cross" or value is None or drawn is None:
                continue
            floor = over.get(name)
            if floor is not None and floor.draws is not None and floor.score.auc.value is not None:
                value, drawn = value - floor.score.auc.value, drawn - floor.draws
            values[name], draws[name] = value, drawn
        return mean_over_sets(self.arenas, values, draws, self.open_board.rules.level)


def _places(judged: Sequence[_Judged], arenas: Mapping[str, Arena], open_board: OpenBoard) -> dict[str, _Place]:
    if not judged:
        return {}
    sets = [name for name, arena in arenas.items() if arena.pairs is not None]
    values = np.array([one.macro.number.value for one in judged], dtype=np.float64)
    draws = np.array([one.macro.draws for one in judged])
    points = borda(np.array([[one.scored[name].score.auc.value for name in sets] for one in judged], dtype=np.float64))
    found = ranks(values[:, None])[:, 0].astype(int)
    low, high = rank_intervals(draws, open_board.rules.level)
    # of equally good ones the one with more points leads, then the first by name
    leaders = sorted(range(len(judged)), key=lambda i: (found[i], -points[i], judged[i].name, judged[i].slug))
    fewest = min(arenas[name].certainty.components for name in sets)
    group = groups(values, draws, leaders, open_board.rules.level, fewest)
    return {
        one.slug: _Place(int(found[i]), int(low[i]), int(high[i]), int(group[i]), float(points[i]))
        for i, one in enumerate(judged)
    }


def _standing(judged: _Judged, place: _Place | None) -> Standing:
    submission = judged.entry.submission
    cross = [one for one in judged.sets if one.domain == "cross" and one.auc.value is not None]
    worst = min(cross, key=lambda one: one.auc.value or 0.0, default=None)
    return Standing(
        slug=judged.slug,
        name=judged.name,
        state=_state(submission),
        floor=judged.floor,
        ranked=place is not None,
        why_unranked=judged.why_unranked,
        rank=place.rank if place else None,
        rank_low=place.low if place else None,
        rank_high=place.high if place else None,
        group=place.group if place else None,
        macro=judged.macro.number,
        borda=place.borda if place else None,
        worst=(worst.set, worst.auc) if worst else None,
        margin=judged.margin,
        sets=judged.sets,
        trained_on=None if submission.trained_on is None else tuple(submission.trained_on),
        submission=submission.model_dump(mode="json"),
        notes=judged.entry.notes,
        submission_sha256=judged.entry.sha256,
    )


def _state(submission: Submission) -> State:
    if submission.withdrawn is not None:
        return "withdrawn"
    return "verified" if submission.reproduction is not None else "self-reported"


def _display(row: Standing) -> tuple[int, int, float, str, str]:
    """Ranked ones by rank and points, then floors, then the others; names only for what is equal."""
    part = 0 if row.ranked else 1 if row.floor else 2
    return (part, row.rank or 0, -(row.borda or 0.0), row.name, row.slug)
