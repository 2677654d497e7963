from __future__ import annotations

from dataclasses import replace

import pytest
from audit_reports import (
    HOSTILE,
    clean_set,
    few_components,
    finding,
    long_list,
    nothing,
    planted,
)

from cmdfd.audit.check import Check
from cmdfd.audit.finding import Rule
from cmdfd.audit.records import Controls
from cmdfd.audit.report.matrix import matrix
from cmdfd.audit.report.words import compared, p_text, quantity, rule_text, told, verdict
from cmdfd.audit.severity import Marker


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.031, "s", "31 ms"),
        (2.5, "s", "2.5 s"),
        (-0.04, "s", "−40 ms"),
        (29.97, "1/s", "29.97 per second"),
        (0.005, "share", "0.5 %"),
        (57344.0, "samples", "57344 samples"),
        (1.0, "samples", "1 sample"),
        (-22.34, "LUFS", "−22.34 LUFS"),
        (3.0, "", "3"),
    ],
)
def test_quantities_are_written_as_people_write_them(value: float, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


def test_a_threshold_is_told_with_shares_of_both_classes() -> None:
    one = finding("silence.lead_5e-4", rule=Rule("above 31 ms", 0.031, True, 0.98, 0.02))
    assert (
        told(one)
        == "A threshold of 31 ms on the leading silence tells 98 % of the fakes (2 % of the reals): fakes lie above it."
    )
    low = replace(one, rule=Rule("below 31 ms", 0.031, False, 1.0, 0.0), analysis="generator: wav2lip")
    assert told(low).endswith("tells all of the fakes of wav2lip (none of the reals): fakes lie below it.")
    far = replace(one, view="distance from the median", rule=Rule("x", 0.031, True, 0.9, 0.1))
    assert (
        told(far)
        == "The leading silence lies further than 31 ms from the median in 90 % of the fakes and 10 % of the reals."
    )
    near = replace(far, rule=Rule("x", 0.031, False, 0.9, 0.1))
    assert "nearer than 31 ms" in told(near)


def test_categories_words_and_gaps_are_told_as_what_they_are() -> None:
    brand = finding("container.brands", view="is 'mp42'", rule=Rule("is 'mp42'", None, True, 1.0, 0.0))
    assert told(brand) == "The file's brand is 'mp42' in all of the fakes and none of the reals."
    path = finding("meta.path", view="contains 'a'", rule=Rule("lacks 'a'", None, False, 0.7, 0.1))
    assert told(path) == "The file's path lacks 'a' in 70 % of the fakes and 10 % of the reals."
    gap = finding("level.lufs", view="is not measurable", rule=Rule("is not measurable", None, True, 0.5, 0.0))
    assert told(gap) == "The loudness is not measurable in 50 % of the fakes and none of the reals."


def test_without_a_rule_the_mark_the_trees_or_the_order_is_told() -> None:
    weak = Rule("above 1", 1.0, True, 0.12, 0.1)
    mark = Marker(1, 0.1, 20, 20, "above 48", 0.83, 0.0004)
    one = finding("level.lufs", rule=weak, marker=mark)
    assert told(one) == "The loudness lies above 48 LUFS in 10 % of the fakes and none of the reals."
    # a mark that chance explains is no news
    assert "48" not in told(replace(one, marker=replace(mark, p=0.4)))
    trees = finding("level.lufs", rule=None, tree=replace(finding("x").rank, name="tree", auc=0.99, low=0.98))
    assert told(trees).startswith("Shallow trees on the loudness tell fakes from reals with AUC .990")
    order = finding("level.lufs", rule=None, tree=None, higher_in_fakes=False)
    assert told(order).startswith("The loudness ranks fakes below reals with AUC .870 [.830, .910]")


def test_long_names_of_strangers_are_cut_in_sentences() -> None:
    one = finding("x.y", title="t" * 5000, unit="u" * 500, analysis="generator: " + "g" * 4000)
    assert len(told(one)) < 500 and len(rule_text(one)) < 60
    assert len(compared("generator: " + "g" * 4000)) < 120


def test_failing_checks_are_told_before_cues() -> None:
    found = verdict(planted())
    assert found.word == "Failed"
    assert found.sentences[0] == "All 80 reals lack sound."
    assert "without looking at the forgery" in found.sentences[1]
    assert "the file's brand" in found.sentences[2].lower()
    assert any("debatable" in one for one in found.sentences)
    # what is only worth knowing is no verdict
    assert not any("come in blocks" in one for one in found.sentences)


def test_the_worst_cue_leads_and_the_others_are_counted() -> None:
    found = verdict(replace(planted(), checks=()))
    assert found.sentences[0].startswith("Real and fake can be told apart")
    assert "4 further cues differ, too." in found.sentences  # five flagged, without the debatable one


def test_passing_says_what_would_have_been_found() -> None:
    found = verdict(clean_set())
    assert found.word == "Passed"
    assert "smallest adjusted p = .600" in found.sentences[0] and "AUC of .660" in found.sentences[0]
    quick = verdict(replace(clean_set(), depth="headers"))
    assert any("Only headers were read" in one for one in quick.sentences)


def test_a_sure_difference_that_is_too_small_is_not_called_no_difference() -> None:
    report = clean_set()
    faint = replace(report.findings[0], p=0.001, severity="none")
    text = verdict(replace(report, findings=(faint, *report.findings[1:]))).sentences[0]
    assert "1 surely differs" in text and "adjusted p = .0010" in text and "was shown" not in text
    assert "hardly separates" in faint.sentence()


@pytest.mark.parametrize(("report", "why"), [(few_components(), "4 components are too few"), (nothing(), "no reals")])
def test_what_cannot_be_tested_is_never_called_clean(report: object, why: str) -> None:
    found = verdict(report)  # type: ignore[arg-type]
    text = " ".join(found.sentences)
    assert found.word == "Not testable" and why in text and "no sign of a clean set" in text
    assert "not testable: not testable" not in text and "Passed" not in text


def test_a_failing_check_fails_also_what_cannot_be_tested() -> None:
    check = Check("missing.sound", "critical", "All reals lack sound.", 3, (), "")
    assert verdict(replace(nothing(), checks=(check,))).word == "Failed"


def test_debatable_cues_alone_pass() -> None:
    report = replace(clean_set(), findings=(finding("audio.cutoff", "critical"),))
    found = verdict(report)
    assert found.word == "Passed" and "may be a genuine trace" in " ".join(found.sentences)


def test_p_values() -> None:
    assert [p_text(one) for one in (1.0, 0.05, 0.0099, 0.0001, 1e-9, None)] == [
        "1.000", ".050", ".0099", ".0001", "<.0001", "–",
    ]  # fmt: skip


def test_matrix_says_what_was_tested_where() -> None:
    found = matrix(planted(), "generator")
    assert found.levels == ("all", "wav2lip", "audio/voice_change", "sadtalker")
    assert found.cues[0] == "container.brands" and "level.dc" not in found.cues
    row = dict(zip(found.levels, found.cells[found.cues.index("time.fps")], strict=True))
    assert row["sadtalker"].severity == "critical" and row["sadtalker"].state == "flagged"
    assert row["wav2lip"].state == "constant" and row["wav2lip"].auc is None
    assert row["all"].severity == "medium"
    brand = dict(zip(found.levels, found.cells[0], strict=True))
    assert brand["all"].state == "constant" and brand["wav2lip"].p == 0.0004


def test_a_grade_that_was_not_shown_is_none_in_the_matrix() -> None:
    report = planted()
    loud = finding("time.fps", "high", analysis="generator: wav2lip", p=0.4)
    found = matrix(replace(report, findings=(*report.findings, loud)))
    cell = found.cells[found.cues.index("time.fps")][found.levels.index("wav2lip")]
    assert (cell.state, cell.severity, cell.auc) == ("clear", "none", loud.auc)


def test_matrix_of_other_states_and_without_levels() -> None:
    report = planted()
    quiet = finding("time.fps", "none", analysis="generator: wav2lip")
    untested = replace(quiet, analysis="generator: audio/voice_change", p=None)
    found = matrix(replace(report, findings=(*report.findings, quiet, untested)))
    row = dict(zip(found.levels, found.cells[found.cues.index("time.fps")], strict=True))
    assert row["wav2lip"].state == "clear" and row["wav2lip"].severity == "none"
    assert row["audio/voice_change"].state == "not testable"
    empty = matrix(long_list())
    assert empty.levels == () and empty.cells == () and empty.cues == ()
    assert matrix(nothing()).cells == ()


def test_hostile_levels_stay_one_line() -> None:
    assert "\x1b" not in compared(f"generator: {HOSTILE}") and "\u202e" not in compared(f"generator: {HOSTILE}")


def test_nothing_found_is_no_pass_where_strong_cues_go_unseen() -> None:
    report = replace(clean_set(), controls=Controls(20, 0, None, 20, ((0.6, 0.0), (0.97, 0.05))))
    assert report.status == "not testable"
    assert (
        "AUC of .97 were flagged in 5 % of the trials. That is no sign of a clean set." in verdict(report).sentences[-1]
    )
    assert replace(report, controls=None).status == "passed"
