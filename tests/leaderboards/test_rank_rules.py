"""What ranking promises beyond its numbers: who is ranked, what order changes, what is doubted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rank_world import answer, make_entry, make_open, make_truth, naive_borda, naive_ranks, noisy, paired_truth

from cmdfd.errors import CmdfdError
from leaderboards.entries import Answers, Entry, OpenBoard, Truth
from leaderboards.groups import borda, groups, rank_intervals, ranks
from leaderboards.rank import rank
from leaderboards.scores import set_seed
from leaderboards.standings import Standing, Standings

SETS = (paired_truth("one/test", 14, "a"), paired_truth("two/test", 13, "b"))


def entry(slug: str, quality: float, seed: int, **more: Any) -> Entry:
    answers = {truth.set.name: answer(noisy(truth, quality, 10 * seed + k)) for k, truth in enumerate(SETS)}
    return make_entry(slug, answers, **more)


def field() -> list[Entry]:
    """Ranked systems beside all kinds that are not."""
    stamp = {
        "by": "A Maintainer", "on": "2026-11-27", "match": "inference", "version": "1", "max_difference": 0,
        "predictions_sha256": "0" * 64,
    }  # fmt: skip
    return [
        entry("good", 1.2, 1),
        entry("better", 1.6, 2, reproduction=stamp),
        entry("plain", 0.5, 3),
        entry("at-home", 3.0, 4, trained_on=["one/train"]),
        entry("selected", 3.0, 5, selected_on=["two/validation"]),
        entry("silent", 3.0, 6, trained_on=None),
        entry("gone", 3.0, 7, withdrawn={"on": "2026-11-27", "reason": "labels were seen"}),
        entry("floor", 0.1, 8, trained_on=[]),
    ]


def board() -> OpenBoard:
    return make_open(SETS, ["floor"], "floor")


def by_slug(standings: Standings) -> dict[str, Standing]:
    return {row.slug: row for row in standings.rows}


def test_who_has_a_rank_and_why_not() -> None:
    rows = by_slug(rank(board(), field(), [("x.yaml", "no such clip")]))
    assert {slug for slug, row in rows.items() if row.ranked} == {"good", "better", "plain"}
    assert [row.slug for row in rank(board(), field()).rows][:4] == ["better", "good", "plain", "floor"]
    for row in rows.values():
        assert row.ranked == (row.why_unranked == "") == (row.rank is not None)
        if not row.ranked:
            assert (row.rank, row.rank_low, row.rank_high, row.group, row.borda) == (None,) * 5
    assert "one/train" in rows["at-home"].why_unranked
    assert "labels were seen" in rows["gone"].why_unranked
    assert [rows[slug].state for slug in ("good", "better", "gone")] == ["self-reported", "verified", "withdrawn"]
    assert [slug for slug, row in rows.items() if row.floor] == ["floor"]
    assert rows["silent"].trained_on is None
    # unranked systems, all better, take no place in the rank intervals
    assert all(row.rank_high is not None and row.rank_high <= 3 for row in rows.values() if row.ranked)
    assert rank(board(), field(), [("x.yaml", "no such clip")]).left_out == (("x.yaml", "no such clip"),)


def test_macro_of_an_unranked_system_is_over_its_cross_sets() -> None:
    rows = by_slug(rank(board(), field()))
    home = rows["at-home"]
    assert [score.domain for score in home.sets] == ["in", "cross"]
    assert home.macro == home.sets[1].auc
    assert home.worst == ("two/test", home.sets[1].auc)
    assert home.margin is not None
    assert home.margin.value == pytest.approx(home.sets[1].margin.value if home.sets[1].margin else None, abs=1e-12)
    silent = rows["silent"]
    assert {score.domain for score in silent.sets} == {"unknown"}
    assert (silent.macro.value, silent.worst) == (None, None)
    assert silent.macro.doubt
    assert silent.sets[0].auc.value is not None


def shuffled(truth: Truth, answers: Answers, order: np.ndarray) -> tuple[Truth, Answers]:
    rows = answers.rows.iloc[order].reset_index(drop=True)
    table = truth.table.iloc[order].reset_index(drop=True)
    return replace(truth, table=table), replace(answers, scores=answers.scores[order], rows=rows)


def test_order_of_rows_and_of_submissions_changes_nothing() -> None:
    first = rank(board(), field())
    assert rank(board(), field()[::-1]) == first
    rng = np.random.default_rng(0)
    orders = {truth.set.name: rng.permutation(len(truth.table)) for truth in SETS}
    moved = []
    for one in field():
        answers = {t.set.name: shuffled(t, one.answers[t.set.name], orders[t.set.name])[1] for t in SETS}
        moved.append(replace(one, answers=answers))
    truths = [shuffled(t, field()[0].answers[t.set.name], orders[t.set.name])[0] for t in SETS]
    assert rank(make_open(truths, ["floor"], "floor"), moved) == first


def test_a_further_system_changes_nothing_of_the_others_numbers() -> None:
    few, more = by_slug(rank(board(), field())), by_slug(rank(board(), [*field(), entry("new", 1.4, 9)]))
    for slug, row in few.items():
        assert more[slug].sets == row.sets
        assert (more[slug].macro, more[slug].margin, more[slug].worst) == (row.macro, row.margin, row.worst)
    # an unranked one does not even move ranks
    listed = by_slug(rank(board(), [*field(), entry("new", 1.4, 9, trained_on=None)]))
    assert {slug: listed[slug] for slug in few} == few


def test_equal_systems_share_rank_interval_and_group() -> None:
    rows = by_slug(rank(board(), [*field(), entry("twin", 1.6, 2)]))
    twin, better = rows["twin"], rows["better"]
    assert (twin.rank, twin.rank_low, twin.rank_high, twin.group, twin.borda) == (
        better.rank,
        better.rank_low,
        better.rank_high,
        better.group,
        better.borda,
    )
    assert (twin.rank, rows["good"].rank) == (1, 3)


def test_sets_of_equal_shape_are_drawn_independently() -> None:
    assert set_seed(0, "one/test") != set_seed(0, "two/test") != set_seed(1, "two/test")
    assert 0 <= set_seed(0, "one/test") < 2**63
    one, two = paired_truth("one/test", 20, "a"), paired_truth("two/test", 20, "b")
    scores = noisy(one, 1.0, 0)
    found = rank(
        make_open([one, two], draws=1000), [make_entry("x", {"one/test": answer(scores), "two/test": answer(scores)})]
    )
    row = found.rows[0]
    widths = [(n.high or 0) - (n.low or 0) for n in (row.sets[0].auc, row.macro)]
    # equal answers on two independent sets: the mean's error is smaller by the root of 2, not the same
    assert widths[1] == pytest.approx(widths[0] / np.sqrt(2), rel=0.12)


def test_components_in_two_sets_are_a_doubt() -> None:
    truths = [paired_truth("one/test", 14, "a"), paired_truth("two/test", 14, "a")]
    answers = {truth.set.name: answer(noisy(truth, 1, 0)) for truth in truths}
    doubt = rank(make_open(truths), [make_entry("x", answers)]).rows[0].macro.doubt
    assert "14 components stand in more than one set" in doubt


def judged(truth: Truth, scores: np.ndarray) -> Standing:
    return rank(make_open([truth]), [make_entry("x", {truth.set.name: answer(scores)})]).rows[0]


def test_few_components_are_doubted_everywhere() -> None:
    few = judged(paired_truth("one/test", 11), noisy(paired_truth("one/test", 11), 1, 0))
    for number in (few.sets[0].auc, few.sets[0].eer, few.macro, few.sets[0].kinds[0].auc):
        assert "only 11 components" in number.doubt
    assert not judged(paired_truth("one/test", 12), noisy(paired_truth("one/test", 12), 1, 0)).macro.doubt
    single = judged(paired_truth("one/test", 1), np.array([0.0, 1, 1, 2, 3, 4]))
    assert "only 1 component" in single.sets[0].auc.doubt
    assert single.sets[0].auc.value == pytest.approx(7.5 / 8)
    assert (single.rank, single.rank_low, single.rank_high, single.group) == (1, 1, 1, 1)


def test_a_kind_of_few_components_is_doubted_alone() -> None:
    kinds = ["real", "fake"] * 20 + ["rare"]
    truth = make_truth("one/test", [0, 1] * 20 + [1], [f"c{k // 2:02d}" for k in range(41)], kinds)
    score = judged(truth, noisy(truth, 1, 0)).sets[0]
    assert [part.name for part in score.kinds] == ["fake", "rare"]
    assert "only 1 component" in score.kinds[1].auc.doubt
    assert not score.auc.doubt
    assert not score.kinds[0].auc.doubt


@pytest.mark.parametrize(("label", "lacking"), [(0, "no fakes"), (1, "no reals")])
def test_a_set_of_one_class_counts_for_nobody(label: int, lacking: str) -> None:
    one = make_truth("one/test", [label] * 6, list("abcdef"))
    alone = judged(one, np.arange(6.0))
    assert not alone.ranked
    assert alone.why_unranked
    assert alone.sets[0].auc.value is None
    assert lacking in alone.sets[0].auc.doubt
    scores = noisy(SETS[1], 1, 0)
    answers = {"one/test": answer(np.arange(6.0)), "two/test": answer(scores)}
    row = rank(make_open([one, SETS[1]]), [make_entry("x", answers)]).rows[0]
    assert (row.rank, row.macro) == (1, row.sets[1].auc)


def test_a_platform_of_one_class_has_no_number() -> None:
    truth = make_truth(
        "one/test", [0, 1, 1] * 12, [f"c{k // 3:02d}" for k in range(36)], platforms=["", "", "feed"] * 12
    )
    score = judged(truth, noisy(truth, 1, 0)).sets[0]
    assert [part.name for part in score.platforms] == ["", "feed"]
    assert score.platforms[0].auc.value is not None
    assert score.platforms[1].auc.value is None
    assert "no reals among the 12 clips" in score.platforms[1].auc.doubt


@pytest.mark.parametrize(("scores", "value"), [(np.zeros(84), 0.5), (np.full(84, np.nan), 0.0)])
def test_constant_scores_and_all_failed(scores: np.ndarray, value: float) -> None:
    row = judged(SETS[0], scores)
    auc, eer = row.sets[0].auc, row.sets[0].eer
    assert (auc.value, auc.low, auc.high) == (value, value, value)
    assert eer.value == pytest.approx(1 - value, abs=1e-12)
    assert row.sets[0].n_failed == int(np.isnan(scores).sum())


def test_what_it_refuses() -> None:
    with pytest.raises(CmdfdError, match="two submissions have the slug 'good'"):
        rank(board(), [entry("good", 1, 1), entry("good", 1, 2)])
    lacking = replace(entry("good", 1, 1), answers={"one/test": entry("good", 1, 1).answers["one/test"]})
    with pytest.raises(CmdfdError, match="'good' has no answers for 'two/test'"):
        rank(board(), [lacking])
    assert rank(board(), []).rows == ()


def test_standings_are_data() -> None:
    import json

    data = json.loads(json.dumps(rank(board(), field()).to_dict(), allow_nan=False))
    assert data["rows"][0]["rank"] == 1
    assert isinstance(data["rows"][0]["rank"], int)


@settings(max_examples=60)
@given(
    st.lists(
        st.lists(st.sampled_from([0.0, 0.1, 0.1 + 1e-14, 0.5, 1.0]), min_size=3, max_size=3), min_size=1, max_size=9
    )
)
def test_ranks_and_points_are_the_plain_ones(table: list[list[float]]) -> None:
    values = np.array(table)
    expected = np.array([naive_ranks(column) for column in values.T]).T
    np.testing.assert_array_equal(ranks(values), expected)
    np.testing.assert_allclose(borda(values), naive_borda(table), rtol=0, atol=1e-9)
    low, high = rank_intervals(values, 0.95)
    assert (low >= expected.min(axis=1)).all()
    assert (high <= expected.max(axis=1)).all()
    assert (low <= high).all()
    order = np.random.default_rng(0).permutation(len(table))
    np.testing.assert_array_equal(ranks(values[order]), ranks(values)[order])


@settings(max_examples=40)
@given(st.integers(1, 8), st.integers(0, 1000))
def test_groups_are_led_by_their_best(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    draws = rng.normal(rng.normal(size=n)[:, None], 0.3, size=(n, 200))
    values = draws.mean(axis=1)
    leaders = np.argsort(-values)
    found = groups(values, draws, leaders.tolist(), 0.95, 30)
    assert found[leaders[0]] == 1
    assert sorted(set(found)) == list(range(1, found.max() + 1))
    best = [values[found == group].max() for group in range(1, found.max() + 1)]
    assert best == sorted(best, reverse=True)
    order = rng.permutation(n)
    places = np.argsort(order)
    moved = groups(values[order], draws[order], [int(places[i]) for i in leaders], 0.95, 30)
    np.testing.assert_array_equal(moved, found[order])


def test_rank_intervals_leave_out_what_is_rare_at_both_ends() -> None:
    draws = np.tile([[1.0], [0.0]], 100)
    draws[:, :4] = draws[::-1, :4]  # the second is first in 4 of 100 draws
    assert [each.tolist() for each in rank_intervals(draws, 0.95)] == [[1, 1], [2, 2]]
    assert [each.tolist() for each in rank_intervals(draws, 0.9)] == [[1, 2], [1, 2]]


def test_a_later_group_is_held_against_its_own_leader() -> None:
    rng = np.random.default_rng(0)
    common = rng.normal(0, 0.1, 400)
    draws = np.array([3 + common, 2 + common, 1.99 + common + rng.normal(0, 0.1, 400), 0 + common])
    assert groups(draws.mean(axis=1), draws, [0, 1, 2, 3], 0.95, 50).tolist() == [1, 2, 2, 3]
    # apart in every draw, yet equal in value: one group
    assert groups(np.array([1.0, 1.0]), np.array([np.ones(50), np.zeros(50)]), [0, 1], 0.95, 50).tolist() == [1, 1]


def beats(count: int) -> np.ndarray:
    """Ten reals, then a fake that scores above so many of them."""
    return np.append(np.arange(10.0), count - 0.5)


def test_equal_means_share_a_rank_and_points_put_them_in_order() -> None:
    truths = [make_truth(name, [0] * 10 + [1], [f"{name[0]}{k}" for k in range(11)]) for name in ("a/test", "b/test")]
    made = {"first": (6, 8), "second": (8, 6), "third": (7, 5)}
    entries = [
        make_entry(slug, {"a/test": answer(beats(one)), "b/test": answer(beats(two))})
        for slug, (one, two) in made.items()
    ]
    rows = rank(make_open(truths), entries).rows
    assert [(row.slug, row.rank, row.borda) for row in rows] == [
        ("second", 1, 3.0),
        ("first", 1, 2.0),
        ("third", 3, 1.0),
    ]
    assert [row.macro.value for row in rows] == pytest.approx([0.7, 0.7, 0.6], abs=1e-12)
    assert rows[0].group == rows[1].group == 1
