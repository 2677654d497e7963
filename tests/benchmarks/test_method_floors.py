"""Floors for each method: what they must find, what they must not, and that the estimate is honest."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from sklearn.metrics import roc_auc_score

from benchmarks.method_floors import FloorsReport, MethodRows, judge_methods
from benchmarks.method_floors.__main__ import main
from benchmarks.method_floors.crossfit import compare, cross_fit, partitions
from benchmarks.method_floors.judge import learn_and_score
from benchmarks.method_floors.load import load_set, measured
from benchmarks.method_floors.records import verdict_of, worse
from benchmarks.method_floors.text import print_report
from cmdfd.audit.cues.timing import sound_cues
from cmdfd.audit.measure import CONTAINER_CUES
from cmdfd.clip import Labels, Modality, Segment
from cmdfd.errors import CmdfdError
from generators.export.cmdfd import COLUMNS

sys.path.insert(0, str(Path(__file__).parents[1] / "generators"))
from toy_set import Kind, write_toy_set

NOISY = [name for name in CONTAINER_CUES if name.startswith(("level.", "silence."))]


def rows_of(
    n_components: int, seed: int, draw: str = "near", *, takes: int = 1, cues: Sequence[str] = NOISY
) -> MethodRows:
    """Components of two people who drive each other, each with as many real as fake clips.

    The cues of a clip follow its sound. A fake has the sound of the other one's real clip ("near": both are measured
    with a little noise), or a fresh one of its own person ("fresh").
    """
    rng = np.random.default_rng(seed)
    values, labels, components = [], [], []
    for component in range(n_components):
        person = rng.normal(size=(2, 1, len(cues)))
        sound = person + rng.normal(size=(2, takes, len(cues)))
        other = sound[::-1] if draw == "near" else person + rng.normal(size=sound.shape)
        noise = rng.normal(scale=0.3 if draw == "near" else 0, size=(2, *sound.shape))
        for label, found in ((0, sound + noise[0]), (1, other + noise[1])):
            values += [dict(zip(cues, row, strict=True)) for row in found.reshape(-1, len(cues)).tolist()]
            labels += [label] * (2 * takes)
            components += [f"c{component}"] * (2 * takes)
    return MethodRows(values, labels, ["fake" if label else "real" for label in labels], components)


def timed(n_components: int, gap: Callable[[int, np.random.Generator], float], seed: int = 0) -> MethodRows:
    """Clips of 4 to 39 s, of which only lengths and rates are known; `gap` gives milliseconds for a label."""
    rng = np.random.default_rng(seed)
    cues, labels, components = [], [], []
    for component in range(n_components):
        for label in (0, 1, 0, 1):
            frames = int(rng.integers(99, 962))
            sound = sound_cues(round((frames / 25 + gap(label, rng) / 1000) * 16000), 16000, frames / 25)
            cues.append({"time.n_frames": float(frames), "time.video_duration": frames / 25, **sound})
            labels.append(label)
            components.append(f"c{component}")
    return MethodRows(cues, labels, ["w2l" if label else "real" for label in labels], components)


def wav2lip(label: int, rng: np.random.Generator) -> float:
    """Gaps as in CMDFD's lists: sound in frames of 1024 samples, and one or two video frames lost in fakes."""
    return float(rng.choice([0.0, 8.0, 16.0, 32.0, 40.0, 56.0]) + (rng.choice([40.0, 80.0]) if label else 0.0))


# --- the estimate -----------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_comparisons_are_those_of_a_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.append(rng.random(11) < 0.5, [True, False])
    scores, index = rng.integers(0, 4, 13).astype(float), rng.integers(0, 3, 13)
    found = compare(labels, scores, index, 4)
    won, made = np.zeros((4, 4)), np.zeros((4, 4))
    for a, b in itertools.product(np.flatnonzero(labels), np.flatnonzero(~labels)):
        made[index[a], index[b]] += 1
        won[index[a], index[b]] += 1.0 if scores[a] > scores[b] else 0.5 if scores[a] == scores[b] else 0.0
    assert (found.won == won).all() and (found.made == made).all()
    assert found.auc()[0] == pytest.approx(roc_auc_score(labels, scores))
    weights = rng.integers(0, 3, (5, 4))
    for one, value in zip(weights, found.auc(weights), strict=True):
        copies = np.repeat(np.arange(13), one[index])
        both = 0 < labels[copies].sum() < len(copies)
        assert value == pytest.approx(roc_auc_score(labels[copies], scores[copies])) if both else np.isnan(value)


