"""The gate on tables with planted cues, on nulls, on confounded and hostile tables, and on published lists."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cmdfd.audit.gate import gate
from cmdfd.audit.severity import Marker, grade, marker_of
from cmdfd.audit.views import View, column_of, views_of
from cmdfd.errors import CmdfdError

KINDS = ("audio/swap", "video/warp", "both/talk")


def table(n_components: int = 24, seed: int = 0) -> pd.DataFrame:
    """A clean paired set: three takes for each component, each real and in three fake kinds."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for component in range(n_components):
        person = rng.normal(size=2)
        for take in range(3):
            twin = person + rng.normal(size=2)
            for kind in ("real", *KINDS):
                noise = rng.normal(scale=0.5, size=2)
                rows.append(
                    {
                        "id": f"{component}-{take}-{kind}",
                        "label": int(kind != "real"),
                        "component": f"c{component}",
                        "split": "test",
                        "kind": kind,
                        "time.av_gap": 0.0,
                        "time.fps": 25.0,
                        "container.encoder": "none",
                        "container.signature": None,
                        "level.rms": -25 + twin[0] + noise[0],
                        "silence.lead_5e-4": abs(twin[1] + noise[1]) / 100,
                        "rate.file_size": 1e5 + 1e3 * person[0],
                    }
                )
    return pd.DataFrame(rows)


def test_a_clean_set_passes() -> None:
    report = gate(table())
    assert report.passed
    assert report.status == "passed"
    assert report.worst is None
    assert report.failing == ()
    assert "time.av_gap" in report.constant
    assert report.not_measured == ("container.signature",)
    assert (report.n_real, report.n_fake, report.n_components) == (72, 216, 24)
    assert {finding.analysis for finding in report.findings} == {"all", *KINDS}


@pytest.mark.parametrize("n_components", [13, 24])
def test_a_planted_gap_is_critical(n_components: int) -> None:
    rows = table(n_components)
    rows["time.av_gap"] = np.where(rows["label"] == 1, 96.0, 32.0)  # the shape of CMDFD's Wav2Lip list
    report = gate(rows)
    assert report.status == "failed"
    worst = report.worst
    assert worst is not None
    assert (worst.cue, worst.severity, worst.auc, worst.higher_in_fakes) == ("time.av_gap", "critical", 1.0, True)
    text = " ".join(report.sentences())
    assert "The gap between sound and picture separates real from fake" in text
    assert "median 96 ms in fakes and 32 ms in reals" in text
    assert "Remedy: cut sound and picture" in text
    assert {finding.cue for finding in report.failing} == {"time.av_gap"}


def test_direction_does_not_matter() -> None:
    rows = table()
    rows["silence.lead_5e-4"] += np.where(rows["label"] == 0, 1.0, 0.0)  # longer in reals, as in ASVspoof 2019
    worst = gate(rows).worst
    assert worst is not None
    assert (worst.cue, worst.auc, worst.higher_in_fakes) == ("silence.lead_5e-4", 1.0, False)


def test_a_cue_of_one_kind_is_found_in_that_kind() -> None:
    rows = table()
    here = rows["kind"] == "video/warp"
    rows.loc[here, "container.encoder"] = "Lavf58"
    report = gate(rows)
    found = {finding.analysis: finding for finding in report.failing if finding.cue == "container.encoder"}
    assert found["video/warp"].auc == 1.0
    assert "audio/swap" not in found
    assert found["all"].severity == "critical"  # a third of all fakes are certain though the AUC is only 2/3
    assert found["all"].auc == pytest.approx(0.5 + 0.5 / 3)
    assert found["all"].marker is not None
    assert found["all"].marker.share == pytest.approx(1 / 3)


def test_a_grid_without_rank_order_is_found() -> None:
    rows = table()
    rng = np.random.default_rng(1)
    rows["time.samples_mod_1024_at_44100"] = np.where(rows["label"] == 1, 512.0, rng.integers(0, 1024, len(rows)))
    worst = gate(rows).worst
    assert worst is not None
    assert worst.cue == "time.samples_mod_1024_at_44100"
    assert worst.view == "distance from the median"
    assert worst.auc > 0.95


