"""Every number of a board against an independent recomputation, to 1e-9."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
from rank_world import (
    answer,
    make_entry,
    make_open,
    make_truth,
    multiplicities,
    naive_auc,
    naive_borda,
    naive_ends,
    naive_ranks,
    noisy,
    paired_truth,
)
from scipy.optimize import brentq
from sklearn.metrics import roc_auc_score, roc_curve

from leaderboards.entries import Entry, Truth
from leaderboards.rank import rank
from leaderboards.standings import Number, SetScore, Standing, Standings

DRAWS = 100
SETS = (paired_truth("one/test", 20, "a", platforms=True), paired_truth("two/test", 15, "b"))
#: slug -> quality; "even" and "equal" are one system under two names.
QUALITY = {"low": 0.4, "even": 0.9, "equal": 0.9, "high": 1.3, "top": 1.4, "floor": 0.2}


@dataclass(frozen=True)
class Scenario:
    """A board and what was submitted."""

    standings: Standings
    scores: dict[str, dict[str, np.ndarray]]

    def row(self, slug: str) -> Standing:
        return next(row for row in self.standings.rows if row.slug == slug)


def entries() -> tuple[list[Entry], dict[str, dict[str, np.ndarray]]]:
    made, worst = [], {}
    for number, (slug, quality) in enumerate(QUALITY.items()):
        seed = 2 if slug == "equal" else number + 1
        scores = {truth.set.name: noisy(truth, quality, 10 * seed + k) for k, truth in enumerate(SETS)}
        if slug == "high":
            scores["one/test"][[0, 2, 9]] = np.nan
        cut = noisy(SETS[0], 0.3, 99) if slug == "top" else None
        answers = {name: answer(values, cut if name == "one/test" else None) for name, values in scores.items()}
        made.append(make_entry(slug, answers))
        worst[slug] = {truth.set.name: beyond(truth, scores[truth.set.name]) for truth in SETS}
    return made, worst


def beyond(truth: Truth, scores: np.ndarray) -> np.ndarray:
    """Failed reals far above all, failed fakes far below: finite, as scikit-learn wants them."""
    return np.where(np.isnan(scores), np.where(truth.table["label"] == 1, -1e6, 1e6), scores)


@cache
def scenario() -> Scenario:
    made, worst = entries()
    return Scenario(rank(make_open(SETS, ["floor"], "floor", draws=DRAWS), made), worst)


@cache
def drawn(name: str) -> np.ndarray:
    """[draws, n] of a set of the scenario."""
    return multiplicities(next(truth for truth in SETS if truth.set.name == name), DRAWS)


def drawn_aucs(truth: Truth, scores: np.ndarray) -> list[float]:
    """AUC of all clips in every draw, by scikit-learn."""
    labels = truth.table["label"].to_numpy()
    return [roc_auc_score(labels, scores, sample_weight=weights) for weights in drawn(truth.set.name)]


def drawn_part(truth: Truth, scores: np.ndarray, kept: np.ndarray) -> list[float]:
    """AUC of some clips in every draw that has both classes of them: every pair as often as both of it were drawn."""
    labels = truth.table["label"].to_numpy()
    fakes, reals = (np.flatnonzero(kept & (labels == label)) for label in (1, 0))
    gap = scores[fakes][:, None] - scores[reals][None, :]
    won = np.where(gap > 0, 1.0, np.where(gap == 0, 0.5, 0.0))
    pairs = [weights[fakes][:, None] * weights[reals][None, :] for weights in drawn(truth.set.name)]
    return [float((each * won).sum() / each.sum()) for each in pairs if each.any()]


def same(number: Number | None, value: float, draws: Sequence[float] | np.ndarray, n_components: int) -> None:
    assert number is not None
    assert number.value == pytest.approx(value, abs=1e-9)
    assert (number.low, number.high) == pytest.approx(naive_ends(draws, n_components), abs=1e-9)


def one(row: Standing, name: str) -> SetScore:
    return next(score for score in row.sets if score.set == name)


@pytest.mark.parametrize("slug", QUALITY)
@pytest.mark.parametrize("truth", SETS, ids=lambda truth: truth.set.name)
def test_pooled_auc_kinds_and_platforms(slug: str, truth: Truth) -> None:
    score, values = one(scenario().row(slug), truth.set.name), scenario().scores[slug][truth.set.name]
    table = truth.table
    size = table["component"].nunique()
    fakes, reals = values[table["label"] == 1], values[table["label"] == 0]
    same(score.auc, naive_auc(fakes, reals), pooled_draws(slug, truth.set.name), size)
    assert (score.n_real, score.n_fake, score.n_components) == (len(reals), len(fakes), size)
    assert [part.name for part in score.kinds] == ["swap", "tts"]
    for part in score.kinds:
        kept = ((table["label"] == 0) | (table["kind"] == part.name)).to_numpy()
        same(part.auc, naive_auc(values[table["kind"] == part.name], reals), drawn_part(truth, values, kept), size)
        assert (part.n_real, part.n_fake) == (len(reals), int((table["kind"] == part.name).sum()))
    assert [part.name for part in score.platforms] == (["", "feed"] if truth.set.name == "one/test" else [])
    for part in score.platforms:
        kept = (table["platform"] == part.name).to_numpy()
        among = [values[kept & (table["label"] == label).to_numpy()] for label in (1, 0)]
        same(part.auc, naive_auc(*among), drawn_part(truth, values, kept), size)
        assert (part.n_fake, part.n_real) == (len(among[0]), len(among[1]))


def weighted_eer(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float:
    fpr, tpr, _ = roc_curve(labels, scores, sample_weight=weights, drop_intermediate=False)
    return float(brentq(lambda x: 1 - np.interp(x, *unique_steps(fpr, tpr)) - x, 0, 1, xtol=1e-13))


def unique_steps(fpr: np.ndarray, tpr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Upright pieces of the curve leaning by so little that it has one height everywhere."""
    return fpr + 1e-13 * np.arange(len(fpr)), tpr


