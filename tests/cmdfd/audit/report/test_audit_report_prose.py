from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from audit_reports import HOSTILE, clean_set, few_components, hostile, long_list, nothing, planted, wide
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cmdfd.audit.report import biases, card_section
from cmdfd.audit.report.prose import markdown

REPORTS = [planted(), clean_set(), few_components(), nothing(), long_list(), wide()[0], hostile()[0]]
IDS = ["planted", "clean", "few", "nothing", "list", "wide", "hostile"]


def parsed(text: str) -> list[Any]:
    """Tokens by an independent reader with tables and bare links (of GitHub's kind)."""
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return [inner for token in reader.parse(text) for inner in (token, *(token.children or []))]


def test_biases_tell_numbers_with_intervals_and_sizes() -> None:
    text = biases(planted())
    assert "7 cues that vary over 80 reals and 60 fakes in 20 components" in text
    assert "All 80 reals lack sound." in text
    assert "AUC .985 [.945, 1.000], adjusted p = .0004, n = 140, critical" in text
    assert "together reach AUC .994 [.988, .999]" in text
    assert "may be a genuine trace: the bandwidth" in text


def test_one_cue_is_not_all_of_them() -> None:
    report = planted()
    floor = report.floor
    assert floor is not None and len(floor.cues) > 1
    assert f"All {len(floor.cues)} leak and nuisance cues together reach AUC .994" in biases(report)
    text = biases(replace(report, floor=replace(floor, cues=floor.cues[:1])))
    assert "The one leak or nuisance cue reaches AUC .994 [.988, .999] without looking" in text
    assert "All 1" not in text and "together" not in text


@pytest.mark.parametrize("report", REPORTS, ids=IDS)
def test_biases_are_two_to_six_sentences_of_plain_text(report: Any) -> None:
    text = biases(report)
    assert "\n" not in text and "\x1b" not in text and "\u202e" not in text
    if report.name != HOSTILE:
        sentences = re.findall(r"[^.]\.(?= [A-Z]|$)", text.replace("p < .01.", "p < .01 ."))
        assert 2 <= len(sentences) <= 6, sentences
    assert len(text) < 3000


def test_a_clean_set_is_no_more_than_not_shown() -> None:
    text = biases(clean_set())
    assert "was shown to tell real from fake" in text and "AUC of .660 would be flagged" in text
    assert "could not be tested: 4 components are too few" in biases(few_components())
    assert "no reals to compare" in biases(nothing())


def test_the_card_has_a_table_of_cues_the_floor_and_the_command() -> None:
    text = card_section(planted(), ("data/x", "--seed", "3"))
    assert text.startswith("## Known biases\n")
    tokens = parsed(text)
    rows = [token for token in tokens if token.type == "tr_open"]
    assert len(rows) == 1 + 6  # five cues and the debatable one
    cells = [token.content for token in tokens if token.type == "inline"]
    assert any("the leading silence" in one for one in cells)
    assert "above 31 ms: 98 % of fakes, 2 % of reals" in cells
    assert any("Metadata-only floor" in one for one in cells)
    fences = [token.content for token in tokens if token.type == "fence"]
    assert fences == ["python -m cmdfd.audit data/x --seed 3\n"]
    assert "come in blocks" not in text  # what is only worth knowing is no bias


def test_many_cues_are_counted() -> None:
    text = card_section(long_list(40))
    assert "25 further cues in `audit.json`" in text


def test_names_of_strangers_are_no_markup() -> None:
    tokens = parsed(card_section(hostile()[0]))
    kinds = {token.type for token in tokens}
    assert not kinds & {"html_inline", "html_block", "link_open", "image", "em_open", "s_open", "code_inline"}
    assert sum(token.type == "heading_open" for token in tokens) == 1
    rows = [k for k, token in enumerate(tokens) if token.type == "tr_open"]
    for start in rows:
        stop = next(k for k in range(start, len(tokens)) if tokens[k].type == "tr_close")
        assert sum(token.type in ("td_open", "th_open") for token in tokens[start:stop]) == 7
    assert sum(token.type == "fence" for token in tokens) == 1
    last = [tokens[k - 1].content for k, token in enumerate(tokens) if token.type == "td_close"]
    assert HOSTILE.count("|") == 1 and sum("evil" in one for one in last) >= 3
    shown = "".join(token.content for token in tokens if token.type == "text")
    assert "<script>alert(1)</script>" in shown and "\u202e" not in shown and "\x1b" not in shown


def test_a_name_cannot_leave_the_code_block() -> None:
    text = card_section(replace(planted(), name="a`````\n```\n<script>"))
    fences = [token for token in parsed(text) if token.type == "fence"]
    assert len(fences) == 1 and "<script>" in fences[0].content and fences[0].content.count("\n") == 1


@given(st.text(max_size=60) | st.text(r"|\`*_[]()<>!#&;~$:/@-+=x1. ", max_size=60))
def test_any_text_stays_text_in_a_table(text: str) -> None:
    line = f"| a | b |\n|---|---|\n| x{markdown(text)}x | y |"
    tokens = parsed(line)
    assert sum(token.type == "td_open" for token in tokens) == 2
    cell = next(token for token in tokens if token.type == "inline" and token.content.startswith("x"))
    kinds = {child.type for child in cell.children}
    assert kinds <= {"text", "text_special"}, kinds
    cells = [token.content for token in tokens if token.type == "inline"]
    assert len(cells) == 4 and cells[3] == "y"


@pytest.mark.parametrize(
    "link", ["https://e.vil", "HTTP://e.vil", "ftp://e.vil", "www.e.vil", "WWW.e.vil", "a@e.vil", "mailto:x"]
)
def test_links_that_sites_make_by_themselves_are_broken(link: str) -> None:
    text = markdown(f"see {link} now")
    assert not re.search(r"(https?|ftp)://|www\.|@|mailto:", text, re.IGNORECASE)
    shown = "".join(token.content for token in parsed(text) if token.type in ("text", "text_special"))
    assert link in shown
