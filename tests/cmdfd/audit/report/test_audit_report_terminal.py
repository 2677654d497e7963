from __future__ import annotations

import io
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from audit_reports import BARE, clean_set, few_components, finding, hostile, long_list, nothing, planted, wide
from rich.console import Console

from cmdfd.audit.report import print_terminal, terminal
from cmdfd.audit.report.commands import command_of, next_commands
from cmdfd.audit.report.terminal import MOST_CUES

REPORTS = {
    "planted": planted(),
    "clean": clean_set(),
    "few": few_components(),
    "nothing": nothing(),
    "list": long_list(),
    "wide": wide()[0],
    "hostile": hostile()[0],
}


@pytest.mark.parametrize("name", REPORTS)
def test_eighty_columns_hold_everything_but_commands(name: str) -> None:
    text = terminal(REPORTS[name])
    lines = text.splitlines()
    long = [line for line in lines if len(line) > 80 and not line.strip().startswith("python -m")]
    assert not long, long
    assert "\x1b" not in text
    assert all(unicodedata.category(sign) not in {"Cc", "Cf", "Cs"} for sign in text.replace("\n", ""))
    assert not any(line != line.rstrip() for line in lines)


def test_the_verdict_is_the_first_line() -> None:
    assert terminal(planted()).startswith("FAILED, critical: planted\nAll 80 reals lack sound.\n")
    assert terminal(clean_set()).startswith("PASSED: clean\n")
    assert terminal(few_components()).startswith("NOT TESTABLE: few\n")
    assert terminal(nothing()).startswith("NOT TESTABLE: (a set without a name)\n")


def test_cues_stand_in_columns_with_rule_and_remedy() -> None:
    lines = terminal(planted()).splitlines()
    at = next(k for k, line in enumerate(lines) if line.startswith("  silence.lead_5e-4"))
    assert lines[at].split() == ["silence.lead_5e-4", "critical", ".985", "[.945,", "1.000]", ".0004", "60", "%"]
    assert lines[at + 1].strip() == "nuisance; above 31 ms: 98 % of fakes, 2 % of reals"
    assert lines[at + 2].strip() == "→ repair silence.lead_5e-4"
    head = next(line for line in lines if line.startswith("  cue"))
    for word, value in (("grade", "critical"), ("AUC", ".985 [")):
        assert head.index(word) == lines[at].index(value)
    assert len(head.rstrip()) >= len(lines[at]) - 1


def test_the_worst_come_first_and_debatable_ones_apart() -> None:
    text = terminal(planted())
    assert text.index("container.brands") < text.index("level.lufs") < text.index("May be a genuine trace")
    assert text.index("May be a genuine trace") < text.index("audio.cutoff")


def test_at_most_a_dozen_cues_and_how_many_more() -> None:
    text = terminal(long_list(40))
    assert sum(line.startswith("  column.c") for line in text.splitlines()) == MOST_CUES
    assert f"and {40 - MOST_CUES} more in the report" in text


def test_debatable_cues_get_the_room_that_is_left() -> None:
    many = [finding(f"column.c{k}", "high") for k in range(MOST_CUES)]
    many += [finding(f"column.d{k}", "high", cue_kind="debatable") for k in range(9)]
    text = terminal(replace(long_list(), findings=tuple(many)))
    assert sum(line.startswith("  column.") for line in text.splitlines()) == MOST_CUES + 2
    assert "and 7 more in the report" in text


def test_long_remedies_are_cut_at_a_word() -> None:
    report = replace(planted(**BARE), findings=(finding("time.fps", "high", remedy="bring them all " * 20),))
    line = next(line for line in terminal(report).splitlines() if "→" in line)
    assert line.endswith("…") and len(line) <= 80 and not line.endswith("al …")


def test_a_percentage_is_never_torn_apart() -> None:
    rule = replace(finding("x.y").rule, fakes=1.0, reals=0.0)  # type: ignore[type-var]
    for pad in range(40):
        one = finding("time.fps", "high", rule=rule, analysis="generator: " + "g" * pad)
        lines = terminal(replace(planted(**BARE), findings=(one,))).splitlines()
        assert not any(line.strip().startswith("%") for line in lines), pad


def test_the_rest_is_told_in_a_few_lines() -> None:
    text = terminal(planted(), page=Path("audits/planted/audit.html"))
    for words in (
        "1 the same for all clips",
        "2 not\n  measurable (face.count and history.gop_peak)",
        "AUC of .640 would be flagged eight times in\n  ten",
        "none flagged a cue",
        "2 clips without a label",
        "broken.mp4: decode_failed: the stream broke off",
        "Note: the column 'label' is the label; FAKE = fake",
        "Page: audits/planted/audit.html",
        "--fix planted-repaired",
    ):
        assert words in text


def colours(**options: Any) -> str:
    stream = io.StringIO()
    print_terminal(planted(), Console(file=stream, width=120, **options))
    return stream.getvalue()


def test_colours_only_in_a_terminal() -> None:
    assert "\x1b[" in colours(force_terminal=True, color_system="standard")
    assert "\x1b" not in colours()


def test_a_narrow_terminal_still_shows_whole_words() -> None:
    text = terminal(clean_set(), width=50)
    assert all(len(line) <= 50 or "python -m" in line for line in text.splitlines())


def commands(report: Any, typed: tuple[str, ...] = ()) -> list[str]:
    return [one.text for one in next_commands(report, typed)]


def test_the_next_command_suits_the_outcome() -> None:
    assert commands(planted(), ("data/x", "--seed", "1")) == [
        "python -m cmdfd.audit data/x --seed 1 --fix planted-repaired"
    ]
    assert commands(planted(), ("data/x", "--fix", "y")) == []
    quick = replace(clean_set(), depth="headers")
    assert commands(quick, ("d", "--quick")) == [
        "python -m cmdfd.audit d",
        "python -m cmdfd.audit d --quick --fail-on medium",
    ]
    assert commands(few_components()) == []
    # harmonising needs media: of a list only the media can be named
    assert commands(long_list(), ("a.csv",)) == ["python -m cmdfd.audit a.csv --media-root DIR"]
    only_debatable = replace(planted(**BARE), findings=(finding("audio.cutoff", "high"),))
    assert not any("--fix" in one for one in commands(only_debatable))


def test_commands_quote_what_a_shell_would_take_apart() -> None:
    assert command_of(planted(), ("my set; rm -rf x",)) == "python -m cmdfd.audit 'my set; rm -rf x'"
    assert command_of(planted(), ("python", "-m", "cmdfd.audit", "d")) == "python -m cmdfd.audit d"
    assert command_of(planted()) == "python -m cmdfd.audit path/to/planted --seed 3"
    assert (
        command_of(replace(planted(), depth="headers", settings={})) == "python -m cmdfd.audit path/to/planted --quick"
    )
    text = next(one for one in commands(replace(planted(), name="../../a b\x1b$(x)")) if "--fix" in one)
    assert text.endswith("--fix a-b---x--repaired") or "/" not in text.rsplit(" ", 1)[1]
