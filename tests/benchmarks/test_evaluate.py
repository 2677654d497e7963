"""Results recomputed from a predictions table, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.evaluate import compare_sets, evaluate_tasks, plain_auc, shared_of
from benchmarks.results import Threshold

KINDS = {"near": ["audio/swap", "audio/desync", "video/mouth_warp"], "far": ["audio/swap", "audio/desync", "audio/x"]}


def table(shift: dict[str, float], seed: int = 0, components: int = 24, condition: str = "untrimmed") -> pd.DataFrame:
    """Two sets of paired clips; `shift` is how far fakes stand above reals in each set."""
    rng = np.random.default_rng(seed)
    rows = []
    for name, kinds in KINDS.items():
        for component in range(components):
            person = rng.normal(0, 0.5)
            for take in range(3):
                for kind in ["real", *kinds]:
                    fake = kind != "real"
                    rows.append(
                        {
                            **{"detector": "d", "dataset": name, "split": "test", "condition": condition},
                            **{"id": f"{name}-{component}-{take}-{kind}", "label": int(fake), "kind": kind},
                            "variant": f"{80 * (1 + take)} ms" if kind == "audio/desync" else "",
                            "component": f"{name}-{component}",
                            "score": rng.normal(0, 1) + person + shift[name] * fake,
                            "error": None,
                        }
                    )
    return pd.DataFrame(rows)


DOMAINS = {("d", "near"): "in", ("d", "far"): "cross"}


def test_pooled_kind_and_shared_auc_equal_scikit_learn() -> None:
    data = table({"near": 1.5, "far": 0.7})
    tasks = {task.dataset: task for task in evaluate_tasks(data, {"d": Threshold(value=0.7, chosen_on="v")}, DOMAINS)}
    for name, task in tasks.items():
        of_set = data[data["dataset"] == name]
        assert task.pooled["auc"].value == pytest.approx(roc_auc_score(of_set["label"], of_set["score"]), abs=1e-12)
        assert (task.n_real, task.n_fake, task.n_components) == (72, 216, 24)
        assert task.base_rate == pytest.approx(0.75)
        assert task.shared_kinds is not None
        shared = of_set[of_set["kind"].isin(["real", "audio/swap", "audio/desync"])]
        assert task.shared_kinds["auc"].value == pytest.approx(
            roc_auc_score(shared["label"], shared["score"]), abs=1e-12
        )
        for row in task.kinds:
            part = of_set[(of_set["label"] == 0) | (of_set["kind"] == row.kind)]
            if row.variant:
                part = part[(part["label"] == 0) | (part["variant"] == row.variant)]
            assert row.metrics["auc"].value == pytest.approx(roc_auc_score(part["label"], part["score"]), abs=1e-12)
    variants = [row.variant for row in tasks["near"].kinds if row.kind == "audio/desync"]
    assert variants == [None, "80 ms", "160 ms", "240 ms"]
    assert tasks["near"].domain == "in"
    assert tasks["far"].domain == "cross"


def test_failed_clips_count_as_worst_and_are_counted() -> None:
    data = table({"near": 2.0, "far": 2.0})
    broken = data.copy()
    hit = broken.index[(broken["dataset"] == "near")][::10]
    broken.loc[hit, "score"] = np.nan
    broken.loc[hit, "error"] = "timeout: too long"
    worst = data.copy()
    worst.loc[hit, "score"] = np.where(worst.loc[hit, "label"] == 1, -1e9, 1e9)
    got = next(task for task in evaluate_tasks(broken, {}, DOMAINS) if task.dataset == "near")
    of_set = worst[worst["dataset"] == "near"]
    assert got.n_failed == len(hit)
    assert got.pooled["auc"].value == pytest.approx(roc_auc_score(of_set["label"], of_set["score"]), abs=1e-12)
    assert sum(row.n_failed for row in got.kinds if row.variant is None) >= len(hit)


def test_order_of_rows_changes_nothing() -> None:
    data = table({"near": 1.0, "far": 1.0})
    mixed = data.sample(frac=1, random_state=1)
    one = {task.dataset: task for task in evaluate_tasks(data, {}, DOMAINS)}
    two = {task.dataset: task for task in evaluate_tasks(mixed, {}, DOMAINS)}
    assert one == two


@pytest.mark.parametrize(
    ("shift", "words"),
    [
        ({"near": 3.0, "far": 0.3}, "clearly above"),
        ({"near": 0.3, "far": 3.0}, "is the easier one"),
        ({"near": 1.0, "far": 1.0}, "No clear gap"),
    ],
)
def test_verdict_says_what_the_interval_says(shift: dict[str, float], words: str) -> None:
    data = table(shift, components=30)
    comparison = compare_sets(data, evaluate_tasks(data, {}, DOMAINS))[0]
    assert words in comparison.verdict
    assert comparison.kinds == ["audio/desync", "audio/swap"]
    assert comparison.gap.value == pytest.approx(
        (comparison.in_auc.value or 0) - (comparison.cross_auc.value or 0), abs=1e-12
    )


def test_gap_of_few_components_is_marked() -> None:
    data = table({"near": 1.0, "far": 1.0}, components=5)
    comparison = compare_sets(data, evaluate_tasks(data, {}, DOMAINS))[0]
    assert comparison.gap.unreliable is not None
    assert "5" in comparison.gap.unreliable


def test_one_set_shares_nothing() -> None:
    data = table({"near": 1.0, "far": 1.0})
    only = data[data["dataset"] == "near"]
    assert shared_of(only.assign(platform="")).kinds == ()
    assert evaluate_tasks(only, {}, DOMAINS)[0].shared_kinds is None


def with_platforms(data: pd.DataFrame, dataset: str, away: dict[str, float]) -> pd.DataFrame:
    """Every clip of a set also from some platforms, where the scores of its fakes fall by so much."""
    parts = [data.assign(platform="", original="")]
    for name, loss in away.items():
        part = data[data["dataset"] == dataset]
        part = part.assign(platform=name, original=part["id"], score=part["score"] - loss * part["label"])
        parts.append(part.assign(id=part["id"] + f"-{name}"))
    return pd.concat(parts, ignore_index=True)


def test_a_gap_is_not_that_of_platforms_which_one_set_has_alone() -> None:
    plain = table({"near": 1.0, "far": 1.0})
    data = with_platforms(plain, "near", {"chat": 5.0, "tube": 5.0})
    tasks = evaluate_tasks(data, {}, DOMAINS)
    near, far = tasks
    assert near.pooled["auc"].value < 0.5 < far.pooled["auc"].value  # type: ignore[operator]
    (found,) = compare_sets(data, tasks)
    (alone,) = compare_sets(plain, evaluate_tasks(plain, {}, DOMAINS))
    assert (found.in_auc, found.cross_auc, found.gap) == (alone.in_auc, alone.cross_auc, alone.gap)
    assert near.shared_kinds is not None and near.shared_kinds["auc"] == found.in_auc
    assert found.platforms == [""] and found.kinds == ["audio/desync", "audio/swap"]
    assert found.verdict == (
        f"{alone.verdict} Compared on originals; left out of near, since far has none: chat, tube."
    )
    assert "Compared" not in alone.verdict


def test_platforms_of_both_sets_are_compared() -> None:
    data = with_platforms(table({"near": 1.0, "far": 1.0}), "near", {"chat": 0.5, "tube": 5.0})
    far = data[data["dataset"] == "far"]
    chat = far.assign(
        platform="chat", original=far["id"], id=far["id"] + "-chat", score=far["score"] - 3 * far["label"]
    )
    data = pd.concat([data, chat], ignore_index=True)
    (found,) = compare_sets(data, evaluate_tasks(data, {}, DOMAINS))
    assert found.platforms == ["", "chat"]
    assert found.verdict.endswith(" Compared on originals, chat; left out of near, since far has none: tube.")
    for name, estimate in (("near", found.in_auc), ("far", found.cross_auc)):
        rows = data[(data["dataset"] == name) & data["platform"].isin(["", "chat"])]
        rows = rows[rows["kind"].isin(["real", "audio/swap", "audio/desync"])]
        assert estimate.value == pytest.approx(roc_auc_score(rows["label"], rows["score"]), abs=1e-12)


def test_sets_without_a_platform_in_common_are_not_compared() -> None:
    data = with_platforms(table({"near": 1.0, "far": 1.0}), "near", {"chat": 0.5})
    data = data[(data["dataset"] == "far") | (data["platform"] == "chat")]
    tasks = evaluate_tasks(data, {}, DOMAINS)
    (found,) = compare_sets(data, tasks)
    assert tasks[0].shared_kinds is None and found.platforms == [] and found.kinds == []
    assert found.gap.value is None and found.in_auc.value is None
    assert found.verdict == "The gap between near and far cannot be computed: the sets have no platform in common."


def test_a_kind_that_a_set_has_on_other_platforms_only_is_not_shared() -> None:
    data = with_platforms(table({"near": 1.0, "far": 1.0}), "near", {"chat": 0.5})
    data = data[~((data["dataset"] == "near") & (data["kind"] == "audio/swap") & (data["platform"] == ""))]
    (found,) = compare_sets(data, evaluate_tasks(data, {}, DOMAINS))
    assert (found.kinds, found.platforms) == (["audio/desync"], [""])


def test_plain_auc_counts_failures() -> None:
    rows = [{"label": 0, "score": 0.1}, {"label": 1, "score": 0.9}, {"label": 1, "score": None}]
    assert plain_auc(rows) == pytest.approx(0.5)
