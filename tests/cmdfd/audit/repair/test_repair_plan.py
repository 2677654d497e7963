"""Plans: which steps, how wide, what is said; windows of any set; recipes as files; lists and subsets."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from repair_sets import finding, report

from cmdfd.audit.check import Check
from cmdfd.audit.repair import Repair, RepairError, apply, export_subsets, plan_repair
from cmdfd.audit.repair.measured import Extent, joined
from cmdfd.audit.repair.recipe import Crop, Deduplicate, Harmonise, Match, Rename, Resplit
from cmdfd.audit.repair.windows import plan_crop, windows
from cmdfd.audit.targets.target import Target


def table(n: int = 30, seconds: float = 4.0) -> pd.DataFrame:
    """A measured table of n pairs without any media behind it."""
    rng = np.random.default_rng(0)
    rows = []
    for person in range(n):
        length = round(seconds + rng.uniform(0, 2), 2)
        for label in (0, 1):
            rows.append(
                {
                    "id": f"{person}-{label}",
                    "label": label,
                    "component": f"c{person}",
                    "generator": "g" if label else "",
                    "split": "train" if person % 3 else "test",
                    "file": f"{person}-{label}.mp4",
                    "path": f"/nowhere/{person}-{label}.mp4",
                    "time.video_duration": length,
                    "time.audio_duration": length,
                    "time.start_difference": 0.0,
                    "time.fps": 25.0,
                    "container.sample_rate": 16000.0,
                    "geometry.width": 320.0,
                    "geometry.height": 240.0,
                    "silence.lead_5e-4": 0.05 + 0.3 * label if person else 0.11 + 0.3 * label,
                    "silence.avh_lead": 0.2 * label,
                    "silence.trail_5e-4": 0.07,
                    "audio.cutoff": 7600.0 if not label else 4200.0,
                    "demog.age": 30.0 + 5 * label,
                    "face.width": 0.3 + 0.1 * label,
                }
            )
    return pd.DataFrame(rows)


def target_of(rows: pd.DataFrame, kind: Any = "video folder") -> Target:
    return Target("planned", kind, rows[[name for name in rows.columns if "." not in name]])


def plan(*cues: Any, rows: pd.DataFrame | None = None, checks: Any = (), **options: Any) -> Repair:
    rows = table() if rows is None else rows
    return plan_repair(report(cues, checks=checks), target_of(rows), table=rows, **options)


def test_nothing_flagged_nothing_done() -> None:
    assert plan().steps == []
    assert plan(finding("time.fps", p=0.2, severity="none")).steps == []


@pytest.mark.parametrize(
    ("cues", "checks", "steps"),
    [
        ((finding("container.encoder", unit="category"),), (), ("harmonise",)),
        ((finding("silence.lead_5e-4", fix="harmonise"),), (), ("crop", "harmonise")),
        ((finding("time.n_samples", fix="harmonise"),), (), ("crop", "harmonise")),
        ((finding("time.fps"),), (), ("harmonise",)),
        ((finding("meta.path", unit="tokens", fix="rename"),), (), ("rename",)),
        ((finding("column.height", fix="none"),), (), ()),
        ((finding("rate.file_size", kind="debatable"),), (), ()),
        ((finding("audio.cutoff", kind="debatable"),), (), ("harmonise",)),
        ((), (Check("split.duplicate", "high", "", 3, (), "", "deduplicate"),), ("deduplicate",)),
        ((), (Check("split.identity", "none", "", 0, (), "", "resplit"),), ()),
        (
            (finding("demog.age", fix="match"), finding("silence.trail_5e-4", fix="crop")),
            (Check("split.identity", "high", "", 3, (), "", "resplit"),),
            ("resplit", "crop", "harmonise", "match"),
        ),
    ],
)
def test_findings_and_checks_ask_for_the_shortest_list(
    cues: Any, checks: Any, steps: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch)
    assert plan(*cues, checks=checks).names == steps


def test_the_cut_is_as_wide_as_the_longest_silence_of_either_class() -> None:
    rows = table()
    repair = plan(finding("silence.lead_5e-4"), finding("silence.avh_lead"), rows=rows)
    crop = repair.get(Crop)
    assert crop is not None
    assert crop.lead == pytest.approx(0.41 + 0.064)  # the longest of all, plus a frame of AAC
    assert crop.trail == 0.04  # trailing silence is not flagged
    swapped = rows.assign(**{"silence.lead_5e-4": rows["silence.lead_5e-4"].to_numpy()[::-1], "silence.avh_lead": 0.0})
    other = plan(finding("silence.lead_5e-4"), rows=swapped.assign(label=1 - rows["label"])).get(Crop)
    assert other is not None and other.lead == pytest.approx(0.41 + 0.064)  # whichever class it is
    shortest = rows["time.video_duration"].min()
    assert crop.seconds <= shortest - crop.lead - crop.trail - crop.spread
    assert crop.seconds >= shortest / 2
    assert any("0.410 s in fakes" in note and "0.110 s in reals" in note for note in repair.notes)
    assert "foreseen: no clip of 60 is lost" in repair.notes


def test_silent_and_short_clips_do_not_empty_the_set() -> None:
    rows = table()
    rows.loc[3, ["silence.lead_5e-4", "time.video_duration"]] = [4.9, 5.0]  # silent throughout
    rows.loc[3, "time.audio_duration"] = 5.0
    crop = plan(finding("silence.lead_5e-4"), rows=rows).get(Crop)
    assert crop is not None and crop.lead < 0.5
    rows.loc[5, ["time.video_duration", "time.audio_duration"]] = 0.4  # one clip of 60 is a scrap
    repair = plan(finding("silence.lead_5e-4"), rows=rows)
    crop = repair.get(Crop)
    assert crop is not None and crop.seconds >= 1.0
    assert "foreseen: crop: 1 clip dropped (0 of 30 reals, 1 of 30 fakes)" in repair.notes
    rows = table()
    rows["silence.lead_5e-4"] = np.where(rows["label"] == 1, 3.4, 0.0)  # more than half of every clip
    repair = plan(finding("silence.lead_5e-4"), rows=rows)
    crop = repair.get(Crop)
    assert crop is not None and crop.seconds >= 1.9
    assert any("100 % of the fakes keep some of it at the start" in note for note in repair.notes)


def test_the_form_is_the_lowest_common_of_both_classes() -> None:
    rows = table()
    fakes = rows["label"] == 1
    rows.loc[~fakes, ["geometry.width", "geometry.height", "container.sample_rate", "time.fps"]] = [
        1280,
        720,
        44100,
        29.97,
    ]
    rows.loc[fakes, ["geometry.width", "geometry.height"]] = 256.0
    step = plan(finding("geometry.width"), finding("audio.cutoff", kind="debatable"), rows=rows).get(Harmonise)
    assert step is not None
    assert (step.width, step.height, step.sample_rate, step.fps) == (224, 224, 16000, 25.0)
    assert step.lowpass_hz == pytest.approx(0.8 * 4200)
    turned = rows.assign(**{"geometry.turn": np.where(fakes, "90", "0")})
    turned.loc[fakes, ["geometry.width", "geometry.height"]] = [720.0, 1280.0]
    step = plan(finding("geometry.turn"), rows=turned).get(Harmonise)
    assert step is not None
    assert (step.width, step.height) == (1280, 720)  # shown alike, so nothing is scaled
    assert step.lowpass_hz == pytest.approx(0.9 * 8000)  # sample rates differ


def test_a_class_without_sound_is_told_first_and_loses_no_clip() -> None:
    rows = table()
    rows.loc[rows["label"] == 0, ["time.audio_duration", "silence.lead_5e-4"]] = np.nan
    repair = plan(finding("silence.lead_5e-4"), rows=rows)
    step = repair.get(Harmonise)
    assert step is not None and step.sound == "remove"
    assert any("100% of the reals" in note and "have no sound" in note for note in repair.notes)
    assert "foreseen: no clip of 60 is lost" in repair.notes


def test_remedies_by_hand() -> None:
    repair = plan(finding("container.encoder"), remedies=("crop", "rename"))
    assert repair.names == ("crop", "harmonise", "rename")
    assert plan(finding("container.encoder"), remedies=()).notes == ["not done, though findings ask for it: harmonise"]
    with pytest.raises(RepairError, match="unknown remedy 'trim'"):
        plan(remedies=("trim",))


def test_a_subset_is_not_chosen_by_what_coding_anew_will_change(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch)
    face = finding("face.width", fix="match")
    assert plan(face).names == ("match",)
    repair = plan(face, finding("container.encoder"))
    assert repair.names == ("harmonise",)
    assert any(note.startswith("match: face.width may follow from the coding") for note in repair.notes)
    step = plan(face, finding("demog.age", fix="match"), finding("container.encoder")).get(Match)
    assert step is not None and step.cues == ["demog.age"]
    step = plan(finding("audio.cutoff"), finding("demog.age"), remedies=("match",)).get(Match)
    assert step is not None and step.cues == ["audio.cutoff", "demog.age"]  # by hand: all that is flagged
    assert "match: no flagged cue can be matched, so this step is left out" in plan(remedies=("match",)).notes


def test_noise_is_laid_only_under_silence_inside() -> None:
    rows = table()
    fakes = rows["label"] == 1
    flags = (finding("silence.zero_lead"), finding("silence.zero_share"))
    rows["silence.zero_lead"], rows["silence.zero_trail"] = 0.2 * fakes, 0.0
    rows["silence.zero_share"] = 0.2 * fakes / rows["time.audio_duration"]
    step = plan(*flags, rows=rows).get(Harmonise)
    assert step is not None and step.noise_dbfs is None  # all of it goes by the cut
    rows["silence.zero_share"] += 0.1 * fakes
    step = plan(*flags, rows=rows).get(Harmonise)
    assert step is not None and step.noise_dbfs == -75.0
    step = plan(finding("silence.zero_runs"), rows=rows).get(Harmonise)
    assert step is not None and step.noise_dbfs == -75.0


def test_resplit_keeps_the_shares() -> None:
    step = plan(checks=(Check("split.identity", "high", "", 3, (), "", "resplit"),)).get(Resplit)
    assert step is not None
    assert step.fractions == {"train": pytest.approx(2 / 3, abs=1e-5), "test": pytest.approx(1 / 3, abs=1e-5)}


def test_no_lengths_no_crop() -> None:
    rows = table().drop(columns=["time.video_duration", "time.audio_duration"])
    rows["path"] = ""
    with pytest.raises(RepairError, match="no clip has a measured length"):
        plan(finding("silence.lead_5e-4"), rows=rows)


lengths = st.floats(1.0, 30.0)


@given(
    clips=st.lists(st.tuples(lengths, st.floats(-0.2, 0.2), st.floats(-0.3, 0.3)), min_size=2, max_size=12),
    seed=st.integers(0, 9),
)
def test_windows_lie_inside_and_do_not_know_the_class(clips: list[tuple[float, float, float]], seed: int) -> None:
    rows = pd.DataFrame(
        [
            {
                "id": str(k),
                "component": f"c{k // 2}",
                "label": k % 2,
                "time.video_duration": length,
                "time.audio_duration": max(length + more, 0.5),
                "time.start_difference": late * 1000,
            }
            for k, (length, late, more) in enumerate(clips)
        ]
    )
    step = plan_crop(rows, (), 25.0, seed, sound=True).step
    where = windows(rows, step, sound=True)
    extent = Extent(rows)
    inside = where.fits
    assert (where.start[inside] >= extent.begin[inside] + step.lead - 1e-6).all()
    assert (where.start[inside] + step.seconds <= extent.end[inside] + 2e-3).all()
    assert step.seconds * 25 == pytest.approx(round(step.seconds * 25))
    other = windows(rows.assign(label=1 - rows["label"]), step, sound=True)
    assert np.array_equal(other.start, where.start) and np.array_equal(other.fits, where.fits)
    offsets = where.start - extent.begin
    for k in range(0, len(clips) - 1, 2):
        assert offsets[k] == pytest.approx(offsets[k + 1], abs=2e-6)  # a pair shares its draw


def test_offsets_are_uniform_and_independent_of_the_class() -> None:
    rows = table(400).assign(component="")
    step = Crop(lead=0.1, trail=0.04, spread=0.5, seconds=2.0)
    start = windows(rows, step, sound=True).start
    from scipy.stats import ks_2samp, kstest

    assert kstest((start - 0.1) / 0.5, "uniform").pvalue > 0.01
    assert ks_2samp(start[rows["label"] == 0], start[rows["label"] == 1]).pvalue > 0.01


def test_a_late_sound_moves_both_twins_alike() -> None:
    rows = table(4)
    rows.loc[1, "time.start_difference"] = 64.0  # priming without an edit list, in one fake
    where = windows(rows, Crop(lead=0.1, trail=0, spread=0.2, seconds=1), sound=True).start
    assert where[0] == where[1] >= 0.164
    rows.loc[1, "time.video_duration"] += 0.5  # another clock: nothing says which moments correspond
    where = windows(rows, Crop(lead=0.1, trail=0, spread=0.2, seconds=1), sound=True).start
    assert where[1] - where[0] == pytest.approx(0.064)


# --- lists and subsets -----------------------------------------------------------------------------------------------


def stand_in(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """In place of the subset search: drops the rows of component c0; keeps what it was called with."""
    calls: list[dict[str, Any]] = []

    def shortcut_free_subset(
        rows: pd.DataFrame, cues: Any, categorical: Any, labels: Any, components: Any, *, seed: int
    ) -> Any:
        calls.append({"cues": list(cues), "categorical": list(categorical), "labels": labels, "seed": seed})
        assert len(rows) == len(labels) == len(components)
        return SimpleNamespace(mask=np.asarray(components) != "c0", note="without c0")

    from cmdfd.audit.deeper import subsets

    monkeypatch.setattr(subsets, "shortcut_free_subset", shortcut_free_subset)
    return calls


def test_a_list_is_repaired_as_far_as_a_list_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = stand_in(monkeypatch)
    rows = table().drop(columns="path")
    rows = pd.concat([rows, rows.iloc[[7, 9]].assign(id=["again", "other"], label=[1, 0])], ignore_index=True)
    target = Target("list", "list", rows)
    repair = Repair(
        steps=[
            Deduplicate(),
            Resplit(fractions={"train": 0.5, "test": 0.5}),
            Crop(lead=0.1, trail=0, spread=0.1, seconds=1),
            Harmonise(),
            Match(cues=["audio.cutoff", "column.gone"], seed=5),
            Rename(key="k"),
        ]
    )
    applied = apply(repair, target, None, tmp_path / "out")
    assert applied.needs_media == ("crop", "harmonise", "rename")
    assert "not done: crop, harmonise and rename needs the media, which a list does not have" in applied.sentences
    assert calls[0]["cues"] == ["audio.cutoff"] and calls[0]["seed"] == 5
    assert applied.target is not None and applied.target.kind == "list"
    assert len(applied.target.clips) == applied.n_kept
    csv, parquet = pd.read_csv(tmp_path / "out" / "clips.csv"), pd.read_parquet(tmp_path / "out" / "clips.parquet")
    assert list(csv["id"]) == list(parquet["id"])
    gone = {"again", "4-1", "other", "0-0", "0-1"}  # a copy, a contradiction (twice), the stand-in's component
    assert set(csv["id"]) == set(rows["id"]) - gone
    assert (csv.groupby("component")["split"].nunique() == 1).all()
    assert csv["audio.cutoff"].tolist() == rows[~rows["id"].isin(gone)]["audio.cutoff"].tolist()
    fates = pd.read_parquet(tmp_path / "out" / "repair.parquet").set_index("id")
    assert fates.loc["again", "reason"] == "a copy of '3-1'"
    assert fates.loc["other", "reason"] == "copies of it have the other label"
    assert fates.loc["0-1", "step"] == "match"
    assert Repair.read(tmp_path / "out" / "repair.yaml") == repair


def test_plans_for_lists_say_what_needs_the_media() -> None:
    rows = table().drop(columns="path")
    repair = plan_repair(report([finding("time.av_gap")]), Target("list", "list", rows), table=rows)
    assert repair.names == ("crop", "harmonise")
    assert "crop and harmonise: needs the media, which a list does not have" in repair.notes


def test_subsets_are_written_as_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch)
    rows = table()
    rng = np.random.default_rng(0)
    solved = rng.random(len(rows)) < 0.7  # the cue solves these and says nothing of the others
    rows["level.rms"] = np.where(solved, rows["label"], rng.random(len(rows)) * 0.2 + 0.4) * 1.0
    found = export_subsets(report([finding("level.rms")]), rows, target_of(rows), tmp_path)
    free = pd.read_csv(tmp_path / "shortcut_free.csv")
    assert set(free["component"]) == set(rows["component"]) - {"c0"}
    assert list(free.columns) == ["id", "file", "label", "generator", "component", "split"]
    hard = set(pd.read_parquet(tmp_path / "hard.parquet")["id"])
    truth = set(rows["id"][~solved])
    assert len(hard & truth) > 0.4 * len(truth) and len(hard - truth) <= 0.1 * len(hard) + 1
    assert len(found.files) == 4 and "shortcut_free: without c0" in found.sentences
    with pytest.raises(RepairError, match="free of"):
        export_subsets(report(), rows, target_of(rows), tmp_path)


def test_the_subset_search_itself_matches_a_cue_or_says_why_not() -> None:
    rng = np.random.default_rng(1)
    rows = table(120)
    rows["demog.age"] = rng.normal(40, 8, len(rows)) + 6 * rows["label"]
    repair = plan(finding("demog.age", fix="match"), rows=rows)
    assert repair.names == ("match",)
    from cmdfd.audit.repair.fates import fates

    kept = rows[[fate.kept for fate in fates(repair, rows)]]
    means = kept.groupby("label")["demog.age"].mean()
    assert 60 <= len(kept) < len(rows) and abs(means[1] - means[0]) < 4  # of 6
    rows["demog.age"] = 30.0 + 20 * rows["label"]  # wholly parted
    repair = plan(finding("demog.age", fix="match"), rows=rows)
    assert repair.steps == [] and any(
        "left out: match: real and fake clips are not alike" in one for one in repair.notes
    )


def test_tables_are_joined_by_id_or_refused() -> None:
    rows = table(3)
    target = target_of(rows)
    part = rows.iloc[[4, 1]]
    frame = joined(target, part)
    assert frame["time.fps"].notna().tolist() == [False, True, False, False, True, False]
    with pytest.raises(RepairError, match="ids do not say which is which"):
        joined(target, pd.concat([rows, rows]))