def test_categories_that_only_separate_together_are_sized_together() -> None:
    rows = table()
    rng = np.random.default_rng(2)
    pick = np.where(rows["label"] == 1, rng.choice(["a", "b", "c"], len(rows)), rng.choice(["d", "e", "f"], len(rows)))
    rows["container.colour"] = pick
    worst = gate(rows).worst
    assert worst is not None
    assert worst.cue == "container.colour"
    assert worst.auc == 1.0


def test_missing_values_are_a_cue() -> None:
    rows = table()
    rows.loc[rows["label"] == 1, "level.rms"] = np.nan
    worst = gate(rows).worst
    assert worst is not None
    assert (worst.cue, worst.view, worst.auc, worst.n_missing) == ("level.rms", "is not measurable", 1.0, 216)


def test_rate_cues_are_debatable_and_never_fail() -> None:
    rows = table()
    rows["rate.file_size"] += 1e5 * rows["label"]
    report = gate(rows)
    assert report.passed
    assert report.worst is not None
    assert report.worst.cue == "rate.file_size"
    assert "debatable" in report.worst.sentence()


def test_unknown_columns_with_a_dot_are_audited_and_others_ignored() -> None:
    rows = table()
    rows["plugin.hum"] = rows["label"] * 1.0
    rows["generator"] = rows["kind"]
    report = gate(rows)
    assert {finding.cue for finding in report.failing} == {"plugin.hum"}


def test_identity_confounded_cues_are_not_flagged() -> None:
    # each component has its own level and its own share of fakes: a rank test on clips flags this nearly always
    flagged = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        sizes = [(int(rng.integers(1, 5)), int(rng.integers(1, 15))) for _ in range(24)]
        rows = pd.DataFrame(
            [
                {
                    "label": label,
                    "component": c,
                    "kind": "x" if label else "real",
                    "level.rms": level + rng.normal() * 0.1,
                }
                for c, (reals, fakes) in enumerate(sizes)
                for level in [rng.normal()]
                for label in [0] * reals + [1] * fakes
            ]
        )
        flagged += not gate(rows, n_draws=199, seed=seed).passed
    assert flagged == 0


def test_few_components_cannot_be_tested() -> None:
    rows = table(7)
    rows["time.av_gap"] = rows["label"] * 1.0
    report = gate(rows)
    assert report.status == "not testable"
    assert not report.passed
    assert "only 7 components" in report.sentences()[0]
    assert report.findings[0].p is None
    assert report.findings[0].severity == "none"


def test_report_is_json_without_nan_and_repeatable() -> None:
    rows = table()
    rows["time.av_gap"] = rows["label"] * 1.0
    first = json.dumps(gate(rows, seed=3).to_dict(), allow_nan=False)
    shuffled = rows.sample(frac=1.0, random_state=1)
    assert json.loads(first) == json.loads(json.dumps(gate(rows, seed=3).to_dict(), allow_nan=False))
    assert gate(shuffled, seed=3).status == "failed"


def test_unlabelled_rows_are_left_out_and_counted() -> None:
    rows = table()
    rows["label"] = rows["label"].astype("object")
    rows.loc[:9, "label"] = None
    report = gate(rows)
    assert report.n_unlabelled == 10
    assert report.n_real + report.n_fake == len(rows) - 10


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows.drop(columns="component"), "needs a column 'component'"),
        (lambda rows: rows.drop(columns="label"), "needs a column 'label'"),
        (lambda rows: rows[rows["label"] == 1], "216 of 216 labelled clips are fake"),
        (lambda rows: rows.assign(component=[None] + ["a"] * (len(rows) - 1)), "component"),
    ],
)
def test_unusable_tables_are_refused(change: Any, words: str) -> None:
    with pytest.raises(CmdfdError, match=words):
        gate(change(table()))


def test_views_of_numbers_and_categories() -> None:
    components = np.repeat(np.arange(6), 2)
    constant = column_of("a.b", [25.0] * 12, categorical=False)
    assert constant.constant
    assert views_of(constant, components) == []
    rates = column_of("a.b", [24.0, 25.0, 30.0] * 4, categorical=False)
    assert [(view.kind, view.level) for view in views_of(rates, components)] == [
        ("value", ""), ("distance", ""), ("level", "24"), ("level", "25"), ("level", "30"),
    ]  # fmt: skip
    words = column_of("a.b", ["x"] * 6 + ["y"] * 5 + [None], categorical=True)
    assert [(view.kind, view.level) for view in views_of(words, components)] == [("missing", ""), ("level", "x")]
    rare = column_of("a.b", ["x"] * 9 + ["p", "q", "r"], categorical=True)
    assert [view.level for view in views_of(rare, components)] == ["(rare)"]
    assert views_of(column_of("a.b", [None] * 12, categorical=False), components) == []
    assert not column_of("a.b", [1.0, float("inf"), None], categorical=False).present[1:].any()


