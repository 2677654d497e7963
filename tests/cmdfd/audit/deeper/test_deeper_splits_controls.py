"""Name that split; and whether the audit works on a set: false alarms and power."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from deeper_sets import cue, paired, table_of

from cmdfd.audit.deeper.controls import SIZES, controls, detectable, power_curve, views_table
from cmdfd.audit.deeper.splitprobe import split_probe


def cue_of(name: str):
    return cue(name, "category" if name.endswith("name") else "s", "debatable" if "doubt" in name else "nuisance")


def splits(n_components: int = 60, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    labels, components = paired(n_components)
    table = table_of(labels, components, a=rng.normal(size=len(labels)), b=rng.normal(size=len(labels)))
    return table.assign(split=np.array(["train", "val", "test"])[components % 3])


def test_splits_that_look_alike() -> None:
    found = split_probe(splits(), cue_of, n_draws=199)
    assert found is not None
    assert found.n == 120  # reals alone
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.5 < found.high
    assert found.p is not None
    assert found.p > 0.05
    assert found.note == ""


def test_a_split_that_stands_out_is_named_with_the_cue() -> None:
    table = splits()
    table["x.b"] += 2.0 * (table["split"] == "val")
    table["x.doubt"] = np.where(table["split"] == "test", 1.0, 0.0)
    found = split_probe(table, cue_of)
    assert found is not None
    # val is told from the others by 2 standard deviations (AUC .92), the others among themselves by nothing
    assert found.auc is not None
    assert 0.65 < found.auc < 0.85
    assert found.p is not None
    assert found.p < 0.01
    assert found.worst == "x.b"


def test_forged_clips_do_not_matter_where_reals_suffice() -> None:
    table = splits()
    table["x.a"] += 5.0 * ((table["label"] == 1) & (table["split"] == "train"))
    found = split_probe(table, cue_of, n_draws=199)
    assert found is not None
    assert found.p is not None
    assert found.p > 0.05


def test_where_reals_are_too_few_all_clips_are_taken_and_it_is_said() -> None:
    table = splits()
    table.loc[table["split"] == "val", "label"] = 1
    found = split_probe(table, cue_of, n_draws=199)
    assert found is not None
    assert found.n == len(table)
    assert "too few unforged clips" in found.note
    unknown = split_probe(table.drop(columns="label"), cue_of, n_draws=199)
    assert unknown is not None
    assert "no labels are known" in unknown.note


def test_what_has_one_level_or_no_folds() -> None:
    table = splits()
    assert split_probe(table.assign(split="train"), cue_of) is None
    assert split_probe(table.assign(split=None), cue_of) is None
    assert split_probe(table, cue_of, "platform") is None
    few = split_probe(splits(6), cue_of, n_draws=99)
    assert few is not None
    assert (few.auc, few.p) == (None, None)
    assert "only 6 components" in few.note
    none = split_probe(table[["split", "component", "label"]], cue_of)
    assert none is not None
    assert none.p is None


def test_two_platforms_of_the_same_clips() -> None:
    table = splits().drop(columns="split")
    both = pd.concat([table.assign(platform="original"), table.assign(platform="whatsapp")], ignore_index=True)
    both["x.name"] = np.where(both["platform"] == "whatsapp", "aac", "pcm")
    found = split_probe(both, cue_of, "platform", n_draws=199)
    assert found is not None
    assert found.auc == 1.0
    assert found.worst == "x.name"


def test_controls_raise_no_alarm_and_find_what_is_planted() -> None:
    rng = np.random.default_rng(0)
    labels, components = paired(100)
    table = table_of(labels, components, **{f"c{k}": rng.normal(size=400) for k in range(12)})
    table["x.c3"] += 3 * labels  # a shortcut of the set is no alarm once labels are shuffled
    units = {f"x.c{k}": "s" for k in range(12)}
    found = controls(table, units, labels, components)
    assert found is not None
    assert (found.n_shuffled, found.n_injected) == (20, 20)
    assert found.false_alarms <= 2
    assert found.detectable_auc is not None
    assert 0.55 < found.detectable_auc < 0.68
    sizes = [size for size, _ in found.curve]
    assert sizes == sorted(sizes)
    assert found.curve[-1][1] == 1.0


def test_fewer_people_and_one_class_each_need_a_larger_effect() -> None:
    rng = np.random.default_rng(1)
    labels, components = paired(100)
    views = rng.normal(size=(400, 10))
    within = detectable(power_curve(labels, components, views, 10, 0))
    apart = detectable(power_curve((components >= 50).astype(int), components, views, 10, 0))
    few = detectable(power_curve((components // 5 >= 10).astype(int), components // 5, views, 10, 0))
    assert within is not None
    assert apart is not None
    assert within < apart
    assert few is None or few > apart


def test_power_is_read_off_by_a_straight_line() -> None:
    assert detectable([(0.55, 0.2), (0.65, 0.6), (0.75, 1.0)]) == pytest.approx(0.70)
    assert detectable([(0.6, 1.0)]) == pytest.approx(0.58)
    assert detectable([(0.6, 0.1), (0.7, 0.5)]) is None
    assert detectable([]) is None
    assert list(SIZES) == sorted(SIZES)


def test_controls_of_what_cannot_be_tested() -> None:
    labels, components = paired(5)
    assert controls(table_of(labels, components, a=np.arange(20.0)), {"x.a": "s"}, labels, components) is None
    labels, components = paired(20)
    assert controls(table_of(labels, components, a=np.ones(80)), {"x.a": "s"}, labels, components) is None
    table = table_of(labels, components, a=np.arange(80.0)).assign(**{"x.name": ["a", "b"] * 40, "x.gap": [None] * 80})
    assert views_table(table, {"x.a": "s", "x.name": "category", "x.gap": "s", "x.none": "s"}, components).shape == (
        80,
        3,
    )
