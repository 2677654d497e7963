"""What two audits say side by side: cleared, still there, moved; also for a repair that somebody did elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from repair_sets import (
    SR,
    Draft,
    audit,
    draft,
    fake_of,
    finding,
    lead_silence,
    measured,
    report,
    row_of,
    write_draft,
    write_pairs,
)

from cmdfd.audit.check import Check
from cmdfd.audit.repair import RepairError, compare
from cmdfd.audit.repair.stories import story_of
from cmdfd.audit.targets.target import Target


def test_trimming_only_the_fakes_is_told_as_moved_to_the_duration(tmp_path: Path) -> None:
    """The repair that people do: cut the silence off, where it is."""
    import pandas as pd

    silent = lead_silence(0.12)
    before = audit(measured(write_pairs(tmp_path / "before", silent, n=16)))
    folder = tmp_path / "after"
    rows = []
    for person in range(16):
        real = draft(person)
        fake = silent(fake_of(real, 1000 + person))
        cut = replace(fake, frames=fake.frames[3:], audio=fake.audio[round(0.12 * SR) :])
        for kind, one in (("real", real), ("fake", cut)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            path = folder / kind / f"p{person:02d}.mp4"
            write_draft(path, one)
            rows.append(row_of(path, folder, kind, f"p{person:02d}"))
    after = audit(measured(Target("trimmed", "folder pair", pd.DataFrame(rows), folder)))
    moves = compare(before, json.loads(json.dumps(after.to_dict(), allow_nan=False)))
    text = " ".join(moves.sentences())
    assert "leading silence" in text.split(" gone; ")[0].lower()
    assert "moved to the duration (time." in text and "AUC 1.000 [1.000, 1.000]" in text
    assert {"time.audio_duration", "time.n_frames", "time.video_duration"} <= set(moves.moved)
    assert {"silence.onset_30ms", "silence.avh_lead"} <= set(moves.cleared)
    assert not moves.clean


def test_variants_of_one_cue_are_one_story() -> None:
    before = report(
        [finding("silence.lead_5e-4"), finding("silence.avh_lead", 0.99), finding("silence.onset_30ms", 0.97)]
    )
    cleared = report([finding("silence.lead_5e-4", 0.52, p=0.8, severity="none")], constant=["silence.avh_lead"])
    assert compare(before, cleared).sentences() == [
        "Whether the leading silence is gone was not tested (silence.lead_5e-4, AUC 1.000 [0.990, 1.000], and 2 more "
        "before)."
    ]  # the onset was not looked at
    cleared = report(cleared.findings, constant=["silence.avh_lead", "silence.onset_30ms"])
    moves = compare(before, cleared)
    assert moves.clean and len(moves.cleared) == 3
    assert moves.sentences() == [
        "The leading silence is gone (silence.lead_5e-4, AUC 1.000 [0.990, 1.000], and 2 more before)."
    ]
    moves = compare(before, report([finding("silence.lead_40db_speech", 0.9)], constant=before.flagged_cues))
    assert moves.remaining == ("silence.lead_40db_speech",) and not moves.moved
    assert moves.sentences() == [
        "The leading silence still tells the classes apart (silence.lead_40db_speech, AUC 0.900 [0.990, 1.000])."
    ]


@pytest.mark.parametrize("state", ["constant", "not_measured", "unflagged", "absent"])
def test_moved_whatever_it_was_before(state: str) -> None:
    old = finding("time.audio_duration", 0.51, p=0.9, severity="none")
    before = report(
        [finding("silence.lead_5e-4"), *([old] if state == "unflagged" else [])],
        constant=["time.audio_duration"] if state == "constant" else [],
        not_measured=["time.audio_duration"] if state == "not_measured" else [],
    )
    moves = compare(before, report([finding("time.audio_duration")], constant=["silence.lead_5e-4"]))
    assert moves.moved == ("time.audio_duration",)
    assert moves.sentences() == [
        "The leading silence is gone; it moved to the duration (time.audio_duration, AUC 1.000 [0.990, 1.000])."
    ]


def test_what_could_not_be_tested_is_not_called_clean() -> None:
    before = report([finding("level.rms"), finding("time.fps")])
    untested = report([finding("level.rms", 0.5, p=None, severity="none")], constant=["time.fps"], testable=False)
    moves = compare(before, untested)
    assert moves.cleared == ("time.fps",) and not moves.clean
    assert [one.cue for one in moves.of("unknown")] == ["level.rms"]
    assert "could not test any cue" in moves.sentences()[-1]
    quick = report([], not_measured=["level.rms"], constant=["time.fps"], depth="headers")
    assert [one.cue for one in compare(before, quick).of("unknown")] == ["level.rms"]
    full = report([], not_measured=["level.rms"], constant=["time.fps"])
    assert compare(before, full).clean  # every clip lost its sound: there is nothing left to tell


def test_debatable_cues_and_checks() -> None:
    before = report(
        [finding("container.encoder")], checks=[Check("split.duplicate", "high", "", 2, (), "", "deduplicate")]
    )
    after = report(
        [finding("rate.file_size", kind="debatable")],
        constant=["container.encoder"],
        checks=[Check("missing.sound", "high", "", 2, (), "", "none")],
    )
    moves = compare(before, after)
    assert moves.sentences() == [
        "The container is gone (container.encoder, AUC 1.000 [0.990, 1.000] before).",
        "The bit rate was not flagged before and is now (rate.file_size, AUC 1.000 [0.990, 1.000]), debatable, since "
        "it may follow from the content.",
        "The defect 'split.duplicate' is gone.",
        "The defect 'missing.sound' was not there before.",
    ]
    assert not moves.clean
    assert compare(before, replace(after, checks=())).clean
    assert compare(report(), report()).sentences() == ["Neither audit flags anything."]


def test_what_is_no_audit_is_refused() -> None:
    with pytest.raises(RepairError, match="before the repair has no 'findings'"):
        compare({}, report())
    broken = report([finding("a.b")]).to_dict()
    del broken["findings"][0]["shown"]
    with pytest.raises(RepairError, match="after the repair cannot be read"):
        compare(report(), broken)


def test_every_cue_of_the_catalogue_has_a_story() -> None:
    from cmdfd.audit.measure import CATALOGUE

    assert not [cue for cue in CATALOGUE if story_of(cue).startswith("the cue ")]
    assert story_of("silence.avh_trim") == story_of("silence.zero_lead") == "the leading silence"
    assert story_of("time.samples_mod_1024_at_16000") != story_of("time.n_samples") == story_of("time.video_span")
    assert isinstance(draft(0), Draft)