def test_grades() -> None:
    for low, expected in (
        (0.5, "none"),
        (0.55, "low"),
        (0.64, "low"),
        (0.65, "medium"),
        (0.8, "high"),
        (0.95, "critical"),
    ):
        assert grade(low, 0.001, None) == expected
        assert grade(low, 0.01, None) == "none"
        assert grade(low, None, None) == "none"
    marker = Marker(1, 0.06, 20, 20, "is 'x'", 0.83, p=0.001)
    assert grade(0.51, 0.001, marker) == "critical"
    assert grade(0.51, 0.001, replace(marker, p=0.02)) == "none"
    assert grade(0.51, 0.2, marker) == "none"


def test_a_marker_counts_where_chance_does_not_run_so_long() -> None:
    # 3 of 4 clips are fake: that the 5 clips of one tag are all fake is chance, that 40 of them are is not
    for marked, certain in ((5, False), (40, True)):
        rows = table()
        rows["container.encoder"] = "none"
        chosen = rows.index[rows["label"] == 1][:: 216 // marked][:marked]
        rows.loc[chosen, "container.encoder"] = "Lavf58"
        found = next(one for one in gate(rows).findings if one.cue == "container.encoder" and one.analysis == "all")
        assert (found.marker is not None and found.marker.certain) == certain
        assert (found.severity == "critical") == certain


def test_markers_name_their_clips_and_their_bound() -> None:
    labels = np.array([False] * 20 + [True] * 60)
    components = np.concatenate([np.arange(20), np.tile(np.arange(20), 3)])
    values = np.zeros(80)
    values[20:40] = 1.0
    found = marker_of(View("a.b", "level", "x", values), labels, components)
    assert found is not None
    assert (found.label, found.n_components, found.share) == (1, 20, pytest.approx(1 / 3))
    assert found.lower_bound == pytest.approx(0.025 ** (1 / 20))
    reals = marker_of(View("a.b", "value", "", np.where(labels, 5.0, np.arange(80.0))), labels, components)
    assert reals is not None
    assert (reals.label, reals.where) == (0, "above 5")


@pytest.mark.slow
def test_nulls_pass() -> None:
    failed = sum(not gate(table(seed=seed), n_draws=199, seed=seed).passed for seed in range(200))
    assert failed <= 4  # p < .01 in each of 200 runs: a binomial above 6 would be rare, the pairing makes it rarer


def published(shared_clips: Path, *names: str) -> pd.DataFrame:
    """Timing cues of lists that other projects published; the component is the person whose sound it is."""
    folder = shared_clips.parent / "lists"
    if not folder.is_dir():
        pytest.skip("no published lists beside the real clips")
    rows = pd.concat([pd.read_csv(folder / f"{name}.csv") for name in names])
    seconds = rows["Audio_Len"] / rows["AudioSamRate"]
    person = rows["Audio_Path"].str.extract(r"(id\d{5})")[0]
    return pd.DataFrame(
        {
            "label": rows["ENtire_Label"],
            "component": person.to_numpy(),
            "time.av_gap": (seconds - rows["Frame_Len"] / 25) * 1000,
            "time.video_duration": rows["Frame_Len"] / 25,
            "time.audio_duration": seconds,
        }
    )


def test_published_lists_give_their_known_answers(shared_clips: Path) -> None:
    report = gate(published(shared_clips, "cmdfd_wav2lip"), n_draws=299)
    found = {finding.cue: finding for finding in report.findings}
    assert found["time.av_gap"].auc == pytest.approx(0.976, abs=0.002)
    assert found["time.av_gap"].fails
    assert not found["time.audio_duration"].fails
    assert not found["time.video_duration"].fails
    control = gate(published(shared_clips, "fakeavceleb_test_real", "fakeavceleb_test_faceswap"), n_draws=299)
    assert control.failing == ()
    wav2lip = gate(published(shared_clips, "fakeavceleb_test_real", "fakeavceleb_test_wav2lip"), n_draws=299)
    assert {finding.cue: finding for finding in wav2lip.failing}["time.av_gap"].auc > 0.999
