"""Platforms and scenes of a table, the clock of trimmed clips, and what a detector is judged by."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.evaluate import evaluate_tasks
from benchmarks.localize import localizers
from benchmarks.predictions import RowKey, completed, to_row
from benchmarks.proposing import RULE, propose
from benchmarks.versions import version_gap, version_results
from cmdfd.clip import REAL, Clip, Modality, Rights, Segment
from cmdfd.errors import CmdfdError

CLIP = Clip(
    id="a", split="test", file="test/videos/a.mp4", sha256="0", labels=replace(REAL, label=1, audio_label=1), kind="k",
    variant="", generator="g", face_id="f", voice_id="v", source_ids=("s",), component="c",
    segments=(Segment(0.1, 0.3, Modality.AUDIO), Segment(1.0, 2.0, Modality.BOTH)), mask=None, tracks=None, fps=29.97,
    n_frames=90, width=960, height=540, sample_rate=48000, n_samples=144144, rights=Rights("CC0-1.0", "given"),
    scene="news", platform="whatsapp", original="b",
)  # fmt: skip
KEY = RowKey("d", "s", "test", "untrimmed")


def test_truth_moves_to_the_clock_of_a_trimmed_clip() -> None:
    whole = to_row(KEY, CLIP, {})
    assert (whole["platform"], whole["scene"], whole["original"]) == ("whatsapp", "news", "b")
    assert whole["duration"] == pytest.approx(90 / 29.97) and whole["true_segments"][0]["start"] == 0.1
    cut = to_row(KEY, CLIP, {}, skip=6)
    away = 6 / 29.97
    assert cut["duration"] == pytest.approx(84 / 29.97)
    first, second = cut["true_segments"]
    assert (first["start"], first["end"]) == (0.0, pytest.approx(0.3 - away))
    assert (second["start"], second["end"]) == (pytest.approx(1 - away), pytest.approx(2 - away))
    assert [one["modality"] for one in to_row(KEY, CLIP, {}, skip=20)["true_segments"]] == ["audiovisual"]


def table(seed: int = 0, loss: float = 0.8, components: int = 20) -> pd.DataFrame:
    """Originals and two platforms; "hard" loses signal, "soft" nothing."""
    rng = np.random.default_rng(seed)
    rows = []
    for component in range(components):
        for number, label in enumerate((0, 0, 1, 1)):
            signal, name = rng.normal() + 1.5 * label, f"{component}-{number}"
            for platform, share in (("", 1.0), ("hard", 1 - loss), ("soft", 1.0)):
                rows.append(
                    {
                        **{"detector": "d", "dataset": "s", "split": "test", "condition": "untrimmed"},
                        **{"id": name + platform, "label": label, "kind": "k" if label else "real", "variant": ""},
                        **{"component": f"c{component}", "platform": platform, "original": name if platform else ""},
                        "score": share * signal + (1 - share) * rng.normal(),
                        "error": None,
                        "scene": "",
                    }
                )
    return completed(pd.DataFrame(rows).sample(frac=1, random_state=seed))


def test_versions_are_judged_against_reals_of_their_own() -> None:
    data = table()
    rows = version_results(data, "platform", None, 0)
    assert [row.name for row in rows] == ["", "hard", "soft"]
    aucs = {}
    for row in rows:
        part = data[data["platform"] == row.name]
        aucs[row.name] = roc_auc_score(part["label"], part["score"])
        assert row.metrics["auc"].value == pytest.approx(aucs[row.name], abs=1e-12)
        assert (row.n_real, row.n_fake, row.n_components) == (40, 40, 20)
    assert rows[1].gap is not None and rows[1].gap.value == pytest.approx(aucs["hard"] - aucs[""], abs=1e-12)
    assert rows[1].gap.high is not None and rows[1].gap.high < 0
    assert rows[2].gap is not None and (rows[2].gap.value, rows[2].gap.low, rows[2].gap.high) == (0, 0, 0)
    assert version_results(data, "scene", None, 0) == []
    assert evaluate_tasks(data, {}, {})[0].platforms == rows_without(rows, evaluate_tasks(data, {}, {})[0].platforms)


def rows_without(rows: list[Any], judged: list[Any]) -> list[Any]:
    """The same rows with the localization of the judged ones."""
    return [
        row.model_copy(update={"localization": other.localization}) for row, other in zip(rows, judged, strict=True)
    ]


def test_the_gap_is_that_of_a_plain_paired_bootstrap() -> None:
    data = table(3)
    gap = version_gap(data[data["platform"] == "hard"], data[data["platform"] == ""], seed=0)
    before = data[data["platform"] == ""].set_index("id")
    after = data[data["platform"] == "hard"].set_index("original")
    names = sorted(set(after["component"]))
    rng, found = np.random.default_rng(1), []
    for _ in range(150):
        drawn = rng.choice(names, len(names))
        ids = [i for name in drawn for i in after.index[after["component"] == name]]
        labels = after.loc[ids, "label"]
        found.append(roc_auc_score(labels, after.loc[ids, "score"]) - roc_auc_score(labels, before.loc[ids, "score"]))
    low, high = np.quantile(found, [0.02, 0.98])
    assert gap.low == pytest.approx(low, abs=0.05) and gap.high == pytest.approx(high, abs=0.05)


def test_failures_and_lost_originals_in_a_gap() -> None:
    data = table()
    hard, plain = data[data["platform"] == "hard"].copy(), data[data["platform"] == ""]
    hard.loc[hard.index[hard["label"] == 1][0], "score"] = np.nan
    worse = version_gap(hard, plain, 0)
    assert worse.value is not None and worse.value < (
        version_gap(data[data["platform"] == "hard"], plain, 0).value or 0
    )
    some = version_gap(hard, plain.iloc[5:], 0)
    assert some.value is not None and some.unreliable == "5 of 80 clips have no original here"
    nothing = version_gap(hard, plain[plain["label"] == 1], 0)
    assert nothing.value is None and "no originals of both classes" in str(nothing.unreliable)


def rows(segments: list[Any], scores: list[float] | None = None) -> list[dict[str, Any]]:
    """Two clips of one detector; the second one has `segments`."""
    common: dict[str, Any] = {
        **{"detector": "d", "dataset": "s", "split": "test", "condition": "untrimmed", "label": 1, "kind": "k"},
        **{"variant": "", "component": "c", "score": 1.0, "error": None, "duration": 2.0, "sha256": ""},
        **{"true_segments": [{"start": 0.0, "end": 1.0, "modality": "video"}], "scene": "", "platform": ""},
        **{"times": [0.5, 1.5] if scores else None, "frame_scores": scores, "original": ""},
    }
    return [{**common, "id": "a", "segments": []}, {**common, "id": "b", "segments": segments}]


def test_a_detector_that_names_stretches_is_taken_at_its_word() -> None:
    own = {"start": 0.0, "end": 1.0, "modality": "video", "confidence": 0.5}
    named = propose(rows([own], [0.9, 0.1]))
    assert [(row["proposals"], row["proposal_rule"]) for row in named] == [([], ""), ([], "")]
    made = propose(rows([], [0.9, 0.1]))
    assert all(row["proposal_rule"] == RULE and row["proposals"] and row["segments"] == [] for row in made)
    assert made[0]["proposals"][0]["start"] == 0.0
    assert [row["proposal_rule"] for row in propose(rows([], None))] == ["", ""]
    with pytest.raises(CmdfdError, match=r"detector 'd', clip 'a': time 1 is 9\.0 s, outside"):
        propose([{**row, "times": [0.5, 9.0]} for row in rows([], [0.9, 0.1])])


def test_reasons_stand_where_nothing_can_be_judged() -> None:
    frame = completed(pd.DataFrame(propose(rows([], None))))
    found = localizers(frame, None, 0)["d"].judge(frame)
    assert found.absent == {
        "frame_auc": "the detector gives no scores over time",
        "temporal": "the detector names no stretches and gives no scores over time",
        "pixel": "the detector gives no maps",
    }
    assert (found.n_forged, found.n_partial) == (2, 2)
    whole = frame.assign(true_segments=[[{"start": 0.0, "end": 1.98, "modality": "video"}]] * 2)
    assert localizers(whole, None, 0)["d"].judge(whole).n_partial == 0
    real = frame.assign(true_segments=[[], []])
    assert localizers(real, None, 0)["d"].judge(real).absent["temporal"] == "no clip has a forged stretch"
