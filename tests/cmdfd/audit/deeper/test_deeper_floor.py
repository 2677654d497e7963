"""All cues together, and one given another."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from deeper_sets import cue, flagged, paired, table_of, unpaired

from cmdfd.audit.deeper.conditional import conditionals
from cmdfd.audit.deeper.floor import floor
from cmdfd.audit.deeper.probing import drawn_rows, features_of
from cmdfd.statistics.maxt import max_t


def test_features_keep_numbers_names_words_and_gaps() -> None:
    n = 40
    table = pd.DataFrame(
        {
            "x.number": [None if k % 7 == 0 else float(k) for k in range(n)],
            "x.name": pd.array([None if k == 0 else "ab"[k % 2] for k in range(n)], dtype="string"),
            "x.code": [k % 3 for k in range(n)],
            "x.words": ["one two" if k % 2 else "one three" for k in range(n)],
            "x.same": 1.0,
            "x.never": [None] * n,
        }
    )
    units = {"x.name": "category", "x.code": "category", "x.words": "tokens"}
    found = features_of(table, [*table.columns, "x.lacking"], units, np.arange(n))
    assert found.cues == ("x.number", "x.name", "x.code", "x.words")
    kinds = dict(zip(found.owners, found.categorical.tolist(), strict=True))
    assert kinds == {"x.number": False, "x.name": True, "x.code": True, "x.words": False}
    assert np.isnan(found.of("x.number").values[::7]).all()
    assert np.isnan(found.of("x.name").values[0]).all()
    assert found.of("x.words").values.shape == (n, 2)


def test_floor_joins_cues_and_leaves_the_debatable_out() -> None:
    rng = np.random.default_rng(0)
    labels, components = paired(60)
    noise = rng.normal(size=(len(labels), 5))
    table = table_of(
        labels, components,
        a=noise[:, 0] + 1.2 * labels, b=noise[:, 1] + 1.2 * labels, copy=2 * (noise[:, 0] + 1.2 * labels),
        null=noise[:, 2], sure=labels.astype(float),
    )  # fmt: skip
    cues = [cue("x.a"), cue("x.b"), cue("x.copy"), cue("x.null", kind="nuisance"), cue("x.sure", kind="debatable")]
    p = {"x.a": 0.001, "x.b": 0.001, "x.copy": 0.001, "x.null": 0.7, "x.sure": 0.001}
    found = floor(table, cues, labels, components, p)
    assert found is not None
    assert found.cues == ("x.a", "x.b", "x.copy", "x.null")
    # two independent shifts of 1.2: sqrt(2) * 1.2 apart
    assert found.probe.auc == pytest.approx(0.885, abs=0.06)
    assert found.p == 0.001
    names = [name for name, _ in found.minimal]
    assert len(names) == 2
    assert "x.b" in names
    assert found.minimal[1][1] > found.minimal[0][1]
    assert found.note == ""


def test_floor_of_a_paired_design_with_parted_pairs_says_so() -> None:
    rng = np.random.default_rng(1)
    labels = np.tile([0, 1], 100)
    people = rng.normal(size=(100, 3))[np.repeat(np.arange(100), 2)]
    table = table_of(labels, np.arange(200), a=people[:, 0], b=people[:, 1], c=people[:, 2])
    cues = [cue("x.a"), cue("x.b"), cue("x.c")]
    found = floor(table, cues, labels, np.arange(200), {})
    assert found is not None
    assert found.probe.high is not None
    assert found.probe.high < 0.5
    assert "paired design" in found.note
    assert found.p is None
    joined = floor(table, cues, labels, np.repeat(np.arange(100), 2), {})
    assert joined is not None
    assert joined.note == ""


def test_floor_of_too_few_components_or_no_cue() -> None:
    labels, components = paired(5)
    table = table_of(labels, components, a=labels.astype(float))
    assert floor(table, [cue("x.a")], labels, components, {}) is None
    labels, components = paired(20)
    empty = floor(table_of(labels, components, a=np.ones(80)), [cue("x.a"), cue("x.none")], labels, components, {})
    assert empty is not None
    assert (empty.cues, empty.minimal, empty.probe.auc, empty.p) == ((), (), 0.5, None)


def test_an_identity_confounded_null_has_a_floor_without_significance() -> None:
    small = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        labels, components = unpaired(rng)
        people = rng.normal(size=(24, 4))[components] + 0.1 * rng.normal(size=(len(labels), 4))
        table = table_of(labels, components, **{f"c{k}": people[:, k] for k in range(4)})
        names = [f"x.c{k}" for k in range(4)]
        adjusted = max_t(labels, table[names].to_numpy(), components, 199, seed).p_adjusted
        assert adjusted is not None
        found = floor(table, [cue(name) for name in names], labels, components, dict(zip(names, adjusted, strict=True)))
        assert found is not None
        assert found.p is not None
        small += found.p < 0.05
    assert small <= 4  # a binomial of 20 at 5 % is above 4 in 0.3 % of cases


def test_a_copy_has_nothing_to_add_and_an_independent_cue_has() -> None:
    rng = np.random.default_rng(0)
    labels, components = paired(150)
    noise = rng.normal(size=(len(labels), 4))
    first = noise[:, 0] + 1.5 * labels
    table = table_of(
        labels, components,
        a=first, copy=np.exp(first), near=first + 0.3 * noise[:, 1], own=noise[:, 2] + labels,
        name=np.where(rng.random(len(labels)) < 0.8, labels, 1 - labels).astype(str),
    )  # fmt: skip
    names = {"x.a": "s", "x.copy": "s", "x.near": "s", "x.own": "s", "x.name": "category"}
    found = conditionals(table, [flagged(name, unit) for name, unit in names.items()], labels, components)
    assert len(found) == 20
    given = {(one.cue, one.given): one for one in found}
    assert given["x.copy", "x.a"].auc == pytest.approx(0.5, abs=1e-9)
    near = given["x.near", "x.a"]
    assert near.low is not None
    assert near.low < 0.5
    assert near.high is not None
    assert near.high > 0.5
    for pair in (("x.own", "x.a"), ("x.a", "x.own"), ("x.name", "x.own"), ("x.own", "x.name")):
        assert given[pair].low is not None
        assert given[pair].low > 0.55  # type: ignore[operator]
    assert all(one.n_strata <= 10 for one in found)


def test_what_a_perfect_cue_leaves_cannot_be_said() -> None:
    rng = np.random.default_rng(0)
    labels, components = paired(30)
    table = table_of(labels, components, sure=labels.astype(float), a=rng.normal(size=120) + labels)
    found = {one.given: one for one in conditionals(table, [flagged("x.sure"), flagged("x.a")], labels, components)}
    assert (found["x.sure"].auc, found["x.sure"].n_strata) == (None, 0)
    assert found["x.a"].auc == 1.0


def test_conditionals_need_two_cues_and_folds() -> None:
    labels, components = paired(30)
    table = table_of(labels, components, a=labels.astype(float), same=np.ones(120))
    assert conditionals(table, [flagged("x.a"), flagged("x.same"), flagged("x.none")], labels, components) == ()
    table = table_of(labels, components, a=labels.astype(float), b=-labels.astype(float))
    assert conditionals(table, [flagged("x.a"), flagged("x.b")], labels, np.zeros(120, int)) == ()


def test_drawn_rows_are_whole_components() -> None:
    components = np.repeat(np.arange(100), 7)
    rows = drawn_rows(components, 200, seed=1)
    assert 200 <= len(rows) < 207 + 7
    assert (np.bincount(components[rows])[np.unique(components[rows])] == 7).all()
    np.testing.assert_array_equal(drawn_rows(components, 700, 0), np.arange(700))