def test_nobody_is_judged_by_who_has_seen_them() -> None:
    components = np.array([f"c{k // 4}" for k in range(60)])
    labels = np.arange(60) % 2
    together = np.zeros((15, 15))

    def learner(train: Any, test: Any) -> Any:
        assert not set(components[train]) & set(components[test])
        assert len(train) + len(test) == 60 and set(labels[train]) == {0, 1}
        held = np.unique(test // 4)
        together[np.ix_(held, held)] += 1
        return np.zeros(len(test))

    found = cross_fit(learner, labels, components, seed=3)
    assert (found.auc, found.interval.low, found.interval.high) == (0.5, 0.5, 0.5)
    assert (np.diag(together) == 8).all() and (together > 0).mean() > 0.7


def test_folds_hold_alike_components() -> None:
    labels = np.array([0] * 20 + [1] * 20 + [0, 1] * 10, bool)  # 10 real only, 10 fake only, 10 with both
    index = np.array([k // 2 for k in range(60)])
    for fold in partitions(labels, index, 5, 3, 0):
        for part in (slice(0, 10), slice(10, 20), slice(20, 30)):
            assert (np.bincount(fold[part], minlength=5) == 2).all()


def mean_difference(table: Any, labels: Any) -> Callable[[Any, Any], Any]:
    """A learner of one line: how far along the line from the mean real to the mean fake."""

    def learner(train: Any, test: Any) -> Any:
        given, told = table[train], labels[train]
        return table[test] @ (given[told].mean(axis=0) - given[~told].mean(axis=0)) + 5 * told.mean()

    return learner


def test_the_null_mean_is_one_half_exactly() -> None:
    """Over all ways to call one of two clips of each component fake, the mean is .5 inside folds; pooled it is not."""
    rng = np.random.default_rng(5)
    table = rng.normal(size=(14, 3))
    components = np.arange(14) // 2
    inside, pooled = [], []
    for flips in itertools.product((0, 1), repeat=7):
        labels = np.array([(k % 2) ^ flips[k // 2] for k in range(14)], bool)
        learner = mean_difference(table, labels)
        found = cross_fit(learner, labels, components, n_folds=3, n_repeats=1, n_draws=1, seed=1)
        inside.append(found.auc)
        scores = np.zeros(14)
        fold = next(iter(partitions(labels, components, 3, 1, 1)))[components]
        for number in range(3):
            scores[fold == number] = learner(np.flatnonzero(fold != number), np.flatnonzero(fold == number))
        pooled.append(roc_auc_score(labels, scores))
    assert np.mean(inside) == pytest.approx(0.5, abs=1e-12)
    assert np.mean(pooled) < 0.495


def shares(draw: str, n: int, takes: int = 1) -> tuple[float, float]:
    """Over null sets of 24 pairs of people: interval inside .35 to .65; a cue claimed where there is none."""
    inside = claimed = 0
    for seed in range(n):
        rows = rows_of(24, seed, draw, takes=takes)
        labels = np.array(rows.labels, bool)

        def learner(train: Any, test: Any, rows: MethodRows = rows, labels: Any = labels, seed: int = seed) -> Any:
            return learn_and_score([rows.cues[k] for k in train], labels[train], [rows.cues[k] for k in test], seed)

        found = cross_fit(learner, labels, np.array(rows.components), seed=seed)
        low, high = found.interval.low, found.interval.high
        assert low is not None and high is not None and found.wide.low is not None
        inside += low >= 0.35 and high <= 0.65
        claimed += found.wide.low > 0.5
    return inside / n, claimed / n


@pytest.mark.slow
def test_sets_of_swapped_sounds_are_held_at_chance() -> None:
    """The shape of CMDFD with 24 pairs: nothing but who speaks differs. (Over 200 seeds: .98 inside, .01 claimed.)"""
    inside, claimed = shares("near", 20)
    assert inside >= 0.95 and claimed <= 0.05


@pytest.mark.slow
def test_fresh_sounds_need_more_takes_and_are_rarely_accused() -> None:
    """One fresh sound for each of 48 people leaves the AUC a standard deviation of .06; three takes bring it to .03."""
    inside, claimed = shares("fresh", 5, takes=3)
    assert inside >= 0.8 and claimed <= 0.2


# --- what is found ----------------------------------------------------------------------------------------------------


def judged(*parts: MethodRows, **named: Any) -> Any:
    """The one method of some rows; two partitions show as much as eight here."""
    report = judge_methods(*parts, **named, n_repeats=2)
    assert len(report.methods) == 1
    return report.methods[0]


def test_a_gap_of_32_against_96_ms_tells() -> None:
    found = judged(timed(24, lambda label, rng: 96.0 if label else 32.0))
    assert (found.verdict, found.gap.auc, found.gap.low, found.floor.auc) == ("tells", 1.0, 1.0, 1.0)
    assert found.strongest is not None and (found.strongest.cue, found.strongest.auc) == ("time.av_gap", 1.0)
    assert (found.gap_real, found.gap_fake, found.longer_in_fakes, found.gap.p) == (32.0, 96.0, True, 0.001)
    assert found.held_out is None and found.learnt_from == "" and found.reason == "" and found.n_components == 24


def test_lost_tail_frames_tell_as_in_the_published_lists() -> None:
    found = judged(timed(40, wav2lip))
    assert 0.93 < found.gap.auc <= 1 and found.floor.auc > 0.93 and found.verdict == "tells"
    shorter = judged(timed(40, lambda label, rng: -wav2lip(label, rng)))
    assert shorter.gap.auc == pytest.approx(found.gap.auc) and shorter.longer_in_fakes is False


def test_a_grid_is_seen_by_the_floor_and_not_by_rank() -> None:
    def audio2head(label: int, rng: np.random.Generator) -> float:
        return float(rng.choice([24.0, 40.0]) if label else rng.choice([16.0, 32.0, 48.0]))

    found = judged(timed(40, audio2head))
    assert found.gap.auc < 0.65 and found.floor.auc > 0.97 and found.verdict == "tells"
    assert found.strongest.cue == "time.av_gap" and found.strongest.auc > 0.97  # level by level


def test_equal_clocks_are_at_chance() -> None:
    rows = rows_of(24, 0, "near")
    constant = [{**row, "time.av_gap": 0.0, "time.fps": 25.0} for row in rows.cues]
    found = judged(MethodRows(constant, rows.labels, rows.kinds, rows.components))
    assert (found.gap.auc, found.gap.low, found.gap.high, found.gap.p) == (0.5, 0.5, 0.5, 1.0)
    assert found.longer_in_fakes is None and found.verdict == "at chance"


def test_a_floor_that_sees_nothing_says_one_half() -> None:
    same = MethodRows([{"time.av_gap": 0.0}] * 48, [0, 1] * 24, ["k"] * 48, [f"c{k // 2}" for k in range(48)])
    found = judged(same)
    assert (found.floor.auc, found.floor.low, found.floor.high, found.verdict) == (0.5, 0.5, 0.5, "at chance")
    assert found.strongest is None


def test_pairs_in_different_components_fall_below_chance() -> None:
    """The footnote of the published table: the same sound once under a real and once under a forged picture."""
    rng = np.random.default_rng(1)
    sounds = rng.normal(size=(30, 4))
    cues = [dict(zip(NOISY, row, strict=False)) for row in (*sounds, *np.roll(sounds, 1, axis=0))]
    labels, kinds = [0] * 30 + [1] * 30, ["real"] * 30 + ["fake"] * 30
    by_face = [f"f{k}" for k in range(30)] * 2  # the sound of a fake is that of another face
    found = judged(MethodRows(cues, labels, kinds, by_face))
    assert found.floor.auc < 0.45
    by_all = ["all"] * 60
    assert judged(MethodRows(cues, labels, kinds, by_all)).verdict == "not testable"


def test_few_components_give_the_effect_and_no_verdict() -> None:
    found = judged(timed(6, lambda label, rng: 96.0 if label else 32.0))
    assert (found.verdict, found.gap.auc, found.gap.p) == ("not testable", 1.0, None)
    assert found.reason == "only 6 components"
    alone = judged(timed(1, lambda label, rng: 96.0 if label else 32.0))
    assert alone.floor.auc is None and alone.gap.auc == 1.0 and alone.verdict == "not testable"
    console = Console(record=True, width=100)
    print_report(FloorsReport(name="few\x1b[31m", judged="test", n_unreadable=1, seed=0, methods=(found,)), console)
    text = console.export_text()
    assert "1.000" in text and "[1.000" not in text and "\x1b" not in text
    assert "not testable: only 6 components. The numbers are effects alone" in text
    assert "Files that cannot be read: 1" in text


def test_every_kind_is_judged_alone() -> None:
    plain, leaky = rows_of(24, 0, "near"), rows_of(24, 0, "near")
    cues = [{**row, "time.av_gap": 0.0} for row in plain.cues]
    cues += [{**row, "time.av_gap": 64.0} for row, label in zip(leaky.cues, leaky.labels, strict=True) if label]
    kinds = [*plain.kinds, *(["leaky"] * 48)]
    components = [*plain.components, *(c for c, label in zip(leaky.components, leaky.labels, strict=True) if label)]
    report = judge_methods(MethodRows(cues, [*plain.labels, *([1] * 48)], kinds, components), n_repeats=2)
    assert [(one.kind, one.verdict, one.n_real, one.n_fake) for one in report.methods] == [
        ("fake", "at chance", 48, 48), ("leaky", "tells", 48, 48),
    ]  # fmt: skip


def test_missing_values_and_missing_gaps() -> None:
    rows = timed(24, lambda label, rng: 32.0)
    silent = [{"time.n_frames": 99.0} if label else row for row, label in zip(rows.cues, rows.labels, strict=True)]
    found = judged(MethodRows(silent, rows.labels, rows.kinds, rows.components))
    assert found.floor.auc == 1.0 and found.n_without_gap == 48 and found.gap.auc is None
    assert found.verdict == "not testable" and found.reason == "the gap cannot be measured in both classes"


def _rest(rows: MethodRows) -> tuple[Sequence[int], Sequence[str]]:
    return rows.labels, rows.kinds


def test_other_people_teach_where_there_are_some() -> None:
    gap = lambda label, rng: 96.0 if label else 32.0  # noqa: E731
    train, test = timed(12, gap, 1), timed(14, gap, 2)
    train = MethodRows(train.cues, train.labels, train.kinds, [f"train-{name}" for name in train.components])
    found = judged(test, train, train_name="train")
    assert found.held_out is not None and found.learnt_from == "train"
    assert (found.held_out.auc, found.held_out.p, found.held_out.verdict, found.floor.auc) == (1.0, 0.001, "tells", 1.0)
    other = MethodRows(train.cues, train.labels, ["else"] * len(train.kinds), train.components)
    assert judged(test, other).held_out is None
    turned = timed(12, lambda label, rng: gap(1 - label, rng), 3)
    turned = MethodRows(turned.cues, *_rest(turned), train.components)
    found = judged(test, turned)
    assert (found.held_out.verdict, found.floor.verdict, found.verdict) == ("below chance", "tells", "tells")
    with pytest.raises(CmdfdError, match=r"shares 14 components with what is judged, e\.g\. c0"):
        judge_methods(test, test)
    with pytest.raises(CmdfdError, match="cannot be compared: 2 clips, 2 of them fake"):
        judge_methods(MethodRows([{}, {}], [1, 1], ["k", "k"], ["a", "b"]))
    with pytest.raises(ValueError, match="one length"):
        MethodRows([{}], [1, 0], ["k"], ["a"])


@pytest.mark.parametrize(
    ("interval", "shown", "testable", "verdict"),
    [
        ((0.40, 0.60), (0.3, 0.7), True, "at chance"),
        ((0.35, 0.65), (0.3, 0.7), True, "at chance"),
        ((0.51, 0.64), (0.51, 0.7), True, "at chance"),
        ((0.52, 0.70), (0.49, 0.8), True, "undecided"),
        ((0.55, 0.70), (0.51, 0.8), True, "tells"),
        ((0.40, 0.70), (0.3, 0.8), True, "undecided"),
        ((0.10, 0.40), (0.05, 0.49), True, "below chance"),
        ((1.0, 1.0), (1.0, 1.0), True, "tells"),
        ((1.0, 1.0), (1.0, 1.0), False, "not testable"),
        ((None, None), (None, None), True, "not testable"),
    ],
)
def test_verdicts(interval: Any, shown: Any, testable: bool, verdict: str) -> None:
    assert verdict_of(*interval, *shown, testable) == verdict


def test_the_worse_verdict_counts() -> None:
    assert worse(["at chance", "tells"]) == worse(["tells", "below chance", "at chance"]) == "tells"
    assert worse(["undecided", "at chance"]) == "undecided" and worse(["tells", "not testable"]) == "not testable"


# --- the command ------------------------------------------------------------------------------------------------------

WHOLE = (Segment(0, 0.8, Modality.VIDEO),)
SELF, LATE = (Kind(name, Labels(1, 0, 1, 0, 0), "self", WHOLE) for name in ("self", "late"))


def test_a_built_set_is_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_toy_set(
        tmp_path / "set", (SELF, LATE), people=12, n_samples=lambda kind: 13440 if kind is LATE else 12800
    )
    assert main([str(data.folder), "--json", "--repeats", "2"]) == 1
    report = FloorsReport.model_validate_json(capsys.readouterr().out)
    print_report(report)
    text = capsys.readouterr().out
    assert "at chance" in text and "tells" in text and "0 / 40 ms" in text and "cross-validated by component" in text
    late, own = report.methods
    assert (own.kind, own.verdict, own.floor.auc, own.gap.auc) == ("self", "at chance", 0.5, 0.5)
    assert (late.kind, late.verdict, late.gap.auc, late.gap_fake) == ("late", "tells", 1.0, 40.0)
    assert late.floor.auc is not None and late.floor.auc > 0.97
    assert (report.name, report.judged, report.n_unreadable) == ("toy", "test", 0)


def test_which_clips_are_judged_and_which_teach(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_toy_set(tmp_path / "set", (SELF,), splits=("train", "test"), people=2)
    chosen = load_set(data.folder, None, cross_validate=False)
    assert (chosen.split, len(chosen.judged), len(chosen.train)) == ("test", 4, 4)
    assert load_set(data.folder, None, cross_validate=True).train == ()
    assert load_set(data.folder, "train", cross_validate=False).train == ()
    data.path_of(chosen.judged[0]).write_bytes(b"broken")
    told: list[int] = []
    found = measured(data, chosen.judged, told.append)
    assert found.n_unreadable == 1 and found.rows.cues[0] == {} and told == [1, 2, 3, 4]
    assert main([str(data.folder), "--split", "tset"]) == 2
    assert "did you mean 'test'?" in capsys.readouterr().err
    assert main([str(tmp_path)]) == 2 and "no data set here" in capsys.readouterr().err


def write_list(path: Path, gap: Callable[[int, np.random.Generator], float], n_pairs: int) -> None:
    """A list of mutual swaps as in CMDFD: two reals and two fakes for each pair of neighbours."""
    rng = np.random.default_rng(0)
    lines = [",".join(COLUMNS)]
    for pair in range(n_pairs):
        names = [f"id{2 * pair + k:05d}_x" for k in (0, 1)]
        swaps = [f"W2L+{names[k]}-{names[1 - k]}" for k in (0, 1)]
        for name, label in ((names[0], 0), (names[1], 0), (swaps[0], 1), (swaps[1], 1)):
            frames = int(rng.integers(99, 962))
            samples = round((frames / 25 + gap(label, rng) / 1000) * 16000)
            lines.append(f"{name},a,v,{label}.0,0.0,{label}.0,{1 - label}.0,1.0,{frames}.0,{samples}.0,25.0,16000.0")
    path.write_text("\n".join(lines) + "\n")


def test_a_list_is_judged_without_media(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_list(tmp_path / "W2L.csv", wav2lip, 16)
    assert main([str(tmp_path / "W2L.csv"), "--json", "--repeats", "2"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["judged"] == "list" and len(found["methods"]) == 1
    method = found["methods"][0]
    assert (method["kind"], method["n_real"], method["n_fake"], method["n_components"]) == ("W2L", 32, 32, 16)
    assert 0.93 < method["gap"]["auc"] <= 1 and method["verdict"] == "tells"
    write_list(tmp_path / "null.csv", lambda label, rng: 32.0, 12)
    assert main([str(tmp_path / "null.csv"), "--repeats", "1"]) == 0
    assert main([str(tmp_path / "null.csv"), "--repeats", "0"]) == 2
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    assert main([str(tmp_path / "bad.csv")]) == 2 and "no list in CMDFD's form" in capsys.readouterr().err
