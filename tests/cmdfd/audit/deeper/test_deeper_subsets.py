"""Subsets without shortcuts, and those that shortcuts do not solve."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from deeper_sets import paired, table_of
from hypothesis import given, settings
from hypothesis import strategies as st

from cmdfd.audit.deeper.subsets import hard_subset, matched_rows, shortcut_free_subset
from cmdfd.statistics.information import pvi
from cmdfd.statistics.maxt import max_t
from cmdfd.statistics.probes import tree_probe


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_matched_classes_are_alike_in_all_cues(share: float) -> None:
    rng = np.random.default_rng(3)
    n = 2000
    labels, components = (rng.random(n) < share).astype(int), np.arange(n) // 4
    noise = rng.normal(size=(n, 2))
    table = table_of(
        labels, components,
        a=noise[:, 0] + labels, b=np.round(noise[:, 1] + labels),
        c=np.where(rng.random(n) < 0.2 + 0.5 * labels, "x", "y"),
    )  # fmt: skip
    found = shortcut_free_subset(table, ["x.a", "x.b", "x.c"], {"x.c": True, "x.a": False}, labels, components)
    assert found.auc_before is not None
    assert found.auc_before.auc > 0.85
    assert found.auc_after is not None
    assert 0.44 < found.auc_after.auc < 0.56
    assert found.n_after == found.mask.sum()
    assert found.n_after > 0.2 * n
    # no cue ranks the classes either
    kept = table[found.mask]
    numbers = np.column_stack([kept["x.a"], kept["x.b"], kept["x.c"] == "x"]).astype(float)
    p = max_t(labels[found.mask], numbers, components[found.mask], 199).p_adjusted
    assert p is not None
    assert p.min() > 0.01
    assert "alike in the cues" in found.note
    # the caller may also name categories in a list
    again = shortcut_free_subset(table, ["x.a", "x.b", "x.c"], ["x.c"], labels, components)
    np.testing.assert_array_equal(again.mask, found.mask)


def test_clips_with_a_certain_marker_go_and_hardly_any_other() -> None:
    rng = np.random.default_rng(0)
    labels, components = paired(100)
    marked = (labels == 1) & (rng.random(400) < 0.1)
    table = table_of(labels, components, mark=np.where(marked, "odd", "plain"))
    found = shortcut_free_subset(table, ["x.mark"], ["x.mark"], labels, components)
    assert not (found.mask & marked).any()
    assert found.n_after >= 400 - 2 * marked.sum() - 4


def test_what_parts_the_classes_wholly_leaves_no_subset() -> None:
    labels, components = paired(100)
    rng = np.random.default_rng(0)
    for values in (labels.astype(float), labels * 8 + rng.normal(size=400)):
        found = shortcut_free_subset(table_of(labels, components, a=values), ["x.a"], {}, labels, components)
        assert not found.mask.any()
        assert found.n_after == 0
        assert found.auc_after is None
        assert "no subset" in found.note


def test_without_folds_or_cues_nothing_is_matched() -> None:
    labels, components = paired(5)
    table = table_of(labels, components, a=labels.astype(float), same=np.ones(20), never=np.full(20, np.nan))
    few = shortcut_free_subset(table, ["x.a"], {}, labels, components)
    assert few.mask.all()
    assert "only 5 components" in few.note
    none = shortcut_free_subset(table, ["x.same", "x.never", "x.lacking"], {}, labels, components)
    assert none.mask.all()
    assert "no cue varies" in none.note
    one_class = shortcut_free_subset(table, ["x.a"], {}, np.ones(20, int), np.arange(20))
    assert one_class.mask.all()
    empty = shortcut_free_subset(pd.DataFrame({"x.a": []}), ["x.a"], {}, [], [])
    assert (empty.n_before, empty.n_after) == (0, 0)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(-8, 8)), max_size=60), st.sampled_from([0.0, 0.5, 2.0]))
def test_matched_rows_hold_a_fixed_number_for_each_clip(rows: list[tuple[int, int]], width: float) -> None:
    labels = np.array([label for label, _ in rows], dtype=bool)
    scores = np.array([value for _, value in rows], dtype=float)
    kept = matched_rows(scores, labels, width, 0)
    assert len(np.unique(kept)) == len(kept)
    fakes, reals = int(labels[kept].sum()), int((~labels[kept]).sum())
    if len(kept):
        assert max(fakes, reals) % min(fakes, reals) == 0
        assert (fakes <= reals) == (labels.sum() <= (~labels).sum()) or fakes == reals
    if width == 0:  # the same values in both classes, as often
        few, many = (fakes, reals) if fakes <= reals else (reals, fakes)
        ratio = many // few if few else 1
        for value in np.unique(scores[kept]):
            here = scores[kept] == value
            counts = sorted((int(labels[kept][here].sum()), int((~labels[kept][here]).sum())))
            assert counts[1] == counts[0] * ratio


def test_pairs_are_many_where_they_can_be() -> None:
    labels = np.r_[np.zeros(50), np.ones(50)].astype(bool)
    scores = np.r_[np.arange(50), np.arange(50) + 0.1]
    assert len(matched_rows(scores, labels, 0.11, 1)) == 100
    assert len(matched_rows(scores, labels, 0.01, 1)) == 0
    # four fakes for a real: sets of five
    labels = np.r_[np.zeros(10), np.ones(40)].astype(bool)
    assert len(matched_rows(np.zeros(50), labels, 0.0, 1)) == 50


def test_hard_clips_are_those_that_the_cue_does_not_tell() -> None:
    rng = np.random.default_rng(0)
    labels, components = paired(100)
    told = rng.random(400) < 0.7
    values = np.where(told, labels * 1.0, 2.0)
    found = tree_probe(values[:, None], labels, components)
    hard = hard_subset(pvi(labels, found.prob, found.prior), labels, components)
    assert not hard.mask[told].any()
    # of the rest, trees lean to the class that is more frequent among the others: about one half is hard
    assert 0.3 < hard.mask[~told].mean() <= 1.0
    assert hard.n_after == hard.mask.sum()
    assert "are not told" in hard.note
    nothing = tree_probe(np.zeros((400, 1)), labels, components)
    assert hard_subset(pvi(labels, nothing.prob, nothing.prior), labels, components).n_after == 400
    missing = hard_subset(np.full(400, np.nan), labels, components)
    assert missing.n_after == 0
    with pytest.raises(ValueError, match="400 values"):
        hard_subset(np.zeros(3), labels, components)