def test_equal_error_rate_and_its_interval() -> None:
    truth = SETS[1]
    labels, values = truth.table["label"].to_numpy(), scenario().scores["high"]["two/test"]
    draws = [weighted_eer(labels, values, weights) for weights in multiplicities(truth, DRAWS)]
    whole = weighted_eer(labels, values, np.ones(len(labels)))
    same(one(scenario().row("high"), "two/test").eer, whole, draws, 15)


def test_failed_clips_are_counted_and_are_the_worst_of_their_class() -> None:
    score = one(scenario().row("high"), "one/test")
    assert score.n_failed == 3
    assert one(scenario().row("high"), "two/test").n_failed == 0


def test_trimmed_scores_have_their_own_number() -> None:
    score = one(scenario().row("top"), "one/test")
    cut = noisy(SETS[0], 0.3, 99)
    labels = SETS[0].table["label"].to_numpy()
    same(score.trimmed, float(roc_auc_score(labels, cut)), drawn_aucs(SETS[0], cut), 20)
    assert one(scenario().row("top"), "two/test").trimmed is None


@cache
def pooled_draws(slug: str, name: str) -> np.ndarray:
    truth = next(each for each in SETS if each.set.name == name)
    return np.array(drawn_aucs(truth, scenario().scores[slug][name]))


def macro_draws(slug: str) -> np.ndarray:
    found: np.ndarray = np.stack([pooled_draws(slug, truth.set.name) for truth in SETS]).mean(axis=0)
    return found


def macro(slug: str) -> float:
    values = [roc_auc_score(truth.table["label"], scenario().scores[slug][truth.set.name]) for truth in SETS]
    return float(np.mean(values))


def test_macro_margin_and_worst_set() -> None:
    for slug in QUALITY:
        row = scenario().row(slug)
        same(row.macro, macro(slug), macro_draws(slug), 15)
        aucs = {score.set: score.auc for score in row.sets}
        worst = min(aucs, key=lambda name: aucs[name].value or 0)
        assert row.worst == (worst, aucs[worst])
        if slug == "floor":
            assert row.margin is None
            assert all(score.margin is None for score in row.sets)
            continue
        same(row.margin, macro(slug) - macro("floor"), macro_draws(slug) - macro_draws("floor"), 15)
        for truth in SETS:
            name = truth.set.name
            mine, floor = (scenario().scores[which][name] for which in (slug, "floor"))
            gap = pooled_draws(slug, name) - pooled_draws("floor", name)
            labels = truth.table["label"]
            value = roc_auc_score(labels, mine) - roc_auc_score(labels, floor)
            same(one(row, name).margin, value, gap, truth.table["component"].nunique())


