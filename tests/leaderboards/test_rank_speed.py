"""Slow: a large leaderboard, ranked and rendered, and what groups say of systems that are equally good."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rank_world import answer, make_entry, make_open, make_truth, paired_truth

from leaderboards.entries import Entry, OpenBoard
from leaderboards.rank import rank
from leaderboards.site import build_site
from leaderboards.standings import Standings

#: Of the issue: 500 systems on 10 boards of one set of 2,000 clips and 200 components, 1,000 draws.
SYSTEMS, BOARDS, CLIPS, COMPONENTS, DRAWS = 500, 10, 2000, 200, 1000
KINDS = ("audio/tts", "audio/swap", "video/face_swap", "video/lips")
#: Of the issue, for ranking and rendering all boards. Processor time is what one core needs; the wall time of a busy
#: machine proves nothing.
MOST_PROCESSOR_SECONDS = 120.0
#: Of resident memory.
MOST_BYTES = 4 * 2**30


def large_boards() -> Iterator[tuple[OpenBoard, list[Entry]]]:
    """Boards of paired components with four kinds, and systems from chance to good."""
    labels = [0] * 4 + [1] * 6
    kinds = ["real"] * 4 + [KINDS[k % 4] for k in range(6)]
    times = CLIPS // len(labels)
    components = [f"c{k // (CLIPS // COMPONENTS):04d}" for k in range(CLIPS)]
    for number in range(BOARDS):
        truth = make_truth(f"set-{number}/test", labels * times, components, kinds * times)
        rng = np.random.default_rng(number)
        quality = rng.uniform(0, 3, SYSTEMS)
        shared = np.repeat(rng.normal(size=COMPONENTS), CLIPS // COMPONENTS)
        made = truth.table["label"].to_numpy(float)
        entries = []
        for k in range(SYSTEMS):
            scores = quality[k] * made + 0.5 * shared + rng.normal(size=CLIPS)
            entry = make_entry(f"system-{k:03d}", {truth.set.name: answer(scores)})
            entries.append(entry)
        opened = make_open([truth], ["system-000"], "system-000", draws=DRAWS)
        yield replace(opened, board=opened.board.model_copy(update={"name": f"board-{number}"})), entries


def processor_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    return sum(os.times()[:4])


@pytest.mark.slow
def test_five_hundred_systems_on_ten_boards_are_ranked_and_rendered(tmp_path: Path) -> None:
    ranking, wall = 0.0, 0.0
    boards: list[Standings] = []
    for open_board, entries in large_boards():
        began = processor_seconds(), time.perf_counter()
        boards.append(rank(open_board, entries))
        ranking += processor_seconds() - began[0]
        wall += time.perf_counter() - began[1]
    began = processor_seconds(), time.perf_counter()
    built = build_site(boards, tmp_path / "site")
    rendering = processor_seconds() - began[0]
    wall += time.perf_counter() - began[1]
    print(f"{wall:.1f} s; processor: {ranking:.1f} s to rank, {rendering:.1f} s to render")  # seen with -s
    for standings in boards:
        assert sum(row.ranked for row in standings.rows) == SYSTEMS - 1
        assert {len(row.sets[0].kinds) for row in standings.rows} == {len(KINDS)}
        assert max(row.group or 0 for row in standings.rows) > 10
    assert (built.n_boards, built.n_systems) == (BOARDS, BOARDS * SYSTEMS)
    assert len(list((tmp_path / "site").rglob("systems/*.html"))) == BOARDS * SYSTEMS
    assert ranking + rendering < MOST_PROCESSOR_SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 < MOST_BYTES


@pytest.mark.slow
def test_two_equally_good_systems_mostly_share_a_group() -> None:
    together, covered = 0, 0
    truth = paired_truth("one/test", 30)
    labels = truth.table["label"].to_numpy(float)
    open_board = make_open([truth], draws=500)
    trials = 200
    for seed in range(trials):
        rng = np.random.default_rng(seed)
        entries = [
            make_entry(slug, {"one/test": answer(labels + rng.normal(size=len(labels)))}) for slug in ("one", "two")
        ]
        rows = rank(open_board, entries).rows
        together += rows[0].group == rows[1].group == 1
        covered += all(row.rank_low == 1 and row.rank_high == 2 for row in rows)
    # nominal 95 %; a rate of 94 % falls below 90 % in one of 100 such tests
    assert together >= 0.9 * trials
    # where the two cannot be told apart, both ranks occur for both
    assert covered >= 0.85 * trials


@pytest.mark.slow
def test_a_better_system_is_told_apart() -> None:
    truth = paired_truth("one/test", 60)
    labels = truth.table["label"].to_numpy(float)
    apart = 0
    for seed in range(50):
        rng = np.random.default_rng(seed)
        entries = [
            make_entry(slug, {"one/test": answer(quality * labels + rng.normal(size=len(labels)))})
            for slug, quality in (("good", 2.0), ("poor", 1.0))
        ]
        rows = rank(make_open([truth], draws=300), entries).rows
        apart += [row.slug for row in rows] == ["good", "poor"] and rows[1].group == 2
    assert apart >= 48