def test_ranks_intervals_borda_and_groups() -> None:
    ranked = [slug for slug in QUALITY if slug != "floor"]
    values = [macro(slug) for slug in ranked]
    places = dict(zip(ranked, naive_ranks(values), strict=True))
    assert {slug: scenario().row(slug).rank for slug in ranked} == places
    points = naive_borda([[one(scenario().row(slug), t.set.name).auc.value or 0 for t in SETS] for slug in ranked])
    assert [scenario().row(slug).borda for slug in ranked] == pytest.approx(points, abs=1e-9)
    draws = np.array([macro_draws(slug) for slug in ranked])
    in_draws = np.array([naive_ranks(column) for column in np.round(draws, 13).T])
    for k, slug in enumerate(ranked):
        row, ordered = scenario().row(slug), sorted(in_draws[:, k])
        assert row.rank_low == ordered[int(0.025 * (DRAWS - 1))]
        assert row.rank_high == ordered[int(np.ceil(0.975 * (DRAWS - 1)))]
    left = sorted(ranked, key=lambda slug: (places[slug], -points[ranked.index(slug)], slug))
    group = 0
    while left:
        group += 1
        leader = macro_draws(left[0])
        ends = {slug: naive_ends(leader - macro_draws(slug), 15) for slug in left}
        members = [slug for slug in left if ends[slug][0] <= 1e-12 and ends[slug][1] >= -1e-12]
        assert left[0] in members
        assert {scenario().row(slug).group for slug in members} == {group}
        left = [slug for slug in left if slug not in members]


def test_equal_systems_share_everything_but_their_name() -> None:
    even, equal = scenario().row("even"), scenario().row("equal")
    assert replace(even, slug="", name="", submission={}) == replace(equal, slug="", name="", submission={})
    assert even.rank is not None
    assert even.rank == equal.rank


def test_localization_is_that_of_the_metrics() -> None:
    from benchmarks.detector import ScoredSegment
    from benchmarks.metrics.localization import frame_auc
    from benchmarks.metrics.temporal import evaluate_temporal
    from cmdfd.clip import Modality, Segment
    from leaderboards.scores import set_seed

    rng = np.random.default_rng(0)
    labels = [0, 1, 1] * 14
    components = [f"c{k // 3:02d}" for k in range(42)]
    truth = make_truth(
        "one/test",
        labels,
        components,
        segments=[[{"start": 1.0, "end": 2.0, "modality": "audio"}] if label else [] for label in labels],
    )
    starts = rng.uniform(0, 2, 42)
    sure = rng.random(42)
    frames = rng.normal(size=(42, 8))
    times = np.arange(8) / 2
    rows = {
        "times": [list(times)] * 42,
        "frame_scores": [list(each) for each in frames],
        "proposals": [
            [{"start": a, "end": a + 1, "modality": "audio", "confidence": c}]
            for a, c in zip(starts, sure, strict=True)
        ],
    }
    entry = make_entry("sees", {"one/test": answer(rng.normal(size=42), rows=rows)})
    silent = make_entry("silent", {"one/test": answer(rng.normal(size=42))})
    found = rank(make_open([truth], draws=DRAWS), [entry, silent])
    by_slug = {row.slug: row.sets[0] for row in found.rows}
    assert by_slug["silent"].localization == {}
    assert set(by_slug["silent"].localization_absent) == {"temporal", "frame", "pixel"}
    spans = [[Segment(1.0, 2.0, Modality.AUDIO)] if label else [] for label in labels]
    proposals = [[ScoredSegment(Segment(a, a + 1, Modality.AUDIO), c)] for a, c in zip(starts, sure, strict=True)]
    seed = set_seed(0, "one/test")
    temporal = evaluate_temporal(spans, proposals, components, n_draws=DRAWS, seed=seed)
    frame = frame_auc([times] * 42, list(frames), spans, components, pooling="within_clip", n_draws=DRAWS, seed=seed)
    numbers = by_slug["sees"].localization
    for name, expected in (
        ("temporal/AP@0.5", temporal["ap@0.5"]),
        ("temporal/AR@AN=10", temporal["ar@an=10"]),
        ("temporal/score", temporal["score"]),
        ("frame/within_clip", frame),
    ):
        number = numbers[name]
        assert (number.value, number.low, number.high) == pytest.approx(
            (expected.value, expected.low, expected.high), abs=1e-9
        )
    assert by_slug["sees"].localization_absent == {"pixel": "the detector gives no maps"}
